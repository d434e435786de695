//! Policy against catalogue: what does not fit is named, and what cannot be seen through is not used.

use partywall::catalog::CATALOG_FORMAT;
use partywall::catalog::Catalog;
use partywall::catalog::Relation;
use partywall::guard::Decision;
use partywall::guard::Grade;
use partywall::guard::PrivateRelations;
use partywall::guard::Protocol;
use partywall::guard::Request;
use partywall::guard::Ruleset;
use partywall::guard::Standing;
use partywall::guard::TextLimits;
use partywall::guard::decide;
use partywall::guard::survey;
use partywall::policy::Policy;
use partywall::tenant::Identity;
use partywall::tenant::LoginName;
use partywall::tenant::TenantId;
use serde_json::Value;
use serde_json::json;

fn column(name: &str) -> Value {
    json!({ "name": name, "type_schema": "pg_catalog", "type_name": "text", "not_null": true })
}

fn relation(name: &str, kind: &str, more: Value) -> Relation {
    let mut object = json!({
        "schema": "public", "name": name, "kind": kind, "columns": [column("tenant_id"), column("id")],
    });
    object.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    serde_json::from_value(object).unwrap()
}

fn table(name: &str) -> Relation {
    relation(name, "table", json!({}))
}

fn child(name: &str, parent: &str) -> Relation {
    relation(name, "table", json!({ "parents": [{ "schema": "public", "name": parent }] }))
}

fn view(name: &str, definition: &str) -> Relation {
    relation(name, "view", json!({ "definition": definition }))
}

fn catalog(relations: Vec<Relation>) -> Catalog {
    Catalog { format: CATALOG_FORMAT, relations, ..Catalog::default() }
}

fn policy(rules: &str) -> Policy {
    Policy::parse(&format!("[tenancy]\ncolumn = \"tenant_id\"\n{rules}")).unwrap()
}

/// The faults, each as `path: message`.
fn faults(rules: &str, relations: Vec<Relation>) -> Vec<String> {
    match Ruleset::compile(&policy(rules), &catalog(relations)) {
        Ok(_) => Vec::new(),
        Err(found) => found.into_iter().map(|fault| format!("{}: {}", fault.path, fault.message)).collect(),
    }
}

/// The text that is sent, or the code of the refusal.
fn decided(rules: &str, catalog: &Catalog, sql: &str) -> String {
    let ruleset = Ruleset::compile(&policy(rules), catalog).unwrap();
    let identity = Identity { login: LoginName::parse("app").unwrap(), tenant: Some(TenantId::parse("acme").unwrap()) };
    let limits = TextLimits::default();
    let request = Request {
        identity: &identity,
        sql,
        protocol: Protocol::Simple,
        parameter_types: &[],
        limits: &limits,
        private: PrivateRelations::none(),
    };
    match decide(&ruleset, &request) {
        Decision::Forward(forward) => forward.sql.as_str().to_owned(),
        Decision::Reject { rejection, .. } => rejection.code.as_str().to_owned(),
    }
}

#[test]
fn a_child_is_its_tenants_by_the_column_of_its_parent() {
    let family = || vec![table("events"), child("events_1", "events"), child("events_1_a", "events_1")];
    assert_eq!(faults("", family()), [""; 0]);
    assert_eq!(faults("[table.\"public.events_1_a\"]\nkind = \"hidden\"\n", family()), [""; 0]);
    assert_eq!(
        faults("[table.\"public.events_1_a\"]\ncolumn = \"id\"\n", family()),
        [
            "table.\"public.events_1_a\": is scoped by \"id\", but its parent public.events, which shows its rows, by \"tenant_id\"",
            "table.\"public.events_1_a\": is scoped by \"id\", but its parent public.events_1, which shows its rows, by \"tenant_id\"",
        ]
    );
    assert_eq!(
        faults("[table.\"public.events_1\"]\nkind = \"shared\"\n", family()),
        [
            "table.\"public.events_1\": is shared, but its parent public.events, which shows its rows, is scoped by tenant",
            "table.\"public.events_1\": is shared, but shows the rows of its child public.events_1_a, which is scoped by tenant",
        ]
    );
    let mut orphan = child("events_1", "events");
    orphan.columns.remove(0);
    assert_eq!(
        faults("", vec![table("events"), orphan]),
        ["table.\"public.events\": its child public.events_1 has no column \"tenant_id\", by which it is scoped"]
    );
}

#[test]
fn a_parent_answers_for_the_triggers_and_keys_of_its_children() {
    let mut noisy = child("events_1", "events");
    noisy.triggers = vec!["count_all".to_owned()];
    noisy.keys = serde_json::from_value(json!([{ "name": "by_id", "kind": "primary", "columns": ["id"] }])).unwrap();
    let catalog = catalog(vec![table("events"), noisy]);
    let insert = "INSERT INTO events (id) VALUES ('1')";
    assert_eq!(decided("", &catalog, insert), "relation-read-only");
    let trusted = "[table.\"public.events\"]\ntrusted_triggers = [\"count_all\"]\n";
    assert!(decided(trusted, &catalog, insert).starts_with("INSERT INTO public.events"));
    let refused = format!("{trusted}key_oracles = \"refuse\"\n");
    assert_eq!(decided(&refused, &catalog, insert), "key-oracle");
    assert_eq!(decided(trusted, &catalog, &format!("{insert} ON CONFLICT DO NOTHING")), "conflict-target");
    let policy = policy(trusted);
    assert_eq!(survey(&policy, &catalog)[0].grade, Some(Grade::KeyOracle(vec!["by_id".to_owned()])));
}

#[test]
fn a_table_with_a_foreign_partition_is_not_used_until_that_is_declared() {
    let mut foreign = child("events_far", "events");
    foreign.kind = partywall::catalog::RelationKind::ForeignTable;
    let catalog = catalog(vec![relation("events", "partitioned_table", json!({})), foreign]);
    assert_eq!(decided("", &catalog, "SELECT * FROM events"), "feature-not-allowed");
    let declared = "[table.\"public.events_far\"]\nkind = \"scoped\"\n";
    assert!(decided(declared, &catalog, "SELECT * FROM events").contains("WHERE tenant_id OPERATOR(pg_catalog.=)"));
}

#[test]
fn a_tenant_column_holds_what_is_given_to_it() {
    let with = |more: Value| {
        let mut first = column("tenant_id");
        first.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        faults("", vec![relation("t", "table", json!({ "columns": [first] }))])
    };
    assert_eq!(
        with(json!({ "generated": true })),
        ["table.\"public.t\".column: \"tenant_id\" is a generated column and cannot be the tenant column"]
    );
    assert_eq!(
        with(json!({ "type_name": "int4", "identity": "always" })),
        ["table.\"public.t\".column: \"tenant_id\" is an identity column and cannot be the tenant column"]
    );
}

#[test]
fn a_tenant_column_may_be_of_a_domain_or_an_enum() {
    let column = |type_name: &str| json!({ "name": "tenant_id", "type_schema": "public", "type_name": type_name, "not_null": true });
    let name = |schema: &str, name: &str| json!({ "schema": schema, "name": name });
    let catalog = Catalog {
        types: serde_json::from_value(json!([
            { "schema": "public", "name": "slug", "kind": "domain", "base": name("pg_catalog", "text") },
            { "schema": "public", "name": "brand", "kind": "enum", "labels": ["acme", "globex"] },
            { "schema": "public", "name": "own_brand", "kind": "domain", "base": name("public", "brand") },
            { "schema": "public", "name": "far_brand", "kind": "enum", "labels": ["globex"] },
        ]))
        .unwrap(),
        ..catalog(
            ["slug", "brand", "own_brand", "far_brand"]
                .map(|type_name| relation(type_name, "table", json!({ "columns": [column(type_name)] })))
                .to_vec(),
        )
    };
    let sent = |table: &str| decided("", &catalog, &format!("SELECT FROM {table}"));
    assert!(sent("slug").contains("'acme'::pg_catalog.text"));
    assert!(sent("brand").contains("'acme'::public.brand"));
    assert!(sent("own_brand").contains("'acme'::public.brand"));
    assert_eq!(sent("far_brand"), "no-tenant", "the label would not be read by the server");
}

#[test]
fn views_over_views_end() {
    let standing = |relations: Vec<Relation>, name: &str| {
        let (policy, catalog) = (policy(""), catalog(relations));
        let surveyed = survey(&policy, &catalog);
        surveyed.iter().find(|one| one.relation.name == name).unwrap().standing.clone()
    };
    let one = |from: &str| format!(" SELECT a.tenant_id,\n    a.id\n   FROM {from};");
    let expanded = |standing: &Standing| matches!(standing, Standing::Expanded { read_only: None });
    assert!(expanded(&standing(vec![view("a", &one("public.b a")), view("b", &one("public.t a")), table("t")], "a")));
    let circle = vec![view("a", &one("public.b a")), view("b", &one("public.a a"))];
    assert!(matches!(standing(circle, "a"), Standing::Undeclared { reason: Some(_) }));
    // Each is twice as long as the one before.
    let mut tower = vec![table("t"), view("v0", &one("public.t a"))];
    tower.extend((1..40).map(|n| view(&format!("v{n}"), &one(&format!("public.v{} a, public.v{} b", n - 1, n - 1)))));
    assert!(matches!(standing(tower.clone(), "v3"), Standing::Expanded { read_only: Some(_) }));
    assert!(matches!(standing(tower, "v39"), Standing::Undeclared { reason: Some(_) }));
}

#[test]
fn a_definition_means_the_names_that_it_meant() {
    // A function of the policy's schema, a table and a type by the names of PostgreSQL's own.
    let rules = "[function.\"public.pg_trigger_depth()\"]\n";
    let functions = json!([{
        "schema": "public", "name": "pg_trigger_depth", "arguments": "", "kind": "function", "volatility": "stable",
        "leakproof": false, "security_definer": false, "language": "sql",
    }]);
    let definition = " SELECT a.tenant_id,\n    (pg_trigger_depth())::text AS id\n   FROM public.t a;";
    let catalog = Catalog {
        functions: serde_json::from_value(functions).unwrap(),
        ..catalog(vec![table("t"), view("v", definition)])
    };
    assert!(decided(rules, &catalog, "SELECT pg_trigger_depth() FROM t").contains("public.pg_trigger_depth"));
    assert_eq!(decided(rules, &catalog, "SELECT * FROM v"), "feature-not-allowed");
}

#[test]
fn a_definition_that_does_not_fit_its_columns_is_not_used() {
    let definition = " SELECT a.id,\n    a.tenant_id\n   FROM public.t a;";
    let catalog = catalog(vec![table("t"), view("v", definition)]);
    assert_eq!(decided("", &catalog, "SELECT * FROM v"), "feature-not-allowed");
}

#[test]
fn many_views_in_one_text_are_too_large() {
    let long = format!(" SELECT a.tenant_id,\n    '{}'::text AS id\n   FROM public.t a;", "x".repeat(60_000));
    let catalog = catalog(vec![table("t"), view("v", &long)]);
    let query = |count: usize| format!("SELECT 1 FROM {}", vec!["v"; count].join(" CROSS JOIN "));
    assert!(decided("", &catalog, &query(2)).starts_with("SELECT 1 FROM (SELECT"));
    assert_eq!(decided("", &catalog, &query(40)), "statement-too-large");
}

#[test]
fn a_deep_definition_in_a_deep_statement_is_read_or_refused() {
    let nested = |depth: usize, inner: &str| format!("{}{inner}{}", "(".repeat(depth), ")".repeat(depth));
    let deep = format!(" SELECT a.tenant_id,\n    {} AS id\n   FROM public.t a;", nested(50, "'x'::text"));
    let catalog = catalog(vec![table("t"), view("v", &deep)]);
    for depth in [0, 10, 20, 30, 40, 45, 60] {
        let sql = format!("SELECT {} FROM t", nested(depth, "(SELECT max(v.id) FROM v)"));
        let decided = decided("", &catalog, &sql);
        let is_sent = decided.contains("'x'::text") && depth < 45;
        assert!(is_sent || decided == "statement-too-large", "{depth}: {decided}");
    }
}
