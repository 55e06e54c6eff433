//! Parents and guardians. Holds names: same role and same erasure as `identity`.

mod elements;

pub(crate) use elements::to_message;
use model::{Domain, Row, Value};

use crate::{Definition, Kind, StoredFact};

/// The domain as data.
pub const DEFINITION: Definition = Definition {
    domain: Domain::Contact,
    label: "Contacts",
    elements: elements::ELEMENTS,
    kinds: &[
        Kind { name: "parent", key: &["contact_id"] },
        Kind { name: PHONE, key: &["contact_id", "home_phone", "work_phone", "mobile_phone"] },
    ],
};

/// The kind of a fact about one phone of a contact: it makes no row of its own.
const PHONE: &str = "phone";

/// Of each type of phone the number, whether it is preferred, and its name among the other phones.
const PHONES: [(&str, &str, &str); 3] = [
    ("home_phone", "home_phone_preferred", "Home"),
    ("work_phone", "work_phone_preferred", "Work"),
    ("mobile_phone", "mobile_phone_preferred", "Mobile"),
];

/// One row a contact: for the same contact the record learned last, in the order the source names them.
pub(crate) fn fold(facts: &[&StoredFact]) -> Vec<Row> {
    let (phones, contacts): (Vec<&StoredFact>, Vec<&StoredFact>) = facts.iter().partition(|fact| fact.kind == PHONE);
    let row = |fact: &&StoredFact| {
        let mut row = fact.to_row();
        let is_theirs = |phone: &&StoredFact| {
            let contact = phone.find_text("contact_id");
            phone.source_person == fact.source_person && contact.is_some() && contact == fact.find_text("contact_id")
        };
        choose_phones(&mut row, fact, &phones.iter().copied().filter(is_theirs).collect::<Vec<_>>());
        // Whoever may not see it has been given an ordinary relationship before.
        if row.find_text("relation").is_some_and(crate::names_other_agency) {
            let relation = row.values.get("relation").cloned();
            row.values.extend(relation.map(|relation| ("other_agency_relation", relation)));
        }
        row
    };
    contacts.iter().map(row).collect()
}

/// Of the phones of a type the preferred one is the contact's, of several the one entered last; without one the one entered last. The
/// others stand beside them. The row has the lineage of the last report that gave a phone.
fn choose_phones(row: &mut Row, contact: &StoredFact, phones: &[&StoredFact]) {
    if phones.is_empty() {
        return;
    }
    let mut others = match row.find("other_phones") {
        Some(Value::TextList(others)) => others.clone(),
        _ => Vec::new(),
    };
    for (number, preference, kind) in PHONES {
        let is_preferred = |fact: &StoredFact| fact.find(preference).and_then(Value::as_boolean) == Some(true);
        let mut entered: Vec<&StoredFact> =
            phones.iter().copied().chain([contact]).filter(|fact| fact.find(number).is_some()).collect();
        entered.sort_by_key(|fact| (is_preferred(fact), fact.learned()));
        let Some(chosen) = entered.pop() else { continue };
        if contact.learned() < chosen.learned() {
            row.source = chosen.source.clone();
        }
        for (element, value) in [(number, chosen.find(number)), (preference, chosen.find(preference))] {
            row.values.remove(element);
            row.values.extend(value.map(|value| (element, value.clone())));
        }
        for other in entered.into_iter().rev().filter_map(|fact| fact.find_text(number)) {
            let other_phone = format!("{kind}: {other}");
            if chosen.find_text(number) != Some(other) && !others.contains(&other_phone) {
                others.push(other_phone);
            }
        }
    }
    if !others.is_empty() {
        row.values.insert("other_phones", Value::TextList(others));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::fact;

    fn phone(line: u32, element: &str, number: &str, preference: &str, is_preferred: Option<bool>) -> StoredFact {
        let phone = fact(Domain::Contact, PHONE, line).with("contact_id", "C-1").with(element, number);
        match is_preferred {
            Some(flag) => phone.with_value(preference, Value::Boolean(flag)),
            None => phone,
        }
    }

    #[test]
    fn the_preferred_phone_is_the_contact_s_and_the_others_stand_beside_it() {
        fn check(phones: &[(u32, &str, Option<bool>)], home: &str, others: Option<&str>) {
            let contact = fact(Domain::Contact, "parent", 5).with("contact_id", "C-1").with("home_phone", "555-0105");
            let of = |(line, number, is_preferred): &(u32, &str, Option<bool>)| {
                phone(*line, "home_phone", number, "home_phone_preferred", *is_preferred)
            };
            let mut facts: Vec<StoredFact> = phones.iter().map(of).collect();
            facts.push(contact);
            for _ in 0..facts.len() {
                facts.rotate_left(1);
                let rows = fold(&facts.iter().collect::<Vec<_>>());
                assert_eq!(rows.len(), 1);
                assert_eq!(rows[0].find_text("home_phone"), Some(home), "{phones:?}");
                assert_eq!(rows[0].find("other_phones").map(Value::to_plain).as_deref(), others, "{phones:?}");
            }
        }
        check(&[], "555-0105", None);
        // Entered later, entered earlier.
        check(&[(7, "555-0107", None)], "555-0107", Some("Home: 555-0105"));
        check(&[(3, "555-0103", None)], "555-0105", Some("Home: 555-0103"));
        check(&[(3, "555-0103", Some(true))], "555-0103", Some("Home: 555-0105"));
        check(
            &[(3, "555-0103", Some(true)), (4, "555-0104", Some(true)), (7, "555-0107", Some(false))],
            "555-0104",
            Some("Home: 555-0103; Home: 555-0107; Home: 555-0105"),
        );
        check(&[(7, "555-0105", Some(true))], "555-0105", None);
    }

    #[test]
    fn a_phone_makes_no_row_and_is_nobody_else_s() {
        let own = phone(2, "mobile_phone", "555-0102", "mobile_phone_preferred", Some(true));
        assert!(fold(&[&own]).is_empty());
        let other = fact(Domain::Contact, "parent", 1).with("contact_id", "C-2");
        assert_eq!(fold(&[&own, &other])[0].find("mobile_phone"), None);
        let mut stranger = fact(Domain::Contact, "parent", 1).with("contact_id", "C-1");
        stranger.source_person = model::SourcePersonId(2);
        assert_eq!(fold(&[&own, &stranger])[0].find("mobile_phone"), None);
        let contact = fact(Domain::Contact, "parent", 1).with("contact_id", "C-1");
        let rows = fold(&[&own, &contact]);
        assert_eq!((rows[0].find_text("mobile_phone"), rows[0].source.line), (Some("555-0102"), 2));
    }
}
