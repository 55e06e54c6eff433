//! The academic record that one school sends to the next: enrollments, courses and tests of several years.

use std::collections::HashMap;

use chrono::NaiveDate;
use model::{Domain, Fact, SchoolYear, Value};

use super::{Outcome, Output, Source, set_whereabouts, text_value};
use crate::{
    Severity,
    sif::index::{Whereabouts, organization_code},
    xml::Node,
};

/// Parts of the record that the exchange keeps nothing of.
const NOT_KEPT: [&str; 4] = [
    "AcademicPerformanceHistory",
    "AcademicPerformanceSummary",
    "AdditionalGraduationRequirementPerformanceHistory",
    "ActivityAwardHistory",
];

pub(super) fn student_academic_record(source: &mut Source<'_>) -> Outcome<Output> {
    let node = source.node;
    let ref_id = source.ref_id()?;
    let exchange =
        node.attribute("SIF_RefId").filter(|_| node.attribute("SIF_RefObject") == Some("StudentRecordExchange"));
    let Some(state_id) = exchange.and_then(|exchange| source.index.exchange(exchange)).map(str::to_owned) else {
        let message = "No StudentRecordExchange with a state identifier of this delivery has this RefId: send it together with the record.";
        return source.refuse(node, "SIF_RefId", "student.unresolved", message);
    };
    let schools = schools(node);
    let mut facts = Vec::new();
    enrollments(source, ref_id, &schools, &mut facts)?;
    courses(source, ref_id, &schools, &mut facts)?;
    assessments(source, ref_id, &mut facts)?;
    for part in NOT_KEPT.iter().filter_map(|name| node.child(name)) {
        let message = "This part of the record holds nothing the exchange keeps.";
        source.note(part, &part.name, "record.passed", Severity::Information, message);
    }
    Ok(Output::Student { state_id, introduces: false, facts })
}

type Schools<'n> = HashMap<&'n str, Whereabouts>;

fn entries<'n>(node: &'n Node, list: &str, entry: &'n str) -> impl Iterator<Item = &'n Node> {
    node.child(list).into_iter().flat_map(move |list| list.all(entry))
}

fn schools(node: &Node) -> Schools<'_> {
    entries(node, "SchoolAttendanceHistory", "SchoolAttended")
        .filter_map(|school| {
            let code = school.child("SchoolInfoData").and_then(organization_code);
            let lea = school.child("LEAInfoData").and_then(organization_code);
            Some((school.attribute("RefId")?, Whereabouts { lea, facility: code }))
        })
        .collect()
}

fn place(at: &Node, schools: &Schools<'_>) -> Whereabouts {
    at.attribute("SchoolAttendedRefId").and_then(|ref_id| schools.get(ref_id)).cloned().unwrap_or_default()
}

fn year(source: &mut Source<'_>, at: &Node, day: Option<NaiveDate>) -> Outcome<SchoolYear> {
    source.school_year(at.value("SchoolYear"), day)
}

fn enrollments<'a>(source: &mut Source<'a>, ref_id: &str, schools: &Schools<'a>, facts: &mut Vec<Fact>) -> Outcome<()> {
    for (number, stay) in entries(source.node, "EnrollmentHistory", "StudentSchoolEnrollmentData").enumerate() {
        let (entry, exit) = (source.date(stay, "EntryDate"), source.date(stay, "ExitDate"));
        let mut fact = source.builder(Domain::Enrollment, "association");
        set_whereabouts(&mut fact, &place(stay, schools));
        fact.school_year(year(source, stay, entry)?);
        fact.valid(source.period(stay, entry, exit));
        fact.set_some("entry_date", entry.map(Value::Date)).set_some("exit_withdraw_date", exit.map(Value::Date));
        let grade = stay.child("GradeLevel").and_then(|grade| grade.text_of("Code"));
        fact.set_some("grade_level", text_value(grade));
        let key = entry.map_or_else(|| number.to_string(), |entry| entry.to_string());
        let school = stay.attribute("SchoolAttendedRefId").unwrap_or_default();
        facts.push(source.fact(&fact, Domain::Enrollment, "association", &["record", ref_id, school, &key])?);
    }
    Ok(())
}

fn courses<'a>(source: &mut Source<'a>, ref_id: &str, schools: &Schools<'a>, facts: &mut Vec<Fact>) -> Outcome<()> {
    for term in entries(source.node, "CourseHistory", "Term") {
        let Some(about) = term.child("TermInfoData") else {
            source.note(term, "TermInfoData", "field.required", Severity::Warning, "A term says nothing of itself.");
            continue;
        };
        let term_begin = source.date(about, "StartDate");
        for course in entries(term, "Courses", "Course") {
            let begin = source.date(course, "StartDate").or(term_begin);
            let end = source.date(course, "EndDate");
            let mut fact = source.builder(Domain::Course, "transcript");
            set_whereabouts(&mut fact, &place(about, schools));
            fact.school_year(year(source, about, begin)?);
            fact.valid(source.period(course, begin, end));
            fact.set_some("session_begin_date", begin.map(Value::Date));
            fact.set_some("session_end_date", end.map(Value::Date));
            let data = course.child("SchoolCourseInfoData");
            let text = |name: &str| data.and_then(|data| data.text_of(name));
            let code = text("CourseCode").unwrap_or_default();
            fact.set_some("local_course_code", text_value(text("CourseCode")));
            fact.set_some("course_title", text_value(text("CourseTitle")));
            if let Some(mark) = entries(course, "MarkingPeriods", "MarkingPeriod").last() {
                set_mark(source, mark, &mut fact);
            }
            let day = begin.map(|day| day.to_string()).unwrap_or_default();
            facts.push(source.fact(&fact, Domain::Course, "transcript", &["record", ref_id, &code, &day])?);
        }
    }
    Ok(())
}

/// What the last marking period says: the mark, the credits.
fn set_mark(source: &mut Source<'_>, mark: &Node, fact: &mut domains::FactBuilder) {
    let grade = mark.child("GradeLevelWhenTaken").and_then(|grade| grade.text_of("Code"));
    fact.set_some("grade_level", text_value(grade));
    let data = mark.child("MarkData");
    fact.set_some("outcome", text_value(data.and_then(|data| data.text_of("Letter"))));
    let number = data.and_then(|data| data.text_of("Percentage").or_else(|| data.text_of("Numeric")));
    fact.set_some("numeric_grade", text_value(number));
    for (element, field) in [("credits_attempted", "CourseCreditsAttempted"), ("credits_earned", "CourseCreditsEarned")]
    {
        match mark.value(field).map(str::parse) {
            Some(Ok(credits)) => {
                fact.set(element, Value::Decimal(credits));
            }
            Some(Err(_)) => {
                let at = mark.child(field).unwrap_or(mark);
                source.note(at, field, "number.invalid", Severity::Error, "This is no number of credits.");
            }
            None => {}
        }
    }
}

fn assessments(source: &mut Source<'_>, ref_id: &str, facts: &mut Vec<Fact>) -> Outcome<()> {
    for test in entries(source.node, "AssessmentPerformanceHistory", "Assessment") {
        let Some(name) = test.text_of("Name") else {
            source.note(test, "Name", "field.required", Severity::Error, "A test has no name.");
            continue;
        };
        let day = source.date(test, "AdministrationDate");
        let mut fact = source.builder(Domain::Assessment, "result");
        let stated = test.value("AdministrationDate").unwrap_or_default();
        let in_month = day.or_else(|| format!("{}-01", stated.get(..7)?).parse().ok());
        if let Some(day) = in_month {
            fact.school_year(SchoolYear::containing(day));
        }
        if let Some(day) = day {
            fact.valid(model::Period::day(day)).set("administration_date", Value::Date(day));
        }
        let subject = test.text_of("SubtestCategory").unwrap_or_default();
        fact.set("assessment_family", Value::Text(name.clone())).set("assessment_title", Value::Text(name.clone()));
        fact.set_some("academic_subject", text_value(test.text_of("SubtestCategory")));
        fact.set_some("performance_level", text_value(test.text_of("Level")));
        match test.value("TestScore").map(str::parse) {
            Some(Ok(score)) => {
                fact.set("scale_score", Value::Decimal(score));
            }
            Some(Err(_)) => {
                fact.set_some("raw_score", text_value(test.text_of("TestScore")));
            }
            None => {}
        }
        let grade = test.child("StudentGradeLevelWhenAssessed").and_then(|grade| grade.text_of("Code"));
        fact.set_some("grade_level", text_value(grade));
        facts.push(source.fact(&fact, Domain::Assessment, "result", &["record", ref_id, &name, &subject, stated])?);
    }
    Ok(())
}
