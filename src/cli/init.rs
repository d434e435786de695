//! `partywall init`: a first policy, from the schema.

use std::path::PathBuf;
use std::process::ExitCode;

use crate::catalog::Catalog;
use crate::cli::environment::ProcessEnvironment;
use crate::cli::failure::Failure;
use crate::cli::failure::put;
use crate::cli::files;
use crate::cli::init_guess::draft;
use crate::cli::url;
use crate::upstream::load_catalog;

/// Write a first policy from a database's schema
///
/// Guesses the tenant column from what most tables have, and prints a policy in TOML: each table that has it, scoped;
/// each table that has not, hidden until you decide. Read it before you use it: it is a proposal.
#[derive(clap::Args)]
#[command(after_long_help = HELP)]
pub(crate) struct InitArguments {
    /// The database, as psql takes it: postgres://user@host:port/database?sslmode=verify-full&sslrootcert=ca.pem
    #[arg(long, value_name = "URL", required_unless_present = "catalog", conflicts_with = "catalog")]
    url: Option<String>,
    /// A snapshot in place of a database, made by "partywall catalog"
    #[arg(long, value_name = "FILE")]
    catalog: Option<PathBuf>,
    /// The tenant column, where the guess would be wrong
    #[arg(long, value_name = "NAME")]
    column: Option<String>,
}

const HELP: &str = "\
The password is taken from the URL, where other users of the machine can see
it, or else from PGPASSWORD.

Examples:
  PGPASSWORD=… partywall init \\
      --url postgres://app@db.example.com/app > config/policy.toml
  partywall init --catalog catalog.json --column org_id

Exit status:
  0  written
  1  the schema could not be read, or no column looks like a tenant's";

pub(crate) async fn init(arguments: &InitArguments) -> Result<ExitCode, Failure> {
    let catalog = match (&arguments.url, &arguments.catalog) {
        (Some(url), _) => online(url).await?,
        (None, Some(path)) => files::catalog(path)?,
        (None, None) => return Err(Failure::new("neither --url nor --catalog is given").status(2)),
    };
    let policy = draft(&catalog, arguments.column.as_deref())
        .map_err(|why| Failure::new(why).hint("Name the tenant column with --column."))?;
    put(&policy)?;
    Ok(ExitCode::SUCCESS)
}

async fn online(url: &str) -> Result<Catalog, Failure> {
    let target = url::target(url, &ProcessEnvironment)?;
    load_catalog(&target).await.map_err(Failure::new)
}
