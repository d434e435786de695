//! Now, a date of our era, and how far from them an expression may lead without leaving the calendar.

use sqlparser::ast::{
    BinaryOperator, DataType, DateTimeField, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, Interval,
};

use crate::guard::kind::Kind;
use crate::guard::total::LEVELS_MAX;
use crate::guard::walk::Walk;
use crate::sql::ident_value;

/// Each of a few hundred years. Timestamps begin in 4713 BC and end in 294276, dates later.
const STEPS_MAX: usize = 8;
const STEP_YEARS_MAX: u64 = 300;

/// A day or moment, and how many steps it may lie from now or from a year of four digits.
struct Near {
    kind: Kind,
    steps: usize,
}

impl Walk<'_> {
    /// What kind of value it is, if it is computed from the clock or a literal, and never leaves the calendar.
    pub(in crate::guard) fn near(&self, expression: &Expr) -> Option<Kind> {
        self.reach(expression, LEVELS_MAX).filter(|near| near.steps <= STEPS_MAX).map(|near| near.kind)
    }

    fn reach(&self, expression: &Expr, levels: usize) -> Option<Near> {
        let levels = levels.checked_sub(1)?;
        match expression {
            Expr::Nested(inner) => self.reach(inner, levels),
            Expr::Function(function) => self.clock_call(function, levels),
            Expr::TypedString(typed) => {
                let value = Expr::Value(typed.value.clone());
                self.day_or_moment(&value, &typed.data_type)
            }
            Expr::Cast { expr, data_type, format: None, .. } => match expr.as_ref() {
                Expr::Value(_) => self.day_or_moment(expr, data_type),
                inner => {
                    let near = self.reach(inner, levels)?;
                    kind_of(data_type).map(|kind| Near { kind, ..near })
                }
            },
            Expr::BinaryOp { left, op: BinaryOperator::Plus | BinaryOperator::Minus, right } => {
                let Near { kind, steps } = self.reach(left, levels)?;
                if kind == Kind::Date && self.number_holds(right, are_days) {
                    return Some(Near { kind, steps: steps + 1 });
                }
                let kind = if kind == Kind::Date { Kind::Timestamp } else { kind };
                self.is_short_interval(right).then_some(Near { kind, steps: steps + 1 })
            }
            _ => None,
        }
    }

    fn clock_call(&self, function: &Function, levels: usize) -> Option<Near> {
        let plain = function.over.is_none() && function.filter.is_none() && function.within_group.is_empty();
        let parts: Vec<String> =
            function.name.0.iter().map(|part| part.as_ident().map(ident_value)).collect::<Option<_>>()?;
        let name = match parts.as_slice() {
            [name] => name.as_str(),
            [schema, name] if schema == "pg_catalog" => name.as_str(),
            _ => return None,
        };
        let arguments: &[FunctionArg] = match &function.args {
            FunctionArguments::None => &[],
            FunctionArguments::List(list) if list.clauses.is_empty() && list.duplicate_treatment.is_none() => {
                &list.args
            }
            _ => return None,
        };
        let now = |kind| Some(Near { kind, steps: 0 });
        match (name, arguments) {
            _ if !plain => None,
            ("now" | "transaction_timestamp" | "statement_timestamp" | "clock_timestamp" | "current_timestamp", []) => {
                now(Kind::TimestampTz)
            }
            ("localtimestamp", []) => now(Kind::Timestamp),
            ("current_date", []) => now(Kind::Date),
            ("date_trunc", [unit, moment]) => {
                let near = self.reach(argument(moment)?, levels)?;
                let kind = if near.kind == Kind::Date { Kind::TimestampTz } else { near.kind };
                self.string_holds(argument(unit)?, is_unit).then_some(Near { kind, steps: near.steps + 1 })
            }
            _ => None,
        }
    }

    /// A day or moment of a year of four digits, as ISO writes it.
    fn day_or_moment(&self, value: &Expr, data_type: &DataType) -> Option<Near> {
        let kind = kind_of(data_type)?;
        self.string_holds(value, is_of_our_era).then_some(Near { kind, steps: 0 })
    }

    /// An interval as it is written, or a brief one some times.
    fn is_short_interval(&self, expression: &Expr) -> bool {
        match expression {
            Expr::Nested(inner) => self.is_short_interval(inner),
            Expr::BinaryOp { left, op: BinaryOperator::Multiply, right } => {
                let times = |interval: &Expr, number: &Expr| {
                    self.interval_holds(interval, is_brief, is_brief_of_years) && self.number_holds(number, are_few)
                };
                times(left, right) || times(right, left)
            }
            other => self.interval_holds(other, is_short, is_short_of_years),
        }
    }

    /// `of_years`: of one whose unit is said behind it, and is a year.
    fn interval_holds(&self, expression: &Expr, plain: fn(&str) -> bool, of_years: fn(&str) -> bool) -> bool {
        match expression {
            Expr::Nested(inner) => self.interval_holds(inner, plain, of_years),
            Expr::Interval(Interval {
                value,
                leading_field,
                leading_precision: None,
                last_field: None,
                fractional_seconds_precision: None,
            }) => match leading_field {
                None => self.string_holds(value, plain),
                Some(DateTimeField::Year) => self.string_holds(value, of_years),
                Some(
                    DateTimeField::Month
                    | DateTimeField::Day
                    | DateTimeField::Hour
                    | DateTimeField::Minute
                    | DateTimeField::Second,
                ) => self.string_holds(value, plain),
                Some(_) => false,
            },
            Expr::Cast {
                expr, data_type: DataType::Interval { fields: None, precision: None }, format: None, ..
            } => self.string_holds(expr, plain),
            _ => false,
        }
    }
}

fn argument(argument: &FunctionArg) -> Option<&Expr> {
    match argument {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(expression)) => Some(expression),
        _ => None,
    }
}

/// A precision would round up.
fn kind_of(data_type: &DataType) -> Option<Kind> {
    match data_type {
        DataType::Date | DataType::Timestamp(None, _) => Some(Kind::of_data_type(data_type)),
        _ => None,
    }
}

fn is_of_our_era(text: &str) -> bool {
    let Some((year, rest)) = text.split_once('-') else { return false };
    year.len() == 4
        && year.bytes().all(|byte| byte.is_ascii_digit())
        && rest.bytes().all(|byte| byte.is_ascii_digit() || b"-: .+TZ".contains(&byte))
}

fn is_unit(text: &str) -> bool {
    ["hour", "day", "week", "month", "quarter", "year"].contains(&text)
}

fn are_days(digits: &str) -> bool {
    digits.parse::<u64>().is_ok_and(|days| days < STEP_YEARS_MAX * 365)
}

fn are_few(digits: &str) -> bool {
    digits.parse::<u64>().is_ok_and(|times| times < STEP_YEARS_MAX)
}

fn is_short(text: &str) -> bool {
    years(text).is_some_and(|years| years < STEP_YEARS_MAX)
}

fn is_short_of_years(text: &str) -> bool {
    numbers(text).is_some_and(|sum| sum < STEP_YEARS_MAX)
}

fn is_brief(text: &str) -> bool {
    years(text).is_some_and(|years| years <= 1)
}

fn is_brief_of_years(text: &str) -> bool {
    numbers(text).is_some_and(|sum| sum <= 1)
}

/// How many years an interval's text says at most: its numbers, none of them of a unit above a year.
fn years(text: &str) -> Option<u64> {
    const YEARS: &[&str] = &["y", "yr", "yrs", "year", "years"];
    const SHORTER: &[&str] = &[
        "mon", "mons", "month", "months", "w", "week", "weeks", "d", "day", "days", "h", "hr", "hrs", "hour", "hours",
        "m", "min", "mins", "minute", "minutes", "s", "sec", "secs", "second", "seconds", "ago",
    ];
    // `9999-1` is years and months.
    let mut of_years = text.contains('-');
    for word in text.split(|letter: char| !letter.is_ascii_alphabetic()).filter(|word| !word.is_empty()) {
        let word = word.to_ascii_lowercase();
        of_years |= YEARS.contains(&word.as_str());
        if !YEARS.contains(&word.as_str()) && !SHORTER.contains(&word.as_str()) {
            return None;
        }
    }
    let sum = numbers(text).filter(|_| text.is_ascii())?;
    Some(if of_years { sum } else { sum / 12 })
}

fn numbers(text: &str) -> Option<u64> {
    let mut numbers = text.split(|letter: char| !letter.is_ascii_digit()).filter(|digits| !digits.is_empty());
    numbers.try_fold(0_u64, |sum, digits| sum.checked_add(digits.parse().ok()?))
}
