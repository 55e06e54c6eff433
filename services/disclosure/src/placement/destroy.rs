//! What tells a district about a notice that it holds, and about nobody: to destroy it.

use std::sync::Arc;

use agreements::{InForce, Terms};
use chrono::{DateTime, Utc};
use ledger::Kind;
use model::Masked;
use pg::{Role, Tx};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::{DisclosedNotice, EncodeNotice, NOTICES_MAX, PlacementEvent, PlacementNotice};
use crate::{Ask, Context, Error, entry, store::placement as notices};

/// The reason that the entry of such a notice bears: nobody is named in it.
const REASON: &str = "placement_notice_erased";

/// What the recipient is to do, in the words of the agreement.
pub(super) fn text(terms: &Terms) -> String {
    let how = &terms.retention.destruction;
    format!(
        "The notice named here is to be destroyed, with all that was made of it: {how}. Of whom it was is not said again."
    )
}

impl PlacementNotice {
    /// A notice that is about an earlier one alone.
    pub(super) fn about(
        id: Uuid,
        office: &str,
        (event, retracts): (PlacementEvent, Option<Uuid>),
        made_at: DateTime<Utc>,
        text: String,
    ) -> Self {
        Self {
            id,
            office: office.to_owned(),
            state_id: None,
            event,
            event_date: None,
            facility: None,
            educating_unit: None,
            retracts,
            made_at,
            text,
        }
    }
}

/// Tells districts to destroy what they were told of somebody who has been erased, and whether there is more than one transaction tells. Each is an act in the
/// ledger, which names the notice and nobody.
pub(super) async fn disclose(
    tx: &mut Tx<'_, '_>,
    (context, ask): (Context<'_>, &Ask<'_>),
    in_force: &Arc<InForce>,
    at: DateTime<Utc>,
    encode: &EncodeNotice<'_>,
) -> Result<(Vec<DisclosedNotice>, bool), Error> {
    let limit = i64::try_from(NOTICES_MAX).unwrap_or(i64::MAX).saturating_add(1);
    let mut queued = notices::list_destructions(tx, ask.consumer, ask.office, limit).await?;
    let is_cut = queued.len() > NOTICES_MAX;
    queued.truncate(NOTICES_MAX);
    if queued.is_empty() {
        return Ok((Vec::new(), false));
    }
    let terms = entry::terms_of_ask(ask.consumer, Some(in_force))?;
    let (mut disclosed, mut entries) = (Vec::new(), Vec::new());
    for (one, since) in &queued {
        let what = (PlacementEvent::Destroy, Some(one.destroys));
        let notice = PlacementNotice::about(one.id, &one.office, what, *since, text(in_force.terms()));
        let bytes: Arc<[u8]> = encode(&notice).into();
        let (id, digest) = (model::disclosure_id(context.entropy), Sha256::digest(&bytes).into());
        let mut entry = entry::run(ask, Kind::Act, Arc::clone(&terms), id, (1, digest), at, context.entropy);
        entry.reason = Some(REASON.to_owned());
        entry.detail.authority = Some(Masked::new(format!("notice {} to district {}", one.destroys, one.office)));
        entries.push(entry);
        disclosed.push(DisclosedNotice { disclosure: id, notice, bytes });
    }
    let ids: Vec<Uuid> = queued.iter().map(|(one, _)| one.id).collect();
    notices::record_destructions(tx, ask.consumer, &ids, at).await?;
    tx.act_as(Role::Ledger).await?;
    ledger::record_chunk(tx, &entries).await?;
    tx.act_as(Role::Disclosure).await?;
    Ok((disclosed, is_cut))
}
