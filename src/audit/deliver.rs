//! Brings the spool's records to a sink: in order, again until they are acknowledged, from where the sink stands.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use crate::audit::clock;
use crate::audit::disk;
use crate::audit::feed::{Feed, Next, Piece, Position};
use crate::audit::http::HttpSink;
use crate::audit::identifier;
use crate::audit::segment::{self, FRAME_HEAD_BYTES, Found, PAYLOAD_BYTES_MAX};
use crate::audit::sender::Shared;
use crate::audit::sink::{Batch, FileSink, Sink, StdoutSink};
use crate::config;

/// Bytes of the spool that are delivered at once.
const BATCH_BYTES: u64 = 262_144;
const PATIENCE: Duration = Duration::from_secs(1);
const BACKOFF_MIN: Duration = Duration::from_millis(100);
const BACKOFF_MAX: Duration = Duration::from_secs(30);
/// A place is written down as often. What was acknowledged since is delivered once more after a crash.
const CURSOR_INTERVAL: Duration = Duration::from_secs(1);
const CURSOR_RECORDS: u64 = 1_000;

/// A sink that is ready.
pub(super) struct Opened {
    name: &'static str,
    sink: Box<dyn Sink>,
    number: usize,
    position: Position,
}

/// Opens the sinks that the settings name, each where it stood.
pub(super) fn open(settings: &config::Audit, feed: &Feed) -> io::Result<Vec<Opened>> {
    let Some(spool) = &settings.spool else { return Ok(Vec::new()) };
    let mut opened = Vec::new();
    if let Some(file) = &settings.file {
        opened.push(("file", Box::new(FileSink::open(&file.path)?) as Box<dyn Sink>));
    }
    if settings.stdout {
        opened.push(("stdout", Box::new(StdoutSink)));
    }
    if let Some(http) = &settings.http {
        opened.push(("http", Box::new(HttpSink::new(http))));
    }
    let ready = opened.into_iter().map(|(name, sink)| {
        let position = read_cursor(&cursor_path(&spool.folder, name))?;
        Ok(Opened { name, sink, number: feed.register(position), position })
    });
    ready.collect()
}

fn cursor_path(folder: &Path, name: &str) -> PathBuf {
    folder.join(format!("{name}.cursor"))
}

/// Two numbers: the segment, and the last record that the sink has.
fn read_cursor(path: &Path) -> io::Result<Position> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Position::default()),
        Err(error) => return Err(error),
    };
    let mut numbers = text.split_whitespace().map(|number| number.parse().ok());
    match (numbers.next().flatten(), numbers.next().flatten()) {
        (Some(segment), Some(seq)) => Ok(Position { segment, seq }),
        // From the beginning: twice is better than never.
        _ => Ok(Position::default()),
    }
}

fn write_cursor(path: &Path, position: Position) -> io::Result<()> {
    let new = path.with_extension("new");
    let mut file = File::create(&new)?;
    writeln!(file, "{} {}", position.segment, position.seq)?;
    file.sync_all()?;
    fs::rename(&new, path)?;
    path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
}

/// A sink's thread.
pub(super) struct Delivery {
    opened: Opened,
    feed: Arc<Feed>,
    shared: Arc<Shared>,
    folder: PathBuf,
    /// The segment that is being read, and where its next frame begins.
    segment: u64,
    offset: u64,
    file: Option<(u64, File)>,
    saved: Position,
    saved_at: Instant,
}

impl Delivery {
    /// Says when it is done: after the feed is closed.
    pub(super) fn start(
        opened: Opened,
        feed: &Arc<Feed>,
        shared: &Arc<Shared>,
        folder: &Path,
    ) -> io::Result<mpsc::Receiver<()>> {
        let (finished, done) = mpsc::channel();
        let delivery = Self {
            feed: Arc::clone(feed),
            shared: Arc::clone(shared),
            folder: folder.to_owned(),
            segment: opened.position.segment,
            offset: 0,
            file: None,
            saved: opened.position,
            saved_at: clock::instant(),
            opened,
        };
        thread::Builder::new().name(format!("audit-{}", delivery.opened.name)).spawn(move || {
            delivery.run();
            // Nobody listens any more if the process could not wait.
            finished.send(()).unwrap_or_default();
        })?;
        Ok(done)
    }

    fn run(mut self) {
        loop {
            match self.feed.next(self.segment, self.offset, PATIENCE) {
                Next::Done => break,
                Next::Nothing => {}
                Next::Piece(piece) => {
                    if let Err(error) = self.deliver(&piece) {
                        tracing::error!(%error, sink = self.opened.name, "audit records given up: the process ends");
                        break;
                    }
                }
            }
            self.save_if_due();
        }
        self.save();
    }

    fn deliver(&mut self, piece: &Piece) -> io::Result<()> {
        if piece.segment > self.segment && self.opened.position.segment < piece.segment {
            // A log's numbers begin anew; of the same log, nothing that comes was delivered.
            self.opened.position = Position { segment: piece.segment, seq: 0 };
        }
        let bytes = self.read(piece)?;
        let (batch, taken) = self.batch(piece, &bytes);
        if !batch.lines.is_empty() {
            self.insist(&batch)?;
            self.opened.position = Position { segment: piece.segment, seq: batch.last_seq };
            self.feed.acknowledged(self.opened.number, self.opened.position);
            if let Some(seq) = self.feed.taken_by_all(piece.log) {
                self.shared.marks.set_remote(seq);
            }
            self.shared.metrics.audit_delivered(self.opened.name, batch.records, self.feed.lag(self.opened.number));
        }
        self.segment = piece.segment;
        self.offset = piece.begin + taken;
        Ok(())
    }

    fn read(&mut self, piece: &Piece) -> io::Result<Vec<u8>> {
        if self.file.as_ref().is_none_or(|(number, _)| *number != piece.segment) {
            let file = File::open(disk::segment_path(&self.folder, piece.segment))?;
            self.file = Some((piece.segment, file));
        }
        let Some((_, file)) = &self.file else { return Ok(Vec::new()) };
        let left = piece.end - piece.begin;
        let whole_frame = (FRAME_HEAD_BYTES + PAYLOAD_BYTES_MAX) as u64;
        let mut bytes = read_at(file, piece.begin, left.min(BATCH_BYTES))?;
        if left > BATCH_BYTES && !matches!(segment::frame(&bytes), Found::Frame { .. }) {
            bytes = read_at(file, piece.begin, left.min(whole_frame))?;
        }
        Ok(bytes)
    }

    /// The whole records at the beginning of these bytes, and how many bytes they are.
    fn batch(&self, piece: &Piece, bytes: &[u8]) -> (Batch, u64) {
        let mut batch = Batch { log: identifier::text(&piece.log), ..Batch::default() };
        let mut at = 0;
        let complete = piece.begin + bytes.len() as u64 == piece.end;
        while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
            match segment::frame(rest) {
                Found::Frame { seq, payload } => {
                    at += FRAME_HEAD_BYTES + payload.len();
                    let delivered = piece.segment == self.opened.position.segment && seq <= self.opened.position.seq;
                    if !delivered && seq < piece.seq_end {
                        batch.push(seq, payload);
                    }
                }
                // The rest of it was not read.
                _ if !complete && at > 0 => break,
                _ => {
                    at += self.skip(piece, rest);
                }
            }
        }
        (batch, at as u64)
    }

    /// What was durable is no record any more: the next one is looked for.
    fn skip(&self, piece: &Piece, rest: &[u8]) -> usize {
        tracing::error!(segment = piece.segment, sink = self.opened.name, "an audit record cannot be read any more");
        self.shared.metrics.audit_lost("corrupt", 1);
        segment::next_frame(rest, self.opened.position.seq).unwrap_or(rest.len())
    }

    /// Delivers, again and again. Fails when the process ends.
    fn insist(&mut self, batch: &Batch) -> io::Result<()> {
        let mut backoff = BACKOFF_MIN;
        loop {
            let Err(error) = self.opened.sink.deliver(batch) else { return Ok(()) };
            self.shared.metrics.audit_sink_failed(self.opened.name);
            tracing::warn!(%error, sink = self.opened.name, retry = ?backoff, "audit records not delivered");
            if self.feed.closed_within(jittered(backoff)) {
                return Err(error);
            }
            backoff = (backoff * 2).min(BACKOFF_MAX);
        }
    }

    fn save_if_due(&mut self) {
        let position = self.opened.position;
        let records = position.seq.saturating_sub(self.saved.seq);
        let moved = position != self.saved;
        if moved && (records >= CURSOR_RECORDS || self.saved_at.elapsed() >= CURSOR_INTERVAL) {
            self.save();
        }
    }

    fn save(&mut self) {
        self.saved_at = clock::instant();
        if self.opened.position == self.saved {
            return;
        }
        match write_cursor(&cursor_path(&self.folder, self.opened.name), self.opened.position) {
            Ok(()) => self.saved = self.opened.position,
            Err(error) => tracing::warn!(%error, sink = self.opened.name, "a sink's place was not written down"),
        }
    }
}

fn read_at(file: &File, offset: u64, bytes: u64) -> io::Result<Vec<u8>> {
    let mut buffer = vec![0; usize::try_from(bytes).unwrap_or_default()];
    file.read_exact_at(&mut buffer, offset)?;
    Ok(buffer)
}

/// Between half and the whole of it, so that many do not come back at once.
fn jittered(backoff: Duration) -> Duration {
    let mut random = [0];
    match aws_lc_rs::rand::fill(&mut random) {
        Ok(()) => backoff / 2 + backoff / 2 * u32::from(u8::from_le_bytes(random)) / 255,
        Err(_) => backoff,
    }
}
