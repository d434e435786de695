//! `partywall audit prove` and `check-proof`: one record, and why it is part of a log, for who sees no other.

use std::path::PathBuf;
use std::process::ExitCode;

use serde_json::Value;

use crate::audit::archive::{self, Item, Then};
use crate::audit::checkpoint::Checkpoint;
use crate::audit::proof::Proof;
use crate::audit::tree::{self, Hash};
use crate::cli::audit::{read, unreadable, verifying_key};
use crate::cli::failure::{Failure, put};

/// Prove that a record is part of its log
///
/// Prints the record, its place, and a signed checkpoint with the hashes that lead to it (C2SP tlog-proof). Needs the
/// log from its first record on, and holds 32 bytes of memory for each.
#[derive(clap::Args)]
pub(super) struct ProveArguments {
    /// The record's id
    #[arg(value_name = "ID")]
    id: String,
    /// Files of records, in their order
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
}

/// Check a proof, and print its record
///
/// Needs the public key and nothing of the log.
#[derive(clap::Args)]
pub(super) struct CheckProofArguments {
    /// The proof, as prove prints it
    #[arg(value_name = "FILE")]
    proof: PathBuf,
    /// The public key: its text, or a file that holds it
    #[arg(long, value_name = "KEY")]
    key: String,
}

/// What has been read of the log.
#[derive(Default)]
struct Gathered {
    leaves: Vec<Hash>,
    line: Option<Vec<u8>>,
    /// The first checkpoint over the record.
    note: Option<(u64, String)>,
}

impl Gathered {
    fn line(&mut self, log: &str, seq: u64, line: &[u8]) -> Then {
        let Ok(record) = serde_json::from_slice::<Value>(line) else { return Then::Continue };
        let id = record.get("id").and_then(Value::as_str).and_then(|id| id.rsplit_once('/'));
        let Some((_, number)) = id.filter(|(of_log, _)| *of_log == log) else { return Then::Continue };
        if number.parse() == Ok(seq) {
            self.line = Some(line.to_vec());
        }
        let note = record.get("note").and_then(Value::as_str);
        if let (Some(_), Some(note)) = (&self.line, note)
            && let Ok(Checkpoint { size, .. }) = Checkpoint::read_unverified(note)
            && size >= seq
        {
            self.note = Some((size, note.to_owned()));
            return Then::Stop;
        }
        self.leaves.push(tree::leaf(line));
        Then::Continue
    }
}

pub(super) fn prove(arguments: &ProveArguments) -> Result<ExitCode, Failure> {
    let parsed = arguments.id.rsplit_once('/').and_then(|(log, seq)| Some((log, seq.parse::<u64>().ok()?)));
    let Some((log, seq)) = parsed.filter(|(_, seq)| *seq > 0) else {
        return Err(Failure::new(format_args!("\"{}\" is no record's id: it is <log>/<number>", arguments.id)));
    };
    let mut gathered = Gathered::default();
    for path in &arguments.paths {
        if gathered.note.is_some() {
            break;
        }
        let visit = &mut |item: Item<'_>| match item {
            Item::Line(line) => gathered.line(log, seq, line),
            Item::Segment { .. } | Item::Torn | Item::Spoilt => Then::Continue,
        };
        archive::read(path, visit).map_err(|error| unreadable(path, &error))?;
    }
    let Some(line) = gathered.line else { return Err(Failure::new("there is no record with this id")) };
    let Some((size, note)) = gathered.note else {
        return Err(Failure::new("no checkpoint behind this record yet: was the log kept with a key?"));
    };
    if gathered.leaves.len() as u64 != size {
        return Err(Failure::new("the log is not whole from its first record on; see partywall audit verify"));
    }
    let index = seq - 1;
    let hashes = tree::inclusion_proof(usize::try_from(index).unwrap_or(usize::MAX), &gathered.leaves);
    put(&Proof { line, index, hashes, note }.text())?;
    Ok(ExitCode::SUCCESS)
}

pub(super) fn check_proof(arguments: &CheckProofArguments) -> Result<ExitCode, Failure> {
    let key = verifying_key(&arguments.key)?;
    let refuse = |error| Failure::new(format_args!("proof \"{}\": {error}", arguments.proof.display()));
    let proof = Proof::parse(&read(&arguments.proof)?).map_err(refuse)?;
    match proof.check(&key) {
        Ok(checkpoint) => {
            put(&format!("{}\n", String::from_utf8_lossy(&proof.line)))?;
            eprintln!("record {} of {}, among {} signed", proof.index + 1, checkpoint.origin, checkpoint.size);
            Ok(ExitCode::SUCCESS)
        }
        Err(error) => {
            eprintln!("tampered: {error}");
            Ok(ExitCode::from(1))
        }
    }
}
