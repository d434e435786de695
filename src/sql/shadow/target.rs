//! What the parser does not know of targets, and of clauses behind a relation: parts of columns, conflict targets, stars.

use crate::sql::clauses::ConflictTokens;
use crate::sql::keyword::KeywordCategory;
use crate::sql::shadow::Place;
use crate::sql::shadow::Shadow;
use crate::sql::shadow::Step;
use crate::sql::token::TokenKind;
use sqlparser::tokenizer::Token;

/// Subscripts and fields of one target. PostgreSQL's arrays have six dimensions.
const PARTS_MAX: usize = 16;

/// Types that a subscript may be cast to: their input looks at nothing but the value.
const SUBSCRIPT_TYPES: &[&str] = &["int", "integer", "int2", "int4", "int8", "smallint", "bigint", "text", "varchar"];

impl Shadow<'_, '_> {
    /// A part of an array or document as the target of SET or INSERT: the whole column, to the parser.
    pub(crate) fn target_subscript(&self, i: usize) -> Option<usize> {
        let is_name = |at: usize| matches!(self.kind(at), Some(TokenKind::Word | TokenKind::QuotedIdentifier));
        let mut column = self.before(i)?;
        for _ in 0..PARTS_MAX {
            match self.kind(column) {
                Some(TokenKind::RightBracket) => column = self.before(self.tokens.matching(column)?)?,
                // A field, and what it is a field of.
                _ if is_name(column) && self.kind_before(column) == Some(TokenKind::Dot) => {
                    column = self.before(self.before(column)?)?;
                }
                _ => break,
            }
        }
        let is_column = is_name(column);
        let begins = self.before(column)?;
        let close = self.tokens.matching(i)?;
        let is_field = self.kind(close + 1) == Some(TokenKind::Dot) && is_name(close + 2);
        let ends =
            |expected: &[TokenKind]| is_field || self.kind(close + 1).is_some_and(|kind| expected.contains(&kind));
        let is_set = self.is_at(Place::Set)
            && (self.is(begins, "set") || self.kind(begins) == Some(TokenKind::Comma))
            && (ends(&[TokenKind::LeftBracket]) || self.tokens.is_operator(close + 1, "="));
        let is_inserted = matches!(self.kind(begins), Some(TokenKind::LeftParen | TokenKind::Comma))
            && ends(&[TokenKind::LeftBracket, TokenKind::Comma, TokenKind::RightParen])
            && self.brackets.last().is_some_and(|open| self.is_insert_list(*open));
        let is_plain = (i + 1..close).all(|part| self.is_plain_subscript(part));
        (is_column && is_plain && (is_set || is_inserted)).then_some(close + 1)
    }

    fn is_plain_subscript(&self, i: usize) -> bool {
        match self.kind(i) {
            Some(TokenKind::String) => !matches!(self.kind_before(i), Some(TokenKind::Word)),
            Some(
                TokenKind::Integer | TokenKind::Number | TokenKind::Parameter | TokenKind::Colon | TokenKind::Typecast,
            ) => true,
            Some(TokenKind::Operator) => self.tokens.text(i) == "-",
            Some(TokenKind::Word) => {
                self.is(i, "null")
                    || (self.kind_before(i) == Some(TokenKind::Typecast) && self.is_one_of(i, SUBSCRIPT_TYPES))
            }
            _ => false,
        }
    }

    /// The bracket opens the column list of an INSERT.
    fn is_insert_list(&self, open: usize) -> bool {
        let is_name = |i: usize| matches!(self.kind(i), Some(TokenKind::Word | TokenKind::QuotedIdentifier));
        let Some(mut at) = self.before(open).filter(|at| is_name(*at)) else { return false };
        if self.is_before(at, &["as"]) {
            match self.before(at).and_then(|as_| self.before(as_)).filter(|name| is_name(*name)) {
                Some(name) => at = name,
                None => return false,
            }
        }
        while self.kind_before(at) == Some(TokenKind::Dot) {
            match self.before(at).and_then(|dot| self.before(dot)).filter(|part| is_name(*part)) {
                Some(part) => at = part,
                None => return false,
            }
        }
        self.is_before(at, &["into"])
    }

    /// The target of ON CONFLICT is left out; the guard reads it on the tokens.
    pub(crate) fn conflict_target(&mut self, i: usize) -> Step {
        let Some(ConflictTokens { elements, condition }) = ConflictTokens::read(self.tokens, i) else {
            return match self.kind(i + 1) {
                // A function of that name in the condition of a join, which the parser would take for the clause.
                Some(TokenKind::LeftParen) => Err(self.refused(i, "a call of \"conflict\" behind ON is not supported")),
                _ => Ok(None),
            };
        };
        let end = condition.map_or(elements.end + 1, |condition| condition.end);
        if let Some(query) =
            (elements.start..end).find(|at| self.is_one_of(*at, &["select", "values", "table", "with"]))
        {
            return Err(self.refused(query, self.tokens.misplaced(query)));
        }
        let token = self.token(i)?;
        self.push(i, token);
        Ok(Some(end))
    }

    /// `t *` in FROM says that children are read too, as they are without it.
    pub(crate) fn is_inheritance_star(&self, i: usize) -> bool {
        let is_name = |at: usize| matches!(self.kind(at), Some(TokenKind::Word | TokenKind::QuotedIdentifier));
        let Some(mut at) = self.before(i).filter(|at| is_name(*at)) else { return false };
        while self.kind_before(at) == Some(TokenKind::Dot) {
            match self.before(at).and_then(|dot| self.before(dot)).filter(|part| is_name(*part)) {
                Some(part) => at = part,
                None => return false,
            }
        }
        if matches!(self.tokens.keyword(at), Some(KeywordCategory::Reserved | KeywordCategory::TypeFunctionName)) {
            return false;
        }
        let in_function = self
            .brackets
            .last()
            .is_some_and(|open| self.is_before(*open, &["extract", "substring", "overlay", "trim", "position"]));
        let is_distinct = self.before(at).is_some_and(|from| self.is_before(from, &["distinct"]));
        if self.is_before(at, &["from"]) {
            return !in_function && !is_distinct;
        }
        let is_listed = self.is_at(Place::From) && self.kind_before(at) == Some(TokenKind::Comma) && !in_function;
        is_listed
            || self.is_before(at, &["join", "into"])
            || (self.is_before(at, &["update"]) && self.is_one_of(i + 1, &["set", "as"]))
    }

    /// `JOIN … USING (a) AS j`: the guard reads the name on the tokens.
    pub(crate) fn is_merge_alias(&self, i: usize) -> bool {
        let open = self.before(i).filter(|close| self.kind(*close) == Some(TokenKind::RightParen));
        let open = open.and_then(|close| self.tokens.matching(close));
        let is_using = open.is_some_and(|open| self.is_before(open, &["using"]));
        is_using
            && self.name_end(i + 1) == Some(i + 2)
            && self.check_name(i + 1).is_ok()
            && self.kind(i + 2) != Some(TokenKind::LeftParen)
    }

    pub(crate) fn is_behind_cte(&self, i: usize) -> bool {
        let open = self.before(i).filter(|close| self.kind(*close) == Some(TokenKind::RightParen));
        let open = open.and_then(|close| self.tokens.matching(close));
        let is_words = match self.is(i, "search") {
            true => self.is_one_of(i + 1, &["depth", "breadth"]) && self.is(i + 2, "first") && self.is(i + 3, "by"),
            false => self.name_end(i + 1) == Some(i + 2),
        };
        // Behind the first of the two, the other may follow.
        let follows_search = self.is(i, "cycle") && self.out.last().is_some_and(|last| last.token == Token::RParen);
        is_words && (open.is_some_and(|open| self.is_before_cte_query(open)) || follows_search)
    }

    fn is_before_cte_query(&self, open: usize) -> bool {
        self.before(open).is_some_and(|word| self.is_one_of(word, &["as", "materialized"]))
    }

    /// SEARCH and CYCLE add columns to the rows of a recursion, and read nothing.
    pub(crate) fn search_or_cycle(&mut self, i: usize) -> Step {
        let mut at = if self.is(i, "search") { i + 4 } else { i + 1 };
        loop {
            self.check_name(at)?;
            let Some(end) = self.name_end(at).filter(|end| *end == at + 1) else { return Ok(None) };
            at = end;
            if self.kind(at) != Some(TokenKind::Comma) {
                break;
            }
            at += 1;
        }
        if !self.is(at, "set") || self.name_end(at + 1) != Some(at + 2) {
            return Ok(None);
        }
        self.check_name(at + 1)?;
        at += 2;
        if self.is(i, "search") {
            return Ok(Some(at));
        }
        if self.is(at, "to") && self.is(at + 2, "default") {
            let is_plain = |i: usize| match self.kind(i) {
                Some(TokenKind::String | TokenKind::Integer | TokenKind::Number) => true,
                _ => self.is_one_of(i, &["true", "false", "null"]),
            };
            if !is_plain(at + 1) || !is_plain(at + 3) {
                return Err(self.refused(at + 1, "this value of CYCLE is not supported"));
            }
            at += 4;
        }
        if !self.is(at, "using") || self.name_end(at + 1) != Some(at + 2) {
            return Ok(None);
        }
        self.check_name(at + 1)?;
        Ok(Some(at + 2))
    }

    /// `RETURNING WITH (OLD AS o, NEW AS n) …`: other names for what is unknown to the parser anyway.
    pub(crate) fn returning_with(&mut self, i: usize) -> Option<usize> {
        let open = i + 2;
        if !self.is(i + 1, "with") || self.kind(open) != Some(TokenKind::LeftParen) {
            return None;
        }
        let close = self.tokens.matching(open)?;
        let mut at = open + 1;
        while at < close {
            let is_name = self.is_one_of(at, &["old", "new"])
                && self.is(at + 1, "as")
                && self.name_end(at + 2) == Some(at + 3)
                && self.check_name(at + 2).is_ok();
            let ends = at + 3 == close || self.kind(at + 3) == Some(TokenKind::Comma);
            if !is_name || !ends {
                return None;
            }
            at += 4;
        }
        self.push(i, Token::make_keyword("RETURNING"));
        Some(close + 1)
    }
}
