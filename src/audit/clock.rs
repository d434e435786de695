//! The clock, for the threads of the audit trail.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use crate::tenant::Timestamp;

#[expect(clippy::disallowed_methods, reason = "the writer's thread is the edge")]
pub(super) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(u64::try_from(since.as_micros()).unwrap_or(u64::MAX))
}

#[expect(clippy::disallowed_methods, reason = "the writer's thread is the edge")]
pub(super) fn instant() -> Instant {
    Instant::now()
}
