//! The audit trail: the record (core), and its writer (shell).

pub mod event;
pub mod identifier;
mod json;
pub mod record;
pub mod segment;
pub mod tag;
pub mod tree;

#[cfg(feature = "proxy")]
mod clock;
#[cfg(feature = "proxy")]
mod deliver;
#[cfg(feature = "proxy")]
mod disk;
#[cfg(feature = "proxy")]
pub mod durable;
#[cfg(feature = "proxy")]
mod feed;
#[cfg(feature = "proxy")]
pub mod observe;
#[cfg(feature = "proxy")]
pub mod sender;
#[cfg(feature = "proxy")]
mod sink;
#[cfg(feature = "proxy")]
mod spool;
#[cfg(feature = "proxy")]
mod store;
#[cfg(feature = "proxy")]
pub mod writer;
