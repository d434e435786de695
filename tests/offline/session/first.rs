//! Strict tenants: a change is on record before it goes upstream, and an answer is withheld until it has ended.

use partywall::guard::StatementClass;
use partywall::session::effect::{Outcome, RecordPhase, SessionEvent};
use partywall::session::first::Recording;
use partywall::tenant::Timestamp;

use crate::frames::*;
use crate::session::sql_names::guarded;
use crate::session::{Pair, Script};

/// Texts by number: 1 reads, 2 changes, 3 begins, 4 commits, 24 changes and commits.
fn strict() -> Pair {
    use StatementClass::{Read, Transaction, Write};
    let class = |text: &str, classes: &[StatementClass]| (text.to_owned(), classes.to_vec());
    let classes = vec![
        class("SELECT 1", &[Read]),
        class("SELECT 2", &[Write]),
        class("SELECT 3", &[Transaction]),
        class("SELECT 4", &[Transaction]),
        class("SELECT 24", &[Write, Transaction]),
    ];
    let mut pair = Pair::new(Script { classes, ..Script::default() });
    pair.session.set_recording(Recording::ChangesFirst);
    pair
}

/// Phases and outcomes since the last call.
fn recorded(pair: &mut Pair) -> Vec<(RecordPhase, Outcome)> {
    std::iter::from_fn(|| pair.session.poll_event())
        .filter_map(|event| match event {
            SessionEvent::Begun(event) | SessionEvent::Statement(event) => Some((event.phase, event.outcome)),
            SessionEvent::LimitReached(_) => None,
        })
        .collect()
}

const BEGUN: Outcome = Outcome::Unknown;

#[test]
fn a_read_is_recorded_once_and_a_change_twice() {
    let mut pair = strict();
    pair.client(&query("SELECT 1"));
    assert_eq!(recorded(&mut pair), []);
    pair.upstream(&[row("1"), complete("SELECT 1"), ready(b'I')].concat());
    assert_eq!(recorded(&mut pair), [(RecordPhase::Single, Outcome::Allow)]);

    pair.client(&query("SELECT 2"));
    assert_eq!(recorded(&mut pair), [(RecordPhase::Begin(1), BEGUN)]);
    pair.upstream(&[complete("INSERT 0 1"), ready(b'I')].concat());
    assert_eq!(recorded(&mut pair), [(RecordPhase::End(1), Outcome::Allow)]);
}

#[test]
fn a_change_that_fails_or_is_cut_off_has_its_end_on_record() {
    let mut pair = strict();
    pair.client(&query("SELECT 2"));
    pair.upstream(&[error("23505", "no"), ready(b'I')].concat());
    assert_eq!(recorded(&mut pair), [(RecordPhase::Begin(1), BEGUN), (RecordPhase::End(1), Outcome::Error)]);
    pair.client(&query("SELECT 2"));
    pair.session.handle_client_closed(Timestamp(9));
    assert_eq!(recorded(&mut pair), [(RecordPhase::Begin(2), BEGUN), (RecordPhase::End(2), Outcome::Unknown)]);
}

#[test]
fn a_read_that_calls_a_function_of_the_database_s_own_is_recorded_first() {
    let mut pair = strict();
    pair.script.calls_own_functions.push("SELECT 1".to_owned());
    pair.client(&query("SELECT 1"));
    assert_eq!(recorded(&mut pair), [(RecordPhase::Begin(1), BEGUN)]);

    // As the guard sees it.
    for (sql, first) in [
        ("SELECT full_name('a', 'b')", true),
        ("SELECT public.full_name('a', 'b')", true),
        ("WITH c AS (SELECT 1) SELECT 1 FROM c WHERE full_name('a', 'b') = 'x'", true),
        ("SELECT lower('a')", false),
    ] {
        let mut pair = guarded();
        pair.session.set_recording(Recording::ChangesFirst);
        pair.client(&query(sql));
        assert_eq!(recorded(&mut pair).len(), usize::from(first), "{sql}");
        assert!(!pair.sent().is_empty(), "{sql}");
    }
}

#[test]
fn in_a_block_the_commit_is_recorded_first() {
    let mut pair = strict();
    pair.client(&query("SELECT 3"));
    pair.upstream(&[complete("BEGIN"), ready(b'T')].concat());
    pair.client(&query("SELECT 2"));
    assert_eq!(recorded(&mut pair), [(RecordPhase::Single, Outcome::Allow)]);
    pair.upstream(&[complete("INSERT 0 1"), ready(b'T')].concat());
    assert_eq!(recorded(&mut pair), [(RecordPhase::Single, Outcome::Allow)]);
    pair.client(&query("SELECT 4"));
    assert_eq!(recorded(&mut pair), [(RecordPhase::Begin(1), BEGUN)]);
    pair.upstream(&[complete("COMMIT"), ready(b'I')].concat());
    assert_eq!(recorded(&mut pair), [(RecordPhase::End(1), Outcome::Allow)]);
}

#[test]
fn a_block_that_only_read_is_committed_at_once() {
    let mut pair = strict();
    pair.client(&query("SELECT 3"));
    pair.upstream(&[complete("BEGIN"), ready(b'T')].concat());
    pair.client(&query("SELECT 1"));
    pair.upstream(&[complete("SELECT 0"), ready(b'T')].concat());
    recorded(&mut pair);
    pair.client(&query("SELECT 4"));
    assert_eq!(recorded(&mut pair), []);
}

/// The change has no answer yet, so no record of its own: both are recorded before the commit can happen.
#[test]
fn a_commit_behind_a_change_under_way_records_both() {
    let mut pair = strict();
    pair.client(&query("SELECT 3"));
    pair.upstream(&[complete("BEGIN"), ready(b'T')].concat());
    recorded(&mut pair);
    pair.client(&[query("SELECT 2"), query("SELECT 4")].concat());
    assert_eq!(recorded(&mut pair), [(RecordPhase::Begin(1), BEGUN), (RecordPhase::Begin(2), BEGUN)]);
    // Behind a commit under way nobody knows whether there is a block.
    pair.client(&query("SELECT 2"));
    assert_eq!(recorded(&mut pair), [(RecordPhase::Begin(3), BEGUN)]);
}

#[test]
fn a_text_that_begins_and_changes_is_recorded_first() {
    let mut pair = strict();
    pair.client(&[query("SELECT 3"), query("SELECT 2")].concat());
    assert_eq!(recorded(&mut pair), [(RecordPhase::Begin(1), BEGUN)]);
    let mut pair = strict();
    pair.client(&query("SELECT 24"));
    assert_eq!(recorded(&mut pair), [(RecordPhase::Begin(1), BEGUN)]);
    pair.upstream(&[complete("INSERT 0 1"), complete("COMMIT"), ready(b'I')].concat());
    assert_eq!(recorded(&mut pair), [(RecordPhase::End(1), Outcome::Allow), (RecordPhase::End(1), Outcome::Allow)]);
}

#[test]
fn an_execute_is_recorded_first_and_one_that_is_skipped_says_so() {
    let mut pair = strict();
    let one = [parse("", "SELECT 2", &[]), bind("", "", &[], &[]), execute("")].concat();
    pair.client(&[&one[..], &bind("", "", &[], &[]), &execute(""), &sync()].concat());
    assert_eq!(recorded(&mut pair), [(RecordPhase::Begin(1), BEGUN), (RecordPhase::Begin(2), BEGUN)]);
    pair.upstream(&[frame(b'1', b""), frame(b'2', b""), error("23505", "no"), ready(b'I')].concat());
    assert_eq!(recorded(&mut pair), [(RecordPhase::End(1), Outcome::Error), (RecordPhase::End(2), Outcome::Error)]);
}

#[test]
fn rows_are_withheld_until_their_statement_is_recorded() {
    let mut pair = strict();
    pair.client(&query("SELECT 1"));
    assert!(!pair.session.withholds_answer());
    pair.upstream(&row("1"));
    assert!(pair.session.withholds_answer());
    pair.session.record_answer_begun(Timestamp(9));
    assert!(!pair.session.withholds_answer());
    assert_eq!(recorded(&mut pair), [(RecordPhase::Begin(1), BEGUN)]);
    pair.upstream(&[row("2"), complete("SELECT 2"), ready(b'I')].concat());
    assert_eq!(recorded(&mut pair), [(RecordPhase::End(1), Outcome::Allow)]);
    assert!(!pair.session.withholds_answer());
}

#[test]
fn without_a_record_the_answer_is_dropped_and_the_client_told() {
    let mut pair = strict();
    pair.client(&query("SELECT 1"));
    let result = pair.session.handle_upstream(&[row("1"), complete("SELECT 1")].concat(), Timestamp(9));
    result.unwrap();
    pair.session.handle_audit_unavailable(Timestamp(10));
    let said = show(&pair.session.client_output().split());
    assert!(said.starts_with("E(C58030,Maudit log unavailable"), "{said}");
}
