//! Lines of JSON from outside, in bounded memory.

use std::io::{BufRead, Read as _};

use memchr::memchr;

use crate::{Error, Finding, Severity};

/// The most bytes of one object: a record of the longest kind, each of its characters escaped.
const LINE_BYTES_MAX: usize = 512 * 1024;

/// Reads lines one after the other, in memory that is used again.
pub(crate) struct JsonLines<'r> {
    reader: &'r mut dyn BufRead,
    bytes: Vec<u8>,
    number: u32,
}

/// A line.
pub(crate) enum JsonLine<'a> {
    /// Its number, from 1, and its text without blanks around it; never empty.
    Text(u32, &'a str),
    /// It is no text, or too long.
    Refused(Finding),
}

impl<'r> JsonLines<'r> {
    pub(crate) const fn new(reader: &'r mut dyn BufRead) -> Self {
        Self { reader, bytes: Vec::new(), number: 0 }
    }

    /// The next line that is not blank.
    pub(crate) fn next_line(&mut self) -> Result<Option<JsonLine<'_>>, Error> {
        let unreadable = |error| Error::unavailable("the records cannot be read on", error);
        loop {
            self.bytes.clear();
            let read = (&mut self.reader)
                .take(LINE_BYTES_MAX as u64 + 1)
                .read_until(b'\n', &mut self.bytes)
                .map_err(unreadable)?;
            if read == 0 {
                return Ok(None);
            }
            self.number = self.number.saturating_add(1);
            if read > LINE_BYTES_MAX && self.bytes.last() != Some(&b'\n') {
                self.skip_line().map_err(unreadable)?;
                let message = format!("the line has more than {LINE_BYTES_MAX} bytes and is passed over");
                return Ok(Some(self.refused("record.too_long", message)));
            }
            if !self.bytes.iter().all(u8::is_ascii_whitespace) {
                break;
            }
        }
        if std::str::from_utf8(&self.bytes).is_err() {
            return Ok(Some(self.refused("encoding.not_utf8", "the line is not written in UTF-8".to_owned())));
        }
        let text = std::str::from_utf8(&self.bytes).unwrap_or_default().trim();
        Ok(Some(JsonLine::Text(self.number, text.trim_start_matches('\u{feff}'))))
    }

    fn refused(&self, rule: &str, message: String) -> JsonLine<'static> {
        JsonLine::Refused(Finding::new(self.number, rule, Severity::Error, message))
    }

    /// Goes past the rest of a line, whatever its length.
    fn skip_line(&mut self) -> std::io::Result<()> {
        loop {
            let held = self.reader.fill_buf()?;
            let (length, found) = match memchr(b'\n', held) {
                Some(feed) => (feed + 1, true),
                None => (held.len(), held.is_empty()),
            };
            self.reader.consume(length);
            if found {
                return Ok(());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_line_of_text_is_refused_and_the_next_one_read() {
        let mut bytes = b"\xef\xbb\xbf{}\r\n\n\xff\n".to_vec();
        bytes.extend(std::iter::repeat_n(b'x', 2 * LINE_BYTES_MAX));
        bytes.extend_from_slice(b"\n{\"a\":1}");
        let mut reader = bytes.as_slice();
        let mut lines = JsonLines::new(&mut reader);
        let mut said = Vec::new();
        while let Some(line) = lines.next_line().expect("memory can be read") {
            said.push(match line {
                JsonLine::Text(number, text) => format!("{number} {text}"),
                JsonLine::Refused(finding) => format!("{} {}", finding.line, finding.rule),
            });
        }
        assert_eq!(said, ["1 {}", "3 encoding.not_utf8", "4 record.too_long", "5 {\"a\":1}"]);
    }
}
