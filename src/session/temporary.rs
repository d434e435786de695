//! The temporary tables that a session may have made: a name is in from the moment its CREATE is sent, and out once it is
//! sure to be gone. A name too many leads to nothing; one too few would be refused.
//!
//! Each belongs to the tenant for which it was made: while the session acts for another one, there is no such name.

use std::collections::{BTreeMap, BTreeSet};

use crate::guard::{Decision, Facts, PrivateRelations, TemporaryEffect};
use crate::tenant::TenantId;
use crate::wire::report::Report;

#[derive(Debug, Default)]
pub(crate) struct TemporaryTables {
    owners: BTreeMap<String, Option<TenantId>>,
    tenant: Option<TenantId>,
    /// Those of this tenant.
    names: PrivateRelations,
    /// Dropped in a transaction that may still be undone.
    dropped: BTreeSet<String>,
}

impl TemporaryTables {
    pub(crate) fn new(tenant: Option<TenantId>) -> Self {
        Self { tenant, ..Self::default() }
    }

    pub(crate) fn names(&self) -> &PrivateRelations {
        &self.names
    }

    /// The session acts for this tenant from now on.
    pub(crate) fn act_for(&mut self, tenant: Option<&TenantId>) {
        if self.tenant.as_ref() == tenant {
            return;
        }
        self.tenant = tenant.cloned();
        self.names = PrivateRelations::default();
        let own = self.owners.iter().filter(|(_, owner)| **owner == self.tenant);
        own.for_each(|(name, _)| self.names.insert(name));
    }

    /// Before a text is sent. Fails where it would make too many, or one under a name that another tenant's has: the server
    /// would find that one instead, which `IF NOT EXISTS` takes for its own.
    pub(crate) fn expect(&mut self, decision: &Decision, tables_max: usize) -> Result<(), Report> {
        for name in created(decision.facts()) {
            if self.owners.get(name).is_some_and(|owner| *owner != self.tenant) {
                return Err(Report::new("42P07", format!("temporary table \"{name}\" cannot be made now"))
                    .detail("The session has acted for another tenant, and has a table of that name from then.")
                    .hint("Drop temporary tables before the tenant changes, or use DISCARD TEMP."));
            }
        }
        let new = created(decision.facts()).filter(|name| !self.names.contains(name)).collect::<BTreeSet<_>>().len();
        if new > 0 && self.owners.len().saturating_add(new) > tables_max {
            return Err(Report::new("54000", "too many temporary tables in one session")
                .detail(format!("A session may have {tables_max} temporary tables."))
                .hint("Drop those that are no longer used, or use DISCARD TEMP."));
        }
        for name in created(decision.facts()) {
            self.owners.insert(name.to_owned(), self.tenant.clone());
            self.names.insert(name);
            self.dropped.remove(name);
        }
        Ok(())
    }

    /// The server has run a statement that does this, and said so with `tag`.
    pub(crate) fn completed(&mut self, effect: &TemporaryEffect, tag: &[u8]) {
        match effect {
            TemporaryEffect::None => {}
            TemporaryEffect::Creates(name) => drop(self.dropped.remove(name)),
            TemporaryEffect::CreatesUntilCommit(name) => drop(self.dropped.insert(name.clone())),
            TemporaryEffect::Drops(names) => {
                self.dropped.extend(names.iter().filter(|name| self.names.contains(name)).cloned());
            }
        }
        match tag {
            b"ROLLBACK" => self.dropped.clear(),
            b"DISCARD ALL" | b"DISCARD TEMP" => self.dropped.extend(self.owners.keys().cloned()),
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
            self.owners.remove(&name);
            self.names.remove(&name);
        }
    }
}

fn created(facts: &Facts) -> impl Iterator<Item = &str> {
    facts.statements.iter().filter_map(|statement| match &statement.temporary {
        TemporaryEffect::Creates(name) | TemporaryEffect::CreatesUntilCommit(name) => Some(name.as_str()),
        TemporaryEffect::None | TemporaryEffect::Drops(_) => None,
    })
}
