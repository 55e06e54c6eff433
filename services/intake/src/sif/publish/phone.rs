//! Which phones of a contact are reported, and how their numbers are written.

use std::cmp::Reverse;

use super::{View, push_text, typed};
use crate::{
    sif::census::{Membership, Person},
    xml::Node,
};

const HOUSEHOLD: &str = "0096";
const CONTACT: &str = "0350";

/// The household's phone, then the contact's own.
pub(super) fn phones(view: &View<'_>, student: &Person, contact: &Person) -> Vec<Node> {
    let own = if contact.cell_phone.is_empty() { &contact.work_phone } else { &contact.cell_phone };
    [(HOUSEHOLD, household_phone(view, student, contact)), (CONTACT, own)]
        .into_iter()
        .filter(|(_, number)| !number.is_empty())
        .map(|(kind, number)| {
            let mut phone = typed("PhoneNumber", kind);
            push_text(&mut phone, "Number", &formatted(number));
            phone
        })
        .collect()
}

/// The phone of the household the student belongs to today; of several the one shared with the contact, then the primary,
/// then the one entered last. Of a private membership nothing is told.
fn household_phone<'c>(view: &View<'c>, student: &Person, contact: &Person) -> &'c str {
    let is_shared =
        |own: &Membership| view.current_memberships(contact).any(|its| its.household_id == own.household_id);
    let phone =
        |membership: &Membership| view.phones.get(membership.household_id.as_str()).copied().unwrap_or_default();
    view.current_memberships(student)
        .filter(|membership| !membership.is_private && !phone(membership).is_empty())
        .min_by_key(|membership| {
            let id = membership.membership_id.as_str();
            (!is_shared(membership), membership.is_secondary, Reverse(membership.days.from()), id)
        })
        .map(phone)
        .unwrap_or_default()
}

/// A number of ten or seven digits in the usual form; any other as it was entered.
fn formatted(number: &str) -> String {
    let is_plain = number.chars().all(|c| c.is_ascii_digit() || matches!(c, ' ' | '-' | '.' | '(' | ')' | '+'));
    let digits: String = number.chars().filter(char::is_ascii_digit).collect();
    let digits = digits.strip_prefix('1').filter(|rest| rest.len() == 10).unwrap_or(&digits);
    let part = |from: usize, to: usize| digits.get(from..to).unwrap_or_default();
    match digits.len() {
        10 if is_plain => format!("({}) {}-{}", part(0, 3), part(3, 6), part(6, 10)),
        7 if is_plain => format!("{}-{}", part(0, 3), part(3, 7)),
        _ => number.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::formatted;

    #[test]
    fn numbers_are_written_the_usual_way() {
        fn check(number: &str, expect: &str) {
            assert_eq!(formatted(number), expect);
        }
        check("8605550101", "(860) 555-0101");
        check("1-860-555-0101", "(860) 555-0101");
        check("555.0104", "555-0104");
        check("(860) 555-0101 x12", "(860) 555-0101 x12");
        check("555010", "555010");
    }
}
