//! What is new in a record since somebody looked last. Of a look only keyed digests are kept: they tell that a row is the same, and nothing of what it says.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use model::{ConsumerId, Masked, StudentId};
use pg::Role;
use summary::WebBlock;

use crate::{error::Failure, person::Person, seal::Secret, server::Portal, store::look as store};

/// Between a block's id and a digest.
const BLOCK: char = ':';

/// Whose look it is: of a person, at a client of their agency's.
pub(crate) struct Viewing<'v> {
    pub(crate) consumer: &'v ConsumerId,
    pub(crate) person_key: &'v Masked<String>,
    /// As row-level security knows them.
    viewer: [u8; 32],
    key: Secret,
}

impl<'v> Viewing<'v> {
    pub(crate) fn new(portal: &Portal, person: &'v Person, person_key: &'v Masked<String>) -> Self {
        let key = portal.secret.derive("look");
        let viewer = key.derive("viewer").digest(&[&person.issuer, &person.subject]);
        Self { consumer: &person.standing.consumer, person_key, viewer, key }
    }

    /// What was seen last; none: this person never looked at the client.
    pub(crate) async fn find_last(&self, portal: &Portal) -> Result<Option<Look>, Failure> {
        let transaction = self.transaction("portal.find_look");
        let found = transaction
            .run(&portal.deps.pool, |tx| Box::pin(async move { Ok::<_, pg::Error>(store::find(tx, self).await?) }));
        Ok(found.await?)
    }

    /// Keeps what is seen now in place of what was.
    pub(crate) async fn keep(&self, portal: &Portal, look: &Look) -> Result<(), Failure> {
        let transaction = self.transaction("portal.keep_look");
        let kept = transaction.run(&portal.deps.pool, |tx| {
            Box::pin(async move { Ok::<_, pg::Error>(store::keep(tx, self, look).await?) })
        });
        Ok(kept.await?)
    }

    fn transaction(&self, name: &'static str) -> pg::Transaction {
        viewing(name, self.consumer, &self.viewer)
    }

    pub(crate) const fn viewer(&self) -> &[u8; 32] {
        &self.viewer
    }

    /// The rows of these blocks as a look keeps them, in their order. What stands twice in a block is told apart by its number.
    fn seen(&self, blocks: &[WebBlock]) -> Vec<String> {
        let mut times: BTreeMap<(&str, &str), usize> = BTreeMap::new();
        let mut seen = Vec::new();
        for block in blocks {
            for row in &block.rows {
                let time = times.entry((block.id, row)).or_default();
                *time += 1;
                let of = [self.consumer.as_str(), self.person_key.expose(), block.id, row, &time.to_string()];
                seen.push(format!("{}{BLOCK}{}", block.id, hex::encode(&self.key.digest(&of)[..16])));
            }
        }
        seen
    }

    /// Holds what a page says now against what was seen.
    pub(crate) fn compare(
        &self,
        blocks: &[WebBlock],
        student: StudentId,
        last: Option<&Look>,
        at: DateTime<Utc>,
    ) -> Changes {
        let seen = self.seen(blocks);
        let last = last.filter(|last| last.student == student);
        let mut changes = Changes { since: last.map(|last| last.at), ..Changes::default() };
        if let Some(last) = last {
            let before: BTreeSet<&str> = last.seen.iter().map(String::as_str).collect();
            let mut rows = seen.iter();
            for block in blocks {
                for (number, _) in block.rows.iter().enumerate() {
                    if rows.next().is_some_and(|one| !before.contains(one.as_str())) {
                        changes.rows.insert((block.id, number));
                    }
                }
                let new = changes.rows.iter().filter(|(id, _)| *id == block.id).count();
                if new > 0 {
                    changes.blocks.push(Changed { id: block.id, title: block.title.clone(), new });
                }
            }
        }
        changes.look = Some(Look { student, at, seen });
        changes
    }
}

/// A transaction of somebody about a client of their agency's: row-level security shows what is theirs.
pub(crate) fn viewing(name: &'static str, consumer: &ConsumerId, viewer: &[u8; 32]) -> pg::Transaction {
    pg::transaction(name, Role::Portal).setting("consumer", consumer.as_str()).setting("viewer", hex::encode(viewer))
}

/// What somebody saw.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Look {
    pub(crate) student: StudentId,
    pub(crate) at: DateTime<Utc>,
    /// One item a row: its block, a colon, a digest.
    pub(crate) seen: Vec<String>,
}

/// What is new since.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Changes {
    /// The look it is held against; none: there was none at this student's record.
    pub(crate) since: Option<DateTime<Utc>>,
    /// Blocks in which something changed, in the order of the page.
    pub(crate) blocks: Vec<Changed>,
    rows: BTreeSet<(&'static str, usize)>,
    /// What is seen now.
    pub(crate) look: Option<Look>,
}

impl Changes {
    pub(crate) fn is_new(&self, block: &str, row: usize) -> bool {
        self.rows.iter().any(|(id, number)| *id == block && *number == row)
    }
}

/// A block in which something changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Changed {
    pub(crate) id: &'static str,
    pub(crate) title: String,
    /// Rows that are new or say something else. How many went is never said: it would tell of an order that seals or expunges.
    pub(crate) new: usize,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blocks(rows: &[&str]) -> Vec<WebBlock> {
        let rows = rows.iter().map(|row| (*row).to_owned()).collect();
        vec![WebBlock { id: "schools", title: "Schools".to_owned(), rows, is_repeated: false }]
    }

    #[test]
    fn what_is_new_is_what_was_not_seen_of_the_same_student() {
        let (consumer, person_key) = ("dcf".parse().unwrap(), Masked::new("D1".to_owned()));
        let viewing =
            Viewing { consumer: &consumer, person_key: &person_key, viewer: [0; 32], key: Secret::new([1; 32]) };
        let (student, at) = (StudentId(uuid::Uuid::nil()), DateTime::<Utc>::MIN_UTC);
        let first = viewing.compare(&blocks(&["a", "a", "b"]), student, None, at);
        assert!(first.since.is_none() && first.blocks.is_empty() && !first.is_new("schools", 0));
        let look = first.look.unwrap();
        assert!(look.seen.iter().all(|one| one.len() == "schools:".len() + 32), "{look:?}");
        let check = |rows: &[&str], expect: Option<usize>, new: &[usize]| {
            let changes = viewing.compare(&blocks(rows), student, Some(&look), at);
            assert_eq!(changes.blocks.first().map(|one| one.new), expect, "{rows:?}");
            let marked: Vec<usize> = (0..rows.len()).filter(|row| changes.is_new("schools", *row)).collect();
            assert_eq!(marked, new, "{rows:?}");
        };
        check(&["a", "a", "b"], None, &[]);
        check(&["b", "a", "a"], None, &[]);
        check(&["a", "c", "a", "b"], Some(1), &[1]);
        check(&["a", "b"], None, &[]);
        check(&["a", "a", "c"], Some(1), &[2]);
        check(&["a", "a", "a", "b"], Some(1), &[2]);
        let another = StudentId(uuid::Uuid::max());
        assert_eq!(viewing.compare(&blocks(&["c"]), another, Some(&look), at).since, None);
        let other = Viewing { person_key: &Masked::new("D2".to_owned()), key: Secret::new([1; 32]), ..viewing };
        assert_ne!(other.compare(&blocks(&["a", "a", "b"]), student, None, at).look.unwrap().seen, look.seen);
    }
}
