//! What an operator can see from outside: one struct of handles, resolved once, rendered for Prometheus.

mod audit;
mod family;
mod process;
mod register;
mod words;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use metrics::{Counter, Gauge, Histogram};
use metrics_exporter_prometheus::PrometheusHandle;

use crate::metrics::audit::Audit;
use crate::metrics::family::Family;
use crate::metrics::register::Registry;

pub(crate) use crate::metrics::audit::Count;
pub(crate) use crate::metrics::register::DATA_CLASSES;
pub use crate::metrics::register::Vocabulary;
pub use crate::metrics::words::{
    Activity, CertificateRole, Class, ConnectionState, Outcome, ReloadResult, SessionResult, UpstreamError,
};

/// Every metric of the process. Made once, passed as `Arc`; there is no process-wide recorder.
///
/// Labels are names from the configuration or fixed words, never anything that a client sent: the number of series
/// cannot be driven from outside. Every counter stands at 0 from the start, so that a rate can be taken from its
/// first increment.
pub struct Metrics {
    handle: PrometheusHandle,
    registry: Arc<Registry>,
    sessions: Sessions,
    statements: Statements,
    audit: Audit,
    config: Config,
    process: process::Process,
}

struct Sessions {
    open: [AtomicI64; 3],
    open_gauges: [Gauge; 3],
    total: [Counter; 5],
    auth_failures: Family,
    limits_reached: Family,
    disagreements: Counter,
}

struct Statements {
    total: [[Counter; 4]; 3],
    duration: [Histogram; 3],
    overhead_decide: Histogram,
    denied: Family,
    rows_returned: [Counter; 3],
    bytes_returned: [Counter; 3],
    sensitive_reads: Family,
    cache_hits: Counter,
    template_hits: Counter,
    cache_misses: Counter,
    cache_entries: AtomicI64,
    cache_entries_gauge: Gauge,
}

struct Config {
    reloads: [Counter; 2],
    last_success: Gauge,
    catalog_refreshes: [Counter; 2],
    policy_misfits: Gauge,
    certificates: [Gauge; 3],
}

/// The handles of one upstream. Kept by who talks to it.
pub struct UpstreamMetrics {
    connections: [AtomicI64; 2],
    connections_gauges: [Gauge; 2],
    errors: [Counter; 7],
    up: Gauge,
}

/// One session in `partywall_sessions`, from its making until it is dropped.
pub struct SessionCount {
    metrics: Arc<Metrics>,
    activity: Activity,
}

impl SessionCount {
    pub fn set(&mut self, activity: Activity) {
        if activity != self.activity {
            self.metrics.add_session(self.activity, -1);
            self.metrics.add_session(activity, 1);
            self.activity = activity;
        }
    }
}

impl Drop for SessionCount {
    fn drop(&mut self) {
        self.metrics.add_session(self.activity, -1);
    }
}

/// One upstream connection in `partywall_upstream_connections`, from its making until it is dropped.
pub struct ConnectionCount {
    upstream: Arc<UpstreamMetrics>,
    state: ConnectionState,
}

impl ConnectionCount {
    pub fn new(upstream: Arc<UpstreamMetrics>) -> Self {
        let state = ConnectionState::Connecting;
        upstream.add_connection(state, 1);
        Self { upstream, state }
    }

    pub fn set(&mut self, state: ConnectionState) {
        self.upstream.add_connection(self.state, -1);
        self.upstream.add_connection(state, 1);
        self.state = state;
    }
}

impl Drop for ConnectionCount {
    fn drop(&mut self) {
        self.upstream.add_connection(self.state, -1);
    }
}

impl UpstreamMetrics {
    pub fn failed(&self, error: UpstreamError) {
        increment(self.errors.get(error as usize), 1);
    }

    pub fn set_up(&self) {
        self.up.set(1.0);
    }

    pub fn set_down(&self) {
        self.up.set(0.0);
    }

    fn add_connection(&self, state: ConnectionState, change: i64) {
        add(&self.connections, state as usize, change);
    }
}

impl Metrics {
    pub fn new(vocabulary: &Vocabulary<'_>) -> Self {
        register::register(vocabulary)
    }

    /// The text that Prometheus reads.
    pub fn render(&self) -> String {
        for (count, gauge) in self.sessions.open.iter().zip(&self.sessions.open_gauges) {
            set_count(gauge, count);
        }
        set_count(&self.statements.cache_entries_gauge, &self.statements.cache_entries);
        self.registry.each_upstream(|upstream| {
            for (count, gauge) in upstream.connections.iter().zip(&upstream.connections_gauges) {
                set_count(gauge, count);
            }
        });
        let mut text = self.handle.render();
        self.process.render(&mut text);
        text
    }

    /// Sorts recorded durations into their buckets. Between two calls each record holds a few bytes of memory: to be
    /// called every second or so, scraped or not.
    pub fn upkeep(&self) {
        self.handle.run_upkeep();
    }

    /// A session begins: after authentication.
    pub fn session(self: &Arc<Self>) -> SessionCount {
        self.add_session(Activity::Idle, 1);
        SessionCount { metrics: Arc::clone(self), activity: Activity::Idle }
    }

    pub fn session_opened(&self, result: SessionResult) {
        increment(self.sessions.total.get(result as usize), 1);
    }

    /// `reason` is `session::handshake::Refusal::reason`.
    pub fn auth_failed(&self, reason: &str) {
        self.sessions.auth_failures.increment(reason, 1);
    }

    /// A statement has ended.
    pub fn statement(&self, class: Class, outcome: Outcome, elapsed_us: u64) {
        increment(self.statements.total.get(class as usize).and_then(|row| row.get(outcome as usize)), 1);
        if let Some(histogram) = self.statements.duration.get(class as usize) {
            histogram.record(seconds(elapsed_us));
        }
    }

    /// What a statement sent back to the client.
    pub fn returned(&self, class: Class, rows: u64, bytes: u64) {
        increment(self.statements.rows_returned.get(class as usize), rows);
        increment(self.statements.bytes_returned.get(class as usize), bytes);
    }

    /// Time that a decision took which was not in the cache.
    pub fn decided(&self, elapsed: Duration) {
        self.statements.overhead_decide.record(elapsed.as_secs_f64());
    }

    /// `reason` is a `guard::Code`, as text.
    pub fn denied(&self, reason: &str) {
        self.statements.denied.increment(reason, 1);
    }

    /// A statement read at least one column of this class (`pii`, `phi`, …).
    pub fn sensitive_read(&self, data_class: &str) {
        self.statements.sensitive_reads.increment(data_class, 1);
    }

    pub fn statement_cache_hit(&self) {
        self.statements.cache_hits.increment(1);
    }

    /// A text was not in the cache, but one that differs from it in its literals alone.
    pub fn statement_template_hit(&self) {
        self.statements.template_hits.increment(1);
    }

    pub fn statement_cache_missed(&self) {
        self.statements.cache_misses.increment(1);
    }

    /// Entries were added to a decision cache, or (negative) left it.
    pub fn statement_cache_changed(&self, entries: i64) {
        self.statements.cache_entries.fetch_add(entries, Ordering::Relaxed);
    }

    /// `limit` is the name of a field of `config::Limits`.
    pub fn limit_reached(&self, limit: &str) {
        self.sessions.limits_reached.increment(limit, 1);
    }

    /// The upstream did what it was not asked to do, or two readings of ours differ. Must stay 0.
    pub fn disagreed(&self) {
        self.sessions.disagreements.increment(1);
    }

    pub fn config_reloaded(&self, result: ReloadResult) {
        increment(self.config.reloads.get(result as usize), 1);
    }

    pub fn set_config_last_success(&self, unix_seconds: f64) {
        self.config.last_success.set(unix_seconds);
    }

    pub fn catalog_refreshed(&self, result: ReloadResult) {
        increment(self.config.catalog_refreshes.get(result as usize), 1);
    }

    /// Places at which the policy does not fit the upstream schema any more.
    pub fn set_policy_misfits(&self, count: usize) {
        self.config.policy_misfits.set(count as f64);
    }

    pub fn set_certificate_not_after(&self, role: CertificateRole, unix_seconds: i64) {
        if let Some(gauge) = self.config.certificates.get(role as usize) {
            gauge.set(unix_seconds as f64);
        }
    }

    /// The handles of an upstream, made at the first call with its name, which comes from the configuration.
    pub fn upstream(&self, name: &str) -> Arc<UpstreamMetrics> {
        self.registry.upstream(name)
    }

    fn add_session(&self, activity: Activity, change: i64) {
        add(&self.sessions.open, activity as usize, change);
    }
}

fn add(counts: &[AtomicI64], index: usize, change: i64) {
    if let Some(count) = counts.get(index) {
        count.fetch_add(change, Ordering::Relaxed);
    }
}

fn increment(counter: Option<&Counter>, by: u64) {
    if let Some(counter) = counter {
        counter.increment(by);
    }
}

fn set_count(gauge: &Gauge, count: &AtomicI64) {
    gauge.set(count.load(Ordering::Relaxed) as f64);
}

fn seconds(microseconds: u64) -> f64 {
    Duration::from_micros(microseconds).as_secs_f64()
}
