//! One folder per data domain: its elements, the kinds of fact it stores, how facts fold into a section's rows, and
//! the message they travel in.
//!
//! A domain knows neither SQL nor agreements nor files. The rest of the program works on [`Definition`]s and elements,
//! so adding a domain or an element touches this crate, its proto message and a layout, and nothing else.
//!
//! Start with [`definition`], then [`check`] (what a fact must satisfy before it is stored), then [`fold`].

pub mod assessment;
pub mod attendance;
pub mod calendar;
mod conceal;
pub mod contact;
pub mod course;
mod definition;
pub mod discipline;
pub mod enrollment;
mod fact_builder;
mod fold;
pub mod literacy;
pub mod mobility;
mod payload;
pub mod program;
pub mod special_education;
mod stored;
pub mod student;
#[cfg(test)]
mod testing;
pub mod wire;

pub use conceal::{conceal_other_agency, names_other_agency};
pub use definition::{Definition, Kind};
pub use fact_builder::{FactBuilder, FactError, check};
pub use fold::{EXCLUSION, derive_mobility, fold};
use model::{Domain, Element};
pub use payload::{Names, ReadError, read_pack, read_payload};
pub use stored::{Organization, Organizations, OtherAgencyRule, StoredFact};

/// The definition of a domain.
pub const fn definition(domain: Domain) -> &'static Definition {
    match domain {
        Domain::Student => &student::DEFINITION,
        Domain::Enrollment => &enrollment::DEFINITION,
        Domain::Mobility => &mobility::DEFINITION,
        Domain::Attendance => &attendance::DEFINITION,
        Domain::SpecialEducation => &special_education::DEFINITION,
        Domain::Discipline => &discipline::DEFINITION,
        Domain::Assessment => &assessment::DEFINITION,
        Domain::Course => &course::DEFINITION,
        Domain::Contact => &contact::DEFINITION,
        Domain::Program => &program::DEFINITION,
        Domain::Literacy => &literacy::DEFINITION,
    }
}

/// The element of an id such as `attendance.days_attended`.
pub fn find_element(id: &str) -> Option<&'static Element> {
    let (domain, name) = id.split_once('.')?;
    definition(domain.parse().ok()?).find_element(name)
}
