//! The temporary tables that a session may have made: a name is in from the moment its CREATE is sent, and out once it is
//! sure to be gone. A name too many leads to nothing; one too few would be refused.

use std::collections::BTreeSet;

use crate::guard::{Decision, Facts, PrivateRelations, TemporaryEffect};
use crate::wire::report::Report;

#[derive(Debug, Default)]
pub(crate) struct TemporaryTables {
    names: PrivateRelations,
    /// Dropped in a transaction that may still be undone.
    dropped: BTreeSet<String>,
}

impl TemporaryTables {
    pub(crate) fn names(&self) -> &PrivateRelations {
        &self.names
    }

    /// Before a text is sent. Fails where it would make too many.
    pub(crate) fn expect(&mut self, decision: &Decision, tables_max: usize) -> Result<(), Report> {
        let new = created(decision.facts()).filter(|name| !self.names.contains(name)).collect::<BTreeSet<_>>().len();
        if new > 0 && self.names.len().saturating_add(new) > tables_max {
            return Err(Report::new("54000", "too many temporary tables in one session")
                .detail(format!("A session may have {tables_max} temporary tables."))
                .hint("Drop those that are no longer used, or use DISCARD TEMP."));
        }
        self.sent(decision);
        Ok(())
    }

    /// What was let through once is sent once more.
    pub(crate) fn sent(&mut self, decision: &Decision) {
        for name in created(decision.facts()) {
            self.names.insert(name);
            self.dropped.remove(name);
        }
    }

    /// The server has run a statement that does this, and said so with `tag`.
    pub(crate) fn completed(&mut self, effect: &TemporaryEffect, tag: &[u8]) {
        match effect {
            TemporaryEffect::None => {}
            TemporaryEffect::Creates(name) => drop(self.dropped.remove(name)),
            TemporaryEffect::Drops(names) => self.dropped.extend(names.iter().cloned()),
        }
        match tag {
            b"ROLLBACK" => self.dropped.clear(),
            b"DISCARD ALL" | b"DISCARD TEMP" => self.dropped.extend(self.names.names().map(str::to_owned)),
            _ => {}
        }
    }

    /// The transaction under way, or a part of it, is undone.
    pub(crate) fn undone(&mut self) {
        self.dropped.clear();
    }

    /// No transaction is under way, and nothing is that could make one of them again.
    pub(crate) fn settled(&mut self) {
        for name in std::mem::take(&mut self.dropped) {
            self.names.remove(&name);
        }
    }
}

fn created(facts: &Facts) -> impl Iterator<Item = &str> {
    facts.statements.iter().filter_map(|statement| match &statement.temporary {
        TemporaryEffect::Creates(name) => Some(name.as_str()),
        TemporaryEffect::None | TemporaryEffect::Drops(_) => None,
    })
}
