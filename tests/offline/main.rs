//! Tests that need no network, no clock and no server.

mod frames;
mod handshake;
mod session;
mod wire;
