//! Reading: bytes to items.
//!
//! A file is read as a stream: memory is bounded by [`RECORD_BYTES_MAX`], whatever the length of a line or the size of a file. A
//! record that breaks a rule becomes [`Item::Rejected`] with its findings, and reading goes on. Only what makes the whole file
//! meaningless (another layout, a header that does not fit, UTF-16) ends it, with a fatal finding, before any record is given.
//!
//! `plan` makes a layout ready, `engine` is the loop, `checks` says what is wrong with a record and `facts` what it means.

mod buffer;
pub(crate) mod checks;
mod delimited;
pub(crate) mod drift;
mod encoding;
pub(crate) mod engine;
pub(crate) mod facts;
pub(crate) mod header;
mod origin;
pub(crate) mod plan;
mod repeats;
mod said;
pub(crate) mod transform;
pub(crate) mod value;

use std::{io::BufRead, ops::ControlFlow};

pub use buffer::RECORD_BYTES_MAX;
use engine::Event;
use facts::Checkpoint;
use model::Masked;
pub use origin::Sender;
use reference::tables::Tables;

use crate::{Error, Finding, Item, Layout, RecordType};

/// What was read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReadSummary {
    /// Records, good and bad; the header is none.
    pub rows_in: u64,
    /// The bad ones.
    pub rejected: u64,
    /// Lines passed over because nothing stood in them.
    pub blank_lines: u64,
    /// All lines.
    pub lines: u64,
    /// All bytes.
    pub bytes: u64,
    /// A fatal finding was given: nothing after it was read.
    pub refused: bool,
}

impl ReadSummary {
    pub(crate) const fn count_bad(&mut self) {
        self.rows_in += 1;
        self.rejected += 1;
    }
}

/// Reads a file and gives its items one after the other, until it ends or `sink` breaks off.
///
/// `Err` means that the file could not be read on, or that the layout and the tables do not belong together; never that the
/// file is wrong.
pub fn read(
    reader: &mut dyn BufRead,
    layout: &Layout,
    tables: &Tables,
    sink: &mut dyn FnMut(Item) -> ControlFlow<()>,
) -> Result<ReadSummary, Error> {
    read_from(reader, layout, tables, Sender::default(), sink)
}

/// [`read()`], for a file that somebody in particular is to have sent.
pub fn read_from(
    reader: &mut dyn BufRead,
    layout: &Layout,
    tables: &Tables,
    sender: Sender<'_>,
    sink: &mut dyn FnMut(Item) -> ControlFlow<()>,
) -> Result<ReadSummary, Error> {
    let mut rejected_late = 0;
    let mut summary = engine::run_from(reader, layout, tables, sender, &mut |event| {
        let item = match event {
            Event::File(finding) => Item::File(finding),
            Event::Bad { line, record_type, raw, findings } => rejected(line, record_type, raw, findings),
            Event::Good { record, raw, findings } => {
                let line = record.line;
                let item = item_of(&record, findings)
                    .unwrap_or_else(|findings| rejected(line, record.plan.type_of(record.cells), raw, findings));
                rejected_late += u64::from(matches!(item, Item::Rejected { .. }));
                item
            }
        };
        sink(item)
    })?;
    summary.rejected += rejected_late;
    Ok(summary)
}

fn rejected(line: u32, record_type: RecordType, raw: &[u8], findings: Vec<Finding>) -> Item {
    Item::Rejected { line, record_type, raw: Masked::new(raw.to_vec()), findings }
}

fn item_of(record: &Checkpoint<'_>, mut findings: Vec<Finding>) -> Result<Item, Vec<Finding>> {
    let meaning = &record.plan.record.meaning;
    let (line, record_type) = (record.line, record.plan.type_of(record.cells));
    if let Some(rule) = &meaning.organization {
        return match record.organization(rule) {
            Ok(organization) => Ok(Item::Organization { line, record_type, record: organization, findings }),
            Err(finding) => {
                findings.push(finding);
                Err(findings)
            }
        };
    }
    let Some(person) = record.person() else {
        return Ok(Item::Passed { line, record_type, kind: record.plan.record.name.clone() });
    };
    match record.facts() {
        Ok(facts) => Ok(Item::Person {
            line,
            record_type,
            state_id: Masked::new(person.to_owned()),
            claimed_birth_date: record.claimed_birth_date(),
            facts,
            introduces: true,
            raw: Masked::new(Vec::new()),
            findings,
        }),
        Err(finding) => {
            findings.push(finding);
            Err(findings)
        }
    }
}

#[cfg(test)]
mod tests;
