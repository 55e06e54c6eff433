//! Reads one interchange file: records in, items out.

use std::{
    collections::VecDeque,
    io::{self, BufRead},
    ops::ControlFlow,
};

use model::{Domain, Fact, Masked, NaturalKey};

use super::{
    Config,
    control::Interchange,
    fields::{Fields, Referents, Trouble},
    guard::Place,
    index::Index,
    node::Node,
    records::{Converter, Output, Person, converter},
    repeats::Repeats,
    xml::{Fault, Head, Purpose, Record, RecordReader, Stop},
};
use crate::{
    Error,
    item::{Finding, Item, Severity},
};

/// Takes an item; `Break` ends the reading.
pub type Sink<'s> = dyn FnMut(Item) -> ControlFlow<()> + 's;

/// What was read of one file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Records of the file.
    pub records: u64,
    /// Items about persons. A discipline action makes one for each of its students.
    pub persons: u64,
    /// Organizations.
    pub organizations: u64,
    /// Records of kinds the exchange does not keep, or keeps only to resolve references.
    pub passed: u64,
    /// Items that withdraw facts.
    pub retracted: u64,
    /// Records refused.
    pub rejected: u64,
    /// Whether the file was read to its end. If not, it was malformed, or the caller stopped.
    pub is_complete: bool,
}

/// Why reading ends before the file does.
enum Early {
    Stopped,
    Fault(Fault),
    Io(io::Error),
}

impl From<Stop> for Early {
    fn from(stop: Stop) -> Self {
        match stop {
            Stop::Fault(fault) => Self::Fault(fault),
            Stop::Io(error) => Self::Io(error),
        }
    }
}

/// Reads an interchange from `source`, which holds unpacked bytes, and gives its items to `sink`.
///
/// `expected` is what the control file calls it. `index` remembers organizations, courses, parents and incidents between
/// the files of a delivery. Malformed XML ends in an [`Item::File`] with a fatal finding; the items before it have been
/// given, and what becomes of them is the caller's decision. `Err`: the bytes could not be read.
pub fn read_interchange(
    expected: Interchange,
    source: &mut dyn BufRead,
    index: &mut Index,
    config: &Config,
    sink: &mut Sink<'_>,
) -> Result<Counts, Error> {
    let reading = Reading {
        xml: RecordReader::new(source, config),
        index,
        config,
        sink,
        counts: Counts::default(),
        waiting: VecDeque::new(),
        waiting_bytes: 0,
        repeats: Repeats::new(config.repeats_max),
    };
    reading.run(expected)
}

/// A record that waits for one it refers to.
struct Waiting {
    convert: Converter,
    record: Record,
    purpose: Purpose,
}

struct Reading<'a, 'c, 's> {
    xml: RecordReader<'a, 'c>,
    index: &'c mut Index,
    config: &'c Config,
    sink: &'c mut Sink<'s>,
    counts: Counts,
    waiting: VecDeque<Waiting>,
    waiting_bytes: usize,
    repeats: Repeats,
}

impl Reading<'_, '_, '_> {
    fn run(mut self, expected: Interchange) -> Result<Counts, Error> {
        let outcome = self.read(expected);
        self.index.forget_ids();
        match outcome {
            Ok(()) => self.counts.is_complete = true,
            Err(Early::Stopped) => {}
            Err(Early::Io(error)) => return Err(Error::unavailable("read an interchange file", error)),
            Err(Early::Fault(fault)) => {
                let finding = file_finding(fault.place, fault.rule, Severity::Fatal, fault.message);
                let _ = (self.sink)(Item::File(finding));
            }
        }
        Ok(self.counts)
    }

    fn read(&mut self, expected: Interchange) -> Result<(), Early> {
        let root = self.xml.root()?;
        if !root.name.starts_with("Interchange") {
            let message = "The root element is no Ed-Fi interchange.".to_owned();
            return Err(Early::Fault(Fault { place: root.place, rule: "edfi.root", message }));
        }
        let found = Interchange::of(&root.name);
        if expected != Interchange::Other && expected != found {
            let message = "The file holds another interchange than the control file says; it is \
                read by what it holds."
                .to_owned();
            self.give(Item::File(file_finding(root.place, "edfi.other_interchange", Severity::Warning, message)))?;
        }
        while let Some(head) = self.xml.next()? {
            self.counts.records += 1;
            self.head(head)?;
        }
        while let Some(waiting) = self.waiting.pop_front() {
            self.record(waiting, Referents::MustBeThere)?;
        }
        let left_out = self.xml.left_out();
        if left_out > 0 {
            let message = format!(
                "Elements of other namespaces (extensions) that were left out: \
                    {left_out}."
            );
            self.give(Item::File(file_finding(
                Place { line: 0, column: 1 },
                "edfi.extension",
                Severity::Information,
                message,
            )))?;
        }
        Ok(())
    }

    fn head(&mut self, head: Head) -> Result<(), Early> {
        let Head { node, purpose } = head;
        let is_delete = purpose != Purpose::Load;
        let name = if is_delete { node.name.strip_suffix("Reference").unwrap_or(&node.name) } else { &node.name };
        let Some(convert) = converter(name) else {
            let (line, id, kind) = (node.place.line, node.attribute("id").map(str::to_owned), name.to_owned());
            match id {
                // Others may refer to it by this id.
                Some(id) => {
                    let record = self.xml.record(node)?;
                    self.remember(&id, &record.node)?;
                }
                None => self.xml.skip()?,
            }
            return self.pass(line, kind, is_delete);
        };
        let mut record = self.xml.record(node)?;
        if is_delete {
            record.node = identity_of_deleted(record.node);
        } else if let Some(id) = record.node.attribute("id").map(str::to_owned) {
            self.remember(&id, &record.node)?;
        }
        let referents = if is_delete { Referents::DoNotMatter } else { Referents::MayCome };
        self.record(Waiting { convert, record, purpose }, referents)
    }

    fn remember(&mut self, id: &str, node: &Node) -> Result<(), Early> {
        self.index.remember_id(id, node).map_err(|_| self.index_full(node))
    }

    fn record(&mut self, waiting: Waiting, mut referents: Referents) -> Result<(), Early> {
        let size = waiting.record.raw.len() * 4;
        if referents == Referents::MayCome && self.waiting_bytes + size > self.config.waiting_bytes_max {
            referents = Referents::MustBeThere;
        }
        let node = &waiting.record.node;
        let mut fields = Fields::new(node, self.index, referents);
        let outcome = (waiting.convert)(&mut fields);
        fields.note_lost_character();
        let is_refused = fields.is_refused();
        let findings = fields.findings;
        match outcome {
            Err(Trouble::Waits) => {
                self.waiting_bytes += size;
                self.waiting.push_back(waiting);
                Ok(())
            }
            Ok(output) if !is_refused => self.output(output, waiting, findings),
            Ok(_) | Err(Trouble::Refused) => self.reject(waiting, findings),
        }
    }

    fn output(&mut self, output: Output, waiting: Waiting, findings: Vec<Finding>) -> Result<(), Early> {
        let line = waiting.record.node.place.line;
        let is_delete = waiting.purpose != Purpose::Load;
        match output {
            Output::Persons(persons) if is_delete => self.retract(persons, waiting),
            Output::Persons(persons) => self.persons(persons, &waiting.record, &findings),
            // What only serves references is not forgotten: records read before rest on it.
            Output::Organization(..) | Output::Learned(..) if is_delete => {
                self.pass(line, waiting.record.node.name, true)
            }
            Output::Organization(record, (key, entry)) => {
                self.index.insert(key, entry).map_err(|_| self.index_full(&waiting.record.node))?;
                self.counts.organizations += 1;
                self.give(Item::Organization { line, record, findings })
            }
            Output::Learned(key, entry) => {
                self.index.insert(key, entry).map_err(|_| self.index_full(&waiting.record.node))?;
                for finding in findings {
                    self.give(Item::File(finding))?;
                }
                self.pass(line, waiting.record.node.name, false)
            }
        }
    }

    fn persons(&mut self, persons: Vec<Person>, record: &Record, findings: &[Finding]) -> Result<(), Early> {
        for person in persons {
            let Person { state_id, introduces, facts } = person;
            let mut findings = findings.to_vec();
            let facts =
                facts.into_iter().map(|fact| self.tell_apart(&state_id, fact, &record.node, &mut findings)).collect();
            self.counts.persons += 1;
            let raw = if introduces { Vec::new() } else { record.raw.clone() };
            let line = record.node.place.line;
            self.give(Item::Person {
                line,
                state_id: Masked::new(state_id),
                claimed_birth_date: None,
                facts,
                introduces,
                raw: Masked::new(raw),
                findings,
            })?;
        }
        Ok(())
    }

    fn retract(&mut self, persons: Vec<Person>, waiting: Waiting) -> Result<(), Early> {
        let node = &waiting.record.node;
        let line = node.place.line;
        if waiting.purpose == Purpose::SafeDelete && persons.iter().any(|person| person.introduces) {
            let message = "A student is withdrawn unless records depend on the student, which this \
                file cannot show. Withdraw the student's records one by one, or send the \
                delete with Force=\"true\".";
            let finding = Finding {
                field: Some(node.name.clone()),
                ..file_finding(node.place, "delete.depended_on", Severity::Error, message.to_owned())
            };
            return self.reject(waiting, vec![finding]);
        }
        for Person { state_id, facts, .. } in persons {
            self.counts.retracted += 1;
            self.give(Item::Retracted { line, state_id: Masked::new(state_id), facts })?;
        }
        Ok(())
    }

    /// Attendance events have no identity beyond their day, place and category: a second, different one of the same file
    /// gets its own key, by its number. Of everything else the later record counts, and the repetition is said.
    fn tell_apart(&mut self, state_id: &str, mut fact: Fact, node: &Node, findings: &mut Vec<Finding>) -> Fact {
        let occurrence = self.repeats.occurrence(state_id, &fact);
        if occurrence == 0 {
            return fact;
        }
        if fact.domain == Domain::Attendance {
            let first = hex::encode(fact.natural_key.0);
            fact.natural_key =
                NaturalKey::of(fact.domain, &fact.kind, &["edfi", &first, &(occurrence + 1).to_string()]);
        } else {
            let message = "The file says something else about the same before; the later record \
                counts."
                .to_owned();
            findings.push(file_finding(node.place, "record.repeated", Severity::Warning, message));
        }
        fact
    }

    fn reject(&mut self, waiting: Waiting, findings: Vec<Finding>) -> Result<(), Early> {
        self.counts.rejected += 1;
        let line = waiting.record.node.place.line;
        self.give(Item::Rejected { line, raw: Masked::new(waiting.record.raw), findings })
    }

    fn pass(&mut self, line: u32, name: String, is_delete: bool) -> Result<(), Early> {
        self.counts.passed += 1;
        let kind = if is_delete { format!("delete of {name}") } else { name };
        self.give(Item::Passed { line, kind })
    }

    fn give(&mut self, item: Item) -> Result<(), Early> {
        match (self.sink)(item) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => Err(Early::Stopped),
        }
    }

    fn index_full(&self, node: &Node) -> Early {
        let message = format!(
            "The delivery describes more organizations, courses, parents and \
                incidents than can be remembered at once ({} bytes).",
            self.config.index_bytes_max
        );
        Early::Fault(Fault { place: node.place, rule: "limit.index_bytes", message })
    }
}

/// A delete names its record whole, or by a reference: then the identity in it stands for the record.
fn identity_of_deleted(mut node: Node) -> Node {
    let Some(name) = node.name.strip_suffix("Reference").map(str::to_owned) else {
        return node;
    };
    if let Some(identity) = node.children.iter().position(|child| child.name.ends_with("Identity")) {
        node.children = node.children.swap_remove(identity).children;
    }
    node.name = name;
    node
}

fn file_finding(place: Place, rule: &str, severity: Severity, message: String) -> Finding {
    Finding { line: place.line, column: Some(place.column), field: None, rule: rule.to_owned(), severity, message }
}
