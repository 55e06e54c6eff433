//! Ed-Fi: interchanges in XML, one by one or as a delivery that a control file lists.
//!
//! The reader knows one vocabulary, that of data standard 5.2; a [`Version`] is a file of layout data that says how its own names
//! differ (`layouts/edfi`). Files of a delivery are read organizations first, then courses, calendars and tests, then students and
//! contacts, then the rest, each as a stream of records in bounded memory. A record becomes an [`Item`]: facts about one person
//! or several, an organization, a description that others refer to, something passed over, or something refused.
//!
//! The XML comes from outside: no document type declaration, no entity but XML's own five, no reference to any other file
//! or address is followed, and everything has a limit ([`Config`]).
//!
//! What one record needs of another (the name of a parent, the date of an incident, the district of a school) is found in
//! the [`Index`]. What a record describes is also given as a description, to be kept: a later delivery may refer to it. A record
//! that rests on what nobody has described so far is an [`Item::Dependent`]: whoever loads it looks among earlier deliveries, keeps what
//! is still open, and has it read again when the other half arrives. So facts do not depend on which came first.
//! The natural key of a fact is the record's own identity in the source and nothing that was looked up, but for the school year of an
//! incident: the identity has none, and its numbers are used again.
//!
//! References name things by their own identity, or by the id of a record of the same file. Ids of other files lead nowhere: XML gives
//! them no meaning outside their file, and a wrong guess would give one child another's record.
//!
//! Start with [`read_delivery`], then `records` for what each kind of record gives.

mod config;
mod control;
mod elements;
mod fields;
mod index;
mod interchange;
mod kept;
mod packed;
mod records;
mod references;
mod repeats;
mod version;
mod xml;

/// A place in a file.
mod guard {
    pub(super) use crate::xml::Place;
}

/// One record as a small tree.
mod node {
    pub(super) use crate::xml::Node;
}

#[cfg(test)]
mod tests;

use std::{
    fs::File,
    io::{self, BufReader, Read},
    ops::ControlFlow,
    path::{Path, PathBuf},
};

use flate2::read::MultiGzDecoder;
use md5::{Digest as _, Md5};

pub use self::{
    config::Config,
    control::{DeliveredFile, Delivery, Interchange, Packing, read_control},
    index::Index,
    interchange::{Counts, Expected, Sink, read_interchange},
    version::{Version, find_version, versions},
};
pub(crate) use self::{
    elements::elements,
    kept::{Reread, keep_told, reread, student, subjects, subjects_of},
    records::discipline::in_any_year,
};
use crate::{
    Error,
    item::{Finding, Item, Severity},
};

/// Bytes read from a file at a time.
const BUFFER_BYTES: usize = 64 << 10;

/// What was read of one file of a delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileSummary {
    /// The file.
    pub path: PathBuf,
    /// Its interchange, as the control file says.
    pub interchange: Interchange,
    /// How many of what.
    pub counts: Counts,
}

/// Reads a whole delivery and gives its items, each with the file it comes from, to `sink`. Findings about the delivery
/// itself come first, under the path of the control file.
///
/// The index may be new ([`Index::new`]), hold the organizations known so far, or come from an earlier delivery of the
/// same source. `Err`: the control file or a listed file could not be read; what is wrong *in* them is a finding.
pub fn read_delivery(
    control: &Path,
    index: &mut Index,
    config: &Config,
    sink: &mut dyn FnMut(&Path, Item) -> ControlFlow<()>,
) -> Result<Vec<FileSummary>, Error> {
    let delivery = read_control(control, config)?;
    for finding in delivery.findings {
        if sink(control, Item::File(finding)).is_break() {
            return Ok(Vec::new());
        }
    }
    let mut summaries = Vec::new();
    for file in delivery.files {
        let mut has_stopped = false;
        let counts = read_file(&file, index, config, &mut |item| {
            let flow = sink(&file.path, item);
            has_stopped |= flow.is_break();
            flow
        })?;
        summaries.push(FileSummary { path: file.path, interchange: file.interchange, counts });
        if has_stopped {
            break;
        }
    }
    Ok(summaries)
}

/// Reads one file of a delivery, unpacking it if it is packed, and compares its sum with the control file's.
///
/// A sum that differs is a warning: published deliveries have wrong ones, and a file that was cut or changed shows in
/// the XML.
pub fn read_file(
    file: &DeliveredFile,
    index: &mut Index,
    config: &Config,
    sink: &mut Sink<'_>,
) -> Result<Counts, Error> {
    let raw = File::open(&file.path).map_err(|error| Error::unavailable("open an interchange file", error))?;
    let unpacked: Box<dyn Read> = match file.packing {
        Packing::Plain => Box::new(raw),
        Packing::Gzip => Box::new(MultiGzDecoder::new(BufReader::new(raw))),
    };
    let mut source = BufReader::with_capacity(BUFFER_BYTES, Summing { inner: unpacked, sum: Md5::new() });
    let expected = Expected { interchange: file.interchange, version: file.version };
    let counts = read_interchange(expected, &mut source, index, config, sink)?;
    let Some(listed) = &file.md5 else { return Ok(counts) };
    let sum = hex::encode(source.into_inner().sum.finalize());
    if counts.is_complete && sum != *listed {
        let finding = Finding {
            line: 0,
            column: None,
            field: None,
            rule: "file.checksum".to_owned(),
            severity: Severity::Warning,
            message: "The MD5 sum of the file is not the one the control file gives: it may \
                have been changed after it was listed."
                .to_owned(),
        };
        // The file is over: whether the caller wants more does not matter here.
        let _ = sink(Item::File(finding));
    }
    Ok(counts)
}

/// What the first bytes of a file tell.
#[derive(Clone, Copy, Debug)]
pub struct Recognised {
    /// The version of its namespace; `None`: one that is not known here.
    pub version: Option<&'static Version>,
    /// What its root element says it holds.
    pub interchange: Interchange,
}

/// Whether a file is an Ed-Fi interchange, by its first bytes (some 64 KiB). `None`: it is none.
pub fn recognise(first: &[u8]) -> Option<Recognised> {
    let text = text_of(first);
    let name = text.match_indices("Interchange").find_map(|(at, _)| {
        let before = text.get(..at)?.rsplit('<').next()?;
        let is_tag = before.is_empty()
            || before.strip_suffix(':').is_some_and(|prefix| prefix.chars().all(char::is_alphanumeric));
        let name = text.get(at..)?.split(|c: char| !c.is_ascii_alphanumeric()).next()?;
        (is_tag && text.get(..at)?.contains('<')).then_some(name)
    })?;
    let config = Config::default();
    let mut source = first;
    let root = xml::RecordReader::new(&mut source, &config).root();
    Some(Recognised { version: root.ok().map(|(_, version)| version), interchange: Interchange::of(name) })
}

/// The beginning of a file as text, also where it is in UTF-16: that is refused later, with a word.
fn text_of(first: &[u8]) -> String {
    let units = |of: fn([u8; 2]) -> u16| {
        let units = first.as_chunks::<2>().0.iter().map(|pair| of(*pair));
        char::decode_utf16(units).map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER)).collect()
    };
    match first {
        [0xFE, 0xFF, ..] | [0, b'<', ..] => units(u16::from_be_bytes),
        [0xFF, 0xFE, ..] | [b'<', 0, ..] => units(u16::from_le_bytes),
        _ => String::from_utf8_lossy(first).into_owned(),
    }
}

/// Sums up what is read through it.
struct Summing {
    inner: Box<dyn Read>,
    sum: Md5,
}

impl Read for Summing {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.sum.update(buffer.get(..count).unwrap_or_default());
        Ok(count)
    }
}
