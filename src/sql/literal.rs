//! The values of PostgreSQL's string literals and quoted names, and the way back.

use crate::sql::keyword;

/// PostgreSQL keeps this many bytes of a name and drops the rest, which makes two names one.
pub(crate) const NAME_BYTES_MAX: usize = 63;

/// One literal in a source: the text between its quotes, part by part.
struct Parts<'a> {
    prefix: &'a str,
    parts: Vec<&'a str>,
}

/// Takes a literal with single quotes apart. Blank space and comments between the parts are PostgreSQL's
/// continuation of a string on the next line.
fn parts(text: &str) -> Option<Parts<'_>> {
    let (prefix, mut rest) = text.split_once('\'')?;
    let escapes = prefix.eq_ignore_ascii_case("e");
    let mut parts = Vec::new();
    loop {
        let end = closing_quote(rest, escapes)?;
        parts.push(rest.get(..end)?);
        rest = rest.get(end + 1..)?;
        let Some(start) = continuation(rest) else { break };
        rest = rest.get(start..)?;
    }
    Some(Parts { prefix, parts })
}

/// Where the quote is that ends a string, from behind the opening one.
pub(crate) fn closing_quote(text: &str, escapes: bool) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut at = 0;
    loop {
        match bytes.get(at)? {
            b'\\' if escapes => at += 2,
            b'\'' if bytes.get(at + 1) == Some(&b'\'') => at += 2,
            b'\'' => return Some(at),
            _ => at += 1,
        }
    }
}

/// Where the next part of a string begins, behind its quote: blank space with a line end, or with `--` comments.
pub(crate) fn continuation(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut at = 0;
    let mut line_ended = false;
    loop {
        match bytes.get(at)? {
            b'\n' | b'\r' => line_ended = true,
            b' ' | b'\t' | b'\x0c' => {}
            b'-' if bytes.get(at + 1) == Some(&b'-') => {
                at += bytes.get(at..)?.iter().position(|byte| matches!(byte, b'\n' | b'\r'))?;
                continue;
            }
            b'\'' if line_ended => return Some(at + 1),
            _ => return None,
        }
        at += 1;
    }
}

/// The value of a string literal of any form, or what is wrong with it.
pub(crate) fn string(text: &str) -> Result<String, &'static str> {
    // Most say what they are.
    let inner = text.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\''));
    if let Some(plain) = inner.filter(|inner| !inner.contains('\'')) {
        return Ok(plain.to_owned());
    }
    if text.starts_with('$') {
        let tag = text.get(1..).and_then(|rest| rest.find('$')).map_or(0, |end| end + 2);
        return text.get(tag..text.len().saturating_sub(tag)).map(str::to_owned).ok_or("unterminated string");
    }
    let Parts { prefix, parts } = parts(text).ok_or("unterminated quoted string")?;
    if prefix.eq_ignore_ascii_case("e") {
        unescape(&parts.concat())
    } else if prefix.eq_ignore_ascii_case("u&") {
        unescape_unicode(&parts.concat().replace("''", "'"))
    } else {
        Ok(parts.concat().replace("''", "'"))
    }
}

/// A literal in several parts as one.
pub(crate) fn joined(text: &str) -> Option<String> {
    let Parts { prefix, parts } = parts(text)?;
    Some(format!("{prefix}'{}'", parts.concat()))
}

/// The digits of a bit string are those of its base.
pub(crate) fn bit_string_is_valid(text: &str) -> bool {
    let Some(Parts { prefix, parts }) = parts(text) else { return false };
    let hexadecimal = prefix.eq_ignore_ascii_case("x");
    let is_digit = |byte: u8| if hexadecimal { byte.is_ascii_hexdigit() } else { matches!(byte, b'0' | b'1') };
    parts.iter().all(|part| part.bytes().all(is_digit))
}

/// The name in a quoted identifier, or what is wrong with it.
pub(crate) fn quoted_identifier(text: &str) -> Result<String, &'static str> {
    let (prefix, rest) = text.split_once('"').ok_or("unterminated quoted identifier")?;
    let inner = rest.strip_suffix('"').ok_or("unterminated quoted identifier")?;
    let inner = if inner.contains('"') { inner.replace("\"\"", "\"") } else { inner.to_owned() };
    let name = if prefix.is_empty() { inner } else { unescape_unicode(&inner)? };
    if name.is_empty() {
        return Err("zero-length delimited identifier");
    }
    if name.len() > NAME_BYTES_MAX {
        return Err("identifier is longer than 63 bytes");
    }
    Ok(name)
}

/// What is wrong with a quoted identifier, without making its name where it has no escapes and is short for certain.
pub(crate) fn check_quoted_identifier(text: &str) -> Result<(), &'static str> {
    match text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
        Some(inner) if !inner.is_empty() && inner.len() <= NAME_BYTES_MAX => Ok(()),
        _ => quoted_identifier(text).map(drop),
    }
}

const INVALID_UNICODE: &str = "invalid Unicode escape";
const INVALID_BYTES: &str = "invalid byte sequence for encoding \"UTF8\"";

/// The inside of an `E''` literal, quotes still doubled.
fn unescape(inner: &str) -> Result<String, &'static str> {
    let mut value = Vec::with_capacity(inner.len());
    let mut rest = inner;
    while let Some(character) = rest.chars().next() {
        rest = rest.get(character.len_utf8()..).unwrap_or_default();
        match character {
            '\'' => {
                rest = rest.strip_prefix('\'').unwrap_or(rest);
                value.push(b'\'');
            }
            '\\' => rest = escape(rest, &mut value)?,
            _ => value.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    if value.contains(&0) {
        return Err(INVALID_BYTES);
    }
    String::from_utf8(value).map_err(|_| INVALID_BYTES)
}

/// One escape, from behind its backslash; what follows it is given back.
fn escape<'a>(rest: &'a str, value: &mut Vec<u8>) -> Result<&'a str, &'static str> {
    let character = rest.chars().next().ok_or("unterminated quoted string")?;
    let after = rest.get(character.len_utf8()..).unwrap_or_default();
    let byte = match character {
        'b' => 0x08,
        'f' => 0x0c,
        'n' => b'\n',
        'r' => b'\r',
        't' => b'\t',
        // A vertical tab from PostgreSQL 16 on, the letter before.
        'v' => return Err("invalid escape string"),
        '0'..='7' => {
            let digits = prefix_of(rest, 3, |digit| matches!(digit, b'0'..=b'7'));
            value.push(u8::from_str_radix(digits, 8).map_err(|_| INVALID_BYTES)?);
            return Ok(rest.get(digits.len()..).unwrap_or_default());
        }
        'x' => {
            let digits = prefix_of(after, 2, |digit| digit.is_ascii_hexdigit());
            value.push(u8::from_str_radix(digits, 16).map_err(|_| "invalid escape string")?);
            return Ok(after.get(digits.len()..).unwrap_or_default());
        }
        'u' | 'U' => {
            let length = if character == 'u' { 4 } else { 8 };
            let (code, after) = code_unit(after, length)?;
            let (decoded, after) = pair(code, after, |low| match low.strip_prefix('\\')? {
                low if low.starts_with('u') => code_unit(low.get(1..)?, 4).ok(),
                low if low.starts_with('U') => code_unit(low.get(1..)?, 8).ok(),
                _ => None,
            })?;
            value.extend_from_slice(decoded.encode_utf8(&mut [0; 4]).as_bytes());
            return Ok(after);
        }
        _ => {
            value.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
            return Ok(after);
        }
    };
    value.push(byte);
    Ok(after)
}

/// The inside of a `U&''` or `U&""` with the escape character that stands if none is named.
fn unescape_unicode(inner: &str) -> Result<String, &'static str> {
    let mut value = String::with_capacity(inner.len());
    let mut rest = inner;
    while let Some((before, escaped)) = rest.split_once('\\') {
        value.push_str(before);
        if let Some(after) = escaped.strip_prefix('\\') {
            value.push('\\');
            rest = after;
            continue;
        }
        let (code, after) = numbered(escaped)?;
        let (decoded, after) = pair(code, after, |low| numbered(low.strip_prefix('\\')?).ok())?;
        value.push(decoded);
        rest = after;
    }
    value.push_str(rest);
    Ok(value)
}

/// The digits of one escape of a `U&` literal.
fn numbered(escaped: &str) -> Result<(u32, &str), &'static str> {
    match escaped.strip_prefix('+') {
        Some(long) => code_unit(long, 6),
        None => code_unit(escaped, 4),
    }
}

fn code_unit(text: &str, length: usize) -> Result<(u32, &str), &'static str> {
    let digits = prefix_of(text, length, |digit| digit.is_ascii_hexdigit());
    if digits.len() != length {
        return Err(INVALID_UNICODE);
    }
    let code = u32::from_str_radix(digits, 16).map_err(|_| INVALID_UNICODE)?;
    Ok((code, text.get(length..).unwrap_or_default()))
}

/// A character from a code, or from a pair of surrogates of which the second is read by `next`.
fn pair<'a>(
    code: u32,
    rest: &'a str,
    next: impl FnOnce(&'a str) -> Option<(u32, &'a str)>,
) -> Result<(char, &'a str), &'static str> {
    let (code, rest) = match code {
        0 => return Err("invalid Unicode escape value"),
        0xD800..=0xDBFF => match next(rest) {
            Some((low @ 0xDC00..=0xDFFF, rest)) => (0x10000 + ((code & 0x3FF) << 10) + (low & 0x3FF), rest),
            _ => return Err("invalid Unicode surrogate pair"),
        },
        _ => (code, rest),
    };
    char::from_u32(code).map(|character| (character, rest)).ok_or("invalid Unicode escape value")
}

fn prefix_of(text: &str, length_max: usize, accepts: impl Fn(u8) -> bool) -> &str {
    let length = text.bytes().take(length_max).take_while(|byte| accepts(*byte)).count();
    text.get(..length).unwrap_or_default()
}

/// A name as SQL, bare only where it can be nothing but a name.
pub fn quote_identifier(name: &str) -> String {
    let plain = name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
        && name.bytes().next().is_some_and(|byte| !byte.is_ascii_digit())
        && keyword::category(name).is_none();
    if plain { name.to_owned() } else { format!("\"{}\"", name.replace('"', "\"\"")) }
}

/// A value as a string literal, which reads the same whatever `standard_conforming_strings` says.
pub fn quote_literal(value: &str) -> String {
    let doubled = value.replace('\'', "''");
    if value.contains('\\') { format!("E'{}'", doubled.replace('\\', "\\\\")) } else { format!("'{doubled}'") }
}
