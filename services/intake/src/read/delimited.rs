//! Delimited records (RFC 4180): cutting a record into cells.
//!
//! Tolerated beyond the standard: a line feed alone as line end, blanks around a cell, and a quote inside a cell that does not
//! begin with one (it stands for itself). Not tolerated: text after a closing quote, and a quote that is never closed.

use memchr::memchr;

/// Where a cell's content stands.
#[derive(Clone, Copy, Debug)]
enum Content {
    /// In the record itself.
    Record(usize, usize),
    /// In the scratch, with its doubled quotes undone.
    Scratch(usize, usize),
}

/// Cells of one record after the other, in memory that is used again.
#[derive(Debug, Default)]
pub(super) struct Cells {
    contents: Vec<Content>,
    scratch: String,
}

/// Why a record cannot be cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Broken {
    /// The quote that opens this column (from 1) is not closed.
    Unclosed(u32),
    /// Text follows the closing quote of this column (from 1).
    AfterQuote(u32),
}

impl Cells {
    /// Cuts a record; its line end is not part of it.
    pub(super) fn split(&mut self, record: &str, delimiter: u8) -> Result<(), Broken> {
        self.contents.clear();
        self.scratch.clear();
        let bytes = record.as_bytes();
        let mut at = 0;
        loop {
            let rest = bytes.get(at..).unwrap_or_default();
            let blanks = rest.iter().take_while(|byte| **byte == b' ').count();
            let next = if rest.get(blanks) == Some(&b'"') {
                self.quoted(record, at + blanks + 1, delimiter)?
            } else {
                let length = memchr(delimiter, rest).unwrap_or(rest.len());
                self.contents.push(Content::Record(at, at + length));
                at + length
            };
            if next >= bytes.len() {
                return Ok(());
            }
            at = next + 1;
        }
    }

    /// Takes the cell whose content begins at `begin`, behind its quote; returns where its delimiter stands, or the end.
    fn quoted(&mut self, record: &str, begin: usize, delimiter: u8) -> Result<usize, Broken> {
        let column = self.contents.len() as u32 + 1;
        let bytes = record.as_bytes();
        let (scratch_begin, mut from) = (self.scratch.len(), begin);
        let mut doubled = false;
        loop {
            let quote = memchr(b'"', bytes.get(from..).unwrap_or_default())
                .map(|found| from + found)
                .ok_or(Broken::Unclosed(column))?;
            // Both ends stand beside an ASCII byte, so they are ends of characters.
            let piece = record.get(from..quote).unwrap_or_default();
            if bytes.get(quote + 1) == Some(&b'"') {
                doubled = true;
                self.scratch.push_str(piece);
                self.scratch.push('"');
                from = quote + 2;
                continue;
            }
            if doubled {
                self.scratch.push_str(piece);
                self.contents.push(Content::Scratch(scratch_begin, self.scratch.len()));
            } else {
                self.contents.push(Content::Record(begin, quote));
            }
            let rest = bytes.get(quote + 1..).unwrap_or_default();
            let blanks = rest.iter().take_while(|byte| **byte == b' ').count();
            return match rest.get(blanks) {
                None => Ok(bytes.len()),
                Some(byte) if *byte == delimiter => Ok(quote + 1 + blanks),
                Some(_) => Err(Broken::AfterQuote(column)),
            };
        }
    }

    /// How many there are.
    pub(super) const fn len(&self) -> usize {
        self.contents.len()
    }

    /// The content of a cell; blank beyond the last.
    pub(super) fn get<'a>(&'a self, record: &'a str, cell: usize) -> &'a str {
        match self.contents.get(cell) {
            Some(Content::Record(from, to)) => record.get(*from..*to),
            Some(Content::Scratch(from, to)) => self.scratch.get(*from..*to),
            None => None,
        }
        .unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cells(record: &str) -> Result<Vec<String>, Broken> {
        let mut cells = Cells::default();
        cells.split(record, b',')?;
        Ok((0..cells.len()).map(|cell| cells.get(record, cell).to_owned()).collect())
    }

    #[test]
    fn records_are_cut_as_the_standard_says() {
        fn check(record: &str, expect: &[&str]) {
            let expect: Vec<String> = expect.iter().map(|cell| (*cell).to_owned()).collect();
            assert_eq!(cells(record), Ok(expect), "{record}");
        }
        check("a,b", &["a", "b"]);
        check("", &[""]);
        check(",", &["", ""]);
        check("a,\"b,c\",d", &["a", "b,c", "d"]);
        check("\"say \"\"so\"\"\",x", &["say \"so\"", "x"]);
        check("\"\",\"\"", &["", ""]);
        check("\"two\nlines\",é", &["two\nlines", "é"]);
        check("a \"quoted\" word,b", &["a \"quoted\" word", "b"]);
        check("  \"a\"  ,b", &["a", "b"]);
        check("a,b,", &["a", "b", ""]);
    }

    #[test]
    fn broken_quotes_name_their_column() {
        assert_eq!(cells("a,\"b"), Err(Broken::Unclosed(2)));
        assert_eq!(cells("a,\"b\"c,d"), Err(Broken::AfterQuote(2)));
        assert_eq!(cells("\"a\"\"b"), Err(Broken::Unclosed(1)));
    }
}
