//! What two stewards approve, from the command line: the request is on file and signed in the sandbox at once, elsewhere by the stewards themselves.

use agreements::{Act, Digest, FiledRequest};
use anyhow::{Context as _, ensure};
use model::ConsumerId;
use pg::Role;
use serde_json::json;

use super::Outcome;
use crate::{app::App, args::Place, console};

/// A request that was put on file.
pub struct Asked<'a> {
    /// The act.
    pub act: Act,
    /// Its digest.
    pub digest: Digest,
    /// Whom it is about.
    pub consumer: &'a ConsumerId,
    /// The same in a sentence.
    pub says: String,
    /// The command that carries it out, but for the digest.
    pub next: &'a str,
}

/// Signs a request with the sandbox's stewards. Says whether there are any; if not, says what comes next.
pub async fn approved(place: &Place, app: &App, asked: &Asked<'_>) -> anyhow::Result<bool> {
    if app.is_sandbox() {
        for approval in &app.sandbox_approvals(asked.act, asked.digest, app.clock().now())? {
            app.approve(asked.consumer, asked.act, asked.digest, approval).await?;
        }
        return Ok(true);
    }
    let (digest, next) = (asked.digest, asked.next);
    if place.json {
        console::json(&json!({ "request": digest.to_string(), "approved": false }))?;
    } else {
        console::line(false, format!("request {digest}: {}", asked.says));
        console::line(
            false,
            format!(
                "  two stewards approve it, each with: throughline approve {digest} --key FILE; then: {next} {digest}"
            ),
        );
    }
    Ok(false)
}

/// Nothing has been done yet but to ask.
pub const WAITS: Outcome = Outcome::Found;

/// The request of this name, which must be for the act.
pub async fn find(app: &App, named: &str, act: Act) -> anyhow::Result<FiledRequest> {
    let agreements = &*app.agreements;
    let filed = pg::run_tx(app.pool(), "cli.find_request", Role::Agreements, |tx| {
        Box::pin(async move { agreements.find_request(tx, named).await })
    })
    .await?
    .with_context(|| format!("there is no request {named}"))?;
    ensure!(filed.asked.act() == act, "the request {named} is for another act");
    Ok(filed)
}
