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

/// Destroys what is over by a year and a month: stays, notices, and what waits.
async fn end(world: &World, when: DateTime<Utc>) -> (u64, u64, u64) {
    let (reporter, recipient, sea, clock) = (consumer("cssd"), consumer("reentry"), consumer("sea"), FixedClock(when));
    let of = disclosure::PlacementsKept { reporter: &reporter, recipient: &recipient, days: 400 };
    let due = disclosure::list_ended(world.context(&clock), &ask_of(&sea), of).await.unwrap();
    let ended = disclosure::end_placements(world.context(&clock), &ask_of(&sea), of).await.unwrap();
    let waits = due.iter().filter(|one| one.waits).count() as u64;
    assert_eq!((due.len() as u64 - waits, waits), (ended.stays, ended.waiting), "what is listed is what goes");
    (ended.stays, ended.notices, ended.waiting)
}

#[tokio::test]
async fn stays_and_notices_go_together_when_their_time_is_over() {
    let world = placed_world().await;
    report(&world, &[stay("")], moment()).await;
    assert_eq!(told(&world, moment()).await, [ENTERED]);
    let later = moment() + TimeDelta::days(1);
    // Nobody's client, who matches no student, and one who is still there.
    let unknown = stay("2026-11-19 12:00:00").replace(CLIENT, "700100700199").replace("800200", "800201");
    let lasting = stay("").replace(CLIENT, "700100700188").replace("800200", "800202");
    report(&world, &[stay("2026-11-20 12:00:00"), unknown, lasting], later).await;
    assert_eq!(told(&world, later).await.len(), 1);
    assert_eq!(end(&world, moment() + TimeDelta::days(400)).await, (0, 0, 0));
    let over = moment() + TimeDelta::days(402);
    let hold = "INSERT INTO identity.restriction (source_person_id, kind, in_force, order_number, decided_by, recorded_at)
        SELECT source_person_id, 'legal_hold', '[2026-01-01,2028-01-10)', 'H-1', 'ann', '2026-01-01' FROM identity.source_person
        WHERE state_id = '9900000017'";
    world.force(hold).await;
    let entries = world.entries().await.len();
    assert_eq!(end(&world, over).await, (1, 0, 1), "the client who is nobody's, and not whom a hold of the law keeps");
    assert_eq!(world.count("SELECT count(*) FROM disclosure.placement_notice").await, 2);
    world.force("DELETE FROM identity.restriction").await;
    assert_eq!(end(&world, over).await, (1, 2, 0));
    assert_eq!(end(&world, over).await, (0, 0, 0));
    assert_eq!(world.entries().await.len(), entries + 2, "each with an entry");
    let last = world.entries().await.pop().unwrap();
    assert_eq!((last.kind.as_str(), last.reason.as_deref()), ("act", Some("placements_destroyed")));
    assert_eq!(world.count("SELECT count(*) FROM disclosure.placement_notice").await, 0);
    assert_eq!(world.count("SELECT count(*) FROM placement.stay WHERE person_key <> '700100700188'").await, 0);
    assert_eq!(world.count("SELECT count(*) FROM placement.stay").await, 1, "a stay that lasts is kept");
}

#[tokio::test]
async fn a_stay_waits_until_whoever_was_told_has_learnt_that_it_was_wrong() {
    let world = placed_world().await;
    report(&world, &[stay("")], moment()).await;
    assert_eq!(told(&world, moment()).await, [ENTERED]);
    let later = moment() + TimeDelta::days(1);
    report(&world, &[stay("").replace("ADM", "VOID")], later).await;
    let lost = notices_to(&world, None, later).await.unwrap();
    let [one] = lost.disclosed.as_slice() else { panic!("{lost:?}") };
    let over = moment() + TimeDelta::days(403);
    assert_eq!(end(&world, over).await, (0, 0, 1));
    let (recipient, clock) = (consumer("reentry"), FixedClock(later));
    // Another district does not say that it has arrived.
    for (office, ended) in [("093", (0, 0, 1)), ("064", (1, 2, 0))] {
        let ask = Ask { office: Some(office), ..ask_of(&recipient) };
        disclosure::confirm_notices(world.context(&clock), &ask, &[one.notice.id()]).await.unwrap();
        assert_eq!(end(&world, over).await, ended, "{office}");
    }
}

#[tokio::test]
async fn a_stay_waits_while_an_order_over_anything_of_the_student_is_in_force() {
    let world = placed_world().await;
    report(&world, &[stay("2026-11-19 08:00:00")], moment()).await;
    // Domain 5 says nothing of where the student lives or learns.
    let order =
        CONFIDENTIAL.replace("9, 'confidential_address'", "5, 'legal_hold'").replace("2026-11-21", "2028-01-10");
    world.force(&order).await;
    let over = moment() + TimeDelta::days(403);
    assert_eq!(end(&world, over).await, (0, 0, 1));
    world.force("DELETE FROM history.restriction").await;
    assert_eq!(end(&world, over).await, (1, 0, 0));
}

#[tokio::test]
async fn whoever_is_under_an_order_over_enrollment_or_address_is_in_no_report_of_what_one_side_knows() {
    let world = placed_world().await;
    let entered = stay("").replace("2026-11-18", "2026-11-01");
    report(&world, &[entered], moment()).await;
    assert_eq!(told(&world, moment()).await.len(), 1);
    let later = moment() + TimeDelta::days(20);
    assert_eq!(unshown(&world, later).await.len(), 1);
    world.force(&CONFIDENTIAL.replace("2026-11-21", "2027-01-01")).await;
    assert_eq!(unshown(&world, later).await, Vec::<String>::new());
    world.force("UPDATE history.restriction SET domain = 2, kind = 'protective_order'").await;
    assert_eq!(unshown(&world, later).await, Vec::<String>::new());
    assert_eq!(unshown(&world, moment() + TimeDelta::days(45)).await.len(), 1, "the order is over");
}
