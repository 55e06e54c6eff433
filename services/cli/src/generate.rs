//! An invented state of any size: believable children in real Connecticut schools, in the state's own file formats, with the
//! agencies' rosters and the true answers beside them. Nobody in it exists.
//!
//! A child's index decides everything about it (its own streams of chance, its household, its identifiers), so the files are the
//! same whatever the number of threads, and children are made, written and forgotten: memory does not grow with their number.
//!
//! Read [`household`] (who), [`life`] (where and when), the record modules ([`attendance`], [`discipline`], ...), then [`state`],
//! [`roster`] and [`truth`] (what is written). [`cases`] lists the children made to show a situation.

mod agency;
mod assessment;
mod attendance;
mod calendar;
mod cases;
mod codes;
mod course;
pub mod dice;
mod discipline;
mod family;
mod household;
mod identity;
mod life;
pub mod linking;
mod names;
mod noise;
mod places;
mod program;
mod roster;
mod sink;
mod special_education;
mod state;
mod truth;

use std::path::PathBuf;

use anyhow::ensure;
use chrono::NaiveDate;
use model::SchoolYear;
use rayon::prelude::*;

use calendar::Calendar;
use dice::{Dice, Permutation, Purpose};
use sink::{Batch, Damages, Files};
use state::Record;

/// What to invent.
#[derive(Clone, Debug)]
pub struct Options {
    /// How many children the state has ever registered.
    pub students: u64,
    /// The seed: the same one gives the same bytes.
    pub seed: u64,
    /// The folder to write into.
    pub out: PathBuf,
    /// How many school years the files cover, the current one counted.
    pub years: u16,
    /// Today: the last night of the rosters, in the current school year.
    pub as_of: NaiveDate,
    /// Clients of each agency, as a share of the children.
    pub clients: f64,
    /// Rows damaged on purpose, as a share of the state's rows; each is an extra copy of a good row.
    pub dirty: f64,
    /// A file of the state is continued in another one when it has grown to so many bytes.
    pub split_bytes: u64,
}

impl Options {
    /// A state of some children below a folder, with the usual shares.
    pub fn new(students: u64, seed: u64, out: PathBuf) -> Self {
        Self {
            students,
            seed,
            out,
            years: 15,
            as_of: calendar::date(2026, 11, 20),
            clients: 0.02,
            dirty: 0.0005,
            split_bytes: 64 << 20,
        }
    }
}

/// A file that was written.
#[derive(Clone, Debug)]
pub struct FileReport {
    /// Its path below the output folder.
    pub path: PathBuf,
    /// Rows, without a heading.
    pub rows: u64,
    /// Bytes.
    pub bytes: u64,
}

/// What was written.
#[derive(Clone, Debug)]
pub struct Report {
    /// Files in the order of their names.
    pub files: Vec<FileReport>,
}

/// All that children have in common.
#[derive(Debug)]
struct World {
    seed: u64,
    as_of: NaiveDate,
    first_fall: i16,
    last_fall: i16,
    clients: f64,
    places: places::Places,
    names: names::Names,
    courses: Vec<course::Course>,
    calendars: Vec<Calendar>,
    tables: state::Tables,
    sasids: Permutation,
    persons: Permutation,
    nights: roster::Nights,
}

/// School years before the first one on file that children were already in.
const YEARS_BEFORE: i16 = 20;

impl World {
    fn new(options: &Options) -> anyhow::Result<Self> {
        let last_fall = SchoolYear::containing(options.as_of).0;
        let first_fall = last_fall + 1 - options.years as i16;
        Ok(Self {
            seed: options.seed,
            as_of: options.as_of,
            first_fall,
            last_fall,
            clients: options.clients,
            places: places::Places::load()?,
            names: names::Names::load()?,
            courses: course::catalogue()?,
            calendars: (first_fall - YEARS_BEFORE..=last_fall + 1).map(Calendar::of).collect(),
            tables: state::Tables::new()?,
            sasids: Permutation::new(options.seed, Purpose::Person, 1_000_000_000, 9_999_999_999),
            persons: Permutation::new(options.seed, Purpose::Agency, 10_000_000, 99_999_999),
            nights: roster::Nights::until(options.as_of),
        })
    }

    /// The calendar of a school year.
    fn calendar(&self, fall: i16) -> &Calendar {
        let place = fall - (self.first_fall - YEARS_BEFORE);
        // Clamped: no child lives in years that have no calendar.
        let place = (place.max(0) as usize).min(self.calendars.len() - 1);
        &self.calendars[place]
    }
}

/// Blocks of households in a batch: some hundreds of children.
const BATCH_BLOCKS: u64 = 40;

/// Invents a state. `progress` is told what is being done, how much of it is done, and how much there is.
pub fn run(options: &Options, progress: &dyn Fn(&str, u64, u64)) -> anyhow::Result<Report> {
    ensure!(options.students > 0, "a state needs students");
    ensure!(options.students <= 10_000_000, "at most ten million students");
    ensure!((1..=30).contains(&options.years), "between 1 and 30 school years");
    ensure!((0.0..=0.5).contains(&options.clients), "the share of clients lies between 0 and 0.5");
    ensure!((0.0..=0.5).contains(&options.dirty), "the share of bad rows lies between 0 and 0.5");
    let world = World::new(options)?;
    let mut files = Files::new(&options.out, options.split_bytes)?;
    files.add(opening(&world)?)?;
    let blocks = household::blocks(options.students);
    let batches = blocks.div_ceil(BATCH_BLOCKS);
    // As many batches at once as there are threads, twice; they are written while the next ones are made.
    let at_once = rayon::current_num_threads() as u64 * 2;
    let mut made: Vec<anyhow::Result<Batch>> = Vec::new();
    for first in (0..=batches).step_by(at_once as usize) {
        let last = (first + at_once).min(batches);
        let previous = std::mem::take(&mut made);
        let (written, next) = rayon::join(
            || previous.into_iter().try_for_each(|batch| files.add(batch?)),
            || (first..last).into_par_iter().map(|number| batch(&world, options, number, blocks)).collect(),
        );
        written?;
        made = next;
        let done = (first * BATCH_BLOCKS * household::BLOCK).min(options.students);
        progress("students", done, options.students);
    }
    made.into_iter().try_for_each(|batch| files.add(batch?))?;
    progress("students", options.students, options.students);
    let written = files.finish()?;
    Ok(Report {
        files: written
            .into_iter()
            .map(|file| FileReport { path: file.path, rows: file.rows, bytes: file.bytes })
            .collect(),
    })
}

/// What comes before the first child: organizations, headings, files that may stay empty.
fn opening(world: &World) -> anyhow::Result<Batch> {
    let mut batch = Batch::new(Damages { share: 0.0, dice: Dice::new(world.seed, Purpose::Damage, u64::MAX >> 4) });
    state::write_organizations(world, &mut batch)?;
    roster::write_headings(world, &mut batch);
    truth::begin(&mut batch)?;
    Ok(batch)
}

fn batch(world: &World, options: &Options, number: u64, blocks: u64) -> anyhow::Result<Batch> {
    let mut batch = Batch::new(Damages { share: options.dirty, dice: Dice::new(world.seed, Purpose::Damage, number) });
    let first = number * BATCH_BLOCKS;
    for block in first..(first + BATCH_BLOCKS).min(blocks) {
        for household in household::block(world, block, options.students) {
            for child in &household.children {
                let record = Record::of(world, &household, child);
                state::write(world, &mut batch, &record)?;
                let mut dice = Dice::new(world.seed, Purpose::Roster, child.index);
                for client in &record.clients {
                    roster::write(world, &mut batch, client, &mut dice)?;
                }
                truth::write(world, &mut batch, &record)?;
            }
        }
    }
    Ok(batch)
}

#[cfg(test)]
mod tests;
