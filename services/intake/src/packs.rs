//! Keeps the read model of those whom agencies ask about: nobody else is read often enough to be worth a copy.

use model::SourcePersonId;
use pg::{Pool, Role};

/// Persons packed in one transaction: an erasure waits for at most these.
const PERSONS: u32 = 500;

/// Why packing broke off. What was packed before is kept, and whoever has no pack is read from the facts.
#[derive(Debug, thiserror::Error)]
pub enum PackError {
    /// The database did not do its part.
    #[error("the database did not do its part")]
    Database(#[from] pg::Error),
    /// Packing failed.
    #[error("facts could not be packed")]
    History(#[from] history::Error),
    /// Who is a client could not be read.
    #[error("who is a client could not be read")]
    Identity(#[source] sqlx::Error),
}

impl From<sqlx::Error> for PackError {
    fn from(error: sqlx::Error) -> Self {
        Self::Identity(error)
    }
}

/// Packs every source person whose student is an agency's client, unless nothing has touched them since. Says how many it packed.
pub async fn refresh(pool: &Pool) -> Result<u64, PackError> {
    let mut packed = 0;
    let mut after = SourcePersonId(i64::MIN);
    loop {
        let (last, count) = pg::run_tx(pool, "intake.pack", Role::Identity, |tx| {
            Box::pin(async move {
                let persons = identity::population::list_released(tx, after, PERSONS).await?;
                tx.act_as(Role::Intake).await?;
                let count = history::pack::refresh(tx, &persons).await?;
                Ok::<_, PackError>((persons.last().copied(), count))
            })
        })
        .await?;
        packed += count;
        let Some(last) = last else { return Ok(packed) };
        after = last;
    }
}
