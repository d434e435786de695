//! `partywall audit key`: makes the key with which checkpoints are signed.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;
use std::process::ExitCode;

use crate::audit::checkpoint::SigningKey;
use crate::cli::failure::{Failure, put};

/// Make a key to sign checkpoints with
///
/// Writes the secret half to a new file for its owner alone, and prints the public half, which everybody may have who is
/// to verify.
#[derive(clap::Args)]
pub(super) struct KeyArguments {
    /// The signer's name, as in "example.com/production": no blanks, no plus
    #[arg(long)]
    name: String,
    /// Where to keep the secret half; the file must not be there yet
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

pub(super) fn key(arguments: &KeyArguments) -> Result<ExitCode, Failure> {
    let mut seed = [0; 32];
    aws_lc_rs::rand::fill(&mut seed).map_err(|_| Failure::new("the system has no random numbers to give"))?;
    let Some(key) = SigningKey::generate(&arguments.name, &seed) else {
        return Err(Failure::new("a signer's name has no blanks and no plus"));
    };
    let mut file =
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(&arguments.out).map_err(Failure::new)?;
    file.write_all(key.text(&seed).as_bytes()).and_then(|()| file.sync_all()).map_err(Failure::new)?;
    put(&format!("{}\n", key.verifying_key().text()))?;
    Ok(ExitCode::SUCCESS)
}
