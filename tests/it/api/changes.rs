//! What changed since the run before, and what is to be destroyed: a receiver that asks for changes only holds what a whole run would give it, and
//! hears of what it may not hold any longer.

use std::collections::BTreeMap;

use agreements::Delivery;
use disclosure::{Ask, Item, Repeat};
use identity::review::Verdict as Decides;

use super::*;
use crate::world::{Record, with};

/// A receiver that goes on behind the end of each run.
#[derive(Clone, Default)]
pub struct Receiver {
    pub token: Vec<u8>,
    /// Persons and content digests.
    pub holds: BTreeMap<String, String>,
}

/// What a run told: persons whose history came, and withdrawals by person, reason and day.
pub type Told = (Vec<String>, Vec<(String, String, String)>);

impl Receiver {
    pub async fn pull(&mut self, served: &Served, office: &str) -> Result<Told, Status> {
        let mut client = FeedServiceClient::new(served.connect("dcf").await);
        let request = StreamFeedRequest { office: office.to_owned(), ..from(&self.token) };
        let (messages, broken) = drain(client.stream_feed(request).await?.into_inner()).await;
        assert!(broken.is_none(), "{broken:?}");
        if self.token.is_empty() {
            self.holds.clear();
        }
        let mut digest = RunDigest::default();
        let (mut came, mut withdrawn) = (Vec::new(), Vec::new());
        for message in &messages {
            match message.event.clone().unwrap() {
                Event::History(history) => {
                    digest.add(&hex::decode(&history.content_digest).unwrap().try_into().unwrap());
                    came.push(history.person_id.clone());
                    self.holds.insert(history.person_id, history.content_digest);
                }
                Event::Withdrawal(notice) => {
                    let day = notice.destroy_by_date.unwrap();
                    let day = format!("{}-{:02}-{:02}", day.year, day.month, day.day);
                    digest.withdraw(&notice.person_id, &notice.reason, day.parse().unwrap());
                    self.holds.remove(&notice.person_id);
                    withdrawn.push((notice.person_id, notice.reason, day));
                }
                _ => {}
            }
        }
        let end = end_of(&messages);
        let counts = (i64::try_from(came.len()).unwrap(), i64::try_from(withdrawn.len()).unwrap());
        assert_eq!((end.histories, end.withdrawals), counts, "the end counts what came");
        assert_eq!(end.digest, hex::encode(digest.finish()));
        let scope = if self.token.is_empty() { Scope::Whole } else { Scope::Changes };
        assert_eq!(end.scope(), scope);
        self.token.clone_from(&messages.last().unwrap().resume_token);
        Ok((came, withdrawn))
    }

    /// The same where nothing may have come.
    async fn hears_nothing(&mut self, served: &Served) {
        let told = self.pull(served, "").await.unwrap();
        assert_eq!(told, (vec![], vec![]));
    }
}

/// What the population may be told at this moment, asked for one by one.
async fn due(served: &Served, persons: usize) -> BTreeMap<String, String> {
    let mut client = HistoryServiceClient::new(served.connect("dcf").await);
    let mut holds = BTreeMap::new();
    for n in 0..persons {
        let id = format!("D{}", n + 10);
        if let Ok(answer) = client.get_history(person(&id)).await {
            holds.insert(id, answer.into_inner().history.unwrap().content_digest);
        }
    }
    holds
}

pub fn later(minutes: i64) -> chrono::DateTime<chrono::Utc> {
    loaded_at() + chrono::TimeDelta::minutes(minutes)
}

const WITHDRAWALS: &str = "SELECT count(*) FROM ledger.entry WHERE kind = 'withdrawal'";
const COMPLETIONS: &str = "SELECT count(*) FROM ledger.entry WHERE kind = 'completion'";

#[tokio::test]
async fn a_run_behind_the_end_of_another_tells_what_changed_and_each_once() {
    let served = served(3, one_by_one()).await;
    let world = &served.world;
    let mut receiver = Receiver::default();
    assert_eq!(receiver.pull(&served, "").await.unwrap().0, ["D10", "D11", "D12"]);
    let first = receiver.token.clone();
    let disclosures = "SELECT count(*) FROM ledger.entry WHERE kind = 'disclosure'";
    // However often the end is shown, nothing is disclosed and nothing entered.
    receiver.hears_nothing(&served).await;
    receiver.hears_nothing(&served).await;
    assert_eq!((world.count(disclosures).await, world.count(COMPLETIONS).await), (3, 1));

    // A fact is corrected: exactly its student comes.
    let sasids = [sasid(1)];
    let corrected: Vec<Record<'_>> =
        sasids.iter().map(|one| with(&offense(one), &[("incident_identifier", "H-NEW-1")])).collect();
    world.load("ct-discipline", &corrected, later(1)).await;
    assert_eq!(receiver.pull(&served, "").await.unwrap(), (vec!["D11".to_owned()], vec![]));
    receiver.hears_nothing(&served).await;

    // A client leaves: a notice with the day that the agreement sets, once; when it comes back, so does the history.
    let rows = |end: &str| {
        vec![
            in_care("D10", "2026-10-01", "2026-12-01"),
            in_care("D11", "2026-10-01", end),
            in_care("D12", "2026-10-01", ""),
        ]
    };
    world.roster("dcf", "2026-11-20", &rows("2026-11-10"), later(2)).await;
    let told = receiver.pull(&served, "").await.unwrap();
    assert_eq!(told, (vec![], vec![("D11".to_owned(), "authority_ended".to_owned(), "2027-11-10".to_owned())]));
    receiver.hears_nothing(&served).await;
    assert_eq!(world.count(WITHDRAWALS).await, 1);
    world.roster("dcf", "2026-11-20", &rows(""), later(3)).await;
    assert_eq!(receiver.pull(&served, "").await.unwrap(), (vec!["D11".to_owned()], vec![]));

    // A record is sealed: the notice does not say so.
    let order = intake::restriction::Order {
        sea: crate::world::sea(),
        state_id: model::Masked::new(sasid(2)),
        kind: "sealed".to_owned(),
        domain: None,
        ordered_on: "2026-11-01".parse().unwrap(),
        order_number: "O-1".to_owned(),
    };
    let zone = "America/New_York".parse().unwrap();
    intake::restriction::restrict(&world.db.pool, &order, zone, "ann", later(4)).await.unwrap();
    let (came, withdrawn) = receiver.pull(&served, "").await.unwrap();
    assert!(came.is_empty() && withdrawn.len() == 1, "{withdrawn:?}");
    assert_eq!((withdrawn[0].0.as_str(), withdrawn[0].1.as_str()), ("D12", "not_available"));
    receiver.hears_nothing(&served).await;

    // What changed since a run that is not the last nobody can tell: a whole run is asked for, and gives the same.
    let mut lost = Receiver { token: first, ..Receiver::default() };
    assert_eq!(lost.pull(&served, "").await.unwrap_err().code(), Code::FailedPrecondition);
    let mut whole = Receiver::default();
    whole.pull(&served, "").await.unwrap();
    assert_eq!(whole.holds, receiver.holds);
    // The token of the run before it is none to go on from any longer.
    assert_eq!(receiver.pull(&served, "").await.unwrap_err().code(), Code::FailedPrecondition);
    served.end().await;
}

#[tokio::test]
async fn a_match_undone_is_called_back_from_whoever_had_it_and_from_nobody_else() {
    let served = served(2, one_by_one()).await;
    let world = &served.world;
    let mut receiver = Receiver::default();
    receiver.pull(&served, "").await.unwrap();
    let mut other = FeedServiceClient::new(served.connect("cssd").await);
    let (messages, _) = drain(other.stream_feed(from(&[])).await.unwrap().into_inner()).await;
    let cssd = messages.last().unwrap().resume_token.clone();
    let client =
        world.count("SELECT client_id FROM identity.client WHERE consumer = 'dcf' AND person_key = 'D10'").await;
    let clock = FixedClock(moment());
    disclosure::review::decide(world.context(&clock), client, Decides::IsNobody, ("ann", "another child"))
        .await
        .unwrap();
    let waiting = "SELECT count(*) FROM disclosure.recall WHERE delivered_at IS NULL";
    assert_eq!(world.count(waiting).await, 1);
    let (came, withdrawn) = receiver.pull(&served, "").await.unwrap();
    assert_eq!(
        (came.len(), withdrawn),
        (0, vec![("D10".to_owned(), "match_undone".to_owned(), "2026-11-20".to_owned())])
    );
    assert_eq!(world.count(waiting).await, 1, "it waits until the receiver has stored it");
    receiver.hears_nothing(&served).await;
    assert_eq!((world.count(waiting).await, world.count(WITHDRAWALS).await), (0, 1));
    let (messages, _) = drain(other.stream_feed(from(&cssd)).await.unwrap().into_inner()).await;
    assert_eq!((messages.len(), end_of(&messages).withdrawals), (1, 0), "the other agency's match is its own");

    // The client proves to be another child: what was sent is called back, and the other's history follows.
    let of_d11 = "SELECT client_id FROM identity.client WHERE consumer = 'dcf' AND person_key = 'D11'";
    world.force(&format!("DELETE FROM identity.match_decision WHERE client_id = ({of_d11})")).await;
    world.link("dcf", "D10", &sasid(1)).await;
    let (came, withdrawn) = receiver.pull(&served, "").await.unwrap();
    assert_eq!(came, ["D10"]);
    assert_eq!(withdrawn.iter().map(|one| one.0.as_str()).collect::<Vec<_>>(), ["D11"]);
    assert_eq!(receiver.holds, due(&served, 2).await);
    served.end().await;
}

/// Chance with a seed that a failure names.
struct Dice(u64);

impl Dice {
    fn below(&mut self, sides: u64) -> u64 {
        // SplitMix64.
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % sides
    }

    fn one_in(&mut self, sides: u64) -> bool {
        self.below(sides) == 0
    }
}

/// How many nights: a few in every run, sixty when `THROUGHLINE_NIGHTS=60` stood in the environment as the tests were built.
fn nights() -> u64 {
    option_env!("THROUGHLINE_NIGHTS").and_then(|text| text.parse().ok()).unwrap_or(8)
}

const PERSONS: usize = 5;

/// A night's events: facts come, care ends and begins again, offices change, matches are undone and made again. Gives whom they touched; `rows` is the
/// roster as it was last.
async fn pass(world: &World, dice: &mut Dice, night: u64, rows: &mut Vec<String>) -> BTreeSet<String> {
    let mut touched = BTreeSet::new();
    if dice.one_in(2) {
        let n = usize::try_from(dice.below(PERSONS as u64)).unwrap();
        touched.insert(format!("D{}", n + 10));
        let one = sasid(n);
        let number = format!("H-N{night}");
        world
            .load(
                "ct-discipline",
                &[with(&offense(&one), &[("incident_identifier", number.as_str())])],
                later(night as i64),
            )
            .await;
    }
    if dice.one_in(2) {
        let before = std::mem::take(rows);
        *rows = (0..PERSONS)
            .map(|n| {
                let end = if dice.one_in(3) { "2026-11-10" } else { "" };
                let row = in_care(&format!("D{}", n + 10), "2026-10-01", end);
                if dice.one_in(3) { row.replace("Hartford,1,", "Bridgeport,1,") } else { row }
            })
            .collect();
        let differs = |n: &usize| before.get(*n) != rows.get(*n);
        touched.extend((0..PERSONS).filter(differs).map(|n| format!("D{}", n + 10)));
        world.roster("dcf", "2026-11-20", rows, later(night as i64)).await;
    }
    if dice.one_in(2) {
        let n = usize::try_from(dice.below(PERSONS as u64)).unwrap();
        let key = format!("D{}", n + 10);
        touched.insert(key.clone());
        let client = world
            .count(&format!("SELECT client_id FROM identity.client WHERE consumer = 'dcf' AND person_key = '{key}'"))
            .await;
        let matched = format!(
            "SELECT count(*) FROM identity.match_decision WHERE client_id = {client} AND outcome = 'match' AND superseded_at IS NULL"
        );
        let clock = FixedClock(moment());
        if world.count(&matched).await > 0 {
            disclosure::review::undo(world.context(&clock), client, ("ann", "another child")).await.unwrap();
        } else {
            world.force(&format!("DELETE FROM identity.match_decision WHERE client_id = {client}")).await;
            world.link("dcf", &key, &sasid(n)).await;
        }
    }
    world.rebuild("dcf").await;
    // Packs that come and go touch nobody.
    match dice.below(4) {
        0 => world.force("DELETE FROM history.pack").await,
        1 => {}
        _ => drop(intake::packs::refresh(&world.db.pool).await.unwrap()),
    }
    touched
}

/// A run of documents, which are sent when they changed: whose records were read and put together for it.
async fn assembled(world: &World) -> BTreeSet<String> {
    let (clock, dcf) = (FixedClock(moment()), crate::world::consumer("dcf"));
    let ask = Ask { delivery: Delivery::Pdf, repeat: Repeat::WhenChanged, ..crate::world::ask_of(&dcf) };
    let keys: Vec<String> = (0..PERSONS).map(|n| format!("D{}", n + 10)).collect();
    let items = disclosure::disclose_chunk(world.context(&clock), &ask, &keys, &crate::world::encode).await.unwrap();
    let told: Vec<&str> = items.iter().map(|item| item.person_key().expose().as_str()).collect();
    assert_eq!(told, keys, "one answer for each, in order");
    let (mut read, mut arrived) = (BTreeSet::new(), Vec::new());
    for item in items {
        match &item {
            Item::Disclosed(disclosed) => arrived.push(disclosed.history.disclosure()),
            Item::Unchanged { .. } | Item::TooLarge { .. } => {}
            Item::Untouched { .. } | Item::Refused { .. } | Item::Withdrawn(_) => continue,
        }
        read.insert(item.person_key().expose().clone());
    }
    disclosure::confirm_delivered(world.context(&clock), &ask, &arrived).await.unwrap();
    read
}

#[tokio::test]
async fn the_sum_of_the_changes_is_the_whole_over_random_nights() {
    for seed in 0..nights().div_ceil(8).clamp(1, 4) {
        let served = served(PERSONS, one_by_one()).await;
        let mut dice = Dice(seed);
        let (mut receiver, mut offices) = (Receiver::default(), [Receiver::default(), Receiver::default()]);
        let mut ever: BTreeSet<String> = BTreeSet::new();
        // Nobody has read anybody yet; whoever could not be read is touched until they are.
        let mut waiting: BTreeSet<String> = (0..PERSONS).map(|n| format!("D{}", n + 10)).collect();
        let mut rows = Vec::new();
        for night in 0..nights() {
            waiting.extend(pass(&served.world, &mut dice, night, &mut rows).await);
            let read = assembled(&served.world).await;
            assert!(read.is_subset(&waiting), "seed {seed}, night {night}: {read:?} were read, {waiting:?} touched");
            waiting.retain(|person| !read.contains(person));
            assert_eq!(
                assembled(&served.world).await,
                BTreeSet::new(),
                "seed {seed}, night {night}: nothing happened since"
            );
            let before = receiver.holds.clone();
            let (came, withdrawn) = receiver.pull(&served, "").await.unwrap();
            let expect = due(&served, PERSONS).await;
            assert_eq!(receiver.holds, expect, "seed {seed}, night {night}: {came:?} {withdrawn:?}");
            for person in &came {
                let same = before.get(person) == expect.get(person) && withdrawn.iter().all(|one| one.0 != *person);
                assert!(!same, "seed {seed}, night {night}: {person} came unchanged");
            }
            for (person, ..) in &withdrawn {
                assert!(ever.contains(person), "seed {seed}, night {night}: {person} was never sent");
            }
            ever.extend(came.iter().cloned());
            let mut together = BTreeMap::new();
            for (office, of_office) in ["Hartford", "Bridgeport"].into_iter().zip(&mut offices) {
                of_office.pull(&served, office).await.unwrap();
                together.extend(of_office.holds.clone());
            }
            assert_eq!(together, expect, "seed {seed}, night {night}: the parts are the whole");
        }
        let mut whole = Receiver::default();
        whole.pull(&served, "").await.unwrap();
        assert_eq!(whole.holds, receiver.holds, "seed {seed}: a whole run is the sum of the changes");
        served.end().await;
    }
}

#[tokio::test]
async fn a_history_too_great_to_send_is_named_and_the_others_arrive() {
    let world = served(3, one_by_one()).await;
    let sasids = [sasid(1)];
    let many: Vec<String> = (0..600).map(|n| format!("H-BIG-{n:03}")).collect();
    let rows: Vec<Record<'_>> =
        many.iter().map(|number| with(&offense(&sasids[0]), &[("incident_identifier", number.as_str())])).collect();
    world.world.load("ct-discipline", &rows, later(1)).await;
    let Served { world, stop, tasks, .. } = world;
    stop.cancel();
    tasks.wait().await;
    let served = Served::start(world, Limits { history_bytes_max: 16_000, ..one_by_one() }).await;
    let mut client = FeedServiceClient::new(served.connect("dcf").await);
    let (messages, broken) = drain(client.stream_feed(from(&[])).await.unwrap().into_inner()).await;
    assert!(broken.is_none(), "{broken:?}");
    assert_eq!(contents(&messages).iter().map(|one| one.0.as_str()).collect::<Vec<_>>(), ["D10", "D12"]);
    let Some(Event::Omission(omitted)) = messages[1].event.clone() else { panic!("{:?}", messages[1]) };
    assert_eq!((omitted.person_id.as_str(), omitted.reason.as_str(), omitted.bytes_max), ("D11", "too_large", 16_000));
    assert!(omitted.bytes > 16_000);
    assert_eq!((end_of(&messages).histories, end_of(&messages).omitted), (2, 1));
    let entered = "SELECT count(*) FROM ledger.entry WHERE kind = 'refusal' AND reason = 'history_too_large'";
    assert_eq!(served.world.count(entered).await, 1);
    let mut histories = HistoryServiceClient::new(served.connect("dcf").await);
    assert_eq!(histories.get_history(person("D11")).await.unwrap_err().code(), Code::FailedPrecondition);
    served.end().await;
}
