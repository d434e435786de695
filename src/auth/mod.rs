//! Authentication of clients, without sockets.

pub mod scram;
mod verifier;

pub use verifier::{InvalidVerifierError, ScramVerifier};

use aws_lc_rs::hmac;

/// HMAC-SHA-256.
pub(crate) fn hmac_sha256(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key);
    let mut context = hmac::Context::with_key(&key);
    for part in parts {
        context.update(part);
    }
    context.sign().as_ref().try_into().unwrap_or_default()
}
