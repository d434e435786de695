

mod config;
mod policy;
