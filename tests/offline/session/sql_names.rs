//! SQL and the protocol share the names of prepared statements and of portals: what one makes, the other means.

use partywall::guard::Ruleset;
use partywall::policy::Policy;
use partywall::session::SessionLimits;
use partywall::session::effect::Outcome;

use crate::frames::*;
use crate::session::{LIMITS, Pair, Script};

pub(super) fn ruleset(more: &str) -> Ruleset {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/agency");
    let read = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap();
    let policy = Policy::parse(&format!("{}{more}", read("policy.toml"))).unwrap();
    Ruleset::compile(&policy, &serde_json::from_str(&read("catalog.json")).unwrap()).unwrap()
}

pub(crate) fn guarded() -> Pair {
    guarded_by(ruleset(""))
}

fn guarded_by(ruleset: Ruleset) -> Pair {
    let limits = SessionLimits { statement_bytes_max: 10_000, ..LIMITS };
    Pair::with_limits(Script { guard: Some(ruleset), ..Script::default() }, limits)
}

/// The client says this in one Query, and the server completes it with these tags.
fn said(pair: &mut Pair, sql: &str, tags: &[&str], status: u8) {
    pair.client(&query(sql));
    let answers: Vec<u8> = tags.iter().flat_map(|tag| complete(tag)).collect();
    pair.upstream(&[answers, ready(status)].concat());
    let expected: Vec<String> = tags.iter().map(|tag| format!("C({tag})")).collect();
    assert_eq!(pair.got(), format!("{} Z({})", expected.join(" "), char::from(status)), "{sql}");
    assert_eq!(pair.ended, None, "{sql}");
}

/// The client says this in one Query, and is refused without the server.
fn refused(pair: &mut Pair, sql: &str, error: &str) {
    pair.sent();
    pair.client(&query(sql));
    let got = pair.got();
    assert!(got.starts_with(&format!("E({error}")), "{sql}: {got}");
    assert_eq!(pair.sent(), b"", "{sql}");
}

#[test]
fn a_statement_that_sql_prepares_is_bound_with_its_checks() {
    let mut pair = guarded();
    said(&mut pair, "PREPARE s AS INSERT INTO tags (client_id, label) VALUES ($1, $2)", &["PREPARE"], b'I');
    pair.sent();
    let own = [bind("", "s", &[], &[Some(b"acme"), Some(b"x")]), execute(""), sync()].concat();
    pair.client(&own);
    assert_eq!(pair.sent(), own);
    pair.upstream(&[frame(b'2', b""), complete("INSERT 0 1"), ready(b'I')].concat());
    pair.forget();
    pair.client(&[bind("", "s", &[], &[Some(b"globex"), Some(b"x")]), execute(""), sync()].concat());
    assert!(pair.got().starts_with("E(C42501,Mvalue of parameter $1"));
    assert_eq!(pair.sent(), b"");
}

#[test]
fn what_execute_supplies_for_the_tenant_is_compared() {
    let mut pair = guarded();
    let sql = "INSERT INTO tags (client_id, label) VALUES ($1, $2)";
    pair.client(&[parse("s", sql, &[]), sync()].concat());
    pair.upstream(&[frame(b'1', b""), ready(b'I')].concat());
    pair.forget();
    said(&mut pair, "EXECUTE s ('acme', 'x')", &["INSERT 0 1"], b'I');
    said(&mut pair, "EXECUTE s (('acme')::text, 'x')", &["INSERT 0 1"], b'I');
    for argument in ["'globex'", "'ACME'", "NULL", "'ac' || 'me'", "1"] {
        refused(&mut pair, &format!("EXECUTE s ({argument}, 'x')"), "C42501,Mvalue of parameter $1");
    }
    refused(&mut pair, &format!("PREPARE t AS {sql}; EXECUTE t ('globex', 'x')"), "C42501,Mvalue of parameter $1");
    let event = pair.events().pop().unwrap();
    assert_eq!(event.outcome, Outcome::Deny);
}

#[test]
fn a_name_that_sql_gives_anew_means_the_new_statement() {
    let mut pair = guarded();
    pair.client(&[parse("s", "SELECT id FROM projects", &[]), sync()].concat());
    pair.upstream(&[frame(b'1', b""), ready(b'I')].concat());
    pair.forget();
    // Until the server has answered, the name could mean either.
    let anew = "DEALLOCATE s; PREPARE s AS INSERT INTO tags (client_id, label) VALUES ($1, 'x')";
    pair.client(&[query(anew), bind("", "s", &[], &[Some(b"globex")]), execute(""), sync()].concat());
    let sent = cut(&pair.sent());
    assert_eq!(sent.iter().map(|(kind, _)| char::from(*kind)).collect::<String>(), "Q");
    assert!(pair.session.holds_client());
    pair.upstream(&[complete("DEALLOCATE"), complete("PREPARE"), ready(b'I')].concat());
    assert!(pair.got().ends_with("is not this session's tenant,DA row can be written only for the tenant that the session is bound to.,HBind the tenant's own identifier, in its usual spelling, or leave the column out.) Z(I)"));
    assert_eq!(pair.sent(), b"");
}

/// Without a Sync the server may keep its answers, and the client would wait for ever.
#[test]
fn a_name_that_is_settled_by_kept_answers_is_asked_for() {
    let mut pair = guarded();
    said(&mut pair, "PREPARE s AS SELECT 1", &["PREPARE"], b'I');
    pair.forget();
    let group =
        [close(b'S', "s"), parse("s", "SELECT 2", &[]), query("PREPARE t AS SELECT 3"), bind("", "s", &[], &[])];
    pair.client(&group.concat());
    let sent = cut(&pair.sent());
    assert_eq!(sent.iter().map(|(kind, _)| char::from(*kind)).collect::<String>(), "CPQH");
    pair.upstream(&[frame(b'3', b""), frame(b'1', b""), complete("PREPARE"), ready(b'I')].concat());
    assert_eq!(cut(&pair.sent()), cut(&group[3]));
}

#[test]
fn a_prepare_that_did_not_run_gives_no_name() {
    let mut pair = guarded();
    pair.client(&query("SELECT 1; PREPARE s AS SELECT 2"));
    pair.upstream(&[error("22012", "division by zero"), ready(b'I')].concat());
    pair.forget();
    pair.client(&[bind("", "s", &[], &[]), sync()].concat());
    assert!(pair.got().starts_with("E(C26000,"));
    // What ran before the failure stays: PREPARE is not undone with the transaction.
    pair.client(&query("PREPARE s AS SELECT 2; SELECT 1"));
    pair.upstream(&[complete("PREPARE"), error("22012", "division by zero"), ready(b'I')].concat());
    pair.forget();
    let group = [bind("", "s", &[], &[]), sync()].concat();
    pair.client(&group);
    assert_eq!(pair.sent(), group);
}

#[test]
fn within_a_pipeline_names_are_followed() {
    let mut pair = guarded();
    let group = [
        parse("", "PREPARE s AS SELECT id FROM projects", &[]),
        bind("", "", &[], &[]),
        execute(""),
        bind("p", "s", &[], &[]),
        parse("", "FETCH 1 FROM p", &[]),
        bind("", "", &[], &[]),
        execute(""),
        sync(),
    ]
    .concat();
    pair.client(&group);
    assert_eq!(cut(&pair.sent()).len(), 8);
    assert!(!pair.session.holds_client());
}

#[test]
fn a_statement_under_rules_that_have_moved_on_is_not_executed() {
    let mut pair = guarded();
    let prepare = "PREPARE s AS SELECT count(*) FROM bulletins";
    said(&mut pair, prepare, &["PREPARE"], b'I');
    said(&mut pair, "PREPARE t AS SELECT count(*) FROM projects", &["PREPARE"], b'I');
    said(&mut pair, "DECLARE c CURSOR WITH HOLD FOR SELECT title FROM bulletins", &["DECLARE CURSOR"], b'I');
    pair.script.version = 2;
    // The rules have moved and say the same.
    said(&mut pair, "EXECUTE s", &["SELECT 1"], b'I');
    said(&mut pair, "FETCH c", &["FETCH 0"], b'I');
    pair.script.version = 3;
    let hidden = std::fs::read_to_string("tests/corpus/agency/policy.toml").unwrap();
    let hidden = hidden.replace("kind = \"shared-writable\"", "kind = \"hidden\"");
    let catalog = std::fs::read_to_string("tests/corpus/agency/catalog.json").unwrap();
    let policy = Policy::parse(&hidden).unwrap();
    pair.script.guard = Some(Ruleset::compile(&policy, &serde_json::from_str(&catalog).unwrap()).unwrap());
    said(&mut pair, "EXECUTE t", &["SELECT 1"], b'I');
    refused(&mut pair, "FETCH c", "C34000,Mcursor \"c\" must be declared again: the policy or the tenant has changed");
    pair.sent();
    pair.client(&query("EXECUTE s"));
    let sent = cut(&pair.sent());
    assert_eq!(sent[0], (b'C', b"Ss\0".to_vec()), "it is closed, so that it can be prepared again");
    let poison = String::from_utf8(sent[1].1.clone()).unwrap();
    let message = format!("syntax error at or near \"{}\"", poison.trim_end_matches('\0'));
    pair.upstream(&[frame(b'3', b""), error("42601", &message), ready(b'I')].concat());
    assert!(pair.got().starts_with("E(C26000,Mprepared statement \"s\" must be prepared again"));
}

#[test]
fn execute_runs_queries_and_changes_only() {
    let mut pair = guarded();
    for sql in ["COMMIT", "COPY tags (label) FROM STDIN", "EXECUTE r", "SHOW timezone", "FETCH c"] {
        pair.client(&[parse("s", sql, &[]), sync()].concat());
        pair.upstream(&[frame(b'1', b""), ready(b'I')].concat());
        pair.forget();
        refused(&mut pair, "EXECUTE s", "C0A000,MEXECUTE of this prepared statement is not allowed");
        pair.client(&[close(b'S', "s"), sync()].concat());
        pair.upstream(&[frame(b'3', b""), ready(b'I')].concat());
        pair.forget();
    }
}

#[test]
fn cursors_of_sql_are_portals() {
    let mut pair = guarded();
    said(&mut pair, "BEGIN; DECLARE c CURSOR FOR SELECT iban FROM contacts", &["BEGIN", "DECLARE CURSOR"], b'T');
    pair.forget();
    let some = [execute("c"), sync()].concat();
    pair.client(&some);
    assert_eq!(pair.sent(), some);
    pair.upstream(&[row("x"), complete("SELECT 1"), ready(b'T')].concat());
    let event = pair.events().pop().unwrap();
    assert_eq!(event.meant.unwrap().decision.facts().statements[1].objects.len(), 1, "the table is named");
    pair.got();
    said(&mut pair, "CLOSE c", &["CLOSE CURSOR"], b'T');
    pair.client(&[execute("c"), sync()].concat());
    let sent = cut(&pair.sent());
    assert!(!sent.iter().any(|(kind, body)| *kind == b'E' && body.starts_with(b"c\0")));
}

#[test]
fn a_fetch_names_what_its_cursor_reads() {
    let mut pair = guarded();
    pair.client(&query("DECLARE c CURSOR FOR SELECT iban FROM contacts; FETCH 2 FROM c"));
    let rows = [frame(b'T', b"\0\0"), row("1"), row("2"), complete("FETCH 2"), ready(b'I')].concat();
    pair.upstream(&[complete("DECLARE CURSOR"), rows].concat());
    let fetch = pair.events().pop().unwrap();
    let meant = fetch.meant.unwrap();
    assert_eq!((fetch.statement, fetch.rows, meant.statement), (1, 2, 0));
    assert!(meant.decision.facts().statements[0].objects[0].sensitive.contains_key("iban"));
}

#[test]
fn what_runs_by_a_name_that_was_never_given_ends_the_session() {
    for (sql, tag) in [("EXECUTE s", "SELECT 1"), ("FETCH c", "FETCH 1"), ("MOVE c", "MOVE 1")] {
        let mut pair = guarded();
        pair.client(&query(sql));
        pair.upstream(&[error("26000", "does not exist"), ready(b'I')].concat());
        assert_eq!(pair.ended, None);
        pair.client(&query(sql));
        pair.upstream(&[row("x"), complete(tag), ready(b'I')].concat());
        assert!(pair.ended.is_some(), "{sql}");
        assert!(!pair.got().contains("D "), "{sql}");
    }
}

#[test]
fn names_that_sql_gives_are_limited() {
    let mut pair = guarded();
    for number in 0..LIMITS.statements_max {
        said(&mut pair, &format!("PREPARE s{number} AS SELECT 1"), &["PREPARE"], b'I');
    }
    refused(&mut pair, "PREPARE more AS SELECT 1", "C54000,Mtoo many prepared statements in one session");
    said(&mut pair, "DEALLOCATE ALL", &["DEALLOCATE ALL"], b'I');
    let many: Vec<String> =
        (0..=LIMITS.statements_max).map(|number| format!("PREPARE s{number} AS SELECT 1")).collect();
    refused(&mut pair, &many.join(";"), "C54000,Mtoo many prepared statements in one session");
    for number in 0..LIMITS.portals_max {
        let sql = format!("DECLARE c{number} CURSOR WITH HOLD FOR SELECT 1");
        said(&mut pair, &sql, &["DECLARE CURSOR"], b'I');
    }
    refused(&mut pair, "DECLARE more CURSOR WITH HOLD FOR SELECT 1", "C54000,Mtoo many portals in one session");
    said(&mut pair, "CLOSE ALL", &["CLOSE CURSOR ALL"], b'I');
    said(&mut pair, "DECLARE more CURSOR WITH HOLD FOR SELECT 1", &["DECLARE CURSOR"], b'I');
}

/// Otherwise an honest client that names each cursor anew would run into the limit.
#[test]
fn cursors_are_forgotten_with_their_transaction() {
    let mut pair = guarded();
    for number in 0..3 * LIMITS.portals_max {
        let plain = format!("BEGIN; DECLARE c{number} CURSOR FOR SELECT 1; COMMIT");
        said(&mut pair, &plain, &["BEGIN", "DECLARE CURSOR", "COMMIT"], b'I');
        let undone = format!("BEGIN; DECLARE h{number} CURSOR WITH HOLD FOR SELECT 1");
        said(&mut pair, &undone, &["BEGIN", "DECLARE CURSOR"], b'T');
        said(&mut pair, "ROLLBACK", &["ROLLBACK"], b'I');
        pair.client(&query(&format!("DECLARE e{number} CURSOR WITH HOLD FOR SELECT 1; SELECT 2")));
        pair.upstream(&[complete("DECLARE CURSOR"), error("22012", "division by zero"), ready(b'I')].concat());
        assert!(pair.got().starts_with("C(DECLARE CURSOR) E(C22012"), "{number}");
    }
    // One that is committed stays, whatever is undone after it.
    said(&mut pair, "DECLARE held CURSOR WITH HOLD FOR SELECT 1", &["DECLARE CURSOR"], b'I');
    said(&mut pair, "BEGIN", &["BEGIN"], b'T');
    said(&mut pair, "ROLLBACK", &["ROLLBACK"], b'I');
    said(&mut pair, "FETCH held", &["FETCH 1"], b'I');
    said(&mut pair, "DISCARD ALL", &["DISCARD ALL"], b'I');
    pair.client(&[execute("held"), sync()].concat());
    assert!(pair.got().starts_with("E(C34000,"));
}

#[test]
fn the_row_of_a_cursor_is_changed_only_where_the_cursor_reads_the_table_through_its_lens() {
    let mut pair = guarded_by(ruleset("\n[table.\"public.contact_names\"]\nkind = \"shared\"\n"));
    let change = "DELETE FROM contacts WHERE CURRENT OF c";
    refused(&mut pair, change, "C34000,Mcursor \"c\" does not exist");
    for (query, is_fit) in [
        ("SELECT id FROM contacts", true),
        ("SELECT id FROM contacts WHERE id > 1 FOR UPDATE", true),
        ("SELECT c.id FROM contacts c, projects p FOR UPDATE OF c", true),
        ("SELECT id FROM projects", false),
        // Declared as shared, it shows rows of the table past its lens.
        ("SELECT id FROM contact_names", false),
        ("SELECT c.id FROM contacts c JOIN contact_names USING (id)", false),
    ] {
        let declare = format!("DECLARE c CURSOR WITH HOLD FOR {query}");
        said(&mut pair, &declare, &["DECLARE CURSOR"], b'I');
        if is_fit {
            said(&mut pair, change, &["DELETE 1"], b'I');
            said(
                &mut pair,
                &format!("PREPARE d AS {change}; EXECUTE d; DEALLOCATE d"),
                &["PREPARE", "DELETE 1", "DEALLOCATE"],
                b'I',
            );
        } else {
            let error = "C24000,Mcursor \"c\" is not a simply updatable scan of table \"contacts\"";
            refused(&mut pair, change, error);
            refused(&mut pair, &format!("PREPARE d AS {change}; EXECUTE d"), error);
            pair.client(&[parse("", change, &[]), bind("", "", &[], &[]), execute(""), sync()].concat());
            pair.upstream(&[frame(b'1', b""), frame(b'2', b"")].concat());
            assert!(!cut(&pair.sent()).iter().any(|(kind, body)| *kind == b'E' && body.starts_with(b"\0")), "{query}");
            pair = guarded_by(ruleset("\n[table.\"public.contact_names\"]\nkind = \"shared\"\n"));
            continue;
        }
        said(&mut pair, "CLOSE c", &["CLOSE CURSOR"], b'I');
    }
}
