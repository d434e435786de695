//! The names that a clause can see: relations by alias, their columns, and how each has to be protected.

use crate::catalog::QualifiedName;
use crate::guard::kind::Kind;
use crate::guard::ruleset::TenantColumn;

/// The relations of one FROM clause (or the target of one write).
#[derive(Debug, Clone, Default)]
pub(in crate::guard) struct Level {
    pub(in crate::guard) entries: Vec<Entry>,
    /// While a subquery beside them is read that is not LATERAL.
    pub(in crate::guard) hidden: bool,
}

/// One relation in a FROM clause, under the name by which columns refer to it.
#[derive(Debug, Clone)]
pub(in crate::guard) struct Entry {
    /// `None`: a join in parentheses without an alias never makes one; a function without alias has its name.
    pub(in crate::guard) name: Option<String>,
    /// The table behind it, if it is one and has no alias: `public.users.id` then means it.
    pub(in crate::guard) unaliased: Option<QualifiedName>,
    /// The table behind it, for the record of what was reached.
    pub(in crate::guard) relation: Option<QualifiedName>,
    /// `None`: not known.
    pub(in crate::guard) columns: Option<Vec<OutputColumn>>,
    pub(in crate::guard) protection: Protection,
    /// It stands on the side of an outer join that may be filled with NULLs.
    pub(in crate::guard) nullable: bool,
    /// Columns of the table's primary key, by their visible names; empty where there is none.
    pub(in crate::guard) primary_key: Vec<String>,
}

/// What must be done lest a condition that can fail runs on another tenant's row.
#[derive(Debug, Clone)]
pub(in crate::guard) enum Protection {
    /// Nothing of another tenant can be in it at any moment.
    None,
    /// A lens whose tenant column is visible under this name: the condition goes into a CASE.
    Guard { table: usize, column: String, tenant_column: TenantColumn },
    /// The target of an UPDATE or DELETE: likewise.
    Target { column: String, tenant_column: TenantColumn },
    /// Lenses deep inside, out of sight: each gets a fence.
    Fence { tables: Vec<usize> },
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::guard) struct OutputColumn {
    pub(in crate::guard) name: String,
    pub(in crate::guard) kind: Kind,
    /// Computing it can fail on no row, or happens only above the tenant's filter.
    pub(in crate::guard) total: bool,
}

/// What a column reference means.
#[derive(Debug, Clone)]
pub(in crate::guard) struct Resolved {
    pub(in crate::guard) level: usize,
    pub(in crate::guard) entry: usize,
    /// `None`: the whole row, or a column of an entry whose columns are not known.
    pub(in crate::guard) column: Option<OutputColumn>,
}

/// `schema.relation.column`, of which the first two may be missing.
#[derive(Debug, Clone, Copy)]
pub(in crate::guard) struct ColumnName<'a> {
    pub(in crate::guard) schema: Option<&'a str>,
    pub(in crate::guard) relation: Option<&'a str>,
    pub(in crate::guard) column: &'a str,
}

/// Finds a column as the server does: innermost level first. `None`: no level has it, as far as can be known.
pub(in crate::guard) fn resolve(levels: &[Level], name: ColumnName<'_>) -> Option<Resolved> {
    for (level, scope) in levels.iter().enumerate().rev().filter(|(_, scope)| !scope.hidden) {
        let found = match name.relation {
            Some(relation) => scope.qualified(name.schema, relation, name.column),
            None => scope.unqualified(name.column),
        };
        if let Some((entry, column)) = found {
            return Some(Resolved { level, entry, column });
        }
    }
    None
}

type Found = Option<(usize, Option<OutputColumn>)>;

impl Level {
    pub(in crate::guard) fn entry_named(&self, schema: Option<&str>, relation: &str) -> Option<usize> {
        self.entries.iter().position(|entry| match schema {
            None => entry.name.as_deref() == Some(relation),
            Some(schema) => {
                entry.unaliased.as_ref().is_some_and(|name| name.schema == schema && name.name == relation)
            }
        })
    }

    fn qualified(&self, schema: Option<&str>, relation: &str, column: &str) -> Found {
        let at = self.entry_named(schema, relation)?;
        let entry = self.entries.get(at)?;
        Some((at, entry.column(column).cloned()))
    }

    fn unqualified(&self, column: &str) -> Found {
        let has = |entry: &Entry| entry.column(column).is_some();
        if let Some(at) = self.entries.iter().position(has) {
            // Of columns merged by USING or NATURAL any will do: both are compared by a total `=`.
            let column = self.entries.get(at).and_then(|entry| entry.column(column)).cloned();
            return Some((at, column));
        }
        let unknown = self.entries.iter().position(|entry| entry.columns.is_none());
        let whole_row = || self.entries.iter().position(|entry| entry.name.as_deref() == Some(column));
        unknown.or_else(whole_row).map(|at| (at, None))
    }
}

impl Entry {
    pub(in crate::guard) fn column(&self, name: &str) -> Option<&OutputColumn> {
        self.columns.as_ref()?.iter().find(|column| column.name == name)
    }

    /// The entry under an alias with or without a list of column names, as `AS t (a, b)` renames the first ones.
    pub(in crate::guard) fn aliased(mut self, name: String, columns: &[String]) -> Self {
        self.name = Some(name);
        self.unaliased = None;
        let mut renames = Vec::new();
        if let Some(own) = self.columns.as_mut() {
            for (column, new) in own.iter_mut().zip(columns) {
                renames.push((std::mem::replace(&mut column.name, new.clone()), new.clone()));
            }
        }
        let renamed = |old: &str| {
            renames.iter().find(|(from, _)| from == old).map_or_else(|| old.to_owned(), |(_, to)| to.clone())
        };
        self.primary_key = self.primary_key.iter().map(|column| renamed(column)).collect();
        if let Protection::Guard { column, .. } | Protection::Target { column, .. } = &mut self.protection {
            *column = renamed(column);
        }
        if let Protection::Guard { table, column, .. } = &self.protection {
            let same = self.columns.iter().flatten().filter(|own| own.name == *column).count();
            // Two columns of that name: no reference to the tenant column can be written.
            if same > 1 {
                self.protection = Protection::Fence { tables: vec![*table] };
            }
        }
        self
    }
}
