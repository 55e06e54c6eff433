//! What a page paints, said in fewer words.
//!
//! The writer saves the state, turns the page's axis, chooses colour, font and line for each thing anew, and restores the state after it; and it
//! spells the glyphs of a text in octal. Here the axis is turned once, what is chosen already is not chosen again, and glyphs are the bytes that they
//! are. The page looks the same, and half of the bytes need not be deflated. A page that does anything unknown to this module stays as it is.

use std::ops::Range;

/// What the writer sets before it paints, and the operator by which the default comes back; colours have none, because the writer always chooses one.
#[derive(Clone, Copy)]
enum Slot {
    FillSpace,
    Fill,
    StrokeSpace,
    Stroke,
    Width,
    Dash,
    Cap,
    Join,
    Mitre,
    Font,
    Mode,
}

const SLOTS: usize = 11;
const FILL: &[Slot] = &[Slot::FillSpace, Slot::Fill];
const STROKE: &[Slot] = &[Slot::StrokeSpace, Slot::Stroke, Slot::Width, Slot::Dash, Slot::Cap, Slot::Join, Slot::Mitre];
const TEXT: &[Slot] = &[Slot::FillSpace, Slot::Fill, Slot::Font, Slot::Mode];

impl Slot {
    const fn default(self) -> Option<&'static [u8]> {
        match self {
            Self::FillSpace | Self::Fill | Self::StrokeSpace | Self::Stroke | Self::Font => None,
            Self::Width => Some(b"1 w"),
            Self::Dash => Some(b"[]0 d"),
            Self::Cap => Some(b"0 J"),
            Self::Join => Some(b"0 j"),
            Self::Mitre => Some(b"10 M"),
            Self::Mode => Some(b"0 Tr"),
        }
    }

    fn of(operator: &[u8]) -> Option<Self> {
        Some(match operator {
            b"cs" => Self::FillSpace,
            b"scn" => Self::Fill,
            b"CS" => Self::StrokeSpace,
            b"SCN" => Self::Stroke,
            b"w" => Self::Width,
            b"d" => Self::Dash,
            b"J" => Self::Cap,
            b"j" => Self::Join,
            b"M" => Self::Mitre,
            b"Tf" => Self::Font,
            b"Tr" => Self::Mode,
            _ => return None,
        })
    }
}

/// One setting for each slot, as its operation reads.
type Settings<'c> = [Option<&'c [u8]>; SLOTS];

fn defaults() -> Settings<'static> {
    use Slot::{Cap, Dash, Fill, FillSpace, Font, Join, Mitre, Mode, Stroke, StrokeSpace, Width};
    [FillSpace, Fill, StrokeSpace, Stroke, Width, Dash, Cap, Join, Mitre, Font, Mode].map(Slot::default)
}

/// The same page in fewer bytes, or nothing where it does what this module does not know.
pub(super) fn shorten(content: &[u8]) -> Option<Vec<u8>> {
    let mut page = Page {
        content,
        out: Vec::with_capacity(content.len() / 2),
        axis: None,
        is_saved: false,
        is_turned: false,
        wanted: defaults(),
        set: defaults(),
        path: None,
        saved_at: 0,
        begun: None,
        openings: Vec::with_capacity(OPENINGS_MAX),
    };
    let mut tokens = Tokens { content, at: 0, spelled: Vec::with_capacity(content.len() / 16) };
    let mut operands = None;
    while let Some((token, kind)) = tokens.next_token()? {
        match kind {
            Kind::Operand => operands = operands.or(Some(token.start)),
            Kind::Operator => {
                let start = operands.take().unwrap_or(token.start);
                let operator = &content[token.clone()];
                page.operation(start..token.end, operator, &tokens.spelled)?;
                tokens.spelled.clear();
                match operator {
                    b"q" => tokens.at = page.open(start).unwrap_or(token.end),
                    b"Tf" => page.remember(token.end),
                    _ => {}
                }
            }
        }
    }
    (operands.is_none() && !page.is_saved && page.path.is_none()).then_some(page.out)
}

struct Page<'c> {
    content: &'c [u8],
    out: Vec<u8>,
    /// How the page's axis is turned.
    axis: Option<&'c [u8]>,
    /// Whether the writer has saved the state, and whether it has turned the axis since.
    is_saved: bool,
    is_turned: bool,
    /// What the writer has set.
    wanted: Settings<'c>,
    /// What is set in the shorter page.
    set: Settings<'c>,
    /// Where a path begins that is not painted yet.
    path: Option<usize>,
    /// Where the state was saved last, and how many texts began since; nothing once anything else happened.
    saved_at: usize,
    begun: Option<usize>,
    /// How texts have begun, from where the state is saved to where the font is chosen, and what was set then: they begin in few ways.
    openings: Vec<(&'c [u8], Settings<'c>)>,
}

/// How many ways to begin a text are known again.
const OPENINGS_MAX: usize = 6;

impl<'c> Page<'c> {
    /// Remembers how a text began, if nothing happened since the state was saved but that things were set and the text was begun.
    fn remember(&mut self, end: usize) {
        if let (Some(1), true) = (self.begun, self.is_turned && self.openings.len() < OPENINGS_MAX)
            && let Some(opening) = self.content.get(self.saved_at..end)
        {
            self.openings.push((opening, self.wanted));
        }
        self.begun = None;
    }

    /// Takes a text's beginning that is known already, where the state has just been saved; gives where it ends.
    fn open(&mut self, start: usize) -> Option<usize> {
        (self.saved_at, self.begun) = (start, Some(0));
        let rest = self.content.get(start..)?;
        let (opening, settings) = self.openings.iter().find(|(opening, _)| rest.starts_with(opening))?;
        let end = start + opening.len();
        (self.is_turned, self.wanted, self.begun) = (true, *settings, None);
        self.write(b"BT");
        Some(end)
    }

    /// An operation, from its first operand to its operator; and the strings and arrays among its operands, their glyphs as bytes.
    fn operation(&mut self, whole: Range<usize>, operator: &[u8], spelled: &[u8]) -> Option<()> {
        let text: &'c [u8] = self.content.get(whole.clone())?;
        if let Some(slot) = Slot::of(operator) {
            // Nothing is chosen within a path, and nothing outside of what is restored.
            (self.is_saved && self.path.is_none()).then_some(())?;
            self.wanted[slot as usize] = Some(text);
            if let Slot::FillSpace | Slot::StrokeSpace = slot {
                // A space comes with a colour of its own, which the writer does not use.
                self.wanted[slot as usize + 1] = None;
            }
            return Some(());
        }
        self.begun = match operator {
            b"cm" => self.begun,
            b"BT" => self.begun.map(|texts| texts + 1),
            _ => None,
        };
        match operator {
            b"q" if !self.is_saved => self.is_saved = true,
            b"Q" if self.is_saved && self.path.is_none() => {
                (self.is_saved, self.is_turned) = (false, false);
                self.wanted = defaults();
            }
            b"cm" if self.is_saved && !self.is_turned && self.path.is_none() => {
                self.is_turned = true;
                match self.axis {
                    None => {
                        self.axis = Some(text);
                        self.write(text);
                    }
                    Some(axis) => (axis == text).then_some(())?,
                }
            }
            b"m" | b"l" | b"c" | b"h" | b"re" if self.is_saved => self.path = self.path.or(Some(whole.start)),
            b"f" | b"S" => {
                let start = self.path.take()?;
                self.choose(if operator == b"f" { FILL } else { STROKE })?;
                self.write(self.content.get(start..whole.end)?);
            }
            b"Tj" | b"TJ" if self.is_saved => {
                self.choose(TEXT)?;
                self.out.extend_from_slice(spelled);
                self.write(operator);
            }
            b"BT" | b"ET" | b"Tm" if self.is_saved && self.path.is_none() => self.write(text),
            b"BDC" | b"BMC" | b"EMC" if self.path.is_none() => self.write(text),
            _ => return None,
        }
        Some(())
    }

    fn write(&mut self, text: &[u8]) {
        self.out.extend_from_slice(text);
        self.out.push(b'\n');
    }

    /// Sets what is wanted and not set yet; nothing if the writer has left a colour or a font open, or has not turned the axis.
    fn choose(&mut self, slots: &[Slot]) -> Option<()> {
        self.is_turned.then_some(())?;
        let mut is_new_space = false;
        for slot in slots {
            let wanted = self.wanted[*slot as usize]?;
            let is_space = matches!(slot, Slot::FillSpace | Slot::StrokeSpace);
            // The colour goes with its space.
            let is_colour = matches!(slot, Slot::Fill | Slot::Stroke);
            if self.set[*slot as usize] != Some(wanted) || (is_colour && is_new_space) {
                self.set[*slot as usize] = Some(wanted);
                self.write(wanted);
                is_new_space = is_space;
            }
        }
        Some(())
    }
}

/// Writes a string, of which the first bracket was read, as bytes; gives its length after that.
fn spell_literal(text: &[u8], out: &mut Vec<u8>) -> Option<usize> {
    out.push(b'(');
    let (mut at, mut depth) = (0, 1_usize);
    loop {
        // Most glyphs have a number below 256.
        let rest = text.get(at..)?;
        if rest.starts_with(b"\\000") {
            out.push(0);
            at += 4;
            continue;
        }
        let byte = *rest.first()?;
        at += 1;
        match byte {
            b'\\' => {
                let (glyph, length) = unescape(text.get(at..)?)?;
                push_glyph(glyph, out);
                at += length;
                continue;
            }
            b'(' => depth += 1,
            b')' => depth -= 1,
            b'\r' => return None,
            _ => {
                out.push(byte);
                continue;
            }
        }
        if depth == 0 {
            out.push(b')');
            return Some(at);
        }
        push_glyph(byte, out);
    }
}

/// The byte that stands behind a backslash, and how many say it.
fn unescape(text: &[u8]) -> Option<(u8, usize)> {
    let byte = match text.first()? {
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'b' => 8,
        b'f' => 12,
        plain @ (b'(' | b')' | b'\\') => *plain,
        // The writer says all three digits.
        b'0'..=b'3' => {
            let [high, middle, low] = text.first_chunk::<3>()?.map(|digit| digit.wrapping_sub(b'0'));
            return (middle | low < 8).then_some((high << 6 | middle << 3 | low, 3));
        }
        _ => return None,
    };
    Some((byte, 1))
}

/// As [`spell_literal`], for a string of hexadecimal digits.
fn spell_hexadecimal(text: &[u8], out: &mut Vec<u8>) -> Option<usize> {
    let end = text.iter().position(|byte| *byte == b'>')?;
    out.push(b'(');
    for byte in hex::decode(&text[..end]).ok()? {
        push_glyph(byte, out);
    }
    out.push(b')');
    Some(end + 1)
}

/// As [`spell_literal`], for an array of strings and numbers.
fn spell_array(text: &[u8], out: &mut Vec<u8>) -> Option<usize> {
    out.push(b'[');
    let mut at = 0;
    loop {
        let byte = *text.get(at)?;
        at += 1;
        match byte {
            b'(' => at += spell_literal(text.get(at..)?, out)?,
            b'<' => at += spell_hexadecimal(text.get(at..)?, out)?,
            b']' => {
                out.push(b']');
                return Some(at);
            }
            _ if CLASS[usize::from(byte)] == DELIMITER => return None,
            _ => out.push(byte),
        }
    }
}

/// A byte of a string. A return would be read as the end of a line.
fn push_glyph(byte: u8, out: &mut Vec<u8>) {
    match byte {
        b'\r' => out.extend_from_slice(b"\\r"),
        b'(' | b')' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
        _ => out.push(byte),
    }
}

enum Kind {
    Operand,
    Operator,
}

/// Cuts content into operands and operators; an array or a dictionary is one operand.
struct Tokens<'c> {
    content: &'c [u8],
    at: usize,
    /// Strings and arrays since it was cleared, their glyphs as bytes.
    spelled: Vec<u8>,
}

impl Tokens<'_> {
    /// The next one; `Some(None)` at the end, `None` where the content is not understood.
    #[expect(clippy::option_option, reason = "the end is no failure")]
    fn next_token(&mut self) -> Option<Option<(Range<usize>, Kind)>> {
        let rest = self.content.get(self.at..)?;
        let start = self.at + count(rest, SPACE);
        let Some((first, rest)) = self.content.get(start..)?.split_first() else { return Some(None) };
        let (kind, length) = match first {
            b'(' => (Kind::Operand, spell_literal(rest, &mut self.spelled)?),
            b'[' => (Kind::Operand, spell_array(rest, &mut self.spelled)?),
            b'<' if rest.first() == Some(&b'<') => (Kind::Operand, nested(rest)?),
            b'<' => (Kind::Operand, spell_hexadecimal(rest, &mut self.spelled)?),
            b'/' | b'0'..=b'9' | b'+' | b'-' | b'.' => (Kind::Operand, count(rest, REGULAR)),
            b'A'..=b'Z' | b'a'..=b'z' => (Kind::Operator, count(rest, REGULAR)),
            _ => return None,
        };
        self.at = start + 1 + length;
        Some(Some((start..self.at, kind)))
    }
}

/// How many bytes of a class come first.
fn count(bytes: &[u8], class: u8) -> usize {
    bytes.iter().take_while(|byte| CLASS[usize::from(**byte)] == class).count()
}

/// The length of a dictionary after its first bracket, with all that it holds.
fn nested(bytes: &[u8]) -> Option<usize> {
    let (mut at, mut depth) = (0, 1_usize);
    while depth > 0 {
        let byte = bytes.get(at)?;
        at += 1;
        match byte {
            b'(' => at += string(&bytes[at..])?,
            b'[' | b'<' => depth += 1,
            b']' | b'>' => depth -= 1,
            b'%' | b'{' | b'}' | b')' => return None,
            _ => {}
        }
    }
    Some(at)
}

/// The length of a string after its first bracket.
fn string(bytes: &[u8]) -> Option<usize> {
    let (mut at, mut depth) = (0, 1_usize);
    while depth > 0 {
        let byte = bytes.get(at)?;
        at += 1;
        match byte {
            b'\\' => at += 1,
            b'(' => depth += 1,
            b')' => depth -= 1,
            _ => {}
        }
    }
    Some(at)
}

const REGULAR: u8 = 0;
const SPACE: u8 = 1;
const DELIMITER: u8 = 2;

/// What each byte is outside of strings (ISO 32000-1, 7.2.2).
static CLASS: [u8; 256] = {
    let mut classes = [REGULAR; 256];
    let (spaces, delimiters) = (b"\0\t\n\x0c\r ", b"()<>[]{}/%");
    let mut at = 0;
    while at < delimiters.len() {
        classes[delimiters[at] as usize] = DELIMITER;
        if at < spaces.len() {
            classes[spaces[at] as usize] = SPACE;
        }
        at += 1;
    }
    classes
};

#[cfg(test)]
mod tests {
    use super::*;

    fn check(content: &[u8], expect: &[u8]) {
        let short = shorten(content);
        assert_eq!(short.as_deref().map(String::from_utf8_lossy), Some(String::from_utf8_lossy(expect)));
    }

    #[test]
    fn what_is_set_is_not_set_again() {
        check(
            b"/Artifact<</Type/Layout>>BDC\nq 1 0 0 -1 0 612 cm/c0 cs 0 0.5 1 scn 43.2 75 m 48 75 l\nh\nf\nQ\n\
              q 1 0 0 -1 0 612 cm/c0 cs 0 0.5 1 scn\nBT 0 Tr/f0 8.8 Tf 1 0 0 -1 43.2 70.05 Tm[(\\0009\\\\)16(\\000\\015)]TJ\nET\nQ\nEMC\n\
              /P<</MCID 0>>BDC\nq 1 0 0 -1 0 612 cm/c0 cs 0.1 0.5 1 scn\nBT 0 Tr/f0 8.8 Tf 1 0 0 -1 4 5 Tm(\\000\\t)Tj\nET\nQ\nEMC",
            b"/Artifact<</Type/Layout>>BDC\n1 0 0 -1 0 612 cm\n/c0 cs\n0 0.5 1 scn\n43.2 75 m 48 75 l\nh\nf\n\
              BT\n1 0 0 -1 43.2 70.05 Tm\n/f0 8.8 Tf\n[(\09\\\\)16(\0\\r)]TJ\nET\nEMC\n\
              /P<</MCID 0>>BDC\nBT\n1 0 0 -1 4 5 Tm\n0.1 0.5 1 scn\n(\0\t)Tj\nET\nEMC\n",
        );
    }

    #[test]
    fn a_text_that_begins_as_another_did_is_set_alike() {
        let begin = "q 1 0 0 1 0 0 cm/c0 cs 1 scn BT/f0 9 Tf";
        let other = "q 1 0 0 1 0 0 cm/c0 cs 1 scn BT/Span<</ActualText(x)>>BDC/f0 8 Tf";
        check(
            format!("{begin} 1 0 0 1 4 5 Tm(a)Tj ET Q {begin} 1 0 0 1 6 7 Tm(b)Tj ET Q {other}(c)Tj EMC ET Q {other}(d)Tj EMC ET Q {begin}(e)Tj ET Q")
                .as_bytes(),
            b"1 0 0 1 0 0 cm\nBT\n1 0 0 1 4 5 Tm\n/c0 cs\n1 scn\n/f0 9 Tf\n(a)Tj\nET\nBT\n1 0 0 1 6 7 Tm\n(b)Tj\nET\n\
              BT\n/Span<</ActualText(x)>>BDC\n/f0 8 Tf\n(c)Tj\nEMC\nET\nBT\n/Span<</ActualText(x)>>BDC\n(d)Tj\nEMC\nET\nBT\n/f0 9 Tf\n(e)Tj\nET\n",
        );
    }

    #[test]
    fn what_was_restored_is_set_back() {
        check(
            b"q 1 0 0 1 0 0 cm/c0 CS 1 0 0 SCN 0.5 w[2.4 1.8]0 d 1 2 m 3 4 l\nS\nQ\nq 1 0 0 1 0 0 cm/c0 CS 1 0 0 SCN 1 2 m 3 4 l\nS\nQ",
            b"1 0 0 1 0 0 cm\n/c0 CS\n1 0 0 SCN\n0.5 w\n[2.4 1.8]0 d\n1 2 m 3 4 l\nS\n1 w\n[]0 d\n1 2 m 3 4 l\nS\n",
        );
        // A string may be hexadecimal, and hold brackets in pairs.
        check(
            b"q 1 0 0 1 0 0 cm/c0 cs 1 scn BT/f0 9 Tf[<00ff0d28>4(\\000(\\000))]TJ ET Q",
            b"1 0 0 1 0 0 cm\nBT\n/c0 cs\n1 scn\n/f0 9 Tf\n[(\0\xff\\r\\()4(\0\\(\0\\))]TJ\nET\n",
        );
        // A colour belongs to its space.
        check(
            b"q 1 0 0 1 0 0 cm/c0 cs 1 scn 1 2 m\nf\nQ\nq 1 0 0 1 0 0 cm/c1 cs 1 scn 1 2 m\nf\nQ",
            b"1 0 0 1 0 0 cm\n/c0 cs\n1 scn\n1 2 m\nf\n/c1 cs\n1 scn\n1 2 m\nf\n",
        );
    }

    #[test]
    fn what_is_not_known_stays() {
        for content in [
            &b"q 1 0 0 1 0 0 cm q Q Q"[..],
            b"q 1 0 0 1 0 0 cm/c0 cs 1 scn 1 2 m\nB\nQ",
            b"q 1 0 0 1 0 0 cm 1 2 m\nf\nQ",
            b"q/c0 cs 1 scn 1 2 m\nf\nQ",
            b"q 1 0 0 1 0 0 cm Q q 1 0 0 1 5 0 cm Q",
            b"q 1 0 0 1 0 0 cm/c0 cs 1 scn 1 2 m",
            b"q 1 0 0 1 0 0 cm 1 0 0 1 0 0 cm Q",
            b"q 1 0 0 1 0 0 cm/c0 cs 1 scn/f0 9 Tf BT(\\0001",
            b"/x gs",
            b"1 2",
            b"q 1 0 0 1 0 0 cm/c0 CS 1 SCN[(1)/x]0 d 1 2 m 3 4 l S Q",
            b"q 1 0 0 1 0 0 cm[1[2]]0 d Q",
        ] {
            assert_eq!(shorten(content), None, "{}", String::from_utf8_lossy(content));
        }
    }
}
