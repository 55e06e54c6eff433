//! The way in: a state's files become records, records become facts, and what is wrong becomes findings.
//!
//! A file's shape is data (a [`Layout`], one TOML file each), so one description reads, writes, checks and documents it.
//! Reading gives [`Item`]s one after the other in bounded memory; a bad record is an item too, never an error, and never stops
//! the good ones. Nothing here knows what a fact is used for, who may see it, or how a history is made.
//!
//! Start with [`Item`], then [`layouts`] and [`read`]; [`load`] takes items into the database, [`roster`] an agency's clients.

pub mod archive;
pub mod batches;
pub mod check;
pub mod convert;
pub mod describe;
pub mod edfi;
pub mod erase;
mod error;
mod finding;
pub mod findings_file;
mod item;
mod json_lines;
mod layout;
pub mod layouts;
pub mod lineage;
pub mod load;
pub mod packs;
pub mod placement;
pub mod produce;
pub mod read;
pub mod restriction;
pub mod roster;
pub mod sif;
mod store;
mod write;
mod xml;

pub use error::Error;
pub use finding::FindingKinds;
/// The secret of tombstones, for whoever wires a load.
pub use history::TombstoneKey;
pub use item::{Counted, Dependent, Description, Finding, Item, OrganizationRecord, RecordType, Reference, Severity};
pub use layout::{
    Characters, Condition, DateForm, DigitCount, Field, FieldKind, Format, Layout, Record, Requirement, Rule, RuleKind,
    Status, Test,
};
pub use write::RecordWriter;
