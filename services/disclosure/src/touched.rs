//! Whom something has touched since they were delivered last: nobody else is read.
//!
//! A stamp is taken over everything that the content rests on. It is a function of the state, not of what happened to it: a restriction that ends by
//! itself, a bound that moves with the days and a load that undoes another are seen like any change. It is taken before facts are read, so that
//! what changes in between is read once too often, and never missed.

use std::collections::{BTreeSet, HashMap};

use agreements::Grant;
use model::{Domain, StudentId};
use pg::{Role, Tx};
use sha2::{Digest as _, Sha256};

use crate::{
    Ask, Context, Error, Item, Repeat,
    awaited::Collected,
    decided::{Subjects, day_told, set_moment},
    store::{self, holding, stamp as stamps},
    withdraw::{Feed, carries_notices},
};

/// What a chunk rests on.
#[derive(Default)]
pub(crate) struct Stamps {
    /// The clients granted now, with their stamps.
    taken: HashMap<String, Vec<u8>>,
    /// Those of whom what was delivered last is what would be delivered now.
    untouched: BTreeSet<String>,
}

/// Of a run that is told what changed, or will be gone on from by one that is. Files are whole each time.
fn is_stamped(ask: &Ask<'_>) -> bool {
    ask.as_of.is_none() && (ask.repeat == Repeat::WhenChanged || ask.delivery == agreements::Delivery::Stream)
}

/// Takes the stamps of a chunk.
pub(crate) async fn take(
    tx: &mut Tx<'_, '_>,
    context: Context<'_>,
    ask: &Ask<'_>,
    person_keys: &[String],
) -> Result<Stamps, Error> {
    if !is_stamped(ask) {
        return Ok(Stamps::default());
    }
    store::hold_population(tx, ask.consumer).await?;
    let at = set_moment(tx, context, ask, Role::Disclosure).await?;
    let Some(in_force) = context.agreements.load_active(tx, ask.consumer, at).await? else {
        return Ok(Stamps::default());
    };
    let subjects = Subjects::load(tx, context, ask, person_keys).await?;
    let version = context.organizations.version(tx).await?;
    let organizations = context.organizations.load(tx, at).await?;
    let marks = stamps::list_marks(tx, ask.consumer, person_keys).await?;
    let districts = marks.values().flat_map(|mark| mark.districts.iter().cloned()).collect();
    let day = day_told(ask, Some(&in_force), at);
    let collected = Collected::load(tx, day, &districts, &organizations).await?;
    let (mut taken, mut students) = (HashMap::new(), HashMap::new());
    for key in person_keys {
        let Ok((grant, student)) = subjects.decide(ask, Some(&in_force), key, at) else { continue };
        let Some(mark) = marks.get(key) else { continue };
        let rests_on = [version.as_str(), &mark.facts, &collected.stamp(&mark.districts)];
        taken.insert(key.clone(), stamp(&grant, student, rests_on));
        students.insert(key.clone(), student);
    }
    let mut untouched = BTreeSet::new();
    if ask.repeat == Repeat::WhenChanged {
        let keys: Vec<String> = taken.keys().cloned().collect();
        let held = holding::list_held(tx, ask.consumer, Feed::of(ask), &keys).await?;
        let known = stamps::list_stamps(tx, ask.consumer, Feed::of(ask), &in_force.digest().0, &keys).await?;
        let is_same = |key: &String| {
            let Some((student, stamp)) = known.get(key) else { return false };
            // It counts where the answer would be a notice; a document says nothing else for one that waits.
            let is_called_back = carries_notices(ask) && held.get(key).is_some_and(|one| one.cause.is_some());
            !is_called_back && students.get(key).is_some_and(|now| now.0 == *student) && taken.get(key) == Some(stamp)
        };
        untouched.extend(keys.iter().filter(|key| is_same(key)).cloned());
    }
    Ok(Stamps { taken, untouched })
}

fn stamp(grant: &Grant, student: StudentId, rests_on: [&str; 3]) -> Vec<u8> {
    let mut hash = Sha256::new();
    let mut add = |text: &str| {
        hash.update((text.len() as u64).to_be_bytes());
        hash.update(text);
    };
    // Another program may fold otherwise.
    add(env!("CARGO_PKG_VERSION"));
    add(&student.0.to_string());
    add(&grant.digest().to_string());
    add(grant.legal_basis().as_str());
    add(grant.purpose());
    for domain in Domain::ALL {
        let not_before = grant.permit(domain).and_then(|permit| permit.not_before());
        add(&not_before.map(|day| day.to_string()).unwrap_or_default());
    }
    rests_on.into_iter().for_each(add);
    hash.finalize().to_vec()
}

impl Stamps {
    /// The clients of a chunk who have to be read, in its order.
    pub(crate) fn touched(&self, person_keys: &[String]) -> Vec<String> {
        person_keys.iter().filter(|key| !self.untouched.contains(*key)).cloned().collect()
    }

    /// The answers of a chunk in the order of its clients: those who were read, and those who need not be.
    pub(crate) fn complete(&self, person_keys: &[String], items: Vec<Item>) -> Vec<Item> {
        if self.untouched.is_empty() {
            return items;
        }
        let mut items = items.into_iter().peekable();
        let mut all = Vec::with_capacity(person_keys.len());
        for key in person_keys {
            if self.untouched.contains(key) {
                all.push(Item::Untouched { person_key: model::Masked::new(key.clone()) });
            }
            // A notice and a history can be of one client.
            while let Some(item) = items.next_if(|item| item.person_key().expose() == key) {
                all.push(item);
            }
        }
        all.extend(items);
        all
    }

    /// Keeps the stamps of what is delivered now, and of what was found to be the same, in the transaction that records it.
    pub(crate) async fn keep(&self, tx: &mut Tx<'_, '_>, ask: &Ask<'_>, items: &[Item]) -> Result<(), Error> {
        let (mut keys, mut stamps) = (Vec::new(), Vec::new());
        for item in items {
            if let (Item::Disclosed(_) | Item::Unchanged { .. }, Some(stamp)) =
                (item, self.taken.get(item.person_key().expose()))
            {
                keys.push(item.person_key().expose().clone());
                stamps.push(stamp.clone());
            }
        }
        if keys.is_empty() {
            return Ok(());
        }
        stamps::keep_stamps(tx, ask.consumer, Feed::of(ask), (&keys, &stamps)).await
    }
}
