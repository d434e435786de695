//! The requests that the upstream has not answered yet, in their order. Its answers come in the same.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::guard::{Decision, Hold, Naming, ParameterCheck, Protocol, StatementFacts};
use crate::session::acting::Turn;
use crate::session::effect::Meant;
use crate::session::first::Change;
use crate::session::names::Name;
use crate::session::naming::Effect;
use crate::session::refusal::Poison;
use crate::tenant::{Identity, Timestamp};

/// A statement that the client has prepared, or a cursor that it has declared, or is about to.
#[derive(Debug)]
pub(crate) struct Prepared {
    /// The client's text and declared parameter types: what is decided again when the policy or the tenant changes.
    pub(crate) sql: Box<str>,
    pub(crate) protocol: Protocol,
    pub(crate) parameter_types: Box<[u32]>,
    pub(crate) decision: Arc<Decision>,
    pub(crate) basis: Basis,
    pub(crate) made: Made,
    /// Which statement of the text it is.
    pub(crate) statement: usize,
}

/// What a decision was made under, beside the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Basis {
    /// Of the policy.
    pub(crate) version: u64,
    pub(crate) identity: Arc<Identity>,
}

/// What made a name: it tells what the text beside it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Made {
    /// A Parse message: its text is the statement.
    Parse,
    /// SQL: the text holds a PREPARE.
    Prepare,
    /// Likewise, a DECLARE.
    Declare,
}

impl Prepared {
    pub(crate) fn facts(&self) -> Option<&StatementFacts> {
        self.decision.facts().statements.get(self.statement)
    }

    /// A query or a change of rows, with nothing that the session would have to follow while it runs.
    pub(crate) fn is_plain(&self) -> bool {
        match self.made {
            Made::Parse => self.facts().is_some_and(StatementFacts::is_plain),
            Made::Prepare | Made::Declare => true,
        }
    }

    /// Values that the parameters must have, where a Bind gives them.
    pub(crate) fn parameter_checks(&self) -> &[ParameterCheck] {
        match &*self.decision {
            Decision::Forward(forward) => match self.facts().map(|facts| &facts.naming) {
                Some(Naming::Prepares { checks, .. }) if self.made == Made::Prepare => checks,
                _ => &forward.parameter_checks,
            },
            Decision::Reject { .. } => &[],
        }
    }

    pub(crate) fn meant(&self) -> Meant {
        Meant { decision: Arc::clone(&self.decision), statement: self.statement }
    }

    /// A cursor WITH HOLD outlives its transaction. A pool must not lend the connection to another client before it is
    /// closed.
    pub(crate) fn is_held(&self) -> bool {
        let naming = self.facts().map(|facts| &facts.naming);
        self.made == Made::Declare && matches!(naming, Some(Naming::Declares { hold: Hold::With, .. }))
    }
}

#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) kind: Kind,
    /// Set where something that must fail was sent in the request's place.
    pub(crate) poison: Option<Box<Poison>>,
    pub(crate) started: Timestamp,
    /// Bytes of SQL text that it keeps alive.
    text_bytes: usize,
    /// What its statements make of names, in their order.
    pub(crate) effects: Vec<Effect>,
    pub(crate) fate: Fate,
    /// What it changes, where that has to be recorded before it is committed.
    pub(crate) change: Option<Box<Change>>,
    /// The number under which it was recorded as begun.
    pub(crate) begin: Option<u64>,
    commits: bool,
    pub(crate) turn: Turn,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    UnderWay,
    /// It has failed, and ReadyForQuery is still to come.
    Failed,
}

#[derive(Debug)]
pub(crate) enum Kind {
    Query {
        /// `None`: a refused one.
        text: Option<Text>,
        /// Whether there may be an unnamed portal, which it drops.
        drops_portal: bool,
    },
    Parse {
        statement: Name,
    },
    Bind {
        portal: Name,
        statement: Name,
    },
    DescribeStatement,
    DescribePortal,
    Execute {
        portal: Name,
    },
    CloseStatement {
        statement: Name,
    },
    /// A Parse of our own, of what the client has prepared before: its answer is not the client's.
    ParseAgain {
        statement: Name,
    },
    /// A Close of our own: likewise.
    DropStatement {
        statement: Name,
    },
    ClosePortal {
        portal: Name,
    },
    Sync,
}

/// What a Query message asked for.
#[derive(Debug)]
pub(crate) struct Text {
    pub(crate) decision: Arc<Decision>,
    pub(crate) bytes: usize,
}

impl Kind {
    /// An error in Query (and the answer to Sync) ends at ReadyForQuery; any other makes the server skip to a Sync.
    pub(crate) fn ends_with_ready(&self) -> bool {
        matches!(self, Self::Query { .. } | Self::Sync)
    }
}

#[derive(Default)]
pub(crate) struct Requests {
    queue: VecDeque<Request>,
    /// Bytes of SQL text that the queue keeps alive.
    text_bytes: usize,
    /// How many may end the transaction block.
    commits: usize,
}

impl Requests {
    pub(crate) fn len(&self) -> usize {
        self.queue.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    pub(crate) fn text_bytes(&self) -> usize {
        self.text_bytes
    }

    pub(crate) fn push(&mut self, kind: Kind, poison: Option<Poison>, started: Timestamp) {
        self.push_text(kind, poison, started, 0);
    }

    /// A request that brings `text_bytes` of SQL with it.
    pub(crate) fn push_text(&mut self, kind: Kind, poison: Option<Poison>, started: Timestamp, text_bytes: usize) {
        self.text_bytes = self.text_bytes.saturating_add(text_bytes);
        self.queue.push_back(Request {
            kind,
            poison: poison.map(Box::new),
            started,
            text_bytes,
            effects: Vec::new(),
            fate: Fate::UnderWay,
            change: None,
            begin: None,
            commits: false,
            turn: Turn::Nothing,
        });
    }

    /// The request that was pushed last may do this to the tenant.
    pub(crate) fn turn(&mut self, turn: Turn) {
        if let Some(last) = self.queue.back_mut() {
            last.turn = turn;
        }
    }

    /// The request that was pushed last does this to names.
    pub(crate) fn attach(&mut self, effects: Vec<Effect>) {
        if let Some(last) = self.queue.back_mut() {
            last.effects = effects;
        }
    }

    /// The request that was pushed last changes this.
    pub(crate) fn attach_change(&mut self, change: Change) {
        if let Some(last) = self.queue.back_mut() {
            last.change = Some(Box::new(change));
        }
    }

    /// The request that was pushed last may end the transaction block.
    pub(crate) fn attach_commit(&mut self) {
        if let Some(last) = self.queue.back_mut().filter(|last| !last.commits) {
            last.commits = true;
            self.commits += 1;
        }
    }

    /// How many requests under way may end the transaction block.
    pub(crate) fn commits_under_way(&self) -> usize {
        self.commits
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Request> {
        self.queue.iter_mut()
    }

    pub(crate) fn head_mut(&mut self) -> Option<&mut Request> {
        self.queue.front_mut()
    }

    /// The effects of a statement of the request that the server is at, which has succeeded.
    pub(crate) fn take_effects(&mut self, statement: usize) -> Vec<Effect> {
        let Some(head) = self.queue.front_mut() else { return Vec::new() };
        let (done, left) = head.effects.drain(..).partition(|effect| effect.statement == statement);
        head.effects = left;
        done
    }

    /// The request that the server is at.
    pub(crate) fn head(&self) -> Option<&Request> {
        self.queue.front()
    }

    /// The request that the server is at has failed.
    pub(crate) fn fail_head(&mut self) {
        if let Some(head) = self.queue.front_mut() {
            head.fate = Fate::Failed;
        }
    }

    pub(crate) fn pop(&mut self) -> Option<Request> {
        let request = self.queue.pop_front()?;
        self.text_bytes = self.text_bytes.saturating_sub(request.text_bytes);
        self.commits = self.commits.saturating_sub(usize::from(request.commits));
        Some(request)
    }
}
