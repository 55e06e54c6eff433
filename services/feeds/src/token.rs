//! Resume tokens: opaque to the receiver, bound to feed, run, grant and caller.

use sha2::{Digest, Sha256};
use uuid::Uuid;

/// What a run sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Everybody.
    Whole,
    /// What changed since the run before.
    Changes,
}

/// What a token says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// The run.
    pub run: Uuid,
    /// The position in it, from 1.
    pub position: u64,
    /// The client sent last, by the recipient's own person id: the next page begins behind it.
    pub after: String,
    /// The office the feed is for; empty: all.
    pub office: String,
    /// The purpose the feed is for; empty: the agreement's first.
    pub purpose: String,
    /// The agreement version's digest the run began under.
    pub grant: [u8; 32],
    /// Histories sent so far.
    pub histories: u64,
    /// Withdrawals sent so far.
    pub withdrawals: u64,
    /// Histories left out so far because they are too great.
    pub omitted: u64,
    /// What the run sends.
    pub scope: Scope,
    /// Whether the run is complete: the token of its end.
    pub is_end: bool,
    /// The epoch of positions: another one than the exchange's means that it was restored from a backup since.
    pub epoch: u64,
    /// The run's digest so far.
    pub digest: [u8; 32],
}

/// A token is not one of ours, or is another caller's, or was cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the resume token is not valid for this caller")]
pub struct TokenError;

const TAG_BYTES: usize = 32;
const VERSION: u8 = 2;

/// Seals tokens for one caller with a secret of the exchange.
#[derive(Clone)]
pub struct TokenSeal([u8; 32]);

impl std::fmt::Debug for TokenSeal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TokenSeal(***)")
    }
}

impl TokenSeal {
    /// With 32 secret bytes.
    pub const fn new(secret: [u8; 32]) -> Self {
        Self(secret)
    }

    fn tag(&self, caller: &str, body: &[u8]) -> [u8; TAG_BYTES] {
        // HMAC-SHA-256 (RFC 2104) with a 32-byte key.
        let pad = |byte: u8| {
            let mut block = [byte; 64];
            for (to, from) in block.iter_mut().zip(self.0) {
                *to ^= from;
            }
            block
        };
        let inner = Sha256::new()
            .chain_update(pad(0x36))
            .chain_update((caller.len() as u64).to_be_bytes())
            .chain_update(caller)
            .chain_update(body)
            .finalize();
        Sha256::new().chain_update(pad(0x5c)).chain_update(inner).finalize().into()
    }

    /// Makes the token's bytes for a caller.
    pub fn seal(&self, caller: &str, token: &Token) -> Vec<u8> {
        let mut body = vec![VERSION];
        body.extend_from_slice(token.run.as_bytes());
        body.extend_from_slice(&token.position.to_be_bytes());
        body.extend_from_slice(&token.grant);
        for count in [token.histories, token.withdrawals, token.omitted, token.epoch] {
            body.extend_from_slice(&count.to_be_bytes());
        }
        body.extend_from_slice(&[u8::from(token.scope == Scope::Changes), u8::from(token.is_end)]);
        body.extend_from_slice(&token.digest);
        for text in [&token.after, &token.office, &token.purpose] {
            body.extend_from_slice(&(text.len() as u32).to_be_bytes());
            body.extend_from_slice(text.as_bytes());
        }
        let tag = self.tag(caller, &body);
        body.extend_from_slice(&tag);
        body
    }

    /// Opens a token a caller sent back.
    pub fn open(&self, caller: &str, bytes: &[u8]) -> Result<Token, TokenError> {
        let split = bytes.len().checked_sub(TAG_BYTES).ok_or(TokenError)?;
        let (body, tag) = bytes.split_at_checked(split).ok_or(TokenError)?;
        // Both sides are hashed once more, so that the time of the comparison tells nothing of the tag.
        let expected = self.tag(caller, body);
        if Sha256::digest(expected) != Sha256::digest(tag) {
            return Err(TokenError);
        }
        let mut rest = body;
        let mut take = |count: usize| {
            let (head, tail) = rest.split_at_checked(count).ok_or(TokenError)?;
            rest = tail;
            Ok::<_, TokenError>(head)
        };
        if take(1)? != [VERSION] {
            return Err(TokenError);
        }
        let run = Uuid::from_slice(take(16)?).map_err(|_| TokenError)?;
        let count = |bytes: &[u8]| bytes.try_into().map(u64::from_be_bytes).map_err(|_| TokenError);
        let position = count(take(8)?)?;
        let grant = take(32)?.try_into().map_err(|_| TokenError)?;
        let [histories, withdrawals, omitted, epoch] =
            [count(take(8)?)?, count(take(8)?)?, count(take(8)?)?, count(take(8)?)?];
        let (scope, is_end) = match take(2)? {
            [changes @ (0 | 1), end @ (0 | 1)] => {
                (if *changes == 1 { Scope::Changes } else { Scope::Whole }, *end == 1)
            }
            _ => return Err(TokenError),
        };
        let digest = take(32)?.try_into().map_err(|_| TokenError)?;
        let mut text = || {
            let length = u32::from_be_bytes(take(4)?.try_into().map_err(|_| TokenError)?) as usize;
            String::from_utf8(take(length)?.to_vec()).map_err(|_| TokenError)
        };
        let (after, office, purpose) = (text()?, text()?, text()?);
        if rest.is_empty() {
            Ok(Token {
                run,
                position,
                after,
                office,
                purpose,
                grant,
                histories,
                withdrawals,
                omitted,
                scope,
                is_end,
                epoch,
                digest,
            })
        } else {
            Err(TokenError)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_opens_for_its_caller_only_and_only_whole() {
        let seal = TokenSeal::new([7; 32]);
        let token = Token {
            run: Uuid::nil(),
            position: 42,
            after: "1001".to_owned(),
            office: "Hartford".to_owned(),
            purpose: String::new(),
            grant: [3; 32],
            histories: 41,
            withdrawals: 1,
            omitted: 0,
            scope: Scope::Changes,
            is_end: false,
            epoch: 7,
            digest: [4; 32],
        };
        let bytes = seal.seal("cssd", &token);
        assert_eq!(seal.open("cssd", &bytes), Ok(token));
        assert_eq!(seal.open("dcf", &bytes), Err(TokenError));
        assert_eq!(TokenSeal::new([8; 32]).open("cssd", &bytes), Err(TokenError));
        for cut in 0..bytes.len() {
            assert_eq!(seal.open("cssd", &bytes[..cut]), Err(TokenError));
        }
        for place in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[place] ^= 1;
            assert_eq!(seal.open("cssd", &changed), Err(TokenError));
        }
    }
}
