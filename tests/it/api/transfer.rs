//! A client goes over to another office of the agency while the first office's feed is under way.

use super::{
    changes::{Receiver, later},
    *,
};

/// How many clients the first office has at the beginning: far more than a receiver that does not read lets through.
const CLIENTS: usize = 40;

/// The roster of a day on which these clients, by their places, are another office's.
fn rows(elsewhere: &[usize]) -> Vec<String> {
    let row = |n: usize| {
        let row = in_care(&format!("D{}", n + 10), "2026-10-01", "2026-12-01");
        if elsewhere.contains(&n) { row.replace(",,Hartford,1,W1", ",,Bridgeport,1,W2") } else { row }
    };
    (0..CLIENTS).map(row).collect()
}

fn told(messages: &[StreamFeedResponse]) -> (BTreeSet<String>, BTreeSet<String>) {
    let (mut histories, mut withdrawn) = (BTreeSet::new(), BTreeSet::new());
    for message in messages {
        match message.event.clone() {
            Some(Event::History(history)) => assert!(histories.insert(history.person_id)),
            Some(Event::Withdrawal(notice)) => assert!(withdrawn.insert(notice.person_id)),
            _ => {}
        }
    }
    (histories, withdrawn)
}

/// How often a client's records were disclosed, to whomever.
async fn disclosed(world: &World, sasid: &str) -> i64 {
    let sql = format!(
        "SELECT count(*) FROM ledger.entry AS e JOIN ledger.detail AS d USING (entry_id)
        WHERE e.kind = 'disclosure' AND d.student_id = (SELECT x.student_id FROM identity.crosswalk AS x
            JOIN identity.source_person AS p USING (source_person_id) WHERE p.state_id = '{sasid}' AND x.to_at IS NULL)"
    );
    world.count(&sql).await
}

/// From the instant of the transfer on no history of the client is disclosed to the first office, in a stream under way either; that office is told to stop,
/// in that very stream where it has not passed the client yet, and else with the next; and the other office is told.
#[tokio::test]
async fn a_client_who_goes_to_another_office_leaves_the_stream_of_the_first_at_once() {
    let (first, last) = (0, CLIENTS - 1);
    let served = served(CLIENTS, one_by_one()).await;
    let world = &served.world;
    let mut hartford = Receiver::default();
    assert_eq!(hartford.pull(&served, "Hartford").await.unwrap().0.len(), CLIENTS);
    let mut bridgeport = Receiver::default();
    assert_eq!(bridgeport.pull(&served, "Bridgeport").await.unwrap(), (vec![], vec![]));

    // The first office asks for everything again, reads one message, and stops reading.
    let endpoint = served.endpoint("dcf").initial_stream_window_size(2_048).initial_connection_window_size(2_048);
    let mut client = FeedServiceClient::new(endpoint.connect().await.unwrap());
    let whole = StreamFeedRequest { office: "Hartford".to_owned(), ..from(&[]) };
    let mut stream = client.stream_feed(whole).await.unwrap().into_inner();
    let Some(Event::History(began)) = stream.message().await.unwrap().unwrap().event else { panic!("a history") };
    assert_eq!(began.person_id, "D10");
    let all = "SELECT count(*) FROM ledger.entry WHERE kind = 'disclosure'";
    let mut before = 0;
    loop {
        tokio::time::sleep(Duration::from_millis(500)).await;
        let now = world.count(all).await;
        if now == before {
            break;
        }
        before = now;
    }
    assert_eq!(disclosed(world, &sasid(last)).await, 1, "the run before: this one has not come to the last client");

    // One client whom the stream has passed, and one to whom it has still to come, are another office's from now on.
    world.roster("dcf", "2026-11-20", &rows(&[first, last]), later(1)).await;
    let (rest, broken) = drain(stream).await;
    assert!(broken.is_none(), "{broken:?}");
    let (histories, withdrawn) = told(&rest);
    assert!(!histories.contains("D49") && !histories.contains("D10"), "{histories:?}");
    assert_eq!(withdrawn, BTreeSet::from(["D49".to_owned()]), "the stop notice of whoever was still to come");
    assert_eq!(
        end_of(&rest).histories,
        i64::try_from(CLIENTS - 1).unwrap(),
        "everybody else came, and the client whom it had passed"
    );
    let counted = [disclosed(world, &sasid(first)).await, disclosed(world, &sasid(last)).await];
    assert_eq!(counted, [2, 1], "nothing of either was disclosed behind the transfer");

    // The next run of the first office brings the other stop notice, and nothing more; the second office gets both.
    let mut again = Receiver { token: rest.last().unwrap().resume_token.clone(), ..Receiver::default() };
    let (came, stopped) = again.pull(&served, "Hartford").await.unwrap();
    assert_eq!((came.len(), stopped.iter().map(|one| one.0.as_str()).collect::<Vec<_>>()), (0, vec!["D10"]));
    assert_eq!(again.pull(&served, "Hartford").await.unwrap(), (vec![], vec![]));
    assert_eq!(
        bridgeport.pull(&served, "Bridgeport").await.unwrap(),
        (vec!["D10".to_owned(), "D49".to_owned()], vec![])
    );
    assert_eq!(bridgeport.holds.get("D10"), hartford.holds.get("D10"), "the same history that the first office had");
    served.end().await;
}
