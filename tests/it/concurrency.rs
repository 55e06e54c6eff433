//! An interval that closes while disclosures are under way: each of them is before it or refused.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicI64, Ordering},
    mpsc,
};

use agreements::{Act, Digest};
use chrono::{DateTime, TimeDelta, Utc};
use disclosure::{Ask, Disclosed, Error, Item};
use model::{Clock, Domain, FixedClock, Masked};
use pg::Role;
use sqlx::{Connection as _, Executor as _, PgConnection, Row as _};
use tests::{moment, project_file};
use tokio::task::JoinSet;

use crate::world::{
    OTHER, STUDENT, World, ask_of, at, consumer, encode, in_care, loaded_at, offense, registration, sea, supervised,
    with,
};

async fn one_in_care() -> Arc<World> {
    let world = World::new(&["dcf"]).await;
    world.load("sasid-2.1x", &[registration(STUDENT)], loaded_at()).await;
    world.roster("dcf", "2026-11-19", &[in_care("D1", "2026-10-01", "")], loaded_at()).await;
    world.link("dcf", "D1", STUDENT).await;
    Arc::new(world)
}

/// How an interval closes for the office that has the client.
#[derive(Clone, Copy, Debug)]
enum Closing {
    /// Authority ends.
    Ended,
    /// Another office has the client from now on.
    Transferred,
}

impl Closing {
    const ALL: [Self; 2] = [Self::Ended, Self::Transferred];

    const fn statement(self) -> &'static str {
        match self {
            Self::Ended => {
                "UPDATE identity.authority SET superseded_at = '2026-11-20T15:00:00Z' WHERE superseded_at IS NULL"
            }
            Self::Transferred => {
                "WITH left_by AS (
                    UPDATE identity.authority SET superseded_at = '2026-11-20T15:00:00Z' WHERE superseded_at IS NULL RETURNING *)
                INSERT INTO identity.authority (client_id, roster_id, source_key, kind, legal_basis, phase, office, region, officer,
                    start_date, end_date, released, recorded_at)
                SELECT client_id, roster_id, source_key, kind, legal_basis, phase, 'Bridgeport', '1', 'W2', start_date, end_date,
                    released, '2026-11-20T15:00:00Z'
                FROM left_by"
            }
        }
    }
}

/// Closes the interval and rebuilds the population, in the connection's open transaction.
async fn close_interval(conn: &mut PgConnection, closing: Closing) {
    conn.execute(closing.statement()).await.unwrap();
    identity::population::rebuild(conn, &consumer("dcf")).await.unwrap();
}

/// The office that has the client until the interval closes.
const OFFICE: &str = "Hartford";

/// Asks for one client as an office, or as the whole agency.
async fn ask_as(world: &World, who: &str, person: &str, office: Option<&str>) -> Result<Disclosed, Error> {
    let (clock, who) = (FixedClock(moment()), consumer(who));
    let ask = Ask { office, ..ask_of(&who) };
    disclosure::disclose_one(world.context(&clock), &ask, &Masked::new(person.to_owned()), &encode).await
}

/// Waits until this many transactions of the database wait for a population lock.
async fn wait_for_waiting(conn: &mut PgConnection, expect: i64) {
    loop {
        let row = conn
            .fetch_one(
                "SELECT count(*) FROM pg_catalog.pg_locks AS l
                JOIN pg_catalog.pg_database AS d ON d.oid = l.database
                WHERE l.locktype = 'advisory' AND NOT l.granted AND d.datname = current_database()",
            )
            .await
            .unwrap();
        if row.get::<i64, _>(0) >= expect {
            return;
        }
        tokio::task::yield_now().await;
    }
}

const DISCLOSURES: &str = "SELECT count(*) FROM ledger.entry WHERE kind = 'disclosure'";

#[tokio::test]
async fn what_waits_for_a_closing_interval_is_refused() {
    for closing in Closing::ALL {
        let world = one_in_care().await;
        let (mut closer, mut watcher) = (world.db.superuser().await, world.db.superuser().await);
        let mut tx = closer.begin().await.unwrap();
        close_interval(&mut tx, closing).await;
        let mut asking = JoinSet::new();
        for _ in 0..4 {
            let world = Arc::clone(&world);
            asking.spawn(async move { ask_as(&world, "dcf", "D1", Some(OFFICE)).await.map(|_| ()) });
        }
        wait_for_waiting(&mut watcher, 4).await;
        tx.commit().await.unwrap();
        while let Some(asked) = asking.join_next().await {
            assert!(matches!(asked.unwrap(), Err(Error::Denied(reason)) if reason.is_about_the_student()));
        }
        assert_eq!(world.count(DISCLOSURES).await, 0, "{closing:?}");
        assert_eq!(world.count("SELECT count(*) FROM ledger.entry WHERE kind = 'refusal'").await, 4, "{closing:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_closing_interval_waits_for_what_is_being_disclosed() {
    let world = one_in_care().await;
    let (started, has_started) = tokio::sync::oneshot::channel();
    let (release, released) = mpsc::channel::<()>();
    let (started, released) = (Mutex::new(Some(started)), Mutex::new(released));
    let mut tasks = JoinSet::new();
    let asking = Arc::clone(&world);
    tasks.spawn(async move {
        let (clock, dcf) = (FixedClock(moment()), consumer("dcf"));
        let slow = |history: &disclosure::DisclosedHistory| {
            if let Some(started) = started.lock().unwrap().take() {
                started.send(()).unwrap();
                released.lock().unwrap().recv().unwrap();
            }
            encode(history)
        };
        let person = Masked::new("D1".to_owned());
        disclosure::disclose_one(asking.context(&clock), &ask_of(&dcf), &person, &slow).await.unwrap();
    });
    has_started.await.unwrap();
    // The history is read and not yet recorded: now the interval is to close.
    let closing = Arc::clone(&world);
    tasks.spawn(async move {
        let mut conn = closing.db.superuser().await;
        let mut tx = conn.begin().await.unwrap();
        close_interval(&mut tx, Closing::Ended).await;
        let row = tx.fetch_one(DISCLOSURES).await.unwrap();
        assert_eq!(row.get::<i64, _>(0), 1, "the disclosure is recorded and committed before the interval closes");
        tx.commit().await.unwrap();
    });
    let mut watcher = world.db.superuser().await;
    wait_for_waiting(&mut watcher, 1).await;
    release.send(()).unwrap();
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
    assert!(world.ask("dcf", "D1", moment()).await.is_err());
    assert_eq!(world.count(DISCLOSURES).await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_disclosure_commits_after_the_interval_has_closed() {
    for closing in Closing::ALL {
        let world = one_in_care().await;
        let mut asking = JoinSet::new();
        for _ in 0..6 {
            let world = Arc::clone(&world);
            asking.spawn(async move {
                let mut granted = 0_i64;
                while ask_as(&world, "dcf", "D1", Some(OFFICE)).await.is_ok() {
                    granted += 1;
                }
                granted
            });
        }
        let mut watcher = world.db.superuser().await;
        while watcher.fetch_one(DISCLOSURES).await.unwrap().get::<i64, _>(0) < 12 {
            tokio::task::yield_now().await;
        }
        let mut tx = watcher.begin().await.unwrap();
        close_interval(&mut tx, closing).await;
        // Whoever disclosed held the population; now nobody does, so all that ever will be disclosed is here.
        let at_the_end: i64 = tx.fetch_one(DISCLOSURES).await.unwrap().get(0);
        tx.commit().await.unwrap();
        let mut granted = 0;
        while let Some(one) = asking.join_next().await {
            granted += one.unwrap();
        }
        assert_eq!((granted, world.count(DISCLOSURES).await), (at_the_end, at_the_end), "{closing:?}");
        let elsewhere = ask_as(&world, "dcf", "D1", Some("Bridgeport")).await;
        assert_eq!(
            elsewhere.is_ok(),
            matches!(closing, Closing::Transferred),
            "{closing:?}: the office that has the client now"
        );
    }
}

/// What a disclosure rests on besides an interval, and how somebody ends it.
#[derive(Clone, Copy, Debug)]
enum End {
    Suspension,
    LaterVersion,
    Certification,
    Release,
    SealedPerson,
    SealedDomain,
    ExpungedRecord,
    OfficeTransfer,
}

impl End {
    /// The office that asks, where it is an office's part that ends.
    const fn office(self) -> Option<&'static str> {
        match self {
            Self::OfficeTransfer => Some(OFFICE),
            _ => None,
        }
    }
}

/// Somebody who may be disclosed on what is about to end: the agency and its client.
async fn one_who_rests_on(end: End) -> (Arc<World>, &'static str, &'static str) {
    match end {
        End::Certification | End::Release => {
            let (basis, phase) = match end {
                End::Release => ("parent_consent", "adjudicated"),
                _ => ("juvenile_justice", "pre_adjudication"),
            };
            let world = World::new(&["cssd"]).await;
            world.load("sasid-2.1x", &[registration(STUDENT)], loaded_at()).await;
            world.roster("cssd", "2026-11-19", &[supervised("C1", basis, phase)], loaded_at()).await;
            world.link("cssd", "C1", STUDENT).await;
            (Arc::new(world), "cssd", "C1")
        }
        _ => {
            let world = one_in_care().await;
            world.load("ct-discipline", &[offense(STUDENT)], loaded_at()).await;
            (world, "dcf", "D1")
        }
    }
}

/// Ends it as the program does.
async fn end_it(world: &World, end: End) {
    let (agreements, clock) = (&world.agreements, FixedClock(moment()));
    let order = |kind: &str, domain| intake::restriction::Order {
        sea: sea(),
        state_id: Masked::new(STUDENT.to_owned()),
        kind: kind.to_owned(),
        domain,
        ordered_on: "2026-11-01".parse().unwrap(),
        order_number: "O-1".to_owned(),
    };
    let restrict = async |order| {
        let zone = "America/New_York".parse().unwrap();
        intake::restriction::restrict(&world.db.pool, &order, zone, "ann", moment()).await.unwrap();
    };
    match end {
        End::SealedPerson => restrict(order("sealed", None)).await,
        End::SealedDomain => restrict(order("protective_order", Some(Domain::Discipline))).await,
        End::ExpungedRecord => {
            let expunged = with(&offense(STUDENT), &[("expunged", "1")]);
            world.load("ct-discipline", &[expunged], moment()).await;
        }
        End::OfficeTransfer => {
            let moved = in_care("D1", "2026-10-01", "").replace(",,Hartford,1,W1", ",,Bridgeport,1,W2");
            world.roster("dcf", "2026-11-20", &[moved], moment()).await;
        }
        End::Suspension | End::LaterVersion | End::Certification | End::Release => {
            pg::run_tx(&world.db.pool, "tests.end", Role::Agreements, |tx| {
                let clock = &clock;
                Box::pin(async move {
                    match end {
                        End::Suspension => {
                            agreements.suspend(tx, "dcf_mou", ("ann", "a question is open"), clock).await
                        }
                        End::LaterVersion => agreements.activate(tx, "dcf_mou", 2, clock).await.map(|_| ()),
                        End::Certification => agreements.revoke_certification(tx, 1, clock).await,
                        _ => {
                            let paper =
                                (&mut **tx).fetch_one("SELECT digest FROM agreements.instrument").await.unwrap();
                            let digest = Digest(paper.get::<Vec<u8>, _>(0).try_into().unwrap());
                            agreements.revoke_instrument(tx, digest, clock).await
                        }
                    }
                })
            })
            .await
            .unwrap();
        }
    }
}

/// A version of the agreement that gives less, approved and not in force.
async fn propose_less(world: &World) {
    let shipped = project_file("deploy/consumers/dcf/agreement.toml");
    let amendment = "\n[[amendment]]\nversion = 2\non = 2026-11-01\ntext = \"Discipline is left out.\"\n";
    let clause = shipped.split("\n[[clause]]").find(|clause| clause.contains("discipline = \"all\"")).unwrap();
    let less =
        shipped.replace(&format!("\n[[clause]]{clause}"), "\n").replace("version = 1", "version = 2") + amendment;
    let mut conn = world.db.superuser().await;
    let proposal = world.agreements.propose(&mut conn, &less, moment()).await.unwrap();
    for approval in world.approvals(Act::Activate, proposal.digest, moment()) {
        world.agreements.approve(&mut conn, Act::Activate, proposal.digest, &approval).await.unwrap();
    }
}

/// Whoever ends what a disclosure rests on waits for it, and when the end has committed nothing is disclosed on it any more.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_ends_waits_for_what_is_being_disclosed_and_holds_from_then_on() {
    for end in [
        End::Suspension,
        End::LaterVersion,
        End::Certification,
        End::Release,
        End::SealedPerson,
        End::SealedDomain,
        End::ExpungedRecord,
        End::OfficeTransfer,
    ] {
        let (world, who, person) = one_who_rests_on(end).await;
        if matches!(end, End::LaterVersion) {
            propose_less(&world).await;
        }
        let (started, has_started) = tokio::sync::oneshot::channel();
        let (release, released) = mpsc::channel::<()>();
        let (started, released) = (Mutex::new(Some(started)), Mutex::new(released));
        let (asking, ending) = (Arc::clone(&world), Arc::clone(&world));
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let (clock, who) = (FixedClock(moment()), consumer(who));
            let slow = |history: &disclosure::DisclosedHistory| {
                if let Some(started) = started.lock().unwrap().take() {
                    started.send(()).unwrap();
                    released.lock().unwrap().recv().unwrap();
                }
                encode(history)
            };
            let person = Masked::new(person.to_owned());
            let ask = Ask { office: end.office(), ..ask_of(&who) };
            disclosure::disclose_one(asking.context(&clock), &ask, &person, &slow).await.unwrap();
        });
        has_started.await.unwrap();
        tasks.spawn(async move { end_it(&ending, end).await });
        let mut watcher = world.db.superuser().await;
        wait_for_waiting(&mut watcher, 1).await;
        // Whoever asks meanwhile waits behind the end, and is refused or told less.
        let behind = Arc::clone(&world);
        let mut asked = JoinSet::new();
        asked.spawn(async move { ask_as(&behind, who, person, end.office()).await });
        wait_for_waiting(&mut watcher, 2).await;
        assert_eq!(world.count(DISCLOSURES).await, 0, "{end:?}");
        release.send(()).unwrap();
        while let Some(done) = tasks.join_next().await {
            done.unwrap();
        }
        let told_less = match asked.join_next().await.unwrap().unwrap() {
            Ok(disclosed) => !String::from_utf8(disclosed.bytes.to_vec()).unwrap().contains("H-2024-17"),
            Err(Error::Denied(_)) => true,
            Err(error) => panic!("{end:?}: {error}"),
        };
        assert!(told_less, "{end:?}: what was asked behind the end was given as before");
    }
}

/// A clock that stands before an instant until it is told to move, and then still for so many looks.
struct Moving {
    before: DateTime<Utc>,
    after: DateTime<Utc>,
    looks: AtomicI64,
}

impl Clock for Moving {
    fn now(&self) -> DateTime<Utc> {
        if self.looks.fetch_sub(1, Ordering::SeqCst) > 0 { self.before } else { self.after }
    }
}

/// One client whose care ends at midnight in New York, and one whose care goes on.
async fn one_until_midnight() -> World {
    let world = World::new(&["dcf"]).await;
    world.load("sasid-2.1x", &[registration(STUDENT), registration(OTHER)], loaded_at()).await;
    let rows = [in_care("D1", "2026-10-01", "2026-11-19"), in_care("D2", "2026-10-01", "")];
    world.roster("dcf", "2026-11-19", &rows, loaded_at()).await;
    world.link("dcf", "D1", STUDENT).await;
    world.link("dcf", "D2", OTHER).await;
    world
}

/// Authority ends while the history is being put into its format (no look at the clock is left), or while its entry commits (one is).
#[tokio::test]
async fn authority_that_ends_while_it_is_being_disclosed_gives_nothing() {
    let (midnight, dcf) = (at("2026-11-20T05:00:00Z"), consumer("dcf"));
    let before = midnight - TimeDelta::milliseconds(1);
    for (looks, entries) in [(0, [0, 1]), (1, [1, 1])] {
        let clock = || Moving { before, after: midnight, looks: AtomicI64::new(i64::MAX) };
        let moves = |clock: &Moving, history: &disclosure::DisclosedHistory| {
            if history.decided_at() < midnight {
                clock.looks.store(looks, Ordering::SeqCst);
            }
            encode(history)
        };
        let (world, clock_of_one) = (one_until_midnight().await, clock());
        let person = Masked::new("D1".to_owned());
        let encode_one = |history: &disclosure::DisclosedHistory| moves(&clock_of_one, history);
        let asked = disclosure::disclose_one(world.context(&clock_of_one), &ask_of(&dcf), &person, &encode_one).await;
        assert!(matches!(asked, Err(Error::Denied(reason)) if reason.is_about_the_student()), "{looks}: {asked:?}");
        let refusals = "SELECT count(*) FROM ledger.entry WHERE kind = 'refusal'";
        assert_eq!([world.count(DISCLOSURES).await, world.count(refusals).await], entries, "{looks}");

        let (world, clock_of_many) = (one_until_midnight().await, clock());
        let keys = ["D1", "D2"].map(str::to_owned);
        let encode_many = |history: &disclosure::DisclosedHistory| moves(&clock_of_many, history);
        let context = world.context(&clock_of_many);
        let items = disclosure::disclose_chunk(context, &ask_of(&dcf), &keys, &encode_many).await.unwrap();
        assert!(
            matches!(items.as_slice(), [Item::Refused { .. }, Item::Disclosed(_)]),
            "{looks}: only whose authority goes on: {items:?}"
        );
    }
}
