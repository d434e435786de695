//! Sockets: plain, Unix and TLS streams under one type, listeners, certificates.

pub mod listener;
pub mod stream;
pub mod tls;
