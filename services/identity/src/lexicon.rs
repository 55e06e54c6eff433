//! Every distinct text once: words with what comparing them needs, names as lists of words, raw texts as already parsed.

use rphonetic::{DoubleMetaphone, Encoder};

use crate::hash::FoldMap;
use crate::nickname::{Nicknames, Roots};
use crate::normalise::{self, ParsedName, Suffix, WORDS_MAX};

/// A distinct word. `WordId::NONE` is "no word".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct WordId(pub u32);

impl WordId {
    pub(crate) const NONE: Self = Self(u32::MAX);

    pub(crate) fn is_none(self) -> bool {
        self == Self::NONE
    }
}

/// A distinct name. `NameId::NONE` is "missing".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct NameId(pub u32);

impl NameId {
    pub(crate) const NONE: Self = Self(u32::MAX);

    pub(crate) fn is_none(self) -> bool {
        self == Self::NONE
    }
}

/// What is known about a word beforehand.
#[derive(Clone, Copy)]
pub(crate) struct Word {
    start: u32,
    bytes: u16,
    /// Number of letters; 1 makes it an initial.
    pub letters: u16,
    /// Which of A to Z occur; all bits set when other letters do.
    pub letter_set: u32,
    pub initial: char,
    /// Word of the phonetic code, or none.
    pub sound: u32,
    pub roots: Roots,
    /// Only ever a form of other given names.
    pub short_form: bool,
}

/// A name: its joined form and its parts.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Name {
    pub joined: WordId,
    words: [WordId; WORDS_MAX],
}

impl Name {
    pub(crate) fn words(&self) -> impl Iterator<Item = WordId> + Clone + '_ {
        self.words.iter().copied().take_while(|word| !word.is_none())
    }

    pub(crate) fn is_compound(&self) -> bool {
        !self.words[1].is_none()
    }

    pub(crate) fn first_word(&self) -> WordId {
        self.words[0]
    }
}

/// A street and house number, interned.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct StreetIds {
    pub house: WordId,
    pub name: WordId,
}

pub(crate) struct Lexicon {
    text: String,
    words: Vec<Word>,
    word_ids: FoldMap<Box<str>, WordId>,
    names: Vec<Name>,
    name_ids: FoldMap<Name, NameId>,
    given: FoldMap<Box<str>, (NameId, Suffix)>,
    surnames: FoldMap<Box<str>, (NameId, Suffix)>,
    races: FoldMap<Box<str>, NameId>,
    streets: FoldMap<Box<str>, StreetIds>,
    towns: FoldMap<Box<str>, WordId>,
    sounds: FoldMap<Box<str>, u32>,
    nicknames: Nicknames,
    phonetic: DoubleMetaphone,
}

impl Lexicon {
    pub(crate) fn new() -> Self {
        Self {
            text: String::new(),
            words: Vec::new(),
            word_ids: FoldMap::default(),
            names: Vec::new(),
            name_ids: FoldMap::default(),
            given: FoldMap::default(),
            surnames: FoldMap::default(),
            races: FoldMap::default(),
            streets: FoldMap::default(),
            towns: FoldMap::default(),
            sounds: FoldMap::default(),
            nicknames: Nicknames::new(),
            phonetic: DoubleMetaphone::new(Some(6)),
        }
    }

    pub(crate) fn word(&self, id: WordId) -> &Word {
        &self.words[id.0 as usize]
    }

    pub(crate) fn name(&self, id: NameId) -> &Name {
        &self.names[id.0 as usize]
    }

    pub(crate) fn text(&self, id: WordId) -> &str {
        let word = self.word(id);
        &self.text[word.start as usize..word.start as usize + usize::from(word.bytes)]
    }

    pub(crate) fn word_count(&self) -> usize {
        self.words.len()
    }

    /// Forgets the raw texts: after loading only ids are needed.
    pub(crate) fn seal(&mut self) {
        self.given = FoldMap::default();
        self.surnames = FoldMap::default();
        self.races = FoldMap::default();
        self.streets = FoldMap::default();
        self.towns = FoldMap::default();
        self.word_ids = FoldMap::default();
        self.name_ids = FoldMap::default();
        self.sounds = FoldMap::default();
        self.words.shrink_to_fit();
        self.names.shrink_to_fit();
    }

    pub(crate) fn given(&mut self, raw: &str) -> (NameId, Suffix) {
        if raw.is_empty() {
            return (NameId::NONE, Suffix::None);
        }
        if let Some(known) = self.given.get(raw) {
            return *known;
        }
        let parsed = normalise::parse_given(raw);
        let entry = (self.intern_name(&parsed), parsed.suffix);
        self.given.insert(raw.into(), entry);
        entry
    }

    pub(crate) fn surname(&mut self, raw: &str) -> (NameId, Suffix) {
        if raw.is_empty() {
            return (NameId::NONE, Suffix::None);
        }
        if let Some(known) = self.surnames.get(raw) {
            return *known;
        }
        let parsed = normalise::parse_surname(raw);
        let entry = (self.intern_name(&parsed), parsed.suffix);
        self.surnames.insert(raw.into(), entry);
        entry
    }

    /// Race values as a "name" whose words are the sorted values, so that their order does not matter.
    pub(crate) fn race(&mut self, raw: &str) -> NameId {
        if raw.is_empty() {
            return NameId::NONE;
        }
        if let Some(known) = self.races.get(raw) {
            return *known;
        }
        let mut values: Vec<String> = raw
            .split([';', '|', ','])
            .map(|value| normalise::fold(value).replace(' ', ""))
            .filter(|value| !matches!(value.as_str(), "" | "UNKNOWN" | "U"))
            .collect();
        values.sort_unstable();
        values.dedup();
        let joined = values.join("+");
        values.truncate(WORDS_MAX);
        let id = self.intern_name(&ParsedName { joined, words: values, suffix: Suffix::None });
        self.races.insert(raw.into(), id);
        id
    }

    pub(crate) fn street(&mut self, raw: &str) -> StreetIds {
        if raw.is_empty() {
            return StreetIds { house: WordId::NONE, name: WordId::NONE };
        }
        if let Some(known) = self.streets.get(raw) {
            return *known;
        }
        let street = normalise::parse_street(raw);
        let ids = StreetIds { house: self.intern_word(&street.house), name: self.intern_word(&street.name) };
        self.streets.insert(raw.into(), ids);
        ids
    }

    pub(crate) fn town(&mut self, raw: &str) -> WordId {
        if raw.is_empty() {
            return WordId::NONE;
        }
        if let Some(known) = self.towns.get(raw) {
            return *known;
        }
        let id = self.intern_word(&normalise::parse_town(raw));
        self.towns.insert(raw.into(), id);
        id
    }

    fn intern_name(&mut self, parsed: &ParsedName) -> NameId {
        if parsed.joined.is_empty() {
            return NameId::NONE;
        }
        let mut words = [WordId::NONE; WORDS_MAX];
        for (place, word) in words.iter_mut().zip(&parsed.words) {
            *place = self.intern_word(word);
        }
        let name = Name { joined: self.intern_word(&parsed.joined), words };
        if let Some(known) = self.name_ids.get(&name) {
            return *known;
        }
        let id = NameId(self.names.len() as u32);
        self.names.push(name);
        self.name_ids.insert(name, id);
        id
    }

    fn intern_word(&mut self, text: &str) -> WordId {
        let Some(initial) = text.chars().next() else { return WordId::NONE };
        if let Some(known) = self.word_ids.get(text) {
            return *known;
        }
        let id = WordId(self.words.len() as u32);
        let plain = text.bytes().all(|byte| byte.is_ascii_uppercase());
        let letter_set = if plain { text.bytes().fold(0, |set, byte| set | 1 << (byte - b'A')) } else { u32::MAX };
        let word = Word {
            start: self.text.len() as u32,
            bytes: text.len() as u16,
            letters: text.chars().count() as u16,
            letter_set,
            initial,
            sound: if plain { self.intern_sound(text) } else { 0 },
            roots: self.nicknames.roots(text),
            short_form: self.nicknames.is_short_form(text),
        };
        self.text.push_str(text);
        self.words.push(word);
        self.word_ids.insert(text.into(), id);
        id
    }

    /// Phonetic code as a number; 0 for words too short to sound like anything in particular.
    fn intern_sound(&mut self, text: &str) -> u32 {
        if text.len() < 3 {
            return 0;
        }
        let code = self.phonetic.encode(text);
        if code.len() < 2 {
            return 0;
        }
        let next = self.sounds.len() as u32 + 1;
        *self.sounds.entry(code.into()).or_insert(next)
    }
}

#[cfg(test)]
mod tests {
    use super::{Lexicon, NameId};

    #[test]
    fn spellings_of_one_name_are_one_name() {
        let mut lexicon = Lexicon::new();
        for (a, b) in [("O'Brien", "OBRIEN"), ("García-López", "GARCIA LOPEZ"), ("de la Cruz", "De La Cruz")] {
            assert_eq!(lexicon.surname(a).0, lexicon.surname(b).0, "{a} {b}");
        }
        assert_eq!(lexicon.surname("unknown").0, NameId::NONE);
        assert_eq!(lexicon.race("White; Asian"), lexicon.race("Asian|White"));
    }

    #[test]
    fn words_know_how_they_sound() {
        let mut lexicon = Lexicon::new();
        let sound = |lexicon: &mut Lexicon, raw: &str| {
            let id = lexicon.surname(raw).0;
            lexicon.word(lexicon.name(id).joined).sound
        };
        assert_eq!(sound(&mut lexicon, "Schmidt"), sound(&mut lexicon, "Schmitt"));
        assert_ne!(sound(&mut lexicon, "Rivera"), sound(&mut lexicon, "Kowalski"));
        assert_eq!(sound(&mut lexicon, "Li"), 0);
    }
}
