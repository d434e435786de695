//! The command line as a person or a script meets it: what it prints, where, and with which exit status.

use std::io::BufRead;
use std::io::BufReader;
use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::process::Output;
use std::process::Stdio;

use partywall::auth::ScramVerifier;
use partywall::catalog::Catalog;
use partywall::guard::Code;
use partywall::guard::Ruleset;
use partywall::policy::Policy;
use serde_json::Value;
use serde_json::json;
use tempfile::TempDir;

const CONFIG: &str = "\
[listen]
address = \"127.0.0.1:6432\"
[upstream.main]
host = \"127.0.0.1\"
database = \"app\"
user = \"app\"
tls = \"disable\"
[policy]
file = \"policy.toml\"
";

const POLICY: &str = "\
[tenancy]
column = \"tenant_id\"
[table.\"public.countries\"]
kind = \"shared\"
[login.acme_app]
tenant = \"acme\"
scram = \"SCRAM-SHA-256$4096:c2FsdA==$a2V5:a2V5\"
";

/// A folder with a config, a policy and a catalog, and the program run in it.
struct Place {
    folder: TempDir,
}

struct Ran {
    status: i32,
    output: String,
    error: String,
}

impl Place {
    fn new() -> Self {
        let place = Self { folder: TempDir::new().unwrap() };
        place.write("partywall.toml", CONFIG);
        place.write("policy.toml", POLICY);
        place.write("catalog.json", &catalog().to_string());
        place
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.folder.path().join(name), text).unwrap();
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_partywall"));
        command.args(arguments).current_dir(self.folder.path()).env_remove("PGPASSWORD");
        command
    }

    fn run(&self, arguments: &[&str]) -> Ran {
        Ran::of(&self.command(arguments).stdin(Stdio::null()).output().unwrap())
    }
}

impl Ran {
    fn of(output: &Output) -> Self {
        Self {
            status: output.status.code().unwrap(),
            output: String::from_utf8(output.stdout.clone()).unwrap(),
            error: String::from_utf8(output.stderr.clone()).unwrap(),
        }
    }
}

fn catalog() -> Value {
    let column =
        |name: &str| json!({ "name": name, "type_schema": "pg_catalog", "type_name": "text", "not_null": true });
    let key = |name: &str, columns: &[&str]| json!({ "name": name, "kind": "primary", "columns": columns });
    let table = |name: &str, columns: &[&str], keys: Value| {
        let columns: Vec<_> = columns.iter().map(|name| column(name)).collect();
        json!({ "schema": "public", "name": name, "kind": "table", "columns": columns, "keys": keys })
    };
    json!({
        "format": 1, "server_version": 150018, "database": "app", "functions": [], "operators": [], "types": [],
        "relations": [
            table("countries", &["code"], json!([])),
            table("invoices", &["tenant_id", "id", "iban"], json!([key("invoices_pkey", &["id"])])),
            table("notes", &["tenant_id", "id"], json!([key("notes_pkey", &["tenant_id", "id"])])),
            table("Odd \"Name\"\n[x]", &["id"], json!([])),
        ],
    })
}

const EXPLAIN: &[&str] = &["explain", "--policy", "policy.toml", "--catalog", "catalog.json", "--tenant", "acme"];

fn explain(rest: &[&'static str]) -> Ran {
    Place::new().run(&[EXPLAIN, rest].concat())
}

#[test]
fn every_command_has_help_and_version() {
    let place = Place::new();
    let commands =
        ["run", "check", "explain", "catalog", "init", "hash-password", "demo", "completions", "schema"].map(Some);
    for command in commands.into_iter().chain([None]) {
        let words: Vec<_> = command.into_iter().collect();
        let help = place.run(&[&words[..], &["--help"]].concat());
        assert_eq!((help.status, help.error.as_str()), (0, ""), "{words:?}");
        assert!(help.output.contains("Usage: partywall"), "{words:?}: {}", help.output);
        assert!(help.output.contains("Example") || command.is_none(), "{words:?} shows no example");
        let version = place.run(&[&words[..], &["--version"]].concat());
        assert!(version.output.ends_with(concat!(env!("CARGO_PKG_VERSION"), "\n")), "{}", version.output);
    }
}

#[test]
fn a_command_line_that_is_not_understood_exits_with_2() {
    let place = Place::new();
    for arguments in [&["chek"][..], &["run"], &["explain"], &["schema", "polcy"], &["init"]] {
        let ran = place.run(arguments);
        assert_eq!(ran.status, 2, "{arguments:?}: {}", ran.error);
        assert!(ran.error.starts_with("error: ") && ran.output.is_empty(), "{arguments:?}: {}", ran.error);
    }
}

#[test]
fn explain_prints_what_would_be_sent() {
    let ran = explain(&["SELECT 1"]);
    assert_eq!((ran.status, ran.error.as_str()), (0, ""));
    assert!(ran.output.starts_with("forward\nSELECT 1"), "{}", ran.output);
    let ran = explain(&["--format", "json", "SELECT 1"]);
    let answer: Value = serde_json::from_str(&ran.output).unwrap();
    assert_eq!((&answer["decision"], &answer["sql"]), (&json!("forward"), &json!("SELECT 1")));
    assert!(answer["facts"]["statements"].is_array());
    assert_eq!(ran.output.lines().count(), 1);
}

#[test]
fn explain_prints_why_a_statement_is_rejected() {
    let ran = explain(&["SELEC 1"]);
    assert_eq!(ran.status, 3);
    assert!(ran.output.starts_with("reject not-parsed 42601\n"), "{}", ran.output);
    let ran = explain(&["--format", "json", "SELEC 1"]);
    assert_eq!(ran.status, 3);
    let answer: Value = serde_json::from_str(&ran.output).unwrap();
    assert_eq!(answer["decision"], "reject");
    assert_eq!((&answer["code"], &answer["sqlstate"]), (&json!("not-parsed"), &json!("42601")));
    assert!(answer["message"].is_string());
}

#[test]
fn explain_prints_the_page_of_a_refusal() {
    let place = Place::new();
    let ran = place.run(&["explain", "--code", "key-oracle"]);
    assert_eq!((ran.status, ran.error.as_str()), (0, ""));
    assert!(ran.output.starts_with("key-oracle, SQLSTATE 42501\n\n"), "{}", ran.output);
    let ran = place.run(&["explain", "--code", "key-oracel"]);
    assert!(ran.status == 2 && ran.error.contains("'key-oracle'"), "{}", ran.error);
    for code in Code::ALL {
        let page = code.page();
        assert!(page.lines().all(|line| line.len() <= 78) && page.contains("\n\n"), "{code:?}:\n{page}");
    }
}

#[test]
fn explain_answers_each_line_at_once() {
    let place = Place::new();
    let mut child =
        place.command(&[EXPLAIN, &["-"]].concat()).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    let mut ask = |line: &[u8]| -> Value {
        input.write_all(line).unwrap();
        input.flush().unwrap();
        let mut answer = String::new();
        // Would wait for ever if the answer came only at the end of the input.
        output.read_line(&mut answer).unwrap();
        serde_json::from_str(&answer).unwrap()
    };
    assert_eq!(ask(b"\"SELECT 1\"\n")["decision"], "forward");
    assert_eq!(ask(b"\"SELEC\\n1\"\n")["decision"], "reject");
    assert_eq!(ask(b"\"SELECT 1\\u0000\"\n")["code"], "invalid-token");
    assert_eq!(ask(b"SELECT 1\n")["decision"], "error");
    assert_eq!(ask(b"\n")["decision"], "error");
    assert_eq!(ask(b"\"\xff\"\n")["decision"], "error");
    assert_eq!(ask(b"\"SELECT 2\"\n")["sql"], "SELECT 2");
    drop(input);
    assert_eq!(child.wait().unwrap().code(), Some(2), "some lines were no statements");
}

#[test]
fn explain_without_a_decision_exits_with_2() {
    let place = Place::new();
    let with = |policy: &'static str, catalog: &'static str, tenant: &'static str| {
        place.run(&["explain", "--policy", policy, "--catalog", catalog, "--tenant", tenant, "SELECT 1"])
    };
    let ran = with("none.toml", "catalog.json", "acme");
    assert_eq!(ran.status, 2);
    assert!(
        ran.error.starts_with("partywall: error: could not read file \"none.toml\": No such file"),
        "{}",
        ran.error
    );
    place.write("bad.toml", "[tenanci]\n");
    let ran = with("bad.toml", "catalog.json", "acme");
    let expected = "bad.toml:1:2: unknown key \"tenanci\"; did you mean \"tenancy\"?\n";
    assert_eq!((ran.status, ran.error.as_str()), (2, expected));
    place.write("bad.json", "{}");
    let ran = with("policy.toml", "bad.json", "acme");
    assert_eq!(ran.status, 2);
    assert!(
        ran.error.starts_with("partywall: error: bad.json:1:2: not a catalog: missing field `format`\nHINT: "),
        "{}",
        ran.error
    );
    let ran = with("policy.toml", "catalog.json", "");
    assert_eq!((ran.status, ran.error.as_str()), (2, "partywall: error: tenant name is empty\n"));
}

#[test]
fn check_passes_good_files_and_grades_a_schema() {
    let ran = Place::new().run(&["check", "--config", "partywall.toml", "--catalog", "catalog.json"]);
    assert_eq!((ran.status, ran.error.as_str()), (0, ""), "{}", ran.output);
    assert!(ran.output.starts_with("partywall.toml: ok\npolicy.toml: ok\n"), "{}", ran.output);
    for line in [
        "catalog.json: PostgreSQL 15.18, database \"app\"",
        "  public.countries            shared",
        "  public.invoices             scoped by tenant_id  key oracle: invoices_pkey",
        "  public.notes                scoped by tenant_id  sealed",
        "  public.\"Odd \"\"Name\"\"\\n[x]\"  unclassified",
    ] {
        assert!(ran.output.lines().any(|other| other == line), "{line}\n{}", ran.output);
    }
    assert!(ran.output.contains("warning: no audit trail is kept"), "{}", ran.output);
}

#[test]
fn check_tells_every_fault_with_its_place() {
    let place = Place::new();
    place.write("partywall.toml", &CONFIG.replace("address", "addres").replace("user", "usr"));
    let ran = place.run(&["check", "--config", "partywall.toml"]);
    assert_eq!(ran.status, 1);
    assert_eq!(
        ran.error,
        "partywall.toml:2:1: unknown key \"addres\" in [listen]; did you mean \"address\"?\n\
         partywall.toml:3:1: missing key \"user\" in [upstream.main]\n\
         partywall.toml:6:1: unknown key \"usr\" in [upstream.main]; did you mean \"user\"?\n"
    );
    place.write("partywall.toml", CONFIG);
    place.write("policy.toml", "[tenancy]\ncolum = \"a\"\n");
    let ran = place.run(&["check", "--config", "partywall.toml", "--format", "json"]);
    assert_eq!((ran.status, ran.error.as_str()), (1, ""));
    let report: Value = serde_json::from_str(&ran.output).unwrap();
    assert_eq!(report["ok"], false);
    assert_eq!(
        report["errors"],
        json!(["policy.toml:2:1: unknown key \"colum\" in [tenancy]; did you mean \"column\"?"])
    );
}

#[test]
fn check_online_tells_that_an_upstream_is_down() {
    // A port that was free a moment ago.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let place = Place::new();
    place.write("partywall.toml", &CONFIG.replace("database", &format!("port = {port}\ndatabase")));
    let ran = place.run(&["check", "--config", "partywall.toml", "--online"]);
    assert_eq!(ran.status, 1);
    assert!(ran.error.starts_with("upstream main (127.0.0.1:"), "{}", ran.error);
    let ran = place.run(&["catalog", "--url", &format!("postgres://app:hunter2@127.0.0.1:{port}/app")]);
    assert_eq!((ran.status, ran.output.as_str()), (1, ""));
    assert!(ran.error.starts_with("partywall: error: ") && !ran.error.contains("hunter2"), "{}", ran.error);
    let ran = place.run(&["catalog", "--url", "postgres://app:hunter2@db.example.com/app?sslmode=disable"]);
    assert_eq!(ran.status, 2);
    assert!(ran.error.contains("use sslmode=verify-full") && !ran.error.contains("hunter2"), "{}", ran.error);
}

#[test]
fn init_proposes_a_policy_that_loads() {
    let place = Place::new();
    let ran = place.run(&["init", "--catalog", "catalog.json"]);
    assert_eq!((ran.status, ran.error.as_str()), (0, ""));
    let policy = Policy::parse(&ran.output).unwrap_or_else(|errors| panic!("{errors:?}\n{}", ran.output));
    assert_eq!(policy.tenancy.column.as_deref(), Some("tenant_id"));
    assert_eq!(policy.tables.len(), 4);
    let catalog = Catalog::parse_json(&catalog().to_string()).unwrap();
    Ruleset::compile(&policy, &catalog).unwrap();
    assert!(ran.output.contains("#sensitive = { iban = \"pci\" }"), "{}", ran.output);
    let ran = place.run(&["init", "--catalog", "catalog.json", "--column", "code"]);
    assert!(ran.output.contains("[tenancy]\ncolumn = \"code\"\n"), "{}", ran.output);
    let ran = place.run(&["init", "--catalog", "catalog.json", "--column", "nothing"]);
    assert_eq!(ran.status, 1);
    assert!(ran.error.contains("no table has a column \"nothing\""), "{}", ran.error);
}

fn hash_password(password: &[u8]) -> Ran {
    let place = Place::new();
    let mut command = place.command(&["hash-password"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(password).unwrap();
    Ran::of(&child.wait_with_output().unwrap())
}

#[test]
fn hash_password_prints_a_verifier_of_the_password() {
    let ran = hash_password("pässword \n".as_bytes());
    assert_eq!((ran.status, ran.error.as_str()), (0, ""));
    let verifier = ScramVerifier::parse(ran.output.trim_end()).unwrap();
    let iterations = std::num::NonZeroU32::new(4096).unwrap();
    assert!(verifier == ScramVerifier::from_password("pässword ", &verifier.salt, iterations));
    assert_ne!(hash_password(b"secret").output, hash_password(b"secret").output, "each has a salt of its own");
    for bad in [&b""[..], b"\n", b"a\nb", b"a\0b", b"\xff", "a".repeat(65_536).as_bytes()] {
        let ran = hash_password(bad);
        assert_eq!((ran.status, ran.output.as_str()), (1, ""), "{}", ran.error);
    }
}

#[test]
fn schema_and_completions_print() {
    let place = Place::new();
    assert_eq!(place.run(&["schema", "policy"]).output, Policy::schema());
    for shell in ["bash", "zsh", "fish"] {
        let ran = place.run(&["completions", shell]);
        assert_eq!(ran.status, 0);
        assert!(ran.output.contains("hash-password"), "{shell}");
    }
}

#[test]
fn a_reader_that_has_seen_enough_is_no_fault() {
    let place = Place::new();
    let mut child = place
        .command(&["schema", "policy"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn the_example_files_pass_check() {
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/partywall.toml");
    let ran = Place::new().run(&["check", "--config", example.to_str().unwrap()]);
    assert_eq!((ran.status, ran.error.as_str()), (0, ""));
}
