//! The journal of erasures: outside the database, so that a database restored from an older backup is put right before anything is served.
//!
//! One line an erasure, appended and never changed; each bears the hash of the one before. It holds keyed hashes and our own ids, no names and no state
//! ids.

use std::{
    fs::{self, File},
    io::{BufRead as _, BufReader, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, bail, ensure};
use intake::erase::{Buried, Erasure, FactName, Order, Tombstone};
use model::{Domain, NaturalKey, SourcePersonId, StudentId};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

/// The folder, inside the data folder, of what outlives the database.
const FOLDER: &str = "control";
/// The journal's name.
const JOURNAL: &str = "erasures.ndjson";
/// What the first line bears for the hash of the one before.
const BEGINNING: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// The folder of what outlives the database, made if needed.
pub fn control_folder(data: &Path) -> anyhow::Result<PathBuf> {
    let folder = data.join(FOLDER);
    fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder).context("cannot make the control folder")?;
    Ok(folder)
}

/// The journal of a data folder.
pub struct Journal {
    path: PathBuf,
    lock: PathBuf,
}

/// One erasure as the journal holds it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Line {
    /// SHA-256 of the line before.
    before: String,
    /// The erasure.
    pub erasure: Uuid,
    request: String,
    student: Uuid,
    source_persons: Vec<i64>,
    fact: Option<FactLine>,
    ground: String,
    order_number: String,
    approved_by: Vec<String>,
    begun_at: chrono::DateTime<chrono::Utc>,
    tombstones: Vec<StoneLine>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct FactLine {
    source_person: i64,
    domain: String,
    natural_key: Uuid,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoneLine {
    of: String,
    hash: String,
    id_length: Option<usize>,
}

impl Line {
    fn of(erasure: &Erasure, stones: &[Tombstone], before: String) -> Self {
        let Order { id, request, student, fact, ground, order_number, approved_by } = &erasure.order;
        let stone = |stone: &Tombstone| {
            let (of, id_length) = match stone.buried {
                Buried::Fact => ("fact", None),
                Buried::Person(length) => ("person", Some(length)),
                Buried::Client => ("client", None),
            };
            StoneLine { of: of.to_owned(), hash: hex::encode(stone.hash), id_length }
        };
        Self {
            before,
            erasure: *id,
            request: hex::encode(request),
            student: student.0,
            source_persons: erasure.persons.iter().map(|person| person.0).collect(),
            fact: fact.as_ref().map(|fact| FactLine {
                source_person: fact.person.0,
                domain: fact.domain.name().to_owned(),
                natural_key: Uuid::from_bytes(fact.key.0),
            }),
            ground: ground.as_str().to_owned(),
            order_number: order_number.clone(),
            approved_by: approved_by.clone(),
            begun_at: erasure.begun_at,
            tombstones: stones.iter().map(stone).collect(),
        }
    }

    /// The erasure that the line is of: the order, the source persons, the tombstones.
    pub fn read(&self) -> anyhow::Result<(Order, Vec<SourcePersonId>, Vec<Tombstone>)> {
        let damaged = || format!("the line of erasure {} in the journal is damaged", self.erasure);
        let hash = |text: &str| hex::decode(text).ok().and_then(|hash| <[u8; 32]>::try_from(hash).ok());
        let stone = |stone: &StoneLine| {
            let buried = match (stone.of.as_str(), stone.id_length) {
                ("fact", None) => Buried::Fact,
                ("person", Some(length)) => Buried::Person(length),
                ("client", None) => Buried::Client,
                _ => return None,
            };
            Some(Tombstone { hash: hash(&stone.hash)?, buried })
        };
        let fact = self.fact.as_ref().map(|fact| {
            let domain: Domain = fact.domain.parse().ok()?;
            let key = NaturalKey(*fact.natural_key.as_bytes());
            Some(FactName { person: SourcePersonId(fact.source_person), domain, key })
        });
        let fact = match fact {
            Some(read) => Some(read.with_context(damaged)?),
            None => None,
        };
        let order = Order {
            id: self.erasure,
            request: hash(&self.request).with_context(damaged)?,
            student: StudentId(self.student),
            fact,
            ground: self.ground.parse().ok().with_context(damaged)?,
            order_number: self.order_number.clone(),
            approved_by: self.approved_by.clone(),
        };
        let stones = self.tombstones.iter().map(stone).collect::<Option<Vec<_>>>().with_context(damaged)?;
        Ok((order, self.source_persons.iter().map(|person| SourcePersonId(*person)).collect(), stones))
    }
}

impl Journal {
    /// The journal of a data folder; it may not exist yet.
    pub fn open(data: &Path) -> anyhow::Result<Self> {
        let folder = control_folder(data)?;
        Ok(Self { path: folder.join(JOURNAL), lock: folder.join("erase.lock") })
    }

    /// A journal that was kept elsewhere.
    pub fn at(path: &Path) -> Self {
        Self { path: path.to_owned(), lock: path.with_extension("lock") }
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Held by whoever carries erasures out; `None`: somebody else does. The kernel frees it when the process dies.
    pub fn lock_alone(&self) -> anyhow::Result<Option<File>> {
        let file = File::options().create(true).truncate(false).write(true).mode(0o600).open(&self.lock)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(file)),
            Err(fs::TryLockError::WouldBlock) => Ok(None),
            Err(fs::TryLockError::Error(error)) => Err(error).context("cannot take the lock of erasures"),
        }
    }

    /// Its lines, in order, after their chain of hashes was checked. A last line that was cut off by a kill is no line.
    pub fn lines(&self) -> anyhow::Result<Vec<Line>> {
        Ok(self.read()?.0)
    }

    /// Its lines, and the hash that the next one bears.
    fn read(&self) -> anyhow::Result<(Vec<Line>, String, u64)> {
        let mut file = match File::open(&self.path) {
            Ok(file) => BufReader::new(file),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Ok((Vec::new(), BEGINNING.to_owned(), 0));
            }
            Err(error) => return Err(error).context("cannot read the journal of erasures"),
        };
        let (mut lines, mut before, mut whole) = (Vec::new(), BEGINNING.to_owned(), 0);
        let mut text = String::new();
        while file.read_line(&mut text)? > 0 {
            let Some(content) = text.strip_suffix('\n') else { break };
            let line: Line = serde_json::from_str(content)
                .with_context(|| format!("line {} of the journal of erasures is damaged", lines.len() + 1))?;
            ensure!(line.before == before, "the journal of erasures was changed at line {}", lines.len() + 1);
            before = hex::encode(Sha256::digest(content));
            whole += text.len() as u64;
            lines.push(line);
            text.clear();
        }
        Ok((lines, before, whole))
    }

    /// Enters an erasure, durably; one that is there stays as it is.
    pub fn enter(&self, erasure: &Erasure, stones: &[Tombstone]) -> anyhow::Result<()> {
        let (lines, before, whole) = self.read()?;
        if lines.iter().any(|line| line.erasure == erasure.order.id) {
            return Ok(());
        }
        let mut file = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(&self.path)
            .context("cannot write the journal of erasures")?;
        // What a kill left of a line goes.
        file.set_len(whole)?;
        std::io::Seek::seek(&mut file, std::io::SeekFrom::End(0))?;
        let mut text = serde_json::to_vec(&Line::of(erasure, stones, before))?;
        text.push(b'\n');
        file.write_all(&text).and_then(|()| file.sync_all()).context("cannot write the journal of erasures")?;
        if let Some(folder) = self.path.parent() {
            File::open(folder).and_then(|folder| folder.sync_all())?;
        }
        Ok(())
    }

    /// Fails unless this journal goes on from an older one: a journal that lacks an erasure would bring it back.
    pub fn check_extends(&self, older: &Self) -> anyhow::Result<()> {
        let (mine, theirs) = (self.lines()?, older.lines()?);
        for (number, line) in theirs.iter().enumerate() {
            match mine.get(number) {
                Some(own) if own.erasure == line.erasure && own.before == line.before => {}
                _ => bail!(
                    "the journal {} lacks an erasure that the backup's own copy holds: it is older than the backup, or another system's",
                    self.path.display()
                ),
            }
        }
        Ok(())
    }
}
