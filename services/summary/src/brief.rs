//! The one-page print: what an officer needs in court, on one sheet whatever the record holds.
//!
//! Rows are left out, newest kept, and texts cut, step by step until everything stands on one page; each block says how many of how
//! many rows it shows. Only a record whose every text is as long as may be comes to the last step, which leaves the schools to the report.

use unicode_segmentation::UnicodeSegmentation as _;

use crate::{
    Error,
    compose::{Composition, compose},
    layout::{Layout, Section, fill},
    text::Typesetter,
    view::{CellText, Naming, SectionView, View},
};

/// How much is shown at each step: rows of a block, grapheme clusters of a value, and of a paragraph; and the charts beside them. What an
/// ordinary record holds comes to an end among those with charts.
const STEPS: [(usize, usize, usize, Charts); 18] = [
    (12, 200, 2_000, Charts::Whole),
    (8, 120, 2_000, Charts::Whole),
    (6, 90, 1_200, Charts::Whole),
    (4, 90, 1_200, Charts::Whole),
    (3, 90, 1_200, Charts::Whole),
    (4, 90, 1_200, Charts::Small),
    (3, 90, 1_200, Charts::Small),
    (3, 70, 900, Charts::Small),
    (2, 70, 700, Charts::Small),
    (2, 70, 700, Charts::Nameless),
    (1, 60, 700, Charts::Nameless),
    (1, 36, 700, Charts::Nameless),
    (1, 60, 700, Charts::TrendAlone),
    (3, 60, 700, Charts::LeftOut),
    (2, 48, 700, Charts::LeftOut),
    (1, 40, 700, Charts::LeftOut),
    (1, 20, 700, Charts::LeftOut),
    (1, SHORTEST, 700, Charts::LeftOut),
];
/// What a block says of its age and source is cut shorter than this only where values are cut below [`VALUE_USUAL`].
const PROVENANCE_USUAL: usize = 220;
/// The same of what is said below a block.
const NOTE_USUAL: usize = 240;
/// A value that holds most names.
const VALUE_USUAL: usize = 40;
/// Values are never cut shorter than this; where that is not enough, the last block goes.
const SHORTEST: usize = 12;

/// How the trend of attendance and the timeline of enrollments are drawn.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Charts {
    /// Both, the timeline with a lane for each school.
    Whole,
    /// Both, the timeline in as few lanes as it needs.
    Small,
    /// The same without the names of schools.
    Nameless,
    /// Without the timeline.
    TrendAlone,
    /// Without either.
    LeftOut,
}

/// Sets a summary on one page; gives what is printed there too.
pub(crate) fn compose_brief(
    view: &View,
    layout: &Layout,
    setter: &mut Typesetter<'_>,
) -> Result<(View, Composition), Error> {
    for step in STEPS {
        let shown = shorten(view, layout, step);
        let composition = compose(&shown, layout, setter);
        if composition.pages.sheets.len() == 1 {
            return Ok((shown, composition));
        }
    }
    // Cannot happen: at the last step every text has a bound, and the page has room for that many.
    Err(Error::Corrupt("the record does not fit one page".to_owned()))
}

fn shorten(view: &View, layout: &Layout, (rows, value, paragraph, charts): (usize, usize, usize, Charts)) -> View {
    let mut shown = view.clone();
    let withheld = view.withheld.as_ref().filter(|withheld| !withheld.is_empty());
    if let Some(withheld) = withheld {
        let sentence = fill(&layout.words.brief_withheld, &[("count", &withheld.len().to_string())]);
        shown.disclosed.insert(0, CellText { text: sentence, is_value: false });
    }
    // What is withheld and the notice, which stands last, have room before the names of the parties: a cut takes these first.
    let last = shown.disclosed.len().saturating_sub(1);
    let mut order: Vec<usize> = (0..shown.disclosed.len()).collect();
    order.sort_by_key(|at| *at != last && (*at > 0 || withheld.is_none()));
    let mut room = paragraph;
    for at in order {
        let text = &mut shown.disclosed[at].text;
        cut(text, room);
        room = room.saturating_sub(text.graphemes(true).count());
    }
    shown.disclosed.retain(|said| said.text != "…");
    if let Some(banner) = &mut shown.banner {
        cut(banner, paragraph);
    }
    for (section, strings) in layout.sections.iter().zip(&mut shown.sections) {
        shorten_section(section, strings, layout, (rows, value));
    }
    if charts == Charts::LeftOut {
        shown.trend = None;
    }
    if matches!(charts, Charts::TrendAlone | Charts::LeftOut) {
        shown.timeline = None;
    }
    if let Some(timeline) = &mut shown.timeline {
        timeline.names = match charts {
            Charts::Whole if timeline.spells.len() <= layout.size.lanes_max => Naming::Beside,
            Charts::Whole | Charts::Small => Naming::Above,
            Charts::Nameless | Charts::TrendAlone | Charts::LeftOut => Naming::Nowhere,
        };
    }
    if value == SHORTEST {
        shown.sections.pop();
    }
    shown
}

fn shorten_section(section: &Section, strings: &mut SectionView, layout: &Layout, (rows, value): (usize, usize)) {
    let count = strings.rows.len();
    if count > rows {
        if section.order.as_ref().is_some_and(|order| order.newest_first) {
            strings.rows.truncate(rows);
        } else {
            strings.rows.drain(..count - rows);
        }
        let values = [("shown", &*rows.to_string()), ("count", &count.to_string())];
        let note = fill(&layout.words.brief_shown, &values);
        strings.provenance = Some(match &strings.provenance {
            Some(provenance) => format!("{note}  ·  {provenance}"),
            None => note,
        });
    }
    for cell in strings.rows.iter_mut().flatten() {
        cut(&mut cell.text, value);
    }
    if let Some(note) = &mut strings.note {
        cut(note, if value < VALUE_USUAL { 2 * value } else { NOTE_USUAL });
    }
    if let Some(provenance) = &mut strings.provenance {
        cut(provenance, if value < VALUE_USUAL { 2 * value } else { PROVENANCE_USUAL });
    }
}

fn cut(text: &mut String, clusters: usize) {
    if let Some((at, _)) = text.grapheme_indices(true).nth(clusters) {
        text.truncate(at);
        text.truncate(text.trim_end().len());
        text.push('…');
    }
}
