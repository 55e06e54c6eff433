//! Courses, the sessions they are held in, and students' transcripts.

use domains::FactBuilder;
use model::{Domain, Period, Value};

use super::{
    super::{
        fields::{Fields, Outcome, set_whereabouts, text_value},
        index::{Course, Entry, Kind, OrganizationKind, Session, Whereabouts, key},
        node::Node,
    },
    Output,
};
use crate::item::Severity;

/// Lists of course codes that states or the nation keep; the codes of a school are the local ones.
const CODE_LISTS: [&str; 5] =
    ["SCED", "SCED course code", "CSSC course code", "NCES Pilot SNCCS course code", "State course code"];

pub(super) fn course(fields: &mut Fields<'_>) -> Outcome<Output> {
    let node = fields.node;
    let id = fields.required_text(node, "CourseCode")?;
    let owner = fields.owner(node)?;
    let code = node
        .all("CourseIdentificationCode")
        .find(|code| code.value("CourseIdentificationSystem").is_some_and(|list| CODE_LISTS.contains(&list)));
    let course = Course {
        title: node.text_of("CourseTitle"),
        subject: node.text_of("AcademicSubject"),
        code: code.and_then(|code| code.value("IdentificationCode")).map(str::to_owned),
    };
    Ok(Output::Learned(vec![(key(&[owner, &id]), Entry::Course(course))]))
}

/// A session goes by its name, by name and year, or by term and year: versions refer to it in each of these ways.
pub(super) fn session(fields: &mut Fields<'_>) -> Outcome<Output> {
    let node = fields.node;
    let owner = fields.owner(node)?;
    let year = fields.school_year(node, "SchoolYear");
    let session =
        Session { school_year: year, begin: fields.date(node, "BeginDate"), end: fields.date(node, "EndDate") };
    let year = node.value("SchoolYear").unwrap_or_default();
    let labels = [(node.value("SessionName"), ""), (node.value("SessionName"), year), (node.value("Term"), year)];
    let mut entries = Vec::new();
    for (label, year) in labels {
        let Some(label) = label else { continue };
        entries.push((key(&[owner, label, year]), Entry::Session(session.clone())));
    }
    if entries.is_empty() {
        return fields.refuse(node, "SessionName", "field.required", "The session has no name and no term.");
    }
    entries.dedup_by(|a, b| a.0 == b.0);
    Ok(Output::Learned(entries))
}

pub(super) fn course_transcript(fields: &mut Fields<'_>) -> Outcome<Output> {
    let node = fields.node;
    // The student and the session stand in the academic record that the transcript belongs to.
    let record = fields.reference(node, &["StudentAcademicRecordReference"])?.unwrap_or(node);
    let state_id = fields.student(record)?;
    let course = fields.reference(node, &["CourseReference"])?;
    let Some((course, course_id)) = course.and_then(|course| Some((course, course.value("CourseCode")?))) else {
        return fields.refuse(node, "CourseReference", "field.required", "The transcript names no course.");
    };
    let course_owner = fields.owner(course)?;
    let session = SessionName::read(fields, record)?;
    let place = school(fields, session.owner)?;
    let mut fact = FactBuilder::new(Domain::Course, "transcript", fields.line());
    set_whereabouts(&mut fact, &place);
    fact.set("local_course_code", Value::Text(course_id.to_owned()));
    fact.set_some("session_name", text_value(session.label.map(str::to_owned)));
    fact.set_some("course_title", text_value(node.text_of("CourseTitle")));
    set_course(fields, &mut fact, &key(&[course_owner, course_id]));
    set_session(fields, &mut fact, record, &session);
    set_outcome(fields, &mut fact);
    let stated_year = record.value("SchoolYear").unwrap_or_default();
    let label = session.label.unwrap_or_default();
    let result = node.value("CourseAttemptResult").unwrap_or_default();
    // Versions without sessions in the academic record tell two attempts at a course apart by their result.
    let identity = [course_owner, course_id, session.owner, label, stated_year, result];
    let identity = identity.get(..if session.is_term { 6 } else { 5 }).unwrap_or(&identity);
    let fact = fields.fact(&fact, Domain::Course, "transcript", identity)?;
    Ok(Output::of(state_id, vec![fact]))
}

/// How an academic record names its session.
pub(super) struct SessionName<'a> {
    pub owner: &'a str,
    pub label: Option<&'a str>,
    pub year: &'a str,
    /// By school year and term, not by a name of its own.
    is_term: bool,
}

impl<'a> SessionName<'a> {
    pub(super) fn read(fields: &mut Fields<'a>, record: &'a Node) -> Outcome<Self> {
        if let Some(session) = fields.reference(record, &["SessionReference"])? {
            let label = session.value("SessionName").or_else(|| session.value("Term"));
            let year = session.value("SchoolYear").unwrap_or_default();
            return Ok(Self { owner: fields.owner(session)?, label, year, is_term: false });
        }
        let label = record.value("Term");
        let year = record.value("SchoolYear").unwrap_or_default();
        Ok(Self { owner: fields.owner(record)?, label, year, is_term: label.is_some() })
    }
}

/// Where the course was taken: the first organization named, else the one that holds the session.
fn school(fields: &mut Fields<'_>, session_owner: &str) -> Outcome<Whereabouts> {
    let names = ["EducationOrganizationReference", "SchoolReference", "ExternalEducationOrganizationReference"];
    let named = fields.organization(fields.node, &names)?;
    let id = named.or(Some(session_owner).filter(|id| !id.is_empty()));
    Ok(id.map_or_else(Whereabouts::default, |id| fields.whereabouts(id, OrganizationKind::School)))
}

/// What the catalogue says of a course.
pub(super) fn set_course(fields: &mut Fields<'_>, fact: &mut FactBuilder, course: &str) {
    if let Some(Entry::Course(course)) = fields.entry(Kind::Course, course) {
        fact.set_some("course_title", text_value(course.title.clone()));
        fact.set_some("subject_area", text_value(course.subject.clone()));
        fact.set_some("course_code", text_value(course.code.clone()));
    }
}

fn set_session<'a>(fields: &mut Fields<'a>, fact: &mut FactBuilder, record: &'a Node, name: &SessionName<'a>) {
    let session = match name.label.and_then(|label| fields.entry(Kind::Session, &key(&[name.owner, label, name.year])))
    {
        Some(Entry::Session(session)) => Some(session),
        _ => None,
    };
    let stated = fields.school_year(record, "SchoolYear");
    let known = session.and_then(|session| session.school_year);
    if let (Some(stated), Some(known)) = (stated, known)
        && stated != known
    {
        fields.note(
            record.child("SchoolYear").unwrap_or(record),
            "SchoolYear",
            "school_year.other_than_session",
            Severity::Warning,
            "The record states another school year than the calendar gives its \
                session; the stated one is kept.",
        );
    }
    if let Some(year) = stated.or(known) {
        fact.school_year(year);
    }
    let Some(session) = session else { return };
    // A session that ends before it begins is the calendar's mistake, not the transcript's.
    fact.valid(Period::new(session.begin, session.end).unwrap_or(Period::ALWAYS));
    fact.set_some("session_begin_date", session.begin.map(Value::Date));
    fact.set_some("session_end_date", session.end.map(Value::Date));
}

fn set_outcome(fields: &mut Fields<'_>, fact: &mut FactBuilder) {
    let node = fields.node;
    let status = node.text_of("CourseAttemptResult");
    fact.set_some("outcome_status", text_value(status));
    let letter = node.text_of("FinalLetterGradeEarned");
    let number = node.text_of("FinalNumericGradeEarned");
    fact.set_some("numeric_grade", text_value(number.clone()));
    fact.set_some("outcome", text_value(letter.or(number)));
    let grade = node.text_of("WhenTakenGradeLevel");
    fact.set_some("grade_level", text_value(grade));
    for (element, field) in [("credits_earned", "EarnedCredits"), ("credits_attempted", "AttemptedCredits")] {
        let Some(credits) = node.child(field) else { continue };
        let number = fields.decimal(credits, "Credits");
        fact.set_some(element, number.map(Value::Decimal));
        fact.set_some("credit_type", text_value(credits.text_of("CreditType")));
    }
}
