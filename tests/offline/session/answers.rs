//! What the upstream says: what of it a client may read, and what is recorded.

use partywall::guard::StatementClass;
use partywall::session::SessionError;
use partywall::session::effect::{Outcome, SessionState};
use partywall::tenant::Timestamp;

use crate::frames::*;
use crate::session::{Pair, Script};

#[test]
fn errors_lose_what_could_be_somebody_elses() {
    let mut pair = Pair::new(Script::default());
    pair.client(&query("SELECT 1"));
    let fields = [
        ('S', "ERROR"),
        ('V', "ERROR"),
        ('C', "23514"),
        ('M', "new row violates check constraint"),
        ('D', "Failing row contains (1, other@example.com)."),
        ('H', "a hint"),
        ('P', "1"),
        ('p', "3"),
        ('q', "SELECT internal"),
        ('W', "PL/pgSQL function f()"),
        ('s', "public"),
        ('t', "notes"),
        ('c', "email"),
        ('d', "text"),
        ('n', "notes_key"),
        ('F', "nbtinsert.c"),
        ('L', "666"),
        ('R', "_bt_check_unique"),
        ('z', "unknown"),
    ];
    pair.upstream(&[notice(&fields), error_fields(&fields), ready(b'I')].concat());
    let kept = "C23514,Mnew row violates check constraint,Ha hint";
    let names = "spublic,tnotes,cemail,dtext,nnotes_key";
    assert_eq!(pair.got(), format!("N({kept},{names}) E({kept},P1,{names}) Z(I)"));
    let events = pair.events();
    assert_eq!((events[0].outcome, events[0].sqlstate), (Outcome::Error, Some(*b"23514")));
}

#[test]
fn a_detail_that_repeats_the_client_s_key_is_kept() {
    for (sqlstate, detail, kept) in [
        ("23505", "Key (email)=(a@example.com) already exists.", true),
        ("23503", "Key (project_id)=(5) is not present in table \"projects\".", true),
        ("23503", "Key (id)=(1) is still referenced from table \"invoices\".", true),
        ("23505", "Key (email)=(a@example.com) already exists. And more.", false),
        ("23P01", "Key (room)=(1) conflicts with existing key (room)=(2).", false),
        ("23502", "Failing row contains (null, 1).", false),
        ("22P02", "Key (email)=(a@example.com) already exists.", false),
    ] {
        let mut pair = Pair::new(Script::default());
        pair.client(&query("SELECT 1"));
        let fields = [('S', "ERROR"), ('C', sqlstate), ('M', "m"), ('D', detail)];
        pair.upstream(&[error_fields(&fields), ready(b'I')].concat());
        let shown = if kept { format!(",D{detail}") } else { String::new() };
        assert_eq!(pair.got(), format!("E(C{sqlstate},Mm{shown}) Z(I)"));
    }
}

#[test]
fn a_function_is_named_as_the_client_named_it() {
    let mut pair = Pair::new(Script::default());
    pair.client(&query("SELECT 1"));
    let message = "function pg_catalog.left() does not exist";
    pair.upstream(&[error_fields(&[('S', "ERROR"), ('C', "42883"), ('M', message)]), ready(b'I')].concat());
    assert_eq!(pair.got(), "E(C42883,Mfunction left() does not exist) Z(I)");
}

#[test]
fn a_position_in_our_own_words_is_dropped() {
    let mut pair = Pair::new(Script::default());
    pair.client(&query("SELECT 1"));
    let at = |position| error_fields(&[('S', "ERROR"), ('C', "42703"), ('M', "m"), ('P', position)]);
    pair.upstream(&[at("999"), ready(b'I')].concat());
    assert_eq!(pair.got(), "E(C42703,Mm) Z(I)");
    pair.client(&query("SELECT 1"));
    pair.upstream(&[at("not a number"), ready(b'I')].concat());
    assert_eq!(pair.got(), "E(C42703,Mm) Z(I)");
}

#[test]
fn notifications_are_dropped_and_the_rest_passes() {
    let mut pair = Pair::new(Script::default());
    let notification = frame(b'A', b"\0\0\0\x01channel\0other tenant\0");
    let status = frame(b'S', b"TimeZone\0UTC\0");
    pair.upstream(&[status.clone(), notification, status.clone()].concat());
    assert_eq!(pair.to_client, [status.clone(), status].concat());
}

#[test]
fn an_overlong_error_is_cut_and_an_overlong_row_is_not_held() {
    let mut pair = Pair::new(Script::default());
    pair.client(&query("SELECT 1"));
    // A row of 100 MB, of which only the header has come.
    let mut header = vec![b'D'];
    header.extend(100_000_000u32.to_be_bytes());
    let progress = pair.session.handle_upstream(&header, Timestamp(0)).unwrap();
    assert_eq!(progress.consumed, 5);
    let piece = vec![b'x'; 1_000_000];
    let mut left = 100_000_000 - 4;
    while left > 0 {
        let take = left.min(piece.len());
        let progress = pair.session.handle_upstream(&piece[..take], Timestamp(0)).unwrap();
        assert_eq!(progress, partywall::session::effect::Progress::unchanged(take));
        left -= take;
    }
    let message = "m".repeat(3_000_000);
    pair.upstream(&[error("22P02", &message), ready(b'I')].concat());
    let frames = cut(&pair.to_client);
    assert_eq!(frames.iter().map(|(kind, _)| *kind).collect::<Vec<_>>(), b"EZ");
    assert!(frames[0].1.len() < 1_100_000 && frames[0].1.ends_with(b"m\0\0"));
    assert_eq!(pair.events()[0].bytes, 100_000_000 - 4);
}

#[test]
fn each_statement_of_a_query_is_recorded() {
    let classes = vec![StatementClass::Read, StatementClass::Write, StatementClass::Read];
    let mut pair = Pair::new(Script { classes: vec![("SELECT 15".to_owned(), classes)], ..Script::default() });
    pair.client(&query("SELECT 15"));
    let answer =
        [row("a"), row("b"), complete("SELECT 2"), complete("INSERT 0 7"), error("22012", "no"), ready(b'I')].concat();
    pair.upstream(&answer);
    let events = pair.events();
    let seen: Vec<_> = events.iter().map(|event| (event.statement, event.outcome, event.rows)).collect();
    assert_eq!(seen, [(0, Outcome::Allow, 2), (1, Outcome::Allow, 0), (2, Outcome::Error, 0)]);
    assert_eq!(events.iter().map(|event| event.rows_affected).collect::<Vec<_>>(), [None, Some(7), None]);
    assert_eq!(events.iter().map(|event| event.statement_number).collect::<Vec<_>>(), [1, 2, 3]);
    assert!(events.iter().all(|event| event.transaction_number == 1 && event.started < event.ended));
    pair.client(&query("SELECT 1"));
    pair.upstream(&[complete("SELECT 0"), ready(b'T')].concat());
    pair.client(&query("SELECT 1"));
    pair.upstream(&[complete("SELECT 0"), ready(b'I')].concat());
    pair.client(&query("SELECT secret"));
    let transactions: Vec<_> = pair.events().iter().map(|event| event.transaction_number).collect();
    assert_eq!(transactions, [2, 2, 3]);
}

#[test]
fn what_is_under_way_when_the_upstream_is_lost_is_of_unknown_end() {
    let mut pair = Pair::new(Script::default());
    let group = [parse("", "SELECT 1", &[]), bind("", "", &[], &[]), execute(""), sync()].concat();
    pair.client(&[query("SELECT 1"), query("SELECT 2"), group].concat());
    pair.upstream(&[complete("SELECT 0"), ready(b'I')].concat());
    pair.to_client.clear();
    pair.events();
    pair.session.handle_upstream_closed(Timestamp(99));
    let told = show(&pair.session.client_output().split());
    assert!(told.starts_with("E(C08006,Mthe connection to the upstream server was lost,"), "{told}");
    let events = pair.events();
    assert_eq!(events.iter().map(|event| event.outcome).collect::<Vec<_>>(), [Outcome::Unknown; 2]);
    assert_eq!(events[1].text_bytes, 8);
    // Once is enough.
    pair.session.handle_shutdown(Timestamp(100));
    assert!(pair.session.client_output().is_empty() && pair.events().is_empty());
}

#[test]
fn a_fatal_error_of_the_servers_own_is_the_last_word() {
    let fatal = error_fields(&[('S', "FATAL"), ('V', "FATAL"), ('C', "57P01"), ('M', "terminating connection")]);
    for busy in [false, true] {
        let mut pair = Pair::new(Script::default());
        if busy {
            pair.client(&query("SELECT 1"));
        }
        pair.upstream(&fatal);
        assert_eq!(pair.got(), "E(C57P01,Mterminating connection)");
        assert_eq!(pair.ended, None);
        pair.session.handle_upstream_closed(Timestamp(9));
        assert!(pair.session.client_output().is_empty());
        let outcomes: Vec<_> = pair.events().iter().map(|event| event.outcome).collect();
        assert_eq!(outcomes, if busy { vec![Outcome::Error] } else { vec![] });
    }
}

#[test]
fn nothing_is_said_into_the_middle_of_a_row() {
    let mut pair = Pair::new(Script::default());
    pair.client(&query("SELECT 1"));
    pair.upstream(&row("a long value")[..9]);
    pair.session.handle_shutdown(Timestamp(0));
    assert!(pair.session.client_output().is_empty());
}

#[test]
fn shutdown_and_terminate_are_the_end() {
    let mut pair = Pair::new(Script::default());
    pair.session.handle_shutdown(Timestamp(0));
    let told = show(&pair.session.client_output().split());
    assert_eq!(told, "E(C57P01,Mterminating connection due to administrator command)");
    let mut pair = Pair::new(Script::default());
    pair.client(&[query("SELECT 1"), frame(b'X', b""), query("SELECT 2")].concat());
    assert_eq!(pair.ended, Some(SessionError::Terminated));
    assert_eq!(pair.sent(), [query("SELECT 1"), frame(b'X', b"")].concat());
    assert_eq!(pair.got(), "");
}

#[test]
fn the_state_follows_what_the_server_says() {
    let mut pair = Pair::new(Script::default());
    assert_eq!(pair.session.state(), SessionState::Idle);
    pair.client(&query("SELECT 8"));
    assert_eq!(pair.session.state(), SessionState::Active);
    for (status, state) in
        [(b'T', SessionState::InTransaction), (b'E', SessionState::InTransaction), (b'I', SessionState::Idle)]
    {
        pair.upstream(&[complete("X"), ready(status)].concat());
        assert_eq!(pair.session.state(), state);
        if status != b'I' {
            pair.client(&query("SELECT 1"));
        }
    }
    pair.client(&parse("", "SELECT 1", &[]));
    pair.upstream(&frame(b'1', b""));
    assert_eq!(pair.session.state(), SessionState::Active, "a group is open");
}

/// One conversation with something of everything, cut at every byte on both sides.
#[test]
fn where_the_bytes_are_cut_changes_nothing() {
    let client = [
        query("SELECT 1"),
        parse("s", "SELECT 2", &[23]),
        bind("", "s", &[1], &[Some(b"\0\0\0\x01")]),
        describe(b'P', ""),
        execute(""),
        parse("", "SELECT secret", &[]),
        execute(""),
        sync(),
        query("SELECT 3"),
    ]
    .concat();
    let whole = |client_cut: usize, upstream_cut: usize| {
        let mut pair = Pair::new(Script::default());
        pair.client(&client[..client_cut]);
        pair.client(&client[client_cut..]);
        let sent = pair.sent();
        let poison = cut(&sent).into_iter().find(|(_, body)| body.starts_with(b"\0PARTY")).unwrap().1;
        let mark = String::from_utf8_lossy(&poison[1..]).split('\0').next().unwrap().to_owned();
        let upstream = [
            notice(&[('S', "NOTICE"), ('C', "00000"), ('M', "hello"), ('D', "detail")]),
            row("1"),
            complete("SELECT 1"),
            ready(b'I'),
            frame(b'1', b""),
            frame(b'2', b""),
            frame(b'n', b""),
            frame(b'A', b"\0\0\0\x01c\0p\0"),
            row("a longer row"),
            complete("SELECT 1"),
            error("42601", &format!("syntax error at or near \"{mark}\"")),
            ready(b'I'),
            frame(b'I', b""),
            ready(b'I'),
        ]
        .concat();
        let at = upstream_cut.min(upstream.len());
        pair.upstream(&upstream[..at]);
        pair.upstream(&upstream[at..]);
        let events: Vec<_> = pair.events().iter().map(|event| (event.outcome, event.rows, event.bytes)).collect();
        (upstream.len(), (sent, std::mem::take(&mut pair.to_client), events, pair.ended))
    };
    let (upstream_bytes, expected) = whole(0, 0);
    assert_eq!(expected.2.len(), 4);
    for at in 0..=client.len() {
        assert_eq!(whole(at, 0).1, expected, "client cut at {at}");
    }
    for at in 0..=upstream_bytes {
        assert_eq!(whole(0, at).1, expected, "upstream cut at {at}");
    }
}
