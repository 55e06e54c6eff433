//! Orders that open records, and what recipients must destroy, under a clock that the test sets.

use std::fs;

use serde_json::Value as Json;

use crate::{
    erase::{DCF_HEADER, OTHER, state},
    place::{Place, text},
};

/// Sets the sandbox's clock ahead.
fn set_time(place: &Place, at: &str) {
    fs::create_dir_all(place.path("data")).expect("a folder");
    fs::write(place.path("data/sandbox-time"), at).expect("a file");
}

fn load(place: &Place) {
    let files = state(place);
    let paths: Vec<&str> = files.iter().map(|path| text(path)).collect();
    place.run(&[&["intake", "load"], &paths[..]].concat(), 0);
}

/// Takes a roster of one row and runs the night; gives how many histories were delivered.
fn night(place: &Place, consumer: &str, day: &str, roster: &str) -> u64 {
    let path = place.path(&format!("{consumer}-{day}.csv"));
    fs::write(&path, roster).expect("a roster");
    place.run(&["roster", "load", text(&path), "--consumer", consumer, "--date", day], 0);
    let report = place.run(&["exchange", "run", "--consumer", consumer, "--date", day], 0);
    report.last().expect("a report")["files"]["histories"].as_u64().expect("a count")
}

const CSSD_HEADER: &str = "ClientPIN,LastName,FirstName,MiddleName,Suffix,DOB,Sex,Race,TownName,ZipCode,SASID,CaseType,\
SupervisionStartDate,SupervisionEndDate,OfficePIN,CaseOwner,OrderNumber,LegalBasis,LegalStatus";

#[test]
fn an_order_opens_records_until_it_ends() {
    let place = Place::new();
    set_time(&place, "2030-01-02T12:00:00Z");
    load(&place);
    let roster = format!(
        "{CSSD_HEADER}\nC1,Quince,Ambrosia,,,2011-03-04,F,,Hartford,06103,{OTHER},JUV,2029-10-01,,O1,P1,,juvenile_justice,adjudicated\n"
    );
    assert_eq!(night(&place, "cssd", "2030-01-02", &roster), 0, "after adjudication nothing is disclosed");
    // The clock of each command begins anew: the agreement is in force since a moment later than that.
    set_time(&place, "2030-01-02T13:00:00Z");
    let asked = place.run(
        &[
            "break-glass",
            "request",
            "--consumer",
            "cssd",
            "--client",
            "C1",
            "--kind",
            "court_order",
            "--order",
            "J-30-7",
            "--reason",
            "hearing",
            "--until",
            "2030-01-03T20:00:00Z",
        ],
        0,
    );
    let request = asked[0]["request"].as_str().expect("a digest").to_owned();
    place.run(&["break-glass", "open", &request], 0);
    place.run(&["break-glass", "open", &request], 1);
    set_time(&place, "2030-01-03T12:00:00Z");
    assert_eq!(night(&place, "cssd", "2030-01-03", &roster), 1, "the order opens the records");
    let waiting = place.run(&["break-glass", "list", "--waiting"], 3);
    assert_eq!(
        (waiting.len(), &waiting[0]["open"], &waiting[0]["order"]),
        (1, &Json::Bool(true), &Json::from("J-30-7"))
    );
    assert_eq!(fs::read_dir(place.path("data/notices")).expect("notices").count(), 1);
    set_time(&place, "2030-01-04T12:00:00Z");
    assert_eq!(night(&place, "cssd", "2030-01-04", &roster), 0, "it has ended by itself");
    let opener = ["break-glass", "review", &request[..12], "--found", "in order"];
    place.run(&[&opener[..], &["--by", "sandbox_steward_1"]].concat(), 1);
    place.run(&opener, 0);
    place.run(&["break-glass", "list", "--waiting"], 0);
    let all = place.run(&["break-glass", "list"], 0);
    assert_eq!((&all[0]["open"], &all[0]["review"]["by"]), (&Json::Bool(false), &Json::from("sandbox_steward_2")));
    place.run(&["ledger", "verify"], 0);
}

#[test]
fn what_is_held_past_its_time_is_overdue_until_it_is_attested() {
    let place = Place::new();
    set_time(&place, "2030-01-02T12:00:00Z");
    load(&place);
    let roster = |end: &str| {
        format!(
            "{DCF_HEADER}\nD8,Quince,Ambrosia,,,2011-03-04,F,,Hartford,06103,{OTHER},E2,2029-01-01,{end},,Hartford,1,W1\n"
        )
    };
    assert_eq!(night(&place, "dcf", "2030-01-02", &roster("")), 1);
    let due = |code| place.run(&["retention", "due", "--consumer", "dcf"], code);
    assert!(due(0).is_empty(), "authority goes on");
    set_time(&place, "2030-01-12T12:00:00Z");
    assert_eq!(night(&place, "dcf", "2030-01-12", &roster("2030-01-10")), 0);
    let found = due(0);
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(
        (&found[0]["client"], &found[0]["cause"], &found[0]["overdue"]),
        (&Json::from("D8"), &Json::from("authority_ended"), &Json::Bool(false))
    );
    let day = |name: &str| found[0][name].as_str().expect("a day").parse::<chrono::NaiveDate>().expect("a day");
    let last_day: chrono::NaiveDate = "2030-01-10".parse().expect("a day");
    let terms = agreements::parse(include_str!("../../../../deploy/consumers/dcf/agreement.toml"))
        .expect("the shipped agreement");
    assert_eq!((day("destroy_by") - last_day).num_days(), i64::from(terms.retention.days));
    assert_eq!((day("attest_by") - day("destroy_by")).num_days(), i64::from(terms.retention.attest_within_days));
    place.run(&["retention", "overdue"], 0);
    let late = day("attest_by") + chrono::Days::new(1);
    set_time(&place, &format!("{late}T17:00:00Z"));
    assert_eq!(place.run(&["retention", "overdue", "--consumer", "dcf"], 3).len(), 1);
    let attest = |day: &str, code| {
        let paper = ["--method", "deleted", "--attested-by", "records officer", "--reference", "DCF-30-1"];
        place.run(
            &[&["retention", "attest", "--consumer", "dcf", "--client", "D8", "--destroyed-on", day], &paper[..]]
                .concat(),
            code,
        )
    };
    attest("2099-01-01", 1);
    attest("2030-01-01", 0);
    assert_eq!(place.run(&["retention", "overdue"], 3).len(), 1, "what was disclosed after that day is still held");
    attest(&late.to_string(), 0);
    place.run(&["retention", "overdue"], 0);
    assert!(due(0).is_empty());
    place.run(&["ledger", "verify"], 0);
}

#[test]
fn a_witness_cosigns_a_log_that_only_grows() {
    let place = Place::new();
    load(&place);
    let witness = |place: &Place, log: &str, code| {
        let log = place.path(log);
        let (key, state) = (log.join("log-key.txt"), place.path("witness"));
        let args = [
            "ledger",
            "witness",
            "--tiles",
            text(&log),
            "--log-key",
            text(&key),
            "--state",
            text(&state),
            "--name",
            "witness.test/dcf",
        ];
        place.run(&args, code)
    };
    let publish = |log: &str| place.run(&["ledger", "export", "--out", text(&place.path(log))], 0);
    publish("tiles");
    witness(&place, "tiles", 0);
    witness(&place, "tiles", 0);
    place.run(&["db", "backup", "--out", text(&place.path("backup"))], 0);
    let out = place.path("own");
    place.run(&["feed", "export", "--consumer", "sea", "--format", "ndjson", "--out", text(&out)], 0);
    publish("tiles");
    let grown = witness(&place, "tiles", 0);
    let (seen, key) = (place.path("witness/checkpoint"), place.path("witness/witness-key.txt"));
    let verify = ["ledger", "verify", "--checkpoint", text(&seen), "--witness", text(&key)];
    place.run(&verify, 0);
    let bare = place.path("tiles/checkpoint");
    place.run(&["ledger", "verify", "--checkpoint", text(&bare), "--witness", text(&key)], 3);

    // The database as it was before: the witness does not cosign it, and its last checkpoint shows what is missing.
    place.run(&["db", "restore", "--from", text(&place.path("backup"))], 0);
    publish("restored");
    let refused = witness(&place, "restored", 3);
    assert!(refused[0]["refused"].as_str().expect("words").contains("rolled back"), "{refused:?}");
    place.run(&verify, 3);

    // Nothing is disclosed until a steward has looked; the agencies wait for rosters beyond that.
    place.run(&["db", "unseal", "--no-checkpoint", "--reason", "a restore that is tried out"], 3);
    // It goes on from there until it has as many entries as were seen: another log under the same key.
    for round in 0.. {
        let out = place.path(&format!("own-{round}"));
        place.run(&["feed", "export", "--consumer", "sea", "--format", "ndjson", "--out", text(&out)], 0);
        publish("restored");
        let refused = witness(&place, "restored", 3);
        let words = refused[0]["refused"].as_str().expect("words").to_owned();
        assert!(round < 10 && grown[0]["cosigned"].is_u64(), "{words}");
        if words.contains("forked") {
            break;
        }
    }
    place.run(&verify, 3);
}
