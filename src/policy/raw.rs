//! The policy file as it is typed. Doc comments here become the descriptions in its JSON Schema.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

/// Partywall's policy: which relations, functions and logins there are, and what belongs to whom.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "Partywall policy")]
pub(crate) struct RawPolicy {
    #[serde(default)]
    pub(crate) tenancy: RawTenancy,
    /// Rules for relations, by "schema.name"; a part with capitals or odd characters is quoted as in SQL. The schema
    /// "{schema}", in quotes, is that of any tenant who has one of its own.
    #[serde(default)]
    pub(crate) table: BTreeMap<String, RawTable>,
    /// Functions of extensions.
    #[serde(default)]
    pub(crate) functions: RawFunctions,
    /// Functions outside pg_catalog that clients may call, by "schema.name(argument types)".
    #[serde(default)]
    pub(crate) function: BTreeMap<String, RawFunction>,
    /// The roles that clients log in as. They exist at Partywall, not at the upstream.
    #[serde(default)]
    pub(crate) login: BTreeMap<String, RawLogin>,
    /// Tenants whose data is elsewhere than in the tables that all share, by name or by pattern; * stands for any text, and
    /// the rule that says most of a name decides.
    #[serde(default)]
    pub(crate) tenant: BTreeMap<String, RawTenant>,
}

/// What makes a row a tenant's.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Tenancy")]
pub(crate) struct RawTenancy {
    /// The tenant column: every table that has it is scoped by it.
    pub(crate) column: Option<String>,
    /// The schemas in which an unqualified name is looked up, in order. Default: ["public"].
    pub(crate) search_path: Option<Vec<String>>,
    /// What becomes of a tenant without a [tenant.…] section. Default: "column".
    pub(crate) unlisted: Option<RawUnlisted>,
    /// What EXPLAIN shows to a client. Default: "off".
    pub(crate) explain: Option<RawExplain>,
    /// What a client can read of PostgreSQL's own catalogue. Default: "structure".
    pub(crate) catalog: Option<RawCatalogAccess>,
}

#[derive(Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(rename = "CatalogAccess")]
pub(crate) enum RawCatalogAccess {
    /// What describes PostgreSQL's own types and operators.
    Off,
    /// The structure of what is in reach, as psql, ORMs and drivers ask for it.
    Structure,
}

/// Functions that need not be listed one by one.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Functions")]
pub(crate) struct RawFunctions {
    /// Extensions whose functions clients may call, as far as they only compute: "citext", "hstore", "pg_trgm" …
    #[serde(default)]
    pub(crate) extensions: Vec<String>,
}

#[derive(Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(rename = "Explain")]
pub(crate) enum RawExplain {
    /// Nothing: it is refused.
    Off,
    /// Plans without costs, row counts and ANALYZE. Their shape, and the names of indexes and partitions, still come
    /// from all tenants' rows.
    Plan,
    /// Everything that PostgreSQL shows, estimates and counts over all tenants' rows too.
    Full,
}

#[derive(Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(rename = "Unlisted")]
pub(crate) enum RawUnlisted {
    /// It shares the tables of the default upstream.
    Column,
    /// There is no such tenant: its logins are refused.
    Refuse,
}

/// A tenant's place.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Tenant")]
pub(crate) struct RawTenant {
    /// What keeps its data apart. Default: "schema" where schema is given, else "database" where upstream is, else "column".
    pub(crate) isolation: Option<RawIsolation>,
    /// The schema of its own; {id} stands for the tenant's identifier. Unqualified names are looked up there, then on the
    /// search path of [tenancy].
    pub(crate) schema: Option<String>,
    /// The upstream, as the config calls it. Default: the config's default.
    pub(crate) upstream: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(rename = "Isolation")]
pub(crate) enum RawIsolation {
    /// A column of tables that all share.
    Column,
    /// A schema of its own.
    Schema,
    /// A database of its own, on an upstream that nobody else has.
    Database,
}

/// One relation's rule.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Table")]
pub(crate) struct RawTable {
    /// How it is reached. Default: scoped where it has the tenant column, else not at all.
    pub(crate) kind: Option<RawTableKind>,
    /// The tenant column of this table, where it is not [tenancy] column.
    pub(crate) column: Option<String>,
    /// Columns with sensitive data, each with its class: the audit trail names them when they are read.
    #[serde(default)]
    pub(crate) sensitive: BTreeMap<String, RawSensitiveClass>,
    /// What to do with a statement that supplies a key through which another tenant's value could be guessed.
    /// Default: "accept".
    pub(crate) key_oracles: Option<RawKeyOracles>,
    /// Triggers that were read and found to keep to the row's tenant. A table with others is read-only.
    #[serde(default)]
    pub(crate) trusted_triggers: Vec<String>,
}

#[derive(Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(rename = "TableKind")]
pub(crate) enum RawTableKind {
    /// Rows are filtered by tenant.
    Scoped,
    /// The same for all: read by all, written by none.
    Shared,
    /// The same for all: read and written by all.
    SharedWritable,
    /// Does not exist for any client.
    Hidden,
}

#[derive(Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(rename = "SensitiveClass")]
pub(crate) enum RawSensitiveClass {
    /// Data of a person.
    Pii,
    /// Data of a patient.
    Phi,
    /// Data of a payment card or account.
    Pci,
    /// A key, token or password.
    Secret,
}

#[derive(Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(rename = "KeyOracles")]
pub(crate) enum RawKeyOracles {
    /// Let it through; `check` and the audit trail name the keys.
    Accept,
    /// Reject it.
    Refuse,
}

/// A function's rule. That it is listed allows it.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Function")]
pub(crate) struct RawFunction {
    /// Why it is safe, for the reviewer.
    pub(crate) reason: Option<String>,
}

/// A role that clients log in as: exactly one of tenant and tenants, exactly one of scram and password.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Login")]
pub(crate) struct RawLogin {
    /// The one tenant that it speaks for.
    pub(crate) tenant: Option<String>,
    /// The tenants that it may choose among with SET partywall.tenant, by name or pattern; * stands for any text. Until it
    /// has chosen, it reaches shared tables only.
    pub(crate) tenants: Option<Vec<String>>,
    /// A SCRAM-SHA-256 verifier, as `partywall hash-password` prints it and PostgreSQL stores it.
    pub(crate) scram: Option<String>,
    /// A password kept elsewhere, turned into a verifier at load. For development.
    pub(crate) password: Option<RawSecret>,
    /// What EXPLAIN shows to this login. Default: as in [tenancy].
    pub(crate) explain: Option<RawExplain>,
}

/// Where a secret is kept: exactly one of file and env. The secret itself never stands in this file.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(
    rename = "Secret",
    extend("x-hint" = "a secret never stands in this file: write { file = \"…\" } or { env = \"…\" }")
)]
pub(crate) struct RawSecret {
    /// A file that holds it; relative to this file's folder.
    pub(crate) file: Option<String>,
    /// An environment variable that holds it.
    pub(crate) env: Option<String>,
}
