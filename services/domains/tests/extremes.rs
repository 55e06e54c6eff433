//! What no record should say and some do: everything is kept and shown as it was reported, and nothing takes unreasonably long.

use std::time::{Duration, Instant};

use chrono::{Days, NaiveDate};
use domains::{Organizations, StoredFact, derive_mobility, fold};
use model::{BatchId, Certification, Domain, Lineage, Payload, Period, Row, SchoolYear, SourcePersonId, Value};

/// How long one student may take, in a build that is not optimised, on a machine that is busy.
const PATIENCE: Duration = Duration::from_mins(1);

fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

fn fact(domain: Domain, kind: &str, line: u32) -> StoredFact {
    StoredFact {
        source_person: SourcePersonId(1),
        sea: "ct".into(),
        domain,
        kind: kind.to_owned(),
        school_year: None,
        valid: Period::ALWAYS,
        lea: Some("064".to_owned()),
        facility: None,
        certification: Certification::Certified,
        source: Lineage {
            batch: BatchId(1),
            file: "invented".into(),
            line,
            recorded_on: Some(day("2026-11-20")),
            reported_on: None,
            sea: "ct".into(),
            person: Some(SourcePersonId(1)),
        },
        concealed: false,
        payload: Payload::new(),
    }
}

fn with(mut fact: StoredFact, element: &str, value: Value) -> StoredFact {
    fact.payload.insert(element.to_owned(), value);
    fact
}

fn register(line: u32, lea: &str, school: &str, on: NaiveDate) -> StoredFact {
    let fact = with(fact(Domain::Enrollment, "register", line), "entry_date", Value::Date(on));
    StoredFact {
        lea: Some(lea.to_owned()),
        facility: Some(school.to_owned()),
        school_year: Some(SchoolYear::containing(on)),
        valid: Period::new(Some(on), None).unwrap(),
        ..fact
    }
}

fn exit(line: u32, on: NaiveDate) -> StoredFact {
    let fact = with(fact(Domain::Enrollment, "unregister", line), "exit_withdraw_date", Value::Date(on));
    StoredFact { school_year: Some(SchoolYear::containing(on)), valid: Period::day(on), ..fact }
}

fn folded(domain: Domain, facts: &[StoredFact]) -> Vec<Row> {
    let started = Instant::now();
    let rows = fold(domain, facts, &Organizations::default());
    assert!(started.elapsed() < PATIENCE, "{} facts took {:?}", facts.len(), started.elapsed());
    rows
}

#[test]
fn an_exit_before_the_entry_makes_two_stays_and_loses_neither_day() {
    let (on, before) = (day("2015-08-26"), day("2015-03-02"));
    let rows = folded(Domain::Enrollment, &[register(1, "064", "A", on), exit(2, before)]);
    let days: Vec<_> =
        rows.iter().map(|row| (row.find_date("entry_date"), row.find_date("exit_withdraw_date"))).collect();
    assert_eq!(days, [(None, Some(before)), (Some(on), None)]);
    assert_eq!(rows[0].find_text("entry_basis"), Some("entry date not reported"));
}

#[test]
fn a_year_of_five_digits_is_shown_as_it_was_reported() {
    let on = NaiveDate::from_ymd_opt(20_013, 9, 3).unwrap();
    let rows = folded(Domain::Enrollment, &[register(1, "064", "A", day("2012-08-29")), register(2, "065", "B", on)]);
    assert_eq!(rows.iter().filter_map(|row| row.find_date("entry_date")).max(), Some(on));
    assert_eq!(rows[0].find_text("exit_basis"), Some("implied: registered in another district"));
    let mobility = derive_mobility(&rows);
    assert_eq!(mobility[0].find("moves_between_districts"), Some(&Value::Integer(1)));
}

#[test]
fn twenty_schools_are_twenty_stays() {
    let schools: Vec<StoredFact> = (0..20_u32)
        .map(|number| {
            let on = day("2015-08-26") + Days::new(u64::from(number) * 9);
            register(number + 1, &format!("{:03}", number + 100), &format!("S{number:02}"), on)
        })
        .collect();
    let rows = folded(Domain::Enrollment, &schools);
    let mobility = derive_mobility(&rows);
    assert_eq!((rows.len(), mobility[0].find("schools")), (20, Some(&Value::Integer(20))));
    assert_eq!(mobility[0].find("moves_between_districts"), Some(&Value::Integer(19)));
}

#[test]
fn a_school_year_that_contradicts_its_day_is_kept_beside_it() {
    let mut wrong = with(fact(Domain::Attendance, "year", 1), "days_attended", Value::Integer(150));
    (wrong.school_year, wrong.valid) = (Some(SchoolYear(2019)), Period::day(day("2014-10-01")));
    let rows = folded(Domain::Attendance, &[wrong]);
    assert_eq!((rows.len(), rows[0].school_year), (1, Some(SchoolYear(2019))));
}

#[test]
fn a_hundred_and_forty_absences_of_a_day_and_ten_thousand_incidents_are_all_rows() {
    let on = day("2016-01-12");
    let absences: Vec<StoredFact> = (1..=140_u32)
        .map(|line| {
            let fact = with(fact(Domain::Attendance, "event", line), "event_date", Value::Date(on));
            StoredFact { valid: Period::day(on), school_year: Some(SchoolYear::containing(on)), ..fact }
        })
        .collect();
    assert_eq!(folded(Domain::Attendance, &absences).len(), 140);
    let incidents: Vec<StoredFact> = (1..=10_000_u32)
        .map(|line| {
            let number = Value::Text(format!("N{line}"));
            let fact = with(fact(Domain::Discipline, "offense", line), "incident_identifier", number);
            StoredFact { valid: Period::day(on), school_year: Some(SchoolYear::containing(on)), ..fact }
        })
        .collect();
    assert_eq!(folded(Domain::Discipline, &incidents).len(), 10_000);
}
