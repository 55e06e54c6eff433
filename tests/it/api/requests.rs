//! Calls sent again under their id: to another server, or to one that was started again, which are the same to a caller.

use super::*;

const ENTRIES: &str = "SELECT count(*) FROM ledger.entry";
const REQUESTS: &str = "SELECT count(*) FROM ledger.request";

fn under(id: u128, person_id: &str) -> GetHistoryRequest {
    GetHistoryRequest { request_id: uuid::Uuid::from_u128(id).to_string(), ..person(person_id) }
}

#[tokio::test]
async fn what_another_server_answered_is_not_answered_again() {
    let served = served(2, Limits::default()).await;
    let beside = served.beside(Limits::default()).await;
    let mut first = HistoryServiceClient::new(served.connect("dcf").await);
    let mut second = HistoryServiceClient::new(served.connect_at("dcf", beside).await);
    let answer = first.get_history(under(7, "D10")).await.unwrap().into_inner();
    // The same, another question, and a question that is refused: the id is used, and nothing more is entered.
    for again in [under(7, "D10"), under(7, "D11"), under(7, "X9")] {
        let refused = second.get_history(again).await.unwrap_err();
        assert_eq!((refused.code(), reason_of(&refused).as_str()), (Code::FailedPrecondition, "REQUEST_ID_USED"));
    }
    assert_eq!((served.world.count(ENTRIES).await, served.world.count(REQUESTS).await), (1, 1));
    // The call is remembered by its entry, and by nothing that tells of anybody.
    let remembered = format!(
        "SELECT count(*) FROM ledger.request AS r JOIN ledger.entry AS e USING (entry_id)
         WHERE e.entry_id = '{}' AND r.answered_at = e.decided_at AND octet_length(r.request) = 32",
        answer.history.unwrap().disclosure_id
    );
    assert_eq!(served.world.count(&remembered).await, 1);
    // Ids are each caller's own.
    let mut other = HistoryServiceClient::new(served.connect_at("cssd", beside).await);
    other.get_history(under(7, "C10")).await.unwrap();
    // Sent to both at once it is answered by one.
    let before = served.world.count(ENTRIES).await;
    let both = tokio::join!(first.get_history(under(8, "D11")), second.get_history(under(8, "D11")));
    assert_eq!([both.0.is_ok(), both.1.is_ok()].iter().filter(|is_ok| **is_ok).count(), 1);
    assert_eq!(served.world.count(ENTRIES).await, before + 1);
    // When ids are forgotten, what is asked is disclosed, with an entry of its own.
    let (clock, after) = (FixedClock(moment()), moment() + chrono::TimeDelta::seconds(1));
    let forget = async |before| disclosure::forget_requests(served.world.context(&clock), before, 2).await.unwrap();
    assert_eq!(forget(moment()).await, 0);
    assert_eq!((forget(after).await, forget(after).await), (3, 0), "calls of one moment are forgotten together");
    let third = served.beside(Limits::default()).await;
    let mut third = HistoryServiceClient::new(served.connect_at("dcf", third).await);
    third.get_history(under(7, "D10")).await.unwrap();
    assert_eq!(served.world.count(ENTRIES).await, before + 2);
    served.end().await;
}

#[tokio::test]
async fn a_refusal_sent_again_is_the_same_refusal_and_one_entry_whoever_it_is_about() {
    let served = served(1, Limits::default()).await;
    let beside = served.beside(Limits::default()).await;
    let mut first = HistoryServiceClient::new(served.connect("cssd").await);
    let mut second = HistoryServiceClient::new(served.connect_at("cssd", beside).await);
    let mut answers = BTreeSet::new();
    // Another agency's client, and nobody: of both the same bytes, the first time and again, here and there.
    for (id, person_id) in [(1, "D10"), (2, "X9")] {
        for client in [&mut first, &mut second] {
            for _ in 0..2 {
                let refused = client.get_history(under(id, person_id)).await.unwrap_err();
                assert_eq!(refused.code(), Code::PermissionDenied);
                let (code, message, details, metadata) = told(&refused);
                answers.insert((format!("{code:?}"), message, details, metadata));
            }
        }
    }
    assert_eq!(answers.len(), 1, "{answers:?}");
    assert_eq!((served.world.count(ENTRIES).await, served.world.count(REQUESTS).await), (2, 2));
    // Under the id of a refusal nothing else is answered, be it permitted.
    let refused = second.get_history(under(1, "C10")).await.unwrap_err();
    assert_eq!(reason_of(&refused), "REQUEST_ID_USED");
    let refused = second.get_history(under(1, "D10")).await.unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied);
    assert_eq!(served.world.count(ENTRIES).await, 2);
    second.get_history(under(3, "C10")).await.unwrap();
    served.end().await;
}
