//! Why a command could not do its work, told in the way that psql does; and output that may find its reader gone.

use std::fmt::Display;
use std::io::ErrorKind;
use std::io::Write;
use std::process::ExitCode;

use crate::policy::FileError;

const PREFIX: &str = "partywall: error: ";

/// What standard error says, and the exit status.
#[derive(Debug)]
pub(crate) struct Failure {
    text: String,
    status: u8,
}

impl Failure {
    pub(crate) fn new(message: impl Display) -> Self {
        Self { text: format!("{PREFIX}{message}\n"), status: 1 }
    }

    /// Every fault of a file, one a line, each with its place.
    pub(crate) fn faults(path: &str, errors: &[FileError]) -> Self {
        Self { text: errors.iter().map(|error| format!("{path}:{error}\n")).collect(), status: 1 }
    }

    pub(crate) fn runtime(error: std::io::Error) -> Self {
        Self::new(format_args!("could not start worker threads: {error}"))
    }

    #[must_use]
    pub(crate) fn hint(mut self, hint: &str) -> Self {
        self.text.push_str(&format!("HINT:  {hint}\n"));
        self
    }

    #[must_use]
    pub(crate) fn status(mut self, status: u8) -> Self {
        self.status = status;
        self
    }

    /// Faults that are worded already, one a line.
    pub(crate) fn lines(lines: &[String]) -> Self {
        Self { text: lines.iter().map(|line| format!("{line}\n")).collect(), status: 1 }
    }

    /// What standard error would say.
    pub(crate) fn into_lines(self) -> Vec<String> {
        self.text.lines().map(|line| line.strip_prefix(PREFIX).unwrap_or(line).to_owned()).collect()
    }

    pub(crate) fn report(self) -> ExitCode {
        // Where standard error is closed, the exit status still tells.
        drop(std::io::stderr().write_all(self.text.as_bytes()));
        ExitCode::from(self.status)
    }
}

/// Writes to standard output. Who reads it may have seen enough (`| head`): no fault of ours.
pub(crate) fn put(text: &str) -> Result<(), Failure> {
    let mut output = std::io::stdout().lock();
    match output.write_all(text.as_bytes()).and_then(|()| output.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(Failure::new(format_args!("could not write to standard output: {error}")))
        }
        Ok(()) | Err(_) => Ok(()),
    }
}
