//! What stewards look into when they ask why: every interval of authority, those that ended included, and what restricts a person.
//!
//! Only `disclosure` asks, and only for the SEA's own people, with an entry in the ledger.

use chrono::{DateTime, NaiveDate, Utc};
use model::{ConsumerId, Masked, SourcePersonId, StudentId};
use sqlx::PgConnection;

use crate::store::inspection as store;

/// One interval of an agency's authority over a client who is a student.
#[derive(Clone, PartialEq, Eq)]
pub struct AuthorityInterval {
    /// The client by the agency's own person id. Personal: for the answer alone.
    pub person_key: String,
    /// The student.
    pub student: StudentId,
    /// The basis it names, by code.
    pub legal_basis: String,
    /// Its phase, by code, if it states one.
    pub phase: Option<String>,
    /// The office responsible.
    pub office: Option<String>,
    /// The officer responsible.
    pub officer: Option<String>,
    /// Its first instant; `None`: always.
    pub from: Option<DateTime<Utc>>,
    /// The first instant after it; `None`: no end is known.
    pub to: Option<DateTime<Utc>>,
    /// The birth date by which rights pass.
    pub birth_date: Option<NaiveDate>,
}

/// An order that keeps everything of a person back while it is in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PersonRestriction {
    /// The student.
    pub student: StudentId,
    /// `sealed`, `protective_order`, `confidential_address` or `legal_hold`.
    pub kind: String,
    /// The order's number.
    pub order_number: String,
}

/// Every interval of an agency over clients of these ids or matched with these students, whatever the time, oldest first.
pub async fn list_intervals(
    conn: &mut PgConnection,
    consumer: &ConsumerId,
    person_keys: &[String],
    students: &[StudentId],
) -> Result<Vec<AuthorityInterval>, sqlx::Error> {
    store::list_intervals(conn, consumer, person_keys, students).await
}

/// The restrictions in force at an instant over persons who are these students.
pub async fn list_restrictions(
    conn: &mut PgConnection,
    students: &[StudentId],
    at: DateTime<Utc>,
) -> Result<Vec<PersonRestriction>, sqlx::Error> {
    store::list_restrictions(conn, students, at).await
}

/// How an agency's client stands with the students.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// No roster of the agency ever named the client.
    NeverNamed,
    /// The client is no student that is known.
    Unmatched,
    /// Candidates wait for a person.
    Waiting,
    /// The client is a student.
    Matched,
    /// The client was matched, and what came since contradicts it: nothing is released until a person decides.
    Contested,
}

/// How an agency's client of this id stands.
pub async fn find_standing(
    conn: &mut PgConnection,
    consumer: &ConsumerId,
    person_key: &str,
) -> Result<Standing, sqlx::Error> {
    store::find_standing(conn, consumer, person_key).await
}

/// When a consumer's authority over a student ended.
#[derive(Clone, Debug)]
pub struct End {
    /// The student.
    pub student: StudentId,
    /// The client, by the consumer's own id.
    pub person_key: Masked<String>,
    /// The first instant without authority; none: it has no end known.
    pub ended_at: Option<DateTime<Utc>>,
}

/// When a consumer's authority over students ends or ended, by the last of all its authorities over the client matched with each.
pub async fn list_ends(
    conn: &mut PgConnection,
    consumer: &ConsumerId,
    students: &[StudentId],
) -> Result<Vec<End>, sqlx::Error> {
    let students: Vec<_> = students.iter().map(|student| student.0).collect();
    let rows = store::list_ends(conn, consumer, &students).await?;
    let end = |(student, key, ended_at)| End { student: StudentId(student), person_key: Masked::new(key), ended_at };
    Ok(rows.into_iter().map(end).collect())
}

/// Whose source persons these are now, in the order of students, and whether the student is under seal at an instant.
pub async fn list_owners(
    conn: &mut PgConnection,
    persons: &[SourcePersonId],
    at: DateTime<Utc>,
) -> Result<Vec<(StudentId, bool)>, sqlx::Error> {
    let persons: Vec<i64> = persons.iter().map(|person| person.0).collect();
    store::list_owners(conn, &persons, at).await
}

/// A student's source persons now, and whether an order seals any of them at an instant.
pub async fn list_persons(
    conn: &mut PgConnection,
    student: StudentId,
    at: DateTime<Utc>,
) -> Result<(Vec<SourcePersonId>, bool), sqlx::Error> {
    let rows = store::list_persons_sealed(conn, student.0, at).await?;
    let is_sealed = rows.iter().any(|(_, is_sealed)| *is_sealed);
    Ok((rows.into_iter().map(|(person, _)| SourcePersonId(person)).collect(), is_sealed))
}
