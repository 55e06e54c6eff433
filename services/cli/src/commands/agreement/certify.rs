//! A recipient's written certification: without one in force, nothing is disclosed on a basis that asks for it (34 CFR 99.38(b)).

use agreements::{Interval, NewCertification};
use anyhow::anyhow;
use chrono::NaiveDate;
use model::ConsumerId;
use pg::Role;
use serde_json::json;

use crate::{
    app::App,
    args::Place,
    commands::{Outcome, with_app},
    console,
};

/// What is put on file.
pub struct Paper {
    /// The agency that certifies.
    pub consumer: ConsumerId,
    /// Who signed for it, by office.
    pub holder: String,
    /// Where the paper is.
    pub reference: String,
    /// The first day.
    pub from: NaiveDate,
    /// The last day; none: until it is taken back.
    pub to: Option<NaiveDate>,
    /// Who puts it on file.
    pub by: String,
}

/// Puts a certification on file. Its days are those of the agreement's zone.
pub async fn certify(place: &Place, paper: Paper) -> anyhow::Result<Outcome> {
    with_app(place, |app| async move {
        let zone = terms(&app, &paper.consumer)?.zone();
        let certification = NewCertification {
            consumer: paper.consumer,
            holder: paper.holder,
            reference: paper.reference,
            in_force: Interval {
                from: agreements::start_of_day(paper.from, zone),
                to: paper.to.map(|day| agreements::end_of_day(day, zone)),
            },
        };
        let (agreements, at) = (&*app.agreements, app.clock().now());
        let id = pg::run_tx(app.pool(), "cli.certify", Role::Agreements, |tx| {
            let (certification, by) = (&certification, &paper.by);
            Box::pin(async move { agreements.record_certification(tx, certification, by, at).await })
        })
        .await?;
        if place.json {
            console::json(&json!({ "certification": id, "consumer": certification.consumer }))?;
        } else {
            let consumer = &certification.consumer;
            console::line(false, format!("certification {id} of {consumer} is on file"));
            console::line(false, format!("  taken back with: throughline agreement revoke-certification {id}"));
        }
        Ok(Outcome::Done)
    })
    .await
}

/// Ends a certification now.
pub async fn revoke(place: &Place, id: i64) -> anyhow::Result<Outcome> {
    with_app(place, |app| async move {
        let (agreements, at) = (&*app.agreements, app.clock().now());
        pg::run_tx(app.pool(), "cli.revoke_certification", Role::Agreements, |tx| {
            Box::pin(async move { agreements.revoke_certification(tx, id, at).await })
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
