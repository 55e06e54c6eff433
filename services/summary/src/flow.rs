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

/// A paragraph of at most this many lines stays on one page; of a longer one at least [`LINES_MIN`] stand on each.
const LINES_TOGETHER_MAX: usize = 4;
const LINES_MIN: usize = 2;
/// A page filled less than this is not left for what would rather stand together: it is cut instead.
const PAGE_SHARE_MIN: f32 = 0.15;

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
    /// What is to stand on one page if a page can hold it.
    together: Option<Vec<Step>>,
}

/// Something to place, later.
enum Step {
    Gap(f32),
    Wait(Frame),
    Place(Frame),
}

impl<'a> Flow<'a> {
    pub(crate) fn new(layout: &'a Layout) -> Self {
        Self {
            layout,
            sheets: vec![Sheet::default()],
            starts: Vec::new(),
            y: layout.page.top,
            waiting: Frame::default(),
            together: None,
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

    /// Whether so little stands on this page that nobody would turn it.
    fn is_nearly_empty(&self) -> bool {
        self.room() > self.capacity() * (1.0 - PAGE_SHARE_MIN)
    }

    /// Goes to a new page if less than half of this one is left.
    pub(crate) fn new_part(&mut self) {
        if self.room() < self.capacity() / 2.0 {
            self.new_page();
        }
    }

    /// What is placed from here to [`Self::end_together`] stands on one page, if a page can hold it.
    pub(crate) fn begin_together(&mut self) {
        self.together = Some(Vec::new());
    }

    /// See [`Self::begin_together`].
    pub(crate) fn end_together(&mut self) {
        let steps = self.together.take().unwrap_or_default();
        let height: f32 = steps
            .iter()
            .map(|step| match step {
                Step::Gap(gap) => *gap,
                Step::Wait(frame) | Step::Place(frame) => frame.height,
            })
            .sum();
        let height = height + self.waiting.height;
        if height > self.room() && height <= self.capacity() {
            self.new_page();
        }
        for step in steps {
            match step {
                Step::Gap(gap) => self.gap(gap),
                Step::Wait(frame) => self.wait(frame),
                Step::Place(frame) => self.place(frame),
            }
        }
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
        if let Some(steps) = &mut self.together {
            steps.push(Step::Gap(gap));
        } else if !self.is_at_top() {
            self.y += gap;
        }
    }

    /// Keeps a heading for whatever comes next.
    pub(crate) fn wait(&mut self, frame: Frame) {
        match &mut self.together {
            Some(steps) => steps.push(Step::Wait(frame)),
            None => self.waiting.append(frame),
        }
    }

    fn with_waiting(&mut self, frame: Frame) -> Frame {
        let mut whole = std::mem::take(&mut self.waiting);
        whole.append(frame);
        whole
    }

    /// Places a frame that is not cut, on this page or the next.
    pub(crate) fn place(&mut self, frame: Frame) {
        if let Some(steps) = &mut self.together {
            steps.push(Step::Place(frame));
            return;
        }
        let frame = self.with_waiting(frame);
        if frame.height > self.room() {
            self.new_page();
        }
        self.put(frame);
    }

    /// Places the lines of a paragraph, or the rows of a list, so that none stands alone.
    pub(crate) fn paragraph(&mut self, lines: Vec<Frame>) {
        let count = lines.len();
        let ends_block = |i: usize| match count {
            0..=LINES_TOGETHER_MAX => i + 1 == count,
            // The first lines are one block, and so are the last.
            _ => i + 1 == count || (i + 1 >= LINES_MIN && i < count - LINES_MIN),
        };
        let mut block = Frame::default();
        for (i, line) in lines.into_iter().enumerate() {
            block.append(line);
            if ends_block(i) {
                self.place(std::mem::take(&mut block));
            }
        }
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
        let stays_whole = few && whole <= self.capacity() && !self.is_nearly_empty();
        if !fits && (stays_whole || opening > self.room()) {
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
            if needed > self.room() && row.height <= capacity && !self.is_nearly_empty() {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout::{Extent, Language, shipped};

    #[test]
    fn no_line_of_a_paragraph_stands_alone() {
        let layout = shipped(Language::English, Extent::Whole);
        let line = || {
            let mut frame = Frame { height: 10.0, ..Frame::default() };
            frame.push(0.0, 0.0, Ink::Bounds { width: 1.0, height: 1.0 }, Mark::Header);
            frame
        };
        for room in 0..8 {
            for count in 1..9 {
                let mut flow = Flow::new(layout);
                flow.y = layout.page.floor() - 10.0 * room as f32 - 1.0;
                flow.paragraph((0..count).map(|_| line()).collect());
                let lines: Vec<usize> = flow.sheets.iter().map(|sheet| sheet.content.len()).collect();
                assert_eq!(lines.iter().sum::<usize>(), count, "{room} lines of room: {lines:?}");
                let parts: Vec<usize> = lines.into_iter().filter(|lines| *lines > 0).collect();
                let is_whole = parts.len() == 1;
                assert!(
                    is_whole || (count > 4 && parts.iter().all(|lines| *lines >= 2)),
                    "{room} lines of room: {parts:?}"
                );
            }
        }
    }

    #[test]
    fn what_stands_together_moves_to_the_next_page_whole() {
        let layout = shipped(Language::English, Extent::Whole);
        let mut flow = Flow::new(layout);
        flow.y = layout.page.floor() - 25.0;
        flow.begin_together();
        for _ in 0..4 {
            let mut frame = Frame { height: 10.0, ..Frame::default() };
            frame.push(0.0, 0.0, Ink::Bounds { width: 1.0, height: 1.0 }, Mark::Header);
            flow.place(frame);
        }
        flow.end_together();
        let lines: Vec<usize> = flow.sheets.iter().map(|sheet| sheet.content.len()).collect();
        assert_eq!(lines, [0, 4]);
    }
}
