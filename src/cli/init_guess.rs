//! A policy proposed from a schema: which column holds the tenant, which tables have none, what looks sensitive.

use std::collections::BTreeMap;

use crate::catalog::Catalog;
use crate::catalog::KeyKind;
use crate::catalog::QualifiedName;
use crate::catalog::Relation;
use crate::catalog::RelationKind;
use crate::policy::written_name;

/// Names that tenant columns have, the likelier first.
const TENANT_COLUMNS: &[&str] = &[
    "tenant_id",
    "tenant",
    "tenant_uuid",
    "organization_id",
    "organisation_id",
    "org_id",
    "account_id",
    "company_id",
    "workspace_id",
    "client_id",
    "customer_id",
    "merchant_id",
    "shop_id",
    "store_id",
    "site_id",
    "team_id",
    "owner_id",
];

/// Parts of column names that speak of sensitive data, with its class.
const SENSITIVE_WORDS: &[(&str, &str)] = &[
    ("password", "secret"),
    ("secret", "secret"),
    ("token", "secret"),
    ("api_key", "secret"),
    ("iban", "pci"),
    ("card_number", "pci"),
    ("diagnosis", "phi"),
    ("medical", "phi"),
    ("email", "pii"),
    ("phone", "pii"),
    ("birth", "pii"),
    ("ssn", "pii"),
    ("passport", "pii"),
    ("address", "pii"),
    ("full_name", "pii"),
    ("last_name", "pii"),
];

/// The policy's text; or why there is none.
pub(crate) fn draft(catalog: &Catalog, column: Option<&str>) -> Result<String, String> {
    let relations = || catalog.relations.iter().filter(|relation| relation.kind != RelationKind::Sequence);
    let column = match column {
        Some(column) if relations().any(|relation| relation.column(column).is_some()) => column,
        Some(column) => return Err(format!("no table has a column {column:?}")),
        None => guess(catalog).ok_or("no table has a column that looks like a tenant's")?,
    };
    let registry = tenant_registry(catalog, column);
    let mut scoped = String::new();
    let mut undecided = String::new();
    for relation in relations() {
        if relation.kind == RelationKind::View {
            // Read as its definition, without a rule.
            continue;
        }
        let is_view = relation.kind == RelationKind::MaterializedView;
        let header = format!("\n[table.{}]\n", key(&relation.qualified_name()));
        if let (false, false, Some(own)) =
            (is_view, is_partition(catalog, relation), scope(relation, column, &registry))
        {
            scoped.push_str(&header);
            if own != column {
                scoped.push_str(&format!("column = {}                      # the tenants themselves\n", quoted(own)));
            }
            scoped.push_str(&sensitive(relation));
        } else {
            undecided.push_str(&header);
            undecided.push_str(&format!("kind = \"hidden\"                    # {}\n", doubt(catalog, relation)));
        }
    }
    Ok(format!(
        "# A proposal, made from the schema of database {}. Read every line before you rely on it.\n\
         \n[tenancy]\ncolumn = {}\n\n\
         # Scoped: a client sees and changes the rows of its own tenant.\n{scoped}\n\
         # To decide: these exist for no client until you say otherwise.\n{undecided}\n{LOGINS}",
        quoted(&catalog.database),
        quoted(column),
    ))
}

const LOGINS: &str = "\
# Who may log in, and for which tenant.
#[login.acme_app]
#tenant = \"acme\"
#scram = \"SCRAM-SHA-256$…\"             # made by: partywall hash-password
";

fn guess(catalog: &Catalog) -> Option<&'static str> {
    let tables = || catalog.relations.iter().filter(|relation| is_table(relation.kind));
    let count = |name: &str| tables().filter(|relation| relation.column(name).is_some()).count();
    let counted = TENANT_COLUMNS.iter().map(|name| (count(name), *name));
    // The first of equals: the list has the likelier first.
    counted.rev().filter(|(count, _)| *count > 0).max_by_key(|(count, _)| *count).map(|(_, name)| name)
}

/// The table of the tenants themselves, and its column that others' tenant column points at.
fn tenant_registry(catalog: &Catalog, column: &str) -> BTreeMap<QualifiedName, String> {
    let keys = catalog.relations.iter().flat_map(|relation| &relation.keys).filter(|key| key.kind == KeyKind::Foreign);
    let single = keys.filter(|key| matches!(key.columns.as_slice(), [only] if only == column));
    let targets = single.filter_map(|key| key.references.as_ref());
    targets
        .filter_map(|target| match target.columns.as_slice() {
            [only] => Some((QualifiedName::new(&target.schema, &target.name), only.clone())),
            _ => None,
        })
        .collect()
}

/// The tenant column that a relation has.
fn scope<'a>(relation: &Relation, column: &'a str, registry: &'a BTreeMap<QualifiedName, String>) -> Option<&'a str> {
    if relation.column(column).is_some() {
        return Some(column);
    }
    registry.get(&relation.qualified_name()).map(String::as_str)
}

fn doubt(catalog: &Catalog, relation: &Relation) -> String {
    match relation.kind {
        RelationKind::MaterializedView => return "a view: \"scoped\" if it has the tenant column".to_owned(),
        _ if is_partition(catalog, relation) => return "reached through its parent".to_owned(),
        _ => {}
    }
    // Tables of one database do not always agree on the column's name.
    match TENANT_COLUMNS.iter().find(|name| relation.column(name).is_some()) {
        Some(name) => format!("column = \"{name}\" in place of this line, if that is its tenant"),
        None => "no tenant column: \"shared\" if its rows are the same for all".to_owned(),
    }
}

fn is_partition(catalog: &Catalog, relation: &Relation) -> bool {
    let partitioned = |parent: &QualifiedName| {
        let mut parents = catalog.relations.iter().filter(|other| other.kind == RelationKind::PartitionedTable);
        parents.any(|other| other.schema == parent.schema && other.name == parent.name)
    };
    relation.parents.iter().any(partitioned)
}

fn is_table(kind: RelationKind) -> bool {
    matches!(kind, RelationKind::Table | RelationKind::PartitionedTable | RelationKind::ForeignTable)
}

/// A line, commented out, that names what looks sensitive.
fn sensitive(relation: &Relation) -> String {
    let class = |name: &str| SENSITIVE_WORDS.iter().find(|(word, _)| name.contains(word)).map(|(_, class)| *class);
    let columns = relation.columns.iter().filter_map(|column| Some((&column.name, class(&column.name)?)));
    let columns: Vec<_> = columns.map(|(name, class)| format!("{} = \"{class}\"", key_part(name))).collect();
    if columns.is_empty() { String::new() } else { format!("#sensitive = {{ {} }}\n", columns.join(", ")) }
}

fn key(name: &QualifiedName) -> String {
    quoted(&written_name(name))
}

fn key_part(name: &str) -> String {
    let bare = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'));
    if bare && !name.is_empty() { name.to_owned() } else { quoted(name) }
}

/// A basic string of TOML. A name in a catalogue may hold anything but a zero byte.
fn quoted(text: &str) -> String {
    let escape = |character: char| match character {
        '"' => "\\\"".to_owned(),
        '\\' => "\\\\".to_owned(),
        control if control.is_control() => format!("\\u{:04x}", u32::from(control)),
        other => other.to_string(),
    };
    format!("\"{}\"", text.chars().map(escape).collect::<String>())
}
