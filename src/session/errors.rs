//! The upstream's errors and notices, made fit for a client: never passed, always written anew.

use crate::guard::{Decision, GuardedSql};
use crate::session::effect::Outcome;
use crate::session::record::{End, Subject};
use crate::session::refusal::Poison;
use crate::session::requests::{Kind, Request};
use crate::session::subject::subject;
use crate::session::upstream::{Upstream, UpstreamPass};
use crate::session::{CopyState, Partial, Said, SessionError};
use crate::wire::backend::{self, Fields};
use crate::wire::frame::{Backend, HEADER_BYTES, Header};
use crate::wire::report::{Severity, error_response, notice_response};

/// What a refusal by policy has, where other refusals are of data that PostgreSQL would not take either.
const DENIED: &str = "42501";

/// Bytes of an error's text that are held; what is longer is cut.
const ERROR_BYTES_MAX: usize = 1_048_576;

impl Upstream<'_> {
    /// An ErrorResponse or NoticeResponse: rebuilt, never passed. An overlong one is cut.
    pub(crate) fn report(
        &mut self,
        header: Header<Backend>,
        pass: &mut UpstreamPass<'_>,
    ) -> Result<bool, SessionError> {
        let held = header.frame_bytes.min(ERROR_BYTES_MAX);
        let Some(body) = pass.rest().get(HEADER_BYTES..held) else { return Ok(false) };
        self.drop_next(pass, 0);
        if header.kind == Backend::NoticeResponse {
            let fields = kept(&backend::fields(body), None);
            notice_response(fields, &mut self.session.client_output);
        } else {
            self.error(&backend::fields(body))?;
        }
        self.session.upstream_partial = Partial::Drop(header.frame_bytes);
        Ok(self.continue_partial(pass))
    }

    fn error(&mut self, fields: &Fields<'_>) -> Result<(), SessionError> {
        let severity = fields.value(b'V').or(fields.value(b'S')).unwrap_or_default();
        let is_fatal = matches!(severity, b"FATAL" | b"PANIC");
        let sqlstate = fields.value(b'C').and_then(|code| code.try_into().ok());
        let Some(head) = self.session.requests.head() else {
            error_response(kept(fields, None), &mut self.session.client_output);
            if is_fatal {
                self.session.fatal = Said::Fatal;
                return Ok(());
            }
            return Err(SessionError::Disagreement("an error came to no request"));
        };
        if let Some(poison) = head.poison.as_ref().filter(|poison| poison.raised(fields)) {
            poison.report.encode(Severity::Error, &mut self.session.client_output);
        } else {
            let poisoned = head.poison.is_some();
            let subject = self.culprit(head).filter(|_| !poisoned);
            let refusal = self.session.copy_refusal.as_ref().filter(|refusal| refusal.raised(fields));
            let ends = match refusal {
                Some(Poison { report, .. }) => {
                    report.encode(Severity::Error, &mut self.session.client_output);
                    let outcome = if report.sqlstate == DENIED { Outcome::Deny } else { Outcome::Error };
                    End { outcome, ..End::failed(Some(report.sqlstate_bytes()), self.now) }
                }
                None => {
                    let fields = kept(fields, self.sql_of(head));
                    error_response(fields, &mut self.session.client_output);
                    End::failed(sqlstate, self.now)
                }
            };
            if let Some(subject) = subject {
                self.session.records.ended(subject, ends);
            }
        }
        self.session.copy_refusal = None;
        self.session.temporary.undone();
        self.session.acting.failed();
        self.session.requests.fail_head();
        self.session.holds.failed();
        if is_fatal {
            self.session.fatal = Said::Fatal;
            return Ok(());
        }
        // A client that is sending data goes on until it has read of it; what it sends is ignored, here and there.
        self.session.copy = CopyState::None;
        self.skip();
        Ok(())
    }

    /// The statement that an error is about.
    fn culprit(&self, head: &Request) -> Option<Subject> {
        let prepared = match &head.kind {
            Kind::Parse { statement } | Kind::ParseAgain { statement } => {
                self.session.statements.oldest_pending(statement)
            }
            Kind::Bind { portal, .. } => self.session.portals.oldest_pending(portal),
            _ => return self.session.subject_of_run(head),
        };
        prepared.map(|prepared| subject(prepared, head))
    }

    /// The text that an error's position counts in.
    fn sql_of<'a>(&'a self, head: &'a Request) -> Option<&'a GuardedSql> {
        let decision = match &head.kind {
            Kind::Query { text: Some(text), .. } => &text.decision,
            Kind::Parse { statement } | Kind::ParseAgain { statement } => {
                &self.session.statements.oldest_pending(statement)?.decision
            }
            Kind::Bind { portal, .. } => &self.session.portals.oldest_pending(portal)?.decision,
            Kind::Execute { portal } => &self.session.portals.held(portal)?.decision,
            _ => return None,
        };
        match &**decision {
            Decision::Forward(forward) => Some(&forward.sql),
            Decision::Reject { .. } => None,
        }
    }
}

/// The fields of an error or notice that a client may read. Not CONTEXT and the internal query, which can carry other
/// tenants' values, nor where in the server's source it was raised; and DETAIL only where it says what the client knows.
fn kept(fields: &Fields<'_>, sql: Option<&GuardedSql>) -> Vec<(u8, String)> {
    let sqlstate = fields.value(b'C').unwrap_or_default();
    fields
        .clone()
        .filter_map(|(code, value)| {
            let text = String::from_utf8_lossy(value);
            match code {
                // The schema is the guard's addition, also where a name in a string leads nowhere.
                b'M' if sqlstate == b"42883" => Some((code, text.replace("function pg_catalog.", "function "))),
                b'M' if sqlstate == b"42P01" => Some((code, text.replace("relation \"pg_catalog.", "relation \""))),
                b'S' | b'V' | b'C' | b'M' | b'H' | b's' | b't' | b'c' | b'd' | b'n' => Some((code, text.into_owned())),
                b'D' if repeats_the_key(sqlstate, &text) => Some((code, text.into_owned())),
                b'P' => Some((code, sql?.client_position(text.parse().ok()?)?.to_string())),
                _ => None,
            }
        })
        .collect()
}

/// Whether a DETAIL says no more than the key of the client's own row: drivers and ORMs read the columns out of it.
///
/// An exclusion constraint's says the other row's values too, and that of NOT NULL and CHECK all columns of a row.
fn repeats_the_key(sqlstate: &[u8], detail: &str) -> bool {
    let endings: &[&str] = match sqlstate {
        b"23505" => &[") already exists."],
        b"23503" => &["\"."],
        _ => &[],
    };
    detail.starts_with("Key (") && endings.iter().any(|ending| detail.ends_with(ending))
}
