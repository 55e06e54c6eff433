//! What outlives the database: the control journal, taking it back in after the database was set back, and the seal until that is done.
//!
//! The journal is filled from the database ([`settle`]), so that no act can be done and forgotten to be written there; and its head is entered in the
//! ledger. At each start ([`resume`]) what it holds beyond that is carried out again. Where that changed anything the database is not the one that was
//! running: it was set back, and nothing is disclosed until a steward has compared the ledger and each recipient's roster is newer.

pub mod erasure;
pub mod journal;
pub mod kept;

use std::collections::{BTreeMap, BTreeSet};

use agreements::Digest;
use anyhow::{Context as _, anyhow, bail, ensure};
use chrono::{DateTime, TimeDelta, Utc};
use disclosure::{
    Deed, Done,
    seal::{Lost, Seal},
};
use identity::{
    closings::{self, Case},
    placement,
    review::Decided,
};
use intake::restriction::{self, RestrictionError};
use journal::{CaseLine, Journal, Lines, What};
use ledger::SignedCheckpoint;
use model::StudentId;
use pg::Role;

use crate::{
    app::{App, Consumer},
    commands::own_ask,
    console,
};

/// Papers taken back so long before the last one that is in the journal are looked at again: transactions end in any order.
const OVERLAP: TimeDelta = TimeDelta::days(1);
/// Who enters what the program does by itself.
const PROGRAM: &str = "the program";
/// What acts call the journal.
const NAME: &str = "control journal";

/// Why a transaction failed.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Database(#[from] pg::Error),
    #[error("the authorities could not be read or cut")]
    Statement(#[from] sqlx::Error),
    #[error(transparent)]
    Agreements(#[from] agreements::Error),
    #[error(transparent)]
    Disclosure(#[from] disclosure::Error),
    #[error(transparent)]
    Ledger(#[from] ledger::Error),
    #[error(transparent)]
    Restriction(#[from] RestrictionError),
}

/// How far each case goes, by agency and the case's keyed hash: by the last line that speaks of it.
type Cases<'a> = BTreeMap<(&'a str, &'a str), (i64, Option<DateTime<Utc>>)>;

fn cases(lines: &[What]) -> Cases<'_> {
    let mut found = Cases::new();
    for line in lines {
        if let What::Roster { consumer, roster, cases } = line {
            found.extend(cases.iter().map(|case| ((consumer.as_str(), case.case.as_str()), (*roster, case.ends_at))));
        }
    }
    found
}

/// The lines about the database as it is: those since it was last set back.
fn current(lines: &Lines) -> &[What] {
    let set_back = lines.all.iter().rposition(|line| matches!(line, What::SetBack { .. }));
    set_back.and_then(|at| lines.all.get(at + 1..)).unwrap_or(&lines.all)
}

/// The keyed hash by which the journal knows a case.
fn hash_of(app: &App, case: &Case) -> String {
    let named = format!("{}\0{}", case.person_key.expose(), case.source_key.expose());
    hex::encode(app.tombstones.hash_client(&case.consumer, &named))
}

/// The number of lines and the hash of the last that the ledger knows of.
async fn noted(app: &App) -> anyhow::Result<Option<(u64, [u8; 32])>> {
    let acts = pg::run_tx(app.pool(), "control.noted", Role::Ledger, |tx| {
        Box::pin(async move { ledger::list_acts(tx, Deed::JournalHead.as_str()).await })
    })
    .await?;
    Ok(acts.last().and_then(|act| act.covers).map(|(count, hash)| (count, hash.0)))
}

/// Writes into the journal what ended since its last line, and enters its head in the ledger. Twice is as good as once.
pub async fn settle(app: &App) -> anyhow::Result<()> {
    let journal = Journal::open(&app.data, &app.keys)?;
    let ended = list(app, &journal.read()?).await?;
    let lines =
        journal.append(|lines| Ok(ended.into_iter().filter(|line| !current(lines).contains(line)).collect()))?;
    note(app, &lines).await
}

/// Enters the head of the journal in the ledger, unless it stands there.
async fn note(app: &App, lines: &Lines) -> anyhow::Result<()> {
    let Some((count, hash)) = lines.head() else { return Ok(()) };
    if noted(app).await? == Some((count, hash)) {
        return Ok(());
    }
    let own = own_ask(app.own_consumer()?, "steward", PROGRAM);
    let done = Done { covers: Some((count, hash)), ..Done::new(Deed::JournalHead, NAME.to_owned()) };
    pg::run_tx(app.pool(), "control.note", Role::Agreements, |tx| {
        let (own, done) = (&own, &done);
        Box::pin(async move { disclosure::record_act(tx, app.disclosure(), own, done).await })
    })
    .await?;
    app.sequence().await
}

/// What has ended in the database and is not in the journal yet.
async fn list(app: &App, lines: &Lines) -> anyhow::Result<Vec<What>> {
    let lines = current(lines);
    let mut marks: BTreeMap<String, i64> = BTreeMap::new();
    let mut last_revoked = DateTime::UNIX_EPOCH + OVERLAP;
    for line in lines {
        match line {
            What::Roster { consumer, roster, .. } => {
                marks.insert(consumer.clone(), *roster);
            }
            What::Revoked { revoked_at, .. } => last_revoked = last_revoked.max(*revoked_at),
            _ => {}
        }
    }
    let marks: Vec<(String, i64)> = marks.into_iter().collect();
    let (agreements, since) = (&*app.agreements, kept::since(lines));
    let (rosters, mut ended) = pg::run_tx(app.pool(), "control.list", Role::Identity, |tx| {
        let marks = &marks;
        Box::pin(async move {
            let rosters = closings::list_cases(tx, marks).await?;
            tx.act_as(Role::Agreements).await?;
            let mut ended: Vec<What> = agreements.list_ended(tx).await?.into_iter().map(What::Ended).collect();
            let revoked = agreements.list_revoked(tx, last_revoked - OVERLAP).await?;
            ended.extend(
                revoked.into_iter().map(|(paper, at)| What::Revoked { paper: paper.to_string(), revoked_at: at }),
            );
            ended.extend(agreements.list_uncertified(tx).await?.into_iter().map(What::Uncertified));
            ended.extend(kept::lines(restriction::kept::list(tx, &app.tombstones, since).await?));
            Ok::<_, Failure>((rosters, ended))
        })
    })
    .await?;
    // A case without an end is worth a line only where an earlier line gives it one.
    let known = cases(lines);
    let mut by_roster: BTreeMap<(i64, String), Vec<CaseLine>> = BTreeMap::new();
    for case in &rosters {
        let hash = hash_of(app, case);
        let had_end = known.get(&(case.consumer.as_str(), hash.as_str())).is_some_and(|(_, ends_at)| ends_at.is_some());
        if case.ends_at.is_some() || had_end {
            let line = CaseLine { case: hash, ends_at: case.ends_at };
            by_roster.entry((case.roster, case.consumer.to_string())).or_default().push(line);
        }
    }
    let of_rosters = by_roster.into_iter().map(|((roster, consumer), cases)| What::Roster { consumer, roster, cases });
    ended.extend(of_rosters);
    Ok(ended)
}

/// Carries out again what the journal holds beyond what the ledger knows of. `set_back`: the moment to which the database was just set back, if it was.
///
/// Fails where the journal lacks what the ledger knows of it: what it took away would be disclosed again.
pub async fn resume(app: &App, set_back: Option<DateTime<Utc>>) -> anyhow::Result<()> {
    let journal = Journal::open(&app.data, &app.keys)?;
    let lines = journal.read()?;
    let behind = match noted(app).await? {
        None => 0,
        Some((count, hash)) if lines.holds(count, hash) => usize::try_from(count)?,
        Some((count, _)) => bail!(
            "the control journal {} was cut or replaced: the ledger knows it with {count} lines. Put the whole one there; until then nothing is served",
            journal.path().display()
        ),
    };
    let behind = lines.all.get(behind..).unwrap_or_default();
    let known: BTreeSet<uuid::Uuid> =
        intake::erase::list(app.pool(), None).await?.iter().map(|erasure| erasure.order.id).collect();
    let lacks = |line: &&What| matches!(line, What::Erasure(line) if !known.contains(&line.erasure));
    let missing = behind.iter().filter(lacks).count() as u64;
    let changed = if behind.is_empty() { 0 } else { again(app, behind).await? + missing };
    if changed > 0 || set_back.is_some() {
        seal(app, set_back).await?;
        app.sequence().await?;
        let (at, (entries, _)) = (app.moment().await?, root(app, u64::MAX).await?);
        journal.append(|_| Ok(vec![What::SetBack { at, entries }]))?;
        tracing::error!(changed, "the database was set back: nothing is disclosed until it has caught up");
    }
    Ok(())
}

/// The root over the first entries of the ledger, and how many those are: at most so many.
async fn root(app: &App, size: u64) -> anyhow::Result<(u64, ledger::Hash)> {
    Ok(pg::run_tx(app.pool(), "control.root", Role::Ledger, |tx| {
        Box::pin(async move { ledger::root_up_to(tx, size).await })
    })
    .await?)
}

/// What the ledger lost when it was set back, against a checkpoint that others keep; `None`: nothing. Fails where it is another log's, or says something else of
/// what both hold.
pub async fn lost(app: &App, kept: &str) -> anyhow::Result<Option<Lost>> {
    let kept = SignedCheckpoint::open(kept, &app.log_keys().await?)
        .map_err(|error| anyhow!("the checkpoint is not this log's: {error}"))?;
    let lines = Journal::open(&app.data, &app.keys)?.read()?;
    let set_back = |line: &What| if let What::SetBack { entries, .. } = line { Some(*entries) } else { None };
    let from = lines.all.iter().rev().find_map(set_back).context("the database was not set back")?;
    if kept.size() > from {
        return Ok(Some(Lost { from, to: kept.size(), root: kept.root().0 }));
    }
    let (size, root) = root(app, kept.size()).await?;
    ensure!(
        size == kept.size() && root == kept.root(),
        "the ledger says something else of its first {} entries than the checkpoint: it was changed, not set back",
        kept.size()
    );
    Ok(None)
}

/// Ends again what had ended; says how much of it this database did not know.
async fn again(app: &App, lines: &[What]) -> anyhow::Result<u64> {
    let at = app.moment().await?;
    let agreements = &*app.agreements;
    let known = cases(lines);
    let kept = kept::read(lines)?;
    Ok(pg::run_tx(app.pool(), "control.again", Role::Identity, |tx| {
        let (known, kept) = (&known, &kept);
        Box::pin(async move {
            let mut cut = Vec::new();
            for case in closings::list_cases(tx, &[]).await? {
                let hash = hash_of(app, &case);
                let kept = known.get(&(case.consumer.as_str(), hash.as_str())).copied();
                if let Some((roster, Some(ends_at))) = kept
                    && case.roster <= roster
                    && case.ends_at.is_none_or(|later| later > ends_at)
                {
                    cut.push((case, ends_at));
                }
            }
            let mut changed = closings::cut(tx, &cut, at).await?;
            tx.act_as(Role::Agreements).await?;
            for line in lines {
                let is_new = match line {
                    What::Ended(ended) => agreements.end_again(tx, ended).await?,
                    What::Revoked { paper, revoked_at } => match digest(paper) {
                        Some(paper) => agreements.revoke_again(tx, paper, *revoked_at).await?,
                        None => false,
                    },
                    What::Uncertified(gone) => agreements.uncertify_again(tx, gone).await?,
                    What::Erasure(_)
                    | What::Roster { .. }
                    | What::Ordered(_)
                    | What::Undone(_)
                    | What::Parted(_)
                    | What::SetBack { .. } => false,
                };
                changed += u64::from(is_new);
            }
            let new_student = || StudentId(app.entropy().uuid());
            let brought = restriction::kept::bring_back(tx, &app.tombstones, kept, (&new_student, at)).await?;
            changed += brought.changed();
            disclosure::review::vouch(tx, app.disclosure()).await?;
            call_back(tx, &brought.ended, at).await?;
            for moved in &brought.moved {
                disclosure::recall::queue_move(tx, moved, (JOURNAL, at)).await?;
            }
            Ok::<_, Failure>(changed)
        })
    })
    .await?)
}

/// Who calls back what had left on a match that was undone.
const JOURNAL: &str = "the control journal";

/// Queues what was disclosed on these matches to be called back.
async fn call_back(tx: &mut pg::Tx<'_, '_>, ended: &[Decided], at: DateTime<Utc>) -> Result<(), Failure> {
    for link in ended.iter().filter_map(|decided| decided.ended.as_ref()) {
        disclosure::recall::queue_match(tx, link, (JOURNAL, at)).await?;
    }
    Ok(())
}

/// Ends, or keeps from being made, the matches that people undid before the database was set back and whose client or student it did not know then. To
/// be called before clients are matched.
pub async fn bring_undoings(app: &App) -> anyhow::Result<()> {
    let at = app.moment().await?;
    Ok(pg::run_tx(app.pool(), "control.bring_undoings", Role::Identity, |tx| {
        Box::pin(async move {
            let settled = restriction::kept::bring_undoings(tx, &app.tombstones, at).await?;
            call_back(tx, &settled.ended, at).await
        })
    })
    .await?)
}

fn digest(text: &str) -> Option<Digest> {
    let bytes = hex::decode(text).ok()?;
    bytes.as_slice().try_into().ok().map(Digest)
}

async fn seal(app: &App, set_back: Option<DateTime<Utc>>) -> anyhow::Result<()> {
    let last = pg::run_tx(app.pool(), "control.last", Role::Ledger, |tx| {
        Box::pin(async move { ledger::last_decided_at(tx).await })
    })
    .await?;
    let since = set_back.or(last).unwrap_or(DateTime::UNIX_EPOCH);
    let consumers: Vec<_> = app.consumers.keys().cloned().collect();
    disclosure::seal::close(app.disclosure(), &consumers, since).await?;
    Ok(())
}

/// Says what the seal waits for, if there is one; gives whether there is.
pub async fn say_seals(app: &App, as_json: bool) -> anyhow::Result<bool> {
    let seals = disclosure::seal::list(app.disclosure()).await?;
    for seal in &seals {
        let needs_roster = app.consumers.get(&seal.consumer).is_some_and(|documents| documents.roster.is_some());
        let mut waits = Vec::new();
        if seal.compared_at.is_none() {
            waits.push("a steward holds the ledger against the last checkpoint that a witness or recipient keeps: throughline db unseal --checkpoint FILE".to_owned());
        }
        if needs_roster {
            waits.push(format!("a roster taken after {}: throughline roster load", seal.since));
        }
        if needs_placements(app, seal).await? {
            waits.push(format!(
                "all that was reported of placements after {}, taken again: throughline placement load",
                seal.since
            ));
        }
        if as_json {
            let (consumer, since) = (&seal.consumer, seal.since);
            console::json(&serde_json::json!({ "sealed": consumer, "since": since, "waits_for": waits }))?;
        } else {
            console::line(false, format!("SEALED: nothing is disclosed to {}, until", seal.consumer));
            for one in waits {
                console::line(false, format!("  {one}"));
            }
        }
    }
    Ok(!seals.is_empty())
}

/// Whether notices to a recipient rest on reports of placements that are all from before the database was set back: what was corrected or taken back since is
/// not known here.
async fn needs_placements(app: &App, seal: &Seal) -> anyhow::Result<bool> {
    let notifies =
        |documents: &Consumer| documents.placements.as_ref().is_some_and(|one| one.notifies == seal.consumer);
    for (reporter, _) in app.consumers.iter().filter(|(_, documents)| notifies(documents)) {
        let last = pg::transaction("control.last_placements", Role::Placement)
            .setting("reporter", reporter.as_str())
            .run(app.pool(), |tx| {
                Box::pin(async move { Ok::<_, Failure>(placement::last_received(tx, reporter).await?) })
            })
            .await?;
        if last.is_some_and(|last| last <= seal.since) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Lifts the seal of every recipient for whom nothing is waited for any more.
pub async fn lift(app: &App) -> anyhow::Result<()> {
    for seal in disclosure::seal::list(app.disclosure()).await? {
        let needs_roster = app.consumers.get(&seal.consumer).is_none_or(|documents| documents.roster.is_some());
        let received = pg::run_tx(app.pool(), "control.last_roster", Role::Identity, |tx| {
            let consumer = &seal.consumer;
            Box::pin(async move { Ok::<_, Failure>(closings::last_received(tx, consumer).await?) })
        })
        .await?;
        let has_roster = !needs_roster || received.is_some_and(|received| received > seal.since);
        if seal.compared_at.is_some() && has_roster && !needs_placements(app, &seal).await? {
            disclosure::seal::lift(app.disclosure(), &seal.consumer).await?;
            tracing::warn!(consumer = %seal.consumer, "disclosures go on after the database was set back");
        }
    }
    Ok(())
}

/// What of the database contradicts the journal, or the journal the ledger.
pub async fn differences(app: &App) -> anyhow::Result<Vec<String>> {
    let journal = Journal::open(&app.data, &app.keys)?;
    let lines = match journal.read() {
        Ok(lines) => lines,
        Err(error) => return Ok(vec![format!("{error:#}")]),
    };
    let mut found = Vec::new();
    if let Some((count, hash)) = noted(app).await?
        && !lines.holds(count, hash)
    {
        found.push(format!("the control journal was cut or replaced: the ledger knows it with {count} lines"));
    }
    let lines = current(&lines);
    let known = cases(lines);
    let agreements = &*app.agreements;
    let papers: Vec<Digest> = lines
        .iter()
        .filter_map(|line| if let What::Revoked { paper, .. } = line { digest(paper) } else { None })
        .collect();
    let (rosters, ended, standing, uncertified) = pg::run_tx(app.pool(), "control.compare", Role::Identity, |tx| {
        let papers = &papers;
        Box::pin(async move {
            let rosters = closings::list_cases(tx, &[]).await?;
            tx.act_as(Role::Agreements).await?;
            let ended = agreements.list_ended(tx).await?;
            let uncertified = agreements.list_uncertified(tx).await?;
            Ok::<_, Failure>((rosters, ended, agreements.list_standing(tx, papers).await?, uncertified))
        })
    })
    .await
    .context("the journal could not be held against the database")?;
    for case in &rosters {
        let hash = hash_of(app, case);
        if let Some((roster, Some(ends_at))) = known.get(&(case.consumer.as_str(), hash.as_str()))
            && case.roster <= *roster
            && case.ends_at.is_none_or(|later| later > *ends_at)
        {
            let (authority, consumer) = (case.authority, &case.consumer);
            found.push(format!(
                "authority {authority} of {consumer} was altered: the control journal has it end at {ends_at}"
            ));
        }
    }
    for line in lines {
        match line {
            What::Ended(gone) => {
                let same = |one: &&agreements::EndedVersion| {
                    (&one.agreement, one.version, one.activated_at)
                        == (&gone.agreement, gone.version, gone.activated_at)
                };
                if ended.iter().find(same).is_none_or(|one| one.ended_at > gone.ended_at) {
                    let (id, version, at) = (&gone.agreement, gone.version, gone.ended_at);
                    found.push(format!(
                        "agreement {id} version {version} was altered: the control journal has it end at {at}"
                    ));
                }
            }
            What::Revoked { paper, revoked_at } => {
                let on_file = digest(paper).and_then(|paper| standing.get(&paper));
                if on_file.is_some_and(|revoked| revoked.is_none_or(|at| at > *revoked_at)) {
                    found.push(format!(
                        "paper {paper} was altered: the control journal has it taken back at {revoked_at}"
                    ));
                }
            }
            What::Uncertified(gone) => {
                let same = |one: &&agreements::RevokedCertification| {
                    (&one.consumer, &one.reference, one.valid_from)
                        == (&gone.consumer, &gone.reference, gone.valid_from)
                };
                if uncertified.iter().find(same).is_none_or(|one| one.revoked_at > gone.revoked_at) {
                    let (consumer, at) = (&gone.consumer, gone.revoked_at);
                    found.push(format!(
                        "a certification of {consumer} was altered: the control journal has it revoked at {at}"
                    ));
                }
            }
            _ => {}
        }
    }
    found.extend(kept_differences(app, lines).await?);
    Ok(found)
}

/// Orders of the journal that this database does not have in force, and matches that it had undone and that stand: what bringing them back would change, in a transaction that is
/// given up.
async fn kept_differences(app: &App, lines: &[What]) -> anyhow::Result<Vec<String>> {
    let kept = kept::read(lines)?;
    let at = app.moment().await?;
    let tried = pg::run_tx(app.pool(), "control.try", Role::Identity, |tx| {
        let kept = &kept;
        Box::pin(async move {
            let new_student = || StudentId(app.entropy().uuid());
            let brought = restriction::kept::bring_back(tx, &app.tombstones, kept, (&new_student, at)).await?;
            // A word on a client may have been withdrawn since, and students who parted may be one again: what must not be there is a match that had ended.
            let standing = brought.ended.iter().filter(|decided| decided.ended.is_some()).count() as u64;
            Err::<(), Tried>(Tried::GivenUp(brought.orders, standing))
        })
    })
    .await;
    match tried {
        Ok(()) => Ok(Vec::new()),
        Err(Tried::GivenUp(orders, standing)) => {
            let lost = (orders > 0).then(|| format!("{orders} order(s) that the control journal holds were removed or ended in identity.restriction or history.restriction"));
            let back = (standing > 0).then(|| {
                format!(
                    "{standing} match(es) that the control journal has undone stand again in identity.match_decision"
                )
            });
            Ok(lost.into_iter().chain(back).collect())
        }
        Err(Tried::Failed(error)) => Err(error).context("the journal could not be held against the database"),
    }
}

/// A transaction that is never committed.
#[derive(Debug, thiserror::Error)]
enum Tried {
    #[error("given up on purpose")]
    GivenUp(u64, u64),
    #[error(transparent)]
    Failed(#[from] RestrictionError),
}

impl From<pg::Error> for Tried {
    fn from(error: pg::Error) -> Self {
        Self::Failed(error.into())
    }
}
