//! What leaves, and what must not: each test is an attempt to get something that the agreement does not give.

mod awaited;
mod clocks;
mod expired;
mod papers;
mod prepared;
mod rostered;

use std::collections::BTreeSet;

use agreements::{Act, InstrumentKind, Interval, NewInstrument, Reason};
use chrono::TimeDelta;
use disclosure::{Ask, Error, Item};
use model::{Domain, FixedClock, Masked, SectionState, Sensitivity, StudentId};
use sha2::{Digest as _, Sha256};
use tests::{moment, project_file};
use uuid::Uuid;

use crate::world::{
    CSSD_HEADER, OTHER, Record, STUDENT, World, ask_of, at, consumer, encode, in_care, loaded_at, offense, reason,
    registration, sea, snapshot, supervised, tombstones, with,
};

/// One student with a history, a client of DCF as `D1`.
async fn one_in_care(consumers: &[&str]) -> World {
    let world = World::new(consumers).await;
    world.load("sasid-2.1x", &[registration(STUDENT), registration(OTHER)], loaded_at()).await;
    world.load("ct-student", &[snapshot(STUDENT), snapshot(OTHER)], loaded_at()).await;
    world.load("ct-discipline", &[offense(STUDENT), offense(OTHER)], loaded_at()).await;
    world.roster("dcf", "2026-11-19", &[in_care("D1", "2026-10-01", "2026-12-01")], loaded_at()).await;
    world.link("dcf", "D1", STUDENT).await;
    world
}

#[tokio::test]
async fn a_client_is_disclosed_and_recorded_by_the_digest_of_the_bytes() {
    let world = one_in_care(&["dcf"]).await;
    let disclosed = world.ask("dcf", "D1", moment()).await.unwrap();
    let text = String::from_utf8(disclosed.bytes.to_vec()).unwrap();
    assert!(text.contains("Quince") && text.contains("0646311") && text.contains("Suspension"), "{text}");
    let withheld = disclosed.history.find_section(Domain::Course).unwrap();
    assert_eq!(
        (withheld.state, withheld.rows.len()),
        (SectionState::NotPermitted, 0),
        "courses are not in the agreement"
    );
    let entries = world.entries().await;
    assert_eq!(entries.len(), 1);
    assert_eq!((entries[0].kind.as_str(), entries[0].names_student), ("disclosure", true));
    assert_eq!(entries[0].digest.as_deref(), Some(&Sha256::digest(&disclosed.bytes)[..]));
}

#[tokio::test]
async fn somebody_elses_client_and_nobody_are_refused_alike() {
    let world = one_in_care(&["dcf", "cssd"]).await;
    world.roster("cssd", "2026-11-19", &[supervised("C1", "juvenile_justice", "pre_adjudication")], loaded_at()).await;
    world.link("cssd", "C1", OTHER).await;
    // The student is DCF's client, under DCF's id; CSSD asks by that id, by one it made up, and by the state's own.
    let mut public = BTreeSet::new();
    for person in ["D1", "X9", STUDENT] {
        let refused = reason(world.ask("cssd", person, moment()).await);
        assert!(refused.is_about_the_student());
        public.insert((refused.public_code(), refused.public_words()));
    }
    assert_eq!(public.len(), 1, "{public:?}");
    let entries = world.entries().await;
    assert_eq!(entries.len(), 3);
    assert!(entries.iter().all(|e| e.kind == "refusal" && !e.names_student && e.digest.is_none()));
    assert!(world.ask("cssd", "C1", moment()).await.is_ok());
}

#[tokio::test]
async fn nothing_is_disclosed_before_or_after_custody() {
    let world = one_in_care(&["dcf"]).await;
    let end = at("2026-12-02T05:00:00Z");
    let begin = at("2026-10-01T04:00:00Z");
    // Days are New York's; the ledger's time only moves forward.
    assert!(reason(world.ask("dcf", "D1", begin - TimeDelta::microseconds(1)).await).is_about_the_student());
    assert!(world.ask("dcf", "D1", end - TimeDelta::microseconds(1)).await.is_ok());
    assert!(reason(world.ask("dcf", "D1", end).await).is_about_the_student());
    // A clock set back does not reopen it: the ledger has seen later.
    assert!(reason(world.ask("dcf", "D1", moment()).await).is_about_the_student());
    // Nor does asking for what was known then.
    let earlier = world.ask_as_of("dcf", "D1", end + TimeDelta::days(1), Some(moment())).await;
    assert!(reason(earlier).is_about_the_student());
}

/// A client goes over to another office: from that roster on the first office is told nothing, and the second what the first was.
#[tokio::test]
async fn whoever_goes_to_another_office_is_told_to_that_office_alone() {
    let world = one_in_care(&["dcf"]).await;
    let dcf = consumer("dcf");
    let told = async |office, when| {
        let (clock, ask) = (FixedClock(when), Ask { office: Some(office), ..ask_of(&dcf) });
        let person = Masked::new("D1".to_owned());
        disclosure::disclose_one(world.context(&clock), &ask, &person, &encode).await.map(|told| told.bytes)
    };
    let before = told("Hartford", moment()).await.unwrap();
    assert!(matches!(told("Bridgeport", moment()).await, Err(Error::Denied(Reason::AnotherOffice))));
    let moved = in_care("D1", "2026-10-01", "2026-12-01").replace(",,Hartford,1,W1", ",,Bridgeport,1,W2");
    world.roster("dcf", "2026-11-20", &[moved], moment()).await;
    let after = moment() + TimeDelta::hours(1);
    assert!(matches!(told("Hartford", after).await, Err(Error::Denied(Reason::AnotherOffice))));
    assert_eq!(told("Bridgeport", after).await.unwrap(), before);
}

#[tokio::test]
async fn what_was_made_leaves_only_while_everybody_in_it_is_a_client() {
    let world = one_in_care(&["dcf"]).await;
    let dcf = consumer("dcf");
    let student = world.ask("dcf", "D1", moment()).await.unwrap().history.student();
    let may = async |clients: &[(&str, StudentId)], when| {
        let clock = FixedClock(when);
        let clients: Vec<(String, StudentId)> = clients.iter().map(|(key, one)| ((*key).to_owned(), *one)).collect();
        disclosure::may_still_leave(world.context(&clock), &ask_of(&dcf), &clients).await.unwrap()
    };
    assert!(may(&[], moment()).await && may(&[("D1", student)], moment()).await);
    assert!(!may(&[("D1", student), ("D2", student)], moment()).await, "one of them is nobody's client");
    assert!(!may(&[("D1", StudentId(Uuid::nil()))], moment()).await, "the client proved to be another child");
    assert!(!may(&[("D1", student)], at("2026-12-02T05:00:00Z")).await, "custody has ended");
    assert_eq!(world.entries().await.len(), 1, "asking discloses nothing, and enters nothing");
}

#[tokio::test]
async fn a_client_whom_the_roster_no_longer_names_is_gone() {
    let world = one_in_care(&["dcf"]).await;
    let (first, second) = (in_care("D1", "2026-10-01", ""), in_care("D2", "2026-10-01", ""));
    world.roster("dcf", "2026-11-20", &[first.clone(), second.clone()], loaded_at()).await;
    world.link("dcf", "D2", OTHER).await;
    assert!(world.ask("dcf", "D2", moment()).await.is_ok());
    // The bytes of an earlier day again, for a later one: the second client has left meanwhile.
    world.roster("dcf", "2026-11-21", std::slice::from_ref(&first), moment()).await;
    assert!(reason(world.ask("dcf", "D2", at("2026-11-21T12:00:00Z")).await).is_about_the_student());
    world.roster("dcf", "2026-11-22", &[first.clone(), second], moment()).await;
    assert!(world.ask("dcf", "D2", at("2026-11-22T12:00:00Z")).await.is_ok());
    let again = world.roster("dcf", "2026-11-23", std::slice::from_ref(&first), moment()).await;
    assert!(!again.receipt.seen_before);
    assert!(reason(world.ask("dcf", "D2", at("2026-11-23T12:00:00Z")).await).is_about_the_student());
    let twice = world.roster("dcf", "2026-11-23", &[first], moment()).await;
    assert!(twice.receipt.seen_before, "the same day's bytes twice change nothing");
    assert!(world.ask("dcf", "D1", at("2026-11-23T12:00:00Z")).await.is_ok());
}

#[tokio::test]
async fn after_adjudication_it_takes_an_order_that_two_people_entered() {
    let world = one_in_care(&["cssd"]).await;
    let rows = [supervised("C1", "juvenile_justice", "adjudicated"), supervised("C2", "court_order", "adjudicated")];
    let taken = world.roster("cssd", "2026-11-19", &rows, loaded_at()).await;
    world.link("cssd", "C1", STUDENT).await;
    world.link("cssd", "C2", OTHER).await;
    assert_eq!(taken.orders.len(), 1, "an order that a roster reports waits for two people");
    for person in ["C1", "C2"] {
        assert!(reason(world.ask("cssd", person, moment()).await).is_about_the_student(), "{person}");
    }
    let order = NewInstrument {
        kind: InstrumentKind::CourtOrder,
        consumer: consumer("cssd"),
        person_key: Masked::new("C1".to_owned()),
        reference: "J-26-1".to_owned(),
        reason: "disposition hearing".to_owned(),
        in_force: Interval { from: moment(), to: Some(moment() + TimeDelta::days(30)) },
    };
    let [ann, ben] = world.approvals(Act::RecordInstrument, order.digest().unwrap(), moment());
    let mut conn = world.db.superuser().await;
    let alone = world.agreements.record_order(&mut conn, &order, &[ann.clone(), ann.clone()], "ann", moment()).await;
    assert!(alone.is_err());
    assert!(world.ask("cssd", "C1", moment()).await.is_err());
    world.agreements.record_order(&mut conn, &order, &[ann, ben], "ann", moment()).await.unwrap();
    let disclosed = world.ask("cssd", "C1", moment()).await.unwrap();
    assert_eq!(disclosed.history.legal_basis(), "court_order");
    assert!(world.ask("cssd", "C2", moment()).await.is_err(), "the order is about another client");
    assert!(world.ask("cssd", "C1", moment() + TimeDelta::days(30)).await.is_err(), "the order has ended");
    // An order moved to another client past the program stops everything.
    world.force("SET session_replication_role = replica; UPDATE agreements.instrument SET person_key = 'C2', valid_to = '2099-01-01'").await;
    let forged = world.ask("cssd", "C2", moment() + TimeDelta::days(30)).await;
    assert!(matches!(forged, Err(Error::Agreements(_))), "{forged:?}");
}

#[tokio::test]
async fn a_paper_opens_while_it_is_reported_and_the_child_it_was_given_for() {
    let world = one_in_care(&["cssd"]).await;
    let released = supervised("C1", "parent_consent", "adjudicated");
    let noon = |day: &str| at(&format!("2026-11-{day}T13:00:00Z"));
    world.roster("cssd", "2026-11-19", std::slice::from_ref(&released), loaded_at()).await;
    world.link("cssd", "C1", STUDENT).await;
    let disclosed = world.ask("cssd", "C1", noon("19")).await.unwrap();
    assert_eq!(disclosed.history.legal_basis(), "parent_consent");
    // The agency no longer states it: the release is taken back. It is no basis that a later roster loses by mistake for ever.
    world.roster("cssd", "2026-11-20", &[supervised("C1", "juvenile_justice", "adjudicated")], loaded_at()).await;
    assert!(reason(world.ask("cssd", "C1", noon("20")).await).is_about_the_student());
    for day in ["21", "22"] {
        world.roster("cssd", &format!("2026-11-{day}"), std::slice::from_ref(&released), loaded_at()).await;
        assert!(world.ask("cssd", "C1", noon(day)).await.is_ok(), "reported again");
    }
    // An end that comes earlier ends the paper with it.
    let shorter = released.replace(",2026-10-01,,", ",2026-10-01,2026-11-24,");
    world.roster("cssd", "2026-11-23", &[shorter], loaded_at()).await;
    let open =
        "SELECT count(*) FROM agreements.instrument WHERE revoked_at IS NULL AND valid_to = '2026-11-25 05:00:00+00'";
    assert_eq!(world.count(open).await, 1);
    assert_eq!(world.count("SELECT count(*) FROM agreements.instrument WHERE revoked_at IS NULL").await, 1);
    // The id means another child: no paper about the first, two stewards' neither, opens the second's record.
    let order = NewInstrument {
        kind: InstrumentKind::CourtOrder,
        consumer: consumer("cssd"),
        person_key: Masked::new("C1".to_owned()),
        reference: "J-26-9".to_owned(),
        reason: "disposition hearing".to_owned(),
        in_force: Interval { from: moment(), to: Some(moment() + TimeDelta::days(30)) },
    };
    let signed = world.approvals(Act::RecordInstrument, order.digest().unwrap(), moment());
    let mut conn = world.db.superuser().await;
    world.agreements.record_order(&mut conn, &order, &signed, "ann", moment()).await.unwrap();
    let another = supervised("C1", "juvenile_justice", "adjudicated")
        .replace("Quince,Ambrosia,,,2010-03-04", "Medlar,Quill,,,2012-07-09");
    world.roster("cssd", "2026-11-24", &[another], loaded_at()).await;
    assert_eq!(world.count("SELECT count(*) FROM agreements.instrument WHERE revoked_at IS NULL").await, 0);
}

#[tokio::test]
async fn rows_that_contradict_each_other_and_a_roster_of_tomorrow_give_nothing() {
    let world = one_in_care(&["cssd"]).await;
    let layout = identity::roster::RosterLayout::parse(&project_file("deploy/consumers/cssd/roster.toml")).unwrap();
    let take = async |day: &str, rows: &[String], tail: &str| {
        let bytes = format!("{CSSD_HEADER}\n{}\n{tail}", rows.join("\n"));
        let source = (&consumer("cssd"), "roster.csv", bytes.as_bytes());
        let when = (day.parse().unwrap(), at("2026-11-20T18:00:00Z"));
        intake::roster::take(&world.db.pool, (&world.agreements, &tombstones()), &layout, source, when)
            .await
            .unwrap()
            .receipt
    };
    let before = supervised("C1", "juvenile_justice", "pre_adjudication");
    let other = supervised("C2", "juvenile_justice", "pre_adjudication");
    let contradicted = [before.clone(), supervised("C1", "juvenile_justice", "adjudicated"), other.clone()];
    let tomorrow = take("2026-11-21", std::slice::from_ref(&before), "").await;
    assert!(tomorrow.refused_reason.is_some_and(|why| why.contains("days to come")));
    let cut = take("2026-11-20", &[before.clone(), other.clone()], "C3,Quince,Amb").await;
    assert!(cut.refused_reason.is_some_and(|why| why.contains("cut off")));
    let receipt = take("2026-11-20", &contradicted, "").await;
    // Two of three rows are bad in so small a roster: it is refused as a whole.
    assert!(receipt.refused_reason.is_some());
    let many: Vec<String> =
        (10..30).map(|n| supervised(&format!("C{n}"), "juvenile_justice", "pre_adjudication")).collect();
    let receipt = take("2026-11-20", &[&contradicted[..], &many].concat(), "").await;
    let rules: Vec<_> = receipt.findings.iter().map(|finding| finding.rule).collect();
    assert_eq!((receipt.accepted, rules), (21, vec!["row.contradiction"; 2]));
    world.link("cssd", "C2", OTHER).await;
    assert!(world.ask("cssd", "C2", at("2026-11-20T19:00:00Z")).await.is_ok());
    assert_eq!(world.count("SELECT count(*) FROM identity.client WHERE person_key = 'C1'").await, 0);
}

#[tokio::test]
async fn an_activation_without_signatures_discloses_nothing() {
    let world = one_in_care(&[]).await;
    assert_eq!(reason(world.ask("dcf", "D1", moment()).await), Reason::NoAgreement);
    let mut conn = world.db.superuser().await;
    let document = project_file("deploy/consumers/dcf/agreement.toml");
    world.agreements.propose(&mut conn, &document, loaded_at()).await.unwrap();
    assert_eq!(reason(world.ask("dcf", "D1", moment()).await), Reason::NoAgreement);
    world.force(
        "INSERT INTO agreements.approval (digest, act, steward, given_at, signature, sandbox)
        SELECT v.digest, 'agreement.activate', s, v.recorded_at, sha512('forged'), false
        FROM agreements.version AS v, UNNEST(ARRAY['ann', 'ben']) AS s;
        INSERT INTO agreements.activation (agreement_id, version, consumer, digest, first_steward, first_given_at,
            second_steward, second_given_at, activated_at)
        SELECT v.agreement_id, v.version, v.consumer, v.digest, 'ann', v.recorded_at, 'ben', v.recorded_at, v.recorded_at
        FROM agreements.version AS v",
    )
    .await;
    let forged = world.ask("dcf", "D1", moment()).await;
    assert!(matches!(forged, Err(Error::Agreements(_))), "{forged:?}");
}

#[tokio::test]
async fn terms_widened_in_the_database_disclose_nothing() {
    let world = one_in_care(&["dcf"]).await;
    // The agreement is loaded and its plan kept; then somebody adds an element to the rows that the statement joins.
    assert!(world.ask("dcf", "D1", moment()).await.is_ok());
    world.force("UPDATE agreements.term SET elements = array_append(elements, 'arrested') WHERE domain = 6").await;
    let widened = world.ask("dcf", "D1", moment()).await;
    assert!(matches!(widened, Err(Error::Corrupt(_) | Error::Agreements(_))), "{widened:?}");
    assert_eq!(world.entries().await.len(), 1);
}

#[tokio::test]
async fn an_agreement_that_ended_discloses_nothing() {
    let world = one_in_care(&["dcf", "cssd"]).await;
    let mut conn = world.db.superuser().await;
    assert!(world.ask("dcf", "D1", moment()).await.is_ok());
    let stopped = moment() + TimeDelta::hours(1);
    world
        .agreements
        .suspend(&mut conn, "dcf_mou", ("ann", "a complaint is looked into"), &FixedClock(stopped))
        .await
        .unwrap();
    assert_eq!(reason(world.ask("dcf", "D1", stopped).await), Reason::AgreementSuspended);
    let expired = at("2031-07-01T04:00:00Z");
    assert_eq!(reason(world.ask("cssd", "D1", expired).await), Reason::AgreementExpired);
}

#[tokio::test]
async fn a_sealed_person_is_disclosed_to_nobody() {
    let world = one_in_care(&["dcf", "sea"]).await;
    assert!(world.ask("dcf", "D1", moment()).await.is_ok());
    world
        .force(&format!(
            "INSERT INTO identity.restriction (source_person_id, kind, in_force, order_number, decided_by, recorded_at)
            SELECT p.source_person_id, 'sealed', tstzrange('{0}', NULL), 'O-1', 'ann', '{0}'
            FROM identity.source_person AS p WHERE p.state_id = '{STUDENT}'",
            moment()
        ))
        .await;
    assert!(reason(world.ask("dcf", "D1", moment()).await).is_about_the_student());
    let earlier = world.ask_as_of("dcf", "D1", moment(), Some(moment() - TimeDelta::days(1))).await;
    assert!(reason(earlier).is_about_the_student(), "a seal is today's, whatever time is asked about");
    // The state's own export of everybody has the others.
    let (_, histories) = world.own_export(&FixedClock(moment()), &consumer("sea")).await;
    let told: Vec<_> = histories.iter().map(|history| String::from_utf8(encode(history).unwrap()).unwrap()).collect();
    assert!(
        !told.iter().any(|history| history.contains(STUDENT)) && told.iter().any(|history| history.contains(OTHER))
    );
}

#[tokio::test]
async fn where_somebody_lives_is_told_in_no_domain_once_their_contacts_are_under_an_order() {
    // Whatever of the student's own record says where to find the student.
    let address = domains::definition(Domain::Student).elements.iter().filter(|e| e.class == Sensitivity::Contact);
    let hidden = project_file("migrations/20261124005000_restrict_where_someone_lives.sql");
    for element in address {
        assert!(hidden.contains(&format!("'{}'", element.name)), "{}", element.name);
    }
    let world = one_in_care(&["dcf"]).await;
    let text = |disclosed: &disclosure::Disclosed| String::from_utf8(disclosed.bytes.to_vec()).unwrap();
    let town = |disclosed: &disclosure::Disclosed| text(disclosed).contains(" resident_town=\"");
    assert!(town(&world.ask("dcf", "D1", moment()).await.unwrap()));
    let order = intake::restriction::Order {
        sea: sea(),
        state_id: Masked::new(STUDENT.to_owned()),
        kind: "confidential_address".to_owned(),
        domain: Some(Domain::Contact),
        ordered_on: "2026-11-01".parse().unwrap(),
        order_number: "O-2".to_owned(),
    };
    let zone =
        identity::roster::RosterLayout::parse(&project_file("deploy/consumers/dcf/roster.toml")).unwrap().time_zone;
    intake::restriction::restrict(&world.db.pool, &order, zone, "ann", loaded_at()).await.unwrap();
    let disclosed = world.ask("dcf", "D1", moment()).await.unwrap();
    assert!(!town(&disclosed) && text(&disclosed).contains("0646311"));
}

#[tokio::test]
async fn an_expunged_record_never_appears_again() {
    let world = one_in_care(&["dcf", "sea"]).await;
    let before = loaded_at() + TimeDelta::days(1);
    let says =
        |disclosed: &disclosure::Disclosed| String::from_utf8(disclosed.bytes.to_vec()).unwrap().contains("H-2024-17");
    assert!(says(&world.ask("dcf", "D1", moment()).await.unwrap()));
    let expunged = with(&offense(STUDENT), &[("expunged", "1")]);
    world.load("ct-discipline", &[expunged], loaded_at() + TimeDelta::days(2)).await;
    assert!(!says(&world.ask("dcf", "D1", moment()).await.unwrap()));
    let earlier = world.ask_as_of("dcf", "D1", moment(), Some(before)).await.unwrap();
    assert!(!says(&earlier), "nor in what was known before");
    let clock = FixedClock(moment());
    let sea = consumer("sea");
    let (_, histories) = world.own_export(&clock, &sea).await;
    let told =
        histories.iter().filter(|history| String::from_utf8(encode(history).unwrap()).unwrap().contains("H-2024-17"));
    assert_eq!(told.count(), 1, "the other student's incident alone");
}

/// What DCF and CSSD are told of the student and of the other, who differ in these records only.
async fn twins(layout: &str, stay: &[Record<'_>], ordinary: &[Record<'_>]) {
    let world = World::new(&["dcf", "cssd"]).await;
    let both = |a: Record<'static>, b: Record<'static>| [a, b];
    // Before the day of the snapshots, so that what was reported last of the student is the same of both.
    let earlier = "2024-09-30T15:00:00Z".parse().unwrap();
    world.load("sasid-2.1x", &both(registration(STUDENT), registration(OTHER)), earlier).await;
    let records: Vec<Record<'_>> = stay.iter().chain(ordinary).cloned().collect();
    world.load(layout, &records, earlier).await;
    world.load("ct-student", &both(snapshot(STUDENT), snapshot(OTHER)), loaded_at()).await;
    let care = ["D1", "D2"].map(|person| in_care(person, "2026-10-01", ""));
    world.roster("dcf", "2026-11-19", &care, loaded_at()).await;
    let court = ["C1", "C2"].map(|person| supervised(person, "juvenile_justice", "pre_adjudication"));
    world.roster("cssd", "2026-11-19", &court, loaded_at()).await;
    for (who, first, second) in [("dcf", "D1", "D2"), ("cssd", "C1", "C2")] {
        world.link(who, first, STUDENT).await;
        world.link(who, second, OTHER).await;
        // As of a day before organizations were taken in, and as of now.
        for as_of in [Some(moment() - TimeDelta::days(5)), None] {
            let told = async |person: &str, sasid: &str| {
                let disclosed = world.ask_as_of(who, person, moment(), as_of).await.unwrap();
                String::from_utf8(disclosed.bytes.to_vec()).unwrap().replace(sasid, "SASID")
            };
            let (with_stay, without) = (told(first, STUDENT).await, told(second, OTHER).await);
            for marker in ["348", "Detention", "Judicial"] {
                assert!(!with_stay.contains(marker), "{who} {as_of:?}: {marker} in {with_stay}");
            }
            assert_eq!(with_stay, without, "{who} {as_of:?}");
        }
    }
}

#[tokio::test]
async fn a_second_facility_of_another_agency_leaves_no_trace() {
    let later = [("fall_of_year", "2025"), ("snapshot_date", "2025-10-01"), ("grade_code", "10")];
    let marked = with(
        &with(&snapshot(STUDENT), &later),
        &[("facility_2_code", "3480115"), ("special_program_status", "08"), ("dcf_status", "1")],
    );
    twins("ct-student", &[marked], &[with(&snapshot(OTHER), &later)]).await;
}

#[tokio::test]
async fn a_snapshot_from_a_detention_centre_reads_as_the_home_districts() {
    let later = [("fall_of_year", "2025"), ("snapshot_date", "2025-10-01"), ("grade_code", "10")];
    let held =
        with(&with(&snapshot(STUDENT), &later), &[("reporting_district", "348"), ("facility_1_code", "3480115")]);
    twins("ct-student", &[held], &[with(&snapshot(OTHER), &later)]).await;
}

#[tokio::test]
async fn a_stay_between_two_registrations_leaves_no_seam() {
    let left = Record::from([
        ("record_type", "U"),
        ("sasid", STUDENT),
        ("reporting_district", "064"),
        ("birth_date", "03042010"),
        ("exit_date", "01092025"),
        ("exit_type", "02"),
        ("exit_status", "02"),
    ]);
    let entry = "reporting_district_entry_date";
    let held = with(
        &registration(STUDENT),
        &[("reporting_district", "348"), (entry, "01102025"), ("facility_code_1", "3480115")],
    );
    let released = with(&left, &[("reporting_district", "348"), ("exit_date", "02282025")]);
    let back = with(&registration(STUDENT), &[(entry, "03032025")]);
    twins("sasid-2.1x", &[left, held, released, back], &[]).await;
}

#[tokio::test]
async fn the_sea_sees_everything_and_is_recorded() {
    let world = one_in_care(&["sea"]).await;
    let held = with(
        &snapshot(STUDENT),
        &[
            ("fall_of_year", "2025"),
            ("snapshot_date", "2025-10-01"),
            ("facility_2_code", "3480115"),
            ("special_program_status", "08"),
        ],
    );
    world.load("ct-student", &[held], loaded_at() + TimeDelta::days(1)).await;
    let (clock, sea) = (FixedClock(moment()), consumer("sea"));
    let students: Vec<StudentId> =
        disclosure::list_students(world.context(&clock), &ask_of(&sea), None, 10).await.unwrap();
    assert_eq!(students.len(), 2);
    let (access, histories) = world.own_export(&clock, &sea).await;
    let text: String = histories.iter().map(|history| String::from_utf8(encode(history).unwrap()).unwrap()).collect();
    for told in ["3480115", "Bridgeport Detention Center", "arrested=false", STUDENT, OTHER] {
        assert!(text.contains(told), "{told}");
    }
    assert!(histories.iter().all(|history| history.sections().iter().all(|section| section.withheld.is_empty())));
    let entries = world.entries().await;
    assert_eq!(entries.len(), 1);
    assert_eq!((entries[0].kind.as_str(), entries[0].names_student), ("access", false));
    let ask = ask_of(&sea);
    let stranger = [StudentId(Uuid::from_u128(1))];
    let beyond = disclosure::access_chunk(world.context(&clock), &ask, &access, &stranger).await;
    assert!(matches!(beyond, Err(Error::Invalid(_))), "only the students that were recorded");
    for other in [
        Ask { run: Some(Uuid::from_u128(2)), ..ask.clone() },
        Ask { as_of: Some(loaded_at()), ..ask.clone() },
        Ask { purpose: Some("another"), ..ask.clone() },
    ] {
        let reused = disclosure::access_chunk(world.context(&clock), &other, &access, &students).await;
        assert!(matches!(reused, Err(Error::Invalid(_))), "an access serves what it was recorded for");
    }
}

#[tokio::test]
async fn a_chunk_is_recorded_entry_by_entry_and_an_encoder_that_fails_keeps_all_back() {
    let world = one_in_care(&["dcf"]).await;
    let (clock, dcf) = (FixedClock(moment()), consumer("dcf"));
    let keys = ["X1", "D1", "X2"].map(str::to_owned);
    let fails = |_: &disclosure::DisclosedHistory| Err(disclosure::Unencoded::Failed("full".to_owned()));
    let failed = disclosure::disclose_chunk(world.context(&clock), &ask_of(&dcf), &keys, &fails).await;
    assert!(matches!(failed, Err(Error::Encode(_))));
    assert!(world.entries().await.is_empty(), "nothing left, so nothing is recorded");
    let items = disclosure::disclose_chunk(world.context(&clock), &ask_of(&dcf), &keys, &encode).await.unwrap();
    assert!(matches!(items.as_slice(), [Item::Refused { .. }, Item::Disclosed(_), Item::Refused { .. }]), "{items:?}");
    let entries = world.entries().await;
    assert_eq!(entries.len(), 3);
    assert_eq!(entries.iter().filter(|entry| entry.kind == "disclosure").count(), 1);
}

/// Care ends at midnight in New York. A clock that steps back over it brings nothing back: the last entry's time counts.
#[tokio::test]
async fn a_clock_that_steps_back_opens_nothing_that_has_closed() {
    let world = World::new(&["dcf"]).await;
    world.load("sasid-2.1x", &[registration(STUDENT)], loaded_at()).await;
    world.roster("dcf", "2026-11-19", &[in_care("D1", "2026-10-01", "2026-11-19")], loaded_at()).await;
    world.link("dcf", "D1", STUDENT).await;
    let (before, after) = (at("2026-11-20T04:00:00Z"), at("2026-11-20T06:00:00Z"));
    assert!(world.ask("dcf", "D1", before).await.is_ok());
    assert_eq!(reason(world.ask("dcf", "D1", after).await), Reason::NotAClient);
    assert_eq!(reason(world.ask("dcf", "D1", before).await), Reason::NotAClient);
}

/// Nothing about discipline older than a year, and no record of a kind that the agreement leaves out, on the day and by the statement.
#[tokio::test]
async fn records_too_old_and_kinds_left_out_are_not_disclosed() {
    let world = one_in_care(&[]).await;
    let rest: Vec<&str> = domains::definition(Domain::Discipline).kinds.iter().map(|kind| kind.name).collect();
    let shipped = project_file("deploy/consumers/dcf/agreement.toml");
    let clause = "discipline = \"all\"\n";
    assert!(shipped.contains(clause) && rest.len() > 1, "{rest:?}");
    let old = with(
        &offense(STUDENT),
        &[
            ("incident_identifier", "H-2022-3"),
            ("fall_of_year", "2022"),
            ("incident_date", "2022-11-05"),
            ("sanction_date", "2022-11-06"),
        ],
    );
    world.load("ct-discipline", &[offense(STUDENT), old], loaded_at()).await;
    world.activate(&shipped.replace(clause, &format!("{clause}[clause.records]\nmax_age_years = 3\n"))).await;
    let said = |disclosed: disclosure::Disclosed| String::from_utf8(disclosed.bytes.to_vec()).unwrap();
    let told = said(world.ask("dcf", "D1", moment()).await.unwrap());
    assert!(told.contains("H-2024-17") && !told.contains("H-2022-3"), "{told}");
    let world = one_in_care(&[]).await;
    let excluded = format!("{clause}[clause.records]\nexclude_kinds = [\"discipline.{}\"]\n", rest[0]);
    world.activate(&shipped.replace(clause, &excluded)).await;
    let facts = "SELECT count(*) FROM history.fact WHERE domain = 6 AND kind = ";
    assert!(world.count(&format!("{facts}'{}'", rest[0])).await > 0, "{} is on record", rest[0]);
    let told = said(world.ask("dcf", "D1", moment()).await.unwrap());
    let all = said({
        let world = one_in_care(&["dcf"]).await;
        world.ask("dcf", "D1", moment()).await.unwrap()
    });
    assert!(told.len() < all.len(), "less is told without {}", rest[0]);
}
