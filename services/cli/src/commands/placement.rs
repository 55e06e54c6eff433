//! `throughline placement`: what an agency reports of stays in facilities, and what the home districts' re-entry coordinators are told of them.

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, ensure};
use chrono::{NaiveDate, SecondsFormat};
use disclosure::{Ask, DisclosedNotice, Loop, PlacementNotice, Reporter, RunTotals, Unshown};
use identity::placement::PlacementReceipt;
use intake::placement::{IncomingPlacements, take};
use model::{ConsumerId, Masked};
use serde_json::json;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::{
    Outcome,
    erase::{is_searched, note_delivery},
    exchange::scheduled_ask,
    own_ask, with_app,
};
use crate::{
    app::App,
    args::{NoticeFormat, Place, Placement, UnshownFormat},
    console,
    keys::write_new,
};

/// The columns of a file of notices.
const COLUMNS: [&str; 10] = [
    "notice_id",
    "state_id",
    "event",
    "event_date",
    "facility_code",
    "facility_name",
    "educating_unit",
    "notice_time",
    "retracted_notice_id",
    "notice",
];

/// Runs a command about placements.
pub async fn run(place: &Place, command: Placement) -> anyhow::Result<Outcome> {
    with_app(place, |app| async move {
        match command {
            Placement::Load { file, consumer, date } => load(place, &app, &consumer, &file, date).await,
            Placement::Notify { consumer, district, format, out } => {
                notify(place, &app, &consumer, district.as_deref(), format, &out).await
            }
            Placement::Unshown { consumer, days, format, out, by } => {
                let by = super::identity::steward(&app, by)?;
                let format = if place.json { UnshownFormat::Ndjson } else { format };
                unshown(&app, &consumer, (days, &by), format, out.as_deref()).await
            }
        }
    })
    .await
}

/// Takes a report; says what was done with each row.
async fn load(
    place: &Place,
    app: &App,
    consumer: &ConsumerId,
    file: &Path,
    date: Option<NaiveDate>,
) -> anyhow::Result<Outcome> {
    let zone = app.placement_layout(consumer)?.time_zone;
    let reported_on = date.unwrap_or_else(|| app.clock().now().with_timezone(&zone).date_naive());
    let receipt = take_report(app, consumer, file, Some(reported_on)).await?;
    let name = name_of(file);
    let is_refused = receipt.refused_reason.is_some() || receipt.refused > 0;
    if place.json {
        let mut said = serde_json::to_value(&receipt)?;
        said["file"] = json!(name);
        said["consumer"] = json!(consumer);
        said["date"] = json!(reported_on);
        console::json(&said)?;
        return Ok(Outcome::of(is_refused));
    }
    let r = &receipt;
    let counts = format!(
        "{} rows in, {} new, {} corrected, {} withdrawn, {} unchanged, {} refused",
        r.rows_in, r.new, r.corrected, r.withdrawn, r.unchanged, r.refused
    );
    let seen = if r.seen_before { ", seen before" } else { "" };
    console::line(false, format!("placements {name}: {counts}{seen}"));
    if let Some(reason) = &r.refused_reason {
        console::line(false, format!("  refused as a whole: {reason}"));
    }
    for finding in &r.findings {
        let field = finding.field.as_deref().unwrap_or("row");
        console::line(
            false,
            format!("  {} line {}, {field}, {}: {}", finding.file, finding.line, finding.rule, finding.message),
        );
    }
    Ok(Outcome::of(is_refused))
}

fn name_of(file: &Path) -> String {
    file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

/// Takes a report of a day, today's unless it is said; gives its receipt.
pub async fn take_report(
    app: &App,
    consumer: &ConsumerId,
    file: &Path,
    date: Option<NaiveDate>,
) -> anyhow::Result<PlacementReceipt> {
    let layout = app.placement_layout(consumer)?;
    let at = app.clock().now();
    let today = at.with_timezone(&layout.time_zone).date_naive();
    let reported_on = date.unwrap_or(today);
    ensure!(reported_on <= today, "a report speaks of no day to come: {reported_on}");
    let bytes = fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
    let name = name_of(file);
    let incoming = IncomingPlacements { reporter: consumer, file_name: &name, bytes: &bytes, reported_on, at };
    Ok(take(app.pool(), &app.tombstones, app.entropy(), layout, incoming).await?)
}

/// What districts were told.
#[derive(Debug, Default)]
pub struct Told {
    /// Under which runs.
    pub run: Vec<Uuid>,
    /// Notices.
    pub notices: u64,
    /// By district.
    pub districts: BTreeMap<String, usize>,
    /// Stays of students without a clear home: nobody is told of them.
    pub without_home: u64,
}

impl Told {
    /// Adds what another run told.
    pub fn add(&mut self, other: Self) {
        self.run.extend(other.run);
        self.notices += other.notices;
        self.without_home += other.without_home;
        for (office, count) in other.districts {
            *self.districts.entry(office).or_default() += count;
        }
    }
}

/// Tells coordinators what they have not been told yet. A file is written under a temporary name, then renamed; only then does its content count as delivered.
async fn notify(
    place: &Place,
    app: &App,
    consumer: &ConsumerId,
    district: Option<&str>,
    format: NoticeFormat,
    out: &Path,
) -> anyhow::Result<Outcome> {
    let recipient = &app.placement_layout(consumer)?.notifies;
    let lease = app.lease_deliveries(recipient).await?;
    let Told { run, notices, districts: told, without_home } = tell(app, consumer, district, format, out).await?;
    lease.give_back().await?;
    if place.json {
        console::json(&json!({
            "run": run.first(), "consumer": recipient, "notices": notices, "districts": told, "without_home": without_home,
        }))?;
    } else {
        console::line(false, format!("{notices} notices to {} districts", told.len()));
        for (office, count) in &told {
            console::line(false, format!("  {office}: {count}"));
        }
        if without_home > 0 {
            let what =
                "stays of students whom no district, or more than one, reports as enrolled: nobody is told of them";
            console::line(false, format!("{without_home} {what}"));
        }
    }
    Ok(Outcome::of(without_home > 0))
}

/// The same for whoever holds the lease of the recipient's deliveries.
pub async fn tell(
    app: &App,
    consumer: &ConsumerId,
    district: Option<&str>,
    format: NoticeFormat,
    out: &Path,
) -> anyhow::Result<Told> {
    let layout = app.placement_layout(consumer)?;
    let recipient = &layout.notifies;
    ensure!(app.consumer(recipient)?.is_told_of_placements, "the agreement of {recipient} is not about placements");
    let mut run = [0; 16];
    app.entropy().fill(&mut run);
    let run = uuid::Builder::from_random_bytes(run).into_uuid();
    let ask = Ask { run: Some(run), office: district, ..scheduled_ask(recipient) };
    let reporter = Reporter { consumer, sea: &layout.sea, zone: layout.time_zone };
    let encode = |notice: &PlacementNotice| encoded(notice, format);
    let (mut told, mut totals, mut sum) = (BTreeMap::<String, usize>::new(), RunTotals::default(), Sha256::new());
    let without_home = loop {
        let notices = disclosure::disclose_notices(app.disclosure(), &ask, reporter, &encode).await?;
        let ids: Vec<Uuid> = notices.disclosed.iter().map(|one| one.notice.id()).collect();
        for one in &notices.disclosed {
            sum.update(&one.bytes);
            totals.histories += 1;
            *told.entry(one.notice.office().to_owned()).or_default() += 1;
        }
        if !ids.is_empty() {
            note_delivery(&app.data, out)?;
        }
        for (office, of_office) in by_office(&notices.disclosed) {
            write(out, &office, run, format, &of_office)?;
        }
        disclosure::confirm_notices(app.disclosure(), &ask, &ids).await?;
        if !notices.is_cut || ids.is_empty() {
            break notices.without_home;
        }
    };
    if totals.histories > 0 {
        totals.digest = sum.finalize().into();
        disclosure::complete_run(app.disclosure(), &ask, totals).await?;
    }
    app.sequence().await?;
    Ok(Told { run: vec![run], notices: totals.histories, districts: told, without_home })
}

/// The columns of the report of what only one side knows.
const UNSHOWN_COLUMNS: [&str; 7] = ["gap", "district", "state_id", "facility_code", "facility_name", "since", "days"];

/// Writes what only one side knows. The asking is entered before anything is shown.
async fn unshown(
    app: &App,
    consumer: &ConsumerId,
    (days, by): (u32, &str),
    format: UnshownFormat,
    out: Option<&Path>,
) -> anyhow::Result<Outcome> {
    if let Some(path) = out {
        ensure!(
            is_searched(path),
            "an erasure has to find whom the file names: its name ends in .csv, .ndjson, .txt or nothing"
        );
        ensure!(!path.exists(), "{} is there already", path.display());
    }
    let own = own_ask(app.own_consumer()?, "steward", by);
    let found = find_unshown(app, consumer, days, &own).await?;
    app.sequence().await?;
    let text = unshown_text(&found, format);
    match out {
        Some(path) => {
            note_delivery(&app.data, path)?;
            write_new(path, &text)?;
        }
        None => console::text(&String::from_utf8_lossy(&text))?,
    }
    Ok(Outcome::of(!found.is_empty()))
}

/// What only one side knows, for whoever of the SEA's own asks. The asking is entered first.
pub async fn find_unshown(
    app: &App,
    consumer: &ConsumerId,
    days: u32,
    own: &Ask<'_>,
) -> Result<Vec<Unshown>, disclosure::Error> {
    let layout =
        app.placement_layout(consumer).map_err(|_| disclosure::Error::Invalid("no placements are reported"))?;
    let facilities: Vec<String> = layout.facilities.values().cloned().collect();
    let reporter = Reporter { consumer, sea: &layout.sea, zone: layout.time_zone };
    let of = Loop { reporter, recipient: &layout.notifies, facilities: &facilities, days };
    disclosure::list_unshown(app.disclosure(), own, of).await
}

/// The same as it is written.
pub fn unshown_text(found: &[Unshown], format: UnshownFormat) -> Vec<u8> {
    let mut text = match format {
        UnshownFormat::Csv => line(&UNSHOWN_COLUMNS.map(str::to_owned)),
        UnshownFormat::Text | UnshownFormat::Ndjson => Vec::new(),
    };
    for one in found {
        text.extend(unshown_line(one, format));
    }
    if format == UnshownFormat::Text {
        text.extend(format!("{} placements are known to one side only\n", found.len()).into_bytes());
    }
    text
}

fn unshown_line(one: &Unshown, format: UnshownFormat) -> Vec<u8> {
    let (gap, state_id) = (one.gap.as_str(), one.state_id.expose());
    let name = one.facility_name.as_deref().unwrap_or_default();
    match format {
        UnshownFormat::Csv => line(&[
            gap.to_owned(),
            one.district.clone(),
            state_id.clone(),
            one.facility.clone(),
            name.to_owned(),
            one.since.to_string(),
            one.days.to_string(),
        ]),
        UnshownFormat::Ndjson => {
            let json = json!({
                "gap": gap, "district": one.district, "state_id": state_id, "facility_code": one.facility,
                "facility_name": one.facility_name, "since": one.since, "days": one.days,
            });
            format!("{json}\n").into_bytes()
        }
        UnshownFormat::Text => {
            let what = match one.gap {
                disclosure::Gap::NotShown => "was told of a placement and does not show it",
                disclosure::Gap::NotReported => "shows a placement that nobody reported",
            };
            let (district, code, since, days) = (&one.district, &one.facility, one.since, one.days);
            format!(
                "district {district} {what}: student {state_id}, facility {code} {name}, since {since}, {days} days\n"
            )
            .into_bytes()
        }
    }
}

fn by_office(notices: &[DisclosedNotice]) -> BTreeMap<String, Vec<&DisclosedNotice>> {
    let mut offices: BTreeMap<String, Vec<&DisclosedNotice>> = BTreeMap::new();
    for one in notices {
        offices.entry(one.notice.office().to_owned()).or_default().push(one);
    }
    offices
}

/// Writes a district's notices, whole or not at all. A run of many notices writes several files.
fn write(
    out: &Path,
    office: &str,
    run: Uuid,
    format: NoticeFormat,
    notices: &[&DisclosedNotice],
) -> anyhow::Result<()> {
    let is_name = !office.is_empty() && office.bytes().all(|byte| byte.is_ascii_alphanumeric());
    ensure!(is_name, "a district's code is no name of a folder");
    let folder = out.join(office);
    let cannot = || format!("cannot write to {}", folder.display());
    fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder).with_context(cannot)?;
    let name = |number: u32| folder.join(format!("notices-{run}-{number:03}.{}", format.extension()));
    let path: PathBuf = (1..=u32::MAX).map(name).find(|path| !path.exists()).with_context(cannot)?;
    let mut bytes = Vec::new();
    if format == NoticeFormat::Csv {
        bytes.extend(line(&COLUMNS.map(str::to_owned)));
    }
    for one in notices {
        bytes.extend_from_slice(&one.bytes);
    }
    write_new(&path, &bytes)
}

/// A notice as the bytes that leave.
fn encoded(notice: &PlacementNotice, format: NoticeFormat) -> Vec<u8> {
    let time = notice.made_at().to_rfc3339_opts(SecondsFormat::Secs, true);
    let (code, name) = notice.facility().unzip();
    match format {
        NoticeFormat::Csv => {
            let text = |value: Option<&str>| value.unwrap_or_default().to_owned();
            line(&[
                notice.id().to_string(),
                notice.state_id().map(|id| id.expose().clone()).unwrap_or_default(),
                notice.event().to_string(),
                notice.event_date().map(|day| day.to_string()).unwrap_or_default(),
                text(code),
                text(name.flatten()),
                text(notice.educating_unit()),
                time,
                notice.retracts().map(|id| id.to_string()).unwrap_or_default(),
                notice.notice().to_owned(),
            ])
        }
        NoticeFormat::Ndjson => {
            let json = json!({
                "notice_id": notice.id(), "state_id": notice.state_id().map(Masked::expose), "event": notice.event().as_str(),
                "event_date": notice.event_date(), "facility_code": code, "facility_name": name.flatten(),
                "educating_unit": notice.educating_unit(), "notice_time": time, "retracted_notice_id": notice.retracts(),
                "notice": notice.notice(),
            });
            format!("{json}\n").into_bytes()
        }
    }
}

/// A line of CSV.
fn line<const N: usize>(fields: &[String; N]) -> Vec<u8> {
    let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
    // Cannot fail: it is written to memory.
    let _written = writer.write_record(fields);
    writer.into_inner().unwrap_or_default()
}
