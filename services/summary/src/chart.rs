//! The two charts. Each says everything again in words, as the figure's alternative text, and needs no colour to be read.

use chrono::{Datelike, NaiveDate};

use crate::{
    fonts::Weight,
    frame::{Frame, Ink, Mark},
    layout::{Colour, Colours, Layout},
    tags::{NodeId, Role, Tags},
    text::{Base, Style, Typesetter},
    view::{End, Naming, Spell, Timeline, Trend},
};

/// The most lanes, with or without names.
const LANES_MAX: usize = 14;
/// Of the height of a lane, what stands above its bar and below it.
const LANE_AIR: f32 = 4.2;
/// No figure is set smaller.
const FIGURE_SIZE_MIN: f32 = 4.6;
/// What a name above a bar adds to its lane, and the least room in which one is set.
const NAME_HEIGHT: f32 = 7.2;
const NAME_ROOM_MIN: f32 = 24.0;
/// How wide the mark of a first day is, and how long the dash after it, where nobody knows the last day.
const TICK_WIDTH: f32 = 1.8;
const DASH_LENGTH: f32 = 9.0;

/// Draws charts with one layout.
pub(crate) struct Pencil<'a, 'f> {
    pub layout: &'a Layout,
    pub setter: &'a mut Typesetter<'f>,
    pub tags: &'a mut Tags,
}

impl Pencil<'_, '_> {
    fn text(
        &mut self,
        frame: &mut Frame,
        text: &str,
        (x, y): (f32, f32),
        place: f32,
        look: (Weight, Colour, Mark),
    ) -> f32 {
        let style = Style { weight: look.0, size: self.layout.size.chart, leading: 1.2 };
        let line = self.setter.line_of(text, style, Base::Auto);
        let width = line.width;
        frame.push(x - width * place, y, Ink::Text { line, colour: look.1 }, look.2);
        width
    }

    /// The figure of a bar, set smaller where it would reach beyond its room: on a dark bar it is white, and off it nobody would see it.
    fn figure(&mut self, frame: &mut Frame, text: &str, (x, y): (f32, f32), room: f32, look: (Colour, Mark)) {
        let usual = Style { weight: Weight::SemiBold, size: self.layout.size.chart, leading: 1.2 };
        let mut line = self.setter.line_of(text, usual, Base::Auto);
        if line.width > room {
            let size = (usual.size * room / line.width).max(FIGURE_SIZE_MIN);
            line = self.setter.line_of(text, Style { size, ..usual }, Base::Auto);
        }
        frame.push(x - line.width / 2.0, y, Ink::Text { line, colour: look.0 }, look.1);
    }

    /// Bars of attendance on a scale from 0, with the line of chronic absence.
    pub(crate) fn trend(&mut self, parent: NodeId, trend: &Trend, width: f32, height: f32) -> Frame {
        let mark = Mark::Leaf(self.tags.leaf_in(parent, Role::Figure { alt: trend.alt.clone() }));
        let colours = &self.layout.colour;
        let (muted, rule, bar_colour, warn, ink) =
            (colours.muted, colours.rule, colours.bar, colours.warn, colours.accent);
        let axis = 20.0;
        let (top, base) = (8.0, height - 11.0);
        let plot = width - axis;
        let y = |percent: f32| base - (base - top) * percent / 100.0;
        let mut frame = Frame { height, ..Frame::default() };
        frame.push(0.0, 0.0, Ink::Bounds { width, height }, mark);
        for tick in [0.0, 50.0, 100.0] {
            frame.push(0.0, y(tick), Ink::Rule { dx: plot, dy: 0.0, width: 0.35, colour: rule, dashed: false }, mark);
            self.text(&mut frame, &format!("{tick:.0}%"), (width, y(tick) + 2.2), 1.0, (Weight::Regular, muted, mark));
        }
        let slot = plot / trend.bars.len().max(1) as f32;
        let bar_width = (slot * 0.74).min(18.0);
        for (i, bar) in trend.bars.iter().enumerate() {
            let center = slot * (i as f32 + 0.5);
            let top = y(bar.percent.max(0.6));
            frame.push(
                center - bar_width / 2.0,
                top,
                Ink::Band { width: bar_width, height: base - top, colour: if bar.is_low { ink } else { bar_colour } },
                mark,
            );
            self.text(&mut frame, &bar.label, (center, height - 3.0), 0.5, (Weight::Regular, muted, mark));
        }
        frame.push(0.0, y(90.0), Ink::Rule { dx: plot, dy: 0.0, width: 0.7, colour: warn, dashed: true }, mark);
        self.text(&mut frame, "90%", (width, y(90.0) + 4.4), 1.0, (Weight::SemiBold, warn, mark));
        // Figures stand at the foot of the bars, clear of the dashed line; above a bar that is too short for them.
        for (i, bar) in trend.bars.iter().enumerate() {
            let center = slot * (i as f32 + 0.5);
            let is_inside = base - y(bar.percent) > 9.0;
            let tone = figure_colour(colours, is_inside, bar.is_low);
            let at = if is_inside { base - 2.6 } else { y(bar.percent) - 2.0 };
            self.figure(
                &mut frame,
                &bar.figure,
                (center, at),
                if is_inside { bar_width - 0.8 } else { slot },
                (tone, mark),
            );
        }
        frame
    }

    /// Enrollments as bars over the years: one lane each with its name, or shared lanes when there are many.
    pub(crate) fn timeline(&mut self, parent: NodeId, timeline: &Timeline, report_day: NaiveDate, width: f32) -> Frame {
        let mark = Mark::Leaf(self.tags.leaf_in(parent, Role::Figure { alt: timeline.alt.clone() }));
        let names = match timeline.names {
            Naming::Beside if timeline.spells.len() > self.layout.size.lanes_max => Naming::Nowhere,
            names => names,
        };
        let gutter = if names == Naming::Beside { self.gutter(timeline, width) } else { 0.0 };
        let scale = Scale::new(timeline, report_day, gutter, width);
        let lanes = match names {
            Naming::Beside => (0..timeline.spells.len()).collect(),
            Naming::Above | Naming::Nowhere => share_lanes(timeline, &scale),
        };
        let above = if names == Naming::Above { NAME_HEIGHT } else { 0.0 };
        let lane_height = self.layout.size.lane_height + above;
        let lane_count = lanes.iter().max().map_or(0, |lane| lane + 1);
        let axis_height = 12.0;
        let height = lane_count as f32 * lane_height + axis_height + 2.0;
        let mut frame = Frame { height, ..Frame::default() };
        frame.push(0.0, 0.0, Ink::Bounds { width, height }, mark);
        self.years(&mut frame, &scale, height - axis_height, mark);
        for (i, (spell, lane)) in timeline.spells.iter().zip(&lanes).enumerate() {
            let top = *lane as f32 * lane_height + 2.0;
            self.spell(&mut frame, spell, &scale, top + above + 1.4, mark);
            let (x, room, y) = match names {
                Naming::Beside => (0.0, gutter - 8.0, top + lane_height - 3.6),
                Naming::Above => {
                    let x = scale.x(spell.from);
                    let others = timeline.spells.iter().zip(&lanes).skip(i + 1).filter(|(_, other)| *other == lane);
                    let next = others.map(|(other, _)| scale.x(other.from) - 4.0).fold(scale.edge, f32::min);
                    (x, next - x, top + 5.4)
                }
                Naming::Nowhere => continue,
            };
            self.name(&mut frame, &spell.label, (x, y), room, mark);
        }
        frame
    }

    /// The name of a school, cut where it would reach beyond its room.
    fn name(&mut self, frame: &mut Frame, name: &str, (x, y): (f32, f32), room: f32, mark: Mark) {
        if room < NAME_ROOM_MIN {
            return;
        }
        let style = Style { weight: Weight::Regular, size: self.layout.size.small, leading: 1.2 };
        let name = self.setter.fit(name, style, room);
        let line = self.setter.line_of(&name, style, Base::Auto);
        frame.push(x, y, Ink::Text { line, colour: self.layout.colour.ink }, mark);
    }

    /// A bar to the last day; to the report day with its middle going on where the stay goes on; a mark with a short dash where nobody knows.
    fn spell(&self, frame: &mut Frame, spell: &Spell, scale: &Scale, top: f32, mark: Mark) {
        let (accent, light) = (self.layout.colour.accent, self.layout.colour.bar);
        let height = self.layout.size.lane_height - LANE_AIR;
        let (x1, x2) = scale.ends(spell);
        let (width, colour, dash) = match spell.end {
            End::On(_) => ((x2 - x1).max(1.2), accent, 0.0),
            End::Present => ((x2 - x1).max(1.2), light, (scale.edge - x2).max(0.0)),
            End::Unknown => (TICK_WIDTH, accent, DASH_LENGTH.min(scale.edge - x1 - TICK_WIDTH)),
        };
        frame.push(x1, top, Ink::Band { width, height, colour }, mark);
        if dash > 0.0 {
            let rule = Ink::Rule { dx: dash, dy: 0.0, width: 0.8, colour: accent, dashed: true };
            frame.push(x1 + width, top + height / 2.0, rule, mark);
        }
    }

    /// Room for the longest name, within reason.
    fn gutter(&mut self, timeline: &Timeline, width: f32) -> f32 {
        let style = Style { weight: Weight::Regular, size: self.layout.size.small, leading: 1.2 };
        let widest = timeline
            .spells
            .iter()
            .map(|spell| self.setter.line_of(&spell.label, style, Base::Auto).width)
            .fold(0.0, f32::max);
        (widest + 10.0).min(width * 0.34)
    }

    fn years(&mut self, frame: &mut Frame, scale: &Scale, base: f32, mark: Mark) {
        let (rule, muted) = (self.layout.colour.rule, self.layout.colour.muted);
        let years = scale.last.year() - scale.first.year();
        let step = [1, 2, 5, 10, 20].into_iter().find(|step| years / step <= 24).unwrap_or(50);
        for year in (scale.first.year()..=scale.last.year()).filter(|year| year % step == 0) {
            let Some(day) = NaiveDate::from_ymd_opt(year, 1, 1) else { continue };
            if day < scale.first || day > scale.last {
                continue;
            }
            let x = scale.x(day);
            frame.push(x, 0.0, Ink::Rule { dx: 0.0, dy: base, width: 0.35, colour: rule, dashed: false }, mark);
            self.text(frame, &year.to_string(), (x, base + 8.0), 0.5, (Weight::Regular, muted, mark));
        }
        frame.push(
            scale.left,
            base,
            Ink::Rule { dx: scale.right - scale.left, dy: 0.0, width: 0.5, colour: rule, dashed: false },
            mark,
        );
    }
}

/// The colour of a bar's figure: it stands on the bar, or above it.
pub(crate) const fn figure_colour(colours: &Colours, is_inside: bool, is_low: bool) -> Colour {
    match (is_inside, is_low) {
        (true, true) => Colour(255, 255, 255),
        (true, false) => colours.ink,
        (false, _) => colours.accent,
    }
}

/// Days to points.
struct Scale {
    first: NaiveDate,
    last: NaiveDate,
    report_day: NaiveDate,
    left: f32,
    right: f32,
    /// Where the drawing ends.
    edge: f32,
}

impl Scale {
    fn new(timeline: &Timeline, report_day: NaiveDate, left: f32, width: f32) -> Self {
        let first = timeline.spells.iter().map(|spell| spell.from).min().unwrap_or(report_day);
        let ends = timeline.spells.iter().map(Spell::last_known);
        let last = ends.max().unwrap_or(report_day).max(report_day).max(first);
        Self { first, last, report_day, left, right: width - 8.0, edge: width }
    }

    fn x(&self, day: NaiveDate) -> f32 {
        let span = (self.last - self.first).num_days().max(1) as f32;
        self.left + (self.right - self.left) * (day - self.first).num_days() as f32 / span
    }

    /// Where a spell begins and ends.
    fn ends(&self, spell: &Spell) -> (f32, f32) {
        let from = self.x(spell.from);
        match spell.end {
            End::Unknown => (from, from + TICK_WIDTH + DASH_LENGTH),
            End::On(_) | End::Present => (from, self.x(spell.to(self.report_day))),
        }
    }
}

/// Each enrollment gets the first lane that is free where it begins.
fn share_lanes(timeline: &Timeline, scale: &Scale) -> Vec<usize> {
    let mut free_from: Vec<f32> = Vec::new();
    let mut lanes = Vec::with_capacity(timeline.spells.len());
    for spell in &timeline.spells {
        let (begin, end) = scale.ends(spell);
        let lane = free_from.iter().position(|free| *free < begin);
        match lane {
            Some(lane) => {
                free_from[lane] = end;
                lanes.push(lane);
            }
            // Beyond this many at the same time, bars lie over each other; the text alternative and the table have them all.
            None if free_from.len() >= LANES_MAX => lanes.push(LANES_MAX - 1),
            None => {
                free_from.push(end);
                lanes.push(free_from.len() - 1);
            }
        }
    }
    lanes
}
