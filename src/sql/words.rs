//! A set of words that the compiler makes, each with what it is: looked up in any case, mostly with one comparison.

type Slot<T> = Option<(&'static str, T)>;

/// A hash table of words in lower case. At most half of its slots are taken, so that a search ends soon.
pub(crate) struct Words<T: 'static, const SLOTS: usize> {
    slots: [Slot<T>; SLOTS],
}

impl<T: Copy, const SLOTS: usize> Words<T, SLOTS> {
    /// Does not compile for a word that stands twice, nor for too many of them.
    #[expect(clippy::indexing_slicing, reason = "the compiler runs it, and nobody else")]
    pub(crate) const fn of(lists: &[(&[&'static str], T)]) -> Self {
        let mut slots: [Slot<T>; SLOTS] = [None; SLOTS];
        let (mut list, mut count) = (0, 0);
        while list < lists.len() {
            let (words, meaning) = lists[list];
            let mut i = 0;
            while i < words.len() {
                let mut at = slot::<SLOTS>(words[i]);
                while let Some((taken, _)) = slots[at] {
                    assert!(!is_same(taken, words[i]), "a word stands twice");
                    at = (at + 1) % SLOTS;
                }
                slots[at] = Some((words[i], meaning));
                i += 1;
            }
            count += words.len();
            list += 1;
        }
        assert!(count <= SLOTS / 2, "too few slots");
        Self { slots }
    }

    /// What a word is, in any case of its ASCII letters.
    pub(crate) fn get(&self, word: &str) -> Option<T> {
        let mut at = slot::<SLOTS>(word);
        while let Some((listed, meaning)) = self.slots.get(at)? {
            if listed.eq_ignore_ascii_case(word) {
                return Some(*meaning);
            }
            at = (at + 1) % SLOTS;
        }
        None
    }
}

/// Where the search for a word begins: FNV-1a over its bytes in lower case.
const fn slot<const SLOTS: usize>(word: &str) -> usize {
    let mut hash = 0x811c_9dc5_u32;
    let mut rest = word.as_bytes();
    while let Some((byte, after)) = rest.split_first() {
        hash = (hash ^ byte.to_ascii_lowercase() as u32).wrapping_mul(0x0100_0193);
        rest = after;
    }
    (hash ^ (hash >> 15)) as usize % SLOTS
}

const fn is_same(left: &str, right: &str) -> bool {
    let (mut left, mut right) = (left.as_bytes(), right.as_bytes());
    loop {
        match (left.split_first(), right.split_first()) {
            (None, None) => return true,
            (Some((one, left_rest)), Some((other, right_rest))) if *one == *other => {
                left = left_rest;
                right = right_rest;
            }
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_found_in_any_case_and_others_are_not() {
        const SOME: Words<u8, 8> = Words::of(&[(&["select", "from"], 1), (&["where"], 2)]);
        assert_eq!([SOME.get("SeLect"), SOME.get("from"), SOME.get("WHERE")], [Some(1), Some(1), Some(2)]);
        for word in ["", "selec", "selects", "form", "invoices", "ſelect", &"x".repeat(10_000)] {
            assert_eq!(SOME.get(word), None, "{word}");
        }
    }
}
