//! `throughline ledger`.

mod disclosures;
mod witness;

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, anyhow, bail, ensure};
use ledger::{Audience, Details, KeyUse, Report, SignedCheckpoint, VerifierKey, note::NoteError};
use model::StudentId;
use pg::Role;
use serde_json::json;

use self::witness::verifier_key;
use super::{Outcome, with_app};
use crate::{
    args::{Ledger, Place},
    console,
};

/// Verifies, exports and lists. With `--tiles` and `--log-key` nothing but the files is needed.
pub async fn run(place: &Place, command: Ledger) -> anyhow::Result<Outcome> {
    if let Ledger::Witness(options) = &command {
        return witness::run(place, options);
    }
    if let Ledger::Verify { tiles: Some(folder), checkpoint, log_key: Some(log_key), witnesses } = &command {
        let trusted = trusted(verifier_key(log_key)?, witnesses)?;
        let kept = match kept(checkpoint.as_deref(), &trusted)? {
            Ok(kept) => kept,
            Err(words) => return diverged(place, &words),
        };
        return say(place, &ledger::verify_folder(folder, &trusted, &kept)?);
    }
    with_app(place, |app| async move {
        let trusted = [app.signer()?.public().clone()];
        match command {
            Ledger::Witness(_) => bail!("a witness needs no database"),
            Ledger::Verify { tiles, checkpoint, witnesses, .. } => {
                let [log] = trusted;
                let trusted = self::trusted(log, &witnesses)?;
                let kept = match kept(checkpoint.as_deref(), &trusted)? {
                    Ok(kept) => kept,
                    Err(words) => return diverged(place, &words),
                };
                let report = if let Some(folder) = tiles {
                    ledger::verify_folder(&folder, &trusted, &kept)?
                } else {
                    app.sequence().await?;
                    let (trusted, kept) = (&trusted, &kept);
                    pg::run_tx(app.pool(), "ledger.verify", Role::Ledger, |tx| {
                        Box::pin(async move { ledger::verify(tx, trusted, kept).await })
                    })
                    .await?
                };
                say(place, &report)
            }
            Ledger::Export { out } => {
                app.sequence().await?;
                let (trusted, out_dir) = (&trusted, &out);
                let exported = pg::run_tx(app.pool(), "ledger.export", Role::Ledger, |tx| {
                    Box::pin(async move { ledger::export(tx, out_dir, trusted, Details::Omit).await })
                })
                .await;
                if let Err(error @ ledger::Error::Diverged(_)) = exported {
                    return diverged(place, &format!("{error}; {} stays as it was", out.display()));
                }
                exported?;
                let [key] = &trusted;
                fs::write(out.join("log-key.txt"), format!("{key}\n"))?;
                console::line(
                    place.json,
                    format!("exported to {}; keep its checkpoint and log-key.txt elsewhere", out.display()),
                );
                Ok(Outcome::Done)
            }
            Ledger::Disclosures { student, format, audience, out, release, key, holds, by } => {
                let audience: Audience = audience
                    .parse()
                    .map_err(|_| anyhow!("an audience is parent, eligible_student, district or auditor"))?;
                let copy = disclosures::Copy {
                    student: StudentId(student),
                    audience,
                    format,
                    out,
                    release: release.then_some(disclosures::Release { key, holds }),
                    by,
                };
                disclosures::run(&app, copy).await
            }
        }
    })
    .await
}

/// The log's key, and those of the witnesses whose cosignatures are demanded.
fn trusted(log: VerifierKey, witnesses: &[PathBuf]) -> anyhow::Result<Vec<VerifierKey>> {
    let witnesses = witnesses.iter().map(|path| {
        let key = verifier_key(path)?;
        ensure!(key.used_for() == KeyUse::Witness, "{} is no witness's key", path.display());
        Ok(key)
    });
    std::iter::once(Ok(log)).chain(witnesses).collect()
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
fn diverged(place: &Place, words: &str) -> anyhow::Result<Outcome> {
    if place.json {
        console::json(&json!({ "findings": [words] }))?;
    } else {
        console::line(false, words);
    }
    Ok(Outcome::Found)
}

fn say(place: &Place, report: &Report) -> anyhow::Result<Outcome> {
    let findings: Vec<String> = report.findings.iter().map(ToString::to_string).collect();
    if place.json {
        console::json(
            &json!({ "entries": report.entries, "root": report.root.to_string(), "heads": report.heads, "findings": findings }),
        )?;
    } else {
        for finding in &findings {
            console::line(false, finding);
        }
        let verdict = if report.is_content() { "content" } else { "NOT content" };
        console::line(false, format!("ledger {verdict}: {} entries, root {}", report.entries, report.root));
    }
    Ok(Outcome::of(!report.is_content()))
}
