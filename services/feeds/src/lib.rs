//! Feeds: disclosed histories as files and as the events of a stream.
//!
//! A format sees a [`disclosure::DisclosedHistory`] and a writer, never a database, a clock or an authorization: what it is not
//! given it cannot leak. Files appear whole or not at all, and a manifest counts and hashes them.
//!
//! A consumer's [`Plan`] says in which formats, to whose key and where; [`bundle`] puts a night into one file, [`carry`] takes it to its [`sink`].
//!
//! Start with [`Delivery`] (a folder of files with a manifest), then [`formats`] and [`token`].

pub mod bundle;
mod carry;
mod delivery;
pub mod encrypt;
mod error;
pub mod formats;
mod plan;
mod run;
pub mod sink;
pub mod token;

pub use carry::{Carried, Load, MayLeave, Night, NightManifest, Plaintext, carry};
pub use delivery::{Delivery, FileEntry, MANIFEST, Manifest, PartFile, Remark, WITHDRAWALS};
pub use error::Error;
pub use plan::{Plan, Retry, To};
pub use run::RunDigest;
