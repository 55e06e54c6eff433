//! What deliveries say about organizations, courses, tests, contacts and incidents, remembered for the records that refer
//! to it. Bounded by bytes. Keys are identities of the source, in the words of 5.2, so that versions may refer to one another.

use std::{cell::RefCell, collections::HashMap, fmt};

use chrono::NaiveDate;
use model::{Masked, Payload, SchoolYear};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::{
    node::Node,
    packed::{Names, Packed, Unwritable},
};
use crate::{
    Error, OrganizationRecord,
    item::{Description, Reference},
};

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

/// A course as a school offers it in a session.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Offering {
    pub title: Option<String>,
    /// The key of the course in the catalogue.
    pub course: Option<String>,
}

/// Of a section the offering it is of.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Section {
    pub course: Option<String>,
    pub session_owner: Option<String>,
    pub session: Option<String>,
    pub session_year: Option<String>,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Program {
    pub id: Option<String>,
    pub kind: Option<String>,
    pub sponsor: Option<String>,
    pub services: Vec<String>,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Assessment {
    pub title: Option<String>,
    pub family: Option<String>,
    pub subject: Option<String>,
    pub grade: Option<String>,
}

/// Something a later record may refer to.
#[derive(Clone, Serialize, Deserialize)]
pub(super) enum Entry {
    Organization(Organization),
    Course(Course),
    Session(Session),
    Offering(Offering),
    Section(Section),
    Program(Program),
    Assessment(Assessment),
    /// A family of tests: the title of the family it belongs to.
    Family(Option<String>),
    /// A contact: elements of the contact domain.
    Contact(#[serde(with = "payload")] Payload),
    /// An incident: elements of the discipline domain, as far as every participant may see them, and those about the offender.
    Incident {
        #[serde(with = "payload")]
        shared: Payload,
        #[serde(with = "payload")]
        offender: Payload,
    },
}

impl Entry {
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Organization(_) => Kind::Organization,
            Self::Course(_) => Kind::Course,
            Self::Session(_) => Kind::Session,
            Self::Offering(_) => Kind::Offering,
            Self::Section(_) => Kind::Section,
            Self::Program(_) => Kind::Program,
            Self::Assessment(_) => Kind::Assessment,
            Self::Family(_) => Kind::Family,
            Self::Contact(_) => Kind::Contact,
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
                Self::Offering(o) => text(&o.title) + text(&o.course),
                Self::Section(s) => text(&s.course) + text(&s.session_owner) + text(&s.session) + text(&s.session_year),
                Self::Program(p) => {
                    let services = p.services.iter().map(|s| s.len() + 24).sum::<usize>();
                    text(&p.id) + text(&p.kind) + text(&p.sponsor) + services
                }
                Self::Assessment(a) => text(&a.title) + text(&a.family) + text(&a.subject) + text(&a.grade),
                Self::Family(title) => text(title),
                Self::Contact(contact) => payload(contact),
                Self::Incident { shared, offender } => payload(shared) + payload(offender),
            }
    }
}

/// Elements with their values, kept with their types.
pub(super) mod payload {
    use chrono::NaiveDate;
    use model::{Decimal, Payload, Value};
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[derive(Serialize, Deserialize)]
    enum Kept {
        Text(String),
        List(Vec<String>),
        Date(NaiveDate),
        Decimal(i64),
        Integer(i64),
        Boolean(bool),
        Suppressed,
    }

    pub fn serialize<S: Serializer>(payload: &Payload, serializer: S) -> Result<S::Ok, S::Error> {
        let kept = payload.iter().map(|(name, value)| {
            let kept = match value {
                Value::Text(text) => Kept::Text(text.clone()),
                Value::TextList(texts) => Kept::List(texts.clone()),
                Value::Date(day) => Kept::Date(*day),
                Value::Decimal(number) => Kept::Decimal(number.0),
                Value::Integer(number) => Kept::Integer(*number),
                Value::Boolean(flag) => Kept::Boolean(*flag),
                Value::Suppressed => Kept::Suppressed,
            };
            (name, kept)
        });
        serializer.collect_map(kept)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Payload, D::Error> {
        let kept = std::collections::BTreeMap::<String, Kept>::deserialize(deserializer)?;
        let value = |kept| match kept {
            Kept::Text(text) => Value::Text(text),
            Kept::List(texts) => Value::TextList(texts),
            Kept::Date(day) => Value::Date(day),
            Kept::Decimal(number) => Value::Decimal(Decimal(number)),
            Kept::Integer(number) => Value::Integer(number),
            Kept::Boolean(flag) => Value::Boolean(flag),
            Kept::Suppressed => Value::Suppressed,
        };
        Ok(kept.into_iter().map(|(name, kept)| (name, value(kept))).collect())
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    Organization,
    Course,
    Session,
    Offering,
    Section,
    Program,
    Assessment,
    Family,
    Contact,
    Incident,
    /// A student, whom no index describes: `identity` knows them.
    Student,
}

impl Kind {
    /// Its name in the database and in findings.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Organization => "organization",
            Self::Course => "course",
            Self::Session => "session",
            Self::Offering => "course offering",
            Self::Section => "section",
            Self::Program => "program",
            Self::Assessment => "assessment",
            Self::Family => "assessment family",
            Self::Contact => "contact",
            Self::Incident => "incident",
            Self::Student => "student",
        }
    }

    /// Whether such a description says something about persons. Records that copy from it are kept, so that a later
    /// description corrects them; of the others there are few enough to be read before each load.
    pub const fn is_personal(self) -> bool {
        matches!(self, Self::Contact | Self::Incident)
    }
}

/// The name of something described or referred to, as [`Reference`].
pub(super) fn reference(kind: Kind, key: &str) -> Reference {
    Reference::of(kind.name(), key)
}

/// The place of a record: its district and its facility, as far as known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Whereabouts {
    pub lea: Option<String>,
    pub facility: Option<String>,
    /// The organization whose description would say more.
    pub missing: Option<String>,
}

/// Why something is not remembered.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Unremembered {
    /// The index is full: see `index_bytes_max`.
    Full,
    /// It cannot be kept as bytes.
    Unwritable,
}

impl From<Unwritable> for Unremembered {
    fn from(Unwritable: Unwritable) -> Self {
        Self::Unwritable
    }
}

/// What has been learned so far. One index serves a delivery. What it learns is also given as descriptions, which are kept; before a
/// delivery those that say nothing about persons are read in again, and the others are looked up when a record asks for them.
///
/// What there may be much of is kept as few bytes until it is asked for: contacts, incidents, and the records of a file that carry an id. One
/// that was asked for stays at hand until `Index::rest`.
pub struct Index {
    entries: HashMap<(Kind, String), Entry>,
    /// Contacts and incidents.
    personal: HashMap<Mark, Packed<Entry>>,
    ids: HashMap<Mark, Packed<Node>>,
    names: Names,
    at_hand: RefCell<AtHand>,
    bytes: usize,
    bytes_max: usize,
}

/// What was unpacked since [`Index::rest`], and the bytes it was unpacked from.
#[derive(Default)]
struct AtHand {
    marks: Vec<Mark>,
    bytes: usize,
}

/// The beginning of the SHA-256 of an identity or id: enough to tell all of a delivery apart.
type Mark = [u8; 16];

/// Bytes of which more are not left unpacked from one record to the next.
const AT_HAND_BYTES_MAX: usize = 1 << 20;

/// What a packed entry takes beside its bytes.
const AROUND_PACKED: usize = 96;

impl fmt::Debug for Index {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Index")
            .field("entries", &(self.entries.len() + self.personal.len()))
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
        Self {
            entries: HashMap::new(),
            personal: HashMap::new(),
            ids: HashMap::new(),
            names: Names::default(),
            at_hand: RefCell::default(),
            bytes: 0,
            bytes_max,
        }
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

    /// Takes in a description that was kept ([`Description::body`]).
    pub(crate) fn import(&mut self, body: &[u8]) -> Result<(), Error> {
        let broken = || Error::Corrupt("what was kept of earlier Ed-Fi deliveries cannot be read".to_owned());
        let (key, entry): (String, Entry) = serde_json::from_slice(body).map_err(|_| broken())?;
        self.insert(key, entry).map_err(|unremembered| match unremembered {
            Unremembered::Full => Error::Invalid(format!(
                "what earlier Ed-Fi deliveries described takes more than {} bytes (intake.edfi.index_bytes_max)",
                self.bytes_max
            )),
            Unremembered::Unwritable => broken(),
        })
    }

    /// Remembers something; a later entry of the same identity replaces the earlier.
    pub(super) fn insert(&mut self, key: String, entry: Entry) -> Result<(), Unremembered> {
        if entry.kind().is_personal() {
            let mark = mark(entry.kind().name(), &key);
            let packed = Packed::of(&entry)?;
            self.take(packed.size() + AROUND_PACKED)?;
            let old = self.personal.insert(mark, packed);
            self.give_back(old.map(|old| old.size() + AROUND_PACKED));
            return Ok(());
        }
        let around = key.len() + 48;
        self.take(entry.size() + around)?;
        let old = self.entries.insert((entry.kind(), key), entry);
        self.give_back(old.map(|old| old.size() + around));
        Ok(())
    }

    fn take(&mut self, bytes: usize) -> Result<(), Unremembered> {
        if self.bytes + bytes > self.bytes_max {
            return Err(Unremembered::Full);
        }
        self.bytes += bytes;
        Ok(())
    }

    fn give_back(&mut self, bytes: Option<usize>) {
        self.bytes = self.bytes.saturating_sub(bytes.unwrap_or_default());
    }

    /// Packs again what was unpacked for the records so far, if there is much of it.
    pub(super) fn rest(&mut self) {
        if self.at_hand.get_mut().bytes < AT_HAND_BYTES_MAX {
            return;
        }
        for mark in self.at_hand.take().marks {
            if let Some(packed) = self.ids.get_mut(&mark) {
                packed.close();
            }
            if let Some(packed) = self.personal.get_mut(&mark) {
                packed.close();
            }
        }
    }

    fn unpacked(&self, mark: Mark, bytes: usize) {
        let mut at_hand = self.at_hand.borrow_mut();
        at_hand.marks.push(mark);
        at_hand.bytes += bytes + AROUND_PACKED;
    }

    /// A description, to be kept for later deliveries.
    pub(super) fn description(key: &str, entry: &Entry) -> Result<Description, Error> {
        let body = serde_json::to_vec(&(key, entry))
            .map_err(|_| Error::Corrupt("what an Ed-Fi delivery described cannot be kept".to_owned()))?;
        let kind = entry.kind();
        Ok(Description { reference: reference(kind, key), kind: kind.name(), body: Masked::new(body) })
    }

    /// What is known under an identity.
    pub(super) fn find(&self, kind: Kind, key: &str) -> Option<&Entry> {
        if !kind.is_personal() {
            return self.entries.get(&(kind, key.to_owned()));
        }
        let mark = mark(kind.name(), key);
        let packed = self.personal.get(&mark)?;
        packed.get_or_open(Packed::<Entry>::unpacked, || self.unpacked(mark, packed.size()))
    }

    /// Remembers the identity of a record that carries an id, until its file ends. A later one of the same id replaces the earlier.
    pub(super) fn remember_id(&mut self, id: &str, node: &Node) -> Result<(), Unremembered> {
        let names = self.names.bytes;
        let packed = Packed::of_node(&node.identity(), &mut self.names);
        // The names stay, whatever becomes of the record.
        self.bytes += self.names.bytes - names;
        let packed = packed?;
        self.take(packed.size() + AROUND_PACKED)?;
        let old = self.ids.insert(mark("id", id), packed);
        self.give_back(old.map(|old| old.size() + AROUND_PACKED));
        Ok(())
    }

    /// The identity of the record with this id.
    pub(super) fn find_id(&self, id: &str) -> Option<&Node> {
        let mark = mark("id", id);
        let packed = self.ids.get(&mark)?;
        packed.get_or_open(|packed| packed.unpacked(&self.names), || self.unpacked(mark, packed.size()))
    }

    /// Whether a record has this id.
    pub(super) fn knows_id(&self, id: &str) -> bool {
        self.ids.contains_key(&mark("id", id))
    }

    /// Forgets the ids: they are unique within a file only.
    pub(super) fn forget_ids(&mut self) {
        let size: usize = self.ids.values().map(|packed| packed.size() + AROUND_PACKED).sum();
        self.give_back(Some(size + self.names.bytes));
        self.ids = HashMap::new();
        self.names = Names::default();
    }

    fn organization(&self, id: &str) -> Option<&Organization> {
        match self.find(Kind::Organization, id) {
            Some(Entry::Organization(organization)) => Some(organization),
            _ => None,
        }
    }

    /// District and facility of an organization. One nobody described is `otherwise`.
    pub(super) fn whereabouts(&self, id: &str, otherwise: OrganizationKind) -> Whereabouts {
        let known = self.organization(id).map(|organization| organization.kind);
        match known.unwrap_or(otherwise) {
            OrganizationKind::School => self.school(id),
            OrganizationKind::District => {
                let missing = known.is_none().then(|| id.to_owned());
                Whereabouts { lea: Some(id.to_owned()), facility: None, missing }
            }
            OrganizationKind::Other => {
                Whereabouts { missing: known.is_none().then(|| id.to_owned()), ..Whereabouts::default() }
            }
        }
    }

    /// District and facility of what a record calls its school, whatever has been said about it.
    pub(super) fn school(&self, id: &str) -> Whereabouts {
        if self.organization(id).is_some_and(|organization| organization.kind == OrganizationKind::District) {
            return Whereabouts { lea: Some(id.to_owned()), facility: None, missing: None };
        }
        let (lea, missing) = match self.district_of(id) {
            Ok(lea) => (lea, None),
            Err(missing) => (None, Some(missing)),
        };
        Whereabouts { lea, facility: Some(id.to_owned()), missing }
    }

    /// The district above a school, if it has one. `Err`: the organization on the way up that nobody described.
    fn district_of(&self, school: &str) -> Result<Option<String>, String> {
        let mut id = school;
        for _ in 0..ANCESTORS_MAX {
            let Some(organization) = self.organization(id) else { return Err(id.to_owned()) };
            if organization.kind == OrganizationKind::District {
                return Ok(Some(id.to_owned()));
            }
            let Some(parent) = organization.parent.as_deref() else { break };
            id = parent;
        }
        Ok(None)
    }

    /// The outermost of the families around a family of tests.
    pub(super) fn outermost_family<'s>(&'s self, title: &'s str) -> &'s str {
        let mut family = title;
        for _ in 0..ANCESTORS_MAX {
            match self.find(Kind::Family, family) {
                Some(Entry::Family(Some(outer))) => family = outer,
                _ => break,
            }
        }
        family
    }
}

fn mark(kind: &str, name: &str) -> Mark {
    let hash = Sha256::new().chain_update(kind).chain_update([0]).chain_update(name).finalize();
    hash.first_chunk().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use model::{Decimal, Value};

    use super::*;
    use crate::xml::Place;

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

    fn contact(name: &str) -> Entry {
        Entry::Contact(Payload::from([
            ("contact_name".to_owned(), Value::Text(name.to_owned())),
            ("lives_with".to_owned(), Value::Boolean(true)),
            ("addresses".to_owned(), Value::TextList(vec!["12 Elm Street".to_owned(), String::new()])),
            ("begin_date".to_owned(), Value::Date(NaiveDate::from_ymd_opt(2021, 10, 18).unwrap())),
            ("hours".to_owned(), Value::Decimal(Decimal(-1_250))),
            ("emergency_contact_order".to_owned(), Value::Integer(-3)),
            ("custody".to_owned(), Value::Suppressed),
        ]))
    }

    #[test]
    fn contacts_and_incidents_come_back_as_they_were_told() {
        let mut index = Index::new(1 << 20);
        let incident = || Entry::Incident { shared: payload_of(contact("Shared")), offender: Payload::new() };
        index.insert("C".into(), contact("Ada Quince")).unwrap();
        index.insert("C".into(), contact("Ada Finch")).unwrap();
        index.insert("I".into(), incident()).unwrap();
        let told = |entry: Option<&Entry>| entry.map(|entry| serde_json::to_string(entry).unwrap());
        assert_eq!(told(index.find(Kind::Contact, "C")), told(Some(&contact("Ada Finch"))));
        assert_eq!(told(index.find(Kind::Incident, "I")), told(Some(&incident())));
        assert!(index.find(Kind::Incident, "C").is_none() && index.find(Kind::Contact, "c").is_none());
    }

    fn payload_of(entry: Entry) -> Payload {
        match entry {
            Entry::Contact(payload) => payload,
            _ => Payload::new(),
        }
    }

    #[test]
    fn records_with_an_id_come_back_with_what_identifies_them() {
        let place = |line| Place { line, column: 7 };
        let mut index = Index::new(1 << 20);
        let mut record = Node::new("Contact".to_owned(), place(3), vec![("id".to_owned(), "P1".to_owned())]);
        record.child_or_new("ContactUniqueId", place(4)).text = "778393 \"\u{1f}\u{e9}".to_owned();
        record.child_or_new("Name", place(5)).child_or_new("FirstName", place(6)).text = "Ada".to_owned();
        let reference = record.child_or_new("SchoolReference", place(7));
        reference.attributes = vec![("ref".to_owned(), "S1".to_owned())];
        reference.child_or_new("SchoolIdentity", place(8)).child_or_new("SchoolId", place(9)).text = "7".to_owned();
        index.remember_id("P1", &record).unwrap();
        index.remember_id("P2", &Node::new("Contact".to_owned(), place(12), Vec::new())).unwrap();
        assert!(index.find_id("P1") == Some(&record.identity()) && record.identity().children.len() == 2);
        assert!(index.knows_id("P2") && index.find_id("P2").is_some_and(|node| node.place == place(12)));
        let bytes = index.bytes;
        index.remember_id("P1", &record).unwrap();
        assert_eq!(index.bytes, bytes, "the same once more takes no more");
        index.forget_ids();
        assert!(!index.knows_id("P1") && index.find_id("P1").is_none() && index.bytes == 0);
    }

    #[test]
    fn what_was_asked_for_is_packed_again() {
        let mut index = Index::new(64 << 20);
        let name = "x".repeat(10_000);
        for number in 0..500 {
            index.insert(number.to_string(), contact(&name)).unwrap();
        }
        let open = |index: &Index| index.personal.values().filter(|packed| packed.is_open()).count();
        for number in 0..500 {
            assert!(index.find(Kind::Contact, &number.to_string()).is_some());
            assert!(index.find(Kind::Contact, &number.to_string()).is_some());
            index.rest();
            assert!(open(&index) * 10_000 < 2 * AT_HAND_BYTES_MAX);
        }
        assert!(index.bytes < 500 * 11_000);
    }

    #[test]
    fn a_full_index_counts_its_bytes_as_before() {
        let record = |name: &str| {
            let mut record = Node::new(name.to_owned(), Place { line: 3, column: 7 }, Vec::new());
            record.child_or_new("ContactUniqueId", Place { line: 4, column: 7 }).text = "7".repeat(50);
            record
        };
        let mut index = Index::new(1_000);
        index.insert("S".into(), organization(OrganizationKind::School, None)).unwrap();
        let before = index.bytes;
        let full = (0..99).find(|n| index.remember_id(&n.to_string(), &record(&format!("Contact{n}"))).is_err());
        assert!(full.is_some_and(|remembered| remembered > 0));
        // A record that is refused once is refused again, and takes no more.
        let bytes = index.bytes;
        assert_eq!(index.remember_id("x", &record("Contact0")), Err(Unremembered::Full));
        assert_eq!(index.bytes, bytes);
        index.forget_ids();
        assert_eq!(index.bytes, before);
    }

    #[test]
    fn what_was_kept_and_has_no_room_says_which_limit_it_met() {
        let kept = Index::description("S", &organization(OrganizationKind::School, None)).unwrap();
        let Err(Error::Invalid(message)) = Index::new(10).import(kept.body.expose()) else { panic!("there is room") };
        assert!(message.contains("10 bytes (intake.edfi.index_bytes_max)"), "{message}");
        assert!(matches!(Index::new(1_000).import(b"{}"), Err(Error::Corrupt(_))));
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
        assert_eq!(results.last(), Some(&Err(Unremembered::Full)));
    }
}
