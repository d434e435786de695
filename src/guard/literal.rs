//! What the guard asks of a literal's value. Nobody else in the guard takes a value out of the tree: a decision holds for
//! other literals only as far as it is known what was asked of these (`template`).

use sqlparser::ast::{Expr, Value, ValueWithSpan};

use crate::guard::walk::{Outcome, Walk};
use crate::sql::token_range;

impl Walk<'_> {
    /// Notes a literal that is a value, and not part of the grammar.
    pub(in crate::guard) fn value(&mut self, value: &ValueWithSpan) -> Outcome<()> {
        self.values.extend(token_range(value.span).map(|range| range.start));
        Ok(())
    }

    /// Whether an expression is a plain string whose value is such.
    pub(in crate::guard) fn string_holds(&self, expression: &Expr, holds: fn(&str) -> bool) -> bool {
        match expression {
            Expr::Value(ValueWithSpan { value: Value::SingleQuotedString(_), span }) => {
                token_range(*span).is_some_and(|token| self.tokens.literal_holds(token.start, holds))
            }
            _ => false,
        }
    }

    /// Whether an expression is a number as it is written, and such a one.
    pub(in crate::guard) fn number_holds(&self, expression: &Expr, holds: fn(&str) -> bool) -> bool {
        match expression {
            Expr::Nested(inner) => self.number_holds(inner, holds),
            Expr::Value(ValueWithSpan { value: Value::Number(..), span }) => {
                token_range(*span).is_some_and(|token| self.tokens.literal_holds(token.start, holds))
            }
            _ => false,
        }
    }

    /// The number that an expression is, if it is a whole one.
    pub(in crate::guard) fn whole_number(&self, expression: &Expr) -> Option<usize> {
        let Expr::Value(ValueWithSpan { value: Value::Number(..), span }) = expression else { return None };
        self.tokens.text(token_range(*span)?.start).parse().ok()
    }
}

/// Whether a number has neither fraction nor exponent. Of this a text's shape already tells.
pub(in crate::guard) fn is_whole(value: &Value) -> bool {
    match value {
        Value::Number(number, _) => number.bytes().all(|byte| byte.is_ascii_digit()),
        _ => false,
    }
}

/// Of rows: a number that is no error.
pub(in crate::guard) fn is_count(digits: &str) -> bool {
    digits.parse::<i64>().is_ok_and(|rows| rows >= 0)
}

pub(in crate::guard) fn is_one_at_most(digits: &str) -> bool {
    matches!(digits, "0" | "1")
}
