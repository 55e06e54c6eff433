//! Reads back what [`crate::pack`] writes: enough of it to add to it.

use std::io::Read as _;

use flate2::read::ZlibDecoder;

use crate::Error;

/// Bytes of an entry of the cross-reference: kind, place, index.
const ENTRY: usize = 7;
/// The most that a stream of objects is unpacked to.
const UNPACKED_BYTES_MAX: u64 = 256 << 20;

/// A document of this crate.
pub(crate) struct Packed<'a> {
    pdf: &'a [u8],
    /// Where its cross-reference stands.
    pub start: usize,
    /// The number after its last object's.
    pub size: usize,
    /// The trailer's entries that an update repeats: root, information, identifiers.
    pub trailer: String,
    entries: Vec<u8>,
}

impl<'a> Packed<'a> {
    pub(crate) fn read(pdf: &'a [u8]) -> Result<Self, Error> {
        Self::find(pdf).ok_or(Error::Precondition("only a document of this program, not signed yet, can be signed"))
    }

    fn find(pdf: &'a [u8]) -> Option<Self> {
        let tail =
            std::str::from_utf8(pdf.get(pdf.len().checked_sub(40)?..)?.split(|byte| *byte >= 128).next_back()?).ok()?;
        let start: usize = tail.rsplit_once("startxref\n")?.1.lines().next()?.parse().ok()?;
        let (dictionary, data) = stream(pdf.get(start..)?)?;
        let rest = dictionary.strip_prefix("/Type/XRef/W[1 4 2]/DecodeParms<</Predictor 12/Columns 7>>/Size ")?;
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let size: usize = rest[..digits].parse().ok()?;
        let trailer = rest[digits..].split("/Filter/FlateDecode").next()?.to_owned();
        let mut entries = Vec::with_capacity(size * ENTRY);
        let mut above = [0_u8; ENTRY];
        for row in unpack(data)?.chunks_exact(ENTRY + 1) {
            for (byte, up) in above.iter_mut().zip(&row[1..]) {
                *byte = byte.wrapping_add(*up);
            }
            entries.extend_from_slice(&above);
        }
        Some(Self { pdf, start, size, trailer, entries })
    }

    /// The catalog's number.
    pub(crate) fn root(&self) -> Result<usize, Error> {
        reference(&self.trailer, "/Root ").ok_or_else(|| broken("no catalog"))
    }

    /// The first page's number.
    pub(crate) fn first_page(&self) -> Result<usize, Error> {
        let catalog = self.text(self.root()?)?;
        let mut number = reference(&catalog, "/Pages ").ok_or_else(|| broken("no pages"))?;
        // Leaves of the tree of pages have no children.
        while let Some(first) = reference(&self.text(number)?, "/Kids[") {
            number = first;
        }
        Ok(number)
    }

    fn text(&self, number: usize) -> Result<String, Error> {
        String::from_utf8(self.object(number)?).map_err(|_| broken("an object is no text"))
    }

    /// The body of an object that is no stream.
    pub(crate) fn object(&self, number: usize) -> Result<Vec<u8>, Error> {
        self.find_object(number).ok_or_else(|| broken("an object is missing"))
    }

    fn find_object(&self, number: usize) -> Option<Vec<u8>> {
        let (kind, stream_number, index) = self.entry(number)?;
        if kind != 2 {
            return None;
        }
        let (1, at, _) = self.entry(stream_number)? else { return None };
        let (dictionary, data) = stream(self.pdf.get(at..)?)?;
        let first: usize = dictionary.split_once("/First ")?.1.split('/').next()?.trim().parse().ok()?;
        let unpacked = unpack(data)?;
        let places: Vec<usize> = std::str::from_utf8(unpacked.get(..first)?)
            .ok()?
            .split_ascii_whitespace()
            .map(str::parse)
            .collect::<Result<_, _>>()
            .ok()?;
        let place = |at: usize| places.get(2 * at + 1).map(|offset| first + offset);
        let end = place(index + 1).unwrap_or(unpacked.len());
        Some(unpacked.get(place(index)?..end)?.trim_ascii().to_vec())
    }

    fn entry(&self, number: usize) -> Option<(u8, usize, usize)> {
        let row = self.entries.get(number * ENTRY..(number + 1) * ENTRY)?;
        let place = u32::from_be_bytes([row[1], row[2], row[3], row[4]]) as usize;
        Some((row[0], place, usize::from(u16::from_be_bytes([row[5], row[6]]))))
    }
}

/// The number behind a key whose value refers to an object.
fn reference(text: &str, key: &str) -> Option<usize> {
    let rest = text.split_once(key)?.1;
    rest[..rest.bytes().take_while(u8::is_ascii_digit).count()].parse().ok()
}

/// The dictionary and data of the stream object that starts here.
fn stream(object: &[u8]) -> Option<(&str, &[u8])> {
    let open = object.windows(2).position(|window| window == b"<<")? + 2;
    let close = object.windows(10).position(|window| window == b">>\nstream\n")?;
    let dictionary = std::str::from_utf8(object.get(open..close)?).ok()?;
    let length: usize = dictionary.rsplit_once("/Length ")?.1.trim().parse().ok()?;
    Some((dictionary, object.get(close + 10..close + 10 + length)?))
}

fn unpack(data: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    ZlibDecoder::new(data).take(UNPACKED_BYTES_MAX).read_to_end(&mut out).ok()?;
    Some(out)
}

fn broken(what: &str) -> Error {
    Error::Corrupt(format!("the document cannot be signed: {what}"))
}
