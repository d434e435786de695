//! Audit records and their writer; the metrics' text.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use partywall::audit::event::{Begin, Event, EventType, SessionTotals};
use partywall::audit::identifier;
use partywall::audit::observe;
use partywall::audit::tag::{Encryption, PolicyTag, SessionDescription, SessionTag, UpstreamDescription};
use partywall::audit::writer::{AuditWriter, Origin};
use partywall::catalog::{CATALOG_FORMAT, Catalog, QualifiedName};
use partywall::config::{Audit, AuditFile};
use partywall::guard::{
    Access, ActingEffect, Code, Decision, Facts, LensKind, Naming, ObjectAccess, PrivateRelations, Protocol, Rejection,
    Request, Ruleset, StatementClass, StatementFacts, TemporaryEffect, TextLimits,
};
use partywall::metrics::Metrics;
use partywall::policy::{CatalogAccess, Explain, Policy, SensitiveClass, Tenancy};
use partywall::session::effect::{Outcome, RecordPhase, SessionEvent, StatementEvent};
use partywall::tenant::{Identity, LoginName, TenantId, Timestamp};

const NOON: Timestamp = Timestamp(1_795_374_605_000_000);

fn decide(sql: &str) -> Decision {
    let policy = Policy {
        tenancy: Tenancy {
            column: Some("tenant_id".to_owned()),
            search_path: vec!["public".to_owned()],
            explain: Explain::Off,
            catalog: CatalogAccess::Off,
        },
        tables: BTreeMap::new(),
        functions: BTreeMap::new(),
        extensions: BTreeSet::new(),
        logins: BTreeMap::new(),
        tenants: Default::default(),
        digest: "d1".to_owned(),
    };
    let catalog = Catalog { format: CATALOG_FORMAT, server_version: 150_000, ..Catalog::default() };
    let ruleset = Ruleset::compile(&policy, &catalog).unwrap();
    let identity =
        Identity { login: LoginName::parse("acme_app").unwrap(), tenant: Some(TenantId::parse("acme").unwrap()) };
    let limits = TextLimits::default();
    let request = Request {
        identity: &identity,
        sql,
        protocol: Protocol::Simple,
        parameter_types: &[],
        limits: &limits,
        private: PrivateRelations::none(),
    };
    partywall::guard::decide(&ruleset, &request)
}

fn invoices() -> Facts {
    let object = ObjectAccess {
        relation: QualifiedName::new("public", "invoices"),
        lens: LensKind::Scoped,
        access: BTreeSet::from([Access::Read]),
        columns: BTreeSet::from(["iban".to_owned(), "id".to_owned()]),
        sensitive: BTreeMap::from([("iban".to_owned(), SensitiveClass::Pci)]),
    };
    let statement = StatementFacts {
        command: "SELECT",
        class: StatementClass::Read,
        objects: vec![object],
        naming: Naming::Nothing,
        positioned: None,
        reads_views: false,
        calls_own_functions: false,
        temporary: TemporaryEffect::None,
        acting: ActingEffect::None,
    };
    Facts { statements: vec![statement], normalized: "SELECT id, iban FROM invoices WHERE note = $1".to_owned() }
}

fn forwarded(facts: Facts) -> Arc<Decision> {
    let Decision::Forward(mut forward) = decide("SELECT 1") else { panic!("SELECT 1 is refused") };
    forward.facts = facts.into();
    Arc::new(Decision::Forward(forward))
}

fn statement(decision: Arc<Decision>, outcome: Outcome) -> StatementEvent {
    let (login, tenant) = (LoginName::parse("acme_app").unwrap(), TenantId::parse("acme").unwrap());
    StatementEvent {
        phase: RecordPhase::Single,
        identity: Arc::new(Identity { login, tenant: Some(tenant) }),
        user: None,
        decision,
        statement: 0,
        meant: None,
        transaction_number: 3,
        statement_number: 7,
        started: NOON,
        ended: Timestamp(NOON.0 + 1_234),
        outcome,
        sqlstate: None,
        rows: 2,
        rows_affected: None,
        bytes: 96,
        text_bytes: 55,
    }
}

fn session() -> SessionTag {
    SessionTag::new(&SessionDescription {
        session: "s-1",
        tenant: Some(&TenantId::parse("acme").unwrap()),
        isolation: "column",
        login: Some(&LoginName::parse("acme_app").unwrap()),
        application_name: Some("bill\"ing\n"),
        method: Some("scram-sha-256"),
        source: Some("127.0.0.1:50000".parse().unwrap()),
        upstream: Some(UpstreamDescription {
            name: "main",
            host: "db.internal",
            port: 5432,
            encryption: Encryption::Tls,
            database: "app",
            role: "app",
        }),
    })
}

fn rendered(event: &Event<'_>) -> String {
    let mut line = b"{".to_vec();
    event.render(&mut line);
    line.push(b'}');
    String::from_utf8(line).unwrap()
}

fn origin() -> Origin {
    Origin { log: identifier::new(NOON, [7; 10]), instance: "host-1".to_owned() }
}

fn settings(path: &Path, queue_bytes_max: usize) -> Audit {
    Audit { file: Some(AuditFile { path: path.to_owned() }), queue_bytes_max, ..Audit::default() }
}

fn lines(path: &Path) -> Vec<serde_json::Value> {
    let text = fs::read_to_string(path).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect()
}

fn whole_lines(text: &[u8]) -> Vec<serde_json::Value> {
    let lines = text.split_inclusive(|byte| *byte == b'\n').filter(|line| line.ends_with(b"\n"));
    lines.map(|line| serde_json::from_slice(line).unwrap()).collect()
}

#[expect(clippy::disallowed_methods, reason = "a deadline, so that a fault shows as a failure")]
fn until(what: &str, condition: impl Fn() -> bool) {
    let begun = Instant::now();
    while !condition() {
        assert!(begun.elapsed() < Duration::from_secs(30), "not within 30 s: {what}");
        thread::yield_now();
    }
}

fn sample(metrics: &Metrics, series: &str) -> f64 {
    let text = metrics.render();
    let found = text.lines().find_map(|line| line.strip_prefix(series)?.trim().parse().ok());
    found.unwrap_or_else(|| panic!("no {series} in\n{text}"))
}

#[test]
fn a_statement_is_one_line_with_its_keys_in_order() {
    let event = statement(forwarded(invoices()), Outcome::Allow);
    let line = rendered(&Event::statement(&session(), &PolicyTag::new("d1", 4), &event, None));
    assert_eq!(
        line,
        concat!(
            r#"{"time":"2026-11-22T19:10:05.000000Z","type":"statement","outcome":"allow","sqlstate":null,"severity":1,"#,
            r#""tenant":"acme","isolation":"column","actor":{"user":"acme_app","user_src":"startup","db_role":"app","#,
            r#""app":"bill\"ing\n","auth":"scram-sha-256"},"session":"s-1","txn":3,"stmt":7,"#,
            r#""src":{"ip":"127.0.0.1","port":50000},"dst":{"name":"main","host":"db.internal","port":5432,"tls":true},"#,
            r#""db":"app","command":"SELECT","class":"read","#,
            r#""sql":{"text":"SELECT id, iban FROM invoices WHERE note = $1","hash":"e0e4dbc41bfdb728","len":55,"cut":false},"#,
            r#""objects":[{"schema":"public","name":"invoices","kind":"scoped","access":["read"],"#,
            r#""columns":["iban","id"],"sensitive":{"iban":"pci"}}],"rows":2,"affected":null,"bytes":96,"dur_us":1234,"#,
            r#""policy":{"id":"d1","version":4,"rule":"scoped","rewritten":true}}"#
        )
    );
}

#[test]
fn a_refusal_names_its_reason_and_how_grave_it_is() {
    for (code, severity) in
        [(Code::RelationUnknown, 3), (Code::TenantMismatch, 4), (Code::ReadingsDisagree, 5), (Code::NotParsed, 3)]
    {
        let rejection = Rejection::new(code, "no");
        let mut event = statement(Arc::new(Decision::Reject { rejection, facts: Facts::default() }), Outcome::Deny);
        event.sqlstate = code.sqlstate().as_bytes().try_into().ok();
        let line = rendered(&Event::statement(&session(), &PolicyTag::new("d1", 4), &event, None));
        let record: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(record["type"], "deny");
        assert_eq!(record["outcome"], "deny");
        assert_eq!(record["reason"], code.as_str());
        assert_eq!(record["sqlstate"], code.sqlstate());
        assert_eq!(record["severity"], severity);
        assert_eq!(record["objects"], serde_json::json!([]));
        assert_eq!(record["policy"]["rewritten"], false);
        assert_eq!(record["policy"]["rule"], code.as_str());
    }
}

/// Whatever a client sends as data stays out: literals of statements that pass and of those that do not, and the
/// words of a refusal, which may quote it.
#[test]
fn no_literal_reaches_a_record() {
    let secret = "hunter2-4111111111111111";
    for sql in [
        format!("SELECT '{secret}'"),
        format!("SELECT E'{secret}', $tag${secret}$tag$"),
        format!("INSERT INTO invoices (note) VALUES ('{secret}')"),
        format!("SELECT * FROM nowhere WHERE a = '{secret}'"),
        format!("ALTER ROLE app PASSWORD '{secret}'"),
        format!("SELECT '{secret}"),
        format!("/* {secret} */ SELECT 1"),
        format!("not SQL at all '{secret}' -- {secret}"),
    ] {
        let decision = Arc::new(decide(&sql));
        let outcome = if matches!(*decision, Decision::Forward(_)) { Outcome::Allow } else { Outcome::Deny };
        let event = statement(decision, outcome);
        let line = rendered(&Event::statement(&session(), &PolicyTag::new("d1", 4), &event, None));
        assert!(!line.contains(secret), "{sql}: {line}");
    }
    let rejection = Rejection::new(Code::TenantMismatch, secret).detail(secret).hint(secret);
    let event = statement(Arc::new(Decision::Reject { rejection, facts: Facts::default() }), Outcome::Deny);
    assert!(!rendered(&Event::statement(&session(), &PolicyTag::new("d1", 4), &event, None)).contains(secret));
}

#[test]
fn a_long_text_is_cut_at_a_character_and_hashed_whole() {
    let hash = |normalized: String| {
        let event = statement(forwarded(Facts { normalized, ..invoices() }), Outcome::Allow);
        let line = rendered(&Event::statement(&session(), &PolicyTag::new("d1", 4), &event, None));
        let record: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(record["sql"]["cut"], true);
        assert!(record["sql"]["text"].as_str().unwrap().len() <= 8_192);
        record["sql"]["hash"].clone()
    };
    let long = "é".repeat(5_000);
    assert_ne!(hash(format!("x{long}1")), hash(format!("x{long}2")));
}

#[test]
fn a_statement_that_is_recorded_twice_names_its_beginning() {
    let policy = PolicyTag::new("d1", 4);
    let record = |phase, begin| {
        let event = StatementEvent { phase, ..statement(forwarded(invoices()), Outcome::Unknown) };
        let line = rendered(&Event::statement(&session(), &policy, &event, begin));
        serde_json::from_str::<serde_json::Value>(&line).unwrap()
    };
    let begin = record(RecordPhase::Begin(3), None);
    assert_eq!((&begin["phase"], &begin["outcome"]), (&"begin".into(), &"unknown".into()));
    assert_eq!(begin["objects"][0]["name"], "invoices");
    assert!(begin.get("rows").is_none() && begin.get("begin").is_none());
    let end = record(RecordPhase::End(3), Some(Begin { log: "some-log", seq: 17 }));
    assert_eq!((&end["phase"], &end["begin"]), (&"end".into(), &"some-log/17".into()));
    assert_eq!(end["rows"], 2);
}

/// A statement of a thousand tables does not make a record that the spool cannot take, nor hide what is sensitive in it.
#[test]
fn a_record_of_many_objects_is_bounded_and_names_the_sensitive_ones() {
    let mut facts = invoices();
    let sensitive = facts.statements[0].objects.remove(0);
    let many = (0..3_000).map(|number| ObjectAccess {
        relation: QualifiedName::new("public", format!("table_{number}_{}", "x".repeat(40))),
        columns: (0..10).map(|column| format!("column_{column}_{}", "y".repeat(40))).collect(),
        sensitive: BTreeMap::new(),
        ..sensitive.clone()
    });
    facts.statements[0].objects = many.chain([sensitive.clone()]).collect();
    let event = statement(forwarded(facts), Outcome::Allow);
    let line = rendered(&Event::statement(&session(), &PolicyTag::new("d1", 4), &event, None));
    assert!(line.len() < 200_000, "{}", line.len());
    let record: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert_eq!(record["objects"][0]["name"], "invoices");
    let named = record["objects"].as_array().unwrap().len() as u64;
    assert_eq!(named + record["objects_more"].as_u64().unwrap(), 3_001);
}

#[test]
fn a_session_is_told_from_login_to_end() {
    let tag = session();
    let policy = PolicyTag::new("d1", 4);
    let totals = SessionTotals { transactions: 1, statements: 2, rows: 3, bytes: 4, duration_us: 5 };
    for (event, expected) in [
        (Event::auth_ok(&tag, NOON), ("auth.ok", "allow", None)),
        (Event::auth_failed(&tag, "auth_failed", NOON), ("auth.fail", "deny", Some("auth_failed"))),
        (Event::session_opened(&tag, &policy, NOON), ("session.open", "allow", None)),
        (Event::session_closed(&tag, totals, None, NOON), ("session.close", "allow", None)),
        (Event::session_closed(&tag, totals, Some("protocol"), NOON), ("session.close", "error", Some("protocol"))),
        (Event::process(EventType::Start, NOON), ("start", "allow", None)),
        (Event::config(Some(&policy), None, NOON), ("config", "allow", None)),
        (Event::config(None, Some("policy"), NOON), ("config", "error", Some("policy"))),
    ] {
        let record: serde_json::Value = serde_json::from_str(&rendered(&event)).unwrap();
        assert_eq!((record["type"].as_str(), record["outcome"].as_str()), (Some(expected.0), Some(expected.1)));
        assert_eq!(record["reason"].as_str(), expected.2);
        assert!(record["actor"]["user_src"].is_string() && record["src"].is_object());
    }
}

#[test]
fn records_of_many_threads_are_numbered_without_a_gap_and_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    let metrics = observe::new_metrics();
    let (writer, sender) = AuditWriter::start(&settings(&path, 64 << 20), &origin(), &metrics).unwrap();
    let tag = session();
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| (0..500).for_each(|_| sender.record(&Event::auth_ok(&tag, NOON))));
        }
    });
    writer.close(Duration::from_secs(30));
    let records = lines(&path);
    assert_eq!(records.len(), 2_000);
    let log = identifier::text(&origin().log);
    for (record, seq) in records.iter().zip(1u64..) {
        assert_eq!(record["seq"], seq);
        assert_eq!(record["id"], format!("{log}/{seq}"));
        assert_eq!(record["v"], 1);
        assert_eq!(record["proxy"]["instance"], "host-1");
    }
    assert_eq!(sample(&metrics, r#"partywall_audit_events_total{type="auth.ok",outcome="allow"}"#), 2_000.0);
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
}

/// A pipe that nobody reads: the writer is stuck after 64 KiB, and nobody else may be.
#[test]
fn a_stuck_disk_never_stops_a_session_and_the_loss_is_recorded() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pipe");
    assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
    // Kept open, so that the reader below sees what was written before it came.
    let mut reader = fs::OpenOptions::new().read(true).write(true).open(&path).unwrap();
    let metrics = observe::new_metrics();
    let queue_bytes_max = 400_000;
    let (writer, sender) = AuditWriter::start(&settings(&path, queue_bytes_max), &origin(), &metrics).unwrap();
    let tag = session();
    let policy = PolicyTag::new("d1", 4);
    let plain = statement(forwarded(Facts::default()), Outcome::Allow);
    let sent = 5_000;
    (0..sent).for_each(|_| sender.record(&Event::statement(&tag, &policy, &plain, None)));
    let lost = sample(&metrics, r#"partywall_audit_lost_total{cause="queue_full"}"#);
    assert!(lost > 0.0, "nothing was lost: the bound does not hold");
    // What is looked for in an audit trail still finds room.
    sender.record(&Event::auth_failed(&tag, "auth_failed", NOON));
    assert_eq!(sample(&metrics, r#"partywall_audit_lost_total{cause="queue_full"}"#), lost);

    let mut text = Vec::new();
    let mut chunk = [0; 65_536];
    // One record for each time that the writer came round.
    let losses = |text: &[u8]| -> f64 {
        let records = whole_lines(text).into_iter();
        records.filter(|record| record["type"] == "loss").map(|record| record["loss"]["count"].as_f64().unwrap()).sum()
    };
    while losses(&text) < lost {
        let count = reader.read(&mut chunk).unwrap();
        text.extend_from_slice(&chunk[..count]);
    }
    writer.close(Duration::from_secs(30));
    assert_eq!(losses(&text), lost);
    let records = whole_lines(&text);
    let kept = records.iter().filter(|record| record["type"] == "statement").count();
    assert_eq!(kept as f64 + lost, f64::from(sent));
    assert!(records.iter().any(|record| record["type"] == "auth.fail"));
    assert!(records.iter().zip(1u64..).all(|(record, seq)| record["seq"] == seq));
}

#[test]
fn a_full_disk_is_counted_and_what_cannot_be_written_at_the_end_too() {
    let metrics = observe::new_metrics();
    let (writer, sender) = AuditWriter::start(&settings(Path::new("/dev/full"), 1 << 20), &origin(), &metrics).unwrap();
    let tag = session();
    (0..3).for_each(|_| sender.record(&Event::auth_ok(&tag, NOON)));
    until("a write fails", || sample(&metrics, "partywall_audit_write_errors_total") > 0.0);
    writer.close(Duration::from_secs(30));
    assert_eq!(sample(&metrics, r#"partywall_audit_lost_total{cause="shutdown"}"#), 3.0);
}

#[test]
fn a_file_moved_away_is_opened_anew_and_a_torn_line_is_ended() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    fs::write(&path, "{\"torn\":").unwrap();
    let metrics = observe::new_metrics();
    let (writer, sender) = AuditWriter::start(&settings(&path, 1 << 20), &origin(), &metrics).unwrap();
    let tag = session();
    sender.record(&Event::auth_ok(&tag, NOON));
    until("the record is in the file", || fs::read_to_string(&path).unwrap().ends_with("}}\n"));
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.starts_with("{\"torn\":\n{\"v\":1,"), "{text}");

    fs::rename(&path, folder.path().join("audit.1")).unwrap();
    sender.reopen();
    until("the file is made anew", || path.exists());
    sender.record(&Event::auth_ok(&tag, NOON));
    writer.close(Duration::from_secs(30));
    let records = lines(&path);
    assert_eq!(records.len(), 1);
    assert_eq!(records[0]["seq"], 2);
}

#[test]
fn a_wrong_path_is_found_at_start() {
    let metrics = observe::new_metrics();
    assert!(AuditWriter::start(&settings(Path::new("/nowhere/audit.jsonl"), 1), &origin(), &metrics).is_err());
}

#[test]
fn log_identifiers_are_uuids_of_version_7_that_sort_by_time() {
    let early = identifier::text(&identifier::new(NOON, [0xff; 10]));
    let late = identifier::text(&identifier::new(Timestamp(NOON.0 + 1_000), [0; 10]));
    assert!(early < late);
    assert_eq!(early, "01a204aa-62c8-7fff-bfff-ffffffffffff");
}

#[test]
fn what_happens_in_a_session_is_counted() {
    let metrics = observe::new_metrics();
    let record = |event| observe::session_event(&metrics, &SessionEvent::Statement(event));
    record(statement(forwarded(invoices()), Outcome::Allow));
    record(statement(forwarded(Facts::default()), Outcome::Error));
    let rejection = Rejection::new(Code::ReadingsDisagree, "no");
    record(statement(Arc::new(Decision::Reject { rejection, facts: Facts::default() }), Outcome::Deny));
    let limit = SessionEvent::LimitReached("portals_per_session_max");
    observe::session_event(&metrics, &limit);
    for (series, expected) in [
        (r#"partywall_statements_total{class="read",outcome="allow"}"#, 1.0),
        (r#"partywall_statements_total{class="misc",outcome="error"}"#, 1.0),
        (r#"partywall_statements_total{class="misc",outcome="deny"}"#, 1.0),
        (r#"partywall_rows_returned_total{class="read"}"#, 2.0),
        (r#"partywall_bytes_returned_total{class="read"}"#, 96.0),
        (r#"partywall_sensitive_reads_total{data_class="pci"}"#, 1.0),
        (r#"partywall_sensitive_reads_total{data_class="pii"}"#, 0.0),
        (r#"partywall_denied_total{reason="readings-disagree"}"#, 1.0),
        ("partywall_disagreements_total", 1.0),
        (r#"partywall_limit_reached_total{limit="portals_per_session_max"}"#, 1.0),
        (r#"partywall_statement_duration_seconds_bucket{class="read",le="0.001"}"#, 0.0),
        (r#"partywall_statement_duration_seconds_bucket{class="read",le="0.0025"}"#, 1.0),
    ] {
        assert_eq!(sample(&metrics, series), expected, "{series}");
    }
}

#[test]
fn open_sessions_are_counted_by_what_they_do() {
    use partywall::metrics::{Activity, ConnectionCount, ConnectionState, UpstreamError};
    let metrics = observe::new_metrics();
    let state = |state: &str| sample(&metrics, &format!("partywall_sessions{{state=\"{state}\"}}"));
    let mut first = metrics.session();
    let second = metrics.session();
    first.set(Activity::InTransaction);
    assert_eq!((state("idle"), state("active"), state("in_transaction")), (1.0, 0.0, 1.0));
    drop((first, second));
    assert_eq!((state("idle"), state("active"), state("in_transaction")), (0.0, 0.0, 0.0));

    let upstream = metrics.upstream("main");
    let connections = || sample(&metrics, r#"partywall_upstream_connections{upstream="main",state="active"}"#);
    let mut connection = ConnectionCount::new(metrics.upstream("main"));
    connection.set(ConnectionState::Active);
    upstream.failed(UpstreamError::Closed);
    assert_eq!(connections(), 1.0);
    drop(connection);
    assert_eq!(connections(), 0.0);
    assert_eq!(sample(&metrics, r#"partywall_upstream_errors_total{upstream="main",kind="closed"}"#), 1.0);
}

/// A label that a client could choose would let it fill the monitoring system.
#[test]
fn labels_are_from_fixed_lists() {
    let metrics = observe::new_metrics();
    let series = |text: String| text.lines().filter(|line| !line.starts_with('#')).count();
    let before = series(metrics.render());
    for word in ["chosen by a client", "\"} 1\nevil 2", ""] {
        metrics.denied(word);
        metrics.auth_failed(word);
        metrics.limit_reached(word);
        metrics.sensitive_read(word);
    }
    assert_eq!(series(metrics.render()), before);
    assert_eq!(sample(&metrics, r#"partywall_denied_total{reason="other"}"#), 3.0);
    assert!(before < 350, "{before} series");
}

#[test]
fn the_metrics_text_is_what_prometheus_asks_for() {
    let metrics = observe::new_metrics();
    metrics.upstream("main").set_down();
    let text = metrics.render();
    for name in [
        "partywall_build_info",
        "partywall_statements_total",
        "partywall_statement_duration_seconds_bucket",
        "partywall_overhead_seconds_count",
        "partywall_disagreements_total 0",
        "partywall_audit_lost_total",
        "partywall_upstream_up",
        "process_cpu_seconds_total",
        "process_open_fds",
    ] {
        assert!(text.contains(name), "{name} is missing from\n{text}");
    }
    for line in text.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
        let name = line.split(['{', ' ']).next().unwrap();
        let family = ["_bucket", "_sum", "_count"].iter().find_map(|end| name.strip_suffix(end)).unwrap_or(name);
        let described = [name, family].iter().any(|name| text.contains(&format!("# HELP {name} ")));
        assert!(described, "{name} has no help");
    }
    let promtool =
        Command::new("promtool").args(["check", "metrics"]).stdin(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut promtool = match promtool {
        Ok(promtool) => promtool,
        Err(error) => panic!("promtool (Debian's package prometheus) cannot be run: {error}"),
    };
    promtool.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = promtool.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
