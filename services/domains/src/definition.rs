//! What a domain is made of: its elements, the kinds of fact it knows, and what tells two facts apart.

use model::{Domain, Element};

/// A kind of fact within a domain.
#[derive(Clone, Copy, Debug)]
pub struct Kind {
    /// Its name, stored in the envelope.
    pub name: &'static str,
    /// The elements whose values tell two facts of this kind apart. A later fact with the same values supersedes the earlier.
    pub key: &'static [&'static str],
}

/// A domain as data. Everything outside this crate works on elements and kinds, never on a domain by name.
#[derive(Clone, Copy, Debug)]
pub struct Definition {
    /// Which one.
    pub domain: Domain,
    /// The heading people read.
    pub label: &'static str,
    /// Its elements, in the order of files and pages.
    pub elements: &'static [Element],
    /// The kinds of fact it stores.
    pub kinds: &'static [Kind],
}

impl Definition {
    /// The element of this name.
    pub fn find_element(&self, name: &str) -> Option<&'static Element> {
        self.elements.iter().find(|element| element.name == name)
    }

    /// The kind of this name.
    pub fn find_kind(&self, name: &str) -> Option<&'static Kind> {
        self.kinds.iter().find(|kind| kind.name == name)
    }
}

/// Writes a domain's element table, `name: Kind, Class, "Label";` a line, and its conversion to the message of the same name: the compiler holds
/// the two to one list of names and kinds.
macro_rules! elements {
    ($domain:ident; $($name:ident: $kind:ident, $class:ident, $label:literal;)*) => {
        /// The elements of the domain.
        pub const ELEMENTS: &[model::Element] = &[$(model::Element {
            domain: model::Domain::$domain,
            name: stringify!($name),
            kind: model::ValueKind::$kind,
            class: model::Sensitivity::$class,
            label: $label,
        }),*];

        /// The row as its message.
        pub fn to_message(row: &model::Row) -> proto::history::v1::$domain {
            proto::history::v1::$domain {
                $($name: crate::wire::field!($kind, row, stringify!($name)),)*
                suppressed: crate::wire::suppressed(row),
                source: Some(crate::wire::source(row)),
            }
        }
    };
}
pub(crate) use elements;
