//! Incidents (what happened) and actions (what was done).

mod elements;

pub(crate) use elements::to_message;
use model::Domain;

use crate::{Definition, Kind};

/// The domain as data.
pub const DEFINITION: Definition = Definition {
    domain: Domain::Discipline,
    label: "Disciplinary Action",
    elements: elements::ELEMENTS,
    kinds: &[
        Kind { name: "offense", key: &["local_education_agency_id", "incident_identifier"] },
        Kind { name: "incident", key: &["school_id", "incident_identifier"] },
        Kind { name: "action", key: &["discipline_action_identifier", "discipline_date"] },
    ],
};

/// One row an action, joined with the incident it answers; an incident without action has a row of its own. A source that
/// reports both in one record (kind `offense`) is taken as it is.
pub(crate) fn fold(facts: &[&crate::StoredFact], organizations: &crate::Organizations) -> Vec<model::Row> {
    use model::Value;
    let of_kind = |kind: &str| facts.iter().copied().filter(|fact| fact.kind == kind).collect::<Vec<_>>();
    let mut rows = crate::fold::plain(&of_kind("offense"), organizations);
    let mut incidents = crate::fold::plain(&of_kind("incident"), organizations);
    let mut answered = vec![false; incidents.len()];
    for mut action in crate::fold::plain(&of_kind("action"), organizations) {
        let number = action.find_text("incident_identifier").map(str::to_owned);
        let found = incidents.iter().position(|incident| {
            number.is_some()
                && incident.find_text("incident_identifier") == number.as_deref()
                && !reported_apart(incident, &action)
        });
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
    let day =
        |row: &model::Row| row.find("incident_date").or_else(|| row.find("discipline_date")).and_then(Value::as_date);
    rows.sort_by(|a, b| (day(a), &a.source).cmp(&(day(b), &b.source)));
    rows
}

/// Whether two rows are reported by different districts: each district counts its own incidents.
fn reported_apart(one: &model::Row, other: &model::Row) -> bool {
    let lea = |row: &model::Row| row.find_text("local_education_agency_id").map(str::to_owned);
    matches!((lea(one), lea(other)), (Some(one), Some(other)) if one != other)
}
