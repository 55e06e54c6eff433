//! The log as partners see it: checkpoint and tiles by HTTPS GET, verified, witnessed, and read by a program that shares no code with this one.

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

use crate::{
    erase::state,
    place::{Place, program, said, text},
    receiver::Server,
};

/// Loads a state and exports it often enough that the log grows.
fn grow(place: &Place, name: &str) {
    let out = place.path(name);
    place.run(&["feed", "export", "--consumer", "sea", "--format", "ndjson", "--out", text(&out)], 0);
}

/// A command of a partner, who has no data folder.
fn partner(args: &[&str]) -> Output {
    program().args(args).output().expect("the program runs")
}

fn check(output: &Output, code: i32, words: &str) {
    assert_eq!(output.status.code(), Some(code), "{}", said(output));
    assert!(said(output).contains(words), "{words}: {}", said(output));
}

#[test]
fn partners_verify_and_witness_the_served_log() {
    let place = Place::new();
    let files = state(&place);
    let paths: Vec<&str> = files.iter().map(|path| text(path)).collect();
    place.run(&[&["intake", "load"], &paths[..]].concat(), 0);
    grow(&place, "first");
    let exported = place.path("exported");
    place.run(&["ledger", "export", "--out", text(&exported)], 0);
    let (key, kept) = (exported.join("log-key.txt"), exported.join("checkpoint"));
    let server = Server::start(&place, &[]);
    let (log, ca) = (server.log.clone(), server.certificates.join("ca.pem"));
    let at = ["--tiles", &log, "--ca", text(&ca), "--log-key", text(&key)];
    let verify = |more: &[&str]| partner(&[&["ledger", "verify"], &at[..], more].concat());
    check(&verify(&["--checkpoint", text(&kept)]), 0, "ledger content");
    // Another authority vouches for somebody else.
    let stranger = server.certificates.join("stranger.pem");
    let other = partner(&["ledger", "verify", "--tiles", &log, "--ca", text(&stranger), "--log-key", text(&key)]);
    check(&other, 1, "cannot be trusted");
    check(
        &partner(&["ledger", "verify", "--tiles", "http://localhost:1", "--log-key", text(&key)]),
        1,
        "by https only",
    );
    let memory = place.path("witness");
    let witness = || {
        let own = ["--state", text(&memory), "--name", "witness.example/dcf"];
        partner(&[&["ledger", "witness"], &at[..], &own].concat())
    };
    check(&witness(), 0, "cosigned");
    check_python(&log, &[("--log-key", &*key), ("--checkpoint", &*kept)], Some(&ca), 0);
    server.stop();

    // The log signs with another key: who knows the first one comes to it by the log itself.
    place.run(&["ledger", "rotate-key", "--reason", "once a year"], 0);
    grow(&place, "second");
    place.run(&["ledger", "verify", "--checkpoint", text(&kept)], 0);
    let moved = place.path("moved");
    place.run(&["ledger", "export", "--out", text(&moved)], 0);
    assert_eq!(fs::read(moved.join("log-key.txt")).expect("a key"), fs::read(&key).expect("a key"), "the first one");
    let of_folder = || partner(&["ledger", "verify", "--tiles", text(&moved), "--log-key", text(&key)]);
    check(&of_folder(), 0, "ledger content");
    fs::remove_file(moved.join("keys/001")).expect("a note");
    check(&of_folder(), 3, "cannot be trusted");
    let server = Server::start(&place, &[]);
    let at = ["--tiles", &server.log, "--ca", text(&ca), "--log-key", text(&key)];
    let again = || {
        let own = ["--state", text(&memory), "--name", "witness.example/dcf"];
        partner(&[&["ledger", "witness"], &at[..], &own].concat())
    };
    check(&again(), 0, "cosigned");
    check_python(&server.log, &[("--log-key", &*key), ("--checkpoint", &*kept)], Some(&ca), 0);
    // Whoever demands the witness's word gets it from what the witness remembers.
    let seen = ["--checkpoint", text(&memory.join("checkpoint")), "--witness", text(&memory.join("witness-key.txt"))]
        .map(str::to_owned);
    let seen: Vec<&str> = seen.iter().map(String::as_str).collect();
    check(&partner(&[&["ledger", "verify"], &at[..], &seen].concat()), 0, "ledger content");
    let witness_key = memory.join("witness-key.txt");
    let cosigned = |checkpoint: &Path, code| {
        let papers = [("--log-key", &*key), ("--checkpoint", checkpoint), ("--witness", &*witness_key)];
        check_python(&server.log, &papers, Some(&ca), code);
    };
    cosigned(&memory.join("checkpoint"), 0);
    cosigned(&kept, 3);
    // A log that holds less than was seen is not cosigned, wherever it is published.
    let fresh = Place::new();
    fresh.run(&["ledger", "export", "--out", text(&fresh.path("exported"))], 0);
    let foreign = partner(&[
        "ledger",
        "verify",
        "--tiles",
        &server.log,
        "--ca",
        text(&ca),
        "--log-key",
        text(&fresh.path("exported/log-key.txt")),
    ]);
    check(&foreign, 3, "cannot be trusted");
    server.stop();
}

/// Runs the example verifier on a log, in a folder or at an address, with papers by their flags; where a Python with the package it needs is installed.
pub fn check_python(log: &str, papers: &[(&str, &Path)], ca: Option<&Path>, code: i32) {
    let has_package = |python: &&str| {
        let asked = Command::new(python).args(["-c", "import cryptography"]).output();
        asked.is_ok_and(|output| output.status.success())
    };
    let Some(python) = ["python3", "/usr/bin/python3"].iter().copied().find(has_package) else { return };
    let verifier = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/examples/python/verify_ledger.py");
    assert!(fs::exists(&verifier).expect("a folder"), "the example is there");
    let mut command = Command::new(python);
    command.arg(verifier).arg(log);
    for (flag, paper) in papers {
        command.arg(flag).arg(paper);
    }
    if let Some(ca) = ca {
        command.env("SSL_CERT_FILE", ca);
    }
    let output = command.output().expect("Python runs");
    assert_eq!(output.status.code(), Some(code), "{}", said(&output));
}
