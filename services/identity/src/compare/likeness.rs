//! How alike two words look, remembered.

use super::Comparer;
use crate::hash;
use crate::jaro::{SIMILAR_MIN, jaro_winkler, may_be_similar, one_edit};
use crate::lexicon::WordId;

/// How alike two words look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Likeness {
    Unlike,
    Similar,
    Near,
}

const CACHE_SLOTS: usize = 1 << 14;

/// Remembers the likeness of word pairs, one per thread. Forgetting changes the speed, never the answer.
pub(crate) struct LikenessCache {
    slots: Vec<(u64, Likeness)>,
}

impl LikenessCache {
    pub(crate) fn new() -> Self {
        Self { slots: vec![(u64::MAX, Likeness::Unlike); CACHE_SLOTS] }
    }
}

const NEAR_MIN: f64 = 0.92;

impl Comparer<'_> {
    pub(super) fn likeness(&self, a: WordId, b: WordId, cache: &mut LikenessCache) -> Likeness {
        let lexicon = &self.corpus.lexicon;
        let (word_a, word_b) = (lexicon.word(a), lexicon.word(b));
        // Words with other letters than A to Z share all letters of the set, so they are never skipped here.
        if !may_be_similar(
            (usize::from(word_a.letters), word_a.letter_set),
            (usize::from(word_b.letters), word_b.letter_set),
            word_a.initial == word_b.initial,
        ) {
            return Likeness::Unlike;
        }
        let key = u64::from(a.0.min(b.0)) << 32 | u64::from(a.0.max(b.0));
        let slot = &mut cache.slots[hash::mix(key, 0) as usize % CACHE_SLOTS];
        if slot.0 == key {
            return slot.1;
        }
        let likeness = likeness_of(lexicon.text(a), lexicon.text(b));
        *slot = (key, likeness);
        likeness
    }
}

fn likeness_of(a: &str, b: &str) -> Likeness {
    let similarity = jaro_winkler(a, b);
    if similarity >= NEAR_MIN || (a.len().min(b.len()) >= 5 && one_edit(a.as_bytes(), b.as_bytes())) {
        Likeness::Near
    } else if similarity >= SIMILAR_MIN {
        Likeness::Similar
    } else {
        Likeness::Unlike
    }
}
