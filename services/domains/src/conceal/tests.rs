//! What an agency is told of a child is the same whether or not another agency knows the child.

use std::{collections::BTreeSet, fmt::Write as _};

use model::{Domain, SchoolYear, Sensitivity, Value};
use proptest::prelude::*;

use crate::{
    StoredFact, conceal_other_agency, definition, derive_mobility, fold,
    testing::{change, day, fact, organizations, register, snapshot, unregister},
};

/// Everything that is told to whom no element of class `other_agency` is granted.
fn told(facts: &[StoredFact]) -> String {
    let mut facts = conceal_other_agency(facts.to_vec(), &BTreeSet::new(), &organizations());
    for fact in &mut facts {
        let domain = definition(fact.domain);
        fact.payload.retain(|name, _| domain.find_element(name).unwrap().class != Sensitivity::OtherAgency);
    }
    let mut text = String::new();
    for domain in Domain::ALL {
        let rows = match domain {
            Domain::Mobility => derive_mobility(&fold(Domain::Enrollment, &facts, &organizations())),
            _ => fold(domain, &facts, &organizations()),
        };
        for row in rows {
            let values: Vec<_> =
                row.values.iter().map(|(name, value)| format!("{name}={}", value.to_plain())).collect();
            let source = match domain {
                // Which report of home's a stay is known by may differ.
                Domain::Enrollment => String::new(),
                _ => {
                    format!("{} {:?} {}:{}", row.source.batch, row.source.recorded_on, row.source.file, row.source.line)
                }
            };
            writeln!(text, "{domain} {:?} {:?} {} {source}", row.school_year, row.certification, values.join(" "))
                .unwrap();
        }
    }
    text
}

/// What another agency's knowledge does to the records of one stay of a year, and of the person.
#[derive(Clone, Debug)]
struct Known {
    years: [Stay; 4],
    in_care: bool,
    foster: bool,
    left_for_institution: bool,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Stay {
    None,
    /// Facility 2 and status on the home district's October snapshot, and undated changes.
    SecondFacility,
    /// Exit, registration at the facility, exit there and return, between two snapshots; exit type by place.
    Registered(&'static str),
    /// The same around the October snapshot, which the facility reports.
    RegisteredInOctober,
    /// The facility reports the October snapshot, and nothing else tells of it.
    SnapshotOnly,
    /// The facility reports the snapshot beside the home district.
    SnapshotToo,
    /// Exit to an institution and return; the institution reports nothing.
    Unreported,
    /// A registration and exit there while the home district reports nothing.
    AtHomeAllAlong,
    /// The facility reports a plan and days of attendance of its own.
    PlanAndDays,
    /// The facility reports days of attendance, and the home district counts them too.
    CountedTwice,
    /// The facility reports a course, a test and an incident.
    Rows(Written),
}

/// Where a facility's rows are written.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Written {
    /// In a file of its own.
    Apart,
    /// In the file in which home reports, elsewhere.
    InTheFile,
    /// On the line after home's.
    Beside,
}

fn stay() -> impl Strategy<Value = Stay> {
    prop_oneof![
        3 => Just(Stay::None),
        1 => Just(Stay::SecondFacility),
        1 => Just(Stay::Registered("Transferred to a public school in a different district in the state")),
        1 => Just(Stay::Registered("Transferred to an institution")),
        1 => Just(Stay::RegisteredInOctober),
        1 => Just(Stay::SnapshotOnly),
        1 => Just(Stay::SnapshotToo),
        1 => Just(Stay::Unreported),
        1 => Just(Stay::AtHomeAllAlong),
        1 => Just(Stay::PlanAndDays),
        1 => Just(Stay::CountedTwice),
        1 => prop_oneof![Just(Written::Apart), Just(Written::InTheFile), Just(Written::Beside)].prop_map(Stay::Rows),
    ]
}

fn known() -> impl Strategy<Value = Known> {
    (proptest::array::uniform4(stay()), any::<bool>(), any::<bool>(), any::<bool>()).prop_map(
        |(years, in_care, foster, left_for_institution)| Known { years, in_care, foster, left_for_institution },
    )
}

const NOTHING: Known = Known { years: [Stay::None; 4], in_care: false, foster: false, left_for_institution: false };

/// An ordinary life: where the student was in each of four years (district and school by number), and whether the last ended with an exit.
type Life = ([(u8, u8); 4], bool);

fn life() -> impl Strategy<Value = Life> {
    (proptest::array::uniform4((0..2_u8, 0..2_u8)), any::<bool>())
}

fn records((places, left): &Life, known: &Known) -> Vec<StoredFact> {
    let mut facts = Vec::new();
    let code = |(lea, school): (u8, u8)| (format!("06{lea}"), format!("06{lea}0{school}11"));
    let mut home = None;
    for (place, (at, stay)) in places.iter().zip(known.years).enumerate() {
        let year = 2020 + place as i32;
        let (lea, school) = code(*at);
        let grade = format!("{:02}", 6 + place);
        let line = 100 * (place as u32 + 1);
        if home.as_ref() != Some(&lea) {
            if let Some(before) = home.replace(lea.clone()) {
                let exit = format!("{year}-06-15");
                facts.push(unregister(
                    line,
                    &before,
                    Some(&exit),
                    "Transferred to a public school in a different district in the state",
                ));
            }
            facts.push(register(line + 1, &lea, &school, &format!("{year}-08-28"), &grade));
        }
        let october = snapshot(line + 2, &lea, &school, &format!("{year}-10-01"), &grade)
            .with("resident_town", "Hartford")
            .recorded(&format!("{year}-11-15"));
        let june = snapshot(line + 3, &lea, &school, &format!("{}-06-12", year + 1), &grade)
            .with("resident_town", "Hartford")
            .recorded(&format!("{}-07-27", year + 1));
        let held = |home: &StoredFact| home.clone().at("348", "3480115");
        match stay {
            Stay::RegisteredInOctober | Stay::SnapshotOnly => facts.push(held(&october)),
            Stay::SecondFacility => facts.push(
                october
                    .clone()
                    .with("facility_2_id", "3480115")
                    .with("special_program_status", "Municipal detention center"),
            ),
            Stay::SnapshotToo => facts.extend([held(&october), october.clone()]),
            _ => facts.push(october.clone()),
        }
        facts.push(june);
        facts.extend(events(stay, year, line + 10, (&lea, &school, &grade)));
        facts.extend(days(stay, year, line + 20, (&lea, &school)));
        let mut plan = fact(Domain::SpecialEducation, "plan", line + 30)
            .at(&lea, &school)
            .in_year(SchoolYear(i16::try_from(year).unwrap()))
            .with("plan_type", "IEP");
        plan.valid = model::Period::day(day(&format!("{year}-10-01")));
        if stay == Stay::PlanAndDays {
            let mut there = plan.clone().at("348", "3480115");
            there.source.line += 1;
            facts.push(there);
        }
        facts.push(plan);
        facts.extend(rows(stay, year, line + 40, (&lea, &school)));
    }
    if *left {
        let kind =
            if known.left_for_institution { "Transferred to an institution" } else { "Not enrolled, unknown status" };
        facts.push(unregister(900, home.as_deref().unwrap(), Some("2024-06-14"), kind));
    }
    let relation = if known.foster { "Foster parent" } else { "Other" };
    facts.push(fact(Domain::Contact, "parent", 901).with("contact_id", "1").with("relation", relation));
    facts.push(
        fact(Domain::Student, "person", 5).with("sex", "F").with_value("dcf_status", Value::Boolean(known.in_care)),
    );
    let named: Vec<_> = facts.iter().filter(|fact| fact.domain == Domain::Enrollment).map(named).collect();
    facts.extend(named);
    let is_register = |fact: &StoredFact| matches!(fact.domain, Domain::Enrollment | Domain::Student);
    for fact in facts.iter_mut().filter(|fact| &*fact.source.file == "file" && !is_register(fact)) {
        fact.source.file = fact.domain.to_string().into();
    }
    facts
}

/// What the line of a registration, change, exit or snapshot says of the person.
fn named(report: &StoredFact) -> StoredFact {
    let mut named = fact(Domain::Student, if report.kind == "collection" { "collection" } else { "registration" }, 0);
    named.lea.clone_from(&report.lea);
    named.facility.clone_from(&report.facility);
    named.source = report.source.clone();
    named.with("sex", "F").with("last_surname", "Example")
}

/// A course, a test and an incident that home reports, and what the facility adds.
fn rows(stay: Stay, year: i32, line: u32, (lea, school): (&str, &str)) -> Vec<StoredFact> {
    let on = day(&format!("{year}-11-05"));
    let of = |domain: Domain, kind: &str, line: u32, lea: &str, school: &str| {
        let mut row = fact(domain, kind, line).at(lea, school).in_year(SchoolYear(i16::try_from(year).unwrap()));
        row.valid = model::Period::day(on);
        row
    };
    let all = |line: u32, lea: &str, school: &str, number: &str| {
        [
            of(Domain::Course, "section", line, lea, school).with("course_code", "04101").with("section_code", number),
            of(Domain::Assessment, "result", line, lea, school).with("assessment_title", number),
            of(Domain::Discipline, "offense", line, lea, school).with("incident_identifier", number),
        ]
    };
    let mut rows = all(line, lea, school, "0017").to_vec();
    let Stay::Rows(written) = stay else { return rows };
    let offset = if written == Written::InTheFile { 7 } else { 1 };
    for mut row in all(line + offset, "348", "3480115", "BDC-25-004") {
        if written == Written::Apart {
            row.source.file = "centre".into();
        }
        // What bears no number and stands beside home's is told: `a_row_of_a_facility_stays_only_in_a_run_of_lines_that_home_reports`.
        if written != Written::Beside || row.domain != Domain::Assessment {
            rows.push(row);
        }
    }
    rows
}

fn events(stay: Stay, year: i32, line: u32, (lea, school, grade): (&str, &str, &str)) -> Vec<StoredFact> {
    let on = |month_day: &str| {
        let later = i32::from(month_day.starts_with('0') && !month_day.starts_with("09"));
        format!("{}-{month_day}", year + later)
    };
    let back = |from: &str| register(line + 3, lea, school, &on(from), grade);
    let there = |from: &str| register(line + 1, "348", "3480115", &on(from), grade);
    let freed = |to: &str| {
        unregister(
            line + 2,
            "348",
            Some(&on(to)),
            "Transferred to a public school in a different district in the state",
        )
    };
    match stay {
        Stay::Registered(kind) => {
            vec![unregister(line, lea, Some(&on("11-20")), kind), there("11-21"), freed("01-31"), back("02-01")]
        }
        Stay::RegisteredInOctober => {
            vec![unregister(line, lea, Some(&on("09-14")), "Other"), there("09-15"), freed("11-15"), back("11-16")]
        }
        Stay::Unreported => {
            vec![unregister(line, lea, Some(&on("11-20")), "Transferred to an institution"), back("02-01")]
        }
        Stay::AtHomeAllAlong => vec![there("11-21"), freed("01-31")],
        Stay::SecondFacility => {
            let changed = change(line, lea, school, grade).with("facility_2_id", "3480115").recorded(&on("11-25"));
            vec![changed, change(line + 1, lea, school, grade).recorded(&on("01-20"))]
        }
        _ => Vec::new(),
    }
}

fn days(stay: Stay, year: i32, line: u32, (lea, school): (&str, &str)) -> Vec<StoredFact> {
    let year = SchoolYear(i16::try_from(year).unwrap());
    let of = |line, lea: &str, school: &str, scheduled, attended| {
        fact(Domain::Attendance, "year", line)
            .at(lea, school)
            .in_year(year)
            .with_value("days_scheduled", Value::Integer(scheduled))
            .with_value("days_attended", Value::Integer(attended))
    };
    match stay {
        Stay::None | Stay::SecondFacility => vec![of(line, lea, school, 180, 170)],
        Stay::CountedTwice => vec![of(line + 1, "348", "3480115", 24, 22), of(line, lea, school, 180, 170)],
        _ => vec![of(line + 1, "348", "3480115", 60, 55), of(line, lea, school, 120, 115)],
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2_000) })]

    #[test]
    fn what_is_told_is_the_same_whether_or_not_another_agency_knows_the_child(life in life(), known in known()) {
        let plain = told(&records(&life, &NOTHING));
        let other = told(&records(&life, &known));
        prop_assert!(!["348", "Detention", "institution", "Foster", "BDC", "centre"].iter().any(|marker| other.contains(marker)), "{}", other);
        let differ: Vec<_> = plain.lines().zip(other.lines()).filter(|(a, b)| a != b).collect();
        prop_assert!(plain == other, "{:#?}", differ);
    }
}

#[test]
fn whoever_may_see_the_other_agency_sees_it_as_reported() {
    let facts = [
        register(1, "064", "0646311", "2024-08-28", "09"),
        unregister(2, "064", Some("2025-01-10"), "Transferred to an institution"),
        fact(Domain::Contact, "parent", 3).with("relation", "Foster parent"),
    ];
    let named = BTreeSet::from([
        (Domain::Enrollment, "facility_2_id"),
        (Domain::Enrollment, "other_agency_exit_type"),
        (Domain::Contact, "other_agency_relation"),
    ]);
    let facts = conceal_other_agency(facts.to_vec(), &named, &organizations());
    let rows = fold(Domain::Enrollment, &facts, &organizations());
    assert_eq!(rows[0].find_text("exit_withdraw_type"), Some("Transferred to an institution"));
    assert_eq!(rows[0].find_text("other_agency_exit_type"), Some("Transferred to an institution"));
    let contacts = fold(Domain::Contact, &facts, &organizations());
    assert_eq!(contacts[0].find_text("relation"), Some("Foster parent"));
}

#[test]
fn a_stay_without_a_home_before_it_begins_at_home() {
    let held = [
        register(1, "348", "3480115", "2024-08-28", "09"),
        unregister(2, "348", Some("2024-11-15"), "Other"),
        register(3, "064", "0646311", "2024-11-18", "09"),
        snapshot(4, "064", "0646311", "2025-06-12", "09"),
    ];
    let ordinary =
        [register(1, "064", "0646311", "2024-08-28", "09"), snapshot(4, "064", "0646311", "2025-06-12", "09")];
    assert_eq!(told(&held), told(&ordinary));
}

#[test]
fn a_stay_reported_whole_leaves_no_seam() {
    let association = |line, lea: &str, school: &str, from: &str, to: Option<&str>| {
        let mut fact = fact(Domain::Enrollment, "association", line)
            .at(lea, school)
            .with_value("entry_date", Value::Date(day(from)));
        fact.valid = model::Period::new(Some(day(from)), to.map(day)).unwrap();
        match to {
            Some(to) => fact.with_value("exit_withdraw_date", Value::Date(day(to))),
            None => fact,
        }
    };
    let held = [
        association(1, "064", "0646311", "2024-08-28", Some("2024-11-20")),
        association(2, "348", "3480115", "2024-11-21", Some("2025-01-31")),
        association(3, "064", "0646311", "2025-02-03", None),
    ];
    let left = [held[0].clone(), association(3, "064", "0646311", "2025-02-03", Some("2025-06-12")), held[1].clone()];
    let away = [association(1, "064", "0646311", "2024-08-28", None), held[1].clone()];
    let ordinary = |to| told(&[association(1, "064", "0646311", "2024-08-28", to)]);
    assert_eq!(told(&held), ordinary(None));
    assert_eq!(told(&left), ordinary(Some("2025-06-12")));
    assert_eq!(told(&away), ordinary(None));
}

#[test]
fn attendance_is_joined_across_a_concealed_stay() {
    let attended = days(Stay::PlanAndDays, 2024, 1, ("064", "0646311"));
    let home = register(9, "064", "0646311", "2024-08-28", "09");
    let facts = conceal_other_agency([attended, vec![home]].concat(), &BTreeSet::new(), &organizations());
    let rows = fold(Domain::Attendance, &facts, &organizations());
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0].find("days_scheduled"), Some(&Value::Integer(180)));
    assert_eq!(rows[0].find("days_attended"), Some(&Value::Integer(170)));
    assert_eq!(rows[0].find("attendance_rate").map(Value::to_plain).as_deref(), Some("0.9444"));
    assert_eq!(rows[0].find("chronic_absenteeism"), Some(&Value::Boolean(false)));
}

#[test]
fn a_row_of_a_facility_stays_only_in_a_run_of_lines_that_home_reports() {
    let result = |line: u32, lea: &str, school: &str, title: &str| {
        fact(Domain::Assessment, "result", line).at(lea, school).with("assessment_title", title)
    };
    let facts = [
        register(1, "064", "0646311", "2024-08-28", "09"),
        result(40, "064", "0646311", "at home"),
        result(42, "348", "3480115", "second of the run"),
        result(41, "348", "3480115", "first of the run"),
        result(90, "348", "3480115", "elsewhere in the file"),
    ];
    let facts = conceal_other_agency(facts.to_vec(), &BTreeSet::new(), &organizations());
    let rows = fold(Domain::Assessment, &facts, &organizations());
    let told: Vec<_> = rows.iter().map(|row| (row.source.line, row.find_text("assessment_title").unwrap())).collect();
    assert_eq!(told, [(40, "at home"), (41, "first of the run"), (42, "second of the run")]);
}

#[test]
fn no_number_that_a_facility_gave_is_told() {
    let transcript = |line: u32, lea: &str, school: &str, title: &str| {
        fact(Domain::Course, "transcript", line).at(lea, school).with("course_code", title).with("course_title", title)
    };
    let facts = [
        register(1, "064", "0646311", "2024-08-28", "09"),
        transcript(40, "064", "0646311", "Algebra"),
        transcript(41, "348", "3480115", "Biology").with("local_course_code", "BDC-7").with("section_code", "BDC-7-1"),
    ];
    let facts = conceal_other_agency(facts.to_vec(), &BTreeSet::new(), &organizations());
    let rows = fold(Domain::Course, &facts, &organizations());
    assert_eq!(rows[1].find_text("course_title"), Some("Biology"));
    assert!(rows.iter().flat_map(|row| row.values.values()).all(|value| !value.to_plain().contains("BDC")));
}

#[test]
fn attendance_is_added_up_to_a_year_and_no_further() {
    let told = |home: &[(&str, i64, i64)], (scheduled, attended): (i64, i64)| {
        let of = |line: u32, lea: &str, school: &str, scheduled: i64, attended: i64| {
            fact(Domain::Attendance, "year", line)
                .at(lea, school)
                .in_year(SchoolYear(2024))
                .with_value("days_scheduled", Value::Integer(scheduled))
                .with_value("days_attended", Value::Integer(attended))
        };
        let mut facts =
            vec![register(1, "064", "0646311", "2024-08-28", "09"), of(2, "348", "3480115", scheduled, attended)];
        facts.extend(home.iter().map(|(school, scheduled, attended)| of(9, "064", school, *scheduled, *attended)));
        let facts = conceal_other_agency(facts, &BTreeSet::new(), &organizations());
        let rows = fold(Domain::Attendance, &facts, &organizations());
        let days = |row: &model::Row, element| row.find(element).and_then(Value::as_integer).unwrap();
        rows.iter().map(|row| (days(row, "days_scheduled"), days(row, "days_attended"))).collect::<Vec<_>>()
    };
    assert_eq!(told(&[("0646311", 182, 153)], (24, 22)), [(182, 153)]);
    assert_eq!(told(&[("0646311", 170, 160)], (60, 54)), [(180, 169)]);
    assert_eq!(told(&[("0646311", 90, 85), ("0646411", 90, 80)], (24, 22)), [(90, 85), (90, 80)]);
    assert_eq!(told(&[], (24, 22)), [], "a row of the facility alone names its own file");
}

#[test]
fn who_the_student_is_does_not_name_the_return_from_a_concealed_stay() {
    let events = [
        register(1, "064", "0646311", "2024-08-28", "09"),
        snapshot(2, "064", "0646311", "2024-10-01", "09"),
        unregister(3, "064", Some("2024-11-20"), "Transferred to an institution"),
        register(4, "064", "0646311", "2025-02-01", "09").recorded("2025-02-03"),
    ];
    // The district's registration record is one: the return's stands in the place of the first.
    let all = [events.to_vec(), events[1..].iter().map(named).collect()].concat();
    let facts = conceal_other_agency(all, &BTreeSet::new(), &organizations());
    let rows = fold(Domain::Student, &facts, &organizations());
    assert_eq!((rows.len(), rows[0].source.line), (1, 2));
    assert_eq!(rows[0].find_text("last_surname"), Some("Example"));
}

#[test]
fn who_the_student_is_bears_the_lineage_of_the_last_report_that_says_anything() {
    let facts = [fact(Domain::Student, "collection", 1).with("sex", "F"), fact(Domain::Student, "registration", 2)];
    assert_eq!(fold(Domain::Student, &facts, &organizations())[0].source.line, 1);
}

#[test]
fn a_stay_that_home_is_long_away_from_reads_as_exit_and_return() {
    const ORDINARY: &str = "Not enrolled, unknown status";
    let begun = register(1, "064", "0646311", "2023-08-28", "09");
    let exit = |on: &str, kind: &str| unregister(2, "064", Some(on), kind);
    let entry = |line: u32, on: &str| register(line, "064", "0646311", on, "10");
    let there = |on: &str| register(3, "348", "3480115", on, "10");
    let freed = |on: &str| unregister(4, "348", Some(on), "Other");
    let last = unregister(6, "064", Some("2025-06-12"), ORDINARY);
    // The return comes long after the facility let the student go.
    let late = [
        begun.clone(),
        exit("2023-11-20", "Other"),
        there("2023-11-21"),
        freed("2024-01-31"),
        entry(5, "2024-05-14"),
        last.clone(),
    ];
    let ordinary = [begun.clone(), exit("2024-01-31", ORDINARY), entry(5, "2024-05-14"), last.clone()];
    assert_eq!(told(&late), told(&ordinary));
    // The facility comes long after home let the student go.
    let out = [
        begun.clone(),
        exit("2023-11-20", "Other"),
        there("2024-03-04"),
        freed("2024-05-13"),
        entry(5, "2024-05-14"),
        last.clone(),
    ];
    let ordinary = [begun.clone(), exit("2023-11-20", "Other"), entry(3, "2024-03-04"), last];
    assert_eq!(told(&out), told(&ordinary));
    // Nobody reports a return.
    let stayed = [begun.clone(), exit("2023-11-20", "Other"), there("2023-11-21"), freed("2024-01-31")];
    assert_eq!(told(&stayed), told(&[begun, exit("2024-01-31", ORDINARY)]));
}

#[test]
fn an_exit_to_an_institution_after_which_home_sees_the_student_is_no_exit() {
    let at_home =
        [register(1, "064", "0646311", "2023-08-28", "09"), snapshot(3, "064", "0646311", "2024-10-01", "10")];
    let left =
        [at_home.to_vec(), vec![unregister(2, "064", Some("2024-02-20"), "Transferred to an institution")]].concat();
    assert_eq!(told(&left), told(&at_home));
}
