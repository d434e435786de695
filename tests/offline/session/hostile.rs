//! Bytes that no client and no server should send: an error and an end, never a panic, and nothing unguarded upstream.

use partywall::session::SessionError;

use crate::frames::*;
use crate::session::random::Random;
use crate::session::{Pair, Script};

const CLIENT_TYPES: &[u8] = b"QPBDCESHFdcfX";
const SERVER_TYPES: &[u8] = b"DdCZT123tnsIENSAGHWcRKvV";

/// Whatever SQL has gone up is what the guard lets pass, or a mark.
fn assert_guarded(upstream: &[u8], what: &dyn std::fmt::Debug) {
    for (kind, body) in cut(upstream) {
        let text = match kind {
            b'Q' => &body[..],
            b'P' => body.split(|byte| *byte == 0).nth(1).unwrap(),
            b'F' => panic!("a function call went upstream: {what:?}"),
            _ => continue,
        };
        let text = String::from_utf8(text.to_vec()).unwrap();
        let digits = text.trim_end_matches('\0').strip_prefix("SELECT ");
        let passes = digits.is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()));
        assert!(passes || text.starts_with("PARTYWALL_REFUSED_"), "{text:?} went upstream: {what:?}");
    }
}

#[test]
fn every_type_with_a_length_that_lies_is_survived() {
    for kind in 0..=255u8 {
        for length in [0u32, 1, 2, 3, 4, 5, 6, 8, 9, 12, 100, 10_001, 0x3fff_ffff, 0x7fff_ffff, 0xffff_ffff] {
            for fill in [0u8, b'a', 0xff] {
                let mut input = vec![kind];
                input.extend(length.to_be_bytes());
                input.extend([fill; 40]);
                let mut pair = Pair::new(Script::default());
                pair.client(&input);
                if !CLIENT_TYPES.contains(&kind) || length < 4 {
                    let text = pair.got();
                    assert!(matches!(pair.ended, Some(SessionError::Client(_))), "{kind} {length}");
                    assert!(text.starts_with("E(C08P01,Minvalid "), "{text}");
                }
                let mut server = Pair::new(Script::default());
                server.client(&query("SELECT 1"));
                server.upstream(&input);
                if !SERVER_TYPES.contains(&kind) || length < 4 {
                    assert!(matches!(server.ended, Some(SessionError::Upstream(_))), "{kind} {length}");
                }
            }
        }
    }
}

#[test]
fn an_unknown_type_is_refused_before_its_length() {
    for input in [&b"\0"[..], b"p", b"z", b"\x16\x03\x01", b"GET / HTTP/1.1"] {
        let mut pair = Pair::new(Script::default());
        pair.client(input);
        assert_eq!(pair.ended, Some(SessionError::Client("invalid frontend message type")), "{input:?}");
    }
}

/// Every message, cut short at every byte with its length set to fit, and with every byte changed.
#[test]
fn every_truncation_and_every_changed_byte_is_survived() {
    let messages = [
        query("SELECT 1"),
        parse("a", "SELECT 1", &[23, 25]),
        bind("p", "a", &[0, 1], &[Some(b"acme"), None]),
        describe(b'S', "a"),
        close(b'P', "p"),
        execute("p"),
        sync(),
        flush(),
        frame(b'F', b"\0\0\0\x01\0\0\0\0\0\0"),
        frame(b'd', b"1\n"),
        frame(b'c', b""),
        frame(b'f', b"no\0"),
    ];
    let before = [parse("a", "SELECT 1", &[]), bind("p", "a", &[], &[])].concat();
    for message in &messages {
        let mut variants = Vec::new();
        for length in 0..message.len() - 5 {
            variants.push(frame(message[0], &message[5..5 + length]));
        }
        variants.push(frame(message[0], &[&message[5..], b"\0"].concat()));
        for at in 0..message.len() {
            for byte in [0, 1, 0x7f, 0xff, b'Q'] {
                let mut changed = message.clone();
                changed[at] = byte;
                variants.push(changed);
            }
        }
        for variant in variants {
            let mut pair = Pair::new(Script::default());
            pair.client(&[&before[..], &variant, &query("SELECT secret"), &sync()].concat());
            let sent = pair.sent();
            // A message whose length is too long swallows what follows; nothing of that may be half sent.
            assert_guarded(&sent, &variant);
        }
    }
}

#[test]
fn random_bytes_are_survived_in_both_directions() {
    let mut random = Random(1);
    for round in 0..30_000 {
        let length = 1 + random.below(60);
        let types = if round % 2 == 0 { CLIENT_TYPES } else { SERVER_TYPES };
        let mut bytes = Vec::new();
        while bytes.len() < length {
            let kind = types[random.below(types.len())];
            let body: Vec<u8> = (0..random.below(12)).map(|_| [0, 1, b'I', b'S', 0xff][random.below(5)]).collect();
            bytes.extend(frame(kind, &body));
        }
        if random.below(3) == 0 {
            let at = random.below(bytes.len());
            bytes[at] = u8::try_from(random.below(256)).unwrap();
        }
        let mut pair = Pair::new(Script::default());
        if round % 2 == 0 {
            pair.client(&bytes);
            let sent = pair.sent();
            if pair.ended.is_none() {
                let whole = whole_frames(&sent);
                assert_guarded(whole, &bytes);
            }
        } else {
            pair.client(
                &[parse("", "SELECT 1", &[]), bind("", "", &[], &[]), query("SELECT 2"), execute(""), sync()].concat(),
            );
            pair.upstream(&bytes);
        }
        // Whatever has happened, the last words can be said.
        pair.session.handle_upstream_closed(partywall::tenant::Timestamp(0));
    }
}

/// COPY data that is still coming in has gone up without its end.
fn whole_frames(bytes: &[u8]) -> &[u8] {
    let mut at = 0;
    while let Some(length) = bytes.get(at + 1..at + 5) {
        let next = at + 1 + u32::from_be_bytes(length.try_into().unwrap()) as usize;
        if next > bytes.len() {
            break;
        }
        at = next;
    }
    &bytes[..at]
}

#[test]
fn text_that_is_not_utf_8_is_refused_as_postgresql_does() {
    let mut pair = Pair::new(Script::default());
    pair.client(&frame(b'Q', b"SELECT '\xe4'\0"));
    assert!(pair.got().starts_with("E(C22021,Minvalid byte sequence for encoding \"UTF8\": 0xe4"));
    pair.client(&frame(b'P', b"\0SELECT '\xc3\x28'\0\0\0"));
    assert!(pair.got().starts_with("E(C22021,Minvalid byte sequence"));
    pair.client(&sync());
    assert_eq!(pair.got(), "Z(I)");
    assert_eq!(pair.script.asked, 0);
    assert_eq!(pair.sent(), b"");
    pair.client(&frame(b'Q', b"SELECT 1\0; DROP TABLE t\0"));
    assert_eq!(pair.ended, Some(SessionError::Client("invalid message format")));
}

#[test]
fn a_function_call_is_refused_like_a_failing_one() {
    let mut pair = Pair::new(Script::default());
    let call = frame(b'F', &[0; 3_000]);
    pair.client(&call);
    let got = pair.got();
    assert!(got.starts_with("E(C0A000,Mfunction calls over the protocol") && got.ends_with("Z(I)"), "{got}");
    pair.client(&[query("SELECT 1"), call].concat());
    assert_guarded(&pair.sent(), &"call");
}

#[test]
fn a_server_that_does_not_fail_where_it_must_is_not_believed() {
    for answer in [complete("SELECT 1"), ready(b'I'), row("x"), frame(b'1', b""), frame(b'I', b"")] {
        let mut pair = Pair::new(Script::default());
        pair.client(&[query("SELECT 1"), query("SELECT secret")].concat());
        pair.upstream(&[complete("SELECT 0"), ready(b'I')].concat());
        pair.to_client.clear();
        pair.upstream(&answer);
        assert!(matches!(pair.ended, Some(SessionError::Disagreement(_))), "{answer:?}");
        assert!(pair.got().starts_with("E(CXX000,"));
    }
}

#[test]
fn settings_that_change_how_text_is_read_end_the_session() {
    for (setting, ends) in [
        ("standard_conforming_strings\0off\0", true),
        ("client_encoding\0LATIN1\0", true),
        ("client_encoding\0UTF8\0", false),
        ("standard_conforming_strings\0on\0", false),
        ("TimeZone\0UTC\0", false),
    ] {
        let mut pair = Pair::new(Script::default());
        pair.upstream(&frame(b'S', setting.as_bytes()));
        assert_eq!(pair.ended.is_some(), ends, "{setting}");
    }
}
