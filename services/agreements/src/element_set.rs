//! Sets of elements, small enough to copy and fast enough for a decision per row.

use std::{collections::BTreeMap, fmt, sync::LazyLock};

use domains::definition;
use model::{Domain, Element, Sensitivity};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

const DOMAINS: usize = Domain::ALL.len();

/// A set of elements of the registry. Only elements that exist can be in it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct ElementSet([u64; DOMAINS]);

/// A name is no element of the registry.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no element is called {0:?}")]
pub struct UnknownElement(pub String);

// One bit an element: a domain that outgrows its word fails the build, here.
const _: () = {
    let mut at = 0;
    while at < DOMAINS {
        assert!(definition(Domain::ALL[at]).elements.len() <= 64);
        assert!(Domain::ALL[at].code() as usize == at + 1);
        at += 1;
    }
};

const fn slot(domain: Domain) -> usize {
    domain.code() as usize - 1
}

fn bit(domain: Domain, name: &str) -> Option<u64> {
    definition(domain).find_place(name).map(|at| 1 << at)
}

impl ElementSet {
    /// No element.
    pub const EMPTY: Self = Self([0; DOMAINS]);

    /// Every element of the registry.
    pub fn all() -> Self {
        Self::where_element(|_| true)
    }

    /// Every element of one domain.
    pub fn of_domain(domain: Domain) -> Self {
        Self::where_element(|element| element.domain == domain)
    }

    /// Every element of one sensitivity class.
    pub fn of_class(class: Sensitivity) -> Self {
        Self::where_element(|element| element.class == class)
    }

    /// Every element that is no part of "all" of its domain ([`Sensitivity::is_guarded`]).
    pub fn guarded() -> Self {
        static GUARDED: LazyLock<ElementSet> =
            LazyLock::new(|| ElementSet::where_element(|element| element.class.is_guarded()));
        *GUARDED
    }

    /// The elements of these ids, such as `attendance.days_attended`; the first unknown one is an error.
    pub fn from_ids<'a>(ids: impl IntoIterator<Item = &'a str>) -> Result<Self, UnknownElement> {
        let mut set = Self::EMPTY;
        for id in ids {
            let element = domains::find_element(id).ok_or_else(|| UnknownElement(id.to_owned()))?;
            set.insert(element);
        }
        Ok(set)
    }

    fn where_element(keep: impl Fn(&Element) -> bool) -> Self {
        let mut set = Self::EMPTY;
        for domain in Domain::ALL {
            for element in definition(domain).elements {
                if keep(element) {
                    set.insert(element);
                }
            }
        }
        set
    }

    /// Adds an element.
    pub fn insert(&mut self, element: &Element) {
        if let (Some(word), Some(bit)) = (self.0.get_mut(slot(element.domain)), bit(element.domain, element.name)) {
            *word |= bit;
        }
    }

    /// Whether the element of this name is in it. A name the domain does not know is not.
    pub fn contains(&self, domain: Domain, name: &str) -> bool {
        bit(domain, name).is_some_and(|bit| self.word(domain) & bit != 0)
    }

    /// Whether nothing of the domain is in it.
    pub fn is_empty_in(&self, domain: Domain) -> bool {
        self.word(domain) == 0
    }

    /// Whether nothing is in it.
    pub fn is_empty(&self) -> bool {
        *self == Self::EMPTY
    }

    /// How many elements are in it.
    pub fn len(&self) -> usize {
        self.0.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// What is in either.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        self.zip(other, |a, b| a | b)
    }

    /// What is in both.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        self.zip(other, |a, b| a & b)
    }

    /// What is in this and not in the other.
    #[must_use]
    pub fn minus(&self, other: &Self) -> Self {
        self.zip(other, |a, b| a & !b)
    }

    /// What of it belongs to the domain.
    #[must_use]
    pub fn within(&self, domain: Domain) -> Self {
        let mut only = Self::EMPTY;
        if let Some(word) = only.0.get_mut(slot(domain)) {
            *word = self.word(domain);
        }
        only
    }

    /// Whether all of it is in the other.
    pub fn is_subset(&self, other: &Self) -> bool {
        self.minus(other).is_empty()
    }

    /// Its elements of one domain, in the domain's order.
    pub fn elements(&self, domain: Domain) -> impl Iterator<Item = &'static Element> + use<> {
        let word = self.word(domain);
        definition(domain)
            .elements
            .iter()
            .enumerate()
            .filter(move |(at, _)| word & (1 << at) != 0)
            .map(|(_, element)| element)
    }

    /// All its elements, in the order of domains and of each domain.
    pub fn iter(&self) -> impl Iterator<Item = &'static Element> + use<> {
        let set = *self;
        Domain::ALL.into_iter().flat_map(move |domain| set.elements(domain))
    }

    /// The ids of all its elements.
    pub fn ids(&self) -> Vec<String> {
        self.iter().map(Element::id).collect()
    }

    /// The domains of which something is in it.
    pub fn domains(&self) -> impl Iterator<Item = Domain> + use<> {
        let set = *self;
        Domain::ALL.into_iter().filter(move |domain| !set.is_empty_in(*domain))
    }

    fn word(&self, domain: Domain) -> u64 {
        self.0.get(slot(domain)).copied().unwrap_or(0)
    }

    fn zip(&self, other: &Self, with: impl Fn(u64, u64) -> u64) -> Self {
        let mut result = Self::EMPTY;
        for (to, (a, b)) in result.0.iter_mut().zip(self.0.iter().zip(&other.0)) {
            *to = with(*a, *b);
        }
        result
    }
}

impl fmt::Debug for ElementSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter().map(Element::id)).finish()
    }
}

/// By domain, names sorted: independent of the order in which the registry lists them.
impl Serialize for ElementSet {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let by_domain: BTreeMap<&str, Vec<&str>> = self
            .domains()
            .map(|domain| {
                let mut names: Vec<_> = self.elements(domain).map(|element| element.name).collect();
                names.sort_unstable();
                (domain.name(), names)
            })
            .collect();
        by_domain.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for ElementSet {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let by_domain = BTreeMap::<String, Vec<String>>::deserialize(deserializer)?;
        let mut set = Self::EMPTY;
        for (domain, names) in by_domain {
            for name in names {
                let id = format!("{domain}.{name}");
                let element = domains::find_element(&id).ok_or_else(|| D::Error::custom(UnknownElement(id)))?;
                set.insert(element);
            }
        }
        Ok(set)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_holds_what_was_put_into_it() {
        let set = ElementSet::from_ids(["attendance.days_attended", "student.sex"]).expect("known names");
        assert!(set.contains(Domain::Attendance, "days_attended"));
        assert!(!set.contains(Domain::Attendance, "days_scheduled"));
        assert!(!set.contains(Domain::Attendance, "no_such_element"));
        assert_eq!(set.ids(), ["student.sex", "attendance.days_attended"]);
        assert_eq!(set.len(), 2);
        assert!(set.is_subset(&ElementSet::all()));
        assert_eq!(set.minus(&ElementSet::of_domain(Domain::Student)).len(), 1);
        assert!(ElementSet::from_ids(["attendance.days"]).is_err());
    }

    #[test]
    fn a_set_reads_back_as_it_was_written() {
        let all = ElementSet::all();
        let json = serde_json::to_string(&all).expect("serializable");
        assert_eq!(serde_json::from_str::<ElementSet>(&json).expect("readable"), all);
        assert!(serde_json::from_str::<ElementSet>(r#"{"student": ["shoe_size"]}"#).is_err());
    }
}
