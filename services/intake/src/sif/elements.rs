//! The objects of a file of SIF as they stand in it, for whoever looks them up.

use std::{collections::BTreeSet, io::BufRead};

use super::{
    facts,
    stream::{ObjectReader, Piece},
};
use crate::{Error, lineage::Give, xml::Stop};

/// Gives the objects that begin on these lines, with their bytes; up to the end of the file, or to where it cannot be read on.
pub(crate) fn elements(source: &mut dyn BufRead, lines: &BTreeSet<u32>, give: &mut Give<'_>) -> Result<(), Error> {
    let mut reader = ObjectReader::new(source, facts::wants);
    loop {
        match reader.next() {
            Ok(Some(Piece::Object { node, raw, .. })) if lines.contains(&node.place.line) => give(&node, raw)?,
            Ok(Some(_)) => {}
            Ok(None) | Err(Stop::Fault(_)) => return Ok(()),
            Err(Stop::Io(error)) => return Err(Error::unavailable("read a kept file", error)),
        }
    }
}
