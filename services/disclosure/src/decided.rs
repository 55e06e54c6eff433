//! Decide about clients, and read what is permitted of those for whom the answer is yes: one moment, one statement, one twin.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use agreements::{
    Actor, Authority, Denial, ElementSet, Grant, InForce, Instrument, LegalBasis, Phase, Reason, Request, Subject,
    decide, majority_at,
};
use chrono::{DateTime, NaiveDate, Utc};
use domains::StoredFact;
use identity::roster::Responsible;
use model::{Masked, StudentId};
use pg::{Role, Tx, crash::CrashPoint};

use crate::{
    Ask, Context, DisclosedHistory, Error, assemble,
    awaited::{self, Collected},
    caseload::responsible,
    clock::Moment,
    disclosed::digest_sections,
    store::{self, MemberRow, Permitted, Reading},
};

/// A grant with the history it gives, or why there is none.
pub(crate) type Outcome = Result<(Box<Grant>, Box<DisclosedHistory>), Denial>;

/// Clients decided on at one moment, with the histories of those granted.
pub(crate) struct Read {
    pub(crate) at: DateTime<Utc>,
    pub(crate) in_force: Option<Arc<InForce>>,
    /// In the order of the keys asked for.
    pub(crate) clients: Vec<(String, Outcome)>,
}

impl Read {
    pub(crate) fn granted_keys(&self) -> Vec<String> {
        self.clients.iter().filter(|(_, decision)| decision.is_ok()).map(|(key, _)| key.clone()).collect()
    }
}

/// Sets the moment that views and row-level security read by; the decision's time.
pub(crate) async fn set_moment(
    tx: &mut Tx<'_, '_>,
    context: Context<'_>,
    ask: &Ask<'_>,
    role: Role,
) -> Result<DateTime<Utc>, Error> {
    tx.act_as(Role::Ledger).await?;
    let moment = Moment::load(tx, context.clock).await?;
    set(tx, moment, ask, role).await
}

/// The same for what is disclosed: not by a clock that is wrong.
pub(crate) async fn set_moment_to_disclose(
    tx: &mut Tx<'_, '_>,
    context: Context<'_>,
    ask: &Ask<'_>,
    role: Role,
) -> Result<DateTime<Utc>, Error> {
    tx.act_as(Role::Ledger).await?;
    let moment = Moment::load(tx, context.clock).await?.may_disclose(context)?;
    set(tx, moment, ask, role).await
}

async fn set(tx: &mut Tx<'_, '_>, moment: Moment, ask: &Ask<'_>, role: Role) -> Result<DateTime<Utc>, Error> {
    let at = moment.at;
    tx.act_as(role).await?;
    let as_of = ask.as_of.map_or(at, |as_of| as_of.max(DateTime::UNIX_EPOCH).min(at));
    tx.set_all(&[("at", at.to_rfc3339()), ("as_of", as_of.to_rfc3339())]).await?;
    Ok(at)
}

/// Decides about each client and reads what is permitted with one statement.
pub(crate) async fn read(
    tx: &mut Tx<'_, '_>,
    context: Context<'_>,
    ask: &Ask<'_>,
    role: Role,
    person_keys: &[String],
) -> Result<Read, Error> {
    let Granted { at, in_force, clients: granted } = granted(tx, context, ask, role, person_keys).await?;
    let organizations = context.organizations.load(tx, ask.as_of.unwrap_or(at)).await?;
    let assembled: Vec<(String, Result<_, Denial>)> = granted
        .into_iter()
        .map(|(key, decision)| {
            let assemble = |GrantedFacts { grant, student, facts }: GrantedFacts| {
                let sections = assemble::sections(&*grant, facts, &organizations);
                (grant, student, sections)
            };
            (key, decision.map(assemble))
        })
        .collect();
    let all = assembled.iter().filter_map(|(_, outcome)| outcome.as_ref().ok());
    let districts = awaited::districts_of(all.map(|(_, _, sections)| sections.as_slice()));
    let day = day_told(ask, in_force.as_deref(), at);
    let collected = Collected::load(tx, day, &districts, &organizations).await?;
    let mut clients = Vec::with_capacity(assembled.len());
    for (key, outcome) in assembled {
        let outcome = outcome.map(|(grant, student, mut sections)| {
            collected.mark(&mut sections);
            let id = model::disclosure_id(context.entropy);
            let history = disclosed(&grant, ask, id, Masked::new(key.clone()), student, at, sections);
            (grant, Box::new(history))
        });
        clients.push((key, outcome));
    }
    Ok(Read { at, in_force, clients })
}

/// The day of what is told, in the zone of the agreement.
pub(crate) fn day_told(ask: &Ask<'_>, in_force: Option<&InForce>, at: DateTime<Utc>) -> NaiveDate {
    let told = ask.as_of.map_or(at, |as_of| as_of.min(at));
    in_force.map_or_else(|| told.date_naive(), |in_force| told.with_timezone(&in_force.plan().zone()).date_naive())
}

/// A grant, and the facts that it permits.
pub(crate) struct GrantedFacts {
    pub(crate) grant: Box<Grant>,
    pub(crate) student: StudentId,
    pub(crate) facts: Vec<StoredFact>,
}

/// Clients decided on at one moment, with the facts of those granted.
pub(crate) struct Granted {
    pub(crate) at: DateTime<Utc>,
    pub(crate) in_force: Option<Arc<InForce>>,
    /// In the order of the keys asked for.
    pub(crate) clients: Vec<(String, Result<GrantedFacts, Denial>)>,
}

/// Decides about each client, and reads and checks what is permitted.
pub(crate) async fn granted(
    tx: &mut Tx<'_, '_>,
    context: Context<'_>,
    ask: &Ask<'_>,
    role: Role,
    person_keys: &[String],
) -> Result<Granted, Error> {
    let at = set_moment_to_disclose(tx, context, ask, role).await?;
    let in_force = context.agreements.load_active(tx, ask.consumer, at).await?;
    let subjects = Subjects::load(tx, context, ask, person_keys).await?;
    let decisions: Vec<(String, Decision)> =
        person_keys.iter().map(|key| (key.clone(), subjects.decide(ask, in_force.as_ref(), key, at))).collect();
    pg::crash::hit(CrashPoint::DiscloseAfterDecide);
    let mut facts = permitted(tx, ask, in_force.as_ref(), &decisions, at).await?;
    let mut clients = Vec::with_capacity(decisions.len());
    for (key, decision) in decisions {
        let outcome = match decision {
            Err(denial) => Err(denial),
            Ok((grant, student)) => {
                let permitted = facts.remove(&student).unwrap_or_default();
                assemble::check_twin(&grant, &permitted)?;
                Ok(GrantedFacts {
                    grant,
                    student,
                    facts: assemble::in_order(permitted.into_iter().flat_map(|p| p.facts).collect()),
                })
            }
        };
        clients.push((key, outcome));
    }
    Ok(Granted { at, in_force, clients })
}

/// Reads what is permitted. Where nobody is granted anything the statement is asked too, about nobody: a refusal runs what an answer runs.
async fn permitted(
    tx: &mut Tx<'_, '_>,
    ask: &Ask<'_>,
    in_force: Option<&Arc<InForce>>,
    decisions: &[(String, Decision)],
    at: DateTime<Utc>,
) -> Result<HashMap<StudentId, Vec<Permitted>>, Error> {
    let granted: Vec<String> = decisions.iter().filter(|(_, d)| d.is_ok()).map(|(key, _)| key.clone()).collect();
    let purpose = in_force.map_or("", |in_force| request(ask, in_force).purpose);
    let (own_office, own_officer) = in_force.map_or((None, None), |in_force| whose(ask, in_force));
    let reading = Reading {
        consumer: ask.consumer,
        person_keys: &granted,
        purpose,
        delivery: ask.delivery.as_str(),
        office: ask.office,
        own_office,
        own_officer,
        at,
    };
    let mut facts: HashMap<StudentId, Vec<Permitted>> = HashMap::new();
    for permitted in store::list_permitted_facts(tx, reading).await? {
        facts.entry(permitted.student).or_default().push(permitted);
    }
    Ok(facts)
}

/// Through which authorities a client may be seen: of a person those of their own office or their own, as their role says; of the rest all.
fn whose<'a>(ask: &Ask<'a>, in_force: &InForce) -> (Option<&'a str>, Option<&'a str>) {
    let Actor::Person { .. } = ask.actor else { return (None, None) };
    match responsible(ask.actor, &in_force.terms().access.roles) {
        Ok(Responsible::Agency) => (None, None),
        Ok(Responsible::Office(office)) => (Some(office), None),
        Ok(Responsible::Officer(officer)) => (None, Some(officer)),
        // The decision grants them nobody: no office and no officer is named by nothing.
        Err(_) => (Some(""), Some("")),
    }
}

pub(crate) type Decision = Result<(Box<Grant>, StudentId), Denial>;

/// What is known of clients at the transaction's moment.
pub(crate) struct Subjects {
    members: HashMap<String, Vec<MemberRow>>,
    authorities: HashMap<String, Vec<Authority>>,
    instruments: BTreeMap<String, Vec<Instrument>>,
}

impl Subjects {
    pub(crate) async fn load(
        tx: &mut Tx<'_, '_>,
        context: Context<'_>,
        ask: &Ask<'_>,
        person_keys: &[String],
    ) -> Result<Self, Error> {
        let mut members: HashMap<String, Vec<MemberRow>> = HashMap::new();
        for member in store::list_members(tx, ask.consumer, person_keys).await? {
            members.entry(member.person_key.clone()).or_default().push(member);
        }
        let authorities =
            members.iter().map(|(key, rows)| (key.clone(), rows.iter().map(authority).collect())).collect();
        let instruments = context.agreements.load_instruments(tx, ask.consumer, person_keys).await?;
        Ok(Self { members, authorities, instruments: instruments.into_iter().collect() })
    }

    /// The student whom a client is, if an authority over them runs.
    pub(crate) fn student(&self, key: &str) -> Option<StudentId> {
        self.members.get(key).and_then(|rows| rows.first()).map(|row| row.student)
    }

    /// What a decision about the client rests on.
    pub(crate) fn subject(&self, key: &str, in_force: &InForce) -> Subject<'_> {
        let birth_date = self.members.get(key).and_then(|rows| rows.iter().find_map(|row| row.birth_date));
        Subject {
            authorities: self.authorities.get(key).map_or(&[], Vec::as_slice),
            instruments: self.instruments.get(key).map_or(&[], Vec::as_slice),
            majority_at: birth_date.map(|day| majority_at(day, in_force.plan().zone())),
        }
    }

    pub(crate) fn decide(
        &self,
        ask: &Ask<'_>,
        in_force: Option<&Arc<InForce>>,
        key: &str,
        at: DateTime<Utc>,
    ) -> Decision {
        let in_force = in_force.ok_or_else(|| Denial::no_agreement(at))?;
        let grant = decide(&request(ask, in_force), &self.subject(key, in_force), in_force, at)?;
        let student = self.student(key).ok_or(Denial { reason: Reason::NotAClient, at })?;
        Ok((Box::new(grant), student))
    }
}

/// The request that an ask makes under an agreement: all elements, for the purpose named or the first.
pub(crate) fn request<'r>(ask: &'r Ask<'r>, in_force: &'r InForce) -> Request<'r> {
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
        zone: grant.in_force().plan().zone(),
        content_digest: digest_sections(&sections),
        sections,
    }
}
