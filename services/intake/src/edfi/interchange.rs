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
    index::{Entry, Index, Unremembered},
    kept::{KeptRecord, facts_of, subjects},
    node::Node,
    records::{Converter, Output, Person, converter},
    references::OpenReferences,
    repeats::Repeats,
    version::Version,
    xml::{Fault, Head, Purpose, Record, RecordReader, Stop},
};
use crate::{
    Error,
    item::{Counted, Dependent, Finding, Item, RecordType, Reference, Severity},
    xml::vocabulary::{Extent, Misfit, joined},
};

/// Takes an item; `Break` ends the reading.
pub type Sink<'s> = dyn FnMut(Item) -> ControlFlow<()> + 's;

/// What was read of one file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Records of the file.
    pub records: u64,
    /// Records about persons.
    pub persons: u64,
    /// Organizations.
    pub organizations: u64,
    /// Records of kinds the exchange does not keep, or keeps only to resolve references.
    pub passed: u64,
    /// Records that withdraw facts.
    pub retracted: u64,
    /// Records that make no sense without one that nobody has described so far.
    pub awaiting: u64,
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
    Failed(Error),
}

impl From<Stop> for Early {
    fn from(stop: Stop) -> Self {
        match stop {
            Stop::Fault(fault) => Self::Fault(fault),
            Stop::Io(error) => Self::Io(error),
        }
    }
}

/// What a file is said to be.
#[derive(Clone, Copy, Debug)]
pub struct Expected {
    /// The interchange, as the control file or whoever loads it says.
    pub interchange: Interchange,
    /// The version, if somebody named one: a file of another one is refused.
    pub version: Option<&'static Version>,
}

/// Reads an interchange from `source`, which holds unpacked bytes, and gives its items to `sink`.
///
/// `expected` is what it is said to be. `index` remembers organizations, courses, parents and incidents between
/// the files of a delivery. Malformed XML ends in an [`Item::File`] with a fatal finding; the items before it have been
/// given, and what becomes of them is the caller's decision. `Err`: the bytes could not be read.
pub fn read_interchange(
    expected: Expected,
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
        references: OpenReferences::default(),
    };
    reading.run(expected)
}

/// A record that waits for one it refers to.
struct Waiting {
    convert: Converter,
    record: Record,
    /// What the file calls it.
    own_name: RecordType,
    version: &'static Version,
    purpose: Purpose,
    /// What does not fit the version's vocabulary.
    misfits: Vec<Misfit>,
}

/// What a record rests on.
struct Rests {
    missing: Vec<Reference>,
    rests_on: Vec<Reference>,
}

impl Rests {
    const fn is_empty(&self) -> bool {
        self.missing.is_empty() && self.rests_on.is_empty()
    }
}

/// The item of a record about one person or several. One that introduces its person needs no bytes for quarantine.
pub(super) fn together(
    persons: Vec<Person>,
    (line, record_type): (u32, &RecordType),
    raw: &[u8],
    findings: Vec<Finding>,
) -> Item {
    let mut findings = Some(findings);
    let mut members: Vec<Item> = persons
        .into_iter()
        .map(|Person { state_id, introduces, facts }| Item::Person {
            line,
            record_type: record_type.clone(),
            state_id: Masked::new(state_id),
            claimed_birth_date: None,
            facts,
            introduces,
            raw: Masked::new(if introduces { Vec::new() } else { raw.to_vec() }),
            findings: findings.take().unwrap_or_default(),
        })
        .collect();
    match members.pop() {
        Some(only) if members.is_empty() => only,
        last => {
            members.extend(last);
            Item::Joint(members)
        }
    }
}

struct Reading<'a, 'c, 's> {
    xml: RecordReader<'a>,
    index: &'c mut Index,
    config: &'c Config,
    sink: &'c mut Sink<'s>,
    counts: Counts,
    waiting: VecDeque<Waiting>,
    waiting_bytes: usize,
    repeats: Repeats,
    references: OpenReferences,
}

impl Reading<'_, '_, '_> {
    fn run(mut self, expected: Expected) -> Result<Counts, Error> {
        let outcome = self.read(expected);
        self.index.forget_ids();
        match outcome {
            Ok(()) => self.counts.is_complete = true,
            Err(Early::Stopped) => {}
            Err(Early::Failed(error)) => return Err(error),
            Err(Early::Io(error)) => return Err(Error::unavailable("read an interchange file", error)),
            Err(Early::Fault(fault)) => {
                let finding = file_finding(fault.place, fault.rule, Severity::Fatal, fault.message);
                let _ = (self.sink)(Item::File(finding));
            }
        }
        Ok(self.counts)
    }

    fn read(&mut self, expected: Expected) -> Result<(), Early> {
        let (root, version) = self.xml.root()?;
        if !root.name.starts_with("Interchange") {
            let message = "The root element is no Ed-Fi interchange.".to_owned();
            return Err(Early::Fault(Fault { place: root.place, rule: "edfi.root", message }));
        }
        if let Some(named) = expected.version.filter(|named| named.id != version.id) {
            let message =
                format!("The file is of layout {}, not of {}: name its own layout, or none.", version.id, named.id);
            return Err(Early::Fault(Fault { place: root.place, rule: "edfi.other_version", message }));
        }
        let found = Interchange::of(&root.name);
        if expected.interchange.is_other_than(found) {
            let message = "The file holds another interchange than it was said to be; it is \
                read by what it holds."
                .to_owned();
            self.give(Item::File(file_finding(root.place, "edfi.other_interchange", Severity::Warning, message)))?;
        }
        while let Some(head) = self.xml.next()? {
            self.counts.records += 1;
            self.head(head, version)?;
        }
        while let Some(waiting) = self.waiting.pop_front() {
            self.record(waiting, Referents::MustBeThere)?;
        }
        for finding in std::mem::take(&mut self.references).unresolved(self.index, version) {
            self.give(Item::File(finding))?;
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

    fn head(&mut self, head: Head, version: &'static Version) -> Result<(), Early> {
        self.index.rest();
        let Head { node, purpose } = head;
        let is_delete = purpose != Purpose::Load;
        let name = if is_delete { node.name.strip_suffix("Reference").unwrap_or(&node.name) } else { &node.name };
        let Some(convert) = version.kind(name).and_then(converter) else {
            let (line, id, kind) = (node.place.line, node.attribute("id").map(str::to_owned), name.to_owned());
            match id {
                // Others may refer to it by this id.
                Some(id) => {
                    let record = self.xml.record(node)?;
                    self.remember(&id, &version.normalise(record.node))?;
                }
                None => self.xml.skip()?,
            }
            return self.pass(line, &kind, is_delete);
        };
        let own_name = RecordType::from(name);
        let Record { node, raw, foreign } = self.xml.record(node)?;
        let id = node.attribute("id").map(str::to_owned);
        let misfits = match version.vocabulary() {
            Some(vocabulary) if !is_delete => vocabulary.check(&node, &foreign, Extent::Whole),
            _ => Vec::new(),
        };
        self.xml.told(misfits.iter().filter(|misfit| misfit.finding.rule == "element.namespace").count());
        if !is_delete {
            self.references.note(&node, self.index);
        }
        let node = if is_delete { identity_of_deleted(node) } else { node };
        let record = Record { node: version.normalise(node), raw, foreign: Vec::new() };
        if let (Some(id), false) = (id, is_delete) {
            self.remember(&id, &record.node)?;
        }
        let referents = if is_delete { Referents::DoNotMatter } else { Referents::MayCome };
        self.record(Waiting { convert, record, own_name, version, purpose, misfits }, referents)
    }

    fn remember(&mut self, id: &str, node: &Node) -> Result<(), Early> {
        self.index.remember_id(id, node).map_err(|why| self.unremembered(&why, node))
    }

    fn record(&mut self, waiting: Waiting, mut referents: Referents) -> Result<(), Early> {
        let size = waiting.record.raw.len() * 4;
        if referents == Referents::MayCome && self.waiting_bytes + size > self.config.waiting_bytes_max {
            referents = Referents::MustBeThere;
        }
        let mut fields = Fields::new(&waiting.record.node, self.index, referents, waiting.version);
        let outcome = (waiting.convert)(&mut fields);
        fields.note_lost_character();
        let Fields { findings, missing, rests_on, is_awaiting, .. } = fields;
        let findings = match waiting.version.vocabulary() {
            Some(vocabulary) => joined(vocabulary, waiting.record.node.place, findings, &waiting.misfits),
            None => findings,
        };
        let is_error = |finding: &Finding| finding.severity >= Severity::Error;
        let is_refused = findings.iter().any(is_error);
        let is_misfit = waiting.misfits.iter().any(|misfit| is_error(&misfit.finding));
        // What is missing may stand further down.
        let may_wait = referents == Referents::MayCome && !missing.is_empty();
        match outcome {
            Err(Trouble::Waits) => {
                self.wait(waiting, size);
                Ok(())
            }
            Ok(_) if may_wait && !is_refused => {
                self.wait(waiting, size);
                Ok(())
            }
            Ok(output) if !is_refused => {
                let rests = Rests { missing, rests_on };
                self.output(output, waiting, findings, rests)
            }
            Err(Trouble::Refused) if is_awaiting && !is_misfit => {
                self.dependent(waiting, Rests { missing, rests_on }, None, findings)
            }
            Ok(_) | Err(Trouble::Refused) => self.reject(waiting, findings),
        }
    }

    fn wait(&mut self, waiting: Waiting, size: usize) {
        self.waiting_bytes += size;
        self.waiting.push_back(waiting);
    }

    fn output(&mut self, output: Output, waiting: Waiting, findings: Vec<Finding>, rests: Rests) -> Result<(), Early> {
        let line = waiting.record.node.place.line;
        let is_delete = waiting.purpose != Purpose::Load;
        match output {
            Output::Persons(persons) if is_delete => self.retract(persons, waiting),
            Output::Persons(persons) => self.persons(persons, waiting, findings, rests),
            // What only serves references is not forgotten: records read before rest on it.
            Output::Organization(..) | Output::Learned(..) if is_delete => self.pass(line, &waiting.own_name, true),
            Output::Organization(organization) => {
                let (record, entry) = *organization;
                self.learn(vec![entry], &waiting, Counted::Elsewhere)?;
                self.counts.organizations += 1;
                let record_type = waiting.own_name;
                self.give(Item::Organization { line, record_type, record, findings })
            }
            Output::Learned(entries) => {
                for finding in findings {
                    self.give(Item::File(finding))?;
                }
                self.counts.passed += 1;
                self.learn(entries, &waiting, Counted::Here)
            }
        }
    }

    /// Remembers what a record describes, and gives it to be kept.
    fn learn(&mut self, entries: Vec<(String, Entry)>, waiting: &Waiting, counted: Counted) -> Result<(), Early> {
        let mut descriptions = Vec::with_capacity(entries.len());
        for (key, entry) in entries {
            descriptions.push(Index::description(&key, &entry).map_err(Early::Failed)?);
            self.index.insert(key, entry).map_err(|why| self.unremembered(&why, &waiting.record.node))?;
        }
        let (line, record_type) = (waiting.record.node.place.line, waiting.own_name.clone());
        self.give(Item::Described { line, record_type, descriptions, counted })
    }

    fn persons(
        &mut self,
        persons: Vec<Person>,
        waiting: Waiting,
        findings: Vec<Finding>,
        rests: Rests,
    ) -> Result<(), Early> {
        let (mut members, mut occurrences) = (Vec::with_capacity(persons.len()), Vec::new());
        let mut findings = findings;
        for mut person in persons {
            let facts = std::mem::take(&mut person.facts);
            for fact in facts {
                let (fact, occurrence) = self.tell_apart(&person.state_id, fact, &waiting.record.node, &mut findings);
                occurrences.push(occurrence);
                person.facts.push(fact);
            }
            members.push(person);
        }
        self.counts.persons += 1;
        let raw = &waiting.record.raw;
        let item = together(members, (waiting.record.node.place.line, &waiting.own_name), raw, findings);
        if rests.is_empty() {
            self.give(item)
        } else {
            self.depend(waiting, rests, Some((item, occurrences)), Vec::new())
        }
    }

    /// Gives a record that makes no sense yet.
    fn dependent(
        &mut self,
        waiting: Waiting,
        rests: Rests,
        told: Option<(Item, Vec<usize>)>,
        findings: Vec<Finding>,
    ) -> Result<(), Early> {
        self.counts.awaiting += 1;
        self.references.told(&findings);
        self.depend(waiting, rests, told, findings)
    }

    fn depend(
        &mut self,
        waiting: Waiting,
        rests: Rests,
        told: Option<(Item, Vec<usize>)>,
        findings: Vec<Finding>,
    ) -> Result<(), Early> {
        let Waiting { convert, record, version, own_name, .. } = waiting;
        let (told, occurrences) = told.map_or((None, Vec::new()), |(item, occurrences)| (Some(item), occurrences));
        let subjects = if let Some(item) = &told {
            subjects(item)
        } else {
            // Its identity does not rest on what is missing.
            let mut fields = Fields::new(&record.node, self.index, Referents::DoNotMatter, version);
            match convert(&mut fields) {
                Ok(Output::Persons(persons)) => facts_of(&persons),
                _ => Vec::new(),
            }
        };
        let line = record.node.place.line;
        let kept = KeptRecord::new(version, &record.node, self.index, (occurrences, told.as_ref()));
        self.give(Item::Dependent(Dependent {
            line,
            record_type: own_name,
            missing: rests.missing,
            rests_on: rests.rests_on,
            subjects,
            record: Masked::new(kept.encode().map_err(Early::Failed)?),
            raw: Masked::new(record.raw),
            told: told.map(Box::new),
            findings,
        }))
    }

    fn retract(&mut self, persons: Vec<Person>, waiting: Waiting) -> Result<(), Early> {
        let node = &waiting.record.node;
        let line = node.place.line;
        if waiting.purpose == Purpose::SafeDelete && persons.iter().any(|person| person.introduces) {
            let message = "A student is withdrawn unless records depend on the student, which this \
                file cannot show. Withdraw the student's records one by one, or send the \
                delete with Force=\"true\".";
            let finding = Finding {
                field: Some(waiting.own_name.to_string()),
                ..file_finding(node.place, "delete.depended_on", Severity::Error, message.to_owned())
            };
            return self.reject(waiting, vec![finding]);
        }
        self.counts.retracted += 1;
        let record_type = waiting.own_name;
        let retracted = |Person { state_id, facts, .. }: Person| Item::Retracted {
            line,
            record_type: record_type.clone(),
            state_id: Masked::new(state_id),
            facts,
        };
        let mut members: Vec<Item> = persons.into_iter().map(retracted).collect();
        match members.pop() {
            Some(only) if members.is_empty() => self.give(only),
            last => {
                members.extend(last);
                self.give(Item::Joint(members))
            }
        }
    }

    /// Attendance events have no identity beyond their day, place and category: a second, different one of the same file
    /// gets its own key, by its number. Of everything else the later record counts, and the repetition is said.
    fn tell_apart(
        &mut self,
        state_id: &str,
        mut fact: Fact,
        node: &Node,
        findings: &mut Vec<Finding>,
    ) -> (Fact, usize) {
        let occurrence = self.repeats.occurrence(state_id, &fact);
        if occurrence > 0 && fact.domain != Domain::Attendance {
            let message = "The file says something else about the same before; the later record \
                counts."
                .to_owned();
            findings.push(file_finding(node.place, "record.repeated", Severity::Warning, message));
        }
        number(&mut fact, occurrence);
        (fact, occurrence)
    }

    fn reject(&mut self, waiting: Waiting, findings: Vec<Finding>) -> Result<(), Early> {
        self.counts.rejected += 1;
        self.references.told(&findings);
        let line = waiting.record.node.place.line;
        let record_type = waiting.own_name;
        self.give(Item::Rejected { line, record_type, raw: Masked::new(waiting.record.raw), findings })
    }

    fn pass(&mut self, line: u32, name: &str, is_delete: bool) -> Result<(), Early> {
        self.counts.passed += 1;
        let kind = if is_delete { format!("delete of {name}") } else { name.to_owned() };
        self.give(Item::Passed { line, record_type: name.into(), kind })
    }

    fn give(&mut self, item: Item) -> Result<(), Early> {
        match (self.sink)(item) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => Err(Early::Stopped),
        }
    }

    fn unremembered(&self, why: &Unremembered, node: &Node) -> Early {
        match why {
            Unremembered::Full => {
                let message = format!(
                    "The delivery describes more organizations, courses, parents and \
                        incidents than can be remembered at once ({} bytes, intake.edfi.index_bytes_max).",
                    self.config.index_bytes_max
                );
                Early::Fault(Fault { place: node.place, rule: "limit.index_bytes", message })
            }
            Unremembered::Unwritable => {
                Early::Failed(Error::Corrupt("what an Ed-Fi delivery described cannot be kept".to_owned()))
            }
        }
    }
}

/// Gives a repeated attendance event its own key.
pub(super) fn number(fact: &mut Fact, occurrence: usize) {
    if occurrence > 0 && fact.domain == Domain::Attendance {
        let first = hex::encode(fact.natural_key.0);
        fact.natural_key = NaturalKey::of(fact.domain, &fact.kind, &["edfi", &first, &(occurrence + 1).to_string()]);
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
