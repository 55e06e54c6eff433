//! Receipts of every layout's sample: they add up, a script that shares no code counts the same rows, what was wrong comes back corrected and
//! changes only itself, and the facts do not depend on which file came first.

use std::{fs, path::PathBuf, process::Command};

use chrono::{DateTime, TimeDelta, Utc};
use intake::{Layout, layouts, load::Counts};

use crate::world::{World, loaded_at};

/// The layouts of files that a state sends by themselves; a census set is read as a whole.
fn of_states() -> impl Iterator<Item = &'static Layout> {
    layouts::all().iter().filter(|layout| layout.sea != "sif")
}

fn sample(layout: &Layout) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../services/intake/layouts").join(&layout.sea);
    folder.join(format!("{}.sample", layout.id))
}

/// Rows of a file as the script counts them; `None` where there is no Python to run it.
fn recounted(layout: &Layout, path: &std::path::Path) -> Option<u64> {
    let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../deploy/recount");
    let found = Command::new("python3").arg(script).arg(&layout.id).arg(path).output().ok()?;
    assert!(found.status.success(), "{}: {}", layout.id, String::from_utf8_lossy(&found.stderr));
    let counts: serde_json::Map<String, serde_json::Value> = serde_json::from_slice(&found.stdout).unwrap();
    Some(counts.values().filter_map(serde_json::Value::as_u64).sum())
}

fn assert_adds_up(layout: &Layout, counts: &Counts) {
    let sum = counts.loaded + counts.unchanged + counts.superseded + counts.quarantined + counts.control;
    assert_eq!(counts.rows_in, sum, "{}", layout.id);
}

/// What holds now, whatever batch said it, as one number.
async fn digest(world: &World) -> i64 {
    world
        .count(
            "SELECT coalesce(sum(hashtextextended(concat_ws('|', p.sea, p.state_id, f.domain, f.kind, f.natural_key, f.valid_from, f.valid_to,
                f.school_year, f.lea, f.facility, f.certification, f.restriction, f.payload), 0) % 1000000007), 0)::bigint
            FROM history.fact AS f JOIN identity.source_person AS p USING (source_person_id) WHERE f.superseded_batch IS NULL",
        )
        .await
}

fn day(number: i64) -> DateTime<Utc> {
    loaded_at() + TimeDelta::days(number)
}

#[tokio::test]
async fn every_sample_has_a_receipt_that_adds_up_and_is_recounted() {
    let world = World::new(&[]).await;
    for (number, layout) in (1..).zip(of_states()) {
        let path = sample(layout);
        let bytes = fs::read(&path).unwrap();
        let receipt = world.load_bytes(&layout.id, &bytes, day(number)).await;
        assert!(receipt.refused.is_none(), "{}: {:?}", layout.id, receipt.refused);
        assert_adds_up(layout, &receipt.counts);
        if let Some(rows) = recounted(layout, &path) {
            assert_eq!(receipt.counts.rows_in, rows, "{}", layout.id);
        }
    }
    let before = digest(&world).await;
    for (number, layout) in (100..).zip(of_states()) {
        let again = world.load_bytes(&layout.id, &fs::read(sample(layout)).unwrap(), day(number)).await;
        assert!(again.seen_before, "{}", layout.id);
        assert_adds_up(layout, &again.counts);
    }
    assert_eq!(digest(&world).await, before, "loading twice changes nothing");
}

#[tokio::test]
async fn the_order_of_files_makes_no_difference() {
    // The two versions of the registration say different things about the same students: of those the later stands.
    let all: Vec<&Layout> = of_states().filter(|layout| layout.id != "sasid-2.1").collect();
    let turned: Vec<&Layout> = all.iter().rev().copied().collect();
    let (halves, rest) = all.split_at(all.len() / 2);
    let mixed: Vec<&Layout> = rest.iter().chain(halves).copied().collect();
    let mut digests = Vec::new();
    for order in [all, turned, mixed] {
        let world = World::new(&[]).await;
        for (number, layout) in (1..).zip(order) {
            world.load_bytes(&layout.id, &fs::read(sample(layout)).unwrap(), day(number)).await;
        }
        digests.push(digest(&world).await);
    }
    assert!(digests.iter().all(|one| *one == digests[0] && *one != 0), "{digests:?}");
}

#[tokio::test]
async fn a_corrected_file_changes_only_the_corrected_row() {
    let clean = World::new(&[]).await;
    let world = World::new(&[]).await;
    let mut corrected = 0;
    for (number, layout) in (1..).step_by(2).zip(of_states()) {
        let bytes = fs::read(sample(layout)).unwrap();
        let good = clean.load_bytes(&layout.id, &bytes, day(number)).await.counts;
        // A sign that is no digit, in the identifier of the last record.
        let last = bytes[..bytes.len() - 1].iter().rposition(|byte| *byte == b'\n').map_or(0, |feed| feed + 1);
        let person = layout.records[0].meaning.person.map(|place| last + layout.records[0].fields[place].span.start);
        let Some(at) = person.filter(|at| bytes.get(*at).is_some_and(u8::is_ascii_digit) && good.rows_in > 1) else {
            world.load_bytes(&layout.id, &bytes, day(number)).await;
            continue;
        };
        let mut bad = bytes.clone();
        bad[at] = b'?';
        let first = world.load_bytes(&layout.id, &bad, day(number)).await;
        assert_adds_up(layout, &first.counts);
        assert_eq!(first.counts.quarantined, 1, "{}: {:?}", layout.id, first.findings);
        assert!(first.refused.is_none(), "{}", layout.id);
        let second = world.load_bytes(&layout.id, &bytes, day(number + 1)).await;
        assert_adds_up(layout, &second.counts);
        assert_eq!(second.counts.quarantined, 0, "{}: {:?}", layout.id, second.findings);
        // None where another layout's sample has said the same.
        let changed = second.counts.loaded + second.counts.superseded;
        assert!(
            changed <= 1 && changed + second.counts.unchanged == good.rows_in,
            "{}: {:?}",
            layout.id,
            second.counts
        );
        assert_eq!(digest(&world).await, digest(&clean).await, "{}", layout.id);
        corrected += changed;
    }
    assert!(corrected >= 3, "{corrected}");
}
