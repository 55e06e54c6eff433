//! Putting frames on pages: what stays together, what is repeated, what goes where.

use std::collections::HashMap;

use crate::{
    frame::{Frame, Ink, Item, Mark},
    layout::{Layout, fill},
    table::Table,
    tags::{LeafId, Tags},
    text::{Base, Style, Typesetter},
    view::{View, isolate},
};

/// A table of at most this many rows moves to the next page rather than being cut.
const TOGETHER_ROWS_MAX: usize = 6;
/// A head stays with at least this many rows, and at least this many rows go to a new page.
const ROWS_MIN: usize = 2;

/// The share of the running head that name and identifier may take.
const RUNNING_SHARE: f32 = 0.7;

/// A page's items: what is nobody's content is painted first.
#[derive(Default)]
pub(crate) struct Sheet {
    pub decor: Vec<Item>,
    pub content: Vec<Item>,
}

impl Sheet {
    fn push(&mut self, item: Item) {
        if item.mark == Mark::Decor { self.decor.push(item) } else { self.content.push(item) }
    }
}

/// Where a section starts.
#[derive(Clone, Debug)]
pub(crate) struct Start {
    pub section: String,
    pub level: u16,
    pub title: String,
    pub page: usize,
    pub y: f32,
}

/// Pages in the making.
pub(crate) struct Flow<'a> {
    layout: &'a Layout,
    sheets: Vec<Sheet>,
    starts: Vec<Start>,
    y: f32,
    /// Headings that wait for what they stand above.
    waiting: Frame,
}

impl<'a> Flow<'a> {
    pub(crate) fn new(layout: &'a Layout) -> Self {
        Self {
            layout,
            sheets: vec![Sheet::default()],
            starts: Vec::new(),
            y: layout.page.top,
            waiting: Frame::default(),
        }
    }

    /// Room left on this page.
    pub(crate) fn room(&self) -> f32 {
        self.layout.page.floor() - self.y
    }

    /// Room on a page that is still empty.
    fn capacity(&self) -> f32 {
        self.layout.page.floor() - self.layout.page.top_next
    }

    fn is_at_top(&self) -> bool {
        let top = if self.sheets.len() == 1 { self.layout.page.top } else { self.layout.page.top_next };
        self.y <= top
    }

    /// Goes to a new page, unless this one is still empty.
    pub(crate) fn new_page(&mut self) {
        if !self.is_at_top() {
            self.sheets.push(Sheet::default());
            self.y = self.layout.page.top_next;
        }
    }

    /// Leaves some room, if anything stands above.
    pub(crate) fn gap(&mut self, gap: f32) {
        if !self.is_at_top() {
            self.y += gap;
        }
    }

    /// Keeps a heading for whatever comes next.
    pub(crate) fn wait(&mut self, frame: Frame) {
        self.waiting.append(frame);
    }

    fn with_waiting(&mut self, frame: Frame) -> Frame {
        let mut whole = std::mem::take(&mut self.waiting);
        whole.append(frame);
        whole
    }

    /// Places a frame that is not cut, on this page or the next.
    pub(crate) fn place(&mut self, frame: Frame) {
        let frame = self.with_waiting(frame);
        if frame.height > self.room() {
            self.new_page();
        }
        self.put(frame);
    }

    fn put(&mut self, frame: Frame) {
        let (dx, dy) = (self.layout.page.margin, self.y);
        self.y += frame.height;
        let page = self.sheets.len() - 1;
        for item in frame.items {
            let item = Item { x: item.x + dx, y: item.y + dy, ..item };
            if let Ink::Anchor { section, level, title } = item.ink {
                self.starts.push(Start { section, level, title, page, y: item.y });
            } else if let Some(sheet) = self.sheets.last_mut() {
                sheet.push(item);
            }
        }
    }

    /// Places a table below its heading, repeating its head on each page it reaches; what is said below it stays with its last rows.
    pub(crate) fn table(
        &mut self,
        heading: Frame,
        table: &Table,
        tags: &mut Tags,
        (continued, below): (&Frame, Frame),
    ) {
        let heading = self.with_waiting(heading);
        let whole = heading.height + table.height() + below.height;
        let few = table.rows.len() <= TOGETHER_ROWS_MAX;
        let first_rows: f32 = table.rows.iter().take(ROWS_MIN).map(|row| row.height).sum();
        let opening = heading.height + table.head.height + first_rows;
        let fits = whole <= self.room();
        if !fits && ((few && whole <= self.capacity()) || opening > self.room()) {
            self.new_page();
        }
        self.put(heading);
        self.put(table.head.clone());
        let mut again = continued.clone();
        again.append(table.head.to_decor());
        let capacity = self.capacity() - again.height;
        for (i, row) in table.rows.iter().enumerate() {
            let rest: f32 = table.rows[i..].iter().take(ROWS_MIN).map(|row| row.height).sum();
            let last_two = i + ROWS_MIN == table.rows.len() && i > 0;
            let is_last = i + 1 == table.rows.len();
            let needed = if last_two || is_last { rest + below.height } else { row.height };
            if needed > self.room() && row.height <= capacity {
                self.new_page();
                self.put(again.clone());
            }
            if row.height <= self.room() {
                let frame = table.row_frame(tags, row, 0..row.lines);
                self.put(frame);
            } else {
                self.cut_row(table, row, tags, &again);
            }
        }
        if !below.items.is_empty() {
            self.place(below);
        }
    }

    /// A row that no page can hold is cut between its lines.
    fn cut_row(&mut self, table: &Table, row: &crate::table::Row, tags: &mut Tags, again: &Frame) {
        let line_height = row.height / row.lines.max(1) as f32;
        let mut start = 0;
        while start < row.lines {
            let mut count = ((self.room() / line_height).floor() as usize).saturating_sub(1);
            if count == 0 {
                self.new_page();
                self.put(again.clone());
                count = ((self.room() / line_height).floor() as usize).saturating_sub(1).max(1);
            }
            let end = (start + count).min(row.lines);
            let frame = table.row_frame(tags, row, start..end);
            self.put(frame);
            start = end;
        }
    }

    /// Adds running heads and feet, and turns references to pages into text.
    pub(crate) fn finish(mut self, view: &View, setter: &mut Typesetter<'_>) -> Pages {
        let waiting = std::mem::take(&mut self.waiting);
        if !waiting.items.is_empty() {
            self.place(waiting);
        }
        let count = self.sheets.len();
        for (i, sheet) in self.sheets.iter_mut().enumerate() {
            running(sheet, (i, count), self.layout, view, setter);
        }
        let at: HashMap<&str, usize> = self.starts.iter().map(|start| (start.section.as_str(), start.page)).collect();
        for sheet in &mut self.sheets {
            let mut jumps = Vec::new();
            for item in &mut sheet.content {
                if let Some(jump) = resolve(item, &at, self.layout, setter) {
                    jumps.push(jump);
                }
            }
            sheet.content.append(&mut jumps);
        }
        Pages { sheets: self.sheets, starts: self.starts }
    }
}

/// Finished pages.
pub(crate) struct Pages {
    pub sheets: Vec<Sheet>,
    pub starts: Vec<Start>,
}

fn small(layout: &Layout) -> Style {
    Style { weight: crate::fonts::Weight::Regular, size: layout.size.small, leading: layout.size.leading }
}

/// The running head (not on the first page) and the foot.
fn running(
    sheet: &mut Sheet,
    (index, count): (usize, usize),
    layout: &Layout,
    view: &View,
    setter: &mut Typesetter<'_>,
) {
    let (page, words, colour) = (&layout.page, &layout.words, layout.colour.muted);
    let style = small(layout);
    let running_head = running_head(layout, view, setter);
    let mut put = |text: &str, place: f32, y: f32, mark: Mark, sheet: &mut Sheet| {
        let line = setter.line_of(text, style, Base::Sentence);
        let x = page.margin + (page.measure() - line.width) * place;
        sheet.push(Item { x, y, ink: Ink::Text { line, colour }, mark });
    };
    if index > 0 {
        let y = page.top_next - 20.0;
        put(&words.title, 0.0, y, Mark::Header, sheet);
        put(&running_head, 1.0, y, Mark::Header, sheet);
        let rule = Ink::Rule { dx: page.measure(), dy: 0.0, width: 0.5, colour: layout.colour.rule, dashed: false };
        sheet.push(Item { x: page.margin, y: y + 5.0, ink: rule, mark: Mark::Decor });
    }
    let y = page.height - page.bottom + 24.0;
    let rule = Ink::Rule { dx: page.measure(), dy: 0.0, width: 0.5, colour: layout.colour.rule, dashed: false };
    sheet.push(Item { x: page.margin, y: y - 11.0, ink: rule, mark: Mark::Decor });
    put(&fill(&words.report_date, &[("date", &view.report_date)]), 0.0, y, Mark::Footer, sheet);
    put(&view.footer, 0.5, y, Mark::Footer, sheet);
    put(
        &fill(&words.page, &[("page", &(index + 1).to_string()), ("pages", &count.to_string())]),
        1.0,
        y,
        Mark::Footer,
        sheet,
    );
}

/// The name and the identifier; a name too long for the line is cut, the identifier never.
fn running_head(layout: &Layout, view: &View, setter: &mut Typesetter<'_>) -> String {
    let (name, sasid) = &view.running;
    let with = |name: &str| fill(&layout.words.running, &[("name", name), ("sasid", sasid)]);
    let style = small(layout);
    let room = layout.page.measure() * RUNNING_SHARE - setter.line_of(&with(""), style, Base::Sentence).width;
    with(&isolate(&setter.fit(name, style, room)))
}

/// A reference becomes its sentence, and a place to jump from.
fn resolve(item: &mut Item, at: &HashMap<&str, usize>, layout: &Layout, setter: &mut Typesetter<'_>) -> Option<Item> {
    let Ink::PageOf { section, jump } = &item.ink else { return None };
    let (section, jump): (String, LeafId) = (section.clone(), *jump);
    let page = at.get(section.as_str()).map_or(1, |page| page + 1);
    let says = fill(&layout.words.full_history, &[("page", &page.to_string())]);
    let line = setter.line_of(&says, small(layout), Base::Sentence);
    item.x -= line.width;
    let (width, ascent, height) = (line.width, line.ascent, line.height);
    let (x, y) = (item.x, item.y - ascent);
    item.ink = Ink::Text { line, colour: layout.colour.accent };
    Some(Item { x, y, ink: Ink::Jump { width, height, to: section, says }, mark: Mark::Leaf(jump) })
}
