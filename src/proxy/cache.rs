//! Decisions that a worker thread has made already, by the exact text: bounded, and forgotten when the rules change.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use crate::guard::{Decision, Protocol};
use crate::tenant::Identity;

/// What a decision depends on, beside the rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Question<'a> {
    pub identity: &'a Identity,
    pub sql: &'a str,
    pub protocol: Protocol,
    pub parameter_types: &'a [u32],
}

/// Two generations: the young one takes what is new or asked for again; when it is full, it becomes the old one, and
/// what nobody has asked for since the last change goes. Each holds at most half of what is allowed.
///
/// The key is a keyed hash, so that no client can aim at a collision; whoever has the hash must have the same bytes, or
/// it is another question.
#[derive(Debug)]
pub struct DecisionCache {
    hasher: RandomState,
    version: u64,
    young: Generation,
    old: Generation,
    limits: CacheLimits,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CacheLimits {
    pub entries_max: usize,
    pub bytes_max: usize,
}

#[derive(Debug, Default)]
struct Generation {
    entries: HashMap<u64, Entry>,
    bytes: usize,
}

#[derive(Debug)]
struct Entry {
    identity: Arc<Identity>,
    sql: Box<str>,
    protocol: Protocol,
    parameter_types: Box<[u32]>,
    decision: Arc<Decision>,
}

impl Entry {
    fn answers(&self, question: &Question<'_>) -> bool {
        *self.sql == *question.sql
            && self.protocol == question.protocol
            && *self.parameter_types == *question.parameter_types
            && *self.identity == *question.identity
    }

    /// The text three times over (as asked, as sent upstream, normalised), and something for facts and tables.
    fn bytes(&self) -> usize {
        const OVERHEAD_BYTES: usize = 1024;
        self.sql.len() * 3 + self.parameter_types.len() * 4 + OVERHEAD_BYTES
    }
}

impl DecisionCache {
    pub fn new(limits: CacheLimits) -> Self {
        Self {
            hasher: RandomState::new(),
            version: 0,
            young: Generation::default(),
            old: Generation::default(),
            limits,
        }
    }

    /// Forgets everything that was decided under another version of the rules. Returns how many entries went.
    pub fn set_version(&mut self, version: u64) -> usize {
        if version == self.version {
            return 0;
        }
        self.version = version;
        let before = self.entries();
        self.young = Generation::default();
        self.old = Generation::default();
        before
    }

    pub fn entries(&self) -> usize {
        self.young.entries.len() + self.old.entries.len()
    }

    pub fn get(&mut self, question: &Question<'_>) -> Option<Arc<Decision>> {
        let hash = self.hasher.hash_one(question);
        if let Some(entry) = self.young.entries.get(&hash) {
            return entry.answers(question).then(|| Arc::clone(&entry.decision));
        }
        if !self.old.entries.get(&hash)?.answers(question) {
            return None;
        }
        let entry = self.old.take(hash)?;
        let decision = Arc::clone(&entry.decision);
        self.add(hash, entry);
        Some(decision)
    }

    /// `identity` is the question's, shared.
    pub fn put(&mut self, question: &Question<'_>, identity: &Arc<Identity>, decision: &Arc<Decision>) {
        let entry = Entry {
            identity: Arc::clone(identity),
            sql: question.sql.into(),
            protocol: question.protocol,
            parameter_types: question.parameter_types.into(),
            decision: Arc::clone(decision),
        };
        // One giant must not push everything else out.
        if entry.bytes() <= self.limits.bytes_max / 16 {
            let hash = self.hasher.hash_one(question);
            self.old.take(hash);
            self.add(hash, entry);
        }
    }

    fn add(&mut self, hash: u64, entry: Entry) {
        let full = self.young.entries.len() >= self.limits.entries_max / 2
            || self.young.bytes + entry.bytes() > self.limits.bytes_max / 2;
        if full {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.put(hash, entry);
    }
}

impl Generation {
    fn put(&mut self, hash: u64, entry: Entry) {
        self.bytes += entry.bytes();
        if let Some(replaced) = self.entries.insert(hash, entry) {
            self.bytes -= replaced.bytes();
        }
    }

    fn take(&mut self, hash: u64) -> Option<Entry> {
        let entry = self.entries.remove(&hash)?;
        self.bytes -= entry.bytes();
        Some(entry)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guard::{Code, Facts, Rejection};
    use crate::tenant::{LoginName, TenantId};

    fn identity(tenant: &str) -> Arc<Identity> {
        Arc::new(Identity { login: LoginName::parse("app").unwrap(), tenant: Some(TenantId::parse(tenant).unwrap()) })
    }

    fn question<'a>(identity: &'a Identity, sql: &'a str) -> Question<'a> {
        Question { identity, sql, protocol: Protocol::Simple, parameter_types: &[] }
    }

    fn refusal(message: &str) -> Arc<Decision> {
        let rejection = Rejection::new(Code::NotParsed, message.to_owned());
        Arc::new(Decision::Reject { rejection, facts: Facts::default() })
    }

    #[test]
    fn only_the_very_same_question_is_answered() {
        let mut cache = DecisionCache::new(CacheLimits { entries_max: 10, bytes_max: 1 << 20 });
        let (acme, globex) = (identity("acme"), identity("globex"));
        let asked = question(&acme, "select 1");
        cache.set_version(1);
        cache.put(&asked, &acme, &refusal("no"));
        assert!(cache.get(&asked).is_some());
        assert!(cache.get(&question(&globex, "select 1")).is_none());
        assert!(cache.get(&question(&acme, "select  1")).is_none());
        assert!(cache.get(&Question { protocol: Protocol::Extended, ..asked }).is_none());
        assert!(cache.get(&Question { parameter_types: &[25], ..asked }).is_none());
        assert_eq!(cache.set_version(2), 1);
        assert!(cache.get(&asked).is_none());
    }

    #[test]
    fn entries_and_bytes_stay_within_their_limits_and_what_is_used_stays() {
        let limits = CacheLimits { entries_max: 100, bytes_max: 200_000 };
        let mut cache = DecisionCache::new(limits);
        let acme = identity("acme");
        let favourite = question(&acme, "select 'favourite'");
        cache.put(&favourite, &acme, &refusal("no"));
        for number in 0..10_000 {
            let sql = format!("select {number} {}", "x".repeat(number % 700));
            cache.put(&question(&acme, &sql), &acme, &refusal("no"));
            assert!(cache.entries() <= limits.entries_max);
            assert!(cache.young.bytes + cache.old.bytes <= limits.bytes_max);
            assert!(cache.get(&favourite).is_some(), "{number}");
        }
        let giant = "x".repeat(limits.bytes_max / 16);
        cache.put(&question(&acme, &giant), &acme, &refusal("no"));
        assert!(cache.get(&question(&acme, &giant)).is_none());
    }
}
