//! The last section: what was withheld, how to read the report, how to verify it.

use super::Composer;
use crate::{
    fonts::Weight,
    frame::{Frame, Ink, Mark},
    layout::{Section, fill},
    tags::{NodeId, Role},
    text::Base,
};

impl Composer<'_, '_> {
    /// What was withheld, how to read the report, how to verify it.
    pub(super) fn about(&mut self, section: &Section) {
        self.flow.gap(self.layout.size.gap * 1.2);
        self.flow.begin_together();
        let frame = self.heading(self.part, section, None, self.layout.page.measure());
        self.flow.wait(frame);
        let words = &self.layout.words;
        if let Some(withheld) = &self.view.withheld {
            if withheld.is_empty() {
                self.about_block(&section.withheld_title, &[&words.withheld_none]);
            } else {
                let parent = self.about_block(&section.withheld_title, &[&words.withheld_some]);
                self.list(parent, withheld);
            }
        }
        let mut notes = vec![self.view.notes.join(" ")];
        if self.view.has_replaced || self.setter.has_replaced() {
            notes.push(words.reading_replaced.clone());
        }
        self.about_block(&section.reading_title, &notes.iter().map(String::as_str).collect::<Vec<_>>());
        match (&self.view.code, &self.view.banner) {
            (Some(code), _) => {
                let code = fill(&words.verify_code, &[("code", code)]);
                self.about_block(&section.verify_title, &[&code, &words.verify_note]);
            }
            (None, Some(banner)) => {
                self.about_block(&section.verify_title, &[banner]);
            }
            (None, None) => {}
        }
        self.flow.end_together();
    }

    fn about_block(&mut self, title: &str, paragraphs: &[&str]) -> NodeId {
        let (size, colour) = (&self.layout.size, &self.layout.colour);
        let parent = self.tags.node(self.part, Role::Section);
        let mut heading = Frame::default();
        let mark = Mark::Leaf(self.tags.leaf_in(parent, Role::Heading { level: 3, title: title.to_owned() }));
        let line = self.setter.line_of(title, self.style(Weight::SemiBold, size.h3 - 1.0), Base::Sentence);
        heading.push(0.0, 0.0, Ink::Anchor { section: title.to_owned(), level: 3, title: title.to_owned() }, mark);
        heading.height = heading.lines((0.0, 0.0), &[line], colour.accent, mark) + 1.0;
        self.flow.wait(heading);
        for paragraph in paragraphs {
            self.paragraph(parent, paragraph, (Weight::Regular, size.note + 0.4, colour.ink));
        }
        self.flow.gap(size.gap * 0.55);
        parent
    }

    /// Labels in three columns, read row by row.
    fn list(&mut self, parent: NodeId, labels: &[String]) {
        const COLUMNS: usize = 3;
        let size = &self.layout.size;
        let width = self.layout.page.measure() / COLUMNS as f32;
        let list = self.tags.node(parent, Role::List);
        let mut rows = Vec::new();
        for row in labels.chunks(COLUMNS) {
            let mut frame = Frame::default();
            for (i, label) in row.iter().enumerate() {
                let item = self.tags.node(list, Role::Item);
                if let Some(language) = self.layout.value_language() {
                    self.tags.set_language(item, language);
                }
                let mark = Mark::Leaf(self.tags.leaf_in(item, Role::ItemBody));
                let lines =
                    self.setter.wrap(label, self.style(Weight::Regular, size.note + 0.4), Base::Auto, width - 14.0);
                frame.height =
                    frame.height.max(frame.lines((i as f32 * width, 0.0), &lines, self.layout.colour.ink, mark));
            }
            rows.push(frame);
        }
        self.flow.paragraph(rows);
        self.flow.gap(size.gap * 0.55);
    }
}
