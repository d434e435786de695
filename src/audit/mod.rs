//! The audit trail: the record (core), and its writer (shell).

pub mod checkpoint;
pub mod event;
pub mod identifier;
mod json;
pub mod proof;
pub mod record;
pub mod segment;
pub mod tag;
pub mod tree;
pub mod verify;

#[cfg(feature = "proxy")]
pub mod archive;
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
mod http;
#[cfg(feature = "proxy")]
pub mod observe;
#[cfg(feature = "proxy")]
pub mod sender;
#[cfg(feature = "proxy")]
mod sign;
#[cfg(feature = "proxy")]
mod sink;
#[cfg(feature = "proxy")]
mod spool;
#[cfg(feature = "proxy")]
mod store;
#[cfg(feature = "proxy")]
pub mod writer;
#[cfg(feature = "proxy")]
mod writing;
