//! `throughline break-glass`: a court order or a declared emergency opens one client's records, until it expires.

use agreements::{Act, Asked, Digest, InstrumentKind, Interval, NewInstrument, Opening};
use anyhow::{Context as _, bail, ensure};
use disclosure::{Deed, Done};
use model::Masked;
use pg::Role;
use serde_json::json;

use super::{Outcome, own_ask, with_app};
use crate::{
    app::App,
    args::{BreakGlass, OpeningRequest, Place},
    console,
};

/// Runs a break-glass command.
pub async fn run(place: &Place, command: BreakGlass) -> anyhow::Result<Outcome> {
    with_app(place, |app| async move {
        let outcome = match command {
            BreakGlass::Request(options) => request(place, &app, options).await?,
            BreakGlass::Open { request, by } => open(place, &app, &request, by).await?,
            BreakGlass::List { waiting } => {
                let openings = list(&app, waiting).await?;
                for opening in &openings {
                    say(place, &app, opening)?;
                }
                Outcome::of(waiting && !openings.is_empty())
            }
            BreakGlass::Review { opening, found, by } => {
                let by = by.or_else(|| app.second_sandbox_steward().map(str::to_owned));
                let by = super::identity::steward(&app, by)?;
                let digest = find(&app, &opening).await?.digest;
                let (agreements, at) = (&*app.agreements, app.clock().now());
                pg::run_tx(app.pool(), "cli.review_opening", Role::Agreements, |tx| {
                    let (by, found) = (&by, &found);
                    Box::pin(async move { agreements.review_opening(tx, digest, (by, found), at).await })
                })
                .await?;
                console::line(place.json, format!("reviewed by {by}"));
                Outcome::Done
            }
            BreakGlass::Close { opening, author } => {
                let by = super::identity::steward(&app, author.by)?;
                let digest = find(&app, &opening).await?.digest;
                close(&app, digest, (&by, author.reason)).await?;
                console::line(place.json, format!("the records are closed by {by}"));
                Outcome::Done
            }
        };
        app.sequence().await?;
        Ok(outcome)
    })
    .await
}

async fn request(place: &Place, app: &App, options: OpeningRequest) -> anyhow::Result<Outcome> {
    app.roster_layout(&options.consumer)?;
    let at = app.clock().now();
    ensure!(options.until > at, "it would have ended before it begins");
    ensure!(
        matches!(options.kind, InstrumentKind::CourtOrder | InstrumentKind::Emergency),
        "records are opened so by a court order or in an emergency; releases come with the roster"
    );
    let paper = NewInstrument {
        kind: options.kind,
        consumer: options.consumer,
        person_key: Masked::new(options.client),
        reference: options.order,
        reason: options.reason,
        in_force: Interval { from: at, to: Some(options.until) },
    };
    let digest = file(app, &paper).await?;
    let approved = app.is_sandbox();
    if place.json {
        console::json(&json!({ "request": digest.to_string(), "approved": approved, "closes_at": options.until }))?;
    } else {
        console::line(false, format!("request {digest}: {}", paper.describe()));
        let next = format!("throughline break-glass open {digest}");
        if approved {
            console::line(false, format!("  approved by the sandbox's stewards; then: {next}"));
        } else {
            console::line(
                false,
                format!(
                    "  two stewards approve it within a day, each with: throughline approve {digest} --key FILE; then: {next}"
                ),
            );
        }
    }
    Ok(Outcome::Done)
}

/// Asks two stewards to open a client's records; in the sandbox the built-in ones approve. Gives the request's digest.
pub async fn file(app: &App, paper: &NewInstrument) -> anyhow::Result<Digest> {
    let (agreements, at) = (&*app.agreements, app.clock().now());
    let digest = pg::run_tx(app.pool(), "cli.file_opening", Role::Agreements, |tx| {
        Box::pin(async move { agreements.file_opening(tx, paper, at).await })
    })
    .await?;
    if app.is_sandbox() {
        for approval in &app.sandbox_approvals(Act::RecordInstrument, digest, app.clock().now())? {
            app.approve(&paper.consumer, Act::RecordInstrument, digest, approval).await?;
        }
    }
    Ok(digest)
}

async fn open(place: &Place, app: &App, prefix: &str, by: Option<String>) -> anyhow::Result<Outcome> {
    let by = super::identity::steward(app, by)?;
    let (opening, paper) = open_filed(app, prefix, &by).await?;
    if place.json {
        console::json(&json!({ "opening": opening.to_string(), "closes_at": paper.in_force.to }))?;
    } else {
        console::line(false, format!("open: {}", paper.describe()));
        console::line(false, "  it waits for a review: throughline break-glass list --waiting");
    }
    Ok(Outcome::Done)
}

/// Opens records on a request that two stewards approved, with an entry in the ledger, and tells the SEA.
pub async fn open_filed(app: &App, prefix: &str, by: &str) -> anyhow::Result<(Digest, NewInstrument)> {
    let agreements = &*app.agreements;
    let (id, at) = (app.entropy().uuid(), app.moment().await?);
    let filed = pg::run_tx(app.pool(), "cli.find_request", Role::Agreements, |tx| {
        Box::pin(async move { agreements.find_request(tx, prefix).await })
    })
    .await?
    .with_context(|| format!("there is no request {prefix}"))?;
    if !matches!(filed.asked, Asked::Open(_)) {
        bail!("the request {prefix} is for another act");
    }
    let own = own_ask(app.own_consumer()?, "steward", by);
    let done = Done::new(Deed::UseRequest, disclosure::named(Act::RecordInstrument, filed.digest));
    let paper = pg::run_tx(app.pool(), "cli.open_records", Role::Agreements, |tx| {
        let (own, done) = (&own, &done);
        Box::pin(async move {
            disclosure::record_act(tx, app.disclosure(), own, done).await?;
            tx.act_as(Role::Agreements).await?;
            Ok::<_, disclosure::Error>(agreements.open_records(tx, filed.digest, (id, by), at).await?)
        })
    })
    .await?;
    notify(app, filed.digest, &paper, by)?;
    Ok((filed.digest, paper))
}

/// Ends the paper before its time, with an entry that says who did and why, in one transaction.
async fn close(app: &App, digest: Digest, (by, reason): (&str, String)) -> anyhow::Result<()> {
    ensure!(!reason.trim().is_empty(), "closing states its reason");
    let own = own_ask(app.own_consumer()?, "steward", by);
    let to = disclosure::named(Act::RecordInstrument, digest);
    let done = Done { why: Some(reason), ..Done::new(Deed::Close, to) };
    let (agreements, clock) = (&*app.agreements, app.clock());
    pg::run_tx(app.pool(), "cli.close_opening", Role::Agreements, |tx| {
        let (own, done) = (&own, &done);
        Box::pin(async move {
            agreements.revoke_instrument(tx, digest, clock).await?;
            disclosure::record_act(tx, app.disclosure(), own, done).await
        })
    })
    .await?;
    Ok(())
}

/// Tells the SEA: a line in the log, and a file in the data folder for whoever looks there each morning. Neither names the client.
fn notify(app: &App, digest: Digest, paper: &NewInstrument, by: &str) -> anyhow::Result<()> {
    let closes_at = paper.in_force.to.map(|to| to.to_rfc3339()).unwrap_or_default();
    tracing::warn!(opening = %digest, consumer = %paper.consumer, closes_at, "records were opened by order");
    let folder = crate::private::groups(&app.data, "notices")?;
    let name: String = digest.to_string().chars().take(12).collect();
    let notice = json!({
        "notice": "records of a client were opened by order, and wait for a review", "opening": digest.to_string(),
        "kind": paper.kind.as_str(), "order": paper.reference, "consumer": paper.consumer, "opened_by": by,
        "opened_at": app.clock().now(), "closes_at": paper.in_force.to,
    });
    super::exchange::write_whole(&folder.join(format!("opened-{name}.json")), &serde_json::to_vec_pretty(&notice)?)
}

/// Records that were opened by order; with `waiting` those that nobody has reviewed.
pub async fn list(app: &App, waiting: bool) -> anyhow::Result<Vec<Opening>> {
    let agreements = &*app.agreements;
    Ok(pg::run_tx(app.pool(), "cli.list_openings", Role::Agreements, |tx| {
        Box::pin(async move { agreements.list_openings(tx, waiting).await })
    })
    .await?)
}

async fn find(app: &App, prefix: &str) -> anyhow::Result<Opening> {
    ensure!(prefix.len() >= 8, "an opening is named by at least eight hexadecimal digits");
    let mut found = list(app, false).await?;
    found.retain(|opening| opening.digest.to_string().starts_with(&prefix.to_ascii_lowercase()));
    ensure!(found.len() <= 1, "more than one opening begins so; give more digits");
    found.pop().with_context(|| format!("nothing was opened as {prefix}"))
}

fn say(place: &Place, app: &App, opening: &Opening) -> anyhow::Result<()> {
    let is_open = opening.closes_at > app.clock().now();
    if place.json {
        let review = opening.review.as_ref().map(|(by, at, found)| json!({ "by": by, "at": at, "found": found }));
        return console::json(&json!({
            "opening": opening.digest.to_string(), "kind": opening.kind.as_str(), "order": opening.reference, "consumer": opening.consumer,
            "opened_by": opening.opened_by, "opened_at": opening.opened_at, "closes_at": opening.closes_at, "open": is_open, "review": review,
        }));
    }
    let state =
        if is_open { format!("open until {}", opening.closes_at) } else { format!("closed {}", opening.closes_at) };
    let review = opening.review.as_ref().map_or_else(
        || "waits for a review".to_owned(),
        |(by, at, found)| format!("reviewed by {by} on {}: {found}", at.date_naive()),
    );
    console::line(
        false,
        format!(
            "{}  {} {} for {}, opened by {} on {}; {state}; {review}",
            opening.digest,
            opening.kind.as_str(),
            opening.reference,
            opening.consumer,
            opening.opened_by,
            opening.opened_at
        ),
    );
    Ok(())
}
