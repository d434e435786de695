//! The shape of a text: its tokens with every literal reduced to its class.

use crate::sql::token::TokenKind;
use crate::sql::token::Tokens;

/// Two texts of one shape are cut into the same tokens, but for what their literals say. Literals of one class are one
/// terminal of PostgreSQL's grammar and one kind of node in our reading.
///
/// Not for people: see [`normalize`](crate::sql::normalize) for those.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Shape(Vec<u8>);

impl Shape {
    pub(crate) fn of(tokens: &Tokens<'_>) -> Self {
        let mut bytes = Vec::with_capacity(tokens.source_bytes() + tokens.len() * 2);
        for i in 0..tokens.len() {
            let Some(kind) = tokens.kind(i) else { continue };
            // Blank space counts: what touches in one text may be written touching in another.
            bytes.push((kind as u8) << 1 | u8::from(tokens.is_apart(i)));
            let text = tokens.source_text(i).as_bytes();
            if tokens.is_literal(i) {
                bytes.push(class(kind, text, tokens.is_continued(i)));
            } else {
                // The length first, so that no text can pass for several tokens.
                match u8::try_from(text.len()) {
                    Ok(length) if length < u8::MAX => bytes.push(length),
                    _ => {
                        bytes.push(u8::MAX);
                        bytes.extend_from_slice(&u32::try_from(text.len()).unwrap_or(u32::MAX).to_le_bytes());
                    }
                }
                bytes.extend_from_slice(text);
            }
        }
        Self(bytes)
    }

    pub fn bytes(&self) -> usize {
        self.0.capacity()
    }
}

/// Strings differ by how they are quoted; numbers that do not fit 32 bits by whether they are whole.
fn class(kind: TokenKind, text: &[u8], continued: bool) -> u8 {
    let is_whole = text.iter().all(u8::is_ascii_digit);
    match kind {
        TokenKind::Integer => b'i',
        TokenKind::Number if is_whole => b'w',
        TokenKind::Number => b'n',
        _ if continued => b'c',
        _ => text.first().map_or(b' ', u8::to_ascii_lowercase),
    }
}
