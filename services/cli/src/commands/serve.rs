//! `throughline serve`: the API, the sequencer and, where they are wanted, the published log and the portal, until told to stop.

mod portal;

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use anyhow::{Context as _, anyhow};
use feeds::token::TokenSeal;
use model::Clock as _;
use pg::Access;
use tokio::{net::TcpListener, sync::watch, task::JoinHandle};
use tokio_util::sync::CancellationToken;

use super::Outcome;
use crate::{
    app::App,
    args::{Place, Serve},
    certs, console, control,
    system::{SystemClock, SystemEntropy},
    telemetry::{self, Monitor},
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
    super::doctor::before_serving(&app.settings, &app.data);
    let listen = options.listen.unwrap_or(app.settings.server.listen);
    let mut serving = Serving::begin(app, listen, options.tiles.or(app.settings.tiles.listen)).await?;
    let (address, folder) = (serving.address, serving.certificates.clone());
    console::line(as_json, format!("serving gRPC with mutual TLS on {address}; certificates in {}", folder.display()));
    let log = serving.log.as_ref().map(|log| format!("https://{}", log.address));
    if let Some(log) = &log {
        console::line(as_json, format!("serving the log's checkpoint and tiles on {log}"));
    }
    let monitor = serving.add_monitor(app, options.metrics.or(app.settings.telemetry.listen)).await?;
    let monitor = monitor.map(|address| format!("http://{address}"));
    if let Some(url) = &monitor {
        console::line(as_json, format!("serving {url}/metrics, /live and /ready"));
    }
    if let Some(listen) = options.portal.or(app.settings.portal.listen) {
        serving.add_portal(app, listen).await?;
    }
    let portal = serving.portal.as_ref().map(|portal| portal.url.clone());
    if let (Some(url), Some(served)) = (&portal, &serving.portal) {
        console::line(as_json, format!("serving the portal on {}: open {url}", served.address));
    }
    if as_json {
        let is_sealed = !disclosure::seal::list(app.disclosure()).await?.is_empty();
        console::json(&serde_json::json!({
            "serving": address.to_string(), "certificates": folder, "tiles": log, "portal": portal, "metrics": monitor, "sealed": is_sealed,
        }))?;
    } else {
        control::say_seals(app, false).await?;
    }
    let stop = CancellationToken::new();
    tokio::select! {
        () = wait_for_signal() => {}
        () = serving.failed() => {}
        () = super::exchange::run_nights(app, &stop) => {}
    }
    serving.end().await?;
    Ok(Outcome::Done)
}

/// The API and the sequencer at work.
pub struct Serving {
    /// Where it listens.
    pub address: SocketAddr,
    /// Where its certificates and, in the sandbox, the callers' are.
    pub certificates: PathBuf,
    stop: CancellationToken,
    server: JoinHandle<Result<(), api::Error>>,
    sequencer: JoinHandle<()>,
    control: JoinHandle<()>,
    /// Looks after the server that is brought along.
    database: Option<JoinHandle<Result<(), pg::Problem>>>,
    log: Option<ServedLog>,
    portal: Option<portal::ServedPortal>,
    /// Looks at what operators want to know.
    monitor: Option<JoinHandle<()>>,
}

/// The published log, served.
struct ServedLog {
    address: SocketAddr,
    server: JoinHandle<Result<(), api::Error>>,
}

impl Serving {
    /// Listens, on the second address for whoever reads the log; port 0 takes any that is free.
    pub async fn begin(app: &Arc<App>, listen: SocketAddr, log: Option<SocketAddr>) -> anyhow::Result<Self> {
        let certificates = certificates(app)?;
        let (changed, tls) = watch::channel(read_tls(&certificates, None)?);
        let (listener, address) = bind(listen).await?;
        let stop = CancellationToken::new();
        let log = match log {
            Some(listen) => Some(serve_log(app, listen, &certificates, stop.clone()).await?),
            None => None,
        };
        let sequencer = app.sequence_in_background(stop.clone())?;
        let control = crate::app::spawn(settle_until(Arc::clone(app), stop.clone()));
        let database = app.database.cluster().map(|cluster| {
            let looked_after = Arc::clone(cluster).supervise(stop.clone());
            crate::app::spawn(looked_after)
        });
        let (deps, config, until) = (deps(app).await?, app.settings.server.clone(), stop.clone());
        let server = crate::app::spawn(async move { api::serve(deps, &config, tls, listener, until).await });
        let every = Duration::from_millis(app.settings.server.limits.certificates_interval_ms);
        let (folder, until) = (certificates.clone(), stop.clone());
        crate::app::spawn(async move { watch_tls(&folder, &changed, every, until).await });
        Ok(Self { address, certificates, stop, server, sequencer, control, database, log, portal: None, monitor: None })
    }

    /// Serves the portal too.
    async fn add_portal(&mut self, app: &App, listen: SocketAddr) -> anyhow::Result<()> {
        self.portal = Some(portal::serve(app, listen, &self.certificates, self.stop.clone()).await?);
        Ok(())
    }

    /// Looks at what operators want to know, and serves it where that is wanted.
    async fn add_monitor(&mut self, app: &Arc<App>, listen: Option<SocketAddr>) -> anyhow::Result<Option<SocketAddr>> {
        let bound = match listen {
            Some(listen) => Some(bind(listen).await?),
            None => None,
        };
        let (listener, address) = bound.unzip();
        let used = vec![
            ("server", self.certificates.join("server.pem")),
            ("client_authority", self.certificates.join("client-ca.pem")),
        ];
        let (app, stop) = (Arc::clone(app), self.stop.clone());
        self.monitor = Some(crate::app::spawn(async move {
            let serving = async {
                if let Some(listener) = listener {
                    telemetry::serve(Monitor::new(&app), listener, stop.clone()).await;
                }
            };
            tokio::join!(serving, telemetry::watch(&app, &used, &stop));
        }));
        Ok(address)
    }

    /// Waits until the server has stopped by itself, which it does only when it cannot go on.
    async fn failed(&mut self) {
        let has_ended = |this: &Self| {
            this.server.is_finished()
                || this.log.as_ref().is_some_and(|log| log.server.is_finished())
                || this.portal.as_ref().is_some_and(|portal| portal.server.is_finished())
                || this.database.as_ref().is_some_and(JoinHandle::is_finished)
        };
        while !has_ended(self) {
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    /// Finishes what is under way and stops.
    pub async fn end(self) -> anyhow::Result<()> {
        self.stop.cancel();
        self.sequencer.await.map_err(|_| anyhow!("the sequencer stopped"))?;
        self.control.await.map_err(|_| anyhow!("the control journal stopped"))?;
        if let Some(log) = self.log {
            log.server.await.map_err(|_| anyhow!("the server of the log stopped"))??;
        }
        if let Some(monitor) = self.monitor {
            monitor.await.map_err(|_| anyhow!("what operators read was served no more"))?;
        }
        if let Some(portal) = self.portal {
            portal.server.await.map_err(|_| anyhow!("the portal stopped"))??;
        }
        self.server.await.map_err(|_| anyhow!("the server stopped"))??;
        if let Some(database) = self.database {
            database.await.map_err(|_| anyhow!("the database was looked after no more"))??;
        }
        Ok(())
    }
}

/// The list of revoked certificates, which need not be there.
const REVOCATIONS: &str = "client-crl.pem";

/// What TLS needs, from the folder of certificates. A list of revocations that was there is needed from then on: without the file nobody is taken
/// off it.
pub(super) fn read_tls(folder: &Path, before: Option<&api::Tls>) -> anyhow::Result<api::Tls> {
    let read = |name: &str| {
        std::fs::read(folder.join(name))
            .with_context(|| format!("cannot read the certificate file {name} in {}", folder.display()))
    };
    let has_list = folder.join(REVOCATIONS).exists() || before.is_some_and(|tls| tls.revocations.is_some());
    Ok(api::Tls {
        certificates: read("server.pem")?,
        key: read("server.key")?,
        client_authorities: read("client-ca.pem")?,
        revocations: if has_list { Some(read(REVOCATIONS)?) } else { None },
    })
}

/// Looks at the files now and then, and passes on what has changed. What cannot be read changes nothing.
async fn watch_tls(folder: &Path, changed: &watch::Sender<api::Tls>, every: Duration, until: CancellationToken) {
    loop {
        tokio::select! {
            () = until.cancelled() => return,
            () = tokio::time::sleep(every) => {}
        }
        let before = changed.borrow().clone();
        match read_tls(folder, Some(&before)) {
            Ok(tls) => drop(changed.send_if_modified(|now| {
                let is_new = *now != tls;
                *now = tls;
                is_new
            })),
            Err(error) => tracing::error!(error = %format!("{error:#}"), "certificates could not be read again"),
        }
    }
}

/// Between two looks at what ended: so much of it may be lost with the database.
const SETTLE_EVERY: Duration = Duration::from_secs(5);

/// Keeps what ends outside the database too, and once more at the end.
async fn settle_until(app: Arc<App>, stop: CancellationToken) {
    loop {
        let is_last = stop.is_cancelled();
        let settled = match control::settle(&app).await {
            Ok(()) => control::lift(&app).await,
            failed => failed,
        };
        if let Err(error) = settled {
            tracing::error!(
                error = &*error as &dyn std::error::Error,
                "what ended could not be written to the control journal"
            );
        }
        if is_last {
            return;
        }
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep(SETTLE_EVERY) => {}
        }
    }
}

async fn bind(listen: SocketAddr) -> anyhow::Result<(TcpListener, SocketAddr)> {
    let listener = TcpListener::bind(listen)
        .await
        .with_context(|| format!("cannot listen on {listen}: is another instance running?"))?;
    let address = listener.local_addr()?;
    Ok((listener, address))
}

/// Serves the log, under the certificate that the configuration names for it or under the API's.
async fn serve_log(
    app: &App,
    listen: SocketAddr,
    certificates: &Path,
    stop: CancellationToken,
) -> anyhow::Result<ServedLog> {
    let config = app.settings.tiles.clone();
    let folder = config.certificates.as_deref().unwrap_or(certificates);
    let read = |name: &str| {
        std::fs::read(folder.join(name))
            .with_context(|| format!("cannot read the certificate file {name} in {}", folder.display()))
    };
    let (certificate, key) = (read("server.pem")?, read("server.key")?);
    let (listener, address) = bind(listen).await?;
    let pool = app.pool().clone();
    let server =
        crate::app::spawn(async move { api::serve_tiles(pool, &config, (&certificate, &key), listener, stop).await });
    Ok(ServedLog { address, server })
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

async fn deps(app: &App) -> anyhow::Result<api::Deps> {
    let consumers = systems(app)?.into_iter().map(|(id, systems)| {
        let id: model::ConsumerId = id.parse()?;
        let roster = app.consumer(&id)?.roster.clone();
        Ok(api::Consumer { id, systems, roster })
    });
    let tokens = app.keys.secret("tokens", &SystemEntropy)?;
    Ok(api::Deps {
        pool: app.pool().clone(),
        agreements: Arc::clone(&app.agreements),
        clock: app.shared_clock(),
        clock_behind_max: app.clock_behind_max(),
        entropy: Arc::new(SystemEntropy),
        consumers: consumers.collect::<anyhow::Result<_>>()?,
        tokens: TokenSeal::new(tokens),
        requests: disclosure::RequestKey::of(&tokens),
        tombstones: app.tombstones.clone(),
        vouch: app.vouch.clone(),
        renderer: Arc::new(summary::Renderer::new(&app.settings.summary.renderer())?),
        seals: app.summary_seals().await?,
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
