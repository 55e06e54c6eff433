//! The SEA's own people at work: stewards and auditors, and who of all is refused which page.

use super::*;

/// Somebody whom the engine left to a person: DCF's `D11`, who may be the student.
pub async fn doubt(site: &Site) {
    let rows = [in_care("D10", "2026-10-01", "2026-12-01"), in_care("D11", "2026-10-01", "2026-12-01")].map(|row| {
        if row.starts_with("D11") { row.replace("Ambrosia", "Ambrosina").replace(",E1,", ",E2,") } else { row }
    });
    site.world.roster("dcf", "2026-11-20", &rows, moment()).await;
    let parts = r#"{"model": "engine", "parts": [{"comparison": "last_name", "level": "exact", "bits": 9.5, "frequency": 0.001},
        {"comparison": "first_name", "level": "different", "bits": -4.2, "frequency": null}]}"#;
    let sql = format!(
        "INSERT INTO identity.match_decision (client_id, source_person_id, student_id, consumer, outcome, explanation, details_hash,
            decided_by, reason, decided_at, probability, score_bits)
        SELECT c.client_id, p.source_person_id, x.student_id, c.consumer, 'review', '{parts}', c.details_hash, 'engine/1',
            'likely', '{}', 0.83, 5.3
        FROM identity.client AS c, identity.source_person AS p
        JOIN identity.crosswalk AS x ON x.source_person_id = p.source_person_id AND x.to_at IS NULL
        WHERE c.consumer = 'dcf' AND c.person_key = 'D11' AND p.state_id = '{STUDENT}'",
        loaded_at()
    );
    site.world.force(&sql).await;
}

/// The address of the first case of a queue.
pub fn first_case(list: &Answer) -> String {
    let text = list.text();
    let at = text.find("href=\"/case/").expect("a case") + "href=\"".len();
    text[at..].split('"').next().unwrap().to_owned()
}

/// A file with one good row and one that is wrong.
pub async fn fault(site: &Site) -> ::intake::load::Receipt {
    let bad = crate::world::with(&registration(crate::world::OTHER), &[("birth_date", "13452010")]);
    let bytes = crate::world::file_of("sasid-2.1x", &[registration("9900000033"), bad]);
    let limits = ::intake::load::Limits { quarantined_share_max: 1.0, ..Default::default() };
    site.world.load_within("sasid-2.1x", &bytes, loaded_at(), &limits).await
}

/// Our own number of the student.
pub async fn student_number(site: &Site) -> String {
    let sql = format!(
        "SELECT x.student_id::text FROM identity.crosswalk AS x JOIN identity.source_person AS p USING (source_person_id)
        WHERE p.state_id = '{STUDENT}' AND x.to_at IS NULL"
    );
    site.world.db.superuser().await.fetch_one(sqlx::AssertSqlSafe(sql)).await.unwrap().get(0)
}

/// The value of a hidden field of a page.
fn hidden(page: &Answer, name: &str) -> String {
    let text = page.text();
    let mark = format!("name=\"{name}\" value=\"");
    let at = text.find(&mark).unwrap_or_else(|| panic!("no {name}: {text}")) + mark.len();
    text[at..].split('"').next().unwrap().to_owned()
}

/// Which pages are whose: the address, whether a form can be sent to it, and for whom it is.
pub const PAGES: [(&str, &[&str]); 18] = [
    ("/caseload", &["officer", "worker"]),
    ("/notices", &["coordinator"]),
    ("/desk", &["steward"]),
    ("/review", &["steward"]),
    ("/case/x", &["steward"]),
    ("/reports", &["steward"]),
    ("/report/x", &["steward"]),
    ("/batches", &["steward"]),
    ("/batch/1", &["steward"]),
    ("/batch/1/findings.csv", &["steward"]),
    ("/nights", &["steward"]),
    ("/explain", &["steward"]),
    ("/agreements", &["steward", "auditor", "lawyer"]),
    ("/agreement/sea_access~3", &["steward", "auditor", "lawyer"]),
    ("/ledger", &["auditor"]),
    ("/record", &["auditor"]),
    ("/log", &["auditor"]),
    ("/destruction", &["auditor"]),
];
/// Everybody who can sign in.
const PEOPLE: [&str; 7] = ["officer", "worker", "coordinator", "steward", "auditor", "lawyer", "clerk"];

#[tokio::test]
async fn each_page_is_for_its_own_role_and_for_nobody_else() {
    let site = site(Limits::default()).await;
    for who in PEOPLE {
        let mut browser = site.signed_in(who).await;
        for (address, whose) in PAGES {
            let answer = browser.get_only(address).await;
            // What is no case, no batch or no handle is not found, by whom it is for.
            let is_refused = answer.status == 403 && answer.text().contains("not part of your role");
            assert_eq!(is_refused, !whose.contains(&who), "{who} at {address}: {}", answer.status);
            assert!(answer.status != 500 && answer.header("cache-control") == Some("no-store"), "{who} at {address}");
        }
        for address in [
            "/review",
            "/case/x",
            "/reports",
            "/report/x",
            "/student/x/report",
            "/batches",
            "/batch/1",
            "/explain",
            "/ledger",
            "/record",
            "/log",
            "/notices",
        ] {
            let answer = browser.post_only(address, &[("form_token", "x"), ("agency", "dcf")]).await;
            assert_eq!(answer.status, 403, "{who} sends a forged form to {address}");
        }
        let handle = format!("/student/{}", "A".repeat(86));
        let answer = browser.get_only(&handle).await;
        assert_eq!(answer.status, 403, "{who} opens a record");
    }
    site.end().await;
}

#[tokio::test]
async fn whose_agreement_is_suspended_has_no_work_here() {
    let site = site(Limits::default()).await;
    let mut browser = site.signed_in("steward").await;
    assert_eq!(browser.get_only("/review").await.status, 200);
    site.clock.by(TimeDelta::seconds(2));
    let mut conn = site.world.db.superuser().await;
    let suspended = site.world.agreements.suspend(&mut conn, "sea_access", ("ann", "a test"), &*site.clock).await;
    suspended.unwrap();
    site.clock.by(TimeDelta::seconds(2));
    for (address, _) in PAGES {
        assert_eq!(browser.get_only(address).await.status, 403, "{address}");
    }
    site.end().await;
}

#[tokio::test]
async fn a_steward_decides_on_a_pair_and_takes_it_back() {
    let site = site(Limits::default()).await;
    doubt(&site).await;
    let mut browser = site.signed_in("steward").await;
    let list = browser.get("/review").await;
    let text = list.text();
    assert!(
        text.contains("DCF") && text.contains("83.0 %") && !text.contains("Ambros") && !text.contains("D11"),
        "{text}"
    );
    assert!(site.world.entries().await.is_empty(), "the queue names nobody");
    let address = first_case(&list);
    let case = browser.get(&address).await;
    let text = case.text();
    assert!(text.contains("Ambrosina") && text.contains("Ambrosia Quince") && text.contains("differs"), "{text}");
    assert!(
        text.contains("9.5 bits for") && text.contains("4.2 bits against") && text.contains("accesskey=\"m\""),
        "{text}"
    );
    let title = text.split("<title>").nth(1).unwrap().split("</title>").next().unwrap();
    assert!(!title.contains("Quince") && !address.contains("D11"), "{title}");
    let entries = site.world.entries().await;
    assert_eq!(entries.iter().map(|entry| entry.kind.as_str()).collect::<Vec<_>>(), ["access"]);
    let (token, student) = (case.form_token(), hidden(&case, "student"));
    let decide = |verdict: &'static str, reason: &'static str| {
        vec![
            ("form_token", token.clone()),
            ("student", student.clone()),
            ("verdict", verdict.to_owned()),
            ("reason", reason.to_owned()),
        ]
    };
    let matched = "SELECT count(*) FROM identity.match_decision AS m JOIN identity.client AS c USING (client_id)
        WHERE c.person_key = 'D11' AND m.outcome = 'match' AND m.superseded_at IS NULL AND m.decided_by LIKE 'Test steward (steward at https://%'";
    for (fields, status) in [(decide("is", ""), 400), (decide("perhaps", "seen"), 400)] {
        let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
        assert_eq!(browser.post_only(&address, &fields).await.status, status, "{fields:?}");
    }
    assert_eq!(site.world.count(matched).await, 0);
    // The client's own agency has this student already: the two cannot both be it.
    site.world
        .force(
            "UPDATE identity.match_decision SET superseded_at = decided_at + interval '1 second'
        WHERE outcome = 'match' AND consumer = 'dcf'",
        )
        .await;
    let fields = decide("is", "same child, seen in both files");
    let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let done = browser.post(&address, &fields).await;
    assert!(done.status == 200 && done.text().contains("the client is matched"), "{}", done.text());
    assert_eq!(site.world.count(matched).await, 1);
    let fields = decide("undo", "another birth date came");
    let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let undone = browser.post(&address, &fields).await;
    assert!(undone.text().contains("was taken back"), "{}", undone.text());
    assert_eq!(site.world.count(matched).await, 0);
    // A student whom the engine did not put forward is no choice of one person.
    let again = browser.get(&address).await.text();
    assert!(again.contains("identity review override") && !again.contains("value=\"is\""), "{again}");
    let mut other = site.signed_in("steward").await;
    assert_eq!(other.get_only(&address).await.status, 404, "an address is of its session");
    site.end().await;
}

#[tokio::test]
async fn a_steward_reads_what_came_and_what_was_wrong() {
    let site = site(Limits::default()).await;
    let receipt = fault(&site).await;
    assert_eq!(receipt.counts.quarantined, 1);
    let mut browser = site.signed_in("steward").await;
    let list = browser.get("/batches").await;
    let batch = receipt.batch.0;
    assert!(list.text().contains(&format!("/batch/{batch}")), "{}", list.text());
    let before = site.world.entries().await.len();
    let shown = browser.get(&format!("/batch/{batch}")).await;
    let text = shown.text();
    let rule = &receipt.findings[0].rule;
    assert!(text.contains(rule) && text.contains("Quarantined") && !text.contains("9900000025"), "{text}");
    assert_eq!(site.world.entries().await.len(), before + 1, "seeing findings is an access");
    let fields = [("rule", "no.such_rule"), ("form_token", &*shown.form_token())];
    let none = browser.post(&format!("/batch/{batch}"), &fields).await.text();
    assert!(none.contains("No finding is like that"), "{none}");
    let file = browser.get(&format!("/batch/{batch}/findings.csv")).await;
    assert!(
        file.text().contains(rule) && file.header("content-type").unwrap().starts_with("text/csv"),
        "{}",
        file.text()
    );
    for nobody in ["/batch/999999", "/batch/x", "/batch/-1"] {
        assert_eq!(browser.get_only(nobody).await.status, 404, "{nobody}");
    }
    site.end().await;
}

#[tokio::test]
async fn agreements_nights_and_decisions_are_told_in_words() {
    let site = site(Limits::default()).await;
    let mut browser = site.signed_in("steward").await;
    let list = browser.get("/agreements").await.text();
    assert!(list.contains("/agreement/sea_access~3") && list.contains("in force"), "{list}");
    let one = browser.get("/agreement/sea_access~3").await.text();
    assert!(
        one.contains("data stewards and auditors") && one.contains("Policy matrix") && one.contains("Amendments"),
        "{one}"
    );
    assert_eq!(browser.get_only("/agreement/nothing~1").await.status, 404);
    assert_eq!(browser.get_only("/agreement/sea_access~99999999999").await.status, 404);
    assert!(browser.get("/nights").await.text().contains("No night was due yet"));
    // A page moves for whoever asks for it, so often and no longer.
    for (address, next) in [
        ("/nights", None),
        ("/nights?look=1", Some("15; url=/nights?look=2")),
        ("/batches?look=39", Some("15; url=/batches?look=40")),
        ("/batches?look=40", None),
        ("/batches?look=99999999999", None),
        ("/nights?look=-1", None),
    ] {
        let page = browser.get_only(address).await;
        assert_eq!((page.status, page.header("refresh")), (200, next), "{address}");
        let is_followed = address.ends_with("look=1") || address.contains("look=39") || address.contains("look=40");
        assert_eq!(page.text().contains("Stop following"), is_followed, "{address}");
    }
    let desk = browser.get("/desk").await;
    assert!(desk.text().contains("Overview"), "{}", desk.text());
    let asked = [("agency", "cssd"), ("client", "C10"), ("student", ""), ("form_token", &*desk.form_token())];
    let told = browser.post("/explain", &asked).await.text();
    assert!(told.contains("matched with student") && told.contains("enrollment"), "{told}");
    assert!(site.world.entries().await.iter().any(|entry| entry.kind == "access"));
    let asked = [("agency", "cssd"), ("client", ""), ("student", ""), ("form_token", &*desk.form_token())];
    assert_eq!(browser.post("/explain", &asked).await.status, 400);
    site.end().await;
}

#[tokio::test]
async fn a_lawyer_reads_agreements_and_no_record() {
    let site = site(Limits::default()).await;
    let mut officer = site.signed_in("officer").await;
    let address = first_client(&officer.get("/caseload").await);
    let mut browser = site.signed_in("lawyer").await;
    let list = browser.get("/").await.text();
    assert!(list.contains("/agreement/sea_access~3") && !list.contains("href=\"/desk\""), "{list}");
    let one = browser.get("/agreement/sea_access~3").await.text();
    assert!(one.contains("Policy matrix") && one.contains("Amendments"), "{one}");
    assert!(site.world.entries().await.is_empty(), "an agreement is about no student");
    for record in [&*address, &*format!("{address}/summary.pdf"), "/student/x"] {
        assert_eq!(browser.get_only(record).await.status, 403, "{record}");
    }
    assert!(site.world.entries().await.is_empty(), "a page of another role is refused before anything is asked");
    site.end().await;
}

#[tokio::test]
async fn an_auditor_finds_a_disclosure_and_a_students_whole_record() {
    let site = site(Limits::default()).await;
    let mut officer = site.signed_in("officer").await;
    let address = first_client(&officer.get("/caseload").await);
    assert_eq!(officer.get(&address).await.status, 200);
    site.world.sequence().await;
    let mut browser = site.signed_in("auditor").await;
    let shown = browser.get("/ledger").await;
    let text = shown.text();
    assert!(text.contains("Test officer (officer at") && text.contains("disclosure"), "{text}");
    assert!(!text.contains("Quince") && !text.contains("C10"), "an entry names nobody: {text}");
    let token = shown.form_token();
    let student: uuid::Uuid = site
        .world
        .db
        .superuser()
        .await
        .fetch_one("SELECT student_id FROM ledger.detail WHERE student_id IS NOT NULL LIMIT 1")
        .await
        .unwrap()
        .get(0);
    for (from, kind, expect) in [("2026-11-20", "disclosure", true), ("2026-11-21", "", false), ("", "refusal", false)]
    {
        let fields = [
            ("from", from.to_owned()),
            ("kind", kind.to_owned()),
            ("agency", "cssd".to_owned()),
            ("form_token", token.clone()),
        ];
        let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let found = browser.post("/ledger", &fields).await.text();
        assert_eq!(found.contains("Test officer"), expect, "{from} {kind}: {found}");
    }
    let sql = "SELECT purpose FROM ledger.terms WHERE consumer = 'cssd' AND purpose IS NOT NULL LIMIT 1";
    let purpose: String = site.world.db.superuser().await.fetch_one(sql).await.unwrap().get(0);
    assert!(text.contains(&format!("<option value=\"{purpose}\">")), "{purpose}: {text}");
    for (asked, expect) in [(&*purpose, true), ("no_such_purpose", false)] {
        let found = browser.post("/ledger", &[("purpose", asked), ("form_token", &*token)]).await.text();
        assert_eq!(found.contains("Test officer"), expect, "{asked}: {found}");
    }
    for (name, value) in [("from", "yesterday"), ("kind", "x"), ("id", "x"), ("agency", "-")] {
        assert_eq!(browser.post("/ledger", &[(name, value), ("form_token", &*token)]).await.status, 400, "{name}");
    }
    let record = browser.post("/record", &[("student", &*student.to_string()), ("form_token", &*token)]).await.text();
    assert!(record.contains("Test officer") && record.contains("--audience parent"), "{record}");
    let nobody =
        browser.post("/record", &[("student", &*uuid::Uuid::nil().to_string()), ("form_token", &*token)]).await.text();
    assert!(!nobody.contains("Test officer") && nobody.contains("Test auditor"), "but that it was asked for: {nobody}");
    assert_eq!(browser.post("/record", &[("student", "x"), ("form_token", &*token)]).await.status, 400);
    assert!(browser.get("/log").await.text().contains("No checkpoint was signed yet"));
    assert!(browser.get("/destruction").await.text().contains("Nothing is due"));
    let accesses = site.world.entries().await.iter().filter(|entry| entry.kind == "access").count();
    assert!(accesses >= 6, "each look of an auditor is an entry: {accesses}");
    site.end().await;
}
