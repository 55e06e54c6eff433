//! Packs are copies of facts, and nothing may be read in them that the facts would not give at that moment. Each test packs, changes something, and asks.

use chrono::TimeDelta;
use disclosure::DisclosedHistory;
use intake::restriction::Order;
use model::{Domain, Masked};
use tests::{moment, project_file};

use crate::world::{
    OTHER, Record, STUDENT, World, file_of, in_care, loaded_at, offense, reason, registration, sea, snapshot,
    supervised, with,
};

/// One student with a history, a client of DCF and of CSSD; another, of DCF.
async fn clients() -> World {
    let world = World::new(&["dcf", "cssd"]).await;
    world.load("sasid-2.1x", &[registration(STUDENT), registration(OTHER)], loaded_at()).await;
    world.load("ct-student", &[snapshot(STUDENT), snapshot(OTHER)], loaded_at()).await;
    world.load("ct-discipline", &[offense(STUDENT), offense(OTHER)], loaded_at()).await;
    let care = ["D1", "D2"].map(|person| in_care(person, "2026-10-01", ""));
    world.roster("dcf", "2026-11-19", &care, loaded_at()).await;
    world.roster("cssd", "2026-11-19", &[supervised("C1", "juvenile_justice", "pre_adjudication")], loaded_at()).await;
    for (who, person, sasid) in [("dcf", "D1", STUDENT), ("dcf", "D2", OTHER), ("cssd", "C1", STUDENT)] {
        world.link(who, person, sasid).await;
    }
    world
}

async fn pack(world: &World) -> u64 {
    intake::packs::refresh(&world.db.pool).await.unwrap()
}

const PACKS: &str = "SELECT count(*) FROM history.pack";

/// All that a client is told, lineage included, with the packs there are; held against what the facts alone tell. The packs stay.
async fn told(world: &World, who: &str, person: &str, days_ago: Option<i64>) -> DisclosedHistory {
    let as_of = days_ago.map(|days| moment() - TimeDelta::days(days));
    let told = world.ask_as_of(who, person, moment(), as_of).await.unwrap().history;
    world.force("CREATE TABLE public.kept AS TABLE history.pack; DELETE FROM history.pack").await;
    let plainly = world.ask_as_of(who, person, moment(), as_of).await.unwrap().history;
    world.force("INSERT INTO history.pack TABLE public.kept; DROP TABLE public.kept").await;
    assert_eq!(told.sections(), plainly.sections(), "{who} {person} {days_ago:?}");
    assert_eq!(told.content_digest(), plainly.content_digest());
    told
}

fn rows(history: &DisclosedHistory, domain: Domain) -> usize {
    history.find_section(domain).unwrap().rows.len()
}

#[tokio::test]
async fn packs_are_read_and_say_what_the_facts_say() {
    let world = clients().await;
    assert_eq!(world.count(PACKS).await, 0);
    assert_eq!((pack(&world).await, pack(&world).await), (2, 0), "what nothing has touched is not packed again");
    assert_eq!(world.count(PACKS).await, 6, "three domains of two students");
    for (who, person) in [("dcf", "D1"), ("dcf", "D2"), ("cssd", "C1")] {
        for days_ago in [None, Some(0), Some(5), Some(4_000)] {
            told(&world, who, person, days_ago).await;
        }
    }
    // Nobody else is packed, and a pack is what is read: one that says nothing tells nothing.
    world.load("ct-discipline", &[offense("9900000033")], moment() - TimeDelta::days(1)).await;
    assert_eq!(pack(&world).await, 0);
    world.force("UPDATE history.pack SET facts = '[]' WHERE domain = 6").await;
    let history = world.ask("dcf", "D1", moment()).await.unwrap().history;
    assert_eq!((rows(&history, Domain::Discipline), rows(&history, Domain::Enrollment)), (0, 1));
    world.force("UPDATE history.pack SET facts = '[[]]' WHERE domain = 6").await;
    let broken = world.ask("dcf", "D1", moment()).await;
    assert!(matches!(broken, Err(disclosure::Error::Corrupt(_))), "{broken:?}");
}

#[tokio::test]
async fn whatever_comes_after_a_pack_is_told_at_once() {
    let world = clients().await;
    pack(&world).await;
    let day = |days: i64| loaded_at() + TimeDelta::days(days);
    let later = [("fall_of_year", "2025"), ("snapshot_date", "2025-10-01"), ("grade_code", "10")];
    world.load("ct-student", &[with(&snapshot(STUDENT), &later)], day(1)).await;
    let history = told(&world, "dcf", "D1", None).await;
    let grade =
        history.find_section(Domain::Enrollment).unwrap().rows[0].find_text("last_grade_level").map(str::to_owned);
    assert_eq!(grade.as_deref(), Some("10"), "a new fact");
    assert_eq!(pack(&world).await, 1, "the other student's packs are fresh");
    told(&world, "dcf", "D1", None).await;
    // A later freeze that says the same changes nothing that a pack holds.
    pack(&world).await;
    world.load("ct-student", &[with(&snapshot(OTHER), &[("freeze_number", "2")])], day(1)).await;
    assert_eq!((pack(&world).await, world.count(PACKS).await), (0, 6));
    let longer = with(&offense(STUDENT), &[("days_sanctioned_primary", "9")]);
    world.load("ct-discipline", &[longer], day(2)).await;
    assert_eq!(world.count(&format!("{PACKS} WHERE domain = 6")).await, 1, "what it supersedes is packed no longer");
    let text = String::from_utf8(world.ask("dcf", "D1", moment()).await.unwrap().bytes.to_vec()).unwrap();
    assert!(text.contains("discipline_action_length=9"), "{text}");
    told(&world, "dcf", "D1", Some(5)).await;
}

#[tokio::test]
async fn nothing_that_was_expunged_restricted_or_sealed_is_read_in_a_pack() {
    let world = clients().await;
    let says = async |who: &str, person: &str, marker: &str| {
        let disclosed = world.ask(who, person, moment()).await.unwrap();
        String::from_utf8(disclosed.bytes.to_vec()).unwrap().contains(marker)
    };
    pack(&world).await;
    assert!(says("dcf", "D1", "H-2024-17").await && says("dcf", "D1", " resident_town=").await);
    // A preliminary row that is expunged becomes no current fact, and takes the certified one with it.
    let expunged = with(&offense(STUDENT), &[("expunged", "1"), ("certification_flag", "0")]);
    world.load("ct-discipline", &[expunged], loaded_at() + TimeDelta::days(1)).await;
    assert!(!says("dcf", "D1", "H-2024-17").await && !says("cssd", "C1", "H-2024-17").await);
    assert!(says("dcf", "D2", "H-2024-17").await);
    assert_eq!(pack(&world).await, 1);
    told(&world, "dcf", "D1", None).await;
    // An order about a domain is of its moment, and an order about contacts takes out where somebody lives.
    let zone =
        identity::roster::RosterLayout::parse(&project_file("deploy/consumers/dcf/roster.toml")).unwrap().time_zone;
    for (domain, number) in [(Domain::Contact, "O-1"), (Domain::Discipline, "O-2")] {
        let order = Order {
            sea: sea(),
            state_id: Masked::new(OTHER.to_owned()),
            kind: "confidential_address".to_owned(),
            domain: Some(domain),
            ordered_on: "2026-11-01".parse().unwrap(),
            order_number: number.to_owned(),
        };
        intake::restriction::restrict(&world.db.pool, &order, zone, "ann", loaded_at()).await.unwrap();
    }
    let history = told(&world, "dcf", "D2", None).await;
    assert_eq!(rows(&history, Domain::Discipline), 0);
    assert!(!says("dcf", "D2", " resident_town=").await);
    world
        .force(&format!(
            "INSERT INTO identity.restriction (source_person_id, kind, in_force, order_number, decided_by, recorded_at)
            SELECT p.source_person_id, 'sealed', tstzrange('{0}', NULL), 'O-3', 'ann', '{0}'
            FROM identity.source_person AS p WHERE p.state_id = '{STUDENT}'",
            moment()
        ))
        .await;
    assert!(reason(world.ask("dcf", "D1", moment()).await).is_about_the_student());
    // Marked or gone past the program, a fact takes its pack along.
    world.force("UPDATE history.fact SET restriction = 1 WHERE domain = 2").await;
    assert_eq!(world.count(&format!("{PACKS} WHERE domain = 2")).await, 0);
}

/// Files that say something new, correct, repeat, are preliminary or expunge, in random order, packed now and then.
#[tokio::test]
async fn packed_at_any_time_the_same_is_told() {
    const LIVES: u64 = 6;
    for seed in 0..LIVES {
        let world = clients().await;
        let mut state = seed;
        let mut below = |bound: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % bound
        };
        for day in 1..9 {
            let sasid = if below(3) == 0 { OTHER } else { STUDENT };
            let flag = if below(3) == 0 { "0" } else { "1" };
            let freeze = ["0", "1", "2"][below(3) as usize];
            let (layout, record): (&str, Record<'_>) = match below(4) {
                0 => (
                    "ct-student",
                    with(
                        &snapshot(sasid),
                        &[
                            ("meal_type", if below(2) == 0 { "P" } else { "F" }),
                            ("certification_flag", flag),
                            ("freeze_number", freeze),
                        ],
                    ),
                ),
                1 => {
                    ("ct-student", with(&snapshot(sasid), &[("fall_of_year", "2025"), ("snapshot_date", "2025-10-01")]))
                }
                2 => (
                    "ct-discipline",
                    with(&offense(sasid), &[("days_sanctioned_primary", "5"), ("certification_flag", flag)]),
                ),
                _ => ("ct-discipline", with(&offense(sasid), &[("expunged", if below(2) == 0 { "1" } else { "0" })])),
            };
            // What was expunged is not taken in again without its mark.
            world.load_bytes(layout, &file_of(layout, &[record]), loaded_at() + TimeDelta::days(day)).await;
            if below(2) == 0 {
                pack(&world).await;
            }
            for (who, person) in [("dcf", "D1"), ("dcf", "D2"), ("cssd", "C1")] {
                told(&world, who, person, None).await;
            }
            told(&world, "dcf", "D1", Some(below(20).cast_signed())).await;
        }
    }
}

/// What was known at a time is what a state would say that had been sent only the files that came by then: all of them are replayed, up to each.
#[tokio::test]
async fn as_of_a_time_a_state_says_what_one_would_that_was_sent_no_more() {
    let later = [("fall_of_year", "2025"), ("snapshot_date", "2025-10-01"), ("grade_code", "10")];
    let frozen = |number| {
        [("fall_of_year", "2025"), ("snapshot_date", "2025-10-01"), ("grade_code", "10"), ("freeze_number", number)]
    };
    let moved = [("fall_of_year", "2025"), ("snapshot_date", "2025-10-01"), ("facility_1_code", "0646411")];
    let files: Vec<(&str, Record<'_>)> = vec![
        ("ct-student", with(&snapshot(STUDENT), &later)),
        ("ct-discipline", with(&offense(STUDENT), &[("days_sanctioned_primary", "5"), ("certification_flag", "0")])),
        ("ct-student", with(&snapshot(STUDENT), &moved)),
        ("ct-discipline", with(&offense(STUDENT), &[("days_sanctioned_primary", "7")])),
        ("ct-student", with(&snapshot(OTHER), &later)),
        ("ct-student", with(&with(&snapshot(STUDENT), &frozen("2")), &[("meal_type", "P")])),
        ("ct-student", with(&with(&snapshot(STUDENT), &frozen("1")), &[("meal_type", "R")])),
        ("ct-student", with(&snapshot(OTHER), &frozen("1"))),
    ];
    let day = |place: usize| loaded_at() + TimeDelta::days(place as i64);
    let whole = clients().await;
    for (place, (layout, record)) in files.iter().enumerate() {
        whole.load(layout, std::slice::from_ref(record), day(place + 1)).await;
    }
    pack(&whole).await;
    let mut digests = std::collections::BTreeSet::new();
    for sent in 0..=files.len() {
        let part = clients().await;
        for (place, (layout, record)) in files.iter().enumerate().take(sent) {
            part.load(layout, std::slice::from_ref(record), day(place + 1)).await;
        }
        let at = Some(day(sent) + TimeDelta::hours(1));
        for (who, person) in [("dcf", "D1"), ("dcf", "D2"), ("cssd", "C1")] {
            let then = whole.ask_as_of(who, person, moment(), at).await.unwrap().history;
            let replayed = part.ask_as_of(who, person, moment(), at).await.unwrap().history;
            assert_eq!(then.content_digest(), replayed.content_digest(), "{who} {person} after {sent} files");
            digests.insert(*then.content_digest());
        }
    }
    assert!(digests.len() > 6, "{} contents: too few to mean anything", digests.len());
}
