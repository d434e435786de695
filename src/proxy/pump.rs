//! One session's bytes, both ways in one future: read, judge, write; never more in memory than one side has not taken.

mod records;

use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::{Buf, BytesMut};

use crate::audit::event::SessionTotals;
use crate::audit::tag::SessionTag;
use crate::metrics::SessionCount;
use crate::proxy::Phase;
use crate::proxy::cancel::CancelRegistration;
use crate::proxy::clock;
use crate::proxy::decider::CachedDecider;
use crate::proxy::end::End;
use crate::proxy::gate::{Gate, Gated};
use crate::proxy::lodging::Lodging;
use crate::proxy::side::{Input, Side};
use crate::proxy::worker::Worker;
use crate::reload::Snapshot;
use crate::session::effect::{Output, Progress, SessionState};
use crate::session::first::Recording;
use crate::session::{Session, SessionError};
use crate::tenant::Identity;

/// What waits for a client that does not read, before we stop reading from it as well.
const CLIENT_OUTPUT_BYTES_MAX: usize = 65_536;

/// Fewer bytes are copied behind what goes out anyway, rather than written by a call of their own.
const COPY_BYTES_MAX: usize = 4_096;

/// What one input may have made us write to either side, before the rest of it has to wait.
const INPUT_OUTPUT_BYTES_MAX: usize = 262_144;

/// Who a session is, for the guard, the audit trail and the metrics.
pub(crate) struct Description {
    pub(crate) identity: Arc<Identity>,
    pub(crate) tag: SessionTag,
    pub(crate) count: SessionCount,
    /// `None`: the upstream gave no key.
    pub(crate) cancel: Option<CancelRegistration>,
    pub(crate) lodging: Lodging,
}

pub(crate) struct Pump<'a> {
    pub(crate) worker: &'a Worker,
    pub(crate) snapshot: Arc<Snapshot>,
    pub(crate) session: Session,
    pub(crate) client: Side,
    pub(crate) upstream: Side,
    pub(crate) description: Description,
    pub(crate) totals: SessionTotals,
    pub(crate) gate: Gate,
    client_reads: Reads,
    upstream_writes: Writes,
    state: SessionState,
}

/// Whether the client has more to say.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reads {
    Open,
    /// There is more than could be looked at: what is made of it has to go out first.
    Stalled,
    /// It closed its half. What it asked for before is still answered, as PostgreSQL does.
    Ended,
}

/// Whether the upstream still takes what we write.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Writes {
    Open,
    /// The client has closed its half, so we have closed ours: only answers are to come.
    Closed,
    /// A write failed. Its last words may wait to be read all the same.
    Failed,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Direction {
    FromClient,
    FromUpstream,
}

impl<'a> Pump<'a> {
    pub(crate) fn new(
        worker: &'a Worker,
        snapshot: Arc<Snapshot>,
        mut session: Session,
        client: Side,
        upstream: Side,
        description: Description,
    ) -> Self {
        let audit = &snapshot.config.audit;
        let durability = audit.durability_of(description.identity.tenant.as_ref());
        let gate = Gate::new(&worker.audit, durability, audit.wait_max);
        if gate.is_strict() {
            session.set_recording(Recording::ChangesFirst);
        }
        Self {
            gate,
            worker,
            snapshot,
            session,
            client,
            upstream,
            description,
            totals: SessionTotals::default(),
            client_reads: Reads::Open,
            upstream_writes: Writes::Open,
            state: SessionState::Idle,
        }
    }

    /// Until the session is over.
    pub(crate) async fn run(&mut self) -> End {
        let mut registration = None;
        let mut begun = false;
        std::future::poll_fn(|context| {
            if !begun {
                begun = true;
                registration = Some(self.worker.drain.register(context.waker()));
                if let Err(end) = self.begin(context) {
                    return Poll::Ready(end);
                }
            }
            self.poll(context)
        })
        .await
    }

    /// Bytes may have come with the log-ins.
    fn begin(&mut self, context: &mut Context<'_>) -> Result<(), End> {
        for direction in [Direction::FromUpstream, Direction::FromClient] {
            self.judge_unread(direction, context)?;
        }
        Ok(())
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<End> {
        loop {
            if self.poll_gate(context) == Gated::TimedOut {
                return Poll::Ready(End::AuditUnavailable);
            }
            let upstream_clear = self.drain_upstream(context);
            let client_clear = match self.drain_client(context) {
                Ok(clear) => clear,
                Err(error) => return Poll::Ready(End::ClientLost(error)),
            };
            if let Some(end) = self.ended(upstream_clear && client_clear) {
                return Poll::Ready(end);
            }
            let mut moved = Poll::Pending;
            if upstream_clear {
                match self.poll_client(context) {
                    Poll::Ready(Err(end)) => return Poll::Ready(end),
                    Poll::Ready(Ok(())) => moved = Poll::Ready(()),
                    Poll::Pending => {}
                }
            }
            // Whatever becomes of the other direction: a server that cannot get rid of its answers stops reading.
            if client_clear || self.may_hold_more() {
                match self.poll_read(Direction::FromUpstream, context) {
                    Poll::Ready(Err(end)) => return Poll::Ready(end),
                    Poll::Ready(Ok(())) => moved = Poll::Ready(()),
                    Poll::Pending => {}
                }
            }
            if moved.is_pending() {
                return Poll::Pending;
            }
        }
    }

    /// True when the upstream has taken everything. After a failed write there is nobody to write to: what remains is
    /// dropped, and the end shows when reading.
    fn drain_upstream(&mut self, context: &mut Context<'_>) -> bool {
        if !self.gate.upstream_is_open() {
            return false;
        }
        if self.upstream_writes == Writes::Open {
            match self.upstream.poll_drain(self.session.upstream_output(), context) {
                Poll::Ready(Ok(())) => return true,
                Poll::Pending => return false,
                Poll::Ready(Err(_)) => self.upstream_writes = Writes::Failed,
            }
        }
        self.session.upstream_output().clear();
        true
    }

    /// The client's next input, if there may be one now.
    fn poll_client(&mut self, context: &mut Context<'_>) -> Poll<Result<(), End>> {
        match (self.client_reads, self.upstream_writes) {
            (Reads::Stalled, _) if self.session.client_output().len() <= CLIENT_OUTPUT_BYTES_MAX => {
                self.client_reads = Reads::Open;
                Poll::Ready(self.judge_unread(Direction::FromClient, context))
            }
            // Not with a Terminate: the client may have stopped in the middle of a message, which it would complete.
            (Reads::Ended, Writes::Open) => self.upstream.poll_shutdown(context).map(|_| {
                self.upstream_writes = Writes::Closed;
                Ok(())
            }),
            (Reads::Open, Writes::Open)
                if !self.session.holds_client() && self.session.client_output().len() <= CLIENT_OUTPUT_BYTES_MAX =>
            {
                self.poll_read(Direction::FromClient, context)
            }
            _ => Poll::Pending,
        }
    }

    /// Told to end, and nothing under way that has to be waited for.
    fn ended(&mut self, clear: bool) -> Option<End> {
        let idle = clear && self.state == SessionState::Idle && self.client.unread_bytes() == 0;
        let due = match self.worker.drain.phase() {
            Phase::Serve => false,
            Phase::Drain => idle,
            Phase::Stop => true,
        };
        due.then_some(End::Shutdown)
    }

    fn poll_read(&mut self, direction: Direction, context: &mut Context<'_>) -> Poll<Result<(), End>> {
        let worker = self.worker;
        let mut scratch = worker.scratch.borrow_mut();
        let side = match direction {
            Direction::FromClient => &mut self.client,
            Direction::FromUpstream => &mut self.upstream,
        };
        let input = match side.poll_read(&mut scratch, context) {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(Ok(input)) => input,
            Poll::Ready(Err(error)) if direction == Direction::FromClient => {
                return Poll::Ready(Err(End::ClientLost(error)));
            }
            // A reset is an end as good as any other.
            Poll::Ready(Err(_)) => Input::End,
        };
        Poll::Ready(
            match input {
                Input::End => self.input_ended(direction),
                Input::Scratch(bytes) => self.judge(direction, bytes, context).map(|consumed| {
                    let rest = bytes.get(consumed..).unwrap_or_default();
                    if !rest.is_empty() {
                        self.keep(direction, BytesMut::from(rest));
                    }
                }),
                Input::Own(bytes) => self.judge_own(direction, bytes, context),
            }
            .and_then(|()| match direction {
                // The client's next request may have waited for this answer.
                Direction::FromUpstream if self.client_reads == Reads::Open => {
                    self.judge_unread(Direction::FromClient, context)
                }
                Direction::FromUpstream | Direction::FromClient => Ok(()),
            }),
        )
    }

    fn judge_unread(&mut self, direction: Direction, context: &mut Context<'_>) -> Result<(), End> {
        let bytes = match direction {
            Direction::FromClient => self.client.take_unread(),
            Direction::FromUpstream => self.upstream.take_unread(),
        };
        if bytes.is_empty() { Ok(()) } else { self.judge_own(direction, bytes, context) }
    }

    fn judge_own(&mut self, direction: Direction, mut bytes: BytesMut, context: &mut Context<'_>) -> Result<(), End> {
        let consumed = self.judge(direction, &bytes, context)?;
        bytes.advance(consumed);
        // A buffer that once was large is not kept for the few bytes at its end.
        let rest = if consumed > 0 && bytes.len() <= COPY_BYTES_MAX { BytesMut::from(&*bytes) } else { bytes };
        if !rest.is_empty() {
            self.keep(direction, rest);
        }
        Ok(())
    }

    fn keep(&mut self, direction: Direction, rest: BytesMut) {
        match direction {
            Direction::FromClient => self.client.keep(rest),
            Direction::FromUpstream => self.upstream.keep(rest),
        }
    }

    /// Hands an input to the session, as often as it takes some of it. Returns how much it took.
    fn judge(&mut self, direction: Direction, bytes: &[u8], context: &mut Context<'_>) -> Result<usize, End> {
        if self.snapshot.version != self.worker.live.version() {
            self.snapshot = self.worker.live.load();
        }
        // Whoever is no longer let in gets the answers that are under way, and begins nothing new.
        if direction == Direction::FromClient
            && !(self.snapshot.admits(&self.description.identity, self.session.identity())
                && self.description.lodging.is_of(&self.snapshot, self.session.identity().tenant.as_ref()))
        {
            return Err(End::Shutdown);
        }
        let mut consumed = 0;
        while let Some(rest) = bytes.get(consumed..).filter(|rest| !rest.is_empty()) {
            if direction == Direction::FromClient && self.output_bytes() > INPUT_OUTPUT_BYTES_MAX {
                self.client_reads = Reads::Stalled;
                break;
            }
            let result = match direction {
                Direction::FromClient => self.handle_client(rest),
                Direction::FromUpstream => self.session.handle_upstream(rest, clock::now()),
            };
            self.record();
            let progress = match result {
                Ok(progress) => progress,
                Err(SessionError::Terminated) => return Err(End::Client),
                Err(error) => return Err(End::Fault(error)),
            };
            if progress.consumed == 0 {
                break;
            }
            consumed += progress.consumed;
            let passed = rest.get(..progress.consumed).unwrap_or_default();
            self.pass(direction, progress, passed, consumed == bytes.len(), context)?;
        }
        Ok(consumed)
    }

    fn output_bytes(&mut self) -> usize {
        self.session.upstream_output().len() + self.session.client_output().len()
    }

    fn handle_client(&mut self, bytes: &[u8]) -> Result<Progress, SessionError> {
        let mut cache = self.worker.cache.borrow_mut();
        let mut decider = CachedDecider {
            cache: &mut cache,
            snapshot: &self.snapshot,
            rules: self.description.lodging.rules(&self.snapshot),
            metrics: &self.worker.metrics,
            trouble: if self.gate.is_strict() { self.worker.audit.trouble() } else { None },
        };
        self.session.handle_client(bytes, &mut decider, clock::now())
    }

    /// Sends on what the session lets pass as it stands: straight from where it was read to, if nothing is before it.
    fn pass(
        &mut self,
        direction: Direction,
        progress: Progress,
        bytes: &[u8],
        last: bool,
        context: &mut Context<'_>,
    ) -> Result<(), End> {
        if progress.output == Output::Buffered {
            return Ok(());
        }
        let open = match direction {
            Direction::FromClient => self.gate.upstream_is_open(),
            Direction::FromUpstream => self.client_is_open(),
        };
        let (side, output) = match direction {
            Direction::FromClient => (&mut self.upstream, self.session.upstream_output()),
            Direction::FromUpstream => (&mut self.client, self.session.client_output()),
        };
        if !open || !output.is_empty() || (!last && bytes.len() <= COPY_BYTES_MAX) {
            output.extend_from_slice(bytes);
            return Ok(());
        }
        match (side.write_through(bytes, output, context), direction) {
            (Ok(()), _) => Ok(()),
            (Err(error), Direction::FromUpstream) => Err(End::ClientLost(error)),
            (Err(_), Direction::FromClient) => {
                self.upstream_writes = Writes::Failed;
                Ok(())
            }
        }
    }

    fn input_ended(&mut self, direction: Direction) -> Result<(), End> {
        match direction {
            Direction::FromUpstream if self.client_reads == Reads::Ended => Err(End::Client),
            Direction::FromUpstream => Err(End::UpstreamClosed),
            Direction::FromClient => self.client_left(),
        }
    }

    /// What the client has asked for before is answered as if it were still there: the upstream hears that no more will
    /// come, and ends when it has come so far.
    fn client_left(&mut self) -> Result<(), End> {
        if self.session.state() == SessionState::Idle || self.upstream_writes == Writes::Failed {
            return Err(End::Client);
        }
        self.client_reads = Reads::Ended;
        Ok(())
    }
}
