//! What a domain is made of: its elements, the kinds of fact it knows, and what tells two facts apart.

use std::sync::LazyLock;

use model::{Domain, Element};

/// The places of a domain's elements by name, in the order that [`by_length`] gives them.
type Places = Vec<(&'static str, usize)>;

/// The places of the elements of every domain: a history looks thousands of names up.
static PLACES: LazyLock<Vec<(Domain, Places)>> = LazyLock::new(|| {
    let places = |domain| {
        let elements = crate::definition(domain).elements.iter().enumerate();
        let mut places: Places = elements.map(|(place, element)| (element.name, place)).collect();
        places.sort_by_key(|(name, _)| by_length(name));
        (domain, places)
    };
    Domain::ALL.into_iter().map(places).collect()
});

/// Names of one length are compared, and few others.
const fn by_length(name: &str) -> (usize, &str) {
    (name.len(), name)
}

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
        self.elements.get(self.find_place(name)?)
    }

    /// The place among the elements of the one of this name.
    pub fn find_place(&self, name: &str) -> Option<usize> {
        let (_, places) = PLACES.iter().find(|(domain, _)| *domain == self.domain)?;
        let found = places.binary_search_by(|(other, _)| by_length(other).cmp(&by_length(name))).ok()?;
        places.get(found).map(|(_, place)| *place)
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
