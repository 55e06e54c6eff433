//! Clerical review: what waits for a person, what the person needs to see, and what the person decides.
//!
//! A person outranks the engine, in both directions, and every decision names who made it and why. A person alone may accept or reject what
//! the engine put forward; a link that the engine did not propose needs the signatures of two stewards ([`Override`]), checked in the layer
//! above, where agreements and stewards are known. What a person undid, the engine may propose again, and never links again by itself.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

use chrono::{DateTime, TimeDelta, Utc};
use model::{ConsumerId, Masked, StudentId};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{
    Error, Person,
    crosswalk::{Author, Link},
    matching::{ENGINE, add_report},
    population::rebuild,
    roster::ClientDetails,
    store::{
        matches::supersede_decisions,
        review::{self as store, CaseDecisionRow, OverrideRow, PersonsDecision},
        rosters::lock_consumer,
    },
};

pub mod bulk;

/// Decisions on one client that are shown at most.
const DECISIONS_MAX: i64 = 100;

/// A client who waits for a person.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Waiting {
    /// The client, by our own number.
    pub client: i64,
    /// The agency.
    pub consumer: String,
    /// How many students it may be.
    pub candidates: u64,
    /// The probability of the best of them.
    pub best: f64,
    /// Since when it waits.
    pub waiting_since: DateTime<Utc>,
    /// It is matched already, and the engine would change that: somebody may hold a stranger's record.
    pub is_contested: bool,
    /// An authority over it is in force: a decision gives or ends access today.
    pub has_authority: bool,
    rank: i32,
}

/// A place in the queue: where a page ends.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Place(i32, f64, i64);

impl Waiting {
    /// Where to go on behind this one.
    pub const fn place(&self) -> Place {
        Place(self.rank, self.best, self.client)
    }
}

impl Place {
    /// As opaque text.
    pub fn to_text(self) -> String {
        format!("{}~{:016x}~{}", self.0, self.1.to_bits(), self.2)
    }

    /// Out of its text.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('~');
        let rank = parts.next()?.parse().ok()?;
        let best = f64::from_bits(u64::from_str_radix(parts.next()?, 16).ok()?);
        let client = parts.next()?.parse().ok()?;
        (parts.next().is_none() && best.is_finite()).then_some(Self(rank, best, client))
    }
}

/// The queue, most valuable first: matches in doubt before new ones, clients over whom an authority is in force before others, likely
/// matches before unlikely. It names nobody.
pub async fn list(
    conn: &mut PgConnection,
    consumer: Option<&ConsumerId>,
    after: Option<Place>,
    at: DateTime<Utc>,
    limit: u32,
) -> Result<Vec<Waiting>, Error> {
    let after = after.map(|place| (place.0, place.1, place.2));
    let rows = store::list_waiting(conn, consumer, after, at, i64::from(limit)).await?;
    let waiting = |row: store::WaitingRow| Waiting {
        client: row.client_id,
        consumer: row.consumer,
        candidates: row.candidates.unsigned_abs(),
        best: row.best,
        waiting_since: row.waiting_since,
        is_contested: row.is_contested,
        has_authority: row.has_authority,
        rank: row.rank,
    };
    Ok(rows.into_iter().map(waiting).collect())
}

/// One comparison of a pair.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// What was compared.
    pub comparison: String,
    /// How alike it was.
    pub level: String,
    /// Its weight in bits: positive for one child, negative against.
    pub bits: f64,
    /// How common the value is, as a share of all people, where that entered the weight.
    pub frequency: Option<f64>,
}

/// A student the client may be, as the state has reported them: personal data.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// The student.
    pub student: StudentId,
    /// State ids, names, birth dates, sex and towns, all ever reported.
    pub person: Person,
    /// The calibrated probability; none if the engine did not compare the two.
    pub probability: Option<f64>,
    /// The score in bits.
    pub score_bits: Option<f64>,
    /// Each comparison's weight.
    pub comparisons: Vec<Comparison>,
    /// What the engine, or the person before, said of it.
    pub reason: String,
    /// `match`, `review` or `non_match`, as it stands.
    pub outcome: String,
    /// Another client of the agency is this student.
    pub is_taken: bool,
}

/// An earlier or current decision, without names.
#[derive(Clone, Debug, Serialize)]
pub struct Past {
    /// About whom; none: about the client as a whole.
    pub student: Option<StudentId>,
    /// What was decided.
    pub outcome: String,
    /// Who.
    pub decided_by: String,
    /// Why.
    pub reason: String,
    /// When.
    pub decided_at: DateTime<Utc>,
    /// Since when it no longer holds.
    pub superseded_at: Option<DateTime<Utc>>,
}

/// A client beside the students it may be: personal data, for the SEA's own stewards only.
#[derive(Clone, Debug)]
pub struct Case {
    /// The client.
    pub client: i64,
    /// The agency.
    pub consumer: ConsumerId,
    /// The agency's own id of it.
    pub person_key: Masked<String>,
    /// What the agency says.
    pub details: ClientDetails,
    /// The students, best first.
    pub candidates: Vec<Candidate>,
    /// What was decided before.
    pub past: Vec<Past>,
}

/// The client of an agency's own id.
pub async fn find_client(
    conn: &mut PgConnection,
    consumer: &ConsumerId,
    person_key: &Masked<String>,
) -> Result<Option<i64>, Error> {
    Ok(store::find_client_by_key(conn, consumer, person_key.expose()).await?)
}

/// The students that a case will show: what the record of accesses names before anything is shown.
pub async fn list_candidates(conn: &mut PgConnection, client: i64) -> Result<BTreeSet<StudentId>, Error> {
    let rows = store::list_case(conn, client, DECISIONS_MAX).await?;
    Ok(rows.iter().filter(|row| row.superseded_at.is_none()).filter_map(|row| row.student_id.map(StudentId)).collect())
}

/// Opens a case, showing these students and no others. Record the access first.
pub async fn show(conn: &mut PgConnection, client: i64, students: &BTreeSet<StudentId>) -> Result<Case, Error> {
    let row = store::find_client(conn, client).await?.ok_or(Error::NotFound("client"))?;
    let consumer: ConsumerId = row.consumer.parse().map_err(|_| Error::Conflict("a stored consumer does not read"))?;
    let decisions = store::list_case(conn, client, DECISIONS_MAX).await?;
    let ids: Vec<Uuid> = students.iter().map(|student| student.0).collect();
    let taken = store::list_taken(conn, &consumer, client, &ids).await?;
    let mut persons: BTreeMap<Uuid, Person> = BTreeMap::new();
    for report in store::list_reports_of(conn, &ids).await? {
        add_report(persons.entry(report.student_id).or_default(), &report.state_id, report.payload.as_ref());
    }
    let mut candidates: Vec<Candidate> = Vec::new();
    for decision in decisions.iter().filter(|decision| decision.superseded_at.is_none()) {
        let Some(student) = decision.student_id.filter(|id| students.contains(&StudentId(*id))) else { continue };
        if !candidates.iter().any(|known| known.student.0 == student) {
            let person = persons.remove(&student).unwrap_or_default();
            candidates.push(candidate(decision, student, person, taken.contains(&student)));
        }
    }
    let past = |row: CaseDecisionRow| Past {
        student: row.student_id.map(StudentId),
        outcome: row.outcome,
        decided_by: row.decided_by,
        reason: row.reason,
        decided_at: row.decided_at,
        superseded_at: row.superseded_at,
    };
    Ok(Case {
        client,
        consumer,
        person_key: Masked::new(row.person_key),
        details: serde_json::from_value(row.details).unwrap_or_default(),
        candidates,
        past: decisions.into_iter().map(past).collect(),
    })
}

fn candidate(decision: &CaseDecisionRow, student: Uuid, person: Person, is_taken: bool) -> Candidate {
    let of = |name: &str| decision.explanation.get(name).cloned().unwrap_or_default();
    let guard = of("reason").as_str().map(|reason| format!("{} ({reason})", decision.reason));
    Candidate {
        student: StudentId(student),
        person,
        probability: decision.probability,
        score_bits: decision.score_bits,
        comparisons: serde_json::from_value(of("parts")).unwrap_or_default(),
        reason: guard.unwrap_or_else(|| decision.reason.clone()),
        outcome: decision.outcome.clone(),
        is_taken,
    }
}

/// What a person decides about a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is this student.
    Is(StudentId),
    /// It is not this student.
    IsNot(StudentId),
    /// The state has no such student.
    IsNobody,
}

/// What a decision did.
#[derive(Clone, Debug, Default)]
pub struct Decided {
    /// A match that ended by it: whatever was disclosed on it must be called back.
    pub ended: Option<Link>,
    /// The client is matched now.
    pub is_matched: bool,
}

/// Decides as a person. A link that the engine did not put forward is refused here: it needs two ([`file_override`]).
pub async fn decide(
    conn: &mut PgConnection,
    client: i64,
    verdict: Verdict,
    author: Author<'_>,
) -> Result<Decided, Error> {
    let case = Held::take(conn, client, author).await?;
    if let Verdict::Is(student) = verdict
        && case.of_student(student).is_none_or(|row| row.outcome == "non_match")
    {
        return Err(Error::Precondition(
            "the engine did not put this student forward: such a link needs the signatures of two stewards",
        ));
    }
    case.settle(conn, verdict, None, author).await
}

/// Takes back what was decided last: a match ends, and the engine may propose it but not make it again; a rejection is withdrawn, and the
/// engine looks at the client afresh.
pub async fn undo(conn: &mut PgConnection, client: i64, author: Author<'_>) -> Result<Decided, Error> {
    let case = Held::take(conn, client, author).await?;
    if let Some(matched) = case.matched() {
        let student = matched.student_id.map(StudentId).ok_or(Error::NotFound("student of the match"))?;
        return case.settle(conn, Verdict::IsNot(student), None, author).await;
    }
    let ids: Vec<i64> = case.decisions.iter().filter(|row| is_persons(row)).map(|row| row.decision_id).collect();
    if ids.is_empty() {
        return Err(Error::Conflict("nobody has decided on this client, so there is nothing to take back"));
    }
    supersede_decisions(conn, &ids, author.at).await?;
    Ok(Decided::default())
}

fn is_persons(row: &CaseDecisionRow) -> bool {
    row.decided_by != ENGINE
}

/// A client under its consumer's lock, with the decisions that stand.
struct Held {
    client: i64,
    consumer: ConsumerId,
    person_key: String,
    details_hash: Vec<u8>,
    decisions: Vec<CaseDecisionRow>,
}

impl Held {
    async fn take(conn: &mut PgConnection, client: i64, author: Author<'_>) -> Result<Self, Error> {
        author.check()?;
        let found = store::find_client(conn, client).await?.ok_or(Error::NotFound("client"))?;
        let consumer: ConsumerId =
            found.consumer.parse().map_err(|_| Error::Conflict("a stored consumer does not read"))?;
        crate::store::crosswalk::lock(conn, false).await?;
        lock_consumer(conn, &consumer).await?;
        // Again, now that no roster can change it under us.
        let row = store::find_client(conn, client).await?.ok_or(Error::NotFound("client"))?;
        let mut decisions = store::list_case(conn, client, DECISIONS_MAX).await?;
        decisions.retain(|decision| decision.superseded_at.is_none());
        Ok(Self { client, consumer, person_key: row.person_key, details_hash: row.details_hash, decisions })
    }

    fn matched(&self) -> Option<&CaseDecisionRow> {
        self.decisions.iter().find(|row| row.outcome == "match")
    }

    fn of_student(&self, student: StudentId) -> Option<&CaseDecisionRow> {
        self.decisions.iter().find(|row| row.student_id == Some(student.0))
    }

    async fn settle(
        &self,
        conn: &mut PgConnection,
        verdict: Verdict,
        override_id: Option<Uuid>,
        author: Author<'_>,
    ) -> Result<Decided, Error> {
        let (outcome, student) = match verdict {
            Verdict::Is(student) => ("match", Some(student)),
            Verdict::IsNot(student) => ("non_match", Some(student)),
            Verdict::IsNobody => ("non_match", None),
        };
        if let Verdict::Is(student) = verdict
            && !store::list_taken(conn, &self.consumer, self.client, &[student.0]).await?.is_empty()
        {
            return Err(Error::Conflict("another client of the agency is this student: undo that match first"));
        }
        // What contradicts the verdict ends; other rejections of a person stay, so that the engine does not come back to them.
        let ends = |row: &&CaseDecisionRow| match verdict {
            Verdict::Is(student) => row.outcome != "non_match" || row.student_id.is_none_or(|id| id == student.0),
            Verdict::IsNot(student) => row.student_id == Some(student.0),
            Verdict::IsNobody => true,
        };
        let ids: Vec<i64> = self.decisions.iter().filter(ends).map(|row| row.decision_id).collect();
        supersede_decisions(conn, &ids, author.at).await?;
        let new = PersonsDecision {
            client: self.client,
            student: student.map(|student| student.0),
            outcome,
            of: student.and_then(|student| self.of_student(student)).map(|row| row.decision_id),
            override_id,
            by: author.by,
            reason: author.reason,
            at: author.at,
        };
        if store::insert_persons_decision(conn, &new).await? != 1 {
            return Err(Error::NotFound("client"));
        }
        rebuild(conn, &self.consumer).await?;
        let ended = self.matched().filter(|row| ids.contains(&row.decision_id)).filter(|row| match verdict {
            Verdict::Is(student) => row.student_id != Some(student.0),
            _ => true,
        });
        let link = |row: &CaseDecisionRow| {
            Some(Link {
                consumer: self.consumer.clone(),
                person_key: Masked::new(self.person_key.clone()),
                student: StudentId(row.student_id?),
                since: row.decided_at,
            })
        };
        Ok(Decided { ended: ended.and_then(link), is_matched: outcome == "match" })
    }
}

/// A link that the engine did not propose, waiting for the signatures of two stewards over its digest.
#[derive(Clone, Debug)]
pub struct Override {
    /// Its id.
    pub id: Uuid,
    /// What is signed: SHA-256 of the statement.
    pub digest: [u8; 32],
    /// In words, with our own numbers only.
    pub statement: String,
    /// Who asked.
    pub requested_by: String,
    /// It was used.
    pub is_used: bool,
    /// From when it counts no longer.
    pub expires_at: DateTime<Utc>,
}

/// How long an override may wait for two stewards: by then what was known of the two may be another.
const OVERRIDING: TimeDelta = TimeDelta::days(30);

#[derive(Serialize)]
struct Statement<'a> {
    client: i64,
    consumer: &'a str,
    details: String,
    reason: &'a str,
    requested_at: DateTime<Utc>,
    requested_by: &'a str,
    student: StudentId,
}

/// Puts a link that the engine did not propose on file, for two stewards to sign.
pub async fn file_override(
    conn: &mut PgConnection,
    id: Uuid,
    (client, student): (i64, StudentId),
    author: Author<'_>,
) -> Result<Override, Error> {
    let case = Held::take(conn, client, author).await?;
    if crate::store::crosswalk::list_persons_of(conn, &[student.0]).await?.is_empty() {
        return Err(Error::NotFound("student"));
    }
    let statement = Statement {
        client,
        consumer: case.consumer.as_str(),
        details: hex(&case.details_hash),
        reason: author.reason,
        requested_at: author.at,
        requested_by: author.by,
        student,
    };
    // Cannot fail: a struct of texts, numbers and an instant is always JSON.
    let statement = serde_json::to_string(&statement).unwrap_or_default();
    let row = OverrideRow {
        override_id: id,
        consumer: case.consumer.to_string(),
        client_id: client,
        student_id: student.0,
        details_hash: case.details_hash.clone(),
        digest: Sha256::digest(&statement).to_vec(),
        statement,
        requested_by: author.by.to_owned(),
        reason: author.reason.to_owned(),
        requested_at: author.at,
        used_at: None,
    };
    store::insert_override(conn, &row).await?;
    override_of(&row)
}

/// An override on file; its row is held until the transaction ends.
pub async fn find_override(conn: &mut PgConnection, id: Uuid) -> Result<Option<Override>, Error> {
    store::find_override(conn, id).await?.as_ref().map(override_of).transpose()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Cannot fail: writing to a text.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn override_of(row: &OverrideRow) -> Result<Override, Error> {
    // The columns are what is acted on, and the statement what is signed: they must say the same.
    let signed: serde_json::Value = serde_json::from_str(&row.statement).unwrap_or_default();
    let details = hex(&row.details_hash);
    let says = |name: &str, text: &str| signed.get(name).and_then(serde_json::Value::as_str) == Some(text);
    let agrees = signed.get("client").and_then(serde_json::Value::as_i64) == Some(row.client_id)
        && says("consumer", &row.consumer)
        && says("student", &row.student_id.to_string())
        && says("details", &details)
        && Sha256::digest(&row.statement)[..] == row.digest[..];
    let digest = row.digest.clone().try_into().ok().filter(|_| agrees);
    let requested_at = signed.get("requested_at").and_then(serde_json::Value::as_str);
    let requested_at = requested_at.and_then(|at| at.parse::<DateTime<Utc>>().ok());
    let (Some(digest), Some(requested_at)) = (digest, requested_at) else {
        return Err(Error::Conflict("a stored override is not what was signed"));
    };
    Ok(Override {
        id: row.override_id,
        digest,
        statement: row.statement.clone(),
        requested_by: row.requested_by.clone(),
        is_used: row.used_at.is_some(),
        expires_at: requested_at + OVERRIDING,
    })
}

/// A signature over an override, as kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    /// The steward.
    pub steward: String,
    /// When it was given.
    pub given_at: DateTime<Utc>,
    /// Ed25519.
    pub signature: [u8; 64],
}

/// Keeps a signature that has been verified, and lists all.
pub async fn add_signature(
    conn: &mut PgConnection,
    id: Uuid,
    new: &Signature,
    sandbox: bool,
) -> Result<Vec<Signature>, Error> {
    store::insert_signature(conn, id, (&new.steward, new.given_at, &new.signature, sandbox)).await?;
    let rows = store::list_signatures(conn, id).await?;
    let signature = |row: store::SignatureRow| {
        Some(Signature { steward: row.steward, given_at: row.given_at, signature: row.signature.try_into().ok()? })
    };
    Ok(rows.into_iter().filter_map(signature).collect())
}

/// Links by an override that two stewards signed; the caller has verified both signatures in this transaction.
pub async fn link_by_override(conn: &mut PgConnection, id: Uuid, author: Author<'_>) -> Result<Decided, Error> {
    let row = store::find_override(conn, id).await?.ok_or(Error::NotFound("override"))?;
    if override_of(&row)?.expires_at <= author.at {
        return Err(Error::Conflict("the override has expired: ask anew"));
    }
    let case = Held::take(conn, row.client_id, author).await?;
    if case.details_hash != row.details_hash {
        return Err(Error::Conflict("the agency has changed the client's details since: ask anew"));
    }
    if store::use_override(conn, id, author.at).await? != 1 {
        return Err(Error::Conflict("the override has been used"));
    }
    let author = Author { reason: &row.reason, ..author };
    case.settle(conn, Verdict::Is(StudentId(row.student_id)), Some(id), author).await
}

/// The queue of one agency in figures.
#[derive(Clone, Debug, Serialize)]
pub struct Queue {
    /// The agency.
    pub consumer: String,
    /// Clients who wait.
    pub waiting: u64,
    /// Those of them whose match is in doubt.
    pub contested: u64,
    /// Since when the first of them waits.
    pub oldest: Option<DateTime<Utc>>,
}

/// What people decided, held against what the engine had said.
#[derive(Clone, Debug, Serialize)]
pub struct Reliability {
    /// Probabilities from here on.
    pub from: f64,
    /// Pairs people decided.
    pub decided: u64,
    /// Those of them that they confirmed.
    pub confirmed: u64,
    /// How many the engine would have expected.
    pub expected: f64,
}

/// Lower bounds of the bins of [`Reliability`].
const BINS: [f64; 8] = [0.0, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99, 0.999];

/// The queues in figures, and the engine's reliability as people's decisions since `from` show it.
pub async fn stats(conn: &mut PgConnection, from: DateTime<Utc>) -> Result<(Vec<Queue>, Vec<Reliability>), Error> {
    let queues = store::list_queues(conn).await?.into_iter().map(|row| Queue {
        consumer: row.consumer,
        waiting: row.waiting.unsigned_abs(),
        contested: row.contested.unsigned_abs(),
        oldest: row.oldest,
    });
    let queues = queues.collect();
    let bins = store::list_reliability(conn, ENGINE, from).await?.into_iter().map(|row| Reliability {
        from: usize::try_from(row.bin).ok().and_then(|bin| BINS.get(bin)).copied().unwrap_or_default(),
        decided: row.decided.unsigned_abs(),
        confirmed: row.confirmed.unsigned_abs(),
        expected: row.expected,
    });
    Ok((queues, bins.collect()))
}

#[cfg(test)]
mod tests {
    use super::Place;

    #[test]
    fn a_place_in_the_queue_survives_its_text() {
        let place = Place(3, 0.874_512_3, 42);
        assert_eq!(Place::parse(&place.to_text()), Some(place));
        for wrong in ["", "3", "3~zz~1", "3~3ff0000000000000~1~2", "3~7ff8000000000000~1"] {
            assert_eq!(Place::parse(wrong), None, "{wrong}");
        }
    }
}
