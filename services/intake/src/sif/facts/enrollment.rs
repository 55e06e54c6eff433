//! Enrollments, and who was there.

use model::{Domain, Value};

use super::{Outcome, Output, Refused, Source, set_whereabouts, text_value};
use crate::{Severity, sif::census_year};

pub(super) fn student_school_enrollment(source: &mut Source<'_>) -> Outcome<Output> {
    let node = source.node;
    let ref_id = source.ref_id()?;
    let state_id = source.student()?;
    let Some(entry) = source.date(node, "EntryDate") else {
        if source.findings.iter().any(|finding| finding.field.as_deref() == Some("EntryDate")) {
            return Err(Refused);
        }
        return source.refuse(node, "EntryDate", "field.required", "The enrollment has no day of entry.");
    };
    let exit = source.date(node, "ExitDate");
    let mut fact = source.builder(Domain::Enrollment, "association");
    set_whereabouts(&mut fact, &source.school(node.attribute("SchoolInfoRefId")));
    fact.school_year(source.school_year(node.attribute("SchoolYear"), Some(entry))?);
    fact.valid(source.period(node, Some(entry), exit));
    fact.set("entry_date", Value::Date(entry));
    fact.set_some("exit_withdraw_date", exit.map(Value::Date));
    for (element, guarded, field, table) in [
        ("entry_type", "other_agency_entry_type", "EntryType", "entry_type"),
        ("exit_withdraw_type", "other_agency_exit_type", "ExitType", "exit_type"),
    ] {
        if let Some(label) = source.label(node.child(field), table) {
            fact.set(if label.names_other_agency { guarded } else { element }, Value::Text(label.text));
        }
    }
    let grade = node.child("GradeLevel").and_then(|grade| grade.text_of("Code"));
    fact.set_some("grade_level", text_value(grade));
    let fact = source.fact(&fact, Domain::Enrollment, "association", &["StudentSchoolEnrollment", ref_id])?;
    Ok(Output::Student { state_id, introduces: false, facts: vec![fact] })
}

pub(super) fn student_attendance_summary(source: &mut Source<'_>) -> Outcome<Output> {
    let node = source.node;
    let state_id = source.student()?;
    let year = source.school_year(node.attribute("SchoolYear"), None)?;
    let school = node.attribute("SchoolInfoRefId").unwrap_or_default();
    let mut fact = source.builder(Domain::Attendance, "year");
    set_whereabouts(&mut fact, &source.school(Some(school)));
    fact.school_year(year);
    let (from, to) = (source.date(node, "StartDate"), source.date(node, "EndDate"));
    fact.valid(source.period(node, from, to));
    for (element, field) in [("days_scheduled", "DaysInMembership"), ("days_attended", "DaysAttended")] {
        // Half days are told as decimals; what is kept are whole days.
        let days = node.value(field).and_then(|text| text.parse::<model::Decimal>().ok());
        if node.value(field).is_some() && days.is_none_or(|days| days.0 < 0) {
            let message = "This is no number of days.";
            source.note(node.child(field).unwrap_or(node), field, "number.invalid", Severity::Error, message);
        }
        let whole = days.map(|days| days.0 / model::Decimal::SCALE);
        fact.set_some(element, whole.map(Value::Integer));
    }
    let year = year.to_string();
    let fact = source.fact(&fact, Domain::Attendance, "year", &["StudentAttendanceSummary", school, &year])?;
    Ok(Output::Student { state_id, introduces: false, facts: vec![fact] })
}

pub(super) fn student_daily_attendance(source: &mut Source<'_>) -> Outcome<Output> {
    let node = source.node;
    // An element by the standard; some senders write it as the attribute that other objects have.
    let code = node.value("AttendanceCodeInfoRefId").or_else(|| node.attribute("AttendanceCodeInfoRefId"));
    attendance_event(source, code, None)
}

pub(super) fn official_student_period_attendance(source: &mut Source<'_>) -> Outcome<Output> {
    let node = source.node;
    let code = node.child("AttendanceCode").and_then(|code| code.attribute("AttendanceCodeInfoRefId"));
    let period = node.text_of("TimetablePeriod").unwrap_or_else(|| "one period".to_owned());
    attendance_event(source, code, Some(period))
}

fn attendance_event(source: &mut Source<'_>, code: Option<&str>, class_period: Option<String>) -> Outcome<Output> {
    let node = source.node;
    let state_id = source.student()?;
    let Some(day) = node.attribute("Date").and_then(|text| text.parse().ok()) else {
        return source.refuse(node, "Date", "date.invalid", "The day is missing or is none, in the form YYYY-MM-DD.");
    };
    let Some((kind, status)) = code.and_then(|code| source.index.attendance(code)) else {
        let message =
            "No AttendanceCodeInfo of this delivery describes the code: whether the student was there is not said.";
        return source.refuse(node, "AttendanceCodeInfoRefId", "attendance_code.unresolved", message);
    };
    let mut fact = source.builder(Domain::Attendance, "event");
    set_whereabouts(&mut fact, &source.school(node.attribute("SchoolInfoRefId")));
    fact.school_year(source.school_year(node.attribute("SchoolYear"), Some(day))?);
    fact.valid(model::Period::day(day));
    fact.set("event_date", Value::Date(day));
    let filled = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty() && text != "NA");
    let category = filled(status).map_or_else(|| kind.to_owned(), |status| format!("{status} {kind}"));
    fact.set_some("attendance_event_category", text_value(filled(&category)));
    fact.set_some("class_period", text_value(class_period));
    let own = node.attribute("RefId").map(str::to_owned);
    let identity = own.unwrap_or_else(|| format!("{day} {}", node.attribute("SchoolInfoRefId").unwrap_or_default()));
    let fact = source.fact(&fact, Domain::Attendance, "event", &[&node.name, &identity])?;
    Ok(Output::Student { state_id, introduces: false, facts: vec![fact] })
}

impl Source<'_> {
    /// The school year an object states, by the calendar year it ends in, else that of a day.
    pub(super) fn school_year(
        &mut self,
        stated: Option<&str>,
        day: Option<chrono::NaiveDate>,
    ) -> Outcome<model::SchoolYear> {
        let stated = stated.and_then(|text| census_year(text.trim()));
        match stated.or_else(|| day.map(model::SchoolYear::containing)) {
            Some(year) => Ok(year),
            None => self.refuse(
                self.node,
                "SchoolYear",
                "school_year.invalid",
                "The school year is missing or is none: it is the calendar year it ends in, such as 2015.",
            ),
        }
    }
}
