//! What a draft would change: held against the agency's clients and its recent real requests, before anybody signs it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use agreements::{Delivery, Draft, ElementSet, InForce, Subject, Trial, try_on};
use chrono::{DateTime, Utc};
use ledger::{Kind, RecordedEntry, Search};
use model::{Masked, StudentId};
use pg::{Role, Tx};

use crate::{
    Ask, Context, Error,
    decided::set_moment,
    inspect::{Known, record_look},
    store,
};

/// The most recent requests looked at.
const REQUESTS_MAX: usize = 100_000;
/// Clients read at once.
const PAGE: i64 = 10_000;

/// One client for whom the draft changes something.
#[derive(Clone, Debug)]
pub struct Change {
    /// The student, if the client is matched with one.
    pub student: Option<StudentId>,
    /// The client by the agency's own person id.
    pub person_key: Masked<String>,
    /// The purpose.
    pub purpose: String,
    /// Elements that would be disclosed and are not now, by id.
    pub added: Vec<String>,
    /// Elements that are disclosed now and would not be, by id.
    pub removed: Vec<String>,
}

/// What a draft would change.
#[derive(Clone, Debug)]
pub struct Rehearsal {
    /// The moment it was held against: now, or the first instant of the draft if that is later.
    pub at: DateTime<Utc>,
    /// Clients looked at: the population, and whoever was asked about recently.
    pub clients: u64,
    /// Recent requests looked at.
    pub requests: u64,
    /// Of those granted then, how many the draft would refuse though the agreement in force would not: what time has ended is not the draft's doing.
    pub now_refused: u64,
    /// Of those refused then, how many the draft would grant though the agreement in force would not.
    pub now_granted: u64,
    /// The clients for whom something changes, by person id and purpose.
    pub changes: Vec<Change>,
}

/// Holds a draft against the population and the requests since `since`. `own` is the steward's ask under the SEA's own agreement;
/// `of` names the agency. Nothing is stored but the access entry.
pub async fn rehearse(
    context: Context<'_>,
    own: &Ask<'_>,
    of: &Ask<'_>,
    document: &str,
    since: DateTime<Utc>,
) -> Result<Rehearsal, Error> {
    let outcome = pg::transaction("disclosure.rehearse", Role::Steward)
        .run(context.pool, |tx| {
            Box::pin(async move {
                let at = set_moment(tx, context, own, Role::Steward).await?;
                let (rehearsal, students) = rehearse_in(tx, context, of, (document, since), at).await?;
                let what = format!("rehearses a draft for {}", of.consumer);
                Ok::<_, Error>(record_look(tx, context, own, (&what, &students), at).await?.map(|()| rehearsal))
            })
        })
        .await?;
    outcome.map_err(Error::Denied)
}

async fn rehearse_in(
    tx: &mut Tx<'_, '_>,
    context: Context<'_>,
    of: &Ask<'_>,
    (document, since): (&str, DateTime<Utc>),
    at: DateTime<Utc>,
) -> Result<(Rehearsal, BTreeSet<StudentId>), Error> {
    let draft = context.agreements.draft(tx, document).await?;
    if draft.terms().consumer != *of.consumer {
        return Err(Error::Invalid("the draft is another consumer's"));
    }
    let active = context.agreements.load_active(tx, of.consumer, at).await?;
    let requests = recent(tx, of, since).await?;
    let population = members(tx, of).await?;
    let refused: BTreeSet<String> = requests.iter().filter_map(asked_key).map(str::to_owned).collect();
    let asked: BTreeSet<StudentId> = requests.iter().filter_map(|request| request.student).collect();
    let keys: Vec<String> = population.union(&refused).cloned().collect();
    let students: Vec<StudentId> = asked.into_iter().collect();
    let known = Known::load(tx, context, of, &keys, &students).await?;
    let keys: BTreeSet<&String> = keys.iter().chain(known.clients.keys()).collect();
    let stage = Stage { known: &known, draft: &draft, active: active.as_ref(), at, later: at.max(draft.begins_at()) };
    let mut rehearsal = Rehearsal {
        at: stage.later,
        clients: keys.len() as u64,
        requests: requests.len() as u64,
        now_refused: 0,
        now_granted: 0,
        changes: Vec::new(),
    };
    for key in &keys {
        rehearsal.changes.extend(stage.changes(key));
    }
    let by_student: BTreeMap<StudentId, &String> =
        known.clients.keys().filter_map(|key| Some((known.student(key)?, key))).collect();
    for request in &requests {
        let key = match request.student {
            Some(student) => by_student.get(&student).map(|key| key.as_str()),
            None => asked_key(request),
        };
        match (request.kind, stage.does_grant(request, key), stage.would_grant(request, key)) {
            (Kind::Disclosure, true, false) => rehearsal.now_refused += 1,
            (Kind::Refusal, false, true) => rehearsal.now_granted += 1,
            _ => {}
        }
    }
    let students = keys.iter().filter_map(|key| known.student(key)).collect();
    Ok((rehearsal, students))
}

/// The client whom a refused request named.
fn asked_key(request: &RecordedEntry) -> Option<&str> {
    request.authority.as_ref().and_then(|authority| authority.expose().strip_prefix("client "))
}

/// Disclosures and refusals of the agency, newest first.
async fn recent(tx: &mut Tx<'_, '_>, of: &Ask<'_>, since: DateTime<Utc>) -> Result<Vec<RecordedEntry>, Error> {
    let mut found = Vec::new();
    for kind in [Kind::Disclosure, Kind::Refusal] {
        let search =
            Search { kind: Some(kind), consumer: Some(of.consumer.clone()), from: Some(since), ..Search::default() };
        let mut before = None;
        while found.len() < REQUESTS_MAX {
            let page = ledger::list(tx, &search, before, ledger::PAGE_ENTRIES_MAX).await?;
            before = page.last().and_then(|last| last.leaf_index);
            found.extend(page);
            if before.is_none() {
                break;
            }
        }
    }
    found.truncate(REQUESTS_MAX);
    Ok(found)
}

async fn members(tx: &mut Tx<'_, '_>, of: &Ask<'_>) -> Result<BTreeSet<String>, Error> {
    let mut keys = BTreeSet::new();
    let mut after = String::new();
    loop {
        let page = store::list_population(tx, of.consumer, of.office, &after, PAGE).await?;
        let Some((last, ..)) = page.last() else { return Ok(keys) };
        after.clone_from(last);
        keys.extend(page.into_iter().map(|(key, ..)| key));
    }
}

struct Stage<'a> {
    known: &'a Known,
    draft: &'a Draft,
    active: Option<&'a Arc<InForce>>,
    at: DateTime<Utc>,
    later: DateTime<Utc>,
}

impl Stage<'_> {
    fn subject(&self, key: &str) -> Subject<'_> {
        self.known.subject(key, self.draft.terms().zone())
    }

    fn changes(&self, key: &str) -> Vec<Change> {
        let now = self.active.map(|active| active.terms().purposes.as_slice()).unwrap_or_default();
        let purposes: BTreeSet<&str> =
            now.iter().chain(&self.draft.terms().purposes).map(|purpose| purpose.id.as_str()).collect();
        let mut changes = Vec::new();
        for purpose in purposes {
            let (mut old, mut new) = (ElementSet::EMPTY, ElementSet::EMPTY);
            for delivery in Delivery::ALL {
                let trial = |at| Trial { purpose, delivery: *delivery, at };
                let subject = self.subject(key);
                if let Some(active) = self.active {
                    old = old.union(&try_on(active, trial(self.at), &subject).unwrap_or_default());
                }
                new = new.union(&self.draft.try_on(trial(self.later), &subject).unwrap_or_default());
            }
            let (added, removed) = (new.minus(&old), old.minus(&new));
            if !(added.is_empty() && removed.is_empty()) {
                changes.push(Change {
                    student: self.known.student(key),
                    person_key: Masked::new(key.to_owned()),
                    purpose: purpose.to_owned(),
                    added: added.ids(),
                    removed: removed.ids(),
                });
            }
        }
        changes
    }

    /// Whether the draft would grant anything of a recorded request.
    fn would_grant(&self, request: &RecordedEntry, key: Option<&str>) -> bool {
        let asked = (request, &*self.draft.terms().purposes, self.later);
        tried(asked, |trial| self.draft.try_on(trial, &self.subject_of(key)).is_ok())
    }

    /// Whether the agreement in force grants anything of it now.
    fn does_grant(&self, request: &RecordedEntry, key: Option<&str>) -> bool {
        let Some(active) = self.active else { return false };
        let asked = (request, &*active.terms().purposes, self.later);
        tried(asked, |trial| try_on(active, trial, &self.subject_of(key)).is_ok())
    }

    fn subject_of(&self, key: Option<&str>) -> Subject<'_> {
        key.map_or_else(Subject::default, |key| self.subject(key))
    }
}

/// Puts a recorded request again. A purpose in other words is the first of the terms.
fn tried(
    (request, purposes, at): (&RecordedEntry, &[agreements::Purpose], DateTime<Utc>),
    grants: impl FnOnce(Trial<'_>) -> bool,
) -> bool {
    let named = purposes.iter().find(|purpose| Some(&purpose.text) == request.purpose.as_ref());
    let Some(purpose) = named.or(purposes.first()) else { return false };
    let delivery = match request.delivery {
        ledger::Delivery::Unary | ledger::Delivery::Page => Delivery::Unary,
        ledger::Delivery::Stream => Delivery::Stream,
        ledger::Delivery::File => Delivery::File,
        ledger::Delivery::Document => Delivery::Pdf,
        ledger::Delivery::Inspect | ledger::Delivery::Act => return false,
    };
    grants(Trial { purpose: &purpose.id, delivery, at })
}
