//! A fact made ready for the store, away from it: the work is done where the fact is made, and little of it travels.

use model::{Fact, Masked, Payload, Value};

/// The element of enrollments that names the district whose student it is.
pub(crate) const NEXUS: &str = "nexus_district_id";

/// A fact whose payload has been written as canonical JSON.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Encoded {
    /// The fact. Its payload may have been dropped.
    pub fact: Fact,
    /// The district whose student it is about, by the state's code, where it says so.
    pub(crate) nexus: Option<String>,
    /// Its payload.
    pub(crate) json: Masked<String>,
}

impl Encoded {
    /// Takes the payload out of the fact.
    pub fn new(fact: Fact) -> Self {
        let encoded = Self::keeping(fact);
        Self { fact: Fact { payload: Payload::new(), ..encoded.fact }, ..encoded }
    }

    /// Leaves the payload in the fact, for who looks into it later.
    pub fn keeping(fact: Fact) -> Self {
        // Written as it is walked: a load writes millions.
        let mut json = String::with_capacity(fact.payload.len() * 32);
        Value::write_object(fact.payload.iter().map(|(name, value)| (name.as_str(), value)), &mut json);
        let nexus = fact.payload.get(NEXUS).and_then(Value::as_text).map(str::to_owned);
        Self { json: Masked::new(json), nexus, fact }
    }

    /// Whether two facts with the same key say the same: everything but the line and the day of the report.
    pub(crate) fn says_the_same(&self, other: &Self) -> bool {
        let (a, b) = (&self.fact, &other.fact);
        a.kind == b.kind
            && a.school_year == b.school_year
            && a.valid == b.valid
            && a.lea == b.lea
            && a.facility == b.facility
            && a.certification == b.certification
            && a.restriction == b.restriction
            && self.json == other.json
    }
}
