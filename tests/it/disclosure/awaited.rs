//! Who has not reported yet: said of a district, and never of a student.

use disclosure::{Disclosed, DisclosedHistory};
use model::Awaited;

use super::*;

/// Somebody whom no agency asks about.
const THIRD: &str = "9900000033";

const HARTFORD: (&str, &str) = ("064", "0646311");
const NEW_HAVEN: (&str, &str) = ("093", "0936111");
const CENTRE: (&str, &str) = ("348", "3480115");

/// The day at noon.
fn noon(day: &str) -> chrono::DateTime<chrono::Utc> {
    at(&format!("{day}T16:00:00Z"))
}

/// Two students of Hartford, whom its collections of last year name and that of this October does not.
async fn world() -> World {
    let world = World::with_organizations_since(noon("2026-09-01"), &["dcf", "sea"]).await;
    world.load("sasid-2.1x", &[registration(STUDENT), registration(OTHER)], noon("2026-10-03")).await;
    let last = |sasid| reported(sasid, HARTFORD, "064", ("2025", "2025-10-01", "October"));
    world.load("ct-student", &[last(STUDENT), last(OTHER)], noon("2026-10-04")).await;
    let rows = ["D1", "D2"].map(|key| in_care(key, "2026-10-01", "2026-12-01"));
    world.roster("dcf", "2026-11-19", &rows, noon("2026-11-19")).await;
    world.link("dcf", "D1", STUDENT).await;
    world.link("dcf", "D2", OTHER).await;
    world
}

/// What a district or facility reports of a student of a district in a collection: its year, day and name.
fn reported<'r>(
    sasid: &'r str,
    (district, school): (&'r str, &'r str),
    nexus: &'r str,
    (fall, on, instance): (&'r str, &'r str, &'r str),
) -> Record<'r> {
    let of = [("fall_of_year", fall), ("snapshot_date", on), ("instance_name", instance), ("grade_code", "10")];
    let by = [("reporting_district", district), ("facility_1_code", school), ("nexus_district", nexus)];
    with(&with(&snapshot(sasid), &of), &by)
}

fn this_october<'r>(sasid: &'r str, by: (&'r str, &'r str), nexus: &'r str) -> Record<'r> {
    reported(sasid, by, nexus, ("2026", "2026-10-01", "October"))
}

fn awaited(history: &DisclosedHistory, domain: Domain) -> Option<Awaited> {
    history.find_section(domain).unwrap().awaited.clone()
}

fn lines(history: &DisclosedHistory) -> Vec<Option<Awaited>> {
    history.sections().iter().map(|section| section.awaited.clone()).collect()
}

/// What has not come, as lines of NDJSON and the table of sections have it.
fn in_files(history: &DisclosedHistory) -> [String; 2] {
    use feeds::formats::{ndjson, table};
    let line: serde_json::Value = serde_json::from_slice(&ndjson::line(history)).unwrap();
    let sections = table::tables(&[]).into_iter().find(|table| table.name == "sections").unwrap();
    let rows = sections.rows(history).into_iter().filter(|row| row[5..].iter().any(Option::is_some));
    let text = |cell: &table::Cell<'_>| cell.as_deref().map(model::Value::to_plain).unwrap_or_default();
    let said =
        rows.map(|row| format!("{}: {}", text(&row[2]), row[5..].iter().map(text).collect::<Vec<_>>().join(", ")));
    [line["awaited"].to_string(), said.collect::<Vec<_>>().join("; ")]
}

fn october_of(district: &str) -> Awaited {
    Awaited {
        collection: "PSIS October collection 2026-27".to_owned(),
        as_of_on: "2026-10-01".parse().unwrap(),
        due_on: "2026-10-31".parse().unwrap(),
        expected_of: Some(district.to_owned()),
    }
}

async fn told_of(world: &World, person: &str, as_of: Option<&str>) -> Disclosed {
    world.ask_as_of("dcf", person, moment(), as_of.map(noon)).await.unwrap()
}

async fn told(world: &World, as_of: Option<&str>) -> Disclosed {
    told_of(world, "D1", as_of).await
}

#[tokio::test]
async fn who_has_not_reported_is_told_from_the_day_after_it_was_due_until_it_comes() {
    let world = world().await;
    let history = told(&world, None).await.history;
    let hartford = Some(october_of("Hartford School District"));
    assert_eq!(awaited(&history, Domain::Enrollment), hartford);
    for domain in Domain::ALL.into_iter().filter(|domain| *domain != Domain::Enrollment) {
        assert_eq!(awaited(&history, domain), None, "{domain}: nothing of it ever came of anybody");
    }
    let summary = summary::from_disclosure(&history, moment().date_naive());
    let said = summary.summary.awaited.expect("the block says it");
    assert_eq!(said.expected_of.as_deref(), Some("Hartford School District"));
    assert_eq!(summary.history.schools.provenance.awaited, Some(said));
    assert_eq!(summary.history.attendance.provenance.awaited, None);
    let late = [r#"{"enrollment":{"as_of_date":"2026-10-01","collection":"PSIS October collection 2026-27","due_date":"2026-10-31","expected_of":"Hartford School District"}}"#.to_owned(), "enrollment: PSIS October collection 2026-27, 2026-10-01, 2026-10-31, Hartford School District".to_owned()];
    assert_eq!(in_files(&history), late, "files say what the digest is of");
    let before = told(&world, Some("2026-10-31")).await.history;
    assert_eq!(awaited(&before, Domain::Enrollment), None, "on its last day it is not late");
    let after = told(&world, Some("2026-11-02")).await.history;
    assert_eq!(awaited(&after, Domain::Enrollment), hartford);
    assert_ne!(before.content_digest(), after.content_digest(), "whoever was told before is told again");
    assert_eq!(after.content_digest(), history.content_digest(), "and once, not every day");

    // Another student's row shows that the district has reported: of these two, who are not among them, nothing is said.
    world.load("ct-student", &[this_october(THIRD, HARTFORD, "064")], noon("2026-11-18")).await;
    let reported = told(&world, None).await.history;
    assert_eq!(awaited(&reported, Domain::Enrollment), None);
    assert_eq!(in_files(&reported), ["null", ""]);
    let rows = |history: &DisclosedHistory| history.find_section(Domain::Enrollment).unwrap().rows.clone();
    assert_eq!(rows(&reported), rows(&history));
    assert_eq!(reported.content_digest(), before.content_digest());
    let as_then = told(&world, Some("2026-11-02")).await.history;
    assert_eq!(as_then.content_digest(), after.content_digest(), "an earlier day's answer stays what it was");
}

/// What a facility reports of one of them is disclosed as Hartford's report: then Hartford has reported, of both.
#[tokio::test]
async fn a_facilitys_report_takes_the_line_from_both_children_of_the_district_or_from_neither() {
    let cases = [
        (this_october(STUDENT, CENTRE, "064"), false),
        (this_october(STUDENT, CENTRE, ""), false),
        (this_october(THIRD, CENTRE, "064"), false),
        (this_october(THIRD, CENTRE, "093"), true),
        (this_october(THIRD, CENTRE, ""), false),
        (this_october(THIRD, NEW_HAVEN, "064"), true),
    ];
    for (record, is_awaited) in cases {
        let world = world().await;
        world.load("ct-student", std::slice::from_ref(&record), noon("2026-11-18")).await;
        let (held, free) = (told_of(&world, "D1", None).await.history, told_of(&world, "D2", None).await.history);
        assert_eq!(lines(&held), lines(&free), "{record:?}");
        let expect = is_awaited.then(|| october_of("Hartford School District"));
        assert_eq!(awaited(&held, Domain::Enrollment), expect, "{record:?}");
    }
}

/// Any number of something, the same for the same seed (a multiplier of Knuth's).
struct Dice(u64);

impl Dice {
    fn pick<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        &of[usize::try_from(self.0 >> 33).unwrap() % of.len()]
    }
}

#[tokio::test]
async fn two_children_of_a_district_read_the_same_after_any_reports() {
    let whose: [(&str, (&str, &str), &str); 9] = [
        (STUDENT, CENTRE, "064"),
        (STUDENT, CENTRE, ""),
        (STUDENT, HARTFORD, "064"),
        (OTHER, HARTFORD, "064"),
        (THIRD, CENTRE, "093"),
        (THIRD, CENTRE, "064"),
        (THIRD, CENTRE, ""),
        (THIRD, NEW_HAVEN, "064"),
        (THIRD, NEW_HAVEN, "093"),
    ];
    let days = [("2025", "2026-06-12", "June"), ("2026", "2026-10-01", "October"), ("2026", "2026-11-05", "January")];
    let mut ever = BTreeSet::new();
    for seed in 0..4 {
        let mut dice = Dice(seed);
        let world = world().await;
        let last_june = |sasid, by| {
            let days = [("membership_days", "90"), ("attendance_days", "80")];
            with(&reported(sasid, by, "", ("2024", "2025-06-12", "June")), &days)
        };
        let before = [last_june(STUDENT, HARTFORD), last_june(OTHER, HARTFORD), last_june(THIRD, NEW_HAVEN)];
        world.load("ct-student", &before, noon("2026-10-05")).await;
        let came = ["2026-11-11", "2026-11-13", "2026-11-15", "2026-11-17"];
        for on in came {
            let (sasid, by, nexus) = *dice.pick(&whose);
            let record = reported(sasid, by, nexus, *dice.pick(&days));
            let attended = [("membership_days", "40"), ("attendance_days", "30")];
            let record = if *dice.pick(&[true, false]) { with(&record, &attended) } else { record };
            world.load("ct-student", &[record], noon(on)).await;
        }
        for as_of in came.map(Some).into_iter().chain([None, Some("2026-11-02"), Some("2026-10-30")]) {
            let (held, free) = (told_of(&world, "D1", as_of).await.history, told_of(&world, "D2", as_of).await.history);
            assert_eq!(lines(&held), lines(&free), "seed {seed}, {as_of:?}");
            ever.extend(lines(&held).into_iter().map(|line| line.is_some()));
        }
    }
    assert_eq!(ever.len(), 2, "some lines stood, and some did not");
}

#[tokio::test]
async fn what_another_district_reports_says_nothing_of_the_students_own() {
    let world = world().await;
    let history = told(&world, None).await.history;
    world.load("ct-student", &[this_october(THIRD, NEW_HAVEN, "093")], noon("2026-11-19")).await;
    let again = told(&world, None).await.history;
    assert_eq!(again.content_digest(), history.content_digest());
}

#[tokio::test]
async fn a_collection_that_never_came_here_is_not_awaited() {
    let world = World::new(&["dcf"]).await;
    world.load("sasid-2.1x", &[registration(STUDENT)], noon("2026-10-03")).await;
    world.roster("dcf", "2026-11-19", &[in_care("D1", "2026-10-01", "2026-12-01")], noon("2026-11-19")).await;
    world.link("dcf", "D1", STUDENT).await;
    let history = told(&world, None).await.history;
    assert!(history.sections().iter().all(|section| section.awaited.is_none()));
}

/// Two records of Louisiana's file, of one student in a session year.
fn louisiana(student: &str, session: &str, entry: &str) -> Vec<u8> {
    let sample = include_str!("../../../services/intake/layouts/la/la-sis.sample");
    let of_student = |code: &str| sample.lines().find(|line| line.get(6..9) == Some(code)).unwrap();
    let records = format!("{}\n{}\n", of_student("010"), of_student("040"));
    let changed = [("9900000017", student), ("20182019", session), ("08092018", entry), ("0118201908", "          ")];
    changed.iter().fold(records, |text, (from, to)| text.replace(from, to)).into_bytes()
}

#[tokio::test]
async fn the_same_bytes_again_count_as_reported_again() {
    let world = World::new(&["dcf"]).await;
    let load = async |bytes: &[u8], on: &str| {
        let receipt = world.load_bytes("la-sis", bytes, noon(on)).await;
        assert_eq!((receipt.counts.quarantined, &receipt.refused), (0, &None), "{:?}", receipt.findings);
        receipt.seen_before
    };
    assert!(!load(&louisiana(STUDENT, "20252026", "08112025"), "2025-10-04").await);
    // Before the collection opens, so that it is no report of it.
    let early = louisiana(OTHER, "20262027", "08032026");
    assert!(!load(&early, "2026-08-05").await);
    world.roster("dcf", "2026-11-19", &[in_care("D1", "2026-10-01", "2026-12-01")], noon("2026-11-19")).await;
    world.link("dcf", "D1", STUDENT).await;
    let before = told(&world, None).await.history;
    let line = awaited(&before, Domain::Enrollment).expect("the district has not reported");
    let said = (line.collection.as_str(), line.expected_of.as_deref());
    assert_eq!(said, ("SIS data collection, period 1, 2026-27", Some("990")));

    let counted = async |on: &str| {
        let notes = format!("SELECT count(*) FROM history.reported WHERE recorded_on = '{on}'");
        (world.count("SELECT count(*) FROM history.fact").await, world.count(&notes).await)
    };
    let (facts, noted) = counted("2026-08-05").await;
    assert_eq!(noted, 2, "enrollment and attendance, and nothing of who the student is");
    assert!(load(&early, "2026-11-10").await, "the same bytes");
    assert!(load(&early, "2026-11-10").await, "twice on a day");
    assert_eq!(counted("2026-11-10").await, (facts, noted), "it has come again, and nothing else has changed");
    assert_eq!(awaited(&told(&world, None).await.history, Domain::Enrollment), None);
    let as_then = told(&world, Some("2026-11-09")).await.history;
    assert_eq!(as_then.content_digest(), before.content_digest(), "an earlier day's answer stays what it was");
}

/// The notes, as text.
async fn notes(world: &World) -> Vec<String> {
    let sql = "SELECT ROW(batch_id, sea, domain, school_year, lea, facility, nexus, reported_on, recorded_on, recorded_at)::text
        FROM history.reported ORDER BY 1";
    let rows = sqlx::Executor::fetch_all(&mut world.db.superuser().await, sql).await.unwrap();
    rows.iter().map(|row| sqlx::Row::get(row, 0)).collect()
}

#[tokio::test]
async fn what_came_before_notes_were_kept_is_noted_as_if_it_came_since() {
    let world = world().await;
    world.load("ct-student", &[this_october(THIRD, CENTRE, "064")], noon("2026-11-18")).await;
    world.load("ct-discipline", &[offense(STUDENT)], noon("2026-11-18")).await;
    world.load_bytes("la-sis", &louisiana("9900000041", "20252026", "08112025"), noon("2026-11-18")).await;
    let kept = notes(&world).await;
    assert!(kept.iter().any(|note| note.contains("3480115,064")), "{kept:#?}");
    let none_of = "SELECT count(*) FROM history.reported WHERE domain = 1";
    assert_eq!(world.count(none_of).await, 0, "who a student is comes with every report");
    let migration = project_file("migrations/20261201000100_history_reported.sql");
    let (from, to) = (migration.find("CREATE POLICY").unwrap(), migration.find("RESET ROLE").unwrap());
    let again = &migration[from..to];
    world.force(&format!("DELETE FROM history.reported; SET ROLE throughline_owner; {again} RESET ROLE")).await;
    assert_eq!(notes(&world).await, kept);
}

#[tokio::test]
async fn what_is_left_out_of_the_states_reports_reports_nothing() {
    let world = world().await;
    let kept = notes(&world).await;
    let of_enrollment = Record::from([
        ("sasid", STUDENT),
        ("reporting_district", "064"),
        ("facility_code", "0646311"),
        ("entry_date", "2024-08-28"),
        ("excluded", "Y"),
    ]);
    let of_student = Record::from([("sasid", STUDENT), ("excluded", "Y")]);
    world.load("ct-reporting-exclusion", &[of_enrollment, of_student], noon("2026-11-18")).await;
    assert_eq!(notes(&world).await, kept);
}
