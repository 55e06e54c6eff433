//! Joining an agency's clients with students: load, decide (pure), store.
//!
//! A decision never silently flips. What a person decided stays; an earlier automatic match that the engine would now change stays too, and the
//! change waits for a person. Such a contested match releases nothing meanwhile: neither the student it names nor the one that the engine would
//! name. Within one agency a student is one client.
//!
//! A night scores whom a change could concern: clients whose details changed, clients who share a blocking key with a student of whom
//! something new was reported, and whoever claims the same students as these. The model stays the same between two trainings, and so does
//! what is said of everybody else; `refit_days` after the last training everybody is scored with a new one.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use ::model::{ConsumerId, StudentId};
use chrono::{DateTime, Days, NaiveDate, Utc};
use serde::Serialize;
use serde_json::json;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{
    Address, Config, Corpus, Error, LinkResult, Matcher, Model, Outcome, Pair, Person, PersonName,
    matcher::Progress,
    roster::ClientDetails,
    store::matches::{self as store, DecisionRow},
};

mod settle;

pub use settle::store_plan;

/// The name under which the engine decides. Decisions by anyone else are a person's and outrank it.
pub(crate) const ENGINE: &str = "engine/1";

/// The students and clients to be joined.
pub struct MatchInput {
    students: Vec<StudentSide>,
    persons: Vec<Person>,
    clients: Vec<ClientSide>,
    client_persons: Vec<Person>,
    /// The model of the last run, while it is young enough.
    known: Option<Known>,
    marks: (serde_json::Value, i64),
}

/// What is known from the last run.
struct Known {
    version: i32,
    model: Model,
    threshold: f64,
    coverage: f64,
    /// Clients, by place, who changed or were never looked at.
    open: BTreeSet<u32>,
    /// Students of whom something was reported since, or who were merged or parted.
    changed: HashSet<Uuid>,
    /// Clients, by place, by the students they are or may be.
    claims: HashMap<Uuid, Vec<u32>>,
}

struct StudentSide {
    student: Uuid,
    source_person: i64,
}

struct ClientSide {
    client: i64,
    details_hash: Vec<u8>,
}

/// What the engine says of the clients it looked at.
pub struct MatchPlan {
    verdicts: Vec<Verdict>,
    clients: usize,
    /// Learnt in this run, to be kept.
    learnt: Option<Model>,
    version: i32,
    threshold: f64,
    coverage: f64,
    marks: (serde_json::Value, i64),
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
    reason: crate::Reason,
    probability: f64,
    score_bits: f64,
    explanation: serde_json::Value,
}

/// Counts of a match run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct MatchReport {
    /// Clients of the agency.
    pub clients: u64,
    /// Clients whom the engine looked at in this run: the others are as they were.
    pub scored: u64,
    /// Clients who are a student, after the run.
    pub matched: u64,
    /// Clients newly matched.
    pub newly_matched: u64,
    /// Clients who wait for a person.
    pub waiting: u64,
    /// Clients without a student.
    pub unmatched: u64,
    /// Matches that the engine would change now: they stay, and wait for a person.
    pub contested: u64,
    /// The probability from which pairs are linked without a person.
    pub threshold: f64,
    /// Estimated share of the clients who are in the state's records.
    pub coverage: f64,
    /// Automatic links expected to be wrong, by their own probabilities.
    pub expected_wrong: f64,
    /// Clients in the state's records expected not to be matched.
    pub expected_missed: f64,
}

/// Loads the agency's clients, and everything ever reported about students unless nothing has changed since the last run.
pub async fn load(
    conn: &mut PgConnection,
    consumer: &ConsumerId,
    config: &Config,
    at: DateTime<Utc>,
) -> Result<MatchInput, Error> {
    let mut decisions: HashMap<i64, Vec<DecisionRow>> = HashMap::new();
    for decision in store::list_decisions(conn, consumer).await? {
        decisions.entry(decision.client_id).or_default().push(decision);
    }
    // The marks first: what is reported while we load lies beyond them, and is looked at again the next time.
    let marks = store::find_marks(conn).await?;
    let mut input = MatchInput {
        students: Vec::new(),
        persons: Vec::new(),
        clients: Vec::new(),
        client_persons: Vec::new(),
        known: load_known(conn, consumer, config, at).await?,
        marks,
    };
    for (place, row) in store::list_clients(conn, consumer).await?.into_iter().enumerate() {
        let details: ClientDetails = serde_json::from_value(row.details).unwrap_or_default();
        let decided = decisions.remove(&row.client_id).unwrap_or_default();
        if let Some(known) = &mut input.known {
            known.note(place as u32, &row.details_hash, &decided);
        }
        input.client_persons.push(client_person(row.client_id, &details));
        input.clients.push(ClientSide { client: row.client_id, details_hash: row.details_hash });
    }
    if input.is_settled() {
        return Ok(input);
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

/// The last run's model and what changed since; none if it is too old, or this program does not read it.
async fn load_known(
    conn: &mut PgConnection,
    consumer: &ConsumerId,
    config: &Config,
    at: DateTime<Utc>,
) -> Result<Option<Known>, Error> {
    let Some(run) = store::find_last_run(conn, consumer).await? else { return Ok(None) };
    let ends_at = run.trained_at.checked_add_days(Days::new(u64::from(config.refit_days)));
    let model = serde_json::from_value::<Model>(run.model).ok().filter(|model| model.check().is_ok());
    let (Some(model), true) = (model, ends_at.is_some_and(|ends_at| at < ends_at)) else { return Ok(None) };
    let changed = store::list_changed_students(conn, &run.batch_marks, run.move_mark).await?;
    Ok(Some(Known {
        version: run.model_version,
        model,
        threshold: run.threshold,
        coverage: run.coverage,
        open: BTreeSet::new(),
        changed: changed.into_iter().collect(),
        claims: HashMap::new(),
    }))
}

impl Known {
    /// Notes whether a client is open, and whom it claims.
    fn note(&mut self, place: u32, details_hash: &[u8], decided: &[DecisionRow]) {
        let is_seen = decided.iter().any(|decision| decision.speaks_of(details_hash));
        let concerns = |decision: &DecisionRow| decision.student_id.is_some_and(|id| self.changed.contains(&id));
        if !is_seen || decided.iter().any(concerns) {
            self.open.insert(place);
        }
        for student in decided.iter().filter(|one| one.outcome != "non_match").filter_map(|one| one.student_id) {
            self.claims.entry(student).or_default().push(place);
        }
    }
}

impl MatchInput {
    /// Whether nothing has changed since the last run: there is nothing to score.
    pub fn is_settled(&self) -> bool {
        self.known.as_ref().is_some_and(|known| known.open.is_empty() && known.changed.is_empty())
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
pub(crate) fn add_report(person: &mut Person, state_id: &str, payload: Option<&serde_json::Value>) {
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

/// Lets the engine compare whom it must. Pure, and the same for the same input; runs on its own threads.
pub fn decide(input: &MatchInput, config: &Config, seed: u64, progress: Progress<'_>) -> Result<MatchPlan, Error> {
    let mut plan = MatchPlan {
        verdicts: Vec::new(),
        clients: input.clients.len(),
        learnt: None,
        version: input.known.as_ref().map_or(0, |known| known.version),
        threshold: input.known.as_ref().map_or(config.match_probability_min, |known| known.threshold),
        coverage: input.known.as_ref().map_or(0.0, |known| known.coverage),
        marks: input.marks.clone(),
    };
    if input.is_settled() {
        return Ok(plan);
    }
    let everybody = || (0..input.clients.len() as u32).collect::<BTreeSet<_>>();
    if input.persons.is_empty() || input.client_persons.is_empty() {
        plan.verdicts = input.verdicts(&everybody(), BTreeMap::new());
        return Ok(plan);
    }
    let corpus = Corpus::of(&input.persons, &input.client_persons);
    let (matcher, result, scored) = if let Some(known) = &input.known {
        let config = Config { match_probability_min: known.threshold, ..config.clone() };
        let matcher = Matcher::new(known.model.clone(), &config)?;
        let (result, scored) = input.link_changed(known, &matcher, &corpus, progress)?;
        (matcher, result, scored)
    } else {
        let (matcher, result) = Matcher::train_and_link(&corpus, seed, config, progress)?;
        plan.threshold = result.report.match_probability_min;
        plan.coverage = result.report.coverage;
        let matcher = matcher.with_coverage(result.report.coverage);
        plan.learnt = Some(matcher.model().clone());
        (matcher, result, everybody())
    };
    let mut by_client: BTreeMap<u32, Vec<Candidate>> = BTreeMap::new();
    for pair in &result.pairs {
        if let Some(candidate) = candidate(input, &matcher, &corpus, pair) {
            by_client.entry(pair.right).or_default().push(candidate);
        }
    }
    plan.verdicts = input.verdicts(&scored, by_client);
    Ok(plan)
}

impl MatchInput {
    fn verdicts(&self, scored: &BTreeSet<u32>, mut by_client: BTreeMap<u32, Vec<Candidate>>) -> Vec<Verdict> {
        let verdict = |place: &u32| {
            let client = self.clients.get(*place as usize)?;
            Some(Verdict {
                client: client.client,
                details_hash: client.details_hash.clone(),
                candidates: by_client.remove(place).unwrap_or_default(),
            })
        };
        scored.iter().filter_map(verdict).collect()
    }

    /// Links whom the changes since the last run could concern.
    fn link_changed(
        &self,
        known: &Known,
        matcher: &Matcher,
        corpus: &Corpus,
        progress: Progress<'_>,
    ) -> Result<(LinkResult, BTreeSet<u32>), Error> {
        let is_changed = |side: &StudentSide| known.changed.contains(&side.student);
        let places = self.students.iter().enumerate().filter(|(_, side)| is_changed(side));
        let changed: BTreeSet<u32> = places.map(|(place, _)| place as u32).collect();
        let mut persons = known.open.clone();
        if !changed.is_empty() {
            persons.extend(matcher.blocked(corpus, &changed)?);
        }
        let rivals = |result: &LinkResult| {
            let students = result.pairs.iter().filter_map(|pair| self.students.get(pair.left as usize));
            students.filter_map(|side| known.claims.get(&side.student)).flatten().copied().collect()
        };
        matcher.link_some(corpus, &persons, &rivals, progress)
    }
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
        reason: pair.reason,
        probability: pair.probability,
        score_bits: pair.score_bits,
        explanation: json!({ "model": ENGINE, "parts": parts, "reason": pair.reason }),
    })
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
