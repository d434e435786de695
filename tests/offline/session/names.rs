//! What a session remembers of names: no longer than the server does, or honest clients run into the limits.

use partywall::guard::{Naming, ParameterCheck, TenantValue};

use crate::frames::*;
use crate::session::{LIMITS, Pair, Script};

fn deallocates(statement: &str) -> Naming {
    Naming::Deallocates { statement: statement.to_owned() }
}

#[test]
fn a_statement_that_sql_deallocates_does_not_count_any_more() {
    let naming = (0..10).map(|number| (format!("SELECT 9{number}"), deallocates(&format!("s{number}")))).collect();
    let mut pair = Pair::new(Script { naming, ..Script::default() });
    for number in 0..10 {
        let name = format!("s{number}");
        pair.client(&[parse(&name, "SELECT 1", &[]), sync()].concat());
        pair.upstream(&[frame(b'1', b""), ready(b'I')].concat());
        assert_eq!(pair.got(), "1 Z(I)", "{number} of {}", LIMITS.statements_max);
        pair.client(&query(&format!("SELECT 9{number}")));
        pair.upstream(&[complete("DEALLOCATE"), ready(b'I')].concat());
        assert_eq!(pair.got(), "C(DEALLOCATE) Z(I)");
        pair.client(&[bind("", &name, &[], &[]), sync()].concat());
        assert!(pair.got().starts_with("E(C26000,"), "{number}");
    }
}

#[test]
fn a_deallocate_that_fails_leaves_the_statement() {
    let naming = vec![("SELECT 9".to_owned(), deallocates("s"))];
    let mut pair = Pair::new(Script { naming, ..Script::default() });
    pair.client(&[parse("s", "SELECT 1", &[]), sync(), query("SELECT 9")].concat());
    pair.upstream(&[frame(b'1', b""), ready(b'I'), error("25P02", "aborted"), ready(b'I')].concat());
    pair.sent();
    let group = [bind("", "s", &[], &[]), sync()].concat();
    pair.client(&group);
    assert_eq!(pair.sent(), group);
}

#[test]
fn a_commit_that_begins_the_next_transaction_drops_the_portals() {
    let mut pair = Pair::new(Script::default());
    pair.client(&query("SELECT 8"));
    pair.upstream(&[complete("BEGIN"), ready(b'T')].concat());
    for number in 0..10 {
        let portal = format!("p{number}");
        pair.got();
        pair.client(&[parse("", "SELECT 1", &[]), bind(&portal, "", &[], &[]), sync()].concat());
        pair.upstream(&[frame(b'1', b""), frame(b'2', b""), ready(b'T')].concat());
        assert_eq!(pair.got(), "1 2 Z(T)", "{number} of {}", LIMITS.portals_max);
        pair.client(&query("SELECT 9"));
        pair.upstream(&[complete("COMMIT"), ready(b'T')].concat());
    }
}

/// Each value was once looked for from the first: with this many, for minutes.
#[test]
fn as_many_checked_values_as_a_bind_can_hold_are_checked_one_after_the_other() {
    let check =
        |parameter| ParameterCheck { parameter, column: "t".to_owned(), value: TenantValue::Text("acme".to_owned()) };
    let checks = (1..=u16::MAX).map(check).collect();
    let limits = partywall::session::SessionLimits { bind_bytes_max: 1_000_000, ..LIMITS };
    let mut pair = Pair::with_limits(Script { checks, ..Script::default() }, limits);
    pair.client(&[parse("s", "SELECT 1", &[]), sync()].concat());
    pair.upstream(&[frame(b'1', b""), ready(b'I')].concat());
    pair.sent();
    let mut values = vec![Some(&b"acme"[..]); usize::from(u16::MAX)];
    let honest = bind("", "s", &[], &values);
    pair.client(&honest);
    assert_eq!(pair.sent(), honest);
    *values.last_mut().unwrap() = Some(b"globex");
    pair.client(&bind("", "s", &[], &values));
    let sent = cut(&pair.sent());
    assert!(sent.iter().all(|(_, body)| !body.windows(6).any(|bytes| bytes == b"globex")));
}
