//! Now, and how far from it an expression may lead without leaving the calendar.

use sqlparser::ast::Expr;

use crate::sql::ident_value;

pub(in crate::guard) fn is_clock(expression: &Expr) -> bool {
    match expression {
        Expr::Function(function) => {
            let name = function.name.0.last().and_then(|part| part.as_ident()).map(ident_value);
            matches!(name.as_deref(), Some("now" | "current_timestamp"))
        }
        _ => false,
    }
}

/// Too short to lead out of the calendar from any day that a clock shows: no number above 9999, no unit above a year.
pub(in crate::guard) fn is_short(interval: &str) -> bool {
    const UNITS: &[&str] = &[
        "y", "yr", "yrs", "year", "years", "mon", "mons", "month", "months", "w", "week", "weeks", "d", "day", "days",
        "h", "hr", "hrs", "hour", "hours", "m", "min", "mins", "minute", "minutes", "s", "sec", "secs", "second",
        "seconds", "ago",
    ];
    let words = interval.split(|letter: char| !letter.is_ascii_alphabetic()).filter(|word| !word.is_empty());
    let short = interval.split(|letter: char| !letter.is_ascii_digit()).all(|digits| digits.len() <= 4);
    short && interval.is_ascii() && words.into_iter().all(|word| UNITS.contains(&word.to_ascii_lowercase().as_str()))
}
