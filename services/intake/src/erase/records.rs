//! Where the records about somebody stand in a kept file: byte ranges, found without loading anything.
//!
//! Lines are looked through for the bytes of an identifier, and those that hold one are read with the file's own layout: a number that
//! merely looks like the identifier (a telephone, a score beside a date) is not blanked. XML is walked element by element.

use std::{
    collections::BTreeSet,
    io::{self, BufRead},
    ops::ControlFlow,
};

use memchr::memmem::Finder;
use model::{Domain, NaturalKey};
use quick_xml::{
    Reader,
    events::{BytesStart, Event},
};
use reference::tables::Tables;

use crate::{Item, Layout, layout::Format, layouts, load::Buried, read};

/// Whose records, and which.
#[derive(Clone)]
pub(crate) enum Wanted {
    /// All that name one of these identifiers.
    Persons(Vec<Vec<u8>>),
    /// Those that state this fact of the person with this identifier. In XML: those at the lines that its versions came from.
    Fact(Vec<u8>, Domain, NaturalKey, BTreeSet<u32>),
    /// Those at these lines.
    Lines(BTreeSet<u32>),
    /// All that name somebody who was erased before.
    Buried(Buried),
}

/// A record's place in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Stretch {
    /// Its first byte.
    pub from: u64,
    /// The byte behind its last, the line end apart.
    pub to: u64,
    /// Its line, from 1.
    pub line: u32,
}

/// Lines that one quoted record may run over, and the bytes of one line that are looked at together.
const RECORD_LINES_MAX: usize = 200;
const LINE_BYTES_MAX: u64 = 16 << 20;

/// Finds the records in a file that was read with a layout; in a file that nobody read (a refused one), the lines that hold the bytes.
pub(crate) fn find(source: &mut dyn BufRead, layout: Option<&str>, wanted: &Wanted) -> io::Result<Vec<Stretch>> {
    if layout.is_some_and(|id| id.starts_with("edfi") || id.starts_with("sif")) {
        return xml(source, wanted);
    }
    Lines::new(layout.and_then(layouts::find), wanted).find(source)
}

/// An identifier as it may stand in bytes: as it is, and in UTF-16.
fn finders(wanted: &Wanted) -> Vec<Finder<'static>> {
    let ids: Vec<&Vec<u8>> = match wanted {
        Wanted::Persons(ids) => ids.iter().collect(),
        Wanted::Fact(id, ..) => vec![id],
        Wanted::Lines(_) | Wanted::Buried(_) => Vec::new(),
    };
    let wide = |id: &Vec<u8>| {
        let mut wide: Vec<u8> = id.iter().flat_map(|byte| [*byte, 0]).collect();
        wide.pop();
        wide
    };
    ids.into_iter().flat_map(|id| [Finder::new(id).into_owned(), Finder::new(&wide(id)).into_owned()]).collect()
}

struct Lines<'w> {
    layout: Option<&'static Layout>,
    delimiter: bool,
    wanted: &'w Wanted,
    finders: Vec<Finder<'static>>,
    header: Vec<u8>,
    found: Vec<Stretch>,
}

/// A line as it stands in the file.
struct Line {
    number: u32,
    from: u64,
    bytes: Vec<u8>,
}

impl Line {
    fn stretch(&self) -> Stretch {
        let content = self.bytes.iter().rposition(|byte| !matches!(byte, b'\n' | b'\r')).map_or(0, |last| last + 1);
        Stretch { from: self.from, to: self.from + content as u64, line: self.number }
    }
}

impl<'w> Lines<'w> {
    fn new(layout: Option<&'static Layout>, wanted: &'w Wanted) -> Self {
        let delimiter = layout.is_some_and(|layout| matches!(layout.format, Format::Delimited { .. }));
        Self { layout, delimiter, wanted, finders: finders(wanted), header: Vec::new(), found: Vec::new() }
    }

    fn find(mut self, source: &mut dyn BufRead) -> io::Result<Vec<Stretch>> {
        let has_header =
            self.layout.is_some_and(|layout| matches!(layout.format, Format::Delimited { header: true, .. }));
        let (mut number, mut from) = (0, 0);
        let mut record: Vec<Line> = Vec::new();
        let mut is_open = false;
        loop {
            let mut bytes = Vec::new();
            let taken = io::Read::take(&mut *source, LINE_BYTES_MAX).read_until(b'\n', &mut bytes)? as u64;
            if taken == 0 {
                break;
            }
            number += 1;
            if number == 1 && has_header {
                self.header = bytes;
                from += taken;
                continue;
            }
            // A quote that is open at the end of a line carries the record on to the next one.
            is_open ^= self.delimiter && memchr::memchr_iter(b'"', &bytes).count() % 2 == 1;
            record.push(Line { number, from, bytes });
            from += taken;
            if !is_open || record.len() == RECORD_LINES_MAX {
                self.look(&record);
                record.clear();
                is_open = false;
            }
        }
        self.look(&record);
        Ok(self.found)
    }

    fn holds(&self, line: &Line) -> bool {
        match self.wanted {
            Wanted::Lines(lines) => lines.contains(&line.number),
            Wanted::Buried(buried) => buried.is_in(&line.bytes),
            _ => self.finders.iter().any(|finder| finder.find(&line.bytes).is_some()),
        }
    }

    /// Looks at the lines of one record.
    fn look(&mut self, record: &[Line]) {
        if !record.iter().any(|line| self.holds(line)) {
            return;
        }
        if matches!(self.wanted, Wanted::Lines(_)) {
            self.found.extend(record.iter().map(Line::stretch));
            return;
        }
        let is_wanted = self.read(record);
        let of_record = record.iter().enumerate().filter(|(place, _)| is_wanted.contains(place));
        self.found.extend(of_record.map(|(_, line)| line.stretch()));
    }

    /// The places, among the lines of a record, of those that are wanted: it is read by its layout. What cannot be read, or is not about persons, is
    /// wanted if it holds the bytes.
    fn read(&self, record: &[Line]) -> BTreeSet<usize> {
        let all = || (0..record.len()).collect();
        let holding =
            || (0..record.len()).filter(|place| record.get(*place).is_some_and(|line| self.holds(line))).collect();
        let Some((layout, tables)) = self.layout.and_then(|layout| Some((layout, Tables::builtin(&layout.sea)?)))
        else {
            return if matches!(self.wanted, Wanted::Fact(..)) { BTreeSet::new() } else { holding() };
        };
        let mut text = self.header.clone();
        let first = usize::from(!text.is_empty());
        for line in record {
            text.extend_from_slice(&line.bytes);
        }
        let mut starts: Vec<(usize, bool)> = Vec::new();
        let mut is_whole = true;
        let outcome = read::read(&mut text.as_slice(), layout, tables, &mut |item| {
            if let Some((line, is_wanted)) = self.verdict(&item, record, first) {
                starts.push(((line as usize).saturating_sub(1 + first), is_wanted));
            } else if let Item::File(finding) = &item {
                is_whole &= finding.severity != crate::Severity::Fatal;
            }
            ControlFlow::Continue(())
        });
        if outcome.is_err() || !is_whole || starts.is_empty() {
            return if matches!(self.wanted, Wanted::Fact(..)) { BTreeSet::new() } else { all() };
        }
        starts.sort_unstable();
        let ends = starts.iter().skip(1).map(|(start, _)| *start).chain([record.len()]);
        let ranges = starts.iter().zip(ends).filter(|((_, is_wanted), _)| *is_wanted);
        ranges.flat_map(|((start, _), end)| *start..end).collect()
    }

    /// The line of an item, and whether it is wanted.
    fn verdict(&self, item: &Item, record: &[Line], first: usize) -> Option<(u32, bool)> {
        let names = |state_id: &str, facts: &[model::Fact]| match self.wanted {
            Wanted::Persons(ids) => ids.iter().any(|id| id == state_id.as_bytes()),
            Wanted::Fact(id, domain, key, _) => {
                id == state_id.as_bytes() && facts.iter().any(|fact| fact.domain == *domain && fact.natural_key == *key)
            }
            Wanted::Buried(buried) => buried.is(state_id.as_bytes()),
            Wanted::Lines(_) => false,
        };
        let is_person = !matches!(self.wanted, Wanted::Fact(..));
        let at = |line: u32| record.get((line as usize).saturating_sub(1 + first));
        match item {
            Item::Person { line, state_id, facts, .. } | Item::Retracted { line, state_id, facts, .. } => {
                Some((*line, names(state_id.expose(), facts)))
            }
            Item::Joint(members) => {
                let verdicts = members.iter().filter_map(|member| self.verdict(member, record, first));
                verdicts.reduce(|one, other| (one.0, one.1 || other.1))
            }
            Item::Rejected { line, .. } | Item::Passed { line, .. } | Item::Described { line, .. } => {
                Some((*line, is_person && at(*line).is_some_and(|line| self.holds(line))))
            }
            Item::Organization { line, .. } => Some((*line, false)),
            Item::Dependent(dependent) => Some((dependent.line, is_person)),
            Item::File(_) => None,
        }
    }
}

/// Elements of a message that hold objects and are none.
const ENVELOPES: [&str; 6] =
    ["SIF_Message", "SIF_Event", "SIF_Response", "SIF_ObjectData", "SIF_EventObject", "SIF_Header"];

/// A record of an XML file under way.
struct Open {
    stretch: Stretch,
    /// Whether it holds what is looked for.
    is_wanted: bool,
    /// The names others may refer to it by, if it introduces a person.
    names: Vec<Vec<u8>>,
    is_person: bool,
    depth: usize,
}

/// Finds records in XML: those that hold an identifier, and those that refer to a person's record by its name in the file. The bytes are
/// walked twice, since a reference may stand before what it refers to.
fn xml(source: &mut dyn BufRead, wanted: &Wanted) -> io::Result<Vec<Stretch>> {
    let mut bytes = Vec::new();
    source.read_to_end(&mut bytes)?;
    let ids: Vec<Vec<u8>> = match wanted {
        Wanted::Persons(ids) => ids.clone(),
        Wanted::Fact(id, ..) => vec![id.clone()],
        Wanted::Lines(_) | Wanted::Buried(_) => Vec::new(),
    };
    let (mut found, names) = walk(&bytes, wanted, &ids);
    if !names.is_empty() {
        let all: Vec<Vec<u8>> = ids.into_iter().chain(names).collect();
        found = walk(&bytes, wanted, &all).0;
    }
    if let Wanted::Fact(.., lines) = wanted {
        found.retain(|stretch| lines.contains(&stretch.line));
    }
    Ok(found)
}

fn walk(bytes: &[u8], wanted: &Wanted, ids: &[Vec<u8>]) -> (Vec<Stretch>, BTreeSet<Vec<u8>>) {
    let mut reader = Reader::from_reader(bytes);
    let mut walker = Walker { wanted, ids, found: Vec::new(), names: BTreeSet::new(), depth: 0, line: 1, open: None };
    loop {
        let from = reader.buffer_position();
        let event = match reader.read_event() {
            Ok(Event::Eof) => break,
            Ok(event) => event,
            Err(_) => {
                walker.by_line(bytes, from);
                break;
            }
        };
        let to = reader.buffer_position();
        let raw = usize::try_from(from).ok().zip(usize::try_from(to).ok());
        let raw = raw.and_then(|(from, to)| bytes.get(from..to)).unwrap_or_default();
        walker.take(&event, raw, (from, to));
        walker.line += memchr::memchr_iter(b'\n', raw).count() as u32;
    }
    (walker.found, walker.names)
}

/// A walk through the elements of a file.
struct Walker<'w> {
    wanted: &'w Wanted,
    ids: &'w [Vec<u8>],
    found: Vec<Stretch>,
    /// What records of wanted persons are called in the file.
    names: BTreeSet<Vec<u8>>,
    depth: usize,
    line: u32,
    open: Option<Open>,
}

impl Walker<'_> {
    fn is(&self, value: &[u8]) -> bool {
        let value = value.trim_ascii();
        self.ids.iter().any(|id| id.as_slice() == value)
            || matches!(self.wanted, Wanted::Buried(buried) if buried.is(value))
    }

    fn take(&mut self, event: &Event<'_>, raw: &[u8], (from, to): (u64, u64)) {
        match event {
            Event::Start(start) | Event::Empty(start) => {
                let is_empty = raw.ends_with(b"/>");
                self.begin(start, from);
                self.depth += usize::from(!is_empty);
                if is_empty {
                    self.end(to);
                }
            }
            Event::Text(text) => self.text(text.as_bytes()),
            Event::CData(text) => self.text(text.as_bytes()),
            Event::End(_) => {
                self.depth = self.depth.saturating_sub(1);
                self.end(to);
            }
            _ => {}
        }
    }

    /// An element begins: a record of its own, unless one is open or the element is an envelope.
    fn begin(&mut self, start: &BytesStart<'_>, from: u64) {
        let name = start.local_name();
        if self.open.is_none() && !is_envelope(name.as_ref()) {
            self.open = Some(Open {
                stretch: Stretch { from, to: from, line: self.line },
                is_wanted: matches!(self.wanted, Wanted::Lines(lines) if lines.contains(&self.line)),
                names: Vec::new(),
                is_person: matches!(name.as_ref(), "Student" | "StudentPersonal"),
                depth: self.depth,
            });
        }
        let Some(mut record) = self.open.take() else { return };
        for attribute in start.attributes().with_checks(false).flatten() {
            record.is_wanted |= self.is(attribute.value.as_bytes());
            if record.is_person && matches!(attribute.key.local_name().as_ref(), "id" | "RefId") {
                record.names.push(attribute.value.trim_ascii().as_bytes().to_vec());
            }
        }
        self.open = Some(record);
    }

    fn text(&mut self, text: &[u8]) {
        let is_wanted = self.open.is_some() && self.is(text);
        if let Some(record) = &mut self.open {
            record.is_wanted |= is_wanted;
        }
    }

    /// An element has ended; the record with it, if it is the record's own.
    fn end(&mut self, to: u64) {
        let depth = self.depth;
        if let Some(mut record) = self.open.take_if(|record| record.depth == depth)
            && record.is_wanted
        {
            record.stretch.to = to;
            self.found.push(record.stretch);
            self.names.extend(record.names);
        }
    }

    /// Nobody could read on from here: what follows is looked through line by line.
    fn by_line(&mut self, bytes: &[u8], from: u64) {
        let rest = bytes.get(usize::try_from(from).unwrap_or(bytes.len())..).unwrap_or_default();
        let more = Lines::new(None, self.wanted).find(&mut &*rest).unwrap_or_default();
        self.found.extend(more.into_iter().map(|stretch| Stretch {
            from: stretch.from + from,
            to: stretch.to + from,
            line: stretch.line + self.line - 1,
        }));
    }
}

fn is_envelope(name: &str) -> bool {
    name.starts_with("Interchange") || ENVELOPES.contains(&name)
}

#[cfg(test)]
mod tests;
