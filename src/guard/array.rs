//! Arrays as they are written: with ARRAY before the bracket, or inside of such a one.

use sqlparser::ast::Expr;

use crate::guard::walk::{Outcome, Walk};

impl Walk<'_> {
    pub(in crate::guard) fn elements(&mut self, elements: &[Expr]) -> Outcome<()> {
        elements.iter().try_for_each(|element| match element {
            Expr::Array(inner) if !inner.named => self.elements(&inner.elem),
            other => self.expression(other),
        })
    }
}
