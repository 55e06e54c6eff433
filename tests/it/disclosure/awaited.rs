//! Who has not reported yet: said of a district, and never of a student.

use disclosure::{Disclosed, DisclosedHistory};
use model::Awaited;

use super::*;

/// The day at noon.
fn noon(day: &str) -> chrono::DateTime<chrono::Utc> {
    at(&format!("{day}T16:00:00Z"))
}

/// A student of Hartford, whom its collection of last October names and that of this one does not, and one who is to be reported beside.
async fn world() -> World {
    let world = World::new(&["dcf", "sea"]).await;
    world.load("sasid-2.1x", &[registration(STUDENT), registration(OTHER)], noon("2026-10-03")).await;
    let last = [("fall_of_year", "2025"), ("snapshot_date", "2025-10-01"), ("grade_code", "10")];
    world.load("ct-student", &[with(&snapshot(STUDENT), &last)], noon("2026-10-04")).await;
    world.roster("dcf", "2026-11-19", &[in_care("D1", "2026-10-01", "2026-12-01")], noon("2026-11-19")).await;
    world.link("dcf", "D1", STUDENT).await;
    world
}

/// What a district reports this October of the other student.
fn this_october<'r>(district: &'r str, school: &'r str) -> Record<'r> {
    let this = [("fall_of_year", "2026"), ("snapshot_date", "2026-10-01"), ("grade_code", "11")];
    let there = [("reporting_district", district), ("facility_1_code", school)];
    with(&with(&snapshot(OTHER), &this), &there)
}

fn awaited(history: &DisclosedHistory, domain: Domain) -> Option<Awaited> {
    history.find_section(domain).unwrap().awaited.clone()
}

fn october_of(district: &str) -> Option<Awaited> {
    Some(Awaited {
        collection: "PSIS October collection 2026-27".to_owned(),
        as_of_on: "2026-10-01".parse().unwrap(),
        due_on: "2026-10-31".parse().unwrap(),
        expected_of: Some(district.to_owned()),
    })
}

async fn told(world: &World, as_of: Option<&str>) -> Disclosed {
    world.ask_as_of("dcf", "D1", moment(), as_of.map(noon)).await.unwrap()
}

#[tokio::test]
async fn who_has_not_reported_is_told_from_the_day_after_it_was_due_until_it_comes() {
    let world = world().await;
    let history = told(&world, None).await.history;
    let hartford = october_of("Hartford School District");
    assert_eq!(awaited(&history, Domain::Enrollment), hartford);
    for domain in Domain::ALL.into_iter().filter(|domain| *domain != Domain::Enrollment) {
        assert_eq!(awaited(&history, domain), None, "{domain}: nothing of it ever came of anybody");
    }
    let summary = summary::from_disclosure(&history, moment().date_naive());
    let said = summary.summary.awaited.expect("the block says it");
    assert_eq!(said.expected_of.as_deref(), Some("Hartford School District"));
    assert_eq!(summary.history.schools.provenance.awaited, Some(said));
    assert_eq!(summary.history.attendance.provenance.awaited, None);
    let before = told(&world, Some("2026-10-31")).await.history;
    assert_eq!(awaited(&before, Domain::Enrollment), None, "on its last day it is not late");
    let after = told(&world, Some("2026-11-02")).await.history;
    assert_eq!(awaited(&after, Domain::Enrollment), hartford);
    assert_ne!(before.content_digest(), after.content_digest(), "whoever was told before is told again");
    assert_eq!(after.content_digest(), history.content_digest());

    // Another student's row shows that the district has reported: of this one, who is not among them, nothing is said.
    world.load("ct-student", &[this_october("064", "0646311")], noon("2026-11-18")).await;
    let reported = told(&world, None).await.history;
    assert_eq!(awaited(&reported, Domain::Enrollment), None);
    let rows = |history: &DisclosedHistory| history.find_section(Domain::Enrollment).unwrap().rows.clone();
    assert_eq!(rows(&reported), rows(&history));
    assert_eq!(reported.content_digest(), before.content_digest());
    let as_then = told(&world, Some("2026-11-02")).await.history;
    assert_eq!(as_then.content_digest(), after.content_digest(), "an earlier day's answer stays what it was");
}

#[tokio::test]
async fn what_another_agencys_facility_or_another_district_reports_says_nothing_of_the_students_own() {
    let world = world().await;
    world.load("ct-student", &[this_october("348", "3480115")], noon("2026-11-18")).await;
    let history = told(&world, None).await.history;
    assert_eq!(awaited(&history, Domain::Enrollment), october_of("Hartford School District"));
    world.load("ct-student", &[this_october("093", "0936111")], noon("2026-11-19")).await;
    let again = told(&world, None).await.history;
    assert_eq!(again.content_digest(), history.content_digest());
}

#[tokio::test]
async fn a_collection_that_never_came_here_is_not_awaited() {
    let world = World::new(&["dcf"]).await;
    world.load("sasid-2.1x", &[registration(STUDENT)], noon("2026-10-03")).await;
    world.roster("dcf", "2026-11-19", &[in_care("D1", "2026-10-01", "2026-12-01")], noon("2026-11-19")).await;
    world.link("dcf", "D1", STUDENT).await;
    let history = told(&world, None).await.history;
    assert!(history.sections().iter().all(|section| section.awaited.is_none()));
}
