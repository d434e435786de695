//! The writer's thread: takes what sessions have queued, writes it, makes it durable as soon as somebody waits for it.

use std::io;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use crate::audit::clock;
use crate::audit::durable::Trouble;
use crate::audit::event::{Event, EventType};
use crate::audit::sender::{BATCH_BYTES, Shared, State};
use crate::audit::sign::Signer;
use crate::audit::store::Store;

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

/// What the store is for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Keeping {
    Lines,
    Spool,
}

/// The writer's thread.
pub(super) struct Writing {
    shared: Arc<Shared>,
    store: Box<dyn Store>,
    keeping: Keeping,
    batch: Vec<u8>,
    synced_at: Instant,
    /// Somebody waits for what is staged.
    awaited: bool,
    signer: Option<Signer>,
    /// The number that the next checkpoint has.
    checkpoint_seq: Option<u64>,
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
    pub(super) fn new(shared: &Arc<Shared>, store: Box<dyn Store>, keeping: Keeping, signer: Option<Signer>) -> Self {
        Self {
            shared: Arc::clone(shared),
            store,
            keeping,
            batch: Vec::new(),
            synced_at: clock::instant(),
            awaited: false,
            signer,
            checkpoint_seq: None,
        }
    }

    pub(super) fn run(mut self) {
        while self.take() == Work::Some {
            self.write_batch();
            let note = self.sign();
            self.sync_if_due();
            self.leave(note);
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
            if state.closed && !self.signer.as_ref().is_some_and(Signer::is_behind) {
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
        self.take_own(&mut state);
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

    /// What the writer itself has to say behind what it has taken.
    fn take_own(&mut self, state: &mut State) {
        let Some(signer) = &mut self.signer else { return };
        if self.batch.is_empty() && signer.beats() && !state.closed {
            let event = Event::process(EventType::Heartbeat, clock::now());
            self.shared.append_own(state, &event, &mut self.batch);
        }
        signer.count(memchr::memchr_iter(b'\n', &self.batch).count() as u64);
        if signer.is_due() || state.closed && state.queue.is_empty() && signer.is_behind() {
            self.checkpoint_seq = Some(Shared::reserve(state));
        }
    }

    /// Says how long the log is now, with the number that was kept for it. The note.
    fn sign(&mut self) -> Option<String> {
        let (signer, seq) = (self.signer.as_mut()?, self.checkpoint_seq.take()?);
        let note = signer.sign(self.shared.log(), self.store.tree());
        let now = clock::now();
        let line = self.shared.own_line(seq, &Event::checkpoint(&note, now));
        self.shared.metrics.audit_signed(self.store.tree().size(), now.0 as f64 / 1e6);
        self.store.stage(&line);
        (self.insist(Act::Write) == Retry::Again).then_some(note)
    }

    fn leave(&mut self, note: Option<String>) {
        let Some(note) = note else { return };
        // What it is about must not be gone after a crash: it would look as if it had been taken away.
        let durable = self.store.staged().bytes == 0 || self.insist(Act::Sync) == Retry::Again;
        if let Some(signer) = self.signer.as_ref().filter(|_| durable) {
            signer.leave(&note);
        }
    }

    /// How long there is nothing to do if nobody comes.
    fn patience(&self) -> Duration {
        let until_signed = self.signer.as_ref().map_or(Duration::MAX, Signer::patience);
        until_signed.min(match self.keeping {
            // Nothing has to be done that is not asked for.
            Keeping::Lines => Duration::MAX,
            Keeping::Spool if self.store.staged().bytes > 0 => {
                (self.synced_at + SYNC_INTERVAL).saturating_duration_since(clock::instant())
            }
            Keeping::Spool => TIDY_INTERVAL,
        })
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
