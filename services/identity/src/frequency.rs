//! How often each value occurs, so that agreeing on a rare one counts for more.
//!
//! Counted over both sides. A value's frequency is smoothed towards the mean, so that a small file does not take a
//! name for rare only because it saw it once. First names are counted within a band of birth years: names age.

use crate::corpus::{NO_ZIP, Table};
use crate::hash::FoldMap;
use crate::lexicon::{Lexicon, NameId, WordId};
use crate::normalise::DateCode;

/// Weight of the mean in a smoothed frequency, as a number of persons.
const SMOOTHING: f64 = 10.0;
/// A name is in use from so many bearers, and from this share on.
const IN_USE_PERSONS: u32 = 4;
const IN_USE_SHARE: f64 = 5e-6;
const BAND_YEARS: u32 = 5;

/// Counts of one field.
#[derive(Default)]
struct Counts {
    count: Vec<u32>,
    total: f64,
    /// Probability that two random persons agree.
    mean: f64,
}

impl Counts {
    fn with_words(words: usize) -> Self {
        Self { count: vec![0; words], total: 0.0, mean: 0.0 }
    }

    fn add(&mut self, word: WordId) {
        self.count[word.0 as usize] += 1;
    }

    fn close(&mut self) {
        let total: u64 = self.count.iter().map(|count| u64::from(*count)).sum();
        self.total = (total as f64).max(1.0);
        self.mean = self.count.iter().map(|count| (f64::from(*count) / self.total).powi(2)).sum::<f64>().max(1e-9);
    }

    fn is_in_use(&self, word: WordId) -> bool {
        let count = self.count[word.0 as usize];
        count >= IN_USE_PERSONS && f64::from(count) >= IN_USE_SHARE * self.total
    }

    fn frequency(&self, word: WordId) -> f64 {
        (f64::from(self.count[word.0 as usize]) + SMOOTHING * self.mean) / (self.total + SMOOTHING)
    }
}

/// Counts of a field whose values are numbers.
#[derive(Default)]
struct NumberCounts {
    count: FoldMap<u32, u32>,
    total: f64,
    mean: f64,
}

impl NumberCounts {
    fn close(&mut self) {
        let total: u64 = self.count.values().map(|count| u64::from(*count)).sum();
        self.total = (total as f64).max(1.0);
        // Integers first: the order of a map's values must not reach the result.
        let squares: u128 = self.count.values().map(|count| u128::from(*count).pow(2)).sum();
        self.mean = (squares as f64 / (self.total * self.total)).max(1e-9);
    }

    fn frequency(&self, value: u32) -> f64 {
        let count = self.count.get(&value).copied().unwrap_or(0);
        (f64::from(count) + SMOOTHING * self.mean) / (self.total + SMOOTHING)
    }
}

/// Frequencies of everything that is compared with term frequency.
#[derive(Default)]
pub(crate) struct Frequencies {
    persons: f64,
    first: Counts,
    first_in_band: FoldMap<u64, u32>,
    band_persons: FoldMap<u32, u32>,
    last: Counts,
    last_part: Counts,
    middle: Counts,
    town: Counts,
    street: Counts,
    birth: NumberCounts,
    zip: NumberCounts,
    full_names: FoldMap<u64, u32>,
}

fn pair_key(first: WordId, last: WordId) -> u64 {
    u64::from(first.0) << 32 | u64::from(last.0)
}

impl Frequencies {
    pub(crate) fn count(lexicon: &Lexicon, tables: [&Table; 2]) -> Self {
        let words = lexicon.word_count();
        let mut all = Self {
            first: Counts::with_words(words),
            last: Counts::with_words(words),
            last_part: Counts::with_words(words),
            middle: Counts::with_words(words),
            town: Counts::with_words(words),
            street: Counts::with_words(words),
            ..Self::default()
        };
        let mut full_names = Vec::new();
        for table in tables {
            all.persons += table.len() as f64;
            for index in 0..table.len() {
                all.add_person(lexicon, table, index, &mut full_names);
            }
        }
        for counts in
            [&mut all.first, &mut all.last, &mut all.last_part, &mut all.middle, &mut all.town, &mut all.street]
        {
            counts.close();
        }
        // A shared part is measured per person, not per part.
        all.last_part.total = all.last.total;
        all.birth.close();
        all.zip.close();
        full_names.sort_unstable();
        for group in full_names.chunk_by(|a, b| a == b).filter(|group| group.len() > 2) {
            all.full_names.insert(group[0], group.len() as u32);
        }
        all
    }

    fn add_person(&mut self, lexicon: &Lexicon, table: &Table, index: usize, full_names: &mut Vec<u64>) {
        let band = table.births(index).first().map(|birth| band(*birth));
        for name in table.names(index) {
            let joined = |id: NameId| (!id.is_none()).then(|| lexicon.name(id).joined);
            if let Some(first) = joined(name.first) {
                self.first.add(first);
                if let Some(band) = band {
                    *self.first_in_band.entry(u64::from(band) << 32 | u64::from(first.0)).or_insert(0) += 1;
                    *self.band_persons.entry(band).or_insert(0) += 1;
                }
                if let Some(last) = joined(name.last) {
                    full_names.push(pair_key(first, last));
                }
            }
            if !name.last.is_none() {
                let last = lexicon.name(name.last);
                self.last.add(last.joined);
                last.words().for_each(|word| self.last_part.add(word));
            }
            if let Some(middle) = joined(name.middle) {
                self.middle.add(middle);
            }
        }
        for birth in table.births(index) {
            *self.birth.count.entry(*birth).or_insert(0) += 1;
        }
        for place in table.places(index) {
            if !place.town.is_none() {
                self.town.add(place.town);
            }
            if !place.street.name.is_none() {
                self.street.add(place.street.name);
            }
            if place.zip != NO_ZIP {
                *self.zip.count.entry(place.zip).or_insert(0) += 1;
            }
        }
    }

    /// Persons on both sides.
    pub(crate) fn persons(&self) -> f64 {
        self.persons
    }

    /// Share of a first name, among those born in the same band of years if that is known of both.
    pub(crate) fn first(&self, word: WordId, births: Option<(DateCode, DateCode)>) -> f64 {
        let overall = self.first.frequency(word);
        let Some(band) = births.map(|(a, b)| (band(a), band(b))).filter(|(a, b)| a == b).map(|(band, _)| band) else {
            return overall;
        };
        let count = self.first_in_band.get(&(u64::from(band) << 32 | u64::from(word.0))).copied().unwrap_or(0);
        let persons = self.band_persons.get(&band).copied().unwrap_or(0);
        // Fifty persons' worth of the overall share: a thin band says little.
        (f64::from(count) + 50.0 * overall) / (f64::from(persons) + 50.0)
    }

    /// Whether a first name is borne by enough people to be a name and not a misspelling of one.
    pub(crate) fn is_first_name_in_use(&self, word: WordId) -> bool {
        self.first.is_in_use(word)
    }

    /// The same for a surname.
    pub(crate) fn is_surname_in_use(&self, word: WordId) -> bool {
        self.last.is_in_use(word)
    }

    pub(crate) fn last(&self, word: WordId) -> f64 {
        self.last.frequency(word)
    }

    pub(crate) fn last_part(&self, word: WordId) -> f64 {
        self.last_part.frequency(word)
    }

    pub(crate) fn middle(&self, word: WordId) -> f64 {
        self.middle.frequency(word)
    }

    pub(crate) fn birth(&self, birth: DateCode) -> f64 {
        self.birth.frequency(birth)
    }

    /// How much commoner than the mean a ZIP is.
    pub(crate) fn zip_ratio(&self, zip: u32) -> f64 {
        self.zip.frequency(zip) / self.zip.mean
    }

    pub(crate) fn town_ratio(&self, town: WordId) -> f64 {
        self.town.frequency(town) / self.town.mean
    }

    pub(crate) fn street_ratio(&self, street: WordId) -> f64 {
        self.street.frequency(street) / self.street.mean
    }

    /// Share of other persons with this first and last name together: names of one heritage go together, and the
    /// product of both shares would take a common full name for rare.
    pub(crate) fn full_name_of_others(&self, first: WordId, last: WordId) -> f64 {
        let count = self.full_names.get(&pair_key(first, last)).copied().unwrap_or(0);
        f64::from(count.saturating_sub(2)) / self.persons.max(1.0)
    }
}

fn band(birth: DateCode) -> u32 {
    birth / 10_000 / BAND_YEARS
}
