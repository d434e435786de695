//! What a statement costs in Partywall itself: the decision, cold and from the cache; its record; its metrics.
#![expect(clippy::unwrap_used, reason = "a benchmark, where a panic is the right report")]

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use partywall::audit::event::Event;
use partywall::audit::observe;
use partywall::audit::tag::{Encryption, PolicyTag, SessionDescription, SessionTag, UpstreamDescription};
use partywall::audit::writer::{AuditWriter, Origin};
use partywall::catalog::{CATALOG_FORMAT, Catalog, Column, Key, KeyKind, Relation, RelationKind};
use partywall::config::{Audit, AuditFile};
use partywall::guard::{Decision, PrivateRelations, Protocol, Request, Ruleset, TextLimits, decide};
use partywall::policy::Policy;
use partywall::proxy::{CacheLimits, DecisionCache, Question, Source};
use partywall::session::effect::{Outcome, RecordPhase, SessionEvent, StatementEvent};
use partywall::tenant::{Identity, LoginName, TenantId, Timestamp};

const POINT: &str = "SELECT id, number, total, status FROM invoices WHERE id = $1";
const JOIN: &str = "SELECT c.name, p.title, count(i.id) AS invoices, sum(i.total) AS total FROM clients c \
    JOIN projects p ON p.client_id = c.id LEFT JOIN invoices i ON i.project_id = p.id AND i.status <> 'void' \
    JOIN countries k ON k.code = c.country WHERE c.active AND p.created_at >= $1 AND k.code IN ('NO', 'SE', 'DK', 'FI') \
    GROUP BY c.id, c.name, p.id, p.title HAVING sum(i.total) > 1000 ORDER BY total DESC NULLS LAST, c.name LIMIT 50 OFFSET $2";
const ORM: &str = "SELECT \"invoices\".\"id\", \"invoices\".\"tenant_id\", \"invoices\".\"project_id\", \"invoices\".\"number\", \
    \"invoices\".\"total\", \"invoices\".\"status\", \"invoices\".\"created_at\", \"projects\".\"id\" AS \"projects__id\", \
    \"projects\".\"title\" AS \"projects__title\" FROM \"invoices\" LEFT OUTER JOIN \"projects\" ON \"projects\".\"id\" = \
    \"invoices\".\"project_id\" WHERE \"invoices\".\"status\" = $1 AND \"invoices\".\"created_at\" BETWEEN $2 AND $3 \
    ORDER BY \"invoices\".\"created_at\" DESC LIMIT $4";

fn relation(name: &str, columns: &[(&str, &str)]) -> Relation {
    let column = |(name, type_name): &(&str, &str)| Column {
        name: (*name).to_owned(),
        type_schema: "pg_catalog".to_owned(),
        type_name: (*type_name).to_owned(),
        not_null: true,
        has_default: false,
        identity: None,
        generated: false,
        collation: None,
        nondeterministic_collation: false,
    };
    let key = columns.iter().map(|(name, _)| *name).filter(|name| ["tenant_id", "id", "code"].contains(name));
    Relation {
        schema: "public".to_owned(),
        name: name.to_owned(),
        kind: RelationKind::Table,
        columns: columns.iter().map(column).collect(),
        keys: vec![Key {
            name: format!("{name}_pkey"),
            kind: KeyKind::Primary,
            columns: key.map(str::to_owned).collect(),
            has_expressions: false,
            partial: false,
            deferrable: false,
            references: None,
        }],
        parents: Vec::new(),
        definition: None,
        security_barrier: false,
        rules: Vec::new(),
        triggers: Vec::new(),
        row_security: false,
    }
}

/// The agency's tables, and some more so that a look-up has something to look through.
fn ruleset() -> Ruleset {
    let tenant = ("tenant_id", "text");
    let id = ("id", "int8");
    let mut relations = vec![
        relation("clients", &[tenant, id, ("name", "text"), ("country", "text"), ("active", "bool")]),
        relation("projects", &[tenant, id, ("client_id", "int8"), ("title", "text"), ("created_at", "timestamptz")]),
        relation(
            "invoices",
            &[
                tenant,
                id,
                ("project_id", "int8"),
                ("number", "text"),
                ("total", "numeric"),
                ("status", "text"),
                ("note", "text"),
                ("created_at", "timestamptz"),
            ],
        ),
        relation("countries", &[("code", "text"), ("name", "text")]),
    ];
    relations.extend((0..200).map(|number| relation(&format!("other_{number}"), &[tenant, id, ("value", "text")])));
    let catalog = Catalog { format: CATALOG_FORMAT, server_version: 150_000, relations, ..Catalog::default() };
    let policy = "[tenancy]\ncolumn = \"tenant_id\"\n[table.\"public.countries\"]\nkind = \"shared\"\n\
        [table.\"public.invoices\"]\nsensitive = { note = \"pii\" }\n";
    Ruleset::compile(&Policy::parse(policy).unwrap(), &catalog).unwrap()
}

fn insert_of_100_rows() -> String {
    let row = |number: usize| format!("({number}, {}, 'INV-{number:05}', {number}.50, 'open', 'thanks')", number % 7);
    let rows: Vec<String> = (0..100).map(row).collect();
    format!("INSERT INTO invoices (id, project_id, number, total, status, note) VALUES {}", rows.join(", "))
}

fn statements() -> Vec<(&'static str, Protocol, String)> {
    vec![
        ("point select", Protocol::Extended, POINT.to_owned()),
        ("join of 420 bytes", Protocol::Extended, JOIN.to_owned()),
        ("ORM select", Protocol::Extended, ORM.to_owned()),
        ("insert of 100 rows", Protocol::Simple, insert_of_100_rows()),
    ]
}

fn identity() -> Arc<Identity> {
    let (login, tenant) = (LoginName::parse("acme_app").unwrap(), TenantId::parse("acme").unwrap());
    Arc::new(Identity { login, tenant: Some(tenant) })
}

fn decided(ruleset: &Ruleset, identity: &Identity, protocol: Protocol, sql: &str) -> Decision {
    let limits = TextLimits::default();
    let decision = decide(
        ruleset,
        &Request { identity, sql, protocol, parameter_types: &[], limits: &limits, private: PrivateRelations::none() },
    );
    assert!(matches!(decision, Decision::Forward(_)), "{sql}: {decision:?}");
    decision
}

fn decisions(criterion: &mut Criterion) {
    let (ruleset, identity) = (ruleset(), identity());
    let mut group = criterion.benchmark_group("cold");
    for (name, protocol, sql) in statements() {
        group.bench_function(name, |bencher| bencher.iter(|| decided(&ruleset, &identity, protocol, black_box(&sql))));
    }
    group.finish();
    let mut group = criterion.benchmark_group("warm");
    let limits = TextLimits::default();
    let mut cache = DecisionCache::new(CacheLimits { entries_max: 4_096, bytes_max: 32 << 20 });
    for (name, protocol, sql) in statements() {
        let question = Question {
            rules: 1,
            identity: &identity,
            sql: &sql,
            protocol,
            parameter_types: &[],
            private: PrivateRelations::none(),
        };
        cache.put(&question, &identity, &Arc::new(decided(&ruleset, &identity, protocol, &sql)));
        group.bench_function(name, |bencher| bencher.iter(|| cache.get(black_box(&question), &limits).unwrap()));
    }
    group.finish();
    let mut group = criterion.benchmark_group("other literals");
    for (name, protocol, sql) in statements() {
        let (known, asked) = (with_literals(&sql, KNOWN), with_literals(&sql, ASKED).replace("thanks", "no"));
        let question = |sql| Question {
            rules: 1,
            identity: &identity,
            sql,
            protocol,
            parameter_types: &[],
            private: PrivateRelations::none(),
        };
        cache.put(&question(&known), &identity, &Arc::new(decided(&ruleset, &identity, protocol, &known)));
        let question = question(&asked);
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                let (decision, source) = cache.get(black_box(&question), &limits).unwrap();
                assert_eq!(source, Source::Template);
                decision
            });
        });
    }
    group.finish();
}

/// The text with literals in place of its parameters, as drivers write them that bind nothing.
fn with_literals(sql: &str, literals: &[&str]) -> String {
    literals.iter().zip(1..).fold(sql.to_owned(), |sql, (literal, number)| sql.replace(&format!("${number}"), literal))
}

const KNOWN: &[&str] = &["'2024-02-01'", "'2024-03-01'", "'2024-04-01'", "50"];
const ASKED: &[&str] = &["'2025-11-30'", "'2026-01-01'", "'long ago'", "25"];

fn event(ruleset: &Ruleset, protocol: Protocol, sql: &str) -> StatementEvent {
    StatementEvent {
        phase: RecordPhase::Single,
        identity: identity(),
        user: None,
        decision: Arc::new(decided(ruleset, &identity(), protocol, sql)),
        statement: 0,
        meant: None,
        transaction_number: 12,
        statement_number: 345,
        started: Timestamp(1_795_374_605_123_456),
        ended: Timestamp(1_795_374_605_124_567),
        outcome: Outcome::Allow,
        sqlstate: None,
        rows: 1,
        rows_affected: None,
        bytes: 64,
        text_bytes: sql.len(),
    }
}

fn records(criterion: &mut Criterion) {
    let ruleset = ruleset();
    let identity = identity();
    let tag = SessionTag::new(&SessionDescription {
        session: "0123456789ab-1",
        tenant: identity.tenant.as_ref(),
        isolation: "column",
        login: Some(&identity.login),
        application_name: Some("billing"),
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
    });
    let policy = PolicyTag::new(&"0123456789abcdef".repeat(4), 1);
    let metrics = observe::new_metrics();
    let mut group = criterion.benchmark_group("record");
    for (name, protocol, sql) in statements() {
        let event = event(&ruleset, protocol, &sql);
        let mut line = Vec::new();
        group.bench_function(format!("line, {name}"), |bencher| {
            bencher.iter(|| {
                line.clear();
                Event::statement(&tag, &policy, black_box(&event), None).render(&mut line);
            });
        });
        eprintln!("{} bytes without id and proxy", line.len());
    }
    let folder = tempfile::tempdir().unwrap();
    let file = Some(AuditFile { path: folder.path().join("audit.jsonl") });
    let settings = Audit { file, queue_bytes_max: 16 << 20, ..Audit::default() };
    let origin = Origin { log: [7; 16], instance: "host".to_owned() };
    let (writer, sender) = AuditWriter::start(&settings, &origin, &metrics).unwrap();
    let statement = event(&ruleset, Protocol::Extended, POINT);
    let event = SessionEvent::Statement(statement.clone());
    // In batches, with time for the writer in between: what is measured is the session's share.
    group.bench_function("counted and queued, point select", |bencher| {
        bencher.iter_batched(
            || std::thread::sleep(Duration::from_millis(60)),
            |()| {
                (0..1_000).for_each(|_| {
                    observe::session_event(&metrics, black_box(&event));
                    sender.record(&Event::statement(&tag, &policy, black_box(&statement), None));
                });
            },
            BatchSize::PerIteration,
        );
    });
    writer.close(Duration::from_secs(10));
    group.bench_function("counted, point select", |bencher| {
        bencher.iter(|| observe::session_event(&metrics, black_box(&event)));
        metrics.upkeep();
    });
    group.finish();
}

criterion_group!(benches, decisions, records);
criterion_main!(benches);
