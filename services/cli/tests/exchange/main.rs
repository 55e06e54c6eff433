//! The program itself, from files to deliveries: on an invented state, with the real database, killed where it hurts most.

mod detail;
mod erase;
mod faults;
mod formats;
mod kills;
mod leaves;
mod lineage;
mod monitored;
mod nights;
mod orders;
mod papers;
mod place;
mod placed;
mod published;
mod pull;
mod receipts;
mod receiver;
mod records;
mod refused;
mod schedule;
mod sealed;
mod seals;
mod tampering;
mod truth;

use std::collections::BTreeMap;

use serde_json::Value as Json;

use place::{Night, Place, files, text};
use receiver::receive;

/// The sandbox's two stewards approve each of the five agreements, and each approval is an entry.
const APPROVALS: u64 = 10;

/// Where authority ended with a roster, the head of the control journal is an entry.
fn noted(place: &Place) -> u64 {
    let mut server = erase::Server::start(place);
    let noted = server.query("SELECT count(*) FROM ledger.entry WHERE kind = 'act' AND reason = 'control_journal'");
    server.stop();
    noted[0].parse().expect("a count")
}

type Counts = (u64, u64, u64, u64, u64);

/// The counts of each file's receipt: rows in, loaded, unchanged, superseded, quarantined.
fn counts(receipts: &[Json]) -> BTreeMap<String, Counts> {
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
    let mut received = APPROVALS;
    for consumer in ["cssd", "dcf", "education_unit"] {
        for roster in files(&world.join("rosters").join(consumer)) {
            let stem = roster.file_stem().and_then(|stem| stem.to_str()).expect("a name");
            let date = &stem[stem.len() - 10..];
            place.run(&["roster", "load", text(&roster), "--consumer", consumer, "--date", date], 0);
        }
        let out = place.path("out").join(consumer);
        place.run(&["exchange", "run", "--consumer", consumer, "--date", "2026-11-20", "--out", text(&out)], 0);
        let night = Night::open(&out.join("2026-11-20"), &place.report(consumer, "2026-11-20"));
        assert!(!night.documents.is_empty() || consumer == "education_unit", "{consumer} has clients");
        received += night.entries;
        if !night.histories.is_empty() {
            // Two runs of the stream, each with its completion and its refusals, and one client asked for.
            let (receiver, _) = receive(&place, consumer, &[]);
            assert_eq!(receiver.histories, night.histories, "{consumer}: stream and file hold the same");
            received += receiver.messages + 2 * (1 + night.refused);
        }
    }
    received += noted(&place);
    let entries = place.ledger().len() as u64;
    assert_eq!(
        entries, received,
        "what was received, counted by the receivers, and what the ledger holds are one number"
    );

    papers::hold(&place, &place.path("out/dcf/2026-11-20/summaries"));

    // The same bytes again change nothing.
    let again = place.run(&["intake", "load", text(&world.join("state/sasid-2.1x"))], 0);
    assert!(again.iter().all(|receipt| receipt["seen_before"] == true));
}
