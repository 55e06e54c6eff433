//! Programs and students' participation in them, special education among them.

use domains::FactBuilder;
use model::{Domain, Fact, Period, SchoolYear, Value};

use super::{
    super::{
        fields::{Fields, Outcome, descriptor, list_value, set_whereabouts, text_value},
        index::{Entry, Kind, OrganizationKind, Program},
        node::Node,
    },
    Output, names_other_agency,
};

pub(super) fn program(fields: &mut Fields<'_>) -> Outcome<Output> {
    let node = fields.node;
    let id = fields.required_text(node, "ProgramId")?;
    let program = Program {
        kind: node.text_of("ProgramType"),
        sponsor: node.text_of("ProgramSponsor"),
        services: services(node),
    };
    Ok(Output::Learned(id, Entry::Program(program)))
}

pub(super) fn student_program_association(fields: &mut Fields<'_>) -> Outcome<Output> {
    let state_id = fields.student(fields.node)?;
    let association = Association::read(fields)?;
    let fact = participation(fields, &association)?;
    Ok(Output::of(state_id, vec![fact]))
}

/// Participation in special education: the program, and the plan.
pub(super) fn student_special_education_program_association(fields: &mut Fields<'_>) -> Outcome<Output> {
    let node = fields.node;
    let state_id = fields.student(node)?;
    let association = Association::read(fields)?;
    let participation = participation(fields, &association)?;
    let mut plan = FactBuilder::new(Domain::SpecialEducation, "association", fields.line());
    association.place(fields, &mut plan);
    plan.set("plan_type", Value::Text("IEP".to_owned()));
    let setting = node.text_of("SpecialEducationSetting");
    plan.set_some("special_education_setting", text_value(setting));
    for (element, field) in
        [("special_education_hours", "SpecialEducationHoursPerWeek"), ("total_school_hours", "SchoolHoursPerWeek")]
    {
        let hours = fields.decimal(node, field);
        plan.set_some(element, hours.map(Value::Decimal));
    }
    let dates = [
        ("iep_begin_date", "IEPBeginDate"),
        ("iep_end_date", "IEPEndDate"),
        ("iep_review_date", "IEPReviewDate"),
        ("last_evaluation_date", "LastEvaluationDate"),
    ];
    for (element, field) in dates {
        let day = fields.date(node, field);
        plan.set_some(element, day.map(Value::Date));
    }
    plan.set_some("exit_date", node.value("EndDate").and_then(|_| association.period.to()).map(Value::Date));
    plan.set_some("related_services", list_value(services(node)));
    let plan = fields.fact(&plan, Domain::SpecialEducation, "association", &association.identity())?;
    Ok(Output::of(state_id, vec![participation, plan]))
}

/// What all participations have in common.
struct Association<'a> {
    program: &'a str,
    organization: Option<&'a str>,
    begin: String,
    period: Period,
}

impl<'a> Association<'a> {
    fn read(fields: &mut Fields<'a>) -> Outcome<Self> {
        let node = fields.node;
        let program = fields.reference(node, &["ProgramReference"])?.and_then(|program| program.value("ProgramId"));
        let Some(program) = program else {
            return fields.refuse(node, "ProgramReference", "field.required", "The record names no program.");
        };
        let organization = fields.organization(node, &["EducationOrganizationReference", "SchoolReference"])?;
        let begin = fields.required_date(node, "BeginDate")?;
        let end = fields.date(node, "EndDate");
        let period = fields.period(node, "EndDate", Some(begin), end);
        Ok(Self { program, organization, begin: begin.to_string(), period })
    }

    fn identity(&self) -> [&str; 3] {
        [self.program, &self.begin, self.organization.unwrap_or_default()]
    }

    fn place(&self, fields: &Fields<'_>, fact: &mut FactBuilder) {
        if let Some(id) = self.organization {
            set_whereabouts(fact, &fields.index.whereabouts(id, OrganizationKind::Other));
        }
        if let Some(begin) = self.period.from() {
            fact.school_year(SchoolYear::containing(begin));
        }
        fact.valid(self.period);
    }
}

fn participation(fields: &mut Fields<'_>, association: &Association<'_>) -> Outcome<Fact> {
    let node = fields.node;
    let mut fact = FactBuilder::new(Domain::Program, "participation", fields.line());
    association.place(fields, &mut fact);
    fact.set("program_id", Value::Text(association.program.to_owned()));
    fact.set_some("education_organization_id", text_value(association.organization.map(str::to_owned)));
    fact.set_some("begin_date", association.period.from().map(Value::Date));
    fact.set_some("end_date", association.period.to().map(Value::Date));
    let reason = node.text_of("ReasonExited");
    fact.set_some("reason_exited", text_value(reason));
    let mut held = services(node);
    if let Some(Entry::Program(program)) = fields.index.find(Kind::Program, association.program) {
        let is_guarded = program.kind.as_deref().is_some_and(names_other_agency);
        fact.set_some(
            if is_guarded { "other_agency_program_type" } else { "program_type" },
            text_value(program.kind.clone()),
        );
        fact.set_some("program_sponsor", text_value(program.sponsor.clone()));
        if held.is_empty() && !is_guarded {
            held.clone_from(&program.services);
        }
    }
    held.retain(|service| !names_other_agency(service));
    fact.set_some("services", list_value(held));
    fields.fact(&fact, Domain::Program, "participation", &association.identity())
}

fn services(node: &Node) -> Vec<String> {
    node.all("Services").filter_map(descriptor).map(str::to_owned).collect()
}
