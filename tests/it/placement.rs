//! Placements against a real database: what is kept of them and where, who is told, and that nothing of them reaches a record.

mod ends;

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use disclosure::{Ask, Error, Notices, PlacementNotice, Reporter};
use identity::placement::{PlacementLayout, PlacementReceipt};
use intake::placement::{IncomingPlacements, take};
use model::FixedClock;
use sha2::{Digest as _, Sha256};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, Row as _};
use tests::{moment, project_file};
use uuid::Uuid;

use crate::world::{
    OTHER, Record, Recorded, STUDENT, World, ask_of, consumer, loaded_at, registration, snapshot, supervised,
    tombstones, with,
};

const HEADER: &str = "ClientPIN,StayId,DTNAdmissionPIN,JrsFacilityID,AdmissionTSP,ReleaseTSP,AdmissionRecordType";
/// The client of most tests, by CSSD's number, and their stay.
const CLIENT: &str = "700100700100";
const STAY: &str = "800200800200,900300900300";

/// A stay at Bridgeport from 18 November on.
fn stay(released: &str) -> String {
    format!("{CLIENT},{STAY},1,2026-11-18 09:30:00,{released},ADM")
}

fn layout() -> PlacementLayout {
    PlacementLayout::parse(&project_file("deploy/consumers/cssd/placements.toml")).unwrap()
}

/// A registration of another child.
fn other() -> Record<'static> {
    with(&registration(OTHER), &[("last_name", "Verrill"), ("first_name", "Basil"), ("birth_date", "07192011")])
}

/// Hartford's student is CSSD's client.
async fn placed_world() -> World {
    let world = World::new(&["cssd", "reentry", "sea"]).await;
    world.load("sasid-2.1x", &[registration(STUDENT), other()], loaded_at()).await;
    world.load("ct-student", &[snapshot(STUDENT)], loaded_at()).await;
    world
        .roster("cssd", "2026-11-19", &[supervised(CLIENT, "juvenile_justice", "pre_adjudication")], loaded_at())
        .await;
    world.link("cssd", CLIENT, STUDENT).await;
    world
}

/// Brings a report in.
async fn report(world: &World, rows: &[String], when: DateTime<Utc>) -> PlacementReceipt {
    report_text(world, &format!("{HEADER}\n{}\n", rows.join("\n")), when).await
}

async fn report_text(world: &World, text: &str, when: DateTime<Utc>) -> PlacementReceipt {
    let (reporter, layout) = (consumer("cssd"), layout());
    let incoming = IncomingPlacements {
        reporter: &reporter,
        file_name: "stays.csv",
        bytes: text.as_bytes(),
        reported_on: when.with_timezone(&layout.time_zone).date_naive(),
        at: when,
    };
    take(&world.db.pool, &tombstones(), &world.entropy, &layout, incoming).await.unwrap()
}

fn encode(notice: &PlacementNotice) -> Vec<u8> {
    let facility = notice.facility().map(|(code, name)| format!("{code} {}", name.unwrap_or("?")));
    format!(
        "{} {} {} {:?} {facility:?} {:?} retracts {}\n",
        notice.office(),
        notice.state_id().map_or("-", |id| id.expose().as_str()),
        notice.event(),
        notice.event_date(),
        notice.educating_unit(),
        notice.retracts().is_some()
    )
    .into_bytes()
}

/// Discloses what is due to all districts, or to one.
async fn notices_to(world: &World, office: Option<&str>, when: DateTime<Utc>) -> Result<Notices, Error> {
    let (reporter, recipient, layout, clock) = (consumer("cssd"), consumer("reentry"), layout(), FixedClock(when));
    let ask =
        Ask { delivery: agreements::Delivery::File, run: Some(Uuid::from_u128(77)), office, ..ask_of(&recipient) };
    let reporter = Reporter { consumer: &reporter, sea: &layout.sea, zone: layout.time_zone };
    disclosure::disclose_notices(world.context(&clock), &ask, reporter, &encode).await
}

/// The same, and it has arrived: what each district was told.
async fn told(world: &World, when: DateTime<Utc>) -> Vec<String> {
    let notices = notices_to(world, None, when).await.unwrap();
    let (recipient, clock) = (consumer("reentry"), FixedClock(when));
    let ids: Vec<Uuid> = notices.disclosed.iter().map(|one| one.notice.id()).collect();
    disclosure::confirm_notices(world.context(&clock), &ask_of(&recipient), &ids).await.unwrap();
    notices.disclosed.iter().map(|one| String::from_utf8(one.bytes.to_vec()).unwrap().trim().to_owned()).collect()
}

const ENTERED: &str = "064 9900000017 entered Some(2026-11-18) Some(\"3480115 Bridgeport Detention Center\") Some(\"Judicial Centers\") retracts false";

/// The tables in whose rows a text stands, as a superuser sees them.
async fn holding(world: &World, text: &str) -> Vec<String> {
    let mut conn = world.db.superuser().await;
    let tables = conn
        .fetch_all(
            "SELECT quote_ident(n.nspname) || '.' || quote_ident(c.relname) FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
            WHERE c.relkind = 'r' AND n.nspname NOT IN ('pg_catalog', 'information_schema') ORDER BY 1",
        )
        .await
        .unwrap();
    let mut found = Vec::new();
    for table in tables.iter().map(|row| row.get::<String, _>(0)) {
        let sql = format!("SELECT count(*) FROM {table} AS t WHERE t::text LIKE '%{text}%'");
        if conn.fetch_one(AssertSqlSafe(sql)).await.unwrap().get::<i64, _>(0) > 0 {
            found.push(table);
        }
    }
    found
}

#[tokio::test]
async fn a_stay_is_kept_apart_and_nothing_of_it_reaches_a_record() {
    let world = placed_world().await;
    let clock = FixedClock(moment());
    let sea = consumer("sea");
    let before = world.ask("cssd", CLIENT, moment()).await.unwrap();
    let (_, all_before) = world.own_export(&clock, &sea).await;
    let receipt = report(&world, &[stay("")], moment()).await;
    assert_eq!((receipt.rows_in, receipt.new, receipt.refused), (1, 1, 0), "{:?}", receipt.findings);
    assert_eq!(told(&world, moment()).await, [ENTERED]);
    // Nothing about the case is taken in, not even beside what is.
    for column in ["ReferralId", "CourtKey", "Offense", "Remarks"] {
        let text = format!("{HEADER},{column}\n{},QUAGMIRE-77\n", stay("2026-11-19 08:00:00"));
        let receipt = report_text(&world, &text, moment()).await;
        assert_eq!((receipt.refused, receipt.refused_reason.is_some()), (1, true), "{column}");
        assert!(!format!("{receipt:?}").contains("QUAGMIRE"));
    }
    assert_eq!(report(&world, &[stay("").replace(STAY, "QUAGMIRE-77,1")], moment()).await.refused, 1);
    assert_eq!(holding(&world, "QUAGMIRE").await, Vec::<String>::new());
    assert_eq!(holding(&world, "800200800200").await, ["placement.stay"]);
    assert_eq!(holding(&world, "900300900300").await, ["placement.stay"]);
    // The facility is named where it was reported and where it was told of, and in the list of organizations.
    let names_it = ["disclosure.placement_notice", "placement.stay", "reference.organization_name"];
    let holds = holding(&world, "3480115").await;
    assert!(
        holds.iter().all(|table| names_it.contains(&table.as_str()) || table.starts_with("reference.")),
        "{holds:?}"
    );
    // Every history says what it said: the student is enrolled at home.
    let after = world.ask("cssd", CLIENT, moment()).await.unwrap();
    assert_eq!(before.history.content_digest(), after.history.content_digest());
    let (_, all_after) = world.own_export(&clock, &sea).await;
    let digests = |all: &[disclosure::DisclosedHistory]| -> BTreeMap<_, _> {
        all.iter().map(|one| (one.student(), *one.content_digest())).collect()
    };
    assert_eq!(digests(&all_before), digests(&all_after));
}

#[tokio::test]
async fn a_report_said_again_changes_nothing_and_an_older_one_undoes_nothing() {
    let world = placed_world().await;
    let first = report(&world, &[stay("")], moment()).await;
    assert_eq!((first.new, first.seen_before), (1, false));
    let again = report(&world, &[stay("")], moment()).await;
    assert_eq!((again.new, again.unchanged, again.seen_before), (0, 1, true));
    let later = moment() + TimeDelta::days(1);
    let released = report(&world, &[stay("2026-11-20 08:00:00")], later).await;
    assert_eq!((released.new, released.corrected), (0, 1));
    let older = report(&world, &[stay("")], moment()).await;
    assert_eq!((older.refused, older.refused_reason.is_some()), (1, true));
    let taken_back = report(&world, &[stay("2026-11-20 08:00:00").replace("ADM", "VOID")], later).await;
    assert_eq!((taken_back.withdrawn, taken_back.refused), (1, 0));
    assert_eq!(world.count("SELECT count(*) FROM placement.stay WHERE superseded_at IS NULL").await, 1);
    assert_eq!(world.count("SELECT count(*) FROM placement.stay").await, 3, "what was known earlier is kept");
    assert_eq!(world.count("SELECT count(*) FROM placement.file").await, 3, "what changed nothing is no file");
}

#[tokio::test]
async fn the_receipt_does_not_tell_whom_the_state_knows() {
    let world = placed_world().await;
    let rows = [stay(""), stay("").replace(CLIENT, "700100700199").replace("800200", "800201")];
    let receipt = report(&world, &rows, moment()).await;
    assert_eq!((receipt.new, receipt.refused), (2, 0));
    assert_eq!(receipt.findings, []);
}

#[tokio::test]
async fn the_home_district_is_told_once_with_an_entry_before_anything_leaves() {
    let world = placed_world().await;
    report(&world, &[stay("")], moment()).await;
    let entries = world.entries().await.len();
    let notices = notices_to(&world, None, moment()).await.unwrap();
    let [one] = notices.disclosed.as_slice() else { panic!("{notices:?}") };
    assert_eq!(String::from_utf8(one.bytes.to_vec()).unwrap().trim(), ENTERED);
    let digest = Some(Sha256::digest(&one.bytes).to_vec());
    let recorded = world.entries().await;
    let last = Recorded { kind: "disclosure".to_owned(), reason: None, digest, names_student: true };
    assert_eq!((recorded.len(), recorded.last()), (entries + 1, Some(&last)));
    // What it discloses is named, and nothing else is; a district's other people are not shown that it was told.
    let elements = "SELECT count(*) FROM ledger.terms WHERE consumer = 'reentry' AND legal_basis = 'ferpa_school_of_enrollment'
        AND elements = ARRAY['placement.educating_unit', 'placement.event', 'placement.event_date', 'placement.facility', 'student.state_id']
        AND withheld = '{}' AND NOT 'district' = ANY(shown_to || shown_after_review)";
    assert_eq!(world.count(elements).await, 1);
    // It has not arrived: it is told again. Once it has, never again.
    assert_eq!(told(&world, moment()).await, [ENTERED]);
    assert_eq!(told(&world, moment() + TimeDelta::hours(1)).await, Vec::<String>::new());
    // The exit is told, too, and then no more.
    let later = moment() + TimeDelta::days(1);
    report(&world, &[stay("2026-11-20 12:00:00")], later).await;
    let left = ENTERED.replace("entered", "left").replace("11-18", "11-20");
    assert_eq!(told(&world, later).await, [left]);
    assert_eq!(told(&world, later + TimeDelta::days(40)).await, Vec::<String>::new());
}

#[tokio::test]
async fn no_entry_no_notice() {
    let world = placed_world().await;
    report(&world, &[stay("")], moment()).await;
    world.force("REVOKE INSERT ON ledger.entry FROM throughline_ledger").await;
    assert!(notices_to(&world, None, moment()).await.is_err());
    assert_eq!(world.count("SELECT count(*) FROM disclosure.placement_notice").await, 0);
    world.force("GRANT INSERT ON ledger.entry TO throughline_ledger").await;
    assert_eq!(told(&world, moment()).await, [ENTERED]);
}

#[tokio::test]
async fn without_an_agreement_in_force_nobody_is_told_and_the_refusal_is_entered() {
    let world = placed_world().await;
    report(&world, &[stay("")], moment()).await;
    world.force("UPDATE agreements.activation SET ended_at = '2026-11-19', ended_because = 'suspended', ended_by = 'ann', end_reason = 'x',
        end_recorded_at = '2026-11-19' WHERE consumer = 'reentry'").await;
    let refused = notices_to(&world, None, moment()).await;
    assert!(matches!(refused, Err(Error::Denied(_))), "{refused:?}");
    assert_eq!(world.entries().await.last().map(|entry| entry.kind.clone()).as_deref(), Some("refusal"));
    assert_eq!(world.count("SELECT count(*) FROM disclosure.placement_notice").await, 0);
}

#[tokio::test]
async fn whoever_was_told_of_the_wrong_child_is_told_so() {
    let world = placed_world().await;
    report(&world, &[stay("")], moment()).await;
    assert_eq!(told(&world, moment()).await, [ENTERED]);
    world
        .force("UPDATE identity.match_decision SET superseded_at = '2026-11-20T16:00:00Z' WHERE superseded_at IS NULL")
        .await;
    let later = moment() + TimeDelta::hours(2);
    let retracted = ENTERED.replace("entered", "retracted").replace("retracts false", "retracts true");
    assert_eq!(told(&world, later).await, [retracted]);
    let last = world.entries().await.pop().unwrap();
    assert_eq!((last.kind.as_str(), last.reason.as_deref()), ("notice", Some("placement_notice_wrong")));
    assert_eq!(told(&world, later + TimeDelta::hours(1)).await, Vec::<String>::new());
}

/// An order over the whole student of most tests, until the day after the moment of the tests.
const SEALED: &str =
    "INSERT INTO identity.restriction (source_person_id, kind, in_force, order_number, decided_by, recorded_at)
    SELECT source_person_id, 'sealed', '[2026-01-01,2026-11-21)', 'O-1', 'ann', '2026-01-01' FROM identity.source_person
    WHERE state_id = '9900000017'";

/// The same over where they live alone.
const CONFIDENTIAL: &str = "INSERT INTO history.restriction (source_person_id, domain, kind, in_force, order_number, decided_by, recorded_at)
    SELECT source_person_id, 9, 'confidential_address', '[2026-01-01,2026-11-21)', 'O-2', 'ann', '2026-01-01' FROM identity.source_person
    WHERE state_id = '9900000017'";

#[tokio::test]
async fn what_was_made_before_an_order_and_did_not_arrive_waits_for_its_end() {
    for order in [SEALED, CONFIDENTIAL] {
        let world = placed_world().await;
        report(&world, &[stay("")], moment()).await;
        assert_eq!(notices_to(&world, None, moment()).await.unwrap().disclosed.len(), 1, "and is lost on the way");
        world.force(order).await;
        let entries = world.entries().await.len();
        assert_eq!(told(&world, moment()).await, Vec::<String>::new(), "{order}");
        assert_eq!(world.entries().await.len(), entries);
        assert_eq!(told(&world, moment() + TimeDelta::days(2)).await, [ENTERED], "{order}");
    }
}

#[tokio::test]
async fn whoever_is_under_an_order_is_not_named_by_taking_back_either() {
    let world = placed_world().await;
    report(&world, &[stay("")], moment()).await;
    assert_eq!(told(&world, moment()).await, [ENTERED]);
    world
        .force("UPDATE identity.match_decision SET superseded_at = '2026-11-20T16:00:00Z' WHERE superseded_at IS NULL")
        .await;
    world.force(SEALED).await;
    assert_eq!(told(&world, moment()).await, Vec::<String>::new());
    let retracted = ENTERED.replace("entered", "retracted").replace("retracts false", "retracts true");
    assert_eq!(told(&world, moment() + TimeDelta::days(2)).await, [retracted]);
}

#[tokio::test]
async fn what_proved_wrong_on_the_way_is_not_told_again() {
    let world = placed_world().await;
    report(&world, &[stay("")], moment()).await;
    assert_eq!(notices_to(&world, None, moment()).await.unwrap().disclosed.len(), 1, "perhaps it has arrived");
    report(&world, &[stay("").replace("ADM", "VOID")], moment() + TimeDelta::hours(1)).await;
    let retracted = ENTERED.replace("entered", "retracted").replace("retracts false", "retracts true");
    assert_eq!(told(&world, moment() + TimeDelta::hours(2)).await, [retracted]);
    assert_eq!(told(&world, moment() + TimeDelta::hours(3)).await, Vec::<String>::new());
}

#[tokio::test]
async fn an_erasure_takes_along_what_was_told_of_a_person_under_an_earlier_student() {
    let world = placed_world().await;
    report(&world, &[stay("")], moment()).await;
    assert_eq!(told(&world, moment()).await, [ENTERED]);
    let mut conn = world.db.superuser().await;
    let mut tx = conn.begin().await.unwrap();
    tx.execute("SET LOCAL ROLE throughline_steward").await.unwrap();
    // Columns beside those by which it is found stay closed to whoever erases.
    let by_person = "DELETE FROM disclosure.placement_notice WHERE student_id = '00000000-0000-0000-0000-000000000001'
        OR source_person_id IN (SELECT source_person_id FROM identity.crosswalk)";
    assert_eq!(tx.execute(by_person).await.unwrap().rows_affected(), 1);
    assert!(tx.fetch_one("SELECT facility FROM disclosure.placement_notice").await.is_err());
}

#[tokio::test]
async fn under_an_order_and_without_a_clear_home_nobody_is_told() {
    let world = placed_world().await;
    report(&world, &[stay("")], moment()).await;
    world.force(SEALED).await;
    assert_eq!(told(&world, moment()).await, Vec::<String>::new());
    // The order is over; another district says that the student has been its own all along.
    let two = with(
        &registration(STUDENT),
        &[
            ("reporting_district", "093"),
            ("reporting_district_entry_date", "09012026"),
            ("resident_town", "093"),
            ("facility_code_1", "0936011"),
        ],
    );
    world.load("sasid-2.1x", &[two], moment()).await;
    let later = moment() + TimeDelta::days(2);
    assert_eq!(told(&world, later).await, [ENTERED.replacen("064", "093", 1)]);
}

#[tokio::test]
async fn a_district_sees_its_own_notices_and_no_other_context_sees_any_stay() {
    let world = placed_world().await;
    report(&world, &[stay("")], moment()).await;
    assert_eq!(notices_to(&world, Some("093"), moment()).await.unwrap().disclosed.len(), 0, "it is not their student");
    assert_eq!(notices_to(&world, Some("064"), moment()).await.unwrap().disclosed.len(), 1);
    let mut conn = world.db.superuser().await;
    for (settings, expect) in [
        (vec![], 0_i64),
        (vec![("consumer", "cssd")], 0),
        (vec![("consumer", "reentry"), ("office", "093")], 0),
        (vec![("consumer", "reentry"), ("office", "064")], 1),
        (vec![("consumer", "reentry")], 1),
    ] {
        let mut tx = conn.begin().await.unwrap();
        for (name, value) in &settings {
            tx.execute(AssertSqlSafe(format!("SET LOCAL throughline.{name} = '{value}'"))).await.unwrap();
        }
        tx.execute("SET LOCAL ROLE throughline_disclosure").await.unwrap();
        let seen: i64 = tx.fetch_one("SELECT count(*) FROM disclosure.placement_notice").await.unwrap().get(0);
        assert_eq!(seen, expect, "{settings:?}");
    }
    for role in [
        "intake",
        "identity",
        "history",
        "reference",
        "agreements",
        "disclosure",
        "ledger",
        "scheduler",
        "steward",
        "portal",
        "app",
    ] {
        for sql in [
            "SELECT count(*) FROM placement.stay WHERE facility <> ''",
            "SELECT count(stay_key) FROM placement.stay",
            "UPDATE placement.stay SET superseded_at = NULL RETURNING 1",
            "INSERT INTO placement.file DEFAULT VALUES RETURNING 1",
        ] {
            let mut tx = conn.begin().await.unwrap();
            tx.execute(AssertSqlSafe(format!(
                "SET LOCAL ROLE throughline_{role}; SET LOCAL throughline.reporter = 'cssd'"
            )))
            .await
            .unwrap();
            let refused = tx.fetch_one(sql).await;
            let code = refused.err().and_then(|error| Some(error.as_database_error()?.code()?.into_owned()));
            assert_eq!(code.as_deref(), Some("42501"), "{role}: {sql}");
        }
    }
    // The role of placements reads nothing else, and only its reporter's.
    for sql in [
        "SELECT count(*) FROM history.fact",
        "SELECT count(*) FROM identity.client",
        "SELECT count(*) FROM ledger.entry",
    ] {
        let mut tx = conn.begin().await.unwrap();
        tx.execute("SET LOCAL ROLE throughline_placement").await.unwrap();
        assert!(tx.fetch_one(sql).await.is_err(), "{sql}");
    }
    let mut tx = conn.begin().await.unwrap();
    tx.execute("SET LOCAL ROLE throughline_placement; SET LOCAL throughline.reporter = 'dcf'").await.unwrap();
    let seen: i64 = tx.fetch_one("SELECT count(*) FROM placement.stay").await.unwrap().get(0);
    assert_eq!(seen, 0);
}

/// What only one side knows after fourteen days, as a steward is told.
async fn unshown(world: &World, when: DateTime<Utc>) -> Vec<String> {
    let (reporter, recipient, sea, layout) = (consumer("cssd"), consumer("reentry"), consumer("sea"), layout());
    let facilities: Vec<String> = layout.facilities.values().cloned().collect();
    let reporter = Reporter { consumer: &reporter, sea: &layout.sea, zone: layout.time_zone };
    let of = disclosure::Loop { reporter, recipient: &recipient, facilities: &facilities, days: 14 };
    let clock = FixedClock(when);
    let found = disclosure::list_unshown(world.context(&clock), &ask_of(&sea), of).await.unwrap();
    let line = |one: &disclosure::Unshown| {
        format!(
            "{} {} {} {} {} {}",
            one.gap.as_str(),
            one.district,
            one.state_id.expose(),
            one.facility,
            one.since,
            one.days
        )
    };
    found.iter().map(line).collect()
}

#[tokio::test]
async fn placements_that_one_side_alone_knows_are_named_to_a_steward() {
    let world = placed_world().await;
    let entered = stay("").replace("2026-11-18", "2026-11-01");
    report(&world, &[entered], moment()).await;
    assert_eq!(told(&world, moment()).await.len(), 1);
    assert_eq!(unshown(&world, moment() + TimeDelta::days(13)).await, Vec::<String>::new(), "the district has time");
    let later = moment() + TimeDelta::days(20);
    let entries = world.entries().await.len();
    let open = "not_shown 064 9900000017 3480115 2026-11-01 20";
    assert_eq!(unshown(&world, later).await, [open]);
    let recorded = world.entries().await;
    assert_eq!((recorded.len(), recorded.last().map(|one| one.kind.as_str())), (entries + 1, Some("access")));
    // A district shows another child in a facility, of whom nobody reported a stay.
    let of_fall = [("fall_of_year", "2026"), ("snapshot_date", "2026-11-15"), ("special_program_status", "")];
    let shown = |sasid: &'static str, facility: &'static str| {
        let record = with(&with(&snapshot(sasid), &of_fall), &[("facility_2_code", facility), ("grade_code", "11")]);
        if sasid == OTHER {
            with(&record, &[("last_name", "Verrill"), ("first_name", "Basil"), ("birth_date", "2011-07-19")])
        } else {
            record
        }
    };
    world.load("ct-student", &[shown(OTHER, "3480315")], moment()).await;
    let other = "not_reported 064 9900000025 3480315 2026-11-15 25";
    assert_eq!(unshown(&world, later).await, [open, other]);
    world.load("ct-student", &[shown(STUDENT, "3480115")], moment() + TimeDelta::hours(1)).await;
    assert_eq!(unshown(&world, later).await, [other]);
}
