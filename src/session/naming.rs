//! What SQL does to the names of prepared statements and portals, which the protocol's messages share: planned when a
//! statement is sent, done when it is answered.

use std::sync::Arc;

use crate::guard::{Access, Argument, Code, Decision, LensKind, Naming, Positioned, Protocol, Rejection};
use crate::session::bound;
use crate::session::client::{Client, refused};
use crate::session::names::{Meaning, Name, Names};
use crate::session::refusal::report_of;
use crate::session::refuse::value_refused;
use crate::session::requests::{Basis, Made, Prepared};
use crate::wire::report::Report;

/// What a statement will make of a name if it succeeds.
#[derive(Debug)]
pub(crate) struct Effect {
    /// Which statement of its text.
    pub(crate) statement: usize,
    pub(crate) of: Of,
    pub(crate) name: Name,
    /// `None`: nothing, the name is dropped.
    pub(crate) becomes: Option<Arc<Prepared>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Of {
    Statement,
    Portal,
}

/// Why a text cannot be sent as it is now.
pub(crate) enum Obstacle {
    /// A name could mean one of several things: answers must come first.
    Unsettled,
    Refused(Box<Refusal>),
}

pub(crate) struct Refusal {
    pub(crate) report: Report,
    pub(crate) decision: Arc<Decision>,
    /// The prepared statement that the rules of now would not make so.
    pub(crate) stale: Option<Name>,
}

/// A text that is about to be sent, and what was decided of it.
pub(crate) struct Asked<'a> {
    pub(crate) sql: &'a str,
    pub(crate) protocol: Protocol,
    pub(crate) parameter_types: &'a [u32],
    pub(crate) decision: &'a Arc<Decision>,
    pub(crate) basis: &'a Basis,
}

impl<'a> Asked<'a> {
    pub(crate) fn of(prepared: &'a Prepared) -> Self {
        Self {
            sql: &prepared.sql,
            protocol: prepared.protocol,
            parameter_types: &prepared.parameter_types,
            decision: &prepared.decision,
            basis: &prepared.basis,
        }
    }

    fn made(&self, made: Made, statement: usize) -> Arc<Prepared> {
        Arc::new(Prepared {
            sql: self.sql.into(),
            protocol: self.protocol,
            parameter_types: self.parameter_types.into(),
            decision: Arc::clone(self.decision),
            basis: self.basis.clone(),
            made,
            statement,
        })
    }
}

impl Client<'_> {
    /// Whether every name in a text means something that may be used so, and what its statements make of names.
    pub(crate) fn plan(&mut self, asked: &Asked<'_>) -> Result<Vec<Effect>, Obstacle> {
        let mut effects: Vec<Effect> = Vec::new();
        for (statement, facts) in asked.decision.facts().statements.iter().enumerate() {
            if !matches!(facts.naming, Naming::Prepares { .. }) {
                self.check_position(facts.positioned.as_ref(), &effects)?;
            }
            let (of, name, becomes) = match &facts.naming {
                Naming::Nothing => continue,
                Naming::Executes { statement, arguments } => {
                    self.check_execute(&Name::new(statement.as_bytes()), arguments, &effects)?;
                    continue;
                }
                Naming::Fetches { cursor } => {
                    self.check_fetch(&Name::new(cursor.as_bytes()), &effects)?;
                    continue;
                }
                Naming::Prepares { statement: name, .. } => {
                    (Of::Statement, name, Some(asked.made(Made::Prepare, statement)))
                }
                Naming::Declares { cursor, .. } => (Of::Portal, cursor, Some(asked.made(Made::Declare, statement))),
                Naming::Deallocates { statement } => (Of::Statement, statement, None),
                Naming::Closes { cursor } => (Of::Portal, cursor, None),
            };
            let effect = Effect { statement, of, name: Name::new(name.as_bytes()), becomes };
            self.check_room(&effect, &effects)?;
            effects.push(effect);
        }
        Ok(effects)
    }

    /// Likewise for what an Execute of a portal runs.
    pub(crate) fn plan_portal(&mut self, prepared: &Prepared) -> Result<Vec<Effect>, Obstacle> {
        if prepared.made == Made::Parse {
            return self.plan(&Asked::of(prepared));
        }
        // The text beside it has run already: now it is what PREPARE holds, or the cursor's next rows.
        self.check_position(prepared.facts().and_then(|facts| facts.positioned.as_ref()), &[])?;
        Ok(Vec::new())
    }

    /// What a name means to a statement behind these effects.
    fn meaning(&self, of: Of, name: &Name, effects: &[Effect]) -> Result<Option<Arc<Prepared>>, Obstacle> {
        if let Some(effect) = effects.iter().rev().find(|effect| effect.of == of && effect.name == *name) {
            return Ok(effect.becomes.clone());
        }
        let session = &self.session;
        let names = match of {
            Of::Statement => &session.statements,
            Of::Portal => &session.portals,
        };
        match names.meaning(name, session.group) {
            Meaning::Known(prepared) => Ok(Some(prepared)),
            // The server says so, at its place; that it does is checked when it answers.
            Meaning::Absent => Ok(None),
            Meaning::Unsettled => Err(Obstacle::Unsettled),
        }
    }

    fn check_execute(&mut self, name: &Name, arguments: &[Argument], effects: &[Effect]) -> Result<(), Obstacle> {
        let Some(prepared) = self.meaning(Of::Statement, name, effects)? else { return Ok(()) };
        let prepared = self.current(name, prepared).map_err(|decision| {
            let name = String::from_utf8_lossy(name.bytes());
            let message =
                format!("prepared statement \"{name}\" must be prepared again: the policy or the tenant has changed");
            Obstacle::Refused(Box::new(Refusal {
                report: Report::new("26000", message),
                decision,
                stale: Some(Name::new(name.as_bytes())),
            }))
        })?;
        // What COPY or COMMIT would do from inside of EXECUTE is more than is followed here.
        if !prepared.is_plain() {
            return Err(not_plain("EXECUTE", "prepared statement"));
        }
        if let Err(mismatch) = bound::check_arguments(prepared.parameter_checks(), arguments) {
            let decision = Arc::clone(&prepared.decision);
            return Err(Obstacle::Refused(Box::new(Refusal {
                report: value_refused(&mismatch),
                decision,
                stale: None,
            })));
        }
        self.check_position(prepared.facts().and_then(|facts| facts.positioned.as_ref()), effects)
    }

    fn check_fetch(&mut self, name: &Name, effects: &[Effect]) -> Result<(), Obstacle> {
        let Some(prepared) = self.meaning(Of::Portal, name, effects)? else { return Ok(()) };
        self.check_portal_is_current(name, &prepared)?;
        if !prepared.is_plain() {
            return Err(not_plain("FETCH", "portal"));
        }
        self.check_position(prepared.facts().and_then(|facts| facts.positioned.as_ref()), effects)
    }

    fn check_portal_is_current(&mut self, name: &Name, prepared: &Arc<Prepared>) -> Result<(), Obstacle> {
        self.current_portal(prepared).map_err(|decision| {
            let name = String::from_utf8_lossy(name.bytes());
            let message = format!("cursor \"{name}\" must be declared again: the policy or the tenant has changed");
            Obstacle::Refused(Box::new(Refusal { report: Report::new("34000", message), decision, stale: None }))
        })
    }

    /// WHERE CURRENT OF stands alone, so that no tenant's filter can stand beside it. The row is the tenant's because
    /// the cursor reads the relation through a lens, and nothing beside the lenses that could show another's row of it.
    fn check_position(&mut self, positioned: Option<&Positioned>, effects: &[Effect]) -> Result<(), Obstacle> {
        let Some(Positioned { cursor, relation }) = positioned else { return Ok(()) };
        let name = Name::new(cursor.as_bytes());
        let Some(prepared) = self.meaning(Of::Portal, &name, effects)? else {
            let rejection = Rejection::new(Code::StatementNotAllowed, format!("cursor \"{cursor}\" does not exist"));
            let (report, decision) = (Report::new("34000", rejection.message.clone()), refused(rejection));
            return Err(Obstacle::Refused(Box::new(Refusal { report, decision, stale: None })));
        };
        self.check_portal_is_current(&name, &prepared)?;
        let fits = prepared.facts().is_some_and(|facts| {
            let reads = |lens| matches!(lens, LensKind::Scoped | LensKind::Shared);
            let mut objects = facts.objects.iter();
            !facts.reads_views
                && objects.any(|object| {
                    object.relation == *relation && object.access.contains(&Access::Read) && reads(object.lens)
                })
        });
        if fits {
            return Ok(());
        }
        let message = format!("cursor \"{cursor}\" is not a simply updatable scan of table \"{}\"", relation.name);
        let hint = "Declare it FOR UPDATE over the table itself, or change the row by its key.";
        let decision = refused(Rejection::new(Code::FeatureNotAllowed, message.clone()));
        let report = Report::new("24000", message).hint(hint);
        Err(Obstacle::Refused(Box::new(Refusal { report, decision, stale: None })))
    }

    /// Whether one name more may be held.
    fn check_room(&mut self, effect: &Effect, effects: &[Effect]) -> Result<(), Obstacle> {
        let Some(prepared) = &effect.becomes else { return Ok(()) };
        let more = |names: &Names<Prepared>| {
            let planned = effects.iter().filter(|planned| {
                planned.of == effect.of && planned.becomes.is_some() && !names.contains(&planned.name)
            });
            planned.count()
        };
        let rejection = match effect.of {
            Of::Statement => {
                let more = more(&self.session.statements);
                self.check_statements(&effect.name, prepared.sql.len(), more)
            }
            Of::Portal => {
                let more = more(&self.session.portals);
                self.check_portals(&effect.name, more)
            }
        };
        rejection.map_err(|rejection| {
            let report = report_of(&rejection);
            Obstacle::Refused(Box::new(Refusal { report, decision: refused(rejection), stale: None }))
        })
    }
}

fn not_plain(command: &str, what: &str) -> Obstacle {
    let message = format!("{command} of this {what} is not allowed");
    let rejection = Rejection::new(Code::FeatureNotAllowed, message)
        .detail("It holds something else than a query or a change of rows.")
        .hint("Execute it by the means by which it was made, or send its text.");
    Obstacle::Refused(Box::new(Refusal { report: report_of(&rejection), decision: refused(rejection), stale: None }))
}
