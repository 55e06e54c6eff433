//! A recipient's written certification: without one in force, nothing is disclosed on a basis that asks for it (34 CFR 99.38(b)).

use agreements::{Act, Digest, Interval, NewCertification};
use anyhow::{anyhow, bail};
use disclosure::{Deed, Done};
use model::ConsumerId;
use pg::Role;
use serde_json::json;

use crate::{
    app::App,
    args::{Certify, Place},
    commands::{Outcome, own_ask, two, with_app},
    console,
};

/// Asks two stewards to put a certification on file, or puts it there on their word. Its days are those of the agreement's zone.
pub async fn certify(place: &Place, options: Certify) -> anyhow::Result<Outcome> {
    with_app(place, |app| async move {
        let digest = match &options.request {
            Some(named) => two::find(&app, named, Act::Certify).await?.digest,
            None => match ask(place, &app, &options).await? {
                Some(digest) => digest,
                None => return Ok(two::WAITS),
            },
        };
        let own = own_ask(app.own_consumer()?, "steward", &options.by);
        let done = Done::new(Deed::UseRequest, disclosure::named(Act::Certify, digest));
        let (agreements, used_for, at) = (&*app.agreements, app.entropy().uuid(), app.moment().await?);
        let (id, certification) = pg::run_tx(app.pool(), "cli.certify", Role::Agreements, |tx| {
            let (own, done, by) = (&own, &done, &options.by);
            let disclosure = app.disclosure();
            Box::pin(async move {
                let certified = agreements.certify(tx, digest, (used_for, by), at).await?;
                disclosure::record_act(tx, disclosure, own, done).await?;
                Ok::<_, disclosure::Error>(certified)
            })
        })
        .await?;
        app.sequence().await?;
        if place.json {
            console::json(&json!({
                "certification": id, "consumer": certification.consumer, "request": digest.to_string(),
            }))?;
        } else {
            let consumer = &certification.consumer;
            console::line(false, format!("certification {id} of {consumer} is on file"));
            console::line(false, format!("  taken back with: throughline agreement revoke-certification {id}"));
        }
        Ok(Outcome::Done)
    })
    .await
}

/// Puts the request on file; gives its digest if the sandbox's stewards have approved it.
async fn ask(place: &Place, app: &App, options: &Certify) -> anyhow::Result<Option<Digest>> {
    let (Some(consumer), Some(holder), Some(reference), Some(from)) =
        (&options.consumer, &options.holder, &options.reference, options.from)
    else {
        bail!("a certification names agency, holder, reference and first day");
    };
    let zone = terms(app, consumer)?.zone();
    let certification = NewCertification {
        consumer: consumer.clone(),
        holder: holder.clone(),
        reference: reference.clone(),
        in_force: Interval {
            from: agreements::start_of_day(from, zone),
            to: options.to.map(|day| agreements::end_of_day(day, zone)),
        },
    };
    let (agreements, at) = (&*app.agreements, app.clock().now());
    let digest = pg::run_tx(app.pool(), "cli.file_certification", Role::Agreements, |tx| {
        let certification = &certification;
        Box::pin(async move { agreements.file_certification(tx, certification, at).await })
    })
    .await?;
    let asked = two::Asked {
        act: Act::Certify,
        digest,
        consumer,
        says: certification.describe(),
        next: "throughline agreement certify --by NAME --request",
    };
    let approved = two::approved(place, app, &asked).await?;
    Ok(approved.then_some(digest))
}

/// Ends a certification now.
pub async fn revoke(place: &Place, id: i64) -> anyhow::Result<Outcome> {
    with_app(place, |app| async move {
        let (agreements, clock) = (&*app.agreements, app.clock());
        pg::run_tx(app.pool(), "cli.revoke_certification", Role::Agreements, |tx| {
            Box::pin(async move { agreements.revoke_certification(tx, id, clock).await })
        })
        .await?;
        console::line(place.json, format!("certification {id} is in force no longer"));
        Ok(Outcome::Done)
    })
    .await
}

fn terms(app: &App, consumer: &ConsumerId) -> anyhow::Result<agreements::Terms> {
    agreements::parse(&app.consumer(consumer)?.agreement).map_err(|error| anyhow!("{error}"))
}
