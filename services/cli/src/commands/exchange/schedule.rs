//! Nights that run by themselves, the erasure of personal detail that is due every day beside them, and what an operator asks about them: `throughline exchange plan | status | pause | resume | retry | explain`.

use std::{collections::BTreeSet, path::PathBuf, sync::Arc};

use anyhow::{Context as _, anyhow, ensure};
use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use chrono_tz::Tz;
use model::ConsumerId;
use pg::Role;
use scheduler::{Calendar, Ending, Job, Patience, Pause, Taken};
use serde_json::{Value as Json, json};
use tokio::time::{Duration, sleep};
use tokio_util::sync::CancellationToken;

use super::{is_reported, leave, night, placements, population};
use crate::{
    app::App,
    args::{Place, Which},
    commands::{Outcome, retention::detail, with_app},
    console,
    settings::DetailDays,
    telemetry,
};

/// Between two looks at the calendar.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// So long after it was due a night that is not done is an alarm.
const LATE: TimeDelta = TimeDelta::hours(4);
/// Nights that are shown of each consumer.
const SHOWN: i64 = 5;
/// Before a consumer's id in the name of its job.
const NIGHT_OF: &str = "night of ";

/// The job by which the personal part of old ledger entries is destroyed.
const DETAIL: &str = "erasure of personal detail";

fn job_name(consumer: &ConsumerId) -> String {
    format!("{NIGHT_OF}{consumer}")
}

/// Work that comes round on a calendar.
pub enum Work {
    /// An agency's nights.
    Nights(ConsumerId),
    /// The erasure of personal detail.
    Detail,
}

impl From<Which> for Work {
    fn from(which: Which) -> Self {
        which.consumer.map_or(Self::Detail, Self::Nights)
    }
}

impl Work {
    fn of_all(app: &App) -> impl Iterator<Item = Self> + '_ {
        app.settings.nights.keys().cloned().map(Self::Nights).chain([Self::Detail])
    }

    fn job_name(&self) -> String {
        match self {
            Self::Nights(consumer) => job_name(consumer),
            Self::Detail => DETAIL.to_owned(),
        }
    }

    fn zone(&self, app: &App) -> anyhow::Result<Tz> {
        match self {
            Self::Nights(consumer) => placements::zone(app, consumer),
            Self::Detail => detail::zone(app),
        }
    }

    fn calendar<'a>(&self, app: &'a App) -> Option<&'a Calendar> {
        match self {
            Self::Nights(consumer) => app.settings.nights.get(consumer),
            Self::Detail => detail_calendar(app),
        }
    }
}

/// When personal detail is erased; none where the settings say never.
fn detail_calendar(app: &App) -> Option<&Calendar> {
    let ledger = &app.settings.ledger;
    (ledger.detail_days != DetailDays::Never).then_some(&ledger.detail_erasure)
}

/// Where a consumer's deliveries go unless it is said.
pub fn out_of(app: &App, consumer: &ConsumerId) -> PathBuf {
    app.data.with_file_name("out").join(consumer.as_str())
}

/// Runs nights when they are due, until told to stop; what is under way then is broken off, and taken again by whoever runs them next.
pub async fn run_nights(app: &Arc<App>, stop: &CancellationToken) {
    let mut told = BTreeSet::new();
    while !stop.is_cancelled() {
        tokio::select! {
            () = stop.cancelled() => return,
            looked = look(app, &mut told) => if let Err(error) = looked {
                tracing::error!(error = &*error as &dyn std::error::Error, "nights could not be looked after");
            }
        }
        tokio::select! {
            () = stop.cancelled() => {}
            () = sleep(LOOK_EVERY) => {}
        }
    }
}

async fn look(app: &App, told: &mut BTreeSet<String>) -> anyhow::Result<()> {
    let patience = Patience::default();
    // Before anything is put on the list: what this very look finds due, and takes, was not left undone by anybody.
    let jobs = jobs(app).await?;
    telemetry::nights(&jobs, &pauses(app).await?, app.clock().now(), LATE);
    for job in jobs {
        if let Some(alarm) = job.alarm(app.clock().now(), LATE)
            && told.insert(format!("{} {} {alarm}", job.name, job.day))
        {
            tracing::error!(job.name = job.name, job.day = %job.day, alarm, "a job is stalled");
        }
    }
    for work in Work::of_all(app) {
        let zone = work.zone(app)?;
        let Some(due) = work.calendar(app).and_then(|calendar| calendar.due(zone, app.clock().now())) else { continue };
        let name = &work.job_name();
        pg::run_tx(app.pool(), "scheduler.plan", Role::Scheduler, |tx| {
            Box::pin(async move { scheduler::plan(tx, name, due).await })
        })
        .await?;
    }
    loop {
        let (lease, now) = (app.entropy().uuid(), app.clock().now());
        let taken = pg::run_tx(app.pool(), "scheduler.take", Role::Scheduler, |tx| {
            Box::pin(async move { scheduler::take(tx, lease, &patience, now).await })
        })
        .await?;
        let Some(taken) = taken else { return Ok(()) };
        work(app, &taken, &patience).await?;
    }
}

/// Works at what was taken, and says meanwhile that it does.
async fn work(app: &App, taken: &Taken, patience: &Patience) -> anyhow::Result<()> {
    let mut working = Box::pin(done(app, taken));
    let result = loop {
        tokio::select! {
            result = &mut working => break result,
            () = sleep(patience.lease / 3) => {
                let now = app.clock().now();
                let holds = pg::run_tx(app.pool(), "scheduler.renew", Role::Scheduler, |tx| {
                    Box::pin(async move { scheduler::renew(tx, taken, patience, now).await })
                }).await;
                // The deliveries have a lease of their own: nobody else writes them meanwhile.
                if !matches!(holds, Ok(true)) {
                    tracing::warn!(job.name = taken.job.name, "the lease of a job could not be renewed");
                }
            }
        }
    };
    let ending = match &result {
        Ok(said) => Ending::Done(said.clone()),
        Err(error) => Ending::Failed(format!("{error:#}")),
    };
    let now = app.clock().now();
    pg::run_tx(app.pool(), "scheduler.end", Role::Scheduler, |tx| {
        let ending = &ending;
        Box::pin(async move { scheduler::end(tx, taken, patience, ending, now).await })
    })
    .await?;
    match result {
        Ok(_) => tracing::info!(job.name = taken.job.name, job.day = %taken.job.day, "a job is done"),
        Err(error) => {
            tracing::error!(job.name = taken.job.name, job.day = %taken.job.day, error = &*error as &dyn std::error::Error, "a job failed");
        }
    }
    Ok(())
}

/// Does a day's work; what is said of it.
async fn done(app: &App, taken: &Taken) -> anyhow::Result<String> {
    if taken.job.name == DETAIL {
        let mut own = leave::ask(app.own_consumer()?);
        own.asker.system = Some(DETAIL.to_owned());
        let run = detail::erase(app, &own).await?;
        return Ok(run.map_or_else(|| "not on a schedule".to_owned(), |run| run.says()));
    }
    let consumer: ConsumerId = taken.job.name.strip_prefix(NIGHT_OF).context("a job that is no night")?.parse()?;
    let report = night(app, &consumer, Some(taken.job.day), &out_of(app, &consumer)).await?;
    Ok(match report["state"].as_str().unwrap_or_default() {
        "refused" => format!("refused: {}", report["message"].as_str().unwrap_or_default()),
        state => match placements::words(&report) {
            Some(words) => format!("{state}: {words}"),
            None => format!("{state}{}", withheld(&report)),
        },
    })
}

async fn jobs(app: &App) -> anyhow::Result<Vec<Job>> {
    let list = pg::run_tx(app.pool(), "scheduler.list", Role::Scheduler, |tx| {
        Box::pin(async move { scheduler::list(tx, SHOWN).await })
    });
    Ok(list.await?)
}

async fn pauses(app: &App) -> anyhow::Result<Vec<Pause>> {
    let list = pg::run_tx(app.pool(), "scheduler.list_pauses", Role::Scheduler, |tx| {
        Box::pin(async move { scheduler::list_pauses(tx).await })
    });
    Ok(list.await?)
}

/// What a night would do, without doing any of it.
pub async fn plan(place: &Place, consumer: ConsumerId, date: Option<NaiveDate>) -> anyhow::Result<Outcome> {
    with_app(place, |app| async move {
        let zone = placements::zone(&app, &consumer)?;
        if placements::is_told(&app, &consumer)? {
            return plan_placements(place, &app, &consumer, date).await;
        }
        let now = app.clock().now();
        let date = date.unwrap_or_else(|| now.with_timezone(&zone).date_naive());
        let out = out_of(&app, &consumer);
        let delivery = &app.consumer(&consumer)?.delivery;
        let clients = population(&app, &leave::ask(&consumer)).await?.len();
        let to = delivery.target().map_err(|mistakes| anyhow!(mistakes.join("; ")))?.map(feeds::sink::Target::describe);
        let next = app.settings.nights.get(&consumer).and_then(|calendar| calendar.next(zone, now));
        let is_done = is_reported(&out, date);
        let plan = json!({
            "consumer": consumer, "date": date, "already_delivered": is_done, "clients": clients, "formats": delivery.formats,
            "bundle": delivery.bundle, "encrypted": !delivery.encrypt_to.is_empty(),
            "to": to.clone().unwrap_or_else(|| out.join(date.to_string()).display().to_string()),
            "next_due": next.map(|due| due.at), "paused": find_pause(&app, &job_name(&consumer)).await?,
        });
        if place.json {
            console::json(&plan)?;
            return Ok(Outcome::Done);
        }
        let state = if is_done { "is delivered already" } else { "would be made now" };
        console::line(false, format!("{consumer}: the night of {date} {state}, about {clients} clients"));
        console::line(false, format!("  as {}, to {}", delivery.formats.join(", "), plan["to"].as_str().unwrap_or_default()));
        if let Some(due) = next {
            console::line(false, format!("  next due on {}", due.at.with_timezone(&zone)));
        }
        Ok(Outcome::Done)
    })
    .await
}

/// The same for whoever is told of placements: the reports that wait. Whom they come to is found out when they are taken.
async fn plan_placements(
    place: &Place,
    app: &App,
    consumer: &ConsumerId,
    date: Option<NaiveDate>,
) -> anyhow::Result<Outcome> {
    let (zone, now) = (placements::zone(app, consumer)?, app.clock().now());
    let date = date.unwrap_or_else(|| now.with_timezone(&zone).date_naive());
    let waiting = placements::waiting(app, consumer)?;
    let next = app.settings.nights.get(consumer).and_then(|calendar| calendar.next(zone, now));
    let to = out_of(app, consumer).join(date.to_string()).display().to_string();
    let words = format!("{consumer}: {} reports of placements wait; notices go to {to}", waiting.len());
    let told = json!({
        "consumer": consumer, "date": date, "reports_waiting": waiting.len(), "to": to, "next_due": next.map(|due| due.at),
        "paused": find_pause(app, &job_name(consumer)).await?,
    });
    say(place, &told, &words)
}

async fn find_pause(app: &App, name: &str) -> anyhow::Result<Option<Pause>> {
    Ok(pauses(app).await?.into_iter().find(|pause| pause.name == name))
}

/// How nights stand. Something that needs a person is a finding.
pub async fn status(place: &Place) -> anyhow::Result<Outcome> {
    with_app(place, |app| async move {
        let (now, jobs, pauses) = (app.clock().now(), jobs(&app).await?, pauses(&app).await?);
        let mut alarms = 0;
        for job in &jobs {
            let alarm = job.alarm(now, LATE);
            alarms += u64::from(alarm.is_some());
            if place.json {
                console::json(&json!({ "job": job, "alarm": alarm, "paused": pauses.iter().find(|pause| pause.name == job.name) }))?;
            } else {
                console::line(false, format!("{} of {}: {}", job.name, job.day, state_of(job, now)));
                if let Some(alarm) = alarm {
                    console::line(false, format!("  LOOK: {alarm}"));
                }
            }
        }
        for pause in &pauses {
            if !place.json {
                console::line(false, format!("{} is stopped by {} since {}: {}", pause.name, pause.by, pause.since, pause.reason));
            } else if jobs.iter().all(|job| job.name != pause.name) {
                console::json(&json!({ "paused": pause }))?;
            }
        }
        for work in Work::of_all(&app).filter(|_| !place.json) {
            let zone = work.zone(&app)?;
            if let Some(due) = work.calendar(&app).and_then(|calendar| calendar.next(zone, now)) {
                console::line(false, format!("{} is next due on {}", work.job_name(), due.at.with_timezone(&zone)));
            }
        }
        Ok(Outcome::of(alarms > 0))
    })
    .await
}

fn state_of(job: &Job, now: DateTime<Utc>) -> String {
    let said = job.said.as_deref().unwrap_or("nothing");
    match job.state {
        scheduler::State::Waiting if job.attempts == 0 => format!("waits since {}", job.due_at),
        scheduler::State::Waiting => {
            format!("failed {} times, is tried again on {}; it said last: {said}", job.attempts, job.next_at)
        }
        scheduler::State::Running => match job.leased_until {
            Some(until) if until >= now => format!("is under way, attempt {}", job.attempts),
            _ => format!("was broken off in attempt {}, and is taken again", job.attempts),
        },
        scheduler::State::Done => format!("done: {said}"),
        scheduler::State::GivenUp => format!("given up after {} attempts; it said last: {said}", job.attempts),
    }
}

/// Stops what comes round, or lets it go on.
pub async fn pause(place: &Place, work: Work, stop: Option<(String, String)>) -> anyhow::Result<Outcome> {
    with_app(place, |app| async move {
        if let Work::Nights(consumer) = &work {
            app.consumer(consumer)?;
        }
        let (name, since) = (&work.job_name(), app.clock().now());
        let Some((by, reason)) = stop else {
            let was = pg::run_tx(app.pool(), "scheduler.resume", Role::Scheduler, |tx| {
                Box::pin(async move { scheduler::resume(tx, name).await })
            })
            .await?;
            ensure!(was, "{name} is not stopped");
            return say(place, &json!({ "job": name, "state": "resumed" }), &format!("{name} goes on"));
        };
        let stop = Pause { name: name.clone(), by, reason, since };
        pg::run_tx(app.pool(), "scheduler.pause", Role::Scheduler, |tx| {
            let stop = &stop;
            Box::pin(async move { scheduler::pause(tx, stop).await })
        })
        .await?;
        let words = format!("{name} is stopped until it is resumed; what is under way goes on to its end");
        say(place, &json!({ "job": name, "state": "paused" }), &words)
    })
    .await
}

/// What failed is to be tried now.
pub async fn retry(place: &Place, work: Work, date: Option<NaiveDate>) -> anyhow::Result<Outcome> {
    with_app(place, |app| async move {
        let (name, now) = (&work.job_name(), app.clock().now());
        let day = pg::run_tx(app.pool(), "scheduler.retry", Role::Scheduler, |tx| {
            Box::pin(async move { scheduler::retry(tx, name, date, now).await })
        })
        .await
        .with_context(|| format!("{name} has none that waits or was given up"))?;
        say(place, &json!({ "job": name, "day": day, "state": "waiting" }), &format!("{name} of {day} is taken next"))
    })
    .await
}

/// Why the work of a day was done, or was not.
pub async fn explain(place: &Place, work: Work, date: Option<NaiveDate>) -> anyhow::Result<Outcome> {
    with_app(place, |app| async move {
        let (name, zone, now) = (work.job_name(), work.zone(&app)?, app.clock().now());
        let date = date.unwrap_or_else(|| now.with_timezone(&zone).date_naive());
        let mut words: Vec<String> = Vec::new();
        match (work.calendar(&app), &work) {
            (None, Work::Nights(_)) => {
                words.push("no calendar is set for it: its nights run when somebody runs them".to_owned());
            }
            (None, Work::Detail) => words.push("it is not on a schedule: `ledger.detail_days` is \"never\"".to_owned()),
            (Some(calendar), _) => words.push(match calendar.due_on(date, zone) {
                None => format!("its calendar has nothing on {date}"),
                Some(due) if due > now => format!("it is due on {}", due.with_timezone(&zone)),
                Some(due) => format!("it was due on {}", due.with_timezone(&zone)),
            }),
        }
        if let Some(pause) = find_pause(&app, &name).await? {
            words.push(format!("{} stopped it on {}: {}", pause.by, pause.since, pause.reason));
        }
        let job = jobs(&app).await?.into_iter().find(|job| job.name == name && job.day == date);
        words.push(job.as_ref().map_or_else(|| "nobody has begun it".to_owned(), |job| state_of(job, now)));
        let Work::Nights(consumer) = work else {
            let told = json!({ "date": date, "job": job, "words": words });
            return say(place, &told, &format!("{name} of {date}: {}", words.join("; ")));
        };
        let report = app.data.join("reports").join(consumer.as_str()).join(format!("{date}.json"));
        if let Ok(text) = std::fs::read(&report) {
            let report: Json = serde_json::from_slice(&text).unwrap_or_default();
            words.push(report_words(&report));
        }
        let told = json!({ "consumer": consumer, "date": date, "job": job, "words": words });
        say(place, &told, &format!("{consumer}, the night of {date}: {}", words.join("; ")))
    })
    .await
}

fn report_words(report: &Json) -> String {
    let word = |name: &str| report[name].as_str().unwrap_or_default();
    match word("state") {
        "refused" => format!("its report says: refused, for {}", word("message")),
        "failed" => format!("its report says: failed, {}", word("why")),
        state if placements::words(report).is_some() => {
            format!("its report says: {state}, {}", placements::words(report).unwrap_or_default())
        }
        state => format!(
            "its report says: {state}, {} histories, {} documents{}, {} clients wait for a person",
            report["files"]["histories"],
            report["summaries"]["rendered"],
            withheld(report),
            report["waiting_for_a_person"]
        ),
    }
}

/// Documents that a night could not have stamped.
fn withheld(report: &Json) -> String {
    match report["summaries"]["withheld"].as_u64() {
        None | Some(0) => String::new(),
        Some(count) => format!(", {count} more wait for a time stamp"),
    }
}

fn say(place: &Place, told: &Json, words: &str) -> anyhow::Result<Outcome> {
    if place.json {
        console::json(told)?;
    } else {
        console::line(false, words);
    }
    Ok(Outcome::Done)
}
