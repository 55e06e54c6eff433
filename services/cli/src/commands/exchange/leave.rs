//! How a night leaves: in one file, if the consumer's document says so, and to the place that it names; with nobody in it over whom authority has ended.

use std::{
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use agreements::{Actor, Delivery};
use anyhow::Context as _;
use chrono::NaiveDate;
use disclosure::{Ask, Asker, Repeat};
use feeds::{Load, MayLeave, Night, Plan, bundle, sink::Problem};
use model::{ConsumerId, StudentId};
use serde_json::{Value as Json, json};
use tokio::time::Instant;

use super::{INDEX, NEW_OR_CHANGED, PART};
use crate::{app::App, commands::erase::note_delivery, console::Progress};

/// The folder of a night's bundle.
pub const BUNDLE: &str = "bundle";
/// The folder of its documents.
pub const SUMMARIES: &str = "summaries";
/// So long an answer that all clients are still the recipient's is good for: what was queued when authority ended may still arrive.
const STILL: Duration = Duration::from_secs(10);

/// What a night made, before it leaves.
pub struct Staged<'a> {
    /// The recipient.
    pub consumer: &'a ConsumerId,
    /// Its document.
    pub plan: &'a Plan,
    /// The night.
    pub date: NaiveDate,
    /// Its folder.
    pub folder: &'a Path,
    /// Everybody it tells of.
    pub clients: &'a [(String, StudentId)],
    /// The index of its documents: client, file, state, since.
    pub index: &'a [[String; 4]],
}

/// How it left.
pub struct Left {
    /// The bundle, if there is one.
    pub bundle: Option<bundle::Written>,
    /// Where it was taken, if it was.
    pub carried: Option<Json>,
}

/// What a night that leaves is asked for as.
pub fn ask(consumer: &ConsumerId) -> Ask<'_> {
    Ask {
        consumer,
        actor: Actor::ScheduledRun,
        purpose: None,
        delivery: Delivery::File,
        office: None,
        as_of: None,
        asker: Asker { system: Some("scheduled delivery".to_owned()), ..Asker::default() },
        run: None,
        repeat: Repeat::Always,
        request: None,
    }
}

/// Lets a night leave: writes its bundle, takes it to its target. `None`: somebody in it is the recipient's no longer; nothing of it stands, and
/// it is to be made again.
pub async fn leave(app: &App, staged: &Staged<'_>) -> anyhow::Result<Option<Left>> {
    let ask = ask(staged.consumer);
    let asked = Mutex::new(None::<Instant>);
    let (ask, asked) = (&ask, &asked);
    let may_leave: Box<MayLeave<'_>> = Box::new(move || {
        Box::pin(async move {
            let last = *asked.lock().unwrap_or_else(PoisonError::into_inner);
            if last.is_some_and(|at| at.elapsed() < STILL) {
                return Ok(true);
            }
            let still = disclosure::may_still_leave(app.disclosure(), ask, staged.clients).await;
            if still.as_ref().is_ok_and(|still| *still) {
                *asked.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
            }
            still.map_err(Problem::from)
        })
    });
    let created_at = app.clock().now().to_rfc3339();
    let bundle = match &staged.plan.bundle {
        None => None,
        Some(name) => {
            let folder = staged.folder.join(BUNDLE);
            note_delivery(&app.data, &folder)?;
            let unconfirmed = write_bundle(staged, name, &created_at, &folder)?;
            if !may_leave().await.map_err(anyhow::Error::from_boxed)? {
                unconfirmed.discard()?;
                return Ok(None);
            }
            Some(unconfirmed.confirm()?)
        }
    };
    let Some(target) = staged.plan.target().map_err(|mistakes| anyhow::anyhow!(mistakes.join("; ")))? else {
        // Files that lie where the recipient takes them: what stands there was permitted when it was recorded.
        return Ok(Some(Left { bundle, carried: None }));
    };
    let files = loads(staged, bundle.as_ref())?;
    let night = Night { consumer: staged.consumer.to_string(), date: staged.date.to_string(), created_at, files };
    let progress = Progress::begin(&format!("{} files to {}", night.files.len(), target.describe()), 0);
    let mut sink =
        target.open().map_err(anyhow::Error::from_boxed).context("the target of deliveries cannot be used")?;
    match feeds::carry(staged.plan, &mut *sink, &night, staged.folder, &*may_leave).await {
        Err(feeds::Error::Withheld) => Ok(None),
        Err(error) => Err(error).with_context(|| format!("the night was not delivered to {}", target.describe())),
        Ok(manifest) => {
            let bytes: u64 = manifest.files.iter().map(|file| file.bytes).sum();
            progress.done(&format!("{} files delivered and read back", manifest.files.len()));
            let carried = json!({
                "to": target.describe(), "files": manifest.files.len(), "bytes": bytes,
                "encrypted": !manifest.encrypted_to.is_empty(),
            });
            Ok(Some(Left { bundle, carried: Some(carried) }))
        }
    }
}

fn write_bundle(
    staged: &Staged<'_>,
    name: &str,
    created_at: &str,
    folder: &Path,
) -> anyhow::Result<bundle::Unconfirmed> {
    let summaries = staged.folder.join(SUMMARIES);
    let document = |[person, file, state, since]: &[String; 4]| {
        let disclosure = file.strip_suffix(".pdf").unwrap_or(file).to_owned();
        let path = (state == NEW_OR_CHANGED).then(|| summaries.join(file));
        let person = model::Masked::new(person.clone());
        bundle::Document { person, path, disclosure, state: state.clone(), since: since.clone() }
    };
    let documents: Vec<bundle::Document> = staged.index.iter().map(document).collect();
    let date = staged.date.to_string();
    let contents = bundle::Contents {
        consumer: staged.consumer.as_str(),
        date: &date,
        created_at,
        data: staged.plan.formats.iter().map(|format| (format.as_str(), staged.folder.join(format))).collect(),
        documents: &documents,
    };
    Ok(bundle::write(folder, name, &contents)?)
}

/// What is taken to the target: the bundle, or else data and documents as they lie.
fn loads(staged: &Staged<'_>, bundle: Option<&bundle::Written>) -> anyhow::Result<Vec<Load>> {
    if let Some(bundle) = bundle {
        return Ok(vec![Load { path: staged.folder.join(BUNDLE).join(&bundle.file), name: bundle.file.clone() }]);
    }
    let mut loads = Vec::new();
    for folder in staged.plan.formats.iter().map(String::as_str).chain([SUMMARIES]) {
        let mut paths: Vec<PathBuf> = std::fs::read_dir(staged.folder.join(folder))?
            .map(|entry| entry.map(|entry| entry.path()))
            .collect::<Result<_, _>>()?;
        paths.sort();
        // What tells that the others are there comes behind them.
        paths.sort_by_key(|path| path.ends_with(feeds::MANIFEST) || path.ends_with(INDEX));
        for path in paths {
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_owned();
            if path.extension().is_none_or(|extension| extension != PART) {
                loads.push(Load { name: format!("{folder}/{name}"), path });
            }
        }
    }
    Ok(loads)
}
