//! Asks the guard, behind the worker thread's cache; a fault of the guard's becomes a refusal.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use crate::audit::durable::Trouble;
use crate::guard::{self, Code, Decision, Facts, PrivateRelations, Protocol, Rejection, Request, Ruleset, TextLimits};
use crate::metrics::Metrics;
use crate::proxy::cache::{DecisionCache, Question, Source};
use crate::proxy::clock::Stopwatch;
use crate::reload::Snapshot;
use crate::session::Decider;
use crate::tenant::Identity;

/// The guard as one session sees it for as long as one input takes.
pub(crate) struct CachedDecider<'a> {
    pub(crate) cache: &'a mut DecisionCache,
    pub(crate) snapshot: &'a Snapshot,
    /// The rules of the session's place, and their version: the same for as long as this lasts.
    pub(crate) rules: (Option<Arc<Ruleset>>, u64),
    pub(crate) metrics: &'a Metrics,
    /// Why what the session does cannot be recorded as it has to be, if so.
    pub(crate) trouble: Option<Trouble>,
}

impl Decider for CachedDecider<'_> {
    fn decide(
        &mut self,
        identity: &Arc<Identity>,
        sql: &str,
        protocol: Protocol,
        parameter_types: &[u32],
        private: &PrivateRelations,
    ) -> Arc<Decision> {
        if let Some(trouble) = self.trouble {
            return Arc::new(self.unrecorded(trouble));
        }
        let before = self.cache.entries();
        self.cache.set_version(self.snapshot.version);
        let question = Question { identity, rules: self.rules.1, sql, protocol, parameter_types, private };
        let limits = self.limits();
        let decision = match self.cache.get(&question, &limits) {
            Some((decision, source)) => {
                match source {
                    Source::Text => self.metrics.statement_cache_hit(),
                    Source::Template => self.metrics.statement_template_hit(),
                }
                decision
            }
            None => {
                self.metrics.statement_cache_missed();
                let stopwatch = Stopwatch::start();
                let decision = Arc::new(ask(self.rules.0.as_deref(), &question, &limits));
                self.metrics.decided(stopwatch.elapsed());
                self.cache.put(&question, identity, &decision);
                decision
            }
        };
        let after = self.cache.entries();
        if after != before {
            self.metrics.statement_cache_changed(signed(after) - signed(before));
        }
        decision
    }

    fn version(&self) -> u64 {
        self.rules.1
    }
}

impl CachedDecider<'_> {
    fn limits(&self) -> TextLimits {
        let limits = &self.snapshot.config.limits;
        TextLimits {
            bytes_max: limits.statement_bytes_max,
            tokens_max: limits.statement_tokens_max,
            nesting_max: limits.nesting_max,
        }
    }

    fn unrecorded(&self, trouble: Trouble) -> Decision {
        let (cause, detail) = match trouble {
            Trouble::Full => ("full", "The spool of audit records is full."),
            Trouble::Failing => ("failing", "The spool of audit records cannot be written."),
        };
        self.metrics.audit_refused(cause);
        let rejection = Rejection::new(Code::AuditUnavailable, "audit log unavailable")
            .detail(detail)
            .hint("Nothing is done that could not be recorded. Try again later.");
        Decision::Reject { rejection, facts: Facts::default() }
    }
}

fn ask(ruleset: Option<&Ruleset>, question: &Question<'_>, limits: &TextLimits) -> Decision {
    let Some(ruleset) = ruleset else {
        return refuse("the database's schema is not known yet", "Try again later.");
    };
    let request = Request {
        identity: question.identity,
        sql: question.sql,
        protocol: question.protocol,
        parameter_types: question.parameter_types,
        limits,
        private: question.private,
    };
    let decision = or_refused(|| guard::decide(ruleset, &request));
    report(question.identity, &decision);
    decision
}

const REPORTED_CHARACTERS_MAX: usize = 2_000;

/// Two readings of one text differ: a fault to be found, so the text is logged, without its literals. Counted where the
/// refusal is.
fn report(identity: &Identity, decision: &Decision) {
    let Decision::Reject { rejection, facts } = decision else { return };
    if rejection.code == Code::ReadingsDisagree {
        let statement: String = facts.normalized.chars().take(REPORTED_CHARACTERS_MAX).collect();
        let detail = rejection.detail.as_deref().unwrap_or_default();
        tracing::error!(login = identity.login.as_str(), detail, statement, "two readings of a statement disagree");
    }
}

/// A panic in the guard refuses the one statement. It is counted with the disagreements, which must stay 0.
fn or_refused(decide: impl FnOnce() -> Decision) -> Decision {
    catch_unwind(AssertUnwindSafe(decide)).unwrap_or_else(|_| {
        tracing::error!("the guard panicked; the statement is refused");
        refuse("internal error while the statement was examined", "This is a fault of Partywall's. Please report it.")
    })
}

/// With the code of an internal error.
fn refuse(message: &'static str, hint: &'static str) -> Decision {
    let rejection = Rejection::new(Code::ReadingsDisagree, message).hint(hint);
    Decision::Reject { rejection, facts: Facts::default() }
}

fn signed(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_of_the_guard_is_a_refusal() {
        let decision = or_refused(|| panic!("a fault"));
        let Decision::Reject { rejection, .. } = decision else { panic!("forwarded") };
        assert_eq!(rejection.code.sqlstate(), "XX000");
        assert!(!rejection.message.contains("a fault"));
    }
}
