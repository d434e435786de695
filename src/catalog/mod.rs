//! The upstream's schema as an immutable value: what the guard knows of relations, columns, keys, functions, types and operators.

mod file;

pub use file::CatalogError;

use serde::{Deserialize, Serialize};

/// A snapshot of one upstream database. Written and read as JSON by `partywall catalog`.
///
/// A relation that is not in it does not exist for a client.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Catalog {
    /// The form of this file; 1.
    pub format: u32,
    /// `server_version_num`, 150018 for 15.18.
    pub server_version: u32,
    pub database: String,
    pub relations: Vec<Relation>,
    /// Functions outside `pg_catalog`.
    pub functions: Vec<Function>,
    /// Operators outside `pg_catalog`.
    pub operators: Vec<Operator>,
    /// Types outside `pg_catalog` that a column or a cast may name (no row types of relations, no array types).
    pub types: Vec<Type>,
}

pub const CATALOG_FORMAT: u32 = 1;

/// `schema.name`, exactly as in the catalogue: case kept, no quotes.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QualifiedName {
    pub schema: String,
    pub name: String,
}

impl QualifiedName {
    pub fn new(schema: impl Into<String>, name: impl Into<String>) -> Self {
        Self { schema: schema.into(), name: name.into() }
    }
}

impl std::fmt::Display for QualifiedName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.schema, self.name)
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Relation {
    pub schema: String,
    pub name: String,
    pub kind: RelationKind,
    /// In the order of `attnum`, dropped columns left out.
    pub columns: Vec<Column>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<Key>,
    /// Tables that this one inherits from or is a partition of.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parents: Vec<QualifiedName>,
    /// The body of a view or materialized view, by `pg_get_viewdef`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub definition: Option<String>,
    /// A view with `security_barrier`: conditions from outside do not see rows that it does not show.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub security_barrier: bool,
    /// Names of rules other than a view's own `_RETURN`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<String>,
    /// Names of triggers that are not made by the server itself (foreign keys).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub triggers: Vec<String>,
    /// Row-level security is enabled.
    #[serde(default)]
    pub row_security: bool,
}

impl Relation {
    pub fn qualified_name(&self) -> QualifiedName {
        QualifiedName::new(&self.schema, &self.name)
    }

    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RelationKind {
    Table,
    PartitionedTable,
    View,
    MaterializedView,
    ForeignTable,
    Sequence,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Column {
    pub name: String,
    /// The type's schema and internal name: `pg_catalog` and `int4`, `varchar`, `_text`; `public` and `mood`.
    pub type_schema: String,
    pub type_name: String,
    pub not_null: bool,
    /// It has a default, of whatever form (identity and generated columns included).
    #[serde(default)]
    pub has_default: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<Identity>,
    /// `GENERATED ALWAYS AS (…) STORED`.
    #[serde(default)]
    pub generated: bool,
    /// Where it is another than the database's default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub collation: Option<QualifiedName>,
    /// Its collation is not deterministic: texts that differ can be equal.
    #[serde(default)]
    pub nondeterministic_collation: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Identity {
    Always,
    ByDefault,
}

/// A primary key, unique constraint or index, exclusion constraint, or foreign key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Key {
    /// The constraint's name, or the index's where there is no constraint.
    pub name: String,
    pub kind: KeyKind,
    /// Plain columns of the key; of a foreign key, the referencing ones.
    pub columns: Vec<String>,
    /// It has expressions beside the columns.
    #[serde(default)]
    pub has_expressions: bool,
    /// A partial index.
    #[serde(default)]
    pub partial: bool,
    /// A constraint that can be deferred: no other columns depend on its own, and no conflict is resolved by it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub deferrable: bool,
    /// A foreign key's target and its columns.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub references: Option<Reference>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyKind {
    Primary,
    Unique,
    Exclusion,
    Foreign,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reference {
    pub schema: String,
    pub name: String,
    pub columns: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Function {
    pub schema: String,
    pub name: String,
    /// `pg_get_function_identity_arguments` without names: `integer, text`.
    pub arguments: String,
    pub kind: FunctionKind,
    pub volatility: Volatility,
    pub leakproof: bool,
    pub security_definer: bool,
    /// `sql`, `plpgsql`, `c`, `internal`, …
    pub language: String,
    /// It takes or gives a value of a type whose input looks names up.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub looks_up: bool,
    /// The extension that it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extension: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FunctionKind {
    Function,
    Procedure,
    Aggregate,
    Window,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Volatility {
    Immutable,
    Stable,
    Volatile,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Operator {
    pub schema: String,
    /// Its symbol: `=`, `~~`, `<->`.
    pub name: String,
    /// The types of its operands; none on the left of a prefix operator.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left: Option<QualifiedName>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub right: Option<QualifiedName>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extension: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Type {
    pub schema: String,
    pub name: String,
    pub kind: TypeKind,
    /// Of a domain: the type that it is made of, which is no domain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<QualifiedName>,
    /// Of an enum: its labels, in their order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub labels: Vec<String>,
    /// Of a composite type: the names of its attributes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attributes: Vec<String>,
    /// Its input looks names up, as that of `regclass` does, or the input of a part of it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub looks_up: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extension: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TypeKind {
    Base,
    Enum,
    Domain,
    Composite,
    Range,
}
