//! COPY's options: how its data is written, and what the tenant's field looks like in it.

use crate::guard::decision::{CopyForm, EndMark, Header, TenantValue};
use crate::guard::from::not_allowed;
use crate::guard::rejection::{Code, Rejection};
use crate::guard::ruleset::TenantColumn;
use crate::guard::walk::Outcome;

/// Options that change nothing but the form of the data, and what becomes of a row that does not fit.
const OPTIONS: &[&str] = &[
    "format",
    "delimiter",
    "null",
    "header",
    "quote",
    "escape",
    "encoding",
    "force_quote",
    "force_not_null",
    "force_null",
    "freeze",
    "default",
    "on_error",
    "reject_limit",
    "log_verbosity",
];

/// In CSV `\\.` ends the data before this version, and is data from it on.
const END_MARK_IS_DATA_FROM: u32 = 180_000;

type Options = [(String, Option<String>)];

pub(in crate::guard) fn check_options(options: &Options) -> Outcome<()> {
    for (at, (name, value)) in options.iter().enumerate() {
        if !OPTIONS.contains(&name.as_str()) {
            return Err(not_allowed("this option of COPY").detail(format!("The option is \"{name}\".")));
        }
        if options.iter().take(at).any(|(earlier, _)| earlier == name) {
            return Err(Rejection::new(Code::NotParsed, "conflicting or redundant options"));
        }
        let utf8 = |value: &str| matches!(value.to_ascii_lowercase().as_str(), "utf8" | "utf-8" | "unicode");
        if name == "encoding" && !value.as_deref().is_some_and(utf8) {
            return Err(not_allowed("COPY in another encoding than UTF8"));
        }
    }
    Ok(())
}

/// The form of the data that a COPY FROM reads, and the tenant's value as a field in it.
///
/// What the server refuses of the options it refuses before it asks for data.
pub(in crate::guard) fn copy_form(
    options: &Options,
    column: &TenantColumn,
    value: &TenantValue,
    server_version: u32,
) -> Outcome<(CopyForm, Vec<u8>)> {
    let option = |wanted: &str| options.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.as_deref());
    let text = value.as_text();
    let byte = |name: &str, default: u8| match option(name) {
        None => Ok(default),
        Some(given) => one_byte(given.unwrap_or_default()).ok_or_else(|| not_allowed(&format!("this {name} of COPY"))),
    };
    let null = |default: &str| option("null").flatten().unwrap_or(default).as_bytes().to_vec();
    let has_header = has_header(option("header"))?;
    let header = |name: Vec<u8>| if has_header { Header::Present(name) } else { Header::Absent };
    let (form, field) = match option("format").flatten().unwrap_or("text") {
        "binary" => return Ok((CopyForm::Binary, column.column_type.binary(value))),
        "text" => {
            let delimiter = byte("delimiter", b'\t')?;
            // A letter or digit would go on with the escape before it: `\\x4` and `F` are one byte.
            if delimiter.is_ascii_alphanumeric() {
                return Err(not_allowed("this delimiter of COPY"));
            }
            let header = header(text_field(&column.name, delimiter));
            (CopyForm::Text { delimiter, null: null("\\N"), header }, text_field(&text, delimiter))
        }
        "csv" => {
            let (delimiter, quote) = (byte("delimiter", b',')?, byte("quote", b'"')?);
            let escape = match option("escape") {
                Some(Some("\\")) => b'\\',
                _ => byte("escape", quote)?,
            };
            if delimiter == quote {
                return Err(not_allowed("this quote of COPY"));
            }
            let header = header(csv_field(&column.name, quote, escape));
            let end_mark = if server_version >= END_MARK_IS_DATA_FROM { EndMark::IsData } else { EndMark::EndsData };
            let form = CopyForm::Csv { delimiter, quote, escape, null: null(""), header, end_mark };
            (form, csv_field(&text, quote, escape))
        }
        _ => return Err(not_allowed("this format of COPY").hint("Use text, csv or binary.")),
    };
    // The tenant must be read as itself, not as NULL or as the column's default.
    let is_marked = |name: &str| {
        let mark = option(name).flatten();
        mark.is_some_and(|mark| mark == text || mark.as_bytes() == field)
    };
    if is_marked("null") || is_marked("default") {
        return Err(not_allowed("this NULL or DEFAULT string of COPY").detail("It is how the tenant is written."));
    }
    Ok((form, field))
}

/// One byte that means nothing else in any form.
fn one_byte(text: &str) -> Option<u8> {
    match text.as_bytes() {
        [byte] if byte.is_ascii() && !matches!(byte, 0 | b'\n' | b'\r' | b'\\' | b'.') => Some(*byte),
        _ => None,
    }
}

/// As `defGetCopyHeaderChoice` reads it; `None`: the option is not there.
fn has_header(option: Option<Option<&str>>) -> Outcome<bool> {
    let Some(value) = option else { return Ok(false) };
    match value.map(str::to_ascii_lowercase).as_deref() {
        None | Some("true" | "on" | "1" | "match") => Ok(true),
        Some("false" | "off" | "0") => Ok(false),
        Some(_) => Err(not_allowed("this HEADER of COPY").hint("Use true, false or match.")),
    }
}

/// A backslash before whatever could be read as something else.
fn text_field(text: &str, delimiter: u8) -> Vec<u8> {
    let mut bytes = Vec::new();
    for byte in text.bytes() {
        match byte {
            b'\n' => bytes.extend_from_slice(b"\\n"),
            b'\r' => bytes.extend_from_slice(b"\\r"),
            _ if byte == b'\\' || byte == delimiter => bytes.extend_from_slice(&[b'\\', byte]),
            _ => bytes.push(byte),
        }
    }
    bytes
}

/// In quotes: never NULL.
fn csv_field(text: &str, quote: u8, escape: u8) -> Vec<u8> {
    let mut bytes = vec![quote];
    for byte in text.bytes() {
        if byte == quote || byte == escape {
            bytes.push(escape);
        }
        bytes.push(byte);
    }
    bytes.push(quote);
    bytes
}
