//! A delivery in a state's own layout: the records of each history, in the order of kinds and bytes, whatever order they came in.

use std::{
    cmp::Reverse,
    collections::{BTreeSet, BinaryHeap},
    fs::{self, File},
    io::{self, BufReader, BufWriter, Read as _, Seek as _, Write as _},
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use chrono::{DateTime, Utc};
use disclosure::DisclosedHistory;
use feeds::{Error, FileEntry, PartFile, Remark, formats::Format};
use intake::{
    layouts,
    produce::{Extent, Options, Produced, Producer},
};
use model::Masked;

use crate::{args::Report, commands::intake::day_of};

/// What is sorted at once, in bytes.
const SORTED_BYTES_MAX: usize = 64 << 20;

/// What makes the records of a format; `None` if the format is no layout of a state.
pub fn producer(format: &str, report: &Report, at: DateTime<Utc>) -> anyhow::Result<Option<Producer>> {
    let Some(layout) = layouts::find(format) else { return Ok(None) };
    let options = Options {
        from: report.from,
        to: report.to,
        today: day_of(at, &layout.sea),
        promoted: report.promoted.clone(),
        excluded_schools: report.excluded_schools.clone(),
        districts: report.districts.clone(),
        schools: report.schools.clone(),
        students: report.students.as_deref().map(named_in).transpose()?,
        records: report.records.clone(),
        extent: if report.partial_file { Extent::Partial } else { Extent::Whole },
    };
    Producer::begin(format, options).with_context(|| format!("{format} cannot be produced"))
}

/// The students that a file names, one a line.
fn named_in(file: &Path) -> anyhow::Result<Masked<BTreeSet<String>>> {
    let text = fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    Ok(Masked::new(lines.map(str::to_owned).collect()))
}

/// The one file of a layout as it is written. What does not fit into memory is sorted in stretches that stand in files without a
/// name: a kill leaves nothing of them.
pub struct LayoutFile {
    producer: Producer,
    folder: PathBuf,
    file: PartFile,
    waiting: Vec<Produced>,
    waiting_bytes: usize,
    stretches: Vec<File>,
}

impl LayoutFile {
    /// Begins the file in a folder.
    pub fn begin(folder: &Path, producer: Producer) -> Result<Self, Error> {
        let file = PartFile::create(folder, &producer.file_name())?;
        let folder = folder.to_owned();
        Ok(Self { producer, folder, file, waiting: Vec::new(), waiting_bytes: 0, stretches: Vec::new() })
    }

    fn failed(&self) -> impl Fn(io::Error) -> Error + use<> {
        let path = self.folder.clone();
        move |source| Error::File { path: path.clone(), source }
    }

    /// Puts what waits aside, sorted.
    fn put_aside(&mut self) -> io::Result<()> {
        self.waiting.sort_unstable();
        let mut out = BufWriter::new(tempfile::tempfile_in(&self.folder)?);
        for (kind, line) in self.waiting.drain(..) {
            out.write_all(&(kind as u32).to_le_bytes())?;
            out.write_all(&(line.len() as u32).to_le_bytes())?;
            out.write_all(&line)?;
        }
        let mut file = out.into_inner().map_err(io::IntoInnerError::into_error)?;
        file.rewind()?;
        self.stretches.push(file);
        self.waiting_bytes = 0;
        Ok(())
    }
}

impl Format for LayoutFile {
    fn write(&mut self, history: &DisclosedHistory) -> Result<(), Error> {
        for produced in self.producer.produce(history.sections()) {
            self.waiting_bytes += produced.1.len() + size_of::<Produced>();
            self.waiting.push(produced);
        }
        if self.waiting_bytes > SORTED_BYTES_MAX {
            let failed = self.failed();
            self.put_aside().map_err(failed)?;
        }
        Ok(())
    }

    fn remarks(&self) -> Vec<Remark> {
        let of = |remark: intake::produce::Remark| Remark {
            record: remark.record,
            field: remark.field,
            rule: remark.rule,
            message: remark.message,
            count: remark.count,
        };
        self.producer.remarks().into_iter().map(of).collect()
    }

    fn finish(mut self: Box<Self>) -> Result<Vec<FileEntry>, Error> {
        let failed = self.failed();
        if !self.stretches.is_empty() {
            self.put_aside().map_err(&failed)?;
        }
        self.waiting.sort_unstable();
        let Self { producer, mut file, waiting, stretches, .. } = *self;
        file.append(&producer.header(), 0)?;
        for (_, line) in waiting {
            file.append(&line, 1)?;
        }
        let mut readers: Vec<BufReader<File>> = stretches.into_iter().map(BufReader::new).collect();
        let mut next = BinaryHeap::new();
        for (number, reader) in readers.iter_mut().enumerate() {
            next.extend(read(reader).map_err(&failed)?.map(|produced| Reverse((produced, number))));
        }
        while let Some(Reverse(((_, line), number))) = next.pop() {
            file.append(&line, 1)?;
            if let Some(reader) = readers.get_mut(number) {
                next.extend(read(reader).map_err(&failed)?.map(|produced| Reverse((produced, number))));
            }
        }
        Ok(vec![file.finish()?])
    }
}

/// The next record of a stretch; `None` at its end.
fn read(from: &mut BufReader<File>) -> io::Result<Option<Produced>> {
    let mut head = [0; 8];
    match from.read_exact(&mut head) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        result => result?,
    }
    let [a, b, c, d, rest @ ..] = head;
    let mut line = vec![0; u32::from_le_bytes(rest) as usize];
    from.read_exact(&mut line)?;
    Ok(Some((u32::from_le_bytes([a, b, c, d]) as usize, line)))
}
