//! Holds a TOML tree against a JSON Schema: unknown and missing keys, wrong types, values outside a set or a range.

use std::ops::Range;

use serde_json::Value;
use toml::Spanned;
use toml::de::DeTable;
use toml::de::DeValue;

/// A fault: the bytes that it concerns, and what is wrong.
type Fault = (Range<usize>, String);

/// A walk over a tree and its schema side by side.
///
/// It knows the part of JSON Schema that `schemars` writes for our structures, and no more.
pub(super) struct Shape<'s> {
    schema: &'s Value,
    faults: Vec<Fault>,
}

impl<'s> Shape<'s> {
    /// Every fault of shape, in the order of the schema and the keys.
    pub(super) fn check(schema: &'s Value, root: &Spanned<DeTable<'_>>) -> Vec<Fault> {
        let mut shape = Self { schema, faults: Vec::new() };
        shape.table(schema, root.get_ref(), root.span(), &[]);
        shape.faults
    }

    fn table(&mut self, schema: &'s Value, table: &DeTable<'_>, span: Range<usize>, path: &[&str]) {
        let properties = schema.get("properties");
        for (key, value) in table.iter() {
            let name: &str = key.get_ref();
            let known = properties.and_then(|properties| properties.get(name));
            let any = schema.get("additionalProperties").filter(|schema| schema.is_object());
            let path = [path, &[name]].concat();
            match known.or(any) {
                Some(schema) => self.value(schema, value, &path),
                None => {
                    let names = properties.and_then(Value::as_object).into_iter().flat_map(|object| object.keys());
                    let message = format!("unknown key {name:?}{}{}", within(&path), suggestion(name, names));
                    self.faults.push((key.span(), message));
                }
            }
        }
        let required = schema.get("required").and_then(Value::as_array).into_iter().flatten();
        for name in required.filter_map(Value::as_str) {
            if table.get(name).is_none() {
                let path = [path, &[name]].concat();
                self.faults.push((span.clone(), format!("missing key {name:?}{}", within(&path))));
            }
        }
    }

    fn value(&mut self, schema: &'s Value, value: &Spanned<DeValue<'_>>, path: &[&str]) {
        let target = self.resolve(schema);
        let kinds = kinds(target);
        let found = value.get_ref();
        if !kinds.is_empty() && !kinds.contains(&schema_kind(found)) {
            let expected = kinds.iter().map(|kind| in_words(kind)).collect::<Vec<_>>().join(" or ");
            let hint = target.get("x-hint").and_then(Value::as_str).map(|hint| format!("; {hint}")).unwrap_or_default();
            let name = path.last().copied().unwrap_or_default();
            let message = format!(
                "wrong type for {name:?}{}: expected {expected}, found {}{hint}",
                within(path),
                in_words(schema_kind(found))
            );
            self.faults.push((value.span(), message));
            return;
        }
        match found {
            DeValue::Table(table) => self.table(target, table, value.span(), path),
            DeValue::Array(items) => {
                if let Some(schema) = target.get("items") {
                    items.iter().for_each(|item| self.value(schema, item, path));
                }
            }
            DeValue::String(text) => self.text(target, text, value.span(), path),
            DeValue::Integer(number) => {
                let number = i128::from_str_radix(number.as_str(), number.radix()).ok();
                self.integer(target, number, value.span(), path);
            }
            DeValue::Float(_) | DeValue::Boolean(_) | DeValue::Datetime(_) => {}
        }
    }

    fn text(&mut self, schema: &'s Value, text: &str, span: Range<usize>, path: &[&str]) {
        let words = words(schema);
        if words.is_empty() || words.contains(&text) {
            return;
        }
        let name = path.last().copied().unwrap_or_default();
        let list = words.iter().map(|word| format!("{word:?}")).collect::<Vec<_>>().join(", ");
        let mut message = format!("invalid value {text:?} for {name:?}{}: must be one of {list}", within(path));
        if let Some(near) = nearest(text, words.into_iter()) {
            message.push_str(&format!("; did you mean {near:?}?"));
        }
        self.faults.push((span, message));
    }

    fn integer(&mut self, schema: &'s Value, number: Option<i128>, span: Range<usize>, path: &[&str]) {
        let bound = |name: &str| schema.get(name).and_then(Value::as_number).and_then(serde_json::Number::as_i128);
        let minimum = bound("minimum").unwrap_or(i128::MIN);
        let maximum = bound("maximum").unwrap_or(match schema.get("format").and_then(Value::as_str) {
            Some("uint16") => i128::from(u16::MAX),
            Some("uint32") => i128::from(u32::MAX),
            _ => i128::from(i64::MAX),
        });
        if number.is_some_and(|number| (minimum..=maximum).contains(&number)) {
            return;
        }
        let name = path.last().copied().unwrap_or_default();
        let message = format!("invalid value for {name:?}{}: must be from {minimum} to {maximum}", within(path));
        self.faults.push((span, message));
    }

    /// The schema itself, behind a `$ref`.
    fn resolve(&self, schema: &'s Value) -> &'s Value {
        let name = schema.get("$ref").and_then(Value::as_str).and_then(|reference| reference.strip_prefix("#/$defs/"));
        name.and_then(|name| self.schema.get("$defs")?.get(name)).unwrap_or(schema)
    }
}

/// ` in [upstream.main]`; nothing for a key of the top level.
fn within(path: &[&str]) -> String {
    match path.split_last() {
        Some((_, [])) | None => String::new(),
        Some((_, section)) => {
            let section = section.iter().map(|key| written(key)).collect::<Vec<_>>().join(".");
            format!(" in [{section}]")
        }
    }
}

/// A key as it is written in a table's header.
fn written(key: &str) -> String {
    let bare = !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'));
    if bare { key.to_owned() } else { format!("{key:?}") }
}

fn suggestion<'n>(name: &str, names: impl Iterator<Item = &'n String> + Clone) -> String {
    match nearest(name, names.clone().map(String::as_str)) {
        Some(near) => format!("; did you mean {near:?}?"),
        None => {
            let list = names.map(String::as_str).collect::<Vec<_>>().join(", ");
            format!("; keys that can stand here: {list}")
        }
    }
}

/// The word that was probably meant.
fn nearest<'n>(name: &str, names: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    const LIKENESS_MIN: f64 = 0.6;
    let likeness = |other: &str| strsim::normalized_damerau_levenshtein(&name.to_ascii_lowercase(), other);
    names.filter(|other| likeness(other) >= LIKENESS_MIN).max_by(|a, b| likeness(a).total_cmp(&likeness(b)))
}

/// The strings that are allowed; empty where any is.
fn words(schema: &Value) -> Vec<&str> {
    let list = schema.get("enum").and_then(Value::as_array).into_iter().flatten();
    let alternatives = schema.get("oneOf").and_then(Value::as_array).into_iter().flatten();
    list.chain(alternatives.filter_map(|schema| schema.get("const"))).filter_map(Value::as_str).collect()
}

/// The types that are allowed; empty where any is.
fn kinds(schema: &Value) -> Vec<&str> {
    match schema.get("type") {
        Some(Value::String(kind)) => vec![kind],
        Some(Value::Array(kinds)) => kinds.iter().filter_map(Value::as_str).collect(),
        _ if words(schema).is_empty() => Vec::new(),
        _ => vec!["string"],
    }
}

/// The schema's word for a TOML value's type.
fn schema_kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "string",
        DeValue::Integer(_) => "integer",
        DeValue::Float(_) => "number",
        DeValue::Boolean(_) => "boolean",
        DeValue::Datetime(_) => "date",
        DeValue::Array(_) => "array",
        DeValue::Table(_) => "object",
    }
}

fn in_words(kind: &str) -> &str {
    match kind {
        "string" => "a string",
        "integer" => "an integer",
        "number" => "a number",
        "boolean" => "true or false",
        "date" => "a date",
        "array" => "a list",
        "object" => "a table",
        other => other,
    }
}
