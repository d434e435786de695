//! The spool on a disk in memory that can fail, forget what was not synced, and be spoilt byte by byte.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::audit::disk::{Disk, Segment};
use crate::audit::feed::{Feed, Next, Position};
use crate::audit::segment::{self, HEADER_BYTES_MAX, Header};
use crate::audit::spool::{Damage, Spool, SpoolLimits};
use crate::audit::tree::{self, Frontier};
use crate::tenant::Timestamp;

const NOW: Timestamp = Timestamp(1_795_374_605_000_000);
const LIMITS: SpoolLimits = SpoolLimits { segment_bytes: 2_000, bytes_max: 1 << 20 };

#[derive(Clone, Default)]
struct File {
    written: Vec<u8>,
    synced: Vec<u8>,
}

#[derive(Default)]
struct World {
    files: BTreeMap<u64, File>,
    /// Operations until one fails, and of which kind.
    fails: Option<(&'static str, usize)>,
    synced: usize,
}

#[derive(Clone, Default)]
struct Memory(Arc<Mutex<World>>);

impl Memory {
    fn step(&self, kind: &'static str) -> io::Result<()> {
        let mut world = self.0.lock().unwrap();
        match &mut world.fails {
            Some((failing, 0)) if *failing == kind => {
                world.fails = None;
                Err(io::Error::other("injected"))
            }
            Some((failing, left)) if *failing == kind => {
                *left -= 1;
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn file<T>(&self, number: u64, act: impl FnOnce(&mut File) -> T) -> T {
        act(self.0.lock().unwrap().files.entry(number).or_default())
    }

    /// The power goes: what was not synced is gone, or is there in part.
    fn lose_power(&self, kept: usize) {
        for file in self.0.lock().unwrap().files.values_mut() {
            let end = (file.synced.len() + kept).min(file.written.len()).max(file.synced.len());
            let mut left = file.synced.clone();
            left.extend_from_slice(file.written.get(file.synced.len()..end).unwrap_or_default());
            *file = File { written: left.clone(), synced: left };
        }
    }

    fn last(&self) -> (u64, Vec<u8>) {
        let world = self.0.lock().unwrap();
        world.files.last_key_value().map(|(number, file)| (*number, file.written.clone())).unwrap()
    }

    fn put(&self, number: u64, bytes: &[u8]) {
        self.file(number, |file| *file = File { written: bytes.to_vec(), synced: bytes.to_vec() });
    }
}

impl Disk for Memory {
    fn numbers(&mut self) -> io::Result<Vec<u64>> {
        Ok(self.0.lock().unwrap().files.keys().copied().collect())
    }

    fn head(&mut self, number: u64) -> io::Result<(Vec<u8>, u64)> {
        let bytes = self.read(number)?;
        Ok((bytes.iter().copied().take(HEADER_BYTES_MAX).collect(), bytes.len() as u64))
    }

    fn read(&mut self, number: u64) -> io::Result<Vec<u8>> {
        Ok(self.file(number, |file| file.written.clone()))
    }

    fn create(&mut self, number: u64) -> io::Result<Box<dyn Segment>> {
        self.step("create")?;
        self.put(number, &[]);
        Ok(Box::new((self.clone(), number)))
    }

    fn truncate(&mut self, number: u64, bytes: u64) -> io::Result<()> {
        self.file(number, |file| {
            file.written.truncate(bytes as usize);
            file.synced.clone_from(&file.written);
        });
        Ok(())
    }

    fn remove(&mut self, number: u64) -> io::Result<()> {
        self.0.lock().unwrap().files.remove(&number);
        Ok(())
    }
}

impl Segment for (Memory, u64) {
    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.0.step("write")?;
        self.0.file(self.1, |file| {
            file.written.truncate(offset as usize);
            file.written.extend_from_slice(bytes);
        });
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        self.0.step("sync")?;
        self.0.file(self.1, |file| file.synced.clone_from(&file.written));
        self.0.0.lock().unwrap().synced += 1;
        Ok(())
    }
}

fn open(disk: &Memory) -> (Spool, Option<Damage>) {
    Spool::open(Box::new(disk.clone()), LIMITS, [9; 16], Arc::new(Feed::default())).unwrap()
}

fn line(seq: u64) -> String {
    format!("{{\"seq\":{seq},\"filler\":\"{}\"}}", "x".repeat((seq % 50) as usize))
}

fn stage(spool: &mut Spool, count: u64) {
    for _ in 0..count {
        let text = line(spool.next_seq());
        spool.stage(text.as_bytes());
    }
}

/// What a reader of the segments gets, in order.
fn records(disk: &Memory) -> Vec<(u64, String)> {
    let feed = Arc::new(Feed::default());
    let (_spool, _) = Spool::open(Box::new(disk.clone()), LIMITS, [9; 16], Arc::clone(&feed)).unwrap();
    let (mut segment, mut offset, mut last) = (0, 0, 0);
    let mut found = Vec::new();
    while let Next::Piece(piece) = feed.next(segment, offset, Duration::ZERO) {
        let bytes = disk.file(piece.segment, |file| file.written.clone());
        segment::scan(&bytes[piece.begin as usize..piece.end as usize], last + 1, |seq, payload| {
            if seq < piece.seq_end {
                found.push((seq, String::from_utf8(payload.to_vec()).unwrap()));
                last = seq;
            }
        });
        (segment, offset) = (piece.segment, piece.end);
    }
    found
}

fn expect_records(disk: &Memory, count: u64) {
    let expected: Vec<_> = (1..=count).map(|seq| (seq, line(seq))).collect();
    assert_eq!(records(disk), expected);
}

#[test]
fn what_is_synced_is_read_back_in_segments_and_a_new_process_goes_on() {
    let disk = Memory::default();
    for round in 0..5 {
        let (mut spool, damage) = open(&disk);
        assert_eq!(damage, None);
        assert_eq!(spool.next_seq(), round * 40 + 1);
        for _ in 0..4 {
            stage(&mut spool, 10);
            spool.sync(NOW).unwrap();
        }
        assert_eq!(spool.durable_seq(), round * 40 + 40);
        let mut tree = Frontier::default();
        (1..=spool.durable_seq()).for_each(|seq| tree.append(tree::leaf(line(seq).as_bytes())));
        assert_eq!(spool.tree.root(), tree.root());
    }
    expect_records(&disk, 200);
    assert!(disk.0.lock().unwrap().files.len() >= 5);
}

#[test]
fn what_was_not_synced_may_be_lost_and_nothing_else() {
    for kept in 0..400 {
        let disk = Memory::default();
        let (mut spool, _) = open(&disk);
        stage(&mut spool, 3);
        spool.sync(NOW).unwrap();
        stage(&mut spool, 5);
        spool.write(NOW).unwrap();
        drop(spool);
        disk.lose_power(kept);
        let (mut spool, damage) = open(&disk);
        assert!(!matches!(damage, Some(Damage::Corrupt { .. })), "{kept}");
        let next = spool.next_seq();
        assert!((4..=9).contains(&next), "{kept}: {next}");
        stage(&mut spool, 20);
        spool.sync(NOW).unwrap();
        expect_records(&disk, next + 19);
    }
}

/// The last segment, cut at every byte: whole records before the cut stay, and the log goes on behind them.
#[test]
fn a_segment_cut_anywhere_keeps_what_is_whole() {
    let disk = Memory::default();
    let (mut spool, _) = open(&disk);
    stage(&mut spool, 8);
    spool.sync(NOW).unwrap();
    let (number, bytes) = disk.last();
    let (_, begin) = Header::decode(&bytes).unwrap();
    for cut in 0..=bytes.len() {
        let disk = Memory::default();
        disk.put(number, &bytes[..cut]);
        let mut whole = 0;
        let mut at = begin;
        while cut >= begin && at + segment::FRAME_HEAD_BYTES + line(whole + 1).len() <= cut {
            whole += 1;
            at += segment::FRAME_HEAD_BYTES + line(whole).len();
        }
        let (mut spool, damage) = open(&disk);
        assert_eq!(spool.next_seq(), whole + 1, "cut at {cut}");
        let torn = cut > begin && cut != at;
        assert_eq!(damage, torn.then(|| Damage::Torn { bytes: (cut - at) as u64 }), "cut at {cut}");
        stage(&mut spool, 2);
        spool.sync(NOW).unwrap();
        expect_records(&disk, whole + 2);
    }
}

/// Every byte of every frame, spoilt: only in the last frame can that be a write that did not get through; before it, it
/// is a change, the segment is left alone, and another log begins.
#[test]
fn a_spoilt_byte_is_torn_at_the_end_and_corrupt_before() {
    let disk = Memory::default();
    let (mut spool, _) = open(&disk);
    stage(&mut spool, 8);
    spool.sync(NOW).unwrap();
    let (number, bytes) = disk.last();
    let (_, begin) = Header::decode(&bytes).unwrap();
    let last_frame = bytes.len() - segment::FRAME_HEAD_BYTES - line(8).len();
    for at in 0..bytes.len() {
        let disk = Memory::default();
        let mut spoilt = bytes.clone();
        spoilt[at] ^= 0x41;
        disk.put(number, &spoilt);
        let (mut spool, damage) = open(&disk);
        if at >= last_frame {
            assert!(matches!(damage, Some(Damage::Torn { .. })), "{at}: {damage:?}");
            assert_eq!(spool.next_seq(), 8);
        } else {
            assert_eq!(damage, Some(Damage::Corrupt { segment: number }), "{at}");
            assert_eq!((spool.log(), spool.next_seq()), ([9; 16], 1));
        }
        stage(&mut spool, 1);
        spool.sync(NOW).unwrap();
        let expected = if at >= last_frame { bytes[..last_frame].to_vec() } else { spoilt };
        assert_eq!(disk.file(number, |file| file.written.clone()), expected, "{at} of {begin}");
    }
}

/// A file that failed to sync is not asked again: the records are written once more, elsewhere.
#[test]
fn a_failed_sync_or_write_loses_nothing_and_repeats_nothing() {
    for kind in ["sync", "write", "create"] {
        for count in 0..12 {
            let disk = Memory::default();
            let (mut spool, _) = open(&disk);
            disk.0.lock().unwrap().fails = Some((kind, count));
            let mut failed = 0;
            for _ in 0..10 {
                stage(&mut spool, 7);
                while spool.sync(NOW).is_err() {
                    failed += 1;
                }
            }
            assert!(failed <= 1);
            // The page cache may have dropped what the failed sync was for.
            disk.lose_power(0);
            expect_records(&disk, 70);
            let (spool, damage) = open(&disk);
            assert_eq!((spool.next_seq(), damage), (71, None), "{kind} {count}");
        }
    }
}

#[test]
fn a_full_spool_takes_nothing_until_sinks_have_what_is_in_it() {
    let disk = Memory::default();
    let feed = Arc::new(Feed::default());
    let limits = SpoolLimits { segment_bytes: 1_000, bytes_max: 5_000 };
    let sink = feed.register(Position::default());
    let (mut spool, _) = Spool::open(Box::new(disk.clone()), limits, [9; 16], Arc::clone(&feed)).unwrap();
    let full = loop {
        stage(&mut spool, 5);
        if let Err(error) = spool.sync(NOW) {
            break error;
        }
    };
    assert_eq!(full.kind(), io::ErrorKind::StorageFull);
    assert!(feed.bytes() <= 6_000);
    assert_eq!(spool.sync(NOW).unwrap_err().kind(), io::ErrorKind::StorageFull);
    let durable = spool.durable_seq();
    feed.acknowledged(sink, Position { segment: 2, seq: durable });
    assert_eq!(feed.taken_by_all([9; 16]), Some(durable));
    feed.acknowledged(sink, Position { segment: 99, seq: durable });
    spool.sync(NOW).unwrap();
    assert!(feed.bytes() < 5_000);
    assert!(spool.durable_seq() > durable);
}
