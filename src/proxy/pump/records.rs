//! What a session's statements leave on record, and what has to wait for it.

use std::io;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};

use crate::audit::event::Event;
use crate::audit::observe;
use crate::guard::Code;
use crate::metrics::Activity;
use crate::proxy::clock;
use crate::proxy::end::End;
use crate::proxy::gate::{Gated, HELD_BYTES_MAX};
use crate::proxy::pump::Pump;
use crate::session::effect::{RecordPhase, SessionEvent, SessionState};

impl Pump<'_> {
    /// True when the client has taken everything, and nothing has to wait for the audit trail.
    pub(super) fn drain_client(&mut self, context: &mut Context<'_>) -> io::Result<bool> {
        if !self.client_is_open() {
            return Ok(false);
        }
        match self.client.poll_drain(self.session.client_output(), context) {
            Poll::Ready(result) => result.map(|()| true),
            Poll::Pending => Ok(false),
        }
    }

    pub(super) fn client_is_open(&self) -> bool {
        self.gate.client_is_open() && !(self.gate.is_strict() && self.session.withholds_answer())
    }

    /// An answer that waits for the audit trail is still read, up to a limit.
    pub(super) fn may_hold_more(&mut self) -> bool {
        !self.client_is_open() && self.session.client_output().len() <= HELD_BYTES_MAX
    }

    pub(super) fn poll_gate(&mut self, context: &mut Context<'_>) -> Gated {
        if self.gate.is_strict()
            && self.session.withholds_answer()
            && self.session.client_output().len() > HELD_BYTES_MAX
        {
            self.session.record_answer_begun(clock::now());
            self.record();
        }
        let gated = self.gate.poll(context);
        if let Some(waited) = self.gate.take_waited() {
            self.worker.metrics.audit_waited(waited);
        }
        match gated {
            Poll::Ready(Gated::TimedOut) => Gated::TimedOut,
            Poll::Ready(Gated::Open) | Poll::Pending => Gated::Open,
        }
    }

    /// Counts and records what has happened.
    pub(crate) fn record(&mut self) {
        while let Some(event) = self.session.poll_event() {
            if let SessionEvent::Statement(statement) = &event {
                self.totals.transactions = self.totals.transactions.max(statement.transaction_number);
                self.totals.statements = self.totals.statements.max(statement.statement_number);
                self.totals.rows += statement.rows;
                self.totals.bytes += statement.bytes;
            }
            observe::session_event(&self.worker.metrics, &event);
            self.record_event(&event);
        }
        self.follow_state();
    }

    /// Before the last words: what the client is told is on record, or it is not told.
    pub(crate) async fn settle(&mut self, end: &End) {
        if !self.gate.is_strict() || matches!(end, End::AuditUnavailable) || self.session.client_output().is_empty() {
            return;
        }
        let gated = std::future::poll_fn(|context| self.gate.poll(context)).await;
        if gated == Gated::TimedOut {
            self.session.client_output().clear();
        }
    }

    fn record_event(&mut self, event: &SessionEvent) {
        let audit = &self.worker.audit;
        let (statement, begin) = match event {
            SessionEvent::LimitReached(_) => return,
            SessionEvent::Begun(statement) => (statement, None),
            SessionEvent::Statement(statement) => match statement.phase {
                RecordPhase::End(number) => (statement, self.gate.begin_of(number, audit)),
                RecordPhase::Single | RecordPhase::Begin(_) => (statement, None),
            },
        };
        self.description.tag.act_for(statement.identity.tenant.as_ref(), statement.user.as_deref());
        let event = Event::statement(&self.description.tag, &self.snapshot.policy, statement, begin);
        // That nothing can be recorded is said at once: it could not be recorded.
        if !self.gate.is_strict() || event.reason == Some(Code::AuditUnavailable.as_str()) {
            audit.record(&event);
            return;
        }
        let seq = audit.record_awaited(&event);
        match statement.phase {
            RecordPhase::Begin(number) => self.gate.recorded_begin(number, seq),
            RecordPhase::Single | RecordPhase::End(_) => self.gate.recorded(seq),
        }
    }

    fn follow_state(&mut self) {
        let state = self.session.state();
        if state != self.state {
            self.state = state;
            self.description.count.set(activity(state));
            if let Some(cancel) = &self.description.cancel {
                cancel.busy().store(state != SessionState::Idle, Ordering::Relaxed);
            }
        }
    }
}

fn activity(state: SessionState) -> Activity {
    match state {
        SessionState::Idle => Activity::Idle,
        SessionState::Active => Activity::Active,
        SessionState::InTransaction => Activity::InTransaction,
    }
}
