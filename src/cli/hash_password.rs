//! `partywall hash-password`: a password to the SCRAM verifier that a policy keeps.

use std::process::ExitCode;

use crate::cli::failure::Failure;

/// Turn a password into a SCRAM verifier for the policy file
///
/// Reads the password from standard input, one line, and prints a SCRAM-SHA-256 verifier. The verifier lets Partywall
/// check the password and does not hold it. PostgreSQL stores the same form: a verifier of its pg_authid works too.
#[derive(clap::Args)]
#[command(after_long_help = HELP)]
pub(crate) struct HashPasswordArguments {}

const HELP: &str = "\
Example:
  partywall hash-password < password.txt
  and in policy.toml, in [login.NAME]:  scram = \"SCRAM-SHA-256$4096:…\"";

pub(crate) fn hash_password() -> Result<ExitCode, Failure> {
    Err(Failure::new("verifiers are not part of this build"))
}
