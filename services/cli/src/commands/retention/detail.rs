//! The personal part of ledger entries at the end of its time, ids of calls, and stays in facilities with what was told of them, at the end of theirs: by the schedule of `serve`, or by hand.

use std::num::NonZeroU32;

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use disclosure::{Ask, PlacementsEnded, PlacementsKept};
use serde_json::{Value as Json, json};

use crate::{
    app::App,
    args::Place,
    commands::{Outcome, own_ask},
    console,
    settings::DetailDays,
};

/// Entries that are looked at, and perhaps lose their detail, in one transaction.
const BATCH_ENTRIES: u32 = 1_000;

/// Ids of calls that are forgotten in one transaction.
const BATCH_REQUESTS: u32 = 10_000;

/// What is said where the configuration says never.
const NEVER: &str = "the configuration says that personal detail is never destroyed on a schedule (ledger.detail_days)";

/// What a run came to: counts, and nobody's name.
#[derive(Clone, Copy, Debug, Default)]
pub struct Run {
    /// Entries before this time were looked at; `None`: the configuration says never.
    pub older_than: Option<DateTime<Utc>>,
    /// Personal parts that were destroyed.
    pub erased: u64,
    /// Personal parts as old that stay with their education record.
    pub kept: u64,
    /// Ids of calls that were forgotten.
    pub forgotten: u64,
    /// Stays in facilities, and notices about them.
    pub placements: PlacementsEnded,
}

impl Run {
    /// In words, for operators.
    pub fn says(&self) -> String {
        let Self { older_than, erased, kept, forgotten, placements } = self;
        let PlacementsEnded { stays, notices, waiting } = placements;
        let of_stays = match (stays, waiting) {
            (0, 0) => String::new(),
            (stays, 0) => format!("; {stays} stays in facilities and {notices} notices about them destroyed"),
            (stays, waiting) => {
                format!("; {stays} stays in facilities and {notices} notices about them destroyed, {waiting} wait")
            }
        };
        let Some(older_than) = older_than else { return format!("{NEVER}{of_stays}") };
        let day = older_than.date_naive();
        format!(
            "personal detail of {erased} entries before {day} destroyed, {kept} kept with their education records; ids of {forgotten} calls forgotten{of_stays}"
        )
    }

    fn json(&self) -> Json {
        let PlacementsEnded { stays, notices, waiting } = self.placements;
        json!({
            "older_than": self.older_than, "erased": self.erased, "kept": self.kept, "forgotten": self.forgotten, "stays": stays,
            "placement_notices": notices, "stays_waiting": waiting,
        })
    }
}

/// The zone of the SEA's own days.
pub fn zone(app: &App) -> anyhow::Result<Tz> {
    Ok(agreements::parse(&app.consumer(app.own_consumer()?)?.agreement)?.zone())
}

/// Destroys what has stayed its time, part by part of the log; each part is committed, and a run begun again goes on with what is left. Where the
/// configuration says never, no detail is destroyed and no id forgotten; stays have a time of their own, and go all the same. `None`: of them there was
/// nothing to do either.
pub async fn erase(app: &App, own: &Ask<'_>) -> anyhow::Result<Option<Run>> {
    let mut run = Run::default();
    if let DetailDays::After(days) = app.settings.ledger.detail_days {
        erase_details(app, own, days, &mut run).await?;
    }
    for of in kept_placements(app) {
        let ended = disclosure::end_placements(app.disclosure(), own, of).await?;
        run.placements.stays += ended.stays;
        run.placements.notices += ended.notices;
        run.placements.waiting += ended.waiting;
    }
    if run.placements.stays > 0 {
        app.sequence().await?;
    }
    let (erased, kept, forgotten) = (run.erased, run.kept, run.forgotten);
    tracing::info!(erased, kept, forgotten, "personal detail of the ledger was looked through");
    Ok((run.older_than.is_some() || run.placements != PlacementsEnded::default()).then_some(run))
}

/// The detail of entries, and the ids of calls.
async fn erase_details(app: &App, own: &Ask<'_>, days: NonZeroU32, run: &mut Run) -> anyhow::Result<()> {
    let now = app.clock().now();
    let before = |days: NonZeroU32| now - TimeDelta::days(i64::from(days.get()));
    let older_than = before(days);
    run.older_than = Some(older_than);
    let mut after = None;
    loop {
        let part = disclosure::erase_older_details(app.disclosure(), own, older_than, (after, BATCH_ENTRIES)).await?;
        run.erased += part.erased;
        run.kept += part.kept;
        after = part.last;
        if after.is_none() {
            break;
        }
    }
    if run.erased > 0 {
        app.sequence().await?;
    }
    let answered_before = before(app.settings.ledger.request_days);
    loop {
        match disclosure::forget_requests(app.disclosure(), answered_before, BATCH_REQUESTS).await? {
            0 => break,
            forgotten => run.forgotten += forgotten,
        }
    }
    Ok(())
}

/// Whose stays are kept for how long: of every agency that reports any.
pub fn kept_placements(app: &App) -> impl Iterator<Item = PlacementsKept<'_>> {
    let days = app.settings.placements.days;
    app.consumers.iter().filter_map(move |(reporter, documents)| {
        let recipient = &documents.placements.as_ref()?.notifies;
        Some(PlacementsKept { reporter, recipient, days })
    })
}

/// `retention detail`: the same now.
pub async fn run(place: &Place, app: &App, by: &str) -> anyhow::Result<Outcome> {
    let own = own_ask(app.own_consumer()?, "steward", by);
    match erase(app, &own).await? {
        Some(run) if place.json => console::json(&run.json())?,
        Some(run) => console::line(false, run.says()),
        None => console::warn(NEVER),
    }
    Ok(Outcome::Done)
}
