//! The shape of a statement, without its values.

use crate::sql::token::TokenKind;
use crate::sql::token::Tokens;

/// The text with every literal replaced by `$n`, counting on from the highest parameter.
pub fn normalize(tokens: &Tokens<'_>) -> String {
    let mut number = (0..tokens.len()).filter_map(|i| tokens.parameter(i)).max().map_or(0, u32::from);
    let mut text = String::new();
    for i in 0..tokens.len() {
        let is_literal = matches!(
            tokens.kind(i),
            Some(TokenKind::String | TokenKind::BitString | TokenKind::Integer | TokenKind::Number)
        );
        let was_literal = text.ends_with(|last: char| last.is_ascii_digit());
        let written = if is_literal {
            number = number.saturating_add(1);
            format!("${number}")
        } else {
            tokens.emitted(i).into_owned()
        };
        if i > 0
            && (tokens.is_apart(i) || (was_literal && written.starts_with(|c: char| c == '$' || c.is_alphanumeric())))
        {
            text.push(' ');
        }
        text.push_str(&written);
    }
    text
}
