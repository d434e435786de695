//! Tests that need no network, no server and no clock.

mod audit;
mod config;
mod frames;
mod policy;
mod session;
mod tidy;
