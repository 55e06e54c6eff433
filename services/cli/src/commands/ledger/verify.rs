//! `ledger verify`: whether anybody changed what is recorded, and where. Whatever is found ends with 3; 1 is for what could not be read.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, anyhow, ensure};
use ledger::{Folder, KeyUse, Report, SignedCheckpoint, VerifierKey, note::NoteError, rotation::follow};
use pg::{Access, Role};
use serde_json::json;

use super::{
    fetch::{Log, is_address},
    witness::verifier_key,
};
use crate::{app::App, args::Place, commands::Outcome, console};

/// Every row of the ledger is read.
const STATEMENT_TIMEOUT: Duration = Duration::from_mins(10);

/// What to verify, and against what.
pub struct Options {
    /// An exported folder, or the address that the log is published at; `None`: the database.
    pub tiles: Option<String>,
    /// The authorities that vouch for the server there.
    pub authorities: Option<PathBuf>,
    /// A checkpoint that was kept.
    pub checkpoint: Option<PathBuf>,
    /// The log's key; without one the data folder's.
    pub log_key: Option<PathBuf>,
    /// Witnesses that must have cosigned what was kept.
    pub witnesses: Vec<PathBuf>,
}

/// Verifies. With files and the log's key nothing else is needed.
pub async fn run(place: &Place, options: Options) -> anyhow::Result<Outcome> {
    if let (Some(tiles), Some(log_key)) = (&options.tiles, &options.log_key) {
        return published(place, tiles, &options, verifier_key(log_key)?).await;
    }
    // Nothing is put into force first: whatever state the database is in, it is looked at.
    let app = App::open_as_it_is(place, Access::Shared, None).await?;
    let outcome = of_app(place, &app, &options).await;
    app.close().await?;
    outcome
}

async fn of_app(place: &Place, app: &App, options: &Options) -> anyhow::Result<Outcome> {
    if let Some(tiles) = &options.tiles {
        return published(place, tiles, options, app.first_log_key()?).await;
    }
    let trusted = trusted(app.log_keys().await?, &options.witnesses)?;
    let kept = match kept(options.checkpoint.as_deref(), &trusted)? {
        Ok(kept) => kept,
        Err(words) => return diverged(place, &words),
    };
    // A tree that does not go on from its last head cannot be continued. Where it was changed is what is asked.
    let continued = app.sequence().await;
    let (trusted, kept) = (&trusted, &kept);
    let verified = pg::transaction("ledger.verify", Role::Ledger)
        .statement_timeout(STATEMENT_TIMEOUT)
        .run(app.pool(), |tx| Box::pin(async move { ledger::verify(tx, trusted, kept).await }))
        .await;
    let mut findings = Vec::new();
    let report = match verified {
        Ok(report) => {
            findings.extend(report.findings.iter().map(ToString::to_string));
            Some(report)
        }
        Err(error) if !is_unavailable(&error) => {
            findings.push(format!("the ledger's tables are not as the program made them: {}", chain(&error)));
            None
        }
        Err(error) => return Err(error.into()),
    };
    findings.extend(beside(app).await?);
    match crate::control::differences(app).await {
        Ok(found) => findings.extend(found),
        Err(error) if is_unavailable(&*error) => return Err(error),
        Err(error) => findings.push(format!("{error:#}")),
    }
    if let Err(error) = continued {
        findings.push(format!("the ledger cannot be continued: {}", chain(&*error)));
    }
    say(place, report.as_ref(), &findings)
}

/// What is published, in a folder or at an address.
async fn published(place: &Place, tiles: &str, options: &Options, known: VerifierKey) -> anyhow::Result<Outcome> {
    let fetched = tempfile::tempdir().context("cannot make a folder for what is fetched")?;
    let mut log = if is_address(tiles) { Some(Log::at(tiles, options.authorities.as_deref())?) } else { None };
    let folder = if log.is_some() { fetched.path() } else { Path::new(tiles) };
    if let Some(log) = &mut log {
        log.fetch_key_changes(folder).await?;
    }
    let keys = match follow(&known, &Folder::new(folder).key_changes()?) {
        Ok(keys) => keys,
        Err(error) => return diverged(place, &format!("a change of the log's key cannot be trusted: {error}")),
    };
    let trusted = trusted(keys, &options.witnesses)?;
    let kept = match kept(options.checkpoint.as_deref(), &trusted)? {
        Ok(kept) => kept,
        Err(words) => return diverged(place, &words),
    };
    if let Some(log) = &mut log {
        log.fetch_all(&trusted, folder).await?;
    }
    say_report(place, &ledger::verify_folder(folder, &trusted, &kept)?)
}

/// What beside the ledger was changed.
async fn beside(app: &App) -> anyhow::Result<Vec<String>> {
    let zones: BTreeMap<_, _> = app
        .consumers
        .iter()
        .filter_map(|(id, documents)| Some((id.clone(), documents.roster.as_ref()?.time_zone)))
        .collect();
    match disclosure::audit(app.disclosure(), &zones).await {
        Ok(found) => Ok(found.iter().map(ToString::to_string).collect()),
        Err(error) if is_unavailable(&error) => Err(error.into()),
        Err(error) => {
            Ok(vec![format!("what lies beside the ledger cannot be read as the program wrote it: {}", chain(&error))])
        }
    }
}

/// Whether time will mend it.
fn is_unavailable(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(one) = next {
        if matches!(one.downcast_ref(), Some(pg::Error::Unavailable(_))) {
            return true;
        }
        next = one.source();
    }
    false
}

/// An error with its causes.
fn chain(error: &dyn std::error::Error) -> String {
    let mut words = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        words.push_str(": ");
        words.push_str(&cause.to_string());
        source = cause.source();
    }
    words
}

/// The log's keys, and those of the witnesses whose cosignatures are demanded.
fn trusted(log: Vec<VerifierKey>, witnesses: &[PathBuf]) -> anyhow::Result<Vec<VerifierKey>> {
    let witnesses = witnesses.iter().map(|path| {
        let key = verifier_key(path)?;
        ensure!(key.used_for() == KeyUse::Witness, "{} is no witness's key", path.display());
        Ok(key)
    });
    log.into_iter().map(Ok).chain(witnesses).collect()
}

/// The checkpoint that was kept, if one was. One that this log's key did not sign is no mistake of the caller: the log is another.
fn kept(path: Option<&Path>, trusted: &[VerifierKey]) -> anyhow::Result<Result<Vec<SignedCheckpoint>, String>> {
    let Some(path) = path else { return Ok(Ok(Vec::new())) };
    let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    match SignedCheckpoint::open(&text, trusted) {
        Ok(open) => {
            let missing = trusted.iter().filter(|key| key.used_for() == KeyUse::Witness);
            let missing: Vec<&str> =
                missing.map(VerifierKey::name).filter(|name| !open.witnesses().iter().any(|by| by == name)).collect();
            if missing.is_empty() {
                return Ok(Ok(vec![open]));
            }
            Ok(Err(format!("the kept checkpoint does not bear the cosignature of {}", missing.join(", "))))
        }
        Err(error @ (NoteError::Unsigned | NoteError::Signature)) => {
            Ok(Err(format!("the log does not extend the kept checkpoint: {error}")))
        }
        Err(error) => Err(anyhow!("the kept checkpoint cannot be used: {error}")),
    }
}

/// Says that the log is not the one whose checkpoint was kept.
pub fn diverged(place: &Place, words: &str) -> anyhow::Result<Outcome> {
    if place.json {
        console::json(&json!({ "findings": [words] }))?;
    } else {
        console::line(false, words);
    }
    Ok(Outcome::Found)
}

fn say_report(place: &Place, report: &Report) -> anyhow::Result<Outcome> {
    let findings: Vec<String> = report.findings.iter().map(ToString::to_string).collect();
    say(place, Some(report), &findings)
}

fn say(place: &Place, report: Option<&Report>, findings: &[String]) -> anyhow::Result<Outcome> {
    let unlisted = report.map_or(0, |report| report.unlisted);
    if place.json {
        console::json(&json!({
            "entries": report.map(|report| report.entries), "root": report.map(|report| report.root.to_string()),
            "heads": report.map(|report| report.heads), "findings": findings, "unlisted": unlisted,
        }))?;
    } else {
        for finding in findings {
            console::line(false, finding);
        }
        if unlisted > 0 {
            console::line(false, format!("and {unlisted} more of the same kinds"));
        }
        let verdict = if findings.is_empty() { "content" } else { "NOT content" };
        let what =
            report.map_or_else(String::new, |report| format!(": {} entries, root {}", report.entries, report.root));
        console::line(false, format!("ledger {verdict}{what}"));
    }
    Ok(Outcome::of(!findings.is_empty()))
}
