//! What `partywall check` found, as text and as JSON.

use std::fmt::Display;

use serde_json::Value;
use serde_json::json;

use crate::catalog::Catalog;
use crate::catalog::RelationKind;
use crate::cli::failure::Failure;
use crate::guard::Grade;
use crate::guard::Standing;
use crate::guard::Surveyed;
use crate::guard::survey;
use crate::policy::Policy;
use crate::policy::printable;
use crate::policy::written_name;
use crate::upstream::Role;

#[derive(Default)]
pub(crate) struct Report {
    /// Files that were read without a fault.
    pub(crate) passed: Vec<String>,
    pub(crate) errors: Vec<String>,
    warnings: Vec<String>,
    pub(crate) inspected: Vec<Inspected>,
}

/// One schema that the policy was held against.
pub(crate) struct Inspected {
    label: String,
    server_version: u32,
    database: String,
    role: Option<Role>,
    relations: Vec<Line>,
}

/// One relation.
struct Line {
    name: String,
    kind: RelationKind,
    standing: &'static str,
    tenant_column: Option<String>,
    /// Of a view: why it cannot be written, or not be used at all.
    reason: Option<String>,
    grade: Option<Grade>,
    untrusted_triggers: Vec<String>,
    rules: Vec<String>,
    row_security: bool,
}

impl Report {
    pub(crate) fn warn(&mut self, warning: impl Display) {
        self.warnings.push(printable(&warning.to_string()));
    }

    /// The value; or its faults become errors of the report.
    pub(crate) fn keep<T>(&mut self, result: Result<T, Failure>) -> Option<T> {
        result.map_err(|failure| self.errors.extend(failure.into_lines())).ok()
    }

    /// Everything but the errors, which belong to standard error.
    pub(crate) fn text(&self) -> String {
        let mut text: String = self.passed.iter().map(|file| format!("{file}: ok\n")).collect();
        for inspected in &self.inspected {
            text.push_str(&inspected.text());
        }
        if !self.warnings.is_empty() {
            text.push('\n');
        }
        text.extend(self.warnings.iter().map(|warning| format!("warning: {warning}\n")));
        text
    }

    pub(crate) fn json(&self) -> String {
        let report = json!({
            "ok": self.errors.is_empty(),
            "errors": self.errors,
            "warnings": self.warnings,
            "schemas": self.inspected.iter().map(Inspected::json).collect::<Vec<_>>(),
        });
        format!("{report:#}\n")
    }
}

impl Inspected {
    pub(crate) fn new(label: String, policy: &Policy, catalog: &Catalog, role: Option<Role>) -> Self {
        let relations = survey(policy, catalog).into_iter().map(Line::new).collect();
        let database = catalog.database.clone();
        Self { label, server_version: catalog.server_version, database, role, relations }
    }

    fn text(&self) -> String {
        let role = self.role.as_ref().map(|role| format!(", role \"{}\"", role.name)).unwrap_or_default();
        let (major, minor) = (self.server_version / 10_000, self.server_version % 10_000);
        let mut text = format!("\n{}: PostgreSQL {major}.{minor}, database \"{}\"{role}\n", self.label, self.database);
        let rows: Vec<_> = self
            .relations
            .iter()
            .map(|line| (printable(&line.name), printable(&line.how()), printable(&line.grade())))
            .collect();
        let width = |part: fn(&(String, String, String)) -> usize| rows.iter().map(part).max().unwrap_or_default();
        let (names, hows) = (width(|row| row.0.chars().count()), width(|row| row.1.chars().count()));
        for (name, how, grade) in &rows {
            let line = format!("  {name:names$}  {how:hows$}  {grade}");
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text
    }

    fn json(&self) -> Value {
        json!({
            "source": self.label,
            "server_version": self.server_version,
            "database": self.database,
            "role": self.role,
            "relations": self.relations.iter().map(Line::json).collect::<Vec<_>>(),
        })
    }
}

impl Line {
    fn new(surveyed: Surveyed<'_>) -> Self {
        let mut reason = None;
        let (standing, tenant_column) = match surveyed.standing {
            Standing::Scoped { column } => ("scoped", Some(column)),
            Standing::Shared => ("shared", None),
            Standing::SharedWritable => ("shared-writable", None),
            Standing::Hidden => ("hidden", None),
            Standing::Expanded { read_only } => {
                reason = read_only.map(|why| format!("read-only: {why}"));
                ("expanded", None)
            }
            Standing::Undeclared { reason: why } => {
                reason = why.map(|why| format!("cannot be used: {why}"));
                ("undeclared", None)
            }
            Standing::Unclassified => ("unclassified", None),
        };
        Self {
            name: written_name(&surveyed.relation.qualified_name()),
            kind: surveyed.relation.kind,
            standing,
            tenant_column,
            reason,
            grade: surveyed.grade,
            untrusted_triggers: surveyed.untrusted_triggers.into_iter().map(str::to_owned).collect(),
            rules: surveyed.relation.rules.clone(),
            row_security: surveyed.relation.row_security,
        }
    }

    fn how(&self) -> String {
        match &self.tenant_column {
            Some(column) => format!("{} by {column}", self.standing),
            None => self.standing.to_owned(),
        }
    }

    fn grade(&self) -> String {
        match &self.grade {
            None => self.reason.clone().unwrap_or_default(),
            Some(Grade::Sealed) => "sealed".to_owned(),
            Some(Grade::KeyOracle(keys)) => format!("key oracle: {}", keys.join(", ")),
        }
    }

    fn json(&self) -> Value {
        let (grade, keys) = match &self.grade {
            None => (None, &[][..]),
            Some(Grade::Sealed) => (Some("sealed"), &[][..]),
            Some(Grade::KeyOracle(keys)) => (Some("key oracle"), keys.as_slice()),
        };
        json!({
            "relation": self.name,
            "kind": self.kind,
            "standing": self.standing,
            "tenant_column": self.tenant_column,
            "reason": self.reason,
            "grade": grade,
            "key_oracles": keys,
            "untrusted_triggers": self.untrusted_triggers,
            "rules": self.rules,
            "row_security": self.row_security,
        })
    }
}
