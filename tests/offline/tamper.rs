//! The log as its writer leaves it, and what an auditor sees when somebody has changed it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use partywall::audit::archive::{self, Item, Then};
use partywall::audit::checkpoint::{Checkpoint, VerifyingKey};
use partywall::audit::event::{Event, EventType};
use partywall::audit::identifier;
use partywall::audit::observe;
use partywall::audit::proof::{Proof, ProofError};
use partywall::audit::verify::{Report, Verdict, Verifier};
use partywall::audit::writer::{AuditWriter, Origin};
use partywall::config::{Audit, AuditFile, Checkpoints, Spool, Volume};
use partywall::tenant::Timestamp;

const NOON: Timestamp = Timestamp(1_795_374_605_000_000);

/// A log in a folder, with its key.
struct Kept {
    folder: tempfile::TempDir,
    public: String,
}

fn audit(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_partywall")).arg("audit").args(arguments).output().unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

impl Kept {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let key = folder.path().join("audit.key");
        let made = audit(&["key", "--name", "example.com/prod", "--out", key.to_str().unwrap()]);
        assert!(made.status.success(), "{made:?}");
        Self { folder, public: said(&made).trim().to_owned() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// One process: so many records between its start and stop.
    fn run(&self, spool: Option<&str>, records: usize) {
        self.run_as(3, spool, records);
    }

    /// Of a log that has this in its name, where it begins one.
    fn run_as(&self, random: u8, spool: Option<&str>, records: usize) {
        let settings = Audit {
            file: Some(AuditFile { path: self.path("audit.jsonl") }),
            spool: spool.map(|name| Spool {
                folder: self.path(name),
                bytes_max: 1 << 30,
                segment_bytes: 2_000,
                volume: Volume::Persistent,
            }),
            checkpoints: Some(Checkpoints { key_file: self.path("audit.key"), file: Some(self.path("checkpoint")) }),
            ..Audit::default()
        };
        let origin = Origin { log: identifier::new(NOON, [random; 10]), instance: "test".to_owned() };
        let (writer, sender) = AuditWriter::start(&settings, &origin, &observe::new_metrics()).unwrap();
        sender.record(&Event::process(EventType::Start, NOON));
        (0..records).for_each(|_| sender.record(&Event::config(None, Some("policy"), NOON)));
        sender.record(&Event::process(EventType::Stop, NOON));
        writer.close(Duration::from_secs(30));
    }

    fn lines(&self) -> Vec<String> {
        let text = fs::read_to_string(self.path("audit.jsonl")).unwrap();
        text.lines().map(str::to_owned).collect()
    }

    fn key(&self) -> VerifyingKey {
        VerifyingKey::parse(&self.public).unwrap()
    }

    fn verify(&self, lines: &[String]) -> Report {
        let mut verifier = Verifier::new(Some(self.key()));
        lines.iter().for_each(|line| verifier.line(line.as_bytes()));
        verifier.finish()
    }

    fn verified(&self, arguments: &[&str]) -> (i32, String) {
        let output = audit(&[&["verify", "--key", &self.public], arguments].concat());
        (output.status.code().unwrap(), said(&output))
    }
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn a_log_is_intact_in_its_file_and_in_its_spool_over_processes() {
    for spool in [None, Some("spool")] {
        let kept = Kept::new();
        (0..3).for_each(|process| kept.run_as(process, spool, 20));
        let file = kept.path("audit.jsonl");
        let (status, report) = kept.verified(&[text(&file), "--checkpoint", text(&kept.path("checkpoint"))]);
        assert_eq!(status, 0, "{report}");
        assert!(report.contains("intact: 69 records, signatures checked"), "{report}");
        // Without a spool each process has a log of its own.
        assert_eq!(report.matches("log 01").count(), if spool.is_some() { 1 } else { 3 }, "{report}");
        if let Some(spool) = spool {
            // What the sink has was removed, but for the last segment: it can be checked without the others.
            let (status, report) = kept.verified(&[text(&kept.path(spool))]);
            assert_eq!(status, 0, "{report}");
            assert!(fs::read_dir(kept.path(spool)).unwrap().count() < 12);
        }
    }
}

#[test]
fn every_changed_byte_is_found() {
    let kept = Kept::new();
    kept.run(None, 6);
    let lines = kept.lines();
    assert_eq!(kept.verify(&lines).verdict, Verdict::Intact);
    for number in 0..lines.len() {
        for at in (0..lines[number].len()).step_by(3) {
            let mut spoilt = lines[number].clone().into_bytes();
            spoilt[at] ^= 1;
            let Ok(spoilt) = String::from_utf8(spoilt) else { continue };
            let mut lines = lines.clone();
            lines[number] = spoilt.clone();
            let report = kept.verify(&lines);
            // The last line is the last checkpoint: only its signed part is covered.
            let covered = number + 1 < lines.len();
            assert!(!covered || report.verdict == Verdict::Tampered || report.verdict == Verdict::Missing, "{spoilt}");
        }
    }
}

#[test]
fn what_is_deleted_swapped_doubled_or_added_is_found() {
    let kept = Kept::new();
    kept.run(None, 6);
    let lines = kept.lines();
    for at in 0..lines.len() - 1 {
        let mut deleted = lines.clone();
        deleted.remove(at);
        assert_eq!(kept.verify(&deleted).verdict, Verdict::Missing, "{at}");
        let mut swapped = lines.clone();
        swapped.swap(at, at + 1);
        assert_eq!(kept.verify(&swapped).verdict, Verdict::Tampered, "{at}");
        let mut doubled = lines.clone();
        doubled.insert(at, lines[at].clone());
        assert_eq!(kept.verify(&doubled).verdict, Verdict::Tampered, "{at}");
    }
    // Deleted, and the rest numbered anew.
    let renumber = |line: &String, seq: usize| {
        let record: serde_json::Value = serde_json::from_str(line).unwrap();
        let id = record["id"].as_str().unwrap();
        let (log, old) = id.rsplit_once('/').unwrap();
        line.replace(id, &format!("{log}/{seq}")).replace(&format!("\"seq\":{old},"), &format!("\"seq\":{seq},"))
    };
    let mut forged: Vec<String> = lines.clone();
    forged.remove(2);
    let forged: Vec<String> = forged.iter().enumerate().map(|(at, line)| renumber(line, at + 1)).collect();
    assert_eq!(kept.verify(&forged).verdict, Verdict::Tampered);
}

#[test]
fn a_log_that_was_cut_is_known_by_a_checkpoint_from_elsewhere() {
    let kept = Kept::new();
    kept.run(None, 6);
    let lines = kept.lines();
    let (file, witness) = (kept.path("audit.jsonl"), kept.path("checkpoint"));
    let arguments = ["--checkpoint", text(&witness), text(&file)];
    assert_eq!(kept.verified(&arguments).0, 0);
    fs::write(&file, format!("{}\n", lines[..4].join("\n"))).unwrap();
    let (status, report) = kept.verified(&arguments);
    assert_eq!(status, 2, "{report}");
    assert!(report.contains("the log once had 8 records; the rest is missing"), "{report}");
    // Within a line.
    fs::write(&file, &lines.join("\n")[..lines.join("\n").len() - 5]).unwrap();
    let (status, report) = kept.verified(&[text(&file)]);
    assert_eq!(status, 2, "{report}");
    // The first records.
    fs::write(&file, format!("{}\n", lines[3..].join("\n"))).unwrap();
    assert_eq!(kept.verified(&[text(&file)]).0, 2);
    // Not at all.
    let (status, _) = kept.verified(&[text(&kept.path("nothing"))]);
    assert_eq!(status, 3);
    assert_eq!(audit(&["verify", "--key", "no+key", text(&file)]).status.code(), Some(3));
}

/// Whoever has the proxy's folder, but not its key, writes another log from the beginning.
#[test]
fn a_log_written_anew_is_not_the_continuation_of_the_old_one() {
    let kept = Kept::new();
    kept.run(None, 6);
    let old = kept.path("old.checkpoint");
    fs::rename(kept.path("checkpoint"), &old).unwrap();
    let first = kept.lines();
    fs::remove_file(kept.path("audit.jsonl")).unwrap();
    // Of the same name and longer, even signed by the same key.
    kept.run(None, 9);
    let file = kept.path("audit.jsonl");
    let consistent = |path: &Path| {
        let output = audit(&["consistency", text(&old), text(path), "--key", &kept.public]);
        (output.status.code().unwrap(), said(&output))
    };
    let (status, report) = consistent(&file);
    assert_eq!(status, 1, "{report}");
    assert!(report.contains("the first 8 records are not those that the checkpoint is about"), "{report}");
    fs::write(&file, format!("{}\n", first.join("\n"))).unwrap();
    assert_eq!(consistent(&file).0, 0);
    // By another key.
    let other = Kept::new();
    let output = audit(&["verify", "--key", &other.public, text(&file)]);
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn one_record_is_proved_to_who_sees_no_other() {
    let kept = Kept::new();
    kept.run(None, 12);
    let file = kept.path("audit.jsonl");
    let lines = kept.lines();
    for number in [1, 5, 14] {
        let record: serde_json::Value = serde_json::from_str(&lines[number - 1]).unwrap();
        let output = audit(&["prove", record["id"].as_str().unwrap(), text(&file)]);
        assert!(output.status.success(), "{output:?}");
        let proof = kept.path("record.tlog-proof");
        fs::write(&proof, said(&output)).unwrap();
        let checked = audit(&["check-proof", text(&proof), "--key", &kept.public]);
        assert_eq!((checked.status.code(), said(&checked).trim_end()), (Some(0), lines[number - 1].as_str()));

        let parsed = Proof::parse(&said(&output)).unwrap();
        assert_eq!(parsed.text(), said(&output));
        let mut other = parsed.clone();
        other.line = lines[number].clone().into_bytes();
        assert_eq!(other.check(&kept.key()), Err(ProofError::Record));
        other = Proof { index: parsed.index + 1, ..parsed };
        assert_eq!(other.check(&kept.key()), Err(ProofError::Record));
        fs::write(&proof, other.text()).unwrap();
        assert_eq!(audit(&["check-proof", text(&proof), "--key", &kept.public]).status.code(), Some(1));
    }
    let unknown = audit(&["prove", "01a204aa-62c8-7303-8303-030303030303/99", text(&file)]);
    assert_eq!(unknown.status.code(), Some(3));
}

#[test]
fn records_are_printed_by_what_they_are() {
    let kept = Kept::new();
    kept.run(Some("spool"), 5);
    let file = kept.path("audit.jsonl");
    let cat = |more: &[&str]| said(&audit(&[&["cat", text(&file)], more].concat())).lines().count();
    assert_eq!(cat(&[]), 8);
    assert_eq!(cat(&["--type", "config"]), 5);
    assert_eq!(cat(&["--type", "config", "--to", "2026-11-22T19:10:05Z"]), 0);
    assert_eq!(cat(&["--from", "2026-11-22", "--tenant", "acme"]), 0);
    let last = said(&audit(&["tail", "-n", "2", text(&file)]));
    assert_eq!(last.lines().count(), 2);
    assert!(last.lines().last().unwrap().contains("\"type\":\"checkpoint\""), "{last}");
}

/// A segment is changed where it lies: it is seen, and what stands behind it is read all the same.
#[test]
fn a_changed_segment_is_seen() {
    let kept = Kept::new();
    let spool = kept.path("spool");
    kept.run(Some("spool"), 30);
    let segment = fs::read_dir(&spool)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|end| end == "seg"))
        .max()
        .unwrap();
    let whole = fs::read(&segment).unwrap();
    let mut records = 0;
    archive::read(&spool, &mut |item| {
        records += usize::from(matches!(item, Item::Line(_)));
        Then::Continue
    })
    .unwrap();
    assert!(records > 1);
    let mut spoilt = whole.clone();
    let header = whole.windows(8).position(|bytes| bytes == b"{\"v\":1,\"").unwrap();
    spoilt[header + 100] ^= 1;
    fs::write(&segment, &spoilt).unwrap();
    let (status, report) = kept.verified(&[text(&spool)]);
    assert_eq!(status, 1, "{report}");
    let note = fs::read_to_string(kept.path("checkpoint")).unwrap();
    assert_eq!(Checkpoint::read_unverified(&note).unwrap(), kept.key().open(&note).unwrap());
}
