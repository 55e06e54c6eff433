//! Facts as the store gives them back, and organizations by the name they had.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use chrono::NaiveDate;
use model::{BatchId, Certification, Domain, Lineage, Payload, Period, Row, SchoolYear, SourcePersonId, Value};

use crate::definition;

/// A fact with what the store knows of it. Its payload holds only elements that may be used: a disclosure takes the
/// others out before anything is folded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredFact {
    /// Whose it is.
    pub source_person: SourcePersonId,
    /// The state that reported it.
    pub sea: Arc<str>,
    /// The domain.
    pub domain: Domain,
    /// The kind within the domain.
    pub kind: String,
    /// The school year it is about.
    pub school_year: Option<SchoolYear>,
    /// The days it is about.
    pub valid: Period,
    /// The reporting district by code.
    pub lea: Option<String>,
    /// The facility by code.
    pub facility: Option<String>,
    /// Certified or preliminary.
    pub certification: Certification,
    /// Where it comes from.
    pub source: Lineage,
    /// It was rewritten so as not to reveal another agency: its stay joins the one before it.
    pub concealed: bool,
    /// Its values.
    pub payload: Payload,
}

impl StoredFact {
    /// The value of an element.
    pub fn find(&self, element: &str) -> Option<&Value> {
        self.payload.get(element)
    }

    /// The day of an element.
    pub fn find_date(&self, element: &str) -> Option<NaiveDate> {
        self.find(element).and_then(Value::as_date)
    }

    /// The text of an element.
    pub fn find_text(&self, element: &str) -> Option<&str> {
        self.find(element).and_then(Value::as_text)
    }

    /// The day the source gives for its report, else the day it was recorded.
    pub const fn told_on(&self) -> Option<NaiveDate> {
        match self.source.reported_on {
            Some(day) => Some(day),
            None => self.source.recorded_on,
        }
    }

    /// The order in which we learned things: batch, then line.
    pub const fn learned(&self) -> (BatchId, u32) {
        (self.source.batch, self.source.line)
    }

    /// A row with this fact's values (those the domain knows), lineage and envelope.
    pub fn to_row(&self) -> Row {
        let elements = definition(self.domain);
        let values = self
            .payload
            .iter()
            .filter_map(|(name, value)| Some((elements.find_element(name)?.name, value.clone())))
            .collect::<BTreeMap<_, _>>();
        Row { values, school_year: self.school_year, certification: self.certification, source: self.source.clone() }
    }
}

/// One name of an organization, and when it bore it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Organization {
    /// The days of this name.
    pub valid: Period,
    /// The name.
    pub name: String,
    /// The town it lies in.
    pub town: Option<String>,
    /// The district it belongs to, by code.
    pub parent: Option<String>,
    /// Whether it belongs to another agency (a detention centre, a child-welfare school), whose involvement it reveals.
    pub other_agency: bool,
}

/// All organizations of all states, by state and code.
#[derive(Clone, Debug, Default)]
pub struct Organizations {
    by_code: HashMap<(String, String), Vec<Organization>>,
    other_agency: Option<OtherAgencyRule>,
}

/// Tells by state and code alone whether an organization is another agency's.
pub type OtherAgencyRule = fn(&str, &str) -> bool;

impl Organizations {
    /// None yet, and a rule by which another agency's organization is known even where the list lacks it: a facility that nobody
    /// has listed yet, or a list as of a day before it was taken in.
    pub fn with_rule(other_agency: OtherAgencyRule) -> Self {
        Self { by_code: HashMap::new(), other_agency: Some(other_agency) }
    }

    /// Adds a name of an organization.
    pub fn insert(&mut self, sea: &str, code: &str, organization: Organization) {
        self.by_code.entry((sea.to_owned(), code.to_owned())).or_default().push(organization);
    }

    /// The organization as it was called on a day; when no name covers the day, the one nearest before it, else the first.
    pub fn find(&self, sea: &str, code: &str, day: Option<NaiveDate>) -> Option<&Organization> {
        let names = self.by_code.get(&(sea.to_owned(), code.to_owned()))?;
        let Some(day) = day else {
            return names.iter().max_by_key(|o| o.valid.from());
        };
        names
            .iter()
            .find(|o| o.valid.contains(day))
            .or_else(|| {
                names.iter().filter(|o| o.valid.from().is_none_or(|from| from <= day)).max_by_key(|o| o.valid.from())
            })
            .or_else(|| names.iter().min_by_key(|o| o.valid.from()))
    }

    /// The facilities and districts that the list says are another agency's, by state and code, in no order.
    pub fn listed_other_agency(&self) -> impl Iterator<Item = (&str, &str)> {
        let listed = self.by_code.iter().filter(|(_, names)| names.iter().any(|o| o.other_agency));
        listed.map(|((sea, code), _)| (sea.as_str(), code.as_str()))
    }

    /// Whether the code is a facility or district of another agency.
    pub fn reveals_other_agency(&self, sea: &str, code: &str) -> bool {
        self.other_agency.is_some_and(|rule| rule(sea, code))
            || self
                .by_code
                .get(&(sea.to_owned(), code.to_owned()))
                .is_some_and(|names| names.iter().any(|o| o.other_agency))
    }
}
