//! Whom a person of an agency is responsible for: the list from which they choose. It is the agency's own roster and shows nothing of the
//! state's; what the agreement gives of one of them is decided and recorded when that one is opened.

use agreements::{Actor, Reason, Scope, stands};
use chrono::{DateTime, Utc};
use identity::roster::{Responsible, Supervised, list_supervised};
use pg::Role;

use crate::{
    Ask, Context, Error,
    decided::{request, set_moment},
};

/// Clients of a list at most: nobody has so many, and a page that says so is better than one that never comes.
pub const CASELOAD_MAX: u32 = 10_000;

/// The clients of a person, at a moment.
#[derive(Clone, Debug)]
pub struct Caseload {
    /// By name.
    pub clients: Vec<Supervised>,
    /// Whether there are more than [`CASELOAD_MAX`].
    pub is_cut: bool,
    /// The moment.
    pub at: DateTime<Utc>,
    /// The zone that days are meant in.
    pub zone: chrono_tz::Tz,
}

/// The clients whom a person may ask about, as far as the agreement's role and the agency's roster say: their own, their office's or all.
///
/// # Errors
/// [`Error::Denied`] if the agreement in force does not admit the person at all: the reason is about them and not about a student.
pub async fn list_caseload(context: Context<'_>, ask: &Ask<'_>) -> Result<Caseload, Error> {
    pg::transaction("disclosure.caseload", Role::Agreements)
        .keep_plans()
        .run(context.pool, |tx| {
            Box::pin(async move {
                let at = set_moment(tx, context, ask, Role::Agreements).await?;
                let in_force = context.agreements.load_active(tx, ask.consumer, at).await?;
                let in_force = in_force.ok_or(Error::Denied(Reason::NoAgreement))?;
                stands(&request(ask, &in_force), &in_force, at).map_err(Error::Denied)?;
                let responsible = responsible(ask.actor, &in_force.terms().access.roles).map_err(Error::Denied)?;
                tx.act_as(Role::Identity).await?;
                let mut clients = list_supervised(tx, ask.consumer, responsible, at, CASELOAD_MAX + 1).await?;
                let is_cut = clients.len() > CASELOAD_MAX as usize;
                clients.truncate(CASELOAD_MAX as usize);
                Ok::<_, Error>(Caseload { clients, is_cut, at, zone: in_force.terms().zone() })
            })
        })
        .await
}

/// Whose clients a person sees. One without an office or an officer's id, where the role needs it, sees none.
pub(crate) fn responsible<'a>(actor: Actor<'a>, roles: &[agreements::Role]) -> Result<Responsible<'a>, Reason> {
    let Actor::Person { role, office, officer, .. } = actor else { return Err(Reason::RoleNotAgreed) };
    match roles.iter().find(|one| one.name == role).map(|one| one.scope) {
        Some(Scope::Caseload) => officer.map(Responsible::Officer).ok_or(Reason::RoleNotAgreed),
        Some(Scope::OwnOffice) => office.map(Responsible::Office).ok_or(Reason::OfficeNotAgreed),
        Some(Scope::Agency) => Ok(Responsible::Agency),
        None => Err(Reason::RoleNotAgreed),
    }
}
