//! Renderers: fonts parsed once, used for many documents by many threads.

use std::{
    borrow::Cow,
    path::PathBuf,
    sync::{Mutex, MutexGuard, OnceLock, PoisonError},
};

use serde::Deserialize;

use crate::{
    Error,
    brief::compose_brief,
    compose::{Composition, compose},
    fonts::{FontSet, Weight},
    frame::{Ink, Mark},
    html::{self, Marks},
    layout::{Extent, Kind, Language, Layout, Section, shipped},
    message,
    model::Summary,
    paint::paint,
    sign::{Seal, sign},
    text::{Memory, Typesetter},
    view::{CellText, SectionView, View},
};

/// Where a summary comes from, which decides what it may say of itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Origin {
    /// From a file, without a disclosure: marked as not issued by the exchange, and without a code.
    #[default]
    File,
    /// From a disclosure that the exchange recorded: carries the code, which must be there.
    Exchange,
}

/// What is made. All forms say the same; the one-page print says less of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Form {
    /// PDF/A-2a and PDF/UA-1.
    #[default]
    Pdf,
    /// PDF/A-3a and PDF/UA-1 with the record inside, as `school-records-summary/1`.
    PdfWithRecord,
    /// One page of it, PDF/A-2a and PDF/UA-1.
    OnePage,
    /// A web page, WCAG 2.2 AA.
    Html,
    /// The record, `school-records-summary/1`.
    Json,
    /// The typed message, `throughline.summary.v1.SchoolRecordsSummary`, encoded.
    Message,
}

impl Form {
    /// How its files' names end.
    pub const fn extension(self) -> &'static str {
        match self {
            Self::Pdf | Self::PdfWithRecord | Self::OnePage => "pdf",
            Self::Html => "html",
            Self::Json => "json",
            Self::Message => "binpb",
        }
    }

    /// Its media type.
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Pdf | Self::PdfWithRecord | Self::OnePage => "application/pdf",
            Self::Html => "text/html; charset=utf-8",
            Self::Json => "application/json",
            Self::Message => "application/x-protobuf",
        }
    }

    /// Whether it can carry a signature.
    pub const fn is_signable(self) -> bool {
        matches!(self, Self::Pdf | Self::PdfWithRecord | Self::OnePage)
    }
}

/// What may differ from document to document.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RenderOptions {
    /// Where the summary comes from.
    pub origin: Origin,
    /// What is made.
    pub form: Form,
    /// The language of headings and of our wording.
    pub language: Language,
}

/// What a renderer is made with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RendererOptions {
    /// A TrueType or OpenType font, or a folder of such, asked after the embedded ones: of a folder those of regular weight first, then by file name.
    pub extra_fonts: Option<PathBuf>,
}

/// The most memories that wait for the next document: that many threads find one.
const MEMORIES_MAX: usize = 8;
/// A memory that holds more texts than this is given up.
const MEMORY_TEXTS_MAX: usize = 12_000;

/// Makes documents. Shared by threads; each thread that makes many from files takes a [`Worker`].
///
/// From one document to the next it remembers how words are set that are no client's: its own wording, and names of schools, districts and
/// towns. What else a document says is forgotten with it.
pub struct Renderer {
    fonts: FontSet,
    memories: Mutex<Vec<Memory>>,
}

impl Renderer {
    /// Parses the fonts.
    pub fn new(options: &RendererOptions) -> Result<Self, Error> {
        Ok(Self { fonts: FontSet::new(options.extra_fonts.as_deref())?, memories: Mutex::default() })
    }

    /// Renders one document.
    pub fn render(&self, summary: &Summary, options: RenderOptions) -> Result<Vec<u8>, Error> {
        let memory = self.memories().pop().unwrap_or_default();
        let setter = Typesetter::with_memory(&self.fonts, memory);
        let mut worker = Worker { fonts: &self.fonts, setter, without_glyph: 0 };
        let document = worker.render(summary, options);
        let memory = worker.setter.into_memory();
        let mut memories = self.memories();
        if memories.len() < MEMORIES_MAX && memory.len() <= MEMORY_TEXTS_MAX {
            memories.push(memory);
        }
        document
    }

    fn memories(&self) -> MutexGuard<'_, Vec<Memory>> {
        // Whoever panics with it has not changed it.
        self.memories.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) const fn fonts(&self) -> &FontSet {
        &self.fonts
    }

    /// One thread's part of a renderer, for a run over files: it remembers all the words it has shaped, as long as it lives.
    pub fn worker(&self) -> Worker<'_> {
        Worker { fonts: &self.fonts, setter: Typesetter::new(&self.fonts), without_glyph: 0 }
    }

    /// The scripts of names that people really have and that none of the fonts has: they are printed as U+FFFD.
    pub fn missing_scripts(&self) -> Vec<&'static str> {
        const SAMPLES: [(&str, &str); 3] = [("Chinese", "王"), ("Japanese", "あ"), ("Korean", "김")];
        let missing = SAMPLES.into_iter().filter(|(_, sample)| self.fonts.find_face(Weight::Regular, sample).is_none());
        missing.map(|(script, _)| script).collect()
    }
}

/// See [`Renderer::worker`]. What it remembers changes how fast it is, never what it makes.
pub struct Worker<'r> {
    fonts: &'r FontSet,
    setter: Typesetter<'r>,
    without_glyph: usize,
}

impl Worker<'_> {
    /// How many marks in the last document's content stand for a character that no font has: a name counts each time it is printed.
    pub const fn without_glyph(&self) -> usize {
        self.without_glyph
    }

    /// Renders one document.
    pub fn render(&mut self, summary: &Summary, options: RenderOptions) -> Result<Vec<u8>, Error> {
        let extent = if options.form == Form::OnePage { Extent::Brief } else { Extent::Whole };
        let layout = shipped(options.language, extent);
        let view = View::new(summary, options.origin, layout)?;
        self.setter.let_remember(organizations(&view, layout));
        self.without_glyph = 0;
        match options.form {
            Form::Html => Ok(html::page(&view, layout).into_bytes()),
            Form::Json => record(summary, options.origin),
            Form::Message => Ok(message::encode(&issued(summary, options.origin))),
            Form::OnePage => {
                let (view, composition) = compose_brief(&view, layout, &mut self.setter)?;
                self.count_replaced(&composition);
                paint(composition, &view, layout, self.fonts, None)
            }
            Form::Pdf | Form::PdfWithRecord => {
                let record =
                    (options.form == Form::PdfWithRecord).then(|| record(summary, options.origin)).transpose()?;
                let composition = compose(&view, layout, &mut self.setter);
                self.count_replaced(&composition);
                paint(composition, &view, layout, self.fonts, record)
            }
        }
    }
}

impl Worker<'_> {
    fn count_replaced(&mut self, composition: &Composition) {
        if !self.setter.has_replaced() {
            return;
        }
        let content = composition.pages.sheets.iter().flat_map(|sheet| &sheet.content);
        let runs = content.filter(|item| matches!(item.mark, Mark::Leaf(_))).flat_map(|item| match &item.ink {
            Ink::Text { line, .. } => line.runs.as_slice(),
            _ => &[],
        });
        self.without_glyph = runs.filter(|run| run.actual.is_some()).count();
    }
}

/// The columns that name organizations, or where they are.
const ORGANIZATIONS: [&str; 3] = ["school", "district", "town"];

fn organizations<'v>(view: &'v View, layout: &'v Layout) -> impl Iterator<Item = &'v str> {
    let sections = layout.sections.iter().zip(&view.sections);
    sections.flat_map(|(section, strings)| {
        strings.rows.iter().flat_map(|row| {
            let cells = section.columns.iter().zip(row);
            let named = cells.filter(|(column, cell)| cell.is_value && ORGANIZATIONS.contains(&&*column.key));
            named.map(|(_, cell)| &*cell.text)
        })
    })
}

/// The blocks of the web page as a part of another page, which brings [`WEB_STYLE`]. It has neither script nor style in it.
pub fn web_part(
    summary: &Summary,
    origin: Origin,
    language: Language,
    marks: Option<&Marks<'_>>,
) -> Result<String, Error> {
    let layout = shipped(language, Extent::Whole);
    Ok(html::part(&View::new(summary, origin, layout)?, layout, marks))
}

/// A block of the web page, as far as it tells what is new.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebBlock {
    /// Its id, the same in every language.
    pub id: &'static str,
    /// Its title in the language asked for; empty: it has none.
    pub title: String,
    /// What it says, row by row in the order of the page, the same in every language: of a card each value is a row. Its age is no part of it.
    pub rows: Vec<String>,
    /// Another block says it all, and more.
    pub is_repeated: bool,
}

/// What the blocks of the web page say.
pub fn web_blocks(summary: &Summary, origin: Origin, language: Language) -> Result<Vec<WebBlock>, Error> {
    // What is told apart is what English readers see.
    let plain = shipped(Language::English, Extent::Whole);
    let view = View::new(summary, origin, plain)?;
    let titled = shipped(language, Extent::Whole).sections.iter();
    let blocks = plain.sections.iter().zip(&view.sections).zip(titled);
    let blocks = blocks.filter(|((section, _), _)| matches!(section.kind, Kind::Card | Kind::Table));
    let blocks = blocks.map(|((section, strings), titled)| WebBlock {
        id: &section.id,
        title: titled.title.clone(),
        rows: said(section, strings),
        is_repeated: section.full.is_some(),
    });
    Ok(blocks.collect())
}

/// The ids and titles of the blocks of every web page that no other block repeats.
pub fn web_titles(language: Language) -> Vec<(&'static str, &'static str)> {
    let sections = shipped(language, Extent::Whole).sections.iter();
    let blocks = sections.filter(|one| matches!(one.kind, Kind::Card | Kind::Table) && one.full.is_none());
    blocks.map(|one| (one.id.as_str(), one.title.as_str())).collect()
}

/// Between the cells of a row.
const CELL: &str = "\u{1f}";

fn said(section: &Section, strings: &SectionView) -> Vec<String> {
    if let Some(message) = &strings.message {
        return std::iter::once(message).chain(&strings.note).cloned().collect();
    }
    let texts = |row: &Vec<CellText>| row.iter().map(|cell| cell.text.clone()).collect::<Vec<_>>();
    match (section.kind, strings.rows.first()) {
        (Kind::Card, Some(row)) => {
            section.columns.iter().zip(texts(row)).map(|(column, text)| [&column.key, CELL, &text].concat()).collect()
        }
        _ => strings.rows.iter().map(|row| texts(row).join(CELL)).chain(strings.note.clone()).collect(),
    }
}

/// The style sheet of the web page and of its parts.
pub const WEB_STYLE: &str = html::STYLE;

/// What may be said of a summary: one that was not issued carries no code.
fn issued(summary: &Summary, origin: Origin) -> Cow<'_, Summary> {
    match origin {
        Origin::Exchange => Cow::Borrowed(summary),
        Origin::File => Cow::Owned(Summary { code: None, ..summary.clone() }),
    }
}

fn record(summary: &Summary, origin: Origin) -> Result<Vec<u8>, Error> {
    serde_json::to_vec(&*issued(summary, origin))
        .map_err(|_| Error::Corrupt("the record could not be written".to_owned()))
}

/// Renders one document and signs it, where there is a key and the form can be signed: what leaves the exchange.
pub fn issue(
    renderer: &Renderer,
    summary: &Summary,
    options: RenderOptions,
    seal: Option<Seal<'_>>,
) -> Result<Vec<u8>, Error> {
    let document = renderer.render(summary, options)?;
    match seal {
        Some(seal) if options.form.is_signable() => sign(&document, seal),
        _ => Ok(document),
    }
}

/// Renders one document with the embedded fonts.
pub fn render(summary: &Summary, options: RenderOptions) -> Result<Vec<u8>, Error> {
    static RENDERER: OnceLock<Renderer> = OnceLock::new();
    if let Some(renderer) = RENDERER.get() {
        return renderer.render(summary, options);
    }
    let renderer = Renderer::new(&RendererOptions::default())?;
    RENDERER.get_or_init(|| renderer).render(summary, options)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::from_json;

    #[test]
    fn what_is_kept_for_the_next_document_is_no_clients() {
        let summary = from_json(include_bytes!("../fixtures/full.json")).expect("a summary");
        let renderer = Renderer::new(&RendererOptions::default()).expect("fonts");
        let options = RenderOptions { origin: Origin::Exchange, ..RenderOptions::default() };
        let first = renderer.render(&summary, options).expect("a PDF");
        let again = renderer.render(&summary, options).expect("a PDF");
        assert!(first == again, "what is remembered makes no difference");
        let memories = renderer.memories();
        assert_eq!(memories.len(), 1, "one thread needs one");
        let kept: Vec<&str> = memories[0].texts().collect();
        assert!(kept.contains(&"Harrowgate High School") && kept.contains(&"Attendance History"));
        let code = summary.code.as_deref().expect("a code");
        for private in
            ["Samplewright", "Juniper", "9900000017", "4/9/2008", "2008", "Dyslexia", "80.1", "Probation", code]
        {
            let found = kept.iter().find(|text| text.contains(private));
            assert!(found.is_none(), "{private}: {found:?}");
        }
    }
}
