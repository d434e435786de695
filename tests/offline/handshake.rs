//! From the first byte to ReadyForQuery, with a SCRAM client written here.

use std::num::NonZeroU32;

use aws_lc_rs::{digest, hmac, pbkdf2};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use partywall::auth::ScramVerifier;
use partywall::session::handshake::{
    Connection, Effect, Handshake, Logins, ProtocolVersion, Refusal, TlsOffer, Transport,
};
use partywall::tenant::{Identity, LoginName, TenantId};

use crate::frames::{cut, frame, show};

struct OneLogin;

const SALT: &[u8] = b"0123456789abcdef";

impl Logins for OneLogin {
    fn login(&self, name: &str) -> Option<(ScramVerifier, Identity)> {
        let identity = Identity { login: LoginName::parse("app").unwrap(), tenant: TenantId::parse("acme").ok() };
        let verifier = ScramVerifier::from_password("pencil", SALT, NonZeroU32::new(4096).unwrap());
        (name == "app").then_some((verifier, identity))
    }

    fn mock_secret(&self) -> &[u8; 32] {
        &[9; 32]
    }
}

const NONCE: [u8; 18] = *b"abcdefghijklmnopqr";

fn handshake(tls: TlsOffer) -> Handshake {
    Handshake::new(Connection { transport: Transport::Network, tls, startup_bytes_max: 10_000 })
}

fn startup(version: u32, parameters: &[(&str, &str)]) -> Vec<u8> {
    let mut body = version.to_be_bytes().to_vec();
    for (name, value) in parameters {
        body.extend([name.as_bytes(), b"\0", value.as_bytes(), b"\0"].concat());
    }
    body.push(0);
    packet(&body)
}

fn packet(body: &[u8]) -> Vec<u8> {
    [&u32::try_from(body.len() + 4).unwrap().to_be_bytes(), body].concat()
}

const V3_0: u32 = 3 << 16;
const SSL_REQUEST: u32 = 80_877_103;
const GSSENC_REQUEST: u32 = 80_877_104;

fn hmac(key: &[u8], text: &[u8]) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text).as_ref().to_vec()
}

/// The client's side of RFC 5802 in one go. `channel`: the gs2 header, and the binding behind it.
fn log_in(handshake: &mut Handshake, mechanism: &str, header: &str, binding: &[u8], password: &str) -> Effect {
    handshake.output().clear();
    let bare = "n=,r=clientnonce";
    let first = format!("{header}{bare}");
    let mut body = [mechanism.as_bytes(), b"\0"].concat();
    body.extend(u32::try_from(first.len()).unwrap().to_be_bytes());
    body.extend(first.as_bytes());
    let (_, effect) = handshake.handle_client(&frame(b'p', &body), &OneLogin, &NONCE);
    if effect != Effect::Continue {
        return effect;
    }
    let output = handshake.output().split();
    let server_first = String::from_utf8(cut(&output)[0].1[4..].to_vec()).unwrap();
    let value = |key: &str| server_first.split(',').find_map(|part| part.strip_prefix(key)).unwrap().to_owned();
    let salt = STANDARD.decode(value("s=")).unwrap();
    let iterations = value("i=").parse().unwrap();
    let mut salted = [0; 32];
    pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, iterations, &salt, password.as_bytes(), &mut salted);
    let client_key = hmac(&salted, b"Client Key");
    let stored_key = digest::digest(&digest::SHA256, &client_key);
    let channel = STANDARD.encode([header.as_bytes(), binding].concat());
    let without_proof = format!("c={channel},r={}", value("r="));
    let message = format!("{bare},{server_first},{without_proof}");
    let signature = hmac(stored_key.as_ref(), message.as_bytes());
    let proof: Vec<u8> = client_key.iter().zip(signature).map(|(key, mask)| key ^ mask).collect();
    let last = format!("{without_proof},p={}", STANDARD.encode(proof));
    let (_, effect) = handshake.handle_client(&frame(b'p', last.as_bytes()), &OneLogin, &NONCE);
    if let Effect::Authenticated(_) = effect {
        let output = handshake.output().split();
        let expected = STANDARD.encode(hmac(&hmac(&salted, b"Server Key"), message.as_bytes()));
        assert_eq!(cut(&output)[0].1[4..], *format!("v={expected}").as_bytes());
    }
    effect
}

#[test]
fn a_client_logs_in() {
    let mut handshake = handshake(TlsOffer::Unavailable);
    let startup = startup(V3_0, &[("user", "app"), ("database", "main"), ("TimeZone", "UTC")]);
    let (consumed, effect) = handshake.handle_client(&startup, &OneLogin, &NONCE);
    assert_eq!((consumed, effect), (startup.len(), Effect::Continue));
    assert_eq!(handshake.output().split(), frame(b'R', b"\0\0\0\x0aSCRAM-SHA-256\0\0"));
    let Effect::Authenticated(authenticated) = log_in(&mut handshake, "SCRAM-SHA-256", "n,,", b"", "pencil") else {
        panic!("not authenticated");
    };
    assert_eq!(authenticated.identity.tenant.unwrap().as_str(), "acme");
    assert_eq!(authenticated.database.as_deref(), Some("main"));
    assert_eq!(authenticated.parameters, [("TimeZone".to_owned(), "UTC".to_owned())]);
    assert_eq!(authenticated.protocol, ProtocolVersion::V3_0);
    handshake.welcome(&[("server_version".to_owned(), "15.0".to_owned())], 7, &[1; 32]);
    assert_eq!(show(&handshake.output().split()), "R S K Z(I)");
}

#[test]
fn a_wrong_password_and_an_unknown_user_look_alike() {
    let mut outputs = Vec::new();
    for user in ["app", "nobody"] {
        let mut handshake = handshake(TlsOffer::Unavailable);
        handshake.handle_client(&startup(V3_0, &[("user", user)]), &OneLogin, &NONCE);
        let effect = log_in(&mut handshake, "SCRAM-SHA-256", "n,,", b"", "wrong");
        assert!(matches!(effect, Effect::Close(Refusal { reason: "auth_failed", .. })), "{effect:?}");
        outputs.push(show(&handshake.output().split()).replace(user, "?"));
    }
    assert_eq!(outputs[0], "E(C28P01,Mpassword authentication failed for user \"?\")");
    assert_eq!(outputs[0], outputs[1]);
}

#[test]
fn bytes_behind_an_ssl_request_end_the_connection() {
    let request = packet(&SSL_REQUEST.to_be_bytes());
    let mut clean = handshake(TlsOffer::Available);
    assert_eq!(clean.handle_client(&request, &OneLogin, &NONCE), (8, Effect::StartTls));
    assert_eq!(clean.output().split(), "S");
    let mut stuffed = handshake(TlsOffer::Available);
    let input = [request, startup(V3_0, &[("user", "app")])].concat();
    let (_, effect) = stuffed.handle_client(&input, &OneLogin, &NONCE);
    assert!(matches!(effect, Effect::Close(Refusal { reason: "protocol", .. })), "{effect:?}");
    assert!(show(&stuffed.output().split()).starts_with("E(C08P01,Mreceived unencrypted data"));
    let _ = GSSENC_REQUEST;
}
