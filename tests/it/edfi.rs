//! Ed-Fi files into the store: receipts add up to what the files hold, and facts do not depend on the order of deliveries.

use std::{
    collections::BTreeMap,
    io::Read as _,
    ops::ControlFlow,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use chrono::{DateTime, TimeDelta, Utc};
use intake::{
    Item,
    edfi::{Config, DeliveredFile, Interchange, Packing, read_control, read_file, recognise},
    load::{Context, Limits, LoadFile, Receipt, described, load},
};
use model::FixedClock;
use sqlx::{Executor as _, Row as _};

use crate::world::{World, loaded_at, sea};

/// Small chunks, so that what belongs together meets in the database. The fixtures hold bad records on purpose: their files stand.
const CHUNK_ROWS: usize = 3;

pub async fn load_file(world: &World, file: DeliveredFile, when: DateTime<Utc>) -> Receipt {
    load_within(world, file, when, &Limits { chunk_rows: CHUNK_ROWS, quarantined_share_max: 0.9, ..Limits::default() })
        .await
}

async fn load_within(world: &World, file: DeliveredFile, when: DateTime<Utc>, limits: &Limits) -> Receipt {
    let clock = FixedClock(when);
    let context = Context {
        pool: &world.db.pool,
        clock: &clock,
        entropy: &world.entropy,
        tombstones: &crate::world::tombstones(),
        limits,
        scratch: world.folder.path(),
        progress: &|_| {},
    };
    let config = Config::default();
    let index = Arc::new(Mutex::new(described(context, &sea(), &config).await.unwrap()));
    let path = file.path.clone();
    let load_file = LoadFile {
        sea: sea(),
        path: path.clone(),
        name: path.file_name().unwrap().to_string_lossy().into_owned(),
        layout: format!("edfi/{:?}", file.interchange),
        produce: Arc::new(move |sink: &mut dyn FnMut(Item) -> ControlFlow<()>| {
            read_file(&file, &mut index.lock().unwrap(), &config, sink).map(|_| ())
        }),
        is_referred_to: false,
    };
    load(context, &load_file).await.unwrap()
}

/// A file that nobody lists.
pub fn alone(path: PathBuf) -> DeliveredFile {
    let first = std::fs::read(&path).unwrap();
    let interchange = recognise(&first).map_or(Interchange::Other, |found| found.interchange);
    DeliveredFile { line: 0, interchange, version: None, path, packing: Packing::Plain, md5: None }
}

/// A path of the project.
fn project_file_path(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}

pub fn fixture(name: &str) -> PathBuf {
    project_file_path("services/intake/fixtures/edfi").join(name)
}

/// Counts the records of a file by its text alone: elements that stand directly in the root, or in an Action in it.
fn recount(path: &Path) -> u64 {
    let mut text = String::new();
    let bytes = std::fs::read(path).unwrap();
    if path.extension().is_some_and(|extension| extension == "gz") {
        flate2::read::MultiGzDecoder::new(bytes.as_slice()).read_to_string(&mut text).unwrap();
    } else {
        text = String::from_utf8(bytes).unwrap();
    }
    let (mut depth, mut records, mut in_action) = (0_u32, 0, false);
    let mut rest = text.as_str();
    while let Some(at) = rest.find('<') {
        rest = &rest[at..];
        let end = if rest.starts_with("<!--") { rest.find("-->").unwrap() + 3 } else { rest.find('>').unwrap() + 1 };
        let (tag, after) = rest.split_at(end);
        rest = after;
        if tag.starts_with("<?") || tag.starts_with("<!") {
            continue;
        }
        if tag.starts_with("</") {
            depth -= 1;
            in_action &= depth > 1;
            continue;
        }
        if depth == 1 && tag.starts_with("<Action") {
            in_action = true;
        } else if depth == 1 || (in_action && depth == 2) {
            records += 1;
        }
        depth += u32::from(!tag.ends_with("/>"));
    }
    records
}

fn assert_adds_up(receipt: &Receipt, path: &Path) {
    let c = &receipt.counts;
    assert_eq!(receipt.refused, None, "{}: {:?}", receipt.file, receipt.findings);
    assert_eq!(c.rows_in, c.loaded + c.unchanged + c.superseded + c.quarantined + c.control, "{}", receipt.file);
    assert_eq!(c.rows_in, recount(path), "{}: as many rows as the file has records", receipt.file);
}

/// What is current, in words: person, domain, kind, place and payload.
pub async fn current(world: &World) -> Vec<String> {
    let sql = "SELECT concat_ws(' ', p.state_id, f.domain, f.kind, f.lea, f.facility, f.natural_key::text, f.payload) \
        FROM history.fact AS f JOIN identity.source_person AS p USING (source_person_id) WHERE f.superseded_batch IS NULL";
    let rows = world.db.superuser().await.fetch_all(sql).await.unwrap();
    let mut facts: Vec<String> = rows.iter().map(|row| row.get::<String, _>(0)).collect();
    facts.sort();
    facts
}

const FILES: [&str; 9] = [
    "first/Organization.xml",
    "first/Calendar.xml",
    "first/Schedule.xml",
    "first/StudentParent.xml",
    "first/Discipline.xml",
    "first/Attendance.xml",
    "first/Program.xml",
    "first/Enrollment.xml",
    "first/Grades.xml",
];

#[tokio::test]
async fn a_receipt_has_as_many_rows_as_its_file_and_they_add_up() {
    let world = World::new(&[]).await;
    for name in FILES {
        let receipt = load_file(&world, alone(fixture(name)), loaded_at()).await;
        assert_adds_up(&receipt, &fixture(name));
    }
    let facts = current(&world).await;
    for name in FILES {
        let again = load_file(&world, alone(fixture(name)), loaded_at() + TimeDelta::days(1)).await;
        assert!(again.seen_before);
    }
    assert_eq!(current(&world).await, facts, "loading twice changes nothing");
}

#[tokio::test]
async fn facts_do_not_depend_on_the_order_of_the_files() {
    let world = World::new(&[]).await;
    for name in FILES {
        load_file(&world, alone(fixture(name)), loaded_at()).await;
    }
    let expect = current(&world).await;
    assert!(expect.len() > 10, "{}", expect.len());
    let other = World::new(&[]).await;
    for name in FILES.iter().rev() {
        let receipt = load_file(&other, alone(fixture(name)), loaded_at()).await;
        assert_adds_up(&receipt, &fixture(name));
    }
    let found = current(&other).await;
    assert_eq!(found, expect);
}

#[tokio::test]
async fn the_other_half_of_an_incident_may_come_in_another_delivery() {
    let world = World::new(&[]).await;
    let folder = tempfile::tempdir().unwrap();
    let whole = std::fs::read_to_string(fixture("first/Discipline.xml")).unwrap();
    let (before, rest) = whole.split_once("<DisciplineIncident>").unwrap();
    let (incident, after) = rest.split_once("</DisciplineIncident>").unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        alone(path)
    };
    let head = before.split_once("<StudentDiscipline").unwrap().0;
    let root = "</InterchangeStudentDiscipline>";
    for name in ["first/Organization.xml", "first/StudentParent.xml"] {
        load_file(&world, alone(fixture(name)), loaded_at()).await;
    }
    let without = load_file(&world, write("Participants.xml", &format!("{before}{after}")), loaded_at()).await;
    assert_eq!((without.counts.quarantined, &without.refused), (3, &None), "{:?}", without.findings);
    let alone = write("Incident.xml", &format!("{head}<DisciplineIncident>{incident}</DisciplineIncident>{root}"));
    let joined = load_file(&world, alone, loaded_at() + TimeDelta::days(1)).await;
    assert_eq!((joined.counts.rows_in, joined.counts.control), (1, 1));
    assert!(joined.findings.iter().any(|finding| finding.rule == "reference.completed"), "{:?}", joined.findings);
    let incidents = "SELECT count(*) FROM history.fact WHERE kind = 'incident' AND superseded_batch IS NULL";
    assert_eq!(world.count(incidents).await, 2);
    let corrected = incident.replace("2013-10-01", "2013-09-30");
    let again = write("Later.xml", &format!("{head}<DisciplineIncident>{corrected}</DisciplineIncident>{root}"));
    load_file(&world, again, loaded_at() + TimeDelta::days(2)).await;
    let moved = "SELECT count(*) FROM history.fact WHERE payload ->> 'incident_date' = '2013-09-30' AND superseded_batch IS NULL";
    assert_eq!(world.count(moved).await, 2, "a corrected incident corrects what rests on it");
}

/// The public Ed-Fi 1.0 sets, if a checkout of them lies beside this project (`../shared/data`); absent, the test passes without a word.
#[tokio::test]
async fn the_public_sets_give_the_rows_that_their_files_hold() {
    let sets: [(&str, &[(&str, i64)]); 2] = [
        (
            "edfi-1.0-daybreak/base/MainControlFile.ctl",
            &[("enrollment", 167), ("attendance", 5_550), ("assessment", 203), ("course", 497), ("contact", 9)],
        ),
        (
            "edfi-1.0-ten-students-three-years/ControlFile.ctl",
            &[
                ("enrollment", 30),
                ("attendance", 731),
                ("assessment", 180),
                ("course", 225),
                ("contact", 20),
                ("discipline", 150),
                ("program", 92),
            ],
        ),
    ];
    for (control, expect) in sets {
        let control = project_file_path("../shared/data").join(control);
        if !control.is_file() {
            return;
        }
        let world = World::new(&[]).await;
        for file in read_control(&control, &Config::default()).unwrap().files {
            let path = file.path.clone();
            let receipt = load_within(&world, file, loaded_at(), &Limits::default()).await;
            assert_adds_up(&receipt, &path);
        }
        let mut found = BTreeMap::new();
        for (domain, rows) in expect {
            let number = model::Domain::ALL.into_iter().find(|known| known.name() == *domain).unwrap() as i16;
            let sql = format!("SELECT count(*) FROM history.fact WHERE domain = {number} AND superseded_batch IS NULL");
            found.insert(*domain, (world.count(&sql).await, *rows));
        }
        assert!(found.values().all(|(found, expect)| found == expect), "{found:?}");
    }
}
