//! One piece of XML, checked and owned: what the record reader is made from.

use quick_xml::{
    errors::IllFormedError,
    events::{BytesRef, BytesStart, Event},
};
use unicode_normalization::UnicodeNormalization as _;

use super::{Fault, Node, Place, Read, Stop};

/// One piece of XML, owned.
pub(crate) enum Markup {
    Start { node: Node, is_ours: bool },
    End,
    Text(String),
    Nothing,
    EndOfFile,
}

pub(super) fn doctype(at: Place) -> Stop {
    let message = "A document type declaration stands here. Interchanges have none; files \
        with one are not read."
        .to_owned();
    Stop::Fault(Fault { place: at, rule: "xml.doctype", message })
}

pub(super) fn convert(event: Event<'_>, at: Place, is_ours: bool, attributes_max: usize) -> Read<Markup> {
    let fault = |rule: &'static str, message: String| Stop::Fault(Fault { place: at, rule, message });
    Ok(match event {
        Event::Start(start) | Event::Empty(start) => {
            let name = start.local_name().as_ref().to_owned();
            Markup::Start { node: Node::new(name, at, attributes(&start, at, attributes_max)?), is_ours }
        }
        Event::End(_) => Markup::End,
        Event::Text(text) => Markup::Text(legal(text.xml10_content().into_owned(), at)?),
        Event::CData(text) => Markup::Text(legal(text.xml10_content().into_owned(), at)?),
        Event::GeneralRef(reference) => Markup::Text(legal(resolve(&reference, at)?, at)?),
        Event::DocType(_) => return Err(doctype(at)),
        Event::Decl(declaration) => {
            let encoding = declaration
                .encoding()
                .transpose()
                .map_err(|_| fault("xml.malformed", "The XML declaration cannot be read.".to_owned()))?;
            let is_utf8 = encoding.is_none_or(|name| {
                ["utf-8", "utf8", "us-ascii", "ascii"].iter().any(|known| name.eq_ignore_ascii_case(known))
            });
            if !is_utf8 {
                return Err(fault(
                    "xml.encoding",
                    "The file says it is in another encoding than UTF-8: send it in UTF-8.".to_owned(),
                ));
            }
            Markup::Nothing
        }
        Event::Comment(_) | Event::PI(_) => Markup::Nothing,
        Event::Eof => Markup::EndOfFile,
    })
}

fn attributes(start: &BytesStart<'_>, at: Place, attributes_max: usize) -> Read<Vec<(String, String)>> {
    let fault = |rule: &'static str, message: String| Stop::Fault(Fault { place: at, rule, message });
    let mut found = Vec::new();
    for (count, attribute) in start.attributes().enumerate() {
        if count >= attributes_max {
            return Err(fault("limit.attributes", format!("An element has more than {attributes_max} attributes.")));
        }
        let attribute = attribute
            .map_err(|_| fault("xml.malformed", "The attributes of this element are not well-formed.".to_owned()))?;
        let value = attribute.normalized_value(quick_xml::XmlVersion::Implicit1_0).map_err(|_| entity(at))?;
        let value = legal(value.into_owned(), at)?;
        if attribute.key.prefix().is_none() && attribute.key.as_namespace_binding().is_none() {
            found.push((attribute.key.as_ref().to_owned(), value.trim().nfc().collect()));
        }
    }
    Ok(found)
}

/// Resolves the five entities of XML and characters by number; every other entity is refused.
fn resolve(reference: &BytesRef<'_>, at: Place) -> Read<String> {
    let character = match reference.as_ref() {
        "lt" => Some('<'),
        "gt" => Some('>'),
        "amp" => Some('&'),
        "apos" => Some('\''),
        "quot" => Some('"'),
        _ => reference.resolve_char_ref().map_err(|_| entity(at))?,
    };
    character.map(String::from).ok_or_else(|| entity(at))
}

fn entity(at: Place) -> Stop {
    let message = "An entity other than the five of XML (lt, gt, amp, apos, quot) stands \
        here: entities are not expanded."
        .to_owned();
    Stop::Fault(Fault { place: at, rule: "xml.entity", message })
}

/// Refuses characters that XML 1.0 forbids.
fn legal(text: String, at: Place) -> Read<String> {
    let is_illegal = |c: char| (c < ' ' && !matches!(c, '\t' | '\n' | '\r')) || matches!(c, '\u{FFFE}' | '\u{FFFF}');
    if text.contains(is_illegal) {
        let message = "A control character stands here that XML does not allow.".to_owned();
        return Err(Stop::Fault(Fault { place: at, rule: "xml.character", message }));
    }
    Ok(text)
}

/// What is wrong, without the text at fault: where markup is broken, anything may be taken for a name.
pub(super) const fn describe(error: &quick_xml::Error) -> &'static str {
    match error {
        quick_xml::Error::IllFormed(error) => match error {
            IllFormedError::MismatchedEndTag { .. } => "an element is closed under another name than it was opened",
            IllFormedError::UnmatchedEndTag(_) => "an element is closed that was not opened",
            IllFormedError::MissingEndTag(_) => "an element is not closed",
            IllFormedError::DoubleHyphenInComment => "two hyphens stand in a comment",
            IllFormedError::UnclosedReference => "an ampersand stands alone; in text it is written &amp;",
            _ => "a declaration is wrong",
        },
        quick_xml::Error::Namespace(_) => "the namespaces are wrong or too many",
        _ => "the markup is wrong",
    }
}
