//! Starts the writer and the sinks of the audit trail, and ends them.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use crate::audit::clock;
use crate::audit::deliver::{self, Delivery};
use crate::audit::disk::Folder;
use crate::audit::event::{Loss, LossCause};
use crate::audit::feed::Feed;
use crate::audit::identifier;
use crate::audit::sender::{AuditSender, Shared};
use crate::audit::sign::Signer;
use crate::audit::spool::{Damage, Spool, SpoolLimits};
use crate::audit::store::Lines;
use crate::audit::writing::{Keeping, Writing};
use crate::config;
use crate::metrics::Metrics;

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
            let signer = open_signer(settings)?;
            return start_spool(settings, spool, signer, origin, metrics)
                .map_err(|error| AuditStartError { path: spool.folder.clone(), error });
        }
        let Some(file) = &settings.file else { return Ok((nothing, AuditSender::discard())) };
        let fail = |error| AuditStartError { path: file.path.clone(), error };
        let store = Lines::open(&file.path).map_err(fail)?;
        let log = identifier::text(&origin.log);
        let shared = Arc::new(Shared::new(settings.queue_bytes_max, log, 0, &origin.instance, metrics));
        let signer = open_signer(settings)?;
        run(Writing::new(&shared, Box::new(store), Keeping::Lines, signer), finished).map_err(fail)?;
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

fn open_signer(settings: &config::Audit) -> Result<Option<Signer>, AuditStartError> {
    let Some(checkpoints) = &settings.checkpoints else { return Ok(None) };
    let fail = |error| AuditStartError { path: checkpoints.key_file.clone(), error };
    Signer::open(checkpoints).map(Some).map_err(fail)
}

fn start_spool(
    settings: &config::Audit,
    spool_settings: &config::Spool,
    signer: Option<Signer>,
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
    run(Writing::new(&shared, Box::new(spool), Keeping::Spool, signer), finished)?;
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
