//! What was found in a file, in the order it was found. The first findings stand in memory; the others wait in a file without a name, which is
//! gone with the load, killed or not.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    fs::File,
    io::{self, BufRead as _, BufReader, BufWriter, Read, Write},
    os::unix::fs::FileExt as _,
    path::Path,
    slice,
};

use crate::{Finding, FindingKinds, Severity};

/// The findings of a load.
#[derive(Default)]
pub struct Found {
    first: Vec<Finding>,
    /// Those behind the first, one a line, and its length in bytes.
    file: Option<(File, u64)>,
    in_file: u64,
    /// Those behind the file's.
    recent: Vec<Finding>,
    /// Lines of which nothing is kept that was found before, each with how many findings stood in the file by then.
    forgotten: BTreeMap<u32, u64>,
    dropped: u64,
}

impl fmt::Debug for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} findings", self.len())
    }
}

impl From<Vec<Finding>> for Found {
    fn from(first: Vec<Finding>) -> Self {
        Self { first, ..Self::default() }
    }
}

impl Found {
    /// How many there are; of those that were forgotten too late to be taken out of the file it counts each.
    pub fn len(&self) -> u64 {
        self.first.len() as u64 + self.in_file + self.recent.len() as u64
    }

    /// Whether nothing was found.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The first, as many as stay in memory.
    pub(super) fn first(&self) -> &[Finding] {
        &self.first
    }

    /// Findings that are counted and not kept.
    pub(super) const fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Keeps one, or counts it where there are so many.
    pub(super) fn add(&mut self, finding: Finding, max: usize) {
        if self.len() < max as u64 {
            self.recent.push(finding);
        } else {
            self.dropped += 1;
        }
    }

    /// Says that some are not kept, beyond the limit they met.
    pub(super) fn say_dropped(&mut self, max: usize) {
        if self.dropped == 0 {
            return;
        }
        let message = format!(
            "{} further findings are counted here and not listed: of one file at most {max} are (intake.findings_max); the rows they are about \
            are counted like all others",
            self.dropped
        );
        self.recent.push(Finding::new(0, "findings.limit", Severity::Information, message));
    }

    /// Takes all but the first so many out of memory. `Err`: they could not be written.
    pub(super) fn spill(&mut self, at_hand_max: usize, scratch: &Path) -> io::Result<()> {
        if self.in_file == 0 {
            let room = at_hand_max.saturating_sub(self.first.len()).min(self.recent.len());
            self.first.extend(self.recent.drain(..room));
        }
        if self.recent.is_empty() {
            return Ok(());
        }
        if self.file.is_none() {
            self.file = Some((tempfile::tempfile_in(scratch)?, 0));
        }
        let Some((file, length)) = &mut self.file else { return Ok(()) };
        let mut out = BufWriter::new(At { file, place: *length });
        for finding in &self.recent {
            serde_json::to_writer(&mut out, finding)?;
            out.write_all(b"\n")?;
        }
        let At { place, .. } = out.into_inner().map_err(io::IntoInnerError::into_error)?;
        *length = place;
        self.in_file += self.recent.len() as u64;
        self.recent = Vec::new();
        Ok(())
    }

    /// Forgets what was found in these lines so far; what is fatal stays.
    pub(super) fn forget(&mut self, lines: &BTreeSet<u32>) {
        let stays = |finding: &Finding| finding.severity == Severity::Fatal || !lines.contains(&finding.line);
        self.first.retain(stays);
        self.recent.retain(stays);
        if self.in_file > 0 {
            self.forgotten.extend(lines.iter().map(|line| (*line, self.in_file)));
        }
    }

    /// All of them from the first on.
    pub fn read(&self) -> Reading<'_> {
        let lines = self.file.as_ref().map(|(file, _)| BufReader::new(At { file, place: 0 }).lines());
        Reading { found: self, first: self.first.iter(), lines, number: 0, recent: self.recent.iter() }
    }

    /// How often what was found. `Err`: they cannot be read any more.
    pub fn kinds(&self) -> io::Result<FindingKinds> {
        let mut kinds = FindingKinds::default();
        for finding in self.read() {
            kinds.add(&finding?);
        }
        Ok(kinds)
    }

    /// Whether a finding of the file is about a line that was forgotten after it.
    fn is_forgotten(&self, finding: &Finding, number: u64) -> bool {
        finding.severity != Severity::Fatal && self.forgotten.get(&finding.line).is_some_and(|until| number < *until)
    }
}

/// Findings from the first on, one after the other.
pub struct Reading<'f> {
    found: &'f Found,
    first: slice::Iter<'f, Finding>,
    lines: Option<io::Lines<BufReader<At<'f>>>>,
    /// Of the next finding of the file.
    number: u64,
    recent: slice::Iter<'f, Finding>,
}

impl Reading<'_> {
    /// The next so many; fewer at the end.
    pub(super) fn next_piece(&mut self, max: usize) -> io::Result<Vec<Finding>> {
        self.by_ref().take(max).collect()
    }

    fn next_of_file(&mut self) -> Option<io::Result<Finding>> {
        loop {
            let line = self.lines.as_mut()?.next()?;
            let number = self.number;
            self.number += 1;
            let finding = line.and_then(|line| Ok(serde_json::from_str::<Finding>(&line)?));
            if !matches!(&finding, Ok(finding) if self.found.is_forgotten(finding, number)) {
                return Some(finding);
            }
        }
    }
}

impl Iterator for Reading<'_> {
    type Item = io::Result<Finding>;

    fn next(&mut self) -> Option<Self::Item> {
        let first = self.first.next().cloned().map(Ok);
        first.or_else(|| self.next_of_file()).or_else(|| self.recent.next().cloned().map(Ok))
    }
}

/// A place in a file, which nobody else moves.
struct At<'f> {
    file: &'f File,
    place: u64,
}

impl Read for At<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read_at(into, self.place)?;
        self.place += count as u64;
        Ok(count)
    }
}

impl Write for At<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.file.write_at(bytes, self.place)?;
        self.place += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(line: u32, severity: Severity) -> Finding {
        let mut finding =
            Finding::new(line, "date.invalid", severity, format!("the day of line {line}\nis \"none\" \u{e9}"));
        finding.field = line.is_multiple_of(2).then(|| "birth_date".to_owned());
        finding.column = line.is_multiple_of(3).then_some(line);
        finding
    }

    fn lines(found: &Found) -> Vec<u32> {
        found.read().map(|finding| finding.expect("it is read").line).collect()
    }

    #[test]
    fn findings_come_back_in_their_order_from_memory_and_file() {
        let scratch = tempfile::tempdir().expect("a folder");
        let mut found = Found::default();
        let mut all = Vec::new();
        for chunk in 0..5 {
            for line in chunk * 10..chunk * 10 + 10 {
                all.push(finding(line, Severity::Error));
                found.add(finding(line, Severity::Error), 100);
            }
            // What was just found is read too.
            assert_eq!(lines(&found).len(), all.len());
            found.spill(7, scratch.path()).expect("there is room");
            assert_eq!((found.first.len(), found.recent.len()), (7, 0));
        }
        found.add(finding(50, Severity::Warning), 100);
        all.push(finding(50, Severity::Warning));
        let read: Vec<Finding> = found.read().map(|finding| finding.expect("it is read")).collect();
        assert_eq!(read, all);
        // Two readings do not meet.
        let (mut one, mut other) = (found.read(), found.read());
        for _ in 0..all.len() {
            assert_eq!(one.next().expect("one").expect("read"), other.next().expect("one").expect("read"));
        }
        assert_eq!(found.read().next_piece(8).expect("read"), all[..8]);
        assert_eq!(std::fs::read_dir(scratch.path()).expect("a folder").count(), 0, "the file has no name");
    }

    #[test]
    fn few_findings_need_no_file() {
        let mut found = Found::default();
        found.add(finding(1, Severity::Error), 10);
        found.spill(5, Path::new("there is no such folder")).expect("nothing is written");
        assert_eq!((lines(&found), found.first().len()), (vec![1], 1));
    }

    #[test]
    fn what_is_beyond_the_limit_is_counted_and_said() {
        let scratch = tempfile::tempdir().expect("a folder");
        let mut found = Found::default();
        for line in 1..=20 {
            found.add(finding(line, Severity::Error), 12);
            found.spill(3, scratch.path()).expect("there is room");
        }
        found.say_dropped(12);
        let last = found.read().last().expect("one").expect("it is read");
        assert_eq!((found.dropped(), lines(&found).len()), (8, 13));
        assert!(last.rule == "findings.limit" && last.message.starts_with("8 further findings"), "{}", last.message);
        let mut whole = Found::from(vec![finding(1, Severity::Error)]);
        whole.say_dropped(12);
        assert_eq!(lines(&whole), [1]);
    }

    #[test]
    fn what_was_found_in_a_line_is_forgotten_wherever_it_stands() {
        let scratch = tempfile::tempdir().expect("a folder");
        let mut found = Found::default();
        for (line, severity) in [
            (1, Severity::Error),
            (2, Severity::Error),
            (3, Severity::Fatal),
            (4, Severity::Error),
            (2, Severity::Warning),
        ] {
            found.add(finding(line, severity), 100);
        }
        found.spill(1, scratch.path()).expect("there is room");
        found.add(finding(2, Severity::Error), 100);
        found.add(finding(5, Severity::Error), 100);
        found.forget(&BTreeSet::from([1, 2, 3]));
        found.add(finding(2, Severity::Information), 100);
        found.spill(1, scratch.path()).expect("there is room");
        assert_eq!(lines(&found), [3, 4, 5, 2]);
        assert_eq!(found.kinds().expect("read").lines(9).len(), 3, "two kinds of errors and a fatal one");
    }
}
