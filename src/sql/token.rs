//! A text cut into tokens, exactly as every supported version of PostgreSQL cuts it.

use crate::sql::error::ReadError;
use crate::sql::error::TextLimits;
use crate::sql::keyword;
use crate::sql::keyword::KeywordCategory;
use crate::sql::literal;
use crate::sql::scan;
use crate::sql::shape::Shape;
use std::cell::Cell;

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

pub struct Tokens<'a> {
    source: &'a str,
    tokens: Vec<Token>,
    asked: Cell<Vec<Asked>>,
}

impl std::fmt::Debug for Tokens<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_tuple("Tokens").field(&self.source).finish()
    }
}

/// Something that somebody wanted to know of a literal: what was made of the text may depend on it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asked {
    pub(crate) token: usize,
    pub(crate) question: Question,
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Question {
    /// What it says.
    Text,
    /// Whether its value is such, and the answer.
    Holds(fn(&str) -> bool, Answer),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    Yes,
    No,
}

/// A text cut into tokens of which no more is known than where they are: enough to tell its shape.
#[derive(Debug)]
pub struct Cut<'a>(Tokens<'a>);

/// Cuts a text without looking at its words and brackets.
pub fn cut<'a>(source: &'a str, limits: &TextLimits) -> Result<Cut<'a>, ReadError> {
    let tokens = scan::scan(source, limits, |_| None)?;
    Ok(Cut(Tokens { source, tokens, asked: Cell::default() }))
}

impl<'a> Cut<'a> {
    pub fn shape(&self) -> Shape {
        Shape::of(&self.0)
    }

    pub(crate) fn tokens(&self) -> &Tokens<'a> {
        &self.0
    }
}

/// Cuts a text into tokens.
pub fn lex<'a>(source: &'a str, limits: &TextLimits) -> Result<Tokens<'a>, ReadError> {
    let tokens = scan::scan(source, limits, keyword::category)?;
    let mut tokens = Tokens { source, tokens, asked: Cell::default() };
    scan::match_brackets(&mut tokens, limits)?;
    Ok(tokens)
}

impl<'a> Tokens<'a> {
    /// Tokens without the pairing of brackets, for a fragment of SQL.
    pub(crate) fn of_fragment(source: &'a str) -> Result<Self, ReadError> {
        let limits = TextLimits { bytes_max: usize::MAX, tokens_max: usize::MAX, nesting_max: usize::MAX };
        Ok(Self { source, tokens: scan::scan(source, &limits, keyword::category)?, asked: Cell::default() })
    }

    pub(crate) fn source_bytes(&self) -> usize {
        self.source.len()
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

    /// The token as the source has it; empty out of range. Of a literal, this is to ask what it says.
    pub fn text(&self, i: usize) -> &'a str {
        self.ask(i, Question::Text);
        self.source_text(i)
    }

    /// The same, for whoever only hands it on.
    pub(crate) fn source_text(&self, i: usize) -> &'a str {
        let Some(token) = self.tokens.get(i) else { return "" };
        self.source.get(token.start as usize..token.end as usize).unwrap_or_default()
    }

    /// Where the token stands in the source.
    pub(crate) fn bytes(&self, i: usize) -> Option<std::ops::Range<usize>> {
        self.tokens.get(i).map(|token| token.start as usize..token.end as usize)
    }

    /// Whether the token is this word, unquoted. `word` in lower case.
    pub fn is_word(&self, i: usize, word: &str) -> bool {
        let Some(token) = self.tokens.get(i) else { return false };
        // The length tells nearly all of them apart.
        token.kind == TokenKind::Word
            && (token.end - token.start) as usize == word.len()
            && self.text(i).eq_ignore_ascii_case(word)
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

    /// The value of a string literal of any form. This is to ask what it says.
    pub fn string(&self, i: usize) -> Option<String> {
        self.ask(i, Question::Text);
        self.source_string(i)
    }

    /// The same, for whoever only hands it on.
    pub(crate) fn source_string(&self, i: usize) -> Option<String> {
        match self.kind(i)? {
            TokenKind::String => literal::string(self.source_text(i)).ok(),
            _ => None,
        }
    }

    /// Whether a literal's value is such: of a string what it stands for, of any other its text. Only this is asked.
    pub(crate) fn literal_holds(&self, i: usize, holds: fn(&str) -> bool) -> bool {
        let answer = self.answer(i, holds);
        self.ask(i, Question::Holds(holds, answer));
        answer == Answer::Yes
    }

    pub(crate) fn answer(&self, i: usize, holds: fn(&str) -> bool) -> Answer {
        let value = self.source_string(i);
        let is_such = value.map_or_else(|| holds(self.source_text(i)), |value| holds(&value));
        if is_such { Answer::Yes } else { Answer::No }
    }

    fn ask(&self, token: usize, question: Question) {
        if self.is_literal(token) {
            let mut asked = self.asked.take();
            asked.push(Asked { token, question });
            self.asked.set(asked);
        }
    }

    /// What has been asked of literals so far, and forgets it.
    pub(crate) fn take_asked(&self) -> Vec<Asked> {
        self.asked.take()
    }

    pub(crate) fn is_literal(&self, i: usize) -> bool {
        let kind = self.kind(i);
        matches!(kind, Some(TokenKind::String | TokenKind::BitString | TokenKind::Integer | TokenKind::Number))
    }

    /// A literal in several parts on several lines.
    pub(crate) fn is_continued(&self, i: usize) -> bool {
        self.tokens.get(i).is_some_and(|token| token.continued)
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

    /// Several tokens with what stands between them, as the source has it. For texts that come from no client.
    pub(crate) fn span_text(&self, range: std::ops::Range<usize>) -> &'a str {
        let first = self.tokens.get(range.start).map_or(0, |token| token.start as usize);
        let last =
            range.end.checked_sub(1).and_then(|last| self.tokens.get(last)).map_or(0, |token| token.end as usize);
        self.source.get(first..last).unwrap_or_default()
    }

    /// Where the token begins: character in the source, from 1.
    pub fn position(&self, i: usize) -> u32 {
        self.tokens.get(i).map_or(0, |token| token.position)
    }

    /// PostgreSQL's message for a token that does not belong here. A long literal is cut.
    pub(crate) fn misplaced(&self, i: usize) -> String {
        let text = self.source_text(i);
        let shown: String = text.chars().take(NEAR_CHARACTERS_MAX).collect();
        let rest = if shown.len() < text.len() { "..." } else { "" };
        format!("syntax error at or near \"{shown}{rest}\"")
    }

    /// The token as it is sent: a literal in several parts becomes one.
    pub(crate) fn emitted(&self, i: usize) -> std::borrow::Cow<'a, str> {
        let text = self.source_text(i);
        if self.is_continued(i) { literal::joined(text).map_or(text.into(), Into::into) } else { text.into() }
    }

    /// Whether blank space or a comment stands before the token.
    pub(crate) fn is_apart(&self, i: usize) -> bool {
        let end = i.checked_sub(1).and_then(|before| self.tokens.get(before)).map_or(0, |before| before.end);
        self.tokens.get(i).is_some_and(|token| token.start > end)
    }
}
