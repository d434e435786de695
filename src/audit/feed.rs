//! What of the spool is durable, where it lies, and how far each sink has taken it.

use std::collections::BTreeMap;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// A place in the spool. A log's numbers go on from segment to segment; another log begins in a later segment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Position {
    pub(super) segment: u64,
    /// The last record that is done with.
    pub(super) seq: u64,
}

/// The durable part of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Extent {
    pub(super) log: [u8; 16],
    pub(super) first_seq: u64,
    /// Where frames begin.
    pub(super) begin: u64,
    /// Where what is durable ends.
    pub(super) end: u64,
}

#[derive(Default)]
pub(super) struct Feed {
    state: Mutex<State>,
    grown: Condvar,
}

#[derive(Default)]
struct State {
    segments: BTreeMap<u64, Extent>,
    /// The last record that is durable.
    last: Position,
    /// By the sink's number.
    sinks: Vec<Position>,
    closed: bool,
}

/// Bytes of a segment for a sink to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Piece {
    pub(super) segment: u64,
    pub(super) log: [u8; 16],
    pub(super) begin: u64,
    pub(super) end: u64,
    /// No record from here on is this segment's: the next one has it.
    pub(super) seq_end: u64,
}

/// What there is for a sink to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    Piece(Piece),
    /// Nothing new within the time that it would wait.
    Nothing,
    /// The spool is closed and everything has been taken.
    Done,
}

impl Feed {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A sink that is done with everything up to here. Its number.
    pub(super) fn register(&self, position: Position) -> usize {
        let mut state = self.state();
        state.sinks.push(position);
        state.sinks.len() - 1
    }

    /// A segment is there, or more of it is durable.
    pub(super) fn publish(&self, number: u64, extent: Extent, last_seq: u64) {
        let mut state = self.state();
        state.segments.insert(number, extent);
        state.last = Position { segment: number, seq: last_seq };
        drop(state);
        self.grown.notify_all();
    }

    /// Nothing more will come.
    pub(super) fn close(&self) {
        self.state().closed = true;
        self.grown.notify_all();
    }

    /// Whether it is closed before so much time has passed.
    pub(super) fn closed_within(&self, patience: Duration) -> bool {
        let waits = |state: &mut State| !state.closed;
        let waited = self.grown.wait_timeout_while(self.state(), patience, waits);
        waited.unwrap_or_else(PoisonError::into_inner).0.closed
    }

    pub(super) fn bytes(&self) -> u64 {
        self.state().segments.values().map(|extent| extent.end).sum()
    }

    /// What lies behind this place of a segment; waits for at most `patience` until there is something.
    pub(super) fn next(&self, segment: u64, offset: u64, patience: Duration) -> Next {
        let state = self.state();
        let waits = |state: &mut State| state.piece(segment, offset).is_none() && !state.closed;
        let (state, _) = self.grown.wait_timeout_while(state, patience, waits).unwrap_or_else(PoisonError::into_inner);
        match state.piece(segment, offset) {
            Some(piece) => Next::Piece(piece),
            None if state.closed => Next::Done,
            None => Next::Nothing,
        }
    }

    /// A sink has everything up to here.
    pub(super) fn acknowledged(&self, sink: usize, position: Position) {
        if let Some(at) = self.state().sinks.get_mut(sink) {
            *at = position.max(*at);
        }
    }

    /// The last record of the log that all sinks have; `None` without a sink.
    pub(super) fn taken_by_all(&self, log: [u8; 16]) -> Option<u64> {
        let state = self.state();
        let position = state.sinks.iter().min()?;
        let is_of_log = state.segments.get(&position.segment).is_some_and(|extent| extent.log == log);
        Some(if is_of_log { position.seq } else { 0 })
    }

    /// Takes out the segments that nobody needs any more: every sink is past them, and they are not the last.
    pub(super) fn take_done(&self) -> Vec<u64> {
        let mut state = self.state();
        let Some(done) = state.sinks.iter().min().copied() else { return Vec::new() };
        let mut numbers: Vec<u64> = state.segments.range(..done.segment).map(|(number, _)| *number).collect();
        let at_done = state.segments.get(&done.segment).copied();
        let next = state.segments.range(done.segment + 1..).next().map(|(_, extent)| *extent);
        if let (Some(extent), Some(next)) = (at_done, next)
            && next.log == extent.log
            && done.seq + 1 >= next.first_seq
        {
            numbers.push(done.segment);
        }
        for number in &numbers {
            state.segments.remove(number);
        }
        numbers
    }

    /// How far the sink is behind, in records, where that can be told.
    pub(super) fn lag(&self, sink: usize) -> u64 {
        let state = self.state();
        state.sinks.get(sink).map_or(0, |position| state.last.seq.saturating_sub(position.seq))
    }
}

impl State {
    fn piece(&self, segment: u64, offset: u64) -> Option<Piece> {
        let mut segments = self.segments.range(segment..).peekable();
        while let Some((&number, extent)) = segments.next() {
            let begin = if number == segment { offset.max(extent.begin) } else { extent.begin };
            if begin < extent.end {
                let next = segments.peek().map(|(_, next)| **next).filter(|next| next.log == extent.log);
                let seq_end = next.map_or(u64::MAX, |next| next.first_seq);
                return Some(Piece { segment: number, log: extent.log, begin, end: extent.end, seq_end });
            }
        }
        None
    }
}
