//! Object streams: most of a tagged document is small dictionaries, which compress well together and not at all alone.
//!
//! The writer gives a classic file with a cross-reference table. Everything that is no stream goes into object streams, and the
//! table becomes a cross-reference stream (ISO 32000-1, 7.5.7 and 7.5.8); streams that the writer left as they were are deflated, pages in fewer words
//! (`content`). Nothing else changes, so conformance is kept.
//!
//! Deflating is most of what writing such a file costs, so it is done by the library that is made for data in memory: in less than half of the
//! time that zlib takes for the same size, and with the same bytes on any processor.

use std::fmt::Write as _;

use libdeflater::{CompressionLvl, Compressor};

use crate::{Error, sign::packed::Packed};

mod content;

/// Objects in one object stream.
const STREAM_OBJECTS_MAX: usize = 2_000;

/// How hard streams are deflated, of 12: beyond this a percent costs as much again.
const LEVEL: i32 = 6;

/// Deflates. One serves a whole document, with room that is used again.
pub(crate) struct Deflater {
    compressor: Compressor,
    room: Vec<u8>,
}

impl Deflater {
    pub(crate) fn new() -> Self {
        Self { compressor: Compressor::new(CompressionLvl::new(LEVEL).unwrap_or_default()), room: Vec::new() }
    }

    fn deflate(&mut self, data: &[u8]) -> Result<&[u8], Error> {
        let room = self.compressor.zlib_compress_bound(data.len());
        if self.room.len() < room {
            self.room.resize(room, 0);
        }
        let length = self.compressor.zlib_compress(data, &mut self.room);
        let length = length.map_err(|_| Error::Corrupt("a stream could not be deflated".to_owned()))?;
        Ok(&self.room[..length])
    }
}

/// Where an object is, in the new file.
#[derive(Clone, Copy)]
pub(crate) enum Entry {
    Free,
    At(usize),
    Inside { stream: usize, index: usize },
}

/// Packs a document that [`krilla`] wrote.
pub(crate) fn pack(pdf: &[u8]) -> Result<Vec<u8>, Error> {
    let file = Classic::read(pdf)
        .ok_or_else(|| Error::Corrupt("the writer's cross-reference table cannot be read".to_owned()))?;
    let mut entries = vec![Entry::Free; file.objects.len()];
    let mut out = Vec::with_capacity(pdf.len() / 2);
    let mut deflater = Deflater::new();
    out.extend_from_slice(file.header);
    let mut small: Vec<(usize, &[u8])> = Vec::new();
    for (number, object) in file.objects.iter().enumerate() {
        let Some(object) = object else { continue };
        if let Some((dictionary, data)) = plain_stream(object) {
            entries[number] = Entry::At(out.len());
            // Of the streams left as they are only what a page paints says nothing of itself.
            let page = dictionary.trim().is_empty().then(|| content::shorten(data)).flatten();
            write_stream(&mut out, number, &dictionary, page.as_deref().unwrap_or(data), &mut deflater)?;
        } else if object.ends_with(b"endstream") {
            entries[number] = Entry::At(out.len());
            write_object(&mut out, number, object);
        } else {
            small.push((number, object));
        }
    }
    for group in small.chunks(STREAM_OBJECTS_MAX) {
        let stream = entries.len();
        for (index, (number, _)) in group.iter().enumerate() {
            entries[*number] = Entry::Inside { stream, index };
        }
        entries.push(Entry::At(out.len()));
        write_object_stream(&mut out, stream, group, &mut deflater)?;
    }
    write_cross_reference(&mut out, entries, file.trailer, &mut deflater)?;
    Ok(out)
}

/// A stream that the writer left as it is, such as the XMP packet, four fifths of which are names of schemas (PDF/A-2 lets it be compressed): what its
/// dictionary says but for the length, and its data.
fn plain_stream(object: &[u8]) -> Option<(String, &[u8])> {
    object.strip_suffix(b"endstream")?;
    let start = object.windows(6).position(|window| window == b"stream")?;
    let dictionary = std::str::from_utf8(object[..start].trim_ascii()).ok()?.strip_prefix("<<")?.strip_suffix(">>")?;
    if dictionary.contains("/Filter") {
        return None;
    }
    let (before, rest) = dictionary.split_once("/Length ")?;
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    let (length, after) = (rest[..digits].parse::<usize>().ok()?, &rest[digits..]);
    let data = object[start + 6..].strip_prefix(b"\r\n").or_else(|| object[start + 6..].strip_prefix(b"\n"))?;
    Some((format!("{before}{after}"), data.get(..length)?))
}

fn write_object(out: &mut Vec<u8>, number: usize, body: &[u8]) {
    out.extend_from_slice(format!("{number} 0 obj\n").as_bytes());
    out.extend_from_slice(body);
    out.extend_from_slice(b"\nendobj\n");
}

fn write_stream(
    out: &mut Vec<u8>,
    number: usize,
    dictionary: &str,
    data: &[u8],
    deflater: &mut Deflater,
) -> Result<(), Error> {
    let packed = deflater.deflate(data)?;
    let head = format!("{number} 0 obj\n<<{dictionary}/Filter/FlateDecode/Length {}>>\nstream\n", packed.len());
    for part in [head.as_bytes(), packed, b"\nendstream\nendobj\n"] {
        out.extend_from_slice(part);
    }
    Ok(())
}

pub(crate) fn write_object_stream(
    out: &mut Vec<u8>,
    number: usize,
    objects: &[(usize, &[u8])],
    deflater: &mut Deflater,
) -> Result<(), Error> {
    let mut index = String::with_capacity(objects.len() * 11);
    let mut bodies = Vec::with_capacity(objects.iter().map(|(_, body)| body.len() + 1).sum());
    for (object, body) in objects {
        // Cannot fail: a text has room.
        let _ = write!(index, "{object} {} ", bodies.len());
        write_element(&mut bodies, body);
        bodies.push(b'\n');
    }
    let mut data = index.into_bytes();
    let first = data.len();
    data.append(&mut bodies);
    write_stream(out, number, &format!("/Type/ObjStm/N {}/First {first}", objects.len()), &data, deflater)
}

/// Writes an object. An element of the structure, and there are hundreds, need not say that it is one (ISO 32000-1, table 323); and one with a single
/// piece of content says last what its neighbours do not say too.
fn write_element(out: &mut Vec<u8>, body: &[u8]) {
    let Some(element) = body.strip_prefix(b"<</Type/StructElem") else {
        out.extend_from_slice(body);
        return;
    };
    out.extend_from_slice(b"<<");
    match Leaf::of(element) {
        Some(leaf) => {
            let parts: [&[u8]; 9] =
                [leaf.kind, leaf.rest, b"/P ", leaf.parent, b" 0 R/Pg ", leaf.page, b" 0 R/K ", leaf.content, b">>"];
            for part in parts {
                out.extend_from_slice(part);
            }
        }
        None => out.extend_from_slice(element),
    }
}

/// An element of the structure with one piece of content: what it is, the numbers of its parent, its page and its content, and what else it says.
struct Leaf<'a> {
    kind: &'a [u8],
    parent: &'a [u8],
    rest: &'a [u8],
    content: &'a [u8],
    page: &'a [u8],
}

impl<'a> Leaf<'a> {
    fn of(element: &'a [u8]) -> Option<Self> {
        let name = element.strip_prefix(b"/S/")?;
        let (kind, rest) = element.split_at(3 + name.iter().position(|byte| *byte == b'/')?);
        let (parent, rest) = split_digits(rest.strip_prefix(b"/P ")?);
        let rest = rest.strip_prefix(b" 0 R")?;
        let (rest, page) = split_last_digits(rest.strip_suffix(b" 0 R>>")?);
        let (rest, content) = split_last_digits(rest.strip_suffix(b"]/Pg ")?);
        Some(Self { kind, parent, rest: rest.strip_suffix(b"/K[")?, content, page })
    }
}

fn split_digits(bytes: &[u8]) -> (&[u8], &[u8]) {
    bytes.split_at(bytes.iter().take_while(|byte| byte.is_ascii_digit()).count())
}

fn split_last_digits(bytes: &[u8]) -> (&[u8], &[u8]) {
    bytes.split_at(bytes.len() - bytes.iter().rev().take_while(|byte| byte.is_ascii_digit()).count())
}

fn write_cross_reference(
    out: &mut Vec<u8>,
    mut entries: Vec<Entry>,
    trailer: &[u8],
    deflater: &mut Deflater,
) -> Result<(), Error> {
    let (number, start) = (entries.len(), out.len());
    entries.push(Entry::At(start));
    let mut data = Vec::with_capacity(entries.len() * 8);
    let mut above = [0; 7];
    for entry in &entries {
        let row = entry.row();
        // The PNG predictor "up": neighbouring entries differ in one byte or two.
        data.push(2);
        data.extend(row.iter().zip(above).map(|(byte, above): (&u8, u8)| byte.wrapping_sub(above)));
        above = row;
    }
    let trailer =
        std::str::from_utf8(trailer).map_err(|_| Error::Corrupt("the writer's trailer cannot be read".to_owned()))?;
    write_stream(
        out,
        number,
        &format!("/Type/XRef/W[1 4 2]/DecodeParms<</Predictor 12/Columns 7>>/Size {}{trailer}", entries.len()),
        &data,
        deflater,
    )?;
    out.extend_from_slice(format!("startxref\n{start}\n%%EOF").as_bytes());
    Ok(())
}

impl Entry {
    /// Kind, place, index.
    fn row(self) -> [u8; 7] {
        let (kind, second, third) = match self {
            Self::Free => (0, 0, 0xffff),
            Self::At(offset) => (1, offset, 0),
            Self::Inside { stream, index } => (2, stream, index),
        };
        let mut row = [kind; 7];
        row[1..5].copy_from_slice(&(second as u32).to_be_bytes());
        row[5..].copy_from_slice(&(third as u16).to_be_bytes());
        row
    }
}

/// Writes the cross-reference of an incremental update, which names changed and new objects only and leads to that of `before`.
pub(crate) fn write_update(
    out: &mut Vec<u8>,
    number: usize,
    mut entries: Vec<(usize, Entry)>,
    before: &Packed<'_>,
    deflater: &mut Deflater,
) -> Result<(), Error> {
    let start = out.len();
    entries.push((number, Entry::At(start)));
    entries.sort_unstable_by_key(|(number, _)| *number);
    let mut index = String::new();
    for run in entries.chunk_by(|(one, _), (next, _)| one + 1 == *next) {
        index.extend([format!("{} {} ", run[0].0, run.len())]);
    }
    let data: Vec<u8> = entries.iter().flat_map(|(_, entry)| entry.row()).collect();
    let dictionary = format!(
        "/Type/XRef/W[1 4 2]/Index[{}]/Size {}/Prev {}{}",
        index.trim_end(),
        number + 1,
        before.start,
        before.trailer
    );
    write_stream(out, number, &dictionary, &data, deflater)?;
    out.extend_from_slice(format!("startxref\n{start}\n%%EOF").as_bytes());
    Ok(())
}

/// The parts of a file with a cross-reference table.
struct Classic<'a> {
    /// Before the first object.
    header: &'a [u8],
    /// The bodies, by object number; `None` for free numbers.
    objects: Vec<Option<&'a [u8]>>,
    /// The trailer's entries but `Size`.
    trailer: &'a [u8],
}

impl<'a> Classic<'a> {
    fn read(pdf: &'a [u8]) -> Option<Self> {
        let table = number_after(pdf, find_last(pdf, b"startxref")? + b"startxref".len())?;
        let mut lines = pdf.get(table..)?.split(|byte| *byte == b'\n');
        (trim(lines.next()?) == b"xref").then_some(())?;
        let head = std::str::from_utf8(trim(lines.next()?)).ok()?;
        let count: usize = head.strip_prefix("0 ")?.parse().ok()?;
        let mut offsets = Vec::with_capacity(count);
        for line in lines.by_ref().take(count) {
            let line = std::str::from_utf8(trim(line)).ok()?;
            let offset: usize = line.get(..10)?.parse().ok()?;
            offsets.push(line.ends_with('n').then_some(offset));
        }
        let mut ends: Vec<usize> = offsets.iter().flatten().copied().chain([table]).collect();
        ends.sort_unstable();
        let header = pdf.get(..*ends.first()?)?;
        let mut objects = Vec::with_capacity(count);
        for offset in offsets {
            let Some(offset) = offset else {
                objects.push(None);
                continue;
            };
            let end = *ends.get(ends.partition_point(|end| *end <= offset))?;
            let object = trim(pdf.get(offset..end)?).strip_suffix(b"endobj")?;
            let body = object.get(object.windows(3).position(|window| window == b"obj")? + 3..)?;
            objects.push(Some(trim(body)));
        }
        Some(Self { header, objects, trailer: trailer(pdf.get(table..)?)? })
    }
}

/// The entries between the trailer's brackets, without `Size`, which the writer puts first.
fn trailer(tail: &[u8]) -> Option<&[u8]> {
    let start = find_last(tail, b"trailer")?;
    let end = find_last(tail, b">>")?;
    let inside = trim(trim(tail.get(start + b"trailer".len()..end)?).strip_prefix(b"<<")?);
    let rest = trim(inside.strip_prefix(b"/Size")?);
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    Some(trim(rest.get(digits..)?))
}

fn number_after(bytes: &[u8], at: usize) -> Option<usize> {
    let digits: Vec<u8> = trim(bytes.get(at..)?).iter().copied().take_while(u8::is_ascii_digit).collect();
    std::str::from_utf8(&digits).ok()?.parse().ok()
}

fn find_last(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).rposition(|window| window == what)
}

fn trim(bytes: &[u8]) -> &[u8] {
    bytes.trim_ascii()
}
