//! GROUP BY a primary key: PostgreSQL then lets other columns of the table stand ungrouped, but not through a lens.

use sqlparser::ast::{Expr, GroupByExpr, Select, SelectItem};

use crate::guard::from::not_allowed;
use crate::guard::query::item_expression;
use crate::guard::scope::{ColumnName, Protection, column_reference, resolve};
use crate::guard::tenant_column::reference;
use crate::guard::walk::{Outcome, Walk};
use crate::sql::clauses::{Block, Clauses};
use crate::sql::{ident_value, token_range};

/// Types that cannot be grouped by, since they have no equality.
const WITHOUT_EQUALITY: &[&str] =
    &["json", "xml", "point", "line", "lseg", "box", "path", "polygon", "circle", "refcursor", "aclitem"];

impl Walk<'_> {
    /// Adds the columns that depend on a grouped primary key to GROUP BY: the groups stay the same.
    pub(in crate::guard) fn functional_dependency(&mut self, select: &Select, mark: usize) -> Outcome<()> {
        let GroupByExpr::Expressions(grouped, _) = &select.group_by else { return Ok(()) };
        let Some(level) = self.levels.len().checked_sub(1).filter(|_| !grouped.is_empty()) else { return Ok(()) };
        let grouped: Vec<(usize, String)> =
            grouped.iter().filter_map(|item| self.grouped_column(level, select, item)).collect();
        let mut added = Vec::new();
        let entries = self.levels.get(level).map(|level| level.entries.clone()).unwrap_or_default();
        for (at, entry) in entries.iter().enumerate() {
            let is_lens = matches!(entry.protection, Protection::Guard { .. } | Protection::Fence { .. });
            let has_key = !entry.primary_key.is_empty()
                && entry.primary_key.iter().all(|key| grouped.contains(&(at, key.clone())));
            let (Some(name), Some(columns), Some(relation), true) =
                (&entry.name, &entry.columns, &entry.relation, is_lens && has_key)
            else {
                continue;
            };
            let used = self.references.get(mark..).unwrap_or_default();
            let used: Vec<_> = used.iter().filter(|used| used.level == level && used.entry == at).collect();
            let whole = used.iter().any(|used| used.column.is_none());
            let rule = self.ruleset.relation(relation);
            for (place, column) in columns.iter().enumerate() {
                let is_used = whole || used.iter().any(|used| used.column.as_deref() == Some(&column.name));
                if !is_used || grouped.contains(&(at, column.name.clone())) {
                    continue;
                }
                let type_name = rule.and_then(|rule| rule.relation.columns.get(place)).map(|column| &column.type_name);
                let plain =
                    type_name.is_some_and(|name| !WITHOUT_EQUALITY.contains(&name.strip_prefix('_').unwrap_or(name)));
                if !plain {
                    return Err(not_allowed("a column without equality beside a grouped primary key")
                        .detail(format!("Column \"{}\" is of a type that cannot be grouped by.", column.name)));
                }
                added.push(reference(name, &column.name));
            }
        }
        if added.is_empty() {
            return Ok(());
        }
        let keyword = token_range(select.select_token.0.span).map(|range| range.start);
        let clauses = keyword.and_then(|keyword| Clauses::read(self.tokens, keyword, Block::Select));
        if let Some(list) = clauses.and_then(|clauses| clauses.group_by).filter(|list| !list.is_empty()) {
            self.after(list.end - 1, format!(", {}", added.join(", ")));
        }
        Ok(())
    }

    /// The column of this level that an item of GROUP BY names: by itself, by its place, or by an output's alias.
    fn grouped_column(&self, level: usize, select: &Select, item: &Expr) -> Option<(usize, String)> {
        match item {
            Expr::Nested(inner) => self.grouped_column(level, select, inner),
            Expr::Value(_) => {
                let place = self.whole_number(item)?.checked_sub(1)?;
                // A star before it would shift the places.
                let before = select.projection.get(..=place)?;
                let plain = before.iter().all(|item| item_expression(item).is_some());
                let expression = plain.then(|| select.projection.get(place).and_then(item_expression))??;
                self.column_of(level, expression)
            }
            Expr::Identifier(ident) => self.column_of(level, item).or_else(|| {
                let alias = ident_value(ident);
                let aliased = select.projection.iter().find_map(|item| match item {
                    SelectItem::ExprWithAlias { expr, alias: name } if ident_value(name) == alias => Some(expr),
                    _ => None,
                })?;
                self.column_of(level, aliased)
            }),
            other => self.column_of(level, other),
        }
    }

    pub(in crate::guard) fn column_of(&self, level: usize, expression: &Expr) -> Option<(usize, String)> {
        let (relation, column) = column_reference(expression)?;
        let name = ColumnName { schema: None, relation: relation.as_deref(), column: &column };
        let resolved = resolve(&self.levels, name).filter(|resolved| resolved.level == level)?;
        let entry = resolved.entries.first().copied().filter(|_| resolved.entries.len() == 1)?;
        resolved.column.map(|column| (entry, column.name))
    }
}
