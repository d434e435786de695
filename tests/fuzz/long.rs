//! Texts as long and as deep as a client may send, each of one shape.

pub(crate) struct Long {
    pub(crate) what: &'static str,
    pub(crate) sql: String,
}

/// A text is `before`, `open` and `close` so many times around `middle`, and `after`.
struct Shape(&'static str, usize, [&'static str; 5]);

const DEEP: usize = 44;
/// What the second reading of the grammar's stack holds.
const CHAIN: usize = 3_000;
const CHAIN_MAX: usize = 9_990;
const BEYOND: usize = 20_000;

#[rustfmt::skip]
const SHAPES: &[Shape] = &[
    Shape("parentheses", DEEP, ["SELECT id FROM projects WHERE ", "(", "id = 1", ")", ""]),
    Shape("minus in parentheses", DEEP / 2, ["SELECT ", "- (", "id", ")", " FROM projects"]),
    Shape("minus", DEEP, ["SELECT ", "- ", "id", "", " FROM projects"]),
    Shape("minus before a number", DEEP, ["SELECT id FROM projects WHERE id = ", "- ", "1", "", ""]),
    Shape("NOT", DEEP, ["SELECT id FROM projects WHERE ", "NOT ", "archived", "", ""]),
    Shape("NOT in parentheses", DEEP / 2, ["SELECT id FROM projects WHERE ", "NOT (", "archived", ")", ""]),
    Shape("sum of a column", CHAIN_MAX, ["SELECT id FROM projects WHERE id", "", "", " + 1", " > 0"]),
    Shape("sum of columns", CHAIN_MAX, ["SELECT id FROM projects WHERE id", "", "", " + id", " > 0"]),
    Shape("sum of numbers", CHAIN_MAX, ["SELECT id FROM projects WHERE id > 1", "", "", " + 1", ""]),
    Shape("sum in parentheses", DEEP / 2, ["SELECT id FROM projects WHERE ", "(1 + ", "id", ") * 2", " > 0"]),
    Shape("sum to the right", DEEP / 2, ["SELECT id FROM projects WHERE id > ", "1 + (", "1", ")", ""]),
    Shape("sum without end", BEYOND, ["SELECT 1", "", "", " + 1", ""]),
    Shape("moments", CHAIN_MAX, ["SELECT id FROM invoices WHERE now()", "", "", " + interval '1 day'", " > now()"]),
    Shape("moments in parentheses", DEEP / 2, ["SELECT id FROM invoices WHERE ", "(", "now()", " + interval '1 day')", " > now()"]),
    Shape("moments truncated", DEEP, ["SELECT ", "date_trunc('day', ", "now()", ")", ""]),
    Shape("casts", CHAIN_MAX, ["SELECT id FROM projects WHERE id", "", "", "::int", " = 1"]),
    Shape("casts to text", CHAIN_MAX, ["SELECT id FROM projects WHERE name", "", "", "::text", " = 'x'"]),
    Shape("casts of now", CHAIN_MAX, ["SELECT id FROM projects WHERE now()", "", "", "::date", " = now()"]),
    Shape("casts in words", DEEP, ["SELECT id FROM projects WHERE ", "CAST(", "name", " AS text)", " = 'x'"]),
    Shape("LIKE", CHAIN, ["SELECT id FROM projects WHERE name", "", "", " LIKE 'x'", ""]),
    Shape("LIKE in parentheses", DEEP, ["SELECT id FROM projects WHERE ", "(", "name", " LIKE 'x')::text", " = 'x'"]),
    Shape("IS NULL", CHAIN / 2, ["SELECT id FROM projects WHERE name", "", "", " IS NULL", ""]),
    Shape("BETWEEN", DEEP, ["SELECT id FROM projects WHERE ", "(", "id", " BETWEEN 1 AND 2)::int", " = 1"]),
    Shape("IN", DEEP, ["SELECT id FROM projects WHERE ", "(", "id", " IN (1, 2))::int", " = 1"]),
    Shape("IN a list", BEYOND / 4, ["SELECT id FROM projects WHERE id IN (1", "", "", ", 1", ")"]),
    Shape("AND", CHAIN / 2, ["SELECT id FROM projects WHERE id = 1", "", "", " AND id = 1", ""]),
    Shape("AND of what can fail", CHAIN / 10, ["SELECT id FROM projects WHERE id = 1", "", "", " AND 1 / id = 1", ""]),
    Shape("OR", CHAIN / 2, ["SELECT id FROM projects WHERE id = 1", "", "", " OR id = 1", ""]),
    Shape("CASE in WHEN", DEEP, ["SELECT ", "CASE WHEN ", "id = 1", " THEN true END", " FROM projects"]),
    Shape("CASE in THEN", DEEP, ["SELECT ", "CASE WHEN true THEN ", "id", " END", " FROM projects"]),
    Shape("CASE in ELSE", DEEP, ["SELECT ", "CASE id WHEN 1 THEN id ELSE ", "id", " END", " FROM projects"]),
    Shape("CASE in its operand", DEEP, ["SELECT ", "CASE ", "id", " WHEN 1 THEN 2 END", " FROM projects"]),
    Shape("CASE, branches", 5_000, ["SELECT CASE id", "", "", " WHEN 1 THEN 2", " END FROM projects"]),
    Shape("concatenation", CHAIN_MAX, ["SELECT id FROM projects WHERE name", "", "", " || 'x'", " = 'x'"]),
    Shape("arrows", CHAIN, ["SELECT id FROM projects WHERE name", "", "", " -> 'x'", " IS NULL"]),
    Shape("subscripts", CHAIN_MAX / 2, ["SELECT id FROM projects WHERE name", "", "", "[1]", " IS NULL"]),
    Shape("time zones", CHAIN / 2, ["SELECT id FROM projects WHERE now()", "", "", " AT TIME ZONE 'UTC'", " IS NULL"]),
    Shape("coalesce", DEEP, ["SELECT id FROM projects WHERE ", "coalesce(", "name", ", 'x')", " = 'x'"]),
    Shape("nullif", DEEP, ["SELECT id FROM projects WHERE ", "nullif(", "name", ", 'x')", " = 'x'"]),
    Shape("nullif, both", 12, ["SELECT id FROM projects WHERE ", "nullif(nullif(name, 'x'), ", "name", ")", " = 'x'"]),
    Shape("greatest", DEEP, ["SELECT id FROM projects WHERE ", "greatest(", "id", ", 1)", " = 1"]),
    Shape("functions", DEEP, ["SELECT id FROM projects WHERE ", "lower(", "name", ")", " = 'x'"]),
    Shape("aggregates", DEEP, ["SELECT ", "coalesce(", "max(id)", ", 1)", " FROM projects"]),
    Shape("rows", DEEP, ["SELECT ", "ROW(", "id", ", 1)", " FROM projects"]),
    Shape("arrays", DEEP, ["SELECT ", "ARRAY[", "id", "]", " FROM projects"]),
    Shape("subqueries in FROM", DEEP / 2, ["", "SELECT * FROM (", "SELECT id FROM projects", ") AS q", ""]),
    Shape("subqueries in the list", DEEP / 2, ["SELECT ", "(SELECT ", "id", " FROM projects)", " FROM projects"]),
    Shape("subqueries in WHERE", DEEP / 2, ["SELECT id FROM projects WHERE ", "id IN (SELECT id FROM projects WHERE ", "id = 1", ")", ""]),
    Shape("EXISTS", DEEP / 2, ["SELECT id FROM projects WHERE ", "EXISTS (SELECT FROM projects WHERE ", "1 / id = 1", ")", ""]),
    Shape("WITH in WITH", DEEP / 2, ["", "WITH q AS (", "SELECT id FROM projects", ") SELECT * FROM q", ""]),
    Shape("WITH, many", 1_000, ["WITH q AS (SELECT 1)", "", "", ", q AS (SELECT id FROM projects)", " SELECT * FROM q"]),
    Shape("UNION", 499, ["SELECT id FROM projects", "", "", " UNION ALL SELECT id FROM projects", ""]),
    Shape("UNION in parentheses", DEEP, ["", "(", "SELECT id FROM projects", " UNION SELECT 1)", ""]),
    Shape("UNION without end", BEYOND, ["SELECT 1", "", "", " UNION ALL SELECT 1", ""]),
    Shape("tables", 1_000, ["SELECT 1 FROM projects", "", "", ", projects", ""]),
    Shape("joins", 1_000, ["SELECT 1 FROM projects AS p", "", "", " JOIN tags ON 1 / p.id = 1", ""]),
    Shape("joins, nested", DEEP, ["SELECT 1 FROM ", "(", "projects", " CROSS JOIN tags)", ""]),
    Shape("joins, natural", 190, ["SELECT 1 FROM projects", "", "", " NATURAL JOIN projects", ""]),
    Shape("joins, natural, beyond", 20_000, ["SELECT 1 FROM projects", "", "", " NATURAL JOIN projects", ""]),
    Shape("joins, merged and named", 190, ["SELECT 1 FROM projects AS p", "", "", " JOIN tags USING (id) AS q", " WHERE 1 / q.id = 1"]),
    Shape("columns", BEYOND / 4, ["SELECT id", "", "", ", id", " FROM projects"]),
    Shape("stars", 1_000, ["SELECT *", "", "", ", *", " FROM projects"]),
    Shape("rows of VALUES", BEYOND / 4, ["INSERT INTO projects (id, name) VALUES (1, 'x')", "", "", ", (1, 'x')", ""]),
    Shape("rows of VALUES in SELECT", BEYOND / 4, ["VALUES (1, 'x')", "", "", ", (1, 'x')", ""]),
    Shape("sets", 3_000, ["UPDATE projects SET name = 'x'", "", "", ", name = 'x'", ""]),
    Shape("groups", 3_000, ["SELECT 1 FROM projects GROUP BY id", "", "", ", id", ""]),
    Shape("HAVING", CHAIN / 3, ["SELECT 1 FROM projects GROUP BY id HAVING id = 1", "", "", " AND 1 / id = 1", ""]),
    Shape("orders", BEYOND / 4, ["SELECT 1 FROM projects ORDER BY id", "", "", ", id", ""]),
    Shape("statements", 2_000, ["SELECT 1", "", "", "; SELECT id FROM projects", ""]),
    Shape("comments", BEYOND, ["SELECT ", "/*", "", "*/", "1"]),
    Shape("dollars", BEYOND, ["SELECT ", "$a$ $", "", "", ""]),
    Shape("quotes", BEYOND, ["SELECT '", "''", "", "", "'"]),
    Shape("strings over lines", BEYOND, ["SELECT 'a'", "", "", "\n'a'", ""]),
    Shape("closing brackets", BEYOND, ["SELECT 1", "", "", ")", ""]),
    Shape("opening brackets", BEYOND, ["SELECT ", "(", "1", "", ""]),
    Shape("semicolons", BEYOND, ["SELECT 1", "", "", ";", ""]),
    Shape("EXPLAIN", BEYOND, ["", "EXPLAIN ", "SELECT 1", "", ""]),
    Shape("PREPARE", BEYOND, ["", "PREPARE p AS ", "SELECT 1", "", ""]),
    Shape("WHENs of a MERGE", 3_000, ["MERGE INTO projects AS p USING tags AS t ON p.id = t.id", "", "", " WHEN MATCHED AND p.id = 1 THEN DO NOTHING", ""]),
    Shape("USING", 1_000, ["DELETE FROM projects USING tags", "", "", ", tags", ""]),
];

pub(crate) fn all() -> impl Iterator<Item = Long> {
    SHAPES.iter().map(|Shape(what, times, [before, open, middle, close, after])| Long {
        what,
        sql: format!("{before}{}{middle}{}{after}", open.repeat(*times), close.repeat(*times)),
    })
}
