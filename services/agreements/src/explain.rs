//! Why: which clause and which fact decided, in words a steward can read out.

use std::{fmt::Write as _, sync::Arc};

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use model::{Element, Sensitivity};

use crate::{
    decide::{Grant, Reason, Request, Subject, decide, holds},
    element_set::ElementSet,
    in_force::InForce,
    terms::{Basis, Condition, LegalBasis, Terms},
};

/// Why one element is, or is not, disclosed to a caller about a student.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// Whether it may be disclosed.
    pub permitted: bool,
    /// The clause that decided, if one was reached.
    pub clause: Option<String>,
    /// The basis that decided, if one holds.
    pub legal_basis: Option<LegalBasis>,
    /// Why not.
    pub reason: Option<Reason>,
    /// The whole chain, one sentence each, for stewards. Says things about the student.
    pub lines: Vec<String>,
    /// What the recipient may be told.
    pub public: String,
}

/// Explains one element. The request's own elements do not matter.
pub fn explain(
    request: &Request<'_>,
    subject: &Subject<'_>,
    in_force: &Arc<InForce>,
    element: &Element,
    at: DateTime<Utc>,
) -> Explanation {
    let mut elements = ElementSet::EMPTY;
    elements.insert(element);
    let request = Request { elements, ..*request };
    let zone = in_force.plan().zone();
    let mut lines = vec![standing(in_force, zone)];
    let decision = decide(&request, subject, in_force, at);
    if decision.as_ref().err().is_none_or(|denial| denial.reason.is_about_the_student()) {
        for basis in &in_force.terms().bases {
            lines.push(basis_line(basis, &request, subject, in_force, at));
        }
    }
    match decision {
        Ok(grant) => permitted(&grant, element, lines),
        Err(denial) => {
            let terms = in_force.terms();
            lines.push(clause_line(terms, request.purpose, element));
            lines.push(format!("{} is refused: {}.", element.id(), denial.reason));
            Explanation {
                permitted: false,
                clause: naming(terms, request.purpose, element).first().map(|&id| id.to_owned()),
                legal_basis: None,
                reason: Some(denial.reason),
                lines,
                public: denial.reason.public_words().to_owned(),
            }
        }
    }
}

fn permitted(grant: &Grant, element: &Element, mut lines: Vec<String>) -> Explanation {
    let zone = grant.in_force().plan().zone();
    let permit = grant.permit(element.domain);
    let clause = permit.map(|permit| permit.clause().to_owned());
    if let Some(permit) = permit {
        let mut line = format!(
            "Clause {} names {} for the purpose {} on the basis {}, for {}",
            permit.clause(),
            element.id(),
            grant.purpose(),
            grant.legal_basis(),
            permit.school_years()
        );
        if let Some(day) = permit.not_before() {
            let _ = write!(line, ", records whose last day is {day} or later");
        }
        let kinds: Vec<_> = permit.excluded_kinds().collect();
        if !kinds.is_empty() {
            let _ = write!(line, ", without records of the kind {}", kinds.join(", "));
        }
        line.push('.');
        lines.push(line);
    }
    lines.push(match grant.until() {
        Some(until) => format!("{} is permitted, at most until {}.", element.id(), instant(until, zone)),
        None => format!("{} is permitted; no end is known.", element.id()),
    });
    Explanation {
        permitted: true,
        clause,
        legal_basis: Some(grant.legal_basis()),
        reason: None,
        lines,
        public: format!("{} is disclosed to you under the agreement {}", element.label, grant.agreement_title()),
    }
}

fn standing(in_force: &InForce, zone: Tz) -> String {
    let terms = in_force.terms();
    let mut line = format!(
        "The agreement {} version {} ({}) came into force on {}, approved by {} and {}",
        terms.id,
        terms.version,
        terms.title,
        instant(in_force.activated_at(), zone),
        in_force.approved_by()[0],
        in_force.approved_by()[1],
    );
    if in_force.has_sandbox_approval() {
        line.push_str(" with a key the program holds (sandbox)");
    }
    if let Some((ended_at, why)) = in_force.ended() {
        let _ = write!(line, "; it was {} as of {}", format!("{why:?}").to_lowercase(), instant(ended_at, zone));
    }
    line.push('.');
    line
}

fn basis_line(
    basis: &Basis,
    request: &Request<'_>,
    subject: &Subject<'_>,
    in_force: &InForce,
    at: DateTime<Utc>,
) -> String {
    let wanted = basis.conditions.iter().map(|one| condition_words(*one)).collect::<Vec<_>>().join(", and ");
    let zone = in_force.plan().zone();
    match holds(basis, request, subject, in_force, at).map(|ground| ground.until) {
        Ok(Some(until)) => {
            format!("The basis {} holds until {} at most: {wanted}.", basis.law, instant(until, zone))
        }
        Ok(None) => format!("The basis {} holds: {wanted}.", basis.law),
        Err(reason) => format!("The basis {} does not hold: {reason}. It holds while {wanted}.", basis.law),
    }
}

/// What a condition asks for.
pub(crate) const fn condition_words(condition: Condition) -> &'static str {
    match condition {
        Condition::Authority => "an authority on this basis runs",
        Condition::BeforeAdjudication => "the case is before adjudication",
        Condition::BeforeMajority => "the student is under 18",
        Condition::Certification => "the recipient's written certification is on file",
        Condition::Release => {
            "a release is on file (a parent's until the 18th birthday, the student's own from then on)"
        }
        Condition::CourtOrder => "a court order about the student is on file",
        Condition::Emergency => "an emergency about the student is declared",
    }
}

/// The clauses that name an element for a purpose, on whatever basis.
fn naming<'t>(terms: &'t Terms, purpose: &str, element: &Element) -> Vec<&'t str> {
    terms
        .clauses
        .iter()
        .filter(|clause| clause.purposes.iter().any(|one| one == purpose))
        .filter(|clause| clause.elements.contains(element.domain, element.name))
        .map(|clause| clause.id.as_str())
        .collect()
}

fn clause_line(terms: &Terms, purpose: &str, element: &Element) -> String {
    let clauses = naming(terms, purpose, element);
    if !clauses.is_empty() {
        return format!("{} is named by the clauses: {}.", element.id(), clauses.join(", "));
    }
    let mut line = format!("No clause names {} for the purpose {purpose}", element.id());
    line.push_str(match element.class {
        Sensitivity::OtherAgency => "; it reveals another agency, and only a clause that names it would disclose it",
        Sensitivity::Administrative => {
            "; it is kept for the state's own files, and only a clause that names it would disclose it"
        }
        _ => "",
    });
    line.push('.');
    line
}

fn instant(at: DateTime<Utc>, zone: Tz) -> String {
    at.with_timezone(&zone).format("%Y-%m-%d %H:%M:%S %Z").to_string()
}
