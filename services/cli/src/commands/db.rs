//! `throughline db`.

use pg::Role;
use serde_json::json;

use super::{Outcome, with_app};
use crate::{
    args::{Db, Place},
    console,
};

/// Status and migrations. Opening the database has applied what was missing, unless the configuration forbids it.
pub async fn run(place: &Place, command: &Db) -> anyhow::Result<Outcome> {
    let verb = match command {
        Db::Status => "status",
        Db::Migrate => "migrate",
    };
    with_app(place, |app| async move {
        let clock = app.clock();
        let health = pg::run_tx(app.pool(), "db.status", Role::Ledger, |tx| {
            Box::pin(async move { ledger::health(tx, clock).await })
        })
        .await?;
        let report = json!({
            "command": verb, "embedded": app.database.cluster().is_some(), "sandbox": app.settings.sandbox,
            "ledger_unsequenced": health.unsequenced, "ledger_lag_seconds": health.lag.num_seconds(), "healthy": health.is_green(),
        });
        if place.json {
            console::json(&report)?;
        } else {
            console::line(false, format!("database ready ({})", if app.database.cluster().is_some() { "embedded" } else { "given by database.url" }));
            console::line(false, format!("ledger: {} entries wait for their place", health.unsequenced));
        }
        Ok(Outcome::of(!health.is_green()))
    })
    .await
}
