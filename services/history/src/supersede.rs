//! Which facts of a batch are new, which say nothing new and which supersede: rules, without a database.

use std::collections::{BTreeSet, HashMap};

use model::{BatchId, Certification, Domain, NaturalKey, Restriction, SourcePersonId};

use crate::Encoded;

/// What became of a fact.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Outcome {
    /// Nothing was known under its key.
    New,
    /// It says what was known.
    Unchanged,
    /// It replaces what was known.
    Superseding,
    /// It is preliminary and differs from a certified fact: kept, but never current.
    PreliminaryAfterCertified,
    /// Its key was erased by order: not stored.
    Erased,
    /// The source had expunged what its key names, and it bears no such mark: not stored, or it would be disclosed again.
    Expunged,
}

/// A stored fact by its primary key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Whose it is.
    pub person: SourcePersonId,
    /// What it is about.
    pub key: NaturalKey,
    /// The batch that recorded it.
    pub batch: BatchId,
    /// Its line there.
    pub line: u32,
    /// Certified or preliminary.
    pub certification: Certification,
}

/// A current fact in the store, compared with the fact at the same place of the batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Compared {
    /// Whether it says the same (line and batch apart).
    pub same: bool,
}

/// A fact to insert.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Insert {
    /// Its place among the facts given.
    pub place: usize,
    /// The batch that superseded it from the start, if it never becomes current.
    pub superseded_by: Option<BatchId>,
}

/// What to do to the store.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// What became of each fact, in order.
    pub outcomes: Vec<Outcome>,
    /// Facts to insert.
    pub inserted: Vec<Insert>,
    /// Stored facts to mark superseded.
    pub superseded: Vec<Stored>,
}

enum Known<'a> {
    /// In the store already; `same` tells of the first fact of the batch with this key only.
    Stored(Stored),
    /// Inserted by this very plan: index into `inserted`.
    Planned(usize, &'a Encoded),
}

/// Plans the facts of one domain, in file order, against what is current: `current` names, for a place in `facts`, the stored fact
/// with the same person and key, and whether it says the same. `erased` holds the keys that bear a tombstone, `expunged` those of which any version
/// is marked expunged: the mark stays, in whatever order the files come.
pub fn plan(
    facts: &[(SourcePersonId, &Encoded)],
    current: &[((usize, Compared), Stored)],
    batch: BatchId,
    erased: &BTreeSet<(SourcePersonId, Domain, NaturalKey)>,
    mut expunged: BTreeSet<(SourcePersonId, NaturalKey)>,
) -> Plan {
    let mut plan = Plan::default();
    let same: HashMap<usize, bool> = current.iter().map(|((place, compared), _)| (*place, compared.same)).collect();
    let mut known: HashMap<(SourcePersonId, NaturalKey), Known<'_>> =
        current.iter().map(|(_, stored)| ((stored.person, stored.key), Known::Stored(*stored))).collect();
    for (place, (person, told)) in facts.iter().enumerate() {
        let fact = &told.fact;
        let key = (*person, fact.natural_key);
        if erased.contains(&(*person, fact.domain, fact.natural_key)) {
            plan.outcomes.push(Outcome::Erased);
            continue;
        }
        if fact.restriction != Restriction::None {
            expunged.insert(key);
        } else if expunged.contains(&key) {
            plan.outcomes.push(Outcome::Expunged);
            continue;
        }
        let (says_same, certified) = match known.get(&key) {
            None => {
                plan.insert(place, None);
                known.insert(key, Known::Planned(plan.inserted.len() - 1, told));
                plan.outcomes.push(Outcome::New);
                continue;
            }
            Some(Known::Stored(stored)) => (same.get(&place).copied().unwrap_or(false), stored.certification),
            Some(Known::Planned(_, earlier)) => (told.says_the_same(earlier), earlier.fact.certification),
        };
        if says_same {
            plan.outcomes.push(Outcome::Unchanged);
        } else if certified == Certification::Certified && fact.certification == Certification::Preliminary {
            plan.insert(place, Some(batch));
            plan.outcomes.push(Outcome::PreliminaryAfterCertified);
        } else {
            match known.get(&key) {
                Some(Known::Stored(stored)) => plan.superseded.push(*stored),
                Some(Known::Planned(index, _)) => {
                    if let Some(insert) = plan.inserted.get_mut(*index) {
                        insert.superseded_by = Some(batch);
                    }
                }
                None => {}
            }
            plan.insert(place, None);
            known.insert(key, Known::Planned(plan.inserted.len() - 1, told));
            plan.outcomes.push(Outcome::Superseding);
        }
    }
    plan
}

impl Plan {
    fn insert(&mut self, place: usize, superseded_by: Option<BatchId>) {
        self.inserted.push(Insert { place, superseded_by });
    }
}

#[cfg(test)]
mod tests {
    use model::{Fact, Payload, Period, Value};

    use super::*;

    fn fact(key: u8, line: u32, text: &str, certification: Certification) -> Encoded {
        Encoded::new(Fact {
            domain: Domain::Program,
            kind: "participation".to_owned(),
            natural_key: NaturalKey([key; 16]),
            school_year: None,
            valid: Period::ALWAYS,
            lea: None,
            facility: None,
            certification,
            restriction: Restriction::None,
            line,
            reported_on: None,
            payload: Payload::from([("program_name".to_owned(), Value::Text(text.to_owned()))]),
        })
    }

    fn check(facts: &[Encoded], stored: Option<(bool, Certification)>, expect: &[Outcome], current_after: usize) {
        let person = SourcePersonId(1);
        let given: Vec<_> = facts.iter().map(|f| (person, f)).collect();
        let current: Vec<_> = stored
            .map(|(same, certification)| {
                (
                    (0, Compared { same }),
                    Stored { person, key: NaturalKey([1; 16]), batch: BatchId(1), line: 1, certification },
                )
            })
            .into_iter()
            .collect();
        let plan = plan(&given, &current, BatchId(2), &BTreeSet::new(), BTreeSet::new());
        assert_eq!(plan.outcomes, expect);
        let stays = current.len() - plan.superseded.len();
        let alive = plan.inserted.iter().filter(|insert| insert.superseded_by.is_none()).count();
        assert_eq!(stays + alive, current_after, "exactly one fact is current under each key");
    }

    #[test]
    fn each_fact_is_new_unchanged_or_superseding() {
        use Certification::{Certified, Preliminary};
        use Outcome::{New, PreliminaryAfterCertified, Superseding, Unchanged};
        check(&[fact(1, 1, "a", Certified)], None, &[New], 1);
        check(&[fact(1, 1, "a", Certified)], Some((true, Certified)), &[Unchanged], 1);
        check(&[fact(1, 1, "b", Certified)], Some((false, Certified)), &[Superseding], 1);
        check(&[fact(1, 1, "b", Preliminary)], Some((false, Certified)), &[PreliminaryAfterCertified], 1);
        check(&[fact(1, 1, "b", Certified)], Some((false, Preliminary)), &[Superseding], 1);
        check(&[fact(1, 1, "a", Certified), fact(1, 2, "a", Certified)], None, &[New, Unchanged], 1);
        check(&[fact(1, 1, "a", Certified), fact(1, 2, "b", Certified)], None, &[New, Superseding], 1);
        check(
            &[fact(1, 1, "a", Certified), fact(1, 2, "b", Certified), fact(1, 3, "a", Certified)],
            None,
            &[New, Superseding, Superseding],
            1,
        );
        check(&[fact(1, 1, "a", Certified), fact(2, 2, "a", Certified)], None, &[New, New], 2);
    }

    #[test]
    fn what_was_expunged_stays_so_in_whatever_order_it_comes() {
        let given = |restriction| {
            let fact = fact(1, 1, "a", Certification::Certified).fact;
            Encoded::new(Fact { restriction, ..fact })
        };
        let (marked, plain) = (given(Restriction::Expunged), given(Restriction::None));
        let person = SourcePersonId(1);
        let outcomes = |facts: &[&Encoded], known: &[NaturalKey]| {
            let facts: Vec<_> = facts.iter().map(|fact| (person, *fact)).collect();
            let known = known.iter().map(|key| (person, *key)).collect();
            plan(&facts, &[], BatchId(2), &BTreeSet::new(), known).outcomes
        };
        assert_eq!(outcomes(&[&plain, &marked], &[]), [Outcome::New, Outcome::Superseding]);
        assert_eq!(outcomes(&[&marked, &plain, &plain], &[]), [Outcome::New, Outcome::Expunged, Outcome::Expunged]);
        assert_eq!(outcomes(&[&plain], &[plain.fact.natural_key]), [Outcome::Expunged], "in a later file");
        assert_eq!(outcomes(&[&marked], &[plain.fact.natural_key]), [Outcome::New]);
    }
}
