//! What COPY FROM costs in a session: megabytes a second, on one core, of rows that each get the tenant.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a benchmark, where a panic is the right report")]
#![expect(clippy::disallowed_methods, reason = "a benchmark asks the clock")]

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use partywall::catalog::{CATALOG_FORMAT, Catalog, Column, Relation, RelationKind};
use partywall::guard::{Decision, PrivateRelations, Protocol, Request, Ruleset, TextLimits, decide};
use partywall::policy::Policy;
use partywall::session::{Decider, Session, SessionLimits};
use partywall::tenant::{Identity, LoginName, TenantId, Timestamp};

/// What a client's library sends in one message.
const MESSAGE_BYTES: usize = 65_536;
/// What the pump hands over at once.
const INPUT_BYTES: usize = 65_536;
const ROWS_BYTES: usize = 16 << 20;
const RUNS: usize = 5;

struct Guard {
    ruleset: Ruleset,
}

impl Decider for Guard {
    fn decide(
        &mut self,
        identity: &Arc<Identity>,
        sql: &str,
        protocol: Protocol,
        parameter_types: &[u32],
        private: &PrivateRelations,
    ) -> Arc<Decision> {
        let limits = TextLimits::default();
        let request = Request { identity, sql, protocol, parameter_types, limits: &limits, private };
        Arc::new(decide(&self.ruleset, &request))
    }

    fn version(&self) -> u64 {
        1
    }
}

fn guard() -> Guard {
    let column = |name: &str| Column {
        name: name.to_owned(),
        type_schema: "pg_catalog".to_owned(),
        type_name: "text".to_owned(),
        not_null: true,
        has_default: false,
        identity: None,
        generated: false,
        collation: None,
        nondeterministic_collation: false,
    };
    let relation = Relation {
        schema: "public".to_owned(),
        name: "rows".to_owned(),
        kind: RelationKind::Table,
        columns: ["id", "tenant_id", "name", "amount", "note"].map(column).into(),
        keys: Vec::new(),
        parents: Vec::new(),
        definition: None,
        rules: Vec::new(),
        triggers: Vec::new(),
        row_security: false,
        security_barrier: false,
    };
    let catalog =
        Catalog { format: CATALOG_FORMAT, server_version: 150_000, relations: vec![relation], ..Catalog::default() };
    let policy = Policy::parse("[tenancy]\ncolumn = \"tenant_id\"\n").unwrap();
    Guard { ruleset: Ruleset::compile(&policy, &catalog).unwrap() }
}

fn frame(kind: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 4).unwrap();
    [&[kind][..], &length.to_be_bytes(), body].concat()
}

/// One form of data: the statement, how many columns the server reads, and rows.
struct Form {
    name: &'static str,
    sql: &'static str,
    columns: u8,
    head: &'static [u8],
    row: fn(usize, &str, &mut Vec<u8>),
}

const BINARY_HEAD: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";

fn binary(fields: &[&[u8]], out: &mut Vec<u8>) {
    out.extend(u16::try_from(fields.len()).unwrap().to_be_bytes());
    for field in fields {
        out.extend(u32::try_from(field.len()).unwrap().to_be_bytes());
        out.extend_from_slice(field);
    }
}

const FORMS: &[Form] = &[
    Form {
        name: "text, tenant added",
        sql: "COPY rows (id, name, amount, note) FROM STDIN",
        columns: 5,
        head: b"",
        row: |number, note, out| out.extend(format!("{number}\tname {number}\t{number}.50\t{note}\n").bytes()),
    },
    Form {
        name: "text, tenant compared",
        sql: "COPY rows FROM STDIN",
        columns: 5,
        head: b"",
        row: |number, note, out| out.extend(format!("{number}\tacme\tname {number}\t{number}.50\t{note}\n").bytes()),
    },
    Form {
        name: "csv, tenant added",
        sql: "COPY rows (id, name, amount, note) FROM STDIN CSV",
        columns: 5,
        head: b"",
        row: |number, note, out| out.extend(format!("{number},\"name {number}\",{number}.50,\"{note}\"\n").bytes()),
    },
    Form {
        name: "csv, tenant compared",
        sql: "COPY rows FROM STDIN CSV",
        columns: 5,
        head: b"",
        row: |number, note, out| {
            out.extend(format!("{number},acme,\"name {number}\",{number}.50,\"{note}\"\n").bytes())
        },
    },
    Form {
        name: "binary, tenant added",
        sql: "COPY rows (id, name, amount, note) FROM STDIN (FORMAT binary)",
        columns: 5,
        head: BINARY_HEAD,
        row: |number, note, out| {
            let number = u64::try_from(number).unwrap().to_be_bytes();
            binary(&[&number, b"name", &number, note.as_bytes()], out);
        },
    },
    Form {
        name: "binary, tenant compared",
        sql: "COPY rows FROM STDIN (FORMAT binary)",
        columns: 5,
        head: BINARY_HEAD,
        row: |number, note, out| {
            let number = u64::try_from(number).unwrap().to_be_bytes();
            binary(&[&number, b"acme", b"name", &number, note.as_bytes()], out);
        },
    },
];

/// Feeds one whole COPY, and gives the bytes that went up.
fn copy(form: &Form, messages: &[u8]) -> (Duration, usize) {
    let limits = SessionLimits {
        statement_bytes_max: 100_000,
        bind_bytes_max: 100_000,
        statements_max: 10,
        portals_max: 10,
        temporary_tables_max: 5,
        pipeline_max: 10,
    };
    let mut guard = guard();
    let (login, tenant) = (LoginName::parse("acme_app").unwrap(), TenantId::parse("acme").unwrap());
    let identity = Arc::new(Identity { login, tenant: Some(tenant) });
    let mut session = Session::new(limits, identity, [7; 16]);
    let query = frame(b'Q', format!("{}\0", form.sql).as_bytes());
    session.handle_client(&query, &mut guard, Timestamp(0)).unwrap();
    let format = u8::from(form.head == BINARY_HEAD);
    let mut asks = vec![format, 0, form.columns];
    asks.extend([0, format].repeat(usize::from(form.columns)));
    session.handle_upstream(&frame(b'G', &asks), Timestamp(0)).unwrap();
    session.upstream_output().clear();
    let (mut rest, mut sent) = (messages, 0);
    let start = Instant::now();
    while !rest.is_empty() {
        let input = &rest[..rest.len().min(INPUT_BYTES)];
        let progress = session.handle_client(input, &mut guard, Timestamp(0)).unwrap();
        rest = &rest[progress.consumed..];
        let output = session.upstream_output();
        sent += black_box(&output[..]).len();
        output.clear();
    }
    (start.elapsed(), sent)
}

fn main() {
    for form in FORMS {
        for (width, note) in [("narrow", "note".to_owned()), ("wide", "a longer note ".repeat(70))] {
            let mut rows = form.head.to_vec();
            let mut count = 0;
            while rows.len() < ROWS_BYTES {
                (form.row)(count, &note, &mut rows);
                count += 1;
            }
            let messages: Vec<u8> = rows.chunks(MESSAGE_BYTES).flat_map(|piece| frame(b'd', piece)).collect();
            let (best, sent) = (0..RUNS).map(|_| copy(form, &messages)).min().unwrap();
            assert!(sent > rows.len(), "{}: the tenant is missing", form.name);
            let megabytes = rows.len() as f64 / 1e6;
            println!(
                "{:24} {width:6} rows of {:4} bytes {:6.0} MB/s",
                form.name,
                rows.len() / count,
                megabytes / best.as_secs_f64()
            );
        }
    }
}
