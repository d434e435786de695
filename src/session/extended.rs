//! The client's messages of the extended protocol: statements are decided at Parse, values at Bind.

use std::sync::Arc;

use crate::guard::{Code, Decision, Facts, Protocol, Rejection};
use crate::session::bound;
use crate::session::client::{Client, ClientPass, Step, refused, text_of, too_long};
use crate::session::client_copy::copies_in;
use crate::session::names::{Meaning, Name};
use crate::session::naming::{Effect, Obstacle, Of, Refusal};
use crate::session::refusal::report_of;
use crate::session::refuse::{no_statement, type_refused};
use crate::session::requests::{Kind, Made, Prepared};
use crate::session::{Group, Hold, Session, SessionError};
use crate::wire::frame::{Frontend, HEADER_BYTES, Header};
use crate::wire::frontend::{self, Bind, Parse, Target};
use crate::wire::report::Report;

/// Bytes of an overlong Parse among which its statement's name is looked for.
const NAME_BYTES_MAX: usize = 256;

impl Client<'_> {
    pub(crate) fn parse(&mut self, header: Header<Frontend>, pass: &mut ClientPass<'_>) -> Result<Step, SessionError> {
        if header.frame_bytes > self.session.limits.statement_bytes_max {
            return Ok(self.parse_too_long(header, pass));
        }
        let Some(body) = Self::body(header, pass) else { return Ok(Step::Wait) };
        let parse = Parse::read(body)?;
        let statement = Name::new(parse.statement);
        let sql = match text_of(parse.sql) {
            Ok(sql) => sql,
            Err((report, decision)) => {
                let subject = self.subject(decision, parse.sql.len());
                self.refuse_parse(header, pass, parse.statement, subject, report);
                return Ok(Step::Next);
            }
        };
        let parameter_types: Box<[u32]> = parse.parameter_types().collect();
        let decision = match self.decide_parse(&statement, sql, &parameter_types) {
            Ok(decision) => decision,
            Err((report, decision)) => {
                let subject = self.subject(decision, sql.len());
                self.refuse_parse(header, pass, parse.statement, subject, report);
                return Ok(Step::Next);
            }
        };
        let Decision::Forward(forward) = &*decision else { return Ok(Step::Next) };
        self.replace(pass, header.frame_bytes);
        self.session.upstream_output.parse(parse.statement, &forward.sql, &parameter_types);
        let basis = self.basis();
        let prepared = Prepared {
            sql: sql.into(),
            protocol: Protocol::Extended,
            parameter_types,
            decision: Arc::clone(&decision),
            basis,
            made: Made::Parse,
            statement: 0,
        };
        self.session.statements.expect(&statement, self.session.group, Arc::new(prepared));
        self.session.requests.push_text(Kind::Parse { statement }, None, self.now, sql.len());
        self.session.progress = Group::Open;
        Ok(Step::Next)
    }

    /// A decision to forward, or why not.
    fn decide_parse(
        &mut self,
        statement: &Name,
        sql: &str,
        parameter_types: &[u32],
    ) -> Result<Arc<Decision>, (Report, Arc<Decision>)> {
        self.check_statements(statement, sql.len(), 0)
            .map_err(|rejection| (report_of(&rejection), refused(rejection)))?;
        let decision = self.decide(sql, Protocol::Extended, parameter_types);
        match &*decision {
            Decision::Reject { rejection, .. } => Err((report_of(rejection), Arc::clone(&decision))),
            Decision::Forward(forward) => match bound::check_types(&forward.parameter_checks, parameter_types) {
                Ok(()) => match self.expect_temporary(&decision) {
                    Ok(()) => Ok(decision),
                    Err(report) => Err((report, decision)),
                },
                Err(mismatch) => Err((type_refused(&mismatch), Arc::clone(&decision))),
            },
        }
    }

    /// Whether one statement more may be held, beside `more` that are about to be.
    pub(crate) fn check_statements(
        &mut self,
        statement: &Name,
        sql_bytes: usize,
        more: usize,
    ) -> Result<(), Rejection> {
        let (statements, limits) = (&self.session.statements, &self.session.limits);
        if statement.is_unnamed() {
            return Ok(());
        }
        let bytes: usize = statements.iter().map(|prepared| prepared.sql.len()).sum();
        let bytes_max = limits.texts_bytes_max();
        let too_many =
            !statements.contains(statement) && statements.len().saturating_add(more) >= limits.statements_max;
        if !too_many && bytes.saturating_add(sql_bytes) <= bytes_max {
            return Ok(());
        }
        self.session.records.limit_reached("statements_per_session_max");
        Err(Rejection::new(Code::StatementTooLarge, "too many prepared statements in one session")
            .detail(format!(
                "A session may hold {} prepared statements, and {bytes_max} bytes of their text.",
                self.session.limits.statements_max
            ))
            .hint("Close statements that are no longer used, or let the driver keep fewer."))
    }

    /// The name stands in front of the text, so it can be read though the text is never held.
    fn parse_too_long(&mut self, header: Header<Frontend>, pass: &mut ClientPass<'_>) -> Step {
        let body = pass.rest().get(HEADER_BYTES..).unwrap_or_default();
        let end = memchr::memchr(0, body.get(..NAME_BYTES_MAX).unwrap_or(body));
        if end.is_none() && body.len() < NAME_BYTES_MAX {
            return Step::Wait;
        }
        let rejection = too_long(self.session.limits.statement_bytes_max);
        let report = report_of(&rejection);
        self.session.records.limit_reached("statement_bytes_max");
        let subject = self.subject(refused(rejection), header.frame_bytes);
        match end.and_then(|end| body.get(..end)) {
            Some(name) => self.refuse_parse(header, pass, name, subject, report),
            None => self.refuse_extended(header, pass, Some(subject), report),
        }
        Step::Next
    }

    pub(crate) fn bind(&mut self, header: Header<Frontend>, pass: &mut ClientPass<'_>) -> Result<Step, SessionError> {
        if header.frame_bytes > self.session.limits.bind_bytes_max {
            self.session.records.limit_reached("bind_bytes_max");
            let report = Report::new("54000", "bound values are too long")
                .detail(format!("A Bind message may have up to {} bytes.", self.session.limits.bind_bytes_max));
            self.refuse_extended(header, pass, None, report);
            return Ok(Step::Next);
        }
        let Some(body) = Self::body(header, pass) else { return Ok(Step::Wait) };
        let bind = Bind::read(body)?;
        let (portal, statement) = (Name::new(bind.portal), Name::new(bind.statement));
        let prepared = match self.session.statements.meaning(&statement, self.session.group) {
            Meaning::Known(prepared) => prepared,
            Meaning::Unsettled => return Ok(self.hold_unsettled(pass)),
            Meaning::Absent => {
                self.refuse_extended(header, pass, None, no_statement(&statement));
                return Ok(Step::Next);
            }
        };
        let prepared = match self.current(&statement, Arc::clone(&prepared)) {
            Ok(prepared) => prepared,
            Err(changed) => match self.prepare_again(pass, &statement, &prepared, &changed) {
                Some(prepared) => prepared,
                None => {
                    self.drop_statement(header, pass, &statement, changed);
                    return Ok(Step::Next);
                }
            },
        };
        if let Err(mismatch) = bound::check_values(prepared.parameter_checks(), &bind) {
            self.refuse_values(header, pass, &bind, &prepared, &mismatch);
            return Ok(Step::Next);
        }
        if let Err(rejection) = self.check_portals(&portal, 0) {
            self.refuse_extended(header, pass, None, report_of(&rejection));
            return Ok(Step::Next);
        }
        self.session.portals.expect(&portal, self.session.group, prepared);
        self.session.requests.push(Kind::Bind { portal, statement }, None, self.now);
        self.session.progress = Group::Open;
        self.keep(header, pass)
    }

    /// Likewise for portals.
    pub(crate) fn check_portals(&mut self, portal: &Name, more: usize) -> Result<(), Rejection> {
        let (portals, portals_max) = (&self.session.portals, self.session.limits.portals_max);
        if portals.contains(portal) || portals.len().saturating_add(more) < portals_max {
            return Ok(());
        }
        self.session.records.limit_reached("portals_per_session_max");
        Err(Rejection::new(Code::StatementTooLarge, "too many portals in one session")
            .detail(format!("A session may hold {portals_max} portals, cursors included."))
            .hint("Close portals and cursors that are no longer used, or end the transaction."))
    }

    /// The statement under the policy of now, if what is prepared at the server is still what would be sent.
    pub(crate) fn current(&mut self, name: &Name, prepared: Arc<Prepared>) -> Result<Arc<Prepared>, Arc<Decision>> {
        let basis = self.basis();
        if prepared.basis == basis {
            return Ok(prepared);
        }
        let decision = self.decide(&prepared.sql, prepared.protocol, &prepared.parameter_types);
        let (Decision::Forward(before), Decision::Forward(now)) = (&*prepared.decision, &*decision) else {
            return Err(decision);
        };
        let types = bound::check_types(&now.parameter_checks, &prepared.parameter_types);
        let naming = |facts: &Facts| facts.statements.get(prepared.statement).map(|facts| facts.naming.clone());
        if before.sql.as_str() != now.sql.as_str() || types.is_err() || naming(&before.facts) != naming(&now.facts) {
            return Err(decision);
        }
        let renewed = Arc::new(Prepared {
            sql: prepared.sql.clone(),
            protocol: prepared.protocol,
            parameter_types: prepared.parameter_types.clone(),
            decision,
            basis,
            made: prepared.made,
            statement: prepared.statement,
        });
        self.session.statements.replace(name, &prepared, &renewed);
        Ok(renewed)
    }

    /// Likewise for a portal, whose values were checked when it was bound.
    pub(crate) fn current_portal(&mut self, prepared: &Arc<Prepared>) -> Result<(), Arc<Decision>> {
        let renewed = self.current(&Name::default(), Arc::clone(prepared))?;
        match (&*prepared.decision, &*renewed.decision) {
            (Decision::Forward(before), Decision::Forward(now)) if before.parameter_checks == now.parameter_checks => {
                Ok(())
            }
            _ => Err(Arc::clone(&renewed.decision)),
        }
    }

    pub(crate) fn execute(
        &mut self,
        header: Header<Frontend>,
        pass: &mut ClientPass<'_>,
    ) -> Result<Step, SessionError> {
        let Some(body) = Self::body(header, pass) else { return Ok(Step::Wait) };
        let portal = Name::new(frontend::execute(body)?);
        let prepared = match self.portal(&portal) {
            Meaning::Known(prepared) => prepared,
            Meaning::Unsettled => return Ok(self.hold_unsettled(pass)),
            Meaning::Absent => {
                let message = format!("portal \"{}\" does not exist", String::from_utf8_lossy(portal.bytes()));
                self.refuse_extended(header, pass, None, Report::new("34000", message));
                return Ok(Step::Next);
            }
        };
        if let Err(decision) = self.current_portal(&prepared) {
            let subject = self.subject(decision, prepared.sql.len());
            let report = Report::new("34000", "portal must be bound again: the policy or the tenant has changed");
            self.refuse_extended(header, pass, Some(subject), report);
            return Ok(Step::Next);
        }
        let effects = match self.plan_portal(&prepared) {
            Ok(effects) => effects,
            Err(Obstacle::Unsettled) => return Ok(self.hold_unsettled(pass)),
            Err(Obstacle::Refused(refusal)) => {
                let Refusal { report, decision, stale } = *refusal;
                if let Some(statement) = &stale {
                    self.close_stale(pass, statement);
                }
                self.refuse_extended(header, pass, Some(self.subject(decision, prepared.sql.len())), report);
                return Ok(Step::Next);
            }
        };
        // What was let through once is sent once more, perhaps for another tenant.
        if let Err(report) = self.expect_temporary(&prepared.decision) {
            let subject = self.subject(Arc::clone(&prepared.decision), prepared.sql.len());
            self.refuse_extended(header, pass, Some(subject), report);
            return Ok(Step::Next);
        }
        let step = self.push_execute(header, pass, portal)?;
        self.record_execute_first(&prepared);
        if prepared.made == Made::Parse {
            let turn = self.session.acting.turn_of(&prepared.decision.facts().statements);
            self.expect_turn(turn);
        }
        self.expect(effects);
        if prepared.made == Made::Parse && copies_in(&prepared.decision) > 0 {
            // Without it a server that has nothing else to say would wait for more, and so would we.
            self.replace(pass, 0);
            self.session.upstream_output.flush();
            self.session.hold = Some(Hold::Copy);
        }
        Ok(step)
    }

    /// What an Execute of the portal would run.
    ///
    /// A Query that fails in a transaction block leaves an unnamed portal behind whose plan is freed already: to execute
    /// it crashes PostgreSQL (seen with 15.18), with every session on it. So the unnamed portal is known only where a
    /// Bind has made it since, for certain.
    fn portal(&self, portal: &Name) -> Meaning<Prepared> {
        let Session { portals, group, .. } = &*self.session;
        if portal.is_unnamed() && portals.is_unsettled(portal, *group) {
            return Meaning::Unsettled;
        }
        portals.meaning(portal, *group)
    }

    fn push_execute(
        &mut self,
        header: Header<Frontend>,
        pass: &mut ClientPass<'_>,
        portal: Name,
    ) -> Result<Step, SessionError> {
        self.session.requests.push(Kind::Execute { portal }, None, self.now);
        self.session.progress = Group::Open;
        self.keep(header, pass)
    }

    pub(crate) fn describe(
        &mut self,
        header: Header<Frontend>,
        pass: &mut ClientPass<'_>,
    ) -> Result<Step, SessionError> {
        let Some(body) = Self::body(header, pass) else { return Ok(Step::Wait) };
        let kind = match frontend::target(body)? {
            // The server may still hold one that a refusal should have dropped, and was not asked to.
            Target::Statement(b"") if self.unnamed_is_absent() => {
                self.refuse_extended(header, pass, None, no_statement(&Name::default()));
                return Ok(Step::Next);
            }
            Target::Statement(_) => Kind::DescribeStatement,
            Target::Portal(_) => Kind::DescribePortal,
        };
        self.session.requests.push(kind, None, self.now);
        self.session.progress = Group::Open;
        self.keep(header, pass)
    }

    pub(crate) fn close(&mut self, header: Header<Frontend>, pass: &mut ClientPass<'_>) -> Result<Step, SessionError> {
        let Some(body) = Self::body(header, pass) else { return Ok(Step::Wait) };
        let kind = match frontend::target(body)? {
            Target::Statement(name) => Kind::CloseStatement { statement: Name::new(name) },
            Target::Portal(name) => Kind::ClosePortal { portal: Name::new(name) },
        };
        self.session.requests.push(kind, None, self.now);
        self.session.progress = Group::Open;
        self.keep(header, pass)
    }

    fn unnamed_is_absent(&self) -> bool {
        matches!(self.session.statements.meaning(&Name::default(), self.session.group), Meaning::Absent)
    }

    /// Names get these meanings when the request that was sent last succeeds.
    pub(crate) fn expect(&mut self, effects: Vec<Effect>) {
        let Session { statements, portals, group, requests, .. } = &mut *self.session;
        for effect in &effects {
            if let Some(becomes) = &effect.becomes {
                let names = match effect.of {
                    Of::Statement => &mut *statements,
                    Of::Portal => &mut *portals,
                };
                names.expect(&effect.name, *group, Arc::clone(becomes));
            }
        }
        requests.attach(effects);
    }

    pub(crate) fn hold_unsettled(&mut self, pass: &mut ClientPass<'_>) -> Step {
        if self.session.progress == Group::Open {
            // The server may keep to itself the answers that settle it; a Flush makes it send them.
            self.replace(pass, 0);
            self.session.upstream_output.flush();
        }
        self.session.hold = Some(Hold::Unsettled);
        Step::Wait
    }
}
