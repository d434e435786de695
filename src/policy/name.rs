//! Names as they are written in a policy's keys: `public.invoices`, `public."Odd Name"`, `public.full_name(text, text)`.

use crate::catalog::QualifiedName;
use crate::policy::FunctionIdentity;

/// PostgreSQL's NAMEDATALEN less one. It would cut a longer name off, so that two names become one.
const NAME_BYTES_MAX: usize = 63;

/// Reads `schema.name`; either part may be quoted as in SQL.
///
/// An unquoted capital letter is refused and not folded: `Invoices` means another relation to a reader of the
/// catalogue than to PostgreSQL's parser.
pub(super) fn parse_qualified_name(text: &str) -> Result<QualifiedName, String> {
    let (schema, rest) = part(text)?;
    let Some(rest) = rest.strip_prefix('.') else {
        return match rest {
            "" => Err(format!("name {text:?} has no schema: write \"public.{text}\", or the schema that it is in")),
            rest => Err(format!("name {text:?} has {rest:?} where a period is expected")),
        };
    };
    let (name, rest) = part(rest)?;
    if !rest.is_empty() {
        return Err(format!("name {text:?} has more than a schema and a name: quote a part with odd characters in it"));
    }
    Ok(QualifiedName { schema, name })
}

/// Reads `schema.name(type, …)`.
pub(super) fn parse_function_identity(text: &str) -> Result<FunctionIdentity, String> {
    let head = text.trim_end().strip_suffix(')').and_then(|head| split_arguments(head));
    let Some((function, arguments)) = head else {
        return Err(format!(
            "function {text:?} has no argument types: write them as \\df prints them, as in \"public.full_name(text, text)\""
        ));
    };
    let function = parse_qualified_name(function.trim_end())?;
    Ok(FunctionIdentity { function, arguments: canonical_arguments(arguments) })
}

/// The name as it must be written in a policy's key, and as it may be in SQL.
pub fn written_name(name: &QualifiedName) -> String {
    format!("{}.{}", written_part(&name.schema), written_part(&name.name))
}

/// A text on one line, whatever is in it: control characters as Rust writes them.
pub fn printable(text: &str) -> String {
    let shown = |character: char| match character {
        control if control.is_control() => control.escape_default().to_string(),
        other => other.to_string(),
    };
    text.chars().map(shown).collect()
}

/// One part of a name, in quotes where it needs them.
pub fn written_part(part: &str) -> String {
    let plain = |(index, character): (usize, char)| match character {
        'a'..='z' | '_' => true,
        '0'..='9' | '$' => index > 0,
        other => !other.is_ascii(),
    };
    if !part.is_empty() && part.chars().enumerate().all(plain) {
        return part.to_owned();
    }
    format!("\"{}\"", part.replace('"', "\"\""))
}

/// One part of a name, and what stands behind it.
fn part(text: &str) -> Result<(String, &str), String> {
    let (name, rest) = match text.strip_prefix('"') {
        Some(quoted) => quoted_part(quoted).ok_or_else(|| format!("name {text:?} has a quote that is not closed"))?,
        None => {
            let end = text.find(|character: char| !plain(character)).unwrap_or(text.len());
            let (name, rest) = text.split_at_checked(end).unwrap_or((text, ""));
            if name.bytes().any(|byte| byte.is_ascii_uppercase()) {
                let folded = name.to_ascii_lowercase();
                return Err(format!(
                    "name {name:?} has capital letters: quote it if the catalogue has them ('schema.\"{name}\"'), else write \"{folded}\""
                ));
            }
            (name.to_owned(), rest)
        }
    };
    if name.is_empty() {
        return Err(format!(
            "name {text:?} has an empty part: odd characters must be quoted as in SQL, 'schema.\"Odd Name\"'"
        ));
    }
    if name.len() > NAME_BYTES_MAX {
        return Err(format!("name {name:?} is longer than {NAME_BYTES_MAX} bytes"));
    }
    Ok((name, rest))
}

/// A character that needs no quotes.
fn plain(character: char) -> bool {
    character.is_ascii_alphanumeric() || matches!(character, '_' | '$') || !character.is_ascii()
}

/// The text up to the closing quote, doubled quotes made one, and what stands behind it.
pub(crate) fn quoted_part(text: &str) -> Option<(String, &str)> {
    let mut name = String::new();
    let mut rest = text;
    loop {
        let (before, after) = rest.split_once('"')?;
        name.push_str(before);
        match after.strip_prefix('"') {
            Some(after) => {
                name.push('"');
                rest = after;
            }
            None => return Some((name, after)),
        }
    }
}

/// Splits at the parenthesis that opens the arguments: the first one outside quotes.
fn split_arguments(head: &str) -> Option<(&str, &str)> {
    let mut quoted = false;
    let open = head.find(|character| {
        quoted ^= character == '"';
        character == '(' && !quoted
    })?;
    let (function, arguments) = head.split_at_checked(open)?;
    Some((function, arguments.strip_prefix('(')?))
}

/// As `pg_get_function_identity_arguments` prints them: full type names, a comma and a blank between them.
fn canonical_arguments(arguments: &str) -> String {
    if arguments.trim().is_empty() {
        return String::new();
    }
    split_outside_parentheses(arguments).into_iter().map(canonical_type).collect::<Vec<_>>().join(", ")
}

fn split_outside_parentheses(arguments: &str) -> Vec<&str> {
    let mut depth = 0_i32;
    let mut quoted = false;
    arguments
        .split(|character| {
            match character {
                '"' => quoted = !quoted,
                '(' if !quoted => depth += 1,
                ')' if !quoted => depth -= 1,
                _ => {}
            }
            character == ',' && depth == 0 && !quoted
        })
        .collect()
}

fn canonical_type(written: &str) -> String {
    let words = written.split_whitespace().collect::<Vec<_>>().join(" ");
    let base = words.trim_end_matches("[]");
    let array = words.strip_prefix(base).unwrap_or_default();
    let full = match base {
        "int" | "int4" => "integer",
        "int8" => "bigint",
        "int2" => "smallint",
        "bool" => "boolean",
        "float4" => "real",
        "float8" | "float" => "double precision",
        "decimal" => "numeric",
        "varchar" => "character varying",
        "char" => "character",
        "varbit" => "bit varying",
        "timestamptz" => "timestamp with time zone",
        "timestamp" => "timestamp without time zone",
        "timetz" => "time with time zone",
        "time" => "time without time zone",
        other => other,
    };
    format!("{full}{array}")
}
