//! How total what is called is: functions, operators, casts, and what the grammar writes in words.

use sqlparser::ast::{
    AccessExpr, ArrayElemTypeDef, DataType, DateTimeField, DuplicateTreatment, ExactNumberInfo, Expr, Function,
    FunctionArg, FunctionArgExpr, FunctionArgumentList, FunctionArguments, Subscript, TrimWhereField, UnaryOperator,
    Value,
};

use crate::catalog::QualifiedName;
use crate::guard::entries::Form;
use crate::guard::extensions::OwnType;
use crate::guard::fit::{Operand, is_pattern};
use crate::guard::function::{Listed, listed};
use crate::guard::kind::Kind;
use crate::guard::total::{Measure, WIDTH_MAX};
use crate::guard::walk::{Origin, Walk};
use crate::sql::ident_value;

impl Walk<'_> {
    /// What is listed, or nothing is known of it.
    pub(in crate::guard) fn call(&self, form: Form, name: &str, arguments: &[&Expr], measures: &[Measure]) -> Measure {
        let operands: Vec<Operand<'_>> = arguments
            .iter()
            .zip(measures)
            .map(|(argument, measure)| {
                // Of literals alone these make a text.
                let is_text = name == "||" && measure.kind == Kind::Untyped;
                let kind = if is_text { Kind::Text } else { measure.kind.clone() };
                Operand { kind, expression: argument }
            })
            .collect();
        let Some(kind) = self.total_result(form, name, &operands) else { return Measure::unknown() };
        let widths = measures.iter().map(|measure| measure.width);
        let width = if name == "||" { widths.fold(0, usize::saturating_add) } else { widths.max().unwrap_or(1) };
        Measure { kind, total: width <= WIDTH_MAX && measures.iter().all(|measure| measure.total), width }
    }

    fn call_of(&self, form: Form, name: &str, arguments: &[&Expr]) -> Measure {
        let measures: Vec<Measure> = arguments.iter().map(|argument| self.measure(argument)).collect();
        self.call(form, name, arguments, &measures)
    }

    pub(in crate::guard) fn measure_prefix(&self, op: UnaryOperator, inner: &Expr) -> Measure {
        match (op, inner) {
            (UnaryOperator::Minus | UnaryOperator::Plus, Expr::Value(value))
                if matches!(value.value, Value::Number(..)) =>
            {
                Measure::total(self.measure(inner).kind)
            }
            (UnaryOperator::Minus, _) => {
                // Once, since it may be as deep as the statement: twice at each level is without end.
                let measure = self.measure(inner);
                match self.call(Form::Prefix, "-", &[inner], std::slice::from_ref(&measure)) {
                    Measure { kind: Kind::Unknown, .. } => Measure::partial(measure.kind),
                    known => known,
                }
            }
            _ => Measure::unknown(),
        }
    }

    pub(in crate::guard) fn measure_form(&self, expression: &Expr) -> Measure {
        match expression {
            Expr::Like { any: false, negated, expr, pattern, escape_char } => {
                self.like(if *negated { "!~~" } else { "~~" }, expr, pattern, escape_char.as_deref())
            }
            Expr::ILike { any: false, negated, expr, pattern, escape_char } => {
                self.like(if *negated { "!~~*" } else { "~~*" }, expr, pattern, escape_char.as_deref())
            }
            Expr::Cast { expr, data_type, format: None, kind: _, .. } => self.measure_cast(expr, data_type),
            Expr::Extract { field, expr, .. } => match field_name(field) {
                Some(field) => self.call_of(Form::Extract, field, &[expr]),
                None => Measure::unknown(),
            },
            Expr::Trim { trim_where, trim_what, expr, trim_characters: None } => {
                let name = match trim_where {
                    None | Some(TrimWhereField::Both) => "btrim",
                    Some(TrimWhereField::Leading) => "ltrim",
                    Some(TrimWhereField::Trailing) => "rtrim",
                };
                let arguments: Vec<&Expr> = std::iter::once(expr.as_ref()).chain(trim_what.as_deref()).collect();
                self.call_of(Form::Function, name, &arguments)
            }
            Expr::Substring { expr, substring_from: Some(from), substring_for, .. } => {
                let arguments: Vec<&Expr> =
                    [expr.as_ref(), from.as_ref()].into_iter().chain(substring_for.as_deref()).collect();
                self.call_of(Form::Function, "substring", &arguments)
            }
            Expr::Position { expr, r#in } => self.call_of(Form::Function, "strpos", &[r#in, expr]),
            Expr::CompoundFieldAccess { root, access_chain } => match access_chain.as_slice() {
                [AccessExpr::Subscript(Subscript::Index { index })] => {
                    self.call_of(Form::Subscript, "[]", &[root, index])
                }
                _ => Measure::unknown(),
            },
            Expr::Function(_) if self.is_query_of_literals(expression) => Measure::total(Kind::Tsquery),
            Expr::Function(function) => self.measure_function(function),
            _ => Measure::unknown(),
        }
    }

    /// A pattern from a row, or bound later, could nest too deep on another row.
    fn like(&self, name: &str, expression: &Expr, pattern: &Expr, escape: Option<&Expr>) -> Measure {
        let measures = [self.measure(expression), self.measure(pattern)];
        let harmless = match escape {
            None => self.call(Form::Operator, name, &[expression, pattern], &measures).total,
            Some(escape) if self.string_holds(escape, str::is_empty) => self.string_holds(pattern, is_pattern::<'\0'>),
            Some(escape) if self.string_holds(escape, |escape| escape == "\\") => {
                self.string_holds(pattern, is_pattern::<'\\'>)
            }
            Some(escape) if self.string_holds(escape, |escape| escape == "/") => {
                self.string_holds(pattern, is_pattern::<'/'>)
            }
            Some(escape) if self.string_holds(escape, |escape| escape == "!") => {
                self.string_holds(pattern, is_pattern::<'!'>)
            }
            Some(_) => false,
        };
        let [text, _] = &measures;
        let is_text = matches!(text.kind, Kind::Text | Kind::Own(OwnType::Citext));
        Measure::new(Kind::Boolean, text.total && is_text && harmless)
    }

    /// `to_tsquery('english', 'a & b')`: by name of its configuration it is computed while the statement is planned, so
    /// that what it says of its text does not wait for a row.
    pub(in crate::guard) fn is_query_of_literals(&self, expression: &Expr) -> bool {
        let Expr::Function(function) = expression else { return false };
        let parts: Vec<String> =
            function.name.0.iter().map(|part| part.as_ident().map(ident_value).unwrap_or_default()).collect();
        let name = match parts.as_slice() {
            [name] => name.as_str(),
            [schema, name] if schema == "pg_catalog" => name.as_str(),
            _ => return false,
        };
        let known = matches!(name, "to_tsquery" | "plainto_tsquery" | "phraseto_tsquery" | "websearch_to_tsquery");
        let FunctionArguments::List(list) = &function.args else { return false };
        match arguments(list) {
            Some((Some(arguments), false)) if known && function.over.is_none() && function.filter.is_none() => {
                match arguments.as_slice() {
                    [configuration, text] => {
                        self.string_holds(configuration, |name| !name.is_empty())
                            && self.string_holds(text, |text| text.len() <= 1000)
                    }
                    _ => false,
                }
            }
            _ => false,
        }
    }

    fn kind_of_type(&self, data_type: &DataType) -> Kind {
        let DataType::Custom(name, _) = data_type else { return Kind::of_data_type(data_type) };
        let parts = self.name_parts(name).unwrap_or_default();
        let name = match (parts.as_slice(), self.origin) {
            ([name], Origin::Client) => self.ruleset.type_on_path(name).map(|(name, _)| name),
            ([schema, name], _) => Some(QualifiedName::new(schema, name)),
            _ => None,
        };
        // Of an enum or a domain, what is cast is looked up or checked anew.
        let own = name.and_then(|name| self.ruleset.own_types.of_extension(&name));
        own.map_or_else(|| Kind::of_data_type(data_type), Kind::Own)
    }

    fn measure_cast(&self, inner: &Expr, data_type: &DataType) -> Measure {
        let target = self.kind_of_type(data_type);
        let measure = self.measure(inner);
        match inner {
            Expr::Value(value) => {
                // A literal is read while the statement is analysed; an undeclared parameter takes the type itself.
                let total = match &value.value {
                    _ if target == Kind::Unknown => false,
                    // What is bound is cut to a precision when it is used.
                    Value::Placeholder(_) if has_precision(data_type) => false,
                    Value::Placeholder(_) => measure.kind == Kind::Untyped || measure.kind == target,
                    Value::Number(..) => target.is_number() || target == Kind::Text,
                    _ => measure.kind == Kind::Untyped || measure.kind == target,
                };
                return Measure::new(target, total);
            }
            // The cast is that of each element.
            Expr::Array(array) if matches!(target, Kind::Array(_)) => {
                let plain = |element: &Expr| match element {
                    Expr::Value(_) => self.measure(element).kind == Kind::Untyped,
                    _ => false,
                };
                if array.elem.iter().all(plain) {
                    return Measure::total(target);
                }
            }
            _ => {}
        }
        match cast_target(data_type).map(|name| self.call(Form::Cast, name, &[inner], &[measure])) {
            Some(call) if call.total => call,
            _ => Measure::partial(target),
        }
    }

    fn measure_function(&self, function: &Function) -> Measure {
        let parts: Vec<String> =
            function.name.0.iter().map(|part| part.as_ident().map(ident_value).unwrap_or_default()).collect();
        // In another schema it is another function.
        let name = match parts.as_slice() {
            [name] => name.as_str(),
            [schema, name] if schema == "pg_catalog" => name.as_str(),
            _ => return Measure::unknown(),
        };
        let plain = function.over.is_none()
            && function.within_group.is_empty()
            && function.filter.as_ref().is_none_or(|filter| self.measure(filter).total);
        let (arguments, distinct) = match &function.args {
            FunctionArguments::None => (Some(Vec::new()), false),
            FunctionArguments::Subquery(_) => return Measure::unknown(),
            FunctionArguments::List(list) => match arguments(list) {
                Some(found) => found,
                None => return Measure::unknown(),
            },
        };
        if !plain {
            return Measure::unknown();
        }
        if listed(name) == Some(Listed::Aggregate) {
            return self.measure_aggregate(name, arguments.as_deref(), distinct);
        }
        match (name, arguments) {
            (_, None) => Measure::unknown(),
            ("coalesce", Some(arguments)) => self.one_of(arguments.into_iter()).unwrap_or_else(Measure::unknown),
            ("greatest" | "least", Some(arguments)) => match self.one_of(arguments.into_iter()) {
                Some(one) if one.kind.order_is_total(&one.kind) => one,
                _ => Measure::unknown(),
            },
            ("nullif", Some(arguments)) => match arguments.as_slice() {
                [left, right] => {
                    let (left, right) = (self.measure(left), self.measure(right));
                    let total = left.total && right.total && left.kind.equality_is_total(&right.kind);
                    // Of two types that differ, which comes out is the operator's choice.
                    if left.kind == right.kind || right.kind == Kind::Untyped {
                        Measure { total, ..left }
                    } else {
                        Measure::unknown()
                    }
                }
                _ => Measure::unknown(),
            },
            (name, Some(arguments)) => self.call_of(Form::Function, name, &arguments),
        }
    }

    /// Computed on the rows that are left, but for arguments that come from around the query.
    fn measure_aggregate(&self, name: &str, arguments: Option<&[&Expr]>, distinct: bool) -> Measure {
        let Some(arguments) = arguments else { return Measure::new(Kind::Integer, name == "count") };
        let [argument] = arguments else { return Measure::unknown() };
        let measure = self.measure(argument);
        let ordered = measure.kind != Kind::Untyped && measure.kind.order_is_total(&measure.kind);
        match name {
            "count" => Measure::new(Kind::Integer, measure.total && (ordered || !distinct)),
            "min" | "max" => Measure { total: measure.total && ordered, ..measure },
            "bool_and" | "bool_or" | "every" => {
                Measure::new(Kind::Boolean, measure.total && measure.kind == Kind::Boolean)
            }
            _ => Measure::unknown(),
        }
    }
}

/// The arguments, where each is an expression; `None` inside: `*`. And whether equal ones count once.
fn arguments(list: &FunctionArgumentList) -> Option<(Option<Vec<&Expr>>, bool)> {
    if !list.clauses.is_empty() {
        return None;
    }
    let distinct = matches!(list.duplicate_treatment, Some(DuplicateTreatment::Distinct));
    let mut arguments = Vec::new();
    for argument in &list.args {
        match argument {
            FunctionArg::Unnamed(FunctionArgExpr::Expr(expression)) => arguments.push(expression),
            FunctionArg::Unnamed(FunctionArgExpr::Wildcard) if list.args.len() == 1 => return Some((None, distinct)),
            _ => return None,
        }
    }
    Some((Some(arguments), distinct))
}

/// Whether values are cut or rounded to it, which can fail.
fn has_precision(data_type: &DataType) -> bool {
    use DataType as D;
    match data_type {
        D::Numeric(info) | D::Decimal(info) => *info != ExactNumberInfo::None,
        D::Timestamp(precision, _) | D::Time(precision, _) | D::Interval { precision, .. } => precision.is_some(),
        D::Array(ArrayElemTypeDef::SquareBracket(element, _)) => has_precision(element),
        _ => false,
    }
}

/// A cast's name among the entries. Precision and scale make a number too large, or a time too late.
fn cast_target(data_type: &DataType) -> Option<&'static str> {
    use DataType as D;
    Some(match data_type {
        D::Text | D::Varchar(_) | D::CharacterVarying(_) | D::Char(_) | D::Character(_) => "text",
        D::Array(ArrayElemTypeDef::SquareBracket(element, _)) if matches!(element.as_ref(), D::Text) => "text[]",
        D::Boolean | D::Bool => "boolean",
        D::Int(None) | D::Integer(None) | D::Int4(None) => "integer",
        D::BigInt(None) | D::Int8(None) => "bigint",
        D::Numeric(ExactNumberInfo::None) | D::Decimal(ExactNumberInfo::None) => "numeric",
        D::DoublePrecision | D::Float8 => "double precision",
        D::Uuid => "uuid",
        D::Bytea => "bytea",
        D::JSONB => "jsonb",
        D::Date => "date",
        D::Timestamp(None, _) => match Kind::of_data_type(data_type) {
            Kind::Timestamp => "timestamp",
            _ => "timestamptz",
        },
        _ => return None,
    })
}

fn field_name(field: &DateTimeField) -> Option<&'static str> {
    use DateTimeField as F;
    Some(match field {
        F::Century => "century",
        F::Day => "day",
        F::Decade => "decade",
        F::Dow => "dow",
        F::Doy => "doy",
        F::Epoch => "epoch",
        F::Hour => "hour",
        F::Isodow => "isodow",
        F::Isoyear => "isoyear",
        F::Minute => "minute",
        F::Month => "month",
        F::Quarter => "quarter",
        F::Second => "second",
        F::Week(None) => "week",
        F::Year => "year",
        F::Custom(ident) => return own_field(&ident_value(ident)),
        _ => return None,
    })
}

fn own_field(name: &str) -> Option<&'static str> {
    const FIELDS: &[&str] = &[
        "century", "day", "decade", "dow", "doy", "epoch", "hour", "isodow", "isoyear", "minute", "month", "quarter",
        "second", "week", "year",
    ];
    FIELDS.iter().find(|own| **own == name).copied()
}
