//! One statement's tree, through the parser, with all that it would read otherwise than PostgreSQL refused.

use crate::sql::clauses;
use crate::sql::dialect::Postgres;
use crate::sql::error::ReadError;
use crate::sql::error::ReadErrorKind;
use crate::sql::error::TextLimits;
use crate::sql::refuse;
use crate::sql::shadow;
use crate::sql::token::TokenKind;
use crate::sql::token::Tokens;
use sqlparser::ast;
use sqlparser::parser::Parser;
use sqlparser::parser::ParserError;
use sqlparser::tokenizer::Span;
use sqlparser::tokenizer::Token;
use sqlparser::tokenizer::TokenWithSpan;
use std::ops::Range;

/// Trees grow one level with each operator of a chain, and are walked and taken apart by recursion.
///
/// This bounds chains of AND and OR, and lists of comparisons. A single chain of other operators that is much longer than
/// a thousand is too deep for PostgreSQL's grammar, whose own stack limit the guard then reports.
const CHAIN_MAX: usize = 10_000;
const SET_OPERATIONS_MAX: usize = 500;

/// Reads one query or change.
pub(crate) fn statement(
    tokens: &Tokens<'_>,
    range: Range<usize>,
    limits: &TextLimits,
) -> Result<Box<ast::Statement>, ReadError> {
    check_size(tokens, range.clone())?;
    let shadow = shadow::shadow(tokens, range.clone())?;
    read(tokens, range, shadow, limits)
}

/// Reads a condition, given without the WHERE before it: as that of a query without anything else.
pub(crate) fn condition(
    tokens: &Tokens<'_>,
    range: Range<usize>,
    limits: &TextLimits,
) -> Result<Box<ast::Expr>, ReadError> {
    check_size(tokens, range.clone())?;
    let shadow = shadow::condition(tokens, range.clone())?;
    let misplaced = || {
        let message = tokens.misplaced(range.start);
        ReadError::new(ReadErrorKind::Grammar, message, Some(tokens.position(range.start)))
    };
    let statement = read(tokens, range.clone(), shadow, limits)?;
    let ast::Statement::Query(query) = *statement else { return Err(misplaced()) };
    let ast::SetExpr::Select(select) = *query.body else { return Err(misplaced()) };
    select.selection.map(Box::new).ok_or_else(misplaced)
}

/// Words that begin a query.
pub(crate) const QUERIES: &[&str] = &["select", "table", "values", "with"];
/// Words that begin a change of rows.
pub(crate) const CHANGES: &[&str] = &["delete", "insert", "merge", "update"];

/// Reads a query or change that another statement holds: it must begin with one of these words, or with a bracket.
pub(crate) fn inner(
    tokens: &Tokens<'_>,
    range: Range<usize>,
    begins: &[&[&str]],
    limits: &TextLimits,
) -> Result<Box<ast::Statement>, ReadError> {
    let begins_well = begins.iter().copied().flatten().any(|word| tokens.is_word(range.start, word))
        || tokens.kind(range.start) == Some(TokenKind::LeftParen);
    if range.is_empty() || !begins_well {
        return Err(near(tokens, &range, range.start));
    }
    statement(tokens, range, limits)
}

/// Reads a list of types that stands in brackets, as `SELECT CAST(NULL AS type), …`.
pub(crate) fn types(
    tokens: &Tokens<'_>,
    range: Range<usize>,
    limits: &TextLimits,
) -> Result<Vec<ast::DataType>, ReadError> {
    let made = |token: Token| TokenWithSpan::new(token, Span::empty());
    let mut shadow = vec![made(Token::make_keyword("SELECT"))];
    for (place, part) in clauses::split_at_commas(tokens, range.clone()).into_iter().enumerate() {
        if place > 0 {
            shadow.push(made(Token::Comma));
        }
        let cast = [Token::make_keyword("CAST"), Token::LParen, Token::make_keyword("NULL"), Token::make_keyword("AS")];
        shadow.extend(cast.map(made));
        shadow.append(&mut shadow::shadow(tokens, part)?);
        shadow.push(made(Token::RParen));
    }
    let with_bracket = range.start..range.end + 1;
    let tree = read(tokens, with_bracket.clone(), shadow, limits)?;
    let types = match *tree {
        ast::Statement::Query(query) => match *query.body {
            ast::SetExpr::Select(select) => select.projection.into_iter().map(cast_type).collect(),
            _ => None,
        },
        _ => None,
    };
    types.ok_or_else(|| near(tokens, &with_bracket, range.start))
}

fn cast_type(item: ast::SelectItem) -> Option<ast::DataType> {
    match item {
        ast::SelectItem::UnnamedExpr(ast::Expr::Cast { data_type, .. }) => Some(data_type),
        _ => None,
    }
}

/// Reads a list of expressions with its brackets, as `VALUES (…)`.
pub(crate) fn expressions(
    tokens: &Tokens<'_>,
    range: Range<usize>,
    limits: &TextLimits,
) -> Result<Box<ast::Statement>, ReadError> {
    check_size(tokens, range.clone())?;
    let mut shadow = vec![TokenWithSpan::new(Token::make_keyword("VALUES"), Span::empty())];
    shadow.append(&mut shadow::shadow(tokens, range.clone())?);
    read(tokens, range, shadow, limits)
}

fn near(tokens: &Tokens<'_>, range: &Range<usize>, at: usize) -> ReadError {
    let message = if at >= range.end { "syntax error at end of input".to_owned() } else { tokens.misplaced(at) };
    ReadError::new(ReadErrorKind::Grammar, message, (at < range.end).then(|| tokens.position(at)))
}

/// Words without which there is no subquery.
pub(crate) fn is_query_word(tokens: &Tokens<'_>, i: usize) -> bool {
    ["select", "with", "values", "table"].iter().any(|word| tokens.is_word(i, word))
}

fn read(
    tokens: &Tokens<'_>,
    range: Range<usize>,
    shadow: Vec<TokenWithSpan>,
    limits: &TextLimits,
) -> Result<Box<ast::Statement>, ReadError> {
    let mut parser = Parser::new(&Postgres).with_recursion_limit(limits.nesting_max).with_tokens_with_locations(shadow);
    let statement = parser.parse_statement();
    let (at, rest) = {
        let next = parser.peek_token_ref();
        (token_range(next.span).map_or(range.end, |found| found.start), next.token != Token::EOF)
    };
    let statement = match statement {
        Ok(statement) => Box::new(statement),
        Err(ParserError::RecursionLimitExceeded) => {
            let message = format!("statement nested more than {} deep", limits.nesting_max);
            return Err(ReadError::new(ReadErrorKind::TooLarge, message, None));
        }
        Err(ParserError::ParserError(message) | ParserError::TokenizerError(message)) => {
            return Err(near(tokens, &range, error_column(&message).unwrap_or(at)));
        }
    };
    if rest {
        return Err(near(tokens, &range, at));
    }
    refuse::check(tokens, range, &statement)?;
    Ok(statement)
}

/// The parser names the place of an error only in its message.
fn error_column(message: &str) -> Option<usize> {
    let (_, column) = message.rsplit_once(" at Line: 1, Column: ")?;
    column.trim().parse::<usize>().ok()?.checked_sub(1)
}

/// Chains of operators count over all open brackets; a comma ends one.
fn check_size(tokens: &Tokens<'_>, range: Range<usize>) -> Result<(), ReadError> {
    const CHAINED: &[&str] = &["and", "or", "not", "is", "like", "ilike", "collate", "at", "between", "in"];
    let (mut chains, mut depth, mut set_operations) = (vec![0_usize], 0_usize, 0_usize);
    for i in range {
        let is_keyword = tokens.keyword(i).is_some();
        let is_one_of = |words: &[&str]| is_keyword && words.iter().any(|word| tokens.is_word(i, word));
        let link = match tokens.kind(i) {
            Some(TokenKind::LeftParen) => {
                chains.push(0);
                false
            }
            Some(TokenKind::RightParen) => {
                depth -= chains.pop().unwrap_or_default();
                false
            }
            Some(TokenKind::Comma) => {
                depth -= chains.pop().unwrap_or_default();
                chains.push(0);
                false
            }
            Some(TokenKind::Operator | TokenKind::Typecast | TokenKind::LeftBracket | TokenKind::Dot) => true,
            Some(TokenKind::Word) => is_one_of(CHAINED),
            _ => false,
        };
        if link {
            depth += 1;
            if let Some(chain) = chains.last_mut() {
                *chain += 1;
            }
        }
        set_operations += usize::from(is_one_of(&["union", "intersect", "except"]));
        let message = match () {
            () if depth > CHAIN_MAX => format!("statement has more than {CHAIN_MAX} operators in one expression"),
            () if set_operations > SET_OPERATIONS_MAX => {
                format!("statement has more than {SET_OPERATIONS_MAX} set operations")
            }
            () => continue,
        };
        return Err(ReadError::new(ReadErrorKind::TooLarge, message, Some(tokens.position(i))));
    }
    Ok(())
}

/// Token numbers of a span; none where it is empty.
pub fn token_range(span: Span) -> Option<Range<usize>> {
    let start = usize::try_from(span.start.column).ok()?.checked_sub(1)?;
    let end = usize::try_from(span.end.column).ok()?;
    (start < end).then_some(start..end)
}

/// The name that an identifier of a tree stands for, as PostgreSQL knows it.
pub fn ident_value(ident: &ast::Ident) -> String {
    ident.value.clone()
}
