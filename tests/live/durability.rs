//! Records that are durable before an answer leaves: the process is killed, its disk fills up and fails, and what was
//! answered is on record all the same.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use partywall::demo::postgres::{Options, PlainConnections, ThrowawayPostgres};
use serde_json::Value;
use tokio_postgres::{NoTls, SimpleQueryMessage};

const PATIENCE: Duration = Duration::from_secs(60);
const POLICY: &str = r#"
[tenancy]
column = "tenant_id"

[login.acme_app]
tenant = "acme"
password = { file = "acme.secret" }
"#;

struct Proxy {
    child: Child,
    port: u16,
    lines: Receiver<Value>,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Proxy {
    /// `limits` is a command of the shell that comes first.
    fn start(folder: &Path, limits: &str) -> Self {
        let mut child = Command::new("/bin/bash")
            .args(["-c", &format!("{limits}; exec \"$0\" run --config \"$1\""), env!("CARGO_BIN_EXE_partywall")])
            .arg(folder.join("partywall.toml"))
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let (send, lines) = channel();
        // Ends with the process, which closes the pipe.
        thread::spawn(move || {
            let parsed = stderr.lines().map_while(Result::ok).filter_map(|line| serde_json::from_str(&line).ok());
            parsed.for_each(|line: Value| send.send(line).unwrap_or_default());
        });
        let mut proxy = Self { child, port: 0, lines };
        let address = proxy.says("listening")["address"].as_str().unwrap().to_owned();
        proxy.port = address.rsplit(':').next().unwrap().parse().unwrap();
        proxy.says("rules made for the upstream's schema as it is now");
        proxy
    }

    fn says(&self, message: &str) -> Value {
        loop {
            let line = self.lines.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("no {message:?}"));
            if line["message"] == message {
                return line;
            }
        }
    }

    async fn connect(&self, application: &str) -> Option<tokio_postgres::Client> {
        let (client, connection) = tokio_postgres::Config::new()
            .host("127.0.0.1")
            .port(self.port)
            .user("acme_app")
            .password("hunter2")
            .dbname("app")
            .application_name(application)
            .connect(NoTls)
            .await
            .ok()?;
        tokio::spawn(connection);
        Some(client)
    }
}

fn prepare(folder: &Path, postgres: &ThrowawayPostgres, section: &str) {
    let port = postgres.port();
    let text = format!(
        "[listen]\naddress = \"127.0.0.1:0\"\nthreads = 1\n[upstream.main]\nhost = \"127.0.0.1\"\nport = {port}\n\
         database = \"app\"\nuser = \"app\"\npassword = {{ file = \"upstream.secret\" }}\ntls = \"disable\"\n\
         [policy]\nfile = \"policy.toml\"\n[log]\nformat = \"json\"\n[limits]\ndrain_timeout = \"1s\"\n{section}"
    );
    fs::write(folder.join("partywall.toml"), text).unwrap();
    fs::write(folder.join("policy.toml"), POLICY).unwrap();
    let key = audit(&["key", "--name", "example.com/test", "--out", folder.join("audit.key").to_str().unwrap()]);
    fs::write(folder.join("audit.pub"), key.stdout).unwrap();
    fs::write(folder.join("acme.secret"), "hunter2\n").unwrap();
    fs::write(folder.join("upstream.secret"), "app-secret\n").unwrap();
}

fn audit(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_partywall")).arg("audit").args(arguments).output().unwrap()
}

fn postgres() -> ThrowawayPostgres {
    let options = Options { plain: PlainConnections::Allowed, ..Options::default() };
    let postgres = ThrowawayPostgres::start(options).unwrap();
    postgres.create_role("app", "app-secret").unwrap();
    postgres
        .psql(
            "CREATE TABLE notes (tenant_id text NOT NULL, id int NOT NULL, note text, PRIMARY KEY (tenant_id, id));
             INSERT INTO notes SELECT 'acme', id, repeat('x', 100) FROM generate_series(1, 5000) AS id;
             GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO app;",
        )
        .unwrap();
    postgres
}

fn records(path: &Path) -> Vec<Value> {
    let text = fs::read(path).unwrap_or_default();
    let lines = text.split_inclusive(|byte| *byte == b'\n').filter(|line| line.ends_with(b"\n"));
    lines.map(|line| serde_json::from_slice(line).unwrap()).collect()
}

/// By application: how many statements have the record of their end.
fn ended(records: &[Value]) -> BTreeMap<String, u64> {
    let mut ended = BTreeMap::new();
    for record in records.iter().filter(|record| record["type"] == "statement" && record["phase"] != "begin") {
        *ended.entry(record["actor"]["app"].as_str().unwrap().to_owned()).or_default() += 1;
    }
    ended
}

/// Numbers without a gap, each once, and each record in the place of its number.
fn check_numbers(records: &[Value]) {
    let log = &records[0]["id"].as_str().unwrap().split_once('/').unwrap().0;
    for (record, seq) in records.iter().zip(1u64..) {
        assert_eq!(record["seq"], seq);
        assert_eq!(record["id"], format!("{log}/{seq}"));
    }
}

const LOCAL: &str = "[audit]\ndurability = \"local\"\nwait_max = \"2s\"\n[audit.spool]\nfolder = \"spool\"\n\
                     segment_bytes = \"64KiB\"\n[audit.file]\npath = \"audit.jsonl\"\n\
                     [audit.checkpoint]\nkey_file = \"audit.key\"\nfile = \"checkpoint\"\n";

/// Killed at any moment, again and again: every answer that a client has seen is on record, and the file that the
/// spool feeds has each record once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_answered_is_on_record_whenever_the_process_is_killed() {
    let kills = std::env::var_os("PARTYWALL_AUDIT_KILLS").map_or(8, |text| text.to_str().unwrap().parse().unwrap());
    let postgres = postgres();
    let folder = tempfile::tempdir().unwrap();
    prepare(folder.path(), &postgres, LOCAL);
    let answered: Arc<Mutex<BTreeMap<String, u64>>> = Arc::default();
    for round in 0..kills {
        let mut proxy = Proxy::start(folder.path(), "true");
        let statements = Arc::new(AtomicUsize::new(0));
        let mut clients = Vec::new();
        for number in 0..4 {
            let application = format!("{round}-{number}");
            let client = proxy.connect(&application).await.unwrap();
            let (answered, statements) = (Arc::clone(&answered), Arc::clone(&statements));
            clients.push(tokio::spawn(async move {
                for id in 0.. {
                    let sql = match id % 3 {
                        0 => format!(
                            "INSERT INTO notes (id, note) VALUES ({}, 'n')",
                            10_000 + round * 100_000 + number * 10_000 + id
                        ),
                        1 => "SELECT count(*) FROM notes".to_owned(),
                        _ => "SELECT id, note FROM notes WHERE id < 2000".to_owned(),
                    };
                    if client.simple_query(&sql).await.is_err() {
                        return;
                    }
                    *answered.lock().unwrap().entry(application.clone()).or_default() += 1;
                    statements.fetch_add(1, Ordering::Relaxed);
                }
            }));
        }
        // Somewhere in the middle of what they do, each time elsewhere.
        while statements.load(Ordering::Relaxed) < 5 + usize::try_from(round * 7 % 23).unwrap() {
            tokio::task::yield_now().await;
        }
        proxy.child.kill().unwrap();
        drop(proxy);
        for client in clients {
            client.await.unwrap();
        }
    }
    // The last process delivers what is left, and ends.
    let mut proxy = Proxy::start(folder.path(), "true");
    assert!(Command::new("kill").args(["-s", "TERM", &proxy.child.id().to_string()]).status().unwrap().success());
    assert!(proxy.child.wait().unwrap().success());
    let records = records(&folder.path().join("audit.jsonl"));
    check_numbers(&records);
    let ended = ended(&records);
    for (application, count) in answered.lock().unwrap().iter() {
        let recorded = ended.get(application).copied().unwrap_or_default();
        assert!(recorded >= *count, "{application}: {count} answered, {recorded} on record");
    }
    let begun: BTreeSet<&str> = records
        .iter()
        .filter(|record| record["phase"] == "begin")
        .map(|record| record["id"].as_str().unwrap())
        .collect();
    let ends = records.iter().filter_map(|record| record["begin"].as_str());
    assert!(ends.clone().count() > 0 && ends.into_iter().all(|begin| begun.contains(begin)));
    assert!(records.iter().any(|record| record["type"] == "stop"));
    // The tree has gone on over all of them, and the checkpoint that was left beside the log is about it.
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (key, witness, log) = (path("audit.pub"), path("checkpoint"), path("audit.jsonl"));
    let verified = audit(&["verify", "--key", &key, "--checkpoint", &witness, &log]);
    assert!(verified.status.success(), "{verified:?}");
    // What committed has at least a record of its beginning.
    let rows: u64 = postgres.psql("SELECT count(*) FROM notes WHERE id >= 10000").unwrap().trim().parse().unwrap();
    let inserts = records.iter().filter(|record| record["command"] == "INSERT" && record["phase"] == "begin").count();
    assert!(rows <= inserts as u64, "{rows} rows, {inserts} records");
}

/// The spool's files may not grow: the kernel says so, with EFBIG. A strict tenant is refused, and nothing leaves.
#[tokio::test]
async fn a_disk_that_takes_nothing_refuses_and_never_fails_open() {
    let postgres = postgres();
    let folder = tempfile::tempdir().unwrap();
    prepare(folder.path(), &postgres, LOCAL);
    // In units of 1,024 bytes; the signal is ignored, so that the write fails instead.
    let proxy = Proxy::start(folder.path(), "trap '' XFSZ; ulimit -f 24");
    let client = proxy.connect("filler").await.unwrap();
    let mut answered = 0;
    let refusal = loop {
        match client.simple_query("SELECT count(*) FROM notes").await {
            Ok(_) => answered += 1,
            Err(error) => break error,
        }
    };
    assert!(answered > 3);
    assert_eq!(refusal.code().map(|code| code.code()), Some("58030"), "{refusal:?}");
    let before = postgres.psql("SELECT count(*) FROM notes").unwrap();
    let client = proxy.connect("late").await.unwrap();
    let error = client.simple_query("INSERT INTO notes (id, note) VALUES (7000, 'n')").await.unwrap_err();
    assert_eq!(error.code().map(|code| code.code()), Some("58030"), "{error:?}");
    assert!(error.as_db_error().unwrap().message().contains("audit log unavailable"));
    // The connection is as good as before, and nothing was done.
    assert!(client.simple_query("SELECT 1").await.is_err() && !client.is_closed());
    assert_eq!(postgres.psql("SELECT count(*) FROM notes").unwrap(), before);
}

/// A long answer, rows that a change gives back, blocks, pipelines: all complete under a strict rule.
#[tokio::test]
async fn answers_are_complete_under_a_strict_rule() {
    let postgres = postgres();
    let folder = tempfile::tempdir().unwrap();
    prepare(folder.path(), &postgres, &LOCAL.replace("\"local\"", "\"remote\""));
    let proxy = Proxy::start(folder.path(), "true");
    let mut client = proxy.connect("whole").await.unwrap();
    let rows = client.query("SELECT id, note FROM notes ORDER BY id", &[]).await.unwrap();
    assert_eq!(rows.len(), 5_000);
    let changed = client.query("UPDATE notes SET note = 'y' WHERE id <= 3000 RETURNING id", &[]).await.unwrap();
    assert_eq!(changed.len(), 3_000);
    let block = client.transaction().await.unwrap();
    block.execute("INSERT INTO notes (id, note) VALUES (9000, 'n')", &[]).await.unwrap();
    let (one, two) = tokio::join!(
        block.query_one("SELECT count(*) FROM notes", &[]),
        block.execute("DELETE FROM notes WHERE id = 1", &[])
    );
    // One of the two comes first.
    assert!((5_000..=5_001).contains(&one.unwrap().get::<_, i64>(0)));
    assert_eq!(two.unwrap(), 1);
    block.commit().await.unwrap();
    let messages = client.simple_query("SELECT 1; INSERT INTO notes (id) VALUES (9001); SELECT 2").await.unwrap();
    let completed = messages.iter().filter(|message| matches!(message, SimpleQueryMessage::CommandComplete(_)));
    assert_eq!(completed.count(), 3);
    let sink = client.copy_in("COPY notes (id, note) FROM STDIN").await.unwrap();
    futures_util::pin_mut!(sink);
    futures_util::SinkExt::send(&mut sink, bytes::Bytes::from_static(b"9100\ta\n9101\tb\n")).await.unwrap();
    assert_eq!(sink.finish().await.unwrap(), 2);
    // Acknowledged by the file before it was answered: it is there now.
    let records = records(&folder.path().join("audit.jsonl"));
    check_numbers(&records);
    let copied = records.iter().find(|record| record["command"] == "COPY" && record["phase"] == "end").unwrap();
    assert_eq!(copied["affected"], 2);
    let long = records.iter().find(|record| record["rows"] == 5_000).unwrap();
    assert_eq!(long["phase"], "end");
}
