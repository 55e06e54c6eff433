//! Students: who they are.

use domains::FactBuilder;
use model::{Domain, Value};

use super::{Address, Outcome, Output, Source, full_name, list_value, mails, phones, text_value};
use crate::{Severity, sif::census::Person, xml::Node};

pub(super) fn student_personal(source: &mut Source<'_>) -> Outcome<Output> {
    let node = source.node;
    let mut facts = vec![person(source, node, "Demographics")?];
    if matches!(node.value("Section504"), Some("Yes" | "true")) {
        let mut plan = source.builder(Domain::SpecialEducation, "association");
        plan.set("plan_type", Value::Text("504".to_owned())).set("section_504", Value::Boolean(true));
        facts.push(source.fact(&plan, Domain::SpecialEducation, "association", &["StudentPersonal", "504"])?);
    }
    let state_id = node.text_of("StateProvinceId").unwrap_or_default();
    Ok(Output::Student { state_id, introduces: true, facts })
}

pub(super) fn student_demographic_record(source: &mut Source<'_>) -> Outcome<Output> {
    let node = source.node;
    let Some(student) = node.child("StudentPersonalData") else {
        return source.refuse(node, "StudentPersonalData", "field.required", "The record names no student.");
    };
    let mut facts = vec![person(source, student, "DemographicsData")?];
    let state_id = student.text_of("StateProvinceId").unwrap_or_default();
    for guardian in node.child("StudentContactsSummary").map(|list| list.children.as_slice()).unwrap_or_default() {
        let mut contact = source.builder(Domain::Contact, "parent");
        let id = format!("{state_id} {}", guardian.name);
        contact.set("contact_id", Value::Text(id));
        contact.set_some("contact_name", text_value(guardian.child("Name").and_then(full_name)));
        contact.set("parent_legal_guardian", Value::Boolean(true));
        facts.push(source.fact(&contact, Domain::Contact, "parent", &["StudentDemographicRecord", &guardian.name])?);
    }
    Ok(Output::Student { state_id, introduces: true, facts })
}

fn person(source: &mut Source<'_>, at: &Node, demographics: &str) -> Outcome<model::Fact> {
    let Some(state_id) = at.text_of("StateProvinceId") else {
        let message = "The student has no state identifier: the record cannot be loaded.";
        return source.refuse(at, "StateProvinceId", "student.no_state_id", message);
    };
    let mut person = source.builder(Domain::Student, "person");
    person.set("state_id", Value::Text(state_id.clone()));
    person.set_some("district_student_id", text_value(at.text_of("LocalId")));
    set_names(source, at, &mut person);
    if let Some(node) = at.child(demographics).cloned() {
        set_demographics(source, &node, &mut person);
    }
    if let Some(address) = Address::all(at).first() {
        person.set_some("street_address", text_value(address.street.map(str::to_owned)));
        person.set_some("street_address_2", text_value(address.second_line.map(str::to_owned)));
        person.set_some("resident_town", address.part("City"));
        person.set_some("state_abbreviation", address.part("StateProvince"));
        person.set_some("postal_code", address.part("PostalCode"));
    }
    let numbers = phones(at).into_iter().map(|(_, number)| number.to_owned()).collect();
    person.set_some("telephone_numbers", list_value(numbers));
    person.set_some("electronic_mail_addresses", list_value(mails(at)));
    person.set_some("limited_english_proficiency", text_value(at.text_of("ELL")));
    let disadvantaged = yes_or_no(at.value("EconomicDisadvantage"));
    person.set_some("economic_disadvantaged", disadvantaged.map(Value::Boolean));
    // What a school warns of in free text may name a court or a custody: never shown without being named.
    let alerts = at.child("AlertMessages").map(|list| list.all("AlertMessage").collect::<Vec<_>>()).unwrap_or_default();
    let alerts = alerts.into_iter().filter(|alert| !alert.text.is_empty()).map(|alert| alert.text.clone()).collect();
    person.set_some("other_agency_characteristics", list_value(alerts));
    source.fact(&person, Domain::Student, "person", &[&state_id])
}

fn yes_or_no(text: Option<&str>) -> Option<bool> {
    match text? {
        "Yes" | "true" | "1" => Some(true),
        "No" | "false" | "0" => Some(false),
        _ => None,
    }
}

fn set_names(source: &mut Source<'_>, at: &Node, person: &mut FactBuilder) {
    let Some(name) = at.child("Name") else {
        let message = "The student has no name: nobody can be matched by it.";
        return source.note(at, "Name", "field.required", Severity::Warning, message);
    };
    for (element, field) in [
        ("last_surname", "LastName"),
        ("first_name", "FirstName"),
        ("middle_name", "MiddleName"),
        ("generation_code_suffix", "Suffix"),
    ] {
        let text = name.text_of(field);
        if text.is_none() && matches!(field, "LastName" | "FirstName") {
            source.note(name, field, "field.required", Severity::Warning, "A part of the student's name is missing.");
        }
        person.set_some(element, text_value(text));
    }
    let others = at.child("OtherNames").map(|list| list.all("Name").filter_map(full_name).collect::<Vec<_>>());
    let preferred = name.text_of("PreferredName").filter(|preferred| name.value("FirstName") != Some(preferred));
    let others = others.unwrap_or_default().into_iter().chain(preferred).collect();
    person.set_some("other_names", list_value(others));
}

fn set_demographics(source: &mut Source<'_>, node: &Node, person: &mut FactBuilder) {
    if let Some(text) = node.value("BirthDate") {
        if let Ok(day) = text.parse() {
            person.set("birth_date", Value::Date(day));
        } else {
            let message = "This is no day of the calendar in the form YYYY-MM-DD.";
            let at = node.child("BirthDate").unwrap_or(node);
            source.note(at, "BirthDate", "date.invalid", Severity::Error, message);
        }
    }
    person.set_some("sex", text_value(node.text_of("Gender")));
    person.set_some("birth_town", text_value(node.text_of("PlaceOfBirth")));
    person.set_some("hispanic_latino_ethnicity", yes_or_no(node.value("HispanicLatino")).map(Value::Boolean));
    let races = node.child("RaceList").map(|list| list.all("Race").cloned().collect::<Vec<_>>()).unwrap_or_default();
    let races: Vec<String> =
        races.iter().filter_map(|race| source.label(Some(race), "race")).map(|race| race.text).collect();
    person.set_some("races", list_value(races));
    let language = node.child("LanguageList").and_then(|list| list.child("Language")).and_then(|l| l.text_of("Code"));
    person.set_some("language", text_value(language));
}

pub(super) fn student_meal(source: &mut Source<'_>) -> Outcome<Output> {
    let node = source.node;
    let state_id = source.student()?;
    let mut person = source.builder(Domain::Student, "person");
    person.set("state_id", Value::Text(state_id.clone()));
    let status = node.child("MealStatus").and_then(|status| status.attribute("Type")).map(str::to_owned);
    if status.is_none() {
        return source.refuse(node, "MealStatus", "field.required", "The record says no meal status.");
    }
    person.set_some("meal_eligibility", text_value(status));
    let facts = vec![source.fact(&person, Domain::Student, "person", &["StudentMeal", &state_id])?];
    Ok(Output::Student { state_id, introduces: false, facts })
}

/// The fact of a student whom a census names.
pub(in crate::sif) fn census_student(source: &mut Source<'_>, student: &Person) -> Outcome<model::Fact> {
    let mut person = FactBuilder::new(Domain::Student, "person", student.line);
    for (element, text) in [
        ("state_id", &student.state_id),
        ("district_student_id", &student.person_id),
        ("last_surname", &student.last_name),
        ("first_name", &student.first_name),
        ("middle_name", &student.middle_name),
        ("generation_code_suffix", &student.suffix),
        ("sex", &student.gender),
    ] {
        person.set_some(element, text_value(Some(text.clone()).filter(|text| !text.is_empty())));
    }
    person.set_some("birth_date", student.birth_date.map(Value::Date));
    let alias = Some(student.alias.clone()).filter(|alias| !alias.is_empty() && *alias != student.first_name);
    person.set_some("other_names", list_value(alias.into_iter().collect()));
    source.fact(&person, Domain::Student, "person", &["census", &student.state_id])
}
