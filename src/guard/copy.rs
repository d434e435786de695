//! COPY: out of a lens, and in with the tenant's column added to every row.

use std::collections::BTreeSet;
use std::ops::Range;

use crate::guard::decision::{Access, CopyIn, LensKind, StatementClass, TenantValue};
use crate::guard::from::not_allowed;
use crate::guard::insert::lens_kind;
use crate::guard::rejection::{Code, Rejection};
use crate::guard::relation::undeclared;
use crate::guard::ruleset::{Lens, RelationRule, TenantColumn};
use crate::guard::walk::{Outcome, Walk, quote_name};
use crate::sql::{CopyDirection, CopySource, CopyStatement, quote_identifier};

/// Options that change nothing but the form of the data. What a HEADER says is the server's to check.
const OPTIONS: &[&str] = &[
    "format",
    "delimiter",
    "null",
    "header",
    "quote",
    "escape",
    "encoding",
    "force_quote",
    "force_not_null",
    "force_null",
    "freeze",
    "default",
    "on_error",
    "log_verbosity",
];

impl<'a> Walk<'a> {
    pub(in crate::guard) fn copy(&mut self, copy: &CopyStatement) -> Outcome<(StatementClass, CopyIn)> {
        self.options(copy)?;
        match (&copy.source, copy.direction) {
            (_, CopyDirection::Other) => {
                Err(not_allowed("COPY to or from a file or program").hint("Use STDIN or STDOUT, or \\copy in psql."))
            }
            (CopySource::Query { tree, .. }, CopyDirection::ToStdout) => {
                self.tree(tree)?;
                Ok((StatementClass::CopyOut, CopyIn::Unchanged))
            }
            (CopySource::Relation { name, columns, .. }, CopyDirection::ToStdout) => {
                self.copy_out(name.clone(), columns.as_deref())?;
                Ok((StatementClass::CopyOut, CopyIn::Unchanged))
            }
            (CopySource::Relation { name, columns, .. }, CopyDirection::FromStdin) => {
                let copy_in = self.copy_in(copy, name.clone(), columns.as_deref())?;
                Ok((StatementClass::CopyIn, copy_in))
            }
            (CopySource::Query { .. }, CopyDirection::FromStdin) => Err(not_allowed("COPY into a query")),
        }
    }

    fn options(&self, copy: &CopyStatement) -> Outcome<()> {
        for (name, value) in &copy.options {
            if !OPTIONS.contains(&name.as_str()) {
                return Err(not_allowed("this option of COPY").detail(format!("The option is \"{name}\".")));
            }
            let utf8 = |value: &str| matches!(value.to_ascii_lowercase().as_str(), "utf8" | "utf-8" | "unicode");
            if name == "encoding" && !value.as_deref().is_some_and(utf8) {
                return Err(not_allowed("COPY in another encoding than UTF8"));
            }
        }
        Ok(())
    }

    fn copied_columns(&self, columns: Option<&[usize]>) -> Outcome<Option<Vec<String>>> {
        let Some(columns) = columns else { return Ok(None) };
        let names = columns.iter().map(|token| self.tokens.identifier(*token)).collect::<Option<Vec<_>>>();
        names.map(Some).ok_or_else(|| Rejection::new(Code::NotParsed, "the columns of COPY are not understood"))
    }

    fn copied_relation(&self, name: &Range<usize>) -> Outcome<&'a RelationRule> {
        let parts: Option<Vec<String>> = name.clone().step_by(2).map(|token| self.tokens.identifier(token)).collect();
        let parts = parts.unwrap_or_default();
        let rule = match parts.as_slice() {
            [relation] => self.ruleset.relation_on_path(relation).filter(|_| !relation.starts_with("pg_")),
            [schema, relation] => self.ruleset.relation(&crate::catalog::QualifiedName::new(schema, relation)),
            _ => None,
        };
        rule.ok_or_else(|| crate::guard::relation::unknown(&parts.join(".")).at(self.position(name.start)))
    }

    /// `COPY t (a, b) TO STDOUT` is `COPY (SELECT a, b FROM <lens>) TO STDOUT`.
    fn copy_out(&mut self, name: Range<usize>, columns: Option<&[usize]>) -> Outcome<()> {
        let rule = self.copied_relation(&name)?;
        let relation = rule.relation.qualified_name();
        let names = match self.copied_columns(columns)? {
            Some(names) => names,
            // Generated columns are left out, as the server does.
            None => {
                let stored = rule.relation.columns.iter().filter(|column| !column.generated);
                stored.map(|column| column.name.clone()).collect()
            }
        };
        let source = quote_name(&relation);
        let end = columns.and_then(<[usize]>::last).map_or(name.end, |last| last + 2);
        let list: Vec<String> = names.iter().map(|name| quote_identifier(name)).collect();
        // A view cannot be copied; a partitioned table neither, but its lens can.
        let text = match &rule.lens {
            Lens::Undeclared(kind) => return Err(undeclared(kind, &rule.relation.name)),
            Lens::View(_) => {
                return Err(Rejection::new(
                    Code::FeatureNotAllowed,
                    format!("cannot copy from view \"{}\"", rule.relation.name),
                )
                .hint("Try the COPY (SELECT ...) TO variant."));
            }
            Lens::Shared => {
                self.record(rule, LensKind::Shared, Access::Read);
                format!("(SELECT {} FROM {source})", list.join(", "))
            }
            Lens::Scoped(column) => {
                self.record(rule, LensKind::Scoped, Access::Read);
                let predicate = self.predicate(rule, column, &quote_identifier(&column.name))?;
                // Without ONLY: COPY of a table leaves its children out.
                let only = if rule.relation.kind == crate::catalog::RelationKind::Table { "ONLY " } else { "" };
                format!("(SELECT {} FROM {only}{source} WHERE {predicate})", list.join(", "))
            }
        };
        for name in &names {
            self.record_column(&relation, name);
        }
        self.replace(name.start..end, text);
        Ok(())
    }

    fn copy_in(&mut self, copy: &CopyStatement, name: Range<usize>, columns: Option<&[usize]>) -> Outcome<CopyIn> {
        let rule = self.copied_relation(&name)?;
        self.writable(rule, &name)?;
        self.writes = true;
        self.record(rule, lens_kind(rule), Access::Insert);
        self.replace(name.clone(), quote_name(&rule.relation.qualified_name()));
        if copy.where_.is_some() {
            return Err(not_allowed("COPY … WHERE"));
        }
        let names = self.copied_columns(columns)?;
        for name in names.iter().flatten() {
            self.record_column(&rule.relation.qualified_name(), name);
        }
        let Lens::Scoped(column) = &rule.lens else { return Ok(CopyIn::Unchanged) };
        let value = self.tenant_value(rule, column)?;
        let (Some(names), Some(last)) = (names, columns.and_then(<[usize]>::last)) else {
            return Err(leave_out(column));
        };
        if names.iter().collect::<BTreeSet<_>>().contains(&column.name) {
            return Err(leave_out(column));
        }
        self.key_oracles(rule, &names)?;
        let option =
            |wanted: &str| copy.options.iter().find(|(name, _)| name == wanted).and_then(|(_, value)| value.clone());
        let text = option("format").is_none_or(|format| format.eq_ignore_ascii_case("text"));
        let header = copy.options.iter().any(|(name, _)| matches!(name.as_str(), "header" | "default" | "on_error"));
        if !text || header {
            return Err(not_allowed("COPY FROM in this form").hint("Use the text format without HEADER."));
        }
        let delimiter = option("delimiter").unwrap_or_else(|| "\t".to_owned());
        let [delimiter] = delimiter.as_bytes() else {
            return Err(not_allowed("this delimiter of COPY"));
        };
        self.after(*last, format!(", {}", quote_identifier(&column.name)));
        let value = escaped(&value, *delimiter);
        if option("null").is_some_and(|null| null.as_bytes() == value) {
            return Err(not_allowed("this NULL string of COPY"));
        }
        Ok(CopyIn::AppendColumn { delimiter: *delimiter, value })
    }
}

/// As COPY's text format has it: a backslash before whatever could be read as something else.
fn escaped(value: &TenantValue, delimiter: u8) -> Vec<u8> {
    let mut bytes = Vec::new();
    for byte in value.as_text().into_bytes() {
        if byte == b'\\' || byte == delimiter {
            bytes.push(b'\\');
        }
        bytes.push(byte);
    }
    bytes
}

fn leave_out(column: &TenantColumn) -> Rejection {
    Rejection::new(Code::TenantMismatch, format!("COPY FROM cannot supply column \"{}\"", column.name))
        .detail("Partywall adds the session's tenant to every row.")
        .hint("Name the columns after the table, and leave the tenant column out of the list and of the data.")
}
