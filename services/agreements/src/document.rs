//! From the document a lawyer reads to [`Terms`]: strictly, and with every mistake named at once.
//!
//! The document is TOML. No field is passed over, no value is guessed, and a term that names something the database cannot
//! filter on is refused: what cannot be enforced must not be promised.

mod clause;
mod reader;
mod rules;
mod surroundings;

pub use surroundings::Surroundings;

use std::fmt::Display;

use chrono_tz::Tz;
use model::ConsumerId;
use toml::de::DeTable;

use crate::{
    Error,
    finding::{Finding, Severity},
    terms::{
        Access, Amendment, Audiences, Basis, FORMAT, OnwardParty, Party, PartyKind, PartyRole, PlacementNotice,
        Population, Purpose, Redisclosure, Retention, Role, System, Terms,
    },
};
use reader::{Found, LastDay, Node, Reader};

/// The longest document that is read.
pub const DOCUMENT_BYTES_MAX: usize = 512 * 1024;

/// A document after reading.
#[derive(Clone, Debug)]
pub struct Checked {
    /// What it says, if it has no mistakes.
    pub terms: Option<Terms>,
    /// Mistakes and doubts, in the order of lines.
    pub findings: Vec<Finding>,
}

/// Reads a document and names all that is wrong with it.
pub fn check(text: &str) -> Checked {
    check_among(text, Surroundings::default())
}

/// The same, and what is wrong with it on a day and beside other agreements: it is over, or contradicts one of them.
pub fn check_among(text: &str, surroundings: Surroundings<'_>) -> Checked {
    let mut reader = Reader::new(text);
    if text.len() > DOCUMENT_BYTES_MAX {
        let finding = Finding {
            severity: Severity::Error,
            line: 1,
            clause: None,
            field: String::new(),
            message: format!("the document is longer than {DOCUMENT_BYTES_MAX} bytes"),
        };
        return Checked { terms: None, findings: vec![finding] };
    }
    let (root, errors) = DeTable::parse_recoverable(text);
    let terms = if errors.is_empty() {
        read(&mut reader, &mut Node::root(&root), surroundings)
    } else {
        for error in &errors {
            reader.syntax(error);
        }
        None
    };
    let mut findings = reader.findings;
    findings.sort_by_key(|finding| finding.line);
    let sound = findings.iter().all(|finding| finding.severity == Severity::Warning);
    Checked { terms: terms.filter(|_| sound), findings }
}

/// What a document says; an error with all its mistakes if it has any.
pub fn parse(text: &str) -> Result<Terms, Error> {
    let Checked { terms, mut findings } = check(text);
    terms.ok_or_else(|| {
        findings.retain(|finding| finding.severity == Severity::Error);
        Error::Document(findings)
    })
}

struct Head {
    id: String,
    version: i32,
    title: String,
    consumer: ConsumerId,
    signed: String,
    valid_from: Found<chrono::NaiveDate>,
    valid_to: LastDay,
    time_zone: String,
}

fn read(reader: &mut Reader, root: &mut Node<'_>, surroundings: Surroundings<'_>) -> Option<Terms> {
    let format = reader.text(root, "format");
    if let Some(format) = format.as_ref().filter(|format| format.value != FORMAT) {
        reader.wrong(root, "format", format.at, format!("this program reads {FORMAT:?} only"));
    }
    let head = reader.table(root, "agreement").and_then(|node| read_head(reader, node));
    let parties = reader.tables(root, "party");
    let parties = each(reader, parties, read_party);
    let population = reader.table(root, "population").and_then(|node| read_population(reader, node));
    let purposes = reader.tables(root, "purpose");
    let purposes = each(reader, purposes, read_purpose);
    let bases = reader.tables(root, "basis");
    let bases = each(reader, bases, read_basis);
    let access = reader.table(root, "access").and_then(|node| read_access(reader, node));
    let nodes = reader.tables(root, "clause");
    let places: Vec<usize> = nodes.iter().map(Node::at).collect();
    let context = clause::Context {
        purposes: purposes.iter().flatten().map(|purpose| purpose.id.as_str()).collect(),
        bases: bases.iter().flatten().map(|basis| basis.law).collect(),
        complete: purposes.is_some() && bases.is_some(),
    };
    let clauses = each(reader, nodes, |reader, node| clause::read(reader, node, &context));
    let has_notice = root.keys().contains(&"placement_notice");
    let placement_notice =
        reader.table_if_any(root, "placement_notice").and_then(|node| read_placement_notice(reader, node));
    let redisclosure = reader.table(root, "redisclosure").and_then(|node| read_redisclosure(reader, node));
    let retention = reader.table(root, "retention").and_then(|node| read_retention(reader, node));
    let audience = reader.table(root, "audience").and_then(|node| read_audience(reader, node));
    let amendments = reader.tables_if_any(root, "amendment");
    let amendments = each(reader, amendments, read_amendment);
    reader.close(root);

    let head = head?;
    let valid_to = match head.valid_to {
        LastDay::Never => None,
        LastDay::On(day) => {
            if day.value < head.valid_from.value {
                reader.wrong(root, "agreement.valid_to", day.at, "lies before valid_from");
            }
            Some(day.value)
        }
    };
    let terms = Terms {
        format: FORMAT.to_owned(),
        id: head.id,
        version: head.version,
        title: head.title,
        consumer: head.consumer,
        signed: head.signed,
        valid_from: head.valid_from.value,
        valid_to,
        time_zone: head.time_zone,
        parties: parties?,
        population: population?,
        purposes: purposes?,
        bases: bases?,
        access: access?,
        clauses: clauses?,
        placement_notice: if has_notice { Some(placement_notice?) } else { None },
        redisclosure: redisclosure?,
        retention: retention?,
        audience: audience?,
        amendments: amendments?,
    };
    rules::check(reader, root, &terms, &places);
    surroundings::check(reader, root, &terms, surroundings);
    Some(terms)
}

/// Reads each table; all must be sound for the list to be.
fn each<'d, T>(
    reader: &mut Reader,
    nodes: Vec<Node<'d>>,
    mut read: impl FnMut(&mut Reader, Node<'d>) -> Option<T>,
) -> Option<Vec<T>> {
    let read: Vec<_> = nodes.into_iter().map(|node| read(reader, node)).collect();
    read.into_iter().collect()
}

/// An id of a document: short, lower case, fit for a row, a message and a person.
struct Slug(String);

impl std::str::FromStr for Slug {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let legal = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
        let begins = text.bytes().next().is_some_and(|first| first.is_ascii_lowercase());
        if begins && text.len() <= 48 && text.bytes().all(legal) {
            Ok(Self(text.to_owned()))
        } else {
            Err("an id has 1 to 48 characters out of a-z, 0-9 and _, and begins with a letter")
        }
    }
}

fn read_head(reader: &mut Reader, mut node: Node<'_>) -> Option<Head> {
    let node = &mut node;
    let id = reader.name::<Slug>(node, "id");
    let version = reader.number(node, "version", 1, i64::from(i32::MAX));
    let title = reader.text(node, "title");
    let consumer = reader.name::<ConsumerId>(node, "consumer");
    let signed = reader.text(node, "signed");
    let valid_from = reader.day(node, "valid_from");
    let valid_to = reader.day_or_perpetual(node, "valid_to");
    let time_zone = reader.text(node, "time_zone");
    if let Some(zone) = time_zone.as_ref().filter(|zone| zone.value.parse::<Tz>().is_err()) {
        reader.wrong(node, "time_zone", zone.at, "is no time zone of the IANA list, such as America/New_York");
    }
    reader.close(node);
    Some(Head {
        id: id?.value.0,
        version: i32::try_from(version?).ok()?,
        title: title?.value,
        consumer: consumer?.value,
        signed: signed?.value,
        valid_from: valid_from?,
        valid_to: valid_to?,
        time_zone: time_zone?.value,
    })
}

fn read_party(reader: &mut Reader, mut node: Node<'_>) -> Option<Party> {
    let node = &mut node;
    let name = reader.text(node, "name");
    let role = reader.name(node, "role");
    let kind = reader.name_if_any::<PartyKind>(node, "kind").map(|kind| kind.value);
    if kind.is_none() && role.as_ref().is_some_and(|role| role.value == PartyRole::Recipient) {
        let at = node.at();
        let known = PartyKind::ALL.iter().map(|one| one.as_str()).collect::<Vec<_>>().join(", ");
        reader.wrong(
            node,
            "kind",
            at,
            format!("a recipient says what it is, for the law releases to some only: {known}"),
        );
    }
    reader.close(node);
    Some(Party { name: name?.value, role: role?.value, kind })
}

fn read_population(reader: &mut Reader, mut node: Node<'_>) -> Option<Population> {
    let node = &mut node;
    let rule = reader.name(node, "rule");
    let text = reader.text(node, "text");
    reader.close(node);
    Some(Population { rule: rule?.value, text: text?.value })
}

fn read_purpose(reader: &mut Reader, mut node: Node<'_>) -> Option<Purpose> {
    let node = &mut node;
    let id = reader.name::<Slug>(node, "id");
    let text = reader.text(node, "text");
    reader.close(node);
    Some(Purpose { id: id?.value.0, text: text?.value })
}

fn read_basis(reader: &mut Reader, mut node: Node<'_>) -> Option<Basis> {
    let node = &mut node;
    let law = reader.name(node, "law");
    let citation = reader.text(node, "citation");
    let conditions = reader.names(node, "conditions");
    let text = reader.text(node, "text");
    reader.close(node);
    let basis = Basis { law: law?.value, citation: citation?.value, conditions: conditions?, text: text?.value };
    rules::check_basis(reader, node, &basis);
    Some(basis)
}

fn read_access(reader: &mut Reader, mut node: Node<'_>) -> Option<Access> {
    let node = &mut node;
    let deliveries = reader.names(node, "deliveries");
    let offices = reader.all_or_texts(node, "offices");
    let scheduled_runs = reader.flag(node, "scheduled_runs");
    let systems = reader.tables_if_any(node, "system");
    let systems = each(reader, systems, read_system);
    let roles = reader.tables_if_any(node, "role");
    let roles = each(reader, roles, read_role);
    reader.close(node);
    Some(Access {
        deliveries: deliveries?,
        offices: match offices? {
            reader::AllOr::All => None,
            reader::AllOr::Listed(names) => Some(names.into_iter().map(|name| name.value).collect()),
        },
        scheduled_runs: scheduled_runs?,
        systems: systems?,
        roles: roles?,
    })
}

fn read_system(reader: &mut Reader, mut node: Node<'_>) -> Option<System> {
    let node = &mut node;
    let name = reader.text(node, "name");
    let san = reader.text_if_any(node, "san");
    if let Some(san) = &san
        && let Some(why) = rules::no_certificate_name(&san.value)
    {
        reader.wrong(node, "san", san.at, why);
    }
    let san = san.map(|san| san.value);
    let fingerprint = reader.text_if_any(node, "fingerprint");
    if let Some(print) = &fingerprint {
        let hexadecimal = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        if print.value.len() != 64 || !print.value.bytes().all(hexadecimal) {
            reader.wrong(
                node,
                "fingerprint",
                print.at,
                "is the SHA-256 of a certificate: 64 digits out of 0-9 and a-f",
            );
        }
    }
    if san.is_none() && fingerprint.is_none() {
        let at = node.at();
        reader.wrong(
            node,
            "san",
            at,
            "a system is known by the name in its certificate (san), its fingerprint, or both",
        );
    }
    reader.close(node);
    Some(System { name: name?.value, san, fingerprint: fingerprint.map(|print| print.value) })
}

fn read_role(reader: &mut Reader, mut node: Node<'_>) -> Option<Role> {
    let node = &mut node;
    let name = reader.name::<Slug>(node, "name");
    let scope = reader.name(node, "scope");
    let training = reader.number_if_any(node, "training_valid_days", 1, 3_660);
    reader.close(node);
    Some(Role {
        name: name?.value.0,
        scope: scope?.value,
        training_valid_days: training.and_then(|days| u16::try_from(days).ok()),
    })
}

fn read_placement_notice(reader: &mut Reader, mut node: Node<'_>) -> Option<PlacementNotice> {
    let node = &mut node;
    let text = reader.text(node, "text");
    let elements = reader.names(node, "elements");
    reader.close(node);
    Some(PlacementNotice { text: text?.value, elements: elements? })
}

fn read_redisclosure(reader: &mut Reader, mut node: Node<'_>) -> Option<Redisclosure> {
    let node = &mut node;
    let limit = reader.text(node, "limit");
    let notice = reader.text(node, "notice");
    let onward = reader.tables_if_any(node, "onward");
    let onward = each(reader, onward, |reader, mut node| {
        let party = reader.text(&mut node, "party");
        let interest = reader.text(&mut node, "interest");
        reader.close(&node);
        Some(OnwardParty { party: party?.value, interest: interest?.value })
    });
    reader.close(node);
    Some(Redisclosure { limit: limit?.value, notice: notice?.value, onward: onward? })
}

fn read_retention(reader: &mut Reader, mut node: Node<'_>) -> Option<Retention> {
    let node = &mut node;
    let days = reader.number(node, "days", 1, 36_600);
    let destruction = reader.text(node, "destruction");
    let attest = reader.number(node, "attest_within_days", 1, 366);
    reader.close(node);
    Some(Retention {
        days: i32::try_from(days?).ok()?,
        destruction: destruction?.value,
        attest_within_days: i32::try_from(attest?).ok()?,
    })
}

fn read_audience(reader: &mut Reader, mut node: Node<'_>) -> Option<Audiences> {
    let node = &mut node;
    let parent = value(reader.name(node, "parent"));
    let eligible_student = value(reader.name(node, "eligible_student"));
    let district = value(reader.name(node, "district"));
    let auditor = value(reader.name(node, "auditor"));
    reader.close(node);
    let audiences =
        Audiences { parent: parent?, eligible_student: eligible_student?, district: district?, auditor: auditor? };
    rules::check_audience(reader, node, audiences);
    Some(audiences)
}

fn value<T>(found: Option<Found<T>>) -> Option<T> {
    found.map(|found| found.value)
}

fn read_amendment(reader: &mut Reader, mut node: Node<'_>) -> Option<Amendment> {
    let node = &mut node;
    let version = reader.number(node, "version", 2, i64::from(i32::MAX));
    let on = reader.day(node, "on");
    let text = reader.text(node, "text");
    reader.close(node);
    Some(Amendment { version: i32::try_from(version?).ok()?, on: on?.value, text: text?.value })
}

/// Names that appear twice in a list of named tables.
fn duplicates<T: Display + PartialEq>(names: &[T]) -> Vec<String> {
    names
        .iter()
        .enumerate()
        .filter(|(at, name)| names.iter().take(*at).any(|earlier| earlier == *name))
        .map(|(_, name)| name.to_string())
        .collect()
}

#[cfg(test)]
pub(crate) mod tests;
