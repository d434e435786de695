//! Tests that need no network, no server and no clock.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "test code: a panic is a failed test"
)]

mod attacks;
mod audit;
mod cli;
mod config;
mod corpus;
mod delivery;
mod deploy;
mod example_files;
mod extensions;
mod frames;
mod grade;
mod handshake;
mod policy;
mod ruleset;
mod session;
mod sql;
mod tamper;
mod templates;
mod tidy;
mod wire;
