//! What a delivery as files can hold, and of which day it is.

use agreements::ElementSet;
use chrono::NaiveDate;
use model::Element;
use pg::Role;

use crate::{Ask, Context, Error, decided::set_moment};

/// What a delivery as files can hold, and of which day it is.
#[derive(Clone, Debug)]
pub struct Scope {
    /// The elements that its tables have columns for: all but those that must be named one by one (what reveals another agency, what is kept for
    /// the state's own files) and that no clause in force names. So a table has no
    /// column that could never be filled and whose name alone speaks of other agencies; whether one of the others is withheld from a client,
    /// their history says.
    pub elements: Vec<&'static Element>,
    /// The day of what is told, in the zone of the agreement.
    pub day: NaiveDate,
}

/// The scope of a delivery under the agreement in force; without one it has no elements, and whoever is asked about is refused.
///
/// # Errors
/// If the agreement cannot be read, or nobody vouches for it.
pub async fn scope(context: Context<'_>, ask: &Ask<'_>) -> Result<Scope, Error> {
    pg::transaction("disclosure.scope", Role::Agreements)
        .run(context.pool, |tx| {
            Box::pin(async move {
                let at = set_moment(tx, context, ask, Role::Agreements).await?;
                let told = ask.as_of.map_or(at, |as_of| as_of.min(at));
                let in_force = context.agreements.load_active(tx, ask.consumer, at).await?;
                let Some(in_force) = in_force else {
                    return Ok(Scope { elements: Vec::new(), day: told.date_naive() });
                };
                let terms = in_force.terms();
                let granted = terms.clauses.iter().fold(ElementSet::EMPTY, |all, clause| all.union(&clause.elements));
                let ordinary = ElementSet::all().minus(&ElementSet::guarded());
                let elements = ordinary.union(&granted).iter().collect();
                Ok::<_, Error>(Scope { elements, day: told.with_timezone(&terms.zone()).date_naive() })
            })
        })
        .await
}
