//! Expressions: every subquery, function, type and column in them is met. What is not listed is refused.

use sqlparser::ast::{
    AccessExpr, CastFormat, CeilFloorKind, DuplicateTreatment, Expr, Function, FunctionArg, FunctionArgExpr,
    FunctionArgumentClause, FunctionArgumentList, FunctionArguments, ObjectName, Subscript, WindowType,
};

use crate::catalog::QualifiedName;
use crate::guard::calls::{overloaded, unavailable};
use crate::guard::from::{argument_expression, not_allowed};
use crate::guard::function::{is_form, is_grammar_form, listed};
use crate::guard::reg::{made_by, makes_alike};
use crate::guard::rejection::{Code, Rejection};
use crate::guard::system::naming_type;
use crate::guard::walk::{Origin, Outcome, Walk, quote_name};
use crate::sql::ident_value;

impl Walk<'_> {
    pub(in crate::guard) fn expression(&mut self, expression: &Expr) -> Outcome<()> {
        self.read(expression)?;
        self.is_no_reg(expression)
    }

    /// Without a look at what stands beside it, see `reg`.
    pub(in crate::guard) fn read(&mut self, expression: &Expr) -> Outcome<()> {
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
            | Expr::IsUnknown(inner)
            | Expr::IsNotUnknown(inner)
            | Expr::UnaryOp { expr: inner, .. }
            | Expr::Collate { expr: inner, .. }
            | Expr::Extract { expr: inner, .. } => self.expression(inner),
            Expr::IsJson { expr, .. } | Expr::IsNormalized { expr, .. } => self.expression(expr),
            Expr::IsNull(inner) | Expr::IsNotNull(inner) => self.operand(inner),
            Expr::IsDistinctFrom(left, right) | Expr::IsNotDistinctFrom(left, right) => self.comparable(&[left, right]),
            Expr::BinaryOp { left, op, right } if Self::is_comparison(op) => self.comparable(&[left, right]),
            Expr::BinaryOp { left, op: _, right } => self.each([left, right]),
            Expr::AnyOp { left, right, .. } | Expr::AllOp { left, right, .. } => self.comparable(&[left, right]),
            Expr::AtTimeZone { timestamp, time_zone } => self.each([timestamp, time_zone]),
            Expr::Position { expr, r#in } => self.each([expr, r#in]),
            Expr::Between { expr, low, high, .. } => self.comparable(&[expr, low, high]),
            Expr::InList { expr, list, .. } if list.len() == 1 => {
                self.comparable(&std::iter::once(expr.as_ref()).chain(list).collect::<Vec<_>>())
            }
            Expr::InList { expr, list, .. } => {
                let all: Vec<&Expr> = std::iter::once(expr.as_ref()).chain(list).collect();
                self.alike(&all)
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
                self.operand(expr)?;
                self.subquery(subquery)?;
                self.is_alike_query(expr, subquery)
            }
            Expr::Exists { subquery, .. } | Expr::Subquery(subquery) => self.subquery(subquery).map(drop),
            Expr::Cast { expr, data_type, format, kind } => {
                match naming_type(data_type).filter(|_| self.ruleset.system().shows_structure()) {
                    Some(named) if format.is_none() => self.naming_cast(expr, kind, named),
                    _ => self.cast(expr, data_type, format.as_ref()),
                }
            }
            Expr::Case { operand, conditions, else_result, .. } => {
                let tests: Vec<&Expr> =
                    operand.as_deref().into_iter().chain(conditions.iter().map(|case| &case.condition)).collect();
                self.comparable(&tests)?;
                let results = conditions.iter().map(|case| &case.result);
                let results: Vec<&Expr> = results.chain(else_result.as_deref()).collect();
                self.alike(&results)
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
        self.operand(inner)
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
        let bare = self.function_name(name, count)?;
        match args {
            FunctionArguments::None => {}
            FunctionArguments::Subquery(query) => {
                self.subquery(query)?;
                self.keeps_no_reg(self.shape(query).and_then(|shape| shape.columns.as_deref()))?;
            }
            FunctionArguments::List(list) => self.arguments(&bare, list)?,
        }
        self.met_reg |= made_by(&bare).is_some();
        self.system_function(function)?;
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

    fn arguments(&mut self, function: &str, list: &FunctionArgumentList) -> Outcome<()> {
        let FunctionArgumentList { duplicate_treatment, args, clauses } = list;
        match duplicate_treatment {
            None | Some(DuplicateTreatment::All | DuplicateTreatment::Distinct) => {}
        }
        for argument in args {
            match argument {
                named if let Some(value) = argument_expression(named) => self.function_argument(function, value)?,
                FunctionArg::Unnamed(FunctionArgExpr::Wildcard) => {}
                FunctionArg::Unnamed(FunctionArgExpr::QualifiedWildcard(name)) => {
                    let columns = self.qualified_wildcard(name)?;
                    self.keeps_no_reg(columns.as_deref())?;
                }
                _ => return Err(not_allowed("this form of argument")),
            }
        }
        let values: Vec<&Expr> = args.iter().filter_map(argument_expression).collect();
        if function == "nullif" {
            self.are_comparable(&values)?;
        } else if makes_alike(function) {
            self.are_alike(&values)?;
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

    /// Allows a call and pins it to one schema. Gives the function's bare name.
    pub(in crate::guard) fn function_name(&mut self, name: &ObjectName, arguments: usize) -> Outcome<String> {
        let tokens = self.name_tokens(name)?;
        let parts = self.function_parts(name, &tokens)?;
        let position = self.position(tokens.start);
        let system = self.ruleset.system();
        let is_own = |name: &str| listed(name).is_some() || system.keeps_its_name(name).is_some();
        match parts.as_slice() {
            [bare] if is_grammar_form(bare) && is_form(self.tokens, tokens.start) => Ok(bare.clone()),
            // In a definition a bare name is one of `pg_catalog`.
            [bare] if self.ruleset.is_clear_call(bare) && self.origin == Origin::Client => Ok(bare.clone()),
            [bare] if self.ruleset.is_overloaded(bare, arguments) => Err(overloaded(bare).at(position)),
            [bare] if system.keeps_its_name(bare) == Some(false) => Ok(bare.clone()),
            [bare] if is_own(bare) => {
                self.before(tokens.start, "pg_catalog.");
                Ok(bare.clone())
            }
            [bare] => {
                let listed = self
                    .ruleset
                    .function_on_path(bare, arguments)
                    .ok_or_else(|| unavailable(self.ruleset, bare).at(position))?;
                self.calls_own_functions = true;
                self.replace(tokens, quote_name(&listed));
                Ok(bare.clone())
            }
            [schema, bare] if schema == "pg_catalog" && is_own(bare) => Ok(bare.clone()),
            [schema, bare] if system.is_own_function(schema, bare) => Ok(bare.clone()),
            [schema, bare] if schema != "pg_catalog" => {
                let name = QualifiedName::new(schema, bare);
                if self.ruleset.listed_function(&name, arguments) {
                    self.calls_own_functions = true;
                    return Ok(bare.clone());
                }
                Err(function_refused(&name.to_string()).at(position))
            }
            [_, bare] => Err(unavailable(self.ruleset, bare).at(position)),
            _ => Err(function_refused(&parts.join(".")).at(position)),
        }
    }
}

pub(in crate::guard) fn function_refused(name: &str) -> Rejection {
    Rejection::new(Code::FunctionNotAllowed, format!("function {name} is not allowed"))
        .detail("Only functions that are known to reach no other data can be called.")
        // One hint for all: another would tell which functions the database has.
        .hint("One of the database's own, if there is such a function and it is safe, can be listed in the policy, with its argument types.")
}
