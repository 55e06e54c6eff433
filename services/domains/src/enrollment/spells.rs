//! Spells: the rules of [`super::fold`], a step a function.

use std::{cmp::Ordering, collections::BTreeMap};

use chrono::{Days, NaiveDate};
use model::{Row, SchoolYear, Value};

use crate::{Organizations, StoredFact, fold::name_organizations};

/// How an exit is known when the source did not simply say it.
const EXIT_REGISTERED_ELSEWHERE: &str = "registered elsewhere";
const EXIT_COLLECTION: &str = "collection";
const EXIT_DATE_NOT_REPORTED: &str = "exit date not reported";

/// A stay at one school.
#[derive(Clone, Debug)]
pub(super) struct Spell {
    /// The fact that began it: envelope and lineage of the row.
    origin: StoredFact,
    /// The values of all facts about it, the later learned over the earlier.
    values: BTreeMap<&'static str, Value>,
    entry: Option<NaiveDate>,
    exit: Option<NaiveDate>,
    exit_basis: Option<&'static str>,
    /// The school year of the latest snapshot in it.
    latest_year: Option<SchoolYear>,
    /// The source ended it, though it may not have said when.
    ended: bool,
    overlaps: Option<bool>,
}

impl Spell {
    fn begin(fact: &StoredFact, entry: Option<NaiveDate>) -> Self {
        let mut values = fact.to_row().values;
        for element in ["exit_withdraw_date", "snapshot_date", "collection"] {
            values.remove(element);
        }
        Self {
            origin: fact.clone(),
            values,
            entry,
            exit: None,
            exit_basis: None,
            latest_year: fact.school_year,
            ended: false,
            overlaps: None,
        }
    }

    fn lea(&self) -> Option<&str> {
        self.origin.lea.as_deref()
    }

    fn covers(&self, day: NaiveDate) -> bool {
        self.entry.is_none_or(|entry| entry <= day) && self.exit.is_none_or(|exit| day <= exit)
    }

    /// Takes over what a later fact says of the stay, entry and school excepted.
    fn learn(&mut self, fact: &StoredFact) {
        for (name, value) in fact.to_row().values {
            if !matches!(name, "entry_date" | "school_year" | "school_id" | "snapshot_date" | "collection") {
                self.values.insert(name, value);
            }
        }
        self.latest_year = self.latest_year.max(fact.school_year);
    }

    /// The order of a school history: by entry, an unknown entry by the year it is first seen in.
    pub(super) fn compare(&self, other: &Self) -> Ordering {
        let key = |spell: &Self| {
            (
                // A stay without any date (a change record) is placed where it was learned.
                spell
                    .entry
                    .or_else(|| spell.origin.school_year.map(SchoolYear::first_day))
                    .or(spell.origin.source.recorded_on),
                spell.exit.unwrap_or(NaiveDate::MAX),
            )
        };
        key(self).cmp(&key(other)).then_with(|| self.origin.source.cmp(&other.origin.source))
    }

    pub(super) fn into_row(self, organizations: &Organizations) -> Row {
        let mut values = self.values;
        name_organizations(&mut values, &self.origin, self.exit.or(self.entry), organizations);
        if let Some(facility) = values.get("facility_2_id").and_then(Value::as_text).map(str::to_owned)
            && let Some(organization) = organizations.find(&self.origin.sea, &facility, self.entry)
        {
            values.insert("facility_2_name", Value::Text(organization.name.clone()));
        }
        let school_year = self.entry.map(SchoolYear::containing).or(self.origin.school_year);
        values.remove("school_year");
        let mut set = |element: &'static str, value: Option<Value>| {
            if let Some(value) = value {
                values.insert(element, value);
            }
        };
        set("school_year", school_year.map(|year| Value::Text(year.to_string())));
        set("entry_date", self.entry.map(Value::Date));
        set("exit_withdraw_date", self.exit.map(Value::Date));
        set("exit_basis", self.exit_basis.map(|basis| Value::Text(basis.to_owned())));
        set("primary_spell", self.overlaps.map(Value::Boolean));
        Row { values, school_year, certification: self.origin.certification, source: self.origin.source }
    }
}

/// The spells of one source person.
pub(super) fn of_person(facts: &[&StoredFact]) -> Vec<Spell> {
    let of_kind = |kind: &str| facts.iter().copied().filter(|fact| fact.kind == kind).collect::<Vec<_>>();
    let mut spells = registered(of_kind("register"));
    end_unregistered(&mut spells, of_kind("unregister"));
    end_implied(&mut spells);
    let mut snapshots = of_kind("collection");
    snapshots.sort_by_key(|fact| (snapshot_day(fact), fact.learned()));
    for snapshot in snapshots {
        place_snapshot(&mut spells, snapshot);
    }
    for change in of_kind("change") {
        place_change(&mut spells, change);
    }
    spells.extend(of_kind("association").into_iter().map(|fact| {
        let mut spell = Spell::begin(fact, fact.valid.from());
        spell.exit = fact.valid.to();
        spell.ended = spell.exit.is_some();
        spell
    }));
    spells
}

fn registered(mut registers: Vec<&StoredFact>) -> Vec<Spell> {
    registers.sort_by_key(|fact| (fact.valid.from(), fact.learned()));
    registers.into_iter().map(|fact| Spell::begin(fact, fact.valid.from())).collect()
}

fn end_unregistered(spells: &mut [Spell], mut unregisters: Vec<&StoredFact>) {
    unregisters.sort_by_key(|fact| (fact.find_date("exit_withdraw_date"), fact.learned()));
    for fact in unregisters {
        let day = fact.find_date("exit_withdraw_date").or_else(|| fact.valid.to());
        let ends = |spell: &&mut Spell| {
            !spell.ended && spell.lea() == fact.lea.as_deref() && (day.is_none() || spell.entry <= day)
        };
        let Some(spell) = spells.iter_mut().filter(ends).max_by_key(|spell| spell.entry) else {
            continue;
        };
        spell.ended = true;
        spell.exit = day;
        if day.is_none() {
            spell.exit_basis = Some(EXIT_DATE_NOT_REPORTED);
        }
        for element in ["exit_withdraw_type", "exit_status"] {
            if let (Some(value), Some(definition)) = (fact.find(element), super::DEFINITION.find_element(element)) {
                spell.values.insert(definition.name, value.clone());
            }
        }
    }
}

fn end_implied(spells: &mut [Spell]) {
    let entries: Vec<(Option<String>, Option<NaiveDate>)> =
        spells.iter().map(|s| (s.lea().map(str::to_owned), s.entry)).collect();
    for (index, spell) in spells.iter_mut().enumerate() {
        // An exit that the source reported without a day stays without one.
        if spell.ended {
            continue;
        }
        let later =
            entries.iter().skip(index + 1).find(|(lea, entry)| lea.as_deref() != spell.lea() && *entry > spell.entry);
        if let Some((_, Some(entry))) = later {
            spell.exit = entry.checked_sub_days(Days::new(1));
            spell.exit_basis = Some(EXIT_REGISTERED_ELSEWHERE);
            spell.ended = true;
        }
    }
}

fn snapshot_day(fact: &StoredFact) -> Option<NaiveDate> {
    fact.find_date("snapshot_date")
        .or_else(|| fact.valid.from())
        .or_else(|| fact.school_year.map(SchoolYear::first_day))
}

fn place_snapshot(spells: &mut Vec<Spell>, fact: &StoredFact) {
    let day = snapshot_day(fact);
    let holds = |spell: &Spell| spell.lea() == fact.lea.as_deref() && day.is_none_or(|day| spell.covers(day));
    let Some(index) = spells.iter().rposition(holds) else {
        // A year-end snapshot may lie past the exit: it still tells of the district's stay in that school year.
        let same_year = |spell: &Spell| {
            spell.lea() == fact.lea.as_deref()
                && spell.exit.is_some()
                && spell.exit.map(SchoolYear::containing) == fact.school_year
                && spell.entry <= day
        };
        match spells.iter_mut().rfind(|spell| same_year(spell)) {
            Some(spell) if spell.origin.facility == fact.facility => spell.learn(fact),
            Some(_) => {}
            None => spells.push(Spell::begin(fact, None)),
        }
        return;
    };
    let Some(spell) = spells.get_mut(index) else {
        return;
    };
    if spell.origin.facility.is_none() || fact.facility.is_none() || spell.origin.facility == fact.facility {
        spell.learn(fact);
        return;
    }
    let (last_day, first_day) = split_days(spell.latest_year, fact.school_year, day);
    let seen_there = spells.iter().position(|other| {
        other.lea() == fact.lea.as_deref()
            && other.origin.facility == fact.facility
            && other.latest_year == fact.school_year
    });
    if let Some(other) = seen_there.and_then(|place| spells.get_mut(place)) {
        // The school attended earlier in the same year, reported once more: no return.
        other.learn(fact);
        return;
    }
    let Some(spell) = spells.get_mut(index) else { return };
    if last_day.is_some() && last_day < spell.entry {
        // The snapshot lies before the stay it would end.
        spell.learn(fact);
        return;
    }
    let mut next = Spell::begin(fact, first_day);
    (next.exit, next.exit_basis, next.ended) = (spell.exit, spell.exit_basis, spell.ended);
    for element in ["exit_withdraw_type", "exit_status"] {
        if let Some((name, value)) = spell.values.remove_entry(element) {
            next.values.insert(name, value);
        }
    }
    (spell.exit, spell.exit_basis, spell.ended) = (last_day, Some(EXIT_COLLECTION), true);
    spells.insert(index + 1, next);
}

/// Where a change of school seen by two snapshots lies: at the boundary of two school years, else at the later snapshot's day.
fn split_days(
    before: Option<SchoolYear>,
    after: Option<SchoolYear>,
    day: Option<NaiveDate>,
) -> (Option<NaiveDate>, Option<NaiveDate>) {
    match (before, after) {
        (Some(before), Some(after)) if before < after => (Some(after.previous().last_day()), Some(after.first_day())),
        _ => (day.and_then(|day| day.checked_sub_days(Days::new(1))), day),
    }
}

fn place_change(spells: &mut Vec<Spell>, fact: &StoredFact) {
    let of_district = |spell: &Spell| spell.lea() == fact.lea.as_deref();
    let at_school =
        |spell: &Spell| of_district(spell) && (fact.facility.is_none() || spell.origin.facility == fact.facility);
    if let Some(index) = spells.iter().rposition(at_school) {
        if let Some(spell) = spells.get_mut(index) {
            spell.learn(fact);
        }
    } else if let Some(index) = spells.iter().rposition(of_district) {
        let mut next = Spell::begin(fact, fact.valid.from());
        if let Some(spell) = spells.get_mut(index) {
            (next.exit, next.exit_basis, next.ended) = (spell.exit.take(), spell.exit_basis.take(), spell.ended);
            (spell.exit, spell.ended) = (fact.valid.from().and_then(|day| day.checked_sub_days(Days::new(1))), true);
            spell.exit_basis = Some(if spell.exit.is_some() { EXIT_COLLECTION } else { EXIT_DATE_NOT_REPORTED });
        }
        spells.insert(index + 1, next);
    } else {
        spells.push(Spell::begin(fact, fact.valid.from()));
    }
}

/// Joins a concealed stay with the ordinary ones around it in the same district, so that it leaves no seam.
pub(super) fn join_concealed(spells: Vec<Spell>) -> Vec<Spell> {
    let mut joined: Vec<Spell> = Vec::with_capacity(spells.len());
    // Whether the spell last pushed has taken in a concealed stay: then the return from it leaves no seam either.
    let mut extended = false;
    for spell in spells {
        if let Some(last) = joined.last_mut() {
            let same_place = last.lea() == spell.lea() && last.origin.facility == spell.origin.facility;
            let seamless = match (last.exit, spell.entry) {
                (Some(exit), Some(entry)) => entry <= exit.checked_add_days(Days::new(SEAM_DAYS_MAX)).unwrap_or(exit),
                _ => true,
            };
            if same_place && seamless && (spell.origin.concealed || last.origin.concealed || extended) {
                extended = true;
                last.exit = spell.exit;
                last.exit_basis = spell.exit_basis;
                last.ended = spell.ended;
                last.origin.concealed &= spell.origin.concealed;
                for element in ["exit_withdraw_type", "exit_status"] {
                    last.values.remove(element);
                }
                last.values.extend(spell.values.into_iter().filter(|(name, _)| *name != "entry_date"));
                continue;
            }
        }
        extended = false;
        joined.push(spell);
    }
    joined
}

/// How many days may lie between a stay and the concealed one that continues it: a summer.
const SEAM_DAYS_MAX: u64 = 75;

/// Marks spells of different districts that share days: the one begun later is primary.
pub(super) fn mark_overlaps(spells: &mut [Spell]) {
    let known: Vec<_> = spells.iter().map(|s| (s.origin.lea.clone(), s.entry, s.exit)).collect();
    for (index, spell) in spells.iter_mut().enumerate() {
        let Some(entry) = spell.entry else { continue };
        let mut primary = None;
        for (other, (lea, other_entry, other_exit)) in known.iter().enumerate() {
            let Some(other_entry) = *other_entry else {
                continue;
            };
            let apart =
                other_exit.is_some_and(|exit| exit < entry) || spell.exit.is_some_and(|exit| exit < other_entry);
            if other == index || *lea == spell.origin.lea || apart {
                continue;
            }
            let later = (entry, index) > (other_entry, other);
            primary = Some(primary.unwrap_or(true) && later);
        }
        spell.overlaps = primary;
    }
}
