//! What a statement does to the names of a session: those of prepared statements, and those of cursors, which are portals.
//!
//! The session keeps the names, since only it knows what the client has made by other means and what has failed.

use crate::catalog::QualifiedName;
use crate::guard::decision::{ParameterCheck, StatementClass};
use crate::sql::{Fetched, SessionStatement};

pub use crate::sql::Hold;

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Naming {
    #[default]
    Nothing,
    /// PREPARE: the statement that it holds is of this class, and its parameters must have these values.
    Prepares { statement: String, class: StatementClass, checks: Vec<ParameterCheck> },
    /// EXECUTE
    Executes { statement: String, arguments: Vec<Argument> },
    /// DEALLOCATE
    Deallocates { statement: String },
    /// DECLARE
    Declares { cursor: String, hold: Hold },
    /// FETCH, MOVE
    Fetches { cursor: String },
    /// CLOSE
    Closes { cursor: String },
}

/// An argument of EXECUTE, as far as it can be compared with the tenant's identifier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Argument {
    Literal(String),
    Other,
}

/// `WHERE CURRENT OF cursor` in a change of a relation's rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Positioned {
    pub cursor: String,
    pub relation: QualifiedName,
}

impl Naming {
    pub(in crate::guard) fn of_session(statement: &SessionStatement) -> Self {
        use SessionStatement as S;
        match statement {
            S::Deallocate { name } => Self::Deallocates { statement: name.clone() },
            S::Fetch { cursor, what: Fetched::Rows | Fetched::Nothing } => Self::Fetches { cursor: cursor.clone() },
            S::CloseCursor { name } => Self::Closes { cursor: name.clone() },
            _ => Self::Nothing,
        }
    }

    /// `executes q`; nothing for a statement without names.
    pub(in crate::guard) fn describe(&self) -> Option<String> {
        let written = crate::policy::written_part;
        Some(match self {
            Self::Nothing => return None,
            Self::Prepares { statement, .. } => format!("prepares {}", written(statement)),
            Self::Executes { statement, .. } => format!("executes {}", written(statement)),
            Self::Deallocates { statement } => format!("deallocates {}", written(statement)),
            Self::Declares { cursor, hold: Hold::Without } => format!("declares {}", written(cursor)),
            Self::Declares { cursor, hold: Hold::With } => format!("declares {} with hold", written(cursor)),
            Self::Fetches { cursor } => format!("fetches {}", written(cursor)),
            Self::Closes { cursor } => format!("closes {}", written(cursor)),
        })
    }
}
