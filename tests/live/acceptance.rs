//! How much of what applications send passes, and is answered as if the tenant were alone.
//!
//! A folder holds scripts for psql, written for one tenant: `*.sql`, taken in the order of their names, the schema's first.
//! Statements that make the schema are the owner's: they run in all worlds at the server itself, and each table then gets a
//! tenant column, longer keys, and, in the shared worlds, other tenants' rows that are like ours with other values. All
//! else is a client's: it goes through Partywall in two shared worlds, and as it stands to a world that holds our rows
//! alone. A fourth world, with our rows laid down in the other order and other plans, tells which answers depend on order or
//! on the moment: they are left out.
//!
//! `schema.sql` and `data.sql` are run before the worlds part; without rows of its own a schema gets random ones.
//!
//! `PARTYWALL_ACCEPTANCE` names folders, separated by `:` (by default `tests/corpus/application`), `PARTYWALL_KEYS=shared`
//! leaves keys as they are, `PARTYWALL_ACCEPTANCE_LIST` a file that every statement that is not equal is written to.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::path::PathBuf;

use partywall::demo::postgres::Options;
use partywall::demo::postgres::ThrowawayPostgres;
use partywall::guard;
use partywall::guard::Decision;
use partywall::guard::PrivateRelations;
use partywall::guard::Protocol;
use partywall::guard::Request;
use partywall::guard::TextLimits;
use partywall::tenant::Identity;
use partywall::tenant::LoginName;
use partywall::tenant::TenantId;

use crate::gate::Gate;
use crate::gate::Upstream;
use crate::oracle::difference;
use crate::script::Statement;
use crate::script::split;
use crate::worlds::Answer;
use crate::worlds::Connection;
use crate::worlds::TENANT;
use crate::worlds::Transaction;
use crate::worlds::corpus;

/// The first two are behind Partywall.
const WORLDS: [&str; 4] = ["shared1", "shared2", "alone", "again"];
const ALONE: usize = 2;
const AGAIN: usize = 3;

const OTHERS: [&str; 2] = ["{globex}", "{initech,umbrella}"];

const PASSWORD: &str = "an-ordinary-role";

const POLICY: &str = "[tenancy]\ncolumn = \"tenant_id\"\n";

#[test]
fn applications_notice_nothing() {
    let chosen = variable("PARTYWALL_ACCEPTANCE");
    let folders = chosen.clone().unwrap_or_else(|| corpus("application").display().to_string());
    let mut list =
        fs::File::create(variable("PARTYWALL_ACCEPTANCE_LIST").unwrap_or_else(|| "/dev/null".to_owned())).unwrap();
    let mut all = Tally::default();
    for folder in folders.split(':').filter(|folder| !folder.is_empty()) {
        let mut site = Site::start(Path::new(folder));
        let mut of_folder = Tally::default();
        for file in scripts(Path::new(folder)) {
            let tally = site.run(&file);
            for text in &tally.list {
                writeln!(list, "{text}\n").unwrap();
            }
            println!("{:<44} {}", file.file_name().unwrap().to_string_lossy(), tally.line());
            of_folder.add(tally);
        }
        println!("{folder}\n{}", of_folder.report());
        all.add(of_folder);
    }
    if folders.contains(':') {
        println!("all\n{}", all.report());
    }
    assert!(all.counts.contains_key(&Kind::Equal), "nothing was equal: is there a statement at all?");
    assert_eq!(all.counts.get(&Kind::Different), None, "{}", all.differences.join("\n\n"));
    // Our own passes as a whole; of others' the share is what is asked.
    assert!(chosen.is_some() || all.refusals.is_empty(), "{}", all.report());
}

/// What cannot fail proves nothing: with a table that the policy shares among tenants there are differences, and a row of
/// others that changes is seen.
#[test]
fn a_leak_is_counted() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["schema.sql", "data.sql"] {
        fs::copy(corpus("application").join(name), folder.path().join(name)).unwrap();
    }
    let policy = format!("{POLICY}[table.\"public.people\"]\nkind = \"shared\"\n");
    fs::write(folder.path().join("policy.toml"), policy).unwrap();
    let file = folder.path().join("statements.sql");
    fs::write(&file, "SELECT email FROM people; SELECT title FROM boards; SELECT nothing FROM people;").unwrap();
    let mut site = Site::start(folder.path());
    let mut tally = site.run(&file);
    let counted = (tally.of(Kind::Different), tally.of(Kind::Equal), tally.of(Kind::FailsAlone));
    assert_eq!(counted, (1, 1, 1), "{}", tally.report());
    site.owners[0].query("UPDATE boards SET title = title || '!' WHERE tenant_id <> 'acme'");
    site.check_others(&mut tally);
    assert_eq!(tally.of(Kind::Different), 2, "{}", tally.report());
}

fn scripts(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "sql"));
    files.sort();
    files
}

#[expect(clippy::disallowed_methods, reason = "what is tested is the caller's choice")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

// The worlds.

struct Site {
    postgres: ThrowawayPostgres,
    owners: Vec<Connection>,
    gates: Vec<Gate>,
    clients: Vec<Connection>,
    /// The schema has changed, or rows have come: the shared worlds are not what they should be.
    dirty: bool,
    /// Rows of others, as they are to stay: count and hash by table.
    others: Vec<BTreeMap<String, String>>,
    /// OIDs of tables, for the world with the other order.
    turned: String,
    keys: String,
    literals: String,
    /// There may be tables without a row.
    unfilled: bool,
}

impl Site {
    fn start(folder: &Path) -> Self {
        let settings = [
            ("fsync", "off"),
            ("synchronous_commit", "off"),
            ("full_page_writes", "off"),
            ("autovacuum", "off"),
            ("synchronize_seqscans", "off"),
            ("max_parallel_workers_per_gather", "0"),
            ("jit", "off"),
        ];
        let settings = settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let postgres = ThrowawayPostgres::start(Options { settings, ..Options::default() }).unwrap();
        postgres.create_role("app", PASSWORD).unwrap();
        let run = |database: &str, sql: &str| postgres.psql_in(database, sql).unwrap();
        run("postgres", "ALTER ROLE app SET statement_timeout = '5s'; ALTER ROLE app SET lock_timeout = '5s'");
        run("postgres", "CREATE DATABASE application TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C'");
        run("application", GRANTS);
        // Copies of one schema, so that OIDs are the same.
        let schema = folder.join("schema.sql");
        if schema.exists() {
            let script = fs::read_to_string(&schema).unwrap();
            let keys = variable("PARTYWALL_KEYS").unwrap_or_default();
            run("application", &script);
            let data = folder.join("data.sql");
            if data.exists() {
                run("application", &fs::read_to_string(&data).unwrap());
            } else {
                run("application", &fill(&literals(folder), TENANT, "200"));
            }
            run("application", &MULTIPLY.replace("KEYS", &keys));
        }
        for world in WORLDS {
            run("postgres", &format!("CREATE DATABASE {world} TEMPLATE application"));
        }
        run(
            "postgres",
            "ALTER DATABASE again SET enable_hashagg = off; ALTER DATABASE again SET enable_hashjoin = off",
        );
        let policy = fs::read_to_string(folder.join("policy.toml")).unwrap_or_else(|_| POLICY.to_owned());
        let socket = postgres.socket_folder();
        let gates = WORLDS.iter().take(OTHERS.len()).map(|database| {
            let upstream =
                Upstream { folder: &socket, port: postgres.port(), database, role: "app", password: PASSWORD };
            Gate::open(&upstream, &policy, TENANT)
        });
        let gates = gates.collect();
        let mut site = Self {
            owners: Vec::new(),
            gates,
            clients: Vec::new(),
            dirty: true,
            others: vec![BTreeMap::new(); OTHERS.len()],
            turned: "0".to_owned(),
            keys: variable("PARTYWALL_KEYS").unwrap_or_default(),
            literals: literals(folder),
            unfilled: true,
            postgres,
        };
        site.owners = WORLDS.iter().map(|world| site.owner(world)).collect();
        site
    }

    fn socket(&self) -> PathBuf {
        self.postgres.socket_folder().join(format!(".s.PGSQL.{}", self.postgres.port()))
    }

    fn owner(&self, database: &str) -> Connection {
        let parameters =
            [("user", ThrowawayPostgres::SUPERUSER), ("database", database), ("client_min_messages", "error")];
        let mut owner = Connection::open(&self.socket(), &parameters, self.postgres.superuser_password());
        owner.query("SET lock_timeout = '2s'; SET statement_timeout = '60s'");
        owner
    }

    /// New sessions for all worlds.
    fn connect(&mut self) {
        self.clients.clear();
        self.clients.extend(self.gates.iter().map(Gate::connect));
        for world in &WORLDS[OTHERS.len()..] {
            let parameters = [("user", "app"), ("database", world), ("client_encoding", "UTF8")];
            self.clients.push(Connection::open(&self.socket(), &parameters, PASSWORD));
        }
    }

    /// The same for all worlds, at the server itself.
    fn own(&mut self, sql: &str, rows: Option<&str>) {
        for owner in &mut self.owners {
            owner.send_queries(&[sql]);
        }
        for owner in &mut self.owners {
            owner.answer_with(rows.map(str::as_bytes));
        }
        self.dirty = true;
    }

    /// The shared worlds as they are to be.
    fn prepare(&mut self) {
        let multiply = MULTIPLY.replace("KEYS", &self.keys);
        for owner in &mut self.owners {
            owner.send_queries(&[&multiply]);
        }
        for (world, owner) in WORLDS.iter().zip(&mut self.owners) {
            let answer = owner.answer();
            assert_eq!(answer.error, None, "{world}");
        }
        self.seed();
        self.others = self.count_others();
        let turn = others("turn", &format!("{{{}}}", self.turned), &[]);
        let turned = told(&mut self.owners[AGAIN], &turn);
        self.turned.push_str(&turned);
        for gate in &self.gates {
            gate.refresh();
        }
        self.dirty = false;
        self.unfilled = true;
    }

    /// Rows of a transaction that is rolled back are seen by nobody else, so that none could be derived from them: tables
    /// without a row get random ones of others before it begins.
    fn fill(&mut self) {
        for owner in self.owners.iter_mut().take(OTHERS.len()) {
            told(owner, &fill(&self.literals, "globex", "40"));
        }
        self.others = self.count_others();
        self.unfilled = false;
    }

    fn seed(&mut self) {
        let mut seeded = false;
        for (tenants, owner) in OTHERS.iter().zip(&mut self.owners) {
            let told = told(owner, &SEED.replace("TENANTS", tenants).replace("KEYS", &self.keys));
            seeded |= told != "0";
        }
        if seeded {
            self.others = self.count_others();
        }
    }

    fn count_others(&mut self) -> Vec<BTreeMap<String, String>> {
        let count = others("count", "{}", &[]);
        let owners = self.owners.iter_mut().take(OTHERS.len());
        let line = |line: &str| line.split_once('\t').map(|(table, rows)| (table.to_owned(), rows.to_owned()));
        owners.map(|owner| told(owner, &count).lines().filter_map(line).collect()).collect()
    }

    /// Tables whose rows of others are not what they were; what has been dropped since is not among them.
    fn check_others(&mut self, tally: &mut Tally) {
        for (now, before) in self.count_others().iter().zip(&self.others) {
            for (table, rows) in now {
                if before.get(table).is_some_and(|before| before != rows) {
                    tally.differ(&format!("WRITTEN: rows of others in {table}"), "(somewhere above)");
                }
            }
        }
    }

    /// What the owner does next with these tables, or with any, would take other tenants' rows for ours.
    fn drop_others(&mut self, names: &[&str]) {
        for owner in self.owners.iter_mut().take(OTHERS.len()) {
            told(owner, &others("drop", "{}", names));
        }
        self.dirty = true;
    }

    fn run(&mut self, file: &Path) -> Tally {
        let mut tally = Tally { file: file.file_name().unwrap().to_string_lossy().into_owned(), ..Tally::default() };
        let bytes = fs::read(file).unwrap();
        let mut temporary = Vec::new();
        self.connect();
        if file.file_name().is_some_and(|name| name == "schema.sql" || name == "data.sql") {
            return tally;
        }
        for statement in split(&String::from_utf8_lossy(&bytes)) {
            let words = words(&statement.sql);
            let words: Vec<_> = words.iter().map(String::as_str).collect();
            match owner_of(&words, &temporary) {
                Owner::Nobody => tally.count(Kind::LeftOut),
                Owner::Schema(reads) => {
                    tally.count(Kind::Schema);
                    if !self.dirty {
                        self.check_others(&mut tally);
                    }
                    match reads {
                        Reads::Nothing => {}
                        Reads::Named => self.drop_others(&words),
                        Reads::All => self.drop_others(&[]),
                    }
                    self.own(&statement.sql, statement.rows.as_deref());
                }
                Owner::Client => {
                    if let ["create", "temp" | "temporary", ..] = words.as_slice() {
                        temporary.extend(words.iter().map(|word| (*word).to_owned()));
                    }
                    self.try_one(&statement, &mut tally);
                }
            }
        }
        if !self.dirty {
            self.check_others(&mut tally);
        }
        tally
    }

    fn try_one(&mut self, statement: &Statement, tally: &mut Tally) {
        if self.dirty {
            self.prepare();
        }
        let sql = unexplained(&statement.sql);
        let open = self.clients.len() == WORLDS.len();
        assert!(open, "four sessions");
        let control = is_control(sql);
        let in_block = tally.in_block;
        if control && !in_block && self.unfilled {
            self.fill();
        }
        let (before, good, bad) = match (control, in_block) {
            (true, _) => (None, None, None),
            (false, false) => (Some("BEGIN"), Some("COMMIT"), Some("ROLLBACK")),
            (false, true) => (
                Some("SAVEPOINT acceptance"),
                Some("RELEASE SAVEPOINT acceptance"),
                Some("ROLLBACK TO SAVEPOINT acceptance; RELEASE SAVEPOINT acceptance"),
            ),
        };
        let mut answers = Vec::new();
        for client in &mut self.clients {
            let texts: Vec<_> = before.into_iter().chain([sql]).collect();
            client.send_queries(&texts);
        }
        for client in &mut self.clients {
            if before.is_some() {
                client.answer();
            }
            answers.push(client.answer_with(statement.rows.as_deref().map(str::as_bytes)));
        }
        let all_good = answers.iter().all(|answer| answer.error.is_none());
        if let Some(end) = if all_good { good } else { bad } {
            for client in &mut self.clients {
                client.send_queries(&[end]);
            }
            for (client, answer) in self.clients.iter_mut().zip(&mut answers) {
                let ended = client.answer();
                if all_good && ended.error.is_some() {
                    // A deferred constraint.
                    answer.error.clone_from(&ended.error);
                }
                answer.transaction = ended.transaction;
            }
        }
        self.judge(sql, &answers, tally);
        self.align(&answers, tally, all_good);
    }

    /// All sessions in one state, and all sequences.
    fn align(&mut self, answers: &[Answer], tally: &mut Tally, all_good: bool) {
        let first = answers[0].transaction;
        let closed = answers.iter().any(|answer| answer.error.as_ref().is_some_and(|error| error.0 == "08006"));
        if closed {
            self.connect();
        } else if answers.iter().any(|answer| answer.transaction != first) {
            for client in &mut self.clients {
                client.query("ROLLBACK");
            }
        }
        tally.in_block = !closed && answers.iter().all(|answer| answer.transaction != Transaction::None);
        let wrote = |answer: &Answer| answer.tags.iter().any(|tag| is_write(tag));
        if !answers.iter().any(wrote) {
            return;
        }
        if all_good && !tally.in_block {
            self.seed();
        } else if !all_good {
            let state =
                "SELECT quote_ident(schemaname) || '.' || quote_ident(sequencename), last_value FROM pg_sequences";
            let state = self.owners[0].query(state);
            for row in &state.rows {
                let [Some(name), Some(value)] = row.as_slice() else { continue };
                for owner in &mut self.owners[1..] {
                    owner.query(&format!("SELECT setval('{}', {value})", name.replace('\'', "''")));
                }
            }
        }
    }

    fn judge(&self, sql: &str, answers: &[Answer], tally: &mut Tally) {
        let (alone, again) = (&answers[ALONE], &answers[AGAIN]);
        let shared = &answers[..OTHERS.len()];
        if answers
            .iter()
            .any(|answer| answer.error.as_ref().is_some_and(|(code, ..)| code == "57014" || code == "55P03"))
        {
            return tally.count(Kind::Slow);
        }
        if shared[0].error != shared[1].error {
            return tally.differ(&format!("ERRORS {:?} / {:?}", shared[0].error, shared[1].error), sql);
        }
        match (&alone.error, &shared[0].error) {
            (None, Some((state, message, _))) => {
                let code = self.refused(sql, message);
                let kind = if code.is_some() { Kind::Refused } else { Kind::Failed };
                tally.refuse(kind, &format!("{} {state}", code.unwrap_or("server")), message, sql);
            }
            (Some(_), Some((_, message, _))) => {
                if alone.error == shared[0].error || self.refused(sql, message).is_some() {
                    tally.count(Kind::FailsAlone);
                } else {
                    let what = format!("alone {:?}, shared {:?}", alone.error, shared[0].error);
                    tally.refuse(Kind::OtherError, "error", &what, sql);
                }
            }
            (Some(error), None) => tally.differ(&format!("alone {error:?}, shared none"), sql),
            (None, None) => {
                if difference(&sorted(alone), &sorted(again)).is_some() {
                    return tally.count(Kind::Moment);
                }
                for answer in shared {
                    if let Some(difference) = difference(&sorted(alone), &sorted(answer)) {
                        return tally.differ(&difference, sql);
                    }
                }
                tally.count(Kind::Equal);
            }
        }
    }

    /// The code, if the guard refuses the text in these words.
    fn refused(&self, sql: &str, message: &str) -> Option<&'static str> {
        let identity =
            Identity { login: LoginName::parse("tester").unwrap(), tenant: Some(TenantId::parse(TENANT).unwrap()) };
        let limits = TextLimits::default();
        let request = Request {
            identity: &identity,
            sql,
            protocol: Protocol::Simple,
            parameter_types: &[],
            limits: &limits,
            private: PrivateRelations::none(),
        };
        match guard::decide(&self.gates[0].ruleset(), &request) {
            Decision::Reject { rejection, .. } if rejection.message == message => Some(rejection.code.as_str()),
            _ => None,
        }
    }
}

const GRANTS: &str = "
    ALTER DEFAULT PRIVILEGES GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO app;
    ALTER DEFAULT PRIVILEGES GRANT ALL ON SEQUENCES TO app;
    ALTER DEFAULT PRIVILEGES GRANT USAGE ON SCHEMAS TO app;
    SET client_min_messages = error;";

const MULTIPLY: &str = include_str!("acceptance/multiply.sql");
const FILL: &str = include_str!("acceptance/fill.sql");
const SEED: &str = include_str!("acceptance/seed.sql");
const OTHERS_SQL: &str = include_str!("acceptance/others.sql");

/// The string literals of all scripts, as an array.
fn literals(folder: &Path) -> String {
    let mut found = BTreeSet::new();
    for file in scripts(folder).iter().filter(|file| !file.ends_with("schema.sql")) {
        for statement in split(&String::from_utf8_lossy(&fs::read(file).unwrap())) {
            let literals = statement.sql.split('\'').skip(1).step_by(2);
            found.extend(literals.map(|text| text.trim_matches('%').to_owned()).filter(|text| text.len() < 60));
        }
    }
    let list: Vec<_> = found.iter().take(4000).map(|text| format!("'{}'", text.replace('\'', "''"))).collect();
    format!("ARRAY[{}]::text[]", list.join(", "))
}

/// What a block has left in its setting.
fn told(owner: &mut Connection, sql: &str) -> String {
    let answer = owner.query(sql);
    assert_eq!(answer.error, None, "the harness's own words");
    let answer = owner.query("SELECT current_setting('partywall_test.told')");
    answer.rows[0][0].clone().unwrap_or_default()
}

fn fill(literals: &str, tenant: &str, rows: &str) -> String {
    FILL.replace("LITERALS", literals).replace("TENANT", tenant).replace("ROWS", rows)
}

fn others(what: &str, turned: &str, names: &[&str]) -> String {
    let names: Vec<_> =
        names.iter().filter(|name| name.chars().all(|c| c.is_alphanumeric() || c == '_')).copied().collect();
    let names = format!("{{{}}}", names.join(","));
    OTHERS_SQL.replace("WHAT", what).replace("TURNED", turned).replace("NAMES", &names)
}

fn sorted(answer: &Answer) -> Answer {
    let mut answer = answer.clone();
    answer.rows.sort();
    answer
}

// What is a client's, and what the owner's.

enum Owner {
    Client,
    /// The owner's of the schema.
    Schema(Reads),
    /// Of roles, of psql's variables, of the planner's tests.
    Nobody,
}

enum Reads {
    Nothing,
    /// Makes rows out of the rows of tables that it names, or holds them to a constraint.
    Named,
    All,
}

fn words(sql: &str) -> Vec<String> {
    let head: String = sql.chars().take(400).collect();
    let head = head.to_ascii_lowercase();
    let words = head.split(|c: char| !(c.is_alphanumeric() || c == '_' || c == '\'' || c == ':'));
    words.filter(|word| !word.is_empty()).take(24).map(str::to_owned).collect()
}

fn owner_of(words: &[&str], temporary: &[String]) -> Owner {
    let of_temporary = |words: &[&str]| words.iter().any(|word| temporary.iter().any(|known| known == word));
    match words {
        ["create", "temp" | "temporary", ..] => Owner::Client,
        ["drop" | "alter" | "truncate" | "analyze", "table", rest @ ..] if of_temporary(rest) => Owner::Client,
        ["analyze" | "truncate", rest @ ..] if of_temporary(rest) => Owner::Client,
        ["create", "table" | "unlogged", rest @ ..] if !rest.contains(&"as") => Owner::Schema(Reads::Nothing),
        ["create", "table" | "unlogged" | "materialized" | "unique", ..] | ["alter" | "truncate", ..] => {
            Owner::Schema(Reads::Named)
        }
        ["select", rest @ ..] if rest.iter().take_while(|word| **word != "from").any(|word| *word == "into") => {
            Owner::Schema(Reads::Named)
        }
        ["refresh" | "do" | "call" | "import", ..] => Owner::Schema(Reads::All),
        ["copy", rest @ ..] if is_of_the_server(rest) => Owner::Schema(Reads::Named),
        ["set" | "reset", "local", name, ..] | ["set" | "reset", name, ..] if is_of_the_planner(name) => Owner::Nobody,
        ["set" | "reset", "role" | "session", rest @ ..] if rest.first() != Some(&"characteristics") => Owner::Nobody,
        [
            "create" | "drop" | "comment" | "grant" | "revoke" | "analyze" | "vacuum" | "reindex" | "cluster"
            | "security" | "load" | "checkpoint" | "reassign",
            ..,
        ] => Owner::Schema(Reads::Nothing),
        _ => Owner::Client,
    }
}

/// Settings by which PostgreSQL's own tests choose a plan: no application sends them.
fn is_of_the_planner(name: &str) -> bool {
    let prefixes = ["enable_", "parallel_", "max_parallel", "min_parallel", "cpu_", "seq_page", "random_page", "geqo"];
    let names = ["from_collapse_limit", "join_collapse_limit", "plan_cache_mode", "force_parallel_mode", "jit"];
    prefixes.iter().any(|prefix| name.starts_with(prefix)) || names.contains(&name)
}

/// COPY from or to a file or program.
fn is_of_the_server(words: &[&str]) -> bool {
    words.iter().any(|word| word.starts_with('\'') || *word == "program")
        && !words.contains(&"stdin")
        && !words.contains(&"stdout")
}

fn is_control(sql: &str) -> bool {
    let words = words(sql);
    let words: Vec<_> = words.iter().map(String::as_str).collect();
    matches!(
        words.as_slice(),
        ["begin" | "start" | "commit" | "end" | "rollback" | "abort" | "savepoint" | "release" | "discard", ..]
            | ["prepare", "transaction", ..]
    )
}

fn is_write(tag: &str) -> bool {
    ["INSERT", "UPDATE", "DELETE", "MERGE", "COPY"].iter().any(|word| tag.starts_with(word))
}

/// Plans are not compared: what is explained is run instead.
fn unexplained(sql: &str) -> &str {
    let mut rest = sql;
    if !rest.get(..8).is_some_and(|word| word.eq_ignore_ascii_case("explain ")) {
        return sql;
    }
    rest = rest[8..].trim_start();
    if rest.starts_with('(')
        && !rest.trim_start_matches(['(', ' ']).get(..6).is_some_and(|word| word.eq_ignore_ascii_case("select"))
        && let Some(end) = rest.find(')')
    {
        rest = &rest[end + 1..];
    }
    loop {
        rest = rest.trim_start();
        let word = rest.split_whitespace().next().unwrap_or_default();
        if !["analyze", "verbose"].contains(&word.to_ascii_lowercase().as_str()) {
            return rest;
        }
        rest = &rest[word.len()..];
    }
}

// The tally.

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Equal,
    /// Must not be.
    Different,
    /// By Partywall.
    Refused,
    /// By the server, of what Partywall has made of it.
    Failed,
    /// Fails alone, and with another error behind Partywall.
    OtherError,
    FailsAlone,
    /// Not the same twice.
    Moment,
    Slow,
    Schema,
    LeftOut,
}

#[derive(Default)]
struct Tally {
    file: String,
    in_block: bool,
    counts: BTreeMap<Kind, usize>,
    /// By code and message: how often, and one of them.
    refusals: BTreeMap<(Kind, String), (usize, String)>,
    differences: Vec<String>,
    list: Vec<String>,
}

impl Tally {
    fn count(&mut self, kind: Kind) {
        *self.counts.entry(kind).or_default() += 1;
    }

    fn differ(&mut self, difference: &str, sql: &str) {
        self.count(Kind::Different);
        self.differences.push(format!("{}: {difference}\n{sql}", self.file));
        self.list.push(format!("-- {}: DIFFERENT {difference}\n{sql};", self.file));
    }

    fn refuse(&mut self, kind: Kind, code: &str, message: &str, sql: &str) {
        self.count(kind);
        let key = (kind, format!("{code}: {}", without_names(message)));
        let entry = self.refusals.entry(key).or_insert_with(|| (0, one_line(sql)));
        entry.0 += 1;
        if one_line(sql).len() < entry.1.len() {
            entry.1 = one_line(sql);
        }
        self.list.push(format!("-- {}: {kind:?} {code} {message}\n{sql};", self.file));
    }

    fn add(&mut self, other: Self) {
        for (kind, count) in other.counts {
            *self.counts.entry(kind).or_default() += count;
        }
        for (key, (count, example)) in other.refusals {
            self.refusals.entry(key).or_insert((0, example)).0 += count;
        }
        self.differences.extend(other.differences);
        self.list.extend(other.list);
    }

    fn of(&self, kind: Kind) -> usize {
        self.counts.get(&kind).copied().unwrap_or_default()
    }

    fn line(&self) -> String {
        let accepted =
            [Kind::Equal, Kind::Different, Kind::Refused, Kind::Failed].map(|kind| self.of(kind)).iter().sum::<usize>();
        let share = if accepted == 0 { 100.0 } else { self.of(Kind::Equal) as f64 * 100.0 / accepted as f64 };
        let mut text = format!("{share:6.2} % of {accepted:5}:");
        for (kind, count) in &self.counts {
            text.push_str(&format!(" {kind:?} {count}"));
        }
        text
    }

    fn report(&self) -> String {
        let mut text = format!("{}\n", self.line());
        let mut ranked: Vec<_> = self.refusals.iter().collect();
        ranked.sort_by_key(|(key, (count, _))| (std::cmp::Reverse(*count), *key));
        for ((kind, message), (count, example)) in ranked {
            text.push_str(&format!("{count:6} {kind:?} {message}\n         {example}\n"));
        }
        for difference in &self.differences {
            text.push_str(&format!("DIFFERENT {difference}\n"));
        }
        text
    }
}

/// Names of the application's own say nothing to others.
fn without_names(message: &str) -> String {
    let parts = message.split('"').enumerate();
    parts.map(|(n, part)| if n % 2 == 1 && !part.starts_with("pg_") { "\"…\"" } else { part }).collect()
}

fn one_line(sql: &str) -> String {
    let line = sql.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() > 260 { line.chars().take(260).collect::<String>() + " …" } else { line }
}
