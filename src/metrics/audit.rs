//! What the audit trail's writer and sinks count.

use std::time::Duration;

use metrics::{Counter, Gauge, Histogram};

use crate::metrics::Metrics;
use crate::metrics::family::Family;
use crate::metrics::register::Registry;

/// Types of audit records, and the outcomes that each can have.
const EVENTS: [(&str, &[&str]); 12] = [
    ("start", &["allow"]),
    ("stop", &["allow"]),
    ("config", &["allow", "error"]),
    ("session.open", &["allow"]),
    ("session.close", &["allow", "error"]),
    ("auth.ok", &["allow"]),
    ("auth.fail", &["deny"]),
    ("statement", &["allow", "error", "unknown"]),
    ("deny", &["deny"]),
    ("loss", &["error"]),
    ("checkpoint", &["allow"]),
    ("heartbeat", &["allow"]),
];
const SINKS: [&str; 3] = ["file", "stdout", "http"];
const SYNC_DURATION: &str = "partywall_audit_fsync_duration_seconds";
const BATCH_EVENTS: &str = "partywall_audit_batch_events";
const DURABLE_WAIT: &str = "partywall_audit_durable_wait_seconds";
pub(super) const BUCKETS: [(&str, &[f64]); 3] = [
    (SYNC_DURATION, &[0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1.0]),
    (BATCH_EVENTS, &[1.0, 4.0, 16.0, 64.0, 256.0, 1024.0]),
    (DURABLE_WAIT, &[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1.0, 5.0]),
];

pub(super) struct Audit {
    events: Vec<(&'static str, &'static str, Counter)>,
    lost: Family,
    write_errors: Counter,
    queue_bytes: Gauge,
    sync_duration: Histogram,
    batch_events: Histogram,
    durable_wait: Histogram,
    refused: Family,
    tree_size: Gauge,
    checkpoint_time: Gauge,
    sinks: Vec<SinkMetrics>,
}

struct SinkMetrics {
    name: &'static str,
    up: Gauge,
    lag: Gauge,
    retries: Counter,
    acknowledged: Counter,
}

/// A counter that its owner keeps.
#[derive(Clone)]
pub(crate) struct Count(Counter);

impl Count {
    pub(crate) fn increment(&self) {
        self.0.increment(1);
    }
}

pub(super) fn register(r: &Registry) -> Audit {
    Audit {
        events: events(r),
        lost: r.family(
            "partywall_audit_lost_total",
            "cause",
            &["queue_full", "shutdown", "torn", "corrupt"],
            "Audit records that were never written, or cannot be read any more.",
        ),
        write_errors: r.counter(
            "partywall_audit_write_errors_total",
            "Failed writes of audit records; what was to be written is kept and tried again.",
        ),
        queue_bytes: r.gauge("partywall_audit_queue_bytes", "Audit records that wait to be written."),
        sync_duration: r.histograms(SYNC_DURATION, "Time that the disk takes to make audit records durable.")(&[]),
        batch_events: r.histograms(BATCH_EVENTS, "Audit records made durable at once.")(&[]),
        durable_wait: r.histograms(DURABLE_WAIT, "Time that sessions wait for their records to be durable.")(&[]),
        refused: r.family(
            "partywall_audit_refused_total",
            "cause",
            &["full", "failing", "timeout"],
            "Statements refused, and sessions ended, because their record could not be made durable.",
        ),
        tree_size: r.gauge("partywall_audit_tree_size", "Audit records that the last checkpoint covers."),
        checkpoint_time: r.gauge(
            "partywall_audit_checkpoint_timestamp_seconds",
            "When the last checkpoint was signed, as Unix time.",
        ),
        sinks: sinks(r),
    }
}

fn events(registry: &Registry) -> Vec<(&'static str, &'static str, Counter)> {
    let counters = registry.counters("partywall_audit_events_total", "Audit records made, by type and outcome.");
    let pairs = EVENTS.iter().flat_map(|(kind, outcomes)| outcomes.iter().map(move |outcome| (*kind, *outcome)));
    pairs.map(|(kind, outcome)| (kind, outcome, counters(&[("type", kind), ("outcome", outcome)]))).collect()
}

fn sinks(r: &Registry) -> Vec<SinkMetrics> {
    let up = r.gauges("partywall_audit_sink_up", "1 if the last delivery to the sink succeeded.");
    let lag = r.gauges("partywall_audit_sink_lag_events", "Audit records that the sink does not have yet.");
    let retries = r.counters("partywall_audit_sink_retries_total", "Deliveries to the sink that failed.");
    let acknowledged = r.counters("partywall_audit_sink_acked_total", "Audit records that the sink has taken.");
    let made = SINKS.map(|name| {
        let label: &[(&str, &str)] = &[("sink", name)];
        SinkMetrics { name, up: up(label), lag: lag(label), retries: retries(label), acknowledged: acknowledged(label) }
    });
    made.into()
}

impl Metrics {
    /// The counter of audit records of this type and outcome, to be kept by who counts them.
    pub(crate) fn audit_events(&self, event_type: &str, outcome: &str) -> Count {
        let found = self.audit.events.iter().find(|(t, o, _)| *t == event_type && *o == outcome);
        Count(found.map_or_else(Counter::noop, |(_, _, counter)| counter.clone()))
    }

    pub(crate) fn audit_lost(&self, cause: &str, count: u64) {
        self.audit.lost.increment(cause, count);
    }

    pub(crate) fn audit_write_failed(&self) {
        self.audit.write_errors.increment(1);
    }

    pub(crate) fn set_audit_queue_bytes(&self, bytes: usize) {
        self.audit.queue_bytes.set(bytes as f64);
    }

    pub(crate) fn audit_synced(&self, duration: Duration, records: u64) {
        self.audit.sync_duration.record(duration.as_secs_f64());
        self.audit.batch_events.record(records as f64);
    }

    pub(crate) fn audit_signed(&self, size: u64, unix_seconds: f64) {
        self.audit.tree_size.set(size as f64);
        self.audit.checkpoint_time.set(unix_seconds);
    }

    /// A session has waited so long.
    pub(crate) fn audit_waited(&self, duration: Duration) {
        self.audit.durable_wait.record(duration.as_secs_f64());
    }

    /// `cause`: `full`, `failing` or `timeout`.
    pub(crate) fn audit_refused(&self, cause: &str) {
        self.audit.refused.increment(cause, 1);
    }

    pub(crate) fn audit_delivered(&self, sink: &str, records: u64, lag: u64) {
        if let Some(sink) = self.sink(sink) {
            sink.up.set(1.0);
            sink.lag.set(lag as f64);
            sink.acknowledged.increment(records);
        }
    }

    pub(crate) fn audit_sink_failed(&self, sink: &str) {
        if let Some(sink) = self.sink(sink) {
            sink.up.set(0.0);
            sink.retries.increment(1);
        }
    }

    fn sink(&self, name: &str) -> Option<&SinkMetrics> {
        self.audit.sinks.iter().find(|sink| sink.name == name)
    }
}
