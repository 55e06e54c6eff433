//! Many students, a bounded chunk at a time: what streams and files are made of.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use agreements::{
    Authority, Denial, ElementSet, Grant, InForce, LegalBasis, Phase, Reason, Request, Subject, decide, majority_at,
};
use chrono::{DateTime, Utc};
use futures::future::BoxFuture;
use ledger::{Entry, Kind, Terms};
use model::{DisclosureId, Masked, StudentId};
use pg::{Role, Tx, crash::CrashPoint};

use crate::{
    Ask, Context, Disclosed, DisclosedHistory, Encode, Error, Repeat, assemble, decision_time,
    disclosed::digest_sections,
    entry,
    store::{self, MemberRow, PermittedFact, Reading},
};

/// What became of one client of a chunk.
#[derive(Clone, Debug)]
pub enum Item {
    /// Recorded; it may leave.
    Disclosed(Box<Disclosed>),
    /// The same content as was delivered last: neither recorded nor sent again.
    Unchanged {
        /// The client by the recipient's own person id.
        person_key: Masked<String>,
    },
    /// Refused; the refusal is recorded.
    Refused {
        /// The client by the recipient's own person id.
        person_key: Masked<String>,
        /// Why, for the record; the recipient gets the public words.
        reason: Reason,
    },
}

/// A client with an authority in force.
#[derive(Clone, Debug)]
pub struct Member {
    /// The client by the recipient's own person id.
    pub person_key: Masked<String>,
    /// The student.
    pub student: StudentId,
    /// The office, if one is responsible.
    pub office: Option<String>,
}

/// What a run sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RunTotals {
    /// Histories.
    pub histories: u64,
    /// Withdrawals.
    pub withdrawals: u64,
    /// SHA-256 over what was sent, as the channel defines it.
    pub digest: [u8; 32],
}

/// A page of the caller's population at this moment, in the order of person ids, behind `after`.
pub async fn list_population(
    context: Context<'_>,
    ask: &Ask<'_>,
    after: &str,
    limit: u32,
) -> Result<Vec<Member>, Error> {
    let rows = pg::transaction("disclosure.population", Role::Disclosure)
        .setting("consumer", ask.consumer.as_str())
        .run(context.pool, |tx| {
            Box::pin(async move {
                set_moment(tx, context, ask).await?;
                store::list_population(tx, ask.consumer, ask.office, after, i64::from(limit)).await
            })
        })
        .await?;
    Ok(rows
        .into_iter()
        .map(|(key, student, office)| Member { person_key: Masked::new(key), student: StudentId(student), office })
        .collect())
}

/// Discloses a chunk of clients: all entries commit before anything of it is returned. The order is that of `person_keys`.
pub async fn disclose_chunk(
    context: Context<'_>,
    ask: &Ask<'_>,
    person_keys: &[String],
    encode: &Encode<'_>,
) -> Result<Vec<Item>, Error> {
    let items = pg::transaction("disclosure.chunk", Role::Disclosure)
        .setting("consumer", ask.consumer.as_str())
        .run(context.pool, |tx| chunk_in(tx, context, ask, person_keys, encode))
        .await?;
    pg::crash::hit(CrashPoint::DiscloseAfterRecord);
    Ok(items)
}

fn chunk_in<'t>(
    tx: &'t mut Tx<'_, '_>,
    context: Context<'t>,
    ask: &'t Ask<'t>,
    person_keys: &'t [String],
    encode: &'t Encode<'t>,
) -> BoxFuture<'t, Result<Vec<Item>, Error>> {
    Box::pin(async move {
        let (items, entries) = decide_and_read(tx, context, ask, person_keys, encode).await?;
        pg::crash::hit(CrashPoint::DiscloseBeforeRecord);
        let delivered: Vec<&Disclosed> = items.iter().filter_map(Item::disclosed).collect();
        store::record_delivered(tx, ask.consumer, ask.delivery.as_str(), &delivered).await?;
        tx.act_as(Role::Ledger).await?;
        ledger::record_chunk(tx, &entries).await?;
        pg::crash::hit(CrashPoint::DiscloseBeforeCommit);
        Ok(items)
    })
}

impl Item {
    fn disclosed(&self) -> Option<&Disclosed> {
        if let Self::Disclosed(disclosed) = self { Some(disclosed) } else { None }
    }
}

/// What a client was delivered last.
#[derive(Clone, Debug)]
pub struct Delivered {
    /// The client by the recipient's own person id.
    pub person_key: Masked<String>,
    /// The disclosure it came with.
    pub disclosure: DisclosureId,
    /// When that was recorded.
    pub recorded_at: DateTime<Utc>,
}

/// What these clients were delivered last by the kind of delivery that is asked for, and whole; in the order of person ids.
pub async fn list_delivered(
    context: Context<'_>,
    ask: &Ask<'_>,
    person_keys: &[String],
) -> Result<Vec<Delivered>, Error> {
    pg::transaction("disclosure.delivered", Role::Disclosure)
        .setting("consumer", ask.consumer.as_str())
        .run(context.pool, |tx| {
            Box::pin(
                async move { store::list_last_delivered(tx, ask.consumer, ask.delivery.as_str(), person_keys).await },
            )
        })
        .await
}

/// Notes that these disclosures have been delivered whole: until then their content is sent again.
pub async fn confirm_delivered(context: Context<'_>, ask: &Ask<'_>, disclosures: &[DisclosureId]) -> Result<(), Error> {
    let ids: Vec<uuid::Uuid> = disclosures.iter().map(|id| id.0).collect();
    let at = context.clock.now();
    pg::transaction("disclosure.confirm", Role::Disclosure)
        .setting("consumer", ask.consumer.as_str())
        .run(context.pool, |tx| {
            let ids = &ids;
            Box::pin(async move { store::confirm_delivered(tx, ask.consumer, ids, at).await })
        })
        .await
}

/// Records that a run is complete and what it sent.
pub async fn complete_run(context: Context<'_>, ask: &Ask<'_>, totals: RunTotals) -> Result<(), Error> {
    pg::transaction("disclosure.complete", Role::Disclosure)
        .setting("consumer", ask.consumer.as_str())
        .run(context.pool, |tx| {
            Box::pin(async move {
                let at = set_moment(tx, context, ask).await?;
                let in_force = context.agreements.load_active(tx, ask.consumer, at).await?;
                let terms = entry::terms_of_ask(ask.consumer, in_force.as_deref())?;
                let sent = (totals.histories + totals.withdrawals, totals.digest);
                let id = model::disclosure_id(context.entropy);
                let entry = entry::run(ask, Kind::Completion, terms, id, sent, at, context.entropy);
                tx.act_as(Role::Ledger).await?;
                ledger::record_one(tx, &entry).await?;
                Ok::<_, Error>(())
            })
        })
        .await
}

/// Sets the moment that views and row-level security read by; the decision's time.
pub(crate) async fn set_moment(
    tx: &mut Tx<'_, '_>,
    context: Context<'_>,
    ask: &Ask<'_>,
) -> Result<DateTime<Utc>, Error> {
    tx.act_as(Role::Ledger).await?;
    let at = decision_time(tx, context.clock).await?;
    tx.act_as(Role::Disclosure).await?;
    let as_of = ask.as_of.map_or(at, |as_of| as_of.min(at));
    tx.set("at", &at.to_rfc3339()).await?;
    tx.set("as_of", &as_of.to_rfc3339()).await?;
    Ok(at)
}

/// Decides about each client, reads what is permitted with one statement, and prepares answers and entries in the order of the keys.
pub(crate) async fn decide_and_read(
    tx: &mut Tx<'_, '_>,
    context: Context<'_>,
    ask: &Ask<'_>,
    person_keys: &[String],
    encode: &Encode<'_>,
) -> Result<(Vec<Item>, Vec<Entry>), Error> {
    store::hold_population(tx, ask.consumer).await?;
    let at = set_moment(tx, context, ask).await?;
    let in_force = context.agreements.load_active(tx, ask.consumer, at).await?;
    let decisions = decide_all(tx, context, ask, person_keys, in_force.as_ref(), at).await?;
    pg::crash::hit(CrashPoint::DiscloseAfterDecide);
    let granted: Vec<String> = decisions.iter().filter(|(_, d)| d.is_ok()).map(|(key, _)| key.clone()).collect();
    let mut facts: HashMap<StudentId, Vec<PermittedFact>> = HashMap::new();
    let organizations = reference::load_organizations(tx, ask.as_of.unwrap_or(at)).await?;
    if let Some(purpose) =
        decisions.iter().find_map(|(_, d)| d.as_ref().ok().map(|(grant, _)| grant.purpose().to_owned()))
    {
        let reading = Reading {
            consumer: ask.consumer,
            person_keys: &granted,
            purpose: &purpose,
            delivery: ask.delivery.as_str(),
            office: ask.office,
            at,
        };
        for permitted in store::list_permitted_facts(tx, reading).await? {
            facts.entry(permitted.student).or_default().push(permitted);
        }
    }
    let known = match ask.repeat {
        Repeat::Always => HashMap::new(),
        Repeat::WhenChanged => store::list_delivered(tx, ask.consumer, ask.delivery.as_str(), &granted).await?,
    };
    let refused_terms = entry::terms_of_ask(ask.consumer, in_force.as_deref())?;
    let mut terms_by_basis: BTreeMap<&'static str, Arc<Terms>> = BTreeMap::new();
    let mut items = Vec::with_capacity(decisions.len());
    let mut entries = Vec::with_capacity(decisions.len());
    for (person_key, decision) in decisions {
        let person_key = Masked::new(person_key);
        let id = model::disclosure_id(context.entropy);
        match decision {
            Err(denial) => {
                entries.push(entry::refusal(
                    ask,
                    Arc::clone(&refused_terms),
                    id,
                    &person_key,
                    denial.reason,
                    at,
                    context.entropy,
                ));
                items.push(Item::Refused { person_key, reason: denial.reason });
            }
            Ok((grant, student)) => {
                let permitted = facts.remove(&student).unwrap_or_default();
                assemble::check_twin(&grant, &permitted)?;
                let stored = permitted.into_iter().map(|p| p.fact).collect();
                let sections = assemble::sections(&*grant, stored, &organizations);
                let history = disclosed(&grant, ask, id, person_key, student, at, sections);
                if known.get(history.person_key().expose()) == Some(history.content_digest()) {
                    items.push(Item::Unchanged { person_key: history.person_key().clone() });
                    continue;
                }
                let bytes: Arc<[u8]> = encode(&history).map_err(Error::Encode)?.into();
                let basis = grant.legal_basis().as_str();
                let terms = if let Some(terms) = terms_by_basis.get(basis) {
                    Arc::clone(terms)
                } else {
                    let terms = entry::terms_of(&grant)?;
                    terms_by_basis.insert(basis, Arc::clone(&terms));
                    terms
                };
                entries.push(entry::disclosure(ask, terms, id, student, &bytes, at, context.entropy));
                items.push(Item::Disclosed(Box::new(Disclosed { history, bytes })));
            }
        }
    }
    Ok((items, entries))
}

type Decision = Result<(Box<Grant>, StudentId), Denial>;

async fn decide_all(
    tx: &mut Tx<'_, '_>,
    context: Context<'_>,
    ask: &Ask<'_>,
    person_keys: &[String],
    in_force: Option<&Arc<InForce>>,
    at: DateTime<Utc>,
) -> Result<Vec<(String, Decision)>, Error> {
    let mut members: HashMap<String, Vec<MemberRow>> = HashMap::new();
    for member in store::list_members(tx, ask.consumer, person_keys).await? {
        members.entry(member.person_key.clone()).or_default().push(member);
    }
    let instruments = context.agreements.load_instruments(tx, ask.consumer, person_keys).await?;
    let mut decisions = Vec::with_capacity(person_keys.len());
    for key in person_keys {
        let rows = members.remove(key).unwrap_or_default();
        let decision = match in_force {
            None => Err(Denial::no_agreement(at)),
            Some(in_force) => {
                let authorities: Vec<Authority> = rows.iter().map(authority).collect();
                let birth_date = rows.iter().find_map(|row| row.birth_date);
                let subject = Subject {
                    authorities: &authorities,
                    instruments: instruments.get(key).map_or(&[], Vec::as_slice),
                    majority_at: birth_date.map(|day| majority_at(day, in_force.plan().zone())),
                };
                let request = request(ask, in_force);
                match (decide(&request, &subject, in_force, at), rows.first()) {
                    (Ok(grant), Some(row)) => Ok((Box::new(grant), row.student)),
                    (Ok(_), None) => Err(Denial { reason: Reason::NotAClient, at }),
                    (Err(denial), _) => Err(denial),
                }
            }
        };
        decisions.push((key.clone(), decision));
    }
    Ok(decisions)
}

fn request<'r>(ask: &'r Ask<'r>, in_force: &'r InForce) -> Request<'r> {
    let first = in_force.terms().purposes.first().map_or("", |purpose| purpose.id.as_str());
    Request {
        consumer: ask.consumer,
        actor: ask.actor,
        purpose: ask.purpose.unwrap_or(first),
        delivery: ask.delivery,
        office: ask.office,
        elements: ElementSet::all(),
    }
}

/// A basis or phase that the program does not know supports nothing.
fn authority(row: &MemberRow) -> Authority {
    Authority {
        legal_basis: row.legal_basis.parse::<LegalBasis>().ok(),
        phase: row.phase.as_deref().and_then(|phase| phase.parse::<Phase>().ok()),
        office: row.office.clone(),
        officer: row.officer.clone(),
        released: row.released,
    }
}

fn disclosed(
    grant: &Grant,
    ask: &Ask<'_>,
    disclosure: model::DisclosureId,
    person_key: Masked<String>,
    student: StudentId,
    at: DateTime<Utc>,
    sections: Vec<model::Section>,
) -> DisclosedHistory {
    DisclosedHistory {
        disclosure,
        consumer: ask.consumer.clone(),
        person_key,
        student,
        agreement_title: grant.agreement_title().to_owned(),
        agreement_version: grant.version(),
        recipient: grant.recipient().to_owned(),
        legal_basis: grant.legal_basis().as_str().to_owned(),
        notice: grant.notice().to_owned(),
        retention_days: grant.retention_days(),
        decided_at: at,
        as_of: ask.as_of.map_or(at, |as_of| as_of.min(at)),
        content_digest: digest_sections(&sections),
        sections,
    }
}
