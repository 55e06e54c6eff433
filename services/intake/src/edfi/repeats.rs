//! Notices that a file says something twice, in bounded memory.

use std::{
    collections::HashMap,
    hash::{DefaultHasher, Hash, Hasher as _},
};

use model::{Fact, NaturalKey};

type Said = HashMap<(u64, NaturalKey), Vec<u64>>;

/// What the last records of a file said: for each person and natural key, digests of what was said under it. Two
/// generations are kept, so that at least `max` facts back are remembered.
pub(super) struct Repeats {
    recent: Said,
    older: Said,
    max: usize,
}

impl Repeats {
    pub fn new(max: usize) -> Self {
        Self { recent: Said::new(), older: Said::new(), max }
    }

    /// How many different things were said under the same key before this one was said first.
    pub fn occurrence(&mut self, state_id: &str, fact: &Fact) -> usize {
        if self.recent.len() >= self.max {
            self.older = std::mem::take(&mut self.recent);
        }
        let key = (digest(state_id), fact.natural_key);
        let content = digest(&(&fact.payload, &fact.valid, fact.school_year));
        let older = &mut self.older;
        let said = self.recent.entry(key).or_insert_with(|| older.remove(&key).unwrap_or_default());
        said.iter().position(|earlier| *earlier == content).unwrap_or_else(|| {
            said.push(content);
            said.len() - 1
        })
    }
}

fn digest<T: Hash + ?Sized>(what: &T) -> u64 {
    let mut hasher = DefaultHasher::new();
    what.hash(&mut hasher);
    hasher.finish()
}
