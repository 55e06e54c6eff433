//! The right to do something alone, across all programs on one database.

use sqlx::{Connection as _, PgConnection};

use crate::{Error, Pool};

/// Something that nobody else does meanwhile: held by a connection of its own, and free once that is closed, however it is closed.
#[derive(Debug)]
pub struct Lease {
    connection: PgConnection,
}

impl Lease {
    /// Takes the lease of a name; `None`: another holds it.
    pub async fn take(pool: &Pool, name: &str) -> Result<Option<Self>, Error> {
        let mut connection = pool.acquire().await?.detach();
        let taken = sqlx::query_scalar!(
            r#"-- pg.take_lease
            SELECT pg_try_advisory_lock(hashtextextended('lease ' || $1, 0)) AS "taken!""#,
            name,
        )
        .fetch_one(&mut connection)
        .await?;
        if taken {
            return Ok(Some(Self { connection }));
        }
        connection.close().await?;
        Ok(None)
    }

    /// Gives it back.
    pub async fn give_back(self) -> Result<(), Error> {
        Ok(self.connection.close().await?)
    }
}
