//! What only other dialects have: the parser takes it, PostgreSQL does not, and so neither do we.
//!
//! Each node is taken apart field by field, so that a field that a later parser adds does not compile here.

use sqlparser::ast::{Insert, Query, Select, SelectFlavor, WildcardAdditionalOptions};

use crate::guard::from::not_allowed;
use crate::guard::walk::Outcome;

/// Parts of a query that only other dialects have.
pub(in crate::guard) fn foreign_query(query: &Query) -> Outcome<()> {
    let Query {
        with: _,
        body: _,
        order_by: _,
        limit_clause: _,
        fetch: _,
        locks: _,
        for_clause,
        settings,
        format_clause,
        pipe_operators,
    } = query;
    if for_clause.is_some() || settings.is_some() || format_clause.is_some() || !pipe_operators.is_empty() {
        return Err(not_allowed("a clause that PostgreSQL does not have"));
    }
    Ok(())
}

pub(in crate::guard) fn foreign_select(select: &Select) -> Outcome<()> {
    let Select {
        select_token: _,
        optimizer_hints,
        distinct: _,
        select_modifiers,
        top,
        top_before_distinct: _,
        projection: _,
        exclude,
        into,
        from: _,
        lateral_views,
        prewhere,
        selection: _,
        connect_by,
        group_by: _,
        cluster_by,
        distribute_by,
        sort_by,
        having: _,
        named_window: _,
        qualify,
        window_before_qualify: _,
        value_table_mode,
        flavor,
    } = select;
    if into.is_some() {
        return Err(not_allowed("SELECT INTO").hint("Use INSERT … SELECT into a table that exists."));
    }
    let foreign = !optimizer_hints.is_empty()
        || select_modifiers.is_some()
        || top.is_some()
        || exclude.is_some()
        || !lateral_views.is_empty()
        || prewhere.is_some()
        || !connect_by.is_empty()
        || !cluster_by.is_empty()
        || !distribute_by.is_empty()
        || !sort_by.is_empty()
        || qualify.is_some()
        || value_table_mode.is_some()
        || !matches!(flavor, SelectFlavor::Standard);
    if foreign {
        return Err(not_allowed("a clause that PostgreSQL does not have"));
    }
    Ok(())
}

pub(in crate::guard) fn foreign_wildcard(options: &WildcardAdditionalOptions) -> Outcome<()> {
    let WildcardAdditionalOptions {
        wildcard_token: _,
        opt_ilike,
        opt_exclude,
        opt_except,
        opt_replace,
        opt_rename,
        opt_alias,
    } = options;
    let foreign = opt_ilike.is_some()
        || opt_exclude.is_some()
        || opt_except.is_some()
        || opt_replace.is_some()
        || opt_rename.is_some()
        || opt_alias.is_some();
    if foreign { Err(not_allowed("a clause that PostgreSQL does not have")) } else { Ok(()) }
}

pub(in crate::guard) fn foreign_insert(insert: &Insert) -> Outcome<()> {
    let Insert {
        insert_token: _,
        optimizer_hints,
        or,
        ignore,
        into: _,
        table: _,
        table_alias: _,
        columns: _,
        overwrite,
        source: _,
        assignments,
        partitioned,
        after_columns,
        has_table_keyword,
        on: _,
        returning: _,
        output,
        replace_into,
        priority,
        insert_alias,
        settings,
        format_clause,
        multi_table_insert_type,
        multi_table_into_clauses,
        multi_table_when_clauses,
        multi_table_else_clause,
    } = insert;
    let foreign = !optimizer_hints.is_empty()
        || or.is_some()
        || *ignore
        || *overwrite
        || !assignments.is_empty()
        || partitioned.is_some()
        || !after_columns.is_empty()
        || *has_table_keyword
        || output.is_some()
        || *replace_into
        || priority.is_some()
        || insert_alias.is_some()
        || settings.is_some()
        || format_clause.is_some()
        || multi_table_insert_type.is_some()
        || !multi_table_into_clauses.is_empty()
        || !multi_table_when_clauses.is_empty()
        || multi_table_else_clause.is_some();
    if foreign { Err(not_allowed("a clause that PostgreSQL does not have")) } else { Ok(()) }
}
