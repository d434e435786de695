//! The worlds that the oracle compares: two shared databases that differ in the rows of other tenants alone, and one that
//! holds only the rows of ours. And a client that hears all that a server says.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::io::Read;
use std::io::Write as _;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::path::PathBuf;

use bytes::BytesMut;
use fallible_iterator::FallibleIterator;
use partywall::catalog::Catalog;
use partywall::demo::postgres::Options;
use partywall::demo::postgres::ThrowawayPostgres;
use partywall::guard::Ruleset;
use partywall::policy::Policy;
use postgres_protocol::IsNull;
use postgres_protocol::authentication::sasl::ChannelBinding;
use postgres_protocol::authentication::sasl::SCRAM_SHA_256;
use postgres_protocol::authentication::sasl::ScramSha256;
use postgres_protocol::message::backend::Message;
use postgres_protocol::message::frontend;

use crate::gate::Gate;
use crate::gate::Upstream;

pub(crate) const TENANT: &str = "acme";

/// In this order everywhere: ours beside others, ours beside other others, ours alone.
pub(crate) const WORLDS: [&str; 3] = ["shared1", "shared2", "alone"];

const PASSWORD: &str = "an-ordinary-role";

/// A server with each world as often as there are workers: sequences are not rolled back, and so not to be shared.
pub(crate) struct Worlds {
    postgres: ThrowawayPostgres,
}

impl Worlds {
    pub(crate) fn start(workers: usize) -> Self {
        let settings = [
            ("fsync", "off"),
            ("synchronous_commit", "off"),
            ("full_page_writes", "off"),
            ("autovacuum", "off"),
            ("synchronize_seqscans", "off"),
            ("jit", "off"),
            ("shared_buffers", "64MB"),
        ];
        let settings = settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let postgres = ThrowawayPostgres::start(Options { settings, ..Options::default() }).unwrap();
        postgres.create_role("app", PASSWORD).unwrap();
        postgres.psql_in("postgres", "ALTER ROLE app SET statement_timeout = '3s'").unwrap();
        let worlds = Self { postgres };
        let schema = fs::read_to_string(corpus("agency").join("catalog.sql")).unwrap();
        worlds.make("agency", &(schema + GRANTS));
        for world in WORLDS {
            worlds.copy("agency", world);
            worlds.run(world, &(rows_of(world) + "REFRESH MATERIALIZED VIEW client_totals; ANALYZE;"));
            if world == "alone" {
                worlds.run(world, &DEFAULTS.replace("COLUMN", "client_id").replace("TENANT", TENANT));
            }
            for worker in 0..workers {
                worlds.copy(world, &database(world, worker));
            }
        }
        worlds
    }

    /// A copy of the tenant's own world in which its rows lie in the other order: what is answered otherwise there depends
    /// on order, which the promise leaves out.
    pub(crate) fn turn(&self, database: &str) {
        self.copy("alone", database);
        let script = include_str!("acceptance/others.sql").replace("tenant_id", "client_id").replace("WHAT", "turn");
        self.run(database, &script.replace("TURNED", "{}").replace("NAMES", "{}"));
    }

    /// How a program of libpq's reaches the tenant's own world, as the owner.
    pub(crate) fn connection_string(&self) -> String {
        let (folder, port) = (self.postgres.socket_folder(), self.postgres.port());
        let password = self.postgres.superuser_password();
        format!("host={} port={port} dbname=alone user=postgres password={password}", folder.display())
    }

    /// The worlds of another schema, on the same server: of its tables each tenant has rows by the script beside it.
    pub(crate) fn add(&self, schema: &Small) {
        let read = |name| fs::read_to_string(corpus(schema.name).join(name)).unwrap();
        let template = format!("template_{}", schema.name);
        self.make(&template, &(read("catalog.sql") + GRANTS_IN_PUBLIC));
        let rows = |tenant: &str, base: usize, rows: usize| {
            let script = read("rows.sql").replace("TENANT", tenant).replace("BASE", &base.to_string());
            script.replace("ROWS", &rows.to_string())
        };
        let [first, second] = schema.others;
        let ours = rows(schema.tenant, 0, 5);
        let scripts = [
            ours.clone() + &rows(first, 100, 3),
            rows(second, 200, 9) + &ours + &rows(first, 300, 1),
            ours + &DEFAULTS.replace("COLUMN", schema.column).replace("TENANT", schema.tenant),
        ];
        for (world, script) in WORLDS.iter().zip(scripts) {
            let database = format!("{}_{world}", schema.name);
            self.copy(&template, &database);
            self.run(&database, &(script + "ANALYZE;"));
        }
    }

    /// One schema copied, so that types and tables have the same OIDs in all worlds.
    fn make(&self, database: &str, script: &str) {
        self.postgres.create_database(database).unwrap();
        self.run(database, script);
    }

    fn run(&self, database: &str, script: &str) {
        self.postgres.psql_in(database, script).unwrap();
    }

    fn copy(&self, from: &str, to: &str) {
        self.run("postgres", &format!("CREATE DATABASE {to} TEMPLATE {from}"));
    }

    /// A client that is asked for by Partywall.
    pub(crate) fn gate(&self, database: &str, policy: &str, tenant: &str) -> Gate {
        let (folder, port) = (self.postgres.socket_folder(), self.postgres.port());
        Gate::open(&Upstream { folder: &folder, port, database, role: "app", password: PASSWORD }, policy, tenant)
    }

    pub(crate) fn connect(&self, world: &str, worker: usize) -> Connection {
        self.connect_to(&database(world, worker))
    }

    pub(crate) fn connect_to(&self, database: &str) -> Connection {
        let parameters = [
            ("user", "app"),
            ("database", database),
            ("client_encoding", "UTF8"),
            ("TimeZone", "UTC"),
            ("search_path", "public"),
        ];
        Connection::open(&self.socket(), &parameters, PASSWORD)
    }

    fn socket(&self) -> PathBuf {
        self.postgres.socket_folder().join(format!(".s.PGSQL.{}", self.postgres.port()))
    }
}

fn database(world: &str, worker: usize) -> String {
    format!("{world}_{worker}")
}

pub(crate) fn corpus(schema: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus").join(schema)
}

pub(crate) fn load_ruleset(schema: &str) -> Ruleset {
    let policy = fs::read_to_string(corpus(schema).join("policy.toml")).unwrap();
    let catalog = fs::read_to_string(corpus(schema).join("catalog.json")).unwrap();
    let catalog: Catalog = serde_json::from_str(&catalog).unwrap();
    Ruleset::compile(&Policy::parse(&policy).unwrap(), &catalog).unwrap()
}

/// What `app` may do, as an ordinary application's role.
const GRANTS: &str = "
    GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public, archive TO app;
    GRANT USAGE ON SCHEMA archive TO app;
    GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO app;";

const GRANTS_IN_PUBLIC: &str = "
    GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO app;";

/// A schema that holds some cases of its own.
pub(crate) struct Small {
    pub(crate) name: &'static str,
    pub(crate) column: &'static str,
    pub(crate) tenant: &'static str,
    pub(crate) others: [&'static str; 2],
}

/// Alone, a row of which nobody says whose it is, is ours.
const DEFAULTS: &str = "
    DO $$
    DECLARE name regclass;
    BEGIN
        FOR name IN SELECT attrelid::regclass FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid
            WHERE attname = 'COLUMN' AND relkind IN ('r', 'p')
        LOOP EXECUTE format('ALTER TABLE %s ALTER COLUMN SET DEFAULT %L', name, 'TENANT'); END LOOP;
    END $$;";

// The rows.

/// Whose rows, and of what kind: ours never fail in an expression, those of others do.
#[derive(Clone, Copy)]
struct Owner {
    tenant: &'static str,
    rows: usize,
    /// Keys that all tenants share begin here.
    base: usize,
    taste: Taste,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Taste {
    Sound,
    Nasty,
    /// Nasty in another way.
    Vile,
}

const OURS: Owner = Owner { tenant: TENANT, rows: 14, base: 0, taste: Taste::Sound };

fn rows_of(world: &str) -> String {
    let other = |tenant, rows, base, taste| Owner { tenant, rows, base, taste };
    let owners = match world {
        "alone" => vec![OURS],
        "shared1" => vec![OURS, other("globex", 9, 1000, Taste::Nasty), other("initech", 20, 2000, Taste::Vile)],
        _ => vec![other("initech", 5, 2000, Taste::Nasty), other("globex", 160, 1000, Taste::Vile), OURS],
    };
    let mut script = String::from(
        "INSERT INTO countries VALUES ('DE', 'Germany', 'EUR', 19.00), ('FR', 'France', 'EUR', 20.00), ('CH', 'Switzerland', 'CHF', 8.10);
         INSERT INTO bulletins VALUES (1, 'Welcome');\n",
    );
    for owner in &owners {
        owner.write(&mut script);
    }
    if world != "alone" {
        script.push_str(
            "INSERT INTO drafts VALUES (NULL, 1, '(', 0), (NULL, 2, 'nobody''s', 0);
             INSERT INTO internal_notes VALUES (1, 'x');\n",
        );
    }
    script
}

impl Owner {
    fn write(&self, script: &mut String) {
        let t = self.tenant;
        writeln!(script, "INSERT INTO clients VALUES ('{t}', 'Client {t}', 'DE', '2020-01-01');").unwrap();
        for n in 1..=self.rows {
            self.write_books(script, n);
            self.write_odds(script, n);
            self.write_shelves(script, n);
        }
        if self.taste == Taste::Sound {
            self.write_specials(script);
        }
    }

    /// One of three, by taste.
    fn by<'a>(&self, sound: &'a str, nasty: &'a str, vile: &'a str) -> &'a str {
        match self.taste {
            Taste::Sound => sound,
            Taste::Nasty => nasty,
            Taste::Vile => vile,
        }
    }

    fn write_books(&self, script: &mut String, n: usize) {
        let t = self.tenant;
        let id = self.base + n;
        let status = ["planned", "open", "paused", "closed"][n % 4];
        let parent = if n > 2 { (n / 2).to_string() } else { "NULL".to_owned() };
        let name = self.by("Web ", "(((", "*[");
        let budget = if n.is_multiple_of(5) {
            "NULL".to_owned()
        } else {
            self.by(&format!("{}.50", n * 100), "9999999999.99", "-5").to_owned()
        };
        let starts = self.by("2025-02-01", "infinity", "4713-01-01 BC");
        let ends = if n.is_multiple_of(3) { "NULL".to_owned() } else { format!("'2025-{:02}-15'", 1 + n % 12) };
        let labels = self.by(["{web,shop}", "{web}", "{}"][n % 3], "{NULL,boom}", "{}");
        writeln!(script, "INSERT INTO projects VALUES ('{t}', {n}, '{name}{n}', '{status}', {budget}, '{starts}', {ends}, '{labels}', {parent});").unwrap();
        let project = if n.is_multiple_of(4) { "NULL".to_owned() } else { (1 + n / 2).to_string() };
        let note = if n.is_multiple_of(6) {
            "NULL".to_owned()
        } else {
            self.by(&format!("'{}'", n * 3), "'boom'", "'99999999999999999999'").to_owned()
        };
        let due = if n % 4 == 1 {
            "NULL".to_owned()
        } else {
            format!("'{}'", self.by("2025-07-01 10:00+00", "infinity", "-infinity"))
        };
        let meta = self.by(
            "{\"a\": 1, \"b\": \"x\", \"n\": \"7\", \"list\": [1, 2]}",
            "{\"n\": \"boom\", \"list\": 5}",
            "[\"n\", {\"list\": 1}]",
        );
        let meta = if n.is_multiple_of(7) { "NULL".to_owned() } else { format!("'{meta}'") };
        let number = self.by("A", "boom", "A");
        let paid = n.is_multiple_of(2);
        writeln!(
            script,
            "INSERT INTO invoices VALUES ('{t}', {n}, {project}, '{number}-{n}', {}.25, {paid}, '2025-{:02}-{:02}', {due}, {note}, {meta});",
            n * 10, 1 + n % 12, 1 + n % 28
        )
        .unwrap();
        for line in 1..=(n % 3) {
            let quantity = self.by("3", "2147483647", "2147483647");
            let discount = if n.is_multiple_of(5) { "NULL" } else { self.by("5", "0", "0") };
            let description = self.by("Design a", "boom(", "[a");
            writeln!(
                script,
                "INSERT INTO invoice_lines VALUES ({n}, {line}, '{t}', '{description}', {quantity}, {}, {discount});",
                n * 7
            )
            .unwrap();
        }
        let last = if n.is_multiple_of(4) { "NULL" } else { self.by("'Roe'", "'boom'", "'('") };
        let phone = self.by("'4912'", "'n/a'", "'('");
        let avatar = self.by("'\\x6162'", "'\\xff'", "NULL");
        writeln!(
            script,
            "INSERT INTO contacts VALUES ({id}, '{t}', 'c{id}@{t}.example', 'Ann {n}', {last}, {phone}, '{t} iban {n}', '2025-01-{:02} 08:00+00', {avatar});",
            1 + n % 28
        )
        .unwrap();
        let minutes = self.by("45", "2147483647", "-2147483648");
        writeln!(
            script,
            "INSERT INTO time_entries OVERRIDING SYSTEM VALUE VALUES ({id}, '{t}', {}, {id}, '2025-03-{:02}', {minutes}, DEFAULT, '{}');",
            1 + n / 3, 1 + n % 28, self.by("work a", "(", "[z-a]")
        )
        .unwrap();
    }

    fn write_odds(&self, script: &mut String, n: usize) {
        let t = self.tenant;
        let id = self.base + n;
        let weights = self.by("{2,3}", "{{1,2},{3,4}}", "{0}");
        writeln!(
            script,
            "INSERT INTO tags VALUES ('{t}', '{}{n}', '{}', '{weights}');",
            self.by("Web ", "(", "*"),
            ["red", "blue"][n % 2]
        )
        .unwrap();
        let value = self.by(
            "{\"a\": 1, \"b\": \"x\", \"n\": \"5\", \"list\": [3]}",
            "{\"n\": \"boom\", \"list\": {}}",
            "\"scalar\"",
        );
        let raw = self.by("{\"a\": 5}", "{bad", "");
        writeln!(script, "INSERT INTO settings VALUES ('{t}', 'k{n}', '{value}', '{raw}');").unwrap();
        let kind = ["number", "word", "a"][n % 3];
        let number = self.by(&n.to_string(), "boom", "1e999999").to_owned();
        let pattern = self.by("^W|a", "(", "[z-a]");
        let divisor = self.by("4", "0", "0");
        let big = self.by("31.00", "1e30", "NaN");
        let small = self.by("12", "2147483647", "2147483647");
        let data = self.by("\\x6162", "\\xff", "\\xc3");
        let arr = self.by("{7,8}", "{{1,2},{3,4}}", "{0,1,2}");
        let at = self.by("2025-05-05", "not a date", "2025-13-45");
        writeln!(
            script,
            "INSERT INTO intake VALUES ('{t}', {n}, '{kind}', '{number}', '{pattern}', {divisor}, '{big}', {small}, '{raw}', '{data}', '{arr}', '{at}');
             INSERT INTO readings VALUES ({id}, '{t}', '{kind}', '{number}', '{pattern}', {divisor}, '{big}', '{raw}', '{arr}');
             INSERT INTO drafts VALUES ('{t}', {n}, '{}', {});
             INSERT INTO \"Order Lines\" VALUES ('{t}', {n}, '{number}', '{t}', 'globex');
             INSERT INTO \"Projects\" VALUES ('{t}', {n}, '{number}');
             INSERT INTO events VALUES ('{t}', {n}, '2025-04-{:02} 10:00+00', '{kind}', '{value}');
             INSERT INTO measures VALUES ('{t}', '{}-05-{:02}', 'm{n}', {n}.5);
             INSERT INTO documents VALUES ('{t}', {n}, '{}');
             INSERT INTO signed_documents VALUES ('{t}', {}, '{}', '\\x00');
             INSERT INTO stamped VALUES ('{t}', {n}, 'b', 0);
             INSERT INTO counted VALUES ('{t}', {n});
             INSERT INTO ruled VALUES ('{t}', {n}, 'v');
             INSERT INTO archive.invoices VALUES ('{t}', {n}, {n}.00);
             INSERT INTO bookings VALUES ('{t}', 1, '[{},{})');",
            self.by("Web a", "(", "*"), self.by("3", "0", "0"), 1 + n % 28, 2024 + n % 2, 1 + n % 28,
            self.by("Title a", "(", "["), n + 100, self.by("Signed", "(", "["), id * 10, id * 10 + 5
        )
        .unwrap();
    }

    fn write_shelves(&self, script: &mut String, n: usize) {
        let t = self.tenant;
        let raw = self.by(&n.to_string(), "boom", "1e999999").to_owned();
        let label = if n == 5 { "NULL".to_owned() } else { format!("'{}{n}'", self.by("Shelf ", "(", "[")) };
        let statuses = self.by("{open,closed}", "{}", "{NULL}");
        let prices = self.by("{1,2}", "{0}", "{NULL,0}");
        let worth = self.by("(12.50,EUR)", "(,)", "(NaN,boom)");
        let width = self.by("[1,5)", "empty", "(,)");
        writeln!(
            script,
            "INSERT INTO shelves (client_id, id, slot, label, statuses, prices, price, worth, width, open_on, raw)
                 VALUES ('{t}', {n}, {n}, {label}, '{statuses}', '{prices}', {n}, '{worth}', '{width}', '[2025-01-{:02},)', '{raw}');
             INSERT INTO logs VALUES ('{t}', {n}, '{}-07-{:02}', '{raw}');",
            1 + n % 28,
            2023 + n % 3,
            1 + n % 28
        )
        .unwrap();
    }

    /// Rows of ours alone that a simple cast fails on: an error that must be the same everywhere.
    fn write_specials(&self, script: &mut String) {
        let t = self.tenant;
        writeln!(script, "INSERT INTO payroll VALUES ('{t}', 1, 1);").unwrap();
    }
}

// A client that hears everything.

/// What a server said to one statement.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Answer {
    /// Names and type OIDs, for each result.
    pub(crate) columns: Vec<Vec<(String, u32)>>,
    pub(crate) rows: Vec<Vec<Option<String>>>,
    pub(crate) tags: Vec<String>,
    /// SQLSTATE, message, and schema, table, column, type and constraint.
    pub(crate) error: Option<(String, String, Vec<String>)>,
    pub(crate) notices: Vec<String>,
    pub(crate) transaction: Transaction,
}

impl Answer {
    /// The SQLSTATE of its error.
    pub(crate) fn code(&self) -> Option<&str> {
        self.error.as_ref().map(|error| error.0.as_str())
    }
}

/// Where ReadyForQuery says that the session stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Transaction {
    #[default]
    None,
    Open,
    Failed,
}

pub(crate) struct Connection {
    stream: UnixStream,
    buffer: BytesMut,
}

impl Connection {
    pub(crate) fn open(socket: &Path, parameters: &[(&str, &str)], password: &str) -> Self {
        let mut connection = Self { stream: UnixStream::connect(socket).unwrap(), buffer: BytesMut::new() };
        let mut packet = BytesMut::new();
        frontend::startup_message(parameters.iter().copied(), &mut packet).unwrap();
        connection.send(&packet);
        let mut scram = ScramSha256::new(password.as_bytes(), ChannelBinding::unsupported());
        loop {
            let mut packet = BytesMut::new();
            match connection.receive().unwrap() {
                Message::AuthenticationSasl(_) => {
                    frontend::sasl_initial_response(SCRAM_SHA_256, scram.message(), &mut packet).unwrap();
                }
                Message::AuthenticationSaslContinue(body) => {
                    scram.update(body.data()).unwrap();
                    frontend::sasl_response(scram.message(), &mut packet).unwrap();
                }
                Message::AuthenticationSaslFinal(body) => scram.finish(body.data()).unwrap(),
                Message::ErrorResponse(body) => panic!("cannot log in: {:?}", fields(body.fields())),
                Message::ReadyForQuery(_) => return connection,
                _ => {}
            }
            connection.send(&packet);
        }
    }

    /// Sends all without waiting for an answer.
    pub(crate) fn send_queries(&mut self, queries: &[&str]) {
        let mut packet = BytesMut::new();
        for query in queries {
            frontend::query(query, &mut packet).unwrap();
        }
        self.send(&packet);
    }

    /// As drivers send it that prepare what they send, between two queries: with Parse, Bind, Describe, Execute, Sync.
    pub(crate) fn send_extended(&mut self, [before, sql, after]: [&str; 3]) {
        let mut packet = BytesMut::new();
        frontend::query(before, &mut packet).unwrap();
        frontend::parse("", sql, [], &mut packet).unwrap();
        let nothing: [&str; 0] = [];
        let bound = frontend::bind("", "", [], nothing, |_, _| Ok(IsNull::Yes), [], &mut packet);
        assert!(bound.is_ok());
        frontend::describe(b'P', "", &mut packet).unwrap();
        frontend::execute("", 0, &mut packet).unwrap();
        frontend::sync(&mut packet);
        frontend::query(after, &mut packet).unwrap();
        self.send(&packet);
    }

    pub(crate) fn query(&mut self, sql: &str) -> Answer {
        self.send_queries(&[sql]);
        self.answer()
    }

    /// All up to the next ReadyForQuery.
    pub(crate) fn answer(&mut self) -> Answer {
        self.answer_with(None)
    }

    /// The same, with what a COPY FROM STDIN is given.
    pub(crate) fn answer_with(&mut self, rows: Option<&[u8]>) -> Answer {
        let mut answer = Answer::default();
        loop {
            let Some(message) = self.receive() else {
                answer.error = Some(("08006".to_owned(), "the connection was closed".to_owned(), Vec::new()));
                return answer;
            };
            match message {
                Message::RowDescription(body) => {
                    answer.columns.push(
                        body.fields().map(|field| Ok((field.name().to_owned(), field.type_oid()))).collect().unwrap(),
                    );
                }
                Message::DataRow(body) => {
                    let buffer = body.buffer();
                    let text = |range: std::ops::Range<usize>| String::from_utf8_lossy(&buffer[range]).into_owned();
                    answer.rows.push(body.ranges().map(|range| Ok(range.map(text))).collect().unwrap());
                }
                Message::CommandComplete(body) => answer.tags.push(body.tag().unwrap().to_owned()),
                Message::EmptyQueryResponse => answer.tags.push(String::new()),
                Message::ErrorResponse(body) => {
                    let mut fields = fields(body.fields());
                    let mut take = |key| fields.remove(&key).unwrap_or_default();
                    let place = [b's', b't', b'c', b'd', b'n'].map(&mut take).to_vec();
                    answer.error = Some((take(b'C'), take(b'M'), place));
                }
                Message::NoticeResponse(body) => {
                    answer.notices.push(fields(body.fields()).remove(&b'M').unwrap_or_default());
                }
                Message::CopyInResponse(_) => {
                    let mut packet = BytesMut::new();
                    match rows {
                        Some(rows) => {
                            frontend::CopyData::new(rows).unwrap().write(&mut packet);
                            frontend::copy_done(&mut packet);
                        }
                        None => frontend::copy_fail("the oracle has no rows", &mut packet).unwrap(),
                    }
                    self.send(&packet);
                }
                Message::CopyData(body) => {
                    answer.rows.push(vec![Some(String::from_utf8_lossy(body.data()).into_owned())]);
                }
                Message::ReadyForQuery(body) => {
                    answer.transaction = match body.status() {
                        b'T' => Transaction::Open,
                        b'E' => Transaction::Failed,
                        _ => Transaction::None,
                    };
                    return answer;
                }
                _ => {}
            }
        }
    }

    /// A connection that is closed shows when it is read.
    fn send(&mut self, packet: &[u8]) {
        drop(self.stream.write_all(packet));
    }

    /// `None`: the server has closed the connection.
    fn receive(&mut self) -> Option<Message> {
        loop {
            if let Some(message) = Message::parse(&mut self.buffer).unwrap() {
                return Some(message);
            }
            let mut chunk = [0; 65_536];
            let length = self.stream.read(&mut chunk).unwrap_or_default();
            if length == 0 {
                return None;
            }
            self.buffer.extend_from_slice(&chunk[..length]);
        }
    }
}

fn fields(fields: postgres_protocol::message::backend::ErrorFields<'_>) -> BTreeMap<u8, String> {
    fields
        .map(|field| Ok((field.type_(), String::from_utf8_lossy(field.value_bytes()).into_owned())))
        .collect()
        .unwrap()
}
