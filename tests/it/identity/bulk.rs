//! Bulk decisions: a sample looked at one by one first, recorded as such, taken back as a whole.

use identity::review::bulk::{Bulk, BulkState, BulkVerdict};

use super::*;

const WHY: (&str, &str) = ("ann", "the same registrar's spelling");

/// Clients D0 and so on, each of whom waits with the one student it may be, for the engine's reason and at its probability.
async fn alike(count: usize, reason: &str, probability: f64) -> World {
    let world = small_state().await;
    world.roster("dcf", "2026-11-17", &rows(0..count), loaded_at()).await;
    for n in 0..count {
        world.link("dcf", &format!("D{n}"), &format!("99{n:08}")).await;
    }
    world
        .force(&format!(
            "UPDATE identity.match_decision SET outcome = 'review', decided_by = 'engine/1', probability = {probability},
            explanation = '{{\"reason\": \"{reason}\", \"parts\": [{{\"comparison\": \"first_name\", \"level\": \"nickname\", \"bits\": 3}}]}}'"
        ))
        .await;
    world.rebuild("dcf").await;
    world
}

/// By what the pairs that wait are drawn.
async fn kind(world: &World) -> String {
    let clock = FixedClock(moment());
    let kinds = review::list_alike(world.context(&clock), Some(&consumer("dcf"))).await.unwrap();
    assert_eq!(kinds.len(), 1, "{kinds:?}");
    kinds[0].id.clone()
}

async fn draw(world: &World, alike: &str, verdict: BulkVerdict) -> Result<Bulk, disclosure::Error> {
    review::draw_bulk(world.context(&FixedClock(moment())), (alike, verdict), WHY).await
}

async fn apply(world: &World, bulk: i64) -> Result<Bulk, disclosure::Error> {
    review::apply_bulk(world.context(&FixedClock(moment())), bulk, WHY).await
}

async fn look(world: &World, client: i64) -> identity::review::Case {
    let own = consumer("sea");
    let asker = Asker { person: Some(Masked::new("ann".to_owned())), ..Asker::default() };
    let ask = Ask { asker, delivery: agreements::Delivery::Unary, ..ask_of(&own) };
    review::open(world.context(&FixedClock(moment())), &ask, client).await.unwrap()
}

/// Looks at a client and decides that it is, or is not, its one candidate.
async fn look_and_decide(world: &World, client: i64, verdict: fn(StudentId) -> Verdict) {
    let case = look(world, client).await;
    decide(world, client, verdict(case.candidates[0].student)).await;
}

async fn decide(world: &World, client: i64, verdict: Verdict) {
    review::decide(world.context(&FixedClock(moment())), client, verdict, ("ann", "seen")).await.unwrap();
}

fn waits_for_a_look(result: &Result<Bulk, disclosure::Error>) -> bool {
    matches!(result, Err(disclosure::Error::Identity(identity::Error::Precondition(_))))
}

#[tokio::test]
async fn a_bulk_links_after_its_sample_was_looked_at_and_is_taken_back_as_a_whole() {
    let world = alike(60, "probability", 0.95).await;
    let kind = kind(&world).await;
    let bulk = draw(&world, &kind, BulkVerdict::Are).await.unwrap();
    assert_eq!((bulk.pairs, bulk.sampled, bulk.to_look_at.len()), (60, 57, 57), "one wrong link of sixty is too many");
    assert_eq!(draw(&world, &kind, BulkVerdict::Are).await.unwrap(), bulk, "asked again, the same");
    assert!(draw(&world, &kind, BulkVerdict::AreNot).await.is_err(), "and not otherwise");
    assert!(waits_for_a_look(&apply(&world, bulk.id).await));

    // A decision without a look is a decision, but shows nothing of the others.
    let blind = bulk.to_look_at[0];
    let student = look_nobody(&world, blind).await;
    decide(&world, blind, Verdict::Is(student)).await;
    for client in &bulk.to_look_at[1..] {
        assert!(waits_for_a_look(&apply(&world, bulk.id).await));
        look_and_decide(&world, *client, Verdict::Is).await;
    }
    // Fifty-six of fifty-nine show too little: one more is drawn.
    let open = apply(&world, bulk.id).await.unwrap();
    assert_eq!((open.state, open.moved_on, open.to_look_at.len()), (BulkState::Open, 1, 1));
    look_and_decide(&world, open.to_look_at[0], Verdict::Is).await;
    let applied = apply(&world, bulk.id).await.unwrap();
    assert_eq!((applied.state, applied.decided), (BulkState::Applied, 2));
    let of_bulk =
        "SELECT count(*) FROM identity.match_decision WHERE superseded_at IS NULL AND outcome = 'match' AND bulk_id = 1
        AND decided_by = 'ann' AND reason LIKE 'the same registrar%(bulk 1, 57 of 59 looked at)'";
    assert_eq!(world.count(of_bulk).await, 2, "recorded as what they are");
    assert_eq!(matched(&world).await.len(), 60);
    assert!(apply(&world, bulk.id).await.is_err(), "it is carried out once");

    // What is taken back is called back, and the engine does not come back to it.
    let unseen = "SELECT c.person_key FROM identity.client AS c JOIN identity.match_decision AS m USING (client_id) WHERE m.bulk_id = 1";
    let person: String = world.db.superuser().await.fetch_all(unseen).await.unwrap()[0].get(0);
    world.ask("dcf", &person, moment()).await.unwrap();
    let later = FixedClock(moment() + TimeDelta::minutes(1));
    let (undone, waiting, recalled) =
        review::undo_bulk(world.context(&later), bulk.id, ("ben", "the registrar was wrong")).await.unwrap();
    assert_eq!((undone.state, waiting, recalled.len()), (BulkState::Undone, 60, 1));
    assert_eq!(reason(world.ask("dcf", &person, later.0).await), Reason::NotAClient);
    match_night(&world, "dcf", later.0, &Config { refit_days: 0, ..config() }).await;
    assert_eq!(reason(world.ask("dcf", &person, later.0).await), Reason::NotAClient);
    assert!(review::undo_bulk(world.context(&later), bulk.id, WHY).await.is_err(), "taken back once");
    assert_eq!(world.count("SELECT count(*) FROM disclosure.recall WHERE cause = 'match_undone'").await, 1);
}

/// The one candidate of a client, without opening the case.
async fn look_nobody(world: &World, client: i64) -> StudentId {
    let sql =
        format!("SELECT student_id FROM identity.match_decision WHERE client_id = {client} AND superseded_at IS NULL");
    StudentId(world.db.superuser().await.fetch_one(sqlx::AssertSqlSafe(sql)).await.unwrap().get(0))
}

#[tokio::test]
async fn one_pair_decided_otherwise_refuses_the_bulk_and_nobody_draws_again() {
    let world = alike(40, "first_names_disagree", 0.95).await;
    let kind = kind(&world).await;
    let linked = draw(&world, &kind, BulkVerdict::Are).await;
    assert!(waits_for_a_look(&linked), "what a guard keeps for a person is linked one by one: {linked:?}");
    let bulk = draw(&world, &kind, BulkVerdict::AreNot).await.unwrap();
    assert!(bulk.sampled < 40, "{bulk:?}");
    for (place, client) in bulk.to_look_at.iter().enumerate() {
        look_and_decide(&world, *client, if place == 7 { Verdict::Is } else { Verdict::IsNot }).await;
    }
    let refused = apply(&world, bulk.id).await.unwrap();
    assert_eq!((refused.state, refused.disagreed, refused.decided), (BulkState::Refused, 1, 0));
    let rest = 40 - bulk.sampled;
    assert_eq!(waiting(&world, moment()).await.len() as u64, rest, "the others wait as before");
    let clock = FixedClock(moment());
    assert!(review::list_alike(world.context(&clock), None).await.unwrap().is_empty(), "and come into no other bulk");
    assert!(apply(&world, bulk.id).await.is_err());
}

#[tokio::test]
async fn pairs_that_moved_on_are_left_out_and_the_sample_is_filled_up() {
    let world = alike(50, "probability", 0.3).await;
    let bulk = draw(&world, &kind(&world).await, BulkVerdict::AreNot).await.unwrap();
    // The agency says something new of two clients of the sample, and of one that is not.
    let unsampled = "SELECT client_id FROM identity.bulk_member WHERE sampled_at IS NULL ORDER BY client_id LIMIT 1";
    let unsampled = world.count(unsampled).await;
    let gone = [bulk.to_look_at[0], bulk.to_look_at[1], unsampled];
    for client in gone {
        world.force(&format!("UPDATE identity.client SET details_hash = '\\x00' WHERE client_id = {client}")).await;
    }
    for client in &bulk.to_look_at[2..] {
        look_and_decide(&world, *client, Verdict::IsNot).await;
    }
    let open = apply(&world, bulk.id).await.unwrap();
    assert_eq!((open.state, open.moved_on), (BulkState::Open, 3));
    assert!(!open.to_look_at.is_empty() && open.to_look_at.len() <= 2, "{open:?}");
    for client in &open.to_look_at {
        look_and_decide(&world, *client, Verdict::IsNot).await;
    }
    let applied = apply(&world, bulk.id).await.unwrap();
    assert_eq!((applied.state, applied.agreed + applied.decided), (BulkState::Applied, 47));
    let waits: BTreeSet<i64> = waiting(&world, moment()).await.into_iter().map(|one| one.client).collect();
    assert_eq!(waits, gone.into_iter().collect(), "what moved on waits for a person");
}
