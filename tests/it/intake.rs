//! Files into the store: counts add up, nothing is half-loaded, and the bytes as received can be had back.

use std::io::Read as _;

use agreements::Reason;
use chrono::TimeDelta;
use intake::load::{Counts, Limits};
use pg::Role;
use sqlx::{Executor as _, Row as _};
use tests::moment;

use crate::world::{
    OTHER, STUDENT, World, file_of, in_care, loaded_at, offense, reason, registration, sea, snapshot, with,
};

fn adds_up(counts: &Counts) -> bool {
    counts.rows_in == counts.loaded + counts.unchanged + counts.superseded + counts.quarantined + counts.control
}

#[tokio::test]
async fn the_same_bytes_twice_change_nothing() {
    let world = World::new(&[]).await;
    let bytes = file_of("sasid-2.1x", &[registration(STUDENT), registration(OTHER)]);
    let first = world.load_bytes("sasid-2.1x", &bytes, loaded_at()).await;
    assert_eq!((first.counts.rows_in, first.counts.loaded, first.seen_before), (2, 2, false), "{:?}", first.findings);
    assert!(adds_up(&first.counts));
    let facts = world.count("SELECT count(*) FROM history.fact").await;
    assert!(facts >= 4, "a registration says who and where");
    let again = world.load_bytes("sasid-2.1x", &bytes, loaded_at() + TimeDelta::days(1)).await;
    assert_eq!((again.batch, again.seen_before), (first.batch, true));
    assert!(adds_up(&again.counts));
    assert_eq!(world.count("SELECT count(*) FROM history.fact").await, facts);
    assert_eq!(world.count("SELECT count(*) FROM intake.batch").await, 1);
}

#[tokio::test]
async fn a_corrected_file_supersedes_only_what_changed() {
    let world = World::new(&[]).await;
    world.load("ct-discipline", &[offense(STUDENT), offense(OTHER)], loaded_at()).await;
    let corrected = with(&offense(OTHER), &[("days_sanctioned_primary", "3")]);
    let later = loaded_at() + TimeDelta::days(1);
    let receipt = world.load("ct-discipline", &[offense(STUDENT), corrected], later).await;
    assert_eq!((receipt.counts.unchanged, receipt.counts.superseded, receipt.counts.loaded), (1, 1, 0));
    assert!(adds_up(&receipt.counts));
    assert_eq!(world.count("SELECT count(*) FROM history.fact WHERE superseded_batch IS NULL").await, 2);
    let sql = format!("SELECT count(*) FROM history.fact WHERE superseded_batch = {}", receipt.batch.0);
    assert_eq!(world.count(&sql).await, 1);
    let touched = format!("SELECT count(*) FROM history.touched WHERE batch_id = {}", receipt.batch.0);
    assert_eq!(world.count(&touched).await, 1, "a nightly run looks at whom the batch changed");
}

#[tokio::test]
async fn a_preliminary_record_never_displaces_a_certified_one() {
    let world = World::new(&[]).await;
    world.load("ct-discipline", &[offense(STUDENT)], loaded_at()).await;
    let preliminary = with(&offense(STUDENT), &[("certification_flag", "0"), ("days_sanctioned_primary", "9")]);
    let receipt = world.load("ct-discipline", &[preliminary], loaded_at() + TimeDelta::days(1)).await;
    assert!(adds_up(&receipt.counts));
    assert!(receipt.findings.iter().any(|f| f.rule == "certification.preliminary_after_certified"));
    let current = "SELECT (payload ->> 'discipline_action_length')::numeric::bigint FROM history.fact WHERE superseded_batch IS NULL";
    assert_eq!(world.count(current).await, 2);
    assert_eq!(world.count("SELECT count(*) FROM history.fact").await, 2, "both are kept");
}

#[tokio::test]
async fn an_expunged_record_takes_its_earlier_versions_with_it() {
    let world = World::new(&[]).await;
    let expunged = with(&offense(STUDENT), &[("expunged", "1")]);
    let preliminary = with(&offense(OTHER), &[("expunged", "1"), ("certification_flag", "0")]);
    world.load("ct-discipline", &[offense(STUDENT), offense(OTHER)], loaded_at()).await;
    assert_eq!(world.count("SELECT count(*) FROM history.fact WHERE restriction = 0").await, 2);
    world.load("ct-discipline", &[expunged, preliminary], loaded_at() + TimeDelta::days(1)).await;
    assert_eq!(world.count("SELECT count(*) FROM history.fact WHERE restriction = 0").await, 0);
    // An older extract, or a correction by somebody who does not know, brings nothing back.
    let changed = with(&offense(OTHER), &[("incident_date", "2024-09-12")]);
    for (day, records) in [(2, [offense(STUDENT), changed.clone()]), (3, [changed, offense(STUDENT)])] {
        let bytes = file_of("ct-discipline", &records);
        let receipt = world.load_bytes("ct-discipline", &bytes, loaded_at() + TimeDelta::days(day)).await;
        assert!(receipt.findings.iter().all(|finding| finding.rule == "record.expunged"), "{:?}", receipt.findings);
        assert_eq!((receipt.findings.len(), receipt.counts.quarantined), (2, 2));
        assert_eq!(world.count("SELECT count(*) FROM history.fact WHERE restriction = 0").await, 0);
    }
}

#[tokio::test]
async fn an_expunged_record_that_comes_before_the_record_itself_keeps_it_out() {
    let world = World::new(&[]).await;
    let expunged = with(&offense(STUDENT), &[("expunged", "1")]);
    world.load("ct-discipline", &[expunged], loaded_at()).await;
    let bytes = file_of("ct-discipline", &[offense(STUDENT)]);
    let receipt = world.load_bytes("ct-discipline", &bytes, loaded_at() + TimeDelta::days(1)).await;
    assert_eq!(receipt.findings.iter().filter(|finding| finding.rule == "record.expunged").count(), 1);
    assert_eq!(world.count("SELECT count(*) FROM history.fact WHERE restriction = 0").await, 0);
}

#[tokio::test]
async fn a_bad_file_is_refused_whole_and_entered_with_its_findings() {
    let world = World::new(&[]).await;
    let bad = with(&offense(OTHER), &[("incident_date", "2024-02-31")]);
    let bytes = file_of("ct-discipline", &[offense(STUDENT), bad.clone(), bad]);
    let receipt = world.load_bytes("ct-discipline", &bytes, loaded_at()).await;
    assert!(receipt.refused.is_some() && !receipt.findings.is_empty());
    assert!(adds_up(&receipt.counts), "{:?}", receipt.counts);
    assert_eq!((receipt.counts.quarantined, receipt.counts.rows_in), (3, 3), "nothing of it is kept");
    for empty in ["history.fact", "history.batch", "identity.source_person", "identity.student"] {
        assert_eq!(world.count(&format!("SELECT count(*) FROM {empty}")).await, 0, "{empty}");
    }
    let entered = "SELECT count(*) FROM intake.batch WHERE state = 'refused' AND refused_reason IS NOT NULL";
    assert_eq!(world.count(entered).await, 1);
    let findings = i64::try_from(receipt.findings.len()).unwrap();
    assert_eq!(world.count("SELECT count(*) FROM intake.finding").await, findings);
    // Refused bytes may come again: they are judged again, not passed over.
    let again = world.load_bytes("ct-discipline", &bytes, loaded_at()).await;
    assert!(again.refused.is_some() && !again.seen_before);
}

#[tokio::test]
async fn many_findings_are_put_aside_and_none_is_lost() {
    let few = Limits { findings_at_hand_max: 3, chunk_rows: 2, ..Limits::default() };
    for (limits, quarantined_share_max) in [(few, 0.2), (few, 1.0), (Limits { findings_max: 8, ..few }, 1.0)] {
        let world = World::new(&[]).await;
        let bad = with(&offense(STUDENT), &[("incident_date", "2024-02-31")]);
        let rows: Vec<_> = (0..12).map(|number| if number == 5 { offense(STUDENT) } else { bad.clone() }).collect();
        let limits = Limits { quarantined_share_max, ..limits };
        let receipt = world.load_within("ct-discipline", &file_of("ct-discipline", &rows), loaded_at(), &limits).await;
        assert!(adds_up(&receipt.counts) && receipt.refused.is_some() == (quarantined_share_max < 1.0));
        assert_eq!(receipt.findings.len(), 3, "as many as stay in memory");
        let found: Vec<_> = receipt.found.read().map(|finding| finding.unwrap()).collect();
        assert_eq!(found[..3], receipt.findings[..]);
        let of_rows: Vec<u32> = found.iter().filter(|one| one.line > 0).map(|one| one.line).collect();
        let lines: Vec<u32> = (1..=13).filter(|line| of_rows.contains(line)).collect();
        assert_eq!(of_rows, lines, "in the order of the file, each row once");
        assert_eq!(of_rows.len(), if limits.findings_max == 8 { 8 } else { 11 });
        let said =
            found.iter().any(|one| one.rule == "findings.limit" && one.message.starts_with("3 further findings"));
        assert_eq!((receipt.findings_dropped, said), if of_rows.len() == 8 { (3, true) } else { (0, false) });
        // The database has the same ones, in their order.
        let mut conn = world.db.superuser().await;
        let kept = conn.fetch_all("SELECT line, rule FROM intake.finding ORDER BY finding").await.unwrap();
        let kept: Vec<(i32, String)> = kept.iter().map(|row| (row.get(0), row.get(1))).collect();
        let found: Vec<(i32, String)> = found.into_iter().map(|one| (one.line.cast_signed(), one.rule)).collect();
        assert_eq!(kept, found);
        assert_eq!(
            std::fs::read_dir(world.folder.path()).unwrap().count(),
            1,
            "nothing is left beside the file itself"
        );
    }
}

#[tokio::test]
async fn rows_are_written_as_they_stand_however_few_fit_a_chunk() {
    let rows: Vec<_> = [STUDENT, OTHER].iter().flat_map(|who| [registration(who), registration(who)]).collect();
    let bytes = file_of("sasid-2.1x", &rows);
    let mut loaded = Vec::new();
    for chunk_bytes in [1, 700, 1 << 20] {
        let world = World::new(&[]).await;
        let limits = Limits { chunk_bytes, ..Limits::default() };
        let receipt = world.load_within("sasid-2.1x", &bytes, loaded_at(), &limits).await;
        assert!(adds_up(&receipt.counts) && receipt.refused.is_none(), "{:?}", receipt.findings);
        loaded.push((receipt.counts, receipt.found.len(), world.count("SELECT count(*) FROM history.fact").await));
    }
    assert!(loaded[0].0.rows_in == 4 && loaded.iter().all(|one| *one == loaded[0]), "{loaded:?}");
}

#[tokio::test]
async fn one_bad_row_is_quarantined_and_says_nothing_about_its_file() {
    let world = World::new(&[]).await;
    let bad = with(&offense(STUDENT), &[("incident_date", "2024-02-31")]);
    let receipt = world.load_bytes("ct-discipline", &file_of("ct-discipline", &[bad]), loaded_at()).await;
    assert_eq!((receipt.counts.rows_in, receipt.counts.quarantined, &receipt.refused), (1, 1, &None));
    assert!(adds_up(&receipt.counts));
}

#[tokio::test]
async fn the_file_can_be_had_back_byte_for_byte() {
    let world = World::new(&[]).await;
    let bytes = file_of("ct-discipline", &[offense(STUDENT), offense(OTHER)]);
    let limits = Limits { raw_block_bytes: 100, ..Limits::default() };
    let receipt = world.load_within("ct-discipline", &bytes, loaded_at(), &limits).await;
    let mut conn = world.db.superuser().await;
    let rows = conn.fetch_all("SELECT bytes FROM intake.raw_block ORDER BY batch_id, block").await.unwrap();
    assert_eq!(rows.len(), bytes.len().div_ceil(100));
    let stored: Vec<u8> = rows.iter().flat_map(|row| row.get::<Vec<u8>, _>(0)).collect();
    let mut unpacked = Vec::new();
    flate2::read::MultiGzDecoder::new(stored.as_slice()).read_to_end(&mut unpacked).unwrap();
    assert_eq!(unpacked, bytes);
    assert_eq!(receipt.size_bytes, bytes.len() as u64);
}

#[tokio::test]
async fn a_record_about_nobody_known_waits_in_quarantine() {
    let world = World::new(&[]).await;
    // Ed-Fi records refer to students; here a reader of the test's own gives two such items.
    world.load("sasid-2.1x", &[registration(STUDENT)], loaded_at()).await;
    let receipt = world.load_items(vec![refers_to(STUDENT, 1), refers_to(OTHER, 2)], 0.9).await;
    assert_eq!((receipt.counts.rows_in, receipt.counts.loaded, receipt.counts.quarantined), (2, 1, 1));
    assert!(receipt.findings.iter().any(|f| f.rule == "person.unknown" && f.line == 2));
    assert_eq!(world.count("SELECT count(*) FROM intake.quarantine WHERE line = 2 AND raw = 'as received'").await, 1);
    assert_eq!(world.count("SELECT count(*) FROM identity.source_person").await, 1);
}

#[tokio::test]
async fn one_file_may_correct_itself() {
    for chunk_rows in [1, 4_000] {
        let world = World::new(&[]).await;
        let changed = with(&snapshot(STUDENT), &[("meal_type", "R")]);
        let limits = Limits { chunk_rows, ..Limits::default() };
        let bytes = file_of("ct-student", &[snapshot(STUDENT), changed]);
        let receipt = world.load_within("ct-student", &bytes, loaded_at(), &limits).await;
        assert!(adds_up(&receipt.counts) && receipt.refused.is_none(), "{:?}", receipt.findings);
        let current = "SELECT count(*) FROM history.fact WHERE domain = 2 AND superseded_batch IS NULL";
        assert_eq!(world.count(current).await, 1, "whatever the size of chunks, one fact is current under a key");
        assert_eq!(world.count("SELECT count(*) FROM history.touched").await, 1, "and its student is touched once");
    }
}

#[tokio::test]
async fn what_a_file_withdraws_and_tells_again_is_current_once() {
    let told = |line| match refers_to(STUDENT, line) {
        intake::Item::Person { line, record_type, state_id, claimed_birth_date, facts, raw, findings, .. } => {
            intake::Item::Person {
                line,
                record_type,
                state_id,
                claimed_birth_date,
                facts,
                introduces: true,
                raw,
                findings,
            }
        }
        other => other,
    };
    let withdrawn = |line| match refers_to(STUDENT, line) {
        intake::Item::Person { line, record_type, state_id, facts, .. } => {
            intake::Item::Retracted { line, record_type, state_id, facts }
        }
        other => other,
    };
    let world = World::new(&[]).await;
    let receipt = world.load_items(vec![told(1), withdrawn(2), told(3), told(4)], 0.9).await;
    assert!(adds_up(&receipt.counts) && receipt.refused.is_none(), "{:?}", receipt.findings);
    assert_eq!((receipt.counts.loaded, receipt.counts.superseded, receipt.counts.unchanged), (2, 1, 1));
    assert_eq!(world.count("SELECT count(*) FROM history.fact").await, 2);
    assert_eq!(world.count("SELECT count(*) FROM history.fact WHERE superseded_batch IS NULL AND line = 3").await, 1);
}

/// The layout's own sample: records of ten kinds about two invented students.
const LOUISIANA: &str = include_str!("../../services/intake/layouts/la/la-sis.sample");

#[tokio::test]
async fn louisianas_records_become_facts_of_their_domains() {
    use model::Domain;
    let world = World::new(&[]).await;
    let first = world.load_bytes("la-sis", LOUISIANA.as_bytes(), loaded_at()).await;
    let rows = LOUISIANA.lines().count() as u64;
    assert_eq!((first.counts.rows_in, first.counts.loaded), (rows, rows), "{:?}", first.findings);
    assert!(first.refused.is_none() && first.findings.is_empty());
    let of_kind = |code: &str| LOUISIANA.lines().filter(|line| line.get(6..9) == Some(code)).count() as i64;
    for (domain, kind, expect) in [
        (Domain::Enrollment, "association", of_kind("040")),
        (Domain::Attendance, "year", of_kind("040")),
        (Domain::Program, "participation", of_kind("050")),
        (Domain::Discipline, "incident", of_kind("091")),
        (Domain::Discipline, "action", of_kind("092")),
        (Domain::Course, "section", of_kind("110")),
        (Domain::SpecialEducation, "section_504", of_kind("130")),
        // Two screenings, one of them with 27 entry measures and the other with their exception, and two assessments.
        (Domain::Literacy, "screening", of_kind("140") + of_kind("141") + 28),
    ] {
        let sql = format!("SELECT count(*) FROM history.fact WHERE domain = {} AND kind = '{kind}'", domain.code());
        assert_eq!(world.count(&sql).await, expect, "{domain} {kind}");
    }
    let of_students = "SELECT count(*) FROM identity.person_fact WHERE kind = 'collection'";
    assert_eq!(world.count(of_students).await, of_kind("010") + of_kind("120"));
    let elsewhere = "SELECT count(*) FROM identity.source_person WHERE sea <> 'la'";
    assert_eq!(world.count(elsewhere).await, 0);
}

#[tokio::test]
async fn a_corrected_louisiana_file_changes_only_the_corrected_row() {
    let world = World::new(&[]).await;
    // One action without the start date that goes with its return date.
    let bad = LOUISIANA.replacen("1003201810082018", "        10082018", 1);
    let first = world.load_bytes("la-sis", bad.as_bytes(), loaded_at()).await;
    let rows = LOUISIANA.lines().count() as u64;
    assert_eq!((first.counts.loaded, first.counts.quarantined), (rows - 1, 1), "{:?}", first.findings);
    let rules: Vec<&str> = first.findings.iter().map(|found| found.rule.as_str()).collect();
    assert_eq!(rules, ["field.required_when"]);
    let corrected = LOUISIANA.replacen("T9Y0012", "T9Y0013", 1);
    assert_ne!(corrected, LOUISIANA);
    let again = world.load_bytes("la-sis", corrected.as_bytes(), loaded_at() + TimeDelta::days(1)).await;
    assert!(adds_up(&again.counts));
    assert_eq!((again.counts.loaded, again.counts.superseded, again.counts.unchanged), (1, 1, rows - 2));
}

fn refers_to(state_id: &str, line: u32) -> intake::Item {
    use model::{Domain, Masked, SchoolYear};
    let mut builder = domains::FactBuilder::new(Domain::Attendance, "year", line);
    builder.lea("064").facility("0646311").school_year(SchoolYear(2024));
    intake::Item::Person {
        line,
        record_type: "record".into(),
        state_id: Masked::new(state_id.to_owned()),
        claimed_birth_date: None,
        facts: vec![builder.build().unwrap()],
        introduces: false,
        raw: Masked::new(b"as received".to_vec()),
        findings: Vec::new(),
    }
}

#[tokio::test]
async fn two_people_under_one_identifier_are_found_and_both_kept() {
    let world = World::new(&[]).await;
    let stranger = with(
        &registration(STUDENT),
        &[
            ("last_name", "Medlar"),
            ("first_name", "Tobias"),
            ("birth_date", "11212007"),
            ("reporting_district", "043"),
            ("facility_code_1", "0436211"),
        ],
    );
    let married = with(
        &registration(OTHER),
        &[("last_name", "Medlar"), ("reporting_district", "043"), ("facility_code_1", "0436211")],
    );
    let found = |receipt: &intake::load::Receipt| {
        let of_rule = receipt.findings.iter().filter(|finding| finding.rule == "person.two_under_one_identifier");
        of_rule.map(|finding| (finding.line, finding.field.clone().unwrap_or_default())).collect::<Vec<_>>()
    };
    // In one file, and in a later one.
    let receipt =
        world.load("sasid-2.1x", &[registration(STUDENT), registration(OTHER), stranger, married], loaded_at()).await;
    assert_eq!(found(&receipt), [(3, "first_name, last_name, birth_date".to_owned())]);
    assert_eq!((receipt.counts.loaded, receipt.counts.quarantined), (4, 0));
    let third = with(&snapshot(STUDENT), &[("last_name", "Sorrel"), ("first_name", "Edith")]);
    let receipt = world.load("ct-student", &[third], loaded_at() + TimeDelta::days(1)).await;
    assert_eq!(found(&receipt), [(2, "first_name, last_name".to_owned())]);
    for finding in &receipt.findings {
        assert!(!["Sorrel", "Edith", "Quince", "Medlar"].iter().any(|name| finding.message.contains(name)));
    }
    let names = "SELECT count(DISTINCT payload ->> 'last_surname') FROM history.fact WHERE domain = 1 AND superseded_batch IS NULL";
    assert_eq!(world.count(names).await, 3);
}

#[tokio::test]
async fn whoever_may_be_two_children_is_released_to_nobody_until_a_steward_settles_it() {
    let world = World::new(&["dcf", "sea"]).await;
    let elsewhere = [("reporting_district", "043"), ("facility_code_1", "0436211")];
    let twin = with(&with(&registration(STUDENT), &elsewhere), &[("first_name", "Edith")]);
    let nickname = with(&with(&registration(OTHER), &elsewhere), &[("first_name", "Ambrosiana")]);
    let records = [registration(STUDENT), registration(OTHER), twin, nickname];
    let receipt = world.load("sasid-2.1x", &records, loaded_at()).await;
    let found: Vec<(u32, &str, Option<&str>)> =
        receipt.findings.iter().map(|one| (one.line, one.rule.as_str(), one.field.as_deref())).collect();
    assert_eq!(found, [(3, "person.twins_under_one_identifier", Some("first_name"))]);
    assert!(!receipt.findings[0].message.contains("Edith") && receipt.counts.loaded == 4);

    world
        .roster("dcf", "2026-11-16", &[in_care("D1", "2026-10-01", ""), in_care("D2", "2026-10-01", "")], loaded_at())
        .await;
    world.link("dcf", "D1", STUDENT).await;
    world.link("dcf", "D2", OTHER).await;
    assert_eq!(reason(world.ask("dcf", "D1", moment()).await), Reason::NotAClient);
    world.ask("dcf", "D2", moment()).await.unwrap();
    let settled = pg::run_tx(&world.db.pool, "tests.settle", Role::Identity, |tx| {
        Box::pin(async move {
            let doubts = identity::persons::list_doubts(tx, 9).await?;
            assert_eq!((doubts.len(), doubts[0].clients), (1, 1));
            assert!(doubts[0].raised_by.ends_with("line 3"));
            let id = model::Masked::new(STUDENT.to_owned());
            let (person, _) = identity::crosswalk::find(tx, &sea(), &id).await?.expect("known");
            let at = loaded_at() + TimeDelta::hours(1);
            let settled = identity::persons::settle(tx, person, ("ann", "the school has put it right"), at).await?;
            Ok::<_, disclosure::Error>((settled, identity::persons::list_doubts(tx, 9).await?.len()))
        })
    })
    .await
    .unwrap();
    assert_eq!(settled, (true, 0));
    world.ask("dcf", "D1", moment()).await.unwrap();
}

/// Whichever way two names come to stand under one identifier: in one chunk, in two, beside a row that an earlier file had, or each said before.
#[tokio::test]
async fn twins_under_one_identifier_are_found_across_chunks_and_beside_rows_known_before() {
    let elsewhere = [("reporting_district", "043"), ("facility_code_1", "0436211")];
    let one = registration(STUDENT);
    let twin = with(&with(&registration(STUDENT), &elsewhere), &[("first_name", "Edith")]);
    let between = registration(OTHER);
    let doubts = "SELECT count(*) FROM identity.restriction WHERE kind = 'doubtful_identity' AND upper_inf(in_force)";
    let file = [one.clone(), between.clone(), twin.clone()];
    // Files before it, rows of a chunk, and whether there was a doubt before the file itself.
    for (before, chunk_rows) in [
        (vec![], 4_000),
        (vec![], 1),
        (vec![vec![one.clone()]], 1),
        (vec![vec![one.clone()]], 4_000),
        (vec![vec![twin.clone()]], 1),
        (vec![vec![one.clone()], vec![twin.clone()]], 1),
        (vec![vec![one.clone()], vec![twin.clone()]], 4_000),
    ] {
        let world = World::new(&["sea"]).await;
        let limits = Limits { chunk_rows, ..Limits::default() };
        let files = before.len();
        for (day, rows) in (0..).zip(&before) {
            world.load("sasid-2.1x", rows, loaded_at() + TimeDelta::days(day)).await;
        }
        assert_eq!(world.count(doubts).await, 0, "a child may be renamed between two files");
        let bytes = file_of("sasid-2.1x", &file);
        let receipt = world.load_within("sasid-2.1x", &bytes, loaded_at() + TimeDelta::days(9), &limits).await;
        let rules: Vec<&str> = receipt.findings.iter().map(|finding| finding.rule.as_str()).collect();
        assert_eq!(rules, ["person.twins_under_one_identifier"], "{files} files before, {chunk_rows} rows a chunk");
        assert_eq!(world.count(doubts).await, 1, "{files} files before, {chunk_rows} rows a chunk");
    }
}
