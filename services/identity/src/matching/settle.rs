//! From what the engine says to decisions that stand: what stays, what is replaced, what waits for a person.

use std::collections::{HashMap, HashSet};

use ::model::ConsumerId;
use chrono::{DateTime, Utc};
use serde_json::json;
use sqlx::PgConnection;
use uuid::Uuid;

use super::{Candidate, ENGINE, MatchPlan, MatchReport, Verdict};
use crate::{
    Error, Outcome, Reason,
    store::{
        crosswalk,
        matches::{self as store, DecisionRow, NewDecision, NewRun},
        rosters::lock_consumer,
    },
};

/// Candidates of one client that are put before a person.
const REVIEW_CANDIDATES_MAX: usize = 5;

fn is_persons(decision: &DecisionRow) -> bool {
    decision.decided_by != ENGINE
}

/// Stores a plan. Decisions made since it was loaded are looked at again, under the consumer's lock, and a student who was merged away since is
/// nobody's candidate.
pub async fn store_plan(
    conn: &mut PgConnection,
    consumer: &ConsumerId,
    plan: &MatchPlan,
    at: DateTime<Utc>,
) -> Result<MatchReport, Error> {
    crosswalk::lock(conn, false).await?;
    lock_consumer(conn, consumer).await?;
    let version = match &plan.learnt {
        Some(model) => {
            let model = serde_json::to_value(model).map_err(|error| Error::Model(error.to_string()))?;
            store::insert_model(conn, consumer, &model, at).await?
        }
        None => plan.version,
    };
    let mut current: HashMap<i64, Vec<DecisionRow>> = HashMap::new();
    for decision in store::list_decisions(conn, consumer).await? {
        current.entry(decision.client_id).or_default().push(decision);
    }
    let mut settling = Settling {
        // Students already taken by a decision that stays.
        taken: current.values().flatten().filter(|d| d.outcome == "match").filter_map(|d| d.student_id).collect(),
        alive: list_alive(conn, plan).await?,
        superseded: Vec::new(),
        inserted: Vec::new(),
        found_again: (Vec::new(), Vec::new()),
        newly_matched: 0,
    };
    for verdict in &plan.verdicts {
        let known = current.get(&verdict.client).map(Vec::as_slice).unwrap_or_default();
        settling.client(verdict, known);
    }
    store::supersede_decisions(conn, &settling.superseded, at).await?;
    store::insert_decisions(conn, consumer, ENGINE, &settling.inserted, at).await?;
    store::note_found_again(conn, &settling.found_again.0, &settling.found_again.1).await?;
    let mut report = report(store::list_decisions(conn, consumer).await?, plan);
    report.newly_matched = settling.newly_matched;
    if version > 0 {
        let count = |count: u64| i32::try_from(count).unwrap_or(i32::MAX);
        let run = NewRun {
            consumer,
            model_version: version,
            is_full: plan.learnt.is_some(),
            batch_marks: &plan.marks.0,
            move_mark: plan.marks.1,
            clients: count(report.clients),
            scored: count(report.scored),
            threshold: report.threshold,
            expected_wrong: report.expected_wrong,
            expected_missed: report.expected_missed,
            coverage: report.coverage,
            run_at: at,
        };
        store::insert_run(conn, &run).await?;
    }
    Ok(report)
}

async fn list_alive(conn: &mut PgConnection, plan: &MatchPlan) -> Result<HashSet<Uuid>, Error> {
    let candidates = plan.verdicts.iter().flat_map(|verdict| &verdict.candidates);
    let students: Vec<Uuid> = candidates.map(|candidate| candidate.student).collect();
    Ok(store::list_current_students(conn, &students).await?.into_iter().collect())
}

/// What stands after the run, with what is to be expected of it.
fn report(decisions: Vec<DecisionRow>, plan: &MatchPlan) -> MatchReport {
    let mut clients: HashMap<i64, (bool, bool)> = HashMap::new();
    let (mut sure, mut wrong) = (0.0, 0.0);
    for decision in decisions {
        let (matched, waits) = clients.entry(decision.client_id).or_default();
        *matched |= decision.outcome == "match";
        *waits |= decision.outcome == "review";
        if decision.outcome == "match" {
            let probability = if is_persons(&decision) { 1.0 } else { decision.probability.unwrap_or(1.0) };
            sure += probability;
            wrong += 1.0 - probability;
        }
    }
    let count = |test: fn(&(bool, bool)) -> bool| clients.values().filter(|client| test(client)).count() as u64;
    let (matched, waiting) = (count(|(matched, _)| *matched), count(|(matched, waits)| *waits && !matched));
    let all = plan.clients as u64;
    MatchReport {
        clients: all,
        scored: plan.verdicts.len() as u64,
        matched,
        newly_matched: 0,
        waiting,
        unmatched: all.saturating_sub(matched + waiting),
        contested: count(|(matched, waits)| *matched && *waits),
        threshold: plan.threshold,
        coverage: plan.coverage,
        expected_wrong: wrong,
        expected_missed: (plan.coverage * all as f64 - sure).max(0.0),
    }
}

/// What a run changes.
struct Settling {
    taken: HashSet<Uuid>,
    alive: HashSet<Uuid>,
    superseded: Vec<i64>,
    inserted: Vec<NewDecision>,
    /// Persons' matches, and the details under which they were found again.
    found_again: (Vec<i64>, Vec<Vec<u8>>),
    newly_matched: u64,
}

impl Settling {
    /// One client: what stays, what is replaced, what is new.
    fn client(&mut self, verdict: &Verdict, known: &[DecisionRow]) {
        let persons: Vec<&DecisionRow> = known.iter().filter(|decision| is_persons(decision)).collect();
        if let Some(matched) = persons.iter().find(|decision| decision.outcome == "match") {
            return self.persons_match(verdict, matched, known);
        }
        // A person said that the client is nobody, or has still to say which of two it is.
        if persons.iter().any(|decision| decision.student_id.is_none() || decision.outcome == "review") {
            return;
        }
        let rejected: Vec<Uuid> = persons.iter().filter_map(|decision| decision.student_id).collect();
        let engines: Vec<&DecisionRow> = known.iter().filter(|decision| !is_persons(decision)).collect();
        let open =
            |candidate: &&Candidate| self.alive.contains(&candidate.student) && !rejected.contains(&candidate.student);
        let candidates: Vec<&Candidate> = verdict.candidates.iter().filter(open).collect();
        let linked = candidates.iter().copied().find(|candidate| candidate.outcome == Outcome::Match);
        let earlier = engines.iter().copied().find(|decision| decision.outcome == "match");
        let agrees = |decision: &DecisionRow| linked.is_some_and(|c| decision.student_id == Some(c.student));
        match (earlier, linked) {
            (Some(earlier), _) if agrees(earlier) && earlier.details_hash == verdict.details_hash => {
                // Whatever waited beside it waits no longer.
                self.end(engines.iter().copied().filter(|decision| decision.decision_id != earlier.decision_id));
            }
            (Some(earlier), Some(candidate)) if agrees(earlier) => {
                self.end(engines.iter().copied());
                self.put(verdict, Some(candidate), "match", "the same student under changed details");
            }
            (Some(earlier), _) => {
                self.end(engines.iter().copied().filter(|decision| decision.decision_id != earlier.decision_id));
                self.contest(verdict, earlier, &candidates, "would change an earlier automatic match");
            }
            // Once a person has rejected a candidate the engine only proposes.
            (None, Some(candidate)) if rejected.is_empty() && self.taken.insert(candidate.student) => {
                self.end(engines.iter().copied());
                self.put(verdict, Some(candidate), "match", "automatic");
                self.newly_matched += 1;
            }
            (None, _) => {
                self.end(engines.iter().copied());
                if self.review(verdict, &candidates, "a person must decide") == 0 {
                    self.put(verdict, None, "non_match", "no candidate");
                }
            }
        }
    }

    /// A person's match stays. But if the agency has changed the client since, so that the engine would not find that student any more or would
    /// name another one, a person looks again: an id may have been given to another child.
    fn persons_match(&mut self, verdict: &Verdict, matched: &DecisionRow, known: &[DecisionRow]) {
        if matched.speaks_of(&verdict.details_hash) {
            return;
        }
        let is_found = |candidate: &Candidate| {
            Some(candidate.student) == matched.student_id && candidate.outcome != Outcome::NonMatch
        };
        let is_rival = |candidate: &Candidate| {
            Some(candidate.student) != matched.student_id && candidate.outcome == Outcome::Match
        };
        if verdict.candidates.iter().any(is_found) && !verdict.candidates.iter().any(is_rival) {
            self.end(known.iter().filter(|decision| !is_persons(decision)));
            self.found_again.0.push(matched.decision_id);
            self.found_again.1.push(verdict.details_hash.clone());
            return;
        }
        self.end(known.iter().filter(|decision| !is_persons(decision)));
        let candidates: Vec<&Candidate> =
            verdict.candidates.iter().filter(|candidate| self.alive.contains(&candidate.student)).collect();
        self.contest(verdict, matched, &candidates, "the agency has changed the client since a person decided");
    }

    /// A match stays until a person looks, and releases nothing until then; what would change it is put before them, and the match itself with it.
    fn contest(&mut self, verdict: &Verdict, earlier: &DecisionRow, candidates: &[&Candidate], reason: &str) {
        self.review(verdict, candidates, reason);
        let is_shown = candidates
            .iter()
            .any(|candidate| Some(candidate.student) == earlier.student_id && candidate.outcome != Outcome::NonMatch);
        if !is_shown && let Some(student) = earlier.student_id {
            let found = candidates.iter().find(|candidate| candidate.student == student);
            self.inserted.push(NewDecision {
                client_id: verdict.client,
                source_person_id: found.map(|candidate| candidate.source_person),
                student_id: Some(student),
                outcome: "review",
                probability: Some(found.map_or(0.0, |candidate| candidate.probability)),
                score_bits: found.map(|candidate| candidate.score_bits),
                explanation: found.map_or_else(|| json!({ "model": ENGINE, "parts": [] }), |c| c.explanation.clone()),
                details_hash: verdict.details_hash.clone(),
                reason: reason.to_owned(),
            });
        }
    }

    fn review(&mut self, verdict: &Verdict, candidates: &[&Candidate], reason: &str) -> usize {
        let waiting = candidates.iter().filter(|candidate| candidate.outcome != Outcome::NonMatch);
        // Whoever has the client's state id is shown however unlike they are: one of the two ids is wrong.
        let (same_id, others): (Vec<_>, Vec<_>) = waiting.partition(|one| one.reason == Reason::StateIdUnconfirmed);
        let before = self.inserted.len();
        for candidate in same_id.into_iter().chain(others).take(REVIEW_CANDIDATES_MAX) {
            self.put(verdict, Some(candidate), "review", reason);
        }
        self.inserted.len() - before
    }

    fn end<'d>(&mut self, decisions: impl Iterator<Item = &'d DecisionRow>) {
        self.superseded.extend(decisions.map(|decision| decision.decision_id));
    }

    fn put(&mut self, verdict: &Verdict, candidate: Option<&Candidate>, outcome: &'static str, reason: &str) {
        self.inserted.push(NewDecision {
            client_id: verdict.client,
            source_person_id: candidate.map(|c| c.source_person),
            student_id: candidate.map(|c| c.student),
            outcome,
            probability: candidate.map(|c| c.probability),
            score_bits: candidate.map(|c| c.score_bits),
            explanation: candidate.map_or_else(|| json!({ "model": ENGINE, "parts": [] }), |c| c.explanation.clone()),
            details_hash: verdict.details_hash.clone(),
            reason: reason.to_owned(),
        });
    }
}
