//! The server's side of SCRAM-SHA-256 and SCRAM-SHA-256-PLUS (RFC 5802, RFC 7677), as PostgreSQL speaks it.

use std::fmt;

use aws_lc_rs::constant_time;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::auth::hmac_sha256;
use crate::auth::verifier::{ScramVerifier, sha256};

pub const SCRAM_SHA_256: &str = "SCRAM-SHA-256";
pub const SCRAM_SHA_256_PLUS: &str = "SCRAM-SHA-256-PLUS";

/// What the connection can prove about itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Binding<'a> {
    /// No TLS, or a certificate whose signature defines no hash: PLUS is not offered.
    Unavailable,
    /// The `tls-server-end-point` value (RFC 5929, section 4.1): PLUS is offered.
    EndPoint(&'a [u8]),
}

impl Binding<'_> {
    /// The mechanisms to offer, the better first.
    pub fn mechanisms(self) -> &'static [&'static str] {
        match self {
            Self::Unavailable => &[SCRAM_SHA_256],
            Self::EndPoint(_) => &[SCRAM_SHA_256_PLUS, SCRAM_SHA_256],
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScramError {
    /// A message that is not SCRAM's. Its sender need not be told apart from any other.
    Malformed,
    /// The client thinks that PLUS is not offered, and it is: somebody in between took it out of the list.
    Downgrade,
    /// A mechanism that was not offered, or one that does not fit the channel-binding flag.
    Mechanism,
    /// The client is bound to another TLS connection than this one.
    ChannelBinding,
    /// The proof is wrong: wrong password, or no such login.
    WrongProof,
}

impl fmt::Display for ScramError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Malformed => "malformed SCRAM message",
            Self::Downgrade => "SCRAM channel binding negotiation error",
            Self::Mechanism => "client selected an invalid SASL authentication mechanism",
            Self::ChannelBinding => "SCRAM channel binding check failed",
            Self::WrongProof => "password does not match",
        })
    }
}

impl std::error::Error for ScramError {}

/// The exchange after the server's first message: it awaits the client's proof.
pub struct ExpectProof {
    verifier: ScramVerifier,
    /// What the client must repeat: its header and the channel's binding.
    channel: Vec<u8>,
    nonce: String,
    /// Everything said so far, as it goes into the signatures.
    transcript: String,
}

/// Holds when the client has proved that it knows the password.
#[derive(Debug)]
pub struct Proved {
    /// The server's last message: the client can tell from it that we knew the verifier.
    pub server_final: String,
}

/// Takes the client's first message; returns the state that awaits the proof, and the server's first message.
pub fn begin(
    mechanism: &[u8],
    client_first: &[u8],
    binding: Binding<'_>,
    verifier: ScramVerifier,
    server_nonce: &[u8; 18],
) -> Result<(ExpectProof, String), ScramError> {
    let mechanism =
        *binding.mechanisms().iter().find(|offered| offered.as_bytes() == mechanism).ok_or(ScramError::Mechanism)?;
    let client_first = std::str::from_utf8(client_first).map_err(|_| ScramError::Malformed)?;
    // gs2-header: flag "," [authzid] ","
    let (flag, rest) = client_first.split_once(',').ok_or(ScramError::Malformed)?;
    // PostgreSQL knows no authorization identities either.
    let bare = rest.strip_prefix(',').ok_or(ScramError::Malformed)?;
    let channel = channel(flag, mechanism, binding)?;

    let mut attributes = bare.split(',');
    // A login's name in here is ignored, as PostgreSQL does: the start-up packet has named it. `m=` is an extension
    // that must be understood, and none is.
    attributes.next().and_then(|part| part.strip_prefix("n=")).ok_or(ScramError::Malformed)?;
    let client_nonce = attributes.next().and_then(|part| part.strip_prefix("r=")).ok_or(ScramError::Malformed)?;
    if client_nonce.is_empty() || !client_nonce.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(ScramError::Malformed);
    }

    let nonce = format!("{client_nonce}{}", STANDARD.encode(server_nonce));
    let server_first = format!("r={nonce},s={},i={}", STANDARD.encode(&verifier.salt), verifier.iterations);
    let transcript = format!("{bare},{server_first}");
    Ok((ExpectProof { verifier, channel, nonce, transcript }, server_first))
}

/// What the client's `c=` must hold, once the flag is found to fit mechanism and connection.
fn channel(flag: &str, mechanism: &str, binding: Binding<'_>) -> Result<Vec<u8>, ScramError> {
    match (flag, mechanism, binding) {
        ("n", SCRAM_SHA_256, _) => Ok(b"n,,".to_vec()),
        ("y", SCRAM_SHA_256, Binding::Unavailable) => Ok(b"y,,".to_vec()),
        ("y", _, Binding::EndPoint(_)) => Err(ScramError::Downgrade),
        ("p=tls-server-end-point", SCRAM_SHA_256_PLUS, Binding::EndPoint(end_point)) => {
            let mut channel = b"p=tls-server-end-point,,".to_vec();
            channel.extend_from_slice(end_point);
            Ok(channel)
        }
        ("n" | "y" | "p=tls-server-end-point", ..) => Err(ScramError::Mechanism),
        _ => Err(ScramError::Malformed),
    }
}

impl ExpectProof {
    /// Takes the client's last message. The state is spent: there is no second try.
    pub fn finish(self, client_final: &[u8]) -> Result<Proved, ScramError> {
        let client_final = std::str::from_utf8(client_final).map_err(|_| ScramError::Malformed)?;
        let (without_proof, proof) = client_final.rsplit_once(",p=").ok_or(ScramError::Malformed)?;
        let proof: [u8; 32] =
            STANDARD.decode(proof).ok().and_then(|bytes| bytes.try_into().ok()).ok_or(ScramError::Malformed)?;

        let mut attributes = without_proof.split(',');
        let channel = attributes.next().and_then(|part| part.strip_prefix("c=")).ok_or(ScramError::Malformed)?;
        if STANDARD.decode(channel).map_err(|_| ScramError::Malformed)? != self.channel {
            return Err(ScramError::ChannelBinding);
        }
        let nonce = attributes.next().and_then(|part| part.strip_prefix("r=")).ok_or(ScramError::Malformed)?;
        if nonce != self.nonce {
            return Err(ScramError::Malformed);
        }

        let message = [self.transcript.as_bytes(), b",", without_proof.as_bytes()];
        let signature = hmac_sha256(&self.verifier.stored_key, &message);
        let mut client_key = proof;
        client_key.iter_mut().zip(signature).for_each(|(key, mask)| *key ^= mask);
        constant_time::verify_slices_are_equal(&sha256(&client_key), &self.verifier.stored_key)
            .map_err(|_| ScramError::WrongProof)?;

        let server_signature = hmac_sha256(&self.verifier.server_key, &message);
        Ok(Proved { server_final: format!("v={}", STANDARD.encode(server_signature)) })
    }
}
