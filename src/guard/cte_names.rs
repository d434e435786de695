//! The names of all common table expressions of a statement.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use sqlparser::ast::{Query, Visitor};

use crate::sql::ident_value;

pub(in crate::guard) struct CteNames<'a>(pub(in crate::guard) &'a mut BTreeSet<String>);

impl Visitor for CteNames<'_> {
    type Break = ();
    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        let ctes = query.with.iter().flat_map(|with| &with.cte_tables);
        self.0.extend(ctes.map(|cte| ident_value(&cte.alias.name)));
        ControlFlow::Continue(())
    }
}
