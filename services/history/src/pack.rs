//! The read model: packs, each a copy of the current facts of a person in one domain.
//!
//! A pack is made from the facts alone and never consulted when something is recorded. It is used only while nothing has touched the person since, which
//! the reading statement asks in the same moment; so a pack that is late, or missing, costs time and nothing else. A change or an erasure of a fact drops
//! its pack in the database itself.

use model::SourcePersonId;
use sqlx::PgConnection;

use crate::{Error, store::pack as store};

/// Makes the packs of those of these persons that have none or stale ones. Says how many persons that were. Call it with chunks of a bounded size, each
/// in a transaction of its own: erasures wait for it.
pub async fn refresh(conn: &mut PgConnection, persons: &[SourcePersonId]) -> Result<u64, Error> {
    // In this order: what is seen after the lock is not erased before the end.
    store::lock(conn).await?;
    let due = store::list_due(conn, persons).await?;
    if due.is_empty() {
        return Ok(0);
    }
    store::delete(conn, &due).await?;
    store::insert(conn, &due).await?;
    Ok(due.len() as u64)
}
