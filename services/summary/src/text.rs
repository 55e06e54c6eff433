//! Setting text: direction, fallback, shaping, and breaking into lines.
//!
//! A text is cut where a line may break (UAX #14) and where its direction changes (UAX #9); each such *word* is shaped once
//! with the first face that has its characters, remembered, and put on lines by width. A word that is wider than the line is
//! broken between grapheme clusters. Nothing here can fail: what no face can draw becomes U+FFFD with its text kept beside it.

use std::{borrow::Cow, ops::Range, sync::Arc};

use krilla::text::{GlyphId, KrillaGlyph};
use rustybuzz::{BufferFlags, Direction, UnicodeBuffer};
use unicode_bidi::{BidiInfo, Level};
use unicode_linebreak::linebreaks;
use unicode_segmentation::UnicodeSegmentation;

use crate::{
    fonts::{FaceIndex, FontSet, Weight, is_ignorable},
    view::clean,
};
use memory::{Common, Fitted, remember};

mod line;
mod memory;

pub(crate) use line::{Line, Run};
pub(crate) use memory::Memory;

/// Height above and depth below the baseline that main faces are given, in ems.
const MAIN_ASCENT: f32 = 0.79;
const MAIN_DESCENT: f32 = 0.21;

/// No line that is cut to fit shows more grapheme clusters than this.
const FIT_CLUSTERS_MAX: usize = 200;

/// How a text looks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Style {
    pub weight: Weight,
    /// In points.
    pub size: f32,
    /// Line height, in ems.
    pub leading: f32,
}

/// The direction a paragraph starts from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Base {
    /// As its first strong character says: a value of the record.
    Auto,
    /// From left to right: a sentence of ours.
    Sentence,
}

/// A stretch of one face and direction, shaped; lengths in ems.
#[derive(Clone, Debug)]
struct Piece {
    face: FaceIndex,
    text: String,
    glyphs: Vec<KrillaGlyph>,
    width: f32,
    /// The text that the glyphs stand for when they are replacements.
    actual: Option<String>,
}

/// What stands between two places where a line may break, or a direction changes.
#[derive(Clone, Debug)]
struct Word {
    pieces: Vec<Piece>,
    width: f32,
    /// Without the spaces at its end.
    ink: f32,
}

/// A word at its place in a text.
#[derive(Clone)]
struct Atom {
    word: Arc<Word>,
    range: Range<usize>,
    level: Level,
    /// Whether a line may break after it.
    breaks: bool,
}

/// What a line depends on beside its text: weight, size, leading and base.
type Look = (Weight, u32, u32, Base);

/// Shapes words and remembers them, and the lines of texts that fitted on one. One for each thread.
pub(crate) struct Typesetter<'f> {
    fonts: &'f FontSet,
    /// What goes with it.
    own: Memory,
    /// What outlives it, and which texts may stand there.
    common: Option<(Memory, Common)>,
    /// Whether a line of this document has a mark in place of a character.
    has_replaced: bool,
}

impl<'f> Typesetter<'f> {
    /// One that remembers everything, as long as it lives.
    pub(crate) fn new(fonts: &'f FontSet) -> Self {
        Self { fonts, own: Memory::default(), common: None, has_replaced: false }
    }

    /// One that goes on from what another left, and leaves no text that is not common.
    pub(crate) fn with_memory(fonts: &'f FontSet, memory: Memory) -> Self {
        Self { common: Some((memory, Common::default())), ..Self::new(fonts) }
    }

    /// Forgets what was set before.
    pub(crate) fn begin_document(&mut self) {
        self.has_replaced = false;
    }

    /// Whether a mark stands in place of a character that no face can draw, in any line set since the document began.
    pub(crate) const fn has_replaced(&self) -> bool {
        self.has_replaced
    }

    /// Lets texts be remembered after this typesetter: names of organizations, no person's.
    pub(crate) fn let_remember<'t>(&mut self, texts: impl Iterator<Item = &'t str>) {
        if let Some((_, common)) = &mut self.common {
            common.allow(texts);
        }
    }

    /// What it leaves to others.
    pub(crate) fn into_memory(self) -> Memory {
        self.common.map(|(memory, _)| memory).unwrap_or_default()
    }

    /// Where a text is remembered.
    fn memory_of(&mut self, text: &str) -> &mut Memory {
        match &mut self.common {
            Some((memory, common)) if common.has(text) => memory,
            _ => &mut self.own,
        }
    }

    /// What is remembered, by anyone.
    fn recall<T>(&self, find: impl Fn(&Memory) -> Option<T>) -> Option<T> {
        self.common.as_ref().and_then(|(memory, _)| find(memory)).or_else(|| find(&self.own))
    }

    /// Breaks a text into lines no wider than `width` points, as far as single grapheme clusters allow. No text, no lines.
    pub(crate) fn wrap(&mut self, text: &str, style: Style, base: Base, width: f32) -> Vec<Arc<Line>> {
        let lines = self.find_or_break(text, style, base, width);
        self.has_replaced |= lines.iter().any(|line| line.has_replaced());
        lines
    }

    fn find_or_break(&mut self, text: &str, style: Style, base: Base, width: f32) -> Vec<Arc<Line>> {
        let text = Self::printable(text);
        let em_width = (width / style.size).max(0.0);
        let look = (style.weight, style.size.to_bits(), style.leading.to_bits(), base);
        let fitted = self.recall(|memory| {
            let fitted = memory.lines.get(&look)?.get(&*text)?;
            (fitted.needs <= em_width).then(|| Arc::clone(&fitted.line))
        });
        if let Some(line) = fitted {
            return vec![line];
        }
        let (lines, needs) = self.break_into_lines(&text, style, base, em_width);
        if let ([line], Some(needs)) = (&lines[..], needs) {
            let of = self.memory_of(&text).lines.entry(look).or_default();
            remember(of, &text, Fitted { line: Arc::clone(line), needs });
        }
        lines
    }

    /// The lines, and the room that the widest of them needed, in ems, unless a word had to be cut.
    fn break_into_lines(
        &mut self,
        text: &str,
        style: Style,
        base: Base,
        em_width: f32,
    ) -> (Vec<Arc<Line>>, Option<f32>) {
        let atoms = self.atoms(text, style.weight, base);
        let mut needs = Some(0.0_f32);
        let mut lines = Vec::new();
        let mut current: Vec<Atom> = Vec::new();
        let mut used = 0.0;
        let mut start = 0;
        while start < atoms.len() {
            let end = atoms[start..].iter().position(|atom| atom.breaks).map_or(atoms.len(), |i| start + i + 1);
            let chunk = &atoms[start..end];
            start = end;
            let (full, ink) = chunk_widths(chunk);
            if used + ink > em_width && !current.is_empty() {
                lines.push(self.line(&std::mem::take(&mut current), style));
                used = 0.0;
            }
            if ink <= em_width {
                needs = needs.map(|needs| needs.max(used + ink));
                current.extend_from_slice(chunk);
                used += full;
                continue;
            }
            needs = None;
            for piece in self.force(text, chunk, style.weight, em_width) {
                if used + piece.word.ink > em_width && !current.is_empty() {
                    lines.push(self.line(&std::mem::take(&mut current), style));
                    used = 0.0;
                }
                used += piece.word.width;
                current.push(piece);
            }
        }
        if !current.is_empty() {
            lines.push(self.line(&current, style));
        }
        (lines, needs)
    }

    /// The text on one line, however wide.
    pub(crate) fn line_of(&mut self, text: &str, style: Style, base: Base) -> Arc<Line> {
        self.wrap(text, style, base, f32::INFINITY).into_iter().next().unwrap_or_default()
    }

    /// The text, cut with an ellipsis where it is too wide for one line.
    pub(crate) fn fit<'t>(&mut self, text: &'t str, style: Style, width: f32) -> Cow<'t, str> {
        if self.line_of(text, style, Base::Auto).width <= width {
            return text.into();
        }
        let mut kept: Vec<&str> = text.graphemes(true).take(FIT_CLUSTERS_MAX).collect();
        while kept.pop().is_some() {
            let cut = format!("{}…", kept.concat().trim_end());
            if self.line_of(&cut, style, Base::Auto).width <= width {
                return cut.into();
            }
        }
        Cow::default()
    }

    /// The width of the widest word, in points: what a column needs so that no word is broken.
    pub(crate) fn widest_word(&mut self, text: &str, style: Style) -> f32 {
        let text = Self::printable(text);
        let known = self.recall(|memory| memory.widest.get(&style.weight)?.get(&*text).copied());
        let widest = known.unwrap_or_else(|| {
            let atoms = self.atoms(&text, style.weight, Base::Auto);
            let widest = atoms.chunk_by(|a, _| !a.breaks).map(|chunk| chunk_widths(chunk).1).fold(0.0, f32::max);
            let of = self.memory_of(&text).widest.entry(style.weight).or_default();
            remember(of, &text, widest);
            widest
        });
        widest * style.size
    }

    /// Text of ours arrives clean already; this holds for any other.
    fn printable(text: &str) -> Cow<'_, str> {
        if text.chars().any(|c| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}')) {
            clean(text).into()
        } else {
            text.into()
        }
    }

    fn atoms(&mut self, text: &str, weight: Weight, base: Base) -> Vec<Atom> {
        let levels = levels(text, base);
        let mut atoms = Vec::new();
        let mut start = 0;
        for (end, _) in linebreaks(text) {
            let mut from = start;
            while from < end {
                let level = levels.as_ref().map_or_else(Level::ltr, |levels| levels[from]);
                let to = levels.as_ref().map_or(end, |levels| (from..end).find(|i| levels[*i] != level).unwrap_or(end));
                let breaks = to == end;
                atoms.push(Atom {
                    word: self.word(&text[from..to], weight, level.is_rtl()),
                    range: from..to,
                    level,
                    breaks,
                });
                from = to;
            }
            start = end;
        }
        atoms
    }

    fn word(&mut self, text: &str, weight: Weight, is_rtl: bool) -> Arc<Word> {
        let at = usize::from(weight == Weight::SemiBold) * 2 + usize::from(is_rtl);
        if let Some(word) = self.recall(|memory| memory.words[at].get(text).map(Arc::clone)) {
            return word;
        }
        let word = Arc::new(shape_word(self.fonts, text, weight, is_rtl));
        remember(&mut self.memory_of(text).words[at], text, Arc::clone(&word));
        word
    }

    /// Cuts a chunk that is wider than a line between grapheme clusters, into atoms that fit.
    fn force(&mut self, text: &str, chunk: &[Atom], weight: Weight, em_width: f32) -> Vec<Atom> {
        let mut out = Vec::new();
        for atom in chunk {
            let part = &text[atom.range.clone()];
            let advances = advances(&atom.word);
            let mut begin = 0;
            while begin < part.len() {
                let mut end = fitting_end(part, begin, &advances, em_width);
                let mut word = self.word(&part[begin..end], weight, atom.level.is_rtl());
                // Cut pieces can be wider than they were inside the word: joining letters take other forms.
                while word.ink > em_width
                    && let Some((last, _)) = part[begin..end].grapheme_indices(true).next_back()
                    && last > 0
                {
                    end = begin + last;
                    word = self.word(&part[begin..end], weight, atom.level.is_rtl());
                }
                out.push(Atom {
                    word,
                    range: atom.range.start + begin..atom.range.start + end,
                    level: atom.level,
                    breaks: true,
                });
                begin = end;
            }
        }
        out
    }

    fn line(&self, atoms: &[Atom], style: Style) -> Arc<Line> {
        Arc::new(line::build(self.fonts, atoms, style))
    }
}

fn chunk_widths(chunk: &[Atom]) -> (f32, f32) {
    let full: f32 = chunk.iter().map(|atom| atom.word.width).sum();
    let tail = chunk.last().map_or(0.0, |atom| atom.word.width - atom.word.ink);
    (full, full - tail)
}

/// The end of the longest run of grapheme clusters from `begin` that fits; at least one.
fn fitting_end(part: &str, begin: usize, advances: &[(usize, f32)], em_width: f32) -> usize {
    let mut used = 0.0;
    for (at, grapheme) in part[begin..].grapheme_indices(true) {
        let from = begin + at;
        let to = from + grapheme.len();
        used +=
            advances.iter().filter(|(start, _)| (from..to).contains(start)).map(|(_, advance)| advance).sum::<f32>();
        if used > em_width && at > 0 {
            return from;
        }
    }
    part.len()
}

/// Where each cluster of a word starts, and how far its glyphs advance.
fn advances(word: &Word) -> Vec<(usize, f32)> {
    let mut out = Vec::new();
    let mut offset = 0;
    for piece in &word.pieces {
        let length = piece.actual.as_ref().map_or(piece.text.len(), String::len);
        match &piece.actual {
            Some(_) => out.push((offset, piece.width)),
            None => out.extend(piece.glyphs.iter().map(|glyph| (offset + glyph.text_range.start, glyph.x_advance))),
        }
        offset += length;
    }
    out
}

/// Levels of all bytes; `None` when everything runs from left to right.
fn levels(text: &str, base: Base) -> Option<Vec<Level>> {
    if !crate::view::might_be_rtl(text) {
        return None;
    }
    let default = match base {
        Base::Auto => None,
        Base::Sentence => Some(Level::ltr()),
    };
    Some(BidiInfo::new(text, default).levels)
}

fn shape_word(fonts: &FontSet, text: &str, weight: Weight, is_rtl: bool) -> Word {
    // Isolates have done their work when levels were given; nobody should find them in copied text.
    let kept = text.replace(['\u{2068}', '\u{2069}'], "");
    let text = kept.as_str();
    let mut pieces = Vec::new();
    for (face, range) in cut_by_face(fonts, text, weight) {
        let part = &text[range];
        pieces.push(match face {
            Some(face) => shape(fonts, face, part, is_rtl),
            None => replace(fonts, part),
        });
    }
    let width: f32 = pieces.iter().map(|piece| piece.width).sum();
    let tail: f32 = pieces.last().map_or(0.0, |piece| {
        let ink = piece.text.trim_end().len();
        if piece.actual.is_some() {
            0.0
        } else {
            piece.glyphs.iter().filter(|glyph| glyph.text_range.start >= ink).map(|glyph| glyph.x_advance).sum()
        }
    });
    Word { pieces, width, ink: width - tail }
}

/// Stretches of one face; `None` for a cluster that no face has.
fn cut_by_face(fonts: &FontSet, text: &str, weight: Weight) -> Vec<(Option<FaceIndex>, Range<usize>)> {
    let main = FontSet::main(weight);
    if text.is_ascii() {
        return vec![(Some(main), 0..text.len())];
    }
    let mut out: Vec<(Option<FaceIndex>, Range<usize>)> = Vec::new();
    for (start, cluster) in text.grapheme_indices(true) {
        let end = start + cluster.len();
        let private = cluster.chars().any(is_private);
        let seen = cluster.chars().any(|c| !is_ignorable(c));
        let face = match out.last() {
            _ if private => None,
            // What is not seen stays with what it directs.
            Some((Some(last), _)) if !seen => Some(*last),
            _ if !seen => Some(main),
            _ => fonts.find_face(weight, cluster),
        };
        match out.last_mut() {
            Some((last, range)) if *last == face && face.is_some() => range.end = end,
            _ => out.push((face, start..end)),
        }
    }
    out
}

/// Private-use characters mean nothing to anyone else, and archives refuse them: they are replaced.
fn is_private(c: char) -> bool {
    matches!(c, '\u{e000}'..='\u{f8ff}' | '\u{f0000}'..='\u{ffffd}' | '\u{100000}'..='\u{10fffd}')
}

fn shape(fonts: &FontSet, index: FaceIndex, text: &str, is_rtl: bool) -> Piece {
    let font = fonts.face(index);
    let face = &font.shaper;
    let mut buffer = UnicodeBuffer::new();
    buffer.push_str(text);
    buffer.guess_segment_properties();
    buffer.set_direction(if is_rtl { Direction::RightToLeft } else { Direction::LeftToRight });
    buffer.set_flags(BufferFlags::REMOVE_DEFAULT_IGNORABLES);
    let shaped = font.shape(buffer);
    let em = face.units_per_em() as f32;
    let infos = shaped.glyph_infos();
    let mut starts: Vec<usize> = infos.iter().map(|info| info.cluster as usize).collect();
    starts.sort_unstable();
    starts.dedup();
    let mut width = 0.0;
    let mut glyphs = Vec::with_capacity(infos.len());
    for (info, position) in infos.iter().zip(shaped.glyph_positions()) {
        let start = info.cluster as usize;
        let end = starts.get(starts.partition_point(|other| *other <= start)).copied().unwrap_or(text.len());
        if info.glyph_id == 0 {
            // The face has the characters but no glyph for what shaping made of them.
            return replace(fonts, text);
        }
        width += position.x_advance as f32 / em;
        glyphs.push(KrillaGlyph::new(
            GlyphId::new(info.glyph_id),
            position.x_advance as f32 / em,
            position.x_offset as f32 / em,
            position.y_offset as f32 / em,
            position.y_advance as f32 / em,
            start..end,
            None,
        ));
    }
    Piece { face: index, text: text.to_owned(), glyphs, width, actual: None }
}

/// U+FFFD in place of what no face can draw.
fn replace(fonts: &FontSet, text: &str) -> Piece {
    let (index, mark) = FontSet::replacement();
    let mut piece =
        Piece { face: index, text: mark.to_string(), glyphs: Vec::new(), width: 0.0, actual: Some(text.to_owned()) };
    let face = &fonts.face(index).shaper;
    if let Some(glyph) = face.glyph_index(mark) {
        let advance = f32::from(face.glyph_hor_advance(glyph).unwrap_or_default()) / face.units_per_em() as f32;
        piece.glyphs.push(KrillaGlyph::new(
            GlyphId::new(u32::from(glyph.0)),
            advance,
            0.0,
            0.0,
            0.0,
            0..mark.len_utf8(),
            None,
        ));
        piece.width = advance;
    }
    piece
}

#[cfg(test)]
mod tests;
