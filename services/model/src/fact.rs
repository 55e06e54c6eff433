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
    /// The line (or record) of the file, from 1.
    pub line: u32,
    /// The day the source gives for its report (a collection's day); `None` where the record names none.
    pub reported_on: Option<chrono::NaiveDate>,
    /// Everything else it says.
    pub payload: Payload,
}
