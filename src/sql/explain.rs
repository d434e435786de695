//! EXPLAIN, in its old and its new syntax.

use crate::sql::cursor::Cursor;
use crate::sql::error::ReadError;
use crate::sql::error::TextLimits;
use crate::sql::parse;
use crate::sql::parse::CHANGES;
use crate::sql::parse::QUERIES;
use crate::sql::prepared;
use crate::sql::prepared::DeclareStatement;
use crate::sql::prepared::ExecuteStatement;
use crate::sql::token::TokenKind;
use crate::sql::token::Tokens;
use sqlparser::ast;
use std::ops::Range;

#[derive(Debug)]
pub struct ExplainStatement {
    /// EXPLAIN and its options.
    pub head: Range<usize>,
    /// In lower case, with the values as they stand. The old syntax is brought to the new one's names.
    pub options: Vec<(String, Option<String>)>,
    pub statement: Explained,
}

#[derive(Debug)]
pub enum Explained {
    Tree(Box<ast::Statement>),
    Execute(ExecuteStatement),
    Declare(DeclareStatement),
}

/// None: it explains what is no query, change, EXECUTE or DECLARE.
pub(crate) fn explain(
    tokens: &Tokens<'_>,
    range: Range<usize>,
    limits: &TextLimits,
) -> Result<Option<ExplainStatement>, ReadError> {
    let mut cursor = Cursor::new(tokens, range);
    let start = cursor.at();
    cursor.expect("explain")?;
    let mut options = Vec::new();
    if has_option_list(&cursor, tokens) {
        options_of(&mut cursor, &mut options)?;
    } else {
        if cursor.eat("analyze") || cursor.eat("analyse") {
            options.push(("analyze".to_owned(), None));
        }
        if cursor.eat("verbose") {
            options.push(("verbose".to_owned(), None));
        }
    }
    let (head, inside) = (start..cursor.at(), cursor.at()..cursor.end());
    let statement = match () {
        () if cursor.is("execute") => Explained::Execute(prepared::execute(tokens, inside, limits)?),
        () if cursor.is("declare") => Explained::Declare(prepared::declare(tokens, inside, limits)?),
        () if cursor.is("create") || cursor.is("refresh") => return Ok(None),
        () => Explained::Tree(parse::inner(tokens, inside, &[QUERIES, CHANGES], limits)?),
    };
    Ok(Some(ExplainStatement { head, options, statement }))
}

/// A bracket may also begin the query.
fn has_option_list(cursor: &Cursor<'_, '_>, tokens: &Tokens<'_>) -> bool {
    let inside = cursor.at() + 1;
    let begins_query = ["select", "table", "with"].iter().any(|word| tokens.is_word(inside, word))
        || (tokens.is_word(inside, "values") && tokens.kind(inside + 1) == Some(TokenKind::LeftParen))
        || tokens.kind(inside) == Some(TokenKind::LeftParen);
    cursor.kind() == Some(TokenKind::LeftParen) && !begins_query
}

fn options_of(cursor: &mut Cursor<'_, '_>, options: &mut Vec<(String, Option<String>)>) -> Result<(), ReadError> {
    cursor.expect_kind(TokenKind::LeftParen)?;
    loop {
        let name = cursor.label()?.to_ascii_lowercase();
        let value = match cursor.kind() {
            Some(TokenKind::Comma | TokenKind::RightParen) => None,
            Some(TokenKind::Integer | TokenKind::Number | TokenKind::Operator) => Some(cursor.number()?),
            _ => Some(cursor.word_or_string()?),
        };
        let name = if name == "analyse" { "analyze".to_owned() } else { name };
        options.push((name, value));
        if !cursor.eat_kind(TokenKind::Comma) {
            return cursor.expect_kind(TokenKind::RightParen);
        }
    }
}
