use domains::definition;
use model::{BatchId, Certification, Decimal, Lineage};

use super::*;

const DAY: &str = "2026-11-20";

fn day(text: &str) -> NaiveDate {
    text.parse().expect("a day")
}

fn row(domain: Domain, values: &[(&str, &str)]) -> Row {
    let value = |text: &str| match text {
        "yes" | "no" => Value::Boolean(text == "yes"),
        _ => text.parse().map_or_else(|_| Value::Text(text.to_owned()), Value::Date),
    };
    let name = |name: &str| definition(domain).find_element(name).expect("an element").name;
    Row {
        values: values.iter().map(|(element, text)| (name(element), value(text))).collect(),
        school_year: None,
        certification: Certification::Certified,
        source: Lineage {
            batch: BatchId(1),
            file: "invented".into(),
            line: 1,
            recorded_on: None,
            reported_on: None,
            sea: "ct".into(),
            person: None,
        },
    }
}

fn section(domain: Domain, rows: Vec<Row>) -> Section {
    let state = if rows.is_empty() { SectionState::NotReported } else { SectionState::Reported };
    Section { domain, state, rows, withheld: Vec::new(), awaited: None }
}

/// The columns that are not empty, by name.
fn told(sections: &[Section]) -> Vec<(&'static str, String)> {
    let values = derive(sections, day(DAY));
    COLUMNS.into_iter().skip(2).zip(values).filter(|(_, value)| !value.is_empty()).collect()
}

fn check(sections: &[Section], expect: &[(&str, &str)]) {
    let told = told(sections);
    let told: Vec<(&str, &str)> = told.iter().map(|(name, value)| (*name, value.as_str())).collect();
    assert_eq!(told, expect);
}

fn stays() -> Vec<Row> {
    let stay = |values: &[(&str, &str)]| row(Domain::Enrollment, values);
    vec![
        stay(&[
            ("school_year", "2024-25"),
            ("grade_level", "09"),
            ("last_school_year", "2025-26"),
            ("last_grade_level", "09"),
            ("entry_date", "2024-08-28"),
            ("exit_withdraw_date", "2026-06-30"),
            ("exit_basis", "implied: another school in the next school year"),
            ("school_name", "Invented Middle"),
        ]),
        stay(&[
            ("school_year", "2026-27"),
            ("grade_level", "10"),
            ("entry_date", "2026-08-27"),
            ("school_name", "Invented High"),
            ("resident_town", "Hartford"),
            ("special_education", "no"),
        ]),
    ]
}

#[test]
fn a_student_in_school_has_a_school_a_grade_and_what_went_before() {
    check(
        &[section(Domain::Enrollment, stays())],
        &[
            ("EnrollmentStatus", "Enrolled"),
            ("SchoolName", "Invented High"),
            ("NexusTown", "Hartford"),
            ("CurrentGrade", "10"),
            ("LastGradeCompleted", "9"),
            ("LastGradeCompletionStatus", "Promoted"),
            ("SpecialEDStudent", "0"),
            ("CurrentlyEnrolled", "1"),
        ],
    );
}

#[test]
fn a_repeated_grade_a_graduation_and_a_stay_nobody_reports_any_more() {
    let stay = |values: &[(&str, &str)]| row(Domain::Enrollment, values);
    let retained = stay(&[
        ("school_year", "2025-26"),
        ("grade_level", "KF"),
        ("last_school_year", "2026-27"),
        ("last_grade_level", "KF"),
        ("entry_date", "2025-08-27"),
    ]);
    check(
        &[section(Domain::Enrollment, vec![retained])],
        &[
            ("EnrollmentStatus", "Enrolled"),
            ("CurrentGrade", "0"),
            ("LastGradeCompletionStatus", "Retained"),
            ("CurrentlyEnrolled", "1"),
        ],
    );
    let graduated = stay(&[
        ("school_year", "2025-26"),
        ("grade_level", "12"),
        ("entry_date", "2025-08-27"),
        ("exit_withdraw_date", "2026-06-12"),
        ("exit_withdraw_type", "Graduated with a regular diploma"),
        ("exit_basis", "reported"),
    ]);
    check(
        &[section(Domain::Enrollment, vec![graduated])],
        &[
            ("EnrollmentStatus", "Graduated with a regular diploma"),
            ("LastGradeCompleted", "12"),
            ("LastGradeCompletionStatus", "Graduated"),
            ("CurrentlyEnrolled", "0"),
        ],
    );
    let forgotten = stay(&[("school_year", "2021-22"), ("grade_level", "05"), ("entry_date", "2021-08-27")]);
    check(&[section(Domain::Enrollment, vec![forgotten])], &[]);
}

fn action(values: &[(&str, &str)]) -> Row {
    row(Domain::Discipline, values)
}

#[test]
fn suspensions_count_by_kind_and_year_and_nobody_answers_for_another() {
    let rows = vec![
        action(&[("school_year", "2026-27"), ("discipline_action", "In-School Suspension")]),
        action(&[
            ("school_year", "2026-27"),
            ("discipline_action", "Out-of-School Suspension"),
            ("discipline_action_2", "In-School Suspension"),
        ]),
        action(&[("school_year", "2026-27"), ("discipline_action", "Bus Suspension")]),
        action(&[("school_year", "2025-26"), ("discipline_action", "Out-of-School Suspension")]),
        action(&[
            ("school_year", "2026-27"),
            ("discipline_action", "Expulsion"),
            ("student_participation_code", "Victim"),
        ]),
    ];
    check(
        &[section(Domain::Discipline, rows)],
        &[
            ("InSchoolNbrSuspensions", "2"),
            ("OutOfSchoolNbrSuspensions", "1"),
            ("EverExpelled", "0"),
            ("CurrentlyExpelled", "0"),
            ("EverSuspended", "1"),
        ],
    );
}

#[test]
fn an_expulsion_is_current_until_the_student_may_return_and_unknown_without_that_day() {
    let expelled = |returned: Option<&str>| {
        let mut row =
            action(&[("school_year", "2025-26"), ("discipline_action", "Expulsion"), ("incident_date", "2026-03-02")]);
        row.values.insert("discipline_action_length", Value::Decimal(Decimal(180 * Decimal::SCALE)));
        if let Some(returned) = returned {
            row.values.insert("return_date", Value::Date(day(returned)));
        }
        let told = told(&[section(Domain::Discipline, vec![row])]);
        let find = |name: &str| told.iter().find(|(column, _)| *column == name).map(|(_, value)| value.clone());
        (find("EverExpelled"), find("CurrentlyExpelled"), find("CurrentExplusionDuration"))
    };
    let one = || Some("1".to_owned());
    assert_eq!(expelled(Some("2027-01-04")), (one(), one(), Some("180".to_owned())));
    assert_eq!(expelled(Some(DAY)), (one(), Some("0".to_owned()), None));
    assert_eq!(expelled(None), (one(), None, None));
}

#[test]
fn plans_are_of_the_school_year_and_what_is_withheld_says_nothing() {
    let plan = |values: &[(&str, &str)]| row(Domain::SpecialEducation, values);
    let rows = vec![
        plan(&[("school_year", "2026-27"), ("plan_type", "IEP"), ("section_504", "no")]),
        plan(&[("school_year", "2024-25"), ("plan_type", "Section 504 plan"), ("section_504", "yes")]),
    ];
    let mut plans = section(Domain::SpecialEducation, rows);
    check(&[plans.clone()], &[("SpecialEDStudent", "1"), ("Plan504", "0")]);
    plans.withheld = vec!["section_504"];
    check(&[plans.clone()], &[("SpecialEDStudent", "1")]);
    plans.state = SectionState::NotPermitted;
    let mut enrollment = section(Domain::Enrollment, stays());
    enrollment.withheld = vec!["grade_level", "last_grade_level", "exit_basis", "special_education", "school_name"];
    check(&[plans, enrollment], &[("NexusTown", "Hartford")]);
}
