//! What is on record before it happens: changes, and commits, where the tenant's records have to be durable.

use std::sync::Arc;

use crate::guard::{Decision, Naming, StatementClass, StatementFacts};
use crate::session::Session;
use crate::session::client::Client;
use crate::session::names::Name;
use crate::session::record::{End, Subject};
use crate::session::requests::{Fate, Kind, Prepared, Request};
use crate::tenant::Timestamp;
use crate::wire::backend::Status;
use crate::wire::report::Report;

/// When a statement is recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Recording {
    /// When it has ended.
    #[default]
    AtEnd,
    /// A change also before it goes upstream: a crash must not leave one that nobody knows of.
    ChangesFirst,
}

/// What a request would change, kept until it is recorded.
#[derive(Debug)]
pub(crate) struct Change {
    decision: Arc<Decision>,
    statement: usize,
    text_bytes: usize,
}

/// What a text does to the database, as far as it has to be known beforehand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Effect {
    Nothing,
    Changes,
    Commits,
}

impl Client<'_> {
    /// Behind a Query that was pushed just now.
    pub(crate) fn record_query_first(&mut self, decision: &Arc<Decision>, text_bytes: usize) {
        if self.session.recording == Recording::ChangesFirst {
            let statements = &decision.facts().statements;
            let alone = statements.len() == 1;
            let effect = statements.iter().map(|facts| self.effect(facts, alone)).max();
            let change = Change { decision: Arc::clone(decision), statement: 0, text_bytes };
            self.record_first(effect.unwrap_or(Effect::Nothing), change);
        }
    }

    /// Behind an Execute that was pushed just now.
    pub(crate) fn record_execute_first(&mut self, prepared: &Prepared) {
        if self.session.recording == Recording::ChangesFirst {
            let effect = prepared.facts().map_or(Effect::Nothing, |facts| self.effect(facts, true));
            let change = Change {
                decision: Arc::clone(&prepared.decision),
                statement: prepared.statement,
                text_bytes: prepared.sql.len(),
            };
            self.record_first(effect, change);
        }
    }

    fn record_first(&mut self, effect: Effect, change: Change) {
        let session = &mut *self.session;
        let in_block = session.status != Status::Idle && session.requests.commits_under_way() == 0;
        match effect {
            Effect::Nothing => return,
            // It is nothing until the block is committed, and that is recorded first.
            Effect::Changes if in_block => {
                session.block_changes = true;
                session.requests.attach_change(change);
                return;
            }
            Effect::Commits if in_block && !session.block_changes => {
                session.requests.attach_commit();
                return;
            }
            Effect::Changes => {}
            Effect::Commits => session.requests.attach_commit(),
        }
        session.requests.attach_change(change);
        session.record_changes(self.now);
    }

    fn effect(&self, facts: &StatementFacts, alone: bool) -> Effect {
        let class = match &facts.naming {
            // Behind others it may mean another statement by then.
            Naming::Executes { statement, .. } if alone && self.session.requests.len() <= 1 => {
                let held = self.session.statements.held(&Name::new(statement.as_bytes()));
                let held = held.and_then(|prepared| prepared.facts()).filter(|facts| !facts.calls_own_functions);
                held.map(|facts| match facts.naming {
                    Naming::Prepares { class, .. } => class,
                    _ => facts.class,
                })
            }
            Naming::Executes { .. } => None,
            Naming::Prepares { .. } => return Effect::Nothing,
            // Nobody knows what it changes.
            _ if facts.calls_own_functions => None,
            _ => Some(facts.class),
        };
        match class {
            Some(StatementClass::Write | StatementClass::CopyIn) | None => Effect::Changes,
            Some(StatementClass::Transaction) if facts.command == "COMMIT" => Effect::Commits,
            Some(
                StatementClass::Read
                | StatementClass::CopyOut
                | StatementClass::Transaction
                | StatementClass::Setting
                | StatementClass::Discard
                | StatementClass::Empty,
            ) => Effect::Nothing,
        }
    }
}

impl Session {
    /// For a tenant whose answers wait for their records.
    pub fn set_recording(&mut self, recording: Recording) {
        self.recording = recording;
    }

    /// What is in the output must not leave: it is dropped. The client is told so if it can still be told from it.
    pub fn handle_audit_unavailable(&mut self, now: Timestamp) {
        self.client_output.clear();
        if !self.answers_begun {
            let report = Report::new("58030", "audit log unavailable")
                .detail("What this session does has to be on record first, and could not be recorded in time.")
                .hint("Whether the statement under way took effect is not known. Connect again later.");
            self.say_last(&report);
        }
        self.abandon(now);
    }

    /// Whether rows of a statement that is not recorded yet may be in the output: they must not leave.
    pub fn withholds_answer(&self) -> bool {
        let head = self.requests.head();
        !self.records.is_before_rows() && head.is_none_or(|head| head.begin.is_none() && head.fate == Fate::UnderWay)
    }

    /// Records the statement whose rows are coming as begun, so that they may leave.
    pub fn record_answer_begun(&mut self, now: Timestamp) {
        let Some(subject) = self.requests.head().and_then(|head| self.subject_of_run(head)) else { return };
        let begin = self.records.begun(subject, now);
        self.answers_begun = true;
        if let Some(head) = self.requests.head_mut() {
            head.begin = Some(begin);
        }
    }

    /// Records all changes under way that are not on record yet.
    fn record_changes(&mut self, now: Timestamp) {
        let Self { requests, records, .. } = self;
        for request in requests.iter_mut().filter(|request| request.begin.is_none()) {
            if let Some(change) = request.change.take() {
                let Change { decision, statement, text_bytes } = &*change;
                let subject = Subject {
                    decision: Arc::clone(decision),
                    statement: *statement,
                    meant: None,
                    text_bytes: *text_bytes,
                    started: request.started,
                    begin: None,
                };
                request.begin = Some(records.begun(subject, now));
                request.change = Some(change);
            }
        }
    }

    /// The server skips it, behind an error: it is on record as begun, so also that it came to nothing.
    pub(crate) fn record_skipped(&mut self, request: &Request, now: Timestamp) {
        let (Some(begin), Some(change)) = (request.begin, &request.change) else { return };
        if request.fate == Fate::Failed || matches!(request.kind, Kind::Query { .. }) {
            return;
        }
        let subject = Subject {
            decision: Arc::clone(&change.decision),
            statement: change.statement,
            meant: None,
            text_bytes: change.text_bytes,
            started: request.started,
            begin: Some(begin),
        };
        self.records.skipped(subject, End::failed(None, now));
    }
}
