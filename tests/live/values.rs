//! The worst values of each type: ends, holes, and what looks like something else.

use crate::generator::Random;

/// SQL for values of a type, as a column's definition writes it.
pub(crate) fn values(column: &str, random: &mut Random) -> Vec<String> {
    let name = column.split(" COLLATE ").next().unwrap();
    let quoted = |texts: &[&str]| texts.iter().map(|text| format!("'{text}'")).collect::<Vec<_>>();
    match name {
        "text" | "varchar" => texts(random).into_iter().map(|text| format!("{text}::{name}")).collect(),
        "char(6)" => quoted(&["", "a", "a  ", "(", "\\", "%_", "\u{e9}\u{df}", "aaaaaa", " b"]),
        "name" => quoted(&["", "a", "(", "\\", "%", "pg_class", &"n".repeat(63)]),
        "smallint" => integers(i64::from(i16::MIN), i64::from(i16::MAX), random),
        "integer" => integers(i64::from(i32::MIN), i64::from(i32::MAX), random),
        "bigint" => integers(i64::MIN, i64::MAX, random),
        "citext" => texts(random).into_iter().map(|text| format!("{text}::citext")).collect(),
        "jsonb" => [quoted(JSONS), JSONS_MADE.iter().map(|made| (*made).to_owned()).collect()].concat(),
        other => quoted(fixed(other)),
    }
}

fn integers(least: i64, most: i64, random: &mut Random) -> Vec<String> {
    let mut numbers = vec![least, least + 1, -1, 0, 1, 2, 7, 30, 12345, most - 1, most];
    for _ in 0..4 {
        let span = i128::from(most) - i128::from(least) + 1;
        let number = i128::from(least) + i128::from(random.next()) % span;
        numbers.push(i64::try_from(number).unwrap());
    }
    numbers.iter().map(|number| format!("'{number}'")).collect()
}

fn texts(random: &mut Random) -> Vec<String> {
    const FIXED: &[&str] = &[
        "",
        " ",
        "a",
        "A",
        "abc",
        "(",
        ")",
        "*",
        "[z-a]",
        "\\",
        "\\\\",
        "a\\",
        "%",
        "_",
        "%\\\\",
        "'",
        "\"",
        "{",
        "}",
        "{\"a\":",
        "null",
        "NaN",
        "Infinity",
        "1e400",
        "99999999999999999999999",
        "2025-13-45",
        "infinity",
        "24:60:60",
        "0000-00-00",
        "x'zz",
        "$1",
        "\\u0000",
        "\\x4",
        "\u{df}",
        "\u{130}",
        "\u{1f600}",
        "e\u{301}",
        "\u{fb01}",
        "\u{202e}",
        "\u{feff}",
        "\u{10ffff}",
        "\n",
        "\t\r",
        "a,b,,c",
        ",",
        "public.projects",
        "pg_class",
        "-1",
        "0x10",
        "true",
        "255.255.255.256",
        "::::",
        "<a>",
        "&amp;",
    ];
    let mut texts: Vec<String> = FIXED.iter().map(|text| format!("'{}'", text.replace('\'', "''"))).collect();
    let letters: Vec<char> = "ab%_\\(){}[]*+?.^$|,:;-/ \u{e9}\u{130}\u{1f600}09".chars().collect();
    for _ in 0..12 {
        let length = 1 + random.below(9);
        let text: String = (0..length).map(|_| *random.pick(&letters)).collect();
        texts.push(format!("'{text}'"));
    }
    texts.push("repeat('ab%(', 5000)".to_owned());
    texts.push("repeat(E'\u{130}\\\\', 3000)".to_owned());
    texts
}

fn fixed(name: &str) -> &'static [&'static str] {
    match name {
        "boolean" => &["true", "false"],
        "hstore" => &[
            "",
            "a=>b",
            "a=>NULL, b=>\"\"",
            "\"\"=>\"\"",
            "\"a b\"=>\"(\\\\\"",
            "a=>NULL, b=>NULL, c=>\"{\", d=>e, f=>g, h=>i, j=>k, l=>m, n=>o, p=>q",
        ],
        "ltree" => &["", "a", "A", "a.b", "a.b.c", "a.b.c.d.e.f.g.h.i.j.k.l.m.n.o.p.q.r.s.t", "_1.2.3", "top.A"],
        "numeric" => NUMERICS,
        "real" => &["NaN", "Infinity", "-Infinity", "3.4028235e38", "-3.4028235e38", "1e-45", "0", "-0", "1.5"],
        "double precision" => &[
            "NaN",
            "Infinity",
            "-Infinity",
            "1.7976931348623157e308",
            "-1.7976931348623157e308",
            "5e-324",
            "0",
            "-0",
            "2.5",
            "1e20",
        ],
        "date" => DATES,
        "timestamp" => TIMESTAMPS,
        "timestamptz" => TIMESTAMPTZS,
        "time" => &["00:00", "24:00", "23:59:59.999999", "12:00"],
        "timetz" => &["00:00+15:59", "24:00-15:59", "12:00+00", "23:59:59.999999+05:45"],
        "interval" => INTERVALS,
        "uuid" => &[
            "00000000-0000-0000-0000-000000000000",
            "ffffffff-ffff-ffff-ffff-ffffffffffff",
            "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
        ],
        "bytea" => &["", "\\x00", "\\xff", "\\xc3", "\\x6162", "\\x5c", "\\x5c5c27"],
        "inet" => INETS,
        "cidr" => &[
            "0.0.0.0/0",
            "10.0.0.0/8",
            "1.2.3.4/32",
            "::/0",
            "2001:db8::/32",
            "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128",
        ],
        "macaddr" => &["00:00:00:00:00:00", "ff:ff:ff:ff:ff:ff", "08:00:2b:01:02:03"],
        "tsvector" => &["", "a", "a:1A b:2B,3C c:4", "fat:16383 cat", "(", "''it''''s''"],
        "tsquery" => {
            &["", "a", "a & b", "!a", "a | !b & (c <-> d)", "a:*", "a:AB", "a <3> b", "!!!a", "(a <-> b) <-> c"]
        }
        "public.mood" => &["sad", "gloomy", "fine", "happy", "elated"],
        other => ranges(other),
    }
}

fn ranges(name: &str) -> &'static [&'static str] {
    match name {
        "int4range" => &[
            "empty",
            "(,)",
            "[1,5)",
            "[5,9)",
            "[-2147483648,2147483647)",
            "[2147483646,2147483647)",
            "(,1)",
            "[2147483647,)",
            "[7,8)",
        ],
        "int8range" => {
            &["empty", "(,)", "[1,5)", "[-9223372036854775808,9223372036854775807)", "(,-5)", "[9223372036854775807,)"]
        }
        "numrange" => {
            &["empty", "(,)", "[1,1]", "(1.5,2.5]", "[-Infinity,Infinity]", "[NaN,)", "(1e1000,1e2000)", "[2.5,3)"]
        }
        "daterange" => DATE_RANGES,
        "tsrange" => &[
            "empty",
            "(,)",
            "[-infinity,infinity]",
            "[\"4714-11-24 00:00:00 BC\",\"294276-12-31 23:59:59.999999\"]",
            "(2025-01-01,2025-02-01)",
            "[2025-02-01,)",
        ],
        "tstzrange" => &[
            "empty",
            "(,)",
            "[-infinity,infinity]",
            "[\"4714-11-24 00:00:00+00 BC\",\"294276-12-31 23:59:59.999999+00\"]",
            "(2025-01-01,2025-02-01)",
            "[2025-02-01,)",
        ],
        "int4multirange" => &["{}", "{(,)}", "{[1,2),[5,9)}", "{[-2147483648,2147483647)}", "{(,0),[5,)}"],
        "int8multirange" => &["{}", "{(,)}", "{[1,2),[5,9)}", "{[-9223372036854775808,9223372036854775807)}"],
        "datemultirange" => {
            &["{}", "{(,)}", "{[2025-01-01,2025-02-01),[2026-01-01,infinity)}", "{[-infinity,infinity)}"]
        }
        "tsmultirange" => &["{}", "{(,)}", "{[2025-01-01,2025-02-01),[2026-01-01,infinity]}"],
        "tstzmultirange" => &["{}", "{(,)}", "{[2025-01-01,2025-02-01),[2026-01-01,infinity]}"],
        other => panic!("no values of type {other}"),
    }
}

const NUMERICS: &[&str] = &[
    "NaN",
    "Infinity",
    "-Infinity",
    "0",
    "-0.0",
    "1",
    "-1",
    "0.5",
    "99.995",
    "1e-16383",
    "1e400",
    "-1e400",
    "1e131071",
    "-1e131071",
    "123456789012345678901234567890.123456789",
    "9223372036854775808",
    "2147483648",
];

const DATES: &[&str] = &[
    "infinity",
    "-infinity",
    "4714-11-24 BC",
    "0001-01-01 BC",
    "0001-01-01",
    "1970-01-01",
    "2000-02-29",
    "2025-03-30",
    "9999-12-31",
    "294276-12-31",
    "294277-01-01",
    "5874897-12-31",
];

const TIMESTAMPS: &[&str] = &[
    "infinity",
    "-infinity",
    "4714-11-24 00:00:00 BC",
    "4714-11-24 00:00:00.000001 BC",
    "0001-01-01 00:00:00 BC",
    "1969-12-31 23:59:59.999999",
    "2000-02-29 12:00",
    "2025-03-30 02:30",
    "294276-12-31 23:59:59.999999",
];

const TIMESTAMPTZS: &[&str] = &[
    "infinity",
    "-infinity",
    "4714-11-24 00:00:00+00 BC",
    "4714-11-24 00:00:00.000001+00 BC",
    "0001-01-01 00:00:00+00 BC",
    "1969-12-31 23:59:59.999999+00",
    "2000-02-29 12:00+14",
    "2025-03-30 02:30+01",
    "294276-12-31 23:59:59.999999+00",
];

const INTERVALS: &[&str] = &[
    "0",
    "1 day",
    "-1 day",
    "1 month",
    "30 days",
    "720 hours",
    "178000000 years",
    "-178000000 years",
    "2147483647 months 2147483647 days 2562047788 hours",
    "-2147483648 months -2147483648 days",
    "0.000001 s",
];

const DATE_RANGES: &[&str] = &[
    "empty",
    "(,)",
    "[2025-01-01,2025-02-01)",
    "[2025-02-01,)",
    "[-infinity,infinity)",
    "[4714-11-24 BC,5874897-12-31)",
    "(,2000-01-01)",
];

const INETS: &[&str] = &[
    "0.0.0.0",
    "255.255.255.255",
    "10.1.2.3/8",
    "10.0.0.0/0",
    "::",
    "::1/0",
    "2001:db8::1/64",
    "::ffff:1.2.3.4",
    "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/127",
];

const JSONS: &[&str] = &[
    "null",
    "true",
    "0",
    "-0",
    "1e1000",
    "1e-300",
    "\"\"",
    "\"a\"",
    "\"(\"",
    "\"\\ud83d\\ude00\"",
    "[]",
    "{}",
    "[null]",
    "[1, \"a\", [2], {\"a\": null}]",
    "{\"a\": 1}",
    "{\"a\": {\"b\": {\"c\": [1, 2, {\"d\": \"x\"}]}}}",
    "{\"\": \"\"}",
    "{\"a\": [], \"b\": {}}",
    "[[[[[[]]]]]]",
    "[1, 1, 1]",
    "{\"1\": \"one\", \"-1\": 2}",
];

/// Deep and wide ones.
const JSONS_MADE: &[&str] = &[
    "(repeat('[', 3000) || repeat(']', 3000))::jsonb",
    "(repeat('{\"a\":', 2000) || '1' || repeat('}', 2000))::jsonb",
    "to_jsonb(repeat('x', 100000))",
    "(SELECT jsonb_agg(n) FROM generate_series(1, 3000) n)",
];
