//! What is disclosed on a paper about one client is recorded with what the paper says, and for what it was asked.

use agreements::{Act, Delivery, ExportRequest, InstrumentKind, Interval, NewInstrument, REPORTED, Reason};
use chrono::TimeDelta;
use disclosure::{Ask, Item, Occasion};
use model::{FixedClock, Masked};
use sqlx::{AssertSqlSafe, Executor as _, Row as _};
use tests::{moment, project_file};
use uuid::Uuid;

use crate::world::{OTHER, STUDENT, World, ask_of, consumer, encode, loaded_at, registration, snapshot, supervised};

const EMERGENCY: &str = "[[basis]]\nlaw = \"health_safety_emergency\"\ncitation = \"34 CFR 99.31(a)(10) and 99.36\"\n\
conditions = [\"emergency\"]\ntext = \"An emergency about this client is declared.\"\n\n[access]\n";

const OTHER_PURPOSE: &str = "[[purpose]]\nid = \"safety\"\ntext = \"Keeping the client safe\"\n\n[access]\n";

/// CSSD's agreement in force, widened, and clients whose cases are past adjudication: only a paper opens their records.
async fn adjudicated(widened: &str, clients: &[(&str, &str)]) -> World {
    let world = World::new(&[]).await;
    let document = project_file("deploy/consumers/cssd/agreement.toml").replacen("[access]\n", widened, 1);
    world.activate(&document).await;
    world.load("sasid-2.1x", &[registration(STUDENT), registration(OTHER)], loaded_at()).await;
    world.load("ct-student", &[snapshot(STUDENT), snapshot(OTHER)], loaded_at()).await;
    let rows: Vec<String> = clients.iter().map(|(key, _)| supervised(key, "juvenile_justice", "adjudicated")).collect();
    world.roster("cssd", "2026-11-19", &rows, loaded_at()).await;
    for (key, sasid) in clients {
        world.link("cssd", key, sasid).await;
    }
    world
}

/// Puts a paper on file that two stewards approved.
async fn file(world: &World, kind: InstrumentKind, person: &str, reason: &str) {
    let paper = NewInstrument {
        kind,
        consumer: consumer("cssd"),
        person_key: Masked::new(person.to_owned()),
        reference: "J-26-1".to_owned(),
        reason: reason.to_owned(),
        in_force: Interval { from: moment(), to: Some(moment() + TimeDelta::days(30)) },
    };
    let approvals = world.approvals(Act::RecordInstrument, paper.digest().unwrap(), moment());
    let mut conn = world.db.superuser().await;
    world.agreements.record_order(&mut conn, &paper, &approvals, "ann", moment()).await.unwrap();
}

/// The basis, authority and threat of each disclosure on record, and the reason and purpose of each refusal.
async fn recorded(world: &World, kind: &str) -> Vec<[Option<String>; 5]> {
    let sql = format!(
        "SELECT t.legal_basis, d.authority, d.threat, e.reason, t.purpose FROM ledger.entry AS e
        JOIN ledger.detail AS d USING (entry_id) JOIN ledger.terms AS t ON t.terms_id = e.terms_id
        WHERE e.kind = '{kind}' ORDER BY e.decided_at, d.authority"
    );
    let rows = world.db.superuser().await.fetch_all(AssertSqlSafe(sql)).await.unwrap();
    rows.iter().map(|row| [0, 1, 2, 3, 4].map(|column| row.get(column))).collect()
}

#[tokio::test]
async fn an_emergency_is_recorded_with_its_threat_and_one_without_keeps_back_its_own_client_alone() {
    assert_eq!(agreements::REASON_BYTES_MAX, ledger::TEXT_BYTES_MAX);
    let world = adjudicated(EMERGENCY, &[("C1", STUDENT), ("C2", OTHER)]).await;
    file(&world, InstrumentKind::Emergency, "C1", "a threat against the school on Elm Street").await;
    // As a roster would report it: on file, and it does not say what the threat is.
    file(&world, InstrumentKind::Emergency, "C2", REPORTED).await;
    let (clock, cssd) = (FixedClock(moment()), consumer("cssd"));
    let keys = ["C1", "C2"].map(str::to_owned);
    let items = disclosure::disclose_chunk(world.context(&clock), &ask_of(&cssd), &keys, &encode).await.unwrap();
    let [Item::Disclosed(disclosed), Item::Refused { reason, .. }] = items.as_slice() else { panic!("{items:?}") };
    assert_eq!(disclosed.history.legal_basis(), "health_safety_emergency");
    assert!(!disclosed.history.sections().iter().all(|section| section.rows.is_empty()), "something is disclosed");
    assert_eq!((*reason, reason.public_code()), (Reason::ThreatNotStated, "not_available"));
    let entries = recorded(&world, "disclosure").await;
    let [[law, authority, threat, ..]] = entries.as_slice() else { panic!("{entries:?}") };
    assert_eq!(law.as_deref(), Some("health_safety_emergency"));
    assert_eq!(authority.as_deref(), Some("emergency J-26-1"));
    assert_eq!(threat.as_deref(), Some("a threat against the school on Elm Street"));
    // Nothing that an entry could not hold is put on file in the first place.
    let mut conn = world.db.superuser().await;
    let endless = NewInstrument {
        kind: InstrumentKind::Emergency,
        consumer: cssd.clone(),
        person_key: Masked::new("C2".to_owned()),
        reference: "J-26-2".to_owned(),
        reason: "x".repeat(agreements::REASON_BYTES_MAX + 1),
        in_force: Interval { from: moment(), to: Some(moment() + TimeDelta::days(1)) },
    };
    assert!(world.agreements.file_opening(&mut conn, &endless, moment()).await.is_err());
}

#[tokio::test]
async fn what_a_paper_opens_is_recorded_under_its_number() {
    let world = adjudicated("[access]\n", &[("C1", STUDENT)]).await;
    file(&world, InstrumentKind::CourtOrder, "C1", "disposition hearing").await;
    world.ask("cssd", "C1", moment()).await.unwrap();
    // In a run that two stewards approved the entry names their request as well.
    let cssd = consumer("cssd");
    let request = ExportRequest {
        as_of: None,
        consumer: cssd.clone(),
        expires_at: moment() + TimeDelta::days(1),
        format: "ndjson".to_owned(),
        office: None,
        reason: "the recipient lost its copy".to_owned(),
        requested_at: moment(),
        requested_by: "an operator".to_owned(),
    };
    let mut conn = world.db.superuser().await;
    let digest = world.agreements.file_request(&mut conn, &request).await.unwrap();
    for approval in world.approvals(Act::Export, digest, moment()) {
        world.agreements.approve(&mut conn, Act::Export, digest, &approval).await.unwrap();
    }
    let clock = FixedClock(moment() + TimeDelta::minutes(1));
    let ask = Ask { delivery: Delivery::File, run: Some(Uuid::from_u128(1)), ..ask_of(&cssd) };
    let occasion = Occasion::Approved { request: digest, format: "ndjson" };
    disclosure::begin_file_run(world.context(&clock), &ask, occasion).await.unwrap();
    disclosure::disclose_chunk(world.context(&clock), &ask, &["C1".to_owned()], &encode).await.unwrap();
    let told: Vec<_> =
        recorded(&world, "disclosure").await.into_iter().map(|[law, named, threat, ..]| (law, named, threat)).collect();
    let law = || Some("court_order".to_owned());
    let in_run = format!("court_order J-26-1; export request {digest}");
    assert_eq!(told, [(law(), Some("court_order J-26-1".to_owned()), None), (law(), Some(in_run), None)]);
}

#[tokio::test]
async fn a_refusal_is_recorded_with_the_purpose_that_was_asked() {
    let world = adjudicated(OTHER_PURPOSE, &[("C1", STUDENT)]).await;
    let cssd = consumer("cssd");
    for (minute, purpose) in [(0, None), (1, Some("safety")), (2, Some("a word of the caller's"))] {
        let clock = FixedClock(moment() + TimeDelta::minutes(minute));
        let ask = Ask { purpose, ..ask_of(&cssd) };
        let key = Masked::new("C1".to_owned());
        assert!(disclosure::disclose_one(world.context(&clock), &ask, &key, &encode).await.is_err());
    }
    let told: Vec<_> = recorded(&world, "refusal")
        .await
        .into_iter()
        .map(|[.., why, purpose]| (why.unwrap(), purpose.unwrap()))
        .collect();
    let first = "Serving the student effectively: assessment, supervision and service planning by juvenile probation";
    let told: Vec<(&str, &str)> = told.iter().map(|(why, purpose)| (why.as_str(), purpose.as_str())).collect();
    let expect = [
        ("after_adjudication", first),
        ("after_adjudication", "Keeping the client safe"),
        ("purpose_not_agreed", "a purpose that the agreement does not state"),
    ];
    assert_eq!(told, expect);
}
