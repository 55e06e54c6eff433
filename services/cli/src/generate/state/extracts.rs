//! The other extracts: courses, discipline, special education, assessment, programs, contacts.

pub mod assessment;
pub mod contact;
pub mod course;
pub mod discipline;
pub mod plan;
pub mod program;

use super::Record;
use crate::generate::World;
use crate::generate::sink::Batch;

/// Writes them all.
pub fn write(world: &World, batch: &mut Batch, record: &Record<'_>) -> anyhow::Result<()> {
    course::write(world, batch, record)?;
    discipline::write(world, batch, record)?;
    plan::write(world, batch, record)?;
    assessment::write(world, batch, record)?;
    program::write(world, batch, record)?;
    contact::write(world, batch, record)
}
