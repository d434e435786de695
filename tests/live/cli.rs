//! The commands that ask a server: `catalog`, `init`, `check --online`; and `explain` from what they wrote.

use std::process::Command;
use std::process::Output;

use partywall::catalog::Catalog;
use partywall::demo::postgres::{Options, PlainConnections, ThrowawayPostgres};
use partywall::policy::Policy;
use serde_json::Value;
use tempfile::TempDir;

const SCHEMA: &str = "
    CREATE TABLE clients (id text PRIMARY KEY, name text NOT NULL);
    CREATE TABLE countries (code text PRIMARY KEY, name text NOT NULL);
    CREATE TABLE projects (
        client_id text NOT NULL REFERENCES clients, id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        title text, UNIQUE (client_id, id));
    CREATE TABLE invoices (
        client_id text NOT NULL, id bigint PRIMARY KEY, project_id bigint, iban text, country text REFERENCES countries,
        FOREIGN KEY (client_id, project_id) REFERENCES projects (client_id, id));
    CREATE TABLE \"Odd Name\" (id int);
    CREATE VIEW totals AS SELECT client_id, count(*) FROM invoices GROUP BY 1;
    CREATE FUNCTION stamp() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN new; END';
    CREATE TRIGGER stamp BEFORE INSERT ON invoices FOR EACH ROW EXECUTE FUNCTION stamp();
    GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO app;
";

struct Place {
    folder: TempDir,
    postgres: ThrowawayPostgres,
}

impl Place {
    fn new() -> Self {
        let plain = PlainConnections::Refused;
        let postgres = ThrowawayPostgres::start(Options { plain, ..Options::default() }).unwrap();
        postgres.create_role("app", "app-secret").unwrap();
        postgres.psql(SCHEMA).unwrap();
        Self { folder: TempDir::new().unwrap(), postgres }
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_partywall"));
        command.args(arguments).current_dir(self.folder.path());
        command.env("PGPASSWORD", "app-secret").env("UPSTREAM_PASSWORD", "app-secret");
        command.output().unwrap()
    }

    /// Standard output of a command that ends with this status.
    #[track_caller]
    fn output(&self, status: i32, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(status), "{arguments:?}: {error}");
        String::from_utf8(output.stdout).unwrap()
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.folder.path().join(name), text).unwrap();
    }

    fn url(&self) -> String {
        let ca_file = self.postgres.ca_file();
        let (host, port) = (self.postgres.host(), self.postgres.port());
        let database = self.postgres.database();
        format!("postgres://app@{host}:{port}/{database}?sslmode=verify-full&sslrootcert={}", ca_file.display())
    }

    fn config(&self, user: &str) -> String {
        format!(
            "[listen]\naddress = \"127.0.0.1:6432\"\n[upstream.main]\nhost = \"{}\"\nport = {}\ndatabase = \"{}\"\n\
             user = \"{user}\"\npassword = {{ env = \"UPSTREAM_PASSWORD\" }}\ntls_ca_file = \"{}\"\n\
             [policy]\nfile = \"policy.toml\"\n",
            self.postgres.host(),
            self.postgres.port(),
            self.postgres.database(),
            self.postgres.ca_file().display(),
        )
    }
}

#[test]
fn from_a_server_to_a_policy_to_an_explanation() {
    let place = Place::new();
    let catalog = place.output(0, &["catalog", "--url", &place.url()]);
    assert_eq!(Catalog::parse_json(&catalog).unwrap().to_json(), catalog);
    place.write("catalog.json", &catalog);

    let policy = place.output(0, &["init", "--url", &place.url()]);
    assert_eq!(policy, place.output(0, &["init", "--catalog", "catalog.json"]));
    let parsed = Policy::parse(&policy).unwrap();
    assert_eq!(parsed.tenancy.column.as_deref(), Some("client_id"));
    assert!(policy.contains("[table.\"public.clients\"]\ncolumn = \"id\""), "{policy}");
    assert!(policy.contains("[table.\"public.\\\"Odd Name\\\"\"]\nkind = \"hidden\""), "{policy}");

    let decided = policy
        .replace("[table.\"public.countries\"]\nkind = \"hidden\"", "[table.\"public.countries\"]\nkind = \"shared\"");
    assert_ne!(decided, policy);
    place.write("policy.toml", &decided);
    let explain = ["explain", "--policy", "policy.toml", "--catalog", "catalog.json", "--tenant", "acme"];
    let text = place
        .output(0, &[&explain[..], &["SELECT c.name FROM invoices i JOIN countries c ON c.code = i.country"]].concat());
    assert!(text.starts_with("forward\n") && text.contains("'acme'"), "{text}");
    assert!(text.contains("\nread public.countries shared columns="), "{text}");
    let text = place.output(0, &[&explain[..], &["SELECT * FROM totals"]].concat());
    assert!(text.starts_with("forward\n") && text.contains("\nread public.totals view"), "{text}");
    let text = place.output(3, &[&explain[..], &["SELECT * FROM \"Odd Name\""]].concat());
    assert!(text.starts_with("reject "), "{text}");

    place.write("partywall.toml", &place.config("app"));
    let text = place.output(0, &["check", "--config", "partywall.toml", "--online"]);
    let line = |start: &str, end: &str| {
        let found = text.lines().any(|line| line.trim_start().starts_with(start) && line.ends_with(end));
        assert!(found, "{start} … {end}\n{text}");
    };
    line("public.clients ", "sealed");
    line("public.projects ", "key oracle: projects_pkey");
    line("public.invoices ", "key oracle: invoices_pkey");
    line("public.countries ", "shared");
    line("public.totals ", "read-only: it is not made of rows of one table");
    line("warning: upstream main: public.invoices is read-only for clients", "(stamp)");
    assert!(!text.contains("role \"app\" "), "{text}");
}

#[test]
fn check_online_names_the_powers_of_the_role_and_what_nobody_classified() {
    let place = Place::new();
    place
        .postgres
        .psql("ALTER TABLE invoices OWNER TO app; GRANT pg_read_all_data TO app; ALTER ROLE app BYPASSRLS")
        .unwrap();
    place.write("policy.toml", "[tenancy]\ncolumn = \"client_id\"\n");
    place.write("partywall.toml", &place.config("app"));
    let text = place.output(0, &["check", "--config", "partywall.toml", "--online", "--format", "json"]);
    let report: Value = serde_json::from_str(&text).unwrap();
    let role = &report["schemas"][0]["role"];
    assert_eq!((&role["superuser"], &role["bypass_row_security"]), (&false.into(), &true.into()));
    assert_eq!(role["owned_tables"], serde_json::json!(["public.invoices"]));
    assert_eq!(role["predefined_roles"], serde_json::json!(["pg_read_all_data"]));
    let warnings = report["warnings"].to_string();
    for part in ["BYPASSRLS", "owns tables (public.invoices)", "public.countries has no tenant column"] {
        assert!(warnings.contains(part), "{part}: {warnings}");
    }
    let relations = report["schemas"][0]["relations"].as_array().unwrap();
    let standing = |name: &str| &relations.iter().find(|one| one["relation"] == name).unwrap()["standing"];
    assert_eq!((standing("public.countries"), standing("public.totals")), (&"unclassified".into(), &"expanded".into()));

    place.write("policy.toml", "[table.\"public.gone\"]\nkind = \"shared\"\n");
    let output = place.run(&["check", "--config", "partywall.toml", "--online"]);
    assert_eq!(output.status.code(), Some(1));
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(error.contains("there is no table or view public.gone"), "{error}");
}
