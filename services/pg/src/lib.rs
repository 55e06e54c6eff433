//! The road to Postgres: one server, one pool, one way to run a transaction.
//!
//! Without `database.url` the program brings its own server ([`Cluster`]): a private cluster in the data folder,
//! reachable through a Unix socket only. With it, any PostgreSQL 15 or newer. Either way [`Database::open`] ends at
//! the same place: migrations applied, and a pool whose login (`throughline_app`) may by itself do nothing.
//!
//! Work happens in [`run_tx`]. It names the transaction, says which context's [`Role`] it acts as, retries what the
//! database asks to be retried, and never returns a connection to the pool that still carries a role or a grant.
//! Bulk rows go through [`copy`]; places where the process may die on purpose are named in [`crash`].
//!
//! This crate knows no table of any context, no rule, no student. Of SQL it holds only what `query!` cannot express:
//! COPY, DDL, `SET LOCAL`, and the list of migrations.
//!
//! Start reading at [`Database::open`], then [`run_tx`].

mod backup;
mod bare;
mod cluster;
mod config;
pub mod copy;
pub mod crash;
mod database;
mod error;
mod inspect;
mod lease;
mod measure;
pub mod migrate;
mod pool;
mod purge;
mod role;
#[cfg(test)]
mod testing;
mod tx;

pub use bare::{Bare, BareCopy, BareRows, BareWriter, analyze, fill};
pub use cluster::{Access, Cluster, Environment};
pub use config::{Config, Embedded, Migrate};
pub use database::Database;
pub use error::{Cause, Error, Problem};
pub use inspect::Inspection;
pub use lease::Lease;
pub use measure::observe_pool;
pub use pool::{connect, create_database, drop_database};
pub use purge::Purged;
pub use role::Role;
pub use tx::{Isolation, Transaction, Tx, run_tx, transaction};

/// The pool every context is handed. Only [`run_tx`] takes connections out of it.
pub type Pool = sqlx::PgPool;
