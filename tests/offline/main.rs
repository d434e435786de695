
mod sql;
