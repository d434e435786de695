//! The rows that an INSERT brings: each gets the tenant's value, or is shown to have it.

use std::cmp::Ordering;
use std::ops::Range;

use sqlparser::ast::{Distinct, Expr, GroupByExpr, Query, Select, SelectItem, SetExpr, TableFactor, Value, Values};

use crate::guard::condition::first_token;
use crate::guard::decision::{ParameterCheck, TenantValue};
use crate::guard::from::not_allowed;
use crate::guard::query::item_expression;
use crate::guard::rejection::{Code, Rejection};
use crate::guard::ruleset::{Lens, TenantColumn};
use crate::guard::tenant_column::literal;
use crate::guard::walk::{Outcome, Walk};
use crate::sql::clauses::{self, Block, Clauses};
use crate::sql::{ident_value, token_range};

impl Walk<'_> {
    /// Adds a value to the end of every row that the source can give, which is behind that many columns.
    pub(in crate::guard) fn append_to_arms(&mut self, body: &SetExpr, columns: usize, literal: &str) -> Outcome<()> {
        match body {
            SetExpr::Select(select) => {
                let is_plain = |item: &SelectItem| item_expression(item).is_some();
                if !self.expands_rows && select.projection.iter().all(is_plain) {
                    fits(select.projection.len(), columns)?;
                }
                let list = self.select_list(select)?;
                self.after(list.end - 1, format!(", {literal}"));
                Ok(())
            }
            SetExpr::Query(query) => self.append_to_arms(&query.body, columns, literal),
            SetExpr::SetOperation { left, right, .. } => {
                self.append_to_arms(left, columns, literal)?;
                self.append_to_arms(right, columns, literal)
            }
            SetExpr::Values(values) => {
                values.rows.iter().try_for_each(|row| fits(row.content.len(), columns))?;
                for row in self.value_rows(values)? {
                    self.after(row.end - 2, format!(", {literal}"));
                }
                Ok(())
            }
            _ => Err(not_allowed("this source of an INSERT")),
        }
    }

    /// The output columns of a SELECT, without DISTINCT and its list.
    fn select_list(&self, select: &Select) -> Outcome<Range<usize>> {
        let keyword = token_range(select.select_token.0.span).map(|range| range.start);
        let keyword = keyword.filter(|at| self.tokens.is_word(*at, "select"));
        let clauses = keyword.and_then(|at| Clauses::read(self.tokens, at, Block::Select));
        let list = clauses.map(|clauses| {
            let start = clauses.head.start;
            let begin = match &select.distinct {
                None => start,
                Some(Distinct::On(_)) => self.tokens.matching(start + 2).map_or(clauses.head.end, |close| close + 1),
                Some(Distinct::Distinct | Distinct::All) => start + 1,
            };
            begin..clauses.head.end
        });
        list.filter(|list| !list.is_empty()).ok_or_else(|| {
            not_allowed("INSERT from this form of query").hint("Write it as INSERT … SELECT with an output list.")
        })
    }

    fn value_rows(&self, values: &Values) -> Outcome<Vec<Range<usize>>> {
        let first = values.rows.iter().flat_map(|row| &row.content).find_map(first_token);
        let keyword = first.and_then(|token| clauses::values_keyword(self.tokens, token));
        let rows = keyword.map(|keyword| clauses::value_rows(self.tokens, keyword)).unwrap_or_default();
        let widths_agree = rows.iter().zip(&values.rows).all(|(row, read)| {
            clauses::split_at_commas(self.tokens, row.start + 1..row.end - 1).len() == read.content.len()
        });
        if rows.len() != values.rows.len() || !widths_agree {
            return Err(Rejection::new(Code::ReadingsDisagree, "the rows of VALUES are not clear"));
        }
        Ok(rows)
    }

    /// The client supplies the tenant column itself: each row's value must be the session's tenant.
    ///
    /// `ctes`: names that its WITH clauses give to something that is no table.
    pub(in crate::guard) fn check_query(
        &mut self,
        query: &Query,
        place: usize,
        column: &TenantColumn,
        value: &TenantValue,
        ctes: &mut Vec<String>,
    ) -> Outcome<()> {
        let outer = ctes.len();
        let own = query.with.iter().flat_map(|with| &with.cte_tables);
        ctes.extend(own.map(|cte| ident_value(&cte.alias.name)));
        self.check_arms(&query.body, place, column, value, ctes)?;
        ctes.truncate(outer);
        Ok(())
    }

    fn check_arms(
        &mut self,
        body: &SetExpr,
        place: usize,
        column: &TenantColumn,
        value: &TenantValue,
        ctes: &mut Vec<String>,
    ) -> Outcome<()> {
        match body {
            SetExpr::Values(values) => {
                let rows = self.value_rows(values)?;
                for (tokens, row) in rows.into_iter().zip(&values.rows) {
                    let elements = clauses::split_at_commas(self.tokens, tokens.start + 1..tokens.end - 1);
                    let (Some(expression), Some(element)) = (row.content.get(place), elements.get(place)) else {
                        return Err(mismatch(column));
                    };
                    self.tenant_expression(expression, element.clone(), column, value)?;
                }
                Ok(())
            }
            SetExpr::Select(select) if self.copies_tenant(select, place, ctes) => Ok(()),
            SetExpr::Select(select) => self.check_list(select, place, column, value),
            SetExpr::Query(query) => self.check_query(query, place, column, value, ctes),
            SetExpr::SetOperation { left, right, .. } => {
                self.check_arms(left, place, column, value, ctes)?;
                self.check_arms(right, place, column, value, ctes)
            }
            _ => Err(mismatch(column)),
        }
    }

    /// The output column in the tenant column's place; stars up to there are written out.
    fn check_list(&mut self, select: &Select, place: usize, column: &TenantColumn, value: &TenantValue) -> Outcome<()> {
        let elements = clauses::split_at_commas(self.tokens, self.select_list(select)?);
        if elements.len() != select.projection.len() {
            return Err(mismatch(column));
        }
        let mut before = 0;
        for (item, element) in select.projection.iter().zip(elements) {
            if let Some(expression) = item_expression(item) {
                if before == place {
                    let element = self.without_alias(Some(item), element);
                    return self.tenant_expression(expression, element, column, value);
                }
                before += 1;
                continue;
            }
            let star = element.end - 1;
            let mut spelled = self.stars.get(&star).cloned().ok_or_else(|| mismatch(column))?;
            let inside = spelled.get_mut(place - before);
            let is_inside = inside.is_some();
            if let Some(own) = inside.filter(|_| column.not_null) {
                *own = self.or_null(own, column, value);
            } else if is_inside {
                return Err(mismatch(column));
            }
            before += spelled.len();
            self.replace(element, spelled.join(", "));
            if is_inside {
                return Ok(());
            }
        }
        Err(mismatch(column))
    }

    /// Where it is not the tenant, the column gets NULL, which it does not take.
    fn or_null(&self, expression: &str, column: &TenantColumn, value: &TenantValue) -> String {
        let literal = literal(column, value);
        format!("CASE WHEN ({expression}) OPERATOR(pg_catalog.=) {literal} THEN {literal} END")
    }

    /// `SELECT * FROM one_scoped_table`: what comes through its lens is the tenant's.
    fn copies_tenant(&self, select: &Select, place: usize, ctes: &[String]) -> bool {
        let ([only], [SelectItem::Wildcard(_)]) = (select.from.as_slice(), select.projection.as_slice()) else {
            return false;
        };
        let TableFactor::Table { name, alias, args: None, .. } = &only.relation else { return false };
        let Ok(source) = self.target_rule(name) else { return false };
        let Lens::Scoped(column) = &source.lens else { return false };
        let is_cte = |name: &String| ctes.contains(name) || self.ctes.iter().any(|cte| cte.name == *name);
        let is_cte = self.name_parts(name).is_ok_and(|parts| matches!(parts.as_slice(), [only] if is_cte(only)));
        let grouped = !matches!(&select.group_by, GroupByExpr::Expressions(list, _) if list.is_empty());
        only.joins.is_empty()
            && !is_cte
            && !grouped
            && alias.as_ref().is_none_or(|alias| alias.columns.is_empty())
            && source.relation.columns.get(place).is_some_and(|found| found.name == column.name)
    }

    /// A value that goes into the tenant column: a literal that is the tenant, DEFAULT, or a parameter to be checked.
    pub(in crate::guard) fn tenant_expression(
        &mut self,
        expression: &Expr,
        tokens: Range<usize>,
        column: &TenantColumn,
        value: &TenantValue,
    ) -> Outcome<()> {
        match expression {
            Expr::Nested(inner) => self.tenant_expression(inner, tokens, column, value),
            Expr::Cast { expr, .. } if matches!(expr.as_ref(), Expr::Value(_)) => {
                // The cast goes with the literal, and of a parameter only the tenant's own value is taken.
                self.tenant_expression(expr, tokens, column, value)
            }
            Expr::Identifier(_) if tokens.len() == 1 && self.tokens.is_word(tokens.start, "default") => {
                self.replace(tokens, literal(column, value));
                Ok(())
            }
            Expr::Value(found) => match &found.value {
                Value::Placeholder(name) => {
                    let parameter = name.strip_prefix('$').and_then(|digits| digits.parse().ok());
                    let parameter = parameter.ok_or_else(|| mismatch(column))?;
                    let check = ParameterCheck { parameter, value: value.clone(), column: column.name.clone() };
                    if !self.checks.contains(&check) {
                        self.checks.push(check);
                    }
                    // What the parameter is by its type or cast may be another value than what was bound. So it is
                    // checked to be the tenant, but not stored.
                    self.before(tokens.start, format!("COALESCE({}, ", literal(column, value)));
                    self.after(tokens.end - 1, ")");
                    Ok(())
                }
                Value::Null | Value::Boolean(_) => Err(mismatch(column)),
                _ => {
                    let token = token_range(found.span).map(|range| range.start);
                    let text =
                        token.and_then(|at| self.tokens.string(at).or_else(|| Some(self.tokens.text(at).to_owned())));
                    if text.is_some_and(|text| value.equals_literal(&text)) {
                        // The literal is written anew, so that no other reading of it can count.
                        self.replace(tokens, literal(column, value));
                        return Ok(());
                    }
                    Err(mismatch(column))
                }
            },
            // Whatever else it is, as `or_null` has it.
            _ if column.not_null => {
                let literal = literal(column, value);
                self.before(tokens.start, "CASE WHEN (");
                self.after(tokens.end - 1, format!(") OPERATOR(pg_catalog.=) {literal} THEN {literal} END"));
                Ok(())
            }
            _ => Err(mismatch(column)),
        }
    }

    /// The tokens of an output column's expression, without `[AS] name`.
    fn without_alias(&self, item: Option<&SelectItem>, element: Range<usize>) -> Range<usize> {
        let alias = match item {
            Some(SelectItem::ExprWithAlias { alias, .. }) => token_range(alias.span),
            _ => None,
        };
        match alias {
            Some(alias) if self.tokens.is_word(alias.start - 1, "as") => element.start..alias.start - 1,
            Some(alias) => element.start..alias.start,
            None => element,
        }
    }
}

/// With the tenant behind it, a row of another length would have it in another column's place. PostgreSQL's words.
pub(in crate::guard) fn fits(expressions: usize, columns: usize) -> Outcome<()> {
    let message = match expressions.cmp(&columns) {
        Ordering::Greater => "INSERT has more expressions than target columns",
        Ordering::Less => "INSERT has more target columns than expressions",
        Ordering::Equal => return Ok(()),
    };
    Err(Rejection::new(Code::NotParsed, message))
}

pub(in crate::guard) fn mismatch(column: &TenantColumn) -> Rejection {
    Rejection::new(Code::TenantMismatch, format!("column \"{}\" must be the session's tenant", column.name))
        .detail("A row can only be given to the tenant that the session speaks for.")
        .hint("Leave the column out, use DEFAULT, or supply the session's tenant as a literal or a parameter.")
}
