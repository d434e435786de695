//! Which statement a request runs, for its record.

use std::sync::Arc;

use crate::guard::{Naming, StatementFacts};
use crate::session::Session;
use crate::session::effect::Meant;
use crate::session::names::Name;
use crate::session::record::Subject;
use crate::session::requests::{Kind, Made, Prepared, Request};

impl Session {
    /// The statement that a request runs, where it runs one.
    pub(crate) fn subject_of_run(&self, request: &Request) -> Option<Subject> {
        match &request.kind {
            Kind::Query { text: Some(text), .. } => {
                let statement = self.records.index();
                Some(Subject {
                    decision: Arc::clone(&text.decision),
                    statement,
                    meant: self.meant(text.decision.facts().statements.get(statement)),
                    text_bytes: text.bytes,
                    started: request.started,
                    begin: request.begin,
                })
            }
            Kind::Execute { portal } => self.portals.held(portal).map(|prepared| {
                let meant = match prepared.made {
                    Made::Parse => self.meant(prepared.facts()),
                    Made::Prepare | Made::Declare => Some(prepared.meant()),
                };
                Subject { meant, ..subject(prepared, request) }
            }),
            _ => None,
        }
    }

    /// What a statement runs by its name, as the server knows it now.
    fn meant(&self, facts: Option<&StatementFacts>) -> Option<Meant> {
        match &facts?.naming {
            Naming::Executes { statement, .. } => self.statements.held(&Name::new(statement.as_bytes())),
            Naming::Fetches { cursor } => self.portals.held(&Name::new(cursor.as_bytes())),
            _ => None,
        }
        .map(|prepared| prepared.meant())
    }
}

pub(crate) fn subject(prepared: &Prepared, request: &Request) -> Subject {
    Subject {
        decision: Arc::clone(&prepared.decision),
        statement: prepared.statement,
        meant: None,
        text_bytes: prepared.sql.len(),
        started: request.started,
        begin: request.begin,
    }
}
