//! What a session hands to the shell: how far it read, what goes on unchanged, and what happened.

use std::sync::Arc;

use crate::guard::Decision;
use crate::tenant::{Identity, Timestamp};

/// How far a session read its input, and what is to be sent on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Bytes of the input that are done with.
    pub consumed: usize,
    pub output: Output,
}

impl Progress {
    pub fn unchanged(consumed: usize) -> Self {
        Self { consumed, output: Output::Unchanged }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Output {
    /// The consumed bytes go to the other side exactly as they stand, behind what its output buffer already holds.
    Unchanged,
    /// Everything that is to go is in the output buffers.
    Buffered,
}

/// What the session is doing, as metrics count it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionState {
    Idle,
    Active,
    InTransaction,
}

/// Something to be recorded and counted.
#[derive(Debug, Clone)]
pub enum SessionEvent {
    /// A statement is about to go upstream, or its rows are about to go to the client.
    Begun(StatementEvent),
    /// A statement has ended, one way or another.
    Statement(StatementEvent),
    /// A limit was reached; its name, as in `config::Limits`.
    LimitReached(&'static str),
}

/// The end of one Query message, or of one Execute of a prepared statement, or the refusal of a text.
#[derive(Debug, Clone)]
pub struct StatementEvent {
    pub phase: RecordPhase,
    /// For whom it was done.
    pub identity: Arc<Identity>,
    /// The person behind it, as the application says (`partywall.user`).
    pub user: Option<Arc<str>>,
    pub decision: Arc<Decision>,
    /// Which statement of the decision's text; a refusal concerns the whole text.
    pub statement: usize,
    /// What EXECUTE, FETCH or MOVE ran by its name.
    pub meant: Option<Meant>,
    /// Counters within the session, from 1.
    pub transaction_number: u64,
    pub statement_number: u64,
    pub started: Timestamp,
    pub ended: Timestamp,
    pub outcome: Outcome,
    /// What the client was told, where it was an error.
    pub sqlstate: Option<[u8; 5]>,
    /// Rows returned (DataRow, CopyData out).
    pub rows: u64,
    /// The count in the command tag of INSERT, UPDATE, DELETE, MERGE, COPY FROM.
    pub rows_affected: Option<u64>,
    /// Bytes of row data sent to the client.
    pub bytes: u64,
    /// Bytes of the client's text.
    pub text_bytes: usize,
}

/// Which of a statement's records it is. The number is the session's own, and the same at the beginning and the ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecordPhase {
    Single,
    Begin(u64),
    End(u64),
}

/// The statement that a name stood for: the one that PREPARE, DECLARE or a Parse message holds.
#[derive(Debug, Clone)]
pub struct Meant {
    pub decision: Arc<Decision>,
    /// Which statement of the decision's text.
    pub statement: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    Allow,
    Deny,
    Error,
    /// The connection ended before the answer did.
    Unknown,
}

impl Outcome {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Deny => "deny",
            Self::Error => "error",
            Self::Unknown => "unknown",
        }
    }
}
