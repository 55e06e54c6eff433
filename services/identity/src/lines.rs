//! Lines of delimited text, counted as an editor counts them.
//!
//! The CSV reader knows where a record's first byte may lie, which is a line too early behind CR LF and behind blank lines. Whoever must
//! mend a row looks for it by its number, so that the number must be right.

use std::io::{BufRead, Read};

use csv::ByteRecord;

/// A text with LF at the end of each line, the last one included, whichever way its lines end.
pub(crate) struct Lines<R> {
    inner: R,
    /// The last byte was CR: an LF now belongs to it.
    after_cr: bool,
    last: u8,
}

impl<R: BufRead> Lines<R> {
    pub(crate) const fn new(inner: R) -> Self {
        Self { inner, after_cr: false, last: b'\n' }
    }
}

impl<R: BufRead> Read for Lines<R> {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        loop {
            let chunk = self.inner.fill_buf()?;
            if chunk.is_empty() {
                let Some(end) = out.first_mut().filter(|_| self.last != b'\n') else { return Ok(0) };
                (*end, self.last) = (b'\n', b'\n');
                return Ok(1);
            }
            let skip = usize::from(std::mem::take(&mut self.after_cr) && chunk.starts_with(b"\n"));
            // Up to the first CR, which ends this piece.
            let piece = chunk.get(skip..).unwrap_or_default();
            let piece = piece.get(..out.len()).unwrap_or(piece);
            let plain = piece.iter().position(|byte| *byte == b'\r');
            let taken = plain.map_or(piece.len(), |at| at + 1);
            for (to, from) in out.iter_mut().zip(piece.iter().take(taken)) {
                *to = if *from == b'\r' { b'\n' } else { *from };
            }
            self.after_cr = plain.is_some();
            if taken > 0 {
                self.last = out.get(taken - 1).copied().unwrap_or(b'\n');
            }
            self.inner.consume(skip + taken);
            if taken > 0 || out.is_empty() {
                return Ok(taken);
            }
        }
    }
}

/// The line on which the record just read begins; the text came through [`Lines`].
pub(crate) fn line_of<R: Read>(reader: &csv::Reader<R>, record: &ByteRecord) -> u64 {
    let lines = record.as_slice().split(|byte| *byte == b'\n').count() as u64;
    // Behind a quotation mark that is never closed the record takes in the end of the last line, which then ends nothing.
    let unclosed = u64::from(record.as_slice().ends_with(b"\n"));
    (reader.position().line() + unclosed).saturating_sub(lines)
}

#[cfg(test)]
mod tests {
    use std::io::BufReader;

    use super::*;

    fn check(text: &str, expect: &[(u64, &str)]) {
        for capacity in [1, 2, 3, 64] {
            let source = BufReader::with_capacity(capacity, text.as_bytes());
            let mut reader =
                csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(Lines::new(source));
            let mut record = ByteRecord::new();
            let mut got = Vec::new();
            while reader.read_byte_record(&mut record).expect("readable") {
                got.push((line_of(&reader, &record), String::from_utf8_lossy(record.as_slice()).into_owned()));
            }
            let got: Vec<_> = got.iter().map(|(line, text)| (*line, text.as_str())).collect();
            assert_eq!(got, expect, "{text:?}");
        }
    }

    #[test]
    fn lines_are_counted_as_an_editor_counts_them() {
        check("", &[]);
        check("a,b\nc,d\n", &[(1, "ab"), (2, "cd")]);
        check("a,b\r\nc,d\r\ne,f", &[(1, "ab"), (2, "cd"), (3, "ef")]);
        check("a\rb\rc", &[(1, "a"), (2, "b"), (3, "c")]);
        check("a\r\n\r\n\r\nb\r\n\n\nc\n", &[(1, "a"), (4, "b"), (7, "c")]);
        check("a,\"b\r\nc\"\r\nd\r\n", &[(1, "ab\nc"), (3, "d")]);
        check("a\nb,\"c\nd\n", &[(1, "a"), (2, "bc\nd\n")]);
    }
}
