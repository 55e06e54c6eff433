//! Decisions about clients whose terms are loaded: how many a core makes a second, beside looking the same clients up in a map and reading the moment at
//! which their authority ends.

use std::{collections::HashMap, hint::black_box, time::Instant};

use agreements::{Actor, Authority, Delivery, ElementSet, Interval, LegalBasis, Phase, Request, Subject, decide};
use anyhow::{Context as _, ensure};
use chrono::{DateTime, Days, Utc};
use pg::{Access, Role};

use super::{Figure, median, process::cpu_ms};
use crate::{
    app::App,
    args::{Bench, Place},
};

/// Clients, one in eight of whom has an authority that ended.
const CLIENTS: usize = 8_192;
/// Decisions in a round.
const DECISIONS: usize = 4_000_000;
/// What a decision is held against.
const LOOKED_UP: &str =
    "the same clients looked up in a map by the agency's id, and the end of their authority compared";

/// Decides about invented clients of one agency, under its shipped agreement.
pub async fn run(place: &Place, options: &Bench) -> anyhow::Result<Vec<Figure>> {
    let folder = tempfile::tempdir().context("no temporary folder")?;
    let place = Place { config: None, data: Some(folder.path().join("data")), sandbox: true, json: place.json };
    let app = App::open(&place, Access::Alone).await?;
    let measured = measure(&app, options).await;
    app.close().await?;
    measured
}

async fn measure(app: &App, options: &Bench) -> anyhow::Result<Vec<Figure>> {
    let at = app.moment().await?;
    let agreements = &*app.agreements;
    let consumer = &options.consumer;
    let in_force = pg::run_tx(app.pool(), "bench.agreement", Role::Agreements, |tx| {
        Box::pin(async move { agreements.load_active(tx, consumer, at).await })
    })
    .await?
    .with_context(|| format!("{consumer} has no agreement in force"))?;
    let terms = in_force.terms();
    let basis = terms.bases.first().context("the agreement names no basis")?.law;
    let clients: Vec<(String, [Authority; 1])> = (0..CLIENTS).map(|number| client(number, basis, at)).collect();
    let request = Request {
        consumer,
        actor: Actor::ScheduledRun,
        purpose: terms.purposes.first().map_or("", |purpose| purpose.id.as_str()),
        delivery: Delivery::File,
        office: None,
        elements: ElementSet::all(),
    };
    let majority_at = at.checked_add_days(Days::new(1_000));
    let ends: HashMap<&str, Option<DateTime<Utc>>> =
        clients.iter().map(|(key, [authority])| (key.as_str(), authority.released.to)).collect();
    let (mut decided, mut looked_up) = (Vec::new(), Vec::new());
    // By processor time as well: on a machine that does other work the clock counts that too.
    let (mut decided_cpu, mut looked_up_cpu) = (Vec::new(), Vec::new());
    for _ in 0..options.rounds {
        let (mut granted, mut open) = (0_usize, 0_usize);
        let (started, cpu) = (Instant::now(), cpu_ms());
        for (_, authorities) in clients.iter().cycle().take(DECISIONS) {
            let subject = Subject { authorities, instruments: &[], majority_at };
            granted += usize::from(decide(black_box(&request), black_box(&subject), &in_force, at).is_ok());
        }
        decided.push(DECISIONS as f64 / started.elapsed().as_secs_f64());
        decided_cpu.push(DECISIONS as f64 * 1e3 / (cpu_ms() - cpu));
        let (started, cpu) = (Instant::now(), cpu_ms());
        for (key, _) in clients.iter().cycle().take(DECISIONS) {
            let end = ends.get(black_box(key.as_str()));
            open += usize::from(end.is_some_and(|end| end.is_none_or(|end| at < end)));
        }
        looked_up.push(DECISIONS as f64 / started.elapsed().as_secs_f64());
        looked_up_cpu.push(DECISIONS as f64 * 1e3 / (cpu_ms() - cpu));
        ensure!(granted == open && granted > 0, "{granted} of {DECISIONS} were granted, and {open} have an authority");
    }
    let rate = (median(decided), "decisions/s");
    let rate_cpu = (median(decided_cpu), "per CPU s");
    Ok(vec![
        Figure::rate("decide: warm terms, one core", rate, LOOKED_UP, median(looked_up)),
        Figure::rate("decide: warm terms, by processor time", rate_cpu, LOOKED_UP, median(looked_up_cpu)),
    ])
}

fn client(number: usize, basis: LegalBasis, at: DateTime<Utc>) -> (String, [Authority; 1]) {
    let days = |count: u64| at.checked_sub_days(Days::new(count)).unwrap_or(at);
    let ended = number.is_multiple_of(8);
    let authority = Authority {
        legal_basis: Some(basis),
        phase: Some(Phase::PreAdjudication),
        office: Some(format!("O{}", number % 14)),
        officer: Some(format!("W{}", number % 300)),
        released: Interval { from: days(400), to: ended.then(|| days(1)) },
    };
    (format!("{}", 1_000_000 + number), [authority])
}
