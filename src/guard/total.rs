//! Which expressions are total: they can fail, or have an effect, on no row whatever.
//!
//! A condition that is not total may run on another tenant's row before the tenant's filter does: the planner orders
//! conditions by cost, not by where they stand. Its error would tell of that row. Total ones are left as they are.

use sqlparser::ast::{BinaryOperator, Expr, Query, UnaryOperator, Value};

use crate::guard::entries::Form;
use crate::guard::kind::Kind;
use crate::guard::literal::is_whole;
use crate::guard::scope::{ColumnName, OutputColumn, resolve};
use crate::guard::walk::{QueryShape, Walk};
use crate::sql::ident_value;

/// What an expression gives, and whether computing it can fail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::guard) struct Measure {
    pub(in crate::guard) kind: Kind,
    pub(in crate::guard) total: bool,
    /// How many values it is as large as: `a || b` is as large as two.
    pub(in crate::guard) width: usize,
}

/// Wider than this, what is made of small values could come near the server's limit of 1 GB.
pub(in crate::guard) const WIDTH_MAX: usize = 64;

/// How far a look at a level of an expression goes into it. Each level of a chain is looked at: without an end to that a
/// long one would take its length squared.
pub(in crate::guard) const LEVELS_MAX: usize = 32;

impl Measure {
    pub(in crate::guard) fn new(kind: Kind, total: bool) -> Self {
        Self { kind, total, width: 1 }
    }

    pub(in crate::guard) fn total(kind: Kind) -> Self {
        Self::new(kind, true)
    }

    pub(in crate::guard) fn partial(kind: Kind) -> Self {
        Self::new(kind, false)
    }

    /// A literal of a type. Of a type that is not known, such as a domain, it may be checked again for each row.
    fn literal(kind: Kind) -> Self {
        Self::new(kind.clone(), kind != Kind::Unknown)
    }

    pub(in crate::guard) fn unknown() -> Self {
        Self::partial(Kind::Unknown)
    }

    fn test(total: bool) -> Self {
        Self::new(Kind::Boolean, total)
    }
}

impl Walk<'_> {
    /// To be asked after the expression was read: it needs to know the queries inside.
    pub(in crate::guard) fn measure(&self, expression: &Expr) -> Measure {
        if let Some(kind) = self.near(expression) {
            return Measure::total(kind);
        }
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
            Expr::UnaryOp { op, expr } => self.measure_prefix(*op, expr),
            Expr::IsDistinctFrom(left, right) | Expr::IsNotDistinctFrom(left, right) => {
                self.comparison(left, right, Kind::equality_is_total)
            }
            Expr::BinaryOp { left, op, right } => self.binary(left, op, right),
            // Each operand is measured once: they may be as deep as the statement.
            Expr::Between { expr, low, high, .. } => {
                let measures = self.row(expr);
                let within = |bound: &Expr| compare(&measures, &self.row(bound), Kind::order_is_total);
                Measure::test([low, high].into_iter().all(|bound| within(bound)))
            }
            Expr::InList { expr, list, .. } => {
                let measures = self.row(expr);
                Measure::test(list.iter().all(|item| compare(&measures, &self.row(item), Kind::equality_is_total)))
            }
            Expr::AnyOp { left, compare_op, right, .. } | Expr::AllOp { left, compare_op, right } => {
                self.quantified(left, compare_op, right)
            }
            Expr::Exists { subquery, .. } => {
                // Its output is computed only where it can give several rows for one, which no total expression does.
                let outputs = |shape: &QueryShape| {
                    shape.columns.as_ref().is_some_and(|columns| columns.iter().all(|column| column.total))
                };
                Measure::test(self.shape(subquery).is_some_and(|shape| shape.total && outputs(shape)))
            }
            Expr::InSubquery { expr, subquery, .. } => self.in_subquery(expr, subquery),
            Expr::Subquery(query) => self.scalar_subquery(query),
            Expr::Case { operand, conditions, else_result, .. } => {
                let results = conditions.iter().map(|case| &case.result).chain(else_result.as_deref());
                let operand = operand.as_deref().map(|operand| self.row(operand));
                let tests = conditions.iter().all(|case| match &operand {
                    None => self.measure(&case.condition).total,
                    Some(operand) => compare(operand, &self.row(&case.condition), Kind::equality_is_total),
                });
                self.one_of(results).map_or_else(Measure::unknown, |one| Measure { total: tests, ..one })
            }
            Expr::Array(array) => self.measure_array(&array.elem),
            other => self.measure_form(other),
        }
    }

    fn test(&self, inner: &Expr) -> Measure {
        Measure::test(self.measure(inner).total)
    }

    fn measure_column(&self, relation: Option<&str>, column: &str) -> Measure {
        let resolved = resolve(&self.levels, ColumnName { schema: None, relation, column });
        match resolved.and_then(|resolved| resolved.column) {
            Some(column) => Measure::new(column.kind, column.total),
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

    fn measure_array(&self, elements: &[Expr]) -> Measure {
        match self.one_of(elements.iter()) {
            Some(Measure { kind: Kind::Untyped, .. }) => Measure::total(Kind::Array(Box::new(Kind::Text))),
            // Arrays of arrays must match in form.
            Some(Measure { kind: Kind::Array(_), .. }) | None => Measure::unknown(),
            Some(one) => Measure { kind: Kind::Array(Box::new(one.kind)), total: one.total, width: WIDTH_MAX + 1 },
        }
    }

    fn binary(&self, left: &Expr, op: &BinaryOperator, right: &Expr) -> Measure {
        use BinaryOperator as B;
        match op {
            B::And | B::Or => {
                let (left, right) = (self.measure(left), self.measure(right));
                let boolean = |kind: &Kind| matches!(kind, Kind::Boolean | Kind::Untyped);
                Measure::test(left.total && right.total && boolean(&left.kind) && boolean(&right.kind))
            }
            B::Eq | B::NotEq => self.comparison(left, right, Kind::equality_is_total),
            B::Lt | B::LtEq | B::Gt | B::GtEq => self.comparison(left, right, Kind::order_is_total),
            B::Plus | B::Minus | B::Multiply | B::Divide | B::Modulo if are_numbers(left, right, LEVELS_MAX) => {
                // Computed while the statement is planned, whatever the rows.
                let (left, right) = (self.measure(left), self.measure(right));
                Measure::total(if left.kind == right.kind { left.kind } else { Kind::Untyped })
            }
            _ => {
                let measures = [self.measure(left), self.measure(right)];
                let kinds = [measures[0].kind.clone(), measures[1].kind.clone()];
                let call = self.call(Form::Operator, &op.to_string(), &[left, right], &measures);
                match (call.kind, op) {
                    // Arithmetic overflows, but is known to be of its operands' type.
                    (Kind::Unknown, B::Plus | B::Minus | B::Multiply | B::Divide | B::Modulo) => {
                        let [left, right] = kinds;
                        let number = left.is_number() && (left == right || right == Kind::Untyped);
                        Measure::partial(if number { left } else { Kind::Unknown })
                    }
                    (kind, _) => Measure { kind, ..call },
                }
            }
        }
    }

    fn comparison(&self, left: &Expr, right: &Expr, is_total: fn(&Kind, &Kind) -> bool) -> Measure {
        Measure::test(compare(&self.row(left), &self.row(right), is_total))
    }

    /// The operands of a comparison of rows, or the one of another.
    fn row(&self, expression: &Expr) -> Vec<Measure> {
        match expression {
            Expr::Tuple(elements) => elements.iter().map(|element| self.measure(element)).collect(),
            other => vec![self.measure(other)],
        }
    }

    /// `x = ANY (array)`.
    fn quantified(&self, left: &Expr, op: &BinaryOperator, right: &Expr) -> Measure {
        let is_total = match op {
            BinaryOperator::Eq | BinaryOperator::NotEq => Kind::equality_is_total,
            BinaryOperator::Lt | BinaryOperator::LtEq | BinaryOperator::Gt | BinaryOperator::GtEq => {
                Kind::order_is_total
            }
            _ => return Measure::partial(Kind::Boolean),
        };
        let left = self.measure(left);
        if let Expr::Array(array) = right {
            let elements: Vec<Measure> = array.elem.iter().map(|element| self.measure(element)).collect();
            let fits = |element: &Measure| element.total && is_total(&left.kind, &element.kind);
            return Measure::test(left.total && elements.iter().all(fits));
        }
        let right = self.measure(right);
        let element = match &right.kind {
            Kind::Array(element) => element.as_ref().clone(),
            Kind::Untyped => Kind::Untyped,
            _ => Kind::Unknown,
        };
        Measure::test(left.total && right.total && is_total(&left.kind, &element))
    }

    fn in_subquery(&self, expression: &Expr, query: &Query) -> Measure {
        let left = self.row(expression);
        let shape = self.shape(query).filter(|shape| shape.total && shape.sure);
        let columns = shape.and_then(|shape| shape.columns.as_deref()).unwrap_or_default();
        let fits = |(left, column): (&Measure, &OutputColumn)| left.total && left.kind.equality_is_total(&column.kind);
        Measure::test(left.len() == columns.len() && left.iter().zip(columns).all(fits))
    }

    fn scalar_subquery(&self, query: &Query) -> Measure {
        let shape = self.shape(query);
        let columns = shape.and_then(|shape| shape.columns.as_deref()).unwrap_or_default();
        match (columns, shape) {
            ([column], Some(shape)) => {
                let total = shape.total && shape.single_row && shape.sure && column.kind != Kind::Unknown;
                Measure::new(column.kind.clone(), total)
            }
            _ => Measure::unknown(),
        }
    }

    /// What several expressions share, if each is total.
    pub(in crate::guard) fn one_of<'e>(&self, mut expressions: impl Iterator<Item = &'e Expr>) -> Option<Measure> {
        let first = Measure::total(Kind::Untyped);
        expressions.try_fold(first, |one, expression| {
            let measure = self.measure(expression);
            let kind = in_common(one.kind, measure.kind).filter(|_| measure.total)?;
            Some(Measure { kind, total: true, width: one.width.max(measure.width) })
        })
    }
}

/// What PostgreSQL converts both to, if that can fail on no value.
fn in_common(left: Kind, right: Kind) -> Option<Kind> {
    match (left, right) {
        (Kind::Unknown, _) | (_, Kind::Unknown) => None,
        (Kind::Untyped, kind) | (kind, Kind::Untyped) => Some(kind),
        (Kind::Integer, kind @ (Kind::Numeric | Kind::Float))
        | (kind @ (Kind::Numeric | Kind::Float), Kind::Integer) => Some(kind),
        (left, right) => (left == right).then_some(left),
    }
}

fn compare(left: &[Measure], right: &[Measure], is_total: fn(&Kind, &Kind) -> bool) -> bool {
    let pair = |(left, right): (&Measure, &Measure)| left.total && right.total && is_total(&left.kind, &right.kind);
    left.len() == right.len() && left.iter().zip(right).all(pair)
}

/// Numbers as they are written, and what is computed from them alone, in so many levels.
fn is_number(expression: &Expr, levels: usize) -> bool {
    let Some(levels) = levels.checked_sub(1) else { return false };
    match expression {
        Expr::Value(value) => matches!(value.value, Value::Number(..)),
        Expr::Nested(inner) | Expr::UnaryOp { op: UnaryOperator::Minus, expr: inner } => is_number(inner, levels),
        Expr::BinaryOp {
            left,
            op:
                BinaryOperator::Plus
                | BinaryOperator::Minus
                | BinaryOperator::Multiply
                | BinaryOperator::Divide
                | BinaryOperator::Modulo,
            right,
        } => are_numbers(left, right, levels),
        _ => false,
    }
}

fn are_numbers(left: &Expr, right: &Expr, levels: usize) -> bool {
    is_number(left, levels) && is_number(right, levels)
}
