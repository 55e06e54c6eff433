//! Sessions: a secret in the browser, its hash in the database, and what follows from it.

use chrono::{DateTime, TimeDelta, Utc};
use model::Masked;
use pg::Role;
use uuid::Uuid;

use crate::{
    error::{Failure, Why},
    oidc::Identified,
    person::{Person, Standing, Work},
    seal::Secret,
    server::Portal,
    store::{self, SessionRow},
};

/// Somebody signed in.
pub(crate) struct Session {
    secret: Secret,
    pub(crate) person: Person,
    /// What a form of this session carries.
    pub(crate) form_token: String,
}

impl Session {
    fn new(secret: Secret, person: Person) -> Self {
        let form_token = secret.derive("form").to_text();
        Self { secret, person, form_token }
    }

    /// How a client is addressed in this session, and in no other.
    pub(crate) fn handle(&self, person_key: &Masked<String>) -> String {
        self.handles().seal(person_key.expose())
    }

    /// Whom a handle means; `None`: it was not made in this session.
    pub(crate) fn client(&self, handle: &str) -> Option<Masked<String>> {
        self.handles().open(handle).map(Masked::new)
    }

    /// What a form of this session gives back unchanged, and nobody can make: a list of notices that were shown.
    pub(crate) fn receipt(&self, notices: &[Uuid]) -> String {
        let ids: Vec<String> = notices.iter().map(|id| id.simple().to_string()).collect();
        self.receipts().seal(&ids.join(" "))
    }

    /// The notices of such a list; `None`: it was not made in this session.
    pub(crate) fn notices(&self, receipt: &str) -> Option<Vec<Uuid>> {
        self.receipts().open(receipt)?.split(' ').map(|id| id.parse().ok()).collect()
    }

    fn receipts(&self) -> Secret {
        self.secret.derive("receipt")
    }

    fn handles(&self) -> Secret {
        self.secret.derive("client")
    }
}

/// What somebody's pages are about. For the SEA's own people their agreement in force says it, each time: one that is over or suspended lets nobody in.
pub(crate) async fn work(portal: &Portal, session: &Session) -> Result<Option<Work>, Failure> {
    let standing = &session.person.standing;
    let Some(consumer) = portal.consumer(&standing.consumer) else { return Ok(None) };
    if !consumer.is_own {
        let is_told = !consumer.told_by.is_empty();
        return Ok(if consumer.has_roster { Some(Work::Clients) } else { is_told.then_some(Work::Notices) });
    }
    let (agreements, at) = (&portal.deps.agreements, portal.deps.clock.now());
    let in_force = pg::run_tx(&portal.deps.pool, "portal.own_agreement", Role::Agreements, |tx| {
        Box::pin(async move { agreements.load_active(tx, &standing.consumer, at).await })
    });
    let in_force = in_force.await.map_err(Failure::of)?.filter(|one| one.ended().is_none());
    let terms = in_force.as_ref().map(|one| one.terms()).filter(|terms| terms.validity().contains(at));
    Ok(terms.and_then(|terms| Work::in_force(terms, &standing.role)))
}

fn millis(ms: u64) -> TimeDelta {
    TimeDelta::milliseconds(i64::try_from(ms).unwrap_or(i64::MAX / 2))
}

/// Begins a session for somebody; what their browser holds.
pub(crate) async fn begin(portal: &Portal, who: &Identified, standing: &Standing) -> Result<String, Failure> {
    let secret = Secret::draw(&*portal.deps.entropy);
    let (at, limits) = (portal.deps.clock.now(), &portal.config.limits);
    let row = SessionRow {
        issuer: who.issuer.clone(),
        subject: who.subject.clone(),
        person_name: who.name.expose().clone(),
        consumer: standing.consumer.to_string(),
        role: standing.role.clone(),
        office: standing.office.clone(),
        officer: standing.officer.clone(),
        trained_on: standing.trained_on,
        access_token: secret.derive("token").seal(&who.access_token).into_bytes(),
        checked_at: at,
    };
    let over =
        (at - millis(limits.session_ms), at - millis(limits.session_idle_ms), at - millis(limits.sign_in_ms) * 2);
    pg::run_tx(&portal.deps.pool, "portal.begin_session", Role::Portal, |tx| {
        let (row, hash) = (&row, secret.hash());
        Box::pin(async move {
            store::sweep(tx, over).await?;
            store::insert_session(tx, &hash, row).await?;
            Ok::<_, pg::Error>(())
        })
    })
    .await?;
    sweep_notes(portal, at).await?;
    Ok(secret.to_text())
}

/// Forgets looks at records and reports whose time is over: of those that wait for an answer, twice the time.
async fn sweep_notes(portal: &Portal, at: DateTime<Utc>) -> Result<(), Failure> {
    let time = TimeDelta::days(i64::from(portal.config.limits.notes_days));
    let before = at - time;
    pg::run_tx(&portal.deps.pool, "portal.sweep_notes", Role::Steward, |tx| {
        Box::pin(async move {
            store::look::sweep(tx, before).await?;
            store::report::sweep(tx, (before, before - time)).await?;
            Ok::<_, pg::Error>(())
        })
    })
    .await?;
    Ok(())
}

/// Who holds this cookie now. The issuer is asked again when it was not for a while, and a session ends when it says something else.
pub(crate) async fn find(portal: &Portal, cookie: &str) -> Result<Option<Session>, Failure> {
    let Some(secret) = Secret::of_text(cookie) else { return Ok(None) };
    let (at, limits) = (portal.deps.clock.now(), &portal.config.limits);
    let after = (at - millis(limits.session_ms), at - millis(limits.session_idle_ms));
    let hash = secret.hash();
    let row = pg::run_tx(&portal.deps.pool, "portal.find_session", Role::Portal, |tx| {
        Box::pin(async move { Ok::<_, pg::Error>(store::touch_session(tx, &hash, at, after).await?) })
    })
    .await?;
    let Some(row) = row else { return Ok(None) };
    let Some(person) = person(&row) else { return Ok(None) };
    if at - row.checked_at >= millis(limits.recheck_ms) {
        check(portal, &secret, &row, &person, at).await?;
    }
    Ok(Some(Session::new(secret, person)))
}

/// Whether the issuer still says the same of somebody. If it cannot be asked nothing is shown; if it says something else the session is over.
async fn check(
    portal: &Portal,
    secret: &Secret,
    row: &SessionRow,
    person: &Person,
    at: DateTime<Utc>,
) -> Result<(), Failure> {
    let token = std::str::from_utf8(&row.access_token).ok().and_then(|sealed| secret.derive("token").open(sealed));
    let claims = match token {
        Some(token) => portal.oidc.ask_again(token, &person.subject, at).await?,
        None => None,
    };
    let names = &portal.oidc.issuer().claims;
    let standing = claims.and_then(|claims| Standing::of(&claims, names, &portal.roles()));
    let hash = secret.hash();
    if standing.as_ref() == Some(&person.standing) {
        pg::run_tx(&portal.deps.pool, "portal.note_checked", Role::Portal, |tx| {
            Box::pin(async move { Ok::<_, pg::Error>(store::note_checked(tx, &hash, at).await?) })
        })
        .await?;
        return Ok(());
    }
    end_hash(portal, hash).await?;
    tracing::info!("a session was ended: the issuer says something else of its person");
    Err(Failure::SignedOut(Why::Changed))
}

fn person(row: &SessionRow) -> Option<Person> {
    Some(Person {
        issuer: row.issuer.clone(),
        subject: row.subject.clone(),
        name: Masked::new(row.person_name.clone()),
        standing: Standing {
            consumer: row.consumer.parse().ok()?,
            role: row.role.clone(),
            office: row.office.clone(),
            officer: row.officer.clone(),
            trained_on: row.trained_on,
        },
    })
}

/// Ends the session of a cookie, if there is one.
pub(crate) async fn end(portal: &Portal, cookie: &str) -> Result<(), Failure> {
    match Secret::of_text(cookie) {
        Some(secret) => end_hash(portal, secret.hash()).await,
        None => Ok(()),
    }
}

async fn end_hash(portal: &Portal, hash: [u8; 32]) -> Result<(), Failure> {
    pg::run_tx(&portal.deps.pool, "portal.end_session", Role::Portal, |tx| {
        Box::pin(async move { Ok::<_, pg::Error>(store::delete_session(tx, &hash).await?) })
    })
    .await?;
    Ok(())
}

/// Ends all sessions of somebody, wherever they are.
pub(crate) async fn end_all(portal: &Portal, person: &Person) -> Result<(), Failure> {
    pg::run_tx(&portal.deps.pool, "portal.end_sessions", Role::Portal, |tx| {
        Box::pin(
            async move { Ok::<_, pg::Error>(store::delete_sessions_of(tx, &person.issuer, &person.subject).await?) },
        )
    })
    .await?;
    Ok(())
}

/// Uses up a sign-in; whether it was not before.
pub(crate) async fn use_sign_in(portal: &Portal, state: &str) -> Result<bool, Failure> {
    let (hash, at) = (crate::seal::hash_of(state), portal.deps.clock.now());
    let is_first = pg::run_tx(&portal.deps.pool, "portal.use_sign_in", Role::Portal, |tx| {
        Box::pin(async move { Ok::<_, pg::Error>(store::use_sign_in(tx, &hash, at).await?) })
    })
    .await?;
    Ok(is_first)
}
