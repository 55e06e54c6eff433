//! Incidents and the actions that answer them.

#![expect(clippy::expect_used, reason = "a test that cannot go on says why")]

use domains::{FactBuilder, Organizations, StoredFact, fold};
use model::{BatchId, Domain, Lineage, SchoolYear, SourcePersonId, Value};

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

#[test]
fn a_number_used_again_in_a_later_year_is_another_record() {
    for kind in ["offense", "incident", "action"] {
        let key = |year: i16, what: &str| {
            let mut builder = FactBuilder::new(Domain::Discipline, kind, 1);
            builder.lea("064").facility("0646311").school_year(SchoolYear(year));
            builder.set("incident_identifier", Value::Text("1".to_owned()));
            builder.set("incident_type", Value::Text(what.to_owned()));
            builder.build().expect("the values fit").natural_key
        };
        assert_eq!(key(2024, "Fighting"), key(2024, "Theft"), "a correction of the same year");
        assert_ne!(key(2024, "Fighting"), key(2025, "Fighting"), "{kind}");
    }
}

#[test]
fn an_action_answers_the_incident_of_its_year() {
    let of = |kind: &str, year: i16, element: &str, what: &str| {
        let mut fact = stored(kind, "990", &[("incident_identifier", "7"), (element, what)]);
        fact.school_year = Some(SchoolYear(year));
        fact
    };
    let incidents = [of("incident", 2023, "incident_type", "Theft"), of("incident", 2024, "incident_type", "Fighting")];
    let with_action = |year: i16| {
        let mut facts = incidents.to_vec();
        facts.push(of("action", year, "discipline_action", "Detention"));
        let rows = fold(Domain::Discipline, &facts, &Organizations::default());
        let found = rows.iter().find(|row| row.find("discipline_action").is_some()).expect("the action");
        found.find_text("incident_type").map(str::to_owned)
    };
    assert_eq!(with_action(2023).as_deref(), Some("Theft"));
    assert_eq!(with_action(2024).as_deref(), Some("Fighting"));
    assert_eq!(with_action(2025).as_deref(), Some("Fighting"), "an action may follow in the next year");
    assert_eq!(with_action(2026), None);
}
