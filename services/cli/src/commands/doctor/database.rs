//! What the database says: whether it opens, what is in force in it, whether the ledger keeps up, how long the disk lasts.

use std::path::Path;

use chrono::{DateTime, TimeDelta, Utc};
use pg::{Access, Migrate, Role};

use super::{Report, files::free_bytes};
use crate::{app::App, settings::Settings};

/// The days whose deliveries tell how fast the database grows.
const GROWTH_DAYS: i64 = 30;
/// Days until the disk is full below which it is time to do something.
const DISK_DAYS: u64 = 90;
/// The clock may differ from the database's by so much.
const CLOCK_SECONDS: i64 = 2;

/// Opens the database as it is, and looks.
pub(super) async fn look(settings: &Settings, data: &Path, report: &mut Report) {
    const AREA: &str = "database";
    if settings.database.url.is_none() && !data.join("pg").exists() {
        return report.ok(AREA, "there is none yet; the first command that needs it makes it");
    }
    // Opening would draw one anew.
    if !data.join("keys/tombstones.hex").exists() {
        let what =
            format!("{} has no key of tombstones: the exchange never ran with it, or it was lost", data.display());
        let advice =
            "name the data folder that the exchange uses (--data), or bring its keys back (deploy/runbooks/keys.md)";
        return report.problem(AREA, what, advice);
    }
    let mut settings = settings.clone();
    // Looking changes nothing.
    settings.database.migrate = Migrate::Never;
    let app = match App::assemble(settings, data.to_owned(), Access::Shared, None).await {
        Ok(app) => app,
        Err(error) => return report.problem(AREA, format!("{error:#}"), "see deploy/runbooks"),
    };
    if let Err(error) = look_inside(&app, report).await {
        report.problem(AREA, format!("{error:#}"), "see deploy/runbooks");
    }
    if let Err(error) = app.close().await {
        report.warning(AREA, format!("{error:#}"), "see DATA/pg.log");
    }
}

async fn look_inside(app: &App, report: &mut Report) -> anyhow::Result<()> {
    server(app, report).await?;
    in_force(app, report).await?;
    ledger(app, report).await?;
    seals(app, report).await?;
    Ok(())
}

async fn server(app: &App, report: &mut Report) -> anyhow::Result<()> {
    const AREA: &str = "database";
    let inspection = app.database.inspect().await?;
    report.ok(AREA, format!("PostgreSQL {}, {} MB", inspection.version, inspection.bytes / 1_000_000));
    for setting in &inspection.not_durable {
        report.problem(
            AREA,
            format!("{setting} is off: what was recorded can be lost"),
            "turn it on: no byte may leave that is not recorded",
        );
    }
    if inspection.connections.saturating_mul(10) > inspection.connections_max.saturating_mul(9) {
        let what = format!("{} of {} connections are open", inspection.connections, inspection.connections_max);
        report.warning(AREA, what, "raise max_connections of the server, or lower database.connections_max");
    }
    let offset = app.database.clock_offset(app.clock()).await?;
    if !app.settings.sandbox && offset.abs() > TimeDelta::seconds(CLOCK_SECONDS) {
        let what = format!("the clock is {} s off the database's", offset.num_seconds());
        report.problem("clock", what, "keep both hosts on NTP: who may see what is decided by the clock");
    }
    let received = intake::load::received(app.pool(), app.clock().now() - TimeDelta::days(GROWTH_DAYS)).await?;
    if let (None, Some(free)) = (&app.settings.database.url, free_bytes(&app.data)) {
        forecast(inspection.bytes, received, free, report);
    }
    Ok(())
}

/// How long the disk lasts if files keep coming as they did: the database grows with what is received.
fn forecast(bytes: u64, (all, lately): (u64, u64), free: u64, report: &mut Report) {
    let growth = (u128::from(bytes) * u128::from(lately)).checked_div(u128::from(all)).unwrap_or_default();
    let Some(days) = (u128::from(free) * u128::from(GROWTH_DAYS.unsigned_abs())).checked_div(growth) else { return };
    let days = u64::try_from(days).unwrap_or(u64::MAX);
    if days < DISK_DAYS {
        let what = format!("as files came in the last {GROWTH_DAYS} days, the disk is full in {days} days");
        report.warning("disk", what, "make room or a larger disk before then");
    } else {
        report.ok("disk", format!("as files came in the last {GROWTH_DAYS} days, it lasts for {} months", days / 30));
    }
}

async fn in_force(app: &App, report: &mut Report) -> anyhow::Result<()> {
    const AREA: &str = "agreements";
    let at = app.moment().await?;
    for id in app.consumers.keys() {
        let agreements = &app.agreements;
        let found = pg::run_tx(app.pool(), "doctor.in_force", Role::Agreements, |tx| {
            Box::pin(async move { agreements.load_active(tx, id, at).await })
        })
        .await;
        match found {
            Ok(None) => report.warning(
                AREA,
                format!("none is in force for {id}: nothing is delivered to it"),
                "`throughline agreement activate`, with two stewards",
            ),
            Ok(Some(in_force)) => match agreements::runs(&in_force, at) {
                Ok(()) => report.ok(AREA, format!("version {} is in force for {id}", in_force.terms().version)),
                Err(reason) => report.warning(
                    AREA,
                    format!("{id}: {reason}"),
                    "nothing is delivered to it until a version is in force",
                ),
            },
            Err(error) => report.problem(
                AREA,
                format!("{id}: {error}"),
                "two registered stewards must have signed what is in force (deploy/runbooks/keys.md)",
            ),
        }
    }
    Ok(())
}

async fn ledger(app: &App, report: &mut Report) -> anyhow::Result<()> {
    const AREA: &str = "ledger";
    let clock = app.clock();
    let (health, checkpoint) = pg::run_tx(app.pool(), "doctor.ledger", Role::Ledger, |tx| {
        Box::pin(async move {
            Ok::<_, ledger::Error>((ledger::health(tx, clock).await?, ledger::find_last_checkpoint(tx).await?))
        })
    })
    .await?;
    match checkpoint {
        _ if !health.is_green() => report.problem(
            AREA,
            format!(
                "{} entries wait for their place, the first for {} s",
                health.unsequenced,
                health.lag.num_seconds()
            ),
            "keep `throughline serve` running; a transaction left open anywhere in the server holds entries back",
        ),
        None => report.ok(AREA, "nothing is signed yet"),
        Some(_) => report
            .ok(AREA, "every entry has its place under a signed checkpoint; `throughline ledger verify` looks at each"),
    }
    Ok(())
}

async fn seals(app: &App, report: &mut Report) -> anyhow::Result<()> {
    for seal in disclosure::seal::list(app.disclosure()).await? {
        let what = format!("{} is sealed since the database was set back to {}", seal.consumer, day(seal.since));
        report.problem("seal", what, "`throughline db unseal`, then its next roster (deploy/runbooks/restore.md)");
    }
    Ok(())
}

fn day(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d %H:%M UTC").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_disk_lasts_as_long_as_files_keep_coming_as_they_did() {
        let check = |bytes, received, free, said: Option<&str>| {
            let mut report = Report::default();
            forecast(bytes, received, free, &mut report);
            let what = report.0.first().map(|seen| seen.what.clone()).unwrap_or_default();
            assert!(said.map_or(what.is_empty(), |said| what.contains(said)), "{what}");
        };
        check(0, (0, 0), 1_000, None);
        check(1_000, (500, 0), 1_000, None);
        // It grows by 100 in 30 days.
        check(1_000, (1_000, 100), 200, Some("full in 60 days"));
        check(1_000, (1_000, 100), 1_000, Some("for 10 months"));
        check(u64::MAX, (1, 1), u64::MAX, Some("full in 30 days"));
    }
}
