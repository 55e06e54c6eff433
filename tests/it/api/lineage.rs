//! Back to the lines that files came with: for the state education agency's own system, and nobody else.

use proto::history::v1::{BatchLine, TraceLineageRequest, trace_lineage_request::Subject};

use super::*;

fn of(subject: Option<Subject>, domain: &str) -> TraceLineageRequest {
    TraceLineageRequest { steward: "ann".to_owned(), subject, domain: domain.to_owned(), request_id: String::new() }
}

fn line(batch: i64, line: i64) -> TraceLineageRequest {
    of(Some(Subject::BatchLine(BatchLine { batch, line })), "")
}

async fn accesses(served: &Served) -> usize {
    served.world.entries().await.iter().filter(|entry| entry.kind == "access").count()
}

#[tokio::test]
async fn a_value_leads_back_to_its_line_after_the_access_is_entered() {
    let served = served(2, Limits::default()).await;
    let student = served.world.ask("dcf", "D10", moment()).await.unwrap().history.student();
    let incident = || of(Some(Subject::StudentId(student.0.to_string())), "discipline");
    for who in ["dcf", "cssd"] {
        let mut stranger = HistoryServiceClient::new(served.connect(who).await);
        for asked in [incident(), line(1, 2), TraceLineageRequest::default()] {
            assert_eq!(stranger.trace_lineage(asked).await.unwrap_err().code(), Code::PermissionDenied);
        }
    }
    assert_eq!(accesses(&served).await, 0);

    let mut own = HistoryServiceClient::new(served.connect("sea").await);
    let lines = own.trace_lineage(incident()).await.unwrap().into_inner().lines;
    assert_eq!((lines.len(), accesses(&served).await), (1, 1));
    let traced = &lines[0];
    assert_eq!((traced.layout.as_str(), traced.file_sha256.len(), traced.shared), ("ct-discipline", 32, false));
    let raw = String::from_utf8(traced.records[0].raw.clone()).unwrap();
    assert!(raw.contains(&sasid(0)) && !raw.contains(&sasid(1)) && !raw.contains('\n'), "{raw}");
    let stands = traced.records[0].values.iter().find(|value| value.field == "incident_date").unwrap();
    assert_eq!((stands.value.as_str(), stands.line), ("2024-11-05", traced.line));
    assert_eq!(raw.split(',').nth(usize::try_from(stands.column).unwrap() - 1), Some("2024-11-05"));
    let says = |element: &str, value: &str| {
        traced.facts.iter().flat_map(|fact| &fact.elements).any(|e| e.element == element && e.value == value)
    };
    assert!(says("incident_date", "2024-11-05"), "{:?}", traced.facts);
    assert!(traced.facts.iter().all(|fact| fact.student_id == student.0.to_string() && fact.domain == "discipline"));

    let by_line = own.trace_lineage(line(traced.batch, traced.line)).await.unwrap().into_inner().lines;
    assert_eq!((&by_line, accesses(&served).await), (&lines, 2));
    let all = of(Some(Subject::StudentId(student.0.to_string())), "");
    assert!(own.trace_lineage(all).await.unwrap().into_inner().lines.len() > 2, "one of each file at least");

    for (asked, code) in [
        (TraceLineageRequest { steward: "nobody".to_owned(), ..incident() }, Code::InvalidArgument),
        (of(None, ""), Code::InvalidArgument),
        (of(incident().subject, "weather"), Code::InvalidArgument),
        (of(line(1, 2).subject, "discipline"), Code::InvalidArgument),
        (line(traced.batch, 0), Code::InvalidArgument),
        (line(0, 2), Code::InvalidArgument),
        (line(9_999, 2), Code::FailedPrecondition),
    ] {
        assert_eq!(own.trace_lineage(asked.clone()).await.unwrap_err().code(), code, "{asked:?}");
    }
    served.end().await;
}

#[tokio::test]
async fn the_same_request_is_traced_once() {
    let served = served(1, Limits::default()).await;
    let mut own = HistoryServiceClient::new(served.connect("sea").await);
    let student = served.world.ask("dcf", "D10", moment()).await.unwrap().history.student();
    let asked = TraceLineageRequest {
        request_id: "0d2f2a52-40ab-4a56-9f3c-6f5d0d5f3c11".to_owned(),
        ..of(Some(Subject::StudentId(student.0.to_string())), "enrollment")
    };
    assert!(!own.trace_lineage(asked.clone()).await.unwrap().into_inner().lines.is_empty());
    let again = own.trace_lineage(asked.clone()).await.unwrap_err();
    assert_eq!((again.code(), accesses(&served).await), (Code::FailedPrecondition, 1));
    // Nor by another server.
    let beside = served.beside(Limits::default()).await;
    let mut beside = HistoryServiceClient::new(served.connect_at("sea", beside).await);
    let again = beside.trace_lineage(asked).await.unwrap_err();
    assert_eq!((again.code(), accesses(&served).await), (Code::FailedPrecondition, 1));
    served.end().await;
}
