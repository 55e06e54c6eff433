//! A draft held against real clients before anybody signs it. It discloses nothing: it gives sets of elements, never a grant.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use crate::{
    Agreements, Error,
    canonical::{Digest, canonical},
    decide::{Actor, Reason, Request, Subject, decide},
    document,
    element_set::ElementSet,
    in_force::{InForce, Plan},
    terms::{Delivery, Terms},
};

/// The terms of a draft, as if they were in force.
#[derive(Clone, Debug)]
pub struct Draft(Arc<InForce>);

/// What a version, drafted or in force, would be asked: everything, in one way, for one purpose.
#[derive(Clone, Copy, Debug)]
pub struct Trial<'a> {
    /// For what, by the purpose's id.
    pub purpose: &'a str,
    /// How it would leave.
    pub delivery: Delivery,
    /// When.
    pub at: DateTime<Utc>,
}

impl Draft {
    /// What the draft says.
    pub fn terms(&self) -> &Terms {
        self.0.terms()
    }

    /// The first instant at which it could be in force.
    pub fn begins_at(&self) -> DateTime<Utc> {
        self.0.plan().validity().from
    }

    /// Which elements it would disclose of a client, or why none.
    pub fn try_on(&self, trial: Trial<'_>, subject: &Subject<'_>) -> Result<ElementSet, Reason> {
        try_on(&self.0, trial, subject)
    }
}

/// Which elements a version in force discloses of a client to whomever it names first: the scheduled run, else a system.
pub fn try_on(in_force: &Arc<InForce>, trial: Trial<'_>, subject: &Subject<'_>) -> Result<ElementSet, Reason> {
    let terms = in_force.terms();
    let system = terms.access.systems.first().filter(|_| !terms.access.scheduled_runs);
    let names: Vec<String> = system.and_then(|system| system.san.clone()).into_iter().collect();
    let fingerprint = system.and_then(|system| system.fingerprint.as_deref()).unwrap_or_default();
    let request = Request {
        consumer: &terms.consumer,
        actor: if system.is_some() { Actor::System { names: &names, fingerprint } } else { Actor::ScheduledRun },
        purpose: trial.purpose,
        delivery: trial.delivery,
        office: None,
        elements: ElementSet::all(),
    };
    decide(&request, subject, in_force, trial.at).map(|grant| grant.elements()).map_err(|denial| denial.reason)
}

impl Agreements {
    /// Reads a draft and prepares it with the recipient's certifications on file. Nothing is stored.
    pub async fn draft(&self, conn: &mut PgConnection, document: &str) -> Result<Draft, Error> {
        let terms = document::parse(document)?;
        let digest = Digest::of(canonical(&terms)?.as_bytes());
        let certifications = self.certifications(conn, &terms.consumer).await?;
        Ok(Draft(Arc::new(InForce {
            plan: Arc::new(Plan::new(terms, digest)),
            activated_at: DateTime::<Utc>::MIN_UTC,
            ended: None,
            approved_by: ["nobody".to_owned(), "nobody".to_owned()],
            sandbox_approval: false,
            certifications,
        })))
    }
}
