//! Comparing two persons: which level each comparison reaches. Symmetric: who is left and who is right does not matter.

use crate::corpus::{Corpus, NO_ZIP, NameEntry, PlaceEntry, Side, Table};
use crate::hash;
use crate::jaro::{jaro_winkler, jaro_winkler_bound, one_edit};
use crate::levels::{self, ComparisonId, birth, field, first, last, middle, place, plain};
use crate::lexicon::{Name, NameId, WordId};
use crate::nickname;
use crate::normalise::{DateCode, Suffix};
use crate::weights::Weights;

/// The level one comparison reached, and the frequency of the value agreed on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Observed {
    pub comparison: ComparisonId,
    pub level: u8,
    /// As `levels::Term` of the level wants it; 0 where no frequency counts.
    pub frequency: f32,
}

impl Observed {
    /// A field that is missing on a side says nothing.
    pub(crate) const MISSING: Self = Self { comparison: ComparisonId::MAX, level: 0, frequency: 0.0 };

    pub(crate) fn is_missing(&self) -> bool {
        self.comparison == ComparisonId::MAX
    }

    fn plain(comparison: ComparisonId, level: u8) -> Self {
        Self { comparison, level, frequency: 0.0 }
    }

    fn with(comparison: ComparisonId, level: u8, frequency: f64) -> Self {
        Self { comparison, level, frequency: frequency as f32 }
    }
}

/// Everything seen about a pair.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Features {
    pub observed: [Observed; field::COUNT],
    /// First and last name were read crosswise.
    pub swapped: bool,
    /// Share of other persons with the same first and last name; 0 unless both agree exactly.
    pub full_name: f32,
}

impl Features {
    fn is_same_place(&self) -> bool {
        let observed = self.observed[field::PLACE];
        match observed.comparison {
            levels::PLACE | levels::PLACE_SURNAME => observed.level <= place::ZIP,
            levels::AREA | levels::AREA_SURNAME => observed.level + place::WITHOUT_STREET <= place::ZIP,
            _ => false,
        }
    }

    /// Neither name agrees in any way.
    pub(crate) fn is_hopeless(&self) -> bool {
        [(field::FIRST, first::DIFFERENT), (field::LAST, last::DIFFERENT)]
            .iter()
            .all(|(field, different)| self.level(*field).is_none_or(|level| level == *different))
    }

    pub(crate) fn level(&self, field: usize) -> Option<u8> {
        let observed = self.observed[field];
        (!observed.is_missing()).then_some(observed.level)
    }
}

/// How alike two words look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Likeness {
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

/// The names of a pair as one reading of them compares.
#[derive(Clone, Copy)]
struct NameReading {
    first: Observed,
    last: Observed,
    middle: Observed,
    suffix: Observed,
    swapped: bool,
    full_name: f32,
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

    /// Neither name agrees in any way.
    fn is_hopeless(&self) -> bool {
        (self.first.is_missing() || self.first.level == first::DIFFERENT)
            && (self.last.is_missing() || self.last.level == last::DIFFERENT)
    }
}

/// Compares persons of a corpus.
#[derive(Clone, Copy)]
pub(crate) struct Comparer<'a> {
    pub corpus: &'a Corpus,
    pub weights: &'a Weights,
}

impl Comparer<'_> {
    /// Features of a pair, or none when it cannot be one child: neither name agrees in any way, no SASID does, and
    /// birth date and place do not both. That is the great majority of what blocking brings.
    pub(crate) fn compare(&self, left: u32, right: u32, cache: &mut LikenessCache) -> Option<Features> {
        let (a, b) = (self.corpus.table(Side::Left), self.corpus.table(Side::Right));
        let sasid = Self::sasid(a, left as usize, b, right as usize, self.corpus.frequencies.persons());
        let date = self.birth(a.births(left as usize), b.births(right as usize));
        let dates = date.map(|(_, a, b)| (a, b));
        let reading = self.names(a.names(left as usize), b.names(right as usize), dates, cache);
        let same_sasid = !sasid.is_missing() && sasid.level == plain::AGREES;
        let birth = date.map(|(observed, ..)| observed);
        let hopeless = reading.is_hopeless() && !same_sasid;
        if hopeless && birth.is_none_or(|birth| birth.level > birth::ONE_DIGIT) {
            return None;
        }
        let features = self.rest(left as usize, right as usize, &reading, birth, sasid, cache);
        (!hopeless || features.is_same_place()).then_some(features)
    }

    /// Features of any pair, alike or not: what strangers are measured with.
    pub(crate) fn observe(&self, left: u32, right: u32, cache: &mut LikenessCache) -> Features {
        let (a, b) = (self.corpus.table(Side::Left), self.corpus.table(Side::Right));
        let sasid = Self::sasid(a, left as usize, b, right as usize, self.corpus.frequencies.persons());
        let date = self.birth(a.births(left as usize), b.births(right as usize));
        let reading = self.names(a.names(left as usize), b.names(right as usize), date.map(|(_, a, b)| (a, b)), cache);
        self.rest(left as usize, right as usize, &reading, date.map(|(observed, ..)| observed), sasid, cache)
    }

    fn rest(
        &self,
        left: usize,
        right: usize,
        names: &NameReading,
        birth: Option<Observed>,
        sasid: Observed,
        cache: &mut LikenessCache,
    ) -> Features {
        let (a, b) = (self.corpus.table(Side::Left), self.corpus.table(Side::Right));
        let same_surname = !names.last.is_missing() && names.last.level <= last::NEAR;
        let mut observed = [Observed::MISSING; field::COUNT];
        observed[field::FIRST] = names.first;
        observed[field::LAST] = names.last;
        observed[field::MIDDLE] = names.middle;
        observed[field::SUFFIX] = names.suffix;
        observed[field::BIRTH] = birth.unwrap_or(Observed::MISSING);
        observed[field::SEX] = Self::sex(a.sex(left), b.sex(right), names.first);
        observed[field::RACE] = self.race(a.race(left), b.race(right), same_surname);
        observed[field::PLACE] = self.places(a.places(left), b.places(right), same_surname, cache);
        observed[field::SASID] = sasid;
        Features { observed, swapped: names.swapped, full_name: names.full_name }
    }

    fn names(
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
                let crosswise = self.may_be_swapped(left, right, &straight).then(|| self.swapped(left, right, cache));
                for reading in std::iter::once(straight).chain(crosswise) {
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
        if !first.is_missing() && first.level >= first::SIMILAR {
            if let Some(word) = self.moved(a.first, b.middle).or_else(|| self.moved(b.first, a.middle)) {
                let frequency = self.corpus.frequencies.first(word, None).max(self.corpus.frequencies.middle(word));
                first = Observed::with(levels::FIRST, first::MIDDLE, frequency);
                middle = Observed::MISSING;
            }
        }
        if !last.is_missing() && last.level >= last::SIMILAR {
            if let Some(word) = self.moved(a.last, b.middle).or_else(|| self.moved(b.last, a.middle)) {
                let frequency = self.corpus.frequencies.last(word).max(self.corpus.frequencies.middle(word));
                last = Observed::with(levels::LAST, last::MIDDLE, frequency);
                middle = Observed::MISSING;
            }
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

    /// The crosswise reading. Which side is the wrong way round is unknown, so a word counts as common as it is in
    /// either place.
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
        let commoner = || frequency(a.joined).max(frequency(b.joined));
        let seen = |level| Observed::plain(levels::FIRST, level);
        if word_a.letters == 1 || word_b.letters == 1 {
            return seen(if word_a.initial == word_b.initial { first::INITIAL } else { first::DIFFERENT });
        }
        if a.joined == b.joined {
            return Observed::with(levels::FIRST, first::EXACT, frequency(a.joined));
        }
        if let Some(shared) = self.shared_word(a, b, frequency) {
            return Observed::with(levels::FIRST, first::TOKEN, shared);
        }
        let likeness = self.likeness(a.joined, b.joined, cache);
        let roots = |name: &Name| lexicon.word(name.first_word()).roots;
        if nickname::related(&word_a.roots, &word_b.roots) || nickname::related(&roots(a), &roots(b)) {
            return Observed::with(levels::FIRST, first::NICKNAME, commoner());
        }
        match likeness {
            Likeness::Near => {
                let in_use = self.corpus.frequencies.is_first_name_in_use(a.joined)
                    && self.corpus.frequencies.is_first_name_in_use(b.joined);
                Observed::with(levels::FIRST, if in_use { first::ALIKE } else { first::MISSPELT }, commoner())
            }
            _ if word_a.sound != 0 && word_a.sound == word_b.sound => {
                Observed::with(levels::FIRST, first::PHONETIC, commoner())
            }
            Likeness::Similar => seen(first::SIMILAR),
            Likeness::Unlike => seen(first::DIFFERENT),
        }
    }

    fn last(&self, a: NameId, b: NameId, cache: &mut LikenessCache) -> Observed {
        if a.is_none() || b.is_none() {
            return Observed::MISSING;
        }
        let lexicon = &self.corpus.lexicon;
        let frequencies = &self.corpus.frequencies;
        let (a, b) = (lexicon.name(a), lexicon.name(b));
        if a.joined == b.joined {
            return Observed::with(levels::LAST, last::EXACT, frequencies.last(a.joined));
        }
        if let Some(shared) = self.shared_word(a, b, |word| frequencies.last_part(word)) {
            return Observed::with(levels::LAST, last::TOKEN, shared);
        }
        let commoner = || frequencies.last(a.joined).max(frequencies.last(b.joined));
        let mut likeness = self.likeness(a.joined, b.joined, cache);
        if likeness == Likeness::Unlike && (a.is_compound() || b.is_compound()) && self.near_part(a, b, cache) {
            likeness = Likeness::Similar;
        }
        let (word_a, word_b) = (lexicon.word(a.joined), lexicon.word(b.joined));
        match likeness {
            Likeness::Near => Observed::with(levels::LAST, last::NEAR, commoner()),
            _ if word_a.sound != 0 && word_a.sound == word_b.sound => {
                Observed::with(levels::LAST, last::PHONETIC, commoner())
            }
            Likeness::Similar => Observed::plain(levels::LAST, last::SIMILAR),
            Likeness::Unlike => Observed::plain(levels::LAST, last::DIFFERENT),
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

    fn likeness(&self, a: WordId, b: WordId, cache: &mut LikenessCache) -> Likeness {
        let lexicon = &self.corpus.lexicon;
        let (word_a, word_b) = (lexicon.word(a), lexicon.word(b));
        let bound = jaro_winkler_bound(
            (usize::from(word_a.letters), word_a.letter_set),
            (usize::from(word_b.letters), word_b.letter_set),
            word_a.initial == word_b.initial,
        );
        // Words with other letters than A to Z share all letters of the set, so they are never skipped here.
        if bound < SIMILAR_MIN {
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

    fn birth(&self, a: &[DateCode], b: &[DateCode]) -> Option<(Observed, DateCode, DateCode)> {
        let mut best: Option<(f64, Observed, DateCode, DateCode)> = None;
        for left in a {
            for right in b {
                let level = birth_level(*left, *right);
                let frequency = if level == birth::EXACT { self.corpus.frequencies.birth(*left) } else { 0.0 };
                let observed = Observed::with(levels::BIRTH, level, frequency);
                let bits = self.weights.bits(observed);
                if best.is_none_or(|(known, ..)| bits > known) {
                    best = Some((bits, observed, *left, *right));
                }
            }
        }
        best.map(|(_, observed, left, right)| (observed, left, right))
    }

    fn sex(a: u8, b: u8, first_name: Observed) -> Observed {
        if a == 0 || b == 0 {
            return Observed::MISSING;
        }
        let comparison = match first_name.level {
            _ if first_name.is_missing() => levels::SEX,
            first::EXACT..=first::NICKNAME => levels::SEX_SAME_NAME,
            first::DIFFERENT => levels::SEX,
            _ => levels::SEX_LIKE_NAME,
        };
        Observed::plain(comparison, if a == b { plain::AGREES } else { plain::DIFFERS })
    }

    fn race(&self, a: NameId, b: NameId, same_surname: bool) -> Observed {
        if a.is_none() || b.is_none() {
            return Observed::MISSING;
        }
        let comparison = if same_surname { levels::RACE_SURNAME } else { levels::RACE };
        let level = if a == b {
            plain::AGREES
        } else {
            let (a, b) = (self.corpus.lexicon.name(a), self.corpus.lexicon.name(b));
            if a.words().any(|word| b.words().any(|other| word == other)) {
                plain::RACE_OVERLAPS
            } else {
                plain::RACE_DIFFERS
            }
        };
        Observed::plain(comparison, level)
    }

    fn places(&self, a: &[PlaceEntry], b: &[PlaceEntry], same_surname: bool, cache: &mut LikenessCache) -> Observed {
        let mut best = Observed::MISSING;
        let mut best_bits = f64::NEG_INFINITY;
        for left in a {
            for right in b {
                let observed = self.place(left, right, same_surname, cache);
                let bits = self.weights.bits(observed);
                if !observed.is_missing() && bits > best_bits {
                    (best, best_bits) = (observed, bits);
                }
            }
        }
        best
    }

    fn place(&self, a: &PlaceEntry, b: &PlaceEntry, same_surname: bool, cache: &mut LikenessCache) -> Observed {
        let frequencies = &self.corpus.frequencies;
        let streets = !a.street.name.is_none() && !b.street.name.is_none();
        let zips = a.zip != NO_ZIP && b.zip != NO_ZIP;
        let towns = !a.town.is_none() && !b.town.is_none();
        if !streets && !zips && !towns {
            return Observed::MISSING;
        }
        let same_street = streets && self.near(a.street.name, b.street.name, cache);
        let same_house = !a.street.house.is_none() && a.street.house == b.street.house;
        let same_zip = zips && a.zip == b.zip;
        let same_town = towns && self.near(a.town, b.town, cache);
        let apart = (zips && !same_zip || !zips) && (towns && !same_town || !towns) && (zips || towns);
        let (level, frequency) = if same_street && same_house {
            (place::ADDRESS, 0.0)
        } else if same_street && !apart {
            (place::STREET, frequencies.street_ratio(a.street.name).max(frequencies.street_ratio(b.street.name)))
        } else if same_zip {
            (place::ZIP, frequencies.zip_ratio(a.zip))
        } else if same_town {
            (place::TOWN, frequencies.town_ratio(a.town).max(frequencies.town_ratio(b.town)))
        } else if zips && nearby(a.zip, b.zip) || same_street {
            (place::NEARBY, 0.0)
        } else {
            (place::DIFFERENT, 0.0)
        };
        if streets {
            let comparison = if same_surname { levels::PLACE_SURNAME } else { levels::PLACE };
            Observed::with(comparison, level, frequency)
        } else {
            let comparison = if same_surname { levels::AREA_SURNAME } else { levels::AREA };
            Observed::with(comparison, level - place::WITHOUT_STREET, frequency)
        }
    }

    fn near(&self, a: WordId, b: WordId, cache: &mut LikenessCache) -> bool {
        a == b || self.likeness(a, b, cache) == Likeness::Near
    }

    fn sasid(a: &Table, left: usize, b: &Table, right: usize, persons: f64) -> Observed {
        let (a, b) = (a.sasids(left), b.sasids(right));
        if a.is_empty() || b.is_empty() {
            return Observed::MISSING;
        }
        if a.iter().any(|sasid| b.contains(sasid)) {
            // A state id belongs to one person, so strangers share one as seldom as the state is large.
            return Observed::with(levels::SASID, plain::AGREES, 1.0 / persons.max(1000.0));
        }
        Observed::plain(levels::SASID, plain::DIFFERS)
    }
}

const NEAR_MIN: f64 = 0.92;
pub(crate) const SIMILAR_MIN: f64 = 0.84;

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

fn suffix(a: Suffix, b: Suffix) -> Observed {
    if a == Suffix::None || b == Suffix::None {
        return Observed::MISSING;
    }
    Observed::plain(levels::SUFFIX, if a.agrees(b) { plain::AGREES } else { plain::DIFFERS })
}

/// ZIPs one slip of the finger apart, which in most states are neighbours as well.
fn nearby(a: u32, b: u32) -> bool {
    let digits =
        |zip: u32| [zip / 10_000, zip / 1000 % 10, zip / 100 % 10, zip / 10 % 10, zip % 10].map(|digit| digit as u8);
    one_edit(&digits(a), &digits(b))
}

/// How two birth dates compare.
pub(crate) fn birth_level(a: DateCode, b: DateCode) -> u8 {
    if a == b {
        return birth::EXACT;
    }
    let parts = |date: DateCode| (date / 10_000, date / 100 % 100, date % 100);
    let ((year_a, month_a, day_a), (year_b, month_b, day_b)) = (parts(a), parts(b));
    let same_year = year_a == year_b;
    let new_year = (month_a, day_a) == (1, 1) || (month_b, day_b) == (1, 1);
    if same_year && month_a == day_b && day_a == month_b {
        birth::SWAPPED
    } else if one_edit(&date_digits(a), &date_digits(b)) {
        birth::ONE_DIGIT
    } else if same_year && new_year {
        birth::FIRST_OF_YEAR
    } else if month_a == month_b && day_a == day_b {
        birth::MONTH_DAY
    } else if same_year && (month_a == month_b || day_a == day_b) {
        birth::YEAR_AND_PART
    } else if same_year {
        birth::YEAR
    } else {
        birth::DIFFERENT
    }
}

fn date_digits(date: DateCode) -> [u8; 8] {
    let mut digits = [0; 8];
    let mut rest = date;
    for digit in digits.iter_mut().rev() {
        *digit = (rest % 10) as u8;
        rest /= 10;
    }
    digits
}

#[cfg(test)]
mod tests;
