//! `partywall demo`: a throw-away PostgreSQL, two tenants, Partywall in front, and a guided tour.

use std::process::ExitCode;

use crate::demo::DemoError;
use crate::demo::stand::Stand;
use crate::demo::terminal::{Style, Terminal};
use crate::demo::tour::{self, Outcome};

/// What happens after the tour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DemoMode {
    /// The end.
    Once,
    /// The servers stay until Ctrl-C.
    UntilInterrupted,
}

/// 0 if every step came out as promised.
///
/// Blocks its thread while PostgreSQL starts: it must be the future that the runtime's own thread waits for.
pub(crate) async fn run(mode: DemoMode) -> ExitCode {
    match show(mode).await {
        Ok(Outcome::AsPromised) => ExitCode::SUCCESS,
        Ok(Outcome::Broken) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("partywall demo: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn show(mode: DemoMode) -> Result<Outcome, DemoError> {
    let terminal = Terminal::new();
    terminal.line(Style::Bold, "Partywall: the wall between tenants of one PostgreSQL");
    terminal.blank();
    let program = std::env::current_exe().map_err(DemoError::because("cannot find our own program"))?;
    let stand = Stand::start(&program, |step| terminal.line(Style::Dim, &format!("  {step} …")))?;
    let version = stand.postgres.version()?;
    terminal.say(&format!("Ready: {version} on port {}, Partywall on {}.", stand.postgres.port(), stand.address()));
    let outcome = tour::walk(&stand, &terminal).await?;
    if mode == DemoMode::UntilInterrupted {
        tour::invitation(&stand, &terminal);
        terminal.blank();
        terminal.line(Style::Bold, "Everything stays until you press Ctrl-C, and then is gone.");
        asked_to_end().await?;
        terminal.blank();
    }
    terminal.line(Style::Dim, "Cleaning up …");
    Ok(outcome)
}

/// Returns on Ctrl-C and on SIGTERM.
async fn asked_to_end() -> Result<(), DemoError> {
    use tokio::signal::unix::{SignalKind, signal};
    let failed = "cannot listen for signals";
    let mut terminate = signal(SignalKind::terminate()).map_err(DemoError::because(failed))?;
    tokio::select! {
        pressed = tokio::signal::ctrl_c() => pressed.map_err(DemoError::because(failed)),
        _ = terminate.recv() => Ok(()),
    }
}
