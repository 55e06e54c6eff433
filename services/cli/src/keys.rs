//! Keys in the data folder: made at first need, readable by their owner only.

use std::{
    fs,
    io::Write as _,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, anyhow, ensure};
use ed25519_dalek::{
    SigningKey, VerifyingKey,
    pkcs8::{DecodePrivateKey as _, DecodePublicKey as _, EncodePrivateKey as _, spki::der::pem::LineEnding},
};
use ledger::VerifierKey;
use model::Entropy;

/// Where the log's first public key is kept when it is changed.
const FIRST_LOG_KEY: &str = "log-key-first.txt";

/// Keys that nothing can take the place of.
const LASTING: [&str; 3] = ["tombstones", "ledger", "control"];

/// The folder of keys.
#[derive(Clone, Debug)]
pub struct Keys {
    folder: PathBuf,
    /// The data folder has been worked with.
    is_in_use: bool,
}

impl Keys {
    /// Keys below a data folder, made if needed.
    pub fn open(data: &Path) -> anyhow::Result<Self> {
        let folder = crate::private::owners(data, "keys")?;
        Ok(Self { folder, is_in_use: crate::control::journal::exists(data) })
    }

    /// The file of a key.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Whether a key is missing and may be drawn. Not so those that what was written before rests on, once there is such: with another
    /// tombstone key erased children would load again, with another ledger key the log would go on under a stranger's name.
    fn is_to_be_drawn(&self, path: &Path, name: &str) -> anyhow::Result<bool> {
        let is_missing = !path.exists();
        ensure!(
            !(is_missing && self.is_in_use && LASTING.contains(&name)),
            "the key {} is missing: put it back from where the keys are backed up; another would not do",
            path.display()
        );
        Ok(is_missing)
    }

    /// 32 secret bytes by name, drawn at first need.
    pub fn secret(&self, name: &str, entropy: &dyn Entropy) -> anyhow::Result<[u8; 32]> {
        if self.is_to_be_drawn(&self.path(&format!("{name}.hex")), name)? {
            let mut secret = [0; 32];
            entropy.fill(&mut secret);
            self.keep_secret(name, &secret)?;
        }
        self.find_secret(name)?.with_context(|| format!("cannot read the secret {name}"))
    }

    /// Keeps 32 secret bytes under a name.
    pub fn keep_secret(&self, name: &str, secret: &[u8; 32]) -> anyhow::Result<()> {
        write_new(&self.path(&format!("{name}.hex")), hex::encode(secret).as_bytes())
    }

    /// 32 secret bytes by name, if they are there.
    pub fn find_secret(&self, name: &str) -> anyhow::Result<Option<[u8; 32]>> {
        let path = self.path(&format!("{name}.hex"));
        if !path.exists() {
            return Ok(None);
        }
        let text = fs::read_to_string(&path).with_context(|| format!("cannot read the secret {name}"))?;
        let bytes = hex::decode(text.trim()).map_err(|_| anyhow!("the secret {name} is damaged"))?;
        bytes.try_into().map(Some).map_err(|_| anyhow!("the secret {name} is damaged"))
    }

    /// Notes that what was on file before a secret is still to be vouched for by it.
    pub fn mark_unvouched(&self, name: &str) -> anyhow::Result<()> {
        write_new(&self.unvouched(name), b"what was on file before this key is not vouched for yet\n")?;
        self.sync()
    }

    /// Whether what was on file before a secret is still to be vouched for by it.
    pub fn is_unvouched(&self, name: &str) -> bool {
        self.unvouched(name).exists()
    }

    /// Notes that all of it is.
    pub fn clear_unvouched(&self, name: &str) -> anyhow::Result<()> {
        fs::remove_file(self.unvouched(name)).context("a mark beside the keys cannot be removed")?;
        self.sync()
    }

    fn unvouched(&self, name: &str) -> PathBuf {
        self.path(&format!("{name}.unvouched"))
    }

    /// What was written or removed is so after a crash of the machine too.
    fn sync(&self) -> anyhow::Result<()> {
        Ok(fs::File::open(&self.folder).and_then(|folder| folder.sync_all())?)
    }

    /// The public key that the log signed with first, kept when it is changed.
    pub fn first_log_key(&self) -> anyhow::Result<Option<VerifierKey>> {
        match fs::read_to_string(self.path(FIRST_LOG_KEY)) {
            Ok(text) => {
                Ok(Some(text.trim().parse().map_err(|error| anyhow!("the log's first key is damaged: {error}"))?))
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).context("cannot read the log's first key"),
        }
    }

    /// Keeps the public key that the log signed with first, unless an earlier one is kept.
    pub fn remember_first_log_key(&self, key: &VerifierKey) -> anyhow::Result<()> {
        if self.first_log_key()?.is_some() {
            return Ok(());
        }
        write_new(&self.path(FIRST_LOG_KEY), format!("{key}\n").as_bytes())
    }

    /// Puts a key in the place of another, which is gone then.
    pub fn replace(&self, name: &str, by: &str) -> anyhow::Result<()> {
        fs::rename(self.path(&format!("{by}.pem")), self.path(&format!("{name}.pem")))?;
        self.sync()
    }

    /// An Ed25519 key by name, drawn at first need, PKCS#8 PEM.
    pub fn signing_key(&self, name: &str, entropy: &dyn Entropy) -> anyhow::Result<SigningKey> {
        let path = self.path(&format!("{name}.pem"));
        if self.is_to_be_drawn(&path, name)? {
            let mut seed = [0; 32];
            entropy.fill(&mut seed);
            let pem = SigningKey::from_bytes(&seed)
                .to_pkcs8_pem(LineEnding::LF)
                .map_err(|error| anyhow!("cannot write the key {name}: {error}"))?;
            write_new(&path, pem.as_bytes())?;
        }
        let pem = fs::read_to_string(&path).with_context(|| format!("cannot read the key {name}"))?;
        SigningKey::from_pkcs8_pem(&pem).map_err(|error| anyhow!("the key {name} is damaged: {error}"))
    }
}

/// A steward's public key.
pub fn public_key(path: &Path) -> anyhow::Result<VerifyingKey> {
    let pem = fs::read_to_string(path).with_context(|| format!("cannot read the public key {}", path.display()))?;
    VerifyingKey::from_public_key_pem(&pem)
        .map_err(|error| anyhow!("{} is no Ed25519 public key: {error}", path.display()))
}

/// A steward's private key, PKCS#8 PEM.
pub fn private_key(path: &Path) -> anyhow::Result<SigningKey> {
    let pem = fs::read_to_string(path).with_context(|| format!("cannot read the key {}", path.display()))?;
    // What the parser says of a broken key is left out: it could quote it.
    SigningKey::from_pkcs8_pem(&pem).map_err(|_| anyhow!("{} is no Ed25519 private key in PEM", path.display()))
}

/// Writes a file that must not exist, for its owner only: whole or not at all.
pub fn write_new(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let part = path.with_extension("part");
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&part)
        .with_context(|| format!("cannot write {}", part.display()))?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&part, path).with_context(|| format!("cannot write {}", path.display()))
}
