//! Reads the fields of one record, collecting what is wrong with it.

use chrono::NaiveDate;
use domains::FactBuilder;
use model::{Decimal, Domain, Fact, NaturalKey, Period, SchoolYear, Value};

use super::{
    index::{Entry, Index, Kind, OrganizationKind, Whereabouts, reference},
    node::Node,
    version::Version,
};
use crate::{
    item::{Finding, Reference, Severity},
    xml::date as date_of,
};

/// Why a record gives nothing yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    /// It is wrong; the findings say how.
    Refused,
    /// It refers to a record not seen so far that may still come.
    Waits,
}

/// What a missing referent means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Referents {
    /// It may stand further down: the record waits.
    MayCome,
    /// The file has been read: the record is refused.
    MustBeThere,
    /// Only the record's own identity is of interest (a delete).
    DoNotMatter,
}

/// Reads one record.
pub(super) struct Fields<'a> {
    pub node: &'a Node,
    pub index: &'a Index,
    pub referents: Referents,
    version: &'a Version,
    pub findings: Vec<Finding>,
    /// What nobody has described so far, and would say more.
    pub missing: Vec<Reference>,
    /// Descriptions of contacts and incidents that were copied from.
    pub rests_on: Vec<Reference>,
    /// Whether the record makes no sense without what is missing.
    pub is_awaiting: bool,
    /// The school year of the incident that the record was told with before.
    pub incident_year: Option<SchoolYear>,
}

/// What names an organization, nearest kind first.
const ORGANIZATION_IDS: [&str; 5] = [
    "SchoolId",
    "LocalEducationAgencyId",
    "EducationServiceCenterId",
    "StateEducationAgencyId",
    "EducationOrganizationId",
];

pub(super) type Outcome<T> = Result<T, Trouble>;

/// What a program writes for a character it could not read.
const REPLACEMENT: char = '\u{FFFD}';

impl<'a> Fields<'a> {
    pub const fn new(node: &'a Node, index: &'a Index, referents: Referents, version: &'a Version) -> Self {
        Self {
            node,
            index,
            referents,
            version,
            findings: Vec::new(),
            missing: Vec::new(),
            rests_on: Vec::new(),
            is_awaiting: false,
            incident_year: None,
        }
    }

    /// What is known under an identity; an unknown one is noted as missing.
    pub fn entry(&mut self, kind: Kind, key: &str) -> Option<&'a Entry> {
        let found = self.index.find(kind, key);
        if found.is_none() {
            self.missing.push(reference(kind, key));
        }
        if kind.is_personal() {
            self.rests_on.push(reference(kind, key));
        }
        found
    }

    /// Whether a finding keeps the record from being loaded.
    pub fn is_refused(&self) -> bool {
        self.findings.iter().any(|finding| finding.severity >= Severity::Error)
    }

    /// The line the record begins on.
    pub const fn line(&self) -> u32 {
        self.node.place.line
    }

    /// Says where a character was lost before the file was made.
    pub fn note_lost_character(&mut self) {
        if let Some(at) = self.node.find_text(REPLACEMENT) {
            self.note(
                at,
                &at.name,
                "text.replacement_character",
                Severity::Warning,
                "A character was lost before the file was made: it shows as the \
                    replacement character. Correct it at the source.",
            );
        }
    }

    /// Notes something about an element.
    pub fn note(&mut self, at: &Node, field: &str, rule: &str, severity: Severity, message: &str) {
        self.findings.push(Finding {
            line: at.place.line,
            column: Some(at.place.column),
            field: Some(self.version.said(field).to_owned()),
            rule: rule.to_owned(),
            severity,
            message: message.to_owned(),
        });
    }

    /// Refuses the record.
    pub fn refuse<T>(&mut self, at: &Node, field: &str, rule: &str, message: &str) -> Outcome<T> {
        self.note(at, field, rule, Severity::Error, message);
        Err(Trouble::Refused)
    }

    /// The text of a child that must be there.
    pub fn required_text(&mut self, at: &'a Node, name: &str) -> Outcome<String> {
        match at.text_of(name) {
            Some(text) => Ok(text),
            None => self.refuse(at, name, "field.required", "This field is required and is missing or empty."),
        }
    }

    /// The day in a child.
    pub fn date(&mut self, at: &'a Node, name: &str) -> Option<NaiveDate> {
        let text = at.value(name)?;
        let day = date_of(text);
        if day.is_none() {
            self.note(
                at.child(name).unwrap_or(at),
                name,
                "date.invalid",
                Severity::Error,
                "This is no day of the calendar in the form YYYY-MM-DD.",
            );
        }
        day
    }

    /// The day of the instant in a child that must be there.
    pub fn required_day(&mut self, at: &'a Node, name: &str) -> Outcome<NaiveDate> {
        let text = at.value(name).unwrap_or_default();
        match text.split_once('T').and_then(|(day, _)| date_of(day)) {
            Some(day) => Ok(day),
            None => self.required_date(at, name),
        }
    }

    /// The day in a child that must be there.
    pub fn required_date(&mut self, at: &'a Node, name: &str) -> Outcome<NaiveDate> {
        if at.value(name).is_none() {
            return self.refuse(at, name, "field.required", "This date is required and is missing or empty.");
        }
        self.date(at, name).ok_or(Trouble::Refused)
    }

    /// Yes or no in a child.
    pub fn boolean(&mut self, at: &'a Node, name: &str) -> Option<bool> {
        match at.value(name)? {
            "true" | "1" => Some(true),
            "false" | "0" => Some(false),
            _ => {
                self.note(
                    at.child(name).unwrap_or(at),
                    name,
                    "boolean.invalid",
                    Severity::Error,
                    "This field holds true or false and nothing else.",
                );
                None
            }
        }
    }

    /// The number in a child.
    pub fn decimal(&mut self, at: &'a Node, name: &str) -> Option<Decimal> {
        let number = at.value(name)?.parse().ok();
        if number.is_none() {
            self.note(
                at.child(name).unwrap_or(at),
                name,
                "number.invalid",
                Severity::Error,
                "This field holds a number with at most four decimals.",
            );
        }
        number
    }

    /// The whole number in a child.
    pub fn integer(&mut self, at: &'a Node, name: &str) -> Option<i64> {
        let number = at.value(name)?.parse().ok();
        if number.is_none() {
            self.note(
                at.child(name).unwrap_or(at),
                name,
                "number.invalid",
                Severity::Error,
                "This field holds a whole number.",
            );
        }
        number
    }

    /// The school year in a child, such as `2011-2012`.
    pub fn school_year(&mut self, at: &'a Node, name: &str) -> Option<SchoolYear> {
        let year = at.value(name)?.parse().ok();
        if year.is_none() {
            self.note(
                at.child(name).unwrap_or(at),
                name,
                "school_year.invalid",
                Severity::Error,
                "A school year reads 2014-2015, the second year following the first.",
            );
        }
        year
    }

    /// The school year the record states, else that of the day; says so when the two differ.
    pub fn school_year_of(&mut self, at: &'a Node, name: &str, day: NaiveDate) -> SchoolYear {
        let from_day = SchoolYear::containing(day);
        let Some(stated) = self.school_year(at, name) else {
            return from_day;
        };
        if stated != from_day {
            self.note(
                at.child(name).unwrap_or(at),
                name,
                "school_year.other_than_date",
                Severity::Warning,
                "The record states another school year than the one its date lies in; the \
                    stated one is kept.",
            );
        }
        stated
    }

    /// A period that must not end before it begins.
    pub fn period(&mut self, at: &Node, end_name: &str, from: Option<NaiveDate>, to: Option<NaiveDate>) -> Period {
        Period::new(from, to).unwrap_or_else(|_| {
            let place = at.child(end_name).unwrap_or(at);
            self.note(place, end_name, "date.order", Severity::Error, "The record ends before it begins.");
            Period::ALWAYS
        })
    }

    /// Where a reference leads: the identity inside it, else what it looks for, else the record of the file whose id it names.
    /// `None`: it names nothing.
    pub fn referent(&mut self, reference: &'a Node) -> Outcome<Option<&'a Node>> {
        for ending in ["Identity", "Lookup"] {
            let found =
                reference.children.iter().find(|child| child.name.ends_with(ending) && !child.children.is_empty());
            if found.is_some() {
                return Ok(found);
            }
        }
        let Some(id) = reference.attribute("ref") else {
            return Ok((!reference.children.is_empty()).then_some(reference));
        };
        match (self.index.find_id(id), self.referents) {
            (Some(node), _) => Ok(Some(node)),
            (None, Referents::MayCome) => Err(Trouble::Waits),
            (None, Referents::DoNotMatter) => Ok(None),
            (None, Referents::MustBeThere) => self.refuse(
                reference,
                &reference.name,
                "reference.unresolved",
                "The reference names an id that no record of the file has. Ids hold within one file: name \
                    what is meant by its own identity.",
            ),
        }
    }

    /// What to do about something that the record makes no sense without, and that nobody has described.
    pub fn undescribed(&mut self, at: &Node, message: &str) -> Outcome<()> {
        self.is_awaiting = true;
        match self.referents {
            Referents::MayCome => Err(Trouble::Waits),
            Referents::MustBeThere => self.refuse(at, &at.name, "reference.unresolved", message),
            Referents::DoNotMatter => Ok(()),
        }
    }

    /// Where the first child reference of one of these names leads.
    pub fn reference(&mut self, at: &'a Node, names: &[&str]) -> Outcome<Option<&'a Node>> {
        match at.children.iter().find(|child| names.contains(&child.name.as_str())) {
            Some(reference) => self.referent(reference),
            None => Ok(None),
        }
    }

    /// The state's identifier of the student that `at` refers to.
    pub fn student(&mut self, at: &'a Node) -> Outcome<String> {
        let identity = self.reference(at, &["StudentReference"])?;
        match identity.and_then(|identity| identity.value("StudentUniqueId")) {
            Some(id) => Ok(id.to_owned()),
            None => self.refuse(
                at,
                "StudentUniqueId",
                "student.no_state_id",
                "The record names no student by state identifier: it cannot be loaded.",
            ),
        }
    }

    /// The organization that a reference of one of these names leads to.
    pub fn organization(&mut self, at: &'a Node, names: &[&str]) -> Outcome<Option<&'a str>> {
        Ok(self.reference(at, names)?.and_then(organization_id))
    }

    /// The organization named in the identity of a course, session, section or incident.
    pub fn owner(&mut self, identity: &'a Node) -> Outcome<&'a str> {
        const NAMES: [&str; 3] = ["EducationOrganizationReference", "SchoolReference", "ResponsibilitySchoolReference"];
        Ok(self.organization(identity, &NAMES)?.unwrap_or_default())
    }

    /// District and facility of what a record calls its school.
    pub fn school(&mut self, id: Option<&str>) -> Whereabouts {
        let place = id.filter(|id| !id.is_empty()).map_or_else(Whereabouts::default, |id| self.index.school(id));
        self.miss(place)
    }

    /// District and facility of an organization; one nobody described is `otherwise`.
    pub fn whereabouts(&mut self, id: &str, otherwise: OrganizationKind) -> Whereabouts {
        let place = self.index.whereabouts(id, otherwise);
        self.miss(place)
    }

    fn miss(&mut self, place: Whereabouts) -> Whereabouts {
        self.missing.extend(place.missing.as_deref().map(|id| reference(Kind::Organization, id)));
        place
    }

    /// Makes the fact. Its natural key is the source's own identity of the record: values found by following references
    /// stay out of it, since they may be unknown when the same record comes again.
    pub fn fact(&mut self, builder: &FactBuilder, domain: Domain, kind: &str, identity: &[&str]) -> Outcome<Fact> {
        match builder.build() {
            Ok(mut fact) => {
                let mut parts = vec!["edfi"];
                parts.extend(identity);
                fact.natural_key = NaturalKey::of(domain, kind, &parts);
                Ok(fact)
            }
            Err(error) => self.refuse(self.node, &self.node.name, "fact.invalid", &error.to_string()),
        }
    }
}

/// Sets district and facility, as far as known.
pub(super) fn set_whereabouts(builder: &mut FactBuilder, place: &Whereabouts) {
    if let Some(lea) = &place.lea {
        builder.lea(lea);
    }
    if let Some(facility) = &place.facility {
        builder.facility(facility);
    }
}

/// A text value, if there is one.
pub(super) fn text_value(text: Option<String>) -> Option<Value> {
    text.map(Value::Text)
}

/// Several texts, if there are any.
pub(super) fn list_value(texts: Vec<String>) -> Option<Value> {
    (!texts.is_empty()).then_some(Value::TextList(texts))
}

/// The texts of the children of this name that have any.
pub(super) fn texts<'n>(node: &'n Node, name: &'n str) -> Vec<&'n str> {
    node.all(name).map(|child| child.text.as_str()).filter(|text| !text.is_empty()).collect()
}

/// What an identity or record calls its organization.
pub(super) fn organization_id(identity: &Node) -> Option<&str> {
    ORGANIZATION_IDS.iter().find_map(|name| identity.value(name))
}
