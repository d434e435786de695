//! A reader that walks the tokens of one statement word by word, for grammars small enough to match by hand.

use crate::sql::error::ReadError;
use crate::sql::error::ReadErrorKind;
use crate::sql::keyword::KeywordCategory;
use crate::sql::token::TokenKind;
use crate::sql::token::Tokens;
use std::ops::Range;

#[derive(Clone)]
pub(crate) struct Cursor<'t, 'a> {
    tokens: &'t Tokens<'a>,
    at: usize,
    end: usize,
}

impl<'t, 'a> Cursor<'t, 'a> {
    pub(crate) fn new(tokens: &'t Tokens<'a>, range: Range<usize>) -> Self {
        Self { tokens, at: range.start, end: range.end }
    }

    pub(crate) fn at(&self) -> usize {
        self.at
    }

    pub(crate) fn end(&self) -> usize {
        self.end
    }

    pub(crate) fn is_done(&self) -> bool {
        self.at >= self.end
    }

    pub(crate) fn kind(&self) -> Option<TokenKind> {
        if self.is_done() { None } else { self.tokens.kind(self.at) }
    }

    pub(crate) fn is(&self, word: &str) -> bool {
        !self.is_done() && self.tokens.is_word(self.at, word)
    }

    /// Whether these words come next.
    pub(crate) fn are(&self, words: &[&str]) -> bool {
        words
            .iter()
            .enumerate()
            .all(|(offset, word)| self.at + offset < self.end && self.tokens.is_word(self.at + offset, word))
    }

    pub(crate) fn eat(&mut self, word: &str) -> bool {
        self.eat_all(&[word])
    }

    pub(crate) fn eat_all(&mut self, words: &[&str]) -> bool {
        let matches = self.are(words);
        if matches {
            self.at += words.len();
        }
        matches
    }

    pub(crate) fn eat_kind(&mut self, kind: TokenKind) -> bool {
        let matches = self.kind() == Some(kind);
        if matches {
            self.at += 1;
        }
        matches
    }

    pub(crate) fn is_operator(&self, operator: &str) -> bool {
        !self.is_done() && self.tokens.is_operator(self.at, operator)
    }

    pub(crate) fn eat_operator(&mut self, operator: &str) -> bool {
        let matches = self.is_operator(operator);
        if matches {
            self.at += 1;
        }
        matches
    }

    pub(crate) fn expect(&mut self, word: &str) -> Result<(), ReadError> {
        if self.eat(word) { Ok(()) } else { Err(self.error()) }
    }

    pub(crate) fn expect_kind(&mut self, kind: TokenKind) -> Result<(), ReadError> {
        if self.eat_kind(kind) { Ok(()) } else { Err(self.error()) }
    }

    /// Goes past the next token, or the bracket that begins here.
    pub(crate) fn skip(&mut self) {
        let opens = matches!(self.kind(), Some(TokenKind::LeftParen | TokenKind::LeftBracket));
        let last = if opens { self.tokens.matching(self.at).unwrap_or(self.at) } else { self.at };
        self.at = last.saturating_add(1).min(self.end);
    }

    /// Goes on behind the bracket that belongs to the one here; what stands between is given back.
    pub(crate) fn bracket(&mut self) -> Result<Range<usize>, ReadError> {
        let start = self.at + 1;
        match self.tokens.matching(self.at) {
            Some(close) if self.kind() == Some(TokenKind::LeftParen) && close < self.end => {
                self.at = close + 1;
                Ok(start..close)
            }
            _ => Err(self.error()),
        }
    }

    /// A name where PostgreSQL takes a column's or a table's.
    pub(crate) fn name(&mut self) -> Result<String, ReadError> {
        let is_free = !matches!(
            self.tokens.keyword(self.at),
            Some(KeywordCategory::Reserved | KeywordCategory::TypeFunctionName)
        );
        self.identifier_if(is_free)
    }

    /// A name where PostgreSQL takes any word.
    pub(crate) fn label(&mut self) -> Result<String, ReadError> {
        self.identifier_if(true)
    }

    /// A name where PostgreSQL takes any word but a reserved one.
    pub(crate) fn unreserved(&mut self) -> Result<String, ReadError> {
        let is_free = !matches!(self.tokens.keyword(self.at), Some(KeywordCategory::Reserved));
        self.identifier_if(is_free)
    }

    fn identifier_if(&mut self, is_free: bool) -> Result<String, ReadError> {
        match self.tokens.identifier(self.at) {
            Some(name) if is_free && !self.is_done() => {
                self.at += 1;
                Ok(name)
            }
            _ => Err(self.error()),
        }
    }

    /// A name with its schema: the tokens of all its parts.
    pub(crate) fn qualified_name(&mut self) -> Result<Range<usize>, ReadError> {
        let start = self.at;
        self.name()?;
        while self.eat_kind(TokenKind::Dot) {
            self.label()?;
        }
        Ok(start..self.at)
    }

    pub(crate) fn string(&mut self) -> Result<String, ReadError> {
        match self.tokens.string(self.at) {
            Some(value) if !self.is_done() && !self.tokens.text(self.at).starts_with(['n', 'N']) => {
                self.at += 1;
                Ok(value)
            }
            _ => Err(self.error()),
        }
    }

    /// A number, with its sign.
    pub(crate) fn number(&mut self) -> Result<String, ReadError> {
        let sign = if self.eat_operator("-") {
            "-"
        } else {
            self.eat_operator("+");
            ""
        };
        match self.kind() {
            Some(TokenKind::Integer | TokenKind::Number) => {
                let value = format!("{sign}{}", self.tokens.text(self.at));
                self.at += 1;
                Ok(value)
            }
            _ => Err(self.error()),
        }
    }

    /// TRUE, FALSE, ON, a word that is not reserved, or a string.
    pub(crate) fn word_or_string(&mut self) -> Result<String, ReadError> {
        if self.kind() == Some(TokenKind::String) {
            return self.string();
        }
        for word in ["true", "false", "on"] {
            if self.eat(word) {
                return Ok(word.to_owned());
            }
        }
        self.unreserved()
    }

    /// The statement must end here.
    pub(crate) fn finish(&self) -> Result<(), ReadError> {
        if self.is_done() { Ok(()) } else { Err(self.error()) }
    }

    pub(crate) fn error(&self) -> ReadError {
        let (message, position) = if self.is_done() {
            ("syntax error at end of input".to_owned(), None)
        } else {
            (self.tokens.misplaced(self.at), Some(self.tokens.position(self.at)))
        };
        ReadError::new(ReadErrorKind::Grammar, message, position)
    }
}
