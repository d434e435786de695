//! Queries: WITH, set operations, SELECT, VALUES, and what each tells of itself to the query around it.

use sqlparser::ast::{
    Cte, CteAsMaterialized, Distinct, Expr, GroupByExpr, NamedWindowExpr, Query, Select, SelectItem,
    SelectItemQualifiedWildcardKind, SetExpr, Statement, Value, Values, With,
};

use crate::guard::computed::Planning;
use crate::guard::foreign::{foreign_query, foreign_select, foreign_wildcard};
use crate::guard::from::{not_allowed, renamed};
use crate::guard::function::{Listed, listed};
use crate::guard::kind::Kind;
use crate::guard::rejection::{Code, Rejection};
use crate::guard::scope::OutputColumn;
use crate::guard::walk::{CteEntry, CteStanding, Outcome, QueryShape, Walk};
use crate::sql::clauses::{Block, Clauses};
use crate::sql::{ident_value, token_range};

impl Walk<'_> {
    /// A query inside another: its output columns, where they are known.
    pub(in crate::guard) fn subquery(&mut self, query: &Query) -> Outcome<Option<Vec<OutputColumn>>> {
        Ok(self.query(query)?.columns)
    }

    /// What was learnt of a query that has been read.
    pub(in crate::guard) fn shape(&self, query: &Query) -> Option<&QueryShape> {
        self.queries.get(&std::ptr::from_ref(query).addr())
    }

    pub(in crate::guard) fn query(&mut self, query: &Query) -> Outcome<QueryShape> {
        foreign_query(query)?;
        let ctes = self.ctes.len();
        if let Some(with) = &query.with {
            self.with(with)?;
        }
        let levels = self.levels.len();
        let mark = self.references.len();
        // A lone SELECT leaves its level on the stack, since ORDER BY sees its columns.
        let mut shape = match query.body.as_ref() {
            SetExpr::Select(select) => self.select(select)?,
            body => self.set_expression(body)?,
        };
        let tail = self.tail(query)?;
        self.locks(&query.locks)?;
        shape.shared = self.shared_in_from();
        if let SetExpr::Select(select) = query.body.as_ref() {
            self.functional_dependency(select, mark)?;
        }
        self.levels.truncate(levels);
        self.ctes.truncate(ctes);
        shape.total &= tail.total && query.locks.is_empty() && query.with.is_none();
        shape.single_row |= tail.single_row;
        self.queries.insert(std::ptr::from_ref(query).addr(), shape.clone());
        Ok(shape)
    }

    fn with(&mut self, with: &With) -> Outcome<()> {
        let first = self.ctes.len();
        if with.recursive {
            // Every name is in sight in every body. What a body sees of itself is rows already computed.
            for cte in &with.cte_tables {
                let name = ident_value(&cte.alias.name);
                let standing = CteStanding::Ahead { used: false };
                self.ctes.push(CteEntry { name, columns: None, sources: Vec::new(), standing });
            }
        }
        for (at, cte) in with.cte_tables.iter().enumerate() {
            let standing = self.ctes.get_mut(first + at).filter(|_| with.recursive);
            let standing = standing.map(|entry| std::mem::replace(&mut entry.standing, CteStanding::Known));
            let entry = self.cte(cte, with.recursive)?;
            if with.recursive {
                if standing == Some(CteStanding::Ahead { used: true }) {
                    if self.met_reg {
                        return Err(not_allowed("a name of WITH RECURSIVE before its query here")
                            .hint("Put the queries in the order in which they refer to each other."));
                    }
                    // A query before it has been read without knowing what its conditions are pushed down to.
                    self.fence(&entry.sources);
                }
                if let Some(place) = self.ctes.get_mut(first + at) {
                    *place = entry;
                }
            } else {
                self.ctes.push(entry);
            }
        }
        Ok(())
    }

    fn cte(&mut self, cte: &Cte, recursive: bool) -> Outcome<CteEntry> {
        if cte.from.is_some() {
            return Err(not_allowed("WITH … FROM"));
        }
        let mark = self.touched.len();
        let shape = self.query(&cte.query)?;
        // Only by its name is it reached from here on.
        let mut inside = self.touched.split_off(mark);
        inside.sort_unstable();
        inside.dedup();
        let names: Vec<String> = cte.alias.columns.iter().map(|column| ident_value(&column.name)).collect();
        let writes = !matches!(
            cte.query.body.as_ref(),
            SetExpr::Select(_) | SetExpr::Query(_) | SetExpr::SetOperation { .. } | SetExpr::Values(_)
        );
        let planning = match cte.materialized {
            _ if writes => Planning::Apart,
            Some(CteAsMaterialized::Materialized) => Planning::Apart,
            Some(CteAsMaterialized::NotMaterialized) => Planning::Inlined,
            None => Planning::ByMentions,
        };
        let sources = self.compute(inside, planning);
        // A name of a recursive WITH may stand for rows of an earlier round: its kinds are not known.
        let columns = if recursive { None } else { renamed(shape.columns, &names) };
        Ok(CteEntry { name: ident_value(&cte.alias.name), columns, sources, standing: CteStanding::Known })
    }

    pub(in crate::guard) fn set_expression(&mut self, body: &SetExpr) -> Outcome<QueryShape> {
        match body {
            SetExpr::Select(select) => {
                let levels = self.levels.len();
                let mark = self.references.len();
                let shape = self.select(select)?;
                self.functional_dependency(select, mark)?;
                self.levels.truncate(levels);
                Ok(shape)
            }
            SetExpr::Query(query) => self.query(query),
            SetExpr::SetOperation { left, right, .. } => {
                let left = self.set_expression(left)?;
                let right = self.set_expression(right)?;
                self.are_alike_columns(left.columns.as_deref(), right.columns.as_deref())?;
                let columns = match (left.columns, right.columns) {
                    (Some(left), Some(right)) if left.len() == right.len() => Some(both(left, &right)),
                    _ => None,
                };
                Ok(QueryShape { columns, ..QueryShape::default() })
            }
            SetExpr::Values(values) => self.values(values),
            SetExpr::Insert(Statement::Insert(insert)) => self.insert(insert),
            SetExpr::Update(Statement::Update(update)) => self.update(update),
            SetExpr::Delete(Statement::Delete(delete)) => self.delete(delete),
            SetExpr::Merge(Statement::Merge(merge)) => self.merge(merge),
            _ => Err(Rejection::new(Code::NotParsed, "this form of query is not understood")),
        }
    }

    fn values(&mut self, values: &Values) -> Outcome<QueryShape> {
        if values.explicit_row || values.value_keyword {
            return Err(not_allowed("VALUES ROW"));
        }
        for row in &values.rows {
            self.operands(&row.content)?;
        }
        let width = values.rows.first().map_or(0, |row| row.content.len());
        let mut regs = Vec::new();
        for place in 0..width {
            let cells: Vec<&Expr> = values.rows.iter().filter_map(|row| row.content.get(place)).collect();
            regs.push(self.are_alike_cells(&cells)?);
        }
        let columns = (0..width).map(|place| {
            let cells = values.rows.iter().filter_map(|row| row.content.get(place));
            let measures: Vec<_> = cells.map(|cell| self.measure(cell)).collect();
            let kind = measures.first().map_or(Kind::Unknown, |first| first.kind.clone());
            let same = measures.iter().all(|measure| measure.kind == kind);
            let literals = values.rows.iter().filter_map(|row| row.content.get(place)).all(is_text_literal);
            OutputColumn {
                name: format!("column{}", place + 1),
                kind: match kind {
                    _ if let Some(Some(reg)) = regs.get(place) => Kind::Reg(*reg),
                    // What nothing gives a type to is text.
                    Kind::Untyped if same && literals => Kind::Text,
                    Kind::Untyped => Kind::Unknown,
                    kind if same => kind,
                    _ => Kind::Unknown,
                },
                total: measures.iter().all(|measure| measure.total),
            }
        });
        Ok(QueryShape { columns: Some(columns.collect()), ..QueryShape::default() })
    }

    /// Reads a SELECT and leaves its level on the stack.
    fn select(&mut self, select: &Select) -> Outcome<QueryShape> {
        foreign_select(select)?;
        let Some(keyword) = token_range(select.select_token.0.span).map(|range| range.start) else {
            return Err(Rejection::new(Code::ReadingsDisagree, "a SELECT without a place in the statement"));
        };
        let Some(clauses) = Clauses::read(self.tokens, keyword, Block::Select) else {
            return Err(Rejection::new(Code::ReadingsDisagree, "the clauses of the statement are not clear"));
        };
        let is_table = self.tokens.is_word(keyword, "table");
        let agree = (is_table || clauses.from.is_some() != select.from.is_empty())
            && clauses.where_.is_some() == select.selection.is_some()
            && clauses.having.is_some() == select.having.is_some();
        if !agree {
            return Err(Rejection::new(Code::ReadingsDisagree, "the clauses of the statement are not clear"));
        }
        if is_table {
            self.replace(keyword..keyword + 1, "SELECT * FROM");
        }
        let touched = self.touched.len();
        self.from(&select.from)?;
        let mut total = self.join_conditions(&select.from, 0)?;
        total &= self.conditions(clauses.where_.clone(), select.selection.as_ref())?;
        if let Some(level) = self.levels.last_mut() {
            level.settled = true;
        }
        total &= self.grouping(select, touched)?;
        if let Some(having) = &select.having {
            self.having(clauses.having.clone(), having)?;
            total = false;
        }
        if let Some(Distinct::On(expressions)) = &select.distinct {
            self.operands(expressions)?;
        }
        for window in &select.named_window {
            if let NamedWindowExpr::WindowSpec(spec) = &window.1 {
                self.window_spec(spec)?;
            }
        }
        let columns = self.projection(&select.projection)?;
        let plain = matches!(&select.group_by, GroupByExpr::Expressions(list, _) if list.is_empty());
        let single_row = plain
            && select.having.is_none()
            && select.distinct.is_none()
            && matches!(select.projection.as_slice(), [item] if item_expression(item).is_some_and(|item| self.is_aggregate_call(item)));
        let sure =
            select.projection.iter().all(|item| item_expression(item).is_some_and(|item| self.measure(item).total));
        let tenant = self.shown_tenant(select, columns.as_deref());
        Ok(QueryShape { total, single_row, sure, columns, tenant, shared: None })
    }

    fn grouping(&mut self, select: &Select, touched: usize) -> Outcome<bool> {
        match &select.group_by {
            GroupByExpr::Expressions(expressions, modifiers) if modifiers.is_empty() => {
                self.operands(expressions)?;
                let is_set = |item: &Expr| matches!(item, Expr::GroupingSets(_) | Expr::Cube(_) | Expr::Rollup(_));
                if expressions.iter().any(is_set) {
                    // The lens makes the tenant column a constant to the planner, which then leaves out a sort by it,
                    // though grouping sets fill it with NULLs. Behind a fence it is a column like any other.
                    let lenses = self.touched.get(touched..).unwrap_or_default().to_vec();
                    self.fence(&lenses);
                }
                Ok(expressions.is_empty())
            }
            _ => Err(not_allowed("this form of GROUP BY")),
        }
    }

    pub(in crate::guard) fn projection(&mut self, items: &[SelectItem]) -> Outcome<Option<Vec<OutputColumn>>> {
        let mut columns = Some(Vec::new());
        for item in items {
            match item {
                SelectItem::UnnamedExpr(expression) => {
                    self.operand(expression)?;
                    let output = self.output(expression_name(expression), expression);
                    columns.iter_mut().for_each(|columns| columns.push(output.clone()));
                }
                SelectItem::ExprWithAlias { expr, alias } => {
                    self.operand(expr)?;
                    let output = self.output(ident_value(alias), expr);
                    columns.iter_mut().for_each(|columns| columns.push(output.clone()));
                }
                SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::ObjectName(name), options) => {
                    foreign_wildcard(options)?;
                    let entry = self.qualified_wildcard(name)?;
                    self.spell_star(options, Some(name));
                    columns = columns.zip(entry).map(joined);
                }
                SelectItem::Wildcard(options) => {
                    foreign_wildcard(options)?;
                    let entries = self.wildcard();
                    self.spell_star(options, None);
                    columns = columns.zip(entries).map(joined);
                }
                _ => return Err(not_allowed("this form of output column")),
            }
        }
        Ok(columns.filter(|_| !self.expands_rows))
    }

    fn is_aggregate_call(&self, expression: &Expr) -> bool {
        match expression {
            Expr::Function(function) if function.over.is_none() => {
                let name = function.name.0.last().and_then(|part| part.as_ident()).map(ident_value);
                name.is_some_and(|name| listed(&name) == Some(Listed::Aggregate)) && self.is_of_this_level(function)
            }
            _ => false,
        }
    }

    fn output(&self, name: String, expression: &Expr) -> OutputColumn {
        let measure = self.measure(expression);
        // What holds an aggregate is computed above the tenant's filter, and no condition on it is pushed below.
        let total = measure.total || self.holds_aggregate(expression);
        let reg = if self.met_reg { self.reg(expression) } else { None };
        OutputColumn { name, kind: reg.map_or(measure.kind, Kind::Reg), total }
    }
}

fn joined((mut columns, more): (Vec<OutputColumn>, Vec<OutputColumn>)) -> Vec<OutputColumn> {
    columns.extend(more);
    columns
}

/// A string, NULL or a parameter: of no type by itself.
fn is_text_literal(cell: &Expr) -> bool {
    match cell {
        Expr::Value(value) => {
            matches!(value.value, Value::SingleQuotedString(_) | Value::Null | Value::Placeholder(_))
        }
        _ => false,
    }
}

/// What both arms of a set operation agree on.
fn both(left: Vec<OutputColumn>, right: &[OutputColumn]) -> Vec<OutputColumn> {
    let merge = |(left, right): (OutputColumn, &OutputColumn)| {
        let reg = left.kind.reg().or_else(|| right.kind.reg());
        let kind = match reg {
            Some(reg) => Kind::Reg(reg),
            None if left.kind == right.kind => left.kind,
            None => Kind::Unknown,
        };
        OutputColumn { name: left.name, kind, total: left.total && right.total }
    };
    left.into_iter().zip(right).map(merge).collect()
}

pub(in crate::guard) fn item_expression(item: &SelectItem) -> Option<&Expr> {
    match item {
        SelectItem::UnnamedExpr(expression) | SelectItem::ExprWithAlias { expr: expression, .. } => Some(expression),
        _ => None,
    }
}

/// The name that PostgreSQL gives to an output column without AS, in the cases that a query above can rely on.
fn expression_name(expression: &Expr) -> String {
    match expression {
        Expr::Identifier(ident) => ident_value(ident),
        Expr::CompoundIdentifier(idents) => idents.last().map(ident_value).unwrap_or_default(),
        Expr::Function(function) => {
            function.name.0.last().and_then(|part| part.as_ident()).map(ident_value).unwrap_or_default()
        }
        Expr::Cast { expr, .. } | Expr::Nested(expr) => expression_name(expr),
        _ => "?column?".to_owned(),
    }
}
