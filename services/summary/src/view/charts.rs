//! What the two charts show, and the sentences that say the same.

use std::{borrow::Cow, collections::BTreeMap};

use chrono::NaiveDate;
use model::Decimal;

use super::format::{clean, date, join_capped};
use crate::{
    layout::{Words, fill},
    model::{AttendanceRow, Block, Cell, SchoolRow},
};

/// The most bars that can still be read.
const BARS_MAX: usize = 16;
/// Attendance at or below this is chronic absence (a tenth of the days missed).
const CHRONIC: Decimal = Decimal(90 * Decimal::SCALE);

/// Attendance by school year, oldest first.
#[derive(Clone)]
pub(crate) struct Trend {
    pub bars: Vec<Bar>,
    pub alt: String,
    /// Said when not all years are drawn.
    pub cut: Option<String>,
}

/// One bar.
#[derive(Clone)]
pub(crate) struct Bar {
    /// `’13`, or the whole text when it is no school year.
    pub label: String,
    /// 0 to 100.
    pub percent: f32,
    /// The percentage in whole numbers, or as many decimals as tell it from 90.
    pub figure: String,
    /// At or below 90 percent.
    pub is_low: bool,
}

pub(super) fn trend(block: &Block<AttendanceRow>, words: &Words) -> Option<Trend> {
    let mut by_year: BTreeMap<&str, Vec<&AttendanceRow>> = BTreeMap::new();
    for row in block.rows() {
        if let Some(year) = row.year.value() {
            by_year.entry(year).or_default().push(row);
        }
    }
    let years: Vec<(&str, Vec<Decimal>)> =
        by_year.into_iter().map(|(year, rows)| (year, rates(&rows))).filter(|(_, rates)| !rates.is_empty()).collect();
    if years.is_empty() {
        return None;
    }
    let low = years.iter().filter(|(_, rates)| rates.iter().any(|rate| *rate <= CHRONIC)).count();
    let low = if low == 0 {
        words.trend_none_low.clone()
    } else {
        fill(&words.trend_low, &[("low", &low.to_string()), ("count", &years.len().to_string())])
    };
    let mut bars: Vec<(&str, Decimal)> =
        years.iter().flat_map(|(year, rates)| rates.iter().map(|rate| (*year, *rate))).collect();
    let values =
        join_capped(bars.iter().map(|(year, rate)| Cow::from(format!("{} {}%", clean(year), figure(*rate, 1)))), |n| {
            cut(words, n)
        });
    let alt = fill(&words.trend_alt, &[("values", &values), ("low", &low)]);
    let count = bars.len().to_string();
    let cut =
        (bars.len() > BARS_MAX).then(|| fill(&words.trend_cut, &[("shown", &BARS_MAX.to_string()), ("count", &count)]));
    let shown = bars.split_off(bars.len().saturating_sub(BARS_MAX));
    Some(Trend { bars: shown.into_iter().map(bar).collect(), alt, cut })
}

/// The attendance of a year, in percent: of all its days, where each row has them; else what each row says, for days that nobody gives cannot be
/// weighed.
fn rates(rows: &[&AttendanceRow]) -> Vec<Decimal> {
    let sound = |rate: &Decimal| (0..=100 * Decimal::SCALE).contains(&rate.0);
    let each: Vec<Decimal> = rows.iter().filter_map(|row| row.pct.value().copied()).filter(sound).collect();
    // A row that says nothing may be suppressed or withheld: its days tell no more than it does.
    if rows.len() < 2 || each.len() < rows.len() {
        return each;
    }
    let days = |row: &&AttendanceRow| {
        let (attended, scheduled) = (row.attended.value()?.0, row.scheduled.value()?.0);
        (0 <= attended && attended <= scheduled && scheduled > 0)
            .then_some((i128::from(attended), i128::from(scheduled)))
    };
    let days: Option<Vec<(i128, i128)>> = rows.iter().map(days).collect();
    let Some(days) = days else { return each };
    let (attended, scheduled) = days.iter().fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
    let rate = (200 * i128::from(Decimal::SCALE) * attended + scheduled) / (2 * scheduled);
    i64::try_from(rate).map_or(each, |rate| vec![Decimal(rate)])
}

fn cut(words: &Words, count: usize) -> String {
    fill(&words.alt_cut, &[("count", &count.to_string())])
}

fn bar((year, rate): (&str, Decimal)) -> Bar {
    let is_year = year.len() >= 4 && year.is_char_boundary(4) && year[..4].bytes().all(|b| b.is_ascii_digit());
    Bar {
        label: if is_year { format!("’{}", &year[2..4]) } else { clean(year).chars().take(4).collect() },
        percent: rate.to_f64() as f32,
        figure: figure(rate, 0),
        is_low: rate <= CHRONIC,
    }
}

/// A percentage with at least so many decimals, and with more where fewer would make it read as the line of chronic absence, on which it is not.
fn figure(rate: Decimal, decimals: u32) -> String {
    let rounded = |decimals: u32| {
        let step = Decimal::SCALE / 10_i64.pow(decimals);
        (rate.0 + step / 2) / step * step
    };
    let decimals = (decimals..4).find(|n| rate == CHRONIC || rounded(*n) != CHRONIC.0).unwrap_or(4);
    let (whole, rest) = (rounded(decimals) / Decimal::SCALE, rounded(decimals) % Decimal::SCALE);
    match decimals {
        0 => whole.to_string(),
        _ => format!("{whole}.{}", &format!("{rest:04}")[..decimals as usize]),
    }
}

/// Enrollments with an entry date, oldest first.
#[derive(Clone)]
pub(crate) struct Timeline {
    pub spells: Vec<Spell>,
    pub alt: String,
    /// Said when enrollments without an entry date are left out.
    pub undated: Option<String>,
    /// Where the names of schools stand, if there is room for them.
    pub names: Naming,
}

/// Where the timeline names schools.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Naming {
    /// To the left, a lane for each.
    Beside,
    /// Above the bars, which share lanes.
    Above,
    /// Nowhere; bars share lanes.
    Nowhere,
}

impl Timeline {
    /// What stands below it: enrollments that could not be drawn, and how to read an end that has no day.
    pub(crate) fn notes(&self, words: &Words) -> String {
        let any = |end: End| self.spells.iter().any(|spell| spell.end == end);
        let present = any(End::Present).then_some(&words.timeline_note);
        let unknown = any(End::Unknown).then_some(&words.timeline_unknown_note);
        self.undated.iter().chain(present).chain(unknown).map(String::as_str).collect::<Vec<_>>().join(" ")
    }
}

/// One enrollment.
#[derive(Clone)]
pub(crate) struct Spell {
    pub label: String,
    pub from: NaiveDate,
    pub end: End,
}

/// How far an enrollment is known to reach.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// Its last day.
    On(NaiveDate),
    /// It goes on: nothing else can be the present one.
    Present,
    /// Nobody says.
    Unknown,
}

impl Spell {
    /// The last day it is drawn to; of an end that nobody knows, the first.
    pub(crate) fn to(&self, report_day: NaiveDate) -> NaiveDate {
        let to = match self.end {
            End::On(day) => day,
            End::Present => report_day,
            End::Unknown => self.from,
        };
        to.max(self.from)
    }

    /// The last of the days that are known of it.
    pub(crate) fn last_known(&self) -> NaiveDate {
        if let End::On(day) = self.end { day.max(self.from) } else { self.from }
    }
}

pub(super) fn timeline(block: &Block<SchoolRow>, words: &Words) -> Option<Timeline> {
    let mut rows: Vec<(NaiveDate, &SchoolRow)> =
        block.rows().iter().filter_map(|row| Some((*row.entry_date.value()?, row))).collect();
    if rows.is_empty() {
        return None;
    }
    rows.sort_by_key(|(entry, _)| *entry);
    let undated = block.rows().len() - rows.len();
    let present = present(block, &rows);
    let end = |row: &SchoolRow| match row.exit_date.value() {
        Some(exit) => End::On(*exit),
        None if present.is_some_and(|present| std::ptr::eq(present, row)) => End::Present,
        None => End::Unknown,
    };
    let spells =
        join_capped(rows.iter().map(|(entry, row)| Cow::from(spell(block, (*entry, row), end(row), words))), |n| {
            cut(words, n)
        });
    let undated = (undated > 0).then(|| fill(&words.timeline_undated, &[("count", &undated.to_string())]));
    let mut alt = fill(&words.timeline_alt, &[("spells", &spells)]);
    if let Some(undated) = &undated {
        alt.push(' ');
        alt.push_str(undated);
    }
    let spells = rows
        .iter()
        .map(|(entry, row)| Spell { label: name(&row.school, words), from: *entry, end: end(row) })
        .collect();
    Some(Timeline { spells, alt, undated, names: Naming::Beside })
}

/// The stay that goes on, if only one can: it began last, and no other is open, with or without a first day.
fn present<'r>(block: &Block<SchoolRow>, rows: &[(NaiveDate, &'r SchoolRow)]) -> Option<&'r SchoolRow> {
    let unsaid = |field: &str| block.not_permitted.contains(field);
    if unsaid("exit_date") || unsaid("exit_date_missing") {
        return None;
    }
    let is_open = |row: &SchoolRow| row.exit_date.is_absent() && row.exit_missing.is_absent();
    let (_, last) = rows.last()?;
    let open = block.rows().iter().filter(|row| is_open(row)).count();
    (open == 1 && is_open(last)).then_some(*last)
}

/// An enrollment in words.
fn spell(block: &Block<SchoolRow>, (entry, row): (NaiveDate, &SchoolRow), end: End, words: &Words) -> String {
    let day = |day: NaiveDate, rule: &Cell<String>| match rule.value() {
        Some(_) => fill(&words.cell_inferred, &[("date", &date(day))]),
        None => date(day),
    };
    let (template, exit) = match end {
        End::On(exit) => (&words.timeline_spell, day(exit, &row.exit_inferred)),
        End::Present => (&words.timeline_spell, words.timeline_current.clone()),
        End::Unknown if block.not_permitted.contains("exit_date") => {
            (&words.timeline_open_spell, words.timeline_not_permitted.clone())
        }
        End::Unknown if matches!(row.exit_date, Cell::Suppressed) => {
            (&words.timeline_open_spell, words.timeline_suppressed.clone())
        }
        End::Unknown => (&words.timeline_open_spell, words.timeline_open.clone()),
    };
    let values = [
        ("school", &*name(&row.school, words)),
        ("district", &name(&row.district, words)),
        ("entry", &day(entry, &row.entry_inferred)),
        ("exit", &exit),
    ];
    fill(template, &values)
}

fn name(cell: &Cell<String>, words: &Words) -> String {
    cell.value().map_or_else(|| words.dash.clone(), |text| clean(text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout::{Extent, Language, shipped};

    fn row(year: &str, scheduled: Option<i64>, attended: Option<i64>, pct: &str) -> AttendanceRow {
        let number = |days: Option<i64>| days.map_or(Cell::Absent, |days| Cell::Value(Decimal(days * Decimal::SCALE)));
        AttendanceRow {
            year: Cell::Value(year.to_owned()),
            scheduled: number(scheduled),
            attended: number(attended),
            pct: Cell::Value(pct.parse().expect("a number")),
            ..AttendanceRow::default()
        }
    }

    #[test]
    fn a_year_is_one_bar_of_all_its_days_wherever_they_are_known() {
        assert_eq!(Decimal::SCALE, 10_000, "figures are cut out of four decimals");
        let check = |rows: &[AttendanceRow], bars: &[(&str, &str, bool)], low: &str| {
            let words = &shipped(Language::English, Extent::Whole).words;
            let trend = trend(&Block::from(rows.to_vec()), words).expect("something to draw");
            let drawn: Vec<(&str, &str, bool)> =
                trend.bars.iter().map(|bar| (&*bar.label, &*bar.figure, bar.is_low)).collect();
            assert_eq!(drawn, bars);
            assert!(trend.alt.ends_with(low), "{}", trend.alt);
        };
        // 20 of 20 days and 80 of 100: the mean of the rates would be 90.
        let moved = [row("2024-25", Some(100), Some(80), "80"), row("2024-25", Some(20), Some(20), "100")];
        let before = row("2023-24", Some(180), Some(171), "95");
        let rows = [moved[0].clone(), moved[1].clone(), before.clone()];
        check(
            &rows,
            &[("’23", "95", false), ("’24", "83", true)],
            "1 of 2 are at or below 90 percent, the line of chronic absence.",
        );
        let unweighed = [row("2024-25", None, None, "80"), moved[1].clone(), before];
        let bars = [("’23", "95", false), ("’24", "80", true), ("’24", "100", false)];
        check(&unweighed, &bars, "1 of 2 are at or below 90 percent, the line of chronic absence.");
    }

    #[test]
    fn no_figure_reads_as_ninety_that_is_not() {
        let check = |rate: &str, decimals: u32, expect: &str| {
            assert_eq!(figure(rate.parse().expect("a number"), decimals), expect, "{rate}");
        };
        check("89.6", 0, "89.6");
        check("90.4", 0, "90.4");
        check("89.96", 0, "89.96");
        check("90.04", 1, "90.04");
        check("89.9999", 0, "89.9999");
        check("90", 0, "90");
        check("90", 1, "90.0");
        check("89.4", 0, "89");
        check("80.11", 1, "80.1");
        check("99.95", 1, "100.0");
    }
}
