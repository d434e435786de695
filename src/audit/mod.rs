//! The audit trail: the record (core) and its writer (shell).

pub mod event;
