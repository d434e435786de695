//! `partywall demo`: a throw-away PostgreSQL, two tenants, the proxy, a guided tour.

use std::process::ExitCode;

use crate::cli::failure::Failure;

/// What happens after the tour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DemoMode {
    /// The end.
    Once,
    /// The servers stay until Ctrl-C.
    UntilInterrupted,
}

pub(crate) async fn run(_mode: DemoMode) -> ExitCode {
    Failure::new("the demo is not part of this build").report()
}
