//! What outlives a delivery: descriptions that later records may refer to, and records that rest on what has not come yet.

use std::collections::{BTreeMap, BTreeSet};

use history::BatchInfo;
use model::{Masked, Sea};
use pg::{Role, Tx};

use super::LoadError;
use crate::{
    Dependent, Description, Item, RecordType, Reference, edfi,
    edfi::{Index, Reread},
    store,
};

/// What has been described or introduced, and on which line.
pub(super) type Arrived = BTreeMap<Reference, u32>;

/// A record to be kept.
pub(crate) struct ToKeep {
    pub line: u32,
    pub record: Masked<Vec<u8>>,
    /// What it rests on.
    pub rests_on: BTreeSet<Reference>,
    /// The facts it speaks of.
    pub subjects: Vec<Reference>,
}

impl ToKeep {
    fn of(dependent: &Dependent) -> Self {
        Self {
            line: dependent.line,
            record: dependent.record.clone(),
            rests_on: dependent.missing.iter().chain(&dependent.rests_on).copied().collect(),
            subjects: dependent.subjects.clone(),
        }
    }
}

/// Bytes of descriptions that one chunk of records may look up.
const LOOKED_UP_BYTES_MAX: usize = 256 << 20;

/// Descriptions lead to others (a school to its district): so many steps at most.
const STEPS_MAX: usize = 20;

/// Keeps descriptions, and says which say something new.
pub(super) async fn describe(
    tx: &mut Tx<'_, '_>,
    info: &BatchInfo,
    descriptions: Vec<(u32, Description)>,
) -> Result<Arrived, LoadError> {
    let mut last: BTreeMap<Reference, (u32, Description)> = BTreeMap::new();
    for (line, description) in descriptions {
        last.insert(description.reference, (line, description));
    }
    if last.is_empty() {
        return Ok(Arrived::new());
    }
    tx.act_as(Role::Intake).await?;
    let rows: Vec<(u32, Description)> = last.into_values().collect();
    let new = store::kept::upsert_descriptions(tx, &info.sea, info.batch, &rows).await?;
    let lines: BTreeMap<Reference, u32> = rows.iter().map(|(line, d)| (d.reference, *line)).collect();
    Ok(new.into_iter().filter_map(|reference| Some((reference, *lines.get(&reference)?))).collect())
}

/// Looks for what the records miss among earlier deliveries, and reads those again for which something was found.
pub(super) async fn look_up(
    tx: &mut Tx<'_, '_>,
    sea: &Sea,
    mut dependents: Vec<Dependent>,
) -> Result<Vec<Dependent>, LoadError> {
    let missing: BTreeSet<Reference> = dependents.iter().flat_map(|dependent| &dependent.missing).copied().collect();
    if missing.is_empty() {
        return Ok(dependents);
    }
    let incomplete: Vec<usize> = (0..dependents.len())
        .filter(|place| dependents.get(*place).is_some_and(|dependent| !dependent.missing.is_empty()))
        .collect();
    let records: Vec<(&[u8], &[u8])> = incomplete
        .iter()
        .filter_map(|place| dependents.get(*place))
        .map(|dependent| (dependent.record.expose().as_slice(), dependent.raw.expose().as_slice()))
        .collect();
    let Some(reread) = read_again(tx, sea, &records, missing).await? else { return Ok(dependents) };
    for (place, reread) in incomplete.into_iter().zip(reread) {
        let Some(dependent) = dependents.get_mut(place) else { continue };
        dependent.missing = reread.missing;
        dependent.rests_on = reread.rests_on;
        if let Some(record) = reread.record {
            dependent.record = record;
        }
        match reread.told {
            Ok(item) => {
                dependent.subjects = edfi::subjects(&item);
                dependent.told = Some(Box::new(item));
                dependent.findings = Vec::new();
            }
            Err(findings) => dependent.findings = findings,
        }
    }
    Ok(dependents)
}

/// Reads records with what has been described so far, step by step. `None`: nothing of what they miss has been.
async fn read_again(
    tx: &mut Tx<'_, '_>,
    sea: &Sea,
    records: &[(&[u8], &[u8])],
    missing: BTreeSet<Reference>,
) -> Result<Option<Vec<Reread>>, LoadError> {
    tx.act_as(Role::Intake).await?;
    let broken = |error: crate::Error| LoadError::Read(Box::new(error));
    let mut index = Index::new(LOOKED_UP_BYTES_MAX);
    let mut asked: BTreeSet<Reference> = BTreeSet::new();
    let mut wanted = missing;
    let mut read = None;
    for _ in 0..STEPS_MAX {
        wanted = wanted.difference(&asked).copied().collect();
        let bodies = store::kept::find_descriptions(tx, sea, &wanted).await?;
        asked.append(&mut wanted);
        if bodies.is_empty() {
            break;
        }
        for body in &bodies {
            index.import(body).map_err(broken)?;
        }
        let again = read_with(records, &index)?;
        wanted = again.iter().flat_map(|reread| &reread.missing).copied().collect();
        read = Some(again);
    }
    Ok(read)
}

fn read_with(records: &[(&[u8], &[u8])], index: &Index) -> Result<Vec<Reread>, LoadError> {
    let read = records.iter().map(|(record, raw)| edfi::reread(record, raw, index));
    read.collect::<Result<_, _>>().map_err(|error| LoadError::Read(Box::new(error)))
}

/// Forgets kept records of facts that a later record speaks of, and gives those facts.
pub(super) async fn forget(
    tx: &mut Tx<'_, '_>,
    sea: &Sea,
    subjects: &BTreeSet<Reference>,
) -> Result<BTreeSet<Reference>, LoadError> {
    tx.act_as(Role::Intake).await?;
    Ok(store::kept::delete_subjects(tx, sea, subjects).await?)
}

/// Keeps records until what they rest on comes or changes.
pub(super) async fn keep(tx: &mut Tx<'_, '_>, info: &BatchInfo, rows: &[ToKeep]) -> Result<(), LoadError> {
    if rows.is_empty() {
        return Ok(());
    }
    tx.act_as(Role::Intake).await?;
    Ok(store::kept::insert_records(tx, &info.sea, info.batch, rows).await?)
}

/// Takes the records that rest on what has arrived, each with the line that completes it.
pub(super) async fn take(
    tx: &mut Tx<'_, '_>,
    sea: &Sea,
    arrived: &Arrived,
) -> Result<Vec<(u32, Dependent)>, LoadError> {
    if arrived.is_empty() {
        return Ok(Vec::new());
    }
    tx.act_as(Role::Intake).await?;
    let taken = store::kept::take_records(tx, sea, arrived).await?;
    if taken.is_empty() {
        return Ok(Vec::new());
    }
    let mut dependents = Vec::with_capacity(taken.len());
    let records: Vec<(&[u8], &[u8])> = taken.iter().map(|(_, record)| (record.as_slice(), [].as_slice())).collect();
    let unaided = read_with(&records, &Index::new(LOOKED_UP_BYTES_MAX))?;
    let mut missing: BTreeSet<Reference> = arrived.keys().copied().collect();
    missing.extend(unaided.iter().flat_map(|reread| reread.missing.iter().chain(&reread.rests_on)));
    let reread = read_again(tx, sea, &records, missing).await?.unwrap_or(unaided);
    for ((line, record), reread) in taken.into_iter().zip(reread) {
        let (told, findings) = match reread.told {
            Ok(item) => (Some(item), Vec::new()),
            Err(findings) => (None, findings),
        };
        dependents.push((
            line,
            Dependent {
                line,
                record_type: RecordType::from("kept"),
                missing: reread.missing,
                rests_on: reread.rests_on,
                subjects: told.as_ref().map(edfi::subjects).unwrap_or_default(),
                record: reread.record.unwrap_or_else(|| Masked::new(record)),
                raw: Masked::default(),
                told: told.map(Box::new),
                findings,
            },
        ));
    }
    Ok(dependents)
}

/// What must be kept of a record after it was told as far as possible.
pub(super) fn to_keep(dependent: &Dependent) -> Option<ToKeep> {
    let rests = !dependent.missing.is_empty() || !dependent.rests_on.is_empty();
    rests.then(|| ToKeep::of(dependent))
}

/// The line at which a completed record's facts are recorded: that of the row that completed it, in the file at hand.
pub(super) fn at_line(item: &mut Item, at: u32) {
    match item {
        Item::Person { line, facts, findings, .. } => {
            *line = at;
            findings.clear();
            for fact in facts {
                fact.line = at;
            }
        }
        Item::Joint(members) => members.iter_mut().for_each(|member| at_line(member, at)),
        _ => {}
    }
}
