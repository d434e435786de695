//! A TOML file held against its JSON Schema, with the place of every key: what the config and policy files share.

use std::fmt;
use std::ops::Range;

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use toml::Spanned;
use toml::de::DeTable;

use crate::policy::schema::schema_of;
use crate::policy::shape::Shape;

/// One fault in a file, and where: `7:1: unknown key "addres" in [listen]; did you mean "address"?`.
///
/// The reader of the file puts its path and a colon before it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct FileError {
    /// From 1.
    pub line: usize,
    /// In characters, from 1.
    pub column: usize,
    pub message: String,
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.line, self.column, self.message)
    }
}

impl std::error::Error for FileError {}

/// A file's text with its tree, so that a value found wrong later can still be pointed at.
pub(crate) struct Document<'t> {
    text: &'t str,
    root: Spanned<DeTable<'t>>,
    errors: Vec<FileError>,
}

impl<'t> Document<'t> {
    /// Reads a text as `T`. The faults of one stage come all together: syntax, then keys and types.
    pub(crate) fn read<T: DeserializeOwned + JsonSchema>(text: &'t str) -> Result<(Self, T), Vec<FileError>> {
        let (root, errors) = DeTable::parse_recoverable(text);
        let mut document = Self { text, root, errors: Vec::new() };
        for error in errors {
            document.fault(error.span().unwrap_or_default(), error.message().to_owned());
        }
        if !document.errors.is_empty() {
            return Err(document.errors);
        }
        let schema = schema_of::<T>();
        for (span, message) in Shape::check(&schema, &document.root) {
            document.fault(span, message);
        }
        if !document.errors.is_empty() {
            return Err(document.into_errors());
        }
        match toml::from_str(text) {
            Ok(value) => Ok((document, value)),
            // What the schema cannot say; nothing known falls in here.
            Err(error) => {
                document.fault(error.span().unwrap_or_default(), error.message().to_owned());
                Err(document.errors)
            }
        }
    }

    /// Notes a fault in the value at `path`; where there is none, in the nearest table above it.
    pub(crate) fn note(&mut self, path: &[&str], message: impl Into<String>) {
        let span = self.span(path);
        self.fault(span, message.into());
    }

    /// Likewise, in place of a value that cannot be had.
    pub(crate) fn refuse<T>(&mut self, path: &[&str], message: impl Into<String>) -> Option<T> {
        self.note(path, message);
        None
    }

    /// `value`, unless a fault was noted.
    pub(crate) fn finish<T>(self, value: T) -> Result<T, Vec<FileError>> {
        if self.errors.is_empty() { Ok(value) } else { Err(self.into_errors()) }
    }

    fn into_errors(mut self) -> Vec<FileError> {
        self.errors.sort();
        self.errors
    }

    fn fault(&mut self, span: Range<usize>, message: String) {
        let (line, column) = place(self.text, span.start);
        self.errors.push(FileError { line, column, message });
    }

    fn span(&self, path: &[&str]) -> Range<usize> {
        let mut span = self.root.span();
        let mut table = Some(self.root.get_ref());
        for key in path {
            let Some(value) = table.and_then(|table| table.get(*key)) else { break };
            span = value.span();
            table = value.get_ref().as_table();
        }
        span
    }
}

/// Line and column of a byte, both from 1, the column in characters.
fn place(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset).unwrap_or(text);
    let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    (line, column)
}
