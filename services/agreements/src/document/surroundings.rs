//! What is wrong with a document on a day, and beside the other agreements: a mistake that no reader of it alone can see.

use chrono::NaiveDate;

use super::reader::{Node, Reader};
use crate::terms::{PartyKind, PartyRole, System, Terms};

/// What a document is held against. Nothing by default.
#[derive(Clone, Copy, Debug, Default)]
pub struct Surroundings<'a> {
    /// The day; none: any.
    pub today: Option<NaiveDate>,
    /// The other agreements: those in force or to come, or the documents beside it.
    pub others: &'a [Terms],
}

pub(super) fn check(reader: &mut Reader, root: &Node<'_>, terms: &Terms, surroundings: Surroundings<'_>) {
    if let (Some(today), Some(last)) = (surroundings.today, terms.valid_to)
        && last < today
    {
        let at = root.place_in("agreement", "valid_to");
        let message = format!("the agreement ended on {last}, and {today} is later: it would disclose nothing");
        reader.wrong(root, "agreement.valid_to", at, message);
    }
    for other in surroundings.others {
        if other.consumer != terms.consumer {
            check_certificates(reader, root, terms, other);
        } else if other.id != terms.id {
            check_validity(reader, root, terms, other);
            check_kind(reader, root, terms, other);
        } else {
            check_version(reader, root, terms, other);
            check_kind(reader, root, terms, other);
        }
    }
}

fn called(other: &Terms) -> String {
    format!("{} version {} ({})", other.id, other.version, other.consumer)
}

/// A certificate speaks for one party: bound to two it would speak for neither, or for the wrong one.
fn check_certificates(reader: &mut Reader, root: &Node<'_>, terms: &Terms, other: &Terms) {
    let same =
        |a: &Option<String>, b: &Option<String>| matches!((a, b), (Some(a), Some(b)) if a.eq_ignore_ascii_case(b));
    let systems = terms.access.systems.iter().zip(root.places("access", Some("system")));
    for (system, at) in systems {
        let taken = |one: &&System| same(&one.san, &system.san) || same(&one.fingerprint, &system.fingerprint);
        if let Some(one) = other.access.systems.iter().find(taken) {
            let message = format!("its certificate is that of {:?} in {}, another party", one.name, called(other));
            reader.wrong(root, "access.system", at, message);
        }
    }
}

/// A consumer has one agreement in force at a time.
fn check_validity(reader: &mut Reader, root: &Node<'_>, terms: &Terms, other: &Terms) {
    let begins_before_end = |a: &Terms, b: &Terms| b.valid_to.is_none_or(|last| a.valid_from <= last);
    if begins_before_end(terms, other) && begins_before_end(other, terms) {
        let at = root.place_in("agreement", "valid_from");
        let message = format!("overlaps {}: a party has one agreement at a time", called(other));
        reader.wrong(root, "agreement.valid_from", at, message);
    }
}

/// Versions of one agreement follow each other: each says one thing, and a later one does not begin before an earlier one.
fn check_version(reader: &mut Reader, root: &Node<'_>, terms: &Terms, other: &Terms) {
    let at = root.place_in("agreement", "version");
    if other.version == terms.version {
        if other != terms {
            let message = format!("{} says something else; an amendment is a version of its own", called(other));
            reader.wrong(root, "agreement.version", at, message);
        }
        return;
    }
    let (earlier, later) = if other.version < terms.version { (other, terms) } else { (terms, other) };
    if later.valid_from < earlier.valid_from {
        let at = root.place_in("agreement", "valid_from");
        let message = format!(
            "overlaps {}: version {} would be valid before version {} begins",
            called(other),
            later.version,
            earlier.version
        );
        reader.wrong(root, "agreement.valid_from", at, message);
    }
}

/// What a party is does not change from one of its agreements to the next.
fn check_kind(reader: &mut Reader, root: &Node<'_>, terms: &Terms, other: &Terms) {
    let kind = |terms: &Terms| -> Option<PartyKind> {
        terms.parties.iter().find(|party| party.role == PartyRole::Recipient).and_then(|party| party.kind)
    };
    if let (Some(here), Some(there)) = (kind(terms), kind(other))
        && here != there
    {
        let message = format!("the recipient is a {there} in {}, and a {here} here", called(other));
        reader.wrong(root, "party.kind", root.place("party"), message);
    }
}
