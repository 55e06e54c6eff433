//! Things to draw, before they have a page: positions are relative to the frame they are in, y runs downwards.

use std::sync::Arc;

use crate::{layout::Colour, tags::LeafId, text::Line};

/// Whose content an item is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mark {
    /// Nobody's: bands, rules, repeated heads. Readers skip it.
    Decor,
    /// The running head of a page.
    Header,
    /// The foot of a page.
    Footer,
    /// That of a structure element.
    Leaf(LeafId),
}

/// What an item shows.
#[derive(Clone, Debug)]
pub(crate) enum Ink {
    /// Text; the item stands at the left end of its baseline.
    Text { line: Arc<Line>, colour: Colour },
    /// A filled rectangle.
    Band { width: f32, height: f32, colour: Colour },
    /// A straight line.
    Rule { dx: f32, dy: f32, width: f32, colour: Colour, dashed: bool },
    /// The room of a figure: nothing is drawn.
    Bounds { width: f32, height: f32 },
    /// A place to jump from, to the start of a section.
    Jump { width: f32, height: f32, to: String, says: String },
    /// A sentence about the page where a section starts, right-aligned at the item; becomes text once pages are known.
    PageOf { section: String, jump: LeafId },
    /// The start of a section.
    Anchor { section: String, level: u16, title: String },
}

/// Something to draw.
#[derive(Clone, Debug)]
pub(crate) struct Item {
    pub x: f32,
    pub y: f32,
    pub ink: Ink,
    pub mark: Mark,
}

/// Items that stay together.
#[derive(Clone, Debug, Default)]
pub(crate) struct Frame {
    pub items: Vec<Item>,
    pub height: f32,
}

impl Frame {
    pub(crate) fn push(&mut self, x: f32, y: f32, ink: Ink, mark: Mark) {
        self.items.push(Item { x, y, ink, mark });
    }

    /// A filled rectangle.
    pub(crate) fn band(&mut self, (x, y): (f32, f32), (width, height): (f32, f32), colour: Colour) {
        self.push(x, y, Ink::Band { width, height, colour }, Mark::Decor);
    }

    /// A horizontal line.
    pub(crate) fn rule(&mut self, (x, y): (f32, f32), length: f32, width: f32, colour: Colour) {
        self.push(x, y, Ink::Rule { dx: length, dy: 0.0, width, colour, dashed: false }, Mark::Decor);
    }

    /// Lines of text under each other, from the top edge `y` down; gives where they end.
    pub(crate) fn lines(&mut self, (x, mut y): (f32, f32), lines: &[Arc<Line>], colour: Colour, mark: Mark) -> f32 {
        for line in lines {
            self.push(x, y + line.ascent, Ink::Text { line: Arc::clone(line), colour }, mark);
            y += line.height;
        }
        y
    }

    /// Puts another frame into this one.
    pub(crate) fn place(&mut self, other: Self, dx: f32, dy: f32) {
        self.height = self.height.max(dy + other.height);
        self.items.extend(other.items.into_iter().map(|item| Item { x: item.x + dx, y: item.y + dy, ..item }));
    }

    /// Puts another frame below what is there.
    pub(crate) fn append(&mut self, other: Self) {
        let height = self.height;
        self.place(other, 0.0, height);
    }

    /// The same to look at, and nobody's content: a repeated head.
    pub(crate) fn to_decor(&self) -> Self {
        let kept =
            self.items.iter().filter(|item| matches!(item.ink, Ink::Text { .. } | Ink::Band { .. } | Ink::Rule { .. }));
        Self { items: kept.map(|item| Item { mark: Mark::Decor, ..item.clone() }).collect(), height: self.height }
    }
}
