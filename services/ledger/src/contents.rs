//! What a copy of a record of disclosures holds, before anything of it is read: a few bytes an entry, so that a long record is read and written page by
//! page and nobody waits for the last entry to see the first.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use model::{DisclosureId, StudentId};

use crate::{
    error::Error,
    record::{Cursor, RecordedEntry},
    terms::{Audience, Showing},
};

/// An entry of a record, by what decides where it stands and who sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Listed {
    pub(crate) id: DisclosureId,
    pub(crate) decided_at: DateTime<Utc>,
    pub(crate) student: Option<StudentId>,
    pub(crate) showing: Showing,
}

/// The entries of a record as one audience may have it, oldest first. Only the ledger's own listing makes one, so that no page shows an audience an entry
/// that was not found for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contents {
    pub(crate) audience: Audience,
    /// Whether it is about named students: whoever is not known any more is not shown then.
    pub(crate) is_of_students: bool,
    pub(crate) listed: Vec<Listed>,
}

impl Contents {
    /// How many entries.
    pub const fn len(&self) -> usize {
        self.listed.len()
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.listed.is_empty()
    }

    /// Whether a steward looks at any of it before the audience does.
    pub fn needs_review(&self) -> bool {
        self.listed.iter().any(|entry| entry.showing == Showing::AfterReview)
    }

    /// The students it is about.
    pub fn students(&self) -> BTreeSet<StudentId> {
        self.listed.iter().filter_map(|entry| entry.student).collect()
    }

    /// Where to go on behind the last entry.
    pub fn cursor(&self) -> Option<Cursor> {
        self.listed.last().map(|last| Cursor { decided_at: last.decided_at, id: last.id })
    }

    fn page(&self, from: usize, limit: u32) -> impl Iterator<Item = &Listed> {
        self.listed.iter().skip(from).take(limit.min(crate::PAGE_ENTRIES_MAX) as usize)
    }

    /// The ids of a page.
    pub(crate) fn ids(&self, from: usize, limit: u32) -> Vec<uuid::Uuid> {
        self.page(from, limit).map(|entry| entry.id.0).collect()
    }

    /// Whether these entries are those of the page, with the times and for the audiences that were listed.
    pub(crate) fn is_said_by(&self, from: usize, limit: u32, entries: &[RecordedEntry]) -> bool {
        let listed = self.page(from, limit).map(|one| (one.id, one.decided_at, one.showing));
        listed.eq(entries.iter().map(|entry| (entry.id, entry.decided_at, entry.showing)))
    }

    /// Leaves entries out.
    pub fn hold_back(&mut self, held: &BTreeSet<uuid::Uuid>) {
        self.listed.retain(|entry| !held.contains(&entry.id.0));
    }

    /// Adds those of other students, or of the next page. Both are for one audience.
    pub fn add(&mut self, other: Self) -> Result<(), Error> {
        if (other.audience, other.is_of_students) != (self.audience, self.is_of_students) {
            return Err(Error::Invalid("two records of disclosures for different audiences are not one"));
        }
        let is_behind = self.cursor().map(key) < other.listed.first().map(|first| (first.decided_at, first.id));
        self.listed.extend(other.listed);
        if !is_behind {
            self.listed.sort_unstable_by_key(|entry| (entry.decided_at, entry.id));
        }
        Ok(())
    }
}

const fn key(cursor: Cursor) -> (DateTime<Utc>, DisclosureId) {
    (cursor.decided_at, cursor.id)
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn contents(audience: Audience, at: &[i64]) -> Contents {
        let listed = at.iter().map(|&second| Listed {
            id: DisclosureId(Uuid::from_u128(second as u128)),
            decided_at: DateTime::UNIX_EPOCH + chrono::TimeDelta::seconds(second),
            student: Some(StudentId(Uuid::from_u128(second as u128 % 2))),
            showing: if second == 7 { Showing::AfterReview } else { Showing::Open },
        });
        Contents { audience, is_of_students: true, listed: listed.collect() }
    }

    #[test]
    fn parts_of_a_record_are_one_in_the_order_of_time() {
        for (first, second) in [(&[1, 2][..], &[3, 7][..]), (&[2, 7], &[1, 3]), (&[], &[1, 2, 3, 7])] {
            let mut whole = contents(Audience::Auditor, first);
            whole.add(contents(Audience::Auditor, second)).unwrap();
            assert_eq!(whole, contents(Audience::Auditor, &[1, 2, 3, 7]));
            assert!(whole.needs_review() && whole.students().len() == 2);
            whole.hold_back(&BTreeSet::from([Uuid::from_u128(7)]));
            assert!(whole.len() == 3 && !whole.needs_review());
        }
    }

    #[test]
    fn a_record_for_one_audience_takes_nothing_of_anothers() {
        let mut parents = contents(Audience::Parent, &[1]);
        assert!(parents.add(contents(Audience::Auditor, &[2])).is_err());
        assert_eq!(parents.len(), 1);
    }
}
