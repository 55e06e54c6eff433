//! The page layout as data: `layout.toml`, read once and checked before anything is set with it.

use std::{collections::BTreeMap, sync::LazyLock};

use serde::{Deserialize, Serialize};

use crate::view::source_fields;

/// The language of headings and of all our wording. Values stay as they were reported.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Language {
    /// As the source report.
    #[default]
    English,
    /// Spanish.
    Spanish,
    /// Portuguese.
    Portuguese,
}

/// The language of the values: that of the reports.
const VALUE_LANGUAGE: &str = "en-US";

/// Which of a language's two layouts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Extent {
    /// The whole report.
    Whole,
    /// What fits one page.
    Brief,
}

/// The layout that is shipped, in a language.
pub(crate) fn shipped(language: Language, extent: Extent) -> &'static Layout {
    static LAYOUTS: [LazyLock<[Layout; 2]>; 3] = [
        LazyLock::new(|| Layout::pair(Language::English)),
        LazyLock::new(|| Layout::pair(Language::Spanish)),
        LazyLock::new(|| Layout::pair(Language::Portuguese)),
    ];
    let [whole, brief] = &*LAYOUTS[language as usize];
    match extent {
        Extent::Whole => whole,
        Extent::Brief => brief,
    }
}

/// What a language replaces: all words, and titles by their English.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Translation {
    words: Words,
    titles: BTreeMap<String, String>,
}

/// A whole layout.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Layout {
    pub page: Page,
    pub size: Size,
    pub brief: BriefSize,
    pub colour: Colours,
    pub words: Words,
    #[serde(rename = "section")]
    pub sections: Vec<Section>,
}

/// The sheet.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Page {
    pub width: f32,
    pub height: f32,
    pub margin: f32,
    pub top: f32,
    pub top_next: f32,
    pub bottom: f32,
}

impl Page {
    /// Width between the margins.
    pub(crate) fn measure(&self) -> f32 {
        self.width - 2.0 * self.margin
    }

    /// Where the body ends.
    pub(crate) fn floor(&self) -> f32 {
        self.height - self.bottom
    }
}

/// Type sizes and distances.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Size {
    pub title: f32,
    pub h2: f32,
    pub h3: f32,
    pub body: f32,
    pub head: f32,
    pub label: f32,
    pub value: f32,
    pub note: f32,
    pub small: f32,
    pub chart: f32,
    pub leading: f32,
    pub pad_x: f32,
    pub pad_y: f32,
    pub gap: f32,
    pub chart_width: f32,
    pub chart_height_min: f32,
    pub chart_height_max: f32,
    pub lane_height: f32,
    pub lanes_max: usize,
    pub gutter: f32,
    pub measure_max: f32,
}

/// Sizes of the one-page print that are not those of the report.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct BriefSize {
    pub title: f32,
    pub h2: f32,
    pub value: f32,
    pub pad_y: f32,
    pub gap: f32,
    pub chart_height_min: f32,
    pub lane_height: f32,
    pub lanes_max: usize,
}

/// A colour, written as six hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct Colour(pub u8, pub u8, pub u8);

impl TryFrom<String> for Colour {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let number = (text.len() == 6)
            .then(|| u32::from_str_radix(&text, 16).ok())
            .flatten()
            .ok_or("a colour is six hexadecimal digits")?;
        let [_, red, green, blue] = number.to_be_bytes();
        Ok(Self(red, green, blue))
    }
}

/// The colours.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Colours {
    pub ink: Colour,
    pub muted: Colour,
    pub accent: Colour,
    pub soft: Colour,
    pub rule: Colour,
    pub bar: Colour,
    pub warn: Colour,
}

/// All wording but headings and column names. Places in braces are filled by [`fill`].
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Words {
    pub language: String,
    pub title: String,
    pub brief_title: String,
    pub brief_shown: String,
    pub brief_withheld: String,
    pub notice: String,
    pub author: String,
    pub report_date: String,
    pub page: String,
    pub running: String,
    pub continued: String,
    pub confidential: String,
    pub confidential_code: String,
    pub not_issued_footer: String,
    pub not_issued_long: String,
    pub disclosed: String,
    pub disclosed_under: String,
    pub redisclosure: String,
    pub dash: String,
    pub none_recorded: String,
    pub not_reported: String,
    pub not_permitted: String,
    pub suppressed: String,
    pub cell_not_permitted: String,
    pub cell_suppressed: String,
    pub cell_inferred: String,
    pub as_reported: String,
    pub as_reported_on: String,
    pub received: String,
    pub received_on: String,
    pub reported_by: String,
    pub awaited: String,
    pub awaited_of_all: String,
    pub reported_and_awaited: String,
    pub age_days: String,
    pub age_day: String,
    pub age_same: String,
    pub card_outline: String,
    pub table_outline: String,
    pub groups_outline: String,
    pub full_history: String,
    pub full_history_link: String,
    pub trend_title: String,
    pub trend_note: String,
    pub trend_alt: String,
    pub trend_low: String,
    pub trend_none_low: String,
    pub trend_cut: String,
    pub timeline_alt: String,
    pub timeline_spell: String,
    pub timeline_current: String,
    pub alt_cut: String,
    pub timeline_open: String,
    pub timeline_undated: String,
    pub timeline_open_spell: String,
    pub timeline_not_permitted: String,
    pub timeline_suppressed: String,
    pub timeline_note: String,
    pub timeline_unknown_note: String,
    pub tests_other: String,
    pub tests_other_only: String,
    pub tests_earlier: String,
    pub withheld_none: String,
    pub withheld_some: String,
    pub reading_dash: String,
    pub reading_none: String,
    pub reading_not_reported: String,
    pub reading_not_permitted: String,
    pub reading_suppressed: String,
    pub reading_note: String,
    pub reading_replaced: String,
    pub verify_code: String,
    pub verify_note: String,
}

/// One section, in reading order.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "the marks that a designer puts on a section, each by itself")]
pub(crate) struct Section {
    pub id: String,
    pub kind: Kind,
    #[serde(default)]
    pub level: u16,
    #[serde(default)]
    pub title: String,
    /// The block of the model, such as `history.tests`.
    #[serde(default)]
    pub source: String,
    /// The section that holds all years of this one.
    pub full: Option<String>,
    pub order: Option<Order>,
    #[serde(default)]
    pub columns: Vec<Column>,
    /// The section whose columns this one has too.
    pub columns_of: Option<String>,
    /// Whether it stands to the left of the attendance trend.
    #[serde(default)]
    pub beside_trend: bool,
    /// Whether the enrollment timeline opens it.
    #[serde(default)]
    pub timeline: bool,
    /// Whether it begins a page, unless at least half of one is left.
    #[serde(default)]
    pub new_page: bool,
    /// Whether it is on the one-page print.
    #[serde(default)]
    pub brief: bool,
    #[serde(default)]
    pub withheld_title: String,
    #[serde(default)]
    pub reading_title: String,
    #[serde(default)]
    pub verify_title: String,
}

/// What a section is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    /// Labels above values, in one band.
    Card,
    /// Rows under column heads.
    Table,
    /// A heading alone; it stays with what follows.
    Heading,
    /// The report date, in the body.
    ReportDate,
    /// What was withheld, how to read the report, the verification code.
    About,
}

/// How rows are sorted; rows without the key come last, ties keep their order.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Order {
    pub key: String,
    pub newest_first: bool,
}

/// A column.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Column {
    pub key: String,
    pub title: String,
    pub width: f32,
    #[serde(default)]
    pub align: Align,
    /// A head above this and the neighbouring columns of the same group.
    pub group: Option<String>,
}

/// How cells of a column stand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Align {
    #[default]
    Left,
    Right,
    Center,
}

impl Section {
    /// Everything in it that a language replaces.
    fn titles(&mut self) -> impl Iterator<Item = &mut String> {
        let heads =
            self.columns.iter_mut().flat_map(|column| std::iter::once(&mut column.title).chain(&mut column.group));
        [&mut self.title, &mut self.withheld_title, &mut self.reading_title, &mut self.verify_title]
            .into_iter()
            .chain(heads)
    }
}

impl Layout {
    /// The shipped layout as a copy of one's own, to change.
    pub(crate) fn own() -> Self {
        // Cannot fail: a test reads the same text.
        Self::parse(include_str!("layout.toml")).unwrap_or_else(|error| unreachable!("{error}"))
    }

    fn pair(language: Language) -> [Self; 2] {
        [Self::translated(language), Self::translated(language).brief()]
    }

    fn translated(language: Language) -> Self {
        let mut layout = Self::own();
        let text = match language {
            Language::English => return layout,
            Language::Spanish => include_str!("languages/spanish.toml"),
            Language::Portuguese => include_str!("languages/portuguese.toml"),
        };
        // Cannot fail: a test reads the same text.
        let translation: Translation = toml::from_str(text).unwrap_or_else(|error| unreachable!("{error}"));
        layout.words = translation.words;
        for section in &mut layout.sections {
            for title in section.titles() {
                if let Some(translated) = translation.titles.get(title) {
                    title.clone_from(translated);
                }
            }
        }
        layout
    }

    /// The sections of the one-page print in its own sizes, under its own title, without links to what is not there.
    fn brief(mut self) -> Self {
        self.sections.retain(|section| section.brief);
        for section in &mut self.sections {
            (section.full, section.new_page) = (None, false);
        }
        self.words.title.clone_from(&self.words.brief_title);
        let BriefSize { title, h2, value, pad_y, gap, chart_height_min, lane_height, lanes_max } = self.brief;
        self.size = Size { title, h2, value, pad_y, gap, chart_height_min, lane_height, lanes_max, ..self.size };
        self
    }

    fn parse(text: &str) -> Result<Self, String> {
        let mut layout: Self = toml::from_str(text).map_err(|error| error.to_string())?;
        for i in 0..layout.sections.len() {
            if let Some(other) = layout.sections[i].columns_of.clone() {
                let columns = layout.find_section(&other).map(|section| section.columns.clone());
                layout.sections[i].columns = columns.ok_or_else(|| format!("no section {other}"))?;
            }
        }
        layout.check()?;
        Ok(layout)
    }

    fn check(&self) -> Result<(), String> {
        for section in &self.sections {
            let id = &section.id;
            let needs_columns = matches!(section.kind, Kind::Card | Kind::Table);
            if needs_columns == section.columns.is_empty() {
                return Err(format!("section {id}: columns do not fit its kind"));
            }
            if let Some(full) = &section.full
                && self.find_section(full).is_none()
            {
                return Err(format!("section {id}: no section {full}"));
            }
            if !needs_columns {
                continue;
            }
            let fields =
                source_fields(&section.source).ok_or_else(|| format!("section {id}: no block {}", section.source))?;
            let keys =
                section.columns.iter().map(|column| &column.key).chain(section.order.iter().map(|order| &order.key));
            if let Some(unknown) = keys.into_iter().find(|key| !fields.contains(&key.as_str())) {
                return Err(format!("section {id}: {} has no field {unknown}", section.source));
            }
            if section.columns.iter().any(|column| column.width.is_nan() || column.width <= 0.0) {
                return Err(format!("section {id}: a column needs a width"));
            }
        }
        Ok(())
    }

    /// The language of the values, where it is not that of the wording.
    pub(crate) fn value_language(&self) -> Option<&'static str> {
        (self.words.language != VALUE_LANGUAGE).then_some(VALUE_LANGUAGE)
    }

    /// All its wording.
    pub(crate) fn texts(&self) -> Vec<String> {
        let words = toml::Table::try_from(&self.words).unwrap_or_default();
        let words = words.into_iter().filter_map(|(_, text)| text.as_str().map(str::to_owned));
        let heads = |section: &Section| {
            let columns = section.columns.iter();
            columns.flat_map(|column| [Some(column.title.clone()), column.group.clone()]).flatten().collect::<Vec<_>>()
        };
        let titles = self.sections.iter().flat_map(|section| {
            let own = [&section.title, &section.withheld_title, &section.reading_title, &section.verify_title];
            own.into_iter().cloned().chain(heads(section)).collect::<Vec<_>>()
        });
        words.chain(titles).collect()
    }

    /// The section of this id.
    pub(crate) fn find_section(&self, id: &str) -> Option<&Section> {
        self.sections.iter().find(|section| section.id == id)
    }
}

/// Fills the places in braces.
pub(crate) fn fill(template: &str, values: &[(&str, &str)]) -> String {
    let mut out = String::with_capacity(template.len() + 32);
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        out.push_str(before);
        let Some((name, tail)) = after.split_once('}') else {
            out.push('{');
            rest = after;
            continue;
        };
        out.push_str(values.iter().find(|(key, _)| *key == name).map_or("", |(_, value)| value));
        rest = tail;
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_layout_is_sound() {
        let layout = Layout::parse(include_str!("layout.toml")).expect("reads");
        assert!(layout.sections.len() > 10);
    }

    #[test]
    fn the_same_columns_stand_at_the_same_place() {
        let layout = Layout::own();
        let places = |id: &str| {
            let mut x = 0.0;
            let mut places = BTreeMap::new();
            for column in &layout.find_section(id).expect("a section").columns {
                places.insert(column.key.clone(), (x * 1000.0_f32).round() as i32);
                x += column.width;
            }
            assert!((x - 10.0).abs() < 1e-4, "{id}: the shares are {x}");
            places
        };
        for family in [
            &["schools", "special-education", "recent-discipline", "discipline"][..],
            &["recent-tests", "tests"],
            &["recent-attendance", "recent-special-education"],
        ] {
            let first = places(family[0]);
            for id in &family[1..] {
                let own = places(id);
                for key in ["school", "district", "date"] {
                    if let (Some(one), Some(other)) = (first.get(key), own.get(key)) {
                        assert_eq!(one, other, "{key} of {} and {id}", family[0]);
                    }
                }
            }
            let thirds: Vec<f32> =
                family.iter().map(|id| layout.find_section(id).expect("a section").columns[0].width).collect();
            assert!(thirds.iter().all(|width| (width - thirds[0]).abs() < 1e-4), "{family:?}: {thirds:?}");
        }
        assert_eq!(
            places("attendance")["year"],
            places("schools")["district"],
            "its first column is as wide as theirs"
        );
    }

    #[test]
    fn a_column_without_a_field_is_refused() {
        let text = include_str!("layout.toml").replace("key = \"sanction\"", "key = \"sanctions\"");
        let error = Layout::parse(&text).expect_err("refused");
        assert_eq!(error, "section recent-discipline: recent.discipline has no field sanctions");
    }

    #[test]
    fn each_language_has_every_title_and_every_place_to_fill() {
        fn places(text: &str) -> Vec<&str> {
            let mut found: Vec<&str> = text.split('{').skip(1).filter_map(|rest| rest.split('}').next()).collect();
            found.sort_unstable();
            found
        }
        let english: toml::Table = toml::from_str(include_str!("layout.toml")).expect("reads");
        for text in [include_str!("languages/spanish.toml"), include_str!("languages/portuguese.toml")] {
            let other: toml::Table = toml::from_str(text).expect("reads");
            for (name, words) in english["words"].as_table().expect("words") {
                let translated = other["words"].get(name).unwrap_or_else(|| panic!("no word {name}"));
                assert_eq!(places(words.as_str().expect("text")), places(translated.as_str().expect("text")), "{name}");
            }
            for title in Layout::own().sections.iter_mut().flat_map(Section::titles).filter(|title| !title.is_empty()) {
                assert!(other["titles"].get(title.as_str()).is_some(), "no title {title}");
            }
        }
    }

    #[test]
    fn places_are_filled_once() {
        assert_eq!(fill("{a} of {b}{c}", &[("a", "{b}"), ("b", "2")]), "{b} of 2");
    }
}
