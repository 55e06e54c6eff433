//! The faces a document may use, parsed once and shared by all threads.

use std::{
    path::Path,
    sync::{LazyLock, Mutex, OnceLock, PoisonError},
};

use krilla::text::Font;
use rustybuzz::{Direction, GlyphBuffer, Script, ShapePlan, UnicodeBuffer, script, ttf_parser::GlyphId};

use crate::Error;

/// How heavy the main face is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Weight {
    Regular,
    SemiBold,
}

/// One face.
pub(crate) struct Face {
    /// For writing the document.
    pub font: Font,
    /// For shaping.
    pub shaper: rustybuzz::Face<'static>,
    /// Height above the baseline, in ems.
    pub ascent: f32,
    /// Depth below the baseline, in ems, positive.
    pub descent: f32,
    /// How most texts are shaped, each made when it is asked for first.
    plans: [OnceLock<ShapePlan>; PLANNED.len()],
}

/// The scripts of most texts: letters, and nothing but digits and signs. Making a plan takes longer than shaping a word by it.
const PLANNED: [Script; 2] = [script::LATIN, script::UNKNOWN];

/// All faces: the two main ones, then the fallbacks in the order they are asked.
pub(crate) struct FontSet {
    faces: Vec<Face>,
}

/// The position of a face in its set.
pub(crate) type FaceIndex = usize;

const REGULAR: FaceIndex = 0;
const SEMI_BOLD: FaceIndex = 1;
/// Noto Sans: the face that draws U+FFFD.
const REPLACEMENT: FaceIndex = 2;

macro_rules! embedded {
    ($($name:literal),+ $(,)?) => { &[$(($name, include_bytes!(concat!("../fonts/", $name)))),+] };
}

const EMBEDDED: &[(&str, &[u8])] = embedded![
    "SourceSans3_400Regular.ttf",
    "SourceSans3_600SemiBold.ttf",
    "NotoSans-Regular.ttf",
    "NotoSansHebrew-Regular.ttf",
    "NotoSansArabic-Regular.ttf",
    "NotoSansDevanagari-Regular.ttf",
    "NotoSansBengali-Regular.ttf",
    "NotoSansGujarati-Regular.ttf",
    "NotoSansGurmukhi-Regular.ttf",
    "NotoSansOriya-Regular.ttf",
    "NotoSansTamil-Regular.ttf",
    "NotoSansTelugu-Regular.ttf",
    "NotoSansKannada-Regular.ttf",
    "NotoSansMalayalam-Regular.ttf",
    "NotoSansSinhala-Regular.ttf",
    "NotoSansThai-Regular.ttf",
    "NotoSansLao-Regular.ttf",
    "NotoSansKhmer-Regular.ttf",
    "NotoSansMyanmar-Regular.ttf",
    "NotoSansEthiopic-Regular.ttf",
    "NotoSansArmenian-Regular.ttf",
    "NotoSansGeorgian-Regular.ttf",
    "NotoSansThaana-Regular.ttf",
    "NotoSansSyriac-Regular.ttf",
    "NotoSansNKo-Regular.ttf",
    "NotoSansAdlam-Regular.ttf",
    "NotoSansCherokee-Regular.ttf",
    "NotoSansCanadianAboriginal-Regular.ttf",
];

/// The main faces as documents carry parts of them: with their names, and without the kilobyte that fonts say of themselves beside them.
static MAIN: LazyLock<[Vec<u8>; REPLACEMENT]> =
    LazyLock::new(|| [REGULAR, SEMI_BOLD].map(|face| without_credits(EMBEDDED[face].1)));

/// Leaves the PostScript name alone in the table of names; a font without one stays as it is.
fn without_credits(data: &[u8]) -> Vec<u8> {
    const POST_SCRIPT: u16 = 6;
    const WINDOWS: u16 = 3;
    const RECORD: usize = 12;
    let mut font = data.to_vec();
    let number = |at: usize| data.get(at..at + 2).map_or(0, |pair| u16::from_be_bytes([pair[0], pair[1]]));
    let tables = usize::from(number(4));
    let entry = (0..tables).map(|table| 12 + 16 * table).find(|entry| data.get(*entry..entry + 4) == Some(b"name"));
    let Some(names) = entry.map(|entry| usize::from(number(entry + 8)) << 16 | usize::from(number(entry + 10))) else {
        return font;
    };
    let mut records = (0..usize::from(number(names + 2))).map(|record| names + 6 + RECORD * record);
    if let Some(kept) = records.find(|at| number(*at) == WINDOWS && number(at + 6) == POST_SCRIPT) {
        font.copy_within(kept..kept + RECORD, names + 6);
        font[names + 2..names + 4].copy_from_slice(&1_u16.to_be_bytes());
    }
    font
}

/// The largest file read from a font folder.
const FONT_BYTES_MAX: u64 = 64 << 20;

impl FontSet {
    /// The embedded faces, and those of a file or folder after them.
    pub(crate) fn new(extra: Option<&Path>) -> Result<Self, Error> {
        let mut faces = Vec::with_capacity(EMBEDDED.len());
        for (at, (name, data)) in EMBEDDED.iter().enumerate() {
            let data = MAIN.get(at).map_or(*data, Vec::as_slice);
            faces.push(Face::parse(data).ok_or_else(|| Error::Corrupt(format!("the font {name} cannot be read")))?);
        }
        match extra {
            Some(file) if file.is_file() => faces.push(read_face(file)?),
            Some(folder) => faces.extend(read_folder(folder)?),
            None => {}
        }
        Ok(Self { faces })
    }

    pub(crate) fn face(&self, index: FaceIndex) -> &Face {
        // Every index comes from this set: `main`, `find_face` or `replacement`.
        &self.faces[index]
    }

    /// The main face of a weight.
    pub(crate) fn main(weight: Weight) -> FaceIndex {
        match weight {
            Weight::Regular => REGULAR,
            Weight::SemiBold => SEMI_BOLD,
        }
    }

    /// The face and glyph for what no face has.
    pub(crate) fn replacement() -> (FaceIndex, char) {
        (REPLACEMENT, char::REPLACEMENT_CHARACTER)
    }

    /// Whether a face is one of the two main ones.
    pub(crate) fn is_main(index: FaceIndex) -> bool {
        index < REPLACEMENT
    }

    /// The first face that has all characters of a cluster, the main face of the weight asked first.
    pub(crate) fn find_face(&self, weight: Weight, cluster: &str) -> Option<FaceIndex> {
        let main = Self::main(weight);
        std::iter::once(main).chain(REPLACEMENT..self.faces.len()).find(|index| self.faces[*index].covers(cluster))
    }
}

impl Face {
    fn parse(data: &'static [u8]) -> Option<Self> {
        let shaper = rustybuzz::Face::from_slice(data, 0)?;
        let font = Font::new(data.into(), 0)?;
        let em = f32::from(shaper.units_per_em() as i16).max(1.0);
        let (ascent, descent) = (f32::from(shaper.ascender()) / em, -f32::from(shaper.descender()) / em);
        Some(Self { font, shaper, ascent, descent, plans: Default::default() })
    }

    /// Shapes a text whose direction and script are known.
    pub(crate) fn shape(&self, text: UnicodeBuffer) -> GlyphBuffer {
        let (direction, script) = (text.direction(), text.script());
        match PLANNED.iter().position(|planned| *planned == script) {
            Some(at) if direction == Direction::LeftToRight => {
                let script = (script != rustybuzz::script::UNKNOWN).then_some(script);
                let plan = self.plans[at].get_or_init(|| ShapePlan::new(&self.shaper, direction, script, None, &[]));
                rustybuzz::shape_with_plan(&self.shaper, plan, text)
            }
            _ => rustybuzz::shape(&self.shaper, &[], text),
        }
    }

    /// Whether the face has a glyph for each character that is seen.
    fn covers(&self, cluster: &str) -> bool {
        cluster
            .chars()
            .filter(|c| !is_ignorable(*c))
            .all(|c| self.shaper.glyph_index(c).is_some_and(|glyph| glyph != GlyphId(0)))
    }
}

/// Characters that direct shaping and are not seen themselves.
pub(crate) fn is_ignorable(c: char) -> bool {
    matches!(
        c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{e0000}'..='\u{e0fff}'
    )
}

/// Reads the TrueType and OpenType files of a folder, regular ones first, then by name; of a collection its first face.
fn read_folder(folder: &Path) -> Result<Vec<Face>, Error> {
    let unreadable = |source| Error::Unavailable { path: folder.to_owned(), action: "read", source };
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        let is_font = path
            .extension()
            .is_some_and(|ext| ["ttf", "otf", "ttc"].iter().any(|known| ext.eq_ignore_ascii_case(known)));
        if is_font && path.is_file() {
            paths.push(path);
        }
    }
    paths.sort();
    let mut faces = paths.iter().map(|path| read_face(path)).collect::<Result<Vec<_>, _>>()?;
    // The text is set in a regular face; folders hold bold ones beside it, whose names come first.
    faces.sort_by_key(|face| (face.shaper.is_italic(), face.shaper.weight().to_number().abs_diff(400)));
    Ok(faces)
}

fn read_face(path: &Path) -> Result<Face, Error> {
    let unreadable = |source| Error::Unavailable { path: path.to_owned(), action: "read", source };
    if std::fs::metadata(path).map_err(unreadable)?.len() > FONT_BYTES_MAX {
        return Err(Error::invalid(
            path.display().to_string(),
            format!("expected a font of at most {} MB", FONT_BYTES_MAX >> 20),
        ));
    }
    Face::parse(kept(std::fs::read(path).map_err(unreadable)?))
        .ok_or_else(|| Error::invalid(path.display().to_string(), "expected a TrueType or OpenType font"))
}

/// A font's bytes for as long as the program runs: shaping borrows from them. The same bytes are kept once, however many renderers are made of them.
fn kept(data: Vec<u8>) -> &'static [u8] {
    static KEPT: Mutex<Vec<&[u8]>> = Mutex::new(Vec::new());
    // Whoever panics with it has not changed it.
    let mut all = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = all.iter().find(|known| **known == data) {
        return known;
    }
    let new: &'static [u8] = data.leak();
    all.push(new);
    new
}

#[cfg(test)]
#[path = "../tests/forms/font.rs"]
mod ours;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_folder_a_regular_face_comes_before_a_bold_one_whatever_their_names() {
        let folder = tempfile::tempdir().expect("a folder");
        for (name, face) in [("a-bold.ttf", SEMI_BOLD), ("b-regular.ttf", REGULAR)] {
            let font = ours::under_other_characters(EMBEDDED[face].1, "王");
            std::fs::write(folder.path().join(name), font).expect("a file");
        }
        let weight = |path: &Path| {
            let fonts = FontSet::new(Some(path)).expect("fonts");
            let face = fonts.find_face(Weight::Regular, "王").expect("a face");
            fonts.face(face).shaper.weight().to_number()
        };
        assert_eq!(weight(folder.path()), 400);
        assert_eq!(weight(&folder.path().join("a-bold.ttf")), 600, "a file is taken as it is");
    }

    #[test]
    fn the_same_font_is_kept_once_and_another_beside_it() {
        let (one, same, other) = (kept(vec![7; 99]), kept(vec![7; 99]), kept(vec![8; 99]));
        assert!(std::ptr::eq(one, same) && !std::ptr::eq(one, other));
        assert_eq!(other, [8; 99]);
    }
}
