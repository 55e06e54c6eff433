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

fn told(rows: &[model::Row]) -> Vec<Vec<&str>> {
    rows.iter().map(|row| row.values.values().filter_map(Value::as_text).collect()).collect()
}

#[test]
fn who_suffered_or_saw_an_incident_bears_nothing_of_the_offenders() {
    let row_of = |role: &str| {
        let fact = stored(
            "offense",
            "064",
            &[
                ("incident_identifier", "H-1"),
                ("student_participation_code", role),
                ("incident_type", "Fighting"),
                ("weapon", "Club"),
                ("substance", "Alcohol"),
                ("discipline_action", "Expulsion"),
                ("education_provided", "Homebound instruction"),
                ("discipline_action_2", "Out-of-School Suspension"),
                ("other_agency_action", "Referral to juvenile court"),
            ],
        );
        fold(Domain::Discipline, &[fact], &Organizations::default())
    };
    for role in ["Victim", "Witness", "Victim; Reporter"] {
        assert_eq!(told(&row_of(role)), [["H-1", "Fighting", "064", role]]);
    }
    for role in ["Offender", "Participant", "Perpetrator; Victim"] {
        assert_eq!(told(&row_of(role))[0].len(), 10, "{role}");
    }
}

#[test]
fn an_action_does_not_answer_an_incident_that_the_student_suffered() {
    let incident =
        |role: &str| stored("incident", "990", &[("incident_identifier", "7"), ("student_participation_code", role)]);
    let action = stored("action", "990", &[("incident_identifier", "7"), ("discipline_action", "Detention")]);
    let rows = |facts: &[StoredFact]| fold(Domain::Discipline, facts, &Organizations::default());
    assert_eq!(told(&rows(&[incident("Victim"), action.clone()])), [["7", "990", "Victim"]]);
    let both = rows(&[incident("Perpetrator"), action]);
    assert_eq!(told(&both), [["Detention", "7", "990", "Perpetrator"]]);
}
