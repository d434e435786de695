//! Mutants that have a chance to be SQL: whole groups and statements are swapped, wrapped and nested, beside tokens.

use partywall::sql;
use partywall::sql::TextLimits;
use partywall::sql::TokenKind;

use crate::mutate;
use crate::mutate::Random;
use crate::worlds;

/// `@` is what stood there.
#[rustfmt::skip]
const EXPRESSIONS: &[&str] = &[
    "(@)", "(SELECT @ )", "(SELECT @ FROM invoices LIMIT 1)", "CASE WHEN @ IS NULL THEN @ END", "CASE @ WHEN @ THEN 1 END", "coalesce(@, @)", "@ ::text",
    "CAST(@ AS text)", "- - @", "@ OPERATOR(pg_catalog.=) @", "(@).note", "(@).*", "ARRAY[@]", "ARRAY(SELECT @ FROM tags)", "@ = ANY (SELECT @ FROM projects)",
    "@ IN (@, @)", "@ BETWEEN @ AND @", "NOT @", "@ AND @", "@ OR @", "@ ~ 'x'", "@ LIKE '%x'", "@ COLLATE \"C\"", "ROW(@, @)", "lower(@)", "count(@) OVER ()",
    "sum(@) FILTER (WHERE @ IS NOT NULL)", "max(@ ORDER BY @)", "@ IS DISTINCT FROM @", "@ || @", "@ /* c */", "@ -- c\n", "E'\\'' || @", "$$ @ $$", "U&'\\0061'", "@[1]",
    "EXISTS (SELECT FROM contacts WHERE @ IS NULL)", "extract(year FROM @)", "substring(@ FROM 1 FOR 2)", "current_schema(@)", "@ AT TIME ZONE 'UTC'", "nullif(@, @)",
];

/// Around a whole statement.
#[rustfmt::skip]
const STATEMENTS: &[&str] = &[
    "(@)", "WITH q AS (@) SELECT * FROM q", "WITH invoices AS (@) SELECT * FROM invoices", "WITH RECURSIVE q AS (@) SELECT * FROM q, projects", "@ ; @", "@ UNION ALL @", "(@) EXCEPT (@)",
    "SELECT * FROM (@) AS q", "SELECT * FROM (@) AS q WHERE q IS NOT NULL", "SELECT EXISTS (@)", "SELECT (@)", "SELECT ARRAY(@)", "SELECT * FROM tags, LATERAL (@) AS q",
    "INSERT INTO tags (label) @", "INSERT INTO tags @ ON CONFLICT DO NOTHING", "WITH q AS (@) DELETE FROM tags USING q", "WITH q AS (@) UPDATE tags SET color = 'x' FROM q WHERE true",
    "WITH q AS (@) INSERT INTO tags (label) SELECT 'x' FROM q RETURNING *", "EXPLAIN @", "EXPLAIN (COSTS off) @", "COPY (@) TO STDOUT", "PREPARE p AS @", "DECLARE c CURSOR FOR @",
    "CREATE TEMP TABLE z AS @", "MERGE INTO tags USING (@) AS q ON true WHEN MATCHED THEN DELETE", "BEGIN; @ ; COMMIT", "@ FOR UPDATE", "@ LIMIT 1", "@ ORDER BY 1", "@ RETURNING *",
    "TABLE invoices UNION @", "SELECT 1 WHERE EXISTS (@)", "VALUES ((@))",
];

#[rustfmt::skip]
const FRAGMENTS: &[&str] = &[
    "TOP 5", "QUALIFY true", "PIVOT", "SEMI JOIN tags", "ANTI JOIN tags USING (label)", "WITH (NOLOCK)", "FOR XML AUTO", "FINAL", "SAMPLE 10", "PREWHERE true", "AS OF x", "@stage",
    "`tags`", "[tags]", "tags*", "ONLY tags", "ONLY (tags)", "TABLE tags", "public.tags", "\"tags\"", "\"Tags\"", "U&\"\\0074ags\"", "pg_class", "pg_catalog.pg_type", "information_schema.tables",
    "pg_temp.tags", "payroll", "client_id = 'globex'", "'globex'", "WHERE true", "OR true", "OFFSET 0", "tags.*", "public.tags.label", "/* x */", "-- x\n", "/* /* x */ */", ";", "INTO z", "xmin", "ctid",
    "TABLESAMPLE system (10)", "FOR UPDATE OF tags", "ROWS FROM (unnest(ARRAY[1]))", "WINDOW w AS ()", "GROUP BY ALL", "GROUP BY ()", "VARIADIC ARRAY[1]", "USING (id)", "NATURAL", "CROSS JOIN tags",
];

pub(crate) fn mutant(random: &mut Random, text: &str, other: &str) -> String {
    let mut text = text.to_owned();
    for _ in 0..=random.below(2) {
        text = step(random, &text, other);
        if text.len() > 20_000 {
            break;
        }
    }
    text
}

fn step(random: &mut Random, text: &str, other: &str) -> String {
    let (own, others) = (worlds::tokens(text), worlds::tokens(other));
    if own.is_empty() || others.is_empty() {
        return mutate::characters(random, text, other);
    }
    match random.below(12) {
        0..=2 => mutate::tokens(random, &own, &others),
        3 => mutate::characters(random, text, other),
        4 | 5 => swap_groups(random, &own, &others),
        6 | 7 => wrap_token(random, &own),
        8 | 9 => wrap(random.pick(STATEMENTS), text.trim_end_matches([';', ' ', '\n']), other),
        10 => insert(random, &own),
        _ => nest(random, text),
    }
}

fn wrap(frame: &str, text: &str, other: &str) -> String {
    frame.replacen('@', text, 1).replace('@', other)
}

fn insert(random: &mut Random, tokens: &[&str]) -> String {
    let at = random.below(tokens.len() + 1);
    let mut tokens = tokens.to_vec();
    tokens.insert(at, random.pick(FRAGMENTS));
    tokens.join(" ")
}

fn wrap_token(random: &mut Random, tokens: &[&str]) -> String {
    let at = random.below(tokens.len());
    let wrapped = random.pick(EXPRESSIONS).replace('@', tokens[at]);
    let mut tokens = tokens.to_vec();
    tokens[at] = &wrapped;
    tokens.join(" ")
}

/// A group in brackets takes the place of another's, brackets and all.
fn swap_groups(random: &mut Random, own: &[&str], other: &[&str]) -> String {
    let (Some(place), Some(group)) = (group(random, own), group(random, other)) else {
        return mutate::tokens(random, own, other);
    };
    [&own[..place.start], &other[group], &own[place.end..]].concat().join(" ")
}

fn group(random: &mut Random, tokens: &[&str]) -> Option<std::ops::Range<usize>> {
    let opens: Vec<usize> = (0..tokens.len()).filter(|at| tokens[*at] == "(").collect();
    let start = *opens.get(random.below(opens.len()))?;
    let mut depth = 0_i32;
    let end = (start..tokens.len()).find(|at| {
        depth += i32::from(tokens[*at] == "(") - i32::from(tokens[*at] == ")");
        depth == 0
    })?;
    Some(start..end + 1)
}

fn nest(random: &mut Random, text: &str) -> String {
    let text = text.trim_end_matches([';', ' ', '\n']);
    let depth = 1 + random.below(60);
    match random.below(5) {
        0 => format!("{}{text}{}", "(".repeat(depth), ")".repeat(depth)),
        1 => format!("{}{text}{}", "SELECT * FROM (".repeat(depth), ") AS q".repeat(depth)),
        2 => format!("SELECT {}({text}){}", "- (".repeat(depth), ")".repeat(depth)),
        3 => format!("SELECT 1{} WHERE EXISTS ({text})", " + 1".repeat(depth * 20)),
        _ => format!("SELECT {}EXISTS ({text}){}", "NOT (".repeat(depth), ")".repeat(depth)),
    }
}

#[rustfmt::skip]
const LITERALS: &[&str] = &["''", "'a'", "'acme'", "'globex'", "'it''s'", "'%_'", "'-- x'", "'1'", "'2020-01-01'", "'\\'"];

/// The text with other strings and whole numbers in the place of its own.
pub(crate) fn other_literals(seed: u64, text: &str) -> String {
    let mut random = Random::new(seed + 1);
    let Ok(tokens) = sql::lex(text, &TextLimits::default()) else { return text.to_owned() };
    let starts: Vec<usize> = text.char_indices().map(|(byte, _)| byte).chain([text.len()]).collect();
    let (mut other, mut copied) = (String::new(), 0);
    for at in 0..tokens.len() {
        let old = tokens.text(at);
        let new = match tokens.kind(at) {
            Some(TokenKind::String) if old.starts_with('\'') && !old.contains('\n') => random.pick(LITERALS).to_owned(),
            Some(TokenKind::Integer) => random.below(1_000).to_string(),
            _ => continue,
        };
        let start = starts[tokens.position(at) as usize - 1];
        other.push_str(&text[copied..start]);
        other.push_str(&new);
        copied = start + old.len();
    }
    other + &text[copied..]
}
