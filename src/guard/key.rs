//! Keys that all tenants share: what a statement supplies must not ask whether a value exists elsewhere.

use std::collections::BTreeSet;

use crate::guard::rejection::{Code, Rejection};
use crate::guard::ruleset::{Lens, RelationRule};
use crate::guard::walk::{Outcome, Walk};

impl Walk<'_> {
    /// A key with an identity column counts as sealed, since its values cannot be chosen: so they must not be.
    pub(in crate::guard) fn overridden_identity(&self, rule: &RelationRule, supplied: &[String]) -> Outcome<()> {
        let overriding = (1..self.tokens.len())
            .any(|at| self.tokens.is_word(at - 1, "overriding") && self.tokens.is_word(at, "system"));
        let Lens::Scoped(column) = &rule.lens else { return Ok(()) };
        let identity = |name: &String| {
            let column = rule.relation.column(name);
            column.is_some_and(|column| column.identity == Some(crate::catalog::Identity::Always))
        };
        let chosen = rule.relation.keys.iter().find(|key| {
            !key.columns.contains(&column.name) && key.columns.iter().any(|name| supplied.contains(name) && identity(name))
        });
        match chosen.filter(|_| overriding) {
            None => Ok(()),
            Some(key) => Err(Rejection::new(
                Code::KeyOracle,
                format!("values for key \"{}\" cannot be supplied", key.name),
            )
            .detail("The key is shared by all tenants, so that its errors would tell whether a value exists elsewhere.")
            .hint("Leave its columns out, and OVERRIDING SYSTEM VALUE with them.")),
        }
    }

    /// `key_oracles = "refuse"`: keys without the tenant column may not be supplied.
    pub(in crate::guard) fn key_oracles(&self, rule: &RelationRule, supplied: &[String]) -> Outcome<()> {
        let Lens::Scoped(column) = &rule.lens else { return Ok(()) };
        if rule.key_oracles == crate::policy::KeyOracles::Accept {
            return Ok(());
        }
        let supplied: BTreeSet<&String> = supplied.iter().collect();
        let oracle = rule.relation.keys.iter().find(|key| {
            !key.columns.contains(&column.name) && key.columns.iter().any(|column| supplied.contains(column))
        });
        match oracle {
            None => Ok(()),
            Some(key) => Err(Rejection::new(
                Code::KeyOracle,
                format!("values for key \"{}\" cannot be supplied", key.name),
            )
            .detail("The key is shared by all tenants, so that its errors would tell whether a value exists elsewhere.")
            .hint("Leave its columns to their defaults, or have the key made to include the tenant column.")),
        }
    }
}
