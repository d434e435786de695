//! A text cut into tokens, exactly as every supported version of PostgreSQL cuts it.

use crate::sql::error::ReadError;
use crate::sql::error::TextLimits;
use crate::sql::keyword::KeywordCategory;
use crate::sql::literal;
use crate::sql::scan;

#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum TokenKind {
    Word,
    QuotedIdentifier,
    String,
    BitString,
    /// Digits that fit 32 bits with sign, which PostgreSQL treats as another kind than all other numbers.
    Integer,
    Number,
    Parameter,
    Operator,
    Comma,
    Semicolon,
    Dot,
    DotDot,
    LeftParen,
    RightParen,
    LeftBracket,
    RightBracket,
    Colon,
    /// `::`
    Typecast,
    /// `:=`
    ColonEquals,
    /// `=>`
    EqualsGreater,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Token {
    pub kind: TokenKind,
    /// Bytes of the source.
    pub(crate) start: u32,
    pub(crate) end: u32,
    /// Character in the source, from 1.
    pub(crate) position: u32,
    pub(crate) keyword: Option<KeywordCategory>,
    /// A string in several parts on several lines, which is one literal.
    pub(crate) continued: bool,
    pub(crate) partner: Option<u32>,
}

const NEAR_CHARACTERS_MAX: usize = 63;

#[derive(Debug, Clone)]
pub struct Tokens<'a> {
    source: &'a str,
    tokens: Vec<Token>,
}

/// Cuts a text into tokens.
pub fn lex<'a>(source: &'a str, limits: &TextLimits) -> Result<Tokens<'a>, ReadError> {
    let mut tokens = Tokens { source, tokens: scan::scan(source, limits)? };
    scan::match_brackets(&mut tokens, limits)?;
    Ok(tokens)
}

impl<'a> Tokens<'a> {
    /// Tokens without the pairing of brackets, for a fragment of SQL.
    pub(crate) fn of_fragment(source: &'a str) -> Result<Self, ReadError> {
        let limits = TextLimits { bytes_max: usize::MAX, tokens_max: usize::MAX, nesting_max: usize::MAX };
        Ok(Self { source, tokens: scan::scan(source, &limits)? })
    }

    pub fn len(&self) -> usize {
        self.tokens.len()
    }

    pub fn is_empty(&self) -> bool {
        self.tokens.is_empty()
    }

    pub(crate) fn pair(&mut self, left: usize, right: usize) {
        for (at, partner) in [(left, right), (right, left)] {
            if let (Some(token), Ok(partner)) = (self.tokens.get_mut(at), u32::try_from(partner)) {
                token.partner = Some(partner);
            }
        }
    }

    pub fn kind(&self, i: usize) -> Option<TokenKind> {
        self.tokens.get(i).map(|token| token.kind)
    }

    /// The token as the source has it; empty out of range.
    pub fn text(&self, i: usize) -> &'a str {
        let Some(token) = self.tokens.get(i) else { return "" };
        self.source.get(token.start as usize..token.end as usize).unwrap_or_default()
    }

    /// Whether the token is this word, unquoted. `word` in lower case.
    pub fn is_word(&self, i: usize, word: &str) -> bool {
        self.kind(i) == Some(TokenKind::Word) && self.text(i).eq_ignore_ascii_case(word)
    }

    pub fn is_operator(&self, i: usize, operator: &str) -> bool {
        self.kind(i) == Some(TokenKind::Operator) && self.text(i) == operator
    }

    /// The name that an identifier stands for, as PostgreSQL knows it.
    pub fn identifier(&self, i: usize) -> Option<String> {
        match self.kind(i)? {
            TokenKind::Word => Some(self.text(i).to_ascii_lowercase()),
            TokenKind::QuotedIdentifier => literal::quoted_identifier(self.text(i)).ok(),
            _ => None,
        }
    }

    /// The value of a string literal of any form.
    pub fn string(&self, i: usize) -> Option<String> {
        match self.kind(i)? {
            TokenKind::String => literal::string(self.text(i)).ok(),
            _ => None,
        }
    }

    /// The number of a parameter.
    pub fn parameter(&self, i: usize) -> Option<u16> {
        match self.kind(i)? {
            TokenKind::Parameter => self.text(i).strip_prefix('$')?.parse().ok(),
            _ => None,
        }
    }

    /// The category of an unquoted keyword.
    pub fn keyword(&self, i: usize) -> Option<KeywordCategory> {
        self.tokens.get(i)?.keyword
    }

    /// The other one of a pair of brackets.
    pub fn matching(&self, i: usize) -> Option<usize> {
        self.tokens.get(i)?.partner.map(|partner| partner as usize)
    }

    /// Where the token begins: character in the source, from 1.
    pub fn position(&self, i: usize) -> u32 {
        self.tokens.get(i).map_or(0, |token| token.position)
    }

    /// PostgreSQL's message for a token that does not belong here. A long literal is cut.
    pub(crate) fn misplaced(&self, i: usize) -> String {
        let text = self.text(i);
        let shown: String = text.chars().take(NEAR_CHARACTERS_MAX).collect();
        let rest = if shown.len() < text.len() { "..." } else { "" };
        format!("syntax error at or near \"{shown}{rest}\"")
    }

    /// The token as it is sent: a literal in several parts becomes one.
    pub(crate) fn emitted(&self, i: usize) -> std::borrow::Cow<'a, str> {
        let text = self.text(i);
        match self.tokens.get(i) {
            Some(token) if token.continued => literal::joined(text).map_or(text.into(), Into::into),
            _ => text.into(),
        }
    }

    /// Whether blank space or a comment stands before the token.
    pub(crate) fn is_apart(&self, i: usize) -> bool {
        let end = i.checked_sub(1).and_then(|before| self.tokens.get(before)).map_or(0, |before| before.end);
        self.tokens.get(i).is_some_and(|token| token.start > end)
    }
}
