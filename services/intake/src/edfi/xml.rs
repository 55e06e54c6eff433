//! Streams an Ed-Fi interchange as records: one root, records in it, each a small tree.
//!
//! Nothing is expanded and nothing is fetched: a document type declaration is refused where it begins, and so is every
//! entity but the five of XML itself.

mod markup;

use std::io;

use quick_xml::{
    NsReader,
    name::{Namespace, ResolveResult},
};
use unicode_normalization::UnicodeNormalization as _;

use self::markup::{Markup, convert, describe, doctype};
use super::{
    Config,
    guard::{Breach, Guard, Place},
    node::Node,
    version::{Version, version_of_namespace},
};

/// Why a file cannot be read on.
#[derive(Debug)]
pub(super) struct Fault {
    pub place: Place,
    pub rule: &'static str,
    pub message: String,
}

/// Reading ended early: the file is at fault, or the machine is.
#[derive(Debug)]
pub(super) enum Stop {
    Fault(Fault),
    Io(io::Error),
}

type Read<T> = Result<T, Stop>;

/// What a record is there for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// It says something.
    Load,
    /// It withdraws what is named, whatever depends on it.
    ForcedDelete,
    /// It withdraws what is named unless something depends on it.
    SafeDelete,
}

/// The start of a record.
pub(super) struct Head {
    pub node: Node,
    pub purpose: Purpose,
}

/// A record read whole.
pub(super) struct Record {
    pub node: Node,
    pub raw: Vec<u8>,
}

/// Streams records out of one interchange file.
pub(super) struct RecordReader<'a, 'c> {
    xml: NsReader<Guard<'a>>,
    buffer: Vec<u8>,
    config: &'c Config,
    depth: usize,
    /// Where the markup read last begins.
    at: Place,
    action: Option<Purpose>,
    left_out: u32,
    /// The namespace of the root element, and the version it belongs to.
    version: Option<(String, &'static Version)>,
}

impl<'a, 'c> RecordReader<'a, 'c> {
    pub fn new(source: &'a mut dyn io::BufRead, config: &'c Config) -> Self {
        let guard = Guard::new(source, config.markup_bytes_max, config.file_bytes_max);
        let at = guard.place();
        let mut xml = NsReader::from_reader(guard);
        let settings = xml.config_mut();
        settings.expand_empty_elements = true;
        settings.check_comments = true;
        Self { xml, buffer: Vec::new(), config, depth: 0, at, action: None, left_out: 0, version: None }
    }

    /// How many elements of other namespaces were left out of the records read.
    pub const fn left_out(&self) -> u32 {
        self.left_out
    }

    /// Reads up to the root element, whose namespace says which version the file has.
    pub fn root(&mut self) -> Read<(Node, &'static Version)> {
        self.check_encoding()?;
        loop {
            self.xml.get_mut().keep_from_here();
            match self.markup()? {
                Markup::Start { node, .. } => {
                    let Some((_, version)) = &self.version else {
                        return Err(self.fault(
                            "edfi.namespace",
                            "The root element is of no namespace of an Ed-Fi version that is known here: \
                                `throughline intake layouts` lists them."
                                .to_owned(),
                        ));
                    };
                    return Ok((node, version));
                }
                Markup::Text(text) => self.refuse_loose_text(&text)?,
                Markup::EndOfFile => return Err(self.fault("xml.empty", "The file holds no XML element.".to_owned())),
                Markup::End | Markup::Nothing => {}
            }
        }
    }

    /// Reads up to the start of the next record; `None` at the end of the file.
    pub fn next(&mut self) -> Read<Option<Head>> {
        loop {
            self.xml.get_mut().keep_from_here();
            match self.markup()? {
                Markup::Start { is_edfi: false, .. } => {
                    self.left_out += 1;
                    self.skip()?;
                }
                Markup::Start { node, .. } if node.name == "Action" && self.action.is_none() => {
                    self.action = Some(self.purpose(&node)?);
                }
                Markup::Start { node, .. } => {
                    return Ok(Some(Head { node, purpose: self.action.unwrap_or(Purpose::Load) }));
                }
                Markup::End if self.depth == 0 => return self.epilogue().map(|()| None),
                Markup::End => self.action = None,
                Markup::Text(text) => self.refuse_loose_text(&text)?,
                Markup::Nothing => {}
                Markup::EndOfFile => return Err(self.truncated()),
            }
        }
    }

    /// Reads the rest of a record whose start was given by [`Self::next`].
    pub fn record(&mut self, start: Node) -> Read<Record> {
        let outside = self.depth - 1;
        let mut open = vec![start];
        let mut elements = 1;
        loop {
            match self.markup()? {
                Markup::Start { is_edfi: false, .. } => {
                    self.left_out += 1;
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
                    if let Some(record) = close(&mut open) {
                        debug_assert_eq!(self.depth, outside);
                        return Ok(Record { node: record, raw: self.xml.get_ref().kept().to_vec() });
                    }
                }
                Markup::Nothing => {}
                Markup::EndOfFile => return Err(self.truncated()),
            }
            self.check_record_size(elements)?;
        }
    }

    /// Passes over the rest of a record whose start was given by [`Self::next`].
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

    fn check_record_size(&self, elements: usize) -> Read<()> {
        if elements > self.config.record_elements_max {
            return Err(self.fault(
                "limit.record_elements",
                format!("One record holds more than {} elements.", self.config.record_elements_max),
            ));
        }
        if self.xml.get_ref().kept().len() > self.config.record_bytes_max {
            return Err(self.fault(
                "limit.record_bytes",
                format!("One record is longer than {} bytes.", self.config.record_bytes_max),
            ));
        }
        Ok(())
    }

    fn purpose(&self, action: &Node) -> Read<Purpose> {
        let kind = action.attribute("ActionType").unwrap_or_default();
        if !kind.eq_ignore_ascii_case("DELETE") {
            return Err(self.fault(
                "edfi.action",
                "An Action element has another type than DELETE: it cannot be carried \
                    out."
                    .to_owned(),
            ));
        }
        Ok(match action.attribute("Force") {
            Some("true" | "1") => Purpose::ForcedDelete,
            _ => Purpose::SafeDelete,
        })
    }

    fn epilogue(&mut self) -> Read<()> {
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
    fn markup(&mut self) -> Read<Markup> {
        self.buffer.clear();
        let guard = self.xml.get_mut();
        guard.begin_markup();
        self.at = guard.place();
        let at = self.at;
        let markup = match self.xml.read_resolved_event_into(&mut self.buffer) {
            Ok((namespace, event)) => {
                let namespace = match namespace {
                    ResolveResult::Bound(Namespace(namespace)) => Some(namespace),
                    _ => None,
                };
                if self.version.is_none() && matches!(event, quick_xml::events::Event::Start(_)) {
                    let known = namespace.and_then(|name| Some((name.to_owned(), version_of_namespace(name)?)));
                    self.version = known;
                }
                let of_file = self.version.as_ref().map(|(namespace, _)| namespace.as_str());
                let is_edfi = namespace.is_some() && namespace == of_file;
                convert(event, at, is_edfi, self.config.attributes_max)?
            }
            Err(error) => return Err(self.stop(error)),
        };
        match markup {
            Markup::Start { .. } => {
                self.depth += 1;
                if self.depth > self.config.depth_max {
                    return Err(self.fault(
                        "limit.depth",
                        format!("Elements stand more than {} deep in one another.", self.config.depth_max),
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
                format!("One tag, text or comment is longer than {} bytes.", self.config.markup_bytes_max),
            ),
            (Some(Breach::File), _) => {
                self.fault("limit.file_bytes", format!("The file is longer than {} bytes.", self.config.file_bytes_max))
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

    fn refuse_loose_text(&self, text: &str) -> Read<()> {
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

    fn truncated(&self) -> Stop {
        let message = "The file ends before its elements are closed: it was cut short.".to_owned();
        Stop::Fault(Fault { place: self.xml.get_ref().place(), rule: "xml.truncated", message })
    }

    fn fault(&self, rule: &'static str, message: String) -> Stop {
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
