//! What a person declares: tables, functions, logins. The file that a security reviewer reads and signs off.

mod document;
mod file;
mod name;
mod raw;
mod schema;
mod secret;
mod shape;
mod place;
mod tenant_set;
mod tenants;

pub use document::FileError;
pub use name::printable;
pub(crate) use name::quoted_part;
pub use name::written_name;
pub use name::written_part;
pub use place::OWN_SCHEMA;
pub use secret::Environment;
pub use secret::Secret;
pub use secret::SecretError;
pub use tenant_set::TenantSet;
pub use tenants::{Isolation, Place, PlaceError, TenantRule, Tenants, Unlisted};

pub(crate) use document::Document;
pub(crate) use file::secret_source;
pub(crate) use raw::RawSecret;
pub(crate) use schema::schema_of;
pub(crate) use schema::schema_text;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::catalog::QualifiedName;
use crate::tenant::{LoginName, TenantId};

/// A policy file, read and validated, before it meets a catalogue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    pub tenancy: Tenancy,
    pub tables: BTreeMap<QualifiedName, TableRule>,
    /// Functions outside `pg_catalog` that clients may call.
    pub functions: BTreeMap<FunctionIdentity, FunctionRule>,
    /// Extensions of which clients may call what is known to be harmless.
    pub extensions: BTreeSet<String>,
    pub logins: BTreeMap<LoginName, LoginRule>,
    /// Where tenants' data is.
    pub tenants: Arc<Tenants>,
    /// SHA-256 of the file's bytes, in hexadecimal: names the policy in the audit trail.
    pub digest: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tenancy {
    /// Every table that has this column is scoped by it.
    pub column: Option<String>,
    /// Schemas in which an unqualified name is looked up, in order. Pinned upstream too. Default: `public`.
    pub search_path: Vec<String>,
    /// Where a login has no rule of its own.
    pub explain: Explain,
    pub catalog: CatalogAccess,
}

/// What clients can read of PostgreSQL's own catalogue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CatalogAccess {
    /// Types and operators of PostgreSQL's own.
    Off,
    /// The structure of what is in reach.
    #[default]
    Structure,
}

/// How much EXPLAIN shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Explain {
    #[default]
    Off,
    /// Plans without costs and counts.
    Plan,
    /// Everything, ANALYZE too.
    Full,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableRule {
    /// `None`: scoped if the table has the tenant column, else unreachable.
    pub kind: Option<TableKind>,
    /// The tenant column, where it is not [`Tenancy::column`].
    pub column: Option<String>,
    /// Column to class (`pii`, `phi`, `pci`, `secret`).
    pub sensitive: BTreeMap<String, SensitiveClass>,
    pub key_oracles: KeyOracles,
    /// Triggers that were read and found to keep to the row's tenant. Others make the table read-only.
    pub trusted_triggers: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TableKind {
    /// Rows are filtered by tenant.
    Scoped,
    /// The same for all; read by all, written by none.
    Shared,
    /// The same for all; read and written by all.
    SharedWritable,
    /// Does not exist for any client.
    Hidden,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SensitiveClass {
    Pii,
    Phi,
    Pci,
    Secret,
}

impl SensitiveClass {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pii => "pii",
            Self::Phi => "phi",
            Self::Pci => "pci",
            Self::Secret => "secret",
        }
    }
}

/// What to do with a statement that supplies a key through which another tenant's value could be guessed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum KeyOracles {
    #[default]
    Accept,
    Refuse,
}

/// A function by its full identity: `public.full_name(text, text)`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FunctionIdentity {
    pub function: QualifiedName,
    /// As `pg_get_function_identity_arguments` prints types, without names: `text, text`.
    pub arguments: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FunctionRule {
    /// Why it is safe, for the reviewer.
    pub reason: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoginRule {
    pub tenants: TenantBinding,
    pub credential: Credential,
    /// Where it differs from [`Tenancy::explain`].
    pub explain: Option<Explain>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TenantBinding {
    /// Speaks for one tenant.
    Bound(TenantId),
    /// Chooses among these, with `SET partywall.tenant`.
    Choice(Arc<TenantSet>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Credential {
    /// `SCRAM-SHA-256$<iterations>:<salt>$<StoredKey>:<ServerKey>`, as PostgreSQL stores it.
    Scram(String),
    /// A password kept elsewhere, turned into a verifier at load.
    Password(SecretSource),
}

/// Where a secret is kept. The secret itself is never part of a configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretSource {
    File(String),
    Environment(String),
}
