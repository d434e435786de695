//! Partywall, the wall between tenants: a sidecar proxy for PostgreSQL.
//!
//! The promise is *as if alone*: whatever SQL a client sends, it sees and changes what it would see and change on a
//! server that holds only its own tenant's data, or it gets a clear error.
//!
//! A pure core (`sql`, `guard`, `wire`, `session`, … : value in, value out) stands inside a thin shell that touches
//! sockets, files and clocks. In reading order:

pub mod audit;
pub mod auth;
pub mod catalog;
pub mod guard;
pub mod policy;
pub mod session;
pub mod sql;
pub mod tenant;
pub mod wire;

pub mod config;

#[cfg(feature = "proxy")]
pub mod admin;
#[cfg(feature = "proxy")]
pub mod cli;
#[cfg(feature = "proxy")]
pub mod demo;
#[cfg(feature = "proxy")]
pub mod metrics;
#[cfg(feature = "proxy")]
pub mod net;
#[cfg(feature = "proxy")]
pub mod proxy;
#[cfg(feature = "proxy")]
pub mod reload;
#[cfg(feature = "proxy")]
pub mod upstream;
