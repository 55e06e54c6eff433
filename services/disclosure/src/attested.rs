//! Attestations on file, held against their entries in the ledger: whoever attests past the program would empty the list of what is overdue.

use std::collections::BTreeMap;

use chrono_tz::Tz;
use ledger::{Attested, AttestedDetail};
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

fn differs(row: &AttestationRow, entry: &Attested, zone: Tz) -> Option<&'static str> {
    let entered_on = entry.at.with_timezone(&zone).date_naive();
    if row.recorded_at != Some(entry.at) || row.destroyed_on.is_none_or(|day| day > entered_on) {
        return Some("its days are not those of its entry");
    }
    // Where the personal part was erased, the entry says no more than that it was entered, and when.
    let AttestedDetail { attested_by, entered_by, about } = entry.said.as_ref()?;
    let says =
        |said: &Option<Masked<String>>, expected: &str| said.as_ref().is_some_and(|said| said.expose() == expected);
    let is_same = says(attested_by, &row.attested_by)
        && says(entered_by, &format!("entered by {}", row.recorded_by))
        && says(about, &format!("client {}", row.person_key));
    (!is_same).then_some("it says something else than its entry")
}
