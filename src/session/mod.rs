//! One client's conversation as a state machine: bytes in, bytes and events out; no socket, no clock.

pub mod effect;
pub mod handshake;

use std::sync::Arc;

use bytes::BytesMut;

use crate::guard::{Decision, Protocol};
use crate::session::effect::{Progress, SessionEvent, SessionState};
use crate::tenant::Timestamp;

/// Answers what may be done with a text of SQL. The shell's has a cache in front of `guard::decide`.
pub trait Decider {
    fn decide(&mut self, sql: &str, protocol: Protocol, parameter_types: &[u32]) -> Arc<Decision>;
    /// Changes whenever an earlier decision may no longer hold (policy or catalogue reloaded).
    fn version(&self) -> u64;
}

/// How much one session may hold. See `config::Limits` for the meaning of each.
#[derive(Debug, Clone, Copy)]
pub struct SessionLimits {
    pub statement_bytes_max: usize,
    pub bind_bytes_max: usize,
    pub statements_max: usize,
    pub portals_max: usize,
    pub pipeline_max: usize,
}

/// A conversation after login: between one client and the one upstream connection that serves it.
pub struct Session {
    client_output: BytesMut,
    upstream_output: BytesMut,
}

impl Session {
    /// `nonce_seed` is random and makes the marks of refused statements unguessable.
    pub fn new(_limits: SessionLimits, _nonce_seed: [u8; 16]) -> Self {
        Self { client_output: BytesMut::new(), upstream_output: BytesMut::new() }
    }

    /// Takes bytes that the client sent. What it does not consume (a frame that is not whole yet) comes again, with
    /// more behind it. After an error the session is over: `client_output` holds the last words to the client.
    pub fn handle_client(&mut self, input: &[u8], _decider: &mut dyn Decider, _now: Timestamp) -> Result<Progress, SessionError> {
        Ok(Progress::unchanged(input.len()))
    }

    /// Takes bytes that the upstream sent. Likewise.
    pub fn handle_upstream(&mut self, input: &[u8], _now: Timestamp) -> Result<Progress, SessionError> {
        Ok(Progress::unchanged(input.len()))
    }

    /// The upstream's connection ended. `client_output` then holds a FATAL 08006 for the client.
    pub fn handle_upstream_closed(&mut self, _now: Timestamp) {}

    /// The client's connection ended: records of what was under way are finished.
    pub fn handle_client_closed(&mut self, _now: Timestamp) {}

    /// The process ends or the operator asks: `57P01` for the client, and the records of what was under way.
    pub fn handle_shutdown(&mut self, _now: Timestamp) {}

    /// Bytes for the client, beside those of [`Progress`] that pass unchanged. The shell drains it.
    pub fn client_output(&mut self) -> &mut BytesMut {
        &mut self.client_output
    }

    /// Bytes for the upstream, likewise. Everything in it is guarded.
    pub fn upstream_output(&mut self) -> &mut BytesMut {
        &mut self.upstream_output
    }

    pub fn poll_event(&mut self) -> Option<SessionEvent> {
        None
    }

    pub fn state(&self) -> SessionState {
        SessionState::Idle
    }
}

/// Why a conversation cannot go on. The client has been told in PostgreSQL's words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SessionError {
    /// The client broke the protocol, or a limit.
    Client(&'static str),
    /// The upstream broke the protocol.
    Upstream(&'static str),
    /// The client said Terminate. Not a fault.
    Terminated,
    /// What the upstream did is not what it was asked to do. Closed and counted: a sign of a fault of ours.
    Disagreement(&'static str),
}
