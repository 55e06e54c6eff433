//! What a facility reported beyond the stay itself: tests, plans, courses, incidents.
//!
//! Each of these prints as a row of its own, with the file and the line it comes from. There is no lineage to lend it that would not tell: that of
//! an enrollment is of another kind of file than all its like, that of another row of its kind puts two rows on one line, and that of
//! another year names a file of another year. Its own tells by the file, if only the facility reports in it, and in a file ordered by
//! district by the place of the line. So a row stays, with its own lineage, only where the recipient sees nothing of that: in the file in
//! which home reports rows of the same kind, in one unbroken run of lines with them. All others are dropped. A row that is missing has many
//! ordinary reasons, one that stands out has one.
//!
//! A number that the facility gave tells of it by its pattern. Where home's rows of the kind bear one, a row without it would stand out just
//! as much, and an invented one would lead nowhere: that row is dropped too.

use std::{collections::BTreeSet, sync::Arc};

use model::{BatchId, Domain, SourcePersonId};

use crate::StoredFact;

/// Whose, what, and where it is written.
type Place = (SourcePersonId, Domain, String, BatchId, Arc<str>, u32);

fn place(fact: &StoredFact) -> Place {
    let source = &fact.source;
    (fact.source_person, fact.domain, fact.kind.clone(), source.batch, Arc::clone(&source.file), source.line)
}

/// What whoever reports a row counts or calls in a way of their own.
const OWN_NUMBERS: [&str; 12] = [
    "district_student_id",
    "incident_identifier",
    "state_incident_number",
    "discipline_action_identifier",
    "section_code",
    "local_course_code",
    "session_name",
    "program_id",
    "program_name",
    "program_sponsor",
    "education_organization_id",
    "contact_id",
];

/// Takes a facility's own numbers and names out.
pub(super) fn clear_own_numbers(fact: &mut StoredFact) {
    fact.payload.retain(|element, _| !OWN_NUMBERS.contains(&element.as_str()));
}

fn kind(fact: &StoredFact) -> (SourcePersonId, Domain, String) {
    (fact.source_person, fact.domain, fact.kind.clone())
}

/// Drops the rows of facilities that would stand out. Who the student is and where they are enrolled is folded into what home says, and
/// has no row here.
pub(super) fn drop_outstanding(facts: &mut Vec<StoredFact>) {
    if !facts.iter().any(|fact| fact.concealed) {
        return;
    }
    let mut run: BTreeSet<Place> = facts.iter().filter(|fact| !fact.concealed).map(place).collect();
    loop {
        let length = run.len();
        for fact in facts.iter().filter(|fact| fact.concealed) {
            let at = place(fact);
            let is_beside = [at.5.saturating_sub(1), at.5.saturating_add(1)].into_iter().any(|line| {
                let mut beside = at.clone();
                beside.5 = line;
                run.contains(&beside)
            });
            if is_beside {
                run.insert(at);
            }
        }
        if run.len() == length {
            break;
        }
    }
    let is_row = |fact: &StoredFact| !matches!(fact.domain, Domain::Enrollment | Domain::Student);
    let is_numbered = |fact: &&StoredFact| OWN_NUMBERS.iter().any(|element| fact.find(element).is_some());
    let numbered: BTreeSet<_> =
        facts.iter().filter(|fact| !fact.concealed && is_row(fact)).filter(is_numbered).map(kind).collect();
    let stands_out = |fact: &StoredFact| !run.contains(&place(fact)) || numbered.contains(&kind(fact));
    facts.retain(|fact| !fact.concealed || !is_row(fact) || !stands_out(fact));
}
