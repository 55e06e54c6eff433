//! The facts of one batch on their way in.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, NaiveDate, Utc};
use model::{BatchId, Domain, NaturalKey, Restriction, SchoolYear, Sea, SourcePersonId};
use sqlx::PgConnection;

use crate::{
    BatchInfo, Encoded, Error, Outcome, TombstoneKey, store,
    supersede::{Plan, Stored, plan},
};

/// A batch whose facts come chunk after chunk, in its one transaction. It remembers whom the batch has changed: some ten bytes a person; and of which
/// districts it has brought anything: some hundred bytes a district, school year and day.
#[derive(Debug)]
pub struct Recording {
    batch: BatchId,
    sea: Sea,
    recorded_at: DateTime<Utc>,
    touched: BTreeSet<SourcePersonId>,
    reported: BTreeSet<Reported>,
    restricts: bool,
}

/// That anything has come of a district, whoever it was about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Reported {
    pub(crate) domain: Domain,
    pub(crate) school_year: SchoolYear,
    pub(crate) lea: String,
    /// The day the source gives for its report.
    pub(crate) told_on: Option<NaiveDate>,
}

/// A fact and whose it is.
type Told<'f> = (SourcePersonId, &'f Encoded);

impl Recording {
    pub(crate) fn new(info: &BatchInfo) -> Self {
        Self {
            batch: info.batch,
            sea: info.sea.clone(),
            recorded_at: info.recorded_at,
            touched: BTreeSet::new(),
            reported: BTreeSet::new(),
            restricts: false,
        }
    }

    /// Whether the batch brought anything that its source has expunged: what could be disclosed before may be no longer.
    pub const fn restricts(&self) -> bool {
        self.restricts
    }

    /// Records facts in the order of their file and says of each what became of it.
    ///
    /// A fact whose key is new is inserted; one that says what the current fact says is left; one that says something else supersedes it; a
    /// preliminary one never supersedes a certified one, nor one of an earlier edition of its report one of a later (it is kept, superseded from the start); one whose key bears a tombstone
    /// is not stored. One that the source marks expunged takes every earlier version with it, so that no as-of reading brings one back, and none without the
    /// mark is stored after it.
    ///
    /// Call it with chunks of a bounded size. `introduced` names persons of whom nothing can be stored yet: nothing is looked up for them.
    pub async fn record(
        &mut self,
        conn: &mut PgConnection,
        facts: &[(SourcePersonId, &Encoded)],
        introduced: &BTreeSet<SourcePersonId>,
        tombstones: &TombstoneKey,
    ) -> Result<Vec<Outcome>, Error> {
        let erased = store::list_tombstones(conn, facts, tombstones).await?;
        let mut outcomes = vec![Outcome::Unchanged; facts.len()];
        let mut touched = Vec::new();
        for (domain, places) in by_domain(facts) {
            let of_domain: Vec<Told<'_>> = places.iter().filter_map(|place| facts.get(*place).copied()).collect();
            let plan = self.record_domain(conn, domain, &of_domain, introduced, &erased).await?;
            for ((place, (person, _)), outcome) in places.iter().zip(&of_domain).zip(&plan.outcomes) {
                if let Some(slot) = outcomes.get_mut(*place) {
                    *slot = *outcome;
                }
                // One that never becomes current can still bear the mark that takes the others with it.
                if matches!(
                    outcome,
                    Outcome::New | Outcome::Superseding | Outcome::PreliminaryAfterCertified | Outcome::OlderEdition
                ) {
                    touched.push(*person);
                }
            }
        }
        self.touch(conn, touched).await?;
        self.note_reported(conn, facts, &outcomes).await?;
        Ok(outcomes)
    }

    /// Notes of which districts something has come. What says only what was known has come too; what may not be kept has not.
    async fn note_reported(
        &mut self,
        conn: &mut PgConnection,
        facts: &[Told<'_>],
        outcomes: &[Outcome],
    ) -> Result<(), Error> {
        let mut new: Vec<Reported> = Vec::new();
        for ((_, told), outcome) in facts.iter().zip(outcomes) {
            let fact = &told.fact;
            let (Some(school_year), Some(lea)) = (fact.school_year, &fact.lea) else { continue };
            let is_said = |one: &Reported| {
                one.domain == fact.domain
                    && one.school_year == school_year
                    && one.told_on == fact.reported_on
                    && one.lea == *lea
            };
            // Neighbours in a file say the same.
            if matches!(outcome, Outcome::Erased | Outcome::Expunged) || new.last().is_some_and(is_said) {
                continue;
            }
            new.push(Reported { domain: fact.domain, school_year, lea: lea.clone(), told_on: fact.reported_on });
        }
        new.sort_unstable();
        new.dedup();
        new.retain(|one| self.reported.insert(one.clone()));
        store::insert_reported(conn, &self.sea, self.recorded_at, &new).await
    }

    async fn record_domain(
        &mut self,
        conn: &mut PgConnection,
        domain: Domain,
        facts: &[Told<'_>],
        introduced: &BTreeSet<SourcePersonId>,
        erased: &BTreeSet<(SourcePersonId, Domain, NaturalKey)>,
    ) -> Result<Plan, Error> {
        let asked = in_key_order(facts, |person| !introduced.contains(&person));
        let known = store::list_known(conn, domain, facts, &asked).await?;
        let current = store::list_current(conn, domain, facts, &known).await?;
        let expunged = store::list_expunged(conn, domain, facts, &known).await?;
        let mut plan = plan(facts, &current, self.batch, erased, expunged);
        store::mark_superseded(conn, domain, self.batch, &plan.superseded).await?;
        store::raise_editions(conn, domain, &plan.raised).await?;
        // Neighbours in the order of the key go to the same pages of the index.
        plan.inserted
            .sort_by_key(|insert| facts.get(insert.place).map(|(person, told)| (*person, told.fact.natural_key)));
        store::copy_facts(conn, domain, self.batch, facts, &plan.inserted).await?;
        let inserted = plan.inserted.iter().filter_map(|insert| facts.get(insert.place).copied());
        let expunged: Vec<_> = inserted.filter(|(_, told)| told.fact.restriction != Restriction::None).collect();
        self.restricts |= !expunged.is_empty();
        store::restrict_versions(conn, domain, &expunged).await?;
        Ok(plan)
    }

    /// Retracts facts by key: their current versions are superseded by nothing. Says how many there were.
    pub async fn retract(
        &mut self,
        conn: &mut PgConnection,
        facts: &[(SourcePersonId, &Encoded)],
    ) -> Result<u64, Error> {
        let mut count = 0;
        for (domain, places) in by_domain(facts) {
            let of_domain: Vec<Told<'_>> = places.iter().filter_map(|place| facts.get(*place).copied()).collect();
            let known = store::list_known(conn, domain, &of_domain, &in_key_order(&of_domain, |_| true)).await?;
            let current = store::list_current(conn, domain, &of_domain, &known).await?;
            let marks: Vec<Stored> = current.into_iter().map(|(_, stored)| stored).collect();
            count += store::mark_superseded(conn, domain, self.batch, &marks).await?;
            self.touch(conn, marks.iter().map(|stored| stored.person).collect()).await?;
        }
        Ok(count)
    }

    /// Enters those of these persons that the batch had not changed before.
    async fn touch(&mut self, conn: &mut PgConnection, mut persons: Vec<SourcePersonId>) -> Result<(), Error> {
        persons.retain(|person| self.touched.insert(*person));
        persons.sort_unstable();
        store::copy_touched(conn, self.batch, &persons).await
    }
}

/// The places of facts, by domain.
fn by_domain(facts: &[Told<'_>]) -> BTreeMap<Domain, Vec<usize>> {
    let mut places: BTreeMap<Domain, Vec<usize>> = BTreeMap::new();
    for (place, (_, told)) in facts.iter().enumerate() {
        places.entry(told.fact.domain).or_default().push(place);
    }
    places
}

/// The places of the facts of some persons, in the order of the index that finds them.
fn in_key_order(facts: &[Told<'_>], is_wanted: impl Fn(SourcePersonId) -> bool) -> Vec<usize> {
    let wanted = facts.iter().enumerate().filter(|(_, (person, _))| is_wanted(*person));
    let mut keys: Vec<_> = wanted.map(|(place, (person, told))| (*person, told.fact.natural_key, place)).collect();
    keys.sort_unstable();
    keys.into_iter().map(|(_, _, place)| place).collect()
}
