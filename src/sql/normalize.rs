//! The shape of a statement, without its values.

use crate::sql::token::Tokens;

/// The text with every literal replaced by `$n`, counting on from the highest parameter.
pub fn normalize(tokens: &Tokens<'_>) -> String {
    let mut number = (0..tokens.len()).filter_map(|i| tokens.parameter(i)).max().map_or(0, u32::from);
    let mut text = String::with_capacity(tokens.source_bytes());
    let mut was_literal = false;
    for i in 0..tokens.len() {
        let is_literal = tokens.is_literal(i);
        let written = tokens.emitted(i);
        // A number is not to run into what stood behind a quote.
        let joins = |written: &str| written.starts_with(|c: char| c == '$' || c.is_alphanumeric());
        if i > 0 && (tokens.is_apart(i) || (was_literal && (is_literal || joins(&written)))) {
            text.push(' ');
        }
        if is_literal {
            number = number.saturating_add(1);
            text.push('$');
            text.push_str(&number.to_string());
        } else {
            text.push_str(&written);
        }
        was_literal = text.ends_with(|last: char| last.is_ascii_digit());
    }
    text
}
