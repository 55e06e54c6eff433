//! What two people must sign: refused with fewer, refused when it comes too late, and refused where it would open nothing.

use agreements::{
    Act, EraseRequest, Error, ExportRequest, InstrumentKind, Interval, JoinKind, JoinRequest, NewCertification,
    NewInstrument, UnsealRequest,
};
use chrono::{DateTime, TimeDelta, Utc};
use disclosure::review;
use model::{FixedClock, Masked, StudentId};
use sqlx::{Connection as _, Executor as _, PgConnection, Row as _};
use tests::{moment, project_file};
use uuid::Uuid;

use crate::world::{STUDENT, World, consumer, loaded_at, registration, supervised};

fn paper(kind: InstrumentKind, who: &str, from: DateTime<Utc>) -> NewInstrument {
    NewInstrument {
        kind,
        consumer: consumer(who),
        person_key: Masked::new("C1".to_owned()),
        reference: "J-26-1".to_owned(),
        reason: "hearing".to_owned(),
        in_force: Interval { from, to: Some(from + TimeDelta::days(60)) },
    }
}

#[tokio::test]
async fn records_are_opened_by_order_on_the_word_of_two_stewards_alone() {
    let world = World::new(&["cssd"]).await;
    let mut conn = world.db.superuser().await;
    let agreements = &world.agreements;
    let act = Act::RecordInstrument;
    let order = paper(InstrumentKind::CourtOrder, "cssd", moment());
    let digest = agreements.file_opening(&mut conn, &order, moment()).await.unwrap();
    let [ann, ben] = world.approvals(act, digest, moment());
    let [again, _] = world.approvals(act, digest, moment() + TimeDelta::seconds(1));
    let when = moment() + TimeDelta::minutes(1);
    let on_file = "SELECT (SELECT count(*) FROM agreements.instrument) + (SELECT count(*) FROM agreements.opening)
        + (SELECT count(*) FROM agreements.request WHERE used_at IS NOT NULL)";
    for (who, signed) in [("nobody", None), ("one", Some(ann)), ("one twice", Some(again))] {
        if let Some(signed) = signed {
            agreements.approve(&mut conn, act, digest, &signed).await.unwrap();
        }
        let opened = agreements.open_records(&mut conn, digest, (Uuid::from_u128(1), "ann"), when).await;
        assert!(matches!(opened, Err(Error::Precondition(_))), "{who}: {opened:?}");
        assert_eq!(world.count(on_file).await, 0, "{who}");
    }
    agreements.approve(&mut conn, act, digest, &ben).await.unwrap();
    agreements.open_records(&mut conn, digest, (Uuid::from_u128(1), "ann"), when).await.unwrap();
    assert_eq!(world.count(on_file).await, 3);
}

/// Two signatures, a notice and an entry would say that records are open, and no clause would open one.
#[tokio::test]
async fn nothing_is_opened_by_order_where_no_agreement_takes_such_a_paper() {
    let world = World::new(&["dcf", "cssd"]).await;
    let mut conn = world.db.superuser().await;
    let agreements = &world.agreements;
    for (kind, who, words) in [
        (InstrumentKind::CourtOrder, "dcf", "amend it by a basis court_order"),
        (InstrumentKind::Emergency, "dcf", "amend it by a basis health_safety_emergency"),
        (InstrumentKind::Emergency, "cssd", "amend it by a basis health_safety_emergency"),
        (InstrumentKind::CourtOrder, "education_unit", "no agreement is in force"),
    ] {
        let refused = agreements.file_opening(&mut conn, &paper(kind, who, moment()), moment()).await;
        let Err(Error::Invalid(said)) = refused else { panic!("{kind} {who}: {refused:?}") };
        assert!(said.contains(words), "{kind} {who}: {said}");
    }
    assert_eq!(world.count("SELECT count(*) FROM agreements.request").await, 0);
    // What was asked and signed while an agreement took it opens nothing once none does.
    let order = paper(InstrumentKind::CourtOrder, "cssd", moment());
    let digest = agreements.file_opening(&mut conn, &order, moment()).await.unwrap();
    for approval in world.approvals(Act::RecordInstrument, digest, moment()) {
        agreements.approve(&mut conn, Act::RecordInstrument, digest, &approval).await.unwrap();
    }
    let stopped = moment() + TimeDelta::minutes(1);
    agreements.suspend(&mut conn, "cssd_agreement", ("ann", "a complaint"), &FixedClock(stopped)).await.unwrap();
    let mut tx = conn.begin().await.unwrap();
    let refused = agreements.open_records(&mut tx, digest, (Uuid::from_u128(1), "ann"), stopped).await;
    assert!(matches!(refused, Err(Error::Invalid(said)) if said.contains("no agreement is in force")));
    tx.rollback().await.unwrap();
    assert_eq!(world.count("SELECT count(*) FROM agreements.instrument").await, 0);
}

/// How long what two people sign may wait for them; a request that says its own time, the time that is asked here.
const fn waits(act: Act) -> TimeDelta {
    match act {
        Act::RecordInstrument => TimeDelta::days(1),
        Act::Export | Act::Erase | Act::Join | Act::Unseal => TimeDelta::days(3),
        Act::Activate | Act::OverrideMatch | Act::Certify => TimeDelta::days(30),
    }
}

/// Puts what is asked on file, as at an instant; gives what stewards sign.
async fn ask(world: &World, conn: &mut PgConnection, act: Act, asked_at: DateTime<Utc>) -> agreements::Digest {
    let agreements = &world.agreements;
    let (sea, expires_at) = (consumer("sea"), asked_at + waits(act));
    let (by, reason) = ("an operator".to_owned(), "as it is asked".to_owned());
    match act {
        Act::Activate => {
            agreements
                .propose(conn, &project_file("deploy/consumers/dcf/agreement.toml"), asked_at)
                .await
                .unwrap()
                .digest
        }
        Act::RecordInstrument => {
            let order = paper(InstrumentKind::CourtOrder, "cssd", asked_at);
            agreements.file_opening(conn, &order, asked_at).await.unwrap()
        }
        Act::Certify => {
            let certification = NewCertification {
                consumer: consumer("cssd"),
                holder: "director".to_owned(),
                reference: "paper 2".to_owned(),
                in_force: Interval { from: asked_at, to: None },
            };
            agreements.file_certification(conn, &certification, asked_at).await.unwrap()
        }
        Act::Export => {
            let request = ExportRequest {
                as_of: None,
                consumer: sea,
                expires_at,
                format: "ndjson".to_owned(),
                office: None,
                reason,
                requested_at: asked_at,
                requested_by: by,
            };
            agreements.file_request(conn, &request).await.unwrap()
        }
        Act::Erase => {
            let request = EraseRequest {
                client: None,
                consumer: sea,
                expires_at,
                fact: None,
                ground: "court_order".to_owned(),
                order_number: "O-1".to_owned(),
                requested_at: asked_at,
                requested_by: by,
                student: Uuid::from_u128(1),
            };
            agreements.file_erasure(conn, &request).await.unwrap()
        }
        Act::Join => {
            let request = JoinRequest {
                consumer: sea,
                differ: Vec::new(),
                expires_at,
                from: None,
                kind: JoinKind::Settle,
                persons: vec![1],
                reason,
                requested_at: asked_at,
                requested_by: by,
                to: None,
                undoes: None,
                with: Vec::new(),
            };
            agreements.file_joining(conn, &request).await.unwrap()
        }
        Act::Unseal => {
            let request = UnsealRequest {
                checkpoint: None,
                consumer: sea,
                expires_at,
                reason,
                requested_at: asked_at,
                requested_by: by,
                since: asked_at,
            };
            agreements.file_unsealing(conn, &request).await.unwrap()
        }
        Act::OverrideMatch => unreachable!("identity keeps it"),
    }
}

/// Asks for a link that the engine did not propose, and has both stewards sign it at an instant: whether the client was linked.
async fn links(world: &World, asked_at: DateTime<Utc>, used_at: DateTime<Utc>) -> bool {
    let (asked, used) = (FixedClock(asked_at), FixedClock(used_at));
    let (key, cssd) = (Masked::new("C1".to_owned()), consumer("cssd"));
    let client = review::find_client(world.context(&asked), &cssd, &key).await.unwrap().unwrap();
    let mut conn = world.db.superuser().await;
    let student = conn.fetch_one("SELECT student_id FROM identity.crosswalk WHERE to_at IS NULL").await.unwrap();
    let pair = (client, StudentId(student.get(0)));
    // Another reason each time: the same request again is refused.
    let reason = format!("birth record, as of {used_at}");
    let request = review::request_override(world.context(&asked), pair, ("ann", &reason)).await.unwrap();
    let mut linked = false;
    for approval in world.approvals(Act::OverrideMatch, review::digest_of(&request), asked_at) {
        let decided = review::approve_override(world.context(&used), request.id, &approval).await;
        linked |= decided.is_ok_and(|decided| decided.is_some_and(|decided| decided.is_matched));
    }
    linked
}

#[tokio::test]
async fn what_two_people_signed_counts_until_it_expires_whatever_the_act() {
    let world = World::new(&["cssd"]).await;
    world.load("sasid-2.1x", &[registration(STUDENT)], loaded_at()).await;
    let rows = [supervised("C1", "juvenile_justice", "adjudicated")];
    world.roster("cssd", "2026-11-19", &rows, loaded_at()).await;
    let mut conn = world.db.superuser().await;
    for act in Act::ALL.iter().copied() {
        let late = moment() + waits(act);
        for (used_at, serves) in [(late, false), (late - TimeDelta::microseconds(1), true)] {
            let served = if act == Act::OverrideMatch {
                links(&world, moment(), used_at).await
            } else {
                let digest = ask(&world, &mut conn, act, moment()).await;
                for approval in world.approvals(act, digest, moment()) {
                    world.agreements.approve(&mut conn, act, digest, &approval).await.unwrap();
                }
                if act == Act::Activate {
                    world.agreements.activate(&mut conn, "dcf_mou", 1, &FixedClock(used_at)).await.is_ok()
                } else {
                    world.agreements.use_request(&mut conn, digest, Uuid::from_u128(1), used_at).await.is_ok()
                }
            };
            assert_eq!(served, serves, "{act} at {used_at}");
        }
    }
}
