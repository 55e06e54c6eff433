//! What is remembered of deliveries to a client who is erased.

use model::StudentId;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::Error;

/// Forgets what the transaction's consumer holds of a student, or of these clients.
pub(crate) async fn delete_held(
    conn: &mut PgConnection,
    students: &[StudentId],
    person_keys: &[String],
) -> Result<(), Error> {
    sqlx::query!(
        "-- disclosure.delete_held
        DELETE FROM disclosure.delivered WHERE student_id = ANY($1) OR person_key = ANY($2)",
        &students.iter().map(|student| student.0).collect::<Vec<Uuid>>(),
        person_keys,
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query!(
        "-- disclosure.delete_withdrawals
        DELETE FROM disclosure.withdrawal WHERE student_id = ANY($1) OR person_key = ANY($2)",
        &students.iter().map(|student| student.0).collect::<Vec<Uuid>>(),
        person_keys,
    )
    .execute(conn)
    .await?;
    Ok(())
}
