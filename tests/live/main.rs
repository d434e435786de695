//! Tests against a real PostgreSQL. Without one they fail: none is ever skipped.

#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "test code: a panic is a failed test")]

mod admin;
mod cli;
mod conversation;
mod copy;
mod demo;
mod drivers;
mod generator;
mod oracle;
mod proxy;
mod psql;
mod reload;
mod run;
mod shared;
mod throwaway;
mod upstream;
mod worlds;
