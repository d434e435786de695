//! INSERT: every row gets the session's tenant, or the statement is refused.

use std::ops::Range;

use sqlparser::ast::{Expr, Insert, Query, Select, SelectItem, SetExpr, TableFactor, TableObject, Value};

use crate::guard::decision::{Access, LensKind, ParameterCheck, TenantValue};
use crate::guard::from::{not_allowed, primary_key, undeclared};
use crate::guard::query::item_expression;
use crate::guard::rejection::{Code, Rejection};
use crate::guard::ruleset::{Lens, RelationRule, TenantColumn};
use crate::guard::scope::{Entry, Level, Protection};
use crate::guard::tenant_column::literal;
use crate::guard::walk::{Outcome, QueryShape, Walk, quote_name, table_columns};
use crate::sql::clauses::{self, Block, Clauses};
use crate::sql::{ident_value, quote_identifier, token_range};

/// The columns that an INSERT supplies, and what the tenant's is to be.
struct Supplied<'a> {
    names: Vec<String>,
    tenant: Option<(&'a TenantColumn, TenantValue)>,
}

impl Walk<'_> {
    pub(in crate::guard) fn insert(&mut self, insert: &Insert) -> Outcome<QueryShape> {
        foreign_insert(insert)?;
        self.writes = true;
        let TableObject::TableName(name) = &insert.table else {
            return Err(not_allowed("this form of INSERT"));
        };
        let rule = self.target_rule(name)?;
        let tokens = self.name_tokens(name)?;
        self.writable(rule, &tokens)?;
        self.replace(tokens.clone(), quote_name(&rule.relation.qualified_name()));
        let tenant = match &rule.lens {
            Lens::Scoped(column) => Some((column, self.tenant_value(rule, column)?)),
            Lens::Shared | Lens::Undeclared(_) => None,
        };
        self.record(rule, lens_kind(rule), Access::Insert);
        let alias = insert.table_alias.as_ref().map(|alias| &alias.alias);
        let name_end = alias.and_then(|alias| token_range(alias.span)).map_or(tokens.end, |alias| alias.end);

        if let Some(source) = &insert.source {
            // The source sees nothing of the target.
            self.query(source)?;
        }
        let supplied = self.supplied(insert, rule, tenant, name_end)?;
        for column in &supplied.names {
            self.record_column(&rule.relation.qualified_name(), column);
        }
        self.key_oracles(rule, &supplied.names)?;
        self.overridden_identity(rule, &supplied.names)?;

        let alias = alias.map_or_else(|| rule.relation.name.clone(), ident_value);
        self.levels.push(Level { entries: vec![self.target_entry(rule, alias)], ..Level::default() });
        if let Some(on) = &insert.on {
            self.on_conflict(rule, on, &supplied.names)?;
        }
        let columns = match &insert.returning {
            Some(items) => self.projection(items)?,
            None => Some(Vec::new()),
        };
        self.levels.pop();
        Ok(QueryShape { total: false, single_row: false, sure: false, columns })
    }

    /// The column list, completed; each row's value for the tenant column, forced or checked.
    fn supplied<'r>(
        &mut self,
        insert: &Insert,
        rule: &'r RelationRule,
        tenant: Option<(&'r TenantColumn, TenantValue)>,
        name_end: usize,
    ) -> Outcome<Supplied<'r>> {
        let Some(source) = &insert.source else {
            if let Some((column, value)) = &tenant {
                self.default_values(name_end, column, value)?;
            }
            return Ok(Supplied { names: Vec::new(), tenant });
        };
        let mut supplied = Supplied { names: Vec::new(), tenant };
        let explicit = !insert.columns.is_empty();
        if explicit {
            for column in &insert.columns {
                let parts = self.name_parts(column)?;
                let [only] = parts.as_slice() else {
                    return Err(not_allowed("INSERT into a part of a column"));
                };
                supplied.names.push(only.clone());
            }
        } else {
            let width = self.width(source).ok_or_else(|| {
                not_allowed("INSERT without a column list from this query").hint("Name the columns after the table.")
            })?;
            supplied.names = rule.relation.columns.iter().take(width).map(|column| column.name.clone()).collect();
        }
        let Some((column, value)) = &supplied.tenant else { return Ok(supplied) };
        let place = supplied.names.iter().position(|name| name == &column.name);
        let literal = literal(column, value);
        match place {
            Some(_) if self.expands_rows => return Err(mismatch(column)),
            Some(place) => {
                let mut hidden = Vec::new();
                self.check_query(source, place, column, value, &mut hidden)?;
            }
            None => self.append_to_arms(&source.body, &literal)?,
        }
        let mut list: Vec<String> = supplied.names.iter().map(|name| quote_identifier(name)).collect();
        if place.is_none() {
            list.push(quote_identifier(&column.name));
        }
        if !explicit {
            self.after(name_end - 1, format!("({})", list.join(", ")));
        } else if place.is_none() {
            let last = insert.columns.last().map(|column| self.name_tokens(column)).transpose()?;
            let last = last.ok_or_else(|| Rejection::new(Code::ReadingsDisagree, "a column list without a place"))?;
            self.after(last.end - 1, format!(", {}", quote_identifier(&column.name)));
        }
        Ok(supplied)
    }

    /// `INSERT INTO t DEFAULT VALUES`.
    fn default_values(&mut self, at: usize, column: &TenantColumn, value: &TenantValue) -> Outcome<()> {
        if !(self.tokens.is_word(at, "default") && self.tokens.is_word(at + 1, "values")) {
            return Err(not_allowed("this form of INSERT"));
        }
        let text = format!("({}) VALUES ({})", quote_identifier(&column.name), literal(column, value));
        self.replace(at..at + 2, text);
        Ok(())
    }

    /// How many columns a source has, where that can be told.
    fn width(&self, source: &Query) -> Option<usize> {
        match source.body.as_ref() {
            SetExpr::Values(values) => values.rows.iter().map(|row| row.content.len()).max(),
            _ => self.shape(source)?.columns.as_ref().map(Vec::len),
        }
    }

    /// Adds a value to the end of every row that the source can give.
    fn append_to_arms(&mut self, body: &SetExpr, literal: &str) -> Outcome<()> {
        match body {
            SetExpr::Select(select) => {
                let list = self.select_list(select)?;
                self.after(list.end - 1, format!(", {literal}"));
                Ok(())
            }
            SetExpr::Query(query) => self.append_to_arms(&query.body, literal),
            SetExpr::SetOperation { left, right, .. } => {
                self.append_to_arms(left, literal)?;
                self.append_to_arms(right, literal)
            }
            SetExpr::Values(values) => {
                for row in self.value_rows(values)? {
                    self.after(row.end - 2, format!(", {literal}"));
                }
                Ok(())
            }
            _ => Err(not_allowed("this source of an INSERT")),
        }
    }

    fn select_list(&self, select: &Select) -> Outcome<Range<usize>> {
        let keyword = token_range(select.select_token.0.span).map(|range| range.start);
        let keyword = keyword.filter(|at| self.tokens.is_word(*at, "select"));
        let clauses = keyword.and_then(|at| Clauses::read(self.tokens, at, Block::Select));
        clauses.map(|clauses| clauses.head).filter(|head| !head.is_empty()).ok_or_else(|| {
            not_allowed("INSERT from this form of query").hint("Write it as INSERT … SELECT with an output list.")
        })
    }

    fn value_rows(&self, values: &sqlparser::ast::Values) -> Outcome<Vec<Range<usize>>> {
        let first = values.rows.iter().flat_map(|row| &row.content).find_map(crate::guard::condition::first_token);
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
    fn check_query(
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
            SetExpr::Select(select) => {
                let elements = clauses::split_at_commas(self.tokens, self.select_list(select)?);
                let plain = select.projection.iter().take(place + 1).all(|item| item_expression(item).is_some());
                let item = select.projection.get(place).and_then(item_expression).filter(|_| plain);
                match (item, elements.get(place)) {
                    (Some(expression), Some(element)) if elements.len() == select.projection.len() => {
                        self.tenant_expression(expression, element.clone(), column, value)
                    }
                    _ => Err(mismatch(column)),
                }
            }
            SetExpr::Query(query) => self.check_query(query, place, column, value, ctes),
            SetExpr::SetOperation { left, right, .. } => {
                self.check_arms(left, place, column, value, ctes)?;
                self.check_arms(right, place, column, value, ctes)
            }
            _ => Err(mismatch(column)),
        }
    }

    /// `SELECT … tenant_id … FROM one_scoped_table`: what comes through its lens is the tenant's.
    fn copies_tenant(&self, select: &Select, place: usize, ctes: &[String]) -> bool {
        let [only] = select.from.as_slice() else { return false };
        let TableFactor::Table { name, alias, args: None, .. } = &only.relation else { return false };
        let Ok(source) = self.target_rule(name) else { return false };
        let Lens::Scoped(column) = &source.lens else { return false };
        let is_cte = self.name_parts(name).is_ok_and(|parts| {
            matches!(parts.as_slice(), [only] if ctes.contains(only) || self.ctes.iter().any(|cte| cte.name == *only))
        });
        if !only.joins.is_empty() || is_cte || alias.as_ref().is_some_and(|alias| !alias.columns.is_empty()) {
            return false;
        }
        match select.projection.as_slice() {
            [SelectItem::Wildcard(_)] => {
                source.relation.columns.get(place).is_some_and(|found| found.name == column.name)
            }
            items => {
                let plain = items.iter().take(place + 1).all(|item| item_expression(item).is_some());
                match items.get(place).and_then(item_expression) {
                    Some(Expr::Identifier(ident)) => plain && ident_value(ident) == column.name,
                    Some(Expr::CompoundIdentifier(idents)) => {
                        plain && idents.last().is_some_and(|ident| ident_value(ident) == column.name)
                    }
                    _ => false,
                }
            }
        }
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
                    let text = token.and_then(|at| {
                        self.tokens.string(at).or_else(|| Some(self.tokens.text(at).to_owned()))
                    });
                    if text.is_some_and(|text| value.equals_literal(&text)) {
                        // The literal is written anew, so that no other reading of it can count.
                        self.replace(tokens, literal(column, value));
                        return Ok(());
                    }
                    Err(mismatch(column))
                }
            },
            _ => Err(mismatch(column)),
        }
    }

    pub(in crate::guard) fn writable(&self, rule: &RelationRule, tokens: &Range<usize>) -> Outcome<()> {
        let name = &rule.relation.name;
        if let Lens::Undeclared(kind) = &rule.lens {
            return Err(undeclared(kind, name).at(self.position(tokens.start)));
        }
        match &rule.read_only {
            None => Ok(()),
            Some(reason) => {
                Err(Rejection::new(Code::RelationReadOnly, format!("relation \"{name}\" cannot be written here"))
                    .detail(format!("For Partywall, {reason}."))
                    .at(self.position(tokens.start)))
            }
        }
    }

    pub(in crate::guard) fn target_entry(&self, rule: &RelationRule, name: String) -> Entry {
        let relation = rule.relation.qualified_name();
        let protection = match &rule.lens {
            Lens::Scoped(tenant_column) => {
                Protection::Target { column: tenant_column.name.clone(), tenant_column: tenant_column.clone() }
            }
            Lens::Shared | Lens::Undeclared(_) => Protection::None,
        };
        Entry {
            unaliased: (name == rule.relation.name).then(|| relation.clone()),
            name: Some(name),
            relation: Some(relation),
            columns: Some(table_columns(rule, self.ruleset)),
            protection,
            nullable: false,
            lateral: Vec::new(),
            function_columns: None,
            primary_key: primary_key(rule),
        }
    }
}

pub(in crate::guard) fn lens_kind(rule: &RelationRule) -> LensKind {
    match rule.lens {
        Lens::Scoped(_) => LensKind::Scoped,
        Lens::Shared => LensKind::Shared,
        Lens::Undeclared(_) => LensKind::View,
    }
}

pub(in crate::guard) fn mismatch(column: &TenantColumn) -> Rejection {
    Rejection::new(Code::TenantMismatch, format!("column \"{}\" must be the session's tenant", column.name))
        .detail("A row can only be given to the tenant that the session speaks for.")
        .hint("Leave the column out, use DEFAULT, or supply the session's tenant as a literal or a parameter.")
}

fn foreign_insert(insert: &Insert) -> Outcome<()> {
    let Insert {
        insert_token: _, optimizer_hints, or, ignore, into: _, table: _, table_alias: _, columns: _, overwrite, source: _,
        assignments, partitioned, after_columns, has_table_keyword, on: _, returning: _, output, replace_into, priority,
        insert_alias, settings, format_clause, multi_table_insert_type, multi_table_into_clauses,
        multi_table_when_clauses, multi_table_else_clause,
    } = insert;
    let foreign = !optimizer_hints.is_empty() || or.is_some() || *ignore || *overwrite || !assignments.is_empty()
        || partitioned.is_some() || !after_columns.is_empty() || *has_table_keyword || output.is_some()
        || *replace_into || priority.is_some() || insert_alias.is_some() || settings.is_some()
        || format_clause.is_some() || multi_table_insert_type.is_some() || !multi_table_into_clauses.is_empty()
        || !multi_table_when_clauses.is_empty() || multi_table_else_clause.is_some();
    if foreign { Err(not_allowed("a clause that PostgreSQL does not have")) } else { Ok(()) }
}
