//! Expressions that the parser does not know, or knows as something else.

use crate::sql::keyword::KeywordCategory;
use crate::sql::shadow::Shadow;
use crate::sql::shadow::Step;
use crate::sql::token::TokenKind;
use sqlparser::tokenizer::Token;

impl Shadow<'_, '_> {
    /// A subquery behind ANY or ALL that is a call to the parser needs its own brackets.
    pub(crate) fn quantified(&mut self, i: usize) -> Option<usize> {
        let open = i + 1;
        if self.is_combined_query(open) && !self.is_set_all(i) {
            self.opens.push(open);
            self.closes.push(self.tokens.matching(open)?);
            return None;
        }
        let is_query = self.kind(open) == Some(TokenKind::LeftParen)
            && self.is_one_of(open + 1, &["select", "values", "with", "table"]);
        if !is_query || self.is_plain_comparison(i) || self.is_set_all(i) {
            return None;
        }
        self.opens.push(open);
        self.closes.push(self.tokens.matching(open)?);
        None
    }

    /// `((SELECT …) UNION …)`
    fn is_combined_query(&self, open: usize) -> bool {
        const COMBINE: &[&str] = &["union", "intersect", "except", "order", "limit", "offset", "fetch", "for"];
        let is_open = |at: usize| self.kind(at) == Some(TokenKind::LeftParen);
        let close = self.tokens.matching(open + 1).filter(|_| is_open(open) && is_open(open + 1));
        close.is_some_and(|close| self.is_one_of(close + 1, COMBINE))
    }

    /// `(…).*` keeps its columns, and names no relation.
    pub(crate) fn closing(&mut self, i: usize) -> Option<usize> {
        let is_star = self.kind(i + 1) == Some(TokenKind::Dot) && self.tokens.is_operator(i + 2, "*");
        if !is_star || i + 2 >= self.end {
            return None;
        }
        self.push(i, Token::RParen);
        Some(i + 3)
    }

    /// `type 'value'` as `'value'::type`, which says the same.
    pub(crate) fn typed_literal(&mut self, i: usize) -> Step {
        if self.kind_before(i) == Some(TokenKind::Dot) {
            return Ok(None);
        }
        let Some(end) = self.name_end(i) else { return Ok(None) };
        let last = end - 1;
        if self.kind(end) != Some(TokenKind::String) {
            return Ok(None);
        }
        let is_type = match self.tokens.keyword(last) {
            None => true,
            Some(_) if last > i => true,
            Some(_) => self.is_one_of(i, &["text", "json", "xml", "name"]),
        };
        if !is_type {
            return Ok(None);
        }
        let is_operand_before = matches!(
            self.kind_before(i),
            Some(
                TokenKind::QuotedIdentifier
                    | TokenKind::String
                    | TokenKind::Integer
                    | TokenKind::Number
                    | TokenKind::Parameter
                    | TokenKind::RightParen
                    | TokenKind::RightBracket
                    | TokenKind::BitString
            )
        );
        if is_operand_before || self.kind(end + 1) == Some(TokenKind::String) {
            return Err(self.refused(end, self.tokens.misplaced(end)));
        }
        let value = self.token(end)?;
        self.push(end, value);
        self.push(i, Token::DoubleColon);
        for part in i..end {
            let token = self.token(part)?;
            self.push(part, token);
        }
        Ok(Some(end + 1))
    }

    pub(crate) fn collation(&self, i: usize) -> Step {
        let Some(end) = self.name_end(i + 1) else { return Ok(None) };
        self.check_name(i + 1)?;
        Ok(Some(end))
    }

    /// `trim(both from x)` as `trim(both x)`.
    pub(crate) fn trimmed(&self, i: usize) -> Option<usize> {
        let open = self.before(self.before(i)?)?;
        let is_trim = self.kind(open) == Some(TokenKind::LeftParen) && self.is_before(open, &["trim"]);
        is_trim.then_some(i + 1)
    }

    /// `substring(a similar b escape c)` as `substring(a from b for c)`.
    pub(crate) fn similar_part(&mut self, i: usize) -> Option<usize> {
        let open = *self.brackets.last()?;
        let is_part = self.is_before(open, &["substring"])
            && !(self.is(i, "similar") && self.is(i + 1, "to"))
            && self.has_similar(open);
        if !is_part {
            return None;
        }
        self.push(i, Token::make_keyword(if self.is(i, "similar") { "FROM" } else { "FOR" }));
        Some(i + 1)
    }

    /// Whether SIMILAR stands in a call of `substring`, and no other of its words.
    fn has_similar(&self, open: usize) -> bool {
        let Some(close) = self.tokens.matching(open) else { return false };
        let mut similar = false;
        let mut i = open + 1;
        while i < close {
            match self.kind(i) {
                Some(TokenKind::LeftParen | TokenKind::LeftBracket) => i = self.tokens.matching(i).unwrap_or(i),
                Some(TokenKind::Comma) => return false,
                Some(TokenKind::Word) if self.is_one_of(i, &["from", "for", "like", "ilike"]) => return false,
                Some(TokenKind::Word) if self.is(i, "similar") => {
                    if similar || self.is(i + 1, "to") {
                        return false;
                    }
                    similar = true;
                }
                _ => {}
            }
            i += 1;
        }
        similar
    }

    pub(crate) fn frame_exclusion(&self, i: usize) -> Option<usize> {
        let end = match () {
            () if self.is(i + 1, "current") && self.is(i + 2, "row") => i + 3,
            () if self.is(i + 1, "no") && self.is(i + 2, "others") => i + 3,
            () if self.is_one_of(i + 1, &["group", "ties"]) => i + 2,
            () => return None,
        };
        let is_frame =
            self.is_before(i, &["preceding", "following", "row"]) && self.kind(end) == Some(TokenKind::RightParen);
        is_frame.then_some(end)
    }

    /// A string as the bound of a window frame is no interval just because of that: brackets keep it what it is.
    pub(crate) fn frame_bound(&mut self, i: usize) {
        const BOUND_TOKENS_MAX: usize = 12;
        if !self.is_before(i, &["between", "and", "rows", "range", "groups"]) {
            return;
        }
        let mut end = i + 1;
        while end < i + BOUND_TOKENS_MAX {
            match self.kind(end) {
                Some(TokenKind::Word) if self.is_one_of(end, &["preceding", "following"]) => {
                    self.push(i, Token::LParen);
                    self.closes.push(end);
                    return;
                }
                Some(TokenKind::Typecast | TokenKind::Dot | TokenKind::QuotedIdentifier) => {}
                Some(TokenKind::Word) if !matches!(self.tokens.keyword(end), Some(KeywordCategory::Reserved)) => {}
                _ => return,
            }
            end += 1;
        }
    }

    /// `x ISNULL` as `x IS NULL`.
    pub(crate) fn null_test(&mut self, i: usize) -> Option<usize> {
        self.before(i)?;
        self.push(i, Token::make_keyword("IS"));
        if self.is(i, "notnull") {
            self.push(i, Token::make_keyword("NOT"));
        }
        self.push(i, Token::make_keyword("NULL"));
        Some(i + 1)
    }
}
