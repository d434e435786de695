//! Whether what is called, and on what, is an entry of the list of what is total.

use sqlparser::ast::{Expr, Value};

use crate::guard::entries::{ENTRIES, Entry, Form, Gives, Takes};
use crate::guard::extension_entries::{OF_EXTENSIONS, ON_EXTENSIONS};
use crate::guard::kind::Kind;
use crate::guard::operators::Owner;
use crate::guard::walk::Walk;

/// An argument, and what is known of its type.
#[derive(Debug, Clone)]
pub(in crate::guard) struct Operand<'e> {
    pub(in crate::guard) kind: Kind,
    pub(in crate::guard) expression: &'e Expr,
}

/// What a call gives, if it is total on these arguments.
impl Walk<'_> {
    pub(in crate::guard) fn total_result(&self, form: Form, name: &str, operands: &[Operand<'_>]) -> Option<Kind> {
        let kinds: Vec<Kind> = operands.iter().map(|operand| operand.kind.clone()).collect();
        let owner = match form {
            Form::Operator | Form::Prefix => self.ruleset.operators.owner(name, &kinds),
            Form::Function | Form::Cast | Form::Extract | Form::Subscript => Owner::PostgreSql,
        };
        let is_it = |entry: &&Entry| entry.form == form && entry.is_for(name) && entry.fits(self, operands);
        let entry = match owner {
            Owner::PostgreSql => ENTRIES.iter().chain(ON_EXTENSIONS).find(is_it),
            Owner::Extension(extension) => {
                let own = OF_EXTENSIONS.iter().filter(|(of, _)| *of == extension).map(|(_, entry)| entry);
                own.into_iter().find(is_it)
            }
            Owner::Unclear => None,
        }?;
        Some(entry.result(operands.first().map(|operand| &operand.kind)))
    }

    /// The same for any row, and not nested too deep.
    fn is_given(&self, expression: &Expr) -> bool {
        match expression {
            Expr::Value(value) if matches!(value.value, Value::Placeholder(_)) => true,
            Expr::Value(_) => self.string_holds(expression, |text| text.len() <= 4096),
            Expr::Nested(inner) | Expr::Cast { expr: inner, .. } => self.is_given(inner),
            _ => false,
        }
    }
}

pub(in crate::guard) fn is_total_function(name: &str) -> bool {
    ENTRIES.iter().any(|entry| entry.form == Form::Function && entry.is_for(name))
}

impl Entry {
    fn is_for(&self, name: &str) -> bool {
        // Types have blanks inside.
        if self.form == Form::Cast { self.names == name } else { self.names.split(' ').any(|own| own == name) }
    }

    fn fits(&self, walk: &Walk<'_>, operands: &[Operand<'_>]) -> bool {
        // With literals alone another overload could be meant.
        let first = operands.first().map(|operand| &operand.kind);
        let typed = self.takes.len() < 2 || operands.iter().any(|operand| operand.kind != Kind::Untyped);
        let each = || operands.iter().zip(self.takes).all(|(operand, takes)| takes.fits(walk, operand, first));
        operands.len() == self.takes.len() && typed && each()
    }

    pub(in crate::guard) fn result(&self, first: Option<&Kind>) -> Kind {
        match self.gives {
            Gives::Boolean => Kind::Boolean,
            Gives::Integer => Kind::Integer,
            Gives::Numeric => Kind::Numeric,
            Gives::Float => Kind::Float,
            Gives::Text => Kind::Text,
            Gives::Date => Kind::Date,
            Gives::Timestamp => Kind::Timestamp,
            Gives::TimestampTz => Kind::TimestampTz,
            Gives::Jsonb => Kind::Jsonb,
            Gives::Uuid => Kind::Uuid,
            Gives::Bytea => Kind::Bytea,
            Gives::TextArray => Kind::Array(Box::new(Kind::Text)),
            Gives::Element => first.and_then(element).unwrap_or(Kind::Unknown),
        }
    }
}

impl Takes {
    fn fits(self, walk: &Walk<'_>, operand: &Operand<'_>, first: Option<&Kind>) -> bool {
        let kind = &operand.kind;
        let is = |expected: Kind| *kind == expected || *kind == Kind::Untyped;
        match self {
            Self::Boolean => is(Kind::Boolean),
            Self::Integer => is(Kind::Integer),
            Self::Numeric => is(Kind::Numeric),
            Self::Float => is(Kind::Float),
            Self::Text => is(Kind::Text),
            Self::Date => is(Kind::Date),
            Self::Timestamp => is(Kind::Timestamp),
            Self::TimestampTz => is(Kind::TimestampTz),
            Self::Time => is(Kind::Time),
            Self::TimeTz => is(Kind::TimeTz),
            Self::Interval => is(Kind::Interval),
            Self::Uuid => is(Kind::Uuid),
            Self::Bytea => is(Kind::Bytea),
            Self::Jsonb => is(Kind::Jsonb),
            Self::Inet => is(Kind::Inet),
            Self::Macaddr => is(Kind::Macaddr),
            Self::Tsvector => is(Kind::Tsvector),
            Self::Tsquery => is(Kind::Tsquery),
            Self::Enum => matches!(kind, Kind::Enum(_)),
            Self::Own(own) => *kind == Kind::Own(own),
            Self::Array => matches!(kind, Kind::Array(element) if **element != Kind::Unknown),
            Self::TextArray => is(Kind::Array(Box::new(Kind::Text))),
            Self::Range => matches!(kind, Kind::Range(_)),
            Self::Multirange => matches!(kind, Kind::Multirange(_)),
            Self::Same => *kind == Kind::Untyped || Some(kind) == first,
            Self::Element => first.and_then(element).is_some_and(is),
            Self::Spanning => match (first, kind) {
                (_, Kind::Untyped) => true,
                (Some(Kind::Range(own) | Kind::Multirange(own)), Kind::Range(span) | Kind::Multirange(span)) => {
                    own == span
                }
                _ => false,
            },
            Self::Natural => walk.number_holds(operand.expression, is_natural),
            Self::Positive => walk.number_holds(operand.expression, is_positive),
            Self::Given => is(Kind::Jsonb) && walk.is_given(operand.expression),
            Self::Pattern => walk.string_holds(operand.expression, is_pattern::<'\\'>),
            Self::Query => walk.is_query_of_literals(operand.expression),
        }
    }
}

fn is_natural(digits: &str) -> bool {
    digits.parse::<i32>().is_ok_and(|number| number >= 0)
}

fn is_positive(digits: &str) -> bool {
    digits.parse::<i32>().is_ok_and(|number| number > 0)
}

/// The end of a pattern is no escape that has nothing to escape: each but the last takes what is behind it. And few `%`,
/// since each can be a level of recursion, on a text that is long enough.
pub(in crate::guard) fn is_pattern<const ESCAPE: char>(text: &str) -> bool {
    const ANY_MAX: usize = 100;
    let escapes = text.chars().rev().take_while(|character| *character == ESCAPE).count();
    escapes % 2 == 0 && text.bytes().filter(|byte| *byte == b'%').count() <= ANY_MAX
}

/// What an array or a range is made of.
pub(in crate::guard) fn element(kind: &Kind) -> Option<Kind> {
    match kind {
        Kind::Array(element) => Some(element.as_ref().clone()),
        Kind::Range(span) | Kind::Multirange(span) => Some(Kind::of_span(*span)),
        _ => None,
    }
}
