//! Back from a line to what stands there: the record's bytes as received, and where in them each value stands.
//!
//! Whoever opens the kept file has recorded the access already; nothing here reads a database. The reader that loaded the file finds its
//! records again, so that a record of several lines, or an element of an XML file, is the one that the facts came from.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{BufRead, BufReader},
    ops::ControlFlow,
};

use flate2::bufread::MultiGzDecoder;
use model::Masked;
use reference::tables::Tables;

use crate::{
    Error, Format, edfi,
    layout::Setting,
    layouts,
    read::{
        checks::all_hold,
        engine::{self, Event},
        facts::Checkpoint,
    },
    sif,
    xml::Node,
};

/// Takes an element and its bytes.
pub(crate) type Give<'g> = dyn FnMut(&Node, Vec<u8>) -> Result<(), Error> + 'g;

/// Bytes of records that one question gives back at most.
const FOUND_BYTES_MAX: usize = 64 << 20;

/// A record as it was received.
#[derive(Clone, Debug)]
pub struct KeptRecord {
    /// The line it begins on, from 1.
    pub line: u32,
    /// Its kind, in the layout's words; empty for a record that was never read as one.
    pub kind: String,
    /// Its bytes, without the line end behind them; of XML from the start of the element to its end.
    pub raw: Masked<Vec<u8>>,
    /// Its values, in the order of the file; none of a record that could not be cut.
    pub values: Vec<KeptValue>,
}

/// A value of a record.
#[derive(Clone, Debug)]
pub struct KeptValue {
    /// The field, as the layout names it; the path of an element in its record.
    pub field: String,
    /// The line it stands on: of a delimited or fixed record that on which the record begins.
    pub line: u32,
    /// The first position of a fixed field, the number of a delimited one, the column of an element's tag; from 1.
    pub column: u32,
    /// Positions of a fixed field; 0 elsewhere.
    pub length: u32,
    /// The value, without the blanks around it.
    pub text: Masked<String>,
    /// The elements that come of it, such as `enrollment.entry_date`; not told of XML.
    pub elements: Vec<String>,
}

/// What stands on a line of a file.
#[derive(Clone, Debug)]
pub struct KeptLine {
    /// The line, from 1.
    pub line: u32,
    /// The records that begin on it; none where it was erased, or the file has no such line.
    pub records: Vec<KeptRecord>,
    /// It holds several records, and one student was asked about: none is shown.
    pub is_shared: bool,
}

/// Whom a question is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum About {
    /// One student: a line that holds several records is not opened.
    OneStudent,
    /// The line, whoever it speaks of.
    TheLine,
}

/// What stands on these lines of a kept file, line by line: each of them has its answer.
pub fn find_lines(
    kept: &mut dyn BufRead,
    layout: &str,
    lines: &BTreeSet<u32>,
    about: About,
) -> Result<Vec<KeptLine>, Error> {
    let mut by_line: BTreeMap<u32, Vec<KeptRecord>> = lines.iter().map(|line| (*line, Vec::new())).collect();
    for record in find(kept, layout, lines)? {
        by_line.entry(record.line).or_default().push(record);
    }
    let lines = by_line.into_iter().map(|(line, records)| {
        let is_shared = about == About::OneStudent && records.len() > 1;
        KeptLine { line, records: if is_shared { Vec::new() } else { records }, is_shared }
    });
    Ok(lines.collect())
}

/// Records found so far.
struct Found {
    records: Vec<KeptRecord>,
    bytes: usize,
}

impl Found {
    fn keep(&mut self, record: KeptRecord) -> Result<(), Error> {
        self.bytes += record.raw.expose().len();
        if self.bytes > FOUND_BYTES_MAX {
            return Err(Error::Invalid(format!("the lines asked for hold more than {FOUND_BYTES_MAX} bytes")));
        }
        self.records.push(record);
        Ok(())
    }
}

/// What a file was read with, and the version of its source's document. `None`: the program does not know the layout.
pub fn version_of(layout: &str) -> Option<&str> {
    let id = without_digest(layout);
    layouts::find(id)
        .map(|found| found.version.as_str())
        .or_else(|| edfi::find_version(layout).map(|found| found.id.trim_start_matches("edfi-")))
        .or_else(|| (id == sif::LAYOUT).then_some("2"))
}

/// Finds the records that begin on these lines, in the order of the file. `kept` is a file's blocks one after the other, `layout` what it was
/// loaded with.
///
/// `Err`: the blocks cannot be read, nothing is known of the layout, or the records are too many to hold.
pub fn find(kept: &mut dyn BufRead, layout: &str, lines: &BTreeSet<u32>) -> Result<Vec<KeptRecord>, Error> {
    let mut file = BufReader::new(MultiGzDecoder::new(kept));
    let is_packed = file.fill_buf().map_err(unreadable)?.starts_with(&[0x1f, 0x8b]);
    if is_packed {
        let mut file = BufReader::new(MultiGzDecoder::new(file));
        return find_in(&mut file, layout, lines);
    }
    find_in(&mut file, layout, lines)
}

fn unreadable(error: std::io::Error) -> Error {
    Error::unavailable("the kept file cannot be read", error)
}

/// The relationships of a census and the objects of SIF bear the digest of their whole set or delivery behind their layout.
fn without_digest(layout: &str) -> &str {
    layout.split('@').next().unwrap_or(layout)
}

fn find_in(file: &mut dyn BufRead, layout: &str, lines: &BTreeSet<u32>) -> Result<Vec<KeptRecord>, Error> {
    let mut found = Found { records: Vec::new(), bytes: 0 };
    let mut element = |node: &Node, raw: Vec<u8>| found.keep(of_element(node, raw));
    if edfi::find_version(layout).is_some() {
        edfi::elements(file, lines, &mut element)?;
    } else if without_digest(layout) == sif::LAYOUT {
        sif::elements(file, lines, &mut element)?;
    } else {
        find_records(file, without_digest(layout), lines, &mut found)?;
    }
    Ok(found.records)
}

/// Reads a file of fixed or delimited records up to the last line asked for.
fn find_records(file: &mut dyn BufRead, layout: &str, lines: &BTreeSet<u32>, found: &mut Found) -> Result<(), Error> {
    let unknown = || Error::NotFound(format!("the program has no layout {layout} to find the record with"));
    let layout = layouts::find(layout).ok_or_else(unknown)?;
    let tables = Tables::builtin(&layout.sea).ok_or_else(unknown)?;
    let is_fixed = matches!(layout.format, Format::Fixed { .. });
    let last = lines.last().copied().unwrap_or_default();
    let mut kept = Ok(());
    engine::run(file, layout, tables, &mut |event| {
        let (line, record) = match event {
            Event::File(_) => return ControlFlow::Continue(()),
            Event::Bad { line, raw, .. } => (line, lines.contains(&line).then(|| unread(line, raw))),
            Event::Good { record, raw, .. } => {
                (record.line, lines.contains(&record.line).then(|| of_record(&record, raw, is_fixed)))
            }
        };
        kept = record.map_or(Ok(()), |record| found.keep(record));
        if kept.is_err() || line >= last { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })?;
    kept
}

fn unread(line: u32, raw: &[u8]) -> KeptRecord {
    KeptRecord { line, kind: String::new(), raw: Masked::new(raw.to_vec()), values: Vec::new() }
}

fn of_record(record: &Checkpoint<'_>, raw: &[u8], is_fixed: bool) -> KeptRecord {
    let fields = record.plan.record.fields.iter().zip(record.cells).enumerate();
    let filled = fields.filter(|(_, (_, text))| !text.is_empty());
    let values = filled.map(|(index, (field, text))| KeptValue {
        field: field.name.clone(),
        line: record.line,
        column: record.plan.column(index),
        length: if is_fixed { field.span.length as u32 } else { 0 },
        text: Masked::new((*text).to_owned()),
        elements: elements_of(record, index),
    });
    KeptRecord {
        line: record.line,
        kind: record.plan.record.name.clone(),
        raw: Masked::new(raw.to_vec()),
        values: values.collect(),
    }
}

/// The elements of the record's facts that a field gives, alone or with others.
fn elements_of(record: &Checkpoint<'_>, field: usize) -> Vec<String> {
    let says = |setting: &Setting| match setting {
        Setting::Field(one) => *one == field,
        Setting::Transform(_, several) => several.contains(&field),
        Setting::Constant(_) => false,
    };
    let made = record.plan.record.meaning.facts.iter();
    let made = made.filter(|rule| all_hold(record.plan, &rule.when, record.cells, record.year));
    let mut named = BTreeSet::new();
    for rule in made {
        let set = rule.set.iter().filter(|(_, setting)| says(setting)).map(|(element, _)| *element);
        let lea = (rule.lea == Some(field)).then_some("local_education_agency_id");
        let school = (rule.facility == Some(field)).then_some("school_id");
        named.extend(set.chain(lea).chain(school).map(|element| format!("{}.{element}", rule.domain)));
    }
    named.into_iter().collect()
}

fn of_element(node: &Node, raw: Vec<u8>) -> KeptRecord {
    let mut values = Vec::new();
    leaves(node, "", &mut values);
    KeptRecord { line: node.place.line, kind: node.name.clone(), raw: Masked::new(raw), values }
}

fn leaves(node: &Node, path: &str, values: &mut Vec<KeptValue>) {
    let mut say = |field: String, text: &str| {
        if !text.is_empty() {
            let (line, column) = (node.place.line, node.place.column);
            values.push(KeptValue {
                field,
                line,
                column,
                length: 0,
                text: Masked::new(text.to_owned()),
                elements: Vec::new(),
            });
        }
    };
    for (name, text) in &node.attributes {
        say(if path.is_empty() { format!("@{name}") } else { format!("{path}/@{name}") }, text);
    }
    say(path.to_owned(), &node.text);
    for child in &node.children {
        let inside = if path.is_empty() { child.name.clone() } else { format!("{path}/{}", child.name) };
        leaves(child, &inside, values);
    }
}
