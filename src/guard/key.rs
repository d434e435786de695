//! Keys that all tenants share: what a statement supplies must not ask whether a value exists elsewhere.

use crate::catalog::Key;
use crate::guard::rejection::{Code, Rejection};
use crate::guard::ruleset::RelationRule;
use crate::guard::walk::{Outcome, Walk};

impl Walk<'_> {
    /// `key_oracles = "refuse"`: keys without the tenant column may not be supplied. Nor may, ever, names that the
    /// server looks up.
    pub(in crate::guard) fn key_oracles(&self, rule: &RelationRule, supplied: &[String]) -> Outcome<()> {
        self.writes_no_reg(&rule.relation.columns, supplied)?;
        // What an expression is made of is not known here: any column could be in it.
        let supplies = |key: &Key| {
            key.columns.iter().any(|column| supplied.contains(column)) || (key.has_expressions && !supplied.is_empty())
        };
        match rule.refused_keys.iter().find(|key| supplies(key)) {
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
