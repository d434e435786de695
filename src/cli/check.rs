//! `partywall check`: is everything in order? The files, what they name, and with `--online` the servers.

use std::path::Path;
use std::path::PathBuf;
use std::process::ExitCode;

use crate::auth::ScramVerifier;
use crate::catalog::Catalog;
use crate::cli::check_report::Inspected;
use crate::cli::check_report::Report;
use crate::cli::environment::ProcessEnvironment;
use crate::cli::explain::Format;
use crate::cli::failure::Failure;
use crate::cli::failure::put;
use crate::cli::files;
use crate::cli::logging;
use crate::config::Config;
use crate::config::Plain;
use crate::config::Upstream;
use crate::config::UpstreamTls;
use crate::guard::Ruleset;
use crate::guard::Standing;
use crate::guard::Surveyed;
use crate::guard::survey;
use crate::net::tls::ServerTls;
use crate::policy::Credential;
use crate::policy::Isolation;
use crate::policy::Place;
use crate::policy::Policy;
use crate::policy::Secret;
use crate::policy::TenantRule;
use crate::policy::written_name;
use crate::reload::common_schemas;
use crate::upstream::Role;
use crate::upstream::Target;
use crate::upstream::load_catalog;
use crate::upstream::load_role;

/// Validate config and policy, and look for weak spots in the schema
///
/// Reads both files and reports every fault in them, with its place. With --catalog or --online it also holds the
/// policy against a schema: does it fit, and how well does each table keep its tenants apart?
#[derive(clap::Args)]
#[command(after_long_help = HELP)]
pub(crate) struct CheckArguments {
    /// The config file; it names the policy file
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Hold the policy against this snapshot, made by "partywall catalog"
    #[arg(long, value_name = "FILE")]
    catalog: Option<PathBuf>,
    /// Connect to each upstream: hold the policy against its schema, and look at our own role there
    #[arg(long)]
    online: bool,
    /// How the report is printed
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

const HELP: &str = "\
Grades, one for each table that is scoped by tenant:
  sealed
      Every unique, exclusion and foreign key carries the tenant column, or no
      client can choose its value (key_oracles = \"refuse\" in the policy).
  key oracle: KEY, …
      Through these keys a client that supplies a value can learn that some row
      of some tenant has it. An identity or a default does not help: a statement
      can supply a value all the same.

Examples:
  partywall check --config config/partywall.toml
  partywall check --config config/partywall.toml --online
  partywall check --config config/partywall.toml --format json | jq '.warnings[]'

Exit status:
  0  in order, though there may be warnings
  1  errors: \"partywall run\" would refuse to start, or to serve";

pub(crate) async fn check(arguments: &CheckArguments) -> Result<ExitCode, Failure> {
    let mut report = Report::default();
    inspect(arguments, &mut report).await?;
    let status = if report.errors.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    match arguments.format {
        Format::Json => put(&report.json())?,
        Format::Text => {
            put(&report.text())?;
            if !report.errors.is_empty() {
                return Err(Failure::lines(&report.errors));
            }
        }
    }
    Ok(status)
}

async fn inspect(arguments: &CheckArguments, report: &mut Report) -> Result<(), Failure> {
    let Some(config) = report.keep(files::config(&arguments.config)) else { return Ok(()) };
    report.passed.push(files::shown(&arguments.config));
    config_findings(&config, report);
    let Some(policy) = report.keep(files::policy(&config.policy_file)) else { return Ok(()) };
    report.passed.push(files::shown(&config.policy_file));
    policy_findings(&policy, &files::folder(&config.policy_file)?, report);
    if let Some(path) = &arguments.catalog
        && let Some(catalog) = report.keep(files::catalog(path))
    {
        let label = files::shown(path);
        schema_findings(&policy, &catalog, &label, report);
        report.inspected.push(Inspected::new(label, &policy, &catalog, None));
    }
    if arguments.online {
        for upstream in config.upstreams.values() {
            let is_default = config.default_upstream().is_some_and(|default| default.name == upstream.name);
            let name = Some(upstream.name.as_str()).filter(|_| !is_default);
            if let Err(why) = inspect_upstream(upstream, name, &policy, report).await {
                report.errors.push(why);
            }
        }
    }
    Ok(())
}

/// `name`: as the policy calls it, where it is not the default.
async fn inspect_upstream(
    upstream: &Upstream,
    name: Option<&str>,
    policy: &Policy,
    report: &mut Report,
) -> Result<(), String> {
    let password = upstream.password.as_ref().map(|source| source.resolve(Path::new(""), &ProcessEnvironment));
    let password = password.transpose().map_err(|error| format!("upstream {}: {error}", upstream.name))?;
    let password = password.as_ref().map(Secret::expose).map(str::to_owned);
    let target = Target::new(upstream, password, &policy.tenancy.search_path)
        .map_err(|error| format!("upstream {}: {error}", upstream.name))?;
    let target = target.narrowed(common_schemas(policy, name), &policy.tenancy.search_path);
    let role = load_role(&target).await.map_err(|error| error.to_string())?;
    let catalog = load_catalog(&target).await.map_err(|error| error.to_string())?;
    let label = format!("upstream {}", upstream.name);
    role_findings(&role, &label, report);
    let isolations = |tenant: &TenantRule| tenant.upstream.as_deref() == name;
    let mut rules = policy.tenants.rules().filter(|(_, rule)| name.is_some() && isolations(rule)).peekable();
    // One tenant's own, or one where each has a schema: the rules for tables that all share are not for it.
    let own = rules.peek().is_some() && rules.all(|(_, rule)| rule.isolation != Isolation::Column);
    if own {
        let place = Place { upstream: name.map(str::to_owned), isolation: Isolation::Database };
        let (policy, catalog) = policy.at(&place, &catalog);
        schema_findings(&policy, &catalog, &label, report);
        report.inspected.push(Inspected::new(label, &policy, &catalog, Some(role)));
        return Ok(());
    }
    schema_findings(policy, &catalog, &label, report);
    report.inspected.push(Inspected::new(label, policy, &catalog, Some(role)));
    Ok(())
}

fn config_findings(config: &Config, report: &mut Report) {
    let tls = config.listen.tls.iter().flat_map(|tls| [&tls.certificate, &tls.key]);
    let authorities = config.upstreams.values().filter_map(|upstream| match &upstream.tls {
        UpstreamTls::VerifyFull { ca_file } => ca_file.as_ref(),
        UpstreamTls::Disable => None,
    });
    for path in tls.chain(authorities) {
        if let Err(error) = std::fs::metadata(path) {
            report.errors.push(format!("could not read file \"{}\": {error}", files::shown(path)));
        }
    }
    if let Some(tls) = &config.listen.tls
        && [&tls.certificate, &tls.key].iter().all(|path| path.exists())
        && let Err(error) = ServerTls::load(&tls.certificate, &tls.key)
    {
        report.errors.push(error.to_string());
    }
    if config.listen.plain == Plain::Allow {
        report.warn("listen.plain = \"allow\": clients' data crosses the network in plain text");
    }
    if let Some(admin) = config.admin.as_ref().filter(|admin| !admin.address.ip().is_loopback()) {
        report.warn(format_args!(
            "admin.address {} is reachable from outside, and the admin port has no login",
            admin.address
        ));
    }
    match &config.audit.file {
        None => report.warn("no audit trail is kept: [audit.file] is missing"),
        Some(file) => audit_findings(&file.path, report),
    }
    if let Err(why) = logging::filter(&config.log) {
        report.errors.push(why);
    }
    for upstream in config.upstreams.values() {
        let secret = upstream.password.as_ref().map(|source| source.resolve(Path::new(""), &ProcessEnvironment));
        if let Some(Err(error)) = secret {
            report.warn(format_args!("upstream {}: {error}", upstream.name));
        }
    }
}

/// The file itself is made at start; its folder is not.
fn audit_findings(path: &Path, report: &mut Report) {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if path.is_dir() {
        report.errors.push(format!("audit file \"{}\" is a folder", files::shown(path)));
    } else if !folder.is_dir() {
        report.errors.push(format!("there is no folder \"{}\" for the audit file", files::shown(folder)));
    }
}

fn policy_findings(policy: &Policy, folder: &Path, report: &mut Report) {
    if policy.logins.is_empty() {
        report.warn("the policy has no login: nobody can connect");
    }
    for (name, rule) in &policy.logins {
        let source = match &rule.credential {
            Credential::Password(source) => source,
            Credential::Scram(verifier) => {
                if let Err(error) = ScramVerifier::parse(verifier) {
                    report.warn(format_args!("login \"{name}\" lets nobody in: \"scram\" is {error}"));
                }
                continue;
            }
        };
        report.warn(format_args!(
            "login \"{name}\" has its password kept in plain text elsewhere: outside development, keep a verifier \
             in \"scram\" (partywall hash-password)"
        ));
        if let Err(error) = source.resolve(folder, &ProcessEnvironment) {
            report.warn(format_args!("login \"{name}\": {error}"));
        }
    }
}

fn schema_findings(policy: &Policy, catalog: &Catalog, label: &str, report: &mut Report) {
    if let Err(diagnostics) = Ruleset::compile(policy, catalog) {
        let lines =
            diagnostics.iter().map(|diagnostic| format!("{label}: {}: {}", diagnostic.path, diagnostic.message));
        report.errors.extend(lines);
    }
    for (name, rule) in &policy.tables {
        let relation = catalog.relations.iter().find(|relation| relation.qualified_name() == *name);
        let triggers = relation.map_or(&[][..], |relation| &relation.triggers);
        for gone in rule.trusted_triggers.iter().filter(|trusted| !triggers.contains(trusted)) {
            report.warn(format_args!(
                "{label}: {} has no trigger \"{gone}\", which \"trusted_triggers\" lists",
                written_name(name)
            ));
        }
    }
    for surveyed in survey(policy, catalog) {
        relation_findings(&surveyed, label, report);
    }
}

fn relation_findings(surveyed: &Surveyed<'_>, label: &str, report: &mut Report) {
    let relation = surveyed.relation;
    let name = written_name(&relation.qualified_name());
    match &surveyed.standing {
        Standing::Hidden => return,
        Standing::Unclassified => {
            report.warn(format_args!(
                "{label}: {name} has no tenant column and no rule: no client can reach it; give it a \"kind\" in the \
                 policy (\"hidden\" if that is right)"
            ));
            return;
        }
        Standing::Undeclared { reason: None } => {
            report.warn(format_args!(
                "{label}: {name} is no table, and statements that name it are rejected; declare it in the policy: \
                 \"scoped\" with its \"column\", \"shared\" if its rows are the same for all, else \"hidden\""
            ));
            return;
        }
        Standing::Undeclared { reason: Some(reason) } => {
            report.warn(format_args!(
                "{label}: view {name} cannot be expanded, and statements that name it are rejected: {reason}; declare \
                 it in the policy: \"scoped\" with its \"column\", \"shared\" if its rows are the same for all, else \
                 \"hidden\""
            ));
            return;
        }
        Standing::Expanded { .. } => return,
        Standing::Scoped { column } => {
            let nullable = relation.column(column).is_some_and(|column| !column.not_null);
            if nullable {
                report.warn(format_args!(
                    "{label}: {name} lets its tenant column \"{column}\" be null: no client can reach such a row"
                ));
            }
        }
        Standing::Shared | Standing::SharedWritable => {}
    }
    if !surveyed.untrusted_triggers.is_empty() {
        let triggers = surveyed.untrusted_triggers.join(", ");
        report.warn(format_args!(
            "{label}: {name} is read-only for clients: it has triggers that \"trusted_triggers\" does not list ({triggers})"
        ));
    }
    if !relation.rules.is_empty() {
        let rules = relation.rules.join(", ");
        report.warn(format_args!("{label}: {name} has rules, which rewrite statements after us ({rules})"));
    }
}

fn role_findings(role: &Role, label: &str, report: &mut Report) {
    let name = &role.name;
    for (power, what) in [
        (role.superuser, "is a superuser: files and programs of the server are within its reach"),
        (role.bypass_row_security, "has BYPASSRLS: row-level security cannot be a second layer"),
        (role.create_role, "has CREATEROLE"),
        (role.replication, "has REPLICATION"),
    ] {
        if power {
            report.warn(format_args!(
                "{label}: role \"{name}\" {what}; it needs SELECT, INSERT, UPDATE and DELETE, no more"
            ));
        }
    }
    if let Some(first) = role.owned_tables.first() {
        let more = if role.owned_tables.len() > 1 { ", …" } else { "" };
        report.warn(format_args!(
            "{label}: role \"{name}\" owns tables ({first}{more}): row-level security holds an owner only with FORCE"
        ));
    }
    if !role.predefined_roles.is_empty() {
        report.warn(format_args!("{label}: role \"{name}\" is a member of {}", role.predefined_roles.join(", ")));
    }
}
