//! The config file: the smallest one, every fault with its place, the example and its schema.

use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

use partywall::config::Config;
use partywall::config::Durability;
use partywall::config::Limits;
use partywall::config::Plain;
use partywall::config::UpstreamTls;
use partywall::policy::SecretSource;
use partywall::tenant::TenantId;

const SMALLEST: &str = r#"
[listen]
address = "127.0.0.1:6432"

[admin]
address = "127.0.0.1:9901"

[upstream.main]                    # several: a tenant names its own, or takes the first
host = "127.0.0.1"
port = 5432
database = "app"
user = "app"
password = { env = "UPSTREAM_PASSWORD" }
tls = "disable"                    # default "verify-full"; "disable" only on loopback and Unix sockets

[policy]
file = "policy.toml"

[audit.file]
path = "audit.jsonl"
"#;

fn parse(text: &str) -> Result<Config, String> {
    Config::parse(text, Path::new("/etc/partywall"))
        .map_err(|errors| errors.iter().map(|error| format!("{error}\n")).collect())
}

/// The smallest file with one piece of it put in another's place.
fn with(old: &str, new: &str) -> Result<Config, String> {
    assert!(SMALLEST.contains(old), "{old}");
    parse(&SMALLEST.replacen(old, new, 1))
}

#[track_caller]
fn refused(config: Result<Config, String>, expected: &str) {
    assert_eq!(config.err().as_deref(), Some(expected));
}

#[test]
fn the_smallest_file_loads() {
    let config = parse(SMALLEST).unwrap();
    assert_eq!(config.listen.address, Some("127.0.0.1:6432".parse().unwrap()));
    assert_eq!(config.listen.plain, Plain::LoopbackOnly);
    assert_eq!(config.admin.unwrap().address, "127.0.0.1:9901".parse().unwrap());
    let upstream = &config.upstreams["main"];
    assert_eq!((upstream.name.as_str(), upstream.port), ("main", 5432));
    assert_eq!(upstream.password, Some(SecretSource::Environment("UPSTREAM_PASSWORD".to_owned())));
    assert_eq!(upstream.tls, UpstreamTls::Disable);
    assert_eq!(config.policy_file, PathBuf::from("/etc/partywall/policy.toml"));
    assert_eq!(config.audit.file.unwrap().path, PathBuf::from("/etc/partywall/audit.jsonl"));
    assert_eq!(config.limits, Limits::default());
}

#[test]
fn a_misspelt_key_gets_its_place_and_a_suggestion() {
    refused(with("address", "addres"), "3:1: unknown key \"addres\" in [listen]; did you mean \"address\"?\n");
    refused(
        with("[policy]", "[police]"),
        "1:1: missing key \"policy\"\n16:2: unknown key \"police\"; did you mean \"policy\"?\n",
    );
    refused(
        with("env =", "environ ="),
        "13:14: unknown key \"environ\" in [upstream.main.password]; keys that can stand here: env, file\n",
    );
}

#[test]
fn all_faults_of_shape_come_at_once() {
    let text = SMALLEST
        .replace("host = \"127.0.0.1\"", "hots = \"127.0.0.1\"")
        .replace("port = 5432", "port = \"5432\"")
        .replace("tls = \"disable\"", "tls = \"require\"")
        .replace("path =", "pat =");
    refused(
        parse(&text),
        "8:1: missing key \"host\" in [upstream.main]\n\
         9:1: unknown key \"hots\" in [upstream.main]; did you mean \"host\"?\n\
         10:8: wrong type for \"port\" in [upstream.main]: expected an integer, found a string\n\
         14:7: invalid value \"require\" for \"tls\" in [upstream.main]: must be one of \"verify-full\", \"disable\"\n\
         19:1: missing key \"path\" in [audit.file]\n\
         20:1: unknown key \"pat\" in [audit.file]; did you mean \"path\"?\n",
    );
}

#[test]
fn a_fault_of_syntax_has_its_place() {
    let error = with("port = 5432", "port = ").unwrap_err();
    assert!(error.starts_with("10:8: "), "{error}");
    let error = with("port = 5432", "host = \"twice\"").unwrap_err();
    assert!(error.starts_with("10:1: duplicate key"), "{error}");
}

#[test]
fn a_secret_in_the_file_is_refused_and_not_repeated() {
    let error = with("{ env = \"UPSTREAM_PASSWORD\" }", "\"hunter2\"").unwrap_err();
    assert_eq!(
        error,
        "13:12: wrong type for \"password\" in [upstream.main]: expected a table, found a string; \
         a secret never stands in this file: write { file = \"…\" } or { env = \"…\" }\n"
    );
    refused(
        with("{ env = \"UPSTREAM_PASSWORD\" }", "{ env = \"A\", file = \"b\" }"),
        "13:12: secret needs exactly one of \"file\" and \"env\"\n",
    );
}

#[test]
fn plain_text_to_a_distant_upstream_is_refused() {
    let distant = with("\"127.0.0.1\"\nport", "\"db.example.com\"\nport").unwrap_err();
    assert!(distant.starts_with("14:7: tls = \"disable\" is for loopback and Unix sockets only"), "{distant}");
    for host in ["localhost", "::1", "127.0.0.2", "/run/postgresql"] {
        let config = with("\"127.0.0.1\"\nport", &format!("\"{host}\"\nport")).unwrap();
        assert_eq!(config.upstreams["main"].tls, UpstreamTls::Disable, "{host}");
    }
    for host in ["127.0.0.1.example.com", "0.0.0.0", "10.0.0.1", "localhost.example.com"] {
        with("\"127.0.0.1\"\nport", &format!("\"{host}\"\nport")).unwrap_err();
    }
    let verified = with("tls = \"disable\"", "tls_ca_file = \"ca.pem\"").unwrap();
    let ca_file = Some(PathBuf::from("/etc/partywall/ca.pem"));
    assert_eq!(verified.upstreams["main"].tls, UpstreamTls::VerifyFull { ca_file });
}

#[test]
fn listening_needs_a_place_and_both_halves_of_tls() {
    refused(
        with("address = \"127.0.0.1:6432\"", ""),
        "2:1: nothing to listen on: [listen] needs \"address\", \"unix_socket\" or both\n",
    );
    refused(
        with("\"127.0.0.1:6432\"", "\"localhost\""),
        "3:11: invalid address \"localhost\": must be an IP address and a port, as in \"127.0.0.1:6432\"\n",
    );
    refused(
        with("\"127.0.0.1:6432\"", "\"127.0.0.1:6432\"\ntls_key_file = \"key.pem\""),
        "4:16: TLS needs a certificate beside the key: \"tls_certificate_file\" is missing in [listen]\n",
    );
    let error = with("127.0.0.1:6432", "10.0.0.1:6432").unwrap_err();
    assert!(error.starts_with("3:11: nobody could connect to this address"), "{error}");
    with("\"127.0.0.1:6432\"", "\"10.0.0.1:6432\"\nplain = \"allow\"").unwrap();
}

#[test]
fn at_least_one_upstream() {
    let (before, rest) = SMALLEST.split_once("[upstream.main]").unwrap();
    let (_, after) = rest.split_once("[policy]").unwrap();
    let without = format!("{before}[policy]{after}");
    refused(parse(&without), "1:1: missing key \"upstream\"\n");
    refused(
        parse(&format!("{without}\n[upstream]\n")),
        "14:1: no upstream: name at least one, as in [upstream.main]\n",
    );
}

#[test]
fn limits_are_sizes_durations_and_counts_within_bounds() {
    let limits = |text: &str| parse(&format!("{SMALLEST}[limits]\n{text}\n"));
    assert_eq!(limits("statement_bytes_max = \"2MiB\"").unwrap().limits.statement_bytes_max, 2 << 20);
    assert_eq!(limits("bind_bytes_max = 4096").unwrap().limits.bind_bytes_max, 4096);
    assert_eq!(limits("drain_timeout = \"500ms\"").unwrap().limits.drain_timeout, Duration::from_millis(500));
    refused(
        limits("statement_bytes_max = \"2MB\""),
        "22:23: invalid size: must be a number of bytes, or a number with a unit (B, KiB, MiB, GiB), as in \"16MiB\"\n",
    );
    refused(limits("startup_bytes_max = \"1MiB\""), "22:21: invalid size: must be from 64 to 10000 bytes\n");
    refused(
        limits("drain_timeout = 30"),
        "22:17: wrong type for \"drain_timeout\" in [limits]: expected a string, found an integer; \
         write it with its unit, as in \"30s\"\n",
    );
    refused(
        limits("drain_timeout = \"0s\""),
        "22:17: invalid duration \"0s\": must be a number above 0 with a unit (ms, s, min, h), as in \"30s\"\n",
    );
    refused(
        limits("clients_max = 0"),
        "22:15: invalid value for \"clients_max\" in [limits]: must be from 1 to 4294967295\n",
    );
    refused(
        limits("nesting_max = 0x65"),
        "22:15: invalid value for \"nesting_max\" in [limits]: must be from 1 to 100\n",
    );
    let error = limits("pipeline_max = -1\nclients_max = 99999999999999999999").unwrap_err();
    assert_eq!(error.lines().count(), 2, "{error}");
}

const SPOOL: &str = "[audit]\ndurability = \"local\"\n[audit.spool]\nfolder = \"spool\"\n\n[audit.file]";

#[test]
fn durable_records_need_a_spool_and_a_spool_a_sink() {
    let config = with("[audit.file]", SPOOL).unwrap();
    assert_eq!(config.audit.durability, Durability::Local);
    assert_eq!(config.audit.spool.unwrap().folder, PathBuf::from("/etc/partywall/spool"));
    refused(
        with("[audit.file]", "[audit]\ndurability = \"local\"\n[audit.file]"),
        "20:14: durability = \"local\" needs a spool: give [audit.spool]\n",
    );
    refused(
        with("[audit.file]\npath = \"audit.jsonl\"", "[audit.spool]\nfolder = \"spool\""),
        "19:1: the spool keeps records until a sink has them, and there is none: give [audit.file], [audit.http] or stdout = \
         true\n",
    );
    refused(
        with("[audit.file]", "[audit.tenant.acme]\ndurability = \"remote\"\n[audit.file]"),
        "20:14: durability = \"remote\" needs a spool: give [audit.spool]\n",
    );
}

#[test]
fn records_are_posted_on_this_host_only() {
    let posted = |url: &str| {
        let section = SPOOL.replace("[audit.file]", &format!("[audit.http]\nurl = {url:?}\n[audit.file]"));
        with("[audit.file]", &section).map(|config| config.audit.http.unwrap())
    };
    let http = posted("http://127.0.0.1:8080/audit?x=1").unwrap();
    assert_eq!((http.host.as_str(), http.port, http.path.as_str()), ("127.0.0.1", 8080, "/audit?x=1"));
    assert_eq!(http.timeout, Duration::from_secs(10));
    let http = posted("http://[::1]").unwrap();
    assert_eq!((http.host.as_str(), http.port, http.path.as_str()), ("::1", 80, "/"));
    let http = posted("http://localhost:9/").unwrap();
    assert_eq!((http.host.as_str(), http.port), ("localhost", 9));
    for url in [
        "https://127.0.0.1/",
        "http://",
        "http://example.com/",
        "http://10.0.0.1:80/",
        "http://127.0.0.1:x/",
        "http://127.0.0.1/a b",
    ] {
        assert!(posted(url).is_err(), "{url}");
    }
    let refusal = with("[audit.file]", "[audit]\nstdout = true\n[audit.file]").unwrap_err();
    assert!(refusal.contains("\"stdout\" is fed by a spool"), "{refusal}");
}

#[test]
fn a_regime_that_forbids_loss_is_not_served_by_a_promise_that_has_one() {
    let acme = |spool: &str, tenant: &str| {
        let audit = SPOOL.replace("folder = \"spool\"\n", &format!("folder = \"spool\"\n{spool}\n"));
        with(
            "[audit.file]",
            &audit.replace(
                "[audit.file]",
                &format!("[audit.tenant.acme]\nregimes = [\"hipaa\"]\n{tenant}\n[audit.file]"),
            ),
        )
    };
    let refusal = acme("", "").unwrap_err();
    assert!(refusal.contains("records would end with the pod"), "{refusal}");
    let refusal = acme("persistent = true", "durability = \"async\"").unwrap_err();
    assert!(refusal.contains("a crash would lose records"), "{refusal}");
    for (spool, tenant) in [("persistent = true", ""), ("", "durability = \"remote\""), ("", "accept_pod_loss = true")]
    {
        let config = acme(spool, tenant).unwrap();
        let acme = TenantId::parse("acme").unwrap();
        assert_ne!(config.audit.durability_of(Some(&acme)), Durability::Async);
        let other = TenantId::parse("globex").unwrap();
        assert_eq!(config.audit.durability_of(Some(&other)), Durability::Local);
        // One that chooses its tenant may come to be any.
        assert!(config.audit.durability_of(None) >= config.audit.durability_of(Some(&acme)));
    }
    let refusal = with("[audit.file]", "[audit.tenant.acme]\nregimes = [\"hippa\"]\n[audit.file]").unwrap_err();
    assert!(refusal.contains("unknown regime \"hippa\": known are hipaa, gdpr, soc2, pci"), "{refusal}");
}
