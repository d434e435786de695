//! `partywall completions`: what a shell needs to complete our command line.

use std::process::ExitCode;

use clap::CommandFactory;
use clap_complete::Shell;

use crate::cli::Arguments;
use crate::cli::failure::Failure;
use crate::cli::failure::put;

/// Print a completion script for a shell
#[derive(clap::Args)]
#[command(after_long_help = HELP)]
pub(crate) struct CompletionsArguments {
    /// The shell
    shell: Shell,
}

const HELP: &str = "\
Examples:
  partywall completions bash > /etc/bash_completion.d/partywall
  partywall completions zsh  > ~/.zfunc/_partywall
  partywall completions fish > ~/.config/fish/completions/partywall.fish";

pub(crate) fn completions(arguments: &CompletionsArguments) -> Result<ExitCode, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut Arguments::command(), "partywall", &mut script);
    put(&String::from_utf8_lossy(&script))?;
    Ok(ExitCode::SUCCESS)
}
