//! `throughline identity merge | unmerge | relink | undo-move | doubts | settle | carry-out`.

use agreements::{Act, JoinKind, JoinRequest};
use anyhow::{Context as _, bail};
use chrono::TimeDelta;
use identity::{
    crosswalk::{self, Author, Moved},
    persons,
};
use intake::restriction::{self, CarriedOut, Move, RestrictionError, shift};
use model::{Masked, Sea, SourcePersonId, StudentId};
use pg::Role;
use serde_json::json;

use super::{say_recalled, steward};
use crate::{
    app::App,
    args::{Identity, Moving, Place},
    commands::{Outcome, with_app},
    console,
};

/// Moves source persons, and lists what was disclosed while two children were one.
pub async fn run(place: &Place, command: Identity) -> anyhow::Result<Outcome> {
    with_app(place, |app| async move {
        let (what, moving) = match command {
            Identity::Merge { keep, other, moving } => {
                let [(_, keep), (_, other)] =
                    [find(&app, &moving.sea, &keep).await?, find(&app, &moving.sea, &other).await?];
                (Move::Merge(keep, other), moving)
            }
            Identity::Unmerge { ids, moving } => {
                (Move::Unmerge(find_all(&app, &moving.sea, &ids).await?, StudentId(app.entropy().uuid())), moving)
            }
            Identity::Relink { ids, to, moving } => {
                let (_, to) = find(&app, &moving.sea, &to).await?;
                (Move::Relink(find_all(&app, &moving.sea, &ids).await?, to), moving)
            }
            Identity::UndoMove { id, moving } => (Move::Undo(id), moving),
            Identity::Doubts { limit } => {
                list_doubts(place, &app, limit).await?;
                return Ok(Outcome::Done);
            }
            Identity::Settle { id, moving } => return settle(place, &app, &id, moving).await,
            Identity::CarryOut { request } => {
                carry_out_approved(place, &app, &request).await?;
                app.sequence().await?;
                return Ok(Outcome::Done);
            }
            Identity::Link { .. } | Identity::Restrict { .. } | Identity::Review(_) => bail!("not a move"),
        };
        carry_out(place, &app, &what, moving).await
    })
    .await
}

/// How long stewards have to approve a joining, and it to be carried out.
const REQUEST_DAYS: i64 = 30;

async fn carry_out(place: &Place, app: &App, what: &Move, moving: Moving) -> anyhow::Result<Outcome> {
    let (by, at) = (steward(app, moving.author.by)?, app.clock().now());
    let reason = moving.author.reason;
    match move_persons(app, what, Author { by: &by, reason: &reason, at }).await {
        Ok((moved, carried, recalled)) => {
            say(place, &moved, carried, recalled.len())?;
            say_recalled(place, &recalled)?;
            Ok(Outcome::Done)
        }
        Err(MoveError::Restriction(RestrictionError::Identity(identity::Error::Unlike(joining)))) => {
            let (kind, undoes) = what.joins().context("a parting joins nobody")?;
            let request = JoinRequest {
                consumer: app.own_consumer()?.clone(),
                differ: joining.differ.iter().map(|&one| one.to_owned()).collect(),
                expires_at: at + TimeDelta::days(REQUEST_DAYS),
                from: Some(joining.from.0),
                kind,
                persons: joining.persons.iter().map(|person| person.0).collect(),
                reason,
                requested_at: at,
                requested_by: by,
                to: Some(joining.to.0),
                undoes,
                with: joining.with.iter().map(|person| person.0).collect(),
            };
            ask_two(place, app, &request).await
        }
        Err(other) => Err(other.into()),
    }
}

/// Moves source persons, with what must be called back, in one transaction.
async fn move_persons(
    app: &App,
    what: &Move,
    author: Author<'_>,
) -> Result<(Moved, u64, Vec<disclosure::recall::Recalled>), MoveError> {
    pg::run_tx(app.pool(), "identity.move", Role::Identity, |tx| {
        Box::pin(async move {
            let (moved, carried) = shift(tx, what, author).await?;
            disclosure::review::vouch(tx, app.disclosure()).await?;
            let recalled = disclosure::recall::queue_move(tx, &moved, (author.by, author.at)).await?;
            Ok((moved, carried, recalled))
        })
    })
    .await
}

/// Makes one student of two state ids whose records one steward may join. `false`: they are of one student already.
pub async fn merge(app: &App, sea: &Sea, ids: [&str; 2], (by, reason): (&str, &str)) -> anyhow::Result<bool> {
    let [keep, other] = ids;
    let ((_, keep), (_, other)) = (find(app, sea, keep).await?, find(app, sea, other).await?);
    if keep == other {
        return Ok(false);
    }
    move_persons(app, &Move::Merge(keep, other), Author { by, reason, at: app.clock().now() }).await?;
    Ok(true)
}

/// Puts on file what one steward may not do alone; in the sandbox the built-in ones approve it. Nothing has moved yet.
async fn ask_two(place: &Place, app: &App, request: &JoinRequest) -> anyhow::Result<Outcome> {
    let agreements = &*app.agreements;
    let digest = pg::run_tx(app.pool(), "cli.file_joining", Role::Agreements, |tx| {
        Box::pin(async move { agreements.file_joining(tx, request).await })
    })
    .await?;
    let approved = app.is_sandbox();
    if approved {
        for approval in &app.sandbox_approvals(Act::Join, digest, app.clock().now())? {
            app.approve(&request.consumer, Act::Join, digest, approval).await?;
        }
    }
    app.sequence().await?;
    if place.json {
        console::json(&json!({
            "request": digest.to_string(), "kind": request.kind, "differ": request.differ, "approved": approved, "moved": false,
        }))?;
        return Ok(Outcome::Found);
    }
    console::line(false, format!("nothing has moved: {}", request.describe()));
    let next = format!("throughline identity carry-out {digest}");
    if approved {
        console::line(false, format!("  approved by the sandbox's stewards; then: {next}"));
    } else {
        console::line(
            false,
            format!("  two stewards approve it, each with: throughline approve {digest} --key FILE; then: {next}"),
        );
    }
    Ok(Outcome::Found)
}

/// Carries out what two stewards approved.
async fn carry_out_approved(place: &Place, app: &App, prefix: &str) -> anyhow::Result<()> {
    let agreements = &*app.agreements;
    let filed = pg::run_tx(app.pool(), "cli.find_request", Role::Agreements, |tx| {
        Box::pin(async move { agreements.find_request(tx, prefix).await })
    })
    .await?
    .with_context(|| format!("there is no request {prefix}"))?;
    let (id, at) = (app.entropy().uuid(), app.moment().await?);
    let (done, recalled) = pg::run_tx(app.pool(), "identity.carry_out", Role::Agreements, |tx| {
        Box::pin(async move {
            let (done, by) = restriction::carry_out(tx, agreements, (filed.digest, id), at).await?;
            disclosure::review::vouch(tx, app.disclosure()).await?;
            let recalled = match &done {
                CarriedOut::Moved(moved, _) => disclosure::recall::queue_move(tx, moved, (&by, at)).await?,
                CarriedOut::Settled(_) => Vec::new(),
            };
            Ok::<_, MoveError>((done, recalled))
        })
    })
    .await?;
    match done {
        CarriedOut::Moved(moved, carried) => {
            say(place, &moved, carried, recalled.len())?;
            say_recalled(place, &recalled)
        }
        CarriedOut::Settled(person) if place.json => console::json(&json!({ "settled": person.0 })),
        CarriedOut::Settled(_) => {
            console::line(false, "settled: what waited is released again where an agency has authority");
            Ok(())
        }
    }
}

fn say(place: &Place, moved: &Moved, carried: u64, recalled: usize) -> anyhow::Result<()> {
    if place.json {
        return console::json(&json!({
            "move": moved.id, "from": moved.from, "to": moved.to, "source_persons": moved.persons.len(), "clients": moved.links.len(),
            "restrictions_carried": carried, "recalled": recalled,
        }));
    }
    console::line(
        false,
        format!(
            "move {}: {} source persons are of student {} now, no longer of {}; {} matched clients were looked at, {carried} restrictions carried over",
            moved.id,
            moved.persons.len(),
            moved.to,
            moved.from,
            moved.links.len()
        ),
    );
    if moved.wrong_since.is_some() {
        console::line(
            false,
            format!(
                "{recalled} disclosures were made while they were one; clients matched with either wait in the review queue"
            ),
        );
    }
    Ok(())
}

async fn list_doubts(place: &Place, app: &App, limit: i64) -> anyhow::Result<()> {
    let doubts = pg::run_tx(app.pool(), "identity.doubts", Role::Identity, |tx| {
        Box::pin(async move { Ok::<_, pg::Error>(persons::list_doubts(tx, limit).await?) })
    })
    .await?;
    if place.json {
        return console::json(&json!({ "doubts": doubts }));
    }
    for doubt in doubts {
        let of = format!("source person {} of {}", doubt.source_person, doubt.sea);
        console::line(
            false,
            format!(
                "{of}: raised by {} on {}; {} matched clients wait",
                doubt.raised_by, doubt.raised_at, doubt.clients
            ),
        );
    }
    Ok(())
}

/// Asks two stewards to settle a doubt: one alone could release two children's records as one child's.
async fn settle(place: &Place, app: &App, id: &str, moving: Moving) -> anyhow::Result<Outcome> {
    let (by, at) = (steward(app, moving.author.by)?, app.clock().now());
    let (person, _) = find(app, &moving.sea, id).await?;
    let doubts = pg::run_tx(app.pool(), "identity.doubts", Role::Identity, |tx| {
        Box::pin(async move { Ok::<_, pg::Error>(persons::list_doubts(tx, i64::MAX).await?) })
    })
    .await?;
    anyhow::ensure!(
        doubts.iter().any(|doubt| doubt.source_person == person.0),
        "there is no doubt about that state id"
    );
    let request = JoinRequest {
        consumer: app.own_consumer()?.clone(),
        differ: Vec::new(),
        expires_at: at + TimeDelta::days(REQUEST_DAYS),
        from: None,
        kind: JoinKind::Settle,
        persons: vec![person.0],
        reason: moving.author.reason,
        requested_at: at,
        requested_by: by,
        to: None,
        undoes: None,
        with: Vec::new(),
    };
    ask_two(place, app, &request).await
}

async fn find(app: &App, sea: &Sea, id: &str) -> anyhow::Result<(SourcePersonId, StudentId)> {
    let id = Masked::new(id.to_owned());
    let found = pg::run_tx(app.pool(), "identity.find", Role::Identity, |tx| {
        let id = &id;
        Box::pin(async move { Ok::<_, MoveError>(crosswalk::find(tx, sea, id).await?) })
    })
    .await?;
    found.with_context(|| format!("the exchange knows no person of {sea} by that id"))
}

async fn find_all(app: &App, sea: &Sea, ids: &[String]) -> anyhow::Result<Vec<SourcePersonId>> {
    let mut persons = Vec::new();
    for id in ids {
        persons.push(find(app, sea, id).await?.0);
    }
    Ok(persons)
}

#[derive(Debug, thiserror::Error)]
enum MoveError {
    #[error(transparent)]
    Database(#[from] pg::Error),
    #[error(transparent)]
    Identity(#[from] identity::Error),
    #[error(transparent)]
    Restriction(#[from] RestrictionError),
    #[error(transparent)]
    Agreements(#[from] agreements::Error),
    #[error("what was disclosed could not be listed")]
    Recall(#[from] disclosure::Error),
}
