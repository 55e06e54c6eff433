//! What a delivery says about organizations, courses, tests, parents and incidents, remembered for the records that refer
//! to it. Bounded by bytes.

use std::{collections::HashMap, fmt};

use chrono::NaiveDate;
use model::{Payload, SchoolYear};
use serde::{Deserialize, Serialize};

use super::node::Node;
use crate::{Error, OrganizationRecord};

/// What kind of organization stands behind an id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum OrganizationKind {
    School,
    District,
    Other,
}

impl OrganizationKind {
    /// The kind of an Ed-Fi organization category or of its element name.
    pub fn of(category: &str) -> Self {
        let letters: String = category.chars().filter(char::is_ascii_alphabetic).collect();
        match letters.to_ascii_lowercase().as_str() {
            "school" => Self::School,
            "localeducationagency" => Self::District,
            _ => Self::Other,
        }
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Organization {
    pub kind: OrganizationKind,
    pub parent: Option<String>,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Course {
    pub title: Option<String>,
    pub subject: Option<String>,
    /// The code of a state or national list, if the source gives one.
    pub code: Option<String>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Session {
    pub school_year: Option<SchoolYear>,
    pub begin: Option<NaiveDate>,
    pub end: Option<NaiveDate>,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Program {
    pub kind: Option<String>,
    pub sponsor: Option<String>,
    pub services: Vec<String>,
}

/// Something a later record may refer to.
#[derive(Clone, Serialize, Deserialize)]
pub(super) enum Entry {
    Organization(Organization),
    Course(Course),
    Session(Session),
    Program(Program),
    /// A test: the title of its family.
    Assessment(Option<String>),
    /// A family of tests: the title of the family it belongs to.
    Family(Option<String>),
    /// A parent: elements of the contact domain.
    #[serde(skip)]
    Parent(Payload),
    /// An incident: elements of the discipline domain, as far as every participant may see them, and those about the offender.
    #[serde(skip)]
    Incident {
        shared: Payload,
        offender: Payload,
    },
}

impl Entry {
    const fn kind(&self) -> Kind {
        match self {
            Self::Organization(_) => Kind::Organization,
            Self::Course(_) => Kind::Course,
            Self::Session(_) => Kind::Session,
            Self::Program(_) => Kind::Program,
            Self::Assessment(_) => Kind::Assessment,
            Self::Family(_) => Kind::Family,
            Self::Parent(_) => Kind::Parent,
            Self::Incident { .. } => Kind::Incident,
        }
    }

    fn size(&self) -> usize {
        let text = |text: &Option<String>| text.as_ref().map_or(0, String::len);
        let payload = |payload: &Payload| {
            payload.iter().map(|(name, value)| name.len() + value.to_plain().len() + 64).sum::<usize>()
        };
        size_of::<Self>()
            + match self {
                Self::Organization(o) => text(&o.parent),
                Self::Course(c) => text(&c.title) + text(&c.subject) + text(&c.code),
                Self::Session(_) => 0,
                Self::Program(p) => {
                    text(&p.kind) + text(&p.sponsor) + p.services.iter().map(|s| s.len() + 24).sum::<usize>()
                }
                Self::Assessment(title) | Self::Family(title) => text(title),
                Self::Parent(parent) => payload(parent),
                Self::Incident { shared, offender } => payload(shared) + payload(offender),
            }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    Organization,
    Course,
    Session,
    Program,
    Assessment,
    Family,
    Parent,
    Incident,
}

/// The place of a record: its district and its facility, as far as known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Whereabouts {
    pub lea: Option<String>,
    pub facility: Option<String>,
}

/// The index is full: see `index_bytes_max`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct IndexFull;

/// What has been learned so far. One index serves a delivery; kept over several deliveries of the same source, later ones
/// can refer to what earlier ones said.
pub struct Index {
    entries: HashMap<(Kind, String), Entry>,
    ids: HashMap<String, Node>,
    bytes: usize,
    bytes_max: usize,
}

impl fmt::Debug for Index {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Index")
            .field("entries", &self.entries.len())
            .field("bytes", &self.bytes)
            .finish_non_exhaustive()
    }
}

/// Joins the parts of an identity.
pub(super) fn key(parts: &[&str]) -> String {
    parts.join("\u{1f}")
}

/// Organizations above one another, families of families: a source that nests deeper goes in circles.
const ANCESTORS_MAX: usize = 16;

impl Index {
    /// An empty index of at most this many bytes (`Config::index_bytes_max`).
    pub fn new(bytes_max: usize) -> Self {
        Self { entries: HashMap::new(), ids: HashMap::new(), bytes: 0, bytes_max }
    }

    /// Tells it of an organization the exchange knows already, so that a delivery without organizations finds its districts.
    pub fn seed_organization(&mut self, record: &OrganizationRecord) {
        let own_parent = record.parent_code.as_deref() == Some(record.code.as_str());
        let kind = match OrganizationKind::of(&record.organization_type) {
            OrganizationKind::Other if own_parent => OrganizationKind::District,
            kind => kind,
        };
        let parent = record.parent_code.clone().filter(|_| !own_parent);
        // A full index only means that the district of some records stays unknown.
        let _ = self.insert(key(&[&record.code]), Entry::Organization(Organization { kind, parent }));
    }

    /// What is known of organizations, courses, sessions, programs and tests, to be kept for the next delivery of the same
    /// source: it may refer to them without describing them again. Parents and incidents are left out: they are records
    /// of persons, and belong in no store but history.
    pub fn export(&self) -> Result<Vec<u8>, Error> {
        let is_personal = |kind: Kind| matches!(kind, Kind::Parent | Kind::Incident);
        let kept = self.entries.iter().filter(|((kind, _), _)| !is_personal(*kind));
        let mut kept: Vec<(&str, &Entry)> = kept.map(|((_, key), entry)| (key.as_str(), entry)).collect();
        kept.sort_by_key(|(key, entry)| (entry.kind() as u8, *key));
        serde_json::to_vec(&kept)
            .map_err(|_| Error::Corrupt("what an Ed-Fi delivery described cannot be kept".to_owned()))
    }

    /// Takes in what [`Self::export`] gave.
    pub fn import(&mut self, kept: &[u8]) -> Result<(), Error> {
        let broken = || Error::Corrupt("what was kept of earlier Ed-Fi deliveries cannot be read".to_owned());
        let kept: Vec<(String, Entry)> = serde_json::from_slice(kept).map_err(|_| broken())?;
        for (key, entry) in kept {
            self.insert(key, entry).map_err(|IndexFull| broken())?;
        }
        Ok(())
    }

    /// Remembers something; a later entry of the same identity replaces the earlier.
    pub(super) fn insert(&mut self, key: String, entry: Entry) -> Result<(), IndexFull> {
        let around = key.len() + 48;
        let size = entry.size() + around;
        if self.bytes + size > self.bytes_max {
            return Err(IndexFull);
        }
        self.bytes += size;
        if let Some(old) = self.entries.insert((entry.kind(), key), entry) {
            self.bytes = self.bytes.saturating_sub(old.size() + around);
        }
        Ok(())
    }

    /// What is known under an identity.
    pub(super) fn find(&self, kind: Kind, key: &str) -> Option<&Entry> {
        self.entries.get(&(kind, key.to_owned()))
    }

    /// Remembers the identity of a record that carries an id, until its file ends.
    pub(super) fn remember_id(&mut self, id: &str, node: &Node) -> Result<(), IndexFull> {
        let identity = node.identity();
        let size = identity.size() + id.len();
        if self.bytes + size > self.bytes_max {
            return Err(IndexFull);
        }
        self.bytes += size;
        self.ids.insert(id.to_owned(), identity);
        Ok(())
    }

    /// The identity of the record with this id.
    pub(super) fn find_id(&self, id: &str) -> Option<&Node> {
        self.ids.get(id)
    }

    /// Forgets the ids: they are unique within a file only.
    pub(super) fn forget_ids(&mut self) {
        let size: usize = self.ids.iter().map(|(id, node)| node.size() + id.len()).sum();
        self.bytes = self.bytes.saturating_sub(size);
        self.ids = HashMap::new();
    }

    fn organization(&self, id: &str) -> Option<&Organization> {
        match self.find(Kind::Organization, id) {
            Some(Entry::Organization(organization)) => Some(organization),
            _ => None,
        }
    }

    /// District and facility of an organization. One nobody described is `otherwise`.
    pub(super) fn whereabouts(&self, id: &str, otherwise: OrganizationKind) -> Whereabouts {
        let kind = self.organization(id).map_or(otherwise, |organization| organization.kind);
        match kind {
            OrganizationKind::School => Whereabouts { lea: self.district_of(id), facility: Some(id.to_owned()) },
            OrganizationKind::District => Whereabouts { lea: Some(id.to_owned()), facility: None },
            OrganizationKind::Other => Whereabouts::default(),
        }
    }

    /// District and facility of what a record calls its school, whatever has been said about it.
    pub(super) fn school(&self, id: &str) -> Whereabouts {
        match self.organization(id).map(|organization| organization.kind) {
            Some(OrganizationKind::District) => Whereabouts { lea: Some(id.to_owned()), facility: None },
            _ => Whereabouts { lea: self.district_of(id), facility: Some(id.to_owned()) },
        }
    }

    fn district_of(&self, school: &str) -> Option<String> {
        let mut id = school;
        for _ in 0..ANCESTORS_MAX {
            let organization = self.organization(id)?;
            if organization.kind == OrganizationKind::District {
                return Some(id.to_owned());
            }
            id = organization.parent.as_deref()?;
        }
        None
    }

    /// The outermost family of a test.
    pub(super) fn assessment_family(&self, assessment: &str) -> Option<&str> {
        let Some(Entry::Assessment(Some(title))) = self.find(Kind::Assessment, assessment) else {
            return None;
        };
        let mut family = title.as_str();
        for _ in 0..ANCESTORS_MAX {
            match self.find(Kind::Family, family) {
                Some(Entry::Family(Some(outer))) => family = outer,
                _ => break,
            }
        }
        Some(family)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn organization(kind: OrganizationKind, parent: Option<&str>) -> Entry {
        Entry::Organization(Organization { kind, parent: parent.map(str::to_owned) })
    }

    #[test]
    fn a_school_lies_in_the_district_above_it() {
        let mut index = Index::new(10_000);
        index.insert("S".into(), organization(OrganizationKind::School, Some("C"))).unwrap();
        index.insert("C".into(), organization(OrganizationKind::Other, Some("D"))).unwrap();
        index.insert("D".into(), organization(OrganizationKind::District, Some("STATE"))).unwrap();
        let place = index.whereabouts("S", OrganizationKind::Other);
        assert_eq!((place.lea.as_deref(), place.facility.as_deref()), (Some("D"), Some("S")));
        let place = index.whereabouts("D", OrganizationKind::School);
        assert_eq!((place.lea.as_deref(), place.facility), (Some("D"), None));
        let place = index.whereabouts("unknown", OrganizationKind::School);
        assert_eq!((place.lea, place.facility.as_deref()), (None, Some("unknown")));
    }

    #[test]
    fn organizations_in_a_circle_have_no_district() {
        let mut index = Index::new(10_000);
        index.insert("A".into(), organization(OrganizationKind::School, Some("B"))).unwrap();
        index.insert("B".into(), organization(OrganizationKind::Other, Some("A"))).unwrap();
        assert_eq!(index.whereabouts("A", OrganizationKind::School).lea, None);
    }

    #[test]
    fn a_full_index_says_so() {
        let mut index = Index::new(300);
        let family = |n: usize| (n.to_string(), Entry::Family(Some("x".repeat(100))));
        let results: Vec<_> = (0..4)
            .map(|n| {
                let (k, e) = family(n);
                index.insert(k, e)
            })
            .collect();
        assert_eq!(results.last(), Some(&Err(IndexFull)));
    }
}
