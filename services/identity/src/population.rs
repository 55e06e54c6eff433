//! From a roster to authorities: who may be asked about, and until when.
//!
//! A roster gives days; the population holds half-open instants in the consumer's zone. Authority ends where the agency says so, or where
//! a full roster no longer names the client.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Bound,
};

use chrono::{DateTime, Days, NaiveDate, TimeZone, Utc};
use chrono_tz::Tz;
use model::{ConsumerId, Masked, SourcePersonId};
use serde::Serialize;
use sqlx::{PgConnection, postgres::types::PgRange};

use crate::{
    roster::{
        Authority, ClientDetails, Held, NAME_MISSING, Roster, RosterFinding, RosterKind, RosterLayout, RosterRow,
    },
    store::rosters::{self as store, NewRoster, StoredAuthority},
};

/// Why an authority ended that a full roster no longer names.
pub(crate) const ABSENT: &str = "absent from the roster";

/// What a roster is called and when it came.
#[derive(Clone, Debug)]
pub struct RosterFile<'a> {
    /// Who sent it.
    pub consumer: &'a ConsumerId,
    /// Its name.
    pub file_name: &'a str,
    /// SHA-256 of its bytes.
    pub sha256: [u8; 32],
    /// The day it speaks of.
    pub roster_date: NaiveDate,
    /// When it came.
    pub received_at: DateTime<Utc>,
    /// The steward who has made sure that it is right although it is much smaller than the last.
    pub accepted_by: Option<&'a str>,
}

/// The sender's receipt. It speaks of the agency's own rows only, never of what the state knows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RosterReceipt {
    /// The roster.
    pub roster: i64,
    /// Rows read.
    pub rows_in: u64,
    /// Rows taken: none of a roster that is refused as a whole.
    pub accepted: u64,
    /// Rows refused: their findings say why, or the reason why all are.
    pub refused: u64,
    /// Authorities new or changed.
    pub changed: u64,
    /// Authorities that ended because the roster no longer names the client.
    pub ended_by_absence: u64,
    /// What was wrong.
    pub findings: Vec<RosterFinding>,
    /// The same bytes had come before for the same day, and nothing newer of that day since: nothing was done.
    pub seen_before: bool,
    /// Why the roster as a whole was refused, if it was.
    pub refused_reason: Option<String>,
    /// No roster of a later day was taken before.
    #[serde(skip)]
    pub is_latest: bool,
    /// The clients whom rows name that cannot be used: what is known of them stays.
    #[serde(skip)]
    pub held: BTreeSet<Masked<String>>,
    /// The clients whose ids meant another child before.
    #[serde(skip)]
    pub other_child: BTreeSet<Masked<String>>,
}

/// Takes a roster: clients, authorities, absence. The population follows with [`rebuild`], after matching.
pub async fn take_roster(
    conn: &mut PgConnection,
    file: &RosterFile<'_>,
    layout: &RosterLayout,
    mut roster: Roster,
) -> Result<RosterReceipt, sqlx::Error> {
    store::lock_consumer(conn, file.consumer).await?;
    let mut receipt = RosterReceipt {
        roster: 0,
        rows_in: roster.rows_in,
        accepted: 0,
        refused: 0,
        changed: 0,
        ended_by_absence: 0,
        findings: Vec::new(),
        seen_before: false,
        refused_reason: None,
        is_latest: true,
        held: BTreeSet::new(),
        other_child: BTreeSet::new(),
    };
    let seen = store::find_roster(conn, file.consumer, &file.sha256, file.roster_date).await?;
    if let Some((id, rows_in, accepted, refused)) = seen {
        let count = |n: i32| u64::from(n.unsigned_abs());
        return Ok(RosterReceipt {
            roster: id,
            rows_in: count(rows_in),
            accepted: count(accepted),
            refused: count(refused),
            seen_before: true,
            is_latest: store::latest_roster_date(conn, file.consumer).await? == Some(file.roster_date),
            ..receipt
        });
    }
    refuse_two_children(&mut roster);
    refuse_duplicates(&mut roster);
    receipt.accepted = roster.rows.len() as u64;
    receipt.refused = receipt.rows_in.saturating_sub(receipt.accepted);
    receipt.refused_reason = refusal(store::latest_roster_date(conn, file.consumer).await?, file, layout, &roster);
    let current = store::list_authorities(conn, file.consumer).await?;
    let earlier = list_earlier(conn, file.consumer).await?;
    settle_gaps(&mut roster, &earlier);
    let held = list_held(&roster, &earlier);
    receipt.held = held.values().cloned().map(Masked::new).collect();
    receipt.other_child = list_other_children(&roster, &earlier);
    let held: BTreeSet<i64> = held.into_keys().collect();
    if receipt.refused_reason.is_none() && file.accepted_by.is_none() {
        let mut named = store::list_named(conn, file.consumer, &roster.person_keys()).await?;
        named.extend(&held);
        receipt.refused_reason = shrunken(&named, &current, file, layout);
    }
    receipt.findings = told(std::mem::take(&mut roster.findings));
    if receipt.refused_reason.is_some() {
        // Nothing of it was taken, whatever its rows are like.
        return Ok(RosterReceipt { accepted: 0, refused: receipt.rows_in, ..receipt });
    }
    let count = |n: u64| i32::try_from(n).unwrap_or(i32::MAX);
    let new = NewRoster {
        consumer: file.consumer,
        file_name: file.file_name,
        sha256: &file.sha256,
        kind: layout.kind.name(),
        roster_date: file.roster_date,
        received_at: file.received_at,
        rows_in: count(receipt.rows_in),
        accepted: count(receipt.accepted),
        refused: count(receipt.refused),
        accepted_by: file.accepted_by,
    };
    receipt.roster = store::insert_roster(conn, &new).await?;
    let clients = enter_clients(conn, file.consumer, receipt.roster, &roster.rows).await?;
    let plan = plan_authorities(&roster.rows, (&clients, &held), current, layout, file.roster_date);
    let ended: Vec<i64> = plan.superseded.iter().copied().collect();
    store::supersede_authorities(conn, &ended, file.received_at).await?;
    store::insert_authorities(conn, receipt.roster, &plan.inserted, file.received_at).await?;
    receipt.changed = plan.changed;
    receipt.ended_by_absence = plan.absent;
    Ok(receipt)
}

/// The most findings that a receipt tells one by one.
const FINDINGS_TOLD_MAX: usize = 10_000;

/// As many findings as a receipt holds; how many more there are is one of them.
fn told(mut findings: Vec<RosterFinding>) -> Vec<RosterFinding> {
    if findings.len() > FINDINGS_TOLD_MAX {
        let message = format!("{} more findings are not told one by one", findings.len() - FINDINGS_TOLD_MAX);
        findings.truncate(FINDINGS_TOLD_MAX);
        findings.push(RosterFinding { line: 0, column: None, rule: "findings.more", message });
    }
    findings
}

/// The offices that an agency's rosters have named, in the order of their names.
pub async fn list_offices(conn: &mut PgConnection, consumer: &ConsumerId) -> Result<Vec<String>, sqlx::Error> {
    store::list_offices(conn, consumer).await
}

/// Rebuilds the population intervals of a consumer from current matches and authorities; says how many there are.
pub async fn rebuild(conn: &mut PgConnection, consumer: &ConsumerId) -> Result<u64, sqlx::Error> {
    store::lock_consumer(conn, consumer).await?;
    store::rebuild_released(conn, consumer).await
}

/// A page of the source persons whose students are anybody's clients, now or at another time, behind `after`.
pub async fn list_released(
    conn: &mut PgConnection,
    after: SourcePersonId,
    limit: u32,
) -> Result<Vec<SourcePersonId>, sqlx::Error> {
    store::list_released(conn, after, limit).await
}

/// The largest share of bad rows a full roster may have: beyond it, absence could end authority over children who are still clients.
const REFUSED_SHARE_MAX: f64 = 0.2;

fn refusal(latest: Option<NaiveDate>, file: &RosterFile<'_>, layout: &RosterLayout, roster: &Roster) -> Option<String> {
    let received_on = file.received_at.with_timezone(&layout.time_zone).date_naive();
    if received_on < file.roster_date {
        return Some(format!(
            "the roster speaks of {}, and came on {received_on}: what it says of days to come would keep authority that ends before them",
            file.roster_date
        ));
    }
    if let Some(latest) = latest.filter(|latest| *latest > file.roster_date) {
        return Some(format!(
            "the roster speaks of {}, but one of {latest} has been taken: an older roster would undo it",
            file.roster_date
        ));
    }
    if roster.is_cut && layout.kind == RosterKind::Snapshot {
        return Some("the last line is cut off, and with it whoever came after: the roster is not whole".to_owned());
    }
    if roster.rows.is_empty() {
        return Some("the roster has no usable row: taken as it is, it would end every authority".to_owned());
    }
    let refused = roster.rows_in.saturating_sub(roster.rows.len() as u64);
    let is_many = |rows: u64| rows as f64 > REFUSED_SHARE_MAX * roster.rows_in as f64;
    if is_many(refused) {
        return Some(format!(
            "{refused} of {} rows are bad: the roster as a whole is not to be trusted",
            roster.rows_in
        ));
    }
    // In a small roster one client may have no name yet; where many have none a column has moved.
    let nameless = roster.findings.iter().filter(|finding| finding.rule == NAME_MISSING).map(|finding| finding.line);
    let nameless = nameless.collect::<BTreeSet<_>>().len() as u64;
    (is_many(nameless) && nameless >= LEAVING_MIN as u64).then(|| {
        format!("{nameless} of {} rows lack a name: the roster as a whole is not to be trusted", roster.rows_in)
    })
}

/// So many clients may leave with one roster whatever their share: a small agency's list changes by a few.
const LEAVING_MIN: usize = 10;

/// Stops a full roster that would end the authority over more clients than the layout's share allows: the file may have been cut.
fn shrunken(
    named: &BTreeSet<i64>,
    current: &[StoredAuthority],
    file: &RosterFile<'_>,
    layout: &RosterLayout,
) -> Option<String> {
    if layout.kind == RosterKind::Delta {
        return None;
    }
    let cut = day_begins(layout.time_zone, file.roster_date);
    let is_open = |stored: &&StoredAuthority| store::bound(&stored.released.end).is_none_or(|end| end > cut);
    let open: BTreeSet<i64> = current.iter().filter(is_open).map(|stored| stored.client_id).collect();
    let leaving = open.difference(named).count();
    let allowed = (1.0 - layout.snapshot_share_min) * open.len() as f64;
    (leaving >= LEAVING_MIN && leaving as f64 > allowed).then(|| {
        format!(
            "the roster no longer names {leaving} of {} current clients: a person must make sure with the agency that it is whole, and accept it",
            open.len()
        )
    })
}

/// Whether two rows give the same authority; who works on the case decides nothing.
fn says_the_same(a: &Authority, b: &Authority) -> bool {
    (&a.legal_basis, &a.phase, &a.office, &a.order_number, &a.instrument, a.start_date, a.end_date)
        == (&b.legal_basis, &b.phase, &b.office, &b.order_number, &b.instrument, b.start_date, b.end_date)
}

/// Of several rows that say the same of one client and authority the first is taken. Where they say different things nobody can tell which holds:
/// none is taken.
fn refuse_duplicates(roster: &mut Roster) {
    let key = |row: &RosterRow| (row.person_key.expose().clone(), row.authority.source_key.clone());
    let mut said: BTreeMap<(String, String), Authority> = BTreeMap::new();
    let mut two: BTreeSet<(String, String)> = BTreeSet::new();
    for row in &roster.rows {
        let first = said.entry(key(row)).or_insert_with(|| row.authority.clone());
        if !says_the_same(first, &row.authority) {
            two.insert(key(row));
        }
    }
    let mut seen = BTreeSet::new();
    let findings = &mut roster.findings;
    roster.rows.retain(|row| {
        let (rule, message) = if two.contains(&key(row)) {
            ("row.contradiction", "rows of the same client and authority say different things of it: none is taken")
        } else if seen.insert(key(row)) {
            return true;
        } else {
            ("row.duplicate", "an earlier row says the same of this client and authority: that one is taken")
        };
        findings.push(RosterFinding { line: row.line, column: None, rule, message: message.to_owned() });
        false
    });
}

/// Rows of one client that describe two children are refused, all of them: which of the two has the authority, nobody can tell. A surname may
/// differ, and so may what a row leaves out.
fn refuse_two_children(roster: &mut Roster) {
    let mut first: BTreeMap<String, ClientDetails> = BTreeMap::new();
    let mut two: BTreeSet<String> = BTreeSet::new();
    for row in &roster.rows {
        let key = row.person_key.expose();
        match first.get(key) {
            Some(known) if known.contradicts(&row.details) => {
                two.insert(key.clone());
            }
            Some(_) => {}
            None => {
                first.insert(key.clone(), row.details.clone());
            }
        }
    }
    let findings = &mut roster.findings;
    roster.rows.retain(|row| {
        let is_one = !two.contains(row.person_key.expose());
        if !is_one {
            let message = "rows of this client differ in first name, birth date or state id: they speak of two children, and none is taken";
            findings.push(RosterFinding {
                line: row.line,
                column: None,
                rule: "client.two_children",
                message: message.to_owned(),
            });
        }
        is_one
    });
}

/// Every client ever named: by the agency's id, our id and what the agency said last.
async fn list_earlier(
    conn: &mut PgConnection,
    consumer: &ConsumerId,
) -> Result<BTreeMap<String, (i64, ClientDetails)>, sqlx::Error> {
    let clients = store::list_details(conn, consumer).await?;
    let read = |details| serde_json::from_value(details).unwrap_or_default();
    Ok(clients.into_iter().map(|(client, key, details)| (key, (client, read(details)))).collect())
}

/// What rows leave out of name and birth date is taken from what the agency said of the same client in another row or an earlier roster.
fn settle_gaps(roster: &mut Roster, earlier: &BTreeMap<String, (i64, ClientDetails)>) {
    let incomplete = |row: &&mut RosterRow| row.details.is_incomplete();
    let mut said: BTreeMap<String, ClientDetails> = BTreeMap::new();
    for row in &roster.rows {
        said.entry(row.person_key.expose().clone()).or_default().fill_from(&row.details);
    }
    for row in roster.rows.iter_mut().filter(incomplete) {
        if let Some(said) = said.get(row.person_key.expose()) {
            row.details.fill_from(said);
        }
    }
    for row in roster.rows.iter_mut().filter(incomplete) {
        if let Some((_, earlier)) = earlier.get(row.person_key.expose())
            && row.details.bears_out(earlier)
        {
            row.details.fill_from(earlier);
        }
    }
}

/// The clients whom rows name that cannot be used.
fn list_held(roster: &Roster, earlier: &BTreeMap<String, (i64, ClientDetails)>) -> BTreeMap<i64, String> {
    let mut held = BTreeMap::new();
    if roster.held.is_empty() {
        return held;
    }
    for (key, (client, details)) in earlier {
        let is_held = |one: &Held| match one {
            Held::Key(held) => held.expose() == key,
            Held::Child(child) => child.bears_out(details),
        };
        if roster.held.iter().any(is_held) {
            held.insert(*client, key.clone());
        }
    }
    held
}

/// The ids under which the agency lists another child than before.
fn list_other_children(roster: &Roster, earlier: &BTreeMap<String, (i64, ClientDetails)>) -> BTreeSet<Masked<String>> {
    let is_other = |row: &&RosterRow| {
        earlier.get(row.person_key.expose()).is_some_and(|(_, before)| row.details.is_another_child(before))
    };
    roster.rows.iter().filter(is_other).map(|row| row.person_key.clone()).collect()
}

async fn enter_clients(
    conn: &mut PgConnection,
    consumer: &ConsumerId,
    roster: i64,
    rows: &[RosterRow],
) -> Result<BTreeMap<String, i64>, sqlx::Error> {
    let mut by_key: BTreeMap<&str, &RosterRow> = BTreeMap::new();
    for row in rows {
        by_key.insert(row.person_key.expose(), row);
    }
    let keys: Vec<String> = by_key.keys().map(|key| (*key).to_owned()).collect();
    // Cannot fail: a struct of texts and a day is always JSON.
    let details: Vec<serde_json::Value> =
        by_key.values().map(|row| serde_json::to_value(&row.details).unwrap_or_default()).collect();
    let hashes: Vec<Vec<u8>> = by_key.values().map(|row| row.details.digest().to_vec()).collect();
    Ok(store::upsert_clients(conn, consumer, roster, &keys, &details, &hashes).await?.into_iter().collect())
}

/// What a roster changes.
#[derive(Default)]
struct AuthorityPlan {
    superseded: BTreeSet<i64>,
    inserted: Vec<StoredAuthority>,
    changed: u64,
    absent: u64,
}

fn plan_authorities(
    rows: &[RosterRow],
    (clients, held): (&BTreeMap<String, i64>, &BTreeSet<i64>),
    current: Vec<StoredAuthority>,
    layout: &RosterLayout,
    roster_date: NaiveDate,
) -> AuthorityPlan {
    let mut plan = AuthorityPlan::default();
    let mut known: BTreeMap<(i64, String), StoredAuthority> =
        current.into_iter().map(|a| ((a.client_id, a.source_key.clone()), a)).collect();
    for row in rows {
        let Some(client) = clients.get(row.person_key.expose()) else { continue };
        let wanted = authority(*client, &row.authority, layout.time_zone);
        match known.remove(&(*client, row.authority.source_key.clone())) {
            Some(stored) if same(&stored, &wanted) => {}
            Some(stored) => {
                plan.superseded.insert(stored.authority_id);
                plan.inserted.push(wanted);
                plan.changed += 1;
            }
            None => {
                plan.inserted.push(wanted);
                plan.changed += 1;
            }
        }
    }
    if layout.kind == RosterKind::Snapshot {
        let cut = day_begins(layout.time_zone, roster_date);
        for stored in known.into_values() {
            let lower = store::bound(&stored.released.start);
            let open = store::bound(&stored.released.end).is_none_or(|end| end > cut);
            if !open || held.contains(&stored.client_id) {
                continue;
            }
            plan.superseded.insert(stored.authority_id);
            plan.absent += 1;
            // An authority that would only have begun later leaves no interval.
            if lower.is_none_or(|lower| lower < cut) {
                let released = PgRange { start: stored.released.start, end: Bound::Excluded(cut) };
                plan.inserted.push(StoredAuthority { released, end_reason: Some(ABSENT.to_owned()), ..stored });
            }
        }
    }
    plan
}

fn authority(client: i64, given: &Authority, zone: Tz) -> StoredAuthority {
    let end = given.end_date.and_then(|day| day.checked_add_days(Days::new(1))).map(|day| day_begins(zone, day));
    StoredAuthority {
        authority_id: 0,
        client_id: client,
        source_key: given.source_key.clone(),
        kind: given.kind.clone(),
        legal_basis: given.legal_basis.clone(),
        phase: given.phase.clone(),
        office: given.office.clone(),
        region: given.region.clone(),
        officer: given.officer.clone(),
        order_number: given.order_number.clone(),
        start_date: given.start_date,
        end_date: given.end_date,
        end_reason: given.end_reason.clone(),
        released: PgRange {
            start: Bound::Included(day_begins(zone, given.start_date)),
            end: end.map_or(Bound::Unbounded, Bound::Excluded),
        },
    }
}

fn same(a: &StoredAuthority, b: &StoredAuthority) -> bool {
    (&a.kind, &a.legal_basis, &a.phase, &a.office, &a.region, &a.officer, &a.order_number)
        == (&b.kind, &b.legal_basis, &b.phase, &b.office, &b.region, &b.officer, &b.order_number)
        && (a.start_date, a.end_date, &a.end_reason) == (b.start_date, b.end_date, &b.end_reason)
        && store::bound(&a.released.start) == store::bound(&b.released.start)
        && store::bound(&a.released.end) == store::bound(&b.released.end)
}

/// The first instant of a day in a zone; where midnight does not exist, the first that does.
pub fn day_begins(zone: Tz, day: NaiveDate) -> DateTime<Utc> {
    let midnight = day.and_time(chrono::NaiveTime::MIN);
    let local =
        (0..=3).find_map(|hour| zone.from_local_datetime(&(midnight + chrono::Duration::hours(hour))).earliest());
    local.map_or_else(|| Utc.from_utc_datetime(&midnight), |at| at.with_timezone(&Utc))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_begins_at_local_midnight() {
        fn check(day: &str, expect: &str) {
            let day: NaiveDate = day.parse().expect("a day");
            assert_eq!(day_begins(chrono_tz::America::New_York, day).to_rfc3339(), expect);
        }
        check("2026-01-15", "2026-01-15T05:00:00+00:00");
        check("2026-07-15", "2026-07-15T04:00:00+00:00");
        check("2026-03-08", "2026-03-08T05:00:00+00:00");
    }
}
