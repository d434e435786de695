//! What stands in `deploy/`: it loads, and names nothing that does not exist.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use partywall::audit::observe;
use partywall::config::Config;
use partywall::policy::{Credential, Policy};

fn read(path: &str) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

#[test]
fn the_settings_for_kubernetes_load() {
    let folder = Path::new("deploy/kubernetes");
    let config = Config::parse(&read("deploy/kubernetes/partywall.toml"), folder).unwrap();
    assert!(config.listen.address.unwrap().ip().is_loopback(), "other pods could reach the proxy");
    let application = read("deploy/kubernetes/application.yaml");
    let folder_of_audit = config.audit.file.unwrap().path;
    assert!(application.contains(&format!("mountPath: {}", folder_of_audit.parent().unwrap().display())));
    assert!(application.contains(&format!("containerPort: {}", config.admin.unwrap().address.port())));
    let port = config.listen.address.unwrap().port();
    assert!(application.contains(&format!("value: \"{port}\"")));
    let policy = Policy::parse(&read("deploy/kubernetes/policy.toml")).unwrap();
    for rule in policy.logins.values() {
        let Credential::Scram(text) = &rule.credential else { panic!("a password in an example that will be copied") };
        partywall::auth::ScramVerifier::parse(text).unwrap();
    }
}

/// The application's container comes without the proxy's files.
#[test]
fn the_credential_is_mounted_in_the_proxy_alone() {
    let application = read("deploy/kubernetes/application.yaml");
    let (proxy, rest) = application.split_once("\n      containers:\n").unwrap();
    let (container, _) = rest.split_once("\n      volumes:\n").unwrap();
    assert!(proxy.contains("mountPath: /run/secrets/partywall"));
    assert!(proxy.contains("restartPolicy: Always"), "not a sidecar but a step before the application");
    assert!(!container.contains("volumeMounts"));
    assert!(application.contains("shareProcessNamespace: false"));
}

#[test]
fn rules_and_dashboard_name_metrics_that_exist() {
    let metrics = observe::new_metrics();
    metrics.upstream("main");
    let text = metrics.render();
    let exported: BTreeSet<&str> =
        text.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.split(['{', ' ']).next()).collect();
    let mut seen = 0;
    for path in ["deploy/monitoring/rules.yaml", "deploy/monitoring/dashboard.json"] {
        let source = read(path);
        for word in source.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_')) {
            if word.starts_with("partywall_") || word.starts_with("process_") {
                assert!(exported.contains(word), "{path}: there is no metric {word}");
                seen += 1;
            }
        }
    }
    assert!(seen > 20, "{seen} names found");
    let _: serde_json::Value = serde_json::from_str(&read("deploy/monitoring/dashboard.json")).unwrap();
}

#[test]
fn alerts_ring_when_they_should() {
    for arguments in [["check", "rules", "rules.yaml"], ["test", "rules", "rules_test.yaml"]] {
        let output = Command::new("promtool").args(arguments).current_dir("deploy/monitoring").output();
        let output = output.unwrap_or_else(|error| panic!("promtool (Debian's package prometheus): {error}"));
        assert!(output.status.success(), "{arguments:?}: {output:?}");
    }
    let rules = read("deploy/monitoring/rules.yaml");
    let tests = read("deploy/monitoring/rules_test.yaml");
    for name in rules.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")) {
        assert!(tests.contains(&format!("alertname: {name}\n        exp_alerts:")), "no test in which {name} rings");
    }
}
