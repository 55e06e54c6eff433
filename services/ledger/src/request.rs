//! Calls that are remembered by the id that their caller gave them.
//!
//! Whoever sends a request again under its id is not to be disclosed anything twice, whichever server it comes to and whatever was restarted in between. So the entry
//! of a call remembers the id: keyed digests of it and of what was asked, written with the entry by one statement, each id once. Nobody without the key comes from
//! them to a caller, an id or a person, and no commitment covers them: they are swept after a time, and whoever sweeps them early has a call disclosed once more,
//! with an entry of its own.

use std::fmt;

use chrono::{DateTime, Utc};
use hmac::{Hmac, Mac as _};
use model::{ConsumerId, DisclosureId};
use sha2::Sha256;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{Error, Kind, store, tree::Hash};

/// What the key of requests is made for: the secret it comes of may serve for other things.
const PURPOSE: &[u8] = b"throughline-requests/v1/key";

/// The secret of the digests: the same for all servers of one exchange.
#[derive(Clone)]
pub struct RequestKey([u8; 32]);

impl RequestKey {
    /// The key that comes of 32 secret bytes.
    pub fn of(secret: &[u8; 32]) -> Self {
        Self(digest(secret, &[PURPOSE]))
    }

    /// What is remembered of a call: of the caller with the id it chose, and of what it asked (the method, and the request as it was encoded).
    pub fn mark(&self, (caller, id): (&ConsumerId, Uuid), (method, asked): (&str, &[u8])) -> RequestMark {
        let id = digest(&self.0, &[b"id\n", caller.as_str().as_bytes(), b"\n", id.as_bytes()]);
        let question = digest(&self.0, &[b"question\n", &id, method.as_bytes(), b"\n", asked]);
        RequestMark { id: Hash(id), question: Hash(question) }
    }
}

impl fmt::Debug for RequestKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RequestKey(***)")
    }
}

fn digest(key: &[u8; 32], parts: &[&[u8]]) -> [u8; 32] {
    // Cannot fail: the method takes keys of any length.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return [0; 32] };
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

/// What the ledger remembers a call by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestMark {
    /// Of the caller and its id.
    pub(crate) id: Hash,
    /// Of what was asked.
    pub(crate) question: Hash,
}

/// A call that was answered under an id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answered {
    /// The very same was asked.
    pub is_the_same: bool,
    /// What its entry is about.
    pub kind: Kind,
    /// The reason of its entry, if it has one.
    pub reason: Option<String>,
}

/// The call that has this id, if one is remembered.
pub async fn find_request(conn: &mut PgConnection, mark: RequestMark) -> Result<Option<Answered>, Error> {
    let Some(found) = store::request::find(conn, mark.id).await? else { return Ok(None) };
    let kind = found.kind.parse().map_err(|_| Error::Corrupt("a stored entry cannot be read"))?;
    Ok(Some(Answered { is_the_same: found.question == mark.question.as_bytes(), kind, reason: found.reason }))
}

/// Remembers a call by an entry of it, in the transaction that records the entry: for calls of several entries. [`Error::Answered`]: it was answered before.
pub async fn remember_request(
    conn: &mut PgConnection,
    mark: RequestMark,
    entry: DisclosureId,
    at: DateTime<Utc>,
) -> Result<(), Error> {
    store::request::insert(conn, mark, entry, at).await
}

/// Forgets the oldest calls that were answered before a time, about as many as `limit`; how many. None: that was all.
pub async fn forget_requests(conn: &mut PgConnection, before: DateTime<Utc>, limit: u32) -> Result<u64, Error> {
    store::request::delete_older(conn, before, limit).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_tells_caller_id_method_and_question_apart_and_nothing_of_them() {
        let key = RequestKey::of(&[7; 32]);
        let (dcf, cssd): (ConsumerId, ConsumerId) = ("dcf".parse().unwrap(), "cssd".parse().unwrap());
        let one = key.mark((&dcf, Uuid::from_u128(1)), ("GetHistory", b"D10"));
        assert_eq!(one, key.mark((&dcf, Uuid::from_u128(1)), ("GetHistory", b"D10")));
        let other_question = key.mark((&dcf, Uuid::from_u128(1)), ("GetHistory", b"D11"));
        assert!(one.id == other_question.id && one.question != other_question.question);
        let other_method = key.mark((&dcf, Uuid::from_u128(1)), ("GetSummary", b"D10"));
        assert!(one.id == other_method.id && one.question != other_method.question);
        for (caller, id) in [(&cssd, 1), (&dcf, 2)] {
            let other = key.mark((caller, Uuid::from_u128(id)), ("GetHistory", b"D10"));
            assert!(one.id != other.id && one.question != other.question, "a question is its caller's and id's own");
        }
        let elsewhere = RequestKey::of(&[8; 32]).mark((&dcf, Uuid::from_u128(1)), ("GetHistory", b"D10"));
        assert!(one.id != elsewhere.id && one.question != elsewhere.question);
        assert_eq!(format!("{key:?}"), "RequestKey(***)");
    }
}
