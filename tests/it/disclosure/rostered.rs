//! Who asks, and whom a roster names: neither opens, shuts nor betrays more than the agreement says.

use agreements::{Actor, Delivery};

use super::*;

/// A child whom two offices of an agency have, each on another basis: each office's people read what their own basis gives, and nothing fails.
#[tokio::test]
async fn whoever_sees_their_own_office_reads_by_its_own_authority() {
    let world = one_in_care(&["cssd"]).await;
    let elsewhere =
        supervised("C1", "parent_consent", "adjudicated").replace(",JUV,2026-10-01,,O1,P1,", ",DEL,2026-10-01,,O2,P2,");
    let here = supervised("C1", "juvenile_justice", "pre_adjudication");
    assert!(elsewhere.contains(",O2,P2,"), "another office");
    world.roster("cssd", "2026-11-19", &[here, elsewhere], loaded_at()).await;
    world.link("cssd", "C1", STUDENT).await;
    let cssd = consumer("cssd");
    let read = async |office, officer, role| {
        let actor = Actor::Person { role, office, officer, trained_on: Some(moment().date_naive()) };
        let (clock, ask) = (FixedClock(moment()), Ask { actor, delivery: Delivery::Unary, ..ask_of(&cssd) });
        let person = Masked::new("C1".to_owned());
        let told = disclosure::disclose_one(world.context(&clock), &ask, &person, &encode).await;
        told.map(|told| told.history.legal_basis().to_owned())
    };
    let supervisor = "probation_supervisor";
    assert_eq!(read(Some("O1"), None, supervisor).await.unwrap(), "ferpa_juvenile_justice");
    assert_eq!(read(Some("O2"), None, supervisor).await.unwrap(), "parent_consent");
    assert!(matches!(read(Some("O3"), None, supervisor).await, Err(Error::Denied(Reason::AnotherOffice))));
    let officer = "probation_officer";
    assert_eq!(read(Some("O2"), Some("P2"), officer).await.unwrap(), "parent_consent");
    assert!(matches!(read(Some("O1"), Some("P9"), officer).await, Err(Error::Denied(Reason::AnotherCaseload))));
}

/// What a run adds to the log, and what it counts, of a roster with a child of whom nothing may be told: known to the state, or not.
async fn traces(is_known: bool) -> (i64, usize, usize) {
    let world = World::new(&["cssd"]).await;
    let known = if is_known { vec![registration(STUDENT), registration(OTHER)] } else { vec![registration(STUDENT)] };
    world.load("sasid-2.1x", &known, loaded_at()).await;
    let rows = [
        supervised("C1", "juvenile_justice", "pre_adjudication"),
        supervised("C2", "juvenile_justice", "adjudicated"),
        supervised("C3", "juvenile_justice", "pre_adjudication"),
    ];
    world.roster("cssd", "2026-11-19", &rows, loaded_at()).await;
    world.link("cssd", "C1", STUDENT).await;
    if is_known {
        world.link("cssd", "C2", OTHER).await;
    }
    let cssd = consumer("cssd");
    let before = world.entries().await.len();
    let (mut disclosed, mut refused) = (0, 0);
    for delivery in [Delivery::Stream, Delivery::Pdf] {
        let clock = FixedClock(moment());
        let ask = Ask { delivery, run: Some(Uuid::from_u128(delivery as u128 + 1)), ..ask_of(&cssd) };
        let keys = match delivery {
            Delivery::Pdf => disclosure::list_rostered(world.context(&clock), &ask, "", 10).await.unwrap(),
            _ => disclosure::list_due(world.context(&clock), &ask, "", 10).await.unwrap(),
        };
        assert_eq!(keys, ["C1", "C2", "C3"], "known or not: {delivery:?}");
        for item in disclosure::disclose_chunk(world.context(&clock), &ask, &keys, &encode).await.unwrap() {
            match item {
                Item::Disclosed(_) => disclosed += 1,
                Item::Refused { .. } => refused += 1,
                other => panic!("{other:?}"),
            }
        }
    }
    (i64::try_from(world.entries().await.len() - before).unwrap(), disclosed, refused)
}

#[tokio::test]
async fn a_run_leaves_the_same_trace_of_whoever_is_known_and_whoever_is_not() {
    let known = traces(true).await;
    assert_eq!(known, traces(false).await);
    assert_eq!(known, (6, 2, 4));
}

/// What is due to be destroyed follows from every end of what may be told, not from the end of authority alone.
#[tokio::test]
async fn whoever_may_not_be_told_of_any_more_is_due_though_authority_goes_on() {
    let world = one_in_care(&["cssd"]).await;
    let cssd = consumer("cssd");
    let run = async |day: &str, number| {
        let clock = FixedClock(at(&format!("2026-11-{day}T13:00:00Z")));
        let ask = Ask { run: Some(Uuid::from_u128(number)), ..ask_of(&cssd) };
        let keys = disclosure::list_due(world.context(&clock), &ask, "", 10).await.unwrap();
        let items = disclosure::disclose_chunk(world.context(&clock), &ask, &keys, &encode).await.unwrap();
        let (due, _) = disclosure::retention::list_due(world.context(&clock), &ask_of(&cssd)).await.unwrap();
        (items, due)
    };
    world.roster("cssd", "2026-11-19", &[supervised("C1", "juvenile_justice", "pre_adjudication")], loaded_at()).await;
    world.link("cssd", "C1", STUDENT).await;
    let (items, due) = run("19", 1).await;
    assert!(matches!(items.as_slice(), [Item::Disclosed(_)]) && due.is_empty(), "{items:?} {due:?}");
    world.roster("cssd", "2026-11-20", &[supervised("C1", "juvenile_justice", "adjudicated")], loaded_at()).await;
    let (items, due) = run("20", 2).await;
    assert!(matches!(items.as_slice(), [Item::Withdrawn(_)]), "{items:?}");
    let [due] = due.as_slice() else { panic!("one is due: {due:?}") };
    assert_eq!((due.person_key.expose().as_str(), &due.cause), ("C1", &disclosure::retention::Cause::Stopped));
    let Item::Withdrawn(notice) = &items[0] else { unreachable!() };
    assert_eq!(due.destroy_by, notice.destroy_by, "the day that the recipient was told");
}
