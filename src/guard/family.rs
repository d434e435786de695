//! Partitions and children: rows that can be named by several tables must be a tenant's by the same column in all.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::catalog::{Catalog, Key, KeyKind, QualifiedName, Relation, RelationKind};
use crate::guard::ruleset::{Diagnostic, Lens, RelationRule, TenantColumn};
use crate::policy::{Policy, TableKind};

/// Holds each table against those that inherit from it or are partitions of it, at any depth.
pub(in crate::guard) fn compile_families(
    policy: &Policy,
    catalog: &Catalog,
    relations: &mut HashMap<QualifiedName, RelationRule>,
    diagnostics: &mut Vec<Diagnostic>,
) {
    let by_name: BTreeMap<QualifiedName, &Relation> =
        catalog.relations.iter().map(|relation| (relation.qualified_name(), relation)).collect();
    for (name, child) in &by_name {
        for ancestor in ancestors(&by_name, child) {
            let Some(parent) = relations.get(&ancestor) else { continue };
            if let Some((culprit, message)) = mismatch(&parent.lens, &ancestor, relations.get(name), child) {
                diagnostics.push(Diagnostic { path: format!("table.\"{culprit}\""), message });
                continue;
            }
            let shared =
                |name| policy.tables.get(name).map(|rule| rule.trusted_triggers.as_slice()).unwrap_or_default();
            let is_trusted = |trigger: &String| shared(name).contains(trigger) || shared(&ancestor).contains(trigger);
            let untrusted = child.triggers.iter().find(|trigger| !is_trusted(trigger));
            let is_foreign = child.kind == RelationKind::ForeignTable
                && policy.tables.get(name).and_then(|rule| rule.kind) != Some(TableKind::Scoped);
            if let Some(parent) = relations.get_mut(&ancestor) {
                join(parent, child, untrusted);
                if is_foreign && matches!(parent.lens, Lens::Scoped(_)) {
                    // What another server does with a condition is not known.
                    parent.lens = Lens::Undeclared("table with a foreign partition");
                }
            }
        }
    }
}

fn ancestors(by_name: &BTreeMap<QualifiedName, &Relation>, child: &Relation) -> BTreeSet<QualifiedName> {
    let mut found = BTreeSet::new();
    let mut pending = child.parents.clone();
    while let Some(name) = pending.pop() {
        if found.insert(name.clone()) {
            pending.extend(by_name.get(&name).into_iter().flat_map(|parent| parent.parents.iter().cloned()));
        }
    }
    found
}

/// What is wrong between a parent and a relation whose rows it shows, and which of them shows too much.
fn mismatch(
    parent: &Lens,
    name: &QualifiedName,
    child: Option<&RelationRule>,
    relation: &Relation,
) -> Option<(QualifiedName, String)> {
    let own_name = relation.qualified_name();
    match (parent, child.map(|rule| &rule.lens)) {
        (Lens::Scoped(column), None) if relation.column(&column.name).is_none() => {
            let message = format!("its child {own_name} has no column \"{}\", by which it is scoped", column.name);
            Some((name.clone(), message))
        }
        (Lens::Scoped(column), Some(Lens::Scoped(own))) if !same(column, own) => {
            let (own, column) = (&own.name, &column.name);
            let message =
                format!("is scoped by \"{own}\", but its parent {name}, which shows its rows, by \"{column}\"");
            Some((own_name, message))
        }
        (Lens::Scoped(_), Some(Lens::Shared)) => {
            let message = format!("is shared, but its parent {name}, which shows its rows, is scoped by tenant");
            Some((own_name, message))
        }
        (Lens::Shared, Some(Lens::Scoped(_))) => {
            let message = format!("is shared, but shows the rows of its child {own_name}, which is scoped by tenant");
            Some((name.clone(), message))
        }
        _ => None,
    }
}

fn same(column: &TenantColumn, other: &TenantColumn) -> bool {
    column.name == other.name && column.column_type == other.column_type
}

/// What is written to or read from the parent may reach the child's triggers, keys and NULLs.
fn join(parent: &mut RelationRule, child: &Relation, untrusted_trigger: Option<&String>) {
    let Lens::Scoped(column) = &mut parent.lens else { return };
    column.not_null &= child.column(&column.name).is_some_and(|own| own.not_null);
    if let (None, Some(trigger)) = (&parent.read_only, untrusted_trigger) {
        parent.read_only =
            Some(format!("trigger \"{trigger}\" of {} is not among its trusted_triggers in the policy", child.name));
    }
    for key in &child.keys {
        if !parent.relation.keys.iter().any(|known| is_same_key(known, key)) {
            // Not the parent's primary key: nothing depends on it.
            let kind = if key.kind == KeyKind::Primary { KeyKind::Unique } else { key.kind };
            parent.relation.keys.push(Key { kind, ..key.clone() });
        }
    }
}

fn is_same_key(left: &Key, right: &Key) -> bool {
    let is_unique = |key: &Key| matches!(key.kind, KeyKind::Primary | KeyKind::Unique);
    (left.kind == right.kind || (is_unique(left) && is_unique(right)))
        && left.columns == right.columns
        && left.has_expressions == right.has_expressions
        && left.partial == right.partial
        && left.references == right.references
}

pub(in crate::guard) fn is_table(relation: &Relation) -> bool {
    matches!(relation.kind, RelationKind::Table | RelationKind::PartitionedTable)
}
