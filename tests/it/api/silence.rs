//! No oracle: whatever an agency puts on its roster, it learns nothing of people of whom nothing may be told it. Two states, one that knows
//! them and one that has never heard of them, answer alike, in shape and in size.

use identity::review::Verdict as Decides;

use super::*;

/// People on the agency's roster of whom nothing may be told it: out of care, not yet in it, doubtful, sealed, and not who they are said to be.
const SILENT: [(&str, &str, &str); 5] = [
    ("D2", "2026-01-01", "2026-06-30"),
    ("D3", "2026-12-20", ""),
    ("D4", "2026-10-01", ""),
    ("D5", "2026-10-01", ""),
    ("D6", "2026-10-01", ""),
];

/// Everything an agency can see of an exchange: the receipt of its roster, answers about persons, and its feed.
#[derive(Debug, PartialEq)]
struct Seen {
    receipt: Vec<u8>,
    again: Vec<u8>,
    refusals: BTreeSet<String>,
    feed: Vec<(usize, String)>,
}

/// What DCF sees of a state that knows the silent ones, or does not.
async fn seen(is_known: bool) -> Seen {
    let world = World::new(&["dcf", "sea"]).await;
    let sasids: Vec<String> = (1..=SILENT.len() + 1).map(sasid).collect();
    let known = if is_known { &sasids[..] } else { &sasids[..1] };
    world.load("sasid-2.1x", &known.iter().map(|one| registration(one)).collect::<Vec<_>>(), loaded_at()).await;
    let served = Served::start(world, Limits::default()).await;
    let mut rosters = RosterServiceClient::new(served.connect("dcf").await);
    let rows: Vec<String> = std::iter::once(("D1", "2026-10-01", ""))
        .chain(SILENT)
        .map(|(person, from, to)| in_care(person, from, to))
        .collect();
    let header = "DCF_Person_ID,Name_Last,Name_First,Name_Middle,Name_Suffix,Birth_Date,Sex,Race,Town,Zip,SASID,EPISODE_ID,\
EPISODE_START_DATE,EPISODE_END_DATE,EPISODE_END_REASON,DCF_OFFICE,DCF_REGION,WORKER_ID";
    let request = SubmitRosterRequest {
        content: format!("{header}\n{}\n", rows.join("\n")).into_bytes(),
        roster_date: Some(proto::google::r#type::Date { year: 2026, month: 11, day: 20 }),
        request_id: String::new(),
    };
    let receipt = rosters.submit_roster(request.clone()).await.unwrap().into_inner().encode_to_vec();
    served.world.link("dcf", "D1", &sasids[0]).await;
    if is_known {
        know(&served.world, &sasids).await;
    }
    let again = rosters.submit_roster(request).await.unwrap().into_inner().encode_to_vec();
    let mut histories = HistoryServiceClient::new(served.connect("dcf").await);
    let mut refusals = BTreeSet::new();
    for id in SILENT.map(|(person, ..)| person).into_iter().chain(["D9", &sasids[2]]) {
        refusals.insert(format!("{:?}", told(&histories.get_history(person(id)).await.unwrap_err())));
    }
    let mut feeds = FeedServiceClient::new(served.connect("dcf").await);
    let (messages, broken) = drain(feeds.stream_feed(from(&[])).await.unwrap().into_inner()).await;
    assert!(broken.is_none() && contents(&messages).len() == 1, "the one client in care is delivered");
    let kind = |message: &StreamFeedResponse| match &message.event {
        Some(Event::History(history)) => history.person_id.clone(),
        Some(Event::RunEnd(end)) => format!("end {}", end.histories),
        _ => "other".to_owned(),
    };
    let feed = messages.iter().map(|message| (message.encoded_len(), kind(message))).collect();
    served.end().await;
    Seen { receipt, again, refusals, feed }
}

/// The state knows every one of them, and is sure of most.
async fn know(world: &World, sasids: &[String]) {
    for ((person, ..), sasid) in SILENT.iter().zip(&sasids[1..]) {
        world.link("dcf", person, sasid).await;
    }
    world
        .force(
            "UPDATE identity.match_decision AS m SET outcome = 'review', decided_by = 'engine/1', probability = 0.9
            FROM identity.client AS c WHERE c.client_id = m.client_id AND c.person_key = 'D4'",
        )
        .await;
    let order = intake::restriction::Order {
        sea: crate::world::sea(),
        state_id: model::Masked::new(sasids[4].clone()),
        kind: "sealed".to_owned(),
        domain: None,
        ordered_on: "2026-11-01".parse().unwrap(),
        order_number: "O-1".to_owned(),
    };
    let layout = project_file("deploy/consumers/dcf/roster.toml");
    let zone = identity::roster::RosterLayout::parse(&layout).unwrap().time_zone;
    intake::restriction::restrict(&world.db.pool, &order, zone, "ann", loaded_at()).await.unwrap();
    let client = world.count("SELECT client_id FROM identity.client WHERE person_key = 'D6'").await;
    let clock = model::FixedClock(moment());
    let (context, why) = (world.context(&clock), ("ann", "another child"));
    disclosure::review::decide(context, client, Decides::IsNobody, why).await.unwrap();
    world.rebuild("dcf").await;
}

#[tokio::test]
async fn a_state_that_knows_a_person_answers_as_one_that_does_not() {
    let (known, unknown) = (seen(true).await, seen(false).await);
    assert_eq!(known, unknown);
    assert_eq!(known.refusals.len(), 1, "on the roster or not, known or not: {:?}", known.refusals);
}
