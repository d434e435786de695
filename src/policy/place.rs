//! The policy as it is for one tenant's own schema or database: what is its own needs no filter.

use std::collections::BTreeSet;

use crate::catalog::{Catalog, QualifiedName, Relation, RelationKind};
use crate::policy::{FunctionIdentity, Isolation, KeyOracles, Place, Policy, TableKind, TableRule};

/// In a table's rule, the schema of whichever tenant has one of its own.
pub const OWN_SCHEMA: &str = "{schema}";

impl Policy {
    /// The policy and the catalogue in reach, for those who have a place of their own.
    pub fn at(&self, place: &Place, catalog: &Catalog) -> (Self, Catalog) {
        let mut policy = self.clone();
        let mut catalog = catalog.clone();
        match &place.isolation {
            Isolation::Column => {}
            Isolation::Database => {
                policy.tenancy.column = None;
                policy.own_tables(&catalog, &|_| true);
            }
            Isolation::Schema(own) => {
                policy.tenancy.search_path.insert(0, own.clone());
                let reach: BTreeSet<String> = policy.tenancy.search_path.iter().cloned().collect();
                let shown_elsewhere = outsiders(&catalog, &reach);
                let bound = bound_elsewhere(&catalog, own, &reach);
                policy.own_tables(&catalog, &|schema| schema == own);
                for name in bound {
                    if let Some(rule) =
                        policy.tables.get_mut(&name).filter(|rule| rule.kind == Some(TableKind::SharedWritable))
                    {
                        rule.kind = Some(TableKind::Shared);
                    }
                }
                catalog.relations.retain(|relation| reach.contains(&relation.schema));
                for name in shown_elsewhere {
                    policy.tables.insert(name, hidden());
                }
            }
        }
        if place.isolation != Isolation::Column {
            // What is not there cannot be reached: a rule for it is no fault here.
            let there: BTreeSet<QualifiedName> = catalog.relations.iter().map(Relation::qualified_name).collect();
            policy.tables.retain(|name, _| there.contains(name));
            let functions: BTreeSet<FunctionIdentity> = catalog
                .functions
                .iter()
                .map(|function| FunctionIdentity {
                    function: QualifiedName::new(&function.schema, &function.name),
                    arguments: function.arguments.clone(),
                })
                .collect();
            policy.functions.retain(|identity, _| functions.contains(identity));
        }
        (policy, catalog)
    }

    /// Every table in a schema of the tenant's own is read and written as it stands, unless a rule says less.
    fn own_tables(&mut self, catalog: &Catalog, is_own: &dyn Fn(&str) -> bool) {
        for relation in catalog.relations.iter().filter(|relation| is_own(&relation.schema)) {
            let name = relation.qualified_name();
            let template = QualifiedName::new(OWN_SCHEMA, &relation.name);
            let said = self.tables.get(&name).or_else(|| self.tables.get(&template)).cloned();
            let is_table = matches!(relation.kind, RelationKind::Table | RelationKind::PartitionedTable);
            let mut rule = said.unwrap_or_else(|| TableRule { kind: None, ..hidden() });
            rule.kind = match rule.kind {
                Some(TableKind::Hidden) => Some(TableKind::Hidden),
                Some(TableKind::Shared) => Some(TableKind::Shared),
                Some(TableKind::SharedWritable) => Some(TableKind::SharedWritable),
                Some(TableKind::Scoped) | None if is_table => Some(TableKind::SharedWritable),
                // A view is read as its definition.
                Some(TableKind::Scoped) | None => None,
            };
            rule.column = None;
            rule.sensitive.retain(|column, _| relation.column(column).is_some());
            self.tables.insert(name, rule);
        }
    }
}

/// Relations in reach that show rows of relations out of reach, which inherit from them or are partitions of them.
fn outsiders(catalog: &Catalog, reach: &BTreeSet<String>) -> BTreeSet<QualifiedName> {
    let mut found = BTreeSet::new();
    loop {
        let before = found.len();
        for relation in &catalog.relations {
            if !reach.contains(&relation.schema) || found.contains(&relation.qualified_name()) {
                found.extend(relation.parents.iter().cloned());
            }
        }
        if found.len() == before {
            return found;
        }
    }
}

/// Own tables that a foreign key binds to a relation out of reach, in either direction: what is written to them could tell
/// of its rows, or change them.
fn bound_elsewhere(catalog: &Catalog, own: &str, reach: &BTreeSet<String>) -> BTreeSet<QualifiedName> {
    let mut bound = BTreeSet::new();
    for relation in &catalog.relations {
        for reference in relation.keys.iter().filter_map(|key| key.references.as_ref()) {
            if relation.schema == own && !reach.contains(&reference.schema) {
                bound.insert(relation.qualified_name());
            }
            if reference.schema == own && !reach.contains(&relation.schema) {
                bound.insert(QualifiedName::new(&reference.schema, &reference.name));
            }
        }
    }
    bound
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
