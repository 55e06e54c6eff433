//! `throughline retention`: what recipients must destroy, what they attest, what is overdue; and what the ledger itself no longer says of persons.

pub mod detail;

use disclosure::{
    PlacementsKept,
    retention::{self, Attestation, Cause, Due},
};
use model::ConsumerId;
use serde_json::json;

use super::{Outcome, own_ask, with_app};
use crate::{
    app::App,
    args::{Place, Retention},
    console,
};

/// Runs a retention command.
pub async fn run(place: &Place, command: Retention) -> anyhow::Result<Outcome> {
    with_app(place, |app| async move {
        match command {
            Retention::Detail { by } => {
                let by = super::identity::steward(&app, by)?;
                detail::run(place, &app, &by).await
            }
            Retention::Due { consumer } => {
                for (due, is_overdue) in list(&app, &consumer).await? {
                    say(place, &consumer, &due, is_overdue)?;
                }
                for of in detail::kept_placements(&app).filter(|of| *of.reporter == consumer) {
                    say_stays(place, &app, of).await?;
                }
                Ok(Outcome::Done)
            }
            Retention::Overdue { consumer } => {
                let receives = |documents: &crate::app::Consumer| documents.roster.is_some();
                let all = || app.consumers.iter().filter(|(_, one)| receives(one)).map(|(id, _)| id.clone()).collect();
                let consumers: Vec<ConsumerId> = consumer.map_or_else(all, |one| vec![one]);
                let mut overdue = 0;
                for consumer in consumers {
                    for (due, _) in list(&app, &consumer).await?.into_iter().filter(|(_, is_overdue)| *is_overdue) {
                        say(place, &consumer, &due, true)?;
                        overdue += 1;
                    }
                }
                console::line(place.json, format!("{overdue} attestations are overdue"));
                Ok(Outcome::of(overdue > 0))
            }
            Retention::Attest { consumer, clients, destroyed_on, method, attested_by, reference, by } => {
                let recorded_by = super::identity::steward(&app, by)?;
                app.roster_layout(&consumer)?;
                let attestation =
                    Attestation { person_keys: clients, destroyed_on, method, attested_by, reference, recorded_by };
                let ask = own_ask(&consumer, "steward", &attestation.recorded_by);
                let entered = retention::attest(app.disclosure(), &ask, &attestation).await?.len();
                app.sequence().await?;
                if place.json {
                    console::json(&json!({ "consumer": consumer, "attested": entered }))?;
                } else {
                    console::line(false, format!("{entered} attestations of {consumer} are entered"));
                }
                Ok(Outcome::Done)
            }
        }
    })
    .await
}

/// What is due of a recipient, and whether each is overdue.
async fn list(app: &App, consumer: &ConsumerId) -> anyhow::Result<Vec<(Due, bool)>> {
    app.roster_layout(consumer)?;
    let ask = own_ask(consumer, "steward", "retention");
    let (due, today) = retention::list_due(app.disclosure(), &ask).await?;
    Ok(due
        .into_iter()
        .map(|one| {
            let is_overdue = one.is_overdue(today);
            (one, is_overdue)
        })
        .collect())
}

/// The stays that an agency reported and whose time is over here: the next `retention detail` destroys them.
async fn say_stays(place: &Place, app: &App, of: PlacementsKept<'_>) -> anyhow::Result<()> {
    let own = own_ask(app.own_consumer()?, "steward", "retention");
    for one in disclosure::list_ended(app.disclosure(), &own, of).await? {
        let (client, since) = (one.person_key.expose(), one.since);
        if place.json {
            console::json(&json!({
                "consumer": of.reporter, "client": client, "cause": "stay_over", "since": since, "destroyed_here": true, "waits": one.waits,
            }))?;
        } else {
            let state = if one.waits { "waits" } else { "due here" };
            let since = since.date_naive();
            console::line(
                false,
                format!("{state}: {}, client {client}: a stay in a facility, over since {since}", of.reporter),
            );
        }
    }
    Ok(())
}

fn say(place: &Place, consumer: &ConsumerId, due: &Due, is_overdue: bool) -> anyhow::Result<()> {
    let cause = match &due.cause {
        Cause::AuthorityEnded => "authority_ended",
        Cause::CalledBack(cause) => cause,
        Cause::Stopped => "stopped",
    };
    if place.json {
        return console::json(&json!({
            "consumer": consumer, "client": due.person_key.expose(), "cause": cause, "since": due.since, "disclosed_at": due.disclosed_at,
            "destroy_by": due.destroy_by, "attest_by": due.attest_by, "overdue": is_overdue,
        }));
    }
    let state = if is_overdue { "OVERDUE" } else { "due" };
    console::line(
        false,
        format!(
            "{state}: {consumer}, client {}: {cause} {}; destroy by {}, attest by {}",
            due.person_key.expose(),
            due.since.date_naive(),
            due.destroy_by,
            due.attest_by
        ),
    );
    Ok(())
}
