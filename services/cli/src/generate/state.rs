//! A child's life in the state's own file formats.

mod extracts;
mod organizations;
mod register;
mod snapshot;

use chrono::NaiveDate;

use super::World;
use super::agency::{self, Client};
use super::assessment::{Inventory, Score};
use super::attendance::Attendance;
use super::course::Taken;
use super::dice::{Dice, Purpose};
use super::discipline::Incident;
use super::household::{Child, Household};
use super::identity::{self, Identity};
use super::life::{self, Life};
use super::program::Participation;
use super::sink::{Batch, Table};
use super::special_education::{PlanKind, PlanYear};
use super::{assessment, attendance, course, discipline, program, special_education};

pub use organizations::write_organizations;

/// Writes columns by name: an enum of places and the list of names they stand for.
macro_rules! columns {
    ($name:ident; $($column:ident = $field:literal),* $(,)?) => {
        #[derive(Clone, Copy, Debug)]
        #[repr(usize)]
        pub(crate) enum $name { $($column),* }
        impl $name {
            pub(crate) const FIELDS: &'static [&'static str] = &[$($field),*];
        }
        impl From<$name> for usize {
            fn from(column: $name) -> usize {
                column as usize
            }
        }
    };
}
pub(crate) use columns;

/// A child with all that is recorded of it.
pub struct Record<'a> {
    /// Its household.
    pub household: &'a Household,
    /// The child.
    pub child: &'a Child,
    /// Its clients at the agencies.
    pub clients: Vec<Client>,
    /// Times in the care of child welfare.
    pub care: Vec<(NaiveDate, Option<NaiveDate>)>,
    /// Its schooling.
    pub life: Life,
    /// Its identifiers.
    pub identity: Identity,
    /// Attendance by year and school.
    pub attendance: Vec<Attendance>,
    /// Plans by year.
    pub plans: Vec<PlanYear>,
    /// Incidents.
    pub incidents: Vec<Incident>,
    /// Tests.
    pub scores: Vec<Score>,
    /// Kindergarten entrance inventories.
    pub inventories: Vec<Inventory>,
    /// Courses.
    pub courses: Vec<Taken>,
    /// Programs.
    pub programs: Vec<Participation>,
}

impl<'a> Record<'a> {
    /// Lives a child's life and records it.
    pub fn of(world: &World, household: &'a Household, child: &'a Child) -> Self {
        let life = life::live(world, household, child);
        let mut dice = Dice::new(world.seed, Purpose::Record, child.index);
        let identity = identity::identity(world, child, &life, &mut dice);
        let attendance = attendance::attendance(world, child, &life, &mut dice);
        let plans = special_education::plans(world, child, &life, &mut dice);
        let incidents = discipline::incidents(world, child, &life, &mut dice);
        let programs = program::programs(world, child, &life, &mut dice);
        let mut dice = Dice::new(world.seed, Purpose::Score, child.index);
        let (scores, inventories) = assessment::scores(world, child, &life, &plans, &mut dice);
        let courses = course::courses(world, child, &life, &mut dice);
        let clients = agency::clients(world, child, &life, &identity);
        let care = agency::care(&clients);
        Self {
            household,
            child,
            clients,
            care,
            life,
            identity,
            attendance,
            plans,
            incidents,
            scores,
            inventories,
            courses,
            programs,
        }
    }
}

impl Record<'_> {
    /// Whether an IEP is in force on a day.
    pub fn has_iep(&self, fall: i16, day: NaiveDate) -> bool {
        self.plans
            .iter()
            .any(|plan| plan.fall == fall && plan.kind == PlanKind::Iep && plan.exits.is_none_or(|exit| exit > day))
    }

    /// Whether child welfare has the child in care on a day.
    pub fn in_care(&self, day: NaiveDate) -> bool {
        self.care.iter().any(|(from, to)| *from <= day && to.is_none_or(|to| day <= to))
    }

    /// The ZIP code of the child's home in a town.
    pub fn zip<'w>(&self, world: &'w World, town: usize) -> &'w str {
        let zips = &world.places.towns[town].zips;
        let place = self.child.home as usize % zips.len().max(1);
        zips.get(place).map_or("", String::as_str)
    }
}

/// The tables of all layouts that are written.
#[derive(Debug)]
pub struct Tables {
    register: Table,
    student: Table,
    courses: Table,
    discipline: Table,
    plans: Table,
    assessment: Table,
    program: Table,
    contacts: Table,
    organizations: Table,
}

impl Tables {
    /// Finds the layouts and their columns.
    pub fn new() -> anyhow::Result<Self> {
        use extracts::{assessment, contact, course, discipline, plan, program};
        Ok(Self {
            register: Table::new("sasid-2.1x", "state/sasid-2.1x", register::Column::FIELDS)?,
            student: Table::new("ct-student", "state/ct-student", snapshot::Column::FIELDS)?,
            courses: Table::new("tcs-4.0", "state/tcs-4.0", course::Column::FIELDS)?,
            discipline: Table::new("ct-discipline", "state/ct-discipline", discipline::Column::FIELDS)?,
            plans: Table::new("ct-special-education", "state/ct-special-education", plan::Column::FIELDS)?,
            assessment: Table::new("ct-assessment", "state/ct-assessment", assessment::Column::FIELDS)?,
            program: Table::new("ct-program", "state/ct-program", program::Column::FIELDS)?,
            contacts: Table::new("ct-student-contacts", "state/ct-student-contacts", contact::Column::FIELDS)?,
            organizations: Table::new("ct-organization", "state/ct-organization", organizations::Column::FIELDS)?,
        })
    }
}

/// Writes everything the state holds about a child.
pub fn write(world: &World, batch: &mut Batch, record: &Record<'_>) -> anyhow::Result<()> {
    register::write(world, batch, record)?;
    snapshot::write(world, batch, record)?;
    extracts::write(world, batch, record)
}
