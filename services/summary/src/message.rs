//! The summary as a message: for clients that read fields, not pages.

use chrono::{Datelike as _, NaiveDate};
use model::Decimal;
use prost::Message as _;
use proto::{google::r#type::Date, summary::v1 as pb};

use crate::model::{
    AttendanceRow, Block, Cell, Client, Current, DisciplineRow, OtherSubject, Provenance, SchoolRow,
    SpecialEducationRow, State, Summary, TestRow, TestsLeftOut,
};

/// The summary, encoded: the same summary always gives the same bytes.
pub(crate) fn encode(summary: &Summary) -> Vec<u8> {
    to_message(summary).encode_to_vec()
}

/// The summary as its message.
pub fn to_message(summary: &Summary) -> pb::SchoolRecordsSummary {
    let (recent, history) = (&summary.recent, &summary.history);
    let words = |text: &Option<String>| text.clone().unwrap_or_default();
    pb::SchoolRecordsSummary {
        report_date: Some(date(summary.report_date)),
        client: Some(client(&summary.client)),
        current: Some(current(&summary.summary)),
        recent: Some(pb::Recent {
            attendance: Some(attendance(&recent.attendance)),
            special_ed: Some(special_education(&recent.special_ed)),
            tests: Some(tests(&recent.tests)),
            discipline: Some(discipline(&recent.discipline)),
            tests_left_out: left_out(&recent.tests_left_out),
        }),
        history: Some(pb::History {
            schools: Some(schools(&history.schools)),
            attendance: Some(attendance(&history.attendance)),
            special_ed: Some(special_education(&history.special_ed)),
            tests: Some(tests(&history.tests)),
            discipline: Some(discipline(&history.discipline)),
            tests_left_out: left_out(&history.tests_left_out),
        }),
        notice: words(&summary.notice),
        agreement: words(&summary.agreement),
        recipient: words(&summary.recipient),
        withheld_labels: summary.withheld.clone(),
        code: words(&summary.code),
    }
}

fn left_out(tests: &TestsLeftOut) -> Option<pb::TestsLeftOut> {
    let other = |other: &OtherSubject| pb::OtherSubject { subject: other.subject.clone(), count: other.count };
    (!tests.is_empty()).then(|| pb::TestsLeftOut {
        other_subjects: tests.other_subjects.iter().map(other).collect(),
        earlier_attempts: tests.earlier_attempts,
    })
}

fn date(day: NaiveDate) -> Date {
    Date { year: day.year(), month: day.month().cast_signed(), day: day.day().cast_signed() }
}

/// What a cell holds: nothing, a value, or that the source suppressed it.
fn value<T, M: Default>(cell: &Cell<T>, of: impl Fn(&T) -> M, suppressed: M) -> Option<M> {
    match cell {
        Cell::Absent => None,
        Cell::Value(value) => Some(of(value)),
        Cell::Suppressed => Some(suppressed),
    }
}

fn text(cell: &Cell<String>) -> Option<pb::TextValue> {
    let of = |text: &String| pb::TextValue { value: text.clone(), suppressed: false };
    value(cell, of, pb::TextValue { suppressed: true, ..Default::default() })
}

fn day(cell: &Cell<NaiveDate>) -> Option<pb::DayValue> {
    let of = |day: &NaiveDate| pb::DayValue { value: Some(date(*day)), suppressed: false };
    value(cell, of, pb::DayValue { suppressed: true, ..Default::default() })
}

fn number(cell: &Cell<Decimal>) -> Option<pb::NumberValue> {
    let of = |number: &Decimal| pb::NumberValue { value: number.to_string(), suppressed: false };
    value(cell, of, pb::NumberValue { suppressed: true, ..Default::default() })
}

fn provenance<'n>(state: State, known: &Provenance, names: impl IntoIterator<Item = &'n String>) -> pb::Provenance {
    let state = match state {
        State::Reported => pb::BlockState::Reported,
        State::NotReported => pb::BlockState::NotReported,
        State::NotPermitted => pb::BlockState::NotPermitted,
        State::Suppressed => pb::BlockState::Suppressed,
    };
    pb::Provenance {
        state: state.into(),
        as_reported_date: known.as_reported_on.map(date),
        received_date: known.received_on.map(date),
        reported_by: known.reported_by.clone().unwrap_or_default(),
        not_permitted_fields: names.into_iter().cloned().collect(),
    }
}

fn of_block<T>(block: &Block<T>) -> pb::Provenance {
    provenance(block.state(), &block.provenance, &block.not_permitted)
}

fn client(c: &Client) -> pb::Client {
    let known =
        Provenance { as_reported_on: c.as_reported_on, received_on: c.received_on, reported_by: c.reported_by.clone() };
    pb::Client {
        provenance: Some(provenance(c.state, &known, &c.not_permitted)),
        name: text(&c.name),
        dob: day(&c.dob),
        sasid: text(&c.sasid),
        gender: text(&c.gender),
        race_ethnicity: text(&c.race_ethnicity),
        language_code: c.lang.clone().unwrap_or_default(),
    }
}

fn current(c: &Current) -> pb::Current {
    let known =
        Provenance { as_reported_on: c.as_reported_on, received_on: c.received_on, reported_by: c.reported_by.clone() };
    pb::Current {
        provenance: Some(provenance(c.state, &known, &c.not_permitted)),
        school: text(&c.school),
        district: text(&c.district),
        grade: text(&c.grade),
        free_lunch: text(&c.free_lunch),
        special_ed: text(&c.special_ed),
        language: text(&c.language),
    }
}

fn schools(block: &Block<SchoolRow>) -> pb::SchoolBlock {
    let row = |row: &SchoolRow| pb::SchoolRow {
        school: text(&row.school),
        district: text(&row.district),
        entry_date: day(&row.entry_date),
        exit_date: day(&row.exit_date),
        exit_reason: text(&row.exit_reason),
        entry_date_inferred: text(&row.entry_inferred),
        exit_date_inferred: text(&row.exit_inferred),
        exit_date_missing: text(&row.exit_missing),
    };
    pb::SchoolBlock { provenance: Some(of_block(block)), rows: block.rows().iter().map(row).collect() }
}

fn attendance(block: &Block<AttendanceRow>) -> pb::AttendanceBlock {
    let row = |row: &AttendanceRow| pb::AttendanceRow {
        school: text(&row.school),
        district: text(&row.district),
        town: text(&row.town),
        year: text(&row.year),
        scheduled: number(&row.scheduled),
        attended: number(&row.attended),
        pct: number(&row.pct),
    };
    pb::AttendanceBlock { provenance: Some(of_block(block)), rows: block.rows().iter().map(row).collect() }
}

fn special_education(block: &Block<SpecialEducationRow>) -> pb::SpecialEducationBlock {
    let row = |row: &SpecialEducationRow| pb::SpecialEducationRow {
        school: text(&row.school),
        district: text(&row.district),
        year: text(&row.year),
        disability: text(&row.disability),
        hours: number(&row.hours),
    };
    pb::SpecialEducationBlock { provenance: Some(of_block(block)), rows: block.rows().iter().map(row).collect() }
}

fn tests(block: &Block<TestRow>) -> pb::TestBlock {
    let row = |row: &TestRow| pb::TestRow {
        school: text(&row.school),
        district: text(&row.district),
        year: text(&row.year),
        r#type: text(&row.kind),
        writing: number(&row.writing),
        writing_level: text(&row.writing_level),
        reading: number(&row.reading),
        reading_level: text(&row.reading_level),
        math: number(&row.math),
        math_level: text(&row.math_level),
        science: number(&row.science),
        science_level: text(&row.science_level),
    };
    pb::TestBlock { provenance: Some(of_block(block)), rows: block.rows().iter().map(row).collect() }
}

fn discipline(block: &Block<DisciplineRow>) -> pb::DisciplineBlock {
    let row = |row: &DisciplineRow| pb::DisciplineRow {
        school: text(&row.school),
        district: text(&row.district),
        date: day(&row.date),
        r#type: text(&row.kind),
        sanction: text(&row.sanction),
        days: number(&row.days),
    };
    pb::DisciplineBlock { provenance: Some(of_block(block)), rows: block.rows().iter().map(row).collect() }
}
