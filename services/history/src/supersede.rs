//! Which facts of a batch are new, which say nothing new and which supersede: rules, without a database.

use std::collections::{BTreeSet, HashMap};

use model::{BatchId, Certification, Domain, Edition, NaturalKey, Restriction, SourcePersonId};

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
    /// It is of an earlier edition of its report than what is known, and differs from it: kept, but never current.
    OlderEdition,
    /// Its key was erased by order: not stored.
    Erased,
    /// The source had expunged what its key names, and it bears no such mark: not stored, or it would be disclosed again.
    Expunged,
}

/// A stored fact by its primary key.
#[derive(Clone, Debug, PartialEq, Eq)]
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
    /// The latest edition that has said so.
    pub edition: Option<Edition>,
}

/// A current fact in the store, compared with the fact at the same place of the batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Compared {
    /// Whether it says the same (line and batch apart).
    pub same: bool,
}

/// A fact to insert.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Insert {
    /// Its place among the facts given.
    pub place: usize,
    /// The batch that superseded it from the start, if it never becomes current.
    pub superseded_by: Option<BatchId>,
    /// The latest edition of the batch that says so.
    pub edition: Option<Edition>,
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
    /// Stored facts that a later edition says again, which it has to be from now on.
    pub raised: Vec<(Stored, Edition)>,
}

/// What stands under a key.
struct Known<'a> {
    place: Place<'a>,
    certification: Certification,
    edition: Option<Edition>,
}

#[derive(Clone, Copy)]
enum Place<'a> {
    /// In the store already.
    Stored(&'a Stored),
    /// Inserted by this very plan: index into `inserted`.
    Planned(usize, &'a Encoded),
}

impl<'a> Known<'a> {
    fn new(place: Place<'a>, certification: Certification, edition: Option<&Edition>) -> Self {
        Self { place, certification, edition: edition.cloned() }
    }
}

/// Plans the facts of one domain, in file order, against what is current: `current` names, for a place in `facts`, the stored fact
/// with the same person and key, and whether it says the same. `erased` holds the keys that bear a tombstone, `expunged` those of which any version
/// is marked expunged: the mark stays, in whatever order the files come.
///
/// Of two facts with one key that differ the certified one stands, then the one of the later edition, then the one that came later; but one that is
/// marked expunged before one that is not.
pub fn plan(
    facts: &[(SourcePersonId, &Encoded)],
    current: &[((usize, Compared), Stored)],
    batch: BatchId,
    erased: &BTreeSet<(SourcePersonId, Domain, NaturalKey)>,
    mut expunged: BTreeSet<(SourcePersonId, NaturalKey)>,
) -> Plan {
    let mut plan = Plan::default();
    let same: HashMap<usize, bool> = current.iter().map(|((place, compared), _)| (*place, compared.same)).collect();
    let mut known: HashMap<(SourcePersonId, NaturalKey), Known<'_>> = current
        .iter()
        .map(|(_, stored)| {
            let known = Known::new(Place::Stored(stored), stored.certification, stored.edition.as_ref());
            ((stored.person, stored.key), known)
        })
        .collect();
    for (place, (person, told)) in facts.iter().enumerate() {
        let fact = &told.fact;
        let key = (*person, fact.natural_key);
        if erased.contains(&(*person, fact.domain, fact.natural_key)) {
            plan.outcomes.push(Outcome::Erased);
            continue;
        }
        // The first mark takes the place of what stands, whatever that is: nothing of the key is disclosed from then on.
        let mut is_first_mark = false;
        if fact.restriction != Restriction::None {
            is_first_mark = expunged.insert(key);
        } else if expunged.contains(&key) {
            plan.outcomes.push(Outcome::Expunged);
            continue;
        }
        let standing = known.get_mut(&key);
        let says_same = standing.as_ref().is_some_and(|standing| match standing.place {
            Place::Stored(_) => same.get(&place).copied().unwrap_or(false),
            Place::Planned(_, earlier) => told.says_the_same(earlier),
        });
        let outcome = match standing {
            Some(standing) if says_same => {
                plan.raise(standing, fact.edition.as_ref());
                Outcome::Unchanged
            }
            Some(standing) if !is_first_mark && fact.certification < standing.certification => {
                plan.insert(place, told, Some(batch));
                Outcome::PreliminaryAfterCertified
            }
            Some(standing)
                if !is_first_mark
                    && fact.certification == standing.certification
                    && fact.edition < standing.edition =>
            {
                plan.insert(place, told, Some(batch));
                Outcome::OlderEdition
            }
            standing => {
                let is_new = standing.is_none();
                if let Some(standing) = standing {
                    plan.supersede(standing.place, batch);
                }
                let at = plan.insert(place, told, None);
                known.insert(key, Known::new(Place::Planned(at, told), fact.certification, fact.edition.as_ref()));
                if is_new { Outcome::New } else { Outcome::Superseding }
            }
        };
        plan.outcomes.push(outcome);
    }
    plan.raised = known.into_values().filter_map(raised).collect();
    plan
}

/// A stored fact that stands, if a later edition has said it again.
fn raised(known: Known<'_>) -> Option<(Stored, Edition)> {
    match known.place {
        Place::Stored(stored) if known.edition != stored.edition => Some((stored.clone(), known.edition?)),
        _ => None,
    }
}

impl Plan {
    /// Plans to insert a fact. Says where in `inserted`.
    fn insert(&mut self, place: usize, told: &Encoded, superseded_by: Option<BatchId>) -> usize {
        self.inserted.push(Insert { place, superseded_by, edition: told.fact.edition.clone() });
        self.inserted.len() - 1
    }

    /// What stands gives way to something else of the batch.
    fn supersede(&mut self, standing: Place<'_>, batch: BatchId) {
        match standing {
            Place::Stored(stored) => self.superseded.push(stored.clone()),
            Place::Planned(at, _) => {
                if let Some(insert) = self.inserted.get_mut(at) {
                    insert.superseded_by = Some(batch);
                }
            }
        }
    }

    /// What stands is said again: if by a later edition, an earlier one than that does not take its place any more.
    fn raise(&mut self, standing: &mut Known<'_>, edition: Option<&Edition>) {
        if edition <= standing.edition.as_ref() {
            return;
        }
        standing.edition = edition.cloned();
        if let Place::Planned(at, _) = standing.place
            && let Some(insert) = self.inserted.get_mut(at)
        {
            insert.edition = edition.cloned();
        }
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
            edition: None,
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
                    Stored {
                        person,
                        key: NaturalKey([1; 16]),
                        batch: BatchId(1),
                        line: 1,
                        certification,
                        edition: None,
                    },
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
        // A mark counts from a file that is preliminary or of an earlier edition too.
        let told = |restriction, certification, number| {
            let fact = fact(1, 1, "a", certification).fact;
            Encoded::new(Fact { restriction, edition: Edition::of(&[Some(Value::Integer(number))]), ..fact })
        };
        let standing = told(Restriction::None, Certification::Certified, 2);
        for marked in [
            told(Restriction::Expunged, Certification::Preliminary, 2),
            told(Restriction::Expunged, Certification::Certified, 1),
        ] {
            assert_eq!(outcomes(&[&standing, &marked], &[]), [Outcome::New, Outcome::Superseding]);
            assert_eq!(outcomes(&[&marked, &standing], &[]), [Outcome::New, Outcome::Expunged]);
        }
    }

    /// What stands after facts of these editions, saying these texts, each in a batch of its own.
    fn standing_after(order: &[(Option<i64>, &str, Certification)]) -> (String, Option<Edition>) {
        let person = SourcePersonId(1);
        let mut stands: Option<(Stored, Encoded)> = None;
        for (number, (edition, text, certification)) in (1..).zip(order) {
            let edition = Edition::of(&[edition.map(Value::Integer)]);
            let plain = fact(1, 1, text, *certification);
            let told = Encoded { fact: Fact { edition, ..plain.fact }, ..plain };
            let current: Vec<_> = stands
                .iter()
                .map(|(stored, known)| ((0, Compared { same: told.says_the_same(known) }), stored.clone()))
                .collect();
            let batch = BatchId(number);
            let plan = plan(&[(person, &told)], &current, batch, &BTreeSet::new(), BTreeSet::new());
            if let (Some((_, edition)), Some((stored, _))) = (plan.raised.first(), &mut stands) {
                stored.edition = Some(edition.clone());
            }
            if let Some(insert) = plan.inserted.first().filter(|insert| insert.superseded_by.is_none()) {
                let (key, certification) = (told.fact.natural_key, *certification);
                let edition = insert.edition.clone();
                stands = Some((Stored { person, key, batch, line: 1, certification, edition }, told));
            }
        }
        let (stored, told) = stands.expect("something stands");
        (told.json.expose().clone(), stored.edition)
    }

    #[test]
    fn a_later_edition_stands_in_whatever_order_they_come() {
        use Certification::{Certified, Preliminary};
        fn check(facts: [(Option<i64>, &str, Certification); 4], expect: &str) {
            let mut orders = Vec::new();
            for a in 0..4 {
                for b in (0..4).filter(|b| *b != a) {
                    for c in (0..4).filter(|c| *c != a && *c != b) {
                        orders.push([a, b, c, 6 - a - b - c]);
                    }
                }
            }
            let first = standing_after(&facts);
            assert!(first.0.contains(expect), "{first:?}");
            for order in orders {
                assert_eq!(standing_after(&order.map(|place| facts[place])), first, "{order:?}");
            }
        }
        // What the first edition said and the second said again, no other first edition takes away.
        check(
            [(Some(1), "a", Certified), (Some(2), "a", Certified), (Some(1), "a", Certified), (None, "b", Certified)],
            "a",
        );
        check(
            [(Some(1), "a", Certified), (Some(2), "b", Certified), (Some(0), "c", Certified), (None, "d", Certified)],
            "b",
        );
        check(
            [
                (Some(3), "a", Preliminary),
                (Some(1), "b", Certified),
                (Some(2), "c", Certified),
                (None, "d", Preliminary),
            ],
            "c",
        );
        // Within one edition the later one stands.
        assert!(standing_after(&[(Some(1), "a", Certified), (Some(1), "b", Certified)]).0.contains('b'));
        assert!(
            standing_after(&[(Some(1), "b", Certified), (Some(2), "a", Certified), (Some(1), "c", Certified)])
                .0
                .contains('a')
        );
    }

    #[test]
    fn editions_of_one_file_are_compared_too() {
        let of = |number, line, text| {
            let told = fact(1, line, text, Certification::Certified);
            let edition = Edition::of(&[Some(Value::Integer(number))]);
            Encoded { fact: Fact { edition, ..told.fact }, ..told }
        };
        let (first, again, old, new) = (of(1, 1, "a"), of(3, 2, "a"), of(2, 3, "b"), of(3, 4, "c"));
        let person = SourcePersonId(1);
        let given: Vec<_> = [&first, &again, &old, &new].map(|fact| (person, fact)).to_vec();
        let plan = plan(&given, &[], BatchId(2), &BTreeSet::new(), BTreeSet::new());
        assert_eq!(plan.outcomes, [Outcome::New, Outcome::Unchanged, Outcome::OlderEdition, Outcome::Superseding]);
        let editions: Vec<_> = plan.inserted.iter().map(|insert| (insert.place, insert.edition.clone())).collect();
        assert_eq!(editions[0], (0, again.fact.edition), "what a later edition says again is of that edition");
    }
}
