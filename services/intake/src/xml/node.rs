//! One record as a small tree.

use serde::{Deserialize, Serialize};

use super::guard::Place;

/// An element of a record: what is inside it and where it stands.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Node {
    /// Its name without prefix.
    pub name: String,
    /// Where its tag begins.
    pub place: Place,
    /// Its attributes without prefix; those of other namespaces are left out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attributes: Vec<(String, String)>,
    /// Its own text: NFC, outer white space removed, inner white space single blanks.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub text: String,
    /// The elements in it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub children: Vec<Node>,
}

impl Node {
    pub fn new(name: String, place: Place, attributes: Vec<(String, String)>) -> Self {
        Self { name, place, attributes, text: String::new(), children: Vec::new() }
    }

    /// The first child of this name.
    pub fn child(&self, name: &str) -> Option<&Self> {
        self.children.iter().find(|child| child.name == name)
    }

    /// The children of this name.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Self> {
        self.children.iter().filter(move |child| child.name == name)
    }

    /// The text of the first child of this name that has any.
    pub fn value(&self, name: &str) -> Option<&str> {
        self.children
            .iter()
            .filter(|child| child.name == name)
            .map(|child| child.text.as_str())
            .find(|text| !text.is_empty())
    }

    /// The same, owned.
    pub fn text_of(&self, name: &str) -> Option<String> {
        self.value(name).map(str::to_owned)
    }

    /// The last child of this name, made if there is none.
    pub fn child_or_new(&mut self, name: &str, place: Place) -> &mut Self {
        let at = self.children.iter().rposition(|child| child.name == name).unwrap_or_else(|| {
            self.children.push(Self::new(name.to_owned(), place, Vec::new()));
            self.children.len() - 1
        });
        // Cannot fail: the position was found, or made, just now.
        #[expect(clippy::indexing_slicing, reason = "the position was found, or made, just now")]
        &mut self.children[at]
    }

    /// The attribute of this name.
    pub fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The first element, here or inside, whose text holds a character.
    pub fn find_text(&self, character: char) -> Option<&Self> {
        if self.text.contains(character) {
            return Some(self);
        }
        self.children.iter().find_map(|child| child.find_text(character))
    }

    /// What another record may need when it refers to this one by id: texts and references, nothing deeper.
    pub fn identity(&self) -> Self {
        let is_key = |child: &&Self| child.children.is_empty() || child.name.ends_with("Reference");
        Self {
            name: self.name.clone(),
            place: self.place,
            attributes: Vec::new(),
            text: String::new(),
            children: self.children.iter().filter(is_key).cloned().collect(),
        }
    }
}
