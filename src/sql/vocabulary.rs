//! The words and operators that the parser may know; all others are plain names and unknown operators to it.

use crate::sql::words::Words;
use sqlparser::keywords::Keyword;
use sqlparser::tokenizer::Token;
use sqlparser::tokenizer::Word;

/// Words of PostgreSQL's grammar for queries and changes, and names of built-in types. What only other databases
/// know (QUALIFY, TOP, REPLACE …) is missing on purpose.
#[rustfmt::skip]
const KEYWORDS: &[&str] = &[
    "absent", "all", "and", "any", "array", "as", "asc", "at", "between", "bigint", "bit", "bool", "boolean", "both",
    "by", "bytea", "case", "cast", "char", "character", "collate", "columns", "conflict", "constraint", "cross",
    "current_catalog", "current_date", "current_role", "current_schema", "current_time", "current_timestamp",
    "current_user", "date", "day", "dec", "decimal", "default", "delete", "desc", "distinct", "do", "double", "else",
    "empty", "end", "error", "escape", "except", "false", "fetch", "float", "float4", "float8", "following", "for", "from", "full",
    "group", "groups", "having", "hour", "ilike", "in", "inner", "insert", "int", "int2", "int4", "int8", "integer",
    "intersect", "into", "is", "join", "json", "jsonb", "keys", "lateral", "leading", "left", "like", "limit",
    "local", "localtime", "localtimestamp", "locked", "matched", "merge", "minute", "month", "natural", "nfc", "nfd",
    "nfkc", "nfkd", "normalized", "not", "nowait", "null", "numeric", "object", "of", "offset", "on", "only", "or",
    "order", "ordinality", "outer", "overlaps", "passing", "path", "placing", "preceding", "precision", "range", "real", "recursive",
    "repeatable", "returning", "right", "row", "rows", "scalar", "second", "select", "session_user",
    "set", "sets", "share", "similar", "skip", "smallint", "some", "tablesample", "text", "then", "ties", "time",
    "timestamp", "timestamptz", "timetz", "to", "trailing", "true", "tsquery", "tsvector", "unbounded", "union",
    "unique", "unknown", "update", "user", "using", "uuid", "value", "varbit", "varchar", "varying", "when", "where",
    "window", "with", "within", "without", "year", "zone",
];

static WORDS: Words<(), 512> = Words::of(&[(KEYWORDS, ())]);

/// Whether a word may be a keyword to the parser wherever it stands.
pub(crate) fn is_keyword(word: &str) -> bool {
    WORDS.get(word).is_some()
}

/// A word that is nothing but a name.
pub(crate) fn plain_word(value: String) -> Token {
    Token::Word(Word { value, quote_style: None, keyword: Keyword::NoKeyword })
}

/// Whether the parser takes ANY, SOME and ALL behind this operator.
pub(crate) fn compares_with_any(operator: &str) -> bool {
    matches!(
        operator,
        "=" | "<>" | "!=" | "<" | ">" | "<=" | ">=" | "~" | "~*" | "!~" | "!~*" | "~~" | "~~*" | "!~~" | "!~~*"
    )
}

/// The parser's token for an operator. Those that it would read otherwise than PostgreSQL are unknown to it.
pub(crate) fn operator(text: &str) -> Token {
    match text {
        "=" => Token::Eq,
        "<>" | "!=" => Token::Neq,
        "<" => Token::Lt,
        ">" => Token::Gt,
        "<=" => Token::LtEq,
        ">=" => Token::GtEq,
        "+" => Token::Plus,
        "-" => Token::Minus,
        "*" => Token::Mul,
        "/" => Token::Div,
        "%" => Token::Mod,
        "^" => Token::Caret,
        "||" => Token::StringConcat,
        "|" => Token::Pipe,
        "&" => Token::Ampersand,
        "#" => Token::Sharp,
        "~" => Token::Tilde,
        "~*" => Token::TildeAsterisk,
        "!~" => Token::ExclamationMarkTilde,
        "!~*" => Token::ExclamationMarkTildeAsterisk,
        "~~" => Token::DoubleTilde,
        "~~*" => Token::DoubleTildeAsterisk,
        "!~~" => Token::ExclamationMarkDoubleTilde,
        "!~~*" => Token::ExclamationMarkDoubleTildeAsterisk,
        "<<" => Token::ShiftLeft,
        ">>" => Token::ShiftRight,
        "&&" => Token::Overlap,
        "->" => Token::Arrow,
        "->>" => Token::LongArrow,
        "#>" => Token::HashArrow,
        "#>>" => Token::HashLongArrow,
        "@>" => Token::AtArrow,
        "<@" => Token::ArrowAt,
        "#-" => Token::HashMinus,
        "@?" => Token::AtQuestion,
        "@@" => Token::AtAt,
        "?" => Token::Question,
        "?&" => Token::QuestionAnd,
        "?|" => Token::QuestionPipe,
        "^@" => Token::CaretAt,
        "@" => Token::AtSign,
        "!!" => Token::DoubleExclamationMark,
        "|/" => Token::PGSquareRoot,
        "||/" => Token::PGCubeRoot,
        "@-@" => Token::AtDashAt,
        "?-" => Token::QuestionMarkDash,
        _ => Token::CustomBinaryOperator(text.to_owned()),
    }
}
