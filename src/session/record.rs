//! The statements of a session as they are recorded: numbered, counted, timed.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::guard::Decision;
use crate::session::effect::{Meant, Outcome, RecordPhase, SessionEvent, StatementEvent};
use crate::tenant::{Identity, Timestamp};

/// What a statement was, for its record.
pub(crate) struct Subject {
    pub(crate) decision: Arc<Decision>,
    /// Which statement of its text; a refusal concerns all.
    pub(crate) statement: usize,
    /// What it ran by its name.
    pub(crate) meant: Option<Meant>,
    pub(crate) text_bytes: usize,
    pub(crate) started: Timestamp,
    /// The number under which it was recorded as begun.
    pub(crate) begin: Option<u64>,
}

/// How it ended.
pub(crate) struct End {
    pub(crate) outcome: Outcome,
    pub(crate) sqlstate: Option<[u8; 5]>,
    pub(crate) rows_affected: Option<u64>,
    pub(crate) at: Timestamp,
}

impl End {
    pub(crate) fn failed(sqlstate: Option<[u8; 5]>, at: Timestamp) -> Self {
        Self { outcome: Outcome::Error, sqlstate, rows_affected: None, at }
    }
}

pub(crate) struct Records {
    identity: Arc<Identity>,
    user: Option<Arc<str>>,
    events: VecDeque<SessionEvent>,
    statements: u64,
    transactions: u64,
    /// Requests that were recorded as begun.
    begun: u64,
    /// Statements recorded when the last transaction ended.
    statements_before: u64,
    /// Of the Query that is being answered: how many of its statements have ended.
    index: usize,
    /// Of the statement that is being answered.
    rows: u64,
    bytes: u64,
    copies_in: bool,
}

impl Records {
    pub(crate) fn new(identity: Arc<Identity>) -> Self {
        Self {
            identity,
            user: None,
            events: VecDeque::new(),
            statements: 0,
            transactions: 0,
            begun: 0,
            statements_before: 0,
            index: 0,
            rows: 0,
            bytes: 0,
            copies_in: false,
        }
    }

    /// What is recorded from now on is done for this tenant and user.
    pub(crate) fn acts_for(&mut self, identity: &Arc<Identity>, user: Option<&Arc<str>>) {
        self.identity = Arc::clone(identity);
        self.user = user.cloned();
    }

    pub(crate) fn poll(&mut self) -> Option<SessionEvent> {
        self.events.pop_front()
    }

    pub(crate) fn limit_reached(&mut self, limit: &'static str) {
        self.events.push_back(SessionEvent::LimitReached(limit));
    }

    pub(crate) fn count_row(&mut self, bytes: usize) {
        self.rows += 1;
        self.bytes += u64::try_from(bytes).unwrap_or_default();
    }

    /// Whether the statement that is being answered has given no row yet.
    pub(crate) fn is_before_rows(&self) -> bool {
        self.rows == 0
    }

    /// The statement that is being answered reads data from the client.
    pub(crate) fn copied_in(&mut self) {
        self.copies_in = true;
    }

    pub(crate) fn has_copied_in(&self) -> bool {
        self.copies_in
    }

    /// How many statements of the Query that is being answered have ended.
    pub(crate) fn index(&self) -> usize {
        self.index
    }

    /// The next statement of the same Query begins.
    pub(crate) fn next_statement(&mut self) {
        self.index += 1;
        (self.rows, self.bytes, self.copies_in) = (0, 0, false);
    }

    /// The next request begins.
    pub(crate) fn next_request(&mut self) {
        self.index = 0;
        (self.rows, self.bytes, self.copies_in) = (0, 0, false);
    }

    /// No transaction is under way any more.
    pub(crate) fn transaction_ended(&mut self) {
        if self.statements > self.statements_before {
            self.transactions += 1;
            self.statements_before = self.statements;
        }
    }

    /// Records the end of the statement that is being answered.
    pub(crate) fn ended(&mut self, subject: Subject, end: End) {
        let (rows, bytes) = (self.rows, self.bytes);
        self.push(subject, end, rows, bytes);
    }

    /// Records a refusal: at once, whatever is still under way.
    pub(crate) fn refused(&mut self, subject: Subject, sqlstate: [u8; 5]) {
        let end = End { outcome: Outcome::Deny, sqlstate: Some(sqlstate), rows_affected: None, at: subject.started };
        self.push(subject, end, 0, 0);
    }

    /// Records what never ran, though it was recorded as begun.
    pub(crate) fn skipped(&mut self, subject: Subject, end: End) {
        self.push(subject, end, 0, 0);
    }

    /// Records a request before what it does can be seen anywhere. Its number.
    pub(crate) fn begun(&mut self, subject: Subject, at: Timestamp) -> u64 {
        self.begun += 1;
        let end = End { outcome: Outcome::Unknown, sqlstate: None, rows_affected: None, at };
        let phase = RecordPhase::Begin(self.begun);
        let event = self.event(subject, end, (0, 0), phase, self.statements + 1);
        self.events.push_back(SessionEvent::Begun(event));
        self.begun
    }

    fn push(&mut self, subject: Subject, end: End, rows: u64, bytes: u64) {
        self.statements += 1;
        let phase = subject.begin.map_or(RecordPhase::Single, RecordPhase::End);
        let event = self.event(subject, end, (rows, bytes), phase, self.statements);
        self.events.push_back(SessionEvent::Statement(event));
    }

    fn event(
        &self,
        subject: Subject,
        end: End,
        (rows, bytes): (u64, u64),
        phase: RecordPhase,
        statement_number: u64,
    ) -> StatementEvent {
        StatementEvent {
            phase,
            identity: Arc::clone(&self.identity),
            user: self.user.clone(),
            decision: subject.decision,
            statement: subject.statement,
            meant: subject.meant,
            transaction_number: self.transactions + 1,
            statement_number,
            started: subject.started,
            ended: end.at,
            outcome: end.outcome,
            sqlstate: end.sqlstate,
            rows,
            rows_affected: end.rows_affected,
            bytes,
            text_bytes: subject.text_bytes,
        }
    }
}
