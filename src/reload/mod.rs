//! The rules, logins and targets in force: built whole, then swapped; or the old ones are kept.

mod logins;

use std::sync::Arc;

use arc_swap::ArcSwap;

use crate::audit::tag::PolicyTag;
use crate::config::Config;
use crate::guard::Ruleset;
use crate::net::tls::ServerTls;
use crate::upstream::Target;

pub use crate::reload::logins::LoginTable;

/// Everything that a new session or statement goes by. Never changes: a reload makes another.
pub struct Snapshot {
    /// Counts up with every swap; decisions made under another version may no longer hold.
    pub version: u64,
    /// `None`: the upstream's catalogue has not been read yet. Sessions are refused with 57P03 until it is.
    pub ruleset: Option<Arc<Ruleset>>,
    /// The policy in force, as audit records name it.
    pub policy: PolicyTag,
    pub logins: LoginTable,
    /// The certificate for clients; `None`: plain text only.
    pub listener_tls: Option<Arc<ServerTls>>,
    pub upstream: Arc<Target>,
    pub config: Arc<Config>,
}

/// The snapshot in force, and how the next one is made.
pub struct Live {
    current: ArcSwap<Snapshot>,
}

impl Live {
    /// For tests and tools: a snapshot that nothing renews.
    pub fn fixed(snapshot: Snapshot) -> Self {
        Self { current: ArcSwap::from_pointee(snapshot) }
    }

    pub fn load(&self) -> Arc<Snapshot> {
        self.current.load_full()
    }

    /// Without a copy of the `Arc`: is a decision of this version still good?
    pub fn version(&self) -> u64 {
        self.current.load().version
    }
}
