//! `throughline bench`: figures of the real thing (linkage; server, mutual TLS, agreement, ledger, database), each beside the least that
//! the same bytes cost, measured in the same run. Rates are this machine's; the ratio is what to compare.

mod client;
mod decide;
mod history;
mod intake;
mod ledger;
mod link;
mod process;
mod records;
mod summary;

use std::sync::Arc;

use anyhow::{bail, ensure};
use pg::Access;
use serde::Serialize;

use super::Outcome;
use crate::{
    app::App,
    args::{Bench, BenchWhat, Place},
    console,
};

/// One thing measured.
#[derive(Clone, Debug, Serialize)]
pub struct Figure {
    /// What.
    pub what: &'static str,
    /// How much: the median of the rounds.
    pub value: f64,
    /// Of what.
    pub unit: &'static str,
    /// What it is held against.
    pub limit: &'static str,
    /// How much that was.
    pub limit_value: f64,
    /// The figure's rate as a share of the limit's rate: 1 is as good as it gets.
    pub ratio: f64,
}

impl Figure {
    /// A time, held against the time of the limit.
    fn time(what: &'static str, ms: f64, limit: &'static str, limit_ms: f64) -> Self {
        Self { what, value: ms, unit: "ms", limit, limit_value: limit_ms, ratio: limit_ms / ms }
    }

    /// A rate, held against the rate of the limit.
    fn rate(what: &'static str, (value, unit): (f64, &'static str), limit: &'static str, limit_value: f64) -> Self {
        Self { what, value, unit, limit, limit_value, ratio: value / limit_value }
    }
}

/// Measures.
pub async fn run(place: &Place, options: &Bench) -> anyhow::Result<Outcome> {
    ensure!(options.reads > 0 && options.rounds > 0, "there is nothing to measure in no reads and no rounds");
    let mut figures = Vec::new();
    if matches!(options.what, BenchWhat::Intake | BenchWhat::All) {
        figures.extend(intake::load(place, options).await?);
    }
    if matches!(options.what, BenchWhat::Ledger | BenchWhat::All) {
        figures.extend(ledger::record(place, options).await?);
    }
    if options.what == BenchWhat::Records {
        figures.extend(records::run(place, options).await?);
    }
    if matches!(options.what, BenchWhat::Decide | BenchWhat::All) {
        figures.extend(decide::run(place, options).await?);
    }
    if matches!(options.what, BenchWhat::Link | BenchWhat::All) {
        figures.extend(link::run(place, options)?);
    }
    if matches!(options.what, BenchWhat::Summary | BenchWhat::All) {
        figures.extend(summary::run(options)?);
    }
    if matches!(
        options.what,
        BenchWhat::Intake
            | BenchWhat::Ledger
            | BenchWhat::Records
            | BenchWhat::Decide
            | BenchWhat::Link
            | BenchWhat::Summary
    ) {
        say(place, options, &figures)?;
        return Ok(Outcome::Done);
    }
    if options.what != BenchWhat::Feed {
        figures.extend(history::cold(place, options).await?);
    }
    let app = Arc::new(open(place).await?);
    ::intake::packs::refresh(app.pool()).await?;
    let measured = async {
        if options.what != BenchWhat::Feed {
            figures.extend(history::warm(&app, options).await?);
        }
        if options.what != BenchWhat::History {
            figures.extend(history::stream(&app, options).await?);
        }
        anyhow::Ok(())
    }
    .await;
    if let Some(app) = Arc::into_inner(app) {
        app.close().await?;
    }
    measured?;
    say(place, options, &figures)?;
    Ok(Outcome::Done)
}

async fn open(place: &Place) -> anyhow::Result<App> {
    let app = App::open(place, Access::Alone).await?;
    if !app.settings.sandbox {
        app.close().await?;
        bail!(
            "a bench discloses to itself: run it on a sandbox, as `throughline demo --dir DIR --exit` makes one in DIR/data"
        );
    }
    Ok(app)
}

fn say(place: &Place, options: &Bench, figures: &[Figure]) -> anyhow::Result<()> {
    if place.json {
        let Some(file) = &options.file else { return figures.iter().try_for_each(console::json) };
        std::fs::write(file, serde_json::to_vec_pretty(figures)?)?;
        return Ok(());
    }
    for f in figures {
        console::line(
            false,
            format!(
                "{:44} {:>12.2} {:<12} limit {:>12.2} ({}), ratio {:.3}",
                f.what, f.value, f.unit, f.limit_value, f.limit, f.ratio
            ),
        );
    }
    Ok(())
}

/// The middle one; of an even number, the greater of the middle two.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
