//! `throughline ledger`.

use std::fs;

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

/// Verifies, exports and lists.
pub async fn run(place: &Place, command: Ledger) -> anyhow::Result<Outcome> {
    with_app(place, |app| async move {
        let trusted = [app.signer()?.public().clone()];
        match command {
            Ledger::Verify { tiles, checkpoint } => {
                let kept = match checkpoint {
                    Some(path) => vec![open_checkpoint(
                        &fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?,
                        &trusted,
                    )?],
                    None => Vec::new(),
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
                pg::run_tx(app.pool(), "ledger.export", Role::Ledger, |tx| {
                    Box::pin(async move { ledger::export(tx, out_dir, trusted, Details::Omit).await })
                })
                .await?;
                console::line(place.json, format!("exported to {}; keep its checkpoint", out.display()));
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

fn open_checkpoint(text: &str, trusted: &[VerifierKey]) -> anyhow::Result<SignedCheckpoint> {
    SignedCheckpoint::open(text, trusted).map_err(|error| anyhow!("the kept checkpoint cannot be used: {error}"))
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
