//! Joining an agency's clients with students: load, decide (pure), store.
//!
//! A decision never silently flips. What a person decided stays; an earlier automatic match that the engine would now change stays too, and the
//! change waits for a person. Within one agency a student is one client.

use std::collections::{BTreeMap, HashMap, HashSet};

use ::model::{ConsumerId, StudentId};
use chrono::{DateTime, NaiveDate, Utc};
use serde::Serialize;
use serde_json::json;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{
    Address, Config, Corpus, Error, Matcher, Outcome, Pair, Person, PersonName, Report,
    matcher::Progress,
    roster::ClientDetails,
    store::{
        matches::{self as store, DecisionRow, NewDecision},
        rosters::lock_consumer,
    },
};

/// The name under which the engine decides. Decisions by anyone else are a person's and outrank it.
const ENGINE: &str = "engine/1";
/// Candidates of one client that are put before a person.
const REVIEW_CANDIDATES_MAX: usize = 5;

/// The students and clients to be joined.
pub struct MatchInput {
    students: Vec<StudentSide>,
    persons: Vec<Person>,
    clients: Vec<ClientSide>,
    client_persons: Vec<Person>,
    open: usize,
}

struct StudentSide {
    student: Uuid,
    source_person: i64,
}

struct ClientSide {
    client: i64,
    details_hash: Vec<u8>,
}

/// What the engine says of each client.
pub struct MatchPlan {
    verdicts: Vec<Verdict>,
    report: Option<Report>,
}

struct Verdict {
    client: i64,
    details_hash: Vec<u8>,
    candidates: Vec<Candidate>,
}

struct Candidate {
    student: Uuid,
    source_person: i64,
    outcome: Outcome,
    probability: f64,
    score_bits: f64,
    explanation: serde_json::Value,
}

/// Counts of a match run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct MatchReport {
    /// Clients of the agency.
    pub clients: u64,
    /// Clients who are a student, after the run.
    pub matched: u64,
    /// Clients newly matched.
    pub newly_matched: u64,
    /// Clients who wait for a person.
    pub waiting: u64,
    /// Clients without a student.
    pub unmatched: u64,
    /// Earlier matches that the engine would change now: they stay, and wait for a person.
    pub contested: u64,
    /// Automatic links expected to be wrong, by their own probabilities.
    pub expected_wrong: f64,
    /// Students on the roster expected to be missed.
    pub expected_missed: f64,
}

/// Loads everything ever reported about students, and the agency's clients.
pub async fn load(conn: &mut PgConnection, consumer: &ConsumerId) -> Result<MatchInput, sqlx::Error> {
    let decided: HashMap<i64, (String, Vec<u8>)> = store::list_decisions(conn, consumer)
        .await?
        .into_iter()
        .filter(|d| d.outcome == "match" || is_persons(d))
        .map(|d| (d.client_id, (d.outcome, d.details_hash)))
        .collect();
    let mut input = MatchInput {
        students: Vec::new(),
        persons: Vec::new(),
        clients: Vec::new(),
        client_persons: Vec::new(),
        open: 0,
    };
    for row in store::list_clients(conn, consumer).await? {
        let details: ClientDetails = serde_json::from_value(row.details).unwrap_or_default();
        if decided.get(&row.client_id).is_none_or(|(_, hash)| *hash != row.details_hash) {
            input.open += 1;
        }
        input.client_persons.push(client_person(row.client_id, &details));
        input.clients.push(ClientSide { client: row.client_id, details_hash: row.details_hash });
    }
    let mut places: HashMap<Uuid, usize> = HashMap::new();
    for row in store::list_reports(conn).await? {
        let place = *places.entry(row.student_id).or_insert_with(|| {
            input.students.push(StudentSide { student: row.student_id, source_person: row.source_person_id });
            input.persons.push(Person { id: (input.students.len() - 1).to_string(), ..Person::default() });
            input.students.len() - 1
        });
        if let Some(person) = input.persons.get_mut(place) {
            add_report(person, &row.state_id, row.payload.as_ref());
        }
    }
    Ok(input)
}

impl MatchInput {
    /// Whether any client waits for a decision of the engine.
    pub const fn is_settled(&self) -> bool {
        self.open == 0
    }
}

fn client_person(client: i64, details: &ClientDetails) -> Person {
    Person {
        id: client.to_string(),
        sasids: (!details.sasid.is_empty()).then(|| details.sasid.clone()).into_iter().collect(),
        names: vec![PersonName {
            first: details.first_name.clone(),
            middle: details.middle_name.clone(),
            last: details.last_name.clone(),
            suffix: details.suffix.clone(),
        }],
        birth_dates: details.birth_date.into_iter().collect(),
        sex: Some(details.sex.clone()).filter(|text| !text.is_empty()),
        race: None,
        addresses: vec![Address { street: String::new(), town: details.town.clone(), zip: details.zip.clone() }],
    }
}

/// Adds one report to what is known of a student: every name and birth date ever reported is a variant.
fn add_report(person: &mut Person, state_id: &str, payload: Option<&serde_json::Value>) {
    if !person.sasids.iter().any(|id| id == state_id) {
        person.sasids.push(state_id.to_owned());
    }
    let Some(payload) = payload else { return };
    let text = |element: &str| payload.get(element).and_then(serde_json::Value::as_str).unwrap_or_default().to_owned();
    let name = PersonName {
        first: text("first_name"),
        middle: text("middle_name"),
        last: text("last_surname"),
        suffix: text("generation_code_suffix"),
    };
    let sis = text("sis_last_name");
    let mut variants = vec![name.clone()];
    if !sis.is_empty() && sis != name.last {
        variants.push(PersonName { last: sis, ..name });
    }
    for variant in variants {
        if (!variant.first.is_empty() || !variant.last.is_empty()) && !person.names.contains(&variant) {
            person.names.push(variant);
        }
    }
    if let Ok(day) = text("birth_date").parse::<NaiveDate>()
        && !person.birth_dates.contains(&day)
    {
        person.birth_dates.push(day);
    }
    let sex = text("sex");
    if !sex.is_empty() {
        person.sex = Some(sex);
    }
    let address = Address { street: String::new(), town: text("resident_town"), zip: String::new() };
    if !address.town.is_empty() && !person.addresses.contains(&address) {
        person.addresses.push(address);
    }
}

/// Lets the engine compare everybody. Pure, and the same for the same input; runs on its own threads.
pub fn decide(input: &MatchInput, config: &Config, seed: u64, progress: Progress<'_>) -> Result<MatchPlan, Error> {
    let nobody = input.persons.is_empty() || input.client_persons.is_empty();
    let mut by_client: BTreeMap<u32, Vec<Candidate>> = BTreeMap::new();
    let mut report = None;
    if !nobody {
        let corpus = Corpus::of(&input.persons, &input.client_persons);
        let matcher = Matcher::train(&corpus, seed, config, progress)?;
        let result = matcher.link(&corpus, progress)?;
        for pair in &result.pairs {
            if let Some(candidate) = candidate(input, &matcher, &corpus, pair) {
                by_client.entry(pair.right).or_default().push(candidate);
            }
        }
        report = Some(result.report);
    }
    let verdict = |(place, client): (usize, &ClientSide)| Verdict {
        client: client.client,
        details_hash: client.details_hash.clone(),
        candidates: by_client.remove(&(place as u32)).unwrap_or_default(),
    };
    Ok(MatchPlan { verdicts: input.clients.iter().enumerate().map(verdict).collect(), report })
}

fn candidate(input: &MatchInput, matcher: &Matcher, corpus: &Corpus, pair: &Pair) -> Option<Candidate> {
    let side = input.students.get(pair.left as usize)?;
    let parts = matcher.explain(corpus, pair.left, pair.right).map(|explanation| explanation.parts).unwrap_or_default();
    let parts: Vec<_> = parts
        .into_iter()
        .map(|part| json!({ "comparison": part.comparison, "level": part.level, "bits": part.bits, "frequency": part.frequency }))
        .collect();
    Some(Candidate {
        student: side.student,
        source_person: side.source_person,
        outcome: pair.outcome,
        probability: pair.probability,
        score_bits: pair.score_bits,
        explanation: json!({ "model": ENGINE, "parts": parts, "reason": format!("{:?}", pair.reason) }),
    })
}

fn is_persons(decision: &DecisionRow) -> bool {
    decision.decided_by != ENGINE
}

/// Stores a plan. Decisions made since it was loaded are looked at again, under the consumer's lock.
pub async fn store_plan(
    conn: &mut PgConnection,
    consumer: &ConsumerId,
    plan: &MatchPlan,
    at: DateTime<Utc>,
) -> Result<MatchReport, sqlx::Error> {
    lock_consumer(conn, consumer).await?;
    let mut current: HashMap<i64, Vec<DecisionRow>> = HashMap::new();
    for decision in store::list_decisions(conn, consumer).await? {
        current.entry(decision.client_id).or_default().push(decision);
    }
    // Students already taken by a decision that stays.
    let mut taken: HashSet<Uuid> =
        current.values().flatten().filter(|d| d.outcome == "match").filter_map(|d| d.student_id).collect();
    let mut superseded: Vec<i64> = Vec::new();
    let mut inserted: Vec<NewDecision> = Vec::new();
    let mut report = MatchReport { clients: plan.verdicts.len() as u64, ..MatchReport::default() };
    if let Some(engine) = &plan.report {
        report.expected_wrong = engine.expected_wrong;
        report.expected_missed = engine.expected_missed;
    }
    for verdict in &plan.verdicts {
        let known = current.remove(&verdict.client).unwrap_or_default();
        settle(verdict, &known, &mut taken, (&mut superseded, &mut inserted), &mut report);
    }
    store::supersede_decisions(conn, &superseded, at).await?;
    store::insert_decisions(conn, consumer, ENGINE, &inserted, at).await?;
    Ok(report)
}

/// One client: what stays, what is replaced, what is new.
fn settle(
    verdict: &Verdict,
    known: &[DecisionRow],
    taken: &mut HashSet<Uuid>,
    (superseded, inserted): (&mut Vec<i64>, &mut Vec<NewDecision>),
    report: &mut MatchReport,
) {
    if let Some(person) = known.iter().find(|decision| is_persons(decision)) {
        match person.outcome.as_str() {
            "match" => report.matched += 1,
            _ => report.unmatched += 1,
        }
        return;
    }
    let linked = verdict.candidates.iter().find(|c| c.outcome == Outcome::Match);
    let earlier = known.iter().find(|decision| decision.outcome == "match");
    let agrees = |decision: &DecisionRow| linked.is_some_and(|c| decision.student_id == Some(c.student));
    match (earlier, linked) {
        (Some(earlier), _) if agrees(earlier) && earlier.details_hash == verdict.details_hash => report.matched += 1,
        (Some(earlier), Some(candidate)) if agrees(earlier) => {
            superseded.extend(known.iter().map(|d| d.decision_id));
            inserted.push(decision(verdict, Some(candidate), "match", "the same student under changed details"));
            report.matched += 1;
        }
        (Some(earlier), _) => {
            // The earlier match stays until a person looks: what would change it is put before them.
            superseded.extend(known.iter().filter(|d| d.decision_id != earlier.decision_id).map(|d| d.decision_id));
            inserted.extend(reviews(verdict, "would change an earlier automatic match"));
            report.matched += 1;
            report.contested += 1;
        }
        (None, Some(candidate)) if taken.insert(candidate.student) => {
            superseded.extend(known.iter().map(|d| d.decision_id));
            inserted.push(decision(verdict, Some(candidate), "match", "automatic"));
            report.matched += 1;
            report.newly_matched += 1;
        }
        (None, _) => {
            superseded.extend(known.iter().map(|d| d.decision_id));
            let waiting: Vec<NewDecision> = reviews(verdict, "a person must decide").collect();
            if waiting.is_empty() {
                inserted.push(decision(verdict, None, "non_match", "no candidate"));
                report.unmatched += 1;
            } else {
                inserted.extend(waiting);
                report.waiting += 1;
            }
        }
    }
}

fn reviews<'v>(verdict: &'v Verdict, reason: &'v str) -> impl Iterator<Item = NewDecision> + 'v {
    let waits = |candidate: &&Candidate| candidate.outcome != Outcome::NonMatch;
    verdict
        .candidates
        .iter()
        .filter(waits)
        .take(REVIEW_CANDIDATES_MAX)
        .map(move |candidate| decision(verdict, Some(candidate), "review", reason))
}

fn decision(verdict: &Verdict, candidate: Option<&Candidate>, outcome: &'static str, reason: &str) -> NewDecision {
    NewDecision {
        client_id: verdict.client,
        source_person_id: candidate.map(|c| c.source_person),
        student_id: candidate.map(|c| c.student),
        outcome,
        probability: candidate.map(|c| c.probability),
        score_bits: candidate.map(|c| c.score_bits),
        explanation: candidate.map_or_else(|| json!({ "model": ENGINE, "parts": [] }), |c| c.explanation.clone()),
        details_hash: verdict.details_hash.clone(),
        reason: reason.to_owned(),
    }
}

/// The students of an agency's matched clients, for reports that count.
pub async fn list_matched(
    conn: &mut PgConnection,
    consumer: &ConsumerId,
) -> Result<Vec<(i64, StudentId)>, sqlx::Error> {
    let decisions = store::list_decisions(conn, consumer).await?;
    Ok(decisions
        .into_iter()
        .filter(|d| d.outcome == "match")
        .filter_map(|d| Some((d.client_id, StudentId(d.student_id?))))
        .collect())
}
