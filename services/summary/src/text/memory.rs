//! What typesetters remember, and what of it may outlive a document.
//!
//! Shaped words and lines are keyed by their text. A worker of a run over files keeps all of them as long as it lives. What renderers keep from
//! one document to the next holds only what is no client's: the words of the layouts in each language, and names of schools, districts and towns.
//! A name, an identifier, a date or a score is shaped anew in each document and forgotten with it. What is kept is bounded.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, LazyLock},
};

use unicode_linebreak::linebreaks;

use super::{Line, Look, Word};
use crate::{
    fonts::Weight,
    layout::{Extent, Language, shipped},
};

/// Texts remembered of each kind before they are forgotten: a bound on memory, with no effect on the result.
const TEXTS_MAX: usize = 20_000;
/// The most texts of one document that may be remembered after it, and the longest in bytes.
const ALLOWED_MAX: usize = 1_000;
const ALLOWED_BYTES_MAX: usize = 200;

/// Shaped words and set lines, by their text.
#[derive(Default)]
pub(crate) struct Memory {
    /// By weight and direction.
    pub(super) words: [HashMap<Box<str>, Arc<Word>>; 4],
    pub(super) lines: HashMap<Look, HashMap<Box<str>, Fitted>>,
    /// The widest word of a text, in ems, by weight.
    pub(super) widest: HashMap<Weight, HashMap<Box<str>, f32>>,
}

/// A text as it stands on one line, for whoever has the room.
pub(super) struct Fitted {
    pub line: Arc<Line>,
    /// The room, in ems.
    pub needs: f32,
}

impl Memory {
    /// How many texts it holds.
    pub(crate) fn len(&self) -> usize {
        self.words.iter().map(HashMap::len).sum::<usize>()
            + self.lines.values().map(HashMap::len).sum::<usize>()
            + self.widest.values().map(HashMap::len).sum::<usize>()
    }

    /// The texts it holds.
    #[cfg(test)]
    pub(crate) fn texts(&self) -> impl Iterator<Item = &str> {
        let words = self.words.iter().flat_map(HashMap::keys);
        let lines = self.lines.values().flat_map(HashMap::keys);
        words.chain(lines).chain(self.widest.values().flat_map(HashMap::keys)).map(|text| &**text)
    }
}

pub(super) fn remember<T>(of: &mut HashMap<Box<str>, T>, text: &str, value: T) {
    if of.len() >= TEXTS_MAX {
        of.clear();
    }
    of.insert(Box::from(text), value);
}

/// Which texts are no client's.
#[derive(Default)]
pub(super) struct Common {
    /// Of this document, and the words they are made of.
    allowed: HashSet<Box<str>>,
}

impl Common {
    pub(super) fn allow<'t>(&mut self, texts: impl Iterator<Item = &'t str>) {
        for text in texts.filter(|text| text.len() <= ALLOWED_BYTES_MAX) {
            if self.allowed.len() >= ALLOWED_MAX {
                return;
            }
            if !self.allowed.contains(text) {
                add(&mut self.allowed, text);
            }
        }
    }

    pub(super) fn has(&self, text: &str) -> bool {
        self.allowed.contains(text) || LAYOUTS.contains(text)
    }
}

/// A text and the words it is made of.
fn add(to: &mut HashSet<Box<str>>, text: &str) {
    let mut start = 0;
    for (end, _) in linebreaks(text) {
        to.insert(Box::from(&text[start..end]));
        start = end;
    }
    to.insert(Box::from(text));
}

/// The wording of all layouts.
static LAYOUTS: LazyLock<HashSet<Box<str>>> = LazyLock::new(|| {
    let mut texts = HashSet::new();
    for language in [Language::English, Language::Spanish, Language::Portuguese] {
        for extent in [Extent::Whole, Extent::Brief] {
            shipped(language, extent).texts().iter().for_each(|text| add(&mut texts, text));
        }
    }
    texts
});
