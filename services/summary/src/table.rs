//! The table engine: column widths, wrapped cells, heads of one or two rows, and rows that can be cut between lines.

use std::sync::Arc;

use crate::{
    fonts::Weight,
    frame::{Frame, Mark},
    layout::{Align, Colour, Column, Layout},
    tags::{NodeId, Role, Tags},
    text::{Base, Line, Style, Typesetter},
    view::CellText,
};

/// No column asks for more than this share of the table because of one long word.
const MINIMUM_SHARE_MAX: f32 = 0.4;

/// A measured table.
pub(crate) struct Table {
    pub head: Frame,
    pub rows: Vec<Row>,
    columns: Vec<Place>,
    pad: (f32, f32),
    rule: Colour,
    width: f32,
}

/// A measured row.
pub(crate) struct Row {
    cells: Vec<Cell>,
    pub height: f32,
    /// How many lines its tallest cell has.
    pub lines: usize,
}

struct Cell {
    node: NodeId,
    lines: Vec<Arc<Line>>,
    colour: Colour,
    x: f32,
    width: f32,
    align: Align,
    /// Room to its right, so that points stand under each other.
    indent: f32,
}

/// Where a column stands.
#[derive(Clone, Copy)]
struct Place {
    x: f32,
    width: f32,
    /// Whether a group of columns starts here.
    opens_group: bool,
    /// Room for the widest fraction of its numbers, point and all.
    fraction: f32,
}

/// What a table is made of.
pub(crate) struct Spec<'a> {
    pub columns: &'a [Column],
    pub rows: &'a [Vec<CellText>],
    /// Printed across the table instead of rows.
    pub message: Option<&'a str>,
    pub summary: String,
    pub width: f32,
}

/// Measures tables with one layout.
pub(crate) struct Maker<'a, 'f> {
    pub layout: &'a Layout,
    pub setter: &'a mut Typesetter<'f>,
    pub tags: &'a mut Tags,
}

impl Maker<'_, '_> {
    fn body(&self) -> Style {
        Style { weight: Weight::Regular, size: self.layout.size.body, leading: self.layout.size.leading }
    }

    fn head_style(&self) -> Style {
        Style { weight: Weight::SemiBold, size: self.layout.size.head, leading: 1.18 }
    }

    /// Measures a table and makes its elements under `parent`.
    pub(crate) fn table(&mut self, parent: NodeId, spec: &Spec<'_>) -> Table {
        let columns = self.places(spec);
        let node = self.tags.node(parent, Role::Table { summary: spec.summary.clone() });
        let head = self.head(node, spec, &columns);
        let body = self.tags.node(node, Role::TableBody);
        let rows = match spec.message {
            Some(message) => vec![self.message(body, spec, message)],
            None => spec.rows.iter().map(|row| self.row(body, spec, row, &columns)).collect(),
        };
        let size = &self.layout.size;
        Table { head, rows, columns, pad: (size.pad_x, size.pad_y), rule: self.layout.colour.rule, width: spec.width }
    }

    fn places(&mut self, spec: &Spec<'_>) -> Vec<Place> {
        let (body, head, pad) = (self.body(), self.head_style(), self.layout.size.pad_x);
        let (mut minima, mut fractions) = (Vec::with_capacity(spec.columns.len()), Vec::new());
        for (i, column) in spec.columns.iter().enumerate() {
            let mut minimum = self.setter.widest_word(&column.title, head);
            for cell in spec.rows.iter().filter_map(|row| row.get(i)) {
                minimum = minimum.max(self.setter.widest_word(&cell.text, body));
            }
            // Half a point of air against rounding.
            let fraction = if column.align == Align::Right { self.fraction(spec, i) } else { 0.0 };
            fractions.push(fraction);
            minima.push((minimum + fraction + 2.0 * pad + 0.5).min(spec.width * MINIMUM_SHARE_MAX));
        }
        let shares: Vec<f32> = spec.columns.iter().map(|column| column.width).collect();
        let mut x = 0.0;
        let widths = resolve_widths(&shares, &minima, spec.width);
        let mut places = Vec::with_capacity(widths.len());
        for (i, width) in widths.into_iter().enumerate() {
            let opens_group =
                spec.columns[i].group.is_some() && (i == 0 || spec.columns[i].group != spec.columns[i - 1].group);
            places.push(Place { x, width, opens_group, fraction: fractions[i] });
            x += width;
        }
        places
    }

    /// The widest of the fractions of a column, where they differ in length.
    fn fraction(&mut self, spec: &Spec<'_>, column: usize) -> f32 {
        let body = self.body();
        let fractions = spec.rows.iter().filter_map(|row| row.get(column)?.fraction());
        let (mut least, mut most) = (f32::INFINITY, 0.0_f32);
        for fraction in fractions {
            let width = self.setter.line_of(fraction, body, Base::Auto).width;
            (least, most) = (least.min(width), most.max(width));
        }
        if least < most { most } else { 0.0 }
    }

    fn head(&mut self, table: NodeId, spec: &Spec<'_>, places: &[Place]) -> Frame {
        let (style, colour) = (self.head_style(), self.layout.colour.accent);
        let (pad_x, pad_y) = (self.layout.size.pad_x, self.layout.size.pad_y + 0.4);
        let node = self.tags.node(table, Role::TableHead);
        let titles: Vec<Vec<Arc<Line>>> = spec
            .columns
            .iter()
            .zip(places)
            .map(|(column, place)| self.setter.wrap(&column.title, style, Base::Sentence, place.width - 2.0 * pad_x))
            .collect();
        let groups = groups(spec.columns);
        let has_groups = groups.iter().any(|(name, _)| name.is_some());
        let group_height = if has_groups { style.size * style.leading } else { 0.0 };
        let title_height = titles.iter().map(|lines| height(lines)).fold(0.0, f32::max);
        let total = group_height + title_height + 2.0 * pad_y;
        let mut frame = Frame { height: total, ..Frame::default() };
        frame.band((0.0, 0.0), (spec.width, total), self.layout.colour.soft);
        frame.rule((0.0, total), spec.width, 0.9, colour);
        let rows = if has_groups { 2 } else { 1 };
        let first = self.tags.node(node, Role::Row);
        for (name, range) in &groups {
            let Some(name) = name else {
                for i in range.clone() {
                    let leaf = self.tags.leaf_in(first, Role::ColumnHead { columns: 1, rows });
                    let top = total - pad_y - height(&titles[i]);
                    put(
                        &mut frame,
                        &titles[i],
                        &places[i],
                        (spec.columns[i].align, pad_x),
                        top,
                        (colour, Mark::Leaf(leaf)),
                    );
                }
                continue;
            };
            let span = Place {
                x: places[range.start].x,
                width: range.clone().map(|i| places[i].width).sum(),
                opens_group: true,
                fraction: 0.0,
            };
            let leaf = self.tags.leaf_in(first, Role::ColumnHead { columns: range.len() as u32, rows: 1 });
            let line = self.setter.line_of(name, style, Base::Sentence);
            put(&mut frame, &[line], &span, (Align::Center, pad_x), pad_y, (colour, Mark::Leaf(leaf)));
        }
        if has_groups {
            let second = self.tags.node(node, Role::Row);
            for (_, range) in groups.iter().filter(|(name, _)| name.is_some()) {
                for i in range.clone() {
                    let leaf = self.tags.leaf_in(second, Role::ColumnHead { columns: 1, rows: 1 });
                    let top = total - pad_y - height(&titles[i]);
                    put(
                        &mut frame,
                        &titles[i],
                        &places[i],
                        (spec.columns[i].align, pad_x),
                        top,
                        (colour, Mark::Leaf(leaf)),
                    );
                }
            }
        }
        group_rules(&mut frame, places, total, self.layout.colour.rule);
        frame
    }

    fn row(&mut self, body: NodeId, spec: &Spec<'_>, texts: &[CellText], places: &[Place]) -> Row {
        let style = self.body();
        let pad_x = self.layout.size.pad_x;
        let node = self.tags.node(body, Role::Row);
        let mut cells = Vec::with_capacity(texts.len());
        for (i, text) in texts.iter().enumerate() {
            let role = if i == 0 { Role::RowHead } else { Role::Cell { columns: 1 } };
            let node = self.tags.node(node, role);
            if let (true, Some(language)) = (text.is_value, self.layout.value_language()) {
                self.tags.set_language(node, language);
            }
            let lines = self.setter.wrap(&text.text, style, Base::Auto, places[i].width - 2.0 * pad_x);
            let colour = if text.is_value { self.layout.colour.ink } else { self.layout.colour.muted };
            let indent = match text.fraction() {
                Some(fraction) if places[i].fraction > 0.0 => {
                    (places[i].fraction - self.setter.line_of(fraction, style, Base::Auto).width).max(0.0)
                }
                _ => 0.0,
            };
            cells.push(Cell {
                node,
                lines,
                colour,
                x: places[i].x,
                width: places[i].width,
                align: spec.columns[i].align,
                indent,
            });
        }
        self.finish(cells)
    }

    fn message(&mut self, body: NodeId, spec: &Spec<'_>, message: &str) -> Row {
        let style = self.body();
        let node = self.tags.node(body, Role::Row);
        let node = self.tags.node(node, Role::Cell { columns: spec.columns.len() as u32 });
        let lines = self.setter.wrap(message, style, Base::Sentence, spec.width - 2.0 * self.layout.size.pad_x);
        let cell = Cell {
            node,
            lines,
            colour: self.layout.colour.muted,
            x: 0.0,
            width: spec.width,
            align: Align::Left,
            indent: 0.0,
        };
        self.finish(vec![cell])
    }

    /// The first lines of a row share a baseline, whatever scripts its cells are in.
    fn finish(&self, mut cells: Vec<Cell>) -> Row {
        let ascent = cells.iter().filter_map(|cell| cell.lines.first()).map(|line| line.ascent).fold(0.0, f32::max);
        for line in cells.iter_mut().filter_map(|cell| cell.lines.first_mut()) {
            let line = Arc::make_mut(line);
            line.height += ascent - line.ascent;
            line.ascent = ascent;
        }
        let tallest = cells.iter().map(|cell| height(&cell.lines)).fold(0.0, f32::max);
        let lines = cells.iter().map(|cell| cell.lines.len()).max().unwrap_or_default();
        Row { cells, height: tallest + 2.0 * self.layout.size.pad_y, lines }
    }
}

impl Table {
    /// A row, or those of its lines that `lines` names. Each call makes its own place for content.
    pub(crate) fn row_frame(&self, tags: &mut Tags, row: &Row, lines: std::ops::Range<usize>) -> Frame {
        let (pad_x, pad_y) = self.pad;
        let mut frame = Frame::default();
        let mut bottom: f32 = 0.0;
        for cell in &row.cells {
            let part =
                cell.lines.get(lines.start.min(cell.lines.len())..lines.end.min(cell.lines.len())).unwrap_or_default();
            if part.is_empty() {
                continue;
            }
            let mark = Mark::Leaf(tags.leaf(cell.node));
            let place = Place { x: cell.x, width: cell.width - cell.indent, opens_group: false, fraction: 0.0 };
            put(&mut frame, part, &place, (cell.align, pad_x), pad_y, (cell.colour, mark));
            bottom = bottom.max(height(part));
        }
        frame.height = bottom + 2.0 * pad_y;
        let total = frame.height;
        frame.rule((0.0, total), self.width, 0.4, self.rule);
        if row.cells.len() == self.columns.len() {
            group_rules(&mut frame, &self.columns, total, self.rule);
        }
        frame
    }

    /// The height of head and rows together.
    pub(crate) fn height(&self) -> f32 {
        self.head.height + self.rows.iter().map(|row| row.height).sum::<f32>()
    }
}

fn height(lines: &[Arc<Line>]) -> f32 {
    lines.iter().map(|line| line.height).sum()
}

fn group_rules(frame: &mut Frame, places: &[Place], height: f32, colour: Colour) {
    for place in places.iter().filter(|place| place.opens_group) {
        frame.push(
            place.x,
            0.0,
            crate::frame::Ink::Rule { dx: 0.0, dy: height, width: 0.4, colour, dashed: false },
            Mark::Decor,
        );
    }
}

/// Puts lines into a column, each aligned by its own width.
fn put(
    frame: &mut Frame,
    lines: &[Arc<Line>],
    place: &Place,
    (align, pad): (Align, f32),
    top: f32,
    (colour, mark): (Colour, Mark),
) {
    let mut y = top;
    for line in lines {
        let room = place.width - 2.0 * pad;
        let x = place.x
            + pad
            + match align {
                Align::Left => 0.0,
                Align::Right => (room - line.width).max(0.0),
                Align::Center => ((room - line.width) / 2.0).max(0.0),
            };
        y = frame.lines((x, y), std::slice::from_ref(line), colour, mark);
    }
}

/// Neighbouring columns of one group, and each stretch of columns without one.
fn groups(columns: &[Column]) -> Vec<(Option<&str>, std::ops::Range<usize>)> {
    let mut out: Vec<(Option<&str>, std::ops::Range<usize>)> = Vec::new();
    for (i, column) in columns.iter().enumerate() {
        match out.last_mut() {
            Some((name, range)) if *name == column.group.as_deref() => range.end = i + 1,
            _ => out.push((column.group.as_deref(), i..i + 1)),
        }
    }
    out
}

/// Widths by share, except that no column falls below its minimum while others have room to give.
fn resolve_widths(shares: &[f32], minima: &[f32], total: f32) -> Vec<f32> {
    let mut fixed: Vec<Option<f32>> = vec![None; shares.len()];
    let share: f32 = shares.iter().sum();
    let capped: Vec<f32> = shares.iter().zip(minima).map(|(own, minimum)| minimum.min(total * own / share)).collect();
    // When more is asked than there is, a long word gets its column no more than its share.
    let minima = if minima.iter().sum::<f32>() > total { &capped } else { minima };
    loop {
        let room = total - fixed.iter().flatten().sum::<f32>();
        let open: f32 = shares.iter().zip(&fixed).filter(|(_, fixed)| fixed.is_none()).map(|(share, _)| share).sum();
        let short = (0..shares.len()).find(|i| fixed[*i].is_none() && room * shares[*i] / open < minima[*i]);
        if let Some(i) = short {
            fixed[i] = Some(minima[i]);
            continue;
        }
        let mut widths: Vec<f32> =
            shares.iter().zip(&fixed).map(|(share, fixed)| fixed.unwrap_or(room * share / open)).collect();
        if open <= 0.0 {
            // All stand at their minimum: what is over goes to the last.
            *widths.last_mut().unwrap_or(&mut 0.0) += room;
        }
        return widths;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn widths_add_up_and_respect_minima_while_they_can() {
        fn check(shares: &[f32], minima: &[f32], expect: &[f32]) {
            let got = resolve_widths(shares, minima, 100.0);
            assert!(got.iter().zip(expect).all(|(a, b)| (a - b).abs() < 0.01), "{got:?}");
        }
        check(&[1.0, 1.0], &[10.0, 10.0], &[50.0, 50.0]);
        check(&[3.0, 1.0], &[10.0, 40.0], &[60.0, 40.0]);
        check(&[1.0, 1.0, 2.0], &[30.0, 0.0, 60.0], &[30.0, 10.0, 60.0]);
        check(&[1.0, 1.0], &[90.0, 90.0], &[50.0, 50.0]);
        check(&[6.0, 3.0, 1.0], &[40.0, 90.0, 9.0], &[60.0, 30.0, 10.0]);
    }

    #[test]
    fn points_stand_under_each_other() {
        let fonts = crate::fonts::FontSet::new(None).expect("fonts");
        let (mut setter, mut tags) = (Typesetter::new(&fonts), Tags::new());
        let layout = crate::layout::shipped(crate::layout::Language::English, crate::layout::Extent::Whole);
        let column = Column { align: Align::Right, width: 1.0, ..layout.sections[2].columns[0].clone() };
        let rows = ["4.25", "4", "13.5"].map(|text| vec![CellText { text: text.to_owned(), is_value: true }]);
        let spec = Spec { columns: &[column], rows: &rows, message: None, summary: String::new(), width: 90.0 };
        let table = Maker { layout, setter: &mut setter, tags: &mut tags }.table(Tags::ROOT, &spec);
        let points = table.rows.iter().zip(["4", "4", "13"]).map(|(row, whole)| {
            let frame = table.row_frame(&mut tags, row, 0..row.lines);
            let text =
                frame.items.iter().find(|item| matches!(item.ink, crate::frame::Ink::Text { .. })).expect("text");
            let style = Style { weight: Weight::Regular, size: layout.size.body, leading: layout.size.leading };
            text.x + setter.line_of(whole, style, Base::Auto).width
        });
        let points: Vec<f32> = points.collect();
        assert!(points.iter().all(|at| (at - points[0]).abs() < 0.3), "{points:?}");
    }
}
