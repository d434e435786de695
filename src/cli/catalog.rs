//! `partywall catalog`: a snapshot of an upstream's schema, as JSON.

use std::process::ExitCode;

use crate::cli::environment::ProcessEnvironment;
use crate::cli::failure::Failure;
use crate::cli::failure::put;
use crate::cli::url;
use crate::upstream::load_catalog;

/// Write a snapshot of a database's schema, for offline use, tests and review
///
/// Prints JSON: relations with their columns, keys, triggers and rules, views, functions, operators and types. It
/// holds no row of any table. Any role can make it: PostgreSQL's catalogues are open to all.
#[derive(clap::Args)]
#[command(after_long_help = HELP)]
pub(crate) struct CatalogArguments {
    /// The database, as psql takes it: postgres://user@host:port/database?sslmode=verify-full&sslrootcert=ca.pem
    #[arg(long, value_name = "URL")]
    url: String,
}

const HELP: &str = "\
The password is taken from the URL, where other users of the machine can see
it, or else from PGPASSWORD. Without \"sslmode\" a connection to another machine
is verified (verify-full), and one to loopback is plain.

Example:
  PGPASSWORD=… partywall catalog \\
      --url postgres://app@db.example.com/app > catalog.json

Exit status:
  0  written
  1  the server could not be reached or read; standard error says why";

pub(crate) async fn catalog(arguments: &CatalogArguments) -> Result<ExitCode, Failure> {
    let target = url::target(&arguments.url, &ProcessEnvironment)?;
    let catalog = load_catalog(&target).await.map_err(Failure::new)?;
    put(&catalog.to_json())?;
    Ok(ExitCode::SUCCESS)
}
