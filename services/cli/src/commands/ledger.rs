//! `throughline ledger`.

use std::{fs, path::Path};

use anyhow::{Context as _, anyhow};
use ledger::{Audience, Details, Report, SignedCheckpoint, VerifierKey, to_csv, to_json};
use model::StudentId;
use pg::Role;
use serde_json::json;

use super::{Outcome, with_app};
use crate::{
    args::{Ledger, Place},
    console,
};

/// Verifies, exports and lists. With `--tiles` and `--log-key` nothing but the files is needed.
pub async fn run(place: &Place, command: Ledger) -> anyhow::Result<Outcome> {
    if let Ledger::Verify { tiles: Some(folder), checkpoint, log_key: Some(log_key) } = &command {
        let text = fs::read_to_string(log_key).with_context(|| format!("cannot read {}", log_key.display()))?;
        let key: VerifierKey =
            text.trim().parse().map_err(|error| anyhow!("{} is no verifier key: {error}", log_key.display()))?;
        let trusted = [key];
        let kept = kept(checkpoint.as_deref(), &trusted)?;
        return say(place, &ledger::verify_folder(folder, &trusted, &kept)?);
    }
    with_app(place, |app| async move {
        let trusted = [app.signer()?.public().clone()];
        match command {
            Ledger::Verify { tiles, checkpoint, .. } => {
                let kept = kept(checkpoint.as_deref(), &trusted)?;
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
                pg::run_tx(app.pool(), "ledger.export", Role::Ledger, |tx| {
                    Box::pin(async move { ledger::export(tx, out_dir, trusted, Details::Omit).await })
                })
                .await?;
                let [key] = &trusted;
                fs::write(out.join("log-key.txt"), format!("{key}\n"))?;
                console::line(
                    place.json,
                    format!("exported to {}; keep its checkpoint and log-key.txt elsewhere", out.display()),
                );
                Ok(Outcome::Done)
            }
            Ledger::Disclosures { student, format, audience } => {
                let audience: Audience = audience
                    .parse()
                    .map_err(|_| anyhow!("an audience is parent, eligible_student, district or auditor"))?;
                app.sequence().await?;
                let rows = pg::run_tx(app.pool(), "ledger.disclosures", Role::Ledger, |tx| {
                    Box::pin(async move {
                        ledger::disclosures_of(tx, StudentId(student), audience, None, ledger::PAGE_ENTRIES_MAX).await
                    })
                })
                .await?;
                match format.as_str() {
                    "csv" => console::text(&to_csv(&rows))?,
                    "json" => console::text(&to_json(&rows)?)?,
                    other => {
                        return Err(anyhow!(
                            "there is no format {other:?} for a record of disclosures; there are: csv, json"
                        ));
                    }
                }
                Ok(Outcome::Done)
            }
        }
    })
    .await
}

/// The checkpoint that was kept, if one was.
fn kept(path: Option<&Path>, trusted: &[VerifierKey]) -> anyhow::Result<Vec<SignedCheckpoint>> {
    let Some(path) = path else { return Ok(Vec::new()) };
    let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let open = SignedCheckpoint::open(&text, trusted);
    Ok(vec![open.map_err(|error| anyhow!("the kept checkpoint cannot be used: {error}"))?])
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
