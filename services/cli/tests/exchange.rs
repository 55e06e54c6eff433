//! The program itself, from files to deliveries: on an invented state, with the real database, killed where it hurts most.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use serde_json::Value as Json;

struct Place {
    dir: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        Self { dir: tempfile::tempdir().expect("a temporary folder") }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_throughline"));
        command.arg("--data").arg(self.path("data")).args(["--sandbox", "--json"]).args(args);
        command
    }

    /// Runs a command that must end with `code`; gives the JSON objects it printed.
    fn run(&self, args: &[&str], code: i32) -> Vec<Json> {
        let output = self.command(args).output().expect("the program runs");
        assert_eq!(output.status.code(), Some(code), "{args:?}: {}", said(&output));
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    /// Runs a command that must be killed at a crash point.
    fn killed(&self, point: &str, args: &[&str]) {
        let output = self.command(args).env("THROUGHLINE_CRASH_AT", point).output().expect("the program runs");
        assert_eq!(output.status.code(), None, "{point} was not passed by {args:?}: {}", said(&output));
    }

    fn generate(&self, students: u32) {
        let out = self.path("world");
        self.run(
            &["generate", "--students", &students.to_string(), "--seed", "7", "--clients", "0.2", "--out", text(&out)],
            0,
        );
    }
}

fn said(output: &Output) -> String {
    format!("{}\n{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a path in UTF-8")
}

/// Every file of a layout folder of the invented state, in order.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> =
        fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path()).collect();
    files.sort();
    files
}

fn counts(receipts: &[Json]) -> BTreeMap<String, (u64, u64, u64, u64, u64)> {
    let count = |receipt: &Json, name: &str| receipt[name].as_u64().expect("a count");
    receipts
        .iter()
        .map(|r| {
            let file = r["file"].as_str().expect("a file").to_owned();
            (
                file,
                (
                    count(r, "rows_in"),
                    count(r, "loaded"),
                    count(r, "unchanged"),
                    count(r, "superseded"),
                    count(r, "quarantined"),
                ),
            )
        })
        .collect()
}

/// The contents of an export by person, disclosure ids and batches apart: what must be the same after any detour.
fn contents(export: &Path) -> BTreeMap<String, String> {
    let text = fs::read_to_string(export.join("histories.ndjson")).expect("an export");
    text.lines()
        .map(|line| {
            let line: Json = serde_json::from_str(line).expect("a line of JSON");
            (
                line["person_id"].as_str().expect("a person").to_owned(),
                line["content_digest"].as_str().expect("a digest").to_owned(),
            )
        })
        .collect()
}

#[test]
fn a_state_becomes_deliveries_and_every_disclosure_is_in_the_ledger() {
    let place = Place::new();
    place.generate(150);
    let world = place.path("world");
    let receipts = place.run(
        &[
            "intake",
            "load",
            text(&world.join("state/ct-organization")),
            text(&world.join("state/sasid-2.1x")),
            text(&world.join("state")),
        ],
        0,
    );
    for (file, (rows_in, loaded, unchanged, superseded, quarantined)) in counts(&receipts) {
        assert_eq!(rows_in, loaded + unchanged + superseded + quarantined, "{file}: the counts add up");
    }
    // The sandbox's stewards approved four agreements, two entries each.
    let mut received = 8;
    for consumer in ["cssd", "dcf", "education_unit"] {
        for roster in files(&world.join("rosters").join(consumer)) {
            let stem = roster.file_stem().and_then(|stem| stem.to_str()).expect("a name");
            let date = &stem[stem.len() - 10..];
            place.run(
                &["roster", "load", text(&roster), "--consumer", consumer, "--date", date],
                if place_refuses(&roster) { 3 } else { 0 },
            );
        }
        let out = place.path("out").join(consumer);
        let report =
            place.run(&["exchange", "run", "--consumer", consumer, "--date", "2026-11-20", "--out", text(&out)], 0);
        let report = report.last().expect("a report");
        for format in ["ndjson", "csv"] {
            let manifest: Json = serde_json::from_slice(
                &fs::read(out.join("2026-11-20").join(format).join("manifest.json")).expect("a manifest"),
            )
            .expect("JSON");
            received +=
                manifest["histories"].as_u64().expect("a count") + manifest["refused"].as_u64().expect("a count");
        }
        let pdfs = files(&out.join("2026-11-20/summaries"))
            .iter()
            .filter(|path| path.extension().is_some_and(|e| e == "pdf"))
            .count() as u64;
        assert_eq!(Some(pdfs), report["summaries"]["rendered"].as_u64(), "{consumer}: each summary is a file");
        received += pdfs + report["summaries"]["refused"].as_u64().expect("a count");
        // One completion for each format, one for summaries.
        received += 2 + u64::from(pdfs > 0);
        assert!(pdfs > 0 || consumer == "education_unit", "{consumer} has clients");
    }
    let verdict = place.run(&["ledger", "verify"], 0);
    assert_eq!(
        verdict.last().expect("a verdict")["entries"].as_u64(),
        Some(received),
        "what was received and what the ledger holds are one number"
    );

    // The same bytes again change nothing.
    let again = place.run(&["intake", "load", text(&world.join("state/sasid-2.1x"))], 0);
    assert!(again.iter().all(|receipt| receipt["seen_before"] == true));
}

/// Rosters of the invented state are clean.
fn place_refuses(_: &Path) -> bool {
    false
}

#[test]
fn a_kill_at_any_point_leaves_nothing_half_done() {
    let clean = Place::new();
    let killed = Place::new();
    clean.generate(60);
    killed.generate(60);
    let state = |place: &Place| place.path("world/state");
    let load = |place: &Place| {
        let state = state(place);
        place.run(
            &["intake", "load", text(&state.join("ct-organization")), text(&state.join("sasid-2.1x")), text(&state)],
            0,
        )
    };
    load(&clean);

    let mut passed = BTreeSet::new();
    let registrations = files(&state(&killed).join("sasid-2.1x"));
    let first = text(registrations.first().expect("registrations"));
    for point in ["intake.after_receive", "intake.before_commit", "intake.after_commit"] {
        killed.killed(point, &["intake", "load", first]);
        passed.insert(point);
    }
    load(&killed);

    let roster = |place: &Place| files(&place.path("world/rosters/dcf")).pop().expect("a roster");
    let roster_args =
        |path: &Path| ["roster", "load", text(path), "--consumer", "dcf", "--date", "2026-11-20"].map(str::to_owned);
    let run_roster = |place: &Place| {
        let path = roster(place);
        let args = roster_args(&path);
        place.run(&args.iter().map(String::as_str).collect::<Vec<_>>(), 0);
    };
    run_roster(&clean);
    let path = roster(&killed);
    for point in ["roster.before_commit", "roster.after_commit"] {
        let args = roster_args(&path);
        killed.killed(point, &args.iter().map(String::as_str).collect::<Vec<_>>());
        passed.insert(point);
    }
    run_roster(&killed);

    let exchange = |place: &Place| {
        ["exchange", "run", "--consumer", "dcf", "--date", "2026-11-20", "--out"]
            .map(str::to_owned)
            .into_iter()
            .chain([text(&place.path("out")).to_owned()])
            .collect::<Vec<String>>()
    };
    let borrowed = |args: &[String]| {
        args.iter().map(String::as_str).collect::<Vec<_>>().into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    let clean_args = borrowed(&exchange(&clean));
    clean.run(&clean_args.iter().map(String::as_str).collect::<Vec<_>>(), 0);
    let killed_args = borrowed(&exchange(&killed));
    let killed_args: Vec<&str> = killed_args.iter().map(String::as_str).collect();
    for point in [
        "disclose.after_decide",
        "disclose.before_record",
        "disclose.before_commit",
        "disclose.after_record",
        "deliver.before_rename",
        "deliver.after_rename",
        "ledger.after_sequence",
    ] {
        killed.killed(point, &killed_args);
        passed.insert(point);
    }
    killed.run(&killed_args, 0);

    let export = |place: &Place| contents(&place.path("out/2026-11-20/ndjson"));
    assert_eq!(export(&clean), export(&killed), "the detour leaves the same histories");
    let verdict = killed.run(&["ledger", "verify"], 0);
    assert!(verdict.last().expect("a verdict")["findings"].as_array().is_some_and(Vec::is_empty));
    // The points of an exchange that one process passes; the stream's own are killed in the API's tests.
    assert_eq!(passed.len(), 12, "killed at: {passed:?}");
}
