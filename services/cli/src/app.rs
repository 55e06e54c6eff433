//! What a command is given: an open database, the agreements, keys, clock and chance.

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use ::intake::TombstoneKey;
use agreements::{
    Act, Agreements, Approval, Digest, Interval, NewCertification, NewInstrument, ReleaseKey, Steward, Stewards,
};
use anyhow::{Context as _, anyhow, bail, ensure};
use chrono::{DateTime, TimeDelta, Utc};
use ed25519_dalek::SigningKey;
use identity::{
    placement::PlacementLayout,
    roster::RosterLayout,
    vouch::{VouchKey, Which},
};
use ledger::{KeyUse, Signer, VerifierKey};
use model::{Clock, ConsumerId, Entropy};
use pg::{Access, Database, Role, crash::CrashPoint};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::{
    args::Place,
    keys::{Keys, write_new},
    settings::{SANDBOX, Settings},
    system::{SetClock, SystemClock, SystemEntropy, data_folder, environment},
};

/// A consumer's documents.
#[derive(Clone, Debug)]
pub struct Consumer {
    /// Its agreement, as text.
    pub agreement: String,
    /// Its roster layout; the SEA has none, nor has whoever is told of placements alone.
    pub roster: Option<RosterLayout>,
    /// What its nights bring, and where they go.
    pub delivery: feeds::Plan,
    /// How it reports placements, if it does.
    pub placements: Option<PlacementLayout>,
    /// Its agreement is about notices of placements, which others report.
    pub is_told_of_placements: bool,
    /// It is the SEA itself: its agreement is about every student. One that cannot be read is nobody's own.
    pub is_own: bool,
}

macro_rules! document {
    ($id:literal, $name:literal) => {
        include_str!(concat!("../../../deploy/consumers/", $id, "/", $name))
    };
}

/// The documents of a consumer, as they are read.
#[derive(Clone, Copy, Default)]
struct Documents<'a> {
    id: &'a str,
    agreement: &'a str,
    roster: Option<&'a str>,
    delivery: Option<&'a str>,
    placements: Option<&'a str>,
}

/// The shipped consumers.
const SHIPPED: &[Documents<'static>] = &[
    Documents {
        id: "cssd",
        agreement: document!("cssd", "agreement.toml"),
        roster: Some(document!("cssd", "roster.toml")),
        delivery: Some(document!("cssd", "delivery.toml")),
        placements: Some(document!("cssd", "placements.toml")),
    },
    Documents {
        id: "dcf",
        agreement: document!("dcf", "agreement.toml"),
        roster: Some(document!("dcf", "roster.toml")),
        delivery: Some(document!("dcf", "delivery.toml")),
        placements: None,
    },
    Documents {
        id: "education_unit",
        agreement: document!("education_unit", "agreement.toml"),
        roster: Some(document!("education_unit", "roster.toml")),
        delivery: Some(document!("education_unit", "delivery.toml")),
        placements: None,
    },
    Documents {
        id: "reentry",
        agreement: document!("reentry", "agreement.toml"),
        roster: None,
        delivery: None,
        placements: None,
    },
    Documents {
        id: "sea",
        agreement: document!("sea", "agreement.toml"),
        roster: None,
        delivery: None,
        placements: None,
    },
];

/// The secret by which releases are vouched for.
const VOUCH_RELEASES: &str = "releases";
/// The secret by which matches are vouched for.
const VOUCH: &str = "matches";

/// The two stewards of the sandbox.
const SANDBOX_STEWARDS: [&str; 2] = ["sandbox_steward_1", "sandbox_steward_2"];

/// Everything a command needs.
pub struct App {
    /// The configuration.
    pub settings: Settings,
    /// The data folder.
    pub data: PathBuf,
    /// Keys.
    pub keys: Keys,
    /// The database.
    pub database: Database,
    /// The agreements.
    pub agreements: Arc<Agreements>,
    /// The organizations as they were read last.
    pub organizations: disclosure::OrganizationCache,
    /// The consumers' documents.
    pub consumers: BTreeMap<ConsumerId, Consumer>,
    /// The secret of tombstones.
    pub tombstones: TombstoneKey,
    /// The key by which matches are vouched for; none before the database was first opened to work with.
    pub vouch: Option<VouchKey>,
    clock: Arc<dyn Clock>,
    sandbox_keys: Vec<(String, SigningKey)>,
}

impl App {
    /// Reads the configuration, opens the database (making it if needed) and, in the sandbox, puts the shipped agreements into force.
    ///
    /// Erasures that were broken off, and those that a database restored from a backup knows nothing of, are carried out first.
    /// The clock is the machine's; in a sandbox whose invented nights lie ahead of it, the sandbox's own.
    pub async fn open(place: &Place, access: Access) -> anyhow::Result<Self> {
        Self::open_at(place, access, None).await
    }

    /// The same under a clock of the caller's, for the nights of an invented state.
    pub async fn open_at(place: &Place, access: Access, clock: Option<Arc<dyn Clock>>) -> anyhow::Result<Self> {
        Self::open_set_back(place, access, clock, None).await
    }

    /// The same for a database that was just set back to a moment: what ended since is carried out again, and it is under seal.
    pub async fn open_set_back(
        place: &Place,
        access: Access,
        clock: Option<Arc<dyn Clock>>,
        set_back: Option<DateTime<Utc>>,
    ) -> anyhow::Result<Self> {
        let mut app = Self::open_as_it_is(place, access, clock).await?;
        if !app.settings.sandbox {
            check_clock(&app.database, app.clock()).await?;
        }
        app.prepare_reference().await?;
        app.begin_vouching().await?;
        app.begin_vouching_for_releases().await?;
        if app.settings.sandbox {
            app.activate_shipped().await?;
        }
        crate::scratch::sweep(&app.data)?;
        crate::control::journal::refuse_former(&app.data)?;
        crate::control::resume(&app, set_back).await?;
        crate::commands::erase::resume(&app).await.context("an erasure could not be finished")?;
        Ok(app)
    }

    /// The database as it is: nothing is put into force or finished first, so that it can be looked at in whatever state it was brought.
    pub async fn open_as_it_is(place: &Place, access: Access, clock: Option<Arc<dyn Clock>>) -> anyhow::Result<Self> {
        let data = place.data.clone().unwrap_or_else(data_folder);
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o755)
            .create(&data)
            .with_context(|| format!("cannot make the data folder {}", data.display()))?;
        if place.sandbox && !data.join("config.toml").exists() {
            write_new(&data.join("config.toml"), SANDBOX.as_bytes())?;
        }
        let settings = Settings::load(place.config.as_deref(), &data)?;
        Self::assemble(settings, data, access, clock).await
    }

    /// Keys, documents and database of a configuration that was read.
    pub async fn assemble(
        settings: Settings,
        data: PathBuf,
        access: Access,
        clock: Option<Arc<dyn Clock>>,
    ) -> anyhow::Result<Self> {
        crate::telemetry::begin(&settings.telemetry)?;
        let clock = match clock {
            Some(clock) => clock,
            None if settings.sandbox => sandbox_clock(&data)?,
            None => Arc::new(SystemClock),
        };
        let keys = Keys::open(&data)?;
        let tombstones = TombstoneKey::new(keys.secret("tombstones", &SystemEntropy)?);
        let vouch = keys.find_secret(VOUCH)?.map(VouchKey::new);
        let consumers = consumers(settings.consumers.folder.as_deref())?;
        let (stewards, sandbox_keys) = stewards(&settings, &keys)?;
        let agreements = Agreements::new(stewards);
        if let Some(secret) = find_release_secret(&keys)? {
            agreements.set_release_key(ReleaseKey::new(secret));
        }
        let database = Database::open(&settings.database, &data, &environment(), access, &SystemClock).await?;
        pg::observe_pool(database.pool());
        Ok(Self {
            settings,
            data,
            keys,
            database,
            agreements: Arc::new(agreements),
            organizations: disclosure::OrganizationCache::default(),
            consumers,
            tombstones,
            vouch,
            clock,
            sandbox_keys,
        })
    }

    /// The pool.
    pub fn pool(&self) -> &pg::Pool {
        self.database.pool()
    }

    /// The clock.
    pub fn clock(&self) -> &dyn Clock {
        &*self.clock
    }

    /// The moment of an act that rests on others: the later of the clock and the last ledger time.
    pub async fn moment(&self) -> anyhow::Result<DateTime<Utc>> {
        let last = pg::run_tx(self.pool(), "cli.moment", Role::Ledger, |tx| {
            Box::pin(async move { ledger::last_decided_at(tx).await })
        })
        .await?;
        let now = self.clock().now();
        Ok(last.map_or(now, |last| last.max(now)))
    }

    /// The clock, for what outlives a command's borrow.
    pub fn shared_clock(&self) -> Arc<dyn Clock> {
        Arc::clone(&self.clock)
    }

    /// Chance.
    #[expect(clippy::unused_self, reason = "a command asks its app for everything it needs")]
    pub fn entropy(&self) -> &'static dyn Entropy {
        &SystemEntropy
    }

    /// What disclosures need.
    pub fn disclosure(&self) -> disclosure::Context<'_> {
        disclosure::Context {
            pool: self.pool(),
            agreements: &self.agreements,
            organizations: &self.organizations,
            clock: self.clock(),
            entropy: self.entropy(),
            vouch: self.vouch.as_ref(),
            clock_behind_max: self.clock_behind_max(),
        }
    }

    /// How far clocks may stand behind the last entry; in the sandbox, whose nights begin anew, as far as they like.
    pub fn clock_behind_max(&self) -> Option<TimeDelta> {
        let stated = TimeDelta::milliseconds(self.settings.ledger.clock_behind_max_ms.get().into());
        (!self.settings.sandbox).then_some(stated)
    }

    /// The documents of a consumer.
    pub fn consumer(&self, id: &ConsumerId) -> anyhow::Result<&Consumer> {
        let known = || self.consumers.keys().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        self.consumers.get(id).ok_or_else(|| anyhow!("there is no consumer {id}; there are: {}", known()))
    }

    /// The roster layout of a consumer.
    pub fn roster_layout(&self, id: &ConsumerId) -> anyhow::Result<&RosterLayout> {
        self.consumer(id)?.roster.as_ref().ok_or_else(|| anyhow!("{id} sends no roster"))
    }

    /// How a consumer reports placements.
    pub fn placement_layout(&self, id: &ConsumerId) -> anyhow::Result<&PlacementLayout> {
        self.consumer(id)?.placements.as_ref().ok_or_else(|| anyhow!("{id} reports no placements"))
    }

    /// Closes the database; the last to leave stops the embedded server.
    pub async fn close(self) -> anyhow::Result<()> {
        Ok(self.database.close().await?)
    }

    /// The ledger's signing key.
    pub fn signer(&self) -> anyhow::Result<Signer> {
        self.keys.signing_key("ledger", &SystemEntropy)?;
        Ok(Signer::from_pem_file(&self.settings.ledger.origin, KeyUse::Log, &self.keys.path("ledger.pem"))?)
    }

    /// The public key that the log signed with first: what partners know, and come to the present one from.
    pub fn first_log_key(&self) -> anyhow::Result<VerifierKey> {
        match self.keys.first_log_key()? {
            Some(first) => Ok(first),
            None => Ok(self.signer()?.public().clone()),
        }
    }

    /// All keys that the log ever signed with, each for its time, the present one the last.
    pub async fn log_keys(&self) -> anyhow::Result<Vec<VerifierKey>> {
        let (first, present) = (self.first_log_key()?, self.signer()?.public().clone());
        let changes = pg::run_tx(self.pool(), "cli.key_changes", Role::Ledger, |tx| {
            Box::pin(async move { ledger::list_key_changes(tx).await })
        })
        .await?;
        let mut keys = ledger::rotation::follow(&first, &changes).unwrap_or_default();
        // Whatever the database says of changes: this key is in our own hands.
        if keys.last() != Some(&present) {
            keys.push(present);
        }
        Ok(keys)
    }

    /// The key that signs summaries, if there is one.
    pub fn summary_signer(&self) -> anyhow::Result<Option<Box<dyn summary::sign::Signer>>> {
        crate::signing::signer(&self.settings.summary, &self.keys, self.settings.sandbox, self.clock().now())
            .context("the key that signs summaries cannot be used")
    }

    /// What seals summaries: the key, and the authority that stamps its signatures with the time, where they are configured.
    pub async fn summary_seals(&self) -> anyhow::Result<summary::sign::Seals> {
        let stamping = crate::stamping::stamping(&self.settings.summary, self.shared_clock())
            .await
            .context("the time-stamp authority cannot be used")?;
        Ok(summary::sign::Seals { signer: self.summary_signer()?.map(Arc::from), stamping })
    }

    /// Gives committed ledger entries their place and signs a checkpoint, until nothing waits.
    pub async fn sequence(&self) -> anyhow::Result<()> {
        sequence(self.pool(), &self.signer()?, self.clock()).await
    }

    /// Sequences in the background until the token is cancelled.
    pub fn sequence_in_background(&self, stop: CancellationToken) -> anyhow::Result<JoinHandle<()>> {
        let (pool, signer, clock) = (self.pool().clone(), self.signer()?, Arc::clone(&self.clock));
        let every = Duration::from_millis(self.settings.ledger.sequence_every_ms.max(50));
        Ok(spawn(async move {
            while !stop.is_cancelled() {
                if let Err(error) = sequence(&pool, &signer, &*clock).await {
                    tracing::error!(error = &*error as &dyn std::error::Error, "the ledger could not be sequenced");
                }
                tokio::select! {
                    () = stop.cancelled() => break,
                    () = tokio::time::sleep(every) => {}
                }
            }
        }))
    }

    /// Signs with both stewards of the sandbox; outside it, says what to do.
    pub fn sandbox_approvals(&self, act: Act, digest: Digest, at: DateTime<Utc>) -> anyhow::Result<[Approval; 2]> {
        let sign = |(name, key): &(String, SigningKey)| {
            Approval::sign(self.agreements.stewards(), name, key, (act, digest), at)
        };
        match self.sandbox_keys.as_slice() {
            [first, second] => Ok([sign(first)?, sign(second)?]),
            _ => bail!("this needs the signed approvals of two stewards"),
        }
    }

    /// Keeps a steward's approval of an act that is about a consumer, with its entry in the ledger.
    pub async fn approve(
        &self,
        consumer: &ConsumerId,
        act: Act,
        digest: Digest,
        approval: &Approval,
    ) -> anyhow::Result<()> {
        let ask = disclosure::Ask {
            consumer,
            actor: agreements::Actor::ScheduledRun,
            purpose: None,
            delivery: agreements::Delivery::File,
            office: None,
            as_of: None,
            asker: disclosure::Asker::default(),
            run: None,
            repeat: disclosure::Repeat::Always,
            request: None,
        };
        Ok(disclosure::approve(self.disclosure(), &ask, (act, digest), approval).await?)
    }

    /// The SEA's own consumer: the one whose agreement is about every student.
    pub fn own_consumer(&self) -> anyhow::Result<&ConsumerId> {
        let own = self.consumers.iter().find(|(_, documents)| documents.is_own);
        own.map(|(id, _)| id).ok_or_else(|| anyhow!("no agreement states what the SEA's own people may see"))
    }

    /// The first of the sandbox's stewards; outside the sandbox nobody.
    pub fn sandbox_steward(&self) -> Option<&str> {
        self.sandbox_keys.first().map(|(name, _)| name.as_str())
    }

    /// The second of them.
    pub fn second_sandbox_steward(&self) -> Option<&str> {
        self.sandbox_keys.get(1).map(|(name, _)| name.as_str())
    }

    /// Whether the program itself holds stewards' keys.
    pub const fn is_sandbox(&self) -> bool {
        self.settings.sandbox
    }

    /// Puts a document on file and into force, with the sandbox's approvals or those given before.
    pub async fn activate(&self, document: &str) -> anyhow::Result<(String, i32)> {
        let at = self.clock().now();
        let terms = agreements::parse(document).map_err(|error| agreement_error(&error))?;
        let agreements = &*self.agreements;
        let proposal = pg::run_tx(self.pool(), "cli.propose", Role::Agreements, |tx| {
            Box::pin(async move { agreements.propose(tx, document, at).await })
        })
        .await
        .map_err(|error| agreement_error(&error))?;
        let active = pg::run_tx(self.pool(), "cli.active", Role::Agreements, |tx| {
            let consumer = &terms.consumer;
            Box::pin(async move { agreements.load_active(tx, consumer, at).await })
        })
        .await?;
        if active.is_some_and(|active| active.digest() == proposal.digest && active.ended().is_none()) {
            return Ok((proposal.agreement_id, proposal.version));
        }
        if !self.sandbox_keys.is_empty() {
            for approval in &self.sandbox_approvals(Act::Activate, proposal.digest, at)? {
                self.approve(&terms.consumer, Act::Activate, proposal.digest, approval).await?;
            }
        }
        let activated = pg::run_tx(self.pool(), "cli.activate", Role::Agreements, |tx| {
            let (proposal, clock) = (&proposal, self.clock());
            Box::pin(async move { agreements.activate(tx, &proposal.agreement_id, proposal.version, clock).await })
        })
        .await;
        match activated {
            Ok(_) => {}
            Err(agreements::Error::Precondition(missing)) => bail!(
                "{} version {} is on file and not in force: {missing}; two stewards approve it with: throughline approve {} --key FILE",
                proposal.agreement_id,
                proposal.version,
                proposal.digest
            ),
            Err(error) => return Err(agreement_error(&error)),
        }
        Ok((proposal.agreement_id, proposal.version))
    }

    /// Approves court orders that a roster reports with the sandbox's stewards; says how many wait when there is no sandbox.
    pub async fn file_orders(&self, orders: &[NewInstrument]) -> anyhow::Result<(u64, u64)> {
        if self.sandbox_keys.is_empty() {
            return Ok((0, orders.len() as u64));
        }
        let at = self.clock().now();
        let agreements = &*self.agreements;
        let mut filed = 0;
        for order in orders {
            let approvals = self.sandbox_approvals(Act::RecordInstrument, order.digest()?, at)?;
            let result = pg::run_tx(self.pool(), "cli.order", Role::Agreements, |tx| {
                let approvals = &approvals;
                Box::pin(async move { agreements.record_order(tx, order, approvals, SANDBOX_STEWARDS[0], at).await })
            })
            .await;
            match result {
                Ok(()) => filed += 1,
                // The same order, reported again.
                Err(agreements::Error::Conflict(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok((filed, 0))
    }

    /// Draws the key by which matches are vouched for, once, and vouches for those that were decided before there was one: from then on a match that the
    /// program did not decide is found out.
    async fn begin_vouching(&mut self) -> anyhow::Result<()> {
        const PAUSE: Duration = Duration::from_millis(50);
        while self.vouch.is_none() {
            // Two programs that open the same folder for the first time draw one key.
            let Some(lease) = pg::Lease::take(self.pool(), VOUCH).await? else {
                tokio::time::sleep(PAUSE).await;
                self.vouch = self.keys.find_secret(VOUCH)?.map(VouchKey::new);
                continue;
            };
            if let Some(secret) = self.keys.find_secret(VOUCH)? {
                self.vouch = Some(VouchKey::new(secret));
            } else {
                let mut secret = [0; 32];
                SystemEntropy.fill(&mut secret);
                let key = VouchKey::new(secret);
                pg::run_tx(self.pool(), "cli.vouch", Role::Identity, |tx| {
                    let key = &key;
                    Box::pin(
                        async move { identity::vouch::vouch(tx, key, Which::All).await.map_err(PrepareError::from) },
                    )
                })
                .await?;
                self.keys.keep_secret(VOUCH, &secret)?;
                self.vouch = Some(key);
            }
            lease.give_back().await?;
        }
        Ok(())
    }

    /// The same for releases that rosters report. The key is kept before anything bears a hash by it, and a mark beside it says that what was on file before is
    /// still to be vouched for: broken off anywhere it is gone on with, by the same key.
    async fn begin_vouching_for_releases(&self) -> anyhow::Result<()> {
        const PAUSE: Duration = Duration::from_millis(50);
        loop {
            if let Some(secret) = find_release_secret(&self.keys)? {
                self.agreements.set_release_key(ReleaseKey::new(secret));
                return Ok(());
            }
            let Some(lease) = pg::Lease::take(self.pool(), VOUCH_RELEASES).await? else {
                tokio::time::sleep(PAUSE).await;
                continue;
            };
            if find_release_secret(&self.keys)?.is_none() {
                self.vouch_for_releases().await?;
            }
            lease.give_back().await?;
        }
    }

    /// Vouches for the releases that nobody has vouched for. Only while the mark says so: from then on such a release is none of the program's.
    async fn vouch_for_releases(&self) -> anyhow::Result<()> {
        // The mark first: a key without it says that all is vouched for.
        self.keys.mark_unvouched(VOUCH_RELEASES)?;
        let key = ReleaseKey::new(self.keys.secret(VOUCH_RELEASES, &SystemEntropy)?);
        pg::run_tx(self.pool(), "cli.vouch_releases", Role::Agreements, |tx| {
            let key = &key;
            Box::pin(async move { self.agreements.vouch_for_releases(tx, key).await.map_err(PrepareError::from) })
        })
        .await?;
        self.keys.clear_unvouched(VOUCH_RELEASES)
    }

    /// The shipped organizations of Connecticut, once.
    async fn prepare_reference(&self) -> anyhow::Result<()> {
        let sea: model::Sea = "ct".parse()?;
        let names = reference::shipped_organizations(sea.as_str())?;
        let at = self.clock().now();
        pg::run_tx(self.pool(), "cli.reference", Role::Reference, |tx| {
            let (names, sea) = (&names, &sea);
            Box::pin(async move {
                reference::record_organizations(tx, sea, names, at).await?;
                Ok::<_, PrepareError>(())
            })
        })
        .await?;
        Ok(())
    }

    /// Whether a version of the document's agreement, as late or later, is in force or was.
    async fn has_been_active(&self, consumer: &ConsumerId, document: &str) -> anyhow::Result<bool> {
        let shipped = agreements::parse(document).map_err(|error| agreement_error(&error))?;
        let (agreements, at) = (&*self.agreements, self.clock().now());
        let active = pg::run_tx(self.pool(), "cli.active", Role::Agreements, |tx| {
            Box::pin(async move { agreements.load_active(tx, consumer, at).await })
        })
        .await?;
        Ok(active.is_some_and(|active| {
            let terms = active.terms();
            terms.id == shipped.id && terms.version >= shipped.version
        }))
    }

    /// The sole right to write a consumer's deliveries: two runs at once would mix what they write.
    pub async fn lease_deliveries(&self, consumer: &ConsumerId) -> anyhow::Result<pg::Lease> {
        let lease = pg::Lease::take(self.pool(), &format!("deliveries of {consumer}")).await?;
        lease.ok_or_else(|| anyhow!("another run for {consumer} is under way: wait until it has ended"))
    }

    /// The sandbox's agreements and the certification that the juvenile-justice basis needs.
    async fn activate_shipped(&self) -> anyhow::Result<()> {
        for (id, consumer) in &self.consumers {
            // What stewards have done since stays: an amendment in force, and a suspension.
            if !self.has_been_active(id, &consumer.agreement).await? {
                self.activate(&consumer.agreement).await.with_context(|| format!("the agreement of {id}"))?;
            }
        }
        let at = self.clock().now();
        let agreements = &*self.agreements;
        for id in self.consumers.keys() {
            let certification = NewCertification {
                consumer: id.clone(),
                holder: "sandbox: the agency's head".to_owned(),
                reference: "sandbox certification, signed by the built-in stewards".to_owned(),
                in_force: Interval { from: DateTime::UNIX_EPOCH, to: None },
            };
            let approvals = self.sandbox_approvals(Act::Certify, certification.digest()?, at)?;
            pg::run_tx(self.pool(), "cli.certification", Role::Agreements, |tx| {
                let (certification, approvals) = (&certification, &approvals);
                Box::pin(async move {
                    if !agreements.is_on_file(tx, certification).await? {
                        let by = SANDBOX_STEWARDS[0];
                        agreements.record_certification(tx, certification, approvals, by, at).await?;
                    }
                    Ok::<_, agreements::Error>(())
                })
            })
            .await?;
        }
        Ok(())
    }
}

/// Why the preparation of the database failed.
#[derive(Debug, thiserror::Error)]
enum PrepareError {
    #[error(transparent)]
    Database(#[from] pg::Error),
    #[error(transparent)]
    Reference(#[from] reference::Error),
    #[error(transparent)]
    Identity(#[from] identity::Error),
    #[error(transparent)]
    Agreements(#[from] agreements::Error),
}

/// The secret by which releases are vouched for, once all that are on file are.
fn find_release_secret(keys: &Keys) -> anyhow::Result<Option<[u8; 32]>> {
    if keys.is_unvouched(VOUCH_RELEASES) { Ok(None) } else { keys.find_secret(VOUCH_RELEASES) }
}

/// What is wrong with a document, every mistake on a line of its own.
pub fn agreement_error(error: &agreements::Error) -> anyhow::Error {
    match error {
        agreements::Error::Document(findings) => {
            let lines: Vec<String> = findings.iter().map(ToString::to_string).collect();
            anyhow!("the document has mistakes:\n  {}", lines.join("\n  "))
        }
        other => anyhow!("{other}"),
    }
}

/// Gives committed ledger entries their place and signs a checkpoint, until nothing waits.
async fn sequence(pool: &pg::Pool, signer: &Signer, clock: &dyn Clock) -> anyhow::Result<()> {
    loop {
        let done = pg::run_tx(pool, "ledger.sequence", Role::Ledger, |tx| {
            Box::pin(async move {
                let done = ledger::sequence(tx, SEQUENCE_MAX).await?;
                if done.assigned > 0 {
                    pg::crash::hit(CrashPoint::LedgerBeforeSequence);
                }
                Ok::<_, ledger::Error>(done)
            })
        })
        .await?;
        if done.assigned > 0 {
            pg::crash::hit(CrashPoint::LedgerAfterSequence);
        }
        pg::run_tx(pool, "ledger.checkpoint", Role::Ledger, |tx| {
            Box::pin(async move { ledger::checkpoint(tx, signer, clock).await })
        })
        .await?;
        if !done.is_behind {
            return Ok(());
        }
    }
}

/// Entries sequenced in one transaction.
const SEQUENCE_MAX: u32 = 10_000;

/// Starts a task that its handle's owner waits for.
#[expect(clippy::disallowed_methods, reason = "the handle is kept and awaited by the caller")]
pub fn spawn<T: Send + 'static>(task: impl Future<Output = T> + Send + 'static) -> JoinHandle<T> {
    tokio::spawn(task)
}

/// The file of the data folder that says how far an invented state's nights have come (RFC 3339).
pub const SANDBOX_TIME: &str = "sandbox-time";

/// The time that an invented state's nights have come to, if it has any.
pub fn sandbox_time(data: &Path) -> anyhow::Result<Option<DateTime<Utc>>> {
    let path = data.join(SANDBOX_TIME);
    match fs::read_to_string(&path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
        Ok(text) => {
            let at = DateTime::parse_from_rfc3339(text.trim());
            Ok(Some(at.with_context(|| format!("{} holds no time", path.display()))?.to_utc()))
        }
    }
}

/// How far the clock may be from the database's: beyond it nothing is decided.
const CLOCK_OFFSET_MAX: TimeDelta = TimeDelta::seconds(2);

/// Refuses to work by a clock that is not the database's: authority begins and ends by it.
async fn check_clock(database: &Database, clock: &dyn Clock) -> anyhow::Result<()> {
    let offset = database.clock_offset(clock).await?;
    ensure!(
        offset.abs() <= CLOCK_OFFSET_MAX,
        "this machine's clock is {:.1} s {} the database's; set both by NTP, then start again",
        offset.abs().as_seconds_f64(),
        if offset < TimeDelta::zero() { "behind" } else { "ahead of" }
    );
    Ok(())
}

/// The machine's clock, unless an invented state's nights lie ahead of it: nothing is dated before what was.
fn sandbox_clock(data: &Path) -> anyhow::Result<Arc<dyn Clock>> {
    Ok(match sandbox_time(data)? {
        Some(at) if at > SystemClock.now() => Arc::new(SetClock::at(at)),
        _ => Arc::new(SystemClock),
    })
}

/// The consumers' documents: a folder's, or those shipped.
pub fn consumers(folder: Option<&Path>) -> anyhow::Result<BTreeMap<ConsumerId, Consumer>> {
    let mut consumers = BTreeMap::new();
    let Some(folder) = folder else {
        for documents in SHIPPED {
            consumers.insert(documents.id.parse()?, documents.read()?);
        }
        return Ok(consumers);
    };
    let cannot = || format!("cannot read the folder of consumers {}", folder.display());
    for entry in fs::read_dir(folder).with_context(cannot)? {
        let path = entry?.path();
        let (Some(id), true) = (path.file_name().and_then(|name| name.to_str()), path.is_dir()) else { continue };
        let agreement =
            fs::read_to_string(path.join("agreement.toml")).with_context(|| format!("the agreement of {id}"))?;
        let find = |name: &str| match fs::read_to_string(path.join(name)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(error).with_context(|| format!("cannot read {}", path.join(name).display()))
            }
            found => Ok(found.ok()),
        };
        let (roster, delivery, placements) = (find("roster.toml")?, find("delivery.toml")?, find("placements.toml")?);
        let documents = Documents {
            id,
            agreement: &agreement,
            roster: roster.as_deref(),
            delivery: delivery.as_deref(),
            placements: placements.as_deref(),
        };
        consumers.insert(id.parse()?, documents.read()?);
    }
    Ok(consumers)
}

impl Documents<'_> {
    fn read(&self) -> anyhow::Result<Consumer> {
        let id = self.id;
        let roster = self.roster.map(RosterLayout::parse).transpose();
        let roster = roster.map_err(|error| anyhow!("the roster layout of {id}: {error}"))?;
        let delivery = self.delivery.map(feeds::Plan::parse).transpose();
        let delivery = delivery.map_err(|mistakes| anyhow!("the deliveries of {id} have mistakes:\n  {mistakes}"))?;
        let placements = self.placements.map(PlacementLayout::parse).transpose();
        let placements = placements.map_err(|error| anyhow!("the layout of placements of {id}: {error}"))?;
        // One with mistakes is told of where it is used.
        let terms = agreements::parse(self.agreement).ok();
        let is_told_of_placements = terms.as_ref().is_some_and(|terms| terms.placement_notice.is_some());
        let is_own = terms.is_some_and(|terms| terms.population.rule == agreements::PopulationRule::EveryStudent);
        Ok(Consumer {
            agreement: self.agreement.to_owned(),
            roster,
            delivery: delivery.unwrap_or_default(),
            placements,
            is_told_of_placements,
            is_own,
        })
    }
}

type SandboxKeys = Vec<(String, SigningKey)>;

fn stewards(settings: &Settings, keys: &Keys) -> anyhow::Result<(Stewards, SandboxKeys)> {
    let always = Interval { from: DateTime::UNIX_EPOCH, to: None };
    let (mut list, mut sandbox) = (Vec::new(), Vec::new());
    if settings.sandbox {
        for name in SANDBOX_STEWARDS {
            let key = keys.signing_key(name, &SystemEntropy)?;
            list.push(Steward { id: name.to_owned(), key: key.verifying_key(), registered: always, sandbox: true });
            sandbox.push((name.to_owned(), key));
        }
    }
    list.extend(settings.stewards()?);
    Ok((Stewards::new(list)?, sandbox))
}
