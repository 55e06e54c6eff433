//! From pages to PDF: marked content, links, outline, metadata; then packed.

mod reading;

use krilla::{
    Document, SerializeSettings,
    action::LinkAction,
    annotation::{Annotation, LinkAnnotation, Target},
    color::rgb,
    configure::{Accessibility, Archival, ConfigurationBuilder},
    destination::XyzDestination,
    embed::{AssociationKind, EmbeddedFile, MimeType},
    error::KrillaError,
    geom::{Path, PathBuilder, Point, Rect},
    metadata::{DateTime, Metadata, PageLayout, TextDirection},
    outline::{Outline, OutlineNode},
    page::PageSettings,
    paint::{Fill, Stroke, StrokeDash},
    surface::Surface,
    tagging::{Artifact, ArtifactType, ContentTag, SpanTag},
    text::KrillaGlyph,
};

use chrono::{Datelike, NaiveDate};

use crate::{
    Error,
    compose::Composition,
    flow::{Pages, Sheet, Start},
    fonts::FontSet,
    frame::{Ink, Item, Mark},
    layout::{Colour, Layout},
    pack::pack,
    tags::Painted,
    text::Run,
    view::View,
};

/// The name of the record inside the document.
const RECORD_NAME: &str = "school-records-summary.json";

/// Writes the document; with the record inside, as PDF/A-3a instead of 2a.
pub(crate) fn paint(
    composition: Composition,
    view: &View,
    layout: &Layout,
    fonts: &FontSet,
    record: Option<Vec<u8>>,
) -> Result<Vec<u8>, Error> {
    let configuration = ConfigurationBuilder::new()
        .with_archival_validator(if record.is_some() { Archival::A3_A } else { Archival::A2_A })
        .with_accessibility_validator(Accessibility::UA1)
        .finish()
        .map_err(|error| Error::Corrupt(format!("{error:?}")))?;
    // Packing deflates them.
    let settings = SerializeSettings { configuration, compress_content_streams: false, ..SerializeSettings::default() };
    let mut document = Document::new_with(settings);
    let mut painted = vec![Painted::default(); composition.tags.leaf_count()];
    let mut said = reading::Said::default();
    let Pages { sheets, starts } = &composition.pages;
    for (index, sheet) in sheets.iter().enumerate() {
        let settings = PageSettings::from_wh(layout.page.width, layout.page.height)
            .ok_or_else(|| Error::Corrupt("the page has no size".to_owned()))?;
        let mut page = document.start_page_with(settings);
        let mut surface = page.surface();
        let mut brush =
            Brush { surface: &mut surface, fonts, said: &mut said, painted: &mut painted, page: index, open: None };
        brush.sheet(sheet);
        surface.finish();
        for item in &sheet.content {
            if let (Some(annotation), Mark::Leaf(leaf)) = (jump(item, starts), item.mark) {
                painted[leaf.0].ids.push(page.add_tagged_annotation(annotation));
            }
        }
        page.finish();
    }
    if let Some(record) = record {
        let attached = EmbeddedFile {
            path: RECORD_NAME.to_owned(),
            mime_type: MimeType::new("application/json"),
            description: Some(layout.words.title.clone()),
            association_kind: AssociationKind::Source,
            data: record.into(),
            modification_date: Some(midnight(view.report_day)),
            compress: Some(true),
            location: None,
        };
        document.embed_file(attached).ok_or_else(|| Error::Corrupt("the record could not be attached".to_owned()))?;
    }
    document.set_outline(outline(starts));
    document.set_metadata(metadata(view, layout));
    document.set_tag_tree(composition.tags.into_tree(&painted, &layout.words.language));
    let pdf = document.finish().map_err(|error| explain(&error))?;
    pack(&pdf)
}

/// The writer's complaints by kind; what they are about may be a value of the record.
fn explain(error: &KrillaError) -> Error {
    let text = match error {
        KrillaError::Validation(errors) => {
            let mut kinds: Vec<String> = errors
                .iter()
                .map(|(error, _)| format!("{error:?}").chars().take_while(char::is_ascii_alphabetic).collect())
                .collect();
            kinds.sort();
            kinds.dedup();
            format!("validation: {}", kinds.join(", "))
        }
        KrillaError::Font(..) => "a font cannot be embedded".to_owned(),
        other => format!("{other:?}").chars().take_while(char::is_ascii_alphabetic).collect(),
    };
    Error::Corrupt(text)
}

fn jump(item: &Item, starts: &[Start]) -> Option<Annotation> {
    let Ink::Jump { width, height, to, says } = &item.ink else { return None };
    let rect = Rect::from_xywh(item.x, item.y, *width, *height)?;
    let target = match starts.iter().find(|start| start.section == *to) {
        Some(start) => Target::Destination(destination(start).into()),
        // Cannot happen: references resolve to sections that were placed.
        None => Target::Action(LinkAction::new(String::new()).into()),
    };
    Some(Annotation::new_link(LinkAnnotation::new(rect, target), Some(says.clone())))
}

fn destination(start: &Start) -> XyzDestination {
    XyzDestination::new(start.page, Point::from_xy(0.0, (start.y - 8.0).max(0.0)))
}

/// Headings of the second level, with those of the third below them.
fn outline(starts: &[Start]) -> Outline {
    let mut outline = Outline::new();
    let mut open: Option<OutlineNode> = None;
    for start in starts {
        let node = OutlineNode::new(start.title.clone(), destination(start)).with_open(true);
        match (&mut open, start.level) {
            (Some(parent), 3) => parent.push_child(node),
            _ => {
                if let Some(done) = open.replace(node) {
                    outline.push_child(done);
                }
            }
        }
    }
    if let Some(done) = open {
        outline.push_child(done);
    }
    outline
}

/// No name and no identifier of the student: a viewer shows the title in its window, and file systems index it.
fn metadata(view: &View, layout: &Layout) -> Metadata {
    let day = view.report_day;
    let words = &layout.words;
    Metadata::new()
        .title(format!("{}, {}", words.title, view.report_date))
        .authors(vec![words.author.clone()])
        .creator("Throughline".to_owned())
        .producer(concat!("Throughline summary ", env!("CARGO_PKG_VERSION")).to_owned())
        .language(words.language.clone())
        .text_direction(TextDirection::LeftToRight)
        .page_layout(PageLayout::SinglePage)
        .creation_date(midnight(day))
}

fn midnight(day: NaiveDate) -> DateTime {
    DateTime::new(day.year().clamp(0, 9999) as u16)
        .month(day.month() as u8)
        .day(day.day() as u8)
        .hour(0)
        .minute(0)
        .second(0)
        .utc_offset_hour(0)
}

/// Paints one page.
struct Brush<'a, 's> {
    surface: &'a mut Surface<'s>,
    fonts: &'a FontSet,
    /// What glyphs stand for, over the whole document.
    said: &'a mut reading::Said,
    painted: &'a mut [Painted],
    page: usize,
    /// Whose content is being painted.
    open: Option<Mark>,
}

impl Brush<'_, '_> {
    fn sheet(&mut self, sheet: &Sheet) {
        self.decor(&sheet.decor);
        for item in &sheet.content {
            match &item.ink {
                Ink::Text { line, colour } => {
                    for run in &line.runs {
                        self.begin(item.mark, run.actual.as_deref());
                        self.run(run, (item.x + run.x, item.y), line.size, *colour);
                        if run.actual.is_some() {
                            self.end();
                        }
                    }
                }
                Ink::Band { width, height, colour } => {
                    self.begin(item.mark, None);
                    self.band((item.x, item.y), (*width, *height), *colour);
                }
                Ink::Rule { dx, dy, width, colour, dashed } => {
                    self.begin(item.mark, None);
                    self.rule((item.x, item.y), (*dx, *dy), *width, (*colour, *dashed));
                }
                Ink::Bounds { width, height } => {
                    if let Mark::Leaf(leaf) = item.mark {
                        self.painted[leaf.0].bounds =
                            Rect::from_xywh(item.x, item.y, *width, *height).map(|rect| (self.page, rect));
                    }
                }
                Ink::Jump { .. } | Ink::PageOf { .. } | Ink::Anchor { .. } => {}
            }
        }
        self.end();
    }

    /// Bands, then lines, those of one look in one path, then text: few operators for what a page has most of.
    fn decor(&mut self, items: &[Item]) {
        if items.is_empty() {
            return;
        }
        self.begin(Mark::Decor, None);
        let mut looks: Vec<(f32, Colour, bool, PathBuilder)> = Vec::new();
        for item in items {
            match &item.ink {
                Ink::Band { width, height, colour } => self.band((item.x, item.y), (*width, *height), *colour),
                Ink::Rule { dx, dy, width, colour, dashed } => {
                    let known = looks.iter().position(|look| (look.0, look.1, look.2) == (*width, *colour, *dashed));
                    let at = known.unwrap_or_else(|| {
                        looks.push((*width, *colour, *dashed, PathBuilder::new()));
                        looks.len() - 1
                    });
                    let path = &mut looks[at].3;
                    path.move_to(round(item.x), round(item.y));
                    path.line_to(round(item.x + dx), round(item.y + dy));
                }
                _ => {}
            }
        }
        for (width, colour, dashed, path) in looks {
            self.stroke(path.finish(), width, (colour, dashed));
        }
        for item in items {
            if let Ink::Text { line, colour } = &item.ink {
                for run in &line.runs {
                    self.run(run, (item.x + run.x, item.y), line.size, *colour);
                }
            }
        }
    }

    /// Opens marked content for an item, unless it is open already. Text that glyphs only stand for gets its own.
    fn begin(&mut self, mark: Mark, actual: Option<&str>) {
        if self.open == Some(mark) && actual.is_none() {
            return;
        }
        self.end();
        let artifact = |kind| ContentTag::Artifact(Artifact::with_kind(kind));
        let id = match (mark, actual) {
            (Mark::Decor, _) => self.surface.start_tagged(artifact(ArtifactType::Layout)),
            (Mark::Header, _) => self.surface.start_tagged(artifact(ArtifactType::Header)),
            (Mark::Footer, _) => self.surface.start_tagged(artifact(ArtifactType::Footer)),
            (Mark::Leaf(_), None) => self.surface.start_tagged(ContentTag::Other),
            (Mark::Leaf(_), Some(actual)) => {
                self.surface.start_tagged(ContentTag::Span(SpanTag::empty().with_actual_text(Some(actual))))
            }
        };
        if let Mark::Leaf(leaf) = mark {
            self.painted[leaf.0].ids.push(id);
        }
        self.open = Some(mark);
    }

    fn end(&mut self) {
        if self.open.take().is_some() {
            self.surface.end_tagged();
        }
    }

    fn run(&mut self, run: &Run, (x, y): (f32, f32), size: f32, colour: Colour) {
        self.surface.set_stroke(None);
        self.surface.set_fill(Some(fill(colour)));
        let font = self.fonts.face(run.face).font.clone();
        let mut draw = |glyphs: &[KrillaGlyph], before: f32| {
            let start = Point::from_xy(round(x + before * size), round(y));
            self.surface.draw_glyphs(start, glyphs, font.clone(), &run.text, size, false);
        };
        if FontSet::is_main(run.face) && !run.is_rtl {
            return draw(&run.glyphs, 0.0);
        }
        for (glyphs, before) in self.said.stretches(run, self.fonts) {
            draw(&run.glyphs[glyphs], before);
        }
    }

    fn band(&mut self, (x, y): (f32, f32), (width, height): (f32, f32), colour: Colour) {
        let mut path = PathBuilder::new();
        if let Some(rect) = Rect::from_xywh(round(x), round(y), round(width), round(height)) {
            path.push_rect(rect);
        }
        if let Some(path) = path.finish() {
            self.surface.set_stroke(None);
            self.surface.set_fill(Some(fill(colour)));
            self.surface.draw_path(&path);
        }
    }

    fn rule(&mut self, (x, y): (f32, f32), (dx, dy): (f32, f32), width: f32, (colour, dashed): (Colour, bool)) {
        let mut path = PathBuilder::new();
        path.move_to(round(x), round(y));
        path.line_to(round(x + dx), round(y + dy));
        self.stroke(path.finish(), width, (colour, dashed));
    }

    fn stroke(&mut self, path: Option<Path>, width: f32, (colour, dashed): (Colour, bool)) {
        let Some(path) = path else { return };
        let dash = dashed.then(|| StrokeDash { array: vec![2.4, 1.8], offset: 0.0 });
        self.surface.set_fill(None);
        self.surface.set_stroke(Some(Stroke { paint: rgb(colour).into(), width, dash, ..Stroke::default() }));
        self.surface.draw_path(&path);
        self.surface.set_stroke(None);
    }
}

/// To hundredths of a point: finer differences cost bytes and show nothing.
fn round(length: f32) -> f32 {
    (length * 100.0).round() / 100.0
}

fn rgb(colour: Colour) -> rgb::Color {
    rgb::Color::new(colour.0, colour.1, colour.2)
}

fn fill(colour: Colour) -> Fill {
    Fill { paint: rgb(colour).into(), ..Fill::default() }
}
