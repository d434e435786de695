//! `partywall schema`: the JSON Schema of a file, for editors.

use std::process::ExitCode;

use clap::ValueEnum;

use crate::cli::failure::Failure;
use crate::cli::failure::put;
use crate::config::Config;
use crate::policy::Policy;

/// Print the JSON Schema of the config or policy file
///
/// An editor with TOML support completes keys and shows their descriptions from it. The same schema is what the files
/// are checked against when they are read.
#[derive(clap::Args)]
#[command(after_long_help = HELP)]
pub(crate) struct SchemaArguments {
    /// The file that it describes
    file: SchemaFile,
}

#[derive(Clone, Copy, ValueEnum)]
enum SchemaFile {
    Config,
    Policy,
}

const HELP: &str = "\
Example:
  partywall schema policy > policy.schema.json
  and as the first line of policy.toml:  #:schema policy.schema.json";

pub(crate) fn schema(arguments: &SchemaArguments) -> Result<ExitCode, Failure> {
    put(&match arguments.file {
        SchemaFile::Config => Config::schema(),
        SchemaFile::Policy => Policy::schema(),
    })?;
    Ok(ExitCode::SUCCESS)
}
