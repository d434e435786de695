//! The views of `information_schema` that clients may read, filtered by the names that they show.

use crate::guard::system::lens::SystemRelation;

/// The server's own view gives the rows of hidden tables no other mark than names, which need not be unique.
const REFERENTIAL_CONSTRAINTS: &str = "SELECT pg_catalog.current_database() AS constraint_catalog, \
    n.nspname AS constraint_schema, k.conname AS constraint_name, \
    CASE WHEN u.conname IS NOT NULL THEN pg_catalog.current_database() END AS unique_constraint_catalog, \
    u.nspname AS unique_constraint_schema, u.conname AS unique_constraint_name, \
    CASE WHEN k.confmatchtype = 'f'::pg_catalog.\"char\" THEN 'FULL' \
    WHEN k.confmatchtype = 'p'::pg_catalog.\"char\" THEN 'PARTIAL' ELSE 'NONE' END AS match_option, \
    {action k.confupdtype} AS update_rule, {action k.confdeltype} AS delete_rule \
    FROM pg_catalog.pg_constraint AS k JOIN pg_catalog.pg_namespace AS n ON n.oid = k.connamespace \
    LEFT JOIN (SELECT u.conname, un.nspname, u.conindid, u.conrelid FROM pg_catalog.pg_constraint AS u \
    JOIN pg_catalog.pg_namespace AS un ON un.oid = u.connamespace \
    WHERE u.contype = ANY ('{p,u}'::pg_catalog.\"char\"[])) AS u \
    ON u.conindid = k.conindid AND u.conrelid = k.confrelid \
    WHERE k.contype = 'f'::pg_catalog.\"char\" AND {pg_constraint k.oid} \
    AND pg_catalog.has_table_privilege(k.conrelid, 'INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER')";

/// As the server's own, with the constraints that NOT NULL stands for.
const CHECK_CONSTRAINTS: &str = "SELECT pg_catalog.current_database() AS constraint_catalog, \
    n.nspname AS constraint_schema, k.conname AS constraint_name, \
    pg_catalog.substring(pg_catalog.pg_get_constraintdef(k.oid), 7) AS check_clause \
    FROM pg_catalog.pg_constraint AS k JOIN pg_catalog.pg_namespace AS n ON n.oid = k.connamespace \
    LEFT JOIN pg_catalog.pg_class AS c ON c.oid = k.conrelid LEFT JOIN pg_catalog.pg_type AS t ON t.oid = k.contypid \
    WHERE k.contype = 'c'::pg_catalog.\"char\" AND {pg_constraint k.oid} \
    AND pg_catalog.pg_has_role(COALESCE(c.relowner, t.typowner), 'USAGE') \
    UNION ALL SELECT pg_catalog.current_database(), n.nspname, \
    pg_catalog.concat_ws('_', n.oid, c.oid, a.attnum, 'not_null')::pg_catalog.name, \
    pg_catalog.concat(a.attname, ' IS NOT NULL') \
    FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace \
    JOIN pg_catalog.pg_attribute AS a ON a.attrelid = c.oid \
    WHERE a.attnum > 0::pg_catalog.int2 AND NOT a.attisdropped AND a.attnotnull \
    AND c.relkind = ANY ('{r,p}'::pg_catalog.\"char\"[]) AND {pg_class c.oid} \
    AND pg_catalog.pg_has_role(c.relowner, 'USAGE')";

pub(super) const INFORMATION: &[SystemRelation] = &[
    SystemRelation { name: "information_schema_catalog_name", rows: "true", columns: "catalog_name:sql_identifier" },
    SystemRelation {
        name: "tables",
        rows: "{pair r.table_schema r.table_name}",
        columns: "table_catalog:sql_identifier table_schema:sql_identifier table_name:sql_identifier \
            table_type:character_data self_referencing_column_name:sql_identifier \
            reference_generation:character_data user_defined_type_catalog:sql_identifier \
            user_defined_type_schema:sql_identifier user_defined_type_name:sql_identifier \
            is_insertable_into:yes_or_no is_typed:yes_or_no commit_action:character_data",
    },
    SystemRelation {
        name: "columns",
        rows: "{pair r.table_schema r.table_name}",
        columns: "table_catalog:sql_identifier table_schema:sql_identifier table_name:sql_identifier \
            column_name:sql_identifier ordinal_position:cardinal_number column_default:character_data=default_of \
            is_nullable:yes_or_no data_type:character_data character_maximum_length:cardinal_number \
            character_octet_length:cardinal_number numeric_precision:cardinal_number \
            numeric_precision_radix:cardinal_number numeric_scale:cardinal_number \
            datetime_precision:cardinal_number interval_type:character_data interval_precision:cardinal_number \
            character_set_catalog:sql_identifier character_set_schema:sql_identifier \
            character_set_name:sql_identifier collation_catalog:sql_identifier collation_schema:sql_identifier \
            collation_name:sql_identifier domain_catalog:sql_identifier domain_schema:sql_identifier \
            domain_name:sql_identifier udt_catalog:sql_identifier udt_schema:sql_identifier \
            udt_name:sql_identifier scope_catalog:sql_identifier scope_schema:sql_identifier \
            scope_name:sql_identifier maximum_cardinality:cardinal_number dtd_identifier:sql_identifier \
            is_self_referencing:yes_or_no is_identity:yes_or_no identity_generation:character_data \
            identity_start:character_data identity_increment:character_data identity_maximum:character_data \
            identity_minimum:character_data identity_cycle:yes_or_no is_generated:character_data \
            generation_expression:character_data=generation is_updatable:yes_or_no",
    },
    SystemRelation {
        name: "views",
        rows: "{pair r.table_schema r.table_name}",
        columns: "table_catalog:sql_identifier table_schema:sql_identifier table_name:sql_identifier \
            view_definition:character_data=plain:table_schema:table_name check_option:character_data is_updatable:yes_or_no \
            is_insertable_into:yes_or_no is_trigger_updatable:yes_or_no is_trigger_deletable:yes_or_no \
            is_trigger_insertable_into:yes_or_no",
    },
    SystemRelation {
        name: "table_constraints",
        rows: "({pair r.table_schema r.table_name} AND CASE WHEN r.constraint_type = 'CHECK' AND \
            r.constraint_name::pg_catalog.text OPERATOR(pg_catalog.~) '^[0-9]+_[0-9]+_[0-9]+_not_null$'::pg_catalog.text \
            THEN true ELSE {constraint r.table_schema r.table_name r.constraint_name} END)",
        columns: "constraint_catalog:sql_identifier constraint_schema:sql_identifier constraint_name:sql_identifier \
            table_catalog:sql_identifier table_schema:sql_identifier table_name:sql_identifier \
            constraint_type:character_data is_deferrable:yes_or_no initially_deferred:yes_or_no \
            enforced:yes_or_no nulls_distinct:yes_or_no@15",
    },
    SystemRelation {
        name: "key_column_usage",
        rows: "({pair r.table_schema r.table_name} AND {constraint r.table_schema r.table_name \
            r.constraint_name})",
        columns: "constraint_catalog:sql_identifier constraint_schema:sql_identifier constraint_name:sql_identifier \
            table_catalog:sql_identifier table_schema:sql_identifier table_name:sql_identifier \
            column_name:sql_identifier ordinal_position:cardinal_number \
            position_in_unique_constraint:cardinal_number",
    },
    SystemRelation {
        name: "constraint_column_usage",
        rows: "{usage r.table_schema r.table_name r.constraint_schema r.constraint_name}",
        columns: "table_catalog:sql_identifier table_schema:sql_identifier table_name:sql_identifier \
            column_name:sql_identifier constraint_catalog:sql_identifier constraint_schema:sql_identifier \
            constraint_name:sql_identifier",
    },
    SystemRelation {
        name: "referential_constraints",
        rows: REFERENTIAL_CONSTRAINTS,
        columns: "constraint_catalog:sql_identifier constraint_schema:sql_identifier constraint_name:sql_identifier \
            unique_constraint_catalog:sql_identifier unique_constraint_schema:sql_identifier \
            unique_constraint_name:sql_identifier match_option:character_data update_rule:character_data \
            delete_rule:character_data",
    },
    SystemRelation {
        name: "check_constraints",
        rows: CHECK_CONSTRAINTS,
        columns: "constraint_catalog:sql_identifier constraint_schema:sql_identifier constraint_name:sql_identifier \
            check_clause:character_data",
    },
    SystemRelation {
        name: "schemata",
        rows: "{schema r.schema_name}",
        columns: "catalog_name:sql_identifier schema_name:sql_identifier schema_owner:sql_identifier=ownername \
            default_character_set_catalog:sql_identifier default_character_set_schema:sql_identifier \
            default_character_set_name:sql_identifier sql_path:character_data",
    },
    SystemRelation {
        name: "sequences",
        rows: "{sequence r.sequence_schema r.sequence_name}",
        columns: "sequence_catalog:sql_identifier sequence_schema:sql_identifier sequence_name:sql_identifier \
            data_type:character_data numeric_precision:cardinal_number numeric_precision_radix:cardinal_number \
            numeric_scale:cardinal_number start_value:character_data minimum_value:character_data \
            maximum_value:character_data increment:character_data cycle_option:yes_or_no",
    },
    SystemRelation {
        name: "routines",
        rows: "{routine r.specific_name}",
        columns: "specific_catalog:sql_identifier specific_schema:sql_identifier specific_name:sql_identifier \
            routine_catalog:sql_identifier routine_schema:sql_identifier routine_name:sql_identifier \
            routine_type:character_data module_catalog:sql_identifier module_schema:sql_identifier \
            module_name:sql_identifier udt_catalog:sql_identifier udt_schema:sql_identifier \
            udt_name:sql_identifier data_type:character_data character_maximum_length:cardinal_number \
            character_octet_length:cardinal_number character_set_catalog:sql_identifier \
            character_set_schema:sql_identifier character_set_name:sql_identifier \
            collation_catalog:sql_identifier collation_schema:sql_identifier collation_name:sql_identifier \
            numeric_precision:cardinal_number numeric_precision_radix:cardinal_number \
            numeric_scale:cardinal_number datetime_precision:cardinal_number interval_type:character_data \
            interval_precision:cardinal_number type_udt_catalog:sql_identifier type_udt_schema:sql_identifier \
            type_udt_name:sql_identifier scope_catalog:sql_identifier scope_schema:sql_identifier \
            scope_name:sql_identifier maximum_cardinality:cardinal_number dtd_identifier:sql_identifier \
            routine_body:character_data routine_definition:character_data=null external_name:character_data \
            external_language:character_data parameter_style:character_data is_deterministic:yes_or_no \
            sql_data_access:character_data is_null_call:yes_or_no sql_path:character_data \
            schema_level_routine:yes_or_no max_dynamic_result_sets:cardinal_number \
            is_user_defined_cast:yes_or_no is_implicitly_invocable:yes_or_no security_type:character_data \
            to_sql_specific_catalog:sql_identifier to_sql_specific_schema:sql_identifier \
            to_sql_specific_name:sql_identifier as_locator:yes_or_no created:time_stamp last_altered:time_stamp \
            new_savepoint_level:yes_or_no is_udt_dependent:yes_or_no result_cast_from_data_type:character_data \
            result_cast_as_locator:yes_or_no result_cast_char_max_length:cardinal_number \
            result_cast_char_octet_length:cardinal_number result_cast_char_set_catalog:sql_identifier \
            result_cast_char_set_schema:sql_identifier result_cast_char_set_name:sql_identifier \
            result_cast_collation_catalog:sql_identifier result_cast_collation_schema:sql_identifier \
            result_cast_collation_name:sql_identifier result_cast_numeric_precision:cardinal_number \
            result_cast_numeric_precision_radix:cardinal_number result_cast_numeric_scale:cardinal_number \
            result_cast_datetime_precision:cardinal_number result_cast_interval_type:character_data \
            result_cast_interval_precision:cardinal_number result_cast_type_udt_catalog:sql_identifier \
            result_cast_type_udt_schema:sql_identifier result_cast_type_udt_name:sql_identifier \
            result_cast_scope_catalog:sql_identifier result_cast_scope_schema:sql_identifier \
            result_cast_scope_name:sql_identifier result_cast_maximum_cardinality:cardinal_number \
            result_cast_dtd_identifier:sql_identifier",
    },
    SystemRelation {
        name: "parameters",
        rows: "{routine r.specific_name}",
        columns: "specific_catalog:sql_identifier specific_schema:sql_identifier specific_name:sql_identifier \
            ordinal_position:cardinal_number parameter_mode:character_data is_result:yes_or_no \
            as_locator:yes_or_no parameter_name:sql_identifier data_type:character_data \
            character_maximum_length:cardinal_number character_octet_length:cardinal_number \
            character_set_catalog:sql_identifier character_set_schema:sql_identifier \
            character_set_name:sql_identifier collation_catalog:sql_identifier collation_schema:sql_identifier \
            collation_name:sql_identifier numeric_precision:cardinal_number \
            numeric_precision_radix:cardinal_number numeric_scale:cardinal_number \
            datetime_precision:cardinal_number interval_type:character_data interval_precision:cardinal_number \
            udt_catalog:sql_identifier udt_schema:sql_identifier udt_name:sql_identifier \
            scope_catalog:sql_identifier scope_schema:sql_identifier scope_name:sql_identifier \
            maximum_cardinality:cardinal_number dtd_identifier:sql_identifier parameter_default:character_data",
    },
    SystemRelation {
        name: "domains",
        rows: "{schema r.domain_schema}",
        columns: "domain_catalog:sql_identifier domain_schema:sql_identifier domain_name:sql_identifier \
            data_type:character_data character_maximum_length:cardinal_number \
            character_octet_length:cardinal_number character_set_catalog:sql_identifier \
            character_set_schema:sql_identifier character_set_name:sql_identifier \
            collation_catalog:sql_identifier collation_schema:sql_identifier collation_name:sql_identifier \
            numeric_precision:cardinal_number numeric_precision_radix:cardinal_number \
            numeric_scale:cardinal_number datetime_precision:cardinal_number interval_type:character_data \
            interval_precision:cardinal_number domain_default:character_data=null udt_catalog:sql_identifier \
            udt_schema:sql_identifier udt_name:sql_identifier scope_catalog:sql_identifier \
            scope_schema:sql_identifier scope_name:sql_identifier maximum_cardinality:cardinal_number \
            dtd_identifier:sql_identifier",
    },
    SystemRelation {
        name: "domain_constraints",
        rows: "{schema r.domain_schema}",
        columns: "constraint_catalog:sql_identifier constraint_schema:sql_identifier constraint_name:sql_identifier \
            domain_catalog:sql_identifier domain_schema:sql_identifier domain_name:sql_identifier \
            is_deferrable:yes_or_no initially_deferred:yes_or_no",
    },
    SystemRelation {
        name: "domain_udt_usage",
        rows: "{schema r.domain_schema}",
        columns: "udt_catalog:sql_identifier udt_schema:sql_identifier udt_name:sql_identifier \
            domain_catalog:sql_identifier domain_schema:sql_identifier domain_name:sql_identifier",
    },
    SystemRelation {
        name: "column_domain_usage",
        rows: "{pair r.table_schema r.table_name}",
        columns: "domain_catalog:sql_identifier domain_schema:sql_identifier domain_name:sql_identifier \
            table_catalog:sql_identifier table_schema:sql_identifier table_name:sql_identifier \
            column_name:sql_identifier",
    },
    SystemRelation {
        name: "column_udt_usage",
        rows: "{pair r.table_schema r.table_name}",
        columns: "udt_catalog:sql_identifier udt_schema:sql_identifier udt_name:sql_identifier \
            table_catalog:sql_identifier table_schema:sql_identifier table_name:sql_identifier \
            column_name:sql_identifier",
    },
    SystemRelation {
        name: "element_types",
        rows: "CASE WHEN r.object_type = 'TABLE' THEN {pair r.object_schema r.object_name} WHEN r.object_type \
            = 'DOMAIN' THEN {schema r.object_schema} ELSE false END",
        columns: "object_catalog:sql_identifier object_schema:sql_identifier object_name:sql_identifier \
            object_type:character_data collection_type_identifier:sql_identifier data_type:character_data \
            character_maximum_length:cardinal_number character_octet_length:cardinal_number \
            character_set_catalog:sql_identifier character_set_schema:sql_identifier \
            character_set_name:sql_identifier collation_catalog:sql_identifier collation_schema:sql_identifier \
            collation_name:sql_identifier numeric_precision:cardinal_number \
            numeric_precision_radix:cardinal_number numeric_scale:cardinal_number \
            datetime_precision:cardinal_number interval_type:character_data interval_precision:cardinal_number \
            domain_default:character_data=null udt_catalog:sql_identifier udt_schema:sql_identifier \
            udt_name:sql_identifier scope_catalog:sql_identifier scope_schema:sql_identifier \
            scope_name:sql_identifier maximum_cardinality:cardinal_number dtd_identifier:sql_identifier",
    },
    SystemRelation {
        name: "attributes",
        rows: "{pair r.udt_schema r.udt_name}",
        columns: "udt_catalog:sql_identifier udt_schema:sql_identifier udt_name:sql_identifier \
            attribute_name:sql_identifier ordinal_position:cardinal_number attribute_default:character_data \
            is_nullable:yes_or_no data_type:character_data character_maximum_length:cardinal_number \
            character_octet_length:cardinal_number character_set_catalog:sql_identifier \
            character_set_schema:sql_identifier character_set_name:sql_identifier \
            collation_catalog:sql_identifier collation_schema:sql_identifier collation_name:sql_identifier \
            numeric_precision:cardinal_number numeric_precision_radix:cardinal_number \
            numeric_scale:cardinal_number datetime_precision:cardinal_number interval_type:character_data \
            interval_precision:cardinal_number attribute_udt_catalog:sql_identifier \
            attribute_udt_schema:sql_identifier attribute_udt_name:sql_identifier scope_catalog:sql_identifier \
            scope_schema:sql_identifier scope_name:sql_identifier maximum_cardinality:cardinal_number \
            dtd_identifier:sql_identifier is_derived_reference_attribute:yes_or_no",
    },
    SystemRelation {
        name: "user_defined_types",
        rows: "{pair r.user_defined_type_schema r.user_defined_type_name}",
        columns: "user_defined_type_catalog:sql_identifier user_defined_type_schema:sql_identifier \
            user_defined_type_name:sql_identifier user_defined_type_category:character_data \
            is_instantiable:yes_or_no is_final:yes_or_no ordering_form:character_data \
            ordering_category:character_data ordering_routine_catalog:sql_identifier \
            ordering_routine_schema:sql_identifier ordering_routine_name:sql_identifier \
            reference_type:character_data data_type:character_data character_maximum_length:cardinal_number \
            character_octet_length:cardinal_number character_set_catalog:sql_identifier \
            character_set_schema:sql_identifier character_set_name:sql_identifier \
            collation_catalog:sql_identifier collation_schema:sql_identifier collation_name:sql_identifier \
            numeric_precision:cardinal_number numeric_precision_radix:cardinal_number \
            numeric_scale:cardinal_number datetime_precision:cardinal_number interval_type:character_data \
            interval_precision:cardinal_number source_dtd_identifier:sql_identifier \
            ref_dtd_identifier:sql_identifier",
    },
    SystemRelation {
        name: "triggers",
        rows: "({pair r.event_object_schema r.event_object_table} AND {trigger r.event_object_schema \
            r.event_object_table r.trigger_name})",
        columns: "trigger_catalog:sql_identifier trigger_schema:sql_identifier trigger_name:sql_identifier \
            event_manipulation:character_data event_object_catalog:sql_identifier \
            event_object_schema:sql_identifier event_object_table:sql_identifier action_order:cardinal_number \
            action_condition:character_data action_statement:character_data action_orientation:character_data \
            action_timing:character_data action_reference_old_table:sql_identifier \
            action_reference_new_table:sql_identifier action_reference_old_row:sql_identifier \
            action_reference_new_row:sql_identifier created:time_stamp",
    },
    SystemRelation {
        name: "triggered_update_columns",
        rows: "({pair r.event_object_schema r.event_object_table} AND {trigger r.event_object_schema \
            r.event_object_table r.trigger_name})",
        columns: "trigger_catalog:sql_identifier trigger_schema:sql_identifier trigger_name:sql_identifier \
            event_object_catalog:sql_identifier event_object_schema:sql_identifier \
            event_object_table:sql_identifier event_object_column:sql_identifier",
    },
    SystemRelation {
        name: "table_privileges",
        rows: "({pair r.table_schema r.table_name} AND {mine r.grantee})",
        columns: "grantor:sql_identifier=ownername grantee:sql_identifier table_catalog:sql_identifier \
            table_schema:sql_identifier table_name:sql_identifier privilege_type:character_data \
            is_grantable:yes_or_no with_hierarchy:yes_or_no",
    },
    SystemRelation {
        name: "role_table_grants",
        rows: "({pair r.table_schema r.table_name} AND {mine r.grantee})",
        columns: "grantor:sql_identifier=ownername grantee:sql_identifier table_catalog:sql_identifier \
            table_schema:sql_identifier table_name:sql_identifier privilege_type:character_data \
            is_grantable:yes_or_no with_hierarchy:yes_or_no",
    },
    SystemRelation {
        name: "column_privileges",
        rows: "({pair r.table_schema r.table_name} AND {mine r.grantee})",
        columns: "grantor:sql_identifier=ownername grantee:sql_identifier table_catalog:sql_identifier \
            table_schema:sql_identifier table_name:sql_identifier column_name:sql_identifier \
            privilege_type:character_data is_grantable:yes_or_no",
    },
    SystemRelation {
        name: "role_column_grants",
        rows: "({pair r.table_schema r.table_name} AND {mine r.grantee})",
        columns: "grantor:sql_identifier=ownername grantee:sql_identifier table_catalog:sql_identifier \
            table_schema:sql_identifier table_name:sql_identifier column_name:sql_identifier \
            privilege_type:character_data is_grantable:yes_or_no",
    },
    SystemRelation { name: "enabled_roles", rows: "{mine r.role_name}", columns: "role_name:sql_identifier" },
    SystemRelation {
        name: "character_sets",
        rows: "true",
        columns: "character_set_catalog:sql_identifier character_set_schema:sql_identifier \
            character_set_name:sql_identifier character_repertoire:sql_identifier form_of_use:sql_identifier \
            default_collate_catalog:sql_identifier default_collate_schema:sql_identifier \
            default_collate_name:sql_identifier",
    },
    SystemRelation {
        name: "collations",
        rows: "{schema r.collation_schema}",
        columns: "collation_catalog:sql_identifier collation_schema:sql_identifier collation_name:sql_identifier \
            pad_attribute:character_data",
    },
    SystemRelation {
        name: "collation_character_set_applicability",
        rows: "{schema r.collation_schema}",
        columns: "collation_catalog:sql_identifier collation_schema:sql_identifier collation_name:sql_identifier \
            character_set_catalog:sql_identifier character_set_schema:sql_identifier \
            character_set_name:sql_identifier",
    },
    SystemRelation {
        name: "sql_features",
        rows: "true",
        columns: "feature_id:character_data feature_name:character_data sub_feature_id:character_data \
            sub_feature_name:character_data is_supported:yes_or_no is_verified_by:character_data \
            comments:character_data",
    },
    SystemRelation {
        name: "sql_implementation_info",
        rows: "true",
        columns: "implementation_info_id:character_data implementation_info_name:character_data \
            integer_value:cardinal_number character_value:character_data comments:character_data",
    },
    SystemRelation {
        name: "sql_sizing",
        rows: "true",
        columns: "sizing_id:cardinal_number sizing_name:character_data supported_value:cardinal_number \
            comments:character_data",
    },
];
