//! What an officer sees is new in a record since the last look, and what they report as wrong: who sees what of it, and that it goes with the student.

use super::{officials::student_number, *};
use crate::world::with;

/// The address of the first report of a queue.
fn first_report(list: &Answer) -> String {
    let text = list.text();
    let at = text.find("href=\"/report/").expect("a report") + "href=\"".len();
    text[at..].split('"').next().unwrap().to_owned()
}

const FIRST: &str = "This is your first look at this record";
const NOTHING: &str = "Nothing has changed since you opened this record on";
const SOME: &str = "You opened this record last on";
const MARK: &str = "<small class=\"mark\">new or changed</small>";
/// What an officer writes: it stands nowhere but in the report.
const NOTE: &str = "Zephyrquill was never <suspended>";

#[tokio::test]
async fn a_look_says_what_is_new_since_the_same_person_looked_last() {
    let site = site(Limits::default()).await;
    let mut browser = site.signed_in("officer").await;
    let address = first_client(&browser.get("/caseload").await);
    let first = browser.get(&address).await.text();
    assert!(first.contains(FIRST) && !first.contains(MARK), "{first}");
    // A document is not a look at the page, and another language says the same.
    assert_eq!(browser.get(&format!("{address}/one-page.pdf")).await.status, 200);
    let token = browser.get("/caseload").await.form_token();
    browser.post("/language", &[("language", "es"), ("form_token", &token)]).await;
    let again = browser.get(&address).await.text();
    assert!(again.contains("Nada ha cambiado desde que"), "{again}");
    browser.post("/language", &[("language", "en"), ("form_token", &token)]).await;
    assert!(browser.get(&address).await.text().contains(NOTHING));
    site.clock.by(TimeDelta::seconds(5));
    let more = with(
        &offense(STUDENT),
        &[("incident_identifier", "H-2"), ("incident_date", "2024-12-05"), ("sanction_date", "2024-12-06")],
    );
    site.world.load("ct-discipline", &[more], loaded_at() + TimeDelta::seconds(5)).await;
    let changed = browser.get(&address).await;
    let text = changed.text();
    assert!(text.contains(SOME) && text.contains(MARK) && text.contains("1 new or changed"), "{text}");
    assert!(text.contains("<a href=\"#discipline\">"), "the block is named: {text}");
    let entries = site.world.entries().await;
    let digest = Sha256::digest(&changed.body).to_vec();
    assert!(entries.iter().any(|entry| entry.digest.as_ref() == Some(&digest)), "the entry is of the whole page");
    assert!(browser.get(&address).await.text().contains(NOTHING), "now it has been seen");
    // A refused look is none.
    let count = "SELECT count(*) FROM portal.look";
    assert_eq!(site.world.count(count).await, 1);
    let mut other = site.signed_in("other").await;
    assert_eq!(other.get(&address).await.status, 403);
    assert_eq!(site.world.count(count).await, 1);
    // The worker of another agency has looks of their own.
    let mut worker = site.signed_in("worker").await;
    let of_worker = first_client(&worker.get("/caseload").await);
    assert!(worker.get(&of_worker).await.text().contains(FIRST));
    // Nothing of the content is kept.
    let row = "SELECT string_agg(l::text, ' ') FROM portal.look AS l";
    let kept: String = site.world.db.superuser().await.fetch_one(row).await.unwrap().get(0);
    for word in ["Quince", "Ambrosia", STUDENT, "Weaver", "H-2", "Test officer"] {
        assert!(!kept.contains(word), "{word}: {kept}");
    }
    // Whoever is matched with another student was never looked at.
    site.world.force("UPDATE portal.look SET student_id = gen_random_uuid()").await;
    assert!(browser.get(&address).await.text().contains(FIRST));
    site.end().await;
}

async fn report(browser: &mut Browser, address: &str, block: &str, note: &str, token: &str) -> Answer {
    let fields = [("block", block), ("note", note), ("form_token", token)];
    browser.post_only(&format!("{address}/report"), &fields).await
}

#[tokio::test]
async fn what_looks_wrong_goes_to_a_steward_and_comes_back_in_few_words() {
    let site = site(Limits::default()).await;
    let mut browser = site.signed_in("officer").await;
    let list = browser.get("/caseload").await;
    let (address, token) = (first_client(&list), list.form_token());
    assert_eq!(report(&mut browser, &address, "discipline", NOTE, &token).await.status, 403, "nothing was looked at");
    assert!(browser.get(&address).await.text().contains("Does something look wrong?"));
    let long = "x".repeat(1_001);
    for (block, note) in
        [("discipline", ""), ("discipline", "  "), ("discipline", &*long), ("nothing", NOTE), ("", NOTE)]
    {
        assert_eq!(report(&mut browser, &address, block, note, &token).await.status, 400, "{block}");
    }
    assert_eq!(report(&mut browser, &address, "discipline", NOTE, "x").await.status, 403, "forged");
    let mut other = site.signed_in("other").await;
    let others = other.get("/caseload").await.form_token();
    let refused = report(&mut other, &address, "discipline", NOTE, &others).await;
    let nobody = format!("/student/{}", "A".repeat(address.len() - 9));
    assert_eq!(
        (refused.status, report(&mut other, &nobody, "discipline", NOTE, &others).await.body),
        (403, refused.body)
    );
    let filed = report(&mut browser, &address, "discipline", NOTE, &token).await;
    assert_eq!((filed.status, filed.header("location")), (303, Some(&*format!("{address}#reported"))));
    let shown = browser.get(&address).await.text();
    assert!(shown.contains("waits for a steward") && !shown.contains("Zephyrquill"), "{shown}");
    assert!(
        other.get("/caseload").await.status == 200 && site.world.count("SELECT count(*) FROM portal.report").await == 1
    );

    let mut steward = site.signed_in("steward").await;
    let before = site.world.entries().await.len();
    let queue = steward.get("/reports").await;
    let text = queue.text();
    for word in ["Zephyrquill", "Quince", "C10", "Test officer"] {
        assert!(!text.contains(word), "the queue names nobody: {text}");
    }
    assert!(text.contains("CSSD") && steward.get("/desk").await.text().contains("/report/"), "{text}");
    assert_eq!(site.world.entries().await.len(), before);
    let case = first_report(&queue);
    let opened = steward.get(&case).await;
    let text = opened.text();
    assert!(text.contains("Zephyrquill was never &#60;suspended&#62;") && text.contains("Test officer"), "{text}");
    assert_eq!(site.world.entries().await.len(), before + 1, "opening is an access");
    let of_student = format!(
        "SELECT count(*) FROM ledger.detail WHERE student_id = '{}' AND authority LIKE 'report %'",
        student_number(&site).await
    );
    assert_eq!(site.world.count(&of_student).await, 1, "which names the student");
    let token = opened.form_token();
    let answer =
        |outcome: &'static str| [("outcome", outcome), ("remark", "asked on the phone"), ("form_token", &*token)];
    for (fields, status) in
        [(answer("perhaps"), 400), ([("outcome", "stands"), ("remark", &*long), ("form_token", &*token)], 400)]
    {
        assert_eq!(steward.post_only(&case, &fields).await.status, status);
    }
    assert!(steward.post(&case, &answer("passed_on")).await.text().contains("Answered."));
    assert!(browser.get(&address).await.text().contains("passed on to the district"));
    assert!(steward.post(&case, &answer("corrected")).await.text().contains("No report waits."));
    assert_eq!(steward.post_only(&case, &answer("stands")).await.status, 409, "it was answered for good");
    let told = browser.get(&address).await.text();
    assert!(told.contains("corrected, or being corrected") && !told.contains("on the phone"), "{told}");
    let all = [("which", "all"), ("form_token", &*token)];
    assert!(steward.post("/reports", &all).await.text().contains("corrected, or being corrected"));
    let mut second = site.signed_in("steward").await;
    assert_eq!(second.get_only(&case).await.status, 404, "an address is of its session");
    site.end().await;
}

#[tokio::test]
async fn only_so_many_reports_on_one_client_wait() {
    let site = site(Limits::default()).await;
    let mut browser = site.signed_in("officer").await;
    let list = browser.get("/caseload").await;
    let (address, token) = (first_client(&list), list.form_token());
    browser.get(&address).await;
    for number in 0..20 {
        let filed = report(&mut browser, &address, "other", &format!("number {number}"), &token).await;
        assert_eq!(filed.status, 303, "{number}");
    }
    assert_eq!(report(&mut browser, &address, "other", "one more", &token).await.status, 409);
    site.end().await;
}

#[tokio::test]
async fn looks_and_reports_are_fenced_and_go_with_the_student_or_their_time() {
    let site = site(Limits::default()).await;
    let mut browser = site.signed_in("officer").await;
    let list = browser.get("/caseload").await;
    let (address, token) = (first_client(&list), list.form_token());
    browser.get(&address).await;
    assert_eq!(report(&mut browser, &address, "schools", NOTE, &token).await.status, 303);
    let mut conn = site.world.db.superuser().await;
    let viewer: Vec<u8> = conn.fetch_one("SELECT viewer FROM portal.report").await.unwrap().get(0);
    let seen = async |consumer: &str, viewer: &str, table: &str| -> i64 {
        let sql = format!(
            "SET LOCAL ROLE throughline_portal; SET LOCAL throughline.consumer = '{consumer}'; SET LOCAL throughline.viewer = '{viewer}'"
        );
        let mut conn = site.world.db.superuser().await;
        conn.execute(sqlx::AssertSqlSafe(format!("BEGIN; {sql}"))).await.unwrap();
        let count = format!("SELECT count(consumer) FROM {table}");
        conn.fetch_one(sqlx::AssertSqlSafe(count)).await.unwrap().get(0)
    };
    let own = hex::encode(&viewer);
    assert_eq!(seen("cssd", &own, "portal.report").await, 1);
    for (consumer, viewer) in [("dcf", &*own), ("cssd", &*"00".repeat(32)), ("cssd", ""), ("", &*own)] {
        assert_eq!(seen(consumer, viewer, "portal.report").await, 0, "{consumer} {viewer}");
        assert_eq!(seen(consumer, viewer, "portal.look").await, 0, "{consumer} {viewer}");
    }
    for sql in
        ["SELECT note FROM portal.report", "UPDATE portal.report SET outcome = 'stands'", "DELETE FROM portal.report"]
    {
        let mut conn = site.world.db.superuser().await;
        conn.execute("BEGIN; SET LOCAL ROLE throughline_portal").await.unwrap();
        assert!(conn.execute(sql).await.is_err(), "{sql}");
    }
    // By the client's own id, or by the student's number.
    let (student, nobody) = (student_number(&site).await.parse().unwrap(), uuid::Uuid::nil());
    let client = vec![(consumer("cssd"), model::Masked::new("C10".to_owned()))];
    for (students, clients) in [(vec![], client), (vec![model::StudentId(student)], vec![])] {
        browser.get(&address).await;
        report(&mut browser, &address, "schools", NOTE, &token).await;
        let erased = |students: Vec<model::StudentId>, clients: Vec<(model::ConsumerId, model::Masked<String>)>| {
            let pool = &site.world.db.pool;
            async move {
                pg::run_tx(pool, "tests.erase", pg::Role::Identity, |tx| {
                    let (students, clients) = (&students, &clients);
                    Box::pin(async move { portal::erase(tx, students, clients).await })
                })
                .await
                .unwrap();
            }
        };
        let left = "SELECT (SELECT count(*) FROM portal.look) + (SELECT count(*) FROM portal.report)";
        erased(vec![model::StudentId(nobody)], vec![(consumer("dcf"), model::Masked::new("C10".to_owned()))]).await;
        assert!(site.world.count(left).await >= 2, "another's stays");
        erased(students, clients).await;
        assert_eq!(site.world.count(left).await, 0);
    }
    // What is old goes when somebody signs in.
    browser.get(&address).await;
    report(&mut browser, &address, "schools", NOTE, &token).await;
    site.clock.by(TimeDelta::days(401));
    site.world.force("UPDATE portal.report SET outcome = 'stands', answered_by = 'x', answered_at = reported_at").await;
    site.browser().sign_in("steward").await;
    assert_eq!(
        site.world.count("SELECT (SELECT count(*) FROM portal.look) + (SELECT count(*) FROM portal.report)").await,
        0
    );
    site.end().await;
}
