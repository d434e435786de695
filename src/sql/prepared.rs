//! Statements that live in the session and hold another: PREPARE, EXECUTE, DECLARE, EXPLAIN.

use crate::sql::cursor::Cursor;
use crate::sql::error::ReadError;
use crate::sql::error::TextLimits;
use crate::sql::parse;
use crate::sql::parse::CHANGES;
use crate::sql::parse::QUERIES;
use crate::sql::token::TokenKind;
use crate::sql::token::Tokens;
use sqlparser::ast;
use std::ops::Range;

#[derive(Debug)]
pub struct PrepareStatement {
    pub name: String,
    /// The declared types of its parameters.
    pub types: Vec<ast::DataType>,
    pub tree: Box<ast::Statement>,
}

#[derive(Debug)]
pub struct ExecuteStatement {
    pub name: String,
    /// `VALUES (argument, …)`.
    pub arguments: Option<Box<ast::Statement>>,
}

#[derive(Debug)]
pub struct DeclareStatement {
    pub cursor: String,
    pub hold: Hold,
    pub tree: Box<ast::Statement>,
}

impl ExecuteStatement {
    /// None: the tree is none of ours.
    pub fn arguments(&self) -> Option<&[ast::Expr]> {
        let Some(tree) = &self.arguments else { return Some(&[]) };
        let ast::Statement::Query(query) = tree.as_ref() else { return None };
        let ast::SetExpr::Values(values) = query.body.as_ref() else { return None };
        match values.rows.as_slice() {
            [row] => Some(&row.content),
            _ => None,
        }
    }
}

/// Whether a cursor outlives the transaction that made it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hold {
    With,
    Without,
}

/// What stands for `CURRENT OF cursor` in the parser's copy.
pub(crate) const CURRENT_OF: &str = "current of";

/// The cursor of a condition that is `CURRENT OF cursor`.
pub fn current_of(tokens: &Tokens<'_>, condition: &ast::Expr) -> Option<String> {
    let ast::Expr::Identifier(ident) = condition else { return None };
    let at = parse::token_range(ident.span)?.start;
    let is_it = ident.value == CURRENT_OF && tokens.is_word(at, "current") && tokens.is_word(at + 1, "of");
    tokens.identifier(at + 2).filter(|_| is_it)
}

/// `PREPARE name [(types)] AS …`. None: it is PREPARE TRANSACTION.
pub(crate) fn prepare(
    tokens: &Tokens<'_>,
    range: Range<usize>,
    limits: &TextLimits,
) -> Result<Option<PrepareStatement>, ReadError> {
    let mut cursor = Cursor::new(tokens, range);
    cursor.expect("prepare")?;
    if cursor.is("transaction") && tokens.kind(cursor.at() + 1) == Some(TokenKind::String) {
        return Ok(None);
    }
    let name = cursor.name()?;
    let types = match cursor.kind() {
        Some(TokenKind::LeftParen) => parse::types(tokens, cursor.bracket()?, limits)?,
        _ => Vec::new(),
    };
    cursor.expect("as")?;
    let tree = parse::inner(tokens, cursor.at()..cursor.end(), &[QUERIES, CHANGES], limits)?;
    Ok(Some(PrepareStatement { name, types, tree }))
}

/// `EXECUTE name [(arguments)]`
pub(crate) fn execute(
    tokens: &Tokens<'_>,
    range: Range<usize>,
    limits: &TextLimits,
) -> Result<ExecuteStatement, ReadError> {
    let mut cursor = Cursor::new(tokens, range);
    cursor.expect("execute")?;
    let name = cursor.name()?;
    let arguments = match cursor.kind() {
        Some(TokenKind::LeftParen) => {
            let inside = cursor.bracket()?;
            Some(parse::expressions(tokens, inside.start - 1..inside.end + 1, limits)?)
        }
        _ => None,
    };
    cursor.finish()?;
    Ok(ExecuteStatement { name, arguments })
}

/// `DECLARE cursor [options] CURSOR [WITH HOLD] FOR query`
pub(crate) fn declare(
    tokens: &Tokens<'_>,
    range: Range<usize>,
    limits: &TextLimits,
) -> Result<DeclareStatement, ReadError> {
    const OPTIONS: &[&[&str]] = &[&["binary"], &["insensitive"], &["asensitive"], &["scroll"], &["no", "scroll"]];
    let mut cursor = Cursor::new(tokens, range);
    cursor.expect("declare")?;
    let name = cursor.name()?;
    while OPTIONS.iter().any(|words| cursor.eat_all(words)) {}
    cursor.expect("cursor")?;
    let hold = if cursor.eat_all(&["with", "hold"]) {
        Hold::With
    } else {
        cursor.eat_all(&["without", "hold"]);
        Hold::Without
    };
    cursor.expect("for")?;
    let tree = parse::inner(tokens, cursor.at()..cursor.end(), &[QUERIES], limits)?;
    Ok(DeclareStatement { cursor: name, hold, tree })
}
