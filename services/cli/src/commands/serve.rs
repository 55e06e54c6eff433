//! `throughline serve`: the API and the sequencer, until told to stop.

use std::{path::PathBuf, sync::Arc};

use anyhow::{Context as _, anyhow};
use feeds::token::TokenSeal;
use model::Clock as _;
use pg::Access;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::Outcome;
use crate::{
    app::App,
    args::{Place, Serve},
    certs, console,
    system::{SystemClock, SystemEntropy},
};

/// Serves until the first signal: calls under way are finished, then everything stops.
pub async fn run(place: &Place, options: &Serve) -> anyhow::Result<Outcome> {
    let app = Arc::new(App::open(place, Access::Alone).await?);
    let result = serve(&app, options, place.json).await;
    if let Some(app) = Arc::into_inner(app) {
        app.close().await?;
    }
    result
}

async fn serve(app: &Arc<App>, options: &Serve, as_json: bool) -> anyhow::Result<Outcome> {
    let folder = certificates(app)?;
    let read = |name: &str| {
        std::fs::read(folder.join(name))
            .with_context(|| format!("cannot read the certificate file {name} in {}", folder.display()))
    };
    let tls = api::Tls {
        certificates: read("server.pem")?,
        key: read("server.key")?,
        client_authorities: read("client-ca.pem")?,
        revocations: None,
    };
    let address = options.listen.unwrap_or(app.settings.server.listen);
    let listener = TcpListener::bind(address)
        .await
        .with_context(|| format!("cannot listen on {address}: is another instance running?"))?;
    let stop = CancellationToken::new();
    let sequencer = app.sequence_in_background(stop.clone())?;
    let address = listener.local_addr()?;
    console::line(as_json, format!("serving gRPC with mutual TLS on {address}; certificates in {}", folder.display()));
    if as_json {
        console::json(&serde_json::json!({ "serving": address.to_string(), "certificates": folder }))?;
    }
    let until = stop.clone();
    let signals = crate::app::spawn(async move {
        wait_for_signal().await;
        until.cancel();
    });
    let served = api::serve(deps(app)?, &app.settings.server, &tls, listener, stop.clone()).await;
    stop.cancel();
    sequencer.await.map_err(|_| anyhow!("the sequencer stopped"))?;
    signals.abort();
    served?;
    Ok(Outcome::Done)
}

/// Certificates from the configured folder; in the sandbox, made at first need.
pub(super) fn certificates(app: &App) -> anyhow::Result<PathBuf> {
    let folder = app.settings.server.certificates.clone().unwrap_or_else(|| app.data.join("certs"));
    if app.settings.sandbox {
        let names = systems(app)?;
        let bearers: Vec<certs::Bearer<'_>> = names
            .iter()
            .filter_map(|(id, systems)| {
                Some(certs::Bearer { name: id, san: systems.iter().find_map(|s| s.san.as_deref())? })
            })
            .collect();
        // Callers hold certificates against their own clocks, whatever the time in the sandbox.
        certs::prepare(&folder, &bearers, SystemClock.now())?;
    }
    Ok(folder)
}

/// The systems that each consumer's agreement names.
fn systems(app: &App) -> anyhow::Result<Vec<(String, Vec<agreements::System>)>> {
    let of = |(id, documents): (&model::ConsumerId, &crate::app::Consumer)| {
        let terms =
            agreements::parse(&documents.agreement).map_err(|error| anyhow!("the agreement of {id}: {error}"))?;
        Ok((id.to_string(), terms.access.systems))
    };
    app.consumers.iter().map(of).collect()
}

fn deps(app: &App) -> anyhow::Result<api::Deps> {
    let consumers = systems(app)?.into_iter().map(|(id, systems)| {
        let id: model::ConsumerId = id.parse()?;
        let roster = app.consumer(&id)?.roster.clone();
        Ok(api::Consumer { id, systems, roster })
    });
    Ok(api::Deps {
        pool: app.pool().clone(),
        agreements: Arc::clone(&app.agreements),
        clock: app.shared_clock(),
        entropy: Arc::new(SystemEntropy),
        consumers: consumers.collect::<anyhow::Result<_>>()?,
        tokens: TokenSeal::new(app.keys.secret("tokens", &SystemEntropy)?),
    })
}

async fn wait_for_signal() {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut interrupt), Ok(mut terminate)) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}
