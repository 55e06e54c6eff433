//! Attestations on file, held against their entries in the ledger: whoever attests past the program would empty the list of what is overdue.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use chrono_tz::Tz;
use ledger::{Attested, AttestedDetail, Hash};
use model::{ConsumerId, DisclosureId, Masked};
use pg::{Role, Tx};

use crate::{
    Error,
    audit::Discrepancy,
    store::attested::{self as store, AttestationRow},
};

/// Attestations without an entry that says the same, and entries without their attestation. Leaves the transaction in the role of disclosure.
pub(crate) async fn audit(tx: &mut Tx<'_, '_>, zones: &BTreeMap<ConsumerId, Tz>) -> Result<Vec<Discrepancy>, Error> {
    tx.act_as(Role::Ledger).await?;
    let entries = ledger::list_attestations(tx).await?;
    let mut entries: BTreeMap<DisclosureId, Attested> = entries.into_iter().map(|one| (one.entry, one)).collect();
    let mut found = Vec::new();
    tx.act_as(Role::Disclosure).await?;
    for (consumer, zone) in zones {
        tx.set("consumer", consumer.as_str()).await?;
        for row in store::list_attestations(tx).await? {
            let attestation = DisclosureId(row.attestation_id);
            let entry = entries.remove(&attestation);
            let why = match entry.as_ref().filter(|entry| entry.consumer == consumer.as_str()) {
                None => Some("no entry of the ledger says that it was entered"),
                Some(entry) => differs(&row, entry, *zone),
            };
            found.extend(why.map(|why| Discrepancy::Attested { attestation, why }));
        }
    }
    let is_asked = |one: &Attested| zones.keys().any(|consumer| consumer.as_str() == one.consumer);
    let gone = entries.into_values().filter(is_asked);
    found.extend(gone.map(|one| Discrepancy::Attested { attestation: one.entry, why: "it is not on file any more" }));
    Ok(found)
}

/// What is attested of one client, as its entry commits to it.
pub(crate) struct Statement<'a> {
    pub(crate) person_key: &'a str,
    pub(crate) destroyed_on: NaiveDate,
    pub(crate) method: &'a str,
    pub(crate) attested_by: &'a str,
    pub(crate) reference: &'a str,
    pub(crate) recorded_by: &'a str,
}

impl Statement<'_> {
    /// The code of the day, which the entry's record bears: it stays when the personal part is erased.
    pub(crate) fn day(&self) -> String {
        format!("destroyed_on_{}", self.destroyed_on)
    }

    /// The digest over all of it: each part with its length before it, behind the version of this form.
    pub(crate) fn digest(&self) -> Hash {
        let day = self.destroyed_on.to_string();
        let parts = [self.person_key, &day, self.method, self.attested_by, self.reference, self.recorded_by];
        let said: Vec<String> = parts.iter().map(|part| format!("{}:{part}\n", part.len())).collect();
        Hash::of(format!("throughline attestation/1\n{}", said.concat()).as_bytes())
    }
}

fn differs(row: &AttestationRow, entry: &Attested, zone: Tz) -> Option<&'static str> {
    const DAYS: Option<&str> = Some("its days are not those of its entry");
    let entered_on = entry.at.with_timezone(&zone).date_naive();
    let Some(destroyed_on) = row.destroyed_on.filter(|day| row.recorded_at == Some(entry.at) && *day <= entered_on)
    else {
        return DAYS;
    };
    let stated = Statement {
        person_key: &row.person_key,
        destroyed_on,
        method: &row.method,
        attested_by: &row.attested_by,
        reference: &row.reference,
        recorded_by: &row.recorded_by,
    };
    // Entries of before state neither day nor digest; which ones those are is committed to.
    if entry.day.as_ref().is_some_and(|day| *day != stated.day()) {
        return DAYS;
    }
    // Where the personal part was erased, the entry says no more than that it was entered, when, and of which day.
    let AttestedDetail { attested_by, entered_by, about, digest } = entry.said.as_ref()?;
    let says =
        |said: &Option<Masked<String>>, expected: &str| said.as_ref().is_some_and(|said| said.expose() == expected);
    let is_same = says(attested_by, &row.attested_by)
        && says(entered_by, &format!("entered by {}", row.recorded_by))
        && says(about, &format!("client {}", row.person_key))
        && digest.is_none_or(|digest| digest == stated.digest());
    (!is_same).then_some("it says something else than its entry")
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, Utc};

    use super::*;

    fn at() -> DateTime<Utc> {
        "2026-11-20T15:00:00Z".parse().unwrap()
    }

    fn row() -> AttestationRow {
        AttestationRow {
            attestation_id: uuid::Uuid::nil(),
            person_key: "D7".to_owned(),
            destroyed_on: "2026-11-15".parse().ok(),
            method: "shredded".to_owned(),
            attested_by: "its head".to_owned(),
            reference: "paper 9".to_owned(),
            recorded_by: "ann".to_owned(),
            recorded_at: Some(at()),
        }
    }

    /// The entry of that row, as it was made before days were stated, and as it is made since.
    fn entries() -> [Attested; 2] {
        let words = |text: &str| Some(Masked::new(text.to_owned()));
        let stated = Statement {
            person_key: "D7",
            destroyed_on: "2026-11-15".parse().unwrap(),
            method: "shredded",
            attested_by: "its head",
            reference: "paper 9",
            recorded_by: "ann",
        };
        [(None, None), (Some(stated.day()), Some(stated.digest()))].map(|(day, digest)| Attested {
            entry: DisclosureId(uuid::Uuid::nil()),
            consumer: "dcf".to_owned(),
            at: at(),
            day,
            said: Some(AttestedDetail {
                attested_by: words("its head"),
                entered_by: words("entered by ann"),
                about: words("client D7"),
                digest,
            }),
        })
    }

    #[test]
    fn an_entry_holds_the_day_and_all_that_is_attested_and_one_of_before_still_verifies() {
        type Change = fn(&mut AttestationRow);
        let [before, since] = entries();
        let (days, other) =
            (Some("its days are not those of its entry"), Some("it says something else than its entry"));
        let check = |change: Change, of_before, of_since| {
            let mut row = row();
            change(&mut row);
            assert_eq!(differs(&row, &before, Tz::UTC), of_before, "{:?} {}", row.destroyed_on, row.method);
            assert_eq!(differs(&row, &since, Tz::UTC), of_since, "{:?} {}", row.destroyed_on, row.method);
        };
        check(|_| {}, None, None);
        check(|row| row.destroyed_on = "2026-11-14".parse().ok(), None, days);
        check(|row| row.destroyed_on = "2026-11-21".parse().ok(), days, days);
        check(|row| row.destroyed_on = None, days, days);
        check(|row| row.method = "burnt".to_owned(), None, other);
        check(|row| row.reference = "paper 8".to_owned(), None, other);
        check(|row| row.person_key = "D8".to_owned(), other, other);
        // Of the day something is left when the personal part is erased.
        let mut erased = since.clone();
        erased.said = None;
        let mut changed = row();
        assert_eq!(differs(&changed, &erased, Tz::UTC), None);
        changed.destroyed_on = "2026-11-14".parse().ok();
        assert_eq!(differs(&changed, &erased, Tz::UTC), days);
    }
}
