//! Reads an upstream's schema into a [`Catalog`], and notices cheaply that it has changed.

use serde::de::DeserializeOwned;

use crate::catalog::CATALOG_FORMAT;
use crate::catalog::Catalog;
use crate::upstream::Target;
use crate::upstream::query::Queries;
use crate::upstream::query::QueryError;
use crate::upstream::schemas::Schemas;

/// Takes the whole schema in one snapshot, whatever the role may read of it: the catalogue is open to every role.
///
/// To follow changes, take [`schema_fingerprint`] first: what changes between the two then shows as another
/// fingerprint later, and is not missed.
pub async fn load_catalog(target: &Target) -> Result<Catalog, QueryError> {
    let mut queries = Queries::connect(target).await?;
    queries.column(BEGIN).await?;
    let version = queries.column(SERVER_VERSION).await?;
    let server_version = version.first().and_then(|text| text.parse().ok());
    let catalog = Catalog {
        format: CATALOG_FORMAT,
        server_version: server_version.ok_or_else(|| QueryError::Unreadable("no server_version_num".to_owned()))?,
        database: target.database().to_owned(),
        relations: read(&mut queries, &target.schemas.narrow_relations(RELATIONS)).await?,
        functions: read(&mut queries, &target.schemas.narrow(FUNCTIONS)).await?,
        operators: read(&mut queries, &target.schemas.narrow(OPERATORS)).await?,
        types: read(&mut queries, &target.schemas.narrow(TYPES)).await?,
    };
    queries.close().await;
    Ok(catalog)
}

/// A text that is another when a relation, function, operator or type has been made, changed or dropped.
///
/// A spurious change (TRUNCATE, a rewriting VACUUM) costs a reload and nothing else.
pub async fn schema_fingerprint(target: &Target) -> Result<String, QueryError> {
    let mut queries = Queries::connect(target).await?;
    let rows = queries.column(&fingerprint(&target.schemas)).await?;
    queries.close().await;
    rows.into_iter().next().ok_or_else(|| QueryError::Unreadable("no fingerprint".to_owned()))
}

/// In these schemas, and in what is bound to them from others.
fn fingerprint(schemas: &Schemas) -> String {
    let Some(condition) = schemas.condition("nspname") else { return FINGERPRINT.to_owned() };
    let mut sql = FINGERPRINT.to_owned();
    for (part, narrowed) in NARROWED {
        sql = sql.replacen(part, narrowed, 1);
    }
    sql.replacen(
        "WITH class",
        &format!("WITH reach AS (SELECT oid FROM pg_catalog.pg_namespace WHERE {condition}), class"),
        1,
    )
}

/// Each row is one JSON object in the form that the catalogue's own file has.
async fn read<T: DeserializeOwned>(queries: &mut Queries, sql: &str) -> Result<Vec<T>, QueryError> {
    let rows = queries.column(sql).await?;
    rows.iter()
        .map(|row| serde_json::from_str(row).map_err(|error| QueryError::Unreadable(error.to_string())))
        .collect()
}

/// What leaves the server's own schemas out.
pub(crate) const SYSTEM: &str = "n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'";

/// Parts of [`FINGERPRINT`], and what they are for some schemas alone.
const NARROWED: [(&str, &str); 9] = [
    ("relkind <> 't'", "relkind <> 't' AND relnamespace IN (SELECT oid FROM reach)"),
    ("class.oid = k.conrelid", "class.oid IN (k.conrelid, k.confrelid)"),
    ("class.oid = h.inhrelid", "class.oid IN (h.inhrelid, h.inhparent)"),
    ("pg_proc WHERE", "pg_proc WHERE pronamespace IN (SELECT oid FROM reach) AND"),
    ("pg_operator WHERE", "pg_operator WHERE oprnamespace IN (SELECT oid FROM reach) AND"),
    ("WHERE t.oid >= 16384", "WHERE t.typnamespace IN (SELECT oid FROM reach) AND t.oid >= 16384"),
    ("pg_namespace WHERE nspname", "pg_namespace WHERE oid IN (SELECT oid FROM reach) AND nspname"),
    ("pg_collation WHERE", "pg_collation WHERE collnamespace IN (SELECT oid FROM reach) AND"),
    (
        "pg_enum WHERE",
        "pg_enum WHERE enumtypid IN (SELECT t.oid FROM pg_catalog.pg_type t JOIN reach ON reach.oid = t.typnamespace) AND",
    ),
];

/// One snapshot for all. With nothing but `pg_catalog` on the path, types and the tables in a view's definition are
/// printed with their schema. A lock that somebody else holds on a view must not hold us up for ever.
const BEGIN: &str = "\
    BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;
    SET LOCAL search_path = pg_catalog;
    SET LOCAL lock_timeout = '10s';
    SET LOCAL statement_timeout = '60s'";

const SERVER_VERSION: &str = "SELECT current_setting('server_version_num')";

const RELATIONS: &str = r#"
SELECT json_build_object(
    'schema', n.nspname,
    'name', c.relname,
    'kind', CASE c.relkind WHEN 'r' THEN 'table' WHEN 'p' THEN 'partitioned_table' WHEN 'v' THEN 'view'
        WHEN 'm' THEN 'materialized_view' WHEN 'f' THEN 'foreign_table' WHEN 'S' THEN 'sequence' END,
    'columns', coalesce((
        SELECT json_agg(json_build_object(
            'name', a.attname,
            'type_schema', tn.nspname,
            'type_name', t.typname,
            'not_null', a.attnotnull,
            'has_default', a.atthasdef OR a.attidentity <> '' OR t.typdefault IS NOT NULL,
            'identity', CASE a.attidentity WHEN 'a' THEN 'always' WHEN 'd' THEN 'by_default' END,
            'generated', a.attgenerated <> '',
            'collation', CASE WHEN l.collname <> 'default' OR ln.nspname <> 'pg_catalog'
                THEN json_build_object('schema', ln.nspname, 'name', l.collname) END,
            'nondeterministic_collation', coalesce(NOT l.collisdeterministic, false)) ORDER BY a.attnum)
        FROM pg_attribute a
        JOIN pg_type t ON t.oid = a.atttypid
        JOIN pg_namespace tn ON tn.oid = t.typnamespace
        LEFT JOIN pg_collation l ON l.oid = a.attcollation
        LEFT JOIN pg_namespace ln ON ln.oid = l.collnamespace
        WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped), '[]'),
    'keys', coalesce((
        SELECT json_agg(key.object ORDER BY key.name COLLATE "C") FROM (
            SELECT coalesce(k.conname, ic.relname) AS name, json_build_object(
                'name', coalesce(k.conname, ic.relname),
                'kind', CASE WHEN i.indisprimary THEN 'primary' WHEN k.contype = 'x' OR i.indisexclusion THEN 'exclusion'
                    ELSE 'unique' END,
                'columns', coalesce((
                    SELECT json_agg(a.attname ORDER BY u.place)
                    FROM unnest(i.indkey::int2[]) WITH ORDINALITY u (attnum, place)
                    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = u.attnum
                    WHERE u.place <= i.indnkeyatts), '[]'),
                'has_expressions', i.indexprs IS NOT NULL,
                'partial', i.indpred IS NOT NULL,
                'deferrable', coalesce(k.condeferrable, false)) AS object
            FROM pg_index i
            JOIN pg_class ic ON ic.oid = i.indexrelid
            LEFT JOIN pg_constraint k ON k.conindid = i.indexrelid AND k.conrelid = c.oid AND k.contype IN ('p', 'u', 'x')
            WHERE i.indrelid = c.oid AND (i.indisunique OR i.indisexclusion)
            UNION ALL
            SELECT k.conname, json_build_object(
                'name', k.conname,
                'kind', 'foreign',
                'deferrable', k.condeferrable,
                'columns', (
                    SELECT json_agg(a.attname ORDER BY u.place)
                    FROM unnest(k.conkey) WITH ORDINALITY u (attnum, place)
                    JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.attnum),
                'references', json_build_object(
                    'schema', fn.nspname,
                    'name', fc.relname,
                    'columns', (
                        SELECT json_agg(a.attname ORDER BY u.place)
                        FROM unnest(k.confkey) WITH ORDINALITY u (attnum, place)
                        JOIN pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = u.attnum)))
            FROM pg_constraint k
            JOIN pg_class fc ON fc.oid = k.confrelid
            JOIN pg_namespace fn ON fn.oid = fc.relnamespace
            LEFT JOIN pg_constraint kp ON kp.oid = k.conparentid
            -- A foreign key to a partitioned table has a copy for each partition.
            WHERE k.conrelid = c.oid AND k.contype = 'f' AND kp.conrelid IS DISTINCT FROM k.conrelid
        ) key), '[]'),
    'parents', coalesce((
        SELECT json_agg(json_build_object('schema', pn.nspname, 'name', p.relname) ORDER BY h.inhseqno)
        FROM pg_inherits h
        JOIN pg_class p ON p.oid = h.inhparent
        JOIN pg_namespace pn ON pn.oid = p.relnamespace
        WHERE h.inhrelid = c.oid), '[]'),
    'definition', CASE WHEN c.relkind IN ('v', 'm') THEN pg_get_viewdef(c.oid) END,
    'security_barrier', coalesce((
        SELECT o.option_value::bool FROM pg_options_to_table(c.reloptions) o WHERE o.option_name = 'security_barrier'), false),
    'rules', coalesce((
        SELECT json_agg(w.rulename ORDER BY w.rulename COLLATE "C") FROM pg_rewrite w
        WHERE w.ev_class = c.oid AND w.rulename <> '_RETURN'), '[]'),
    'triggers', coalesce((
        SELECT json_agg(g.tgname ORDER BY g.tgname COLLATE "C") FROM pg_trigger g
        WHERE g.tgrelid = c.oid AND NOT g.tgisinternal), '[]'),
    'row_security', c.relrowsecurity)
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
ORDER BY n.nspname COLLATE "C", c.relname COLLATE "C""#;

/// Types whose input looks names up: those of PostgreSQL's own, and whatever is made of them.
macro_rules! looking_up {
    () => {
        r#"
WITH RECURSIVE part AS (
    SELECT oid AS whole, typbasetype AS part FROM pg_type WHERE typbasetype <> 0
    UNION ALL SELECT oid, typelem FROM pg_type WHERE typelem <> 0
    UNION ALL SELECT rngtypid, rngsubtype FROM pg_range
    UNION ALL SELECT c.reltype, a.atttypid FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
        WHERE c.reltype <> 0 AND a.attnum > 0 AND NOT a.attisdropped),
looking_up AS (
    SELECT oid FROM pg_type WHERE typnamespace = 'pg_catalog'::regnamespace AND typname IN ('regclass', 'regtype',
        'regproc', 'regprocedure', 'regnamespace', 'regrole', 'regoper', 'regoperator', 'regcollation', 'regconfig',
        'regdictionary', 'aclitem')
    UNION SELECT p.whole FROM looking_up l JOIN part p ON p.part = l.oid)
"#
    };
}

const FUNCTIONS: &str = concat!(
    looking_up!(),
    r#"
SELECT json_build_object(
    'schema', n.nspname,
    'name', p.proname,
    'arguments', coalesce((
        SELECT string_agg(format_type(u.type, NULL), ', ' ORDER BY u.place)
        FROM unnest(p.proargtypes::oid[]) WITH ORDINALITY u (type, place)), ''),
    'kind', CASE p.prokind WHEN 'f' THEN 'function' WHEN 'p' THEN 'procedure' WHEN 'a' THEN 'aggregate' WHEN 'w' THEN 'window' END,
    'volatility', CASE p.provolatile WHEN 'i' THEN 'immutable' WHEN 's' THEN 'stable' ELSE 'volatile' END,
    'leakproof', p.proleakproof,
    'security_definer', p.prosecdef,
    'language', l.lanname,
    'looks_up', EXISTS (
        SELECT FROM looking_up u
        WHERE u.oid = p.prorettype OR u.oid = ANY (coalesce(p.proallargtypes, p.proargtypes::oid[]))),
    'extension', e.extname)
FROM pg_proc p
JOIN pg_namespace n ON n.oid = p.pronamespace
JOIN pg_language l ON l.oid = p.prolang
LEFT JOIN pg_depend d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
LEFT JOIN pg_extension e ON e.oid = d.refobjid
WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
ORDER BY n.nspname COLLATE "C", p.proname COLLATE "C", p.proargtypes::text"#
);

const OPERATORS: &str = r#"
SELECT json_build_object(
    'schema', n.nspname,
    'name', o.oprname,
    'left', CASE WHEN l.oid IS NOT NULL THEN json_build_object('schema', ln.nspname, 'name', l.typname) END,
    'right', CASE WHEN r.oid IS NOT NULL THEN json_build_object('schema', rn.nspname, 'name', r.typname) END,
    'extension', e.extname)
FROM pg_operator o
JOIN pg_namespace n ON n.oid = o.oprnamespace
LEFT JOIN pg_type l ON l.oid = o.oprleft
LEFT JOIN pg_namespace ln ON ln.oid = l.typnamespace
LEFT JOIN pg_type r ON r.oid = o.oprright
LEFT JOIN pg_namespace rn ON rn.oid = r.typnamespace
LEFT JOIN pg_depend d ON d.classid = 'pg_operator'::regclass AND d.objid = o.oid AND d.deptype = 'e'
LEFT JOIN pg_extension e ON e.oid = d.refobjid
WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
ORDER BY n.nspname COLLATE "C", o.oprname COLLATE "C", ln.nspname COLLATE "C", l.typname COLLATE "C",
    rn.nspname COLLATE "C", r.typname COLLATE "C""#;

const TYPES: &str = concat!(
    looking_up!(),
    r#"
SELECT json_build_object(
    'schema', n.nspname,
    'name', t.typname,
    'kind', CASE t.typtype WHEN 'b' THEN 'base' WHEN 'e' THEN 'enum' WHEN 'd' THEN 'domain' WHEN 'c' THEN 'composite' ELSE 'range' END,
    'base', CASE t.typtype WHEN 'd' THEN (
        WITH RECURSIVE under AS (
            SELECT t.typbasetype AS oid
            UNION ALL SELECT u.typbasetype FROM under JOIN pg_type u ON u.oid = under.oid WHERE u.typtype = 'd')
        SELECT json_build_object('schema', bn.nspname, 'name', b.typname)
        FROM under JOIN pg_type b ON b.oid = under.oid JOIN pg_namespace bn ON bn.oid = b.typnamespace
        WHERE b.typtype <> 'd') END,
    'labels', coalesce((
        SELECT json_agg(l.enumlabel ORDER BY l.enumsortorder) FROM pg_enum l WHERE l.enumtypid = t.oid), '[]'),
    'attributes', coalesce((
        SELECT json_agg(a.attname ORDER BY a.attnum) FROM pg_attribute a
        WHERE a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped), '[]'),
    'looks_up', EXISTS (SELECT FROM looking_up u WHERE u.oid = t.oid),
    'extension', e.extname)
FROM pg_type t
JOIN pg_namespace n ON n.oid = t.typnamespace
LEFT JOIN pg_class c ON c.oid = t.typrelid
LEFT JOIN pg_depend d ON d.classid = 'pg_type'::regclass AND d.objid = t.oid AND d.deptype = 'e'
LEFT JOIN pg_extension e ON e.oid = d.refobjid
WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
  AND t.typtype IN ('b', 'e', 'd', 'c', 'r', 'm') AND t.typisdefined
  AND (t.typrelid = 0 OR c.relkind = 'c')
  AND NOT EXISTS (SELECT FROM pg_type a WHERE a.typarray = t.oid)
ORDER BY n.nspname COLLATE "C", t.typname COLLATE "C""#
);

/// Every row of the catalogue that is not the server's own (those have lower numbers) gives its number and the
/// transaction that wrote it; sums need no order. Temporary tables come and go and are left out with their columns.
const FINGERPRINT: &str = r#"
WITH class AS (
    SELECT oid, xmin FROM pg_catalog.pg_class
    WHERE oid >= 16384 AND relpersistence <> 't' AND relkind <> 't'
), version (kind, object, xmin) AS (
    SELECT 1, oid::int8, xmin FROM class
    UNION ALL SELECT 2, a.attrelid::int8 * 2048 + a.attnum, a.xmin FROM pg_catalog.pg_attribute a JOIN class ON class.oid = a.attrelid
        WHERE a.attnum > 0
    UNION ALL SELECT 3, k.oid::int8, k.xmin FROM pg_catalog.pg_constraint k JOIN class ON class.oid = k.conrelid
    UNION ALL SELECT 4, i.indexrelid::int8, i.xmin FROM pg_catalog.pg_index i JOIN class ON class.oid = i.indrelid
    UNION ALL SELECT 5, h.inhrelid::int8, h.xmin FROM pg_catalog.pg_inherits h JOIN class ON class.oid = h.inhrelid
    UNION ALL SELECT 6, w.oid::int8, w.xmin FROM pg_catalog.pg_rewrite w JOIN class ON class.oid = w.ev_class
    UNION ALL SELECT 7, g.oid::int8, g.xmin FROM pg_catalog.pg_trigger g JOIN class ON class.oid = g.tgrelid WHERE NOT g.tgisinternal
    UNION ALL SELECT 8, d.oid::int8, d.xmin FROM pg_catalog.pg_attrdef d JOIN class ON class.oid = d.adrelid
    UNION ALL SELECT 9, oid::int8, xmin FROM pg_catalog.pg_proc WHERE oid >= 16384
    UNION ALL SELECT 10, oid::int8, xmin FROM pg_catalog.pg_operator WHERE oid >= 16384
    UNION ALL SELECT 11, t.oid::int8, t.xmin FROM pg_catalog.pg_type t
        WHERE t.oid >= 16384 AND NOT EXISTS (SELECT FROM pg_catalog.pg_namespace n WHERE n.oid = t.typnamespace AND n.nspname ~ '^pg_temp')
    UNION ALL SELECT 12, oid::int8, xmin FROM pg_catalog.pg_namespace WHERE nspname !~ '^pg_(temp|toast_temp)'
    UNION ALL SELECT 13, oid::int8, xmin FROM pg_catalog.pg_extension
    UNION ALL SELECT 14, oid::int8, xmin FROM pg_catalog.pg_collation WHERE oid >= 16384
    UNION ALL SELECT 15, oid::int8, xmin FROM pg_catalog.pg_enum WHERE oid >= 16384
)
SELECT pg_catalog.concat_ws('-', pg_catalog.count(*),
    pg_catalog.sum(pg_catalog.hashint8extended(object, kind)::numeric),
    pg_catalog.sum(pg_catalog.hashint8extended(object, kind + 16 * (xmin::text::int8 + 1))::numeric))
FROM version"#;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_have_the_parts_that_are_narrowed() {
        for (part, _) in NARROWED {
            assert_eq!(FINGERPRINT.matches(part).count(), 1, "{part}");
        }
        for sql in [RELATIONS, FUNCTIONS, OPERATORS, TYPES] {
            assert_eq!(sql.matches(SYSTEM).count(), 1, "{sql}");
        }
    }
}
