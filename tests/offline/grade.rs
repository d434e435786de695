//! Grades: through which keys can a client learn that another tenant's row exists?

use partywall::catalog::Catalog;
use partywall::catalog::Relation;
use partywall::guard::Grade;
use partywall::guard::Standing;
use partywall::guard::survey;
use partywall::policy::Policy;
use serde_json::json;

fn relation(name: &str, columns: serde_json::Value, keys: serde_json::Value) -> Relation {
    serde_json::from_value(json!({
        "schema": "public", "name": name, "kind": "table", "columns": columns, "keys": keys,
    }))
    .unwrap()
}

fn column(name: &str) -> serde_json::Value {
    json!({ "name": name, "type_schema": "pg_catalog", "type_name": "text", "not_null": true })
}

fn key(name: &str, kind: &str, columns: &[&str]) -> serde_json::Value {
    json!({ "name": name, "kind": kind, "columns": columns })
}

fn foreign(name: &str, columns: &[&str], target: &str, target_columns: &[&str]) -> serde_json::Value {
    json!({
        "name": name, "kind": "foreign", "columns": columns,
        "references": { "schema": "public", "name": target, "columns": target_columns },
    })
}

const POLICY: &str = "[tenancy]\ncolumn = \"tenant_id\"\n[table.\"public.countries\"]\nkind = \"shared\"\n\
    [table.\"public.clients\"]\ncolumn = \"id\"\n";

/// The grade of table `t` with these columns and keys, beside `countries` (shared), `clients` (scoped by its `id`) and
/// `projects` (scoped by its `tenant_id`).
fn grade(columns: &[serde_json::Value], keys: &[serde_json::Value]) -> Grade {
    let policy = Policy::parse(POLICY).unwrap();
    let catalog = Catalog {
        relations: vec![
            relation("t", json!(columns), json!(keys)),
            relation("countries", json!([column("code")]), json!([])),
            relation("clients", json!([column("id")]), json!([])),
            relation("projects", json!([column("tenant_id"), column("id")]), json!([])),
            relation("loose", json!([column("id")]), json!([])),
        ],
        ..Catalog::default()
    };
    survey(&policy, &catalog).remove(0).grade.unwrap()
}

fn oracle(keys: &[&str]) -> Grade {
    Grade::KeyOracle(keys.iter().map(ToString::to_string).collect())
}

#[test]
fn a_key_with_the_tenant_column_is_sealed() {
    let columns = [column("tenant_id"), column("id")];
    for kind in ["primary", "unique", "exclusion"] {
        assert_eq!(grade(&columns, &[key("k", kind, &["tenant_id", "id"])]), Grade::Sealed);
        assert_eq!(grade(&columns, &[key("k", kind, &["id"])]), oracle(&["k"]));
        assert_eq!(grade(&columns, &[key("k", kind, &[])]), oracle(&["k"]), "expressions alone");
    }
    assert_eq!(grade(&columns, &[]), Grade::Sealed);
}

#[test]
fn an_identity_or_default_seals_nothing_since_a_statement_can_supply_it_all_the_same() {
    for (property, value) in
        [("identity", json!("always")), ("identity", json!("by_default")), ("has_default", json!(true))]
    {
        let mut id = column("id");
        id[property] = value;
        assert_eq!(grade(&[column("tenant_id"), id], &[key("pkey", "primary", &["id"])]), oracle(&["pkey"]));
    }
}

#[test]
fn a_key_that_no_statement_may_supply_is_sealed() {
    let policy = Policy::parse(&format!("{POLICY}[table.\"public.t\"]\nkey_oracles = \"refuse\"\n")).unwrap();
    let mut expression = key("lower_email", "unique", &[]);
    expression["has_expressions"] = json!(true);
    let columns = json!([column("tenant_id"), column("id")]);
    let graded = |keys: serde_json::Value| {
        let catalog = Catalog { relations: vec![relation("t", columns.clone(), keys)], ..Catalog::default() };
        survey(&policy, &catalog).remove(0).grade.unwrap()
    };
    assert_eq!(graded(json!([key("pkey", "primary", &["id"])])), Grade::Sealed);
    // What is in an expression is not known, so every statement that supplies any column is refused.
    assert_eq!(graded(json!([key("pkey", "primary", &["id"]), expression])), Grade::Sealed);
}

#[test]
fn a_tenant_column_in_which_two_tenants_can_be_equal_seals_nothing() {
    let mut tenant = column("tenant_id");
    tenant["nondeterministic_collation"] = json!(true);
    assert_eq!(grade(&[tenant, column("id")], &[key("k", "unique", &["tenant_id", "id"])]), oracle(&["k"]));
}

#[test]
fn a_foreign_key_must_tie_tenant_to_tenant_unless_its_target_is_shared() {
    let columns = [column("tenant_id"), column("id"), column("other")];
    let one = |key: serde_json::Value| grade(&columns, &[key]);
    assert_eq!(one(foreign("f", &["other"], "countries", &["code"])), Grade::Sealed);
    assert_eq!(one(foreign("f", &["tenant_id"], "clients", &["id"])), Grade::Sealed);
    assert_eq!(one(foreign("f", &["other", "tenant_id"], "projects", &["id", "tenant_id"])), Grade::Sealed);
    assert_eq!(one(foreign("f", &["other"], "projects", &["id"])), oracle(&["f"]));
    assert_eq!(one(foreign("f", &["other"], "clients", &["id"])), oracle(&["f"]));
    // The tenant column is in it, but tied to another column than the target's own.
    assert_eq!(one(foreign("f", &["tenant_id", "other"], "projects", &["id", "tenant_id"])), oracle(&["f"]));
    assert_eq!(one(foreign("f", &["other"], "loose", &["id"])), oracle(&["f"]), "nobody may know of its rows");
    assert_eq!(one(foreign("f", &["other"], "nowhere", &["id"])), oracle(&["f"]));
}

#[test]
fn every_relation_has_a_standing() {
    let policy = Policy::parse(&format!(
        "{POLICY}[table.\"public.old\"]\nkind = \"hidden\"\n[table.\"public.log\"]\ntrusted_triggers = [\"stamp\"]\n"
    ))
    .unwrap();
    let mut log = relation("log", json!([column("tenant_id")]), json!([]));
    log.triggers = vec!["notify".to_owned(), "stamp".to_owned()];
    let mut view = relation("report", json!([column("tenant_id")]), json!([]));
    view.kind = partywall::catalog::RelationKind::View;
    let mut sequence = relation("t_id_seq", json!([]), json!([]));
    sequence.kind = partywall::catalog::RelationKind::Sequence;
    let plain = |name| relation(name, json!([column("id")]), json!([]));
    let relations = vec![plain("countries"), plain("clients"), plain("old"), plain("loose"), log, view, sequence];
    let catalog = Catalog { relations, ..Catalog::default() };
    let surveyed = survey(&policy, &catalog);
    let standings: Vec<_> = surveyed.iter().map(|one| (one.relation.name.as_str(), one.standing.clone())).collect();
    assert_eq!(
        standings,
        [
            ("countries", Standing::Shared),
            ("clients", Standing::Scoped { column: "id".to_owned() }),
            ("old", Standing::Hidden),
            ("loose", Standing::Unclassified),
            ("log", Standing::Scoped { column: "tenant_id".to_owned() }),
            ("report", Standing::Undeclared { reason: None }),
        ]
    );
    assert_eq!(surveyed[4].untrusted_triggers, ["notify"]);
}
