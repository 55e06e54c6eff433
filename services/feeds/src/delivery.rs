//! A delivery: files in a folder, whole or not at all, and a manifest that counts and hashes them.

use std::{
    fs::{self, File},
    io::{self, BufWriter, Write},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use disclosure::{DisclosedHistory, RunTotals, Scope, Withdrawn};
use model::{Masked, StudentId};
use pg::crash::{CrashPoint, hit};
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::{
    Error, RunDigest,
    formats::{self, Format},
};

/// The manifest's name. A delivery without it is not complete.
pub const MANIFEST: &str = "manifest.json";

/// Makes a file, or empties the one that is there: whom the folder's group holds may read it, and nobody else.
pub(crate) fn create_private(path: &Path) -> io::Result<File> {
    File::options().write(true).create(true).truncate(true).mode(0o640).open(path)
}

/// A file under its temporary name, hashed as it is written. Dropped unfinished, it never gets its own name.
pub struct PartFile {
    path: PathBuf,
    part: PathBuf,
    out: BufWriter<File>,
    hash: Sha256,
    bytes: u64,
    rows: u64,
}

impl PartFile {
    /// Begins a file of this name in a folder.
    pub fn create(folder: &Path, name: &str) -> Result<Self, Error> {
        let path = folder.join(name);
        let part = folder.join(format!("{name}.part"));
        let file = create_private(&part).map_err(|source| Error::File { path: part.clone(), source })?;
        Ok(Self { path, part, out: BufWriter::with_capacity(1 << 18, file), hash: Sha256::new(), bytes: 0, rows: 0 })
    }

    /// Writes bytes that are so many rows.
    pub fn append(&mut self, bytes: &[u8], rows: u64) -> Result<(), Error> {
        self.hash.update(bytes);
        self.bytes += bytes.len() as u64;
        self.rows += rows;
        self.out.write_all(bytes).map_err(|source| Error::File { path: self.part.clone(), source })
    }

    /// Counts rows whose bytes are written otherwise.
    pub const fn add_rows(&mut self, rows: u64) {
        self.rows += rows;
    }

    /// Makes the bytes durable and gives the file its name.
    pub fn finish(self) -> Result<FileEntry, Error> {
        let failed = |source| Error::File { path: self.part.clone(), source };
        let file = self.out.into_inner().map_err(|error| failed(error.into_error()))?;
        file.sync_all().map_err(failed)?;
        hit(CrashPoint::DeliverBeforeRename);
        fs::rename(&self.part, &self.path).map_err(failed)?;
        hit(CrashPoint::DeliverAfterRename);
        Ok(FileEntry {
            name: self.path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default(),
            bytes: self.bytes,
            rows: self.rows,
            sha256: hex::encode(self.hash.finalize()),
        })
    }
}

/// For libraries that write by themselves.
impl Write for PartFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = self.out.write(bytes)?;
        self.hash.update(bytes.get(..taken).unwrap_or_default());
        self.bytes += taken as u64;
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// A delivered file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FileEntry {
    /// Its name.
    pub name: String,
    /// Its size.
    pub bytes: u64,
    /// Its rows, headers apart.
    pub rows: u64,
    /// SHA-256 of its bytes, hex.
    pub sha256: String,
}

/// What a delivery holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Manifest {
    /// `delivery-manifest/1`.
    pub format: &'static str,
    /// The recipient.
    pub consumer: String,
    /// The office, if it is one office's part.
    pub office: Option<String>,
    /// The run.
    pub run: String,
    /// The agreement and its version.
    pub agreement: String,
    /// When the run began (RFC 3339).
    pub created_at: String,
    /// What was known then (RFC 3339).
    pub as_of: String,
    /// Histories disclosed.
    pub histories: u64,
    /// Clients of whom what was delivered before is to be destroyed: rows of `withdrawals.csv`.
    pub withdrawals: u64,
    /// Clients for whom nothing may be disclosed at present. For the SEA's own report: in the manifest it would tell a recipient that the state
    /// knows somebody of whom nothing may be told.
    #[serde(skip)]
    pub refused: u64,
    /// The clients it tells of, by the recipient's own person ids, and the students they are: all of them must still be so when it leaves.
    #[serde(skip)]
    pub clients: Masked<Vec<(String, StudentId)>>,
    /// The chain over the content digests in order ([`RunDigest`]), hex: the run's completion entry in the ledger holds the same.
    pub digest: String,
    /// The files.
    pub files: Vec<FileEntry>,
    /// What the files lack or leave out, and why.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub remarks: Vec<Remark>,
}

/// Something to say about the rows of a delivery: how often, in words, never a value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Remark {
    /// The kind of row.
    pub record: String,
    /// The field, as the format names it.
    pub field: Option<String>,
    /// A stable code such as `field.not_permitted`.
    pub rule: String,
    /// What it means.
    pub message: String,
    /// In how many rows.
    pub count: u64,
}

/// A delivery under way.
pub struct Delivery {
    folder: PathBuf,
    format: Box<dyn Format>,
    digest: RunDigest,
    histories: u64,
    clients: Vec<(String, StudentId)>,
    withdrawals: Vec<Withdrawn>,
}

/// The file of a delivery that says what of earlier ones is to be destroyed.
pub const WITHDRAWALS: &str = "withdrawals.csv";

impl Delivery {
    /// Begins a delivery of one format in a folder, which is made if needed. A manifest from before is taken away first: from
    /// here until [`Delivery::finish`] the folder holds no complete delivery.
    pub fn begin(folder: &Path, format: &str, scope: &Scope) -> Result<Self, Error> {
        Self::begin_with(folder, || formats::begin(format, folder, scope))
    }

    /// The same with a format that is no format of this crate: a state's own file, for one.
    pub fn begin_with(folder: &Path, format: impl FnOnce() -> Result<Box<dyn Format>, Error>) -> Result<Self, Error> {
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |source| Error::File { path, source }
        };
        fs::create_dir_all(folder).map_err(failed(folder))?;
        let manifest = folder.join(MANIFEST);
        match fs::remove_file(&manifest) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(failed(&manifest)(error)),
            _ => {}
        }
        Ok(Self {
            folder: folder.to_owned(),
            format: format()?,
            digest: RunDigest::default(),
            histories: 0,
            clients: Vec::new(),
            withdrawals: Vec::new(),
        })
    }

    /// Adds a history. It must have been recorded in the ledger: only then does one exist.
    pub fn add(&mut self, history: &DisclosedHistory) -> Result<(), Error> {
        self.format.write(history)?;
        self.digest.add(history.content_digest());
        self.histories += 1;
        self.clients.push((history.person_key().expose().clone(), history.student()));
        Ok(())
    }

    /// Adds a notice that what was delivered of a client is to be destroyed. It must have been recorded, as a history.
    pub fn withdraw(&mut self, notice: &Withdrawn) {
        self.digest.withdraw(notice.person_key.expose(), notice.reason, notice.destroy_by);
        self.withdrawals.push(notice.clone());
    }

    /// The digest and counts so far.
    pub fn totals(&self) -> RunTotals {
        RunTotals {
            histories: self.histories,
            withdrawals: self.withdrawals.len() as u64,
            digest: self.digest.finish(),
        }
    }

    /// Rows for a spreadsheet: who, why, until when, and the entry in the record of disclosures.
    fn write_withdrawals(&self) -> Result<Option<FileEntry>, Error> {
        if self.withdrawals.is_empty() {
            return Ok(None);
        }
        let mut file = PartFile::create(&self.folder, WITHDRAWALS)?;
        file.append(b"person_id,reason,destroy_by,withdrawal\r\n", 0)?;
        for one in &self.withdrawals {
            let key = one.person_key.expose().replace('"', "\"\"");
            let row = format!("\"{key}\",{},{},{}\r\n", one.reason, one.destroy_by, one.id);
            file.append(row.as_bytes(), 1)?;
        }
        file.finish().map(Some)
    }

    /// Completes the files, then writes the manifest, last.
    pub fn finish(mut self, mut manifest: Manifest) -> Result<Manifest, Error> {
        manifest.histories = self.histories;
        manifest.clients = Masked::new(std::mem::take(&mut self.clients));
        manifest.digest = hex::encode(self.digest.finish());
        manifest.withdrawals = self.withdrawals.len() as u64;
        let withdrawals = self.write_withdrawals()?;
        manifest.remarks = self.format.remarks();
        manifest.files = self.format.finish()?;
        manifest.files.extend(withdrawals);
        let mut file = PartFile::create(&self.folder, MANIFEST)?;
        let mut text = serde_json::to_vec_pretty(&manifest).map_err(Error::Manifest)?;
        text.push(b'\n');
        file.append(&text, 0)?;
        file.finish()?;
        Ok(manifest)
    }
}
