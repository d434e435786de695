//! A bounded store that forgets what nobody has asked for lately.

use std::collections::HashMap;

/// What an entry takes, roughly, of the memory that is allowed.
pub(crate) trait Weighed {
    fn bytes(&self) -> usize;
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CacheLimits {
    pub entries_max: usize,
    pub bytes_max: usize,
}

/// Two generations: the young one takes what is new or asked for again; when it is full, it becomes the old one, and
/// what nobody has asked for since the last change goes. Each holds at most half of what is allowed.
#[derive(Debug)]
pub(crate) struct Generations<E> {
    young: Generation<E>,
    old: Generation<E>,
    limits: CacheLimits,
}

#[derive(Debug)]
struct Generation<E> {
    entries: HashMap<u64, E>,
    bytes: usize,
}

impl<E> Default for Generation<E> {
    fn default() -> Self {
        Self { entries: HashMap::new(), bytes: 0 }
    }
}

impl<E: Weighed> Generations<E> {
    pub(crate) fn new(limits: CacheLimits) -> Self {
        Self { young: Generation::default(), old: Generation::default(), limits }
    }

    pub(crate) fn entries(&self) -> usize {
        self.young.entries.len() + self.old.entries.len()
    }

    pub(crate) fn bytes(&self) -> usize {
        self.young.bytes + self.old.bytes
    }

    pub(crate) fn clear(&mut self) {
        self.young = Generation::default();
        self.old = Generation::default();
    }

    /// The entry under a hash if it is the one that is meant. Asked for, it is young again.
    pub(crate) fn get(&mut self, hash: u64, is_meant: impl Fn(&E) -> bool) -> Option<&E> {
        if !self.young.entries.contains_key(&hash) {
            if !is_meant(self.old.entries.get(&hash)?) {
                return None;
            }
            let entry = self.old.take(hash)?;
            self.add(hash, entry);
        }
        self.young.entries.get(&hash).filter(|entry| is_meant(entry))
    }

    /// In the place of whatever is under the hash. One giant must not push everything else out: it is not kept.
    pub(crate) fn put(&mut self, hash: u64, entry: E) {
        self.take(hash);
        if entry.bytes() <= self.limits.bytes_max / 8 {
            self.add(hash, entry);
        }
    }

    pub(crate) fn take(&mut self, hash: u64) -> Option<E> {
        self.young.take(hash).or_else(|| self.old.take(hash))
    }

    fn add(&mut self, hash: u64, entry: E) {
        let full = self.young.entries.len() >= self.limits.entries_max / 2
            || self.young.bytes + entry.bytes() > self.limits.bytes_max / 2;
        if full {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.put(hash, entry);
    }
}

impl<E: Weighed> Generation<E> {
    fn put(&mut self, hash: u64, entry: E) {
        self.bytes += entry.bytes();
        if let Some(replaced) = self.entries.insert(hash, entry) {
            self.bytes -= replaced.bytes();
        }
    }

    fn take(&mut self, hash: u64) -> Option<E> {
        let entry = self.entries.remove(&hash)?;
        self.bytes -= entry.bytes();
        Some(entry)
    }
}
