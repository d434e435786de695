//! The scanner: PostgreSQL's rules, and a refusal wherever its versions differ.

use crate::sql::bytes::Classes;
use crate::sql::bytes::is;
use crate::sql::bytes::run;
use crate::sql::error::ReadError;
use crate::sql::error::ReadErrorKind;
use crate::sql::error::TextLimits;
use crate::sql::keyword::KeywordCategory;
use crate::sql::literal;
use crate::sql::token::Token;
use crate::sql::token::TokenKind;
use crate::sql::token::Tokens;

struct Scanner<'a> {
    source: &'a str,
    at: usize,
    /// Bytes and characters counted so far, for positions.
    counted: (usize, u32),
    /// Then a byte is a character.
    is_ascii: bool,
    has_nul: bool,
    nesting_max: usize,
}

type Scanned = Result<(TokenKind, usize), (ReadErrorKind, String)>;

fn wrong(message: &str) -> (ReadErrorKind, String) {
    (ReadErrorKind::Token, message.to_owned())
}

/// All tokens of a text.
pub(crate) fn scan(
    source: &str,
    limits: &TextLimits,
    category: impl Fn(&str) -> Option<KeywordCategory>,
) -> Result<Vec<Token>, ReadError> {
    if source.len() > limits.bytes_max || u32::try_from(source.len()).is_err() {
        let message = format!("query text is longer than {} bytes", limits.bytes_max);
        return Err(ReadError::new(ReadErrorKind::TooLarge, message, None));
    }
    let mut scanner = Scanner {
        source,
        at: 0,
        counted: (0, 1),
        is_ascii: source.is_ascii(),
        has_nul: memchr::memchr(0, source.as_bytes()).is_some(),
        nesting_max: limits.nesting_max,
    };
    let mut tokens = Vec::with_capacity((source.len() / 4).min(256));
    loop {
        if let Err((kind, message)) = scanner.skip_space() {
            return Err(scanner.error(kind, message));
        }
        let start = scanner.at;
        if start >= source.len() {
            return Ok(tokens);
        }
        let (kind, end) = scanner.token().map_err(|(kind, message)| scanner.error(kind, message))?;
        let text = source.get(start..end).unwrap_or_default();
        if let Err(message) = check(kind, text) {
            return Err(scanner.error(ReadErrorKind::Token, message));
        }
        if tokens.len() >= limits.tokens_max {
            let message = format!("query text has more than {} tokens", limits.tokens_max);
            return Err(scanner.error(ReadErrorKind::TooLarge, message));
        }
        let keyword = if kind == TokenKind::Word { category(text) } else { None };
        let continued = matches!(kind, TokenKind::String | TokenKind::BitString) && is_continued(text);
        let (start, position) = (start as u32, scanner.position());
        tokens.push(Token { kind, start, end: end as u32, position, keyword, continued, partner: None });
        scanner.at = end;
    }
}

/// What a token's value can have wrong once its end is known.
fn check(kind: TokenKind, text: &str) -> Result<(), &'static str> {
    match kind {
        TokenKind::Word if text.len() > literal::NAME_BYTES_MAX => Err("identifier is longer than 63 bytes"),
        TokenKind::QuotedIdentifier => literal::check_quoted_identifier(text),
        TokenKind::String if text.starts_with(['e', 'E', 'u', 'U']) => literal::string(text).map(drop),
        TokenKind::BitString if !literal::bit_string_is_valid(text) => Err("invalid digit in bit string"),
        TokenKind::Parameter if !text.get(1..).is_some_and(|n| n.parse::<u16>().is_ok_and(|n| n > 0)) => {
            Err("parameter number out of range")
        }
        _ => Ok(()),
    }
}

fn is_continued(text: &str) -> bool {
    let Some((prefix, rest)) = text.split_once('\'') else { return false };
    let escapes = prefix.eq_ignore_ascii_case("e");
    !text.starts_with('$') && literal::closing_quote(rest, escapes).is_some_and(|end| end + 1 < rest.len())
}

/// Characters that PostgreSQL takes for letters, and people for nothing or for a blank.
fn is_invisible(character: char) -> bool {
    !character.is_ascii() && (character.is_whitespace() || character.is_control())
        || matches!(character,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{2800}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}'
            | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

impl Scanner<'_> {
    fn byte(&self, offset: usize) -> Option<u8> {
        self.source.as_bytes().get(self.at + offset).copied()
    }

    fn rest(&self) -> &str {
        self.source.get(self.at..).unwrap_or_default()
    }

    /// How many bytes are of a class, from this far behind the place.
    fn run(&self, offset: usize, classes: Classes) -> usize {
        run(self.source.as_bytes().get(self.at + offset..).unwrap_or_default(), classes)
    }

    fn position(&mut self) -> u32 {
        if self.is_ascii {
            return self.at as u32 + 1;
        }
        let (bytes, characters) = self.counted;
        let passed = self.source.get(bytes..self.at).unwrap_or_default();
        self.counted = (self.at, characters + passed.chars().count() as u32);
        self.counted.1
    }

    fn error(&mut self, kind: ReadErrorKind, message: impl Into<String>) -> ReadError {
        let position = self.position();
        ReadError::new(kind, message, Some(position))
    }

    fn skip_space(&mut self) -> Result<(), (ReadErrorKind, String)> {
        loop {
            self.at += self.run(0, Classes::SPACE);
            match (self.byte(0), self.byte(1)) {
                (Some(b'-'), Some(b'-')) => {
                    self.at += self.rest().find(['\n', '\r']).unwrap_or(self.rest().len());
                }
                (Some(b'/'), Some(b'*')) => self.skip_comment()?,
                _ => return Ok(()),
            }
        }
    }

    fn skip_comment(&mut self) -> Result<(), (ReadErrorKind, String)> {
        let bytes = self.source.as_bytes();
        let (mut at, mut depth) = (self.at, 0_usize);
        loop {
            let Some(next) = memchr::memchr2(b'*', b'/', bytes.get(at..).unwrap_or_default()) else {
                return Err(wrong("unterminated /* comment"));
            };
            at += next;
            match (bytes.get(at), bytes.get(at + 1)) {
                (Some(b'/'), Some(b'*')) => {
                    depth += 1;
                    at += 2;
                }
                (Some(b'*'), Some(b'/')) => {
                    depth -= 1;
                    at += 2;
                }
                _ => at += 1,
            }
            if depth == 0 {
                self.at = at;
                return Ok(());
            }
            if depth > self.nesting_max {
                return Err((ReadErrorKind::TooLarge, format!("comments nested more than {} deep", self.nesting_max)));
            }
        }
    }

    /// The kind of the token that begins here, and where it ends.
    fn token(&self) -> Scanned {
        let Some(first) = self.byte(0) else { return Err(wrong("syntax error at end of input")) };
        match (first, self.byte(1), self.byte(2)) {
            (b'\'', ..) => self.quoted(1, TokenKind::String),
            (b'e' | b'E' | b'n' | b'N', Some(b'\''), _) => self.quoted(2, TokenKind::String),
            (b'b' | b'B' | b'x' | b'X', Some(b'\''), _) => self.quoted(2, TokenKind::BitString),
            (b'u' | b'U', Some(b'&'), Some(b'\'')) => self.quoted(3, TokenKind::String),
            (b'u' | b'U', Some(b'&'), Some(b'"')) => self.quoted_identifier(3),
            (b'"', ..) => self.quoted_identifier(1),
            (b'$', Some(b'0'..=b'9'), _) => self.parameter(),
            (b'$', ..) => self.dollar_quoted(),
            (b'0'..=b'9', ..) | (b'.', Some(b'0'..=b'9'), _) => self.number(),
            (b',', ..) => self.fixed(TokenKind::Comma, 1),
            (b';', ..) => self.fixed(TokenKind::Semicolon, 1),
            (b'(', ..) => self.fixed(TokenKind::LeftParen, 1),
            (b')', ..) => self.fixed(TokenKind::RightParen, 1),
            (b'[', ..) => self.fixed(TokenKind::LeftBracket, 1),
            (b']', ..) => self.fixed(TokenKind::RightBracket, 1),
            (b'.', Some(b'.'), _) => self.fixed(TokenKind::DotDot, 2),
            (b'.', ..) => self.fixed(TokenKind::Dot, 1),
            (b':', Some(b':'), _) => self.fixed(TokenKind::Typecast, 2),
            (b':', Some(b'='), _) => self.fixed(TokenKind::ColonEquals, 2),
            (b':', ..) => self.fixed(TokenKind::Colon, 1),
            _ if is(first, Classes::IDENTIFIER_START) => self.word(),
            _ if is(first, Classes::OPERATOR) => self.operator(),
            _ => Err(self.unexpected()),
        }
    }

    fn fixed(&self, kind: TokenKind, length: usize) -> Scanned {
        Ok((kind, self.at + length))
    }

    fn unexpected(&self) -> (ReadErrorKind, String) {
        let character = self.rest().chars().next().unwrap_or_default();
        if character.is_control() || is_invisible(character) {
            let message = format!("character U+{:04X} outside of quotes", u32::from(character));
            return (ReadErrorKind::Token, message);
        }
        (ReadErrorKind::Token, format!("syntax error at or near \"{character}\""))
    }

    fn quoted(&self, opening: usize, kind: TokenKind) -> Scanned {
        let escapes = matches!(self.byte(0), Some(b'e' | b'E'));
        let mut at = self.at + opening;
        loop {
            let rest = self.source.get(at..).unwrap_or_default();
            let Some(end) = literal::closing_quote(rest, escapes) else {
                return Err(wrong("unterminated quoted string"));
            };
            at += end + 1;
            match literal::continuation(rest.get(end + 1..).unwrap_or_default()) {
                Some(next) => at += next,
                None => break,
            }
        }
        self.without_nul(at)?;
        Ok((kind, at))
    }

    fn without_nul(&self, end: usize) -> Result<(), (ReadErrorKind, String)> {
        if !self.has_nul {
            return Ok(());
        }
        match self.source.get(self.at..end) {
            Some(text) if !text.contains('\0') => Ok(()),
            _ => Err(wrong("invalid byte sequence for encoding \"UTF8\": 0x00")),
        }
    }

    fn quoted_identifier(&self, opening: usize) -> Scanned {
        let bytes = self.source.as_bytes();
        let mut at = self.at + opening;
        loop {
            let Some(next) = memchr::memchr(b'"', bytes.get(at..).unwrap_or_default()) else {
                return Err(wrong("unterminated quoted identifier"));
            };
            at += next + 1;
            if bytes.get(at) != Some(&b'"') {
                self.without_nul(at)?;
                return Ok((TokenKind::QuotedIdentifier, at));
            }
            at += 1;
        }
    }

    fn word(&self) -> Scanned {
        let length = self.run(0, Classes::IDENTIFIER_PART);
        self.visible(length)?;
        Ok((TokenKind::Word, self.at + length))
    }

    fn visible(&self, length: usize) -> Result<(), (ReadErrorKind, String)> {
        if self.is_ascii {
            return Ok(());
        }
        match self.rest().get(..length).unwrap_or_default().chars().find(|character| is_invisible(*character)) {
            Some(character) => Err(wrong(&format!("character U+{:04X} outside of quotes", u32::from(character)))),
            None => Ok(()),
        }
    }

    fn parameter(&self) -> Scanned {
        let length = 1 + self.digits(1);
        if self.byte(length).is_some_and(|byte| is(byte, Classes::IDENTIFIER_START)) {
            return Err(wrong("trailing junk after parameter"));
        }
        Ok((TokenKind::Parameter, self.at + length))
    }

    fn digits(&self, offset: usize) -> usize {
        self.run(offset, Classes::DIGIT)
    }

    fn dollar_quoted(&self) -> Scanned {
        let is_tag = |byte: u8| is(byte, Classes::IDENTIFIER_PART) && byte != b'$';
        let length = self.rest().bytes().skip(1).take_while(|byte| is_tag(*byte)).count();
        if self.byte(1 + length) != Some(b'$') {
            return Err(self.unexpected());
        }
        self.visible(1 + length)?;
        let tag = self.rest().get(..length + 2).unwrap_or_default();
        let inside = self.rest().get(tag.len()..).unwrap_or_default();
        let Some(found) = memchr::memmem::find(inside.as_bytes(), tag.as_bytes()) else {
            return Err(wrong("unterminated dollar-quoted string"));
        };
        let end = self.at + found + 2 * tag.len();
        self.without_nul(end)?;
        Ok((TokenKind::String, end))
    }

    fn number(&self) -> Scanned {
        let whole = self.digits(0);
        let mut length = whole;
        let mut kind = TokenKind::Integer;
        if self.byte(length) == Some(b'.') && (whole == 0 || self.byte(length + 1) != Some(b'.')) {
            kind = TokenKind::Number;
            length += 1 + self.digits(length + 1);
        }
        if matches!(self.byte(length), Some(b'e' | b'E')) {
            let signed = usize::from(matches!(self.byte(length + 1), Some(b'+' | b'-')));
            let exponent = self.digits(length + 1 + signed);
            if exponent > 0 {
                kind = TokenKind::Number;
                length += 1 + signed + exponent;
            }
        }
        if self.byte(length).is_some_and(|byte| is(byte, Classes::IDENTIFIER_START)) {
            return Err(wrong("trailing junk after numeric literal"));
        }
        let small = self.rest().get(..length).is_some_and(|digits| digits.parse::<i32>().is_ok());
        let kind = if kind == TokenKind::Integer && !small { TokenKind::Number } else { kind };
        Ok((kind, self.at + length))
    }

    /// An operator ends where a comment begins, and ends in `+` or `-` only if it has a character that the
    /// standard's operators have not.
    fn operator(&self) -> Scanned {
        let bytes = self.rest().as_bytes();
        let begins_comment = |at: &usize| {
            matches!((bytes.get(*at), bytes.get(at + 1)), (Some(b'-'), Some(b'-')) | (Some(b'/'), Some(b'*')))
        };
        let run = self.run(0, Classes::OPERATOR);
        let run = (0..run).find(begins_comment).unwrap_or(run);
        // PostgreSQL would split some such runs; nobody writes them, and splitting costs the square of their length.
        if run > literal::NAME_BYTES_MAX {
            return Err(wrong("operator too long"));
        }
        let mut text = self.rest().get(..run).unwrap_or_default();
        let body = text.get(..text.len().saturating_sub(1)).unwrap_or_default();
        if !body.bytes().any(|byte| is(byte, Classes::OTHER_OPERATOR)) {
            while text.len() > 1 && text.ends_with(['+', '-']) {
                text = text.get(..text.len() - 1).unwrap_or_default();
            }
        }
        match text {
            "=>" => self.fixed(TokenKind::EqualsGreater, 2),
            _ => self.fixed(TokenKind::Operator, text.len()),
        }
    }
}

/// Pairs brackets; one without its partner is an error, and so is too deep a nest.
pub(crate) fn match_brackets(tokens: &mut Tokens<'_>, limits: &TextLimits) -> Result<(), ReadError> {
    let mut open: Vec<(usize, TokenKind)> = Vec::new();
    for i in 0..tokens.len() {
        let kind = tokens.kind(i).unwrap_or(TokenKind::Comma);
        let expected = match kind {
            TokenKind::LeftParen | TokenKind::LeftBracket => {
                open.push((i, kind));
                if open.len() > limits.nesting_max {
                    let message = format!("brackets nested more than {} deep", limits.nesting_max);
                    return Err(ReadError::new(ReadErrorKind::TooLarge, message, Some(tokens.position(i))));
                }
                continue;
            }
            TokenKind::RightParen => TokenKind::LeftParen,
            TokenKind::RightBracket => TokenKind::LeftBracket,
            _ => continue,
        };
        match open.pop() {
            Some((left, opening)) if opening == expected => tokens.pair(left, i),
            _ => {
                return Err(ReadError::new(ReadErrorKind::Grammar, tokens.misplaced(i), Some(tokens.position(i))));
            }
        }
    }
    match open.pop() {
        None => Ok(()),
        Some((left, _)) => {
            let position = Some(tokens.position(left));
            Err(ReadError::new(ReadErrorKind::Grammar, "syntax error: a bracket is not closed", position))
        }
    }
}
