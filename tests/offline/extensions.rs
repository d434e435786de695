//! Extensions: which a policy can name, and what their operators make of what is known.

use partywall::catalog::Catalog;
use partywall::guard::{Decision, PrivateRelations, Protocol, Request, Ruleset, TextLimits, decide};
use partywall::policy::Policy;
use partywall::tenant::{Identity, LoginName, TenantId};
use serde_json::{Value, json};

fn function(name: &str, arguments: &str, extension: Value) -> Value {
    json!({
        "schema": "public", "name": name, "arguments": arguments, "kind": "function", "volatility": "immutable",
        "leakproof": false, "security_definer": false, "language": "c", "extension": extension,
    })
}

fn operator(name: &str, left: &str, right: &str, extension: Value) -> Value {
    let of = |name: &str| match name.split_once('.') {
        Some((schema, name)) => json!({ "schema": schema, "name": name }),
        None => json!({ "schema": "pg_catalog", "name": name }),
    };
    json!({ "schema": "public", "name": name, "left": of(left), "right": of(right), "extension": extension })
}

fn column(name: &str, type_name: &str) -> Value {
    json!({ "name": name, "type_schema": "pg_catalog", "type_name": type_name, "not_null": true })
}

fn catalog(functions: &[Value], operators: &[Value]) -> Catalog {
    let columns =
        [column("tenant_id", "text"), column("numbers", "_int4"), column("words", "_text"), column("word", "text")];
    serde_json::from_value(json!({
        "format": 1, "server_version": 150_000, "database": "app", "functions": functions, "operators": operators,
        "types": [], "relations": [{ "schema": "public", "name": "t", "kind": "table", "columns": columns }],
    }))
    .unwrap()
}

fn compiled(extensions: &str, catalog: &Catalog) -> Result<Ruleset, Vec<String>> {
    let text = format!("[tenancy]\ncolumn = \"tenant_id\"\n[functions]\nextensions = [{extensions}]\n");
    let ruleset = Ruleset::compile(&Policy::parse(&text).unwrap(), catalog);
    ruleset.map_err(|found| found.into_iter().map(|fault| format!("{}: {}", fault.path, fault.message)).collect())
}

/// The text that is sent, or the code and hint of the refusal.
fn decided(extensions: &str, catalog: &Catalog, sql: &str) -> String {
    let ruleset = compiled(extensions, catalog).unwrap();
    let identity = Identity { login: LoginName::parse("app").unwrap(), tenant: Some(TenantId::parse("acme").unwrap()) };
    let request = Request {
        identity: &identity,
        sql,
        protocol: Protocol::Simple,
        parameter_types: &[],
        limits: &TextLimits::default(),
        private: PrivateRelations::none(),
    };
    match decide(&ruleset, &request) {
        Decision::Forward(forward) => forward.sql.as_str().to_owned(),
        Decision::Reject { rejection, .. } => {
            format!("{}: {}", rejection.code.as_str(), rejection.hint.unwrap_or_default())
        }
    }
}

#[test]
fn an_extension_is_known_and_harmless_and_there() {
    let digest = catalog(&[function("digest", "text, text", json!("pgcrypto"))], &[]);
    assert_eq!(
        compiled("\"dblink\", \"tablefunc\", \"hstore\", \"of_somebody\"", &digest).unwrap_err(),
        [
            "functions.extensions.\"dblink\": cannot be let through: its functions reach other servers",
            "functions.extensions.\"hstore\": is no extension of database app",
            "functions.extensions.\"of_somebody\": is an extension of which nothing is known; list its functions one by one",
            "functions.extensions.\"tablefunc\": cannot be let through: its functions run SQL that is held in a text, \
             which nobody reads",
        ]
    );
    assert_eq!(decided("\"pgcrypto\"", &digest, "SELECT digest('a', 'md5')"), "SELECT public.digest ('a', 'md5')");
    assert_eq!(
        decided("", &digest, "SELECT digest('a', 'md5')"),
        "function-not-allowed: Have extension \"pgcrypto\" listed in the policy, in [functions] extensions."
    );
}

#[test]
fn a_function_beside_an_extensions_own_could_be_meant() {
    let own = function("digest", "text, text", json!("pgcrypto"));
    for other in [function("digest", "text, name", Value::Null), function("digest", "text, text, text", Value::Null)] {
        let two = catalog(&[own.clone(), other], &[]);
        assert!(decided("\"pgcrypto\"", &two, "SELECT digest('a', 'md5')").starts_with("function-not-allowed"));
    }
    // PostgreSQL's own and the extension's are both harmless: the server chooses.
    let max = [function("max", "citext", json!("citext"))];
    assert_eq!(decided("\"citext\"", &catalog(&max, &[]), "SELECT max('a')"), "SELECT max('a')");
    let others = [max[0].clone(), function("max", "public.money_pair", Value::Null)];
    assert!(decided("\"citext\"", &catalog(&others, &[]), "SELECT max('a')").starts_with("function-not-allowed"));
}

#[test]
fn an_operator_on_other_types_is_not_meant() {
    let intarray = [operator("&&", "_int4", "_int4", json!("intarray"))];
    let catalog = catalog(&[], &intarray);
    let is_left =
        |condition: &str| decided("", &catalog, &format!("SELECT 1 FROM t WHERE {condition}")).ends_with(condition);
    assert!(is_left("words && '{a}'"));
    assert!(!is_left("numbers && '{1}'"));
}

#[test]
fn of_an_older_snapshot_nothing_is_known() {
    let bare = json!({ "schema": "public", "name": "&&", "extension": "intarray" });
    let catalog = catalog(&[], &[bare]);
    assert!(decided("", &catalog, "SELECT 1 FROM t WHERE words && '{a}'").contains("CASE WHEN"));
}

#[test]
fn comparisons_of_postgresqls_own_types_are_nobody_elses() {
    let equal = |extension: Value| catalog(&[], &[operator("=", "text", "text", extension)]);
    for catalog in [equal(Value::Null), equal(json!("of_somebody"))] {
        assert!(decided("", &catalog, "SELECT 1 FROM t WHERE word = 'a'").starts_with("operator-not-allowed"));
    }
    let own = catalog(&[], &[operator("=", "public.pair", "public.pair", json!("of_somebody"))]);
    assert!(decided("", &own, "SELECT 1 FROM t WHERE word = 'a'").ends_with("WHERE word = 'a'"));
}
