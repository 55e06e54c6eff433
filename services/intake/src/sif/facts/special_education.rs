//! Plans, programs and services.

use model::{Domain, Value};

use super::{Outcome, Output, Source, list_value, set_whereabouts, text_value};
use crate::xml::Node;

/// The program type that stands for special education.
const SPECIAL_EDUCATION: &str = "0270";

pub(super) fn student_participation(source: &mut Source<'_>) -> Outcome<Output> {
    let node = source.node;
    let ref_id = source.ref_id()?;
    let state_id = source.student()?;
    let program = node.child("ProgramType");
    let is_special = program.and_then(|program| program.value("Code")) == Some(SPECIAL_EDUCATION)
        || node.child("ExceptionalityCategories").is_some();
    let facts = vec![if is_special { plan(source, ref_id)? } else { participation(source, ref_id)? }];
    Ok(Output::Student { state_id, introduces: false, facts })
}

fn plan(source: &mut Source<'_>, ref_id: &str) -> Outcome<model::Fact> {
    let node = source.node;
    let mut fact = source.builder(Domain::SpecialEducation, "association");
    let place = source.school(managing_school(node));
    set_whereabouts(&mut fact, &place);
    let is_iep = node.child("ProgramPlanType").and_then(|plan| plan.value("Code")).is_none_or(|code| code == "2196");
    fact.set("plan_type", Value::Text(if is_iep { "IEP" } else { "services plan" }.to_owned()));
    let (mut begin, mut exit) = (None, None);
    for (element, field) in [
        ("iep_begin_date", "ProgramPlanDate"),
        ("iep_review_date", "ProgramReviewDate"),
        ("last_evaluation_date", "EvaluationDate"),
        ("eligibility_date", "ProgramEligibilityDate"),
        ("exit_date", "ProgramExitDate"),
    ] {
        let day = source.date(node, field);
        match element {
            "iep_begin_date" => begin = day,
            "exit_date" => exit = day,
            _ => {}
        }
        fact.set_some(element, day.map(Value::Date));
    }
    fact.valid(source.period(node, begin, exit));
    let categories = node.child("ExceptionalityCategories").map(|list| list.children.as_slice()).unwrap_or_default();
    let is_primary = |category: &&Node| category.value("ExceptionalityPriority") == Some("Primary");
    let primary = categories.iter().find(is_primary).or_else(|| categories.first());
    if let Some(label) = source.label(primary, "disability") {
        fact.set("primary_disability", Value::Text(label.text));
    }
    let setting = node.child("LeastRestrictiveEnvironment").and_then(|setting| setting.text_of("Code"));
    fact.set_some("special_education_setting", text_value(setting));
    source.fact(&fact, Domain::SpecialEducation, "association", &["StudentParticipation", ref_id])
}

fn participation(source: &mut Source<'_>, ref_id: &str) -> Outcome<model::Fact> {
    let node = source.node;
    let Some(label) = source.label(node.child("ProgramType"), "program_type") else {
        return source.refuse(node, "ProgramType", "field.required", "The participation names no program.");
    };
    let mut fact = source.builder(Domain::Program, "participation");
    set_whereabouts(&mut fact, &source.school(managing_school(node)));
    let element = if label.names_other_agency { "other_agency_program_type" } else { "program_type" };
    fact.set(element, Value::Text(label.text));
    let begin = source.date(node, "ProgramPlacementDate");
    let end = source.date(node, "ProgramExitDate");
    fact.valid(source.period(node, begin, end));
    fact.set_some("begin_date", begin.map(Value::Date)).set_some("end_date", end.map(Value::Date));
    source.fact(&fact, Domain::Program, "participation", &["StudentParticipation", ref_id])
}

pub(super) fn student_placement(source: &mut Source<'_>) -> Outcome<Output> {
    let node = source.node;
    let ref_id = source.ref_id()?;
    let state_id = source.student()?;
    let Some(service) = source.label(node.child("Service"), "service") else {
        return source.refuse(node, "Service", "field.required", "The placement names no service.");
    };
    let (begin, end) = (source.date(node, "StartDate"), source.date(node, "EndDate"));
    let days = source.period(node, begin, end);
    let school = reference(node, "ServicingSchool");
    let fact = if service.names_other_agency {
        let mut fact = source.builder(Domain::Program, "participation");
        fact.valid(days).set("other_agency_program_type", Value::Text(service.text));
        source.fact(&fact, Domain::Program, "participation", &["StudentPlacement", ref_id])?
    } else {
        let mut fact = source.builder(Domain::SpecialEducation, "association");
        set_whereabouts(&mut fact, &source.school(school));
        fact.valid(days);
        fact.set_some("related_services", list_value(vec![service.text]));
        source.fact(&fact, Domain::SpecialEducation, "association", &["StudentPlacement", ref_id])?
    };
    Ok(Output::Student { state_id, introduces: false, facts: vec![fact] })
}

fn managing_school(node: &Node) -> Option<&str> {
    reference(node, "ManagingSchool")
}

fn reference<'n>(node: &'n Node, name: &str) -> Option<&'n str> {
    node.child(name).filter(|to| to.attribute("SIF_RefObject") == Some("SchoolInfo")).map(|to| to.text.as_str())
}
