//! COPY in both directions, and the tenant's column at the end of every row.

use partywall::guard::{CopyIn, StatementClass};
use partywall::session::effect::Outcome;

use partywall::tenant::Timestamp;

use crate::frames::*;
use crate::session::{Pair, Script};

const ASKS: &[u8] = b"\0\0\x02\0\0\0\0";

fn script(copy_in: CopyIn) -> Script {
    Script { copy_in, classes: vec![("SELECT 11".to_owned(), vec![StatementClass::CopyIn])], ..Script::default() }
}

fn appending() -> Script {
    script(CopyIn::AppendColumn { delimiter: b'\t', value: b"acme".to_vec() })
}

/// A session in which the server has asked for data.
fn asked(script: Script) -> Pair {
    let mut pair = Pair::new(script);
    pair.client(&query("SELECT 11"));
    pair.upstream(&frame(b'G', ASKS));
    pair.sent();
    pair.to_client.clear();
    pair
}

/// The data in CopyData messages, and the types of the others.
fn data(bytes: &[u8]) -> (String, String) {
    let (mut data, mut others) = (Vec::new(), String::new());
    for (kind, body) in cut(bytes) {
        match kind {
            b'd' => data.extend(body),
            _ => others.push(char::from(kind)),
        }
    }
    (String::from_utf8(data).unwrap(), others)
}

/// What becomes of rows, however they are cut: the data that goes up, and what ends it.
fn copied(rows: &str) -> (String, String) {
    let message = [frame(b'd', rows.as_bytes()), frame(b'c', b"")].concat();
    let mut whole = asked(appending());
    whole.client(&message);
    let expected = data(&whole.sent());
    // Every pair of message borders, and every cut of the stream.
    for first in 0..=rows.len() {
        for second in [first, rows.len().min(first + 1), rows.len()] {
            let bytes = rows.as_bytes();
            let parts = [&bytes[..first], &bytes[first..second], &bytes[second..]];
            let mut pair = asked(appending());
            parts.iter().for_each(|part| pair.client(&frame(b'd', part)));
            pair.client(&frame(b'c', b""));
            let (text, end) = data(&pair.sent());
            assert_eq!(end, expected.1, "{rows:?} {first} {second}");
            // What precedes a fault may have gone up in part: the server forgets it.
            if end == "c" {
                assert_eq!(text, expected.0, "{rows:?} {first} {second}");
            }
        }
    }
    for at in 0..message.len() {
        let mut pair = asked(appending());
        pair.client(&message[..at]);
        pair.client(&message[at..]);
        let (text, end) = data(&pair.sent());
        assert_eq!((&text, &end), (&expected.0, &expected.1), "{rows:?} cut at {at}");
    }
    expected
}

fn check(rows: &str, expected: &str) {
    assert_eq!(copied(rows), (expected.to_owned(), "c".to_owned()), "{rows:?}");
}

#[test]
fn every_row_gets_the_tenants_column() {
    check("", "");
    check("1\ta\n", "1\ta\tacme\n");
    check("1\ta\n2\tb\n", "1\ta\tacme\n2\tb\tacme\n");
    check("1\ta\n2\tb", "1\ta\tacme\n2\tb\tacme");
    check("\n\n", "\tacme\n\tacme\n");
    check("1\r\n2\r\n", "1\tacme\r\n2\tacme\r\n");
    check("\\N\n", "\\N\tacme\n");
}

#[test]
fn an_escaped_newline_ends_no_row() {
    check("a\\\nb\n", "a\\\nb\tacme\n");
    check("\\\n\n", "\\\n\tacme\n");
    check("a\\\\\nb\n", "a\\\\\tacme\nb\tacme\n");
    // The backslash takes the carriage return with it; the newline ends the row, as in PostgreSQL.
    check("a\\\r\nb\n", "a\\\r\tacme\nb\tacme\n");
    check("a\\\\.\n", "a\\\\.\tacme\n");
}

#[test]
fn the_end_mark_ends_the_data() {
    check("1\n\\.\n", "1\tacme\n");
    check("1\n\\.\r\nglobex\n", "1\tacme\n");
    check("\\.\n\\\r", "");
}

/// Each of these is a row that PostgreSQL 15 takes as it stands, without our column or with the client's.
#[test]
fn bytes_that_could_carry_a_row_past_us_fail_the_copy() {
    for rows in
        ["1\tglobex\\.\n", "1\tglobex\r2\tglobex\r", "1\tglobex\\", "1\r", "\r1\n", "\\.x\n", "\\.", "\\.\r", "\\"]
    {
        assert_eq!(copied(rows).1, "f", "{rows:?}");
    }
}

#[test]
fn a_copy_that_we_fail_ends_as_the_server_says() {
    let mut pair = asked(appending());
    pair.client(&frame(b'd', b"1\r2\n"));
    let sent = pair.sent();
    assert_eq!(data(&sent), (String::from("1"), "f".to_owned()));
    // The client has not noticed yet.
    pair.client(&[frame(b'd', b"3\n"), frame(b'c', b"")].concat());
    pair.upstream(&[error("57014", "COPY from stdin failed: rows that end"), ready(b'I')].concat());
    assert_eq!(pair.got(), "E(C57014,MCOPY from stdin failed: rows that end) Z(I)");
    assert_eq!(pair.sent(), b"");
    assert_eq!(pair.events()[0].outcome, Outcome::Error);
    pair.client(&query("SELECT 1"));
    assert_eq!(pair.sent(), query("SELECT 1"));
}

#[test]
fn the_client_is_told_of_its_own_columns_only() {
    let mut pair = Pair::new(appending());
    pair.client(&query("SELECT 11"));
    pair.upstream(&frame(b'G', ASKS));
    assert_eq!(pair.to_client, frame(b'G', b"\0\0\x01\0\0"));
    let mut unchanged = Pair::new(script(CopyIn::Unchanged));
    unchanged.client(&query("SELECT 11"));
    unchanged.upstream(&frame(b'G', ASKS));
    assert_eq!(unchanged.to_client, frame(b'G', ASKS));
}

#[test]
fn data_passes_unchanged_where_no_column_is_missing() {
    let mut pair = asked(script(CopyIn::Unchanged));
    let rows = [frame(b'd', b"1\r2\\.\n"), frame(b'd', b""), frame(b'c', b"")].concat();
    pair.client(&rows);
    assert_eq!(pair.sent(), rows);
    pair.upstream(&[complete("COPY 1"), ready(b'I')].concat());
    let events = pair.events();
    assert_eq!((events[0].rows_affected, events[0].rows), (Some(1), 0));
}

#[test]
fn nothing_overtakes_a_copy() {
    let mut pair = Pair::new(appending());
    let group = [parse("", "SELECT 11", &[]), bind("", "", &[], &[]), execute("")].concat();
    pair.client(&[group.clone(), sync(), sync(), query("SELECT 1")].concat());
    // A Flush makes the server speak; what follows waits.
    assert_eq!(pair.sent(), [group, flush()].concat());
    assert!(pair.session.holds_client());
    pair.upstream(&[frame(b'1', b""), frame(b'2', b""), error("42501", "permission denied")].concat());
    // It has refused: the Syncs count.
    assert_eq!(pair.sent(), [sync(), sync(), query("SELECT 1")].concat());
    assert!(!pair.session.holds_client());
}

#[test]
fn a_sync_behind_a_copys_execute_is_swallowed_as_by_the_server() {
    let mut pair = Pair::new(script(CopyIn::Unchanged));
    pair.client(&[parse("", "SELECT 11", &[]), bind("", "", &[], &[]), execute(""), sync()].concat());
    pair.sent();
    pair.upstream(&[frame(b'1', b""), frame(b'2', b""), frame(b'G', ASKS)].concat());
    assert_eq!(pair.sent(), b"");
    pair.client(&[frame(b'd', b"1\n"), frame(b'c', b""), sync()].concat());
    assert_eq!(pair.sent(), [frame(b'd', b"1\n"), frame(b'c', b""), sync()].concat());
    pair.upstream(&[complete("COPY 1"), ready(b'I')].concat());
    assert_eq!(pair.got(), "1 2 G C(COPY 1) Z(I)");
}

#[test]
fn a_statement_inside_copy_data_ends_the_session() {
    let mut pair = asked(appending());
    pair.client(&query("SELECT 1"));
    assert!(pair.ended.is_some());
    assert!(pair.got().starts_with("E(C08P01,Munexpected message type during COPY from stdin"));
    assert_eq!(pair.sent(), b"");
}

#[test]
fn a_server_that_asks_for_data_unasked_is_not_believed() {
    let mut pair = Pair::new(Script::default());
    pair.client(&query("SELECT 1"));
    pair.upstream(&frame(b'G', ASKS));
    assert!(matches!(pair.ended, Some(partywall::session::SessionError::Disagreement(_))));
}

#[test]
fn rows_copied_out_are_counted() {
    let mut pair = Pair::new(Script::default());
    pair.client(&query("SELECT 12"));
    let answer = [
        frame(b'H', b"\0\0\x01\0\0"),
        frame(b'd', b"one\n"),
        frame(b'd', b"two\n"),
        frame(b'c', b""),
        complete("COPY 2"),
        ready(b'I'),
    ]
    .concat();
    pair.upstream(&answer);
    assert_eq!(pair.to_client, answer);
    let events = pair.events();
    assert_eq!((events[0].rows, events[0].bytes, events[0].rows_affected), (2, 8, None));
}

#[test]
fn a_flood_of_rows_is_written_in_bounded_pieces() {
    let mut pair = asked(appending());
    let rows = "\n".repeat(400_000);
    let mut longest = 0;
    let message = [frame(b'd', rows.as_bytes()), frame(b'c', b"")].concat();
    let mut rest = &message[..];
    let mut total = 0;
    while !rest.is_empty() {
        let progress = pair.session.handle_client(rest, &mut pair.script, Timestamp(0)).unwrap();
        assert!(progress.consumed > 0);
        rest = &rest[progress.consumed..];
        let sent = pair.session.upstream_output().split();
        longest = longest.max(sent.len());
        total += sent.len();
    }
    assert!(total > 400_000 * 6 && longest < 300_000, "{longest} of {total}");
}
