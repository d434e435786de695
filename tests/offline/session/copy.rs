//! COPY in both directions, and the tenant's column at the end of every row.

use partywall::guard::{CopyForm, CopyIn, CopyTenant, EndMark, Header, StatementClass, TenantSource, TenantValue};
use partywall::session::effect::Outcome;
use partywall::tenant::Timestamp;

use crate::frames::*;
use crate::session::{Pair, Script};

const ASKS: &[u8] = b"\0\0\x02\0\0\0\0";

fn script(copy_in: CopyIn) -> Script {
    Script { copy_in, classes: vec![("SELECT 11".to_owned(), vec![StatementClass::CopyIn])], ..Script::default() }
}

/// One column of the client's, and the tenant's behind it.
pub(super) fn tenant(form: CopyForm, field: &[u8]) -> CopyTenant {
    CopyTenant {
        source: TenantSource::Added,
        form,
        columns: 2,
        place: 1,
        field: field.to_vec(),
        value: TenantValue::Text("acme".to_owned()),
        column: "tenant_id".to_owned(),
    }
}

pub(super) fn text() -> CopyTenant {
    tenant(CopyForm::Text { delimiter: b'\t', null: b"\\N".to_vec(), header: Header::Absent }, b"acme")
}

pub(super) fn csv() -> CopyTenant {
    let form = CopyForm::Csv {
        delimiter: b',',
        quote: b'"',
        escape: b'"',
        null: Vec::new(),
        header: Header::Absent,
        end_mark: EndMark::EndsData,
    };
    tenant(form, b"\"acme\"")
}

pub(super) fn binary() -> CopyTenant {
    tenant(CopyForm::Binary, b"acme")
}

pub(super) fn supplied(tenant: CopyTenant, place: u16) -> CopyTenant {
    CopyTenant { source: TenantSource::Supplied, place, ..tenant }
}

fn header(name: &str) -> Header {
    Header::Present(name.as_bytes().to_vec())
}

fn appending() -> Script {
    script(CopyIn::Tenant(Box::new(text())))
}

fn asked_for(tenant: &CopyTenant) -> Pair {
    let script = script(CopyIn::Tenant(Box::new(tenant.clone())));
    if tenant.form == CopyForm::Binary { asked_as(script, b"\x01\0\x02\0\x01\0\x01") } else { asked(script) }
}

/// A session in which the server has asked for data.
fn asked(script: Script) -> Pair {
    asked_as(script, ASKS)
}

fn asked_as(script: Script, asks: &[u8]) -> Pair {
    let mut pair = Pair::new(script);
    pair.client(&query("SELECT 11"));
    pair.upstream(&frame(b'G', asks));
    pair.sent();
    pair.to_client.clear();
    pair
}

/// The data in CopyData messages, and the types of the others.
pub(super) fn data(bytes: &[u8]) -> (Vec<u8>, String) {
    let (mut data, mut others) = (Vec::new(), String::new());
    for (kind, body) in cut(bytes) {
        match kind {
            b'd' => data.extend(body),
            _ => others.push(char::from(kind)),
        }
    }
    (data, others)
}

/// What becomes of data, however it is cut: what goes up, and what ends it.
pub(super) fn copied(tenant: &CopyTenant, rows: &[u8]) -> (Vec<u8>, String) {
    let begin = || asked_for(tenant);
    let message = [frame(b'd', rows), frame(b'c', b"")].concat();
    let mut whole = begin();
    whole.client(&message);
    let expected = data(&whole.sent());
    // Every pair of message borders, and every cut of the stream.
    for first in 0..=rows.len() {
        for second in [first, rows.len().min(first + 1)] {
            let parts = [&rows[..first], &rows[first..second], &rows[second..]];
            let mut pair = begin();
            parts.iter().for_each(|part| pair.client(&frame(b'd', part)));
            pair.client(&frame(b'c', b""));
            let (text, end) = data(&pair.sent());
            assert_eq!(end, expected.1, "{} {first} {second}", rows.escape_ascii());
            // What precedes a fault may have gone up in part: the server forgets it.
            if end == "c" {
                assert_eq!(text, expected.0, "{} {first} {second}", rows.escape_ascii());
            }
        }
    }
    for at in 0..message.len() {
        let mut pair = begin();
        pair.client(&message[..at]);
        pair.client(&message[at..]);
        let (text, end) = data(&pair.sent());
        assert_eq!((&text, &end), (&expected.0, &expected.1), "{} cut at {at}", rows.escape_ascii());
    }
    expected
}

fn check(tenant: &CopyTenant, rows: &str, expected: &str) {
    let (text, end) = copied(tenant, rows.as_bytes());
    assert_eq!((String::from_utf8(text).unwrap(), end.as_str()), (expected.to_owned(), "c"), "{rows:?}");
}

fn fails(tenant: &CopyTenant, rows: &[u8]) {
    for at in 0..=rows.len() {
        let mut pair = asked_for(tenant);
        pair.client(&frame(b'd', &rows[..at]));
        pair.client(&frame(b'd', &rows[at..]));
        pair.client(&frame(b'c', b""));
        assert_eq!(data(&pair.sent()).1, "f", "{} cut at {at}", rows.escape_ascii());
    }
}

// Text.

#[test]
fn every_row_gets_the_tenants_column() {
    let check = |rows, expected| check(&text(), rows, expected);
    check("", "");
    check("1\ta\n", "1\ta\tacme\n");
    check("1\ta\n2\tb\n", "1\ta\tacme\n2\tb\tacme\n");
    check("1\ta\n2\tb", "1\ta\tacme\n2\tb\tacme");
    check("\n\n", "\tacme\n\tacme\n");
    check("\\N\n", "\\N\tacme\n");
}

#[test]
fn lines_end_as_the_first_one_does() {
    check(&text(), "1\r\n2\r\n", "1\tacme\r\n2\tacme\r\n");
    check(&text(), "1\r2\r", "1\tacme\r2\tacme\r");
    check(&text(), "\r1\r", "\tacme\r1\tacme\r");
    check(&text(), "1\r", "1\tacme\r");
    check(&csv(), "1\r\n2", "1,\"acme\"\r\n2,\"acme\"");
    check(&csv(), "1\r\r", "1,\"acme\"\r,\"acme\"\r");
    // In quotes it ends nothing, and says nothing of the lines' ends.
    check(&csv(), "\"1\r\"\n2\n", "\"1\r\",\"acme\"\n2,\"acme\"\n");
    for rows in ["1\n2\r3\n", "1\r2\n", "1\r\n2\n", "1\r\n2\r3", "1\n2\r", "1\r\n2\r"] {
        fails(&text(), rows.as_bytes());
        fails(&csv(), rows.as_bytes());
    }
}

#[test]
fn an_escaped_newline_ends_no_row() {
    let check = |rows, expected| check(&text(), rows, expected);
    check("a\\\nb\n", "a\\\nb\tacme\n");
    check("\\\n\n", "\\\n\tacme\n");
    check("a\\\\\nb\n", "a\\\\\tacme\nb\tacme\n");
    // The backslash takes the carriage return with it; the newline ends the row, as in PostgreSQL.
    check("a\\\r\nb\n", "a\\\r\tacme\nb\tacme\n");
    check("a\\\\.\n", "a\\\\.\tacme\n");
}

#[test]
fn the_end_mark_ends_the_data() {
    check(&text(), "1\n\\.\n", "1\tacme\n");
    check(&text(), "1\r\n\\.\r\nglobex\r\n", "1\tacme\r\n");
    check(&text(), "\\.\n\\\r", "");
    check(&csv(), "1\n\\.\n\"", "1,\"acme\"\n");
    check(&csv(), "1\r\n\\.\r\n2", "1,\"acme\"\r\n");
    check(&csv(), "\\.\r2", "");
    // With more behind it, or without a line's end, it is data in CSV.
    check(&csv(), "\\.x\n\\", "\\.x,\"acme\"\n\\,\"acme\"");
    check(&csv(), "\\.", "\\.,\"acme\"");
    check(&csv(), "\\\n", "\\,\"acme\"\n");
    check(&csv(), "\"\n\\.\n\"\n", "\"\n\\.\n\",\"acme\"\n");
    // From version 18 on it is data in any case.
    let mut newer = csv();
    if let CopyForm::Csv { end_mark, .. } = &mut newer.form {
        *end_mark = EndMark::IsData;
    }
    check(&newer, "\\.\n", "\\.,\"acme\"\n");
    for rows in ["1\n\\.\r\n", "1\r\n\\.\n", "1\r\\.\n", "1\r\n\\.\rx", "1\r\n\\.\r"] {
        fails(&text(), rows.as_bytes());
        fails(&csv(), rows.as_bytes());
    }
}

/// Each of these is a row that PostgreSQL 15 takes as it stands, without our column or with the client's.
#[test]
fn bytes_that_could_carry_a_row_past_us_fail_the_copy() {
    for rows in ["1\tglobex\\.\n", "1\tglobex\\", "\\.x\n", "\\.", "\\"] {
        fails(&text(), rows.as_bytes());
    }
    fails(&csv(), b"1,\"globex\n");
    fails(&csv(), b"\"\"\"\n");
}

#[test]
fn a_header_gets_the_columns_name() {
    let mut with_header = text();
    with_header.form = CopyForm::Text { delimiter: b'\t', null: b"\\N".to_vec(), header: header("tenant_id") };
    check(&with_header, "a\n1\n", "a\ttenant_id\n1\tacme\n");
    check(&with_header, "a", "a\ttenant_id");
    let mut with_header = csv();
    if let CopyForm::Csv { header: own, .. } = &mut with_header.form {
        *own = header("\"Tenant\"");
    }
    check(&with_header, "\"a\nb\"\n1\n", "\"a\nb\",\"Tenant\"\n1,\"acme\"\n");
    with_header.source = TenantSource::Supplied;
    with_header.place = 0;
    check(&with_header, "tenant_id,a\nacme,1\n", "tenant_id,a\n\"acme\",1\n");
}

// CSV.

#[test]
fn quotes_keep_rows_and_fields_together() {
    let check = |rows, expected| check(&csv(), rows, expected);
    check("1,a\n", "1,a,\"acme\"\n");
    check("\"1\n2\"\n", "\"1\n2\",\"acme\"\n");
    check("\"a\"\"\n\"\n", "\"a\"\"\n\",\"acme\"\n");
    check("a\"\n\"b\n", "a\"\n\"b,\"acme\"\n");
    check("\n", ",\"acme\"\n");
}

#[test]
fn an_escape_of_its_own_holds_only_in_quotes() {
    let mut own = csv();
    if let CopyForm::Csv { escape, .. } = &mut own.form {
        *escape = b'\\';
    }
    check(&own, "\"a\\\"\n\"\n", "\"a\\\"\n\",\"acme\"\n");
    check(&own, "\"a\\\\\"\n", "\"a\\\\\",\"acme\"\n");
    check(&own, "\"a\\b\"\n", "\"a\\b\",\"acme\"\n");
    check(&own, "a\\\"\n\"\n", "a\\\"\n\",\"acme\"\n");
    fails(&own, b"\"a\\\"\n");
}

// A tenant that the client supplies.

#[test]
fn a_supplied_tenant_passes_in_any_spelling_and_goes_up_in_ours() {
    let mut tenant = supplied(text(), 1);
    check(&tenant, "1\tacme\tx\n2\tacme\ty", "1\tacme\tx\n2\tacme\ty");
    check(&tenant, "1\t\\x61\\143\\me\tx\n", "1\tacme\tx\n");
    check(&tenant, "\\\t\tacme\n", "\\\t\tacme\n");
    tenant.place = 0;
    check(&tenant, "acme\tx\n", "acme\tx\n");
    let mut tenant = supplied(csv(), 1);
    check(&tenant, "1,acme,x\n\"1,\",\"acme\",\n", "1,\"acme\",x\n\"1,\",\"acme\",\n");
    check(&tenant, "1,a\"cm\"e\n", "1,\"acme\"\n");
    tenant.place = 0;
    check(&tenant, "acme\nacme", "\"acme\"\n\"acme\"");
}

#[test]
fn another_tenant_or_none_fails_the_copy() {
    let rows =
        ["1\tglobex\n", "1\t\\N\n", "1\t\n", "1\tacme \n", "1\tAcme\n", "1\n", "1\tacme\tx\n2\tacm\n", "1\tacme\\\t\n"];
    for rows in rows {
        fails(&supplied(text(), 1), rows.as_bytes());
    }
    for rows in ["1,globex\n", "1,\n", "1,\"\"\n", "1, acme\n", "1,\"acme,\"\n", "1\n", "\\.,x\n", "1,ac\"\"\"me\"\n"] {
        fails(&supplied(csv(), 1), rows.as_bytes());
    }
    let mut endless = asked_for(&supplied(text(), 1));
    endless.client(&frame(b'd', ["1\t", &"\\141".repeat(2_000), "\n"].concat().as_bytes()));
    assert_eq!(data(&endless.sent()).1, "f");
    // What stands for NULL is no tenant, whatever its letters are.
    let mut named_n = supplied(text(), 1);
    (named_n.field, named_n.value) = (b"N".to_vec(), TenantValue::Text("N".to_owned()));
    check(&named_n, "1\tN\n", "1\tN\n");
    fails(&named_n, b"1\t\\N\n");
}

// Binary.

fn signed(tuples: &[u8]) -> Vec<u8> {
    [&b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\x02ab"[..], tuples].concat()
}

fn tuple(fields: &[Option<&[u8]>]) -> Vec<u8> {
    let mut bytes = i16::try_from(fields.len()).unwrap().to_be_bytes().to_vec();
    for field in fields {
        let length = field.map_or(-1, |field| i32::try_from(field.len()).unwrap());
        bytes.extend(length.to_be_bytes());
        bytes.extend(field.unwrap_or_default());
    }
    bytes
}

#[test]
fn every_tuple_gets_the_tenants_field() {
    let check = |rows: &[u8], expected: &[u8]| assert_eq!(copied(&binary(), rows), (expected.to_vec(), "c".to_owned()));
    let row = [Some(&b"1"[..])];
    let sent = [Some(&b"1"[..]), Some(b"acme")];
    check(&signed(b""), &signed(b""));
    check(&signed(&tuple(&row)), &signed(&tuple(&sent)));
    check(
        &signed(&[tuple(&row), b"\xff\xff".to_vec()].concat()),
        &signed(&[tuple(&sent), b"\xff\xff".to_vec()].concat()),
    );
    check(&signed(&tuple(&[None])), &signed(&tuple(&[None, Some(b"acme")])));
    check(&signed(&tuple(&[Some(b"")])), &signed(&tuple(&[Some(b""), Some(b"acme")])));
    // Half a count is no tuple.
    check(&signed(&[tuple(&row), b"\0".to_vec()].concat()), &signed(&tuple(&sent)));
}

#[test]
fn binary_data_that_does_not_fit_fails_the_copy() {
    let too_many = signed(&tuple(&[Some(b"1"), Some(b"globex")]));
    let behind_the_end = signed(&[b"\xff\xff".to_vec(), tuple(&[Some(b"1")])].concat());
    let unfinished = signed(&tuple(&[Some(b"1")])[..6]);
    let negative = signed(b"\0\x01\xff\xff\xff\xfe");
    let mut oids = signed(&tuple(&[Some(b"1")]));
    oids[12] = 1;
    let mut unknown = signed(&tuple(&[Some(b"1")]));
    unknown[11] = 1;
    let mut long = signed(b"");
    long[15] = 0x80;
    for rows in [too_many, behind_the_end, unfinished, negative, oids, unknown, long, b"PGCOPX".to_vec(), b"".to_vec()]
    {
        fails(&binary(), &rows);
    }
    for rows in [tuple(&[Some(b"globe"), Some(b"1")]), tuple(&[Some(b"glob"), Some(b"1")]), tuple(&[None, Some(b"1")])]
    {
        fails(&supplied(binary(), 0), &signed(&rows));
    }
    let own = signed(&tuple(&[Some(b"acme"), Some(b"1")]));
    assert_eq!(copied(&supplied(binary(), 0), &own), (own, "c".to_owned()));
}

// The conversation.

#[test]
fn a_row_of_another_tenant_is_refused_in_the_words_of_an_insert() {
    let mut pair = asked_for(&supplied(text(), 1));
    pair.client(&frame(b'd', b"1\tacme\n2\tglobex\n"));
    let (_, mark) = cut(&pair.sent()).pop().unwrap();
    // The client goes on, which the server does not hear of.
    pair.client(&[frame(b'd', b"3\tacme\n"), frame(b'c', b"")].concat());
    assert_eq!(pair.sent(), b"");
    let mark = String::from_utf8(mark).unwrap();
    pair.upstream(&[error("57014", &format!("COPY from stdin failed: {mark}")), ready(b'I')].concat());
    let got = pair.got();
    assert!(got.starts_with("E(C42501,Mcolumn \"tenant_id\" must be the session's tenant,DRow 2 of the data"), "{got}");
    assert_eq!(pair.events()[0].outcome, Outcome::Deny);
}

#[test]
fn a_server_that_copies_what_was_refused_is_not_believed() {
    let mut pair = asked_for(&supplied(text(), 1));
    pair.client(&frame(b'd', b"2\tglobex\n"));
    pair.upstream(&complete("COPY 1"));
    assert!(matches!(pair.ended, Some(partywall::session::SessionError::Disagreement(_))));
}

#[test]
fn an_error_of_the_servers_own_comes_before_ours() {
    let mut pair = asked_for(&supplied(text(), 1));
    pair.client(&frame(b'd', b"x\tacme\n2\tglobex\n"));
    pair.upstream(&[error("22P02", "invalid input syntax for type integer"), ready(b'I')].concat());
    assert_eq!(pair.got(), "E(C22P02,Minvalid input syntax for type integer) Z(I)");
    // The client has not noticed yet, and the refusal is not kept for another statement.
    pair.client(&[frame(b'd', b"3\tacme\n"), frame(b'c', b""), query("SELECT 1")].concat());
    pair.upstream(&[complete("SELECT 1"), ready(b'I')].concat());
    assert_eq!(pair.got(), "C(SELECT 1) Z(I)");
}

#[test]
fn data_that_we_fail_ends_as_data_that_the_server_fails() {
    let mut pair = asked(appending());
    pair.client(&frame(b'd', b"1\n2\r"));
    let sent = pair.sent();
    assert_eq!(data(&sent).1, "f");
    let mark = String::from_utf8(cut(&sent).pop().unwrap().1).unwrap();
    // The client has not noticed yet.
    pair.client(&[frame(b'd', b"3\n"), frame(b'c', b"")].concat());
    pair.upstream(&[error("57014", &format!("COPY from stdin failed: {mark}")), ready(b'I')].concat());
    assert_eq!(pair.got(), "E(C22P04,Mliteral carriage return found in data) Z(I)");
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
    for copy_in in [CopyIn::Unchanged, CopyIn::Tenant(Box::new(supplied(text(), 1)))] {
        let mut unchanged = Pair::new(script(copy_in));
        unchanged.client(&query("SELECT 11"));
        unchanged.upstream(&frame(b'G', ASKS));
        assert_eq!(unchanged.to_client, frame(b'G', ASKS));
    }
    let mut pair = Pair::new(script(CopyIn::Tenant(Box::new(binary()))));
    pair.client(&query("SELECT 11"));
    pair.upstream(&frame(b'G', b"\x01\0\x02\0\x01\0\x01"));
    assert_eq!(pair.to_client, frame(b'G', b"\x01\0\x01\0\x01"));
    // Another format, or another number of columns, than the rows are made for.
    for asks in [&b"\0\0\x02\0\0\0\0"[..], b"\x01\0\x03\0\x01\0\x01\0\x01"] {
        let mut pair = Pair::new(script(CopyIn::Tenant(Box::new(binary()))));
        pair.client(&query("SELECT 11"));
        pair.upstream(&frame(b'G', asks));
        assert!(matches!(pair.ended, Some(partywall::session::SessionError::Disagreement(_))));
    }
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
