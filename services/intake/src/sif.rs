//! SIF 2.x: objects and events in XML, and the census set that StudentContact is produced from.
//!
//! StudentContact 2.7 is described once, as data (`layouts/sif/objects`): the description reads, writes, checks and
//! documents it. A census set becomes the contacts of a day by the rules in `publish`; what happened between two nights
//! is the difference of two such sets, so an event is never guessed from a change of one row. The other objects of a
//! student are read into facts of their domains.
//!
//! Objects name each other by RefId. A delivery is read twice: once for what the RefIds stand for, once for the facts, so
//! that the order of files and objects does not matter. The XML comes from outside: see `xml.rs`.
//!
//! Start with [`Delivery`] and [`CensusSet`] for loading, [`convert`] for files.

mod census;
mod check;
mod config;
pub mod convert;
mod describe;
mod difference;
mod elements;
mod facts;
mod index;
mod json;
mod load;
mod nightly;
mod print;
mod publish;
mod shape;
mod stream;

#[cfg(test)]
mod tests;

use census::school_year as census_year;
pub use census::{FILES as CENSUS_FILES, is_set as is_census_set};
pub use config::Config;
pub use describe::{objects_page, page};
pub(crate) use elements::elements;
pub use load::{CensusSet, Delivery, Open};
pub use nightly::{Night, nightly};
pub use stream::{looks_like_sif, turn};

/// The layout id of StudentContact, for checking, converting and describing.
pub const STUDENT_CONTACT: &str = "sif-2.7/student-contact";

/// The layout name of SIF files in receipts.
pub const LAYOUT: &str = "sif-2";
