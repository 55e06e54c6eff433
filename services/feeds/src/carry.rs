//! Taking a night to its target: each file encrypted if asked, put there whole, read back, tried again; the manifest last.

use std::{
    io::Write as _,
    path::{Path, PathBuf},
    time::Duration,
};

use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};

use crate::{
    Error, MANIFEST,
    delivery::create_private,
    encrypt::{EXTENSION, Recipients, digest_of},
    plan::{Plan, Retry},
    sink::{Digest, FileSink, Problem},
};

/// What a manifest of a night is.
pub const FORMAT: &str = "night-manifest/1";

/// A file that a night brings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Load {
    /// Where it lies.
    pub path: PathBuf,
    /// What it is called at the target, below the night's folder; `/` parts folders.
    pub name: String,
}

/// What a night brings, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Night {
    /// The recipient.
    pub consumer: String,
    /// The night, as its folder is called.
    pub date: String,
    /// When it was made (RFC 3339).
    pub created_at: String,
    /// Its files.
    pub files: Vec<Load>,
}

/// The manifest of a night as it lies at its target: the delivery is complete if, and only if, it is there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NightManifest {
    /// `night-manifest/1`.
    pub format: String,
    /// The recipient.
    pub consumer: String,
    /// The night.
    pub date: String,
    /// When it was made (RFC 3339).
    pub created_at: String,
    /// The public keys it is encrypted to; none: it is in clear.
    pub encrypted_to: Vec<String>,
    /// The files.
    pub files: Vec<Carried>,
}

/// A file as it was delivered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Carried {
    /// Its name below the night's folder.
    pub name: String,
    /// Its size as delivered, encrypted or not.
    pub bytes: u64,
    /// SHA-256 of its bytes as delivered, hex.
    pub sha256: String,
    /// What it is when opened, if it is encrypted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plaintext: Option<Plaintext>,
}

/// A file before it was encrypted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plaintext {
    /// Its size.
    pub bytes: u64,
    /// SHA-256 of its bytes, hex.
    pub sha256: String,
}

impl NightManifest {
    /// Reads one; `None`: it is none.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let manifest: Self = serde_json::from_slice(bytes).ok()?;
        let is_name = |name: &str| name.split('/').all(|part| !matches!(part, "" | "." | "..") && !part.contains('\\'));
        (manifest.format == FORMAT && manifest.files.iter().all(|file| is_name(&file.name))).then_some(manifest)
    }
}

/// Asks whether the night may still leave: no, once authority over somebody in it has ended.
pub type MayLeave<'a> = dyn Fn() -> BoxFuture<'a, Result<bool, Problem>> + Send + Sync + 'a;

/// Takes a night to its target. Before each file, and before each further attempt at one, it is asked whether the night may still leave. Encrypted
/// files lie in `workshop`, one at a time, and are removed. Gives what was delivered.
pub async fn carry(
    plan: &Plan,
    sink: &mut dyn FileSink,
    night: &Night,
    workshop: &Path,
    may_leave: &MayLeave<'_>,
) -> Result<NightManifest, Error> {
    let recipients = Recipients::parse(&plan.encrypt_to).map_err(|mistake| Error::Encrypt(mistake.into()))?;
    let mut carrier = Carrier { retry: plan.retry, sink, night, workshop, may_leave };
    let mut files = Vec::with_capacity(night.files.len());
    for load in &night.files {
        files.push(carrier.take(load, &recipients).await?);
    }
    let manifest = NightManifest {
        format: FORMAT.to_owned(),
        consumer: night.consumer.clone(),
        date: night.date.clone(),
        created_at: night.created_at.clone(),
        encrypted_to: plan.encrypt_to.clone(),
        files,
    };
    let mut text = serde_json::to_vec_pretty(&manifest).map_err(Error::Manifest)?;
    text.push(b'\n');
    let made = carrier.make(&text)?;
    carrier.put(MANIFEST, made.path(), digest(made.path())?).await?;
    Ok(manifest)
}

struct Carrier<'a, 'f> {
    retry: Retry,
    sink: &'a mut dyn FileSink,
    night: &'a Night,
    workshop: &'a Path,
    may_leave: &'a MayLeave<'f>,
}

/// A file that is removed when it has served.
struct Made(PathBuf);

impl Made {
    fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Made {
    fn drop(&mut self) {
        drop(std::fs::remove_file(&self.0));
    }
}

impl Carrier<'_, '_> {
    /// A file of ours under a name that says that it is not complete: an erasure looks into such files too.
    fn make(&self, bytes: &[u8]) -> Result<Made, Error> {
        let path = self.workshop.join("leaving.part");
        let made = Made(path.clone());
        let written = create_private(&path).and_then(|mut file| file.write_all(bytes));
        written.map_err(|source| Error::File { path, source })?;
        Ok(made)
    }

    async fn take(&mut self, load: &Load, recipients: &Recipients) -> Result<Carried, Error> {
        let plain = digest(&load.path)?;
        if recipients.is_empty() {
            self.put(&load.name, &load.path, plain).await?;
            return Ok(Carried {
                name: load.name.clone(),
                bytes: plain.bytes,
                sha256: hex::encode(plain.sha256),
                plaintext: None,
            });
        }
        let made = self.make(b"")?;
        let sealed = recipients.encrypt(&load.path, made.path())?;
        let name = format!("{}.{EXTENSION}", load.name);
        self.put(&name, made.path(), sealed).await?;
        let plaintext = Some(Plaintext { bytes: plain.bytes, sha256: hex::encode(plain.sha256) });
        Ok(Carried { name, bytes: sealed.bytes, sha256: hex::encode(sealed.sha256), plaintext })
    }

    /// Puts a file and reads it back, as often as the document allows.
    async fn put(&mut self, name: &str, from: &Path, expected: Digest) -> Result<(), Error> {
        let name = format!("{}/{name}", self.night.date);
        let mut failed = 0;
        loop {
            match (self.may_leave)().await {
                Ok(true) => {}
                Ok(false) => return Err(Error::Withheld),
                Err(problem) => return Err(Error::Target { file: name, attempts: failed, source: problem }),
            }
            let limit = Duration::from_millis(self.retry.timeout_ms);
            let done = tokio::time::timeout(limit, self.attempt(&name, from, expected)).await;
            let problem = match done {
                Ok(Ok(())) => return Ok(()),
                Ok(Err(problem)) => problem,
                Err(_) => "it took too long".into(),
            };
            failed += 1;
            if failed >= self.retry.attempts {
                return Err(Error::Target { file: name, attempts: failed, source: problem });
            }
            tracing::warn!(attempt = failed, error = %problem, "a delivery could not be taken to its target; it is tried again");
            tokio::time::sleep(self.retry.backoff(failed)).await;
        }
    }

    async fn attempt(&mut self, name: &str, from: &Path, expected: Digest) -> Result<(), Problem> {
        self.sink.put(name, from).await?;
        match self.sink.read_back(name).await? {
            Some(found) if found == expected => Ok(()),
            Some(found) => Err(format!("read back it has {} bytes, or others than were sent", found.bytes).into()),
            None => Err("read back it is not there".into()),
        }
    }
}

fn digest(path: &Path) -> Result<Digest, Error> {
    digest_of(path).map_err(|source| Error::File { path: path.to_owned(), source })
}
