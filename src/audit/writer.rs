//! Takes records from sessions without ever making them wait, and writes them in order on a thread of its own.

use std::cell::RefCell;
use std::io;
use std::sync::mpsc;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use crate::audit::event::{Event, EventType, Loss};
use crate::audit::json;
use crate::audit::sink::{FileSink, Sink};
use crate::config;
use crate::metrics::{Count, Metrics};
use crate::session::effect::Outcome;
use crate::tenant::Timestamp;

/// How long a record may wait for company, so that one write serves many.
const BATCH_DELAY: Duration = Duration::from_millis(50);
/// As many bytes do not wait.
const BATCH_BYTES: usize = 65_536;
/// Between two attempts at a write that failed.
const RETRY_DELAY: Duration = Duration::from_secs(1);

/// Who writes: the end of every record.
#[derive(Clone, Debug)]
pub struct Origin {
    /// One a process: made by [`log_identifier`].
    pub log: String,
    /// The host's name, or what else tells this process from its like.
    pub instance: String,
}

/// A UUID of version 7 (RFC 9562): time first, so that logs sort; the rest random.
pub fn log_identifier(now: Timestamp, random: [u8; 10]) -> String {
    let milliseconds = (now.0 / 1_000).to_be_bytes();
    let mut bytes = Vec::with_capacity(16);
    bytes.extend_from_slice(milliseconds.get(2..).unwrap_or_default());
    bytes.extend_from_slice(&random);
    if let Some(version) = bytes.get_mut(6) {
        *version = *version & 0x0f | 0x70;
    }
    if let Some(variant) = bytes.get_mut(8) {
        *variant = *variant & 0x3f | 0x80;
    }
    let mut text = Vec::with_capacity(36);
    for (index, byte) in bytes.iter().enumerate() {
        if matches!(index, 4 | 6 | 8 | 10) {
            text.push(b'-');
        }
        json::hex(&mut text, &[*byte]);
    }
    String::from_utf8(text).unwrap_or_default()
}

/// Takes records. Cheap to clone; never blocks for longer than it takes to copy one line.
#[derive(Clone)]
pub struct AuditSender {
    shared: Option<Arc<Shared>>,
}

struct Shared {
    state: Mutex<State>,
    wake: Condvar,
    queue_bytes_max: usize,
    /// `{"v":1,"id":"<log>/`
    prefix: Vec<u8>,
    /// `,"proxy":{…}}` and the newline.
    suffix: Vec<u8>,
    metrics: Arc<Metrics>,
    counts: Vec<(EventType, Outcome, Count)>,
}

#[derive(Default)]
struct State {
    /// Whole lines, in the order of their numbers.
    queue: Vec<u8>,
    /// Bytes that the writer has taken and not written yet. They count as queued: the bound is on memory.
    in_flight: usize,
    seq: u64,
    loss: Loss,
    /// The writer sleeps without a time-out.
    idle: bool,
    reopen: bool,
    closed: bool,
}

impl AuditSender {
    /// For a process without an audit trail.
    pub fn discard() -> Self {
        Self { shared: None }
    }

    /// Numbers the record and queues it; where there is no room, it is dropped and counted.
    pub fn record(&self, event: &Event<'_>) {
        thread_local! {
            static LINE: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
        }
        let Some(shared) = &self.shared else { return };
        LINE.with_borrow_mut(|line| {
            line.clear();
            line.push(b',');
            event.render(line);
            line.extend_from_slice(&shared.suffix);
            shared.enqueue(event, line);
            line.shrink_to(BATCH_BYTES);
        });
    }

    /// Opens the file anew, for who has moved the old one away.
    pub fn reopen(&self) {
        if let Some(shared) = &self.shared {
            shared.state().reopen = true;
            shared.wake.notify_one();
        }
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn enqueue(&self, event: &Event<'_>, line: &[u8]) {
        // An eighth is kept for what must not be lost while anything else is kept.
        let bytes_max = if event.is_precious() { self.queue_bytes_max } else { self.queue_bytes_max / 8 * 7 };
        let mut state = self.state();
        // Prefix and two numbers: the exact length is not worth a division.
        let length = line.len() + self.prefix.len() + 50;
        if state.closed || state.queue.len() + state.in_flight + length > bytes_max {
            state.lose(event.time);
            drop(state);
            self.metrics.audit_lost("queue_full", 1);
            return;
        }
        state.append(&self.prefix, line);
        let wake = state.idle || state.queue.len() >= BATCH_BYTES && state.queue.len() - line.len() < BATCH_BYTES;
        state.idle = false;
        drop(state);
        if wake {
            self.wake.notify_one();
        }
        let mut counts = self.counts.iter();
        if let Some((.., count)) = counts.find(|(t, o, _)| *t == event.event_type && *o == event.outcome) {
            count.increment();
        }
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
        if self.loss.count == 0 {
            self.loss.first = time;
        }
        self.loss.last = self.loss.last.max(time);
        self.loss.count += 1;
    }
}

/// The writing side; dropped without [`AuditWriter::close`], what is queued is lost.
pub struct AuditWriter {
    shared: Option<Arc<Shared>>,
    done: mpsc::Receiver<()>,
}

impl AuditWriter {
    /// Opens the file, so that a wrong path is found at start, and begins to write.
    pub fn start(settings: &config::Audit, origin: &Origin, metrics: &Arc<Metrics>) -> io::Result<(Self, AuditSender)> {
        let (finished, done) = mpsc::channel();
        let Some(file) = &settings.file else {
            return Ok((Self { shared: None, done }, AuditSender::discard()));
        };
        let sink = FileSink::open(&file.path)?;
        let shared = Arc::new(Shared::new(settings.queue_bytes_max, origin, metrics));
        let writing = Writing { shared: Arc::clone(&shared), sink: Box::new(sink), batch: Vec::new(), written: 0 };
        thread::Builder::new().name("audit".to_owned()).spawn(move || {
            writing.run();
            // Nobody listens any more if the process could not wait.
            finished.send(()).unwrap_or_default();
        })?;
        Ok((Self { shared: Some(Arc::clone(&shared)), done }, AuditSender { shared: Some(shared) }))
    }

    /// Writes what is queued and ends; blocks for at most `patience`.
    pub fn close(self, patience: Duration) {
        if let Some(shared) = self.shared {
            shared.state().closed = true;
            shared.wake.notify_one();
            if self.done.recv_timeout(patience).is_err() {
                tracing::error!("audit records could not be written before the process ended");
            }
        }
    }
}

impl Shared {
    fn new(queue_bytes_max: usize, origin: &Origin, metrics: &Arc<Metrics>) -> Self {
        let mut prefix = b"{\"v\":1,\"id\":\"".to_vec();
        prefix.extend_from_slice(origin.log.as_bytes());
        prefix.push(b'/');
        let mut suffix = b",\"proxy\":{\"name\":\"partywall\",\"version\":".to_vec();
        json::string(&mut suffix, env!("CARGO_PKG_VERSION"));
        suffix.extend_from_slice(b",\"instance\":");
        json::string(&mut suffix, &origin.instance);
        suffix.extend_from_slice(b"}}\n");
        Self {
            state: Mutex::new(State { idle: true, ..State::default() }),
            wake: Condvar::new(),
            queue_bytes_max,
            prefix,
            suffix,
            metrics: Arc::clone(metrics),
            counts: counts(metrics),
        }
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
    ];
    let outcomes = [Outcome::Allow, Outcome::Error, Outcome::Deny, Outcome::Unknown];
    let pairs = types.iter().flat_map(|t| outcomes.iter().map(move |o| (*t, *o)));
    pairs.map(|(t, o)| (t, o, metrics.audit_events(t.as_str(), o.as_str()))).collect()
}

/// The writer's thread.
struct Writing {
    shared: Arc<Shared>,
    sink: Box<dyn Sink>,
    batch: Vec<u8>,
    /// Bytes of `batch` that the sink has.
    written: usize,
}

impl Writing {
    fn run(mut self) {
        while self.take() {
            self.write();
        }
        if let Err(error) = self.sink.sync() {
            tracing::error!(%error, "audit file not flushed");
        }
    }

    /// Waits for records and takes them all. False: closed, and nothing is left.
    fn take(&mut self) -> bool {
        let shared = Arc::clone(&self.shared);
        let mut state = shared.state();
        while state.queue.is_empty() && state.loss.count == 0 && !state.reopen {
            if state.closed {
                return false;
            }
            state.idle = true;
            state = shared.wake.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.idle = false;
        let waits = |state: &mut State| state.queue.len() < BATCH_BYTES && !state.closed && !state.reopen;
        let waited = shared.wake.wait_timeout_while(state, BATCH_DELAY, waits);
        let (mut state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        self.batch.clear();
        self.written = 0;
        std::mem::swap(&mut state.queue, &mut self.batch);
        let loss = std::mem::take(&mut state.loss);
        if loss.count > 0 {
            self.append_loss(&mut state, loss);
        }
        state.in_flight = self.batch.len();
        let reopen = std::mem::take(&mut state.reopen);
        drop(state);
        shared.metrics.set_audit_queue_bytes(self.batch.len());
        if reopen {
            self.reopen();
        }
        true
    }

    /// Behind the records that were kept: its number is the next, and the bound does not apply to it.
    fn append_loss(&mut self, state: &mut State, loss: Loss) {
        let mut line = vec![b','];
        Event::loss(loss, loss.last).render(&mut line);
        line.extend_from_slice(&self.shared.suffix);
        std::mem::swap(&mut state.queue, &mut self.batch);
        state.append(&self.shared.prefix, &line);
        std::mem::swap(&mut state.queue, &mut self.batch);
        tracing::error!(count = loss.count, "audit records were lost: the queue was full");
    }

    /// Writes the batch. A failure is counted and tried again until it succeeds or the process ends: sessions go on
    /// meanwhile, until the queue is full.
    fn write(&mut self) {
        while let Some(rest) = self.batch.get(self.written..).filter(|rest| !rest.is_empty()) {
            match self.sink.append(rest) {
                Ok(count) if count > 0 => self.written += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                outcome => {
                    let error = outcome.err().unwrap_or_else(|| io::ErrorKind::WriteZero.into());
                    if self.wait_to_retry(&error) == Retry::GiveUp {
                        break;
                    }
                }
            }
        }
        if self.batch.capacity() > 16 * BATCH_BYTES {
            self.batch = Vec::new();
        }
        self.shared.state().in_flight = 0;
    }

    fn wait_to_retry(&mut self, error: &io::Error) -> Retry {
        self.shared.metrics.audit_write_failed();
        tracing::error!(%error, "audit records not written, trying again");
        let shared = Arc::clone(&self.shared);
        let state = shared.state();
        let waits = |state: &mut State| !state.closed && !state.reopen;
        let waited = shared.wake.wait_timeout_while(state, RETRY_DELAY, waits);
        let (mut state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        let reopen = std::mem::take(&mut state.reopen);
        if state.closed && !reopen {
            let rest = self.batch.get(self.written..).unwrap_or_default();
            let lost = rest.iter().filter(|byte| **byte == b'\n').count();
            drop(state);
            shared.metrics.audit_lost("shutdown", lost as u64);
            tracing::error!(count = lost, "audit records were lost: the process ends");
            return Retry::GiveUp;
        }
        drop(state);
        if reopen {
            self.reopen();
        }
        Retry::Again
    }

    fn reopen(&mut self) {
        match self.sink.reopen() {
            // A line that the old file has half of goes whole into the new one.
            Ok(()) => {
                let done = self.batch.get(..self.written).unwrap_or_default();
                self.written = done.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
            }
            Err(error) => {
                self.shared.metrics.audit_write_failed();
                tracing::error!(%error, "audit file not opened anew, the old one is kept");
            }
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Retry {
    Again,
    GiveUp,
}
