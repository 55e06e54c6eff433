//! Checking a file without a database: findings only.

use std::{io::BufRead, ops::ControlFlow};

use reference::tables::Tables;

use crate::{
    Error, Finding, Layout,
    read::{
        ReadSummary,
        engine::{self, Event},
    },
};

/// Checks a file and gives what is wrong with it, line by line, until it ends or `sink` breaks off. No fact is made.
pub fn check_file(
    reader: &mut dyn BufRead,
    layout: &Layout,
    tables: &Tables,
    sink: &mut dyn FnMut(Finding) -> ControlFlow<()>,
) -> Result<ReadSummary, Error> {
    engine::run(reader, layout, tables, &mut |event| match event {
        Event::File(finding) => sink(finding),
        Event::Good { findings, .. } | Event::Bad { findings, .. } => {
            for finding in findings {
                if sink(finding).is_break() {
                    return ControlFlow::Break(());
                }
            }
            ControlFlow::Continue(())
        }
    })
}
