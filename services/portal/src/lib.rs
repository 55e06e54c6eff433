//! The portal: pages for the people of an agency, made on the server.
//!
//! A transport and nothing more: each page finds out who asks, calls one function of a crate below and shows what comes back. Who somebody
//! is, their agency's own issuer says ([`Issuer`]); what they may have, the agreement decides in `disclosure`, in the transaction that records
//! it under their name, before the first byte of the page leaves. No rule lives here, and no agency is known by name. What the SEA's own
//! stewards and auditors look into goes through the other door, each look an access entry; whether they may, their agreement in force says.
//!
//! What holds for every page:
//! - It works without a script, and no script would run: the policy allows a style sheet of ours and nothing else.
//! - Nothing about a student is in an address, a title or a cookie, and nothing is kept by a browser. A student's address is a handle that
//!   means something in one session only (`seal`).
//! - Whoever is signed in holds a secret of which the database knows the hash (`session`); a form without what follows from it is refused.
//!
//! Start with [`serve`], then `pages`; signing in is `oidc` and `pages::sign_in`.

mod config;
mod erase;
mod error;
mod look;
mod oidc;
mod pages;
mod person;
mod report;
mod seal;
mod server;
mod session;
mod store;
mod visit;
mod witness;
mod words;

use std::{path::PathBuf, sync::Arc};

use agreements::Agreements;
use chrono::TimeDelta;
use chrono_tz::Tz;
pub use config::{ClaimNames, Config, Issuer, Limits, RoleMapping, Witness};
pub use erase::erase;
pub use error::Error;
use model::{Clock, ConsumerId, Entropy, Masked, Sea};
pub use oidc::sandbox::{Persona, Sandbox};
pub use server::{Listening, serve};

/// What the pages work with.
#[derive(Clone)]
pub struct Deps {
    /// The database.
    pub pool: pg::Pool,
    /// The agreements, as far as registered stewards vouch for them.
    pub agreements: Arc<Agreements>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// How far the clock, or the database's, may stand behind the last entry before nothing is disclosed, as while the two are apart; none: as far as they like.
    pub clock_behind_max: Option<TimeDelta>,
    /// Chance: sessions, disclosure ids and salts.
    pub entropy: Arc<dyn Entropy>,
    /// The parties whose people may sign in.
    pub consumers: Vec<Consumer>,
    /// Makes documents.
    pub renderer: Arc<summary::Renderer>,
    /// What seals documents.
    pub seals: summary::sign::Seals,
    /// The key by which the program vouches for matches that a steward decides on.
    pub vouch: Option<identity::vouch::VouchKey>,
    /// Whom the log's checkpoints are believed.
    pub log_keys: Vec<ledger::VerifierKey>,
    /// The folder of the SEA's own reports on nights, by consumer; none: pages show none.
    pub reports: Option<PathBuf>,
    /// Seals what browsers keep while somebody signs in.
    pub secret: [u8; 32],
    /// Who says who somebody is.
    pub sign_in: SignIn,
}

/// Who says who somebody is.
#[derive(Clone)]
pub enum SignIn {
    /// The issuer of the configuration.
    Issuer {
        /// The portal's secret there.
        client_secret: Option<Masked<String>>,
        /// The authorities that vouch for its certificate, PEM; absent: those that browsers trust.
        authorities: Option<Vec<u8>>,
    },
    /// The sandbox's own: whoever opens the portal chooses.
    Sandbox(Arc<Sandbox>),
}

/// A party whose people may sign in.
#[derive(Clone, Debug)]
pub struct Consumer {
    /// Its id.
    pub id: ConsumerId,
    /// Its name, as its agreement has it.
    pub name: String,
    /// The zone that its days are meant in.
    pub zone: Tz,
    /// Whether it sends rosters: its people have clients.
    pub has_roster: bool,
    /// Whether it is the SEA's own: its stewards and auditors look after the exchange.
    pub is_own: bool,
    /// Of whose reports of placements its people are told.
    pub told_by: Vec<Placing>,
}

/// Who reports that students were placed in facilities.
#[derive(Clone, Debug)]
pub struct Placing {
    /// The reporter.
    pub consumer: ConsumerId,
    /// The state whose districts are told.
    pub sea: Sea,
    /// The zone of the days that notices name.
    pub zone: Tz,
}
