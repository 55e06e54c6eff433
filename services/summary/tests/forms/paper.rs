//! Reads a PDF back as a screen reader does: the structure tree, and for each piece of marked content the characters that the fonts' own
//! tables give for its glyphs.

use std::collections::HashMap;

use lopdf::{Dictionary, Document, Object, ObjectId, content::Content};

use super::piece::{Piece, plain};

/// The text of a piece of marked content, by page and number.
pub(super) type Marked = HashMap<(ObjectId, i64), String>;

/// Everything said in the document's structure; links to other pages are left out.
pub fn read(pdf: &[u8]) -> Vec<Piece> {
    let document = Document::load_mem(pdf).expect("a PDF");
    let marked = texts(&document).0;
    let catalog = document.catalog().expect("a catalog");
    let root = dictionary(&document, catalog.get(b"StructTreeRoot").expect("a structure tree"));
    let mut walk = Walk { document: &document, marked: &marked, pieces: Vec::new() };
    for child in children(&document, root) {
        walk.element(child);
    }
    walk.pieces
}

/// How many pages there are.
pub fn page_count(pdf: &[u8]) -> usize {
    Document::load_mem(pdf).expect("a PDF").get_pages().len()
}

/// All text that stands in no structure: heads and feet of pages.
pub fn artifacts(pdf: &[u8]) -> String {
    artifacts_by_page(pdf).concat()
}

/// The same, page by page: tables repeat their heads in it.
pub fn artifacts_by_page(pdf: &[u8]) -> Vec<String> {
    texts(&Document::load_mem(pdf).expect("a PDF")).1.iter().map(|text| plain(text)).collect()
}

/// What stands behind marks of replacement.
pub fn replaced(pdf: &[u8]) -> Vec<String> {
    texts(&Document::load_mem(pdf).expect("a PDF")).2
}

/// The one file inside.
pub fn attachment(pdf: &[u8]) -> Vec<u8> {
    let document = Document::load_mem(pdf).expect("a PDF");
    let file = document.objects.values().find_map(|object| {
        let stream = object.as_stream().ok()?;
        (stream.dict.get(b"Type").ok()?.as_name().ok()? == b"EmbeddedFile").then_some(stream)
    });
    file.expect("an embedded file").decompressed_content().expect("its content")
}

pub(super) fn resolve<'d>(document: &'d Document, object: &'d Object) -> &'d Object {
    match object {
        Object::Reference(id) => document.get_object(*id).expect("an object"),
        other => other,
    }
}

pub(super) fn dictionary<'d>(document: &'d Document, object: &'d Object) -> &'d Dictionary {
    resolve(document, object).as_dict().expect("a dictionary")
}

pub(super) fn children<'d>(document: &'d Document, element: &'d Dictionary) -> Vec<&'d Object> {
    match element.get(b"K").map(|kids| resolve(document, kids)) {
        Ok(Object::Array(kids)) => kids.iter().collect(),
        Ok(kid) => vec![kid],
        Err(_) => Vec::new(),
    }
}

struct Walk<'d> {
    document: &'d Document,
    marked: &'d Marked,
    pieces: Vec<Piece>,
}

impl<'d> Walk<'d> {
    fn element(&mut self, object: &'d Object) {
        let Ok(element) = resolve(self.document, object).as_dict() else { return };
        let kind = element.get(b"S").and_then(Object::as_name).unwrap_or_default();
        let all = children(self.document, element);
        match kind {
            b"H1" | b"H2" | b"H3" => self.pieces.push(Piece::Heading(kind[1] - b'0', self.text(element))),
            b"P" if !all.iter().any(|child| self.is(child, b"Link")) => {
                self.pieces.push(Piece::Paragraph(self.text(element)));
            }
            b"LBody" => self.pieces.push(Piece::Item(self.text(element))),
            b"Figure" => {
                let alt = lopdf::decode_text_string(element.get(b"Alt").expect("a text alternative")).expect("text");
                self.pieces.push(Piece::Figure(plain(&alt)));
            }
            b"Table" => self.table(&all),
            b"P" => {}
            _ => all.into_iter().for_each(|child| self.element(child)),
        }
    }

    fn is(&self, object: &Object, kind: &[u8]) -> bool {
        let element = resolve(self.document, object).as_dict();
        element.is_ok_and(|element| element.get(b"S").and_then(Object::as_name).is_ok_and(|name| name == kind))
    }

    fn table(&mut self, parts: &[&'d Object]) {
        let (mut head, mut rows) = (Vec::new(), Vec::new());
        for part in parts {
            let is_head = self.is(part, b"THead");
            for row in children(self.document, dictionary(self.document, part)) {
                let cells = children(self.document, dictionary(self.document, row));
                let texts = cells.into_iter().map(|cell| self.text(dictionary(self.document, cell)));
                if is_head { head.extend(texts) } else { rows.push(texts.collect()) }
            }
        }
        self.pieces.push(Piece::Table { head, rows });
    }

    fn text(&self, element: &'d Dictionary) -> String {
        let mut out = String::new();
        self.collect(element, &mut out);
        plain(&out)
    }

    fn collect(&self, element: &'d Dictionary, out: &mut String) {
        let page = element.get(b"Pg").and_then(Object::as_reference).ok();
        for child in children(self.document, element) {
            match resolve(self.document, child) {
                Object::Integer(number) => out.push_str(&self.marked[&(page.expect("a page"), *number)]),
                Object::Dictionary(kid) if kid.has(b"MCID") => {
                    let page = kid.get(b"Pg").and_then(Object::as_reference).ok().or(page).expect("a page");
                    let number = kid.get(b"MCID").and_then(Object::as_i64).expect("a number");
                    out.push_str(&self.marked[&(page, number)]);
                }
                Object::Dictionary(kid) => self.collect(kid, out),
                _ => {}
            }
        }
    }
}

/// The text of all marked content, that of artifacts by page, and what marks of replacement stand for.
pub(super) fn texts(document: &Document) -> (Marked, Vec<String>, Vec<String>) {
    let (mut marked, mut artifacts, mut replaced) = (Marked::new(), Vec::new(), Vec::new());
    let mut said = String::new();
    for page in document.get_pages().into_values() {
        let mut artifact = String::new();
        let fonts: HashMap<Vec<u8>, HashMap<u16, String>> = document
            .get_page_fonts(page)
            .expect("fonts")
            .into_iter()
            .map(|(name, font)| (name, to_unicode(document, font)))
            .collect();
        let content = Content::decode(&document.get_page_content(page)).expect("operations");
        let mut font = Vec::new();
        // What is open: its number, whether what its glyphs stand for is said beside them, and whether they come in reverse.
        let mut open: Vec<(Option<i64>, bool, bool)> = Vec::new();
        for operation in content.operations {
            match &*operation.operator {
                "BDC" | "BMC" => {
                    let properties = operation.operands.get(1).and_then(|object| object.as_dict().ok());
                    let number = properties.and_then(|p| p.get(b"MCID").ok()?.as_i64().ok());
                    let number = number.or_else(|| open.last().and_then(|(number, ..)| *number));
                    let is_reversed = operation.operands[0].as_name().is_ok_and(|name| name == b"ReversedChars");
                    let actual = properties
                        .and_then(|p| p.get(b"ActualText").ok())
                        .map(|text| lopdf::decode_text_string(text).expect("text"));
                    let is_said = actual.is_some() || open.last().is_some_and(|(_, said, _)| *said);
                    open.push((number, is_said, is_reversed));
                    if let Some(actual) = &actual {
                        said.clone_from(actual);
                    }
                    if let Some(number) = number {
                        marked.entry((page, number)).or_default().push_str(&actual.unwrap_or_default());
                    }
                }
                "EMC" => drop(open.pop()),
                "Tf" => font = operation.operands[0].as_name().expect("a font").to_vec(),
                "Tj" | "TJ" => {
                    let (number, is_said, is_reversed) = open.last().copied().expect("text is marked");
                    let mut glyphs = shown(&operation.operands[0], &fonts[&font]);
                    if is_reversed {
                        let strings = operation.operands[0]
                            .as_array()
                            .map_or(1, |parts| parts.iter().filter(|part| matches!(part, Object::String(..))).count());
                        assert_eq!(strings, 1, "of several strings each could be read in reverse by itself");
                        glyphs.reverse();
                    }
                    let text = glyphs.concat();
                    match number {
                        _ if is_said && text.contains(char::REPLACEMENT_CHARACTER) => replaced.push(said.clone()),
                        _ if is_said => {}
                        Some(number) => marked.entry((page, number)).or_default().push_str(&text),
                        None => artifact.push_str(&text),
                    }
                }
                _ => {}
            }
        }
        artifacts.push(artifact);
    }
    (marked, artifacts, replaced)
}

/// What each glyph stands for, as they come.
fn shown<'f>(operand: &Object, font: &'f HashMap<u16, String>) -> Vec<&'f str> {
    match operand {
        Object::String(bytes, _) => bytes
            .chunks_exact(2)
            .map(|pair| font.get(&u16::from_be_bytes([pair[0], pair[1]])).map_or("", String::as_str))
            .collect(),
        Object::Array(parts) => parts.iter().flat_map(|part| shown(part, font)).collect(),
        _ => Vec::new(),
    }
}

/// A font's own table from glyphs to characters.
fn to_unicode(document: &Document, font: &Dictionary) -> HashMap<u16, String> {
    let map = resolve(document, font.get(b"ToUnicode").expect("a character map")).as_stream().expect("a stream");
    let text = String::from_utf8(map.decompressed_content().expect("content")).expect("text");
    let mut out = HashMap::new();
    let mut is_range = false;
    for line in text.lines() {
        is_range = if line.ends_with("beginbfrange") { true } else { is_range && !line.starts_with("endbfrange") };
        let codes: Vec<&str> = line.split('<').skip(1).filter_map(|part| part.split('>').next()).collect();
        let glyph = |code: &str| u16::from_str_radix(code, 16).expect("a glyph");
        match (&*codes, is_range) {
            ([from, to], false) if from.len() == 4 => drop(out.insert(glyph(from), utf16(to))),
            ([from, to, first], true) => {
                for (at, code) in (glyph(from)..=glyph(to)).enumerate() {
                    let first = u32::from_str_radix(first, 16).expect("a character") + at as u32;
                    out.insert(code, char::from_u32(first).expect("a character").to_string());
                }
            }
            _ => {}
        }
    }
    out
}

fn utf16(code: &str) -> String {
    let units: Vec<u16> = (0..code.len() / 4)
        .map(|at| u16::from_str_radix(&code[at * 4..at * 4 + 4], 16).expect("hexadecimal"))
        .collect();
    String::from_utf16(&units).expect("characters")
}
