//! The client's data of a `COPY … FROM STDIN`: while it is under way, nothing else is.

use crate::guard::{CopyIn, CopyTenant, Decision, StatementClass};
use crate::session::client::{Client, ClientPass, Step, empty};
use crate::session::refusal::{Poison, PoisonForm};
use crate::session::requests::Kind;
use crate::session::{CopyState, Hold, Partial, SessionError};
use crate::wire::frame::{Frontend, HEADER_BYTES, Header};
use crate::wire::frontend;
use crate::wire::report::Report;

impl Client<'_> {
    pub(crate) fn copy_in_message(
        &mut self,
        header: Header<Frontend>,
        pass: &mut ClientPass<'_>,
    ) -> Result<Step, SessionError> {
        match header.kind {
            Frontend::CopyData => {
                if matches!(self.session.copy, CopyState::In(Some(_))) {
                    self.replace(pass, HEADER_BYTES);
                    self.session.client_partial = Partial::of(Partial::Transform, header.frame_bytes - HEADER_BYTES);
                } else {
                    self.session.client_partial = Partial::Pass(header.frame_bytes);
                }
                Ok(Step::Next)
            }
            Frontend::CopyDone | Frontend::CopyFail => {
                let Some(body) = Self::body(header, pass) else { return Ok(Step::Wait) };
                if header.kind == Frontend::CopyFail {
                    frontend::copy_fail(body)?;
                    self.session.copy = CopyState::None;
                } else {
                    empty(body)?;
                    if let CopyState::In(Some(_)) = self.session.copy {
                        self.replace(pass, header.frame_bytes);
                        self.finish_transform();
                        return Ok(self.copy_ended());
                    }
                    self.session.copy = CopyState::None;
                }
                self.copy_ended();
                self.keep(header, pass)
            }
            // The server reads and ignores them while it waits for data.
            Frontend::Sync | Frontend::Flush => Ok(self.drop_message(header)),
            _ => Err(SessionError::Client("unexpected message type during COPY from stdin")),
        }
    }

    /// Another COPY of the same Query may ask for data next.
    fn copy_ended(&mut self) -> Step {
        if let Some(Kind::Query { text: Some(text), .. }) = self.session.requests.head().map(|request| &request.kind)
            && copies_in(&text.decision) > 1
        {
            self.session.hold = Some(Hold::Copy);
        }
        Step::Next
    }

    pub(crate) fn copy_failed_message(&mut self, header: Header<Frontend>) -> Result<Step, SessionError> {
        match header.kind {
            Frontend::CopyDone | Frontend::CopyFail => self.session.copy = CopyState::None,
            Frontend::CopyData | Frontend::Sync | Frontend::Flush => {}
            _ => return Err(SessionError::Client("unexpected message type during COPY from stdin")),
        }
        Ok(self.drop_message(header))
    }

    pub(crate) fn transform(&mut self, pass: &mut ClientPass<'_>, count: usize) {
        let data = pass.rest().get(..count).unwrap_or_default();
        self.replace(pass, count);
        let CopyState::In(Some(rows)) = &mut self.session.copy else { return };
        let mut result = Ok(());
        self.session.upstream_output.copy_data(|out| result = rows.handle_data(data, out));
        self.check_transform(result);
    }

    fn finish_transform(&mut self) {
        let CopyState::In(Some(rows)) = &mut self.session.copy else { return };
        let mut result = Ok(());
        self.session.upstream_output.copy_data(|out| result = rows.handle_done(out));
        self.check_transform(result);
        if let CopyState::In(_) = self.session.copy {
            self.session.upstream_output.copy_done();
        }
        self.session.copy = CopyState::None;
    }

    /// Data that will not be copied: the server is told to fail, and its error is then given our words.
    fn check_transform(&mut self, result: Result<(), Report>) {
        if let Err(report) = result {
            let mark = self.session.marks.next();
            self.session.upstream_output.copy_fail(mark.identifier());
            self.session.copy = CopyState::Failed;
            self.session.copy_refusal = Some(Poison { form: PoisonForm::Copy(mark), report });
        }
    }
}

/// How many statements of a text read data from the client.
pub(crate) fn copies_in(decision: &Decision) -> usize {
    let statements = &decision.facts().statements;
    statements.iter().filter(|statement| statement.class == StatementClass::CopyIn).count()
}

/// How the tenant gets into the rows that a text's COPY reads.
pub(crate) fn copied_tenant(decision: &Decision) -> Option<&CopyTenant> {
    match decision {
        Decision::Forward(forward) => match &forward.copy_in {
            CopyIn::Unchanged => None,
            CopyIn::Tenant(tenant) => Some(tenant),
        },
        Decision::Reject { .. } => None,
    }
}
