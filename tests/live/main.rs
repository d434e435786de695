//! Tests against a real PostgreSQL. Without one they fail: none is ever skipped.

mod generator;
mod oracle;
mod throwaway;
mod upstream;
mod worlds;
