//! `partywall explain`: what would happen to a statement, and why. No server is asked.

use std::io::BufRead;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::ValueEnum;
use clap::builder::PossibleValuesParser;
use serde_json::json;

use crate::cli::failure::Failure;
use crate::cli::failure::put;
use crate::cli::files;
use crate::guard::Code;
use crate::guard::Decision;
use crate::guard::Facts;
use crate::guard::PrivateRelations;
use crate::guard::Protocol;
use crate::guard::Rejection;
use crate::guard::Request;
use crate::guard::Ruleset;
use crate::guard::TextLimits;
use crate::guard::decide;
use crate::guard::render_json;
use crate::guard::render_text;
use crate::tenant::Identity;
use crate::tenant::LoginName;
use crate::tenant::TenantId;

/// Show what would happen to a statement, and why
///
/// Decides as the proxy would, for one tenant, from a policy and a catalog file alone: no server is asked and nothing
/// is run.
#[derive(clap::Args)]
#[command(after_long_help = HELP)]
pub(crate) struct ExplainArguments {
    /// Print the page of a refusal in place of a decision: what was refused, why, what to do instead
    #[arg(long, value_name = "CODE", value_parser = PossibleValuesParser::new(Code::ALL.iter().map(|code| code.as_str())))]
    code: Option<String>,
    /// The policy file
    #[arg(long, value_name = "FILE", required_unless_present = "code")]
    policy: Option<PathBuf>,
    /// A snapshot of the upstream's schema, made by "partywall catalog"
    #[arg(long, value_name = "FILE", required_unless_present = "code")]
    catalog: Option<PathBuf>,
    /// The tenant that the client is bound to
    #[arg(long, value_name = "TENANT", required_unless_present = "code")]
    tenant: Option<String>,
    /// Look unqualified names up in this schema, in place of the policy's search_path; may be given several times
    #[arg(long, value_name = "SCHEMA")]
    schema: Vec<String>,
    /// How the answer is printed
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// The message that brings the statement. Auto: extended where the text has a parameter such as $1
    #[arg(long, value_enum, default_value_t = ProtocolChoice::Auto)]
    protocol: ProtocolChoice,
    /// The SQL; or "-": statements from standard input, one JSON string a line, answered by one JSON object a line
    #[arg(value_name = "SQL", required_unless_present = "code", conflicts_with = "code")]
    sql: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    Text,
    Json,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ProtocolChoice {
    Auto,
    Simple,
    Extended,
}

const HELP: &str = "\
Output, text:
  forward                          reject <code> <sqlstate>
  <SQL as it is sent>              <message>
  <facts, one a line>              <hint>

Output, JSON, one object a line:
  {\"decision\":\"forward\",\"sql\":…,\"facts\":…}
  {\"decision\":\"reject\",\"code\":…,\"sqlstate\":…,\"message\":…}
With \"-\", a line that is no JSON string is answered by
  {\"decision\":\"error\",\"message\":…}

Examples:
  partywall explain --policy config/policy.toml --catalog catalog.json \\
      --tenant acme 'SELECT * FROM invoices'
  jq -c .statement queries.jsonl | partywall explain --policy config/policy.toml \\
      --catalog catalog.json --tenant acme -
  partywall explain --code key-oracle

Exit status:
  0  the statement would be forwarded; with \"-\": every line was decided
  2  no decision could be made: a file, the command line or a line is wrong
  3  the statement would be rejected";

const STATUS_UNDECIDED: u8 = 2;
const STATUS_REJECT: u8 = 3;

pub(crate) fn explain(arguments: &ExplainArguments) -> Result<ExitCode, Failure> {
    if let Some(code) = Code::ALL.iter().find(|code| arguments.code.as_deref() == Some(code.as_str())) {
        put(&page(*code, arguments.format))?;
        return Ok(ExitCode::SUCCESS);
    }
    let explainer = Explainer::new(arguments).map_err(|failure| failure.status(STATUS_UNDECIDED))?;
    let sql = arguments.sql.as_deref().unwrap_or_default();
    if sql == "-" {
        return explainer.answer_lines(std::io::stdin().lock());
    }
    let decision = explainer.decide(sql);
    put(&match arguments.format {
        Format::Text => render_text(&decision),
        Format::Json => render_json(&decision) + "\n",
    })?;
    Ok(match decision {
        Decision::Forward(_) => ExitCode::SUCCESS,
        Decision::Reject { .. } => ExitCode::from(STATUS_REJECT),
    })
}

/// What there is to say of a refusal, apart from any statement.
fn page(code: Code, format: Format) -> String {
    match format {
        Format::Text => format!("{}, SQLSTATE {}\n\n{}\n", code.as_str(), code.sqlstate(), code.page()),
        Format::Json => {
            let object = json!({ "code": code.as_str(), "sqlstate": code.sqlstate(), "page": code.page() });
            object.to_string() + "\n"
        }
    }
}

struct Explainer {
    ruleset: Ruleset,
    identity: Identity,
    protocol: ProtocolChoice,
}

impl Explainer {
    fn new(arguments: &ExplainArguments) -> Result<Self, Failure> {
        let (Some(path), Some(catalog), Some(tenant)) = (&arguments.policy, &arguments.catalog, &arguments.tenant)
        else {
            return Err(Failure::new("a policy, a catalog and a tenant are needed"));
        };
        let mut policy = files::policy(path)?;
        if !arguments.schema.is_empty() {
            policy.tenancy.search_path.clone_from(&arguments.schema);
        }
        let catalog = files::catalog(catalog)?;
        let ruleset = Ruleset::compile(&policy, &catalog).map_err(|diagnostics| {
            let lines = diagnostics.iter().map(|diagnostic| format!("{}: {}", diagnostic.path, diagnostic.message));
            let lines = lines.collect::<Vec<_>>().join("\n  ");
            let path = path.display();
            Failure::new(format_args!("policy \"{path}\" does not fit the catalog:\n  {lines}"))
        })?;
        let login = LoginName::parse("explain").map_err(Failure::new)?;
        let tenant = TenantId::parse(tenant).map_err(Failure::new)?;
        let identity = Identity { login, tenant: Some(tenant) };
        Ok(Self { ruleset, identity, protocol: arguments.protocol })
    }

    fn decide(&self, sql: &str) -> Decision {
        if sql.contains('\0') {
            // The guard is promised texts without it: the protocol ends a text there.
            let rejection = Rejection::new(Code::InvalidToken, "invalid byte sequence for encoding \"UTF8\": 0x00");
            return Decision::Reject { rejection, facts: Facts::default() };
        }
        let protocol = match self.protocol {
            ProtocolChoice::Simple => Protocol::Simple,
            ProtocolChoice::Extended => Protocol::Extended,
            ProtocolChoice::Auto if has_parameter(sql) => Protocol::Extended,
            ProtocolChoice::Auto => Protocol::Simple,
        };
        let limits = TextLimits::default();
        decide(
            &self.ruleset,
            &Request {
                identity: &self.identity,
                sql,
                protocol,
                parameter_types: &[],
                limits: &limits,
                private: PrivateRelations::none(),
            },
        )
    }

    /// One JSON string a line in, one JSON object a line out, at once: a program can hold a conversation with us.
    fn answer_lines(&self, mut input: impl BufRead) -> Result<ExitCode, Failure> {
        let mut status = ExitCode::SUCCESS;
        let mut line = Vec::new();
        loop {
            line.clear();
            let count = input.read_until(b'\n', &mut line);
            if count.map_err(|error| Failure::new(format_args!("could not read standard input: {error}")))? == 0 {
                return Ok(status);
            }
            let answer = match serde_json::from_slice::<String>(&line) {
                Ok(sql) => render_json(&self.decide(&sql)),
                Err(error) => {
                    status = ExitCode::from(STATUS_UNDECIDED);
                    let message = format!("the line is not one JSON string: {error}");
                    json!({ "decision": "error", "message": message }).to_string()
                }
            };
            put(&(answer + "\n"))?;
        }
    }
}

/// A dollar sign with a digit behind it; in a string too, which costs nothing but a text of several statements.
fn has_parameter(sql: &str) -> bool {
    sql.split('$').skip(1).any(|rest| rest.starts_with(|character: char| character.is_ascii_digit()))
}
