//! One session acts for one tenant after another: nothing of the one is there for the other.

use partywall::session::SessionLimits;
use partywall::session::effect::Outcome;
use partywall::tenant::{Identity, LoginName};

use crate::frames::*;
use crate::session::sql_names::ruleset;
use crate::session::{LIMITS, Pair, Script};

const CONTACTS: &str = "SELECT name FROM contacts";

fn pool() -> Pair {
    let limits = SessionLimits { statement_bytes_max: 10_000, ..LIMITS };
    let script = Script { guard: Some(ruleset("")), ..Script::default() };
    Pair::of(script, limits, Identity { login: LoginName::parse("pool").unwrap(), tenant: None })
}

fn done(pair: &mut Pair, sql: &str, tag: &str, status: u8) {
    pair.client(&query(sql));
    pair.upstream(&[complete(tag), ready(status)].concat());
    assert_eq!(pair.got(), format!("C({tag}) Z({})", char::from(status)), "{sql}");
    pair.forget();
}

fn tenant(pair: &Pair) -> String {
    pair.session.identity().tenant.as_ref().map(ToString::to_string).unwrap_or_default()
}

fn texts(sent: &[u8]) -> Vec<(char, String)> {
    cut(sent).into_iter().map(|(kind, body)| (char::from(kind), String::from_utf8_lossy(&body).into_owned())).collect()
}

fn sent_for(pair: &mut Pair, tenant: &str) -> bool {
    texts(&pair.sent()).iter().any(|(_, text)| text.contains(&format!("'{tenant}'")))
}

fn refused(pair: &mut Pair, sql: &str, error: &str) {
    pair.client(&query(sql));
    let got = pair.got();
    assert!(got.starts_with(&format!("E({error}")), "{sql}: {got}");
    assert_eq!(pair.sent(), b"", "{sql}");
}

#[test]
fn what_comes_behind_a_change_of_tenant_waits_for_it() {
    let mut pair = pool();
    refused(&mut pair, CONTACTS, "C42501,Mrelation \"contacts\" needs a tenant");
    pair.client(&[query("SET partywall.tenant = 'acme'"), query(CONTACTS)].concat());
    assert_eq!(texts(&pair.sent()).len(), 1, "the question was sent before the answer");
    pair.upstream(&[complete("SET"), ready(b'I')].concat());
    assert!(sent_for(&mut pair, "acme"));

    pair.upstream(&[complete("SELECT 0"), ready(b'I')].concat());
    pair.forget();
    pair.client(&[query("SET partywall.tenant = 'globex'"), query(CONTACTS)].concat());
    pair.sent();
    pair.upstream(&[error("57014", "canceled"), ready(b'I')].concat());
    assert!(sent_for(&mut pair, "acme"), "a SET that failed has changed the tenant");
}

#[test]
fn local_ends_with_its_transaction() {
    let mut pair = pool();
    done(&mut pair, "BEGIN", "BEGIN", b'T');
    done(&mut pair, "SET LOCAL partywall.tenant = 'acme'", "SET", b'T');
    assert_eq!(tenant(&pair), "acme");
    // Within the transaction nothing waits, but behind its end everything does.
    pair.client(&[query(CONTACTS), query(CONTACTS), query("COMMIT"), query(CONTACTS)].concat());
    assert_eq!(texts(&pair.sent()).len(), 3);
    let rows = [complete("SELECT 0"), ready(b'T')].concat();
    pair.upstream(&[rows.clone(), rows, complete("COMMIT"), ready(b'I')].concat());
    assert_eq!(tenant(&pair), "");
    assert!(pair.got().contains("needs a tenant"));
}

#[test]
fn a_transaction_that_fails_gives_back_what_was_before() {
    let mut pair = pool();
    done(&mut pair, "SET partywall.tenant = 'acme'", "SET", b'I');
    done(&mut pair, "BEGIN", "BEGIN", b'T');
    done(&mut pair, "SAVEPOINT s", "SAVEPOINT", b'T');
    done(&mut pair, "SET partywall.tenant = 'globex'", "SET", b'T');
    done(&mut pair, "ROLLBACK TO s", "ROLLBACK", b'T');
    assert_eq!(tenant(&pair), "acme");
    done(&mut pair, "SET LOCAL partywall.tenant = 'globex'", "SET", b'T');
    done(&mut pair, "RELEASE s", "RELEASE", b'T');
    assert_eq!(tenant(&pair), "globex");
    // The server calls the end of a transaction that has failed a ROLLBACK.
    done(&mut pair, "COMMIT", "ROLLBACK", b'I');
    assert_eq!(tenant(&pair), "acme");
}

#[test]
fn a_statement_prepared_for_one_tenant_is_prepared_again_for_the_next() {
    let mut pair = pool();
    done(&mut pair, "SET partywall.tenant = 'acme'", "SET", b'I');
    pair.client(&[parse("s", CONTACTS, &[]), sync()].concat());
    assert!(sent_for(&mut pair, "acme"));
    pair.upstream(&[frame(b'1', b""), ready(b'I')].concat());
    pair.forget();
    done(&mut pair, "SET partywall.tenant = 'globex'", "SET", b'I');

    let run = [bind("", "s", &[], &[]), execute(""), sync()].concat();
    pair.client(&run);
    let sent = texts(&pair.sent());
    assert_eq!(sent.iter().map(|(kind, _)| *kind).collect::<String>(), "CPBES");
    assert!(sent[1].1.contains("'globex'") && !sent[1].1.contains("'acme'"), "{sent:?}");
    let ran = [frame(b'2', b""), complete("SELECT 0"), ready(b'I')].concat();
    pair.upstream(&[frame(b'3', b""), frame(b'1', b""), ran.clone()].concat());
    assert_eq!(pair.got(), "2 C(SELECT 0) Z(I)", "the client sees none of it");

    pair.forget();
    pair.client(&run);
    assert_eq!(pair.sent(), run, "the second time it is there");
    pair.upstream(&ran);
    assert_eq!(pair.ended, None);
}

#[test]
fn what_sql_prepares_and_declares_stays_with_its_tenant() {
    let mut pair = pool();
    done(&mut pair, "SET partywall.tenant = 'acme'", "SET", b'I');
    done(&mut pair, "PREPARE s AS SELECT name FROM contacts", "PREPARE", b'I');
    done(&mut pair, "DECLARE c CURSOR WITH HOLD FOR SELECT name FROM contacts", "DECLARE CURSOR", b'I');
    done(&mut pair, "SET partywall.tenant = 'globex'", "SET", b'I');
    refused(&mut pair, "FETCH c", "C34000,Mcursor \"c\" must be declared again");
    pair.client(&query("EXECUTE s"));
    pair.sent();
    pair.upstream(&[frame(b'3', b"")].concat());
    let poison = error("42601", "syntax error");
    assert!(!pair.got().contains("C("), "it ran for another tenant");
    pair.upstream(&[poison, ready(b'I')].concat());
}

#[test]
fn a_portal_is_not_run_on_for_another_tenant() {
    let mut pair = pool();
    done(&mut pair, "BEGIN", "BEGIN", b'T');
    done(&mut pair, "SET LOCAL partywall.tenant = 'acme'", "SET", b'T');
    pair.client(&[parse("", CONTACTS, &[]), bind("p", "", &[], &[]), sync()].concat());
    pair.upstream(&[frame(b'1', b""), frame(b'2', b""), ready(b'T')].concat());
    pair.forget();
    done(&mut pair, "SET LOCAL partywall.tenant = 'globex'", "SET", b'T');
    pair.client(&[execute("p"), sync()].concat());
    let sent = texts(&pair.sent());
    assert!(sent[0].1.starts_with("PARTYWALL_REFUSED_"), "{sent:?}");
}

#[test]
fn temporary_tables_stay_with_their_tenant() {
    let mut pair = pool();
    done(&mut pair, "SET partywall.tenant = 'acme'", "SET", b'I');
    done(&mut pair, "CREATE TEMP TABLE mine AS SELECT name FROM contacts", "SELECT 3", b'I');
    pair.client(&[parse("made", "CREATE TEMP TABLE IF NOT EXISTS mine (name text)", &[]), sync()].concat());
    pair.upstream(&[frame(b'1', b""), ready(b'I')].concat());
    pair.forget();
    done(&mut pair, "SET partywall.tenant = 'globex'", "SET", b'I');
    refused(&mut pair, "SELECT * FROM mine", "C42P01");
    refused(&mut pair, "SELECT * FROM pg_temp.mine", "C42P01");
    // `IF NOT EXISTS` would find the other's, whichever way it is sent.
    refused(&mut pair, "CREATE TEMP TABLE IF NOT EXISTS mine (name text)", "C42P07");
    pair.client(&[bind("", "made", &[], &[]), execute(""), sync()].concat());
    let sent = texts(&pair.sent());
    assert!(!sent.iter().any(|(kind, body)| *kind == 'E' && body.starts_with('\0')), "{sent:?}");

    let mut pair = pool();
    done(&mut pair, "SET partywall.tenant = 'acme'", "SET", b'I');
    done(&mut pair, "CREATE TEMP TABLE mine AS SELECT name FROM contacts", "SELECT 3", b'I');
    done(&mut pair, "SET partywall.tenant = 'globex'", "SET", b'I');
    done(&mut pair, "DISCARD TEMP", "DISCARD TEMP", b'I');
    done(&mut pair, "CREATE TEMP TABLE IF NOT EXISTS mine (name text)", "CREATE TABLE", b'I');
    done(&mut pair, "SET partywall.tenant = 'acme'", "SET", b'I');
    refused(&mut pair, "SELECT * FROM mine", "C42P01");
}

#[test]
fn no_statement_runs_behind_a_change_in_its_own_message() {
    let mut pair = pool();
    refused(&mut pair, "SET partywall.tenant = 'acme'; SELECT 1", "C0A000,Mthe tenant changes in the middle");
    done(&mut pair, "SET partywall.tenant = 'acme'", "SET", b'I');
    refused(&mut pair, "SET partywall.tenant = 'globex'; SELECT name FROM contacts", "C0A000");
    refused(&mut pair, "DISCARD ALL; SELECT name FROM contacts", "C0A000");
    refused(&mut pair, "RESET ALL; SELECT name FROM contacts", "C0A000");
    done(&mut pair, "BEGIN", "BEGIN", b'T');
    // Nothing to fall back to: it is one tenant all the way.
    pair.client(&query("SELECT name FROM contacts; COMMIT; SELECT name FROM contacts"));
    pair.upstream(&[complete("SELECT 0"), complete("COMMIT"), complete("SELECT 0"), ready(b'I')].concat());
    pair.forget();
    done(&mut pair, "BEGIN", "BEGIN", b'T');
    done(&mut pair, "SET LOCAL partywall.tenant = 'globex'", "SET", b'T');
    pair.client(&query("COMMIT; SELECT name FROM contacts"));
    assert!(texts(&pair.sent())[0].1.starts_with("PARTYWALL_REFUSED_"));
}

#[test]
fn each_record_names_its_tenant_and_user() {
    let mut pair = pool();
    let record = |pair: &mut Pair| {
        let event = pair.events().pop().unwrap();
        let tenant = event.identity.tenant.as_ref().map(ToString::to_string);
        (tenant.unwrap_or_default(), event.user.as_deref().unwrap_or_default().to_owned(), event.outcome)
    };
    pair.client(&query("SET partywall.user = 'alice'"));
    assert_eq!(pair.sent(), query("SET partywall. \"user\" = 'alice'"));
    pair.upstream(&[complete("SET"), ready(b'I')].concat());
    pair.forget();
    done(&mut pair, "SET partywall.tenant = 'acme'", "SET", b'I');
    pair.client(&query(CONTACTS));
    pair.upstream(&[complete("SELECT 0"), ready(b'I')].concat());
    assert_eq!(record(&mut pair), ("acme".to_owned(), "alice".to_owned(), Outcome::Allow));
    pair.client(&query("SELECT * FROM payroll"));
    assert_eq!(record(&mut pair), ("acme".to_owned(), "alice".to_owned(), Outcome::Deny));
}
