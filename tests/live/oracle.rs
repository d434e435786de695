//! The promise as a test: what a tenant sees and changes through the guard in a shared database is what it would see and
//! change, with its own words, in a database that holds its rows alone, whatever the rows of others are.
//!
//! `PARTYWALL_ORACLE_STATEMENTS` (20000) and `PARTYWALL_ORACLE_SEED` set how much and what is generated. A find is printed
//! as a case, with the seed that makes it again.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::sync::Mutex;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;

use partywall::catalog::Catalog;
use partywall::config::Upstream;
use partywall::config::UpstreamTls;
use partywall::demo::postgres::Options;
use partywall::demo::postgres::ThrowawayPostgres;
use partywall::guard;
use partywall::guard::Decision;
use partywall::guard::Forward;
use partywall::guard::LensKind;
use partywall::guard::PrivateRelations;
use partywall::guard::Protocol;
use partywall::guard::Request;
use partywall::guard::Ruleset;
use partywall::guard::StatementClass;
use partywall::guard::TextLimits;
use partywall::tenant::Identity;
use partywall::tenant::LoginName;
use partywall::tenant::TenantId;
use partywall::upstream::Target;
use partywall::upstream::load_catalog;

use crate::generator::Generator;
use crate::generator::Random;
use crate::worlds::Answer;
use crate::worlds::Connection;
use crate::worlds::TENANT;
use crate::worlds::WORLDS;
use crate::worlds::Worlds;
use crate::worlds::corpus;
use crate::worlds::load_ruleset;

/// Differences of one kind to print: a broken guard would fill the terminal.
const FINDS_OF_A_KIND_MAX: usize = 3;

/// Of generated statements, in percent: soundness by refusing everything is worthless.
const FORWARDED_MIN: u64 = 98;

/// `statement_timeout`: now and then the generator writes a join of everything with everything.
pub(crate) const QUERY_CANCELED: &str = "57014";

#[test]
fn generated_statements_as_if_alone() {
    let statements = number("PARTYWALL_ORACLE_STATEMENTS", 20_000);
    let seed = number("PARTYWALL_ORACLE_SEED", 1);
    let workers = std::thread::available_parallelism().map_or(2, std::num::NonZero::get).clamp(2, 8);
    let worlds = Worlds::start(workers);
    let ruleset = load_ruleset("agency");
    let next = AtomicU64::new(0);
    let tally = Mutex::new(Tally::default());
    std::thread::scope(|scope| {
        for worker in 0..workers {
            let (worlds, ruleset, next, tally) = (&worlds, &ruleset, &next, &tally);
            scope.spawn(move || {
                let mut judge = Judge::new(worlds, worker);
                loop {
                    let n = next.fetch_add(1, Ordering::Relaxed);
                    if n >= statements {
                        break;
                    }
                    let own_seed = Random::new(seed ^ (n << 20)).next();
                    let generated = Generator::new(own_seed).statement();
                    let trial = Trial { sql: generated.sql, ordered: generated.ordered, plan_seed: own_seed };
                    let outcome = judge.try_one(&trial, &|sql| decide(ruleset, sql));
                    if let Outcome::Differs(difference) = &outcome
                        && tally.lock().unwrap().is_new(difference)
                    {
                        let small = judge.minimize(&trial, &|sql| decide(ruleset, sql));
                        tally.lock().unwrap().find(&small.0, &small.1, &format!("seed {seed}, statement {n}"));
                    }
                    tally.lock().unwrap().count(&outcome);
                }
            });
        }
    });
    let tally = tally.into_inner().unwrap();
    eprintln!("{}", tally.summary());
    assert!(tally.finds.is_empty(), "differences, {:?}:\n\n{}", tally.differences, tally.report());
    assert!(
        tally.forwarded * 100 >= (tally.all - tally.skipped) * FORWARDED_MIN,
        "too much is refused: {}",
        tally.summary()
    );
    assert!(tally.failed * 100 <= tally.all * 5, "the generator makes too much that fails: {}", tally.summary());
}

#[test]
fn the_corpus_as_if_alone() {
    let worlds = Worlds::start(1);
    let ruleset = load_ruleset("agency");
    let mut judge = Judge::new(&worlds, 0);
    let mut tally = Tally::default();
    for (file, sql) in corpus_statements() {
        for plan_seed in 0..6 {
            let trial = Trial { sql: sql.clone(), ordered: false, plan_seed };
            let outcome = judge.try_one(&trial, &|sql| decide_rows(&ruleset, sql));
            if let Outcome::Differs(difference) = &outcome {
                if tally.is_new(difference) {
                    tally.find(&trial, difference, &file);
                }
                tally.count(&outcome);
                break;
            }
            tally.count(&outcome);
        }
    }
    eprintln!("{}", tally.summary());
    assert!(tally.finds.is_empty(), "differences, {:?}:\n\n{}", tally.differences, tally.report());
}

/// An oracle that cannot fail proves nothing: guards that are wrong in known ways are found out.
#[test]
fn wrong_guards_are_found_out() {
    let worlds = Worlds::start(1);
    let mut judge = Judge::new(&worlds, 0);
    let nothing = |sql: &str| Verdict::Forward(sql.to_owned());
    let found = (0..60)
        .filter(|seed| {
            let generated = Generator::new(*seed).statement();
            let trial = Trial { sql: generated.sql, ordered: generated.ordered, plan_seed: *seed };
            matches!(judge.try_one(&trial, &nothing), Outcome::Differs(_))
        })
        .count();
    assert!(found > 30, "statements that were forwarded as they were: {found} of 60 found");
    for (sql, wrong, right) in WRONG_GUARDS {
        let trial = |plan_seed| Trial { sql: (*sql).to_owned(), ordered: false, plan_seed };
        let mut differs = |text: &str, plan_seed| {
            let outcome = judge.try_one(&trial(plan_seed), &|_| Verdict::Forward(text.to_owned()));
            matches!(outcome, Outcome::Differs(_))
        };
        assert!((0..8).any(|plan_seed| differs(wrong, plan_seed)), "not found out: {wrong}");
        assert!(!(0..8).any(|plan_seed| differs(right, plan_seed)), "a false alarm: {right}");
    }
}

/// A statement, a rewrite that looks right and is not, and one that is.
const WRONG_GUARDS: &[(&str, &str, &str)] = &[
    (
        "SELECT id FROM readings WHERE 'abc' ~ pattern",
        "SELECT id FROM (SELECT * FROM public.readings WHERE client_id = 'acme') AS readings WHERE 'abc' ~ pattern",
        "SELECT id FROM (SELECT * FROM public.readings WHERE client_id = 'acme') AS readings \
         WHERE CASE WHEN readings.client_id = 'acme' THEN 'abc' ~ pattern END",
    ),
    (
        "UPDATE tags SET color = 'x' WHERE label = 'Web 1' OR true",
        "UPDATE tags SET color = 'x' WHERE client_id = 'acme' AND label = 'Web 1' OR true",
        "UPDATE tags SET color = 'x' WHERE client_id = 'acme' AND (label = 'Web 1' OR true)",
    ),
    (
        "SELECT p.id, i.id FROM projects p LEFT JOIN invoices i ON i.project_id = p.id",
        "SELECT p.id, i.id FROM projects p LEFT JOIN invoices i ON i.project_id = p.id \
         WHERE p.client_id = 'acme' AND i.client_id = 'acme'",
        "SELECT p.id, i.id FROM (SELECT * FROM projects WHERE client_id = 'acme') AS p \
         LEFT JOIN (SELECT * FROM invoices WHERE client_id = 'acme') AS i ON i.project_id = p.id",
    ),
    (
        "DELETE FROM invoice_lines WHERE line = 1",
        "DELETE FROM invoice_lines WHERE line = 1",
        "DELETE FROM invoice_lines WHERE client_id = 'acme' AND line = 1",
    ),
    (
        "MERGE INTO tags t USING (SELECT 1) s ON true WHEN MATCHED THEN UPDATE SET color = 'x'",
        "MERGE INTO tags t USING (SELECT 1) s ON true WHEN MATCHED THEN UPDATE SET color = 'x'",
        "MERGE INTO tags t USING (SELECT 1) s ON t.client_id = 'acme' AND (true) \
         WHEN MATCHED THEN UPDATE SET color = 'x'",
    ),
    (
        "INSERT INTO tags (label) VALUES ('fresh')",
        "INSERT INTO tags (label, client_id) VALUES ('fresh', 'globex')",
        "INSERT INTO tags (label, client_id) VALUES ('fresh', 'acme')",
    ),
    (
        "SELECT p.id FROM projects p LEFT JOIN invoices i ON i.id = -1 WHERE coalesce(i.note, '0')::int = 0",
        "SELECT p.id FROM (SELECT * FROM projects WHERE client_id = 'acme') AS p \
         LEFT JOIN (SELECT * FROM invoices WHERE client_id = 'acme') AS i ON i.id = -1 \
         WHERE CASE WHEN i.client_id = 'acme' THEN coalesce(i.note, '0')::int = 0 END",
        "SELECT p.id FROM (SELECT * FROM projects WHERE client_id = 'acme') AS p \
         LEFT JOIN (SELECT * FROM invoices WHERE client_id = 'acme') AS i ON i.id = -1 \
         WHERE CASE WHEN i.client_id = 'acme' OR i.client_id IS NULL THEN coalesce(i.note, '0')::int = 0 END",
    ),
];

/// The catalogues beside the cases are what a server says of the schemas beside them.
#[tokio::test]
async fn corpus_catalogs_are_those_of_the_schemas() {
    let postgres = ThrowawayPostgres::start(Options::default()).unwrap();
    for schema in ["agency", "uuid_tenants", "numbered_tenants", "shadowed", "extensions"] {
        postgres.create_database(schema).unwrap();
        postgres.create_role(schema, "catalog").unwrap();
        let script = fs::read_to_string(corpus(schema).join("catalog.sql")).unwrap();
        postgres.psql_in(schema, &script).unwrap();
        let settings = Upstream {
            name: "main".to_owned(),
            host: postgres.socket_folder().to_str().unwrap().to_owned(),
            port: postgres.port(),
            database: schema.to_owned(),
            user: schema.to_owned(),
            password: None,
            tls: UpstreamTls::Disable,
            connect_timeout: std::time::Duration::from_secs(10),
        };
        let target = Target::new(&settings, Some("catalog".to_owned()), &["public".to_owned()]).unwrap();
        let mut catalog = load_catalog(&target).await.unwrap();
        // Any server will do.
        catalog.server_version = 150_000;
        let path = corpus(schema).join("catalog.json");
        if std::env::var_os("UPDATE_CORPUS").is_some() {
            fs::write(&path, serde_json::to_string_pretty(&catalog).unwrap() + "\n").unwrap();
        }
        let kept: Catalog = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
        assert_eq!(kept, catalog, "{schema}: UPDATE_CORPUS=1 writes it anew");
    }
}

// The judge.

pub(crate) enum Verdict {
    Forward(String),
    /// Also where the tenant is alone: the catalogue there has the same hidden tables.
    ForwardEverywhere(String),
    Reject(&'static str),
    /// Not for the comparison.
    Skip,
}

pub(crate) enum Outcome {
    Same { failed: bool },
    Rejected(&'static str),
    Skipped,
    Differs(String),
}

pub(crate) struct Trial {
    pub(crate) sql: String,
    pub(crate) ordered: bool,
    /// Which planner settings it runs under.
    pub(crate) plan_seed: u64,
}

pub(crate) struct Judge {
    /// In the order of [`WORLDS`].
    connections: Vec<Connection>,
    /// The rows of others, in each world.
    before: Vec<BTreeMap<String, String>>,
}

impl Judge {
    pub(crate) fn new(worlds: &Worlds, worker: usize) -> Self {
        let mut connections: Vec<_> = WORLDS.iter().map(|world| worlds.connect(world, worker)).collect();
        let snapshot = |connection: &mut Connection| {
            connection.send_queries(&["BEGIN; SET LOCAL statement_timeout = '60s'", &snapshot_query(), "ROLLBACK"]);
            let [_, snapshot, _] = [(); 3].map(|()| connection.answer());
            others(&snapshot)
        };
        let before = connections.iter_mut().map(snapshot).collect();
        Self { connections, before }
    }

    pub(crate) fn try_one(&mut self, trial: &Trial, decide: &dyn Fn(&str) -> Verdict) -> Outcome {
        let (rewritten, everywhere) = match decide(&trial.sql) {
            Verdict::Forward(sql) => (sql, false),
            Verdict::ForwardEverywhere(sql) => (sql, true),
            Verdict::Reject(code) => return Outcome::Rejected(code),
            Verdict::Skip => return Outcome::Skipped,
        };
        let writes = may_write(&trial.sql);
        let begin = begin_query(trial.plan_seed, writes);
        // What a statement may take is not what its harness may take.
        let snapshot =
            if writes { format!("SET LOCAL statement_timeout = '60s'; {}", snapshot_query()) } else { String::new() };
        for (world, connection) in WORLDS.iter().zip(&mut self.connections) {
            let sql = if *world == "alone" && !everywhere { &trial.sql } else { &rewritten };
            connection.send_queries(&[&begin, sql, "SET CONSTRAINTS ALL IMMEDIATE", &snapshot, "ROLLBACK"]);
        }
        let mut stuck = false;
        let answers: Vec<_> = self
            .connections
            .iter_mut()
            .map(|connection| [(); 5].map(|()| connection.answer()))
            .map(|[begin, answer, constraints, snapshot, end]| {
                stuck |= begin.error.is_some() || end.error.is_some();
                World { answer: normalized(answer, trial.ordered), constraints: constraints.error, snapshot }
            })
            .collect();
        if stuck {
            // On a machine under load even a ROLLBACK may be canceled.
            self.connections.iter_mut().for_each(|connection| assert_eq!(connection.query("ROLLBACK").error, None));
            return Outcome::Skipped;
        }
        let canceled = |error: Option<&str>| error == Some(QUERY_CANCELED);
        if answers.iter().any(|world| {
            canceled(world.answer.code())
                || canceled(world.snapshot.code())
                || world.constraints.as_ref().is_some_and(|error| canceled(Some(&error.0)))
        }) {
            // Too slow to tell: time is not part of the promise.
            return Outcome::Skipped;
        }
        if fails_on_own_rows_alike(&answers) {
            return Outcome::Skipped;
        }
        match self.difference(&answers, writes) {
            Some(difference) => Outcome::Differs(format!("{difference}\nsent: {rewritten}")),
            None => Outcome::Same { failed: answers[2].answer.error.is_some() },
        }
    }

    fn difference(&self, worlds: &[World], writes: bool) -> Option<String> {
        let alone = &worlds[2];
        // Only where both worlds say the same to the letter.
        if worlds[0].answer.error == worlds[1].answer.error && is_refused_by_the_server(&worlds[0].answer) {
            return None;
        }
        // A condition that fails on the tenant's own rows fails or not as the plan has it, and on the row that comes first
        // (the message names it); here it must be all the same.
        let fails = alone.answer.code().is_some_and(|code| code.starts_with("22"));
        let same = worlds[0].answer.error.is_none() || worlds[0].answer.code() == alone.answer.code();
        if fails && same && difference(&worlds[0].answer, &worlds[1].answer).is_none() {
            return None;
        }
        for (name, world) in WORLDS.iter().zip(worlds) {
            if let Some(difference) = difference(&alone.answer, &world.answer) {
                return Some(format!("alone and {name}: {difference}"));
            }
            if world.constraints != alone.constraints {
                return Some(format!("constraints, alone {:?}, {name} {:?}", alone.constraints, world.constraints));
            }
        }
        if !writes || alone.answer.error.is_some() || alone.constraints.is_some() {
            return None;
        }
        for ((name, world), before) in WORLDS.iter().zip(worlds).zip(&self.before) {
            let ours_alone = ours(&alone.snapshot);
            for (table, rows) in ours(&world.snapshot) {
                if ours_alone.get(&table) != Some(&rows) {
                    return Some(format!("the tenant's own rows of {table} are others in {name} than alone"));
                }
            }
            for (table, rows) in others(&world.snapshot) {
                if before.get(&table) != Some(&rows) {
                    return Some(format!("WRITTEN: rows of others in {table} have changed in {name}"));
                }
            }
        }
        None
    }

    /// Drops parts while the difference stays of its kind.
    pub(crate) fn minimize(&mut self, trial: &Trial, decide: &dyn Fn(&str) -> Verdict) -> (Trial, String) {
        let Outcome::Differs(first) = self.try_one(trial, decide) else {
            return (trial.copy(trial.sql.clone()), "did not show again: order, or time".to_owned());
        };
        let kind = kind_of(&first);
        let mut best = (trial.copy(trial.sql.clone()), first);
        let mut width = pieces(&trial.sql).len() / 2;
        while width > 0 {
            let mut at = 0;
            loop {
                let parts = pieces(&best.0.sql);
                if at + width > parts.len() {
                    break;
                }
                let shorter = [&parts[..at], &parts[at + width..]].concat().concat();
                let candidate = best.0.copy(shorter);
                match self.try_one(&candidate, decide) {
                    Outcome::Differs(difference) if kind_of(&difference) == kind => best = (candidate, difference),
                    _ => at += 1,
                }
            }
            width = if width > 8 { width / 2 } else { width - 1 };
        }
        best
    }
}

impl Trial {
    fn copy(&self, sql: String) -> Self {
        Self { sql, ordered: self.ordered, plan_seed: self.plan_seed }
    }
}

/// What one world said.
/// All fail in the same way, and no message names another tenant: on which of its own rows a condition fails first is as the
/// plan has it, and each message tells of the row that it was.
fn fails_on_own_rows_alike(worlds: &[World]) -> bool {
    const OTHERS: [&str; 2] = ["globex", "initech"];
    let code = worlds.first().and_then(|world| world.answer.code());
    code.is_some_and(|code| code.starts_with("22"))
        && worlds.iter().all(|world| {
            let message = world.answer.error.as_ref().map_or("", |error| error.1.as_str());
            world.answer.code() == code && !OTHERS.iter().any(|other| message.contains(other))
        })
        && worlds.windows(2).any(|pair| pair.first().map(|w| &w.answer.error) != pair.last().map(|w| &w.answer.error))
}

struct World {
    answer: Answer,
    constraints: Option<(String, String, Vec<String>)>,
    snapshot: Answer,
}

pub(crate) fn normalized(mut answer: Answer, ordered: bool) -> Answer {
    if !ordered {
        answer.rows.sort();
    }
    answer
}

/// Errors by which the server refuses what the guard has made of a statement that is fine alone: clear, and the same
/// whatever other tenants' rows are. SQLSTATE and what the message holds.
const REFUSED_BY_THE_SERVER: &[(&str, &str)] = &[
    // The condition above is guarded, so that it no longer makes an inner join of it.
    ("0A000", "FULL JOIN is only supported"),
    // A row that is another tenant's gets no tenant.
    ("23502", "null value in column \"client_id\""),
    ("23502", "null value in column \"shop_id\""),
    // Two tables of one name, of two schemas: behind lenses both have it as their alias.
    ("42712", "specified more than once"),
    // There is no temporary schema before there is a temporary table.
    ("3F000", "schema \"pg_temp\" does not exist"),
    // PostgreSQL's words where a table is named that has an alias; a lens has no other name.
    ("42P01", "missing FROM-clause entry for table"),
    // A whole row that came through a lens is a record without its table's name.
    ("42703", "in record data type"),
    ("42883", "record"),
];

pub(crate) fn is_refused_by_the_server(answer: &Answer) -> bool {
    let refused = |code: &str, message: &str| {
        REFUSED_BY_THE_SERVER.iter().any(|(state, words)| code == *state && message.contains(words))
    };
    answer.error.as_ref().is_some_and(|(code, message, _)| refused(code, message))
}

pub(crate) fn difference(alone: &Answer, shared: &Answer) -> Option<String> {
    if as_the_client_knows_it(alone) != as_the_client_knows_it(shared) {
        return Some(format!("ERROR {} / {}", error_text(alone), error_text(shared)));
    }
    if alone.error.is_some() {
        // What came before an error depends on the moment.
        return None;
    }
    if row_types_as_records(alone) != row_types_as_records(shared) {
        return Some(format!("COLUMNS {:?} / {:?}", alone.columns, shared.columns));
    }
    if alone.rows != shared.rows {
        let missing: Vec<_> = alone.rows.iter().filter(|row| !shared.rows.contains(row)).take(3).collect();
        let extra: Vec<_> = shared.rows.iter().filter(|row| !alone.rows.contains(row)).take(3).collect();
        return Some(format!(
            "ROWS {} / {}; missing {missing:?}; extra {extra:?}",
            alone.rows.len(),
            shared.rows.len()
        ));
    }
    if alone.tags != shared.tags {
        return Some(format!("TAGS {:?} / {:?}", alone.tags, shared.tags));
    }
    if alone.notices != shared.notices {
        return Some(format!("NOTICES {:?} / {:?}", alone.notices, shared.notices));
    }
    None
}

/// A function is sent with its schema, which the session takes out of the server's words again.
fn as_the_client_knows_it(answer: &Answer) -> Option<(String, String, Vec<String>)> {
    let (code, message, place) = answer.error.clone()?;
    Some((code, message.replace("function pg_catalog.", "function "), place))
}

/// Row types of tables, whose OIDs are the database's own, as the record that a lens makes of them.
fn row_types_as_records(answer: &Answer) -> Vec<Vec<(&str, u32)>> {
    const RECORD: u32 = 2249;
    const FIRST_OWN_TYPE: u32 = 16_384;
    answer
        .columns
        .iter()
        .map(|columns| {
            let columns = columns.iter();
            columns.map(|(name, oid)| (name.as_str(), if *oid >= FIRST_OWN_TYPE { RECORD } else { *oid })).collect()
        })
        .collect()
}

fn error_text(answer: &Answer) -> String {
    answer
        .error
        .as_ref()
        .map_or_else(|| "none".to_owned(), |(code, message, place)| format!("{code} {message} {place:?}"))
}

/// `ERROR` with its SQLSTATEs, `ROWS`, …: so that a smaller statement shows the same fault, not another.
fn kind_of(difference: &str) -> String {
    let first = difference.lines().next().unwrap_or_default();
    let (_, rest) = first.split_once(": ").unwrap_or(("", first));
    let words: Vec<_> = rest.split(' ').collect();
    if words[0] != "ERROR" {
        return words[0].to_owned();
    }
    let is_state = |word: &&&str| {
        let digits = word.chars().filter(char::is_ascii_digit).count();
        word.len() == 5 && digits >= 2 && word.chars().all(|c| c.is_ascii_digit() || c.is_ascii_uppercase())
    };
    let states = words.iter().filter(is_state);
    states.copied().collect::<Vec<_>>().join(" ")
}

/// Words, literals, signs, each with the blanks behind it.
fn pieces(sql: &str) -> Vec<String> {
    let mut parts = Vec::new();
    let mut current = String::new();
    let mut quote = None;
    for c in sql.chars() {
        let in_word = |c: char| c.is_alphanumeric() || c == '_' || c == '.';
        let last = current.chars().last();
        match quote {
            Some(open) => {
                current.push(c);
                if c == open {
                    quote = None;
                }
                continue;
            }
            None if c == '\'' || c == '"' => {
                if last.is_some_and(|last| last != c && last != '.') {
                    parts.push(std::mem::take(&mut current));
                }
                quote = Some(c);
            }
            None if c == ' ' => {}
            None => {
                if last.is_some_and(|last| !(in_word(last) && in_word(c))) {
                    parts.push(std::mem::take(&mut current));
                }
            }
        }
        current.push(c);
    }
    parts.push(current);
    parts
}

/// Planner settings change the order in which conditions are asked.
pub(crate) fn begin_query(plan_seed: u64, writes: bool) -> String {
    let mut random = Random::new(plan_seed);
    let mut text = String::from("BEGIN");
    let toggles = [
        "enable_hashjoin = off",
        "enable_mergejoin = off",
        "enable_nestloop = off",
        "enable_seqscan = off",
        "enable_indexscan = off",
        "enable_bitmapscan = off",
        "enable_hashagg = off",
        "enable_sort = off",
        "enable_material = off",
        "enable_memoize = off",
        "join_collapse_limit = 1",
        "from_collapse_limit = 1",
        "enable_partition_pruning = off",
        "enable_incremental_sort = off",
        "random_page_cost = 0.01",
        "cpu_operator_cost = 10",
    ];
    for toggle in toggles {
        if random.chance(14) {
            write!(text, "; SET LOCAL {toggle}").unwrap();
        }
    }
    if writes {
        text.push_str("; SELECT setval('contacts_id_seq', 90000); SELECT setval('time_entries_id_seq', 90000)");
    }
    text
}

fn may_write(sql: &str) -> bool {
    ["INSERT", "UPDATE", "DELETE", "MERGE", "insert", "update", "delete"].iter().any(|word| sql.contains(word))
}

/// Each table that a client can write, with its tenant column.
const WRITABLE: &[(&str, &str)] = &[
    ("clients", "id"),
    ("projects", "client_id"),
    ("invoices", "client_id"),
    ("invoice_lines", "client_id"),
    ("contacts", "client_id"),
    ("time_entries", "client_id"),
    ("tags", "client_id"),
    ("settings", "client_id"),
    ("intake", "client_id"),
    ("readings", "client_id"),
    ("drafts", "client_id"),
    ("\"Order Lines\"", "client_id"),
    ("\"Projects\"", "client_id"),
    ("events", "client_id"),
    ("measures", "client_id"),
    ("documents", "client_id"),
    ("bookings", "client_id"),
    ("counted", "client_id"),
    ("stamped", "client_id"),
    ("ruled", "client_id"),
    ("payroll", "client_id"),
    ("archive.invoices", "client_id"),
    ("shelves", "client_id"),
    ("logs", "client_id"),
    // Nobody's: all its rows are those of others.
    ("internal_notes", "NULL::text"),
    ("countries", "NULL::text"),
    ("bulletins", "'acme'"),
];

/// One row a table: its name, our rows, those of others, as count and sum of hashes.
pub(crate) fn snapshot_query() -> String {
    let parts: Vec<_> = WRITABLE
        .iter()
        .map(|(table, column)| {
            let sum = "count(*) || ' ' || coalesce(sum(hashtextextended(t::text, 0)::numeric), 0)";
            format!(
                "SELECT '{}', (SELECT {sum} FROM {table} t WHERE {column} = 'acme'), \
                 (SELECT {sum} FROM {table} t WHERE {column} IS DISTINCT FROM 'acme')",
                table.replace('\'', "''")
            )
        })
        .collect();
    parts.join(" UNION ALL ")
}

fn ours(snapshot: &Answer) -> BTreeMap<String, String> {
    column_of(snapshot, 1)
}

fn others(snapshot: &Answer) -> BTreeMap<String, String> {
    column_of(snapshot, 2)
}

fn column_of(snapshot: &Answer, column: usize) -> BTreeMap<String, String> {
    assert_eq!(snapshot.error, None, "the snapshot");
    let rows = snapshot.rows.iter();
    rows.map(|row| (row[0].clone().unwrap(), row[column].clone().unwrap())).collect()
}

// What is decided.

pub(crate) fn decide(ruleset: &Ruleset, sql: &str) -> Verdict {
    match decision(ruleset, sql) {
        Decision::Forward(forward) => forwarded(&forward),
        Decision::Reject { rejection, .. } => Verdict::Reject(rejection.code.as_str()),
    }
}

/// Only statements that read or write rows: others would end the transaction that we compare in.
fn decide_rows(ruleset: &Ruleset, sql: &str) -> Verdict {
    let decision = decision(ruleset, sql);
    let Decision::Forward(forward) = &decision else {
        return decide(ruleset, sql);
    };
    let of_rows = |class| matches!(class, StatementClass::Read | StatementClass::Write | StatementClass::CopyOut);
    if forward.facts.statements.iter().all(|statement| of_rows(statement.class)) {
        forwarded(forward)
    } else {
        Verdict::Skip
    }
}

fn forwarded(forward: &Forward) -> Verdict {
    let sql = forward.sql.as_str().to_owned();
    let mut objects = forward.facts.statements.iter().flat_map(|statement| &statement.objects);
    let reads_catalog = sql.contains("partywall_") || objects.any(|object| object.lens == LensKind::Catalog);
    if reads_catalog { Verdict::ForwardEverywhere(sql) } else { Verdict::Forward(sql) }
}

fn decision(ruleset: &Ruleset, sql: &str) -> Decision {
    let identity = Identity { login: LoginName::parse("app").unwrap(), tenant: Some(TenantId::parse(TENANT).unwrap()) };
    let limits = TextLimits::default();
    let request = Request {
        identity: &identity,
        sql,
        protocol: Protocol::Simple,
        parameter_types: &[],
        limits: &limits,
        private: PrivateRelations::none(),
    };
    guard::decide(ruleset, &request)
}

/// Answers that are of the moment, not of the rows.
pub(crate) const OF_THE_MOMENT: &[&str] = &[
    "now()",
    "current_",
    "CURRENT_",
    "random()",
    "gen_random_uuid",
    "timestamp()",
    "localtimestamp",
    "pg_backend_pid",
];

/// Every statement of the agency's cases and of the known bypasses that the guard may forward as it stands.
fn corpus_statements() -> Vec<(String, String)> {
    let mut statements = Vec::new();
    for folder in ["agency", "bypass"] {
        let mut files: Vec<_> = fs::read_dir(corpus(folder)).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.retain(|path| path.extension().is_some_and(|extension| extension == "case"));
        files.sort();
        for path in files {
            let text = fs::read_to_string(&path).unwrap();
            let schema = text.lines().find_map(|line| line.strip_prefix("schema ")).unwrap_or("agency");
            if schema != "agency" {
                continue;
            }
            let mut lines = text.lines();
            while let Some(line) = lines.next() {
                if line == "decide tenant=acme" {
                    let sql: Vec<_> = lines.by_ref().take_while(|line| *line != "----").collect();
                    statements.push((path.display().to_string(), sql.join("\n")));
                }
            }
        }
    }
    statements.retain(|(_, sql)| !OF_THE_MOMENT.iter().any(|word| sql.contains(word)));
    statements
}

// The tally.

#[derive(Default)]
pub(crate) struct Tally {
    pub(crate) all: u64,
    pub(crate) forwarded: u64,
    /// Failed in the same way everywhere.
    failed: u64,
    skipped: u64,
    rejected: BTreeMap<&'static str, u64>,
    differences: BTreeMap<String, usize>,
    pub(crate) finds: Vec<String>,
}

impl Tally {
    pub(crate) fn count(&mut self, outcome: &Outcome) {
        self.all += 1;
        match outcome {
            Outcome::Rejected(code) => *self.rejected.entry(code).or_default() += 1,
            Outcome::Skipped => self.skipped += 1,
            Outcome::Same { failed } => {
                self.forwarded += 1;
                self.failed += u64::from(*failed);
            }
            Outcome::Differs(_) => self.forwarded += 1,
        }
    }

    /// Counts a difference; true while few of its kind have been seen.
    pub(crate) fn is_new(&mut self, difference: &str) -> bool {
        let count = self.differences.entry(kind_of(difference)).or_default();
        *count += 1;
        *count <= FINDS_OF_A_KIND_MAX
    }

    pub(crate) fn find(&mut self, trial: &Trial, difference: &str, whence: &str) {
        let difference = difference.replace('\n', "\n# ");
        self.finds.push(format!(
            "# {whence}, plan seed {}\n# {difference}\ndecide tenant={TENANT}\n{}\n----",
            trial.plan_seed, trial.sql
        ));
    }

    pub(crate) fn summary(&self) -> String {
        format!(
            "{} statements: {} forwarded ({} of them fail everywhere alike), {} skipped, refused: {:?}",
            self.all, self.forwarded, self.failed, self.skipped, self.rejected
        )
    }

    pub(crate) fn report(&self) -> String {
        self.finds.join("\n\n")
    }
}

#[expect(clippy::disallowed_methods, reason = "how much to test is the caller's choice")]
pub(crate) fn number(variable: &str, default: u64) -> u64 {
    std::env::var(variable).ok().map_or(default, |text| text.parse().unwrap())
}
