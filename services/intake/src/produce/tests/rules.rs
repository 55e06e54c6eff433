//! The selection criteria and rules of the sources, a row each.

use super::*;

const LEA: &str = "990";
const SCHOOL: &str = "990001";

fn la(domain: Domain, line: u32, values: &[(&str, Value)]) -> (Domain, Row) {
    (domain, row(domain, "la", line, Some(2018), values))
}

fn date(value: &str) -> Value {
    Value::Date(day(value))
}

fn student() -> (Domain, Row) {
    la(
        Domain::Student,
        1,
        &[
            ("state_id", text("9900000017")),
            ("last_surname", text("Quince")),
            ("first_name", text("Ada")),
            ("birth_date", date("2008-03-07")),
            ("sex", text("Female")),
        ],
    )
}

fn stay(line: u32, entry: &str, exit: Option<(&str, &str)>) -> (Domain, Row) {
    let mut values = vec![
        ("entry_date", date(entry)),
        ("local_education_agency_id", text(LEA)),
        ("school_id", text(SCHOOL)),
        ("grade_level", text("05")),
        ("district_student_id", text("7")),
    ];
    if let Some((exit, why)) = exit {
        values.push(("exit_withdraw_date", date(exit)));
        values.push(("exit_withdraw_type", text(why)));
    }
    la(Domain::Enrollment, line, &values)
}

fn of_kind(lines: &[String], code: &str) -> Vec<String> {
    lines.iter().filter(|line| &line[6..9] == code).cloned().collect()
}

fn options(from: Option<&str>, to: Option<&str>) -> Options {
    Options { from: from.map(day), to: to.map(day), ..Options::default() }
}

#[test]
fn students_are_selected_by_their_dates() {
    fn check(entry: &str, exit: Option<&str>, expect: usize) {
        let stay = stay(2, entry, exit.map(|exit| (exit, "Transferred out of state or country")));
        let report = options(Some("2018-08-01"), Some("2018-10-01"));
        let (lines, _) = produced("la-sis", report, &sections(vec![student(), stay]));
        assert_eq!(of_kind(&lines, "040").len(), expect, "{entry} to {exit:?}");
        assert_eq!(of_kind(&lines, "010").len(), expect, "{entry} to {exit:?}");
    }
    check("2018-08-09", None, 1);
    // The exit lies behind the report's first day.
    check("2018-07-09", Some("2018-08-02"), 1);
    check("2018-07-09", Some("2018-08-01"), 0);
    // The entry lies on or before its last day.
    check("2018-10-01", None, 1);
    check("2018-10-02", None, 0);
    // The exit lies behind the entry.
    check("2018-08-09", Some("2018-08-09"), 0);
    check("2018-08-09", Some("2018-08-10"), 1);
}

#[test]
fn an_exit_is_reported_with_its_reason_and_not_for_the_promoted() {
    fn check(exit: Option<(&str, &str)>, promoted: &[&str], expect: &str) {
        let report =
            Options { promoted: promoted.iter().map(|code| (*code).to_owned()).collect(), ..options(None, None) };
        let (lines, _) = produced("la-sis", report, &sections(vec![student(), stay(2, "2018-08-09", exit)]));
        let lines = of_kind(&lines, "040");
        assert_eq!(lines.first().map(|line| &line[62..72]), Some(expect), "{exit:?}");
    }
    let out_of_state = Some(("2019-05-24", "Transferred out of state or country"));
    let within = Some(("2019-05-24", "Transferred to another public school within the district"));
    check(out_of_state, &[], "0524201910");
    check(within, &["08"], "          ");
    check(out_of_state, &["08"], "0524201910");
    // A reason without a code is no reason: the day alone is not reported.
    check(Some(("2019-05-24", "Moved, says the neighbour")), &[], "          ");
    check(None, &["08"], "          ");
}

#[test]
fn option_1_is_a_from_july_2018_on() {
    fn check(entry: &str, option: &str, expect: &str) {
        let mut stay = stay(2, entry, None);
        stay.1.values.insert("option_code", text(option));
        let (lines, _) = produced("la-sis", options(None, None), &sections(vec![student(), stay]));
        assert_eq!(of_kind(&lines, "040").first().map(|line| &line[84..85]), Some(expect), "{entry} {option}");
    }
    check("2018-06-30", "1", "1");
    check("2018-07-01", "1", "A");
    check("2018-08-09", "1", "A");
    check("2019-01-22", "1", "A");
    check("2018-08-09", "A", "A");
    check("2018-08-09", "3", "3");
}

/// A student at one school, and at another of another district in the same year, with a program at each and a plan of the first.
fn in_two_districts() -> Vec<(Domain, Row)> {
    let mut other = stay(5, "2019-01-07", None);
    other.1.values.insert("local_education_agency_id", text("991"));
    other.1.values.insert("school_id", text("991005"));
    let program = |line, lea: &str, school: &str| {
        let values = [
            ("program_id", text("JUMP")),
            ("begin_date", date("2018-08-20")),
            ("local_education_agency_id", text(lea)),
            ("school_id", text(school)),
        ];
        la(Domain::Program, line, &values)
    };
    let plan = [("section_504", Value::Boolean(true)), ("local_education_agency_id", text(LEA))];
    vec![
        student(),
        stay(2, "2018-08-09", None),
        other,
        program(6, LEA, SCHOOL),
        program(7, "991", "991005"),
        la(Domain::SpecialEducation, 8, &[plan.as_slice(), &[("plan_type", text("Section 504 plan"))]].concat()),
    ]
}

#[test]
fn a_report_is_for_the_districts_schools_students_and_records_that_it_names() {
    fn check(report: &Options, expect: &[&str]) {
        let (lines, _) = produced("la-sis", report.clone(), &sections(in_two_districts()));
        let found: Vec<String> = lines.iter().map(|line| format!("{} {}", &line[6..9], &line[3..6])).collect();
        assert_eq!(found, expect, "{report:?}");
    }
    let list = |codes: &[&str]| codes.iter().map(|code| (*code).to_owned()).collect::<Vec<_>>();
    let all = || options(None, None);
    let everything = ["010 990", "010 991", "040 990", "040 991", "050 990", "050 991", "130 990"];
    check(&all(), &everything);
    check(&Options { districts: list(&["990", "991"]), ..all() }, &everything);
    // One district: nothing of another, although it is the same student.
    check(&Options { districts: list(&["990"]), ..all() }, &["010 990", "040 990", "050 990", "130 990"]);
    check(&Options { districts: list(&["991"]), ..all() }, &["010 991", "040 991", "050 991"]);
    check(&Options { districts: list(&["992"]), ..all() }, &[]);
    // One school: a record that names none is its student's, if it is of the school's district.
    check(&Options { schools: list(&[SCHOOL]), ..all() }, &["010 990", "040 990", "050 990", "130 990"]);
    check(&Options { schools: list(&["991005"]), ..all() }, &["010 991", "040 991", "050 991"]);
    check(&Options { districts: list(&["990"]), schools: list(&["991005"]), ..all() }, &[]);
    // Kinds of record.
    check(&Options { records: list(&["040", "130"]), ..all() }, &["040 990", "040 991", "130 990"]);
    // Students.
    let named = |ids: &[&str]| Some(Masked::new(list(ids).into_iter().collect()));
    check(&Options { students: named(&["9900000017"]), ..all() }, &everything);
    check(&Options { students: named(&["9900000025"]), ..all() }, &[]);
}

/// Whom a report is for, whatever it then holds of them: what the access to it is entered for.
#[test]
fn a_report_is_for_whoever_was_ever_reported_where_it_asks() {
    fn check(report: &Options, history: &[Section], expect: bool) {
        let producer = Producer::begin("la-sis", report.clone()).expect("its state is known").expect("it is produced");
        assert_eq!(producer.is_for(history), expect, "{report:?}");
        let (lines, _) = produced("la-sis", report.clone(), history);
        assert!(expect || lines.is_empty(), "a record of whom the report is not for: {report:?}");
    }
    let list = |codes: &[&str]| codes.iter().map(|code| (*code).to_owned()).collect::<Vec<_>>();
    let named = |ids: &[&str]| Some(Masked::new(list(ids).into_iter().collect()));
    let all = || options(None, None);
    let known = sections(in_two_districts());
    for (districts, schools, expect) in [
        (&[][..], &[][..], true),
        (&["990"], &[], true),
        (&["992"], &[], false),
        (&["992", "991"], &[], true),
        (&[], &["991005"], true),
        (&[], &["992001"], false),
        (&["992"], &["991005"], false),
    ] {
        let report = Options { districts: list(districts), schools: list(schools), ..all() };
        check(&report, &known, expect);
        // That there is no such record, or none of those days, is told too.
        check(&Options { records: list(&["092"]), ..report.clone() }, &known, expect);
        check(&Options { to: Some(day("2001-01-01")), ..report }, &known, expect);
    }
    // What names the district need not be a stay.
    let offense = la(Domain::Discipline, 9, &[("local_education_agency_id", text("993"))]);
    let and_an_offense = sections([in_two_districts(), vec![offense]].concat());
    check(&Options { districts: list(&["993"]), ..all() }, &and_an_offense, true);
    check(&Options { students: named(&["9900000017"]), ..all() }, &known, true);
    check(&Options { students: named(&["9900000025"]), ..all() }, &known, false);
    // That one who is named was never there, or is not marked, is told by leaving them out.
    check(&Options { students: named(&["9900000017"]), districts: list(&["992"]), ..all() }, &known, true);
    check(&Options { students: named(&["9900000017"]), extent: Extent::Partial, ..all() }, &known, true);
    check(&Options { extent: Extent::Partial, ..all() }, &known, false);
    let mut marked = in_two_districts();
    marked[0].1.values.insert("partial_file", Value::Boolean(true));
    check(&Options { extent: Extent::Partial, ..all() }, &sections(marked), true);
    // Who is excluded is left out of the file, which tells of it.
    let mut excluded = in_two_districts();
    excluded[0].1.values.insert("excluded_from_reporting", Value::Boolean(true));
    check(&Options { districts: list(&["990"]), ..all() }, &sections(excluded), true);
    // Of whom it may not be told who they are it is not told that they are others; another state's student is none of this one's.
    let nobody = sections(in_two_districts().split_off(1));
    check(&Options { students: named(&["9900000025"]), ..all() }, &nobody, true);
    let elsewhere = sections(vec![ct(Domain::Student, 1, &[("state_id", text("9900000017"))])]);
    check(&Options { students: named(&["9900000017"]), ..all() }, &elsewhere, false);
}

#[test]
fn what_a_report_asks_for_and_does_not_find_is_said() {
    let report = Options { districts: vec!["990".to_owned(), "992".to_owned()], ..options(None, None) };
    let (_, remarks) = produced("la-sis", report, &sections(in_two_districts()));
    let nobody: Vec<&str> =
        remarks.iter().filter(|r| r.rule == "selection.nobody").map(|r| r.message.as_str()).collect();
    assert!(nobody.len() == 1 && nobody[0].contains("992"), "{nobody:?}");
    let unknown = Options { records: vec!["093".to_owned()], ..options(None, None) };
    assert!(Producer::begin("la-sis", unknown).is_err());
}

#[test]
fn a_partial_file_is_of_students_who_are_marked() {
    fn check(extent: Extent, marked: Option<bool>, expect: usize) {
        let mut student = student();
        student.1.values.extend(marked.map(|flag| ("partial_file", Value::Boolean(flag))));
        let report = Options { extent, ..options(None, None) };
        let (lines, remarks) = produced("la-sis", report, &sections(vec![student, stay(2, "2018-08-09", None)]));
        assert_eq!(lines.len(), expect, "{extent:?} {marked:?}");
        assert_eq!(remarks.iter().any(|remark| remark.rule == "selection.partial_file"), expect == 0);
    }
    check(Extent::Whole, None, 2);
    check(Extent::Whole, Some(false), 2);
    check(Extent::Partial, Some(true), 2);
    check(Extent::Partial, Some(false), 0);
    check(Extent::Partial, None, 0);
}

#[test]
fn names_are_cut_as_the_demographic_record_wants_them() {
    let (lines, remarks) =
        produced("la-sis", options(None, None), &sections(vec![student(), stay(2, "2018-08-09", None)]));
    let line = of_kind(&lines, "010").pop().expect("one record");
    assert_eq!(&line[..28], "SIS9900107        9900000017");
    assert_eq!(
        (&line[36..39], &line[59..60], &line[91..93], &line[97..98], &line[99..107]),
        ("Qui", "A", "07", "F", "20182019")
    );
    // Races that nobody reported are not reported as none.
    assert_eq!(&line[117..123], "      ");
    let blank = |field: &str| {
        remarks.iter().any(|r| r.record == "010" && r.field.as_deref() == Some(field) && r.rule == "field.not_known")
    };
    assert!(blank("white") && blank("hispanic_latino"), "{remarks:?}");
}

fn incident(line: u32, values: &[(&str, Value)]) -> (Domain, Row) {
    let mut all = vec![
        ("incident_identifier", text("421")),
        ("local_education_agency_id", text(LEA)),
        ("school_id", text(SCHOOL)),
    ];
    all.extend_from_slice(values);
    la(Domain::Discipline, line, &all)
}

#[test]
fn incidents_have_an_offender_and_their_violence_is_one_category() {
    fn check(role: &str, what: &str, more: &[(&str, Value)], expect: Option<&str>) {
        let mut values = vec![("student_participation_code", text(role)), ("incident_type", text(what))];
        values.extend_from_slice(more);
        let told = sections(vec![student(), stay(2, "2018-08-09", None), incident(3, &values)]);
        let (lines, _) = produced("la-sis", options(None, None), &told);
        let lines = of_kind(&lines, "091");
        assert_eq!(lines.first().map(|line| &line[54..67]), expect, "{role}, {what}");
        assert!(lines.iter().all(|line| &line[28..38] == "0000000421"));
    }
    let weapon = ("weapon", text("Firearms and explosives: 02; Other weapon: 03"));
    check("Offender", "Reason 23 (violence)", &[], Some("50           "));
    check("Offender", "Violence", &[("incident_type_2", text("Violent: 1"))], Some("50    1      "));
    check("Victim", "Violence", &[], None);
    // What another reason must have is blank.
    check("Offender", "Reason 13 (firearm or explosive)", std::slice::from_ref(&weapon), Some("1302         "));
    check("Offender", "Reason 15 (other weapon)", &[weapon], Some("15  03       "));
    let bullying = ("bullying", text("Bullying: 02; Electronic aggression: Yes; Emotional aggression: No"));
    check("Offender", "Reason 35 (bullying)", std::slice::from_ref(&bullying), Some("35     02YN  "));
    check("Offender", "Violence", &[bullying], Some("50           "));
}

#[test]
fn actions_have_the_dates_of_their_code() {
    fn check(action: &str, on: Option<&str>, back: Option<&str>, expect: &str) {
        let mut values = vec![("discipline_action", text(action))];
        values.extend(on.map(|on| ("discipline_date", date(on))));
        values.extend(back.map(|back| ("return_date", date(back))));
        let told = sections(vec![student(), stay(2, "2018-08-09", None), incident(3, &values)]);
        let (lines, _) = produced("la-sis", options(None, None), &told);
        let lines = of_kind(&lines, "092");
        assert_eq!(lines.first().map(|line| &line[46..73]), Some(expect), "{action}");
    }
    let (on, back) = (Some("2018-10-03"), Some("2018-10-08"));
    // Code, start, return, administered.
    check("Action code 000", on, back, "000                        ");
    check("Action code 001", on, back, "001                10032018");
    check("Out-of-school suspension", on, back, "0021003201810082018        ");
    check("Out-of-school expulsion", on, back, "0031003201810082018        ");
    check("Alternate-site expulsion", on, back, "0071003201810082018        ");
    check("Action code 130", on, back, "13010032018                ");
    check("Action code 040", on, None, "040                10032018");
    check("Action code 045", on, back, "0451003201810082018        ");
    check("Action code 999", on, back, "9991003201810082018        ");
}

#[test]
fn incidents_and_actions_lie_within_the_report() {
    fn check(on: &str, expect: usize) {
        let values = [
            ("student_participation_code", text("Offender")),
            ("incident_type", text("Violence")),
            ("incident_date", date(on)),
            ("discipline_action", text("Action code 001")),
        ];
        let told = sections(vec![student(), stay(2, "2018-08-09", None), incident(3, &values)]);
        let (lines, _) = produced("la-sis", options(Some("2018-10-01"), Some("2018-10-31")), &told);
        assert_eq!((of_kind(&lines, "091").len(), of_kind(&lines, "092").len()), (expect, expect), "{on}");
    }
    check("2018-09-30", 0);
    check("2018-10-01", 1);
    check("2018-10-31", 1);
    check("2018-11-01", 0);
}

#[test]
fn classes_dropped_before_october_and_repeated_ones_are_left_out() {
    fn check(classes: &[(&str, Option<(&str, &str)>)], expect: &[&str]) {
        let mut told = vec![student(), stay(2, "2018-08-09", None)];
        for (line, (code, days)) in (3..).zip(classes) {
            let mut values = vec![
                ("local_course_code", text(code)),
                ("local_education_agency_id", text(LEA)),
                ("school_id", text(SCHOOL)),
            ];
            if let Some((begin, end)) = days {
                values.extend([("session_begin_date", date(begin)), ("session_end_date", date(end))]);
            }
            told.push(la(Domain::Course, line, &values));
        }
        let (lines, _) = produced("la-sis", options(None, None), &sections(told));
        let lines = of_kind(&lines, "110");
        assert_eq!(lines.iter().map(|line| line[42..].trim_end()).collect::<Vec<_>>(), expect);
    }
    check(&[("ALG1-02", None), ("ENG1-11", Some(("2018-08-09", "2019-05-24")))], &["ALG1-02", "ENG1-11"]);
    check(
        &[("ALG1-02", Some(("2018-08-09", "2018-10-01"))), ("ENG1-11", Some(("2018-08-09", "2018-10-02")))],
        &["ENG1-11"],
    );
    check(&[("ALG1-02", Some(("2019-01-09", "2019-01-09")))], &[]);
    check(&[("ALG1-02", None), ("ALG1-02", None)], &["ALG1-02"]);
}

#[test]
fn what_is_withheld_is_blank_and_said() {
    let mut told = sections(vec![student(), stay(2, "2018-08-09", None)]);
    withhold(&mut told, Domain::Student, "sex");
    withhold(&mut told, Domain::Enrollment, "grade_level");
    let (lines, remarks) = produced("la-sis", options(None, None), &told);
    assert_eq!(of_kind(&lines, "010").first().map(|line| &line[97..98]), Some(" "));
    assert_eq!(of_kind(&lines, "040").first().map(|line| &line[52..54]), Some("  "));
    let said = |record: &str, field: &str| {
        remarks
            .iter()
            .any(|r| r.record == record && r.field.as_deref() == Some(field) && r.rule == "field.not_permitted")
    };
    assert!(said("010", "gender_code") && said("040", "grade_placement"), "{remarks:?}");
}

#[test]
fn without_identifier_or_enrollment_there_is_no_record() {
    fn check(domain: Domain, element: &'static str, rule: &str) {
        let mut told = sections(vec![student(), stay(2, "2018-08-09", None)]);
        withhold(&mut told, domain, element);
        let (lines, remarks) = produced("la-sis", options(None, None), &told);
        assert_eq!(lines, Vec::<String>::new());
        assert!(remarks.iter().any(|remark| remark.rule == rule), "{element}: {remarks:?}");
    }
    check(Domain::Student, "state_id", "person.not_told");
    check(Domain::Enrollment, "entry_date", "selection.not_permitted");
}

#[test]
fn another_states_reports_are_not_written() {
    let mut told = vec![student(), stay(2, "2018-08-09", None)];
    told.push((
        Domain::Enrollment,
        row(Domain::Enrollment, "ct", 3, Some(2018), &[("entry_date", date("2018-08-09"))]),
    ));
    let (lines, _) = produced("la-sis", options(None, None), &sections(told));
    assert_eq!(of_kind(&lines, "040").len(), 1);
}

fn ct(domain: Domain, line: u32, values: &[(&str, Value)]) -> (Domain, Row) {
    (domain, row(domain, "ct", line, None, values))
}

fn contact(line: u32, name: &str, relation: &str, more: &[(&str, Value)]) -> (Domain, Row) {
    let mut values =
        vec![("contact_name", text(name)), ("relation", text(relation)), ("custody", Value::Boolean(true))];
    values.extend_from_slice(more);
    ct(Domain::Contact, line, &values)
}

fn contacts(enrolled: (&str, Option<&str>), contacts: Vec<(Domain, Row)>) -> Vec<String> {
    let mut stay = vec![("entry_date", date(enrolled.0))];
    stay.extend(enrolled.1.map(|exit| ("exit_withdraw_date", date(exit))));
    let mut told = vec![ct(Domain::Student, 1, &[("state_id", text("9900000017"))]), ct(Domain::Enrollment, 1, &stay)];
    told.extend(contacts);
    produced("ct-student-contacts", Options { today: day("2025-11-03"), ..Options::default() }, &sections(told)).0
}

const OPEN: (&str, Option<&str>) = ("2025-08-27", None);

#[test]
fn contacts_are_of_students_with_an_active_enrollment() {
    fn check(entry: &str, exit: Option<&str>, expect: usize) {
        assert_eq!(
            contacts((entry, exit), vec![contact(2, "Ada Quince", "Mother", &[])]).len(),
            expect,
            "{entry} {exit:?}"
        );
    }
    check("2025-08-27", None, 1);
    check("2025-08-27", Some("2025-11-03"), 1);
    check("2025-08-27", Some("2025-11-02"), 0);
    check("2025-11-04", None, 0);
}

#[test]
fn contacts_have_custody_and_a_parent_type() {
    fn check(relation: &str, custody: Option<bool>, expect: usize) {
        let mut one = contact(2, "Ada Quince", relation, &[]);
        one.1.values.remove("custody");
        one.1.values.extend(custody.map(|flag| ("custody", Value::Boolean(flag))));
        assert_eq!(contacts(OPEN, vec![one]).len(), expect, "{relation} {custody:?}");
    }
    check("Mother", Some(true), 1);
    check("Mother", Some(false), 0);
    check("Mother", None, 0);
    check("Coach", Some(true), 0);
    check("", Some(true), 0);
}

#[test]
fn the_latest_e_mail_and_phone_are_taken() {
    let mail = |address: &str| ("electronic_mail_address", text(address));
    let rows = vec![
        contact(
            2,
            "Ada Quince",
            "Mother",
            &[mail("first@example.org"), ("home_phone", text("860-555-0101")), ("lives_with", Value::Boolean(true))],
        ),
        contact(5, "Ada Quince", "Mother", &[mail("last@example.org")]),
        contact(4, "Ada Quince", "Mother", &[mail("middle@example.org"), ("home_phone", text("860-555-0102"))]),
        contact(6, "Bo Quince", "Father", &[("lives_with", Value::Boolean(false))]),
    ];
    assert_eq!(
        contacts(OPEN, rows),
        [
            "Ada Quince,MOTHER,9900000017,last@example.org,,,,,,860-555-0102,,,,,Y,",
            "Bo Quince,FATHER,9900000017,,,,,,,,,,,,,"
        ]
    );
}

/// The rows of the source's table of phones, for home and for mobile phones: numbers in the order they were entered, and which is preferred.
#[test]
fn of_several_phones_the_preferred_one_is_taken() {
    fn check(number: &'static str, preference: &'static str, entered: &[(&str, Option<bool>)], expect: &str) {
        let rows = (2..).zip(entered).map(|(line, (phone, is_preferred))| {
            let mut values = vec![(number, text(phone))];
            values.extend(is_preferred.map(|flag| (preference, Value::Boolean(flag))));
            contact(line, "Ada Quince", "Mother", &values)
        });
        let lines = contacts(OPEN, rows.collect());
        let (home, mobile) = if number == "home_phone" { (expect, "") } else { ("", expect) };
        assert_eq!(lines, [format!("Ada Quince,MOTHER,9900000017,,,,,,,{home},,{mobile},,,,")], "{entered:?}");
    }
    let (yes, no) = (Some(true), Some(false));
    for (number, preference) in [("home_phone", "home_phone_preferred"), ("mobile_phone", "mobile_phone_preferred")] {
        // One of the type, preferred.
        check(number, preference, &[("555-0101", yes)], "555-0101");
        // Several, all preferred: the one entered last.
        check(number, preference, &[("555-0101", yes), ("555-0102", yes)], "555-0102");
        // Several, none preferred: the one entered last.
        check(number, preference, &[("555-0101", no), ("555-0102", no)], "555-0102");
        check(number, preference, &[("555-0101", None), ("555-0102", None)], "555-0102");
        // Some are preferred: of those the one entered last.
        check(number, preference, &[("555-0101", yes), ("555-0102", no)], "555-0101");
        check(number, preference, &[("555-0101", yes), ("555-0102", yes), ("555-0103", None)], "555-0102");
        check(number, preference, &[("555-0101", no), ("555-0102", yes)], "555-0102");
        // One of the type, not preferred: there is no other.
        check(number, preference, &[("555-0101", no)], "555-0101");
    }
}

#[test]
fn work_phones_and_e_mails_are_the_latest_whatever_is_preferred() {
    let rows = vec![
        contact(
            2,
            "Ada Quince",
            "Mother",
            &[("work_phone", text("555-0101")), ("work_phone_preferred", Value::Boolean(true))],
        ),
        contact(3, "Ada Quince", "Mother", &[("work_phone", text("555-0102"))]),
    ];
    assert_eq!(contacts(OPEN, rows), ["Ada Quince,MOTHER,9900000017,,,,,,,,555-0102,,,,,"]);
}

#[test]
fn what_is_excluded_from_state_reporting_is_left_out() {
    let flag = ("excluded_from_reporting", Value::Boolean(true));
    let class = ("local_course_code", text("ALG1-02"));
    let told = |excluded: Option<usize>| {
        let place = [("local_education_agency_id", text(LEA)), ("school_id", text(SCHOOL))];
        let [lea, school] = place;
        let mut rows = vec![
            student(),
            stay(2, "2018-08-09", None),
            la(Domain::Course, 3, &[class.clone(), lea.clone(), school.clone()]),
            la(Domain::Program, 4, &[("program_id", text("JUMP")), ("begin_date", date("2018-08-20")), lea, school]),
        ];
        if let Some((_, row)) = excluded.and_then(|place| rows.get_mut(place)) {
            row.values.insert(flag.0, flag.1.clone());
        }
        rows
    };
    let check = |rows: Vec<(Domain, Row)>, excluded_schools: &[&str], expect: &[&str]| {
        let schools = excluded_schools.iter().map(|code| (*code).to_owned()).collect();
        let report = Options { excluded_schools: schools, ..options(None, None) };
        let (lines, _) = produced("la-sis", report, &sections(rows));
        assert_eq!(lines.iter().map(|line| &line[6..9]).collect::<Vec<_>>(), expect);
    };
    check(told(None), &[], &["010", "040", "050", "110"]);
    // The student.
    check(told(Some(0)), &[], &[]);
    // The only enrollment: nothing of the student is reported without one.
    check(told(Some(1)), &[], &[]);
    // The class.
    check(told(Some(2)), &[], &["010", "040", "050"]);
    // The school, and another.
    check(told(None), &[SCHOOL], &[]);
    check(told(None), &["990999"], &["010", "040", "050", "110"]);
    // Another enrollment stays.
    let mut two = told(Some(1));
    let mut other = stay(5, "2019-01-07", None);
    other.1.values.insert("school_id", text("990002"));
    two.push(other);
    check(two, &[], &["010", "040", "050", "110"]);
}

#[test]
fn contacts_of_the_excluded_are_left_out() {
    let flag = ("excluded_from_reporting", Value::Boolean(true));
    let check = |of_student: bool, of_stay: bool, school: &str, expect: usize| {
        let mut student = vec![("state_id", text("9900000017"))];
        let mut stay = vec![("entry_date", date("2025-08-27")), ("school_id", text("0646311"))];
        student.extend(of_student.then(|| flag.clone()));
        stay.extend(of_stay.then(|| flag.clone()));
        let told = vec![
            ct(Domain::Student, 1, &student),
            ct(Domain::Enrollment, 1, &stay),
            contact(2, "Ada Quince", "Mother", &[]),
        ];
        let report =
            Options { today: day("2025-11-03"), excluded_schools: vec![school.to_owned()], ..Options::default() };
        let (lines, remarks) = produced("ct-student-contacts", report, &sections(told));
        assert_eq!(lines.len(), expect, "{of_student} {of_stay} {school}");
        assert_eq!(remarks.iter().any(|remark| remark.rule == "selection.excluded"), of_student);
    };
    check(false, false, "", 1);
    check(true, false, "", 0);
    check(false, true, "", 0);
    check(false, false, "0646311", 0);
    check(false, false, "0646312", 1);
}
