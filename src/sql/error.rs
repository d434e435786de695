//! What can go wrong in reading a text, and how much of a text is read.

use std::fmt;

/// How much of a text is read. Memory while parsing goes with tokens, not bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TextLimits {
    pub bytes_max: usize,
    pub tokens_max: usize,
    pub nesting_max: usize,
}

impl Default for TextLimits {
    fn default() -> Self {
        Self { bytes_max: 1_048_576, tokens_max: 200_000, nesting_max: 50 }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ReadErrorKind {
    /// The text cannot be cut into tokens, or not in the same way by every supported version of PostgreSQL.
    Token,
    /// The tokens are no statement.
    Grammar,
    /// A limit is exceeded.
    TooLarge,
    /// It may be a statement, but one whose meaning cannot be vouched for.
    Forbidden,
}

/// Why a text was not read. The message has PostgreSQL's style, and quotes only what the text itself says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadError {
    pub kind: ReadErrorKind,
    pub message: String,
    /// Character in the text, from 1.
    pub position: Option<u32>,
}

impl ReadError {
    pub(crate) fn new(kind: ReadErrorKind, message: impl Into<String>, position: Option<u32>) -> Self {
        Self { kind, message: message.into(), position }
    }
}

impl fmt::Display for ReadError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.message)
    }
}

impl std::error::Error for ReadError {}
