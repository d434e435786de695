//! Tests against a real PostgreSQL. Without one they fail: none is ever skipped.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod cli;
mod throwaway;
mod upstream;
