//! From one object to what the exchange keeps of it. One module for each group of objects, one function for each object.
//!
//! The natural key of a fact is the object's own RefId, so that what looking up finds or does not find never makes another
//! fact of it.

pub(super) mod contact;
mod enrollment;
mod organization;
mod record;
mod special_education;
pub(super) mod student;

use chrono::NaiveDate;
use domains::FactBuilder;
use model::{Domain, Fact, NaturalKey, Period, Value};
use reference::tables::{EditionMatch, Tables};

use super::{
    check::finding,
    index::{Index, Whereabouts},
};
use crate::{Finding, OrganizationRecord, Severity, xml::Node};

/// What an object gives.
pub(crate) enum Output {
    /// Facts about one student.
    Student {
        state_id: String,
        /// Whether the object makes the student known.
        introduces: bool,
        facts: Vec<Fact>,
    },
    /// An organization.
    Organization(OrganizationRecord),
    /// Nothing beside what others of the delivery look up.
    Learned,
}

/// The object is refused; the findings say why.
#[derive(Debug)]
pub(crate) struct Refused;

pub(crate) type Outcome<T> = Result<T, Refused>;

type Converter = for<'a> fn(&mut Source<'a>) -> Outcome<Output>;

/// The objects that are read: what becomes of each, and how.
const OBJECTS: [(&str, &str, Converter); 15] = [
    ("StudentPersonal", "who the student is, where they live and how they are reached", student::student_personal),
    (
        "StudentDemographicRecord",
        "who the student is, as a record that moves with them says",
        student::student_demographic_record,
    ),
    ("StudentMeal", "eligibility for meals", student::student_meal),
    ("StudentContact", "a contact of the student", contact::student_contact),
    ("StudentSchoolEnrollment", "an enrollment", enrollment::student_school_enrollment),
    ("StudentAttendanceSummary", "attendance of a period", enrollment::student_attendance_summary),
    ("StudentDailyAttendance", "attendance on a day", enrollment::student_daily_attendance),
    ("OfficialStudentPeriodAttendance", "attendance by class periods", enrollment::official_student_period_attendance),
    ("StudentAcademicRecord", "courses, tests and what else an academic record holds", record::student_academic_record),
    ("StudentParticipation", "special education and other programs", special_education::student_participation),
    ("StudentPlacement", "special education, its setting and services", special_education::student_placement),
    ("SchoolInfo", "a school, in the reference data", organization::school_info),
    ("LEAInfo", "a district, in the reference data", organization::lea_info),
    ("StudentRecordExchange", "which records belong together; nothing of its own", |_| Ok(Output::Learned)),
    ("AttendanceCodeInfo", "what a school's codes of attendance mean; nothing of its own", |_| Ok(Output::Learned)),
];

/// The objects that are read, and what becomes of each.
pub(crate) fn objects() -> impl Iterator<Item = (&'static str, &'static str)> {
    OBJECTS.iter().map(|(name, what, _)| (*name, *what))
}

fn converter(name: &str) -> Option<Converter> {
    OBJECTS.iter().find(|(own, ..)| *own == name).map(|(.., convert)| *convert)
}

/// Whether objects of this name are kept.
pub(crate) fn wants(name: &str) -> bool {
    converter(name).is_some()
}

/// Reads an object.
pub(crate) fn read(source: &mut Source<'_>) -> Outcome<Output> {
    let Some(convert) = converter(&source.node.name) else {
        return Ok(Output::Learned);
    };
    let output = convert(source)?;
    if source.findings.iter().any(|finding| finding.severity >= Severity::Error) { Err(Refused) } else { Ok(output) }
}

/// Reads the fields of one object, collecting what is wrong with it.
pub(crate) struct Source<'a> {
    pub node: &'a Node,
    pub index: &'a Index,
    pub tables: &'a Tables,
    pub findings: Vec<Finding>,
}

/// A code in words.
struct Label {
    text: String,
    names_other_agency: bool,
    /// The person is another agency's own.
    is_agency_person: bool,
}

impl<'a> Source<'a> {
    fn note(&mut self, at: &Node, field: &str, rule: &str, severity: Severity, message: &str) {
        self.findings.push(finding(at.place, field, rule, severity, message.to_owned()));
    }

    fn refuse<T>(&mut self, at: &Node, field: &str, rule: &str, message: &str) -> Outcome<T> {
        self.note(at, field, rule, Severity::Error, message);
        Err(Refused)
    }

    /// The state's identifier of the student whom `StudentPersonalRefId` names.
    fn student(&mut self) -> Outcome<String> {
        const FIELD: &str = "StudentPersonalRefId";
        let node = self.node;
        match node.attribute(FIELD).map(|ref_id| self.index.student(ref_id)) {
            Some(Some(state_id)) => Ok(state_id.to_owned()),
            Some(None) => self.refuse(
                node,
                FIELD,
                "student.unresolved",
                "No StudentPersonal with a state identifier of this delivery has this RefId, and nothing of a RefId outlives a delivery: send this file \
                 once more, as it is, in one folder with the file of the student.",
            ),
            None => self.refuse(node, FIELD, "field.required", "The object names no student."),
        }
    }

    fn ref_id(&mut self) -> Outcome<&'a str> {
        let node = self.node;
        match node.attribute("RefId") {
            Some(ref_id) => Ok(ref_id),
            None => self.refuse(node, "RefId", "field.required", "The object has no RefId."),
        }
    }

    /// The day in a child; a month or year alone is said and left out.
    fn date(&mut self, at: &'a Node, name: &str) -> Option<NaiveDate> {
        let text = at.value(name)?;
        let day = text.get(..10).unwrap_or(text).parse::<NaiveDate>().ok();
        let place = at.child(name).unwrap_or(at);
        if day.is_none() && matches!(text.len(), 4 | 7) && text.bytes().all(|b| b.is_ascii_digit() || b == b'-') {
            self.note(
                place,
                name,
                "date.partial",
                Severity::Warning,
                "A month or a year is no day: the date is left out.",
            );
        } else if day.is_none() {
            let message = "This is no day of the calendar in the form YYYY-MM-DD.";
            self.note(place, name, "date.invalid", Severity::Error, message);
        }
        day
    }

    fn period(&mut self, at: &Node, from: Option<NaiveDate>, to: Option<NaiveDate>) -> Period {
        Period::new(from, to).unwrap_or_else(|_| {
            self.note(at, &at.name, "date.order", Severity::Error, "It ends before it begins.");
            Period::ALWAYS
        })
    }

    /// What the code in `at/Code` means; a code outside the table stands for itself and is said.
    fn label(&mut self, at: Option<&Node>, table: &str) -> Option<Label> {
        let at = at?;
        let code = at.child("Code").unwrap_or(at);
        let text = Some(code.text.as_str()).filter(|text| !text.is_empty())?;
        let edition = self.tables.find(table).and_then(|table| table.edition(None)).map(EditionMatch::edition);
        let Some(known) = edition.and_then(|edition| edition.find(text)) else {
            let message = format!("The code is not in the table {table}; it is kept as it is.");
            self.note(code, &at.name, "code.unknown", Severity::Warning, &message);
            return Some(Label { text: text.to_owned(), names_other_agency: false, is_agency_person: false });
        };
        let has = |flag: &str| known.flags.iter().any(|known| known == flag);
        Some(Label {
            text: known.label.clone(),
            names_other_agency: has("other_agency"),
            is_agency_person: has("agency_person"),
        })
    }

    /// District and facility of the school with this RefId; one that nobody described is said.
    fn school(&mut self, ref_id: Option<&str>) -> Whereabouts {
        let place = ref_id.map(|ref_id| self.index.school(ref_id)).unwrap_or_default();
        if place.facility.is_none() {
            let message = "No SchoolInfo of this delivery describes the school: the record is kept without it.";
            self.note(self.node, "SchoolInfoRefId", "school.unresolved", Severity::Warning, message);
        }
        place
    }

    fn builder(&self, domain: Domain, kind: &str) -> FactBuilder {
        FactBuilder::new(domain, kind, self.node.place.line)
    }

    /// Makes the fact; `identity` is what the source calls it.
    fn fact(&mut self, builder: &FactBuilder, domain: Domain, kind: &str, identity: &[&str]) -> Outcome<Fact> {
        match builder.build() {
            Ok(mut fact) => {
                fact.natural_key = natural_key(domain, kind, identity);
                Ok(fact)
            }
            Err(error) => self.refuse(self.node, &self.node.name, "fact.invalid", &error.to_string()),
        }
    }
}

fn natural_key(domain: Domain, kind: &str, identity: &[&str]) -> NaturalKey {
    let mut parts = vec!["sif"];
    parts.extend(identity);
    NaturalKey::of(domain, kind, &parts)
}

/// The fact that an object of this name and RefId made, for its withdrawal; `None` for objects that make several or none.
pub(crate) fn withdrawn(name: &str, ref_id: &str, line: u32) -> Option<Fact> {
    let (domain, kind) = match name {
        "StudentContact" => (Domain::Contact, "parent"),
        "StudentSchoolEnrollment" => (Domain::Enrollment, "association"),
        "StudentPlacement" => (Domain::SpecialEducation, "association"),
        "OfficialStudentPeriodAttendance" => (Domain::Attendance, "event"),
        _ => return None,
    };
    let mut fact = FactBuilder::new(domain, kind, line).build().ok()?;
    fact.natural_key = natural_key(domain, kind, &[name, ref_id]);
    Some(fact)
}

fn text_value(text: Option<String>) -> Option<Value> {
    text.map(Value::Text)
}

fn list_value(texts: Vec<String>) -> Option<Value> {
    (!texts.is_empty()).then_some(Value::TextList(texts))
}

fn set_whereabouts(builder: &mut FactBuilder, place: &Whereabouts) {
    if let Some(lea) = &place.lea {
        builder.lea(lea);
    }
    if let Some(facility) = &place.facility {
        builder.facility(facility);
    }
}

/// A name in the order it is spoken.
fn full_name(name: &Node) -> Option<String> {
    let parts = ["Prefix", "FirstName", "MiddleName", "LastName", "Suffix"];
    let parts: Vec<&str> = parts.iter().filter_map(|part| name.value(part)).collect();
    let composed = (!parts.is_empty()).then(|| parts.join(" "));
    composed.or_else(|| name.text_of("FullName"))
}

/// An address as it is read out.
struct Address<'n> {
    node: &'n Node,
    street: Option<&'n str>,
    second_line: Option<&'n str>,
}

impl<'n> Address<'n> {
    fn all(node: &'n Node) -> Vec<Self> {
        let list = node.child("AddressList").map(|list| list.all("Address").collect::<Vec<_>>()).unwrap_or_default();
        list.into_iter()
            .map(|address| {
                let street = address.child("Street");
                Self {
                    node: address,
                    street: street.and_then(|street| street.value("Line1")),
                    second_line: street.and_then(|s| s.value("Line2").or_else(|| s.value("ApartmentNumber"))),
                }
            })
            .collect()
    }

    fn part(&self, name: &str) -> Option<Value> {
        text_value(self.node.text_of(name))
    }

    fn line(&self) -> String {
        let city = ["City", "StateProvince", "PostalCode"].iter().filter_map(|part| self.node.value(part));
        let city = city.collect::<Vec<_>>().join(" ");
        let parts = [self.street, self.second_line, Some(city.as_str()).filter(|city| !city.is_empty())];
        parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
    }
}

/// Phone numbers with their types.
fn phones(node: &Node) -> Vec<(&str, &str)> {
    let list =
        node.child("PhoneNumberList").map(|list| list.all("PhoneNumber").collect::<Vec<_>>()).unwrap_or_default();
    list.into_iter()
        .filter_map(|phone| Some((phone.attribute("Type").unwrap_or_default(), phone.value("Number")?)))
        .collect()
}

/// E-mail addresses, the primary one first.
fn mails(node: &Node) -> Vec<String> {
    let list = node.child("EmailList").map(|list| list.all("Email").collect::<Vec<_>>()).unwrap_or_default();
    let mut list: Vec<&Node> = list.into_iter().filter(|mail| !mail.text.is_empty()).collect();
    list.sort_by_key(|mail| mail.attribute("Type") != Some("Primary"));
    list.into_iter().map(|mail| mail.text.clone()).collect()
}
