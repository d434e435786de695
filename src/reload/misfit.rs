//! A schema that changed under a policy: what does not fit any more is withdrawn, the rest goes on.

use std::collections::BTreeMap;

use crate::catalog::Catalog;
use crate::guard::{Diagnostic, Ruleset};
use crate::policy::{KeyOracles, Policy, TableKind, TableRule};

/// Withdrawing a thing can show that another does not fit; this often, and it is given up.
const ROUNDS_MAX: usize = 4;

/// Rules for a schema that the policy does not fit in places, without those places.
///
/// The operator signed off a policy for another schema than the one that is there now, and there are three ways to go
/// on. Keeping the old rules would judge statements by tables, views and triggers that are not there any more: what
/// a name means may have changed under it. Refusing everything would turn each dropped table into an outage for
/// every tenant. So the tables and functions that a diagnostic names become unreachable, and all others follow the
/// schema as it is. Where that is not enough (the diagnostic concerns the policy as a whole), there are no such rules.
pub(super) fn compile_without(policy: &Policy, catalog: &Catalog, diagnostics: Vec<Diagnostic>) -> Option<Ruleset> {
    let mut reduced = policy.clone();
    let mut diagnostics = diagnostics;
    for _ in 0..ROUNDS_MAX {
        for diagnostic in &diagnostics {
            withdraw(&mut reduced, catalog, &diagnostic.path)?;
        }
        match Ruleset::compile(&reduced, catalog) {
            Ok(ruleset) => return Some(ruleset),
            Err(found) => diagnostics = found,
        }
    }
    None
}

/// `None`: the path names neither a table nor a function nor an extension.
fn withdraw(policy: &mut Policy, catalog: &Catalog, path: &str) -> Option<()> {
    let there = catalog.relations.iter().map(|relation| relation.qualified_name());
    if let Some(name) = there.into_iter().find(|name| is_below(path, "table", &name.to_string())) {
        // Named explicitly: a table must not fall back to the rule for those that the policy does not name.
        policy.tables.insert(name, hidden());
        return Some(());
    }
    let gone = policy.tables.keys().find(|name| is_below(path, "table", &name.to_string())).cloned();
    if let Some(name) = gone {
        policy.tables.remove(&name);
        return Some(());
    }
    let extension = policy.extensions.iter().find(|name| is_below(path, "functions.extensions", name)).cloned();
    if let Some(name) = extension {
        policy.extensions.remove(&name);
        return Some(());
    }
    let function = policy
        .functions
        .keys()
        .find(|identity| is_below(path, "function", &format!("{}({})", identity.function, identity.arguments)))?;
    // All overloads: which one a call means depends on types that only the server knows.
    let name = function.function.clone();
    policy.functions.retain(|identity, _| identity.function != name);
    Some(())
}

/// `path` is `<section>."<key>"` or lies below it.
fn is_below(path: &str, section: &str, key: &str) -> bool {
    let rest = path.strip_prefix(section).and_then(|rest| rest.strip_prefix(".\""));
    rest.and_then(|rest| rest.strip_prefix(key)).is_some_and(|rest| rest == "\"" || rest.starts_with("\"."))
}

fn hidden() -> TableRule {
    TableRule {
        kind: Some(TableKind::Hidden),
        column: None,
        sensitive: BTreeMap::new(),
        key_oracles: KeyOracles::default(),
        trusted_triggers: Vec::new(),
    }
}
