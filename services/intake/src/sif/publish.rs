//! From the census to the contacts that a zone sees on a day. Pure: the day is a parameter, and the same census and day
//! give the same contacts.

mod address;
mod phone;

use std::collections::{BTreeMap, HashMap, btree_map::Entry};

use chrono::NaiveDate;
use model::{Period, SchoolYear};
use reference::tables::{EditionMatch, Tables};
use sha2::{Digest as _, Sha256};

use self::{address::addresses, phone::phones};
use super::{
    census::{Census, Location, Membership, Person, Relationship},
    check::NOWHERE,
    nightly::RefIds,
};
use crate::xml::Node;

/// Why a relationship is not published.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Withheld {
    /// One of its persons is not in the set.
    PersonUnknown,
    /// It does not hold on the day.
    NotToday,
    /// The student has no StudentPersonal.
    NoStudentPersonal,
    /// The student is excluded.
    StudentExcluded,
    /// The student has no enrollment in the zone's year that is reported.
    NoEnrollment,
    /// The contact has an enrollment in the zone's year.
    ContactEnrolled,
    /// No contact flag is Yes.
    NoFlag,
    /// Another relationship of the same two persons is published already.
    Repeated,
}

impl Withheld {
    /// As receipts name it.
    pub const fn words(self) -> &'static str {
        match self {
            Self::PersonUnknown => "relationship with a person who is not in the set",
            Self::NotToday => "relationship that does not hold today",
            Self::NoStudentPersonal => "relationship of a person without StudentPersonal",
            Self::StudentExcluded => "relationship of an excluded student",
            Self::NoEnrollment => "relationship of a student without reported enrollment in the zone's year",
            Self::ContactEnrolled => "relationship with a contact who is enrolled in the zone's year",
            Self::NoFlag => "relationship without any contact flag",
            Self::Repeated => "relationship that repeats an earlier one",
        }
    }
}

/// A published contact.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Published {
    /// The line of its relationship.
    pub line: u32,
    /// The state's identifier of the student, if the census has it.
    pub state_id: String,
    /// The days of the relationship.
    pub days: Period,
    /// The object, canonical.
    pub contact: Node,
}

/// What became of a census.
#[derive(Clone, Default)]
pub(crate) struct Publication {
    /// The contacts, by RefId.
    pub contacts: BTreeMap<String, Published>,
    /// The lines of relationships that are not published, and why.
    pub withheld: Vec<(u32, Withheld)>,
}

/// Publishes a census as of a day, for the zone's school year of that day.
pub(crate) fn publish(census: &Census, today: NaiveDate, tables: &Tables) -> Publication {
    publish_under(census, today, tables, &mut RefIds::default())
}

/// The same under the RefIds that were given before.
pub(crate) fn publish_under(census: &Census, today: NaiveDate, tables: &Tables, ref_ids: &mut RefIds) -> Publication {
    let view = View::new(census, today);
    let mut publication = Publication::default();
    for relationship in &census.relationships {
        match view.contact(relationship, tables, ref_ids) {
            Err(reason) => publication.withheld.push((relationship.line, reason)),
            Ok(published) => {
                let ref_id = published.contact.attribute("RefId").unwrap_or_default().to_owned();
                match publication.contacts.entry(ref_id) {
                    Entry::Occupied(_) => publication.withheld.push((relationship.line, Withheld::Repeated)),
                    Entry::Vacant(free) => {
                        free.insert(published);
                    }
                }
            }
        }
    }
    publication
}

/// A census on a day, ready to be asked.
struct View<'c> {
    today: NaiveDate,
    year: SchoolYear,
    persons: HashMap<&'c str, &'c Person>,
    phones: HashMap<&'c str, &'c str>,
    memberships: HashMap<&'c str, Vec<&'c Membership>>,
    locations: HashMap<&'c str, Vec<&'c Location>>,
    enrollments: HashMap<&'c str, Vec<IsReported>>,
}

/// Whether an enrollment in the zone's year is reported, or excluded from the exchange.
type IsReported = bool;

impl<'c> View<'c> {
    fn new(census: &'c Census, today: NaiveDate) -> Self {
        let year = SchoolYear::containing(today);
        let mut view = Self {
            today,
            year,
            persons: census.persons.iter().map(|person| (person.person_id.as_str(), person)).collect(),
            phones: census.households.iter().map(|h| (h.household_id.as_str(), h.phone.as_str())).collect(),
            memberships: HashMap::new(),
            locations: HashMap::new(),
            enrollments: HashMap::new(),
        };
        for membership in &census.memberships {
            view.memberships.entry(&membership.person_id).or_default().push(membership);
        }
        for location in &census.locations {
            view.locations.entry(&location.household_id).or_default().push(location);
        }
        for enrollment in census.enrollments.iter().filter(|enrollment| enrollment.school_year == view.year) {
            let is_reported = !enrollment.is_excluded && !enrollment.is_calendar_excluded;
            view.enrollments.entry(&enrollment.person_id).or_default().push(is_reported);
        }
        view
    }

    fn memberships_of(&self, person: &Person) -> &[&'c Membership] {
        self.memberships.get(person.person_id.as_str()).map(Vec::as_slice).unwrap_or_default()
    }

    fn current_memberships(&self, person: &Person) -> impl Iterator<Item = &'c Membership> {
        self.memberships_of(person).iter().copied().filter(|membership| membership.days.contains(self.today))
    }

    fn live_together(&self, one: &Person, other: &Person) -> bool {
        self.current_memberships(one)
            .any(|own| self.current_memberships(other).any(|its| its.household_id == own.household_id))
    }

    fn contact(
        &self,
        relationship: &Relationship,
        tables: &Tables,
        ref_ids: &mut RefIds,
    ) -> Result<Published, Withheld> {
        let find = |id: &str| self.persons.get(id).copied().ok_or(Withheld::PersonUnknown);
        let student = find(&relationship.person_id)?;
        let contact = find(&relationship.contact_person_id)?;
        self.check(relationship, student, contact)?;
        let flags = Flags { is_guardian: relationship.is_guardian, lives_with: self.live_together(student, contact) };
        if !flags.any() {
            return Err(Withheld::NoFlag);
        }
        let ref_id = ref_ids.of(relationship, student, contact);
        Ok(Published {
            line: relationship.line,
            state_id: student.state_id.clone(),
            days: relationship.days,
            contact: self.object((relationship, ref_id), (student, contact), flags, tables),
        })
    }

    fn check(&self, relationship: &Relationship, student: &Person, contact: &Person) -> Result<(), Withheld> {
        if !relationship.days.contains(self.today) {
            return Err(Withheld::NotToday);
        }
        if student.is_excluded {
            return Err(Withheld::StudentExcluded);
        }
        if student.student_personal_ref_id.is_empty() {
            return Err(Withheld::NoStudentPersonal);
        }
        let enrollments = |person: &Person| self.enrollments.get(person.person_id.as_str());
        if !enrollments(student).is_some_and(|all| all.contains(&true)) {
            return Err(Withheld::NoEnrollment);
        }
        if enrollments(contact).is_some() {
            return Err(Withheld::ContactEnrolled);
        }
        Ok(())
    }

    fn object(
        &self,
        (relationship, ref_id): (&Relationship, String),
        (student, contact): (&Person, &Person),
        flags: Flags,
        tables: &Tables,
    ) -> Node {
        let mut object = element("StudentContact");
        object.attributes = vec![
            ("RefId".to_owned(), ref_id),
            ("StudentPersonalRefId".to_owned(), student.student_personal_ref_id.clone()),
        ];
        push_text(&mut object, "LocalId", &contact.person_id);
        object.children.push(name(contact));
        push_list(&mut object, "AddressList", addresses(self, contact));
        push_list(&mut object, "PhoneNumberList", phones(self, student, contact));
        let mut mails = Vec::new();
        if !contact.email.is_empty() {
            let mut mail = typed("Email", "Primary");
            mail.text.clone_from(&contact.email);
            mails.push(mail);
        }
        push_list(&mut object, "EmailList", mails);
        object.children.extend(relation(&relationship.relation, tables));
        object.children.push(flags.element());
        push_text(&mut object, "ContactSequence", &relationship.sequence);
        object
    }
}

/// What the flags follow from.
#[derive(Clone, Copy)]
struct Flags {
    is_guardian: bool,
    lives_with: bool,
}

impl Flags {
    const fn any(self) -> bool {
        self.is_guardian || self.lives_with
    }

    fn element(self) -> Node {
        let both = self.is_guardian && self.lives_with;
        let mut flags = element("ContactFlags");
        for (name, is_yes) in [
            ("ParentLegalGuardian", self.is_guardian),
            ("PickupRights", self.is_guardian),
            ("LivesWith", self.lives_with),
            ("AccessToRecords", self.is_guardian),
            ("EmergencyContact", self.is_guardian),
            ("HasCustody", both),
            ("DisciplinaryContact", self.is_guardian),
            ("PrimaryCareProvider", both),
        ] {
            push_text(&mut flags, name, if is_yes { "Yes" } else { "No" });
        }
        flags
    }
}

fn name(person: &Person) -> Node {
    let mut name = typed("Name", "04");
    push_text(&mut name, "LastName", &person.last_name);
    push_text(&mut name, "FirstName", &person.first_name);
    push_text(&mut name, "MiddleName", &person.middle_name);
    push_text(&mut name, "Suffix", &person.suffix);
    push_text(&mut name, "PreferredName", &person.alias);
    let initial: String = person.middle_name.chars().take(1).collect();
    push_text(&mut name, "SortName", format!("{}, {} {initial}", person.last_name, person.first_name).trim_end());
    push_text(&mut name, "FullName", &joined(&[&person.first_name, &person.middle_name, &person.last_name]));
    name
}

/// The relation as a code; a word of the district's own that the table does not know stands beside `9999`.
fn relation(relation: &str, tables: &Tables) -> Option<Node> {
    const OTHER: &str = "9999";
    if relation.is_empty() {
        return None;
    }
    let edition = |id: &str| tables.find(id).and_then(|table| table.edition(None)).map(EditionMatch::edition);
    let mut object = element("Relationship");
    if edition("relationship").is_some_and(|codes| codes.find(relation).is_some()) {
        push_text(&mut object, "Code", relation);
        return Some(object);
    }
    let named = edition("relationship_name")
        .and_then(|words| words.codes.iter().find(|word| word.code.eq_ignore_ascii_case(relation)))
        .map(|word| word.label.as_str());
    push_text(&mut object, "Code", named.unwrap_or(OTHER));
    if named.is_none_or(|code| code == OTHER) {
        let mut other = element("OtherCode");
        other.attributes.push(("Codeset".to_owned(), "Local".to_owned()));
        relation.clone_into(&mut other.text);
        push_list(&mut object, "OtherCodeList", vec![other]);
    }
    Some(object)
}

/// An identifier made from what it names: the same every night, and nobody's number can be read out of it.
pub(crate) fn derived_guid(parts: &[&str]) -> String {
    let digest = Sha256::digest(parts.join("\u{1f}"));
    hex::encode_upper(digest.get(..16).unwrap_or(&digest))
}

fn element(name: &str) -> Node {
    Node::new(name.to_owned(), NOWHERE, Vec::new())
}

fn typed(name: &str, kind: &str) -> Node {
    Node::new(name.to_owned(), NOWHERE, vec![("Type".to_owned(), kind.to_owned())])
}

/// Adds an element of a text, unless there is none.
fn push_text(node: &mut Node, name: &str, text: &str) {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if !text.is_empty() {
        let mut child = element(name);
        child.text = text;
        node.children.push(child);
    }
}

fn push_list(node: &mut Node, name: &str, entries: Vec<Node>) {
    if !entries.is_empty() {
        let mut list = element(name);
        list.children = entries;
        node.children.push(list);
    }
}

/// The parts that are filled, a blank between them.
fn joined(parts: &[&str]) -> String {
    parts.iter().copied().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
pub(super) mod tests;
