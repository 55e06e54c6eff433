//! Streams an Ed-Fi interchange as records: one root, records in it, each a small tree. What XML may do is said in
//! [`crate::xml`].

use std::io;

pub(super) use crate::xml::{Fault, Foreign, Stop};
use crate::xml::{Limits, Markup, Node, Ours, Read, Scanner, Whole};

use super::{
    Config,
    version::{Version, version_of_namespace},
};

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
    /// Elements of other namespaces that were left out of it.
    pub foreign: Vec<Foreign>,
}

/// Streams records out of one interchange file.
pub(super) struct RecordReader<'a> {
    xml: Scanner<'a>,
    action: Option<Purpose>,
    left_out: u32,
}

impl<'a> RecordReader<'a> {
    pub fn new(source: &'a mut dyn io::BufRead, config: &Config) -> Self {
        let limits = Limits {
            depth_max: config.depth_max,
            markup_bytes_max: config.markup_bytes_max,
            attributes_max: config.attributes_max,
            record_bytes_max: config.record_bytes_max,
            record_elements_max: config.record_elements_max,
            file_bytes_max: config.file_bytes_max,
        };
        let xml = Scanner::new(
            source,
            limits,
            Ours::Test(|namespace| namespace.is_some_and(|name| version_of_namespace(name).is_some())),
        );
        Self { xml, action: None, left_out: 0 }
    }

    /// How many elements of other namespaces were left out of the records read.
    pub const fn left_out(&self) -> u32 {
        self.left_out
    }

    /// So many of them have been told of by name.
    pub fn told(&mut self, count: usize) {
        self.left_out = self.left_out.saturating_sub(count as u32);
    }

    /// Reads up to the root element, whose namespace says which version the file has.
    pub fn root(&mut self) -> Read<(Node, &'static Version)> {
        let (node, namespace) = self.xml.root()?;
        let known = namespace.and_then(|name| version_of_namespace(&name).map(|version| (name, version)));
        let Some((name, version)) = known else {
            return Err(self.xml.fault(
                "edfi.namespace",
                "The root element is of no namespace of an Ed-Fi version that is known here: \
                    `throughline intake layouts` lists them."
                    .to_owned(),
            ));
        };
        self.xml.read_only(name);
        Ok((node, version))
    }

    /// Reads up to the start of the next record; `None` at the end of the file.
    pub fn next(&mut self) -> Read<Option<Head>> {
        loop {
            self.xml.keep_from_here();
            match self.xml.markup()? {
                Markup::Start { is_ours: false, .. } => {
                    self.left_out += 1;
                    self.xml.skip()?;
                }
                Markup::Start { node, .. } if node.name == "Action" && self.action.is_none() => {
                    self.action = Some(self.purpose(&node)?);
                }
                Markup::Start { node, .. } => {
                    return Ok(Some(Head { node, purpose: self.action.unwrap_or(Purpose::Load) }));
                }
                Markup::End if self.xml.depth() == 0 => return self.xml.epilogue().map(|()| None),
                Markup::End => self.action = None,
                Markup::Text(text) => self.xml.refuse_loose_text(&text)?,
                Markup::Nothing => {}
                Markup::EndOfFile => return Err(self.xml.truncated()),
            }
        }
    }

    /// Reads the rest of a record whose start was given by [`Self::next`].
    pub fn record(&mut self, start: Node) -> Read<Record> {
        let Whole { node, raw, foreign, left_out } = self.xml.whole(start)?;
        self.left_out += left_out;
        Ok(Record { node, raw, foreign })
    }

    /// Passes over the rest of a record whose start was given by [`Self::next`].
    pub fn skip(&mut self) -> Read<()> {
        self.xml.skip()
    }

    fn purpose(&self, action: &Node) -> Read<Purpose> {
        let kind = action.attribute("ActionType").unwrap_or_default();
        if !kind.eq_ignore_ascii_case("DELETE") {
            return Err(self.xml.fault(
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
}
