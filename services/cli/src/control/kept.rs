//! Orders, undone matches and parted students as the control journal holds them.

use std::collections::BTreeSet;

use agreements::Digest;
use anyhow::Context as _;
use chrono::{DateTime, Utc};
use identity::brought_back::Awaited;
use intake::restriction::kept::{IdHash, Kept, PartedStudent, Since, UndoneMatch};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{OVERLAP, journal::What};

/// An order to restrict.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OrderLine {
    /// The keyed hash of the person's identifier.
    person: String,
    /// The domain; none: everything about the person.
    domain: Option<i16>,
    /// The fact; none: the whole domain.
    fact: Option<Uuid>,
    kind: String,
    from: DateTime<Utc>,
    order_number: String,
    decided_by: String,
    recorded_at: DateTime<Utc>,
}

/// A match that a person undid.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UndoneLine {
    consumer: String,
    /// The keyed hash of the client's id.
    client: String,
    /// Those of the persons who were the student.
    persons: Vec<String>,
    undone_at: DateTime<Utc>,
    is_refused: bool,
}

/// A student who proved to be two.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PartedLine {
    /// Keyed hashes of who left.
    persons: Vec<String>,
    /// Keyed hashes of whom they left.
    with: Vec<String>,
    at: DateTime<Utc>,
}

/// How hashes are written: 64 hexadecimal digits, as those of papers.
fn text(hash: IdHash) -> String {
    Digest(hash).to_string()
}

fn texts(hashes: &[IdHash]) -> Vec<String> {
    hashes.iter().copied().map(text).collect()
}

fn hash(text: &str) -> anyhow::Result<IdHash> {
    Ok(super::digest(text).context("a keyed hash of the control journal is damaged")?.0)
}

fn hashes(texts: &[String]) -> anyhow::Result<Vec<IdHash>> {
    texts.iter().map(|text| hash(text)).collect()
}

/// From when on rows are to be listed that are not in these lines: transactions end in any order.
pub fn since(lines: &[What]) -> Since {
    let begin = DateTime::UNIX_EPOCH + OVERLAP;
    let mut last = Since { orders: begin, undone: begin, parted: begin };
    for line in lines {
        match line {
            What::Ordered(line) => last.orders = last.orders.max(line.recorded_at),
            What::Undone(line) => last.undone = last.undone.max(line.undone_at),
            What::Parted(line) => last.parted = last.parted.max(line.at),
            _ => {}
        }
    }
    Since { orders: last.orders - OVERLAP, undone: last.undone - OVERLAP, parted: last.parted - OVERLAP }
}

/// The lines of what is listed.
pub fn lines(kept: Kept) -> impl Iterator<Item = What> {
    let orders = kept.orders.into_iter().map(|order| {
        What::Ordered(OrderLine {
            person: text(order.person_hash),
            domain: order.domain,
            fact: order.natural_key,
            kind: order.kind,
            from: order.from,
            order_number: order.order_number,
            decided_by: order.decided_by,
            recorded_at: order.recorded_at,
        })
    });
    let undone = kept.undone.into_iter().map(|one| {
        What::Undone(UndoneLine {
            consumer: one.consumer.to_string(),
            client: text(one.client),
            persons: texts(&one.persons),
            undone_at: one.undone_at,
            is_refused: one.is_refused,
        })
    });
    let parted = kept
        .parted
        .into_iter()
        .map(|one| What::Parted(PartedLine { persons: texts(&one.persons), with: texts(&one.with), at: one.at }));
    orders.chain(undone).chain(parted)
}

/// What the lines say, to be brought back; nothing of whoever was erased.
pub fn read(lines: &[What]) -> anyhow::Result<Kept> {
    let erased: BTreeSet<&str> = lines
        .iter()
        .filter_map(|line| if let What::Erasure(line) = line { Some(line.persons()) } else { None })
        .flatten()
        .collect();
    let mut kept = Kept::default();
    for line in lines {
        match line {
            What::Ordered(line) if erased.contains(line.person.as_str()) => {}
            What::Ordered(line) => kept.orders.push(Awaited {
                person_hash: hash(&line.person)?,
                domain: line.domain,
                natural_key: line.fact,
                kind: line.kind.clone(),
                from: line.from,
                order_number: line.order_number.clone(),
                decided_by: line.decided_by.clone(),
                recorded_at: line.recorded_at,
            }),
            What::Undone(line) => kept.undone.push(UndoneMatch {
                consumer: line.consumer.parse().context("the control journal names an agency that cannot be")?,
                client: hash(&line.client)?,
                persons: hashes(&line.persons)?,
                undone_at: line.undone_at,
                is_refused: line.is_refused,
            }),
            What::Parted(line) => kept.parted.push(PartedStudent {
                persons: hashes(&line.persons)?,
                with: hashes(&line.with)?,
                at: line.at,
            }),
            _ => {}
        }
    }
    Ok(kept)
}
