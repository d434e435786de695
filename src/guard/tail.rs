//! The end of a query: ORDER BY, LIMIT, OFFSET, FETCH.

use sqlparser::ast::{Fetch, LimitClause, OrderBy, OrderByExpr, OrderByKind, Query};

use crate::guard::from::not_allowed;
use crate::guard::literal::{is_count, is_one_at_most};
use crate::guard::walk::{Outcome, Walk};

/// What the end of a query says of it.
pub(in crate::guard) struct Tail {
    /// It can fail on no row: the order is total, and the limits are literals.
    pub(in crate::guard) total: bool,
    /// One row at most.
    pub(in crate::guard) single_row: bool,
}

impl Walk<'_> {
    pub(in crate::guard) fn tail(&mut self, query: &Query) -> Outcome<Tail> {
        let mut tail = Tail { total: true, single_row: false };
        if let Some(OrderBy { kind, interpolate }) = &query.order_by {
            match kind {
                OrderByKind::Expressions(expressions) if interpolate.is_none() => {
                    self.order_by(expressions)?;
                    tail.total = expressions.iter().all(|item| self.measure(&item.expr).total);
                }
                _ => return Err(not_allowed("this form of ORDER BY")),
            }
        }
        match &query.limit_clause {
            None => {}
            Some(LimitClause::LimitOffset { limit, offset, limit_by }) if limit_by.is_empty() => {
                for expression in limit.iter().chain(offset.iter().map(|offset| &offset.value)) {
                    self.expression(expression)?;
                    tail.total &= self.number_holds(expression, is_count);
                }
                tail.single_row = limit.as_ref().is_some_and(|limit| self.number_holds(limit, is_one_at_most));
            }
            Some(_) => return Err(not_allowed("this form of LIMIT")),
        }
        if let Some(Fetch { percent, quantity, with_ties }) = &query.fetch {
            if *percent {
                return Err(not_allowed("FETCH … PERCENT"));
            }
            let mut single_row = true;
            if let Some(quantity) = quantity {
                self.expression(quantity)?;
                tail.total &= self.number_holds(quantity, is_count);
                single_row = self.number_holds(quantity, is_one_at_most);
            }
            tail.single_row = !with_ties && single_row;
        }
        Ok(tail)
    }

    pub(in crate::guard) fn order_by(&mut self, expressions: &[OrderByExpr]) -> Outcome<()> {
        for item in expressions {
            if item.with_fill.is_some() {
                return Err(not_allowed("WITH FILL"));
            }
            self.operand(&item.expr)?;
        }
        Ok(())
    }
}
