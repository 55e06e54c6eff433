//! The crosswalk, the matches on it, and the people who decide: against a real database, through the same functions as the program.

use std::collections::BTreeSet;

use agreements::{Act, Approval, Digest, JoinKind, JoinRequest, Reason};
use chrono::{DateTime, TimeDelta, Utc};
use disclosure::{Ask, Asker, review};
use ed25519_dalek::SigningKey;
use identity::{
    Config,
    crosswalk::Author,
    matching::{self, MatchReport},
    review::Verdict,
};
use intake::restriction::{self, CarriedOut, Move, Order, RestrictionError, shift};
use model::{FixedClock, Masked, SourcePersonId, StudentId};
use pg::Role;
use sqlx::{Executor as _, Row as _};
use tests::{moment, project_file};

use crate::world::{
    OTHER, Record, STUDENT, World, ask_of, consumer, in_care, loaded_at, offense, reason, registration, sea, snapshot,
    tombstones, with,
};

mod bulk;
mod rosters;

/// Matches an agency's clients as a night does.
async fn match_night(world: &World, who: &str, when: DateTime<Utc>, config: &Config) -> MatchReport {
    let who = consumer(who);
    let input = pg::run_tx(&world.db.pool, "tests.load", Role::Identity, |tx| {
        let who = &who;
        Box::pin(async move { Ok::<_, disclosure::Error>(matching::load(tx, who, config, when).await?) })
    })
    .await
    .unwrap();
    let plan = matching::decide(&input, config, 1, &|_, _, _| {}).unwrap();
    pg::run_tx(&world.db.pool, "tests.store", Role::Identity, |tx| {
        let (who, plan) = (&who, &plan);
        Box::pin(async move {
            let report = matching::store_plan(tx, who, plan, when).await?;
            identity::population::rebuild(tx, who).await?;
            Ok::<_, disclosure::Error>(report)
        })
    })
    .await
    .unwrap()
}

fn config() -> Config {
    Config { random_pairs: 20_000, ..Config::default() }
}

/// Moves source persons as the program does, and queues what must be called back.
async fn carry_out(world: &World, what: Move, when: DateTime<Utc>) -> Result<(i64, usize), disclosure::Error> {
    pg::run_tx(&world.db.pool, "tests.move", Role::Identity, |tx| {
        let what = &what;
        Box::pin(async move {
            let author = Author { by: "ann", reason: "the school says so", at: when };
            let (moved, _) = shift(tx, what, author).await.map_err(|error| match error {
                intake::restriction::RestrictionError::Identity(error) => disclosure::Error::Identity(error),
                other => panic!("{other}"),
            })?;
            let recalled = disclosure::recall::queue_move(tx, &moved, ("ann", when)).await?;
            Ok((moved.id, recalled.len()))
        })
    })
    .await
}

async fn find(world: &World, sasid: &str) -> (SourcePersonId, StudentId) {
    pg::run_tx(&world.db.pool, "tests.find", Role::Identity, |tx| {
        Box::pin(async move {
            let id = Masked::new(sasid.to_owned());
            Ok::<_, disclosure::Error>(identity::crosswalk::find(tx, &sea(), &id).await?.expect("a known id"))
        })
    })
    .await
    .unwrap()
}

/// One child under two state ids, a client of DCF matched with the first.
async fn two_ids() -> World {
    let world = World::new(&["dcf", "sea"]).await;
    let records = |of: fn(&str) -> Record<'_>| [of(STUDENT), of(OTHER)];
    world.load("sasid-2.1x", &records(registration), loaded_at()).await;
    world.load("ct-student", &[snapshot(STUDENT)], loaded_at()).await;
    world.load("ct-discipline", &[with(&offense(OTHER), &[("incident_identifier", "H-OTHER-1")])], loaded_at()).await;
    world.roster("dcf", "2026-11-19", &[in_care("D1", "2026-10-01", "")], loaded_at()).await;
    world.link("dcf", "D1", STUDENT).await;
    world
}

fn text(disclosed: &disclosure::Disclosed) -> String {
    String::from_utf8(disclosed.bytes.to_vec()).unwrap()
}

/// All facts, as a digest.
async fn digest(world: &World) -> String {
    let facts = "SELECT count(*) || ' ' || md5(string_agg(f::text, ',' ORDER BY f::text)) FROM history.fact AS f";
    world.db.superuser().await.fetch_one(facts).await.unwrap().get(0)
}

#[tokio::test]
async fn a_merge_joins_histories_and_its_undoing_parts_them_again_and_calls_back_what_left() {
    let world = two_ids().await;
    let before = digest(&world).await;
    assert!(!text(&world.ask("dcf", "D1", moment()).await.unwrap()).contains("H-OTHER-1"));

    let ((_, keep), (_, other)) = (find(&world, STUDENT).await, find(&world, OTHER).await);
    let merged = moment() + TimeDelta::seconds(30);
    let (id, recalled) = carry_out(&world, Move::Merge(keep, other), merged).await.unwrap();
    assert_eq!(recalled, 0, "a merge discloses nothing wrong");
    assert_eq!(find(&world, OTHER).await.1, keep);
    let later = moment() + TimeDelta::minutes(1);
    assert!(
        text(&world.ask("dcf", "D1", later).await.unwrap()).contains("H-OTHER-1"),
        "both ids' records are the child's"
    );

    let undone = moment() + TimeDelta::minutes(2);
    let (_, recalled) = carry_out(&world, Move::Undo(id), undone).await.unwrap();
    assert_eq!(recalled, 1, "what left while the two were one");
    assert_eq!(find(&world, OTHER).await.1, other, "they are who they were");
    assert_eq!(digest(&world).await, before, "no fact was touched");
    let after = undone + TimeDelta::minutes(1);
    assert_eq!(
        reason(world.ask("dcf", "D1", after).await),
        Reason::NotAClient,
        "a person must say which of the two it is"
    );
    assert_eq!(
        world
            .count("SELECT count(*) FROM disclosure.recall WHERE cause = 'crosswalk_moved' AND delivered_at IS NULL")
            .await,
        1
    );
    let again = carry_out(&world, Move::Undo(id), after).await;
    assert!(matches!(again, Err(disclosure::Error::Identity(identity::Error::Conflict(_)))), "{again:?}");

    // The engine keeps its hands off; the person decides, and access is back.
    match_night(&world, "dcf", after, &config()).await;
    assert_eq!(reason(world.ask("dcf", "D1", after).await), Reason::NotAClient);
    let clock = FixedClock(after);
    let client = waiting(&world, after).await[0].client;
    review::decide(world.context(&clock), client, Verdict::Is(keep), ("ann", "the birth record")).await.unwrap();
    assert!(!text(&world.ask("dcf", "D1", after).await.unwrap()).contains("H-OTHER-1"));
}

#[tokio::test]
async fn a_student_who_proves_to_be_two_is_parted_and_linked_elsewhere() {
    let world = two_ids().await;
    let ((_, keep), (_, other)) = (find(&world, STUDENT).await, find(&world, OTHER).await);
    carry_out(&world, Move::Merge(keep, other), moment()).await.unwrap();
    world.ask("dcf", "D1", moment()).await.unwrap();
    let (person, _) = find(&world, OTHER).await;
    let new = StudentId(uuid::Uuid::from_u128(77));
    let later = moment() + TimeDelta::minutes(1);
    let (_, recalled) = carry_out(&world, Move::Unmerge(vec![person], new), later).await.unwrap();
    assert_eq!((recalled, find(&world, OTHER).await.1), (1, new));
    let whole = carry_out(&world, Move::Unmerge(vec![person], StudentId(uuid::Uuid::from_u128(78))), later).await;
    assert!(whole.is_err(), "a whole student cannot part from itself");
    carry_out(&world, Move::Relink(vec![person], keep), later + TimeDelta::minutes(1)).await.unwrap();
    assert_eq!(find(&world, OTHER).await.1, keep);
    assert_eq!(world.count("SELECT count(*) FROM identity.crosswalk_move").await, 3);
    assert_eq!(
        world.count("SELECT count(*) FROM identity.crosswalk WHERE decided_by = 'ann' AND reason <> ''").await,
        3
    );
}

/// Carries out what stewards signed, as the program does.
async fn carry_out_signed(world: &World, request: Digest, when: DateTime<Utc>) -> Result<CarriedOut, RestrictionError> {
    pg::run_tx(&world.db.pool, "tests.carry_out", Role::Agreements, |tx| {
        let used_for = (request, uuid::Uuid::from_u128(9));
        Box::pin(async move { Ok(restriction::carry_out(tx, &world.agreements, used_for, when).await?.0) })
    })
    .await
}

/// A request on file that these stewards have signed.
async fn signed_by(world: &World, asked: &JoinRequest, stewards: &[(&str, u8)], when: DateTime<Utc>) -> Digest {
    pg::run_tx(&world.db.pool, "tests.sign", Role::Agreements, |tx| {
        Box::pin(async move {
            let digest = world.agreements.file_joining(tx, asked).await?;
            for (who, seed) in stewards {
                let key = SigningKey::from_bytes(&[*seed; 32]);
                let approval = Approval::sign(world.agreements.stewards(), who, &key, (Act::Join, digest), when)
                    .map_err(agreements::Error::from)?;
                world.agreements.approve(tx, Act::Join, digest, &approval).await?;
            }
            Ok::<_, agreements::Error>(digest)
        })
    })
    .await
    .unwrap()
}

#[tokio::test]
async fn children_whom_the_state_reports_as_different_are_joined_by_two_stewards_only() {
    let world = World::new(&["dcf", "sea"]).await;
    let stranger =
        with(&registration(OTHER), &[("first_name", "Edith"), ("last_name", "Sorrel"), ("birth_date", "11212007")]);
    world.load("sasid-2.1x", &[registration(STUDENT), stranger], loaded_at()).await;
    let ((one, keep), (two, other)) = (find(&world, STUDENT).await, find(&world, OTHER).await);
    let moves = [Move::Merge(keep, other), Move::Relink(vec![two], keep)];
    for what in &moves {
        let alone = carry_out(&world, what.clone(), moment()).await;
        let Err(disclosure::Error::Identity(identity::Error::Unlike(joining))) = alone else { panic!("{alone:?}") };
        assert_eq!(joining.differ, ["first_name", "last_name", "birth_date"]);
        assert_eq!((joining.persons.as_slice(), joining.with.as_slice()), ([two].as_slice(), [one].as_slice()));
    }
    assert_eq!(world.count("SELECT count(*) FROM identity.crosswalk_move").await, 0);

    let asked = |kind, minute: i64| JoinRequest {
        consumer: consumer("sea"),
        differ: vec!["birth_date".to_owned()],
        expires_at: moment() + TimeDelta::days(30),
        from: Some(other.0),
        kind,
        persons: vec![two.0],
        reason: "adopted, papers seen".to_owned(),
        requested_at: moment() + TimeDelta::minutes(minute),
        requested_by: "ann".to_owned(),
        to: Some(keep.0),
        undoes: None,
        with: vec![one.0],
    };
    let later = moment() + TimeDelta::hours(1);
    for stewards in [&[][..], &[("ann", 1)]] {
        let request = signed_by(&world, &asked(JoinKind::Merge, 0), stewards, later).await;
        let refused = carry_out_signed(&world, request, later).await;
        assert!(
            matches!(refused, Err(RestrictionError::Agreements(agreements::Error::Precondition(_)))),
            "{refused:?}"
        );
    }
    // Two signed, but for others than those who are there now.
    let both = &[("ann", 1), ("ben", 2)];
    let of_others = JoinRequest { with: vec![one.0, 999], ..asked(JoinKind::Merge, 1) };
    let request = signed_by(&world, &of_others, both, later).await;
    let refused = carry_out_signed(&world, request, later).await;
    assert!(matches!(refused, Err(RestrictionError::Identity(identity::Error::Conflict(_)))), "{refused:?}");
    assert_eq!(find(&world, OTHER).await.1, other);

    let request = signed_by(&world, &asked(JoinKind::Merge, 2), both, later).await;
    let done = carry_out_signed(&world, request, later).await.unwrap();
    assert!(matches!(done, CarriedOut::Moved(..)), "{done:?}");
    assert_eq!(find(&world, OTHER).await.1, keep);
    assert_eq!(
        world.count("SELECT count(*) FROM identity.crosswalk WHERE decided_by = 'ann and ben' AND to_at IS NULL").await,
        1
    );
    let again = carry_out_signed(&world, request, later).await;
    assert!(matches!(again, Err(RestrictionError::Agreements(agreements::Error::Conflict(_)))), "it serves once");
}

#[tokio::test]
async fn a_restriction_on_one_state_id_holds_for_all_of_the_student() {
    for domain in [None, Some(model::Domain::Discipline)] {
        let world = two_ids().await;
        let ((_, keep), (_, other)) = (find(&world, STUDENT).await, find(&world, OTHER).await);
        let order = |sasid: &str, number: &str| Order {
            sea: sea(),
            state_id: Masked::new(sasid.to_owned()),
            kind: "sealed".to_owned(),
            domain,
            ordered_on: "2026-11-01".parse().unwrap(),
            order_number: number.to_owned(),
        };
        let layout = project_file("deploy/consumers/dcf/roster.toml");
        let zone = identity::roster::RosterLayout::parse(&layout).unwrap().time_zone;
        world.load("ct-discipline", &[offense(STUDENT)], loaded_at() + TimeDelta::minutes(1)).await;
        // The order names the one id, and the merge comes after it.
        intake::restriction::restrict(&world.db.pool, &order(OTHER, "O-1"), zone, "ann", loaded_at()).await.unwrap();
        carry_out(&world, Move::Merge(keep, other), moment()).await.unwrap();
        let asked = world.ask("dcf", "D1", moment()).await;
        if domain.is_none() {
            assert_eq!(reason(asked), Reason::NotAClient);
        } else {
            let said = text(&asked.unwrap());
            assert!(!said.contains("H-2024-17") && !said.contains("H-OTHER-1"), "{said}");
        }
    }
}

async fn waiting(world: &World, when: DateTime<Utc>) -> Vec<identity::review::Waiting> {
    let clock = FixedClock(when);
    review::list(world.context(&clock), None, None, 100).await.unwrap()
}

/// A state of some dozens of invented students, and clients of DCF who are some of them.
async fn small_state() -> World {
    let world = World::new(&["dcf", "sea"]).await;
    let sasids: Vec<String> = (0..60).map(|n| format!("99{n:08}")).collect();
    let names: Vec<(String, String, String)> = (0..60).map(invented).collect();
    let records: Vec<Record<'_>> = sasids
        .iter()
        .zip(&names)
        .map(|(sasid, (first, last, birth))| {
            with(
                &registration(sasid),
                &[("first_name", first.as_str()), ("last_name", last.as_str()), ("birth_date", birth.as_str())],
            )
        })
        .collect();
    world.load("sasid-2.1x", &records, loaded_at()).await;
    world
}

/// First name, surname and birth date (MMDDYYYY) of an invented student.
fn invented(n: usize) -> (String, String, String) {
    let firsts =
        ["Ambrosia", "Quill", "Tavira", "Wendo", "Kelora", "Brunix", "Jessamy", "Orisande", "Sanovar", "Miravel"];
    let lasts = ["Quince", "Beispiel", "Ejemplo", "Exempel", "Musterfield", "Anderspoon"];
    let birth = format!("{:02}{:02}{}", 1 + n % 12, 1 + (n * 7) % 28, 2005 + (n * 5) % 12);
    (firsts[n % 10].to_owned(), format!("{}{}", lasts[n / 10], ["", "ova"][n % 2]), birth)
}

/// A row of DCF's roster for an invented student, with a state id or none.
fn row(person: &str, n: usize, sasid: &str) -> String {
    let (first, last, birth) = invented(n);
    let birth = format!("{}-{}-{}", &birth[4..], &birth[..2], &birth[2..4]);
    format!("{person},{last},{first},,,{birth},F,,Hartford,06103,{sasid},E1,2026-10-01,,,Hartford,1,W1")
}

fn rows(range: std::ops::Range<usize>) -> Vec<String> {
    range.map(|n| row(&format!("D{n}"), n, &format!("99{n:08}"))).collect()
}

#[tokio::test]
async fn a_night_scores_whom_a_change_concerns_and_says_what_scoring_all_says() {
    let world = small_state().await;
    world.roster("dcf", "2026-11-17", &rows(0..40), loaded_at()).await;
    let first = match_night(&world, "dcf", loaded_at(), &config()).await;
    assert_eq!((first.clients, first.scored), (40, 40));
    assert!(first.matched >= 36, "{first:?}");
    let settled = match_night(&world, "dcf", loaded_at(), &config()).await;
    assert_eq!((settled.scored, settled.matched, settled.waiting), (0, first.matched, first.waiting));
    assert!((settled.expected_wrong - first.expected_wrong).abs() < 1e-9);

    // One client's surname changes, one is new, one student is reported anew.
    let mut changed = rows(0..41);
    changed[3] = changed[3].replace("Wendo", "Wendi");
    world.roster("dcf", "2026-11-18", &changed, loaded_at()).await;
    let renamed = with(
        &registration("9900000007"),
        &[
            ("record_type", "C"),
            ("reporting_district_entry_date", ""),
            ("race_code", ""),
            ("gender_code", ""),
            ("first_name", "Orisandra"),
            ("last_name", "Quinceova"),
        ],
    );
    let (_, _, birth) = invented(7);
    let renamed = with(&renamed, &[("birth_date", birth.as_str())]);
    world.load("sasid-2.1x", &[renamed], loaded_at() + TimeDelta::minutes(5)).await;
    let some = match_night(&world, "dcf", loaded_at() + TimeDelta::minutes(6), &config()).await;
    assert!(some.scored >= 3 && some.scored < 41, "{some:?}");
    let standing = "SELECT count(*) FROM identity.match_decision WHERE superseded_at IS NULL AND outcome = 'match'";
    let stands = world.count(standing).await;
    let all =
        match_night(&world, "dcf", loaded_at() + TimeDelta::minutes(7), &Config { refit_days: 0, ..config() }).await;
    assert_eq!((all.scored, all.matched, all.waiting, all.contested), (41, some.matched, some.waiting, some.contested));
    assert_eq!(world.count(standing).await, stands);
    assert_eq!(world.count("SELECT count(*) FROM identity.match_run").await, 4);
}

#[tokio::test]
async fn a_person_outranks_the_engine_in_both_directions_and_undoing_calls_back() {
    let world = small_state().await;
    world.roster("dcf", "2026-11-17", &rows(0..30), loaded_at()).await;
    match_night(&world, "dcf", loaded_at(), &config()).await;
    world.ask("dcf", "D5", moment()).await.unwrap();
    let client = client_of(&world, "D5").await;
    let clock = FixedClock(moment());

    let undone = review::undo(world.context(&clock), client, ("ann", "another child")).await.unwrap();
    assert_eq!((undone.is_matched, undone.recalled.len()), (false, 1));
    assert_eq!(reason(world.ask("dcf", "D5", moment()).await), Reason::NotAClient);
    match_night(&world, "dcf", moment(), &Config { refit_days: 0, ..config() }).await;
    assert_eq!(
        reason(world.ask("dcf", "D5", moment()).await),
        Reason::NotAClient,
        "the engine does not come back to it"
    );

    // A link that the engine did not put forward needs two.
    let (_, student) = find(&world, "9900000005").await;
    let refused = review::decide(world.context(&clock), client, Verdict::Is(student), ("ann", "it is")).await;
    assert!(matches!(refused, Err(disclosure::Error::Identity(identity::Error::Precondition(_)))), "{refused:?}");
    let request =
        review::request_override(world.context(&clock), (client, student), ("ann", "birth record")).await.unwrap();
    let sign = |who: &str, seed: u8| {
        let key = SigningKey::from_bytes(&[seed; 32]);
        let act = (Act::OverrideMatch, review::digest_of(&request));
        Approval::sign(world.agreements.stewards(), who, &key, act, moment()).unwrap()
    };
    let [ann, ben] = [sign("ann", 1), sign("ben", 2)];
    assert!(review::approve_override(world.context(&clock), request.id, &ann).await.unwrap().is_none());
    assert!(
        review::approve_override(world.context(&clock), request.id, &ann).await.unwrap().is_none(),
        "one person twice"
    );
    let forged = Approval { steward: "ben".to_owned(), ..ann.clone() };
    assert!(review::approve_override(world.context(&clock), request.id, &forged).await.is_err());
    let linked =
        review::approve_override(world.context(&clock), request.id, &ben).await.unwrap().expect("two have signed");
    assert!(linked.is_matched);
    world.ask("dcf", "D5", moment()).await.unwrap();
    match_night(&world, "dcf", moment(), &Config { refit_days: 0, ..config() }).await;
    world.ask("dcf", "D5", moment()).await.unwrap();
    assert!(review::approve_override(world.context(&clock), request.id, &ben).await.is_err(), "it serves once");
}

async fn client_of(world: &World, person: &str) -> i64 {
    let clock = FixedClock(moment());
    let key = Masked::new(person.to_owned());
    review::find_client(world.context(&clock), &consumer("dcf"), &key).await.unwrap().expect("a client")
}

#[tokio::test]
async fn a_client_whose_details_change_to_another_child_is_contested_and_shown_first() {
    let world = small_state().await;
    world.roster("dcf", "2026-11-17", &rows(0..30), loaded_at()).await;
    match_night(&world, "dcf", loaded_at(), &config()).await;
    world.ask("dcf", "D5", moment()).await.unwrap();
    let mut other = rows(0..30);
    // The agency gives the id to a child the state does not have, and a doubtful newcomer comes too.
    other[5] = other[5].replace("Brunix", "Nobodine").replace("2005", "2004").replace("Quinceova", "Stranger");
    other.push(row("D99", 35, "").replace("Brunix", "Brunhild"));
    world.roster("dcf", "2026-11-18", &other, loaded_at()).await;
    world.rebuild("dcf").await;
    assert_eq!(reason(world.ask("dcf", "D5", moment()).await), Reason::NotAClient, "not before the night has looked");
    world.ask("dcf", "D6", moment()).await.unwrap();
    let report = match_night(&world, "dcf", moment(), &config()).await;
    assert!(report.contested >= 1, "{report:?}");
    let queue = waiting(&world, moment()).await;
    assert!(queue[0].is_contested && queue.windows(2).all(|two| two[0].is_contested || !two[1].is_contested));
    assert_eq!(queue[0].client, client_of(&world, "D5").await);
    // Contested, it releases nothing: neither child is this client's until a person says so.
    assert_eq!(reason(world.ask("dcf", "D5", moment()).await), Reason::NotAClient);

    // Looking is an access, recorded before anything is shown.
    let clock = FixedClock(moment());
    let own = consumer("sea");
    let ask = Ask {
        asker: Asker { person: Some(Masked::new("ann".to_owned())), ..Asker::default() },
        delivery: agreements::Delivery::Unary,
        ..ask_of(&own)
    };
    let case = review::open(world.context(&clock), &ask, queue[0].client).await.unwrap();
    assert_eq!(case.details.first_name, "Nobodine");
    assert!(case.candidates.iter().any(|one| one.person.names.iter().any(|name| name.first == "Brunix")));
    assert!(!format!("{case:?}").contains("Brunix"), "a log of it names nobody");
    assert_eq!(world.entries().await.iter().filter(|entry| entry.kind == "access").count(), 1);
    let page = review::list(world.context(&clock), None, Some(queue[0].place()), 100).await.unwrap();
    assert_eq!(page, queue[1..]);
    let decided =
        review::decide(world.context(&clock), queue[0].client, Verdict::IsNobody, ("ann", "called DCF")).await.unwrap();
    assert!(!decided.is_matched);
    assert_eq!(reason(world.ask("dcf", "D5", moment()).await), Reason::NotAClient);
    let (queues, _) = review::stats(world.context(&clock), loaded_at()).await.unwrap();
    assert_eq!(queues.iter().map(|queue| queue.waiting).sum::<u64>(), waiting(&world, moment()).await.len() as u64);
}

#[tokio::test]
async fn one_child_under_two_client_ids_and_one_state_id_for_two_clients_wait_for_a_person() {
    let world = small_state().await;
    let mut all = rows(0..30);
    all.push(row("D4b", 4, "9900000004"));
    // The same state id for two clients: the one it belongs to, and a child of another name and birth date.
    all[10] = row("D10", 10, "9900000010");
    all[21] = row("D21", 21, "9900000010");
    world.roster("dcf", "2026-11-17", &all, loaded_at()).await;
    match_night(&world, "dcf", loaded_at(), &config()).await;
    let matched: BTreeSet<String> =
        matched(&world).await.into_iter().map(|(client, sasid)| format!("{client}={sasid}")).collect();
    assert!(matched.contains("D10=9900000010"), "{matched:?}");
    assert!(!matched.iter().any(|one| one.starts_with("D21=")), "a state id of somebody else is never trusted alone");
    assert!(
        !matched.iter().any(|one| one.starts_with("D4=") || one.starts_with("D4b=")),
        "one of two: a person says which"
    );
    let waits: BTreeSet<i64> = waiting(&world, moment()).await.into_iter().map(|one| one.client).collect();
    for person in ["D4", "D4b", "D21"] {
        assert!(waits.contains(&client_of(&world, person).await), "{person} waits");
    }
}

async fn matched(world: &World) -> Vec<(String, String)> {
    let sql = "SELECT c.person_key, p.state_id FROM identity.match_decision AS m JOIN identity.client AS c USING (client_id)
        JOIN identity.source_person AS p ON p.source_person_id = m.source_person_id WHERE m.superseded_at IS NULL AND m.outcome = 'match' ORDER BY 1, 2";
    let rows = world.db.superuser().await.fetch_all(sql).await.unwrap();
    rows.iter().map(|row| (row.get(0), row.get(1))).collect()
}

#[tokio::test]
async fn a_shrunken_snapshot_ends_nobodys_access_until_a_person_accepts_it() {
    let world = small_state().await;
    world.roster("dcf", "2026-11-17", &rows(0..50), loaded_at()).await;
    match_night(&world, "dcf", loaded_at(), &config()).await;
    let layout = identity::roster::RosterLayout::parse(&project_file("deploy/consumers/dcf/roster.toml")).unwrap();
    let header = "DCF_Person_ID,Name_Last,Name_First,Name_Middle,Name_Suffix,Birth_Date,Sex,Race,Town,Zip,SASID,EPISODE_ID,EPISODE_START_DATE,\
        EPISODE_END_DATE,EPISODE_END_REASON,DCF_OFFICE,DCF_REGION,WORKER_ID";
    let file = format!("{}\n{}\n", header.replace(' ', ""), rows(0..20).join("\n"));
    let (who, tombstones) = (consumer("dcf"), tombstones());
    let incoming = |accepted_by| intake::roster::Incoming {
        consumer: &who,
        file_name: "roster.csv",
        bytes: file.as_bytes(),
        roster_date: "2026-11-18".parse().unwrap(),
        at: moment(),
        accepted_by,
        tombstones: &tombstones,
    };
    let taken =
        intake::roster::take_accepted(&world.db.pool, &world.agreements, &layout, incoming(None)).await.unwrap();
    let why = taken.receipt.refused_reason.expect("it stops");
    assert!(why.contains("30 of 50"), "{why}");
    world.ask("dcf", "D45", moment()).await.unwrap();
    let taken =
        intake::roster::take_accepted(&world.db.pool, &world.agreements, &layout, incoming(Some("ann"))).await.unwrap();
    assert_eq!((taken.receipt.refused_reason, taken.receipt.ended_by_absence), (None, 30));
    assert_eq!(reason(world.ask("dcf", "D45", moment()).await), Reason::NotAClient);
    assert_eq!(world.count("SELECT count(*) FROM identity.roster WHERE accepted_by = 'ann'").await, 1);
}

/// A roster of DCF's as it is sent, taken at an instant.
async fn submit(world: &World, day: &str, rows: &[String], at: DateTime<Utc>) -> identity::population::RosterReceipt {
    let layout = identity::roster::RosterLayout::parse(&project_file("deploy/consumers/dcf/roster.toml")).unwrap();
    let header = "DCF_Person_ID,Name_Last,Name_First,Name_Middle,Name_Suffix,Birth_Date,Sex,Race,Town,Zip,SASID,EPISODE_ID,EPISODE_START_DATE,\
        EPISODE_END_DATE,EPISODE_END_REASON,DCF_OFFICE,DCF_REGION,WORKER_ID";
    let file = format!("{}\n{}\n", header.replace(' ', ""), rows.join("\n"));
    let incoming = intake::roster::Incoming {
        consumer: &consumer("dcf"),
        file_name: "roster.csv",
        bytes: file.as_bytes(),
        roster_date: day.parse().unwrap(),
        at,
        accepted_by: None,
        tombstones: &tombstones(),
    };
    intake::roster::take_accepted(&world.db.pool, &world.agreements, &layout, incoming).await.unwrap().receipt
}

#[tokio::test]
async fn a_roster_of_days_to_come_is_refused_and_locks_nobody_out() {
    let world = small_state().await;
    let today = moment().date_naive();
    for day in ["9999-12-31", "2062-11-23"] {
        let receipt = submit(&world, day, &rows(0..30), moment()).await;
        assert!(receipt.refused_reason.is_some_and(|why| why.contains(day)), "{day}");
    }
    let receipt = submit(&world, &today.to_string(), &rows(0..30), moment()).await;
    assert_eq!((receipt.refused_reason, receipt.accepted), (None, 30));
    let receipt = submit(&world, &(today + TimeDelta::days(1)).to_string(), &rows(0..30), moment()).await;
    assert!(receipt.refused_reason.is_some(), "tomorrow's would lock out another of today, and whom it ends");
    let receipt = submit(&world, &today.to_string(), &rows(0..29), moment()).await;
    assert_eq!(receipt.refused_reason, None);
}

#[tokio::test]
async fn rows_of_one_client_that_describe_two_children_release_neither() {
    let world = small_state().await;
    let mut sent = rows(0..30);
    // One id: a child in care, and another whose episode is long over. And one whose second row only bears another surname.
    sent.push(row("D5", 41, "").replace(",E1,2026-10-01,,", ",E2,2019-01-01,2020-06-30,"));
    sent.push(
        row("D6", 6, "9900000006")
            .replace(",E1,2026-10-01,,", ",E2,2019-01-01,2020-06-30,")
            .replace("Quinceova", "Quince"),
    );
    let receipt = submit(&world, "2026-11-18", &sent, moment()).await;
    let refused: Vec<&str> = receipt.findings.iter().map(|finding| finding.rule).collect();
    assert_eq!((receipt.accepted, refused), (30, vec!["client.two_children"; 2]));
    match_night(&world, "dcf", moment(), &config()).await;
    assert_eq!(reason(world.ask("dcf", "D5", moment()).await), Reason::NotAClient);
    world.ask("dcf", "D6", moment()).await.unwrap();
}

#[tokio::test]
async fn an_order_about_somebody_not_reported_yet_holds_from_the_first_report_on() {
    use intake::restriction::{Entered, restrict};
    let layout = project_file("deploy/consumers/dcf/roster.toml");
    let zone = identity::roster::RosterLayout::parse(&layout).unwrap().time_zone;
    for domain in [None, Some(model::Domain::Discipline)] {
        let world = World::new(&["dcf", "sea"]).await;
        let order = Order {
            sea: sea(),
            state_id: Masked::new(STUDENT.to_owned()),
            kind: "sealed".to_owned(),
            domain,
            ordered_on: "2026-11-01".parse().unwrap(),
            order_number: "O-9".to_owned(),
        };
        for _ in 0..2 {
            let entered = restrict(&world.db.pool, &order, zone, "ann", loaded_at()).await;
            assert_eq!(entered.unwrap(), Entered::Awaiting);
        }
        world.load("sasid-2.1x", &[registration(STUDENT)], loaded_at()).await;
        world.load("ct-discipline", &[offense(STUDENT)], loaded_at() + TimeDelta::minutes(1)).await;
        world.roster("dcf", "2026-11-17", &[in_care("D1", "2026-10-01", "")], loaded_at()).await;
        world.link("dcf", "D1", STUDENT).await;
        let asked = world.ask("dcf", "D1", moment()).await;
        if domain.is_none() {
            assert_eq!(reason(asked), Reason::NotAClient);
        } else {
            assert!(!text(&asked.unwrap()).contains("H-2024-17"));
        }
    }
}
