//! Students: who they are.

use domains::FactBuilder;
use model::{Domain, Fact, Value};

use super::{
    super::{
        fields::{Fields, Outcome, list_value, set_whereabouts, text_value, texts},
        index::OrganizationKind,
        node::Node,
    },
    Output, Person,
    address::{best_address, e_mails, full_name, phones},
    names_other_agency,
    program::disabilities,
};
use crate::item::Severity;

pub(super) fn student(fields: &mut Fields<'_>) -> Outcome<Output> {
    let node = fields.node;
    let Some(state_id) = node.text_of("StudentUniqueId") else {
        return fields.refuse(
            node,
            "StudentUniqueId",
            "student.no_state_id",
            "The student has no state identifier: the record cannot be loaded.",
        );
    };
    let mut person = FactBuilder::new(Domain::Student, "person", fields.line());
    person.set("state_id", Value::Text(state_id.clone()));
    set_names(fields, &mut person);
    set_birth(fields, &mut person);
    set_demographics(fields, &mut person);
    set_status(fields, &mut person);
    set_contact_points(fields, &mut person);
    let mut facts = vec![fields.fact(&person, Domain::Student, "person", &[&state_id])?];
    for (name, list, plan) in
        [("Section504Disability", "Section504Disabilities", Some("504")), ("Disability", "Disabilities", None)]
    {
        facts.extend(disability(fields, name, plan, &["student", list])?);
    }
    Ok(Output::Persons(vec![Person { state_id, introduces: true, facts }]))
}

/// What one district or school says of a student: since version 3 the demographics stand here.
pub(super) fn student_education_organization_association(fields: &mut Fields<'_>) -> Outcome<Output> {
    let node = fields.node;
    let state_id = fields.student(node)?;
    let Some(organization) = fields.organization(node, &["EducationOrganizationReference"])? else {
        return fields.refuse(
            node,
            "EducationOrganizationReference",
            "field.required",
            "The record names no organization.",
        );
    };
    let place = fields.whereabouts(organization, OrganizationKind::Other);
    let mut said = FactBuilder::new(Domain::Student, "registration", fields.line());
    set_whereabouts(&mut said, &place);
    said.set_some("district_student_id", text_value(district_id(node)));
    set_demographics(fields, &mut said);
    set_status(fields, &mut said);
    set_contact_points(fields, &mut said);
    let mut facts = vec![fields.fact(&said, Domain::Student, "registration", &[organization])?];
    facts.extend(disability(fields, "Disability", None, &["organization", organization])?);
    Ok(Output::of(state_id, facts))
}

/// A disability that the student's own record states, outside of any plan.
fn disability(fields: &mut Fields<'_>, name: &str, plan: Option<&str>, identity: &[&str]) -> Outcome<Option<Fact>> {
    let disabilities = disabilities(fields.node, name);
    if disabilities.is_empty() {
        return Ok(None);
    }
    let kind = if plan.is_some() { "section_504" } else { "association" };
    let mut fact = FactBuilder::new(Domain::SpecialEducation, kind, fields.line());
    fact.set_some("plan_type", text_value(plan.map(str::to_owned)));
    fact.set_some("section_504", plan.map(|_| Value::Boolean(true)));
    fact.set("primary_disability", Value::Text(disabilities.join("; ")));
    fields.fact(&fact, Domain::SpecialEducation, kind, identity).map(Some)
}

fn set_names(fields: &mut Fields<'_>, person: &mut FactBuilder) {
    let node = fields.node;
    match node.child("Name") {
        None => fields.note(
            node,
            "Name",
            "field.required",
            Severity::Warning,
            "The student has no name: nobody can be matched by it.",
        ),
        Some(name) => {
            for (element, field) in [
                ("last_surname", "LastSurname"),
                ("first_name", "FirstName"),
                ("middle_name", "MiddleName"),
                ("generation_code_suffix", "GenerationCodeSuffix"),
            ] {
                let text = name.text_of(field);
                if text.is_none() && matches!(field, "LastSurname" | "FirstName") {
                    fields.note(
                        name,
                        field,
                        "field.required",
                        Severity::Warning,
                        "A part of the student's name is missing.",
                    );
                }
                person.set_some(element, text_value(text));
            }
        }
    }
    let others = node.all("OtherName").filter_map(full_name).collect();
    person.set_some("other_names", list_value(others));
    person.set_some("district_student_id", text_value(district_id(node)));
}

/// The identifier that a district or school gave the student.
fn district_id(node: &Node) -> Option<String> {
    const SYSTEMS: [&str; 3] = ["District", "School", "Local"];
    let system =
        |code: &&Node| code.value("StudentIdentificationSystem").is_some_and(|system| SYSTEMS.contains(&system));
    node.all("StudentIdentificationCode").find(system)?.text_of("IdentificationCode")
}

fn set_birth(fields: &mut Fields<'_>, person: &mut FactBuilder) {
    let node = fields.node;
    let birth_date = node.child("BirthData").and_then(|birth| {
        let town = birth.text_of("BirthCity");
        person.set_some("birth_town", text_value(town));
        fields.date(birth, "BirthDate")
    });
    if birth_date.is_none() && !fields.is_refused() {
        fields.note(
            node,
            "BirthDate",
            "field.required",
            Severity::Warning,
            "The student has no birth date: matching by it is not possible.",
        );
    }
    person.set_some("birth_date", birth_date.map(Value::Date));
}

fn set_demographics(fields: &mut Fields<'_>, person: &mut FactBuilder) {
    let node = fields.node;
    let sex = node.text_of("Sex");
    person.set_some("sex", text_value(sex));
    let hispanic = fields.boolean(node, "HispanicLatinoEthnicity");
    person.set_some("hispanic_latino_ethnicity", hispanic.map(Value::Boolean));
    let races = texts(node, "Race").into_iter().map(str::to_owned).collect();
    person.set_some("races", list_value(races));
    person.set_some("race_ethnicity", text_value(node.text_of("OldEthnicity")));
    let mut languages = languages(node, "HomeLanguage");
    if languages.is_empty() {
        languages = self::languages(node, "Language");
    }
    person.set_some("language", text_value((!languages.is_empty()).then(|| languages.join("; "))));
}

fn languages<'n>(node: &'n Node, list: &'n str) -> Vec<&'n str> {
    node.all(list).flat_map(|entry| texts(entry, "Language")).collect()
}

fn set_status(fields: &mut Fields<'_>, person: &mut FactBuilder) {
    let node = fields.node;
    let disadvantaged = fields.boolean(node, "EconomicDisadvantaged");
    person.set_some("economic_disadvantaged", disadvantaged.map(Value::Boolean));
    let meals = node.text_of("SchoolFoodServicesEligibility");
    person.set_some("meal_eligibility", text_value(meals));
    let english = node.text_of("LimitedEnglishProficiency");
    person.set_some("limited_english_proficiency", text_value(english));
    let text = |entry: &'_ Node| entry.text_of("StudentCharacteristic").or_else(|| Some(entry.text.clone()));
    let characteristics: Vec<String> =
        node.all("StudentCharacteristic").filter_map(text).filter(|text| !text.is_empty()).collect();
    let (guarded, others): (Vec<String>, Vec<String>) =
        characteristics.into_iter().partition(|text| names_other_agency(text));
    person.set_some("student_characteristics", list_value(others));
    person.set_some("other_agency_characteristics", list_value(guarded));
}

fn set_contact_points(fields: &Fields<'_>, person: &mut FactBuilder) {
    let node = fields.node;
    if let Some(address) = best_address(node) {
        person.set_some("street_address", text_value(address.street));
        person.set_some("street_address_2", text_value(address.second_line));
        person.set_some("resident_town", text_value(address.city));
        person.set_some("state_abbreviation", text_value(address.state));
        person.set_some("postal_code", text_value(address.postal_code));
    }
    let phones = phones(node)
        .into_iter()
        .map(|phone| phone.kind.map_or_else(|| phone.number.to_owned(), |kind| format!("{kind}: {}", phone.number)));
    person.set_some("telephone_numbers", list_value(phones.collect()));
    person.set_some("electronic_mail_addresses", list_value(e_mails(node).into_iter().map(str::to_owned).collect()));
}
