//! Reading reports of placements, and what they change, without a database.

use chrono::{DateTime, Utc};
use model::SeededEntropy;

use super::{PlacementLayout, PlacementReport, Stay, file::read, plan::plan};

const LAYOUT: &str = include_str!("../../../../deploy/consumers/cssd/placements.toml");
const HEADER: &str = "ClientPIN,StayId,DTNAdmissionPIN,JrsFacilityID,AdmissionTSP,ReleaseTSP,AdmissionRecordType";

fn layout() -> PlacementLayout {
    PlacementLayout::parse(LAYOUT).expect("the shipped layout reads")
}

fn noon() -> DateTime<Utc> {
    "2026-11-20T17:00:00Z".parse().expect("an instant")
}

fn report(rows: &str) -> PlacementReport {
    read(format!("{HEADER}\n{rows}").as_bytes(), &layout(), "stays.csv", noon())
}

/// The rows that are taken, by line, and what is said of the others: line, field, rule.
fn check(rows: &str, taken: &[u64], found: &[(u64, Option<&str>, &str)]) {
    let report = report(rows);
    let lines: Vec<u64> = report.rows.iter().map(|row| row.line).collect();
    let findings: Vec<_> = report.findings.iter().map(|one| (one.line, one.field.as_deref(), one.rule)).collect();
    assert_eq!((lines.as_slice(), findings.as_slice()), (taken, found), "{rows}");
    assert!(report.findings.iter().all(|one| one.file == "stays.csv" && !one.message.is_empty()), "{rows}");
}

#[test]
fn a_row_is_taken_or_says_what_is_wrong() {
    check("1007,22,31,1,2026-11-18 09:30:00,,ADM", &[2], &[]);
    check("1007,22,31,1,11/18/2026 09:30,2026-11-19T08:00:00,ADM\r\n", &[2], &[]);
    check("1007,22,31,1,2026-11-18 09:30:00,,VOID", &[2], &[]);
    check(",22,31,1,2026-11-18 09:30:00,,ADM", &[], &[(2, Some("ClientPIN"), "field.required")]);
    check("1007,22,,1,2026-11-18 09:30:00,,ADM", &[], &[(2, Some("DTNAdmissionPIN"), "field.required")]);
    check("1007,22,31,9,2026-11-18 09:30:00,,ADM", &[], &[(2, Some("JrsFacilityID"), "code.unknown")]);
    check("1007,22,31,1,,,ADM", &[], &[(2, Some("AdmissionTSP"), "field.required")]);
    check("1007,22,31,1,2026-11-31 09:30:00,,ADM", &[], &[(2, Some("AdmissionTSP"), "time.invalid")]);
    check("1007,22,31,1,2026-11-18,,ADM", &[], &[(2, Some("AdmissionTSP"), "time.invalid")]);
    check("1007,22,31,1,2026-03-08 02:30:00,,ADM", &[], &[(2, Some("AdmissionTSP"), "time.nonexistent")]);
    check("1007,22,31,1,2026-11-20 12:00:01,,ADM", &[], &[(2, Some("AdmissionTSP"), "time.future")]);
    check("1007,22,31,1,2026-11-18 09:30:00,2026-11-21 08:00:00,ADM", &[], &[(2, Some("ReleaseTSP"), "time.future")]);
    check("1007,22,31,1,2026-11-18 09:30:00,2026-11-18 09:30:00,ADM", &[], &[(2, Some("ReleaseTSP"), "time.order")]);
    check("1007,22,31,1,2026-11-18 09:30:00,,MAYBE", &[], &[(2, Some("AdmissionRecordType"), "code.unknown")]);
    check("1007,22,31,1,2026-11-18 09:30:00,", &[], &[(2, None, "row.length")]);
}

#[test]
fn no_text_can_be_brought_in_under_the_name_of_an_id() {
    for id in ["assault 2nd", "1007a", "1007-JUV-26", "-1", "1234567890123456789", "１００７"] {
        check(&format!("{id},22,31,1,2026-11-18 09:30:00,,ADM"), &[], &[(2, Some("ClientPIN"), "id.invalid")]);
        check(&format!("1007,{id},31,1,2026-11-18 09:30:00,,ADM"), &[], &[(2, Some("StayId"), "id.invalid")]);
    }
}

#[test]
fn what_is_wrong_with_one_row_is_no_reason_to_leave_another_out() {
    let good = "1007,22,31,1,2026-11-18 09:30:00,,ADM";
    check(
        &format!("{good}\nx,22,31,1,2026-11-18 09:30:00,,ADM\n1008,23,32,2,2026-11-18 09:30:00,,ADM"),
        &[2, 4],
        &[(3, Some("ClientPIN"), "id.invalid")],
    );
    // The same twice is one report; two that contradict each other are none.
    check(&format!("{good}\n{good}"), &[2], &[(3, None, "row.duplicate")]);
    check(
        &format!("{good}\n{}", good.replace(",1,", ",2,")),
        &[],
        &[(2, None, "row.contradiction"), (3, None, "row.contradiction")],
    );
}

#[test]
fn a_file_that_speaks_of_the_case_is_refused_as_a_whole() {
    for column in ["ReferralId", "CourtKey", "AdmissionReasonId", "ReleaseDestination", "Offense", "docket"] {
        let text = format!("{HEADER},{column}\n1007,22,31,1,2026-11-18 09:30:00,,ADM,QUINCE-MARK\n");
        let report = read(text.as_bytes(), &layout(), "stays.csv", noon());
        let found: Vec<_> = report.findings.iter().map(|one| (one.line, one.field.as_deref(), one.rule)).collect();
        assert_eq!(found, [(1, Some(column), "column.case_data")]);
        assert!(report.rows.is_empty() && report.refused_reason.is_some());
        assert!(!format!("{report:?}").contains("QUINCE"), "no value is repeated");
    }
}

#[test]
fn a_wrong_header_refuses_the_file_and_names_each_column() {
    fn check(text: &str, expect: &[(Option<&str>, &str)]) {
        let report = read(text.as_bytes(), &layout(), "stays.csv", noon());
        let found: Vec<_> = report.findings.iter().map(|one| (one.field.as_deref(), one.rule)).collect();
        assert_eq!(found, expect, "{text}");
        assert!(report.rows.is_empty() && report.refused_reason.is_some(), "{text}");
    }
    let row = "\n1007,22,31,1,2026-11-18 09:30:00,,ADM";
    check(
        &format!("{}{row}", HEADER.replace("StayId", "StayID")),
        &[(Some("column 2"), "header.unknown"), (Some("StayId"), "header.missing")],
    );
    check(&format!("{HEADER},Notes{row},x"), &[(Some("column 8"), "header.unknown")]);
    check(&format!("{HEADER},ClientPIN{row},1007"), &[(Some("ClientPIN"), "header.repeated")]);
    check(
        "ClientPIN\u{fffd}",
        &[
            (Some("column 1"), "header.unknown"),
            (Some("ClientPIN"), "header.missing"),
            (Some("JrsFacilityID"), "header.missing"),
            (Some("AdmissionTSP"), "header.missing"),
            (Some("ReleaseTSP"), "header.missing"),
            (Some("AdmissionRecordType"), "header.missing"),
            (Some("StayId"), "header.missing"),
            (Some("DTNAdmissionPIN"), "header.missing"),
        ],
    );
}

#[test]
fn of_a_file_without_a_header_no_value_is_said_again() {
    let text = "1007,QUINCE,QUINCE,1,2026-11-18 09:30:00,,ADM\n1008,23,32,2,2026-11-18 09:30:00,,ADM\n";
    let report = read(text.as_bytes(), &layout(), "stays.csv", noon());
    let found: Vec<_> = report.findings.iter().map(|one| (one.field.as_deref(), one.rule)).collect();
    let (unknown, repeated) = ("header.unknown", "header.repeated");
    let expect = [(Some("column 1"), unknown), (Some("column 2"), unknown), (Some("column 3"), repeated)];
    assert_eq!(found.get(..3), Some(expect.as_slice()), "{found:?}");
    assert!(report.rows.is_empty() && report.refused_reason.is_some());
    let said = format!("{report:?}");
    assert!(["1007", "QUINCE", "2026-11-18", "ADM"].iter().all(|value| !said.contains(value)), "{said}");
}

#[test]
fn rows_behind_a_quotation_mark_that_stays_open_are_not_lost_silently() {
    let report = report("1007,22,31,1,2026-11-18 09:30:00,,\"ADM\n1008,23,32,2,2026-11-18 09:30:00,,ADM\"\n");
    let found: Vec<_> = report.findings.iter().map(|one| (one.line, one.rule)).collect();
    assert_eq!((found.as_slice(), report.rows.len()), ([(2, "quote.open")].as_slice(), 0));
    assert!(report.refused_reason.is_some());
}

#[test]
fn bytes_that_are_no_text_are_said_so() {
    let mut bytes = format!("{HEADER}\n1007,22,31,1,2026-11-18 09:30:00,,AD").into_bytes();
    bytes.push(0xff);
    let report = read(&bytes, &layout(), "stays.csv", noon());
    assert_eq!(report.findings.iter().map(|one| (one.line, one.rule)).collect::<Vec<_>>(), [(2, "row.unreadable")]);
}

#[test]
fn a_time_that_comes_twice_makes_the_longer_stay() {
    // Clocks go back on 1 November 2026 at two o'clock.
    let report = report("1007,22,31,1,2026-11-01 01:30:00,2026-11-01 01:30:00,ADM");
    let [row] = report.rows.as_slice() else { panic!("{:?}", report.findings) };
    assert_eq!(row.admitted_at.to_rfc3339(), "2026-11-01T05:30:00+00:00");
    assert_eq!(row.released_at.map(|at| at.to_rfc3339()).as_deref(), Some("2026-11-01T06:30:00+00:00"));
}

/// Applies files one after the other: what each of them did (new, corrected, withdrawn, unchanged) and the rules of its findings.
fn applied(files: &[&str]) -> Vec<([u64; 4], Vec<&'static str>)> {
    let entropy = SeededEntropy::new(7);
    let mut current: Vec<Stay> = Vec::new();
    let mut told = Vec::new();
    for rows in files {
        let planned = plan("stays.csv", report(rows).rows, &current, noon(), &entropy);
        told.push((
            [planned.new, planned.corrected, planned.withdrawn, planned.unchanged],
            planned.findings.iter().map(|one| one.rule).collect(),
        ));
        current.retain(|stay| !planned.superseded.contains(&stay.placement));
        current.extend(planned.inserted);
    }
    told
}

#[test]
fn a_report_said_again_changes_nothing_and_a_correction_changes_one_stay() {
    let (first, second) = ("1007,22,31,1,2026-11-18 09:30:00,,ADM", "1008,23,32,2,2026-11-18 09:30:00,,ADM");
    let released = "1007,22,31,1,2026-11-18 09:30:00,2026-11-19 08:00:00,ADM";
    let void = first.replace("ADM", "VOID");
    let both = format!("{first}\n{second}");
    let told = applied(&[&both, &both, &format!("{released}\n{second}"), &void, &void, released]);
    let counts: Vec<[u64; 4]> = told.iter().map(|(counts, _)| *counts).collect();
    assert_eq!(counts, [[2, 0, 0, 0], [0, 0, 0, 2], [0, 1, 0, 1], [0, 0, 1, 0], [0, 0, 0, 1], [0, 1, 0, 0]]);
    assert!(told.iter().all(|(_, findings)| findings.is_empty()), "{told:?}");
}

#[test]
fn a_stay_stays_its_clients_and_nobody_is_at_two_places_at_once() {
    let here = "1007,22,31,1,2026-11-10 09:30:00,,ADM";
    let there = "1007,22,32,2,2026-11-15 10:00:00,,ADM";
    let moved = "1007,22,31,1,2026-11-10 09:30:00,2026-11-15 10:00:00,ADM";
    for (files, expect) in [
        (vec![here, "1008,22,31,1,2026-11-10 09:30:00,,ADM"], ([0, 0, 0, 0], vec!["stay.other_client"])),
        (vec![here, "1009,29,39,1,2026-11-10 09:30:00,,VOID"], ([0, 0, 0, 0], vec!["stay.unknown"])),
        (vec![here, there], ([0, 0, 0, 0], vec!["stay.overlap"])),
        // In one file neither is more likely than the other.
        (vec![&format!("{here}\n{there}")], ([0, 0, 0, 0], vec!["stay.overlap", "stay.overlap"])),
        (vec![here, &format!("{moved}\n{there}")], ([1, 1, 0, 0], vec![])),
        // What was taken back occupies nobody.
        (vec![here, &here.replace("ADM", "VOID"), there], ([1, 0, 0, 0], vec![])),
        (vec![here, &format!("{}\n{there}", here.replace("ADM", "VOID"))], ([1, 0, 1, 0], vec![])),
    ] {
        assert_eq!(applied(&files).pop(), Some(expect), "{files:?}");
    }
}

#[test]
fn a_layout_that_takes_in_a_column_of_the_case_is_no_layout() {
    let wrong = LAYOUT.replace("record = \"AdmissionRecordType\"", "record = \"ReleaseType\"");
    assert!(PlacementLayout::parse(&wrong).expect_err("refused").contains("column of the case"));
    let wrong = LAYOUT.replace("\"3480115\"", "\"Bridgeport Detention\"");
    assert!(PlacementLayout::parse(&wrong).expect_err("refused").contains("code of a facility"));
    assert!(PlacementLayout::parse(&LAYOUT.replace("sea = \"ct\"", "sea = \"ct\"\nignored = [\"Notes\"]")).is_err());
}
