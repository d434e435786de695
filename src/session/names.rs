//! Names of statements and portals: what they mean at the server now, and what they will when it has caught up.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

/// PostgreSQL keeps prepared statements and portals in tables whose keys are cut to `NAMEDATALEN`: longer names that
/// begin alike are the same name.
const NAME_BYTES_MAX: usize = 63;

/// The name of a statement or portal; the empty one is the unnamed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(crate) struct Name(Box<[u8]>);

impl Name {
    pub(crate) fn new(bytes: &[u8]) -> Self {
        Self(bytes.get(..NAME_BYTES_MAX).unwrap_or(bytes).into())
    }

    pub(crate) fn is_unnamed(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

/// What a name means to a request that is sent now.
pub(crate) enum Meaning<T> {
    /// This, if anything: otherwise the server says that there is no such thing.
    Known(Arc<T>),
    /// Nothing that the client has made.
    Absent,
    /// One of several things: it depends on answers that have not come yet.
    Unsettled,
}

/// Names of one kind, in one session.
pub(crate) struct Names<T> {
    entries: HashMap<Name, Entry<T>>,
}

struct Entry<T> {
    /// What the server holds, as far as it has answered.
    held: Option<Arc<T>>,
    /// What requests under way will make of it if they succeed, in their order.
    pending: VecDeque<Pending<T>>,
}

struct Pending<T> {
    /// Requests between two Syncs are a group: if one fails, the rest of them is skipped.
    group: u64,
    /// `None`: nothing, the name is dropped.
    becomes: Option<Arc<T>>,
}

impl<T> Entry<T> {
    fn places(&self) -> impl Iterator<Item = &Arc<T>> {
        self.held.iter().chain(self.pending.iter().filter_map(|pending| pending.becomes.as_ref()))
    }
}

impl<T> Default for Names<T> {
    fn default() -> Self {
        Self { entries: HashMap::new() }
    }
}

impl<T> Names<T> {
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(crate) fn contains(&self, name: &Name) -> bool {
        self.entries.contains_key(name)
    }

    /// What the name means to a request of `group`.
    pub(crate) fn meaning(&self, name: &Name, group: u64) -> Meaning<T> {
        let Some(entry) = self.entries.get(name) else { return Meaning::Absent };
        // A request of the same group ran only if all before it in the group succeeded.
        if let Some(last) = entry.pending.back().filter(|pending| pending.group == group) {
            return last.becomes.as_ref().map_or(Meaning::Absent, |becomes| Meaning::Known(Arc::clone(becomes)));
        }
        let mut candidates = entry.places();
        match (candidates.next(), candidates.next()) {
            (Some(only), None) => Meaning::Known(Arc::clone(only)),
            (Some(_), Some(_)) => Meaning::Unsettled,
            (None, _) => Meaning::Absent,
        }
    }

    /// Whether a request of an earlier group is under way that may fail, and leave the name as it was.
    pub(crate) fn is_unsettled(&self, name: &Name, group: u64) -> bool {
        let last = self.entries.get(name).and_then(|entry| entry.pending.back());
        last.is_some_and(|pending| pending.group != group)
    }

    /// What the server holds under the name.
    pub(crate) fn held(&self, name: &Name) -> Option<&Arc<T>> {
        self.entries.get(name)?.held.as_ref()
    }

    /// What the request that is answered next will make of the name.
    pub(crate) fn oldest_pending(&self, name: &Name) -> Option<&Arc<T>> {
        self.entries.get(name)?.pending.front()?.becomes.as_ref()
    }

    /// All that is held or to be held.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Arc<T>> {
        self.entries.values().flat_map(Entry::places)
    }

    /// A request under way will give the name a new meaning.
    pub(crate) fn expect(&mut self, name: &Name, group: u64, becomes: Arc<T>) {
        let entry = self.entries.entry(name.clone()).or_insert_with(|| Entry { held: None, pending: VecDeque::new() });
        entry.pending.push_back(Pending { group, becomes: Some(becomes) });
    }

    /// A request under way will drop the name. False where there is nothing to drop.
    pub(crate) fn expect_drop(&mut self, name: &Name, group: u64) -> bool {
        let Some(entry) = self.entries.get_mut(name) else { return false };
        entry.pending.push_back(Pending { group, becomes: None });
        true
    }

    /// The oldest of those requests succeeded.
    pub(crate) fn succeed(&mut self, name: &Name) {
        if let Some(entry) = self.entries.get_mut(name)
            && let Some(pending) = entry.pending.pop_front()
        {
            entry.held = pending.becomes;
        }
        self.tidy(name);
    }

    /// The oldest of those requests failed, or was skipped.
    pub(crate) fn fail(&mut self, name: &Name) {
        if let Some(entry) = self.entries.get_mut(name) {
            entry.pending.pop_front();
        }
        self.tidy(name);
    }

    /// The server has dropped it.
    pub(crate) fn forget(&mut self, name: &Name) {
        if let Some(entry) = self.entries.get_mut(name) {
            entry.held = None;
        }
        self.tidy(name);
    }

    /// The server has dropped all that it held, but for some.
    pub(crate) fn forget_all_but(&mut self, stays: impl Fn(&Name, &T) -> bool) {
        self.entries.retain(|name, entry| {
            entry.held.take_if(|held| !stays(name, held));
            entry.held.is_some() || !entry.pending.is_empty()
        });
    }

    pub(crate) fn forget_all(&mut self) {
        self.forget_all_but(|_, _| false);
    }

    /// Puts `new` wherever `old` stands.
    pub(crate) fn replace(&mut self, name: &Name, old: &Arc<T>, new: &Arc<T>) {
        let Some(entry) = self.entries.get_mut(name) else { return };
        let places =
            entry.held.iter_mut().chain(entry.pending.iter_mut().filter_map(|pending| pending.becomes.as_mut()));
        places.filter(|place| Arc::ptr_eq(place, old)).for_each(|place| *place = Arc::clone(new));
    }

    fn tidy(&mut self, name: &Name) {
        if self.entries.get(name).is_some_and(|entry| entry.held.is_none() && entry.pending.is_empty()) {
            self.entries.remove(name);
        }
    }
}
