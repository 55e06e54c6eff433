//! Files of StudentContact: checked, turned into NDJSON and back, and produced from the census.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    io::{self, BufRead, Write},
    path::Path,
};

use chrono::{DateTime, NaiveDate, SecondsFormat, Utc};
use reference::tables::Tables;
use serde_json::{Map, Value as Json};

use super::{
    census::{self, Census},
    check::{Extent, NOWHERE, canonical, canonical_among, contact_rules, is_good},
    difference::{Contacts, Event, difference},
    json,
    load::fatal,
    print::MessageWriter,
    publish::{Publication, derived_guid, publish},
    shape::STUDENT_CONTACT,
    stream::{Action, Head, MessageKind, ObjectReader, Piece},
};
use crate::{
    Error, Finding, Severity,
    json_lines::{JsonLine, JsonLines},
    xml::{Node, Place, Stop},
};

/// The version of SIF that is written.
const VERSION: &str = "2.7";

/// What a conversion makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// A SIF_Message.
    Xml,
    /// One JSON object a line.
    Ndjson,
}

/// What was read or written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Objects or events in the file.
    pub objects: u64,
    /// Those that are wrong and left out.
    pub rejected: u64,
    /// Objects of other kinds, left out.
    pub passed: u64,
    /// Published contacts of a census.
    pub published: u64,
    /// Relationships of a census that are not published, by reason.
    pub withheld: BTreeMap<&'static str, u64>,
    /// Events by action.
    pub events: BTreeMap<&'static str, u64>,
}

/// What a message says of itself.
#[derive(Clone, Debug)]
pub struct Stamp {
    /// When it was made.
    pub at: DateTime<Utc>,
    /// Who sends it.
    pub source_id: String,
}

/// What a census is compared with.
pub enum Since<'p> {
    /// Nothing: all contacts are written.
    Nothing,
    /// The census set of the day before. It is published as of that day, so that a relationship that begins or ends without any
    /// change of the files is an event too.
    Census(&'p Path),
    /// The contacts as they were published, in XML.
    Published(&'p mut dyn BufRead),
}

pub(super) fn tables() -> Result<&'static Tables, Error> {
    Tables::builtin("sif").ok_or_else(|| Error::Corrupt("the program has no code tables for SIF".to_owned()))
}

fn is_contact(name: &str) -> bool {
    name == STUDENT_CONTACT.object.name
}

/// A good piece of a file of contacts.
enum Read {
    Head(Head),
    Contact { line: u32, action: Option<Action>, node: Node },
}

/// Reads a file of contacts; what is wrong goes to `findings` and is left out.
fn read_file(
    source: &mut dyn BufRead,
    findings: &mut dyn FnMut(Finding),
    visit: &mut dyn FnMut(Read) -> io::Result<()>,
) -> Result<Summary, Error> {
    let tables = tables()?;
    let mut summary = Summary::default();
    let mut reader = ObjectReader::new(source, is_contact);
    let kept = |result: io::Result<()>| result.map_err(|error| Error::unavailable("write the records", error));
    loop {
        match reader.next() {
            Ok(Some(Piece::Head(mut head))) => {
                let (node, found) = canonical(&head.node, &STUDENT_CONTACT.head, tables, Extent::Whole);
                found.into_iter().for_each(&mut *findings);
                head.node = node;
                kept(visit(Read::Head(head)))?;
            }
            Ok(Some(Piece::Passed { .. })) => summary.passed += 1,
            Ok(Some(Piece::Object { node, action, foreign, .. })) => {
                summary.objects += 1;
                let extent = if action == Some(Action::Delete) { Extent::Identity } else { Extent::Whole };
                let (contact, mut found) = canonical_among(&foreign, &node, &STUDENT_CONTACT.object, tables, extent);
                if extent == Extent::Whole {
                    contact_rules(&contact, node.place, &mut found);
                }
                let good = is_good(&found);
                found.into_iter().for_each(&mut *findings);
                if good {
                    kept(visit(Read::Contact { line: node.place.line, action, node: contact }))?;
                } else {
                    summary.rejected += 1;
                }
            }
            Ok(None) => break,
            Err(Stop::Io(error)) => return Err(Error::unavailable("read a file of SIF", error)),
            Err(Stop::Fault(fault)) => {
                findings(fatal(fault));
                break;
            }
        }
    }
    if summary.passed > 0 {
        let message = format!("{} objects of other kinds are no StudentContact and were passed over.", summary.passed);
        findings(Finding::new(0, "record.passed", Severity::Information, message));
    }
    Ok(summary)
}

/// Says what is wrong with a file of contacts.
pub fn check(source: &mut dyn BufRead, findings: &mut dyn FnMut(Finding)) -> Result<Summary, Error> {
    read_file(source, findings, &mut |_| Ok(()))
}

/// Writes a file of contacts in another form.
pub fn from_xml(
    source: &mut dyn BufRead,
    form: Form,
    out: &mut dyn Write,
    findings: &mut dyn FnMut(Finding),
) -> Result<Summary, Error> {
    let mut writer = Writer::new(form, out);
    let summary = read_file(source, findings, &mut |read| match read {
        Read::Head(head) => writer.begin(&head),
        Read::Contact { line, action, node } => writer.object(Some(line), action, &node),
    })?;
    writer.end().map_err(|error| Error::unavailable("write the records", error))?;
    Ok(summary)
}

/// Writes NDJSON of [`from_xml`] or [`from_census`] as a message again. Lines that are no contact go to `findings`.
pub fn from_ndjson(
    source: &mut dyn BufRead,
    out: &mut dyn Write,
    findings: &mut dyn FnMut(Finding),
) -> Result<Summary, Error> {
    let tables = tables()?;
    let mut writer = Writer::new(Form::Xml, out);
    let mut summary = Summary::default();
    let failed = |error| Error::unavailable("write the message", error);
    let mut lines = JsonLines::new(source);
    while let Some(line) = lines.next_line()? {
        let (number, line) = match line {
            JsonLine::Text(number, line) => (number, line),
            JsonLine::Refused(finding) => {
                summary.rejected += 1;
                findings(finding);
                continue;
            }
        };
        match read_line(line) {
            Err(message) => {
                summary.rejected += 1;
                findings(Finding::new(number, "json.invalid", Severity::Error, message));
            }
            Ok(Read::Head(head)) => writer.begin(&head).map_err(failed)?,
            Ok(Read::Contact { action, node, .. }) => {
                summary.objects += 1;
                let extent = if action == Some(Action::Delete) { Extent::Identity } else { Extent::Whole };
                let (contact, mut found) = canonical(&node, &STUDENT_CONTACT.object, tables, extent);
                for finding in &mut found {
                    finding.line = number;
                }
                if extent == Extent::Whole {
                    contact_rules(&contact, Place { line: number, column: 0 }, &mut found);
                }
                let good = is_good(&found);
                found.into_iter().for_each(&mut *findings);
                if good {
                    writer.object(None, action, &contact).map_err(failed)?;
                } else {
                    summary.rejected += 1;
                }
            }
        }
    }
    writer.end().map_err(failed)?;
    Ok(summary)
}

fn read_line(line: &str) -> Result<Read, String> {
    let object: Map<String, Json> =
        serde_json::from_str(line).map_err(|error| format!("the line is no JSON object: column {}", error.column()))?;
    let text = |name: &str| object.get(name).and_then(Json::as_str);
    if let Some(kind) = text("message") {
        let kind = MessageKind::of(kind).ok_or("the message is neither SIF_Response nor SIF_Event")?;
        let head = object.get("head").ok_or("the message has no head")?;
        let node = json::read(head, &STUDENT_CONTACT.head)?;
        return Ok(Read::Head(Head { version: text("version").unwrap_or(VERSION).to_owned(), kind, node }));
    }
    let action = match text("action") {
        None => None,
        Some(name) => Some(Action::of(name).ok_or("the action is none of Add, Change, Delete")?),
    };
    let name = &STUDENT_CONTACT.object.name;
    let contact = object.get(name).ok_or_else(|| format!("the line holds no {name}"))?;
    Ok(Read::Contact { line: 0, action, node: json::read(contact, &STUDENT_CONTACT.object)? })
}

/// Writes either form.
enum Writer<'w> {
    Xml(MessageWriter<'w>),
    Ndjson(&'w mut dyn Write),
}

impl<'w> Writer<'w> {
    fn new(form: Form, out: &'w mut dyn Write) -> Self {
        match form {
            Form::Xml => Self::Xml(MessageWriter::new(out)),
            Form::Ndjson => Self::Ndjson(out),
        }
    }

    fn begin(&mut self, head: &Head) -> io::Result<()> {
        match self {
            Self::Xml(writer) => writer.begin(&head.version, head.kind, &head.node),
            Self::Ndjson(out) => {
                let mut line = format!(
                    "{{\"message\":\"{}\",\"version\":{},\"head\":",
                    head.kind.element(),
                    Json::String(head.version.clone())
                );
                json::write(&head.node, &STUDENT_CONTACT.head, &mut line);
                writeln!(out, "{line}}}")
            }
        }
    }

    fn object(&mut self, line: Option<u32>, action: Option<Action>, node: &Node) -> io::Result<()> {
        match self {
            Self::Xml(writer) => writer.object(action, node),
            Self::Ndjson(out) => {
                let mut text = "{".to_owned();
                // Cannot fail: writing to a String.
                let _ = line.map(|line| write!(text, "\"line\":{line},"));
                let _ = action.map(|action| write!(text, "\"action\":\"{}\",", action.name()));
                let _ = write!(text, "\"{}\":", node.name);
                json::write(node, &STUDENT_CONTACT.object, &mut text);
                writeln!(out, "{text}}}")
            }
        }
    }

    fn end(self) -> io::Result<()> {
        match self {
            Self::Xml(writer) => writer.end(),
            Self::Ndjson(_) => Ok(()),
        }
    }
}

/// Writes the contacts of a census on a day, or the events since it was published before. Findings come with the name of
/// their file.
pub fn from_census(
    folder: &Path,
    since: Since<'_>,
    today: NaiveDate,
    stamp: &Stamp,
    form: Form,
    out: &mut dyn Write,
    findings: &mut dyn FnMut(&str, Finding),
) -> Result<Summary, Error> {
    let tables = tables()?;
    let census = whole_set(folder, "", findings)?;
    let publication = publish(&census, today, tables);
    let mut summary = summary_of(&publication);
    let now = contacts(publication);
    let (kind, objects) = match since {
        Since::Nothing => (MessageKind::Response, now.into_values().map(|contact| (None, contact)).collect()),
        Since::Census(folder) => {
            let yesterday = today.pred_opt().unwrap_or(today);
            let before = whole_set(folder, "since/", findings)?;
            (MessageKind::Event, events(&contacts(publish(&before, yesterday, tables)), &now))
        }
        Since::Published(file) => {
            let before = published(file, &mut |finding| findings("since", finding))?;
            (MessageKind::Event, events(&before, &now))
        }
    };
    write_message(kind, &objects, stamp, form, out, &mut summary)
        .map_err(|error| Error::unavailable("write the message", error))?;
    Ok(summary)
}

/// How many contacts are published, and why others are not.
pub(super) fn summary_of(publication: &Publication) -> Summary {
    let mut summary = Summary { published: publication.contacts.len() as u64, ..Summary::default() };
    for (_, reason) in &publication.withheld {
        *summary.withheld.entry(reason.words()).or_default() += 1;
    }
    summary
}

/// Reads a set. One of which a file is missing or cannot be read as what it is publishes nothing: whatever it lacks would be
/// withdrawn from everybody.
pub(super) fn whole_set(folder: &Path, prefix: &str, findings: &mut dyn FnMut(&str, Finding)) -> Result<Census, Error> {
    let mut broken = None;
    let census = census::read_set(folder, &mut |file, finding| {
        if finding.severity == Severity::Fatal && broken.is_none() {
            broken = Some(format!("{prefix}{file}: {}", finding.message));
        }
        findings(&format!("{prefix}{file}"), finding);
    })?;
    broken.map_or(Ok(census), |message| Err(Error::Invalid(message)))
}

pub(super) type Objects = Vec<(Option<Action>, Node)>;

pub(super) fn events(before: &Contacts, now: &Contacts) -> Objects {
    difference(before, now).into_iter().map(|Event { action, object }| (Some(action), object)).collect()
}

pub(super) fn contacts(publication: Publication) -> Contacts {
    publication.contacts.into_iter().map(|(id, published)| (id, published.contact)).collect()
}

/// The contacts of a file.
pub(super) fn published(file: &mut dyn BufRead, findings: &mut dyn FnMut(Finding)) -> Result<Contacts, Error> {
    let mut contacts = Contacts::new();
    let (mut has_events, mut is_cut) = (false, false);
    let mut tell = |finding: Finding| {
        is_cut |= finding.severity >= Severity::Error;
        findings(finding);
    };
    read_file(file, &mut tell, &mut |read| {
        match read {
            Read::Head(head) => has_events |= head.kind == MessageKind::Event,
            Read::Contact { node, .. } => {
                contacts.insert(node.attribute("RefId").unwrap_or_default().to_owned(), node);
            }
        }
        Ok(())
    })?;
    if has_events {
        let message = "what to compare with must be the published contacts, not the events of a night";
        return Err(Error::Invalid(message.to_owned()));
    }
    if is_cut {
        // A contact that could not be read would be announced a second time, or never withdrawn.
        let message = "what to compare with is wrong in itself: the events would be wrong too";
        return Err(Error::Invalid(message.to_owned()));
    }
    Ok(contacts)
}

pub(super) fn write_message(
    kind: MessageKind,
    objects: &[(Option<Action>, Node)],
    stamp: &Stamp,
    form: Form,
    out: &mut dyn Write,
    summary: &mut Summary,
) -> io::Result<()> {
    let mut writer = Writer::new(form, out);
    writer.begin(&Head { version: VERSION.to_owned(), kind, node: head(kind, stamp) })?;
    for (action, contact) in objects {
        summary.objects += 1;
        if let Some(action) = action {
            *summary.events.entry(action.name()).or_default() += 1;
        }
        writer.object(None, *action, contact)?;
    }
    writer.end()
}

fn head(kind: MessageKind, stamp: &Stamp) -> Node {
    let at = stamp.at.to_rfc3339_opts(SecondsFormat::Secs, true);
    let text = |name: &str, text: &str| {
        let mut node = Node::new(name.to_owned(), NOWHERE, Vec::new());
        text.clone_into(&mut node.text);
        node
    };
    let message_id = derived_guid(&["message", kind.element(), &stamp.source_id, &at]);
    let mut header = text("SIF_Header", "");
    header.children =
        vec![text("SIF_MsgId", &message_id), text("SIF_Timestamp", &at), text("SIF_SourceId", &stamp.source_id)];
    let mut head = text("head", "");
    head.children.push(header);
    if kind == MessageKind::Response {
        // The file answers nobody's request: its own number stands for one.
        head.children.push(text("SIF_RequestMsgId", &message_id));
        head.children.push(text("SIF_PacketNumber", "1"));
        head.children.push(text("SIF_MorePackets", "No"));
    }
    head
}
