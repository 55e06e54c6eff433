//! `throughline identity review alike` and `throughline identity review bulk`.

use anyhow::Context as _;
use disclosure::review;
use identity::review::bulk::{Bulk, BulkState, BulkVerdict};
use model::ConsumerId;
use serde_json::json;

use super::super::{say_recalled, steward};
use crate::{
    app::App,
    args::{Bulk as Command, Place},
    commands::Outcome,
    console,
};

/// Lists pairs that wait alike.
pub(super) async fn alike(place: &Place, app: &App, consumer: Option<&ConsumerId>) -> anyhow::Result<()> {
    for alike in review::list_alike(app.disclosure(), consumer).await? {
        if place.json {
            console::json(&alike)?;
            continue;
        }
        let link = alike.sample_to_link.map_or_else(
            || "linked one by one only".to_owned(),
            |sample| format!("{sample} to look at before the others are linked"),
        );
        console::line(
            false,
            format!(
                "{} {}: {} pairs; {link}, {} before they are rejected\n    {}",
                alike.id, alike.consumer, alike.pairs, alike.sample_to_reject, alike.kind
            ),
        );
    }
    Ok(())
}

/// Draws, shows, applies, takes back. A bulk that its sample refuses is a check that found something.
pub(super) async fn run(place: &Place, app: &App, command: Command) -> anyhow::Result<Outcome> {
    match command {
        Command::List { consumer, limit } => {
            for bulk in review::list_bulks(app.disclosure(), consumer.as_ref(), limit).await? {
                say(place, &bulk)?;
            }
        }
        Command::Draw { alike, are, author, .. } => {
            let verdict = if are { BulkVerdict::Are } else { BulkVerdict::AreNot };
            let by = steward(app, author.by)?;
            say(place, &review::draw_bulk(app.disclosure(), (&alike, verdict), (&by, &author.reason)).await?)?;
        }
        Command::Show { id } => {
            let bulk = review::find_bulk(app.disclosure(), id).await?.context("there is no such bulk")?;
            say(place, &bulk)?;
        }
        Command::Apply { id, author } => {
            let by = steward(app, author.by)?;
            let bulk = review::apply_bulk(app.disclosure(), id, (&by, &author.reason)).await?;
            say(place, &bulk)?;
            return Ok(Outcome::of(bulk.state != BulkState::Applied));
        }
        Command::Undo { id, author } => {
            let by = steward(app, author.by)?;
            let (bulk, waiting, recalled) = review::undo_bulk(app.disclosure(), id, (&by, &author.reason)).await?;
            if place.json {
                console::json(&json!({ "bulk": bulk.id, "waiting": waiting, "recalled": recalled.len() }))?;
            } else {
                let (id, recalls) = (bulk.id, recalled.len());
                console::line(
                    false,
                    format!("bulk {id} taken back: {waiting} pairs wait again; {recalls} disclosures to call back"),
                );
            }
            say_recalled(place, &recalled)?;
        }
    }
    Ok(Outcome::Done)
}

fn say(place: &Place, bulk: &Bulk) -> anyhow::Result<()> {
    if place.json {
        return console::json(bulk);
    }
    let verdict = match bulk.verdict {
        BulkVerdict::Are => "each client is the student beside it",
        BulkVerdict::AreNot => "no client is the student beside it",
    };
    let state = match bulk.state {
        BulkState::Open => "open",
        BulkState::Refused => "refused: a pair was decided otherwise, so they are decided one by one",
        BulkState::Applied => "applied",
        BulkState::Undone => "taken back",
    };
    console::line(false, format!("bulk {} of {}, {state}: {verdict}\n    {}", bulk.id, bulk.consumer, bulk.kind));
    console::line(
        false,
        format!(
            "    {} pairs, {} of them to be looked at: {} decided alike, {} otherwise; {} moved on since",
            bulk.pairs, bulk.sampled, bulk.agreed, bulk.disagreed, bulk.moved_on
        ),
    );
    if bulk.decided > 0 {
        console::line(false, format!("    {} pairs decided with it", bulk.decided));
    }
    if !bulk.to_look_at.is_empty() {
        let clients: Vec<String> = bulk.to_look_at.iter().map(ToString::to_string).collect();
        console::line(false, format!("    still to look at: clients {}", clients.join(", ")));
    }
    Ok(())
}
