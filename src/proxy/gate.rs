//! What a session may not send yet: answers whose records are not durable, and changes that are not on record.

use std::collections::VecDeque;
use std::future::Future as _;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::Sleep;

use crate::audit::event::Begin;
use crate::audit::sender::{AuditSender, Place};
use crate::config::Durability;
use crate::proxy::clock::Stopwatch;

/// Bytes of an answer that are held until it has ended. A longer one is recorded as begun, and passes.
pub(crate) const HELD_BYTES_MAX: usize = 65_536;

/// Of one session. Open all the time where the tenant's records need not be durable.
pub(crate) struct Gate {
    durability: Durability,
    place: Place,
    /// The record that has to be durable before anything goes to the client.
    client_seq: u64,
    /// Likewise, to the upstream.
    upstream_seq: u64,
    /// Records of statements' beginnings, by the session's number for them.
    begun: VecDeque<(u64, u64)>,
    /// A record was not taken: nothing may be sent any more.
    broken: bool,
    wait_max: Duration,
    waiting: Option<Waiting>,
    waited: Option<Duration>,
}

struct Waiting {
    seq: u64,
    timer: Pin<Box<Sleep>>,
    since: Stopwatch,
}

/// How a wait for the log ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Gated {
    Open,
    /// As long as it may take, and still not durable.
    TimedOut,
}

impl Gate {
    pub(crate) fn new(audit: &AuditSender, durability: Durability, wait_max: Duration) -> Self {
        Self {
            durability,
            place: audit.place(),
            client_seq: 0,
            upstream_seq: 0,
            begun: VecDeque::new(),
            broken: false,
            wait_max,
            waiting: None,
            waited: None,
        }
    }

    /// Whether records have to be durable at all.
    pub(crate) fn is_strict(&self) -> bool {
        self.durability != Durability::Async
    }

    /// A statement's end, or a refusal, has this number in the log; `None`: it was not taken.
    pub(crate) fn recorded(&mut self, seq: Option<u64>) {
        match seq {
            Some(seq) => self.client_seq = seq,
            None => self.broken = true,
        }
    }

    /// A statement's beginning has.
    pub(crate) fn recorded_begin(&mut self, number: u64, seq: Option<u64>) {
        self.recorded(seq);
        if let Some(seq) = seq {
            self.upstream_seq = seq;
            self.begun.push_back((number, seq));
        }
    }

    /// The record of the beginning that has this number in the session. Earlier ones have had their ends.
    pub(crate) fn begin_of<'a>(&mut self, number: u64, audit: &'a AuditSender) -> Option<Begin<'a>> {
        while self.begun.front().is_some_and(|(first, _)| *first < number) {
            self.begun.pop_front();
        }
        let (_, seq) = self.begun.front().filter(|(first, _)| *first == number)?;
        Some(Begin { log: audit.log(), seq: *seq })
    }

    pub(crate) fn client_is_open(&self) -> bool {
        self.is_open(self.client_seq)
    }

    pub(crate) fn upstream_is_open(&self) -> bool {
        self.is_open(self.upstream_seq)
    }

    fn is_open(&self, seq: u64) -> bool {
        !self.is_strict() || !self.broken && self.place.is_durable(self.durability, seq)
    }

    /// Pending while something has to wait. Not for longer than it may.
    pub(crate) fn poll(&mut self, context: &mut Context<'_>) -> Poll<Gated> {
        if !self.is_strict() {
            return Poll::Ready(Gated::Open);
        }
        if self.broken {
            return Poll::Ready(Gated::TimedOut);
        }
        // There is one place to wait at: what the upstream waits for comes first in the log, too.
        let upstream = self.place.poll_durable(self.durability, self.upstream_seq, context);
        if upstream.is_ready() && self.place.poll_durable(self.durability, self.client_seq, context).is_ready() {
            self.waited = self.waiting.take().map(|waiting| waiting.since.elapsed());
            return Poll::Ready(Gated::Open);
        }
        if self.waiting.as_ref().is_some_and(|waiting| self.place.is_durable(self.durability, waiting.seq)) {
            // More has come meanwhile, but the log moves.
            self.waiting = None;
        }
        let (seq, wait_max) = (self.client_seq, self.wait_max);
        let waiting = self.waiting.get_or_insert_with(|| Waiting {
            seq,
            timer: Box::pin(tokio::time::sleep(wait_max)),
            since: Stopwatch::start(),
        });
        waiting.timer.as_mut().poll(context).map(|()| Gated::TimedOut)
    }

    /// How long a wait took that is over.
    pub(crate) fn take_waited(&mut self) -> Option<Duration> {
        self.waited.take()
    }
}
