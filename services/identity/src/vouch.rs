//! Matches and moves of the crosswalk that the program itself decided bear a keyed hash over what they say, written in the transaction that decided them.
//! Whoever can write to the database can add a row or change one, and has not the key: the audit names it.

use std::fmt::{self, Write as _};

use chrono::{DateTime, Utc};
use hmac::{Hmac, Mac as _};
use sha2::Sha256;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{Error, store::vouch as store};

/// How many matches are read at once.
const PAGE: i64 = 8_192;

/// The secret of the keyed hashes.
#[derive(Clone)]
pub struct VouchKey([u8; 32]);

impl VouchKey {
    /// A key from 32 secret bytes.
    pub const fn new(secret: [u8; 32]) -> Self {
        Self(secret)
    }

    fn over(&self, statement: &str) -> Vec<u8> {
        // Cannot fail: the method takes keys of any length.
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&self.0) else { return Vec::new() };
        mac.update(statement.as_bytes());
        mac.finalize().into_bytes().to_vec()
    }

    fn is_over(&self, statement: &str, said: Option<&[u8]>) -> bool {
        let (Some(said), Ok(mut mac)) = (said, Hmac::<Sha256>::new_from_slice(&self.0)) else { return false };
        mac.update(statement.as_bytes());
        mac.verify_slice(said).is_ok()
    }
}

impl fmt::Debug for VouchKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("VouchKey(***)")
    }
}

/// A current match with all that releases by it.
pub(crate) struct MatchRow {
    pub(crate) decision: i64,
    pub(crate) client: i64,
    pub(crate) consumer: String,
    pub(crate) person_key: String,
    pub(crate) source_person: Option<i64>,
    pub(crate) student: Option<Uuid>,
    pub(crate) details_hash: Vec<u8>,
    pub(crate) decided_by: String,
    pub(crate) decided_at: DateTime<Utc>,
    pub(crate) override_id: Option<Uuid>,
    pub(crate) bulk: Option<i64>,
    pub(crate) found_again_hash: Option<Vec<u8>>,
    pub(crate) vouched: Option<Vec<u8>>,
    pub(crate) found_vouched: Option<Vec<u8>>,
}

impl MatchRow {
    /// What it says: each part with its length before it, so that no two rows say the same otherwise.
    fn statement(&self) -> String {
        let text = |text: &str| format!("{}:{text}", text.len());
        let number = |number: Option<i64>| text(&number.map(|number| number.to_string()).unwrap_or_default());
        let uuid = |id: Option<Uuid>| text(&id.map(|id| id.to_string()).unwrap_or_default());
        [
            "throughline match/1".to_owned(),
            number(Some(self.decision)),
            number(Some(self.client)),
            text(&self.consumer),
            text(&self.person_key),
            number(self.source_person),
            uuid(self.student),
            text(&digits(&self.details_hash)),
            text(&self.decided_by),
            number(Some(self.decided_at.timestamp_micros())),
            uuid(self.override_id),
            number(self.bulk),
        ]
        .join("\n")
    }

    /// The same with the later details under which it was found again.
    fn statement_again(&self) -> Option<String> {
        let again = self.found_again_hash.as_ref()?;
        Some(format!("{}\nfound again\n{}", self.statement(), digits(again)))
    }
}

/// A move of the crosswalk.
pub(crate) struct MoveRow {
    pub(crate) id: i64,
    pub(crate) kind: String,
    pub(crate) from: Uuid,
    pub(crate) to: Uuid,
    pub(crate) persons: Vec<i64>,
    pub(crate) decided_by: String,
    pub(crate) moved_at: DateTime<Utc>,
    pub(crate) undoes: Option<i64>,
    pub(crate) vouched: Option<Vec<u8>>,
}

impl MoveRow {
    fn statement(&self) -> String {
        let Self { id, kind, from, to, persons, decided_by, moved_at, undoes, .. } = self;
        let at = moved_at.timestamp_micros();
        format!(
            "throughline move/1\n{id}\n{kind}\n{from}\n{to}\n{persons:?}\n{}:{decided_by}\n{at}\n{undoes:?}",
            decided_by.len()
        )
    }
}

fn digits(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        // Cannot fail: writing to memory does not.
        let _written = write!(text, "{byte:02x}");
        text
    })
}

/// Which rows are vouched for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// Those that this very transaction wrote. Call it last in every transaction that may have matched clients or moved persons.
    Own,
    /// All: once, when the key is new.
    All,
}

/// Vouches for matches and moves. Says for how many.
pub async fn vouch(conn: &mut PgConnection, key: &VouchKey, which: Which) -> Result<u64, Error> {
    let all = which == Which::All;
    let mut count = 0;
    let mut after = 0;
    loop {
        let rows = store::list_to_vouch(conn, all, after, PAGE).await?;
        let Some(last) = rows.last() else { break };
        after = last.decision;
        let ids: Vec<i64> = rows.iter().map(|row| row.decision).collect();
        // What was vouched for stays as it is: what was altered meanwhile is not made good.
        let own: Vec<Vec<u8>> = rows
            .iter()
            .map(|row| match &row.vouched {
                Some(before) if !all => before.clone(),
                _ => key.over(&row.statement()),
            })
            .collect();
        let again: Vec<Option<Vec<u8>>> =
            rows.iter().map(|row| row.statement_again().map(|statement| key.over(&statement))).collect();
        count += store::set_vouched(conn, &ids, &own, &again).await?;
    }
    let moves = store::list_moves_to_vouch(conn, all).await?;
    let ids: Vec<i64> = moves.iter().map(|row| row.id).collect();
    let over: Vec<Vec<u8>> = moves.iter().map(|row| key.over(&row.statement())).collect();
    count += store::set_moves_vouched(conn, &ids, &over).await?;
    Ok(count)
}

/// Something on file that the program did not decide.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Forged {
    /// A match that releases, or the details it was found again under.
    Match {
        /// Its number.
        decision: i64,
        /// Whose client it is.
        consumer: String,
    },
    /// A match with a student whose the matched source person is not.
    MatchOfAnother {
        /// Its number.
        decision: i64,
        /// Whose client it is.
        consumer: String,
    },
    /// A move of the crosswalk.
    Move(i64),
    /// A source person who is of a student to whom no load and no move brought them.
    Place(i64),
}

impl fmt::Display for Forged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Match { decision, consumer } => {
                write!(f, "match {decision} of {consumer} was altered: it is not as the program decided it")
            }
            Self::MatchOfAnother { decision, consumer } => {
                write!(f, "match {decision} of {consumer} was altered: whom it names is of another student")
            }
            Self::Move(id) => write!(f, "move {id} of the crosswalk was altered: it is not as the program made it"),
            Self::Place(person) => {
                write!(f, "the crosswalk of source person {person} was altered: no load and no move brought them there")
            }
        }
    }
}

/// Whatever of matches and crosswalk the program did not decide, at most about `limit`.
pub async fn audit(conn: &mut PgConnection, key: &VouchKey, limit: u32) -> Result<Vec<Forged>, sqlx::Error> {
    let mut found = Vec::new();
    for row in store::list_moves(conn).await? {
        if !key.is_over(&row.statement(), row.vouched.as_deref()) {
            found.push(Forged::Move(row.id));
        }
    }
    found.extend(store::list_misplaced(conn, i64::from(limit)).await?.into_iter().map(Forged::Place));
    for (decision, consumer) in store::list_matches_of_others(conn, i64::from(limit)).await? {
        found.push(Forged::MatchOfAnother { decision, consumer });
    }
    let mut after = 0;
    while found.len() < limit as usize {
        let page = store::list_matches(conn, after, PAGE).await?;
        let Some(last) = page.last() else { break };
        after = last.decision;
        for row in page {
            let is_own = key.is_over(&row.statement(), row.vouched.as_deref());
            let is_again =
                row.statement_again().is_none_or(|statement| key.is_over(&statement, row.found_vouched.as_deref()));
            if !(is_own && is_again) {
                found.push(Forged::Match { decision: row.decision, consumer: row.consumer });
            }
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_changes_with_every_part_and_needs_the_key() {
        let row = || MatchRow {
            decision: 1,
            client: 2,
            consumer: "dcf".to_owned(),
            person_key: "D7".to_owned(),
            source_person: Some(3),
            student: Some(Uuid::from_u128(4)),
            details_hash: vec![5],
            decided_by: "engine/1".to_owned(),
            decided_at: DateTime::UNIX_EPOCH,
            override_id: None,
            bulk: None,
            found_again_hash: None,
            vouched: None,
            found_vouched: None,
        };
        let key = VouchKey::new([1; 32]);
        let vouched = key.over(&row().statement());
        assert!(key.is_over(&row().statement(), Some(&vouched)));
        assert!(!VouchKey::new([2; 32]).is_over(&row().statement(), Some(&vouched)));
        assert!(!key.is_over(&row().statement(), None));
        let changes: [fn(&mut MatchRow); 8] = [
            |row| row.decision = 9,
            |row| row.client = 9,
            |row| row.person_key = "D8".to_owned(),
            |row| row.source_person = Some(9),
            |row| row.student = Some(Uuid::from_u128(9)),
            |row| row.details_hash = vec![9],
            |row| row.decided_by = "engine/2".to_owned(),
            |row| row.bulk = Some(9),
        ];
        for change in changes {
            let mut changed = row();
            change(&mut changed);
            assert!(!key.is_over(&changed.statement(), Some(&vouched)));
        }
        assert_eq!(format!("{key:?}"), "VouchKey(***)");
    }
}
