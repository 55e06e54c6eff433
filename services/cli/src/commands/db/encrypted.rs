//! Backups that are encrypted to keys of the operators' (age): where they lie, and on the way there, nobody reads them.

use std::{
    fs,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, ensure};
use feeds::encrypt::{EXTENSION, Identity, Recipients};
use serde::Deserialize;

/// The backup's part of the configuration.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Public keys (`age1...`) that backups are encrypted to: any one of the private keys opens them. None: they are plain, for their owner only.
    pub encrypt_to: Vec<String>,
}

impl Config {
    /// Every mistake.
    pub fn mistakes(&self) -> Vec<String> {
        self.recipients().err().map(|why| format!("backup.encrypt_to: {why}")).into_iter().collect()
    }

    /// Whom backups are encrypted to.
    pub fn recipients(&self) -> Result<Recipients, String> {
        Recipients::parse(&self.encrypt_to)
    }
}

/// Encrypts all files of a folder into another, each by itself.
pub fn encrypt(recipients: &Recipients, from: &Path, to: &Path) -> anyhow::Result<()> {
    for (file, name) in files(from)? {
        let mut target = to.join(&name).into_os_string();
        target.push(format!(".{EXTENSION}"));
        let target = PathBuf::from(target);
        make_parent(&target)?;
        recipients.encrypt(&file, &target).with_context(|| format!("cannot encrypt {}", name.display()))?;
    }
    Ok(())
}

/// Decrypts what [`encrypt`] wrote into another folder, with a key file as `age-keygen` writes it.
pub fn decrypt(key: &Path, from: &Path, to: &Path) -> anyhow::Result<()> {
    let text = fs::read_to_string(key).with_context(|| format!("cannot read the key {}", key.display()))?;
    let key = Identity::read(&text).with_context(|| format!("{} holds no private key of age", key.display()))?;
    let mut count = 0;
    for (file, name) in files(from)? {
        if name.extension().is_none_or(|extension| extension != EXTENSION) {
            continue;
        }
        let target = to.join(name.with_extension(""));
        make_parent(&target)?;
        let out = fs::File::options().write(true).create_new(true).mode(0o600).open(&target);
        let out = out.with_context(|| format!("cannot write {}", target.display()))?;
        key.decrypt(&file, std::io::BufWriter::new(out))
            .with_context(|| format!("{} cannot be opened with this key, or is damaged", file.display()))?;
        count += 1;
    }
    ensure!(count > 0, "{} holds nothing encrypted", from.display());
    Ok(())
}

fn make_parent(path: &Path) -> anyhow::Result<()> {
    let parent = path.parent().context("a file without a folder")?;
    fs::create_dir_all(parent).with_context(|| format!("cannot make {}", parent.display()))
}

/// All files below a folder, with their names from there.
fn files(folder: &Path) -> anyhow::Result<Vec<(PathBuf, PathBuf)>> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(&next).with_context(|| format!("cannot read {}", next.display()))? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(folder).context("a file elsewhere")?.to_owned();
                found.push((path, name));
            }
        }
    }
    Ok(found)
}
