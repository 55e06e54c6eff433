//! From a disclosed history to the summary: the one way into a document that the exchange issues.
//!
//! Nothing is looked up and nothing added: what the disclosure withholds is absent here, by name.

use std::collections::{BTreeMap, BTreeSet};

use ::model::{Decimal, Domain, Row, Section, SectionState, Value};
use chrono::NaiveDate;
use disclosure::DisclosedHistory;
use domains::definition;

use crate::model::{
    AttendanceRow, Awaited, Block, Cell, Client, Content, Current, DisciplineRow, Format, History, OtherSubject,
    Provenance, Recent, Record, SchoolRow, SpecialEducationRow, State, Summary, TestRow, TestsLeftOut,
};

/// The summary of a disclosed history. The report date is the caller's: the day of the run that last changed the content, or of what is told
/// ([`DisclosedHistory::told_on`]): what was known on an earlier day is the summary of that day, and no age in it is counted from another.
pub fn from_disclosure(history: &DisclosedHistory, report_date: NaiveDate) -> Summary {
    let section = |domain| history.find_section(domain);
    let enrollment = section(Domain::Enrollment);
    let attendance = section(Domain::Attendance).map(years_only);
    let discipline = section(Domain::Discipline).map(disciplined_only);
    let (special_ed, assessment) = (section(Domain::SpecialEducation), section(Domain::Assessment));
    let attendance_of = |section: Option<&Section>| block(section, report_date, ATTENDANCE_FIELDS, attendance_row);
    let special_ed_of =
        |section: Option<&Section>| block(section, report_date, SPECIAL_EDUCATION_FIELDS, special_education_row);
    let discipline_of = |section: Option<&Section>| discipline_block(section, report_date);
    let (recent_tests, recent_tests_left_out) = newest_tests(assessment, report_date);
    let (tests, tests_left_out) = tests(assessment, report_date);
    Summary {
        format: Format,
        report_date,
        client: client(section(Domain::Student), report_date),
        summary: current(enrollment, section(Domain::Student), report_date),
        recent: Recent {
            attendance: newest(attendance.as_ref(), "school_year", attendance_of),
            special_ed: newest(special_ed, "school_year", special_ed_of),
            tests: recent_tests,
            discipline: newest(discipline.as_ref(), "incident_date", discipline_of),
            tests_left_out: recent_tests_left_out,
        },
        history: History {
            schools: block(enrollment.map(schools_only).as_ref(), report_date, SCHOOL_FIELDS, school_row),
            attendance: attendance_of(attendance.as_ref()),
            special_ed: special_ed_of(special_ed),
            tests,
            discipline: discipline_of(discipline.as_ref()),
            tests_left_out,
        },
        notice: Some(history.notice().to_owned()).filter(|text| !text.is_empty()),
        agreement: Some(history.agreement_title().to_owned()),
        recipient: Some(history.recipient().to_owned()),
        withheld: withheld(history),
        code: Some(history.disclosure().to_string()),
    }
}

/// The labels of what the agreement withholds and the summary would otherwise show; whole domains by their heading.
fn withheld(history: &DisclosedHistory) -> Vec<String> {
    let mut labels = Vec::new();
    for section in history.sections() {
        let domain = definition(section.domain);
        if section.state == SectionState::NotPermitted {
            labels.push(domain.label.to_owned());
            continue;
        }
        let names = section.withheld.iter().filter_map(|name| domain.find_element(name));
        labels.extend(names.map(|element| format!("{}: {}", domain.label, element.label)));
    }
    labels
}

fn cell<T>(row: &Row, element: &str, read: impl Fn(&Value) -> Option<T>) -> Cell<T> {
    match row.find(element) {
        Some(Value::Suppressed) => Cell::Suppressed,
        Some(value) => read(value).map_or(Cell::Absent, Cell::Value),
        None => Cell::Absent,
    }
}

fn text(row: &Row, element: &str) -> Cell<String> {
    cell(row, element, |value| value.as_text().map(str::to_owned))
}

fn date(row: &Row, element: &str) -> Cell<NaiveDate> {
    cell(row, element, Value::as_date)
}

fn number(row: &Row, element: &str) -> Cell<Decimal> {
    cell(row, element, |value| value.as_decimal().or_else(|| value.as_integer().map(|n| Decimal(n * Decimal::SCALE))))
}

/// A field of the page and the element it shows.
type Fields = &'static [(&'static str, &'static str)];

const SCHOOL_FIELDS: Fields = &[
    ("school", "school_name"),
    ("district", "local_education_agency_name"),
    ("entry_date", "entry_date"),
    ("exit_date", "exit_withdraw_date"),
    ("exit_reason", "exit_withdraw_type"),
    ("exit_date_missing", "exit_basis"),
];
const ATTENDANCE_FIELDS: Fields = &[
    ("school", "school_name"),
    ("district", "local_education_agency_name"),
    ("town", "town_name"),
    ("year", "school_year"),
    ("scheduled", "days_scheduled"),
    ("attended", "days_attended"),
    ("pct", "attendance_rate"),
];
const SPECIAL_EDUCATION_FIELDS: Fields = &[
    ("school", "school_name"),
    ("district", "local_education_agency_name"),
    ("year", "school_year"),
    ("disability", "primary_disability"),
    ("hours", "special_education_hours"),
];
const TEST_FIELDS: Fields = &[
    ("school", "school_name"),
    ("district", "local_education_agency_name"),
    ("year", "school_year"),
    ("type", "assessment_family"),
];
const DISCIPLINE_FIELDS: Fields = &[
    ("school", "school_name"),
    ("district", "local_education_agency_name"),
    ("date", "incident_date"),
    ("type", "incident_type"),
    ("sanction", "discipline_action"),
    ("days", "discipline_action_length"),
];

fn not_permitted(section: &Section, fields: Fields) -> BTreeSet<String> {
    let withheld = |element: &str| section.withheld.contains(&element);
    fields.iter().filter(|(_, element)| withheld(element)).map(|(field, _)| (*field).to_owned()).collect()
}

/// The day a row speaks for. A report says nothing of a later day than its own.
#[derive(Clone, Copy)]
struct Told {
    on: NaiveDate,
    /// The day its status was reported for, or the source's own; else it is the day the row was received.
    is_reported: bool,
}

fn told_on(row: &Row, report_date: NaiveDate) -> Option<Told> {
    let reported = row.find_date("status_date").or(row.source.reported_on);
    let told = reported.or(row.source.recorded_on).map(|on| Told { on, is_reported: reported.is_some() });
    told.filter(|told| told.on <= report_date)
}

/// How old what a row says is, and who says it.
fn provenance_of(row: &Row, report_date: NaiveDate) -> Provenance {
    let told = told_on(row, report_date);
    Provenance {
        as_reported_on: told.filter(|told| told.is_reported).map(|told| told.on),
        received_on: told.filter(|told| !told.is_reported).map(|told| told.on),
        reported_by: row.find_text("local_education_agency_name").map(str::to_owned),
        awaited: None,
    }
}

/// The collection that the section's disclosure says has not come.
fn awaited(section: &Section) -> Option<Awaited> {
    section.awaited.as_ref().map(|awaited| Awaited {
        collection: awaited.collection.clone(),
        as_of: awaited.as_of_on,
        due: awaited.due_on,
        expected_of: awaited.expected_of.clone(),
    })
}

/// When the newest of the rows was reported, and by whom all of them were.
fn provenance(rows: &[Row], report_date: NaiveDate) -> Provenance {
    let newest = rows.iter().max_by_key(|row| (told_on(row, report_date).map(|told| told.on), row.source.batch));
    let newest = newest.map_or_else(Provenance::default, |row| provenance_of(row, report_date));
    Provenance { reported_by: reporters(rows), ..newest }
}

/// The district that the rows are from; how many where there are several.
fn reporters(rows: &[Row]) -> Option<String> {
    let names: BTreeSet<&str> = rows.iter().filter_map(|row| row.find_text("local_education_agency_name")).collect();
    if names.len() > 1 {
        Some(format!("{} districts", names.len()))
    } else {
        names.first().map(|name| (*name).to_owned())
    }
}

/// Whether the source keeps an element of a row back.
fn keeps_back(row: &Row, element: &str) -> bool {
    row.find(element) == Some(&Value::Suppressed)
}

/// Whether rows say nothing of what a block shows but that the source keeps it back.
fn is_suppressed(rows: &[Row], fields: Fields) -> bool {
    let mut shown = rows.iter().flat_map(|row| fields.iter().filter_map(|(_, element)| row.find(element))).peekable();
    shown.peek().is_some() && shown.all(|value| *value == Value::Suppressed)
}

fn block<T: Record>(
    section: Option<&Section>,
    report_date: NaiveDate,
    fields: Fields,
    row: impl Fn(&Row) -> T,
) -> Block<T> {
    let Some(section) = section else { return Block::default() };
    let not_permitted =
        if section.state == SectionState::NotPermitted { BTreeSet::new() } else { not_permitted(section, fields) };
    let content = match section.state {
        SectionState::NotPermitted => Content::NotPermitted,
        SectionState::NotReported => Content::NotReported,
        // Rows that are not on this page (who suffered an incident, a stay in a second facility) leave no trace of being left out: where there
        // are no others, it says what it says where there are none at all.
        SectionState::Reported if section.rows.is_empty() => Content::NotReported,
        SectionState::Reported if not_permitted.is_empty() && is_suppressed(&section.rows, fields) => {
            Content::Suppressed
        }
        SectionState::Reported => Content::Reported(section.rows.iter().map(row).collect()),
    };
    let provenance = Provenance { awaited: awaited(section), ..provenance(&section.rows, report_date) };
    Block { content, provenance, not_permitted }
}

/// What a row is ordered by: a day or a school year, as text that sorts.
fn key(row: &Row, element: &str) -> Option<String> {
    row.find_date(element).map(|day| day.to_string()).or_else(|| row.find_text(element).map(str::to_owned))
}

/// The block of the rows with the newest value of an element, with the age and source of these; of all rows where none has a value. Where the
/// element is withheld, nobody may be told which they are, and where the source keeps it back, nobody knows.
fn newest<T>(
    section: Option<&Section>,
    element: &'static str,
    block: impl Fn(Option<&Section>) -> Block<T>,
) -> Block<T> {
    let Some(section) = section else { return block(None) };
    if section.state == SectionState::Reported && section.withheld.contains(&element) {
        return Block { content: Content::NotPermitted, ..Block::default() };
    }
    let latest = section.rows.iter().filter_map(|row| key(row, element)).max();
    if latest.is_none() && section.rows.iter().any(|row| keeps_back(row, element)) {
        return Block { content: Content::Suppressed, ..Block::default() };
    }
    let mut kept = section.clone();
    kept.rows.retain(|row| key(row, element) == latest);
    block(Some(&kept))
}

fn school_row(row: &Row) -> SchoolRow {
    SchoolRow {
        school: text(row, "school_name"),
        district: text(row, "local_education_agency_name"),
        entry_date: date(row, "entry_date"),
        exit_date: date(row, "exit_withdraw_date"),
        exit_reason: text(row, "exit_withdraw_type"),
        entry_inferred: inferred(row, "entry_basis"),
        exit_inferred: inferred(row, "exit_basis"),
        exit_missing: exit_missing(row),
    }
}

/// By what words a stay without a last day is known to have ended.
fn exit_missing(row: &Row) -> Cell<String> {
    let basis = row.find_text("exit_basis").filter(|_| row.find("exit_withdraw_date").is_none());
    // Where the agreement withholds the day, the basis says of it that it was reported.
    basis.filter(|basis| *basis != "reported").map_or(Cell::Absent, |basis| Cell::Value(basis.to_owned()))
}

/// The rule by which a day was inferred.
fn inferred(row: &Row, basis: &str) -> Cell<String> {
    row.find_text(basis)
        .and_then(|basis| basis.strip_prefix(domains::enrollment::IMPLIED))
        .map_or(Cell::Absent, |rule| Cell::Value(rule.to_owned()))
}

/// Stays at schools: one in a second facility or program lies within one of them and is not on this page.
fn schools_only(section: &Section) -> Section {
    let mut section = section.clone();
    section.rows.retain(|row| row.find("stay_basis").is_none());
    section
}

/// Rows that speak of whole years: months and events are not on this page.
fn years_only(section: &Section) -> Section {
    let mut section = section.clone();
    section.rows.retain(|row| row.find("days_scheduled").is_some() && row.find("month").is_none());
    section
}

/// Who suffered or saw an incident is not disciplined.
fn disciplined_only(section: &Section) -> Section {
    let mut section = section.clone();
    section.rows.retain(domains::discipline::is_answered_for);
    section
}

/// The disciplinary table: a second sanction is a line of its own.
fn discipline_block(section: Option<&Section>, report_date: NaiveDate) -> Block<DisciplineRow> {
    let first = block(section, report_date, DISCIPLINE_FIELDS, discipline_row);
    let (Some(section), Content::Reported(_)) = (section, &first.content) else { return first };
    // A field that is not permitted is blank, whichever sanction has it.
    let permitted = |field: &str| !first.not_permitted.contains(field);
    let second = |row: &Row| DisciplineRow {
        sanction: text(row, "discipline_action_2"),
        days: if permitted("days") { number(row, "discipline_action_2_length") } else { Cell::Absent },
        ..discipline_row(row)
    };
    let rows = section.rows.iter().flat_map(|row| {
        let has_second = permitted("sanction") && row.find("discipline_action_2").is_some();
        std::iter::once(discipline_row(row)).chain(has_second.then(|| second(row)))
    });
    Block { content: Content::Reported(rows.collect()), ..first.clone() }
}

fn attendance_row(row: &Row) -> AttendanceRow {
    let percent = |value: &Value| value.as_decimal().map(|rate| Decimal(rate.0 * 100));
    AttendanceRow {
        school: text(row, "school_name"),
        district: text(row, "local_education_agency_name"),
        town: text(row, "town_name"),
        year: text(row, "school_year"),
        scheduled: number(row, "days_scheduled"),
        attended: number(row, "days_attended"),
        pct: cell(row, "attendance_rate", percent),
    }
}

fn special_education_row(row: &Row) -> SpecialEducationRow {
    SpecialEducationRow {
        school: text(row, "school_name"),
        district: text(row, "local_education_agency_name"),
        year: text(row, "school_year"),
        disability: text(row, "primary_disability"),
        hours: number(row, "special_education_hours"),
    }
}

fn discipline_row(row: &Row) -> DisciplineRow {
    DisciplineRow {
        school: text(row, "school_name"),
        district: text(row, "local_education_agency_name"),
        date: date(row, "incident_date"),
        kind: text(row, "incident_type"),
        sanction: text(row, "discipline_action"),
        days: number(row, "discipline_action_length"),
    }
}

/// The four columns of the page; a subject that fits none of them is not on this page.
#[derive(Clone, Copy)]
enum Subject {
    Writing,
    Reading,
    Math,
    Science,
}

impl Subject {
    fn of(name: &str) -> Option<Self> {
        let name = name.to_ascii_lowercase();
        let has = |part: &str| name.contains(part);
        if has("writing") && !has("reading") {
            Some(Self::Writing)
        } else if has("math") {
            Some(Self::Math)
        } else if has("science") {
            Some(Self::Science)
        } else if has("reading") || has("english") || has("ela") || has("language arts") || has("ebrw") {
            Some(Self::Reading)
        } else {
            None
        }
    }
}

fn subject_of(row: &Row) -> Option<Subject> {
    row.find_text("academic_subject").and_then(Subject::of)
}

/// The tests of the newest school year that has a score for a column; what is left out of that year and of later ones is counted.
fn newest_tests(section: Option<&Section>, report_date: NaiveDate) -> (Block<TestRow>, TestsLeftOut) {
    let year = |row: &Row| key(row, "school_year");
    let Some(section) = section else { return tests(None, report_date) };
    let in_columns = section.rows.iter().filter(|row| subject_of(row).is_some()).filter_map(year).max();
    let Some(latest) = in_columns.or_else(|| section.rows.iter().filter_map(year).max()) else {
        let block = newest(Some(section), "school_year", |kept| tests(kept, report_date).0);
        let left_out = if block.state() == State::Reported {
            tests(Some(section), report_date).1
        } else {
            TestsLeftOut::default()
        };
        return (block, left_out);
    };
    let mut kept = section.clone();
    kept.rows.retain(|row| year(row).is_some_and(|year| year >= latest));
    tests(Some(&kept), report_date)
}

/// One row a school year, test and school, the subjects beside each other; of several attempts the last one reported stands. What is in none
/// of the columns, and what came before the last attempt, is counted.
fn tests(section: Option<&Section>, report_date: NaiveDate) -> (Block<TestRow>, TestsLeftOut) {
    let mut shell = block(section, report_date, TEST_FIELDS, |_| TestRow::default());
    let (Some(section), Content::Reported(_)) = (section, &shell.content) else {
        return (shell, TestsLeftOut::default());
    };
    if section.withheld.contains(&"academic_subject") {
        // Nobody may be told which column a score belongs to.
        return (Block { content: Content::NotPermitted, ..Block::default() }, TestsLeftOut::default());
    }
    if section.rows.iter().all(|row| keeps_back(row, "academic_subject")) {
        return (Block { content: Content::Suppressed, ..shell }, TestsLeftOut::default());
    }
    for (_, columns) in SCORE_COLUMNS.into_iter().filter(|(element, _)| section.withheld.contains(element)) {
        shell.not_permitted.extend(columns.map(str::to_owned));
    }
    let mut rows: BTreeMap<(String, String, String), TestRow> = BTreeMap::new();
    let mut others: BTreeMap<&str, u32> = BTreeMap::new();
    let mut earlier_attempts = 0;
    for row in &section.rows {
        let Some(subject) = subject_of(row) else {
            let unnamed = if keeps_back(row, "academic_subject") { SUPPRESSED_SUBJECT } else { UNNAMED_SUBJECT };
            *others.entry(row.find_text("academic_subject").unwrap_or(unnamed)).or_default() += 1;
            continue;
        };
        let part = |element: &str| row.find_text(element).unwrap_or_default().to_owned();
        let test =
            rows.entry((part("school_year"), part("assessment_family"), part("school_name"))).or_insert_with(|| {
                TestRow {
                    school: text(row, "school_name"),
                    district: text(row, "local_education_agency_name"),
                    year: text(row, "school_year"),
                    kind: text(row, "assessment_family"),
                    ..TestRow::default()
                }
            });
        let (score, level) = match subject {
            Subject::Writing => (&mut test.writing, &mut test.writing_level),
            Subject::Reading => (&mut test.reading, &mut test.reading_level),
            Subject::Math => (&mut test.math, &mut test.math_level),
            Subject::Science => (&mut test.science, &mut test.science_level),
        };
        earlier_attempts += u32::from(!score.is_absent() || !level.is_absent());
        (*score, *level) = (number(row, "scale_score"), text(row, "performance_level"));
    }
    let other_subjects = others.into_iter().map(|(subject, count)| OtherSubject { subject: subject.to_owned(), count });
    let left_out = TestsLeftOut { other_subjects: other_subjects.collect(), earlier_attempts };
    (Block { content: Content::Reported(rows.into_values().collect()), ..shell }, left_out)
}

/// The columns that show what a score is.
const SCORE_COLUMNS: [(&str, [&str; 4]); 2] = [
    ("scale_score", ["writing", "reading", "math", "science"]),
    ("performance_level", ["writing_level", "reading_level", "math_level", "science_level"]),
];

/// Stands for the subject of a score that comes without one.
const UNNAMED_SUBJECT: &str = "no subject named";
/// Stands for the subject of a score where the source keeps it back.
const SUPPRESSED_SUBJECT: &str = "subject suppressed";

const fn state(section: &Section) -> State {
    match section.state {
        SectionState::Reported => State::Reported,
        SectionState::NotReported => State::NotReported,
        SectionState::NotPermitted => State::NotPermitted,
    }
}

/// The identifiers and names learned last.
fn client(section: Option<&Section>, report_date: NaiveDate) -> Client {
    let Some(section) = section else { return Client { state: State::NotReported, ..Client::default() } };
    let Some(row) = section.rows.iter().max_by_key(|row| (row.source.batch, row.source.line)) else {
        return Client { state: state(section), ..Client::default() };
    };
    let withheld = |element: &str| section.withheld.contains(&element);
    let name_withheld = withheld("last_surname") && withheld("first_name");
    let fields: Fields =
        &[("dob", "birth_date"), ("sasid", "state_id"), ("gender", "sex"), ("race_ethnicity", "race_ethnicity")];
    let mut not_permitted = not_permitted(section, fields);
    if name_withheld {
        not_permitted.insert("name".to_owned());
    }
    let provenance = provenance_of(row, report_date);
    Client {
        lang: None,
        state: state(section),
        as_reported_on: provenance.as_reported_on,
        received_on: provenance.received_on,
        reported_by: provenance.reported_by,
        not_permitted,
        name: if name_withheld { Cell::Absent } else { full_name(row) },
        dob: date(row, "birth_date"),
        sasid: text(row, "state_id"),
        gender: text(row, "sex"),
        race_ethnicity: text(row, "race_ethnicity"),
    }
}

/// Family name with suffix, then given names.
fn full_name(row: &Row) -> Cell<String> {
    let part = |element: &str| row.find_text(element).map(str::trim).filter(|text| !text.is_empty());
    let join = |parts: [Option<&str>; 2]| parts.into_iter().flatten().collect::<Vec<_>>().join(" ");
    let family = join([part("last_surname"), part("generation_code_suffix")]);
    let given = join([part("first_name"), part("middle_name")]);
    match (family.is_empty(), given.is_empty()) {
        (true, true) if keeps_back(row, "last_surname") || keeps_back(row, "first_name") => Cell::Suppressed,
        (true, true) => Cell::Absent,
        (false, false) => Cell::Value(format!("{family}, {given}")),
        _ => Cell::Value(family + &given),
    }
}

/// The stay at a school that has not ended and began last; else the one that ended last.
pub fn latest_stay(enrollment: &Section) -> Option<&Row> {
    let has_ended = |row: &Row| row.find("exit_withdraw_date").is_some() || row.find("exit_basis").is_some();
    let begun = |row: &Row| row.find_date("entry_date").or_else(|| row.find_date("first_seen_date"));
    let ended = |row: &Row| row.find_date("exit_withdraw_date").or_else(|| row.find_date("last_seen_date"));
    let order = |row: &Row| (!has_ended(row), ended(row).filter(|_| has_ended(row)), begun(row), row.source.batch);
    let schools = enrollment.rows.iter().filter(|row| row.find("stay_basis").is_none());
    schools.max_by_key(|row| order(row))
}

/// The latest enrollment in a line.
fn current(enrollment: Option<&Section>, student: Option<&Section>, report_date: NaiveDate) -> Current {
    let Some(section) = enrollment else { return Current { state: State::NotReported, ..Current::default() } };
    let Some(row) = latest_stay(section) else {
        return Current { state: state(section), awaited: awaited(section), ..Current::default() };
    };
    let fields: Fields = &[
        ("school", "school_name"),
        ("district", "local_education_agency_name"),
        ("grade", "grade_level"),
        ("free_lunch", "meal_eligibility"),
        ("special_ed", "special_education"),
        ("language", "language"),
    ];
    let language = match text(row, "language") {
        Cell::Absent => student
            .and_then(|s| s.rows.iter().rev().find(|row| row.find("language").is_some()))
            .map_or(Cell::Absent, |row| text(row, "language")),
        cell => cell,
    };
    let withheld_grade = section.withheld.contains(&"grade_level");
    let mut not_permitted = not_permitted(section, fields);
    if !language.is_absent() {
        not_permitted.remove("language");
    }
    let provenance = provenance_of(row, report_date);
    Current {
        state: state(section),
        as_reported_on: provenance.as_reported_on,
        received_on: provenance.received_on,
        reported_by: provenance.reported_by,
        awaited: awaited(section),
        not_permitted,
        school: text(row, "school_name"),
        district: text(row, "local_education_agency_name"),
        grade: match text(row, "last_grade_level") {
            Cell::Value(grade) if !withheld_grade => Cell::Value(grade),
            _ => text(row, "grade_level"),
        },
        free_lunch: text(row, "meal_eligibility"),
        special_ed: cell(row, "special_education", |value| {
            value.as_boolean().map(|yes| if yes { "Yes" } else { "No" }.to_owned())
        }),
        language,
    }
}

#[cfg(test)]
mod tests {
    use ::model::{BatchId, Certification, Lineage};

    use super::*;

    fn day(text: &str) -> NaiveDate {
        text.parse().expect("a day")
    }

    fn row(domain: Domain, values: &[(&str, &str)]) -> Row {
        let name = |name: &str| definition(domain).find_element(name).expect("an element of the domain").name;
        let value = |text: &str| text.parse().map_or_else(|_| Value::Text(text.to_owned()), Value::Date);
        Row {
            values: values.iter().map(|(element, text)| (name(element), value(text))).collect(),
            school_year: None,
            certification: Certification::Certified,
            source: Lineage {
                batch: BatchId(1),
                file: "invented".into(),
                line: 1,
                recorded_on: Some(day("2026-11-20")),
                reported_on: None,
                sea: "ct".into(),
                person: None,
            },
        }
    }

    fn discipline(rows: Vec<Row>) -> Block<DisciplineRow> {
        discipline_block(Some(&disciplined_only(&section(Domain::Discipline, rows))), day("2026-11-22"))
    }

    fn section(domain: Domain, rows: Vec<Row>) -> Section {
        Section { domain, state: SectionState::Reported, rows, withheld: Vec::new(), awaited: None }
    }

    fn score(year: &str, subject: &str, score: i64) -> Row {
        let values = [
            ("school_year", year),
            ("assessment_family", "LAS Links"),
            ("academic_subject", subject),
            ("school_name", "Tallis High"),
        ];
        let mut row = row(Domain::Assessment, &values);
        row.values.insert("scale_score", Value::Integer(score));
        row
    }

    #[test]
    fn scores_without_a_column_are_counted_and_never_called_not_reported() {
        let today = day("2026-11-22");
        let rows = vec![
            score("2023-24", "Mathematics", 480),
            score("2023-24", "Mathematics", 500),
            score("2024-25", "Speaking", 510),
            score("2024-25", "Listening", 520),
            score("2022-23", "Speaking", 530),
        ];
        let other = |subject: &str, count| OtherSubject { subject: subject.to_owned(), count };
        let (block, left_out) = tests(Some(&section(Domain::Assessment, rows.clone())), today);
        assert_eq!(block.rows().len(), 1);
        assert_eq!(block.rows()[0].math, Cell::Value(Decimal(500 * Decimal::SCALE)));
        let all =
            TestsLeftOut { other_subjects: vec![other("Listening", 1), other("Speaking", 2)], earlier_attempts: 1 };
        assert_eq!(left_out, all);
        let (recent, left_out) = newest_tests(Some(&section(Domain::Assessment, rows.clone())), today);
        assert_eq!(recent.rows().len(), 1);
        assert_eq!(
            left_out.other_subjects,
            [other("Listening", 1), other("Speaking", 1)],
            "of that year and later ones"
        );
        let withheld = Section { withheld: vec!["scale_score"], ..section(Domain::Assessment, rows.clone()) };
        let (block, _) = tests(Some(&withheld), today);
        assert!(block.not_permitted.contains("math") && !block.not_permitted.contains("math_level"));
        let (only, left_out) = newest_tests(Some(&section(Domain::Assessment, rows[2..].to_vec())), today);
        assert_eq!((only.state(), only.rows().len(), left_out.other_subjects.len()), (State::Reported, 0, 2));
    }

    #[test]
    fn what_the_source_keeps_back_is_said_to_be_suppressed() {
        let today = day("2026-11-22");
        let keep_back = |mut row: Row, elements: &[&'static str]| {
            row.values.extend(elements.iter().map(|element| (*element, Value::Suppressed)));
            row
        };
        let scores = |rows: Vec<Row>| section(Domain::Assessment, rows);
        let shown = score("2024-25", "Mathematics", 500);
        let of_score = keep_back(shown.clone(), &["scale_score", "performance_level"]);
        let (block, _) = tests(Some(&scores(vec![of_score])), today);
        assert_eq!((block.state(), &block.rows()[0].math), (State::Reported, &Cell::Suppressed));
        let of_subject = keep_back(shown.clone(), &["academic_subject"]);
        let (block, left_out) = tests(Some(&scores(vec![of_subject.clone()])), today);
        assert_eq!((block.state(), left_out.is_empty()), (State::Suppressed, true));
        let (block, left_out) = tests(Some(&scores(vec![of_subject, shown.clone()])), today);
        assert_eq!((block.rows().len(), &*left_out.other_subjects[0].subject), (1, "subject suppressed"));
        let of_year = keep_back(shown, &["school_year"]);
        assert_eq!(newest_tests(Some(&scores(vec![of_year])), today).0.state(), State::Suppressed);
        let services = keep_back(
            row(Domain::SpecialEducation, &[]),
            &["school_year", "primary_disability", "special_education_hours"],
        );
        let all = section(Domain::SpecialEducation, vec![services]);
        let of = |section: &Section| block_of_services(section, today).state();
        assert_eq!(of(&all), State::Suppressed);
        // What the agreement withholds is not for the source to keep back.
        assert_eq!(of(&Section { withheld: vec!["school_name"], ..all.clone() }), State::Reported);
        assert_eq!(of(&Section { state: SectionState::NotPermitted, rows: Vec::new(), ..all }), State::NotPermitted);
        let name = row(Domain::Student, &[("first_name", "June")]);
        assert_eq!(full_name(&name), Cell::Value("June".to_owned()));
        let none = keep_back(row(Domain::Student, &[]), &["first_name", "last_surname"]);
        assert_eq!(full_name(&none), Cell::Suppressed);
    }

    fn block_of_services(section: &Section, today: NaiveDate) -> Block<SpecialEducationRow> {
        block(Some(section), today, SPECIAL_EDUCATION_FIELDS, special_education_row)
    }

    #[test]
    fn rows_without_a_day_are_not_called_not_reported() {
        let today = day("2026-11-22");
        let undated = section(Domain::Discipline, vec![row(Domain::Discipline, &[("discipline_action", "Detention")])]);
        let recent = newest(Some(&undated), "incident_date", |kept| discipline_block(kept, today));
        assert_eq!((recent.state(), recent.rows().len()), (State::Reported, 1));
    }

    #[test]
    fn a_block_names_the_district_of_its_own_rows_and_counts_several() {
        let of = |date: &str, district: &str, told: &str| {
            let values = [
                ("incident_date", date),
                ("local_education_agency_name", district),
                ("discipline_action", "Detention"),
            ];
            let mut row = row(Domain::Discipline, &values);
            row.source.reported_on = Some(day(told));
            row
        };
        let rows = vec![of("2024-11-05", "Fernwick", "2026-10-01"), of("2025-11-05", "Tallis", "2026-09-01")];
        let both = section(Domain::Discipline, rows);
        let of_history = discipline_block(Some(&both), day("2026-11-22"));
        assert_eq!(of_history.provenance.reported_by.as_deref(), Some("2 districts"));
        assert_eq!(of_history.provenance.as_reported_on, Some(day("2026-10-01")));
        let recent = newest(Some(&both), "incident_date", |kept| discipline_block(kept, day("2026-11-22")));
        assert_eq!(recent.provenance.reported_by.as_deref(), Some("Tallis"));
        assert_eq!(recent.provenance.as_reported_on, Some(day("2026-09-01")));
        let withheld = Section { withheld: vec!["incident_date"], ..both };
        let recent = newest(Some(&withheld), "incident_date", |kept| discipline_block(kept, day("2026-11-22")));
        assert_eq!(recent.state(), State::NotPermitted);
    }

    #[test]
    fn a_second_sanction_is_a_line_of_its_own() {
        let mut row = row(
            Domain::Discipline,
            &[
                ("incident_date", "2024-11-05"),
                ("discipline_action", "Out-of-School Suspension"),
                ("discipline_action_2", "Expulsion"),
            ],
        );
        row.values.insert("discipline_action_length", Value::Integer(10));
        row.values.insert("discipline_action_2_length", Value::Integer(90));
        let told = |block: &Block<DisciplineRow>| {
            let told = |row: &DisciplineRow| (row.sanction.value().cloned(), row.days.value().copied());
            block.rows().iter().map(told).collect::<Vec<_>>()
        };
        let days = |days: i64| Some(Decimal(days * Decimal::SCALE));
        let (first, second) = ("Out-of-School Suspension".to_owned(), "Expulsion".to_owned());
        let block = discipline(vec![row.clone()]);
        assert_eq!(told(&block), [(Some(first), days(10)), (Some(second), days(90))]);
        assert!(block.rows().iter().all(|row| row.date == Cell::Value(day("2024-11-05"))));
        let section = section(Domain::Discipline, vec![row]);
        let recent = newest(Some(&section), "incident_date", |kept| discipline_block(kept, day("2026-11-22")));
        assert_eq!(recent.rows().len(), 2);
    }

    #[test]
    fn the_day_of_receipt_is_not_called_the_day_of_the_report() {
        let mut told = row(Domain::Discipline, &[("discipline_action", "Detention")]);
        let days = |block: Block<DisciplineRow>| (block.provenance.as_reported_on, block.provenance.received_on);
        assert_eq!(days(discipline(vec![told.clone()])), (None, Some(day("2026-11-20"))));
        told.source.reported_on = Some(day("2026-10-01"));
        assert_eq!(days(discipline(vec![told])), (Some(day("2026-10-01")), None));
    }

    #[test]
    fn who_suffered_or_saw_an_incident_is_not_among_the_disciplined() {
        let of = |role: &str| {
            row(Domain::Discipline, &[("student_participation_code", role), ("incident_date", "2024-11-05")])
        };
        let of_unknown = row(Domain::Discipline, &[("incident_date", "2024-11-05")]);
        let block = discipline(vec![of("Offender"), of("Victim"), of("Witness"), of_unknown]);
        assert_eq!(block.rows().len(), 1);
        let none = discipline(vec![of("Victim")]);
        assert_eq!((none.state(), none.provenance), (State::NotReported, Provenance::default()));
    }
}
