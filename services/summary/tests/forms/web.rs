//! Reads a page back.

use std::collections::HashMap;

use quick_xml::{
    Reader, XmlVersion,
    events::{BytesStart, Event},
};

use super::piece::{Piece, plain};

/// Everything said in `main`; links to other parts of the page are left out.
pub fn read(html: &[u8]) -> Vec<Piece> {
    let text = std::str::from_utf8(html).expect("UTF-8");
    let body = text.split_once("<main>").expect("a body").1.split_once("</main>").expect("an end").0;
    for forbidden in ["<script", "javascript:", "src=", "http:", "https:", "url("] {
        assert!(!text.contains(forbidden), "{forbidden}");
    }
    let mut walk = Walk::default();
    let mut reader = Reader::from_str(body);
    reader.config_mut().check_end_names = true;
    loop {
        match reader.read_event().expect("well-formed") {
            Event::Start(tag) => walk.open(&tag),
            Event::Empty(tag) => {
                walk.open(&tag);
                walk.close();
            }
            Event::End(_) => walk.close(),
            Event::Text(text) => walk.text(&text),
            Event::GeneralRef(name) => walk.text(match &*name {
                "amp" => "&",
                "lt" => "<",
                "gt" => ">",
                "quot" => "\"",
                other => panic!("&{other};"),
            }),
            Event::Eof => return walk.pieces,
            other => panic!("{other:?}"),
        }
    }
}

#[derive(Default)]
struct Walk {
    pieces: Vec<Piece>,
    open: Vec<String>,
    text: String,
    /// The depth inside what is not read.
    silent: usize,
    in_head: bool,
    head: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Walk {
    fn open(&mut self, tag: &BytesStart<'_>) {
        let name = tag.name().as_ref().to_owned();
        let attributes: HashMap<String, String> = tag
            .attributes()
            .map(|attribute| {
                let attribute = attribute.expect("an attribute");
                let value = attribute.normalized_value(XmlVersion::Implicit1_0).expect("a value").into_owned();
                (attribute.key.as_ref().to_owned(), value)
            })
            .collect();
        self.open.push(name.clone());
        if self.silent > 0 {
            self.silent += 1;
            return;
        }
        match (&*name, attributes.get("role").map(String::as_str), attributes.get("class").map(String::as_str)) {
            ("div", Some("img"), _) => {
                self.pieces.push(Piece::Figure(plain(&attributes["aria-label"])));
                self.silent = 1;
            }
            ("p", _, Some("full")) => self.silent = 1,
            ("table" | "dl", ..) => (self.head, self.rows) = (Vec::new(), Vec::new()),
            ("thead", ..) => self.in_head = true,
            ("tbody", ..) => self.in_head = false,
            ("tr", ..) if !self.in_head => self.rows.push(Vec::new()),
            _ => {}
        }
        self.text.clear();
    }

    fn text(&mut self, text: &str) {
        if self.silent == 0 {
            self.text.push_str(text);
        }
    }

    fn close(&mut self) {
        let name = self.open.pop().expect("an open element");
        if self.silent > 0 {
            self.silent -= 1;
            return;
        }
        let text = plain(&std::mem::take(&mut self.text));
        match &*name {
            "h1" | "h2" | "h3" => self.pieces.push(Piece::Heading(name.as_bytes()[1] - b'0', text)),
            "p" => self.pieces.push(Piece::Paragraph(text)),
            "li" => self.pieces.push(Piece::Item(text)),
            "dt" => self.head.push(text),
            "dd" => match self.rows.first_mut() {
                Some(row) => row.push(text),
                None => self.rows.push(vec![text]),
            },
            "th" if self.in_head => self.head.push(text),
            "th" | "td" => self.rows.last_mut().expect("a row").push(text),
            "table" | "dl" => self
                .pieces
                .push(Piece::Table { head: std::mem::take(&mut self.head), rows: std::mem::take(&mut self.rows) }),
            _ => {}
        }
    }
}
