//! What the upstream says: each answer belongs to the oldest request, and its errors are made fit for the client.

use std::sync::Arc;

use bytes::BytesMut;

use crate::guard::TenantSource;
use crate::session::client_copy::copied_tenant;
use crate::session::copy::TenantRows;
use crate::session::effect::Progress;
use crate::session::names::Name;
use crate::session::pass::{FromUpstream, Pass};
use crate::session::requests::{Fate, Kind, Request};
use crate::session::{CopyState, Group, Hold, Partial, Session, SessionError};
use crate::tenant::Timestamp;
use crate::wire::backend::{self, Status};
use crate::wire::frame::{Backend, HEADER_BYTES, Header};
use crate::wire::{Malformed, encode, frame};

pub(crate) struct Upstream<'s> {
    pub(crate) session: &'s mut Session,
    pub(crate) now: Timestamp,
}

pub(crate) type UpstreamPass<'a> = Pass<'a, FromUpstream>;

/// What becomes of a message whose meaning has been taken in.
pub(crate) enum Way {
    Keep,
    Drop,
    /// This goes in its place.
    Replace(BytesMut),
    /// It is not whole yet.
    Wait,
}

pub(crate) fn broken(_: Malformed) -> SessionError {
    SessionError::Upstream("invalid message format")
}

impl Upstream<'_> {
    pub(crate) fn handle(mut self, input: &[u8]) -> Result<Progress, SessionError> {
        let buffered_before = self.session.client_output.len();
        let mut pass = Pass::new(input);
        while self.step(&mut pass)? {}
        let (progress, passed) = pass.finish(self.session.client_output.len() == buffered_before);
        if let Some(passed) = passed {
            self.session.client_output.extend_from_slice(passed.bytes());
        }
        Ok(progress)
    }

    /// Whether there may be more to do.
    fn step(&mut self, pass: &mut UpstreamPass<'_>) -> Result<bool, SessionError> {
        if self.session.upstream_partial != Partial::None {
            return Ok(self.continue_partial(pass));
        }
        let header = frame::backend(pass.rest()).map_err(|_| SessionError::Upstream("unknown message"))?;
        let Some(header) = header else { return Ok(false) };
        let body = pass.rest().get(HEADER_BYTES..header.frame_bytes);
        let way = match header.kind {
            Backend::DataRow => self.data_row(header)?,
            Backend::CopyData => self.copy_data(header)?,
            Backend::RowDescription | Backend::ParameterDescription => self.description(header.kind)?,
            Backend::ErrorResponse | Backend::NoticeResponse => return self.report(header, pass),
            Backend::NotificationResponse => Way::Drop,
            _ => match body {
                Some(body) => self.message(header.kind, body)?,
                None => Way::Wait,
            },
        };
        match way {
            Way::Keep => self.session.upstream_partial = Partial::Pass(header.frame_bytes),
            Way::Drop => self.session.upstream_partial = Partial::Drop(header.frame_bytes),
            Way::Replace(bytes) => {
                self.drop_next(pass, 0);
                self.session.client_output.extend_from_slice(&bytes);
                self.session.upstream_partial = Partial::Drop(header.frame_bytes);
            }
            Way::Wait => return Ok(false),
        }
        Ok(self.continue_partial(pass))
    }

    pub(crate) fn continue_partial(&mut self, pass: &mut UpstreamPass<'_>) -> bool {
        let (left, rebuild): (usize, fn(usize) -> Partial) = match self.session.upstream_partial {
            Partial::Pass(left) => (left, Partial::Pass),
            Partial::Drop(left) | Partial::Transform(left) => (left, Partial::Drop),
            Partial::None => return true,
        };
        let count = left.min(pass.rest().len());
        if matches!(self.session.upstream_partial, Partial::Pass(_)) {
            pass.keep(FromUpstream, count);
        } else {
            self.drop_next(pass, count);
        }
        self.session.upstream_partial = Partial::of(rebuild, left - count);
        left == count
    }

    pub(crate) fn drop_next(&mut self, pass: &mut UpstreamPass<'_>, count: usize) {
        let passed = pass.drop_next(count);
        self.session.client_output.extend_from_slice(passed.bytes());
    }

    /// The request that is being answered; an answer to nothing, or to something that had to fail, ends the session.
    pub(crate) fn head(&self) -> Result<&Request, SessionError> {
        match self.session.requests.head() {
            None => Err(SessionError::Disagreement("an answer came to no request")),
            Some(Request { fate: Fate::Failed, .. }) => {
                Err(SessionError::Disagreement("an answer came to a request that has failed"))
            }
            Some(Request { poison: Some(_), .. }) => Err(SessionError::Disagreement("a refused request did not fail")),
            Some(request) => Ok(request),
        }
    }

    pub(crate) fn unfit() -> SessionError {
        SessionError::Disagreement("an answer does not fit its request")
    }

    fn data_row(&mut self, header: Header<Backend>) -> Result<Way, SessionError> {
        match self.head()?.kind {
            Kind::Query { .. } | Kind::Execute { .. } => {}
            _ => return Err(Self::unfit()),
        }
        if self.session.records.is_before_rows() {
            self.check_rows()?;
        }
        self.session.records.count_row(header.frame_bytes - HEADER_BYTES);
        Ok(Way::Keep)
    }

    fn copy_data(&mut self, header: Header<Backend>) -> Result<Way, SessionError> {
        if !matches!(self.session.copy, CopyState::Out) {
            return Err(Self::unfit());
        }
        self.session.records.count_row(header.frame_bytes - HEADER_BYTES);
        Ok(Way::Keep)
    }

    fn description(&mut self, kind: Backend) -> Result<Way, SessionError> {
        match (kind, &self.head()?.kind) {
            (Backend::RowDescription, Kind::Query { .. })
            | (Backend::ParameterDescription, Kind::DescribeStatement) => {}
            (Backend::RowDescription, Kind::DescribeStatement | Kind::DescribePortal) => {
                self.pop();
            }
            _ => return Err(Self::unfit()),
        }
        Ok(Way::Keep)
    }

    /// Everything that is short and held until it is whole.
    fn message(&mut self, kind: Backend, body: &[u8]) -> Result<Way, SessionError> {
        match kind {
            Backend::CommandComplete => self.command_complete(body),
            Backend::EmptyQueryResponse => self.statement_complete(None),
            Backend::PortalSuspended => match self.head()?.kind {
                Kind::Execute { .. } => self.statement_complete(None),
                _ => Err(Self::unfit()),
            },
            Backend::ReadyForQuery => self.ready(backend::ready_for_query(body).map_err(broken)?),
            Backend::ParseComplete | Backend::BindComplete | Backend::CloseComplete | Backend::NoData => {
                self.complete(kind)
            }
            Backend::ParameterStatus => Self::parameter_status(body),
            Backend::CopyInResponse => self.copy_in_response(body),
            Backend::CopyOutResponse => self.copy_out_response(body),
            Backend::CopyDone => match self.session.copy {
                CopyState::Out => {
                    self.session.copy = CopyState::None;
                    Ok(Way::Keep)
                }
                _ => Err(Self::unfit()),
            },
            _ => Err(SessionError::Disagreement("the upstream sent a message that no request asks for")),
        }
    }

    fn complete(&mut self, kind: Backend) -> Result<Way, SessionError> {
        let mut way = Way::Keep;
        self.head()?;
        let Some(request) = self.pop() else { return Err(Self::unfit()) };
        let session = &mut *self.session;
        match (kind, request.kind) {
            (Backend::ParseComplete, Kind::Parse { statement }) => {
                session.statements.succeed(&statement);
            }
            (Backend::BindComplete, Kind::Bind { portal, statement }) => {
                if session.statements.held(&statement).is_none() {
                    return Err(SessionError::Disagreement("a statement was bound that was never prepared"));
                }
                session.portals.succeed(&portal);
            }
            (Backend::ParseComplete, Kind::ParseAgain { statement }) => {
                session.statements.succeed(&statement);
                way = Way::Drop;
            }
            (Backend::CloseComplete, Kind::CloseStatement { statement }) => session.statements.forget(&statement),
            (Backend::CloseComplete, Kind::DropStatement { statement }) => {
                session.statements.forget(&statement);
                way = Way::Drop;
            }
            (Backend::CloseComplete, Kind::ClosePortal { portal }) => session.portals.forget(&portal),
            (Backend::NoData, Kind::DescribeStatement | Kind::DescribePortal) => {}
            _ => return Err(Self::unfit()),
        }
        Ok(way)
    }

    fn ready(&mut self, status: Status) -> Result<Way, SessionError> {
        match self.session.requests.head() {
            Some(Request { kind: Kind::Query { .. }, fate: Fate::Failed, .. } | Request { kind: Kind::Sync, .. }) => {}
            _ if matches!(self.head()?.kind, Kind::Query { .. }) => {}
            _ => return Err(Self::unfit()),
        }
        if let Some(request) = self.pop() {
            // Those of the statements that did not come to their end.
            self.undo_effects(&request);
            if let Kind::Query { drops_portal, .. } = request.kind {
                self.session.statements.forget(&Name::default());
                if drops_portal {
                    self.session.portals.succeed(&Name::default());
                }
            }
        }
        self.session.status = status;
        self.session.acting.ready(status);
        self.session.act();
        self.session.copy = CopyState::None;
        if status == Status::Idle {
            self.session.portals.forget_all_but(|_, portal| portal.is_held());
            let gone = self.session.holds.ready();
            gone.iter().for_each(|name| self.session.portals.forget(name));
            if self.session.requests.is_empty() {
                self.session.temporary.settled();
                self.session.block_changes = false;
            }
            self.session.records.transaction_ended();
        } else {
            self.session.holds.ready_in_block();
        }
        Ok(Way::Keep)
    }

    /// Two settings change how a text is read: what the guard has read would be something else to the server.
    fn parameter_status(body: &[u8]) -> Result<Way, SessionError> {
        match backend::parameter_status(body).map_err(broken)? {
            (b"standard_conforming_strings", value) if value != b"on" => {
                Err(SessionError::Disagreement("standard_conforming_strings was turned off"))
            }
            (b"client_encoding", value) if value != b"UTF8" => {
                Err(SessionError::Disagreement("client_encoding is not UTF8 any more"))
            }
            _ => Ok(Way::Keep),
        }
    }

    fn copy_in_response(&mut self, body: &[u8]) -> Result<Way, SessionError> {
        let (format, columns) = backend::copy_response(body).map_err(broken)?;
        let decision = match &self.head()?.kind {
            Kind::Query { text: Some(text), .. } => Arc::clone(&text.decision),
            Kind::Execute { portal } => match self.session.portals.held(portal) {
                Some(prepared) => Arc::clone(&prepared.decision),
                None => return Err(Self::unfit()),
            },
            _ => return Err(Self::unfit()),
        };
        if self.session.hold != Some(Hold::Copy) {
            return Err(SessionError::Disagreement("the server asks for COPY data that no statement reads"));
        }
        self.session.hold = None;
        self.session.records.copied_in();
        let Some(tenant) = copied_tenant(&decision) else {
            self.session.copy = CopyState::In(None);
            return Ok(Way::Keep);
        };
        let rows = TenantRows::new(tenant);
        if format != rows.format() || columns != tenant.columns {
            return Err(SessionError::Disagreement("the server asks for COPY data in another format"));
        }
        self.session.copy = CopyState::In(Some(rows));
        if tenant.source == TenantSource::Supplied {
            return Ok(Way::Keep);
        }
        // The client sends one column less than the server gets.
        let mut response = BytesMut::new();
        encode::copy_in_response(format, columns.saturating_sub(1), &mut response);
        Ok(Way::Replace(response))
    }

    fn copy_out_response(&mut self, body: &[u8]) -> Result<Way, SessionError> {
        backend::copy_response(body).map_err(broken)?;
        match self.head()?.kind {
            Kind::Query { .. } | Kind::Execute { .. } => {}
            _ => return Err(Self::unfit()),
        }
        self.session.copy = CopyState::Out;
        Ok(Way::Keep)
    }

    /// Behind an error the server skips to the next Sync, unless the request was one that ends by itself.
    pub(crate) fn skip(&mut self) {
        if self.session.requests.head().is_none_or(|head| head.kind.ends_with_ready()) {
            return;
        }
        while let Some(head) = self.session.requests.head() {
            if matches!(head.kind, Kind::Sync) {
                return;
            }
            let Some(request) = self.pop() else { return };
            self.session.record_skipped(&request, self.now);
            self.undo(&request);
        }
        self.session.progress = Group::Skipping;
    }

    pub(crate) fn pop(&mut self) -> Option<Request> {
        let request = self.session.requests.pop();
        if let Some(request) = &request {
            self.session.acting.answered(request.turn);
        }
        self.session.records.next_request();
        let released = match self.session.hold {
            Some(Hold::Copy) => self.session.requests.is_empty(),
            Some(Hold::Pipeline) => self.session.pipeline_has_drained(),
            Some(Hold::Unsettled) | None => true,
        };
        if released {
            self.session.hold = None;
        }
        request
    }
}
