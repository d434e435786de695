//! Which part of an input goes on as it stands, and which part is replaced or dropped.

use std::marker::PhantomData;

use crate::session::effect::{Output, Progress};
use crate::wire::frame::Frontend;

/// A walk over one input. `K` is the proof that each byte needs to pass.
pub(crate) struct Pass<'a, K> {
    input: &'a [u8],
    /// Up to here everything is in the output buffer, or dropped.
    flushed: usize,
    /// Up to here everything is decided.
    done: usize,
    proof: PhantomData<K>,
}

/// Bytes that pass as they stand, each of which had its proof.
pub(crate) struct Passed<'a, K>(&'a [u8], PhantomData<K>);

/// Holds for a message that carries no SQL: what a client says in Query, Parse or FunctionCall never passes.
#[derive(Clone, Copy)]
pub(crate) struct SqlFree(());

/// Holds for what a server sends.
#[derive(Clone, Copy)]
pub(crate) struct FromUpstream;

impl SqlFree {
    pub(crate) fn of(kind: Frontend) -> Option<Self> {
        match kind {
            Frontend::Query | Frontend::Parse | Frontend::FunctionCall => None,
            Frontend::Bind
            | Frontend::Describe
            | Frontend::Close
            | Frontend::Execute
            | Frontend::Sync
            | Frontend::Flush
            | Frontend::CopyData
            | Frontend::CopyDone
            | Frontend::CopyFail
            | Frontend::Terminate => Some(Self(())),
        }
    }
}

impl<'a, K> Passed<'a, K> {
    pub(crate) fn bytes(&self) -> &'a [u8] {
        self.0
    }
}

impl<'a, K> Pass<'a, K> {
    pub(crate) fn new(input: &'a [u8]) -> Self {
        Self { input, flushed: 0, done: 0, proof: PhantomData }
    }

    /// What is not decided yet.
    pub(crate) fn rest(&self) -> &'a [u8] {
        self.input.get(self.done..).unwrap_or_default()
    }

    /// The next `count` bytes pass.
    pub(crate) fn keep(&mut self, _proof: K, count: usize) {
        self.done = self.done.saturating_add(count).min(self.input.len());
    }

    /// The next `count` bytes do not pass. Returns those before them that do and are not in the output buffer yet: they
    /// go there before anything that takes the place of the dropped ones.
    #[must_use]
    pub(crate) fn drop_next(&mut self, count: usize) -> Passed<'a, K> {
        let passed = self.passed();
        self.done = self.done.saturating_add(count).min(self.input.len());
        self.flushed = self.done;
        passed
    }

    /// How far the walk came, and the bytes that go into the output buffer now, unless all of it passes.
    pub(crate) fn finish(self, nothing_buffered_on_the_way: bool) -> (Progress, Option<Passed<'a, K>>) {
        if self.flushed == 0 && nothing_buffered_on_the_way {
            return (Progress { consumed: self.done, output: Output::Unchanged }, None);
        }
        let passed = self.passed();
        (Progress { consumed: self.done, output: Output::Buffered }, Some(passed))
    }

    fn passed(&self) -> Passed<'a, K> {
        Passed(self.input.get(self.flushed..self.done).unwrap_or_default(), PhantomData)
    }
}
