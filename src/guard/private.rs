//! The temporary tables that a session may have made, by their names: reached as `pg_temp.name` and in no other way.
//!
//! The set may hold more than there is (a CREATE that failed or was undone): such a name then leads to nothing, since no
//! name of the catalogue gets in.

use std::collections::{BTreeMap, BTreeSet};

use crate::catalog::{QualifiedName, Relation, RelationKind};
use crate::guard::ruleset::{Lens, RelationRule};
use crate::sql::{Body, Script, TemporaryStatement, Tokens};

/// The schema that is each session's own.
pub(in crate::guard) const SCHEMA: &str = "pg_temp";

/// Names of temporary tables.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct PrivateRelations {
    names: BTreeSet<String>,
}

impl PrivateRelations {
    /// Of a session that has made none.
    pub fn none() -> &'static Self {
        static NONE: PrivateRelations = PrivateRelations { names: BTreeSet::new() };
        &NONE
    }

    pub fn len(&self) -> usize {
        self.names.len()
    }

    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    pub fn contains(&self, name: &str) -> bool {
        self.names.contains(name)
    }

    pub fn insert(&mut self, name: &str) {
        self.names.insert(name.to_owned());
    }

    pub fn remove(&mut self, name: &str) {
        self.names.remove(name);
    }

    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(String::as_str)
    }
}

/// What a statement does to the session's temporary tables.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum TemporaryEffect {
    #[default]
    None,
    Creates(String),
    /// ON COMMIT DROP: it ends with the transaction, however that ends.
    CreatesUntilCommit(String),
    Drops(Vec<String>),
}

/// The session's own relations as rules: those that it has, and those that the text makes.
pub(in crate::guard) fn rules(private: &PrivateRelations, script: &Script<'_>) -> BTreeMap<String, RelationRule> {
    let made = script.statements.iter().filter_map(|statement| match &statement.body {
        Body::Temporary(statement, _) => match statement.as_ref() {
            TemporaryStatement::Create(create) => private_name(&script.tokens, &create.name),
            _ => None,
        },
        _ => None,
    });
    private.names.iter().cloned().chain(made).map(|name| (name.clone(), rule(name))).collect()
}

/// `name` or `pg_temp.name`.
pub(in crate::guard) fn private_name(tokens: &Tokens<'_>, range: &std::ops::Range<usize>) -> Option<String> {
    let parts: Option<Vec<String>> = range.clone().step_by(2).map(|token| tokens.identifier(token)).collect();
    match parts?.as_slice() {
        [name] => Some(name.clone()),
        [schema, name] if schema == SCHEMA => Some(name.clone()),
        _ => None,
    }
}

pub(in crate::guard) fn qualified(name: &str) -> QualifiedName {
    QualifiedName::new(SCHEMA, name)
}

fn rule(name: String) -> RelationRule {
    RelationRule {
        relation: Relation {
            schema: SCHEMA.to_owned(),
            name,
            kind: RelationKind::Table,
            columns: Vec::new(),
            keys: Vec::new(),
            parents: Vec::new(),
            definition: None,
            rules: Vec::new(),
            triggers: Vec::new(),
            row_security: false,
            security_barrier: false,
        },
        lens: Lens::Private,
        sensitive: BTreeMap::new(),
        refused_keys: Vec::new(),
        read_only: None,
    }
}
