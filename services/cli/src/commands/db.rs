//! `throughline db`.

pub mod encrypted;

use std::{
    fs,
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
};

use agreements::{Act, Asked, Digest, UnsealRequest};
use anyhow::{Context as _, bail, ensure};
use chrono::TimeDelta;
use pg::{Access, Database, Role};
use serde::{Deserialize, Serialize};
use serde_json::json;
use sha2::{Digest as _, Sha256};
use sqlx::Connection as _;

use super::{Outcome, own_ask, two, with_app};
use crate::{
    app::App,
    args::{Db, Place, Unseal},
    console::{self, Progress},
    control::{
        self,
        journal::{JOURNAL, Journal},
    },
    keys::Keys,
    scratch::Scratch,
    settings::Settings,
    system::{SystemClock, SystemEntropy, data_folder, environment},
};

/// Status, migrations, backup and restore. Opening the database has applied what was missing, unless the configuration forbids it.
pub async fn run(place: &Place, command: Db) -> anyhow::Result<Outcome> {
    match command {
        Db::Status => status(place, "status").await,
        Db::Migrate => status(place, "migrate").await,
        Db::Backup { out } => {
            with_app(place, |app| async move {
                let manifest = backup(&app, &out).await?;
                say_backup(place, &out, &manifest)?;
                Ok(Outcome::Done)
            })
            .await
        }
        Db::Restore { from, journal, key } => {
            Box::pin(restore(place, &from, (journal.as_deref(), key.as_deref()))).await
        }
        Db::Unseal(options) => unseal(place, options).await,
    }
}

async fn status(place: &Place, verb: &'static str) -> anyhow::Result<Outcome> {
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
            console::line(
                false,
                format!(
                    "database ready ({})",
                    if app.database.cluster().is_some() { "embedded" } else { "given by database.url" }
                ),
            );
            console::line(false, format!("ledger: {} entries wait for their place", health.unsequenced));
        }
        let is_sealed = control::say_seals(&app, place.json).await?;
        Ok(Outcome::of(!health.is_green() || is_sealed))
    })
    .await
}

/// The manifest of a backup.
const MANIFEST: &str = "backup.json";
/// The database, as the server's own tool wrote it.
const DUMP: &str = "database.dump";
/// Folders of the data folder that go with the database.
const FOLDERS: [&str; 2] = ["findings", "reports"];

/// What a backup holds. Keys are not in it: they are kept where keys are kept.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Manifest {
    format: String,
    made_at: chrono::DateTime<chrono::Utc>,
    dump_sha256: String,
    dump_bytes: u64,
    /// Whether every other file of it is encrypted.
    #[serde(default)]
    encrypted: bool,
    /// Tells one tombstone key from another, and nothing else of it.
    tombstone_key: String,
    /// The last checkpoint of the ledger.
    checkpoint: Option<String>,
}

async fn backup(app: &App, out: &Path) -> anyhow::Result<Manifest> {
    ensure!(!out.exists(), "{} exists: a backup goes into a folder of its own", out.display());
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(out)
        .with_context(|| format!("cannot make {}", out.display()))?;
    let checkpoint = pg::run_tx(app.pool(), "db.checkpoint", Role::Ledger, |tx| {
        Box::pin(async move { ledger::find_last_checkpoint(tx).await })
    })
    .await?;
    let recipients = app.settings.backup.recipients().map_err(anyhow::Error::msg)?;
    // What is to be encrypted is made where the database itself lies, and leaves that place encrypted.
    let staged = if recipients.is_empty() { None } else { Some(Scratch::new(&app.data)?) };
    let made = staged.as_ref().map_or_else(|| out.to_owned(), |staged| staged.path().join("backup"));
    fs::create_dir_all(&made).context("cannot make a folder for the backup")?;
    let progress = Progress::begin("back up", 0);
    // The journal first: an erasure that comes while the dump is made is in neither copy of it, and in the journal of the data folder.
    control::settle(app).await?;
    let journal = Journal::open(&app.data, &app.keys)?;
    if journal.path().exists() {
        fs::copy(journal.path(), made.join(JOURNAL)).context("cannot copy the control journal")?;
    }
    let dump = made.join(DUMP);
    app.database.dump(&dump).await?;
    for folder in FOLDERS {
        copy_folder(&app.data.join(folder), &made.join(folder))?;
    }
    let (dump_sha256, dump_bytes) = hash(&dump)?;
    let encrypted = staged.is_some();
    if encrypted {
        encrypted::encrypt(&recipients, &made, out)?;
    }
    let made_at = app.clock().now();
    let tombstone_key = key_mark(&app.keys)?;
    let format = "throughline-backup/1".to_owned();
    let manifest = Manifest { format, made_at, dump_sha256, dump_bytes, encrypted, tombstone_key, checkpoint };
    super::exchange::write_whole(&out.join(MANIFEST), &serde_json::to_vec_pretty(&manifest)?)?;
    progress.done(&format!("{dump_bytes} bytes"));
    Ok(manifest)
}

fn say_backup(place: &Place, out: &Path, manifest: &Manifest) -> anyhow::Result<()> {
    if place.json {
        return console::json(&json!({
            "backup": out, "made_at": manifest.made_at, "bytes": manifest.dump_bytes, "encrypted": manifest.encrypted,
        }));
    }
    let how = if manifest.encrypted { ", encrypted" } else { "" };
    console::line(false, format!("backed up to {} ({} bytes{how})", out.display(), manifest.dump_bytes));
    console::line(
        false,
        "keep apart from it, and always the newest: DATA/control/journal.ndjson and DATA/keys. A restore needs both.",
    );
    Ok(())
}

/// What tells the key of tombstones from another.
fn key_mark(keys: &Keys) -> anyhow::Result<String> {
    let secret = keys.secret("tombstones", &SystemEntropy)?;
    Ok(hex::encode(Sha256::new().chain_update(b"throughline tombstone key\0").chain_update(secret).finalize()))
}

fn hash(path: &Path) -> anyhow::Result<(String, u64)> {
    let mut file = fs::File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
    let mut hash = Sha256::new();
    let bytes = std::io::copy(&mut file, &mut hash)?;
    file.sync_all()?;
    Ok((hex::encode(hash.finalize()), bytes))
}

/// Copies a folder with all that is in it, into the place of the one that is there.
fn copy_folder(from: &Path, to: &Path) -> anyhow::Result<()> {
    if to.exists() {
        fs::remove_dir_all(to).with_context(|| format!("cannot remove {}", to.display()))?;
    }
    if !from.exists() {
        return Ok(());
    }
    let made = fs::DirBuilder::new().recursive(true).mode(0o750).create(to);
    made.with_context(|| format!("cannot make {}", to.display()))?;
    for entry in fs::read_dir(from)? {
        let path = entry?.path();
        let target: PathBuf = path.file_name().map(|name| to.join(name)).unwrap_or_default();
        if path.is_dir() {
            copy_folder(&path, &target)?;
        } else {
            fs::copy(&path, &target).with_context(|| format!("cannot copy to {}", target.display()))?;
        }
    }
    Ok(())
}

/// Restores a backup. The journal comes into its place first: from then on whoever opens the database carries erasures out before anything else.
async fn restore(
    place: &Place,
    backup: &Path,
    (journal, key): (Option<&Path>, Option<&Path>),
) -> anyhow::Result<Outcome> {
    let data = place.data.clone().unwrap_or_else(data_folder);
    let text =
        fs::read(backup.join(MANIFEST)).with_context(|| format!("{} holds no whole backup", backup.display()))?;
    let manifest: Manifest = serde_json::from_slice(&text).context("the backup's manifest cannot be read")?;
    let opened = if manifest.encrypted { Some(Scratch::new(&data)?) } else { None };
    let from = match &opened {
        Some(opened) => {
            let key = key.context("the backup is encrypted: name the file of a private key with --key")?;
            encrypted::decrypt(key, backup, opened.path())?;
            opened.path()
        }
        None => backup,
    };
    let dump = from.join(DUMP);
    ensure!(
        hash(&dump)?.0 == manifest.dump_sha256,
        "the backup is damaged: its database is not the one that was written"
    );
    let keys = Keys::open(&data)?;
    ensure!(
        data.join("keys/tombstones.hex").exists() && key_mark(&keys)? == manifest.tombstone_key,
        "the keys of the data folder are not those that the backup was made with: put them into {} first",
        data.join("keys").display()
    );
    let own = Journal::open(&data, &keys)?;
    let given = journal.map_or_else(|| Journal::at(own.path(), &keys), |path| Journal::at(path, &keys))?;
    ensure!(
        given.path().exists() || !from.join(JOURNAL).exists(),
        "the control journal is missing: give the newest one with --journal, or records that were erased and rights that ended would come back"
    );
    given.check_extends(&Journal::at(&from.join(JOURNAL), &keys)?)?;
    if journal.is_some() {
        given.check_extends(&own)?;
        super::exchange::write_whole(own.path(), &fs::read(given.path())?)?;
    }
    let settings = Settings::load(place.config.as_deref(), &data)?;
    let progress = Progress::begin("restore", 0);
    Database::restore(&settings.database, &data, &environment(), &SystemClock, &dump).await?;
    begin_era(&settings, &data, &manifest).await?;
    for folder in FOLDERS {
        copy_folder(&from.join(folder), &data.join(folder))?;
    }
    progress.done("the database stands as it was");
    let app = App::open_set_back(place, Access::Alone, None, Some(manifest.made_at)).await?;
    let done = say_restored(place, &app, &manifest).await;
    app.close().await?;
    done
}

async fn say_restored(place: &Place, app: &App, manifest: &Manifest) -> anyhow::Result<Outcome> {
    control::settle(app).await?;
    app.sequence().await?;
    let again = intake::erase::list(app.pool(), None).await?.len();
    if place.json {
        console::json(&json!({ "restored": manifest.made_at, "erasures": again }))?;
    } else {
        console::line(false, format!("restored as of {}; {again} erasures hold", manifest.made_at));
        console::line(
            false,
            "the ledger goes on from that backup: witnesses and consumers who keep a later checkpoint will say so",
        );
    }
    control::say_seals(app, place.json).await?;
    Ok(Outcome::Done)
}

/// How long a request to go on disclosing waits for two stewards.
const UNSEALING: TimeDelta = TimeDelta::days(7);

/// Holds the ledger against the last checkpoint that others keep, enters what was lost, and lifts the seals that wait for nothing else: on the word of two
/// stewards. Without it a request is put on file.
async fn unseal(place: &Place, options: Unseal) -> anyhow::Result<Outcome> {
    with_app(place, |app| async move {
        let by = super::identity::steward(&app, options.by.clone())?;
        if disclosure::seal::list(app.disclosure()).await?.is_empty() {
            console::line(place.json, "nothing is sealed");
            return Ok(Outcome::Done);
        }
        let digest = match &options.request {
            Some(named) => two::find(&app, named, Act::Unseal).await?.digest,
            None => match ask_unseal(place, &app, &options, &by).await? {
                Some(digest) => digest,
                None => return Ok(two::WAITS),
            },
        };
        let filed = two::find(&app, &digest.to_string(), Act::Unseal).await?;
        let Asked::Unseal(asked) = filed.asked else { bail!("the request is for another act") };
        let lost = match &asked.checkpoint {
            Some(text) => control::lost(&app, text).await?,
            None => None,
        };
        if let (Some(lost), false) = (&lost, place.json) {
            let (from, to) = (lost.from, lost.to.saturating_sub(1));
            console::line(false, format!("entries {from} to {to} of the log were lost: a gap entry names them"));
        }
        let own = own_ask(app.own_consumer()?, "steward", &by);
        let held =
            if asked.checkpoint.is_some() { "held against a kept checkpoint" } else { "nobody keeps a checkpoint" };
        let why = format!("{held}; {}; approved by {}", asked.reason, filed.approved_by.join(" and "));
        let used_for = app.entropy().uuid();
        disclosure::seal::compared(app.disclosure(), &own, (&by, &why), (digest, used_for), lost).await?;
        app.sequence().await?;
        control::lift(&app).await?;
        let is_sealed = control::say_seals(&app, place.json).await?;
        if !is_sealed {
            console::line(place.json, "nothing is sealed");
        }
        Ok(Outcome::of(is_sealed))
    })
    .await
}

/// Puts the request on file, after the checkpoint was held against this log; gives its digest if the sandbox's stewards have approved it.
async fn ask_unseal(place: &Place, app: &App, options: &Unseal, by: &str) -> anyhow::Result<Option<Digest>> {
    let checkpoint =
        options.checkpoint.as_deref().map(fs::read_to_string).transpose().context("cannot read the checkpoint")?;
    if let Some(text) = &checkpoint {
        control::lost(app, text).await?;
    }
    let since = disclosure::seal::list(app.disclosure()).await?.iter().map(|seal| seal.since).max();
    let since = since.context("nothing is sealed")?;
    let requested_at = app.clock().now();
    let request = UnsealRequest {
        checkpoint,
        consumer: app.own_consumer()?.clone(),
        expires_at: requested_at + UNSEALING,
        reason: options.reason.clone().context("a request says why")?,
        requested_at,
        requested_by: by.to_owned(),
        since,
    };
    let agreements = &*app.agreements;
    let digest = pg::run_tx(app.pool(), "cli.file_unsealing", Role::Agreements, |tx| {
        let request = &request;
        Box::pin(async move { agreements.file_unsealing(tx, request).await })
    })
    .await?;
    let asked = two::Asked {
        act: Act::Unseal,
        digest,
        consumer: &request.consumer,
        says: request.describe(),
        next: "throughline db unseal --request",
    };
    let approved = two::approved(place, app, &asked).await?;
    Ok(approved.then_some(digest))
}

/// Transaction ids begin anew in a restored database: the ledger's order is told so.
async fn begin_era(settings: &Settings, data: &Path, manifest: &Manifest) -> anyhow::Result<()> {
    let database = Database::open(&settings.database, data, &environment(), Access::Alone, &SystemClock).await?;
    let done = async {
        let mut connection = sqlx::PgConnection::connect_with(database.admin_options()).await?;
        let why = format!("restored from the backup of {}", manifest.made_at);
        ledger::begin_era(&mut connection, model::Clock::now(&SystemClock), &why).await?;
        Ok::<_, anyhow::Error>(connection.close().await?)
    }
    .await;
    database.close().await?;
    done
}
