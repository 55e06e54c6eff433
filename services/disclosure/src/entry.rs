//! What the ledger is told of a disclosure, a refusal or a run.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use agreements::{Grant, InForce, Instrument, Reason};
use chrono::{DateTime, Utc};
use ledger::{
    Answered, Audience, Clause, Delivery, Detail, Entry, Kind, OnwardParty, Salts, Showing, Terms, TermsParts,
};
use model::{ConsumerId, DisclosureId, Entropy, Masked, StudentId};
use pg::{Role, Tx};
use sha2::{Digest, Sha256};

use crate::{Ask, Asker, Context, DisclosedHistory, Error, RequestMark};

/// How the ledger calls a kind of delivery.
const fn delivery(of: agreements::Delivery) -> Delivery {
    match of {
        agreements::Delivery::Unary => Delivery::Unary,
        agreements::Delivery::Stream => Delivery::Stream,
        agreements::Delivery::File => Delivery::File,
        agreements::Delivery::Pdf => Delivery::Document,
    }
}

fn audiences(in_force: &InForce) -> BTreeMap<Audience, Showing> {
    let shown = in_force.terms().audience;
    [
        (Audience::Parent, shown.parent),
        (Audience::EligibleStudent, shown.eligible_student),
        (Audience::District, shown.district),
        (Audience::Auditor, shown.auditor),
    ]
    .into_iter()
    .filter_map(|(audience, showing)| match showing {
        agreements::Showing::Shown => Some((audience, Showing::Open)),
        agreements::Showing::AfterReview => Some((audience, Showing::AfterReview)),
        agreements::Showing::Hidden => None,
    })
    .collect()
}

/// The terms of a grant: the same for all students it is given for.
pub(crate) fn terms_of(grant: &Grant) -> Result<Arc<Terms>, Error> {
    let clause = Clause {
        agreement: grant.agreement_id().to_owned(),
        version: grant.version().unsigned_abs(),
        clause: grant.clauses().join(", "),
    };
    let onward = grant.onward().iter().map(|o| OnwardParty { party: o.party.clone(), interest: o.interest.clone() });
    let parts = TermsParts {
        consumer: grant.consumer().clone(),
        party: grant.recipient().to_owned(),
        purpose: Some(grant.interest().to_owned()),
        legal_basis: Some(grant.legal_basis().as_str().to_owned()),
        clause: Some(clause),
        elements: grant.elements().ids().into_iter().collect(),
        withheld: grant.withheld().ids().into_iter().collect(),
        onward: onward.collect(),
        audiences: audiences(grant.in_force()),
    };
    Ok(Arc::new(Terms::new(parts)?))
}

/// What stands for a purpose that the agreement does not state. The word that the caller used for it is not kept: terms are kept for ever.
const PURPOSE_NOT_AGREED: &str = "a purpose that the agreement does not state";

/// The terms of a refusal, of a run, or of the SEA's own access: what was asked, for what, under what, with nothing granted.
pub(crate) fn terms_of_request(ask: &Ask<'_>, in_force: Option<&InForce>) -> Result<Arc<Terms>, Error> {
    let purpose = match (in_force, ask.purpose) {
        (None, _) => None,
        (Some(in_force), None) => first_purpose(in_force),
        (Some(in_force), Some(id)) => {
            let stated = in_force.terms().purposes.iter().find(|purpose| purpose.id == id);
            Some(stated.map_or_else(|| PURPOSE_NOT_AGREED.to_owned(), |purpose| purpose.text.clone()))
        }
    };
    terms_without_grant(ask.consumer, in_force, purpose)
}

/// The terms of an act, which is done for the first purpose of whoever's agreement it is about.
pub(crate) fn terms_of_ask(consumer: &ConsumerId, in_force: Option<&InForce>) -> Result<Arc<Terms>, Error> {
    terms_without_grant(consumer, in_force, in_force.and_then(first_purpose))
}

fn first_purpose(in_force: &InForce) -> Option<String> {
    in_force.terms().purposes.first().map(|purpose| purpose.text.clone())
}

fn terms_without_grant(
    consumer: &ConsumerId,
    in_force: Option<&InForce>,
    purpose: Option<String>,
) -> Result<Arc<Terms>, Error> {
    let clause = in_force.map(|in_force| Clause {
        agreement: in_force.terms().id.clone(),
        version: in_force.terms().version.unsigned_abs(),
        clause: String::from("-"),
    });
    let parts = TermsParts {
        consumer: consumer.clone(),
        party: in_force.map_or_else(|| consumer.to_string(), |in_force| in_force.terms().recipient().to_owned()),
        purpose,
        legal_basis: None,
        clause,
        elements: BTreeSet::new(),
        withheld: BTreeSet::new(),
        onward: BTreeSet::new(),
        audiences: in_force.map(audiences).unwrap_or_default(),
    };
    Ok(Arc::new(Terms::new(parts)?))
}

fn detail(asker: &Asker, student: Option<StudentId>, digest: Option<[u8; 32]>) -> Detail {
    Detail {
        student,
        person: asker.person.clone(),
        system: asker.system.clone(),
        on_behalf_of: asker.on_behalf_of.clone(),
        authority: None,
        threat: None,
        digest: digest.map(ledger::Hash),
    }
}

/// What a disclosure rests on beside the agreement, by number: the paper about the student, and the request that two stewards approved for the run.
fn authority(grant: &Grant, request: Option<&Masked<String>>) -> Option<Masked<String>> {
    match (grant.instrument().map(Instrument::named), request) {
        (Some(paper), Some(request)) => Some(Masked::new(format!("{}; {}", paper.expose(), request.expose()))),
        (paper, request) => paper.or_else(|| request.cloned()),
    }
}

/// Records the one entry of an ask, and with it the call that it is, where that has an id.
pub(crate) async fn record(tx: &mut Tx<'_, '_>, ask: &Ask<'_>, entry: &Entry) -> Result<(), Error> {
    tx.act_as(Role::Ledger).await?;
    match ask.request {
        Some(mark) => ledger::record_asked(tx, entry, mark).await?,
        None => ledger::record_one(tx, entry).await?,
    }
    Ok(())
}

/// Refuses a call that was answered before, or whose id stands for another question, before anything is asked about anybody: what it says and how
/// long it takes is the same whoever it is about. See [`Error::Answered`].
pub async fn ensure_new(context: Context<'_>, mark: RequestMark) -> Result<(), Error> {
    find_answer(context, mark).await?.map_or(Ok(()), Err)
}

/// What is said of a call that was answered while it was on its way.
pub(crate) async fn answered_before(context: Context<'_>, mark: RequestMark) -> Error {
    find_answer(context, mark).await.unwrap_or_else(Some).unwrap_or(Error::Answered)
}

/// What is said of a call that was answered before: a refusal is the same refusal; of anything else the answer is kept nowhere, and of another question there is
/// none.
async fn find_answer(context: Context<'_>, mark: RequestMark) -> Result<Option<Error>, Error> {
    let found = pg::run_tx(context.pool, "disclosure.answered_before", Role::Ledger, |tx| {
        Box::pin(async move { Ok::<_, Error>(ledger::find_request(tx, mark).await?) })
    })
    .await?;
    Ok(found.map(|answered| match answered {
        Answered { is_the_same: true, kind: Kind::Refusal, reason: Some(reason) } => {
            Reason::of_code(&reason).map_or(Error::Answered, Error::Denied)
        }
        _ => Error::Answered,
    }))
}

/// An entry for bytes that will be sent under a grant, whose terms these are, in a run that an approved request may stand behind.
pub(crate) fn disclosure(
    ask: &Ask<'_>,
    (grant, terms, request): (&Grant, Arc<Terms>, Option<&Masked<String>>),
    history: &DisclosedHistory,
    bytes: &[u8],
    entropy: &dyn Entropy,
) -> Entry {
    let mut detail = detail(&ask.asker, Some(history.student()), Some(Sha256::digest(bytes).into()));
    detail.authority = authority(grant, request);
    // 34 CFR 99.32(a)(5); the parties are in the terms.
    detail.threat = grant.instrument().and_then(Instrument::threat).cloned();
    Entry {
        id: history.disclosure(),
        kind: Kind::Disclosure,
        terms,
        delivery: delivery(ask.delivery),
        decided_at: history.decided_at(),
        run: ask.run,
        count: None,
        reason: None,
        detail,
        salts: Salts::draw(entropy),
    }
}

/// An entry for a request that is refused. The client is named, by the agency's id, only to auditors.
pub(crate) fn refusal(
    ask: &Ask<'_>,
    terms: Arc<Terms>,
    id: DisclosureId,
    person_key: &Masked<String>,
    reason: &str,
    at: DateTime<Utc>,
    entropy: &dyn Entropy,
) -> Entry {
    let mut detail = detail(&ask.asker, None, None);
    detail.authority = Some(Masked::new(format!("client {}", person_key.expose())));
    Entry {
        id,
        kind: Kind::Refusal,
        terms,
        delivery: delivery(ask.delivery),
        decided_at: at,
        run: ask.run,
        count: None,
        reason: Some(reason.to_owned()),
        detail,
        salts: Salts::draw(entropy),
    }
}

/// An entry for a run that is refused as a whole: nobody's record is asked about.
pub(crate) fn refused_run(
    ask: &Ask<'_>,
    terms: Arc<Terms>,
    reason: Reason,
    at: DateTime<Utc>,
    entropy: &dyn Entropy,
) -> Entry {
    Entry {
        id: model::disclosure_id(entropy),
        kind: Kind::Refusal,
        terms,
        delivery: delivery(ask.delivery),
        decided_at: at,
        run: ask.run,
        count: None,
        reason: Some(reason.code().to_owned()),
        detail: detail(&ask.asker, None, None),
        salts: Salts::draw(entropy),
    }
}

/// An entry for an act about a run: its completion, or the SEA's own access.
pub(crate) fn run(
    ask: &Ask<'_>,
    kind: Kind,
    terms: Arc<Terms>,
    id: DisclosureId,
    (count, digest): (u64, [u8; 32]),
    at: DateTime<Utc>,
    entropy: &dyn Entropy,
) -> Entry {
    Entry {
        id,
        kind,
        terms,
        delivery: if kind == Kind::Access { Delivery::Inspect } else { delivery(ask.delivery) },
        decided_at: at,
        run: ask.run,
        count: Some(count),
        reason: None,
        detail: detail(&ask.asker, None, Some(digest)),
        salts: Salts::draw(entropy),
    }
}

/// An entry for an act of a person, about nobody's record.
pub(crate) fn act(ask: &Ask<'_>, kind: Kind, terms: Arc<Terms>, at: DateTime<Utc>, entropy: &dyn Entropy) -> Entry {
    Entry {
        id: model::disclosure_id(entropy),
        kind,
        terms,
        delivery: Delivery::Act,
        decided_at: at,
        run: ask.run,
        count: None,
        reason: None,
        detail: detail(&ask.asker, None, None),
        salts: Salts::draw(entropy),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_audience_reads_of_an_entry_what_the_policy_matrix_says() {
        let told = |name: &str| {
            agreements::Audience::ALL.iter().find(|one| one.as_str() == name).map(|one| one.reads_threat())
        };
        for audience in Audience::ALL {
            assert_eq!(told(audience.as_str()), Some(audience.reads_threat()), "{audience}");
        }
        assert_eq!(Audience::ALL.len(), agreements::Audience::ALL.len());
    }
}
