//! Files that are wrong as files or rows are, whatever their fields: every layout with each kind of defect of one list, in turn. Each gives
//! exactly its finding, and every record that is not at fault is read as before. What fields can have is in `defects`; what rules across
//! fields can have is in `rules`.

use std::{fmt::Write as _, ops::ControlFlow};

use intake::{Characters, FieldKind, Finding, Format, Layout, Severity, check, convert, layouts, read::Sender};

use crate::{
    rows::{of_sample, written},
    tables,
};

/// A value put in or left out.
#[derive(Clone, Copy, Debug)]
struct Shift {
    is_right: bool,
    /// The end marker, if the records of the layout have one, stays where it belongs.
    keeps_marker: bool,
}

/// Everything that is seeded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Defect {
    LineCut,
    LineWithMore,
    EndlessLine,
    LastLineCut,
    NoLastLineEnd,
    OtherLineEnds,
    ReturnsAlone,
    BlankLine,
    EndOfFileMark,
    ByteOrderMark,
    OtherEncoding,
    TwoEncodings,
    Wide,
    ZeroByte,
    RepeatedRecord,
    EveryLineNarrower,
    EveryLineWider,
    OpenQuote,
    TextAfterQuote,
    HeaderMissing,
    HeaderAgain,
    HeaderOther,
    HeaderOfOneColumnTwice,
    HeaderMore,
    OtherDelimiter,
    Empty,
}

const ALL: [Defect; 26] = [
    Defect::LineCut,
    Defect::LineWithMore,
    Defect::EndlessLine,
    Defect::LastLineCut,
    Defect::NoLastLineEnd,
    Defect::OtherLineEnds,
    Defect::ReturnsAlone,
    Defect::BlankLine,
    Defect::EndOfFileMark,
    Defect::ByteOrderMark,
    Defect::OtherEncoding,
    Defect::TwoEncodings,
    Defect::Wide,
    Defect::ZeroByte,
    Defect::RepeatedRecord,
    Defect::EveryLineNarrower,
    Defect::EveryLineWider,
    Defect::OpenQuote,
    Defect::TextAfterQuote,
    Defect::HeaderMissing,
    Defect::HeaderAgain,
    Defect::HeaderOther,
    Defect::HeaderOfOneColumnTwice,
    Defect::HeaderMore,
    Defect::OtherDelimiter,
    Defect::Empty,
];

/// What a file must give.
#[derive(Debug)]
struct Expect {
    /// Rule and line of its one finding, if it has any. A shift may be seen at one field only, and a stray quote as the one or the other fault.
    said: Option<(&'static str, u32)>,
    /// Records lost, by their place in the sample; `None`: all of them, for the file is refused.
    lost: Option<Vec<usize>>,
}

impl Expect {
    fn record(rule: &'static str, line: usize, lost: usize) -> Self {
        Self { said: Some((rule, line as u32)), lost: Some(vec![lost]) }
    }

    fn file(rule: &'static str) -> Self {
        Self { said: Some((rule, 0)), lost: Some(Vec::new()) }
    }

    fn line(rule: &'static str, line: usize) -> Self {
        Self { said: Some((rule, line as u32)), lost: Some(Vec::new()) }
    }

    fn refused(rule: &'static str, line: u32) -> Self {
        Self { said: Some((rule, line)), lost: None }
    }
}

/// A clean file, taken apart.
struct Clean {
    layout: &'static Layout,
    /// The line of the header with its end; empty if there is none.
    header: String,
    /// Each record with its line end.
    records: Vec<String>,
    /// The cells of each record (delimited), or its text.
    cells: Vec<Vec<String>>,
    end: &'static str,
}

impl Clean {
    fn of(layout: &'static Layout) -> Self {
        let end = std::str::from_utf8(layout.line_end.bytes()).expect("ASCII");
        let rows = of_sample(layout);
        let empty = String::from_utf8(written(layout, &[])).expect("text");
        let one = |row: &crate::rows::Row| {
            let file = String::from_utf8(written(layout, std::slice::from_ref(row))).expect("text");
            file.strip_prefix(&empty).expect("the header stands first").to_owned()
        };
        let records = rows.iter().map(one).collect();
        let cells = rows.into_iter().map(|row| row.values).collect();
        Self { layout, header: empty, records, cells, end }
    }

    /// The number of the first line of a record.
    fn line(&self, place: usize) -> usize {
        let before = self.records.iter().take(place).map(|record| record.matches('\n').count()).sum::<usize>();
        usize::from(!self.header.is_empty()) + before + 1
    }

    fn with(&self, place: usize, record: &str) -> Vec<u8> {
        let mut file = self.header.clone();
        for (at, own) in self.records.iter().enumerate() {
            file.push_str(if at == place { record } else { own });
        }
        file.into_bytes()
    }

    fn file(&self) -> String {
        self.header.clone() + &self.records.concat()
    }

    fn delimiter(&self) -> Option<char> {
        match self.layout.format {
            Format::Delimited { delimiter, .. } => Some(char::from(delimiter)),
            Format::Fixed { .. } => None,
        }
    }

    /// A line of these cells.
    fn joined(&self, cells: &[String]) -> String {
        let delimiter = self.delimiter().expect("it is delimited");
        let is_special = |cell: &String| cell.contains([delimiter, '"', '\n', '\r']);
        let quoted =
            |cell: &String| if is_special(cell) { format!("\"{}\"", cell.replace('"', "\"\"")) } else { cell.clone() };
        cells.iter().map(quoted).collect::<Vec<_>>().join(&delimiter.to_string()) + self.end
    }

    /// A record without its line end.
    fn bare(&self, place: usize) -> &str {
        self.records[place].strip_suffix(self.end).expect("records end as the layout says")
    }

    /// A field of plain text that a record fills, by its place.
    fn text_field(&self, place: usize) -> Option<usize> {
        let record = of_sample(self.layout).swap_remove(place).record(self.layout);
        let is_plain = |(field, value): (&intake::Field, &String)| {
            let takes_letters =
                matches!(field.characters, Characters::Any | Characters::Name | Characters::Person | Characters::Lines);
            let is_text = matches!(field.kind, FieldKind::Text) && field.table.is_none();
            is_text && takes_letters && value.len() > 1 && value.is_ascii()
        };
        record.fields.iter().zip(&self.cells[place]).position(is_plain)
    }

    /// A record with one letter of a text replaced.
    fn with_letter(&self, place: usize, letter: char) -> Option<String> {
        let field = self.text_field(place)?;
        let value = &self.cells[place][field];
        let changed: String = letter.to_string() + &value[1..];
        let bare = self.bare(place);
        if self.delimiter().is_some() {
            let mut cells = self.cells[place].clone();
            cells[field] = changed;
            return Some(self.joined(&cells));
        }
        let span = of_sample(self.layout).swap_remove(place).record(self.layout).fields[field].span;
        let at = span.start + bare.get(span.start..)?.find(value.as_str())?;
        Some(format!("{}{changed}{}{}", &bare[..at], &bare[at + value.len()..], self.end))
    }

    /// The file with a defect in one record, or in the whole, and what is to be said; `None` where the layout cannot have it.
    fn seed(&self, defect: Defect, place: usize) -> Option<(Vec<u8>, Expect)> {
        match defect {
            Defect::LineCut | Defect::LineWithMore | Defect::EndlessLine => Some(self.seed_length(defect, place)),
            Defect::OtherEncoding | Defect::TwoEncodings | Defect::Wide | Defect::ZeroByte | Defect::ByteOrderMark => {
                self.seed_encoding(defect, place)
            }
            Defect::OpenQuote | Defect::TextAfterQuote => self.seed_quote(defect, place),
            Defect::HeaderMissing
            | Defect::HeaderAgain
            | Defect::HeaderOther
            | Defect::HeaderOfOneColumnTwice
            | Defect::HeaderMore => self.seed_header(defect, place),
            Defect::EveryLineNarrower | Defect::EveryLineWider => self.seed_all(defect),
            Defect::RepeatedRecord => self.seed_repeat(place),
            Defect::OtherDelimiter => self.seed_delimiter(),
            _ => self.seed_ends(defect, place),
        }
    }

    fn seed_length(&self, defect: Defect, place: usize) -> (Vec<u8>, Expect) {
        let line = self.line(place);
        let wrong = if self.delimiter().is_some() { "record.columns" } else { "record.length" };
        let (record, rule) = match (defect, self.delimiter()) {
            (Defect::EndlessLine, _) => ("x".repeat(70_000) + self.end, "record.too_long"),
            (Defect::LineCut, Some(_)) => (self.joined(&self.cells[place][..self.cells[place].len() / 2]), wrong),
            (Defect::LineCut, None) => {
                let bare = self.bare(place);
                let half = bare.char_indices().nth(bare.chars().count() / 2).expect("it is long").0;
                (bare[..half].to_owned() + self.end, wrong)
            }
            (_, Some(delimiter)) => (format!("{}{delimiter}more{}", self.bare(place), self.end), wrong),
            (_, None) => (format!("{}more{}", self.bare(place), self.end), wrong),
        };
        (self.with(place, &record), Expect::record(rule, line, place))
    }

    /// A value is put in at a field, or left out, and the length of the record kept.
    fn seed_shift(&self, shift: Shift, place: usize, field: usize) -> Option<(Vec<u8>, Expect)> {
        let expect = Expect::record("record.shifted", self.line(place), place);
        let is_right = shift.is_right;
        let kept = usize::from(shift.keeps_marker);
        let record = if self.delimiter().is_some() {
            let mut cells = self.cells[place].clone();
            let last = cells.len() - 1 - kept;
            let at = field;
            if is_right {
                cells.remove(last);
                cells.insert(at, String::new());
            } else {
                cells.remove(at);
                cells.insert(last, String::new());
            }
            self.joined(&cells)
        } else {
            let bare: Vec<char> = self.bare(place).chars().collect();
            let fields = &of_sample(self.layout).swap_remove(place).record(self.layout).fields;
            let at = fields[field].span.start;
            let mut bare = bare;
            if is_right {
                bare.insert(at, ' ');
                bare.remove(bare.len() - 1 - kept);
            } else {
                bare.remove(at);
                bare.insert(bare.len() - kept, ' ');
            }
            bare.into_iter().collect::<String>() + self.end
        };
        // Blanks moved among blanks are no defect.
        (record != self.records[place]).then(|| (self.with(place, &record), expect))
    }

    fn seed_encoding(&self, defect: Defect, place: usize) -> Option<(Vec<u8>, Expect)> {
        let latin = |record: &str| -> Vec<u8> {
            record.chars().map(|c| u8::try_from(u32::from(c)).expect("Latin-1")).collect()
        };
        let clean = self.file();
        match defect {
            Defect::ByteOrderMark => Some((
                ["\u{feff}".as_bytes(), clean.as_bytes()].concat(),
                Expect { said: None, lost: Some(Vec::new()) },
            )),
            Defect::Wide => {
                let wide = clean.encode_utf16().flat_map(u16::to_le_bytes).collect();
                Some((wide, Expect::refused("encoding.not_utf8", 0)))
            }
            Defect::ZeroByte => {
                let record = self.with_letter(place, '\0')?;
                Some((self.with(place, &record), Expect::record("text.control_character", self.line(place), place)))
            }
            _ if !clean.is_ascii() => None,
            Defect::OtherEncoding => {
                let file = self.with(place, &self.with_letter(place, '\u{e9}')?);
                let file = latin(&String::from_utf8(file).expect("text"));
                Some((file, Expect::file("encoding.windows_1252")))
            }
            _ => {
                // The record before is in UTF-8.
                let before = self.with_letter(place.checked_sub(1)?, '\u{e9}')?;
                let mut file = self.header.clone().into_bytes();
                for (at, own) in self.records.iter().enumerate() {
                    match at {
                        _ if at + 1 == place => file.extend(before.as_bytes()),
                        _ if at == place => file.extend(latin(&self.with_letter(place, '\u{e9}')?)),
                        _ => file.extend(own.as_bytes()),
                    }
                }
                Some((file, Expect::record("encoding.mixed", self.line(place), place)))
            }
        }
    }

    fn seed_quote(&self, defect: Defect, place: usize) -> Option<(Vec<u8>, Expect)> {
        self.delimiter()?;
        // Where a record of several lines has a quote too many nobody can tell what belongs to it.
        let field = self.text_field(place).filter(|_| !self.bare(place).contains('\n'))?;
        let mut cells = self.cells[place].clone();
        "\u{1}".clone_into(&mut cells[field]);
        let (quoted, rule) = match defect {
            Defect::OpenQuote => ("\"open", "quote.unclosed"),
            _ => ("\"closed\" and more", "quote.misplaced"),
        };
        let record = self.joined(&cells).replace('\u{1}', quoted);
        Some((self.with(place, &record), Expect::record(rule, self.line(place), place)))
    }

    fn seed_header(&self, defect: Defect, place: usize) -> Option<(Vec<u8>, Expect)> {
        let delimiter = self.delimiter()?;
        let bare = self.header.strip_suffix(self.end).filter(|header| !header.is_empty())?;
        let body = self.records.concat();
        let names: Vec<&str> = bare.split(delimiter).collect();
        let joined = |names: &[&str]| names.join(&delimiter.to_string()) + self.end;
        Some(match defect {
            Defect::HeaderMissing => (body.into_bytes(), Expect::refused("header.missing", 1)),
            Defect::HeaderAgain => {
                let record = self.header.clone() + &self.records[place];
                (self.with(place, &record), Expect::line("header.again", self.line(place)))
            }
            Defect::HeaderOther => {
                let turned: Vec<&str> = names.into_iter().rev().collect();
                let record = joined(&turned) + &self.records[place];
                (self.with(place, &record), Expect::refused("header.other", self.line(place) as u32))
            }
            Defect::HeaderOfOneColumnTwice => {
                let twice = joined(&[&names[..], &names[..1]].concat());
                let body: String =
                    self.records.iter().map(|_| String::new()).collect::<String>() + &self.records.concat();
                ((twice + &body).into_bytes(), Expect::refused("header.repeated_column", 1))
            }
            _ => {
                let mut file = joined(&[&names[..], &["Remark"]].concat());
                for record in &self.records {
                    let bare = record.strip_suffix(self.end).expect("it ends");
                    // Cannot fail: writing to a String.
                    let _written = write!(file, "{bare}{delimiter}{}", self.end);
                }
                (file.into_bytes(), Expect::line("header.unknown_column", 1))
            }
        })
    }

    /// A column is added to every line, or taken away.
    fn seed_all(&self, defect: Defect) -> Option<(Vec<u8>, Expect)> {
        if self.layout.has_header() || self.layout.records.len() > 1 {
            return None;
        }
        let is_wider = defect == Defect::EveryLineWider;
        let changed = |place: usize| {
            let bare = self.bare(place);
            match self.delimiter() {
                Some(delimiter) if is_wider => format!("new{delimiter}{bare}{}", self.end),
                Some(_) => self.joined(&self.cells[place][1..]),
                None if is_wider => format!("0{bare}{}", self.end),
                None => bare[1..].to_owned() + self.end,
            }
        };
        // A file that is judged as a whole has some lines.
        let file: String = (0..self.records.len()).cycle().take(self.records.len().max(6)).map(changed).collect();
        Some((file.into_bytes(), Expect::refused("file.record_length", 1)))
    }

    /// The values stand between something else than the layout says.
    fn seed_delimiter(&self) -> Option<(Vec<u8>, Expect)> {
        let delimiter = self.delimiter()?;
        let other = if delimiter == '\t' { "," } else { "\t" };
        let lines: Vec<String> = self.cells.iter().map(|cells| cells.join(other) + self.end).collect();
        let file = self.header.replace(delimiter, other) + &lines.concat();
        Some((file.into_bytes(), Expect::refused("file.delimiter", 1)))
    }

    fn seed_repeat(&self, place: usize) -> Option<(Vec<u8>, Expect)> {
        let record = of_sample(self.layout).swap_remove(place).record(self.layout);
        if record.meaning.person.is_none() || record.meaning.facts.is_empty() {
            return None;
        }
        let own = &self.records[place];
        let line = self.line(place) + own.matches('\n').count();
        Some((self.with(place, &(own.clone() + own)), Expect::line("record.repeated", line)))
    }

    fn seed_ends(&self, defect: Defect, place: usize) -> Option<(Vec<u8>, Expect)> {
        let clean = self.file();
        let last = self.records.len() - 1;
        // Ends inside quotes are text, not ends.
        let other = |text: &str| match self.end {
            "\n" => text.replace('\n', "\r\n"),
            _ => text.replace("\r\n", "\n"),
        };
        let is_one_line = self.records[place].matches('\n').count() == 1;
        Some(match defect {
            Defect::LastLineCut => {
                let cells = &self.cells[last];
                let cut = match self.delimiter() {
                    Some(_) => self.joined(&cells[..cells.len() / 2]),
                    None => self.bare(last).chars().take(self.bare(last).chars().count() - 2).collect(),
                };
                let expect = Expect::record("file.truncated", self.line(last), last);
                (self.with(last, cut.trim_end_matches(self.end)), expect)
            }
            Defect::NoLastLineEnd => {
                (clean.trim_end_matches(self.end).into(), Expect { said: None, lost: Some(Vec::new()) })
            }
            Defect::OtherLineEnds if is_one_line => {
                (self.with(place, &other(&self.records[place])), Expect::file("file.line_end"))
            }
            Defect::ReturnsAlone => (clean.replace(self.end, "\r").into(), Expect::refused("file.line_end", 0)),
            Defect::BlankLine => {
                (self.with(place, &(self.records[place].clone() + self.end)), Expect::file("file.blank_lines"))
            }
            Defect::EndOfFileMark => ((clean + "\u{1a}").into(), Expect::file("file.blank_lines")),
            Defect::Empty => (Vec::new(), Expect::refused("file.empty", 0)),
            _ => return None,
        })
    }
}

/// The good records as objects without their line, and everything that is said.
fn read(layout: &'static Layout, bytes: &[u8]) -> (Vec<String>, Vec<Finding>, bool) {
    let (mut objects, mut found) = (Vec::new(), Vec::new());
    let mut reader = bytes;
    let mut keep = |finding| found.push(finding);
    let summary =
        convert::to_ndjson(&mut reader, layout, tables(layout), &mut objects, &mut keep).expect("memory can be read");
    let unnumbered = |line: &str| line.split_once(',').map_or("", |(_, rest)| rest).to_owned();
    let objects = String::from_utf8(objects).expect("JSON").lines().map(unnumbered).collect();
    let mut checked = Vec::new();
    let mut sink = |finding| {
        checked.push(finding);
        ControlFlow::Continue(())
    };
    let again = check::check_file(&mut { bytes }, layout, tables(layout), Sender::default(), &mut sink);
    assert_eq!(again.expect("memory can be read"), summary);
    assert_eq!(checked, found, "checking says what converting says");
    (objects, found, summary.refused)
}

/// What is wrong with a seeded file, if it does not give what it must.
fn verdict(clean: &Clean, bytes: &[u8], expect: &Expect) -> Option<String> {
    let (before, already, _) = read(clean.layout, clean.file().as_bytes());
    let (after, mut found, refused) = read(clean.layout, bytes);
    found.retain(|finding| !already.iter().any(|old| old.rule == finding.rule && old.message == finding.message));
    let said: Vec<(&str, u32)> = found.iter().map(|finding| (finding.rule.as_str(), finding.line)).collect();
    let fatal = found.iter().any(|finding| finding.severity == Severity::Fatal);
    if fatal != refused {
        return Some(format!("a fatal finding and the summary differ: {said:?}"));
    }
    match (&expect.said, said.as_slice()) {
        (None, []) => {}
        (Some(one), [only]) if one == only || is_as_good(*one, *only) => {}
        _ => return Some(format!("{:?} was to be said, and {said:?} was", expect.said)),
    }
    let message_is_plain = found.iter().all(|finding| finding.message.len() > 10);
    let Some(lost) = &expect.lost else {
        return (!refused || !message_is_plain).then(|| "it is not refused".to_owned());
    };
    let mut kept: Vec<&String> =
        before.iter().enumerate().filter(|(place, _)| !lost.contains(place)).map(|(_, object)| object).collect();
    let mut after: Vec<&String> = after.iter().collect();
    // A record that stands twice is there twice; one whose text was changed is another.
    kept.retain(|object| match after.iter().position(|other| other == object) {
        Some(place) => {
            after.remove(place);
            false
        }
        None => true,
    });
    let changed = usize::from(matches!(said.as_slice(), [("encoding.windows_1252" | "record.repeated", _)]));
    let spare = usize::from(matches!(said.as_slice(), [("encoding.mixed", _)]));
    (kept.len() > changed + spare || after.len() > changed + spare).then(|| format!("lost: {kept:?}; new: {after:?}"))
}

/// Whether another finding in the same line names the same fault.
fn is_as_good(wanted: (&str, u32), said: (&str, u32)) -> bool {
    wanted.1 == said.1 && wanted.0.starts_with("quote.") && said.0.starts_with("quote.")
}

#[test]
fn a_shift_is_told_as_one_wherever_it_shows_in_several_fields() {
    let (mut seeded, mut shifted, mut several, mut silent) = (0, 0, Vec::new(), Vec::new());
    let mut in_place = Vec::new();
    for layout in layouts::all() {
        let clean = Clean::of(layout);
        let has_marker = |record: &intake::Record| {
            matches!(record.fields.last().map(|field| &field.kind), Some(FieldKind::Constant(_)))
        };
        let both = |is_right| [true, false].map(|keeps_marker| Shift { is_right, keeps_marker });
        let mut shifts: Vec<Shift> = [true, false].into_iter().flat_map(both).collect();
        shifts.retain(|shift| !shift.keeps_marker || layout.records.iter().all(has_marker));
        for place in 0..clean.records.len() {
            for field in 0..clean.cells[place].len() - 1 {
                for shift in shifts.clone() {
                    let Some((bytes, expect)) = clean.seed_shift(shift, place, field) else { continue };
                    seeded += 1;
                    let what = format!("{}: record {} field {field} {shift:?}", layout.id, place + 1);
                    let (_, already, _) = read(layout, clean.file().as_bytes());
                    let (_, mut found, _) = read(layout, &bytes);
                    found.retain(|one| !already.iter().any(|old| old.rule == one.rule && old.message == one.message));
                    let line = expect.said.map_or(0, |(_, line)| line);
                    assert!(found.iter().all(|one| one.line == line || one.line == 0), "{what}: {found:?}");
                    let rules: Vec<&str> = found.iter().map(|one| one.rule.as_str()).collect();
                    match rules.as_slice() {
                        ["record.shifted"] => shifted += 1,
                        [] => silent.push(what),
                        [_] => {}
                        // A shift of codes that may be new ones is told by warnings, and one that leaves one field odd by that field.
                        _ if shift.keeps_marker => {
                            let errors = found.iter().filter(|one| one.severity >= Severity::Error);
                            if errors.filter(|one| one.rule != "field.required_when").count() > 1 {
                                in_place.push(format!("{what}: {rules:?}"));
                            }
                        }
                        _ => several.push(format!("{what}: {rules:?}")),
                    }
                }
            }
        }
    }
    assert!(in_place.is_empty(), "{}", in_place.join("\n"));
    // A value too many or too few that leaves every field with a value it could have is seen by nobody: one score in another's column.
    assert!(silent.len() * 100 < seeded * 15, "{}\n{}", silent.len(), silent.join("\n"));
    assert!(several.len() * 100 < seeded * 10, "{}\n{}", several.len(), several.join("\n"));
    assert!(shifted * 100 > seeded * 30, "{shifted} of {seeded}");
}

#[test]
fn each_defect_of_a_file_gives_its_finding_and_loses_no_good_record() {
    let mut wrong = Vec::new();
    let mut seeded = 0;
    for layout in layouts::all() {
        let clean = Clean::of(layout);
        for defect in ALL {
            for place in 0..clean.records.len() {
                let Some((bytes, expect)) = clean.seed(defect, place) else { continue };
                seeded += 1;
                if let Some(why) = verdict(&clean, &bytes, &expect) {
                    wrong.push(format!("{}: {defect:?} in record {}: {why}", layout.id, place + 1));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {seeded}:\n{}", wrong.len(), wrong.join("\n"));
    assert!(seeded > 1000, "{seeded}");
}

#[test]
fn a_renamed_column_is_named_whichever_it_is() {
    for layout in layouts::all().iter().filter(|layout| layout.has_header()) {
        let clean = Clean::of(layout);
        let bare = clean.header.strip_suffix(clean.end).expect("it has a header");
        let names: Vec<&str> = bare.split(',').collect();
        for (column, name) in names.iter().enumerate() {
            let mut renamed: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
            renamed[column] = format!("{name}New");
            let file = renamed.join(",") + clean.end + &clean.records.concat();
            let (_, found, refused) = read(layout, file.as_bytes());
            let found: Vec<&Finding> = found.iter().filter(|finding| finding.line == 1).collect();
            let [one] = found.as_slice() else { panic!("{}: {name}: {found:?}", layout.id) };
            let place = Some(column as u32 + 1);
            assert_eq!((one.rule.as_str(), one.column), ("header.renamed", place), "{}: {name}", layout.id);
            assert!(refused, "{}: {name}", layout.id);
            let is_optional = layout.records[0].fields[column].optional_column;
            let taken_out: Vec<&str> = names.iter().copied().filter(|other| other != name).collect();
            let (_, found, refused) = read(layout, (taken_out.join(",") + clean.end).as_bytes());
            assert_eq!(refused, !is_optional, "{}: {name}: {found:?}", layout.id);
            assert!(is_optional || found.iter().any(|finding| finding.rule == "header.missing_column"), "{found:?}");
        }
    }
}

#[test]
fn a_file_of_any_other_layout_is_refused_and_named() {
    for layout in layouts::all() {
        for other in layouts::all().iter().filter(|other| other.id != layout.id) {
            let (objects, found, refused) = read(layout, Clean::of(other).file().as_bytes());
            assert!(refused && objects.is_empty(), "{} read {} of {}", layout.id, objects.len(), other.id);
            let [one] = found.as_slice() else { panic!("{} of {}: {found:?}", layout.id, other.id) };
            assert_eq!(one.rule, "file.wrong_layout", "{} of {}: {}", layout.id, other.id, one.message);
            assert!(one.message.contains(&other.id), "{} of {}: {}", layout.id, other.id, one.message);
        }
    }
}

#[test]
fn a_file_of_another_district_is_refused_and_one_record_of_it_is_rejected() {
    let layout = crate::layout("ct-discipline");
    let clean = Clean::of(layout);
    let from = |district: &str, bytes: &[u8]| {
        let mut said = Vec::new();
        let mut sink = |finding: Finding| {
            said.push(finding.rule);
            ControlFlow::Continue(())
        };
        let sender = Sender { district: Some(district) };
        let summary = check::check_file(&mut { bytes }, layout, tables(layout), sender, &mut sink);
        (said, summary.expect("memory can be read").refused)
    };
    let own = clean.cells[0][layout.index_of("reporting_district").expect("it has one")].clone();
    assert_eq!(from(&own, clean.file().as_bytes()), (Vec::new(), false));
    assert_eq!(
        from(&format!("{own}0011"), clean.file().as_bytes()),
        (Vec::new(), false),
        "an organization of the district"
    );
    let (said, refused) = from("999", clean.file().as_bytes());
    assert!(refused && said.last().is_some_and(|rule| rule == "file.other_district"), "{said:?}");
    let stranger = clean.records[0].replacen(&format!(",{own},"), ",043,", 1);
    assert_ne!(stranger, clean.records[0]);
    assert_eq!(from(&own, &clean.with(0, &stranger)), (vec!["record.other_district".to_owned()], false));
}

#[test]
fn a_code_that_many_records_bear_is_told_once_for_all_of_them() {
    let layout = crate::layout("tcs-4.0");
    let rows = of_sample(layout);
    let many: Vec<_> =
        (0..6).map(|n| rows[0].with(layout, &[("sasid", &format!("990000{n:04}")), ("teacher_type", "999")])).collect();
    let (objects, found, refused) = read(layout, &written(layout, &many));
    assert_eq!((objects.len(), refused), (6, false));
    let of_file: Vec<&Finding> = found.iter().filter(|finding| finding.line == 0).collect();
    let [one] = of_file.as_slice() else { panic!("{found:?}") };
    assert_eq!(one.rule, "code.new");
    assert!(one.message.contains("6 records bear \"999\""), "{}", one.message);
}
