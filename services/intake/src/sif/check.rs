//! What is wrong with an object, and the object in its canonical form: known elements only, in their order.

use std::collections::BTreeSet;

use reference::tables::{Tables, Unknown};

use super::shape::{Holds, Shape};
use crate::{
    Finding, Severity,
    xml::{Foreign, Node, Place},
};

/// The place of what stands in no file.
pub(crate) const NOWHERE: Place = Place { line: 0, column: 0 };

/// How much of an object must be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Extent {
    /// All that is mandatory.
    Whole,
    /// Its identifiers: it is withdrawn.
    Identity,
}

/// Checks an object and puts it in order. An element that the description does not know is left out and said.
pub(crate) fn canonical(node: &Node, shape: &Shape, tables: &Tables, extent: Extent) -> (Node, Vec<Finding>) {
    canonical_among(&[], node, shape, tables, extent)
}

/// The same, of an object that has elements of other namespaces in it.
pub(crate) fn canonical_among(
    foreign: &[Foreign],
    node: &Node,
    shape: &Shape,
    tables: &Tables,
    extent: Extent,
) -> (Node, Vec<Finding>) {
    let mut check = Check { foreign, tables, extent, findings: Vec::new() };
    let object = check.element(node, shape);
    (object, check.findings)
}

/// Whether nothing keeps the object from being used.
pub(crate) fn is_good(findings: &[Finding]) -> bool {
    findings.iter().all(|finding| finding.severity < Severity::Error)
}

/// The rules of a contact that no single element knows.
pub(crate) fn contact_rules(contact: &Node, place: Place, findings: &mut Vec<Finding>) {
    const ADDRESSES_MAX: usize = 5;
    let mut note = |field: &str, rule: &str, message: &str| {
        findings.push(finding(place, field, rule, Severity::Error, message.to_owned()));
    };
    // That there are no flags at all is said of the element.
    let flags = contact.child("ContactFlags");
    if flags.is_some_and(|flags| !flags.children.iter().any(|flag| flag.text == "Yes")) {
        note("ContactFlags", "contact_flags.none", "No contact flag is Yes: such a contact is not published.");
    }
    let addresses: Vec<&Node> =
        contact.child("AddressList").map(|list| list.all("Address").collect()).unwrap_or_default();
    if addresses.len() > ADDRESSES_MAX {
        note("AddressList", "address.too_many", "A contact has at most five addresses.");
    }
    let mut types = BTreeSet::new();
    if !addresses.iter().all(|address| types.insert(address.attribute("Type"))) {
        note("AddressList/Address/@Type", "address.type_repeated", "Two addresses of one contact have the same type.");
    }
    let is_record = |name: &Node| name.attribute("Type") == Some("04");
    if contact.child("OtherNames").is_some_and(|names| names.all("Name").any(is_record)) {
        note("OtherNames/Name/@Type", "name.type", "Another name cannot be the name of record (04).");
    }
}

pub(crate) fn finding(place: Place, field: &str, rule: &str, severity: Severity, message: String) -> Finding {
    Finding {
        line: place.line,
        column: (place.column > 0).then_some(place.column),
        field: Some(field.to_owned()),
        rule: rule.to_owned(),
        severity,
        message,
    }
}

struct Check<'t> {
    foreign: &'t [Foreign],
    tables: &'t Tables,
    extent: Extent,
    findings: Vec<Finding>,
}

impl Check<'_> {
    fn note(&mut self, place: Place, field: &str, rule: &str, severity: Severity, message: impl Into<String>) {
        self.findings.push(finding(place, field, rule, severity, message.into()));
    }

    fn element(&mut self, node: &Node, shape: &Shape) -> Node {
        if shape.holds == Holds::Any {
            return nowhere(node);
        }
        let mut found = Node::new(node.name.clone(), NOWHERE, Vec::new());
        self.attributes(node, shape, &mut found);
        if shape.holds != Holds::Elements {
            if node.text.is_empty() {
                self.missing(node.place, shape);
            } else {
                self.value(&node.text, shape, node.place);
            }
            found.text.clone_from(&node.text);
        } else if !node.text.is_empty() {
            let message = "Text stands where only elements may stand; it is left out.";
            self.note(node.place, &path_of(shape), "text.misplaced", Severity::Warning, message);
        }
        if self.extent == Extent::Whole || !node.children.is_empty() {
            self.children(node, shape, &mut found);
        }
        found
    }

    fn attributes(&mut self, node: &Node, shape: &Shape, found: &mut Node) {
        for attribute in &shape.attributes {
            match node.attribute(&attribute.name).filter(|text| !text.is_empty()) {
                Some(text) => {
                    self.value(text, attribute, node.place);
                    found.attributes.push((attribute.name.clone(), text.to_owned()));
                }
                None if attribute.occurs.is_mandatory => self.missing(node.place, attribute),
                None => {}
            }
        }
        for (name, _) in &node.attributes {
            if !shape.attributes.iter().any(|known| known.name == *name) {
                let message = "The description of the object knows no such attribute; it is left out.";
                self.note(
                    node.place,
                    &format!("{}/@{name}", path_of(shape)),
                    "attribute.unknown",
                    Severity::Warning,
                    message,
                );
            }
        }
    }

    /// What does not belong into an element, and what is not there. One of either kind has one cause: a wrong name.
    fn strangers(&mut self, node: &Node, shape: &Shape) {
        let foreign = self.foreign;
        let is_there = |known: &Shape| node.all(&known.name).any(|child| !is_blank_but_for(foreign, child));
        let is_due = |known: &&Shape| {
            let is_list = known.holds == Holds::Elements && known.children.is_empty();
            known.occurs.is_mandatory && !is_list && !is_there(known)
        };
        let mut missing: Vec<&Shape> = shape.children.iter().filter(is_due).collect();
        if self.extent != Extent::Whole {
            missing.clear();
        }
        let mut in_place_of = |meant: Option<&Shape>| {
            let before = missing.len();
            missing.retain(|known| meant.is_none_or(|meant| meant.name != known.name));
            if missing.len() < before { Severity::Error } else { Severity::Warning }
        };
        for stranger in foreign.iter().filter(|stranger| stranger.around == node.place) {
            let Some(meant) = shape.child(&stranger.name) else { continue };
            let message = "The element has the name of one of the standard and another namespace; it is left out.";
            self.note(stranger.place, &meant.path, "element.namespace", in_place_of(Some(meant)), message);
        }
        for stranger in node.children.iter().filter(|child| shape.child(&child.name).is_none()) {
            let alike = shape.children.iter().find(|known| {
                let is_part = stranger.name.starts_with(&known.name) || known.name.starts_with(&stranger.name);
                is_part && !is_there(known)
            });
            let message = alike.map_or_else(
                || "The description of the object knows no such element; it is left out.".to_owned(),
                |meant| {
                    let name = &meant.name;
                    format!("The description knows no such element; {name} may be what is meant, and is missing.")
                },
            );
            self.note(stranger.place, &stranger.name, "element.unknown", in_place_of(alike), message);
        }
        for known in missing {
            self.missing(node.place, known);
        }
    }

    fn children(&mut self, node: &Node, shape: &Shape, found: &mut Node) {
        self.strangers(node, shape);
        let mut furthest = 0;
        for child in &node.children {
            match shape.children.iter().position(|known| known.name == child.name) {
                None => {}
                Some(at) if at < furthest => {
                    let message = "The element stands before another that should come first; it is read all the same.";
                    self.note(child.place, &child.name, "element.order", Severity::Warning, message);
                }
                Some(at) => furthest = at,
            }
        }
        for known in &shape.children {
            let mut count = 0;
            let foreign = self.foreign;
            for child in node.all(&known.name).filter(|child| !is_blank_but_for(foreign, child)) {
                count += 1;
                if count == 2 && !known.occurs.repeats {
                    let message = "The element may stand here once.";
                    self.note(child.place, &known.path, "element.repeated", Severity::Error, message);
                }
                let ordered = self.element(child, known);
                found.children.extend((!is_blank(child)).then_some(ordered));
            }
        }
    }

    fn missing(&mut self, place: Place, shape: &Shape) {
        let message = "This is required and is missing or empty.";
        self.note(place, &shape.path, "field.required", Severity::Error, message);
    }

    /// Whether a text is what should stand here; never repeats it.
    fn value(&mut self, text: &str, shape: &Shape, place: Place) {
        let wrong = match shape.holds {
            Holds::Guid => (!is_guid(text)).then_some(("guid.invalid", "An identifier has 32 hexadecimal digits.")),
            Holds::Date => text
                .parse::<chrono::NaiveDate>()
                .is_err()
                .then_some(("date.invalid", "This is no day of the calendar in the form YYYY-MM-DD.")),
            Holds::Integer => (text.is_empty() || text.len() > 9 || !text.bytes().all(|byte| byte.is_ascii_digit()))
                .then_some(("number.invalid", "This is a whole number, not negative, of at most nine digits.")),
            Holds::Constant => (shape.constant.as_deref() != Some(text))
                .then_some(("value.constant", "This is always the same and something else stands here.")),
            Holds::Code => return self.code(text, shape, place),
            Holds::Text | Holds::Elements | Holds::Any => None,
        };
        if let Some((rule, message)) = wrong {
            self.note(place, &shape.path, rule, Severity::Error, message);
        }
    }

    fn code(&mut self, text: &str, shape: &Shape, place: Place) {
        let edition = shape.table.as_deref().and_then(|id| self.tables.find(id)).and_then(|table| table.edition(None));
        let Some(edition) = edition.map(reference::tables::EditionMatch::edition) else {
            return;
        };
        if edition.find(text).is_none() {
            let severity = match edition.unknown {
                Unknown::Error => Severity::Error,
                Unknown::Warning => Severity::Warning,
            };
            let table = shape.table.as_deref().unwrap_or_default();
            self.note(place, &shape.path, "code.unknown", severity, format!("The code is not in the table {table}."));
        }
    }
}

fn path_of(shape: &Shape) -> String {
    if shape.path.is_empty() { shape.name.clone() } else { shape.path.clone() }
}

/// An element that says nothing: senders write them for what they do not know.
fn is_blank(node: &Node) -> bool {
    node.text.is_empty() && node.children.iter().all(is_blank) && node.attributes.is_empty()
}

/// Whether it says nothing either by elements of other namespaces in it, which are told of where they stand.
fn is_blank_but_for(foreign: &[Foreign], node: &Node) -> bool {
    let says_nothing = node.text.is_empty() && node.attributes.is_empty();
    says_nothing
        && !foreign.iter().any(|foreign| foreign.around == node.place)
        && node.children.iter().all(|child| is_blank_but_for(foreign, child))
}

/// An element as it is, but for its place.
fn nowhere(node: &Node) -> Node {
    let mut copy = Node::new(node.name.clone(), NOWHERE, node.attributes.clone());
    copy.text.clone_from(&node.text);
    copy.children = node.children.iter().map(nowhere).collect();
    copy
}

/// Whether a text is an identifier of SIF.
pub(crate) fn is_guid(text: &str) -> bool {
    text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// An identifier as SIF writes it: hyphens and braces of other systems taken off, upper case.
pub(crate) fn guid(text: &str) -> String {
    text.chars().filter(|c| !matches!(c, '-' | '{' | '}')).collect::<String>().to_ascii_uppercase()
}
