//! Objects as NDJSON and back: names are the elements' own, an attribute's begins with `@`, an element that may repeat is a
//! list, and text beside attributes is `#text`. Members stand in the order of the description.

use serde_json::{Map, Value as Json};

use super::{
    check::NOWHERE,
    shape::{Holds, Shape},
};
use crate::xml::Node;

/// Appends an object as JSON.
pub(crate) fn write(node: &Node, shape: &Shape, out: &mut String) {
    if shape.holds == Holds::Any {
        return write_any(node, out);
    }
    if shape.attributes.is_empty() && shape.holds != Holds::Elements {
        return out.push_str(&quoted(&node.text));
    }
    let mut members = Members::begin(out);
    for (name, value) in &node.attributes {
        members.name(&format!("@{name}")).push_str(&quoted(value));
    }
    if shape.holds != Holds::Elements {
        members.name("#text").push_str(&quoted(&node.text));
    }
    for known in &shape.children {
        let mut found = node.all(&known.name).peekable();
        if found.peek().is_none() {
            continue;
        }
        let out = members.name(&known.name);
        if known.occurs.repeats {
            out.push('[');
            for (number, child) in found.enumerate() {
                if number > 0 {
                    out.push(',');
                }
                write(child, known, out);
            }
            out.push(']');
        } else if let Some(child) = found.next() {
            write(child, known, out);
        }
    }
    members.end();
}

/// An element whose content nobody describes: its name is not in the object, so it carries it.
fn write_any(node: &Node, out: &mut String) {
    let mut members = Members::begin(out);
    for (name, value) in &node.attributes {
        members.name(&format!("@{name}")).push_str(&quoted(value));
    }
    if !node.text.is_empty() {
        members.name("#text").push_str(&quoted(&node.text));
    }
    if !node.children.is_empty() {
        let out = members.name("#elements");
        out.push('[');
        for (number, child) in node.children.iter().enumerate() {
            if number > 0 {
                out.push(',');
            }
            out.push_str("{\"#name\":");
            out.push_str(&quoted(&child.name));
            out.push_str(",\"#holds\":");
            write_any(child, out);
            out.push('}');
        }
        out.push(']');
    }
    members.end();
}

struct Members<'o> {
    out: &'o mut String,
    is_first: bool,
}

impl<'o> Members<'o> {
    fn begin(out: &'o mut String) -> Self {
        out.push('{');
        Self { out, is_first: true }
    }

    fn name(&mut self, name: &str) -> &mut String {
        if !std::mem::take(&mut self.is_first) {
            self.out.push(',');
        }
        self.out.push_str(&quoted(name));
        self.out.push(':');
        self.out
    }

    fn end(self) {
        self.out.push('}');
    }
}

fn quoted(text: &str) -> String {
    Json::String(text.to_owned()).to_string()
}

/// Reads an object from JSON; the error names the member at fault and none of its content.
pub(crate) fn read(json: &Json, shape: &Shape) -> Result<Node, String> {
    if shape.holds == Holds::Any {
        return read_any(&shape.name, json);
    }
    let mut node = Node::new(shape.name.clone(), NOWHERE, Vec::new());
    match json {
        Json::String(text) if shape.holds != Holds::Elements => node.text.clone_from(text),
        Json::Number(number) if shape.holds != Holds::Elements => node.text = number.to_string(),
        Json::Object(members) => read_members(members, shape, &mut node)?,
        _ => return Err(format!("{} is neither a text nor an object", shape.name)),
    }
    Ok(node)
}

fn read_members(members: &Map<String, Json>, shape: &Shape, node: &mut Node) -> Result<(), String> {
    for attribute in &shape.attributes {
        match members.get(&format!("@{}", attribute.name)) {
            None => {}
            Some(Json::String(text)) => node.attributes.push((attribute.name.clone(), text.clone())),
            Some(_) => return Err(format!("@{} is no text", attribute.name)),
        }
    }
    for known in &shape.children {
        match members.get(&known.name) {
            None => {}
            Some(Json::Array(list)) if known.occurs.repeats => {
                for entry in list {
                    node.children.push(read(entry, known)?);
                }
            }
            Some(_) if known.occurs.repeats => return Err(format!("{} is no list", known.name)),
            Some(one) => node.children.push(read(one, known)?),
        }
    }
    for (name, value) in members {
        let is_known = match name.strip_prefix('@') {
            Some(attribute) => shape.attributes.iter().any(|known| known.name == attribute),
            None if name == "#text" => {
                value.as_str().ok_or("#text is no text")?.clone_into(&mut node.text);
                shape.holds != Holds::Elements
            }
            None => shape.child(name).is_some(),
        };
        if !is_known {
            return Err(format!("{} is no member of {}", crate::finding::quoted(name), shape.name));
        }
    }
    Ok(())
}

fn read_any(name: &str, json: &Json) -> Result<Node, String> {
    let broken = || "an element of free content cannot be read".to_owned();
    let members = json.as_object().ok_or_else(broken)?;
    let mut node = Node::new(name.to_owned(), NOWHERE, Vec::new());
    for (member, value) in members {
        match (member.strip_prefix('@'), value) {
            (Some(attribute), Json::String(text)) if is_name(attribute) => {
                node.attributes.push((attribute.to_owned(), text.clone()));
            }
            (None, Json::String(text)) if member == "#text" => node.text.clone_from(text),
            (None, Json::Array(list)) if member == "#elements" => {
                for entry in list {
                    let name =
                        entry.get("#name").and_then(Json::as_str).filter(|name| is_name(name)).ok_or_else(broken)?;
                    node.children.push(read_any(name, entry.get("#holds").ok_or_else(broken)?)?);
                }
            }
            _ => return Err(broken()),
        }
    }
    Ok(node)
}

/// Whether a text can name an element.
fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_alphabetic() || c == '_')
        && text.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '.'))
}
