//! Which expressions are total: they can fail, or have an effect, on no row whatever.
//!
//! A condition that is not total may run on another tenant's row before the tenant's filter does: the planner orders
//! conditions by cost, not by where they stand. Its error would tell of that row. Total ones are left as they are.

use sqlparser::ast::{
    BinaryOperator, Expr, FunctionArg, FunctionArgExpr, FunctionArguments, Query, UnaryOperator, Value,
};

use crate::guard::clock::{is_clock, is_short};
use crate::guard::function::{Listed, listed, total_result};
use crate::guard::kind::Kind;
use crate::guard::literal::is_whole;
use crate::guard::scope::{ColumnName, resolve};
use crate::guard::walk::{QueryShape, Walk};
use crate::sql::ident_value;

/// What an expression gives, and whether computing it can fail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::guard) struct Measure {
    pub(in crate::guard) kind: Kind,
    pub(in crate::guard) total: bool,
}

impl Measure {
    fn total(kind: Kind) -> Self {
        Self { kind, total: true }
    }

    fn partial(kind: Kind) -> Self {
        Self { kind, total: false }
    }

    /// A literal of a type. Of a type that is not known, such as a domain, it may be checked again for each row.
    fn literal(kind: Kind) -> Self {
        Self { total: kind != Kind::Unknown, kind }
    }

    fn unknown() -> Self {
        Self::partial(Kind::Unknown)
    }
}

impl Walk<'_> {
    /// To be asked after the expression was read: it needs to know the queries inside.
    pub(in crate::guard) fn measure(&self, expression: &Expr) -> Measure {
        match expression {
            Expr::Nested(inner) => self.measure(inner),
            Expr::Identifier(ident) => self.measure_column(None, &ident_value(ident)),
            Expr::CompoundIdentifier(idents) => match idents.as_slice() {
                [.., relation, column] => self.measure_column(Some(&ident_value(relation)), &ident_value(column)),
                _ => Measure::unknown(),
            },
            Expr::Value(value) => self.measure_value(&value.value),
            // The type's input function runs while the statement is analysed, before any row is met.
            Expr::TypedString(typed) => Measure::literal(Kind::of_data_type(&typed.data_type)),
            Expr::Interval(interval) => match interval.value.as_ref() {
                Expr::Value(_) => Measure::total(Kind::Interval),
                _ => Measure::partial(Kind::Interval),
            },
            Expr::IsNull(inner) | Expr::IsNotNull(inner) => self.test(inner),
            Expr::IsTrue(inner)
            | Expr::IsNotTrue(inner)
            | Expr::IsFalse(inner)
            | Expr::IsNotFalse(inner)
            | Expr::IsUnknown(inner)
            | Expr::IsNotUnknown(inner)
            | Expr::UnaryOp { op: UnaryOperator::Not, expr: inner } => self.test(inner),
            Expr::UnaryOp { op: UnaryOperator::Minus | UnaryOperator::Plus, expr: inner } => match inner.as_ref() {
                Expr::Value(_) => Measure::total(self.measure(inner).kind),
                _ => Measure::partial(self.measure(inner).kind),
            },
            Expr::IsDistinctFrom(left, right) | Expr::IsNotDistinctFrom(left, right) => {
                self.comparison(left, right, Kind::equality_is_total)
            }
            Expr::BinaryOp { left, op, right } => self.binary(left, op, right),
            // Each operand is measured once: they may be as deep as the statement.
            Expr::Between { expr, low, high, .. } => {
                let measures = self.row(expr);
                let total =
                    [low, high].into_iter().all(|bound| compare(&measures, &self.row(bound), Kind::order_is_total));
                Measure { kind: Kind::Boolean, total }
            }
            Expr::InList { expr, list, .. } => {
                let measures = self.row(expr);
                let total = list.iter().all(|item| compare(&measures, &self.row(item), Kind::equality_is_total));
                Measure { kind: Kind::Boolean, total }
            }
            Expr::Like { any: false, expr, pattern, escape_char: None, .. }
            | Expr::ILike { any: false, expr, pattern, escape_char: None, .. } => self.like(expr, pattern),
            Expr::AnyOp { left, compare_op, right, .. } | Expr::AllOp { left, compare_op, right } => {
                self.quantified(left, compare_op, right)
            }
            Expr::Exists { subquery, .. } => {
                // Its output is computed only where it can give several rows for one, which no total expression does.
                let outputs = |shape: &QueryShape| {
                    shape.columns.as_ref().is_some_and(|columns| columns.iter().all(|column| column.total))
                };
                let total = self.shape(subquery).is_some_and(|shape| shape.total && outputs(shape));
                Measure { kind: Kind::Boolean, total }
            }
            Expr::InSubquery { expr, subquery, .. } => self.in_subquery(expr, subquery),
            Expr::Subquery(query) => self.scalar_subquery(query),
            Expr::Cast { expr, data_type, .. } => self.measure_cast(expr, &Kind::of_data_type(data_type)),
            Expr::Case { operand: None, conditions, else_result, .. } => {
                let results = conditions.iter().map(|case| &case.result).chain(else_result.as_deref());
                let tests = conditions.iter().all(|case| self.measure(&case.condition).total);
                self.one_of(results).map_or_else(Measure::unknown, |kind| Measure { kind, total: tests })
            }
            Expr::Function(function) => self.measure_call(function),
            _ => Measure::unknown(),
        }
    }

    fn test(&self, inner: &Expr) -> Measure {
        Measure { kind: Kind::Boolean, total: self.measure(inner).total }
    }

    fn measure_column(&self, relation: Option<&str>, column: &str) -> Measure {
        let resolved = resolve(&self.levels, ColumnName { schema: None, relation, column });
        match resolved.and_then(|resolved| resolved.column) {
            Some(column) => Measure { kind: column.kind, total: column.total },
            None => Measure::unknown(),
        }
    }

    fn measure_value(&self, value: &Value) -> Measure {
        match value {
            // A number with a fraction takes the other side's type.
            Value::Number(..) if is_whole(value) => Measure::total(Kind::Integer),
            Value::Boolean(_) => Measure::total(Kind::Boolean),
            Value::Placeholder(name) => {
                let number = name.strip_prefix('$').and_then(|digits| digits.parse::<usize>().ok()).unwrap_or(0);
                let declared = number.checked_sub(1).and_then(|at| self.parameters.get(at)).cloned();
                Measure::total(declared.unwrap_or(Kind::Untyped))
            }
            Value::HexStringLiteral(_) | Value::SingleQuotedByteStringLiteral(_) => Measure::total(Kind::Unknown),
            _ => Measure::total(Kind::Untyped),
        }
    }

    fn binary(&self, left: &Expr, op: &BinaryOperator, right: &Expr) -> Measure {
        use BinaryOperator as B;
        match op {
            B::And | B::Or => {
                let (left, right) = (self.measure(left), self.measure(right));
                let boolean = |kind: &Kind| matches!(kind, Kind::Boolean | Kind::Untyped);
                let total = left.total && right.total && boolean(&left.kind) && boolean(&right.kind);
                Measure { kind: Kind::Boolean, total }
            }
            B::Eq | B::NotEq => self.comparison(left, right, Kind::equality_is_total),
            B::Lt | B::LtEq | B::Gt | B::GtEq => self.comparison(left, right, Kind::order_is_total),
            // Containment and look-up in jsonb walk the value; a key that is not there gives NULL.
            B::AtArrow | B::ArrowAt | B::Arrow | B::LongArrow => {
                let (left, right) = (self.measure(left), self.measure(right));
                let kind = match op {
                    B::Arrow => Kind::Jsonb,
                    B::LongArrow => Kind::Text,
                    _ => Kind::Boolean,
                };
                let key = matches!(right.kind, Kind::Untyped | Kind::Text | Kind::Integer | Kind::Jsonb);
                Measure { kind, total: left.total && right.total && left.kind == Kind::Jsonb && key }
            }
            // Two texts at most double in length; the server's limit of 1 GB cannot be met by columns alone.
            B::StringConcat => {
                let (left, right) = (self.measure(left), self.measure(right));
                let text = |kind: &Kind| matches!(kind, Kind::Text | Kind::Untyped);
                let both = text(&left.kind) && text(&right.kind);
                Measure { kind: if both { Kind::Text } else { Kind::Unknown }, total: false }
            }
            // Arithmetic overflows. Around `now()` and an interval literal it does so before any row is met.
            B::Plus | B::Minus if is_clock(left) && self.is_short_interval(right) => Measure::total(Kind::TimestampTz),
            B::Plus | B::Minus | B::Multiply | B::Divide | B::Modulo => {
                let (left, right) = (self.measure(left), self.measure(right));
                let number = is_number(&left.kind) && (left.kind == right.kind || right.kind == Kind::Untyped);
                Measure::partial(if number { left.kind } else { Kind::Unknown })
            }
            _ => Measure::unknown(),
        }
    }

    fn comparison(&self, left: &Expr, right: &Expr, is_total: fn(&Kind, &Kind) -> bool) -> Measure {
        Measure { kind: Kind::Boolean, total: compare(&self.row(left), &self.row(right), is_total) }
    }

    /// The operands of a comparison of rows, or the one of another.
    fn row(&self, expression: &Expr) -> Vec<Measure> {
        match expression {
            Expr::Tuple(elements) => elements.iter().map(|element| self.measure(element)).collect(),
            other => vec![self.measure(other)],
        }
    }

    fn is_short_interval(&self, expression: &Expr) -> bool {
        match expression {
            Expr::Interval(interval) => self.string_holds(&interval.value, is_short),
            _ => false,
        }
    }

    /// A pattern fails only where it ends with an escape, which a literal lets us see beforehand.
    fn like(&self, expression: &Expr, pattern: &Expr) -> Measure {
        let measure = self.measure(expression);
        let sound = self.string_holds(pattern, |pattern| !pattern.contains('\\'));
        Measure { kind: Kind::Boolean, total: measure.total && measure.kind == Kind::Text && sound }
    }

    /// `x = ANY (array)`.
    fn quantified(&self, left: &Expr, op: &BinaryOperator, right: &Expr) -> Measure {
        let order = match op {
            BinaryOperator::Eq | BinaryOperator::NotEq => false,
            BinaryOperator::Lt | BinaryOperator::LtEq | BinaryOperator::Gt | BinaryOperator::GtEq => true,
            _ => return Measure::partial(Kind::Boolean),
        };
        let left = self.measure(left);
        let right_expression = right;
        let right = match right_expression {
            Expr::Array(array) => {
                let elements: Vec<Measure> = array.elem.iter().map(|element| self.measure(element)).collect();
                let total = elements.iter().all(|element| element.total);
                let fits = elements.iter().all(|element| left.kind.equality_is_total(&element.kind));
                Measure { kind: Kind::Array(Box::new(left.kind.clone())), total: total && fits }
            }
            other => self.measure(other),
        };
        let element = match &right.kind {
            Kind::Array(element) => element.as_ref().clone(),
            Kind::Untyped => Kind::Untyped,
            _ => Kind::Unknown,
        };
        let fits = if order { left.kind.order_is_total(&element) } else { left.kind.equality_is_total(&element) };
        Measure { kind: Kind::Boolean, total: left.total && right.total && fits }
    }

    fn in_subquery(&self, expression: &Expr, query: &Query) -> Measure {
        let left = self.measure(expression);
        let shape = self.shape(query);
        let columns = shape.and_then(|shape| shape.columns.as_deref()).unwrap_or_default();
        let total = match columns {
            [column] => {
                shape.is_some_and(|shape| shape.total)
                    && shape.is_some_and(|shape| shape.sure)
                    && left.total
                    && left.kind.equality_is_total(&column.kind)
            }
            _ => false,
        };
        Measure { kind: Kind::Boolean, total }
    }

    fn scalar_subquery(&self, query: &Query) -> Measure {
        let shape = self.shape(query);
        let columns = shape.and_then(|shape| shape.columns.as_deref()).unwrap_or_default();
        match (columns, shape) {
            ([column], Some(shape)) => {
                let total = shape.total && shape.single_row && shape.sure && column.kind != Kind::Unknown;
                Measure { kind: column.kind.clone(), total }
            }
            _ => Measure::unknown(),
        }
    }

    fn measure_cast(&self, inner: &Expr, target: &Kind) -> Measure {
        let measure = self.measure(inner);
        let total = match inner {
            // A literal is read while the statement is analysed; an undeclared parameter takes the type itself.
            Expr::Value(value) => match &value.value {
                _ if *target == Kind::Unknown => false,
                Value::Placeholder(_) => measure.kind == Kind::Untyped || measure.kind == *target,
                Value::Number(..) => is_number(target) || *target == Kind::Text,
                _ => measure.kind == Kind::Untyped || measure.kind == *target,
            },
            _ => {
                // To text by output functions, which cannot fail. `varchar(3)` cuts, by an explicit cast.
                let to_text =
                    *target == Kind::Text && !matches!(measure.kind, Kind::Unknown | Kind::Array(_) | Kind::Enum(_));
                let same = measure.kind == *target && matches!(target, Kind::Boolean | Kind::Uuid | Kind::Date);
                measure.total && (to_text || same)
            }
        };
        Measure { kind: target.clone(), total }
    }

    fn measure_call(&self, function: &sqlparser::ast::Function) -> Measure {
        let name = match function.name.0.as_slice() {
            [name] | [_, name] => name.as_ident().map(ident_value).unwrap_or_default(),
            _ => return Measure::unknown(),
        };
        let arguments: Option<Vec<&Expr>> = match &function.args {
            FunctionArguments::None => Some(Vec::new()),
            FunctionArguments::Subquery(_) => None,
            FunctionArguments::List(list) => list
                .args
                .iter()
                .map(|argument| match argument {
                    FunctionArg::Unnamed(FunctionArgExpr::Expr(expression)) => Some(expression),
                    _ => None,
                })
                .collect(),
        };
        let count = matches!(name.as_str(), "count");
        let Some(arguments) = arguments else {
            let kind = if count { Kind::Integer } else { Kind::Unknown };
            return Measure { kind, total: count };
        };
        if matches!(name.as_str(), "current_date") {
            return Measure::total(Kind::Date);
        }
        if matches!(name.as_str(), "current_timestamp") {
            return Measure::total(Kind::TimestampTz);
        }
        if matches!(name.as_str(), "coalesce" | "greatest" | "least") {
            return self.one_of(arguments.into_iter()).map_or_else(Measure::unknown, Measure::total);
        }
        let measures: Vec<Measure> = arguments.iter().map(|argument| self.measure(argument)).collect();
        let total = measures.iter().all(|measure| measure.total);
        let kinds: Vec<Kind> = measures.into_iter().map(|measure| measure.kind).collect();
        match (listed(&name), kinds.as_slice()) {
            (Some(Listed::Total), kinds) => match total_result(&name, kinds) {
                Some(kind) => Measure { kind, total },
                None => Measure::unknown(),
            },
            (Some(Listed::Aggregate), [kind]) => match name.as_str() {
                "count" => Measure { kind: Kind::Integer, total },
                "min" | "max" => Measure { kind: kind.clone(), total },
                "sum" | "avg" if is_number(kind) => Measure::partial(Kind::Unknown),
                _ => Measure::unknown(),
            },
            _ => Measure::unknown(),
        }
    }

    /// The kind that several expressions share, if each is total.
    fn one_of<'e>(&self, mut expressions: impl Iterator<Item = &'e Expr>) -> Option<Kind> {
        expressions.try_fold(Kind::Untyped, |kind, expression| {
            let measure = self.measure(expression);
            let fits =
                measure.total && (kind == Kind::Untyped || measure.kind == kind || measure.kind == Kind::Untyped);
            let known = if kind == Kind::Untyped { measure.kind } else { kind };
            (fits && known != Kind::Unknown).then_some(known)
        })
    }
}

fn compare(left: &[Measure], right: &[Measure], is_total: fn(&Kind, &Kind) -> bool) -> bool {
    let pair = |(left, right): (&Measure, &Measure)| left.total && right.total && is_total(&left.kind, &right.kind);
    left.len() == right.len() && left.iter().zip(right).all(pair)
}

fn is_number(kind: &Kind) -> bool {
    matches!(kind, Kind::Integer | Kind::Numeric | Kind::Float)
}
