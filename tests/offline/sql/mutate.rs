//! Mutants of texts, from a fixed seed.

#![expect(clippy::indexing_slicing, reason = "a test fails by panicking")]

/// xorshift64*, which is enough here and needs no crate.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    pub(crate) fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        ((self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) as usize) % limit.max(1)
    }

    pub(crate) fn pick<'a, T: ?Sized>(&mut self, list: &[&'a T]) -> &'a T {
        list[self.below(list.len())]
    }
}

#[rustfmt::skip]
const PIECES: &[&str] = &[
    "'", "''", "\"", "$", "$$", "$a$", "-", "--", "/*", "*/", "\\", ";", ":", "::", ":=", "=>", ".", "..", ",", "(", ")", "[", "]",
    "+", "*", "/", "<", ">", "=", "~", "!", "@", "#", "%", "^", "&", "|", "`", "?", "E'", "e", "N'", "n", "B'", "X'", "U&'", "U&\"",
    "u&", "UESCAPE", "0", "1", "9", "_", "a", "é", " ", "\n", "\r", "\t", "\u{c}", "\u{b}", "\u{a0}", "{", "}", "0x", "1e", "\\u0041",
];

/// A text changed in a few characters.
pub(crate) fn characters(random: &mut Random, text: &str, other: &str) -> String {
    let mut characters: Vec<char> = text.chars().collect();
    for _ in 0..=random.below(3) {
        let at = random.below(characters.len() + 1);
        let end = (at + 1 + random.below(4)).min(characters.len());
        match random.below(6) {
            0 => drop(characters.drain(at..end)),
            1 => {
                let copied = characters[at..end].to_vec();
                let to = random.below(characters.len() + 1);
                characters.splice(to..to, copied);
            }
            2 => {
                let other: Vec<char> = other.chars().collect();
                let from = random.below(other.len() + 1);
                characters.truncate(at);
                characters.extend(&other[from..]);
            }
            _ => drop(characters.splice(at..at, random.pick(PIECES).chars())),
        }
    }
    characters.into_iter().collect()
}

#[rustfmt::skip]
const WORDS: &[&str] = &[
    "SELECT", "FROM", "WHERE", "AND", "OR", "NOT", "AS", "ONLY", "TABLE", "JOIN", "LEFT", "ON", "USING", "UPDATE", "SET", "INSERT", "INTO",
    "VALUES", "DELETE", "UNION", "ALL", "ANY", "WITH", "ORDER", "BY", "GROUP", "LIMIT", "OFFSET", "FETCH", "FIRST", "ROWS", "FOR", "NO", "KEY",
    "SHARE", "OF", "COLLATE", "INTERVAL", "ARRAY", "ROW", "CASE", "END", "WHEN", "THEN", "ELSE", "IS", "NULL", "ISNULL", "NOTNULL", "IN", "EXISTS",
    "LATERAL", "CROSS", "NATURAL", "DISTINCT", "CONFLICT", "DO", "NOTHING", "RETURNING", "DEFAULT", "OVERRIDING", "SYSTEM", "VALUE", "VARIADIC",
    "SYMMETRIC", "BETWEEN", "EXCLUDE", "PARTITION", "OVER", "FILTER", "WINDOW", "RANGE", "PRECEDING", "current_date", "user", "year", "text",
    "date", "'x'", "1", "$1", "a", "t", "secret", "s.t", "f", "(", ")", "[", "]", ",", ".", "*", "+", "-", "=", "::", ";", "@>", "<#>", "EXTRACT",
    "TRIM", "BOTH", "MERGE", "MATCHED", "TABLESAMPLE", "SKIP", "LOCKED", "NOWAIT", "OPERATOR", "GLOBAL", "REPLACE", "LIKE", "ESCAPE", "TO", "AT",
    "TIME", "ZONE", "INNER", "RECURSIVE", "HAVING", "INTERSECT", "CAST", "rows", "filter", "over", "name", "ORDINALITY", "MATERIALIZED", "WITHIN",
];

/// A text changed in a few of its tokens, which are given as slices of it.
pub(crate) fn tokens(random: &mut Random, text: &[&str], other: &[&str]) -> String {
    let mut tokens = text.to_vec();
    for _ in 0..=random.below(3) {
        let at = random.below(tokens.len() + 1);
        let end = (at + 1 + random.below(3)).min(tokens.len());
        match random.below(8) {
            0 => drop(tokens.drain(at..end)),
            1 => {
                let copied = tokens[at..end].to_vec();
                let to = random.below(tokens.len() + 1);
                tokens.splice(to..to, copied);
            }
            2 => {
                let from = random.below(other.len() + 1);
                tokens.truncate(at);
                tokens.extend(&other[from..]);
            }
            3 => {
                let from = random.below(other.len() + 1);
                let to = (from + 1 + random.below(6)).min(other.len());
                tokens.splice(at..at, other[from..to].to_vec());
            }
            4 if at < tokens.len() => tokens[at] = random.pick(WORDS),
            _ => tokens.insert(at, random.pick(WORDS)),
        }
    }
    tokens.join(" ")
}
