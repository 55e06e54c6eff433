//! Students: who they are.

use domains::FactBuilder;
use model::{Domain, Value};

use super::{
    super::{
        fields::{Fields, Outcome, descriptor, list_value, text_value},
        node::Node,
    },
    Output, Person,
    address::{best_address, e_mails, full_name, phones},
    names_other_agency,
};
use crate::item::Severity;

pub(super) fn student(fields: &mut Fields<'_>) -> Outcome<Output> {
    let node = fields.node;
    let Some(state_id) = node.text_of("StudentUniqueStateId") else {
        return fields.refuse(
            node,
            "StudentUniqueStateId",
            "student.no_state_id",
            "The student has no state identifier: the record cannot be loaded.",
        );
    };
    let mut person = FactBuilder::new(Domain::Student, "person", fields.line());
    person.set("state_id", Value::Text(state_id.clone()));
    set_names(fields, &mut person);
    set_demographics(fields, &mut person);
    set_status(fields, &mut person);
    set_contact_points(fields, &mut person);
    let mut facts = vec![fields.fact(&person, Domain::Student, "person", &[&state_id])?];
    for (list, entry, plan) in
        [("Section504Disabilities", "Section504Disability", Some("504")), ("Disabilities", "Disability", None)]
    {
        let disabilities = disabilities(node, list, entry);
        if disabilities.is_empty() {
            continue;
        }
        let mut disability = FactBuilder::new(Domain::SpecialEducation, "association", fields.line());
        disability.set_some("plan_type", text_value(plan.map(str::to_owned)));
        disability.set_some("section_504", plan.map(|_| Value::Boolean(true)));
        disability.set("primary_disability", Value::Text(disabilities.join("; ")));
        facts.push(fields.fact(&disability, Domain::SpecialEducation, "association", &["student", list])?);
    }
    Ok(Output::Persons(vec![Person { state_id, introduces: true, facts }]))
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
    let district_id = node
        .all("StudentIdentificationCode")
        .find(|code| matches!(code.attribute("IdentificationSystem"), Some("District" | "School")));
    let district_id = district_id.and_then(|code| code.value("ID").or_else(|| code.value("IdentificationCode")));
    person.set_some("district_student_id", text_value(district_id.map(str::to_owned)));
}

fn set_demographics(fields: &mut Fields<'_>, person: &mut FactBuilder) {
    let node = fields.node;
    let birth_date = node.child("BirthData").and_then(|birth| {
        let town = birth.text_of("CityOfBirth");
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
    let sex = node.text_of("Sex");
    person.set_some("sex", text_value(sex));
    let hispanic = fields.boolean(node, "HispanicLatinoEthnicity");
    person.set_some("hispanic_latino_ethnicity", hispanic.map(Value::Boolean));
    person.set_some("races", list_value(texts(node, "Race", "RacialCategory")));
    person.set_some("race_ethnicity", text_value(node.text_of("OldEthnicity")));
    let mut languages = texts(node, "HomeLanguages", "Language");
    if languages.is_empty() {
        languages = texts(node, "Languages", "Language");
    }
    person.set_some("language", text_value((!languages.is_empty()).then(|| languages.join("; "))));
}

fn set_status(fields: &mut Fields<'_>, person: &mut FactBuilder) {
    let node = fields.node;
    let disadvantaged = fields.boolean(node, "EconomicDisadvantaged");
    person.set_some("economic_disadvantaged", disadvantaged.map(Value::Boolean));
    let meals = node.text_of("SchoolFoodServicesEligibility");
    person.set_some("meal_eligibility", text_value(meals));
    let english = node.text_of("LimitedEnglishProficiency");
    person.set_some("limited_english_proficiency", text_value(english));
    let characteristics =
        node.all("StudentCharacteristics").filter_map(|list| list.value("Characteristic").or_else(|| descriptor(list)));
    let (guarded, others): (Vec<&str>, Vec<&str>) = characteristics.partition(|text| names_other_agency(text));
    person.set_some("student_characteristics", list_value(others.into_iter().map(str::to_owned).collect()));
    person.set_some("other_agency_characteristics", list_value(guarded.into_iter().map(str::to_owned).collect()));
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
        .map(|(kind, number)| kind.map_or_else(|| number.to_owned(), |kind| format!("{kind}: {number}")));
    person.set_some("telephone_numbers", list_value(phones.collect()));
    person.set_some("electronic_mail_addresses", list_value(e_mails(node).into_iter().map(str::to_owned).collect()));
}

/// The texts of `entry` in all lists of this name.
fn texts(node: &Node, list: &str, entry: &str) -> Vec<String> {
    node.all(list).flat_map(|list| list.all(entry)).filter_map(descriptor).map(str::to_owned).collect()
}

fn disabilities(node: &Node, list: &str, entry: &str) -> Vec<String> {
    let entries = node.all(list).flat_map(|list| list.all(entry));
    entries.filter_map(|entry| entry.value("Disability").or_else(|| descriptor(entry))).map(str::to_owned).collect()
}
