//! Fields and columns that PostgreSQL could take for calls: `(x).f` and `x.f` are `f(x)` where `x` has no such field.

use sqlparser::ast::Expr;

use crate::guard::expression::function_refused;
use crate::guard::function::listed;
use crate::guard::rejection::{Code, Rejection};
use crate::guard::scope::{ColumnName, Entry, Resolved, resolve};
use crate::guard::walk::{Outcome, Walk};
use crate::sql::ident_value;

/// Columns that every table has beside its own. They tell of the rows of all tenants (positions, transactions).
const SYSTEM_COLUMNS: &[&str] = &["ctid", "xmin", "xmax", "cmin", "cmax", "tableoid"];

/// Fields of the rows that listed functions give, and of rows without names.
const FIELDS: &[&str] = &["key", "value", "ordinality", "n", "x", "f1", "f2", "f3", "f4", "f5", "f6", "f7", "f8", "f9"];

/// How the names of PostgreSQL's own functions begin that reach more than their argument.
const FUNCTIONS: &[&str] = &[
    "binary_upgrade",
    "col_description",
    "currval",
    "cursor_to",
    "database_to",
    "has_",
    "lo_",
    "loread",
    "nextval",
    "obj_description",
    "pg_",
    "query_to",
    "reg",
    "schema_to",
    "set",
    "shobj",
    "table_to",
    "to_reg",
    "ts_",
    "txid",
];

impl Walk<'_> {
    /// `(root).name`, with the root where it is known.
    pub(in crate::guard) fn field(&self, root: Option<&Expr>, name: &str) -> Outcome<()> {
        system_column(name)?;
        let row = root.and_then(|root| self.relation_named_by(root).or_else(|| self.whole_row(root)));
        let is_column = row.is_some_and(|entry| entry.column(name).is_some());
        if is_column || self.is_field(name) { Ok(()) } else { Err(refused(name)) }
    }

    /// A column by its relation's name that is not among the relation's.
    pub(in crate::guard) fn is_column(&self, resolved: &Resolved, name: ColumnName<'_>) -> Outcome<()> {
        let (Some(relation), None) = (name.relation, &resolved.column) else { return Ok(()) };
        let entries = self.levels.get(resolved.level).map(|level| level.entries.as_slice()).unwrap_or_default();
        let Some(entry) = resolved.entries.first().and_then(|at| entries.get(*at)) else { return Ok(()) };
        if entry.relation.is_some() && entry.columns.is_some() {
            return Err(column_unknown(&format!("{relation}.{}", name.column)));
        }
        match &entry.function_columns {
            // The row of a function may be a value of any type.
            Some(own) if own.iter().any(|own| own == name.column) || self.is_field(name.column) => Ok(()),
            Some(_) => Err(refused(name.column)),
            // All other rows are records, which functions of PostgreSQL's own only write out.
            None if self.ruleset.has_function_named(name.column) => Err(refused(name.column)),
            None => Ok(()),
        }
    }

    /// Columns of tables are fields of their rows; nobody else gives names to fields but composite types.
    fn is_field(&self, name: &str) -> bool {
        let is_name = FIELDS.contains(&name) || self.ruleset.has_column_named(name);
        let is_function =
            FUNCTIONS.iter().any(|begin| name.starts_with(begin)) || self.ruleset.has_function_named(name);
        is_name && !is_function
    }

    /// `relation.column[1]`: before a subscript, what stands to the left of a column is its relation.
    fn relation_named_by(&self, root: &Expr) -> Option<&Entry> {
        let Expr::Identifier(ident) = root else { return None };
        let name = ident_value(ident);
        let levels = self.levels.iter().rev().filter(|level| !level.hidden);
        levels.into_iter().find_map(|level| level.entries.get(level.entry_named(None, &name)?))
    }

    fn whole_row(&self, root: &Expr) -> Option<&Entry> {
        match root {
            Expr::Nested(inner) => self.whole_row(inner),
            Expr::Identifier(ident) => {
                let column = ident_value(ident);
                let resolved = resolve(&self.levels, ColumnName { schema: None, relation: None, column: &column })?;
                let at = resolved.entries.first().filter(|_| resolved.column.is_none())?;
                self.levels.get(resolved.level)?.entries.get(*at)
            }
            _ => None,
        }
    }
}

fn refused(name: &str) -> Rejection {
    match listed(name) {
        None => function_refused(name).hint("A field by this name could be a call of a function; name the columns."),
        Some(_) => function_refused(name).hint(format!("Write the call as {name}(\u{2026}).")),
    }
}

pub(in crate::guard) fn system_column(name: &str) -> Outcome<()> {
    if SYSTEM_COLUMNS.contains(&name) {
        return Err(Rejection::new(Code::ColumnUnknown, format!("column \"{name}\" does not exist"))
            .detail("System columns tell of the rows of others and are not visible here."));
    }
    Ok(())
}

pub(in crate::guard) fn column_unknown(name: &str) -> Rejection {
    Rejection::new(Code::ColumnUnknown, format!("column {name} does not exist"))
}
