//! Lines of a stream, in bounded memory.

use std::io::BufRead;

use memchr::memchr;

use crate::Error;

/// The most bytes of a record (several lines of it together, in a delimited file). A longer one is refused, not kept.
pub const RECORD_BYTES_MAX: usize = 64 * 1024;

/// Bytes held at once: room for the longest record and the next read.
const BUFFER_BYTES: usize = 4 * RECORD_BYTES_MAX;

/// A window on a stream. Positions given out hold until the next call that reads.
pub(super) struct Buffer<'r> {
    reader: &'r mut dyn BufRead,
    bytes: Vec<u8>,
    start: usize,
    end: usize,
    at_end: bool,
    taken: u64,
}

/// A line, or the part of one that was looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Line {
    /// Bytes without the line end.
    pub length: usize,
    /// Bytes to take to be past it.
    pub consumed: usize,
    /// How it ended.
    pub end: End,
}

/// How a line ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// With a line feed.
    LineFeed,
    /// With carriage return and line feed.
    CrLf,
    /// With the file.
    File,
}

/// What comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// A line.
    Line(Line),
    /// A line longer than [`RECORD_BYTES_MAX`].
    TooLong,
    /// Nothing.
    End,
}

impl<'r> Buffer<'r> {
    pub(super) fn new(reader: &'r mut dyn BufRead) -> Self {
        Self { reader, bytes: vec![0; BUFFER_BYTES], start: 0, end: 0, at_end: false, taken: 0 }
    }

    /// The bytes read and not yet taken.
    pub(super) fn filled(&self) -> &[u8] {
        self.bytes.get(self.start..self.end).unwrap_or_default()
    }

    /// Goes past bytes.
    pub(super) fn take(&mut self, bytes: usize) {
        self.start = (self.start + bytes).min(self.end);
        self.taken += bytes as u64;
    }

    /// Bytes taken so far.
    pub(super) const fn taken(&self) -> u64 {
        self.taken
    }

    /// Reads on until `wanted` bytes are there or the stream ends.
    pub(super) fn fill(&mut self, wanted: usize) -> Result<(), Error> {
        while self.end - self.start < wanted && self.read_on()? {}
        Ok(())
    }

    /// Reads once. False at the end of the stream, or when the window is full.
    fn read_on(&mut self) -> Result<bool, Error> {
        if self.at_end {
            return Ok(false);
        }
        if self.end == self.bytes.len() && self.start > 0 {
            self.bytes.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        let room = self.bytes.get_mut(self.end..).unwrap_or_default();
        if room.is_empty() {
            return Ok(false);
        }
        loop {
            match self.reader.read(room) {
                Ok(0) => {
                    self.at_end = true;
                    return Ok(false);
                }
                Ok(read) => {
                    self.end += read;
                    return Ok(true);
                }
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(Error::unavailable("the file cannot be read on", error)),
            }
        }
    }

    /// The line that begins `offset` bytes ahead, which belongs to a record begun at 0.
    pub(super) fn line_at(&mut self, offset: usize) -> Result<Next, Error> {
        let mut searched = offset;
        loop {
            let filled = self.filled();
            if let Some(found) = memchr(b'\n', filled.get(searched..).unwrap_or_default()) {
                let feed = searched + found;
                if feed > RECORD_BYTES_MAX {
                    return Ok(Next::TooLong);
                }
                let ends_in_return = feed > offset && filled.get(feed - 1) == Some(&b'\r');
                return Ok(Next::Line(Line {
                    length: feed - offset - usize::from(ends_in_return),
                    consumed: feed + 1 - offset,
                    end: if ends_in_return { End::CrLf } else { End::LineFeed },
                }));
            }
            searched = filled.len().max(offset);
            if searched > RECORD_BYTES_MAX {
                return Ok(Next::TooLong);
            }
            if !self.read_on()? {
                break;
            }
        }
        let length = self.filled().len().saturating_sub(offset);
        Ok(if length == 0 { Next::End } else { Next::Line(Line { length, consumed: length, end: End::File }) })
    }

    /// Goes past the rest of a line, whatever its length.
    pub(super) fn skip_line(&mut self) -> Result<(), Error> {
        loop {
            let filled = self.filled();
            if let Some(found) = memchr(b'\n', filled) {
                self.take(found + 1);
                return Ok(());
            }
            let rest = filled.len();
            self.take(rest);
            if !self.read_on()? && self.filled().is_empty() {
                return Ok(());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &[u8]) -> Vec<(String, End)> {
        let mut reader = text;
        let mut buffer = Buffer::new(&mut reader);
        let mut found = Vec::new();
        loop {
            match buffer.line_at(0).expect("memory does not fail") {
                Next::Line(line) => {
                    let bytes = buffer.filled()[..line.length].to_vec();
                    found.push((String::from_utf8(bytes).expect("text"), line.end));
                    buffer.take(line.consumed);
                }
                Next::TooLong => {
                    found.push(("too long".to_owned(), End::LineFeed));
                    buffer.skip_line().expect("memory does not fail");
                }
                Next::End => return found,
            }
        }
    }

    #[test]
    fn lines_end_as_they_end() {
        fn check(text: &str, expect: &[(&str, End)]) {
            let expect: Vec<_> = expect.iter().map(|(t, e)| ((*t).to_owned(), *e)).collect();
            assert_eq!(lines(text.as_bytes()), expect);
        }
        check("a\r\nb\nc", &[("a", End::CrLf), ("b", End::LineFeed), ("c", End::File)]);
        check("\n\r\n", &[("", End::LineFeed), ("", End::CrLf)]);
        check("", &[]);
    }

    #[test]
    fn an_endless_line_is_refused_and_the_next_one_read() {
        let mut text = vec![b'x'; 3 * BUFFER_BYTES];
        text.extend_from_slice(b"\nnext\n");
        let found = lines(&text);
        assert_eq!(found.first().map(|(text, _)| text.as_str()), Some("too long"));
        assert_eq!(found.get(1).map(|(text, _)| text.as_str()), Some("next"));
        assert_eq!(found.len(), 2);
    }

    #[test]
    fn many_lines_pass_through_a_small_window() {
        let text = "0123456789\r\n".repeat(100_000);
        let found = lines(text.as_bytes());
        assert_eq!(found.len(), 100_000);
        assert!(found.iter().all(|(line, end)| line == "0123456789" && *end == End::CrLf));
    }
}
