//! Columns of lenses whose values are in reach already: no look-up has to be put around them.

use sqlparser::ast::Expr;

use crate::guard::scope::{ColumnName, column_reference, resolve};
use crate::guard::walk::Walk;

impl Walk<'_> {
    /// Whether an expression is a column that comes right out of a lens, and names a row of a catalogue that is in reach.
    pub(super) fn is_from_lens(&self, expression: &Expr, set: &str) -> bool {
        let Some((relation, column)) = column_reference(expression) else { return false };
        let name = ColumnName { schema: None, relation: relation.as_deref(), column: &column };
        let Some(resolved) = resolve(&self.levels, name) else { return false };
        let [at] = resolved.entries.as_slice() else { return false };
        let entry = self.levels.get(resolved.level).and_then(|level| level.entries.get(*at));
        let Some((entry, relation)) = entry.and_then(|entry| Some((entry, entry.relation.as_ref()?))) else {
            return false;
        };
        // An alias may have given the columns other names.
        let lens = self.ruleset.system().lens(relation);
        let is_unchanged = lens.is_some_and(|lens| entry.columns.as_ref() == Some(&lens.columns));
        let is_own = relation.schema == "pg_catalog" && relation.name == set && column == "oid";
        let is_listed = KNOWN
            .iter()
            .any(|(known, columns)| *known == set && columns.contains(&(relation.name.as_str(), column.as_str())));
        is_unchanged && relation.schema == "pg_catalog" && (is_own || is_listed)
    }
}

/// By the rows that the lenses show (`relation`): these columns hold OIDs of a set, or zero.
const KNOWN: &[(&str, &[(&str, &str)])] = &[
    (
        "pg_class",
        &[
            ("pg_attribute", "attrelid"),
            ("pg_attrdef", "adrelid"),
            ("pg_index", "indexrelid"),
            ("pg_index", "indrelid"),
            ("pg_constraint", "conrelid"),
            ("pg_constraint", "confrelid"),
            ("pg_trigger", "tgrelid"),
            ("pg_rewrite", "ev_class"),
            ("pg_sequence", "seqrelid"),
            ("pg_partitioned_table", "partrelid"),
            ("pg_statistic_ext", "stxrelid"),
        ],
    ),
    (
        "pg_type",
        &[("pg_cast", "castsource"), ("pg_cast", "casttarget"), ("pg_enum", "enumtypid"), ("pg_range", "rngtypid")],
    ),
    ("pg_proc", &[("pg_aggregate", "aggfnoid")]),
    (
        "pg_roles",
        &[
            ("pg_class", "relowner"),
            ("pg_namespace", "nspowner"),
            ("pg_type", "typowner"),
            ("pg_proc", "proowner"),
            ("pg_database", "datdba"),
            ("pg_language", "lanowner"),
            ("pg_extension", "extowner"),
            ("pg_tablespace", "spcowner"),
            ("pg_opclass", "opcowner"),
            ("pg_opfamily", "opfowner"),
            ("pg_statistic_ext", "stxowner"),
        ],
    ),
];
