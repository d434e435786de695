//! A text as the statements in it, each read as far as it has to be.

use crate::sql::copy;
use crate::sql::copy::CopyStatement;
use crate::sql::cursor::Cursor;
use crate::sql::error::ReadError;
use crate::sql::error::ReadErrorKind;
use crate::sql::error::TextLimits;
use crate::sql::explain;
use crate::sql::explain::ExplainStatement;
use crate::sql::parse;
use crate::sql::prepared;
use crate::sql::prepared::DeclareStatement;
use crate::sql::prepared::ExecuteStatement;
use crate::sql::prepared::PrepareStatement;
use crate::sql::session;
use crate::sql::session::SessionStatement;
use crate::sql::temporary;
use crate::sql::temporary::TemporaryStatement;
use crate::sql::token;
use crate::sql::token::TokenKind;
use crate::sql::token::Tokens;
use sqlparser::ast;
use std::ops::Range;

#[derive(Debug)]
pub struct Script<'a> {
    pub tokens: Tokens<'a>,
    /// At least one: a text without a statement has an empty one. Else empty ones are left out.
    pub statements: Vec<Statement>,
}

#[derive(Debug)]
pub struct Statement {
    /// Its tokens, without the semicolon.
    pub range: Range<usize>,
    pub body: Body,
}

#[derive(Debug)]
pub enum Body {
    Empty,
    /// SELECT, VALUES, TABLE, WITH, INSERT, UPDATE, DELETE, MERGE. Every span in it is in token numbers, see
    /// [`token_range`](crate::sql::token_range).
    Tree(Box<ast::Statement>),
    Copy(CopyStatement),
    Session(SessionStatement),
    Prepare(PrepareStatement),
    Execute(ExecuteStatement),
    Declare(DeclareStatement),
    Explain(ExplainStatement),
    /// With its first words, in upper case: it may be about no temporary table after all.
    Temporary(Box<TemporaryStatement>, String),
    /// Everything else: its first words, in upper case.
    Other(String),
}

/// A tree is taken apart by recursion, as deep as its longest chain of operators.
const STACK_BYTES: usize = 64 * 1024 * 1024;
const STACK_BYTES_SMALL: usize = 768 * 1024;
/// A tree takes some kilobytes, however short its text.
const STATEMENTS_MAX: usize = 5_000;
/// Up to here the small stack is enough.
const TOKENS_SMALL: usize = 400;

/// Reads a text, hands the outcome over, and drops it again, all on a stack that is large enough.
pub fn with_script<T>(
    source: &str,
    limits: &TextLimits,
    use_it: impl FnOnce(Result<&Script<'_>, ReadError>) -> T,
) -> T {
    let tokens = match token::lex(source, limits) {
        Ok(tokens) => tokens,
        Err(error) => return use_it(Err(error)),
    };
    let needed = if tokens.len() > TOKENS_SMALL { STACK_BYTES } else { STACK_BYTES_SMALL };
    stacker::maybe_grow(needed, needed.max(4 * STACK_BYTES_SMALL), || match read(tokens, limits) {
        Ok(script) => use_it(Ok(&script)),
        Err(error) => use_it(Err(error)),
    })
}

fn read<'a>(tokens: Tokens<'a>, limits: &TextLimits) -> Result<Script<'a>, ReadError> {
    let mut statements = Vec::new();
    let ranges = split(&tokens);
    if let Some(range) = ranges.get(STATEMENTS_MAX) {
        let message = format!("query text has more than {STATEMENTS_MAX} statements");
        return Err(ReadError::new(ReadErrorKind::TooLarge, message, Some(tokens.position(range.start))));
    }
    for range in ranges {
        let body = body(&tokens, range.clone(), limits)?;
        statements.push(Statement { range, body });
    }
    if statements.is_empty() {
        statements.push(Statement { range: 0..0, body: Body::Empty });
    }
    Ok(Script { tokens, statements })
}

/// The ranges between semicolons that stand outside of brackets, without the empty ones.
fn split(tokens: &Tokens<'_>) -> Vec<Range<usize>> {
    let mut ranges = Vec::new();
    let (mut start, mut i) = (0, 0);
    while i < tokens.len() {
        match tokens.kind(i) {
            Some(TokenKind::Semicolon) => {
                ranges.push(start..i);
                start = i + 1;
            }
            Some(TokenKind::LeftParen | TokenKind::LeftBracket) => i = tokens.matching(i).unwrap_or(i),
            _ => {}
        }
        i += 1;
    }
    ranges.push(start..tokens.len());
    ranges.retain(|range| !range.is_empty());
    ranges
}

const TREES: &[&str] = &["delete", "insert", "merge", "select", "table", "update", "values", "with"];

/// Words that begin the statements that only have a name here.
#[rustfmt::skip]
const OTHERS: &[&str] = &[
    "alter", "analyse", "analyze", "call", "checkpoint", "cluster", "comment", "commit", "create",
    "do", "drop", "explain", "grant", "import", "load", "lock", "prepare",
    "reassign", "refresh", "reindex", "revoke", "rollback", "security", "truncate", "vacuum",
];

fn body(tokens: &Tokens<'_>, range: Range<usize>, limits: &TextLimits) -> Result<Body, ReadError> {
    let first = tokens.text(range.start).to_ascii_lowercase();
    let first = if tokens.kind(range.start) == Some(TokenKind::Word) { first.as_str() } else { "" };
    if TREES.contains(&first) || tokens.kind(range.start) == Some(TokenKind::LeftParen) {
        return parse::statement(tokens, range, limits).map(Body::Tree);
    }
    if first == "copy" {
        return copy::copy(tokens, range, limits).map(Body::Copy);
    }
    match first {
        "prepare" => {
            if let Some(statement) = prepared::prepare(tokens, range.clone(), limits)? {
                return Ok(Body::Prepare(statement));
            }
        }
        "explain" => {
            if let Some(statement) = explain::explain(tokens, range.clone(), limits)? {
                return Ok(Body::Explain(statement));
            }
        }
        "execute" => return prepared::execute(tokens, range, limits).map(Body::Execute),
        "declare" => return prepared::declare(tokens, range, limits).map(Body::Declare),
        _ => {}
    }
    let cursor = Cursor::new(tokens, range.clone());
    if let Some(statement) = session::session(cursor.clone())? {
        return Ok(Body::Session(statement));
    }
    if !OTHERS.contains(&first) {
        return Err(cursor.error());
    }
    if let Some(statement) = temporary::temporary(tokens, range.clone(), limits)? {
        return Ok(Body::Temporary(Box::new(statement), first_words(tokens, range)));
    }
    // Its semicolons end no statement.
    if let Some(i) = range.clone().find(|i| tokens.is_word(*i, "begin") && tokens.is_word(i + 1, "atomic")) {
        let position = Some(tokens.position(i));
        return Err(ReadError::new(ReadErrorKind::Forbidden, "BEGIN ATOMIC is not supported", position));
    }
    Ok(Body::Other(first_words(tokens, range)))
}

/// Words between CREATE and what is created.
#[rustfmt::skip]
const MODIFIERS: &[&str] = &[
    "or", "replace", "temp", "temporary", "unlogged", "unique", "global", "local", "recursive", "trusted",
    "procedural", "constraint", "default",
];

/// `CREATE TABLE`, `DO`: what the statement would be called in its command tag.
fn first_words(tokens: &Tokens<'_>, range: Range<usize>) -> String {
    let first = tokens.text(range.start).to_ascii_uppercase();
    let with_object = ["CREATE", "ALTER", "DROP", "PREPARE", "COMMIT", "ROLLBACK", "REFRESH", "SECURITY", "IMPORT"];
    if !with_object.contains(&first.as_str()) {
        return first;
    }
    let mut words = vec![first];
    for i in range.skip(1) {
        if tokens.keyword(i).is_none() {
            break;
        }
        let word = tokens.text(i).to_ascii_lowercase();
        if MODIFIERS.contains(&word.as_str()) {
            continue;
        }
        words.push(word.to_ascii_uppercase());
        if !["materialized", "foreign", "event", "access", "text"].contains(&word.as_str()) {
            break;
        }
    }
    words.join(" ")
}
