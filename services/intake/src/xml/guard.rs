//! The byte source under the XML reader: counts lines and columns, keeps the bytes of the record being read, and stops
//! at the limits before memory does.

use std::io::{self, BufRead, Read};

/// A limit that was reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Breach {
    /// One tag, text or comment is too long.
    Markup,
    /// The file is too long.
    File,
}

/// A place in a file: line and column of a character, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct Place {
    pub line: u32,
    pub column: u32,
}

/// Bytes kept of a stretch that nobody asked to keep: enough to recognise what it begins with.
const PEEK_BYTES: usize = 16;

/// A reader that knows where it is and when to stop.
pub(crate) struct Guard<'a> {
    inner: &'a mut dyn BufRead,
    place: Place,
    markup_left: u64,
    markup_max: u64,
    file_left: u64,
    kept: Vec<u8>,
    keeps_all: bool,
    breach: Option<Breach>,
}

impl<'a> Guard<'a> {
    pub fn new(inner: &'a mut dyn BufRead, markup_max: u64, file_max: u64) -> Self {
        Self {
            inner,
            place: Place { line: 1, column: 1 },
            markup_left: markup_max,
            markup_max,
            file_left: file_max,
            kept: Vec::new(),
            keeps_all: false,
            breach: None,
        }
    }

    /// Where the next byte stands.
    pub const fn place(&self) -> Place {
        self.place
    }

    /// The limit that made reading stop, if one did.
    pub const fn breach(&self) -> Option<Breach> {
        self.breach
    }

    /// Begins a tag, text or comment: its bytes count from here.
    pub const fn begin_markup(&mut self) {
        self.markup_left = self.markup_max;
    }

    /// Begins a stretch whose bytes are wanted, forgetting the last one.
    pub fn keep_from_here(&mut self) {
        self.kept.clear();
        self.keeps_all = true;
    }

    /// Goes on without keeping bytes.
    pub fn stop_keeping(&mut self) {
        self.kept.clear();
        self.keeps_all = false;
    }

    /// The bytes since [`Self::keep_from_here`].
    pub fn kept(&self) -> &[u8] {
        &self.kept
    }

    fn advance(&mut self, taken: usize) {
        let Ok(bytes) = self.inner.fill_buf() else {
            return;
        };
        let bytes = bytes.get(..taken).unwrap_or(bytes);
        let characters = |part: &[u8]| part.iter().filter(|byte| **byte & 0xC0 != 0x80).count() as u32;
        let lines = bytes.split(|byte| *byte == b'\n').skip(1).count() as u32;
        if lines == 0 {
            self.place.column = self.place.column.saturating_add(characters(bytes));
        } else {
            let last = bytes.rsplit(|byte| *byte == b'\n').next().unwrap_or(&[]);
            self.place.line = self.place.line.saturating_add(lines);
            self.place.column = characters(last).saturating_add(1);
        }
        let room = if self.keeps_all { bytes.len() } else { PEEK_BYTES.saturating_sub(self.kept.len()) };
        self.kept.extend_from_slice(bytes.get(..room).unwrap_or(bytes));
    }
}

impl Read for Guard<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let available = self.fill_buf()?;
        let count = available.len().min(buffer.len());
        for (to, from) in buffer.iter_mut().zip(available) {
            *to = *from;
        }
        self.consume(count);
        Ok(count)
    }
}

impl BufRead for Guard<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        let available = self.inner.fill_buf()?;
        let left = self.markup_left.min(self.file_left);
        if left == 0 && !available.is_empty() {
            self.breach = Some(if self.file_left == 0 { Breach::File } else { Breach::Markup });
            return Err(io::Error::other("a limit was reached"));
        }
        let count = usize::try_from(left).unwrap_or(usize::MAX).min(available.len());
        Ok(available.get(..count).unwrap_or(available))
    }

    fn consume(&mut self, count: usize) {
        self.advance(count);
        self.markup_left = self.markup_left.saturating_sub(count as u64);
        self.file_left = self.file_left.saturating_sub(count as u64);
        self.inner.consume(count);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_columns_count_characters() {
        let mut bytes = "aé\nbç".as_bytes();
        let mut guard = Guard::new(&mut bytes, 100, 100);
        guard.consume(3);
        assert_eq!(guard.place(), Place { line: 1, column: 3 });
        guard.consume(1);
        assert_eq!(guard.place(), Place { line: 2, column: 1 });
        guard.consume(3);
        assert_eq!(guard.place(), Place { line: 2, column: 3 });
    }

    #[test]
    fn reading_stops_at_the_limit_of_one_markup() {
        let mut bytes = &b"0123456789"[..];
        let mut guard = Guard::new(&mut bytes, 4, 100);
        assert_eq!(guard.fill_buf().map(<[u8]>::len).ok(), Some(4));
        guard.consume(4);
        assert!(guard.fill_buf().is_err());
        assert_eq!(guard.breach(), Some(Breach::Markup));
        guard.begin_markup();
        assert!(guard.fill_buf().is_ok());
    }
}
