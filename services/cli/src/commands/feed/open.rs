//! `throughline feed open`: a delivered night held against its manifest, and opened.

use std::{
    fs::{self, File},
    io,
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
};

use anyhow::{Context as _, bail};
use feeds::{
    Carried, MANIFEST, NightManifest, bundle,
    encrypt::{EXTENSION, Identity, digest_of},
    sink::Digest,
};
use serde_json::{Value as Json, json};

use crate::{
    args::Place,
    commands::{Outcome, Usage},
    console,
};

/// Holds each file against the manifest and, with a key, opens it. A file that is not what the manifest says is not opened.
pub fn run(place: &Place, night: &Path, identity: Option<&Path>, out: Option<&Path>) -> anyhow::Result<Outcome> {
    let path = night.join(MANIFEST);
    let text = fs::read(&path)
        .with_context(|| format!("cannot read {}: without its manifest a delivery is not complete", path.display()))?;
    let manifest =
        NightManifest::parse(&text).with_context(|| format!("{} is no manifest of a night", path.display()))?;
    let identity = identity
        .map(|path| {
            let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
            Identity::read(&text).with_context(|| format!("{} holds no private key of age", path.display()))
        })
        .transpose()?;
    if out.is_some() && identity.is_none() && manifest.files.iter().any(|file| file.plaintext.is_some()) {
        bail!(Usage("what is encrypted is opened with --identity".to_owned()));
    }
    let mut wrong: Vec<Json> = Vec::new();
    for file in &manifest.files {
        let problem =
            open(night, file, identity.as_ref(), out).with_context(|| format!("cannot open {}", file.name))?;
        if let Some(problem) = problem {
            wrong.push(json!({ "file": file.name, "problem": problem }));
        }
    }
    if place.json {
        console::json(&json!({
            "consumer": manifest.consumer, "date": manifest.date, "files": manifest.files.len(),
            "encrypted": !manifest.encrypted_to.is_empty(), "opened": out.is_some(), "wrong": wrong,
        }))?;
    } else {
        console::line(
            false,
            format!(
                "{}: the night of {}, {} files, {} wrong",
                manifest.consumer,
                manifest.date,
                manifest.files.len(),
                wrong.len()
            ),
        );
        for one in &wrong {
            let said = |name: &str| one[name].as_str().unwrap_or_default().to_owned();
            console::line(false, format!("  {}: {}", said("file"), said("problem")));
        }
    }
    Ok(Outcome::of(!wrong.is_empty()))
}

fn is_as_told(found: &Digest, bytes: u64, sha256: &str) -> bool {
    found.bytes == bytes && hex::encode(found.sha256) == sha256
}

/// One file; what is wrong with it, if anything is.
fn open(
    night: &Path,
    file: &Carried,
    identity: Option<&Identity>,
    out: Option<&Path>,
) -> anyhow::Result<Option<&'static str>> {
    let path = night.join(&file.name);
    let found = match digest_of(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Some("it is not there")),
        found => found?,
    };
    if !is_as_told(&found, file.bytes, &file.sha256) {
        return Ok(Some("it is not what the manifest says"));
    }
    let (Some(plain), Some(identity)) = (&file.plaintext, identity) else {
        let Some(out) = out else { return look(&path) };
        let target = out.join(&file.name);
        let part = begin(&target)?;
        fs::copy(&path, &part)?;
        fs::rename(&part, &target)?;
        return look(&target);
    };
    let Some(out) = out else {
        let opened = identity.decrypt(&path, io::sink());
        let is_good = opened.is_ok_and(|opened| is_as_told(&opened, plain.bytes, &plain.sha256));
        return Ok((!is_good).then_some(NOT_OURS));
    };
    let target = out.join(file.name.strip_suffix(&format!(".{EXTENSION}")).unwrap_or(&file.name));
    let part = begin(&target)?;
    let opened = identity.decrypt(&path, io::BufWriter::new(private(&part)?));
    if !opened.is_ok_and(|opened| is_as_told(&opened, plain.bytes, &plain.sha256)) {
        fs::remove_file(&part)?;
        return Ok(Some(NOT_OURS));
    }
    File::open(&part)?.sync_all()?;
    fs::rename(&part, &target)?;
    look(&target)
}

/// Of a file that the key does not open, or that opens to something else.
const NOT_OURS: &str = "it does not open with this key to what the manifest says";

/// A bundle must hold what its own manifest says, too.
fn look(path: &Path) -> anyhow::Result<Option<&'static str>> {
    let is_bundle = path.extension().is_some_and(|extension| extension == "zip");
    let is_whole = !is_bundle || bundle::verify(path)?.is_some();
    Ok((!is_whole).then_some("it does not hold what its own manifest says"))
}

/// The folder of a file is made; gives the name that the file bears until it is whole.
fn begin(target: &Path) -> anyhow::Result<std::path::PathBuf> {
    if let Some(folder) = target.parent() {
        fs::create_dir_all(folder)?;
    }
    Ok(target.with_added_extension("part"))
}

fn private(path: &Path) -> io::Result<File> {
    File::options().write(true).create(true).truncate(true).mode(0o600).open(path)
}
