//! Values of types whose input looks names up (`regclass` and its like, `aclitem`): what may stand beside one.
//!
//! Where PostgreSQL makes operands, branches or elements of one type, it reads a string without a type as a value of that
//! type, with all that the server's session can see: whether that fails tells whether a hidden name exists. So such a
//! value is let through only where nothing is read beside it: as an output column, under a cast, as an argument of a
//! function that makes no types alike, or beside what has a type of its own. Elsewhere it is refused.

use sqlparser::ast::{BinaryOperator, Expr, Function, FunctionArguments, Query, Value, ValueWithSpan};

use crate::guard::from::{argument_expression, not_allowed};
use crate::guard::kind::{Kind, Reg};
use crate::guard::rejection::Rejection;
use crate::guard::scope::{ColumnName, Entry, OutputColumn, resolve};
use crate::guard::system::takes_no_type;
use crate::guard::walk::{Outcome, Walk};
use crate::sql::{ident_value, token_range};

impl Walk<'_> {
    /// Reads an expression that may be such a value, since nothing is made of its type where it stands.
    pub(in crate::guard) fn operand(&mut self, expression: &Expr) -> Outcome<()> {
        match expression {
            Expr::Nested(inner) => self.operand(inner),
            other => self.read(other),
        }
    }

    pub(in crate::guard) fn operands<'e>(&mut self, expressions: impl IntoIterator<Item = &'e Expr>) -> Outcome<()> {
        expressions.into_iter().try_for_each(|expression| self.operand(expression))
    }

    /// Reads expressions that PostgreSQL makes of one type.
    pub(in crate::guard) fn alike(&mut self, expressions: &[&Expr]) -> Outcome<()> {
        self.operands(expressions.iter().copied())?;
        self.are_alike(expressions)
    }

    pub(in crate::guard) fn are_alike(&mut self, expressions: &[&Expr]) -> Outcome<()> {
        if !self.met_reg {
            return Ok(());
        }
        let Some(reg) = expressions.iter().find_map(|expression| self.reg(expression)) else { return Ok(()) };
        let untyped = expressions.iter().filter(|expression| self.has_no_type(expression));
        let untyped: Vec<&Expr> = untyped.copied().collect();
        untyped.into_iter().try_for_each(|expression| self.beside(expression, reg))
    }

    /// Refuses such a value where PostgreSQL could make something else of its type.
    pub(in crate::guard) fn is_no_reg(&self, expression: &Expr) -> Outcome<()> {
        if !self.met_reg {
            return Ok(());
        }
        match self.reg(expression) {
            None => Ok(()),
            Some(reg) => Err(refused(reg)),
        }
    }

    /// Reads the operands of `=` and its like. There is no operator for values of `regclass` and its like: what stands
    /// beside one is read as a number. For arrays, rows and `aclitem` there are operators.
    pub(in crate::guard) fn comparable(&mut self, expressions: &[&Expr]) -> Outcome<()> {
        self.operands(expressions.iter().copied())?;
        self.are_comparable(expressions)
    }

    pub(in crate::guard) fn are_comparable(&self, expressions: &[&Expr]) -> Outcome<()> {
        if !self.met_reg || !expressions.iter().any(|expression| self.has_no_type(expression)) {
            return Ok(());
        }
        let mut regs = expressions.iter().filter_map(|expression| self.reg(expression));
        match regs.find(|reg| reg.has_operators()) {
            None => Ok(()),
            Some(reg) => Err(refused(reg)),
        }
    }

    /// `x IN (SELECT …)`
    pub(in crate::guard) fn is_alike_query(&self, left: &Expr, query: &Query) -> Outcome<()> {
        if !self.met_reg || !self.has_no_type(left) {
            return Ok(());
        }
        let columns = self.shape(query).and_then(|shape| shape.columns.as_deref());
        match columns.map_or(Some(Reg::Unknown), |columns| {
            columns.iter().filter_map(|column| column.kind.reg()).find(|reg| reg.has_operators())
        }) {
            Some(reg) => Err(refused(reg)),
            None => Ok(()),
        }
    }

    /// The arms of a set operation.
    pub(in crate::guard) fn are_alike_columns(
        &self,
        left: Option<&[OutputColumn]>,
        right: Option<&[OutputColumn]>,
    ) -> Outcome<()> {
        if !self.met_reg {
            return Ok(());
        }
        let (Some(left), Some(right)) = (left, right) else {
            return reg_among(left).or_else(|| reg_among(right)).map_or(Ok(()), |reg| Err(refused(reg)));
        };
        for (left, right) in left.iter().zip(right) {
            let pair = [&left.kind, &right.kind];
            if let Some(reg) = pair.iter().find_map(|kind| kind.reg())
                && pair.contains(&&Kind::Untyped)
            {
                return Err(refused(reg));
            }
        }
        Ok(())
    }

    /// The cells of one place in the rows of VALUES.
    pub(in crate::guard) fn are_alike_cells(&mut self, cells: &[&Expr]) -> Outcome<Option<Reg>> {
        self.are_alike(cells)?;
        let is_reg = self.met_reg.then(|| cells.iter().find_map(|cell| self.reg(cell)));
        Ok(is_reg.flatten())
    }

    /// A string beside a value of that type: it is the name that the guard finds, or refused.
    fn beside(&mut self, expression: &Expr, reg: Reg) -> Outcome<()> {
        match expression {
            Expr::Nested(inner) => self.beside(inner, reg),
            Expr::Value(ValueWithSpan { value: Value::Null, .. }) => Ok(()),
            Expr::Value(ValueWithSpan { value: Value::SingleQuotedString(_), span }) => {
                let at = token_range(*span).ok_or_else(|| refused(reg))?;
                self.name_beside(at, reg.type_name()).unwrap_or_else(|| Err(refused(reg)))
            }
            _ => Err(refused(reg)),
        }
    }

    /// Whether the server would read an expression as a value of what stands beside it.
    fn has_no_type(&self, expression: &Expr) -> bool {
        match expression {
            Expr::Nested(inner) | Expr::Collate { expr: inner, .. } => self.has_no_type(inner),
            Expr::Value(value) => match &value.value {
                Value::Number(..) | Value::Boolean(_) => false,
                Value::Placeholder(_) => self.measure(expression).kind == Kind::Untyped,
                _ => true,
            },
            Expr::Tuple(elements) => elements.iter().any(|element| self.has_no_type(element)),
            Expr::Function(function) if is_row(function) => {
                arguments(function).any(|argument| self.has_no_type(argument))
            }
            // `'name'::unknown`
            Expr::Cast { data_type, .. } => data_type.to_string().to_ascii_lowercase().contains("unknown"),
            Expr::TypedString(typed) => typed.data_type.to_string().to_ascii_lowercase().contains("unknown"),
            _ => false,
        }
    }

    /// Whether an expression that was read may be such a value, and of which type.
    ///
    /// Its operands have been read: where one may not be such a value, it is none.
    pub(in crate::guard) fn reg(&self, expression: &Expr) -> Option<Reg> {
        match expression {
            Expr::Nested(inner) | Expr::Collate { expr: inner, .. } => self.reg(inner),
            Expr::Identifier(ident) => self.reg_column(None, &ident_value(ident)),
            Expr::CompoundIdentifier(idents) => match idents.as_slice() {
                [.., relation, column] => self.reg_column(Some(&ident_value(relation)), &ident_value(column)),
                _ => Some(Reg::Unknown),
            },
            Expr::Cast { data_type, .. } => Kind::of_data_type(data_type).reg(),
            Expr::TypedString(typed) => Kind::of_data_type(&typed.data_type).reg(),
            Expr::Value(_) => self.measure(expression).kind.reg(),
            Expr::Case { conditions, else_result, .. } => {
                let results = conditions.iter().map(|case| &case.result).chain(else_result.as_deref());
                results.into_iter().find_map(|result| self.reg(result))
            }
            Expr::Subquery(query) => reg_among(self.shape(query).and_then(|shape| shape.columns.as_deref())),
            Expr::Function(function) => self.reg_call(function),
            // Its parts have been refused if they were such values: nothing else makes one.
            _ => None,
        }
    }

    fn reg_call(&self, function: &Function) -> Option<Reg> {
        let parts: Vec<String> =
            function.name.0.iter().map(|part| part.as_ident().map(ident_value).unwrap_or_default()).collect();
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        let name = match parts.as_slice() {
            [name] | ["pg_catalog", name] => *name,
            _ => "",
        };
        if let Some(type_name) = made_by(name) {
            return Some(Reg::Named(type_name));
        }
        if let FunctionArguments::Subquery(query) = &function.args {
            // ARRAY(SELECT …)
            let columns = self.shape(query).and_then(|shape| shape.columns.as_deref());
            return reg_among(columns).map(|_| Reg::Unknown);
        }
        if !keeps_type(name) {
            return None;
        }
        let reg = arguments(function).find_map(|argument| self.reg(argument));
        if name == "array_agg" { reg.map(|_| Reg::Unknown) } else { reg }
    }

    fn reg_column(&self, relation: Option<&str>, column: &str) -> Option<Reg> {
        let Some(resolved) = resolve(&self.levels, ColumnName { schema: None, relation, column }) else {
            let entries = self.levels.iter().filter(|level| !level.hidden).flat_map(|level| &level.entries);
            return entries
                .into_iter()
                .any(|entry| entry.columns.is_none() && entry.may_be_reg)
                .then_some(Reg::Unknown);
        };
        let entries = self.levels.get(resolved.level).map(|level| level.entries.as_slice()).unwrap_or_default();
        let mut entries = resolved.entries.iter().filter_map(|at| entries.get(*at));
        entries.find_map(|entry| reg_of_entry(entry, column))
    }

    /// Notes that such values are among the columns of an entry, when all of them are taken.
    pub(in crate::guard) fn note_reg_columns(&mut self, columns: &[OutputColumn]) {
        self.met_reg |= columns.iter().any(|column| column.kind.reg().is_some());
    }

    /// To be asked when a column was read.
    pub(in crate::guard) fn note_reg_column(&mut self, relation: Option<&str>, column: &str) {
        if !self.met_reg && self.reg_column(relation, column).is_some() {
            self.met_reg = true;
        }
    }

    /// A call's arguments: those of a few functions may be such values.
    pub(in crate::guard) fn function_argument(&mut self, function: &str, expression: &Expr) -> Outcome<()> {
        if takes_no_type(function) || takes_any(function) {
            self.operand(expression)
        } else {
            self.expression(expression)
        }
    }

    /// Values of the client's own for columns of such a type would be looked up.
    pub(in crate::guard) fn writes_no_reg(
        &self,
        columns: &[crate::catalog::Column],
        supplied: &[String],
    ) -> Outcome<()> {
        let mut written = columns.iter().filter(|column| supplied.contains(&column.name));
        match written.find_map(|column| Kind::of_column(column, self.ruleset).reg()) {
            None => Ok(()),
            Some(reg) => Err(refused(reg).hint("Leave the column out.")),
        }
    }

    /// A table made of a query has its columns' types, and what is written to it later would be looked up.
    pub(in crate::guard) fn keeps_no_reg(&self, columns: Option<&[OutputColumn]>) -> Outcome<()> {
        match reg_among(columns).filter(|_| self.met_reg) {
            None => Ok(()),
            Some(reg) => Err(refused(reg)),
        }
    }

    /// Comparisons make both sides of one type; so does `||` in its way, and it is not let through.
    pub(in crate::guard) fn is_comparison(op: &BinaryOperator) -> bool {
        use BinaryOperator as B;
        matches!(op, B::Eq | B::NotEq | B::Lt | B::LtEq | B::Gt | B::GtEq)
    }
}

/// What is known of columns: `None` of them may be anything once such a value was met.
fn reg_among(columns: Option<&[OutputColumn]>) -> Option<Reg> {
    match columns {
        None => Some(Reg::Unknown),
        Some(columns) => columns.iter().find_map(|column| column.kind.reg()),
    }
}

fn reg_of_entry(entry: &Entry, column: &str) -> Option<Reg> {
    match &entry.columns {
        None => entry.may_be_reg.then_some(Reg::Unknown),
        Some(columns) => match columns.iter().find(|own| own.name == column) {
            Some(_) => columns.iter().filter(|own| own.name == column).find_map(|own| own.kind.reg()),
            // The whole row.
            None => columns.iter().any(|own| own.kind.reg().is_some()).then_some(Reg::Unknown),
        },
    }
}

fn arguments(function: &Function) -> impl Iterator<Item = &Expr> {
    let list = match &function.args {
        FunctionArguments::List(list) => list.args.as_slice(),
        FunctionArguments::None | FunctionArguments::Subquery(_) => &[],
    };
    list.iter().filter_map(argument_expression)
}

fn is_row(function: &Function) -> bool {
    function.name.0.last().and_then(|part| part.as_ident()).is_some_and(|name| ident_value(name) == "row")
}

/// Functions of PostgreSQL's own that give such a value.
pub(in crate::guard) fn made_by(name: &str) -> Option<&'static str> {
    Some(match name {
        "pg_typeof" | "to_regtype" => "regtype",
        "to_regclass"
        | "pg_partition_root"
        | "pg_get_replica_identity_index"
        | "pg_partition_ancestors"
        | "pg_partition_tree" => "regclass",
        "to_regnamespace" => "regnamespace",
        "to_regrole" => "regrole",
        "to_regproc" => "regproc",
        "to_regprocedure" => "regprocedure",
        "to_regcollation" => "regcollation",
        "aclexplode" | "acldefault" | "makeaclitem" => "aclitem",
        _ => return None,
    })
}

/// Functions whose result is of their arguments' type, and to which such a value may be given.
fn keeps_type(name: &str) -> bool {
    matches!(name, "coalesce" | "nullif" | "greatest" | "least" | "array_agg" | "min" | "max")
}

/// Functions that take a value of any type, and make no other argument alike.
fn takes_any(name: &str) -> bool {
    keeps_type(name)
        || matches!(
            name,
            "count"
                | "pg_typeof"
                | "format"
                | "concat"
                | "concat_ws"
                | "to_json"
                | "to_jsonb"
                | "row_to_json"
                | "json_agg"
                | "jsonb_agg"
                | "json_build_array"
                | "json_build_object"
                | "jsonb_build_array"
                | "jsonb_build_object"
                | "array_to_string"
                | "array_length"
                | "array_upper"
                | "array_lower"
                | "array_ndims"
                | "cardinality"
                | "to_tsvector"
                | "to_tsquery"
                | "plainto_tsquery"
                | "phraseto_tsquery"
                | "websearch_to_tsquery"
                | "ts_headline"
                | "json_to_tsvector"
                | "jsonb_to_tsvector"
                | "num_nulls"
                | "num_nonnulls"
        )
}

/// Forms whose arguments PostgreSQL makes of one type.
pub(in crate::guard) fn makes_alike(name: &str) -> bool {
    matches!(name, "coalesce" | "greatest" | "least")
}

fn refused(reg: Reg) -> Rejection {
    let what = match reg {
        Reg::Named(name) => format!("a value of type {name} here"),
        Reg::Unknown => "a value here whose type could be regclass or its like".to_owned(),
    };
    not_allowed(&what)
        .detail("PostgreSQL would look a string beside it up as a name, also among what is not visible here.")
        .hint("Cast it to text or oid, or give what stands beside it a type.")
}
