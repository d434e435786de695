//! A catalogue as a text, JSON: for `explain`, `check` and tests, and for review.

use std::collections::BTreeSet;
use std::fmt;

use serde::Deserialize;

use crate::catalog::CATALOG_FORMAT;
use crate::catalog::Catalog;

/// Why a text is not a catalogue, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CatalogError {
    /// From 1.
    pub line: usize,
    /// In bytes, from 1.
    pub column: usize,
    pub message: String,
}

impl fmt::Display for CatalogError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.line, self.column, self.message)
    }
}

impl std::error::Error for CatalogError {}

impl Catalog {
    /// Reads what [`Catalog::to_json`] wrote.
    pub fn parse_json(text: &str) -> Result<Self, CatalogError> {
        // Before the rest: a later form may have other keys, and its number is then the better message.
        let Header { format } = serde_json::from_str(text).map_err(|error| fault(&error))?;
        if format != CATALOG_FORMAT {
            return Err(whole(format!(
                "catalog has format {format}, and this version reads format {CATALOG_FORMAT}: \
                 make it anew with \"partywall catalog\""
            )));
        }
        let catalog: Self = serde_json::from_str(text).map_err(|error| fault(&error))?;
        let mut names = BTreeSet::new();
        match catalog.relations.iter().find(|relation| !names.insert((&relation.schema, &relation.name))) {
            Some(twice) => Err(whole(format!("relation \"{}\" stands in it twice", twice.qualified_name()))),
            None => Ok(catalog),
        }
    }

    /// One key a line, so that the difference between two snapshots can be read.
    pub fn to_json(&self) -> String {
        // Strings, numbers and lists of them cannot fail to be written.
        serde_json::to_string_pretty(self).map(|text| text + "\n").unwrap_or_default()
    }
}

#[derive(Deserialize)]
struct Header {
    format: u32,
}

fn fault(error: &serde_json::Error) -> CatalogError {
    let text = error.to_string();
    let place = format!(" at line {} column {}", error.line(), error.column());
    let message = text.strip_suffix(&place).unwrap_or(&text);
    CatalogError {
        line: error.line().max(1),
        column: error.column().max(1),
        message: format!("not a catalog: {message}"),
    }
}

fn whole(message: String) -> CatalogError {
    CatalogError { line: 1, column: 1, message }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> String {
        Catalog::parse_json(text).unwrap_err().to_string()
    }

    const EMPTY: &str = r#"{"format": 1, "server_version": 150018, "database": "app", "relations": [], "functions": [], "operators": [], "types": []}"#;

    #[test]
    fn what_was_written_is_read() {
        let catalog = Catalog::parse_json(EMPTY).unwrap();
        assert_eq!(Catalog::parse_json(&catalog.to_json()), Ok(catalog));
    }

    #[test]
    fn faults_have_a_place() {
        assert_eq!(refused(""), "1:1: not a catalog: EOF while parsing a value");
        assert_eq!(
            refused("{\n  \"format\": \"1\"\n}"),
            "2:15: not a catalog: invalid type: string \"1\", expected u32"
        );
        let later = r#"{"format": 2, "relations": {}}"#;
        assert!(refused(later).starts_with("1:1: catalog has format 2, and this version reads format 1"));
        let unknown = EMPTY.replace("\"types\"", "\"tipes\"");
        assert!(refused(&unknown).contains("unknown field `tipes`"));
        let relation = r#"{"schema": "public", "name": "a", "kind": "table", "columns": []}"#;
        let twice = EMPTY.replace("\"relations\": []", &format!("\"relations\": [{relation}, {relation}]"));
        assert_eq!(refused(&twice), "1:1: relation \"public.a\" stands in it twice");
    }
}
