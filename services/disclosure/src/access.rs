//! The SEA's own door: complete exports by its own people. One access entry a run, none in a parent's record.
//!
//! No record, no byte, by construction: [`access_chunk`] takes an [`Access`], which only [`record_access`] makes, once the entry has
//! committed, and which knows the students that the entry's Merkle root is over.

use std::collections::BTreeSet;

use agreements::{Authority, Denial, Grant, InForce, LegalBasis, PopulationRule, Reason, Subject, decide};
use chrono::{DateTime, Utc};
use ledger::{Hash, Kind};
use model::{ConsumerId, DisclosureId, Masked, StudentId};
use pg::{Role, Tx};
use uuid::Uuid;

use crate::{
    Ask, Context, DisclosedHistory, Error, Occasion,
    decided::{self, set_moment},
    entry, file_run,
    store::{self, list_population},
    until::{ATTEMPTS_MAX, Until},
};

/// The most students of one chunk.
pub const ACCESS_CHUNK_MAX: usize = 1_000;

/// An access that the ledger holds: the only key to [`access_chunk`]. Made by [`record_access`] alone, and good for exactly the
/// run, consumer, purpose, time and students that were recorded.
#[derive(Debug)]
pub struct Access {
    entry: DisclosureId,
    consumer: ConsumerId,
    run: Option<Uuid>,
    purpose: Option<String>,
    as_of: Option<DateTime<Utc>>,
    students: BTreeSet<StudentId>,
    root: Hash,
}

impl Access {
    /// The entry that records it.
    pub const fn entry(&self) -> DisclosureId {
        self.entry
    }

    /// The Merkle root over the students, as the entry holds it.
    pub const fn root(&self) -> Hash {
        self.root
    }

    /// The students it is good for, in the order of their ids.
    pub const fn students(&self) -> &BTreeSet<StudentId> {
        &self.students
    }

    fn covers(&self, ask: &Ask<'_>, students: &[StudentId]) -> Result<(), Error> {
        let same = self.consumer == *ask.consumer
            && self.run == ask.run
            && self.purpose.as_deref() == ask.purpose
            && self.as_of == ask.as_of;
        if !same {
            return Err(Error::Invalid(
                "an access is good for the run, consumer, purpose and time it was recorded for",
            ));
        }
        if students.len() > ACCESS_CHUNK_MAX {
            return Err(Error::Invalid("a chunk of an access holds at most 1000 students"));
        }
        if !students.iter().all(|student| self.students.contains(student)) {
            return Err(Error::Invalid("an access is good for the students it was recorded for"));
        }
        Ok(())
    }
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
                set_moment(tx, context, ask, Role::Steward).await?;
                let rows = list_population(tx, ask.consumer, None, &after, i64::from(limit)).await?;
                Ok::<_, Error>(rows.into_iter().map(|(_, student, _)| StudentId(student)).collect())
            })
        })
        .await
}

/// Tells whether a selection is for a student. It is shown what nobody has been given yet, as an [`crate::Encode`] is, and keeps nothing of it.
pub type Selects<'a> = dyn Fn(&DisclosedHistory) -> bool + Sync + 'a;

/// Which of these students a selection is for: what the SEA's own agreement gives of them is held against it here, and nothing but their ids
/// comes of it, for [`record_access`]. Nothing is entered yet, for nothing has left: whoever asked learns whom the selection is for from what
/// [`access_chunk`] gives, once exactly these are entered. So a selection must be for everybody of whom the answer says something, be it that
/// there is no record. Where the agreement gives nothing nobody is selected, and the access that follows is refused and entered as that.
/// What a load changes in between is read of those entered alone.
pub async fn select_students(
    context: Context<'_>,
    ask: &Ask<'_>,
    students: &BTreeSet<StudentId>,
    selects: &Selects<'_>,
) -> Result<BTreeSet<StudentId>, Error> {
    let mut selected = BTreeSet::new();
    let is_permitted = pg::transaction("disclosure.select", Role::Steward)
        .run(context.pool, |tx| {
            Box::pin(async move {
                let at = set_moment(tx, context, ask, Role::Steward).await?;
                let in_force = context.agreements.load_active(tx, ask.consumer, at).await?;
                Ok::<_, Error>(decide_own(ask, in_force.as_ref(), at).is_ok())
            })
        })
        .await?;
    if !is_permitted {
        return Ok(selected);
    }
    let keys: Vec<String> = students.iter().map(ToString::to_string).collect();
    for chunk in keys.chunks(ACCESS_CHUNK_MAX) {
        let histories = given(context, ask, chunk).await?;
        selected.extend(histories.iter().filter(|history| selects(history)).map(DisclosedHistory::student));
    }
    Ok(selected)
}

/// Decides by the SEA's own agreement whether its people may see these students, and records it: who, for what, which elements, how
/// many, and the Merkle root over them. A refusal is recorded too.
pub async fn record_access(
    context: Context<'_>,
    ask: &Ask<'_>,
    students: BTreeSet<StudentId>,
    occasion: Occasion<'_>,
) -> Result<Access, Error> {
    let root = ledger::students_root(&students);
    let counted = (students.len() as u64, root.0);
    let outcome = pg::transaction("disclosure.record_access", Role::Steward)
        .run(context.pool, |tx| Box::pin(async move { record_in(tx, context, ask, counted, occasion).await }))
        .await?;
    let entry = outcome.map_err(Error::Denied)?;
    Ok(Access {
        entry,
        consumer: ask.consumer.clone(),
        run: ask.run,
        purpose: ask.purpose.map(str::to_owned),
        as_of: ask.as_of,
        students,
        root,
    })
}

async fn record_in(
    tx: &mut Tx<'_, '_>,
    context: Context<'_>,
    ask: &Ask<'_>,
    counted: (u64, [u8; 32]),
    occasion: Occasion<'_>,
) -> Result<Result<DisclosureId, Reason>, Error> {
    let at = set_moment(tx, context, ask, Role::Steward).await?;
    let in_force = context.agreements.load_active(tx, ask.consumer, at).await?;
    let id = model::disclosure_id(context.entropy);
    let (entry, outcome) = match decide_own(ask, in_force.as_ref(), at) {
        Ok(grant) => {
            let mut entry = entry::run(ask, Kind::Access, entry::terms_of(&grant)?, id, counted, at, context.entropy);
            let used = file_run::use_request(tx, context, ask, occasion, at).await?;
            entry.detail.authority = used.map(|used| file_run::named(used.digest));
            (entry, Ok(id))
        }
        Err(denial) => {
            let terms = entry::terms_of_request(ask, in_force.as_deref())?;
            let who = Masked::new("the SEA's own population".to_owned());
            let entry = entry::refusal(ask, terms, id, &who, denial.reason.code(), at, context.entropy);
            (entry, Err(denial.reason))
        }
    };
    tx.act_as(Role::Ledger).await?;
    ledger::record_one(tx, &entry).await?;
    Ok(outcome)
}

/// Whether the SEA's own agreement permits its people to see students, none singled out. Another party's never does.
pub(crate) fn decide_own(
    ask: &Ask<'_>,
    in_force: Option<&std::sync::Arc<InForce>>,
    at: DateTime<Utc>,
) -> Result<Grant, Denial> {
    let in_force = in_force.ok_or_else(|| Denial::no_agreement(at))?;
    if in_force.terms().population.rule != PopulationRule::EveryStudent {
        return Err(Denial { reason: Reason::AnotherParty, at });
    }
    let charge = [Authority {
        legal_basis: Some(LegalBasis::SchoolOfficial),
        phase: None,
        office: None,
        officer: None,
        released: agreements::Interval { from: DateTime::<Utc>::MIN_UTC, to: None },
    }];
    let subject = Subject { authorities: &charge, instruments: &[], majority_at: None };
    decide(&decided::request(ask, in_force), &subject, in_force, at)
}

/// What the SEA's own agreement gives of these students of a recorded access, in the order asked for. A student whom the agreement, a merge
/// or an undone load has taken out since is left out.
pub async fn access_chunk(
    context: Context<'_>,
    ask: &Ask<'_>,
    access: &Access,
    students: &[StudentId],
) -> Result<Vec<DisclosedHistory>, Error> {
    access.covers(ask, students)?;
    let keys: Vec<String> = students.iter().map(ToString::to_string).collect();
    given(context, ask, &keys).await
}

/// What is given of these students; asked anew where it ended meanwhile.
async fn given(context: Context<'_>, ask: &Ask<'_>, keys: &[String]) -> Result<Vec<DisclosedHistory>, Error> {
    let mut attempts = 1;
    loop {
        match attempt(context, ask, keys).await {
            Err(Error::Ended) if attempts < ATTEMPTS_MAX => attempts += 1,
            histories => return histories,
        }
    }
}

/// Decides and reads; what has ended by then is not given out.
async fn attempt(context: Context<'_>, ask: &Ask<'_>, keys: &[String]) -> Result<Vec<DisclosedHistory>, Error> {
    let (histories, until) = pg::transaction("disclosure.access", Role::Steward)
        .keep_plans()
        .run(context.pool, |tx| {
            Box::pin(async move {
                tx.act_as(Role::Disclosure).await?;
                store::hold_population(tx, ask.consumer).await?;
                let read = decided::read(tx, context, ask, Role::Steward, keys).await?;
                let granted = read.clients.into_iter().filter_map(|(_, decision)| decision.ok());
                let (mut histories, mut until) = (Vec::new(), Until::default());
                for (grant, history) in granted {
                    until = until.and(&grant);
                    histories.push(*history);
                }
                Ok::<_, Error>((histories, until))
            })
        })
        .await?;
    until.holds(context.clock)?;
    Ok(histories)
}
