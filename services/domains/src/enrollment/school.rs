//! Stays at a school within a stay in a district.

use std::cmp::Ordering;

use chrono::{Days, NaiveDate};
use model::{Lineage, SchoolYear};

use super::{basis, district::DistrictStay, snapshot_day};
use crate::StoredFact;

/// A stay at one school.
#[derive(Clone, Debug)]
pub(super) struct SchoolStay<'a> {
    /// What tells of it first: envelope and lineage of the row.
    pub origin: &'a StoredFact,
    /// The registration, if the stay begins with it.
    pub register: Option<&'a StoredFact>,
    /// The exit, if the stay ends with it.
    pub unregister: Option<&'a StoredFact>,
    /// The school by code.
    pub facility: Option<&'a str>,
    /// The first day.
    pub entry: Option<NaiveDate>,
    /// How it is known.
    pub entry_basis: &'static str,
    /// The last day.
    pub exit: Option<NaiveDate>,
    /// How it is known; `None`: the stay has not ended.
    pub exit_basis: Option<&'static str>,
    /// The last day it can have had, where it ended on a day that is not known.
    pub limit: Option<NaiveDate>,
    /// The snapshots that saw the student there, in order.
    pub snapshots: Vec<&'a StoredFact>,
    /// Change records that name it, as they were learned.
    pub changes: Vec<&'a StoredFact>,
}

impl<'a> SchoolStay<'a> {
    fn seen(fact: &'a StoredFact) -> Self {
        Self {
            origin: fact,
            register: None,
            unregister: None,
            facility: fact.facility.as_deref(),
            entry: None,
            entry_basis: basis::ENTRY_NOT_REPORTED,
            exit: None,
            exit_basis: None,
            limit: None,
            snapshots: Vec::new(),
            changes: Vec::new(),
        }
    }

    /// A source's own association is a stay as it stands.
    pub(super) fn of_association(fact: &'a StoredFact) -> Self {
        let (entry, exit) = (fact.valid.from(), fact.valid.to());
        Self {
            entry,
            entry_basis: if entry.is_some() { basis::REPORTED } else { basis::ENTRY_NOT_REPORTED },
            exit,
            exit_basis: exit.map(|_| basis::REPORTED),
            snapshots: vec![fact],
            ..Self::seen(fact)
        }
    }

    /// The snapshot that speaks last.
    pub(super) fn latest(&self) -> Option<&'a StoredFact> {
        self.snapshots.last().copied()
    }

    /// The first and the last day a snapshot sees the student there. A year-end snapshot after the exit tells of the year, and sees nobody.
    pub(super) fn seen_days(&self) -> Option<(NaiveDate, NaiveDate)> {
        let until = self.exit.or(self.limit);
        let days = || {
            let days = self.snapshots.iter().filter_map(|fact| snapshot_day(fact));
            days.filter(move |day| until.is_none_or(|until| *day <= until))
        };
        Some((days().min()?, days().max()?))
    }

    /// The change record learned last, if it came after the last snapshot.
    pub(super) fn newer_change(&self) -> Option<&'a StoredFact> {
        let last = self.changes.last()?;
        self.is_after(last).then_some(*last)
    }

    /// Whether a record without a date came after the last snapshot here: on a later day of the same school year. Old files that are loaded
    /// years later tell nothing about the order of things.
    fn is_after(&self, change: &StoredFact) -> bool {
        let Some(seen) = self.latest() else { return true };
        let came = change.source.recorded_on;
        seen.source.recorded_on < came && came.map(SchoolYear::containing) == seen.school_year
    }

    /// The day it is known to have begun by.
    fn known_since(&self) -> Option<NaiveDate> {
        self.entry.or_else(|| self.snapshots.first().and_then(|fact| snapshot_day(fact)))
    }

    /// The last day the student is known to have been there.
    fn known_until(&self) -> Option<NaiveDate> {
        self.entry.max(self.latest().and_then(snapshot_day))
    }

    fn is_of_year(&self, year: Option<SchoolYear>) -> bool {
        let entered = self.entry.map(SchoolYear::containing);
        year.is_some() && (entered == year || self.snapshots.iter().any(|fact| fact.school_year == year))
    }

    fn latest_year(&self) -> Option<SchoolYear> {
        self.entry.map(SchoolYear::containing).max(self.snapshots.iter().filter_map(|fact| fact.school_year).max())
    }

    /// Where it stands in the history: by entry, without one by the day it is first known of, without any by the day we learned it.
    pub(super) fn order(&self) -> Place {
        let known = self.known_since().map(|day| self.limit.map_or(day, |limit| day.min(limit)));
        let since = known.or_else(|| self.exit.or(self.origin.source.recorded_on));
        (since, self.exit.unwrap_or(NaiveDate::MAX), self.origin.source.clone(), 0)
    }

    pub(super) fn compare(&self, other: &Self) -> Ordering {
        self.order().cmp(&other.order())
    }
}

/// What rows are ordered by.
pub(super) type Place = (Option<NaiveDate>, NaiveDate, Lineage, u8);

/// The school stays of one source person, district by district.
pub(super) fn stays<'a>(districts: &[DistrictStay<'a>], changes: &[&'a StoredFact]) -> Vec<SchoolStay<'a>> {
    let mut of_districts: Vec<(Option<&str>, Vec<SchoolStay<'a>>)> =
        districts.iter().map(|district| (district.lea(), in_district(district))).collect();
    for fact in changes {
        place_change(&mut of_districts, fact);
    }
    of_districts.into_iter().flat_map(|(_, schools)| schools).collect()
}

/// The schools of a stay in a district, the current one last; a school that only a year-end snapshot past the exit tells of stands before it.
fn in_district<'a>(district: &DistrictStay<'a>) -> Vec<SchoolStay<'a>> {
    let first = district.register.or_else(|| district.snapshots.first().copied()).or(district.unregister);
    let Some(first) = first else { return Vec::new() };
    let mut schools = vec![SchoolStay {
        register: district.register,
        entry: district.entry,
        entry_basis: if district.entry.is_some() { basis::REPORTED } else { basis::ENTRY_NOT_REPORTED },
        ..SchoolStay::seen(first)
    }];
    for on_a_day in district.snapshots.chunk_by(|a, b| snapshot_day(a) == snapshot_day(b)) {
        // Those of schools known already come first, so that the order of lines in a file decides nothing.
        let (known, new): (Vec<_>, Vec<_>) =
            on_a_day.iter().copied().partition(|fact| find_known(&schools, fact).is_some());
        for fact in known.into_iter().chain(new) {
            place_snapshot(&mut schools, fact, district.exit.or(district.limit));
        }
    }
    if let Some(last) = schools.last_mut() {
        (last.exit, last.exit_basis, last.unregister) = (district.exit, district.exit_basis, district.unregister);
        last.limit = district.limit;
    }
    schools
}

/// The school stay a snapshot goes on: the current one if it names its school, else one earlier in the same school year (a school
/// attended before and reported once more is no return).
fn find_known(schools: &[SchoolStay<'_>], fact: &StoredFact) -> Option<usize> {
    let names = |school: &SchoolStay<'_>| school.facility == fact.facility.as_deref();
    let current = schools.last()?;
    if fact.facility.is_none() || current.facility.is_none() || names(current) {
        return Some(schools.len() - 1);
    }
    schools.iter().rposition(|school| names(school) && school.is_of_year(fact.school_year))
}

/// The school that the student had left by the first collection of the school year, if `fact` names it with the current one: a year-end snapshot names
/// all the year's schools, and the one of the year before was left in this year, not returned to. Its place among the schools.
fn find_left(schools: &[SchoolStay<'_>], fact: &StoredFact, is_past: bool) -> Option<usize> {
    let year = fact.school_year?;
    let is_first =
        |school: &SchoolStay<'_>| school.entry == Some(year.first_day()) && school.entry_basis == basis::YEAR_BOUNDARY;
    let first = schools.iter().rposition(is_first)?;
    let day = snapshot_day(fact);
    let current = schools.last()?;
    let names_current = current.snapshots.iter().any(|other| snapshot_day(other) == day);
    let seen_before = schools.get(first)?.snapshots.first().and_then(|seen| snapshot_day(seen)) < day;
    let left = first.checked_sub(1)?;
    let is_same = schools.get(left)?.facility == fact.facility.as_deref();
    (is_same && seen_before && (names_current || is_past)).then_some(left)
}

/// Moves the change of school from the boundary of the years to the day the later school was first seen.
fn leave_within_year<'a>(schools: &mut [SchoolStay<'a>], left: usize, fact: &'a StoredFact) {
    let Some([left, next]) = schools.get_mut(left..).and_then(|rest| rest.first_chunk_mut::<2>()) else { return };
    left.snapshots.push(fact);
    let first_seen = next.snapshots.first().and_then(|seen| snapshot_day(seen));
    if let Some((day, before)) = first_seen.and_then(|day| Some((day, day.checked_sub_days(Days::new(1))?))) {
        (left.exit, left.exit_basis) = (Some(before), Some(basis::FIRST_SEEN));
        (next.entry, next.entry_basis) = (Some(day), basis::FIRST_SEEN);
    }
}

/// A year-end snapshot named a new school beside the current one; a later one names the current one again, and not the new: the student was at the new
/// one some time in that year, and has not left the other since.
fn resume<'a>(schools: &mut [SchoolStay<'a>], fact: &'a StoredFact) {
    let Some([stayed, beside]) = schools.last_chunk_mut::<2>() else { return };
    let named_on = |school: &SchoolStay<'_>, day: Option<NaiveDate>| {
        school.snapshots.iter().any(|other| snapshot_day(other) == day)
    };
    let together = beside.snapshots.first().is_some_and(|first| named_on(stayed, snapshot_day(first)));
    let is_open = stayed.exit.is_none() && stayed.exit_basis == Some(basis::EXIT_NOT_REPORTED);
    let names_stayed = stayed.facility == fact.facility.as_deref() && beside.latest_year() < fact.school_year;
    if together && is_open && names_stayed && beside.entry_basis == basis::ENTRY_NOT_REPORTED {
        (stayed.exit_basis, beside.exit_basis) = (None, Some(basis::EXIT_NOT_REPORTED));
        std::mem::swap(stayed, beside);
    }
}

/// `last_day`: the last the stay in the district had or can have had.
fn place_snapshot<'a>(schools: &mut Vec<SchoolStay<'a>>, fact: &'a StoredFact, last_day: Option<NaiveDate>) {
    resume(schools, fact);
    let known = find_known(schools, fact).and_then(|index| schools.get_mut(index));
    if let Some(school) = known {
        school.facility = school.facility.or(fact.facility.as_deref());
        school.snapshots.push(fact);
        return;
    }
    let day = snapshot_day(fact);
    let is_past = last_day.is_some() && last_day < day;
    if let Some(left) = find_left(schools, fact, is_past) {
        leave_within_year(schools, left, fact);
        return;
    }
    let mut next = SchoolStay { snapshots: vec![fact], ..SchoolStay::seen(fact) };
    let Some(current) = schools.last_mut() else { return };
    if is_past && current.latest_year() >= fact.school_year {
        // Attended some time in the year that has ended: neither day is known.
        next.exit_basis = Some(basis::EXIT_NOT_REPORTED);
        next.limit = last_day;
        schools.insert(schools.len() - 1, next);
        return;
    }
    match change_of_school(current, fact, day) {
        Some((last_day, words)) => {
            (current.exit, current.exit_basis) = (Some(last_day), Some(words));
            (next.entry, next.entry_basis) = (last_day.checked_add_days(Days::new(1)), words);
        }
        None => current.exit_basis = Some(basis::EXIT_NOT_REPORTED),
    }
    schools.push(next);
}

/// The last day at the school before, and the rule: at the boundary of two school years, within one the day before the snapshot. `None` where
/// that contradicts what is known.
fn change_of_school(
    current: &SchoolStay<'_>,
    fact: &StoredFact,
    day: Option<NaiveDate>,
) -> Option<(NaiveDate, &'static str)> {
    let (last_day, words) = match (current.latest_year(), fact.school_year) {
        (Some(before), Some(after)) if before < after => (after.previous().last_day(), basis::YEAR_BOUNDARY),
        _ => (day?.checked_sub_days(Days::new(1))?, basis::FIRST_SEEN),
    };
    let until = current.known_until().or_else(|| current.known_since());
    let fits = until.is_none_or(|until| until <= last_day) && day.is_some_and(|day| last_day < day);
    fits.then_some((last_day, words))
}

/// A change record has no date. Of a school that is known it is one more word; a school that no dated report names follows the district's last
/// one if the record came after the last snapshot there, else it stands beside it. None of its days is known.
fn place_change<'a>(of_districts: &mut Vec<(Option<&'a str>, Vec<SchoolStay<'a>>)>, fact: &'a StoredFact) {
    let in_lea = |(lea, _): &&mut (Option<&str>, Vec<SchoolStay<'a>>)| *lea == fact.lea.as_deref();
    let at_school = |school: &SchoolStay<'_>| {
        fact.facility.is_none() || school.facility.is_none() || school.facility == fact.facility.as_deref()
    };
    let known = of_districts
        .iter_mut()
        .filter(in_lea)
        .flat_map(|(_, schools)| schools)
        .filter(|school| at_school(school))
        .last();
    if let Some(school) = known {
        school.changes.push(fact);
        return;
    }
    let mut next = SchoolStay { changes: vec![fact], ..SchoolStay::seen(fact) };
    let district = of_districts
        .iter_mut()
        .filter(in_lea)
        .max_by_key(|(_, schools)| schools.first().and_then(|school| school.entry));
    let Some((_, schools)) = district else {
        of_districts.push((fact.lea.as_deref(), vec![next]));
        return;
    };
    match schools.last_mut() {
        Some(current) if current.is_after(fact) => {
            (next.exit, next.exit_basis, next.unregister) =
                (current.exit, current.exit_basis, current.unregister.take());
            (current.exit, current.exit_basis) = (None, Some(basis::EXIT_NOT_REPORTED));
            schools.push(next);
        }
        _ => {
            next.exit_basis = Some(basis::EXIT_NOT_REPORTED);
            schools.insert(schools.len().saturating_sub(1), next);
        }
    }
}

/// Of stays in different districts that share days the one begun later is shown first; `None`: it shares none.
pub(super) fn primary(schools: &[SchoolStay<'_>]) -> Vec<Option<bool>> {
    let shares = |a: &SchoolStay<'_>, b: &SchoolStay<'_>| {
        let (Some(a_entry), Some(b_entry)) = (a.entry, b.entry) else { return false };
        let ended = |stay: &SchoolStay<'_>| stay.exit.is_none() && stay.exit_basis.is_some();
        a.origin.lea != b.origin.lea
            && !ended(a)
            && !ended(b)
            && a.exit.is_none_or(|exit| b_entry <= exit)
            && b.exit.is_none_or(|exit| a_entry <= exit)
    };
    let of = |(index, stay): (usize, &SchoolStay<'_>)| {
        let others = schools.iter().enumerate().filter(|(other, b)| *other != index && shares(stay, b));
        others.map(|(other, b)| (stay.entry, index) > (b.entry, other)).reduce(|all, one| all && one)
    };
    schools.iter().enumerate().map(of).collect()
}
