//! Bytes to text: UTF-8 expected, Windows-1252 recognised and said, anything else refused.

use encoding_rs::WINDOWS_1252;

/// What the file's bytes have proved to be so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Seen {
    /// ASCII only: both readings agree.
    Ascii,
    /// A character that only UTF-8 writes this way.
    Utf8,
    /// A byte that UTF-8 cannot have.
    Windows1252,
}

/// Decodes record by record and remembers what it has seen.
#[derive(Debug)]
pub(super) struct Decoder {
    seen: Seen,
    scratch: String,
}

/// The bytes are no text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NotText {
    /// The file is UTF-8 elsewhere, and this record is not.
    NotUtf8,
    /// The file is Windows-1252 elsewhere, and this record looks like UTF-8.
    Mixed,
    /// Half of a character of UTF-16, written as if it were one (a lone surrogate).
    Surrogate,
}

/// A decoded record.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Decoded<'a> {
    /// The text.
    pub text: &'a str,
    /// This record settled that the file is Windows-1252.
    pub turned: bool,
}

impl Decoder {
    pub(super) const fn new() -> Self {
        Self { seen: Seen::Ascii, scratch: String::new() }
    }

    pub(super) fn decode<'a>(&'a mut self, bytes: &'a [u8]) -> Result<Decoded<'a>, NotText> {
        let read = std::str::from_utf8(bytes);
        match (read, self.seen) {
            (Ok(text), Seen::Utf8) => Ok(Decoded { text, turned: false }),
            (Ok(text), _) if text.is_ascii() => Ok(Decoded { text, turned: false }),
            (Ok(text), Seen::Ascii) => {
                self.seen = Seen::Utf8;
                Ok(Decoded { text, turned: false })
            }
            (Ok(_), Seen::Windows1252) => Err(NotText::Mixed),
            (Err(_), Seen::Ascii | Seen::Utf8) if has_surrogate(bytes) => Err(NotText::Surrogate),
            (Err(_), Seen::Utf8) => Err(NotText::NotUtf8),
            (Err(_), seen) => {
                self.seen = Seen::Windows1252;
                let (text, _) = WINDOWS_1252.decode_without_bom_handling(bytes);
                self.scratch.clear();
                self.scratch.push_str(&text);
                Ok(Decoded { text: &self.scratch, turned: seen == Seen::Ascii })
            }
        }
    }
}

/// Whether bytes hold a surrogate as UTF-8 would write it, if it were a character. In Windows-1252 no word has these three.
fn has_surrogate(bytes: &[u8]) -> bool {
    bytes.windows(3).any(|three| matches!(three, [0xed, 0xa0..=0xbf, 0x80..=0xbf]))
}

/// What the first bytes of a file say about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Beginning {
    /// A UTF-8 byte order mark of so many bytes, or none.
    Text(usize),
    /// UTF-16 or UTF-32: a byte order mark of theirs, or zero bytes among the first.
    Wide,
}

pub(super) fn beginning(bytes: &[u8]) -> Beginning {
    let first = bytes.get(..bytes.len().min(4)).unwrap_or_default();
    if first.starts_with(&[0xef, 0xbb, 0xbf]) {
        return Beginning::Text(3);
    }
    let wide = first.starts_with(&[0xff, 0xfe]) || first.starts_with(&[0xfe, 0xff]) || first.contains(&0);
    if wide { Beginning::Wide } else { Beginning::Text(0) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_one_encoding_and_the_first_odd_byte_says_which() {
        let mut decoder = Decoder::new();
        assert_eq!(decoder.decode(b"plain"), Ok(Decoded { text: "plain", turned: false }));
        assert_eq!(decoder.decode(b"Jos\xe9"), Ok(Decoded { text: "José", turned: true }));
        assert_eq!(decoder.decode(b"Ren\xe9e"), Ok(Decoded { text: "Renée", turned: false }));
        assert_eq!(decoder.decode("José".as_bytes()), Err(NotText::Mixed));
        let mut decoder = Decoder::new();
        assert_eq!(decoder.decode(b"Jos\xed\xa0\x80"), Err(NotText::Surrogate));
        assert_eq!(decoder.decode("José".as_bytes()), Ok(Decoded { text: "José", turned: false }));
        assert_eq!(decoder.decode(b"Jos\xe9"), Err(NotText::NotUtf8));
    }

    #[test]
    fn wide_encodings_are_seen_at_once() {
        assert_eq!(beginning(b"\xff\xfeS\0"), Beginning::Wide);
        assert_eq!(beginning(b"S\0A\0"), Beginning::Wide);
        assert_eq!(beginning(b"\xef\xbb\xbfS"), Beginning::Text(3));
        assert_eq!(beginning(b"S"), Beginning::Text(0));
        assert_eq!(beginning(b""), Beginning::Text(0));
    }
}
