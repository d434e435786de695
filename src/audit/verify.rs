//! Whether a log is whole and as it was written: line by line, against its own checkpoints and those kept elsewhere.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use crate::audit::checkpoint::{Checkpoint, NoteError, VerifyingKey};
use crate::audit::tree::{self, Frontier, Hash};

/// Findings that are told one by one. More are counted.
const FINDINGS_MAX: usize = 100;
/// Statements under way that are remembered.
const BEGUN_MAX: usize = 100_000;

/// How bad it is. The worst decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    Intact,
    /// Something is missing, inside or at an end.
    Missing,
    /// Something is not what was written.
    Tampered,
}

impl Verdict {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Intact => "intact",
            Self::Missing => "missing",
            Self::Tampered => "tampered",
        }
    }
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    pub verdict: Verdict,
    pub log: String,
    /// The record's number, or the one that was expected.
    pub seq: u64,
    pub what: String,
}

/// What was found of one log.
#[derive(Clone, Debug, Default)]
pub struct LogReport {
    pub first_seq: u64,
    pub last_seq: u64,
    pub first_time: String,
    pub last_time: String,
    pub checkpoints: u64,
    /// Records that a good checkpoint covers.
    pub covered: u64,
    /// Statements whose record has a beginning and no end.
    pub open_begins: BTreeSet<u64>,
    /// Records that say that others were lost, and how many those were.
    pub lost: u64,
}

struct Log {
    report: LogReport,
    next_seq: u64,
    tree: Frontier,
    /// Whether the tree can still be known: nothing is missing.
    follows: bool,
    /// Roots that somebody knows from elsewhere, by size.
    known: BTreeMap<u64, Hash>,
}

/// Reads logs from their beginning.
pub struct Verifier {
    key: Option<VerifyingKey>,
    logs: BTreeMap<String, Log>,
    witnessed: Vec<Checkpoint>,
    findings: Vec<Finding>,
    more_findings: u64,
    worst: Verdict,
    records: u64,
    /// That of the last line.
    last_log: String,
}

/// What of a record is looked at.
#[derive(Deserialize)]
struct Record<'a> {
    #[serde(borrow)]
    id: &'a str,
    seq: u64,
    time: &'a str,
    phase: Option<&'a str>,
    begin: Option<&'a str>,
    note: Option<String>,
    loss: Option<Loss>,
}

#[derive(Deserialize)]
struct Loss {
    count: u64,
}

impl Verifier {
    /// Without a key, roots are compared and signatures are not.
    pub fn new(key: Option<VerifyingKey>) -> Self {
        Self {
            key,
            logs: BTreeMap::new(),
            witnessed: Vec::new(),
            findings: Vec::new(),
            more_findings: 0,
            worst: Verdict::Intact,
            records: 0,
            last_log: String::new(),
        }
    }

    /// A checkpoint that was kept elsewhere: the log must have been so then, and cannot be shorter now.
    pub fn witness(&mut self, note: &str) -> Result<(), NoteError> {
        let checkpoint = match &self.key {
            Some(key) => key.open(note)?,
            None => Checkpoint::read_unverified(note)?,
        };
        let log = log_of(&checkpoint).to_owned();
        self.log(&log).known.insert(checkpoint.size, checkpoint.root);
        self.witnessed.push(checkpoint);
        Ok(())
    }

    /// The log goes on from here: what comes first is the record after these. For segments whose predecessors are gone.
    pub fn begin_at(&mut self, log: &str, tree: &Frontier) {
        if self.logs.get(log).is_none_or(|log| log.report.first_seq == 0) {
            let log = self.log(log);
            log.next_seq = tree.size() + 1;
            log.tree = tree.clone();
        }
    }

    pub fn records(&self) -> u64 {
        self.records
    }

    fn log(&mut self, name: &str) -> &mut Log {
        self.logs.entry(name.to_owned()).or_insert_with(|| Log {
            report: LogReport::default(),
            next_seq: 1,
            tree: Frontier::default(),
            follows: true,
            known: BTreeMap::new(),
        })
    }

    /// The next line, without its newline.
    pub fn line(&mut self, line: &[u8]) {
        self.records += 1;
        let record = serde_json::from_slice::<Record<'_>>(line).ok().filter(|record| names_itself(record));
        let Some(record) = record else {
            return self.spoilt();
        };
        let name = record.id.rsplit_once('/').map_or("", |(log, _)| log).to_owned();
        if self.last_log != name {
            self.last_log.clone_from(&name);
        }
        let log = self.log(&name);
        let expected = log.next_seq;
        if record.seq < expected {
            let what = format!("a record comes again, or out of its order: {expected} was expected");
            return self.find(Verdict::Tampered, &name, record.seq, what);
        }
        let missing = record.seq - expected;
        if missing > 0 {
            log.follows = false;
        }
        log.next_seq = record.seq + 1;
        log.note_seen(&record);
        let spoilt = log.check_known();
        let before = record.seq - 1;
        let wrong = record.note.as_deref().and_then(|note| self.checkpoint(&name, before, note).err());
        let log = self.log(&name);
        log.tree.append(tree::leaf(line));
        if missing > 0 {
            let what = match missing {
                1 => "one record is missing".to_owned(),
                count => format!("{count} records are missing"),
            };
            self.find(Verdict::Missing, &name, expected, what);
        }
        for what in spoilt.into_iter().chain(wrong) {
            self.find(Verdict::Tampered, &name, record.seq, what);
        }
    }

    /// A file ends within a line.
    pub fn torn(&mut self) {
        self.find_here(Verdict::Missing, "the last line is not whole");
    }

    /// Something that is no record stands here.
    pub fn spoilt(&mut self) {
        self.find_here(Verdict::Tampered, "what stands here is no record");
    }

    fn find_here(&mut self, verdict: Verdict, what: &str) {
        let log = self.last_log.clone();
        let seq = self.logs.get(&log).map_or(1, |log| log.next_seq);
        self.find(verdict, &log, seq, what.to_owned());
    }

    /// A checkpoint within the log is about everything before it.
    fn checkpoint(&mut self, name: &str, before: u64, note: &str) -> Result<(), String> {
        let opened = match &self.key {
            Some(key) => key.open(note),
            None => Checkpoint::read_unverified(note),
        };
        let checkpoint = opened.map_err(|error| format!("a checkpoint is not good: {error}"))?;
        let log = self.log(name);
        log.report.checkpoints += 1;
        if log_of(&checkpoint) != name || checkpoint.size != before {
            return Err("a checkpoint is of another place".to_owned());
        }
        if !log.follows {
            // The root of what is missing cannot be known.
            return Ok(());
        }
        if log.tree.root() != checkpoint.root {
            return Err(format!("what is written before is not what was signed (checkpoint of {})", checkpoint.size));
        }
        log.report.covered = checkpoint.size;
        Ok(())
    }

    fn find(&mut self, verdict: Verdict, log: &str, seq: u64, what: String) {
        self.worst = self.worst.max(verdict);
        if self.findings.len() >= FINDINGS_MAX {
            self.more_findings += 1;
            return;
        }
        self.findings.push(Finding { verdict, log: log.to_owned(), seq, what });
    }

    /// Everything has been read.
    pub fn finish(mut self) -> Report {
        for checkpoint in std::mem::take(&mut self.witnessed) {
            let name = log_of(&checkpoint).to_owned();
            let log = self.log(&name);
            let spoilt = log.check_known();
            let last = log.next_seq - 1;
            if last < checkpoint.size {
                let what = format!("the log once had {} records; the rest is missing", checkpoint.size);
                self.find(Verdict::Missing, &name, last + 1, what);
            }
            if let Some(what) = spoilt {
                self.find(Verdict::Tampered, &name, checkpoint.size, what);
            }
        }
        Report {
            verdict: self.worst,
            records: self.records,
            signed: self.key.is_some(),
            logs: self.logs.into_iter().map(|(name, log)| (name, log.report)).collect(),
            findings: self.findings,
            more_findings: self.more_findings,
        }
    }
}

impl Log {
    fn note_seen(&mut self, record: &Record<'_>) {
        let report = &mut self.report;
        if report.first_seq == 0 {
            report.first_seq = record.seq;
            record.time.clone_into(&mut report.first_time);
        }
        report.last_seq = record.seq;
        record.time.clone_into(&mut report.last_time);
        report.lost += record.loss.as_ref().map_or(0, |loss| loss.count);
        if record.phase == Some("begin") && report.open_begins.len() < BEGUN_MAX {
            report.open_begins.insert(record.seq);
        }
        let begin = record.begin.and_then(|id| id.rsplit_once('/')).and_then(|(_, seq)| seq.parse().ok());
        if let Some(seq) = begin {
            report.open_begins.remove(&seq);
        }
    }

    /// The tree has a size of which the root is known.
    fn check_known(&mut self) -> Option<String> {
        let size = self.tree.size();
        let root = self.known.remove(&size).filter(|_| self.follows)?;
        let differs = root != self.tree.root();
        differs.then(|| format!("the first {size} records are not those that the checkpoint is about"))
    }
}

/// A record's id ends with its number.
fn names_itself(record: &Record<'_>) -> bool {
    record.seq > 0 && record.id.rsplit_once('/').is_some_and(|(_, seq)| seq.parse() == Ok(record.seq))
}

/// The log that a checkpoint is about: the end of its origin.
pub fn log_of(checkpoint: &Checkpoint) -> &str {
    checkpoint.origin.rsplit_once('/').map_or(checkpoint.origin.as_str(), |(_, log)| log)
}

/// All that was found.
#[derive(Clone, Debug)]
pub struct Report {
    pub verdict: Verdict,
    pub records: u64,
    /// Whether signatures were checked.
    pub signed: bool,
    pub logs: BTreeMap<String, LogReport>,
    pub findings: Vec<Finding>,
    pub more_findings: u64,
}
