//! `partywall audit`: what is kept of the audit trail, for who has to trust it.

mod key;
mod prove;
mod show;
mod verify;

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use clap::Subcommand;

use crate::audit::checkpoint::VerifyingKey;
use crate::cli::failure::Failure;

/// Verify, prove and read the audit trail
///
/// The log is a Merkle tree (RFC 6962). The proxy signs its root every second, in the log itself and, where the config
/// says so, in a file elsewhere. Who has the public key can tell whether the log is as it was written, and prove one
/// record to somebody who sees no other.
#[derive(clap::Args)]
#[command(after_long_help = HELP)]
pub(super) struct AuditArguments {
    #[command(subcommand)]
    command: Command,
}

const HELP: &str = "\
Exit status:
  0  intact; proved
  1  tampered: something is not what was written
  2  something is missing, inside or at the end
  3  a file cannot be read, or a key or checkpoint is of no known form";

/// Neither intact nor not: it could not be told.
const UNREADABLE: u8 = 3;

#[derive(Subcommand)]
enum Command {
    Key(key::KeyArguments),
    Verify(verify::VerifyArguments),
    Prove(prove::ProveArguments),
    CheckProof(prove::CheckProofArguments),
    Consistency(verify::ConsistencyArguments),
    Cat(show::CatArguments),
    Tail(show::TailArguments),
}

pub(super) fn audit(arguments: &AuditArguments) -> Result<ExitCode, Failure> {
    let result = match &arguments.command {
        Command::Key(arguments) => key::key(arguments),
        Command::Verify(arguments) => verify::verify(arguments),
        Command::Prove(arguments) => prove::prove(arguments),
        Command::CheckProof(arguments) => prove::check_proof(arguments),
        Command::Consistency(arguments) => verify::consistency(arguments),
        Command::Cat(arguments) => show::cat(arguments),
        Command::Tail(arguments) => show::tail(arguments),
    };
    result.map_err(|failure| failure.status(UNREADABLE))
}

/// A public key: the text itself, or a file that holds it.
fn verifying_key(text: &str) -> Result<VerifyingKey, Failure> {
    let kept = if text.contains('+') { text.to_owned() } else { read(Path::new(text))? };
    VerifyingKey::parse(&kept).map_err(|error| Failure::new(format_args!("key \"{text}\": {error}")))
}

fn read(path: &Path) -> Result<String, Failure> {
    fs::read_to_string(path).map_err(|error| unreadable(path, &error))
}

fn unreadable(path: &Path, error: &std::io::Error) -> Failure {
    Failure::new(format_args!("could not read file \"{}\": {error}", path.display()))
}
