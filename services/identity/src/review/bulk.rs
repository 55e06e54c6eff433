//! Bulk decisions: many pairs alike decided at once, after a sample that chance drew was looked at one by one and decided alike.
//!
//! Pairs are alike when they wait for the same reason, are about as probable, and agree in the same way in names and birth date. How large
//! the sample must be follows from how many of the pairs may be wrong: so large that, were more of them wrong, a sample without a
//! single disagreement would come about in at most one of twenty draws (acceptance sampling without replacement, none accepted:
//! hypergeometric). One pair decided otherwise ends the bulk, and its pairs are decided one by one. What a guard keeps for a person is never
//! linked in bulk: for such a pair a look is the point. Nobody draws again until a sample pleases: what a refused bulk held comes into no other.

use std::{collections::BTreeMap, fmt::Write as _};

use chrono::{DateTime, Utc};
use model::{ConsumerId, Masked, StudentId};
use rand::{SeedableRng as _, seq::index};
use rand_chacha::ChaCha8Rng;
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use sqlx::PgConnection;

use super::{BINS, Comparison, hex};
use crate::{
    Error,
    crosswalk::{Author, Link},
    matching::ENGINE,
    population::rebuild,
    store::{
        matches::supersede_decisions,
        review::bulk::{self as store, AlikeRow, BulkRow, ManyDecided, MemberRow, NewBulk},
        rosters::lock_consumer,
    },
};

/// The share of the links of a bulk that may be wrong: a wrong link discloses a stranger's record.
const WRONG_LINKS_MAX: f64 = 0.01;
/// The share of the rejections of a bulk that may be wrong: the child stays without help until somebody looks again.
const WRONG_REJECTIONS_MAX: f64 = 0.05;
/// The chance put up with that a sample without a disagreement comes of a bulk with more wrong ones than that.
const MISTAKEN_MAX: f64 = 0.05;
/// A sample is no smaller, unless it is the whole bulk.
const SAMPLE_MIN: usize = 20;
/// Pairs may be linked in bulk from this probability on.
const LINK_PROBABILITY_MIN: f64 = 0.9;
/// The engine's reason of pairs that no guard keeps for a person.
const NO_GUARD: &str = "probability";

/// What a bulk decides of each of its pairs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum BulkVerdict {
    /// They are one child.
    Are,
    /// They are not.
    AreNot,
}

impl BulkVerdict {
    const fn outcome(self) -> &'static str {
        match self {
            Self::Are => "match",
            Self::AreNot => "non_match",
        }
    }

    const fn wrong_max(self) -> f64 {
        match self {
            Self::Are => WRONG_LINKS_MAX,
            Self::AreNot => WRONG_REJECTIONS_MAX,
        }
    }

    fn parse(outcome: &str) -> Self {
        if outcome == "match" { Self::Are } else { Self::AreNot }
    }
}

/// Pairs of one agency that wait alike. It names nobody.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Alike {
    /// By what a bulk of them is drawn.
    pub id: String,
    /// The agency.
    pub consumer: String,
    /// What they have in common.
    pub kind: String,
    /// How many they are.
    pub pairs: u64,
    /// How many of them must be looked at one by one before the others are linked; none: they are not linked in bulk.
    pub sample_to_link: Option<u64>,
    /// The same before the others are rejected.
    pub sample_to_reject: u64,
}

/// How far a bulk has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum BulkState {
    /// Its sample is being looked at.
    Open,
    /// One of its pairs was decided otherwise: all are decided one by one.
    Refused,
    /// Its pairs are decided.
    Applied,
    /// What it decided was taken back.
    Undone,
}

/// A bulk, without names.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Bulk {
    /// Its number.
    pub id: i64,
    /// The agency.
    pub consumer: String,
    /// What its pairs have in common.
    pub kind: String,
    /// What it decides of each.
    pub verdict: BulkVerdict,
    /// Who drew it.
    pub drawn_by: String,
    /// Why.
    pub reason: String,
    /// When.
    pub drawn_at: DateTime<Utc>,
    /// How far it has come.
    pub state: BulkState,
    /// The pairs it was drawn from.
    pub pairs: u64,
    /// Pairs of the sample.
    pub sampled: u64,
    /// Those of them that a steward looked at and decided as the bulk does.
    pub agreed: u64,
    /// Pairs that somebody decided otherwise.
    pub disagreed: u64,
    /// Clients of the sample who have still to be looked at and decided.
    pub to_look_at: Vec<i64>,
    /// Pairs that moved on since it was drawn: the agency or the state has said something new, or another client claims the student.
    pub moved_on: u64,
    /// Pairs decided with it, without a look, when it was applied just now.
    pub decided: u64,
}

/// What taking a bulk back did.
#[derive(Clone, Debug)]
pub struct BulkUndone {
    /// The bulk.
    pub bulk: Bulk,
    /// Matches that ended by it: whatever was disclosed on them must be called back.
    pub ended: Vec<Link>,
    /// Pairs that wait for a person again, the sample's among them.
    pub waiting: u64,
}

/// How many of so many pairs must be looked at, all to be decided alike.
fn sample_size(pairs: usize, wrong_share_max: f64) -> usize {
    // The least number of wrong ones that would be too many.
    let wrong = (wrong_share_max * pairs as f64).floor() as usize + 1;
    let mut chance = 1.0;
    let mut drawn = 0;
    while drawn < pairs && (chance > MISTAKEN_MAX || drawn < SAMPLE_MIN) {
        chance *= pairs.saturating_sub(wrong + drawn) as f64 / (pairs - drawn) as f64;
        drawn += 1;
    }
    drawn
}

/// What a pair has in common with others: why it waits, how probable it is, how names and birth date compare. No value of a record.
fn kind_of(row: &AlikeRow) -> (String, bool) {
    let parts: Vec<Comparison> =
        row.explanation.get("parts").and_then(|parts| serde_json::from_value(parts.clone()).ok()).unwrap_or_default();
    let reason = row.explanation.get("reason").and_then(serde_json::Value::as_str).unwrap_or("unknown");
    let from = BINS.iter().copied().filter(|from| *from <= row.probability).fold(0.0, f64::max);
    let to = BINS.iter().copied().find(|to| *to > row.probability).unwrap_or(1.0);
    let mut kind = format!("{reason}, probability {from} to {to}");
    for compared in ["name_order", "first_name", "middle_name", "last_name", "birth_date", "sasid"] {
        // One comparison has several forms (a rare name, a short one): which of them is no matter here.
        if let Some(part) = parts.iter().find(|part| part.comparison.starts_with(compared)) {
            // Cannot fail: writing to a text.
            let _ = write!(kind, "; {compared} {}", part.level);
        }
    }
    let may_link = reason == NO_GUARD && from >= LINK_PROBABILITY_MIN;
    (kind, may_link)
}

fn id_of(consumer: &str, kind: &str) -> String {
    let digest = Sha256::digest(format!("{consumer}\n{kind}"));
    hex(digest.get(..6).unwrap_or_default())
}

struct Group {
    consumer: String,
    kind: String,
    may_link: bool,
    rows: Vec<AlikeRow>,
}

async fn groups(conn: &mut PgConnection, consumer: Option<&ConsumerId>) -> Result<BTreeMap<String, Group>, Error> {
    let mut groups: BTreeMap<String, Group> = BTreeMap::new();
    for row in store::list_alone(conn, ENGINE, consumer).await? {
        let (kind, may_link) = kind_of(&row);
        let id = id_of(&row.consumer, &kind);
        let empty = || Group { consumer: row.consumer.clone(), kind, may_link, rows: Vec::new() };
        groups.entry(id).or_insert_with(empty).rows.push(row);
    }
    Ok(groups)
}

/// Pairs that wait alike, the most first. Clients with several candidates, contested matches and pairs of an open or refused bulk are not
/// among them.
pub async fn list_alike(conn: &mut PgConnection, consumer: Option<&ConsumerId>) -> Result<Vec<Alike>, Error> {
    let alike = |(id, group): (String, Group)| {
        let pairs = group.rows.len();
        Alike {
            id,
            consumer: group.consumer,
            kind: group.kind,
            pairs: pairs as u64,
            sample_to_link: group.may_link.then(|| sample_size(pairs, WRONG_LINKS_MAX) as u64),
            sample_to_reject: sample_size(pairs, WRONG_REJECTIONS_MAX) as u64,
        }
    };
    let mut list: Vec<Alike> = groups(conn, consumer).await?.into_iter().map(alike).collect();
    list.sort_by(|a, b| b.pairs.cmp(&a.pairs).then_with(|| a.id.cmp(&b.id)));
    Ok(list)
}

/// Draws a bulk of the pairs that wait alike, and its sample by `seed`. Asked again while it is open, it gives the same bulk.
pub async fn draw(
    conn: &mut PgConnection,
    (alike, verdict): (&str, BulkVerdict),
    seed: u64,
    author: Author<'_>,
) -> Result<Bulk, Error> {
    author.check()?;
    if let Some(open) = find_open(conn, alike).await? {
        let is_same = open.verdict == verdict;
        return if is_same {
            Ok(open)
        } else {
            Err(Error::Conflict("a bulk of these pairs is open that decides otherwise"))
        };
    }
    let group = groups(conn, None).await?.remove(alike).ok_or(Error::NotFound("kind of pairs that wait"))?;
    let consumer: ConsumerId =
        group.consumer.parse().map_err(|_| Error::Conflict("a stored consumer does not read"))?;
    crate::store::crosswalk::lock(conn, false).await?;
    lock_consumer(conn, &consumer).await?;
    // Again, now that nothing can change it under us.
    let group = groups(conn, Some(&consumer)).await?.remove(alike).ok_or(Error::NotFound("kind of pairs that wait"))?;
    if find_open(conn, alike).await?.is_some() {
        return Err(Error::Conflict("a bulk of these pairs has just been drawn"));
    }
    if verdict == BulkVerdict::Are && !group.may_link {
        return Err(Error::Precondition(
            "pairs that a guard keeps for a person, or that are not probable enough, are linked one by one only",
        ));
    }
    let new = NewBulk {
        consumer: &consumer,
        kind: &group.kind,
        outcome: verdict.outcome(),
        by: author.by,
        reason: author.reason,
        at: author.at,
    };
    let id = store::insert_bulk(conn, &new).await?;
    store::insert_members(conn, id, &group.rows.iter().collect::<Vec<_>>()).await?;
    let clients: Vec<i64> = group.rows.iter().map(|row| row.client_id).collect();
    let sample = pick(&clients, sample_size(clients.len(), verdict.wrong_max()), seed);
    store::sample_members(conn, id, &sample, author.at).await?;
    find(conn, id).await?.ok_or(Error::NotFound("bulk"))
}

/// The open bulk of pairs alike.
async fn find_open(conn: &mut PgConnection, alike: &str) -> Result<Option<Bulk>, Error> {
    let open = store::list_open_bulks(conn).await?;
    match open.iter().find(|row| id_of(&row.consumer, &row.kind) == alike) {
        Some(row) => find(conn, row.bulk_id).await,
        None => Ok(None),
    }
}

/// So many of these, by chance.
fn pick(clients: &[i64], count: usize, seed: u64) -> Vec<i64> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let places = index::sample(&mut rng, clients.len(), count.min(clients.len()));
    places.into_iter().filter_map(|place| clients.get(place).copied()).collect()
}

/// A bulk by its number.
pub async fn find(conn: &mut PgConnection, id: i64) -> Result<Option<Bulk>, Error> {
    let Some(row) = store::find_bulk(conn, id).await? else { return Ok(None) };
    let members = store::list_bulk_members(conn, ENGINE, id).await?;
    Ok(Some(bulk_of(row, &members)))
}

/// The latest bulks first.
pub async fn list(conn: &mut PgConnection, consumer: Option<&ConsumerId>, limit: u32) -> Result<Vec<Bulk>, Error> {
    let mut list = Vec::new();
    for id in store::list_bulks(conn, consumer, i64::from(limit)).await? {
        list.extend(find(conn, id).await?);
    }
    Ok(list)
}

fn bulk_of(row: BulkRow, members: &[MemberRow]) -> Bulk {
    let count = |test: fn(&&MemberRow) -> bool| members.iter().filter(test).count() as u64;
    let state = match (row.refused_at, row.applied_at, row.undone_at) {
        (Some(_), ..) => BulkState::Refused,
        (_, _, Some(_)) => BulkState::Undone,
        (_, Some(_), _) => BulkState::Applied,
        _ => BulkState::Open,
    };
    let is_open = state == BulkState::Open;
    let waits = |member: &&MemberRow| is_open && member.is_sampled && !member.agrees && member.is_standing;
    let moved_on = |member: &&MemberRow| !member.agrees && !member.disagrees && !member.is_standing;
    Bulk {
        id: row.bulk_id,
        consumer: row.consumer,
        kind: row.kind,
        verdict: BulkVerdict::parse(&row.outcome),
        drawn_by: row.drawn_by,
        reason: row.reason,
        drawn_at: row.drawn_at,
        state,
        pairs: members.len() as u64,
        sampled: count(|member| member.is_sampled),
        agreed: count(|member| member.is_sampled && member.agrees),
        disagreed: count(|member| member.disagrees),
        to_look_at: members.iter().filter(waits).map(|member| member.client_id).collect(),
        moved_on: if is_open { members.iter().filter(moved_on).count() as u64 } else { 0 },
        decided: 0,
    }
}

/// Carries a bulk out, if its sample was looked at and decided alike. A pair decided otherwise refuses it; where so many pairs moved on that
/// the sample no longer shows enough, more are drawn by `seed` and it stays open.
pub async fn apply(conn: &mut PgConnection, id: i64, seed: u64, author: Author<'_>) -> Result<Bulk, Error> {
    let (mut bulk, consumer) = hold(conn, id, author).await?;
    if bulk.state != BulkState::Open {
        return Err(Error::Conflict("the bulk is not open"));
    }
    if bulk.disagreed > 0 {
        store::refuse_bulk(conn, id, author.at).await?;
        return Ok(Bulk { state: BulkState::Refused, to_look_at: Vec::new(), ..bulk });
    }
    if !bulk.to_look_at.is_empty() {
        return Err(Error::Precondition(
            "pairs of the sample have still to be looked at (identity review show) and decided one by one",
        ));
    }
    let members = store::list_bulk_members(conn, ENGINE, id).await?;
    let rest: Vec<&MemberRow> = members.iter().filter(|member| member.is_standing && !member.is_sampled).collect();
    let agreed = usize::try_from(bulk.agreed).unwrap_or(usize::MAX);
    let needed = sample_size(agreed.saturating_add(rest.len()), bulk.verdict.wrong_max());
    if !rest.is_empty() && agreed < needed {
        let clients: Vec<i64> = rest.iter().map(|member| member.client_id).collect();
        store::sample_members(conn, id, &pick(&clients, needed - agreed, seed), author.at).await?;
        return find(conn, id).await?.ok_or(Error::NotFound("bulk"));
    }
    let of: Vec<i64> = rest.iter().map(|member| member.decision_id).collect();
    let reason = format!("{} (bulk {id}, {agreed} of {} looked at)", author.reason, agreed + of.len());
    let new = ManyDecided {
        of: &of,
        outcome: bulk.verdict.outcome(),
        bulk: Some(id),
        by: author.by,
        reason: &reason,
        at: author.at,
    };
    let ended = supersede_decisions(conn, &of, author.at).await?;
    let entered = store::insert_many_decisions(conn, &new).await?;
    if (ended, entered) != (of.len() as u64, of.len() as u64)
        || store::apply_bulk(conn, id, author.by, author.at).await? != 1
    {
        return Err(Error::Conflict("the pairs changed while they were decided"));
    }
    rebuild(conn, &consumer).await?;
    bulk.state = BulkState::Applied;
    bulk.decided = entered;
    Ok(bulk)
}

/// Takes back all that a bulk decided, its sample included: every pair waits for a person again, and the engine keeps its hands off it.
pub async fn undo(conn: &mut PgConnection, id: i64, author: Author<'_>) -> Result<BulkUndone, Error> {
    let (mut bulk, consumer) = hold(conn, id, author).await?;
    if bulk.state != BulkState::Applied {
        return Err(Error::Conflict("the bulk is not in force, so there is nothing to take back"));
    }
    let standing = store::list_standing(conn, ENGINE, id).await?;
    let of: Vec<i64> = standing.iter().map(|row| row.decision_id).collect();
    let reason = format!("{} (bulk {id} taken back)", author.reason);
    let new = ManyDecided { of: &of, outcome: "review", bulk: None, by: author.by, reason: &reason, at: author.at };
    supersede_decisions(conn, &of, author.at).await?;
    let waiting = store::insert_many_decisions(conn, &new).await?;
    if store::undo_bulk(conn, id, (author.by, author.reason), author.at).await? != 1 {
        return Err(Error::Conflict("the bulk is not in force, so there is nothing to take back"));
    }
    rebuild(conn, &consumer).await?;
    let ended = standing.into_iter().filter(|row| row.outcome == "match").map(|row| Link {
        consumer: consumer.clone(),
        person_key: Masked::new(row.person_key),
        student: StudentId(row.student_id),
        since: row.decided_at,
    });
    let ended = ended.collect();
    bulk.state = BulkState::Undone;
    Ok(BulkUndone { bulk, ended, waiting })
}

/// Notes that a steward looks at a case: only a decision after a look counts as a sample's.
pub async fn note_look(conn: &mut PgConnection, client: i64, at: DateTime<Utc>) -> Result<(), Error> {
    Ok(store::note_look(conn, client, at).await?)
}

/// A bulk under its consumer's lock.
async fn hold(conn: &mut PgConnection, id: i64, author: Author<'_>) -> Result<(Bulk, ConsumerId), Error> {
    author.check()?;
    let row = store::find_bulk(conn, id).await?.ok_or(Error::NotFound("bulk"))?;
    let consumer: ConsumerId = row.consumer.parse().map_err(|_| Error::Conflict("a stored consumer does not read"))?;
    crate::store::crosswalk::lock(conn, false).await?;
    lock_consumer(conn, &consumer).await?;
    Ok((find(conn, id).await?.ok_or(Error::NotFound("bulk"))?, consumer))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_sample_shows_what_it_is_to_show() {
        for (pairs, share, expect) in [
            (0, 0.01, 0),
            (1, 0.01, 1),
            (10, 0.05, 10),
            (30, 0.05, 23),
            (100, 0.01, 78),
            (1_000, 0.01, 238),
            (100_000, 0.01, 298),
        ] {
            assert_eq!(sample_size(pairs, share), expect, "{pairs} pairs, {share}");
        }
    }

    #[test]
    fn a_kind_holds_levels_and_no_value() {
        let explanation = json!({
            "reason": "probability",
            "parts": [
                { "comparison": "first_name_rare", "level": "nickname", "bits": 4.0, "frequency": 0.001 },
                { "comparison": "last_name", "level": "exact", "bits": 9.0, "frequency": null },
                { "comparison": "birth_date", "level": "exact", "bits": 12.0, "frequency": null },
                { "comparison": "sex", "level": "agrees", "bits": 1.0, "frequency": null },
            ],
        });
        let row = |probability, explanation| AlikeRow {
            decision_id: 1,
            client_id: 1,
            student_id: uuid::Uuid::nil(),
            consumer: "dcf".to_owned(),
            probability,
            explanation,
        };
        let (kind, may_link) = kind_of(&row(0.95, explanation.clone()));
        assert_eq!(
            kind,
            "probability, probability 0.9 to 0.99; first_name nickname; last_name exact; birth_date exact"
        );
        assert!(may_link && !kind_of(&row(0.6, explanation)).1);
        assert!(!kind_of(&row(0.95, json!({ "reason": "first_names_disagree" }))).1, "a guard asks for a look at each");
    }
}
