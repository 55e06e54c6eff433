//! Where things stand in a PDF: pages count from 0, heights are points from the top of the page.

use std::collections::HashMap;

use lopdf::{Dictionary, Document, Object, ObjectId, content::Content};

use super::paper::{children, dictionary, resolve, texts};

/// What the outline or a link leads to.
#[derive(Clone, Debug, PartialEq)]
pub struct Target {
    pub page: usize,
    pub y: f32,
}

/// An entry of the outline.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// 1 at the top.
    pub depth: usize,
    pub title: String,
    pub target: Target,
}

/// A link.
#[derive(Clone, Debug, PartialEq)]
pub struct Link {
    pub page: usize,
    /// What is said of it to who does not see it.
    pub says: String,
    pub target: Target,
}

/// An element of the structure that stands somewhere: a heading or a row of a table.
#[derive(Clone, Debug, PartialEq)]
pub struct Element {
    /// `H1` to `H3`, or `TR`.
    pub kind: String,
    /// The element it stands in.
    pub parent: String,
    pub text: String,
    pub page: usize,
    /// Of its first text's baseline.
    pub y: f32,
}

/// A PDF, opened.
pub struct Places {
    document: Document,
    pages: Vec<ObjectId>,
}

impl Places {
    pub fn of(pdf: &[u8]) -> Self {
        let document = Document::load_mem(pdf).expect("a PDF");
        let pages = document.get_pages().into_values().collect();
        Self { document, pages }
    }

    fn catalog(&self) -> &Dictionary {
        self.document.catalog().expect("a catalog")
    }

    /// The language of the whole.
    pub fn language(&self) -> String {
        text(self.catalog().get(b"Lang").expect("a language"))
    }

    /// The outline, in its order.
    pub fn outline(&self) -> Vec<Entry> {
        let mut entries = Vec::new();
        self.entries(dictionary(&self.document, self.catalog().get(b"Outlines").expect("an outline")), 1, &mut entries);
        entries
    }

    fn entries(&self, parent: &Dictionary, depth: usize, entries: &mut Vec<Entry>) {
        let mut next = parent.get(b"First").ok();
        while let Some(entry) = next {
            let entry = dictionary(&self.document, entry);
            let title = text(resolve(&self.document, entry.get(b"Title").expect("a title")));
            entries.push(Entry { depth, title, target: self.target(entry) });
            self.entries(entry, depth + 1, entries);
            next = entry.get(b"Next").ok();
        }
    }

    /// All links, page by page.
    pub fn links(&self) -> Vec<Link> {
        let mut links = Vec::new();
        for (page, id) in self.pages.iter().enumerate() {
            let annotations = self.document.get_dictionary(*id).expect("a page").get(b"Annots");
            let annotations = annotations.map(|all| resolve(&self.document, all).as_array().expect("a list"));
            for annotation in annotations.into_iter().flatten() {
                let annotation = dictionary(&self.document, annotation);
                let says = text(annotation.get(b"Contents").expect("words"));
                links.push(Link { page, says, target: self.target(annotation) });
            }
        }
        links
    }

    fn target(&self, of: &Dictionary) -> Target {
        let destination = of.get(b"Dest").unwrap_or_else(|_| {
            let action = dictionary(&self.document, of.get(b"A").expect("an action"));
            let kind = action.get(b"S").and_then(Object::as_name).expect("a kind");
            assert_eq!(kind, b"GoTo", "it stays in the document");
            action.get(b"D").expect("a destination")
        });
        let [page, kind, _, top, ..] = &resolve(&self.document, destination).as_array().expect("a place")[..] else {
            panic!("a page and a point on it");
        };
        assert_eq!(kind.as_name().expect("a kind"), b"XYZ");
        let id = page.as_reference().expect("a page");
        let page = self.pages.iter().position(|page| *page == id).expect("a page of the document");
        Target { page, y: self.height(page) - top.as_float().expect("a height") }
    }

    fn height(&self, page: usize) -> f32 {
        let page = self.document.get_dictionary(self.pages[page]).expect("a page");
        let media = resolve(&self.document, page.get(b"MediaBox").expect("a size")).as_array().expect("a box");
        media[3].as_float().expect("a height")
    }

    /// Headings and rows, in the order in which they are read.
    pub fn elements(&self) -> Vec<Element> {
        let marked = texts(&self.document).0;
        let baselines = self.baselines();
        let root = dictionary(&self.document, self.catalog().get(b"StructTreeRoot").expect("a structure tree"));
        let mut walk = Walk { places: self, marked, baselines, elements: Vec::new() };
        walk.children(root, "");
        walk.elements
    }

    /// Where the first text of each piece of marked content stands.
    fn baselines(&self) -> HashMap<(ObjectId, i64), f32> {
        let mut baselines = HashMap::new();
        for page in &self.pages {
            let content = Content::decode(&self.document.get_page_content(*page)).expect("operations");
            let (mut open, mut y) = (Vec::new(), 0.0);
            for operation in content.operations {
                match &*operation.operator {
                    "BDC" | "BMC" => {
                        let properties = operation.operands.get(1).and_then(|object| object.as_dict().ok());
                        let number = properties.and_then(|p| p.get(b"MCID").ok()?.as_i64().ok());
                        open.push(number.or_else(|| open.last().copied().flatten()));
                    }
                    "EMC" => drop(open.pop()),
                    // The axis is turned: heights count from the top.
                    "cm" => assert!(operation.operands[3].as_float().is_ok_and(|turn| turn < 0.0)),
                    "Tm" => y = operation.operands[5].as_float().expect("a height"),
                    "Tj" | "TJ" => {
                        if let Some(Some(number)) = open.last() {
                            baselines.entry((*page, *number)).or_insert(y);
                        }
                    }
                    _ => {}
                }
            }
        }
        baselines
    }
}

struct Walk<'p> {
    places: &'p Places,
    marked: HashMap<(ObjectId, i64), String>,
    baselines: HashMap<(ObjectId, i64), f32>,
    elements: Vec<Element>,
}

impl<'p> Walk<'p> {
    fn children(&mut self, element: &'p Dictionary, parent: &str) {
        for child in children(&self.places.document, element) {
            let Ok(child) = resolve(&self.places.document, child).as_dict() else { continue };
            let Ok(kind) = child.get(b"S").and_then(Object::as_name) else { continue };
            let kind = String::from_utf8_lossy(kind).into_owned();
            if !matches!(&*kind, "H1" | "H2" | "H3" | "TR") {
                self.children(child, &kind);
                continue;
            }
            let mut content = Vec::new();
            self.content(child, &mut content);
            let text = content.iter().filter_map(|at| self.marked.get(at)).map(String::as_str).collect();
            let first = content.iter().find(|at| self.baselines.contains_key(at));
            let first = first.unwrap_or_else(|| panic!("{kind} {text} stands somewhere"));
            let page = self.places.pages.iter().position(|page| *page == first.0).expect("a page");
            let (parent, y) = (parent.to_owned(), self.baselines[first]);
            self.elements.push(Element { kind, parent, text, page, y });
        }
    }

    /// The marked content inside an element.
    fn content(&self, element: &'p Dictionary, content: &mut Vec<(ObjectId, i64)>) {
        let page = element.get(b"Pg").and_then(Object::as_reference).ok();
        for child in children(&self.places.document, element) {
            match resolve(&self.places.document, child) {
                Object::Integer(number) => content.push((page.expect("a page"), *number)),
                Object::Dictionary(kid) if kid.has(b"MCID") => {
                    let page = kid.get(b"Pg").and_then(Object::as_reference).ok().or(page).expect("a page");
                    content.push((page, kid.get(b"MCID").and_then(Object::as_i64).expect("a number")));
                }
                Object::Dictionary(kid) => self.content(kid, content),
                _ => {}
            }
        }
    }
}

fn text(object: &Object) -> String {
    lopdf::decode_text_string(object).expect("text")
}
