//! From strings to pages: the sections of the layout, one after another.

use crate::{
    chart::Pencil,
    fonts::Weight,
    flow::{Flow, Pages},
    frame::{Frame, Ink, Mark},
    layout::{Colour, Kind, Layout, Section, fill},
    table::{Maker, Spec, Table},
    tags::{NodeId, Role, Tags},
    text::{Base, Line, Style, Typesetter},
    view::{SectionView, View},
};

/// Pages and what their content means.
pub(crate) struct Composition {
    pub pages: Pages,
    pub tags: Tags,
}

/// Sets a whole summary.
pub(crate) fn compose(view: &View, layout: &Layout, setter: &mut Typesetter<'_>) -> Composition {
    let mut tags = Tags::new();
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
        let mut y = bottom + 5.0;
        if let Some(banner) = &self.view.banner {
            y = self.text_block(&mut frame, part, banner, (y, width), (Weight::SemiBold, size.note, colour.warn)) + 2.0;
        }
        y = self.text_block(&mut frame, part, &words.notice, (y, width), (Weight::Regular, size.note, colour.muted));
        if let Some(disclosed) = &self.view.disclosed {
            y = self.text_block(&mut frame, part, disclosed, (y + 2.0, width), (Weight::Regular, size.note, colour.muted));
        }
        frame.height = y;
        self.part = part;
        self.flow.place(frame);
    }

    fn report_date_line(&mut self) -> Line {
        let text = fill(&self.layout.words.report_date, &[("date", &self.view.report_date)]);
        let style = self.style(Weight::SemiBold, self.layout.size.note + 0.6);
        self.setter.line_of(&text, style, Base::Sentence)
    }

    /// A paragraph inside a frame; gives where it ends.
    fn text_block(&mut self, frame: &mut Frame, parent: NodeId, text: &str, (y, width): (f32, f32), look: (Weight, f32, Colour)) -> f32 {
        let lines = self.setter.wrap(text, self.style(look.0, look.1), Base::Sentence, width);
        let mark = Mark::Leaf(self.tags.leaf_in(parent, Role::Paragraph));
        frame.lines((0.0, y), &lines, look.2, mark)
    }

    fn section(&mut self, section: &Section, strings: &SectionView) {
        if section.new_page {
            self.flow.new_page();
        }
        if section.level == 2 {
            self.part = self.tags.node(Tags::ROOT, Role::Section);
        }
        match section.kind {
            Kind::Card => {
                self.flow.gap(self.layout.size.gap * 0.8);
                let frame = self.card(section, strings);
                self.flow.place(frame);
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
        self.flow.gap(self.layout.size.gap * 0.5);
        self.flow.place(frame);
    }

    /// A heading with what is known of its block's age and source, and the way to its full history.
    fn heading(&mut self, parent: NodeId, section: &Section, strings: Option<&SectionView>, width: f32) -> Frame {
        let (size, colour) = (&self.layout.size, &self.layout.colour);
        let (text_size, below) = if section.level == 2 { (size.h2, 4.0) } else { (size.h3, 2.6) };
        let mut frame = Frame::default();
        let role = Role::Heading { level: section.level, title: section.title.clone() };
        let mark = Mark::Leaf(self.tags.leaf_in(parent, role));
        let lines = self.setter.wrap(&section.title, self.style(Weight::SemiBold, text_size), Base::Sentence, width);
        frame.push(0.0, 0.0, Ink::Anchor { section: section.id.clone(), level: section.level, title: section.title.clone() }, mark);
        let baseline = lines.last().map_or(0.0, |line| line.ascent) + lines.iter().rev().skip(1).map(|line| line.height).sum::<f32>();
        let mut used = lines.last().map_or(0.0, |line| line.width) + 10.0;
        let mut y = frame.lines((0.0, 0.0), &lines, colour.accent, mark);
        let mut right = width;
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
            right -= size.pad_x;
            let paragraph = self.tags.node(parent, Role::Paragraph);
            let link = self.tags.node(paragraph, Role::Link);
            let (jump, text) = (self.tags.leaf(link), self.tags.leaf(link));
            frame.push(right, baseline, Ink::PageOf { section: full.clone(), jump }, Mark::Leaf(text));
        }
        frame.height = y + below;
        frame
    }

    /// Labels above values. A block that could not be filled says so instead.
    fn card(&mut self, section: &Section, strings: &SectionView) -> Frame {
        let width = self.layout.page.measure();
        let parent = if section.level > 0 { self.part } else { self.tags.node(self.part, Role::Section) };
        let mut frame = if section.level > 0 { self.heading(parent, section, Some(strings), width) } else { Frame::default() };
        let band = match (&strings.message, strings.rows.first()) {
            (None, Some(_)) => self.card_band(parent, section, strings, width),
            (message, _) => {
                let text = message.clone().unwrap_or_else(|| self.layout.words.not_reported.clone());
                let mut band = Frame::default();
                let look = (Weight::Regular, self.layout.size.body, self.layout.colour.muted);
                band.height = self.text_block(&mut band, parent, &text, (0.0, width), look);
                band
            }
        };
        frame.append(band);
        if section.level == 0
            && let Some(provenance) = &strings.provenance
        {
            let look = (Weight::Regular, self.layout.size.small, self.layout.colour.muted);
            let y = frame.height + 2.0;
            frame.height = self.text_block(&mut frame, parent, provenance, (y, width), look);
        }
        frame
    }

    fn card_band(&mut self, parent: NodeId, section: &Section, strings: &SectionView, width: f32) -> Frame {
        let (size, colour) = (&self.layout.size, &self.layout.colour);
        let summary = format!("{}: one row of labels and one of values.", if section.title.is_empty() { &self.layout.words.title } else { &section.title });
        let table = self.tags.node(parent, Role::Table { summary });
        let head = self.tags.node(table, Role::TableHead);
        let head = self.tags.node(head, Role::Row);
        let body = self.tags.node(table, Role::TableBody);
        let body = self.tags.node(body, Role::Row);
        let shares: f32 = section.columns.iter().map(|column| column.width).sum();
        let pad = size.pad_x + 2.0;
        let (label, value) = (self.style(Weight::Regular, size.label), self.style(Weight::SemiBold, size.value));
        let mut content = Frame::default();
        let mut x = 0.0;
        let texts = strings.rows.first().map(Vec::as_slice).unwrap_or_default();
        let mut bottom: f32 = 0.0;
        for (column, text) in section.columns.iter().zip(texts) {
            let room = width * column.width / shares;
            let mark = Mark::Leaf(self.tags.leaf_in(head, Role::ColumnHead { columns: 1, rows: 1 }));
            let lines = self.setter.wrap(&column.title, label, Base::Sentence, room - 2.0 * pad);
            let y = content.lines((x + pad, 4.2), &lines, colour.muted, mark);
            let node = self.tags.node(body, Role::Cell { columns: 1 });
            if column.key == "name"
                && let Some(language) = &self.view.name_language
            {
                self.tags.set_language(node, language);
            }
            let mark = Mark::Leaf(self.tags.leaf(node));
            let (style, tone) = if text.is_value { (value, colour.ink) } else { (self.style(Weight::Regular, size.body), colour.muted) };
            let lines = self.setter.wrap(&text.text, style, Base::Auto, room - 2.0 * pad);
            bottom = bottom.max(content.lines((x + pad, y + 0.6), &lines, tone, mark));
            x += room;
        }
        let mut frame = Frame { height: bottom + 4.4, ..Frame::default() };
        let height = frame.height;
        frame.band((0.0, 0.0), (width, height), colour.soft);
        frame.place(content, 0.0, 0.0);
        frame
    }

    fn measured(&mut self, parent: NodeId, section: &Section, strings: &SectionView, width: f32) -> Table {
        let summary = if section.columns.iter().any(|column| column.group.is_some()) {
            format!("{}. Two rows of heads: each subject has a score and a level.", section.title)
        } else {
            format!("{}. One row of heads; the first column names the school.", section.title)
        };
        let spec = Spec { columns: &section.columns, rows: &strings.rows, message: strings.message.as_deref(), summary, width };
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
            let chart = Pencil { layout: self.layout, setter: self.setter, tags: self.tags }.timeline(parent, timeline, day, width);
            heading.height += 2.0;
            heading.append(chart);
            let mut notes = vec![self.layout.words.timeline_note.clone()];
            notes.extend(timeline.undated.clone());
            let look = (Weight::Regular, self.layout.size.chart, self.layout.colour.muted);
            let y = heading.height + 1.0;
            heading.height = self.text_block(&mut heading, parent, &notes.join(" "), (y, width), look) + 5.0;
        }
        let table = self.measured(parent, section, strings, width);
        let continued = self.continued(section);
        self.flow.table(heading, &table, self.tags, &continued);
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
        let full = self.layout.page.measure();
        let width = full - size.chart_width - size.gutter;
        let mut left = Frame::default();
        for (section, strings) in group {
            if left.height > 0.0 {
                left.height += size.gap;
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
        let note = trend.cut.iter().fold(self.layout.words.trend_note.clone(), |note, cut| format!("{note} {cut}"));
        let words = &self.layout.words;
        let parent = self.tags.node(self.part, Role::Section);
        let mut right = Frame::default();
        let mark = Mark::Leaf(self.tags.leaf_in(parent, Role::Heading { level: 3, title: words.trend_title.clone() }));
        let title = self.setter.line_of(&words.trend_title, self.style(Weight::SemiBold, size.h3), Base::Sentence);
        right.push(0.0, 0.0, Ink::Anchor { section: "trend".to_owned(), level: 3, title: words.trend_title.clone() }, mark);
        let top = right.lines((0.0, 0.0), &[title], self.layout.colour.accent, mark) + 2.6;
        let note_style = Style { weight: Weight::Regular, size: size.chart, leading: 1.2 };
        let note_height: f32 = self.setter.wrap(&note, note_style, Base::Sentence, size.chart_width).iter().map(|line| line.height).sum();
        let height = (left.height - top - note_height - 4.0).clamp(84.0, 130.0);
        let chart = Pencil { layout: self.layout, setter: self.setter, tags: self.tags }.trend(parent, trend, size.chart_width, height);
        right.place(chart, 0.0, top);
        let y = right.height + 3.0;
        right.height = self.text_block(&mut right, parent, &note, (y, size.chart_width), (Weight::Regular, size.chart, self.layout.colour.muted));
        self.flow.gap(size.gap);
        let mut both = left;
        both.place(right, width + size.gutter, 0.0);
        self.flow.place(both);
    }

    /// What was withheld, how to read the report, how to verify it.
    fn about(&mut self, section: &Section) {
        self.flow.gap(self.layout.size.gap * 1.2);
        let frame = self.heading(self.part, section, None, self.layout.page.measure());
        self.flow.wait(frame);
        let words = &self.layout.words;
        if let Some(withheld) = &self.view.withheld {
            if withheld.is_empty() {
                self.about_block(&section.withheld_title, &[&words.withheld_none]);
            } else {
                self.about_block(&section.withheld_title, &[&words.withheld_some]);
                self.list(withheld);
            }
        }
        self.about_block(&section.reading_title, &[&words.reading_note]);
        match (&self.view.code, &self.view.banner) {
            (Some(code), _) => {
                let code = fill(&words.verify_code, &[("code", code)]);
                self.about_block(&section.verify_title, &[&code, &words.verify_note]);
            }
            (None, Some(banner)) => self.about_block(&section.verify_title, &[banner]),
            (None, None) => {}
        }
    }

    fn about_block(&mut self, title: &str, paragraphs: &[&str]) {
        let (size, colour) = (&self.layout.size, &self.layout.colour);
        let parent = self.tags.node(self.part, Role::Section);
        let mut heading = Frame::default();
        let mark = Mark::Leaf(self.tags.leaf_in(parent, Role::Heading { level: 3, title: title.to_owned() }));
        let line = self.setter.line_of(title, self.style(Weight::SemiBold, size.h3 - 1.0), Base::Sentence);
        heading.push(0.0, 0.0, Ink::Anchor { section: title.to_owned(), level: 3, title: title.to_owned() }, mark);
        heading.height = heading.lines((0.0, 0.0), &[line], colour.accent, mark) + 1.0;
        self.flow.wait(heading);
        for paragraph in paragraphs {
            let lines = self.setter.wrap(paragraph, self.style(Weight::Regular, size.note + 0.4), Base::Sentence, self.layout.page.measure());
            let mark = Mark::Leaf(self.tags.leaf_in(parent, Role::Paragraph));
            for line in lines {
                let mut frame = Frame::default();
                frame.height = frame.lines((0.0, 0.0), &[line], colour.ink, mark);
                self.flow.place(frame);
            }
        }
        self.flow.gap(size.gap * 0.55);
    }

    /// Labels in three columns, read row by row.
    fn list(&mut self, labels: &[String]) {
        const COLUMNS: usize = 3;
        let size = &self.layout.size;
        let width = self.layout.page.measure() / COLUMNS as f32;
        let list = self.tags.node(self.part, Role::List);
        for row in labels.chunks(COLUMNS) {
            let mut frame = Frame::default();
            for (i, label) in row.iter().enumerate() {
                let item = self.tags.node(list, Role::Item);
                let mark = Mark::Leaf(self.tags.leaf_in(item, Role::ItemBody));
                let lines = self.setter.wrap(label, self.style(Weight::Regular, size.note + 0.4), Base::Auto, width - 14.0);
                frame.height = frame.height.max(frame.lines((i as f32 * width, 0.0), &lines, self.layout.colour.ink, mark));
            }
            self.flow.place(frame);
        }
        self.flow.gap(size.gap * 0.55);
    }
}
