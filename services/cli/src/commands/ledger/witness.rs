//! `throughline ledger witness`: a partner looks at the log, remembers what it saw, and cosigns it.

use std::{fs, path::Path};

use anyhow::{Context as _, anyhow};
use ledger::{Folder, KeyUse, SignedCheckpoint, Signer, VerifierKey, rotation::follow, witness};
use model::Clock as _;
use serde_json::json;

use super::fetch::{Log, is_address};
use crate::{
    args::{Place, Witness},
    commands::{Outcome, exchange::write_whole},
    console,
    keys::Keys,
    system::{SystemClock, SystemEntropy},
};

/// The last checkpoint that was cosigned, with the cosignature: what the next one is held against, and what partners verify by.
const SEEN: &str = "checkpoint";
/// The witness's public key, to hand out.
const PUBLIC: &str = "witness-key.txt";

/// A verifier key from a file.
pub fn verifier_key(path: &Path) -> anyhow::Result<VerifierKey> {
    let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    text.trim().parse().map_err(|error| anyhow!("{} is no verifier key: {error}", path.display()))
}

/// Looks at the log once, where it is published. What it saw is remembered before the cosignature is handed out.
pub async fn run(place: &Place, options: &Witness) -> anyhow::Result<Outcome> {
    fs::create_dir_all(&options.state).with_context(|| format!("cannot make {}", options.state.display()))?;
    let keys = Keys::open(&options.state)?;
    keys.signing_key("witness", &SystemEntropy)?;
    let signer = Signer::from_pem_file(&options.name, KeyUse::Witness, &keys.path("witness.pem"))?;
    write_whole(&options.state.join(PUBLIC), format!("{}\n", signer.public()).as_bytes())?;
    let mut published = if is_address(&options.tiles) {
        Some((Log::at(&options.tiles, options.ca.as_deref())?, tempfile::tempdir()?))
    } else {
        None
    };
    let path = published.as_ref().map_or_else(|| Path::new(&options.tiles), |(_, fetched)| fetched.path()).to_owned();
    let folder = Folder::new(&path);
    if let Some((log, _)) = &mut published {
        log.fetch_key_changes(&path).await?;
    }
    // A key that the one before did not name is nobody's.
    let log = match follow(&verifier_key(&options.log_key)?, &folder.key_changes()?) {
        Ok(keys) => keys,
        Err(error) => return refuse(place, &format!("a change of the log's key cannot be trusted: {error}")),
    };
    let text = match &mut published {
        Some((log, _)) => Some(log.checkpoint().await?),
        None => folder.find_checkpoint()?,
    };
    let text = text.with_context(|| format!("{} holds no checkpoint", options.tiles))?;
    let offered = match SignedCheckpoint::open(&text, &log) {
        Ok(open) => open,
        Err(error) => return refuse(place, &format!("the checkpoint is not the log's: {error}")),
    };
    let seen_at = options.state.join(SEEN);
    let seen = match fs::read_to_string(&seen_at) {
        Ok(text) => Some(
            SignedCheckpoint::open(&text, &log)
                .map_err(|error| anyhow!("the witness's own memory is damaged: {error}"))?,
        ),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(error) => return Err(error).context("cannot read what the witness saw"),
    };
    if let (Some((log, _)), Some(seen)) = (&mut published, &seen) {
        log.fetch_growth(seen.size(), offered.size(), &path).await?;
    }
    if let Err(refusal) = witness::hold_against(&folder, &offered, seen.as_ref())? {
        return refuse(place, &refusal.to_string());
    }
    let mut note = offered.note().clone();
    let seconds = u64::try_from(SystemClock.now().timestamp()).unwrap_or(0);
    note.add(signer.cosign(&note, seconds));
    write_whole(&seen_at, note.to_string().as_bytes())?;
    if let Some(out) = &options.out {
        write_whole(out, note.to_string().as_bytes())?;
    }
    if place.json {
        let (size, root) = (offered.size(), offered.root().to_string());
        console::json(&json!({ "cosigned": size, "root": root, "witness": options.name }))?;
    } else {
        let (by, size, root) = (&options.name, offered.size(), offered.root());
        console::line(false, format!("{by} cosigned {size} entries, root {root}"));
    }
    Ok(Outcome::Done)
}

/// Says that the log is not cosigned, and why: what was seen stays as it was.
fn refuse(place: &Place, words: &str) -> anyhow::Result<Outcome> {
    if place.json {
        console::json(&json!({ "refused": words }))?;
    } else {
        console::line(false, format!("NOT cosigned: {words}"));
    }
    Ok(Outcome::Found)
}
