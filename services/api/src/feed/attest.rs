//! What a recipient attests: that it has destroyed what it was sent.

use std::collections::{BTreeMap, BTreeSet};

use agreements::Delivery;
use disclosure::{Ask, Repeat, RequestMark, retention};
use proto::feed::v1::{AttestDestructionRequest, AttestDestructionResponse, Attestation};
use uuid::Uuid;

use crate::{caller::Caller, convert, shared::Shared, status::Failure};

/// Notices and clients of one call.
const CLIENTS_MAX: usize = 200;

/// Enters it. Who never receives anything has nothing to attest. Whether an agreement is in force is not asked, what it disclosed is destroyed after its end too;
/// but one that is says who speaks for the party.
pub(super) async fn attest(
    shared: &Shared,
    (caller, mark): (&Caller, Option<RequestMark>),
    request: &AttestDestructionRequest,
) -> Result<AttestDestructionResponse, Failure> {
    if request.withdrawal_ids.len() + request.person_ids.len() > CLIENTS_MAX {
        return Err(Failure::Invalid { field: "withdrawal_ids", what: "at most 200 notices and clients at once" });
    }
    shared.ensure_not_dropped(caller).await?;
    let ask = Ask {
        consumer: caller.id(),
        actor: caller.actor(),
        purpose: None,
        delivery: Delivery::Unary,
        office: None,
        as_of: None,
        asker: caller.asker(None),
        run: None,
        repeat: Repeat::Always,
        request: mark,
    };
    let stated = |field: &'static str, text: &str| {
        let text = convert::name(field, text)?.filter(|text| !text.trim().is_empty());
        text.map(str::to_owned).ok_or(Failure::Invalid { field, what: "stated: an attestation without it is none" })
    };
    let clients = clients(shared, &ask, request).await?;
    if clients.is_empty() {
        return Err(Failure::Invalid {
            field: "withdrawal_ids",
            what: "a notice, or a client, whose records were destroyed",
        });
    }
    let attestation = retention::Attestation {
        person_keys: clients.iter().map(|(_, person)| person.clone()).collect(),
        destroyed_on: convert::day("destroyed_date", request.destroyed_date)?,
        method: stated("method", &request.method)?,
        attested_by: stated("attested_by", &request.attested_by)?,
        reference: stated("reference", &request.reference)?,
        recorded_by: ask.asker.system.clone().unwrap_or_default(),
    };
    let entered = retention::attest(shared.disclosure(), &ask, &attestation).await.map_err(|error| match error {
        disclosure::Error::Invalid(what) => Failure::Invalid { field: "destroyed_date", what },
        other => other.into(),
    })?;
    let attestations = clients.into_iter().zip(entered).map(|((withdrawal_id, person_id), entry)| Attestation {
        person_id,
        withdrawal_id: withdrawal_id.map(|id| id.to_string()).unwrap_or_default(),
        attestation_id: entry.to_string(),
    });
    Ok(AttestDestructionResponse { attestations: attestations.collect() })
}

/// The clients: of the notices, then those named, each once. Another's notice and none at all are one answer; whether a client is known is not asked.
async fn clients(
    shared: &Shared,
    ask: &Ask<'_>,
    request: &AttestDestructionRequest,
) -> Result<Vec<(Option<Uuid>, String)>, Failure> {
    const NOTICE: Failure = Failure::Invalid { field: "withdrawal_ids", what: "ids of notices" };
    let ids = request.withdrawal_ids.iter().map(|id| convert::uuid("withdrawal_ids", id)?.ok_or(NOTICE));
    let ids: Vec<Uuid> = ids.collect::<Result<_, _>>()?;
    let found = retention::list_noticed(shared.disclosure(), ask, &ids).await?;
    let found: BTreeMap<Uuid, String> = found.into_iter().map(|(id, person)| (id, person.into_exposed())).collect();
    let (mut clients, mut named) = (Vec::new(), BTreeSet::new());
    for id in ids {
        let person = found.get(&id).ok_or(Failure::Withheld)?;
        if named.insert(person.clone()) {
            clients.push((Some(id), person.clone()));
        }
    }
    for id in &request.person_ids {
        const CLIENT: Failure =
            Failure::Invalid { field: "person_ids", what: "the caller's own person ids of clients" };
        let person = convert::person("person_ids", id)?.ok_or(CLIENT)?.into_exposed();
        if named.insert(person.clone()) {
            clients.push((None, person));
        }
    }
    Ok(clients)
}
