//! What a district's re-entry coordinator is told: that a student of the district was placed in a facility, or has left it; and that an earlier notice was
//! wrong, or must be destroyed.
//!
//! Each look at the page discloses what has not been taken yet, each notice with its entry, whose digest is that of the notice's own part of the page. A notice
//! stays on the page, and in the files of a night, until the coordinator says that it was taken: a page that was lost on the way is looked at again.

use std::time::Duration;

use agreements::{Delivery, Reason};
use askama::Template;
use axum::response::Response;
use disclosure::{Ask, DisclosedNotice, PlacementEvent, PlacementNotice, Reporter, RunTotals};
use hyper::StatusCode;
use model::ConsumerId;
use sha2::{Digest as _, Sha256};
use tokio::time::sleep;
use uuid::Uuid;

use super::{Shell, caseload::ask, sheet::sent};
use crate::{
    error::Failure,
    session::Session,
    visit::{Visit, page, redirect},
    words::{Language, Words},
};

/// Where notices are.
pub(super) const NOTICES: &str = "/notices";
/// Notices that are taken with one form, whose body is limited.
const TAKEN_MAX: usize = 150;
/// While a run for the same recipient goes on, which makes and marks the same notices, the page waits this often, so long each time.
const LEASE_ATTEMPTS: u32 = 10;
const LEASE_WAIT: Duration = Duration::from_millis(100);

#[derive(Template)]
#[template(path = "notices.html")]
struct List<'v> {
    shell: Shell<'v>,
    /// What the coordinator may do with them, as the agreement has it.
    limits: Option<String>,
    /// Each as it was entered.
    rows: Vec<String>,
    is_cut: bool,
    /// What is sent back when they were taken.
    receipt: String,
}

/// A notice: exactly the bytes whose digest is entered.
#[derive(Template)]
#[template(path = "notice.html")]
struct Row<'n> {
    words: &'n Words,
    /// `None`: the notice is about an earlier one alone.
    state_id: Option<&'n str>,
    event: &'n str,
    is_alarm: bool,
    id: Uuid,
    earlier: Option<Uuid>,
    day: String,
    facility: String,
    unit: &'n str,
    made: String,
}

/// What a coordinator asks with: as a run for their own district and no other.
fn ask_for(session: &Session, run: Uuid) -> Result<Ask<'_>, Failure> {
    let office = session.person.standing.office.as_deref().ok_or(Failure::Denied(Reason::OfficeNotAgreed))?;
    Ok(Ask { office: Some(office), run: Some(run), ..ask(session, Delivery::File) })
}

/// What waits for the coordinator.
pub(super) async fn show(visit: &mut Visit<'_>) -> Result<Response, Failure> {
    let visit = &*visit;
    let session = visit.coordinator()?;
    let (portal, words) = (visit.portal, visit.words());
    let standing = &session.person.standing;
    let ask = ask_for(session, portal.deps.entropy.uuid())?;
    let (mut all, mut is_cut) = (Vec::new(), false);
    let lease = lease(visit, &standing.consumer).await?;
    let told_by = portal.consumer(&standing.consumer).map(|one| one.told_by.clone()).unwrap_or_default();
    for by in &told_by {
        let reporter = Reporter { consumer: &by.consumer, sea: &by.sea, zone: by.zone };
        let encode = |notice: &PlacementNotice| encoded(words, notice, by.zone);
        let told = disclosure::disclose_notices(portal.disclosure(), &ask, reporter, &encode).await?;
        is_cut |= told.is_cut;
        all.extend(told.disclosed);
    }
    if !all.is_empty() {
        disclosure::complete_run(portal.disclosure(), &ask, totals(&all)).await?;
    }
    lease.give_back().await?;
    let taken: Vec<Uuid> = all.iter().take(TAKEN_MAX).map(|one| one.notice.id()).collect();
    let list = List {
        shell: Shell::new(visit, &words.notices),
        limits: all.iter().find(|one| one.notice.state_id().is_some()).map(|one| one.notice.notice().to_owned()),
        rows: all.iter().map(|one| String::from_utf8_lossy(&one.bytes).into_owned()).collect(),
        is_cut: is_cut || all.len() > TAKEN_MAX,
        receipt: session.receipt(&taken),
    };
    Ok(page(StatusCode::OK, list.render()?))
}

/// Notes that what was shown was taken: it is not shown again.
pub(super) async fn take(visit: &mut Visit<'_>) -> Result<Response, Failure> {
    let visit = &*visit;
    let session = visit.coordinator()?;
    visit.check_form()?;
    let ask = ask_for(session, visit.portal.deps.entropy.uuid())?;
    let notices = session.notices(sent(visit, "receipt")).ok_or(Failure::Invalid)?;
    disclosure::confirm_notices(visit.portal.disclosure(), &ask, &notices).await?;
    Ok(redirect(NOTICES))
}

/// Keeps runs for this recipient away, by the name that they take it under (`App::lease_deliveries`).
async fn lease(visit: &Visit<'_>, recipient: &ConsumerId) -> Result<pg::Lease, Failure> {
    for _ in 0..LEASE_ATTEMPTS {
        if let Some(lease) = pg::Lease::take(&visit.portal.deps.pool, &format!("deliveries of {recipient}")).await? {
            return Ok(lease);
        }
        sleep(LEASE_WAIT).await;
    }
    Err(Failure::unavailable("a run for the same recipient is under way"))
}

fn totals(all: &[DisclosedNotice]) -> RunTotals {
    let mut digest = Sha256::new();
    for one in all {
        digest.update(&one.bytes);
    }
    RunTotals { histories: all.len() as u64, digest: digest.finalize().into(), ..RunTotals::default() }
}

fn encoded(words: &Words, notice: &PlacementNotice, zone: chrono_tz::Tz) -> Vec<u8> {
    let event = match notice.event() {
        PlacementEvent::Entered => &words.notice_entered,
        PlacementEvent::Left => &words.notice_left,
        PlacementEvent::Retracted => &words.notice_retracted,
        PlacementEvent::Destroy => &words.notice_destroy,
    };
    let facility = notice.facility().map(|(code, name)| match name {
        Some(name) => format!("{name} ({code})"),
        None => code.to_owned(),
    });
    let row = Row {
        words,
        state_id: notice.state_id().map(|id| id.expose().as_str()),
        event,
        is_alarm: matches!(notice.event(), PlacementEvent::Retracted | PlacementEvent::Destroy),
        id: notice.id(),
        earlier: notice.retracts(),
        day: notice.event_date().map(Language::day).unwrap_or_default(),
        facility: facility.unwrap_or_default(),
        unit: notice.educating_unit().unwrap_or_default(),
        made: Language::day_of(notice.made_at(), zone),
    };
    // Cannot fail: it is written to memory.
    row.render().unwrap_or_default().into_bytes()
}
