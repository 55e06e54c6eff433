//! One chunk of items into the database.

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDate;
use history::{BatchInfo, Encoded, Outcome, Recording};
use identity::persons::{Introduction, Mention, Resolved, Said, birth_date_differs, resolve};
use model::{Fact, Masked, SourcePersonId};
use pg::{Role, Tx};
use reference::OrganizationName;

use super::{
    Batch, Buried, Context, Fate, LoadError, Tally, erased,
    kept::{self, ToKeep},
    one_person,
};
use crate::{
    Counted, Dependent, Description, Finding, Item, OrganizationRecord, RecordType, Reference, Severity, edfi, store,
};

/// What a record says of one person.
pub(super) struct Member {
    pub(super) state_id: Masked<String>,
    claimed_birth_date: Option<Masked<NaiveDate>>,
    facts: Vec<Encoded>,
    /// Who the record says the person is.
    said: Option<Said>,
    introduces: bool,
}

impl Member {
    fn new(state_id: Masked<String>, facts: Vec<Fact>, payloads: Payloads) -> Self {
        let encode = match payloads {
            Payloads::Kept => Encoded::keeping,
            Payloads::Dropped => Encoded::new,
        };
        let said = one_person::said(&facts);
        let facts = facts.into_iter().map(encode).collect();
        Self { state_id, claimed_birth_date: None, facts, said, introduces: false }
    }

    fn facts(&self) -> impl Iterator<Item = &Fact> {
        self.facts.iter().map(|encoded| &encoded.fact)
    }
}

/// Whether payloads are wanted once they are encoded.
#[derive(Clone, Copy)]
enum Payloads {
    /// The record may be kept until what it rests on comes.
    Kept,
    Dropped,
}

impl Payloads {
    fn of(layout: &str) -> Self {
        if rests_on_others(layout) { Self::Kept } else { Self::Dropped }
    }
}

/// Whether records of a layout may rest on other records.
fn rests_on_others(layout: &str) -> bool {
    layout.starts_with("edfi")
}

/// An item as it comes to the loader: made ready by the thread that read it, so that little is left to do beside the database.
pub(super) enum Ready {
    /// A record about persons.
    Row(Row),
    /// Anything else.
    Item(Item),
}

impl Ready {
    pub(super) fn of(item: Item, layout: &str) -> Option<Self> {
        match item {
            Item::Person { .. } | Item::Retracted { .. } | Item::Joint(_) => {
                row(item, Payloads::of(layout)).map(Self::Row)
            }
            other => Some(Self::Item(other)),
        }
    }
}

/// A record about one person or several, on its way.
pub(super) struct Row {
    pub(super) line: u32,
    pub(super) record_type: RecordType,
    retracts: bool,
    raw: Masked<Vec<u8>>,
    pub(super) members: Vec<Member>,
    /// Warnings about it.
    findings: Vec<Finding>,
    /// The record, if it rests on others.
    pub(super) keep: Option<ToKeep>,
}

/// What became of a row.
struct Written {
    row: Row,
    /// Of each fact.
    outcomes: Vec<Outcome>,
    /// Facts withdrawn.
    withdrawn: u64,
    /// Students whom nobody has introduced.
    unknown: Vec<usize>,
    /// It withdraws what nobody has stated so far.
    is_early: bool,
    /// It states what was withdrawn before it came.
    came_late: bool,
}

/// The items of a chunk by what is to be done with them.
#[derive(Default)]
pub(super) struct Sorted {
    pub(super) rows: Vec<Row>,
    organizations: Vec<(RecordType, OrganizationName)>,
    pub(super) quarantine: Vec<(u32, Masked<Vec<u8>>)>,
    descriptions: Vec<(u32, Description)>,
    pub(super) dependents: Vec<Dependent>,
}

/// Writes a chunk and counts its rows.
pub(super) async fn write(
    tx: &mut Tx<'_, '_>,
    context: Context<'_>,
    (batch, buried): (&mut Batch, &Buried),
    items: Vec<Ready>,
    tally: &mut Tally,
) -> Result<(), LoadError> {
    let info = &batch.info.clone();
    let mut sorted = Sorted::default();
    for item in items {
        match item {
            Ready::Row(row) => sorted.take_row(row, tally, context.limits.findings_max),
            Ready::Item(item) => sorted.take(item, tally, context.limits.findings_max),
        }
    }
    erased::sift(&mut sorted, buried, tally, context.limits.findings_max);
    write_organizations(tx, context, info, &sorted.organizations, tally).await?;
    let mut arrived = kept::describe(tx, info, std::mem::take(&mut sorted.descriptions)).await?;
    let dependents = kept::look_up(tx, &info.sea, std::mem::take(&mut sorted.dependents)).await?;
    let mut to_keep = sorted.tell(dependents, tally, context.limits.findings_max);
    // Each of its subjects meets its own withdrawal.
    to_keep.retain(|keep| keep.subjects.iter().filter(|subject| tally.early.meets(**subject)).count() == 0);
    let mut forgotten = BTreeSet::new();
    let Sorted { rows, mut quarantine, .. } = sorted;
    let rests_on_others = rests_on_others(&info.layout);
    if rests_on_others {
        let mut subjects: BTreeSet<Reference> = to_keep.iter().flat_map(|row| &row.subjects).copied().collect();
        subjects.extend(rows.iter().flat_map(subjects_of));
        forgotten = kept::forget(tx, &info.sea, &subjects).await?;
        for (line, member) in rows.iter().flat_map(|row| row.members.iter().map(|member| (row.line, member))) {
            if member.introduces {
                arrived.entry(edfi::student(&member.state_id)).or_insert(line);
            }
        }
    }
    for written in write_rows(tx, context, (batch, &forgotten), rows, tally).await? {
        count(&written, tally, context.limits.findings_max);
        note_erased(&written, tally, context.limits.findings_max);
        let kept = if rests_on_others { keep_unknown(&written)? } else { None };
        tally.waiting += u64::from(kept.is_some() || written.is_early && !written.unknown.is_empty());
        let Written { row, unknown, came_late, .. } = written;
        to_keep.extend(kept.or(row.keep).filter(|_| !came_late));
        if !unknown.is_empty() {
            quarantine.push((row.line, row.raw));
        }
    }
    to_keep.extend(complete(tx, context, batch, arrived, tally).await?);
    kept::keep(tx, info, &to_keep).await?;
    tx.act_as(Role::Intake).await?;
    let first = i32::try_from(tally.kept).unwrap_or(i32::MAX).saturating_add(1);
    store::insert_quarantine(tx, info.batch, first, &quarantine).await?;
    tally.kept += quarantine.len() as u64;
    Ok(())
}

impl Sorted {
    fn take_row(&mut self, mut row: Row, tally: &mut Tally, findings_max: usize) {
        tally.find_all(std::mem::take(&mut row.findings), findings_max);
        self.rows.push(row);
    }

    fn take(&mut self, item: Item, tally: &mut Tally, findings_max: usize) {
        match item {
            // Those come as rows.
            Item::Person { .. } | Item::Retracted { .. } | Item::Joint(_) => {}
            Item::Organization { record_type, record, findings, .. } => {
                tally.find_all(findings, findings_max);
                self.organizations.push((record_type, organization(record)));
            }
            Item::Passed { record_type, kind, .. } => {
                tally.count(&record_type, Fate::Control, 1);
                *tally.passed_kinds.entry(kind).or_default() += 1;
            }
            Item::Described { line, record_type, descriptions, counted } => {
                self.descriptions.extend(descriptions.into_iter().map(|description| (line, description)));
                if counted == Counted::Here {
                    tally.count(&record_type, Fate::Control, 1);
                    *tally.described_kinds.entry(record_type.to_string()).or_default() += 1;
                }
            }
            Item::Dependent(dependent) => self.dependents.push(dependent),
            Item::Rejected { line, record_type, raw, findings } => {
                tally.find_all(findings, findings_max);
                tally.count(&record_type, Fate::Quarantined, 1);
                self.quarantine.push((line, raw));
            }
            Item::File(finding) => tally.find(finding, findings_max),
        }
    }

    /// Takes in what can be told of records that rest on others; what is to be kept of those of which nothing can.
    fn tell(&mut self, dependents: Vec<Dependent>, tally: &mut Tally, findings_max: usize) -> Vec<ToKeep> {
        let mut to_keep = Vec::new();
        for dependent in dependents {
            let keep = kept::to_keep(&dependent);
            let Some(told) = dependent.told else {
                tally.find_all(dependent.findings, findings_max);
                tally.count(&dependent.record_type, Fate::Quarantined, 1);
                self.quarantine.push((dependent.line, dependent.raw));
                tally.waiting += u64::from(keep.is_some());
                to_keep.extend(keep);
                continue;
            };
            tally.incomplete += u64::from(!dependent.missing.is_empty());
            if let Some(row) = row(*told, Payloads::Kept) {
                self.take_row(Row { keep, raw: dependent.raw, ..row }, tally, findings_max);
            }
        }
        to_keep
    }
}

/// The row of an item about persons.
fn row(item: Item, payloads: Payloads) -> Option<Row> {
    match item {
        Item::Person { line, record_type, state_id, claimed_birth_date, facts, introduces, raw, findings } => {
            let member = Member { claimed_birth_date, introduces, ..Member::new(state_id, facts, payloads) };
            Some(Row { line, record_type, retracts: false, raw, members: vec![member], findings, keep: None })
        }
        Item::Retracted { line, record_type, state_id, facts } => {
            let facts = facts.into_iter().flat_map(edfi::in_any_year).collect();
            let members = vec![Member::new(state_id, facts, payloads)];
            let (raw, findings) = (Masked::default(), Vec::new());
            Some(Row { line, record_type, retracts: true, raw, members, findings, keep: None })
        }
        Item::Joint(members) => {
            let mut rows = members.into_iter().filter_map(|member| row(member, payloads));
            let mut joint = rows.next()?;
            for row in rows {
                joint.members.extend(row.members);
                joint.findings.extend(row.findings);
            }
            Some(joint)
        }
        _ => None,
    }
}

fn subjects_of(row: &Row) -> Vec<Reference> {
    let facts = |member: &Member| edfi::subjects_of(&member.state_id, member.facts());
    row.members.iter().flat_map(facts).collect()
}

/// What is kept of a row that speaks of students whom nobody has introduced: it is complete when they are.
fn keep_unknown(written: &Written) -> Result<Option<ToKeep>, LoadError> {
    let row = &written.row;
    if row.retracts || written.unknown.is_empty() {
        return Ok(None);
    }
    let unknown: Vec<&Member> = written.unknown.iter().filter_map(|place| row.members.get(*place)).collect();
    let students = unknown.iter().map(|member| edfi::student(&member.state_id));
    if let Some(keep) = &row.keep {
        let rests_on = keep.rests_on.iter().copied().chain(students).collect();
        let (record, subjects) = (keep.record.clone(), keep.subjects.clone());
        return Ok(Some(ToKeep { line: row.line, record, rests_on, subjects }));
    }
    let told: Vec<(&Masked<String>, Vec<&Fact>)> =
        unknown.iter().map(|member| (&member.state_id, member.facts().collect())).collect();
    let record = edfi::keep_told(&told).map_err(|error| LoadError::Read(Box::new(error)))?;
    let subjects = unknown.iter().flat_map(|member| edfi::subjects_of(&member.state_id, member.facts())).collect();
    Ok(Some(ToKeep { line: row.line, record: Masked::new(record), rests_on: students.collect(), subjects }))
}

/// Loads kept records that what has arrived completes or changes; they are rows of an earlier file, and counted apart.
async fn complete(
    tx: &mut Tx<'_, '_>,
    context: Context<'_>,
    batch: &mut Batch,
    arrived: kept::Arrived,
    tally: &mut Tally,
) -> Result<Vec<ToKeep>, LoadError> {
    let mut to_keep = Vec::new();
    let mut rows = Vec::new();
    for (line, dependent) in kept::take(tx, &batch.info.sea, &arrived).await? {
        let keep = kept::to_keep(&dependent);
        match dependent.told {
            Some(mut told) => {
                kept::at_line(&mut told, line);
                if let Some(mut row) = row(*told, Payloads::Kept) {
                    tally.find_all(std::mem::take(&mut row.findings), context.limits.findings_max);
                    rows.push(Row { keep, ..row });
                }
            }
            None => to_keep.extend(keep),
        }
    }
    for written in write_rows(tx, context, (batch, &BTreeSet::new()), rows, tally).await? {
        let is_told = written.outcomes.iter().any(|outcome| *outcome != Outcome::Unchanged);
        tally.completed += u64::from(is_told);
        to_keep.extend(keep_unknown(&written)?.or(written.row.keep));
    }
    Ok(to_keep)
}

fn organization(record: OrganizationRecord) -> OrganizationName {
    OrganizationName {
        code: record.code,
        name: record.name,
        organization_type: record.organization_type,
        parent_code: record.parent_code,
        town: record.town,
        valid_from: record.open_date,
        verified: true,
    }
}

async fn write_organizations(
    tx: &mut Tx<'_, '_>,
    context: Context<'_>,
    info: &BatchInfo,
    organizations: &[(RecordType, OrganizationName)],
    tally: &mut Tally,
) -> Result<(), LoadError> {
    let mut by_type: BTreeMap<&RecordType, Vec<OrganizationName>> = BTreeMap::new();
    for (record_type, name) in organizations {
        by_type.entry(record_type).or_default().push(name.clone());
    }
    for (record_type, names) in by_type {
        let new = reference::record_organizations(tx, &info.sea, &names, context.clock.now()).await?;
        let rows = names.len() as u64;
        tally.count(record_type, Fate::Loaded, new.min(rows));
        tally.count(record_type, Fate::Unchanged, rows.saturating_sub(new));
    }
    Ok(())
}

/// Resolves the persons of rows and records or withdraws their facts, in the order of the file.
async fn write_rows(
    tx: &mut Tx<'_, '_>,
    context: Context<'_>,
    (batch, forgotten): (&mut Batch, &BTreeSet<Reference>),
    rows: Vec<Row>,
    tally: &mut Tally,
) -> Result<Vec<Written>, LoadError> {
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let mentions: Vec<Mention<'_>> = rows
        .iter()
        .flat_map(|row| &row.members)
        .map(|member| Mention { state_id: &member.state_id, introduces: member.introduces })
        .collect();
    let Batch { info, recording } = batch;
    let introduction = Introduction { sea: &info.sea, batch: info.batch, at: info.recorded_at };
    let Resolved { persons: resolved, mut introduced } = resolve(tx, introduction, &mentions, context.entropy).await?;
    drop(mentions);
    check_birth_dates(tx, context, &rows, &resolved, tally).await?;
    let told = rows.iter().flat_map(|row| row.members.iter().map(move |member| (row.line, member.said.as_ref())));
    let told: Vec<_> =
        told.zip(&resolved).filter_map(|((line, said), person)| Some(((*person)?, line, said?))).collect();
    one_person::check(tx, info, (&told, &introduced), tally, context.limits.findings_max).await?;
    let mut persons = resolved.into_iter();
    let mut written = Vec::with_capacity(rows.len());
    let mut known: Vec<Vec<Option<SourcePersonId>>> = Vec::with_capacity(rows.len());
    for row in rows {
        let of_row: Vec<Option<SourcePersonId>> = persons.by_ref().take(row.members.len()).collect();
        let unknown = (0..of_row.len()).filter(|place| of_row.get(*place).copied().flatten().is_none()).collect();
        known.push(of_row);
        written.push(Written { row, outcomes: Vec::new(), withdrawn: 0, unknown, is_early: false, came_late: false });
    }
    for (run, persons) in runs(&mut written, &known) {
        write_run(tx, context, recording, (run, persons), &introduced).await?;
        // From now on there may be facts about them.
        introduced.clear();
    }
    if !tally.early.is_empty() || written.iter().any(|written| written.row.retracts) {
        note_unstated(tx, &mut written, &known, forgotten, tally).await?;
        withdraw_late(tx, recording, &mut written, &known, tally).await?;
    }
    Ok(written)
}

/// Notes withdrawals of what was never stated, and is not kept in waiting either.
async fn note_unstated(
    tx: &mut Tx<'_, '_>,
    written: &mut [Written],
    known: &[Vec<Option<SourcePersonId>>],
    forgotten: &BTreeSet<Reference>,
    tally: &mut Tally,
) -> Result<(), LoadError> {
    let found_nothing = |written: &Written| {
        written.row.retracts
            && written.withdrawn == 0
            && !subjects_of(&written.row).iter().any(|subject| forgotten.contains(subject))
    };
    let mut rows = Vec::new();
    let mut facts = Vec::new();
    for (place, (written, persons)) in written.iter().zip(known).enumerate().filter(|(_, (w, _))| found_nothing(w)) {
        let of_row = facts_of(&written.row, persons);
        rows.extend(std::iter::repeat_n(place, of_row.len()));
        facts.extend(of_row);
    }
    let plain: Vec<_> = facts.iter().map(|(person, encoded)| (*person, &encoded.fact)).collect();
    let stated = history::list_stated(tx, &plain).await?;
    drop(facts);
    let stated: BTreeSet<usize> = stated.into_iter().filter_map(|fact| rows.get(fact).copied()).collect();
    for (place, written) in written.iter_mut().enumerate().filter(|(_, written)| found_nothing(written)) {
        if !stated.contains(&place) {
            written.is_early = true;
            tally.early.withdraw(subjects_of(&written.row), written.row.line);
        }
    }
    Ok(())
}

/// Withdraws what was stated after its withdrawal had come.
async fn withdraw_late(
    tx: &mut Tx<'_, '_>,
    recording: &mut Recording,
    written: &mut [Written],
    known: &[Vec<Option<SourcePersonId>>],
    tally: &mut Tally,
) -> Result<(), LoadError> {
    let mut late_rows = BTreeSet::new();
    let mut late = Vec::new();
    for (place, (written, persons)) in written.iter().zip(known).enumerate() {
        if written.row.retracts {
            continue;
        }
        for (member, person) in written.row.members.iter().zip(persons) {
            let subjects = edfi::subjects_of(&member.state_id, member.facts());
            for (fact, subject) in member.facts.iter().zip(subjects) {
                if tally.early.meets(subject) {
                    late_rows.insert(place);
                    late.extend(person.map(|person| (person, fact)));
                }
            }
        }
    }
    let _withdrawn = recording.retract(tx, &late).await?;
    drop(late);
    for place in late_rows {
        if let Some(written) = written.get_mut(place) {
            written.came_late = true;
        }
    }
    Ok(())
}

type Run<'w> = (&'w mut [Written], &'w [Vec<Option<SourcePersonId>>]);

/// Stretches of rows that all withdraw, or all say something: a row that withdraws what the row before said comes after it.
fn runs<'w>(written: &'w mut [Written], known: &'w [Vec<Option<SourcePersonId>>]) -> Vec<Run<'w>> {
    let mut known = known;
    let mut runs = Vec::new();
    for run in written.chunk_by_mut(|a, b| a.row.retracts == b.row.retracts) {
        let (of_run, rest) = known.split_at(run.len().min(known.len()));
        known = rest;
        runs.push((run, of_run));
    }
    runs
}

async fn write_run(
    tx: &mut Tx<'_, '_>,
    context: Context<'_>,
    recording: &mut Recording,
    (run, persons): Run<'_>,
    introduced: &BTreeSet<SourcePersonId>,
) -> Result<(), LoadError> {
    if run.first().is_some_and(|written| written.row.retracts) {
        for (written, persons) in run.iter_mut().zip(persons) {
            let facts = facts_of(&written.row, persons);
            written.withdrawn = recording.retract(tx, &facts).await?;
        }
        return Ok(());
    }
    let facts: Vec<Vec<(SourcePersonId, &Encoded)>> =
        run.iter().zip(persons).map(|(written, persons)| facts_of(&written.row, persons)).collect();
    let sizes: Vec<usize> = facts.iter().map(Vec::len).collect();
    let facts: Vec<(SourcePersonId, &Encoded)> = facts.into_iter().flatten().collect();
    let mut outcomes = recording.record(tx, &facts, introduced, context.tombstones).await?.into_iter();
    drop(facts);
    for (written, size) in run.iter_mut().zip(sizes) {
        written.outcomes = outcomes.by_ref().take(size).collect();
    }
    Ok(())
}

/// The facts of a row's known persons.
fn facts_of<'r>(row: &'r Row, persons: &[Option<SourcePersonId>]) -> Vec<(SourcePersonId, &'r Encoded)> {
    let known = row.members.iter().zip(persons).filter_map(|(member, person)| Some((member, (*person)?)));
    known.flat_map(|(member, person)| member.facts.iter().map(move |fact| (person, fact))).collect()
}

/// A row counts once: as quarantined if it names a student nobody has introduced; as a correction if any of its facts corrects, else as
/// loaded if any is new, else as unchanged; a row of which nothing may be kept is quarantined, without its bytes.
fn count(written: &Written, tally: &mut Tally, findings_max: usize) {
    let row = &written.row;
    let any = |outcome| written.outcomes.contains(&outcome);
    let fate = if !written.unknown.is_empty() {
        tally.find(unknown_person(row.line), findings_max);
        Fate::Quarantined
    } else if any(Outcome::Superseding) || written.withdrawn > 0 || written.came_late {
        Fate::Superseded
    } else if any(Outcome::New) || any(Outcome::PreliminaryAfterCertified) || any(Outcome::OlderEdition) {
        Fate::Loaded
    } else if any(Outcome::Erased) || any(Outcome::Expunged) {
        Fate::Quarantined
    } else {
        Fate::Unchanged
    };
    tally.count(&row.record_type, fate, 1);
    let mut tell = |rule: &str, message: &str| {
        tally.find(Finding::new(row.line, rule, Severity::Warning, message.to_owned()), findings_max);
    };
    if written.is_early {
        tell(
            "withdrawal.early",
            "the record withdraws what nobody has reported so far; it is kept, and what it names is withdrawn when it comes",
        );
    }
    if written.came_late {
        tell(
            "record.withdrawn",
            "the record was withdrawn by a delivery that came before it, and is kept as withdrawn; if it is to stand after all, send it once more",
        );
    }
    if any(Outcome::PreliminaryAfterCertified) {
        tell(
            "certification.preliminary_after_certified",
            "the record is preliminary and differs from what the district has certified; the certified value stays in use",
        );
    }
    if any(Outcome::OlderEdition) {
        tell(
            "record.older_edition",
            "the record is of an earlier edition (an earlier freeze or certification) than what is known, and differs from it; the later edition stays in use",
        );
    }
    if any(Outcome::Expunged) {
        tell(
            "record.expunged",
            "the source has had this record expunged, and this row of it bears no such mark: it is not taken in again",
        );
    }
}

/// A row that stated an erased fact: its line is blanked in the kept file, and what else was said of it goes.
fn note_erased(written: &Written, tally: &mut Tally, findings_max: usize) {
    if written.outcomes.contains(&Outcome::Erased) {
        let line = written.row.line;
        tally.found.forget(&BTreeSet::from([line]));
        tally.find(erased::erased(line), findings_max);
        tally.erased.insert(line);
    }
}

fn unknown_person(line: u32) -> Finding {
    let message = "the record refers to a student whom no registration or student record has made known; send that record first, then this one again";
    Finding::new(line, "person.unknown", Severity::Error, message.to_owned())
}

async fn check_birth_dates(
    tx: &mut Tx<'_, '_>,
    context: Context<'_>,
    rows: &[Row],
    persons: &[Option<SourcePersonId>],
    tally: &mut Tally,
) -> Result<(), LoadError> {
    let members = rows.iter().flat_map(|row| row.members.iter().map(move |member| (row.line, member)));
    let claims: Vec<(u32, SourcePersonId, Masked<NaiveDate>)> = members
        .zip(persons)
        .filter_map(|((line, member), person)| Some((line, (*person)?, member.claimed_birth_date.clone()?)))
        .collect();
    if claims.is_empty() {
        return Ok(());
    }
    let claimed: Vec<_> = claims.iter().map(|(_, person, day)| (*person, day.clone())).collect();
    let differ = birth_date_differs(tx, &claimed).await?;
    for (line, person, _) in claims {
        if differ.contains(&person) {
            let message = "the birth date is not the one registered for this identifier; check that the identifier is the right student's";
            let finding = Finding::new(line, "birth_date.differs", Severity::Warning, message.to_owned());
            tally.find(finding, context.limits.findings_max);
        }
    }
    Ok(())
}
