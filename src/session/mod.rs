//! One client's conversation as a state machine: bytes in, bytes and events out; no socket, no clock.

mod acting;
mod bound;
mod client;
mod client_copy;
mod completion;
mod copy;
mod decider;
pub mod effect;
mod errors;
mod extended;
pub mod first;
pub mod handshake;
mod holds;
mod login;
mod names;
mod naming;
mod output;
mod pass;
mod record;
mod refusal;
mod refuse;
mod requests;
mod startup_parameters;
mod subject;
mod temporary;
mod upstream;

pub use decider::{Decider, SessionLimits};

use std::sync::Arc;

use bytes::BytesMut;

use crate::session::acting::Acting;
use crate::session::copy::TenantRows;
use crate::session::effect::{Outcome, Progress, SessionEvent, SessionState};
use crate::session::first::Recording;
use crate::session::holds::Holds;
use crate::session::names::{Name, Names};
use crate::session::naming::{Effect, Of};
use crate::session::output::UpstreamBuffer;
use crate::session::record::{End, Records};
use crate::session::refusal::{Marks, Poison};
use crate::session::requests::{Fate, Kind, Prepared, Request, Requests};
use crate::session::temporary::TemporaryTables;
use crate::tenant::{Identity, Timestamp};
use crate::wire::backend::Status;
use crate::wire::report::{Report, Severity};

/// A conversation after login: between one client and the one upstream connection that serves it.
///
/// The shell reads from both sides, hands over what it has, sends what [`Progress`] and the output buffers say, and
/// drops what was consumed. As long as a call consumed something and input is left, it calls again; then it reads on.
/// While [`Session::holds_client`] it need not read from the client; after [`Session::handle_upstream`] it calls
/// [`Session::handle_client`] again with what is left of the client's input.
pub struct Session {
    limits: SessionLimits,
    client_output: BytesMut,
    upstream_output: UpstreamBuffer,
    marks: Marks,
    records: Records,
    recording: Recording,
    /// The transaction block has changed something, or is about to.
    block_changes: bool,
    /// Rows may have gone to the client before their statement had ended.
    answers_begun: bool,
    requests: Requests,
    statements: Names<Prepared>,
    portals: Names<Prepared>,
    holds: Holds,
    temporary: TemporaryTables,
    acting: Acting,
    /// What the last ReadyForQuery said.
    status: Status,
    /// Counts the client's Syncs.
    group: u64,
    progress: Group,
    /// Why the client's next message has to wait, where it has to.
    hold: Option<Hold>,
    copy: CopyState,
    /// Why we have failed the COPY that the server is at.
    copy_refusal: Option<Poison>,
    client_partial: Partial,
    upstream_partial: Partial,
    /// The last words are said.
    fatal: Said,
}

/// Where the client stands between two Syncs of the extended protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Group {
    /// Right behind a Sync, or never begun.
    Closed,
    Open,
    /// The server has failed and skips to the next Sync; so do we.
    Skipping,
    /// We have refused something ourselves, the server being idle, and it knows nothing of the group.
    SkippingAlone,
}

/// Why a client has to wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hold {
    /// Behind a `COPY … FROM STDIN`: until the server has asked for the data or refused, nobody can say what the next
    /// message will mean to it.
    Copy,
    /// A name could mean one of several statements.
    Unsettled,
    /// Too many requests are under way.
    Pipeline,
}

/// Where COPY stands.
#[derive(Debug)]
enum CopyState {
    None,
    /// The server has asked for data and the client is sending it.
    In(Option<TenantRows>),
    /// We have failed the COPY ourselves; the client does not know yet and goes on sending.
    Failed,
    /// The server is sending data.
    Out,
}

/// What becomes of the rest of a message that is not held until it is whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Partial {
    None,
    Pass(usize),
    Drop(usize),
    /// COPY data that goes through the transformation.
    Transform(usize),
}

impl Partial {
    fn of(form: fn(usize) -> Self, left: usize) -> Self {
        if left == 0 { Self::None } else { form(left) }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Said {
    Nothing,
    Fatal,
}

impl Session {
    /// `identity` is the login's; `nonce_seed` is random and makes the marks of refused statements unguessable.
    pub fn new(limits: SessionLimits, identity: Arc<Identity>, nonce_seed: [u8; 16]) -> Self {
        Self {
            limits,
            client_output: BytesMut::new(),
            upstream_output: UpstreamBuffer::default(),
            marks: Marks::new(nonce_seed),
            records: Records::new(Arc::clone(&identity)),
            recording: Recording::default(),
            block_changes: false,
            answers_begun: false,
            requests: Requests::default(),
            statements: Names::default(),
            portals: Names::default(),
            holds: Holds::default(),
            temporary: TemporaryTables::new(identity.tenant.clone()),
            acting: Acting::new(identity),
            status: Status::Idle,
            group: 0,
            progress: Group::Closed,
            hold: None,
            copy: CopyState::None,
            copy_refusal: None,
            client_partial: Partial::None,
            upstream_partial: Partial::None,
            fatal: Said::Nothing,
        }
    }

    /// Takes bytes that the client sent. What it does not consume (a frame that is not whole yet) comes again, with
    /// more behind it. After an error the session is over: `client_output` holds the last words to the client, and
    /// `upstream_output` what is still to be sent upstream where the client said Terminate.
    pub fn handle_client(
        &mut self,
        input: &[u8],
        decider: &mut dyn Decider,
        now: Timestamp,
    ) -> Result<Progress, SessionError> {
        let result = client::Client { session: self, decider, now }.handle(input);
        result.inspect_err(|error| self.say_why(error, now))
    }

    /// Takes bytes that the upstream sent. Likewise.
    pub fn handle_upstream(&mut self, input: &[u8], now: Timestamp) -> Result<Progress, SessionError> {
        let result = upstream::Upstream { session: self, now }.handle(input);
        result.inspect_err(|error| self.say_why(error, now))
    }

    /// The upstream's connection ended. `client_output` then holds a FATAL 08006 for the client.
    pub fn handle_upstream_closed(&mut self, now: Timestamp) {
        let report = Report::new("08006", "the connection to the upstream server was lost")
            .detail("Whether the statement under way took effect is not known.")
            .hint("Connect again; a transaction that was not committed is undone.");
        self.say_last(&report);
        self.abandon(now);
    }

    /// The client's connection ended: records of what was under way are finished.
    pub fn handle_client_closed(&mut self, now: Timestamp) {
        self.abandon(now);
    }

    /// The process ends or the operator asks: `57P01` for the client, and the records of what was under way.
    pub fn handle_shutdown(&mut self, now: Timestamp) {
        self.say_last(&Report::new("57P01", "terminating connection due to administrator command"));
        self.abandon(now);
    }

    /// Whether the client has to wait for the upstream. Reading on from it would only fill a buffer.
    pub fn holds_client(&self) -> bool {
        self.hold.is_some()
    }

    /// Bytes for the client, beside those of [`Progress`] that pass unchanged. The shell drains it.
    pub fn client_output(&mut self) -> &mut BytesMut {
        &mut self.client_output
    }

    /// Bytes for the upstream, likewise. Everything in it is guarded.
    pub fn upstream_output(&mut self) -> &mut BytesMut {
        self.upstream_output.drain()
    }

    pub fn poll_event(&mut self) -> Option<SessionEvent> {
        self.records.poll()
    }

    /// Whom the session acts for now.
    pub fn identity(&self) -> &Arc<Identity> {
        self.acting.identity()
    }

    pub fn state(&self) -> SessionState {
        if self.status != Status::Idle {
            SessionState::InTransaction
        } else if self.requests.is_empty() && self.progress == Group::Closed {
            SessionState::Idle
        } else {
            SessionState::Active
        }
    }

    /// Whether so many requests have been answered that it pays to let the client go on.
    fn pipeline_has_drained(&self) -> bool {
        self.requests.len() <= self.limits.pipeline_max / 2
            && self.requests.text_bytes() <= self.limits.texts_bytes_max() / 2
    }

    /// A FATAL error, unless one was said or a message to the client is unfinished and would swallow it.
    fn say_last(&mut self, report: &Report) {
        let whole = !matches!(self.upstream_partial, Partial::Pass(_));
        if self.fatal == Said::Nothing && whole {
            report.encode(Severity::Fatal, &mut self.client_output);
        }
        self.fatal = Said::Fatal;
    }

    fn say_why(&mut self, error: &SessionError, now: Timestamp) {
        match error {
            SessionError::Terminated => {}
            SessionError::Client(message) => self.say_last(&Report::new("08P01", *message)),
            SessionError::Upstream(message) => self.say_last(
                &Report::new("08006", "the upstream server broke the protocol")
                    .detail(format!("Its messages could not be followed: {message}.")),
            ),
            SessionError::Disagreement(message) => self.say_last(
                &Report::new("XX000", "the upstream server did something else than it was asked to")
                    .detail(format!("The connection is closed to be safe: {message}.")),
            ),
        }
        self.abandon(now);
    }

    /// Records the statements under way as of unknown end.
    fn abandon(&mut self, now: Timestamp) {
        while let Some(request) = self.requests.pop() {
            if !self.is_recorded(&request)
                && let Some(subject) = self.subject_of_run(&request)
            {
                let end = End { outcome: Outcome::Unknown, sqlstate: None, rows_affected: None, at: now };
                self.records.ended(subject, end);
            }
            self.records.next_request();
            // As if it had succeeded: so that an Execute behind it is put down to the right statement.
            match &request.kind {
                Kind::Bind { portal, .. } if request.poison.is_none() => self.portals.succeed(portal),
                Kind::Query { drops_portal: true, .. } => self.portals.succeed(&Name::default()),
                _ => {}
            }
            request.effects.iter().for_each(|effect| self.settle(effect));
        }
    }

    /// Whether all that there is to say of a request has been said.
    fn is_recorded(&self, request: &Request) -> bool {
        let ended = match &request.kind {
            Kind::Query { text: Some(text), .. } => {
                self.records.index() >= text.decision.facts().statements.len().max(1)
            }
            _ => false,
        };
        ended || request.poison.is_some() || request.fate == Fate::Failed
    }

    /// Whom the session acts for may have changed.
    fn act(&mut self) {
        self.records.acts_for(self.acting.identity(), self.acting.user());
        self.temporary.act_for(self.acting.identity().tenant.as_ref());
    }

    /// A statement has succeeded that does this to a name.
    fn settle(&mut self, effect: &Effect) {
        let names = match effect.of {
            Of::Statement => &mut self.statements,
            Of::Portal => &mut self.portals,
        };
        match &effect.becomes {
            Some(_) => names.succeed(&effect.name),
            None => names.forget(&effect.name),
        }
    }
}

/// Why a conversation cannot go on. The client has been told in PostgreSQL's words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SessionError {
    /// The client broke the protocol, or a limit.
    Client(&'static str),
    /// The upstream broke the protocol.
    Upstream(&'static str),
    /// The client said Terminate. Not a fault.
    Terminated,
    /// What the upstream did is not what it was asked to do. Closed and counted: a sign of a fault of ours.
    Disagreement(&'static str),
}
