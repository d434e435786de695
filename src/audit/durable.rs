//! How far the log is durable, and the sessions that wait for it.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use crate::config::Durability;

/// Why records cannot be made durable now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// The spool has no room left.
    Full,
    /// It cannot be written.
    Failing,
}

#[derive(Default)]
pub(super) struct Watermarks {
    local: AtomicU64,
    remote: AtomicU64,
    trouble: AtomicU8,
    waiting: Mutex<Waiting>,
}

#[derive(Default)]
struct Waiting {
    next: u64,
    places: HashMap<u64, (Durability, u64, Waker)>,
}

impl Watermarks {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place to wait at, for one session.
    pub(super) fn enter(&self) -> u64 {
        let mut waiting = self.waiting();
        waiting.next += 1;
        waiting.next
    }

    pub(super) fn leave(&self, place: u64) {
        self.waiting().places.remove(&place);
    }

    pub(super) fn reached(&self, durability: Durability) -> u64 {
        match durability {
            Durability::Async => u64::MAX,
            Durability::Local => self.local.load(Ordering::Acquire),
            Durability::Remote => self.remote.load(Ordering::Acquire).min(self.local.load(Ordering::Acquire)),
        }
    }

    pub(super) fn poll(&self, place: u64, durability: Durability, seq: u64, context: &mut Context<'_>) -> Poll<()> {
        if self.reached(durability) >= seq {
            return Poll::Ready(());
        }
        let mut waiting = self.waiting();
        waiting.places.insert(place, (durability, seq, context.waker().clone()));
        // It may have been reached before the place was taken; from now on it would be woken.
        if self.reached(durability) >= seq {
            waiting.places.remove(&place);
            return Poll::Ready(());
        }
        Poll::Pending
    }

    pub(super) fn set_local(&self, seq: u64) {
        self.local.fetch_max(seq, Ordering::AcqRel);
        self.wake();
    }

    pub(super) fn set_remote(&self, seq: u64) {
        self.remote.fetch_max(seq, Ordering::AcqRel);
        self.wake();
    }

    fn wake(&self) {
        let mut waiting = self.waiting();
        let ready = |(durability, seq, _): &(Durability, u64, Waker)| self.reached(*durability) >= *seq;
        let woken: Vec<Waker> =
            waiting.places.extract_if(|_, place| ready(place)).map(|(_, (_, _, waker))| waker).collect();
        drop(waiting);
        woken.into_iter().for_each(Waker::wake);
    }

    pub(super) fn set_trouble(&self, trouble: Option<Trouble>) {
        let code = match trouble {
            None => 0,
            Some(Trouble::Full) => 1,
            Some(Trouble::Failing) => 2,
        };
        self.trouble.store(code, Ordering::Release);
    }

    pub(super) fn trouble(&self) -> Option<Trouble> {
        match self.trouble.load(Ordering::Acquire) {
            0 => None,
            1 => Some(Trouble::Full),
            _ => Some(Trouble::Failing),
        }
    }
}
