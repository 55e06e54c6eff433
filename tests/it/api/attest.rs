//! A recipient attests by its own system that it has destroyed what it was sent.

use proto::{
    feed::v1::{AttestDestructionRequest, Attestation},
    google::r#type::Date,
};

use super::*;

const ATTESTED: &str =
    "SELECT count(*) FROM ledger.entry AS e JOIN disclosure.attestation AS a ON a.attestation_id = e.entry_id
    WHERE e.kind = 'attestation' AND e.reason = 'destroyed_on_' || a.destroyed_on";

fn attest(notices: &[&str], persons: &[&str]) -> AttestDestructionRequest {
    AttestDestructionRequest {
        withdrawal_ids: notices.iter().map(|id| (*id).to_owned()).collect(),
        person_ids: persons.iter().map(|id| (*id).to_owned()).collect(),
        destroyed_date: Some(Date { year: 2026, month: 11, day: 20 }),
        method: "overwritten".to_owned(),
        attested_by: "its records officer".to_owned(),
        reference: "DCF-30-1".to_owned(),
        request_id: String::new(),
    }
}

async fn due(world: &World) -> Vec<String> {
    let (dcf, clock) = (consumer("dcf"), FixedClock(moment()));
    let (due, _) = disclosure::retention::list_due(world.context(&clock), &crate::world::ask_of(&dcf)).await.unwrap();
    due.iter().map(|one| one.person_key.expose().clone()).collect()
}

#[tokio::test]
async fn a_recipient_attests_by_the_notice_that_it_was_sent() {
    let served = served(2, one_by_one()).await;
    let world = &served.world;
    let mut client = FeedServiceClient::new(served.connect("dcf").await);
    let (messages, _) = drain(client.stream_feed(from(&[])).await.unwrap().into_inner()).await;
    let end = messages.last().unwrap().resume_token.clone();
    let rows = [in_care("D10", "2026-10-01", "2026-12-01"), in_care("D11", "2026-10-01", "2026-11-10")];
    world.roster("dcf", "2026-11-20", &rows, moment() - chrono::TimeDelta::minutes(5)).await;
    let (messages, _) = drain(client.stream_feed(from(&end)).await.unwrap().into_inner()).await;
    let notices = messages.iter().filter_map(|message| match message.event.clone() {
        Some(Event::Withdrawal(notice)) => Some(notice),
        _ => None,
    });
    let notices: Vec<_> = notices.collect();
    assert_eq!((notices.len(), notices[0].person_id.as_str()), (1, "D11"));
    assert_eq!(due(world).await, ["D11"]);
    let notice = notices[0].withdrawal_id.as_str();

    // What cannot be meant, and what is not the caller's: nothing of it is entered.
    let nobodys = uuid::Uuid::from_u128(7).to_string();
    let unsigned = AttestDestructionRequest { attested_by: " ".to_owned(), ..attest(&[notice], &[]) };
    let undated = AttestDestructionRequest { destroyed_date: None, ..attest(&[notice], &[]) };
    let to_come = Some(Date { year: 2099, month: 1, day: 1 });
    let to_come = AttestDestructionRequest { destroyed_date: to_come, ..attest(&[notice], &[]) };
    for (wrong, code) in [
        (attest(&[], &[]), Code::InvalidArgument),
        (attest(&["no id"], &[]), Code::InvalidArgument),
        (attest(&[notice], &[""]), Code::InvalidArgument),
        (unsigned, Code::InvalidArgument),
        (undated, Code::InvalidArgument),
        (to_come, Code::InvalidArgument),
        (attest(&[notice, &nobodys], &[]), Code::PermissionDenied),
    ] {
        assert_eq!(client.attest_destruction(wrong.clone()).await.unwrap_err().code(), code, "{wrong:?}");
    }
    // Another's notice and none at all are one answer.
    let mut other = FeedServiceClient::new(served.connect("cssd").await);
    let mut answers = BTreeSet::new();
    for id in [notice, &nobodys] {
        answers.insert(told(&other.attest_destruction(attest(&[id], &[])).await.unwrap_err()).1);
    }
    assert_eq!((answers.len(), world.count(ATTESTED).await), (1, 0));

    // A client named twice is one; a client nobody knows is answered like any.
    let request = AttestDestructionRequest {
        request_id: uuid::Uuid::from_u128(8).to_string(),
        ..attest(&[notice], &["D11", "X9"])
    };
    let answer = client.attest_destruction(request.clone()).await.unwrap().into_inner();
    let [first, second] = &answer.attestations[..] else { panic!("{answer:?}") };
    assert_eq!((first.person_id.as_str(), first.withdrawal_id.as_str()), ("D11", notice));
    assert_eq!((second.person_id.as_str(), second.withdrawal_id.as_str()), ("X9", ""));
    assert_eq!(world.count(ATTESTED).await, 2);
    let signed = "SELECT count(*) FROM ledger.entry AS e JOIN ledger.detail AS d USING (entry_id) JOIN disclosure.attestation AS a
        ON a.attestation_id = e.entry_id WHERE a.recorded_by = d.system AND d.digest IS NOT NULL";
    assert_eq!(world.count(signed).await, 2, "entered by the system that its certificate names");
    assert_eq!(due(world).await, Vec::<String>::new());
    // Sent again it is entered once: this server gives its answer again, another one knows that it did.
    assert_eq!(client.attest_destruction(request.clone()).await.unwrap().into_inner(), answer);
    let beside = served.beside(Limits::default()).await;
    let mut beside = FeedServiceClient::new(served.connect_at("dcf", beside).await);
    let refused = beside.attest_destruction(request).await.unwrap_err();
    assert_eq!((reason_of(&refused).as_str(), world.count(ATTESTED).await), ("REQUEST_ID_USED", 2));

    // The entries say the same as what is on file, and a changed day is located.
    let audit = async || {
        let clock = FixedClock(moment());
        let zones = [(consumer("dcf"), "America/New_York".parse().unwrap())].into();
        let found = disclosure::audit(world.context(&clock), &zones).await.unwrap();
        found.iter().map(ToString::to_string).filter(|one| one.starts_with("attestation")).collect::<Vec<_>>()
    };
    assert_eq!(audit().await, Vec::<String>::new());
    let Attestation { attestation_id, .. } = first;
    world
        .force(&format!(
            "UPDATE disclosure.attestation SET destroyed_on = '2026-11-18' WHERE attestation_id = '{attestation_id}'"
        ))
        .await;
    let altered = format!("attestation {attestation_id} was altered: its days are not those of its entry");
    assert_eq!(audit().await, [altered]);

    // What was sent behind an attestation, though on the day that it names, is not destroyed by it.
    let earlier =
        "UPDATE disclosure.attestation SET destroyed_on = '2026-11-20', recorded_at = recorded_at - interval '1 s'";
    world.force(earlier).await;
    assert_eq!(due(world).await, ["D11"]);

    // A system that the agreement does not name any more speaks for nobody.
    amend(world, |document| document.replace("dcf.consumers.throughline.test", "other.dcf.throughline.test")).await;
    let refused = client.attest_destruction(attest(&[], &["D11"])).await.unwrap_err();
    assert_eq!((refused.code(), world.count(ATTESTED).await), (Code::PermissionDenied, 2));
    served.end().await;
}
