//! Agreements against a real database, and against somebody who writes rows past the program.

use std::sync::Arc;

use agreements::{
    Act, Actor, Agreements, Approval, Authority, Delivery, ElementSet, Ended, Error, Instrument, InstrumentKind,
    Interval, LegalBasis, NewCertification, NewInstrument, Paper, Phase, Reason, Request, Steward, Stewards, Subject,
    decide,
};
use chrono::{DateTime, TimeDelta, Utc};
use ed25519_dalek::SigningKey;
use model::{ConsumerId, Domain, Entropy as _, FixedClock, Masked, SeededEntropy};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection, Row as _};
use tests::{TestDatabase, project_file};

// ---- people, papers, documents ---------------------------------------------------------------------------------------

/// The text of a shipped agreement.
fn shipped(consumer: &str) -> String {
    project_file(&format!("deploy/consumers/{consumer}/agreement.toml"))
}

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn now() -> DateTime<Utc> {
    at("2026-03-01T12:00:00Z")
}

fn consumer(id: &str) -> ConsumerId {
    id.parse().unwrap()
}

fn key(seed: u8) -> SigningKey {
    SigningKey::from_bytes(&[seed; 32])
}

fn agreements() -> Agreements {
    let steward = |id: &str, seed: u8| Steward {
        id: id.to_owned(),
        key: key(seed).verifying_key(),
        registered: Interval { from: at("2026-01-01T00:00:00Z"), to: None },
        sandbox: seed == 2,
    };
    Agreements::new(Stewards::new([steward("ann", 1), steward("ben", 2), steward("cat", 3)]).unwrap())
}

fn signed(
    agreements: &Agreements,
    who: &str,
    seed: u8,
    what: (Act, agreements::Digest),
    when: DateTime<Utc>,
) -> Approval {
    Approval::sign(agreements.stewards(), who, &key(seed), what, when).unwrap()
}

/// Proposes, has ann and ben approve, and activates.
async fn activate(
    agreements: &Agreements,
    conn: &mut PgConnection,
    document: &str,
    when: DateTime<Utc>,
) -> Result<DateTime<Utc>, Error> {
    let proposal = agreements.propose(conn, document, when).await?;
    for (who, seed) in [("ann", 1), ("ben", 2)] {
        let approval = signed(agreements, who, seed, (Act::Activate, proposal.digest), when);
        agreements.approve(conn, Act::Activate, proposal.digest, &approval).await?;
    }
    agreements.activate(conn, &proposal.agreement_id, proposal.version, &FixedClock(when)).await
}

fn second_version(document: &str, valid_from: &str) -> String {
    let first = document.lines().find(|line| line.starts_with("valid_from")).unwrap();
    document
        .replace("version = 1", "version = 2")
        .replace(first, &format!("valid_from = {valid_from}"))
        .replace("days = 365", "days = 180")
        + "\n[[amendment]]\nversion = 2\non = 2026-02-01\ntext = \"Shorter retention.\"\n"
}

// ---- the tests -------------------------------------------------------------------------------------------------------

/// A program that knows more elements reads more into the `"all"` of a document that an earlier one filed.
#[tokio::test]
async fn what_all_meant_when_it_was_signed_stays_what_it_means() {
    let db = TestDatabase::new().await;
    let mut conn = db.superuser().await;
    let agreements = agreements();
    let today = agreements.propose(&mut conn, &shipped("dcf"), now()).await.unwrap();
    let earlier = "UPDATE agreements.version SET canonical = replace(canonical, '\"days_absent\",', ''),
        digest = sha256(convert_to(replace(canonical, '\"days_absent\",', ''), 'UTF8')) RETURNING digest";
    let digest: Vec<u8> = conn.fetch_one(earlier).await.unwrap().get(0);
    let kept = agreements.propose(&mut conn, &shipped("dcf"), now()).await.unwrap();
    assert_eq!(kept.digest.0.to_vec(), digest);
    assert_ne!(kept.digest, today.digest, "an element is less in it");
    let other = shipped("dcf").replace("days = 365", "days = 364");
    assert!(matches!(agreements.propose(&mut conn, &other, now()).await, Err(Error::Conflict(_))));
}

#[tokio::test]
async fn two_stewards_bring_a_version_into_force() {
    let db = TestDatabase::new().await;
    let mut conn = db.superuser().await;
    let agreements = agreements();
    let dcf = consumer("dcf");
    assert!(agreements.load_active(&mut conn, &dcf, now()).await.unwrap().is_none());

    let proposal = agreements.propose(&mut conn, &shipped("dcf"), now()).await.unwrap();
    assert_eq!(agreements.propose(&mut conn, &shipped("dcf"), now()).await.unwrap(), proposal, "again changes nothing");
    let other = shipped("dcf").replace("days = 365", "days = 364");
    assert!(matches!(agreements.propose(&mut conn, &other, now()).await, Err(Error::Conflict(_))));

    let alone = signed(&agreements, "ann", 1, (Act::Activate, proposal.digest), now());
    agreements.approve(&mut conn, Act::Activate, proposal.digest, &alone).await.unwrap();
    let again = signed(&agreements, "ann", 1, (Act::Activate, proposal.digest), now() - TimeDelta::hours(1));
    agreements.approve(&mut conn, Act::Activate, proposal.digest, &again).await.unwrap();
    let refused = agreements.activate(&mut conn, "dcf_mou", 1, &FixedClock(now())).await;
    assert!(matches!(refused, Err(Error::Precondition(_))), "one person twice is one person");

    assert_eq!(activate(&agreements, &mut conn, &shipped("dcf"), now()).await.unwrap(), now());
    let active = agreements.load_active(&mut conn, &dcf, now()).await.unwrap().unwrap();
    assert_eq!((active.terms().id.as_str(), active.digest()), ("dcf_mou", proposal.digest));
    assert_eq!(active.approved_by(), &["ann".to_owned(), "ben".to_owned()]);
    assert!(active.has_sandbox_approval(), "ben's key is the program's");
    assert_eq!(
        activate(&agreements, &mut conn, &shipped("dcf"), now() + TimeDelta::days(1)).await.unwrap(),
        now(),
        "it stays so"
    );
    assert!(agreements.load_active(&mut conn, &dcf, now() - TimeDelta::seconds(1)).await.unwrap().is_none());
}

#[tokio::test]
async fn a_suspended_agreement_comes_back_only_with_new_approvals() {
    let db = TestDatabase::new().await;
    let mut conn = db.superuser().await;
    let agreements = agreements();
    let dcf = consumer("dcf");
    activate(&agreements, &mut conn, &shipped("dcf"), now()).await.unwrap();
    let stopped = now() + TimeDelta::hours(1);
    agreements
        .suspend(&mut conn, "dcf_mou", ("cat", "a complaint is looked into"), &FixedClock(stopped))
        .await
        .unwrap();
    let active = agreements.load_active(&mut conn, &dcf, stopped).await.unwrap().unwrap();
    assert_eq!(active.ended(), Some((stopped, Ended::Suspended)));
    let again = agreements.suspend(&mut conn, "dcf_mou", ("cat", "twice"), &FixedClock(stopped)).await;
    assert!(matches!(again, Err(Error::NotFound(_))));

    let later = stopped + TimeDelta::hours(1);
    let stale = agreements.activate(&mut conn, "dcf_mou", 1, &FixedClock(later)).await;
    assert!(matches!(stale, Err(Error::Precondition(_))), "{stale:?}");
    let back = conn.execute("UPDATE agreements.activation SET ended_at = NULL, ended_because = NULL").await;
    assert!(back.is_err(), "a suspension is never taken back");
    activate(&agreements, &mut conn, &shipped("dcf"), later).await.unwrap();
    let active = agreements.load_active(&mut conn, &dcf, later).await.unwrap().unwrap();
    assert_eq!(active.ended(), None);
    let between = agreements.load_active(&mut conn, &dcf, later - TimeDelta::seconds(1)).await.unwrap().unwrap();
    assert!(between.ended().is_some(), "what was stopped then stays stopped then");
}

#[tokio::test]
async fn an_amendment_takes_over_when_its_validity_begins() {
    let db = TestDatabase::new().await;
    let mut conn = db.superuser().await;
    let agreements = agreements();
    let dcf = consumer("dcf");
    activate(&agreements, &mut conn, &shipped("dcf"), now()).await.unwrap();
    let begins =
        activate(&agreements, &mut conn, &second_version(&shipped("dcf"), "2026-06-01"), now() + TimeDelta::hours(1))
            .await
            .unwrap();
    assert_eq!(begins, at("2026-06-01T04:00:00Z"), "midnight in New York");
    let retention =
        async |conn: &mut PgConnection, when| {
            agreements.load_active(conn, &dcf, when).await.unwrap().map(|active| {
                (active.terms().retention.days, active.ended().is_some_and(|(ended_at, _)| ended_at <= when))
            })
        };
    assert_eq!(retention(&mut conn, begins - TimeDelta::microseconds(1)).await, Some((365, false)));
    assert_eq!(retention(&mut conn, begins).await, Some((180, false)));
    let first = agreements.activate(&mut conn, "dcf_mou", 1, &FixedClock(begins)).await;
    assert!(matches!(first, Err(Error::Conflict(_))), "the first version does not come back");

    // Stopping the agreement stops both, the one to come included.
    agreements.suspend(&mut conn, "dcf_mou", ("cat", "stop"), &FixedClock(now() + TimeDelta::hours(2))).await.unwrap();
    assert_eq!(retention(&mut conn, now() + TimeDelta::hours(2)).await, Some((365, true)));
    assert_eq!(retention(&mut conn, begins).await, Some((180, true)));
}

/// Each row is something a superuser might do; what is loaded afterwards is refused.
#[tokio::test]
async fn rows_written_past_the_program_activate_nothing() {
    let swap = "SET session_replication_role = replica;
        UPDATE agreements.version SET canonical = replace(canonical, '\"days\":365', '\"days\":9999');
        UPDATE agreements.version SET digest = sha256(convert_to(canonical, 'UTF8'));";
    let tampering = [
        "UPDATE agreements.approval SET signature = sha512('forged')",
        "UPDATE agreements.term SET elements = array_append(elements, 'arrested') WHERE domain = 6",
        "UPDATE agreements.term SET requires_authority = true, evidence = NULL, basis_rank = 7",
        "DELETE FROM agreements.term WHERE domain = 4",
        "UPDATE agreements.version SET canonical = replace(canonical, '\"days\":365', '\"days\":9999')",
        "SET session_replication_role = replica; UPDATE agreements.activation SET consumer = 'cssd'",
        "SET session_replication_role = replica; UPDATE agreements.activation SET second_steward = 'ann'",
        "SET session_replication_role = replica;
         UPDATE agreements.activation SET activated_at = activated_at - interval '1 day'",
    ];
    for sql in tampering.iter().map(|sql| (*sql).to_owned()).chain([
        swap.to_owned(),
        format!(
            "{swap} UPDATE agreements.approval SET digest = (SELECT digest FROM agreements.version);
            UPDATE agreements.activation SET digest = (SELECT digest FROM agreements.version)"
        ),
    ]) {
        let db = TestDatabase::new().await;
        let mut conn = db.superuser().await;
        activate(&agreements(), &mut conn, &shipped("dcf"), now()).await.unwrap();
        // Somebody who may do this is not held back by constraints either.
        for (table, name) in [
            ("activation", "activation_by_two"),
            ("activation", "activation_check"),
            ("version", "version_digest_of_canonical"),
        ] {
            conn.execute(AssertSqlSafe(format!("ALTER TABLE agreements.{table} DROP CONSTRAINT {name}")))
                .await
                .unwrap();
        }
        conn.execute(AssertSqlSafe(sql.as_str())).await.unwrap();
        let who = consumer(if sql.contains("consumer = 'cssd'") { "cssd" } else { "dcf" });
        let loaded = agreements().load_active(&mut conn, &who, now()).await;
        // Nothing at all is an answer too: an approval that is gone takes its activation with it.
        assert!(matches!(loaded, Err(Error::Corrupt(_)) | Ok(None)), "{sql}: {loaded:?}");
    }
}

#[tokio::test]
async fn papers_open_a_clients_records_and_only_theirs() {
    let db = TestDatabase::new().await;
    let mut conn = db.superuser().await;
    let agreements = agreements();
    activate(&agreements, &mut conn, &shipped("cssd"), now()).await.unwrap();
    let cssd = consumer("cssd");
    let month = Interval { from: now(), to: Some(now() + TimeDelta::days(30)) };
    let paper = |kind, person: &str| NewInstrument {
        kind,
        consumer: cssd.clone(),
        person_key: Masked::new(person.to_owned()),
        reference: "J-1".to_owned(),
        reason: "custody hearing".to_owned(),
        in_force: month,
    };
    let order = paper(InstrumentKind::CourtOrder, "C1");
    let digest = order.digest().unwrap();
    let ann = signed(&agreements, "ann", 1, (Act::RecordInstrument, digest), now());
    let cat = signed(&agreements, "cat", 3, (Act::RecordInstrument, digest), now());
    let pair = [ann.clone(), cat];
    let alone = agreements.record_order(&mut conn, &order, &[ann.clone(), ann], "ann", now()).await;
    assert!(matches!(alone, Err(Error::Precondition(_))));
    agreements.record_order(&mut conn, &order, &pair, "ann", now()).await.unwrap();
    agreements.record_order(&mut conn, &order, &pair, "ann", now()).await.unwrap();
    let elsewhere =
        agreements.record_order(&mut conn, &paper(InstrumentKind::CourtOrder, "C2"), &pair, "ann", now()).await;
    assert!(matches!(elsewhere, Err(Error::Precondition(_))), "approved for another client");

    let releases = [paper(InstrumentKind::ParentRelease, "C2"), paper(InstrumentKind::StudentRelease, "C3")];
    assert_eq!(agreements.record_releases(&mut conn, &releases, "ann", now()).await.unwrap(), 2);
    assert_eq!(agreements.record_releases(&mut conn, &releases, "ann", now()).await.unwrap(), 0);
    let as_release = agreements.record_releases(&mut conn, &[order], "ann", now()).await;
    assert!(matches!(as_release, Err(Error::Invalid(_))));

    let keys: Vec<String> = ["C1", "C2", "C3", "C4"].map(str::to_owned).into();
    let held = agreements.load_instruments(&mut conn, &cssd, &keys).await.unwrap();
    assert_eq!(held.keys().collect::<Vec<_>>(), ["C1", "C2", "C3"]);
    let paper = Arc::new(Paper { reference: Masked::new("J-1".into()), reason: Masked::new("custody hearing".into()) });
    assert_eq!(held["C1"], [Instrument { kind: InstrumentKind::CourtOrder, in_force: month, paper }]);
    assert!(agreements.load_instruments(&mut conn, &consumer("dcf"), &keys).await.unwrap().is_empty());
    let revoked = now() + TimeDelta::days(1);
    agreements.revoke_instrument(&mut conn, releases[0].digest().unwrap(), &FixedClock(revoked)).await.unwrap();
    let held = agreements.load_instruments(&mut conn, &cssd, &keys).await.unwrap();
    assert_eq!(held["C2"][0].in_force.to, Some(revoked));

    // Row security: a transaction of one consumer does not see another's papers; without a consumer, none.
    for (setting, expect) in [("cssd", 3_i64), ("dcf", 0), ("", 0)] {
        let mut tx = conn.begin().await.unwrap();
        tx.execute(AssertSqlSafe(format!(
            "SET LOCAL throughline.consumer = '{setting}'; SET LOCAL ROLE throughline_disclosure"
        )))
        .await
        .unwrap();
        let row = tx.fetch_one("SELECT count(DISTINCT person_key) FROM agreements.rule").await.unwrap();
        assert_eq!(row.get::<i64, _>(0), expect, "{setting}");
        assert!(tx.execute("INSERT INTO agreements.approval DEFAULT VALUES").await.is_err());
    }

    // An order written past the program opens nothing: whoever loads it is told.
    conn.execute(AssertSqlSafe("SET session_replication_role = replica")).await.unwrap();
    conn.execute(AssertSqlSafe("UPDATE agreements.instrument SET person_key = 'C4' WHERE kind = 'court_order'"))
        .await
        .unwrap();
    let forged = agreements.load_instruments(&mut conn, &cssd, &keys).await;
    assert!(matches!(forged, Err(Error::Corrupt(_))));
}

// ---- the view against the decision -----------------------------------------------------------------------------------

struct Dice(SeededEntropy);

impl Dice {
    fn below(&self, sides: u8) -> u8 {
        let mut byte = [0];
        self.0.fill(&mut byte);
        byte[0] % sides
    }

    fn pick<'a, T>(&self, from: &'a [T]) -> &'a T {
        &from[usize::from(self.below(u8::try_from(from.len()).unwrap()))]
    }

    fn instant(&self) -> DateTime<Utc> {
        now() + TimeDelta::days(i64::from(self.below(40)) - 20)
    }

    fn interval(&self) -> Interval {
        let from = self.instant();
        let to = (self.below(3) > 0).then(|| from + TimeDelta::days(i64::from(self.below(30)) + 1));
        Interval { from, to }
    }
}

#[tokio::test]
async fn the_view_and_the_decision_give_one_answer() {
    let db = TestDatabase::new().await;
    let mut conn = db.superuser().await;
    let agreements = agreements();
    let dice = Dice(SeededEntropy::new(20_261_121));
    let parties = [("dcf", "case_planning"), ("cssd", "service_planning"), ("education_unit", "education_oversight")];
    for (party, _) in parties {
        activate(&agreements, &mut conn, &shipped(party), now() - TimeDelta::days(25)).await.unwrap();
    }
    agreements.suspend(&mut conn, "dcf_mou", ("cat", "stop"), &FixedClock(now() + TimeDelta::days(10))).await.unwrap();
    let (mut granted, mut denied) = (0, 0);
    for round in 0..600 {
        let (party, purpose) = *dice.pick(&parties);
        let who = consumer(party);
        let person = format!("P{round}");
        if dice.below(40) == 0 {
            let certification = NewCertification {
                consumer: who.clone(),
                holder: "director".to_owned(),
                reference: person.clone(),
                in_force: Interval { to: Some(now() + TimeDelta::days(41)), ..dice.interval() },
            };
            let what = (Act::Certify, certification.digest().unwrap());
            let approvals = [("ann", 1), ("ben", 2)].map(|(who, seed)| signed(&agreements, who, seed, what, now()));
            let id =
                agreements.record_certification(&mut conn, &certification, &approvals, "ann", now()).await.unwrap();
            if dice.below(3) == 0 {
                agreements.revoke_certification(&mut conn, id, &FixedClock(dice.instant())).await.unwrap();
            }
        }
        for _ in 0..dice.below(4) {
            file_paper(&agreements, &mut conn, &dice, (&who, &person)).await;
        }
        let bases = [LegalBasis::UninterruptedScholars, LegalBasis::JuvenileJustice, LegalBasis::ParentConsent];
        let authorities: Vec<Authority> = (0..=dice.below(3))
            .map(|_| Authority {
                legal_basis: Some(*dice.pick(&bases)),
                phase: *dice.pick(&[None, Some(Phase::PreAdjudication), Some(Phase::Adjudicated)]),
                office: None,
                officer: None,
                released: dice.interval(),
            })
            .collect();
        let majority_at = (dice.below(6) > 0).then(|| dice.instant());
        let when = dice.instant();

        let by_view = joined(&mut conn, (&who, &person, purpose), &authorities, majority_at, when).await;
        let instruments = agreements.load_instruments(&mut conn, &who, std::slice::from_ref(&person)).await.unwrap();
        let active = agreements.load_active(&mut conn, &who, when).await.unwrap();
        let request = Request {
            consumer: &who,
            actor: Actor::ScheduledRun,
            purpose,
            delivery: Delivery::Stream,
            office: None,
            elements: ElementSet::all(),
        };
        let subject = Subject {
            authorities: &authorities,
            instruments: instruments.get(&person).map_or(&[], Vec::as_slice),
            majority_at,
        };
        let by_decision = active
            .map_or(Err(Reason::NoAgreement), |active| {
                decide(&request, &subject, &active, when).map_err(|denial| denial.reason)
            })
            .map(|grant| (grant.legal_basis(), grant.elements()));
        if by_decision.is_ok() {
            granted += 1;
        } else {
            denied += 1;
        }
        assert_eq!(by_decision.ok(), by_view, "{party} {person} at {when}");
    }
    assert!(granted > 50 && denied > 50, "{granted} granted, {denied} denied: the dice tell nothing");
}

/// Puts a random paper on file, and perhaps revokes it.
async fn file_paper(agreements: &Agreements, conn: &mut PgConnection, dice: &Dice, (who, person): (&ConsumerId, &str)) {
    let kind = *dice.pick(InstrumentKind::ALL);
    let mut in_force = dice.interval();
    if kind.needs_approval() {
        in_force.to = in_force.to.or(Some(in_force.from + TimeDelta::days(9)));
    }
    let paper = NewInstrument {
        kind,
        consumer: who.clone(),
        person_key: Masked::new(person.to_owned()),
        reference: "R-1".to_owned(),
        reason: "random".to_owned(),
        in_force,
    };
    let digest = paper.digest().unwrap();
    if kind.needs_approval() {
        let what = (Act::RecordInstrument, digest);
        let pair = [signed(agreements, "ann", 1, what, now()), signed(agreements, "cat", 3, what, now())];
        agreements.record_order(conn, &paper, &pair, "ann", now()).await.unwrap();
    } else {
        agreements.record_releases(conn, &[paper], "ann", now()).await.unwrap();
    }
    if dice.below(4) == 0 {
        // The same paper twice is one paper, and may be revoked already.
        let _ = agreements.revoke_instrument(conn, digest, &FixedClock(dice.instant())).await;
    }
}

async fn joined(
    conn: &mut PgConnection,
    (who, person, purpose): (&ConsumerId, &str, &str),
    authorities: &[Authority],
    majority_at: Option<DateTime<Utc>>,
    when: DateTime<Utc>,
) -> Option<(LegalBasis, ElementSet)> {
    let texts = |pick: &dyn Fn(&Authority) -> Option<&'static str>| authorities.iter().map(pick).collect::<Vec<_>>();
    let rows = sqlx::query!(
        r#"-- tests.joined
        SELECT r.legal_basis AS "legal_basis!", r.domain AS "domain!", r.elements AS "elements!", r.basis_rank AS "rank!"
        FROM agreements.rule AS r
        CROSS JOIN LATERAL UNNEST($3::text[], $4::text[], $5::timestamptz[], $6::timestamptz[])
            AS p (legal_basis, phase, from_at, to_at)
        WHERE r.consumer = $1
            AND (r.person_key IS NULL OR r.person_key = $2)
            AND (NOT r.requires_authority OR r.legal_basis = p.legal_basis)
            AND (NOT r.requires_pre_adjudication OR p.phase = 'pre_adjudication')
            AND (NOT r.ends_at_majority OR $7::timestamptz < $8::timestamptz)
            AND (NOT r.begins_at_majority OR $8 <= $7)
            AND r.valid_from <= $7 AND (r.valid_to IS NULL OR $7 < r.valid_to)
            AND $9 = ANY (r.purposes) AND 'stream' = ANY (r.deliveries)
            AND p.from_at <= $7 AND (p.to_at IS NULL OR $7 < p.to_at)"#,
        who.as_str(),
        person,
        &texts(&|one| one.legal_basis.map(LegalBasis::as_str)) as &[Option<&str>],
        &texts(&|one| one.phase.map(Phase::as_str)) as &[Option<&str>],
        &authorities.iter().map(|one| one.released.from).collect::<Vec<_>>(),
        &authorities.iter().map(|one| one.released.to).collect::<Vec<_>>() as &[Option<DateTime<Utc>>],
        when,
        majority_at,
        purpose,
    )
    .fetch_all(conn)
    .await
    .unwrap();
    let first = rows.iter().map(|row| row.rank).min()?;
    let mut law = None;
    let mut set = ElementSet::EMPTY;
    for row in rows.iter().filter(|row| row.rank == first) {
        law = row.legal_basis.parse().ok();
        let domain = Domain::from_code(row.domain).unwrap();
        for name in &row.elements {
            set.insert(domains::find_element(&format!("{domain}.{name}")).unwrap());
        }
    }
    Some((law?, set))
}

#[test]
fn agreements_are_shared_between_tasks() {
    fn check<T: Send + Sync>() {}
    check::<Agreements>();
    check::<Arc<agreements::InForce>>();
}

#[tokio::test]
async fn a_certification_counts_on_the_word_of_two_stewards_and_a_row_alone_counts_for_nothing() {
    let db = TestDatabase::new().await;
    let mut conn = db.superuser().await;
    let agreements = agreements();
    let cssd = consumer("cssd");
    activate(&agreements, &mut conn, &shipped("cssd"), now() - TimeDelta::days(3)).await.unwrap();
    let certification = NewCertification {
        consumer: cssd.clone(),
        holder: "director".to_owned(),
        reference: "paper 1".to_owned(),
        in_force: Interval { from: now() - TimeDelta::days(1), to: None },
    };
    let digest = agreements.file_certification(&mut conn, &certification, now()).await.unwrap();
    assert_eq!(digest, certification.digest().unwrap());
    let used_for = uuid::Uuid::from_u128(1);
    assert!(agreements.certify(&mut conn, digest, (used_for, "ann"), now()).await.is_err(), "nobody has signed");
    let first = signed(&agreements, "ann", 1, (Act::Certify, digest), now());
    agreements.approve(&mut conn, Act::Certify, digest, &first).await.unwrap();
    assert!(agreements.certify(&mut conn, digest, (used_for, "ann"), now()).await.is_err(), "one has");
    assert!(!agreements.load_active(&mut conn, &cssd, now()).await.unwrap().unwrap().is_certified(now()));
    // As a superuser writes it: it counts for nothing, and the audit names it.
    conn.execute(
        "INSERT INTO agreements.certification (consumer, holder, reference, valid_from, recorded_by, recorded_at)
        VALUES ('cssd', 'director', 'paper 2', '2026-01-01', 'ann', '2026-01-01')",
    )
    .await
    .unwrap();
    assert!(!agreements.load_active(&mut conn, &cssd, now()).await.unwrap().unwrap().is_certified(now()));
    let audit = agreements.audit(&mut conn).await.unwrap();
    assert!(audit.altered.iter().any(|one| one.what.starts_with("certification 1 of cssd")), "{:?}", audit.altered);
    let second = signed(&agreements, "ben", 2, (Act::Certify, digest), now());
    agreements.approve(&mut conn, Act::Certify, digest, &second).await.unwrap();
    let (id, _) = agreements.certify(&mut conn, digest, (used_for, "ann"), now()).await.unwrap();
    assert!(agreements.load_active(&mut conn, &cssd, now()).await.unwrap().unwrap().is_certified(now()));
    // It serves once, and what it says cannot be stretched.
    assert!(agreements.certify(&mut conn, digest, (uuid::Uuid::from_u128(2), "ann"), now()).await.is_err());
    let stretch = format!(
        "UPDATE agreements.certification SET valid_from = valid_from - interval '1 year' WHERE certification_id = {id}"
    );
    conn.execute("SET session_replication_role = replica").await.unwrap();
    conn.execute(AssertSqlSafe(stretch)).await.unwrap();
    assert!(!agreements.load_active(&mut conn, &cssd, now()).await.unwrap().unwrap().is_certified(now()));
}
