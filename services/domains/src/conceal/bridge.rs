//! Takes the seams of a stay elsewhere out of the home district's events, so that the stay at home goes on.
//!
//! Exit into the facility, registration there, exit there, return home: all four go. What is left is what the home district would have reported
//! of a student who never went.

use std::collections::BTreeSet;

use chrono::{Days, NaiveDate};
use model::{Domain, Period, SchoolYear, Value};

use super::words::leads_to_other_agency;
use crate::StoredFact;

/// How many days may lie between leaving home and entering the facility, or leaving it and coming home: a summer.
const SEAM_DAYS_MAX: u64 = 75;

/// A stay elsewhere, in terms of the (rewritten) facts by index.
struct Stay {
    /// The registration at the facility, if the facility reports.
    register: Option<usize>,
    begin: NaiveDate,
    /// The exit from it.
    unregister: Option<usize>,
    end: Option<NaiveDate>,
    lea: Option<String>,
}

/// Facts of facilities have been rewritten and are marked `concealed`.
pub(super) fn bridge(facts: &mut Vec<StoredFact>) {
    let mut gone: BTreeSet<usize> = BTreeSet::new();
    let persons: BTreeSet<_> = facts.iter().map(|fact| fact.source_person).collect();
    for person in persons {
        let events = Events::of(facts, |fact| fact.source_person == person && fact.domain == Domain::Enrollment);
        let stays = events.stays();
        gone.extend(stays.iter().flat_map(|stay| events.seams(stay)));
        // A change there, or an exit that no registration there leads to, tells only of the facility.
        let stray = |fact: &StoredFact| fact.concealed && matches!(fact.kind.as_str(), "change" | "unregister");
        let paired: BTreeSet<usize> = stays.iter().filter_map(|stay| stay.unregister).collect();
        gone.extend(
            events.all.iter().filter(|(index, fact)| stray(fact) && !paired.contains(index)).map(|(index, _)| index),
        );
    }
    let mut index = 0..;
    facts.retain(|_| index.next().is_none_or(|index| !gone.contains(&index)));
    associations(facts);
}

struct Events<'a> {
    all: Vec<(usize, &'a StoredFact)>,
}

fn day_of(fact: &StoredFact) -> Option<NaiveDate> {
    fact.find_date("exit_withdraw_date").filter(|_| fact.kind == "unregister").or_else(|| fact.valid.from())
}

fn near(earlier: NaiveDate, later: NaiveDate) -> bool {
    earlier <= later && later <= earlier.checked_add_days(Days::new(SEAM_DAYS_MAX)).unwrap_or(NaiveDate::MAX)
}

impl<'a> Events<'a> {
    fn of(facts: &'a [StoredFact], whose: impl Fn(&StoredFact) -> bool) -> Self {
        let mut all: Vec<_> = facts.iter().enumerate().filter(|(_, fact)| whose(fact)).collect();
        all.sort_by_key(|(_, fact)| (day_of(fact), fact.learned()));
        Self { all }
    }

    /// Dated facts of a kind, in order.
    fn dated(&self, kind: &str, concealed: bool) -> impl Iterator<Item = (usize, &'a StoredFact, NaiveDate)> {
        self.all
            .iter()
            .filter(move |(_, fact)| fact.kind == kind && fact.concealed == concealed)
            .filter_map(|(index, fact)| Some((*index, *fact, day_of(fact)?)))
    }

    /// Stays at facilities that report them, and those that only the exit from home tells of.
    fn stays(&self) -> Vec<Stay> {
        let registers: Vec<_> = self.dated("register", true).collect();
        let mut stays = Vec::new();
        for (place, (index, fact, begin)) in registers.iter().enumerate() {
            let next = registers.get(place + 1).map(|(_, _, day)| *day);
            let exit =
                self.dated("unregister", true).find(|(_, _, day)| begin <= day && next.is_none_or(|next| *day < next));
            stays.push(Stay {
                register: Some(*index),
                begin: *begin,
                unregister: exit.map(|(index, _, _)| index),
                end: exit.map(|(_, _, day)| day),
                lea: fact.lea.clone(),
            });
        }
        for (_, fact, day) in self.dated("unregister", false) {
            let is_reported = registers.iter().any(|(_, _, begin)| near(day, *begin));
            if leads_to_other_agency(fact) && !is_reported {
                stays.push(Stay { register: None, begin: day, unregister: None, end: None, lea: fact.lea.clone() });
            }
        }
        stays
    }

    /// Whether the student had left home long before: the stay then begins a new one at home, after a time out of school.
    fn is_out(&self, stay: &Stay) -> bool {
        let last = |kind: &str| {
            let at_home = self.dated(kind, false).filter(|(_, fact, _)| fact.lea == stay.lea);
            at_home.map(|(_, _, day)| day).take_while(|day| *day <= stay.begin).last()
        };
        last("unregister")
            .is_some_and(|exit| !near(exit, stay.begin) && last("register").is_none_or(|entry| entry <= exit))
    }

    /// What goes with a stay.
    fn seams(&self, stay: &Stay) -> Vec<usize> {
        let at_home = |fact: &StoredFact| fact.lea == stay.lea;
        let was_home = self
            .all
            .iter()
            .filter(|(_, fact)| !fact.concealed && at_home(fact) && fact.kind != "unregister")
            .any(|(_, fact)| day_of(fact).is_some_and(|day| day < stay.begin))
            && !self.is_out(stay);
        let left: Vec<usize> = self
            .dated("unregister", false)
            .filter(|(_, fact, day)| at_home(fact) && near(*day, stay.begin))
            .map(|(index, _, _)| index)
            .collect();
        let next = self.dated("register", false).find(|(_, _, day)| stay.begin <= *day);
        let returned = next.filter(|(_, fact, day)| at_home(fact) && stay.end.is_none_or(|end| near(end, *day)));
        // A return that comes late is one from a time of which nobody reports: the exit from the facility stays, as home's.
        let is_late = returned.is_none() && next.is_some_and(|(_, fact, _)| at_home(fact));
        let before_next = |day: NaiveDate| next.is_none_or(|(_, _, next)| day < next);
        let seen_again =
            self.all.iter().filter(|(_, fact)| fact.kind == "collection" && !fact.concealed).any(|(_, fact)| {
                let year = SchoolYear::containing(stay.end.unwrap_or(stay.begin));
                at_home(fact) && fact.school_year > Some(year) && day_of(fact).is_some_and(before_next)
            });
        let goes_on = seen_again || (next.is_some() && !is_late);
        let mut gone = Vec::new();
        if !was_home {
            // The facility is where the student came in: its registration stands for home's.
            if stay.register.is_some() {
                gone.extend(returned.map(|(index, _, _)| index));
                gone.extend(stay.unregister.filter(|_| goes_on));
            }
            return gone;
        }
        gone.extend(stay.register);
        gone.extend(returned.map(|(index, _, _)| index));
        let goes_on = goes_on
            || self
                .dated("unregister", false)
                .any(|(_, fact, day)| at_home(fact) && day > stay.begin && (!is_late || before_next(day)));
        if goes_on || left.is_empty() || stay.register.is_none() {
            gone.extend(stay.unregister);
        }
        if goes_on || stay.register.is_some() {
            gone.extend(left);
        }
        gone
    }
}

/// The same for a source that reports stays whole: the home stay before takes in the one elsewhere and the one after it.
fn associations(facts: &mut Vec<StoredFact>) {
    let begins = |fact: &StoredFact| {
        (fact.kind == "association" && fact.domain == Domain::Enrollment).then(|| fact.valid.from()).flatten()
    };
    while let Some(place) =
        facts.iter().position(|fact| fact.concealed && begins(fact).is_some_and(|_| before(facts, fact).is_some()))
    {
        let away = facts.remove(place);
        let Some(home) = before(facts, &away) else { continue };
        let after = facts
            .iter()
            .enumerate()
            .filter(|(_, fact)| is_beside(fact, &away) && begins(fact) >= away.valid.from())
            .min_by_key(|(_, fact)| begins(fact))
            .map(|(index, _)| index)
            .filter(|index| {
                let entry = facts.get(*index).and_then(begins);
                away.valid.to().zip(entry).is_none_or(|(end, entry)| near(end, entry))
            });
        let last = after.and_then(|index| facts.get(index)).unwrap_or(&away).clone();
        if let Some(home) = facts
            .get_mut(home)
            .filter(|home| home.valid.to().is_some_and(|to| Some(to) < last.valid.to() || last.valid.to().is_none()))
        {
            home.valid = Period::new(home.valid.from(), last.valid.to()).unwrap_or(home.valid);
            for element in ["exit_withdraw_date", "exit_withdraw_type", "other_agency_exit_type", "exit_status"] {
                home.payload.remove(element);
                if let Some(value) = last.find(element) {
                    home.payload.insert(element.to_owned(), value.clone());
                }
            }
            if let Some(to) = last.valid.to() {
                home.payload.insert("exit_withdraw_date".to_owned(), Value::Date(to));
            }
        }
        if let Some(index) = after {
            facts.remove(index);
        }
    }
}

fn is_beside(fact: &StoredFact, away: &StoredFact) -> bool {
    fact.kind == away.kind
        && fact.domain == away.domain
        && !fact.concealed
        && fact.source_person == away.source_person
        && fact.lea == away.lea
        && fact.facility == away.facility
}

/// The home stay that begins last before one elsewhere and reaches it.
fn before(facts: &[StoredFact], away: &StoredFact) -> Option<usize> {
    let begin = away.valid.from()?;
    facts
        .iter()
        .enumerate()
        .filter(|(_, fact)| is_beside(fact, away) && fact.valid.from().is_some_and(|from| from <= begin))
        .filter(|(_, fact)| fact.valid.to().is_none_or(|to| begin <= to || near(to, begin)))
        .max_by_key(|(_, fact)| fact.valid.from())
        .map(|(index, _)| index)
}
