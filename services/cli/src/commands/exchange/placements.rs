//! The night of whoever is told of placements: reports that wait are taken, districts are told, and what one side alone knows is written for the SEA.
//!
//! Each step finds by itself what is left to do: a report taken twice changes nothing, and what has not arrived is told again.

use std::{
    fs,
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, ensure};
use chrono::{Days, NaiveDate};
use chrono_tz::Tz;
use model::ConsumerId;
use serde_json::{Value as Json, json};

use super::{Kept, feed, leave};
use crate::{
    app::App,
    args::{NoticeFormat, UnshownFormat},
    commands::{
        erase::note_delivery,
        placement::{self, Told},
    },
    console, private,
};

/// For how many days either side has time, as `placement unshown` has it.
const UNSHOWN_DAYS: u32 = 14;
/// Where reports go of which rows were refused, for a person to look at.
const REFUSED: &str = "refused";
/// Where a report lies while it is taken: one that is written anew under its name meanwhile is another, and waits. What a killed night left here is taken first.
const TAKING: &str = ".taking";

/// Whether a consumer has no clients of its own, and is told of placements that others report.
pub fn is_told(app: &App, consumer: &ConsumerId) -> anyhow::Result<bool> {
    let documents = app.consumer(consumer)?;
    Ok(documents.roster.is_none() && documents.is_told_of_placements)
}

/// Whose reports a recipient is told of.
fn reporters(app: &App, recipient: &ConsumerId) -> Vec<ConsumerId> {
    let tells =
        |documents: &crate::app::Consumer| documents.placements.as_ref().is_some_and(|one| one.notifies == *recipient);
    app.consumers.iter().filter(|(_, documents)| tells(documents)).map(|(id, _)| id.clone()).collect()
}

/// The zone of a consumer's nights: its roster's; of one who is told of placements, that of the agency that reports them.
pub fn zone(app: &App, consumer: &ConsumerId) -> anyhow::Result<Tz> {
    match reporters(app, consumer).first() {
        Some(reporter) if is_told(app, consumer)? => Ok(app.placement_layout(reporter)?.time_zone),
        _ => Ok(app.roster_layout(consumer)?.time_zone),
    }
}

/// Where an agency's reports of placements wait: `in/<agency>/placements` beside the data folder, CSV files whose names begin with the day they speak of.
pub fn waits_in(app: &App, reporter: &ConsumerId) -> PathBuf {
    app.data.with_file_name("in").join(reporter.as_str()).join("placements")
}

/// The reports that wait, in the order of their days.
pub fn waiting(app: &App, recipient: &ConsumerId) -> anyhow::Result<Vec<(ConsumerId, NaiveDate, PathBuf)>> {
    let mut found = Vec::new();
    for reporter in reporters(app, recipient) {
        let folder = waits_in(app, &reporter);
        for folder in [folder.join(TAKING), folder] {
            found.extend(reports_in(&folder)?.into_iter().map(|(day, path)| (reporter.clone(), day, path)));
        }
    }
    let is_begun = |path: &Path| path.parent().is_some_and(|folder| folder.ends_with(TAKING));
    found.sort_by(|a, b| (a.1, !is_begun(&a.2), &a.2).cmp(&(b.1, !is_begun(&b.2), &b.2)));
    Ok(found)
}

/// The reports in a folder, with their days.
fn reports_in(folder: &Path) -> anyhow::Result<Vec<(NaiveDate, PathBuf)>> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error).with_context(|| format!("cannot read {}", folder.display())),
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.to_str().unwrap_or_default();
        let day = name.get(..10).and_then(|day| day.parse::<NaiveDate>().ok());
        // One that is still being written has another name; a link could lead anywhere.
        let is_table = entry.path().extension().is_some_and(|extension| extension == "csv");
        if let (Some(day), true, true) = (day, is_table, entry.file_type()?.is_file()) {
            found.push((day, entry.path()));
        }
    }
    Ok(found)
}

/// Takes what waits. A report of which every row was taken goes, as its bytes are not kept; any other is laid aside.
async fn take_waiting(app: &App, recipient: &ConsumerId) -> anyhow::Result<Vec<Json>> {
    let mut taken = Vec::new();
    for (reporter, day, path) in waiting(app, recipient)? {
        let zone = app.placement_layout(&reporter)?.time_zone;
        if day > app.clock().now().with_timezone(&zone).date_naive() {
            // It waits for its day.
            continue;
        }
        let folder = waits_in(app, &reporter);
        let path = begin(app, &folder, path)?;
        let receipt = placement::take_report(app, &reporter, &path, Some(day)).await?;
        let is_whole = receipt.refused == 0 && receipt.refused_reason.is_none();
        if is_whole {
            fs::remove_file(&path).with_context(|| format!("cannot remove {}", path.display()))?;
        } else {
            lay_aside(app, &folder, &path)?;
        }
        // It stays while something lies in it.
        let _ = fs::remove_dir(folder.join(TAKING));
        let mut said = serde_json::to_value(&receipt)?;
        said["consumer"] = json!(reporter);
        said["file"] = json!(path.file_name().map(|name| name.to_string_lossy()));
        said["date"] = json!(day);
        taken.push(said);
    }
    Ok(taken)
}

/// Makes a folder for reports in which an erasure looks, too.
fn make_folder(app: &App, folder: &Path) -> anyhow::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true).mode(0o700);
    builder.create(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    note_delivery(&app.data, folder)
}

/// Takes a report out of the way of whoever writes the next one; where it lies then.
fn begin(app: &App, folder: &Path, path: PathBuf) -> anyhow::Result<PathBuf> {
    let taking = folder.join(TAKING);
    if path.starts_with(&taking) {
        return Ok(path);
    }
    let cannot = || format!("cannot begin to take {}", path.display());
    make_folder(app, &taking)?;
    let target = taking.join(path.file_name().with_context(cannot)?);
    fs::rename(&path, &target).with_context(cannot)?;
    Ok(target)
}

fn lay_aside(app: &App, folder: &Path, path: &Path) -> anyhow::Result<()> {
    let folder = folder.join(REFUSED);
    let cannot = || format!("cannot lay {} aside", path.display());
    make_folder(app, &folder)?;
    let name = path.file_name().with_context(cannot)?.to_string_lossy().into_owned();
    // The first free name: what was laid aside before stays.
    let number = |number: u32| folder.join(if number == 0 { name.clone() } else { format!("{number}-{name}") });
    let target = (0..=u32::MAX).map(number).find(|target| !target.exists()).with_context(cannot)?;
    fs::rename(path, target).with_context(cannot)
}

/// Runs such a night: what waits is taken, who is due is told, and what one side alone knows is written beside the report, which is kept in the data folder.
pub async fn night(app: &App, recipient: &ConsumerId, date: Option<NaiveDate>, out: &Path) -> anyhow::Result<Json> {
    let now = app.clock().now().with_timezone(&zone(app, recipient)?).date_naive();
    let today = date.unwrap_or(now);
    ensure!(today <= now + Days::new(1), "{today} lies in the future: a night is run on its day, or after it");
    let lease = app.lease_deliveries(recipient).await?;
    let kept = Kept::open(app, recipient, today)?;
    let made = make(app, recipient, today, out).await;
    let at = app.clock().now();
    let report = match &made {
        Ok(Made { refused: Some(reason), taken, .. }) => json!({
            "consumer": recipient, "date": today, "state": "refused", "refused_because": reason.code(), "message": reason.words(), "at": at,
            "placements": { "reports": taken },
        }),
        Ok(made) => {
            let was = kept.before.as_ref().is_some_and(|before| before["state"] == "delivered");
            let state = match (was, made.told.notices) {
                (false, _) => "delivered",
                (true, 0) => "already_delivered",
                (true, _) => "more_delivered",
            };
            let Told { run, notices, districts, without_home } = &made.told;
            json!({
                "consumer": recipient, "date": today, "state": state, "at": at,
                "placements": {
                    "reports": made.taken, "run": run, "notices": notices, "districts": districts, "without_home": without_home,
                    "unshown": made.unshown,
                },
            })
        }
        Err(error) => {
            json!({ "consumer": recipient, "date": today, "state": "failed", "at": at, "why": format!("{error:#}") })
        }
    };
    kept.add(&report)?;
    lease.give_back().await?;
    made.map(|_| report)
}

/// What a night came to.
#[derive(Default)]
struct Made {
    refused: Option<agreements::Reason>,
    taken: Vec<Json>,
    told: Told,
    unshown: Vec<Json>,
}

async fn make(app: &App, recipient: &ConsumerId, today: NaiveDate, out: &Path) -> anyhow::Result<Made> {
    let mut made = Made { taken: take_waiting(app, recipient).await?, ..Made::default() };
    made.refused = feed::refusal(app, recipient, None, None).await?;
    if made.refused.is_some() {
        return Ok(made);
    }
    let folder = out.join(today.to_string());
    for reporter in reporters(app, recipient) {
        let told = placement::tell(app, &reporter, None, NoticeFormat::Csv, &folder).await?;
        made.told.add(told);
        made.unshown.push(unshown(app, (recipient, &reporter), today).await?);
    }
    Ok(made)
}

/// Writes what one side alone knows beside the night's report: for the SEA, and never into a folder of deliveries.
async fn unshown(
    app: &App,
    (recipient, reporter): (&ConsumerId, &ConsumerId),
    today: NaiveDate,
) -> anyhow::Result<Json> {
    let folder = private::groups(&app.data, "reports")?.join(recipient.as_str());
    note_delivery(&app.data, &folder)?;
    let own = leave::ask(app.own_consumer()?);
    let found = match placement::find_unshown(app, reporter, UNSHOWN_DAYS, &own).await {
        Ok(found) => found,
        Err(disclosure::Error::Denied(reason)) => {
            return Ok(json!({ "reporter": reporter, "refused": reason.words() }));
        }
        Err(error) => return Err(error.into()),
    };
    app.sequence().await?;
    let name = format!("{today}.unshown-{reporter}.csv");
    super::write_whole(&folder.join(&name), &placement::unshown_text(&found, UnshownFormat::Csv))?;
    let count = |gap| found.iter().filter(|one| one.gap == gap).count();
    let (not_shown, not_reported) = (count(disclosure::Gap::NotShown), count(disclosure::Gap::NotReported));
    Ok(json!({ "reporter": reporter, "not_shown": not_shown, "not_reported": not_reported, "file": name }))
}

/// What was refused of the reports of such a night: rows, and files as a whole, be there rows in them or not.
fn refused(told: &Json) -> (u64, usize) {
    let reports = || told["reports"].as_array().into_iter().flatten();
    let rows = reports().filter_map(|one| one["refused"].as_u64()).sum();
    (rows, reports().filter(|one| one["refused_reason"].is_string()).count())
}

/// Whether something of such a night needs a person.
pub fn needs_a_person(report: &Json) -> bool {
    let told = &report["placements"];
    told["without_home"].as_u64().unwrap_or(0) > 0 || refused(told) != (0, 0)
}

/// Such a night in words; `None`: it is another kind of night.
pub fn words(report: &Json) -> Option<String> {
    let told = report.get("placements")?;
    let reports = told["reports"].as_array().map_or(0, Vec::len);
    let (rows, files) = refused(told);
    let files = if files == 0 { String::new() } else { format!(" and {files} files refused as a whole") };
    let districts = told["districts"].as_object().map_or(0, serde_json::Map::len);
    let (notices, without_home) = (&told["notices"], &told["without_home"]);
    Some(format!(
        "{reports} reports of placements taken, {rows} of their rows refused{files}; {notices} notices to {districts} districts; {without_home} stays without a clear home"
    ))
}

/// The same for whoever ran it.
pub fn say(consumer: &ConsumerId, report: &Json) {
    let Some(words) = words(report) else { return };
    console::line(false, format!("{consumer}: {words}"));
    for (office, count) in report["placements"]["districts"].as_object().into_iter().flatten() {
        console::line(false, format!("  {office}: {count}"));
    }
    for one in report["placements"]["unshown"].as_array().into_iter().flatten() {
        if let Some(file) = one["file"].as_str() {
            let (shown, reported) = (&one["not_shown"], &one["not_reported"]);
            console::line(
                false,
                format!("  {shown} placements not shown, {reported} not reported: {file}, beside the night's report"),
            );
        }
    }
}
