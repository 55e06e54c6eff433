//! The record of disclosures is found from what stands beside the details of its entries: of any age, and never believed against the entries themselves.

use super::*;

fn since(student: u128, since: Option<DateTime<Utc>>) -> Since {
    Since { student: StudentId(Uuid::from_u128(student)), since }
}

async fn auditors(conn: &mut PgConnection, scope: &RecordScope) -> Vec<RecordedEntry> {
    ledger::record_of(conn, scope, Audience::Auditor, None, 100).await.unwrap()
}

/// An earlier release writes beside this one while it is replaced, and wrote before.
#[tokio::test]
async fn details_of_an_earlier_release_are_found_between_the_others() {
    let db = TestDatabase::new().await;
    let mut conn = db.superuser().await;
    ledger::record_chunk(&mut conn, &entries(0, 21)).await.unwrap();
    ledger::record_one(&mut conn, &entry(24)).await.unwrap();
    let copied = "SELECT count(*) FROM ledger.detail AS d JOIN ledger.entry AS e USING (entry_id)
        WHERE d.decided_at = e.decided_at AND d.terms_id = e.terms_id";
    assert_eq!(conn.fetch_one(copied).await.unwrap().get::<i64, _>(0), 22, "each detail bears both");
    let of = |students| RecordScope { students: Some(students), ..RecordScope::default() };
    let both = of(vec![since(3, None), since(4, Some(at(9)))]);
    let later = RecordScope { from: Some(at(10)), to: Some(at(17)), ..both.clone() };
    let request = OfRequest { ids: vec![entry(2).id.0, entry(5).id.0], authorities: vec!["nothing".to_owned()] };
    let of_child = RecordScope { request: Some(request), ..of(vec![since(3, None)]) };
    let scopes = [(both, 6), (later, 2), (of_child, 1)];
    let mut before = Vec::new();
    for (scope, count) in &scopes {
        before.push(auditors(&mut conn, scope).await);
        assert_eq!(before.last().unwrap().len(), *count, "{scope:?}");
    }
    let older = [entry(2).id, entry(10).id].map(|id| format!("'{id}'")).join(", ");
    let sql = format!("UPDATE ledger.detail SET decided_at = NULL, terms_id = NULL WHERE entry_id IN ({older})");
    attack(&mut conn, &sql).await;
    for ((scope, _), before) in scopes.iter().zip(before) {
        assert_eq!(auditors(&mut conn, scope).await, before, "{scope:?}");
        let mut paged: Vec<RecordedEntry> = Vec::new();
        loop {
            let after = paged.last().map(RecordedEntry::cursor);
            let page = ledger::record_of(&mut conn, scope, Audience::Auditor, after, 1).await.unwrap();
            let Some(one) = page.into_iter().next() else { break };
            paged.push(one);
        }
        assert_eq!(paged, before, "one at a time");
    }
}

/// Where the copy of the terms would have a family read what no steward has looked at, nobody is shown anything.
#[tokio::test]
async fn what_stands_beside_a_detail_opens_nothing() {
    let db = TestDatabase::new().await;
    let mut conn = db.superuser().await;
    ledger::record_chunk(&mut conn, &entries(0, 21)).await.unwrap();
    let student = StudentId(Uuid::from_u128(3));
    let parent = ledger::disclosures_of(&mut conn, student, Audience::Parent, None, 100).await.unwrap();
    assert!(parent.iter().all(|entry| entry.showing == Showing::AfterReview));
    let sql = format!(
        "INSERT INTO ledger.terms SELECT sha256('open'), consumer, party, purpose, legal_basis, agreement, agreement_version, clause, elements, withheld,
            onward_parties, onward_interests, shown_to || '{{parent}}'::text[], shown_after_review FROM ledger.terms LIMIT 1;
        UPDATE ledger.detail SET terms_id = sha256('open') WHERE entry_id = '{}'",
        parent[0].id
    );
    attack(&mut conn, &sql).await;
    let refused = ledger::disclosures_of(&mut conn, student, Audience::Parent, None, 100).await;
    assert!(matches!(refused, Err(Error::Corrupt(_))), "{refused:?}");
}
