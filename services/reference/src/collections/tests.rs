use std::collections::BTreeMap;

use model::{BatchId, Certification, Lineage, Value};

use super::*;

fn day(text: &str) -> NaiveDate {
    text.parse().expect("a day")
}

fn due(sea: &str, domain: Domain, on: &str) -> Due {
    let is_of = |due: &Due| due.instance.collection.sea == sea && due.domain == domain;
    due_on(day(on)).into_iter().find(is_of).expect("something was due")
}

#[test]
fn every_file_of_the_folder_is_a_calendar() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("collections");
    let mut files = 0;
    for entry in std::fs::read_dir(folder).expect("the folder is there") {
        let path = entry.expect("it can be read").path();
        if path.extension().is_some_and(|extension| extension == "toml") {
            let sea = path.file_stem().and_then(|stem| stem.to_str()).expect("it has a name");
            assert!(all().iter().any(|collection| collection.sea == sea), "{sea} is not found");
            files += 1;
        }
    }
    assert_eq!(files, TEXTS.len());
}

#[test]
fn days_follow_each_other_in_every_school_year() {
    for collection in all() {
        for fall in 1999..2041 {
            let one = Instance { collection, school_year: SchoolYear(fall) };
            let name = one.name();
            assert_eq!(SchoolYear::containing(one.as_of_on()), one.school_year, "{name}");
            assert!(one.as_of_on() <= one.due_on(), "{name}");
            assert!((one.due_on() - one.as_of_on()).num_days() < 100, "{name}: a year late, by a slip of the calendar");
            assert!(one.opens_on().is_none_or(|opens| opens < one.due_on()), "{name}");
            assert!(one.certified_on().is_none_or(|certified| one.due_on() < certified), "{name}");
            let around = |(from, to)| from <= one.as_of_on() && one.as_of_on() <= to;
            assert!(one.snapshot_days().is_none_or(around), "{name}");
        }
    }
}

#[test]
fn the_latest_that_was_due_is_found() {
    fn check(sea: &str, domain: Domain, on: &str, expect: (&str, &str, &str)) {
        let Due { instance, .. } = due(sea, domain, on);
        let found = (instance.name(), instance.as_of_on(), instance.due_on());
        assert_eq!(found, (expect.0.to_owned(), day(expect.1), day(expect.2)), "{domain} on {on}");
    }
    let october = ("PSIS October collection 2026-27", "2026-10-01", "2026-10-31");
    // The last day to send it is not late.
    check("ct", Domain::Enrollment, "2026-10-31", ("PSIS June collection 2025-26", "2026-06-30", "2026-07-31"));
    check("ct", Domain::Enrollment, "2026-11-01", october);
    check("ct", Domain::Enrollment, "2027-01-31", october);
    check("ct", Domain::Attendance, "2026-11-17", ("PSIS June collection 2025-26", "2026-06-30", "2026-07-31"));
    check(
        "ct",
        Domain::SpecialEducation,
        "2026-12-05",
        ("SEDAC October collection 2025-26", "2025-10-01", "2025-12-05"),
    );
    check(
        "ct",
        Domain::SpecialEducation,
        "2026-12-06",
        ("SEDAC October collection 2026-27", "2026-10-01", "2026-12-05"),
    );
    check(
        "la",
        Domain::Enrollment,
        "2027-01-10",
        ("SIS data collection, period 2, 2026-27", "2026-12-31", "2027-01-09"),
    );
    let due = due("ct", Domain::SpecialEducation, "2026-12-06").instance;
    assert_eq!((due.opens_on(), due.certified_on()), (Some(day("2026-11-05")), Some(day("2027-01-31"))));
}

#[test]
fn a_calendar_that_makes_no_sense_is_refused() {
    fn check(from: &str, to: &str, expect: &str) {
        const SOUND: &str = "sea = \"zz\"\n[[collections]]\nid = \"one\"\nname = \"One\"\ndomains = [\"enrollment\"]\nas_of = \"10-01\"\ndue = \"10-31\"\n\
            reported_by = \"district\"\nstatus = \"verified\"\nsource = \"invented\"\n";
        assert_eq!(parse(SOUND).expect("sound").len(), 1);
        assert!(SOUND.contains(from), "{from}");
        let error = parse(&SOUND.replace(from, to)).expect_err(expect).to_string();
        assert!(error.contains(expect), "{error}");
    }
    check("10-01", "02-29", "is no day of every year");
    check("10-01", "10-1", "is no day of every year");
    check("\"enrollment\"", "\"mobility\"", "is no domain that is collected");
    check("\"enrollment\"", "", "are needed");
    check("source = \"invented\"", "source = \"\"", "are needed");
    check("due =", "snapshot_from = \"10-01\"\ndue =", "go together");
    check("due =", "from = 2020\nto = 2019\ndue =", "ends before it begins");
    check("due =", "dew = \"10-01\"\ndue =", "dew");
    let twice = "[[collections]]\nid = \"one\"\nname = \"One\"\ndomains = [\"enrollment\"]\nas_of = \"10-01\"\ndue = \"10-31\"\nreported_by = \"state\"\nstatus = \"verified\"\nsource = \"invented\"\n[[collections]]\nid = \"one\"";
    check("[[collections]]\nid = \"one\"", twice, "stands twice");
}

fn row(values: &[(&'static str, &str)], reported_on: Option<&str>) -> Row {
    let value = |text: &str| text.parse().map_or_else(|_| Value::Text(text.to_owned()), Value::Date);
    Row {
        values: values.iter().map(|(name, text)| (*name, value(text))).collect::<BTreeMap<_, _>>(),
        school_year: Some(SchoolYear(2025)),
        certification: Certification::Certified,
        source: Lineage {
            batch: BatchId(1),
            file: "invented".into(),
            line: 1,
            recorded_on: Some(day("2026-11-20")),
            reported_on: reported_on.map(day),
            sea: "ct".into(),
            person: None,
        },
    }
}

fn section(domain: Domain, rows: Vec<Row>) -> Section {
    let state = if rows.is_empty() { SectionState::NotReported } else { SectionState::Reported };
    Section { domain, state, rows, withheld: Vec::new(), awaited: None }
}

const HARTFORD: [(&str, &str); 3] = [
    ("local_education_agency_id", "064"),
    ("local_education_agency_name", "Hartford School District"),
    ("entry_date", "2025-08-27"),
];

/// Others have reported, and Hartford has not.
fn others() -> Come {
    Come { is_begun: true, is_usual: true, ..Come::default() }
}

/// So has Hartford.
fn all_have() -> Come {
    let mut come = others();
    let report = Report { lea: Some("064".to_owned()), ..Report::default() };
    come.add("ct", &report, &domains::Organizations::default());
    come
}

fn with(more: &[(&'static str, &'static str)]) -> Vec<(&'static str, &'static str)> {
    HARTFORD.iter().chain(more).copied().collect()
}

#[test]
fn who_has_not_reported_is_named() {
    fn check(stays: Vec<Row>, come: &Come, expect: Option<&str>) {
        let due = due("ct", Domain::Enrollment, "2026-11-17");
        let section = section(Domain::Enrollment, stays);
        let awaited = due.awaited(&section, &section.rows, come);
        assert_eq!(awaited.as_ref().and_then(|awaited| awaited.expected_of.as_deref()), expect, "{section:?}");
        assert!(awaited.is_none_or(|awaited| awaited.collection == "PSIS October collection 2026-27"));
    }
    let june = Some("2026-06-12");
    check(vec![row(&HARTFORD, june)], &others(), Some("Hartford School District"));
    // It has reported, whoever it was about: nothing is said of a student who is not among them.
    check(vec![row(&HARTFORD, june)], &all_have(), None);
    // The state never brought it here.
    check(vec![row(&HARTFORD, june)], &Come::default(), None);
    check(vec![row(&HARTFORD, june)], &Come { is_usual: true, ..Come::default() }, Some("Hartford School District"));
    // Of when the rows are has no say: what is said of one student of the district is said of all.
    for day in ["2026-06-12", "2026-10-01", "2026-11-10"] {
        check(vec![row(&HARTFORD, Some(day))], &others(), Some("Hartford School District"));
        check(
            vec![row(&with(&[("status_date", day), ("last_seen_date", day)]), None)],
            &others(),
            Some("Hartford School District"),
        );
    }
    // Nobody had the student that day.
    check(vec![row(&with(&[("exit_withdraw_date", "2026-06-12")]), june)], &others(), None);
    check(vec![row(&with(&[("exit_basis", "not_reported")]), june)], &others(), None);
    let later = [("local_education_agency_id", "093"), ("entry_date", "2026-10-15")];
    check(vec![row(&later, None)], &others(), None);
    // It is whose student it was then, not who has the student now.
    let left = with(&[("exit_withdraw_date", "2026-10-14")]);
    check(vec![row(&left, june), row(&later, None)], &others(), Some("Hartford School District"));
    // Without the name the code, and without the code nobody.
    check(vec![row(&[HARTFORD[0], HARTFORD[2]], june)], &others(), Some("064"));
    check(vec![row(&HARTFORD[1..], june)], &others(), None);
    check(vec![row(&with(&[("stay_basis", "facility_2")]), june)], &others(), None);
    check(Vec::new(), &others(), None);
}

#[test]
fn nothing_is_said_of_what_is_not_permitted_or_of_another_state() {
    let stays = [row(&HARTFORD, None)];
    let due = due("ct", Domain::Attendance, "2026-11-17");
    let mut attendance = section(Domain::Attendance, Vec::new());
    assert!(due.awaited(&attendance, &stays, &others()).is_some());
    attendance.state = SectionState::NotPermitted;
    assert_eq!(due.awaited(&attendance, &stays, &others()), None);
    let mut elsewhere = stays[0].clone();
    elsewhere.source.sea = "la".into();
    assert_eq!(due.awaited(&section(Domain::Attendance, Vec::new()), &[elsewhere], &others()), None);
}

#[test]
fn a_district_may_have_nothing_to_report_of_incidents() {
    let stays = [row(&HARTFORD, None)];
    let due = due("ct", Domain::Discipline, "2026-11-17");
    let none = section(Domain::Discipline, Vec::new());
    assert_eq!(due.awaited(&none, &stays, &others()), None);
    let nobody = Come { is_usual: true, ..Come::default() };
    let awaited = due.awaited(&none, &stays, &nobody).expect("of no district");
    assert_eq!((awaited.expected_of, awaited.due_on), (None, day("2026-07-15")));
}
