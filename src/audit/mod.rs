//! The audit trail: the record (core), and its writer (shell).

pub mod event;
mod json;

#[cfg(feature = "proxy")]
pub mod observe;
#[cfg(feature = "proxy")]
mod sink;
#[cfg(feature = "proxy")]
pub mod writer;
