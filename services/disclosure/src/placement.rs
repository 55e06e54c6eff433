//! What re-entry coordinators are told: that a student of their district was placed in a facility, or has left it; and, where a notice proved wrong, that it
//! was.
//!
//! A notice is made of an agency's report and of who the student is, and of nothing else. One transaction holds still what may be ended, looks whose home each
//! placed student is, makes and unmakes notices, decides by the recipient's agreement, reads with one static statement, holds the two against each other,
//! encodes, enters each notice in the ledger and commits. Only then are the bytes returned. Nothing of it becomes a fact: the student stays enrolled at home
//! in every history.

mod destroy;
mod ended;
mod home;
mod plan;
mod unshown;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use agreements::{
    Authority, Delivery, ElementSet, Grant, InForce, Interval, LegalBasis, PlacementElement, Reason, Subject, decide,
    stands,
};
use chrono::{DateTime, NaiveDate, Utc};
pub use ended::{EndedStay, PlacementsEnded, PlacementsKept, end_placements, list_ended};
use identity::placement::{Known, Stay, list_matched, list_owners, list_state_ids, list_stays};
use ledger::{Entry, Kind, Salts};
use model::{ConsumerId, DisclosureId, Masked, Sea, SourcePersonId, StudentId};
use pg::{Role, Tx};
pub(crate) use plan::Made;
pub use plan::PlacementEvent;
use plan::{Placed, Times, Whom, plan};
use sha2::{Digest as _, Sha256};
pub use unshown::{Gap, Loop, Unshown, list_unshown};
use uuid::Uuid;

use crate::{
    Ask, Context, Error,
    decided::{request, set_moment_to_disclose},
    entry,
    store::{self, placement as notices},
};

/// Notices that one transaction discloses at most.
pub const NOTICES_MAX: usize = 500;

/// Who reports, and of which state and zone.
#[derive(Clone, Copy, Debug)]
pub struct Reporter<'a> {
    /// The agency whose reports notices are made of.
    pub consumer: &'a ConsumerId,
    /// The state whose districts are told.
    pub sea: &'a Sea,
    /// The zone of the days that notices name.
    pub zone: chrono_tz::Tz,
}

/// A notice as its recipient reads it. Only this crate makes one.
#[derive(Clone, Debug)]
pub struct PlacementNotice {
    id: Uuid,
    office: String,
    state_id: Option<Masked<String>>,
    event: PlacementEvent,
    event_date: Option<NaiveDate>,
    facility: Option<(String, Option<String>)>,
    educating_unit: Option<String>,
    retracts: Option<Uuid>,
    made_at: DateTime<Utc>,
    text: String,
}

impl PlacementNotice {
    /// Its id.
    pub const fn id(&self) -> Uuid {
        self.id
    }

    /// The home district whose coordinator is told, by its code.
    pub fn office(&self) -> &str {
        &self.office
    }

    /// The student, by the state's identifier under which the home district reports them; `None`: the notice is about an earlier one alone.
    pub const fn state_id(&self) -> Option<&Masked<String>> {
        self.state_id.as_ref()
    }

    /// What happened.
    pub const fn event(&self) -> PlacementEvent {
        self.event
    }

    /// The day it happened; `None` where the agreement does not name it.
    pub const fn event_date(&self) -> Option<NaiveDate> {
        self.event_date
    }

    /// The facility, by the state's code, with its name if it has one; `None` where the agreement does not name it.
    pub fn facility(&self) -> Option<(&str, Option<&str>)> {
        self.facility.as_ref().map(|(code, name)| (code.as_str(), name.as_deref()))
    }

    /// Who teaches there; `None` where the agreement does not name it, or nobody knows.
    pub fn educating_unit(&self) -> Option<&str> {
        self.educating_unit.as_deref()
    }

    /// The earlier notice that this one takes back, or tells to destroy.
    pub const fn retracts(&self) -> Option<Uuid> {
        self.retracts
    }

    /// When it was made.
    pub const fn made_at(&self) -> DateTime<Utc> {
        self.made_at
    }

    /// What the recipient may do with it.
    pub fn notice(&self) -> &str {
        &self.text
    }
}

/// A notice that is recorded and may leave.
#[derive(Clone, Debug)]
pub struct DisclosedNotice {
    /// Its entry in the ledger.
    pub disclosure: DisclosureId,
    /// The content.
    pub notice: PlacementNotice,
    /// The bytes whose digest the ledger holds.
    pub bytes: Arc<[u8]>,
}

/// What a transaction disclosed, and what waits.
#[derive(Clone, Debug, Default)]
pub struct Notices {
    /// By district, in the order in which they were made.
    pub disclosed: Vec<DisclosedNotice>,
    /// Stays of students who have no district that is clearly their home: nobody is told until one is reported.
    pub without_home: u64,
    /// Whether there are more.
    pub is_cut: bool,
}

/// Turns a notice into exactly the bytes that leave.
pub type EncodeNotice<'a> = dyn Fn(&PlacementNotice) -> Vec<u8> + Sync + 'a;

/// Makes the notices that are due and discloses those not yet delivered, [`NOTICES_MAX`] at a time. The ask is the recipient's: a file on schedule, of a run,
/// for all districts or, by its office, for one.
///
/// # Errors
/// [`Error::Denied`] if the recipient's agreement permits no notice at all; the refusal is entered.
pub async fn disclose_notices(
    context: Context<'_>,
    ask: &Ask<'_>,
    reporter: Reporter<'_>,
    encode: &EncodeNotice<'_>,
) -> Result<Notices, Error> {
    if ask.run.is_none() || ask.delivery != Delivery::File || ask.as_of.is_some() {
        return Err(Error::Invalid("notices are disclosed as files of a run, about the present"));
    }
    let outcome = pg::transaction("disclosure.notices", Role::Disclosure)
        .setting("consumer", ask.consumer.as_str())
        .setting("reporter", reporter.consumer.as_str())
        .setting("office", ask.office.unwrap_or_default())
        .run(context.pool, |tx| Box::pin(async move { notices_in(tx, context, ask, reporter, encode).await }))
        .await?;
    let (notices, until) = outcome.map_err(Error::Denied)?;
    match until {
        Some(until) if until <= context.clock.now() => Err(Error::Ended),
        _ => Ok(notices),
    }
}

/// Notes that these notices have been delivered whole: until then they are disclosed again.
pub async fn confirm_notices(context: Context<'_>, ask: &Ask<'_>, notices: &[Uuid]) -> Result<(), Error> {
    let at = context.clock.now();
    pg::transaction("disclosure.confirm_notices", Role::Disclosure)
        .setting("consumer", ask.consumer.as_str())
        .setting("office", ask.office.unwrap_or_default())
        .run(context.pool, |tx| {
            Box::pin(async move {
                notices::confirm(tx, ask.consumer, notices, at).await?;
                notices::confirm_destructions(tx, ask.consumer, notices).await
            })
        })
        .await
}

type Outcome = Result<(Notices, Option<DateTime<Utc>>), Reason>;

async fn notices_in(
    tx: &mut Tx<'_, '_>,
    context: Context<'_>,
    ask: &Ask<'_>,
    reporter: Reporter<'_>,
    encode: &EncodeNotice<'_>,
) -> Result<Outcome, Error> {
    // Both: what the reporter said of its clients, and what the recipient may be told.
    store::hold_population(tx, reporter.consumer).await?;
    store::hold_population(tx, ask.consumer).await?;
    let at = set_moment_to_disclose(tx, context, ask, Role::Disclosure).await?;
    let in_force = context.agreements.load_active(tx, ask.consumer, at).await?;
    let in_force = match permits(ask, in_force.as_ref(), at) {
        Ok(in_force) => Arc::clone(in_force),
        Err(reason) => {
            let terms = entry::terms_of_ask(ask.consumer, in_force.as_deref())?;
            let entry = entry::refused_run(ask, terms, reason, at, context.entropy);
            tx.act_as(Role::Ledger).await?;
            ledger::record_one(tx, &entry).await?;
            return Ok(Err(reason));
        }
    };
    let times = Times::of(in_force.terms(), at);
    let placed = survey(tx, context, reporter, (at, times.over_before())).await?;
    let without_home = placed.iter().filter(|one| matches!(one.whom, Whom::Homeless { .. })).count() as u64;
    tx.act_as(Role::Disclosure).await?;
    let made = notices::list_of_placements(tx, ask.consumer).await?;
    let planned = plan(&placed, &made, times, context.entropy);
    notices::void(tx, ask.consumer, &planned.void, at).await?;
    // A run for one district makes notices for that district alone; row security refuses others.
    let new: Vec<Made> =
        planned.new.into_iter().filter(|one| ask.office.is_none_or(|office| office == one.office)).collect();
    notices::insert(tx, ask.consumer, &new, at).await?;
    let (mut disclosed, more) = destroy::disclose(tx, (context, ask), &in_force, at, encode).await?;
    if more {
        return Ok(Ok((Notices { disclosed, without_home, is_cut: true }, None)));
    }
    let told = (&planned.tells, at);
    let (due, until, is_cut) = disclose_due(tx, (context, ask, reporter), &in_force, told, encode).await?;
    disclosed.extend(due);
    Ok(Ok((Notices { disclosed, without_home, is_cut }, until)))
}

/// The agreement, if it permits notices to whoever asks.
fn permits<'a>(
    ask: &Ask<'_>,
    in_force: Option<&'a Arc<InForce>>,
    at: DateTime<Utc>,
) -> Result<&'a Arc<InForce>, Reason> {
    let in_force = in_force.ok_or(Reason::NoAgreement)?;
    stands(&request(ask, in_force), in_force, at)?;
    if in_force.terms().placement_notice.is_some() { Ok(in_force) } else { Err(Reason::NoElementForThisPurpose) }
}

/// Every stay that is not long over, with whose it is and where home is.
async fn survey(
    tx: &mut Tx<'_, '_>,
    context: Context<'_>,
    reporter: Reporter<'_>,
    (at, ended_since): (DateTime<Utc>, DateTime<Utc>),
) -> Result<Vec<Placed>, Error> {
    tx.act_as(Role::Placement).await?;
    let stays = list_stays(tx, reporter.consumer, ended_since).await?;
    let keys: BTreeSet<String> = stays.iter().map(|stay| stay.person_key.expose().clone()).collect();
    let keys: Vec<String> = keys.into_iter().collect();
    tx.act_as(Role::Identity).await?;
    let known = list_matched(tx, reporter.consumer, &keys, at).await?;
    let persons: Vec<SourcePersonId> = known
        .values()
        .filter_map(
            |known| if let Known::Student { persons, .. } = known { Some(persons.iter().copied()) } else { None },
        )
        .flatten()
        .collect();
    // Where home is, is found out inside: of it nothing but a district's code comes out, and only to that district.
    tx.act_as(Role::Steward).await?;
    let under_order = notices::list_under_order(tx, &persons).await?;
    let mut facts = BTreeMap::<SourcePersonId, Vec<domains::StoredFact>>::new();
    for fact in store::list_enrollment_facts(tx, &persons).await? {
        facts.entry(fact.source_person).or_default().push(fact);
    }
    let organizations = context.organizations.load(tx, at).await?;
    let placed = |stay: Stay| {
        let day = |at: DateTime<Utc>| at.with_timezone(&reporter.zone).date_naive();
        let (admitted_on, released_on) = (day(stay.admitted_at), stay.released_at.map(day));
        let whom = match known.get(stay.person_key.expose()) {
            None => Whom::Nobody,
            Some(Known::Held) => Whom::Held,
            // What is left of an enrollment of which an order keeps something back could name the wrong district.
            Some(Known::Student { persons, .. }) if persons.iter().any(|person| under_order.contains(person)) => {
                Whom::Held
            }
            Some(Known::Student { student, persons }) => {
                let of = persons.iter().filter_map(|person| facts.get(person)).flatten().cloned().collect();
                match home::find(of, reporter.sea, &organizations, admitted_on) {
                    Some(home) => Whom::At { student: *student, person: home.person, office: home.office },
                    None => Whom::Homeless { persons: persons.clone() },
                }
            }
        };
        Placed {
            placement: stay.placement,
            facility: stay.facility,
            admitted_at: stay.admitted_at,
            released_at: stay.released_at,
            admitted_on,
            released_on,
            is_withdrawn: stay.is_withdrawn,
            whom,
        }
    };
    Ok(stays.into_iter().map(placed).collect())
}

/// The notices that have not been delivered, still hold, and name nobody under an order, with the state's identifiers of whom they name; and whether there are
/// more than one transaction discloses. A notice that was made before an order came is kept back like any other.
async fn list_tellable(
    tx: &mut Tx<'_, '_>,
    ask: &Ask<'_>,
    (tells, at): (&BTreeSet<Uuid>, DateTime<Utc>),
) -> Result<(Vec<Made>, StateIds, bool), Error> {
    let mut due = notices::list_due(tx, ask.consumer, ask.office, at).await?;
    due.retain(|one| tells.contains(&one.id));
    let persons: Vec<SourcePersonId> = due.iter().map(|one| one.person).collect();
    tx.act_as(Role::Steward).await?;
    let under_order = notices::list_under_order(tx, &persons).await?;
    tx.act_as(Role::Identity).await?;
    let free = list_owners(tx, &persons, at).await?;
    due.retain(|one| free.contains_key(&one.person) && !under_order.contains(&one.person));
    let is_cut = due.len() > NOTICES_MAX;
    due.truncate(NOTICES_MAX);
    let state_ids = list_state_ids(tx, &due.iter().map(|one| one.person).collect::<Vec<_>>()).await?;
    tx.act_as(Role::Disclosure).await?;
    Ok((due, state_ids, is_cut))
}

type StateIds = BTreeMap<SourcePersonId, (Sea, Masked<String>)>;

/// Decides about the notices that may be told, reads them with the one statement, and enters what leaves.
async fn disclose_due(
    tx: &mut Tx<'_, '_>,
    (context, ask, reporter): (Context<'_>, &Ask<'_>, Reporter<'_>),
    in_force: &Arc<InForce>,
    (tells, at): (&BTreeSet<Uuid>, DateTime<Utc>),
    encode: &EncodeNotice<'_>,
) -> Result<(Vec<DisclosedNotice>, Option<DateTime<Utc>>, bool), Error> {
    let asked = ask_for(ask, in_force)?;
    let (due, state_ids, is_cut) = list_tellable(tx, ask, (tells, at)).await?;
    let ids: Vec<Uuid> = due.iter().map(|one| one.id).collect();
    let mut permitted =
        notices::list_permitted(tx, ask.consumer, &ids, (asked.purpose, ask.delivery.as_str(), at)).await?;
    let organizations = context.organizations.load(tx, at).await?;
    let (mut disclosed, mut entries, mut until) = (Vec::new(), Vec::new(), None::<DateTime<Utc>>);
    for one in &due {
        let decided = decide_on(one, &asked, in_force, at);
        let by_statement = permitted.remove(&one.id);
        let grant = match (decided, by_statement) {
            (Err(_), None) => continue,
            (Ok(grant), Some((clause, basis)))
                if grant.legal_basis().as_str() == basis
                    && grant.permit(model::Domain::Student).is_some_and(|permit| permit.clause() == clause) =>
            {
                grant
            }
            _ => {
                return Err(Error::Corrupt(
                    "the statement and the decision differ about a placement notice".to_owned(),
                ));
            }
        };
        until = [until, grant.until()].into_iter().flatten().min();
        // Who has no identifier of this state cannot be named to its district.
        let Some((_, state_id)) = state_ids.get(&one.person).filter(|(sea, _)| sea == reporter.sea) else { continue };
        let notice = one.told(state_id.clone(), in_force, reporter.sea, &organizations);
        let bytes: Arc<[u8]> = encode(&notice).into();
        let entry = notice_entry(ask, &grant, one.student, (&notice, &bytes), at, context)?;
        disclosed.push(DisclosedNotice { disclosure: entry.id, notice, bytes });
        entries.push(entry);
    }
    let sent: Vec<(Uuid, Uuid)> = disclosed.iter().map(|one| (one.notice.id, one.disclosure.0)).collect();
    notices::record_disclosed(tx, ask.consumer, &sent, at).await?;
    tx.act_as(Role::Ledger).await?;
    ledger::record_chunk(tx, &entries).await?;
    if until.is_some_and(|until| until <= context.clock.now()) {
        return Err(Error::Ended);
    }
    Ok((disclosed, until, is_cut))
}

/// What is asked of the record: who the student is.
fn ask_for<'r>(ask: &'r Ask<'r>, in_force: &'r InForce) -> Result<agreements::Request<'r>, Error> {
    let elements = ElementSet::from_ids(["student.state_id"])
        .map_err(|_| Error::Corrupt("the registry has no state identifier".to_owned()))?;
    Ok(agreements::Request { elements, ..request(ask, in_force) })
}

/// Whether the agreement lets the coordinator have this notice now.
fn decide_on(
    one: &Made,
    asked: &agreements::Request<'_>,
    in_force: &Arc<InForce>,
    at: DateTime<Utc>,
) -> Result<Grant, Reason> {
    let authority = [Authority {
        legal_basis: Some(LegalBasis::SchoolOfEnrollment),
        phase: None,
        office: Some(one.office.clone()),
        officer: None,
        released: Interval { from: one.released.0, to: one.released.1 },
    }];
    let subject = Subject { authorities: &authority, instruments: &[], majority_at: None };
    decide(asked, &subject, in_force, at).map_err(|denial| denial.reason)
}

impl Made {
    /// The notice as it is told: of the report what the agreement names, and who the student is.
    fn told(
        &self,
        state_id: Masked<String>,
        in_force: &InForce,
        sea: &Sea,
        organizations: &domains::Organizations,
    ) -> PlacementNotice {
        let terms = in_force.terms();
        let names = |element| terms.placement_notice.as_ref().is_some_and(|notice| notice.elements.contains(&element));
        if self.names_nobody {
            let text = destroy::text(terms);
            return PlacementNotice::about(self.id, &self.office, (self.event, self.retracts), self.at, text);
        }
        let facility = organizations.find(sea.as_str(), &self.facility, Some(self.event_date));
        let unit = facility.and_then(|facility| facility.parent.as_deref());
        let unit = unit.and_then(|code| organizations.find(sea.as_str(), code, Some(self.event_date)));
        PlacementNotice {
            id: self.id,
            office: self.office.clone(),
            state_id: Some(state_id),
            event: self.event,
            event_date: names(PlacementElement::EventDate).then_some(self.event_date),
            facility: names(PlacementElement::Facility)
                .then(|| (self.facility.clone(), facility.map(|facility| facility.name.clone()))),
            educating_unit: unit.filter(|_| names(PlacementElement::EducatingUnit)).map(|unit| unit.name.clone()),
            retracts: self.retracts,
            made_at: self.at,
            text: terms.redisclosure.notice.clone(),
        }
    }
}

/// The entry of a notice: a disclosure, or, where it takes an earlier one back, a notice to the recipient of that one.
fn notice_entry(
    ask: &Ask<'_>,
    grant: &Grant,
    student: StudentId,
    (notice, bytes): (&PlacementNotice, &[u8]),
    at: DateTime<Utc>,
    context: Context<'_>,
) -> Result<Entry, Error> {
    let mut parts = entry::terms_of(grant)?.parts().clone();
    if notice.state_id.is_some() {
        let of_notice = grant.in_force().terms().placement_notice.iter().flat_map(|notice| &notice.elements);
        parts.elements.extend(of_notice.map(|element| element.id()));
    } else {
        parts.elements.clear();
    }
    let is_retraction = notice.event == PlacementEvent::Retracted;
    let digest = Sha256::digest(bytes).into();
    let kind = if is_retraction { Kind::Notice } else { Kind::Disclosure };
    let terms = Arc::new(ledger::Terms::new(parts)?);
    let id = model::disclosure_id(context.entropy);
    let mut entry = entry::run(ask, kind, terms, id, (1, digest), at, context.entropy);
    entry.count = None;
    entry.reason = is_retraction.then(|| String::from("placement_notice_wrong"));
    entry.detail.student = Some(student);
    entry.detail.authority = Some(Masked::new(format!("district {}", notice.office)));
    entry.salts = Salts::draw(context.entropy);
    Ok(entry)
}
