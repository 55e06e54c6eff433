//! All SQL of identity, by topic.

pub(crate) mod audit;
pub(crate) mod brought_back;
pub(crate) mod closings;
pub(crate) mod crosswalk;
pub(crate) mod erase;
pub(crate) mod inspection;
pub(crate) mod matches;
pub(crate) mod persons;
pub(crate) mod placements;
pub(crate) mod review;
pub(crate) mod rosters;
pub(crate) mod vouch;
