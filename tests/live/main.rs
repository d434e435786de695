//! Tests against a real PostgreSQL. Without one they fail: none is ever skipped.

mod throwaway;
mod upstream;
