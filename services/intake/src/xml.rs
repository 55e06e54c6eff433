//! XML from outside, piece by piece: what every reader of XML shares.
//!
//! Nothing is expanded and nothing is fetched: a document type declaration is refused where it begins, and so is every
//! entity but the five of XML itself. Depth, markup, attributes, elements and bytes have limits, and a [`Fault`] says where
//! and why reading ended, never with text of the file.

mod guard;
mod markup;
mod node;
pub(crate) mod vocabulary;

use std::io;

use chrono::{Datelike as _, NaiveDate};
use quick_xml::{
    NsReader,
    name::{Namespace, ResolveResult},
};
use unicode_normalization::UnicodeNormalization as _;

pub(crate) use self::{guard::Place, markup::Markup, node::Node};
use self::{
    guard::{Breach, Guard},
    markup::{convert, describe, doctype},
};

/// Why a file cannot be read on.
#[derive(Debug)]
pub(crate) struct Fault {
    pub place: Place,
    pub rule: &'static str,
    pub message: String,
}

/// Reading ended early: the file is at fault, or the machine is.
#[derive(Debug)]
pub(crate) enum Stop {
    Fault(Fault),
    Io(io::Error),
}

pub(crate) type Read<T> = Result<T, Stop>;

/// What a file may ask of its reader; see [`crate::edfi::Config`] for what each limit holds.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::struct_field_names, reason = "each says what it limits, as the configuration does")]
pub(crate) struct Limits {
    pub depth_max: usize,
    pub markup_bytes_max: u64,
    pub attributes_max: usize,
    pub record_bytes_max: usize,
    pub record_elements_max: usize,
    pub file_bytes_max: u64,
}

/// Which elements belong to the standard that is read; others are left out.
pub(crate) enum Ours {
    /// Those of the namespaces that pass the test (`None`: of no namespace).
    Test(fn(Option<&str>) -> bool),
    /// Those of one namespace.
    Namespace(String),
}

impl Ours {
    fn holds(&self, namespace: Option<&str>) -> bool {
        match self {
            Self::Test(test) => test(namespace),
            Self::Namespace(one) => namespace == Some(one),
        }
    }
}

/// An element read whole.
pub(crate) struct Whole {
    pub node: Node,
    /// Its bytes as received.
    pub raw: Vec<u8>,
    /// Elements of other namespaces that were left out of it, and how many there are: the first hundred are named.
    pub foreign: Vec<Foreign>,
    pub left_out: u32,
}

/// An element of another namespace inside an element of the standard.
#[derive(Clone, Debug)]
pub(crate) struct Foreign {
    /// Where the element around it begins.
    pub around: Place,
    pub place: Place,
    pub name: String,
}

/// Elements of other namespaces that are named, of one record.
const FOREIGN_MAX: usize = 100;

/// Reads one file.
pub(crate) struct Scanner<'a> {
    xml: NsReader<Guard<'a>>,
    buffer: Vec<u8>,
    limits: Limits,
    ours: Ours,
    /// The namespace of the root element, once it is read.
    namespace: Option<String>,
    depth: usize,
    /// Where the markup read last begins.
    at: Place,
}

impl<'a> Scanner<'a> {
    pub fn new(source: &'a mut dyn io::BufRead, limits: Limits, ours: Ours) -> Self {
        let guard = Guard::new(source, limits.markup_bytes_max, limits.file_bytes_max);
        let at = guard.place();
        let mut xml = NsReader::from_reader(guard);
        let settings = xml.config_mut();
        settings.expand_empty_elements = true;
        settings.check_comments = true;
        Self { xml, buffer: Vec::new(), limits, ours, namespace: None, depth: 0, at }
    }

    /// How many elements are open.
    pub const fn depth(&self) -> usize {
        self.depth
    }

    /// From here on the elements of this namespace, and no other, are the standard's.
    pub fn read_only(&mut self, namespace: String) {
        self.ours = Ours::Namespace(namespace);
    }

    /// Reads up to the root element, and gives it with its namespace.
    pub fn root(&mut self) -> Read<(Node, Option<String>)> {
        self.check_encoding()?;
        loop {
            self.keep_from_here();
            match self.markup()? {
                Markup::Start { node, .. } => return Ok((node, self.namespace.take())),
                Markup::Text(text) => self.refuse_loose_text(&text)?,
                Markup::EndOfFile => return Err(self.fault("xml.empty", "The file holds no XML element.".to_owned())),
                Markup::End | Markup::Nothing => {}
            }
        }
    }

    /// Begins a stretch whose bytes an element read whole will carry.
    pub fn keep_from_here(&mut self) {
        self.xml.get_mut().keep_from_here();
    }

    /// Reads the rest of an element whose start was given by [`Self::markup`], with all that is in it.
    pub fn whole(&mut self, start: Node) -> Read<Whole> {
        let outside = self.depth - 1;
        let mut open = vec![start];
        let (mut elements, mut left_out) = (1, 0);
        let mut foreign = Vec::new();
        loop {
            match self.markup()? {
                Markup::Start { is_ours: false, node } => {
                    left_out += 1;
                    if let Some(around) = open.last().filter(|_| foreign.len() < FOREIGN_MAX) {
                        foreign.push(Foreign { around: around.place, place: node.place, name: node.name });
                    }
                    self.skip_element()?;
                }
                Markup::Start { node, .. } => {
                    elements += 1;
                    open.push(node);
                }
                Markup::Text(text) => {
                    if let Some(last) = open.last_mut() {
                        last.text.push_str(&text);
                    }
                }
                Markup::End => {
                    if let Some(node) = close(&mut open) {
                        debug_assert_eq!(self.depth, outside);
                        return Ok(Whole { node, raw: self.xml.get_ref().kept().to_vec(), foreign, left_out });
                    }
                }
                Markup::Nothing => {}
                Markup::EndOfFile => return Err(self.truncated()),
            }
            self.check_size(elements)?;
        }
    }

    /// Passes over the rest of an element whose start was given by [`Self::markup`].
    pub fn skip(&mut self) -> Read<()> {
        self.xml.get_mut().stop_keeping();
        self.skip_element()
    }

    fn skip_element(&mut self) -> Read<()> {
        let outside = self.depth - 1;
        while self.depth > outside {
            if matches!(self.markup()?, Markup::EndOfFile) {
                return Err(self.truncated());
            }
        }
        Ok(())
    }

    fn check_size(&self, elements: usize) -> Read<()> {
        if elements > self.limits.record_elements_max {
            return Err(self.fault(
                "limit.record_elements",
                format!("One record holds more than {} elements.", self.limits.record_elements_max),
            ));
        }
        if self.xml.get_ref().kept().len() > self.limits.record_bytes_max {
            return Err(self.fault(
                "limit.record_bytes",
                format!("One record is longer than {} bytes.", self.limits.record_bytes_max),
            ));
        }
        Ok(())
    }

    /// Reads what may stand after the root element: nothing.
    pub fn epilogue(&mut self) -> Read<()> {
        loop {
            match self.markup()? {
                Markup::EndOfFile => return Ok(()),
                Markup::Text(text) => self.refuse_loose_text(&text)?,
                Markup::Start { .. } => {
                    return Err(self.fault(
                        "xml.second_root",
                        "A second root element begins here: an XML file has one.".to_owned(),
                    ));
                }
                Markup::End | Markup::Nothing => {}
            }
        }
    }

    fn check_encoding(&mut self) -> Read<()> {
        let guard = self.xml.get_mut();
        let first = io::BufRead::fill_buf(guard).map_err(Stop::Io)?;
        let is_utf16 = matches!(first, [0xFE, 0xFF, ..] | [0xFF, 0xFE, ..] | [0, ..] | [_, 0, ..]);
        if is_utf16 {
            return Err(self.fault("xml.encoding", "The file is in UTF-16 or UTF-32: send it in UTF-8.".to_owned()));
        }
        Ok(())
    }

    /// Reads one piece of XML.
    pub fn markup(&mut self) -> Read<Markup> {
        self.buffer.clear();
        let guard = self.xml.get_mut();
        guard.begin_markup();
        self.at = guard.place();
        let at = self.at;
        let markup = match self.xml.read_resolved_event_into(&mut self.buffer) {
            Ok((namespace, event)) => {
                let is_ours = match namespace {
                    ResolveResult::Bound(Namespace(name)) => {
                        if self.depth == 0 {
                            self.namespace = Some(name.to_owned());
                        }
                        self.ours.holds(Some(name))
                    }
                    ResolveResult::Unbound => self.ours.holds(None),
                    ResolveResult::Unknown(_) => false,
                };
                convert(event, at, is_ours, self.limits.attributes_max)?
            }
            Err(error) => return Err(self.stop(error)),
        };
        match markup {
            Markup::Start { .. } => {
                self.depth += 1;
                if self.depth > self.limits.depth_max {
                    return Err(self.fault(
                        "limit.depth",
                        format!("Elements stand more than {} deep in one another.", self.limits.depth_max),
                    ));
                }
            }
            Markup::End => self.depth = self.depth.saturating_sub(1),
            Markup::EndOfFile if self.depth > 0 => return Err(self.truncated()),
            _ => {}
        }
        Ok(markup)
    }

    fn stop(&self, error: quick_xml::Error) -> Stop {
        let guard = self.xml.get_ref();
        let is_doctype = guard.kept().get(..9).is_some_and(|start| start.eq_ignore_ascii_case(b"<!DOCTYPE"));
        match (guard.breach(), error) {
            (Some(Breach::Markup), _) if is_doctype => doctype(self.at),
            (Some(Breach::Markup), _) => self.fault(
                "limit.markup_bytes",
                format!("One tag, text or comment is longer than {} bytes.", self.limits.markup_bytes_max),
            ),
            (Some(Breach::File), _) => {
                self.fault("limit.file_bytes", format!("The file is longer than {} bytes.", self.limits.file_bytes_max))
            }
            (None, quick_xml::Error::Io(error)) if is_damage(error.kind()) => {
                let message = "The packed file is damaged or cut short: it cannot be unpacked beyond \
                    this place."
                    .to_owned();
                Stop::Fault(Fault { place: guard.place(), rule: "file.damaged", message })
            }
            (None, quick_xml::Error::Io(error)) => Stop::Io(io::Error::new(error.kind(), error)),
            (None, quick_xml::Error::Encoding(_)) => {
                self.fault("xml.encoding", "Bytes here are not UTF-8, the encoding the file is read in.".to_owned())
            }
            (None, quick_xml::Error::Syntax(error)) => {
                self.fault("xml.syntax", format!("This is not well-formed XML: {error}."))
            }
            (None, error) => self.fault("xml.malformed", format!("This is not well-formed XML: {}.", describe(&error))),
        }
    }

    /// Refuses text where only elements may stand.
    pub fn refuse_loose_text(&self, text: &str) -> Read<()> {
        let stray = text.trim_start();
        if stray.is_empty() {
            return Ok(());
        }
        let space = text.strip_suffix(stray).unwrap_or_default();
        let lines = space.matches('\n').count() as u32;
        let indent = space.rsplit('\n').next().unwrap_or_default().chars().count() as u32;
        let column = if lines == 0 { self.at.column + indent } else { indent + 1 };
        let place = Place { line: self.at.line + lines, column };
        let message = "Text stands outside of any record.".to_owned();
        Err(Stop::Fault(Fault { place, rule: "xml.loose_text", message }))
    }

    /// The file was cut short.
    pub fn truncated(&self) -> Stop {
        let message = "The file ends before its elements are closed: it was cut short.".to_owned();
        Stop::Fault(Fault { place: self.xml.get_ref().place(), rule: "xml.truncated", message })
    }

    /// A fault where the markup read last begins.
    pub fn fault(&self, rule: &'static str, message: String) -> Stop {
        Stop::Fault(Fault { place: self.at, rule, message })
    }
}

/// Closes the innermost open element; gives it back if it was the outermost.
fn close(open: &mut Vec<Node>) -> Option<Node> {
    let mut node = open.pop()?;
    let text: String = node.text.nfc().collect();
    node.text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match open.last_mut() {
        Some(outer) => {
            outer.children.push(node);
            None
        }
        None => Some(node),
    }
}

const fn is_damage(kind: io::ErrorKind) -> bool {
    matches!(kind, io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput | io::ErrorKind::UnexpectedEof)
}

/// A year later or earlier than this is taken for a slip of the pen.
const YEARS: std::ops::RangeInclusive<i32> = 1900..=2200;

/// A day as XML Schema writes it; a time zone after it says nothing about the day and is passed over.
pub(crate) fn date(text: &str) -> Option<NaiveDate> {
    let (day, zone) = text.split_at_checked(10)?;
    let is_zone = matches!(zone, "" | "Z") || (zone.len() == 6 && zone.starts_with(['+', '-']));
    let digits = day
        .bytes()
        .enumerate()
        .all(|(at, byte)| if matches!(at, 4 | 7) { byte == b'-' } else { byte.is_ascii_digit() });
    let day: NaiveDate = day.parse().ok().filter(|_| is_zone && digits)?;
    YEARS.contains(&day.year()).then_some(day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_read_as_xml_schema_writes_them() {
        fn check(text: &str, expect: Option<(i32, u32, u32)>) {
            assert_eq!(date(text), expect.and_then(|(y, m, d)| NaiveDate::from_ymd_opt(y, m, d)), "{text}");
        }
        check("2011-09-06", Some((2011, 9, 6)));
        check("2011-09-06Z", Some((2011, 9, 6)));
        check("2011-09-06-05:00", Some((2011, 9, 6)));
        check("2011-02-30", None);
        check("09/06/2011", None);
        check("2011-9-6", None);
        check("0011-09-06", None);
        check("2011-09-06T00:00:00", None);
        check("é011-09-06", None);
        check("", None);
    }
}
