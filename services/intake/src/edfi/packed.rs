//! Something kept as few bytes until it is asked for, and lent from where it is kept.

use std::{cell::OnceCell, collections::HashMap};

use serde::{Deserialize, Serialize};

use super::{index::Entry, node::Node};
use crate::xml::Place;

/// The bytes of something, and the thing itself while it is at hand.
pub(super) struct Packed<T> {
    bytes: Box<[u8]>,
    open: OnceCell<Box<T>>,
}

/// Something cannot be written as bytes: what it holds is none of what can stand in a file.
#[derive(Debug)]
pub(super) struct Unwritable;

impl<T> Packed<T> {
    fn new(bytes: Vec<u8>) -> Self {
        Self { bytes: bytes.into_boxed_slice(), open: OnceCell::new() }
    }

    /// What it takes while it is packed.
    pub fn size(&self) -> usize {
        self.bytes.len()
    }

    /// The thing; unpacked, and told of, if it is not at hand. `None`: the bytes are not of such a thing.
    pub fn get_or_open(&self, unpack: impl FnOnce(&Self) -> Option<T>, opened: impl FnOnce()) -> Option<&T> {
        if self.open.get().is_none() {
            let thing = Box::new(unpack(self)?);
            opened();
            return Some(self.open.get_or_init(|| thing));
        }
        self.open.get().map(Box::as_ref)
    }

    /// Lets go of the thing; the bytes stay.
    pub fn close(&mut self) {
        self.open.take();
    }

    /// Whether the thing is at hand.
    #[cfg(test)]
    pub fn is_open(&self) -> bool {
        self.open.get().is_some()
    }
}

/// Something as bytes, to be kept as a `T`.
fn packed<W: Serialize + ?Sized, T>(written: &W) -> Result<Packed<T>, Unwritable> {
    serde_json::to_vec(written).map(Packed::new).map_err(|_| Unwritable)
}

impl Packed<Entry> {
    pub fn of(entry: &Entry) -> Result<Self, Unwritable> {
        packed(entry)
    }

    pub fn unpacked(&self) -> Option<Entry> {
        serde_json::from_slice(&self.bytes).ok()
    }
}

/// Names of elements and attributes, each kept once.
#[derive(Default)]
pub(super) struct Names {
    numbers: HashMap<String, u32>,
    by_number: Vec<String>,
    /// What they take.
    pub bytes: usize,
}

impl Names {
    fn number(&mut self, name: &str) -> u32 {
        if let Some(number) = self.numbers.get(name) {
            return *number;
        }
        let number = u32::try_from(self.by_number.len()).unwrap_or(u32::MAX);
        self.bytes += 2 * name.len() + 96;
        self.by_number.push(name.to_owned());
        self.numbers.insert(name.to_owned(), number);
        number
    }

    fn name(&self, number: u32) -> Option<String> {
        self.by_number.get(number as usize).cloned()
    }
}

/// A node as it is packed: name, line, column, attributes, text, children.
#[derive(Serialize, Deserialize)]
struct Flat(u32, u32, u32, Vec<(u32, String)>, String, Vec<Flat>);

impl Flat {
    fn of(node: &Node, names: &mut Names) -> Self {
        let Place { line, column } = node.place;
        let attributes = node.attributes.iter().map(|(name, value)| (names.number(name), value.clone())).collect();
        let children = node.children.iter().map(|child| Self::of(child, names)).collect();
        Self(names.number(&node.name), line, column, attributes, node.text.clone(), children)
    }

    fn node(self, names: &Names) -> Option<Node> {
        let Self(name, line, column, attributes, text, children) = self;
        let named = |(name, value)| Some((names.name(name)?, value));
        Some(Node {
            name: names.name(name)?,
            place: Place { line, column },
            attributes: attributes.into_iter().map(named).collect::<Option<_>>()?,
            text,
            children: children.into_iter().map(|child| child.node(names)).collect::<Option<_>>()?,
        })
    }
}

impl Packed<Node> {
    pub fn of_node(node: &Node, names: &mut Names) -> Result<Self, Unwritable> {
        packed(&Flat::of(node, names))
    }

    pub fn unpacked(&self, names: &Names) -> Option<Node> {
        serde_json::from_slice::<Flat>(&self.bytes).ok()?.node(names)
    }
}

#[cfg(test)]
mod tests {
    use serde::{Serializer, ser::Error as _};

    use super::*;

    /// What cannot be written, as a map with keys that are no text is.
    struct Odd;

    impl Serialize for Odd {
        fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
            Err(S::Error::custom("nothing of the kind"))
        }
    }

    #[test]
    fn what_cannot_be_written_is_no_empty_record() {
        assert!(packed::<Odd, Node>(&Odd).is_err());
        assert!(packed::<str, Node>("text").is_ok_and(|packed| packed.size() > 0));
    }
}
