//! The facts of one batch on their way in.

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDate;
use domains::EXCLUSION;
use model::{Domain, NaturalKey, Restriction, SchoolYear, SourcePersonId};
use sqlx::PgConnection;

use crate::{
    BatchInfo, Encoded, Error, Outcome, TombstoneKey, store,
    supersede::{Plan, Stored, plan},
};

/// A batch whose facts come chunk after chunk, in its one transaction. It remembers whom the batch has changed: some ten bytes a person; and of which
/// districts and facilities it has brought anything: some hundred bytes a facility, school year and day.
#[derive(Debug)]
pub struct Recording {
    info: BatchInfo,
    touched: BTreeSet<SourcePersonId>,
    reported: BTreeSet<Reported>,
    restricts: bool,
}

/// That anything has come of a district or a facility, whoever it was about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Reported {
    pub(crate) domain: Domain,
    pub(crate) school_year: SchoolYear,
    pub(crate) lea: Option<String>,
    pub(crate) facility: Option<String>,
    /// The district whose student it was about, where the report says it.
    pub(crate) nexus: Option<String>,
    /// The day the source gives for its report.
    pub(crate) told_on: Option<NaiveDate>,
}

/// The same, borrowed: of the many facts of a chunk few say another.
type Place<'f> = (Domain, SchoolYear, Option<&'f str>, Option<&'f str>, Option<&'f str>, Option<NaiveDate>);

impl Reported {
    fn at((domain, school_year, lea, facility, nexus, told_on): Place<'_>) -> Self {
        let owned = |code: Option<&str>| code.map(str::to_owned);
        Self { domain, school_year, lea: owned(lea), facility: owned(facility), nexus: owned(nexus), told_on }
    }
}

/// What a fact tells of who has reported. Who a student is comes with every report, and what is left out of the state's own reports reports nothing.
fn place_of(told: &Encoded) -> Option<Place<'_>> {
    let fact = &told.fact;
    let (lea, facility) = (fact.lea.as_deref(), fact.facility.as_deref());
    if fact.domain == Domain::Student || fact.kind == EXCLUSION || (lea.is_none() && facility.is_none()) {
        return None;
    }
    Some((fact.domain, fact.school_year?, lea, facility, told.nexus.as_deref(), fact.reported_on))
}

/// A fact and whose it is.
type Told<'f> = (SourcePersonId, &'f Encoded);

impl Recording {
    pub(crate) fn new(info: &BatchInfo) -> Self {
        Self { info: info.clone(), touched: BTreeSet::new(), reported: BTreeSet::new(), restricts: false }
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

    /// Notes of which districts and facilities something has come. What says only what was known has come too; what may not be kept has not.
    async fn note_reported(
        &mut self,
        conn: &mut PgConnection,
        facts: &[Told<'_>],
        outcomes: &[Outcome],
    ) -> Result<(), Error> {
        let is_kept = |outcome: &Outcome| !matches!(outcome, Outcome::Erased | Outcome::Expunged);
        let kept = facts.iter().zip(outcomes).filter(|(_, outcome)| is_kept(outcome));
        let mut places: Vec<Place<'_>> = kept.filter_map(|((_, told), _)| place_of(told)).collect();
        places.sort_unstable();
        places.dedup();
        let mut new: Vec<Reported> = places.into_iter().map(Reported::at).collect();
        new.retain(|one| self.reported.insert(one.clone()));
        store::insert_reported(conn, &self.info, &new).await
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
        let mut plan = plan(facts, &current, self.info.batch, erased, expunged);
        store::mark_superseded(conn, domain, self.info.batch, &plan.superseded).await?;
        store::raise_editions(conn, domain, &plan.raised).await?;
        // Neighbours in the order of the key go to the same pages of the index.
        plan.inserted
            .sort_by_key(|insert| facts.get(insert.place).map(|(person, told)| (*person, told.fact.natural_key)));
        store::copy_facts(conn, domain, self.info.batch, facts, &plan.inserted).await?;
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
            count += store::mark_superseded(conn, domain, self.info.batch, &marks).await?;
            self.touch(conn, marks.iter().map(|stored| stored.person).collect()).await?;
        }
        Ok(count)
    }

    /// Enters those of these persons that the batch had not changed before.
    async fn touch(&mut self, conn: &mut PgConnection, mut persons: Vec<SourcePersonId>) -> Result<(), Error> {
        persons.retain(|person| self.touched.insert(*person));
        persons.sort_unstable();
        store::copy_touched(conn, self.info.batch, &persons).await
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

#[cfg(test)]
mod tests {
    use model::{Certification, Fact, Payload, Period, Value};

    use super::*;

    #[test]
    fn a_report_is_noted_of_its_district_facility_and_nexus_and_no_fact_that_nobody_collects() {
        fn check(domain: Domain, kind: &str, [lea, facility]: [Option<&str>; 2], expect: Option<[Option<&str>; 3]>) {
            let fact = Fact {
                domain,
                kind: kind.to_owned(),
                natural_key: NaturalKey([0; 16]),
                school_year: Some(SchoolYear(2026)),
                valid: Period::ALWAYS,
                lea: lea.map(str::to_owned),
                facility: facility.map(str::to_owned),
                certification: Certification::Certified,
                restriction: Restriction::None,
                edition: None,
                line: 1,
                reported_on: None,
                payload: Payload::from([(crate::encoded::NEXUS.to_owned(), Value::Text("093".to_owned()))]),
            };
            let of_no_year = Fact { school_year: None, ..fact.clone() };
            assert_eq!(place_of(&Encoded::new(of_no_year)), None);
            // Whether its payload is kept or not.
            for told in [Encoded::new(fact.clone()), Encoded::keeping(fact)] {
                let found = place_of(&told).map(|(_, _, lea, facility, nexus, _)| [lea, facility, nexus]);
                assert_eq!(found, expect, "{domain} {kind}");
            }
        }
        let hartford = [Some("064"), Some("0646311")];
        check(Domain::Enrollment, "collection", hartford, Some([Some("064"), Some("0646311"), Some("093")]));
        check(Domain::Enrollment, "association", [None, Some("3480115")], Some([None, Some("3480115"), Some("093")]));
        check(Domain::Enrollment, "collection", [None, None], None);
        for domain in [Domain::Enrollment, Domain::Course] {
            check(domain, EXCLUSION, hartford, None);
        }
        for kind in ["collection", "registration", EXCLUSION] {
            check(Domain::Student, kind, hartford, None);
        }
    }
}
