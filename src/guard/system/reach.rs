//! The queries for what is in reach of a catalogue, and the text around an operand that lets only that through.

use std::collections::BTreeMap;

use crate::guard::system::call::Naming;
use crate::guard::system::function::{DESCRIBED, NOTHING, OWN_FUNCTIONS, PLAIN_VIEWS, TENANT_COLUMNS, name_column};
use crate::guard::system::relation_named;
use crate::guard::system::visible::{Visible, operators};

/// What is in reach of each catalogue, as queries that stand once before a statement; each may use those before it.
pub(super) const SETS: &[&str] = &[
    TENANT_COLUMNS,
    "pg_class",
    PLAIN_VIEWS,
    "pg_namespace",
    "pg_type",
    "pg_proc",
    "pg_attrdef",
    "pg_constraint",
    "pg_trigger",
    "pg_rewrite",
    "pg_statistic_ext",
    "pg_enum",
    "pg_operator",
    "pg_opclass",
    "pg_opfamily",
    "pg_collation",
    "pg_conversion",
    "pg_ts_config",
    "pg_ts_dict",
    "pg_ts_parser",
    "pg_ts_template",
    "pg_am",
    "pg_cast",
    "pg_language",
    "pg_extension",
    "pg_database",
    "pg_tablespace",
    "pg_roles",
    OWN_FUNCTIONS,
    DESCRIBED,
    NOTHING,
];

/// The name by which a set is referred to.
pub(super) fn set_name(set: &str) -> String {
    format!("{PREFIX}{set}")
}

/// How the names of sets begin, and no client's.
pub(super) const PREFIX: &str = "partywall_";

/// Each set's query, brackets included.
pub(super) fn sets(visible: &Visible) -> Vec<(&'static str, String)> {
    let query = |set: &'static str| match set {
        TENANT_COLUMNS => visible.tenant_columns(),
        PLAIN_VIEWS => visible.plain_views(),
        "pg_class" => visible.classes(),
        OWN_FUNCTIONS => operators("(SELECT p.oid FROM pg_catalog.pg_proc AS p WHERE p.oid < 16384::pg_catalog.oid)"),
        NOTHING => "(SELECT 0::pg_catalog.oid AS oid WHERE false)".to_owned(),
        DESCRIBED => "(SELECT v.oid FROM partywall_pg_class AS v UNION ALL SELECT v.oid FROM partywall_pg_type AS v \
                      UNION ALL SELECT v.oid FROM partywall_pg_proc AS v)"
            .to_owned(),
        name => {
            let rows = relation_named("pg_catalog", name).map_or("false", |relation| relation.rows);
            visible.expand(&format!("(SELECT r.oid FROM pg_catalog.{name} AS r WHERE {rows})"))
        }
    };
    SETS.iter().map(|set| (*set, query(set))).collect()
}

/// The sets that a text refers to.
pub(super) fn sets_in(text: &str) -> impl Iterator<Item = &'static str> {
    SETS.iter().copied().filter(move |set| text.contains(&format!("FROM {} AS v", set_name(set))))
}

pub(super) fn names(visible: &Visible) -> BTreeMap<&'static str, String> {
    let mut queries = BTreeMap::new();
    for relation in ["pg_namespace", "pg_database", "pg_roles", "pg_language"] {
        if let Some(column) = name_column(relation) {
            let body = format!(
                "(SELECT r.oid, r.{column} AS name FROM pg_catalog.{relation} AS r WHERE {{{relation} r.oid}} OFFSET 0)"
            );
            queries.insert(relation, visible.expand(&body));
        }
    }
    let classes = visible.expand(
        "(SELECT c.oid, c.relname AS name, n.nspname AS schema FROM pg_catalog.pg_class AS c \
         JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace WHERE {pg_class c.oid} OFFSET 0)",
    );
    queries.insert("pg_class", classes);
    let types = visible.expand(
        "(SELECT t.oid, t.typname AS name, n.nspname AS schema FROM pg_catalog.pg_type AS t \
         JOIN pg_catalog.pg_namespace AS n ON n.oid = t.typnamespace WHERE {pg_type t.oid} OFFSET 0)",
    );
    queries.insert("pg_type", types);
    let settings =
        visible.expand("(SELECT s.name AS oid, s.name FROM pg_catalog.unnest({settings}) AS s (name) OFFSET 0)");
    queries.insert("pg_settings", settings);
    queries
}

/// Nothing of the operand's names can be captured: no relation stands beside it in its own SELECT.
pub(super) fn around_oid(set: &str) -> (String, String) {
    let before = "(SELECT partywall.oid AS {name} FROM (SELECT (".to_owned();
    let after = operators(
        ")::pg_catalog.oid AS oid OFFSET 0) AS partywall \
         WHERE partywall.oid = ANY (SELECT v.oid FROM {set} AS v) OR partywall.oid = 0::pg_catalog.oid)",
    );
    (before, after.replace("{set}", &set_name(set)))
}

/// What is put in for the name of the column that the look-up gives.
pub(super) const COLUMN: &str = "{name}";

pub(super) fn around_name(query: &str, relation: &str, naming: Naming) -> (String, String) {
    let by_name = if relation == "pg_class" {
        format!(
            "({} AND pg_catalog.pg_table_is_visible(n.oid) OR {})",
            matches_part("partywall.name", "n.name"),
            matches_pair()
        )
    } else if relation == "pg_type" {
        format!(
            "({} AND pg_catalog.pg_type_is_visible(n.oid) OR {} \
             OR pg_catalog.format_type(n.oid, NULL) = pg_catalog.lower(partywall.name))",
            matches_part("partywall.name", "n.name"),
            matches_pair()
        )
    } else if relation == "pg_settings" {
        "pg_catalog.lower(n.name) = pg_catalog.lower(partywall.name)".to_owned()
    } else {
        "n.name = partywall.name::pg_catalog.name".to_owned()
    };
    let condition = match naming {
        Naming::NameOrOid => format!(
            "CASE WHEN partywall.name OPERATOR(pg_catalog.~) '^[0-9]+$'::pg_catalog.text \
             THEN n.oid = partywall.name::pg_catalog.oid ELSE {by_name} END"
        ),
        Naming::Oid | Naming::Name => by_name,
    };
    let condition = operators(&condition);
    let found =
        if relation == "pg_class" && naming == Naming::NameOrOid { operators(MISSING) } else { "n.oid".to_owned() };
    let before = format!("(SELECT {found} AS {COLUMN} FROM (SELECT (");
    let after = format!(")::pg_catalog.text AS name OFFSET 0) AS partywall LEFT JOIN {query} AS n ON {condition})");
    (before, after)
}

/// A cast of a name that is not in reach fails as one of none does. In `pg_catalog` there is nothing hidden that is not
/// PostgreSQL's own; the session takes the schema out of the error.
const MISSING: &str = "COALESCE(n.oid, CASE WHEN partywall.name = '-'::pg_catalog.text THEN 0::pg_catalog.oid \
    WHEN partywall.name OPERATOR(pg_catalog.!~) '^[0-9]+$'::pg_catalog.text \
    THEN ('pg_catalog.'::pg_catalog.text OPERATOR(pg_catalog.||) \
    pg_catalog.quote_ident(CASE WHEN partywall.name OPERATOR(pg_catalog.~) '\"'::pg_catalog.text \
    THEN pg_catalog.replace(partywall.name, '\"', '') ELSE pg_catalog.lower(partywall.name) END))\
    ::pg_catalog.regclass::pg_catalog.oid END)";

/// A name as SQL writes it, in quotes or in letters of whatever case.
fn matches_part(text: &str, name: &str) -> String {
    format!(
        "(CASE WHEN {text} OPERATOR(pg_catalog.~) '[\".[:space:]]'::pg_catalog.text THEN {text} = {} \
         ELSE pg_catalog.lower({text} COLLATE pg_catalog.\"C\") = {name}::pg_catalog.text END)",
        quoted(name)
    )
}

/// `schema.name`, each of both in quotes or not.
fn matches_pair() -> String {
    let plain = |part: &str| format!("{part}::pg_catalog.text");
    let dot = "OPERATOR(pg_catalog.||) '.'::pg_catalog.text OPERATOR(pg_catalog.||)";
    let is_plain =
        |part: &str| format!("{part}::pg_catalog.text OPERATOR(pg_catalog.!~) '[\".[:space:]]'::pg_catalog.text");
    let (schema, name) = ("n.schema", "n.name");
    let folded = "pg_catalog.lower(partywall.name COLLATE pg_catalog.\"C\")";
    let length = format!("pg_catalog.length({}) OPERATOR(pg_catalog.+) 1::pg_catalog.int4", plain(schema));
    format!(
        "(partywall.name = ({quoted_schema} {dot} {quoted_name}) \
         OR {schema_is_plain} AND {name_is_plain} AND {folded} = ({schema} {dot} {name}) \
         AND partywall.name OPERATOR(pg_catalog.!~) '\"'::pg_catalog.text \
         OR {schema_is_plain} AND pg_catalog.left({folded}, {length}) = ({schema} OPERATOR(pg_catalog.||) '.'::pg_catalog.text) \
         AND pg_catalog.substr(partywall.name, {length} OPERATOR(pg_catalog.+) 1::pg_catalog.int4) = {quoted_name})",
        quoted_schema = quoted(schema),
        quoted_name = quoted(name),
        schema_is_plain = is_plain(schema),
        name_is_plain = is_plain(name),
        schema = plain(schema),
        name = plain(name),
    )
}

fn quoted(name: &str) -> String {
    format!(
        "('\"'::pg_catalog.text OPERATOR(pg_catalog.||) pg_catalog.replace({name}::pg_catalog.text, '\"', '\"\"') \
         OPERATOR(pg_catalog.||) '\"'::pg_catalog.text)"
    )
}
