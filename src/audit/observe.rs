//! What happened in a session becomes numbers and a record, at one place.

use std::sync::Arc;

use crate::audit::event;
use crate::guard::{Access, Code};
use crate::metrics::{Class, DATA_CLASSES, Metrics, Outcome, Vocabulary};
use crate::session::effect::{self, SessionEvent, StatementEvent};

/// The process's metrics, with the guard's words as labels.
pub fn new_metrics() -> Arc<Metrics> {
    let reasons: Vec<&str> = Code::ALL.iter().map(|code| code.as_str()).collect();
    Arc::new(Metrics::new(&Vocabulary { denial_reasons: &reasons }))
}

/// Counts one event of a session.
pub fn session_event(metrics: &Metrics, event: &SessionEvent) {
    match event {
        // It is counted when it has ended.
        SessionEvent::Begun(_) => {}
        SessionEvent::Statement(statement) => count(metrics, statement),
        SessionEvent::LimitReached(limit) => metrics.limit_reached(limit),
    }
}

fn count(metrics: &Metrics, statement: &StatementEvent) {
    let class = match event::class(statement) {
        "read" => Class::Read,
        "write" => Class::Write,
        _ => Class::Misc,
    };
    let outcome = match statement.outcome {
        effect::Outcome::Allow => Outcome::Allow,
        effect::Outcome::Deny => Outcome::Deny,
        effect::Outcome::Error => Outcome::Error,
        effect::Outcome::Unknown => Outcome::Unknown,
    };
    metrics.statement(class, outcome, statement.ended.microseconds_since(statement.started));
    metrics.returned(class, statement.rows, statement.bytes);
    if outcome == Outcome::Deny {
        let code = event::denial_code(&statement.decision);
        metrics.denied(code.as_str());
        if code == Code::ReadingsDisagree {
            metrics.disagreed();
        }
        return;
    }
    for class in DATA_CLASSES {
        let mut objects = event::reached(statement);
        let read = objects.any(|object| {
            object.access.contains(&Access::Read) && object.sensitive.values().any(|found| found.as_str() == class)
        });
        if read {
            metrics.sensitive_read(class);
        }
    }
}
