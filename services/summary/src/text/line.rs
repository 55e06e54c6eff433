//! A line of set text: where each stretch of it stands, in the order in which it is read.

use std::ops::Range;

use krilla::text::KrillaGlyph;
use unicode_bidi::BidiInfo;

use super::{Atom, MAIN_ASCENT, MAIN_DESCENT, Piece, Style};
use crate::fonts::{FaceIndex, FontSet};

/// Fallback faces reserve room for their tallest stacks; names seldom have those, and lines should not fly apart.
const FALLBACK_ASCENT_MAX: f32 = 1.08;
const FALLBACK_DESCENT_MAX: f32 = 0.46;

/// A line, ready to be drawn at a baseline.
#[derive(Clone, Debug, Default)]
pub(crate) struct Line {
    /// In the order in which they are read: who follows the document's content hears them so.
    pub runs: Vec<Run>,
    /// In points, without the space at its end.
    pub width: f32,
    /// From the top of the line to its baseline, in points.
    pub ascent: f32,
    /// From the top of the line to its bottom, in points.
    pub height: f32,
    pub size: f32,
}

/// Glyphs of one face.
#[derive(Clone, Debug)]
pub(crate) struct Run {
    pub face: FaceIndex,
    /// From the start of the line, in points.
    pub x: f32,
    pub text: String,
    /// From left to right. Advances in ems; ranges into `text`.
    pub glyphs: Vec<KrillaGlyph>,
    /// Whether it is read from right to left.
    pub is_rtl: bool,
    /// What the run stands for, when its glyphs are replacements.
    pub actual: Option<String>,
    /// The first and the last of its pieces.
    from: Place,
    to: Place,
}

/// A piece of a line: its atom, and which of the atom's pieces it is.
type Place = (usize, usize);

impl Line {
    /// Whether a mark stands in place of a character.
    pub(super) fn has_replaced(&self) -> bool {
        self.runs.iter().any(|run| run.actual.is_some())
    }

    /// The text of the runs, as it is read.
    #[cfg(test)]
    pub(crate) fn text(&self) -> String {
        self.runs.iter().map(|run| run.actual.as_deref().unwrap_or(&run.text)).collect()
    }
}

pub(super) fn build(fonts: &FontSet, atoms: &[Atom], style: Style) -> Line {
    let mut line = Line { size: style.size, ..Line::default() };
    let (mut ascent, mut descent) = (MAIN_ASCENT, MAIN_DESCENT);
    let mut x = 0.0;
    let last = atoms.len().saturating_sub(1);
    for i in visual_order(atoms) {
        let atom = &atoms[i];
        let is_rtl = atom.level.is_rtl();
        let count = atom.word.pieces.len();
        for n in 0..count {
            let at = if is_rtl { count - 1 - n } else { n };
            let piece = &atom.word.pieces[at];
            // At the end of a line a space from right to left would stand at its left edge and move the rest.
            let skip = if is_rtl && i == last { piece.text.trim_end().len()..piece.text.len() } else { 0..0 };
            if !FontSet::is_main(piece.face) && piece.actual.is_none() {
                let face = fonts.face(piece.face);
                ascent = ascent.max(face.ascent.min(FALLBACK_ASCENT_MAX));
                descent = descent.max(face.descent.min(FALLBACK_DESCENT_MAX));
            }
            let goes_on = !is_rtl && line.runs.last().is_some_and(|run| is_next(atoms, run.to, (i, at)));
            x += push(&mut line.runs, piece, (x, (i, at)), (is_rtl, goes_on), &skip, style.size);
        }
    }
    if atoms.iter().any(|atom| atom.level.number() > 0) {
        line.runs.sort_by_key(|run| run.from);
    }
    let tail = atoms.last().map_or(0.0, |atom| if atom.level.is_rtl() { 0.0 } else { atom.word.width - atom.word.ink });
    line.width = (x - tail * style.size).max(0.0);
    let height = style.leading.max(ascent + descent);
    line.ascent = ((height - ascent - descent) / 2.0 + ascent) * style.size;
    line.height = height * style.size;
    line
}

/// Whether a piece is read right after another.
fn is_next(atoms: &[Atom], (atom, piece): Place, next: Place) -> bool {
    let is_last = piece + 1 == atoms[atom].word.pieces.len();
    next == if is_last { (atom + 1, 0) } else { (atom, piece + 1) }
}

/// Adds a piece to the runs, joining it to the one before where it goes on from there in one face; gives its width.
fn push(
    runs: &mut Vec<Run>,
    piece: &Piece,
    (x, at): (f32, Place),
    (is_rtl, goes_on): (bool, bool),
    skip: &Range<usize>,
    size: f32,
) -> f32 {
    let kept: Vec<KrillaGlyph> =
        piece.glyphs.iter().filter(|glyph| !skip.contains(&glyph.text_range.start)).cloned().collect();
    let width = kept.iter().map(|glyph| glyph.x_advance).sum::<f32>() * size;
    if kept.is_empty() {
        return width;
    }
    if let Some(last) = runs.last_mut()
        && goes_on
        && !last.is_rtl
        && last.face == piece.face
        && last.actual.is_none()
        && piece.actual.is_none()
        && last.glyphs.first().is_some_and(|first| first.text_range.start == 0)
    {
        let offset = last.text.len();
        last.to = at;
        last.text.push_str(&piece.text);
        last.glyphs.extend(kept.into_iter().map(|mut glyph| {
            glyph.text_range = glyph.text_range.start + offset..glyph.text_range.end + offset;
            glyph
        }));
        return width;
    }
    let (text, actual) = (piece.text.clone(), piece.actual.clone());
    runs.push(Run { face: piece.face, x, text, glyphs: kept, is_rtl, actual, from: at, to: at });
    width
}

fn visual_order(atoms: &[Atom]) -> Vec<usize> {
    if atoms.iter().all(|atom| !atom.level.is_rtl()) && atoms.windows(2).all(|pair| pair[0].level == pair[1].level) {
        return (0..atoms.len()).collect();
    }
    let levels: Vec<_> = atoms.iter().map(|atom| atom.level).collect();
    BidiInfo::reorder_visual(&levels)
}
