//! Function calls: what is not listed is not called. The list is by name, all overloads of `pg_catalog`.

use crate::guard::fit::is_total_function;
use crate::sql::{TokenKind, Tokens};

/// What the guard knows of a function of `pg_catalog` that clients may call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::guard) enum Listed {
    /// On some types it fails on no argument, and touches nothing: [`crate::guard::entries`] says on which.
    Total,
    Ordinary,
    Aggregate,
    Window,
}

/// `None`: not for clients.
///
/// Left out on purpose, among others: everything that runs SQL held in a string (`query_to_xml`, `ts_stat`,
/// `ts_rewrite`, `cursor_to_xml`, …), takes a relation's name (`has_*_privilege`, `to_reg*`, `nextval`, sizes), reads
/// or writes files, large objects, settings, other backends, locks, notifications, snapshots and counters.
pub(in crate::guard) fn listed(name: &str) -> Option<Listed> {
    let has = |list: &[&str]| list.iter().any(|line| line.split(' ').any(|entry| entry == name));
    if is_total_function(name) {
        Some(Listed::Total)
    } else if has(AGGREGATES) {
        Some(Listed::Aggregate)
    } else if has(WINDOWS) {
        Some(Listed::Window)
    } else if has(ORDINARY) {
        Some(Listed::Ordinary)
    } else {
        None
    }
}

/// The grammar's own forms, which no schema can redefine: never qualified, since `pg_catalog.coalesce` does not exist.
pub(in crate::guard) fn is_grammar_form(name: &str) -> bool {
    matches!(
        name,
        "coalesce"
            | "nullif"
            | "greatest"
            | "least"
            | "row"
            | "grouping"
            | "current_date"
            | "current_time"
            | "current_timestamp"
            | "localtime"
            | "localtimestamp"
            | "current_schema"
            | "current_user"
            | "session_user"
            | "current_role"
            | "current_catalog"
            | "user"
            | "normalize"
            | "merge_action"
    )
}

/// Functions of `pg_catalog` that nobody can list, but that the grammar calls for a form that is let through.
#[cfg(feature = "second-opinion")]
pub(in crate::guard) fn is_made_by_the_grammar(name: &str) -> bool {
    matches!(name, "like_escape" | "is_normalized")
}

/// An unquoted keyword. `current_schema` is a value by itself, but with parentheses a call of whatever has the name.
pub(in crate::guard) fn is_form(tokens: &Tokens<'_>, at: usize) -> bool {
    let is_call = tokens.is_word(at, "current_schema") && tokens.kind(at + 1) == Some(TokenKind::LeftParen);
    tokens.keyword(at).is_some() && !is_call
}

const ORDINARY: &[&str] = &[
    "coalesce nullif greatest least row grouping current_date current_time current_timestamp localtime localtimestamp",
    "json_object",
    "abs acos acosd acosh asin asind asinh atan atan2 atan2d atand atanh cbrt ceil ceiling cos cosd cosh cot cotd",
    "degrees div exp factorial floor gcd lcm ln log log10 min_scale mod pi pow power radians random round scale",
    "setseed sign sin sind sinh sqrt tan tand tanh trim_scale trunc width_bucket",
    "ascii chr concat concat_ws md5 convert_from convert_to decode encode format initcap left lpad normalize overlay",
    "parse_ident position quote_ident quote_literal quote_nullable regexp_count regexp_instr regexp_like",
    "regexp_match regexp_matches regexp_replace regexp_split_to_array regexp_split_to_table regexp_substr repeat",
    "replace right rpad sha224 sha256 sha384 sha512 similar_to_escape split_part string_to_array string_to_table",
    "strpos substr substring text to_ascii to_char to_hex translate trim unistr varchar get_bit get_byte set_bit",
    "set_byte bit_count",
    "age date date_bin date_part date_trunc extract justify_days justify_hours justify_interval make_date",
    "make_interval make_time make_timestamp make_timestamptz timeofday timezone to_date to_number to_timestamp",
    "overlaps",
    // Casts, written as calls.
    "bpchar float4 float8 int2 int4 int8 macaddr macaddr8 money name timestamptz timetz",
    // What stands behind operators: some drivers take `?` for a parameter.
    "arraycontained arraycontains arrayoverlap json_array_element json_array_element_text json_object_field",
    "json_object_field_text jsonb_concat jsonb_contained jsonb_contains jsonb_delete jsonb_delete_path jsonb_exists",
    "jsonb_exists_all jsonb_exists_any",
    "convert hashtext hashtextextended",
    "array_append array_cat array_dims array_fill array_length array_lower array_ndims array_position",
    "array_positions array_prepend array_remove array_replace array_to_json array_to_string array_to_tsvector",
    "array_upper cardinality trim_array unnest generate_series generate_subscripts",
    "json_array_elements json_array_elements_text json_array_length json_build_array json_build_object json_each",
    "json_each_text json_extract_path json_extract_path_text json_object_keys json_populate_record",
    "json_populate_recordset json_strip_nulls json_to_record json_to_recordset json_typeof",
    "jsonb_array_elements jsonb_array_elements_text jsonb_array_length jsonb_build_array jsonb_build_object",
    "jsonb_each jsonb_each_text jsonb_extract_path jsonb_extract_path_text jsonb_insert jsonb_object",
    "jsonb_object_keys jsonb_path_exists jsonb_path_exists_tz jsonb_path_match jsonb_path_match_tz jsonb_path_query",
    "jsonb_path_query_array jsonb_path_query_array_tz jsonb_path_query_first jsonb_path_query_first_tz",
    "jsonb_path_query_tz jsonb_populate_record jsonb_populate_recordset jsonb_pretty jsonb_set jsonb_set_lax",
    "jsonb_strip_nulls jsonb_to_record jsonb_to_recordset row_to_json to_json to_jsonb",
    "numnode phraseto_tsquery plainto_tsquery querytree setweight strip to_tsquery to_tsvector ts_delete ts_filter",
    "ts_headline ts_rank ts_rank_cd tsquery_phrase tsvector_to_array websearch_to_tsquery jsonb_to_tsvector",
    "json_to_tsvector",
    "range_merge int4range int8range numrange daterange tsrange",
    "tstzrange int4multirange int8multirange nummultirange datemultirange tsmultirange tstzmultirange multirange",
    "abbrev broadcast family host hostmask inet_merge inet_same_family masklen netmask network set_masklen macaddr8_set7bit",
    "area bound_box box center circle diagonal diameter height isclosed isopen line lseg npoints path pclose point",
    "polygon popen radius slope width",
    "gen_random_uuid num_nonnulls num_nulls pg_typeof pg_sleep enum_first enum_last enum_range",
    "current_database current_schema version pg_advisory_unlock_all",
];

const AGGREGATES: &[&str] = &[
    "array_agg avg bit_and bit_or bit_xor bool_and bool_or count every json_agg json_object_agg jsonb_agg",
    "jsonb_object_agg max min range_agg range_intersect_agg string_agg sum corr covar_pop covar_samp regr_avgx",
    "regr_avgy regr_count regr_intercept regr_r2 regr_slope regr_sxx regr_sxy regr_syy stddev stddev_pop",
    "stddev_samp variance var_pop var_samp mode percentile_cont percentile_disc",
];

const WINDOWS: &[&str] =
    &["row_number rank dense_rank percent_rank cume_dist ntile lag lead first_value last_value nth_value"];
