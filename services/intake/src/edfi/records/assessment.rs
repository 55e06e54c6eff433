//! Tests, their families, and students' results.

use domains::FactBuilder;
use model::{Decimal, Domain, SchoolYear, Value};

use super::{
    super::{
        fields::{Fields, Outcome, descriptor, list_value, text_value},
        index::{Entry, key},
        node::Node,
    },
    Output,
};
use crate::item::Severity;

/// What tells two tests apart.
fn identity(node: &Node) -> [&str; 4] {
    ["AssessmentTitle", "AcademicSubject", "GradeLevelAssessed", "Version"]
        .map(|name| node.value(name).unwrap_or_default())
}

/// A test. References do not always repeat its version, so it is remembered without.
pub(super) fn assessment(fields: &mut Fields<'_>) -> Outcome<Output> {
    let node = fields.node;
    fields.required_text(node, "AssessmentTitle")?;
    let family = fields.reference(node, &["AssessmentFamilyReference"])?;
    let family = family.and_then(|family| family.value("AssessmentFamilyTitle")).map(str::to_owned);
    let [title, subject, grade, _] = identity(node);
    Ok(Output::Learned(key(&[title, subject, grade]), Entry::Assessment(family)))
}

pub(super) fn assessment_family(fields: &mut Fields<'_>) -> Outcome<Output> {
    let node = fields.node;
    let title = fields.required_text(node, "AssessmentFamilyTitle")?;
    let outer = fields.reference(node, &["AssessmentFamilyReference"])?;
    let outer = outer.and_then(|family| family.value("AssessmentFamilyTitle")).map(str::to_owned);
    Ok(Output::Learned(title, Entry::Family(outer)))
}

pub(super) fn student_assessment(fields: &mut Fields<'_>) -> Outcome<Output> {
    let node = fields.node;
    let state_id = fields.student(node)?;
    let day = fields.required_date(node, "AdministrationDate")?;
    let last_day = fields.date(node, "AdministrationEndDate");
    let test = fields.reference(node, &["AssessmentReference"])?;
    let Some(test) = test.filter(|test| test.value("AssessmentTitle").is_some()) else {
        return fields.refuse(node, "AssessmentReference", "field.required", "The result names no test.");
    };
    let [title, subject, grade, version] = identity(test);
    let mut fact = FactBuilder::new(Domain::Assessment, "result", fields.line());
    fact.school_year(SchoolYear::containing(day));
    fact.valid(fields.period(node, "AdministrationEndDate", Some(day), last_day.or(Some(day))));
    fact.set("administration_date", Value::Date(day));
    fact.set("assessment_title", Value::Text(title.to_owned()));
    let family = fields.index.assessment_family(&key(&[title, subject, grade]));
    fact.set_some("assessment_family", text_value(family.map(str::to_owned)));
    fact.set_some("academic_subject", text_value(Some(subject.to_owned()).filter(|text| !text.is_empty())));
    let grade_level =
        node.text_of("GradeLevelWhenAssessed").or_else(|| Some(grade.to_owned()).filter(|text| !text.is_empty()));
    fact.set_some("grade_level", text_value(grade_level));
    let reason = node.text_of("ReasonNotTested");
    fact.set_some("reason_not_tested", text_value(reason));
    fact.set_some("attempt", node.value("RetestIndicator").and_then(attempt).map(Value::Integer));
    set_scores(fields, &mut fact);
    set_levels(fields, &mut fact);
    let accommodations =
        [("SpecialAccommodations", "SpecialAccommodation"), ("LinguisticAccommodations", "LinguisticAccommodation")];
    let accommodations =
        accommodations.iter().flat_map(|(list, entry)| node.all(list).flat_map(|list| list.all(entry)));
    fact.set_some("accommodations", list_value(accommodations.filter_map(descriptor).map(str::to_owned).collect()));
    let fact = fields.fact(&fact, Domain::Assessment, "result", &[title, subject, grade, version, &day.to_string()])?;
    Ok(Output::of(state_id, vec![fact]))
}

/// The first attempt is the primary administration.
fn attempt(retest: &str) -> Option<i64> {
    match retest {
        "Primary Administration" => Some(1),
        "1st Retest" | "First Retest" => Some(2),
        "2nd Retest" | "Second Retest" => Some(3),
        _ => None,
    }
}

/// The scale score and the raw score under their own names, every other score with its method.
fn set_scores(fields: &mut Fields<'_>, fact: &mut FactBuilder) {
    let mut others = Vec::new();
    for score in fields.node.all("ScoreResults") {
        let Some(result) = score.value("Result") else { continue };
        let method = score
            .attribute("AssessmentReportingMethod")
            .or_else(|| score.value("AssessmentReportingMethod"))
            .unwrap_or("Score");
        match method {
            "Scale score" if fact.find("scale_score").is_none() => match result.parse::<Decimal>() {
                Ok(number) => {
                    fact.set("scale_score", Value::Decimal(number));
                    continue;
                }
                Err(_) => fields.note(
                    score,
                    "ScoreResults",
                    "number.invalid",
                    Severity::Warning,
                    "The scale score is no number; it is kept as text among the other scores.",
                ),
            },
            "Raw score" if fact.find("raw_score").is_none() => {
                fact.set("raw_score", Value::Text(result.to_owned()));
                continue;
            }
            _ => {}
        }
        others.push(format!("{method}: {result}"));
    }
    fact.set_some("score_results", list_value(others));
}

fn set_levels(fields: &mut Fields<'_>, fact: &mut FactBuilder) {
    let node = fields.node;
    let levels: Vec<&str> = node.all("PerformanceLevels").filter_map(descriptor).collect();
    fact.set_some("performance_level", text_value((!levels.is_empty()).then(|| levels.join("; "))));
    let met = node.all("PerformanceLevels").find(|level| level.value("PerformanceLevelMet").is_some());
    let met = met.and_then(|level| fields.boolean(level, "PerformanceLevelMet"));
    fact.set_some("performance_level_met", met.map(Value::Boolean));
}
