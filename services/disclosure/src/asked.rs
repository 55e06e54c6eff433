//! Asking for a record of disclosures that is not one student's: of a school, or of a request. Who is of the school is read from what was
//! reported; that it was asked is entered before anything of the record leaves.

use std::collections::BTreeSet;

use ledger::Since;
use model::{Sea, StudentId};
use pg::Role;

use crate::{
    Ask, Context, Error,
    decided::set_moment,
    inspect::{record_look, record_look_at},
    store, trace,
};

/// Why what was written about a record is not opened.
const UNDER_SEAL: Error = Error::Invalid(
    "it is about records that are sealed or expunged, and is not opened; that it was asked for is on record",
);

/// A school or district, by the code that its state gives it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct School {
    /// The state.
    pub sea: Sea,
    /// The code.
    pub code: String,
}

/// The students of whom a school or district has reported an enrollment, or who were enrolled in it by another's report, each with the time of the
/// first such report: nothing that was disclosed before held the school's records. Whoever is under seal is left out.
pub async fn list_students_of(context: Context<'_>, own: &Ask<'_>, school: &School) -> Result<Vec<Since>, Error> {
    pg::transaction("disclosure.students_of", Role::Steward)
        .run(context.pool, |tx| {
            Box::pin(async move {
                set_moment(tx, context, own, Role::Steward).await?;
                store::list_students_of(tx, own.consumer, school).await
            })
        })
        .await
}

/// Enters that somebody of the SEA asks for a record of disclosures: of what, for whom, and which students it is about. Refuses, and enters the refusal,
/// where the SEA's own agreement does not let them look. `of`: the one student it is about, if it is about one.
pub async fn record_asking(
    context: Context<'_>,
    own: &Ask<'_>,
    (what, students): (&str, &BTreeSet<StudentId>),
    of: Option<StudentId>,
) -> Result<(), Error> {
    let outcome = pg::transaction("disclosure.record_asking", Role::Steward)
        .run(context.pool, |tx| {
            Box::pin(async move {
                let at = set_moment(tx, context, own, Role::Steward).await?;
                match of {
                    Some(student) => record_look_at(tx, context, own, (what, Some(student)), at).await,
                    None => record_look(tx, context, own, (what, students), at).await,
                }
            })
        })
        .await?;
    outcome.map_err(Error::Denied)
}

/// Enters that somebody of the SEA opens what a person wrote about one student's record. It may quote the record: where any of that is sealed or expunged
/// it is not to be opened, and the refusal is entered. Refuses too, and enters that, where the SEA's own agreement does not let them look.
pub async fn record_opening(context: Context<'_>, own: &Ask<'_>, what: &str, student: StudentId) -> Result<(), Error> {
    let outcome = pg::transaction("disclosure.record_opening", Role::Steward)
        .run(context.pool, |tx| {
            Box::pin(async move {
                let at = set_moment(tx, context, own, Role::Steward).await?;
                tx.act_as(Role::Identity).await?;
                let (persons, is_sealed) = identity::inspection::list_persons(tx, student, at).await?;
                tx.act_as(Role::Steward).await?;
                if is_sealed || store::trace::has_sealed(tx, &persons).await? {
                    trace::refuse_sealed(tx, context, own, (what, &BTreeSet::from([student])), at).await?;
                    return Ok(None);
                }
                Ok::<_, Error>(Some(record_look_at(tx, context, own, (what, Some(student)), at).await?))
            })
        })
        .await?;
    outcome.ok_or(UNDER_SEAL)?.map_err(Error::Denied)
}
