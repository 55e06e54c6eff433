//! Parents and other contacts, and whose contacts they are.

use domains::FactBuilder;
use model::{Domain, Payload, Value};

use super::{
    super::{
        fields::{Fields, Outcome, list_value, text_value},
        index::{Entry, Kind},
    },
    Output,
    address::{Phone, best_address, e_mails, full_name, phones},
};

pub(super) fn contact(fields: &mut Fields<'_>) -> Outcome<Output> {
    let node = fields.node;
    let id = fields.required_text(node, "ContactUniqueId")?;
    let mut contact = Payload::new();
    let mut set = |element: &str, value: Option<Value>| contact.extend(value.map(|value| (element.to_owned(), value)));
    set("contact_name", text_value(node.child("Name").and_then(full_name)));
    if let Some(address) = best_address(node) {
        set("address_type", text_value(address.kind));
        set("street_address", text_value(address.street));
        set("street_address_2", text_value(address.second_line));
        set("city", text_value(address.city));
        set("state_abbreviation", text_value(address.state));
        set("postal_code", text_value(address.postal_code));
    }
    let mut mails = e_mails(node).into_iter().map(str::to_owned);
    set("electronic_mail_address", text_value(mails.next()));
    set("other_electronic_mail_addresses", list_value(mails.collect()));
    let mut others = Vec::new();
    let mut filled = Vec::new();
    for Phone { kind, number, is_preferred } in phones(node) {
        let slot = match kind {
            Some("Home") => Some(("home_phone", "home_phone_preferred")),
            Some("Work") => Some(("work_phone", "work_phone_preferred")),
            Some("Mobile") => Some(("mobile_phone", "mobile_phone_preferred")),
            _ => None,
        };
        match slot.filter(|slot| !filled.contains(slot)) {
            Some(slot) => {
                filled.push(slot);
                set(slot.0, Some(Value::Text(number.to_owned())));
                set(slot.1, is_preferred.map(Value::Boolean));
            }
            None => others.push(kind.map_or_else(|| number.to_owned(), |kind| format!("{kind}: {number}"))),
        }
    }
    set("other_phones", list_value(others));
    Ok(Output::Learned(vec![(id, Entry::Contact(contact))]))
}

pub(super) fn student_contact_association(fields: &mut Fields<'_>) -> Outcome<Output> {
    let node = fields.node;
    let state_id = fields.student(node)?;
    let parent = fields.reference(node, &["ContactReference"])?.and_then(|parent| parent.value("ContactUniqueId"));
    let Some(parent) = parent else {
        return fields.refuse(node, "ContactReference", "field.required", "The record names no parent.");
    };
    let mut fact = FactBuilder::new(Domain::Contact, "parent", fields.line());
    match fields.entry(Kind::Contact, parent) {
        Some(Entry::Contact(payload)) => {
            for (element, value) in payload {
                fact.set(element, value.clone());
            }
        }
        _ => fields.undescribed(
            node,
            "Nobody has described the parent: the contact would have no name. The record is kept, and loaded \
                when the parent's own record comes.",
        )?,
    }
    fact.set("contact_id", Value::Text(parent.to_owned()));
    for (element, field) in [("relation", "Relation"), ("contact_restrictions", "ContactRestrictions")] {
        let text = node.text_of(field);
        fact.set_some(element, text_value(text));
    }
    for (element, field) in [
        ("primary_contact", "PrimaryContactStatus"),
        ("lives_with", "LivesWith"),
        ("emergency_contact", "EmergencyContactStatus"),
        ("custody", "LegalGuardian"),
    ] {
        let flag = fields.boolean(node, field);
        fact.set_some(element, flag.map(Value::Boolean));
    }
    let priority = fields.integer(node, "ContactPriority");
    fact.set_some("contact_priority", priority.map(Value::Integer));
    let fact = fields.fact(&fact, Domain::Contact, "parent", &[parent])?;
    Ok(Output::of(state_id, vec![fact]))
}
