//! The way out. Decide, read what the agreement permits, assemble, record in the ledger, and only then hand over.
//!
//! Three promises are kept here and nowhere else:
//! 1. No record, no byte: the entry with the digest of what is sent commits before the content is returned.
//! 2. The agreement is the query: one static statement joins population, terms and facts at one moment; what it gives is held
//!    against the decision once more, and a difference discloses nothing.
//! 3. Nothing downstream can put anything back: a [`DisclosedHistory`] can be made in this crate only.
//!
//! Start with [`disclose_one`] (a call, a document) and [`disclose_chunk`] (a stream, a file); what needs something from outside first is [`prepare`]d. A file belongs to a run that
//! [`begin_file_run`] began. The SEA's own people go through [`record_access`], whose [`Access`] opens [`access_chunk`];
//! their questions about decisions are [`explain`] and [`rehearse`], and [`trace`] leads back to the bytes of a file, each an
//! access entry of its own, as is each asking for a record of disclosures ([`record_asking`]); who decides on doubtful matches goes through [`review`]. What was disclosed on a match that proved
//! wrong is queued to be called back by [`recall`]; what is left of a student who is erased goes by [`mod@erase`], and what a
//! ledger entry says of a person, when its time is over, by [`erase_older_details`]. A
//! receiver that may not hold something any longer is sent a [`Withdrawn`] notice; when recipients must destroy what they hold says [`retention`].
//!
//! Whoever may be told that a student was placed in a facility is told by [`disclose_notices`].
//!
//! Acts that open or close something are entered by [`record_act`]; whether anybody changed rows past the program says
//! [`audit()`]; while a database that was set back has not caught up, nobody is disclosed anything: [`seal`].

mod access;
mod acknowledge;
mod act;
mod asked;
mod assemble;
mod attested;
mod audit;
mod awaited;
mod caseload;
mod chunk;
mod clock;
mod decided;
mod disclosed;
mod entry;
pub mod erase;
mod error;
mod expire;
mod file_run;
mod grid;
mod inspect;
mod one;
mod placement;
mod prepare;
pub mod recall;
mod recording;
mod rehearse;
pub mod retention;
pub mod review;
mod scope;
pub mod seal;
mod standing;
mod store;
mod touched;
mod trace;
mod under_order;
mod until;
mod withdraw;

use std::sync::Arc;

pub use access::{ACCESS_CHUNK_MAX, Access, Selects, access_chunk, list_students, record_access, select_students};
pub use acknowledge::{Stored, acknowledge, is_last_run};
pub use act::{Deed, Done, named, record_act};
use agreements::{Actor, Agreements, Delivery};
pub use asked::{School, list_students_of, record_asking, record_opening};
pub use audit::{Discrepancy, audit};
pub use caseload::{CASELOAD_MAX, Caseload, list_caseload};
use chrono::{DateTime, TimeDelta, Utc};
pub use chunk::{
    Delivered, Item, Member, RunTotals, complete_run, confirm_delivered, disclose_chunk, disclose_prepared,
    list_delivered, list_population, list_rostered,
};
/// Whether a clock has stepped back.
pub use clock::is_behind as clock_is_behind;
pub use disclosed::DisclosedHistory;
pub use entry::ensure_new;
pub use error::Error;
pub use expire::{Expired, erase_older_details, forget_requests};
pub use file_run::{Occasion, approve, begin_file_run};
pub use grid::on_the_grid;
use identity::vouch::VouchKey;
pub use inspect::{About, Explained, explain, record_release};
/// A call by the id that its caller gave it, and what it is remembered by.
pub use ledger::{RequestKey, RequestMark};
use model::{Clock, ConsumerId, Entropy, Masked};
pub use one::{disclose_one, disclose_one_prepared};
pub use placement::{
    DisclosedNotice, EncodeNotice, EndedStay, Gap, Loop, NOTICES_MAX, Notices, PlacementEvent, PlacementNotice,
    PlacementsEnded, PlacementsKept, Reporter, Unshown, confirm_notices, disclose_notices, end_placements, list_ended,
    list_unshown,
};
pub use prepare::{Prepared, Question, prepare};
pub use recording::recording_time;
/// Read once for many disclosures, by whoever wires them.
pub use reference::OrganizationCache;
pub use rehearse::{Change, Rehearsal, rehearse};
pub use scope::{Scope, scope};
pub use standing::{may_still_leave, refuse_run};
pub use trace::{Find, KeptFile, Trace, TracedFact, TracedFile, trace};
pub use under_order::WHERE_A_STUDENT_LIVES;
use uuid::Uuid;
pub use withdraw::{Withdrawn, confirm_files, list_due};

/// What a disclosure needs from outside.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    /// The database.
    pub pool: &'a pg::Pool,
    /// The agreements, as far as registered stewards vouch for them.
    pub agreements: &'a Agreements,
    /// The organizations as they were read last.
    pub organizations: &'a OrganizationCache,
    /// The time.
    pub clock: &'a dyn Clock,
    /// Chance: disclosure ids and salts.
    pub entropy: &'a dyn Entropy,
    /// The key by which the program vouches for matches; none where nothing is decided.
    pub vouch: Option<&'a VouchKey>,
    /// How far the clock, or the database's, may stand behind the last entry before nothing is disclosed, as while the two are more than 2 s apart; none: both as far
    /// as they like, for the nights of an invented state begin anew.
    pub clock_behind_max: Option<TimeDelta>,
}

/// What is asked, whoever it is about.
#[derive(Clone, Debug)]
pub struct Ask<'a> {
    /// The party on whose certificate, session or schedule it is asked.
    pub consumer: &'a ConsumerId,
    /// Who there.
    pub actor: Actor<'a>,
    /// For what, by the purpose's id; `None`: the agreement's first.
    pub purpose: Option<&'a str>,
    /// How it will leave.
    pub delivery: Delivery,
    /// The one office it is for, if it is for one.
    pub office: Option<&'a str>,
    /// What was known then; `None`: now. Restrictions and authority are today's in any case.
    pub as_of: Option<DateTime<Utc>>,
    /// The person or system that asks, for the record.
    pub asker: Asker,
    /// The run it belongs to.
    pub run: Option<Uuid>,
    /// Whether what the recipient holds already is disclosed again.
    pub repeat: Repeat,
    /// The call that it is, where its caller gave it an id: it is answered once. See [`Error::Answered`].
    pub request: Option<RequestMark>,
}

/// Whether what the recipient holds already is disclosed again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Repeat {
    /// Yes: a call, a whole file.
    #[default]
    Always,
    /// Only content that differs from what was delivered last by this kind of delivery.
    WhenChanged,
}

/// Who asks, as the record of disclosures names them.
#[derive(Clone, Debug, Default)]
pub struct Asker {
    /// The person, as the requesting party names them.
    pub person: Option<Masked<String>>,
    /// The system, by its certificate.
    pub system: Option<String>,
    /// On whose behalf.
    pub on_behalf_of: Option<Masked<String>>,
}

/// Turns a disclosed history into exactly the bytes that leave.
pub type Encode<'a> = dyn Fn(&DisclosedHistory) -> Result<Vec<u8>, Unencoded> + Sync + 'a;

/// Why a history did not become bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unencoded {
    /// It is greater than the way it would leave by can carry: it alone is left out.
    TooLarge {
        /// What it measures.
        bytes: u64,
        /// What can be carried.
        bytes_max: u64,
    },
    /// It could not be encoded: everything of its chunk is kept back.
    Failed(String),
}

impl From<String> for Unencoded {
    fn from(why: String) -> Self {
        Self::Failed(why)
    }
}

/// A disclosure that is recorded and may leave.
#[derive(Clone, Debug)]
pub struct Disclosed {
    /// The content.
    pub history: DisclosedHistory,
    /// The bytes whose digest the ledger holds.
    pub bytes: Arc<[u8]>,
}
