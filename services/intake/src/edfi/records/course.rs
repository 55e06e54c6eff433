//! Courses, the sessions they are held in, and students' transcripts.

use domains::FactBuilder;
use model::{Domain, Period, Value};

use super::{
    super::{
        fields::{Fields, Outcome, descriptor, set_whereabouts, text_value},
        index::{Course, Entry, Kind, OrganizationKind, Session, Whereabouts, key},
        node::Node,
    },
    Output,
};
use crate::item::Severity;

/// Lists of course codes that states or the nation keep; the codes of a school are the local ones.
const CODE_LISTS: [&str; 4] = ["SCED", "CSSC course code", "NCES Pilot SNCCS course code", "State course code"];

pub(super) fn course(fields: &mut Fields<'_>) -> Outcome<Output> {
    let node = fields.node;
    let id = fields.required_text(node, "UniqueCourseId")?;
    let owner = fields.owner(node)?;
    let code = node
        .all("CourseCode")
        .find(|code| code.attribute("IdentificationSystem").is_some_and(|list| CODE_LISTS.contains(&list)));
    let course = Course {
        title: node.text_of("CourseTitle"),
        subject: node.text_of("SubjectArea"),
        code: code.and_then(|code| code.value("ID")).map(str::to_owned),
    };
    Ok(Output::Learned(key(&[owner, &id]), Entry::Course(course)))
}

pub(super) fn session(fields: &mut Fields<'_>) -> Outcome<Output> {
    let node = fields.node;
    let name = fields.required_text(node, "SessionName")?;
    let owner = fields.owner(node)?;
    let session = Session {
        school_year: fields.school_year(node, "SchoolYear"),
        begin: fields.date(node, "BeginDate"),
        end: fields.date(node, "EndDate"),
    };
    Ok(Output::Learned(key(&[owner, &name]), Entry::Session(session)))
}

pub(super) fn course_transcript(fields: &mut Fields<'_>) -> Outcome<Output> {
    let node = fields.node;
    // The student and the session stand in the academic record that the transcript belongs to.
    let record = fields.reference(node, &["StudentAcademicRecordReference"])?.unwrap_or(node);
    let state_id = fields.student(record)?;
    let course = fields.reference(node, &["CourseReference"])?;
    let Some((course, course_id)) = course.and_then(|course| Some((course, course.value("UniqueCourseId")?))) else {
        return fields.refuse(node, "CourseReference", "field.required", "The transcript names no course.");
    };
    let course_owner = fields.owner(course)?;
    let session = fields.reference(record, &["SessionReference"])?;
    let session_owner = session.map(|session| fields.owner(session)).transpose()?.unwrap_or_default();
    let session_name = session.and_then(|session| session.value("SessionName"));
    let place = school(fields, session_owner)?;
    let mut fact = FactBuilder::new(Domain::Course, "transcript", fields.line());
    set_whereabouts(&mut fact, &place);
    fact.set("local_course_code", Value::Text(course_id.to_owned()));
    fact.set_some("session_name", text_value(session_name.map(str::to_owned)));
    set_course(fields, &mut fact, &key(&[course_owner, course_id]));
    set_session(fields, &mut fact, record, &key(&[session_owner, session_name.unwrap_or_default()]));
    set_outcome(fields, &mut fact);
    let stated_year = record.value("SchoolYear").unwrap_or_default();
    let identity = [course_owner, course_id, session_owner, session_name.unwrap_or_default(), stated_year];
    let fact = fields.fact(&fact, Domain::Course, "transcript", &identity)?;
    Ok(Output::of(state_id, vec![fact]))
}

/// Where the course was taken: the first organization named, else the one that holds the session.
fn school(fields: &mut Fields<'_>, session_owner: &str) -> Outcome<Whereabouts> {
    let named = fields.organization(fields.node, &["EducationOrganizationReference", "SchoolReference"])?;
    let id = named.or(Some(session_owner).filter(|id| !id.is_empty()));
    Ok(id.map_or_else(Whereabouts::default, |id| fields.index.whereabouts(id, OrganizationKind::School)))
}

fn set_course(fields: &Fields<'_>, fact: &mut FactBuilder, course: &str) {
    if let Some(Entry::Course(course)) = fields.index.find(Kind::Course, course) {
        fact.set_some("course_title", text_value(course.title.clone()));
        fact.set_some("subject_area", text_value(course.subject.clone()));
        fact.set_some("course_code", text_value(course.code.clone()));
    }
}

fn set_session<'a>(fields: &mut Fields<'a>, fact: &mut FactBuilder, record: &'a Node, session: &str) {
    let session = match fields.index.find(Kind::Session, session) {
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
    let grade = node.child("GradeLevelWhenTaken").and_then(descriptor).map(str::to_owned);
    fact.set_some("grade_level", text_value(grade));
    for (element, field) in [("credits_earned", "CreditsEarned"), ("credits_attempted", "CreditsAttempted")] {
        let Some(credits) = node.child(field) else { continue };
        let number = fields.decimal(credits, "Credit");
        fact.set_some(element, number.map(Value::Decimal));
        if let Some(unit) = credits.attribute("CreditType") {
            fact.set("credit_type", Value::Text(unit.to_owned()));
        }
    }
}
