//! Papers that a recipient's rosters report: on file for as long as they are reported, and about the child they were given for.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use model::ConsumerId;

use crate::{canonical::Digest, evidence::NewInstrument};

/// The reason a paper bears that a roster reported.
pub const REPORTED: &str = "reported by the recipient's roster";

/// What a roster says of papers. Clients are named by the recipient's own person ids.
#[derive(Clone, Copy, Debug)]
pub struct Reported<'a> {
    /// Whose roster it is.
    pub consumer: &'a ConsumerId,
    /// The papers it reports.
    pub papers: &'a [NewInstrument],
    /// The clients it speaks of; `None`: all of the consumer's, so that whatever it does not report is taken back.
    pub clients: Option<&'a BTreeSet<String>>,
    /// Clients of whom it says nothing that can be used: their papers stay.
    pub held: &'a BTreeSet<String>,
    /// Ids that mean another child than before: no paper about the child before opens this one's record.
    pub other_child: &'a BTreeSet<String>,
}

/// What became of the papers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settled {
    /// Releases newly put on file.
    pub filed: u64,
    /// Orders newly put on file: two stewards had approved them.
    pub approved: u64,
    /// Papers that are in force no longer.
    pub revoked: u64,
    /// Orders that are not on file: each opens nothing until two stewards approve it and a roster reports it again. A request for each is on file.
    pub orders: Vec<NewInstrument>,
}

/// A reported paper in force.
#[derive(Clone, Debug)]
pub(crate) struct OnFile {
    pub(crate) digest: Digest,
    pub(crate) person_key: String,
    pub(crate) kind: String,
    pub(crate) reference: String,
    pub(crate) valid_from: DateTime<Utc>,
    pub(crate) valid_to: Option<DateTime<Utc>>,
}

/// What makes two reports the same paper, the first day apart.
type Same<'a> = (&'a str, &'a str, &'a str, Option<DateTime<Utc>>);

/// Which papers on file are reported no longer, and which reported ones are not on file. A paper that was taken back and reported again is on
/// file from a later day than the report says.
pub(crate) fn compare<'a>(reported: &Reported<'a>, on_file: &[OnFile]) -> (Vec<Digest>, Vec<&'a NewInstrument>) {
    let mut stated: BTreeMap<Same<'_>, &NewInstrument> = BTreeMap::new();
    for paper in reported.papers {
        let same =
            (paper.person_key.expose().as_str(), paper.kind.as_str(), paper.reference.as_str(), paper.in_force.to);
        stated.entry(same).or_insert(paper);
    }
    let mut gone = Vec::new();
    for paper in on_file {
        let same = (paper.person_key.as_str(), paper.kind.as_str(), paper.reference.as_str(), paper.valid_to);
        if stated.get(&same).is_some_and(|said| said.in_force.from <= paper.valid_from) {
            stated.remove(&same);
            continue;
        }
        let is_spoken_of = reported.clients.is_none_or(|clients| clients.contains(&paper.person_key));
        if is_spoken_of && !reported.held.contains(&paper.person_key) {
            gone.push(paper.digest);
        }
    }
    (gone, stated.into_values().collect())
}
