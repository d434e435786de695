//! Tests that need no network, no server and no clock.

mod tidy;
