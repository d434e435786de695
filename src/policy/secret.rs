//! Where a secret comes from, and the wrapper that keeps it out of logs.

use std::fmt;
use std::path::Path;

use crate::policy::SecretSource;

/// What lies outside the process and may be asked for. The shell's asks the system; a test's is a map.
pub trait Environment: Send + Sync {
    /// An environment variable's value; why not, where there is none.
    fn variable(&self, name: &str) -> Result<String, String>;
    /// A file's text; why not, where it cannot be read.
    fn file(&self, path: &Path) -> Result<String, String>;
}

/// A secret's text. Its `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself. Never for a log, an error or a metric.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// A secret that cannot be had: which one, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretError {
    source: SecretSource,
    why: String,
}

impl fmt::Display for SecretError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.source {
            SecretSource::File(path) => write!(f, "cannot read secret from file \"{path}\": {}", self.why),
            SecretSource::Environment(name) => {
                write!(f, "cannot read secret from environment variable \"{name}\": {}", self.why)
            }
        }
    }
}

impl std::error::Error for SecretError {}

impl SecretSource {
    /// Fetches the secret. `folder` is that of the file in which the source is named.
    ///
    /// One line break at the end is not part of it: editors and `echo` put it there.
    pub fn resolve(&self, folder: &Path, environment: &dyn Environment) -> Result<Secret, SecretError> {
        let text = match self {
            Self::File(path) => environment.file(&folder.join(path)),
            Self::Environment(name) => environment.variable(name),
        };
        let refuse = |why: String| SecretError { source: self.clone(), why };
        let text = text.map_err(refuse)?;
        let line = text.strip_suffix('\n').map_or(text.as_str(), |line| line.strip_suffix('\r').unwrap_or(line));
        if line.is_empty() {
            return Err(refuse("it is empty".to_owned()));
        }
        Ok(Secret::new(line))
    }
}
