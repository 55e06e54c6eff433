//! Incidents, who took part in them, and actions.
//!
//! What one child did is never told in another child's record: the reporter's name is not read at all, weapons and the
//! police report stay with those who are named as having done it, and an action belongs to the students it names.

use domains::FactBuilder;
use model::{Decimal, Domain, Fact, NaturalKey, Payload, Period, SchoolYear, Value};

use super::{
    super::{
        fields::{Fields, Outcome, Referents, set_whereabouts, text_value, texts},
        index::{Entry, Kind, key, reference},
        node::Node,
    },
    Output, Person, names_other_agency,
};
use crate::item::Severity;

/// The role of a student who did what the incident is about.
const OFFENDER: &str = "Perpetrator";

/// School years in which an incident may lie that is withdrawn.
const YEARS: std::ops::RangeInclusive<i16> = 1990..=2100;

/// Whether a fact is of those whose source numbers them anew each school year.
fn is_incident(fact: &Fact) -> bool {
    fact.domain == Domain::Discipline && fact.kind == "incident"
}

/// The natural key of a fact whatever its school year. The source's identity of an incident has no year, and its numbers are used again: the
/// school year takes the last two bytes of the key, so that what is known of the identity alone can still be found.
pub(in crate::edfi) fn key_of_any_year(fact: &Fact) -> NaturalKey {
    if is_incident(fact) { with_year(fact.natural_key, None) } else { fact.natural_key }
}

/// The fact in each school year in which it may have been stated, where a withdrawal cannot say in which.
pub(crate) fn in_any_year(fact: Fact) -> Vec<Fact> {
    if !is_incident(&fact) {
        return vec![fact];
    }
    let years = YEARS.map(|year| Some(SchoolYear(year))).chain([None]);
    years.map(|year| Fact { natural_key: with_year(fact.natural_key, year), ..fact.clone() }).collect()
}

/// The school year of the incident that one of these facts is about.
pub(in crate::edfi) fn year_of<'f>(mut facts: impl Iterator<Item = &'f Fact>) -> Option<SchoolYear> {
    facts.find(|fact| is_incident(fact)).and_then(|fact| fact.school_year)
}

fn with_year(mut key: NaturalKey, year: Option<SchoolYear>) -> NaturalKey {
    let [.., high, low] = &mut key.0;
    [*high, *low] = year.map_or(0, |year| year.0).to_be_bytes();
    key
}

/// The fact of an incident under the key of its school year.
fn incident_fact(fields: &mut Fields<'_>, builder: &FactBuilder, identity: &[&str]) -> Outcome<Fact> {
    let mut fact = fields.fact(builder, Domain::Discipline, "incident", identity)?;
    fact.natural_key = with_year(fact.natural_key, fact.school_year);
    Ok(fact)
}

/// The name under which an incident is described; with a school year the name of the incident of that year alone.
fn name(owner: &str, id: &str, year: Option<SchoolYear>) -> String {
    year.map_or_else(|| key(&[owner, id]), |year| key(&[owner, id, &year.to_string()]))
}

/// The school year of a described incident.
fn described_year(shared: &Payload) -> Option<SchoolYear> {
    shared.get("incident_date").and_then(Value::as_date).map(SchoolYear::containing)
}

pub(super) fn discipline_incident(fields: &mut Fields<'_>) -> Outcome<Output> {
    let node = fields.node;
    let id = fields.required_text(node, "IncidentIdentifier")?;
    let owner = fields.owner(node)?;
    let (mut shared, mut offender) = (Payload::new(), Payload::new());
    let set = |payload: &mut Payload, element: &str, value: Option<Value>| {
        payload.extend(value.map(|value| (element.to_owned(), value)));
    };
    set(&mut shared, "incident_date", fields.date(node, "IncidentDate").map(Value::Date));
    set(&mut shared, "incident_time", text_value(node.text_of("IncidentTime")));
    set(&mut shared, "incident_location", text_value(node.text_of("IncidentLocation")));
    let (first, rest) = behaviors(node);
    set(&mut shared, "incident_type", text_value(first));
    set(&mut shared, "incident_type_2", text_value(rest));
    let weapons = texts(node, "Weapon");
    set(&mut offender, "weapon", text_value((!weapons.is_empty()).then(|| weapons.join("; "))));
    set(
        &mut offender,
        "reported_to_law_enforcement",
        fields.boolean(node, "ReportedToLawEnforcement").map(Value::Boolean),
    );
    // The latest of the number, and that of its year: a later year's incident of the same number says nothing of it.
    let names = [Some(name(owner, &id, None)), described_year(&shared).map(|year| name(owner, &id, Some(year)))];
    let entry = Entry::Incident { shared, offender };
    Ok(Output::Learned(names.into_iter().flatten().map(|name| (name, entry.clone())).collect()))
}

/// What a student had to do with an incident.
pub(super) fn incident_participation(fields: &mut Fields<'_>) -> Outcome<Output> {
    let (state_id, owner, id, mut fact) = participation(fields)?;
    let node = fields.node;
    let (first, rest) = behaviors(node);
    fact.set_some("incident_type", text_value(first.clone()));
    if first.is_some() && rest.is_some() {
        fact.set_some("incident_type_2", text_value(rest));
    }
    let fact = incident_fact(fields, &fact, &[owner, id])?;
    Ok(Output::of(state_id, vec![fact]))
}

/// One thing that a student did in an incident: where the version has a record for each, each is a fact.
pub(super) fn incident_behavior(fields: &mut Fields<'_>) -> Outcome<Output> {
    let (state_id, owner, id, mut fact) = participation(fields)?;
    let node = fields.node;
    let behavior = fields.required_text(node, "Behavior")?;
    fact.set("incident_type", Value::Text(behavior.clone()));
    fact.set_some("incident_type_2", text_value(node.text_of("BehaviorDetailedDescription")));
    let fact = incident_fact(fields, &fact, &[owner, id, &behavior])?;
    Ok(Output::of(state_id, vec![fact]))
}

/// Student, school and number of the incident, and what the incident's own record says.
fn participation<'a>(fields: &mut Fields<'a>) -> Outcome<(String, &'a str, &'a str, FactBuilder)> {
    let node = fields.node;
    let state_id = fields.student(node)?;
    let (owner, id) = incident_of(fields, node)?;
    let roles = texts(node, "DisciplineIncidentParticipationCode");
    if roles.is_empty() && fields.referents != Referents::DoNotMatter {
        fields.note(
            node,
            "DisciplineIncidentParticipationCode",
            "field.required",
            Severity::Warning,
            "The record does not say whether the student did it, suffered it or saw \
                it; weapons and police reports are left out.",
        );
    }
    let mut fact = FactBuilder::new(Domain::Discipline, "incident", fields.line());
    set_whereabouts(&mut fact, &fields.school(Some(owner)));
    fact.set("incident_identifier", Value::Text(id.to_owned()));
    fact.set_some("student_participation_code", text_value((!roles.is_empty()).then(|| roles.join("; "))));
    let is_offender = roles.contains(&OFFENDER);
    let known_as = name(owner, id, fields.incident_year);
    match fields.entry(Kind::Incident, &known_as) {
        Some(Entry::Incident { shared, offender }) => {
            if let Some(year) = described_year(shared) {
                fields.rests_on.retain(|on| *on != reference(Kind::Incident, &known_as));
                fields.rests_on.push(reference(Kind::Incident, &name(owner, id, Some(year))));
            }
            for (element, value) in shared.iter().chain(offender.iter().filter(|_| is_offender)) {
                fact.set(element, value.clone());
            }
        }
        _ => fields.undescribed(
            node,
            "Nobody has described the incident. The record is kept, and loaded when the incident's own record comes.",
        )?,
    }
    let weapons = texts(node, "Weapon");
    if is_offender && !weapons.is_empty() {
        fact.set("weapon", Value::Text(weapons.join("; ")));
    }
    if let Some(day) = fact.find("incident_date").and_then(Value::as_date) {
        fact.valid(Period::day(day));
        fact.school_year(SchoolYear::containing(day));
    }
    Ok((state_id, owner, id, fact))
}

/// An action against one student or several: each has a fact that names nobody else.
pub(super) fn discipline_action(fields: &mut Fields<'_>) -> Outcome<Output> {
    let node = fields.node;
    let id = fields.required_text(node, "DisciplineActionIdentifier")?;
    let day = fields.required_date(node, "DisciplineDate")?;
    let mut students = Vec::new();
    for reference in node.all("StudentReference") {
        let student = fields.referent(reference)?.and_then(|identity| identity.value("StudentUniqueId"));
        let Some(student) = student else {
            return fields.refuse(
                reference,
                "StudentUniqueId",
                "student.no_state_id",
                "The action names a student without state identifier.",
            );
        };
        students.push(student.to_owned());
    }
    if students.is_empty() {
        return fields.refuse(node, "StudentReference", "student.no_state_id", "The action names no student.");
    }
    students.sort_unstable();
    students.dedup();
    let responsible = fields.organization(node, &["ResponsibilitySchoolReference"])?;
    let mut fact = FactBuilder::new(Domain::Discipline, "action", fields.line());
    set_whereabouts(&mut fact, &fields.school(responsible));
    fact.school_year(SchoolYear::containing(day));
    fact.valid(Period::day(day));
    fact.set("discipline_action_identifier", Value::Text(id.clone()));
    fact.set("discipline_date", Value::Date(day));
    set_sanctions(fields, &mut fact)?;
    let fact = fields.fact(&fact, Domain::Discipline, "action", &[&id, &day.to_string()])?;
    let person = |state_id: String| Person { state_id, introduces: false, facts: vec![fact.clone()] };
    Ok(Output::Persons(students.into_iter().map(person).collect()))
}

fn set_sanctions<'a>(fields: &mut Fields<'a>, fact: &mut FactBuilder) -> Outcome<()> {
    let node: &'a Node = fields.node;
    let (guarded, sanctions): (Vec<&str>, Vec<&str>) =
        texts(node, "Discipline").into_iter().partition(|text| names_other_agency(text));
    fact.set_some("other_agency_action", text_value((!guarded.is_empty()).then(|| guarded.join("; "))));
    let (first, rest) = split(&sanctions);
    fact.set_some("discipline_action", text_value(first));
    fact.set_some("discipline_action_2", text_value(rest));
    let length = fields.decimal(node, "DisciplineActionLength");
    fact.set_some("discipline_action_length", length.map(Value::Decimal));
    let served: Option<Decimal> = fields.decimal(node, "ActualDisciplineActionLength");
    fact.set_some("days_served", served.map(Value::Decimal));
    let reason = node.text_of("DisciplineActionLengthDifferenceReason");
    fact.set_some("discipline_action_length_difference_reason", text_value(reason));
    if let Some(school) = fields.organization(node, &["AssignmentSchoolReference"])? {
        fact.set("assignment_school_id", Value::Text(school.to_owned()));
    }
    if let Some(received) = fields.boolean(node, "ReceivedEducationServicesDuringExpulsion") {
        fact.set("education_provided", Value::Text(if received { "Yes" } else { "No" }.to_owned()));
    }
    let mut incidents: Vec<&str> = Vec::new();
    for reference in &node.children {
        // The action names incidents, or what students did in them.
        let incident = match reference.name.as_str() {
            "DisciplineIncidentReference" => fields.referent(reference)?,
            "StudentDisciplineIncidentBehaviorAssociationReference" => match fields.referent(reference)? {
                Some(association) => fields.reference(association, &["DisciplineIncidentReference"])?,
                None => None,
            },
            _ => None,
        };
        incidents.extend(incident.and_then(|incident| incident.value("IncidentIdentifier")));
    }
    incidents.dedup();
    if incidents.len() > 1 {
        fields.note(
            node,
            "DisciplineIncidentReference",
            "discipline.several_incidents",
            Severity::Warning,
            "The action answers several incidents; it is shown with the first.",
        );
    }
    fact.set_some("incident_identifier", text_value(incidents.first().map(|id| (*id).to_owned())));
    Ok(())
}

/// School and number of the incident that a participation belongs to.
fn incident_of<'a>(fields: &mut Fields<'a>, node: &'a Node) -> Outcome<(&'a str, &'a str)> {
    let incident = fields.reference(node, &["DisciplineIncidentReference"])?;
    let Some((incident, id)) = incident.and_then(|incident| Some((incident, incident.value("IncidentIdentifier")?)))
    else {
        return fields.refuse(node, "DisciplineIncidentReference", "field.required", "The record names no incident.");
    };
    Ok((fields.owner(incident)?, id))
}

fn behaviors(node: &Node) -> (Option<String>, Option<String>) {
    split(&node.all("Behavior").flat_map(|behavior| texts(behavior, "Behavior")).collect::<Vec<_>>())
}

/// The first, and the others in one text.
fn split(texts: &[&str]) -> (Option<String>, Option<String>) {
    let rest = texts.get(1..).unwrap_or_default();
    (texts.first().map(|text| (*text).to_owned()), (!rest.is_empty()).then(|| rest.join("; ")))
}
