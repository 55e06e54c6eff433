//! The portal beside the API: wired, and given somebody to sign in as where everything is invented.

use std::{fs, net::SocketAddr, path::Path, sync::Arc};

use anyhow::{Context as _, anyhow};
use chrono::TimeDelta;
use model::{ConsumerId, Masked};
use pg::Role;
use portal::{Consumer, Deps, Listening, Persona, Placing, Sandbox, SignIn};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::{app::App, system::SystemEntropy};

/// Roles that the sandbox's people have, by party: as the shipped agreements name them, and a lawyer, whom the SEA's gives no record.
const PERSONAS: [(&str, &str, &str, &str); 8] = [
    ("cssd", "probation_officer", "Olivia Officer", "probation officer of CSSD, with a caseload"),
    ("cssd", "probation_supervisor", "Sam Supervisor", "supervisor of a CSSD office"),
    ("dcf", "caseworker", "Wanda Worker", "worker of one DCF office"),
    ("education_unit", "education_liaison", "Edith Liaison", "DCF's education unit: students with a release"),
    (
        "reentry",
        "reentry_coordinator",
        "Rhea Coordinator",
        "re-entry coordinator of one district, told of its placed students",
    ),
    ("sea", "steward", "Stella Steward", "data steward of the state education agency"),
    ("sea", "auditor", "Audrey Auditor", "auditor of the state education agency"),
    ("sea", "lawyer", "Leonora Lawyer", "lawyer of the state education agency: reads agreements, and no record"),
];
/// The district of a coordinator, who is on no roster: Hartford.
const DISTRICT: &str = "064";
/// How long ago they were trained.
const TRAINED_DAYS_AGO: i64 = 100;

/// The portal, served.
pub(super) struct ServedPortal {
    pub(super) address: SocketAddr,
    /// Where a browser finds it.
    pub(super) url: String,
    pub(super) server: JoinHandle<Result<(), portal::Error>>,
}

/// Serves the portal, under the certificate that the configuration names for it or under the API's.
pub(super) async fn serve(
    app: &App,
    listen: SocketAddr,
    certificates: &Path,
    stop: CancellationToken,
) -> anyhow::Result<ServedPortal> {
    let mut config = app.settings.portal.clone();
    config.listen = Some(listen);
    let wrong = config.mistakes(app.settings.sandbox);
    if !wrong.is_empty() {
        return Err(anyhow!("the portal cannot be served: {}", wrong.join("; ")));
    }
    let tls = if config.behind_proxy {
        None
    } else {
        let folder = config.certificates.as_deref().unwrap_or(certificates);
        Some((read(&folder.join("server.pem"))?, read(&folder.join("server.key"))?))
    };
    let deps = deps(app, &config).await?;
    let (listener, address) = super::bind(listen).await?;
    let url = config.public_url.clone().unwrap_or_else(|| format!("https://localhost:{}", address.port()));
    let server = crate::app::spawn(async move { portal::serve(deps, config, Listening { listener, tls }, stop).await });
    Ok(ServedPortal { address, url, server })
}

fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("cannot read {}", path.display()))
}

async fn deps(app: &App, config: &portal::Config) -> anyhow::Result<Deps> {
    let named = |(id, documents): (&ConsumerId, &crate::app::Consumer)| {
        let terms =
            agreements::parse(&documents.agreement).map_err(|error| anyhow!("the agreement of {id}: {error}"))?;
        Ok(Consumer {
            id: id.clone(),
            name: terms.recipient().to_owned(),
            zone: terms.zone(),
            has_roster: documents.roster.is_some(),
            is_own: terms.population.rule == agreements::PopulationRule::EveryStudent,
            told_by: told_by(app, id),
        })
    };
    Ok(Deps {
        pool: app.pool().clone(),
        agreements: Arc::clone(&app.agreements),
        clock: app.shared_clock(),
        clock_behind_max: app.clock_behind_max(),
        entropy: Arc::new(SystemEntropy),
        consumers: app.consumers.iter().map(named).collect::<anyhow::Result<_>>()?,
        renderer: Arc::new(summary::Renderer::new(&app.settings.summary.renderer())?),
        seals: app.summary_seals().await?,
        vouch: app.vouch.clone(),
        log_keys: app.log_keys().await?,
        reports: Some(app.data.join("reports")),
        secret: app.keys.secret("portal", &SystemEntropy)?,
        sign_in: sign_in(app, config).await?,
    })
}

/// Whose reports of placements a party is told of.
fn told_by(app: &App, recipient: &ConsumerId) -> Vec<Placing> {
    let reporting = app.consumers.iter().filter_map(|(id, documents)| Some((id, documents.placements.as_ref()?)));
    let told = reporting.filter(|(_, layout)| layout.notifies == *recipient);
    told.map(|(id, layout)| Placing { consumer: id.clone(), sea: layout.sea.clone(), zone: layout.time_zone }).collect()
}

/// The issuer of the configuration; in the sandbox, and nowhere else, its own.
async fn sign_in(app: &App, config: &portal::Config) -> anyhow::Result<SignIn> {
    if app.settings.sandbox {
        let sandbox = Sandbox::new(personas(app).await?, app.shared_clock(), Arc::new(SystemEntropy))?;
        return Ok(SignIn::Sandbox(Arc::new(sandbox)));
    }
    let issuer = config.issuer.as_ref().context("portal.issuer is needed")?;
    let secret = issuer.client_secret_file.as_deref().map(fs::read_to_string).transpose();
    let secret = secret.context("the portal's secret at its issuer cannot be read")?;
    Ok(SignIn::Issuer {
        client_secret: secret.map(|text| Masked::new(text.trim().to_owned())),
        authorities: issuer.authorities_file.as_deref().map(read).transpose()?,
    })
}

/// Invented people, in the offices that have the most clients.
async fn personas(app: &App) -> anyhow::Result<Vec<Persona>> {
    let at = app.clock().now();
    let trained_on = (at - TimeDelta::days(TRAINED_DAYS_AGO)).date_naive().to_string();
    let mut personas = Vec::new();
    for (who, role, name, about) in PERSONAS {
        let consumer: ConsumerId = who.parse()?;
        if app.consumer(&consumer).is_err() {
            continue;
        }
        let responsible = pg::run_tx(app.pool(), "portal.personas", Role::Identity, |tx| {
            let consumer = &consumer;
            Box::pin(async move {
                Ok::<_, disclosure::Error>(identity::roster::list_responsible(tx, consumer, at, 1).await?)
            })
        })
        .await?;
        let (office, officer) = match role {
            "reentry_coordinator" => (Some(DISTRICT.to_owned()), None),
            // The agency's, for all its clients.
            "education_liaison" => (None, None),
            _ => responsible.into_iter().next().unwrap_or_default(),
        };
        let place = office.as_ref().map_or_else(String::new, |office| format!(" ({office})"));
        personas.push(Persona {
            id: name.to_lowercase().replace(' ', "."),
            name: name.to_owned(),
            about: [about, &place].concat(),
            consumer: who.to_owned(),
            role: Some(role.to_owned()),
            office,
            officer: officer.filter(|_| role == "probation_officer"),
            trained_on: Some(trained_on.clone()),
        });
    }
    Ok(personas)
}
