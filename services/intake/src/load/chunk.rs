//! One chunk of items into the database.

use chrono::NaiveDate;
use history::{BatchInfo, Outcome};
use identity::persons::{Introduction, Mention, Said, birth_date_differs, clear_differences, list_said, resolve};
use model::{Domain, Fact, Masked, SourcePersonId, Value};
use pg::{Role, Tx};
use reference::OrganizationName;

use super::{Context, LoadError, Tally};
use crate::{Finding, Item, OrganizationRecord, Severity, store};

/// A record about a person, on its way.
struct PersonRow {
    line: u32,
    state_id: Masked<String>,
    claimed_birth_date: Option<Masked<NaiveDate>>,
    facts: Vec<Fact>,
    introduces: bool,
    retracts: bool,
    raw: Masked<Vec<u8>>,
}

/// Writes a chunk and counts its rows.
pub(super) async fn write(
    tx: &mut Tx<'_, '_>,
    context: Context<'_>,
    info: &BatchInfo,
    items: Vec<Item>,
    tally: &mut Tally,
) -> Result<(), LoadError> {
    let max = context.limits.findings_max;
    let mut persons: Vec<PersonRow> = Vec::new();
    let mut organizations: Vec<OrganizationName> = Vec::new();
    let mut quarantine: Vec<(u32, Masked<Vec<u8>>)> = Vec::new();
    for item in items {
        match item {
            Item::Person { line, state_id, claimed_birth_date, facts, introduces, raw, findings } => {
                tally.find_all(findings, max);
                persons.push(PersonRow { line, state_id, claimed_birth_date, facts, introduces, retracts: false, raw });
            }
            Item::Retracted { line, state_id, facts } => persons.push(PersonRow {
                line,
                state_id,
                claimed_birth_date: None,
                facts,
                introduces: false,
                retracts: true,
                raw: Masked::default(),
            }),
            Item::Organization { record, findings, .. } => {
                tally.find_all(findings, max);
                organizations.push(organization(record));
            }
            Item::Passed { kind, .. } => {
                tally.counts.passed += 1;
                *tally.passed_kinds.entry(kind).or_default() += 1;
            }
            Item::Rejected { line, raw, findings } => {
                tally.find_all(findings, max);
                tally.counts.rows_in += 1;
                tally.counts.quarantined += 1;
                quarantine.push((line, raw));
            }
            Item::File(finding) => tally.find(finding, max),
        }
    }
    write_organizations(tx, context, info, &organizations, tally).await?;
    write_persons(tx, context, info, persons, tally, &mut quarantine).await?;
    tx.act_as(Role::Intake).await?;
    let first = i32::try_from(tally.kept).unwrap_or(i32::MAX).saturating_add(1);
    store::insert_quarantine(tx, info.batch, first, &quarantine).await?;
    tally.kept += quarantine.len() as u64;
    Ok(())
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
    names: &[OrganizationName],
    tally: &mut Tally,
) -> Result<(), LoadError> {
    if names.is_empty() {
        return Ok(());
    }
    let new = reference::record_organizations(tx, &info.sea, names, context.clock.now()).await?;
    let rows = names.len() as u64;
    tally.counts.rows_in += rows;
    tally.counts.loaded += new.min(rows);
    tally.counts.unchanged += rows.saturating_sub(new);
    Ok(())
}

async fn write_persons(
    tx: &mut Tx<'_, '_>,
    context: Context<'_>,
    info: &BatchInfo,
    rows: Vec<PersonRow>,
    tally: &mut Tally,
    quarantine: &mut Vec<(u32, Masked<Vec<u8>>)>,
) -> Result<(), LoadError> {
    let mentions: Vec<Mention<'_>> =
        rows.iter().map(|row| Mention { state_id: &row.state_id, introduces: row.introduces }).collect();
    let introduction = Introduction { sea: &info.sea, batch: info.batch, at: info.recorded_at };
    let resolved = resolve(tx, introduction, &mentions, context.entropy).await?;
    drop(mentions);
    let mut known: Vec<(SourcePersonId, PersonRow)> = Vec::with_capacity(rows.len());
    for (row, person) in rows.into_iter().zip(resolved) {
        tally.counts.rows_in += 1;
        if let Some(person) = person {
            known.push((person, row));
        } else {
            tally.counts.quarantined += 1;
            tally.find(unknown_person(row.line), context.limits.findings_max);
            quarantine.push((row.line, row.raw));
        }
    }
    check_birth_dates(tx, context, &known, tally).await?;
    check_one_person(tx, context, &known, tally).await?;
    retract(tx, info, &known, tally).await?;
    let kept: Vec<&(SourcePersonId, PersonRow)> = known.iter().filter(|(_, row)| !row.retracts).collect();
    let facts: Vec<(SourcePersonId, &Fact)> =
        kept.iter().flat_map(|(person, row)| row.facts.iter().map(move |fact| (*person, fact))).collect();
    let mut outcomes = history::record(tx, info.batch, &facts, context.tombstones).await?.into_iter();
    for (_, row) in kept {
        let of_row: Vec<Outcome> = outcomes.by_ref().take(row.facts.len()).collect();
        count(row.line, &of_row, tally, context.limits.findings_max);
    }
    Ok(())
}

/// A row counts once: as a correction if any of its facts corrects, else as loaded if any is new, else as unchanged; a row of which
/// nothing may be kept is quarantined, without its bytes.
fn count(line: u32, outcomes: &[Outcome], tally: &mut Tally, findings_max: usize) {
    let any = |outcome| outcomes.contains(&outcome);
    if any(Outcome::Superseding) {
        tally.counts.superseded += 1;
    } else if any(Outcome::New) || any(Outcome::PreliminaryAfterCertified) {
        tally.counts.loaded += 1;
    } else if any(Outcome::Erased) {
        tally.counts.quarantined += 1;
    } else {
        tally.counts.unchanged += 1;
    }
    let mut tell = |rule: &str, message: &str| {
        let finding = Finding {
            line,
            column: None,
            field: None,
            rule: rule.to_owned(),
            severity: Severity::Warning,
            message: message.to_owned(),
        };
        tally.find(finding, findings_max);
    };
    if any(Outcome::PreliminaryAfterCertified) {
        tell(
            "certification.preliminary_after_certified",
            "the record is preliminary and differs from what the district has certified; the certified value stays in use",
        );
    }
    if any(Outcome::Erased) {
        tell("record.erased", "the record was erased by order and is not taken in again");
    }
}

fn unknown_person(line: u32) -> Finding {
    Finding {
        line,
        column: None,
        field: None,
        rule: "person.unknown".to_owned(),
        severity: Severity::Error,
        message: "the record refers to a student whom no registration or student record has made known; send that record first, then this one again".to_owned(),
    }
}

async fn check_birth_dates(
    tx: &mut Tx<'_, '_>,
    context: Context<'_>,
    rows: &[(SourcePersonId, PersonRow)],
    tally: &mut Tally,
) -> Result<(), LoadError> {
    let claims: Vec<_> =
        rows.iter().filter_map(|(person, row)| Some((*person, row.claimed_birth_date.clone()?))).collect();
    if claims.is_empty() {
        return Ok(());
    }
    let differ = birth_date_differs(tx, &claims).await?;
    for (person, row) in rows {
        if row.claimed_birth_date.is_some() && differ.contains(person) {
            let finding = Finding {
                line: row.line,
                column: None,
                field: None,
                rule: "birth_date.differs".to_owned(),
                severity: Severity::Warning,
                message: "the birth date is not the one registered for this identifier; check that the identifier is the right student's".to_owned(),
            };
            tally.find(finding, context.limits.findings_max);
        }
    }
    Ok(())
}

/// What a record says of who the person is.
fn said(row: &PersonRow) -> Option<Said> {
    let fact =
        row.facts.iter().find(|fact| fact.domain == Domain::Student && fact.payload.contains_key("last_surname"))?;
    let text =
        |element: &str| fact.payload.get(element).and_then(Value::as_text).map(|text| Masked::new(text.to_owned()));
    Some(Said {
        first_name: text("first_name"),
        last_name: text("last_surname"),
        birth_date: fact.payload.get("birth_date").and_then(Value::as_date).map(Masked::new),
    })
}

/// Finds records that are about another person than those before under the same identifier. They are loaded all the same: which of the two the
/// identifier belongs to, a steward decides.
async fn check_one_person(
    tx: &mut Tx<'_, '_>,
    context: Context<'_>,
    rows: &[(SourcePersonId, PersonRow)],
    tally: &mut Tally,
) -> Result<(), LoadError> {
    let told: Vec<_> = rows.iter().filter_map(|(person, row)| Some((*person, row.line, said(row)?))).collect();
    if told.is_empty() {
        return Ok(());
    }
    let persons: Vec<SourcePersonId> = told.iter().map(|(person, _, _)| *person).collect();
    let mut known = list_said(tx, &persons).await?;
    for (person, line, said) in told {
        let before = known.entry(person).or_default();
        if before.contains(&said) {
            continue;
        }
        // Whoever is like any of those before is one of them.
        let differ =
            before.iter().map(|other| clear_differences(other, &said)).min_by_key(Vec::len).unwrap_or_default();
        if !differ.is_empty() {
            let finding = Finding {
                line,
                column: None,
                field: Some(differ.join(", ")),
                rule: "person.two_under_one_identifier".to_owned(),
                severity: Severity::Warning,
                message: "these fields are clearly another person's than those reported under this identifier before; \
                    check whose identifier it is. Both are kept"
                    .to_owned(),
            };
            tally.find(finding, context.limits.findings_max);
        }
        before.push(said);
    }
    Ok(())
}

async fn retract(
    tx: &mut Tx<'_, '_>,
    info: &BatchInfo,
    rows: &[(SourcePersonId, PersonRow)],
    tally: &mut Tally,
) -> Result<(), LoadError> {
    for (person, row) in rows.iter().filter(|(_, row)| row.retracts) {
        let facts: Vec<(SourcePersonId, &Fact)> = row.facts.iter().map(|fact| (*person, fact)).collect();
        let withdrawn = history::retract(tx, info.batch, &facts).await?;
        if withdrawn > 0 {
            tally.counts.superseded += 1;
        } else {
            tally.counts.unchanged += 1;
        }
    }
    Ok(())
}
