//! Comparing places, as one question: street within ZIP within town.

use super::likeness::{Likeness, LikenessCache};
use super::{Comparer, Observed};
use crate::corpus::{NO_ZIP, PlaceEntry};
use crate::jaro::one_edit;
use crate::levels::{self, place};
use crate::lexicon::WordId;

impl Comparer<'_> {
    /// The best pair of addresses.
    pub(super) fn places(
        &self,
        a: &[PlaceEntry],
        b: &[PlaceEntry],
        same_surname: bool,
        cache: &mut LikenessCache,
    ) -> Observed {
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
        let apart = (zips || towns) && !same_zip && !same_town;
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
}

/// ZIPs one slip of the finger apart, which in most states are neighbours as well.
fn nearby(a: u32, b: u32) -> bool {
    let digits =
        |zip: u32| [zip / 10_000, zip / 1000 % 10, zip / 100 % 10, zip / 10 % 10, zip % 10].map(|digit| digit as u8);
    one_edit(&digits(a), &digits(b))
}
