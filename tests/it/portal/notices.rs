//! What a district's re-entry coordinator is shown, and that it is entered first.

use ::identity::placement::PlacementLayout;
use ::intake::placement::{IncomingPlacements, take};

use super::*;

/// The client of these tests, by CSSD's number: placements name no other kind.
const CLIENT: &str = "700100700100";

/// Hartford's student is CSSD's client, who was placed in Bridgeport two days ago.
async fn placed() -> Site {
    let world = World::new(&["dcf", "cssd", "reentry", "sea"]).await;
    world.load("sasid-2.1x", &[registration(STUDENT)], loaded_at()).await;
    world.load("ct-student", &[snapshot(STUDENT)], loaded_at()).await;
    let row = supervised(CLIENT, "juvenile_justice", "pre_adjudication");
    world.roster("cssd", "2026-11-19", &[row], loaded_at()).await;
    world.link("cssd", CLIENT, STUDENT).await;
    let site = Site::start(world, Limits::default()).await;
    report(&site, "ADM").await;
    site
}

/// CSSD reports the stay, or takes it back.
async fn report(site: &Site, record: &str) {
    let layout = PlacementLayout::parse(&project_file("deploy/consumers/cssd/placements.toml")).unwrap();
    let text = format!(
        "ClientPIN,StayId,DTNAdmissionPIN,JrsFacilityID,AdmissionTSP,ReleaseTSP,AdmissionRecordType\n\
        {CLIENT},800200800200,900300900300,1,2026-11-18 09:30:00,,{record}\n"
    );
    let (reporter, at) = (consumer("cssd"), site.clock.now());
    let incoming = IncomingPlacements {
        reporter: &reporter,
        file_name: "stays.csv",
        bytes: text.as_bytes(),
        reported_on: at.with_timezone(&layout.time_zone).date_naive(),
        at,
    };
    let pool = &site.world.db.pool;
    let receipt = take(pool, &crate::world::tombstones(), &site.world.entropy, &layout, incoming).await.unwrap();
    assert_eq!((receipt.refused, receipt.refused_reason), (0, None));
}

/// What a page has between the heads of its table and its end.
fn rows(page: &Answer) -> String {
    let text = page.text();
    let body = text.split("<tbody role=\"rowgroup\">\n").nth(1).unwrap_or_else(|| panic!("no table: {text}"));
    body.split("</tbody>").next().unwrap().to_owned()
}

/// What says that these notices were taken.
fn receipt(page: &Answer) -> String {
    let text = page.text();
    text.split("name=\"receipt\" value=\"").nth(1).unwrap().split('"').next().unwrap().to_owned()
}

#[tokio::test]
async fn a_coordinator_sees_the_notices_of_one_district_until_they_were_taken() {
    let site = placed().await;
    let mut browser = site.browser();
    let page = browser.sign_in("coordinator").await;
    let text = page.text();
    for shown in ["9900000017", "entered a facility", "11/18/2026", "Bridgeport Detention Center", "Judicial Centers"] {
        assert!(text.contains(shown), "{shown}: {text}");
    }
    assert!(text.contains("C.G.S. 46b-124") && !text.contains("Quince") && !text.contains(CLIENT), "{text}");
    let title = text.split("<title>").nth(1).unwrap().split("</title>").next().unwrap();
    assert!(title.starts_with("Notices"), "{title}");
    // The entry has the digest of the notice's own part of the page.
    let entries = site.world.entries().await;
    let kinds: Vec<&str> = entries.iter().map(|entry| entry.kind.as_str()).collect();
    assert!(kinds.contains(&"disclosure") && kinds.contains(&"completion") && kinds.len() == 2, "{kinds:?}");
    let digest = Sha256::digest(rows(&page)).to_vec();
    assert!(entries.iter().any(|one| one.kind == "disclosure" && one.digest.as_ref() == Some(&digest)), "{entries:?}");
    let sql = "SELECT person FROM ledger.detail WHERE person IS NOT NULL LIMIT 1";
    let row = site.world.db.superuser().await.fetch_one(sql).await.unwrap();
    assert!(row.get::<String, _>(0).starts_with("Test coordinator (coordinator at https://"));
    // Whoever looks again is shown it again, and that is an entry again.
    let again = browser.get("/notices").await;
    assert_eq!(rows(&again), rows(&page));
    assert_eq!(site.world.entries().await.len(), 4);
    // Another's receipt, and one that was made up, take nothing away.
    let token = again.form_token();
    let mut other = site.signed_in("coordinator").await;
    let foreign = receipt(&other.get("/notices").await);
    for made_up in ["", "x", &*foreign] {
        let answer = browser.post("/notices", &[("receipt", made_up), ("form_token", &*token)]).await;
        assert_eq!(answer.status, 400, "{made_up}");
    }
    assert_eq!(browser.post("/notices", &[("receipt", &*receipt(&again)), ("form_token", "x")]).await.status, 403);
    let taken = browser.post("/notices", &[("receipt", &*receipt(&again)), ("form_token", &*token)]).await;
    assert!(taken.text().contains("No notice waits for you"), "{}", taken.text());
    let before = site.world.entries().await.len();
    assert!(browser.get("/notices").await.text().contains("No notice waits for you"));
    assert_eq!(site.world.entries().await.len(), before, "nothing was disclosed");
    // What proves wrong is said to whoever was told.
    site.clock.by(TimeDelta::minutes(1));
    report(&site, "VOID").await;
    let wrong = browser.get("/notices").await.text();
    assert!(wrong.contains("an earlier notice was WRONG") && wrong.contains("9900000017"), "{wrong}");
    site.end().await;
}

#[tokio::test]
async fn whoever_is_of_another_district_or_of_none_is_told_nothing() {
    let site = placed().await;
    let mut neighbour = site.signed_in("neighbour").await;
    assert!(neighbour.get("/notices").await.text().contains("No notice waits for you"));
    let mut browser = site.browser();
    let refused = browser.sign_in("homeless").await;
    assert!(refused.status == 403 && !refused.text().contains("9900000017"), "{}", refused.text());
    let answer = browser.get("/notices").await;
    assert_eq!(answer.status, 403);
    assert!(site.world.entries().await.iter().all(|entry| entry.kind != "disclosure"));
    assert_eq!(site.world.count("SELECT count(*) FROM disclosure.placement_notice").await, 0, "none was made either");
    for address in ["/caseload", "/desk", "/student/x"] {
        assert_eq!(neighbour.get_only(address).await.status, 403, "{address}");
    }
    site.end().await;
}

#[tokio::test]
async fn while_a_run_for_the_recipient_goes_on_the_page_waits_and_then_says_so() {
    let site = placed().await;
    let lease = pg::Lease::take(&site.world.db.pool, "deliveries of reentry").await.unwrap().expect("nobody has it");
    let mut browser = site.browser();
    let landed = browser.sign_in("coordinator").await;
    assert_eq!(landed.status, 503, "{}", landed.text());
    assert!(site.world.entries().await.is_empty());
    lease.give_back().await.unwrap();
    assert!(browser.get("/notices").await.text().contains("9900000017"));
    site.end().await;
}
