//! What the guard holds to be total is: each of its claims, on the worst values that the types can hold.
//!
//! The claims are those that the guard decides by. A wrong one fails here.

use std::collections::{BTreeMap, BTreeSet};

use partywall::demo::postgres::{Options, ThrowawayPostgres};
use partywall::guard::{Claim, Sample, claims};

use crate::generator::Random;
use crate::values::values;
use crate::worlds::Connection;

const PASSWORD: &str = "an-ordinary-role";

/// Where days begin a day apart.
const TIME_ZONES: &[&str] = &["Pacific/Kiritimati", "Etc/GMT+12"];

/// What the server says of an expression that there is not, before any row is met.
const UNDEFINED: &[&str] = &["42883", "42804", "42725", "42846", "42809", "42P22", "42P21"];

#[test]
fn no_claim_fails_on_any_value() {
    let settings = [("fsync", "off"), ("autovacuum", "off"), ("jit", "off")];
    let settings = settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let postgres = ThrowawayPostgres::start(Options { settings, ..Options::default() }).unwrap();
    postgres.create_role("app", PASSWORD).unwrap();
    postgres.create_database("totality").unwrap();
    let claims = claims();
    let seed = std::process::id().into();
    postgres.psql_in("totality", &tables(&claims, &mut Random::new(seed))).unwrap();
    let socket = postgres.socket_folder().join(format!(".s.PGSQL.{}", postgres.port()));
    let parameters = [("user", "app"), ("database", "totality"), ("TimeZone", "UTC")];
    let mut trial = Trial { connection: Connection::open(&socket, &parameters, PASSWORD), faults: Vec::new() };
    trial.expect("SET statement_timeout = '60s'");
    let mut written: BTreeMap<&str, bool> = BTreeMap::new();
    for claim in &claims {
        *written.entry(&claim.expression).or_default() |= trial.holds(claim);
    }
    let unwritten: Vec<_> = written.iter().filter(|(_, written)| !**written).map(|(text, _)| text).collect();
    assert_eq!(unwritten, Vec::<&&str>::new(), "claims that no types fit");
    assert!(trial.faults.is_empty(), "seed {seed}: {}\n{}", trial.faults.len(), trial.faults.join("\n"));
    println!("{} claims, {} expressions, no error and no notice", claims.len(), written.len());
}

struct Trial {
    connection: Connection,
    faults: Vec<String>,
}

impl Trial {
    fn expect(&mut self, sql: &str) {
        assert_eq!(self.connection.query(sql).error, None, "{sql}");
    }

    /// False: there is no such expression.
    fn holds(&mut self, claim: &Claim) -> bool {
        let (expression, from) = written(claim);
        let none = self.connection.query(&format!("SELECT {expression} FROM {from} WHERE false"));
        if let Some((code, message, _)) = none.error {
            if !UNDEFINED.contains(&code.as_str()) {
                self.faults.push(format!("{expression} FROM {from}: {code} {message}"));
            }
            return false;
        }
        self.run(claim, &expression, &from);
        if from.contains("timestamptz\"") {
            for zone in TIME_ZONES {
                self.expect(&format!("SET TimeZone = '{zone}'"));
                self.run(claim, &expression, &from);
            }
            self.expect("SET TimeZone = 'UTC'");
        }
        true
    }

    fn run(&mut self, claim: &Claim, expression: &str, from: &str) {
        let all =
            format!("SELECT pg_typeof(e), count(*) FROM (SELECT {expression} AS e FROM {from} OFFSET 0) q GROUP BY 1");
        let answer = self.connection.query(&all);
        let fault = match (&answer.error, answer.notices.as_slice()) {
            (Some((code, message, _)), _) => Some(format!("{code} {message}")),
            (None, [notice, ..]) => Some(notice.clone()),
            (None, []) => {
                let types: BTreeSet<_> = answer.rows.iter().filter_map(|row| row[0].clone()).collect();
                let plain: BTreeSet<_> = claim.gives.iter().map(|name| type_of(name)).collect();
                (!plain.is_empty() && !types.is_subset(&plain)).then(|| format!("gives {types:?}, not {plain:?}"))
            }
        };
        // As a condition it meets the planner's statistics.
        let condition = if claim.gives.iter().any(|name| name == "boolean") {
            let answer = self.connection.query(&format!("SELECT count(*) FROM {from} WHERE {expression}"));
            answer.error.map(|(code, message, _)| format!("as a condition: {code} {message}"))
        } else {
            None
        };
        self.faults.extend([fault, condition].into_iter().flatten().map(|fault| {
            let operands = claim.operands.iter().map(|operand| format!("{operand:?}"));
            format!("{expression} of {}: {fault}", operands.collect::<Vec<_>>().join(", "))
        }));
    }
}

/// The expression on tables of values, and those tables.
fn written(claim: &Claim) -> (String, String) {
    let mut expression = claim.expression.clone();
    let mut from = Vec::new();
    for (place, operand) in claim.operands.iter().enumerate().rev() {
        let text = match operand {
            Sample::Column(name) => {
                from.push(format!("{} t{place}", table_of(name)));
                format!("t{place}.v")
            }
            Sample::Literal(text) => text.clone(),
        };
        expression = expression.replace(&format!("${}", place + 1), &text);
    }
    if from.is_empty() {
        from.push("(VALUES (1)) t".to_owned());
    }
    (expression, from.join(", "))
}

fn table_of(column: &str) -> String {
    format!("\"v {column}\"")
}

/// `pg_typeof` says no length and no collation, and some names in full.
fn type_of(column: &str) -> String {
    let name = column.split(" COLLATE ").next().unwrap();
    let (name, array) = name.strip_suffix("[]").map_or((name, ""), |name| (name, "[]"));
    let full = match name {
        "char(6)" => "character",
        "varchar" => "character varying",
        "timestamp" => "timestamp without time zone",
        "timestamptz" => "timestamp with time zone",
        "time" => "time without time zone",
        "timetz" => "time with time zone",
        "public.mood" => "mood",
        other => other,
    };
    format!("{full}{array}")
}

/// A table of values for each type that a claim is about.
fn tables(claims: &[Claim], random: &mut Random) -> String {
    let mut script = String::from(
        "CREATE EXTENSION citext;
         CREATE EXTENSION hstore;
         CREATE EXTENSION ltree;
         CREATE EXTENSION pg_trgm;
         CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy');
         ALTER TYPE mood ADD VALUE 'gloomy' BEFORE 'ok';
         ALTER TYPE mood ADD VALUE 'elated' AFTER 'happy';
         ALTER TYPE mood RENAME VALUE 'ok' TO 'fine';
         CREATE COLLATION folded (provider = icu, locale = 'und-u-ks-level2', deterministic = false);\n",
    );
    let columns: BTreeSet<&String> = claims
        .iter()
        .flat_map(|claim| &claim.operands)
        .filter_map(|operand| match operand {
            Sample::Column(name) => Some(name),
            Sample::Literal(_) => None,
        })
        .collect();
    // Arrays are made of the values of their elements.
    for pass in [false, true] {
        for column in columns.iter().filter(|column| column.contains("[]") == pass) {
            let table = table_of(column);
            script.push_str(&format!("CREATE TABLE {table} (v {column});\nINSERT INTO {table} VALUES (NULL);\n"));
            match column.split_once("[]") {
                Some((element, rest)) => {
                    let of = table_of(&format!("{element}{rest}"));
                    for array in ARRAYS {
                        let array = array.replace("ELEMENTS", &of).replace("TYPE", element);
                        script.push_str(&format!("INSERT INTO {table} {array};\n"));
                    }
                }
                None => {
                    for value in values(column, random) {
                        script.push_str(&format!("INSERT INTO {table} VALUES ({value});\n"));
                    }
                }
            }
            script.push_str(&format!("ANALYZE {table};\n"));
        }
    }
    script.push_str("GRANT SELECT ON ALL TABLES IN SCHEMA public TO app;\n");
    script
}

/// Empty, of nothing, of all values, of several dimensions, with other bounds.
const ARRAYS: &[&str] = &[
    "SELECT '{}'::TYPE[]",
    "SELECT array_agg(v) FROM (SELECT v FROM ELEMENTS WHERE v IS NULL OR length(v::text) < 9999) e",
    "SELECT array_agg(v) FROM (SELECT v FROM ELEMENTS WHERE v IS NOT NULL AND length(v::text) < 9999 LIMIT 3) e",
    "SELECT ARRAY[v, NULL, v] FROM ELEMENTS WHERE length(v::text) < 9999",
    "SELECT array_fill(v, ARRAY[2, 2]) FROM ELEMENTS WHERE length(v::text) < 9999 LIMIT 4",
    "SELECT array_fill(v, ARRAY[2], ARRAY[-2147483647]) FROM ELEMENTS WHERE length(v::text) < 9999 LIMIT 3",
    "SELECT array_fill(v, ARRAY[2], ARRAY[2147483640]) FROM ELEMENTS WHERE length(v::text) < 9999 LIMIT 3",
    "SELECT array_fill(NULL::TYPE, ARRAY[1, 2, 1, 2])",
];
