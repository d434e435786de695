//! The operational log, to standard error.

use std::io::IsTerminal as _;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt;

use crate::cli::failure::Failure;
use crate::config::{Log, LogFormat};

/// What `log.filter` lets through; or what is wrong with it.
pub(crate) fn filter(settings: &Log) -> Result<EnvFilter, String> {
    EnvFilter::try_new(&settings.filter)
        .map_err(|error| format!("log.filter \"{}\" is not understood: {error}", settings.filter))
}

/// From here on, what the program does is logged as `[log]` says.
pub(crate) fn start(settings: &Log) -> Result<(), Failure> {
    let filter = filter(settings).map_err(Failure::new)?;
    let builder = fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let started = match settings.format {
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
        LogFormat::Text => builder.with_ansi(std::io::stderr().is_terminal()).try_init(),
    };
    started.map_err(|error| Failure::new(format_args!("cannot start the log: {error}")))?;
    // Where it happened, and no more: a panic's message can hold a piece of a statement.
    std::panic::set_hook(Box::new(|panic| {
        let location = panic.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(location, "a fault of the program");
    }));
    Ok(())
}
