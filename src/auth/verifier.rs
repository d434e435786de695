//! What is kept of a password: enough to check a proof of it, too little to make one.

use std::fmt;
use std::num::NonZeroU32;

use aws_lc_rs::{digest, pbkdf2};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::auth::hmac_sha256;

/// PostgreSQL's default, and what a mock verifier claims.
pub(crate) const ITERATIONS: u32 = 4096;
/// PBKDF2 rounds that a verifier may ask of a client. PostgreSQL's own clients give up far below.
const ITERATIONS_MAX: u32 = 10_000_000;
const SALT_BYTES_MAX: usize = 256;

/// What PostgreSQL stores of a password for SCRAM-SHA-256 (RFC 5803's form).
#[derive(Clone, PartialEq, Eq)]
pub struct ScramVerifier {
    pub iterations: u32,
    pub salt: Vec<u8>,
    pub stored_key: [u8; 32],
    pub server_key: [u8; 32],
}

impl fmt::Debug for ScramVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScramVerifier").field("iterations", &self.iterations).finish_non_exhaustive()
    }
}

/// A text that is not a SCRAM-SHA-256 verifier. Does not repeat the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InvalidVerifierError;

impl fmt::Display for InvalidVerifierError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a verifier of the form SCRAM-SHA-256$<iterations>:<salt>$<StoredKey>:<ServerKey>")
    }
}

impl std::error::Error for InvalidVerifierError {}

impl ScramVerifier {
    /// Reads PostgreSQL's form, as in `pg_authid.rolpassword`.
    pub fn parse(text: &str) -> Result<Self, InvalidVerifierError> {
        Self::parse_form(text).ok_or(InvalidVerifierError)
    }

    fn parse_form(text: &str) -> Option<Self> {
        let (parameters, keys) = text.strip_prefix("SCRAM-SHA-256$")?.split_once('$')?;
        let (iterations, salt) = parameters.split_once(':')?;
        let (stored_key, server_key) = keys.split_once(':')?;
        let iterations = iterations.parse().ok().filter(|count| (1..=ITERATIONS_MAX).contains(count))?;
        let salt = STANDARD.decode(salt).ok().filter(|salt| (1..=SALT_BYTES_MAX).contains(&salt.len()))?;
        let stored_key = STANDARD.decode(stored_key).ok()?.try_into().ok()?;
        let server_key = STANDARD.decode(server_key).ok()?.try_into().ok()?;
        Some(Self { iterations, salt, stored_key, server_key })
    }

    /// Makes a verifier, as PostgreSQL's `scram_build_secret` does. Slow on purpose.
    pub fn from_password(password: &str, salt: &[u8], iterations: NonZeroU32) -> Self {
        // PostgreSQL takes the bytes as they are where SASLprep forbids them, and so do its clients.
        let prepared = stringprep::saslprep(password);
        let password = prepared.as_deref().ok().filter(|text| !text.is_empty()).unwrap_or(password);
        let mut salted = [0; 32];
        pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, iterations, salt, password.as_bytes(), &mut salted);
        let client_key = hmac_sha256(&salted, &[b"Client Key"]);
        Self {
            iterations: iterations.get(),
            salt: salt.to_vec(),
            stored_key: sha256(&client_key),
            server_key: hmac_sha256(&salted, &[b"Server Key"]),
        }
    }

    /// A verifier that no password fits, always the same for the same name: an exchange for a login that does not exist
    /// must look like one with a wrong password.
    pub fn mock(secret: &[u8; 32], name: &str) -> Self {
        let salt = hmac_sha256(secret, &[b"salt\0", name.as_bytes()]);
        Self {
            iterations: ITERATIONS,
            salt: salt.iter().copied().take(16).collect(),
            stored_key: hmac_sha256(secret, &[b"stored\0", name.as_bytes()]),
            server_key: hmac_sha256(secret, &[b"server\0", name.as_bytes()]),
        }
    }
}

/// PostgreSQL's form, which [`ScramVerifier::parse`] reads. It is a secret: whoever has it can pose as the server.
impl fmt::Display for ScramVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [salt, stored, server] =
            [&self.salt[..], &self.stored_key, &self.server_key].map(|bytes| STANDARD.encode(bytes));
        write!(f, "SCRAM-SHA-256${}:{salt}${stored}:{server}", self.iterations)
    }
}

pub(crate) fn sha256(bytes: &[u8]) -> [u8; 32] {
    digest::digest(&digest::SHA256, bytes).as_ref().try_into().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    // RFC 7677, section 3: user "user", password "pencil".
    const RFC_SALT: &str = "W22ZaJ0SNY7soEsUEjb6gQ==";

    #[test]
    fn a_verifier_made_from_a_password_reads_back() {
        let salt = STANDARD.decode(RFC_SALT).unwrap();
        let verifier = ScramVerifier::from_password("pencil", &salt, NonZeroU32::new(4096).unwrap());
        let text = verifier.to_string();
        // The text that PostgreSQL itself stores for this password and salt.
        assert_eq!(
            text,
            "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="
        );
        assert!(ScramVerifier::parse(&text).unwrap() == verifier);
    }

    #[test]
    fn debug_hides_the_keys() {
        let verifier = ScramVerifier::mock(&[7; 32], "x");
        assert_eq!(format!("{verifier:?}"), "ScramVerifier { iterations: 4096, .. }");
    }

    #[test]
    fn other_texts_are_not_verifiers() {
        for text in [
            "",
            "md5aabbcc",
            "SCRAM-SHA-256$0:AAAA$AAAA:AAAA",
            "SCRAM-SHA-256$4096:AAAA$AAAA:AAAA",
            "SCRAM-SHA-256$4096:AAAA",
            "SCRAM-SHA-256$x:AAAA$AAAA:AAAA",
        ] {
            assert!(ScramVerifier::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn passwords_are_prepared_as_rfc_4013_says() {
        let make = |password| ScramVerifier::from_password(password, b"salt", NonZeroU32::MIN);
        assert!(make("I\u{ad}X") == make("IX"), "a soft hyphen is mapped to nothing");
        assert!(make("\u{2168}") == make("IX"), "compatibility composition");
        assert!(make("\u{7}") != make(""), "forbidden characters are taken as they are");
    }
}
