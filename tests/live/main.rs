//! Tests against a real PostgreSQL. Without one they fail: none is ever skipped.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod admin;
mod cli;
mod generator;
mod oracle;
mod proxy;
mod reload;
mod run;
mod throwaway;
mod upstream;
mod worlds;
