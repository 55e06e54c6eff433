//! An oracle for enrollment and mobility: slow, obviously right, and without a line of the fold. It walks the calendar day by day and asks of each
//! day which school the rules of `domains/src/enrollment/RULES.md` put the student in. Each run draws other lives, and a failure names its seed.
//! `THROUGHLINE_ORACLE_CASES=200000` asks for more lives, `THROUGHLINE_ORACLE_SEED=n` for the same again; both are read when the tests are built.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{BuildHasher, RandomState};

use chrono::{Datelike as _, NaiveDate};
use domains::{Organizations, StoredFact, derive_mobility, fold};
use model::{BatchId, Certification, Domain, Lineage, Period, SchoolYear, SourcePersonId, Value};
use proptest::prelude::*;
use proptest::test_runner::{RngSeed, TestRunner};

/// What a source can report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Register { on: NaiveDate, district: u8, school: u8 },
    Unregister { on: NaiveDate, district: u8 },
    Snapshot { on: NaiveDate, district: u8, school: u8 },
    Change { district: u8, school: u8 },
}

/// A stay by district and school: first day, last day, whether it has ended.
type Told = (u8, Option<u8>, Option<NaiveDate>, Option<NaiveDate>, bool);

fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

fn days() -> impl Iterator<Item = NaiveDate> {
    day("2015-07-01").iter_days().take_while(|on| *on <= day("2020-06-30"))
}

/// A life that reports agree on: at most one registration or exit a day, snapshots in October, January and June of the school then attended.
/// Contradictions have examples of their own beside the fold.
fn events() -> impl Strategy<Value = Vec<Event>> {
    let step = (20..400_u64, 0..3_u8, 0..3_u8, 0..6_u8);
    proptest::collection::vec(step, 1..8).prop_map(|steps| {
        let mut on = day("2015-08-01");
        let mut events = BTreeSet::new();
        // Where the student is, from when: for the snapshots.
        let mut places: Vec<(NaiveDate, Option<(u8, u8)>)> = Vec::new();
        let mut registered: Option<u8> = None;
        for (wait, district, school, what) in steps {
            on = on.checked_add_days(chrono::Days::new(wait)).unwrap();
            if on > day("2020-06-01") {
                break;
            }
            match (what, registered) {
                // Moves to another school of the district, which nobody reports but the collections.
                (0 | 1, Some(at)) => places.push((on, Some((at, school)))),
                (2, Some(at)) => {
                    events.insert(Event::Unregister { on, district: at });
                    places.push((on.succ_opt().unwrap(), None));
                    registered = None;
                }
                (3, Some(at)) => {
                    events.insert(Event::Change { district: at, school: places.last().unwrap().1.unwrap().1 });
                }
                _ => {
                    events.insert(Event::Register { on, district, school });
                    places.push((on, Some((district, school))));
                    registered = Some(district);
                }
            }
        }
        for on in days().filter(|on| matches!((on.month(), on.day()), (10, 1) | (1, 15) | (6, 12))) {
            let place = places.iter().rev().find(|(from, _)| *from <= on).and_then(|(_, place)| *place);
            events.extend(place.map(|(district, school)| Event::Snapshot { on, district, school }));
        }
        events.into_iter().collect()
    })
}

/// Which registration the student is under on a day: the last one by then, unless it has ended.
fn district_on(events: &[Event], on: NaiveDate) -> Option<(NaiveDate, u8, u8)> {
    let begun = |event: &Event| match *event {
        Event::Register { on: from, district, school } if from <= on => Some((from, district, school)),
        _ => None,
    };
    let (from, district, school) = events.iter().filter_map(begun).max_by_key(|(from, _, _)| *from)?;
    let ended = events.iter().any(
        |event| matches!(*event, Event::Unregister { on: to, district: of } if of == district && from <= to && to < on),
    );
    (!ended).then_some((from, district, school))
}

/// The school of a day: that of the registration until a snapshot names another. The change is put on the snapshot's day, or on 1 July before it
/// where the last that was known is of an earlier school year.
fn school_on(events: &[Event], on: NaiveDate) -> Option<(NaiveDate, u8, u8)> {
    let (from, district, first) = district_on(events, on)?;
    let mut seen: Vec<(NaiveDate, u8)> = vec![(from, first)];
    for event in events {
        if let Event::Snapshot { on: at, district: of, school } = *event
            && of == district
            && at >= from
            && district_on(events, at).is_some_and(|(same, _, _)| same == from)
        {
            seen.push((at, school));
        }
    }
    seen.sort_by_key(|(at, _)| *at);
    let mut school = first;
    let mut year = SchoolYear::containing(from);
    for (at, named) in seen {
        let turn = if SchoolYear::containing(at) > year { SchoolYear::containing(at).first_day() } else { at };
        // A school already attended in the same school year and named once more is no return.
        let is_return =
            named != school && SchoolYear::containing(at) == year && was_at(events, (from, first), named, at);
        year = SchoolYear::containing(at);
        if named != school && !is_return && turn <= on {
            school = named;
        } else if named != school && !is_return {
            break;
        }
    }
    Some((from, district, school))
}

/// Whether the student was seen at a school, or registered there, earlier in the school year and under the same registration.
fn was_at(events: &[Event], (from, first): (NaiveDate, u8), school: u8, before: NaiveDate) -> bool {
    let year = SchoolYear::containing(before);
    let registered = first == school && SchoolYear::containing(from) == year;
    let seen = |event: &Event| matches!(*event, Event::Snapshot { on, school: at, .. } if at == school && on < before && on >= from && SchoolYear::containing(on) == year);
    registered || events.iter().any(seen)
}

/// The stays that the days add up to, and those that only change records tell of.
fn oracle(events: &[Event]) -> Vec<Told> {
    let mut told = dated(events);
    for event in events {
        if let Event::Change { district, school } = *event {
            change(events, &mut told, (district, school));
        }
    }
    told
}

/// A change record has no date. Of a school that is known it says nothing new. Another one follows the school of the district's last
/// registration where no snapshot saw the student under it: the stay there passes its end on, and the day between the two is unknown. Where one
/// did, nobody knows which came first, and the school stands beside without days.
fn change(events: &[Event], told: &mut Vec<Told>, (district, school): (u8, u8)) {
    if told.iter().any(|stay| (stay.0, stay.1) == (district, Some(school))) {
        return;
    }
    let registered = |event: &Event| {
        if let Event::Register { on, district: of, .. } = *event { (of == district).then_some(on) } else { None }
    };
    let last = events.iter().filter_map(registered).max().unwrap();
    let is_under = |on| district_on(events, on).is_some_and(|(from, of, _)| (from, of) == (last, district));
    let sees =
        |event: &Event| matches!(*event, Event::Snapshot { on, district: of, .. } if of == district && is_under(on));
    let was_seen = events.iter().any(sees);
    if was_seen {
        told.push((district, Some(school), None, None, true));
        return;
    }
    // Of several schools that follow each other the one told of last has the end.
    let of_last = |stay: &&mut Told| stay.0 == district && (stay.2 == Some(last) || stay.2.is_none());
    let current = told.iter_mut().rfind(of_last).unwrap();
    let (exit, has_ended) = (current.3, current.4);
    (current.3, current.4) = (None, true);
    told.push((district, Some(school), None, exit, has_ended));
}

/// The stays that the days add up to.
fn dated(events: &[Event]) -> Vec<Told> {
    let mut stays: Vec<(NaiveDate, u8, u8, NaiveDate, NaiveDate)> = Vec::new();
    for on in days() {
        let Some((registered, district, school)) = school_on(events, on) else { continue };
        match stays.last_mut() {
            Some(last)
                if (last.0, last.1, last.2) == (registered, district, school) && last.4.succ_opt() == Some(on) =>
            {
                last.4 = on;
            }
            _ => stays.push((registered, district, school, on, on)),
        }
    }
    let end = days().last();
    stays
        .into_iter()
        .map(|(_, district, school, from, to)| {
            let open = Some(to) == end;
            (district, Some(school), Some(from), (!open).then_some(to), !open)
        })
        .collect()
}

fn fact(event: Event, line: u32) -> StoredFact {
    let (kind, date, on, district, school) = match event {
        Event::Register { on, district, school } => ("register", "entry_date", Some(on), district, Some(school)),
        Event::Unregister { on, district } => ("unregister", "exit_withdraw_date", Some(on), district, None),
        Event::Snapshot { on, district, school } => ("collection", "snapshot_date", Some(on), district, Some(school)),
        Event::Change { district, school } => ("change", "", None, district, Some(school)),
    };
    StoredFact {
        source_person: SourcePersonId(1),
        sea: "ct".into(),
        domain: Domain::Enrollment,
        kind: kind.to_owned(),
        school_year: on.map(SchoolYear::containing),
        valid: Period::new(on, on.filter(|_| kind != "register")).unwrap(),
        lea: Some(format!("{district:02}")),
        facility: school.map(|school| format!("{district:02}-{school}")),
        certification: Certification::Certified,
        source: Lineage {
            batch: BatchId(1),
            file: "events".into(),
            line,
            recorded_on: Some(day("2020-07-01")),
            reported_on: None,
            sea: "ct".into(),
            person: Some(SourcePersonId(1)),
        },
        concealed: false,
        payload: on.map(|on| (date.to_owned(), Value::Date(on))).into_iter().collect(),
    }
}

fn folded(events: &[Event]) -> Vec<model::Row> {
    let facts: Vec<_> = events.iter().enumerate().map(|(line, event)| fact(*event, line as u32)).collect();
    fold(Domain::Enrollment, &facts, &Organizations::default())
}

fn told(rows: &[model::Row]) -> Vec<Told> {
    let stay = |row: &model::Row| {
        let district = row.find_text("local_education_agency_id").unwrap().parse().unwrap();
        let school =
            row.find_text("school_id").and_then(|code| code.split_once('-')).map(|(_, school)| school.parse().unwrap());
        let exit = row.find_date("exit_withdraw_date");
        (district, school, row.find_date("entry_date"), exit, row.find("exit_basis").is_some())
    };
    rows.iter().map(stay).collect()
}

/// Mobility, counted from the oracle's stays: schools, districts, moves between and within, gaps of more than ten days outside Connecticut's summer.
/// A stay stands where it begins, without that day where it ends, and without either where it was learned of: behind all others here.
fn counted(events: &[Event], stays: &[Told]) -> BTreeMap<&'static str, i64> {
    let mut stays: Vec<_> = stays.iter().collect();
    stays.sort_by_key(|stay| (stay.2.or(stay.3).unwrap_or(NaiveDate::MAX), stay.3.unwrap_or(NaiveDate::MAX)));
    let moves = stays.windows(2).map(|pair| (pair[0].0 == pair[1].0, (pair[0].0, pair[0].1) == (pair[1].0, pair[1].1)));
    let (mut between, mut within) = (0, 0);
    for (same_district, same_school) in moves {
        between += i64::from(!same_district);
        within += i64::from(same_district && !same_school);
    }
    let last = stays.iter().filter_map(|stay| stay.2).max();
    let first = stays.iter().filter_map(|stay| stay.2).min();
    let (mut gaps, mut out, mut run) = (0, 0, 0);
    for on in days().filter(|on| Some(*on) >= first && Some(*on) <= last) {
        if district_on(events, on).is_none() {
            run += i64::from(!((6, 8)..=(8, 31)).contains(&(on.month(), on.day())));
        } else {
            if run > 10 {
                (gaps, out) = (gaps + 1, out + run);
            }
            run = 0;
        }
    }
    let schools: BTreeSet<_> = stays.iter().map(|stay| (stay.0, stay.1)).collect();
    let districts: BTreeSet<_> = stays.iter().map(|stay| stay.0).collect();
    BTreeMap::from([
        ("schools", schools.len() as i64),
        ("districts", districts.len() as i64),
        ("moves_between_districts", between),
        ("moves_within_district", within),
        ("gaps", gaps),
        ("days_out_of_school", out),
    ])
}

fn agree(events: &[Event]) -> Result<(), TestCaseError> {
    let rows = folded(events);
    let (mut said, mut expect, mobility) = (told(&rows), oracle(events), derive_mobility(&rows));
    for (element, count) in counted(events, &expect) {
        prop_assert_eq!(mobility[0].find(element), Some(&Value::Integer(count)), "{}: {:?}", element, said);
    }
    said.sort();
    expect.sort();
    prop_assert_eq!(said, expect);
    Ok(())
}

#[test]
fn the_fold_tells_what_walking_the_calendar_tells() {
    let number = |text: Option<&str>| text.and_then(|text| text.parse::<u64>().ok());
    let seed = number(option_env!("THROUGHLINE_ORACLE_SEED")).unwrap_or_else(|| RandomState::new().hash_one(0));
    let cases = number(option_env!("THROUGHLINE_ORACLE_CASES")).unwrap_or(2_000);
    let config = ProptestConfig {
        failure_persistence: None,
        rng_seed: RngSeed::Fixed(seed),
        ..ProptestConfig::with_cases(u32::try_from(cases).unwrap())
    };
    if let Err(wrong) = TestRunner::new(config).run(&events(), |events| agree(&events)) {
        panic!("THROUGHLINE_ORACLE_SEED={seed}: {wrong:#?}");
    }
}
