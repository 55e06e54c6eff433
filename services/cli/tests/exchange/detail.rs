//! What the ledger says of persons ends with its time, day by day while the program serves: not before the education record it is about, and every proof
//! stands.

use std::{
    fs,
    time::{Duration, Instant},
};

use serde_json::Value as Json;

use crate::{
    erase::Server as Database,
    nights::set_time,
    place::{Place, text, word},
    receiver::{Server, ask},
    records::prepare,
};

const JOB: &str = "erasure of personal detail";

/// How many entries still say that they are about a client of DCF's.
fn said(place: &Place, client: &str) -> String {
    let mut database = Database::start(place);
    let counted =
        database.query(&format!("SELECT count(*) FROM ledger.detail WHERE authority = 'client {client}'")).remove(0);
    database.stop();
    counted
}

/// The refusals of which the auditors' record names a client, as it is written out now.
fn recorded(place: &Place, clients: &[&str]) -> Vec<String> {
    let mut database = Database::start(place);
    let ids = database.query("SELECT entry_id::text FROM ledger.entry WHERE kind = 'refusal' ORDER BY decided_at");
    database.stop();
    let mut named = Vec::new();
    for id in ids {
        let out = place.path("record.csv");
        place.run(&["ledger", "disclosures", "--request", &id, "--out", text(&out)], 0);
        let record = fs::read_to_string(&out).expect("a record");
        assert!(record.contains(&id), "the refusal itself stays on record");
        named.extend(clients.iter().filter(|client| record.contains(**client)).map(|client| (*client).to_owned()));
    }
    named
}

fn refused(place: &Place, client: &str) {
    let server = Server::start(place, &[]);
    let (code, _) = ask(&server, "dcf", client).expect_err("nobody's client");
    assert_eq!(code, tonic::Code::PermissionDenied);
    server.stop();
}

/// Serves until the day's erasure is done, and gives the job.
fn serve_through(place: &Place, day: &str) -> Json {
    let begun = Instant::now();
    loop {
        let server = Server::start(place, &[]);
        std::thread::sleep(Duration::from_secs(3));
        server.stop();
        let jobs = place.run(&["exchange", "status"], 0);
        let job = jobs.into_iter().map(|line| line["job"].clone()).find(|job| job["name"] == JOB && job["day"] == day);
        if let Some(job) = job.filter(|job| job["state"] == "done") {
            return job;
        }
        assert!(begun.elapsed() < Duration::from_mins(3), "the erasure of {day} was not done");
    }
}

#[test]
fn personal_detail_goes_when_its_time_is_over_and_proofs_stay() {
    let place = Place::new();
    prepare(&place);
    refused(&place, "NOBODY-OLD");
    assert_eq!(place.run(&["retention", "detail"], 0)[0]["erased"], 0, "nothing is old");
    set_time(&place, "2030-06-01T12:00:00Z");
    refused(&place, "NOBODY-YOUNG");
    assert!((said(&place, "NOBODY-OLD"), said(&place, "NOBODY-YOUNG")) == ("1".into(), "1".into()));
    let both = ["NOBODY-OLD", "NOBODY-YOUNG"];
    assert_eq!(recorded(&place, &both), both);

    // Five years later: never, where that is said; and on the day's schedule where nothing is.
    set_time(&place, "2032-06-01T12:00:00Z");
    let config = place.path("data/config.toml");
    let settings = fs::read_to_string(&config).expect("a configuration");
    fs::write(&config, format!("{settings}\n[ledger]\ndetail_days = \"never\"\n")).expect("a configuration");
    assert!(place.run(&["retention", "detail"], 0).is_empty());
    assert_eq!(said(&place, "NOBODY-OLD"), "1");
    fs::write(&config, settings).expect("a configuration");
    let job = serve_through(&place, "2032-06-01");
    let words = word(&job, "said");
    assert!(words.starts_with("personal detail of 1 entries before 2027-06-01 destroyed"), "{words}");

    // Gone from the database and from the record that auditors export; what is younger stays, and so does what is said of children whose records are kept.
    assert!((said(&place, "NOBODY-OLD"), said(&place, "NOBODY-YOUNG")) == ("0".into(), "1".into()));
    assert_eq!(recorded(&place, &both), ["NOBODY-YOUNG"]);
    let mut database = Database::start(&place);
    let disclosed = "SELECT count(*) FROM ledger.entry AS e WHERE e.kind = 'disclosure'";
    let kept = format!("{disclosed} AND EXISTS (SELECT FROM ledger.detail AS d WHERE d.entry_id = e.entry_id)");
    assert_eq!(database.query(disclosed), database.query(&kept));
    // That it happened is an entry of its own, which names nobody; the tree verifies, in the database and from the files.
    let entries =
        "SELECT e.counted::text || ' ' || d.authority FROM ledger.entry AS e JOIN ledger.detail AS d USING (entry_id)
        WHERE e.kind = 'erasure' AND e.reason = 'retention'";
    assert_eq!(database.query(entries), ["1 retention of personal detail: before 2027-06-01"]);
    database.stop();
    place.run(&["ledger", "verify"], 0);
    place.ledger();

    // Whoever operates it asks about it, stops it and lets it go on like a night.
    let explained = place.run(&["exchange", "explain", "--detail", "--date", "2032-06-01"], 0).remove(0);
    assert_eq!(explained["job"]["state"], "done", "{explained}");
    assert!(explained["words"][0].as_str().is_some_and(|words| words.starts_with("it was due on 2032-06-01")));
    place.run(&["exchange", "pause", "--detail", "--by", "dana", "--reason", "an inquiry"], 0);
    let explained = place.run(&["exchange", "explain", "--detail"], 0).remove(0);
    assert!(explained["words"][1].as_str().is_some_and(|words| words.starts_with("dana stopped it")), "{explained}");
    place.run(&["exchange", "resume", "--detail"], 0);
    place.run(&["exchange", "retry", "--detail"], 1);
    place.run(&["exchange", "pause", "--by", "dana", "--reason", "of nothing"], 2);

    // The next day there is nothing left to do, and nothing is entered.
    set_time(&place, "2032-06-02T12:00:00Z");
    let again = place.run(&["retention", "detail"], 0).remove(0);
    assert_eq!(again["erased"], 0, "{again}");
    assert!(again["kept"].as_u64().is_some_and(|kept| kept > 0), "{again}");
    let mut database = Database::start(&place);
    assert_eq!(database.query(entries).len(), 1);
    database.stop();
}
