//! PostgreSQL's messages as bytes: cut into frames, read within bounds, and written.

pub mod backend;
pub mod encode;
pub mod frame;
pub mod frontend;
mod reader;
pub mod report;
pub mod startup;

/// Bytes that break the protocol's grammar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Malformed;

impl std::fmt::Display for Malformed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("invalid message format")
    }
}

impl std::error::Error for Malformed {}
