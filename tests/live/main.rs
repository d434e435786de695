//! Tests against a real PostgreSQL. Without one they fail: none is ever skipped.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "test code: a panic is a failed test"
)]

mod acceptance;
mod acting;
mod admin;
mod bypass;
mod cli;
mod conversation;
mod copy;
mod demo;
mod drivers;
mod durability;
mod gate;
mod generator;
mod introspection;
mod oracle;
mod places;
mod proxy;
mod psql;
mod reload;
mod run;
mod script;
mod shared;
mod sqlsmith;
mod system;
mod terms;
mod throwaway;
mod totality;
mod upstream;
mod values;
mod worlds;
