//! Conditions that the guard leaves as they are, since they fail on no value, and some beside them that do.
//!
//! `{}` is a column, `{o}` another one of its type. A wrong entry shows where the planner asks it of another tenant's row
//! first. So none may fail on the tenant's own rows.

pub(crate) const TEXT: &[&str] = &[
    "lower({}) = 'web 1'",
    "upper(trim({})) <> btrim({o}, ' x')",
    "left({}, 3) = right({o}, 3)",
    "substr({}, 2, 3) = 'eb '",
    "substring({} FROM 2 FOR 1) < 'm'",
    "split_part({}, ' ', 2) = '1'",
    "strpos({}, {o}) > 0",
    "position('b' IN {}) = 3",
    "char_length({}) + 1 > 3",
    "reverse({}) > initcap({o})",
    "starts_with({}, 'W')",
    "{} ^@ 'W'",
    "{} || '-' || {o} LIKE 'W%'",
    "{} ILIKE '%\\_%' ESCAPE '\\'",
    "{} LIKE 'W/%%' ESCAPE '/'",
    "{} NOT LIKE '%(%'",
    "coalesce(nullif({}, ''), {o}) > 'a'",
    "greatest({}, {o}) = {o}",
    "{} IN (SELECT label FROM tags WHERE color = 'red' ORDER BY label LIMIT 1)",
    "CASE {} WHEN 'a' THEN true WHEN {o} THEN false ELSE {} > 'b' END",
    "({}, {o}) > ('A', 'B')",
];

pub(crate) const INT: &[&str] = &[
    "{} % 3 = 1",
    "{} / 7 > 0",
    "({} & 4) = 4",
    "({} | {o}) # 1 > 3",
    "{}::bigint * 1.5 > {o}",
    "{}::boolean",
    "{}::text LIKE '1%'",
    "{} > 2 * 3 - 1",
    "CASE WHEN {} > 5 THEN {o} ELSE 0.5 END < 4",
    "coalesce({}, {o}, 0) >= 2",
    "{} = ANY ('{1,2,3,7}'::int[])",
    "{} IN (SELECT id FROM invoices WHERE total > 50 ORDER BY issued_on DESC, id LIMIT 1)",
    "EXISTS (SELECT 1 FROM invoices x WHERE x.project_id = {} ORDER BY x.due_at LIMIT 1)",
    "(SELECT x.id FROM projects x WHERE x.id = {} LIMIT 1) IS NOT NULL",
    "(SELECT count(*) FILTER (WHERE x.id > {}) FROM projects x) > 3",
];

pub(crate) const NUM: &[&str] = &[
    "-{} < -5",
    "abs({}) > 100.5",
    "trunc({}) = {}",
    "sign({}) = 1",
    "{}::text LIKE '%5%'",
    "{} > {o} AND {} < 1e300",
    "coalesce({}, 0) = 0",
];

pub(crate) const DATE: &[&str] = &[
    "extract(year FROM {}) = 2025",
    "extract(isodow FROM {}) > 3",
    "isfinite({})",
    "{} < timestamp '2025-06-01 10:00'",
    "{} > timestamptz '2025-03-01 00:00+00'",
    "{} BETWEEN date '2025-01-01' AND date '2025-01-01' + interval '6' month",
    "{} > date '2025-12-31' - 200",
    "{} < current_date + interval '900 years'",
    "{}::text > '2025-03'",
    "least({}, {o}) IS DISTINCT FROM {o}",
    "{} IN ('2025-02-01', 'infinity', '5874897-12-31')",
];

pub(crate) const TIME: &[&str] = &[
    "extract(hour FROM {}) = 10",
    "extract(epoch FROM {}) > 1700000000",
    "{}::date = '2025-07-01'",
    "{} < date_trunc('year', timestamp '2025-07-01') + interval '9 months'",
    "{} > now() - interval '300 years'",
    "isfinite({}) AND {} <> {o}",
    "{}::text LIKE '2025%'",
];

pub(crate) const TEXTS: &[&str] = &[
    "{} && ARRAY['web', 'x']",
    "{} <@ '{web,shop,x}'",
    "cardinality({}) > 1",
    "array_length({}, 1) = 1",
    "{}[1] = 'web'",
    "{} > ARRAY['a']",
    "'shop' = ANY ({})",
];

pub(crate) const INTS: &[&str] = &[
    "{} @> ARRAY[7]",
    "{} && '{2,9}'",
    "{}[1] > 1",
    "array_ndims({}) = 1 AND array_upper({}, 1) = 2",
    "2 < ALL ({})",
    "{} < '{5}'",
];

pub(crate) const JSON: &[&str] = &[
    "{} -> 'list' ->> 0 = '1'",
    "{} #>> '{list,0}' = '3'",
    "{} #> '{list}' IS NOT NULL",
    "{} ?| ARRAY['a', 'z']",
    "{} ?& '{a,n}'",
    "{}['a'] = '1'",
    "jsonb_typeof({} -> 'list') = 'array'",
    "{} @> '{\"list\": [1]}'",
    "{} > '[]'",
    "{}::text LIKE '%x%'",
];

pub(crate) const STATUS: &[&str] = &[
    "{} > 'planned'",
    "{} BETWEEN 'open' AND 'paused'",
    "{}::text LIKE 'p%'",
    "greatest({}, 'open') = {}",
    "{} IN ('open', 'closed')",
];

pub(crate) const BYTES: &[&str] = &["octet_length({}) > 1", "{} > '\\x61'", "{}::text <> ''", "{} = '\\x6162'"];

pub(crate) const FLOAT: &[&str] = &["floor({}) = 3", "-{} < 0", "round({}) <> trunc({})", "{} > 2"];
