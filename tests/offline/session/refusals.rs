//! Refusals, in every state in which one can fall, leave both sides as an error of the server would.

use partywall::guard::{ParameterCheck, TenantValue};
use partywall::session::SessionLimits;
use partywall::session::effect::{Outcome, SessionState};

use crate::frames::*;
use crate::session::{LIMITS, Pair, Script};

const REFUSED: &str =
    "E(C42P01,Mrelation does not exist,HAsk for another.\nMore: partywall explain --code relation-unknown)";

/// The mark in the first message sent upstream that has one.
fn mark(sent: &[u8]) -> String {
    let bodies = cut(sent).into_iter().map(|(_, body)| String::from_utf8_lossy(&body).into_owned());
    let body = bodies.into_iter().find(|body| body.contains("PARTYWALL_REFUSED_")).unwrap();
    let begin = body.find("PARTYWALL_REFUSED_").unwrap();
    body[begin..].split('\0').next().unwrap().to_owned()
}

fn syntax_error(mark: &str) -> Vec<u8> {
    error("42601", &format!("syntax error at or near \"{mark}\""))
}

fn no_portal(mark: &str) -> Vec<u8> {
    error("34000", &format!("portal \"{mark}\" does not exist"))
}

/// A session whose last ReadyForQuery said this.
fn in_state(status: u8) -> Pair {
    let mut pair = Pair::new(Script::default());
    pair.client(&query("SELECT 8"));
    pair.upstream(&[complete("BEGIN"), ready(status)].concat());
    pair.forget();
    pair
}

fn checked(value: TenantValue) -> Script {
    let check = ParameterCheck { parameter: 1, value, column: "tenant_id".to_owned() };
    Script { checks: vec![check], ..Script::default() }
}

#[test]
fn a_refused_query_in_a_block_fails_it() {
    for status in [b'T', b'E'] {
        let mut pair = in_state(status);
        pair.client(&query("SELECT secret"));
        let sent = pair.sent();
        assert_eq!(pair.got(), "");
        pair.upstream(&[syntax_error(&mark(&sent)), ready(b'E')].concat());
        assert_eq!(pair.got(), format!("{REFUSED} Z(E)"));
        assert_eq!(pair.session.state(), SessionState::InTransaction);
        let events = pair.events();
        assert_eq!((events.len(), events[0].outcome, events[0].sqlstate), (1, Outcome::Deny, Some(*b"42P01")));
    }
}

#[test]
fn a_refused_parse_skips_to_its_sync() {
    // Idle: the server need not know.
    let mut alone = Pair::new(Script::default());
    alone.client(&[parse("", "SELECT secret", &[]), bind("", "", &[], &[]), execute(""), flush()].concat());
    assert_eq!(alone.got(), REFUSED);
    alone.client(&[query("SELECT 1"), sync(), query("SELECT 1")].concat());
    assert_eq!(alone.got(), "Z(I)");
    assert_eq!(alone.sent(), query("SELECT 1"));

    // In a group: the server skips with us.
    let mut pair = Pair::new(Script::default());
    pair.client(&[parse("a", "SELECT 1", &[]), parse("", "SELECT secret", &[]), bind("", "a", &[], &[])].concat());
    let sent = pair.sent();
    assert_eq!(cut(&sent).iter().map(|(kind, _)| *kind).collect::<Vec<_>>(), b"PPB");
    pair.upstream(&[frame(b'1', b""), syntax_error(&mark(&sent))].concat());
    assert_eq!(pair.got(), format!("1 {REFUSED}"));
    pair.client(&[execute(""), query("SELECT 1"), sync()].concat());
    assert_eq!(pair.sent(), sync());
    pair.upstream(&ready(b'I'));
    assert_eq!(pair.got(), "Z(I)");
}

#[test]
fn a_refusal_stays_in_its_place_behind_groups_under_way() {
    let mut pair = Pair::new(Script::default());
    let group = [parse("", "SELECT 1", &[]), bind("", "", &[], &[]), execute(""), sync()].concat();
    pair.client(&[group.clone(), parse("", "SELECT secret", &[]), sync(), group.clone()].concat());
    let sent = pair.sent();
    let answer = [frame(b'1', b""), frame(b'2', b""), row("1"), complete("SELECT 1"), ready(b'I')].concat();
    pair.upstream(&[answer.clone(), syntax_error(&mark(&sent)), ready(b'I'), answer].concat());
    assert_eq!(pair.got(), format!("1 2 D C(SELECT 1) Z(I) {REFUSED} Z(I) 1 2 D C(SELECT 1) Z(I)"));
}

#[test]
fn an_error_of_the_servers_own_at_a_poison_passes() {
    for sqlstate in ["57014", "25P02", "53200"] {
        let mut pair = in_state(b'T');
        pair.client(&query("SELECT secret"));
        pair.upstream(&[error(sqlstate, "something else"), ready(b'E')].concat());
        assert_eq!(pair.got(), format!("E(C{sqlstate},Msomething else) Z(E)"));
    }
    // Another mark is not this one's.
    let mut pair = in_state(b'T');
    pair.client(&query("SELECT secret"));
    pair.upstream(&[syntax_error("PARTYWALL_REFUSED_00"), ready(b'E')].concat());
    assert!(pair.got().starts_with("E(C42601,Msyntax error"));
}

#[test]
fn marks_differ_between_refusals_and_sessions() {
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..3 {
        let mut pair = in_state(b'T');
        pair.client(&[query("SELECT secret"), query("SELECT secret")].concat());
        for (_, body) in cut(&pair.sent()) {
            seen.insert(body);
        }
    }
    assert_eq!(seen.len(), 2, "one seed gives the same marks, and never one twice");
}

#[test]
fn a_bound_value_must_be_the_tenants() {
    let text = |value: &'static [u8]| (TenantValue::Text("acme".to_owned()), vec![], value);
    let integer = |format: u16, value: &'static [u8]| (TenantValue::Integer(42), vec![format], value);
    let uuid = TenantValue::Uuid(*b"0123456789abcdef");
    let good = [
        text(b"acme"),
        integer(0, b"42"),
        integer(1, b"\0\x2a"),
        integer(1, b"\0\0\0\x2a"),
        integer(1, b"\0\0\0\0\0\0\0\x2a"),
        (uuid.clone(), vec![1], b"0123456789abcdef"),
        (uuid.clone(), vec![0], b"30313233-3435-3637-3839-616263646566"),
        (uuid.clone(), vec![0], b"{30313233343536373839616263646566}"),
        (TenantValue::Uuid([0xab; 16]), vec![0], b"ABABABABababababABABABABABABABAB"),
    ];
    let bad = [
        text(b"globex"),
        text(b"acme "),
        text(b"ACME"),
        text(b""),
        integer(0, b"042"),
        integer(0, b" 42"),
        integer(0, b"+42"),
        integer(0, b"0x2a"),
        integer(0, b"\0\x2a"),
        integer(1, b"42"),
        integer(1, b"\0\0\x2a"),
        integer(1, b"\xff\xd6"),
        integer(2, b"42"),
        (uuid.clone(), vec![1], b"0123456789abcdeg"),
        (uuid.clone(), vec![0], b"30313233-3435-3637-3839-6162636465"),
        (uuid.clone(), vec![0], b"30313233-3435-3637-3839-616263646567"),
        (uuid, vec![0], b"30313233-3435-3637-3839-61626364656600"),
    ];
    let binds = |value: &TenantValue, formats: &[u16], bytes: Option<&[u8]>| {
        let mut pair = Pair::new(checked(value.clone()));
        pair.client(&[parse("", "SELECT 1", &[]), bind("", "", formats, &[bytes]), sync()].concat());
        let sent = cut(&pair.sent());
        assert_eq!(sent.iter().map(|(kind, _)| *kind).collect::<Vec<_>>(), b"PBS");
        let refused = sent[1].1.windows(2).any(|pair| pair == b"zz");
        assert_eq!(refused, pair.events().iter().any(|event| event.outcome == Outcome::Deny));
        !refused
    };
    for (value, formats, bytes) in good {
        assert!(binds(&value, &formats, Some(bytes)), "{value:?} {formats:?} {bytes:?}");
        assert!(!binds(&value, &formats, None), "NULL for {value:?}");
    }
    for (value, formats, bytes) in bad {
        assert!(!binds(&value, &formats, Some(bytes)), "{value:?} {formats:?} {bytes:?}");
    }
    // Codes that fit no parameter are no way round.
    assert!(!binds(&TenantValue::Text("acme".to_owned()), &[0, 0], Some(b"acme")));
}

#[test]
fn a_refused_value_is_answered_in_its_place() {
    let mut pair = Pair::new(checked(TenantValue::Text("acme".to_owned())));
    pair.client(&[parse("", "SELECT 1", &[]), bind("", "", &[], &[Some(b"globex")]), execute(""), sync()].concat());
    pair.upstream(&[frame(b'1', b""), error("22023", "unsupported format code: 31354"), ready(b'I')].concat());
    let got = pair.got();
    assert!(
        got.starts_with("1 E(C42501,Mvalue of parameter $1 for column \"tenant_id\" is not this session's"),
        "{got}"
    );
    assert!(got.ends_with(" Z(I)") && !got.contains("31354") && !got.contains("globex"));
    // What the server finds first, it says first.
    pair.client(&[parse("", "SELECT 1", &[]), bind("", "", &[], &[Some(b"globex")]), sync()].concat());
    pair.upstream(&[frame(b'1', b""), error("08P01", "bind message supplies 1 parameters"), ready(b'I')].concat());
    assert_eq!(pair.got(), "1 E(C08P01,Mbind message supplies 1 parameters) Z(I)");
}

#[test]
fn a_declared_type_may_not_change_what_equal_means() {
    for (value, oid, passes) in [
        (TenantValue::Integer(1), 23, true),
        (TenantValue::Integer(1), 1700, false),
        (TenantValue::Integer(1), 25, false),
        (TenantValue::Text("acme".to_owned()), 25, true),
        (TenantValue::Text("acme".to_owned()), 705, true),
        (TenantValue::Text("acme ".to_owned()), 1042, false),
        (TenantValue::Text("acme".to_owned()), 90_000, false),
        (TenantValue::Uuid([0; 16]), 2950, true),
        (TenantValue::Uuid([0; 16]), 25, false),
    ] {
        let mut pair = Pair::new(checked(value.clone()));
        pair.client(&parse("", "SELECT 1", &[oid]));
        assert_eq!(pair.got().is_empty(), passes, "{value:?} {oid}");
        assert_eq!(pair.sent().is_empty(), !passes, "{value:?} {oid}");
    }
}

#[test]
fn names_that_postgresql_cuts_alike_are_one_name() {
    let (one, two) = (format!("{}1", "n".repeat(63)), format!("{}2", "n".repeat(63)));
    let mut script = checked(TenantValue::Text("acme".to_owned()));
    script.refused = vec!["SELECT 2".to_owned()];
    let mut pair = Pair::new(script);
    pair.client(&[parse(&one, "SELECT 1", &[]), bind("", &two, &[], &[Some(b"globex")]), sync()].concat());
    assert!(cut(&pair.sent())[1].1.windows(2).any(|pair| pair == b"zz"), "the check was passed by");
}

#[test]
fn a_name_that_may_mean_either_of_two_waits() {
    let mut pair = Pair::new(Script::default());
    pair.client(&[parse("s", "SELECT 1", &[]), sync()].concat());
    pair.upstream(&[frame(b'1', b""), ready(b'I')].concat());
    pair.sent();
    // If the Close is skipped, the Parse fails and the name keeps its meaning.
    let group = [close(b'S', "s"), parse("s", "SELECT 2", &[]), sync()].concat();
    pair.client(&[group.clone(), bind("", "s", &[], &[]), sync()].concat());
    assert_eq!(pair.sent(), group);
    assert!(pair.session.holds_client());
    pair.upstream(&[frame(b'3', b""), frame(b'1', b""), ready(b'I')].concat());
    assert_eq!(pair.sent(), [bind("", "s", &[], &[]), sync()].concat());
}

#[test]
fn an_unknown_statement_or_portal_fails_as_by_the_server() {
    let mut pair = Pair::new(Script::default());
    pair.client(&[bind("", "s", &[], &[]), sync(), execute("p"), sync(), describe(b'S', ""), sync()].concat());
    assert_eq!(
        pair.got(),
        "E(C26000,Mprepared statement \"s\" does not exist) Z(I) E(C34000,Mportal \"p\" does not exist) Z(I) \
         E(C26000,Munnamed prepared statement does not exist) Z(I)"
    );
    assert_eq!(pair.sent(), b"");
}

/// PostgreSQL 15.18 crashes when the unnamed portal that a failed Query has left in a block is executed.
#[test]
fn what_a_failed_query_leaves_of_the_unnamed_portal_is_never_executed() {
    let mut pair = in_state(b'T');
    pair.client(&[parse("", "SELECT 1", &[]), bind("", "", &[], &[]), sync(), query("SELECT 6")].concat());
    pair.client(&[execute(""), sync()].concat());
    // Whether there was a Bind is not settled; then the Query has dropped what it made.
    pair.upstream(&[frame(b'1', b""), frame(b'2', b""), ready(b'T'), error("22012", "no"), ready(b'E')].concat());
    let sent = pair.sent();
    assert!(!sent.windows(10).any(|window| window == &execute("")[..]), "{}", sent.escape_ascii());
    pair.upstream(&[no_portal(&mark(&sent)), ready(b'E')].concat());
    assert!(pair.got().ends_with("E(C34000,Mportal \"\" does not exist) Z(E)"));
}

#[test]
fn a_changed_policy_is_applied_to_statements_prepared_before() {
    let mut pair = Pair::new(Script::default());
    pair.client(&[parse("s", "SELECT 1", &[]), parse("t", "SELECT 2", &[]), sync()].concat());
    pair.upstream(&[frame(b'1', b""), frame(b'1', b""), ready(b'I')].concat());
    pair.forget();
    pair.script.version = 2;
    pair.script.refused = vec!["SELECT 1".to_owned()];
    // Unchanged: goes on, and is not decided again after that.
    pair.client(&[bind("", "t", &[], &[]), sync(), bind("", "t", &[], &[]), sync()].concat());
    assert_eq!(cut(&pair.sent()).len(), 4);
    assert_eq!(pair.script.asked, 3);
    pair.upstream(&[frame(b'2', b""), ready(b'I'), frame(b'2', b""), ready(b'I')].concat());
    pair.got();
    // Refused now: closed at the server, and told so.
    pair.client(&[bind("", "s", &[], &[]), execute(""), sync()].concat());
    let sent = pair.sent();
    assert_eq!(cut(&sent).iter().map(|(kind, _)| *kind).collect::<Vec<_>>(), b"CEES");
    pair.upstream(&[frame(b'3', b""), no_portal(&mark(&sent)), ready(b'I')].concat());
    assert_eq!(
        pair.got(),
        "E(C26000,Mprepared statement \"s\" must be prepared again: the policy or the tenant has changed) Z(I)"
    );
    pair.client(&[bind("", "s", &[], &[]), sync()].concat());
    assert_eq!(pair.got(), "E(C26000,Mprepared statement \"s\" does not exist) Z(I)");
}

#[test]
fn a_portal_bound_under_another_policy_is_not_executed() {
    let mut pair = in_state(b'T');
    pair.client(&[parse("s", "SELECT 3", &[]), bind("p", "s", &[], &[]), sync()].concat());
    pair.upstream(&[frame(b'1', b""), frame(b'2', b""), ready(b'T')].concat());
    pair.forget();
    pair.script.version = 2;
    pair.script.refused = vec!["SELECT 3".to_owned()];
    pair.client(&[execute("p"), sync()].concat());
    let sent = pair.sent();
    pair.upstream(&[no_portal(&mark(&sent)), ready(b'E')].concat());
    assert_eq!(pair.got(), "E(C34000,Mportal must be bound again: the policy or the tenant has changed) Z(E)");
}

#[test]
fn limits_are_errors_in_their_place() {
    let mut pair = Pair::new(Script::default());
    pair.client(&query(&format!("SELECT {}", "1".repeat(1_000))));
    let got = pair.got();
    assert!(got.starts_with("E(C54000,Mstatement is too long") && got.ends_with("Z(I)"), "{got}");
    pair.client(&[parse("x", &"1".repeat(5_000), &[]), sync()].concat());
    assert!(pair.got().starts_with("E(C54000,Mstatement is too long"));
    for name in ["a", "b", "c", "d"] {
        pair.client(&[parse(name, "SELECT 1", &[]), sync()].concat());
        pair.upstream(&[frame(b'1', b""), ready(b'I')].concat());
    }
    assert_eq!(pair.got(), "1 Z(I) 1 Z(I) 1 Z(I) 1 Z(I)");
    pair.client(&[parse("e", "SELECT 1", &[]), sync()].concat());
    assert!(pair.got().starts_with("E(C54000,Mtoo many prepared statements in one session"));
    // The unnamed one, and one that is there already, are not one more.
    pair.client(&[parse("", "SELECT 1", &[]), sync()].concat());
    pair.upstream(&[frame(b'1', b""), ready(b'I')].concat());
    assert_eq!(pair.got(), "1 Z(I)");
    pair.client(&[bind("", "a", &[], &[Some(&[b'x'; 3_000])]), sync()].concat());
    assert!(pair.got().starts_with("E(C54000,Mbound values are too long"));
    pair.sent();
    pair.client(&[bind("p", "a", &[], &[]), bind("q", "a", &[], &[]), bind("r", "a", &[], &[])].concat());
    pair.client(&[bind("s", "a", &[], &[]), sync()].concat());
    let sent = pair.sent();
    pair.upstream(&[frame(b'2', b"").repeat(3), no_portal(&mark(&sent)), ready(b'I')].concat());
    assert!(pair.got().starts_with("2 2 2 E(C54000,Mtoo many portals in one session"));
}

#[test]
fn a_full_pipeline_makes_the_client_wait() {
    let mut pair = Pair::with_limits(Script::default(), SessionLimits { pipeline_max: 4, ..LIMITS });
    pair.client(&query("SELECT 1").repeat(9));
    assert!(pair.session.holds_client());
    assert_eq!(pair.sent(), [query("SELECT 1").repeat(4), flush()].concat());
    let answer = [complete("SELECT 0"), ready(b'I')].concat();
    pair.upstream(&answer);
    assert!(pair.session.holds_client(), "one answer is not worth a wake-up");
    pair.upstream(&answer);
    assert_eq!(pair.sent(), [query("SELECT 1").repeat(2), flush()].concat());
    (0..7).for_each(|_| pair.upstream(&answer));
    assert_eq!(pair.got(), ["C(SELECT 0) Z(I)"; 9].join(" "));
    assert_eq!((pair.session.holds_client(), pair.ended), (false, None));
}
