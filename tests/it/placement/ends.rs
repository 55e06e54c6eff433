//! What becomes of notices and stays in the end: whom it is about is erased, what was told proves wrong late, their time is over.

use disclosure::erase::Erased;
use model::SourcePersonId;
use pg::Role;

use super::*;

/// Erases the student of most tests as far as disclosure does, and their stays as identity does.
async fn erase(world: &World, when: DateTime<Utc>) {
    let (sea, clock) = (consumer("sea"), FixedClock(when));
    let persons = [SourcePersonId(
        world.count("SELECT source_person_id FROM identity.source_person WHERE state_id = '9900000017'").await,
    )];
    let approved = ["ann".to_owned(), "ben".to_owned()];
    pg::transaction("test.erase", Role::Ledger)
        .run(&world.db.pool, |tx| {
            let what = Erased {
                students: &[],
                persons: &persons,
                domain: None,
                clients: &[],
                order_number: "E-1",
                approved_by: &approved,
            };
            let (context, own) = (world.context(&clock), ask_of(&sea));
            Box::pin(async move { disclosure::erase::erase(tx, context, &own, what).await })
        })
        .await
        .unwrap();
    world.force("DELETE FROM placement.stay").await;
}

#[tokio::test]
async fn an_erasure_has_the_district_told_to_destroy_its_notice_and_names_nobody() {
    let world = placed_world().await;
    report(&world, &[stay("")], moment()).await;
    let notices = notices_to(&world, None, moment()).await.unwrap();
    let [entered] = notices.disclosed.as_slice() else { panic!("{notices:?}") };
    let entered = entered.notice.id();
    // It left, and nobody knows whether it has arrived: it is to be destroyed all the same.
    let later = moment() + TimeDelta::hours(1);
    erase(&world, later).await;
    assert_eq!(world.count("SELECT count(*) FROM disclosure.placement_notice").await, 0);
    let mut conn = world.db.superuser().await;
    let row = conn.fetch_one("SELECT t::text FROM disclosure.placement_destruction AS t").await.unwrap();
    let row: String = row.get(0);
    assert!(row.contains(&entered.to_string()) && !row.contains("9900000017") && !row.contains("3480115"), "{row}");
    assert_eq!(notices_to(&world, Some("093"), later).await.unwrap().disclosed.len(), 0, "another district's");
    let entries = world.entries().await.len();
    for _ in 0..2 {
        let told = notices_to(&world, Some("064"), later).await.unwrap().disclosed;
        let [one] = told.as_slice() else { panic!("{told:?}") };
        let text = String::from_utf8(one.bytes.to_vec()).unwrap();
        assert_eq!(text.trim(), "064 - destroy None None None retracts true");
        assert_eq!(one.notice.retracts(), Some(entered));
        assert!(one.notice.notice().contains("is to be destroyed"));
        let last = world.entries().await.pop().unwrap();
        let digest = Some(Sha256::digest(&one.bytes).to_vec());
        let reason = Some("placement_notice_erased".to_owned());
        assert_eq!(last, Recorded { kind: "act".to_owned(), reason, digest, names_student: false });
    }
    assert_eq!(
        world.entries().await.len(),
        entries + 2,
        "until it has arrived it is told again, each time with an entry"
    );
    assert_eq!(told(&world, later).await.len(), 1);
    assert_eq!(told(&world, later).await, Vec::<String>::new());
    assert_eq!(world.count("SELECT count(*) FROM disclosure.placement_destruction").await, 0);
}

#[tokio::test]
async fn of_a_notice_that_never_left_nobody_is_told_to_destroy_it() {
    let world = placed_world().await;
    report(&world, &[stay("")], moment()).await;
    // It is made with the others of a run, and waits for the end of an order.
    assert_eq!(notices_to(&world, None, moment()).await.unwrap().disclosed.len(), 1);
    world.force("UPDATE disclosure.placement_notice SET disclosure_id = NULL, disclosed_at = NULL").await;
    erase(&world, moment()).await;
    assert_eq!(world.count("SELECT count(*) FROM disclosure.placement_notice").await, 0);
    assert_eq!(world.count("SELECT count(*) FROM disclosure.placement_destruction").await, 0);
}

#[tokio::test]
async fn what_proves_wrong_after_its_time_is_taken_back_without_a_name() {
    let world = placed_world().await;
    report(&world, &[stay("")], moment()).await;
    assert_eq!(told(&world, moment()).await, [ENTERED]);
    let (released, later) = (stay("2026-11-20 12:00:00"), moment() + TimeDelta::days(1));
    report(&world, std::slice::from_ref(&released), later).await;
    assert_eq!(told(&world, later).await.len(), 1);
    let late = moment() + TimeDelta::days(40);
    assert_eq!(told(&world, late).await, Vec::<String>::new());
    report(&world, &[released.replace("ADM", "VOID")], late).await;
    let taken_back = "064 - retracted None None None retracts true";
    assert_eq!(told(&world, late).await, [taken_back, taken_back]);
    let last = world.entries().await.pop().unwrap();
    assert_eq!((last.kind.as_str(), last.reason.as_deref()), ("notice", Some("placement_notice_wrong")));
    let elements = "SELECT count(*) FROM ledger.terms AS t JOIN ledger.entry AS e USING (terms_id) WHERE e.kind = 'notice' AND t.elements <> '{}'";
    assert_eq!(world.count(elements).await, 0);
    assert_eq!(told(&world, late + TimeDelta::days(1)).await, Vec::<String>::new());
}
