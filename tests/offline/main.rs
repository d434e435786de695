//! Tests that need no network, no server and no clock.

mod audit;
mod cli;
mod config;
mod deploy;
mod example_files;
mod frames;
mod grade;
mod handshake;
mod policy;
mod session;
mod tidy;
mod wire;
