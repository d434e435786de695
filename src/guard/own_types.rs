//! What the database's own types are made of, and whether its columns' collations go together.

use std::collections::{HashMap, HashSet};

use crate::catalog::{Catalog, Column, QualifiedName, Relation, TypeKind};
use crate::guard::extensions::OwnType;
use crate::guard::kind::REGS;

#[derive(Debug)]
pub(in crate::guard) struct OwnTypes {
    /// Of domains, what they are in the end.
    domains: HashMap<QualifiedName, QualifiedName>,
    /// Array types of enums, and those.
    enum_arrays: HashMap<QualifiedName, QualifiedName>,
    of_extensions: HashMap<QualifiedName, OwnType>,
    one_collation: bool,
    /// Types, rows of tables included, whose input looks names up, or that of a part of theirs.
    looking_up: HashSet<QualifiedName>,
}

impl OwnTypes {
    pub(in crate::guard) fn of(catalog: &Catalog) -> Self {
        let domains = catalog.types.iter().filter_map(|entry| {
            let base = entry.base.clone()?;
            Some((QualifiedName::new(&entry.schema, &entry.name), base))
        });
        let of_extensions = catalog.types.iter().filter_map(|entry| {
            let name = QualifiedName::new(&entry.schema, &entry.name);
            OwnType::of(catalog, &name).map(|own| (name, own))
        });
        let columns = catalog.relations.iter().flat_map(|relation| &relation.columns);
        let collations: HashSet<&QualifiedName> = columns.filter_map(|column| column.collation.as_ref()).collect();
        Self {
            domains: domains.collect(),
            enum_arrays: enum_arrays(catalog),
            of_extensions: of_extensions.collect(),
            one_collation: collations.len() <= 1,
            looking_up: looking_up(catalog),
        }
    }

    /// Whether a type's input, or its array's, looks names up.
    pub(in crate::guard) fn looks_up(&self, name: &QualifiedName) -> bool {
        looks_up(&self.looking_up, name)
    }

    /// Whether the database has types or rows of that kind.
    pub(in crate::guard) fn holds_reg(&self) -> bool {
        !self.looking_up.is_empty()
    }

    pub(in crate::guard) fn domain_base(&self, name: &QualifiedName) -> Option<&QualifiedName> {
        self.domains.get(name)
    }

    pub(in crate::guard) fn of_extension(&self, name: &QualifiedName) -> Option<OwnType> {
        self.of_extensions.get(name).copied()
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

fn looking_up(catalog: &Catalog) -> HashSet<QualifiedName> {
    let types = catalog.types.iter().filter(|entry| entry.looks_up || entry.base.as_ref().is_some_and(is_reg));
    let mut found: HashSet<QualifiedName> = types.map(|entry| QualifiedName::new(&entry.schema, &entry.name)).collect();
    // Rows of tables can be columns of others.
    loop {
        let is_one = |column: &Column| {
            let name = QualifiedName::new(&column.type_schema, &column.type_name);
            is_reg(&name) || looks_up(&found, &name)
        };
        let more = catalog.relations.iter().filter(|relation| relation.columns.iter().any(is_one));
        let more: Vec<QualifiedName> =
            more.map(Relation::qualified_name).filter(|name| !found.contains(name)).collect();
        if more.is_empty() {
            return found;
        }
        found.extend(more);
    }
}

fn looks_up(looking_up: &HashSet<QualifiedName>, name: &QualifiedName) -> bool {
    let element = name.name.strip_prefix('_').map(|element| QualifiedName::new(&name.schema, element));
    looking_up.contains(name) || element.is_some_and(|element| looking_up.contains(&element))
}

fn is_reg(name: &QualifiedName) -> bool {
    name.schema == "pg_catalog" && REGS.contains(&name.name.trim_start_matches('_'))
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
