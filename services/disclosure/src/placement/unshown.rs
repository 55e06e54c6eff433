//! Closing the loop: placements that a district was told of and does not show, and placements that a district shows and nobody reported. For the SEA's own
//! stewards; the asking is an access entry, and what it tells has nothing of a case.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Days, NaiveDate, TimeDelta, Utc};
use domains::{Organizations, StoredFact};
use identity::placement::{Known, Stay, list_matched, list_owners, list_persons_of, list_state_ids, list_stays};
use model::{ConsumerId, Masked, SourcePersonId, StudentId};
use pg::{Role, Tx};

use super::{Made, PlacementEvent, Reporter};
use crate::{
    Ask, Context, Error,
    decided::set_moment,
    inspect::record_look,
    store::{self, placement as notices},
};

/// How far back the report looks.
const DAYS_BACK: i64 = 365;

/// Whose placements are looked at.
#[derive(Clone, Copy, Debug)]
pub struct Loop<'a> {
    /// Who reports them.
    pub reporter: Reporter<'a>,
    /// Who is told of them.
    pub recipient: &'a ConsumerId,
    /// The reporter's facilities, by the state's codes.
    pub facilities: &'a [String],
    /// How many days a district has to show what it was told of, and a reporter to report what a district shows.
    pub days: u32,
}

/// Where the loop is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Gap {
    /// The district was told, and shows neither the facility as facility 2 nor a special program status.
    NotShown,
    /// The district shows the facility as facility 2, and nobody reported a stay.
    NotReported,
}

impl Gap {
    /// Its code.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotShown => "not_shown",
            Self::NotReported => "not_reported",
        }
    }
}

/// A placement that only one side knows.
#[derive(Clone, Debug)]
pub struct Unshown {
    /// Where the loop is open.
    pub gap: Gap,
    /// The district.
    pub district: String,
    /// The student.
    pub student: StudentId,
    /// The state's identifier of the student.
    pub state_id: Masked<String>,
    /// The facility, by the state's code.
    pub facility: String,
    /// Its name, if it has one.
    pub facility_name: Option<String>,
    /// The day of the admission, or the first day that the district shows.
    pub since: NaiveDate,
    /// For how many days the loop has been open: since the notice was delivered, or since the day shown.
    pub days: i64,
}

/// The placements of the last year that only one side knows, by gap and district.
///
/// # Errors
/// [`Error::Denied`] if the SEA's own agreement does not let the person who asks look; the refusal is entered.
pub async fn list_unshown(context: Context<'_>, own: &Ask<'_>, of: Loop<'_>) -> Result<Vec<Unshown>, Error> {
    let outcome = pg::transaction("disclosure.unshown", Role::Steward)
        .setting("consumer", of.recipient.as_str())
        .setting("reporter", of.reporter.consumer.as_str())
        .run(context.pool, |tx| {
            Box::pin(async move {
                let at = set_moment(tx, context, own, Role::Steward).await?;
                let found = find(tx, context, of, at).await?;
                let students: BTreeSet<StudentId> = found.iter().map(|one| one.student).collect();
                let what =
                    format!("placements told of and not shown, or shown and not reported, after {} days", of.days);
                let permitted = record_look(tx, context, own, (&what, &students), at).await?;
                Ok::<_, Error>(permitted.map(|()| found))
            })
        })
        .await?;
    outcome.map_err(Error::Denied)
}

async fn find(
    tx: &mut Tx<'_, '_>,
    context: Context<'_>,
    of: Loop<'_>,
    at: DateTime<Utc>,
) -> Result<Vec<Unshown>, Error> {
    tx.act_as(Role::Placement).await?;
    let stays = list_stays(tx, of.reporter.consumer, at - TimeDelta::days(DAYS_BACK)).await?;
    let keys: BTreeSet<String> = stays.iter().map(|stay| stay.person_key.expose().clone()).collect();
    tx.act_as(Role::Identity).await?;
    let known = list_matched(tx, of.reporter.consumer, &keys.into_iter().collect::<Vec<_>>(), at).await?;
    tx.act_as(Role::Disclosure).await?;
    let made = notices::list_of_placements(tx, of.recipient).await?;
    tx.act_as(Role::Steward).await?;
    let persons: Vec<SourcePersonId> = made.iter().map(|one| one.person).collect();
    let facts = store::list_enrollment_facts(tx, &persons).await?;
    let shown = store::list_facts_in_facilities(tx, of.facilities).await?;
    let organizations = context.organizations.load(tx, at).await?;
    tx.act_as(Role::Identity).await?;
    let of_shown: BTreeSet<SourcePersonId> = shown.iter().map(|fact| fact.source_person).collect();
    let of_shown: Vec<SourcePersonId> = of_shown.into_iter().collect();
    let owners = list_owners(tx, &of_shown, at).await?;
    let all: Vec<SourcePersonId> = persons.into_iter().chain(of_shown).collect();
    let state_ids = list_state_ids(tx, &all).await?;
    let state = State { of, at, stays: &stays, organizations: &organizations };
    let mut found = state.not_shown(&made, &facts, &known);
    found.extend(state.not_reported(&shown, &owners, &known));
    let nameable = list_nameable(tx, &found, at).await?;
    found.retain(|(_, person)| nameable.contains(person));
    let mut told: Vec<Unshown> = found
        .into_iter()
        .filter_map(|(mut one, person)| {
            let (sea, state_id) = state_ids.get(&person)?;
            one.state_id = state_id.clone();
            (sea == of.reporter.sea).then_some(one)
        })
        .collect();
    told.sort_by(|a, b| (a.gap, &a.district, a.since, a.student).cmp(&(b.gap, &b.district, b.since, b.student)));
    Ok(told)
}

/// Of whom is found those who may be named: of whoever they are now no order keeps anything back by which their district is found, or where they live, under
/// whichever of the state's ids. Of the others no district is told either.
async fn list_nameable(
    tx: &mut Tx<'_, '_>,
    found: &[(Unshown, SourcePersonId)],
    at: DateTime<Utc>,
) -> Result<BTreeSet<SourcePersonId>, Error> {
    let persons: Vec<SourcePersonId> = found.iter().map(|(_, person)| *person).collect();
    let owners = list_owners(tx, &persons, at).await?;
    let students: Vec<StudentId> = owners.values().copied().collect();
    let theirs = list_persons_of(tx, &students).await?;
    tx.act_as(Role::Steward).await?;
    let all: Vec<SourcePersonId> = theirs.iter().map(|(person, _)| *person).collect();
    let under_order = notices::list_under_order(tx, &all).await?;
    let is_free =
        |student: &StudentId| !theirs.iter().any(|(person, of)| of == student && under_order.contains(person));
    Ok(owners.into_iter().filter(|(_, student)| is_free(student)).map(|(person, _)| person).collect())
}

/// What is known of stays, at a moment.
struct State<'a> {
    of: Loop<'a>,
    at: DateTime<Utc>,
    stays: &'a [Stay],
    organizations: &'a Organizations,
}

impl State<'_> {
    fn day(&self, at: DateTime<Utc>) -> NaiveDate {
        at.with_timezone(&self.of.reporter.zone).date_naive()
    }

    /// Stays of which the district was told so many days before they ended, or before today, and which it does not show.
    fn not_shown(
        &self,
        made: &[Made],
        facts: &[StoredFact],
        known: &BTreeMap<String, Known>,
    ) -> Vec<(Unshown, SourcePersonId)> {
        let is_standing = |one: &&Made| {
            one.event == PlacementEvent::Entered && !made.iter().any(|other| other.retracts == Some(one.id))
        };
        let unshown = |one: &Made| {
            let stay = self.stays.iter().find(|stay| stay.placement == one.placement && !stay.is_withdrawn)?;
            // Whoever is under an order, or was told of by mistake, is not named.
            let Some(Known::Student { persons, .. }) = known.get(stay.person_key.expose()) else { return None };
            persons.contains(&one.person).then_some(())?;
            let until = stay.released_at.map_or(self.at, |released| released.min(self.at));
            let days = (until - one.delivered_at?).num_days();
            let last = stay.released_at.map(|released| self.day(released));
            let is_shown = facts.iter().any(|fact| {
                let is_then =
                    day_of(fact).is_some_and(|day| one.event_date <= day && last.is_none_or(|last| day <= last));
                let is_theirs = fact.lea.as_deref() == Some(one.office.as_str())
                    || fact.find_text("nexus_district_id") == Some(one.office.as_str());
                let says = fact.find_text("facility_2_id") == Some(one.facility.as_str())
                    || fact.find("special_program_status").is_some();
                fact.source_person == one.person && is_then && is_theirs && says
            });
            (days >= i64::from(self.of.days) && !is_shown).then(|| {
                let told = (Gap::NotShown, one.office.clone(), one.student, one.facility.clone());
                (self.unshown(told, one.event_date, days), one.person)
            })
        };
        made.iter().filter(is_standing).filter_map(unshown).collect()
    }

    /// What districts have shown for so many days without a stay that anybody reported of those days, give or take as many.
    fn not_reported(
        &self,
        shown: &[StoredFact],
        owners: &BTreeMap<SourcePersonId, StudentId>,
        known: &BTreeMap<String, Known>,
    ) -> Vec<(Unshown, SourcePersonId)> {
        let give = Days::new(u64::from(self.of.days));
        let today = self.day(self.at);
        let mut first: BTreeMap<(String, StudentId, String), (NaiveDate, SourcePersonId)> = BTreeMap::new();
        for fact in shown {
            let (Some(student), Some(on), Some(facility), Some(lea)) =
                (owners.get(&fact.source_person), day_of(fact), fact.find_text("facility_2_id"), fact.lea.as_ref())
            else {
                continue;
            };
            let days = (today - on).num_days();
            if self.organizations.reveals_other_agency(&fact.sea, lea)
                || days > DAYS_BACK
                || days < i64::from(self.of.days)
            {
                continue;
            }
            let is_reported = self.stays.iter().any(|stay| {
                let is_theirs = matches!(
                    known.get(stay.person_key.expose()), Some(Known::Student { student: of, .. }) if of == student
                );
                let from = self.day(stay.admitted_at).checked_sub_days(give).unwrap_or(NaiveDate::MIN);
                let to = stay.released_at.and_then(|released| self.day(released).checked_add_days(give));
                !stay.is_withdrawn
                    && is_theirs
                    && stay.facility == facility
                    && from <= on
                    && to.is_none_or(|to| on <= to)
            });
            if is_reported {
                continue;
            }
            let key = (lea.clone(), *student, facility.to_owned());
            let seen = first.entry(key).or_insert((on, fact.source_person));
            *seen = (*seen).min((on, fact.source_person));
        }
        first
            .into_iter()
            .map(|((lea, student, facility), (on, person))| {
                (self.unshown((Gap::NotReported, lea, student, facility), on, (today - on).num_days()), person)
            })
            .collect()
    }

    fn unshown(
        &self,
        (gap, district, student, facility): (Gap, String, StudentId, String),
        since: NaiveDate,
        days: i64,
    ) -> Unshown {
        let name = self.organizations.find(self.of.reporter.sea.as_str(), &facility, Some(since));
        let facility_name = name.map(|organization| organization.name.clone());
        Unshown { gap, district, student, state_id: Masked::default(), facility, facility_name, since, days }
    }
}

/// The day of which a report says where the student is: the snapshot's, the registration's, else that of the report.
fn day_of(fact: &StoredFact) -> Option<NaiveDate> {
    fact.find_date("snapshot_date").or_else(|| fact.find_date("entry_date")).or_else(|| fact.told_on())
}
