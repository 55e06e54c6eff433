//! Which addresses of a contact are reported, in which order and as what.

use std::{cmp::Reverse, collections::BTreeSet};

use chrono::NaiveDate;

use super::{View, element, joined, push_text, typed};
use crate::{
    sif::census::{Location, Membership, Person},
    xml::Node,
};

/// Most addresses of a contact.
const ADDRESSES_MAX: usize = 5;

const POST_OFFICE_BOX: &str = "0123";
const FIRST_PRIMARY: &str = "0765";
const FIRST_SECONDARY: &str = "1073";
/// What the addresses after the first of each kind are reported as, in this order.
const FURTHER: [&str; 4] = ["2382", "0124", "1074", "1075"];

/// A location as one of its household's members has it.
#[derive(Clone, Copy)]
struct Candidate<'c> {
    membership: &'c Membership,
    location: &'c Location,
}

impl Candidate<'_> {
    const fn is_secondary(&self) -> bool {
        self.membership.is_secondary || self.location.is_secondary
    }

    const fn is_private(&self) -> bool {
        self.membership.is_private || self.location.is_private
    }

    /// The later of the days from which the membership and the location hold.
    fn start(&self) -> Option<NaiveDate> {
        self.membership.days.from().max(self.location.days.from())
    }

    fn end(&self) -> NaiveDate {
        self.membership.days.to().unwrap_or(NaiveDate::MAX)
    }
}

/// The addresses of a contact, typed, in their order.
pub(super) fn addresses(view: &View<'_>, contact: &Person) -> Vec<Node> {
    let mut types = Types::default();
    let mut seen = BTreeSet::new();
    candidates(view, contact)
        .into_iter()
        .filter(|candidate| seen.insert(candidate.location.location_id.as_str()))
        .filter_map(|candidate| types.take(&candidate).map(|kind| address(kind, candidate.location)))
        .take(ADDRESSES_MAX)
        .collect()
}

/// The addresses that may be reported, in their order.
fn candidates<'c>(view: &View<'c>, contact: &Person) -> Vec<Candidate<'c>> {
    let current: Vec<&Membership> = view.current_memberships(contact).collect();
    let (memberships, day) = if current.is_empty() {
        // Nobody's member today: where the contact was last. If that household is private, nothing is said at all.
        let past = view.memberships_of(contact).iter().filter(|m| m.days.to().is_some_and(|end| end < view.today));
        let last = past.copied().max_by_key(|m| (m.days.to(), m.days.from(), Reverse(m.membership_id.as_str())));
        match last.and_then(|last| Some((last, last.days.to()?))) {
            Some((last, end)) => (vec![last], end),
            None => return Vec::new(),
        }
    } else {
        (current, view.today)
    };
    let locations = |membership: &Membership| view.locations.get(membership.household_id.as_str());
    let mut found: Vec<Candidate<'c>> = Vec::new();
    for membership in memberships {
        for location in locations(membership).into_iter().flatten().filter(|location| location.days.contains(day)) {
            found.push(Candidate { membership, location });
        }
    }
    found.retain(|candidate| !candidate.is_private());
    let has_primary = found.iter().any(|candidate| !candidate.is_secondary());
    found.sort_by_key(|candidate| {
        // Without an active primary address, the secondary household that lasts longest comes first.
        let end = if has_primary { NaiveDate::MAX } else { candidate.end() };
        (
            candidate.is_secondary(),
            Reverse(end),
            Reverse(candidate.start()),
            numbered(&candidate.membership.membership_id),
            numbered(&candidate.location.location_id),
        )
    });
    found
}

/// Numbers in the order of numbers, other identifiers after them in the order of texts.
fn numbered(id: &str) -> (u64, &str) {
    (id.parse().unwrap_or(u64::MAX), id)
}

/// The types still to be given.
#[derive(Default)]
struct Types {
    has_box: bool,
    has_primary: bool,
    has_secondary: bool,
    further: usize,
}

impl Types {
    /// The type of the next address; `None`: it is not reported.
    fn take(&mut self, candidate: &Candidate<'_>) -> Option<&'static str> {
        if candidate.location.is_post_office_box {
            return (!std::mem::replace(&mut self.has_box, true)).then_some(POST_OFFICE_BOX);
        }
        let is_first = if candidate.is_secondary() {
            !std::mem::replace(&mut self.has_secondary, true)
        } else {
            !std::mem::replace(&mut self.has_primary, true)
        };
        if is_first {
            return Some(if candidate.is_secondary() { FIRST_SECONDARY } else { FIRST_PRIMARY });
        }
        let next = FURTHER.get(self.further).copied();
        self.further += 1;
        next
    }
}

fn address(kind: &str, location: &Location) -> Node {
    let line = if location.is_post_office_box {
        format!("P.O. Box {}", location.number)
    } else {
        joined(&[&location.number, &location.prefix, &location.street, &location.tag, &location.dir])
    };
    let mut street = element("Street");
    for (name, text) in [
        ("Line1", line.as_str()),
        ("Line2", &location.apartment),
        ("Line3", &format!("{}, {} {}", location.city, location.state, location.zip)),
        ("StreetNumber", &location.number),
        ("StreetPrefix", &location.prefix),
        ("StreetName", &location.street),
        ("StreetType", &location.tag),
        ("StreetSuffix", &location.dir),
        ("ApartmentNumber", &location.apartment),
    ] {
        push_text(&mut street, name, text);
    }
    let mut address = typed("Address", kind);
    address.children.push(street);
    push_text(&mut address, "City", &location.city);
    push_text(&mut address, "StateProvince", &location.state);
    push_text(&mut address, "Country", "US");
    push_text(&mut address, "PostalCode", &location.zip);
    address
}
