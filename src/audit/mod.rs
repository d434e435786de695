//! The audit trail: the record (core), and its writer (shell).

pub mod event;
mod json;
pub mod record;
pub mod tag;

#[cfg(feature = "proxy")]
pub mod observe;
#[cfg(feature = "proxy")]
mod sink;
#[cfg(feature = "proxy")]
pub mod writer;
