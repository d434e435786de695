//! Statements about temporary tables, matched to their last token. What is none of them is another statement.

use crate::sql::clauses;
use crate::sql::cursor::Cursor;
use crate::sql::error::ReadError;
use crate::sql::error::ReadErrorKind;
use crate::sql::error::TextLimits;
use crate::sql::parse;
use crate::sql::token::TokenKind;
use crate::sql::token::Tokens;
use sqlparser::ast;
use std::ops::Range;

/// Names are ranges of tokens.
#[derive(Debug)]
pub enum TemporaryStatement {
    Create(CreateTemporary),
    /// Of temporary tables or others.
    Drop {
        names: Vec<Range<usize>>,
        existence: Existence,
    },
    Truncate {
        names: Vec<Range<usize>>,
    },
    CreateIndex {
        table: Range<usize>,
        expressions: Vec<ast::Expr>,
    },
    Analyze {
        name: Range<usize>,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Existence {
    Required,
    /// IF EXISTS
    Optional,
}

#[derive(Debug)]
pub struct CreateTemporary {
    pub name: Range<usize>,
    pub source: TableSource,
    pub lifetime: Lifetime,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lifetime {
    Session,
    /// ON COMMIT DROP. With IF NOT EXISTS it may be an older table, which stays.
    Transaction,
}

/// What a table is made of.
#[derive(Debug)]
pub enum TableSource {
    Columns {
        types: Vec<ast::DataType>,
        /// Of defaults, checks and generated columns.
        expressions: Vec<ast::Expr>,
    },
    Query(Box<ast::Statement>),
}

type Matched = Result<Option<TemporaryStatement>, ReadError>;

/// The statement that the tokens are; none if they begin another kind of statement.
pub(crate) fn temporary(tokens: &Tokens<'_>, range: Range<usize>, limits: &TextLimits) -> Matched {
    let reader = Reader { tokens, limits };
    let mut cursor = Cursor::new(tokens, range);
    match () {
        () if cursor.eat_all(&["drop", "table"]) => Ok(drop_table(cursor).ok()),
        () if cursor.eat("truncate") => Ok(truncate(cursor).ok()),
        () if cursor.eat("analyze") || cursor.eat("analyse") => Ok(analyze(cursor)),
        () if cursor.eat("create") => {
            if cursor.eat_all(&["unique", "index"]) || cursor.eat("index") {
                return Ok(reader.index(cursor).ok());
            }
            if !cursor.eat("global") {
                cursor.eat("local");
            }
            let is_temporary = cursor.eat("temp") || cursor.eat("temporary");
            if is_temporary && cursor.eat("table") { reader.table(cursor).map(Some) } else { Ok(None) }
        }
        () => Ok(None),
    }
}

fn drop_table(mut cursor: Cursor<'_, '_>) -> Result<TemporaryStatement, ReadError> {
    let existence = if cursor.eat_all(&["if", "exists"]) { Existence::Optional } else { Existence::Required };
    let names = names(&mut cursor)?;
    if !cursor.eat("cascade") {
        cursor.eat("restrict");
    }
    cursor.finish()?;
    Ok(TemporaryStatement::Drop { names, existence })
}

fn truncate(mut cursor: Cursor<'_, '_>) -> Result<TemporaryStatement, ReadError> {
    cursor.eat("table");
    let names = names(&mut cursor)?;
    if !cursor.eat_all(&["restart", "identity"]) {
        cursor.eat_all(&["continue", "identity"]);
    }
    if !cursor.eat("cascade") {
        cursor.eat("restrict");
    }
    cursor.finish()?;
    Ok(TemporaryStatement::Truncate { names })
}

/// Of one table. All of them, or options, are another statement.
fn analyze(mut cursor: Cursor<'_, '_>) -> Option<TemporaryStatement> {
    let name = cursor.qualified_name().ok()?;
    if cursor.kind() == Some(TokenKind::LeftParen) {
        cursor.bracket().ok()?;
    }
    cursor.finish().ok()?;
    Some(TemporaryStatement::Analyze { name })
}

fn names(cursor: &mut Cursor<'_, '_>) -> Result<Vec<Range<usize>>, ReadError> {
    let mut names = vec![cursor.qualified_name()?];
    while cursor.eat_kind(TokenKind::Comma) {
        names.push(cursor.qualified_name()?);
    }
    Ok(names)
}

/// WITH [NO] DATA, the last words of CREATE TABLE AS.
pub(crate) fn is_with_data(tokens: &Tokens<'_>, at: usize) -> bool {
    let data = if tokens.is_word(at + 1, "no") { at + 2 } else { at + 1 };
    let is_last = matches!(tokens.kind(data + 1), None | Some(TokenKind::Semicolon));
    is_last && tokens.is_word(data, "data") && tokens.is_word(at, "with")
}

struct Reader<'t, 'a> {
    tokens: &'t Tokens<'a>,
    limits: &'t TextLimits,
}

/// Words that end a column's type or default, and begin its next constraint.
const CONSTRAINTS: &[&str] =
    &["constraint", "not", "null", "default", "check", "unique", "primary", "references", "generated", "collate"];

/// Clauses of PostgreSQL's that reach beyond the table, or that nobody has asked for.
const UNSUPPORTED: &[&str] = &[
    "references",
    "like",
    "foreign",
    "inherits",
    "partition",
    "tablespace",
    "using",
    "with",
    "of",
    "execute",
    "deferrable",
    "initially",
    "insert",
    "update",
    "delete",
];

/// Types that stand for an integer and a sequence of its own.
const SERIAL: &[&str] = &["serial", "serial2", "serial4", "serial8", "smallserial", "bigserial"];

/// Classes of operators of `pg_catalog`. Others could be anybody's.
const OPERATOR_CLASSES: &[&str] = &["text_pattern_ops", "varchar_pattern_ops", "bpchar_pattern_ops", "jsonb_path_ops"];

#[derive(Default)]
struct Definitions {
    types: Vec<ast::DataType>,
    expressions: Vec<ast::Expr>,
}

impl<'t, 'a> Reader<'t, 'a> {
    fn expression(&self, range: Range<usize>) -> Result<ast::Expr, ReadError> {
        if let Some(at) = range.clone().find(|at| parse::is_query_word(self.tokens, *at)) {
            let message = "cannot use subquery in this expression";
            return Err(ReadError::new(ReadErrorKind::Grammar, message, Some(self.tokens.position(at))));
        }
        if range.is_empty() {
            return Err(Cursor::new(self.tokens, range).error());
        }
        parse::condition(self.tokens, range, self.limits).map(|tree| *tree)
    }

    fn table(&self, mut cursor: Cursor<'t, 'a>) -> Result<TemporaryStatement, ReadError> {
        let is_new = !cursor.eat_all(&["if", "not", "exists"]);
        let name = cursor.qualified_name()?;
        let list = if cursor.kind() == Some(TokenKind::LeftParen) { Some(cursor.bracket()?) } else { None };
        cursor.eat_all(&["without", "oids"]);
        let mut lifetime = Lifetime::Session;
        if cursor.eat_all(&["on", "commit"]) {
            match () {
                () if cursor.eat("drop") => {
                    if is_new {
                        lifetime = Lifetime::Transaction;
                    }
                }
                () if cursor.eat_all(&["preserve", "rows"]) || cursor.eat_all(&["delete", "rows"]) => {}
                () => return Err(cursor.error()),
            }
        }
        let source = if cursor.eat("as") {
            if let Some(list) = list {
                let mut columns = Cursor::new(self.tokens, list);
                names(&mut columns)?;
                columns.finish()?;
            }
            TableSource::Query(self.query(&cursor)?)
        } else {
            let list = list.ok_or_else(|| self.misfit(&cursor))?;
            self.finish(&cursor)?;
            let mut found = Definitions::default();
            if !list.is_empty() {
                for piece in clauses::split_at_commas(self.tokens, list) {
                    self.definition(Cursor::new(self.tokens, piece), &mut found)?;
                }
            }
            TableSource::Columns { types: found.types, expressions: found.expressions }
        };
        Ok(TemporaryStatement::Create(CreateTemporary { name, source, lifetime }))
    }

    /// What stands behind AS, without WITH [NO] DATA.
    fn query(&self, cursor: &Cursor<'_, '_>) -> Result<Box<ast::Statement>, ReadError> {
        let mut range = cursor.at()..cursor.end();
        for words in [&["with", "no", "data"][..], &["with", "data"]] {
            let start = range.end.saturating_sub(words.len());
            if start > range.start && Cursor::new(self.tokens, start..range.end).are(words) {
                range.end = start;
                break;
            }
        }
        let begins = ["select", "values", "table", "with"].iter().any(|word| cursor.is(word));
        if range.is_empty() || !(begins || cursor.kind() == Some(TokenKind::LeftParen)) {
            return Err(self.misfit(cursor));
        }
        parse::statement(self.tokens, range, self.limits)
    }

    fn definition(&self, mut cursor: Cursor<'t, 'a>, found: &mut Definitions) -> Result<(), ReadError> {
        if cursor.eat("constraint") {
            cursor.name()?;
            return self.table_constraint(cursor, found);
        }
        if ["check", "unique", "primary"].iter().any(|word| cursor.is(word)) {
            return self.table_constraint(cursor, found);
        }
        if ["like", "foreign"].iter().any(|word| cursor.is(word)) {
            return Err(self.misfit(&cursor));
        }
        cursor.name()?;
        let start = cursor.at();
        while !cursor.is_done() && !CONSTRAINTS.iter().any(|word| cursor.is(word)) {
            cursor.skip();
        }
        let range = start..cursor.at();
        let is_serial = range.len() == 1 && SERIAL.iter().any(|word| self.tokens.is_word(start, word));
        if range.is_empty() {
            return Err(cursor.error());
        }
        if !is_serial {
            found.types.extend(parse::types(self.tokens, range, self.limits)?);
        }
        while !cursor.is_done() {
            if cursor.eat("constraint") {
                cursor.name()?;
            }
            self.column_constraint(&mut cursor, found)?;
        }
        Ok(())
    }

    fn column_constraint(&self, cursor: &mut Cursor<'t, 'a>, found: &mut Definitions) -> Result<(), ReadError> {
        match () {
            () if cursor.eat_all(&["not", "null"]) || cursor.eat("null") || cursor.eat_all(&["primary", "key"]) => {}
            () if cursor.eat("unique") => {}
            () if cursor.eat("collate") => {
                cursor.qualified_name()?;
            }
            () if cursor.eat("default") => {
                let start = cursor.at();
                // Its first word may be NULL.
                cursor.skip();
                while !cursor.is_done() && !CONSTRAINTS.iter().any(|word| cursor.is(word)) {
                    cursor.skip();
                }
                found.expressions.push(self.expression(start..cursor.at())?);
            }
            () if cursor.eat("check") => found.expressions.push(self.expression(cursor.bracket()?)?),
            () if cursor.eat("generated") => {
                if !cursor.eat("always") {
                    cursor.expect("by")?;
                    cursor.expect("default")?;
                }
                cursor.expect("as")?;
                if !cursor.eat("identity") {
                    found.expressions.push(self.expression(cursor.bracket()?)?);
                    cursor.expect("stored")?;
                }
            }
            () => return Err(self.misfit(cursor)),
        }
        Ok(())
    }

    fn table_constraint(&self, mut cursor: Cursor<'t, 'a>, found: &mut Definitions) -> Result<(), ReadError> {
        if cursor.eat("check") {
            found.expressions.push(self.expression(cursor.bracket()?)?);
            return self.finish(&cursor);
        }
        if !cursor.eat("unique") {
            cursor.expect("primary")?;
            cursor.expect("key")?;
        }
        let mut columns = Cursor::new(self.tokens, cursor.bracket()?);
        names(&mut columns)?;
        columns.finish()?;
        self.finish(&cursor)
    }

    fn finish(&self, cursor: &Cursor<'_, '_>) -> Result<(), ReadError> {
        if cursor.is_done() { Ok(()) } else { Err(self.misfit(cursor)) }
    }

    /// What PostgreSQL has and we do not is named as such.
    fn misfit(&self, cursor: &Cursor<'_, '_>) -> ReadError {
        let Some(word) = UNSUPPORTED.iter().find(|word| cursor.is(word)) else { return cursor.error() };
        let message = format!("{} in CREATE TEMPORARY TABLE is not supported", word.to_ascii_uppercase());
        ReadError::new(ReadErrorKind::Forbidden, message, Some(self.tokens.position(cursor.at())))
    }

    fn index(&self, mut cursor: Cursor<'t, 'a>) -> Result<TemporaryStatement, ReadError> {
        cursor.eat_all(&["if", "not", "exists"]);
        if !cursor.is("on") {
            cursor.name()?;
        }
        cursor.expect("on")?;
        cursor.eat("only");
        let table = cursor.qualified_name()?;
        if cursor.eat("using") {
            cursor.name()?;
        }
        let mut expressions = Vec::new();
        for piece in clauses::split_at_commas(self.tokens, cursor.bracket()?) {
            expressions.extend(self.key(piece)?);
        }
        if cursor.eat("include") {
            let mut columns = Cursor::new(self.tokens, cursor.bracket()?);
            names(&mut columns)?;
            columns.finish()?;
        }
        if cursor.eat("where") {
            expressions.push(self.expression(cursor.at()..cursor.end())?);
        } else {
            cursor.finish()?;
        }
        Ok(TemporaryStatement::CreateIndex { table, expressions })
    }

    /// A column, or an expression in brackets, or a call.
    fn key(&self, piece: Range<usize>) -> Result<Option<ast::Expr>, ReadError> {
        let mut cursor = Cursor::new(self.tokens, piece.clone());
        let expression = if cursor.kind() == Some(TokenKind::LeftParen) {
            Some(cursor.bracket()?)
        } else {
            cursor.qualified_name()?;
            if cursor.kind() == Some(TokenKind::LeftParen) {
                cursor.bracket()?;
                Some(piece.start..cursor.at())
            } else {
                None
            }
        };
        if let Some(class) = OPERATOR_CLASSES.iter().find(|class| cursor.is(class)) {
            cursor.eat(class);
        }
        if !cursor.eat("asc") {
            cursor.eat("desc");
        }
        if cursor.eat("nulls") && !cursor.eat("first") {
            cursor.expect("last")?;
        }
        cursor.finish()?;
        expression.map(|range| self.expression(range)).transpose()
    }
}
