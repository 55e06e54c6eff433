//! Comparing names: straight, crosswise, moved to the middle, in parts, as nicknames, by sound and by spelling.

use super::likeness::{Likeness, LikenessCache};
use super::{Comparer, Observed};
use crate::corpus::NameEntry;
use crate::levels::{self, ComparisonId, first, last, middle, plain};
use crate::lexicon::{Name, NameId, WordId};
use crate::nickname;
use crate::normalise::{DateCode, Suffix};

/// The names of a pair as one reading of them compares.
#[derive(Clone, Copy)]
pub(super) struct NameReading {
    pub first: Observed,
    pub last: Observed,
    pub middle: Observed,
    pub suffix: Observed,
    pub swapped: bool,
    pub full_name: f32,
}

impl NameReading {
    const MISSING: Self = Self {
        first: Observed::MISSING,
        last: Observed::MISSING,
        middle: Observed::MISSING,
        suffix: Observed::MISSING,
        swapped: false,
        full_name: 0.0,
    };

    /// Surnames agree as those of one family do.
    pub(super) fn is_same_surname(&self) -> bool {
        !self.last.is_missing() && self.last.level <= last::NEAR
    }

    /// Neither name agrees in any way.
    pub(super) fn is_hopeless(&self) -> bool {
        (self.first.is_missing() || self.first.level == first::DIFFERENT)
            && (self.last.is_missing() || self.last.level == last::DIFFERENT)
    }
}

impl Comparer<'_> {
    /// The best reading of the best pair of names.
    pub(super) fn names(
        &self,
        a: &[NameEntry],
        b: &[NameEntry],
        births: Option<(DateCode, DateCode)>,
        cache: &mut LikenessCache,
    ) -> NameReading {
        let mut best = NameReading::MISSING;
        let mut best_bits = f64::NEG_INFINITY;
        for left in a {
            for right in b {
                let straight = self.straight(left, right, births, cache);
                let crosswise = self.may_be_swapped(left, right, &straight);
                // Either side may be the one that has its names the wrong way round.
                let crosswise = crosswise.then(|| [self.swapped(left, right, cache), self.swapped(right, left, cache)]);
                for reading in std::iter::once(straight).chain(crosswise.into_iter().flatten()) {
                    let mut bits = if reading.swapped { self.weights.swap_bits } else { 0.0 };
                    for observed in [reading.first, reading.last, reading.middle, reading.suffix] {
                        bits += self.weights.bits(observed);
                    }
                    if bits > best_bits {
                        (best, best_bits) = (reading, bits);
                    }
                }
            }
        }
        best
    }

    fn straight(
        &self,
        a: &NameEntry,
        b: &NameEntry,
        births: Option<(DateCode, DateCode)>,
        cache: &mut LikenessCache,
    ) -> NameReading {
        let mut first = self.first(a.first, b.first, births, cache);
        let mut last = self.last(a.last, b.last, cache);
        let mut middle = self.middle(a.middle, b.middle, cache);
        // Each side's name may stand as the other's middle name: the commoner word counts, whichever side it is on.
        let moved = |one: NameId, other: NameId, frequency: &dyn Fn(WordId) -> f64| {
            let words = [self.moved(one, b.middle), self.moved(other, a.middle)];
            words.into_iter().flatten().map(frequency).reduce(f64::max)
        };
        let of_first = |word| self.corpus.frequencies.first(word, None).max(self.corpus.frequencies.middle(word));
        if let Some(frequency) = moved(a.first, b.first, &of_first)
            && !first.is_missing()
            && first.level >= first::SIMILAR
        {
            first = Observed::with(first.comparison, first::MIDDLE, frequency);
            middle = Observed::MISSING;
        }
        let of_last = |word| self.corpus.frequencies.last(word).max(self.corpus.frequencies.middle(word));
        if let Some(frequency) = moved(a.last, b.last, &of_last)
            && !last.is_missing()
            && last.level >= last::SIMILAR
        {
            last = Observed::with(last.comparison, last::MIDDLE, frequency);
            middle = Observed::MISSING;
        }
        let exact =
            first.level == first::EXACT && last.level == last::EXACT && !first.is_missing() && !last.is_missing();
        let full_name = if exact { self.full_name(a.first, a.last) } else { 0.0 };
        NameReading { first, last, middle, suffix: suffix(a.suffix, b.suffix), swapped: false, full_name }
    }

    fn full_name(&self, first: NameId, last: NameId) -> f32 {
        let lexicon = &self.corpus.lexicon;
        self.corpus.frequencies.full_name_of_others(lexicon.name(first).joined, lexicon.name(last).joined) as f32
    }

    /// Whether reading first and last name crosswise is worth a try.
    fn may_be_swapped(&self, a: &NameEntry, b: &NameEntry, straight: &NameReading) -> bool {
        let poor = |observed: Observed, level: u8| observed.is_missing() || observed.level >= level;
        if !poor(straight.first, first::INITIAL) || !poor(straight.last, last::SIMILAR) {
            return false;
        }
        if [a.first, a.last, b.first, b.last].iter().any(|name| name.is_none()) {
            return false;
        }
        let initial = |name: NameId| self.corpus.lexicon.word(self.corpus.lexicon.name(name).joined).initial;
        initial(a.first) == initial(b.last) && initial(a.last) == initial(b.first)
    }

    /// The crosswise reading in which `a` has its names the right way round. A word counts as common as it is in either
    /// place.
    fn swapped(&self, a: &NameEntry, b: &NameEntry, cache: &mut LikenessCache) -> NameReading {
        let frequencies = &self.corpus.frequencies;
        let either = |mut observed: Observed, name: NameId| {
            if observed.frequency > 0.0 {
                let word = self.corpus.lexicon.name(name).joined;
                let frequency = frequencies.first(word, None).max(frequencies.last(word)) as f32;
                observed.frequency = observed.frequency.max(frequency);
            }
            observed
        };
        let first = either(self.first(a.first, b.last, None, cache), a.first);
        let last = either(self.last(a.last, b.first, cache), a.last);
        let first = either(first, b.last);
        let last = either(last, b.first);
        NameReading {
            first,
            last,
            middle: self.middle(a.middle, b.middle, cache),
            suffix: suffix(a.suffix, b.suffix),
            swapped: true,
            full_name: 0.0,
        }
    }

    /// A name that stands as one side's middle name.
    fn moved(&self, name: NameId, middle: NameId) -> Option<WordId> {
        if name.is_none() || middle.is_none() {
            return None;
        }
        let lexicon = &self.corpus.lexicon;
        let (word, other) = (lexicon.name(name).joined, lexicon.name(middle).joined);
        (word == other && lexicon.word(word).letters > 1).then_some(word)
    }

    fn first(&self, a: NameId, b: NameId, births: Option<(DateCode, DateCode)>, cache: &mut LikenessCache) -> Observed {
        if a.is_none() || b.is_none() {
            return Observed::MISSING;
        }
        let lexicon = &self.corpus.lexicon;
        let (a, b) = (lexicon.name(a), lexicon.name(b));
        let (word_a, word_b) = (lexicon.word(a.joined), lexicon.word(b.joined));
        let frequency = |word: WordId| self.corpus.frequencies.first(word, births);
        let form = self.first_form(a, b);
        if form == levels::FIRST_INITIAL {
            let same = word_a.initial == word_b.initial;
            return Observed::plain(form, if same { first::INITIAL } else { first::DIFFERENT });
        }
        if a.joined == b.joined {
            return Observed::with(form, first::EXACT, frequency(a.joined));
        }
        if let Some(shared) = self.shared_word(a, b, frequency) {
            return Observed::with(form, first::TOKEN, shared);
        }
        let level = self.first_level(a, b, cache);
        match level {
            first::SIMILAR | first::DIFFERENT => Observed::plain(form, level),
            _ => Observed::with(form, level, frequency(a.joined).max(frequency(b.joined))),
        }
    }

    /// What can be expected of two first names by their form.
    fn first_form(&self, a: &Name, b: &Name) -> ComparisonId {
        let (word_a, word_b) = (self.corpus.lexicon.word(a.joined), self.corpus.lexicon.word(b.joined));
        let frequencies = &self.corpus.frequencies;
        if word_a.letters == 1 || word_b.letters == 1 {
            levels::FIRST_INITIAL
        } else if a.is_compound() || b.is_compound() {
            levels::FIRST_COMPOUND
        } else if word_a.short_form || word_b.short_form {
            levels::FIRST_SHORT
        } else if frequencies.is_first_name_in_use(a.joined) && frequencies.is_first_name_in_use(b.joined) {
            levels::FIRST
        } else {
            levels::FIRST_RARE
        }
    }

    /// How alike two first names are that share no word.
    fn first_level(&self, a: &Name, b: &Name, cache: &mut LikenessCache) -> u8 {
        let lexicon = &self.corpus.lexicon;
        let (word_a, word_b) = (lexicon.word(a.joined), lexicon.word(b.joined));
        let roots = |name: &Name| lexicon.word(name.first_word()).roots;
        if nickname::related(&word_a.roots, &word_b.roots) || nickname::related(&roots(a), &roots(b)) {
            return first::NICKNAME;
        }
        let frequencies = &self.corpus.frequencies;
        match self.likeness(a.joined, b.joined, cache) {
            // Two names in use may be those of twins; a slip of the pen makes a word that is no name.
            Likeness::Near
                if frequencies.is_first_name_in_use(a.joined) && frequencies.is_first_name_in_use(b.joined) =>
            {
                first::ALIKE
            }
            Likeness::Near => first::MISSPELT,
            _ if word_a.sound != 0 && word_a.sound == word_b.sound => first::PHONETIC,
            Likeness::Similar => first::SIMILAR,
            Likeness::Unlike => first::DIFFERENT,
        }
    }

    fn last(&self, a: NameId, b: NameId, cache: &mut LikenessCache) -> Observed {
        if a.is_none() || b.is_none() {
            return Observed::MISSING;
        }
        let lexicon = &self.corpus.lexicon;
        let frequencies = &self.corpus.frequencies;
        let (a, b) = (lexicon.name(a), lexicon.name(b));
        let form = if a.is_compound() || b.is_compound() {
            levels::LAST_COMPOUND
        } else if frequencies.is_surname_in_use(a.joined) && frequencies.is_surname_in_use(b.joined) {
            levels::LAST
        } else {
            levels::LAST_RARE
        };
        if a.joined == b.joined {
            return Observed::with(form, last::EXACT, frequencies.last(a.joined));
        }
        let (word_a, word_b) = (lexicon.word(a.joined), lexicon.word(b.joined));
        if word_a.letters == 1 || word_b.letters == 1 {
            // An initial that fits says next to nothing: so many surnames begin with it.
            let fits = word_a.initial == word_b.initial;
            return if fits { Observed::MISSING } else { Observed::plain(form, last::DIFFERENT) };
        }
        if let Some(shared) = self.shared_word(a, b, |word| frequencies.last_part(word)) {
            return Observed::with(form, last::TOKEN, shared);
        }
        let commoner = || frequencies.last(a.joined).max(frequencies.last(b.joined));
        let mut likeness = self.likeness(a.joined, b.joined, cache);
        if likeness == Likeness::Unlike && (a.is_compound() || b.is_compound()) && self.near_part(a, b, cache) {
            likeness = Likeness::Similar;
        }
        match likeness {
            Likeness::Near => Observed::with(form, last::NEAR, commoner()),
            _ if word_a.sound != 0 && word_a.sound == word_b.sound => Observed::with(form, last::PHONETIC, commoner()),
            Likeness::Similar => Observed::plain(form, last::SIMILAR),
            Likeness::Unlike => Observed::plain(form, last::DIFFERENT),
        }
    }

    fn middle(&self, a: NameId, b: NameId, cache: &mut LikenessCache) -> Observed {
        if a.is_none() || b.is_none() {
            return Observed::MISSING;
        }
        let lexicon = &self.corpus.lexicon;
        let (a, b) = (lexicon.name(a), lexicon.name(b));
        let (word_a, word_b) = (lexicon.word(a.joined), lexicon.word(b.joined));
        if word_a.letters == 1 || word_b.letters == 1 {
            let level = if word_a.initial == word_b.initial { middle::INITIAL } else { middle::DIFFERENT };
            return Observed::plain(levels::MIDDLE, level);
        }
        if a.joined == b.joined {
            return Observed::with(levels::MIDDLE, middle::EXACT, self.corpus.frequencies.middle(a.joined));
        }
        if let Some(shared) = self.shared_word(a, b, |word| self.corpus.frequencies.middle(word)) {
            return Observed::with(levels::MIDDLE, middle::EXACT, shared);
        }
        let near = self.likeness(a.joined, b.joined, cache) == Likeness::Near
            || nickname::related(&word_a.roots, &word_b.roots);
        Observed::plain(levels::MIDDLE, if near { middle::NEAR } else { middle::DIFFERENT })
    }

    /// Frequency of the rarest word that both names have, initials aside.
    fn shared_word(&self, a: &Name, b: &Name, frequency: impl Fn(WordId) -> f64) -> Option<f64> {
        if !a.is_compound() && !b.is_compound() {
            return None;
        }
        let parts = |name: &Name| name.words().chain(std::iter::once(name.joined)).collect::<Vec<_>>();
        let others = parts(b);
        parts(a)
            .into_iter()
            .filter(|word| self.corpus.lexicon.word(*word).letters > 1 && others.contains(word))
            .map(frequency)
            .min_by(f64::total_cmp)
    }

    fn near_part(&self, a: &Name, b: &Name, cache: &mut LikenessCache) -> bool {
        let long = |word: &WordId| self.corpus.lexicon.word(*word).letters >= 5;
        a.words().filter(long).any(|x| b.words().filter(long).any(|y| self.likeness(x, y, cache) == Likeness::Near))
    }
}

fn suffix(a: Suffix, b: Suffix) -> Observed {
    if a == Suffix::None || b == Suffix::None {
        return Observed::MISSING;
    }
    Observed::plain(levels::SUFFIX, if a.agrees(b) { plain::AGREES } else { plain::DIFFERS })
}
