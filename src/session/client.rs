//! What the client says: each message passes, is replaced, or waits.

use std::sync::Arc;

use crate::guard::{Code, Decision, Facts, Protocol, Rejection};
use crate::session::acting::Turn;
use crate::session::client_copy::copies_in;
use crate::session::effect::Progress;
use crate::session::names::Name;
use crate::session::naming::{Asked, Obstacle, Refusal};
use crate::session::pass::{Pass, SqlFree};
use crate::session::record::Subject;
use crate::session::refusal::{Poison, PoisonForm, report_of};
use crate::session::requests::{Basis, Kind, Text};
use crate::session::{CopyState, Decider, Group, Hold, Partial, Session, SessionError};
use crate::tenant::Timestamp;
use crate::wire::backend::Status;
use crate::wire::frame::{FrameError, Frontend, HEADER_BYTES, Header};
use crate::wire::report::{Report, Severity};
use crate::wire::{Malformed, encode, frame, frontend};

/// Bytes in the output buffer after which a call returns, to be called again when they are sent.
const OUTPUT_BYTES_MAX: usize = 262_144;

/// Bytes of COPY data that are transformed at once: each may become a row with its column.
const TRANSFORM_BYTES_MAX: usize = 4_096;

/// One call's view of the session.
pub(crate) struct Client<'s> {
    pub(crate) session: &'s mut Session,
    pub(crate) decider: &'s mut dyn Decider,
    pub(crate) now: Timestamp,
}

/// Whether the next message can be looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    Next,
    /// Not before more bytes, or more answers, have come.
    Wait,
}

pub(crate) type ClientPass<'a> = Pass<'a, SqlFree>;

impl From<Malformed> for SessionError {
    fn from(_: Malformed) -> Self {
        Self::Client("invalid message format")
    }
}

impl Client<'_> {
    pub(crate) fn handle(mut self, input: &[u8]) -> Result<Progress, SessionError> {
        let buffered_before = self.session.upstream_output.len();
        let mut pass = Pass::new(input);
        while self.step(&mut pass)? == Step::Next {
            let session = &self.session;
            if session.upstream_output.len().max(session.client_output.len()) > OUTPUT_BYTES_MAX {
                break;
            }
        }
        let (progress, passed) = pass.finish(self.session.upstream_output.len() == buffered_before);
        if let Some(passed) = passed {
            self.session.upstream_output.forward(&passed);
        }
        Ok(progress)
    }

    fn step(&mut self, pass: &mut ClientPass<'_>) -> Result<Step, SessionError> {
        if self.session.client_partial != Partial::None {
            return Ok(self.continue_partial(pass));
        }
        if self.session.hold.is_some() {
            return Ok(Step::Wait);
        }
        let header = frame::frontend(pass.rest()).map_err(|error| match error {
            FrameError::UnknownType(_) => SessionError::Client("invalid frontend message type"),
            FrameError::InvalidLength => SessionError::Client("invalid message length"),
        })?;
        match header {
            Some(header) => self.message(header, pass),
            None => Ok(Step::Wait),
        }
    }

    fn message(&mut self, header: Header<Frontend>, pass: &mut ClientPass<'_>) -> Result<Step, SessionError> {
        if header.kind == Frontend::Terminate {
            self.replace(pass, pass.rest().len());
            self.session.upstream_output.terminate();
            return Err(SessionError::Terminated);
        }
        let skipping = matches!(self.session.progress, Group::Skipping | Group::SkippingAlone);
        if skipping && header.kind != Frontend::Sync {
            return Ok(self.drop_message(header));
        }
        match self.session.copy {
            CopyState::In(_) => return self.copy_in_message(header, pass),
            CopyState::Failed => return self.copy_failed_message(header),
            CopyState::None | CopyState::Out => {}
        }
        if self.pipeline_is_full() {
            return Ok(self.hold_pipeline(pass));
        }
        if self.waits_for_tenant(header.kind) {
            return Ok(self.hold_unsettled(pass));
        }
        match header.kind {
            Frontend::Query => self.query(header, pass),
            Frontend::FunctionCall => Ok(self.function_call(header, pass)),
            Frontend::Parse => self.parse(header, pass),
            Frontend::Bind => self.bind(header, pass),
            Frontend::Execute => self.execute(header, pass),
            Frontend::Describe => self.describe(header, pass),
            Frontend::Close => self.close(header, pass),
            Frontend::Sync => self.sync(header, pass),
            Frontend::Flush => self.flush(header, pass),
            // PostgreSQL ignores them outside of COPY: they may come late, behind an error.
            Frontend::CopyData | Frontend::CopyDone | Frontend::CopyFail | Frontend::Terminate => {
                Ok(self.drop_message(header))
            }
        }
    }

    /// Whether the tenant could be another by the time that the message is acted upon.
    fn waits_for_tenant(&self, kind: Frontend) -> bool {
        matches!(kind, Frontend::Query | Frontend::Parse | Frontend::Bind | Frontend::Execute)
            && self.session.acting.is_unsettled(self.session.status)
    }

    /// What a decision is made under now.
    pub(crate) fn basis(&self) -> Basis {
        Basis { version: self.decider.version(), identity: Arc::clone(self.session.acting.identity()) }
    }

    pub(crate) fn decide(&mut self, sql: &str, protocol: Protocol, parameter_types: &[u32]) -> Arc<Decision> {
        let (identity, private) = (self.session.acting.identity(), self.session.temporary.names());
        self.decider.decide(identity, sql, protocol, parameter_types, private)
    }

    /// The body of a message that is looked at as a whole; `None` until it is there.
    pub(crate) fn body<'a>(header: Header<Frontend>, pass: &ClientPass<'a>) -> Option<&'a [u8]> {
        pass.rest().get(HEADER_BYTES..header.frame_bytes)
    }

    /// The next message passes as it stands.
    pub(crate) fn keep(&self, header: Header<Frontend>, pass: &mut ClientPass<'_>) -> Result<Step, SessionError> {
        let free = SqlFree::of(header.kind).ok_or(SessionError::Disagreement("unguarded SQL was about to pass"))?;
        pass.keep(free, header.frame_bytes);
        Ok(Step::Next)
    }

    /// The next `count` bytes do not pass; what is written next takes their place.
    pub(crate) fn replace(&mut self, pass: &mut ClientPass<'_>, count: usize) {
        let passed = pass.drop_next(count);
        self.session.upstream_output.forward(&passed);
    }

    /// The message is dropped as it comes in, however long it is.
    pub(crate) fn drop_message(&mut self, header: Header<Frontend>) -> Step {
        self.session.client_partial = Partial::Drop(header.frame_bytes);
        Step::Next
    }

    fn continue_partial(&mut self, pass: &mut ClientPass<'_>) -> Step {
        let available = pass.rest().len();
        let (left, rebuild): (usize, fn(usize) -> Partial) = match self.session.client_partial {
            Partial::None => return Step::Next,
            Partial::Pass(left) => (left, Partial::Pass),
            Partial::Drop(left) => (left, Partial::Drop),
            Partial::Transform(left) => (left, Partial::Transform),
        };
        let mut count = left.min(available);
        match self.session.client_partial {
            Partial::Pass(_) => {
                if let Some(free) = SqlFree::of(Frontend::CopyData) {
                    pass.keep(free, count);
                }
            }
            Partial::Transform(_) => {
                count = count.min(TRANSFORM_BYTES_MAX);
                self.transform(pass, count);
            }
            Partial::Drop(_) | Partial::None => self.replace(pass, count),
        }
        let left = left.saturating_sub(count);
        self.session.client_partial = Partial::of(rebuild, left);
        if left == 0 || !pass.rest().is_empty() { Step::Next } else { Step::Wait }
    }

    fn pipeline_is_full(&self) -> bool {
        let (requests, limits) = (&self.session.requests, &self.session.limits);
        requests.len() >= limits.pipeline_max || requests.text_bytes() > limits.texts_bytes_max()
    }

    /// The server may keep its answers to itself until a Sync; a Flush makes it send them, so that this cannot last.
    fn hold_pipeline(&mut self, pass: &mut ClientPass<'_>) -> Step {
        self.replace(pass, 0);
        self.session.upstream_output.flush();
        self.session.records.limit_reached("pipeline_max");
        self.session.hold = Some(Hold::Pipeline);
        Step::Wait
    }

    fn query(&mut self, header: Header<Frontend>, pass: &mut ClientPass<'_>) -> Result<Step, SessionError> {
        if header.frame_bytes > self.session.limits.statement_bytes_max {
            return Ok(self.query_too_long(header, pass));
        }
        let Some(body) = Self::body(header, pass) else { return Ok(Step::Wait) };
        let sql = match text_of(frontend::query(body)?) {
            Ok(sql) => sql,
            Err((report, decision)) => {
                self.refuse_query(header, pass, self.subject(decision, body.len()), report);
                return Ok(Step::Next);
            }
        };
        let decision = self.decide(sql, Protocol::Simple, &[]);
        let subject = self.subject(Arc::clone(&decision), sql.len());
        match &*decision {
            Decision::Reject { rejection, .. } => self.refuse_query(header, pass, subject, report_of(rejection)),
            Decision::Forward(forward) => {
                let (protocol, parameter_types, basis) = (Protocol::Simple, &[], &self.basis());
                let effects = match self.plan(&Asked { sql, protocol, parameter_types, decision: &decision, basis }) {
                    Ok(effects) => effects,
                    Err(Obstacle::Unsettled) => return Ok(self.hold_unsettled(pass)),
                    Err(Obstacle::Refused(refusal)) => {
                        self.refuse_names(header, pass, *refusal, sql.len());
                        return Ok(Step::Next);
                    }
                };
                let checked = self.session.acting.check(&decision).and_then(|()| self.expect_temporary(&decision));
                if let Err(report) = checked {
                    self.refuse_query(header, pass, subject, report);
                    return Ok(Step::Next);
                }
                self.replace(pass, header.frame_bytes);
                self.session.upstream_output.query(&forward.sql);
                let text = Text { decision: Arc::clone(&decision), bytes: sql.len() };
                let kind = self.query_kind(Some(text));
                self.session.requests.push_text(kind, None, self.now, sql.len());
                self.record_query_first(&decision, sql.len());
                self.turn(&decision);
                if !effects.is_empty() {
                    // Unlike a message of the extended protocol, a Query that fails lets the next message run.
                    self.session.group = self.session.group.wrapping_add(1);
                    self.expect(effects);
                    self.session.group = self.session.group.wrapping_add(1);
                }
                if copies_in(&decision) > 0 {
                    self.session.hold = Some(Hold::Copy);
                }
            }
        }
        Ok(Step::Next)
    }

    /// Refuses a Query for what a name in it means.
    fn refuse_names(
        &mut self,
        header: Header<Frontend>,
        pass: &mut ClientPass<'_>,
        refusal: Refusal,
        text_bytes: usize,
    ) {
        let Refusal { report, decision, stale } = refusal;
        if let Some(statement) = &stale {
            self.close_stale(pass, statement);
        }
        self.refuse_query(header, pass, self.subject(decision, text_bytes), report);
    }

    /// What a text that is about to be sent makes of the session's temporary tables.
    pub(crate) fn expect_temporary(&mut self, decision: &Decision) -> Result<(), Report> {
        let expected = self.session.temporary.expect(decision, self.session.limits.temporary_tables_max);
        expected.inspect_err(|_| self.session.records.limit_reached("temporary_tables_per_session_max"))
    }

    /// The Query that was pushed last may do this to the tenant.
    fn turn(&mut self, decision: &Decision) {
        let turn = match self.session.acting.turn_of(&decision.facts().statements) {
            Turn::Nothing => Turn::Closes,
            turn => turn,
        };
        self.expect_turn(turn);
    }

    pub(crate) fn expect_turn(&mut self, turn: Turn) {
        self.session.requests.turn(turn);
        self.session.acting.sent(turn);
    }

    fn query_kind(&mut self, text: Option<Text>) -> Kind {
        let drops_portal = self.session.portals.expect_drop(&Name::default(), self.session.group);
        Kind::Query { text, drops_portal }
    }

    fn query_too_long(&mut self, header: Header<Frontend>, pass: &mut ClientPass<'_>) -> Step {
        self.session.records.limit_reached("statement_bytes_max");
        let rejection = too_long(self.session.limits.statement_bytes_max);
        let report = report_of(&rejection);
        self.refuse_query(header, pass, self.subject(refused(rejection), header.frame_bytes), report);
        Step::Next
    }

    fn function_call(&mut self, header: Header<Frontend>, pass: &mut ClientPass<'_>) -> Step {
        let rejection = Rejection::new(Code::StatementNotAllowed, "function calls over the protocol are not allowed")
            .detail("A FunctionCall message runs a function without a statement that could be checked.")
            .hint("Call the function in a SELECT. Large objects cannot be used.");
        let report = report_of(&rejection);
        self.refuse_query(header, pass, self.subject(refused(rejection), 0), report);
        Step::Next
    }

    pub(crate) fn subject(&self, decision: Arc<Decision>, text_bytes: usize) -> Subject {
        Subject { decision, statement: 0, meant: None, text_bytes, started: self.now, begin: None }
    }

    /// Whether the server has nothing to answer and no transaction: then it need not be asked to fail.
    pub(crate) fn server_is_idle(&self) -> bool {
        let session = &self.session;
        session.requests.is_empty()
            && session.status == Status::Idle
            && session.progress == Group::Closed
            && matches!(session.copy, CopyState::None)
    }

    /// Refuses a Query or FunctionCall: the message is dropped, and the client is answered as by a syntax error.
    fn refuse_query(&mut self, header: Header<Frontend>, pass: &mut ClientPass<'_>, subject: Subject, report: Report) {
        self.session.records.refused(subject, report.sqlstate_bytes());
        self.replace(pass, 0);
        if self.server_is_idle() {
            report.encode(Severity::Error, &mut self.session.client_output);
            encode::ready_for_query(Status::Idle, &mut self.session.client_output);
            self.session.statements.forget(&Name::default());
            self.session.records.transaction_ended();
        } else {
            let mark = self.session.marks.next();
            self.session.upstream_output.poison_query(&mark);
            let poison = Poison { form: PoisonForm::Syntax(mark), report };
            let kind = self.query_kind(None);
            self.session.requests.push(kind, Some(poison), self.now);
            self.expect_turn(Turn::Closes);
        }
        self.drop_message(header);
    }

    fn sync(&mut self, header: Header<Frontend>, pass: &mut ClientPass<'_>) -> Result<Step, SessionError> {
        let Some(body) = Self::body(header, pass) else { return Ok(Step::Wait) };
        empty(body)?;
        self.session.group = self.session.group.wrapping_add(1);
        if self.session.progress == Group::SkippingAlone {
            self.session.progress = Group::Closed;
            encode::ready_for_query(Status::Idle, &mut self.session.client_output);
            self.session.records.transaction_ended();
            return Ok(self.drop_message(header));
        }
        self.session.progress = Group::Closed;
        self.session.requests.push(Kind::Sync, None, self.now);
        self.expect_turn(Turn::Closes);
        self.keep(header, pass)
    }

    fn flush(&mut self, header: Header<Frontend>, pass: &mut ClientPass<'_>) -> Result<Step, SessionError> {
        let Some(body) = Self::body(header, pass) else { return Ok(Step::Wait) };
        empty(body)?;
        self.keep(header, pass)
    }
}

pub(crate) fn empty(body: &[u8]) -> Result<(), Malformed> {
    if body.is_empty() { Ok(()) } else { Err(Malformed) }
}

pub(crate) fn refused(rejection: Rejection) -> Arc<Decision> {
    Arc::new(Decision::Reject { rejection, facts: Facts::default() })
}

pub(crate) fn too_long(bytes_max: usize) -> Rejection {
    Rejection::new(Code::StatementTooLarge, "statement is too long")
        .detail(format!("A statement may have up to {bytes_max} bytes."))
        .hint("Send values as parameters or with COPY.")
}

/// SQL as text; else the error that PostgreSQL gives, and a record of it.
pub(crate) fn text_of(sql: &[u8]) -> Result<&str, (Report, Arc<Decision>)> {
    std::str::from_utf8(sql).map_err(|error| {
        let bad = sql.get(error.valid_up_to()..).unwrap_or_default();
        let shown: Vec<String> =
            bad.iter().take(error.error_len().unwrap_or(1)).map(|byte| format!("0x{byte:02x}")).collect();
        let message = format!("invalid byte sequence for encoding \"UTF8\": {}", shown.join(" "));
        (Report::new("22021", message.clone()), refused(Rejection::new(Code::InvalidToken, message)))
    })
}
