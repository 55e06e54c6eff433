//! Objects of SIF that others have published, where they lie beside this repository (`../shared/data`): each warning and error about them is held
//! against SIF's own schema (US 2.6) and definitions (2.0 to 2.6).

use std::{
    fs::{self, File},
    io::BufReader,
    path::{Path, PathBuf},
};

use super::*;

/// The XML files below a folder.
fn walk(folder: &Path, into: &mut Vec<PathBuf>) {
    let entries = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    for entry in entries {
        if entry.is_dir() {
            walk(&entry, into);
        } else if entry.extension().is_some_and(|extension| extension == "xml") {
            into.push(entry);
        }
    }
    into.sort();
}

/// What is said, and why it is true:
///
/// - No `StudentPersonal` of the folder has the RefId that attendance, participations and placements name: their students are nobody's.
/// - The enrollment names the school `...1651`, and the one that is described is `...1652`.
/// - A test was taken in `2002-01`, which is a month.
/// - A student has neither the district's number, which every version requires, nor the state's.
const EXPECT: [&str; 15] = [
    "SIF20/OfficialStudentPeriodAttendance/SIF20r1OfficialStudentPeriodAttendance.xml 1: error: StudentPersonalRefId student.unresolved",
    "SIF20/StudentAcademicRecord/SIF20StudentAcademicRecord.xml 331: warning: AdministrationDate date.partial",
    "SIF20/StudentParticipation/SFI20StudentParticipation.xml 1: error: StudentPersonalRefId student.unresolved",
    "SIF20/StudentParticipation/StudentParticipation1.xml 1: error: StudentPersonalRefId student.unresolved",
    "SIF20/StudentPlacement/SIF20StudentPlacement.xml 1: error: StudentPersonalRefId student.unresolved",
    "SIF20/StudentPlacement/StudentPlacement1.xml 1: error: StudentPersonalRefId student.unresolved",
    "SIF20/StudentSchoolEnrollment/SIF20StudentSchoolEnrollment.xml 1: warning: SchoolInfoRefId school.unresolved",
    "SIF20r1/OfficialStudentPeriodAttendance/SIF20r1OfficialStudentPeriodAttendance.xml 1: error: StudentPersonalRefId student.unresolved",
    "SIF20r1/StudentAcademicRecord/SIF20StudentAcademicRecord.xml 331: warning: AdministrationDate date.partial",
    "SIF20r1/StudentParticipation/SFI20StudentParticipation.xml 1: error: StudentPersonalRefId student.unresolved",
    "SIF20r1/StudentParticipation/StudentParticipation1.xml 1: error: StudentPersonalRefId student.unresolved",
    "SIF20r1/StudentPlacement/SIF20StudentPlacement.xml 1: error: StudentPersonalRefId student.unresolved",
    "SIF20r1/StudentPlacement/StudentPlacement1.xml 1: error: StudentPersonalRefId student.unresolved",
    "SIF20r1/StudentSchoolEnrollment/SIF20StudentSchoolEnrollment.xml 1: warning: SchoolInfoRefId school.unresolved",
    "events/StudentPersonal.xml 1: error: LocalId field.required",
];

#[test]
fn what_is_said_of_public_objects_is_true() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/sif-us-2.0");
    if !folder.is_dir() {
        return;
    }
    let mut paths = Vec::new();
    walk(&folder, &mut paths);
    let open: Open = Arc::new(|path| Ok(Box::new(BufReader::new(File::open(path)?))));
    let delivery = Delivery::new(paths.clone(), open, Config::default());
    let mut said = Vec::new();
    for path in &paths {
        let name = path.strip_prefix(&folder).expect("below it").display();
        let mut sink = |item: Item| {
            let findings = match item {
                Item::Person { findings, .. }
                | Item::Organization { findings, .. }
                | Item::Rejected { findings, .. } => findings,
                Item::File(finding) => vec![finding],
                _ => Vec::new(),
            };
            for one in findings.iter().filter(|one| one.severity >= Severity::Warning) {
                let field = one.field.as_deref().unwrap_or("-");
                said.push(format!("{name} {}: {}: {field} {}", one.line, one.severity.as_str(), one.rule));
            }
            ControlFlow::Continue(())
        };
        delivery.read(path, &mut sink).expect("it can be read");
    }
    assert_eq!(said, EXPECT, "{said:#?}");
}
