//! `ledger rotate-key`: the log's signing key hands over to a new one, and both say so.

use anyhow::{Context as _, ensure};
use disclosure::{Deed, Done};
use ledger::{KeyUse, Signer, rotation::next_key};
use pg::Role;

use crate::{app::App, commands::own_ask, system::SystemEntropy};

/// The key that comes next, until it has taken over.
const NEXT: &str = "ledger-next";

/// Changes the key; gives the new public one. Broken off anywhere, the same again finishes it.
pub async fn run(app: &App, (by, reason): (&str, &str)) -> anyhow::Result<String> {
    ensure!(!reason.trim().is_empty(), "a change of the key states its reason");
    let old = app.signer()?;
    app.keys.signing_key(NEXT, &SystemEntropy)?;
    let new = Signer::from_pem_file(&app.settings.ledger.origin, KeyUse::Log, &app.keys.path(&format!("{NEXT}.pem")))?;
    let changes = pg::run_tx(app.pool(), "ledger.key_changes", Role::Ledger, |tx| {
        Box::pin(async move { ledger::list_key_changes(tx).await })
    })
    .await?;
    let is_announced = match changes.last() {
        Some(change) => next_key(change)? == *new.public(),
        None => false,
    };
    if !is_announced {
        announce(app, (&old, &new), (by, reason)).await?;
    }
    app.keys.remember_first_log_key(old.public())?;
    app.keys.replace("ledger", NEXT).context("the keys could not be exchanged: give the command again")?;
    app.sequence().await?;
    Ok(new.public().to_string())
}

/// The entry that both keys sign, then the note that they sign.
async fn announce(app: &App, (old, new): (&Signer, &Signer), (by, reason): (&str, &str)) -> anyhow::Result<()> {
    app.sequence().await?;
    let own = own_ask(app.own_consumer()?, "steward", by);
    let to = ledger::rotation::statement(old, new);
    let done = Done { why: Some(reason.to_owned()), ..Done::new(Deed::RotateKey, to) };
    pg::run_tx(app.pool(), "ledger.rotate", Role::Agreements, |tx| {
        let (own, done) = (&own, &done);
        Box::pin(async move { disclosure::record_act(tx, app.disclosure(), own, done).await })
    })
    .await?;
    app.sequence().await?;
    let clock = app.clock();
    pg::run_tx(app.pool(), "ledger.change_key", Role::Ledger, |tx| {
        Box::pin(async move { ledger::change_key(tx, (old, new), clock).await })
    })
    .await?;
    Ok(())
}
