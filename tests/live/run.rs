//! `partywall run` as a process: started, talked to, told by signals, ended.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use partywall::demo::postgres::{Options, PlainConnections, ThrowawayPostgres};
use serde_json::Value;
use tokio_postgres::NoTls;
use tokio_postgres::error::SqlState;

const PATIENCE: Duration = Duration::from_secs(30);
const POLICY: &str = r#"
[tenancy]
column = "tenant_id"

[login.acme_app]
tenant = "acme"
password = { file = "acme.secret" }

[login.zeta_app]
tenant = "zeta"
password = { file = "acme.secret" }
"#;

/// The process, and what it says on standard error.
pub(crate) struct Running {
    child: Child,
    lines: Receiver<String>,
    pub(crate) address: SocketAddr,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

fn start(folder: &Path) -> (Child, Receiver<String>) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_partywall"))
        .args(["run", "--config"])
        .arg(folder.join("partywall.toml"))
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let stderr = BufReader::new(child.stderr.take().unwrap());
    let (send, lines) = channel();
    // Ends with the process, which closes the pipe.
    thread::spawn(move || stderr.lines().map_while(Result::ok).try_for_each(|line| send.send(line)));
    (child, lines)
}

impl Running {
    pub(crate) fn start(folder: &Path) -> Self {
        let (child, lines) = start(folder);
        let mut running = Self { child, lines, address: "0.0.0.0:0".parse().unwrap() };
        let listening = running.says("listening");
        running.address = listening["address"].as_str().unwrap().parse().unwrap();
        running
    }

    /// The next log line with this message.
    pub(crate) fn says(&self, message: &str) -> Value {
        let mut seen = Vec::new();
        loop {
            let line = self.lines.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("no {message:?} after {seen:#?}"));
            let record: Value = serde_json::from_str(&line).unwrap_or_else(|_| panic!("not a log record: {line}"));
            if record["message"] == message {
                return record;
            }
            seen.push(line);
        }
    }

    fn signal(&self, name: &str) {
        assert!(Command::new("kill").args(["-s", name, &self.child.id().to_string()]).status().unwrap().success());
    }

    pub(crate) async fn connect(&self, login: &str) -> Result<tokio_postgres::Client, tokio_postgres::Error> {
        self.connect_to(login, "app").await
    }

    pub(crate) async fn connect_to(
        &self,
        login: &str,
        database: &str,
    ) -> Result<tokio_postgres::Client, tokio_postgres::Error> {
        let (client, connection) = tokio_postgres::Config::new()
            .host("127.0.0.1")
            .port(self.address.port())
            .user(login)
            .password("hunter2")
            .dbname(database)
            .connect(NoTls)
            .await?;
        tokio::spawn(connection);
        Ok(client)
    }

    fn ended(mut self) -> ExitStatus {
        // Nothing is written any more: the process is at its end.
        while self.lines.recv_timeout(PATIENCE).is_ok() {}
        let status = self.child.wait().unwrap();
        drop(self);
        status
    }
}

fn write_config(folder: &Path, port: u16) {
    let text = format!(
        "[listen]\naddress = \"127.0.0.1:0\"\n[upstream.main]\nhost = \"127.0.0.1\"\nport = {port}\ndatabase = \"app\"\n\
         user = \"app\"\npassword = {{ file = \"upstream.secret\" }}\ntls = \"disable\"\n[policy]\nfile = \"policy.toml\"\n\
         [audit.file]\npath = \"audit.jsonl\"\n[log]\nformat = \"json\"\n"
    );
    fs::write(folder.join("partywall.toml"), text).unwrap();
    fs::write(folder.join("policy.toml"), POLICY).unwrap();
    fs::write(folder.join("acme.secret"), "hunter2\n").unwrap();
    fs::write(folder.join("upstream.secret"), "app-secret\n").unwrap();
}

fn postgres() -> ThrowawayPostgres {
    let options = Options { plain: PlainConnections::Allowed, ..Options::default() };
    let postgres = ThrowawayPostgres::start(options).unwrap();
    postgres.create_role("app", "app-secret").unwrap();
    postgres
        .psql(
            "CREATE TABLE invoices (tenant_id text NOT NULL, id int, note text, PRIMARY KEY (tenant_id, id));
             INSERT INTO invoices VALUES ('acme', 1, 'a'), ('acme', 2, 'b'), ('zeta', 1, 'z');
             GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO app;",
        )
        .unwrap();
    postgres
}

#[tokio::test]
async fn a_session_is_served_recorded_and_seen_out() {
    let postgres = postgres();
    let folder = tempfile::tempdir().unwrap();
    write_config(folder.path(), postgres.port());
    let running = Running::start(folder.path());
    running.says("rules made for the upstream's schema as it is now");

    let acme = running.connect("acme_app").await.unwrap();
    let rows = acme.query("SELECT id FROM invoices WHERE note <> $1", &[&"4111-secret"]).await.unwrap();
    assert_eq!(rows.len(), 2);
    let refused = acme.simple_query("SELECT * FROM pg_authid WHERE rolname = '4111-secret'").await.unwrap_err();
    assert!(refused.as_db_error().is_some());
    drop(acme);
    assert!(running.connect("nobody").await.is_err());

    // A bad file changes nothing and says why. A good one is taken: sessions go on, but those of a login that is gone.
    let acme = running.connect("acme_app").await.unwrap();
    let zeta = running.connect("zeta_app").await.unwrap();
    fs::write(folder.path().join("policy.toml"), "[tenancy]\ncolum = \"tenant_id\"\n").unwrap();
    running.signal("HUP");
    let why = running.says("reload refused, everything stays as it was");
    assert!(why["error"].as_str().unwrap().contains("policy.toml:2:1: "), "{why}");
    assert_eq!(zeta.query("SELECT id FROM invoices", &[]).await.unwrap().len(), 1);
    fs::write(folder.path().join("policy.toml"), POLICY.split("[login.zeta_app]").next().unwrap()).unwrap();
    running.signal("HUP");
    running.says("settings and rules reloaded");
    assert!(running.connect("zeta_app").await.is_err());
    assert!(zeta.query("SELECT id FROM invoices", &[]).await.is_err());
    assert_eq!(acme.query("SELECT id FROM invoices", &[]).await.unwrap().len(), 2);

    running.signal("TERM");
    running.says("asked to end");
    assert!(running.ended().success());
    let text = fs::read_to_string(folder.path().join("audit.jsonl")).unwrap();
    assert!(!text.contains("4111-secret") && !text.contains("hunter2"), "{text}");
    let records: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(records.iter().zip(1u64..).all(|(record, seq)| record["seq"] == seq));
    let first = |kind: &str| {
        records.iter().find(|record| record["type"] == kind).unwrap_or_else(|| panic!("no {kind} in {text}"))
    };
    assert_eq!(first("start")["seq"], 1);
    assert_eq!(records.last().unwrap()["type"], "stop");
    for kind in ["config", "auth.ok", "session.open", "auth.fail", "session.close"] {
        first(kind);
    }
    let read = first("statement");
    assert_eq!(read["tenant"], "acme");
    assert_eq!(read["rows"], 2);
    assert_eq!(read["objects"][0]["name"], "invoices");
    assert_eq!(read["objects"][0]["kind"], "scoped");
    let denied = first("deny");
    assert!(denied["reason"].is_string() && denied["actor"]["user"] == "acme_app", "{denied}");
}

#[tokio::test]
async fn while_the_upstream_is_away_clients_are_told_and_the_process_stays() {
    let mut postgres = postgres();
    postgres.kill_immediately().unwrap();
    let folder = tempfile::tempdir().unwrap();
    write_config(folder.path(), postgres.port());
    let running = Running::start(folder.path());
    let error = running.connect("acme_app").await.map(drop).unwrap_err();
    assert_eq!(error.code(), Some(&SqlState::CANNOT_CONNECT_NOW), "{error:?}");

    postgres.start_again().unwrap();
    running.says("rules made for the upstream's schema as it is now");
    let acme = running.connect("acme_app").await.unwrap();
    assert_eq!(acme.query("SELECT id FROM invoices", &[]).await.unwrap().len(), 2);
}

#[tokio::test]
async fn a_policy_for_another_schema_ends_it_with_1() {
    let postgres = postgres();
    let folder = tempfile::tempdir().unwrap();
    write_config(folder.path(), postgres.port());
    fs::write(folder.path().join("policy.toml"), format!("{POLICY}[table.\"public.nowhere\"]\nkind = \"shared\"\n"))
        .unwrap();
    let (mut child, lines) = start(folder.path());
    let text: Vec<String> = lines.iter().collect();
    assert_eq!(child.wait().unwrap().code(), Some(1));
    assert!(text.iter().any(|line| line.contains("policy.toml: table.\"public.nowhere\": ")), "{text:#?}");
}

#[test]
fn what_is_wrong_with_the_files_ends_it_with_1() {
    let folder = tempfile::tempdir().unwrap();
    let fails = |expected: &str| {
        let (mut child, lines) = start(folder.path());
        let text: Vec<String> = lines.iter().collect();
        assert_eq!(child.wait().unwrap().code(), Some(1));
        assert!(text.iter().any(|line| line.contains(expected)), "no {expected:?} in {text:#?}");
    };
    fails("partywall.toml\": No such file");
    write_config(folder.path(), 1);
    fs::write(folder.path().join("policy.toml"), "[tenancy]\ncolum = \"x\"\n").unwrap();
    fails("policy.toml:2:1: ");
    write_config(folder.path(), 1);
    fs::remove_file(folder.path().join("upstream.secret")).unwrap();
    fails("upstream.secret");
    write_config(folder.path(), 1);
    let config = fs::read_to_string(folder.path().join("partywall.toml")).unwrap();
    fs::write(folder.path().join("partywall.toml"), config.replace("audit.jsonl", "nowhere/audit.jsonl")).unwrap();
    fails("cannot keep the audit trail");
}
