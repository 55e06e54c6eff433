//! Stays in a district: from registration to exit, with the snapshots that lie in them.

use std::collections::BTreeSet;

use chrono::{Days, NaiveDate};
use model::SchoolYear;

use super::{basis, snapshot_day};
use crate::StoredFact;

/// A stay in one district.
#[derive(Clone, Debug)]
pub(super) struct DistrictStay<'a> {
    /// What began it; `None`: no registration is known.
    pub register: Option<&'a StoredFact>,
    /// What ended it.
    pub unregister: Option<&'a StoredFact>,
    /// The first day.
    pub entry: Option<NaiveDate>,
    /// The last day.
    pub exit: Option<NaiveDate>,
    /// How the last day is known; `None`: the stay has not ended.
    pub exit_basis: Option<&'static str>,
    /// The last day it can have had, where it ended on a day that is not known.
    pub limit: Option<NaiveDate>,
    /// The snapshots in it, in order; the year-end ones that lie past its exit among them.
    pub snapshots: Vec<&'a StoredFact>,
    lea: Option<&'a str>,
}

impl<'a> DistrictStay<'a> {
    fn of(lea: Option<&'a str>) -> Self {
        Self {
            register: None,
            unregister: None,
            entry: None,
            exit: None,
            exit_basis: None,
            limit: None,
            snapshots: Vec::new(),
            lea,
        }
    }

    /// The district.
    pub(super) const fn lea(&self) -> Option<&'a str> {
        self.lea
    }

    fn covers(&self, day: NaiveDate) -> bool {
        self.entry.is_none_or(|entry| entry <= day) && self.exit.or(self.limit).is_none_or(|exit| day <= exit)
    }
}

/// The stays of one source person, by what began them. `snapshots` are in order.
pub(super) fn stays<'a>(
    registers: Vec<&'a StoredFact>,
    unregisters: &[&'a StoredFact],
    snapshots: &[&'a StoredFact],
) -> Vec<DistrictStay<'a>> {
    let mut stays = registered(registers);
    end_unregistered(&mut stays, unregisters);
    end_implied(&mut stays);
    place_snapshots(&mut stays, snapshots);
    stays
}

fn registered(mut registers: Vec<&StoredFact>) -> Vec<DistrictStay<'_>> {
    registers.sort_by_key(|fact| (fact.valid.from(), fact.learned()));
    let stay =
        |fact| DistrictStay { register: Some(fact), entry: fact.valid.from(), ..DistrictStay::of(fact.lea.as_deref()) };
    registers.into_iter().map(stay).collect()
}

fn exit_day(fact: &StoredFact) -> Option<NaiveDate> {
    fact.find_date("exit_withdraw_date").or_else(|| fact.valid.to())
}

/// Gives each exit to the stay it ends; of several for one stay the one learned last stands.
fn end_unregistered<'a>(stays: &mut Vec<DistrictStay<'a>>, unregisters: &[&'a StoredFact]) {
    let mut unregisters = unregisters.to_vec();
    unregisters.sort_by_key(|fact| fact.learned());
    let (dated, undated): (Vec<_>, Vec<_>) = unregisters.into_iter().partition(|fact| exit_day(fact).is_some());
    let registered = stays.len();
    for fact in dated {
        let day = exit_day(fact);
        let begun = |stay: &&mut DistrictStay<'_>| stay.lea == fact.lea.as_deref() && stay.entry <= day;
        let stay = stays.iter_mut().take(registered).filter(begun).max_by_key(|stay| stay.entry);
        if let Some(stay) = stay {
            stay.unregister = Some(fact);
        } else {
            // An exit from a district that no registration leads into.
            stays.push(DistrictStay { unregister: Some(fact), ..DistrictStay::of(fact.lea.as_deref()) });
        }
    }
    for fact in undated {
        let in_district = |stay: &&mut DistrictStay<'_>| stay.lea == fact.lea.as_deref();
        let open = stays.iter_mut().filter(in_district).filter(|stay| stay.unregister.is_none());
        if let Some(stay) = open.max_by_key(|stay| stay.entry) {
            stay.unregister = Some(fact);
        } else if !stays.iter().any(|stay| stay.lea == fact.lea.as_deref()) {
            stays.push(DistrictStay { unregister: Some(fact), ..DistrictStay::of(fact.lea.as_deref()) });
        }
    }
    for stay in stays {
        if let Some(fact) = stay.unregister {
            stay.exit = exit_day(fact);
            stay.exit_basis = Some(if stay.exit.is_some() { basis::REPORTED } else { basis::EXIT_NOT_REPORTED });
        }
    }
}

/// Ends what nobody ended: the day before the student's next registration.
fn end_implied(stays: &mut [DistrictStay<'_>]) {
    let entries: Vec<_> = stays.iter().map(|stay| (stay.lea, stay.entry)).collect();
    for stay in stays {
        let Some(entry) = stay.entry else { continue };
        let next = entries
            .iter()
            .filter_map(|(lea, day)| Some((*lea, (*day)?)))
            .filter(|(_, day)| *day > entry)
            .min_by_key(|(lea, day)| (*day, *lea == stay.lea));
        let Some((lea, day)) = next else { continue };
        let before = day.checked_sub_days(Days::new(1));
        if stay.unregister.is_none() {
            stay.exit = before;
            let again = lea == stay.lea;
            stay.exit_basis = Some(if again { basis::REGISTERED_AGAIN } else { basis::REGISTERED_ELSEWHERE });
        } else if stay.exit.is_none() {
            stay.limit = before;
        }
    }
}

fn place_snapshots<'a>(stays: &mut Vec<DistrictStay<'a>>, snapshots: &[&'a StoredFact]) {
    let entries: Vec<_> = stays.iter().map(|stay| (stay.lea, stay.entry)).collect();
    for fact in snapshots {
        let Some(day) = snapshot_day(fact) else { continue };
        if let Some(stay) = find_stay(stays, fact, day) {
            stay.snapshots.push(fact);
            continue;
        }
        let is_elsewhere = |lea: Option<&str>| lea != fact.lea.as_deref();
        let moved_between = |last: NaiveDate| {
            let within = |other: Option<NaiveDate>| other.is_some_and(|other| last < other && other <= day);
            entries.iter().any(|(_, entry)| within(*entry))
                || snapshots.iter().any(|other| {
                    is_elsewhere(other.lea.as_deref()) && within(snapshot_day(other)) && snapshot_day(other) < Some(day)
                })
        };
        let unregistered = |stay: &&mut DistrictStay<'_>| {
            let last = stay.snapshots.last().and_then(|last| snapshot_day(last));
            stay.register.is_none()
                && stay.unregister.is_none()
                && stay.lea == fact.lea.as_deref()
                && last.is_some_and(|last| !moved_between(last))
        };
        if let Some(stay) = stays.iter_mut().rfind(unregistered) {
            stay.snapshots.push(fact);
        } else {
            let mut stay = DistrictStay::of(fact.lea.as_deref());
            stay.snapshots.push(fact);
            stays.push(stay);
        }
    }
    end_unregistered_elsewhere(stays, &entries, snapshots);
}

/// The stay of the district that covers the day, the latest begun; else one that ended earlier in the snapshot's school year, or can have lasted
/// into it: a year-end snapshot tells of the year.
fn find_stay<'s, 'a>(
    stays: &'s mut [DistrictStay<'a>],
    fact: &StoredFact,
    day: NaiveDate,
) -> Option<&'s mut DistrictStay<'a>> {
    let known = |stay: &DistrictStay<'_>| {
        stay.lea == fact.lea.as_deref() && (stay.register.is_some() || stay.unregister.is_some())
    };
    let covering = |stay: &DistrictStay<'_>| known(stay) && stay.covers(day);
    let same_year = |stay: &DistrictStay<'_>| {
        known(stay)
            && stay.exit.or(stay.limit).is_some_and(|exit| Some(SchoolYear::containing(exit)) == fact.school_year)
            && stay.entry.is_none_or(|entry| entry <= day)
    };
    let latest = |stays: &[DistrictStay<'a>], fits: &dyn Fn(&DistrictStay<'_>) -> bool| {
        (0..stays.len())
            .filter(|index| stays.get(*index).is_some_and(fits))
            .max_by_key(|index| stays.get(*index).and_then(|stay| stay.entry))
    };
    let index = latest(stays, &covering).or_else(|| latest(stays, &same_year))?;
    stays.get_mut(index)
}

/// A stay that only snapshots tell of has ended, on a day not reported, once the student is registered or seen in another district.
fn end_unregistered_elsewhere(
    stays: &mut [DistrictStay<'_>],
    entries: &[(Option<&str>, Option<NaiveDate>)],
    snapshots: &[&StoredFact],
) {
    for stay in stays.iter_mut().filter(|stay| stay.register.is_none() && stay.unregister.is_none()) {
        let last = stay.snapshots.last().and_then(|fact| snapshot_day(fact));
        let later: BTreeSet<NaiveDate> = entries
            .iter()
            .filter_map(|(_, entry)| *entry)
            .chain(
                snapshots
                    .iter()
                    .filter(|other| other.lea.as_deref() != stay.lea)
                    .filter_map(|other| snapshot_day(other)),
            )
            .filter(|day| Some(*day) > last)
            .collect();
        if !later.is_empty() {
            stay.exit_basis = Some(basis::EXIT_NOT_REPORTED);
        }
    }
}
