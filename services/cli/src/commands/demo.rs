//! `throughline demo`: the whole exchange on an invented state, night by night.

mod cases;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::Context as _;
use chrono::{NaiveDate, NaiveTime, TimeDelta, TimeZone as _};
use model::ConsumerId;
use serde_json::{Value as Json, json};

use super::{Outcome, exchange, feed, identity, intake, with_app_at};
use crate::{
    app::{App, SANDBOX_TIME, sandbox_time},
    args::{Demo, Place},
    console::{self, Progress},
    generate,
    system::SetClock,
};
use cases::Cases;

/// The state's own zone: a night's run begins there at eight in the evening.
const ZONE: chrono_tz::Tz = chrono_tz::America::New_York;
/// Where certificates are found, below the demo's folder.
const CERTIFICATES: &str = "certs";
/// Where the portal is, once the demo serves.
const PORTAL: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 50_053);
/// More than a stage takes: one that is begun again after a kill is dated behind all that the first attempt dated.
const AGAIN_MINUTES: i64 = 10;

/// Invents a state, loads it, takes rosters night by night, matches, delivers, and serves.
pub async fn run(place: &Place, options: &Demo) -> anyhow::Result<Outcome> {
    let dir = std::path::absolute(&options.dir)?;
    let data = place.data.clone().unwrap_or_else(|| dir.join("data"));
    for folder in [&dir, &data] {
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    }
    let place = Place { data: Some(data.clone()), sandbox: true, ..place.clone() };
    invent(options, &dir)?;
    let nights = nights(&dir)?;
    let time = Time { clock: Arc::default(), file: data.join(SANDBOX_TIME) };
    let first = nights.keys().next().context("the invented state has no roster")?;
    let eve = first.pred_opt().unwrap_or(*first);
    time.begin(eve)?;
    let clock: Arc<SetClock> = Arc::clone(&time.clock);
    let outcome = with_app_at(&place, Some(clock), |app| {
        let dir = dir.clone();
        let as_json = place.json;
        async move {
            let cases = Cases::read(&dir)?;
            load_state(&app, &dir, as_json).await?;
            cases.amend(&app, &dir, eve, as_json).await?;
            play(&app, &dir, (&nights, &cases), &time, as_json).await?;
            show_certificates(&app, &dir)?;
            cases.say(&dir, &nights, as_json)?;
            say_where(&app, &dir, &nights, as_json)?;
            Ok(Outcome::Done)
        }
    })
    .await?;
    if options.exit {
        return Ok(outcome);
    }
    super::serve::run(&place, &crate::args::Serve { listen: None, tiles: None, portal: Some(PORTAL), metrics: None })
        .await
}

/// The time in the invented state. It is kept in the data folder, so that it only moves forward, also over kills.
struct Time {
    clock: Arc<SetClock>,
    file: PathBuf,
}

impl Time {
    /// Begins a stage: at eight in the evening of `day`, or behind what was begun before.
    fn begin(&self, day: NaiveDate) -> anyhow::Result<()> {
        let evening = NaiveTime::from_hms_opt(20, 0, 0).unwrap_or_default();
        let planned = ZONE.from_local_datetime(&day.and_time(evening)).earliest().context("no such evening")?.to_utc();
        let data = self.file.parent().unwrap_or(&self.file);
        let behind = sandbox_time(data)?.map(|last| last + TimeDelta::minutes(AGAIN_MINUTES));
        let at = behind.map_or(planned, |behind| behind.max(planned));
        exchange::write_whole(&self.file, at.to_rfc3339().as_bytes())?;
        self.clock.set(at);
        Ok(())
    }
}

/// Writes the invented state, unless this folder has it already.
fn invent(options: &Demo, dir: &Path) -> anyhow::Result<()> {
    let done = dir.join("generated.json");
    let wanted = json!({ "students": options.students, "seed": options.seed }).to_string();
    match fs::read_to_string(&done) {
        Ok(text) if text == wanted => return Ok(()),
        Ok(_) => anyhow::bail!(
            "{} holds another invented state; name another folder with --dir, or remove this one",
            dir.display()
        ),
        Err(_) => {}
    }
    let progress = Progress::begin("invent a state", options.students);
    let report =
        generate::run(&generate::Options::new(options.students, options.seed, dir.to_owned()), &|_, done, _| {
            progress.at(done);
        })?;
    progress.done(&format!("{} files", report.files.len()));
    fs::write(done, wanted)?;
    Ok(())
}

/// State files, then the court orders that restrict records.
async fn load_state(app: &App, dir: &Path, as_json: bool) -> anyhow::Result<()> {
    let sea: model::Sea = "ct".parse()?;
    let asked = intake::Asked { sea: &sea, layout: None, district: None };
    let totals = intake::load_paths(app, &state_files(&dir.join("state"))?, asked, as_json).await?;
    console::line(
        as_json,
        format!(
            "state loaded: {} files, {} rows, {} quarantined, {} files refused",
            totals.files, totals.rows, totals.quarantined, totals.refused
        ),
    );
    let orders = dir.join("truth/restrictions.ndjson");
    if orders.exists() {
        let (in_force, _) = identity::restrict(app, &orders, &sea).await?;
        console::line(as_json, format!("{in_force} court orders restrict disclosure"));
    }
    Ok(())
}

/// Night by night, each agency's roster and exchange; at the end the SEA's own export. What was done whole is not done again.
async fn play(
    app: &App,
    dir: &Path,
    (nights, cases): (&Nights, &Cases),
    time: &Time,
    as_json: bool,
) -> anyhow::Result<()> {
    let out = |consumer: &ConsumerId| dir.join("out").join(consumer.as_str());
    let mut last: BTreeMap<&ConsumerId, BTreeSet<String>> = BTreeMap::new();
    for (number, (day, rosters)) in nights.iter().enumerate() {
        let open: Vec<_> =
            rosters.iter().filter(|(consumer, _)| !exchange::is_reported(&out(consumer), *day)).collect();
        if !open.is_empty() {
            time.begin(*day)?;
            console::line(as_json, format!("\nnight of {day}"));
            cases.before_night(app, number, as_json).await?;
        }
        for (consumer, file) in open {
            exchange::take_roster(app, consumer, file, Some(*day)).await?;
            let report = exchange::night(app, consumer, Some(*day), &out(consumer)).await?;
            anyhow::ensure!(report["state"] != "refused", "{consumer}: {}", report["message"]);
            let tonight = exchange::clients_of(&out(consumer), *day)?;
            say_night(consumer, &report, last.get(consumer), &tonight, as_json)?;
        }
        for consumer in rosters.keys() {
            last.insert(consumer, exchange::clients_of(&out(consumer), *day)?);
        }
    }
    let own: ConsumerId = "sea".parse()?;
    let target = dir.join("out/sea/ndjson");
    if app.consumers.contains_key(&own) && !target.join("manifest.json").exists() {
        feed::export_own(app, &feed::Export::scheduled(&own, "ndjson", &target)).await?;
    }
    if let Some(day) = nights.keys().last() {
        cases.lapse(app, *day, as_json).await?;
    }
    app.sequence().await
}

fn say_night(
    consumer: &ConsumerId,
    report: &Json,
    before: Option<&BTreeSet<String>>,
    tonight: &BTreeSet<String>,
    as_json: bool,
) -> anyhow::Result<()> {
    if as_json {
        return console::json(report);
    }
    let moved = before.map_or_else(String::new, |before| {
        format!(" ({} new, {} ended)", tonight.difference(before).count(), before.difference(tonight).count())
    });
    console::line(
        false,
        format!(
            "  {consumer}: {} of {} clients matched, {} wait for a person; {} delivered{moved}, {} refused; summaries: {} new or changed, {} unchanged",
            report["matching"]["matched"],
            report["matching"]["clients"],
            report["waiting_for_a_person"],
            report["files"]["histories"],
            report["files"]["refused"],
            report["summaries"]["rendered"],
            report["summaries"]["unchanged"],
        ),
    );
    Ok(())
}

/// The state's files in the order in which a state would send them: organizations and registrations first, then year by year.
fn state_files(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    const FIRST: [&str; 2] = ["ct-organization", "sasid-2.1x"];
    let mut layouts = entries(folder)?;
    layouts.sort_by_key(|path| {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_owned();
        (FIRST.iter().position(|first| *first == name).unwrap_or(FIRST.len()), name)
    });
    Ok(layouts)
}

/// Each night's rosters by consumer.
type Nights = BTreeMap<NaiveDate, BTreeMap<ConsumerId, PathBuf>>;

/// The rosters by the day in their name: `rosters/<consumer>/<day>.csv`.
fn nights(dir: &Path) -> anyhow::Result<Nights> {
    let mut nights = Nights::new();
    for folder in entries(&dir.join("rosters"))? {
        let consumer = folder.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let consumer: ConsumerId =
            consumer.parse().with_context(|| format!("{} belongs to no consumer", folder.display()))?;
        for path in entries(&folder)? {
            let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
            let day = stem.get(stem.len().saturating_sub(10)..).and_then(|text| text.parse::<NaiveDate>().ok());
            if let Some(day) = day {
                nights.entry(day).or_default().insert(consumer.clone(), path);
            }
        }
    }
    Ok(nights)
}

fn entries(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let cannot = || format!("cannot read {}", folder.display());
    let entries = fs::read_dir(folder).with_context(cannot)?;
    entries.map(|entry| entry.map(|e| e.path())).collect::<Result<_, _>>().with_context(cannot)
}

/// Makes the certificates, and a link to them where the demo's folder is looked into first.
fn show_certificates(app: &App, dir: &Path) -> anyhow::Result<()> {
    let folder = super::serve::certificates(app)?;
    let link = dir.join(CERTIFICATES);
    if link.exists() {
        return Ok(());
    }
    // Relative where it can be, so that the whole folder may be moved.
    let target = folder.strip_prefix(dir).unwrap_or(&folder);
    match std::os::unix::fs::symlink(target, &link) {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        made => made.with_context(|| format!("cannot make the link {}", link.display())),
    }
}

fn say_where(app: &App, dir: &Path, nights: &Nights, as_json: bool) -> anyhow::Result<()> {
    let (out, certificates) = (dir.join("out"), dir.join(CERTIFICATES));
    let days: Vec<String> = nights.keys().map(NaiveDate::to_string).collect();
    if as_json {
        return console::json(&json!({
            "state": dir.join("state"), "rosters": dir.join("rosters"), "truth": dir.join("truth"), "out": out, "nights": days,
            "data": app.data, "findings": app.data.join("findings"), "database_log": app.data.join("pg.log"),
            "certificates": certificates, "api": app.settings.server.listen.to_string(),
        }));
    }
    let say = |what: &str, place: String| console::line(false, format!("{what:<15}{place}"));
    console::line(false, "");
    say("state files", dir.join("state").display().to_string());
    say("rosters", dir.join("rosters").display().to_string());
    say("true answers", dir.join("truth").display().to_string());
    say("feeds", format!("{}/<consumer>/<night>/{{ndjson,csv}}", out.display()));
    say("PDFs", format!("{}/<consumer>/<night>/summaries, of what was new or changed that night", out.display()));
    say("nights", days.join(", "));
    say("findings", app.data.join("findings").display().to_string());
    say("logs", format!("standard error (--log info), {} (database)", app.data.join("pg.log").display()));
    say("certificates", certificates.display().to_string());
    say("API", format!("{} (gRPC, mutual TLS)", app.settings.server.listen));
    say(
        "portal",
        format!(
            "https://localhost:{} once it serves; its certificate is by the authority {}",
            PORTAL.port(),
            certificates.join("ca.pem").display()
        ),
    );
    let program = std::env::current_exe().map_or_else(|_| "throughline".into(), |path| quoted(&path));
    let common = format!("{program} --data {}", quoted(&app.data));
    console::line(false, "\ntry, also while it serves:");
    for rest in [
        "ledger verify".to_owned(),
        "agreement matrix --in-force".to_owned(),
        "break-glass list --waiting".to_owned(),
        format!("feed export --consumer dcf --format csv --out {}", quoted(&dir.join("try/dcf"))),
    ] {
        console::line(false, format!("  {common} {rest}"));
    }
    Ok(())
}

/// A path as a shell takes it.
fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let is_plain = text.chars().all(|c| c.is_ascii_alphanumeric() || "/._-+@%:,=".contains(c));
    if is_plain { text } else { format!("'{}'", text.replace('\'', "'\\''")) }
}

#[cfg(test)]
mod tests {
    use model::Clock as _;

    use super::*;

    #[test]
    fn the_time_of_an_invented_state_only_moves_forward() {
        let data = tempfile::tempdir().unwrap();
        let day = |text: &str| text.parse::<NaiveDate>().unwrap();
        let mut told = Vec::new();
        for begun in ["2026-11-17", "2026-11-17", "2026-11-16", "2026-11-18"] {
            let time = Time { clock: Arc::default(), file: data.path().join(SANDBOX_TIME) };
            time.begin(day(begun)).unwrap();
            let kept = sandbox_time(data.path()).unwrap().unwrap();
            assert!((time.clock.now() - kept).num_seconds() < 60, "the clock reads what is kept");
            told.push(kept.to_rfc3339());
        }
        let expected = [
            "2026-11-18T01:00:00+00:00",
            "2026-11-18T01:10:00+00:00",
            "2026-11-18T01:20:00+00:00",
            "2026-11-19T01:00:00+00:00",
        ];
        assert_eq!(told, expected);
    }

    #[test]
    fn a_path_can_be_pasted_into_a_shell() {
        for (path, expected) in
            [("/srv/demo-1", "/srv/demo-1"), ("/srv/a demo", "'/srv/a demo'"), ("/srv/o'brien", "'/srv/o'\\''brien'")]
        {
            assert_eq!(quoted(Path::new(path)), expected);
        }
    }
}
