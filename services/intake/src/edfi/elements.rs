//! The records of an interchange as they stand in its file, for whoever looks them up.

use std::{collections::BTreeSet, io::BufRead};

use super::{
    Config,
    node::Node,
    xml::{Record, RecordReader, Stop},
};
use crate::Error;

/// Gives the records that begin on these lines, with their bytes; up to the end of the file, or to where it cannot be read on.
pub(crate) fn elements(
    source: &mut dyn BufRead,
    lines: &BTreeSet<u32>,
    give: &mut dyn FnMut(&Node, Vec<u8>) -> Result<(), Error>,
) -> Result<(), Error> {
    let config = Config::default();
    let mut reader = RecordReader::new(source, &config);
    if let Err(stop) = reader.root() {
        return ended(stop);
    }
    loop {
        match next(&mut reader, lines) {
            Ok(Some(Some(record))) => give(&record.node, record.raw)?,
            Ok(Some(None)) => {}
            Ok(None) => return Ok(()),
            Err(stop) => return ended(stop),
        }
    }
}

/// The next record, if there is one; its content only if it is asked for.
fn next(reader: &mut RecordReader<'_>, lines: &BTreeSet<u32>) -> Result<Option<Option<Record>>, Stop> {
    let Some(head) = reader.next()? else { return Ok(None) };
    if lines.contains(&head.node.place.line) {
        return reader.record(head.node).map(|record| Some(Some(record)));
    }
    reader.skip().map(|()| Some(None))
}

fn ended(stop: Stop) -> Result<(), Error> {
    match stop {
        Stop::Fault(_) => Ok(()),
        Stop::Io(error) => Err(Error::unavailable("read a kept file", error)),
    }
}
