//! References to columns, one by one and by `*`.

use sqlparser::ast::{Ident, ObjectName};

use crate::catalog::QualifiedName;
use crate::guard::field::{column_unknown, system_column};
use crate::guard::from::not_allowed;
use crate::guard::rejection::{Code, Rejection};
use crate::guard::scope::{ColumnName, OutputColumn, resolve};
use crate::guard::walk::{ColumnUse, Outcome, Walk};
use crate::sql::{ident_value, token_range};

/// Column references of one text; one that could mean any relation in sight counts for each.
const REFERENCES_MAX: usize = 500_000;

impl Walk<'_> {
    /// A column reference. One that leads nowhere is left to the server, which says so.
    pub(in crate::guard) fn column(&mut self, idents: &[Ident]) -> Outcome<()> {
        let parts: Vec<String> = idents.iter().map(ident_value).collect();
        let (name, schema_tokens) = match parts.as_slice() {
            [column] => (ColumnName { schema: None, relation: None, column }, None),
            [relation, column] => (ColumnName { schema: None, relation: Some(relation), column }, None),
            [schema, relation, column] => {
                let first = idents.first().and_then(|ident| token_range(ident.span));
                (ColumnName { schema: Some(schema), relation: Some(relation), column }, first)
            }
            _ => return Err(not_allowed("a column's name with a database")),
        };
        let resolved = resolve(&self.levels, name);
        if let Some(oid) = self.system_tableoid(resolved.as_ref(), name) {
            return self.constant_column(idents, &oid);
        }
        // A column of that name which a query has made is one like any other.
        let is_made = resolved.as_ref().is_some_and(|resolved| resolved.column.is_some());
        if !(is_made && self.ruleset.system().shows_structure()) {
            system_column(name.column)?;
        }
        if let Some(first) = &schema_tokens {
            self.drop_schema(first.clone(), name.schema.unwrap_or_default(), name.relation.unwrap_or_default());
        }
        match resolved {
            Some(resolved) => {
                self.is_column(&resolved, name)?;
                let column = resolved.column.map(|column| column.name);
                for entry in resolved.entries {
                    self.reference(resolved.level, entry, column.clone());
                }
            }
            // Without its schema it could mean another relation.
            None if schema_tokens.is_some() => return Err(column_unknown(&parts.join("."))),
            // It could be anything: a condition that holds it concerns every relation in sight.
            None => self.reference_everything(),
        }
        self.note_reg_column(name.relation, name.column);
        if self.references.len() > REFERENCES_MAX {
            return Err(Rejection::new(Code::StatementTooLarge, "the statement refers to too many columns")
                .hint("Name the relation before each column, or split the statement."));
        }
        Ok(())
    }

    fn reference(&mut self, level: usize, entry: usize, column: Option<String>) {
        let found = self.levels.get(level).and_then(|level| level.entries.get(entry));
        if let Some(relation) = found.and_then(|entry| entry.relation.clone()) {
            match &column {
                Some(column) => {
                    let real = self.real_column(level, entry, column);
                    self.record_column(&relation, &real);
                }
                None => self.record_all_columns(&relation),
            }
        }
        self.references.push(ColumnUse { level, entry, column });
    }

    /// The table's own name of a column that an alias may have renamed.
    fn real_column(&self, level: usize, entry: usize, column: &str) -> String {
        let entry = self.levels.get(level).and_then(|level| level.entries.get(entry));
        let place = entry.and_then(|entry| entry.columns.as_ref()?.iter().position(|shown| shown.name == column));
        let rule = entry.and_then(|entry| self.ruleset.relation(entry.relation.as_ref()?));
        let real = place.and_then(|place| rule.and_then(|rule| rule.relation.columns.get(place)));
        real.map_or_else(|| column.to_owned(), |real| real.name.clone())
    }

    pub(in crate::guard) fn record_all_columns(&mut self, relation: &QualifiedName) {
        let columns = self.ruleset.relation(relation).map(|rule| rule.relation.columns.iter());
        let names: Vec<String> = columns.into_iter().flatten().map(|column| column.name.clone()).collect();
        for name in names {
            self.record_column(relation, &name);
        }
    }

    fn reference_everything(&mut self) {
        for (level, scope) in self.levels.iter().enumerate().filter(|(_, scope)| !scope.hidden) {
            for entry in 0..scope.entries.len() {
                self.references.push(ColumnUse { level, entry, column: None });
            }
        }
    }

    /// `relation.*`: the columns, where they are known.
    pub(in crate::guard) fn qualified_wildcard(&mut self, name: &ObjectName) -> Outcome<Option<Vec<OutputColumn>>> {
        let parts = self.name_parts(name)?;
        let (schema, relation) = match parts.as_slice() {
            [relation] => (None, relation),
            [schema, relation] => {
                let tokens = self.name_tokens(name)?;
                self.drop_schema(tokens, schema, relation);
                (Some(schema.as_str()), relation)
            }
            _ => return Err(not_allowed("a relation's name with a database")),
        };
        let levels = self.levels.iter().enumerate().rev().filter(|(_, scope)| !scope.hidden);
        let found = levels
            .into_iter()
            .find_map(|(level, scope)| scope.entry_named(schema, relation).map(|entry| (level, entry)));
        let Some((level, entry)) = found else {
            if schema.is_some() {
                return Err(column_unknown(&format!("{}.*", parts.join("."))));
            }
            self.reference_everything();
            return Ok(None);
        };
        self.reference(level, entry, None);
        let entry = self.levels.get(level).and_then(|level| level.entries.get(entry));
        let columns = entry.and_then(|entry| entry.columns.clone());
        self.note_reg_columns(columns.as_deref().unwrap_or_default());
        Ok(columns)
    }

    /// `*`: the columns of the whole level, where they are known.
    pub(in crate::guard) fn wildcard(&mut self) -> Option<Vec<OutputColumn>> {
        let level = self.levels.len().checked_sub(1)?;
        let count = self.levels.last().map_or(0, |scope| scope.entries.len());
        for entry in 0..count {
            self.reference(level, entry, None);
        }
        let entries = &self.levels.last()?.entries;
        let columns: Vec<Option<Vec<OutputColumn>>> = entries.iter().map(|entry| entry.columns.clone()).collect();
        columns.iter().flatten().for_each(|columns| self.note_reg_columns(columns));
        let columns = columns.into_iter().collect::<Option<Vec<_>>>()?;
        // Columns merged by USING and NATURAL stand once: the list is then too long, and its order is another.
        if self.merges_columns { None } else { Some(columns.concat()) }
    }
}
