//! Aggregates: which query of several around it an aggregate belongs to.

use std::ops::ControlFlow;

use sqlparser::ast::{Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, Query, Visit, Visitor};

use crate::guard::function::{Listed, listed};
use crate::guard::scope::{ColumnName, resolve};
use crate::guard::walk::Walk;
use crate::sql::ident_value;

impl Walk<'_> {
    /// An aggregate of this level stands in the expression: it is computed above every filter.
    pub(in crate::guard) fn holds_aggregate(&self, expression: &Expr) -> bool {
        match expression {
            Expr::Function(function) if function.over.is_none() => {
                let name = function.name.0.last().and_then(|part| part.as_ident()).map(ident_value);
                let is_aggregate = name.is_some_and(|name| listed(&name) == Some(Listed::Aggregate))
                    && self.is_of_this_level(function);
                let arguments = match &function.args {
                    FunctionArguments::List(list) => list.args.as_slice(),
                    _ => &[],
                };
                is_aggregate
                    || arguments.iter().any(|argument| match argument {
                        FunctionArg::Unnamed(FunctionArgExpr::Expr(inner)) => self.holds_aggregate(inner),
                        _ => false,
                    })
            }
            Expr::Nested(inner) | Expr::Cast { expr: inner, .. } | Expr::UnaryOp { expr: inner, .. } => {
                self.holds_aggregate(inner)
            }
            Expr::BinaryOp { left, right, .. } => self.holds_aggregate(left) || self.holds_aggregate(right),
            _ => false,
        }
    }

    /// An aggregate whose arguments name columns of an outer query alone is computed there: here it is a constant.
    pub(in crate::guard) fn is_of_this_level(&self, function: &Function) -> bool {
        let Some(this) = self.levels.len().checked_sub(1) else { return true };
        let mut columns = Columns::default();
        match function.args.visit(&mut columns) {
            ControlFlow::Continue(()) | ControlFlow::Break(()) => {}
        }
        let is_own = |parts: &[String]| {
            let (relation, column) = match parts {
                [column] => (None, column),
                [.., relation, column] => (Some(relation.as_str()), column),
                [] => return false,
            };
            resolve(&self.levels, ColumnName { schema: None, relation, column })
                .is_some_and(|found| found.level == this)
        };
        if columns.names.iter().any(|parts| is_own(parts)) {
            return !columns.queries;
        }
        match function.filter.as_ref().map(|filter| filter.visit(&mut columns)) {
            None | Some(ControlFlow::Continue(()) | ControlFlow::Break(())) => {}
        }
        columns.names.is_empty() && !columns.queries
    }
}

/// The columns that an expression names.
#[derive(Default)]
struct Columns {
    names: Vec<Vec<String>>,
    queries: bool,
}

impl Visitor for Columns {
    type Break = ();

    fn pre_visit_query(&mut self, _: &Query) -> ControlFlow<()> {
        self.queries = true;
        ControlFlow::Break(())
    }

    fn pre_visit_expr(&mut self, expression: &Expr) -> ControlFlow<()> {
        match expression {
            Expr::Identifier(ident) => self.names.push(vec![ident_value(ident)]),
            Expr::CompoundIdentifier(idents) => self.names.push(idents.iter().map(ident_value).collect()),
            _ => {}
        }
        ControlFlow::Continue(())
    }
}
