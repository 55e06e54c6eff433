//! Cards: labels above values, in one band.

use super::Composer;
use crate::{
    fonts::Weight,
    frame::{Frame, Mark},
    layout::{Section, fill},
    tags::{NodeId, Role},
    text::Base,
    view::{CellText, SectionView},
};

/// A card holds values of at most this many characters; longer ones are set as lines below each other.
const CARD_CHARS_MAX: usize = 240;

impl Composer<'_, '_> {
    /// Labels above values. A block that could not be filled says so instead; values that make no band are set as lines.
    pub(super) fn card(&mut self, section: &Section, strings: &SectionView) {
        let width = self.layout.page.measure();
        let parent = if section.level > 0 { self.part } else { self.tags.node(self.part, Role::Section) };
        if section.level > 0 {
            let heading = self.heading(parent, section, Some(strings), width);
            self.flow.wait(heading);
        }
        let (size, colour) = (&self.layout.size, &self.layout.colour);
        match (&strings.message, strings.rows.first()) {
            (None, Some(row)) if row.iter().all(|cell| cell.text.chars().count() <= CARD_CHARS_MAX) => {
                let band = self.card_band(parent, section, row, width);
                self.flow.place(band);
            }
            (None, Some(row)) => {
                for (column, cell) in section.columns.iter().zip(row) {
                    let text = format!("{}: {}", column.title, cell.text);
                    self.paragraph(parent, &text, (Weight::Regular, size.body, colour.ink));
                }
            }
            (message, _) => {
                let text = message.as_ref().unwrap_or(&self.layout.words.not_reported);
                self.paragraph(parent, text, (Weight::Regular, size.body, colour.muted));
            }
        }
        if section.level == 0
            && let Some(provenance) = &strings.provenance
        {
            self.flow.gap(2.0);
            self.paragraph(parent, provenance, (Weight::Regular, size.small, colour.muted));
        }
    }

    fn card_band(&mut self, parent: NodeId, section: &Section, texts: &[CellText], width: f32) -> Frame {
        let (size, colour) = (&self.layout.size, &self.layout.colour);
        let words = &self.layout.words;
        let title = if section.title.is_empty() { &words.title } else { &section.title };
        let summary = fill(&words.card_outline, &[("title", title)]);
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
            } else if let (true, Some(language)) = (text.is_value, self.layout.value_language()) {
                self.tags.set_language(node, language);
            }
            let mark = Mark::Leaf(self.tags.leaf(node));
            let (style, tone) = if text.is_value {
                (value, colour.ink)
            } else {
                (self.style(Weight::Regular, size.body), colour.muted)
            };
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
}
