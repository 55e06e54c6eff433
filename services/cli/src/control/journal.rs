//! The control journal: outside the database, so that a database set back to an earlier state is put right before anything is served.
//!
//! One line an act that takes something away: an erasure, ends of authority that a roster brought, a version that went out of force, a paper taken
//! back, an order to restrict, a match undone, a student parted in two. Lines are appended and never changed; each bears its number, the hash of the one before, and a signature by a key of this server. The number
//! of lines and the hash of the last are entered in the ledger, so that a journal that was cut is found out. It holds keyed hashes and our own
//! ids, no names and no state ids.

use std::{
    fs::{self, File},
    io::{BufRead as _, BufReader, Seek as _, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use agreements::{EndedVersion, RevokedCertification};
use anyhow::{Context as _, bail, ensure};
use chrono::{DateTime, Utc};
use ed25519_dalek::{Signature, Signer as _, SigningKey};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::{
    erasure::ErasureLine,
    kept::{OrderLine, PartedLine, UndoneLine},
};
use crate::{keys::Keys, system::SystemEntropy};

/// The folder, inside the data folder, of what outlives the database.
const FOLDER: &str = "control";
/// The journal's name.
pub const JOURNAL: &str = "journal.ndjson";
/// What the first line bears for the hash of the one before.
const BEGINNING: &str = "0000000000000000000000000000000000000000000000000000000000000000";
/// The key that signs its lines.
const KEY: &str = "control";

/// The folder of what outlives the database, made if needed.
pub fn control_folder(data: &Path) -> anyhow::Result<PathBuf> {
    crate::private::owners(data, FOLDER)
}

/// Whether a data folder has a journal: something was taken away in it once.
pub fn exists(data: &Path) -> bool {
    data.join(FOLDER).join(JOURNAL).metadata().is_ok_and(|file| file.len() > 0)
}

/// The journal of a program before this one, which nothing reads any more.
const FORMER: &str = "erasures.ndjson";

/// Refuses a data folder whose erasures stand in a journal that is not read: after a restore they would not be carried out again.
pub fn refuse_former(data: &Path) -> anyhow::Result<()> {
    let former = data.join(FOLDER).join(FORMER);
    let holds_lines = former.metadata().is_ok_and(|file| file.len() > 0);
    ensure!(
        !holds_lines || exists(data),
        "{} was written by an earlier version and is not read: carry its erasures out again (`erase request`) in a folder without it, so that \
         the control journal holds them, or keep to that version",
        former.display()
    );
    Ok(())
}

/// What a line is of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum What {
    /// Records were erased.
    Erasure(ErasureLine),
    /// A roster was taken: how far authority over its cases goes since.
    Roster {
        /// The agency.
        consumer: String,
        /// The roster, by our own number.
        roster: i64,
        /// The cases it changed.
        cases: Vec<CaseLine>,
    },
    /// A version went out of force.
    Ended(EndedVersion),
    /// A release, order or emergency was taken back.
    Revoked {
        /// Its digest.
        paper: String,
        /// When.
        revoked_at: DateTime<Utc>,
    },
    /// A recipient's certification was revoked.
    Uncertified(RevokedCertification),
    /// An order restricts a person, a domain or a fact.
    Ordered(OrderLine),
    /// A match was undone by a person.
    Undone(UndoneLine),
    /// A student proved to be two.
    Parted(PartedLine),
    /// The database was set back; what the lines before say of its rosters was carried out again.
    SetBack {
        /// When that was found.
        at: DateTime<Utc>,
        /// How many entries its ledger had then.
        entries: u64,
    },
}

/// How far authority over a case goes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CaseLine {
    /// The keyed hash of the client's and the case's ids.
    pub case: String,
    /// The first instant without authority; none is known where it is absent.
    pub ends_at: Option<DateTime<Utc>>,
}

/// A line, as it is signed.
#[derive(Serialize)]
struct Statement<'a> {
    number: u64,
    before: &'a str,
    what: &'a What,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    number: u64,
    before: String,
    what: What,
    signature: String,
}

/// The journal as it was read.
#[derive(Clone, Debug, Default)]
pub struct Lines {
    /// What its lines say, in order.
    pub all: Vec<What>,
    /// The hash of each.
    hashes: Vec<[u8; 32]>,
    /// Its length in bytes, without what a kill left of a last line.
    whole: u64,
}

impl Lines {
    /// How many lines it has, and the hash of the last; `None`: it has none.
    pub fn head(&self) -> Option<(u64, [u8; 32])> {
        self.hashes.last().map(|hash| (self.hashes.len() as u64, *hash))
    }

    /// Whether its first `count` lines end with the one of that hash.
    pub fn holds(&self, count: u64, hash: [u8; 32]) -> bool {
        let at = usize::try_from(count).ok().and_then(|count| count.checked_sub(1));
        at.is_some_and(|at| self.hashes.get(at) == Some(&hash))
    }
}

/// The journal of a data folder, or a copy of it.
pub struct Journal {
    path: PathBuf,
    key: SigningKey,
}

impl Journal {
    /// The journal of a data folder; it may not exist yet.
    pub fn open(data: &Path, keys: &Keys) -> anyhow::Result<Self> {
        Self::at(&control_folder(data)?.join(JOURNAL), keys)
    }

    /// A journal that was kept elsewhere, signed with the key of this data folder.
    pub fn at(path: &Path, keys: &Keys) -> anyhow::Result<Self> {
        Ok(Self { path: path.to_owned(), key: keys.signing_key(KEY, &SystemEntropy)? })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn locked(&self, name: &str) -> anyhow::Result<File> {
        let path = self.path.with_extension(name);
        Ok(File::options().create(true).truncate(false).write(true).mode(0o600).open(path)?)
    }

    /// Held by whoever carries erasures out; `None`: somebody else does. The kernel frees it when the process dies.
    pub fn lock_alone(&self) -> anyhow::Result<Option<File>> {
        let file = self.locked("erase.lock")?;
        match file.try_lock() {
            Ok(()) => Ok(Some(file)),
            Err(fs::TryLockError::WouldBlock) => Ok(None),
            Err(fs::TryLockError::Error(error)) => Err(error).context("cannot take the lock of erasures"),
        }
    }

    /// Its lines, after numbers, hashes and signatures were checked. A last line that was cut off by a kill is no line.
    pub fn read(&self) -> anyhow::Result<Lines> {
        let mut file = match File::open(&self.path) {
            Ok(file) => BufReader::new(file),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Lines::default()),
            Err(error) => return Err(error).context("cannot read the control journal"),
        };
        let (mut lines, mut before) = (Lines::default(), BEGINNING.to_owned());
        let mut text = String::new();
        while file.read_line(&mut text)? > 0 {
            let Some(content) = text.strip_suffix('\n') else { break };
            let number = lines.all.len() as u64 + 1;
            let line: Line = serde_json::from_str(content)
                .with_context(|| format!("line {number} of the control journal is damaged"))?;
            let holds = line.number == number && line.before == before && self.is_signed(&line)?;
            ensure!(holds, "the control journal was changed at line {number}");
            let hash: [u8; 32] = Sha256::digest(content).into();
            before = hex::encode(hash);
            lines.whole += text.len() as u64;
            lines.hashes.push(hash);
            lines.all.push(line.what);
            text.clear();
        }
        Ok(lines)
    }

    fn is_signed(&self, line: &Line) -> anyhow::Result<bool> {
        let statement = statement(line.number, &line.before, &line.what)?;
        let signature = hex::decode(&line.signature).ok().and_then(|bytes| Signature::from_slice(&bytes).ok());
        Ok(signature.is_some_and(|signature| self.key.verifying_key().verify_strict(&statement, &signature).is_ok()))
    }

    /// Appends what `new` makes of the lines so far, durably, alone among all who append; gives the journal as it is then.
    pub fn append(&self, new: impl FnOnce(&Lines) -> anyhow::Result<Vec<What>>) -> anyhow::Result<Lines> {
        let lock = self.locked("append.lock")?;
        lock.lock().context("cannot take the lock of the control journal")?;
        let lines = self.read()?;
        let added = new(&lines)?;
        if added.is_empty() {
            return Ok(lines);
        }
        let mut text = Vec::new();
        let (mut number, mut before) =
            lines.head().map_or_else(|| (0, BEGINNING.to_owned()), |(number, hash)| (number, hex::encode(hash)));
        for what in added {
            number += 1;
            let signature = hex::encode(self.key.sign(&statement(number, &before, &what)?).to_bytes());
            let line = serde_json::to_vec(&Line { number, before, what, signature })?;
            before = hex::encode(Sha256::digest(&line));
            text.extend(line);
            text.push(b'\n');
        }
        let mut file = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(&self.path)
            .context("cannot write the control journal")?;
        // What a kill left of a line goes.
        file.set_len(lines.whole)?;
        file.seek(std::io::SeekFrom::End(0))?;
        file.write_all(&text).and_then(|()| file.sync_all()).context("cannot write the control journal")?;
        if let Some(folder) = self.path.parent() {
            File::open(folder).and_then(|folder| folder.sync_all())?;
        }
        self.read()
    }

    /// Fails unless this journal goes on from an older one: a journal that lacks a line would bring back what it took away.
    pub fn check_extends(&self, older: &Self) -> anyhow::Result<()> {
        let (mine, theirs) = (self.read()?, older.read()?);
        match theirs.head() {
            Some((count, hash)) if !mine.holds(count, hash) => bail!(
                "the journal {} lacks lines that the backup's own copy holds: it is older than the backup, or another system's",
                self.path.display()
            ),
            _ => Ok(()),
        }
    }
}

fn statement(number: u64, before: &str, what: &What) -> anyhow::Result<Vec<u8>> {
    let mut bytes = b"throughline control journal/1\n".to_vec();
    serde_json::to_writer(&mut bytes, &Statement { number, before, what })?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn revoked(paper: &str) -> What {
        What::Revoked { paper: paper.to_owned(), revoked_at: DateTime::UNIX_EPOCH }
    }

    #[test]
    fn a_line_that_was_changed_moved_or_cut_is_found_out() {
        let folder = tempfile::tempdir().unwrap();
        let keys = Keys::open(folder.path()).unwrap();
        let journal = Journal::open(folder.path(), &keys).unwrap();
        let append = |paper: &str| journal.append(|_| Ok(vec![revoked(paper)])).unwrap();
        let first = append("aa");
        append("bb");
        let three = append("cc");
        assert_eq!(three.all, [revoked("aa"), revoked("bb"), revoked("cc")]);
        let (count, hash) = first.head().unwrap();
        assert!(three.holds(count, hash) && !three.holds(2, hash) && !three.holds(0, hash) && !three.holds(9, hash));

        let text = fs::read_to_string(journal.path()).unwrap();
        let check = |changed: String, words: &str| {
            fs::write(journal.path(), changed).unwrap();
            let error = format!("{:#}", journal.read().unwrap_err());
            assert!(error.contains(words), "{error}");
        };
        let lines: Vec<&str> = text.lines().collect();
        check(text.replace("\"bb\"", "\"dd\""), "changed at line 2");
        check(format!("{}\n{}\n", lines[0], lines[2]), "changed at line 2");
        check(format!("{}\n", lines[1]), "changed at line 1");
        check(format!("{}\nnothing\n", lines[0]), "line 2 of the control journal is damaged");
        // Cut at the end it still reads; that it was longer stands in the ledger.
        fs::write(journal.path(), format!("{}\n{}", lines[0], &lines[1][..20])).unwrap();
        let cut = journal.read().unwrap();
        let (count, hash) = three.head().unwrap();
        assert!(cut.all.len() == 1 && !cut.holds(count, hash));
        // What a kill left of a line is written over.
        assert_eq!(append("ee").all, [revoked("aa"), revoked("ee")]);
        // Another system's key.
        let other = tempfile::tempdir().unwrap();
        let stranger = Journal::at(journal.path(), &Keys::open(other.path()).unwrap()).unwrap();
        assert!(stranger.read().is_err());
    }
}
