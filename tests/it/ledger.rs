//! The ledger against a real database, and against a superuser who wants to change it.

mod places;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use chrono::{DateTime, TimeDelta, TimeZone as _, Utc};
use ledger::{
    Audience, Clause, Delivery, Detail, Details, Entry, Error, Finding, Hash, InclusionProof, KeyUse, Kind, OfRequest,
    OnwardParty, RecordScope, RecordedEntry, Report, RequestKey, Salts, Search, Showing, SignedCheckpoint, Signer,
    Since, Terms, TermsParts, VerifierKey,
    verify::{Keeper, Part},
};
use model::{DisclosureId, FixedClock, Masked, SeededEntropy, StudentId};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection, Row as _};
use tests::TestDatabase;
use uuid::Uuid;

// ---- the tests ---------------------------------------------------------------------------------------------------

fn at(seconds: i64) -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, 11, 21, 8, 30, 0).unwrap() + TimeDelta::seconds(seconds)
}

fn signer() -> Signer {
    Signer::from_seed("exchange.example/ledger", KeyUse::Log, &[7; 32]).unwrap()
}

fn trusted() -> Vec<VerifierKey> {
    vec![signer().public().clone()]
}

fn terms(consumer: &str) -> Arc<Terms> {
    let parts = TermsParts {
        consumer: consumer.parse().unwrap(),
        party: format!("Agency {consumer}"),
        purpose: Some("case planning".into()),
        legal_basis: Some("ferpa_uninterrupted_scholars".into()),
        clause: Some(Clause { agreement: consumer.into(), version: 3, clause: "4.1".into() }),
        elements: BTreeSet::from(["enrollment.entry_date".to_owned()]),
        withheld: BTreeSet::new(),
        onward: BTreeSet::from([OnwardParty { party: "Review Board".into(), interest: "education needs".into() }]),
        audiences: BTreeMap::from([(Audience::Parent, Showing::AfterReview)]),
    };
    Arc::new(Terms::new(parts).unwrap())
}

/// An invented disclosure; equal numbers give equal entries.
fn entry(number: u64) -> Entry {
    let entropy = SeededEntropy::new(number);
    Entry {
        id: model::disclosure_id(&entropy),
        kind: Kind::Disclosure,
        terms: terms("dcf"),
        delivery: Delivery::Stream,
        decided_at: at(number as i64),
        run: None,
        count: None,
        reason: None,
        detail: Detail {
            student: Some(StudentId(Uuid::from_u128(u128::from(number % 7) + 1))),
            person: Some(Masked::new("Worker Zero".into())),
            digest: Some(Hash::of(&number.to_be_bytes())),
            ..Detail::default()
        },
        salts: Salts::draw(&entropy),
    }
}

fn entries(from: u64, to: u64) -> Vec<Entry> {
    (from..to).map(entry).collect()
}

/// Records, sequences and signs.
async fn grow(conn: &mut PgConnection, from: u64, to: u64) -> SignedCheckpoint {
    for chunk in entries(from, to).chunks(500) {
        ledger::record_chunk(conn, chunk).await.unwrap();
    }
    sequence_all(conn).await;
    let mut tx = conn.begin().await.unwrap();
    let head = ledger::checkpoint(&mut tx, &signer(), &FixedClock(at(0))).await.unwrap().unwrap();
    tx.commit().await.unwrap();
    head
}

/// Sequences all that is committed. Transactions of other databases on the same server hold entries back for a moment.
async fn sequence_all(conn: &mut PgConnection) -> u64 {
    loop {
        let size = sequence_once(conn).await;
        if ledger::health(conn, &FixedClock(at(0))).await.unwrap().unsequenced == 0 {
            return size;
        }
        tokio::task::yield_now().await;
    }
}

async fn sequence_once(conn: &mut PgConnection) -> u64 {
    let mut tx = conn.begin().await.unwrap();
    let done = ledger::sequence(&mut tx, 300).await.unwrap();
    tx.commit().await.unwrap();
    done.size
}

async fn report(conn: &mut PgConnection, kept: &[SignedCheckpoint]) -> Report {
    ledger::verify(conn, &trusted(), kept).await.unwrap()
}

/// Does what only a superuser can: past the triggers.
async fn attack(conn: &mut PgConnection, sql: &str) {
    conn.execute(AssertSqlSafe(format!(
        "SET session_replication_role = replica; {sql}; RESET session_replication_role"
    )))
    .await
    .unwrap();
}

/// The id that stands at a position.
async fn id_at(conn: &mut PgConnection, leaf_index: i64) -> DisclosureId {
    let row = conn
        .fetch_one(AssertSqlSafe(format!("SELECT entry_id FROM ledger.sequence WHERE leaf_index = {leaf_index}")))
        .await
        .unwrap();
    DisclosureId(row.get(0))
}

#[tokio::test]
async fn an_honest_ledger_is_content_at_every_size() {
    let db = TestDatabase::new().await;
    let mut conn = db.superuser().await;
    assert!(report(&mut conn, &[]).await.is_content());
    let mut kept = Vec::new();
    for (from, to) in [(0, 1), (1, 255), (255, 256), (256, 700), (700, 5_000)] {
        kept.push(grow(&mut conn, from, to).await);
        let report = report(&mut conn, &kept).await;
        assert!(report.is_content(), "{to}: {:?}", report.findings);
        assert_eq!(report.entries, to);
    }
    let mut tx = conn.begin().await.unwrap();
    assert_eq!(ledger::checkpoint(&mut tx, &signer(), &FixedClock(at(0))).await.unwrap(), None);
}

#[tokio::test]
async fn single_entries_and_chunks_are_recorded_alike() {
    let db = TestDatabase::new().await;
    let mut conn = db.superuser().await;
    let mut full = entry(1);
    full.run = Some(Uuid::from_u128(9));
    full.count = Some(3);
    full.reason = Some("because".into());
    full.decided_at += TimeDelta::nanoseconds(1_234_567);
    full.detail.system = Some("cert".into());
    full.detail.on_behalf_of = Some(Masked::new("someone".into()));
    full.detail.authority = Some(Masked::new("order 1".into()));
    full.detail.threat = Some(Masked::new("a \"threat\"\nof two lines".into()));
    ledger::record_one(&mut conn, &full).await.unwrap();
    assert!(matches!(ledger::record_one(&mut conn, &full).await, Err(Error::Conflict(_))));
    let mut chunked = entry(2);
    chunked.detail = full.detail.clone();
    chunked.terms = terms("cssd");
    let mut refusal = entry(3);
    refusal.kind = Kind::Refusal;
    refusal.reason = Some("not_in_population".into());
    refusal.detail = Detail::default();
    ledger::record_chunk(&mut conn, &[chunked.clone(), refusal]).await.unwrap();
    ledger::record_chunk(&mut conn, &[]).await.unwrap();
    assert!(matches!(ledger::record_chunk(&mut conn, &[entry(4), chunked]).await, Err(Error::Conflict(_))));
    assert_eq!(sequence_all(&mut conn).await, 3);
    let report = report(&mut conn, &[]).await;
    assert!(report.is_content(), "{:?}", report.findings);
}

/// Every column of every row, edited one at a time by a superuser: verification names the entry.
#[tokio::test]
async fn any_update_by_a_superuser_is_located() {
    let db = TestDatabase::new().await;
    let mut conn = db.superuser().await;
    grow(&mut conn, 0, 300).await;
    let victim = id_at(&mut conn, 271).await;
    let parts = |parts: &[Part]| Finding::EntryAltered { leaf_index: 271, entry: victim, parts: parts.to_vec() };
    let edits: &[(&str, &str, &[Part])] = &[
        ("entry", "kind = 'notice'", &[Part::Record]),
        ("entry", "delivery = 'page'", &[Part::Record]),
        ("entry", "decided_at = decided_at + interval '1 microsecond'", &[Part::Record]),
        ("entry", "decided_at = decided_at - interval '4052 years'", &[Part::Record]),
        ("detail", "decided_at = decided_at - interval '1 microsecond'", &[Part::Detail]),
        ("detail", "terms_id = sha256('other terms')", &[Part::Detail]),
        ("entry", "run_id = entry_id", &[Part::Record]),
        ("entry", "counted = 0", &[Part::Record]),
        ("entry", "reason = 'x'", &[Part::Record]),
        ("entry", "reason = ''", &[Part::Record]),
        ("entry", "salt = substr(sha256('x'), 1, 16)", &[Part::Record]),
        ("entry", "record_commitment = sha256('x')", &[Part::Record, Part::Leaf]),
        ("entry", "detail_commitment = sha256('x')", &[Part::Detail, Part::Leaf]),
        ("entry", "content_commitment = sha256('x')", &[Part::Content, Part::Leaf]),
        ("entry", "xid = '3'", &[Part::Record]),
        ("entry", "era = 2", &[Part::Record]),
        ("detail", "student_id = entry_id", &[Part::Detail]),
        ("detail", "student_id = NULL", &[Part::Detail]),
        ("detail", "person = 'Someone Else'", &[Part::Detail]),
        ("detail", "system = ''", &[Part::Detail]),
        ("detail", "on_behalf_of = 'x'", &[Part::Detail]),
        ("detail", "authority = 'x'", &[Part::Detail]),
        ("detail", "threat = 'x'", &[Part::Detail]),
        ("detail", "digest = sha256('x')", &[Part::Detail, Part::Content]),
        ("detail", "salt = substr(sha256('x'), 1, 16)", &[Part::Detail]),
        ("detail", "content_salt = substr(sha256('x'), 1, 16)", &[Part::Content]),
        ("sequence", "leaf_hash = sha256('x')", &[Part::Leaf]),
    ];
    for (table, set, expect) in edits {
        attack(
            &mut conn,
            &format!("CREATE TEMP TABLE before AS SELECT * FROM ledger.{table} WHERE entry_id = '{victim}'"),
        )
        .await;
        attack(&mut conn, &format!("UPDATE ledger.{table} SET {set} WHERE entry_id = '{victim}'")).await;
        let report = report(&mut conn, &[]).await;
        assert!(report.findings.contains(&parts(expect)), "{table}.{set}: {:?}", report.findings);
        if *table != "sequence" {
            assert_eq!(report.findings.len(), 1, "{table}.{set}: {:?}", report.findings);
        }
        attack(
            &mut conn,
            &format!("DELETE FROM ledger.{table} WHERE entry_id = '{victim}'; INSERT INTO ledger.{table} SELECT * FROM before; DROP TABLE before"),
        )
        .await;
    }
    assert!(report(&mut conn, &[]).await.is_content());
}

#[tokio::test]
async fn other_attacks_are_located_too() {
    let db = TestDatabase::new().await;
    let mut conn = db.superuser().await;
    grow(&mut conn, 0, 600).await;
    let victim = id_at(&mut conn, 300).await;
    // Each attack, what it must show, and how it is undone.
    let swap = "UPDATE ledger.sequence SET leaf_index = 1000 + leaf_index WHERE leaf_index IN (300, 301);
                UPDATE ledger.sequence SET leaf_index = 1601 - leaf_index WHERE leaf_index IN (1300, 1301)";
    let attacks: Vec<(&str, String, Finding)> = vec![
        (
            "entry",
            format!("DELETE FROM ledger.entry WHERE entry_id = '{victim}'"),
            Finding::EntryMissing { leaf_index: 300, entry: victim },
        ),
        (
            "detail",
            format!("DELETE FROM ledger.detail WHERE entry_id = '{victim}'"),
            Finding::DetailMissing { leaf_index: 300, entry: victim },
        ),
        (
            "sequence",
            "DELETE FROM ledger.sequence WHERE leaf_index = 300".into(),
            Finding::PositionMissing { leaf_index: 300, count: 1 },
        ),
        ("sequence", "DELETE FROM ledger.sequence WHERE leaf_index = 300".into(), Finding::LeftOut { entry: victim }),
        ("sequence", swap.into(), Finding::Reordered { leaf_index: 301, entry: victim }),
        (
            "sequence",
            "DELETE FROM ledger.sequence WHERE leaf_index = 599".into(),
            Finding::Cut { size: 600, present: 599, keeper: Keeper::Ledger },
        ),
        (
            "terms",
            "UPDATE ledger.terms SET elements = array_append(elements, 'x.y')".into(),
            Finding::TermsAltered { leaf_index: 0, terms: terms("dcf").id().0 },
        ),
        (
            "terms",
            "UPDATE ledger.terms SET elements = ARRAY[NULL]::text[]".into(),
            Finding::TermsAltered { leaf_index: 0, terms: terms("dcf").id().0 },
        ),
        (
            "terms",
            "DELETE FROM ledger.terms".into(),
            Finding::TermsAltered { leaf_index: 0, terms: terms("dcf").id().0 },
        ),
        (
            "node",
            "UPDATE ledger.node SET hash = sha256('x') WHERE node_index = 1".into(),
            Finding::BlockDiffers { first: 256, last: 511 },
        ),
        (
            "node",
            "DELETE FROM ledger.node WHERE node_index = 1".into(),
            Finding::BlockDiffers { first: 256, last: 511 },
        ),
        (
            "checkpoint",
            "UPDATE ledger.checkpoint SET root = sha256('x')".into(),
            Finding::CheckpointUntrusted {
                size: Some(600),
                why: ledger::NoteError::NotACheckpoint("its row says something else"),
            },
        ),
        (
            "checkpoint",
            "UPDATE ledger.checkpoint SET note = replace(note, '600', '599')".into(),
            Finding::CheckpointUntrusted { size: Some(600), why: ledger::NoteError::Signature },
        ),
    ];
    for (table, sql, expect) in attacks {
        attack(&mut conn, &format!("CREATE TEMP TABLE before AS SELECT * FROM ledger.{table}")).await;
        attack(&mut conn, &sql).await;
        let report = report(&mut conn, &[]).await;
        assert!(report.findings.contains(&expect), "{sql}: {:?}", report.findings);
        assert!(report.findings.len() <= 4, "{sql}: {:?}", report.findings);
        attack(
            &mut conn,
            &format!("DELETE FROM ledger.{table}; INSERT INTO ledger.{table} SELECT * FROM before; DROP TABLE before"),
        )
        .await;
    }
    assert!(report(&mut conn, &[]).await.is_content());
    // Whatever else is made to fit, the hash over the block tells.
    attack(
        &mut conn,
        "CREATE TEMP TABLE pair AS SELECT * FROM ledger.sequence WHERE leaf_index IN (300, 301);
         DELETE FROM ledger.sequence WHERE leaf_index IN (300, 301);
         INSERT INTO ledger.sequence SELECT 601 - leaf_index, entry_id, leaf_hash, era, xid FROM pair",
    )
    .await;
    assert!(report(&mut conn, &[]).await.findings.contains(&Finding::BlockDiffers { first: 256, last: 511 }));
}

/// The last entries are cut everywhere, checkpoints too: only the kept one tells.
#[tokio::test]
async fn a_cut_tail_shows_against_a_checkpoint_that_a_consumer_kept() {
    let db = TestDatabase::new().await;
    let mut conn = db.superuser().await;
    let early = grow(&mut conn, 0, 500).await;
    let kept = grow(&mut conn, 500, 520).await;
    attack(
        &mut conn,
        "CREATE TEMP TABLE tail AS SELECT entry_id FROM ledger.sequence WHERE leaf_index >= 500;
         DELETE FROM ledger.entry WHERE entry_id IN (SELECT entry_id FROM tail);
         DELETE FROM ledger.detail WHERE entry_id IN (SELECT entry_id FROM tail);
         DELETE FROM ledger.sequence WHERE leaf_index >= 500;
         DELETE FROM ledger.checkpoint WHERE tree_size > 500",
    )
    .await;
    // A clumsy one leaves a hash behind.
    assert_eq!(report(&mut conn, &[]).await.findings, [Finding::BlockDiffers { first: 256, last: 511 }]);
    attack(&mut conn, "DELETE FROM ledger.node WHERE node_index = 1").await;
    assert!(report(&mut conn, &[]).await.is_content());
    assert!(report(&mut conn, std::slice::from_ref(&early)).await.is_content());
    let findings = report(&mut conn, &[early.clone(), kept.clone()]).await.findings;
    assert_eq!(findings, [Finding::Cut { size: 520, present: 500, keeper: Keeper::Outside }]);
    // Grown again with other entries, it differs.
    grow(&mut conn, 900, 950).await;
    let findings = report(&mut conn, &[early, kept]).await.findings;
    assert_eq!(findings, [Finding::HeadDiffers { size: 520, agreed: 500, keeper: Keeper::Outside }]);
}

/// An entry is changed and everything after it recomputed and signed with the ledger's own key.
#[tokio::test]
async fn a_recomputed_ledger_shows_against_a_checkpoint_that_a_consumer_kept() {
    let db = TestDatabase::new().await;
    let mut conn = db.superuser().await;
    let early = grow(&mut conn, 0, 100).await;
    let kept = grow(&mut conn, 100, 600).await;
    let dir = tempfile::tempdir().unwrap();
    ledger::export(&mut conn, dir.path(), &trusted(), Details::Omit).await.unwrap();
    // The superuser takes all away and records a history in which entry 300 was about another student.
    attack(&mut conn, "TRUNCATE ledger.entry, ledger.detail, ledger.sequence, ledger.node, ledger.checkpoint").await;
    for number in 0..600 {
        let mut entry = entry(number);
        if number == 300 {
            entry.detail.student = Some(StudentId(Uuid::from_u128(99)));
        }
        ledger::record_one(&mut conn, &entry).await.unwrap();
        if number == 99 {
            sequence_all(&mut conn).await;
        }
    }
    sequence_all(&mut conn).await;
    ledger::checkpoint(&mut conn, &signer(), &FixedClock(at(0))).await.unwrap().unwrap();
    assert!(report(&mut conn, &[]).await.is_content());
    let findings = report(&mut conn, &[early, kept.clone()]).await.findings;
    assert!(
        findings.contains(&Finding::HeadDiffers { size: 600, agreed: 0, keeper: Keeper::Outside })
            || findings.contains(&Finding::HeadDiffers { size: 600, agreed: 100, keeper: Keeper::Outside }),
        "{findings:?}"
    );
    let refused = ledger::export(&mut conn, dir.path(), &trusted(), Details::Omit).await;
    assert!(matches!(refused, Err(Error::Diverged(_))), "{refused:?}");
    let fresh = tempfile::tempdir().unwrap();
    ledger::export(&mut conn, fresh.path(), &trusted(), Details::Omit).await.unwrap();
    assert!(ledger::verify_folder(fresh.path(), &trusted(), &[]).unwrap().is_content());
    assert!(!ledger::verify_folder(fresh.path(), &trusted(), std::slice::from_ref(&kept)).unwrap().is_content());
    // A program that shares no code with this one comes to the same.
    assert!(
        python_says(dir.path(), &kept.note().to_string()).is_none_or(|code| code == 0),
        "as it was, for whoever kept the checkpoint"
    );
    assert!(python_says(fresh.path(), &kept.note().to_string()).is_none_or(|code| code == 3), "rewritten");
    let bundle = dir.path().join("tile/entries/001");
    let mut bytes = std::fs::read(&bundle).unwrap();
    bytes[500] ^= 1;
    std::fs::write(&bundle, bytes).unwrap();
    assert!(python_says(dir.path(), &kept.note().to_string()).is_none_or(|code| code == 3), "one bit");
}

/// The exit code of `deploy/examples/python/verify_ledger.py`; `None` where no Python with the package it needs is installed.
fn python_says(tiles: &std::path::Path, kept: &str) -> Option<i32> {
    let has_package = |python: &&str| {
        let asked = std::process::Command::new(python).args(["-c", "import cryptography"]).output();
        asked.is_ok_and(|output| output.status.success())
    };
    let python = ["python3", "/usr/bin/python3"].iter().copied().find(has_package)?;
    let papers = tempfile::tempdir().unwrap();
    let paper = |name: &str, text: &str| {
        let path = papers.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let program = concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy/examples/python/verify_ledger.py");
    let mut command = std::process::Command::new(python);
    command.arg(program).arg(tiles).arg("--log-key").arg(paper("key", &trusted()[0].to_string()));
    command.arg("--checkpoint").arg(paper("kept", kept)).output().unwrap().status.code()
}

/// The trap: a transaction that began early and commits late.
#[tokio::test]
async fn an_entry_that_commits_late_is_never_passed_over() {
    let db = TestDatabase::new().await;
    let (mut early, mut late, mut third) = (db.superuser().await, db.superuser().await, db.superuser().await);
    let mut slow = early.begin().await.unwrap();
    ledger::record_one(&mut slow, &entry(1)).await.unwrap();
    // Its terms are in flight: others use terms of their own, or they would wait for it.
    let mut quick = entry(2);
    quick.terms = terms("cssd");
    ledger::record_one(&mut late, &quick).await.unwrap();
    assert_eq!(sequence_once(&mut third).await, 0);
    let health = ledger::health(&mut third, &FixedClock(at(30))).await.unwrap();
    assert_eq!((health.unsequenced, health.held_back, health.is_green()), (1, 1, false));
    slow.commit().await.unwrap();
    assert_eq!(sequence_all(&mut third).await, 2);
    assert_eq!(id_at(&mut third, 0).await, entry(1).id);
    assert_eq!(id_at(&mut third, 1).await, quick.id);
    assert!(ledger::health(&mut third, &FixedClock(at(30))).await.unwrap().is_green());
}

/// Many writers of single entries and chunks, some of whom roll back, beside a sequencer that never rests.
#[tokio::test]
async fn every_committed_entry_is_in_the_tree() {
    let db = Arc::new(TestDatabase::new().await);
    let mut warm = db.superuser().await;
    ledger::record_one(&mut warm, &entry(999_999)).await.unwrap();
    let mut writers = tokio::task::JoinSet::new();
    for writer in 0..8_u64 {
        let db = Arc::clone(&db);
        writers.spawn(async move {
            let mut conn = db.superuser().await;
            let mut committed = 0;
            for round in 0..30_u64 {
                let from = writer * 100_000 + round * 100;
                let mut tx = conn.begin().await.unwrap();
                if round % 3 == 0 {
                    ledger::record_one(&mut tx, &entry(from)).await.unwrap();
                } else {
                    ledger::record_chunk(&mut tx, &entries(from, from + 40)).await.unwrap();
                }
                if round % 7 == 0 {
                    tokio::task::yield_now().await;
                }
                if round % 11 == 5 {
                    tx.rollback().await.unwrap();
                } else {
                    tx.commit().await.unwrap();
                    committed += if round % 3 == 0 { 1 } else { 40 };
                }
            }
            committed
        });
    }
    let mut rivals = tokio::task::JoinSet::new();
    for _ in 0..2 {
        let db = Arc::clone(&db);
        rivals.spawn(async move {
            let mut conn = db.superuser().await;
            for _ in 0..120 {
                let mut tx = conn.begin().await.unwrap();
                ledger::sequence(&mut tx, 1_000).await.unwrap();
                tx.commit().await.unwrap();
                tokio::task::yield_now().await;
            }
        });
    }
    let mut committed = 1_u64;
    while let Some(done) = writers.join_next().await {
        committed += done.unwrap();
    }
    while let Some(done) = rivals.join_next().await {
        done.unwrap();
    }
    assert_eq!(sequence_all(&mut warm).await, committed);
    let report = report(&mut warm, &[]).await;
    assert!(report.is_content(), "{:?}", report.findings);
    assert_eq!(report.entries, committed);
}

#[tokio::test]
async fn proofs_hold_and_documents_are_recognised() {
    let db = TestDatabase::new().await;
    let mut conn = db.superuser().await;
    ledger::record_one(&mut conn, &entry(0)).await.unwrap();
    assert!(matches!(ledger::inclusion(&mut conn, entry(0).id).await, Err(Error::Precondition(_))));
    let old = grow(&mut conn, 1, 300).await;
    let new = grow(&mut conn, 300, 1_300).await;
    for number in [0, 255, 256, 1_299] {
        let proof = ledger::inclusion(&mut conn, entry(number).id).await.unwrap();
        let read: InclusionProof = proof.to_string().parse().unwrap();
        assert_eq!(read.verify_document(Hash::of(&number.to_be_bytes()), &trusted()).unwrap(), new);
    }
    assert!(matches!(ledger::inclusion(&mut conn, entry(5_000).id).await, Err(Error::NotFound(_))));
    let proof = ledger::consistency(&mut conn, old.size(), new.size()).await.unwrap();
    ledger::tree::verify_consistency(old.size(), new.size(), &old.root(), &new.root(), &proof).unwrap();
    assert!(ledger::consistency(&mut conn, 1_300, 1_301).await.is_err());
    assert_eq!(ledger::find_last_checkpoint(&mut conn).await.unwrap(), Some(new.note().to_string()));
}

#[tokio::test]
async fn an_export_grows_and_verifies_offline() {
    let db = TestDatabase::new().await;
    let mut conn = db.superuser().await;
    let dir = tempfile::tempdir().unwrap();
    assert!(matches!(ledger::export(&mut conn, dir.path(), &trusted(), Details::Omit).await, Err(Error::NotFound(_))));
    let mut kept = Vec::new();
    for (from, to) in [(0, 3), (3, 256), (256, 700), (700, 5_000)] {
        kept.push(grow(&mut conn, from, to).await);
        ledger::export(&mut conn, dir.path(), &trusted(), Details::Include).await.unwrap();
        let report = ledger::verify_folder(dir.path(), &trusted(), &kept).unwrap();
        assert!(report.is_content(), "{to}: {:?}", report.findings);
        assert_eq!(report.entries, to);
    }
    let tiles = std::fs::read(dir.path().join("tile/entries/000")).unwrap();
    for hidden in [&b"Worker"[..], b"dcf", Uuid::from_u128(3).as_bytes()] {
        assert!(!tiles.windows(hidden.len()).any(|window| window == hidden));
    }
    // A detail edited in the exported file is found as well.
    let path = dir.path().join("details.ndjson");
    let lines = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, lines.replacen("Worker Zero", "Worker One", 1)).unwrap();
    let report = ledger::verify_folder(dir.path(), &trusted(), &kept).unwrap();
    let victim = id_at(&mut conn, 0).await;
    assert_eq!(report.findings, [Finding::EntryAltered { leaf_index: 0, entry: victim, parts: vec![Part::Detail] }]);
}

/// The threat of an emergency is read by the family and by auditors (34 CFR 99.32(a)(5) and (c)); a district reads who received, and for what.
#[tokio::test]
async fn the_threat_of_an_emergency_is_read_by_whom_the_law_opens_the_record_to() {
    let db = TestDatabase::new().await;
    let mut conn = db.superuser().await;
    let shown = Audience::ALL.iter().map(|audience| (*audience, Showing::Open)).collect();
    let parts = TermsParts {
        legal_basis: Some("health_safety_emergency".into()),
        audiences: shown,
        ..terms("dcf").parts().clone()
    };
    let mut declared = entry(3);
    declared.terms = Arc::new(Terms::new(parts).unwrap());
    declared.detail.threat = Some(Masked::new("a threat on Elm Street".into()));
    ledger::record_one(&mut conn, &declared).await.unwrap();
    let student = declared.detail.student.unwrap();
    for (audience, reads) in [
        (Audience::Parent, true),
        (Audience::EligibleStudent, true),
        (Audience::District, false),
        (Audience::Auditor, true),
    ] {
        let record = ledger::disclosures_of(&mut conn, student, audience, None, 10).await.unwrap();
        let [one] = record.as_slice() else { panic!("{audience}: {record:?}") };
        assert_eq!(
            one.threat.as_ref().map(|threat| threat.expose().as_str()),
            reads.then_some("a threat on Elm Street")
        );
        assert_eq!((one.party.as_str(), one.purpose.is_some()), ("Agency dcf", true), "{audience}");
        for copy in [ledger::to_csv(&record, ledger::Students::One), ledger::to_json(&record).unwrap()] {
            assert_eq!(copy.contains("Elm Street"), reads, "{audience}");
        }
    }
}

#[tokio::test]
async fn a_record_of_disclosures_shows_each_audience_its_own() {
    let db = TestDatabase::new().await;
    let mut conn = db.superuser().await;
    let student = StudentId(Uuid::from_u128(3));
    ledger::record_chunk(&mut conn, &entries(0, 21)).await.unwrap();
    let auditor = ledger::disclosures_of(&mut conn, student, Audience::Auditor, None, 100).await.unwrap();
    assert_eq!(auditor.len(), 3);
    assert!(auditor.iter().all(|entry| entry.person.is_some() && entry.showing == Showing::Open));
    let parent = ledger::disclosures_of(&mut conn, student, Audience::Parent, None, 100).await.unwrap();
    assert_eq!(parent.len(), 3);
    assert!(parent.iter().all(|entry| entry.person.is_none() && entry.showing == Showing::AfterReview));
    for blind in [Audience::District, Audience::EligibleStudent] {
        assert!(ledger::disclosures_of(&mut conn, student, blind, None, 100).await.unwrap().is_empty());
    }
    let first = ledger::disclosures_of(&mut conn, student, Audience::Auditor, None, 1).await.unwrap();
    let rest =
        ledger::disclosures_of(&mut conn, student, Audience::Auditor, Some(first[0].cursor()), 100).await.unwrap();
    assert_eq!([first, rest].concat(), auditor);
    // Of several students, each from a moment on; of a request; and what a family is never asked about.
    let since =
        |student: u128, since: Option<DateTime<Utc>>| Since { student: StudentId(Uuid::from_u128(student)), since };
    let of = |students| RecordScope { students: Some(students), ..RecordScope::default() };
    let both = of(vec![since(3, None), since(4, Some(at(9)))]);
    let rows = ledger::record_of(&mut conn, &both, Audience::Auditor, None, 100).await.unwrap();
    let of_both: Vec<_> = rows.iter().map(|row| (row.decided_at, row.student.unwrap().0.as_u128())).collect();
    assert_eq!(of_both, [(at(2), 3), (at(9), 3), (at(10), 4), (at(16), 3), (at(17), 4)]);
    let later = RecordScope { from: Some(at(10)), to: Some(at(17)), ..both.clone() };
    assert_eq!(ledger::record_of(&mut conn, &later, Audience::Auditor, None, 100).await.unwrap().len(), 2);
    assert!(ledger::record_of(&mut conn, &both, Audience::District, None, 100).await.unwrap().is_empty());
    let request = OfRequest { ids: vec![entry(2).id.0, entry(5).id.0], authorities: vec!["nothing".to_owned()] };
    let of_request = RecordScope { request: Some(request.clone()), ..RecordScope::default() };
    let rows = ledger::record_of(&mut conn, &of_request, Audience::Auditor, None, 100).await.unwrap();
    assert_eq!(rows.iter().map(|row| row.id).collect::<Vec<_>>(), [entry(2).id, entry(5).id]);
    for audience in [Audience::Parent, Audience::EligibleStudent, Audience::District] {
        let refused = ledger::record_of(&mut conn, &of_request, audience, None, 100).await;
        assert!(matches!(refused, Err(Error::Invalid(_))), "a request may be about anybody's child");
    }
    let of_child = RecordScope { request: Some(request), ..of(vec![since(3, None)]) };
    let rows = ledger::record_of(&mut conn, &of_child, Audience::Parent, None, 100).await.unwrap();
    assert_eq!(rows.iter().map(|row| row.id).collect::<Vec<_>>(), [entry(2).id]);
    let csv = ledger::to_csv(&parent, ledger::Students::One);
    assert_eq!(csv.lines().count(), 4);
    assert!(csv.contains("Agency dcf") && !csv.contains("Worker"));
    assert!(ledger::to_json(&auditor).unwrap().contains("Worker Zero"));
    // The auditor's search pages through what is sequenced.
    assert!(ledger::list(&mut conn, &Search::default(), None, 10).await.unwrap().is_empty());
    sequence_all(&mut conn).await;
    let page = ledger::list(&mut conn, &Search::default(), None, 10).await.unwrap();
    assert_eq!(
        page.iter().map(|entry| entry.leaf_index.unwrap()).collect::<Vec<_>>(),
        (11..21).rev().collect::<Vec<_>>()
    );
    let page = ledger::list(&mut conn, &Search::default(), Some(11), 100).await.unwrap();
    assert_eq!(page.len(), 11);
    let none = Search { consumer: Some("cssd".parse().unwrap()), ..Search::default() };
    assert!(ledger::list(&mut conn, &none, None, 10).await.unwrap().is_empty());
    assert_eq!(ledger::last_decided_at(&mut conn).await.unwrap(), Some(at(20)));
}

#[tokio::test]
async fn erased_detail_leaves_every_proof_standing() {
    let db = TestDatabase::new().await;
    let mut conn = db.superuser().await;
    let kept = grow(&mut conn, 0, 50).await;
    let gone: BTreeSet<DisclosureId> = [3, 4].map(|number| entry(number).id).into();
    let mut erasure = entry(1_000);
    erasure.kind = Kind::Erasure;
    erasure.count = Some(2);
    erasure.detail = Detail {
        authority: Some(Masked::new("order 7".into())),
        digest: Some(ledger::erasure_fingerprint(&gone)),
        ..Detail::default()
    };
    conn.execute("SET ROLE throughline_steward").await.unwrap();
    let mut tx = conn.begin().await.unwrap();
    ledger::erase_details(&mut tx, &erasure, &gone).await.unwrap();
    tx.commit().await.unwrap();
    conn.execute("RESET ROLE").await.unwrap();
    sequence_all(&mut conn).await;
    ledger::checkpoint(&mut conn, &signer(), &FixedClock(at(0))).await.unwrap();
    let report1 = report(&mut conn, &[kept]).await;
    assert!(report1.is_content(), "{:?}", report1.findings);
    let proof = ledger::inclusion(&mut conn, entry(3).id).await.unwrap();
    assert!(proof.verify(&trusted()).is_ok());
    assert!(proof.verify_document(Hash::of(&3_u64.to_be_bytes()), &trusted()).is_err());
    let listed = ledger::list(&mut conn, &Search::default(), None, 100).await.unwrap();
    let erased: BTreeSet<DisclosureId> = listed.iter().filter(|entry| entry.is_erased).map(|entry| entry.id).collect();
    assert_eq!((listed.len(), erased), (51, gone));
    // One more detail slipped under the same erasure is noticed.
    let victim = entry(9).id;
    conn.execute(AssertSqlSafe(format!(
        "INSERT INTO ledger.erasure (entry_id, erasure_id) VALUES ('{victim}', '{}'); DELETE FROM ledger.detail WHERE entry_id = '{victim}'",
        erasure.id
    )))
    .await
    .unwrap();
    assert_eq!(report(&mut conn, &[]).await.findings, [Finding::ErasureDiffers { entry: erasure.id }]);
}

#[tokio::test]
async fn a_call_is_recorded_once_under_its_id_and_forgotten_in_time() {
    let db = TestDatabase::new().await;
    let mut conn = db.superuser().await;
    let (key, dcf) = (RequestKey::of(&[3; 32]), "dcf".parse().unwrap());
    let mark = |id, asked: &str| key.mark((&dcf, Uuid::from_u128(id)), ("GetHistory", asked.as_bytes()));
    conn.execute("SET ROLE throughline_ledger").await.unwrap();
    ledger::record_asked(&mut conn, &entry(0), mark(1, "a")).await.unwrap();
    for asked in ["a", "b"] {
        assert!(matches!(ledger::record_asked(&mut conn, &entry(1), mark(1, asked)).await, Err(Error::Answered(_))));
        let remembered = ledger::remember_request(&mut conn, mark(1, asked), entry(0).id, at(0)).await;
        assert!(matches!(remembered, Err(Error::Answered(_))));
        let found = ledger::find_request(&mut conn, mark(1, asked)).await.unwrap().unwrap();
        assert_eq!((found.is_the_same, found.kind, found.reason), (asked == "a", Kind::Disclosure, None));
    }
    assert!(matches!(ledger::record_asked(&mut conn, &entry(0), mark(2, "a")).await, Err(Error::Conflict(_))));
    assert_eq!(ledger::find_request(&mut conn, mark(2, "a")).await.unwrap(), None);
    ledger::record_asked(&mut conn, &entry(9), mark(2, "a")).await.unwrap();
    // What was refused is not recorded, and what was is what it would be without an id.
    sequence_all(&mut conn).await;
    assert_eq!(report(&mut conn, &[]).await.entries, 2);
    for sql in ["UPDATE ledger.request SET question = request", "DELETE FROM ledger.request"] {
        assert!(conn.execute(sql).await.is_err(), "{sql}");
    }
    conn.execute("SET ROLE throughline_steward").await.unwrap();
    assert!(conn.execute("SELECT question FROM ledger.request").await.is_err());
    assert_eq!(ledger::forget_requests(&mut conn, at(0), 10).await.unwrap(), 0);
    assert_eq!(ledger::forget_requests(&mut conn, at(5), 10).await.unwrap(), 1);
    conn.execute("SET ROLE throughline_ledger").await.unwrap();
    assert_eq!(ledger::find_request(&mut conn, mark(1, "a")).await.unwrap(), None);
    ledger::record_asked(&mut conn, &entry(1), mark(1, "a")).await.unwrap();
}

#[tokio::test]
async fn the_ledger_role_may_add_and_read_and_nothing_else() {
    let db = TestDatabase::new().await;
    let mut conn = db.superuser().await;
    conn.execute("SET ROLE throughline_ledger").await.unwrap();
    grow(&mut conn, 0, 300).await;
    assert!(report(&mut conn, &[]).await.is_content());
    let tables = ["terms", "era", "entry", "detail", "sequence", "node", "checkpoint"];
    for role in ["throughline_ledger", "throughline_disclosure", "throughline_steward", "throughline_owner", "NONE"] {
        conn.execute(AssertSqlSafe(format!("SET ROLE {role}"))).await.unwrap();
        for table in tables {
            for sql in [format!("TRUNCATE ledger.{table}"), format!("DELETE FROM ledger.{table}")] {
                assert!(conn.execute(AssertSqlSafe(sql.clone())).await.is_err(), "{role}: {sql}");
            }
        }
        for sql in [
            "UPDATE ledger.entry SET reason = 'x'",
            "UPDATE ledger.detail SET person = 'x'",
            "UPDATE ledger.sequence SET leaf_index = leaf_index + 1",
            "UPDATE ledger.checkpoint SET made_at = made_at",
        ] {
            assert!(conn.execute(sql).await.is_err(), "{role}: {sql}");
        }
    }
    // Nobody who records chooses the transaction id, and a disclosure looks at nobody's record.
    conn.execute("SET ROLE throughline_disclosure").await.unwrap();
    ledger::record_one(&mut conn, &entry(400)).await.unwrap();
    ledger::record_chunk(&mut conn, &entries(401, 410)).await.unwrap();
    assert!(ledger::last_decided_at(&mut conn).await.unwrap().is_some());
    assert!(conn.execute("SELECT person FROM ledger.detail").await.is_err());
    assert!(conn.execute("INSERT INTO ledger.entry (entry_id, xid) VALUES (gen_random_uuid(), '3')").await.is_err());
}

#[tokio::test]
async fn a_restored_database_begins_an_era_or_stops() {
    let db = TestDatabase::new().await;
    let mut conn = db.superuser().await;
    grow(&mut conn, 0, 10).await;
    // As after a restore into a younger cluster: recorded transaction ids lie ahead of the cluster's.
    attack(
        &mut conn,
        "UPDATE ledger.entry SET xid = (xid::text::bigint + 1000000)::text::xid8;
         UPDATE ledger.sequence SET xid = (xid::text::bigint + 1000000)::text::xid8",
    )
    .await;
    ledger::record_one(&mut conn, &entry(10)).await.unwrap();
    let mut tx = conn.begin().await.unwrap();
    assert!(matches!(ledger::sequence(&mut tx, 10).await, Err(Error::Precondition(_))));
    tx.rollback().await.unwrap();
    conn.execute("SELECT ledger.begin_era('2026-11-22', 'restored')").await.unwrap();
    ledger::record_one(&mut conn, &entry(11)).await.unwrap();
    sequence_all(&mut conn).await;
    let report = report(&mut conn, &[]).await;
    assert!(report.is_content(), "{:?}", report.findings);
    assert_eq!(id_at(&mut conn, 10).await, entry(10).id);
    assert_eq!(id_at(&mut conn, 11).await, entry(11).id);
}
