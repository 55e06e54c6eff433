//! Names, addresses, phones and e-mail, which students and parents share.

use super::super::node::Node;

/// An address as a letter has it.
pub(super) struct Address {
    pub kind: Option<String>,
    pub street: Option<String>,
    pub second_line: Option<String>,
    pub city: Option<String>,
    pub state: Option<String>,
    pub postal_code: Option<String>,
}

/// The address a person is best found under: home, else mailing or physical, else one of no stated type, else another.
pub(super) fn best_address(node: &Node) -> Option<Address> {
    let rank = |address: &&Node| match address.value("AddressType") {
        Some("Home") => 0,
        Some("Mailing") => 1,
        Some("Physical") => 2,
        None => 3,
        Some("Temporary") => 4,
        Some(_) => 5,
    };
    let best = node.all("Address").min_by_key(rank)?;
    let text = |name: &str| best.value(name).map(str::to_owned);
    let second = [best.value("ApartmentRoomSuiteNumber"), best.value("BuildingSiteNumber")];
    let second: Vec<&str> = second.into_iter().flatten().collect();
    Some(Address {
        kind: best.value("AddressType").map(str::to_owned),
        street: text("StreetNumberName"),
        second_line: (!second.is_empty()).then(|| second.join(", ")),
        city: text("City"),
        state: text("StateAbbreviation"),
        postal_code: text("PostalCode"),
    })
}

/// A phone number.
pub(super) struct Phone<'n> {
    pub kind: Option<&'n str>,
    pub number: &'n str,
    /// Whether it is the one to call first, if the source says so.
    pub is_preferred: Option<bool>,
}

/// Phone numbers, the primary number first. Older versions mark the primary number, later ones number all in the order to call them.
pub(super) fn phones(node: &Node) -> Vec<Phone<'_>> {
    let order = |phone: &Node| phone.value("OrderOfPriority").and_then(|order| order.parse().ok());
    let is_primary = |phone: &Node| match phone.value("PrimaryTelephoneNumberIndicator") {
        Some("true" | "1") => Some(true),
        Some("false" | "0") => Some(false),
        _ => order(phone).map(|order: u32| order == 1),
    };
    let mut phones: Vec<&Node> = node.all("Telephone").collect();
    phones.sort_by_key(|phone| (is_primary(phone) != Some(true), order(phone).unwrap_or(u32::MAX)));
    let mut found = Vec::with_capacity(phones.len());
    for phone in phones {
        if let Some(number) = phone.value("TelephoneNumber") {
            found.push(Phone { kind: phone.value("TelephoneNumberType"), number, is_preferred: is_primary(phone) });
        }
    }
    found
}

/// E-mail addresses, the primary one first, personal ones next.
pub(super) fn e_mails(node: &Node) -> Vec<&str> {
    let rank = |mail: &&Node| {
        if matches!(mail.value("PrimaryEmailAddressIndicator"), Some("true" | "1")) {
            return 0;
        }
        match mail.value("ElectronicMailType") {
            Some("Home/Personal") => 1,
            None => 2,
            Some(_) => 3,
        }
    };
    let mut mails: Vec<&Node> = node.all("ElectronicMail").collect();
    mails.sort_by_key(rank);
    mails.into_iter().filter_map(|mail| mail.value("ElectronicMailAddress")).collect()
}

/// A name in the order it is spoken.
pub(super) fn full_name(name: &Node) -> Option<String> {
    let parts = ["PersonalTitlePrefix", "FirstName", "MiddleName", "LastSurname", "GenerationCodeSuffix"];
    let parts: Vec<&str> = parts.iter().filter_map(|part| name.value(part)).collect();
    (!parts.is_empty()).then(|| parts.join(" "))
}
