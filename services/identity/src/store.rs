//! All SQL of identity, by topic.

pub(crate) mod inspection;
pub(crate) mod matches;
pub(crate) mod persons;
pub(crate) mod rosters;
