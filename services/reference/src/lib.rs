//! Reference data: what codes mean. Organizations by the name they had, code tables by school year, and what is collected by when; each row
//! verified or provisional.
//!
//! Organizations live in the database, because states send them; code tables and collection calendars live in files beside this crate, because
//! they come with a layout. Nothing here knows a student.
//!
//! Start with [`Organizations`](domains::Organizations) as [`load_organizations`] gives them, or [`OrganizationCache`] again.

pub mod collections;
mod error;
mod organization;
mod store;
pub mod tables;

pub use error::Error;
pub use organization::{CT_ORGANIZATIONS, OrganizationName, other_agency, revealing_codes, shipped_organizations};
pub use store::{OrganizationCache, load_organizations, record_organizations};
