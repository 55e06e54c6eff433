//! Agreements: what the SEA may disclose to whom, for what, on which ground, of which students and until when.
//!
//! An agreement is a document a lawyer reads, and the program runs on exactly that document:
//!
//! - [`check`] reads it and names every mistake at once; [`parse`] gives its [`Terms`], every element by name.
//! - The canonical form of the terms is hashed; two registered stewards sign the hash ([`Approval`]); [`Agreements`] then
//!   brings the version into force, and verifies hash and signatures whenever it is loaded.
//! - [`decide`] is a pure function: request, facts about the student, terms in force and time give a [`Grant`] or a
//!   [`Denial`]. Its twin is the view `agreements.rule`, the same terms as rows, which `disclosure` joins in the statement
//!   that reads.
//! - [`explain`], [`matrix`] and [`diff`] say the same to people.
//!
//! For one purpose and legal basis at most one clause speaks about a domain, so everything disclosed has exactly one clause
//! behind it. Of several bases that hold, the first in the document's order decides. What the program does not know, it
//! refuses: an unknown field, element, basis or condition never widens anything.
//!
//! This crate knows no student: a client is what a roster says, by the agency's own id, and the facts of a decision are
//! handed in. It reads no clock.
//!
//! Start with [`Terms`], then [`decide`], then [`Agreements`].

mod approval;
mod audit;
mod canonical;
mod certifying;
mod closings;
mod decide;
mod diff;
mod document;
mod draft;
mod element_set;
mod error;
mod evidence;
mod explain;
mod finding;
mod in_force;
mod interval;
mod joining;
mod matrix;
mod named;
mod opening;
mod registry;
mod reported;
mod request;
mod rule;
mod store;
mod terms;
mod unsealing;
mod vouching;

pub use approval::{Act, Approval, ApprovalError, Steward, Stewards};
pub use audit::{Altered, Audit, Unused};
pub use canonical::{Digest, canonical};
pub use closings::{EndedVersion, RevokedCertification};
pub use decide::{Actor, Authority, Denial, Grant, Permit, Phase, Reason, Request, Subject, decide, runs, stands};
pub use diff::diff;
pub use document::{Checked, Surroundings, check, check_among, parse};
pub use draft::{Draft, Trial, try_on};
pub use element_set::{ElementSet, UnknownElement};
pub use error::Error;
pub use evidence::{Instrument, InstrumentKind, NewCertification, NewInstrument, Paper, REASON_BYTES_MAX};
pub use explain::{Explanation, explain};
pub use finding::{Finding, Severity};
pub use in_force::{Ended, InForce, Plan};
pub use interval::{Interval, end_of_day, majority_at, start_of_day};
pub use joining::{JoinKind, JoinRequest};
pub use matrix::{matrix, matrix_in_force};
pub use named::UnknownName;
pub use opening::Opening;
pub use registry::{Agreements, Proposal, VersionSummary};
pub use reported::{REPORTED, Reported, Settled};
pub use request::{Asked, ClientNamed, EraseRequest, ExportRequest, FactNamed, FiledRequest, OpenRequest, UsedRequest};
pub use terms::{
    Access, Amendment, Audience, Audiences, Basis, Clause, Condition, Delivery, Evidence, FORMAT, LegalBasis,
    OnwardParty, Party, PartyKind, PartyRole, PlacementElement, PlacementNotice, Population, PopulationRule, Purpose,
    REACH, Reach, Records, Redisclosure, Retention, Role, SchoolYears, Scope, Showing, System, Terms,
};
pub use unsealing::UnsealRequest;
pub use vouching::ReleaseKey;
