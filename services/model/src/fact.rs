//! Facts: what a state reported, once, and never edited.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

use crate::{Domain, Period, SchoolYear, Value};

/// Whether the reporting district has certified the collection a fact comes from. Certified supersedes preliminary.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(i16)]
pub enum Certification {
    /// Not yet certified: pages say so.
    Preliminary = 0,
    /// Certified, or reported by a process that knows no certification.
    Certified = 1,
}

/// A restriction that the source itself put on a fact.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(i16)]
pub enum Restriction {
    /// None.
    None = 0,
    /// The state's data say the record is expunged: kept, disclosed to nobody.
    Expunged = 1,
}

/// Which edition of its report a fact is from, by the source's own reckoning (a freeze, a day of certification): of two reports about the same thing
/// the later edition stands, whichever came first. It compares as text, and what has none comes before what has one.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Edition(String);

impl Edition {
    /// The greatest number that can be part of one; none is below 0.
    pub const NUMBER_MAX: i64 = 999_999;

    /// The edition of these days and numbers, the first that differs decides; a blank one comes before any other. `None` if all are blank.
    pub fn of(parts: &[Option<Value>]) -> Option<Self> {
        if parts.iter().all(Option::is_none) {
            return None;
        }
        let written: Vec<String> =
            parts.iter().map(|part| part.as_ref().map_or_else(String::new, Self::part)).collect();
        Some(Self(written.join(" ")))
    }

    fn part(value: &Value) -> String {
        match value {
            Value::Integer(number) => format!("{:06}", (*number).clamp(0, Self::NUMBER_MAX)),
            other => other.to_plain(),
        }
    }

    /// One that was stored.
    pub const fn from_stored(text: String) -> Self {
        Self(text)
    }

    /// As it is stored.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// 128 bits that name what a fact is about within its source person: a later fact with the same key supersedes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NaturalKey(pub [u8; 16]);

impl NaturalKey {
    /// Hashes domain, kind and the parts that tell facts of that kind apart.
    pub fn of(domain: Domain, kind: &str, parts: &[&str]) -> Self {
        let mut hash = Sha256::new();
        for part in [domain.name(), kind].iter().chain(parts) {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part.as_bytes());
        }
        let digest = hash.finalize();
        let mut key = [0_u8; 16];
        for (to, from) in key.iter_mut().zip(digest) {
            *to = from;
        }
        Self(key)
    }
}

/// Element values by name. Sorted, so its JSON is canonical.
pub type Payload = BTreeMap<String, Value>;

/// One thing a state reported about one source person: the envelope is what can be filtered on, the payload is the rest.
///
/// The source person, the batch and the time of recording are added by the store: a fact does not know them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fact {
    /// The domain.
    pub domain: Domain,
    /// What kind of report within the domain (`register`, `collection`, `incident`, ...): see the domain's definition.
    pub kind: String,
    /// What it is about: the key under which a correction supersedes it.
    pub natural_key: NaturalKey,
    /// The school year it is about.
    pub school_year: Option<SchoolYear>,
    /// The days it is about.
    pub valid: Period,
    /// The reporting district by state code.
    pub lea: Option<String>,
    /// The facility by state code.
    pub facility: Option<String>,
    /// Certified or preliminary.
    pub certification: Certification,
    /// A restriction that came with it.
    pub restriction: Restriction,
    /// The edition of its report, where its source tells editions apart.
    pub edition: Option<Edition>,
    /// The line (or record) of the file, from 1.
    pub line: u32,
    /// The day the source gives for its report (a collection's day); `None` where the record names none.
    pub reported_on: Option<chrono::NaiveDate>,
    /// Everything else it says.
    pub payload: Payload,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn editions_follow_their_parts_in_turn() {
        let day = |text: &str| Some(Value::Date(text.parse().expect("a day")));
        let number = |number| Some(Value::Integer(number));
        let in_order = [
            vec![None, None],
            vec![None, day("2024-07-15")],
            vec![number(0), day("2024-12-31")],
            vec![number(2), None],
            vec![number(2), day("2024-07-15")],
            vec![number(2), day("2024-10-01")],
            vec![number(10), day("2020-01-01")],
        ];
        let editions: Vec<Option<Edition>> = in_order.iter().map(|parts| Edition::of(parts)).collect();
        assert!(editions.is_sorted_by(|a, b| a < b), "{editions:?}");
        assert_eq!(editions.first(), Some(&None));
    }
}
