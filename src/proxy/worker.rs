//! A worker thread: a runtime of its own, its connections, and what they share without a lock.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Waker;
use std::thread::JoinHandle;

use tokio::sync::{mpsc, watch};
use tokio::task::LocalSet;

use crate::audit::sender::AuditSender;
use crate::config::Limits;
use crate::metrics::Metrics;
use crate::net::stream::Socket;
use crate::proxy::Phase;
use crate::proxy::cache::DecisionCache;
use crate::proxy::cancel::CancelKeys;
use crate::proxy::connection;
use crate::proxy::generations::CacheLimits;
use crate::reload::Live;

/// Bytes of one read. Bulk transfers cost by the call; idle connections hold none of it.
const SCRATCH_BYTES: usize = 65_536;

/// What all workers share.
#[derive(Clone)]
pub(crate) struct Shared {
    pub(crate) live: Arc<Live>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) audit: AuditSender,
    pub(crate) cancel_keys: Arc<CancelKeys>,
}

/// What the connections of one thread share.
pub(crate) struct Worker {
    pub(crate) live: Arc<Live>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) audit: AuditSender,
    pub(crate) cancel_keys: Arc<CancelKeys>,
    pub(crate) scratch: RefCell<Box<[u8]>>,
    pub(crate) cache: RefCell<DecisionCache>,
    pub(crate) drain: Drain,
    /// For who may wait for nothing else: a log-in.
    pub(crate) phase: watch::Receiver<Phase>,
}

/// Tells the sessions of a thread that the end has come, at no cost while it has not.
#[derive(Debug, Default)]
pub(crate) struct Drain {
    phase: Cell<Option<Phase>>,
    sessions: RefCell<HashMap<u64, Waker>>,
    next: Cell<u64>,
}

/// A session that wants to be woken: until this is dropped.
pub(crate) struct DrainRegistration<'a> {
    drain: &'a Drain,
    number: u64,
}

impl Drain {
    pub(crate) fn phase(&self) -> Phase {
        self.phase.get().unwrap_or(Phase::Serve)
    }

    pub(crate) fn set_phase(&self, phase: Phase) {
        self.phase.set(Some(phase));
        self.sessions.borrow().values().for_each(Waker::wake_by_ref);
    }

    /// A task has one waker for all its life: it is taken once.
    pub(crate) fn register(&self, waker: &Waker) -> DrainRegistration<'_> {
        let number = self.next.get();
        self.next.set(number.wrapping_add(1));
        self.sessions.borrow_mut().insert(number, waker.clone());
        DrainRegistration { drain: self, number }
    }
}

impl Drop for DrainRegistration<'_> {
    fn drop(&mut self) {
        self.drain.sessions.borrow_mut().remove(&self.number);
    }
}

/// A connection in the books of the process and of its worker: until this is dropped.
pub(crate) struct Slot {
    pub(crate) admission: Admission,
    process: Arc<AtomicUsize>,
    worker: Arc<AtomicUsize>,
}

/// What a connection may become.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Admission {
    Session,
    /// There are too many: only a cancel request is still listened to.
    CancelOnly,
}

impl Slot {
    pub(crate) fn new(admission: Admission, process: &Arc<AtomicUsize>, worker: &Arc<AtomicUsize>) -> Self {
        process.fetch_add(1, Ordering::Relaxed);
        worker.fetch_add(1, Ordering::Relaxed);
        Self { admission, process: Arc::clone(process), worker: Arc::clone(worker) }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.process.fetch_sub(1, Ordering::Relaxed);
        self.worker.fetch_sub(1, Ordering::Relaxed);
        if std::thread::panicking() {
            tracing::error!("a connection's task panicked; the connection is closed");
        }
    }
}

/// An accepted socket on its way to a worker, taken out of the accepting runtime.
pub(crate) enum Arrival {
    Tcp(std::net::TcpStream),
    Unix(std::os::unix::net::UnixStream),
}

impl Arrival {
    pub(crate) fn from_socket(socket: Socket) -> io::Result<Self> {
        match socket {
            Socket::Tcp(stream) => stream.into_std().map(Self::Tcp),
            Socket::Unix(stream) => stream.into_std().map(Self::Unix),
        }
    }

    fn into_socket(self) -> io::Result<Socket> {
        match self {
            Self::Tcp(stream) => tokio::net::TcpStream::from_std(stream).map(Socket::Tcp),
            Self::Unix(stream) => tokio::net::UnixStream::from_std(stream).map(Socket::Unix),
        }
    }
}

/// The accepting side's hold of a worker.
pub(crate) struct WorkerHandle {
    pub(crate) arrivals: mpsc::UnboundedSender<(Arrival, Slot)>,
    pub(crate) connections: Arc<AtomicUsize>,
    pub(crate) thread: JoinHandle<()>,
}

/// Starts a worker thread. It ends when nobody sends to it any more and its connections are done.
pub(crate) fn start(number: usize, shared: Shared, phase: watch::Receiver<Phase>) -> io::Result<WorkerHandle> {
    let (arrivals, receiver) = mpsc::unbounded_channel();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let thread = std::thread::Builder::new().name(format!("partywall-{number}")).spawn(move || {
        let limits = shared.live.load().config.limits.clone();
        let worker = Rc::new(Worker::new(shared, &limits, phase.clone()));
        LocalSet::new().block_on(&runtime, run(worker, receiver, phase));
    })?;
    Ok(WorkerHandle { arrivals, connections: Arc::new(AtomicUsize::new(0)), thread })
}

impl Worker {
    fn new(shared: Shared, limits: &Limits, phase: watch::Receiver<Phase>) -> Self {
        let Shared { live, metrics, audit, cancel_keys } = shared;
        let limits =
            CacheLimits { entries_max: limits.decision_cache_entries_max, bytes_max: limits.decision_cache_bytes_max };
        Self {
            live,
            metrics,
            audit,
            cancel_keys,
            scratch: RefCell::new(vec![0; SCRATCH_BYTES].into_boxed_slice()),
            cache: RefCell::new(DecisionCache::new(limits)),
            drain: Drain::default(),
            phase,
        }
    }
}

async fn run(
    worker: Rc<Worker>,
    mut arrivals: mpsc::UnboundedReceiver<(Arrival, Slot)>,
    mut phase: watch::Receiver<Phase>,
) {
    let mut connections = tokio::task::JoinSet::new();
    let mut phases_open = true;
    let mut arrivals_open = true;
    while arrivals_open || !connections.is_empty() {
        tokio::select! {
            arrival = arrivals.recv(), if arrivals_open => match arrival {
                Some((arrival, slot)) => {
                    connections.spawn_local(connect(Rc::clone(&worker), arrival, slot));
                }
                None => arrivals_open = false,
            },
            changed = phase.changed(), if phases_open => match changed {
                Ok(()) => worker.drain.set_phase(*phase.borrow_and_update()),
                Err(_) => phases_open = false,
            },
            Some(_) = connections.join_next(), if !connections.is_empty() => {}
        }
    }
}

async fn connect(worker: Rc<Worker>, arrival: Arrival, slot: Slot) {
    match arrival.into_socket() {
        Ok(socket) => connection::run(&worker, socket, &slot).await,
        Err(error) => tracing::warn!(%error, "an accepted connection could not be taken over"),
    }
}
