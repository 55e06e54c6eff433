//! Nights that the program runs by itself while it serves.

use std::{
    fs,
    path::Path,
    time::{Duration, Instant},
};

use crate::{
    leaves::{BUNDLED, begin, roster},
    nights::set_time,
    place::{Place, json, text, word},
    receiver::Server,
};

/// Serves until a file is there, and for so long at least.
fn serve_until(place: &Place, file: Option<&Path>, environment: &[(&str, &str)]) {
    let server = Server::start(place, environment);
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(file.map_or(8, |_| 120)) && file.is_none_or(|file| !file.exists()) {
        std::thread::sleep(Duration::from_millis(100));
    }
    assert!(file.is_none_or(Path::exists), "what was waited for did not come");
    if environment.is_empty() {
        // What it says of the night's end stands in the database a moment after the report.
        std::thread::sleep(Duration::from_secs(2));
        server.stop();
    } else {
        server.died();
    }
}

#[test]
fn nights_are_run_when_they_are_due_and_an_operator_can_stop_them_and_see_why() {
    let place = begin(BUNDLED);
    let config = place.path("data/config.toml");
    let text_of = fs::read_to_string(&config).expect("a configuration");
    fs::write(&config, format!("{text_of}\n[nights.cssd]\nat = \"07:00\"\n")).expect("a configuration");
    roster(&place, "2030-01-02", "");
    let ask = |what: &str, more: &[&str], code: i32| {
        place.run(&[&["exchange", what], more].concat(), code).last().cloned().unwrap_or_default()
    };
    let cssd = ["--consumer", "cssd"];
    let plan = ask("plan", &cssd, 0);
    assert_eq!((word(&plan, "bundle"), &plan["already_delivered"]), ("CMIS", &false.into()), "{plan}");
    // It is noon in Greenwich and seven in the morning in Connecticut: due to the minute. Stopped, nothing runs.
    ask("pause", &[&cssd[..], &["--by", "ann", "--reason", "a question is open"]].concat(), 0);
    serve_until(&place, None, &[]);
    let report = place.report("cssd", "2030-01-02");
    assert!(!report.exists());
    let why = ask("explain", &cssd, 0);
    let words = why["words"].to_string();
    assert!(words.contains("it was due on") && words.contains("ann stopped it"), "{words}");
    ask("resume", &cssd, 0);

    // Killed in the middle: the lease runs out, and it is taken again.
    set_time(&place, "2030-01-02T12:10:00Z");
    serve_until(&place, None, &[("THROUGHLINE_CRASH_AT", "deliver.before_rename:6")]);
    assert!(!report.exists());
    assert_eq!(word(&ask("status", &[], 0)["job"], "state"), "running");
    set_time(&place, "2030-01-02T12:20:00Z");
    assert_eq!(ask("status", &[], 3)["alarm"], "whoever was at it has stopped saying so");
    serve_until(&place, Some(&place.path("out/cssd/2030-01-02/report.json")), &[]);
    assert_eq!(word(&json(&report), "state"), "delivered");
    let job = &ask("status", &[], 0)["job"];
    assert_eq!((word(job, "state"), &job["attempts"], word(job, "said")), ("done", &2.into(), "delivered"), "{job}");
    let plan = ask("plan", &cssd, 0);
    assert_eq!((&plan["clients"], &plan["already_delivered"]), (&2.into(), &true.into()), "{plan}");
    let bundle = place.path("out/cssd/2030-01-02/bundle/CMIS-2030-01-02.zip");
    let before = fs::read(&bundle).expect("a bundle");
    // Two nights later: one run, of the last.
    set_time(&place, "2030-01-04T12:30:00Z");
    serve_until(&place, Some(&place.path("out/cssd/2030-01-04/report.json")), &[]);
    assert!(!place.path("out/cssd/2030-01-03").exists());
    assert!(fs::read(&bundle).expect("a bundle") == before, "{}", text(&bundle));
}
