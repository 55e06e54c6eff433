//! COPY in PostgreSQL's binary format: the fast way in for many rows.
//!
//! [`Rows`] encodes, without a connection and without waiting, so that it can be filled on a blocking thread;
//! [`Writer`] sends. Both are bounded: a `Rows` says when it [`Rows::is_full`], at 256 KiB.
//!
//! ```text
//! let mut writer = Writer::begin(tx, "-- intake.stage\nCOPY intake.staged (line, payload) FROM STDIN (FORMAT BINARY)").await?;
//! let mut rows = Rows::new(2);
//! for record in records {
//!     rows.start();
//!     rows.put(&record.line);
//!     rows.put(&Json(&record.payload));
//!     if rows.is_full() {
//!         writer.send(&mut rows).await?;
//!     }
//! }
//! writer.send(&mut rows).await?;
//! let stored = writer.finish().await?;
//! ```

mod encode;

use sqlx::{PgConnection, postgres::PgCopyIn};

pub use self::encode::{Encode, Json};
use crate::Error;

/// How much is gathered before it is sent.
pub const CHUNK_BYTES: usize = 256 * 1024;

/// Signature, flags and header extension length: how a binary COPY begins.
const HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
/// A field count of -1: how it ends.
const TRAILER: &[u8] = &[0xff, 0xff];

/// Encoded rows, waiting to be sent.
#[derive(Debug)]
pub struct Rows {
    bytes: Vec<u8>,
    columns: u16,
    fields: u16,
    started: u64,
    fault: Option<(u64, &'static str)>,
}

impl Rows {
    /// No rows yet, of `columns` columns.
    pub fn new(columns: u16) -> Self {
        Self {
            bytes: Vec::with_capacity(CHUNK_BYTES + CHUNK_BYTES / 4),
            columns,
            fields: columns,
            started: 0,
            fault: None,
        }
    }

    /// Begins a row. As many calls of [`Rows::put`] must follow as there are columns.
    pub fn start(&mut self) {
        self.check_row_is_whole();
        self.started += 1;
        self.fields = 0;
        self.bytes.extend_from_slice(&self.columns.to_be_bytes());
    }

    /// Adds the next column's value. Its type must be the column's: the server does not convert.
    pub fn put<T: Encode + ?Sized>(&mut self, value: &T) {
        self.fields = self.fields.saturating_add(1);
        if value.is_null() {
            self.bytes.extend_from_slice(&(-1_i32).to_be_bytes());
            return;
        }
        let at = self.bytes.len();
        self.bytes.extend_from_slice(&[0; 4]);
        value.encode(&mut self.bytes);
        let length = self.bytes.len() - at - 4;
        if !value.is_storable() {
            self.report("a text holds the character U+0000, which PostgreSQL cannot store");
        }
        match (i32::try_from(length), self.bytes.get_mut(at..at + 4)) {
            (Ok(length), Some(place)) => place.copy_from_slice(&length.to_be_bytes()),
            _ => self.report("a value is larger than 2 GiB"),
        }
    }

    /// Whether it is time to send.
    pub fn is_full(&self) -> bool {
        self.bytes.len() >= CHUNK_BYTES
    }

    /// Whether there is nothing to send.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Rows started since the beginning.
    pub fn row_count(&self) -> u64 {
        self.started
    }

    fn check_row_is_whole(&mut self) {
        if self.fields != self.columns {
            self.report("a row has another number of values than the statement has columns");
        }
    }

    fn report(&mut self, what: &'static str) {
        self.fault.get_or_insert((self.started, what));
    }

    /// The bytes so far, if every row in them is whole and can be stored.
    fn take(&mut self) -> Result<&mut Vec<u8>, Error> {
        self.check_row_is_whole();
        match self.fault {
            Some((row, what)) => Err(Error::Invalid { row, what }),
            None => Ok(&mut self.bytes),
        }
    }
}

/// An open COPY. Not finished, it stores nothing; inside [`crate::run_tx`] that rolls everything back.
pub struct Writer<'c> {
    copy: PgCopyIn<&'c mut PgConnection>,
}

impl std::fmt::Debug for Writer<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Writer")
    }
}

impl<'c> Writer<'c> {
    /// Begins `COPY ... FROM STDIN (FORMAT BINARY)`.
    pub async fn begin(connection: &'c mut PgConnection, statement: &'static str) -> Result<Self, Error> {
        let mut copy = connection.copy_in_raw(statement).await?;
        copy.send(HEADER).await?;
        Ok(Self { copy })
    }

    /// Sends what is in `rows` and empties it. Waits when the server is behind: that is the back-pressure.
    pub async fn send(&mut self, rows: &mut Rows) -> Result<(), Error> {
        let bytes = rows.take()?;
        if !bytes.is_empty() {
            self.copy.send(bytes.as_slice()).await?;
            bytes.clear();
        }
        Ok(())
    }

    /// Ends the COPY and returns how many rows the server stored.
    pub async fn finish(mut self) -> Result<u64, Error> {
        self.copy.send(TRAILER).await?;
        Ok(self.copy.finish().await?)
    }
}

#[cfg(test)]
mod tests;
