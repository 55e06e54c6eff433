//! Code tables: what the codes in a state's files mean, edition by edition.
//!
//! A table is data (`tables/<sea>/<id>.toml`). An edition says for which school years it holds and whether the state publishes
//! it (verified) or it had to be completed (provisional): a code outside a provisional table is worth a warning, one outside a
//! verified table is an error, unless the table says otherwise.

use std::{
    collections::{BTreeMap, HashMap},
    hash::{BuildHasherDefault, Hasher},
    sync::LazyLock,
};

use model::SchoolYear;
use serde::Deserialize;

mod builtin;

/// Whether the state publishes an edition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TableStatus {
    /// As the state publishes it.
    Verified,
    /// Completed by us where the state's own is not public.
    Provisional,
}

/// What a code outside the edition means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Unknown {
    /// The record is wrong.
    Error,
    /// The edition may be incomplete: somebody should look.
    Warning,
}

/// A code and what it means.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Code {
    /// As files write it.
    pub code: String,
    /// As people read it.
    pub label: String,
    /// What rules may ask of it (`ein_required`, `days_required`, ...).
    #[serde(default)]
    pub flags: Vec<String>,
    /// Published or completed, where it differs from its edition.
    pub status: Option<TableStatus>,
}

/// The codes of some school years.
#[derive(Clone, Debug)]
pub struct Edition {
    /// The first school year it holds for; `None`: since ever.
    pub from: Option<SchoolYear>,
    /// The last; `None`: until further notice.
    pub to: Option<SchoolYear>,
    /// Published or completed.
    pub status: TableStatus,
    /// What a code outside it means.
    pub unknown: Unknown,
    /// Where it comes from.
    pub source: String,
    /// The codes, in the order of the table.
    pub codes: Vec<Code>,
    index: HashMap<String, usize, BuildHasherDefault<CodeHasher>>,
}

/// Hashes the few bytes of a code, of which a file has millions. Tables are ours, so it need not withstand an attack.
#[derive(Clone, Copy, Debug, Default)]
struct CodeHasher(u64);

impl Hasher for CodeHasher {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            // FNV-1a.
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    fn finish(&self) -> u64 {
        // The table looks at the highest bits too, which the last bytes have not reached.
        self.0 ^ self.0.rotate_left(32).wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }
}

impl Edition {
    /// The code of this spelling.
    pub fn find(&self, code: &str) -> Option<&Code> {
        self.index.get(code).and_then(|place| self.codes.get(*place))
    }

    fn holds_for(&self, year: SchoolYear) -> bool {
        self.from.is_none_or(|from| from <= year) && self.to.is_none_or(|to| year <= to)
    }

    fn distance(&self, year: SchoolYear) -> i16 {
        let before = self.from.map_or(0, |from| (from.0 - year.0).max(0));
        let after = self.to.map_or(0, |to| (year.0 - to.0).max(0));
        before.max(after)
    }
}

/// A code table.
#[derive(Clone, Debug)]
pub struct CodeTable {
    /// Its id, as layouts name it.
    pub id: String,
    /// Its name, with the letter the state gives it.
    pub title: String,
    editions: Vec<Edition>,
}

/// The edition to read a code by.
#[derive(Clone, Copy, Debug)]
pub enum EditionMatch<'a> {
    /// The edition of the school year.
    Exact(&'a Edition),
    /// No edition holds for the school year: the nearest one.
    Nearest(&'a Edition),
}

impl<'a> EditionMatch<'a> {
    /// The edition, exact or not.
    pub const fn edition(self) -> &'a Edition {
        match self {
            Self::Exact(edition) | Self::Nearest(edition) => edition,
        }
    }
}

impl CodeTable {
    /// The editions, the earliest first.
    pub fn editions(&self) -> &[Edition] {
        &self.editions
    }

    /// The edition of a school year, or the latest for a record that has none. `None` for a table without editions.
    pub fn edition(&self, year: Option<SchoolYear>) -> Option<EditionMatch<'_>> {
        let Some(year) = year else {
            return self.editions.last().map(EditionMatch::Exact);
        };
        if let Some(edition) = self.editions.iter().rev().find(|edition| edition.holds_for(year)) {
            return Some(EditionMatch::Exact(edition));
        }
        self.editions.iter().min_by_key(|edition| edition.distance(year)).map(EditionMatch::Nearest)
    }
}

/// A table cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("code table {table}: {what}")]
pub struct TableError {
    /// Which one, as far as is known.
    pub table: String,
    /// What is wrong with it.
    pub what: String,
}

/// The code tables of a state.
#[derive(Clone, Debug, Default)]
pub struct Tables {
    tables: BTreeMap<String, CodeTable>,
}

impl Tables {
    /// The tables the program brings for a state, or for the SIF data model (`sif`); `None` for one it knows nothing of.
    pub fn builtin(sea: &str) -> Option<&'static Self> {
        // Cannot fail: the tables are part of the program, and a test reads every one.
        #[expect(clippy::panic, reason = "a table of our own that cannot be read is a defect of the program")]
        static BUILTIN: LazyLock<BTreeMap<&str, Tables>> =
            LazyLock::new(|| builtin::all().unwrap_or_else(|error| panic!("{error}")));
        BUILTIN.get(sea)
    }

    /// The table of an id.
    pub fn find(&self, id: &str) -> Option<&CodeTable> {
        self.tables.get(id)
    }

    /// All tables, by id.
    pub fn iter(&self) -> impl Iterator<Item = &CodeTable> {
        self.tables.values()
    }

    /// Reads a table from its TOML and adds it, replacing one of the same id.
    pub fn add_toml(&mut self, text: &str) -> Result<(), TableError> {
        let file: TableFile = toml::from_str(text)
            .map_err(|error| TableError { table: "(unreadable)".to_owned(), what: error.to_string() })?;
        self.add(file)
    }

    fn add(&mut self, file: TableFile) -> Result<(), TableError> {
        let mut editions = Vec::new();
        for edition in file.editions {
            editions.push(edition.check().map_err(|what| TableError { table: file.id.clone(), what })?);
        }
        editions.sort_by_key(|edition| edition.from);
        self.tables.insert(file.id.clone(), CodeTable { id: file.id, title: file.title, editions });
        Ok(())
    }
}

/// A table as its TOML file writes it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TableFile {
    id: String,
    title: String,
    editions: Vec<EditionFile>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EditionFile {
    /// The fall of the first school year.
    from: Option<i16>,
    /// The fall of the last.
    to: Option<i16>,
    status: TableStatus,
    unknown: Option<Unknown>,
    source: String,
    codes: Vec<Code>,
}

impl EditionFile {
    fn check(self) -> Result<Edition, String> {
        let mut index = HashMap::with_capacity_and_hasher(self.codes.len(), BuildHasherDefault::default());
        for (place, code) in self.codes.iter().enumerate() {
            if index.insert(code.code.clone(), place).is_some() {
                return Err(format!("the code {:?} stands twice", code.code));
            }
        }
        let unknown = self.unknown.unwrap_or(match self.status {
            TableStatus::Verified => Unknown::Error,
            TableStatus::Provisional => Unknown::Warning,
        });
        Ok(Edition {
            from: self.from.map(SchoolYear),
            to: self.to.map(SchoolYear),
            status: self.status,
            unknown,
            source: self.source,
            codes: self.codes,
            index,
        })
    }
}

#[cfg(test)]
mod tests;
