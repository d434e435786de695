//! How a message of the extended protocol is refused: here where the server is idle, else by a poison in its place.

use std::sync::Arc;

use crate::guard::Decision;
use crate::session::Group;
use crate::session::bound::{Mismatch, check_types};
use crate::session::client::{Client, ClientPass};
use crate::session::names::Name;
use crate::session::record::Subject;
use crate::session::refusal::{Poison, PoisonForm};
use crate::session::requests::{Kind, Made, Prepared};
use crate::wire::backend::Status;
use crate::wire::frame::{Frontend, Header};
use crate::wire::frontend::Bind;
use crate::wire::report::{Report, Severity};

impl Client<'_> {
    /// The policy has changed and the server still holds what the old one let through.
    pub(crate) fn drop_statement(
        &mut self,
        header: Header<Frontend>,
        pass: &mut ClientPass<'_>,
        statement: &Name,
        decision: Arc<Decision>,
    ) {
        if self.session.status == Status::Failed {
            // As the server would say, and then the statement is still there.
            let message = "current transaction is aborted, commands ignored until end of transaction block";
            return self.refuse_extended(header, pass, None, Report::new("25P02", message));
        }
        self.close_stale(pass, statement);
        let message = if statement.is_unnamed() {
            "unnamed prepared statement must be prepared again: the policy or the tenant has changed".to_owned()
        } else {
            let name = String::from_utf8_lossy(statement.bytes());
            format!("prepared statement \"{name}\" must be prepared again: the policy or the tenant has changed")
        };
        let subject = self.subject(decision, 0);
        self.refuse_extended(header, pass, Some(subject), Report::new("26000", message));
    }

    /// What is prepared under the tenant of before is prepared anew for the one of now, as the client's driver expects, which
    /// knows nothing of tenants. `None`: not in these circumstances.
    pub(crate) fn prepare_again(
        &mut self,
        pass: &mut ClientPass<'_>,
        statement: &Name,
        prepared: &Prepared,
        decision: &Arc<Decision>,
    ) -> Option<Arc<Prepared>> {
        let Decision::Forward(forward) = &**decision else { return None };
        let basis = self.basis();
        // A transaction that has failed would refuse the Parse, and the statement would be gone.
        let refused = prepared.basis.version != basis.version
            || prepared.made != Made::Parse
            || self.session.status == Status::Failed
            || check_types(&forward.parameter_checks, &prepared.parameter_types).is_err();
        if refused {
            return None;
        }
        if !statement.is_unnamed() {
            self.close_stale(pass, statement);
        }
        self.replace(pass, 0);
        self.session.upstream_output.parse(statement.bytes(), &forward.sql, &prepared.parameter_types);
        let anew = Arc::new(Prepared {
            sql: prepared.sql.clone(),
            protocol: prepared.protocol,
            parameter_types: prepared.parameter_types.clone(),
            decision: Arc::clone(decision),
            basis,
            made: Made::Parse,
            statement: prepared.statement,
        });
        self.session.statements.expect(statement, self.session.group, Arc::clone(&anew));
        let kind = Kind::ParseAgain { statement: statement.clone() };
        self.session.requests.push_text(kind, None, self.now, prepared.sql.len());
        self.session.progress = Group::Open;
        Some(anew)
    }

    /// So that the client can prepare it again.
    pub(crate) fn close_stale(&mut self, pass: &mut ClientPass<'_>, statement: &Name) {
        self.replace(pass, 0);
        self.session.upstream_output.close_statement(statement.bytes());
        self.session.requests.push(Kind::DropStatement { statement: statement.clone() }, None, self.now);
    }

    /// Refuses a Parse. The unnamed statement is gone after it, as after any Parse that fails.
    pub(crate) fn refuse_parse(
        &mut self,
        header: Header<Frontend>,
        pass: &mut ClientPass<'_>,
        statement: &[u8],
        subject: Subject,
        report: Report,
    ) {
        self.session.records.refused(subject, report.sqlstate_bytes());
        if self.server_is_idle() {
            self.refuse_alone(header, pass, &report);
            if statement.is_empty() {
                self.session.statements.forget(&Name::default());
            }
            return;
        }
        self.replace(pass, 0);
        let mark = self.session.marks.next();
        self.session.upstream_output.poison_parse(statement, &mark);
        let kind = Kind::Parse { statement: Name::new(statement) };
        self.push_poison(header, kind, PoisonForm::Syntax(mark), report);
    }

    /// Refuses a Bind for its values: errors that PostgreSQL finds before it reads them still come first.
    pub(crate) fn refuse_values(
        &mut self,
        header: Header<Frontend>,
        pass: &mut ClientPass<'_>,
        bind: &Bind<'_>,
        prepared: &Prepared,
        mismatch: &Mismatch,
    ) {
        let report = value_refused(mismatch);
        let subject = self.subject(Arc::clone(&prepared.decision), prepared.sql.len());
        self.session.records.refused(subject, report.sqlstate_bytes());
        if self.server_is_idle() {
            return self.refuse_alone(header, pass, &report);
        }
        self.replace(pass, 0);
        self.session.upstream_output.poison_bind(bind.portal, bind.statement, bind.parameter_count);
        let kind = Kind::Bind { portal: Name::new(bind.portal), statement: Name::new(bind.statement) };
        self.push_poison(header, kind, PoisonForm::Format, report);
    }

    /// Refuses any other message of the extended protocol. `subject`: a refusal by policy, which is recorded.
    pub(crate) fn refuse_extended(
        &mut self,
        header: Header<Frontend>,
        pass: &mut ClientPass<'_>,
        subject: Option<Subject>,
        report: Report,
    ) {
        if let Some(subject) = subject {
            self.session.records.refused(subject, report.sqlstate_bytes());
        }
        if self.server_is_idle() {
            return self.refuse_alone(header, pass, &report);
        }
        self.replace(pass, 0);
        let mark = self.session.marks.next();
        self.session.upstream_output.poison_execute(&mark);
        let kind = Kind::Execute { portal: Name::default() };
        self.push_poison(header, kind, PoisonForm::Portal(mark), report);
    }

    /// The server is idle and need not know: the client is answered here, up to its Sync.
    fn refuse_alone(&mut self, header: Header<Frontend>, pass: &mut ClientPass<'_>, report: &Report) {
        self.replace(pass, 0);
        report.encode(Severity::Error, &mut self.session.client_output);
        self.session.progress = Group::SkippingAlone;
        self.drop_message(header);
    }

    fn push_poison(&mut self, header: Header<Frontend>, kind: Kind, form: PoisonForm, report: Report) {
        self.session.requests.push(kind, Some(Poison { form, report }), self.now);
        self.session.progress = Group::Open;
        self.drop_message(header);
    }
}

pub(crate) fn no_statement(statement: &Name) -> Report {
    if statement.is_unnamed() {
        return Report::new("26000", "unnamed prepared statement does not exist");
    }
    let name = String::from_utf8_lossy(statement.bytes());
    Report::new("26000", format!("prepared statement \"{name}\" does not exist"))
}

pub(crate) fn value_refused(mismatch: &Mismatch) -> Report {
    let Mismatch { parameter, column } = mismatch;
    Report::new(
        "42501",
        format!("value of parameter ${parameter} for column \"{column}\" is not this session's tenant"),
    )
    .detail("A row can be written only for the tenant that the session is bound to.")
    .hint("Bind the tenant's own identifier, in its usual spelling, or leave the column out.")
}

pub(crate) fn type_refused(mismatch: &Mismatch) -> Report {
    let Mismatch { parameter, column } = mismatch;
    Report::new("42501", format!("declared type of parameter ${parameter} for column \"{column}\" is not allowed"))
        .detail("The value is compared with the session's tenant, which only the column's own type allows.")
        .hint("Leave the type undeclared, or declare the column's own.")
}
