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
    /// EBCDIC.
    Mainframe,
}

pub(super) fn beginning(bytes: &[u8]) -> Beginning {
    let first = bytes.get(..bytes.len().min(4)).unwrap_or_default();
    if first.starts_with(&[0xef, 0xbb, 0xbf]) {
        return Beginning::Text(3);
    }
    let zeros = memchr::memchr_iter(0, first).count();
    // One zero byte among several others is a bad character of some field.
    let has_zeros = zeros > 0 && zeros * 2 >= first.len();
    if has_zeros || first.starts_with(&[0xff, 0xfe]) || first.starts_with(&[0xfe, 0xff]) {
        Beginning::Wide
    } else if is_mainframe(bytes) {
        Beginning::Mainframe
    } else {
        Beginning::Text(0)
    }
}

/// Whether text is written in EBCDIC: blanks are 0x40 there, letters and digits lie above 0x80. No other encoding has that many of these and is no UTF-8.
fn is_mainframe(bytes: &[u8]) -> bool {
    const LOOKED_AT: usize = 512;
    let sample = bytes.get(..bytes.len().min(LOOKED_AT)).unwrap_or_default();
    let is_utf8 = std::str::from_utf8(sample).map_or_else(|error| error.error_len().is_none(), |_| true);
    let alike = sample.iter().filter(|byte| matches!(byte, 0x40 | 0x81..=0xf9)).count();
    !is_utf8 && alike * 4 > sample.len() * 3
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
        assert_eq!(beginning(b"R\x0012"), Beginning::Text(0));
        assert_eq!(beginning(b""), Beginning::Text(0));
        assert_eq!(beginning(b"\xd9\xf9\xf9\xf0\xf0\x40\x40\xd8\xa4\x89\x95\x83\x85\x15"), Beginning::Mainframe);
        assert_eq!(beginning("\u{5b66}\u{751f}".as_bytes()), Beginning::Text(0));
        assert_eq!(beginning(b"Ren\xe9e"), Beginning::Text(0));
    }
}
