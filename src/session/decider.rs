//! What a session asks its shell, and how much it may hold.

use std::sync::Arc;

use crate::guard::{Decision, PrivateRelations, Protocol};
use crate::tenant::Identity;

/// Answers what may be done with a text of SQL. The shell's has a cache in front of `guard::decide`.
pub trait Decider {
    fn decide(
        &mut self,
        identity: &Arc<Identity>,
        sql: &str,
        protocol: Protocol,
        parameter_types: &[u32],
        private: &PrivateRelations,
    ) -> Arc<Decision>;
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
    pub temporary_tables_max: usize,
    pub pipeline_max: usize,
}

/// Longest texts that may be under way at once, and that a session may have prepared.
const TEXTS_MAX: usize = 16;

impl SessionLimits {
    pub(crate) fn texts_bytes_max(&self) -> usize {
        self.statement_bytes_max.saturating_mul(TEXTS_MAX)
    }
}
