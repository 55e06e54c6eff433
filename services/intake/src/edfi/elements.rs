//! The records of an interchange as they stand in its file, for whoever looks them up.

use std::{collections::BTreeSet, io::BufRead};

use super::{
    Config,
    xml::{Record, RecordReader, Stop},
};
use crate::{Error, lineage::Give};

/// Gives the records that begin on these lines, with their bytes; up to the end of the file, or to where it cannot be read on.
pub(crate) fn elements(source: &mut dyn BufRead, lines: &BTreeSet<u32>, give: &mut Give<'_>) -> Result<(), Error> {
    let config = Config::default();
    let mut reader = RecordReader::new(source, &config);
    if let Err(stop) = reader.root() {
        return ended(stop);
    }
    loop {
        match next(&mut reader, lines) {
            Ok(Some(record)) => give(&record.node, record.raw)?,
            Ok(None) => return Ok(()),
            Err(stop) => return ended(stop),
        }
    }
}

/// The next record that is asked for; the others are passed over.
fn next(reader: &mut RecordReader<'_>, lines: &BTreeSet<u32>) -> Result<Option<Record>, Stop> {
    while let Some(head) = reader.next()? {
        if lines.contains(&head.node.place.line) {
            return reader.record(head.node).map(Some);
        }
        reader.skip()?;
    }
    Ok(None)
}

fn ended(stop: Stop) -> Result<(), Error> {
    match stop {
        Stop::Fault(_) => Ok(()),
        Stop::Io(error) => Err(Error::unavailable("read a kept file", error)),
    }
}
