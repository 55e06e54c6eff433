//! Who is who: students of the state, clients of the agencies, and which client is which student.
//!
//! A wrong match discloses a stranger's record, a missed one leaves a child without help. So the matcher measures its
//! own certainty, links only where it is all but sure, and leaves the rest to a person, with its reasons.
//!
//! The matching engine is pure: no database, no clock, no ambient randomness; the same input gives the same bytes.
//! Read it in the order in which a pair travels:
//!
//! - `person`, `corpus`: what is known about each person, interned once (`normalise`, `nickname`, `lexicon`,
//!   `frequency`);
//! - `block`, `screen`, `candidates`: which pairs are compared at all;
//! - `levels`, `compare`: which level of agreement each comparison reaches;
//! - `model`, `weights`, `em`: how much evidence a level is, learnt without labels;
//! - `decide`: probabilities, one-to-one matching, guards, outcomes;
//! - `matcher`: all of that as one thing; `link`: the same for two files.
//!
//! In the exchange, [`persons`] turns state ids into source persons and students, [`roster`] reads an agency's list,
//! [`population`] turns it into intervals of authority, and [`matching`] joins clients with students. [`placement`] keeps, apart from all that, which clients
//! are in a facility.
//!
//! Names, birth dates and state identifiers live in this crate alone. Nothing in it prints one: `Debug` and errors
//! carry positions, columns and counts.

pub mod audit;
mod block;
pub mod brought_back;
mod candidates;
pub mod closings;
mod compare;
mod config;
mod corpus;
pub mod crosswalk;
mod decide;
mod em;
pub mod erase;
mod error;
mod frequency;
mod hash;
pub mod inspection;
mod jaro;
mod levels;
mod lexicon;
mod lines;
pub mod link;
mod matcher;
pub mod matching;
mod model;
mod nickname;
mod normalise;
mod person;
pub mod persons;
pub mod placement;
pub mod population;
pub mod review;
pub mod roster;
mod screen;
mod store;
pub mod vouch;
mod weights;

pub use self::model::{LevelModel, Model, Training};
pub use block::PassReport;
pub use config::Config;
pub use corpus::{Corpus, CorpusBuilder, Side};
pub use decide::{Outcome, Reason};
pub use error::Error;
pub use matcher::{Contribution, Explanation, Levels, LinkResult, Matcher, Pair, Progress, Report};
pub use person::{Address, Person, PersonName};
