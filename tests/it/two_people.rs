//! What two people must sign: refused with fewer, and refused where it would open nothing.

use agreements::{Act, Error, InstrumentKind, Interval, NewInstrument};
use chrono::{DateTime, TimeDelta, Utc};
use model::{FixedClock, Masked};
use sqlx::Connection as _;
use tests::moment;
use uuid::Uuid;

use crate::world::{World, consumer};

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
