//! What was disclosed on a wrong match, or of records erased since: found in the ledger, and queued to be called back from whoever holds it.

use chrono::{DateTime, Utc};
use identity::crosswalk::{Link, Moved};
use ledger::{Audience, Kind, RecordedEntry};
use model::{DisclosureId, Masked, StudentId};
use pg::{Role, Tx};

use crate::{Error, store::recall as store};

/// Why disclosures are called back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// A client was matched with the wrong student.
    MatchUndone,
    /// A student proved to be two children.
    CrosswalkMoved,
    /// What was disclosed has been erased by order or at the end of retention.
    Erased,
}

impl Cause {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::MatchUndone => "match_undone",
            Self::CrosswalkMoved => "crosswalk_moved",
            Self::Erased => "erased",
        }
    }
}

/// A disclosure that must be called back.
#[derive(Clone, Debug)]
pub struct Recalled {
    /// The disclosure.
    pub disclosure: DisclosureId,
    /// To whom it was made.
    pub consumer: model::ConsumerId,
    /// The client under whose id it is held.
    pub person_key: Masked<String>,
    /// The student it was of.
    pub student: StudentId,
    /// When it was made.
    pub disclosed_at: DateTime<Utc>,
    /// How it was delivered.
    pub delivery: String,
}

/// Lists and queues what was disclosed on a match that was undone, in the transaction that undoes it. The same disclosure is queued once.
pub async fn queue_match(
    tx: &mut Tx<'_, '_>,
    link: &Link,
    (by, at): (&str, DateTime<Utc>),
) -> Result<Vec<Recalled>, Error> {
    let found = list(tx, link, link.since).await?;
    enter(tx, Cause::MatchUndone, &found, (by, at)).await?;
    Ok(found)
}

/// The same for a student who proved to be two: what was disclosed of either, to anybody matched with them, since they had been one.
pub async fn queue_move(
    tx: &mut Tx<'_, '_>,
    moved: &Moved,
    (by, at): (&str, DateTime<Utc>),
) -> Result<Vec<Recalled>, Error> {
    let Some(since) = moved.wrong_since else { return Ok(Vec::new()) };
    let mut found = Vec::new();
    for link in moved.links.iter().filter(|link| link.student == moved.from) {
        found.extend(list(tx, link, since).await?);
    }
    enter(tx, Cause::CrosswalkMoved, &found, (by, at)).await?;
    Ok(found)
}

/// The disclosures of a student to an agency since a moment, from the ledger, oldest first.
async fn list(tx: &mut Tx<'_, '_>, link: &Link, since: DateTime<Utc>) -> Result<Vec<Recalled>, Error> {
    tx.act_as(Role::Ledger).await?;
    let mut found = Vec::new();
    let mut after = None;
    loop {
        let page = ledger::disclosures_of(tx, link.student, Audience::Auditor, after, ledger::PAGE_ENTRIES_MAX).await?;
        after = page.last().map(RecordedEntry::cursor);
        let ours = |entry: &&RecordedEntry| {
            entry.kind == Kind::Disclosure && entry.consumer == link.consumer && entry.decided_at >= since
        };
        found.extend(page.iter().filter(ours).map(|entry| Recalled {
            disclosure: entry.id,
            consumer: link.consumer.clone(),
            person_key: link.person_key.clone(),
            student: link.student,
            disclosed_at: entry.decided_at,
            delivery: entry.delivery.to_string(),
        }));
        if page.len() < ledger::PAGE_ENTRIES_MAX as usize {
            return Ok(found);
        }
    }
}

pub(crate) async fn enter(
    tx: &mut Tx<'_, '_>,
    cause: Cause,
    found: &[Recalled],
    (by, at): (&str, DateTime<Utc>),
) -> Result<(), Error> {
    tx.act_as(Role::Disclosure).await?;
    for of_one in found.chunk_by(|a, b| a.consumer == b.consumer) {
        let Some(first) = of_one.first() else { continue };
        tx.set("consumer", first.consumer.as_str()).await?;
        store::insert_recalls(tx, cause.name(), of_one, by, at).await?;
    }
    Ok(())
}
