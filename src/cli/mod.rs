//! The command line: one subcommand, one file.

mod audit;
mod catalog;
mod check;
mod check_report;
mod completions;
mod demo;
mod environment;
mod explain;
mod failure;
mod files;
mod hash_password;
mod init;
mod init_guess;
mod logging;
mod run;
mod schema;
mod url;

use std::future::Future;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use clap::Subcommand;

use crate::cli::failure::Failure;

pub use crate::cli::demo::DemoMode;
pub use crate::cli::environment::ProcessEnvironment;

/// The wall between tenants: a sidecar proxy for PostgreSQL
///
/// Partywall stands between applications and a PostgreSQL server whose tables hold the rows of many tenants. Whatever
/// SQL a client sends, it sees and changes what it would see and change on a server that holds only its own tenant's
/// rows, or it gets a clear error.
///
/// Two files say how: the config (where to listen, which server is behind, limits) and the policy (tables, functions,
/// logins: the file that a reviewer signs off).
#[derive(Parser)]
#[command(name = "partywall", version, propagate_version = true, after_long_help = HELP)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

const HELP: &str = "\
First steps:
  partywall demo
      see it work, on a throw-away server
  partywall init --url postgres://app@db/app > config/policy.toml
      a first policy, from a schema
  partywall check --config config/partywall.toml --online
      is everything in order?
  partywall run --config config/partywall.toml
      the proxy

Exit status:
  0  done; explain: the statement would be forwarded
  1  something is wrong; standard error says what
  2  the command line was not understood; explain: no decision could be made
  3  explain: the statement would be rejected";

#[derive(Subcommand)]
enum Command {
    Run(RunArguments),
    Check(check::CheckArguments),
    Explain(explain::ExplainArguments),
    Catalog(catalog::CatalogArguments),
    Audit(audit::AuditArguments),
    Init(init::InitArguments),
    HashPassword(hash_password::HashPasswordArguments),
    Demo(DemoArguments),
    Completions(completions::CompletionsArguments),
    Schema(schema::SchemaArguments),
}

/// Run the proxy
///
/// Listens for clients, logs in to the upstream for each of them, and forwards what the policy lets through. Logs to
/// standard error.
#[derive(clap::Args)]
#[command(after_long_help = RUN_HELP)]
struct RunArguments {
    /// The config file
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
}

const RUN_HELP: &str = "\
Signals:
  SIGHUP   reads config, policy and certificates again; a bad file changes
           nothing, and the log says why
  SIGTERM  takes no more clients, gives running ones time to finish
           (drain_timeout in [limits]), then ends

Example:
  UPSTREAM_PASSWORD=… partywall run --config config/partywall.toml

Exit status:
  0  ended by a signal
  1  could not start; standard error says why";

/// A guided tour on a throw-away PostgreSQL
///
/// Starts a PostgreSQL of its own with the data of two tenants, the proxy in front of it, and shows statements, what
/// became of them, and their answers. Then waits for Ctrl-C, so that you can connect with your own psql.
#[derive(clap::Args)]
#[command(after_long_help = DEMO_HELP)]
struct DemoArguments {
    /// End after the tour, and clean up
    #[arg(long)]
    once: bool,
}

const DEMO_HELP: &str = "\
It needs PostgreSQL's programs (initdb, postgres): in the folder that PG_BIN
names, on the PATH, or where Debian has them. Nothing outside its own temporary
folder is touched.

Example:
  partywall demo --once";

/// Runs the command that the process was started with.
pub fn main() -> ExitCode {
    let result = match Arguments::parse().command {
        Command::Run(arguments) => run_proxy(&arguments),
        Command::Check(arguments) => block_on(check::check(&arguments)),
        Command::Explain(arguments) => explain::explain(&arguments),
        Command::Audit(arguments) => audit::audit(&arguments),
        Command::Catalog(arguments) => block_on(catalog::catalog(&arguments)),
        Command::Init(arguments) => block_on(init::init(&arguments)),
        Command::HashPassword(arguments) => hash_password::hash_password(&arguments),
        Command::Demo(arguments) => block_on(async {
            let mode = if arguments.once { DemoMode::Once } else { DemoMode::UntilInterrupted };
            Ok(demo::run(mode).await)
        }),
        Command::Completions(arguments) => completions::completions(&arguments),
        Command::Schema(arguments) => schema::schema(&arguments),
    };
    result.unwrap_or_else(|failure| failure.report())
}

/// One to accept clients, one so that a scrape is never in their way.
const RUN_THREADS: usize = 2;

fn run_proxy(arguments: &RunArguments) -> Result<ExitCode, Failure> {
    // For what goes on beside the sessions, which have threads of their own.
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.worker_threads(RUN_THREADS);
    let runtime = builder.enable_all().build().map_err(Failure::runtime)?;
    Ok(runtime.block_on(run::run(&arguments.config)))
}

fn block_on(command: impl Future<Output = Result<ExitCode, Failure>>) -> Result<ExitCode, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(Failure::runtime)?;
    runtime.block_on(command)
}
