//! COPY: out of a lens, and in with the tenant in every row.

use std::collections::BTreeSet;
use std::ops::Range;

use crate::catalog::RelationKind;
use crate::guard::copy_form::{check_options, copy_form};
use crate::guard::decision::{Access, CopyIn, CopyTenant, LensKind, StatementClass, TenantSource};
use crate::guard::from::not_allowed;
use crate::guard::insert::lens_kind;
use crate::guard::private;
use crate::guard::rejection::{Code, Rejection};
use crate::guard::relation::undeclared;
use crate::guard::ruleset::{Lens, RelationRule};
use crate::guard::scope::{Entry, Level, Protection};
use crate::guard::walk::{Outcome, Walk, quote_name};
use crate::sql::{CopyDirection, CopySource, CopyStatement, quote_identifier};

impl<'a> Walk<'a> {
    pub(in crate::guard) fn copy(&mut self, copy: &CopyStatement) -> Outcome<(StatementClass, CopyIn)> {
        check_options(&copy.options)?;
        match (&copy.source, copy.direction) {
            (_, CopyDirection::Other) => {
                Err(not_allowed("COPY to or from a file or program").hint("Use STDIN or STDOUT, or \\copy in psql."))
            }
            (CopySource::Query { tree, .. }, CopyDirection::ToStdout) => {
                self.tree(tree)?;
                Ok((StatementClass::CopyOut, CopyIn::Unchanged))
            }
            (CopySource::Relation { name, .. }, CopyDirection::ToStdout)
                if name.start > 0 && self.tokens.is_word(name.start - 1, "binary") =>
            {
                Err(not_allowed("COPY BINARY of a table").hint("Write COPY \u{2026} TO STDOUT (FORMAT binary)."))
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

    /// The columns that are listed, or else those that the server takes: generated ones are left out.
    fn copied_columns(&self, rule: &RelationRule, columns: Option<&[usize]>) -> Outcome<Vec<String>> {
        let Some(columns) = columns else {
            let stored = rule.relation.columns.iter().filter(|column| !column.generated);
            return Ok(stored.map(|column| column.name.clone()).collect());
        };
        let names = columns.iter().map(|token| self.tokens.identifier(*token)).collect::<Option<Vec<_>>>();
        let names = names.ok_or_else(|| Rejection::new(Code::NotParsed, "the columns of COPY are not understood"))?;
        let mut seen = BTreeSet::new();
        match names.iter().find(|name| !seen.insert(*name)) {
            None => Ok(names),
            Some(twice) => Err(Rejection::new(Code::NotParsed, format!("column \"{twice}\" specified more than once"))),
        }
    }

    fn copied_relation(&self, name: &Range<usize>) -> Outcome<&'a RelationRule> {
        let parts: Option<Vec<String>> = name.clone().step_by(2).map(|token| self.tokens.identifier(token)).collect();
        let parts = parts.unwrap_or_default();
        let rule = match parts.as_slice() {
            [relation] => self
                .private
                .get(relation)
                .or_else(|| self.ruleset.relation_on_path(relation).filter(|_| !relation.starts_with("pg_"))),
            [schema, relation] if schema == private::SCHEMA => self.private.get(relation),
            [schema, relation] => self.ruleset.relation(&crate::catalog::QualifiedName::new(schema, relation)),
            _ => None,
        };
        rule.ok_or_else(|| crate::guard::relation::unknown(&parts.join(".")).at(self.position(name.start)))
    }

    /// `COPY t (a, b) TO STDOUT` is `COPY (SELECT a, b FROM <lens>) TO STDOUT`.
    fn copy_out(&mut self, name: Range<usize>, columns: Option<&[usize]>) -> Outcome<()> {
        let rule = self.copied_relation(&name)?;
        let relation = rule.relation.qualified_name();
        let names = self.copied_columns(rule, columns)?;
        let source = quote_name(&relation);
        let end = columns.and_then(<[usize]>::last).map_or(name.end, |last| last + 2);
        let list: Vec<String> = names.iter().map(|name| quote_identifier(name)).collect();
        // Without ONLY: COPY of a table leaves its children out.
        let text = match &rule.lens {
            Lens::Undeclared(kind) => return Err(undeclared(kind, &rule.relation.name)),
            Lens::Private => {
                self.record(rule, LensKind::Private, Access::Read);
                self.replace(name, source);
                return Ok(());
            }
            _ if rule.relation.kind != RelationKind::Table => return Err(not_a_table(rule)),
            Lens::View(_) => return Err(not_a_table(rule)),
            Lens::Shared => {
                self.record(rule, LensKind::Shared, Access::Read);
                format!("(SELECT {} FROM ONLY {source})", list.join(", "))
            }
            Lens::Scoped(column) => {
                self.record(rule, LensKind::Scoped, Access::Read);
                let predicate = self.predicate(rule, column, &quote_identifier(&column.name))?;
                format!("(SELECT {} FROM ONLY {source} WHERE {predicate})", list.join(", "))
            }
        };
        for name in &names {
            self.record_column(&relation, name);
        }
        self.replace(name.start..end, text);
        Ok(())
    }

    /// The list of columns is written out, so that the place of the tenant's is known whatever the table is by then.
    fn copy_in(&mut self, copy: &CopyStatement, name: Range<usize>, columns: Option<&[usize]>) -> Outcome<CopyIn> {
        let rule = self.copied_relation(&name)?;
        self.writable(rule, &name)?;
        self.writes = true;
        self.record(rule, lens_kind(rule), Access::Insert);
        self.replace(name.clone(), quote_name(&rule.relation.qualified_name()));
        let mut names = self.copied_columns(rule, columns)?;
        for name in &names {
            self.record_column(&rule.relation.qualified_name(), name);
        }
        self.key_oracles(rule, &names)?;
        if let Some(condition) = &copy.condition {
            // It is asked of the client's own rows, before they are in the table.
            let entry = Entry { protection: Protection::None, ..self.target_entry(rule, rule.relation.name.clone()) };
            self.levels.push(Level { entries: vec![entry], ..Level::default() });
            self.expression(&condition.tree)?;
            self.levels.pop();
        }
        let Lens::Scoped(column) = &rule.lens else { return Ok(CopyIn::Unchanged) };
        let value = self.tenant_value(rule, column)?;
        let place = names.iter().position(|name| *name == column.name);
        let source = if place.is_some() { TenantSource::Supplied } else { TenantSource::Added };
        let place = place.unwrap_or(names.len());
        let added = quote_identifier(&column.name);
        match columns.and_then(<[usize]>::last) {
            Some(last) if source == TenantSource::Added => {
                self.after(*last, format!(", {added}"));
                names.push(column.name.clone());
            }
            Some(_) => {}
            None => {
                let list: Vec<String> = names.iter().map(|name| quote_identifier(name)).collect();
                self.after(name.end - 1, format!("({})", list.join(", ")));
            }
        }
        let (form, field) = copy_form(&copy.options, column, &value, self.ruleset.server_version())?;
        let number = |count: usize| u16::try_from(count).map_err(|_| not_allowed("COPY of so many columns"));
        Ok(CopyIn::Tenant(Box::new(CopyTenant {
            source,
            form,
            columns: number(names.len())?,
            place: number(place)?,
            field,
            value,
            column: column.name.clone(),
        })))
    }
}

/// As the server says it.
fn not_a_table(rule: &RelationRule) -> Rejection {
    let kind = match rule.relation.kind {
        RelationKind::Table => "table",
        RelationKind::PartitionedTable => "partitioned table",
        RelationKind::View => "view",
        RelationKind::MaterializedView => "materialized view",
        RelationKind::ForeignTable => "foreign table",
        RelationKind::Sequence => "sequence",
    };
    Rejection::new(Code::FeatureNotAllowed, format!("cannot copy from {kind} \"{}\"", rule.relation.name))
        .hint("Try the COPY (SELECT ...) TO variant.")
}
