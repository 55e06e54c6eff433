//! Contacts: who they are to a student, where they live, what they may do.

use domains::FactBuilder;
use model::{Domain, Fact, Period, Value};

use super::{Address, Outcome, Output, Source, full_name, list_value, mails, phones, text_value};
use crate::xml::Node;

/// The flags that have an element of their own.
const FLAGS: [(&str, &str); 8] = [
    ("ParentLegalGuardian", "parent_legal_guardian"),
    ("PickupRights", "pickup_rights"),
    ("LivesWith", "lives_with"),
    ("AccessToRecords", "access_to_records"),
    ("EmergencyContact", "emergency_contact"),
    ("HasCustody", "custody"),
    ("DisciplinaryContact", "disciplinary_contact"),
    ("PrimaryCareProvider", "primary_care_provider"),
];

pub(super) fn student_contact(source: &mut Source<'_>) -> Outcome<Output> {
    let state_id = source.student()?;
    let facts = vec![fact(source, Period::ALWAYS)?];
    Ok(Output::Student { state_id, introduces: false, facts })
}

/// The fact of a contact, about these days.
pub(in crate::sif) fn fact(source: &mut Source<'_>, days: Period) -> Outcome<Fact> {
    let node = source.node;
    let ref_id = source.ref_id()?;
    let mut contact = source.builder(Domain::Contact, "parent");
    contact.valid(days);
    let relation = source.label(node.child("Relationship"), "relationship");
    let own_word =
        node.child("Relationship").and_then(|r| r.child("OtherCodeList")).and_then(|l| l.text_of("OtherCode"));
    let name = node.child("Name").and_then(full_name);
    if relation.as_ref().is_some_and(|relation| relation.is_agency_person) {
        // A case worker or probation officer in the list tells of the case: nothing of it may stand under another element.
        contact.set_some("other_agency_relation", relation.map(|relation| Value::Text(relation.text)));
        contact.set_some("other_agency_contact", text_value(name));
        return source.fact(&contact, Domain::Contact, "parent", &["StudentContact", ref_id]);
    }
    contact.set("contact_id", Value::Text(ref_id.to_owned()));
    contact.set_some("contact_name", text_value(name));
    if let Some(relation) = relation {
        let is_own_word =
            own_word.is_some() && node.child("Relationship").and_then(|r| r.value("Code")) == Some("9999");
        let text = if is_own_word { own_word.unwrap_or(relation.text) } else { relation.text };
        let names_agency = relation.names_other_agency || names_other_agency(&text);
        contact.set(if names_agency { "other_agency_relation" } else { "relation" }, Value::Text(text));
    }
    let sequence = node.value("ContactSequence").and_then(|text| text.parse().ok());
    contact.set_some("contact_priority", sequence.map(Value::Integer));
    set_flags(node, &mut contact);
    set_addresses(source, &mut contact);
    set_ways_to_reach(node, &mut contact);
    source.fact(&contact, Domain::Contact, "parent", &["StudentContact", ref_id])
}

fn set_flags(node: &Node, contact: &mut FactBuilder) {
    let Some(flags) = node.child("ContactFlags") else {
        return;
    };
    for (flag, element) in FLAGS {
        let value = match flags.value(flag) {
            Some("Yes") => Some(true),
            Some("No") => Some(false),
            // Unknown is not reported.
            _ => None,
        };
        contact.set_some(element, value.map(Value::Boolean));
    }
}

fn set_addresses(source: &mut Source<'_>, contact: &mut FactBuilder) {
    let node = source.node;
    let addresses = Address::all(node);
    // Where the contact lives comes before where mail goes.
    let first = addresses.iter().position(|address| address.node.attribute("Type") != Some("0123")).unwrap_or(0);
    let mut others = Vec::new();
    for (number, address) in addresses.iter().enumerate() {
        if number != first {
            others.push(address.line());
            continue;
        }
        let kind = address.node.attribute("Type").unwrap_or_default();
        let label = source.tables.find("address_type").and_then(|table| table.edition(None));
        let label = label.and_then(|found| found.edition().find(kind)).map(|code| code.label.clone());
        contact.set_some("address_type", text_value(label));
        contact.set_some("street_address", text_value(address.street.map(str::to_owned)));
        contact.set_some("street_address_2", text_value(address.second_line.map(str::to_owned)));
        contact.set_some("city", address.part("City"));
        contact.set_some("state_abbreviation", address.part("StateProvince"));
        contact.set_some("postal_code", address.part("PostalCode"));
    }
    contact.set_some("other_addresses", list_value(others));
}

fn set_ways_to_reach(node: &Node, contact: &mut FactBuilder) {
    let mut mails = mails(node).into_iter();
    contact.set_some("electronic_mail_address", text_value(mails.next()));
    contact.set_some("other_electronic_mail_addresses", list_value(mails.collect()));
    let (mut home, mut others) = (None, Vec::new());
    for (kind, number) in phones(node) {
        if kind == "0096" && home.is_none() {
            home = Some(number.to_owned());
        } else {
            others.push(number.to_owned());
        }
    }
    contact.set_some("home_phone", text_value(home));
    contact.set_some("other_phones", list_value(others));
}

/// Whether a district's own word tells that another agency is involved; a word too many only hides a harmless one.
fn names_other_agency(text: &str) -> bool {
    const WORDS: [&str; 12] = [
        "foster",
        "dcf",
        "agency",
        "social worker",
        "case worker",
        "caseworker",
        "ward",
        "court",
        "probation",
        "parole",
        "juvenile",
        "ad litem",
    ];
    let text = text.to_lowercase();
    WORDS.iter().any(|word| text.contains(word))
}
