//! From strings to pages: the sections of the layout, one after another.

use std::sync::Arc;

use crate::{
    chart::Pencil,
    flow::{Flow, Pages},
    fonts::Weight,
    frame::{Frame, Ink, Mark},
    layout::{Colour, Kind, Layout, Section, fill},
    table::{Maker, Spec, Table},
    tags::{NodeId, Role, Tags},
    text::{Base, Line, Style, Typesetter},
    view::{SectionView, Trend, View},
};

mod about;
mod card;

/// Pages and what their content means.
pub(crate) struct Composition {
    pub pages: Pages,
    pub tags: Tags,
}

/// Sets a whole summary.
pub(crate) fn compose(view: &View, layout: &Layout, setter: &mut Typesetter<'_>) -> Composition {
    let mut tags = Tags::new();
    setter.begin_document();
    let mut composer = Composer { view, layout, setter, tags: &mut tags, flow: Flow::new(layout), part: Tags::ROOT };
    composer.opening();
    let mut sections = layout.sections.iter().zip(&view.sections).peekable();
    while let Some((section, strings)) = sections.next() {
        if section.beside_trend && view.trend.is_some() {
            let mut group = vec![(section, strings)];
            while let Some(next) = sections.next_if(|(next, _)| next.beside_trend) {
                group.push(next);
            }
            composer.beside_trend(&group);
        } else {
            composer.section(section, strings);
        }
    }
    let Composer { flow, setter, .. } = composer;
    let pages = flow.finish(view, setter);
    Composition { pages, tags }
}

struct Composer<'a, 'f> {
    view: &'a View,
    layout: &'a Layout,
    setter: &'a mut Typesetter<'f>,
    tags: &'a mut Tags,
    flow: Flow<'a>,
    /// The element that sections of the third level go into.
    part: NodeId,
}

impl Composer<'_, '_> {
    fn style(&self, weight: Weight, size: f32) -> Style {
        Style { weight, size, leading: self.layout.size.leading }
    }

    /// Title, report date, notices.
    fn opening(&mut self) {
        let (size, colour, words) = (&self.layout.size, &self.layout.colour, &self.layout.words);
        let width = self.layout.page.measure();
        let mut frame = Frame::default();
        let part = self.tags.node(Tags::ROOT, Role::Section);
        let title = self.setter.line_of(&words.title, self.style(Weight::SemiBold, size.title), Base::Sentence);
        let mark = Mark::Leaf(self.tags.leaf_in(part, Role::Heading { level: 1, title: words.title.clone() }));
        frame.push(0.0, 0.0, Ink::Anchor { section: String::new(), level: 1, title: words.title.clone() }, mark);
        let (ascent, bottom) = (title.ascent, title.height);
        frame.lines((0.0, 0.0), &[title], colour.accent, mark);
        let date = self.report_date_line();
        let mark = Mark::Leaf(self.tags.leaf_in(part, Role::Paragraph));
        frame.lines((width - date.width, ascent - date.ascent), &[date], colour.muted, mark);
        frame.rule((0.0, bottom + 1.0), width, 1.3, colour.accent);
        frame.height = bottom + 5.0;
        if let Some(banner) = &self.view.banner {
            let y = frame.height;
            frame.height =
                self.text_block(&mut frame, part, banner, (y, width), (Weight::SemiBold, size.note, colour.warn)) + 2.0;
        }
        self.part = part;
        self.flow.place(frame);
        self.paragraph(part, &words.notice, (Weight::Regular, size.note, colour.muted));
        for disclosed in &self.view.disclosed {
            self.flow.gap(2.0);
            let node = self.paragraph(part, &disclosed.text, (Weight::Regular, size.note, colour.muted));
            if let (true, Some(language)) = (disclosed.is_value, self.layout.value_language()) {
                self.tags.set_language(node, language);
            }
        }
    }

    /// A paragraph, which may go on on the next page; gives its element.
    fn paragraph(&mut self, parent: NodeId, text: &str, look: (Weight, f32, Colour)) -> NodeId {
        let width = self.layout.page.measure().min(self.layout.size.measure_max);
        let lines = self.setter.wrap(text, self.style(look.0, look.1), Base::Sentence, width);
        let node = self.tags.node(parent, Role::Paragraph);
        let mark = Mark::Leaf(self.tags.leaf(node));
        let frame = |line: Arc<Line>| {
            let mut frame = Frame::default();
            frame.height = frame.lines((0.0, 0.0), &[line], look.2, mark);
            frame
        };
        self.flow.paragraph(lines.into_iter().map(frame).collect());
        node
    }

    fn report_date_line(&mut self) -> Arc<Line> {
        let text = fill(&self.layout.words.report_date, &[("date", &self.view.report_date)]);
        let style = self.style(Weight::SemiBold, self.layout.size.note + 0.6);
        self.setter.line_of(&text, style, Base::Sentence)
    }

    /// A paragraph inside a frame; gives where it ends.
    fn text_block(
        &mut self,
        frame: &mut Frame,
        parent: NodeId,
        text: &str,
        (y, width): (f32, f32),
        look: (Weight, f32, Colour),
    ) -> f32 {
        let lines = self.setter.wrap(text, self.style(look.0, look.1), Base::Sentence, width);
        let mark = Mark::Leaf(self.tags.leaf_in(parent, Role::Paragraph));
        frame.lines((0.0, y), &lines, look.2, mark)
    }

    fn section(&mut self, section: &Section, strings: &SectionView) {
        if section.new_page {
            self.flow.new_part();
        }
        if section.level == 2 {
            self.part = self.tags.node(Tags::ROOT, Role::Section);
        }
        match section.kind {
            Kind::Card => {
                self.flow.gap(self.layout.size.gap * 0.8);
                self.card(section, strings);
            }
            Kind::Table => self.table(section, strings),
            Kind::Heading => {
                self.flow.gap(self.layout.size.gap);
                let frame = self.heading(self.part, section, None, self.layout.page.measure());
                self.flow.wait(frame);
            }
            Kind::ReportDate => self.report_date(),
            Kind::About => self.about(section),
        }
    }

    fn report_date(&mut self) {
        let mut frame = Frame::default();
        let line = self.report_date_line();
        let mark = Mark::Leaf(self.tags.leaf_in(self.part, Role::Paragraph));
        let x = self.layout.page.measure() - line.width;
        frame.height = frame.lines((x, 0.0), &[line], self.layout.colour.muted, mark);
        let gap = self.layout.size.gap;
        if gap * 0.5 + frame.height <= self.flow.room() {
            self.flow.gap(gap * 0.5);
            self.flow.place(frame);
        } else {
            // Never a page of its own: it stands above what comes next.
            frame.height += gap * 0.5;
            self.flow.wait(frame);
        }
    }

    /// A heading with what is known of its block's age and source, and the way to its full history.
    fn heading(&mut self, parent: NodeId, section: &Section, strings: Option<&SectionView>, width: f32) -> Frame {
        let (size, colour) = (&self.layout.size, &self.layout.colour);
        let (text_size, below) = if section.level == 2 { (size.h2, 4.0) } else { (size.h3, 2.6) };
        let mut frame = Frame::default();
        let role = Role::Heading { level: section.level, title: section.title.clone() };
        let mark = Mark::Leaf(self.tags.leaf_in(parent, role));
        let lines = self.setter.wrap(&section.title, self.style(Weight::SemiBold, text_size), Base::Sentence, width);
        frame.push(
            0.0,
            0.0,
            Ink::Anchor { section: section.id.clone(), level: section.level, title: section.title.clone() },
            mark,
        );
        let baseline = lines.last().map_or(0.0, |line| line.ascent)
            + lines.iter().rev().skip(1).map(|line| line.height).sum::<f32>();
        let mut used = lines.last().map_or(0.0, |line| line.width) + 10.0;
        let mut y = frame.lines((0.0, 0.0), &lines, colour.accent, mark);
        let small = self.style(Weight::Regular, size.small);
        if let Some(provenance) = strings.and_then(|strings| strings.provenance.as_ref()) {
            let leaf = Mark::Leaf(self.tags.leaf_in(parent, Role::Paragraph));
            let room = width - used - if section.full.is_some() { 84.0 } else { 0.0 };
            let line = self.setter.line_of(provenance, small, Base::Sentence);
            if line.width <= room {
                let top = baseline - line.ascent;
                used += line.width;
                frame.lines((used - line.width, top), &[line], colour.muted, leaf);
            } else {
                let lines = self.setter.wrap(provenance, small, Base::Sentence, width);
                y = frame.lines((0.0, y), &lines, colour.muted, leaf);
            }
        }
        if let Some(full) = &section.full {
            let paragraph = self.tags.node(parent, Role::Paragraph);
            let link = self.tags.node(paragraph, Role::Link);
            let (jump, text) = (self.tags.leaf(link), self.tags.leaf(link));
            frame.push(width, baseline, Ink::PageOf { section: full.clone(), jump }, Mark::Leaf(text));
        }
        frame.height = y + below;
        frame
    }

    fn measured(&mut self, parent: NodeId, section: &Section, strings: &SectionView, width: f32) -> Table {
        let words = &self.layout.words;
        let has_groups = section.columns.iter().any(|column| column.group.is_some());
        let outline = if has_groups { &words.groups_outline } else { &words.table_outline };
        let summary = fill(outline, &[("title", &section.title)]);
        let spec = Spec {
            columns: &section.columns,
            rows: &strings.rows,
            message: strings.message.as_deref(),
            summary,
            width,
        };
        Maker { layout: self.layout, setter: self.setter, tags: self.tags }.table(parent, &spec)
    }

    fn table(&mut self, section: &Section, strings: &SectionView) {
        let width = self.layout.page.measure();
        self.flow.gap(self.layout.size.gap);
        let parent = self.tags.node(self.part, Role::Section);
        let mut heading = self.heading(parent, section, Some(strings), width);
        if section.timeline
            && let Some(timeline) = &self.view.timeline
        {
            let day = self.view.report_day;
            let chart = Pencil { layout: self.layout, setter: self.setter, tags: self.tags }
                .timeline(parent, timeline, day, width);
            heading.height += 2.0;
            heading.append(chart);
            heading.height += 5.0;
            let notes = timeline.notes(&self.layout.words);
            if !notes.is_empty() {
                let look = (Weight::Regular, self.layout.size.chart, self.layout.colour.muted);
                let y = heading.height - 4.0;
                heading.height = self.text_block(&mut heading, parent, &notes, (y, width), look) + 5.0;
            }
        }
        let table = self.measured(parent, section, strings, width);
        let continued = self.continued(section);
        let mut note = Frame::default();
        if let Some(text) = &strings.note {
            let look = (Weight::Regular, self.layout.size.small, self.layout.colour.muted);
            note.height = self.text_block(&mut note, parent, text, (3.0, width), look);
        }
        self.flow.table(heading, &table, self.tags, (&continued, note));
    }

    /// What stands above a table's repeated head.
    fn continued(&mut self, section: &Section) -> Frame {
        let text = fill(&self.layout.words.continued, &[("title", &section.title)]);
        let line = self.setter.line_of(&text, self.style(Weight::SemiBold, self.layout.size.h3 - 1.6), Base::Sentence);
        let mut frame = Frame::default();
        frame.height = frame.lines((0.0, 0.0), &[line], self.layout.colour.muted, Mark::Decor) + 2.0;
        frame
    }

    /// The first blocks with the attendance trend to their right; below them when they are too long for that.
    fn beside_trend(&mut self, group: &[(&Section, &SectionView)]) {
        let Some(trend) = &self.view.trend else { return };
        let size = &self.layout.size;
        let width = self.layout.page.measure() - size.chart_width - size.gutter;
        // Tried on a tree of its own first: an element, once made, is in the document.
        let mut trial = Tags::new();
        std::mem::swap(self.tags, &mut trial);
        let part = std::mem::replace(&mut self.part, Tags::ROOT);
        let height = self.stacked(group, width).height;
        self.part = part;
        std::mem::swap(self.tags, &mut trial);
        if height + size.gap > self.flow.room() {
            for (section, strings) in group {
                self.section(section, strings);
            }
            self.flow.gap(size.gap);
            let right = self.trend_frame(trend, size.chart_height_max);
            self.flow.place(right);
            return;
        }
        let mut both = self.stacked(group, width);
        let right = self.trend_frame(trend, height);
        self.flow.gap(size.gap);
        both.place(right, width + size.gutter, 0.0);
        self.flow.place(both);
    }

    /// Sections under each other, uncut.
    fn stacked(&mut self, group: &[(&Section, &SectionView)], width: f32) -> Frame {
        let mut left = Frame::default();
        for (section, strings) in group {
            if left.height > 0.0 {
                left.height += self.layout.size.gap;
            }
            let parent = self.tags.node(self.part, Role::Section);
            let heading = self.heading(parent, section, Some(strings), width);
            left.append(heading);
            let table = self.measured(parent, section, strings, width);
            left.append(table.head.clone());
            for row in &table.rows {
                let row = table.row_frame(self.tags, row, 0..row.lines);
                left.append(row);
            }
        }
        left
    }

    /// The attendance trend with its heading and note, about as high as what it stands beside.
    fn trend_frame(&mut self, trend: &Trend, beside: f32) -> Frame {
        let size = &self.layout.size;
        let note = trend.cut.iter().fold(self.layout.words.trend_note.clone(), |note, cut| format!("{note} {cut}"));
        let words = &self.layout.words;
        let parent = self.tags.node(self.part, Role::Section);
        let mut right = Frame::default();
        let mark = Mark::Leaf(self.tags.leaf_in(parent, Role::Heading { level: 3, title: words.trend_title.clone() }));
        let title = self.setter.line_of(&words.trend_title, self.style(Weight::SemiBold, size.h3), Base::Sentence);
        right.push(
            0.0,
            0.0,
            Ink::Anchor { section: "trend".to_owned(), level: 3, title: words.trend_title.clone() },
            mark,
        );
        let top = right.lines((0.0, 0.0), &[title], self.layout.colour.accent, mark) + 2.6;
        let note_style = Style { weight: Weight::Regular, size: size.chart, leading: 1.2 };
        let note_height: f32 =
            self.setter.wrap(&note, note_style, Base::Sentence, size.chart_width).iter().map(|line| line.height).sum();
        let height = (beside - top - note_height - 4.0).clamp(size.chart_height_min, size.chart_height_max);
        let chart = Pencil { layout: self.layout, setter: self.setter, tags: self.tags }.trend(
            parent,
            trend,
            size.chart_width,
            height,
        );
        right.place(chart, 0.0, top);
        let y = right.height + 3.0;
        right.height = self.text_block(
            &mut right,
            parent,
            &note,
            (y, size.chart_width),
            (Weight::Regular, size.chart, self.layout.colour.muted),
        );
        right
    }
}
