//! Checking a file without a database: findings only.

use std::{io::BufRead, ops::ControlFlow};

use reference::tables::Tables;

use crate::{
    Error, Finding, Layout,
    read::{
        ReadSummary, Sender,
        engine::{self, Event},
    },
};

/// Checks a file that `sender` is to have sent, and gives what is wrong with it, line by line, until it ends or `sink` breaks off. No fact is made.
pub fn check_file(
    reader: &mut dyn BufRead,
    layout: &Layout,
    tables: &Tables,
    sender: Sender<'_>,
    sink: &mut dyn FnMut(Finding) -> ControlFlow<()>,
) -> Result<ReadSummary, Error> {
    engine::run_from(reader, layout, tables, sender, &mut |event| match event {
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
