//! Documents that are made before they are disclosed: nothing of them leaves but by a decision of its own.

use disclosure::{Ask, Disclosed, DisclosedHistory, Error, Item, Prepared, Unencoded};
use model::{FixedClock, Masked};
use sha2::{Digest as _, Sha256};
use tests::moment;

use super::one_in_care;
use crate::world::{STUDENT, World, ask_of, consumer, in_care, loaded_at, offense, with};

/// The id that the bytes bear, and all that is said.
fn encode(history: &DisclosedHistory) -> Result<Vec<u8>, Unencoded> {
    Ok([history.disclosure().to_string().into_bytes(), crate::world::encode(history)?].concat())
}

async fn disclose(world: &World, prepared: &Prepared) -> Result<Disclosed, Error> {
    let (dcf, clock, key) = (consumer("dcf"), FixedClock(moment()), Masked::new("D1".to_owned()));
    disclosure::disclose_one_prepared(world.context(&clock), &ask_of(&dcf), &key, prepared).await
}

async fn prepare(world: &World, clock: &FixedClock, ask: &Ask<'_>) -> Prepared {
    let keys = ["D1".to_owned(), "X9".to_owned()];
    let mut prepared = disclosure::prepare(world.context(clock), ask, &keys, &encode).await.unwrap();
    let questions = prepared.questions(|bytes| Ok(Sha256::digest(bytes).into())).unwrap();
    assert_eq!(questions.len(), 1, "of nobody but who may be disclosed is anything asked");
    prepared.finish(&questions[0], |bytes| Ok([bytes, b" and an answer"].concat())).unwrap();
    prepared
}

#[tokio::test]
async fn a_prepared_document_is_recorded_as_it_was_finished() {
    let world = one_in_care(&["dcf"]).await;
    let (dcf, clock) = (consumer("dcf"), FixedClock(moment()));
    let ask = ask_of(&dcf);
    let prepared = prepare(&world, &clock, &ask).await;
    assert!(world.entries().await.is_empty(), "preparing enters nothing");
    let keys = ["D1".to_owned(), "X9".to_owned()];
    let items = disclosure::disclose_prepared(world.context(&clock), &ask, &keys, &prepared).await.unwrap();
    let [Item::Disclosed(disclosed), Item::Refused { .. }] = &items[..] else { panic!("{}", items.len()) };
    assert!(disclosed.bytes.ends_with(b" and an answer"));
    let text = String::from_utf8(disclosed.bytes.to_vec()).unwrap();
    assert!(text.contains(&disclosed.history.disclosure().to_string()), "the id is the one that the bytes bear");
    let entries = world.entries().await;
    assert_eq!(entries.len(), 2);
    assert!(entries.iter().any(|entry| entry.digest.as_deref() == Some(&Sha256::digest(&disclosed.bytes)[..])));
}

#[tokio::test]
async fn what_changed_meanwhile_is_not_disclosed_as_it_was() {
    let (dcf, clock) = (consumer("dcf"), FixedClock(moment()));
    // The record says more.
    let world = one_in_care(&["dcf"]).await;
    let prepared = prepare(&world, &clock, &ask_of(&dcf)).await;
    let more = with(&offense(STUDENT), &[("incident_identifier", "I-2"), ("incident_date", "2024-11-04")]);
    world.load("ct-discipline", &[more], loaded_at()).await;
    assert!(matches!(disclose(&world, &prepared).await, Err(Error::Changed)));
    assert!(world.entries().await.is_empty(), "nothing is recorded and nothing is given out");
    // Another student bears the id, or none was prepared.
    let nobody = Prepared::default();
    assert!(matches!(disclose(&world, &nobody).await, Err(Error::Changed)));
    // Authority is over.
    let prepared = prepare(&world, &clock, &ask_of(&dcf)).await;
    world.roster("dcf", "2026-11-19", &[in_care("D1", "2026-10-01", "2026-11-01")], loaded_at()).await;
    assert!(matches!(disclose(&world, &prepared).await, Err(Error::Denied(_))));
    let kinds: Vec<String> = world.entries().await.into_iter().map(|entry| entry.kind).collect();
    assert_eq!(kinds, ["refusal"]);
}
