//! Authentication of clients, without sockets.

/// What PostgreSQL stores of a password for SCRAM-SHA-256 (RFC 5803's form).
#[derive(Clone, PartialEq, Eq)]
pub struct ScramVerifier {
    pub iterations: u32,
    pub salt: Vec<u8>,
    pub stored_key: [u8; 32],
    pub server_key: [u8; 32],
}
