//! What can be told of an argument by its form alone.

use sqlparser::ast::{BinaryOperator, Expr, FunctionArg, FunctionArgExpr, FunctionArguments};

use crate::guard::kind::Kind;
use crate::sql::ident_value;

pub(super) fn plain_arguments(arguments: &FunctionArguments) -> Option<Vec<&Expr>> {
    match arguments {
        FunctionArguments::None => Some(Vec::new()),
        FunctionArguments::Subquery(_) => None,
        FunctionArguments::List(list) if list.duplicate_treatment.is_none() && list.clauses.is_empty() => {
            let plain = list.args.iter().map(|argument| match argument {
                FunctionArg::Unnamed(FunctionArgExpr::Expr(expression)) => Some(expression),
                _ => None,
            });
            plain.collect()
        }
        FunctionArguments::List(_) => None,
    }
}

/// Forms that can only give text, whatever they are made of.
pub(super) fn makes_text(expression: &Expr) -> bool {
    match expression {
        Expr::Nested(inner) => makes_text(inner),
        Expr::BinaryOp { op: BinaryOperator::StringConcat, .. } => true,
        Expr::Cast { data_type, .. } => Kind::of_data_type(data_type) == Kind::Text,
        Expr::Function(function) => {
            let last = function.name.0.last().and_then(|part| part.as_ident()).map(ident_value);
            last.is_some_and(|name| ["quote_ident", "format", "concat", "replace"].contains(&name.as_str()))
        }
        _ => false,
    }
}

pub(super) fn is_own_role(expression: &Expr) -> bool {
    match expression {
        Expr::Nested(inner) => is_own_role(inner),
        Expr::Function(function) => match function.name.0.as_slice() {
            [name] => name.as_ident().is_some_and(|ident| {
                let own = ["current_user", "session_user", "current_role", "user"];
                ident.quote_style.is_none() && own.contains(&ident.value.to_ascii_lowercase().as_str())
            }),
            _ => false,
        },
        _ => false,
    }
}
