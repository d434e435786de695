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

    fn mock_iterations(&self) -> u32 {
        10_000
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
fn an_unknown_user_is_asked_for_the_iterations_of_most_logins() {
    let mut handshake = handshake(TlsOffer::Unavailable);
    handshake.handle_client(&startup(V3_0, &[("user", "nobody")]), &OneLogin, &NONCE);
    handshake.output().clear();
    let first = b"SCRAM-SHA-256\0\0\0\0\x14n,,n=,r=clientnonce1";
    handshake.handle_client(&frame(b'p', first), &OneLogin, &NONCE);
    let output = handshake.output().split();
    assert!(cut(&output)[0].1.ends_with(b",i=10000"), "{}", show(&output));
}

/// What a client is told that begins like this, and why the connection ends.
fn refused(handshake: &mut Handshake, input: &[u8]) -> (&'static str, String) {
    let (_, effect) = handshake.handle_client(input, &OneLogin, &NONCE);
    let Effect::Close(refusal) = effect else { panic!("{effect:?}") };
    // A version or an option may have been negotiated before.
    let told = show(&handshake.output().split());
    (refusal.reason, told)
}

#[test]
fn bytes_behind_an_ssl_request_end_the_connection() {
    let request = packet(&SSL_REQUEST.to_be_bytes());
    let mut clean = handshake(TlsOffer::Available);
    assert_eq!(clean.handle_client(&request, &OneLogin, &NONCE), (8, Effect::StartTls));
    assert_eq!(clean.output().split(), "S");
    let mut stuffed = handshake(TlsOffer::Available);
    let (reason, told) = refused(&mut stuffed, &[request, startup(V3_0, &[("user", "app")])].concat());
    assert_eq!(reason, "protocol");
    assert!(told.starts_with("E(C08P01,Mreceived unencrypted data after SSL request,"), "{told}");
    // And those that come a little later, while TLS is to begin.
    let (reason, _) = refused(&mut clean, b"\0\0\0\x08");
    assert_eq!(reason, "protocol");
}

#[test]
fn each_request_is_taken_once() {
    let (ssl, gssenc) = (packet(&SSL_REQUEST.to_be_bytes()), packet(&GSSENC_REQUEST.to_be_bytes()));
    let mut handshake = handshake(TlsOffer::Unavailable);
    for request in [&gssenc, &ssl] {
        assert_eq!(handshake.handle_client(request, &OneLogin, &NONCE), (8, Effect::Continue));
        assert_eq!(handshake.output().split(), "N");
    }
    for request in [&gssenc, &ssl] {
        let mut again = self::handshake(TlsOffer::Unavailable);
        again.handle_client(request, &OneLogin, &NONCE);
        again.output().clear();
        assert_eq!(refused(&mut again, request).0, "protocol");
    }
}

#[test]
fn plain_text_is_refused_where_tls_is_required() {
    let start = startup(V3_0, &[("user", "app")]);
    let (reason, told) = refused(&mut handshake(TlsOffer::Required), &start);
    assert_eq!(reason, "tls_required");
    assert!(told.starts_with("E(C28000,Mconnection requires TLS,") && told.contains("sslmode="), "{told}");
    // A Unix socket needs none, and gets none.
    let connection =
        Connection { transport: Transport::UnixSocket, tls: TlsOffer::Required, startup_bytes_max: 10_000 };
    let mut local = Handshake::new(connection);
    local.handle_client(&packet(&SSL_REQUEST.to_be_bytes()), &OneLogin, &NONCE);
    assert_eq!(local.output().split(), "N");
    assert_eq!(local.handle_client(&start, &OneLogin, &NONCE).1, Effect::Continue);
}

#[test]
fn versions_are_negotiated_as_postgresql_18_does() {
    let grease = (3 << 16) | 9999;
    for (version, options, negotiated, agreed) in [
        (V3_0, vec![], None, ProtocolVersion::V3_0),
        (V3_0 + 2, vec![], None, ProtocolVersion::V3_2),
        (V3_0 + 1, vec![], Some((V3_0, vec![])), ProtocolVersion::V3_0),
        (V3_0 + 3, vec![], Some((V3_0 + 2, vec![])), ProtocolVersion::V3_2),
        (grease, vec!["_pq_.test"], Some((V3_0 + 2, vec!["_pq_.test"])), ProtocolVersion::V3_2),
        (V3_0, vec!["_pq_.a", "_pq_.b"], Some((V3_0, vec!["_pq_.a", "_pq_.b"])), ProtocolVersion::V3_0),
    ] {
        let mut parameters = vec![("user", "app")];
        parameters.extend(options.iter().map(|name| (*name, "on")));
        let mut handshake = handshake(TlsOffer::Unavailable);
        handshake.handle_client(&startup(version, &parameters), &OneLogin, &NONCE);
        let frames = cut(&handshake.output().split());
        let expected = negotiated.map(|(version, names)| {
            let mut body = version.to_be_bytes().to_vec();
            body.extend(u32::try_from(names.len()).unwrap().to_be_bytes());
            names.iter().for_each(|name| body.extend([name.as_bytes(), b"\0"].concat()));
            (b'v', body)
        });
        assert_eq!(frames.iter().find(|(kind, _)| *kind == b'v'), expected.as_ref(), "{version:x}");
        let effect = log_in(&mut handshake, "SCRAM-SHA-256", "n,,", b"", "pencil");
        let Effect::Authenticated(authenticated) = effect else { panic!("{effect:?}") };
        assert_eq!(authenticated.protocol, agreed);
        handshake.welcome(&[], 7, &[1; 32]);
        let key = if agreed == ProtocolVersion::V3_0 { 4 } else { 32 };
        assert_eq!(cut(&handshake.output().split())[1], (b'K', [&[0, 0, 0, 7][..], &vec![1; key]].concat()));
    }
    let (reason, told) = refused(&mut handshake(TlsOffer::Unavailable), &startup(2 << 16, &[("user", "app")]));
    assert_eq!(reason, "unsupported");
    assert_eq!(told, "E(C0A000,Munsupported frontend protocol 2.0: server supports 3.0 to 3.2)");
}

#[test]
fn only_listed_parameters_are_taken() {
    type Pairs = &'static [(&'static str, &'static str)];
    let taken: &[(Pairs, Pairs)] = &[
        (&[("client_encoding", "'utf-8'"), ("client_encoding", "UNICODE"), ("client_encoding", "UTF8")], &[]),
        (&[("datestyle", "ISO"), ("TIMEZONE", "UTC")], &[("DateStyle", "ISO"), ("TimeZone", "UTC")]),
        (&[("TimeZone", "UTC"), ("timezone", "Asia/Tokyo")], &[("TimeZone", "Asia/Tokyo")]),
        (&[("options", ""), ("replication", "false")], &[]),
        (
            &[("options", "-c statement_timeout=5s --lock-timeout=1s")],
            &[("statement_timeout", "5s"), ("lock_timeout", "1s")],
        ),
        (&[("options", "-cextra_float_digits=2")], &[("extra_float_digits", "2")]),
    ];
    for (given, expected) in taken {
        let mut parameters = vec![("user", "app")];
        parameters.extend(*given);
        let mut handshake = handshake(TlsOffer::Unavailable);
        handshake.handle_client(&startup(V3_0, &parameters), &OneLogin, &NONCE);
        let effect = log_in(&mut handshake, "SCRAM-SHA-256", "n,,", b"", "pencil");
        let Effect::Authenticated(authenticated) = effect else { panic!("{given:?}: {effect:?}") };
        let expected: Vec<_> = expected.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        assert_eq!(authenticated.parameters, expected, "{given:?}");
    }
    for (name, value, reason, sqlstate) in [
        ("search_path", "evil", "parameter", "42704"),
        ("role", "postgres", "parameter", "42704"),
        ("app.tenant", "globex", "parameter", "42704"),
        ("session_replication_role", "replica", "parameter", "42704"),
        ("standard_conforming_strings", "off", "parameter", "42704"),
        ("client_encoding", "SQL_ASCII", "parameter", "22023"),
        ("client_encoding", "LATIN1", "parameter", "22023"),
        ("client_encoding", "", "parameter", "22023"),
        ("TimeZone", "a\u{1}b", "parameter", "22023"),
        ("replication", "database", "unsupported", "0A000"),
        ("replication", "true", "unsupported", "0A000"),
        ("options", "-c search_path=evil", "parameter", "42704"),
        ("options", "-c", "unsupported", "0A000"),
        ("options", "-d 5", "unsupported", "0A000"),
        ("options", "--role=postgres", "parameter", "42704"),
        ("options", "-c TimeZone=a\\ b", "unsupported", "0A000"),
        ("options", "-c TimeZone='x y'", "unsupported", "0A000"),
    ] {
        let start = startup(V3_0, &[("user", "app"), (name, value)]);
        let (seen, told) = refused(&mut handshake(TlsOffer::Unavailable), &start);
        assert_eq!(seen, reason, "{name}={value}: {told}");
        assert!(told.starts_with(&format!("E(C{sqlstate},")), "{name}={value}: {told}");
        assert!(told.contains(",H") || value.contains('\u{1}'), "{told} has no hint");
    }
}

#[test]
fn an_application_name_is_printable_and_short() {
    let mut handshake = handshake(TlsOffer::Unavailable);
    let long = format!("psql\n\u{e4}{}", "x".repeat(200));
    handshake.handle_client(&startup(V3_0, &[("user", "app"), ("application_name", &long)]), &OneLogin, &NONCE);
    let effect = log_in(&mut handshake, "SCRAM-SHA-256", "n,,", b"", "pencil");
    let Effect::Authenticated(authenticated) = effect else { panic!("{effect:?}") };
    assert_eq!(authenticated.application_name, format!("psql???{}", "x".repeat(56)));
    assert_eq!(authenticated.database, None);
}

#[test]
fn channel_binding_is_held_to() {
    let certificate = b"hash of the certificate";
    let with = "p=tls-server-end-point,,";
    let log_in_over = |end_point: Option<&[u8]>, mechanism: &str, header: &str, binding: &[u8]| {
        let mut handshake = handshake(TlsOffer::Required);
        handshake.handle_client(&packet(&SSL_REQUEST.to_be_bytes()), &OneLogin, &NONCE);
        handshake.handle_tls(end_point.map(<[u8]>::to_vec));
        handshake.output().clear();
        handshake.handle_client(&startup(V3_0, &[("user", "app")]), &OneLogin, &NONCE);
        let offered = handshake.output().split();
        let plus = offered.windows(5).any(|window| window == b"-PLUS");
        assert_eq!(plus, end_point.is_some());
        let effect = log_in(&mut handshake, mechanism, header, binding, "pencil");
        match effect {
            Effect::Authenticated(authenticated) => authenticated.method.to_owned(),
            Effect::Close(refusal) => format!("{}: {}", refusal.reason, refusal.message),
            effect => panic!("{effect:?}"),
        }
    };
    let (plain, plus) = ("SCRAM-SHA-256", "SCRAM-SHA-256-PLUS");
    assert_eq!(log_in_over(Some(certificate), plus, with, certificate), "scram-sha-256-plus");
    assert_eq!(log_in_over(Some(certificate), plain, "n,,", b""), "scram-sha-256");
    assert_eq!(log_in_over(None, plain, "y,,", b""), "scram-sha-256");
    for (end_point, mechanism, header, binding, reason) in [
        (Some(&certificate[..]), plus, with, &b"another certificate"[..], "auth_failed: SCRAM channel binding check"),
        (Some(certificate), plus, with, b"", "auth_failed: SCRAM channel binding check"),
        // Somebody has taken PLUS out of the list that the client saw.
        (Some(certificate), plain, "y,,", b"", "auth_failed: SCRAM channel binding negotiation"),
        (Some(certificate), plus, "n,,", b"", "protocol: client selected an invalid"),
        (Some(certificate), plain, with, certificate, "protocol: client selected an invalid"),
        (Some(certificate), plus, "p=tls-unique,,", certificate, "protocol: malformed"),
        (None, plus, with, certificate, "protocol: client selected an invalid"),
        (None, "PLAIN", "n,,", b"", "protocol: client selected an invalid"),
        (None, plain, "n,a=other,", b"", "protocol: malformed"),
        (None, plain, "x,,", b"", "protocol: malformed"),
    ] {
        let seen = log_in_over(end_point, mechanism, header, binding);
        assert!(seen.starts_with(reason), "{mechanism} {header}: {seen}");
    }
}

#[test]
fn every_cut_of_a_login_gives_the_same() {
    let start = startup(V3_0, &[("user", "app")]);
    for at in 0..start.len() {
        let mut handshake = handshake(TlsOffer::Unavailable);
        assert_eq!(handshake.handle_client(&start[..at], &OneLogin, &NONCE), (0, Effect::Continue));
        assert!(handshake.output().is_empty());
        assert_eq!(handshake.handle_client(&start, &OneLogin, &NONCE), (start.len(), Effect::Continue));
    }
    let mut handshake = handshake(TlsOffer::Unavailable);
    handshake.handle_client(&start, &OneLogin, &NONCE);
    let message = frame(b'p', b"SCRAM-SHA-256\0\0\0\0\x10n,,n=,r=nonce1234");
    for at in 0..message.len() {
        assert_eq!(handshake.handle_client(&message[..at], &OneLogin, &NONCE), (0, Effect::Continue));
    }
}

#[test]
fn hostile_packets_are_refused() {
    let with_body = |body: &[u8]| packet(&[&V3_0.to_be_bytes()[..], body].concat());
    for (input, reason) in [
        (b"\0\0\0\0".to_vec(), "too_large"),
        (b"\0\0\0\x07".to_vec(), "too_large"),
        (b"\0\0\x27\x11".to_vec(), "too_large"),
        (b"\xff\xff\xff\xff".to_vec(), "too_large"),
        (b"GET / HTTP/1.1\r\n".to_vec(), "too_large"),
        (with_body(b""), "protocol"),
        (with_body(b"user\0app\0"), "protocol"),
        (with_body(b"user\0app"), "protocol"),
        (with_body(b"user\0app\0\0x"), "protocol"),
        (with_body(b"user\0\0\0"), "protocol"),
        (with_body(b"\0"), "protocol"),
        (with_body(b"user\0\xff\0\0"), "parameter"),
        (packet(&[&SSL_REQUEST.to_be_bytes()[..], b"x"].concat()), "protocol"),
        (packet(&80_877_102u32.to_be_bytes()), "protocol"),
    ] {
        let (seen, told) = refused(&mut handshake(TlsOffer::Available), &input);
        assert_eq!(seen, reason, "{}: {told}", input.escape_ascii());
        assert!(told.starts_with("E(C"), "{told}");
    }
    for (input, message) in [
        (frame(b'Q', b"SELECT 1\0"), "expected SASL response"),
        (b"X\0\0\0\x04".to_vec(), "expected SASL response"),
        (b"p\0\0\0\x03".to_vec(), "invalid message length"),
        (b"p\0\0\x04\x01".to_vec(), "invalid message length"),
        (frame(b'p', b""), "malformed SCRAM"),
        (frame(b'p', b"SCRAM-SHA-256\0\xff\xff\xff\xff"), "malformed SCRAM"),
        (frame(b'p', b"SCRAM-SHA-256\0\0\0\0\x09n,,n=,r=\xff"), "malformed SCRAM"),
        (frame(b'p', b"SCRAM-SHA-256\0\0\0\0\x08n,,n=,r="), "malformed SCRAM"),
        (frame(b'p', b"SCRAM-SHA-256\0\0\0\0\x0bn,,m=,n=,r="), "malformed SCRAM"),
        (frame(b'p', b"SCRAM-SHA-256\0\x7f\xff\xff\xffn,,"), "malformed SCRAM"),
    ] {
        let mut handshake = handshake(TlsOffer::Unavailable);
        handshake.handle_client(&startup(V3_0, &[("user", "app")]), &OneLogin, &NONCE);
        handshake.output().clear();
        let (reason, told) = refused(&mut handshake, &input);
        assert_eq!(reason, "protocol");
        assert!(told.starts_with(&format!("E(C08P01,M{message}")), "{told}");
        // Nothing more is taken.
        assert_eq!(handshake.handle_client(&input, &OneLogin, &NONCE), (0, Effect::Continue));
    }
}

#[test]
fn a_login_that_takes_too_long_is_told_so_once_it_has_a_name() {
    let mut silent = handshake(TlsOffer::Unavailable);
    assert!(matches!(silent.handle_timeout(), Effect::Close(Refusal { reason: "timeout", login: None, .. })));
    assert!(silent.output().is_empty());
    let mut slow = handshake(TlsOffer::Unavailable);
    slow.handle_client(&startup(V3_0, &[("user", "app")]), &OneLogin, &NONCE);
    slow.output().clear();
    let Effect::Close(refusal) = slow.handle_timeout() else { panic!("goes on") };
    assert_eq!(refusal.login.unwrap().as_str(), "app");
    assert_eq!(show(&slow.output().split()), "E(C57014,Mcanceling authentication due to timeout)");
}

#[test]
fn an_upstream_that_cannot_be_had_is_told_of() {
    let mut handshake = handshake(TlsOffer::Unavailable);
    handshake.refuse("08001", "no\0server", Some("a detail"), Some("a hint"));
    assert_eq!(show(&handshake.output().split()), "E(C08001,Mno?server,Da detail,Ha hint)");
}

#[test]
fn a_cancel_request_is_passed_out_even_where_tls_is_required() {
    let request = packet(&[&80_877_102u32.to_be_bytes()[..], &7u32.to_be_bytes(), &[5; 32]].concat());
    let (consumed, effect) = handshake(TlsOffer::Required).handle_client(&request, &OneLogin, &NONCE);
    assert_eq!((consumed, effect), (44, Effect::Cancel { process_id: 7, secret: vec![5; 32] }));
}

/// RFC 7677, section 3, as far as a server that chooses its own nonce can follow it: with its nonce put in.
#[test]
fn the_example_of_rfc_7677_gives_its_signature() {
    use partywall::auth::scram::{Binding, begin};
    let salt = STANDARD.decode("W22ZaJ0SNY7soEsUEjb6gQ==").unwrap();
    let verifier = ScramVerifier::from_password("pencil", &salt, NonZeroU32::new(4096).unwrap());
    // The example's server nonce happens not to be Base64 of 18 bytes, so both signatures are computed from ours.
    let first = b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO";
    let (expect, server_first) = begin(b"SCRAM-SHA-256", first, Binding::Unavailable, verifier, &NONCE).unwrap();
    let nonce = format!("rOprNGfwEbeRWgbNEkqO{}", STANDARD.encode(NONCE));
    assert_eq!(server_first, format!("r={nonce},s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"));
    let mut salted = [0; 32];
    let rounds = NonZeroU32::new(4096).unwrap();
    pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, rounds, &salt, b"pencil", &mut salted);
    let keys = |without_proof: &str, nonce_and_salt: &str| {
        let message = format!("n=user,r=rOprNGfwEbeRWgbNEkqO,{nonce_and_salt},{without_proof}");
        let client_key = hmac(&salted, b"Client Key");
        let signature = hmac(digest::digest(&digest::SHA256, &client_key).as_ref(), message.as_bytes());
        let proof: Vec<u8> = client_key.iter().zip(signature).map(|(key, mask)| key ^ mask).collect();
        let server = hmac(&hmac(&salted, b"Server Key"), message.as_bytes());
        (STANDARD.encode(proof), STANDARD.encode(server))
    };
    // The arithmetic of this test gives the example's proof and signature for the example's nonce …
    let example = "rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
    let (proof, server) =
        keys(&format!("c=biws,r={example}"), &format!("r={example},s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"));
    assert_eq!(proof, "dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=");
    assert_eq!(server, "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
    // … and the code under test agrees with it for its own.
    let (proof, server) = keys(&format!("c=biws,r={nonce}"), &server_first);
    let proved = expect.finish(format!("c=biws,r={nonce},p={proof}").as_bytes()).unwrap();
    assert_eq!(proved.server_final, format!("v={server}"));
}
