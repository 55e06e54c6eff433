//! The API: gRPC over mutual TLS; and, on a listener of its own, the published log by HTTPS GET ([`serve_tiles`]).
//!
//! A transport and nothing more: each method finds out who calls, converts the request, calls one function of a crate below,
//! and converts the answer back. Who a caller is, its certificate says; what it may have, the agreement decides in
//! `disclosure`, in the transaction that records it. No rule lives here, and no caller is known by name.
//!
//! What holds for every method:
//! - TLS 1.3, with a certificate that the client authority signed and that exactly one consumer's agreement names.
//! - Every size, count and wait has a limit in [`Limits`]; a bad or slow peer disturbs nobody else.
//! - Errors are translated in one place, `status`; they carry a reason that programs can read and no personal data.
//!
//! Start with [`serve`], then `history` (the simplest service) and `feed` (the only stream).

mod admission;
mod caller;
mod config;
mod convert;
mod error;
mod feed;
mod health;
mod history;
mod incoming;
mod ledger;
mod lineage;
mod measure;
mod own;
mod replay;
mod review;
mod roster;
mod server;
mod shared;
mod status;
mod summary;
mod tiles;
mod tls;

use std::sync::Arc;

use agreements::{Agreements, System};
use chrono::TimeDelta;
pub use config::{Limits, Server};
pub use error::Error;
use identity::roster::RosterLayout;
use model::{Clock, ConsumerId, Entropy};
pub use server::serve;
pub use tiles::{Tiles, serve_tiles};
pub use tls::Tls;

/// What the services work with.
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
    /// Chance: runs, incidents, disclosure ids and salts.
    pub entropy: Arc<dyn Entropy>,
    /// Who may call, and as what.
    pub consumers: Vec<Consumer>,
    /// Seals the resume tokens of feeds.
    pub tokens: feeds::token::TokenSeal,
    /// The key by which the ledger remembers calls by their ids.
    pub requests: disclosure::RequestKey,
    /// The secret of tombstones, for rosters.
    pub tombstones: intake::TombstoneKey,
    /// The key by which matches are vouched for; none: nobody decides on matches here.
    pub vouch: Option<identity::vouch::VouchKey>,
    /// Makes summaries.
    pub renderer: Arc<::summary::Renderer>,
    /// What seals summaries.
    pub seals: ::summary::sign::Seals,
}

/// A party that may call.
#[derive(Clone, Debug)]
pub struct Consumer {
    /// Its id.
    pub id: ConsumerId,
    /// Its systems, as its agreement's document names them. They tell who calls; whether the agreement in force still names
    /// the system is decided with every disclosure.
    pub systems: Vec<System>,
    /// How its rosters read, if it sends any.
    pub roster: Option<RosterLayout>,
}
