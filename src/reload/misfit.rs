//! A schema that changed under a policy: what does not fit any more is withdrawn, the rest goes on.

use crate::catalog::Catalog;
use crate::guard::{Diagnostic, Ruleset};
use crate::policy::{KeyOracles, Policy, TableKind, TableRule, written_name};

/// Rules for a schema that the policy does not fit in places, without those places.
///
/// The operator signed off a policy for another schema than the one that is there now, and there are three ways to go
/// on. Keeping the old rules would judge statements by tables, views and triggers that are not there any more: what
/// a name means may have changed under it. Refusing everything would turn each dropped table into an outage for
/// every tenant. So the tables and functions that a diagnostic names become unreachable, and all others follow the
/// schema as it is. Where that is not enough (the diagnostic concerns the policy as a whole), there are no such rules.
pub(super) fn compile_without(policy: &Policy, catalog: &Catalog, diagnostics: &[Diagnostic]) -> Option<Ruleset> {
    let mut reduced = policy.clone();
    for diagnostic in diagnostics {
        withdraw(&mut reduced, policy, catalog, diagnostic)?;
    }
    Ruleset::compile(&reduced, catalog).ok()
}

fn withdraw(reduced: &mut Policy, policy: &Policy, catalog: &Catalog, diagnostic: &Diagnostic) -> Option<()> {
    let table = policy.tables.keys().find(|name| is_below(&diagnostic.path, "table", &written_name(name)));
    if let Some(name) = table {
        reduced.tables.remove(name);
        // A table that is still there must not fall back to the rule for tables that the policy does not name.
        if catalog.relations.iter().any(|relation| relation.qualified_name() == *name) {
            reduced.tables.insert(name.clone(), hidden());
        }
        return Some(());
    }
    let function = policy.functions.keys().find(|identity| {
        is_below(&diagnostic.path, "function", &format!("{}({})", written_name(&identity.function), identity.arguments))
    });
    function.and_then(|identity| reduced.functions.remove(identity)).map(|_| ())
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
        sensitive: std::collections::BTreeMap::new(),
        key_oracles: KeyOracles::default(),
        trusted_triggers: Vec::new(),
    }
}
