//! Programs and students' participation in them, special education among them.

use domains::FactBuilder;
use model::{Domain, Fact, Period, SchoolYear, Value};

use super::{
    super::{
        fields::{Fields, Outcome, list_value, set_whereabouts, text_value, texts},
        index::{Entry, Kind, OrganizationKind, Program, key},
        node::Node,
    },
    Output, names_other_agency,
};

/// A program goes by its number, or by its name, its type and who offers it: versions refer to it in both ways.
pub(super) fn program(fields: &mut Fields<'_>) -> Outcome<Output> {
    let node = fields.node;
    let owner = fields.owner(node)?;
    let entry = Program {
        id: node.text_of("ProgramId"),
        kind: node.text_of("ProgramType"),
        sponsor: Some(texts(node, "ProgramSponsor").join("; ")).filter(|text| !text.is_empty()),
        services: services(node),
    };
    let by_name = node.value("ProgramName").map(|name| by_name(name, node.value("ProgramType"), owner));
    let entries: Vec<_> =
        [by_name, entry.id.clone()].into_iter().flatten().map(|key| (key, Entry::Program(entry.clone()))).collect();
    if entries.is_empty() {
        return fields.refuse(node, "ProgramName", "field.required", "The program has no number and no name.");
    }
    Ok(Output::Learned(entries))
}

fn by_name(name: &str, kind: Option<&str>, owner: &str) -> String {
    key(&[name, kind.unwrap_or_default(), owner])
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
    let exit = fields.date(node, "SpecialEducationExitDate").or_else(|| association.period.to());
    plan.set_some("exit_date", exit.map(Value::Date));
    plan.set_some("related_services", list_value(services(node)));
    set_disability(&mut plan, &disabilities(node, "Disability"));
    let plan = fields.fact(&plan, Domain::SpecialEducation, "association", &association.identity())?;
    Ok(Output::of(state_id, vec![participation, plan]))
}

/// Participation under section 504: the program, and the plan.
pub(super) fn student_section_504_program_association(fields: &mut Fields<'_>) -> Outcome<Output> {
    let node = fields.node;
    let state_id = fields.student(node)?;
    let association = Association::read(fields)?;
    let participation = participation(fields, &association)?;
    let mut plan = FactBuilder::new(Domain::SpecialEducation, "section_504", fields.line());
    association.place(fields, &mut plan);
    plan.set("plan_type", Value::Text("504".to_owned()));
    let eligible = fields.boolean(node, "Section504Eligibility");
    plan.set_some("section_504", eligible.map(Value::Boolean));
    set_disability(&mut plan, &texts(node, "Section504Disability").into_iter().map(str::to_owned).collect::<Vec<_>>());
    let decided = fields.date(node, "Section504EligibilityDecisionDate");
    plan.set_some("eligibility_date", decided.map(Value::Date));
    let met = fields.date(node, "Section504MeetingDate");
    plan.set_some("iep_review_date", met.map(Value::Date));
    plan.set_some("exit_date", association.period.to().map(Value::Date));
    let plan = fields.fact(&plan, Domain::SpecialEducation, "section_504", &association.identity())?;
    Ok(Output::of(state_id, vec![participation, plan]))
}

fn set_disability(plan: &mut FactBuilder, disabilities: &[String]) {
    plan.set_some("primary_disability", text_value((!disabilities.is_empty()).then(|| disabilities.join("; "))));
}

/// What all participations have in common.
struct Association<'a> {
    /// How the program is named: by its number, or by name and type.
    program: &'a Node,
    program_id: Option<&'a str>,
    /// Its number, else name, type and owner: its identity, and its name in the index.
    named: String,
    organization: Option<&'a str>,
    begin: String,
    period: Period,
}

impl<'a> Association<'a> {
    fn read(fields: &mut Fields<'a>) -> Outcome<Self> {
        let node = fields.node;
        let program = fields.reference(node, &["ProgramReference"])?;
        let is_named = |program: &&Node| program.value("ProgramId").or_else(|| program.value("ProgramName")).is_some();
        let Some(program) = program.filter(is_named) else {
            return fields.refuse(node, "ProgramReference", "field.required", "The record names no program.");
        };
        let owner = fields.owner(program)?;
        let organization = fields.organization(node, &["EducationOrganizationReference", "SchoolReference"])?;
        let begin = fields.required_date(node, "BeginDate")?;
        let end = fields.date(node, "EndDate");
        let period = fields.period(node, "EndDate", Some(begin), end);
        let program_id = program.value("ProgramId");
        let by_name = program.value("ProgramName").map(|name| by_name(name, program.value("ProgramType"), owner));
        let named = program_id.map(str::to_owned).or(by_name).unwrap_or_default();
        Ok(Self { program, program_id, named, organization, begin: begin.to_string(), period })
    }

    fn identity(&self) -> [&str; 3] {
        [&self.named, &self.begin, self.organization.unwrap_or_default()]
    }

    fn place(&self, fields: &mut Fields<'_>, fact: &mut FactBuilder) {
        if let Some(id) = self.organization {
            set_whereabouts(fact, &fields.whereabouts(id, OrganizationKind::Other));
        }
        if let Some(begin) = self.period.from() {
            fact.school_year(SchoolYear::containing(begin));
        }
        fact.valid(self.period);
    }
}

fn participation(fields: &mut Fields<'_>, association: &Association<'_>) -> Outcome<Fact> {
    let node = fields.node;
    let known = match fields.entry(Kind::Program, &association.named) {
        Some(Entry::Program(program)) => program.clone(),
        _ => Program::default(),
    };
    let name = association.program.value("ProgramName");
    let kind = association.program.text_of("ProgramType").or(known.kind);
    let own_kind = [Some(node.name.as_str()), name, kind.as_deref()];
    let is_guarded = own_kind.into_iter().flatten().any(names_other_agency);
    let mut fact = FactBuilder::new(Domain::Program, "participation", fields.line());
    association.place(fields, &mut fact);
    let id = association.program_id.map(str::to_owned).or(known.id);
    fact.set_some("program_id", text_value(id));
    if is_guarded {
        // The name tells as much as the type: both are kept under the guarded element.
        let both = [name, kind.as_deref()].into_iter().flatten().collect::<Vec<_>>().join("; ");
        fact.set("other_agency_program_type", Value::Text(both));
    } else {
        fact.set_some("program_name", text_value(name.map(str::to_owned)));
        fact.set_some("program_type", text_value(kind));
    }
    fact.set_some("program_sponsor", text_value(known.sponsor));
    fact.set_some("education_organization_id", text_value(association.organization.map(str::to_owned)));
    fact.set_some("begin_date", association.period.from().map(Value::Date));
    fact.set_some("end_date", association.period.to().map(Value::Date));
    if !is_guarded {
        fact.set_some("reason_exited", text_value(node.text_of("ReasonExited")));
        let mut held = services(node);
        if held.is_empty() {
            held = known.services;
        }
        held.retain(|service| !names_other_agency(service));
        fact.set_some("services", list_value(held));
    }
    fields.fact(&fact, Domain::Program, "participation", &association.identity())
}

fn services(node: &Node) -> Vec<String> {
    node.all("Service").flat_map(|service| texts(service, "Service")).map(str::to_owned).collect()
}

/// The disabilities of a record, the first in order of weight first.
pub(super) fn disabilities(node: &Node, name: &str) -> Vec<String> {
    let text = |entry: &Node| entry.text_of(name).or_else(|| Some(entry.text.clone()).filter(|text| !text.is_empty()));
    let mut entries: Vec<&Node> = node.all(name).collect();
    entries
        .sort_by_key(|entry| entry.value("OrderOfDisability").and_then(|order| order.parse().ok()).unwrap_or(u32::MAX));
    entries.into_iter().filter_map(text).collect()
}
