//! The client's messages of the extended protocol: statements are decided at Parse, values at Bind.

use std::sync::Arc;

use crate::guard::{Code, Decision, Protocol, Rejection};
use crate::session::bound;
use crate::session::client::{Client, ClientPass, Step, refused, text_of, too_long};
use crate::session::client_copy::copies_in;
use crate::session::names::{Meaning, Name};
use crate::session::refusal::report_of;
use crate::session::refuse::{no_statement, type_refused};
use crate::session::requests::{Kind, Prepared};
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
        let version = self.decider.version();
        let prepared = Prepared { sql: sql.into(), parameter_types, decision: Arc::clone(&decision), version };
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
        self.check_statements(statement, sql.len()).map_err(|rejection| (report_of(&rejection), refused(rejection)))?;
        let decision = self.decider.decide(sql, Protocol::Extended, parameter_types);
        match &*decision {
            Decision::Reject { rejection, .. } => Err((report_of(rejection), Arc::clone(&decision))),
            Decision::Forward(forward) => match bound::check_types(&forward.parameter_checks, parameter_types) {
                Ok(()) => Ok(decision),
                Err(mismatch) => Err((type_refused(&mismatch), Arc::clone(&decision))),
            },
        }
    }

    fn check_statements(&mut self, statement: &Name, sql_bytes: usize) -> Result<(), Rejection> {
        let (statements, limits) = (&self.session.statements, &self.session.limits);
        if statement.is_unnamed() {
            return Ok(());
        }
        let bytes: usize = statements.iter().map(|prepared| prepared.sql.len()).sum();
        let bytes_max = limits.texts_bytes_max();
        let too_many = !statements.contains(statement) && statements.len() >= limits.statements_max;
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
            Meaning::Unsettled => return Ok(self.hold_unsettled()),
            Meaning::Absent => {
                self.refuse_extended(header, pass, None, no_statement(&statement));
                return Ok(Step::Next);
            }
        };
        let prepared = match self.current(&statement, prepared) {
            Ok(prepared) => prepared,
            Err(changed) => {
                self.drop_statement(header, pass, &statement, changed);
                return Ok(Step::Next);
            }
        };
        let Decision::Forward(forward) = &*prepared.decision else { return Ok(Step::Next) };
        if let Err(mismatch) = bound::check_values(&forward.parameter_checks, &bind) {
            self.refuse_values(header, pass, &bind, &prepared, &mismatch);
            return Ok(Step::Next);
        }
        let portals = &self.session.portals;
        if !portals.contains(&portal) && portals.len() >= self.session.limits.portals_max {
            self.session.records.limit_reached("portals_per_session_max");
            let report = Report::new("54000", "too many portals in one session")
                .detail(format!("A session may hold {} portals.", self.session.limits.portals_max))
                .hint("Close portals that are no longer used, or end the transaction.");
            self.refuse_extended(header, pass, None, report);
            return Ok(Step::Next);
        }
        self.session.portals.expect(&portal, self.session.group, prepared);
        self.session.requests.push(Kind::Bind { portal, statement }, None, self.now);
        self.session.progress = Group::Open;
        self.keep(header, pass)
    }

    /// The statement under the policy of now, if what is prepared at the server is still what would be sent.
    fn current(&mut self, name: &Name, prepared: Arc<Prepared>) -> Result<Arc<Prepared>, Arc<Decision>> {
        let version = self.decider.version();
        if prepared.version == version {
            return Ok(prepared);
        }
        let decision = self.decider.decide(&prepared.sql, Protocol::Extended, &prepared.parameter_types);
        let (Decision::Forward(before), Decision::Forward(now)) = (&*prepared.decision, &*decision) else {
            return Err(decision);
        };
        let types = bound::check_types(&now.parameter_checks, &prepared.parameter_types);
        if before.sql.as_str() != now.sql.as_str() || types.is_err() {
            return Err(decision);
        }
        let renewed = Arc::new(Prepared {
            sql: prepared.sql.clone(),
            parameter_types: prepared.parameter_types.clone(),
            decision,
            version,
        });
        self.session.statements.replace(name, &prepared, &renewed);
        Ok(renewed)
    }

    /// Likewise for a portal, whose values were checked when it was bound.
    fn current_portal(&mut self, prepared: &Arc<Prepared>) -> Result<(), Arc<Decision>> {
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
            Meaning::Unsettled => return Ok(self.hold_unsettled()),
            // It may be a cursor's, that SQL has declared: those are read with FETCH.
            Meaning::Absent => {
                let message = format!("portal \"{}\" does not exist", String::from_utf8_lossy(portal.bytes()));
                self.refuse_extended(header, pass, None, Report::new("34000", message));
                return Ok(Step::Next);
            }
        };
        if let Err(decision) = self.current_portal(&prepared) {
            let subject = self.subject(decision, prepared.sql.len());
            let report = Report::new("34000", "portal must be bound again: the policy has changed");
            self.refuse_extended(header, pass, Some(subject), report);
            return Ok(Step::Next);
        }
        let step = self.push_execute(header, pass, portal)?;
        if copies_in(&prepared.decision) > 0 {
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

    fn hold_unsettled(&mut self) -> Step {
        self.session.hold = Some(Hold::Unsettled);
        Step::Wait
    }
}
