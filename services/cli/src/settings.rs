//! The configuration: one TOML file, read and checked as a whole before anything starts.

use std::{
    collections::BTreeMap,
    num::NonZeroU32,
    path::{Path, PathBuf},
};

use agreements::{Interval, Steward};
use anyhow::{Context as _, bail};
use chrono::{DateTime, NaiveTime};
use model::ConsumerId;
use serde::Deserialize;

use crate::keys::public_key;

/// Everything that can be set. Unknown names are refused.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Built-in stewards approve two-person acts, and every such approval says so. Never set it where real records are.
    pub sandbox: bool,
    /// The database.
    pub database: pg::Config,
    /// Loading files.
    pub intake: intake::load::Limits,
    /// Matching.
    pub matching: identity::Config,
    /// Agreements and rosters of consumers.
    pub consumers: Consumers,
    /// When `serve` runs the nights of a consumer; whoever is not named is run by other means.
    pub nights: BTreeMap<ConsumerId, scheduler::Calendar>,
    /// Stewards whose approvals count.
    pub steward: Vec<StewardSetting>,
    /// The ledger.
    pub ledger: LedgerSettings,
    /// Stays in facilities that agencies report.
    pub placements: PlacementSettings,
    /// The API.
    pub server: api::Server,
    /// The published log.
    pub tiles: api::Tiles,
    /// The portal.
    pub portal: portal::Config,
    /// Backups.
    pub backup: crate::commands::db::encrypted::Config,
    /// Measurements and traces for operators.
    pub telemetry: crate::telemetry::Config,
    /// Summaries: further fonts, the key that signs.
    pub summary: summary::Config,
}

/// Where consumers' documents are.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Consumers {
    /// A folder with one folder a consumer (`agreement.toml`, `roster.toml`); absent: the shipped ones.
    pub folder: Option<PathBuf>,
}

/// A steward.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StewardSetting {
    /// A short name, recorded with each approval.
    pub id: String,
    /// The Ed25519 public key, PEM.
    pub public_key_file: PathBuf,
}

/// The ledger.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LedgerSettings {
    /// The log's name in checkpoints: a schema-less address under the operator's control.
    pub origin: String,
    /// Milliseconds between two rounds of the sequencer.
    pub sequence_every_ms: u64,
    /// Entries that are read at once for a copy of a record of disclosures.
    pub record_page_entries: u32,
    /// Entries of one copy: beyond them whoever asks names fewer days.
    pub record_entries_max: usize,
    /// How long the personal part of entries stays in any case. It stays as long as the education record it is about, whatever is said here.
    pub detail_days: DetailDays,
    /// How far this machine's clock, or the database's, may stand behind the last entry, in milliseconds: beyond it, or while the two are more than 2 s apart, nothing
    /// is disclosed until both are right. It is more than clocks that pass at the start can differ by. Not asked in the sandbox.
    pub clock_behind_max_ms: NonZeroU32,
    /// How long ids of calls are remembered, so that one sent again is not disclosed again.
    pub request_days: NonZeroU32,
    /// When `serve` destroys what has stayed so long, and forgets such ids, in the zone of the SEA's own agreement.
    pub detail_erasure: scheduler::Calendar,
}

/// Stays in facilities that agencies report.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PlacementSettings {
    /// How long a stay, and what was told of it, is kept after the release, or after it was last reported; longer while whoever was told may hold that.
    pub days: u32,
}

/// What closes the loop (`placement unshown`) looks back a year, and gives each side days beside it.
const PLACEMENT_DAYS_MIN: u32 = 380;

impl Default for PlacementSettings {
    fn default() -> Self {
        Self { days: 400 }
    }
}

/// How long the personal part of ledger entries stays where no education record is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "StatedDays")]
pub enum DetailDays {
    /// So many days from the entry on.
    After(NonZeroU32),
    /// It is not destroyed on a schedule. Said in words, so that nobody turns it off by leaving something out.
    Never,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum StatedDays {
    Days(NonZeroU32),
    Word(String),
}

impl TryFrom<StatedDays> for DetailDays {
    type Error = &'static str;

    fn try_from(stated: StatedDays) -> Result<Self, Self::Error> {
        match stated {
            StatedDays::Days(days) => Ok(Self::After(days)),
            StatedDays::Word(word) if word == "never" => Ok(Self::Never),
            StatedDays::Word(_) => Err("ledger.detail_days is a number of days, or \"never\""),
        }
    }
}

/// Five years, with their leap days: as long as a party that disclosed further what it must not may be kept out (34 CFR 99.67). The law names no other
/// time for a request about whom no education record is kept.
const DETAIL_DAYS: NonZeroU32 = match NonZeroU32::new(1_827) {
    Some(days) => days,
    None => NonZeroU32::MAX,
};
/// A clock may be 2 s off the database's at the start, so two machines 4 s apart.
const CLOCK_BEHIND_MAX_MS: NonZeroU32 = match NonZeroU32::new(5_000) {
    Some(milliseconds) => milliseconds,
    None => NonZeroU32::MAX,
};
/// A caller that lost an answer asks again within hours.
const REQUEST_DAYS: NonZeroU32 = match NonZeroU32::new(30) {
    Some(days) => days,
    None => NonZeroU32::MAX,
};
/// Before anybody works.
const DETAIL_ERASURE: NaiveTime = match NaiveTime::from_hms_opt(3, 30, 0) {
    Some(at) => at,
    None => NaiveTime::MIN,
};

impl Default for LedgerSettings {
    fn default() -> Self {
        Self {
            origin: "throughline.test/ledger".to_owned(),
            sequence_every_ms: 500,
            record_page_entries: 1_000,
            record_entries_max: 100_000,
            detail_days: DetailDays::After(DETAIL_DAYS),
            clock_behind_max_ms: CLOCK_BEHIND_MAX_MS,
            request_days: REQUEST_DAYS,
            detail_erasure: scheduler::Calendar::daily(DETAIL_ERASURE),
        }
    }
}

impl Settings {
    /// Reads the configuration: the file named, else `config.toml` in the data folder, else the defaults.
    pub fn load(file: Option<&Path>, data: &Path) -> anyhow::Result<Self> {
        let standard = data.join("config.toml");
        let path = match file {
            Some(path) => path.to_owned(),
            None if standard.exists() => standard,
            None => return Ok(Self::default()),
        };
        let text = std::fs::read_to_string(&path)
            .with_context(|| format!("cannot read the configuration {}", path.display()))?;
        let settings: Self =
            toml::from_str(&text).with_context(|| format!("the configuration {} has a mistake", path.display()))?;
        settings.check()?;
        Ok(settings)
    }

    /// The registered stewards, with their keys; an error if a key does not read or two stewards share a name or a key.
    pub fn stewards(&self) -> anyhow::Result<Vec<Steward>> {
        let always = Interval { from: DateTime::UNIX_EPOCH, to: None };
        let mut wrong = Vec::new();
        let mut list: Vec<Steward> = Vec::new();
        for steward in &self.steward {
            match public_key(&steward.public_key_file) {
                Ok(key) => {
                    if let Some(other) = list.iter().find(|other| other.key == key) {
                        wrong.push(format!(
                            "steward: {} and {} have one key, and one person could pass for two",
                            other.id, steward.id
                        ));
                    }
                    if list.iter().any(|other| other.id == steward.id) {
                        wrong.push(format!("steward: two are called {}", steward.id));
                    }
                    list.push(Steward { id: steward.id.clone(), key, registered: always, sandbox: false });
                }
                Err(error) => wrong.push(format!("steward: the key of {}: {error:#}", steward.id)),
            }
        }
        if wrong.is_empty() { Ok(list) } else { bail!("the configuration has mistakes:\n  {}", wrong.join("\n  ")) }
    }

    /// Says every mistake at once.
    pub fn check(&self) -> anyhow::Result<()> {
        let mut wrong = Vec::new();
        wrong.extend(self.intake.mistakes().into_iter().map(|mistake| format!("intake.{mistake}")));
        if !(1..=ledger::PAGE_ENTRIES_MAX).contains(&self.ledger.record_page_entries) {
            wrong.push(format!("ledger.record_page_entries lies between 1 and {}", ledger::PAGE_ENTRIES_MAX));
        }
        if self.placements.days < PLACEMENT_DAYS_MIN {
            wrong.push(format!("placements.days is at least {PLACEMENT_DAYS_MIN}"));
        }
        if let Err(error) = self.matching.check() {
            wrong.push(format!("matching: {error}"));
        }
        if let Err(error) = self.server.check() {
            wrong.push(format!("server: {error}"));
        }
        if let Err(error) = self.tiles.check() {
            wrong.push(format!("tiles: {error}"));
        }
        wrong.extend(self.portal.mistakes(self.sandbox));
        wrong.extend(self.database.mistakes());
        wrong.extend(self.summary.mistakes());
        wrong.extend(self.backup.mistakes());
        wrong.extend(self.telemetry.mistakes());
        if self.sandbox && !self.steward.is_empty() {
            wrong.push(
                "the sandbox has its own stewards: a configuration with registered stewards is no sandbox".to_owned(),
            );
        }
        if wrong.is_empty() { Ok(()) } else { bail!("the configuration has mistakes:\n  {}", wrong.join("\n  ")) }
    }
}

/// The sandbox configuration, as `--sandbox` writes it.
pub const SANDBOX: &str = "\
# Sandbox: for trying the exchange out. Two built-in stewards approve two-person acts; each approval says so in the ledger.
# Never use this configuration where real records are.
sandbox = true

[server]
listen = \"127.0.0.1:50051\"
reflection = true

# The log by HTTPS GET, for partners who verify or witness it:
# [tiles]
# listen = \"127.0.0.1:50052\"

# The portal, for browsers; in the sandbox whoever opens it chooses who they are:
# [portal]
# listen = \"127.0.0.1:50053\"
";
