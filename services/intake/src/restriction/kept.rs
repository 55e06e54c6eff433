//! Orders, undone matches and parted students as they are kept outside the database, and taking them back in after the database was set back. Nobody is
//! named there: persons and clients are keyed hashes.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use history::TombstoneKey;
use identity::{
    brought_back::{self, Awaited, AwaitedUndoing, Known, Whose},
    crosswalk::{Author, Moved},
    review::Decided,
};
use model::{BatchId, ConsumerId, Domain, NaturalKey, SourcePersonId, StudentId};
use pg::{Role, Tx};

use super::{Move, RestrictionError, shift};

/// Persons read at once.
const PAGE: u32 = 10_000;

/// A keyed hash of a person's or client's id.
pub type IdHash = [u8; 32];

/// A match that a person undid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UndoneMatch {
    /// The agency.
    pub consumer: ConsumerId,
    /// Its client.
    pub client: IdHash,
    /// The persons who were the student.
    pub persons: Vec<IdHash>,
    /// When it ended.
    pub undone_at: DateTime<Utc>,
    /// A person said that it is another child; otherwise the client waits for a person.
    pub is_refused: bool,
}

/// A student who proved to be two.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartedStudent {
    /// Who left.
    pub persons: Vec<IdHash>,
    /// Whom they left.
    pub with: Vec<IdHash>,
    /// When.
    pub at: DateTime<Utc>,
}

/// What is kept outside.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Kept {
    /// Orders.
    pub orders: Vec<Awaited>,
    /// Undone matches.
    pub undone: Vec<UndoneMatch>,
    /// Parted students.
    pub parted: Vec<PartedStudent>,
}

/// The last times that are kept of each kind: what is listed is of then or later.
#[derive(Clone, Copy, Debug)]
pub struct Since {
    /// Of orders.
    pub orders: DateTime<Utc>,
    /// Of undone matches.
    pub undone: DateTime<Utc>,
    /// Of parted students.
    pub parted: DateTime<Utc>,
}

fn hash_of(key: &TombstoneKey, known: &Known) -> IdHash {
    key.hash_person(&known.sea, known.state_id.expose().as_bytes())
}

/// What was ordered, undone or parted since. Leaves the transaction in the role of identity.
pub async fn list(tx: &mut Tx<'_, '_>, key: &TombstoneKey, since: Since) -> Result<Kept, RestrictionError> {
    tx.act_as(Role::History).await?;
    let of_domains = history::list_restrictions(tx, since.orders).await?;
    tx.act_as(Role::Identity).await?;
    let mut kept = Kept::default();
    for order in brought_back::list_orders(tx, since.orders).await? {
        kept.orders.push(Awaited {
            person_hash: key.hash_person(&order.sea, order.state_id.expose().as_bytes()),
            domain: order.domain,
            natural_key: None,
            kind: order.kind,
            from: order.from,
            order_number: order.order_number,
            decided_by: order.decided_by,
            recorded_at: order.recorded_at,
        });
    }
    let persons: Vec<SourcePersonId> =
        of_domains.iter().map(|one| one.person).collect::<BTreeSet<_>>().into_iter().collect();
    let hashes = hashes_of(tx, key, Whose::Persons(&persons)).await?;
    for order in of_domains {
        let Some(hash) = hashes.get(&order.person) else { continue };
        kept.orders.push(Awaited {
            person_hash: *hash,
            domain: Some(order.domain),
            natural_key: order.natural_key,
            kind: order.kind,
            from: order.from,
            order_number: order.order_number,
            decided_by: order.decided_by,
            recorded_at: order.recorded_at,
        });
    }
    for one in brought_back::list_undone(tx, since.undone).await? {
        let persons = hashes_of(tx, key, Whose::Students(&[one.student])).await?.into_values().collect();
        kept.undone.push(UndoneMatch {
            client: key.hash_client(&one.consumer, one.person_key.expose()),
            consumer: one.consumer,
            persons,
            undone_at: one.undone_at,
            is_refused: one.is_refused,
        });
    }
    for one in brought_back::list_parted(tx, since.parted).await? {
        let persons = hashes_of(tx, key, Whose::Persons(&one.persons)).await?.into_values().collect();
        let with = hashes_of(tx, key, Whose::Persons(&one.with)).await?.into_values().collect();
        kept.parted.push(PartedStudent { persons, with, at: one.at });
    }
    Ok(kept)
}

/// The hashes of these persons; nobody is asked for: nothing.
async fn hashes_of(
    tx: &mut Tx<'_, '_>,
    key: &TombstoneKey,
    whose: Whose<'_>,
) -> Result<BTreeMap<SourcePersonId, IdHash>, RestrictionError> {
    if matches!(whose, Whose::Persons([])) {
        return Ok(BTreeMap::new());
    }
    let known = brought_back::list_known(tx, whose, u32::MAX).await?;
    Ok(known.iter().map(|known| (known.person, hash_of(key, known))).collect())
}

/// Everybody whose hash is among these, with the student they are.
async fn find_all(
    tx: &mut Tx<'_, '_>,
    key: &TombstoneKey,
    wanted: &BTreeSet<IdHash>,
) -> Result<BTreeMap<IdHash, (SourcePersonId, StudentId)>, RestrictionError> {
    let (mut found, mut after) = (BTreeMap::new(), SourcePersonId(0));
    if wanted.is_empty() {
        return Ok(found);
    }
    loop {
        let page = brought_back::list_known(tx, Whose::Behind(after), PAGE).await?;
        let Some(last) = page.last() else { return Ok(found) };
        after = last.person;
        for known in &page {
            let hash = hash_of(key, known);
            if wanted.contains(&hash) {
                found.insert(hash, (known.person, known.student));
            }
        }
    }
}

/// What bringing back did.
#[derive(Debug, Default)]
pub struct Brought {
    /// Orders that were not in force, or not kept for somebody.
    pub orders: u64,
    /// Words on clients that did not stand.
    pub words: u64,
    /// Matches that ended: what was disclosed on them is called back.
    pub ended: Vec<Decided>,
    /// Students who were parted.
    pub moved: Vec<Moved>,
}

impl Brought {
    /// How much of it the database did not know.
    pub fn changed(&self) -> u64 {
        self.orders + self.words + self.moved.len() as u64
    }
}

/// Takes in what is kept outside: orders come into force, matches end, students part. What is about somebody whom the database does not know waits for them.
/// `new_student` draws the id of a student who leaves another.
pub async fn bring_back(
    tx: &mut Tx<'_, '_>,
    key: &TombstoneKey,
    kept: &Kept,
    (new_student, at): (&(dyn Fn() -> StudentId + Sync), DateTime<Utc>),
) -> Result<Brought, RestrictionError> {
    let mut brought = Brought::default();
    let lacking = list_lacking(tx, key, &kept.orders).await?;
    let of_orders = lacking.iter().map(|order| order.person_hash);
    let of_parted = kept.parted.iter().flat_map(|one| one.persons.iter().chain(&one.with).copied());
    let wanted: BTreeSet<IdHash> = of_orders.chain(of_parted).collect();
    tx.act_as(Role::Identity).await?;
    let found = find_all(tx, key, &wanted).await?;
    let mut awaited = Vec::new();
    for order in lacking {
        match found.get(&order.person_hash) {
            Some((person, _)) => brought.orders += u64::from(enforce(tx, *person, order).await?),
            None => awaited.push(order.clone()),
        }
    }
    tx.act_as(Role::Identity).await?;
    brought.orders += brought_back::keep_orders(tx, &awaited).await?;
    for one in &kept.parted {
        brought.moved.extend(part(tx, &found, one, (new_student(), at)).await?);
    }
    tx.act_as(Role::Identity).await?;
    let undoings: Vec<AwaitedUndoing> = kept.undone.iter().flat_map(UndoneMatch::each).collect();
    let waiting = brought_back::keep_undoings(tx, &undoings).await?;
    let settled = bring_undoings(tx, key, at).await?;
    // What waits on is news too: a match that would be made anew must not be.
    brought.words = settled.changed + waiting.saturating_sub(settled.looked_at);
    brought.ended = settled.ended;
    Ok(brought)
}

impl UndoneMatch {
    fn each(&self) -> impl Iterator<Item = AwaitedUndoing> + '_ {
        self.persons.iter().map(|person| AwaitedUndoing {
            consumer: self.consumer.clone(),
            client_hash: self.client,
            person_hash: *person,
            undone_at: self.undone_at,
            is_refused: self.is_refused,
        })
    }
}

/// The orders that are neither in force as long as they were entered for, nor kept for somebody whom the state has not reported. No order is ended by
/// anybody: one that stands with an end, or begins later, is lacking. Leaves the transaction in the role of identity.
async fn list_lacking<'o>(
    tx: &mut Tx<'_, '_>,
    key: &TombstoneKey,
    orders: &'o [Awaited],
) -> Result<Vec<&'o Awaited>, RestrictionError> {
    tx.act_as(Role::Identity).await?;
    if orders.is_empty() {
        return Ok(Vec::new());
    }
    let known = brought_back::list_orders(tx, DateTime::UNIX_EPOCH).await?;
    // Only orders without an end are listed.
    let mut begins: BTreeMap<(IdHash, Option<i16>, String, String), DateTime<Utc>> = BTreeMap::new();
    for order in known {
        let hash = key.hash_person(&order.sea, order.state_id.expose().as_bytes());
        let from = begins.entry((hash, order.domain, order.kind, order.order_number)).or_insert(order.from);
        *from = order.from.min(*from);
    }
    let lacks = |order: &&Awaited| {
        let named = (order.person_hash, order.domain, order.kind.clone(), order.order_number.clone());
        order.natural_key.is_some() || begins.get(&named).is_none_or(|from| *from > order.from)
    };
    Ok(orders.iter().filter(lacks).collect())
}

/// Brings an order about a known person into force; says whether it was not. Leaves the transaction in whatever role it needed.
async fn enforce(tx: &mut Tx<'_, '_>, person: SourcePersonId, order: &Awaited) -> Result<bool, RestrictionError> {
    let what = (order.kind.as_str(), order.order_number.as_str(), order.decided_by.as_str());
    let Some(code) = order.domain else {
        tx.act_as(Role::Identity).await?;
        return Ok(identity::persons::restrict(tx, person, what, order.from, order.recorded_at).await?);
    };
    let domain = Domain::from_code(code).ok_or(identity::Error::Conflict("an order is about an unknown domain"))?;
    let fact = order.natural_key.map(|key| NaturalKey(*key.as_bytes()));
    identity::persons::stop_disclosures(tx).await?;
    tx.act_as(Role::History).await?;
    Ok(history::restrict_again(tx, (person, domain, fact), what, order.from, order.recorded_at).await?)
}

/// Parts whoever is one student again with whom they left.
async fn part(
    tx: &mut Tx<'_, '_>,
    found: &BTreeMap<IdHash, (SourcePersonId, StudentId)>,
    one: &PartedStudent,
    (new, at): (StudentId, DateTime<Utc>),
) -> Result<Option<Moved>, RestrictionError> {
    let stayed: BTreeSet<StudentId> =
        one.with.iter().filter_map(|hash| found.get(hash)).map(|(_, student)| *student).collect();
    let joined: BTreeMap<StudentId, Vec<SourcePersonId>> =
        one.persons.iter().filter_map(|hash| found.get(hash)).filter(|(_, student)| stayed.contains(student)).fold(
            BTreeMap::new(),
            |mut of, (person, student)| {
                of.entry(*student).or_default().push(*person);
                of
            },
        );
    let Some((_, persons)) = joined.into_iter().next() else { return Ok(None) };
    let author = Author { by: "the control journal", reason: "parted before the database was set back", at };
    let (moved, _) = shift(tx, &Move::Unmerge(persons, new), author).await?;
    Ok(Some(moved))
}

/// What became of undone matches that waited.
#[derive(Debug, Default)]
pub struct Settled {
    /// How many changed something.
    pub changed: u64,
    /// How many were looked at and wait no longer.
    pub looked_at: u64,
    /// Matches that ended.
    pub ended: Vec<Decided>,
}

/// Ends, or keeps from being made, what waits of undone matches, as far as client and person are known by now. To be called before clients are matched.
pub async fn bring_undoings(
    tx: &mut Tx<'_, '_>,
    key: &TombstoneKey,
    at: DateTime<Utc>,
) -> Result<Settled, RestrictionError> {
    tx.act_as(Role::Identity).await?;
    let waiting = brought_back::list_undoings(tx).await?;
    let mut settled = Settled::default();
    if waiting.is_empty() {
        return Ok(settled);
    }
    let persons = find_all(tx, key, &waiting.iter().map(|one| one.person_hash).collect()).await?;
    let mut clients: BTreeMap<IdHash, i64> = BTreeMap::new();
    for consumer in waiting.iter().map(|one| &one.consumer).collect::<BTreeSet<_>>() {
        for (client, person_key) in brought_back::list_clients(tx, consumer).await? {
            clients.insert(key.hash_client(consumer, person_key.expose()), client);
        }
    }
    for one in &waiting {
        let (Some((_, student)), Some(client)) = (persons.get(&one.person_hash), clients.get(&one.client_hash)) else {
            continue;
        };
        let of = (one.undone_at, one.is_refused);
        let (changed, decided) = brought_back::undo_again(tx, (&one.consumer, *client), *student, of, at).await?;
        brought_back::forget_undoing(tx, one).await?;
        settled.looked_at += 1;
        settled.changed += u64::from(changed);
        settled.ended.push(decided);
    }
    Ok(settled)
}

/// Brings the orders that wait for somebody whom a batch introduced into force, in the transaction of its load. Leaves it in the role of identity.
pub(crate) async fn bring_orders(
    tx: &mut Tx<'_, '_>,
    key: &TombstoneKey,
    batch: BatchId,
) -> Result<(), RestrictionError> {
    tx.act_as(Role::Identity).await?;
    let awaited = brought_back::list_awaited(tx).await?;
    if awaited.is_empty() {
        return Ok(());
    }
    let introduced = brought_back::list_known(tx, Whose::Batch(batch), u32::MAX).await?;
    let by_hash: BTreeMap<IdHash, SourcePersonId> =
        introduced.iter().map(|known| (hash_of(key, known), known.person)).collect();
    for order in &awaited {
        if let Some(person) = by_hash.get(&order.person_hash) {
            enforce(tx, *person, order).await?;
            tx.act_as(Role::Identity).await?;
            brought_back::forget_order(tx, order).await?;
        }
    }
    Ok(())
}
