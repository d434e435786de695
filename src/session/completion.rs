//! How a statement ends at the server, and what becomes of the names that it was to change.

use crate::guard::{ActingEffect, Naming};
use crate::session::effect::Outcome;
use crate::session::names::Name;
use crate::session::naming::Of;
use crate::session::record::{End, Subject};
use crate::session::requests::{Fate, Kind, Made, Request};
use crate::session::upstream::{Upstream, Way, broken};
use crate::session::{CopyState, SessionError};
use crate::wire::backend;

impl Upstream<'_> {
    pub(crate) fn command_complete(&mut self, body: &[u8]) -> Result<Way, SessionError> {
        let tag = backend::command_complete(body).map_err(broken)?;
        let rows_affected = tag.rows_written().or(tag.rows_copied().filter(|_| self.session.records.has_copied_in()));
        if matches!(tag.text, b"DISCARD ALL" | b"DEALLOCATE ALL") {
            self.session.statements.forget_all();
        }
        if matches!(tag.text, b"DISCARD ALL" | b"CLOSE CURSOR ALL") {
            // But for the portal that runs it, where one does.
            let own = match self.head()?.kind {
                Kind::Execute { ref portal } => Some(portal.clone()),
                _ => None,
            };
            self.session.portals.forget_all_but(|name, _| own.as_ref() == Some(name));
        }
        let subject = self.head().ok().and_then(|head| self.session.subject_of_run(head));
        let index = self.session.records.index();
        if let Some(statement) = subject.as_ref().and_then(|subject| subject.decision.facts().statements.get(index)) {
            self.session.temporary.completed(&statement.temporary, tag.text);
        }
        let committed = tag.text == b"COMMIT";
        match tag.text {
            b"COMMIT" => self.session.holds.committed(),
            b"ROLLBACK" => self.session.holds.rolled_back(),
            _ => {}
        }
        for effect in self.session.requests.take_effects(self.session.records.index()) {
            if effect.becomes.as_ref().is_some_and(|becomes| becomes.is_held()) {
                self.session.holds.declared(&effect.name);
            }
            self.session.settle(&effect);
        }
        let acting = self.acting_effect();
        let way = self.statement_complete(rows_affected)?;
        // Behind its record: a statement that gives another tenant was made by the one before.
        self.session.acting.completed(&acting, tag.text)?;
        self.session.act();
        if committed {
            // A transaction's end that begins the next (AND CHAIN) drops them without a word in ReadyForQuery.
            self.session.portals.forget_all_but(|_, portal| portal.is_held());
        }
        Ok(way)
    }

    /// What the statement that has run does to whom the session acts for.
    fn acting_effect(&self) -> ActingEffect {
        let facts = match self.session.requests.head().map(|head| &head.kind) {
            Some(Kind::Query { text: Some(text), .. }) => {
                text.decision.facts().statements.get(self.session.records.index())
            }
            Some(Kind::Execute { portal }) => {
                // The text beside PREPARE and DECLARE has run before.
                let prepared = self.session.portals.held(portal).filter(|prepared| prepared.made == Made::Parse);
                prepared.and_then(|prepared| prepared.facts())
            }
            _ => None,
        };
        facts.map(|facts| facts.acting.clone()).unwrap_or_default()
    }

    pub(crate) fn statement_complete(&mut self, rows_affected: Option<u64>) -> Result<Way, SessionError> {
        let head = self.head()?;
        let subject = self.session.subject_of_run(head);
        subject.as_ref().map_or(Ok(()), check_meant)?;
        if self.session.copy_refusal.is_some() {
            return Err(SessionError::Disagreement("a COPY that was refused did not fail"));
        }
        let end = End { outcome: Outcome::Allow, sqlstate: None, rows_affected, at: self.now };
        let Some(subject) = subject else {
            return Err(SessionError::Disagreement("a portal ran that was never bound"));
        };
        let is_query = matches!(head.kind, Kind::Query { .. });
        self.session.records.ended(subject, end);
        // The server may have stopped reading before the client stopped sending.
        self.session.copy = CopyState::None;
        if is_query {
            self.session.records.next_statement();
        } else if let Some(request) = self.pop() {
            self.undo_effects(&request);
        }
        Ok(Way::Keep)
    }

    /// Before the first row of a statement passes.
    pub(crate) fn check_rows(&self) -> Result<(), SessionError> {
        let subject = self.session.requests.head().and_then(|head| self.session.subject_of_run(head));
        subject.as_ref().map_or(Ok(()), check_meant)
    }

    pub(crate) fn undo_effects(&mut self, request: &Request) {
        for effect in request.effects.iter().filter(|effect| effect.becomes.is_some()) {
            match effect.of {
                Of::Statement => self.session.statements.fail(&effect.name),
                Of::Portal => self.session.portals.fail(&effect.name),
            }
        }
    }

    /// A request that failed or was skipped.
    pub(crate) fn undo(&mut self, request: &Request) {
        self.undo_effects(request);
        if request.poison.is_none() {
            match &request.kind {
                Kind::Parse { statement } | Kind::ParseAgain { statement } => {
                    self.session.statements.fail(statement);
                }
                Kind::Bind { portal, .. } => self.session.portals.fail(portal),
                _ => {}
            }
        }
        if let Kind::Query { drops_portal: true, .. } = request.kind {
            self.session.portals.fail(&Name::default());
        }
        // A Parse that fails has dropped the unnamed statement before; one that is skipped has not.
        if let Request { kind: Kind::Parse { statement } | Kind::ParseAgain { statement }, fate: Fate::Failed, .. } =
            request
            && statement.is_unnamed()
        {
            self.session.statements.forget(statement);
        }
    }
}

/// A name that nobody has given cannot have run anything: the server would hold what was never decided.
fn check_meant(subject: &Subject) -> Result<(), SessionError> {
    let facts = subject.decision.facts().statements.get(subject.statement);
    match facts.map(|facts| &facts.naming) {
        Some(Naming::Executes { .. } | Naming::Fetches { .. }) if subject.meant.is_none() => {
            Err(SessionError::Disagreement("something ran by a name that was never given"))
        }
        _ => Ok(()),
    }
}
