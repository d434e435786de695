//! The client's side of SCRAM-SHA-256 and SCRAM-SHA-256-PLUS (RFC 5802, RFC 7677), with keys that are derived only once.

use std::num::NonZeroU32;

use aws_lc_rs::{constant_time, digest, pbkdf2};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::auth::hmac_sha256;
use crate::auth::scram::{SCRAM_SHA_256, SCRAM_SHA_256_PLUS};

/// A server that asks for more is not served: it would keep a core busy for each connection.
const ITERATIONS_MAX: u32 = 1_000_000;

/// What a log-in proves of the connection under it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Binding {
    /// No TLS, or a certificate whose signature defines no hash.
    Unsupported,
    /// We could bind, and the server does not offer to: if it did, and somebody has hidden that, it notices.
    NotOffered,
    /// The `tls-server-end-point` hash of the server's certificate (RFC 5929).
    EndPoint(Vec<u8>),
}

impl Binding {
    pub(crate) fn mechanism(&self) -> &'static str {
        match self {
            Self::Unsupported | Self::NotOffered => SCRAM_SHA_256,
            Self::EndPoint(_) => SCRAM_SHA_256_PLUS,
        }
    }

    fn header(&self) -> &'static str {
        match self {
            Self::Unsupported => "n,,",
            Self::NotOffered => "y,,",
            Self::EndPoint(_) => "p=tls-server-end-point,,",
        }
    }

    fn channel(&self) -> Vec<u8> {
        let mut channel = self.header().as_bytes().to_vec();
        if let Self::EndPoint(hash) = self {
            channel.extend_from_slice(hash);
        }
        channel
    }
}

/// What the password comes to with a server's salt: as good as the password itself for this role.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct ScramKeys {
    salt: Vec<u8>,
    iterations: NonZeroU32,
    client_key: [u8; 32],
    server_key: [u8; 32],
}

impl ScramKeys {
    /// Thousands of rounds of HMAC: milliseconds.
    pub(crate) fn derive(password: &str, salt: &[u8], iterations: NonZeroU32) -> Self {
        // What SASLprep forbids is taken as it is, as PostgreSQL's own client does.
        let prepared = stringprep::saslprep(password);
        let password = prepared.as_deref().ok().filter(|text| !text.is_empty()).unwrap_or(password);
        let mut salted = [0; 32];
        pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, iterations, salt, password.as_bytes(), &mut salted);
        Self {
            salt: salt.to_vec(),
            iterations,
            client_key: hmac_sha256(&salted, &[b"Client Key"]),
            server_key: hmac_sha256(&salted, &[b"Server Key"]),
        }
    }

    pub(crate) fn fit(&self, challenge: &Challenge) -> bool {
        self.salt == challenge.salt && self.iterations == challenge.iterations
    }
}

/// The exchange before the server's first message.
pub(crate) struct Exchange {
    binding: Binding,
    nonce: String,
    bare: String,
}

/// The server's first message.
#[derive(Debug)]
pub(crate) struct Challenge {
    pub(crate) salt: Vec<u8>,
    pub(crate) iterations: NonZeroU32,
    nonce: String,
    text: String,
}

/// The exchange before the server's last message, which must prove that the server knows our keys.
pub(crate) struct ExpectSignature([u8; 32]);

/// Not SCRAM's, or not from who it should be. The word says what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ScramFault(pub(crate) &'static str);

impl Exchange {
    pub(crate) fn new(binding: Binding, nonce: &[u8; 18]) -> Self {
        Self::named("", binding, STANDARD.encode(nonce))
    }

    /// PostgreSQL has the role's name from the start-up packet and ignores the one in here.
    fn named(user: &str, binding: Binding, nonce: String) -> Self {
        let bare = format!("n={user},r={nonce}");
        Self { binding, nonce, bare }
    }

    pub(crate) fn first(&self) -> String {
        format!("{}{}", self.binding.header(), self.bare)
    }

    pub(crate) fn challenge(&self, server_first: &[u8]) -> Result<Challenge, ScramFault> {
        const MALFORMED: ScramFault = ScramFault("malformed challenge");
        let text = std::str::from_utf8(server_first).map_err(|_| MALFORMED)?;
        let mut attributes = text.split(',');
        let mut attribute = |name| attributes.next().and_then(|part| part.strip_prefix(name)).ok_or(MALFORMED);
        let (nonce, salt, iterations) = (attribute("r=")?, attribute("s=")?, attribute("i=")?);
        let more = nonce.strip_prefix(self.nonce.as_str()).ok_or(ScramFault("the nonce is not ours"))?;
        if more.is_empty() {
            return Err(ScramFault("the server adds nothing to the nonce"));
        }
        let iterations: NonZeroU32 = iterations.parse().map_err(|_| MALFORMED)?;
        if iterations.get() > ITERATIONS_MAX {
            return Err(ScramFault("too many iterations"));
        }
        let salt = STANDARD.decode(salt).map_err(|_| MALFORMED)?;
        Ok(Challenge { salt, iterations, nonce: nonce.to_owned(), text: text.to_owned() })
    }

    /// Our last message. `keys` must fit the challenge.
    pub(crate) fn answer(self, challenge: &Challenge, keys: &ScramKeys) -> (String, ExpectSignature) {
        let without_proof = format!("c={},r={}", STANDARD.encode(self.binding.channel()), challenge.nonce);
        let message = [&self.bare, ",", &challenge.text, ",", &without_proof].map(str::as_bytes);
        let stored_key = digest::digest(&digest::SHA256, &keys.client_key);
        let mut proof = hmac_sha256(stored_key.as_ref(), &message);
        proof.iter_mut().zip(keys.client_key).for_each(|(byte, key)| *byte ^= key);
        let last = format!("{without_proof},p={}", STANDARD.encode(proof));
        (last, ExpectSignature(hmac_sha256(&keys.server_key, &message)))
    }
}

impl ExpectSignature {
    pub(crate) fn finish(self, server_final: &[u8]) -> Result<(), ScramFault> {
        let signature = server_final.strip_prefix(b"v=").and_then(|text| STANDARD.decode(text).ok());
        let signature = signature.ok_or(ScramFault("malformed signature"))?;
        constant_time::verify_slices_are_equal(&signature, &self.0)
            .map_err(|_| ScramFault("the server does not know the password either"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHALLENGE: &[u8] = b"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";

    fn example() -> Exchange {
        Exchange::named("user", Binding::Unsupported, "rOprNGfwEbeRWgbNEkqO".to_owned())
    }

    #[test]
    fn speaks_as_in_the_rfc() {
        let exchange = example();
        assert_eq!(exchange.first(), "n,,n=user,r=rOprNGfwEbeRWgbNEkqO");
        let challenge = exchange.challenge(CHALLENGE).unwrap();
        let keys = ScramKeys::derive("pencil", &challenge.salt, challenge.iterations);
        assert!(keys.fit(&challenge));
        let (last, signature) = exchange.answer(&challenge, &keys);
        let expected = "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
                        p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";
        assert_eq!(last, expected);
        assert_eq!(signature.finish(b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="), Ok(()));
    }

    #[test]
    fn a_false_server_is_found_out() {
        for challenge in [
            &b"r=rOprNGfwEbeRWgbNEkqO,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"[..],
            b"r=another,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
            b"r=rOprNGfwEbeRWgbNEkqOx,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=0",
            b"r=rOprNGfwEbeRWgbNEkqOx,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4000000000",
            b"r=rOprNGfwEbeRWgbNEkqOx,s=?,i=4096",
            b"m=x,r=rOprNGfwEbeRWgbNEkqOx,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
            b"",
        ] {
            assert!(example().challenge(challenge).is_err(), "{}", String::from_utf8_lossy(challenge));
        }
        for last in [&b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G5="[..], b"v=", b"e=other-error", b""] {
            let exchange = example();
            let challenge = exchange.challenge(CHALLENGE).unwrap();
            let keys = ScramKeys::derive("pencil", &challenge.salt, challenge.iterations);
            let (_, signature) = exchange.answer(&challenge, &keys);
            assert!(signature.finish(last).is_err(), "{}", String::from_utf8_lossy(last));
        }
    }
}
