//! Where the sets of what is in reach stand: once, before the statement that asks for them.

use sqlparser::ast::{Query, SetExpr, Statement as Tree};

use crate::guard::from::not_allowed;
use crate::guard::rejection::{Code, Rejection};
use crate::guard::system::reach::PREFIX;
use crate::guard::walk::{Outcome, Walk};
use crate::sql::token_range;

impl Walk<'_> {
    /// Puts before a statement the sets that its lenses ask for.
    pub(in crate::guard) fn hoist_sets(&mut self, tree: &Tree) -> Outcome<()> {
        let texts = std::mem::take(&mut self.system_texts);
        // A table made of it would have columns whose input looks names up.
        let keeps_nothing = matches!(tree, Tree::Query(_) | Tree::Insert(_) | Tree::Update(_) | Tree::Delete(_));
        if !texts.is_empty() && self.ruleset.system().shows_structure() && !keeps_nothing {
            return Err(unclear());
        }
        let Some(ctes) = self.ruleset.system().ctes(&texts) else { return Ok(()) };
        let is_ours = |at: usize| self.tokens.identifier(at).is_some_and(|name| name.starts_with(PREFIX));
        if (0..self.tokens.len()).any(is_ours) {
            return Err(Rejection::new(
                Code::FeatureNotAllowed,
                format!("names that begin with {PREFIX} are not allowed"),
            )
            .detail("Partywall uses them itself."));
        }
        let with = match tree {
            Tree::Query(query) => query.with.as_ref(),
            _ => None,
        };
        if let Some(with) = with {
            let keyword = token_range(with.with_token.0.span).map(|range| range.start).ok_or_else(unclear)?;
            let keyword = if with.recursive { keyword + 1 } else { keyword };
            self.after(keyword, format!("{ctes},"));
            return Ok(());
        }
        let first = match tree {
            Tree::Query(query) => query_start(query),
            Tree::Insert(insert) => token_range(insert.insert_token.0.span).map(|range| range.start),
            Tree::Update(update) => token_range(update.update_token.0.span).map(|range| range.start),
            Tree::Delete(delete) => token_range(delete.delete_token.0.span).map(|range| range.start),
            _ => None,
        };
        self.before(first.ok_or_else(unclear)?, format!("WITH {ctes}"));
        Ok(())
    }
}

/// The first token of a query, the brackets that it opens with included.
fn query_start(query: &Query) -> Option<usize> {
    match &query.with {
        Some(with) => token_range(with.with_token.0.span).map(|range| range.start),
        None => body_start(&query.body),
    }
}

fn body_start(body: &SetExpr) -> Option<usize> {
    match body {
        SetExpr::Select(select) => token_range(select.select_token.0.span).map(|range| range.start),
        SetExpr::Query(query) => query_start(query)?.checked_sub(1),
        SetExpr::SetOperation { left, .. } => body_start(left),
        _ => None,
    }
}

fn unclear() -> Rejection {
    not_allowed("a system catalog in a statement of this form").hint("Read it by a SELECT of its own.")
}
