//! What the two charts show, and the sentences that say the same.

use std::borrow::Cow;

use chrono::NaiveDate;
use model::Decimal;

use super::format::{clean, date, join_capped, percent};
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
    /// The percentage in whole numbers.
    pub figure: String,
    /// At or below 90 percent.
    pub is_low: bool,
}

pub(super) fn trend(block: &Block<AttendanceRow>, words: &Words) -> Option<Trend> {
    let mut rows: Vec<(&str, Decimal)> = block
        .rows()
        .iter()
        .filter_map(|row| Some((row.year.value()?.as_str(), *row.pct.value()?)))
        .filter(|(_, pct)| (0..=100 * Decimal::SCALE).contains(&pct.0))
        .collect();
    if rows.is_empty() {
        return None;
    }
    // Newest first comes in; the reverse keeps two schools of one year in the order they had.
    rows.sort_by(|a, b| b.0.cmp(a.0));
    rows.reverse();
    let low = rows.iter().filter(|(_, pct)| *pct <= CHRONIC).count();
    let count = rows.len().to_string();
    let low = if low == 0 {
        words.trend_none_low.clone()
    } else {
        fill(&words.trend_low, &[("low", &low.to_string()), ("count", &count)])
    };
    let values =
        join_capped(rows.iter().map(|(year, pct)| Cow::from(format!("{} {}", clean(year), percent(*pct)))), |n| {
            cut(words, n)
        });
    let alt = fill(&words.trend_alt, &[("values", &values), ("low", &low)]);
    let cut =
        (rows.len() > BARS_MAX).then(|| fill(&words.trend_cut, &[("shown", &BARS_MAX.to_string()), ("count", &count)]));
    let shown = rows.split_off(rows.len().saturating_sub(BARS_MAX));
    Some(Trend { bars: shown.into_iter().map(bar).collect(), alt, cut })
}

fn cut(words: &Words, count: usize) -> String {
    fill(&words.alt_cut, &[("count", &count.to_string())])
}

fn bar((year, pct): (&str, Decimal)) -> Bar {
    let is_year = year.len() >= 4 && year.is_char_boundary(4) && year[..4].bytes().all(|b| b.is_ascii_digit());
    let whole = (pct.0 + Decimal::SCALE / 2) / Decimal::SCALE;
    Bar {
        label: if is_year { format!("’{}", &year[2..4]) } else { clean(year).chars().take(4).collect() },
        percent: pct.to_f64() as f32,
        figure: whole.to_string(),
        is_low: pct <= CHRONIC,
    }
}

/// Enrollments with an entry date, oldest first.
#[derive(Clone)]
pub(crate) struct Timeline {
    pub spells: Vec<Spell>,
    pub alt: String,
    /// Said when enrollments without an entry date are left out.
    pub undated: Option<String>,
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
    let spells = join_capped(
        rows.iter().map(|(entry, row)| Cow::from(spell(block, (*entry, row), end(row), words))),
        |n| cut(words, n),
    );
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
    Some(Timeline { spells, alt, undated })
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
