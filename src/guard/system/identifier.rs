//! Names as SQL writes them inside of a string: `schema."Name"`.

use crate::policy::quoted_part;

/// `schema."Name"` in parts, as PostgreSQL reads a name in a string.
pub(super) fn identifiers(name: &str) -> Option<Vec<String>> {
    let mut parts = Vec::new();
    let mut rest = name.trim();
    loop {
        let (part, behind) = match rest.strip_prefix('"') {
            Some(quoted) => quoted_part(quoted)?,
            None => {
                let end = rest.find(['.', ' ', '"']).unwrap_or(rest.len());
                let (part, behind) = rest.split_at_checked(end)?;
                (part.to_ascii_lowercase(), behind)
            }
        };
        if part.is_empty() {
            return None;
        }
        parts.push(part);
        match behind.trim_start().strip_prefix('.') {
            Some(next) => rest = next.trim_start(),
            None => return behind.trim().is_empty().then_some(parts),
        }
    }
}
