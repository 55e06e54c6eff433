//! Incidents (what happened) and actions (what was done).

mod elements;

use std::collections::HashMap;

pub(crate) use elements::to_message;
use model::{Domain, Row, SchoolYear, Value};

use crate::{Definition, Kind, StoredFact};

/// The domain as data.
pub const DEFINITION: Definition = Definition {
    domain: Domain::Discipline,
    label: "Disciplinary Action",
    elements: elements::ELEMENTS,
    kinds: &[
        // Numbers are used again in later years.
        Kind { name: "offense", key: &["local_education_agency_id", "incident_identifier", "school_year"] },
        Kind { name: "incident", key: &["school_id", "incident_identifier", "school_year"] },
        Kind { name: "action", key: &["discipline_action_identifier", "discipline_date", "school_year"] },
    ],
};

/// The roles of one who answers for an incident, in the words of all sources.
const RESPONSIBLE: [&str; 3] = ["Offender", "Participant", "Perpetrator"];

/// What the record of a victim or witness tells: that there was an incident, and the student's own part in it. Everything else is about
/// another child.
const OF_THE_INCIDENT: [&str; 12] = [
    "school_year",
    "incident_identifier",
    "state_incident_number",
    "incident_date",
    "incident_time",
    "incident_location",
    "local_education_agency_id",
    "school_id",
    "student_participation_code",
    "incident_type",
    "incident_type_2",
    "bullying",
];

/// What only an action has.
const OF_THE_ACTION: [&str; 4] =
    ["discipline_action_identifier", "discipline_date", "discipline_action", "discipline_action_2"];

/// Whether a role is that of a victim, a witness, or anybody else who does not answer for the incident.
fn is_bystander(role: &str) -> bool {
    let mut roles = role.split(';').map(str::trim).filter(|role| !role.is_empty()).peekable();
    roles.peek().is_some() && !roles.any(|role| RESPONSIBLE.contains(&role))
}

/// Whether the student of a row answers for the incident. Where the role is not told, a row without action says no such thing.
pub fn is_answered_for(row: &Row) -> bool {
    row.find_text("student_participation_code")
        .map_or_else(|| OF_THE_ACTION.iter().any(|element| row.find(element).is_some()), |role| !is_bystander(role))
}

/// Takes out of facts what is another child's: all but the incident where the student suffered or saw it, and actions that answer it.
/// Called while the roles are still known: an agreement may withhold them.
pub fn keep_own(facts: &mut Vec<StoredFact>) {
    let is_of_bystander = |fact: &StoredFact| {
        fact.domain == Domain::Discipline && fact.find_text("student_participation_code").is_some_and(is_bystander)
    };
    if !facts.iter().any(is_of_bystander) {
        return;
    }
    for fact in facts.iter_mut().filter(|fact| is_of_bystander(fact)) {
        fact.payload.retain(|name, _| OF_THE_INCIDENT.contains(&name.as_str()));
    }
    let mut incidents: HashMap<String, Vec<Incident>> = HashMap::new();
    for fact in facts.iter().filter(|fact| fact.domain == Domain::Discipline && fact.kind == "incident") {
        if let Some(number) = fact.find_text("incident_identifier") {
            incidents.entry(number.to_owned()).or_default().push(Incident {
                is_own: !is_of_bystander(fact),
                school_year: fact.school_year,
                lea: fact.lea.clone(),
            });
        }
    }
    facts.retain(|fact| {
        if fact.domain != Domain::Discipline || fact.kind != "action" {
            return true;
        }
        let same_number = fact.find_text("incident_identifier").and_then(|number| incidents.get(number));
        let answered = |own: bool| {
            same_number.into_iter().flatten().any(|incident| {
                incident.is_own == own
                    && distance(incident.school_year, fact.school_year).is_some()
                    && !reported_apart(incident.lea.as_deref(), fact.lea.as_deref())
            })
        };
        answered(true) || !answered(false)
    });
}

/// What tells of an incident whether an action answers it, its number apart.
struct Incident {
    /// Whether the student answers for it.
    is_own: bool,
    school_year: Option<SchoolYear>,
    lea: Option<String>,
}

/// One row an action, joined with the incident it answers; an incident without action has a row of its own. A source that
/// reports both in one record (kind `offense`) is taken as it is. Of a victim or witness there is the incident alone.
pub(crate) fn fold(facts: &[&StoredFact], organizations: &crate::Organizations) -> Vec<Row> {
    let mut own: Vec<StoredFact> = facts.iter().copied().cloned().collect();
    keep_own(&mut own);
    let of_kind = |kind: &str| own.iter().filter(|fact| fact.kind == kind).collect::<Vec<_>>();
    let mut rows = crate::fold::plain(&of_kind("offense"), organizations);
    let mut incidents = crate::fold::plain(&of_kind("incident"), organizations);
    let mut by_number: HashMap<String, Vec<usize>> = HashMap::new();
    for (index, incident) in incidents.iter().enumerate() {
        if let Some(number) = incident.find_text("incident_identifier") {
            by_number.entry(number.to_owned()).or_default().push(index);
        }
    }
    let mut answered = vec![false; incidents.len()];
    for mut action in crate::fold::plain(&of_kind("action"), organizations) {
        let same_number = action.find_text("incident_identifier").and_then(|number| by_number.get(number));
        let nearest = same_number.into_iter().flatten().filter_map(|&index| {
            let incident: &Row = incidents.get(index)?;
            let is_apart = reported_apart(
                incident.find_text("local_education_agency_id"),
                action.find_text("local_education_agency_id"),
            );
            let years = distance(incident.school_year, action.school_year).filter(|_| !is_apart)?;
            Some((years, index))
        });
        let found = nearest.min().map(|(_, index)| index);
        if let Some(index) = found {
            if let Some(flag) = answered.get_mut(index) {
                *flag = true;
            }
            if let Some(incident) = incidents.get(index) {
                for (name, value) in &incident.values {
                    action.values.entry(name).or_insert_with(|| value.clone());
                }
            }
        }
        rows.push(action);
    }
    let mut keep = answered.iter().map(|answered| !answered);
    incidents.retain(|_| keep.next().unwrap_or(true));
    rows.extend(incidents);
    let day = |row: &Row| row.find("incident_date").or_else(|| row.find("discipline_date")).and_then(Value::as_date);
    rows.sort_by(|a, b| (day(a), &a.source).cmp(&(day(b), &b.source)));
    rows
}

/// Whether two records are reported by different districts: each district counts its own incidents.
fn reported_apart(one: Option<&str>, other: Option<&str>) -> bool {
    matches!((one, other), (Some(one), Some(other)) if one != other)
}

/// The school years from an incident to its action: none or one, since an action may follow in the next year. A year that nobody told is
/// any year, and comes last.
fn distance(incident: Option<SchoolYear>, action: Option<SchoolYear>) -> Option<i16> {
    match (incident, action) {
        (Some(incident), Some(action)) => {
            Some(action.0.saturating_sub(incident.0)).filter(|years| (0..=1).contains(years))
        }
        _ => Some(i16::MAX),
    }
}
