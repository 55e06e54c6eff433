//! What ledger entries say of persons, at the end of its time.

use super::*;

/// Goes through the log a few entries at a time; what it destroyed, and what it kept.
async fn erase(world: &World, older_than: &str, parts_max: usize) -> (u64, u64) {
    let (clock, sea) = (FixedClock(at("2032-01-01T12:00:00Z")), consumer("sea"));
    let (own, mut after, mut counts) = (ask_of(&sea), None, (0, 0));
    for _ in 0..parts_max {
        let part =
            disclosure::erase_older_details(world.context(&clock), &own, at(older_than), (after, 2)).await.unwrap();
        counts = (counts.0 + part.erased, counts.1 + part.kept);
        after = part.last;
        if after.is_none() {
            break;
        }
    }
    world.sequence().await;
    counts
}

/// The clients that entries still name, in the order of the log; `-`: an entry that has its detail and names none.
async fn named(world: &World) -> Vec<String> {
    use sqlx::{Executor as _, Row as _};
    let sql = "SELECT COALESCE(d.authority, '-') FROM ledger.sequence AS s JOIN ledger.entry AS e USING (entry_id)
        JOIN ledger.detail AS d USING (entry_id) WHERE e.kind IN ('disclosure', 'refusal') ORDER BY s.leaf_index";
    let rows = world.db.superuser().await.fetch_all(sql).await.unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}

#[tokio::test]
async fn personal_detail_ends_with_its_time_and_not_before_the_record_it_is_about() {
    let world = one_in_care(&["dcf", "sea"]).await;
    let asked = async |person: &str, when: &str| {
        let _ = world.ask("dcf", person, at(when)).await;
    };
    // Nobody; the child in care; nobody; the child again, out of care and refused; nobody, later.
    asked("X1", "2026-11-20T15:00:00Z").await;
    asked("D1", "2026-11-21T15:00:00Z").await;
    asked("X2", "2026-11-22T15:00:00Z").await;
    asked("D1", "2026-12-20T15:00:00Z").await;
    asked("X3", "2027-06-01T15:00:00Z").await;
    world.sequence().await;
    assert_eq!(named(&world).await, ["client X1", "-", "client X2", "client D1", "client X3"]);
    // Broken off behind the first part, and begun again.
    assert_eq!(erase(&world, "2027-01-01T00:00:00Z", 1).await, (1, 1));
    assert_eq!(named(&world).await, ["-", "client X2", "client D1", "client X3"]);
    assert_eq!(erase(&world, "2027-01-01T00:00:00Z", 99).await, (1, 2));
    assert_eq!(named(&world).await, ["-", "client D1", "client X3"]);
    let erasures = "SELECT count(*) FROM ledger.entry WHERE kind = 'erasure' AND reason = 'retention' AND counted = 1";
    assert_eq!(world.count(erasures).await, 2);
    // The child's record moved to another student, it is still the record that the entry is about; when it is gone the detail may go.
    world.force("UPDATE identity.crosswalk SET to_at = '2028-01-01T00:00:00Z'").await;
    assert_eq!(erase(&world, "2027-01-01T00:00:00Z", 99).await, (0, 2));
    let gone = "DELETE FROM identity.released; DELETE FROM identity.match_decision; DELETE FROM identity.crosswalk";
    world.force(gone).await;
    assert_eq!(erase(&world, "2027-01-01T00:00:00Z", 99).await, (2, 0));
    assert_eq!(named(&world).await, ["client X3"]);
    assert_eq!(erase(&world, "2027-01-01T00:00:00Z", 99).await, (0, 0));
    assert_eq!(world.count(erasures).await, 4, "one for each part of the log in which something went");
}
