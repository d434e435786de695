//! How well each relation keeps its tenants apart: the grades and findings that `check` prints.

use std::collections::BTreeMap;

use crate::catalog::Catalog;
use crate::catalog::Key;
use crate::catalog::KeyKind;
use crate::catalog::QualifiedName;
use crate::catalog::Reference;
use crate::catalog::Relation;
use crate::catalog::RelationKind;
use crate::guard::family::is_table;
use crate::guard::ruleset::Ruleset;
use crate::policy::KeyOracles;
use crate::policy::Policy;
use crate::policy::TableKind;

/// Whether a client can learn through a key's error that a value exists in another tenant's row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Grade {
    /// Every unique, exclusion and foreign key carries the tenant column, or no client can choose its value.
    Sealed,
    /// The names of the keys of which neither is true.
    KeyOracle(Vec<String>),
}

/// What a foreign key points at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target<'a> {
    /// Rows that are the same for all: that one exists is no secret.
    Shared,
    /// Rows of tenants, told apart by this column.
    Scoped(&'a str),
    /// Rows that no client may know of.
    Unreachable,
}

/// Grades a relation that is scoped by `tenant_column`.
///
/// That a column is `GENERATED ALWAYS AS IDENTITY` seals nothing: COPY and `OVERRIDING SYSTEM VALUE` supply a value
/// all the same. What seals a key without the tenant column is that every statement that supplies it is refused.
pub fn grade<'a>(
    relation: &Relation,
    tenant_column: &str,
    key_oracles: KeyOracles,
    target: &dyn Fn(&Reference) -> Target<'a>,
) -> Grade {
    // What the policy refuses to have supplied gives nothing away.
    let oracles = oracle_keys(relation, tenant_column, target).filter(|_| key_oracles == KeyOracles::Accept);
    let oracles: Vec<_> = oracles.map(|key| key.name.clone()).collect();
    if oracles.is_empty() { Grade::Sealed } else { Grade::KeyOracle(oracles) }
}

/// The keys that do not carry the tenant column, and so tell of other tenants' rows.
pub(in crate::guard) fn oracle_keys<'r, 'a>(
    relation: &'r Relation,
    tenant_column: &str,
    target: &dyn Fn(&Reference) -> Target<'a>,
) -> impl Iterator<Item = &'r Key> {
    // Where 'Acme' = 'acme', a key that carries the tenant column still has two tenants meet in it.
    let distinct = relation.column(tenant_column).is_some_and(|column| !column.nondeterministic_collation);
    let carries = move |key: &Key| match (key.kind, &key.references) {
        (KeyKind::Foreign, Some(reference)) => match target(reference) {
            Target::Shared => true,
            Target::Scoped(target_column) => distinct && pairs(key, reference, tenant_column, target_column),
            Target::Unreachable => false,
        },
        (KeyKind::Foreign, None) => false,
        (KeyKind::Primary | KeyKind::Unique | KeyKind::Exclusion, _) => {
            distinct && key.columns.iter().any(|column| column == tenant_column)
        }
    };
    relation.keys.iter().filter(move |key| !carries(key))
}

/// A foreign key that ties the tenant column to the target's: it can only point at the tenant's own rows.
fn pairs(key: &Key, reference: &Reference, tenant_column: &str, target_column: &str) -> bool {
    key.columns
        .iter()
        .zip(&reference.columns)
        .any(|(column, target)| column == tenant_column && target == target_column)
}

/// How clients reach a relation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Rows are filtered by this column.
    Scoped {
        column: String,
    },
    Shared,
    SharedWritable,
    /// The policy says that it does not exist.
    Hidden,
    /// A view that is read as its definition.
    Expanded {
        /// Why it cannot be written, if it cannot.
        read_only: Option<String>,
    },
    /// A view, materialized view or foreign table that no rule declares: it exists, and there is no way through it.
    Undeclared {
        /// Of a view: why its definition cannot stand in for it.
        reason: Option<String>,
    },
    /// No rule names it and it has no tenant column: it does not exist, but nobody said so.
    Unclassified,
}

/// One relation as `check` and `init` see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Surveyed<'a> {
    pub relation: &'a Relation,
    pub standing: Standing,
    /// Of scoped relations.
    pub grade: Option<Grade>,
    /// Triggers that the policy does not trust: they make a reachable table read-only.
    pub untrusted_triggers: Vec<&'a str>,
}

/// Looks at every relation of a catalogue through a policy, in the catalogue's order. Sequences are left out.
pub fn survey<'a>(policy: &'a Policy, catalog: &'a Catalog) -> Vec<Surveyed<'a>> {
    let relations = || catalog.relations.iter().filter(|relation| relation.kind != RelationKind::Sequence);
    let standings: BTreeMap<QualifiedName, Standing> =
        relations().map(|relation| (relation.qualified_name(), standing(policy, relation))).collect();
    let target = |reference: &Reference| match standings.get(&QualifiedName::new(&reference.schema, &reference.name)) {
        Some(Standing::Scoped { column }) => Target::Scoped(column),
        Some(Standing::Shared | Standing::SharedWritable) => Target::Shared,
        Some(Standing::Hidden | Standing::Expanded { .. } | Standing::Undeclared { .. } | Standing::Unclassified)
        | None => Target::Unreachable,
    };
    // Without a ruleset, whose faults are reported elsewhere, nothing is said of views.
    let ruleset = Ruleset::compile(policy, catalog).ok();
    relations()
        .map(|relation| {
            let view = ruleset.as_ref().and_then(|ruleset| ruleset.view_standing(&relation.qualified_name()));
            let standing = match standing(policy, relation) {
                Standing::Undeclared { reason } => view.unwrap_or(Standing::Undeclared { reason }),
                known => known,
            };
            let grade = match &standing {
                Standing::Scoped { column } => {
                    let rule = policy.tables.get(&relation.qualified_name());
                    let key_oracles = rule.map(|rule| rule.key_oracles).unwrap_or_default();
                    // With the keys of its partitions and children.
                    let compiled = ruleset.as_ref().and_then(|ruleset| ruleset.relation(&relation.qualified_name()));
                    let whole = compiled.map_or(relation, |rule| &rule.relation);
                    Some(grade(whole, column, key_oracles, &target))
                }
                _ => None,
            };
            Surveyed { relation, standing, grade, untrusted_triggers: untrusted_triggers(policy, relation) }
        })
        .collect()
}

fn standing(policy: &Policy, relation: &Relation) -> Standing {
    let rule = policy.tables.get(&relation.qualified_name());
    match rule.and_then(|rule| rule.kind) {
        Some(TableKind::Shared) => return Standing::Shared,
        Some(TableKind::SharedWritable) => return Standing::SharedWritable,
        Some(TableKind::Hidden) => return Standing::Hidden,
        Some(TableKind::Scoped) => {}
        None if is_table(relation) => {}
        None => return Standing::Undeclared { reason: None },
    }
    let column = rule.and_then(|rule| rule.column.as_deref()).or(policy.tenancy.column.as_deref());
    match column.and_then(|column| relation.column(column)) {
        Some(column) => Standing::Scoped { column: column.name.clone() },
        None => Standing::Unclassified,
    }
}

fn untrusted_triggers<'a>(policy: &Policy, relation: &'a Relation) -> Vec<&'a str> {
    let trusted = policy.tables.get(&relation.qualified_name()).map(|rule| rule.trusted_triggers.as_slice());
    let trusted = trusted.unwrap_or_default();
    relation.triggers.iter().filter(|trigger| !trusted.contains(trigger)).map(String::as_str).collect()
}
