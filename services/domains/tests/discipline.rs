//! Incidents and the actions that answer them.

#![expect(clippy::expect_used, reason = "a test that cannot go on says why")]

use domains::{FactBuilder, Organizations, StoredFact, fold};
use model::{BatchId, Domain, Lineage, SourcePersonId, Value};

fn stored(kind: &str, lea: &str, values: &[(&str, &str)]) -> StoredFact {
    let mut builder = FactBuilder::new(Domain::Discipline, kind, 1);
    builder.lea(lea);
    for (element, value) in values {
        builder.set(element, Value::Text((*value).to_owned()));
    }
    let fact = builder.build().expect("the values fit");
    StoredFact {
        source_person: SourcePersonId(1),
        sea: "la".into(),
        domain: fact.domain,
        kind: fact.kind,
        school_year: None,
        valid: fact.valid,
        lea: fact.lea,
        facility: None,
        certification: fact.certification,
        source: Lineage {
            batch: BatchId(1),
            file: "invented".into(),
            line: 1,
            recorded_on: None,
            reported_on: None,
            sea: "la".into(),
            person: Some(SourcePersonId(1)),
        },
        concealed: false,
        payload: fact.payload,
    }
}

#[test]
fn an_action_answers_an_incident_of_its_own_district_only() {
    let incident = stored("incident", "990", &[("incident_identifier", "7"), ("incident_type", "Violence")]);
    let types = |action_lea: &str| {
        let action = stored("action", action_lea, &[("incident_identifier", "7"), ("discipline_action", "Detention")]);
        let rows = fold(Domain::Discipline, &[incident.clone(), action], &Organizations::default());
        let text = |row: &model::Row, element: &str| row.find_text(element).map(str::to_owned);
        rows.iter().map(|row| (text(row, "incident_type"), text(row, "discipline_action"))).collect::<Vec<_>>()
    };
    let (violence, detention) = (Some("Violence".to_owned()), Some("Detention".to_owned()));
    assert_eq!(types("990"), [(violence.clone(), detention.clone())]);
    let mut apart = types("991");
    apart.sort();
    assert_eq!(apart, [(None, detention), (violence, None)]);
}
