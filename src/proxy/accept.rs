//! Accepts connections, hands each to the worker with the fewest, and sees them all out at the end.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::watch;

use crate::audit::sender::AuditSender;
use crate::metrics::{Metrics, SessionResult};
use crate::net::listener::Listener;
use crate::net::stream::Socket;
use crate::proxy::Phase;
use crate::proxy::cancel::CancelKeys;
use crate::proxy::worker::{self, Admission, Arrival, Shared, Slot, WorkerHandle};
use crate::reload::Live;

/// Connections beyond `clients_max` that are listened to for a cancel request: when all places are taken by long
/// queries is when one is needed. The others are told that there are too many.
const CANCEL_ONLY_MAX: usize = 64;

/// After a failed accept: most likely there are no file descriptors left, and asking again at once would spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Between two looks at whether the last session has ended.
const DRAIN_POLL: Duration = Duration::from_millis(20);

/// How the end went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Drained {
    /// Sessions that were ended by force.
    pub cut: usize,
}

/// Serves until `phase` says otherwise, then drains. Returns when the last session is over.
///
/// `phase` at [`Phase::Drain`] gives sessions in a transaction `drain_timeout`; at [`Phase::Stop`] none.
pub async fn serve(
    listener: Listener,
    live: Arc<Live>,
    metrics: Arc<Metrics>,
    audit: AuditSender,
    phase: watch::Receiver<Phase>,
) -> io::Result<Drained> {
    let config = Arc::clone(&live.load().config);
    let shared = Shared { live, metrics: Arc::clone(&metrics), audit, cancel_keys: Arc::new(CancelKeys::default()) };
    let (to_workers, from_us) = watch::channel(Phase::Serve);
    let threads = config.listen.threads.or_else(|| std::thread::available_parallelism().ok().map(Into::into));
    let workers = (0..threads.unwrap_or(1).max(1))
        .map(|number| worker::start(number, shared.clone(), from_us.clone()))
        .collect::<io::Result<Vec<_>>>()?;
    let mut house = House { connections: Arc::default(), workers, metrics, live: shared.live };

    house.accept(&listener, phase.clone()).await;
    drop(listener);
    house.drain(&to_workers, phase, config.limits.drain_timeout).await
}

struct House {
    connections: Arc<AtomicUsize>,
    workers: Vec<WorkerHandle>,
    metrics: Arc<Metrics>,
    live: Arc<Live>,
}

impl House {
    async fn accept(&self, listener: &Listener, mut phase: watch::Receiver<Phase>) {
        loop {
            let accepted = tokio::select! {
                biased;
                _ = phase.wait_for(|phase| *phase != Phase::Serve) => return,
                accepted = listener.accept() => accepted,
            };
            match accepted {
                Ok(socket) => self.admit(socket),
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    fn admit(&self, socket: Socket) {
        let clients_max = self.live.load().config.limits.clients_max;
        let connections = self.connections.load(Ordering::Relaxed);
        let admission = if connections < clients_max { Admission::Session } else { Admission::CancelOnly };
        if admission == Admission::CancelOnly {
            self.metrics.limit_reached("clients_max");
            if connections >= clients_max + CANCEL_ONLY_MAX {
                self.metrics.session_opened(SessionResult::Limit);
                return;
            }
        }
        let alive = self.workers.iter().filter(|worker| !worker.arrivals.is_closed());
        let Some(worker) = alive.min_by_key(|worker| worker.connections.load(Ordering::Relaxed)) else {
            tracing::error!("all worker threads have ended before their time");
            return;
        };
        let slot = Slot::new(admission, &self.connections, &worker.connections);
        match Arrival::from_socket(socket) {
            Ok(arrival) => {
                if worker.arrivals.send((arrival, slot)).is_err() {
                    tracing::error!("a worker thread has ended before its time");
                }
            }
            Err(error) => tracing::warn!(%error, "an accepted connection could not be handed over"),
        }
    }

    async fn drain(
        &mut self,
        to_workers: &watch::Sender<Phase>,
        mut phase: watch::Receiver<Phase>,
        timeout: Duration,
    ) -> io::Result<Drained> {
        to_workers.send_replace(Phase::Drain);
        let stopped = async {
            // A sender that is gone says nothing any more: then only the time counts.
            if phase.wait_for(|phase| *phase == Phase::Stop).await.is_err() {
                std::future::pending::<()>().await;
            }
        };
        let cut = tokio::select! {
            () = self.empty() => 0,
            () = stopped => self.connections.load(Ordering::Relaxed),
            () = tokio::time::sleep(timeout) => self.connections.load(Ordering::Relaxed),
        };
        if cut > 0 {
            tracing::warn!(sessions = cut, "sessions are ended by force");
        }
        to_workers.send_replace(Phase::Stop);
        let workers = std::mem::take(&mut self.workers);
        let joined = tokio::task::spawn_blocking(move || {
            workers.into_iter().all(|WorkerHandle { arrivals, thread, .. }| {
                drop(arrivals);
                thread.join().is_ok()
            })
        });
        match joined.await {
            Ok(true) => Ok(Drained { cut }),
            Ok(false) | Err(_) => Err(io::Error::other("a worker thread panicked")),
        }
    }

    async fn empty(&self) {
        while self.connections.load(Ordering::Relaxed) > 0 {
            tokio::time::sleep(DRAIN_POLL).await;
        }
    }
}
