//! A refusal is the work of an answer: whoever is asked about, the database is given the very same statements in the same order, so that neither
//! their number nor the time they take tells whether the state knows a person.

use std::sync::{Mutex, PoisonError};

use proto::summary::v1::{Format, GetSummaryRequest, summary_service_client::SummaryServiceClient};
use tracing::field::{Field, Visit};
use tracing_subscriber::{Layer, layer::Context, layer::SubscriberExt as _};

use super::*;

/// The statements that connections were given, in their order.
#[derive(Clone, Default)]
struct Heard(Arc<Mutex<Vec<String>>>);

impl Heard {
    /// What was heard since the last question.
    fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl<S: tracing::Subscriber> Layer<S> for Heard {
    fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
        if event.metadata().target() == "sqlx::query" {
            let mut statement = Statement::default();
            event.record(&mut statement);
            self.0.lock().unwrap_or_else(PoisonError::into_inner).push(statement.text());
        }
    }
}

/// A statement as the driver tells it: its beginning, and all of it where that is more.
#[derive(Default)]
struct Statement {
    beginning: String,
    whole: String,
}

impl Statement {
    fn text(self) -> String {
        let text = if self.whole.trim().is_empty() { self.beginning } else { self.whole };
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    }
}

impl Visit for Statement {
    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "summary" => value.clone_into(&mut self.beginning),
            "db.statement" => value.clone_into(&mut self.whole),
            _ => {}
        }
    }

    fn record_debug(&mut self, _: &Field, _: &dyn std::fmt::Debug) {}
}

/// Clients of DCF's roster beside the one in care, each for another reason without an answer: out of care since June, in care from December on, not
/// known to the state, and in care but not certainly anybody.
const REFUSED: [(&str, &str, &str); 4] =
    [("D2", "2026-01-01", "2026-06-30"), ("D3", "2026-12-20", ""), ("D4", "2026-10-01", ""), ("D5", "2026-10-01", "")];

async fn prepared() -> Served {
    let mut world = World::new(&["dcf", "cssd", "sea"]).await;
    let sasids: Vec<String> = (0..6).map(sasid).collect();
    let records = |of: fn(&str) -> crate::world::Record<'_>| sasids.iter().map(|one| of(one)).collect::<Vec<_>>();
    world.load("sasid-2.1x", &records(registration), loaded_at()).await;
    world.load("ct-student", &records(snapshot), loaded_at()).await;
    let rows: Vec<String> = std::iter::once(("D1", "2026-10-01", "2026-12-01"))
        .chain(REFUSED)
        .map(|(person, from, to)| in_care(person, from, to))
        .collect();
    world.roster("dcf", "2026-11-19", &rows, loaded_at()).await;
    for (person, sasid) in ["D1", "D2", "D3", "D5"].iter().zip(&sasids) {
        world.link("dcf", person, sasid).await;
    }
    let doubt = "UPDATE identity.match_decision AS m SET outcome = 'review', decided_by = 'engine/1', probability = 0.9
        FROM identity.client AS c WHERE c.client_id = m.client_id AND c.person_key = 'D5'";
    world.force(doubt).await;
    world.rebuild("dcf").await;
    world.roster("cssd", "2026-11-19", &[supervised("C1", "juvenile_justice", "pre_adjudication")], loaded_at()).await;
    world.link("cssd", "C1", &sasids[4]).await;
    world.db.pool = world.db.pool_that_tells().await;
    Served::start(world, Limits::default()).await
}

#[tokio::test]
async fn a_refusal_is_made_of_the_statements_of_an_answer() {
    let heard = Heard::default();
    // The server, its callers and their connections are all of this thread.
    // With one subscriber alone a callsite asks the thread that comes to it first: another test's, which wants to hear nothing.
    let _beside = tracing::Dispatch::new(tracing_subscriber::registry());
    let _hearing = tracing::subscriber::set_default(tracing_subscriber::registry().with(heard.clone()));
    let served = prepared().await;
    let mut histories = HistoryServiceClient::new(served.connect("dcf").await);
    let mut summaries = SummaryServiceClient::new(served.connect("dcf").await);
    let summary = |id: &str| GetSummaryRequest {
        person_id: id.to_owned(),
        format: Format::Html.into(),
        ..GetSummaryRequest::default()
    };
    // What is read once in a program's life, and terms that are new once in a ledger's, are behind these.
    for id in ["D1", "X0"] {
        let _ = histories.get_history(person(id)).await;
        let _ = summaries.get_summary(summary(id)).await;
    }
    heard.take();
    assert!(histories.get_history(person("D1")).await.is_ok());
    let of_history = heard.take();
    assert!(summaries.get_summary(summary("D1")).await.is_ok());
    let of_summary = heard.take();
    for (what, statements) in [("history", &of_history), ("summary", &of_summary)] {
        for needed in ["disclosure.list_permitted_facts", "agreements.find_head", "COMMIT"] {
            assert!(statements.iter().any(|one| one.contains(needed)), "{what}: no {needed} among {statements:#?}");
        }
    }
    // Of other agencies' clients, of nobody, of the state's own id, and of each of its own whom it may not have.
    let own = sasid(0);
    let others = ["C1", "X1", own.as_str()];
    let mut answers = BTreeSet::new();
    for id in REFUSED.iter().map(|(id, ..)| *id).chain(others) {
        let refused = histories.get_history(person(id)).await.unwrap_err();
        assert_eq!(refused.code(), Code::PermissionDenied);
        answers.insert(format!("{:?}", told(&refused)));
        assert_eq!(heard.take(), of_history, "the history of {id}");
        answers.insert(format!("{:?}", told(&summaries.get_summary(summary(id)).await.unwrap_err())));
        assert_eq!(heard.take(), of_summary, "the summary of {id}");
    }
    assert_eq!(answers.len(), 1, "{answers:?}");
    // An id that was used is looked up, and nothing is asked about whoever is named.
    let under =
        |person_id: &str| GetHistoryRequest { request_id: uuid::Uuid::from_u128(7).to_string(), ..person(person_id) };
    assert!(histories.get_history(under("X0")).await.is_err());
    heard.take();
    let mut told_of_used = BTreeSet::new();
    for id in REFUSED.iter().map(|(id, ..)| *id).chain(["D1"]).chain(others) {
        let refused = histories.get_history(under(id)).await.unwrap_err();
        assert_eq!(reason_of(&refused), "REQUEST_ID_USED");
        told_of_used.insert((told(&refused).2, heard.take()));
    }
    let [(_, statements)] = &told_of_used.into_iter().collect::<Vec<_>>()[..] else { panic!("one answer for all") };
    assert!(statements.iter().any(|one| one.contains("ledger.find_request")), "{statements:#?}");
    assert!(!statements.iter().any(|one| one.contains("identity.")), "{statements:#?}");
    served.end().await;
}
