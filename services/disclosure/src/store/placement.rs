//! Notices of placements: made, disclosed, delivered.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Bound,
};

use chrono::{DateTime, NaiveDate, Utc};
use model::{ConsumerId, SourcePersonId, StudentId};
use sqlx::{PgConnection, postgres::types::PgRange};
use uuid::Uuid;

use crate::{
    Error,
    placement::{Made, PlacementEvent},
};

struct NoticeRow {
    notice_id: Uuid,
    placement_id: Uuid,
    student_id: Uuid,
    source_person_id: i64,
    office: String,
    event: String,
    event_date: NaiveDate,
    facility: String,
    retracts: Option<Uuid>,
    names_nobody: bool,
    released: PgRange<DateTime<Utc>>,
    made_at: DateTime<Utc>,
    disclosed_at: Option<DateTime<Utc>>,
    delivered_at: Option<DateTime<Utc>>,
}

impl NoticeRow {
    fn made(self) -> Result<Made, Error> {
        let instant = |bound: Bound<DateTime<Utc>>| match bound {
            Bound::Included(at) | Bound::Excluded(at) => Some(at),
            Bound::Unbounded => None,
        };
        let event = PlacementEvent::of(&self.event)
            .ok_or_else(|| Error::Corrupt("a placement notice of an unknown kind".to_owned()))?;
        Ok(Made {
            id: self.notice_id,
            placement: self.placement_id,
            student: StudentId(self.student_id),
            person: SourcePersonId(self.source_person_id),
            office: self.office,
            event,
            event_date: self.event_date,
            facility: self.facility,
            retracts: self.retracts,
            names_nobody: self.names_nobody,
            released: (instant(self.released.start).unwrap_or(DateTime::<Utc>::MIN_UTC), instant(self.released.end)),
            at: self.made_at,
            was_disclosed: self.disclosed_at.is_some(),
            delivered_at: self.delivered_at,
        })
    }
}

/// The notices that were made and are not void, oldest first.
pub(crate) async fn list_of_placements(conn: &mut PgConnection, consumer: &ConsumerId) -> Result<Vec<Made>, Error> {
    let rows = sqlx::query_as!(
        NoticeRow,
        r#"-- disclosure.list_placement_notices
        SELECT n.notice_id, n.placement_id, n.student_id, n.source_person_id, n.office, n.event, n.event_date, n.facility, n.retracts, n.names_nobody,
            n.released AS "released!: PgRange<DateTime<Utc>>", n.made_at, n.disclosed_at, n.delivered_at
        FROM disclosure.placement_notice AS n
        WHERE n.consumer = $1 AND n.void_at IS NULL
        ORDER BY n.made_at, n.notice_id"#,
        consumer.as_str(),
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter().map(NoticeRow::made).collect()
}

/// The notices that may still be told and have not been delivered, by district, oldest first, what takes another back before what is new.
pub(crate) async fn list_due(
    conn: &mut PgConnection,
    consumer: &ConsumerId,
    office: Option<&str>,
    at: DateTime<Utc>,
) -> Result<Vec<Made>, Error> {
    let rows = sqlx::query_as!(
        NoticeRow,
        r#"-- disclosure.list_due_placement_notices
        SELECT n.notice_id, n.placement_id, n.student_id, n.source_person_id, n.office, n.event, n.event_date, n.facility, n.retracts, n.names_nobody,
            n.released AS "released!: PgRange<DateTime<Utc>>", n.made_at, n.disclosed_at, n.delivered_at
        FROM disclosure.placement_notice AS n
        WHERE n.consumer = $1 AND n.delivered_at IS NULL AND n.void_at IS NULL AND ($2::text IS NULL OR n.office = $2)
            AND n.released @> $3::timestamptz
        ORDER BY n.office, n.made_at, n.event <> 'retracted', n.event, n.notice_id"#,
        consumer.as_str(),
        office,
        at,
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter().map(NoticeRow::made).collect()
}

/// Of these source persons those of whom an order keeps something back by which their district is found, or where they live. The transaction acts for the
/// state's own stewards.
pub(crate) async fn list_under_order(
    conn: &mut PgConnection,
    persons: &[SourcePersonId],
) -> Result<BTreeSet<SourcePersonId>, Error> {
    let ids: Vec<i64> = persons.iter().map(|person| person.0).collect();
    // Domains: 1 student, 2 enrollment, 9 contact.
    let found = sqlx::query_scalar!(
        r#"-- disclosure.list_placed_under_order
        SELECT DISTINCT o.source_person_id AS "person!" FROM history.under_order AS o
        WHERE o.source_person_id = ANY($1) AND o.domain IN (1, 2, 9)"#,
        &ids,
    )
    .fetch_all(conn)
    .await?;
    Ok(found.into_iter().map(SourcePersonId).collect())
}

/// Of these source persons those about whom any order is in force, whatever it keeps back. The transaction acts for the state's own stewards.
pub(crate) async fn list_under_any_order(
    conn: &mut PgConnection,
    persons: &[SourcePersonId],
) -> Result<BTreeSet<SourcePersonId>, Error> {
    let ids: Vec<i64> = persons.iter().map(|person| person.0).collect();
    let found = sqlx::query_scalar!(
        r#"-- disclosure.list_under_any_order
        SELECT DISTINCT o.source_person_id AS "person!" FROM history.under_order AS o WHERE o.source_person_id = ANY($1)"#,
        &ids,
    )
    .fetch_all(conn)
    .await?;
    Ok(found.into_iter().map(SourcePersonId).collect())
}

/// The twin of the decision: of these notices those that the activated terms permit at a moment, with clause and basis.
pub(crate) async fn list_permitted(
    conn: &mut PgConnection,
    consumer: &ConsumerId,
    notices: &[Uuid],
    (purpose, delivery, at): (&str, &str, DateTime<Utc>),
) -> Result<BTreeMap<Uuid, (String, String)>, Error> {
    let rows = sqlx::query!(
        r#"-- disclosure.list_permitted_placement_notices
        SELECT DISTINCT ON (n.notice_id) n.notice_id, r.clause AS "clause!", r.legal_basis AS "legal_basis!"
        FROM disclosure.placement_notice AS n
        JOIN agreements.rule AS r ON r.consumer = n.consumer AND r.person_key IS NULL
        WHERE n.consumer = $1 AND n.notice_id = ANY($2)
            AND r.domain = 1 AND 'state_id' = ANY(r.elements) AND r.legal_basis = 'ferpa_school_of_enrollment' AND r.requires_authority
            AND $3 = ANY(r.purposes) AND $4 = ANY(r.deliveries)
            AND r.valid_from <= $5 AND (r.valid_to IS NULL OR $5 < r.valid_to)
            AND n.released @> $5::timestamptz
        ORDER BY n.notice_id, r.basis_rank"#,
        consumer.as_str(),
        notices,
        purpose,
        delivery,
        at,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (row.notice_id, (row.clause, row.legal_basis))).collect())
}

pub(crate) async fn insert(
    conn: &mut PgConnection,
    consumer: &ConsumerId,
    new: &[Made],
    at: DateTime<Utc>,
) -> Result<(), Error> {
    let texts = |of: &dyn Fn(&Made) -> String| new.iter().map(of).collect::<Vec<String>>();
    sqlx::query!(
        "-- disclosure.insert_placement_notices
        INSERT INTO disclosure.placement_notice (notice_id, consumer, office, placement_id, student_id, source_person_id, event, event_date, facility,
            retracts, names_nobody, released, made_at)
        SELECT u.notice_id, $1, u.office, u.placement_id, u.student_id, u.source_person_id, u.event, u.event_date, u.facility, u.retracts,
            u.names_nobody, tstzrange(u.released_from, u.released_to), $2
        FROM UNNEST($3::uuid[], $4::text[], $5::uuid[], $6::uuid[], $7::bigint[], $8::text[], $9::date[], $10::text[], $11::uuid[], $12::boolean[],
                $13::timestamptz[], $14::timestamptz[])
            AS u (notice_id, office, placement_id, student_id, source_person_id, event, event_date, facility, retracts, names_nobody, released_from,
                released_to)",
        consumer.as_str(),
        at,
        &new.iter().map(|one| one.id).collect::<Vec<_>>(),
        &texts(&|one| one.office.clone()),
        &new.iter().map(|one| one.placement).collect::<Vec<_>>(),
        &new.iter().map(|one| one.student.0).collect::<Vec<_>>(),
        &new.iter().map(|one| one.person.0).collect::<Vec<_>>(),
        &texts(&|one| one.event.as_str().to_owned()),
        &new.iter().map(|one| one.event_date).collect::<Vec<_>>(),
        &texts(&|one| one.facility.clone()),
        &new.iter().map(|one| one.retracts).collect::<Vec<_>>() as &[Option<Uuid>],
        &new.iter().map(|one| one.names_nobody).collect::<Vec<_>>(),
        &new.iter().map(|one| one.released.0).collect::<Vec<_>>(),
        &new.iter().map(|one| one.released.1).collect::<Vec<_>>() as &[Option<DateTime<Utc>>],
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Marks notices that have not left as wrong: they never do.
pub(crate) async fn void(
    conn: &mut PgConnection,
    consumer: &ConsumerId,
    notices: &[Uuid],
    at: DateTime<Utc>,
) -> Result<(), Error> {
    sqlx::query!(
        "-- disclosure.void_placement_notices
        UPDATE disclosure.placement_notice SET void_at = $3 WHERE consumer = $1 AND notice_id = ANY($2) AND disclosed_at IS NULL",
        consumer.as_str(),
        notices,
        at,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Notes the entries of what leaves, in the transaction that writes them.
pub(crate) async fn record_disclosed(
    conn: &mut PgConnection,
    consumer: &ConsumerId,
    sent: &[(Uuid, Uuid)],
    at: DateTime<Utc>,
) -> Result<(), Error> {
    let (notices, entries): (Vec<Uuid>, Vec<Uuid>) = sent.iter().copied().unzip();
    let done = sqlx::query!(
        "-- disclosure.record_placement_notices
        UPDATE disclosure.placement_notice AS n SET disclosure_id = u.disclosure_id, disclosed_at = $4
        FROM UNNEST($2::uuid[], $3::uuid[]) AS u (notice_id, disclosure_id)
        WHERE n.consumer = $1 AND n.notice_id = u.notice_id AND n.void_at IS NULL",
        consumer.as_str(),
        &notices,
        &entries,
        at,
    )
    .execute(conn)
    .await?;
    if done.rows_affected() == sent.len() as u64 {
        return Ok(());
    }
    Err(Error::Corrupt("a placement notice that was just read is not there".to_owned()))
}

/// Notes that notices were delivered whole.
pub(crate) async fn confirm(
    conn: &mut PgConnection,
    consumer: &ConsumerId,
    notices: &[Uuid],
    at: DateTime<Utc>,
) -> Result<(), Error> {
    sqlx::query!(
        "-- disclosure.confirm_placement_notices
        UPDATE disclosure.placement_notice SET delivered_at = $3
        WHERE consumer = $1 AND notice_id = ANY($2) AND disclosed_at IS NOT NULL AND delivered_at IS NULL",
        consumer.as_str(),
        notices,
        at,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// A notice about somebody who was erased, which the district that was told must destroy.
#[derive(Clone, Debug)]
pub(crate) struct Destruction {
    /// Of the notice that tells it.
    pub(crate) id: Uuid,
    /// The notice as the district holds it.
    pub(crate) destroys: Uuid,
    /// Whose agreement it was told under.
    pub(crate) consumer: String,
    /// The district.
    pub(crate) office: String,
}

/// Forgets what was told of whoever is erased, whoever was told, and whichever of our students the person was then. Gives what perhaps has arrived: the
/// notice, under whose agreement, and to which district.
pub(crate) async fn erase(
    conn: &mut PgConnection,
    students: &[StudentId],
    persons: &[SourcePersonId],
) -> Result<Vec<(Uuid, String, String)>, Error> {
    let rows = sqlx::query!(
        r#"-- disclosure.erase_placement_notices
        DELETE FROM disclosure.placement_notice WHERE student_id = ANY($1) OR source_person_id = ANY($2)
        RETURNING notice_id, consumer, office, disclosed_at IS NOT NULL AS "has_left!""#,
        &students.iter().map(|student| student.0).collect::<Vec<Uuid>>(),
        &persons.iter().map(|person| person.0).collect::<Vec<i64>>(),
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().filter(|row| row.has_left).map(|row| (row.notice_id, row.consumer, row.office)).collect())
}

/// Keeps what districts are still to be told to destroy. The transaction acts for whoever erases.
pub(crate) async fn queue_destructions(
    conn: &mut PgConnection,
    queued: &[Destruction],
    at: DateTime<Utc>,
) -> Result<(), Error> {
    sqlx::query!(
        "-- disclosure.queue_placement_destructions
        INSERT INTO disclosure.placement_destruction (notice_id, destroys, consumer, office, queued_at)
        SELECT u.notice_id, u.destroys, u.consumer, u.office, $1
        FROM UNNEST($2::uuid[], $3::uuid[], $4::text[], $5::text[]) AS u (notice_id, destroys, consumer, office)",
        at,
        &queued.iter().map(|one| one.id).collect::<Vec<_>>(),
        &queued.iter().map(|one| one.destroys).collect::<Vec<_>>(),
        &queued.iter().map(|one| one.consumer.clone()).collect::<Vec<_>>(),
        &queued.iter().map(|one| one.office.clone()).collect::<Vec<_>>(),
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// What districts are still to be told to destroy, the oldest first.
pub(crate) async fn list_destructions(
    conn: &mut PgConnection,
    consumer: &ConsumerId,
    office: Option<&str>,
    limit: i64,
) -> Result<Vec<(Destruction, DateTime<Utc>)>, Error> {
    let rows = sqlx::query!(
        "-- disclosure.list_placement_destructions
        SELECT d.notice_id, d.destroys, d.consumer, d.office, d.queued_at
        FROM disclosure.placement_destruction AS d
        WHERE d.consumer = $1 AND ($2::text IS NULL OR d.office = $2)
        ORDER BY d.office, d.queued_at, d.notice_id LIMIT $3",
        consumer.as_str(),
        office,
        limit,
    )
    .fetch_all(conn)
    .await?;
    let queued = rows.into_iter().map(|row| {
        let (id, destroys, consumer, office) = (row.notice_id, row.destroys, row.consumer, row.office);
        (Destruction { id, destroys, consumer, office }, row.queued_at)
    });
    Ok(queued.collect())
}

/// Notes that these were entered, in the transaction that writes their entries.
pub(crate) async fn record_destructions(
    conn: &mut PgConnection,
    consumer: &ConsumerId,
    notices: &[Uuid],
    at: DateTime<Utc>,
) -> Result<(), Error> {
    let done = sqlx::query!(
        "-- disclosure.record_placement_destructions
        UPDATE disclosure.placement_destruction SET disclosed_at = $3 WHERE consumer = $1 AND notice_id = ANY($2)",
        consumer.as_str(),
        notices,
        at,
    )
    .execute(conn)
    .await?;
    if done.rows_affected() == notices.len() as u64 {
        return Ok(());
    }
    Err(Error::Corrupt("a notice to destroy that was just read is not there".to_owned()))
}

/// Forgets what was told to be destroyed, and has arrived.
pub(crate) async fn confirm_destructions(
    conn: &mut PgConnection,
    consumer: &ConsumerId,
    notices: &[Uuid],
) -> Result<(), Error> {
    sqlx::query!(
        "-- disclosure.confirm_placement_destructions
        DELETE FROM disclosure.placement_destruction WHERE consumer = $1 AND notice_id = ANY($2) AND disclosed_at IS NOT NULL",
        consumer.as_str(),
        notices,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Destroys what was told of placements, whatever became of it; how many. The transaction acts for whoever erases.
pub(crate) async fn delete_of_placements(
    conn: &mut PgConnection,
    consumer: &ConsumerId,
    placements: &[Uuid],
) -> Result<u64, Error> {
    let done = sqlx::query!(
        "-- disclosure.delete_placement_notices
        DELETE FROM disclosure.placement_notice WHERE consumer = $1 AND placement_id = ANY($2)",
        consumer.as_str(),
        placements,
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}
