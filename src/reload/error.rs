//! Why settings or rules were not taken, in words for the person who wrote them.

use std::fmt;
use std::path::Path;

use crate::guard::Diagnostic;
use crate::policy::FileError;
use crate::upstream::QueryError;

/// A set of settings that was refused. Whatever was in force before still is.
#[derive(Debug)]
pub enum ReloadError {
    /// Faults in files, one a line, each with its place: `config/policy.toml:7:1: unknown key …`.
    Files(Vec<String>),
    /// The policy does not fit the upstream's schema.
    Misfit { policy_file: String, diagnostics: Vec<Diagnostic> },
    /// The upstream's schema could not be read.
    Upstream(QueryError),
}

impl ReloadError {
    pub(super) fn file(path: &Path, message: impl fmt::Display) -> Self {
        Self::Files(vec![format!("{}: {message}", path.display())])
    }

    pub(super) fn faults(path: &Path, faults: &[FileError]) -> Self {
        Self::Files(faults.iter().map(|fault| format!("{}:{fault}", path.display())).collect())
    }

    /// A stable word, for the audit record.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Files(_) => "settings_invalid",
            Self::Misfit { .. } => "policy_misfit",
            Self::Upstream(_) => "upstream_unavailable",
        }
    }
}

impl fmt::Display for ReloadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Files(faults) => f.write_str(&faults.join("\n")),
            Self::Misfit { policy_file, diagnostics } => {
                let lines = diagnostics.iter().map(|fault| format!("{policy_file}: {}: {}", fault.path, fault.message));
                f.write_str(&lines.collect::<Vec<_>>().join("\n"))
            }
            Self::Upstream(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for ReloadError {}

impl From<QueryError> for ReloadError {
    fn from(error: QueryError) -> Self {
        Self::Upstream(error)
    }
}
