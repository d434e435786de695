//! Counters that differ in one label, whose values are known beforehand.

use metrics::Counter;

/// One counter a word. A word that is not on the list counts as `other`: labels stay bounded whatever is passed in.
pub(super) struct Family {
    counters: Vec<(String, Counter)>,
    other: Counter,
}

impl Family {
    pub(super) fn new(words: &[&str], mut register: impl FnMut(&str) -> Counter) -> Self {
        let counters = words.iter().map(|word| ((*word).to_owned(), register(word))).collect();
        Self { counters, other: register("other") }
    }

    pub(super) fn increment(&self, word: &str, by: u64) {
        let found = self.counters.iter().find(|(known, _)| known == word);
        found.map_or(&self.other, |(_, counter)| counter).increment(by);
    }
}
