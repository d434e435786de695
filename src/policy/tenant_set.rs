//! Tenants by name and by pattern: a look-up, however many are named.

use std::collections::HashSet;

use crate::tenant::TenantId;

/// The tenants that a login may act for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TenantSet {
    named: HashSet<String>,
    /// Texts with `*`, which stands for any text.
    patterns: Vec<String>,
}

impl TenantSet {
    /// Of names and patterns, mixed.
    pub fn new<'t>(texts: impl IntoIterator<Item = &'t str>) -> Self {
        let mut set = Self::default();
        for text in texts {
            if text.contains('*') {
                set.patterns.push(text.to_owned());
            } else {
                set.named.insert(text.to_owned());
            }
        }
        set
    }

    pub fn contains(&self, tenant: &TenantId) -> bool {
        let tenant = tenant.as_str();
        self.named.contains(tenant) || self.patterns.iter().any(|pattern| matches(pattern, tenant))
    }
}

/// Whether a text is of the pattern's form. Each `*` takes as little as it can: more would find no more.
pub(super) fn matches(pattern: &str, text: &str) -> bool {
    let Some((head, tail)) = pattern.split_once('*') else { return pattern == text };
    let Some(mut rest) = text.strip_prefix(head) else { return false };
    let (inner, end) = tail.rsplit_once('*').unwrap_or(("", tail));
    for part in inner.split('*').filter(|part| !part.is_empty()) {
        let Some((_, behind)) = rest.split_once(part) else { return false };
        rest = behind;
    }
    rest.ends_with(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_text() {
        for (pattern, text, expected) in [
            ("*", "", true),
            ("*", "acme", true),
            ("acme", "acme", true),
            ("acme", "acme2", false),
            ("eu-*", "eu-acme", true),
            ("eu-*", "eu-", true),
            ("eu-*", "us-acme", false),
            ("*-eu", "acme-eu", true),
            ("*-eu", "acme-eu-x", false),
            ("a*a", "a", false),
            ("a*a", "aa", true),
            ("a*b*c", "a--b--c", true),
            ("a*b*c", "a--c--b", false),
            ("a**c", "abc", true),
            ("*é*", "caféteria", true),
            ("*ab", "aab", true),
            ("*a*ab", "aab", true),
            ("*ab*ab", "ab", false),
        ] {
            assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn names_are_looked_up_and_patterns_tried() {
        let set = TenantSet::new(["acme", "eu-*"]);
        let contains = |tenant| set.contains(&TenantId::parse(tenant).unwrap());
        assert!(contains("acme") && contains("eu-globex"));
        assert!(!contains("globex") && !contains("acme ") && !contains("eu"));
    }
}
