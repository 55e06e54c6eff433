//! A glance at two names: may they agree in any way at all?
//!
//! Blocking on the birth date brings a hundred strangers for each child. What a comparison of names would need at
//! least (letters, lengths, sounds, nicknames) fits 32 bytes that lie beside the blocking key. The glance may let
//! strangers pass; it holds back only pairs of which neither name would reach any level.

use crate::corpus::Table;
use crate::jaro::may_be_similar;
use crate::lexicon::{Lexicon, NameId};

/// What one name looks like.
#[derive(Debug, Clone, Copy, Default)]
struct Look {
    /// Which letters occur; none when the name is missing.
    letters: u32,
    /// Number of letters.
    length: u8,
    initial: u8,
    compound: bool,
    /// Hash of the phonetic code, 0 for none.
    sound: u16,
}

impl Look {
    fn of(lexicon: &Lexicon, name: NameId) -> Self {
        if name.is_none() {
            return Self::default();
        }
        let name = lexicon.name(name);
        let word = lexicon.word(name.joined);
        Self {
            letters: word.letter_set,
            length: word.letters as u8,
            initial: word.initial as u32 as u8,
            compound: name.is_compound(),
            sound: if word.sound == 0 { 0 } else { (word.sound % 65_521) as u16 + 1 },
        }
    }

    fn may_agree(&self, other: &Self) -> bool {
        if self.letters == 0 || other.letters == 0 {
            return false;
        }
        let same_initial = self.initial == other.initial;
        if self.length == 1 || other.length == 1 {
            return same_initial;
        }
        if self.sound != 0 && self.sound == other.sound {
            return true;
        }
        // Several words: a shared one is enough, and then the shorter name's letters are nearly all in the longer.
        let compound = self.compound || other.compound;
        if compound
            && ((self.letters & !other.letters).count_ones() <= 1 || (other.letters & !self.letters).count_ones() <= 1)
        {
            return true;
        }
        let looks = [self, other].map(|look| (usize::from(look.length), look.letters));
        may_be_similar(looks[0], looks[1], same_initial)
    }
}

/// What one full name looks like.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Screen {
    first: Look,
    last: Look,
    /// Names that the first name may stand for, as a set of hashes.
    roots: u64,
}

/// What of two records must look alike for a pair to be worth comparing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Glance {
    /// Nothing: the blocking key says enough.
    None,
    /// Year, or month and day: for names alone, of which a large state has many bearers.
    BirthDate,
    FirstName,
    LastName,
    EitherName,
}

impl Screen {
    /// Whether a comparison could find more than "different".
    pub(crate) fn may_agree(&self, other: &Self, glance: Glance) -> bool {
        let first = || self.roots & other.roots != 0 || self.first.may_agree(&other.first);
        match glance {
            Glance::None | Glance::BirthDate => true,
            Glance::FirstName => first(),
            Glance::LastName => self.last.may_agree(&other.last),
            Glance::EitherName => {
                self.last.may_agree(&other.last)
                    || first()
                    || self.first.may_agree(&other.last) && self.last.may_agree(&other.first)
            }
        }
    }
}

/// One for each name of a record.
pub(crate) fn screens_of(lexicon: &Lexicon, table: &Table, record: usize) -> impl Iterator<Item = Screen> {
    let screen = move |first: NameId, last: NameId| {
        let mut roots = 0;
        if !first.is_none() {
            let name = lexicon.name(first);
            for word in [name.first_word(), name.joined] {
                let known = lexicon.word(word).roots;
                roots |= known.iter().filter(|root| **root != 0).fold(0, |set, root| set | 1 << (root % 64));
            }
        }
        Screen { first: Look::of(lexicon, first), last: Look::of(lexicon, last), roots }
    };
    table.names(record).iter().map(move |name| screen(name.first, name.last))
}
