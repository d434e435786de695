//! The parser's copy of a statement: PostgreSQL's tokens as the parser's own, changed where the two grammars differ.
//!
//! No change here may add or hide a relation, a function or a type. What is sent comes from the original tokens.

mod clause;
mod expression;
mod target;

use crate::sql::error::ReadError;
use crate::sql::error::ReadErrorKind;
use crate::sql::keyword::KeywordCategory;
use crate::sql::token::TokenKind;
use crate::sql::token::Tokens;
use crate::sql::vocabulary;
use sqlparser::keywords::Keyword;
use sqlparser::tokenizer::Location;
use sqlparser::tokenizer::Span;
use sqlparser::tokenizer::Token;
use sqlparser::tokenizer::TokenWithSpan;
use sqlparser::tokenizer::Word;
use std::ops::Range;

pub(crate) struct Shadow<'t, 'a> {
    pub(crate) tokens: &'t Tokens<'a>,
    pub(crate) end: usize,
    start: usize,
    out: Vec<TokenWithSpan>,
    /// Brackets that only the parser sees, before these tokens.
    opens: Vec<usize>,
    closes: Vec<usize>,
    /// Brackets that the parser does not see.
    hidden: Vec<usize>,
    /// What is being read, for each open bracket and outside of all.
    places: Vec<Place>,
    /// The brackets that are open.
    brackets: Vec<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// A SELECT's list, with no FROM behind it yet.
    List,
    From,
    /// The assignments of SET.
    Set,
    GroupBy,
    Other,
}

type Step = Result<Option<usize>, ReadError>;

/// The parser's tokens for a statement.
pub(crate) fn shadow(tokens: &Tokens<'_>, range: Range<usize>) -> Result<Vec<TokenWithSpan>, ReadError> {
    let mut shadow = Shadow::new(tokens, range.clone());
    shadow.out.reserve(range.len() + 8);
    let mut i = range.start;
    while i < range.end {
        i = shadow.step(i)?;
    }
    Ok(shadow.out)
}

/// The parser's tokens for a query of nothing but a condition, which has no word of its own before it: what stands
/// there is no part of it, and only lends its number.
pub(crate) fn condition(tokens: &Tokens<'_>, range: Range<usize>) -> Result<Vec<TokenWithSpan>, ReadError> {
    // In brackets: no clause can follow.
    let words = [Token::make_keyword("SELECT"), Token::Mul, Token::make_keyword("WHERE"), Token::LParen];
    inside(&words, tokens, range)
}

fn inside(words: &[Token], tokens: &Tokens<'_>, range: Range<usize>) -> Result<Vec<TokenWithSpan>, ReadError> {
    let before = range.start.saturating_sub(1);
    let mut out: Vec<_> = words.iter().map(|token| TokenWithSpan::new(token.clone(), span(before))).collect();
    out.extend(shadow(tokens, range.clone())?);
    out.push(TokenWithSpan::new(Token::RParen, span(range.end.saturating_sub(1))));
    Ok(out)
}

/// The span that stands for a token.
fn span(i: usize) -> Span {
    let location = Location::new(1, i as u64 + 1);
    Span::new(location, location)
}

impl<'t, 'a> Shadow<'t, 'a> {
    fn new(tokens: &'t Tokens<'a>, range: Range<usize>) -> Self {
        let (out, opens, closes, hidden) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        Self {
            tokens,
            start: range.start,
            end: range.end,
            out,
            opens,
            closes,
            hidden,
            places: vec![Place::Other],
            brackets: Vec::new(),
        }
    }
}

impl Shadow<'_, '_> {
    pub(crate) fn push(&mut self, i: usize, token: Token) {
        self.out.push(TokenWithSpan::new(token, span(i)));
    }

    /// An unquoted word of the statement.
    pub(crate) fn is(&self, i: usize, word: &str) -> bool {
        i < self.end && self.tokens.is_word(i, word)
    }

    pub(crate) fn is_one_of(&self, i: usize, words: &[&str]) -> bool {
        words.iter().any(|word| self.is(i, word))
    }

    pub(crate) fn kind(&self, i: usize) -> Option<TokenKind> {
        if i < self.end { self.tokens.kind(i) } else { None }
    }

    pub(crate) fn before(&self, i: usize) -> Option<usize> {
        if i > self.start { i.checked_sub(1) } else { None }
    }

    /// Whether one of these words stands before a token, and is no name there.
    pub(crate) fn is_before(&self, i: usize, words: &[&str]) -> bool {
        let Some(word) = self.before(i).filter(|word| self.is_one_of(*word, words)) else { return false };
        self.kind_before(word) != Some(TokenKind::Dot) && !self.before(word).is_some_and(|before| self.is(before, "as"))
    }

    pub(crate) fn kind_before(&self, i: usize) -> Option<TokenKind> {
        self.before(i).and_then(|before| self.kind(before))
    }

    /// A word that follows a dot or AS is a name, whatever it is elsewhere.
    fn is_name_by_place(&self, i: usize) -> bool {
        self.kind_before(i) == Some(TokenKind::Dot)
            || (self.before(i).is_some_and(|before| self.is(before, "as"))
                && !self.is_one_of(i, &["materialized", "not"]))
    }

    /// Where the relation's name ends that begins here.
    pub(crate) fn name_end(&self, start: usize) -> Option<usize> {
        let is_part = |i| matches!(self.kind(i), Some(TokenKind::Word | TokenKind::QuotedIdentifier));
        if !is_part(start) {
            return None;
        }
        let mut end = start + 1;
        while self.kind(end) == Some(TokenKind::Dot) && is_part(end + 1) {
            end += 2;
        }
        Some(end)
    }

    pub(crate) fn refused(&self, i: usize, message: impl Into<String>) -> ReadError {
        ReadError::new(ReadErrorKind::Forbidden, message, Some(self.tokens.position(i)))
    }

    /// Copies a token, or what stands in its place, and says where to go on.
    pub(crate) fn step(&mut self, i: usize) -> Result<usize, ReadError> {
        while self.closes.last() == Some(&i) {
            self.closes.pop();
            self.push(i, Token::RParen);
        }
        while self.opens.last() == Some(&i) {
            self.opens.pop();
            self.push(i, Token::LParen);
        }
        if self.hidden.last() == Some(&i) {
            self.hidden.pop();
            return Ok(i + 1);
        }
        self.enter(i);
        let next = match self.kind(i) {
            Some(TokenKind::Word) if self.is_name_by_place(i) => self.typed_literal(i)?,
            Some(TokenKind::Word) => match self.clause(i)? {
                Some(next) => Some(next),
                None => self.typed_literal(i)?,
            },
            Some(TokenKind::QuotedIdentifier) => self.typed_literal(i)?,
            Some(TokenKind::RightParen) => self.closing(i),
            Some(TokenKind::LeftBracket) => self.target_subscript(i),
            Some(TokenKind::Operator) if self.tokens.text(i) == "*" && self.is_inheritance_star(i) => Some(i + 1),
            Some(TokenKind::String) => {
                self.frame_bound(i);
                None
            }
            _ => None,
        };
        if let Some(next) = next {
            return Ok(next);
        }
        let token = self.token(i)?;
        self.push(i, token);
        Ok(i + 1)
    }

    /// The parser's token for one of ours.
    pub(crate) fn token(&self, i: usize) -> Result<Token, ReadError> {
        let text = self.tokens.source_text(i);
        let token = match self.kind(i) {
            Some(TokenKind::Word) => return Ok(self.word(i)),
            Some(TokenKind::QuotedIdentifier) => {
                let value = self.tokens.identifier(i).unwrap_or_default();
                Token::Word(Word { value, quote_style: Some('"'), keyword: Keyword::NoKeyword })
            }
            Some(TokenKind::String) => {
                if self.kind(i + 1) == Some(TokenKind::String) {
                    return Err(self.refused(i + 1, "syntax error: two strings without an operator between them"));
                }
                let value = self.tokens.source_string(i).unwrap_or_default();
                if text.starts_with(['n', 'N']) {
                    Token::NationalStringLiteral(value)
                } else {
                    Token::SingleQuotedString(value)
                }
            }
            Some(TokenKind::BitString) => bit_string(&self.tokens.emitted(i)),
            Some(TokenKind::Integer | TokenKind::Number) => Token::Number(text.to_owned(), false),
            Some(TokenKind::Parameter) => {
                Token::Placeholder(format!("${}", self.tokens.parameter(i).unwrap_or_default()))
            }
            Some(TokenKind::Operator) => vocabulary::operator(text),
            Some(TokenKind::Comma) => Token::Comma,
            Some(TokenKind::Semicolon) => Token::SemiColon,
            Some(TokenKind::Dot) => Token::Period,
            Some(TokenKind::LeftParen) => Token::LParen,
            Some(TokenKind::RightParen) => Token::RParen,
            Some(TokenKind::LeftBracket) => Token::LBracket,
            Some(TokenKind::RightBracket) => Token::RBracket,
            Some(TokenKind::Colon) => Token::Colon,
            Some(TokenKind::Typecast) => Token::DoubleColon,
            Some(TokenKind::ColonEquals) => Token::Assignment,
            Some(TokenKind::EqualsGreater) => Token::RArrow,
            Some(TokenKind::DotDot) | None => {
                return Err(self.refused(i, self.tokens.misplaced(i)));
            }
        };
        Ok(token)
    }

    /// An unquoted word, which the parser may take for a keyword only where PostgreSQL does.
    fn word(&self, i: usize) -> Token {
        let name = self.tokens.text(i).to_ascii_lowercase();
        if self.kind_before(i) != Some(TokenKind::Dot) && self.is_keyword(i, &name) {
            Token::make_word(&name, None)
        } else {
            vocabulary::plain_word(name)
        }
    }

    fn is_keyword(&self, i: usize, name: &str) -> bool {
        let opens = self.kind(i + 1) == Some(TokenKind::LeftParen);
        match name {
            "trim" | "exists" | "xmltable" | "json_table" => opens,
            "extract" | "position" | "substring" | "overlay" => opens && self.has_words_inside(i + 1),
            "values" => opens || self.is_before(i, &["default"]),
            "array" => opens || self.kind(i + 1) == Some(TokenKind::LeftBracket) || self.is_json_or_type(i),
            "interval" => {
                opens
                    || self.kind(i + 1) == Some(TokenKind::String)
                    || self.is_before(i, &["as"])
                    || self.kind_before(i) == Some(TokenKind::Typecast)
            }
            "partition" => self.is(i + 1, "by"),
            "over" => self.kind_before(i) == Some(TokenKind::RightParen),
            "filter" => opens && self.kind_before(i) == Some(TokenKind::RightParen),
            "within" => self.is(i + 1, "group"),
            "grouping" => self.is(i + 1, "sets"),
            "rollup" | "cube" => {
                opens
                    && (self.is_at(Place::GroupBy) || self.is_in_grouping_sets())
                    && (self.is_before(i, &["by", "distinct", "all"])
                        || matches!(self.kind_before(i), Some(TokenKind::Comma | TokenKind::LeftParen)))
            }
            "first" => self.is_before(i, &["fetch", "nulls"]),
            "next" => self.is_before(i, &["fetch"]),
            "last" => self.is_before(i, &["nulls"]),
            "nulls" => self.is_one_of(i + 1, &["first", "last"]),
            "at" => self.is(i + 1, "time"),
            "current" => self.is(i + 1, "row"),
            "operator" => opens,
            // `AS NOT MATERIALIZED`: the words after AS are none of its names here.
            "materialized" => self.before(i).is_some_and(|word| self.is_one_of(word, &["as", "not"])),
            "source" | "target" => self.is_before(i, &["by"]),
            "nothing" => self.is_before(i, &["do"]),
            "any" | "some" | "all" if opens => self.is_plain_comparison(i) || name == "all" && self.is_set_all(i),
            _ => vocabulary::is_keyword(name),
        }
    }

    /// Whether a call has words between its arguments instead of commas. Else it is a function like any other.
    fn has_words_inside(&self, open: usize) -> bool {
        let Some(close) = self.tokens.matching(open) else { return false };
        let mut i = open + 1;
        while i < close {
            if matches!(self.kind(i), Some(TokenKind::LeftParen | TokenKind::LeftBracket)) {
                i = self.tokens.matching(i).unwrap_or(i);
            } else if self.is_one_of(i, &["from", "for", "in", "placing", "similar"])
                && self.kind_before(i) != Some(TokenKind::Dot)
            {
                return true;
            }
            i += 1;
        }
        false
    }

    fn is_json_or_type(&self, i: usize) -> bool {
        self.is_before(i, &["json", "is"])
    }

    /// Whether ANY, SOME or ALL follows an operator that the parser takes before it.
    fn is_plain_comparison(&self, i: usize) -> bool {
        let Some(before) = self.before(i) else { return false };
        match self.kind(before) {
            Some(TokenKind::Operator) => vocabulary::compares_with_any(self.tokens.text(before)),
            _ => self.is_one_of(before, &["like", "ilike"]) && !self.is(i, "all") && !self.is(i, "some"),
        }
    }

    fn is_set_all(&self, i: usize) -> bool {
        self.is_before(i, &["union", "intersect", "except", "select", "by"])
    }

    pub(crate) fn is_at(&self, place: Place) -> bool {
        self.places.last() == Some(&place)
    }

    /// Keeps track of the clause that the tokens here are in.
    fn enter(&mut self, i: usize) {
        const OTHER_CLAUSES: &[&str] = &[
            "where",
            "returning",
            "values",
            "order",
            "when",
            "having",
            "window",
            "limit",
            "offset",
            "fetch",
            "union",
            "intersect",
            "except",
        ];
        match self.kind(i) {
            Some(TokenKind::LeftParen) => {
                self.places.push(Place::Other);
                self.brackets.push(i);
            }
            Some(TokenKind::RightParen) => {
                self.places.pop();
                self.brackets.pop();
            }
            Some(TokenKind::Word)
                if self.tokens.keyword(i).is_some() && self.kind_before(i) != Some(TokenKind::Dot) =>
            {
                let place = match () {
                    () if self.is(i, "set") => Place::Set,
                    () if self.is(i, "select") => Place::List,
                    () if self.is(i, "from") && !self.is_before(i, &["distinct"]) => Place::From,
                    () if self.is(i, "group") && self.is(i + 1, "by") => Place::GroupBy,
                    () if self.is_one_of(i, OTHER_CLAUSES) => Place::Other,
                    () => return,
                };
                self.places.pop();
                self.places.push(place);
            }
            _ => {}
        }
    }

    /// A word that PostgreSQL cannot take for a name would mean something else to it.
    pub(crate) fn check_name(&self, i: usize) -> Result<(), ReadError> {
        let follows_dot = self.kind_before(i) == Some(TokenKind::Dot);
        match self.tokens.keyword(i) {
            Some(KeywordCategory::Reserved | KeywordCategory::TypeFunctionName) if !follows_dot => {
                Err(self.refused(i, self.tokens.misplaced(i)))
            }
            _ => Ok(()),
        }
    }
}

fn bit_string(text: &str) -> Token {
    let digits = text.split('\'').nth(1).unwrap_or_default().to_owned();
    if text.starts_with(['x', 'X']) {
        Token::HexStringLiteral(digits)
    } else {
        Token::SingleQuotedByteStringLiteral(digits)
    }
}
