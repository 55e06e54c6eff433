//! The control file of a delivery: which files it holds, of which interchange, with which sums.

use std::{
    collections::HashSet,
    fs::File,
    io::{self, Read as _},
    path::{Component, Path, PathBuf},
};

use super::{Config, version::Version};
use crate::{
    Error,
    item::{Finding, Severity},
};

/// An interchange: a file of records of one area.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Interchange {
    /// States, districts, schools, courses, programs.
    EducationOrganization,
    /// Sessions, grading periods, calendar dates.
    EducationOrgCalendar,
    /// Course offerings and sections.
    MasterSchedule,
    /// Tests and their families, learning standards.
    AssessmentMetadata,
    /// Students; in version 1.0 their parents too.
    StudentParent,
    /// Contacts, and whose contacts they are.
    Contact,
    /// Enrollments in schools and sections.
    StudentEnrollment,
    /// Attendance events.
    StudentAttendance,
    /// Results of tests.
    StudentAssessment,
    /// Transcripts, grades, report cards.
    StudentGrade,
    /// Incidents and actions.
    StudentDiscipline,
    /// Participation in programs.
    StudentProgram,
    /// Groups of students.
    StudentCohort,
    /// Teachers and other staff.
    StaffAssociation,
    /// An interchange this reader has no name for; its records are read by their own names.
    Other,
}

impl Interchange {
    /// The interchange of a name as control files write it (`StudentGrades`) or of a root element (`InterchangeStudentGrade`).
    pub fn of(name: &str) -> Self {
        match name.strip_prefix("Interchange").unwrap_or(name) {
            "EducationOrganization" => Self::EducationOrganization,
            "EducationOrgCalendar" => Self::EducationOrgCalendar,
            "MasterSchedule" => Self::MasterSchedule,
            "AssessmentMetadata" => Self::AssessmentMetadata,
            "StudentParent" | "Student" => Self::StudentParent,
            "Contact" | "Parent" => Self::Contact,
            "StudentEnrollment" => Self::StudentEnrollment,
            "StudentAttendance" | "Attendance" => Self::StudentAttendance,
            "StudentAssessment" => Self::StudentAssessment,
            "StudentGrade" | "StudentGrades" | "StudentTranscript" => Self::StudentGrade,
            "StudentDiscipline" => Self::StudentDiscipline,
            "StudentProgram" => Self::StudentProgram,
            "StudentCohort" => Self::StudentCohort,
            "StaffAssociation" => Self::StaffAssociation,
            _ => Self::Other,
        }
    }

    /// Whether the standard has an interchange of this name, though no record of it is kept.
    fn is_known(name: &str) -> bool {
        matches!(
            name,
            "Descriptors"
                | "Standards"
                | "Finance"
                | "Survey"
                | "PostSecondaryEvent"
                | "AssessmentRegistration"
                | "StudentGradebook"
                | "StudentHealth"
                | "StudentIntervention"
                | "StudentProgramEvaluation"
        )
    }

    /// Whether the two are known and differ.
    pub(super) fn is_other_than(self, found: Self) -> bool {
        self != Self::Other && self != found
    }

    /// When it is read: organizations, then what describes courses and tests, then students and parents, then the rest.
    pub const fn turn(self) -> u8 {
        match self {
            Self::EducationOrganization => 0,
            Self::EducationOrgCalendar | Self::MasterSchedule | Self::AssessmentMetadata => 1,
            Self::StudentParent => 2,
            _ => 3,
        }
    }
}

/// One file of a delivery.
#[derive(Clone, Debug)]
pub struct DeliveredFile {
    /// The line of the control file that lists it.
    pub line: u32,
    /// Its interchange, as the control file says.
    pub interchange: Interchange,
    /// The version it must be of, if somebody named one.
    pub version: Option<&'static Version>,
    /// Where it is: the listed file, or its copy packed with gzip.
    pub path: PathBuf,
    /// Whether it is packed.
    pub packing: Packing,
    /// The MD5 sum of the unpacked file, in lower-case hexadecimal, if the control file gives one.
    pub md5: Option<String>,
}

/// Whether a file is packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packing {
    /// As it is.
    Plain,
    /// With gzip.
    Gzip,
}

/// What a control file lists: its files in the order they are to be read, and what is wrong with the list.
#[derive(Clone, Debug, Default)]
pub struct Delivery {
    /// The lines that are neither empty nor comments.
    pub lines: Vec<u32>,
    /// The files there are, in reading order.
    pub files: Vec<DeliveredFile>,
    /// What is wrong with the list: lines that cannot be read, files that are not there.
    pub findings: Vec<Finding>,
}

/// Reads a control file. `Err`: it could not be read at all.
pub fn read_control(control: &Path, config: &Config) -> Result<Delivery, Error> {
    read(control, config).map_err(|error| Error::unavailable("read the control file", error))
}

fn read(control: &Path, config: &Config) -> io::Result<Delivery> {
    let mut text = Vec::new();
    File::open(control)?.take(config.control_bytes_max + 1).read_to_end(&mut text)?;
    let mut delivery = Delivery::default();
    if text.len() as u64 > config.control_bytes_max {
        let message = format!("The control file is longer than {} bytes.", config.control_bytes_max);
        delivery.note(0, "limit.control_bytes", Severity::Fatal, &message);
        return Ok(delivery);
    }
    let folder = control.parent().unwrap_or(Path::new(""));
    let text = String::from_utf8_lossy(&text);
    let mut listed = HashSet::new();
    for (number, line) in (1..).zip(text.trim_start_matches('\u{FEFF}').lines()) {
        delivery.read_line(folder, number, line.trim(), &mut listed);
    }
    if delivery.files.is_empty() && delivery.findings.is_empty() {
        delivery.note(0, "control.empty", Severity::Fatal, "The control file lists no file.");
    }
    delivery.note_unlisted(folder, control, &listed)?;
    delivery.files.sort_by_key(|file| (file.interchange.turn(), file.line));
    Ok(delivery)
}

impl Delivery {
    fn note(&mut self, line: u32, rule: &str, severity: Severity, message: &str) {
        self.findings.push(Finding {
            line,
            column: None,
            field: None,
            rule: rule.to_owned(),
            severity,
            message: message.to_owned(),
        });
    }

    fn read_line(&mut self, folder: &Path, number: u32, line: &str, listed: &mut HashSet<PathBuf>) {
        if line.is_empty() || line.starts_with('#') {
            return;
        }
        self.lines.push(number);
        if line.starts_with('@') {
            self.note(
                number,
                "control.directive",
                Severity::Warning,
                "Directives are not carried out: a delivery adds and corrects, and never \
                    empties what is held.",
            );
            return;
        }
        let mut parts = line.split(',').map(str::trim);
        let (format, interchange, name, md5) = (parts.next(), parts.next(), parts.next(), parts.next());
        let (Some("edfi-xml"), Some(interchange), Some(name)) = (format, interchange, name) else {
            self.note(
                number,
                "control.line",
                Severity::Error,
                "A line of a control file reads edfi-xml,INTERCHANGE,FILE or \
                    edfi-xml,INTERCHANGE,FILE,MD5.",
            );
            return;
        };
        let relative = PathBuf::from(name);
        if name.is_empty() || !relative.components().all(|part| matches!(part, Component::Normal(_))) {
            self.note(
                number,
                "control.path",
                Severity::Error,
                "The file lies outside the folder of the control file: it is not read.",
            );
            return;
        }
        if !listed.insert(relative.clone()) {
            self.note(number, "control.repeated", Severity::Warning, "The file is listed before: it is read once.");
            return;
        }
        let Some((path, packing)) = locate(folder, &relative) else {
            self.note(
                number,
                "control.missing_file",
                Severity::Warning,
                "The listed file is not in the delivery, nor a copy of it packed with gzip.",
            );
            return;
        };
        if !lies_in(folder, &path) {
            self.note(
                number,
                "control.path",
                Severity::Error,
                "The file is a link out of the folder of the control file: it is not read.",
            );
            return;
        }
        let word = interchange;
        let interchange = Interchange::of(word);
        if interchange == Interchange::Other && !Interchange::is_known(word) {
            self.note(
                number,
                "control.interchange",
                Severity::Warning,
                "Ed-Fi has no interchange of this name; the file is read by what it holds.",
            );
        }
        let md5 = md5.filter(|sum| !sum.is_empty()).map(str::to_ascii_lowercase);
        self.files.push(DeliveredFile { line: number, interchange, version: None, path, packing, md5 });
    }

    /// Says which XML files of the folder nobody listed: they are not read.
    fn note_unlisted(&mut self, folder: &Path, control: &Path, listed: &HashSet<PathBuf>) -> io::Result<()> {
        let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        let mut count = 0_u32;
        for entry in folder.read_dir()? {
            let name = entry?.file_name();
            let plain = name.to_string_lossy();
            let plain = plain.strip_suffix(".gz").unwrap_or(&plain);
            let is_xml = Path::new(plain).extension().is_some_and(|extension| extension.eq_ignore_ascii_case("xml"));
            let is_known = listed.contains(Path::new(plain))
                || listed.contains(Path::new(&name))
                || control.file_name() == Some(&name);
            count += u32::from(is_xml && !is_known);
        }
        if count > 0 {
            let message = format!(
                "XML files in the folder that the control file does not list, and that \
                    are not read: {count}."
            );
            self.note(0, "control.unlisted", Severity::Information, &message);
        }
        Ok(())
    }
}

/// The listed file, or the copy of it packed with gzip.
fn locate(folder: &Path, relative: &Path) -> Option<(PathBuf, Packing)> {
    let plain = folder.join(relative);
    let is_packed = relative.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("gz"));
    if plain.is_file() {
        return Some((plain, if is_packed { Packing::Gzip } else { Packing::Plain }));
    }
    let mut packed = plain.into_os_string();
    packed.push(".gz");
    let packed = PathBuf::from(packed);
    packed.is_file().then_some((packed, Packing::Gzip))
}

fn lies_in(folder: &Path, path: &Path) -> bool {
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    match (folder.canonicalize(), path.canonicalize()) {
        (Ok(folder), Ok(path)) => path.starts_with(folder),
        _ => false,
    }
}
