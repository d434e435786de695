//! FOR UPDATE and FOR SHARE: rows that all tenants share are not locked by one of them.

use sqlparser::ast::LockClause;

use crate::guard::rejection::{Code, Rejection};
use crate::guard::ruleset::Lens;
use crate::guard::scope::Entry;
use crate::guard::walk::{Outcome, Walk};

impl Walk<'_> {
    /// The locks of a query whose level is on the stack.
    pub(in crate::guard) fn locks(&self, locks: &[LockClause]) -> Outcome<()> {
        let entries = self.levels.last().map(|level| level.entries.as_slice()).unwrap_or_default();
        for lock in locks {
            let named = lock.of.as_ref().map(|name| self.name_parts(name)).transpose()?;
            let locked = |entry: &&Entry| match (&named, &entry.name) {
                (Some(parts), Some(name)) => parts.last() == Some(name),
                _ => true,
            };
            let relations = entries.iter().filter(locked).filter_map(|entry| entry.relation.as_ref());
            if let Some(name) = relations.into_iter().find(|name| self.ruleset.system().lens(name).is_some()) {
                let message = format!("rows of \"{}\" cannot be locked here", name.name);
                return Err(Rejection::new(Code::RelationReadOnly, message).detail("They are PostgreSQL's own."));
            }
            if let Some(name) = entries.iter().filter(locked).find_map(|entry| self.shared_behind(entry)) {
                return Err(Rejection::new(
                    Code::RelationReadOnly,
                    format!("rows of \"{name}\" cannot be locked here"),
                )
                .detail("They are shared by all tenants.")
                .hint("Name the relations to be locked: FOR UPDATE OF ..."));
            }
        }
        Ok(())
    }

    /// A lock goes through subqueries in FROM to the tables inside: the first one there that all tenants share.
    pub(in crate::guard) fn shared_in_from(&self) -> Option<String> {
        self.levels.last()?.entries.iter().find_map(|entry| self.shared_behind(entry))
    }

    fn shared_behind(&self, entry: &Entry) -> Option<String> {
        let rule = entry.relation.as_ref().and_then(|relation| self.ruleset.relation(relation));
        let own = rule.filter(|rule| rule.lens == Lens::Shared && rule.read_only.is_some());
        own.map(|rule| rule.relation.name.clone()).or_else(|| entry.shared.clone())
    }
}
