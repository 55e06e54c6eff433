//! Streams the objects of a SIF file: a message with its envelope, or one object alone.

use std::io::BufRead;

use super::check::NOWHERE;
use crate::xml::{Foreign, Limits, Markup, Node, Ours, Place, Read, Scanner};

/// What a file of SIF may ask of its reader. A package may carry a document, so one text may be long; an object that is
/// kept is small.
const LIMITS: Limits = Limits {
    depth_max: 32,
    markup_bytes_max: 16 << 20,
    attributes_max: 64,
    record_bytes_max: 1 << 20,
    record_elements_max: 10_000,
    file_bytes_max: 64 << 30,
};

/// What a message is there for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MessageKind {
    /// Objects as they are.
    Response,
    /// What happened to objects.
    Event,
}

impl MessageKind {
    /// Its element.
    pub const fn element(self) -> &'static str {
        match self {
            Self::Response => "SIF_Response",
            Self::Event => "SIF_Event",
        }
    }

    /// The kind that an element stands for.
    pub fn of(element: &str) -> Option<Self> {
        [Self::Response, Self::Event].into_iter().find(|kind| kind.element() == element)
    }
}

/// What happened to an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Action {
    /// It is withdrawn.
    Delete,
    /// It is now as it stands here.
    Change,
    /// It is new.
    Add,
}

impl Action {
    /// As messages write it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Delete => "Delete",
            Self::Change => "Change",
            Self::Add => "Add",
        }
    }

    /// The action of a name.
    pub fn of(name: &str) -> Option<Self> {
        [Self::Delete, Self::Change, Self::Add].into_iter().find(|action| action.name() == name)
    }
}

/// What stands before the objects of a message.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Head {
    pub version: String,
    pub kind: MessageKind,
    /// `SIF_Header` and its neighbours.
    pub node: Node,
}

/// The next thing of a file.
pub(crate) enum Piece {
    Head(Head),
    Object {
        node: Node,
        raw: Vec<u8>,
        action: Option<Action>,
        /// Elements of other namespaces that were left out of it.
        foreign: Vec<Foreign>,
    },
    /// An object nobody wants, passed over.
    Passed {
        name: String,
        place: Place,
    },
}

/// Where the reader stands.
enum Open {
    Message,
    Body(MessageKind),
    Data(MessageKind),
    Event(Action),
}

/// Reads one file.
pub(crate) struct ObjectReader<'a> {
    xml: Scanner<'a>,
    wants: fn(&str) -> bool,
    open: Vec<Open>,
    version: String,
    head: Node,
    has_begun: bool,
    pub left_out: u32,
}

impl<'a> ObjectReader<'a> {
    /// Reads `source`; objects whose name `wants` does not want are passed over.
    pub fn new(source: &'a mut dyn BufRead, wants: fn(&str) -> bool) -> Self {
        let xml = Scanner::new(source, LIMITS, Ours::Test(is_sif));
        let head = Node::new("head".to_owned(), NOWHERE, Vec::new());
        Self { xml, wants, open: Vec::new(), version: String::new(), head, has_begun: false, left_out: 0 }
    }

    /// The next piece; `None` at the end of the file.
    pub fn next(&mut self) -> Read<Option<Piece>> {
        if !self.has_begun {
            self.has_begun = true;
            if let Some(piece) = self.root()? {
                return Ok(Some(piece));
            }
        }
        loop {
            if self.xml.depth() == 0 {
                return self.xml.epilogue().map(|()| None);
            }
            self.xml.keep_from_here();
            match self.xml.markup()? {
                Markup::Start { is_ours: false, .. } => {
                    self.left_out += 1;
                    self.xml.skip()?;
                }
                Markup::Start { node, .. } => {
                    if let Some(piece) = self.start(node)? {
                        return Ok(Some(piece));
                    }
                }
                Markup::End => {
                    self.open.pop();
                }
                Markup::Text(text) => self.xml.refuse_loose_text(&text)?,
                Markup::Nothing => {}
                Markup::EndOfFile => return Err(self.xml.truncated()),
            }
        }
    }

    fn root(&mut self) -> Read<Option<Piece>> {
        let (node, namespace) = self.xml.root()?;
        if !is_sif(namespace.as_deref()) {
            let message = "The root element is not of a namespace of SIF 2.x: this is no file of SIF.".to_owned();
            return Err(self.xml.fault("sif.namespace", message));
        }
        if node.name == "SIF_Message" {
            node.attribute("Version").unwrap_or_default().clone_into(&mut self.version);
            self.open.push(Open::Message);
            return Ok(None);
        }
        if node.attribute("RefId").or_else(|| node.attribute("StudentPersonalRefId")).is_none() {
            let message = "The root element is neither a SIF_Message nor an object of SIF.".to_owned();
            return Err(self.xml.fault("sif.root", message));
        }
        self.object(node, None).map(Some)
    }

    fn start(&mut self, node: Node) -> Read<Option<Piece>> {
        match self.open.last() {
            Some(Open::Message) => match MessageKind::of(&node.name) {
                Some(kind) => {
                    self.head.children.clear();
                    self.open.push(Open::Body(kind));
                    Ok(None)
                }
                None => self.pass(node).map(Some),
            },
            Some(Open::Body(kind)) if node.name == "SIF_ObjectData" => {
                let kind = *kind;
                self.open.push(Open::Data(kind));
                let head = std::mem::replace(&mut self.head, Node::new("head".to_owned(), NOWHERE, Vec::new()));
                Ok(Some(Piece::Head(Head { version: self.version.clone(), kind, node: head })))
            }
            Some(Open::Body(_)) => {
                let whole = self.xml.whole(node)?;
                self.head.children.push(whole.node);
                Ok(None)
            }
            Some(Open::Data(MessageKind::Event)) => {
                let action = node.attribute("Action").and_then(Action::of);
                let Some(action) = action.filter(|_| node.name == "SIF_EventObject") else {
                    let message =
                        "An event names no action (Add, Change, Delete): it cannot be carried out.".to_owned();
                    return Err(self.xml.fault("sif.action", message));
                };
                self.open.push(Open::Event(action));
                Ok(None)
            }
            Some(Open::Event(action)) => {
                let action = Some(*action);
                self.object(node, action).map(Some)
            }
            Some(Open::Data(MessageKind::Response)) | None => self.object(node, None).map(Some),
        }
    }

    fn object(&mut self, node: Node, action: Option<Action>) -> Read<Piece> {
        if !(self.wants)(&node.name) {
            return self.pass(node);
        }
        let whole = self.xml.whole(node)?;
        self.left_out += whole.left_out;
        Ok(Piece::Object { node: whole.node, raw: whole.raw, action, foreign: whole.foreign })
    }

    fn pass(&mut self, node: Node) -> Read<Piece> {
        self.xml.skip()?;
        Ok(Piece::Passed { name: node.name, place: node.place })
    }
}

/// The namespaces of SIF 2.x; single objects often stand in none.
fn is_sif(namespace: Option<&str>) -> bool {
    namespace.is_none_or(|name| {
        let name = name.trim_end_matches('/');
        name.starts_with("http://www.sifinfo.org/") || name.starts_with("http://www.sifassociation.org/")
    })
}

/// Where a file belongs among the files of its delivery, by its first bytes: organizations, then who makes students known, then what
/// refers to them.
pub fn turn(first: &[u8]) -> u8 {
    let text = String::from_utf8_lossy(first);
    let holds = |names: [&str; 2]| names.iter().any(|name| text.contains(&format!("<{name}")));
    match () {
        () if holds(["SchoolInfo ", "LEAInfo "]) => 0,
        () if holds(["StudentPersonal ", "StudentDemographicRecord "]) => 1,
        () => 2,
    }
}

/// Whether the first bytes of a file look like SIF.
pub fn looks_like_sif(first: &[u8]) -> bool {
    let text = String::from_utf8_lossy(first);
    let text = text.trim_start_matches('\u{feff}');
    let mut rest = text;
    while let Some(at) = rest.find('<') {
        rest = rest.get(at + 1..).unwrap_or_default();
        if rest.starts_with(['?', '!']) {
            continue;
        }
        let tag = rest.split('>').next().unwrap_or_default();
        return tag.starts_with("SIF_Message") || tag.contains("sifinfo.org") || tag.contains("RefId="); // of an object or of its student
    }
    false
}
