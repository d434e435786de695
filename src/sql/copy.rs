//! COPY, in its old and its new syntax.

use crate::sql::cursor::Cursor;
use crate::sql::error::ReadError;
use crate::sql::error::ReadErrorKind;
use crate::sql::error::TextLimits;
use crate::sql::literal;
use crate::sql::parse;
use crate::sql::token::TokenKind;
use crate::sql::token::Tokens;
use sqlparser::ast;
use std::ops::Range;

#[derive(Debug)]
pub struct CopyStatement {
    pub source: CopySource,
    pub direction: CopyDirection,
    /// Names in lower case. The old syntax is brought to the new one's names: `CSV` is `format` with `csv`. A list of
    /// columns has its names quoted as needed, with commas between.
    pub options: Vec<(String, Option<String>)>,
    /// The condition of COPY FROM.
    pub condition: Option<CopyCondition>,
}

#[derive(Debug)]
pub struct CopyCondition {
    pub tree: Box<ast::Expr>,
    /// Without the word WHERE.
    pub range: Range<usize>,
}

/// What is copied. Ranges are of tokens.
#[derive(Debug)]
pub enum CopySource {
    Relation {
        name: Range<usize>,
        /// The token of each column.
        columns: Option<Vec<usize>>,
        /// The column list with its brackets.
        columns_range: Option<Range<usize>>,
    },
    Query {
        tree: Box<ast::Statement>,
        /// Without the brackets.
        range: Range<usize>,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CopyDirection {
    FromStdin,
    ToStdout,
    /// A file or a program of the server.
    Other,
}

/// Reads a statement that begins with COPY.
pub(crate) fn copy(tokens: &Tokens<'_>, range: Range<usize>, limits: &TextLimits) -> Result<CopyStatement, ReadError> {
    let mut cursor = Cursor::new(tokens, range);
    cursor.expect("copy")?;
    let mut options = Vec::new();
    let source = if cursor.kind() == Some(TokenKind::LeftParen) {
        let range = cursor.bracket()?;
        let tree = parse::inner(tokens, range.clone(), &[parse::QUERIES, parse::CHANGES], limits)?;
        CopySource::Query { tree, range }
    } else {
        if cursor.eat("binary") {
            options.push(("format".to_owned(), Some("binary".to_owned())));
        }
        relation(&mut cursor)?
    };
    let is_from = match &source {
        CopySource::Relation { .. } if cursor.eat("from") => true,
        _ => {
            cursor.expect("to")?;
            false
        }
    };
    let is_stream = !cursor.is("program") && cursor.kind() != Some(TokenKind::String);
    let direction = match (is_stream, is_from) {
        // PostgreSQL takes either word in either direction.
        (true, _) if !cursor.eat("stdin") && !cursor.eat("stdout") => return Err(cursor.error()),
        (true, true) => CopyDirection::FromStdin,
        (true, false) => CopyDirection::ToStdout,
        (false, _) => {
            cursor.eat("program");
            cursor.string()?;
            CopyDirection::Other
        }
    };
    options_of(&mut cursor, &mut options)?;
    let mut condition = None;
    if is_from && cursor.eat("where") {
        if cursor.is_done() {
            return Err(cursor.error());
        }
        let range = cursor.at()..cursor.end();
        if let Some(i) = range.clone().find(|i| parse::is_query_word(tokens, *i)) {
            let position = Some(tokens.position(i));
            return Err(ReadError::new(
                ReadErrorKind::Grammar,
                "cannot use subquery in COPY FROM WHERE condition",
                position,
            ));
        }
        condition = Some(CopyCondition { tree: parse::condition(tokens, range.clone(), limits)?, range });
    } else {
        cursor.finish()?;
    }
    Ok(CopyStatement { source, direction, options, condition })
}

fn relation(cursor: &mut Cursor<'_, '_>) -> Result<CopySource, ReadError> {
    let name = cursor.qualified_name()?;
    if cursor.kind() != Some(TokenKind::LeftParen) {
        return Ok(CopySource::Relation { name, columns: None, columns_range: None });
    }
    let start = cursor.at();
    let columns = columns(cursor)?;
    Ok(CopySource::Relation {
        name,
        columns: Some(columns.into_iter().map(|(at, _)| at).collect()),
        columns_range: Some(start..cursor.at()),
    })
}

/// `(a, b)`: each column's token and name.
fn columns(cursor: &mut Cursor<'_, '_>) -> Result<Vec<(usize, String)>, ReadError> {
    cursor.expect_kind(TokenKind::LeftParen)?;
    let columns = column_names(cursor)?;
    cursor.expect_kind(TokenKind::RightParen)?;
    Ok(columns)
}

fn column_names(cursor: &mut Cursor<'_, '_>) -> Result<Vec<(usize, String)>, ReadError> {
    let mut columns = Vec::new();
    loop {
        columns.push((cursor.at(), cursor.name()?));
        if !cursor.eat_kind(TokenKind::Comma) {
            return Ok(columns);
        }
    }
}

type Options = Vec<(String, Option<String>)>;

fn options_of(cursor: &mut Cursor<'_, '_>, options: &mut Options) -> Result<(), ReadError> {
    let uses = cursor.clone();
    cursor.eat("using");
    if cursor.eat("delimiters") {
        options.push(("delimiter".to_owned(), Some(cursor.string()?)));
    } else {
        *cursor = uses;
    }
    cursor.eat("with");
    if cursor.kind() == Some(TokenKind::LeftParen) {
        return new_options(cursor, options);
    }
    while !cursor.is_done() && !cursor.is("where") {
        let option = old_option(cursor)?;
        options.push(option);
    }
    Ok(())
}

fn old_option(cursor: &mut Cursor<'_, '_>) -> Result<(String, Option<String>), ReadError> {
    for (word, name, value) in [
        ("binary", "format", Some("binary")),
        ("csv", "format", Some("csv")),
        ("freeze", "freeze", None),
        ("header", "header", None),
    ] {
        if cursor.eat(word) {
            return Ok((name.to_owned(), value.map(str::to_owned)));
        }
    }
    for name in ["delimiter", "null", "quote", "escape", "encoding"] {
        if cursor.eat(name) {
            if name != "encoding" {
                cursor.eat("as");
            }
            return Ok((name.to_owned(), Some(cursor.string()?)));
        }
    }
    let name = match () {
        () if cursor.eat_all(&["force", "not", "null"]) => "force_not_null",
        () if cursor.eat_all(&["force", "null"]) => "force_null",
        () if cursor.eat_all(&["force", "quote"]) => "force_quote",
        () => return Err(cursor.error()),
    };
    let value = if cursor.eat_operator("*") { "*".to_owned() } else { listed(column_names(cursor)?) };
    Ok((name.to_owned(), Some(value)))
}

fn listed(columns: Vec<(usize, String)>) -> String {
    columns.iter().map(|(_, name)| literal::quote_identifier(name)).collect::<Vec<_>>().join(",")
}

fn new_options(cursor: &mut Cursor<'_, '_>, options: &mut Options) -> Result<(), ReadError> {
    cursor.expect_kind(TokenKind::LeftParen)?;
    loop {
        let name = cursor.label()?.to_ascii_lowercase();
        let value = match cursor.kind() {
            Some(TokenKind::Comma | TokenKind::RightParen) => None,
            Some(TokenKind::LeftParen) => {
                cursor.expect_kind(TokenKind::LeftParen)?;
                let mut names = vec![(0, cursor.word_or_string()?)];
                while cursor.eat_kind(TokenKind::Comma) {
                    names.push((0, cursor.word_or_string()?));
                }
                cursor.expect_kind(TokenKind::RightParen)?;
                Some(listed(names))
            }
            _ if cursor.eat_operator("*") => Some("*".to_owned()),
            Some(TokenKind::Integer | TokenKind::Number | TokenKind::Operator) => Some(cursor.number()?),
            _ => Some(cursor.word_or_string()?),
        };
        options.push((name, value));
        if !cursor.eat_kind(TokenKind::Comma) {
            return cursor.expect_kind(TokenKind::RightParen);
        }
    }
}
