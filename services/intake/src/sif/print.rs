//! Writes messages: one form, so that what was written is written again byte for byte.

use std::io::{self, Write};

use super::stream::{Action, MessageKind};
use crate::xml::Node;

/// The namespace of SIF 2.x.
pub(crate) const NAMESPACE: &str = "http://www.sifinfo.org/infrastructure/2.x";

/// Writes one message, object by object.
pub(crate) struct MessageWriter<'w> {
    out: &'w mut dyn Write,
    kind: Option<MessageKind>,
    has_objects: bool,
}

impl<'w> MessageWriter<'w> {
    pub fn new(out: &'w mut dyn Write) -> Self {
        Self { out, kind: None, has_objects: false }
    }

    /// Begins the message: its version, and what stands before the objects.
    pub fn begin(&mut self, version: &str, kind: MessageKind, head: &Node) -> io::Result<()> {
        self.kind = Some(kind);
        writeln!(self.out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>")?;
        writeln!(self.out, "<SIF_Message xmlns=\"{NAMESPACE}\" Version=\"{}\">", attribute(version))?;
        writeln!(self.out, "  <{}>", kind.element())?;
        for node in &head.children {
            self.node(node, 2)?;
        }
        writeln!(self.out, "    <SIF_ObjectData>")
    }

    /// Writes an object, as an event if an action is given.
    pub fn object(&mut self, action: Option<Action>, node: &Node) -> io::Result<()> {
        self.has_objects = true;
        match action {
            None => self.node(node, 3),
            Some(action) => {
                let object = &node.name;
                writeln!(self.out, "      <SIF_EventObject ObjectName=\"{object}\" Action=\"{}\">", action.name())?;
                self.node(node, 4)?;
                writeln!(self.out, "      </SIF_EventObject>")
            }
        }
    }

    /// Ends the message.
    pub fn end(self) -> io::Result<()> {
        let Some(kind) = self.kind else {
            return Ok(());
        };
        writeln!(self.out, "    </SIF_ObjectData>\n  </{}>\n</SIF_Message>", kind.element())
    }

    fn node(&mut self, node: &Node, depth: usize) -> io::Result<()> {
        let indent = "  ".repeat(depth);
        write!(self.out, "{indent}<{}", node.name)?;
        for (name, value) in &node.attributes {
            write!(self.out, " {name}=\"{}\"", attribute(value))?;
        }
        if node.children.is_empty() {
            return if node.text.is_empty() {
                writeln!(self.out, "/>")
            } else {
                writeln!(self.out, ">{}</{}>", text(&node.text), node.name)
            };
        }
        writeln!(self.out, ">")?;
        for child in &node.children {
            self.node(child, depth + 1)?;
        }
        writeln!(self.out, "{indent}</{}>", node.name)
    }
}

fn text(value: &str) -> String {
    value.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

fn attribute(value: &str) -> String {
    text(value).replace('"', "&quot;")
}
