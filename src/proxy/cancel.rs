//! Cancel keys of our own: a client holds one that only Partywall knows; the upstream's never leaves the process.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use dashmap::DashMap;
use dashmap::mapref::entry::Entry;

use crate::upstream::{CancelKey, Target};

/// Bytes of a key's secret in protocol 3.2. A client of 3.0 is told the first four.
pub(crate) const SECRET_BYTES: usize = 32;

/// The keys of the sessions that live, by the process number that their clients were told.
#[derive(Default)]
pub(crate) struct CancelKeys {
    sessions: DashMap<u32, Cancellable>,
}

struct Cancellable {
    secret: Vec<u8>,
    busy: Arc<AtomicBool>,
    target: Arc<Target>,
    key: CancelKey,
}

/// One session's key: gone with the session.
pub(crate) struct CancelRegistration {
    keys: Arc<CancelKeys>,
    process_id: u32,
    busy: Arc<AtomicBool>,
}

impl CancelKeys {
    /// `secret` is as long as the client's protocol wants it. `process_ids` are tried in turn until one is free.
    pub(crate) fn register(
        self: &Arc<Self>,
        process_ids: impl IntoIterator<Item = u32>,
        secret: &[u8],
        target: &Arc<Target>,
        key: CancelKey,
    ) -> Option<CancelRegistration> {
        for process_id in process_ids {
            if let Entry::Vacant(place) = self.sessions.entry(process_id) {
                let busy = Arc::new(AtomicBool::new(false));
                place.insert(Cancellable {
                    secret: secret.to_vec(),
                    busy: Arc::clone(&busy),
                    target: Arc::clone(target),
                    key,
                });
                return Some(CancelRegistration { keys: Arc::clone(self), process_id, busy });
            }
        }
        None
    }

    /// Where to send a client's cancel request; `None` for a wrong key, and where there is nothing to cancel: a late
    /// request would otherwise hit whatever the connection does next.
    pub(crate) fn find(&self, process_id: u32, secret: &[u8]) -> Option<(Arc<Target>, CancelKey)> {
        let found = self.sessions.get(&process_id)?;
        aws_lc_rs::constant_time::verify_slices_are_equal(&found.secret, secret).ok()?;
        found.busy.load(Ordering::Relaxed).then(|| (Arc::clone(&found.target), found.key.clone()))
    }
}

impl CancelRegistration {
    pub(crate) fn process_id(&self) -> u32 {
        self.process_id
    }

    /// Whether the session has something to cancel.
    pub(crate) fn busy(&self) -> &AtomicBool {
        &self.busy
    }
}

impl Drop for CancelRegistration {
    fn drop(&mut self) {
        self.keys.sessions.remove(&self.process_id);
    }
}
