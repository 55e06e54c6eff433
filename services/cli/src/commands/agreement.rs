//! `throughline agreement`.

mod certify;
mod inspect;

use std::{collections::BTreeSet, fs, path::PathBuf};

use anyhow::Context as _;
use disclosure::{About, Deed, Done};
use model::{Clock as _, ConsumerId, Masked, StudentId};
use pg::Role;
use serde_json::json;

use super::{Outcome, with_app};
use crate::{
    app::consumers,
    args::{Agreement, Place},
    console,
    settings::Settings,
    system::SystemClock,
};

fn read(path: &PathBuf) -> anyhow::Result<String> {
    fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}

/// Checks, shows, compares and brings into force.
pub async fn run(place: &Place, command: Agreement) -> anyhow::Result<Outcome> {
    match command {
        Agreement::Check { documents } => check(place, &documents),
        Agreement::Matrix { in_force: true, .. } => matrix_in_force(place).await,
        Agreement::Matrix { documents, .. } => matrix(place, &documents).await,
        Agreement::Diff { old, new } => diff(&old, &new),
        Agreement::Activate { document } => {
            with_app(place, |app| async move {
                let (id, version) = app.activate(&read(&document)?).await?;
                console::line(place.json, format!("{id} version {version} is in force"));
                Ok(Outcome::Done)
            })
            .await
        }
        Agreement::Explain { consumer, student, client, elements, purpose, delivery, role, office, officer, by } => {
            let about = match (student, client) {
                (Some(student), _) => About::Student(StudentId(student)),
                (None, Some(client)) => About::Client(Masked::new(client)),
                (None, None) => anyhow::bail!("name --student or --client"),
            };
            let person = role.map(|role| inspect::Reader { role, office, officer });
            let question = inspect::Question { consumer, about, elements, purpose, delivery, person, by };
            inspect::explain(place, question).await
        }
        Agreement::Rehearse { draft, days, by } => inspect::rehearse(place, &read(&draft)?, days, &by).await,
        Agreement::Suspend { id, by, reason } => {
            with_app(place, |app| async move {
                let (agreements, context, clock) = (&*app.agreements, app.disclosure(), app.clock());
                let own = super::own_ask(app.own_consumer()?, "steward", &by);
                let done = Done { why: Some(reason.clone()), ..Done::new(Deed::Suspend, format!("agreement {id}")) };
                pg::run_tx(app.pool(), "cli.suspend", Role::Agreements, |tx| {
                    let (id, by, reason, own, done) = (&id, &by, &reason, &own, &done);
                    Box::pin(async move {
                        agreements.suspend(tx, id, (by, reason), clock).await?;
                        disclosure::record_act(tx, context, own, done).await
                    })
                })
                .await?;
                app.sequence().await?;
                console::line(place.json, format!("{id} is suspended: nothing more is disclosed under it"));
                Ok(Outcome::Done)
            })
            .await
        }
        Agreement::Certify(options) => certify::certify(place, options).await,
        Agreement::Orders { consumer } => orders(place, consumer).await,
        Agreement::RevokeCertification { id } => certify::revoke(place, id).await,
        Agreement::List => list(place).await,
    }
}

/// Reported orders that wait, each with who has approved it so far. A client is named by the agency's own id, as the order names them.
async fn orders(place: &Place, consumer: Option<ConsumerId>) -> anyhow::Result<Outcome> {
    with_app(place, |app| async move {
        let (agreements, at) = (&*app.agreements, app.clock().now());
        let waiting = pg::run_tx(app.pool(), "cli.orders", Role::Agreements, |tx| {
            let consumer = consumer.as_ref();
            Box::pin(async move { agreements.list_reported_orders(tx, consumer, at).await })
        })
        .await?;
        for request in &waiting {
            if place.json {
                console::json(&json!({
                    "request": request.digest.to_string(), "consumer": request.asked.consumer(), "says": request.asked.describe(),
                    "approved_by": request.approved_by, "expires_at": request.expires_at,
                }))?;
            } else {
                let by = if request.approved_by.is_empty() { "nobody".to_owned() } else { request.approved_by.join(", ") };
                console::line(false, format!("{}: {} (approved by {by})", request.digest, request.asked.describe()));
            }
        }
        if waiting.is_empty() {
            console::line(place.json, "no order waits");
        }
        Ok(Outcome::Done)
    })
    .await
}

/// Says every mistake: of each document, of the day, and beside the other documents and those of the configuration.
fn check(place: &Place, documents: &[PathBuf]) -> anyhow::Result<Outcome> {
    let today = SystemClock.now().date_naive();
    let data = place.data.clone().unwrap_or_else(crate::system::data_folder);
    let settings = Settings::load(place.config.as_deref(), &data)?;
    let texts = documents.iter().map(read).collect::<anyhow::Result<Vec<_>>>()?;
    let configured: Vec<String> =
        consumers(settings.consumers.folder.as_deref())?.into_values().map(|one| one.agreement).collect();
    let terms = |text: &String| agreements::check(text).terms;
    let configured: Vec<agreements::Terms> = configured.iter().filter_map(terms).collect();
    let mut found = false;
    for (index, (path, text)) in documents.iter().zip(&texts).enumerate() {
        let beside = texts.iter().enumerate().filter(|(at, _)| *at != index).filter_map(|(_, text)| terms(text));
        let mut others: Vec<agreements::Terms> = beside.collect();
        // A document given here takes the place of the one configured under its number.
        others.extend(
            configured.iter().filter(|one| others.iter().all(|other| other.id != one.id)).cloned().collect::<Vec<_>>(),
        );
        let checked = agreements::check_among(text, agreements::Surroundings { today: Some(today), others: &others });
        for finding in &checked.findings {
            found = true;
            if place.json {
                console::json(&json!({
                    "file": path, "line": finding.line, "clause": finding.clause, "field": finding.field,
                    "severity": if finding.severity == agreements::Severity::Error { "error" } else { "warning" },
                    "message": finding.message, "finding": finding.to_string(),
                }))?;
            } else {
                console::line(false, format!("{}: {finding}", path.display()));
            }
        }
        if checked.findings.is_empty() {
            console::line(place.json, format!("{}: in order", path.display()));
        }
    }
    Ok(Outcome::of(found))
}

async fn matrix(place: &Place, documents: &[PathBuf]) -> anyhow::Result<Outcome> {
    let mut terms = Vec::new();
    if documents.is_empty() {
        return with_app(place, |app| async move {
            let shipped: Result<Vec<_>, _> =
                app.consumers.values().map(|consumer| agreements::parse(&consumer.agreement)).collect();
            console::text(&agreements::matrix(&shipped?))?;
            Ok(Outcome::Done)
        })
        .await;
    }
    for path in documents {
        terms.push(agreements::parse(&read(path)?)?);
    }
    console::text(&agreements::matrix(&terms))?;
    Ok(Outcome::Done)
}

/// The same of what is in force: of every consumer that is configured, or that a version on file names.
async fn matrix_in_force(place: &Place) -> anyhow::Result<Outcome> {
    with_app(place, |app| async move {
        let (agreements, at) = (&*app.agreements, app.moment().await?);
        let standing = pg::run_tx(app.pool(), "cli.matrix", Role::Agreements, |tx| {
            let configured = app.consumers.keys().cloned();
            Box::pin(async move {
                let mut consumers: BTreeSet<ConsumerId> = configured.collect();
                consumers.extend(agreements.list_versions(tx).await?.into_iter().map(|version| version.consumer));
                let mut standing = Vec::with_capacity(consumers.len());
                for consumer in consumers {
                    // There are a handful.
                    let in_force = agreements.load_active(tx, &consumer, at).await?;
                    standing.push((consumer, in_force));
                }
                Ok::<_, agreements::Error>(standing)
            })
        })
        .await?;
        console::text(&agreements::matrix_in_force(&standing, at))?;
        Ok(Outcome::Done)
    })
    .await
}

fn diff(old: &PathBuf, new: &PathBuf) -> anyhow::Result<Outcome> {
    let (old, new) = (agreements::parse(&read(old)?)?, agreements::parse(&read(new)?)?);
    for line in agreements::diff(&old, &new)? {
        console::line(false, line);
    }
    Ok(Outcome::Done)
}

async fn list(place: &Place) -> anyhow::Result<Outcome> {
    with_app(place, |app| async move {
        let agreements = &*app.agreements;
        let versions = pg::run_tx(app.pool(), "cli.versions", Role::Agreements, |tx| {
            Box::pin(async move { agreements.list_versions(tx).await })
        })
        .await?;
        for version in versions {
            let state = match (&version.activated_at, &version.ended_because) {
                (None, _) => "on file".to_owned(),
                (Some(at), None) => format!("in force since {at}"),
                (Some(_), Some(why)) => why.clone(),
            };
            if place.json {
                console::json(&json!({ "agreement": version.agreement_id, "version": version.version, "consumer": version.consumer, "state": state }))?;
            } else {
                console::line(false, format!("{} version {} ({}): {state}", version.agreement_id, version.version, version.consumer));
            }
        }
        Ok(Outcome::Done)
    })
    .await
}
