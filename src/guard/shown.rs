//! What a query shows of the one scoped table in it: its tenant column, by which conditions from outside can be guarded.
//!
//! Where it does not, what is inside gets a fence, which costs indexes.

use sqlparser::ast::{Expr, GroupByExpr, Select, SelectItem, SelectItemQualifiedWildcardKind};

use crate::guard::ruleset::TenantColumn;
use crate::guard::scope::{Entry, OutputColumn, Protection};
use crate::guard::walk::Walk;

/// A tenant column among the outputs of a query.
#[derive(Debug, Clone)]
pub(in crate::guard) struct ShownTenant {
    /// The lens that it comes from.
    pub(in crate::guard) table: usize,
    /// Its name in the output.
    column: String,
    tenant_column: TenantColumn,
}

impl ShownTenant {
    pub(in crate::guard) fn protection(self) -> Protection {
        Protection::Guard { table: self.table, column: self.column, tenant_column: self.tenant_column }
    }
}

impl Walk<'_> {
    /// To be asked while the query's level is on the stack. Whatever row comes out of it is one of that table's, or made
    /// of several of one tenant, since the column has to be grouped by to be there.
    pub(in crate::guard) fn shown_tenant(
        &self,
        select: &Select,
        columns: Option<&[OutputColumn]>,
    ) -> Option<ShownTenant> {
        // Grouping sets fill a column with NULLs.
        let sets = |item: &Expr| matches!(item, Expr::GroupingSets(_) | Expr::Cube(_) | Expr::Rollup(_));
        let GroupByExpr::Expressions(grouped, _) = &select.group_by else { return None };
        if grouped.iter().any(sets) {
            return None;
        }
        let (columns, level) = (columns?, self.levels.len().checked_sub(1)?);
        let entries = &self.levels.last()?.entries;
        let mut protected =
            entries.iter().enumerate().filter(|(_, entry)| !matches!(entry.protection, Protection::None));
        let (at, entry) = protected.next().filter(|(_, entry)| !entry.nullable)?;
        let Protection::Guard { table, column, tenant_column } = &entry.protection else { return None };
        if protected.next().is_some() {
            return None;
        }
        let mut place = 0;
        for item in &select.projection {
            let (shown, width) = match item {
                SelectItem::UnnamedExpr(expression) | SelectItem::ExprWithAlias { expr: expression, .. } => {
                    let found = self.column_of(level, expression);
                    ((found == Some((at, column.clone()))).then_some(0), 1)
                }
                SelectItem::Wildcard(_) => {
                    let before = entries.iter().take(at).map(width).sum::<Option<usize>>()?;
                    (offset(entry, column).map(|own| before + own), entries.iter().map(width).sum::<Option<usize>>()?)
                }
                SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::ObjectName(name), _) => {
                    let named = name.0.last().and_then(|part| part.as_ident()).map(crate::sql::ident_value)?;
                    let found = self.levels.last()?.entry_named(None, &named)?;
                    (offset(entry, column).filter(|_| found == at), width(entries.get(found)?)?)
                }
                _ => return None,
            };
            if let Some(shown) = shown {
                let name = &columns.get(place + shown)?.name;
                // Two columns of that name: no reference to it can be written.
                let is_only = columns.iter().filter(|other| other.name == *name).count() == 1;
                let (column, tenant_column) = (name.clone(), tenant_column.clone());
                return is_only.then_some(ShownTenant { table: *table, column, tenant_column });
            }
            place += width;
        }
        None
    }
}

fn width(entry: &Entry) -> Option<usize> {
    Some(entry.columns.as_ref()?.len())
}

fn offset(entry: &Entry, column: &str) -> Option<usize> {
    entry.columns.as_ref()?.iter().position(|own| own.name == column)
}
