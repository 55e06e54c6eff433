//! Deciding on doubtful matches: the SEA's own door to a client and the students it may be, side by side.
//!
//! Nothing is shown before the access is recorded and committed. A decision, the population that follows from it and the queue of what must
//! be called back belong to one transaction.

use std::collections::BTreeSet;

use agreements::{Act, Agreements, Approval, Digest};
use chrono::{DateTime, Utc};
use identity::{
    crosswalk::Author,
    review::{
        self, Case, Override, Place, Queue, Reliability, Signature, Verdict, Waiting,
        bulk::{self, Alike, Bulk, BulkVerdict},
    },
    vouch::Which,
};
use model::{ConsumerId, Masked, StudentId};
use pg::Role;
use uuid::Uuid;

use crate::{
    Ask, Context, Error,
    decided::set_moment,
    inspect::record_look,
    recall::{self, Recalled},
};

/// Clients of a page of the queue at most.
pub const PAGE_MAX: u32 = 1_000;

/// What a decision did.
#[derive(Clone, Debug, Default)]
pub struct Decided {
    /// The client is matched now.
    pub is_matched: bool,
    /// Disclosures made on a match that ended by it, queued to be called back.
    pub recalled: Vec<Recalled>,
}

/// A page of the queue, most valuable first. It names nobody.
pub async fn list(
    context: Context<'_>,
    consumer: Option<&ConsumerId>,
    after: Option<Place>,
    limit: u32,
) -> Result<Vec<Waiting>, Error> {
    let at = context.clock.now();
    pg::run_tx(context.pool, "review.list", Role::Identity, |tx| {
        Box::pin(async move { Ok(review::list(tx, consumer, after, at, limit.min(PAGE_MAX)).await?) })
    })
    .await
}

/// The client of an agency's own id, by our own number.
pub async fn find_client(
    context: Context<'_>,
    consumer: &ConsumerId,
    person_key: &Masked<String>,
) -> Result<Option<i64>, Error> {
    pg::run_tx(context.pool, "review.find_client", Role::Identity, |tx| {
        Box::pin(async move { Ok(review::find_client(tx, consumer, person_key).await?) })
    })
    .await
}

/// Opens a case. The access is recorded first: who asks, for what, and over how many students it goes.
pub async fn open(context: Context<'_>, ask: &Ask<'_>, client: i64) -> Result<Case, Error> {
    let students: BTreeSet<StudentId> = pg::run_tx(context.pool, "review.candidates", Role::Identity, |tx| {
        Box::pin(async move { Ok::<_, Error>(review::list_candidates(tx, client).await?) })
    })
    .await?;
    let outcome = pg::transaction("review.access", Role::Steward)
        .run(context.pool, |tx| {
            let looked_at = ("reviews a doubtful match", &students);
            Box::pin(async move {
                let at = set_moment(tx, context, ask, Role::Steward).await?;
                record_look(tx, context, ask, looked_at, at).await
            })
        })
        .await?;
    outcome.map_err(Error::Denied)?;
    let at = context.clock.now();
    pg::run_tx(context.pool, "review.show", Role::Identity, |tx| {
        let students = &students;
        Box::pin(async move {
            bulk::note_look(tx, client, at).await?;
            Ok(review::show(tx, client, students).await?)
        })
    })
    .await
}

/// Decides as one person, on what the engine put forward.
pub async fn decide(
    context: Context<'_>,
    client: i64,
    verdict: Verdict,
    (by, reason): (&str, &str),
) -> Result<Decided, Error> {
    let author = Author { by, reason, at: context.clock.now() };
    pg::run_tx(context.pool, "review.decide", Role::Identity, |tx| {
        Box::pin(async move {
            let decided = review::decide(tx, client, verdict, author).await?;
            vouch(tx, context).await?;
            finish(tx, decided, author).await
        })
    })
    .await
}

/// Takes back what was decided last on a client.
pub async fn undo(context: Context<'_>, client: i64, (by, reason): (&str, &str)) -> Result<Decided, Error> {
    let author = Author { by, reason, at: context.clock.now() };
    pg::run_tx(context.pool, "review.undo", Role::Identity, |tx| {
        Box::pin(async move {
            let decided = review::undo(tx, client, author).await?;
            vouch(tx, context).await?;
            finish(tx, decided, author).await
        })
    })
    .await
}

/// Vouches for what this transaction has matched or moved. It acts as identity.
pub async fn vouch(tx: &mut pg::Tx<'_, '_>, context: Context<'_>) -> Result<(), Error> {
    if let Some(key) = context.vouch {
        tx.act_as(Role::Identity).await?;
        identity::vouch::vouch(tx, key, Which::Own).await?;
    }
    Ok(())
}

async fn finish(tx: &mut pg::Tx<'_, '_>, decided: review::Decided, author: Author<'_>) -> Result<Decided, Error> {
    let recalled = match &decided.ended {
        Some(link) => recall::queue_match(tx, link, (author.by, author.at)).await?,
        None => Vec::new(),
    };
    Ok(Decided { is_matched: decided.is_matched, recalled })
}

/// Puts a link that the engine did not propose on file, for two stewards to sign.
pub async fn request_override(
    context: Context<'_>,
    (client, student): (i64, StudentId),
    (by, reason): (&str, &str),
) -> Result<Override, Error> {
    let author = Author { by, reason, at: context.clock.now() };
    let id = context.entropy.uuid();
    pg::run_tx(context.pool, "review.request_override", Role::Identity, |tx| {
        Box::pin(async move { Ok(review::file_override(tx, id, (client, student), author).await?) })
    })
    .await
}

/// An override on file.
pub async fn find_override(context: Context<'_>, id: Uuid) -> Result<Option<Override>, Error> {
    pg::run_tx(context.pool, "review.find_override", Role::Identity, |tx| {
        Box::pin(async move { Ok(review::find_override(tx, id).await?) })
    })
    .await
}

/// What stewards sign.
pub fn digest_of(one: &Override) -> Digest {
    Digest::of(one.statement.as_bytes())
}

/// Adds a steward's signature; with the second of two distinct stewards the client is linked. Every signature is verified anew.
/// `None`: another steward has still to sign.
pub async fn approve_override(context: Context<'_>, id: Uuid, approval: &Approval) -> Result<Option<Decided>, Error> {
    let at = context.clock.now();
    pg::run_tx(context.pool, "review.approve_override", Role::Identity, |tx| {
        Box::pin(async move {
            let on_file = review::find_override(tx, id).await?.ok_or(identity::Error::NotFound("override"))?;
            if on_file.is_used {
                return Err(identity::Error::Conflict("the override has been used").into());
            }
            if on_file.expires_at <= at {
                return Err(identity::Error::Conflict("the override has expired: ask anew").into());
            }
            let digest = digest_of(&on_file);
            let steward = context.agreements.stewards().verify(Act::OverrideMatch, digest, approval)?;
            let new = Signature {
                steward: approval.steward.clone(),
                given_at: approval.given_at,
                signature: approval.signature,
            };
            let all = review::add_signature(tx, id, &new, steward.sandbox).await?;
            let Some(pair) = two(context.agreements, digest, &all, at) else { return Ok(None) };
            let by = pair.join(" and ");
            let author = Author { by: &by, reason: "two stewards signed", at };
            let decided = review::link_by_override(tx, id, author).await?;
            vouch(tx, context).await?;
            finish(tx, decided, author).await.map(Some)
        })
    })
    .await
}

/// Two distinct stewards whose signatures verify, if there are.
fn two(agreements: &Agreements, digest: Digest, all: &[Signature], at: DateTime<Utc>) -> Option<[String; 2]> {
    let approval =
        |one: &Signature| Approval { steward: one.steward.clone(), given_at: one.given_at, signature: one.signature };
    all.iter().enumerate().find_map(|(place, first)| {
        all.iter().skip(place + 1).find_map(|second| {
            let pair = [approval(first), approval(second)];
            let verified = agreements.stewards().verify_two(Act::OverrideMatch, digest, &pair, None, at);
            verified.is_ok().then(|| [first.steward.clone(), second.steward.clone()])
        })
    })
}

/// Pairs that wait alike, which a bulk may decide. It names nobody.
pub async fn list_alike(context: Context<'_>, consumer: Option<&ConsumerId>) -> Result<Vec<Alike>, Error> {
    pg::run_tx(context.pool, "review.list_alike", Role::Identity, |tx| {
        Box::pin(async move { Ok(bulk::list_alike(tx, consumer).await?) })
    })
    .await
}

/// Draws a bulk of pairs alike, and the sample that must be looked at one by one first.
pub async fn draw_bulk(
    context: Context<'_>,
    (alike, verdict): (&str, BulkVerdict),
    (by, reason): (&str, &str),
) -> Result<Bulk, Error> {
    let author = Author { by, reason, at: context.clock.now() };
    let seed = chance(context);
    pg::run_tx(context.pool, "review.draw_bulk", Role::Identity, |tx| {
        Box::pin(async move { Ok(bulk::draw(tx, (alike, verdict), seed, author).await?) })
    })
    .await
}

/// A bulk as it stands.
pub async fn find_bulk(context: Context<'_>, id: i64) -> Result<Option<Bulk>, Error> {
    pg::run_tx(context.pool, "review.find_bulk", Role::Identity, |tx| {
        Box::pin(async move { Ok(bulk::find(tx, id).await?) })
    })
    .await
}

/// Bulks, the latest first.
pub async fn list_bulks(context: Context<'_>, consumer: Option<&ConsumerId>, limit: u32) -> Result<Vec<Bulk>, Error> {
    pg::run_tx(context.pool, "review.list_bulks", Role::Identity, |tx| {
        Box::pin(async move { Ok(bulk::list(tx, consumer, limit.min(PAGE_MAX)).await?) })
    })
    .await
}

/// Carries a bulk out, if its sample was looked at and decided alike; the state of what is returned says whether it was.
pub async fn apply_bulk(context: Context<'_>, id: i64, (by, reason): (&str, &str)) -> Result<Bulk, Error> {
    let author = Author { by, reason, at: context.clock.now() };
    let seed = chance(context);
    pg::run_tx(context.pool, "review.apply_bulk", Role::Identity, |tx| {
        Box::pin(async move {
            let applied = bulk::apply(tx, id, seed, author).await?;
            vouch(tx, context).await?;
            Ok(applied)
        })
    })
    .await
}

/// Takes back all that a bulk decided; what was disclosed on its links is queued to be called back.
pub async fn undo_bulk(
    context: Context<'_>,
    id: i64,
    (by, reason): (&str, &str),
) -> Result<(Bulk, u64, Vec<Recalled>), Error> {
    let author = Author { by, reason, at: context.clock.now() };
    pg::run_tx(context.pool, "review.undo_bulk", Role::Identity, |tx| {
        Box::pin(async move {
            let undone = bulk::undo(tx, id, author).await?;
            vouch(tx, context).await?;
            let mut recalled = Vec::new();
            for link in &undone.ended {
                recalled.extend(recall::queue_match(tx, link, (author.by, author.at)).await?);
            }
            Ok((undone.bulk, undone.waiting, recalled))
        })
    })
    .await
}

fn chance(context: Context<'_>) -> u64 {
    let mut bytes = [0; 8];
    context.entropy.fill(&mut bytes);
    u64::from_le_bytes(bytes)
}

/// The queues in figures, and the engine's reliability as people's decisions since `from` show it.
pub async fn stats(context: Context<'_>, from: DateTime<Utc>) -> Result<(Vec<Queue>, Vec<Reliability>), Error> {
    pg::run_tx(context.pool, "review.stats", Role::Identity, |tx| {
        Box::pin(async move { Ok(review::stats(tx, from).await?) })
    })
    .await
}
