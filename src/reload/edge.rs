//! Where the time of day enters.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::tenant::Timestamp;

/// For records and gauges.
#[expect(clippy::disallowed_methods, reason = "the edge: from here on, time is an argument")]
pub fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(u64::try_from(since.as_micros()).unwrap_or(u64::MAX))
}
