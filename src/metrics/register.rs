//! Names, help texts, labels and buckets of the metrics.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicI64;
use std::sync::{Arc, Mutex, PoisonError};

use metrics::{Counter, Gauge, Histogram, Key, KeyName, Label, Level, Metadata, Recorder};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusRecorder};

use crate::metrics::audit;
use crate::metrics::family::Family;
use crate::metrics::process::Process;
use crate::metrics::{Config, Metrics, Sessions, Statements, UpstreamMetrics};

/// Label values that other parts define.
#[derive(Clone, Copy, Debug, Default)]
pub struct Vocabulary<'a> {
    /// Codes of the guard's refusals.
    pub denial_reasons: &'a [&'a str],
}

const CLASSES: [&str; 3] = ["read", "write", "misc"];
const OUTCOMES: [&str; 4] = ["allow", "deny", "error", "unknown"];
const RELOAD_RESULTS: [&str; 2] = ["ok", "failed"];
const AUTH_FAILURES: [&str; 8] =
    ["auth_failed", "tls_required", "protocol", "parameter", "too_large", "unsupported", "database", "timeout"];
const LIMITS: [&str; 12] = [
    "clients_max",
    "startup_bytes_max",
    "statement_bytes_max",
    "bind_bytes_max",
    "statement_tokens_max",
    "nesting_max",
    "statements_per_session_max",
    "portals_per_session_max",
    "temporary_tables_per_session_max",
    "pipeline_max",
    "authentication_timeout",
    "drain_timeout",
];
/// Classes of sensitive columns.
pub(crate) const DATA_CLASSES: [&str; 4] = ["pii", "phi", "pci", "secret"];
const DURATION_BUCKETS: [f64; 12] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1.0, 5.0, 30.0];
const OVERHEAD_BUCKETS: [f64; 10] = [0.00001, 0.000025, 0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.005, 0.025, 0.1];
const STATEMENT_DURATION: &str = "partywall_statement_duration_seconds";
const OVERHEAD: &str = "partywall_overhead_seconds";

/// The recorder, kept for handles that are made later: those of upstreams.
pub(super) struct Registry {
    recorder: PrometheusRecorder,
    upstreams: Mutex<BTreeMap<String, Arc<UpstreamMetrics>>>,
}

impl Registry {
    fn new() -> Self {
        let builder = PrometheusBuilder::new();
        let builder = with_buckets(builder, STATEMENT_DURATION, &DURATION_BUCKETS);
        let builder = with_buckets(builder, OVERHEAD, &OVERHEAD_BUCKETS);
        let builder =
            audit::BUCKETS.iter().fold(builder, |builder, (name, buckets)| with_buckets(builder, name, buckets));
        Self { recorder: builder.build_recorder(), upstreams: Mutex::new(BTreeMap::new()) }
    }

    pub(super) fn upstream(&self, name: &str) -> Arc<UpstreamMetrics> {
        let mut upstreams = self.upstreams.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = upstreams.get(name) {
            return Arc::clone(found);
        }
        let connections = self.gauges("partywall_upstream_connections", "Connections to an upstream.");
        let errors = self.counters("partywall_upstream_errors_total", "Upstream connections that failed or were lost.");
        let up = self.gauges("partywall_upstream_up", "1 if the last attempt to reach the upstream succeeded.");
        let made = Arc::new(UpstreamMetrics {
            connections: [AtomicI64::new(0), AtomicI64::new(0)],
            connections_gauges: ["connecting", "active"]
                .map(|state| connections(&[("upstream", name), ("state", state)])),
            errors: ["connect", "timeout", "tls", "auth", "protocol", "closed", "refused"]
                .map(|kind| errors(&[("upstream", name), ("kind", kind)])),
            up: up(&[("upstream", name)]),
        });
        upstreams.insert(name.to_owned(), Arc::clone(&made));
        made
    }

    pub(super) fn each_upstream(&self, mut visit: impl FnMut(&UpstreamMetrics)) {
        let upstreams = self.upstreams.lock().unwrap_or_else(PoisonError::into_inner);
        upstreams.values().for_each(|upstream| visit(upstream));
    }

    pub(super) fn counters(&self, name: &'static str, help: &'static str) -> impl Fn(&[(&str, &str)]) -> Counter {
        self.recorder.describe_counter(KeyName::from_const_str(name), None, help.into());
        move |labels| self.recorder.register_counter(&key(name, labels), &METADATA)
    }

    pub(super) fn gauges(&self, name: &'static str, help: &'static str) -> impl Fn(&[(&str, &str)]) -> Gauge {
        self.recorder.describe_gauge(KeyName::from_const_str(name), None, help.into());
        move |labels| self.recorder.register_gauge(&key(name, labels), &METADATA)
    }

    pub(super) fn histograms(&self, name: &'static str, help: &'static str) -> impl Fn(&[(&str, &str)]) -> Histogram {
        self.recorder.describe_histogram(KeyName::from_const_str(name), None, help.into());
        move |labels| self.recorder.register_histogram(&key(name, labels), &METADATA)
    }

    pub(super) fn counter(&self, name: &'static str, help: &'static str) -> Counter {
        self.counters(name, help)(&[])
    }

    pub(super) fn gauge(&self, name: &'static str, help: &'static str) -> Gauge {
        self.gauges(name, help)(&[])
    }

    /// Counters that differ in one label.
    pub(super) fn family(&self, name: &'static str, label: &str, words: &[&str], help: &'static str) -> Family {
        let counters = self.counters(name, help);
        Family::new(words, |word| counters(&[(label, word)]))
    }
}

static METADATA: Metadata<'static> = Metadata::new("partywall", Level::INFO, None);

fn key(name: &'static str, labels: &[(&str, &str)]) -> Key {
    let labels = labels.iter().map(|(label, value)| Label::new((*label).to_owned(), (*value).to_owned()));
    Key::from_parts(name, labels.collect::<Vec<_>>())
}

fn with_buckets(builder: PrometheusBuilder, name: &str, buckets: &[f64]) -> PrometheusBuilder {
    // Fails on an empty list only, and then gives the builder away: the default form is a summary, which still counts.
    builder.set_buckets_for_metric(Matcher::Full(name.to_owned()), buckets).unwrap_or_default()
}

pub(super) fn register(vocabulary: &Vocabulary<'_>) -> Metrics {
    let registry = Arc::new(Registry::new());
    build_info(&registry);
    Metrics {
        handle: registry.recorder.handle(),
        sessions: sessions(&registry),
        statements: statements(&registry, vocabulary),
        audit: audit::register(&registry),
        config: config(&registry),
        process: Process::new(),
        registry,
    }
}

fn sessions(r: &Registry) -> Sessions {
    let open = r.gauges("partywall_sessions", "Open sessions by what they are doing.");
    let total = r.counters("partywall_sessions_total", "Attempts to open a session by how they ended.");
    Sessions {
        open: Default::default(),
        open_gauges: ["idle", "active", "in_transaction"].map(|state| open(&[("state", state)])),
        total: ["ok", "auth_failed", "refused", "limit", "upstream"].map(|result| total(&[("result", result)])),
        auth_failures: r.family(
            "partywall_auth_failures_total",
            "reason",
            &AUTH_FAILURES,
            "Connections that ended before they became a session.",
        ),
        limits_reached: r.family("partywall_limit_reached_total", "limit", &LIMITS, "Times a limit was reached."),
        disagreements: r.counter(
            "partywall_disagreements_total",
            "Answers of the upstream, or readings of a statement, that contradict the decision. Must stay 0.",
        ),
    }
}

fn statements(r: &Registry, vocabulary: &Vocabulary<'_>) -> Statements {
    let total = r.counters("partywall_statements_total", "Statements that ended.");
    let duration = r.histograms(STATEMENT_DURATION, "Time from a statement's arrival to the end of its answer.");
    let overhead = r.histograms(OVERHEAD, "Time that Partywall itself takes, by stage; cached decisions left out.");
    let rows = r.counters("partywall_rows_returned_total", "Rows sent to clients.");
    let bytes = r.counters("partywall_bytes_returned_total", "Bytes of row data sent to clients.");
    Statements {
        total: CLASSES.map(|class| OUTCOMES.map(|outcome| total(&[("class", class), ("outcome", outcome)]))),
        duration: CLASSES.map(|class| duration(&[("class", class)])),
        overhead_decide: overhead(&[("stage", "decide")]),
        denied: r.family("partywall_denied_total", "reason", vocabulary.denial_reasons, "Refused texts by reason."),
        rows_returned: CLASSES.map(|class| rows(&[("class", class)])),
        bytes_returned: CLASSES.map(|class| bytes(&[("class", class)])),
        sensitive_reads: r.family(
            "partywall_sensitive_reads_total",
            "data_class",
            &DATA_CLASSES,
            "Statements that read a column of a sensitive class.",
        ),
        cache_hits: r.counter("partywall_statement_cache_hits_total", "Decisions found in the cache."),
        template_hits: r.counter(
            "partywall_statement_template_hits_total",
            "Decisions found in the cache for a text with other literals.",
        ),
        cache_misses: r.counter("partywall_statement_cache_misses_total", "Decisions that had to be made."),
        cache_entries: AtomicI64::new(0),
        cache_entries_gauge: r.gauge("partywall_statement_cache_entries", "Decisions in the caches."),
    }
}

fn config(r: &Registry) -> Config {
    let reloads = r.counters("partywall_config_reloads_total", "Reloads of configuration and policy.");
    let refreshes = r.counters(
        "partywall_catalog_refreshes_total",
        "Snapshots taken of the upstream schema, the first one included.",
    );
    let certificates =
        r.gauges("partywall_tls_certificate_not_after_seconds", "When a certificate expires, as Unix time; 0: none.");
    Config {
        reloads: RELOAD_RESULTS.map(|result| reloads(&[("result", result)])),
        last_success: r.gauge(
            "partywall_config_last_success_timestamp_seconds",
            "When the configuration in force was loaded, as Unix time.",
        ),
        catalog_refreshes: RELOAD_RESULTS.map(|result| refreshes(&[("result", result)])),
        policy_misfits: r.gauge(
            "partywall_policy_misfits",
            "Places at which the policy does not fit the upstream schema any more; the tables concerned are withdrawn.",
        ),
        certificates: ["server", "client", "ca"].map(|role| certificates(&[("role", role)])),
    }
}

fn build_info(registry: &Registry) {
    let info = registry.gauges("partywall_build_info", "Always 1; its labels say what is running.");
    info(&[("version", env!("CARGO_PKG_VERSION")), ("tls_provider", "aws-lc-rs")]).set(1.0);
}
