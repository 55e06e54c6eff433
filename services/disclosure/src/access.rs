//! The SEA's own door: complete exports and inspection by its own people. One access entry a run, none in a parent's record.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use ledger::Kind;
use model::{Domain, Masked, StudentId};
use pg::{Role, Tx};
use uuid::Uuid;

use crate::{
    Ask, Context, DisclosedHistory, Error, assemble, decision_time,
    disclosed::digest_sections,
    entry,
    store::{self, list_population},
};

/// The SEA sees everything its own agreement document names: every element.
struct Everything;

impl assemble::Allowed for Everything {
    fn domain(&self, _: Domain) -> bool {
        true
    }

    fn element(&self, domain: Domain, name: &str) -> bool {
        domains::definition(domain).find_element(name).is_some()
    }
}

async fn set_moment(tx: &mut Tx<'_, '_>, context: Context<'_>, ask: &Ask<'_>) -> Result<DateTime<Utc>, Error> {
    tx.act_as(Role::Ledger).await?;
    let at = decision_time(tx, context.clock).await?;
    tx.act_as(Role::Steward).await?;
    tx.set("at", &at.to_rfc3339()).await?;
    tx.set("as_of", &ask.as_of.map_or(at, |as_of| as_of.min(at)).to_rfc3339()).await?;
    Ok(at)
}

/// A page of all students, behind `after`.
pub async fn list_students(
    context: Context<'_>,
    ask: &Ask<'_>,
    after: Option<StudentId>,
    limit: u32,
) -> Result<Vec<StudentId>, Error> {
    let after = after.map(|student| student.to_string()).unwrap_or_default();
    pg::transaction("disclosure.students", Role::Steward)
        .run(context.pool, |tx| {
            let after = after.clone();
            Box::pin(async move {
                set_moment(tx, context, ask).await?;
                let rows = list_population(tx, ask.consumer, None, &after, i64::from(limit)).await?;
                Ok::<_, Error>(rows.into_iter().map(|(_, student, _)| StudentId(student)).collect())
            })
        })
        .await
}

/// The whole histories of these students, for the SEA itself. Call [`record_access`] for the run first: no record, no byte.
pub async fn access_chunk(
    context: Context<'_>,
    ask: &Ask<'_>,
    students: &[StudentId],
) -> Result<Vec<DisclosedHistory>, Error> {
    pg::transaction("disclosure.access", Role::Steward)
        .run(context.pool, |tx| {
            Box::pin(async move {
                let at = set_moment(tx, context, ask).await?;
                let organizations = reference::load_organizations(tx, ask.as_of.unwrap_or(at)).await?;
                let ids: Vec<Uuid> = students.iter().map(|student| student.0).collect();
                let mut facts = std::collections::HashMap::<StudentId, Vec<_>>::new();
                for (student, fact) in store::list_all_facts(tx, &ids).await? {
                    facts.entry(student).or_default().push(fact);
                }
                let in_force = context.agreements.load_active(tx, ask.consumer, at).await?;
                let (title, version, recipient) = in_force.as_deref().map_or_else(
                    || (String::new(), 0, ask.consumer.to_string()),
                    |in_force| {
                        (
                            in_force.terms().title.clone(),
                            in_force.terms().version,
                            in_force.terms().recipient().to_owned(),
                        )
                    },
                );
                let histories = students.iter().map(|student| {
                    let sections =
                        assemble::sections(&Everything, facts.remove(student).unwrap_or_default(), &organizations);
                    DisclosedHistory {
                        disclosure: model::disclosure_id(context.entropy),
                        consumer: ask.consumer.clone(),
                        person_key: Masked::new(student.to_string()),
                        student: *student,
                        agreement_title: title.clone(),
                        agreement_version: version,
                        recipient: recipient.clone(),
                        legal_basis: "school_official".to_owned(),
                        notice: String::new(),
                        retention_days: 0,
                        decided_at: at,
                        as_of: ask.as_of.map_or(at, |as_of| as_of.min(at)),
                        content_digest: digest_sections(&sections),
                        sections,
                    }
                });
                Ok::<_, Error>(histories.collect())
            })
        })
        .await
}

/// Records that the SEA's own people are about to see these students: who, for what, how many, and the Merkle root over them.
pub async fn record_access(context: Context<'_>, ask: &Ask<'_>, students: &BTreeSet<StudentId>) -> Result<(), Error> {
    let root = ledger::students_root(students).0;
    let count = students.len() as u64;
    pg::transaction("disclosure.record_access", Role::Steward)
        .run(context.pool, |tx| {
            Box::pin(async move {
                let at = set_moment(tx, context, ask).await?;
                let in_force = context.agreements.load_active(tx, ask.consumer, at).await?;
                let terms = entry::terms_of_ask(ask.consumer, in_force.as_deref())?;
                let id = model::disclosure_id(context.entropy);
                let entry = entry::run(ask, Kind::Access, terms, id, (count, root), at, context.entropy);
                tx.act_as(Role::Ledger).await?;
                ledger::record_one(tx, &entry).await?;
                Ok::<_, Error>(())
            })
        })
        .await
}
