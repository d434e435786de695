//! The proxy itself: accept clients, let them in, connect them to the upstream, pump bytes through a session, drain.

mod accept;
mod cache;
mod cancel;
mod clock;
mod connection;
mod decider;
mod end;
mod entry;
mod gate;
mod generations;
mod lodging;
mod pump;
mod side;
mod worker;

pub use accept::Drained;
pub use accept::serve;
pub use cache::{DecisionCache, Question, Source};
pub use generations::CacheLimits;

/// How far the end has come. Sent to [`serve`] by who handles signals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    Serve,
    /// Nobody new is let in; each session ends as soon as it is idle.
    Drain,
    /// Sessions end at once.
    Stop,
}
