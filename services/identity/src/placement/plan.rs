//! What a report of placements changes: pure, over what is known of the same stays and clients.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use model::Entropy;
use uuid::Uuid;

use super::{PlacementFinding, PlacementRow, RecordKind, Stay};

/// What is to be written, and what the receipt says.
#[derive(Debug, Default)]
pub(super) struct Planned {
    /// Stays whose version is no longer the last.
    pub(super) superseded: Vec<Uuid>,
    /// New versions.
    pub(super) inserted: Vec<Stay>,
    pub(super) new: u64,
    pub(super) corrected: u64,
    pub(super) withdrawn: u64,
    pub(super) unchanged: u64,
    pub(super) findings: Vec<PlacementFinding>,
}

/// Plans. `current` holds the last versions of all stays that the rows name, and of all stays of the clients whom they name.
pub(super) fn plan(
    file: &str,
    rows: Vec<PlacementRow>,
    current: &[Stay],
    at: DateTime<Utc>,
    entropy: &dyn Entropy,
) -> Planned {
    let mut planned = Planned::default();
    let known: BTreeMap<&str, &Stay> = current.iter().map(|stay| (stay.stay_key.expose().as_str(), stay)).collect();
    let mut usable = Vec::with_capacity(rows.len());
    for row in rows {
        match contradiction(&row, known.get(row.stay_key.expose().as_str()).copied()) {
            Some((rule, message)) => planned.refuse(file, &row, rule, message),
            None => usable.push(row),
        }
    }
    let overlapping = overlaps(&usable, current);
    for row in usable {
        if overlapping.contains(&row.line) {
            let message =
                "the client would be at two places at once: the stay begins before another of theirs has ended";
            planned.refuse(file, &row, "stay.overlap", message);
            continue;
        }
        planned.take(&row, known.get(row.stay_key.expose().as_str()).copied(), at, entropy);
    }
    planned
}

/// Why a row cannot be about the stay that is known by its key.
fn contradiction(row: &PlacementRow, known: Option<&Stay>) -> Option<(&'static str, &'static str)> {
    match known {
        Some(stay) if stay.person_key != row.person_key => Some((
            "stay.other_client",
            "this stay was reported of another client: take the report back, and report the stay under an id of its own",
        )),
        None if row.kind == RecordKind::Withdrawn => {
            Some(("stay.unknown", "the row takes back a stay that was never reported"))
        }
        _ => None,
    }
}

/// The lines of rows by which a client would be at two places at once. What is known already contradicts no row that leaves it as it is.
fn overlaps(rows: &[PlacementRow], current: &[Stay]) -> BTreeSet<u64> {
    type Span = (DateTime<Utc>, Option<DateTime<Utc>>, Option<u64>);
    let named: BTreeSet<&str> = rows.iter().map(|row| row.stay_key.expose().as_str()).collect();
    let mut spans: BTreeMap<&str, Vec<Span>> = BTreeMap::new();
    for stay in current.iter().filter(|stay| !stay.is_withdrawn && !named.contains(stay.stay_key.expose().as_str())) {
        spans.entry(stay.person_key.expose()).or_default().push((stay.admitted_at, stay.released_at, None));
    }
    for row in rows.iter().filter(|row| row.kind == RecordKind::Stay) {
        spans.entry(row.person_key.expose()).or_default().push((row.admitted_at, row.released_at, Some(row.line)));
    }
    let mut lines = BTreeSet::new();
    for spans in spans.values() {
        for (place, one) in spans.iter().enumerate() {
            for other in spans.iter().skip(place + 1) {
                let before = |a: &Span, b: &Span| a.1.is_some_and(|end| end <= b.0);
                if !before(one, other) && !before(other, one) {
                    lines.extend([one.2, other.2].into_iter().flatten());
                }
            }
        }
    }
    lines
}

impl Planned {
    fn refuse(&mut self, file: &str, row: &PlacementRow, rule: &'static str, message: &str) {
        let (file, message) = (file.to_owned(), message.to_owned());
        self.findings.push(PlacementFinding { file, line: row.line, field: None, rule, message });
    }

    fn take(&mut self, row: &PlacementRow, known: Option<&Stay>, at: DateTime<Utc>, entropy: &dyn Entropy) {
        let wanted = Stay {
            placement: known.map_or_else(|| entropy.uuid(), |stay| stay.placement),
            person_key: row.person_key.clone(),
            stay_key: row.stay_key.clone(),
            facility: row.facility.clone(),
            admitted_at: row.admitted_at,
            released_at: row.released_at,
            is_withdrawn: row.kind == RecordKind::Withdrawn,
            recorded_at: at,
        };
        match known {
            // What is taken back says nothing, so that it cannot say anything else.
            Some(stay) if wanted.is_withdrawn && stay.is_withdrawn => self.unchanged += 1,
            Some(stay) if (Stay { recorded_at: at, ..stay.clone() }) == wanted => self.unchanged += 1,
            Some(stay) => {
                self.superseded.push(stay.placement);
                if wanted.is_withdrawn {
                    self.withdrawn += 1;
                } else {
                    self.corrected += 1;
                }
                self.inserted.push(wanted);
            }
            None => {
                self.new += 1;
                self.inserted.push(wanted);
            }
        }
    }
}
