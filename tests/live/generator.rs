//! Random statements over the agency's schema: of the right types, the same for the same seed, and rich in conditions
//! that fail on the rows of other tenants.
//!
//! What the promise leaves out is avoided, not forgiven: LIMIT stands only behind an ORDER BY over all columns, ordered
//! aggregates order by their own value, numerics keep one scale, and no statement matches a row twice for an update.

use std::fmt::Write as _;

use crate::terms;

/// A statement, and what the comparison has to know of it.
#[derive(Debug, Clone)]
pub(crate) struct Generated {
    pub(crate) sql: String,
    /// Its ORDER BY names all columns: the rows are a list.
    pub(crate) ordered: bool,
}

/// splitmix64: small, good enough, and ours, so that a seed means the same for ever.
#[derive(Debug, Clone)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(bound.max(1)).unwrap()).unwrap()
    }

    /// True in `percent` of cases.
    pub(crate) fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    pub(crate) fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ty {
    Int,
    Num,
    Text,
    Bool,
    Date,
    Time,
    Texts,
    Ints,
    Json,
    Status,
    Bytes,
    Float,
}

use Ty::{Bool, Bytes, Date, Float, Int, Ints, Json, Num, Status, Text, Texts, Time};

/// An expression that fails on the rows of others, and not on the tenant's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trap {
    /// Text that is a small number.
    Number,
    Pattern,
    Divisor,
    /// A number that fits an integer.
    Fits,
    /// An integer that can be added to.
    Small,
    JsonText,
    Utf8,
    /// A one-dimensional array of two.
    Pair,
    DateText,
    /// A JSON object whose `n` is a number.
    Object,
}

struct Table {
    name: &'static str,
    columns: &'static [(&'static str, Ty, Option<Trap>)],
    /// Its primary key.
    key: &'static [&'static str],
}

const fn c(name: &'static str, ty: Ty) -> (&'static str, Ty, Option<Trap>) {
    (name, ty, None)
}

const fn t(name: &'static str, ty: Ty, trap: Trap) -> (&'static str, Ty, Option<Trap>) {
    (name, ty, Some(trap))
}

const TABLES: &[Table] = &[
    Table {
        name: "projects",
        columns: &[
            c("client_id", Text),
            c("id", Int),
            t("name", Text, Trap::Pattern),
            c("status", Status),
            t("budget", Num, Trap::Fits),
            c("starts_on", Date),
            c("ends_on", Date),
            c("labels", Texts),
            c("parent_id", Int),
        ],
        key: &["client_id", "id"],
    },
    Table {
        name: "invoices",
        columns: &[
            c("client_id", Text),
            c("id", Int),
            c("project_id", Int),
            c("number", Text),
            c("total", Num),
            c("paid", Bool),
            c("issued_on", Date),
            c("due_at", Time),
            t("note", Text, Trap::Number),
            t("meta", Json, Trap::Object),
        ],
        key: &["client_id", "id"],
    },
    Table {
        name: "invoice_lines",
        columns: &[
            c("invoice_id", Int),
            c("line", Int),
            c("client_id", Text),
            t("description", Text, Trap::Pattern),
            t("quantity", Int, Trap::Small),
            c("unit_price", Int),
            t("discount", Int, Trap::Divisor),
        ],
        key: &["client_id", "invoice_id", "line"],
    },
    Table {
        name: "contacts",
        columns: &[
            c("id", Int),
            c("client_id", Text),
            c("email", Text),
            c("first_name", Text),
            c("last_name", Text),
            t("phone", Text, Trap::Number),
            c("iban", Text),
            c("created_at", Time),
            t("avatar", Bytes, Trap::Utf8),
        ],
        key: &["id"],
    },
    Table {
        name: "time_entries",
        columns: &[
            c("id", Int),
            c("client_id", Text),
            c("project_id", Int),
            c("contact_id", Int),
            c("worked_on", Date),
            t("minutes", Int, Trap::Small),
            t("what", Text, Trap::Pattern),
        ],
        key: &["id"],
    },
    Table {
        name: "tags",
        columns: &[
            c("client_id", Text),
            t("label", Text, Trap::Pattern),
            c("color", Text),
            t("weights", Ints, Trap::Pair),
        ],
        key: &["client_id", "label"],
    },
    Table {
        name: "settings",
        columns: &[
            c("client_id", Text),
            c("key", Text),
            t("value", Json, Trap::Object),
            t("raw", Text, Trap::JsonText),
        ],
        key: &["client_id", "key"],
    },
    Table {
        name: "intake",
        columns: &[
            c("client_id", Text),
            c("id", Int),
            c("kind", Text),
            t("raw", Text, Trap::Number),
            t("pattern", Text, Trap::Pattern),
            t("divisor", Int, Trap::Divisor),
            t("big", Num, Trap::Fits),
            t("small", Int, Trap::Small),
            t("doc", Text, Trap::JsonText),
            t("data", Bytes, Trap::Utf8),
            t("arr", Ints, Trap::Pair),
            t("at", Text, Trap::DateText),
        ],
        key: &["client_id", "id"],
    },
    Table {
        name: "readings",
        columns: &[
            c("id", Int),
            c("client_id", Text),
            c("kind", Text),
            t("raw", Text, Trap::Number),
            t("pattern", Text, Trap::Pattern),
            t("divisor", Int, Trap::Divisor),
            t("big", Num, Trap::Fits),
            t("doc", Text, Trap::JsonText),
            t("arr", Ints, Trap::Pair),
        ],
        key: &["id"],
    },
    Table {
        name: "drafts",
        columns: &[c("client_id", Text), c("id", Int), t("body", Text, Trap::Pattern), t("score", Int, Trap::Divisor)],
        key: &[],
    },
    Table {
        name: "\"Order Lines\"",
        columns: &[
            c("client_id", Text),
            c("\"Id\"", Int),
            t("\"select\"", Text, Trap::Number),
            c("\"Say \"\"hi\"\"\"", Text),
            c("\"Client_Id\"", Text),
        ],
        key: &["client_id", "\"Id\""],
    },
    Table {
        name: "\"Projects\"",
        columns: &[c("client_id", Text), c("id", Int), t("secret", Text, Trap::Number)],
        key: &["client_id", "id"],
    },
    Table {
        name: "events",
        columns: &[
            c("client_id", Text),
            c("id", Int),
            c("at", Time),
            c("kind", Text),
            t("payload", Json, Trap::Object),
        ],
        key: &["client_id", "id"],
    },
    Table {
        name: "measures",
        columns: &[c("client_id", Text), c("day", Date), c("name", Text), c("value", Float)],
        key: &["client_id", "day", "name"],
    },
    Table {
        name: "documents",
        columns: &[c("client_id", Text), c("id", Int), t("title", Text, Trap::Pattern)],
        key: &[],
    },
    Table {
        name: "clients",
        columns: &[c("id", Text), c("name", Text), c("country", Text), c("since", Date)],
        key: &["id"],
    },
    Table {
        name: "countries",
        columns: &[c("code", Text), c("name", Text), c("currency", Text), c("vat", Num)],
        key: &["code"],
    },
    Table {
        name: "stamped",
        columns: &[c("client_id", Text), c("id", Int), c("body", Text), c("changes", Int)],
        key: &["client_id", "id"],
    },
    Table {
        name: "archive.invoices",
        columns: &[c("client_id", Text), c("id", Int), c("total", Num)],
        key: &["client_id", "id"],
    },
    Table {
        name: "shelves",
        columns: &[
            c("client_id", Text),
            c("id", Int),
            t("label", Text, Trap::Pattern),
            t("raw", Text, Trap::Number),
            c("size", Int),
            c("price", Int),
        ],
        key: &["client_id", "id"],
    },
    Table {
        name: "logs",
        columns: &[c("client_id", Text), c("id", Int), c("day", Date), t("raw", Text, Trap::Number)],
        key: &["client_id", "id", "day"],
    },
];

/// Views stand wherever a table can. What they compute fails on the rows of others as soon as it is looked at.
const VIEWS: &[Table] = &[
    Table {
        name: "open_invoices",
        columns: &[
            c("client_id", Text),
            c("id", Int),
            c("project_id", Int),
            c("number", Text),
            c("total", Num),
            c("paid", Bool),
            c("issued_on", Date),
            c("due_at", Time),
            t("note", Text, Trap::Number),
            t("meta", Json, Trap::Object),
        ],
        key: &[],
    },
    Table {
        name: "line_texts",
        columns: &[
            c("invoice_id", Int),
            c("line", Int),
            c("owner", Text),
            t("\"Text\"", Text, Trap::Pattern),
            c("doubled", Int),
            t("discount", Int, Trap::Divisor),
        ],
        key: &[],
    },
    Table {
        name: "open_numbers",
        columns: &[c("id", Int), c("number", Text), c("client_id", Text), c("total", Num)],
        key: &[],
    },
    Table {
        name: "red_tags",
        columns: &[
            c("client_id", Text),
            t("label", Text, Trap::Pattern),
            c("color", Text),
            t("weights", Ints, Trap::Pair),
        ],
        key: &[],
    },
    Table {
        name: "parsed_intake",
        columns: &[
            c("id", Int),
            c("kind", Text),
            c("number", Int),
            t("pattern", Text, Trap::Pattern),
            t("divisor", Int, Trap::Divisor),
            t("arr", Ints, Trap::Pair),
        ],
        key: &[],
    },
    Table {
        name: "matching_readings",
        columns: &[c("id", Int), c("client_id", Text), t("raw", Text, Trap::Number), t("divisor", Int, Trap::Divisor)],
        key: &[],
    },
    Table {
        name: "project_sums",
        columns: &[c("id", Int), c("name", Text), c("status", Status), c("invoices", Int), c("total", Num)],
        key: &[],
    },
    Table { name: "named_things", columns: &[c("kind", Text), c("id", Int), c("name", Text)], key: &[] },
    Table {
        name: "ranked_readings",
        columns: &[c("id", Int), t("raw", Text, Trap::Number), c("place", Int), t("top", Int, Trap::Divisor)],
        key: &[],
    },
    Table {
        name: "noted_invoices",
        columns: &[c("id", Int), c("client_id", Text), t("note", Text, Trap::Number), c("total", Num)],
        key: &[],
    },
    Table { name: "open_sums", columns: &[c("project_id", Int), c("name", Text), c("total", Num)], key: &[] },
    Table { name: "project_paths", columns: &[c("id", Int), c("name", Text), c("depth", Int)], key: &[] },
    Table { name: "merged_lines", columns: &[c("invoice_id", Int), c("line", Int), c("number", Text)], key: &[] },
    Table {
        name: "latest_events",
        columns: &[c("kind", Text), c("id", Int), c("at", Time), t("payload", Json, Trap::Object)],
        key: &[],
    },
    Table {
        name: "recent_logs",
        columns: &[c("client_id", Text), c("id", Int), c("day", Date), c("number", Int)],
        key: &[],
    },
    Table {
        name: "shelf_sums",
        columns: &[c("client_id", Text), c("id", Int), t("label", Text, Trap::Pattern), c("logs", Int)],
        key: &[],
    },
    Table { name: "countries_in_use", columns: &[c("code", Text), c("name", Text)], key: &[] },
    Table {
        name: "client_totals",
        columns: &[c("client_id", Text), c("invoices", Int), t("note", Text, Trap::Number)],
        key: &[],
    },
    Table {
        name: "declared_readings",
        columns: &[c("id", Int), c("client_id", Text), c("number", Int), t("pattern", Text, Trap::Pattern)],
        key: &[],
    },
];

#[derive(Debug, Clone)]
struct Column {
    /// As it is written to refer to it.
    text: String,
    ty: Ty,
    trap: Option<Trap>,
    /// For the columns of a base table: its alias, where grouping by its key frees the others.
    owner: Option<usize>,
}

#[derive(Debug, Clone, Default)]
struct Scope {
    columns: Vec<Column>,
    /// Aliases that stand for a whole row.
    rows: Vec<String>,
    /// Base tables: alias and key.
    keys: Vec<(String, Vec<String>)>,
    /// One base table, nothing joined: its rows are told apart by its key.
    single: bool,
}

#[derive(Debug, Clone)]
struct Output {
    name: String,
    ty: Ty,
    trap: Option<Trap>,
}

#[derive(Debug, Clone)]
struct Query {
    sql: String,
    outputs: Vec<Output>,
    ordered: bool,
    /// Nothing may follow.
    closed: bool,
}

#[derive(Debug, Clone)]
struct Cte {
    name: String,
    outputs: Vec<Output>,
}

pub(crate) struct Generator {
    random: Random,
    aliases: usize,
    ctes: Vec<Cte>,
    /// The columns of the queries around.
    outer: Vec<Column>,
}

const TENANT: &str = "acme";

impl Generator {
    pub(crate) fn new(seed: u64) -> Self {
        Self { random: Random::new(seed), aliases: 0, ctes: Vec::new(), outer: Vec::new() }
    }

    pub(crate) fn statement(&mut self) -> Generated {
        self.aliases = 0;
        self.ctes.clear();
        self.outer.clear();
        match self.random.below(100) {
            0..20 => {
                let query = self.aimed();
                Generated { sql: query.sql, ordered: query.ordered }
            }
            20..62 => {
                let query = self.full_query(3);
                Generated { sql: query.sql, ordered: query.ordered }
            }
            62..66 => self.cursor(),
            66..70 => self.prepared(),
            70..79 => Self::unordered(self.insert()),
            79..88 => Self::unordered(self.update()),
            88..92 => Self::unordered(self.delete()),
            92..94 => Self::unordered(self.merge()),
            94..96 => self.temporary(),
            _ => Self::unordered(self.write_in_a_cte()),
        }
    }

    /// The rows of a query through a cursor. Some of them only where their order is told.
    fn cursor(&mut self) -> Generated {
        let query = self.full_query(2);
        let movements = if query.ordered {
            self.random.pick(&[
                "FETCH 2 FROM c; MOVE c; FETCH ALL c",
                "FETCH LAST c; FETCH BACKWARD 2 FROM c; FETCH FIRST FROM c",
                "MOVE 3 IN c; FETCH RELATIVE 0 c; FETCH ABSOLUTE -1 c; MOVE BACKWARD ALL IN c; FETCH FORWARD ALL c",
            ])
        } else {
            self.random.pick(&["FETCH ALL c", "MOVE ALL IN c", "MOVE FORWARD 1000000 IN c; FETCH NEXT c"])
        };
        let scroll = if movements.contains("BACKWARD") { "SCROLL " } else { "" };
        let hold = self.random.pick(&["", "", " WITH HOLD"]);
        let sql = format!("DECLARE c {scroll}CURSOR{hold} FOR {}; {movements}; CLOSE c", query.sql);
        Generated { sql, ordered: query.ordered }
    }

    /// A query or a change under a name, planned once and run twice.
    fn prepared(&mut self) -> Generated {
        let (sql, ordered) = match self.random.below(4) {
            0 => (self.insert(), false),
            1 => (self.update(), false),
            _ => {
                let query = self.full_query(2);
                (query.sql, query.ordered)
            }
        };
        let again = self.random.pick(&["", "; EXECUTE q"]);
        Generated { sql: format!("DEALLOCATE ALL; PREPARE q AS {sql}; EXECUTE q{again}"), ordered }
    }

    fn unordered(sql: String) -> Generated {
        Generated { sql, ordered: false }
    }

    // Queries.

    /// With CTEs, set operations, ORDER BY and LIMIT.
    /// Rows put aside, and asked again: a text of several statements.
    fn temporary(&mut self) -> Generated {
        let source = self.query(2, Some(&[Int, Text]));
        let name = self.alias("own");
        let make = if self.random.chance(50) {
            format!("CREATE TEMP TABLE {name} (a, b) AS {}", source.sql)
        } else {
            format!("CREATE TEMP TABLE {name} (a int, b text); INSERT INTO {name} (a, b) {}", source.sql)
        };
        let (table, id) = *self.random.pick(&[("projects", "id"), ("invoices", "id"), ("readings", "id")]);
        let ask = match self.random.below(4) {
            0 => format!("SELECT a, b FROM {name}"),
            1 => format!("SELECT {table}.{id}, own.b FROM {table} JOIN {name} AS own ON own.a = {table}.{id}"),
            2 => format!("DELETE FROM {name} USING {table} WHERE {name}.a = {table}.{id} RETURNING {name}.a"),
            _ => format!(
                "SELECT {id} FROM {table} WHERE {id} IN (SELECT a FROM {name}) AND {id}::text <> ALL (SELECT b FROM {name} WHERE b IS NOT NULL)"
            ),
        };
        Self::unordered(format!("{make}; {ask}; DROP TABLE {name}"))
    }

    fn full_query(&mut self, depth: usize) -> Query {
        let known = self.ctes.len();
        let with = if depth >= 2 && self.random.chance(22) { self.with_clause(depth - 1) } else { String::new() };
        let mut query = self.query(depth, None);
        query.sql.insert_str(0, &with);
        self.ctes.truncate(known);
        query
    }

    fn query(&mut self, depth: usize, types: Option<&[Ty]>) -> Query {
        if depth >= 1 && self.random.chance(14) {
            return self.set_operation(depth, types);
        }
        let mut query = self.select(depth, types);
        self.order_and_limit(&mut query);
        query
    }

    fn order_and_limit(&mut self, query: &mut Query) {
        if query.ordered || query.closed || query.outputs.is_empty() || !self.random.chance(30) {
            return;
        }
        let positions: Vec<_> = (1..=query.outputs.len())
            .map(|n| format!("{n}{}", self.random.pick(&["", " DESC", " NULLS FIRST", " ASC", " DESC NULLS LAST"])))
            .collect();
        write!(query.sql, " ORDER BY {}", positions.join(", ")).unwrap();
        query.ordered = true;
        if self.random.chance(40) {
            let limit = self.random.below(6);
            query.sql.push_str(&match self.random.below(4) {
                0 => format!(" FETCH FIRST {} ROWS ONLY", limit + 1),
                1 => format!(" LIMIT {limit} OFFSET {}", self.random.below(3)),
                2 => format!(" OFFSET {}", self.random.below(4)),
                _ => format!(" LIMIT {limit}"),
            });
        }
    }

    fn set_operation(&mut self, depth: usize, types: Option<&[Ty]>) -> Query {
        let types = types.map_or_else(|| self.types(), <[Ty]>::to_vec);
        let left = self.select(depth - 1, Some(&types));
        let right = self.select(depth - 1, Some(&types));
        let operator = self.random.pick(&[
            "UNION",
            "UNION ALL",
            "UNION ALL",
            "EXCEPT",
            "EXCEPT ALL",
            "INTERSECT",
            "INTERSECT ALL",
        ]);
        let outputs = left.outputs.iter().zip(&right.outputs);
        let outputs = outputs.map(|(a, b)| Output { trap: a.trap.filter(|_| a.trap == b.trap), ..a.clone() }).collect();
        let part = |query: Query| if query.ordered { format!("({})", query.sql) } else { query.sql };
        let sql = format!("{} {operator} {}", part(left), part(right));
        let mut query = Query { sql, outputs, ordered: false, closed: false };
        self.order_and_limit(&mut query);
        query
    }

    fn types(&mut self) -> Vec<Ty> {
        (0..=self.random.below(3)).map(|_| *self.random.pick(&[Int, Int, Text, Text, Num, Date, Bool, Time])).collect()
    }

    /// One SELECT. `ordered` means that it carries an ORDER BY of its own.
    fn select(&mut self, depth: usize, types: Option<&[Ty]>) -> Query {
        let (from, scope) = self.relations(depth);
        let condition =
            if self.random.chance(72) { format!(" WHERE {}", self.condition(&scope, depth)) } else { String::new() };
        match self.random.below(100) {
            0..52 => self.plain_select(&from, &condition, &scope, depth, types),
            52..60 if types.is_none() => self.star_select(&from, &condition, &scope),
            60..72 if types.is_none() => self.distinct_select(&from, &condition, &scope),
            72..92 => self.grouped_select(&from, &condition, &scope, depth, types),
            _ => self.windowed_select(&from, &condition, &scope, types),
        }
    }

    fn outputs_of(&mut self, expressions: &[(String, Ty, Option<Trap>)]) -> (String, Vec<Output>) {
        let mut list = Vec::new();
        let mut outputs = Vec::new();
        for (text, ty, trap) in expressions {
            self.aliases += 1;
            let name = format!("c{}", self.aliases);
            let word = if self.random.chance(85) { "AS " } else { "" };
            list.push(format!("{text} {word}{name}"));
            outputs.push(Output { name, ty: *ty, trap: *trap });
        }
        (list.join(", "), outputs)
    }

    /// A column as it is, most times, so that its trap lives on a level above.
    fn item(&mut self, scope: &Scope, depth: usize, ty: Option<Ty>) -> (String, Ty, Option<Trap>) {
        let from_outside = self.random.chance(15);
        let columns = if from_outside { &self.outer } else { &scope.columns };
        let fitting: Vec<_> = columns.iter().filter(|column| ty.is_none_or(|ty| column.ty == ty)).cloned().collect();
        if !fitting.is_empty() && self.random.chance(65) {
            let trapped: Vec<_> = fitting.iter().filter(|column| column.trap.is_some()).cloned().collect();
            let from = if !trapped.is_empty() && self.random.chance(45) { &trapped } else { &fitting };
            let column = self.random.pick(from);
            return (column.text.clone(), column.ty, column.trap);
        }
        let ty = ty.unwrap_or_else(|| *self.random.pick(&[Int, Int, Text, Text, Num, Bool, Date, Time, Texts, Json]));
        (self.expression(ty, scope, depth), ty, None)
    }

    fn items(&mut self, scope: &Scope, depth: usize, types: Option<&[Ty]>) -> Vec<(String, Ty, Option<Trap>)> {
        match types {
            Some(types) => types.iter().map(|ty| self.item(scope, depth, Some(*ty))).collect(),
            None => (0..=self.random.below(4)).map(|_| self.item(scope, depth, None)).collect(),
        }
    }

    fn plain_select(
        &mut self,
        from: &str,
        condition: &str,
        scope: &Scope,
        depth: usize,
        types: Option<&[Ty]>,
    ) -> Query {
        let items = self.items(scope, depth, types);
        let (list, outputs) = self.outputs_of(&items);
        let mut sql = format!("SELECT {list} FROM {from}{condition}");
        let mut closed = false;
        if types.is_none() && depth == 3 && scope.single && self.random.chance(6) {
            closed = true;
            let lock = *self.random.pick(&[" FOR UPDATE", " FOR SHARE", " FOR NO KEY UPDATE SKIP LOCKED"]);
            sql.push_str(lock);
        }
        Query { sql, outputs, ordered: false, closed }
    }

    fn star_select(&mut self, from: &str, condition: &str, scope: &Scope) -> Query {
        let alias = self.random.pick(&scope.rows).clone();
        if self.random.chance(50) {
            return Query {
                sql: format!("SELECT {alias}.* FROM {from}{condition}"),
                outputs: Vec::new(),
                ordered: false,
                closed: false,
            };
        }
        Query { sql: format!("SELECT * FROM {from}{condition}"), outputs: Vec::new(), ordered: false, closed: false }
    }

    fn distinct_select(&mut self, from: &str, condition: &str, scope: &Scope) -> Query {
        let items = self.items(scope, 0, None);
        let (list, outputs) = self.outputs_of(&items);
        if self.random.chance(50) {
            return Query {
                sql: format!("SELECT DISTINCT {list} FROM {from}{condition}"),
                outputs,
                ordered: false,
                closed: false,
            };
        }
        let order: Vec<_> = (1..=items.len()).map(|n| n.to_string()).collect();
        let (on, order) = if self.random.chance(60) {
            let first = items[0].0.clone();
            (first.clone(), [vec![first], order[1..].to_vec()].concat())
        } else {
            ("1".to_owned(), order)
        };
        let sql = format!("SELECT DISTINCT ON ({on}) {list} FROM {from}{condition} ORDER BY {}", order.join(", "));
        // A constant is no key to order by: the first expression could be one.
        let constant = !items[0].0.contains('.');
        if constant {
            return Query {
                sql: format!("SELECT DISTINCT {list} FROM {from}{condition}"),
                outputs,
                ordered: false,
                closed: false,
            };
        }
        Query { sql, outputs, ordered: true, closed: false }
    }

    fn grouped_select(
        &mut self,
        from: &str,
        condition: &str,
        scope: &Scope,
        depth: usize,
        types: Option<&[Ty]>,
    ) -> Query {
        if types.is_none() && !scope.keys.is_empty() && self.random.chance(30) {
            return self.grouped_by_key(from, condition, scope, depth);
        }
        let columns: Vec<_> = (0..self.random.below(3)).filter_map(|_| self.column(scope, None)).collect();
        let grouped = Scope { columns: columns.clone(), ..Scope::default() };
        let items: Vec<_> = match types {
            Some(types) => types.iter().map(|ty| (self.aggregate(*ty, scope), *ty, None)).collect(),
            None => {
                let mut items: Vec<_> =
                    columns.iter().map(|column| (column.text.clone(), column.ty, column.trap)).collect();
                for _ in 0..=self.random.below(2) {
                    let ty = *self.random.pick(&[Int, Int, Num, Text, Bool, Date]);
                    items.push((self.aggregate(ty, scope), ty, None));
                }
                items
            }
        };
        let (list, outputs) = self.outputs_of(&items);
        let mut sql = format!("SELECT {list} FROM {from}{condition}");
        if !columns.is_empty() {
            let by: Vec<_> = columns.iter().map(|column| column.text.clone()).collect();
            let by = match self.random.below(11) {
                10 => format!("GROUPING SETS (ROLLUP ({0}), CUBE ({0}), GROUPING SETS ((), ({0})))", by.join(", ")),
                0 => format!("ROLLUP ({})", by.join(", ")),
                1 => format!("GROUPING SETS (({}), ())", by.join(", ")),
                _ => by.join(", "),
            };
            write!(sql, " GROUP BY {by}").unwrap();
        }
        if self.random.chance(45) {
            let having = if !columns.is_empty() && self.random.chance(65) {
                self.condition(&grouped, 0)
            } else {
                format!(
                    "{} {} {}",
                    self.aggregate(Int, scope),
                    self.random.pick(&["<", ">", "<>"]),
                    self.random.below(9)
                )
            };
            write!(sql, " HAVING {having}").unwrap();
        }
        Query { sql, outputs, ordered: false, closed: false }
    }

    /// The other columns depend on the primary key.
    fn grouped_by_key(&mut self, from: &str, condition: &str, scope: &Scope, depth: usize) -> Query {
        let owner = self.random.below(scope.keys.len());
        let (alias, key) = &scope.keys[owner];
        let own = Scope {
            columns: scope.columns.iter().filter(|column| column.owner == Some(owner)).cloned().collect(),
            ..Scope::default()
        };
        let mut items = self.items(&own, 0, None);
        items.push((self.aggregate(Int, scope), Int, None));
        let (list, outputs) = self.outputs_of(&items);
        let key: Vec<_> = key.iter().map(|column| format!("{alias}.{column}")).collect();
        let mut sql = format!("SELECT {list} FROM {from}{condition} GROUP BY {}", key.join(", "));
        if self.random.chance(40) {
            write!(sql, " HAVING {}", self.condition(&own, depth.min(1))).unwrap();
        }
        Query { sql, outputs, ordered: false, closed: false }
    }

    fn windowed_select(&mut self, from: &str, condition: &str, scope: &Scope, types: Option<&[Ty]>) -> Query {
        let mut items = self.items(scope, 0, types);
        if types.is_none() {
            let partition = self.column(scope, None).map(|column| column.text);
            let partition = partition.map_or_else(String::new, |text| format!("PARTITION BY {text}"));
            let (_, order, _) = (0, self.item(scope, 0, Some(Int)).0, 0);
            let argument = self.item(scope, 0, Some(Int)).0;
            let over = format!("({partition} ORDER BY {order})");
            let text = match self.random.below(6) {
                0 => format!("rank() OVER {over}"),
                1 => format!("sum({argument}) OVER {over}"),
                2 => format!("count(*) OVER ({partition})"),
                3 => format!(
                    "max({argument}) OVER ({partition} ORDER BY {order} ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING)"
                ),
                4 if scope.single && scope.keys.len() == 1 => {
                    let (alias, key) = &scope.keys[0];
                    let key: Vec<_> = key.iter().map(|column| format!("{alias}.{column}")).collect();
                    let function = self.random.pick(&["row_number()", "lag(1)", "ntile(3)"]);
                    format!("{function} OVER ({partition} ORDER BY {})", key.join(", "))
                }
                _ => format!("dense_rank() OVER {over}"),
            };
            items.push((text, Int, None));
        }
        let (list, outputs) = self.outputs_of(&items);
        Query { sql: format!("SELECT {list} FROM {from}{condition}"), outputs, ordered: false, closed: false }
    }

    // CTEs.

    fn with_clause(&mut self, depth: usize) -> String {
        let mut parts = Vec::new();
        let mut recursive = "";
        for _ in 0..=self.random.below(2) {
            let name = match self.random.below(10) {
                0 => "projects".to_owned(),
                1 => "tags".to_owned(),
                2 => "intake".to_owned(),
                _ => self.alias("w"),
            };
            if self.ctes.iter().any(|cte| cte.name == name) {
                continue;
            }
            if self.random.chance(15) && parts.is_empty() {
                recursive = "RECURSIVE ";
                parts.push(self.recursion(&name));
                continue;
            }
            if recursive.is_empty() || !name.starts_with(|first: char| first != 'w') {
                let query = self.query(depth, None);
                if query.outputs.is_empty() {
                    continue;
                }
                let how = self.random.pick(&["", "", "", "MATERIALIZED ", "NOT MATERIALIZED "]);
                parts.push(format!("{name} AS {how}({})", query.sql));
                self.ctes.push(Cte { name, outputs: query.outputs });
            }
        }
        if parts.is_empty() { String::new() } else { format!("WITH {recursive}{} ", parts.join(", ")) }
    }

    fn recursion(&mut self, name: &str) -> String {
        let output = |name: &str, ty| Output { name: name.to_owned(), ty, trap: None };
        if self.random.chance(30) {
            self.ctes.push(Cte { name: name.to_owned(), outputs: vec![output("n", Int)] });
            return format!("{name} (n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM {name} WHERE n < 7)");
        }
        let trap = if self.random.chance(50) { " AND 'abc' !~ (x.name || '$')" } else { "" };
        let union = self.random.pick(&["UNION", "UNION ALL"]);
        self.ctes.push(Cte {
            name: name.to_owned(),
            outputs: vec![output("id", Int), output("name", Text), output("depth", Int)],
        });
        format!(
            "{name} AS (SELECT x.id, x.name, 1 AS depth FROM public.projects x WHERE x.parent_id IS NULL{trap} \
             {union} SELECT x.id, x.name, r.depth + 1 FROM public.projects x JOIN {name} r ON r.id = x.parent_id{trap})"
        )
    }

    // FROM.

    fn alias(&mut self, prefix: &str) -> String {
        self.aliases += 1;
        format!("{prefix}{}", self.aliases)
    }

    fn relations(&mut self, depth: usize) -> (String, Scope) {
        let (mut sql, mut scope) = self.relation(depth);
        let joins = match self.random.below(10) {
            0..5 => 0,
            5..9 => 1,
            _ => 2,
        };
        for _ in 0..joins {
            scope.single = false;
            if self.random.chance(18) && depth > 0 {
                self.join_lateral(&mut sql, &mut scope, depth);
            } else {
                self.join(&mut sql, &mut scope, depth);
            }
            if sql.contains(", ") {
                // Behind a comma, ON sees only what comes after it.
                break;
            }
        }
        if joins == 1 && self.random.chance(8) {
            return self.parenthesised(&sql, scope);
        }
        (sql, scope)
    }

    fn join(&mut self, sql: &mut String, scope: &mut Scope, depth: usize) {
        let (right, right_scope) = self.relation(depth.saturating_sub(1));
        let owners = scope.keys.len();
        let left_columns = scope.columns.clone();
        let right_columns: Vec<_> = right_scope
            .columns
            .into_iter()
            .map(|column| Column { owner: column.owner.map(|owner| owner + owners), ..column })
            .collect();
        scope.columns.extend(right_columns.iter().cloned());
        scope.rows.extend(right_scope.rows);
        scope.keys.extend(right_scope.keys);
        let shared_id = |columns: &[Column]| columns.iter().any(|column| column.text.ends_with(".client_id"));
        let can_merge = shared_id(&left_columns) && shared_id(&right_columns);
        let kind = self.random.below(100);
        if kind < 8 {
            *sql = if self.random.chance(50) { format!("{sql} CROSS JOIN {right}") } else { format!("{sql}, {right}") };
            return;
        }
        let ambiguous = left_columns.iter().filter(|column| column.text.ends_with(".client_id")).count() > 1;
        if kind < 16 && can_merge && !ambiguous {
            let word = self.random.pick(&["JOIN", "LEFT JOIN", "FULL JOIN", "RIGHT JOIN"]);
            *sql = format!("{sql} {word} {right} USING (client_id)");
            if self.random.chance(30) {
                let alias = self.alias("u");
                write!(sql, " AS {alias}").unwrap();
                scope.columns.push(Column { text: format!("{alias}.client_id"), ty: Text, trap: None, owner: None });
            }
            return;
        }
        let link = self.link(&left_columns, &right_columns);
        let word = *self.random.pick(&[
            "JOIN",
            "JOIN",
            "INNER JOIN",
            "LEFT JOIN",
            "LEFT JOIN",
            "RIGHT JOIN",
            "FULL JOIN",
            "LEFT OUTER JOIN",
        ]);
        let on = match (link, self.random.chance(35)) {
            (Some(link), false) => link,
            (Some(link), true) => format!("{link} AND {}", self.condition(scope, 0)),
            (None, _) if word == "FULL JOIN" => "true".to_owned(),
            (None, _) => self.condition(scope, 0),
        };
        *sql = format!("{sql} {word} {right} ON {on}");
    }

    /// An equality between a column of either side.
    fn link(&mut self, left: &[Column], right: &[Column]) -> Option<String> {
        let ty = *self.random.pick(&[Int, Int, Int, Text]);
        let pick = |random: &mut Random, columns: &[Column]| {
            let fitting: Vec<_> = columns.iter().filter(|column| column.ty == ty).collect();
            (!fitting.is_empty()).then(|| random.pick(&fitting).text.clone())
        };
        let left = pick(&mut self.random, left)?;
        let right = pick(&mut self.random, right)?;
        Some(format!("{left} = {right}"))
    }

    fn join_lateral(&mut self, sql: &mut String, scope: &mut Scope, depth: usize) {
        let known = self.outer.len();
        self.outer.extend(scope.columns.iter().cloned());
        let query = self.query(depth - 1, None);
        self.outer.truncate(known);
        if query.outputs.is_empty() {
            return;
        }
        let alias = self.alias("l");
        let (before, after) =
            *self.random.pick(&[(", LATERAL", ""), (" CROSS JOIN LATERAL", ""), (" LEFT JOIN LATERAL", " ON true")]);
        *sql = format!("{sql}{before} ({}) {alias}{after}", query.sql);
        scope.add_derived(&alias, &query.outputs);
    }

    /// `(a JOIN b ON …) AS j (x, y)`: all columns get new names.
    fn parenthesised(&mut self, sql: &str, scope: Scope) -> (String, Scope) {
        // Only where the number of columns is known: base tables joined by ON.
        if scope.keys.len() != scope.rows.len() || sql.contains("USING") || sql.contains("time_entries") {
            return (sql.to_owned(), scope);
        }
        let alias = self.alias("j");
        let mut inner = Scope { rows: vec![alias.clone()], ..Scope::default() };
        let mut names = Vec::new();
        for column in &scope.columns {
            let name = self.alias("n");
            inner.columns.push(Column {
                text: format!("{alias}.{name}"),
                ty: column.ty,
                trap: column.trap,
                owner: None,
            });
            names.push(name);
        }
        // Tables with more columns than we know of would shift the names: their aliases were all listed in full.
        (format!("({sql}) AS {alias} ({})", names.join(", ")), inner)
    }

    fn relation(&mut self, depth: usize) -> (String, Scope) {
        match self.random.below(100) {
            0..16 if depth > 0 => {
                let query = self.full_query(depth - 1);
                if query.outputs.is_empty() {
                    return self.base_table();
                }
                let alias = self.alias("q");
                let word = if self.random.chance(80) { "AS " } else { "" };
                let mut scope = Scope::default();
                scope.add_derived(&alias, &query.outputs);
                (format!("({}) {word}{alias}", query.sql), scope)
            }
            16..26 if !self.ctes.is_empty() => {
                let cte = self.random.pick(&self.ctes).clone();
                let alias = self.alias("t");
                let mut scope = Scope::default();
                scope.add_derived(&alias, &cte.outputs);
                (format!("{} {alias}", cte.name), scope)
            }
            26..29 => {
                let alias = self.alias("v");
                let outputs =
                    [("n", Int), ("s", Text)].map(|(name, ty)| Output { name: name.to_owned(), ty, trap: None });
                let mut scope = Scope::default();
                scope.add_derived(&alias, &outputs);
                (format!("(VALUES (1, 'a'), (2, 'b'), (5, NULL)) AS {alias} (n, s)"), scope)
            }
            31..34 if depth > 0 => self.merged(depth),
            29..31 => {
                let alias = self.alias("g");
                let mut scope = Scope::default();
                scope.columns.push(Column { text: alias.clone(), ty: Int, trap: None, owner: None });
                scope.rows.push(alias.clone());
                (format!("generate_series(1, {}) AS {alias}", 1 + self.random.below(6)), scope)
            }
            _ => self.base_table(),
        }
    }

    /// Two relations joined by a column of the same name that either may compute.
    fn merged(&mut self, depth: usize) -> (String, Scope) {
        let ty = *self.random.pick(&[Int, Int, Text, Bool, Date]);
        let (left, right) = (self.alias("m"), self.alias("m"));
        let name = self.alias("n");
        let (from, inner) = self.base_table();
        let value = self.trapped_value(ty, &inner).unwrap_or_else(|| self.expression(ty, &inner, 0));
        let other = if self.random.chance(50) {
            format!("(VALUES ({}), ({}))", self.constant(ty), self.constant(ty))
        } else {
            format!("({})", self.query(depth - 1, Some(&[ty])).sql)
        };
        let mut scope = Scope::default();
        scope.add_derived(&left, &[Output { name: name.clone(), ty, trap: None }]);
        scope.rows.push(right.clone());
        let using = self.random.pick(&["USING", "USING", "NATURAL"]);
        let left = format!("(SELECT {value} AS {name} FROM {from}) AS {left}");
        let word = self.random.pick(&["JOIN", "LEFT JOIN", "FULL JOIN"]);
        let sql = if *using == "NATURAL" {
            format!("({left} NATURAL {word} {other} AS {right} ({name}))")
        } else {
            let alias = if self.random.chance(40) { format!(" AS {}", self.alias("u")) } else { String::new() };
            if let Some(alias) = alias.strip_prefix(" AS ") {
                scope.columns.push(Column { text: format!("{alias}.{name}"), ty, trap: None, owner: None });
            }
            format!("({left} {word} {other} AS {right} ({name}) USING ({name}){alias})")
        };
        (sql, scope)
    }

    fn base_table(&mut self) -> (String, Scope) {
        let table = if self.random.chance(40) {
            let names = ["intake", "readings", "invoices", "projects"];
            let name = *self.random.pick(&names);
            TABLES.iter().find(|table| table.name == name).unwrap()
        } else if self.random.chance(25) {
            self.random.pick(VIEWS)
        } else {
            self.random.pick(TABLES)
        };
        let hidden = self.ctes.iter().any(|cte| cte.name == table.name);
        let dotted = table.name.contains('.');
        let name = if !dotted && (hidden || self.random.chance(10)) {
            format!("public.{}", table.name)
        } else {
            table.name.to_owned()
        };
        let alias = self.alias("t");
        let mut scope = Scope { single: true, ..Scope::default() };
        let is_whole = !["documents", "time_entries", "shelves"].contains(&table.name);
        let renamed =
            if self.random.chance(7) && is_whole { 1 + self.random.below(table.columns.len() - 1) } else { 0 };
        let mut names = Vec::new();
        for (n, (column, ty, trap)) in table.columns.iter().enumerate() {
            let column = if n < renamed {
                let new = self.alias("r");
                names.push(new.clone());
                new
            } else {
                (*column).to_owned()
            };
            scope.columns.push(Column { text: format!("{alias}.{column}"), ty: *ty, trap: *trap, owner: Some(0) });
        }
        scope.rows.push(alias.clone());
        if !table.key.is_empty() && renamed == 0 {
            scope.keys.push((alias.clone(), table.key.iter().map(|name| (*name).to_owned()).collect()));
        } else {
            scope.columns.iter_mut().for_each(|column| column.owner = None);
            scope.single = false;
        }
        if renamed > 0 {
            return (format!("{name} AS {alias} ({})", names.join(", ")), scope);
        }
        let word = if self.random.chance(50) { "AS " } else { "" };
        (format!("{name} {word}{alias}"), scope)
    }

    // Conditions.

    fn condition(&mut self, scope: &Scope, depth: usize) -> String {
        let count = match self.random.below(10) {
            0..5 => 1,
            5..8 => 2,
            _ => 3,
        };
        let mut text = self.term(scope, depth);
        for _ in 1..count {
            let word = if self.random.chance(75) { "AND" } else { "OR" };
            let term = self.term(scope, depth);
            text = format!("{text} {word} {term}");
        }
        match self.random.below(100) {
            0..6 => format!("NOT ({text})"),
            // As some write every condition.
            6..16 => format!("({text})"),
            _ => text,
        }
    }

    fn term(&mut self, scope: &Scope, depth: usize) -> String {
        match self.random.below(100) {
            0..38 => self.trap(scope).unwrap_or_else(|| self.comparison(scope)),
            38..56 if depth > 0 => self.subquery_term(scope, depth),
            56..62 => {
                format!("({} OR {})", self.comparison(scope), self.trap(scope).unwrap_or_else(|| "false".to_owned()))
            }
            62..66 => format!(
                "CASE WHEN {} THEN {} ELSE {} END",
                self.comparison(scope),
                self.trap(scope).unwrap_or_else(|| "true".to_owned()),
                self.comparison(scope)
            ),
            66..69 => format!("({}) IS NOT TRUE", self.trap(scope).unwrap_or_else(|| "NULL".to_owned())),
            _ => self.comparison(scope),
        }
    }

    /// A condition that fails on the rows of others.
    fn trap(&mut self, scope: &Scope) -> Option<String> {
        let trapped: Vec<_> =
            scope.columns.iter().chain(&self.outer).filter(|column| column.trap.is_some()).cloned().collect();
        if trapped.is_empty() {
            return None;
        }
        let column = self.random.pick(&trapped).clone();
        let number = self.random.below(40);
        let text = &column.text;
        let other = self.column(scope, Some(Int)).map_or_else(|| number.to_string(), |column| column.text);
        let right = if self.random.chance(30) { other } else { number.to_string() };
        let operator = *self.random.pick(&["<", ">", "=", "<>", ">="]);
        Some(match column.trap? {
            Trap::Number => {
                let cast = *self.random.pick(&["{}::int", "CAST({} AS integer)", "{}::numeric", "({} || '0')::bigint"]);
                format!("{} {operator} {right}", cast.replace("{}", text))
            }
            Trap::Pattern => match self.random.below(5) {
                0 => format!("'abc' !~* {text}"),
                1 => format!("regexp_replace('abc', {text}, 'x') <> 'x'"),
                2 => format!("substring('abc' FROM {text}) IS NULL"),
                _ => format!("'Web a' ~ {text}"),
            },
            Trap::Divisor => match self.random.below(3) {
                0 => format!("100 % {text} {operator} {right}"),
                1 => format!("mod(100, {text}) = 0"),
                _ => format!("100 / {text} {operator} {right}"),
            },
            Trap::Fits => match self.random.below(3) {
                0 => format!("sqrt({text}) > 1"),
                _ => format!("{text}::int {operator} {right}"),
            },
            Trap::Small => format!("{text} + 1 {operator} {right}"),
            Trap::JsonText => format!("{text}::jsonb ->> 'a' {operator} '{number}'"),
            Trap::Utf8 => format!("convert_from({text}, 'UTF8') {operator} 'm'"),
            Trap::Pair => match self.random.below(2) {
                0 => format!("ARRAY[coalesce({text}, ARRAY[5, 6]), ARRAY[1, 2]] IS NOT NULL"),
                _ => format!("100 / {text}[1] {operator} {right}"),
            },
            Trap::DateText => format!("{text}::date {operator} '2025-06-15'"),
            Trap::Object => match self.random.below(2) {
                0 => format!("jsonb_object_keys_count({text})").replace(
                    &format!("jsonb_object_keys_count({text})"),
                    &format!("jsonb_array_length({text} -> 'list') {operator} {right}"),
                ),
                _ => format!("({text} ->> 'n')::int {operator} {right}"),
            },
        })
    }

    /// A value whose making fails on the rows of others.
    fn trapped_value(&mut self, ty: Ty, scope: &Scope) -> Option<String> {
        if ty == Bool {
            return self.trap(scope);
        }
        let fitting = |trap| match ty {
            Int => matches!(trap, Trap::Number | Trap::Divisor | Trap::Fits | Trap::Small),
            Text => matches!(trap, Trap::JsonText | Trap::Utf8 | Trap::Pattern),
            Date => trap == Trap::DateText,
            _ => false,
        };
        let columns = scope.columns.iter().chain(&self.outer);
        let columns: Vec<_> = columns.filter(|column| column.trap.is_some_and(fitting)).cloned().collect();
        if columns.is_empty() {
            return None;
        }
        let Column { text, trap, .. } = self.random.pick(&columns).clone();
        Some(match trap? {
            Trap::Divisor => format!("100 / {text}"),
            Trap::Small => format!("{text} + 1"),
            Trap::JsonText => format!("{text}::jsonb ->> 'a'"),
            Trap::Utf8 => format!("convert_from({text}, 'UTF8')"),
            Trap::Pattern => format!("regexp_replace('abc', {text}, 'x')"),
            Trap::DateText => format!("{text}::date"),
            _ => format!("{text}::int"),
        })
    }

    /// A condition that fails on no row.
    fn comparison(&mut self, scope: &Scope) -> String {
        let Some(column) = self.column_or_outer(scope) else {
            return "1 = 1".to_owned();
        };
        if self.random.chance(35)
            && let Some(term) = self.total_term(&column, scope)
        {
            return term;
        }
        let text = &column.text;
        let operator = *self.random.pick(&["=", "<>", "<", ">", "<=", ">="]);
        if self.random.chance(8) {
            return format!("{text} IS {}NULL", self.random.pick(&["", "NOT "]));
        }
        if self.random.chance(15)
            && let Some(other) = self.column(scope, Some(column.ty))
        {
            return format!("{text} {operator} {}", other.text);
        }
        let constant = self.constant(column.ty);
        match (column.ty, self.random.below(8)) {
            (Int | Text | Num | Date | Status, 0) => {
                format!("{text} {}IN ({constant}, {})", self.random.pick(&["", "NOT "]), self.constant(column.ty))
            }
            (Int | Num | Date | Time, 1) => format!("{text} BETWEEN {constant} AND {}", self.constant(column.ty)),
            (Text, 1..3) => format!(
                "{text} {} '{}'",
                self.random.pick(&["LIKE", "ILIKE", "NOT LIKE"]),
                self.random.pick(&["%a%", "W%", "%1", "_e%"])
            ),
            (Int, 2) => format!("{text} = ANY (ARRAY[1, 2, {constant}])"),
            (Texts, _) => match self.random.below(3) {
                0 => format!("'web' = ANY ({text})"),
                1 => format!("{text} && '{{web,shop}}'"),
                _ => format!("{text} @> ARRAY['web']"),
            },
            (Ints, _) => format!("cardinality({text}) {operator} 2"),
            (Json, _) => match self.random.below(3) {
                0 => format!("{text} ->> 'b' = 'x'"),
                1 => format!("{text} ? 'n'"),
                _ => format!("{text} @> '{{\"a\": 1}}'"),
            },
            (Bool, 0..4) => format!("{}{text}", self.random.pick(&["", "NOT "])),
            (Bytes, _) => format!("length({text}) {operator} 2"),
            (_, 3) => format!("{text} IS DISTINCT FROM {constant}"),
            _ => format!("{text} {operator} {constant}"),
        }
    }

    fn total_term(&mut self, column: &Column, scope: &Scope) -> Option<String> {
        let terms = match column.ty {
            Text => terms::TEXT,
            Int => terms::INT,
            Num => terms::NUM,
            Date => terms::DATE,
            Time => terms::TIME,
            Texts => terms::TEXTS,
            Ints => terms::INTS,
            Json => terms::JSON,
            Status => terms::STATUS,
            Bytes => terms::BYTES,
            Float => terms::FLOAT,
            Bool => return None,
        };
        let term = *self.random.pick(terms);
        let other = self.column(scope, Some(column.ty)).map_or_else(|| column.text.clone(), |other| other.text);
        Some(format!("({})", term.replace("{o}", &other).replace("{}", &column.text)))
    }

    fn subquery_term(&mut self, scope: &Scope, depth: usize) -> String {
        let known = self.outer.len();
        self.outer.extend(scope.columns.iter().cloned());
        let ty = *self.random.pick(&[Int, Int, Text]);
        let left = self.item(scope, 0, Some(ty)).0;
        let text = match self.random.below(10) {
            9 => {
                let combined = self.combined_query(ty, depth - 1);
                match self.random.below(4) {
                    0 => format!("EXISTS ({combined})"),
                    1 => format!("{left} NOT IN {combined}"),
                    2 => format!("{left} = ANY ({combined})"),
                    _ => format!("{left} = {combined}"),
                }
            }
            0 | 1 => {
                let inner = self.select(depth - 1, Some(&[Int]));
                format!("{}EXISTS ({})", self.random.pick(&["", "NOT "]), inner.sql)
            }
            2 | 3 => {
                format!("{left} {}IN ({})", self.random.pick(&["", "", "NOT "]), self.query(depth - 1, Some(&[ty])).sql)
            }
            4 => {
                let operator = self.random.pick(&["= ANY", "<> ALL", "> ALL", "< SOME"]);
                format!("{left} {operator} ({})", self.query(depth - 1, Some(&[ty])).sql)
            }
            5 => {
                let other = self.item(scope, 0, Some(Int)).0;
                format!("({left}, {other}) IN ({})", self.query(depth - 1, Some(&[ty, Int])).sql)
            }
            6 => format!("{left} = ANY (ARRAY({}))", self.query(depth - 1, Some(&[ty])).sql),
            _ => format!("{left} {} {}", self.random.pick(&["=", "<", ">="]), self.scalar_subquery(ty, depth - 1)),
        };
        self.outer.truncate(known);
        text
    }

    /// In brackets of its own, with each arm in brackets: one row.
    fn combined_query(&mut self, ty: Ty, depth: usize) -> String {
        let (left, right) = (self.scalar_subquery(ty, depth), self.scalar_subquery(ty, depth));
        match self.random.below(3) {
            0 => format!("({left} UNION {right} ORDER BY 1 LIMIT 1)"),
            1 => format!("({left} INTERSECT {right})"),
            _ => format!("(({left} UNION ALL {right}) EXCEPT {left} LIMIT 1)"),
        }
    }

    /// At most one row: an aggregate over everything.
    fn scalar_subquery(&mut self, ty: Ty, depth: usize) -> String {
        let (from, scope) = self.relations(depth);
        let condition = self.condition(&scope, depth);
        let aggregate = self.aggregate(ty, &scope);
        format!("(SELECT {aggregate} FROM {from} WHERE {condition})")
    }

    // Expressions.

    fn column(&mut self, scope: &Scope, ty: Option<Ty>) -> Option<Column> {
        let fitting: Vec<_> = scope.columns.iter().filter(|column| ty.is_none_or(|ty| column.ty == ty)).collect();
        (!fitting.is_empty()).then(|| (*self.random.pick(&fitting)).clone())
    }

    fn column_or_outer(&mut self, scope: &Scope) -> Option<Column> {
        if !self.outer.is_empty() && self.random.chance(20) {
            return Some(self.random.pick(&self.outer).clone());
        }
        self.column(scope, None)
    }

    fn constant(&mut self, ty: Ty) -> String {
        let n = self.random.below(30);
        match ty {
            Int => n.to_string(),
            Num => format!("{}.{:02}", n * 17, self.random.below(100)),
            Text => {
                format!("'{}'", self.random.pick(&["a", "acme", "globex", "Web 1", "red", "12", "m", "it''s", "DE"]))
            }
            Bool => (*self.random.pick(&["true", "false"])).to_owned(),
            Date => format!("'2025-{:02}-{:02}'::date", 1 + n % 12, 1 + n % 28),
            Time => format!("'2025-{:02}-{:02} 12:00+00'::timestamptz", 1 + n % 12, 1 + n % 28),
            Texts => (*self.random.pick(&["ARRAY['web']", "'{shop,web}'::text[]"])).to_owned(),
            Ints => "ARRAY[1, 2]".to_owned(),
            Json => format!("'{{\"n\": \"{n}\"}}'::jsonb"),
            Status => format!("'{}'::project_status", self.random.pick(&["planned", "open", "paused", "closed"])),
            Bytes => "'\\x6162'::bytea".to_owned(),
            Float => format!("{n}.5::float8"),
        }
    }

    fn leaf(&mut self, ty: Ty, scope: &Scope) -> String {
        if self.random.chance(75)
            && let Some(column) = self.column(scope, Some(ty))
        {
            return column.text;
        }
        self.constant(ty)
    }

    fn expression(&mut self, ty: Ty, scope: &Scope, depth: usize) -> String {
        if depth > 0 && matches!(ty, Int | Num | Text | Date) && self.random.chance(25) {
            let known = self.outer.len();
            self.outer.extend(scope.columns.iter().cloned());
            let text = self.scalar_subquery(ty, depth - 1);
            self.outer.truncate(known);
            return text;
        }
        if self.random.chance(14)
            && let Some(text) = self.trapped_value(ty, scope)
        {
            return text;
        }
        if self.random.chance(12) {
            return format!(
                "CASE WHEN {} THEN {} ELSE {} END",
                self.term(scope, 0),
                self.leaf(ty, scope),
                self.leaf(ty, scope)
            );
        }
        if self.random.chance(8) {
            return format!("coalesce({}, {})", self.leaf(ty, scope), self.constant(ty));
        }
        let leaf = self.leaf(ty, scope);
        match (ty, self.random.below(6)) {
            (Int, 0) => format!("{leaf} + {}", self.random.below(9)),
            (Int, 1) => format!("{leaf} * 2 - {}", self.leaf(Int, scope)),
            (Int, 2) => format!("length({})", self.leaf(Text, scope)),
            (Int, 3) => format!("extract(year FROM {})::int", self.leaf(Date, scope)),
            (Int, 4) => match self.random.below(2) {
                0 => format!("cardinality({})", self.leaf(Texts, scope)),
                _ => format!("jsonb_exists({}, 'b')::int", self.leaf(Json, scope)),
            },
            (Num, 0) => format!("round({leaf} * 1.1, 2)"),
            (Num, 1) => format!("round({leaf} + {}, 2)", self.leaf(Int, scope)),
            (Text, 0) => match self.random.below(2) {
                0 => format!("upper({leaf})"),
                _ => format!("concat({leaf}, '-', {})", self.leaf(Int, scope)),
            },
            (Text, 1) => format!("{leaf} || '-' || {}", self.leaf(Int, scope)),
            (Text, 2) => format!("{}::text", self.leaf(Int, scope)),
            (Text, 3) => format!("left({leaf}, 3)"),
            (Text, 4) => match self.random.below(3) {
                0 if !scope.rows.is_empty() => format!("{}::text", self.random.pick(&scope.rows).clone()),
                1 => format!("{}::text", self.leaf(Status, scope)),
                _ => format!("{} ->> 'b'", self.leaf(Json, scope)),
            },
            (Date, 0) => format!("{leaf} + {}", self.random.below(40)),
            (Date, 1) => format!("date_trunc('month', {leaf})::date"),
            (Bool, _) => self.comparison(scope),
            _ => leaf,
        }
    }

    /// Of this level: an aggregate of nothing but outer columns would belong to the query around.
    fn aggregate(&mut self, ty: Ty, scope: &Scope) -> String {
        let outer = std::mem::take(&mut self.outer);
        let text = self.own_aggregate(ty, scope);
        self.outer = outer;
        text
    }

    fn own_aggregate(&mut self, ty: Ty, scope: &Scope) -> String {
        let leaf = self.leaf(ty, scope);
        let text = match (ty, self.random.below(5)) {
            (Int, 0) => "count(*)".to_owned(),
            (Int, 1) => format!("count({})", self.item(scope, 0, None).0),
            (Int, 2) => format!("count(DISTINCT {})", self.leaf(Text, scope)),
            (Int, 3) => format!("sum({leaf})"),
            (Num, 0) => format!("sum({leaf})"),
            (Num, 1) => return format!("round(avg({leaf}), 2)"),
            (Text, 0) => format!("string_agg({leaf}, ',' ORDER BY {leaf})"),
            (Text, 1) => return format!("array_agg({leaf}::text ORDER BY {leaf}::text)::text"),
            (Bool, 0..3) => format!("bool_or({})", self.comparison(scope)),
            (Bool, _) => format!("bool_and({})", self.trap(scope).unwrap_or_else(|| "true".to_owned())),
            _ => format!("max({leaf})"),
        };
        if self.random.chance(15) {
            return format!("{text} FILTER (WHERE {})", self.term(scope, 0));
        }
        text
    }

    // What guards are known to miss: a condition, and between it and the scan as much as possible.

    /// LATERAL beside joins, ON of later items, nested outer joins, and levels above that filter what they computed.
    fn aimed(&mut self) -> Query {
        let mut query = self.aimed_select();
        for _ in 0..self.random.below(3) {
            query = self.wrapped(&query);
        }
        if query.outputs.len() < 6 {
            self.order_and_limit(&mut query);
        }
        query
    }

    fn aimed_select(&mut self) -> Query {
        let (mut sql, mut scope) = self.trapped_table();
        // What ON sees begins behind the last comma.
        let mut visible = 0;
        for _ in 0..=self.random.below(3) {
            match self.random.below(10) {
                0..5 => self.aimed_lateral(&mut sql, &mut scope, &mut visible),
                5..7 => {
                    let (right, right_scope) = self.trapped_table();
                    visible = scope.columns.len();
                    scope.columns.extend(right_scope.columns);
                    write!(sql, ", {right}").unwrap();
                }
                _ => self.aimed_join(&mut sql, &mut scope, visible),
            }
        }
        scope.single = false;
        scope.rows.clear();
        scope.keys.clear();
        let depth = usize::from(self.random.chance(40));
        let condition =
            if self.random.chance(80) { format!(" WHERE {}", self.condition(&scope, depth)) } else { String::new() };
        let items: Vec<_> = (0..2 + self.random.below(2)).map(|_| self.aimed_value(&scope)).collect();
        let (list, outputs) = self.outputs_of(&items);
        Query { sql: format!("SELECT {list} FROM {sql}{condition}"), outputs, ordered: false, closed: false }
    }

    fn trapped_table(&mut self) -> (String, Scope) {
        let name = *self.random.pick(&["readings", "intake", "invoices", "projects", "tags", "drafts", "settings"]);
        self.base_table_named(name)
    }

    /// A column with its trap, or what fails while it is computed.
    fn aimed_value(&mut self, scope: &Scope) -> (String, Ty, Option<Trap>) {
        let trapped: Vec<_> = scope.columns.iter().filter(|column| column.trap.is_some()).cloned().collect();
        match self.random.below(10) {
            0..4 if !trapped.is_empty() => {
                let column = self.random.pick(&trapped).clone();
                (column.text, column.ty, column.trap)
            }
            4..6 => (self.trap(scope).unwrap_or_else(|| "true".to_owned()), Bool, None),
            6 | 7 => {
                let ty = *self.random.pick(&[Int, Text, Date]);
                (self.trapped_value(ty, scope).unwrap_or_else(|| self.constant(ty)), ty, None)
            }
            _ => self.item(scope, 0, None),
        }
    }

    fn aimed_lateral(&mut self, sql: &mut String, scope: &mut Scope, visible: &mut usize) {
        let (value, ty, trap) = self.aimed_value(scope);
        let (alias, name) = (self.alias("l"), self.alias("x"));
        let (from, inner) = self.trapped_table();
        let known = self.outer.len();
        self.outer.extend(scope.columns.iter().cloned());
        let condition = self.condition(&inner, 0);
        self.outer.truncate(known);
        let query = match self.random.below(7) {
            0 => format!("(SELECT {value} AS {name}) {alias}"),
            1 => format!("(VALUES ({value})) {alias} ({name})"),
            2 => format!("(SELECT j.{name} FROM (SELECT {value} AS {name}) j) {alias}"),
            3 => format!("(SELECT {value} AS {name} UNION ALL SELECT {}) {alias}", self.constant(ty)),
            4 => format!("(SELECT DISTINCT {value} AS {name} FROM {from} WHERE {condition}) {alias}"),
            5 => format!("(SELECT {value} AS {name} FROM {from} WHERE {condition} GROUP BY 1) {alias}"),
            _ => format!("(SELECT {value} AS {name} FROM {from} WHERE {condition}) {alias}"),
        };
        let column = Column { text: format!("{alias}.{name}"), ty, trap, owner: None };
        scope.columns.push(column);
        match self.random.below(5) {
            0 => {
                *visible = scope.columns.len() - 1;
                write!(sql, ", LATERAL {query}").unwrap();
            }
            1 => write!(sql, " CROSS JOIN LATERAL {query}").unwrap(),
            2 => write!(sql, " LEFT JOIN LATERAL {query} ON {}", self.aimed_on(scope, *visible)).unwrap(),
            _ => write!(sql, " JOIN LATERAL {query} ON {}", self.aimed_on(scope, *visible)).unwrap(),
        }
    }

    fn aimed_on(&mut self, scope: &Scope, visible: usize) -> String {
        let seen = Scope { columns: scope.columns[visible..].to_vec(), ..Scope::default() };
        let last = scope.columns.last().filter(|column| column.ty == Bool).map(|column| column.text.clone());
        match last {
            Some(text) if self.random.chance(60) => text,
            _ => self.condition(&seen, 0),
        }
    }

    /// A table, or a join in parentheses, whose rows may be extended by nulls.
    fn aimed_join(&mut self, sql: &mut String, scope: &mut Scope, visible: usize) {
        let (mut right, mut right_scope) = self.trapped_table();
        if self.random.chance(40) {
            let (other, other_scope) = self.trapped_table();
            let link = self.link(&right_scope.columns, &other_scope.columns).unwrap_or_else(|| "true".to_owned());
            right_scope.columns.extend(other_scope.columns);
            let more = if self.random.chance(50) {
                format!(" AND {}", self.condition(&right_scope, 0))
            } else {
                String::new()
            };
            right = format!("({right} {} {other} ON {link}{more})", self.random.pick(&["JOIN", "LEFT JOIN"]));
        }
        let link = self.link(&scope.columns[visible..], &right_scope.columns).unwrap_or_else(|| "true".to_owned());
        scope.columns.extend(right_scope.columns);
        let more =
            if self.random.chance(60) { format!(" AND {}", self.aimed_on(scope, visible)) } else { String::new() };
        write!(sql, " {} {right} ON {link}{more}", self.random.pick(&["JOIN", "LEFT JOIN", "LEFT JOIN"])).unwrap();
    }

    /// A level above that filters.
    fn wrapped(&mut self, inner: &Query) -> Query {
        let alias = self.alias("q");
        let mut scope = Scope::default();
        scope.add_derived(&alias, &inner.outputs);
        scope.rows.clear();
        let (other, other_scope) = self.trapped_table();
        let names: Vec<_> = inner.outputs.iter().map(|output| output.name.clone()).collect();
        let source = match self.random.below(6) {
            0 => format!("(SELECT DISTINCT * FROM ({}) AS d) AS {alias}", inner.sql),
            1 => format!("(({}) UNION ALL ({})) AS {alias}", inner.sql, inner.sql),
            2 => format!("(SELECT *, count(*) OVER (PARTITION BY {}) FROM ({}) AS w) AS {alias}", names[0], inner.sql),
            3 => format!(
                "(SELECT {} FROM ({}) AS g GROUP BY {}) AS {alias}",
                names.join(", "),
                inner.sql,
                names.join(", ")
            ),
            _ => format!("({}) AS {alias}", inner.sql),
        };
        let condition = self.condition(&scope, 0);
        let items: Vec<_> = (0..=self.random.below(2)).map(|_| self.aimed_value(&scope)).collect();
        let sql = match self.random.below(6) {
            0 => {
                let (list, outputs) = self.outputs_of(&items);
                let mut all = scope.clone();
                all.columns.extend(other_scope.columns);
                let on = self.condition(&all, 0);
                (format!("SELECT {list} FROM {other} JOIN {source} ON {on}"), outputs)
            }
            1 => {
                let name = self.alias("cte");
                let word = self.random.pick(&["", "", "MATERIALIZED ", "NOT MATERIALIZED "]);
                let (list, outputs) = self.outputs_of(&items);
                let body = inner.sql.clone();
                // Named twice, it is planned by itself.
                let again =
                    if self.random.chance(50) { format!(" AND EXISTS (SELECT FROM {name})") } else { String::new() };
                (
                    format!(
                        "WITH {name} AS {word}({body}) SELECT {list} FROM {name} AS {alias} WHERE {condition}{again}"
                    ),
                    outputs,
                )
            }
            2 => {
                let (list, outputs) = self.outputs_of(&[("count(*)".to_owned(), Int, None)]);
                (format!("SELECT {list} FROM {other} WHERE EXISTS (SELECT 1 FROM {source} WHERE {condition})"), outputs)
            }
            _ => {
                let (list, outputs) = self.outputs_of(&items);
                (format!("SELECT {list} FROM {source} WHERE {condition}"), outputs)
            }
        };
        Query { sql: sql.0, outputs: sql.1, ordered: false, closed: false }
    }

    // Writes.

    fn insert(&mut self) -> String {
        let n = self.random.below(14);
        let returning = self.returning_for_insert();
        match self.random.below(17) {
            12..17 => self.insert_through_a_view(n),
            0 => format!("INSERT INTO tags (client_id, label, color) VALUES ('{TENANT}', 'Web {n}', 'x'){returning}"),
            1 => format!(
                "INSERT INTO tags (label, color) VALUES ('Web {n}', 'x'), ('Web {}', NULL) ON CONFLICT (client_id, label) DO UPDATE SET color = EXCLUDED.color || coalesce(tags.color, '') WHERE {}{returning}",
                n + 1,
                self.random.pick(&[
                    "true",
                    "'abc' ~ tags.label",
                    "tags.weights[1] > 1 AND 10 / tags.weights[1] > 2",
                    "tags.color <> EXCLUDED.color"
                ])
            ),
            2 => match self.random.below(3) {
                0 => {
                    format!("INSERT INTO tags (label, color) VALUES ('Web {n}', 'x') ON CONFLICT DO NOTHING{returning}")
                }
                1 => format!(
                    "INSERT INTO tags (label, weights[1], weights[3]) VALUES ('Web {n}', {n}, 3) ON CONFLICT (label, client_id) WHERE length(label) > 0 AND color <> 'x'::text DO UPDATE SET weights[2] = EXCLUDED.weights[1]{returning}"
                ),
                _ => format!(
                    "INSERT INTO tags AS tags (label, weights[1:2]) SELECT 'Web {n}', '{{1,2}}'::int[] ON CONFLICT (client_id, label) WHERE tags.color IS NULL DO NOTHING{returning}"
                ),
            },
            3 => {
                let (from, scope) = self.base_table_named("projects");
                let alias = scope.rows[0].clone();
                let condition = self.condition(&scope, 1);
                let conflict =
                    self.random.pick(&["", " ON CONFLICT DO NOTHING", " ON CONFLICT (client_id, label) DO NOTHING"]);
                let (target, item) = *self.random.pick(&[("", ""), ("client_id, ", "ALIAS.client_id, ")]);
                format!(
                    "INSERT INTO tags ({target}label, color) SELECT {}'Web ' || {alias}.id, {alias}.status::text FROM {from} WHERE {condition}{conflict}{returning}",
                    item.replace("ALIAS", &alias)
                )
            }
            4 => format!("INSERT INTO projects VALUES ('{TENANT}', {n}, 'New {n}', 'open', 12.50)"),
            5 => format!(
                "INSERT INTO projects (id, name, status, labels, parent_id) VALUES ({n}, 'New {n}', DEFAULT, ARRAY['a'], {}), ({}, 'Newer {n}', 'open', '{{}}', NULL) RETURNING id, client_id, name",
                self.random.below(12),
                n + 20
            ),
            6 => format!(
                "INSERT INTO invoices (id, project_id, number, total, note) VALUES ({}, {n}, 'A-{n}', {}, '5') ON CONFLICT ON CONSTRAINT invoices_number_key DO UPDATE SET total = invoices.total + EXCLUDED.total RETURNING id, number, total",
                n + 60,
                self.random.below(50)
            ),
            7 => format!(
                "INSERT INTO invoice_lines (invoice_id, line, description, quantity, unit_price) VALUES ({n}, 77, 'x', 2, 100) RETURNING *"
            ),
            8 => format!(
                "INSERT INTO time_entries (project_id, worked_on, minutes, what) VALUES ({n}, '2025-03-0{}', 15, 'x') RETURNING id, hours",
                1 + n % 9
            ),
            9 => format!(
                "INSERT INTO contacts (first_name, last_name, phone) VALUES ('Ada', 'L', '{n}'), ('Bob', NULL, NULL) RETURNING id, client_id, created_at"
            ),
            10 => format!(
                "INSERT INTO settings (key, value) VALUES ('k{n}', '{{\"n\": \"{n}\"}}') ON CONFLICT (client_id, key) DO UPDATE SET value = settings.value || EXCLUDED.value, raw = EXCLUDED.raw RETURNING key, value"
            ),
            _ => {
                let query = self.select(1, Some(&[Text, Text]));
                format!(
                    "INSERT INTO drafts (id, body) SELECT 1000 + row_number() OVER (ORDER BY q.c, q.d), q.c || q.d FROM ({}) AS q (c, d)",
                    query.sql
                )
            }
        }
    }

    /// The tenant's column is one of those that a star stands for, or stands behind one.
    fn insert_of_stars(&mut self, n: usize) -> String {
        let returning = self.returning_for_insert();
        match self.random.below(2) {
            0 => format!(
                "INSERT INTO tags SELECT p.client_id, t.*{} FROM projects p, (SELECT 'Web {n}'::text AS l, p.status::text AS s FROM projects p WHERE p.id = {n}) t WHERE p.id = {n} ON CONFLICT DO NOTHING{returning}",
                self.random.pick(&["", ", '{1,2}'::int[]"]),
            ),
            _ => format!(
                "INSERT INTO tags SELECT *{} FROM (SELECT t.client_id, 'New ' || t.label FROM {} t WHERE t.color > '{n}') AS s (tenant, l) ON CONFLICT DO NOTHING{returning}",
                self.random.pick(&["", ", 'x'", ", l, ARRAY[length(l)]"]),
                self.random.pick(&["tags", "tags *", "only tags"]),
            ),
        }
    }

    fn insert_through_a_view(&mut self, n: usize) -> String {
        match self.random.below(5) {
            3 | 4 => self.insert_of_stars(n),
            0 => format!(
                "INSERT INTO red_tags (label, color) VALUES ('Web {n}', '{}'), ('New {n}', 'red'){}",
                self.random.pick(&["red", "red", "blue"]),
                self.random.pick(&[
                    "",
                    " RETURNING *",
                    " ON CONFLICT (client_id, label) DO NOTHING RETURNING label",
                    " ON CONFLICT (label, client_id) DO UPDATE SET weights = EXCLUDED.weights WHERE 'abc' ~ red_tags.label",
                ])
            ),
            1 => format!("INSERT INTO open_numbers VALUES ({}, 'N-{n}', '{TENANT}') RETURNING *", n + 60),
            _ => format!(
                "INSERT INTO line_texts (invoice_id, line, \"Text\") SELECT id, 70 + {n}, number FROM open_invoices WHERE {} RETURNING owner, doubled",
                self.random.pick(&["true", "note::int > 3", "meta ->> 'n' IS NOT NULL", "id = 5"])
            ),
        }
    }

    fn returning_for_insert(&mut self) -> String {
        (*self.random.pick(&[
            "",
            "",
            " RETURNING *",
            " RETURNING label, client_id",
            " RETURNING tags.label || 'x' AS l",
            " RETURNING (SELECT count(*) FROM invoices)",
        ]))
        .to_owned()
    }

    fn base_table_named(&mut self, name: &str) -> (String, Scope) {
        let table = TABLES.iter().chain(VIEWS).find(|table| table.name == name).unwrap();
        let alias = self.alias("t");
        let mut scope = Scope { single: true, rows: vec![alias.clone()], ..Scope::default() };
        for (column, ty, trap) in table.columns {
            scope.columns.push(Column { text: format!("{alias}.{column}"), ty: *ty, trap: *trap, owner: Some(0) });
        }
        (format!("{name} AS {alias}"), scope)
    }

    fn update(&mut self) -> String {
        let targets: &[(&str, &[(&str, Ty)])] = &[
            ("projects", &[("status", Status), ("budget", Num), ("starts_on", Date), ("labels", Texts)]),
            ("invoices", &[("note", Text), ("paid", Bool), ("issued_on", Date), ("due_at", Time), ("meta", Json)]),
            ("invoice_lines", &[("description", Text), ("quantity", Int), ("discount", Int)]),
            ("contacts", &[("last_name", Text), ("phone", Text), ("iban", Text), ("avatar", Bytes)]),
            ("time_entries", &[("minutes", Int), ("worked_on", Date), ("what", Text)]),
            ("tags", &[("color", Text), ("weights", Ints)]),
            ("settings", &[("raw", Text), ("value", Json)]),
            ("intake", &[("kind", Text), ("raw", Text), ("small", Int), ("divisor", Int), ("big", Num)]),
            ("readings", &[("kind", Text), ("raw", Text), ("divisor", Int)]),
            ("drafts", &[("body", Text), ("score", Int)]),
            ("\"Order Lines\"", &[("\"select\"", Text), ("\"Client_Id\"", Text)]),
            ("events", &[("kind", Text), ("at", Time), ("payload", Json)]),
            ("measures", &[("value", Float)]),
            ("documents", &[("title", Text)]),
            ("stamped", &[("body", Text)]),
            ("clients", &[("since", Date)]),
            ("open_invoices", &[("note", Text), ("paid", Bool), ("issued_on", Date)]),
            ("line_texts", &[("\"Text\"", Text), ("discount", Int)]),
            ("open_numbers", &[("number", Text)]),
            ("red_tags", &[("color", Text), ("weights", Ints)]),
            ("shelves", &[("raw", Text), ("label", Text)]),
            ("logs", &[("raw", Text)]),
            ("recent_logs", &[("day", Date)]),
        ];
        let (table, columns) = *self.random.pick(targets);
        let (target, scope) = self.base_table_named(table);
        let alias = scope.rows[0].clone();
        let (from, scope) = self.second_table(&alias, scope, table);
        let mut assignments = Vec::new();
        for (column, ty) in columns.iter().take(1 + self.random.below(columns.len())) {
            let value = if self.random.chance(6) { "DEFAULT".to_owned() } else { self.expression(*ty, &scope, 1) };
            // What a CASE yields of constants alone is text to PostgreSQL, not the column's type: say it.
            assignments.push(format!("{column} = {value}"));
        }
        if let ("tags" | "settings", [_], true) = (table, assignments.as_slice(), self.random.chance(40)) {
            assignments.push(match table {
                "tags" => format!("weights[{}] = {}", 1 + self.random.below(3), self.expression(Int, &scope, 1)),
                _ => format!("value['n'] = to_jsonb({})", self.expression(Int, &scope, 1)),
            });
        }
        if self.random.chance(6) && !["clients", "line_texts"].contains(&table) {
            assignments.push(format!("client_id = '{TENANT}'"));
        }
        let mut sql = format!("UPDATE {target} SET {}", assignments.join(", "));
        self.finish_write(&mut sql, " FROM ", from, &alias, &scope);
        sql
    }

    fn delete(&mut self) -> String {
        let tables = [
            "invoices",
            "invoice_lines",
            "time_entries",
            "tags",
            "settings",
            "intake",
            "readings",
            "drafts",
            "contacts",
            "\"Order Lines\"",
            "events",
            "measures",
            "documents",
            "stamped",
            "open_invoices",
            "line_texts",
            "open_numbers",
            "red_tags",
            "shelves",
            "logs",
            "recent_logs",
        ];
        let table = *self.random.pick(&tables);
        let (target, scope) = self.base_table_named(table);
        let alias = scope.rows[0].clone();
        let (from, scope) = self.second_table(&alias, scope, table);
        let mut sql = format!("DELETE FROM {target}");
        self.finish_write(&mut sql, " USING ", from, &alias, &scope);
        sql
    }

    /// Conditions that fail on the rows of others stand in ON, where they would meet them, and behind WHEN.
    fn merge(&mut self) -> String {
        type Target = (&'static str, &'static [(&'static str, Ty)], &'static str);
        let targets: &[Target] = &[
            ("intake", &[("kind", Text), ("raw", Text), ("small", Int)], "id, kind"),
            ("drafts", &[("body", Text), ("score", Int)], "id, body"),
            ("documents", &[("title", Text)], "client_id, id, title"),
            ("readings", &[("kind", Text), ("divisor", Int)], ""),
            ("stamped", &[("body", Text)], "id, body"),
        ];
        let (table, columns, inserted) = *self.random.pick(targets);
        let (target, target_scope) = self.base_table_named(table);
        let other = *self.random.pick(&["projects", "intake", "invoices", "readings"]);
        let (mut source, mut source_scope) = self.base_table_named(other);
        let (own, alias) = (target_scope.rows[0].clone(), source_scope.rows[0].clone());
        match self.random.below(4) {
            0 => {
                let condition = self.condition(&source_scope, 1);
                source = format!("(SELECT * FROM {source} WHERE {condition}) AS {alias}");
                source_scope.single = false;
            }
            1 => {
                let (joined, second) = self.base_table_named("projects");
                let brackets = self.random.chance(50);
                source = format!("{source} LEFT JOIN {joined} ON {}.id = {alias}.id", second.rows[0]);
                source = if brackets { format!("({source})") } else { source };
                source_scope.columns.extend(second.columns);
                source_scope.single = false;
            }
            _ => {}
        }
        let mut both = target_scope.clone();
        both.columns.extend(source_scope.columns.iter().cloned());
        both.rows.push(alias.clone());
        both.single = false;
        let mut sql = format!("MERGE INTO {target} USING {source} ON {own}.id = {alias}.id");
        if self.random.chance(70) {
            let condition = self.condition(&both, 1);
            write!(sql, " AND ({condition})").unwrap();
        }
        for _ in 0..1 + self.random.below(2) {
            let condition =
                if self.random.chance(60) { format!(" AND {}", self.term(&both, 1)) } else { String::new() };
            let (column, ty) = *self.random.pick(columns);
            let action = match self.random.below(5) {
                0 => "DELETE".to_owned(),
                1 => "DO NOTHING".to_owned(),
                2 => format!("UPDATE SET client_id = '{TENANT}', {column} = DEFAULT"),
                _ => format!("UPDATE SET {column} = {}", self.expression(ty, &both, 1)),
            };
            write!(sql, " WHEN MATCHED{condition} THEN {action}").unwrap();
            if condition.is_empty() {
                break;
            }
        }
        if self.random.chance(65) {
            let condition =
                if self.random.chance(60) { format!(" AND {}", self.term(&source_scope, 1)) } else { String::new() };
            let text = self.expression(Text, &source_scope, 0);
            let tenant = if inserted.starts_with("client_id") { format!("'{TENANT}', ") } else { String::new() };
            let action = if inserted.is_empty() {
                "DO NOTHING".to_owned()
            } else {
                format!("INSERT ({inserted}) VALUES ({tenant}{alias}.id + 7000, {text})")
            };
            write!(sql, " WHEN NOT MATCHED{condition} THEN {action}").unwrap();
        }
        sql
    }

    /// A second table that matches each row of the target at most once.
    fn second_table(&mut self, alias: &str, mut scope: Scope, table: &str) -> (Option<(String, String)>, Scope) {
        let link = match table {
            "invoices" | "time_entries" | "open_invoices" => "project_id",
            "invoice_lines" | "line_texts" => "invoice_id",
            "projects" | "intake" | "readings" | "drafts" | "stamped" | "documents" | "open_numbers" => "id",
            _ => return (None, scope),
        };
        if !self.random.chance(40) {
            return (None, scope);
        }
        let others =
            ["projects", "intake", "invoices", "readings", "parsed_intake", "project_sums", "matching_readings"];
        let other = *self.random.pick(&others);
        let (from, second) = self.base_table_named(other);
        let on = format!("{}.id = {alias}.{link}", second.rows[0]);
        scope.columns.extend(second.columns);
        scope.rows.extend(second.rows);
        (Some((from, on)), scope)
    }

    fn finish_write(
        &mut self,
        sql: &mut String,
        word: &str,
        from: Option<(String, String)>,
        alias: &str,
        scope: &Scope,
    ) {
        let mut conditions = Vec::new();
        if let Some((from, on)) = from {
            write!(sql, "{word}{from}").unwrap();
            conditions.push(on);
        }
        if self.random.chance(85) {
            let condition = self.condition(scope, 1);
            conditions.push(if conditions.is_empty() { condition } else { format!("({condition})") });
        }
        if !conditions.is_empty() {
            write!(sql, " WHERE {}", conditions.join(" AND ")).unwrap();
        }
        if self.random.chance(45) {
            let list = match self.random.below(3) {
                0 => format!("{alias}.*"),
                1 => self.item(scope, 1, None).0,
                _ => format!("{}, {}", self.item(scope, 0, None).0, self.item(scope, 0, None).0),
            };
            write!(sql, " RETURNING {list}").unwrap();
        }
    }

    fn write_in_a_cte(&mut self) -> String {
        let table = *self.random.pick(&["time_entries", "tags", "intake", "readings", "drafts", "invoice_lines"]);
        let (target, scope) = self.base_table_named(table);
        let alias = scope.rows[0].clone();
        let condition = self.condition(&scope, 1);
        let column = self.column(&scope, Some(Text)).unwrap();
        let name = self.alias("w");
        let write = match table {
            "intake" | "readings" if self.random.chance(50) => {
                format!("UPDATE {target} SET kind = 'z' WHERE {condition}")
            }
            _ => format!("DELETE FROM {target} WHERE {condition}"),
        };
        let head = format!("WITH {name} AS ({write} RETURNING {alias}.client_id AS a, {} AS b)", column.text);
        match self.random.below(4) {
            0 => format!("{head} SELECT count(*), max(b) FROM {name}"),
            1 => format!("{head} SELECT {name}.b, p.id FROM {name} JOIN projects p ON p.client_id = {name}.a"),
            2 => format!("{head} SELECT 1"),
            _ => format!(
                "{head} INSERT INTO \"Order Lines\" (\"Id\", \"select\") SELECT 5000 + row_number() OVER (ORDER BY b), b FROM {name}"
            ),
        }
    }
}

impl Scope {
    fn add_derived(&mut self, alias: &str, outputs: &[Output]) {
        for output in outputs {
            self.columns.push(Column {
                text: format!("{alias}.{}", output.name),
                ty: output.ty,
                trap: output.trap,
                owner: None,
            });
        }
        self.rows.push(alias.to_owned());
    }
}
