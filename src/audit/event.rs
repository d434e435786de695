//! What is recorded: the kinds of events, what each carries, and how grave it is.

use std::borrow::Cow;

use crate::audit::tag::{PolicyTag, SessionTag};
use crate::guard::{Code, Decision, LensKind, Naming, ObjectAccess, StatementClass, StatementFacts};
use crate::session::effect::{Outcome, RecordPhase, StatementEvent};
use crate::tenant::Timestamp;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventType {
    Start,
    Stop,
    Config,
    SessionOpen,
    SessionClose,
    AuthOk,
    AuthFail,
    Statement,
    Deny,
    Loss,
    /// The log's root, signed.
    Checkpoint,
    /// Nothing has happened, and the process lives.
    Heartbeat,
}

impl EventType {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Stop => "stop",
            Self::Config => "config",
            Self::SessionOpen => "session.open",
            Self::SessionClose => "session.close",
            Self::AuthOk => "auth.ok",
            Self::AuthFail => "auth.fail",
            Self::Statement => "statement",
            Self::Deny => "deny",
            Self::Loss => "loss",
            Self::Checkpoint => "checkpoint",
            Self::Heartbeat => "heartbeat",
        }
    }
}

/// OCSF's scale, as far as it is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    Informational = 1,
    Low = 2,
    Medium = 3,
    High = 4,
    Critical = 5,
}

/// Something that happened, to become one record.
#[derive(Clone, Copy, Debug)]
pub struct Event<'a> {
    pub event_type: EventType,
    /// When it began: of a statement, when it arrived.
    pub time: Timestamp,
    pub outcome: Outcome,
    /// A stable word. Never free text: it could carry what a client sent.
    pub reason: Option<&'a str>,
    pub sqlstate: Option<[u8; 5]>,
    pub severity: Severity,
    pub session: Option<&'a SessionTag>,
    pub policy: Option<&'a PolicyTag>,
    pub body: Body<'a>,
}

#[derive(Clone, Copy, Debug)]
pub enum Body<'a> {
    Nothing,
    /// With the id of the record of its beginning, where there is one.
    Statement(&'a StatementEvent, Option<Begin<'a>>),
    Session(SessionTotals),
    Loss(Loss),
    /// A signed note.
    Checkpoint(&'a str),
}

/// The record of a statement's beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Begin<'a> {
    pub log: &'a str,
    pub seq: u64,
}

/// What a session did in all, for its last record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SessionTotals {
    pub transactions: u64,
    pub statements: u64,
    pub rows: u64,
    pub bytes: u64,
    pub duration_us: u64,
}

/// Records that were not kept. They have no numbers of their own: `seq` goes on without a gap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Loss {
    pub first: Timestamp,
    pub last: Timestamp,
    /// How many, as far as is known: at least.
    pub count: u64,
    pub cause: LossCause,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LossCause {
    /// They came faster than they could be written.
    QueueFull,
    /// The process, or the host, ended while they were being written.
    Torn,
    /// What was written was changed.
    Corrupt,
}

impl LossCause {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::QueueFull => "queue_full",
            Self::Torn => "torn",
            Self::Corrupt => "corrupt",
        }
    }
}

impl<'a> Event<'a> {
    /// `start`, `stop`.
    pub fn process(event_type: EventType, time: Timestamp) -> Self {
        Self {
            event_type,
            time,
            outcome: Outcome::Allow,
            reason: None,
            sqlstate: None,
            severity: Severity::Informational,
            session: None,
            policy: None,
            body: Body::Nothing,
        }
    }

    /// Rules or settings were swapped (`policy` is the one now in force), or were refused and the old ones kept.
    pub fn config(policy: Option<&'a PolicyTag>, failed: Option<&'a str>, time: Timestamp) -> Self {
        let mut event = Self::process(EventType::Config, time);
        event.policy = policy;
        if failed.is_some() {
            event.outcome = Outcome::Error;
            event.reason = failed;
            event.severity = Severity::High;
        }
        event
    }

    pub fn auth_ok(session: &'a SessionTag, time: Timestamp) -> Self {
        Self { session: Some(session), ..Self::process(EventType::AuthOk, time) }
    }

    /// `reason` is `session::handshake::Refusal::reason`.
    pub fn auth_failed(session: &'a SessionTag, reason: &'a str, time: Timestamp) -> Self {
        Self {
            session: Some(session),
            outcome: Outcome::Deny,
            reason: Some(reason),
            severity: Severity::Medium,
            ..Self::process(EventType::AuthFail, time)
        }
    }

    pub fn session_opened(session: &'a SessionTag, policy: &'a PolicyTag, time: Timestamp) -> Self {
        Self { session: Some(session), policy: Some(policy), ..Self::process(EventType::SessionOpen, time) }
    }

    /// `fault` is a stable word where the session did not end as the client wished.
    pub fn session_closed(
        session: &'a SessionTag,
        totals: SessionTotals,
        fault: Option<&'a str>,
        time: Timestamp,
    ) -> Self {
        let mut event = Self::process(EventType::SessionClose, time);
        event.session = Some(session);
        event.body = Body::Session(totals);
        if fault.is_some() {
            event.outcome = Outcome::Error;
            event.reason = fault;
            event.severity = Severity::Low;
        }
        event
    }

    pub fn statement(
        session: &'a SessionTag,
        policy: &'a PolicyTag,
        statement: &'a StatementEvent,
        begin: Option<Begin<'a>>,
    ) -> Self {
        let denied = statement.outcome == Outcome::Deny;
        let code = denied.then(|| denial_code(&statement.decision));
        Self {
            event_type: if denied { EventType::Deny } else { EventType::Statement },
            time: statement.started,
            outcome: statement.outcome,
            reason: code.map(Code::as_str),
            sqlstate: statement.sqlstate,
            severity: code.map_or(Severity::Informational, denial_severity),
            session: Some(session),
            policy: Some(policy),
            body: Body::Statement(statement, begin),
        }
    }

    pub fn checkpoint(note: &'a str, time: Timestamp) -> Self {
        Self { body: Body::Checkpoint(note), ..Self::process(EventType::Checkpoint, time) }
    }

    pub fn loss(loss: Loss, time: Timestamp) -> Self {
        Self {
            outcome: Outcome::Error,
            reason: Some(loss.cause.as_str()),
            severity: Severity::High,
            body: Body::Loss(loss),
            ..Self::process(EventType::Loss, time)
        }
    }

    /// Kept while there is any room at all: refusals, logins, writes' failures are few, and are what is looked for.
    pub fn is_precious(&self) -> bool {
        match self.event_type {
            EventType::Statement => match self.body {
                Body::Statement(event, _) => reached(event).any(|object| !object.sensitive.is_empty()),
                Body::Nothing | Body::Session(_) | Body::Loss(_) | Body::Checkpoint(_) => false,
            },
            _ => true,
        }
    }
}

/// The statements of the text that a record is about: one, or all where the text was refused.
pub(super) fn concerned(event: &StatementEvent) -> impl Iterator<Item = &StatementFacts> {
    let all = event.outcome == Outcome::Deny || matches!(event.phase, RecordPhase::Begin(_));
    let statements = event.decision.facts().statements.iter().enumerate();
    statements.filter(move |(index, _)| all || *index == event.statement).map(|(_, statement)| statement)
}

/// What was reached: by EXECUTE, FETCH and MOVE through the name that they say.
pub(super) fn reached(event: &StatementEvent) -> impl Iterator<Item = &ObjectAccess> {
    let meant = meant(event);
    let own = concerned(event).filter(move |_| meant.is_none());
    own.chain(meant).flat_map(|statement| &statement.objects)
}

fn meant(event: &StatementEvent) -> Option<&StatementFacts> {
    let meant = event.meant.as_ref()?;
    meant.decision.facts().statements.get(meant.statement)
}

/// The record's word for what a statement does.
pub(super) fn class(event: &StatementEvent) -> &'static str {
    let class = match meant(event) {
        Some(StatementFacts { naming: Naming::Prepares { class, .. }, .. } | StatementFacts { class, .. }) => {
            Some(*class)
        }
        None => concerned(event).next().map(|statement| statement.class),
    };
    match class {
        Some(StatementClass::Read | StatementClass::CopyOut) => "read",
        Some(StatementClass::Write | StatementClass::CopyIn) => "write",
        Some(
            StatementClass::Transaction | StatementClass::Setting | StatementClass::Discard | StatementClass::Empty,
        )
        | None => "misc",
    }
}

/// A tenant's filter was put in, or a view was opened to put one in.
pub(super) fn is_rewritten(event: &StatementEvent) -> bool {
    event.outcome != Outcome::Deny
        && reached(event).any(|object| matches!(object.lens, LensKind::Scoped | LensKind::View))
}

/// What decided: the code of a refusal, or the ways in which the policy lets relations be reached; `statement` where
/// there are none, and the statement's kind was all that was asked.
pub(super) fn rule(event: &StatementEvent) -> Cow<'static, str> {
    if event.outcome == Outcome::Deny {
        return Cow::Borrowed(denial_code(&event.decision).as_str());
    }
    let mut lenses: Vec<&'static str> = Vec::new();
    for object in reached(event) {
        let lens = object.lens.as_str();
        if !lenses.contains(&lens) {
            lenses.push(lens);
        }
    }
    match lenses.as_slice() {
        [] => Cow::Borrowed("statement"),
        [one] => Cow::Borrowed(one),
        _ => Cow::Owned(lenses.join("+")),
    }
}

/// Why a text was refused; where the guard had let it pass, the values bound to its parameters were wrong.
pub(super) fn denial_code(decision: &Decision) -> Code {
    match decision {
        Decision::Reject { rejection, .. } => rejection.code,
        Decision::Forward(_) => Code::TenantMismatch,
    }
}

fn denial_severity(code: Code) -> Severity {
    match code {
        Code::ReadingsDisagree => Severity::Critical,
        Code::TenantMismatch => Severity::High,
        _ => Severity::Medium,
    }
}
