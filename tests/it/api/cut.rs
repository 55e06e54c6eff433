//! A stream under way, cut by what ends disclosure beside authority: the agreement's suspension, and orders to restrict persons.

use super::*;

const CLIENTS: usize = 40;
const DISCLOSED: &str = "SELECT count(*) FROM ledger.entry WHERE kind = 'disclosure'";

/// Streams to a receiver that reads one message and no more until `ends` is done; holds what arrives against what was disclosed, and gives how it ended.
async fn cut(ends: impl AsyncFnOnce(&World)) -> (Vec<StreamFeedResponse>, Option<Status>) {
    let served = served(CLIENTS, one_by_one()).await;
    let endpoint = served.endpoint("dcf").initial_stream_window_size(2_048).initial_connection_window_size(2_048);
    let mut client = FeedServiceClient::new(endpoint.connect().await.unwrap());
    let mut stream = client.stream_feed(from(&[])).await.unwrap().into_inner();
    assert_eq!(stream.message().await.unwrap().unwrap().position, 1);
    // It stops by itself: nothing is disclosed that could not be sent.
    let (mut before, mut looks_alike) = (0, 0);
    while looks_alike < 3 {
        tokio::time::sleep(Duration::from_millis(500)).await;
        let now = served.world.count(DISCLOSED).await;
        looks_alike = if now == before { looks_alike + 1 } else { 0 };
        before = now;
    }
    assert!(before < 30, "{before} of {CLIENTS} were disclosed to a receiver that read one");
    ends(&served.world).await;
    let by_then = served.world.count(DISCLOSED).await;
    let (rest, broken) = drain(stream).await;
    // What was queued may still arrive; nothing more is disclosed.
    let arrived = 1 + contents(&rest).len() as i64;
    assert_eq!((arrived, by_then), (served.world.count(DISCLOSED).await, arrived));
    served.end().await;
    (rest, broken)
}

#[tokio::test]
async fn a_suspension_ends_a_stream_under_way() {
    let suspend = async |world: &World| {
        let mut conn = world.db.superuser().await;
        let why = ("ann", "a question is open");
        world.agreements.suspend(&mut conn, "dcf_mou", why, &FixedClock(moment())).await.unwrap();
    };
    let (_, broken) = cut(suspend).await;
    assert_eq!(broken.expect("it is refused").code(), Code::PermissionDenied);
}

#[tokio::test]
async fn orders_take_whom_they_restrict_out_of_a_stream_under_way() {
    let restrict = async |world: &World| {
        let order = "INSERT INTO identity.restriction (source_person_id, kind, in_force, order_number, decided_by, recorded_at)
            SELECT p.source_person_id, 'sealed', '[2026-11-20T14:00:00Z,)', 'O-1', 'ann', '2026-11-20T14:00:00Z' FROM identity.source_person AS p";
        world.force(order).await;
    };
    let (rest, broken) = cut(restrict).await;
    assert!(broken.is_none(), "{broken:?}");
    assert_eq!(end_of(&rest).histories, 1 + contents(&rest).len() as i64);
}
