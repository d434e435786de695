//! `partywall hash-password`: a password to the SCRAM verifier that a policy keeps.

use std::io::Read;
use std::num::NonZeroU32;
use std::process::ExitCode;

use crate::auth::ScramVerifier;
use crate::cli::failure::Failure;
use crate::cli::failure::put;

/// Turn a password into a SCRAM verifier for the policy file
///
/// Reads a password from standard input and prints a SCRAM-SHA-256 verifier. The verifier lets Partywall check the
/// password and does not hold it. PostgreSQL stores the same form: one from its pg_authid works too.
#[derive(clap::Args)]
#[command(after_long_help = HELP)]
pub(crate) struct HashPasswordArguments {
    /// Rounds of hashing: more make a stolen verifier harder to guess, and each login slower
    #[arg(long, value_name = "COUNT", default_value = "4096", value_parser = clap::value_parser!(u32).range(4096..=1_000_000))]
    iterations: u32,
}

const HELP: &str = "\
One line break at the end of the input is not part of the password.

Examples:
  partywall hash-password < password.txt
  openssl rand -base64 24 | tee password.txt | partywall hash-password
  and in policy.toml, in [login.NAME]:  scram = \"SCRAM-SHA-256$4096:…\"

Exit status:
  0  printed
  1  the password is empty, too long, or not a text";

/// PostgreSQL's own limit for a password (`PG_MAX_AUTH_TOKEN_LENGTH`).
const PASSWORD_BYTES_MAX: usize = 65_535;
/// PostgreSQL's (`SCRAM_DEFAULT_SALT_LEN`).
const SALT_BYTES: usize = 16;

pub(crate) fn hash_password(arguments: &HashPasswordArguments) -> Result<ExitCode, Failure> {
    let mut password = String::new();
    let limit = u64::try_from(PASSWORD_BYTES_MAX + 3).unwrap_or(u64::MAX);
    let read = std::io::stdin().lock().take(limit).read_to_string(&mut password);
    read.map_err(|error| Failure::new(format_args!("could not read the password from standard input: {error}")))?;
    let password =
        password.strip_suffix('\n').map_or(password.as_str(), |line| line.strip_suffix('\r').unwrap_or(line));
    if password.is_empty() {
        return Err(Failure::new("the password is empty").hint("Give it on standard input."));
    }
    if password.len() > PASSWORD_BYTES_MAX || password.contains(['\0', '\n']) {
        return Err(Failure::new("the password is longer than 65535 bytes, or holds a zero byte or a line break"));
    }
    let mut salt = [0; SALT_BYTES];
    aws_lc_rs::rand::fill(&mut salt).map_err(|_| Failure::new("the system gives no random bytes"))?;
    let iterations = NonZeroU32::new(arguments.iterations).ok_or_else(|| Failure::new("no iterations"))?;
    put(&format!("{}\n", ScramVerifier::from_password(password, &salt, iterations)))?;
    Ok(ExitCode::SUCCESS)
}
