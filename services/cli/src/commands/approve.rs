//! `throughline approve`: a steward's signed yes to what two people must approve.

use agreements::{Act, Approval, Asked, Digest};
use anyhow::{anyhow, bail};
use model::ConsumerId;
use pg::Role;
use serde_json::json;

use super::{Outcome, with_app};
use crate::{
    app::App,
    args::{Approve, Place},
    console,
    keys::private_key,
};

/// What waits for approval.
struct Waiting {
    act: Act,
    digest: Digest,
    consumer: ConsumerId,
    says: String,
    next: String,
}

/// Says what is approved, signs it with the steward's key, and keeps the approval with its entry in the ledger.
pub async fn run(place: &Place, options: Approve) -> anyhow::Result<Outcome> {
    let key = private_key(&options.key)?;
    with_app(place, |app| async move {
        let waiting = find(&app, &options.request).await?;
        let stewards = app.agreements.stewards();
        let Some(steward) = stewards.find_by_key(&key.verifying_key()) else {
            bail!("the key is no registered steward's");
        };
        let at = app.clock().now();
        let approval = Approval::sign(stewards, &steward.id, &key, (waiting.act, waiting.digest), at)?;
        app.approve(&waiting.consumer, waiting.act, waiting.digest, &approval).await?;
        app.sequence().await?;
        if place.json {
            console::json(&json!({
                "act": waiting.act.as_str(), "digest": waiting.digest.to_string(), "consumer": waiting.consumer,
                "says": waiting.says, "approved_by": steward.id,
            }))?;
        } else {
            console::line(false, format!("{} approves: {}", steward.id, waiting.says));
            console::line(false, format!("  with two approvals: {}", waiting.next));
        }
        Ok(Outcome::Done)
    })
    .await
}

async fn find(app: &App, prefix: &str) -> anyhow::Result<Waiting> {
    let agreements = &*app.agreements;
    let (filed, versions) = pg::run_tx(app.pool(), "cli.waiting", Role::Agreements, |tx| {
        Box::pin(async move {
            Ok::<_, agreements::Error>((
                agreements.find_request(tx, prefix).await?,
                agreements.list_versions(tx).await?,
            ))
        })
    })
    .await?;
    if let Some(filed) = filed {
        if filed.used_at.is_some() {
            bail!("the request has been used");
        }
        let next = match filed.asked {
            Asked::Export(_) => format!("throughline feed export ... --request {}", filed.digest),
            Asked::Erase(_) => format!("throughline erase run {}", filed.digest),
            Asked::Open(ref open) if open.paper.reason == agreements::REPORTED => {
                "it is on file from the next roster that reports it; to load the last one again is enough".to_owned()
            }
            Asked::Open(_) => format!("throughline break-glass open {}", filed.digest),
            Asked::Join(_) => format!("throughline identity carry-out {}", filed.digest),
            Asked::Certify(_) => format!("throughline agreement certify --request {}", filed.digest),
            Asked::Unseal(_) => format!("throughline db unseal --request {}", filed.digest),
        };
        return Ok(Waiting {
            act: filed.asked.act(),
            digest: filed.digest,
            consumer: filed.asked.consumer().clone(),
            says: filed.asked.describe(),
            next,
        });
    }
    let version = versions
        .into_iter()
        .find(|version| version.digest.to_string().starts_with(&prefix.to_ascii_lowercase()))
        .ok_or_else(|| anyhow!("nothing that waits for approval is called {prefix}"))?;
    Ok(Waiting {
        act: Act::Activate,
        digest: version.digest,
        consumer: version.consumer,
        says: format!("{} version {} comes into force", version.agreement_id, version.version),
        next: "throughline agreement activate DOCUMENT".to_owned(),
    })
}
