//! Acts of the SEA's own people, and of the program, that open, close or change what may be disclosed: each is an entry, written in the transaction of the act.

use agreements::{Act, Digest};
use ledger::Kind;
use model::Masked;
use pg::{Role, Tx};

use crate::{Ask, Context, Error, decided::set_moment, entry};

/// Which act; the code that its entry bears.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deed {
    /// A request that two stewards approved was used up.
    UseRequest,
    /// Records that an order had opened were closed before their time.
    Close,
    /// An agreement was stopped.
    Suspend,
    /// The log's signing key was changed.
    RotateKey,
    /// The head of the control journal was taken note of.
    JournalHead,
    /// Disclosures go on after a restore: what is missing of the ledger is named.
    Unseal,
}

impl Deed {
    /// The code.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::UseRequest => "request_used",
            Self::Close => "opening_closed",
            Self::Suspend => "agreement_suspended",
            Self::RotateKey => "log_key_changed",
            Self::JournalHead => "control_journal",
            Self::Unseal => "unsealed",
        }
    }
}

/// What an entry of an act says.
#[derive(Clone, Debug)]
pub struct Done {
    /// Which act.
    pub deed: Deed,
    /// What it was done to: a digest, a name of ours. Never a client's.
    pub to: String,
    /// Why, in the words of whoever did it.
    pub why: Option<String>,
    /// How many it covers, and their digest, where it covers several.
    pub covers: Option<(u64, [u8; 32])>,
}

impl Done {
    /// An act that was done to one thing, and needs no reason.
    pub fn new(deed: Deed, to: String) -> Self {
        Self { deed, to, why: None, covers: None }
    }
}

/// How entries name a request.
pub fn named(act: Act, request: Digest) -> String {
    match act {
        Act::Export => format!("export request {request}"),
        Act::Activate
        | Act::RecordInstrument
        | Act::OverrideMatch
        | Act::Erase
        | Act::Join
        | Act::Certify
        | Act::Unseal => format!("{act} {request}"),
    }
}

/// Enters an act in the caller's transaction. The ask is the SEA's own, of whoever did it. Leaves the transaction in the ledger's role.
pub async fn record_act(tx: &mut Tx<'_, '_>, context: Context<'_>, own: &Ask<'_>, done: &Done) -> Result<(), Error> {
    let at = set_moment(tx, context, own, Role::Agreements).await?;
    // Agreements that do not verify keep nobody from entering that they were stopped.
    let in_force = match context.agreements.load_active(tx, own.consumer, at).await {
        Ok(in_force) => in_force,
        Err(agreements::Error::Corrupt(_)) => None,
        Err(error) => return Err(error.into()),
    };
    let terms = entry::terms_of_ask(own.consumer, in_force.as_deref())?;
    let mut entry = entry::act(own, Kind::Act, terms, at, context.entropy);
    entry.reason = Some(done.deed.as_str().to_owned());
    let why = done.why.as_ref().map_or_else(String::new, |why| format!(": {why}"));
    entry.detail.authority = Some(Masked::new(format!("{}{why}", done.to)));
    entry.count = done.covers.map(|(count, _)| count);
    entry.detail.digest = done.covers.map(|(_, digest)| ledger::Hash(digest));
    tx.act_as(Role::Ledger).await?;
    Ok(ledger::record_one(tx, &entry).await?)
}
