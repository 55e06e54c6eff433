//! The rules, example by example.

use model::{Domain, Value};

use crate::{
    StoredFact, derive_mobility, fold,
    testing::{change, fact, organizations, register, snapshot, table, unregister},
};

const DAYS: [&str; 6] =
    ["local_education_agency_id", "school_id", "entry_date", "entry_basis", "exit_withdraw_date", "exit_basis"];

/// The same rows whatever the order of the facts.
fn rows(facts: &[StoredFact]) -> Vec<model::Row> {
    let rows = fold(Domain::Enrollment, facts, &organizations());
    let backwards: Vec<_> = facts.iter().rev().cloned().collect();
    assert_eq!(rows, fold(Domain::Enrollment, &backwards, &organizations()), "whatever the order");
    rows
}

fn check_of(facts: &[StoredFact], elements: &[&str], expect: &[&str]) {
    assert_eq!(table(&rows(facts), elements), expect.join("\n"));
}

fn check(facts: &[StoredFact], expect: &[&str]) {
    check_of(facts, &DAYS, expect);
}

const YEAR: &str = "implied: another school in the next school year";
const SEEN: &str = "implied: another school in a later collection";
const ELSEWHERE: &str = "implied: registered in another district";
const NO_ENTRY: &str = "entry date not reported";
const NO_EXIT: &str = "exit date not reported";

#[test]
fn a_registration_begins_and_an_exit_ends_a_stay() {
    let stay = [register(1, "010", "A", "2015-08-26", "KF"), unregister(2, "010", Some("2017-06-13"), "Other")];
    check(&stay, &["010 | A | 2015-08-26 | reported | 2017-06-13 | reported"]);
    check(&stay[..1], &["010 | A | 2015-08-26 | reported |  | "]);
    check(
        &[stay[0].clone(), unregister(2, "010", None, "Other")],
        &[&format!("010 | A | 2015-08-26 | reported |  | {NO_EXIT}")],
    );
    check(&stay[1..], &[&format!("010 |  |  | {NO_ENTRY} | 2017-06-13 | reported")]);
    let corrected = [stay[0].clone(), stay[1].clone(), unregister(3, "010", Some("2017-06-09"), "Other")];
    check(&corrected, &["010 | A | 2015-08-26 | reported | 2017-06-09 | reported"]);
}

#[test]
fn what_nobody_ended_ends_before_the_next_registration() {
    let moved = [register(1, "010", "A", "2015-08-26", "KF"), register(2, "020", "B", "2016-01-11", "KF")];
    check(
        &moved,
        &[
            &format!("010 | A | 2015-08-26 | reported | 2016-01-10 | {ELSEWHERE}"),
            "020 | B | 2016-01-11 | reported |  | ",
        ],
    );
    let late = [moved[0].clone(), moved[1].clone(), unregister(3, "010", Some("2016-01-15"), "Other")];
    check_of(
        &late,
        &["local_education_agency_id", "exit_withdraw_date", "exit_basis", "primary_spell"],
        &["010 | 2016-01-15 | reported | false", "020 |  |  | true"],
    );
    let again = [register(1, "010", "A", "2015-08-26", "KF"), register(2, "010", "A", "2017-08-30", "02")];
    check(
        &again,
        &[
            "010 | A | 2015-08-26 | reported | 2017-08-29 | implied: registered again",
            "010 | A | 2017-08-30 | reported |  | ",
        ],
    );
    // An exit without a day stays without one.
    let undated = [moved[0].clone(), moved[1].clone(), unregister(3, "010", None, "Other")];
    check(
        &undated,
        &[&format!("010 | A | 2015-08-26 | reported |  | {NO_EXIT}"), "020 | B | 2016-01-11 | reported |  | "],
    );
}

#[test]
fn snapshots_split_a_stay_where_the_school_changes() {
    let begun = register(1, "010", "A", "2015-08-26", "05");
    let years =
        [begun.clone(), snapshot(2, "010", "A", "2015-10-01", "05"), snapshot(3, "010", "B", "2016-10-01", "06")];
    check(
        &years,
        &[
            &format!("010 | A | 2015-08-26 | reported | 2016-06-30 | {YEAR}"),
            &format!("010 | B | 2016-07-01 | {YEAR} |  | "),
        ],
    );
    let within =
        [begun.clone(), snapshot(2, "010", "A", "2015-10-01", "05"), snapshot(3, "010", "B", "2016-01-15", "05")];
    check(
        &within,
        &[
            &format!("010 | A | 2015-08-26 | reported | 2016-01-14 | {SEEN}"),
            &format!("010 | B | 2016-01-15 | {SEEN} |  | "),
        ],
    );
    // June names both schools: nobody says when the student changed.
    let june = [begun, snapshot(2, "010", "A", "2016-06-10", "05"), snapshot(3, "010", "B", "2016-06-10", "05")];
    check(
        &june,
        &[&format!("010 | A | 2015-08-26 | reported |  | {NO_EXIT}"), &format!("010 | B |  | {NO_ENTRY} |  | ")],
    );
}

#[test]
fn a_school_reported_once_more_in_june_is_no_return() {
    let facts = [
        register(1, "010", "A", "2015-08-26", "05"),
        snapshot(2, "010", "A", "2015-10-01", "05"),
        snapshot(3, "010", "B", "2016-01-15", "05"),
        snapshot(4, "010", "A", "2016-06-10", "05"),
        snapshot(5, "010", "B", "2016-06-10", "05"),
        unregister(6, "010", Some("2016-06-10"), "Other"),
    ];
    check(
        &facts,
        &[
            &format!("010 | A | 2015-08-26 | reported | 2016-01-14 | {SEEN}"),
            &format!("010 | B | 2016-01-15 | {SEEN} | 2016-06-10 | reported"),
        ],
    );
}

#[test]
fn a_year_end_snapshot_past_the_exit_tells_of_the_year() {
    let facts = [
        register(1, "010", "A", "2015-08-26", "05"),
        unregister(2, "010", Some("2016-02-01"), "Other"),
        snapshot(3, "010", "A", "2016-06-10", "05"),
        snapshot(4, "010", "B", "2016-06-10", "05"),
    ];
    check(
        &facts,
        &[
            "010 | A | 2015-08-26 | reported | 2016-02-01 | reported",
            &format!("010 | B |  | {NO_ENTRY} |  | {NO_EXIT}"),
        ],
    );
}

#[test]
fn a_student_whom_only_snapshots_know_has_no_entry_date() {
    let facts = [
        snapshot(1, "010", "A", "2015-10-01", "05"),
        snapshot(2, "010", "A", "2016-06-10", "05"),
        register(3, "020", "B", "2016-08-29", "06"),
        snapshot(4, "010", "A", "2018-10-01", "08"),
    ];
    check_of(
        &facts,
        &["school_id", "entry_basis", "first_seen_date", "last_seen_date", "exit_basis"],
        &[
            &format!("A | {NO_ENTRY} | 2015-10-01 | 2016-06-10 | {NO_EXIT}"),
            "B | reported |  |  | ",
            &format!("A | {NO_ENTRY} | 2018-10-01 | 2018-10-01 | "),
        ],
    );
}

#[test]
fn a_row_says_the_grade_of_its_own_school_year_and_the_status_of_one_day() {
    let status = |fact: StoredFact, meals: &str| fact.with("meal_eligibility", meals);
    let facts = [
        register(1, "010", "A", "2015-08-26", "KF").with("resident_town", "Avon"),
        status(snapshot(2, "010", "A", "2015-10-01", "KF"), "Free").with("language", "Spanish"),
        status(snapshot(3, "010", "A", "2020-06-10", "04"), "Paid"),
    ];
    let elements = [
        "school_year",
        "grade_level",
        "last_school_year",
        "last_grade_level",
        "status_date",
        "meal_eligibility",
        "language",
        "resident_town",
    ];
    check_of(&facts, &elements, &["2015-16 | KF | 2019-20 | 04 | 2020-06-10 | Paid |  | Avon"]);
}

#[test]
fn a_second_facility_is_claimed_for_the_days_it_was_seen_only() {
    let held = |fact: StoredFact| {
        fact.with("facility_2_id", "3480115").with("special_program_status", "Municipal detention center")
    };
    let facts = [
        register(1, "010", "A", "2019-08-28", "08"),
        snapshot(2, "010", "A", "2019-10-01", "08"),
        held(snapshot(3, "010", "A", "2020-06-10", "08")),
        held(snapshot(4, "010", "A", "2020-10-01", "09")),
        snapshot(5, "010", "A", "2021-06-10", "09"),
        held(snapshot(6, "010", "A", "2021-10-01", "10")),
    ];
    let elements = [
        "school_id",
        "entry_date",
        "facility_2_id",
        "facility_2_name",
        "first_seen_date",
        "last_seen_date",
        "stay_basis",
        "school_year",
    ];
    check_of(
        &facts,
        &elements,
        &[
            "A | 2019-08-28 |  |  | 2019-10-01 | 2021-10-01 |  | 2019-20",
            "A |  | 3480115 | Bridgeport Detention Center | 2020-06-10 | 2020-10-01 | collection | 2019-20",
            "A |  | 3480115 | Bridgeport Detention Center | 2021-10-01 | 2021-10-01 | collection | 2021-22",
        ],
    );
    let mobility = derive_mobility(&rows(&facts));
    assert_eq!(table(&mobility[..1], &["schools", "moves_within_district", "facility_stays"]), "1 | 0 | 2");
}

#[test]
fn an_undated_change_says_where_and_never_when() {
    let begun = register(1, "010", "A", "2019-08-28", "08");
    // Another school, before any snapshot: it follows.
    check(
        &[begun.clone(), change(2, "010", "B", "08")],
        &[&format!("010 | A | 2019-08-28 | reported |  | {NO_EXIT}"), &format!("010 | B |  | {NO_ENTRY} |  | ")],
    );
    // Learned with the snapshots: it stands beside what they say.
    let seen = snapshot(3, "010", "A", "2019-10-01", "08");
    check(
        &[begun.clone(), change(2, "010", "B", "08"), seen.clone()],
        &["010 | A | 2019-08-28 | reported |  | ", &format!("010 | B |  | {NO_ENTRY} |  | {NO_EXIT}")],
    );
    // Of a school that is known it adds nothing but a later grade.
    let newer = change(4, "010", "A", "09").recorded("2019-12-01");
    let elements = ["school_id", "grade_level", "last_grade_level", "last_school_year"];
    check_of(&[begun.clone(), seen.clone().recorded("2019-11-15"), newer], &elements, &["A | 08 | 09 | "]);
    check_of(&[begun.clone(), seen.clone(), change(4, "010", "A", "09")], &elements, &["A | 08 | 08 | 2019-20"]);
    // A facility only a change names is a stay without days; one that a snapshot names too is known already.
    let held = change(4, "010", "A", "08").with("facility_2_id", "3480115");
    let elements = ["facility_2_id", "first_seen_date", "stay_basis", "grade_level"];
    check_of(
        &[begun.clone(), seen.clone(), held.clone()],
        &elements,
        &[" | 2019-10-01 |  | 08", "3480115 |  | change record without a date | 08"],
    );
    let dated = seen.with("facility_2_id", "3480115");
    check_of(&[begun, dated, held], &elements, &[" | 2019-10-01 |  | 08", "3480115 | 2019-10-01 | collection | 08"]);
}

#[test]
fn a_change_before_anything_else_is_a_stay_without_days() {
    check(&[change(1, "010", "A", "08")], &[&format!("010 | A |  | {NO_ENTRY} |  | ")]);
}

#[test]
fn an_exit_says_why_and_a_snapshot_of_that_year_fills_in() {
    let begun = register(1, "010", "A", "2019-08-28", "08");
    let mut ended = unregister(2, "010", Some("2020-06-12"), "");
    ended.payload.remove("exit_withdraw_type");
    let june = snapshot(3, "010", "A", "2020-06-10", "08").with("exit_withdraw_type", "Transferred to home schooling");
    check_of(&[begun.clone(), ended, june.clone()], &["exit_withdraw_type"], &["Transferred to home schooling"]);
    check_of(&[begun, june], &["exit_withdraw_type", "exit_basis"], &[" | "]);
}

#[test]
fn gaps_are_counted_from_the_last_exit_of_all() {
    let stay = |line, lea: &str, from: &str, to: &str| {
        [register(line, lea, "A", from, "05"), unregister(line + 1, lea, Some(to), "Other")]
    };
    // The short stay within the long one opens no gap.
    let facts = [
        stay(1, "010", "2015-08-26", "2018-06-13"),
        stay(3, "020", "2016-09-01", "2016-12-01"),
        stay(5, "030", "2018-10-15", "2019-06-12"),
    ]
    .concat();
    let mobility = derive_mobility(&rows(&facts));
    assert_eq!(table(&mobility[..1], &["gaps", "days_out_of_school", "overlaps"]), "1 | 44 | 1");
    // A summer between two schools is no gap.
    let summer = [stay(1, "010", "2015-08-26", "2018-06-13"), stay(3, "020", "2018-09-04", "2019-06-12")].concat();
    let mobility = derive_mobility(&rows(&summer));
    assert_eq!(table(&mobility[..1], &["gaps", "days_out_of_school"]), "0 | 0");
}

#[test]
fn the_school_of_last_year_named_in_june_was_left_and_not_returned_to() {
    let facts = [
        register(1, "010", "A", "2015-08-26", "05"),
        snapshot(2, "010", "A", "2015-10-01", "05"),
        snapshot(3, "010", "B", "2016-10-01", "06"),
        snapshot(4, "010", "A", "2017-06-10", "06"),
        snapshot(5, "010", "B", "2017-06-10", "06"),
    ];
    check(
        &facts,
        &[
            &format!("010 | A | 2015-08-26 | reported | 2016-09-30 | {SEEN}"),
            &format!("010 | B | 2016-10-01 | {SEEN} |  | "),
        ],
    );
    // A snapshot after the day the stay ended sees nobody.
    check_of(&facts, &["first_seen_date", "last_seen_date"], &["2015-10-01 | 2015-10-01", "2016-10-01 | 2017-06-10"]);
}

#[test]
fn a_school_that_one_june_names_beside_the_one_that_stays_is_no_change() {
    let facts = [
        register(1, "010", "A", "2015-08-26", "05"),
        snapshot(2, "010", "A", "2016-06-10", "05"),
        snapshot(3, "010", "B", "2016-06-10", "05"),
        snapshot(4, "010", "A", "2016-10-01", "06"),
    ];
    check(&facts, &["010 | A | 2015-08-26 | reported |  | ", &format!("010 | B |  | {NO_ENTRY} |  | {NO_EXIT}")]);
}

#[test]
fn what_only_a_year_end_snapshot_names_stands_in_its_year() {
    let begun = [register(1, "010", "A", "2015-08-26", "05"), snapshot(2, "010", "A", "2016-06-10", "05")];
    let elsewhere = register(4, "020", "C", "2016-09-19", "06");
    let june = snapshot(5, "010", "B", "2017-06-10", "06");
    let ended = unregister(3, "010", Some("2016-09-14"), "Other");
    let moved = [begun.to_vec(), vec![ended, elsewhere.clone(), june.clone()]].concat();
    check(
        &moved,
        &[
            &format!("010 | A | 2015-08-26 | reported | 2016-06-30 | {YEAR}"),
            &format!("010 | B | 2016-07-01 | {YEAR} | 2016-09-14 | reported"),
            "020 | C | 2016-09-19 | reported |  | ",
        ],
    );
    // Of a year in which another school is known too, nobody can say when; it stands before what came after.
    let autumn = unregister(3, "010", Some("2016-10-14"), "Other");
    let seen = snapshot(6, "010", "A", "2016-10-01", "06");
    let later = register(4, "020", "C", "2016-10-19", "06");
    let both = [begun.to_vec(), vec![autumn, later, seen, june.clone()]].concat();
    check(
        &both,
        &[
            "010 | A | 2015-08-26 | reported | 2016-10-14 | reported",
            &format!("010 | B |  | {NO_ENTRY} |  | {NO_EXIT}"),
            "020 | C | 2016-10-19 | reported |  | ",
        ],
    );
    // An exit without a day can lie in the school year whose June still names the district.
    let undated = unregister(3, "010", None, "Other");
    let again = snapshot(6, "010", "A", "2017-06-10", "06");
    let unknown = [begun.to_vec(), vec![undated, elsewhere, again]].concat();
    check(
        &unknown,
        &[&format!("010 | A | 2015-08-26 | reported |  | {NO_EXIT}"), "020 | C | 2016-09-19 | reported |  | "],
    );
    check_of(&unknown, &["last_seen_date"], &["2016-06-10", ""]);
}

#[test]
fn another_state_reports_beside() {
    let mut elsewhere = register(1, "900", "Z", "2016-01-04", "05");
    elsewhere.source_person = model::SourcePersonId(2);
    let facts = [register(1, "010", "A", "2015-08-26", "05"), elsewhere];
    check(&facts, &["010 | A | 2015-08-26 | reported |  | ", "900 | Z | 2016-01-04 | reported |  | "]);
    let section_504 = fact(Domain::SpecialEducation, "section_504", 1).with_value("section_504", Value::Boolean(true));
    assert_eq!(fold(Domain::SpecialEducation, &[section_504], &organizations()).len(), 1);
}
