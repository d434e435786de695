//! The JSON Schemas of the two files, made from the structures that read them: for editors and for our own checks.

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::Map;
use serde_json::Value;

/// The schema of `T`, in the terms of TOML, which knows no null: an optional key is one that may be left out.
pub(crate) fn schema_of<T: JsonSchema>() -> Value {
    let mut schema = SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<T>().to_value();
    drop_null(&mut schema);
    schema
}

/// As it is written to `config/*.schema.json`.
pub(crate) fn schema_text(schema: &Value) -> String {
    format!("{schema:#}\n")
}

fn drop_null(schema: &mut Value) {
    match schema {
        Value::Array(items) => items.iter_mut().for_each(drop_null),
        Value::Object(object) => {
            drop_null_type(object);
            drop_null_alternative(object);
            object.values_mut().for_each(drop_null);
        }
        _ => {}
    }
}

fn drop_null_type(object: &mut Map<String, Value>) {
    if object.get("default").is_some_and(Value::is_null) {
        object.remove("default");
    }
    let Some(Value::Array(types)) = object.get_mut("type") else { return };
    types.retain(|kind| kind != "null");
    if types.len() == 1
        && let Some(only) = types.pop()
    {
        object.insert("type".to_owned(), only);
    }
}

fn drop_null_alternative(object: &mut Map<String, Value>) {
    let Some(Value::Array(alternatives)) = object.get_mut("anyOf") else { return };
    alternatives.retain(|schema| schema.get("type").is_none_or(|kind| kind != "null"));
    if alternatives.len() == 1
        && let Some(Value::Object(only)) = alternatives.pop()
    {
        object.remove("anyOf");
        for (key, value) in only {
            object.entry(key).or_insert(value);
        }
    }
}
