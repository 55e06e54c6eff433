//! Text in the order in which it is read.
//!
//! A reader of the document's content takes glyphs as they come. A text from right to left comes in the order in which it is seen, which the writer marks
//! (`ReversedChars`, ISO 32000-1, 14.8.2.3.3) where each glyph stands for a text of its own. Where several glyphs stand for one, or one stands for what
//! it did not stand for before, the writer says the text beside the glyphs (`ActualText`) and cuts the stretch there. So such a run is painted stretch by
//! stretch, the one that is read first first.

use std::{collections::HashMap, ops::Range};

use krilla::text::KrillaGlyph;
use rustybuzz::ttf_parser::GlyphId;

use crate::{
    fonts::{FaceIndex, FontSet},
    text::Run,
};

/// What each glyph of a fallback face was first painted for.
#[derive(Default)]
pub(super) struct Said(HashMap<(FaceIndex, u32), String>);

impl Said {
    /// The glyphs of a run in the stretches to be painted one after another, and how far from the run's start each stands, in ems.
    pub(super) fn stretches(&mut self, run: &Run, fonts: &FontSet) -> Vec<(Range<usize>, f32)> {
        if !run.is_rtl || run.glyphs.len() < 2 {
            for glyph in run.glyphs.iter().filter(|_| !FontSet::is_main(run.face)) {
                self.is_plain(run, glyph);
            }
            return vec![(0..run.glyphs.len(), 0.0)];
        }
        let mut out: Vec<Range<usize>> = Vec::new();
        let mut is_open = false;
        let mut end = run.glyphs.len();
        while end > 0 {
            let cluster = run.glyphs[end - 1].text_range.clone();
            let start = run.glyphs[..end].iter().rposition(|glyph| glyph.text_range != cluster).map_or(0, |at| at + 1);
            // A space may stand at the end of a stretch only.
            let is_single = end - start == 1 && !run.text[cluster].contains(char::is_whitespace);
            let is_plain = run.glyphs[start..end].iter().fold(is_single, |is, glyph| self.is_plain(run, glyph) && is);
            let first = &run.glyphs[start];
            match out.last_mut() {
                // What is moved ends a string, and each string is read in reverse by itself.
                Some(last) if is_open && is_plain && advances_by_itself(run, first, fonts) => last.start = start,
                _ => out.push(start..end),
            }
            (is_open, end) = (is_plain && first.x_offset == 0.0 && first.y_offset == 0.0, start);
        }
        let before = |glyphs: &[KrillaGlyph]| glyphs.iter().map(|glyph| glyph.x_advance).sum();
        out.into_iter().map(|glyphs| (glyphs.clone(), before(&run.glyphs[..glyphs.start]))).collect()
    }

    /// Whether a glyph stands for what it stood for before. Those of the main faces, which set most of a page, are not remembered.
    fn is_plain(&mut self, run: &Run, glyph: &KrillaGlyph) -> bool {
        if FontSet::is_main(run.face) {
            return false;
        }
        let text = &run.text[glyph.text_range.clone()];
        self.0.entry((run.face, glyph.glyph_id.to_u32())).or_insert_with(|| text.to_owned()) == text
    }
}

/// Whether a glyph stands where the one before ends, and the next one where it ends, by the font's own widths.
fn advances_by_itself(run: &Run, glyph: &KrillaGlyph, fonts: &FontSet) -> bool {
    let face = &fonts.face(run.face).shaper;
    let width = u16::try_from(glyph.glyph_id.to_u32()).ok().and_then(|id| face.glyph_hor_advance(GlyphId(id)));
    let advance = f32::from(width.unwrap_or_default()) / face.units_per_em() as f32;
    glyph.x_offset == 0.0 && glyph.y_offset == 0.0 && (glyph.x_advance - advance).abs() < 1e-6
}
