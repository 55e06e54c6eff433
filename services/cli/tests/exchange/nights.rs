//! Nights that differ from the one before: a client leaves, the agreement is suspended, the same night is run again.

use std::{fs, process::Stdio};

use crate::{
    erase::{DCF_HEADER, OTHER, state},
    place::{Place, files, json, said as said_of, text, word},
};

pub fn set_time(place: &Place, at: &str) {
    fs::create_dir_all(place.path("data")).expect("a folder");
    fs::write(place.path("data/sandbox-time"), at).expect("a file");
}

/// A state, and DCF's client D8 in care until a day.
pub fn begin(day: &str) -> Place {
    let place = Place::new();
    // Each command begins at the time that is set, however long the one before took.
    set_time(&place, &format!("{day}T11:00:00Z"));
    let files = state(&place);
    let paths: Vec<&str> = files.iter().map(|path| text(path)).collect();
    place.run(&[&["intake", "load"], &paths[..]].concat(), 0);
    set_time(&place, &format!("{day}T12:00:00Z"));
    place
}

pub fn roster(place: &Place, day: &str, end: &str) {
    let row = format!("D8,Quince,Ambrosia,,,2011-03-04,F,,Hartford,06103,{OTHER},E2,2029-01-01,{end},,Hartford,1,W1");
    let path = place.path(&format!("dcf-{day}.csv"));
    fs::write(&path, format!("{DCF_HEADER}\n{row}\n")).expect("a roster");
    place.run(&["roster", "load", text(&path), "--consumer", "dcf", "--date", day], 0);
}

pub fn run(place: &Place, day: &str, code: i32) -> serde_json::Value {
    let report = place.run(&["exchange", "run", "--consumer", "dcf", "--date", day], code);
    report.last().expect("a report").clone()
}

#[test]
fn who_leaves_is_to_be_destroyed_and_files_say_so_once() {
    let place = begin("2030-01-02");
    roster(&place, "2030-01-02", "");
    assert_eq!(run(&place, "2030-01-02", 0)["files"]["withdrawals"], 0);
    set_time(&place, "2030-01-12T12:00:00Z");
    roster(&place, "2030-01-12", "2030-01-10");
    let report = run(&place, "2030-01-12", 0);
    assert_eq!((&report["files"]["histories"], &report["files"]["withdrawals"]), (&0.into(), &1.into()), "{report}");
    let folder = place.path("out/dcf/2030-01-12");
    for format in ["ndjson", "csv"] {
        let manifest = json(&folder.join(format).join("manifest.json"));
        assert_eq!(manifest["withdrawals"], 1);
        let rows = fs::read_to_string(folder.join(format).join("withdrawals.csv")).expect("a file");
        let row = rows.lines().nth(1).expect("a row");
        assert!(row.starts_with("\"D8\",authority_ended,2031-01-10,"), "{rows}");
    }
    set_time(&place, "2030-01-13T12:00:00Z");
    assert_eq!(run(&place, "2030-01-13", 0)["files"]["withdrawals"], 0, "once");
    assert!(!place.path("out/dcf/2030-01-13/csv/withdrawals.csv").exists());
    // Whoever comes back is sent whole again, the document too.
    set_time(&place, "2030-01-14T12:00:00Z");
    roster(&place, "2030-01-14", "");
    let report = run(&place, "2030-01-14", 0);
    assert_eq!((&report["files"]["histories"], &report["summaries"]["rendered"]), (&1.into(), &1.into()), "{report}");
    place.run(&["ledger", "verify"], 0);
}

#[test]
fn a_suspended_agreement_delivers_no_files_and_the_report_says_why() {
    let place = begin("2030-01-02");
    roster(&place, "2030-01-02", "");
    set_time(&place, "2030-01-02T12:10:00Z");
    place.run(&["agreement", "suspend", "dcf_mou", "--by", "ann", "--reason", "a question is open"], 0);
    set_time(&place, "2030-01-02T12:20:00Z");
    let report = run(&place, "2030-01-02", 3);
    assert_eq!((word(&report, "state"), word(&report, "refused_because")), ("refused", "agreement_suspended"));
    assert!(!place.path("out/dcf").exists(), "no file is written");
    assert_eq!(json(&place.report("dcf", "2030-01-02"))["refused_because"], "agreement_suspended");
    set_time(&place, "2030-01-02T12:30:00Z");
    let out = place.path("export");
    let export = ["feed", "export", "--consumer", "dcf", "--format", "ndjson", "--out", text(&out)];
    let said = place.run(&export, 3);
    assert_eq!(word(said.last().expect("a line"), "refused_because"), "agreement_suspended");
    assert!(!out.exists());
    // Two stewards bring it back, and the night is delivered.
    let document = concat!(env!("CARGO_MANIFEST_DIR"), "/../../deploy/consumers/dcf/agreement.toml");
    set_time(&place, "2030-01-02T13:00:00Z");
    place.run(&["agreement", "activate", document], 0);
    set_time(&place, "2030-01-02T13:10:00Z");
    assert_eq!(run(&place, "2030-01-02", 0)["state"], "delivered");
}

#[test]
fn the_same_night_again_delivers_nothing_and_names_the_first_run() {
    let place = begin("2030-01-02");
    roster(&place, "2030-01-02", "");
    let first = run(&place, "2030-01-02", 0);
    assert_eq!((word(&first, "state"), &first["files"]["histories"]), ("delivered", &1.into()));
    let folder = place.path("out/dcf/2030-01-02");
    let manifest = json(&folder.join("ndjson/manifest.json"));
    let (before, told) = (files(&folder.join("summaries")), fs::read(folder.join("report.json")).expect("a report"));
    let again = run(&place, "2030-01-02", 0);
    assert_eq!(word(&again, "state"), "already_delivered");
    let runs = again["first_run"]["runs"].as_array().expect("runs");
    assert!(runs.contains(&manifest["run"]) && again["first_run"]["at"] == manifest["created_at"], "{again}");
    assert_eq!(
        (files(&folder.join("summaries")), fs::read(folder.join("report.json")).expect("a report")),
        (before, told)
    );
    let kept = json(&place.report("dcf", "2030-01-02"));
    assert_eq!((word(&kept, "state"), kept["later_runs"].as_array().map(Vec::len)), ("delivered", Some(1)));
}

#[test]
fn two_runs_at_once_deliver_once() {
    let place = begin("2030-01-02");
    roster(&place, "2030-01-02", "");
    let start = |_| {
        let mut run = place.command(&["exchange", "run", "--consumer", "dcf", "--date", "2030-01-02"]);
        run.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program runs")
    };
    let runs: Vec<_> = (0..2).map(start).collect();
    let said = runs.into_iter().map(|run| run.wait_with_output().expect("it ends"));
    let mut states: Vec<String> = said
        .map(|output| match output.status.code() {
            Some(0) => {
                let text = String::from_utf8_lossy(&output.stdout).into_owned();
                let report: serde_json::Value =
                    text.lines().filter_map(|line| serde_json::from_str(line).ok()).next_back().expect("a report");
                word(&report, "state").to_owned()
            }
            Some(1) if said_of(&output).contains("another run for dcf is under way") => "waits".to_owned(),
            other => panic!("{other:?}: {}", said_of(&output)),
        })
        .collect();
    states.sort();
    assert!(states == ["delivered", "waits"] || states == ["already_delivered", "delivered"], "{states:?}");
    assert_eq!(json(&place.path("out/dcf/2030-01-02/ndjson/manifest.json"))["histories"], 1);
    place.run(&["ledger", "verify"], 0);
}

#[test]
fn a_time_to_come_and_an_office_nobody_named_are_wrong_usage() {
    let place = begin("2030-01-02");
    roster(&place, "2030-01-02", "");
    let out = place.path("export");
    let export = ["feed", "export", "--consumer", "dcf", "--format", "ndjson", "--out", text(&out)];
    place.run(&[&export[..], &["--as-of", "2031-01-01T00:00:00Z"]].concat(), 2);
    place.run(&[&export[..], &["--office", "Nowhere"]].concat(), 2);
    assert!(!out.exists());
    run(&place, "2030-01-02", 0);
    place.run(&[&export[..], &["--office", "Hartford"]].concat(), 0);
    assert_eq!(json(&out.join("manifest.json"))["histories"], 1);
}
