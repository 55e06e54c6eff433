//! What the portal holds of a student who is erased: who looked at the record, by digest, and what looked wrong in it, in words.

use model::{ConsumerId, Masked, StudentId};
use pg::{Role, Tx};
use uuid::Uuid;

use crate::store::{look, report};

/// Forgets looks at students, or at clients by their agencies' own ids, and what was reported on them, in the caller's transaction; it acts as
/// steward afterwards. Of one fact that goes too: a note may quote it.
pub async fn erase(
    tx: &mut Tx<'_, '_>,
    students: &[StudentId],
    clients: &[(ConsumerId, Masked<String>)],
) -> Result<(), pg::Error> {
    let students: Vec<Uuid> = students.iter().map(|student| student.0).collect();
    let consumers: Vec<String> = clients.iter().map(|(consumer, _)| consumer.to_string()).collect();
    let person_keys: Vec<String> = clients.iter().map(|(_, key)| key.expose().clone()).collect();
    tx.act_as(Role::Steward).await?;
    look::erase(tx, &students, (&consumers, &person_keys)).await?;
    report::erase(tx, &students, (&consumers, &person_keys)).await?;
    Ok(())
}
