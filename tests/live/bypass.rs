//! The known ways past a guard, gone by a client: what it hears through Partywall in two worlds that differ in the rows of
//! others, and what it hears alone.
//!
//! Here goes what the oracle cannot run: texts of several statements, settings, transactions, cursors, prepared statements,
//! refusals inside a conversation, and the cases of other schemas.

use std::fmt::Write as _;
use std::fs;

use crate::oracle::OF_THE_MOMENT;
use crate::oracle::QUERY_CANCELED;
use crate::oracle::Verdict;
use crate::oracle::decide;
use crate::oracle::difference;
use crate::oracle::is_refused_by_the_server;
use crate::oracle::normalized;
use crate::worlds::Answer;
use crate::worlds::Connection;
use crate::worlds::Small;
use crate::worlds::TENANT;
use crate::worlds::WORLDS;
use crate::worlds::Worlds;
use crate::worlds::corpus;
use crate::worlds::load_ruleset;

const AGENCY: Small = Small { name: "agency", column: "client_id", tenant: TENANT, others: ["globex", "initech"] };

const OTHER_SCHEMAS: [Small; 4] = [
    Small {
        name: "uuid_tenants",
        column: "org_id",
        tenant: "11111111-1111-4111-8111-111111111111",
        others: ["22222222-2222-4222-8222-222222222222", "33333333-3333-4333-8333-333333333333"],
    },
    Small { name: "numbered_tenants", column: "shop_id", tenant: "7", others: ["8", "9"] },
    Small { name: "shadowed", column: "tenant_id", tenant: TENANT, others: ["globex", "initech"] },
    Small { name: "extensions", column: "tenant_id", tenant: TENANT, others: ["globex", "initech"] },
];

/// A case: the file that holds it, and its text.
struct Case {
    file: String,
    sql: String,
    ordered: bool,
    /// It reads the catalogue, or has something looked up there.
    reads_catalog: bool,
}

#[test]
fn the_known_ways_end_at_partywall() {
    let worlds = Worlds::start(1);
    let mut finds = Vec::new();
    let mut heard = 0;
    for schema in [&AGENCY].into_iter().chain(&OTHER_SCHEMAS) {
        let database = |world: &str| {
            if schema.name == AGENCY.name { format!("{world}_0") } else { format!("{}_{world}", schema.name) }
        };
        if schema.name != AGENCY.name {
            worlds.add(schema);
        }
        let policy = fs::read_to_string(corpus(schema.name).join("policy.toml")).unwrap();
        let databases = WORLDS.map(database);
        let gates: Vec<_> =
            databases[..2].iter().map(|database| worlds.gate(database, &policy, schema.tenant)).collect();
        let connect = || -> Vec<Connection> {
            let mut clients: Vec<_> = gates.iter().map(crate::gate::Gate::connect).collect();
            clients.push(worlds.connect_to(&databases[2]));
            clients
        };
        let mut watchers: Vec<_> = databases[..2].iter().map(|database| worlds.connect_to(database)).collect();
        let others = others_query(&mut watchers[0], schema);
        let before: Vec<_> = watchers.iter_mut().map(|watcher| watcher.query(&others).rows).collect();
        let mut clients = connect();
        let mut last = String::new();
        for case in cases(schema) {
            // A session for each file.
            if case.file != last {
                clients = connect();
                last.clone_from(&case.file);
            }
            for way in [Way::Query, Way::Parse] {
                heard += 1;
                if let Some(difference) = try_one(&mut clients, &case, way) {
                    finds.push(format!("{}, by {way:?}: {difference}\n{}", case.file, case.sql));
                    clients = connect();
                }
            }
        }
        for (watcher, before) in watchers.iter_mut().zip(before) {
            let after = watcher.query(&others).rows;
            if after != before {
                finds.push(format!("{}: WRITTEN: {before:?} / {after:?}", schema.name));
            }
        }
    }
    eprintln!("{heard} cases heard through Partywall");
    assert!(heard > 1_000, "{heard} cases are too few");
    assert!(finds.is_empty(), "{} differences:\n\n{}", finds.len(), finds.join("\n\n"));
}

/// One server connection for each client: nothing that a session holds can be another's.
#[test]
fn each_client_has_a_server_session_of_its_own() {
    let worlds = Worlds::start(1);
    let policy = fs::read_to_string(corpus("agency").join("policy.toml")).unwrap();
    let gate = worlds.gate("shared1_0", &policy, TENANT);
    let ask = |client: &mut Connection, sql: &str| {
        let answer = client.query(sql);
        assert_eq!(answer.error, None, "{sql}");
        answer.rows
    };
    let mut watcher = worlds.connect_to("alone_0");
    let mut sessions = || {
        let count = "SELECT count(*) FROM pg_stat_activity WHERE datname = 'shared1_0' AND usename = 'app'";
        watcher.query(count).rows[0][0].as_deref().map(str::to_owned).unwrap()
    };
    let before = sessions();
    let (mut first, mut second) = (gate.connect(), gate.connect());
    assert_eq!((before.as_str(), sessions().as_str()), ("0", "2"));
    ask(&mut first, "SET DateStyle = 'German'");
    let shown = ask(&mut second, "SHOW DateStyle");
    assert_eq!(shown, ask(&mut gate.connect(), "SHOW DateStyle"));
    assert_ne!(shown, ask(&mut first, "SHOW DateStyle"));
}

/// What cannot fail proves nothing: a policy with a hole is heard, and a row that is another's and changes is seen.
#[test]
fn a_hole_is_heard() {
    let worlds = Worlds::start(1);
    let policy = fs::read_to_string(corpus("agency").join("policy.toml")).unwrap();
    let hole = policy.clone() + "\n[table.\"public.tags\"]\nkind = \"shared\"\n";
    let databases = ["shared1_0", "shared2_0"];
    let ask = |policy: &str, sql: &str| {
        let gates = databases.map(|database| worlds.gate(database, policy, TENANT));
        let mut clients: Vec<_> = gates.iter().map(crate::gate::Gate::connect).collect();
        clients.push(worlds.connect("alone", 0));
        let case = Case { file: String::new(), sql: sql.to_owned(), ordered: false, reads_catalog: false };
        [Way::Query, Way::Parse].map(|way| try_one(&mut clients, &case, way))
    };
    let statements =
        ["SELECT label FROM tags", "BEGIN; SELECT count(*) FROM tags; COMMIT", "COPY tags (label) TO STDOUT"];
    for sql in statements {
        let [query, parse] = ask(&hole, sql);
        // Of several statements none is parsed.
        assert!(query.is_some() && (parse.is_some() || sql.contains(';')), "not heard: {sql}");
        assert_eq!(ask(&policy, sql), [None, None], "{sql}");
    }
    let mut watcher = worlds.connect_to("shared1_0");
    let query = others_query(&mut watcher, &AGENCY);
    let before = watcher.query(&query).rows;
    assert_eq!(watcher.query("UPDATE tags SET color = 'x' WHERE client_id = 'globex'").error, None);
    assert_ne!(watcher.query(&query).rows, before);
}

/// The SQLSTATEs of refusals.
const REFUSALS: &[&str] = &["42501", "0A000", "42P01", "42704", "42601", "42703", "XX000"];

/// How a client sends a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Query,
    /// With Parse, Bind and Execute.
    Parse,
}

/// In a transaction that is rolled back, unless the text has one of its own.
fn try_one(clients: &mut [Connection], case: &Case, way: Way) -> Option<String> {
    let controls = ["begin", "commit", "rollback", "start", "savepoint", "prepare transaction", "end"];
    let lower = case.sql.to_ascii_lowercase();
    if way == Way::Parse && lower.contains("from stdin") {
        // The server takes no Sync while it waits for rows.
        return None;
    }
    let own = controls.iter().any(|word| lower.starts_with(word) || lower.contains(&format!("; {word}")));
    let mut answers = Vec::new();
    for client in &mut clients[..2] {
        answers.push(ask(client, case, own, way));
    }
    if answers.iter().any(|answer| answer.error.as_ref().is_some_and(|error| error.0 == QUERY_CANCELED)) {
        // Time is not part of the promise.
        return None;
    }
    let [first, second] = answers.as_slice() else { return None };
    let (first, second) = (normalized(nameless(first), case.ordered), normalized(nameless(second), case.ordered));
    if first.error != second.error {
        return Some(format!("ERRORS {:?} / {:?}", first.error, second.error));
    }
    if let Some(difference) = difference(&first, &second) {
        return Some(format!("the shared worlds: {difference}"));
    }
    let refused = first.error.as_ref().is_some_and(|(code, ..)| REFUSALS.contains(&code.as_str()));
    if refused || is_refused_by_the_server(&first) {
        // A refusal may say less than the server would: it must say the same in both worlds.
        return None;
    }
    let alone = normalized(ask(&mut clients[2], case, own, way), case.ordered);
    if case.reads_catalog {
        // The catalogue is the same where the tenant is alone, and there all of it is seen.
        let differ = alone.error.is_none() && first.error.is_none() && alone.columns != first.columns;
        return differ.then(|| format!("alone and shared: COLUMNS {:?} / {:?}", alone.columns, first.columns));
    }
    difference(&alone, &first).map(|difference| format!("alone and shared: {difference}"))
}

/// Without the database's own name, which the catalogue shows, and which is another in each world.
fn nameless(answer: &Answer) -> Answer {
    let mut answer = answer.clone();
    for value in answer.rows.iter_mut().flatten().flatten() {
        *value = value.replace("shared1", "shared").replace("shared2", "shared");
    }
    answer
}

fn ask(client: &mut Connection, case: &Case, own: bool, way: Way) -> Answer {
    let texts = [if own { "" } else { "BEGIN" }, &case.sql, "ROLLBACK"];
    match way {
        Way::Query => client.send_queries(&texts),
        Way::Parse => client.send_extended(texts),
    }
    let [_, answer, _] = [(); 3].map(|()| client.answer());
    answer
}

/// The cases of the known ways that are about this schema, as one client would send them.
fn cases(schema: &Small) -> Vec<Case> {
    let mut cases = Vec::new();
    let ruleset = load_ruleset(schema.name);
    let mut files: Vec<_> = fs::read_dir(corpus("bypass")).unwrap().map(|entry| entry.unwrap().path()).collect();
    // Its own folder's, too. The agency's are the oracle's.
    if schema.name != AGENCY.name {
        files.extend(fs::read_dir(corpus(schema.name)).unwrap().map(|entry| entry.unwrap().path()));
    }
    files.retain(|path| path.extension().is_some_and(|extension| extension == "case"));
    files.sort();
    for path in files {
        let text = fs::read_to_string(&path).unwrap();
        let is_own = path.parent().is_some_and(|folder| folder.ends_with(schema.name));
        if !is_own && text.lines().find_map(|line| line.strip_prefix("schema ")) != Some(schema.name) {
            continue;
        }
        let file = path.file_name().unwrap().to_string_lossy().into_owned();
        let directive = format!("tenant={}", schema.tenant);
        let mut lines = text.lines();
        while let Some(line) = lines.next() {
            if !line.starts_with("decide ") {
                continue;
            }
            let sql: Vec<_> = lines.by_ref().take_while(|line| *line != "----").collect();
            let sql = sql.join("\n");
            let skipped = line.contains("protocol=") || line.contains("oracle=") || !line.ends_with(&directive);
            if !skipped && !OF_THE_MOMENT.iter().any(|word| sql.contains(word)) {
                let reads_catalog = matches!(decide(&ruleset, &sql), Verdict::ForwardEverywhere(_));
                cases.push(Case { file: file.clone(), sql, ordered: false, reads_catalog });
            }
        }
    }
    cases
}

/// Count and hash of others' rows, of each table with the tenant column.
fn others_query(watcher: &mut Connection, schema: &Small) -> String {
    let tables = watcher.query(&format!(
        "SELECT c.oid::regclass FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid \
         WHERE a.attname = '{}' AND c.relkind IN ('r', 'p') AND c.relnamespace = 'public'::regnamespace ORDER BY 1",
        schema.column
    ));
    let mut query = String::new();
    for row in &tables.rows {
        let table = row[0].as_deref().unwrap();
        let separator = if query.is_empty() { "" } else { " UNION ALL " };
        write!(
            query,
            "{separator}SELECT '{}', count(*), sum(hashtextextended(t::text, 0)::numeric) FROM {table} t \
             WHERE {}::text IS DISTINCT FROM '{}'",
            table.replace('\'', "''"),
            schema.column,
            schema.tenant
        )
        .unwrap();
    }
    query
}
