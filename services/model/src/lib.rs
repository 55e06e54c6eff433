//! The vocabulary every other crate speaks: ids, school years, periods, elements, values, facts and sections.
//!
//! This crate knows nothing of files, SQL, agreements or transports, and has no I/O. It changes rarely: a type belongs
//! here only when two contexts must mean the same thing by it.
//!
//! Start with [`Fact`] (what intake produces and the store keeps), then [`Section`] (what a history is made of), then
//! [`Element`] (what an agreement can name).

mod clock;
mod domain;
mod element;
mod entropy;
mod fact;
mod ids;
mod masked;
mod period;
mod school_year;
mod section;
mod value;

pub use clock::{Clock, FixedClock};
pub use domain::Domain;
pub use element::{Element, Sensitivity, ValueKind};
pub use entropy::{Entropy, SeededEntropy, disclosure_id};
pub use fact::{Certification, Edition, Fact, NaturalKey, Payload, Restriction};
pub use ids::{BatchId, ConsumerId, DisclosureId, ParseIdError, Sea, SourcePersonId, StudentId};
pub use masked::Masked;
pub use period::{Period, PeriodError};
pub use school_year::{ParseSchoolYearError, SchoolYear};
pub use section::{Awaited, Lineage, Row, Section, SectionState};
pub use value::{Decimal, ParseDecimalError, Value};
