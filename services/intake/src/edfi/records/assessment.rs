//! Tests, their families, and students' results.

use domains::FactBuilder;
use model::{Decimal, Domain, SchoolYear, Value};

use super::{
    super::{
        fields::{Fields, Outcome, list_value, text_value, texts},
        index::{Assessment, Entry, Kind, key},
        node::Node,
    },
    Output,
};
use crate::item::Severity;

/// What tells two tests apart: an identifier of its own, in versions that have one, else title, subject and grade. References do not
/// always repeat the version of a test, so it is no part of it.
fn identity(node: &Node) -> String {
    match node.value("AssessmentIdentifier") {
        Some(identifier) => key(&[identifier, node.value("Namespace").unwrap_or_default()]),
        None => key(&["AssessmentTitle", "AcademicSubject", "AssessedGradeLevel"]
            .map(|name| node.value(name).unwrap_or_default())),
    }
}

pub(super) fn assessment(fields: &mut Fields<'_>) -> Outcome<Output> {
    let node = fields.node;
    let title = match node.text_of("AssessmentTitle") {
        Some(title) => title,
        None => fields.required_text(node, "AssessmentIdentifier")?,
    };
    let family = fields.reference(node, &["AssessmentFamilyReference"])?;
    let family =
        family.and_then(|family| family.value("AssessmentFamilyTitle")).or_else(|| node.value("AssessmentFamily"));
    let entry = Assessment {
        title: Some(title),
        family: family.map(str::to_owned),
        subject: node.text_of("AcademicSubject"),
        grade: node.text_of("AssessedGradeLevel"),
    };
    Ok(Output::Learned(vec![(identity(node), Entry::Assessment(entry))]))
}

pub(super) fn assessment_family(fields: &mut Fields<'_>) -> Outcome<Output> {
    let node = fields.node;
    let title = fields.required_text(node, "AssessmentFamilyTitle")?;
    let outer = fields.reference(node, &["ParentAssessmentFamilyReference"])?;
    let outer = outer.and_then(|family| family.value("AssessmentFamilyTitle")).map(str::to_owned);
    Ok(Output::Learned(vec![(title, Entry::Family(outer))]))
}

pub(super) fn student_assessment(fields: &mut Fields<'_>) -> Outcome<Output> {
    let node = fields.node;
    let state_id = fields.student(node)?;
    let day = fields.required_day(node, "AdministrationDate")?;
    let last_day = node.value("AdministrationEndDate").map(|_| fields.required_day(node, "AdministrationEndDate"));
    let last_day = last_day.transpose()?;
    let test = fields.reference(node, &["AssessmentReference"])?;
    let is_named =
        |test: &&Node| test.value("AssessmentTitle").or_else(|| test.value("AssessmentIdentifier")).is_some();
    let Some(test) = test.filter(is_named) else {
        return fields.refuse(node, "AssessmentReference", "field.required", "The result names no test.");
    };
    let known = match fields.entry(Kind::Assessment, &identity(test)) {
        Some(Entry::Assessment(known)) => known.clone(),
        _ => Assessment::default(),
    };
    let title = test.text_of("AssessmentTitle").or(known.title).or_else(|| test.text_of("AssessmentIdentifier"));
    let mut fact = FactBuilder::new(Domain::Assessment, "result", fields.line());
    fact.school_year(match node.value("SchoolYear") {
        Some(_) => fields.school_year(node, "SchoolYear").unwrap_or_else(|| SchoolYear::containing(day)),
        None => SchoolYear::containing(day),
    });
    fact.valid(fields.period(node, "AdministrationEndDate", Some(day), last_day.or(Some(day))));
    fact.set("administration_date", Value::Date(day));
    fact.set_some("assessment_title", text_value(title));
    let family = known.family.map(|family| fields.index.outermost_family(&family).to_owned());
    fact.set_some("assessment_family", text_value(family));
    fact.set_some("academic_subject", text_value(test.text_of("AcademicSubject").or(known.subject)));
    let grade = node.text_of("WhenAssessedGradeLevel").or_else(|| test.text_of("AssessedGradeLevel")).or(known.grade);
    fact.set_some("grade_level", text_value(grade));
    fact.set_some("reason_not_tested", text_value(node.text_of("ReasonNotTested")));
    fact.set_some("attempt", node.value("RetestIndicator").and_then(attempt).map(Value::Integer));
    set_scores(fields, &mut fact);
    set_levels(fields, &mut fact);
    let accommodations = texts(node, "Accommodation").into_iter().map(str::to_owned).collect();
    fact.set_some("accommodations", list_value(accommodations));
    let of = |name: &str| test.value(name).unwrap_or_default();
    let day = day.to_string();
    let by_title = [of("AssessmentTitle"), of("AcademicSubject"), of("AssessedGradeLevel"), of("Version"), &day];
    let by_number =
        node.value("StudentAssessmentIdentifier").map(|number| [of("AssessmentIdentifier"), of("Namespace"), number]);
    let identity = by_number.as_ref().map_or(by_title.as_slice(), |identity| identity.as_slice());
    let fact = fields.fact(&fact, Domain::Assessment, "result", identity)?;
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
    for score in fields.node.all("ScoreResult") {
        let Some(result) = score.value("Result") else { continue };
        let method = score.value("AssessmentReportingMethod").unwrap_or("Score");
        match method {
            "Scale score" | "Scale Score" if fact.find("scale_score").is_none() => match result.parse::<Decimal>() {
                Ok(number) => {
                    fact.set("scale_score", Value::Decimal(number));
                    continue;
                }
                Err(_) => fields.note(
                    score,
                    "ScoreResult",
                    "number.invalid",
                    Severity::Warning,
                    "The scale score is no number; it is kept as text among the other scores.",
                ),
            },
            "Raw score" | "Raw Score" if fact.find("raw_score").is_none() => {
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
    // The level itself, or the element around it where the version writes it as a descriptor.
    let level = |level: &'_ Node| level.text_of("PerformanceLevel").or_else(|| Some(level.text.clone()));
    let levels: Vec<String> = node.all("PerformanceLevel").filter_map(level).filter(|text| !text.is_empty()).collect();
    fact.set_some("performance_level", text_value((!levels.is_empty()).then(|| levels.join("; "))));
    let met = node.all("PerformanceLevel").find(|level| level.value("PerformanceLevelMet").is_some());
    let met = met.and_then(|level| fields.boolean(level, "PerformanceLevelMet"));
    fact.set_some("performance_level_met", met.map(Value::Boolean));
}
