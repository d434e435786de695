//! A decision as text for people and corpus files, and as JSON for programs: what `explain` prints.

use serde_json::Map;
use serde_json::Value;
use serde_json::json;

use crate::guard::Access;
use crate::guard::CopyIn;
use crate::guard::Decision;
use crate::guard::Forward;
use crate::guard::Naming;
use crate::guard::ObjectAccess;
use crate::guard::ParameterCheck;
use crate::guard::StatementClass;
use crate::guard::TenantSource;
use crate::policy::printable;
use crate::policy::written_name;
use crate::policy::written_part;

/// `forward`, the SQL, the facts, one a line; or `reject`, code and SQLSTATE, the message, the hint.
pub fn render_text(decision: &Decision) -> String {
    let mut lines = Vec::new();
    match decision {
        Decision::Forward(forward) => {
            lines.push("forward".to_owned());
            lines.push(forward.sql.as_str().to_owned());
            for statement in &forward.facts.statements {
                lines.extend(statement.naming.describe().map(|line| printable(&line)));
                lines.extend(statement.acting.describe().map(|line| printable(&line)));
                lines.extend(statement.objects.iter().map(object_line));
                let positioned = statement.positioned.as_ref();
                lines.extend(positioned.map(|at| printable(&format!("current of {}", written_part(&at.cursor)))));
                if let Naming::Prepares { checks, .. } = &statement.naming {
                    lines.extend(checks.iter().map(parameter_line));
                }
            }
            lines.extend(forward.parameter_checks.iter().map(parameter_line));
            lines.extend(tenant_in_copy(&forward.copy_in).map(|source| format!("copy tenant {source}")));
        }
        Decision::Reject { rejection, .. } => {
            lines.push(format!("reject {} {}", rejection.code.as_str(), rejection.code.sqlstate()));
            lines.push(rejection.message.to_string());
            lines.extend(rejection.hint.as_ref().map(ToString::to_string));
            lines.extend(rejection.detail.as_ref().map(|detail| format!("detail: {detail}")));
        }
    }
    lines.join("\n") + "\n"
}

/// One JSON object on one line, without a line break behind it.
pub fn render_json(decision: &Decision) -> String {
    let value = match decision {
        Decision::Forward(forward) => json!({
            "decision": "forward",
            "sql": forward.sql.as_str(),
            "facts": facts(forward),
        }),
        Decision::Reject { rejection, .. } => {
            let mut object = Map::new();
            object.insert("decision".to_owned(), json!("reject"));
            object.insert("code".to_owned(), json!(rejection.code.as_str()));
            object.insert("sqlstate".to_owned(), json!(rejection.code.sqlstate()));
            object.insert("message".to_owned(), json!(rejection.message));
            for (key, text) in [("detail", &rejection.detail), ("hint", &rejection.hint)] {
                object.extend(text.as_ref().map(|text| (key.to_owned(), json!(text))));
            }
            object.extend(rejection.position.map(|position| ("position".to_owned(), json!(position))));
            Value::Object(object)
        }
    };
    value.to_string()
}

fn object_line(object: &ObjectAccess) -> String {
    let access = object.access.iter().map(|access| access.as_str()).collect::<Vec<_>>().join(",");
    let mut line = format!("{access} {} {}", written_name(&object.relation), object.lens.as_str());
    if !object.columns.is_empty() {
        let columns = object.columns.iter().map(|column| written_part(column)).collect::<Vec<_>>();
        line.push_str(&format!(" columns={}", columns.join(",")));
    }
    if !object.sensitive.is_empty() {
        let classes =
            object.sensitive.iter().map(|(column, class)| format!("{}:{}", written_part(column), class.as_str()));
        line.push_str(&format!(" sensitive={}", classes.collect::<Vec<_>>().join(",")));
    }
    printable(&line)
}

fn parameter_line(check: &ParameterCheck) -> String {
    printable(&format!("bind ${} tenant column={}", check.parameter, written_part(&check.column)))
}

fn facts(forward: &Forward) -> Value {
    let statements = forward.facts.statements.iter().map(|statement| {
        let mut shown = Map::new();
        shown.insert("command".to_owned(), json!(statement.command));
        shown.insert("class".to_owned(), json!(class(statement.class)));
        shown.insert("objects".to_owned(), statement.objects.iter().map(object).collect());
        shown.extend(statement.naming.describe().map(|naming| ("naming".to_owned(), json!(naming))));
        shown.extend(statement.acting.describe().map(|acting| ("acting".to_owned(), json!(acting))));
        shown
    });
    let checks = forward.parameter_checks.iter();
    let checks = checks.map(|check| json!({ "parameter": check.parameter, "column": check.column }));
    json!({
        "statements": statements.collect::<Vec<_>>(),
        "normalized": forward.facts.normalized,
        "tenant_parameters": checks.collect::<Vec<_>>(),
        "copy_in": match tenant_in_copy(&forward.copy_in) {
            None => "unchanged".to_owned(),
            Some(source) => format!("tenant {source}"),
        },
    })
}

/// What becomes of the tenant column in COPY's data.
fn tenant_in_copy(copy_in: &CopyIn) -> Option<&'static str> {
    match copy_in {
        CopyIn::Unchanged => None,
        CopyIn::Tenant(tenant) => Some(match tenant.source {
            TenantSource::Added => "appended",
            TenantSource::Supplied => "compared",
        }),
    }
}

fn object(object: &ObjectAccess) -> Value {
    let sensitive: Map<_, _> =
        object.sensitive.iter().map(|(column, class)| (column.clone(), json!(class.as_str()))).collect();
    json!({
        "relation": written_name(&object.relation),
        "lens": object.lens.as_str(),
        "access": object.access.iter().map(|access: &Access| access.as_str()).collect::<Vec<_>>(),
        "columns": object.columns,
        "sensitive": sensitive,
    })
}

fn class(class: StatementClass) -> &'static str {
    match class {
        StatementClass::Read => "read",
        StatementClass::Write => "write",
        StatementClass::CopyIn => "copy_in",
        StatementClass::CopyOut => "copy_out",
        StatementClass::Transaction => "transaction",
        StatementClass::Setting => "setting",
        StatementClass::Discard => "discard",
        StatementClass::Empty => "empty",
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;
    use crate::catalog::QualifiedName;
    use crate::guard::{
        ActingEffect, Code, Facts, GuardedSql, LensKind, Rejection, StatementFacts, TemporaryEffect, TenantValue,
    };
    use crate::policy::SensitiveClass;

    fn forward() -> Decision {
        let invoices = ObjectAccess {
            relation: QualifiedName::new("public", "Invoices"),
            lens: LensKind::Scoped,
            access: BTreeSet::from([Access::Read, Access::Update]),
            columns: BTreeSet::from(["id".to_owned(), "total, net".to_owned()]),
            sensitive: BTreeMap::from([("iban".to_owned(), SensitiveClass::Pci)]),
        };
        let statement = StatementFacts {
            command: "UPDATE",
            class: StatementClass::Write,
            objects: vec![invoices],
            naming: Naming::Nothing,
            positioned: None,
            reads_views: false,
            calls_own_functions: false,
            temporary: TemporaryEffect::None,
            acting: ActingEffect::None,
        };
        Decision::Forward(Forward {
            sql: GuardedSql::new("UPDATE …".to_owned(), Vec::new()),
            facts: Facts { statements: vec![statement], normalized: "UPDATE $1".to_owned() }.into(),
            parameter_checks: vec![ParameterCheck {
                parameter: 1,
                value: TenantValue::Text("acme".to_owned()),
                column: "tenant_id".to_owned(),
            }],
            copy_in: CopyIn::Unchanged,
            template: None,
        })
    }

    #[test]
    fn forward_shows_the_sql_and_what_it_reaches() {
        assert_eq!(
            render_text(&forward()),
            "forward\nUPDATE …\nread,update public.\"Invoices\" scoped columns=id,\"total, net\" sensitive=iban:pci\n\
             bind $1 tenant column=tenant_id\n"
        );
        assert_eq!(
            render_json(&forward()),
            r#"{"decision":"forward","facts":{"copy_in":"unchanged","normalized":"UPDATE $1","statements":[{"class":"write","command":"UPDATE","objects":[{"access":["read","update"],"columns":["id","total, net"],"lens":"scoped","relation":"public.\"Invoices\"","sensitive":{"iban":"pci"}}]}],"tenant_parameters":[{"column":"tenant_id","parameter":1}]},"sql":"UPDATE …"}"#
        );
    }

    #[test]
    fn reject_shows_code_message_and_hint() {
        let rejection =
            Rejection::new(Code::NoTenant, "no tenant").hint("Choose one.").detail("None is set.").at(Some(3));
        let decision = Decision::Reject { rejection, facts: Facts::default() };
        assert_eq!(render_text(&decision), "reject no-tenant 42501\nno tenant\nChoose one.\ndetail: None is set.\n");
        assert_eq!(
            render_json(&decision),
            r#"{"code":"no-tenant","decision":"reject","detail":"None is set.","hint":"Choose one.","message":"no tenant","position":3,"sqlstate":"42501"}"#
        );
    }
}
