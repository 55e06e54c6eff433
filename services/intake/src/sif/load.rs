//! Deliveries of SIF and census sets as items.

use std::{
    collections::HashMap,
    io::{self, BufRead},
    ops::ControlFlow,
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
};

use chrono::NaiveDate;
use model::Masked;
use reference::tables::Tables;
use sha2::{Digest as _, Sha256};

use super::{
    Config, LAYOUT,
    census::{self, Census, Person},
    check::{Extent, NOWHERE, canonical, canonical_among, contact_rules, finding, is_good},
    facts::{self, Output, Source},
    index::{Index, IndexFull},
    publish::{Published, Withheld, publish},
    shape::{OBJECTS, STUDENT_CONTACT},
    stream::{Action, ObjectReader, Piece},
};
use crate::{
    Error, Finding, Item, RecordType, Severity, layouts,
    read::engine::{self, Event},
    xml::{
        Fault, Foreign, Node, Place, Stop,
        vocabulary::{Extent as Said, joined},
    },
};

/// Opens a file, unpacking it if it is packed.
pub type Open = Arc<dyn Fn(&Path) -> io::Result<Box<dyn BufRead>> + Send + Sync>;

type Sink<'s> = dyn FnMut(Item) -> ControlFlow<()> + 's;

fn tables() -> Result<&'static Tables, Error> {
    Tables::builtin("sif").ok_or_else(|| Error::Corrupt("the program has no code tables for SIF".to_owned()))
}

/// Files of SIF that are sent together.
pub struct Delivery {
    paths: Vec<PathBuf>,
    open: Open,
    config: Config,
    /// What its RefIds stand for; nothing, if that is more than may be remembered.
    index: OnceLock<Option<Index>>,
}

impl Delivery {
    /// The files at these paths.
    pub const fn new(paths: Vec<PathBuf>, open: Open, config: Config) -> Self {
        Self { paths, open, config, index: OnceLock::new() }
    }

    /// Reads one of its files and gives its items. `Err`: the file could not be read on; what is wrong in it is an item.
    pub fn read(&self, path: &Path, sink: &mut Sink<'_>) -> Result<(), Error> {
        let Some(index) = self.index()? else {
            let message = format!(
                "The delivery describes more students, schools and codes than can be remembered at once ({} bytes, intake.sif.index_bytes_max).",
                self.config.index_bytes_max
            );
            // Each of its files is refused: whether the caller wants more does not matter here.
            let _ = sink(Item::File(fatal(Fault { place: NOWHERE, rule: "limit.index_bytes", message })));
            return Ok(());
        };
        let mut source = (self.open)(path).map_err(|error| Error::unavailable("open a file of SIF", error))?;
        read_objects(&mut source, index, sink)
    }

    /// The layout name of its files in receipts. What an object says depends on what else the delivery describes, so the name bears a digest of
    /// that: a file that came without its students is another batch when it comes again with them.
    pub fn layout(&self) -> Result<String, Error> {
        let digest = self.index()?.and_then(Index::digest);
        Ok(digest.map_or_else(|| LAYOUT.to_owned(), |digest| format!("{LAYOUT}@{digest}")))
    }

    fn index(&self) -> Result<Option<&Index>, Error> {
        if let Some(index) = self.index.get() {
            return Ok(index.as_ref());
        }
        let mut index = Index::new(self.config.index_bytes_max);
        for path in &self.paths {
            let mut source = (self.open)(path).map_err(|error| Error::unavailable("open a file of SIF", error))?;
            if learn(&mut source, &mut index)?.is_err() {
                return Ok(self.index.get_or_init(|| None).as_ref());
            }
        }
        Ok(self.index.get_or_init(|| Some(index)).as_ref())
    }
}

/// Learns what the RefIds of a file stand for. A file that is broken is told of when it is read.
fn learn(source: &mut dyn BufRead, index: &mut Index) -> Result<Result<(), IndexFull>, Error> {
    let mut reader = ObjectReader::new(source, Index::wants);
    loop {
        match reader.next() {
            Ok(Some(Piece::Object { node, action, .. })) if action != Some(Action::Delete) => {
                if let Err(full) = index.learn(&node) {
                    return Ok(Err(full));
                }
            }
            Ok(Some(_)) => {}
            Ok(None) | Err(Stop::Fault(_)) => return Ok(Ok(())),
            Err(Stop::Io(error)) => return Err(Error::unavailable("read a file of SIF", error)),
        }
    }
}

/// The finding of a file that cannot be read on.
pub(super) fn fatal(fault: Fault) -> Finding {
    Finding {
        line: fault.place.line,
        column: Some(fault.place.column),
        field: None,
        rule: fault.rule.to_owned(),
        severity: Severity::Fatal,
        message: fault.message,
    }
}

fn read_objects(source: &mut dyn BufRead, index: &Index, sink: &mut Sink<'_>) -> Result<(), Error> {
    let tables = tables()?;
    let mut reader = ObjectReader::new(source, facts::wants);
    loop {
        let item = match reader.next() {
            Ok(Some(Piece::Head(_))) => continue,
            Ok(Some(Piece::Passed { name, place })) => {
                Item::Passed { line: place.line, record_type: name.as_str().into(), kind: name }
            }
            Ok(Some(Piece::Object { node, raw, action, foreign })) => {
                let (item, findings) = object_item((&node, raw), action, &foreign, index, tables);
                reader.left_out = reader.left_out.saturating_sub(findings.told);
                for finding in findings.of_file {
                    if sink(Item::File(finding)).is_break() {
                        return Ok(());
                    }
                }
                item
            }
            Ok(None) => break,
            Err(Stop::Io(error)) => return Err(Error::unavailable("read a file of SIF", error)),
            Err(Stop::Fault(fault)) => {
                // The file is over: whether the caller wants more does not matter here.
                let _ = sink(Item::File(fatal(fault)));
                return Ok(());
            }
        };
        if sink(item).is_break() {
            return Ok(());
        }
    }
    if reader.left_out > 0 {
        let message = format!("Elements of other namespaces (extensions) that were left out: {}.", reader.left_out);
        let finding = Finding { severity: Severity::Information, field: None, ..said("sif.extension", message) };
        let _ = sink(Item::File(finding));
    }
    Ok(())
}

fn said(rule: &str, message: String) -> Finding {
    finding(NOWHERE, "", rule, Severity::Warning, message)
}

/// What is said of an object beside its item.
#[derive(Default)]
struct Beside {
    /// Findings about an object that gives no item to bear them.
    of_file: Vec<Finding>,
    /// Elements of other namespaces that were told of by name.
    told: u32,
}

fn object_item(
    (node, raw): (&Node, Vec<u8>),
    action: Option<Action>,
    foreign: &[Foreign],
    index: &Index,
    tables: &Tables,
) -> (Item, Beside) {
    let (line, record_type) = (node.place.line, RecordType::from(node.name.as_str()));
    let mut source = Source { node, index, tables, findings: Vec::new() };
    let mut beside = Beside::default();
    if action == Some(Action::Delete) {
        return (withdrawal(&mut source, raw), beside);
    }
    let contact;
    let mut misfits = Vec::new();
    if node.name == "StudentContact" {
        let (ordered, mut findings) = canonical_among(foreign, node, &STUDENT_CONTACT.object, tables, Extent::Whole);
        contact_rules(&ordered, node.place, &mut findings);
        beside.told = told_of_namespace(findings.iter());
        if !is_good(&findings) {
            return (Item::Rejected { line, record_type, raw: Masked::new(raw), findings }, beside);
        }
        contact = placed(ordered, node.place);
        source = Source { node: &contact, index, tables, findings };
    } else {
        // A change may carry no more than what changed.
        let extent = if action == Some(Action::Change) { Said::Part } else { Said::Whole };
        misfits = OBJECTS.check(node, foreign, extent);
        beside.told = told_of_namespace(misfits.iter().map(|misfit| &misfit.finding));
    }
    let output = facts::read(&mut source);
    let findings = joined(&OBJECTS, node.place, source.findings, &misfits);
    let item = match output {
        Err(facts::Refused) => Item::Rejected { line, record_type, raw: Masked::new(raw), findings },
        Ok(_) if !is_good(&findings) => Item::Rejected { line, record_type, raw: Masked::new(raw), findings },
        Ok(Output::Learned) => {
            beside.of_file = findings;
            Item::Passed { line, record_type, kind: node.name.clone() }
        }
        Ok(Output::Organization(record)) => Item::Organization { line, record_type, record, findings },
        Ok(Output::Student { state_id, introduces, facts }) => Item::Person {
            line,
            record_type,
            state_id: Masked::new(state_id),
            claimed_birth_date: None,
            facts,
            introduces,
            raw: Masked::new(if introduces { Vec::new() } else { raw }),
            findings,
        },
    };
    (item, beside)
}

fn told_of_namespace<'f>(findings: impl Iterator<Item = &'f Finding>) -> u32 {
    findings.filter(|finding| finding.rule == "element.namespace").count() as u32
}

fn placed(mut node: Node, place: Place) -> Node {
    node.place = place;
    node
}

/// An object withdrawn: its fact, by its RefId.
fn withdrawal(source: &mut Source<'_>, raw: Vec<u8>) -> Item {
    let node = source.node;
    let (line, record_type) = (node.place.line, RecordType::from(node.name.as_str()));
    if matches!(node.name.as_str(), "SchoolInfo" | "LEAInfo" | "AttendanceCodeInfo" | "StudentRecordExchange") {
        return Item::Passed { line, record_type, kind: format!("delete of {}", node.name) };
    }
    let fact = node.attribute("RefId").and_then(|ref_id| facts::withdrawn(&node.name, ref_id, line));
    let student = node.attribute("StudentPersonalRefId").and_then(|ref_id| source.index.student(ref_id));
    match (fact, student) {
        (Some(fact), Some(state_id)) => {
            Item::Retracted { line, record_type, state_id: Masked::new(state_id.to_owned()), facts: vec![fact] }
        }
        (fact, _) => {
            let message = if fact.is_none() {
                "An object of this kind is not withdrawn as a whole: send its records corrected."
            } else {
                "The delete names no student whom this delivery describes: what it withdraws is not known."
            };
            let finding = finding(node.place, &node.name, "delete.unresolved", Severity::Error, message.to_owned());
            Item::Rejected { line, record_type, raw: Masked::new(raw), findings: vec![finding] }
        }
    }
}

/// A census set, as of a day.
pub struct CensusSet {
    folder: PathBuf,
    today: NaiveDate,
    read: OnceLock<Known>,
}

/// What the whole set says of the rows of its files.
struct Known {
    published: HashMap<u32, Published>,
    withheld: HashMap<u32, Withheld>,
    students: HashMap<u32, Person>,
}

impl CensusSet {
    /// The set in a folder, as of a day.
    pub const fn new(folder: PathBuf, today: NaiveDate) -> Self {
        Self { folder, today, read: OnceLock::new() }
    }

    /// The layout name of one of its files in receipts. What a relationship says depends on the whole set and the day, so
    /// its layout names both: the same relationships with another address are another batch.
    pub fn layout_of(&self, name: &str) -> Result<String, Error> {
        if name != "relationship" {
            return Ok(format!("census-{name}"));
        }
        let mut hash = Sha256::new();
        for file in census::FILES {
            let path = self.folder.join(format!("{file}.csv"));
            if path.is_file() {
                let mut file = std::fs::File::open(&path).map_err(|e| Error::unavailable("open a census file", e))?;
                io::copy(&mut file, &mut hash).map_err(|e| Error::unavailable("read a census file", e))?;
            }
            hash.update([0]);
        }
        hash.update(self.today.to_string());
        let digest = hex::encode(hash.finalize());
        Ok(format!("census-relationship@{}", digest.get(..12).unwrap_or_default()))
    }

    /// Reads one of its files and gives its items: of persons the students, of relationships the published contacts; the
    /// others hold what these need and are passed over.
    pub fn read(&self, name: &str, sink: &mut Sink<'_>) -> Result<(), Error> {
        let known = self.known()?;
        let id = format!("census-{name}");
        let layout = layouts::find(&id).ok_or_else(|| Error::NotFound(format!("there is no layout {id}")))?;
        let tables = tables()?;
        let path = self.folder.join(format!("{name}.csv"));
        let file = std::fs::File::open(path).map_err(|error| Error::unavailable("open a census file", error))?;
        let mut reader = io::BufReader::new(file);
        engine::run(&mut reader, layout, tables, &mut |event| match event {
            Event::File(finding) => sink(Item::File(finding)),
            Event::Bad { line, record_type, raw, findings } => {
                sink(Item::Rejected { line, record_type, raw: Masked::new(raw.to_vec()), findings })
            }
            Event::Good { record, raw, findings } => {
                let line = record.line;
                let item = match name {
                    "person" => known.person_item(line, findings, tables),
                    "relationship" => known.relationship_item(line, raw, findings, tables),
                    _ => {
                        for finding in findings {
                            if sink(Item::File(finding)).is_break() {
                                return ControlFlow::Break(());
                            }
                        }
                        Item::Passed { line, record_type: census_row(), kind: name.to_owned() }
                    }
                };
                sink(item)
            }
        })?;
        Ok(())
    }

    fn known(&self) -> Result<&Known, Error> {
        if let Some(known) = self.read.get() {
            return Ok(known);
        }
        // What is wrong with a file is said when that file is read.
        let census = census::read_set(&self.folder, &mut |_, _| {})?;
        let known = Known::of(census, self.today, tables()?);
        Ok(self.read.get_or_init(|| known))
    }
}

impl Known {
    fn of(census: Census, today: NaiveDate, tables: &Tables) -> Self {
        let publication = publish(&census, today, tables);
        Self {
            published: publication.contacts.into_values().map(|published| (published.line, published)).collect(),
            withheld: publication.withheld.into_iter().collect(),
            students: census.persons.into_iter().filter(|p| !p.state_id.is_empty()).map(|p| (p.line, p)).collect(),
        }
    }

    fn person_item(&self, line: u32, findings: Vec<Finding>, tables: &Tables) -> Item {
        let Some(student) = self.students.get(&line) else {
            return Item::Passed { line, record_type: census_row(), kind: "person who is no student".to_owned() };
        };
        let node = Node::new("Person".to_owned(), Place { line, column: 0 }, Vec::new());
        let index = Index::default();
        let mut source = Source { node: &node, index: &index, tables, findings };
        match facts::student::census_student(&mut source, student) {
            Ok(fact) => person(line, &student.state_id, vec![fact], true, &[], source.findings),
            Err(facts::Refused) => rejected(line, &[], source.findings),
        }
    }

    fn relationship_item(&self, line: u32, raw: &[u8], mut findings: Vec<Finding>, tables: &Tables) -> Item {
        let place = Place { line, column: 0 };
        let refuse = |mut findings: Vec<Finding>, field: &str, rule: &str, message: &str| {
            findings.push(finding(place, field, rule, Severity::Error, message.to_owned()));
            rejected(line, raw, findings)
        };
        match (self.published.get(&line), self.withheld.get(&line)) {
            (Some(published), _) if published.state_id.is_empty() => {
                let message = "The student has no state identifier: nothing can be kept of the contact.";
                refuse(findings, "person_id", "student.no_state_id", message)
            }
            (Some(published), _) => {
                let index = Index::default();
                let (ordered, mut more) = canonical(&published.contact, &STUDENT_CONTACT.object, tables, Extent::Whole);
                contact_rules(&ordered, place, &mut more);
                let ordered = placed(ordered, place);
                for finding in &mut more {
                    finding.line = line;
                }
                findings.append(&mut more);
                if !is_good(&findings) {
                    return rejected(line, raw, findings);
                }
                let mut source = Source { node: &ordered, index: &index, tables, findings };
                match facts::contact::fact(&mut source, published.days) {
                    Ok(fact) => person(line, &published.state_id, vec![fact], false, raw, source.findings),
                    Err(facts::Refused) => rejected(line, raw, source.findings),
                }
            }
            (None, Some(Withheld::PersonUnknown) | None) => {
                let message = "One of the two persons is not in the set, or its own record is wrong.";
                refuse(findings, "contact_person_id", "person.unknown", message)
            }
            (None, Some(reason)) => Item::Passed { line, record_type: census_row(), kind: reason.words().to_owned() },
        }
    }
}

fn person(
    line: u32,
    state_id: &str,
    facts: Vec<model::Fact>,
    introduces: bool,
    raw: &[u8],
    findings: Vec<Finding>,
) -> Item {
    Item::Person {
        line,
        record_type: census_row(),
        state_id: Masked::new(state_id.to_owned()),
        claimed_birth_date: None,
        facts,
        introduces,
        raw: Masked::new(raw.to_vec()),
        findings,
    }
}

fn rejected(line: u32, raw: &[u8], findings: Vec<Finding>) -> Item {
    Item::Rejected { line, record_type: census_row(), raw: Masked::new(raw.to_vec()), findings }
}

/// A file of a census holds rows of one type.
fn census_row() -> RecordType {
    RecordType::from("record")
}
