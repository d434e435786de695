//! The policy file's format, TOML, parsed into rules once.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::catalog::QualifiedName;
use crate::policy::CatalogAccess;
use crate::policy::Credential;
use crate::policy::Explain;
use crate::policy::FunctionIdentity;
use crate::policy::FunctionRule;
use crate::policy::Isolation;
use crate::policy::KeyOracles;
use crate::policy::LoginRule;
use crate::policy::Policy;
use crate::policy::SecretSource;
use crate::policy::SensitiveClass;
use crate::policy::TableKind;
use crate::policy::TableRule;
use crate::policy::Tenancy;
use crate::policy::TenantBinding;
use crate::policy::TenantRule;
use crate::policy::TenantSet;
use crate::policy::Tenants;
use crate::policy::Unlisted;
use crate::policy::document::Document;
use crate::policy::document::FileError;
use crate::policy::name::parse_function_identity;
use crate::policy::name::parse_qualified_name;
use crate::policy::raw::RawCatalogAccess;
use crate::policy::raw::RawExplain;
use crate::policy::raw::RawFunction;
use crate::policy::raw::RawIsolation;
use crate::policy::raw::RawKeyOracles;
use crate::policy::raw::RawLogin;
use crate::policy::raw::RawPolicy;
use crate::policy::raw::RawSecret;
use crate::policy::raw::RawSensitiveClass;
use crate::policy::raw::RawTable;
use crate::policy::raw::RawTableKind;
use crate::policy::raw::RawTenancy;
use crate::policy::raw::RawTenant;
use crate::policy::raw::RawUnlisted;
use crate::policy::schema::schema_of;
use crate::policy::schema::schema_text;
use crate::tenant::LoginName;
use crate::tenant::TenantId;

impl Policy {
    /// Reads a policy file's text. Fails with every fault that was found, each with its line and column.
    pub fn parse(text: &str) -> Result<Self, Vec<FileError>> {
        let (mut document, raw) = Document::read::<RawPolicy>(text)?;
        let policy = Self {
            tables: tables(&mut document, &raw.table, raw.tenancy.column.as_deref()),
            functions: functions(&mut document, raw.function),
            extensions: raw.functions.extensions.into_iter().collect(),
            logins: logins(&mut document, raw.login, raw.tenancy.explain.map(explain).unwrap_or_default()),
            tenants: Arc::new(tenants(&mut document, raw.tenant, raw.tenancy.unlisted)),
            tenancy: tenancy(&mut document, raw.tenancy),
            digest: digest(text),
        };
        document.finish(policy)
    }

    /// The file's JSON Schema, for editors.
    pub fn schema() -> String {
        schema_text(&schema_of::<RawPolicy>())
    }
}

/// The source that a secret's table names.
pub(crate) fn secret_source(document: &mut Document<'_>, path: &[&str], raw: &RawSecret) -> Option<SecretSource> {
    match (&raw.file, &raw.env) {
        (Some(file), None) if !file.is_empty() => Some(SecretSource::File(file.clone())),
        (None, Some(name)) if !name.is_empty() && !name.contains(['=', '\0']) => {
            Some(SecretSource::Environment(name.clone()))
        }
        (Some(_), None) => document.refuse(path, "secret's \"file\" is empty"),
        (None, Some(_)) => document.refuse(path, "secret's \"env\" is not the name of an environment variable"),
        _ => document.refuse(path, "secret needs exactly one of \"file\" and \"env\""),
    }
}

fn tenancy(document: &mut Document<'_>, raw: RawTenancy) -> Tenancy {
    if raw.column.as_ref().is_some_and(String::is_empty) {
        document.note(&["tenancy", "column"], "tenant column is empty");
    }
    let search_path = raw.search_path.unwrap_or_else(|| vec!["public".to_owned()]);
    let path = ["tenancy", "search_path"];
    if search_path.is_empty() {
        document.note(&path, "search path is empty: name at least one schema");
    }
    for schema in &search_path {
        if schema.is_empty() || schema.starts_with("pg_") || schema.starts_with('$') {
            let why = "name plain schemas only; pg_catalog is always searched first";
            document.note(&path, format!("search path must not hold {schema:?}: {why}"));
        }
    }
    let catalog = match raw.catalog {
        Some(RawCatalogAccess::Off) => CatalogAccess::Off,
        None | Some(RawCatalogAccess::Structure) => CatalogAccess::Structure,
    };
    Tenancy { column: raw.column, search_path, explain: raw.explain.map(explain).unwrap_or_default(), catalog }
}

fn tenants(document: &mut Document<'_>, raw: BTreeMap<String, RawTenant>, unlisted: Option<RawUnlisted>) -> Tenants {
    let unlisted = match unlisted {
        Some(RawUnlisted::Refuse) => Unlisted::Refuse,
        Some(RawUnlisted::Column) | None => Unlisted::Column,
    };
    let mut rules = Vec::new();
    for (name, raw) in raw {
        if let Err(error) = TenantId::parse(&name) {
            document.note(&["tenant", &name], error.to_string());
        }
        if let Some(isolation) = isolation(document, &name, &raw) {
            rules.push((name, TenantRule { upstream: raw.upstream, isolation }));
        }
    }
    Tenants::new(rules, unlisted).unwrap_or_else(|faults| {
        faults.iter().for_each(|(name, message)| document.note(&["tenant", name], message.as_str()));
        Tenants::default()
    })
}

fn isolation(document: &mut Document<'_>, name: &str, raw: &RawTenant) -> Option<Isolation<String>> {
    let path = ["tenant", name];
    let said = raw.isolation.unwrap_or(match (&raw.schema, &raw.upstream) {
        (Some(_), _) => RawIsolation::Schema,
        (None, Some(_)) => RawIsolation::Database,
        (None, None) => RawIsolation::Column,
    });
    match (said, &raw.schema) {
        (RawIsolation::Column, None) => Some(Isolation::Column),
        (RawIsolation::Schema, Some(schema)) if schema.is_empty() => document.refuse(&path, "schema is empty"),
        (RawIsolation::Schema, Some(schema)) => Some(Isolation::Schema(schema.clone())),
        (RawIsolation::Schema, None) => {
            document.refuse(&path, "isolation \"schema\" needs the schema's name in \"schema\"")
        }
        (RawIsolation::Database, None) if raw.upstream.is_none() => {
            document.refuse(&path, "isolation \"database\" needs an \"upstream\" that nobody else has")
        }
        (RawIsolation::Database, None) => Some(Isolation::Database),
        (RawIsolation::Column | RawIsolation::Database, Some(_)) => {
            document.refuse(&path, "\"schema\" goes with isolation \"schema\" alone")
        }
    }
}

fn explain(raw: RawExplain) -> Explain {
    match raw {
        RawExplain::Off => Explain::Off,
        RawExplain::Plan => Explain::Plan,
        RawExplain::Full => Explain::Full,
    }
}

fn tables(
    document: &mut Document<'_>,
    raw: &BTreeMap<String, RawTable>,
    tenant_column: Option<&str>,
) -> BTreeMap<QualifiedName, TableRule> {
    let mut tables = BTreeMap::new();
    for (key, raw) in raw {
        let path = ["table", key.as_str()];
        let name = match parse_qualified_name(key) {
            Ok(name) => name,
            Err(message) => {
                document.note(&path, message);
                continue;
            }
        };
        if matches!(name.schema.as_str(), "pg_catalog" | "information_schema" | "pg_toast") {
            document.note(&path, format!("relation \"{name}\" belongs to the server: a policy has no rule for it"));
        }
        let rule = table(document, &path, raw, tenant_column);
        if tables.insert(name.clone(), rule).is_some() {
            document.note(&path, format!("table \"{name}\" has two rules: it is written in two ways"));
        }
    }
    tables
}

fn table(document: &mut Document<'_>, path: &[&str; 2], raw: &RawTable, tenant_column: Option<&str>) -> TableRule {
    let [table, key] = *path;
    let kind = raw.kind.map(|kind| match kind {
        RawTableKind::Scoped => TableKind::Scoped,
        RawTableKind::Shared => TableKind::Shared,
        RawTableKind::SharedWritable => TableKind::SharedWritable,
        RawTableKind::Hidden => TableKind::Hidden,
    });
    let shared = matches!(kind, Some(TableKind::Shared | TableKind::SharedWritable));
    if shared && raw.column.is_some() {
        let message =
            "a shared table has no tenant column: its rows are the same for all; drop \"column\", or make it scoped";
        document.note(&[table, key, "column"], message);
    }
    if raw.column.as_ref().is_some_and(String::is_empty) {
        document.note(&[table, key, "column"], "tenant column is empty");
    }
    if !shared && kind != Some(TableKind::Hidden) && raw.column.is_none() && tenant_column.is_none() {
        let message = "table has no tenant column: name it in \"column\" here or in [tenancy], or give the table another \"kind\"";
        document.note(path, message);
    }
    let sensitive = raw.sensitive.iter().map(|(column, class)| (column.clone(), sensitive_class(*class))).collect();
    TableRule {
        kind,
        column: raw.column.clone(),
        sensitive,
        key_oracles: match raw.key_oracles {
            Some(RawKeyOracles::Refuse) => KeyOracles::Refuse,
            Some(RawKeyOracles::Accept) | None => KeyOracles::Accept,
        },
        trusted_triggers: raw.trusted_triggers.clone(),
    }
}

fn sensitive_class(raw: RawSensitiveClass) -> SensitiveClass {
    match raw {
        RawSensitiveClass::Pii => SensitiveClass::Pii,
        RawSensitiveClass::Phi => SensitiveClass::Phi,
        RawSensitiveClass::Pci => SensitiveClass::Pci,
        RawSensitiveClass::Secret => SensitiveClass::Secret,
    }
}

fn functions(
    document: &mut Document<'_>,
    raw: BTreeMap<String, RawFunction>,
) -> BTreeMap<FunctionIdentity, FunctionRule> {
    let mut functions = BTreeMap::new();
    for (key, raw) in raw {
        let path = ["function", key.as_str()];
        match parse_function_identity(&key) {
            Ok(identity) => {
                if functions.insert(identity, FunctionRule { reason: raw.reason }).is_some() {
                    document.note(&path, format!("function {key:?} has two rules: it is written in two ways"));
                }
            }
            Err(message) => {
                document.note(&path, message);
            }
        }
    }
    functions
}

fn logins(
    document: &mut Document<'_>,
    raw: BTreeMap<String, RawLogin>,
    explained: Explain,
) -> BTreeMap<LoginName, LoginRule> {
    let mut logins = BTreeMap::new();
    for (key, raw) in raw {
        let name = match LoginName::parse(&key) {
            Ok(name) => Some(name),
            Err(error) => document.refuse(&["login", &key], error.to_string()),
        };
        let tenants = tenant_binding(document, &key, &raw);
        let credential = credential(document, &key, &raw);
        if let (Some(name), Some(tenants), Some(credential)) = (name, tenants, credential) {
            let own = raw.explain.map(explain).filter(|own| *own != explained);
            logins.insert(name, LoginRule { tenants, credential, explain: own });
        }
    }
    logins
}

fn tenant_binding(document: &mut Document<'_>, login: &str, raw: &RawLogin) -> Option<TenantBinding> {
    match (&raw.tenant, &raw.tenants) {
        (Some(tenant), None) => match TenantId::parse(tenant) {
            Ok(tenant) => Some(TenantBinding::Bound(tenant)),
            Err(error) => document.refuse(&["login", login, "tenant"], error.to_string()),
        },
        (None, Some(patterns)) => {
            let path = ["login", login, "tenants"];
            if patterns.is_empty() {
                return document.refuse(&path, "login may act for no tenant: name one, or \"*\" for all");
            }
            for pattern in patterns {
                // A pattern is held against identifiers, so it keeps to their rules.
                if let Err(error) = TenantId::parse(pattern) {
                    return document.refuse(&path, format!("pattern {pattern:?}: {error}"));
                }
            }
            Some(TenantBinding::Choice(Arc::new(TenantSet::new(patterns.iter().map(String::as_str)))))
        }
        _ => {
            let message =
                "login needs exactly one of \"tenant\" (speaks for one) and \"tenants\" (chooses among several)";
            document.refuse(&["login", login], message)
        }
    }
}

fn credential(document: &mut Document<'_>, login: &str, raw: &RawLogin) -> Option<Credential> {
    match (&raw.scram, &raw.password) {
        (Some(verifier), None) if is_scram_verifier(verifier) => Some(Credential::Scram(verifier.clone())),
        (Some(_), None) => {
            let message = "\"scram\" is not a SCRAM-SHA-256 verifier: make one with \"partywall hash-password\"";
            document.refuse(&["login", login, "scram"], message)
        }
        (None, Some(secret)) => {
            secret_source(document, &["login", login, "password"], secret).map(Credential::Password)
        }
        _ => {
            let message =
                "login needs exactly one of \"scram\" (a verifier) and \"password\" (a secret kept elsewhere)";
            document.refuse(&["login", login], message)
        }
    }
}

/// `SCRAM-SHA-256$<iterations>:<salt>$<StoredKey>:<ServerKey>`. Its keys are decoded where they are used.
fn is_scram_verifier(text: &str) -> bool {
    let parts = || {
        let (settings, keys) = text.strip_prefix("SCRAM-SHA-256$")?.split_once('$')?;
        let (iterations, salt) = settings.split_once(':')?;
        let (stored_key, server_key) = keys.split_once(':')?;
        let filled = [salt, stored_key, server_key].iter().all(|part| !part.is_empty() && !part.contains(['$', ':']));
        (filled && iterations.parse::<u32>().is_ok_and(|iterations| iterations > 0)).then_some(())
    };
    parts().is_some()
}

fn digest(text: &str) -> String {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, text.as_bytes());
    digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}
