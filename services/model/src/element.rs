//! Elements: the single disclosable fields that agreements name.

use crate::Domain;

/// What kind of value an element holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ValueKind {
    /// Text.
    Text,
    /// A whole number.
    Integer,
    /// A number with at most four decimals.
    Decimal,
    /// A day.
    Date,
    /// Yes or no.
    Boolean,
    /// Several texts.
    TextList,
}

/// How sensitive an element is. A class is a default for people who write agreements; only what is guarded
/// ([`Sensitivity::is_guarded`]) changes what the program does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Sensitivity {
    /// Education record, ordinary.
    Record,
    /// Names, birth date, identifiers.
    Identity,
    /// IDEA Part B and section 504.
    SpecialEducation,
    /// Conduct.
    Discipline,
    /// Parents' names, addresses, phones.
    Contact,
    /// Income, language, homelessness, immigration and other status.
    Status,
    /// Kept so that the state's own file can be made again (codes of funding, of calendars, of reporting), and for nothing else. Denied
    /// unless a clause names the element itself, and never listed as withheld.
    Administrative,
    /// Reveals another agency's involvement. Denied unless a clause names the element itself, and never listed as withheld.
    OtherAgency,
}

impl Sensitivity {
    /// Whether an element of this class is no part of "all" of its domain, and is never listed as withheld.
    pub const fn is_guarded(self) -> bool {
        matches!(self, Self::Administrative | Self::OtherAgency)
    }
}

/// One disclosable field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Element {
    /// The domain it belongs to.
    pub domain: Domain,
    /// Its name within the domain, snake case, Ed-Fi's where Ed-Fi has one.
    pub name: &'static str,
    /// What it holds.
    pub kind: ValueKind,
    /// How sensitive it is.
    pub class: Sensitivity,
    /// The label that people read.
    pub label: &'static str,
}

impl Element {
    /// The id agreements use: `attendance.days_attended`.
    pub fn id(&self) -> String {
        format!("{}.{}", self.domain.name(), self.name)
    }
}
