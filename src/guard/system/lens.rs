//! A system relation as text: the rows in reach, the values that tell of nobody, behind a fence.
//!
//! Hidden rows never meet a condition of the client's: nothing is pushed through `OFFSET 0`. Nor does the planner try
//! operators on what it knows of them: names and texts come out as expressions, which have no statistics.

use crate::guard::kind::Kind;
use crate::guard::scope::OutputColumn;
use crate::guard::system::visible::Visible;
use crate::sql::quote_literal;

/// A relation of PostgreSQL's own that clients may read.
#[derive(Debug)]
pub(super) struct SystemRelation {
    pub(super) name: &'static str,
    /// The condition on its rows, under the alias `r`; or a whole query, where the relation itself would say too much.
    /// In braces what [`Visible`] knows.
    pub(super) rows: &'static str,
    /// `name:type`, with `=mask` where another value is shown, and `@14` or `@-16`: the first or last version that has it.
    pub(super) columns: &'static str,
}

/// The text that stands for it, brackets included, and what comes out.
#[derive(Debug)]
pub(in crate::guard) struct SystemLens {
    pub(in crate::guard) text: String,
    pub(in crate::guard) columns: Vec<OutputColumn>,
}

#[derive(Debug)]
struct SystemColumn<'a> {
    name: &'a str,
    type_name: &'a str,
    mask: Option<&'a str>,
}

pub(super) fn lens(relation: &SystemRelation, schema: &str, visible: &Visible, server_version: u32) -> SystemLens {
    let columns: Vec<SystemColumn<'_>> =
        relation.columns.split_whitespace().filter_map(|column| parse(column, server_version / 10_000)).collect();
    let values: Vec<String> = columns.iter().map(|column| value(column, schema, visible)).collect();
    let source = if relation.rows.starts_with("SELECT") {
        format!("({}) AS r", visible.expand(relation.rows))
    } else {
        format!("{schema}.{} AS r WHERE {}", relation.name, visible.expand(relation.rows))
    };
    let body = format!("SELECT {} FROM {source}", values.join(", "));
    let text = format!("({body} OFFSET 0)");
    let output = |column: &SystemColumn<'_>| OutputColumn {
        name: column.name.to_owned(),
        kind: kind(column.type_name),
        total: true,
    };
    SystemLens { text, columns: columns.iter().map(output).collect() }
}

fn parse(column: &str, version: u32) -> Option<SystemColumn<'_>> {
    let (column, versions) = column.split_once('@').unwrap_or((column, ""));
    let exists = match versions.strip_prefix('-') {
        Some(last) => last.parse().is_ok_and(|last: u32| version <= last),
        None => versions.is_empty() || versions.parse().is_ok_and(|first: u32| version >= first),
    };
    let (name, rest) = column.split_once(':').filter(|_| exists)?;
    let (type_name, mask) = rest.split_once('=').map_or((rest, None), |(type_name, mask)| (type_name, Some(mask)));
    Some(SystemColumn { name, type_name, mask })
}

fn value(column: &SystemColumn<'_>, schema: &str, visible: &Visible) -> String {
    let SystemColumn { name, type_name, mask } = column;
    let of_schema = matches!(*type_name, "sql_identifier" | "character_data" | "yes_or_no" | "cardinal_number");
    let type_schema = if of_schema { schema } else { "pg_catalog" };
    // Quoted for `"char"`, which is not `char`.
    let full_type = format!("{type_schema}.\"{type_name}\"");
    let shown = match *mask {
        Some("null") => format!("NULL::{full_type}"),
        Some("owner") => owner(name),
        Some("tablespace") => format!(
            "CASE WHEN r.{name} OPERATOR(pg_catalog.<) 16384::pg_catalog.oid THEN r.{name} ELSE 0::pg_catalog.oid END"
        ),
        Some("ownername") => format!("({})::{full_type}", owner_name(name)),
        Some("own") => format!("CASE WHEN r.oid OPERATOR(pg_catalog.<) 16384::pg_catalog.oid THEN r.{name} END"),
        Some("none") => format!("CASE WHEN false THEN r.{name} END"),
        Some("default") => visible.expand("(r.atthasdef AND NOT {tenant r.attrelid r.attnum})"),
        Some("untold") => format!("CASE WHEN {} THEN r.{name} END", visible.untold("r.oid")),
        Some("default_of") => {
            let is_tenant = visible.is_tenant_column("r.table_schema", "r.table_name", "r.column_name");
            format!("CASE WHEN NOT {is_tenant} THEN r.{name} END")
        }
        Some("generation") => {
            format!("CASE WHEN NOT {} THEN r.{name} END", visible.holds_tenant_column(&format!("r.{name}")))
        }
        Some(mask) if let Some((schema, view)) = mask.strip_prefix("plain:").and_then(|rest| rest.split_once(':')) => {
            visible.expand(&format!("CASE WHEN {{plain r.{schema} r.{view}}} THEN r.{name} END"))
        }
        Some(constant) => format!("{}::{full_type}", quote_literal(constant)),
        None => match *type_name {
            "name" => format!("r.{name}::pg_catalog.text::pg_catalog.name"),
            "text" => format!("(r.{name} OPERATOR(pg_catalog.||) ''::pg_catalog.text)"),
            "sql_identifier" => format!("r.{name}::pg_catalog.text::pg_catalog.name::{full_type}"),
            "character_data" => {
                format!("(r.{name}::pg_catalog.text OPERATOR(pg_catalog.||) ''::pg_catalog.text)::{full_type}")
            }
            _ => format!("r.{name}"),
        },
    };
    format!("{shown} AS {name}")
}

/// The session's own role and PostgreSQL's are shown, of others there is none: all is the first superuser's.
fn owner(column: &str) -> String {
    format!(
        "CASE WHEN r.{column} OPERATOR(pg_catalog.<) 16384::pg_catalog.oid OR r.{column} OPERATOR(pg_catalog.=) \
         (SELECT u.oid FROM pg_catalog.pg_roles AS u WHERE u.rolname OPERATOR(pg_catalog.=) CURRENT_USER) \
         THEN r.{column} ELSE 10::pg_catalog.oid END"
    )
}

fn owner_name(column: &str) -> String {
    format!(
        "CASE WHEN r.{column}::pg_catalog.name OPERATOR(pg_catalog.=) CURRENT_USER THEN CURRENT_USER ELSE (SELECT u.rolname \
         FROM pg_catalog.pg_roles AS u WHERE u.oid OPERATOR(pg_catalog.=) 10::pg_catalog.oid) END"
    )
}

fn kind(type_name: &str) -> Kind {
    match type_name {
        "sql_identifier" | "character_data" | "yes_or_no" => Kind::Text,
        "cardinal_number" => Kind::Integer,
        other => Kind::of_internal_name(other),
    }
}
