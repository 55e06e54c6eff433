//! Attendance, event by event.

use domains::FactBuilder;
use model::{Domain, Period, Value};

use super::{
    super::fields::{Fields, Outcome, set_whereabouts, text_value},
    Output, names_other_agency,
};

/// The type of an event that stands for a day. Ed-Fi has four; an event without type is taken for this one.
const DAILY: &str = "Daily Attendance";

pub(super) fn attendance_event(fields: &mut Fields<'_>) -> Outcome<Output> {
    let node = fields.node;
    let state_id = fields.student(node)?;
    let Some(event) = node.child("AttendanceEvent") else {
        return fields.refuse(node, "EventDate", "field.required", "This date is required and is missing or empty.");
    };
    let day = fields.required_date(event, "EventDate")?;
    let category = fields.required_text(event, "AttendanceEventCategory")?;
    let kind = event.text_of("AttendanceEventType");
    let section = fields.reference(node, &["SectionReference"])?;
    let mut school = fields.organization(node, &["SchoolReference"])?;
    if let (None, Some(section)) = (school, section) {
        let offering = fields.reference(section, &["CourseOfferingReference"])?.unwrap_or(section);
        school = Some(fields.owner(offering)?).filter(|id| !id.is_empty());
    }
    // What does not stand for a day names the class period, so that nobody counts it as one.
    let period = fields.reference(node, &["ClassPeriodReference"])?;
    let class_period = section
        .and_then(|section| section.value("SectionIdentifier"))
        .or_else(|| period.and_then(|period| period.value("ClassPeriodName")));
    let class_period =
        class_period.or(kind.as_deref().filter(|kind| *kind != DAILY)).or(section.map(|_| "Section Attendance"));
    let mut fact = FactBuilder::new(Domain::Attendance, "event", fields.line());
    set_whereabouts(&mut fact, &fields.school(school));
    let session = fields.reference(node, &["SessionReference"])?;
    let stated = session.filter(|session| session.value("SchoolYear").is_some()).unwrap_or(node);
    fact.school_year(fields.school_year_of(stated, "SchoolYear", day));
    fact.valid(Period::day(day));
    fact.set("event_date", Value::Date(day));
    fact.set("attendance_event_category", Value::Text(category.clone()));
    fact.set_some("attendance_event_type", text_value(kind.clone()));
    fact.set_some("class_period", text_value(class_period.map(str::to_owned)));
    if let Some(reason) = event.text_of("AttendanceEventReason") {
        let element = if names_other_agency(&reason) { "other_agency_event_reason" } else { "attendance_event_reason" };
        fact.set(element, Value::Text(reason));
    }
    let environment = event.text_of("EducationalEnvironment");
    fact.set_some("educational_environment", text_value(environment));
    let identity = [
        school.unwrap_or_default(),
        &day.to_string(),
        &category,
        kind.as_deref().unwrap_or_default(),
        class_period.unwrap_or_default(),
    ];
    let fact = fields.fact(&fact, Domain::Attendance, "event", &identity)?;
    Ok(Output::of(state_id, vec![fact]))
}
