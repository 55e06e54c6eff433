//! The same view as a web page: one file without scripts or anything to fetch, for a phone, a desk, the dark and paper.
//!
//! What it says is what the PDF says, block by block, in the same order; a test reads both back. It is well-formed XML too, so that a
//! test, or an archive, can read it without guessing. On a phone a row of a table becomes a card with a label before each value; the
//! roles are spelled out because some browsers forget what a table is when it is laid out as anything else.

use chrono::Datelike as _;

use crate::{
    layout::{Align, Column, Kind, Layout, Section, fill},
    view::{CellText, End, SectionView, Spell, Timeline, Trend, View, might_be_rtl},
};

/// The style of the page, and of its blocks wherever they stand.
pub(crate) const STYLE: &str = include_str!("html/style.css");
/// Nothing is fetched, nothing runs, and no address of this page is told to another.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";

/// The whole page.
pub(crate) fn page(view: &View, layout: &Layout) -> String {
    let mut page = Page { view, layout, marks: None, out: String::with_capacity(STYLE.len() + 32_768) };
    page.head();
    page.blocks();
    page.end();
    page.out
}

/// What the page says, without what makes it a page: to stand in the `main` of another one, which brings [`STYLE`].
pub(crate) fn part(view: &View, layout: &Layout, marks: Option<&Marks<'_>>) -> String {
    let mut page = Page { view, layout, marks, out: String::with_capacity(32_768) };
    page.blocks();
    page.element("p", " class=\"note\"", &view.footer);
    page.out
}

/// The page of a list, whose layout is one table, up to its first row: its rows may not all be there at once.
pub(crate) fn opened_table(view: &View, layout: &Layout) -> String {
    let mut page = Page { view, layout, marks: None, out: String::with_capacity(STYLE.len() + 32_768) };
    page.head();
    page.opening();
    for (section, strings) in layout.sections.iter().zip(&view.sections) {
        page.table_opening(section, strings);
    }
    page.out
}

/// Rows of it.
pub(crate) fn table_rows(view: &View, layout: &Layout, rows: &[Vec<CellText>]) -> String {
    let mut page = Page { view, layout, marks: None, out: String::new() };
    for section in &layout.sections {
        page.rows(section, rows);
    }
    page.out
}

/// The rest of it, with what stands there where there are no rows.
pub(crate) fn closed_table(view: &View, layout: &Layout, message: Option<&str>) -> String {
    let mut page = Page { view, layout, marks: None, out: String::new() };
    for section in &layout.sections {
        page.table_end(section, message);
    }
    page.end();
    page.out
}

/// Rows of tables, and values of cards, that are marked.
pub struct Marks<'m> {
    /// What stands beside them.
    pub word: &'m str,
    /// Whether a row is marked: by the id of its block, and its place there.
    pub is_marked: &'m dyn Fn(&str, usize) -> bool,
}

struct Page<'a> {
    view: &'a View,
    layout: &'a Layout,
    marks: Option<&'a Marks<'a>>,
    out: String,
}

impl Page<'_> {
    /// Everything from the title to the last section.
    fn blocks(&mut self) {
        self.opening();
        let (view, layout) = (self.view, self.layout);
        let mut sections = layout.sections.iter().zip(&view.sections).peekable();
        while let Some((section, strings)) = sections.next() {
            self.section(section, strings);
            let ends_group = section.beside_trend && sections.peek().is_none_or(|(next, _)| !next.beside_trend);
            if let (true, Some(trend)) = (ends_group, &view.trend) {
                self.trend(trend);
            }
        }
    }

    fn end(&mut self) {
        self.raw("</main>\n<footer>");
        self.element("p", "", &self.view.footer);
        self.raw("</footer>\n</body>\n</html>\n");
    }

    fn raw(&mut self, markup: &str) {
        self.out.push_str(markup);
    }

    /// Text as content or as the value of an attribute.
    fn text(&mut self, text: &str) {
        for c in text.chars() {
            match c {
                '&' => self.out.push_str("&amp;"),
                '<' => self.out.push_str("&lt;"),
                '>' => self.out.push_str("&gt;"),
                '"' => self.out.push_str("&quot;"),
                _ => self.out.push(c),
            }
        }
    }

    /// An element with text; `attributes` are our own and come with a space before each.
    fn element(&mut self, name: &str, attributes: &str, text: &str) {
        self.out.extend(["<", name, attributes, ">"]);
        self.text(text);
        self.out.extend(["</", name, ">\n"]);
    }

    fn attribute(&mut self, name: &str, value: &str) {
        self.out.extend([" ", name, "=\""]);
        self.text(value);
        self.raw("\"");
    }

    fn head(&mut self) {
        let words = &self.layout.words;
        self.raw("<!DOCTYPE html>\n<html");
        self.attribute("lang", &words.language);
        self.raw(">\n<head>\n<meta charset=\"utf-8\"/>\n<meta http-equiv=\"Content-Security-Policy\"");
        self.attribute("content", POLICY);
        self.raw("/>\n<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n<meta name=\"referrer\" content=\"no-referrer\"/>\n<meta name=\"robots\" content=\"noindex, noarchive\"/>\n");
        // No name and no identifier: a browser shows the title in its window and keeps it in its history.
        self.element("title", "", &format!("{}, {}", words.title, self.view.report_date));
        self.out.extend(["<style>\n", STYLE, "</style>\n</head>\n<body>\n<main>\n"]);
    }

    fn opening(&mut self) {
        let words = &self.layout.words;
        self.element("h1", "", &words.title);
        self.report_date();
        if let Some(banner) = &self.view.banner {
            self.element("p", " class=\"banner\"", banner);
        }
        self.element("p", " class=\"note\"", &words.notice);
        for disclosed in &self.view.disclosed {
            let language = if disclosed.is_value { self.layout.value_language() } else { None };
            self.element("p", &format!(" class=\"note\"{}", language_attribute(language)), &disclosed.text);
        }
    }

    fn report_date(&mut self) {
        let text = fill(&self.layout.words.report_date, &[("date", &self.view.report_date)]);
        self.element("p", " class=\"date\"", &text);
    }

    fn section(&mut self, section: &Section, strings: &SectionView) {
        match section.kind {
            Kind::Card => self.card(section, strings),
            Kind::Table => self.table_section(section, strings),
            Kind::Heading => self.heading(section),
            Kind::ReportDate => self.report_date(),
            Kind::About => self.about(section),
        }
    }

    fn heading(&mut self, section: &Section) {
        let name = format!("h{}", section.level.clamp(2, 6));
        self.element(&name, &format!(" id=\"{}\"", section.id), &section.title);
    }

    fn source(&mut self, strings: &SectionView) {
        if let Some(provenance) = &strings.provenance {
            self.element("p", " class=\"source\"", provenance);
        }
    }

    fn card(&mut self, section: &Section, strings: &SectionView) {
        if section.level > 0 {
            self.heading(section);
            self.source(strings);
        }
        match (&strings.message, strings.rows.first()) {
            (None, Some(row)) => {
                self.raw("<dl>\n");
                for (place, (column, cell)) in section.columns.iter().zip(row).enumerate() {
                    let mark = self.mark(section, place);
                    self.raw(if mark.is_some() { "<div class=\"new\">" } else { "<div>" });
                    match mark {
                        Some(word) => self.element("dt", "", &format!("{} ({word})", column.title)),
                        None => self.element("dt", "", &column.title),
                    }
                    let language = if column.key == "name" { self.view.name_language.clone() } else { None };
                    self.cell("dd", "", cell, language.as_deref());
                    self.raw("</div>\n");
                }
                self.raw("</dl>\n");
            }
            (message, _) => {
                let text = message.clone().unwrap_or_else(|| self.layout.words.not_reported.clone());
                self.element("p", " class=\"state\"", &text);
            }
        }
        if section.level == 0 {
            self.source(strings);
        }
    }

    /// What stands beside a row, if it is marked.
    fn mark(&self, section: &Section, place: usize) -> Option<String> {
        let marks = self.marks.filter(|marks| (marks.is_marked)(&section.id, place))?;
        Some(marks.word.to_owned())
    }

    /// A value with its direction and language, or our words about its absence.
    fn cell(&mut self, name: &str, attributes: &str, cell: &CellText, language: Option<&str>) {
        self.out.extend(["<", name, attributes]);
        if might_be_rtl(&cell.text) {
            self.attribute("dir", "auto");
        }
        let foreign = if cell.is_value { self.layout.value_language() } else { None };
        if let Some(language) = language.or(foreign) {
            self.attribute("lang", language);
        }
        self.raw(">");
        self.text(&cell.text);
        self.out.extend(["</", name, ">\n"]);
    }

    fn table_section(&mut self, section: &Section, strings: &SectionView) {
        self.table_opening(section, strings);
        self.rows(section, &strings.rows);
        self.table_end(section, strings.message.as_deref());
        if let Some(note) = &strings.note {
            self.element("p", " class=\"chart-note\"", note);
        }
    }

    fn table_opening(&mut self, section: &Section, strings: &SectionView) {
        self.heading(section);
        self.source(strings);
        if let Some(full) = &section.full {
            let link = self.layout.words.full_history_link.clone();
            self.out.extend(["<p class=\"full\"><a href=\"#", full, "\""]);
            let target = self.layout.find_section(full).map(|target| target.title.clone()).unwrap_or_default();
            self.attribute("aria-label", &format!("{link}: {target}"));
            self.raw(">");
            self.text(&link);
            self.raw("</a></p>\n");
        }
        if let (true, Some(timeline)) = (section.timeline, &self.view.timeline) {
            self.timeline(timeline);
        }
        self.out.extend(["<table role=\"table\" aria-labelledby=\"", &section.id, "\">\n<thead role=\"rowgroup\">\n"]);
        self.table_head(&section.columns);
        self.raw("</thead>\n<tbody role=\"rowgroup\">\n");
    }

    fn rows(&mut self, section: &Section, rows: &[Vec<CellText>]) {
        let points = decimals(section, rows);
        for (place, row) in rows.iter().enumerate() {
            let mark = self.mark(section, place);
            self.raw(if mark.is_some() { "<tr role=\"row\" class=\"new\">\n" } else { "<tr role=\"row\">\n" });
            for (i, (column, cell)) in section.columns.iter().zip(row).enumerate() {
                let mut classes = Vec::from(if column.align == Align::Right { &["number"][..] } else { &[] });
                classes.extend(opens(&section.columns, i).then_some("opens"));
                classes.extend((!cell.is_value).then_some("note"));
                classes.extend(points[i].and_then(|most| short_of(most, cell)));
                let class =
                    if classes.is_empty() { String::new() } else { format!(" class=\"{}\"", classes.join(" ")) };
                if i == 0 {
                    self.row_head(&class, cell, mark.as_deref());
                } else {
                    let label = label(column).replace('&', "&amp;").replace('"', "&quot;");
                    self.cell("td", &format!(" role=\"cell\" data-label=\"{label}\"{class}"), cell, None);
                }
            }
            self.raw("</tr>\n");
        }
    }

    /// The first cell of a row, with the mark of the row, if it has one.
    fn row_head(&mut self, class: &str, cell: &CellText, mark: Option<&str>) {
        let Some(mark) = mark else {
            return self.cell("th", &format!(" role=\"rowheader\" scope=\"row\"{class}"), cell, None);
        };
        self.out.extend(["<th role=\"rowheader\" scope=\"row\"", class, ">"]);
        self.cell("span", "", cell, None);
        self.element("small", " class=\"mark\"", mark);
        self.raw("</th>\n");
    }

    fn table_end(&mut self, section: &Section, message: Option<&str>) {
        if let Some(message) = message {
            self.raw("<tr role=\"row\">\n");
            self.element(
                "td",
                &format!(" role=\"cell\" class=\"state\" colspan=\"{}\"", section.columns.len()),
                message,
            );
            self.raw("</tr>\n");
        }
        self.raw("</tbody>\n</table>\n");
    }

    /// One row of heads, or two where columns form groups.
    fn table_head(&mut self, columns: &[Column]) {
        let grouped = columns.iter().any(|column| column.group.is_some());
        self.raw("<tr role=\"row\">\n");
        let head = |column: &Column, rows: &str, opens: bool| {
            let class = match (column.align == Align::Right, opens) {
                (true, true) => " class=\"number opens\"",
                (true, false) => " class=\"number\"",
                (false, true) => " class=\"opens\"",
                (false, false) => "",
            };
            format!(" role=\"columnheader\" scope=\"col\"{rows}{class}")
        };
        for (i, column) in columns.iter().enumerate() {
            match &column.group {
                None => {
                    self.element(
                        "th",
                        &head(column, if grouped { " rowspan=\"2\"" } else { "" }, false),
                        &column.title,
                    );
                }
                Some(group) if opens(columns, i) => {
                    let span = columns[i..].iter().take_while(|other| other.group.as_ref() == Some(group)).count();
                    let attributes =
                        format!(" role=\"columnheader\" scope=\"colgroup\" class=\"group\" colspan=\"{span}\"");
                    self.element("th", &attributes, group);
                }
                Some(_) => {}
            }
        }
        self.raw("</tr>\n");
        if grouped {
            self.raw("<tr role=\"row\">\n");
            for (i, column) in columns.iter().enumerate().filter(|(_, column)| column.group.is_some()) {
                self.element("th", &head(column, "", opens(columns, i)), &column.title);
            }
            self.raw("</tr>\n");
        }
    }

    fn trend(&mut self, trend: &Trend) {
        let words = &self.layout.words;
        self.element("h3", " id=\"trend\"", &words.trend_title);
        self.raw("<div class=\"trend\" role=\"img\"");
        self.attribute("aria-label", &trend.alt);
        // The scale of the chart on paper.
        self.raw("><i class=\"top\"><b>100%</b></i><i class=\"half\"><b>50%</b></i><i><b>0%</b></i><u><b>90%</b></u>");
        for bar in &trend.bars {
            self.raw(if bar.is_low { "<span class=\"low\">" } else { "<span>" });
            let height = bar.percent.clamp(0.0, 100.0);
            let top = 100.0 - height;
            self.raw(&format!("<svg><rect x=\"12%\" width=\"76%\" y=\"{top:.1}%\" height=\"{height:.1}%\"/><text x=\"50%\" y=\"{top:.1}%\" dy=\"-5\">"));
            self.text(&bar.figure);
            self.raw("</text></svg><small>");
            self.text(&bar.label);
            self.raw("</small></span>");
        }
        self.raw("</div>\n");
        let note = trend.cut.iter().fold(words.trend_note.clone(), |note, cut| format!("{note} {cut}"));
        self.element("p", " class=\"chart-note\"", &note);
    }

    fn timeline(&mut self, timeline: &Timeline) {
        let report_day = self.view.report_day;
        let first = timeline.spells.iter().map(|spell| spell.from).min().unwrap_or(report_day);
        let last = timeline.spells.iter().map(Spell::last_known).max().unwrap_or(report_day).max(report_day);
        let days = (last - first).num_days().max(1) as f64;
        let share = |day: chrono::NaiveDate| (day - first).num_days() as f64 * 100.0 / days;
        self.raw("<div class=\"timeline\" role=\"img\"");
        self.attribute("aria-label", &timeline.alt);
        self.raw(&format!(
            "><span><span></span><span class=\"track years\"><small>{}</small><small>{}</small></span></span>",
            first.year(),
            last.year()
        ));
        for spell in &timeline.spells {
            let (x, width) = (share(spell.from), share(spell.to(last)) - share(spell.from));
            let bar = match spell.end {
                End::On(_) => format!("<rect x=\"{x:.2}%\" width=\"{width:.2}%\" height=\"100%\"/>"),
                End::Present => format!("<rect class=\"open\" x=\"{x:.2}%\" width=\"{width:.2}%\" height=\"100%\"/>"),
                End::Unknown => {
                    format!(
                        "<rect x=\"{x:.2}%\" width=\"2\" height=\"100%\"/><rect class=\"unknown\" x=\"{x:.2}%\" y=\"50%\" width=\"18\" height=\"0\"/>"
                    )
                }
            };
            self.raw("<span><span>");
            self.text(&spell.label);
            self.out.extend(["</span><span class=\"track\"><svg>", &bar, "</svg></span></span>"]);
        }
        self.raw("</div>\n");
        let notes = timeline.notes(&self.layout.words);
        if !notes.is_empty() {
            self.element("p", " class=\"chart-note\"", &notes);
        }
    }

    fn about(&mut self, section: &Section) {
        let words = &self.layout.words;
        self.heading(section);
        if let Some(withheld) = &self.view.withheld {
            self.element("h3", "", &section.withheld_title);
            if withheld.is_empty() {
                self.element("p", "", &words.withheld_none);
            } else {
                self.element("p", "", &words.withheld_some);
                self.raw("<ul>\n");
                for label in withheld {
                    let direction = if might_be_rtl(label) { " dir=\"auto\"" } else { "" };
                    let language = language_attribute(self.layout.value_language());
                    self.element("li", &format!("{direction}{language}"), label);
                }
                self.raw("</ul>\n");
            }
        }
        self.element("h3", "", &section.reading_title);
        self.element("p", "", &self.view.notes.join(" "));
        if self.view.has_replaced {
            self.element("p", "", &words.reading_replaced);
        }
        match (&self.view.code, &self.view.banner) {
            (Some(code), _) => {
                self.element("h3", "", &section.verify_title);
                self.element("p", "", &fill(&words.verify_code, &[("code", code)]));
                self.element("p", "", &words.verify_note);
            }
            (None, Some(banner)) => {
                self.element("h3", "", &section.verify_title);
                self.element("p", "", banner);
            }
            (None, None) => {}
        }
    }
}

/// The most decimals of each column of numbers.
fn decimals(section: &Section, rows: &[Vec<CellText>]) -> Vec<Option<usize>> {
    let most = |at: usize| rows.iter().filter_map(|row| row.get(at)?.decimals()).max();
    let columns = section.columns.iter().enumerate();
    columns.map(|(at, column)| if column.align == Align::Right { most(at) } else { None }).collect()
}

/// The class that puts a number's point under those of its column: how many digits it is short of, with a point or without one of its own.
fn short_of(most: usize, cell: &CellText) -> Option<&'static str> {
    const WITH_POINT: [&str; 4] = ["", "p1", "p2", "p3"];
    const WHOLE: [&str; 5] = ["", "w1", "w2", "w3", "w4"];
    let own = cell.decimals()?;
    let name = if own == 0 { WHOLE.get(most) } else { WITH_POINT.get(most - own) };
    name.copied().filter(|name| !name.is_empty())
}

/// The attribute that says the language of an element, where it is not that of the page.
fn language_attribute(language: Option<&str>) -> String {
    language.map_or_else(String::new, |language| format!(" lang=\"{language}\""))
}

/// Whether a column is the first of a group.
fn opens(columns: &[Column], at: usize) -> bool {
    columns[at].group.is_some() && (at == 0 || columns[at - 1].group != columns[at].group)
}

/// What stands before a value where there is no room for heads.
fn label(column: &Column) -> String {
    column.group.as_ref().map_or_else(|| column.title.clone(), |group| format!("{group}: {}", column.title))
}

#[cfg(test)]
mod tests {
    use super::STYLE;
    use crate::{chart::figure_colour, layout::Colour};

    /// WCAG 2.2, relative luminance and contrast ratio.
    fn contrast(a: &str, b: &str) -> f64 {
        let luminance = |colour: &str| {
            let hex = colour.trim_start_matches('#');
            let hex = if hex.len() == 3 { hex.chars().flat_map(|c| [c, c]).collect() } else { hex.to_owned() };
            let channel = |at: usize| {
                let value = f64::from(u8::from_str_radix(&hex[at..at + 2], 16).expect("hexadecimal")) / 255.0;
                if value <= 0.040_45 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
            };
            0.2126 * channel(0) + 0.7152 * channel(2) + 0.0722 * channel(4)
        };
        let (a, b) = (luminance(a), luminance(b));
        (a.max(b) + 0.05) / (a.min(b) + 0.05)
    }

    #[test]
    fn text_and_bars_stand_out_in_light_in_the_dark_and_on_paper() {
        let palettes: Vec<&str> =
            STYLE.split(":root {").skip(1).map(|rest| rest.split('}').next().expect("a rule")).collect();
        assert_eq!(palettes.len(), 3);
        for palette in palettes {
            let colour = |name: &str| {
                let after = palette.split(&format!("--{name}: ")).nth(1).unwrap_or_else(|| panic!("no {name}"));
                after.split(';').next().expect("a value").to_owned()
            };
            for (ink, paper, least) in [
                ("ink", "paper", 7.0),
                ("ink", "soft", 7.0),
                ("muted", "paper", 4.5),
                ("muted", "soft", 4.5),
                ("accent", "paper", 4.5),
                ("accent", "soft", 4.5),
                ("warn", "paper", 4.5),
                ("low", "paper", 3.0),
            ] {
                let ratio = contrast(&colour(ink), &colour(paper));
                assert!(ratio >= least, "{ink} on {paper}: {ratio:.2}");
            }
        }
    }

    #[test]
    fn text_and_figures_on_paper_stand_out_too() {
        let colours = &crate::layout::Layout::own().colour;
        let hex = |colour: Colour| format!("#{:02x}{:02x}{:02x}", colour.0, colour.1, colour.2);
        let paper = Colour(255, 255, 255);
        let on_bar = |is_low| figure_colour(colours, true, is_low);
        for (what, ink, ground, least) in [
            ("text", colours.ink, paper, 7.0),
            ("values in cards", colours.ink, colours.soft, 7.0),
            ("notes", colours.muted, paper, 4.5),
            ("labels in cards", colours.muted, colours.soft, 4.5),
            ("headings", colours.accent, paper, 4.5),
            ("column heads", colours.accent, colours.soft, 4.5),
            ("the line of chronic absence", colours.warn, paper, 4.5),
            ("figures on light bars", on_bar(false), colours.bar, 4.5),
            ("figures on dark bars", on_bar(true), colours.accent, 4.5),
            ("figures above bars", figure_colour(colours, false, false), paper, 4.5),
        ] {
            let ratio = contrast(&hex(ink), &hex(ground));
            assert!(ratio >= least, "{what}: {ratio:.2}");
        }
    }
}
