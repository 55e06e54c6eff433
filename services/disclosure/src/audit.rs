//! Holding what lies beside the ledger against what was signed, what it is derived from, and the ledger: where the contexts meet, and a
//! superuser who changes one of them contradicts another.

use std::{collections::BTreeMap, fmt, time::Duration};

use agreements::{Altered, Digest, Unused};
use chrono_tz::Tz;
use identity::{audit::Difference, vouch::Forged};
use model::{ConsumerId, DisclosureId};
use pg::Role;

use crate::{
    Context, Error,
    act::{self, Deed},
    attested,
};

/// How many differences of the population are named.
const DIFFERENCES_MAX: u32 = 200;

/// Everything on file is read.
const STATEMENT_TIMEOUT: Duration = Duration::from_mins(10);

/// Something beside the ledger that was changed past the program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Discrepancy {
    /// An agreement, activation, paper or request is not what was signed.
    OnFile(Altered),
    /// An interval of authority does not follow from what is on file.
    Population(Difference),
    /// A match, or a place in the crosswalk, is not as the program decided it.
    Identity(Forged),
    /// A request is on file as unused, and something was done on it.
    Used {
        /// The request.
        request: Digest,
        /// The entry that rests on it.
        entry: DisclosureId,
    },
    /// A recipient's attestation is not what the ledger says was entered.
    Attested {
        /// Its id, and its entry's.
        attestation: DisclosureId,
        /// What does not fit.
        why: &'static str,
    },
    /// Something that was stopped or closed is on file as if it had not been.
    Reopened {
        /// An agreement, or a paper by its digest.
        what: String,
        /// The entry of the act that ended it.
        entry: DisclosureId,
    },
}

impl fmt::Display for Discrepancy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OnFile(altered) => altered.fmt(f),
            Self::Population(difference) => difference.fmt(f),
            Self::Identity(forged) => forged.fmt(f),
            Self::Attested { attestation, why } => write!(f, "attestation {attestation} was altered: {why}"),
            Self::Reopened { what, entry } => {
                write!(f, "{what} was altered: entry {entry} ended it, and it is on file as if it had not")
            }
            Self::Used { request, entry } => {
                write!(f, "request {request} was altered: it is on file as unused, and entry {entry} rests on it")
            }
        }
    }
}

/// Whatever beside the ledger contradicts what was signed, what it is derived from, or the ledger. `zones` are those of the consumers' days.
pub async fn audit(context: Context<'_>, zones: &BTreeMap<ConsumerId, Tz>) -> Result<Vec<Discrepancy>, Error> {
    pg::transaction("disclosure.audit", Role::Agreements)
        .statement_timeout(STATEMENT_TIMEOUT)
        .run(context.pool, |tx| {
            Box::pin(async move {
                let agreements = context.agreements.audit(tx).await?;
                let mut found: Vec<Discrepancy> = agreements.altered.into_iter().map(Discrepancy::OnFile).collect();
                tx.act_as(Role::Identity).await?;
                let population = identity::audit::audit(tx, zones, DIFFERENCES_MAX).await?;
                found.extend(population.into_iter().map(Discrepancy::Population));
                if let Some(key) = context.vouch {
                    let forged = identity::vouch::audit(tx, key, DIFFERENCES_MAX).await?;
                    found.extend(forged.into_iter().map(Discrepancy::Identity));
                }
                tx.act_as(Role::Ledger).await?;
                let named: BTreeMap<String, Digest> = agreements
                    .unused
                    .iter()
                    .map(|Unused { digest, act }| (act::named(*act, *digest), *digest))
                    .collect();
                let names: Vec<String> = named.keys().cloned().collect();
                for (entry, name) in ledger::list_uses(tx, &names).await? {
                    found.extend(named.get(&name).map(|request| Discrepancy::Used { request: *request, entry }));
                }
                for (deed, name) in [(Deed::Suspend, SUSPENDED), (Deed::Close, CLOSED)] {
                    for ended in ledger::list_acts(tx, deed.as_str()).await? {
                        // What was done to, then why.
                        let what = ended.to.split_once(": ").map_or(ended.to.as_str(), |(what, _)| what);
                        let what = what.strip_prefix(name).unwrap_or(what);
                        let stands = match deed {
                            Deed::Suspend => {
                                agreements.standing.iter().any(|(id, since)| id == what && *since <= ended.at)
                            }
                            _ => agreements.open.iter().any(|digest| digest.to_string() == what),
                        };
                        if stands {
                            found.push(Discrepancy::Reopened { what: format!("{name}{what}"), entry: ended.entry });
                        }
                    }
                }
                found.extend(attested::audit(tx, zones).await?);
                Ok::<_, Error>(found)
            })
        })
        .await
}

/// How acts name an agreement.
const SUSPENDED: &str = "agreement ";
/// How acts name a paper.
const CLOSED: &str = "instrument.record ";
