//! Writes what sessions have queued, in order, on a thread of its own; makes it durable as soon as somebody waits for it.

use std::io;
use std::path::PathBuf;
use std::sync::mpsc;
use std::sync::{Arc, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::audit::clock;
use crate::audit::deliver::{self, Delivery};
use crate::audit::disk::Folder;
use crate::audit::durable::Trouble;
use crate::audit::event::{Event, Loss, LossCause};
use crate::audit::feed::Feed;
use crate::audit::identifier;
use crate::audit::sender::{AuditSender, BATCH_BYTES, Shared, State};
use crate::audit::spool::{Damage, Spool, SpoolLimits};
use crate::audit::store::{Lines, Store};
use crate::config;
use crate::metrics::Metrics;

/// How long a record may wait for company, so that one write serves many. Not where somebody waits for it.
const BATCH_DELAY: Duration = Duration::from_millis(50);
/// Between two attempts at a write that failed.
const RETRY_DELAY: Duration = Duration::from_secs(1);
/// A spool is made durable as often even if nobody waits.
const SYNC_INTERVAL: Duration = Duration::from_millis(200);
/// So much is staged at a time: it is held twice meanwhile.
const PIECE_BYTES: usize = 1 << 20;
/// What is done when there is nothing to do.
const TIDY_INTERVAL: Duration = Duration::from_secs(1);

/// Who writes: the end of every record.
#[derive(Clone, Debug)]
pub struct Origin {
    /// The log that is begun where there is none to continue.
    pub log: [u8; 16],
    /// The host's name, or what else tells this process from its like.
    pub instance: String,
}

/// The writing side; dropped without [`AuditWriter::close`], what is queued is lost.
pub struct AuditWriter {
    shared: Option<Arc<Shared>>,
    feed: Option<Arc<Feed>>,
    done: mpsc::Receiver<()>,
    deliveries: Vec<mpsc::Receiver<()>>,
}

/// Why the trail cannot be kept.
#[derive(Debug)]
pub struct AuditStartError {
    pub path: PathBuf,
    pub error: io::Error,
}

impl std::fmt::Display for AuditStartError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "cannot keep the audit trail in \"{}\": {}", self.path.display(), self.error)
    }
}

impl AuditWriter {
    /// Opens everything, so that a wrong path is found at start, and begins to write.
    pub fn start(
        settings: &config::Audit,
        origin: &Origin,
        metrics: &Arc<Metrics>,
    ) -> Result<(Self, AuditSender), AuditStartError> {
        let (finished, done) = mpsc::channel();
        let nothing = Self { shared: None, feed: None, done, deliveries: Vec::new() };
        if let Some(spool) = &settings.spool {
            return start_spool(settings, spool, origin, metrics)
                .map_err(|error| AuditStartError { path: spool.folder.clone(), error });
        }
        let Some(file) = &settings.file else { return Ok((nothing, AuditSender::discard())) };
        let fail = |error| AuditStartError { path: file.path.clone(), error };
        let store = Lines::open(&file.path).map_err(fail)?;
        let log = identifier::text(&origin.log);
        let shared = Arc::new(Shared::new(settings.queue_bytes_max, log, 0, &origin.instance, metrics));
        let writing = Writing::new(&shared, Box::new(store), Keeping::Lines);
        run(writing, finished).map_err(fail)?;
        Ok((Self { shared: Some(Arc::clone(&shared)), ..nothing }, AuditSender { shared: Some(shared) }))
    }

    /// Writes what is queued, lets sinks take it, and ends; blocks for at most `patience`.
    pub fn close(self, patience: Duration) {
        let Some(shared) = self.shared else { return };
        let deadline = clock::instant() + patience;
        let left = || deadline.saturating_duration_since(clock::instant());
        shared.state().closed = true;
        shared.wake.notify_one();
        if self.done.recv_timeout(left()).is_err() {
            tracing::error!("audit records could not be written before the process ended");
            return;
        }
        if let Some(feed) = self.feed {
            feed.close();
            for delivery in self.deliveries {
                if delivery.recv_timeout(left()).is_err() {
                    tracing::warn!("audit records wait in the spool for a sink; the next process delivers them");
                }
            }
        }
    }
}

fn start_spool(
    settings: &config::Audit,
    spool_settings: &config::Spool,
    origin: &Origin,
    metrics: &Arc<Metrics>,
) -> io::Result<(AuditWriter, AuditSender)> {
    let feed = Arc::new(Feed::default());
    let sinks = deliver::open(settings, &feed)?;
    let limits = SpoolLimits { segment_bytes: spool_settings.segment_bytes, bytes_max: spool_settings.bytes_max };
    let folder = Folder::open(&spool_settings.folder)?;
    let (spool, damage) = Spool::open(Box::new(folder), limits, origin.log, Arc::clone(&feed))?;
    let log = identifier::text(&spool.log());
    let last_seq = spool.next_seq().saturating_sub(1);
    let shared = Arc::new(Shared::new(settings.queue_bytes_max, log, last_seq, &origin.instance, metrics));
    shared.marks.set_local(last_seq);
    if let Some(damage) = damage {
        report(damage, &shared);
    }
    let (finished, done) = mpsc::channel();
    let remote = feed.taken_by_all(spool.log()).unwrap_or_default();
    shared.marks.set_remote(remote);
    run(Writing::new(&shared, Box::new(spool), Keeping::Spool), finished)?;
    let deliveries: io::Result<Vec<mpsc::Receiver<()>>> =
        sinks.into_iter().map(|sink| Delivery::start(sink, &feed, &shared, &spool_settings.folder)).collect();
    let writer = AuditWriter { shared: Some(Arc::clone(&shared)), feed: Some(feed), done, deliveries: deliveries? };
    Ok((writer, AuditSender { shared: Some(shared) }))
}

/// What was found is on record itself.
fn report(damage: Damage, shared: &Shared) {
    let now = clock::now();
    let cause = match damage {
        Damage::Torn { bytes } => {
            tracing::warn!(bytes, "the audit spool ended in the middle of a record; it was cut off");
            LossCause::Torn
        }
        Damage::Corrupt { segment } => {
            tracing::error!(segment, "an audit segment was changed; it is left as it is, and another log begins");
            LossCause::Corrupt
        }
    };
    shared.metrics.audit_lost(cause.as_str(), 1);
    let mut state = shared.state();
    state.loss = Some(Loss { first: now, last: now, count: 1, cause });
    state.idle = false;
}

fn run(writing: Writing, finished: mpsc::Sender<()>) -> io::Result<()> {
    thread::Builder::new().name("audit".to_owned()).spawn(move || {
        writing.run();
        // Nobody listens any more if the process could not wait.
        finished.send(()).unwrap_or_default();
    })?;
    Ok(())
}

/// What the store is for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Keeping {
    Lines,
    Spool,
}

/// The writer's thread.
struct Writing {
    shared: Arc<Shared>,
    store: Box<dyn Store>,
    keeping: Keeping,
    batch: Vec<u8>,
    synced_at: Instant,
    /// Somebody waits for what is staged.
    awaited: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Retry {
    Again,
    GiveUp,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Work {
    Some,
    /// Closed, and nothing is left.
    None,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Act {
    Write,
    Sync,
}

impl Writing {
    fn new(shared: &Arc<Shared>, store: Box<dyn Store>, keeping: Keeping) -> Self {
        let synced_at = clock::instant();
        Self { shared: Arc::clone(shared), store, keeping, batch: Vec::new(), synced_at, awaited: false }
    }

    fn run(mut self) {
        while self.take() == Work::Some {
            self.write_batch();
            self.sync_if_due();
        }
        if self.insist(Act::Sync) == Retry::GiveUp {
            tracing::error!("audit trail not flushed");
        }
    }

    /// Waits for records and takes them all.
    fn take(&mut self) -> Work {
        let shared = Arc::clone(&self.shared);
        let mut state = shared.state();
        if state.queue.is_empty() && state.loss.is_none() && !state.reopen {
            if state.closed {
                return Work::None;
            }
            state.idle = true;
            let patience = self.patience();
            let waits =
                |state: &mut State| state.queue.is_empty() && state.loss.is_none() && !state.reopen && !state.closed;
            let waited = shared.wake.wait_timeout_while(state, patience, waits);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        state.idle = false;
        let is_empty = state.queue.is_empty();
        let waits = |state: &mut State| {
            !is_empty && state.queue.len() < BATCH_BYTES && !state.closed && !state.reopen && !state.awaited
        };
        let waited = shared.wake.wait_timeout_while(state, BATCH_DELAY, waits);
        let (mut state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        self.batch.clear();
        std::mem::swap(&mut state.queue, &mut self.batch);
        if let Some(loss) = state.loss.take() {
            let event = Event::loss(loss, loss.last);
            shared.append_own(&mut state, &event, &mut self.batch);
            tracing::error!(count = loss.count, cause = loss.cause.as_str(), "audit records were lost");
        }
        state.in_flight = self.batch.len();
        self.awaited |= std::mem::take(&mut state.awaited);
        let reopen = std::mem::take(&mut state.reopen);
        drop(state);
        shared.metrics.set_audit_queue_bytes(self.batch.len());
        if reopen {
            self.reopen();
        }
        Work::Some
    }

    /// How long there is nothing to do if nobody comes.
    fn patience(&self) -> Duration {
        match self.keeping {
            // Nothing has to be done that is not asked for.
            Keeping::Lines => Duration::MAX,
            Keeping::Spool if self.store.staged().bytes > 0 => {
                (self.synced_at + SYNC_INTERVAL).saturating_duration_since(clock::instant())
            }
            Keeping::Spool => TIDY_INTERVAL,
        }
    }

    fn write_batch(&mut self) {
        let batch = std::mem::take(&mut self.batch);
        let mut rest = batch.as_slice();
        while !rest.is_empty() {
            let end = rest.get(..PIECE_BYTES).map_or(rest.len(), |piece| {
                let line_end = piece.iter().rposition(|byte| *byte == b'\n');
                line_end.or_else(|| memchr::memchr(b'\n', rest)).map_or(rest.len(), |at| at + 1)
            });
            let Some((piece, tail)) = rest.split_at_checked(end) else { break };
            self.store.stage(piece);
            // Whether it could be written or not: what was given up is counted, and the rest has its turn.
            let act = if self.store.staged().bytes > PIECE_BYTES { Act::Sync } else { Act::Write };
            if self.insist(act) == Retry::GiveUp {
                self.give_up(tail);
                break;
            }
            self.shared.state().in_flight = tail.len();
            rest = tail;
        }
        self.batch = if batch.capacity() > 16 * BATCH_BYTES { Vec::new() } else { batch };
        self.shared.state().in_flight = 0;
    }

    fn sync_if_due(&mut self) {
        if self.keeping == Keeping::Lines {
            return;
        }
        if self.store.staged().bytes > 0 && (self.awaited || self.synced_at.elapsed() >= SYNC_INTERVAL) {
            self.insist(Act::Sync);
            self.awaited = false;
        } else if self.batch.is_empty() {
            self.store.tidy();
        }
    }

    /// Does it, and again until it succeeds or the process ends. Sessions go on meanwhile, until the queue is full; but
    /// for those that may not go on without a durable record: they hear of it.
    fn insist(&mut self, act: Act) -> Retry {
        let mut failures = 0;
        loop {
            let result = match act {
                Act::Write => self.store.write(clock::now()),
                Act::Sync => self.sync(),
            };
            let Err(error) = result else {
                self.shared.marks.set_trouble(None);
                return Retry::Again;
            };
            self.shared.metrics.audit_write_failed();
            failures += 1;
            // A file whose sync has failed is not used again; another may do at once.
            if failures == 1 && act == Act::Sync && self.keeping == Keeping::Spool {
                tracing::error!(%error, "audit records not flushed, trying elsewhere");
                continue;
            }
            let full = matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded);
            self.shared.marks.set_trouble(Some(if full { Trouble::Full } else { Trouble::Failing }));
            if self.wait_to_retry(&error) == Retry::GiveUp {
                return Retry::GiveUp;
            }
        }
    }

    fn sync(&mut self) -> io::Result<()> {
        let begun = clock::instant();
        let records = self.store.staged().records;
        self.store.sync(clock::now())?;
        self.synced_at = clock::instant();
        if self.keeping == Keeping::Spool {
            self.shared.metrics.audit_synced(self.synced_at.saturating_duration_since(begun), records);
            self.shared.marks.set_local(self.store.durable_seq());
        }
        Ok(())
    }

    fn wait_to_retry(&mut self, error: &io::Error) -> Retry {
        tracing::error!(%error, "audit records not written, trying again");
        let shared = Arc::clone(&self.shared);
        let state = shared.state();
        let waits = |state: &mut State| !state.closed && !state.reopen;
        let waited = shared.wake.wait_timeout_while(state, RETRY_DELAY, waits);
        let (mut state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        let reopen = std::mem::take(&mut state.reopen);
        let gives_up = state.closed && !reopen;
        drop(state);
        if gives_up {
            self.give_up(&[]);
            return Retry::GiveUp;
        }
        if reopen {
            self.reopen();
        }
        Retry::Again
    }

    /// The process ends: what is staged, and these lines behind it, will not be written.
    fn give_up(&mut self, lines: &[u8]) {
        let lost = self.store.abandon() + lines.iter().filter(|byte| **byte == b'\n').count() as u64;
        if lost > 0 {
            self.shared.metrics.audit_lost("shutdown", lost);
            tracing::error!(count = lost, "audit records were lost: the process ends");
        }
    }

    fn reopen(&mut self) {
        if let Err(error) = self.store.reopen() {
            self.shared.metrics.audit_write_failed();
            tracing::error!(%error, "audit file not opened anew, the old one is kept");
        }
    }
}
