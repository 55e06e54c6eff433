//! Releases come with rosters and bear no signature. The program that puts one on file vouches for it by a keyed hash, by a key outside the database: whoever
//! can write to the database can add a release, and has not the key. The audit names it.

use std::fmt;

use chrono::{DateTime, Utc};
use hmac::{Hmac, Mac as _};
use sha2::Sha256;
use sqlx::PgConnection;

use crate::{Digest, Error, registry::Agreements, store::audit as store};

/// The secret of the keyed hashes over releases.
#[derive(Clone)]
pub struct ReleaseKey([u8; 32]);

impl ReleaseKey {
    /// A key from 32 secret bytes.
    pub const fn new(secret: [u8; 32]) -> Self {
        Self(secret)
    }

    fn mac(&self, digest: Digest, by: &str, at: DateTime<Utc>) -> Option<Hmac<Sha256>> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).ok()?;
        mac.update(format!("throughline release/1\n{digest}\n{}:{by}\n{}", by.len(), at.timestamp_micros()).as_bytes());
        Some(mac)
    }

    /// The keyed hash of a release that somebody recorded. Its digest covers all that it says.
    pub(crate) fn over(&self, digest: Digest, by: &str, at: DateTime<Utc>) -> Option<Vec<u8>> {
        Some(self.mac(digest, by, at)?.finalize().into_bytes().to_vec())
    }

    pub(crate) fn is_over(&self, digest: Digest, by: &str, at: DateTime<Utc>, said: Option<&[u8]>) -> bool {
        let mac = self.mac(digest, by, at);
        mac.zip(said).is_some_and(|(mac, said)| mac.verify_slice(said).is_ok())
    }
}

impl fmt::Debug for ReleaseKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ReleaseKey(***)")
    }
}

impl Agreements {
    /// Vouches for the releases on file that nobody vouches for: once, when the key is new. Says for how many.
    pub async fn vouch_for_releases(&self, conn: &mut PgConnection, key: &ReleaseKey) -> Result<u64, Error> {
        let (mut digests, mut vouched) = (Vec::new(), Vec::new());
        for (digest, by, at) in store::list_unvouched(conn).await? {
            let over = Digest::from_slice(&digest).and_then(|said| key.over(said, &by, at));
            vouched.push(over.ok_or(Error::Corrupt("a digest has not 32 bytes"))?);
            digests.push(digest);
        }
        store::set_vouched(conn, &digests, &vouched).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_release_is_vouched_for_with_who_recorded_it_and_when_and_only_with_the_key() {
        let (key, digest, at) = (ReleaseKey::new([1; 32]), Digest([2; 32]), DateTime::UNIX_EPOCH);
        let vouched = key.over(digest, "roster", at).expect("a hash");
        let check = |key: &ReleaseKey, digest, by, at, said: Option<&[u8]>, expect: bool| {
            assert_eq!(key.is_over(digest, by, at, said), expect);
        };
        let later = at + chrono::TimeDelta::microseconds(1);
        check(&key, digest, "roster", at, Some(&vouched), true);
        check(&key, digest, "roster", at, None, false);
        check(&key, Digest([3; 32]), "roster", at, Some(&vouched), false);
        check(&key, digest, "rosters", at, Some(&vouched), false);
        check(&key, digest, "roster", later, Some(&vouched), false);
        check(&ReleaseKey::new([4; 32]), digest, "roster", at, Some(&vouched), false);
        assert_eq!(format!("{key:?}"), "ReleaseKey(***)");
    }
}
