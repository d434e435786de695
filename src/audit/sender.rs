//! Takes records from sessions without ever making them wait, and numbers them.

use std::cell::RefCell;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use crate::audit::durable::{Trouble, Watermarks};
use crate::audit::event::{Event, EventType, Loss, LossCause};
use crate::audit::json;
use crate::config::Durability;
use crate::metrics::{Count, Metrics};
use crate::session::effect::Outcome;
use crate::tenant::Timestamp;

/// As many bytes do not wait for company.
pub(super) const BATCH_BYTES: usize = 65_536;

/// Takes records. Cheap to clone; never blocks for longer than it takes to copy one line.
#[derive(Clone)]
pub struct AuditSender {
    pub(super) shared: Option<Arc<Shared>>,
}

pub(super) struct Shared {
    state: Mutex<State>,
    pub(super) wake: Condvar,
    queue_bytes_max: usize,
    log: String,
    /// `{"v":1,"id":"<log>/`
    prefix: Vec<u8>,
    /// `,"proxy":{…}}` and the newline.
    suffix: Vec<u8>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) marks: Watermarks,
    counts: Vec<(EventType, Outcome, Count)>,
}

#[derive(Default)]
pub(super) struct State {
    /// Whole lines, in the order of their numbers.
    pub(super) queue: Vec<u8>,
    /// Bytes that the writer has taken and not written yet. They count as queued: the bound is on memory.
    pub(super) in_flight: usize,
    pub(super) seq: u64,
    /// Somebody waits for a record in the queue to be durable.
    pub(super) awaited: bool,
    pub(super) loss: Option<Loss>,
    /// The writer sleeps, and would sleep on until it is woken.
    pub(super) idle: bool,
    pub(super) reopen: bool,
    pub(super) closed: bool,
}

/// A session that waits for its records to be durable: until this is dropped.
pub struct Place {
    shared: Option<Arc<Shared>>,
    number: u64,
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(shared) = &self.shared {
            shared.marks.leave(self.number);
        }
    }
}

impl AuditSender {
    /// For a process without an audit trail.
    pub fn discard() -> Self {
        Self { shared: None }
    }

    /// Numbers the record and queues it; where there is no room, it is dropped and counted.
    pub fn record(&self, event: &Event<'_>) {
        self.enqueue(event, Waits::No);
    }

    /// Likewise, for who then waits until it is durable. Its number; `None` where there was no room.
    pub fn record_awaited(&self, event: &Event<'_>) -> Option<u64> {
        self.enqueue(event, Waits::Yes)
    }

    fn enqueue(&self, event: &Event<'_>, waits: Waits) -> Option<u64> {
        thread_local! {
            static LINE: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
        }
        let shared = self.shared.as_ref()?;
        LINE.with_borrow_mut(|line| {
            line.clear();
            line.push(b',');
            event.render(line);
            line.extend_from_slice(&shared.suffix);
            let seq = shared.enqueue(event, line, waits);
            line.shrink_to(BATCH_BYTES);
            seq
        })
    }

    /// Opens files anew, for who has moved the old ones away.
    pub fn reopen(&self) {
        if let Some(shared) = &self.shared {
            shared.state().reopen = true;
            shared.wake.notify_one();
        }
    }

    /// The log's name; empty without one.
    pub fn log(&self) -> &str {
        self.shared.as_ref().map_or("", |shared| &shared.log)
    }

    /// For one session, to wait at.
    pub fn place(&self) -> Place {
        let number = self.shared.as_ref().map_or(0, |shared| shared.marks.enter());
        Place { shared: self.shared.clone(), number }
    }

    /// Why nothing can be made durable now, if it cannot.
    pub fn trouble(&self) -> Option<Trouble> {
        self.shared.as_ref().and_then(|shared| shared.marks.trouble())
    }
}

impl Place {
    /// Ready when this record, and all before it, are as durable as that.
    pub fn poll_durable(&self, durability: Durability, seq: u64, context: &mut Context<'_>) -> Poll<()> {
        match &self.shared {
            Some(shared) => shared.marks.poll(self.number, durability, seq, context),
            None => Poll::Ready(()),
        }
    }

    pub fn is_durable(&self, durability: Durability, seq: u64) -> bool {
        self.shared.as_ref().is_none_or(|shared| shared.marks.reached(durability) >= seq)
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Waits {
    Yes,
    No,
}

impl Shared {
    /// `last_seq`: of the log so far.
    pub(super) fn new(
        queue_bytes_max: usize,
        log: String,
        last_seq: u64,
        instance: &str,
        metrics: &Arc<Metrics>,
    ) -> Self {
        let mut prefix = b"{\"v\":1,\"id\":\"".to_vec();
        prefix.extend_from_slice(log.as_bytes());
        prefix.push(b'/');
        let mut suffix = b",\"proxy\":{\"name\":\"partywall\",\"version\":".to_vec();
        json::string(&mut suffix, env!("CARGO_PKG_VERSION"));
        suffix.extend_from_slice(b",\"instance\":");
        json::string(&mut suffix, instance);
        suffix.extend_from_slice(b"}}\n");
        Self {
            state: Mutex::new(State { idle: true, seq: last_seq, ..State::default() }),
            wake: Condvar::new(),
            queue_bytes_max,
            log,
            prefix,
            suffix,
            metrics: Arc::clone(metrics),
            marks: Watermarks::default(),
            counts: counts(metrics),
        }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn enqueue(&self, event: &Event<'_>, line: &[u8], waits: Waits) -> Option<u64> {
        // An eighth is kept for what must not be lost while anything else is kept.
        let kept = waits == Waits::Yes || event.is_precious();
        let bytes_max = if kept { self.queue_bytes_max } else { self.queue_bytes_max / 8 * 7 };
        let mut state = self.state();
        // Prefix and two numbers: the exact length is not worth a division.
        let length = line.len() + self.prefix.len() + 50;
        if state.closed || state.queue.len() + state.in_flight + length > bytes_max {
            state.lose(event.time);
            drop(state);
            self.metrics.audit_lost("queue_full", 1);
            return None;
        }
        state.append(&self.prefix, line);
        let seq = state.seq;
        let filled = state.queue.len() >= BATCH_BYTES && state.queue.len() - line.len() < BATCH_BYTES;
        let first_awaited = waits == Waits::Yes && !state.awaited;
        state.awaited |= waits == Waits::Yes;
        let wake = state.idle || filled || first_awaited;
        state.idle = false;
        drop(state);
        if wake {
            self.wake.notify_one();
        }
        self.count(event);
        Some(seq)
    }

    fn count(&self, event: &Event<'_>) {
        let mut counts = self.counts.iter();
        if let Some((.., count)) = counts.find(|(t, o, _)| *t == event.event_type && *o == event.outcome) {
            count.increment();
        }
    }

    /// Takes the next number, for a record that [`Shared::own_line`] makes.
    pub(super) fn reserve(state: &mut State) -> u64 {
        state.seq += 1;
        state.seq
    }

    /// A record with a number that was taken for it.
    pub(super) fn own_line(&self, seq: u64, event: &Event<'_>) -> Vec<u8> {
        let mut line = vec![b','];
        event.render(&mut line);
        line.extend_from_slice(&self.suffix);
        let mut alone = State { seq: seq.saturating_sub(1), ..State::default() };
        alone.append(&self.prefix, &line);
        self.count(event);
        alone.queue
    }

    pub(super) fn log(&self) -> &str {
        &self.log
    }

    /// A record of the writer's own, behind those that it has taken: its number is the next.
    pub(super) fn append_own(&self, state: &mut State, event: &Event<'_>, batch: &mut Vec<u8>) {
        let mut line = vec![b','];
        event.render(&mut line);
        line.extend_from_slice(&self.suffix);
        std::mem::swap(&mut state.queue, batch);
        state.append(&self.prefix, &line);
        std::mem::swap(&mut state.queue, batch);
        self.count(event);
    }
}

impl State {
    fn append(&mut self, prefix: &[u8], line: &[u8]) {
        self.seq += 1;
        self.queue.extend_from_slice(prefix);
        json::number(&mut self.queue, self.seq);
        self.queue.extend_from_slice(b"\",\"seq\":");
        json::number(&mut self.queue, self.seq);
        self.queue.extend_from_slice(line);
    }

    fn lose(&mut self, time: Timestamp) {
        let empty = Loss { first: time, last: time, count: 0, cause: LossCause::QueueFull };
        let loss = self.loss.get_or_insert(empty);
        loss.last = loss.last.max(time);
        loss.count += 1;
    }
}

/// The counters, the most frequent first.
fn counts(metrics: &Metrics) -> Vec<(EventType, Outcome, Count)> {
    let types = [
        EventType::Statement,
        EventType::Deny,
        EventType::AuthOk,
        EventType::SessionOpen,
        EventType::SessionClose,
        EventType::AuthFail,
        EventType::Config,
        EventType::Start,
        EventType::Stop,
        EventType::Loss,
        EventType::Checkpoint,
        EventType::Heartbeat,
    ];
    let outcomes = [Outcome::Allow, Outcome::Error, Outcome::Deny, Outcome::Unknown];
    let pairs = types.iter().flat_map(|t| outcomes.iter().map(move |o| (*t, *o)));
    pairs.map(|(t, o)| (t, o, metrics.audit_events(t.as_str(), o.as_str()))).collect()
}
