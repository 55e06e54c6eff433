//! From stays to rows.

use std::collections::BTreeMap;

use model::{Row, SchoolYear, Value};

use super::{program::ProgramStay, school::SchoolStay, snapshot_day};
use crate::{Organizations, StoredFact, fold::name_organizations};

type Values = BTreeMap<&'static str, Value>;

/// What a report says of its own moment or of another stay, and not of the status of the student at the school.
const NOT_STATUS: [&str; 12] = [
    "school_year",
    "collection",
    "snapshot_date",
    "entry_date",
    "exit_withdraw_date",
    "exit_withdraw_type",
    "other_agency_exit_type",
    "exit_status",
    "exit_basis",
    "grade_level",
    "facility_2_id",
    "special_program_status",
];

/// A stay at a school. The grade is that of the row's school year; what was last reported stands apart, with its year and day.
pub(super) fn of_school(stay: &SchoolStay<'_>, primary: Option<bool>, organizations: &Organizations) -> Row {
    let is_association = stay.origin.kind == "association";
    let latest = stay.latest();
    let school_year = stay
        .entry
        .map(SchoolYear::containing)
        .or_else(|| stay.snapshots.first().and_then(|fact| fact.school_year))
        .or(stay.origin.school_year);
    let mut values = if is_association { stay.origin.to_row().values } else { status(stay) };
    set(&mut values, "school_year", school_year.map(|year| Value::Text(year.to_string())));
    set(&mut values, "entry_date", stay.entry.map(Value::Date));
    set(&mut values, "entry_basis", Some(Value::Text(stay.entry_basis.to_owned())));
    set(&mut values, "exit_withdraw_date", stay.exit.map(Value::Date));
    set(&mut values, "exit_basis", stay.exit_basis.map(|basis| Value::Text(basis.to_owned())));
    set(&mut values, "primary_spell", primary.map(Value::Boolean));
    if !is_association {
        exit(&mut values, stay);
        grades(&mut values, stay, school_year);
        let seen = stay.seen_days();
        set(&mut values, "first_seen_date", seen.map(|(first, _)| Value::Date(first)));
        set(&mut values, "last_seen_date", seen.map(|(_, last)| Value::Date(last)));
    }
    show_other_agency(&mut values);
    let mut named = stay.origin.clone();
    named.facility = stay.facility.map(str::to_owned);
    values.remove("school_id");
    values.remove("local_education_agency_id");
    name_organizations(&mut values, &named, stay.exit.or(stay.entry), organizations);
    let certification = latest.unwrap_or(stay.origin).certification;
    Row { values, school_year, certification, source: stay.origin.source.clone() }
}

fn set(values: &mut Values, element: &'static str, value: Option<Value>) {
    match value {
        Some(value) => {
            values.insert(element, value);
        }
        None => {
            values.remove(element);
        }
    }
}

fn status_of(fact: &StoredFact) -> Values {
    let mut values = fact.to_row().values;
    values.retain(|name, _| !NOT_STATUS.contains(name));
    values
}

/// All of one report, the latest: values of several days are never mixed. What it does not say is taken from a registration or change
/// record of the same stay, which say little else.
fn status(stay: &SchoolStay<'_>) -> Values {
    let mut values = Values::new();
    if let Some(fact) = stay.newer_change() {
        values.extend(status_of(fact));
    }
    let others = stay.changes.iter().rev().copied().chain(stay.register);
    for fact in stay.latest().into_iter().chain(others) {
        for (name, value) in status_of(fact) {
            values.entry(name).or_insert(value);
        }
    }
    values
}

/// Why it ended: as the exit says, else as a snapshot of the same school year does.
fn exit(values: &mut Values, stay: &SchoolStay<'_>) {
    const SAID: [&str; 3] = ["exit_withdraw_type", "other_agency_exit_type", "exit_status"];
    let year = stay.exit.map(SchoolYear::containing).filter(|_| stay.unregister.is_some());
    let snapshots = stay.snapshots.iter().rev().filter(|fact| year.is_some() && fact.school_year == year);
    let Some(told) = stay
        .unregister
        .into_iter()
        .chain(snapshots.copied())
        .find(|fact| SAID.iter().any(|element| fact.find(element).is_some()))
    else {
        return;
    };
    for element in SAID {
        set(values, element, told.find(element).cloned());
    }
}

/// The grade of the row's school year, and the grade, year and day last reported.
fn grades(values: &mut Values, stay: &SchoolStay<'_>, school_year: Option<SchoolYear>) {
    let in_year = |fact: &&&StoredFact| fact.school_year == school_year;
    let first = stay.register.or_else(|| stay.snapshots.iter().find(in_year).copied());
    let undated =
        stay.snapshots.is_empty().then(|| stay.changes.first().copied()).flatten().filter(|_| first.is_none());
    set(values, "grade_level", first.or(undated).and_then(|fact| fact.find("grade_level")).cloned());
    let latest = stay.latest();
    let grade = |fact: Option<&StoredFact>| fact.and_then(|fact| fact.find("grade_level")).cloned();
    let year = latest.and_then(|fact| fact.school_year).map(|year| Value::Text(year.to_string()));
    // A newer change record that says the same leaves no mark; another grade is of no school year that is known.
    if let Some(newer) = grade(stay.newer_change()).filter(|newer| Some(newer) != grade(latest).as_ref()) {
        set(values, "last_grade_level", Some(newer));
    } else {
        set(values, "last_grade_level", grade(latest));
        set(values, "last_school_year", year);
    }
    set(values, "status_date", latest.and_then(snapshot_day).map(Value::Date));
}

/// Whoever may see what names another agency sees it in its ordinary place and in its guarded one; for others neither is there.
fn show_other_agency(values: &mut Values) {
    for (guarded, ordinary) in
        [("other_agency_exit_type", "exit_withdraw_type"), ("other_agency_entry_type", "entry_type")]
    {
        if let Some(value) = values.get(guarded).cloned() {
            values.insert(ordinary, value);
        } else if let Some(value) =
            values.get(ordinary).filter(|value| value.as_text().is_some_and(crate::names_other_agency))
        {
            values.insert(guarded, value.clone());
        }
    }
}

/// A stay in a second facility or special program, with the days it is known for.
pub(super) fn of_program(stay: &ProgramStay<'_>, organizations: &Organizations) -> Row {
    let fact = stay.origin;
    let mut values = Values::new();
    for element in ["facility_2_id", "special_program_status", "grade_level"] {
        if let (Some(value), Some(definition)) = (fact.find(element), super::DEFINITION.find_element(element)) {
            values.insert(definition.name, value.clone());
        }
    }
    let facility = values.get("facility_2_id").and_then(Value::as_text).map(str::to_owned);
    let name = facility.and_then(|code| organizations.find(&fact.sea, &code, stay.first_seen).map(|o| o.name.clone()));
    let school_year = stay.first_seen.map(SchoolYear::containing).or(fact.school_year);
    set(&mut values, "facility_2_name", name.map(Value::Text));
    set(&mut values, "school_year", school_year.map(|year| Value::Text(year.to_string())));
    set(&mut values, "first_seen_date", stay.first_seen.map(Value::Date));
    set(&mut values, "last_seen_date", stay.last_seen.map(Value::Date));
    set(&mut values, "stay_basis", Some(Value::Text(stay.basis.to_owned())));
    name_organizations(&mut values, fact, stay.first_seen, organizations);
    Row { values, school_year, certification: stay.last.certification, source: fact.source.clone() }
}
