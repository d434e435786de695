//! Tenants with a schema or a database of their own, beside those who share tables, behind one Partywall.

use std::fs;
use std::time::Duration;

use partywall::demo::postgres::{Options, PlainConnections, ThrowawayPostgres};
use tokio_postgres::{Client, SimpleQueryMessage};

use crate::run::Running;

const SCHEMA: &str = "
    CREATE TABLE countries (code text PRIMARY KEY, name text);
    INSERT INTO countries VALUES ('de', 'Germany');
    CREATE TABLE invoices (tenant_id text NOT NULL, id int, note text, PRIMARY KEY (tenant_id, id));
    INSERT INTO invoices VALUES ('acme', 1, 'acme one'), ('zeta', 1, 'zeta one'), ('alpha', 1, 'alpha one');
    CREATE SCHEMA t_alpha;
    CREATE SCHEMA t_beta;
    CREATE TABLE t_alpha.orders (id serial PRIMARY KEY, note text);
    CREATE TABLE t_beta.orders (id serial PRIMARY KEY, note text);
    INSERT INTO t_alpha.orders (note) VALUES ('alpha one'), ('alpha two');
    INSERT INTO t_beta.orders (note) VALUES ('beta secret');
    CREATE VIEW t_alpha.mine AS SELECT note FROM t_alpha.orders;
    CREATE VIEW t_alpha.theirs AS SELECT note FROM t_beta.orders;
    CREATE TABLE t_alpha.parent (note text);
    CREATE TABLE t_beta.child () INHERITS (t_alpha.parent);
    INSERT INTO t_beta.child VALUES ('beta secret');
    CREATE TABLE t_alpha.bound (id int PRIMARY KEY);
    CREATE TABLE t_beta.binds (id int REFERENCES t_alpha.bound ON DELETE CASCADE);
    INSERT INTO t_alpha.bound VALUES (1);
    INSERT INTO t_beta.binds VALUES (1);
    CREATE TABLE t_alpha.points (id int REFERENCES t_beta.orders);
    CREATE TABLE t_alpha.hidden_one (id int);
    CREATE TYPE t_alpha.mood AS ENUM ('glad', 'sad');
    CREATE FUNCTION t_beta.leak() RETURNS text LANGUAGE sql AS 'SELECT note FROM t_beta.orders';
    CREATE SEQUENCE t_beta.counter;
    GRANT USAGE ON SCHEMA t_alpha, t_beta TO app;
    GRANT ALL ON ALL TABLES IN SCHEMA public, t_alpha, t_beta TO app;
    GRANT ALL ON ALL SEQUENCES IN SCHEMA t_alpha, t_beta TO app;
    CREATE DATABASE bank;
    \\connect bank
    CREATE TABLE accounts (id int PRIMARY KEY, tenant_id text, owner text);
    INSERT INTO accounts VALUES (1, 'bank', 'Ann'), (2, 'branch', 'Bob');
    GRANT ALL ON accounts TO app;
";

const POLICY: &str = r#"
[tenancy]
column = "tenant_id"
unlisted = "refuse"

[table."public.countries"]
kind = "shared"

[table.'"{schema}".hidden_one']
kind = "hidden"

[tenant.acme]
[tenant.zeta]
[tenant.bank]
upstream = "bank"
[tenant."*a"]
schema = "t_{id}"

[login.acme_app]
tenant = "acme"
password = { file = "secret" }
[login.alpha_app]
tenant = "alpha"
password = { file = "secret" }
[login.beta_app]
tenant = "beta"
password = { file = "secret" }
[login.bank_app]
tenant = "bank"
password = { file = "secret" }
[login.omega_app]
tenant = "omega"
password = { file = "secret" }
[login.stranger_app]
tenant = "stranger"
password = { file = "secret" }
[login.pool]
tenants = ["*"]
password = { file = "secret" }
"#;

fn config(port: u16) -> String {
    let upstream = |name: &str, database: &str| {
        format!(
            "[upstream.{name}]\nhost = \"127.0.0.1\"\nport = {port}\ndatabase = \"{database}\"\nuser = \"app\"\n\
             password = {{ file = \"upstream.secret\" }}\ntls = \"disable\"\n"
        )
    };
    format!(
        "[listen]\naddress = \"127.0.0.1:0\"\n{}{}[policy]\nfile = \"policy.toml\"\n[audit.file]\npath = \"audit.jsonl\"\n\
         [log]\nformat = \"json\"\n",
        upstream("main", "app"),
        upstream("bank", "bank")
    )
}

/// Rows as text, or the error's code.
async fn ask(client: &Client, sql: &str) -> Result<String, String> {
    match client.simple_query(sql).await {
        Ok(messages) => {
            let rows = messages.iter().filter_map(|message| match message {
                SimpleQueryMessage::Row(row) => {
                    Some((0..row.len()).map(|at| row.get(at).unwrap_or("NULL")).collect::<Vec<_>>().join("|"))
                }
                _ => None,
            });
            Ok(rows.collect::<Vec<_>>().join(" "))
        }
        Err(error) => Err(error.code().map_or_else(|| error.to_string(), |code| code.code().to_owned())),
    }
}

async fn expect(client: &Client, cases: &[(&str, Result<&str, &str>)]) {
    for (sql, expected) in cases {
        let found = ask(client, sql).await;
        assert_eq!(found.as_deref().map_err(String::as_str), *expected, "{sql}");
    }
}

/// What alpha asks whatever beta does, and must hear the same.
const QUESTIONS: &[&str] = &[
    "SELECT note FROM orders ORDER BY id",
    "SELECT count(*) FROM t_alpha.orders",
    "SELECT o.note, c.name FROM orders o CROSS JOIN countries c ORDER BY o.id",
    "SELECT * FROM mine ORDER BY note",
    "SELECT * FROM theirs",
    "SELECT * FROM parent",
    "SELECT * FROM t_beta.orders",
    "SELECT * FROM t_beta.missing",
    "SELECT * FROM \"t_beta\".orders",
    "SELECT t_beta.leak()",
    "SELECT leak()",
    "SELECT 't_beta.orders'::regclass",
    "SELECT to_regclass('t_beta.orders')",
    "SELECT nextval('t_beta.counter')",
    "SELECT has_table_privilege('t_beta.orders', 'select')",
    "SELECT query_to_xml('SELECT * FROM t_beta.orders', true, true, '')",
    "SELECT set_config('search_path', 't_beta', false)",
    "SET search_path = t_beta",
    "SET search_path = t_beta, public",
    "INSERT INTO points VALUES (1)",
    "INSERT INTO points VALUES (99)",
    "DELETE FROM bound",
    "DELETE FROM parent",
    "INSERT INTO countries VALUES ('fr', 'France')",
    "SELECT * FROM hidden_one",
    "SELECT 'glad'::mood",
    "SELECT pg_relation_size('t_beta.orders')",
    "WITH x AS (INSERT INTO orders (note) VALUES ('new') RETURNING note) SELECT * FROM x",
    "UPDATE orders SET note = note || '!' WHERE note = 'new' RETURNING note",
    "DELETE FROM orders WHERE note = 'new!' RETURNING note",
];

/// PostgreSQL and Partywall in front of it.
struct Site {
    postgres: ThrowawayPostgres,
    folder: tempfile::TempDir,
    running: Running,
}

impl Site {
    fn new() -> Self {
        let options = Options { plain: PlainConnections::Allowed, ..Options::default() };
        let postgres = ThrowawayPostgres::start(options).unwrap();
        postgres.create_role("app", "app-secret").unwrap();
        postgres.psql(SCHEMA).unwrap();
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("partywall.toml"), config(postgres.port())).unwrap();
        fs::write(folder.path().join("policy.toml"), POLICY).unwrap();
        fs::write(folder.path().join("secret"), "hunter2\n").unwrap();
        fs::write(folder.path().join("upstream.secret"), "app-secret\n").unwrap();
        let running = Running::start(folder.path());
        running.says("rules made for the upstream's schema as it is now");
        Self { postgres, folder, running }
    }
}

const GONE: Result<&str, &str> = Err("42P01");

#[tokio::test]
async fn each_tenant_is_where_the_policy_says_and_nowhere_else() {
    let site = Site::new();
    a_column(&site).await;
    a_schema(&site).await;
    as_if_alone(&site).await;
    a_database(&site).await;
    nowhere(&site).await;
    a_change_is_followed(&site).await;
    let records = fs::read_to_string(site.folder.path().join("audit.jsonl")).unwrap();
    for (tenant, isolation) in [("acme", "column"), ("alpha", "schema"), ("bank", "database")] {
        assert!(records.contains(&format!("\"tenant\":\"{tenant}\",\"isolation\":\"{isolation}\"")), "{tenant}");
    }
}

async fn a_column(site: &Site) {
    let acme = site.running.connect("acme_app").await.unwrap();
    expect(&acme, &[("SELECT note FROM invoices", Ok("acme one")), ("SELECT note FROM t_alpha.orders", GONE)]).await;
}

async fn a_schema(site: &Site) {
    let alpha = site.running.connect("alpha_app").await.unwrap();
    expect(
        &alpha,
        &[
            ("SELECT note FROM orders ORDER BY id", Ok("alpha one alpha two")),
            ("INSERT INTO orders (note) VALUES ('three'); SELECT count(*) FROM t_alpha.orders", Ok("3")),
            ("DELETE FROM orders WHERE note = 'three'", Ok("")),
            ("SELECT name FROM countries", Ok("Germany")),
            ("INSERT INTO countries VALUES ('fr', 'France')", Err("42501")),
            // Shared tables are scoped by their column, for it as for all.
            ("SELECT note FROM invoices", Ok("alpha one")),
            ("SELECT note FROM mine ORDER BY 1", Ok("alpha one alpha two")),
            ("SELECT note FROM t_beta.orders", GONE),
            ("SELECT note FROM parent", GONE),
            ("SELECT * FROM hidden_one", GONE),
            ("INSERT INTO points VALUES (1)", Err("42501")),
            ("DELETE FROM bound", Err("42501")),
            ("SELECT 'glad'::mood", Ok("glad")),
        ],
    )
    .await;
    for sql in ["SELECT note FROM theirs", "SET search_path = t_beta", "SELECT t_beta.leak()"] {
        assert!(ask(&alpha, sql).await.is_err(), "{sql}");
    }
}

/// As if beta were not there, whatever beta has.
async fn as_if_alone(site: &Site) {
    let alpha = site.running.connect("alpha_app").await.unwrap();
    let mut heard = Vec::new();
    let worlds = [
        "",
        "TRUNCATE t_beta.orders CASCADE; DELETE FROM t_beta.child",
        "INSERT INTO t_beta.orders VALUES (99, 'x'), (1, 'y')",
    ];
    for world in worlds {
        site.postgres.psql(world).unwrap();
        let mut answers = Vec::new();
        for question in QUESTIONS {
            answers.push((question, ask(&alpha, question).await));
        }
        heard.push(answers);
    }
    assert_eq!(heard[0], heard[1]);
    assert_eq!(heard[0], heard[2]);
    let beta = site.running.connect("beta_app").await.unwrap();
    expect(&beta, &[("SELECT note FROM orders ORDER BY 1", Ok("x y")), ("SELECT * FROM t_alpha.orders", GONE)]).await;
}

async fn a_database(site: &Site) {
    let bank = site.running.connect_to("bank_app", "bank").await.unwrap();
    expect(
        &bank,
        &[
            ("SELECT owner FROM accounts ORDER BY id", Ok("Ann Bob")),
            ("UPDATE accounts SET owner = 'Cid' WHERE id = 2 RETURNING tenant_id", Ok("branch")),
            ("SELECT * FROM invoices", GONE),
            ("SELECT dblink('dbname=app', 'SELECT 1')", Err("42501")),
            ("SELECT pg_read_file('x')", Err("42501")),
            ("ALTER TABLE accounts ADD x int", Err("0A000")),
        ],
    )
    .await;
}

async fn nowhere(site: &Site) {
    for (login, code) in [("omega_app", "3F000"), ("stranger_app", "28000")] {
        let refused = site.running.connect(login).await.err().unwrap();
        assert_eq!(refused.code().unwrap().code(), code, "{login}");
    }
    let pool = site.running.connect("pool").await.unwrap();
    expect(
        &pool,
        &[
            ("SET partywall.tenant = 'zeta'", Ok("")),
            ("SELECT note FROM invoices", Ok("zeta one")),
            // They are elsewhere, or nowhere.
            ("SET partywall.tenant = 'alpha'", Err("42501")),
            ("SET partywall.tenant = 'bank'", Err("42501")),
            ("SET partywall.tenant = 'stranger'", Err("42501")),
        ],
    )
    .await;
}

async fn a_change_is_followed(site: &Site) {
    let alpha = site.running.connect("alpha_app").await.unwrap();
    site.postgres.psql("ALTER TABLE t_alpha.orders ADD COLUMN extra int DEFAULT 7").unwrap();
    let seen = async { while ask(&alpha, "SELECT extra FROM orders LIMIT 1").await.as_deref() != Ok("7") {} };
    tokio::time::timeout(Duration::from_secs(60), seen).await.unwrap_or_else(|_| panic!("it was never seen"));
}
