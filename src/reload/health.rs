//! What the probes of an orchestrator are told.

use std::sync::{Mutex, PoisonError};

/// Why the process does not serve new sessions, or that it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readiness {
    Ready,
    /// The upstream's schema has not been read yet.
    Starting,
    UpstreamUnreachable,
    /// The upstream is there, and the policy does not fit its schema.
    PolicyMisfit,
    /// Asked to end: no new sessions.
    Draining,
}

impl Readiness {
    /// A stable word for `/ready`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Starting => "starting",
            Self::UpstreamUnreachable => "upstream_unreachable",
            Self::PolicyMisfit => "policy_misfit",
            Self::Draining => "draining",
        }
    }
}

/// The last that was seen. Written by the task that follows the upstream, read by the admin port.
#[derive(Debug, Default)]
pub struct Health {
    seen: Mutex<Seen>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    started: bool,
    upstream_down: bool,
    misfit: bool,
    draining: bool,
}

impl Health {
    pub fn readiness(&self) -> Readiness {
        let seen = *self.lock();
        match seen {
            Seen { draining: true, .. } => Readiness::Draining,
            Seen { upstream_down: true, .. } => Readiness::UpstreamUnreachable,
            Seen { started: false, misfit: true, .. } => Readiness::PolicyMisfit,
            Seen { started: false, .. } => Readiness::Starting,
            Seen { .. } => Readiness::Ready,
        }
    }

    /// There have been rules at least once.
    pub fn is_started(&self) -> bool {
        self.lock().started
    }

    /// From SIGTERM on: `/ready` says no, so that nothing new is sent here.
    pub fn set_draining(&self) {
        self.lock().draining = true;
    }

    pub(super) fn set_started(&self) {
        let mut seen = self.lock();
        seen.started = true;
        seen.misfit = false;
    }

    pub(super) fn set_misfit(&self) {
        self.lock().misfit = true;
    }

    pub(super) fn set_upstream_up(&self) {
        self.lock().upstream_down = false;
    }

    pub(super) fn set_upstream_down(&self) {
        self.lock().upstream_down = true;
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
