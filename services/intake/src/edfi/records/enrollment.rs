//! Enrollments: a student at a school from a day on.

use domains::FactBuilder;
use model::{Domain, Value};

use super::{
    super::fields::{Fields, Outcome, set_whereabouts, text_value},
    Output, names_other_agency,
};

pub(super) fn student_school_association(fields: &mut Fields<'_>) -> Outcome<Output> {
    let node = fields.node;
    let state_id = fields.student(node)?;
    let Some(school) = fields.organization(node, &["SchoolReference"])? else {
        return fields.refuse(node, "SchoolReference", "field.required", "The enrollment names no school.");
    };
    let entry = fields.required_date(node, "EntryDate")?;
    let exit = fields.date(node, "ExitWithdrawDate");
    let mut fact = FactBuilder::new(Domain::Enrollment, "association", fields.line());
    set_whereabouts(&mut fact, &fields.school(Some(school)));
    fact.school_year(fields.school_year_of(node, "SchoolYear", entry));
    fact.valid(fields.period(node, "ExitWithdrawDate", Some(entry), exit));
    fact.set("entry_date", Value::Date(entry));
    fact.set_some("exit_withdraw_date", exit.map(Value::Date));
    let grade = node.text_of("EntryGradeLevel");
    fact.set_some("grade_level", text_value(grade));
    for (element, guarded, field) in [
        ("entry_type", "other_agency_entry_type", "EntryType"),
        ("exit_withdraw_type", "other_agency_exit_type", "ExitWithdrawType"),
    ] {
        if let Some(text) = node.text_of(field) {
            fact.set(if names_other_agency(&text) { guarded } else { element }, Value::Text(text));
        }
    }
    let repeats = fields.boolean(node, "RepeatGradeIndicator");
    fact.set_some("repeat_grade_indicator", repeats.map(Value::Boolean));
    let plan = node.child("GraduationPlanReference").and_then(|plan| plan.child("GraduationPlanIdentity"));
    fact.set_some(
        "graduation_plan_type",
        text_value(plan.and_then(|plan| plan.value("GraduationPlanType")).map(str::to_owned)),
    );
    let fact = fields.fact(&fact, Domain::Enrollment, "association", &[school, &entry.to_string()])?;
    Ok(Output::of(state_id, vec![fact]))
}
