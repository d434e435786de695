//! The example files and JSON Schemas in `config/`: they load, they are complete, they are what the program would write.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use partywall::config::Config;
use partywall::policy::Policy;
use serde_json::Value;

fn read(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("config").join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| format!("{}: {error}", path.display()))
}

fn parse_config(text: &str) -> Config {
    Config::parse(text, Path::new("/etc/partywall")).unwrap()
}

/// The text with every key that is commented out put in force.
fn uncommented(text: &str) -> String {
    let line = |line: &str| match line.strip_prefix('#') {
        Some(rest) if rest.starts_with(|first: char| first.is_ascii_lowercase() || first == '[') => rest.to_owned(),
        _ => line.to_owned(),
    };
    text.lines().map(line).collect::<Vec<_>>().join("\n")
}

#[test]
fn the_examples_load() {
    parse_config(&read("partywall.toml"));
    let policy = Policy::parse(&read("policy.toml")).unwrap();
    assert_eq!((policy.tables.len(), policy.logins.len()), (2, 2));
}

#[test]
fn keys_that_are_commented_out_stand_at_their_defaults() {
    let text = read("partywall.toml");
    let default = parse_config(&text);
    // A file of authorities goes with TLS only.
    let mut explicit = parse_config(&uncommented(&text).replace("tls = \"disable\"", "tls = \"verify-full\""));
    // These have no default that could be written down.
    explicit.listen.tls = default.listen.tls.clone();
    explicit.listen.unix_socket = default.listen.unix_socket.clone();
    explicit.listen.threads = default.listen.threads;
    explicit.audit.http = default.audit.http.clone();
    explicit.audit.checkpoints = default.audit.checkpoints.clone();
    explicit.audit.spool = default.audit.spool.clone();
    assert_eq!(explicit.audit.tenants.len(), 1, "the example of a tenant is there");
    explicit.audit.tenants.clear();
    for (name, upstream) in &mut explicit.upstreams {
        upstream.tls = default.upstreams[name].tls.clone();
    }
    assert_eq!(explicit, default);

    let text = read("policy.toml");
    let default = Policy::parse(&text).unwrap();
    let mut explicit = Policy::parse(&uncommented(&text)).unwrap();
    assert_eq!(explicit.functions.len(), 1, "the example of a function is there");
    explicit.functions.clear();
    assert_eq!(explicit.tenants.rules().count(), 1, "the example of a tenant is there");
    explicit.tenants = Arc::clone(&default.tenants);
    explicit.digest.clone_from(&default.digest);
    assert_eq!(explicit, default);
}

/// Every `Definition.key` of a schema; the root's keys have no definition before them.
fn keys_of_schema(schema: &Value) -> BTreeSet<String> {
    let definitions = schema["$defs"].as_object().unwrap();
    let named = definitions.iter().map(|(name, schema)| (name.as_str(), schema));
    let keys = named.chain([("", schema)]).flat_map(|(name, schema)| {
        let properties = schema["properties"].as_object().into_iter().flatten();
        properties.map(move |(key, _)| format!("{name}.{key}"))
    });
    keys.collect()
}

/// Every `Definition.key` that a file uses; fails where the file does not go by the schema.
fn keys_in_use(root: &Value, schema: &Value, name: &str, value: &toml::Value, keys: &mut BTreeSet<String>) {
    match value {
        toml::Value::Table(table) => {
            for (key, value) in table {
                let property = schema["properties"].get(key);
                if property.is_some() {
                    keys.insert(format!("{name}.{key}"));
                }
                let target = property.or_else(|| schema.get("additionalProperties").filter(|any| any.is_object()));
                let target = target.unwrap_or_else(|| panic!("{name} has no key {key}"));
                let reference = target["$ref"].as_str().and_then(|path| path.strip_prefix("#/$defs/"));
                match reference {
                    Some(name) => keys_in_use(root, &root["$defs"][name], name, value, keys),
                    None => keys_in_use(root, target, name, value, keys),
                }
            }
            for required in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
                assert!(table.contains_key(required), "{name} lacks {required}");
            }
        }
        scalar => {
            let kind = match scalar {
                toml::Value::String(_) => "string",
                toml::Value::Integer(_) => "integer",
                toml::Value::Boolean(_) => "boolean",
                _ => "array",
            };
            let words = schema["oneOf"]
                .as_array()
                .map(|words| words.iter().any(|word| word["const"] == scalar.as_str().unwrap()));
            let types = schema["type"].as_array().map(|types| types.iter().any(|other| other == kind));
            assert!(
                words.or(types).unwrap_or(schema["type"] == kind),
                "{name}: {scalar} is not what {schema} asks for"
            );
        }
    }
}

#[test]
fn the_examples_go_by_their_schemas_and_have_every_key() {
    for (schema, example) in [(Config::schema(), read("partywall.toml")), (Policy::schema(), read("policy.toml"))] {
        let schema: Value = serde_json::from_str(&schema).unwrap();
        let value: toml::Value = toml::from_str(&uncommented(&example)).unwrap();
        let mut used = BTreeSet::new();
        keys_in_use(&schema, &schema, "", &value, &mut used);
        // The other half of a pair of which exactly one may stand.
        used.insert("Secret.file".to_owned());
        assert_eq!(used, keys_of_schema(&schema));
    }
}

#[test]
fn the_schemas_are_those_that_the_program_prints() {
    for (name, schema) in [("partywall.schema.json", Config::schema()), ("policy.schema.json", Policy::schema())] {
        if std::env::var_os("UPDATE_SCHEMA").is_some() {
            std::fs::write(Path::new(env!("CARGO_MANIFEST_DIR")).join("config").join(name), &schema).unwrap();
        }
        assert_eq!(read(name), schema, "config/{name} is out of date: run the tests with UPDATE_SCHEMA=1");
    }
}

#[test]
fn every_key_of_a_schema_is_described() {
    for schema in [Config::schema(), Policy::schema()] {
        let schema: Value = serde_json::from_str(&schema).unwrap();
        for (name, definition) in schema["$defs"].as_object().unwrap() {
            for (key, property) in definition["properties"].as_object().into_iter().flatten() {
                let described = property.get("description").or_else(|| {
                    let target = property["$ref"].as_str()?.strip_prefix("#/$defs/")?;
                    schema["$defs"][target].get("description")
                });
                let obvious = ["Upstream.database"].contains(&format!("{name}.{key}").as_str());
                assert!(described.is_some() || obvious, "{name}.{key} has no description");
            }
        }
    }
}
