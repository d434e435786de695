//! Expressions: every subquery, function, type and column in them is met. What is not listed is refused.

use sqlparser::ast::{
    AccessExpr, CastFormat, CeilFloorKind, DuplicateTreatment, Expr, Function, FunctionArg, FunctionArgExpr,
    FunctionArgumentClause, FunctionArgumentList, FunctionArguments, Ident, ObjectName, Subscript, WindowFrameBound,
    WindowSpec, WindowType,
};

use crate::catalog::QualifiedName;
use crate::guard::calls::overloaded;
use crate::guard::field::{column_unknown, system_column};
use crate::guard::from::{argument_expression, not_allowed};
use crate::guard::function::{is_form, is_grammar_form, listed};
use crate::guard::rejection::{Code, Rejection};
use crate::guard::scope::{ColumnName, OutputColumn, resolve};
use crate::guard::walk::{ColumnUse, Outcome, Walk, quote_name};
use crate::sql::{ident_value, token_range};

/// Column references of one text; one that could mean any relation in sight counts for each.
const REFERENCES_MAX: usize = 500_000;

impl Walk<'_> {
    pub(in crate::guard) fn expression(&mut self, expression: &Expr) -> Outcome<()> {
        match expression {
            Expr::Identifier(ident) => self.column(std::slice::from_ref(ident)),
            Expr::CompoundIdentifier(idents) => self.column(idents),
            Expr::Value(value) => self.value(value),
            Expr::TypedString(typed) => self.value(&typed.value).and_then(|()| self.data_type(&typed.data_type)),
            Expr::Interval(interval) => self.expression(&interval.value),
            Expr::Nested(inner)
            | Expr::IsFalse(inner)
            | Expr::IsNotFalse(inner)
            | Expr::IsTrue(inner)
            | Expr::IsNotTrue(inner)
            | Expr::IsNull(inner)
            | Expr::IsNotNull(inner)
            | Expr::IsUnknown(inner)
            | Expr::IsNotUnknown(inner)
            | Expr::UnaryOp { expr: inner, .. }
            | Expr::Collate { expr: inner, .. }
            | Expr::Extract { expr: inner, .. } => self.expression(inner),
            Expr::IsJson { expr, .. } | Expr::IsNormalized { expr, .. } => self.expression(expr),
            Expr::IsDistinctFrom(left, right) | Expr::IsNotDistinctFrom(left, right) => self.each([left, right]),
            Expr::BinaryOp { left, op: _, right } => self.each([left, right]),
            Expr::AnyOp { left, right, .. } | Expr::AllOp { left, right, .. } => self.each([left, right]),
            Expr::AtTimeZone { timestamp, time_zone } => self.each([timestamp, time_zone]),
            Expr::Position { expr, r#in } => self.each([expr, r#in]),
            Expr::Between { expr, low, high, .. } => self.each([expr, low, high]),
            Expr::InList { expr, list, .. } => {
                self.expression(expr)?;
                self.each(list)
            }
            Expr::Tuple(list) => self.each(list),
            Expr::Array(array) if array.named => self.elements(&array.elem),
            Expr::Like { any: false, expr, pattern, escape_char, .. }
            | Expr::ILike { any: false, expr, pattern, escape_char, .. }
            | Expr::SimilarTo { expr, pattern, escape_char, .. } => {
                self.each([expr, pattern])?;
                self.each(escape_char.as_deref())
            }
            Expr::InSubquery { expr, subquery, .. } => {
                self.expression(expr)?;
                self.subquery(subquery).map(drop)
            }
            Expr::Exists { subquery, .. } | Expr::Subquery(subquery) => self.subquery(subquery).map(drop),
            Expr::Cast { expr, data_type, format, kind: _ } => self.cast(expr, data_type, format.as_ref()),
            Expr::Case { operand, conditions, else_result, .. } => {
                self.each(operand.as_deref())?;
                for case in conditions {
                    self.each([&case.condition, &case.result])?;
                }
                self.each(else_result.as_deref())
            }
            Expr::CompoundFieldAccess { root, access_chain } => self.access(root, access_chain),
            Expr::Function(function) => self.function(function),
            other => self.special_form(other),
        }
    }

    /// The forms that PostgreSQL's grammar turns into calls of functions of `pg_catalog`.
    fn special_form(&mut self, expression: &Expr) -> Outcome<()> {
        match expression {
            Expr::Ceil { expr, field: CeilFloorKind::DateTimeField(sqlparser::ast::DateTimeField::NoDateTime) } => {
                self.unqualified("ceil")?;
                self.expression(expr)
            }
            Expr::Floor { expr, field: CeilFloorKind::DateTimeField(sqlparser::ast::DateTimeField::NoDateTime) } => {
                self.unqualified("floor")?;
                self.expression(expr)
            }
            Expr::Substring { expr, substring_from, substring_for, .. } => {
                self.unqualified("substring")?;
                self.unqualified("substr")?;
                self.expression(expr)?;
                self.each(substring_from.as_deref())?;
                self.each(substring_for.as_deref())
            }
            Expr::Trim { expr, trim_what, trim_characters, .. } => {
                self.expression(expr)?;
                self.each(trim_what.as_deref())?;
                self.each(trim_characters.iter().flatten())
            }
            Expr::Overlay { expr, overlay_what, overlay_from, overlay_for } => {
                self.unqualified("overlay")?;
                self.each([expr, overlay_what, overlay_from])?;
                self.each(overlay_for.as_deref())
            }
            Expr::GroupingSets(sets) | Expr::Cube(sets) | Expr::Rollup(sets) => {
                for set in sets {
                    self.each(set)?;
                }
                Ok(())
            }
            _ => Err(Rejection::new(Code::NotParsed, "this form of expression is not understood")),
        }
    }

    pub(in crate::guard) fn each<'e, E: std::borrow::Borrow<Expr> + 'e>(
        &mut self,
        expressions: impl IntoIterator<Item = &'e E>,
    ) -> Outcome<()> {
        expressions.into_iter().try_for_each(|expression| self.expression(expression.borrow()))
    }

    /// A form that looks a function up by its bare name: nobody else may have defined one of that name.
    fn unqualified(&self, name: &str) -> Outcome<()> {
        if self.ruleset.has_function_named(name) {
            return Err(function_refused(name)
                .detail("The database defines a function of that name, which this form could reach."));
        }
        Ok(())
    }

    fn cast(&mut self, inner: &Expr, data_type: &sqlparser::ast::DataType, format: Option<&CastFormat>) -> Outcome<()> {
        if format.is_some() {
            return Err(not_allowed("CAST … FORMAT"));
        }
        self.cast_type(inner, data_type)?;
        self.expression(inner)
    }

    fn access(&mut self, root: &Expr, chain: &[AccessExpr]) -> Outcome<()> {
        self.expression(root)?;
        for (at, access) in chain.iter().enumerate() {
            match access {
                // A field of a composite value: `(row).field`. System columns are none of its fields.
                AccessExpr::Dot(Expr::Identifier(field)) => {
                    self.field((at == 0).then_some(root), &ident_value(field))?;
                }
                AccessExpr::Dot(_) => return Err(not_allowed("this form of field access")),
                AccessExpr::Subscript(Subscript::Index { index }) => self.expression(index)?,
                AccessExpr::Subscript(Subscript::Slice { lower_bound, upper_bound, stride: None }) => {
                    self.each(lower_bound)?;
                    self.each(upper_bound)?;
                }
                AccessExpr::Subscript(Subscript::Slice { .. }) => return Err(not_allowed("this form of subscript")),
            }
        }
        Ok(())
    }

    /// A column reference. One that leads nowhere is left to the server, which says so.
    fn column(&mut self, idents: &[Ident]) -> Outcome<()> {
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
        system_column(name.column)?;
        if let Some(first) = &schema_tokens {
            self.drop_schema(first.clone(), name.schema.unwrap_or_default(), name.relation.unwrap_or_default());
        }
        match resolve(&self.levels, name) {
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
        Ok(self.levels.get(level).and_then(|level| level.entries.get(entry)).and_then(|entry| entry.columns.clone()))
    }

    /// `*`: the columns of the whole level, where they are known.
    pub(in crate::guard) fn wildcard(&mut self) -> Option<Vec<OutputColumn>> {
        let level = self.levels.len().checked_sub(1)?;
        let count = self.levels.last().map_or(0, |scope| scope.entries.len());
        for entry in 0..count {
            self.reference(level, entry, None);
        }
        let entries = &self.levels.last()?.entries;
        let columns = entries.iter().map(|entry| entry.columns.clone()).collect::<Option<Vec<_>>>()?;
        // Columns merged by USING and NATURAL stand once: the list is then too long, and its order is another.
        if self.merges_columns { None } else { Some(columns.concat()) }
    }

    fn function(&mut self, function: &Function) -> Outcome<()> {
        let Function { name, uses_odbc_syntax, parameters, args, within_group, filter, null_treatment, over } =
            function;
        if *uses_odbc_syntax || !matches!(parameters, FunctionArguments::None) || null_treatment.is_some() {
            return Err(not_allowed("this form of function call"));
        }
        if let (true, FunctionArguments::Subquery(query)) = (self.is_array_of_query(name), args) {
            return self.subquery(query).map(drop);
        }
        let count = match args {
            FunctionArguments::List(list) => list.args.len(),
            FunctionArguments::None | FunctionArguments::Subquery(_) => 0,
        };
        self.function_name(name, count)?;
        match args {
            FunctionArguments::None => {}
            FunctionArguments::Subquery(query) => self.subquery(query).map(drop)?,
            FunctionArguments::List(list) => self.arguments(list)?,
        }
        self.order_by(within_group)?;
        self.each(filter.as_deref())?;
        match over {
            None | Some(WindowType::NamedWindow(_)) => Ok(()),
            Some(WindowType::WindowSpec(spec)) => self.window_spec(spec),
        }
    }

    /// `ARRAY(SELECT …)`, which the grammar knows, and no function of that name.
    fn is_array_of_query(&self, name: &ObjectName) -> bool {
        self.name_tokens(name).is_ok_and(|tokens| tokens.len() == 1 && self.tokens.is_word(tokens.start, "array"))
    }

    fn arguments(&mut self, list: &FunctionArgumentList) -> Outcome<()> {
        let FunctionArgumentList { duplicate_treatment, args, clauses } = list;
        match duplicate_treatment {
            None | Some(DuplicateTreatment::All | DuplicateTreatment::Distinct) => {}
        }
        for argument in args {
            match argument {
                named if argument_expression(named).is_some() => self.each(argument_expression(named))?,
                FunctionArg::Unnamed(FunctionArgExpr::Wildcard) => {}
                FunctionArg::Unnamed(FunctionArgExpr::QualifiedWildcard(name)) => {
                    self.qualified_wildcard(name).map(drop)?;
                }
                _ => return Err(not_allowed("this form of argument")),
            }
        }
        for clause in clauses {
            match clause {
                FunctionArgumentClause::OrderBy(expressions) => self.order_by(expressions)?,
                FunctionArgumentClause::JsonNullClause(_) => {}
                _ => return Err(not_allowed("this clause in a function call")),
            }
        }
        Ok(())
    }

    pub(in crate::guard) fn window_spec(&mut self, spec: &WindowSpec) -> Outcome<()> {
        let WindowSpec { window_name: _, partition_by, order_by, window_frame } = spec;
        self.each(partition_by)?;
        self.order_by(order_by)?;
        let bounds = window_frame.iter().flat_map(|frame| [Some(&frame.start_bound), frame.end_bound.as_ref()]);
        for bound in bounds.flatten() {
            match bound {
                WindowFrameBound::CurrentRow => {}
                WindowFrameBound::Preceding(offset) | WindowFrameBound::Following(offset) => {
                    self.each(offset.as_deref())?;
                }
            }
        }
        Ok(())
    }

    /// Allows a call and pins it to one schema. Gives the function's bare name.
    pub(in crate::guard) fn function_name(&mut self, name: &ObjectName, arguments: usize) -> Outcome<String> {
        let tokens = self.name_tokens(name)?;
        let parts = self.function_parts(name, &tokens)?;
        let position = self.position(tokens.start);
        match parts.as_slice() {
            [bare] if is_grammar_form(bare) && is_form(self.tokens, tokens.start) => Ok(bare.clone()),
            [bare] if self.ruleset.is_overloaded(bare, arguments) => Err(overloaded(bare).at(position)),
            [bare] if listed(bare).is_some() => {
                self.before(tokens.start, "pg_catalog.");
                Ok(bare.clone())
            }
            [bare] => {
                let listed = self
                    .ruleset
                    .function_on_path(bare, arguments)
                    .ok_or_else(|| self.function_unavailable(bare).at(position))?;
                self.replace(tokens, quote_name(&listed));
                Ok(bare.clone())
            }
            [schema, bare] if schema == "pg_catalog" && listed(bare).is_some() => Ok(bare.clone()),
            [schema, bare] if schema != "pg_catalog" => {
                let name = QualifiedName::new(schema, bare);
                if self.ruleset.listed_function(&name, arguments) {
                    return Ok(bare.clone());
                }
                Err(function_refused(&name.to_string()).at(position))
            }
            [_, bare] => Err(self.function_unavailable(bare).at(position)),
            _ => Err(function_refused(&parts.join(".")).at(position)),
        }
    }

    /// The policy can list the database's own functions, not PostgreSQL's.
    fn function_unavailable(&self, name: &str) -> Rejection {
        let refused = function_refused(name);
        if self.ruleset.has_function_named(name) {
            return refused;
        }
        refused
            .hint("There is no such function, or it is one of PostgreSQL's that can reach beyond the session's rows.")
    }
}

pub(in crate::guard) fn function_refused(name: &str) -> Rejection {
    Rejection::new(Code::FunctionNotAllowed, format!("function {name} is not allowed"))
        .detail("Only functions that are known to reach no other data can be called.")
        .hint("Have it listed in the policy, with its argument types, if it is safe.")
}
