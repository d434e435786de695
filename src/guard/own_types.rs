//! What the database's own types are made of, and whether its columns' collations go together.

use std::collections::{HashMap, HashSet};

use crate::catalog::{Catalog, QualifiedName, Relation, TypeKind};

#[derive(Debug)]
pub(in crate::guard) struct OwnTypes {
    /// Of domains, what they are in the end.
    domains: HashMap<QualifiedName, QualifiedName>,
    /// Array types of enums, and those.
    enum_arrays: HashMap<QualifiedName, QualifiedName>,
    one_collation: bool,
}

impl OwnTypes {
    pub(in crate::guard) fn of(catalog: &Catalog) -> Self {
        let domains = catalog.types.iter().filter_map(|entry| {
            let base = entry.base.clone()?;
            Some((QualifiedName::new(&entry.schema, &entry.name), base))
        });
        let columns = catalog.relations.iter().flat_map(|relation| &relation.columns);
        let collations: HashSet<&QualifiedName> = columns.filter_map(|column| column.collation.as_ref()).collect();
        Self { domains: domains.collect(), enum_arrays: enum_arrays(catalog), one_collation: collations.len() <= 1 }
    }

    pub(in crate::guard) fn domain_base(&self, name: &QualifiedName) -> Option<&QualifiedName> {
        self.domains.get(name)
    }

    pub(in crate::guard) fn enum_of_array(&self, name: &QualifiedName) -> Option<&QualifiedName> {
        self.enum_arrays.get(name)
    }

    /// Whether no two columns can differ in collation, which makes a comparison of them fail. The default one gives way
    /// to any other.
    pub(in crate::guard) fn has_one_collation(&self) -> bool {
        self.one_collation
    }
}

/// `_mood` is the array type of `mood`, unless a table has that name.
fn enum_arrays(catalog: &Catalog) -> HashMap<QualifiedName, QualifiedName> {
    let taken: HashSet<QualifiedName> = catalog.relations.iter().map(Relation::qualified_name).collect();
    let enums = catalog.types.iter().filter(|entry| entry.kind == TypeKind::Enum);
    let arrays = enums.map(|entry| {
        let array = QualifiedName::new(&entry.schema, format!("_{}", entry.name));
        (array, QualifiedName::new(&entry.schema, &entry.name))
    });
    arrays.filter(|(array, _)| !taken.contains(array)).collect()
}
