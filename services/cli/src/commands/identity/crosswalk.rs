//! `throughline identity merge | unmerge | relink | undo-move | doubts | settle`.

use anyhow::{Context as _, bail};
use identity::{
    crosswalk::{self, Author, Moved},
    persons,
};
use intake::restriction::{Move, shift};
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
            Identity::Settle { id, moving } => {
                settle(place, &app, &id, moving).await?;
                return Ok(Outcome::Done);
            }
            Identity::Link { .. } | Identity::Restrict { .. } | Identity::Review(_) => bail!("not a move"),
        };
        carry_out(place, &app, &what, moving).await?;
        Ok(Outcome::Done)
    })
    .await
}

async fn carry_out(place: &Place, app: &App, what: &Move, moving: Moving) -> anyhow::Result<()> {
    let (by, at) = (steward(app, moving.author.by)?, app.clock().now());
    let reason = moving.author.reason;
    let (moved, carried, recalled) = pg::run_tx(app.pool(), "identity.move", Role::Identity, |tx| {
        let author = Author { by: &by, reason: &reason, at };
        Box::pin(async move {
            let (moved, carried) = shift(tx, what, author).await?;
            let recalled = disclosure::recall::queue_move(tx, &moved, (author.by, author.at)).await?;
            Ok::<_, MoveError>((moved, carried, recalled))
        })
    })
    .await?;
    say(place, &moved, carried, recalled.len())?;
    say_recalled(place, &recalled)
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

async fn settle(place: &Place, app: &App, id: &str, moving: Moving) -> anyhow::Result<()> {
    let (by, at) = (steward(app, moving.author.by)?, app.clock().now());
    let (person, _) = find(app, &moving.sea, id).await?;
    let reason = moving.author.reason;
    let was_in_doubt = pg::run_tx(app.pool(), "identity.settle", Role::Identity, |tx| {
        let author = (by.as_str(), reason.as_str());
        Box::pin(async move { Ok::<_, pg::Error>(persons::settle(tx, person, author, at).await?) })
    })
    .await?;
    anyhow::ensure!(was_in_doubt, "there is no doubt about that state id");
    if place.json {
        return console::json(&json!({ "settled": person.0 }));
    }
    console::line(false, "settled: what waited is released again where an agency has authority");
    Ok(())
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
    Restriction(#[from] intake::restriction::RestrictionError),
    #[error("what was disclosed could not be listed")]
    Recall(#[from] disclosure::Error),
}
