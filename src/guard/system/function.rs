//! PostgreSQL's functions that look the catalogue up: what each may be given.

use crate::guard::kind::{Kind, Reg};
use crate::guard::scope::OutputColumn;

/// What a call is made of before it is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Treatment {
    /// Whatever it is given, it tells of the server, the session or its argument alone.
    Open,
    /// These arguments are OIDs of rows of a relation: those in reach, or NULL.
    Oids(&'static [(usize, &'static str)]),
    /// The first argument is a view, by OID or by name, whose definition may be shown.
    Definition,
    /// The first argument is a relation by name, and is sent as one.
    RelationName,
    /// How much the rows of all tenants take: not known.
    Size,
    /// A comment on something of the kind that the second argument names.
    Comment,
    /// A privilege: on what, and whether by OID or name.
    Privilege(&'static str),
    /// A look-up by name among what is in reach, and the type of the outcome.
    LookUp(&'static str, &'static str),
    /// The value of a setting that may be shown.
    Setting,
    /// The children of a relation: none are there.
    Tree,
    /// A setting that may be changed.
    SetConfig,
}

/// `None`: no function of these.
pub(super) fn treatment(name: &str) -> Option<Treatment> {
    let open = OPEN.iter().any(|line| line.split(' ').any(|entry| entry == name));
    if open {
        return Some(Treatment::Open);
    }
    if SIZES.split(' ').any(|entry| entry == name) {
        return Some(Treatment::Size);
    }
    let looked_up = LOOKED_UP.iter().find(|(names, _)| names.split(' ').any(|entry| entry == name));
    if let Some((_, arguments)) = looked_up {
        return Some(Treatment::Oids(arguments));
    }
    match name {
        "pg_get_viewdef" => Some(Treatment::Definition),
        "pg_get_serial_sequence" => Some(Treatment::RelationName),
        "obj_description" | "shobj_description" => Some(Treatment::Comment),
        "has_table_privilege" | "has_any_column_privilege" | "has_column_privilege" | "has_sequence_privilege" => {
            Some(Treatment::Privilege("pg_class"))
        }
        "has_schema_privilege" => Some(Treatment::Privilege("pg_namespace")),
        "has_database_privilege" => Some(Treatment::Privilege("pg_database")),
        "has_function_privilege" => Some(Treatment::Privilege("pg_proc")),
        "has_type_privilege" => Some(Treatment::Privilege("pg_type")),
        "has_language_privilege" => Some(Treatment::Privilege("pg_language")),
        "pg_has_role" => Some(Treatment::Privilege("pg_roles")),
        "to_regclass" => Some(Treatment::LookUp("pg_class", "regclass")),
        "to_regtype" => Some(Treatment::LookUp("pg_type", "regtype")),
        "to_regnamespace" => Some(Treatment::LookUp("pg_namespace", "regnamespace")),
        "to_regrole" => Some(Treatment::LookUp("pg_roles", "regrole")),
        "current_setting" => Some(Treatment::Setting),
        "pg_partition_tree" => Some(Treatment::Tree),
        "set_config" => Some(Treatment::SetConfig),
        _ => None,
    }
}

/// Whether arguments get a type of their own, whatever they are given.
pub(in crate::guard) fn takes_no_type(name: &str) -> bool {
    treatment(name).is_some_and(|treatment| !matches!(treatment, Treatment::Open))
}

/// What the name that is a relation's is to a client that reads it.
pub(super) fn name_column(relation: &str) -> Option<&'static str> {
    match relation {
        "pg_class" => Some("relname"),
        "pg_type" => Some("typname"),
        "pg_namespace" => Some("nspname"),
        "pg_database" => Some("datname"),
        "pg_roles" => Some("rolname"),
        "pg_language" => Some("lanname"),
        _ => None,
    }
}

/// The columns of what some of them give in FROM.
pub(in crate::guard) fn output_columns(name: &str) -> &'static [&'static str] {
    match name {
        "pg_get_keywords" => &["word", "catcode", "barelabel", "catdesc", "baredesc"],
        "pg_options_to_table" => &["option_name", "option_value"],
        "pg_partition_tree" => &["relid", "parentrelid", "isleaf", "level"],
        "pg_partition_ancestors" => &["relid"],
        "ts_token_type" => &["tokid", "alias", "description"],
        _ => &[],
    }
}

/// Of the query that stands for `pg_partition_tree`.
pub(in crate::guard) fn partition_tree_columns() -> Vec<OutputColumn> {
    let column = |name: &str, kind: Kind| OutputColumn { name: name.to_owned(), kind, total: true };
    vec![
        column("relid", Kind::Reg(Reg::Named("regclass"))),
        column("parentrelid", Kind::Reg(Reg::Named("regclass"))),
        column("isleaf", Kind::Boolean),
        column("level", Kind::Integer),
    ]
}

/// Each with its reason: encodings, words and sizes in figures are arithmetic on the argument; `current_schemas` shows
/// the search path, which Partywall has set; the backend's number, its start and whether the server recovers say
/// nothing of rows; LISTEN is refused, so that no channel is listened to.
const OPEN: &[&str] = &[
    "pg_encoding_to_char pg_char_to_encoding pg_client_encoding getdatabaseencoding pg_get_keywords pg_size_pretty",
    "pg_size_bytes pg_is_in_recovery pg_postmaster_start_time pg_conf_load_time current_schemas pg_my_temp_schema",
    "pg_backend_pid pg_listening_channels pg_options_to_table pg_jit_available",
];

const SIZES: &str = "pg_relation_size pg_total_relation_size pg_table_size pg_indexes_size pg_database_size \
    pg_tablespace_size pg_sequence_last_value";

const LOOKED_UP: &[(&str, &[(usize, &str)])] = &[
    (
        "pg_get_indexdef pg_table_is_visible pg_get_partkeydef pg_get_partition_constraintdef pg_partition_ancestors \
         pg_partition_root pg_relation_is_publishable pg_relation_is_updatable pg_column_is_updatable \
         pg_get_replica_identity_index col_description",
        &[(0, "pg_class")],
    ),
    ("pg_get_expr", &[(1, "pg_class")]),
    ("pg_get_constraintdef", &[(0, "pg_constraint")]),
    ("pg_get_triggerdef", &[(0, "pg_trigger")]),
    ("pg_get_ruledef", &[(0, "pg_rewrite")]),
    (
        "pg_get_statisticsobjdef pg_get_statisticsobjdef_columns pg_get_statisticsobjdef_expressions \
         pg_statistics_obj_is_visible",
        &[(0, "pg_statistic_ext")],
    ),
    ("format_type pg_type_is_visible", &[(0, "pg_type")]),
    (
        "pg_get_function_arguments pg_get_function_identity_arguments pg_get_function_result \
         pg_get_function_arg_default pg_function_is_visible",
        &[(0, "pg_proc")],
    ),
    ("pg_get_functiondef pg_get_function_sqlbody", &[(0, OWN_FUNCTIONS)]),
    ("pg_get_userbyid", &[(0, "pg_roles")]),
    ("pg_tablespace_location", &[(0, "pg_tablespace")]),
    ("pg_describe_object", &[(1, DESCRIBED)]),
    ("ts_token_type", &[(0, "pg_ts_parser")]),
    ("pg_collation_is_visible", &[(0, "pg_collation")]),
    ("pg_conversion_is_visible", &[(0, "pg_conversion")]),
    ("pg_operator_is_visible", &[(0, "pg_operator")]),
    ("pg_opclass_is_visible", &[(0, "pg_opclass")]),
    ("pg_opfamily_is_visible", &[(0, "pg_opfamily")]),
    ("pg_ts_config_is_visible", &[(0, "pg_ts_config")]),
    ("pg_ts_dict_is_visible", &[(0, "pg_ts_dict")]),
    ("pg_ts_parser_is_visible", &[(0, "pg_ts_parser")]),
    ("pg_ts_template_is_visible", &[(0, "pg_ts_template")]),
];

/// PostgreSQL's own functions, whose source may be read.
pub(super) const OWN_FUNCTIONS: &str = "own_functions";

/// What has a description of its own: relations, types and functions in reach.
pub(super) const DESCRIBED: &str = "described";

/// Tenant columns, with their numbers and types.
pub(super) const TENANT_COLUMNS: &str = "tenant_columns";

/// Views whose definitions tell of no tenant.
pub(super) const PLAIN_VIEWS: &str = "plain_views";

/// What nobody comments on here.
pub(super) const NOTHING: &str = "nothing";
