//! The names that a clause can see: relations by alias, their columns, and how each has to be protected.

use sqlparser::ast::Expr;

use crate::catalog::QualifiedName;
use crate::guard::computed::Source;
use crate::guard::kind::Kind;
use crate::guard::ruleset::TenantColumn;
use crate::sql::ident_value;

/// The relations of one FROM clause (or the target of one write).
#[derive(Debug, Clone, Default)]
pub(in crate::guard) struct Level {
    pub(in crate::guard) entries: Vec<Entry>,
    /// While a subquery beside them is read that is not LATERAL.
    pub(in crate::guard) hidden: bool,
    /// Its FROM and WHERE have been read: what follows is computed on the rows that they leave.
    pub(in crate::guard) settled: bool,
    /// A join in parentheses under an alias: part of the FROM clause of the level below.
    pub(in crate::guard) in_join: bool,
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
    /// Its columns, where they are not known, may be values whose type's input looks names up.
    pub(in crate::guard) may_be_reg: bool,
    pub(in crate::guard) protection: Protection,
    /// It stands on the side of an outer join that may be filled with NULLs.
    pub(in crate::guard) nullable: bool,
    /// Relations of this level and of those around it, by level and place, that the query inside refers to: a condition
    /// on its columns is one on theirs.
    pub(in crate::guard) lateral: Vec<(usize, usize)>,
    /// Of a function: the names of its columns that its alias says. Its row may be a value that is no record.
    pub(in crate::guard) function_columns: Option<Vec<String>>,
    /// Of a subquery: a shared table inside that a row lock would reach.
    pub(in crate::guard) shared: Option<String>,
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
    Fence { sources: Vec<Source> },
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
    /// Several where USING or NATURAL has merged columns: which of them counts depends on the join.
    pub(in crate::guard) entries: Vec<usize>,
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

/// The parts of an expression that is the name of a column alone, in brackets or not: of its relation, and its own.
pub(in crate::guard) fn column_reference(expression: &Expr) -> Option<(Option<String>, String)> {
    match expression {
        Expr::Nested(inner) => column_reference(inner),
        Expr::Identifier(ident) => Some((None, ident_value(ident))),
        Expr::CompoundIdentifier(idents) => match idents.as_slice() {
            [.., relation, column] => Some((Some(ident_value(relation)), ident_value(column))),
            _ => None,
        },
        _ => None,
    }
}

/// Finds a column as the server does: innermost level first. `None`: it cannot be told what it means.
pub(in crate::guard) fn resolve(levels: &[Level], name: ColumnName<'_>) -> Option<Resolved> {
    for (level, scope) in levels.iter().enumerate().rev().filter(|(_, scope)| !scope.hidden) {
        if let Some(relation) = name.relation {
            if let Some(at) = scope.entry_named(name.schema, relation) {
                let column = scope.entries.get(at).and_then(|entry| entry.column(name.column)).cloned();
                return Some(Resolved { level, entries: vec![at], column });
            }
            continue;
        }
        let columns = scope.entries.iter().enumerate();
        let found: Vec<(usize, &OutputColumn)> =
            columns.filter_map(|(at, entry)| entry.column(name.column).map(|column| (at, column))).collect();
        if let Some((_, first)) = found.first() {
            let mut column = (*first).clone();
            column.total = found.iter().all(|(_, column)| column.total);
            return Some(Resolved { level, entries: found.iter().map(|(at, _)| *at).collect(), column: Some(column) });
        }
        if scope.entries.iter().any(|entry| entry.columns.is_none()) {
            // It may be a column of one of these, or of a level further out.
            return None;
        }
        if let Some(at) = scope.entry_named(None, name.column) {
            return Some(Resolved { level, entries: vec![at], column: None });
        }
    }
    None
}

impl Level {
    pub(in crate::guard) fn entry_named(&self, schema: Option<&str>, relation: &str) -> Option<usize> {
        self.entries.iter().position(|entry| match schema {
            None => entry.name.as_deref() == Some(relation),
            Some(schema) => entry.unaliased.as_ref().is_some_and(|name| name.schema == schema && name.name == relation),
        })
    }
}

impl Entry {
    pub(in crate::guard) fn column(&self, name: &str) -> Option<&OutputColumn> {
        self.columns.as_ref()?.iter().find(|column| column.name == name)
    }

    pub(in crate::guard) fn is_target(&self) -> bool {
        matches!(self.protection, Protection::Target { .. })
    }

    /// The entry under an alias with or without a list of column names, as `AS t (a, b)` renames the first ones.
    pub(in crate::guard) fn aliased(mut self, name: String, columns: &[String]) -> Self {
        self.name = Some(name.clone());
        self.unaliased = None;
        if let Some(own) = self.function_columns.as_mut() {
            own.push(name.clone());
            own.extend_from_slice(columns);
        }
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
                self.protection = Protection::Fence { sources: vec![Source::Lens(*table)] };
            }
        }
        self
    }
}
