//! The record of disclosures by student, school and request, as each audience may have it, through the program.

use std::fs;

use serde_json::Value as Json;

use crate::{
    erase::{DCF_HEADER, OTHER, Server, state},
    place::{Place, said, text},
};

const NIGHT: &str = "2026-11-20";

/// Two children of one school, disclosed to DCF in a night; the order about a third who is not reported is nobody's.
pub fn prepare(place: &Place) {
    let files = state(place);
    let paths: Vec<&str> = files.iter().map(|path| text(path)).collect();
    place.run(&[&["intake", "load"], &paths[..]].concat(), 0);
    let roster = place.path("roster.csv");
    let row = |key: &str, name: &str, born: &str, id: &str| {
        format!("{key},{name},,,{born},F,,Hartford,06103,{id},E{key},2026-01-01,,,Hartford,1,W1\n")
    };
    let rows = row("D7", "Qyzzleworth,Xanthwick", "2010-07-17", "9907070717")
        + &row("D8", "Quince,Ambrosia", "2011-03-04", OTHER);
    fs::write(&roster, format!("{DCF_HEADER}\n{rows}")).expect("a roster");
    place.run(&["roster", "load", text(&roster), "--consumer", "dcf", "--date", NIGHT], 0);
    place.run(&["exchange", "run", "--consumer", "dcf", "--date", NIGHT], 0);
}

/// A record as JSON.
fn record(place: &Place, of: &[&str], code: i32) -> Vec<Json> {
    let args = [&["ledger", "disclosures", "--format", "json"][..], of].concat();
    let done = place.command(&args).output().expect("the program runs");
    assert_eq!(done.status.code(), Some(code), "{of:?}: {}", said(&done));
    if done.stdout.is_empty() {
        return Vec::new();
    }
    let read: Json = serde_json::from_slice(&done.stdout).expect("JSON");
    read.as_array().expect("entries").clone()
}

fn students(rows: &[Json]) -> Vec<String> {
    let mut named: Vec<String> = rows.iter().filter_map(|row| row["student"].as_str()).map(str::to_owned).collect();
    named.sort();
    named.dedup();
    named
}

#[test]
fn a_record_is_asked_for_by_student_school_and_request_and_each_asking_is_an_entry() {
    let place = Place::new();
    prepare(&place);
    let mut server = Server::start(&place);
    let asked = "SELECT count(*) FROM ledger.entry AS e JOIN ledger.detail AS d ON d.entry_id = e.entry_id
        WHERE e.kind = 'access' AND d.authority LIKE 'record of disclosures of %'";
    let run = server.query(
        "SELECT run_id::text FROM ledger.entry WHERE kind = 'disclosure' GROUP BY run_id ORDER BY count(*) DESC, 1 LIMIT 1",
    );
    let one =
        server.query("SELECT student_id::text FROM ledger.detail WHERE student_id IS NOT NULL ORDER BY 1 LIMIT 1");
    let disclosed = server.query(
        "SELECT count(*) FROM ledger.entry AS e JOIN ledger.detail AS d ON d.entry_id = e.entry_id WHERE e.kind = 'disclosure'",
    );
    let (run, one) = (run[0].as_str(), one[0].as_str());

    // By school, by its own code or the district's: both children, and everything about them.
    for code in ["ct:0646311", "ct:064"] {
        let rows = record(&place, &["--school", code], 0);
        assert_eq!(students(&rows).len(), 2, "{code}");
        let count = rows.iter().filter(|row| row["kind"] == "disclosure").count();
        assert_eq!(count.to_string(), disclosed[0], "{code}");
        assert!(rows.windows(2).all(|pair| pair[0]["date_time"].as_str() <= pair[1]["date_time"].as_str()));
    }
    assert!(record(&place, &["--school", "ct:9999999"], 0).is_empty(), "nobody was reported there");
    assert!(record(&place, &["--school", "la:0646311"], 0).is_empty(), "another state's code");
    // What they have in common.
    let both = record(&place, &["--school", "ct:0646311", "--student", one], 0);
    assert_eq!(students(&both), [one]);
    // By request: a run, one disclosure by its code.
    let of_run = record(&place, &["--request", run], 0);
    assert!(students(&of_run).len() == 2 && of_run.iter().any(|row| row["kind"] == "completion"), "{of_run:?}");
    let first = of_run.iter().find(|row| row["kind"] == "disclosure").expect("a disclosure");
    let id = first["entry_id"].as_str().expect("an id");
    let of_one = record(&place, &["--request", id], 0);
    assert!(of_one.len() == 1 && of_one[0]["entry_id"] == id);
    assert!(record(&place, &["--request", run, "--from", "2031-01-01"], 0).is_empty());
    // By what two stewards approved.
    let asked_for =
        ["break-glass", "request", "--consumer", "cssd", "--client", "C7", "--kind", "court_order", "--order", "J-1"];
    let more = ["--reason", "hearing", "--until", "2036-01-01T00:00:00Z"];
    let digest = place.run(&[&asked_for[..], &more].concat(), 0)[0]["request"].as_str().expect("a digest").to_owned();
    let approvals = record(&place, &["--request", &digest], 0);
    assert!(approvals.len() == 2 && approvals.iter().all(|row| row["kind"] == "approval"), "{approvals:?}");

    // Others than auditors. A family's copy is about its child, a district's of a school passes a steward and holds nothing of DCF's.
    for audience in ["parent", "eligible_student"] {
        assert!(record(&place, &["--request", run, "--audience", audience], 1).is_empty());
        assert!(record(&place, &["--school", "ct:064", "--audience", audience], 1).is_empty());
    }
    assert!(record(&place, &["--request", run, "--audience", "district"], 1).is_empty());
    assert!(record(&place, &["--school", "ct:064", "--audience", "district"], 3).is_empty());
    let released = record(&place, &["--school", "ct:064", "--audience", "district", "--release"], 0);
    assert!(released.is_empty(), "the agreement tells a district nothing");
    // A parent's copy waits, and names no person, when it is released.
    assert!(record(&place, &["--student", one, "--request", run, "--audience", "parent"], 3).is_empty());
    let copy = record(&place, &["--student", one, "--request", run, "--audience", "parent", "--release"], 0);
    assert!(students(&copy) == [one] && copy.iter().all(|row| row["person"].is_null() && row["authority"].is_null()));

    // Each asking that was answered or kept back is an entry, and names what was asked for; what cannot be asked is none.
    assert_eq!(server.query(asked), ["13"]);
    let words = server.query("SELECT authority FROM ledger.detail WHERE authority LIKE 'record of disclosures of school%' ORDER BY 1 LIMIT 1");
    assert_eq!(words, ["record of disclosures of school ct:064 for auditor"]);
    for format in ["csv", "html", "pdf"] {
        let out = place.path(&format!("record.{format}"));
        place.run(&["ledger", "disclosures", "--school", "ct:064", "--format", format, "--out", text(&out)], 0);
        let bytes = fs::read(&out).expect("a record");
        match format {
            "csv" => {
                let read = String::from_utf8(bytes).expect("text");
                assert!(read.lines().next().is_some_and(|head| head.ends_with(",student")) && read.contains(one));
            }
            "html" => assert!(String::from_utf8(bytes).expect("text").contains("Of: school ct:064.")),
            _ => assert!(bytes.starts_with(b"%PDF-")),
        }
    }

    // Whoever is under seal is in no list of a school.
    let order = place.path("orders.ndjson");
    let line = "{\"sasid\":\"9907070717\",\"kind\":\"sealed\",\"domain\":null,\"order_number\":\"S-1\",\"ordered_on\":\"2026-01-05\"}\n";
    fs::write(&order, line).expect("a file");
    place.run(&["identity", "restrict", "--in", text(&order)], 0);
    assert_eq!(students(&record(&place, &["--school", "ct:064"], 0)).len(), 1);
    server.stop();
    place.run(&["ledger", "verify"], 0);
}
