//! Files leave on schedule, or because two stewards approved this very export: a file belongs to a run that was begun so.

use agreements::{Act, Approval, Asked, Delivery, Digest, UsedRequest};
use chrono::{DateTime, Utc};
use ledger::Kind;
use model::Masked;
use pg::{Role, Tx};

use crate::{
    Ask, Context, Error,
    act::{self, Deed, Done},
    decided::set_moment,
    entry,
    store::{self, FileRun},
};

/// Why a whole feed is written as files now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Occasion<'a> {
    /// The schedule says so.
    Scheduled,
    /// Somebody asked, and two stewards approved: the request, and the format that will be written.
    Approved {
        /// The request's digest.
        request: Digest,
        /// The delivery format, which must be the one approved.
        format: &'a str,
    },
}

/// How the record of disclosures names an approved export.
pub(crate) fn named(request: Digest) -> Masked<String> {
    Masked::new(act::named(Act::Export, request))
}

/// Begins a run that writes files for a recipient. On an approved request it uses the request up: approved by two, unexpired,
/// and about exactly this consumer, office, format and time. Without it no chunk of a file is disclosed.
pub async fn begin_file_run(context: Context<'_>, ask: &Ask<'_>, occasion: Occasion<'_>) -> Result<(), Error> {
    if ask.delivery != Delivery::File {
        return Err(Error::Invalid("only files need a run that was begun"));
    }
    let run = ask.run.ok_or(Error::Invalid("a file export belongs to a run"))?;
    pg::transaction("disclosure.begin_file_run", Role::Disclosure)
        .setting("consumer", ask.consumer.as_str())
        .run(context.pool, |tx| {
            Box::pin(async move {
                let at = set_moment(tx, context, ask, Role::Disclosure).await?;
                let used = use_request(tx, context, ask, occasion, at).await?;
                if let Some(used) = &used {
                    let done = Done::new(Deed::UseRequest, act::named(Act::Export, used.digest));
                    act::record_act(tx, context, ask, &done).await?;
                }
                tx.act_as(Role::Disclosure).await?;
                store::insert_file_run(
                    tx,
                    &FileRun {
                        run,
                        consumer: ask.consumer.to_string(),
                        office: ask.office.map(str::to_owned),
                        as_of: ask.as_of,
                        request: used.map(|used| used.digest.0.to_vec()),
                    },
                    at,
                )
                .await
            })
        })
        .await
}

/// Uses up the request of an approved occasion, in the caller's transaction.
pub(crate) async fn use_request(
    tx: &mut Tx<'_, '_>,
    context: Context<'_>,
    ask: &Ask<'_>,
    occasion: Occasion<'_>,
    at: DateTime<Utc>,
) -> Result<Option<UsedRequest>, Error> {
    let Occasion::Approved { request, format } = occasion else { return Ok(None) };
    let run = ask.run.ok_or(Error::Invalid("a file export belongs to a run"))?;
    tx.act_as(Role::Agreements).await?;
    let used = context.agreements.use_request(tx, request, run, at).await?;
    let Asked::Export(said) = &used.asked else {
        return Err(Error::Invalid("the request approved is for another act"));
    };
    let same = said.consumer == *ask.consumer
        && said.office.as_deref() == ask.office
        && said.as_of == ask.as_of.map(|at| chrono::SubsecRound::trunc_subsecs(at, 6))
        && said.format == format;
    if same { Ok(Some(used)) } else { Err(Error::Invalid("the request approved is about another export")) }
}

/// What a file's entries rest on: the approved request, or nothing when on schedule. Fails unless the run was begun for exactly this.
pub(crate) async fn authority(tx: &mut Tx<'_, '_>, ask: &Ask<'_>) -> Result<Option<Masked<String>>, Error> {
    let not_begun = Error::Invalid("a file is disclosed only in a run that was begun for exactly this");
    let Some(run) = ask.run else { return Err(not_begun) };
    let Some(begun) = store::find_file_run(tx, run).await? else { return Err(not_begun) };
    let as_of = ask.as_of.map(|at| chrono::SubsecRound::trunc_subsecs(at, 6));
    if begun.consumer != ask.consumer.as_str() || begun.office.as_deref() != ask.office || begun.as_of != as_of {
        return Err(not_begun);
    }
    let digest = begun.request.map(|digest| <[u8; 32]>::try_from(digest).map(Digest)).transpose();
    Ok(digest.map_err(|_| Error::Corrupt("a stored digest has not 32 bytes".to_owned()))?.map(named))
}

/// Keeps a steward's approval of an act, and enters it in the ledger: who approved what, and whether the program itself held the
/// key, as in the sandbox. The ask names the consumer that the act is about.
pub async fn approve(
    context: Context<'_>,
    ask: &Ask<'_>,
    (act, digest): (Act, Digest),
    approval: &Approval,
) -> Result<(), Error> {
    let steward = context.agreements.stewards().verify(act, digest, approval).map_err(agreements::Error::from)?;
    pg::transaction("disclosure.approve", Role::Agreements)
        .run(context.pool, |tx| {
            Box::pin(async move {
                let at = set_moment(tx, context, ask, Role::Agreements).await?;
                context.agreements.approve(tx, act, digest, approval).await?;
                let in_force = context.agreements.load_active(tx, ask.consumer, at).await?;
                let terms = entry::terms_of_ask(ask.consumer, in_force.as_deref())?;
                let mut entry = entry::act(ask, Kind::Approval, terms, at, context.entropy);
                entry.detail.person = Some(Masked::new(steward.id.clone()));
                entry.detail.authority = Some(Masked::new(act::named(act, digest)));
                if steward.sandbox {
                    entry.detail.system = Some("the program itself holds the key (sandbox)".to_owned());
                }
                tx.act_as(Role::Ledger).await?;
                ledger::record_one(tx, &entry).await?;
                Ok::<_, Error>(())
            })
        })
        .await
}
