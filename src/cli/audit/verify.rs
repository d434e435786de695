//! `partywall audit verify` and `consistency`: is the log as it was written, and is it the one that it was?

use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde_json::json;

use crate::audit::archive::{self, Item, Then};
use crate::audit::verify::{Report, Verdict, Verifier};
use crate::cli::audit::{read, unreadable, verifying_key};
use crate::cli::failure::{Failure, put};

/// Records between two signs of life.
const PROGRESS_RECORDS: u64 = 1_000_000;

/// Tell whether a log is whole and as it was written
///
/// Reads all records, computes the tree again, and compares it with every checkpoint in the log and with those given.
/// Numbers must have no gap. Give the files of a log in their order, or the folder of a spool.
#[derive(clap::Args)]
pub(super) struct VerifyArguments {
    /// Files of records, in their order, or the folder of a spool
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// The public key: its text, or a file that holds it. Without it no signature is checked
    #[arg(long, value_name = "KEY")]
    key: Option<String>,
    /// A checkpoint that was kept elsewhere: shows whether the log has become shorter, or is another
    #[arg(long, value_name = "FILE")]
    checkpoint: Vec<PathBuf>,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

/// Tell whether a log is the continuation of an older one
///
/// The same as verify with one checkpoint, of which the log must be the continuation.
#[derive(clap::Args)]
pub(super) struct ConsistencyArguments {
    /// The older log's checkpoint, a signed note
    #[arg(value_name = "CHECKPOINT")]
    old: PathBuf,
    /// Files of records, in their order, or the folder of a spool
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// The public key: its text, or a file that holds it
    #[arg(long, value_name = "KEY")]
    key: String,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn verify(arguments: &VerifyArguments) -> Result<ExitCode, Failure> {
    let report = run(&arguments.paths, arguments.key.as_deref(), &arguments.checkpoint)?;
    put(&if arguments.json { json_of(&report) } else { text_of(&report) })?;
    Ok(exit_code(report.verdict))
}

pub(super) fn consistency(arguments: &ConsistencyArguments) -> Result<ExitCode, Failure> {
    let report = run(&arguments.paths, Some(&arguments.key), std::slice::from_ref(&arguments.old))?;
    put(&if arguments.json { json_of(&report) } else { text_of(&report) })?;
    Ok(exit_code(report.verdict))
}

fn exit_code(verdict: Verdict) -> ExitCode {
    ExitCode::from(match verdict {
        Verdict::Intact => 0,
        Verdict::Tampered => 1,
        Verdict::Missing => 2,
    })
}

fn run(paths: &[PathBuf], key: Option<&str>, checkpoints: &[PathBuf]) -> Result<Report, Failure> {
    let mut verifier = Verifier::new(key.map(verifying_key).transpose()?);
    for path in checkpoints {
        let refuse = |error| Failure::new(format_args!("checkpoint \"{}\": {error}", path.display()));
        verifier.witness(&read(path)?).map_err(refuse)?;
    }
    let shows = std::io::stderr().is_terminal();
    for path in paths {
        verify_path(path, &mut verifier, shows)?;
    }
    if shows {
        eprint!("\r\u{1b}[K");
    }
    Ok(verifier.finish())
}

fn verify_path(path: &Path, verifier: &mut Verifier, shows: bool) -> Result<(), Failure> {
    let visit = &mut |item: Item<'_>| {
        match item {
            Item::Segment { log, tree } => verifier.begin_at(log, tree),
            Item::Line(line) => verifier.line(line),
            Item::Torn => verifier.torn(),
            Item::Spoilt => verifier.spoilt(),
        }
        if shows && verifier.records().is_multiple_of(PROGRESS_RECORDS) {
            eprint!("\r{} million records read", verifier.records() / PROGRESS_RECORDS);
        }
        Then::Continue
    };
    archive::read(path, visit).map_err(|error| unreadable(path, &error))
}

fn text_of(report: &Report) -> String {
    let mut lines = Vec::new();
    let mut say = |line: String| lines.push(line);
    for finding in &report.findings {
        say(format!("{}: log {}, record {}: {}", finding.verdict.as_str(), finding.log, finding.seq, finding.what));
    }
    if report.more_findings > 0 {
        say(format!("and {} more of the kind", report.more_findings));
    }
    for (name, log) in &report.logs {
        say(format!("log {name}"));
        say(format!("  records      {} to {}", log.first_seq, log.last_seq));
        say(format!("  time         {} to {}", log.first_time, log.last_time));
        say(format!("  checkpoints  {}, the last over {} records", log.checkpoints, log.covered));
        if log.lost > 0 {
            say(format!(
                "  lost         at least {} records were never written; records of type loss say when",
                log.lost
            ));
        }
        if !log.open_begins.is_empty() {
            let shown: Vec<String> = log.open_begins.iter().take(10).map(u64::to_string).collect();
            say(format!(
                "  no end       {} statements, their outcome is unknown: {}",
                log.open_begins.len(),
                shown.join(", ")
            ));
        }
    }
    let signatures = if report.signed { "signatures checked" } else { "no key given: signatures not checked" };
    say(format!("{}: {} records, {signatures}", report.verdict.as_str(), report.records));
    lines.push(String::new());
    lines.join("\n")
}

fn json_of(report: &Report) -> String {
    let finding = |finding: &crate::audit::verify::Finding| json!({"verdict": finding.verdict.as_str(), "log": finding.log, "seq": finding.seq, "what": finding.what});
    let findings: Vec<_> = report.findings.iter().map(finding).collect();
    let logs: Vec<_> = report
        .logs
        .iter()
        .map(|(name, log)| {
            json!({
                "log": name, "first_seq": log.first_seq, "last_seq": log.last_seq, "first_time": log.first_time,
                "last_time": log.last_time, "checkpoints": log.checkpoints, "covered": log.covered, "lost": log.lost,
                "without_end": log.open_begins,
            })
        })
        .collect();
    let all = json!({
        "verdict": report.verdict.as_str(), "records": report.records, "signatures_checked": report.signed,
        "logs": logs, "findings": findings, "more_findings": report.more_findings,
    });
    format!("{all}\n")
}
