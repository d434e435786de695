//! Tests against a real PostgreSQL. Without one they fail: none is ever skipped.

mod admin;
mod conversation;
mod generator;
mod oracle;
mod proxy;
mod reload;
mod throwaway;
mod upstream;
mod worlds;
