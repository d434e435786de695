//! Settings and rules while they change: files, certificates, the upstream's schema, the upstream itself.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use partywall::audit::observe;
use partywall::audit::writer::{AuditWriter, Origin};
use partywall::cli::ProcessEnvironment;
use partywall::demo::certificates::Authority;
use partywall::demo::postgres::{Options, PlainConnections, ThrowawayPostgres};
use partywall::guard::{Code, Decision, LensKind, PrivateRelations, Protocol, Request, TextLimits, decide};
use partywall::metrics::Metrics;
use partywall::reload::{Live, Readiness, Refresh, ReloadError, Source};
use partywall::session::handshake::Logins as _;
use partywall::tenant::{Identity, LoginName, TenantId};

const SCHEMA: &str = "CREATE TABLE invoices (tenant_id text NOT NULL, id int, PRIMARY KEY (tenant_id, id));
    CREATE TABLE countries (code text PRIMARY KEY);
    GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO app;";

const POLICY: &str = r#"
[tenancy]
column = "tenant_id"

[table."public.countries"]
kind = "shared"

[login.acme_app]
tenant = "acme"
password = { file = "acme.secret" }
"#;

/// A PostgreSQL, the files of a proxy in front of it, and what the proxy would have in force.
struct Site {
    postgres: ThrowawayPostgres,
    folder: tempfile::TempDir,
    metrics: Arc<Metrics>,
    live: Arc<Live>,
    audit: AuditWriter,
}

impl Site {
    fn new(postgres: ThrowawayPostgres) -> Self {
        let folder = tempfile::tempdir().unwrap();
        write_config(folder.path(), postgres.port(), "");
        fs::write(folder.path().join("policy.toml"), POLICY).unwrap();
        fs::write(folder.path().join("acme.secret"), "hunter2\n").unwrap();
        fs::write(folder.path().join("upstream.secret"), "app-secret\n").unwrap();
        let metrics = observe::new_metrics();
        let source = Source::new(&folder.path().join("partywall.toml"), Arc::new(ProcessEnvironment), [7; 32]);
        let settings = source.read().unwrap();
        let origin = Origin { log: [1; 16], instance: "test".to_owned() };
        let (audit, sender) = AuditWriter::start(&settings.config.audit, &origin, &metrics).unwrap();
        let live = Arc::new(Live::new(source, &settings, Arc::clone(&metrics), sender));
        Self { postgres, folder, metrics, live, audit }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn sample(&self, series: &str) -> f64 {
        let text = self.metrics.render();
        text.lines().find_map(|line| line.strip_prefix(series)?.trim().parse().ok()).unwrap()
    }

    /// Type, outcome and reason of each audit record.
    fn records(self) -> Vec<(String, String, Option<String>)> {
        self.audit.close(Duration::from_secs(30));
        let text = fs::read_to_string(self.folder.path().join("audit.jsonl")).unwrap();
        let record = |line: &str| {
            let record: serde_json::Value = serde_json::from_str(line).unwrap();
            let word = |key: &str| record[key].as_str().map(str::to_owned);
            (word("type").unwrap(), word("outcome").unwrap(), word("reason"))
        };
        text.lines().map(record).collect()
    }
}

fn write_config(folder: &Path, port: u16, more: &str) {
    let text = format!(
        r#"
[listen]
address = "127.0.0.1:0"
{more}

[upstream.main]
host = "127.0.0.1"
port = {port}
database = "app"
user = "app"
password = {{ file = "upstream.secret" }}
tls = "disable"
connect_timeout = "2s"

[policy]
file = "policy.toml"

[audit.file]
path = "audit.jsonl"
"#
    );
    fs::write(folder.join("partywall.toml"), text).unwrap();
}

fn postgres() -> ThrowawayPostgres {
    let options = Options { plain: PlainConnections::Allowed, ..Options::default() };
    let postgres = ThrowawayPostgres::start(options).unwrap();
    postgres.create_role("app", "app-secret").unwrap();
    postgres.psql(SCHEMA).unwrap();
    postgres
}

#[tokio::test]
async fn a_good_file_is_taken_whole_and_a_bad_one_changes_nothing() {
    let site = Site::new(postgres());
    assert!(site.live.load().ruleset.is_none());
    assert!(matches!(site.live.refresh_catalog().await.unwrap(), Refresh::Swapped { version: 2 }));
    assert!(site.live.load().logins.login("acme_app").is_some());
    assert!(site.live.load().logins.login("zeta_app").is_none());

    let more = format!("{POLICY}\n[login.zeta_app]\ntenant = \"zeta\"\npassword = {{ file = \"zeta.secret\" }}\n");
    fs::write(site.path("policy.toml"), more).unwrap();
    let missing = site.live.reload().await.unwrap_err().to_string();
    assert!(missing.contains("zeta_app") && missing.contains("zeta.secret"), "{missing}");
    assert_eq!(site.live.version(), 2);

    fs::write(site.path("zeta.secret"), "s3cret").unwrap();
    assert_eq!(site.live.reload().await.unwrap().version, 3);
    let (verifier, identity) = site.live.load().logins.login("zeta_app").unwrap();
    assert_eq!(identity.tenant.unwrap().as_str(), "zeta");

    fs::write(site.path("policy.toml"), POLICY.replace("kind = \"shared\"", "knid = \"shared\"")).unwrap();
    let error = site.live.reload().await.unwrap_err();
    let text = error.to_string();
    assert!(text.contains("policy.toml:6:1: ") && text.contains("\"kind\"?"), "{text}");
    assert!(matches!(error, ReloadError::Files(_)));
    let kept = site.live.load();
    assert_eq!(kept.version, 3);
    assert!(kept.ruleset.is_some());
    assert!(kept.logins.login("zeta_app").unwrap().0 == verifier);

    let held = identity_of("zeta_app", "zeta");
    assert!(kept.admits(&held, &held));
    let held = identity_of("zeta_app", "acme");
    assert!(!kept.admits(&held, &held), "a session would outlive the tenant of its login");
    let gone = identity_of("gone_app", "zeta");
    assert!(!kept.admits(&gone, &gone), "a session would outlive its login");

    assert_eq!(site.sample(r#"partywall_config_reloads_total{result="ok"}"#), 1.0);
    assert_eq!(site.sample(r#"partywall_config_reloads_total{result="failed"}"#), 2.0);
    let text = site.metrics.render();
    assert!(!text.contains("hunter2") && !text.contains("s3cret"));
    let failed = Some("settings_invalid".to_owned());
    let record = |outcome: &str, reason| ("config".to_owned(), outcome.to_owned(), reason);
    let expected =
        [record("allow", None), record("error", failed.clone()), record("allow", None), record("error", failed)];
    assert_eq!(site.records(), expected);
}

fn identity_of(login: &str, tenant: &str) -> Identity {
    Identity { login: LoginName::parse(login).unwrap(), tenant: Some(TenantId::parse(tenant).unwrap()) }
}

/// The salt of a login that does not exist is the salt that it has when it comes to exist, with a password.
#[tokio::test]
async fn a_new_login_cannot_be_told_by_its_salt() {
    let site = Site::new(postgres());
    let (verifier, _) = site.live.load().logins.login("acme_app").unwrap();
    let mock = partywall::auth::ScramVerifier::mock(site.live.load().logins.mock_secret(), "acme_app");
    assert_eq!((verifier.salt, verifier.iterations), (mock.salt, mock.iterations));
}

#[tokio::test]
async fn what_needs_a_restart_is_named() {
    let site = Site::new(postgres());
    write_config(site.folder.path(), site.postgres.port(), "threads = 3");
    let report = site.live.reload().await.unwrap();
    assert_eq!(report.needs_restart, ["listen.threads"]);
    // Measured from the start, not from the last reload: it is still not in force, and once taken back nothing is due.
    assert_eq!(site.live.reload().await.unwrap().needs_restart, ["listen.threads"]);
    write_config(site.folder.path(), site.postgres.port(), "");
    assert!(site.live.reload().await.unwrap().needs_restart.is_empty());
}

#[tokio::test]
async fn the_rules_follow_the_schema() {
    let site = Site::new(postgres());
    site.live.refresh_catalog().await.unwrap();
    let before = site.live.version();
    assert!(matches!(site.live.refresh_catalog().await.unwrap(), Refresh::Unchanged));
    assert_eq!(site.live.version(), before);

    site.postgres.psql("CREATE TABLE contacts (tenant_id text NOT NULL, id int)").unwrap();
    assert!(matches!(site.live.refresh_catalog().await.unwrap(), Refresh::Swapped { .. }));
    assert_eq!(site.live.version(), before + 1);
    assert_eq!(site.sample(r#"partywall_catalog_refreshes_total{result="ok"}"#), 2.0);

    site.postgres.psql("INSERT INTO contacts VALUES ('acme', 1)").unwrap();
    assert!(matches!(site.live.refresh_catalog().await.unwrap(), Refresh::Unchanged));
}

/// The lens through which a tenant reaches a relation; `None`: not at all.
fn lens(site: &Site, relation: &str) -> Option<LensKind> {
    let snapshot = site.live.load();
    let (_, identity) = snapshot.logins.login("acme_app").unwrap();
    let request = Request {
        identity: &identity,
        sql: &format!("SELECT * FROM {relation}"),
        protocol: Protocol::Extended,
        parameter_types: &[],
        limits: &TextLimits::default(),
        private: PrivateRelations::none(),
    };
    match decide(snapshot.ruleset.as_ref().unwrap(), &request) {
        Decision::Forward(forward) => Some(forward.facts.statements[0].objects[0].lens),
        Decision::Reject { rejection, .. } => {
            assert_eq!(rejection.code, Code::RelationUnknown, "{relation}");
            None
        }
    }
}

#[tokio::test]
async fn what_does_not_fit_a_changed_schema_is_withdrawn_and_nothing_else() {
    let site = Site::new(postgres());
    site.live.refresh_catalog().await.unwrap();
    assert_eq!(lens(&site, "countries"), Some(LensKind::Shared));
    assert_eq!(lens(&site, "invoices"), Some(LensKind::Scoped));

    // A table that the policy names is gone, and one appears that cannot be scoped.
    site.postgres
        .psql("DROP TABLE countries; CREATE TABLE odd (tenant_id jsonb); CREATE TABLE fresh (tenant_id text)")
        .unwrap();
    let Refresh::Degraded { misfit, .. } = site.live.refresh_catalog().await.unwrap() else {
        panic!("the policy fits a schema that it does not fit")
    };
    assert!(misfit.to_string().contains("public.countries") && misfit.to_string().contains("public.odd"), "{misfit}");
    assert_eq!(lens(&site, "countries"), None);
    assert_eq!(lens(&site, "odd"), None);
    assert_eq!(lens(&site, "invoices"), Some(LensKind::Scoped));
    assert_eq!(lens(&site, "fresh"), Some(LensKind::Scoped));
    assert_eq!(site.live.health().readiness(), Readiness::Ready);
    assert_eq!(site.sample("partywall_policy_misfits"), 2.0);
    assert!(matches!(site.live.refresh_catalog().await.unwrap(), Refresh::Unchanged));

    // A reload is the operator's own: it must fit.
    assert!(matches!(site.live.reload().await.unwrap_err(), ReloadError::Misfit { .. }));
    assert_eq!(lens(&site, "invoices"), Some(LensKind::Scoped));

    // What comes back under the name is judged anew; and what fits again is reachable again.
    site.postgres.psql("DROP TABLE odd; CREATE TABLE countries (code text, tenant_id text)").unwrap();
    assert!(matches!(site.live.refresh_catalog().await.unwrap(), Refresh::Swapped { .. }));
    assert_eq!(lens(&site, "countries"), Some(LensKind::Shared));
    assert_eq!(site.sample("partywall_policy_misfits"), 0.0);
    let reasons: Vec<_> = site.records().into_iter().map(|(_, _, reason)| reason).collect();
    let misfit = Some("policy_misfit".to_owned());
    assert_eq!(reasons, [None, misfit.clone(), misfit, None]);
}

/// What a tenant's query of a relation is sent as; or the code of its refusal.
fn sent(site: &Site, sql: &str) -> String {
    let snapshot = site.live.load();
    let (_, identity) = snapshot.logins.login("acme_app").unwrap();
    let limits = TextLimits::default();
    let request = Request {
        identity: &identity,
        sql,
        protocol: Protocol::Simple,
        parameter_types: &[],
        limits: &limits,
        private: PrivateRelations::none(),
    };
    match decide(snapshot.ruleset.as_ref().unwrap(), &request) {
        Decision::Forward(forward) => forward.sql.as_str().to_owned(),
        Decision::Reject { rejection, .. } => rejection.code.as_str().to_owned(),
    }
}

#[tokio::test]
async fn views_and_partitions_are_those_of_the_schema_as_it_is() {
    let site = Site::new(postgres());
    site.postgres
        .psql(
            "CREATE TABLE events (tenant_id text NOT NULL, id int, kind text) PARTITION BY LIST (id);
             CREATE VIEW kinds AS SELECT kind FROM events",
        )
        .unwrap();
    site.live.refresh_catalog().await.unwrap();
    let tenant = "WHERE tenant_id OPERATOR(pg_catalog.=) 'acme'::pg_catalog.text";
    let before = sent(&site, "SELECT * FROM kinds");
    assert!(before.contains("SELECT events.kind FROM") && before.contains(tenant), "{before}");
    assert_eq!(sent(&site, "SELECT * FROM events_1"), "relation-unknown");

    // Another definition, and nothing else.
    site.postgres.psql("CREATE OR REPLACE VIEW kinds AS SELECT upper(kind) AS kind FROM events WHERE id > 3").unwrap();
    assert!(matches!(site.live.refresh_catalog().await.unwrap(), Refresh::Swapped { .. }));
    let after = sent(&site, "SELECT * FROM kinds");
    assert!(after.contains("upper (events.kind)") && after.contains("> 3") && after.contains(tenant), "{after}");
    site.postgres.psql("ALTER VIEW kinds SET (security_barrier)").unwrap();
    assert!(matches!(site.live.refresh_catalog().await.unwrap(), Refresh::Swapped { .. }));
    assert!(sent(&site, "SELECT * FROM kinds").contains("AS barrier OFFSET 0"));

    // A partition is a table of its own name, and its trigger one of the parent's.
    site.postgres
        .psql(
            "CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
             CREATE TABLE events_1 PARTITION OF events FOR VALUES IN (1);
             CREATE TRIGGER tell AFTER INSERT ON events_1 FOR EACH ROW EXECUTE FUNCTION tell()",
        )
        .unwrap();
    assert!(matches!(site.live.refresh_catalog().await.unwrap(), Refresh::Swapped { .. }));
    assert!(sent(&site, "SELECT * FROM events_1").contains(tenant));
    assert_eq!(sent(&site, "INSERT INTO events (id) VALUES (1)"), "relation-read-only");

    // A child with a tenant column is not shown by a parent that all share.
    site.postgres.psql("CREATE TABLE countries_of (tenant_id text NOT NULL) INHERITS (countries)").unwrap();
    assert!(matches!(site.live.refresh_catalog().await.unwrap(), Refresh::Degraded { .. }));
    assert_eq!(sent(&site, "SELECT * FROM countries"), "relation-unknown");
    assert!(sent(&site, "SELECT * FROM countries_of").contains(tenant));
}

#[tokio::test]
async fn a_policy_that_does_not_fit_at_the_start_is_the_operators_to_mend() {
    let site = Site::new(postgres());
    site.postgres.psql("DROP TABLE countries").unwrap();
    assert!(matches!(site.live.refresh_catalog().await.unwrap(), Refresh::Kept(ReloadError::Misfit { .. })));
    assert!(site.live.load().ruleset.is_none());
    assert_eq!(site.live.health().readiness(), Readiness::PolicyMisfit);

    site.postgres.psql("CREATE TABLE countries (code text)").unwrap();
    assert!(matches!(site.live.refresh_catalog().await.unwrap(), Refresh::Swapped { .. }));
    assert_eq!(site.live.health().readiness(), Readiness::Ready);
}

#[tokio::test]
async fn an_upstream_that_is_away_is_waited_for_and_certificates_are_renewed_meanwhile() {
    let mut postgres = postgres();
    postgres.kill_immediately().unwrap();
    let mut site = Site::new(postgres);
    assert_eq!(site.live.health().readiness(), Readiness::Starting);
    site.live.refresh_catalog().await.unwrap_err();
    assert_eq!(site.live.health().readiness(), Readiness::UpstreamUnreachable);
    assert!(!site.live.health().is_started());
    assert_eq!(site.sample(r#"partywall_upstream_up{upstream="main"}"#), 0.0);
    assert_eq!(site.sample(r#"partywall_upstream_errors_total{upstream="main",kind="connect"}"#), 1.0);

    site.postgres.start_again().unwrap();
    assert!(matches!(site.live.refresh_catalog().await.unwrap(), Refresh::Swapped { .. }));
    assert_eq!(site.live.health().readiness(), Readiness::Ready);
    assert_eq!(site.sample(r#"partywall_upstream_up{upstream="main"}"#), 1.0);

    site.postgres.kill_immediately().unwrap();
    site.live.refresh_catalog().await.unwrap_err();
    assert_eq!(site.live.health().readiness(), Readiness::UpstreamUnreachable);
    assert!(site.live.health().is_started());

    let files = Authority::new("test").unwrap().issue(&["localhost"], site.folder.path(), "server").unwrap();
    let tls = format!("tls_certificate_file = {:?}\ntls_key_file = {:?}", files.certificate, files.key);
    write_config(site.folder.path(), site.postgres.port(), &tls);
    site.live.reload().await.unwrap();
    let first = site.live.load();
    assert!(first.ruleset.is_some());
    assert!(site.sample(r#"partywall_tls_certificate_not_after_seconds{role="server"}"#) > 1.7e9);
    Authority::new("test").unwrap().issue(&["localhost"], site.folder.path(), "server").unwrap();
    site.live.reload().await.unwrap();
    let second = site.live.load();
    let end_point =
        |tls: &Option<Arc<partywall::net::tls::ServerTls>>| tls.as_ref().unwrap().end_point().map(<[u8]>::to_vec);
    assert_ne!(end_point(&first.listener_tls), end_point(&second.listener_tls));

    // Another database is another schema: it cannot be taken on trust.
    let config = fs::read_to_string(site.path("partywall.toml")).unwrap();
    fs::write(site.path("partywall.toml"), config.replace("database = \"app\"", "database = \"other\"")).unwrap();
    assert!(matches!(site.live.reload().await.unwrap_err(), ReloadError::Upstream(_)));
}
