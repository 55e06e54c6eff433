//! Feeds: disclosed histories as files and as the events of a stream.
//!
//! A format sees a [`disclosure::DisclosedHistory`] and a writer, never a database, a clock or an authorization: what it is not
//! given it cannot leak. Files appear whole or not at all, and a manifest counts and hashes them.
//!
//! Start with [`Delivery`] (a folder of files with a manifest), then [`formats`] and [`token`].

mod delivery;
mod error;
pub mod formats;
mod run;
pub mod token;

pub use delivery::{Delivery, FileEntry, MANIFEST, Manifest, PartFile, Remark, WITHDRAWALS};
pub use error::Error;
pub use run::RunDigest;
