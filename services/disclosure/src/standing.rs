//! Whether a run may begin at all: an empty delivery would look like an agency without clients.

use agreements::{Reason, stands};
use model::StudentId;
use pg::Role;

use crate::{
    Ask, Context, Error,
    decided::{Subjects, request, set_moment, set_moment_to_disclose},
    entry,
};

/// Why nothing may be disclosed in answer to this ask, whoever it is about (the agreement is suspended, is over, does not admit the caller); none:
/// clients are decided on one by one. A refusal is entered before it is told.
pub async fn refuse_run(context: Context<'_>, ask: &Ask<'_>) -> Result<Option<Reason>, Error> {
    pg::transaction("disclosure.refuse_run", Role::Agreements)
        .setting("consumer", ask.consumer.as_str())
        .run(context.pool, |tx| {
            Box::pin(async move {
                let at = set_moment(tx, context, ask, Role::Agreements).await?;
                let in_force = context.agreements.load_active(tx, ask.consumer, at).await?;
                let reason = in_force
                    .as_ref()
                    .map_or(Err(Reason::NoAgreement), |in_force| stands(&request(ask, in_force), in_force, at));
                let Err(reason) = reason else { return Ok(None) };
                let terms = entry::terms_of_request(ask, in_force.as_deref())?;
                let entry = entry::refused_run(ask, terms, reason, at, context.entropy);
                tx.act_as(Role::Ledger).await?;
                ledger::record_one(tx, &entry).await?;
                Ok::<_, Error>(Some(reason))
            })
        })
        .await
}

/// Whether what was made for clients may still leave: each of them is decided on anew, and is still the student it was made about. Files lie on a
/// disk for a while between their entry in the record and their way out, and authority may end in between. Nothing is read, and nothing entered.
pub async fn may_still_leave(
    context: Context<'_>,
    ask: &Ask<'_>,
    clients: &[(String, StudentId)],
) -> Result<bool, Error> {
    for page in clients.chunks(CLIENTS_AT_ONCE) {
        let keys: Vec<String> = page.iter().map(|(key, _)| key.clone()).collect();
        let still = pg::transaction("disclosure.may_still_leave", Role::Disclosure)
            .keep_plans()
            .setting("consumer", ask.consumer.as_str())
            .run(context.pool, |tx| {
                let keys = &keys;
                Box::pin(async move {
                    let at = set_moment_to_disclose(tx, context, ask, Role::Disclosure).await?;
                    let in_force = context.agreements.load_active(tx, ask.consumer, at).await?;
                    let subjects = Subjects::load(tx, context, ask, keys).await?;
                    let is_same = |(key, student): &(String, StudentId)| {
                        subjects.decide(ask, in_force.as_ref(), key, at).is_ok_and(|(_, found)| found == *student)
                    };
                    Ok::<_, Error>(page.iter().all(is_same))
                })
            })
            .await?;
        if !still {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Clients decided on in one transaction.
const CLIENTS_AT_ONCE: usize = 1_000;
