//! The portal as browsers and those who attack it meet it: a real server, a real database, the sandbox's issuer.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use ::agreements::Agreements;
use chrono::{DateTime, TimeDelta, Utc};
use model::{Clock, SeededEntropy};
use portal::{Config, Consumer, Deps, Limits, Listening, Persona, Sandbox, SignIn};
use sha2::{Digest as _, Sha256};
use sqlx::{Executor as _, Row as _};
use tests::{moment, project_file};
use tokio::net::TcpListener;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::world::{STUDENT, World, consumer, in_care, loaded_at, offense, registration, snapshot, supervised};

mod browser;
mod chromium;
mod log;
mod notices;
mod officials;
mod reports;
mod seen;
mod sessions;
mod sign_in;

use browser::{Answer, Browser};

/// A clock that a test moves.
#[derive(Default)]
struct Moved(AtomicI64);

impl Moved {
    fn by(&self, delta: TimeDelta) {
        self.0.fetch_add(delta.num_seconds(), Ordering::SeqCst);
    }
}

impl Clock for Moved {
    fn now(&self) -> DateTime<Utc> {
        moment() + TimeDelta::seconds(self.0.load(Ordering::SeqCst))
    }
}

/// A world with a portal.
struct Site {
    world: World,
    clock: Arc<Moved>,
    sandbox: Arc<Sandbox>,
    at: SocketAddr,
    /// Where what the log's witness cosigned arrives.
    seen: tempfile::TempDir,
    stop: CancellationToken,
    tasks: TaskTracker,
}

/// The key of the log, or of its one witness.
fn signer(used_for: ::ledger::KeyUse) -> ::ledger::Signer {
    let name = match used_for {
        ::ledger::KeyUse::Log => "exchange.example/ledger",
        ::ledger::KeyUse::Witness => "witness.example/dcf",
    };
    ::ledger::Signer::from_seed(name, used_for, &[7; 32]).unwrap()
}

fn persona(id: &str, who: &str, role: Option<&str>, office: Option<&str>, officer: Option<&str>) -> Persona {
    Persona {
        id: id.to_owned(),
        name: format!("Test {id}"),
        about: "somebody invented".to_owned(),
        consumer: who.to_owned(),
        role: role.map(str::to_owned),
        office: office.map(str::to_owned),
        officer: officer.map(str::to_owned),
        trained_on: Some("2026-05-01".to_owned()),
    }
}

fn officer() -> Persona {
    persona("officer", "cssd", Some("probation_officer"), Some("O1"), Some("P1"))
}

fn worker() -> Persona {
    persona("worker", "dcf", Some("caseworker"), Some("Hartford"), None)
}

/// What is spoken to the portal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Spoken {
    /// Plain HTTP, as a proxy on its machine does.
    Http,
    /// TLS, under a certificate that nobody vouches for: what a real browser needs for cookies and policies.
    Https,
}

impl Site {
    async fn start(world: World, limits: Limits) -> Self {
        Self::speaking(world, limits, Spoken::Http).await
    }

    async fn speaking(world: World, limits: Limits, spoken: Spoken) -> Self {
        let clock: Arc<Moved> = Arc::default();
        let untrained =
            Persona { trained_on: None, ..persona("untrained", "cssd", Some("probation_officer"), None, Some("P1")) };
        let personas = vec![
            officer(),
            worker(),
            persona("other", "cssd", Some("probation_officer"), Some("O1"), Some("P2")),
            persona("nobody", "cssd", None, None, None),
            // Hartford's, whom its own number names, and one of no district.
            persona("coordinator", "reentry", Some("reentry_coordinator"), Some("064"), None),
            persona("homeless", "reentry", Some("reentry_coordinator"), None, None),
            persona("neighbour", "reentry", Some("reentry_coordinator"), Some("015"), None),
            persona("steward", "sea", Some("steward"), None, None),
            persona("auditor", "sea", Some("auditor"), None, None),
            persona("lawyer", "sea", Some("lawyer"), None, None),
            // A role that the agreement does not name.
            persona("clerk", "sea", Some("clerk"), None, None),
            untrained,
        ];
        let shared: Arc<dyn Clock> = Arc::clone(&clock) as _;
        let entropy = Arc::new(SeededEntropy::new(9));
        let sandbox = Arc::new(Sandbox::new(personas, Arc::clone(&shared), Arc::clone(&entropy) as _).unwrap());
        let consumers = ["dcf", "cssd", "reentry", "sea"].map(|who| {
            let terms = ::agreements::parse(&project_file(&format!("deploy/consumers/{who}/agreement.toml"))).unwrap();
            let (is_own, is_told) = (who == "sea", who == "reentry");
            let placing =
                portal::Placing { consumer: consumer("cssd"), sea: "ct".parse().unwrap(), zone: terms.zone() };
            Consumer {
                id: consumer(who),
                name: who.to_uppercase(),
                zone: terms.zone(),
                has_roster: !is_own && !is_told,
                is_own,
                told_by: if is_told { vec![placing] } else { Vec::new() },
            }
        });
        let deps = Deps {
            pool: world.db.pool.clone(),
            agreements: Arc::new(Agreements::new(world.agreements.stewards().clone())),
            clock: shared,
            clock_behind_max: None,
            entropy,
            consumers: consumers.to_vec(),
            renderer: Arc::new(summary::Renderer::new(&summary::RendererOptions::default()).unwrap()),
            seals: summary::sign::Seals::default(),
            vouch: None,
            log_keys: vec![signer(::ledger::KeyUse::Log).public().clone()],
            reports: None,
            secret: [4; 32],
            sign_in: SignIn::Sandbox(Arc::clone(&sandbox)),
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = listener.local_addr().unwrap();
        let tls = (spoken == Spoken::Https).then(certificate);
        let seen = tempfile::tempdir().unwrap();
        let witness = portal::Witness {
            key: signer(::ledger::KeyUse::Witness).public().to_string(),
            checkpoint_file: seen.path().join("checkpoint"),
            late_after_hours: 48,
        };
        let config = Config {
            listen: Some(at),
            behind_proxy: tls.is_none(),
            witness: vec![witness],
            limits,
            ..Config::default()
        };
        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        let until = stop.clone();
        tasks.spawn(async move {
            portal::serve(deps, config, Listening { listener, tls }, until).await.unwrap();
        });
        tasks.close();
        Self { world, clock, sandbox, at, seen, stop, tasks }
    }

    fn browser(&self) -> Browser {
        Browser::new(self.at)
    }

    /// A browser in which a persona is signed in.
    async fn signed_in(&self, who: &str) -> Browser {
        let mut browser = self.browser();
        let landed = browser.sign_in(who).await;
        assert_eq!(landed.status, 200, "{}", landed.text());
        browser
    }

    async fn sessions(&self) -> i64 {
        self.world.count("SELECT count(*) FROM portal.session").await
    }

    async fn end(self) {
        self.stop.cancel();
        tokio::time::timeout(Duration::from_secs(30), self.tasks.wait()).await.expect("the server ends");
    }
}

/// A certificate for this machine, and its key.
fn certificate() -> (Vec<u8>, Vec<u8>) {
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap().self_signed(&key).unwrap();
    (certificate.pem().into_bytes(), key.serialize_pem().into_bytes())
}

async fn site(limits: Limits) -> Site {
    Site::start(world().await, limits).await
}

/// One student who is CSSD's client `C10` of officer P1 in office O1, and DCF's `D10` of the office in Hartford.
async fn world() -> World {
    let world = World::new(&["dcf", "cssd", "reentry", "sea"]).await;
    world.load("sasid-2.1x", &[registration(STUDENT)], loaded_at()).await;
    world.load("ct-student", &[snapshot(STUDENT)], loaded_at()).await;
    world.load("ct-discipline", &[offense(STUDENT)], loaded_at()).await;
    world.roster("dcf", "2026-11-19", &[in_care("D10", "2026-10-01", "2026-12-01")], loaded_at()).await;
    world.link("dcf", "D10", STUDENT).await;
    world.roster("cssd", "2026-11-19", &[supervised("C10", "juvenile_justice", "pre_adjudication")], loaded_at()).await;
    world.link("cssd", "C10", STUDENT).await;
    world
}

/// The address of the first client of a list.
fn first_client(list: &Answer) -> String {
    let text = list.text();
    let at = text.find("href=\"/student/").expect("a client") + "href=\"".len();
    text[at..].split('"').next().unwrap().to_owned()
}

#[tokio::test]
async fn an_officer_opens_a_record_in_two_clicks_and_the_ledger_says_who() {
    let site = site(Limits::default()).await;
    let mut browser = site.signed_in("officer").await;
    let list = browser.get("/caseload").await;
    assert!(list.text().contains("Quince, Ambrosia") && list.text().contains("C10"), "{}", list.text());
    assert!(site.world.entries().await.is_empty(), "a list is the agency's own roster");
    let address = first_client(&list);
    for shown in ["C10", "Quince", "Ambrosia", STUDENT] {
        assert!(!address.contains(shown));
    }
    let record = browser.get(&address).await;
    assert_eq!(record.status, 200);
    let text = record.text();
    assert!(text.contains("Client School Records Summary") && text.contains("Quince"), "{text}");
    let title = text.split("<title>").nth(1).unwrap().split("</title>").next().unwrap();
    assert!(!title.contains("Quince") && !text.contains("style=\"") && !text.contains("<script"), "{title}");
    let entries = site.world.entries().await;
    assert_eq!(entries.len(), 1);
    assert_eq!(entries[0].digest.as_deref(), Some(&Sha256::digest(&record.body)[..]));
    let row = site.world.db.superuser().await.fetch_one("SELECT person FROM ledger.detail").await.unwrap();
    assert!(row.get::<String, _>(0).starts_with("Test officer (officer at https://"));
    for document in ["summary.pdf", "one-page.pdf"] {
        let answer = browser.get(&format!("{address}/{document}")).await;
        assert!(answer.status == 200 && answer.body.starts_with(b"%PDF-"), "{document}");
        assert!(answer.header("content-disposition").unwrap().starts_with("inline; filename=\"school-records-"));
        let digest = Sha256::digest(&answer.body).to_vec();
        assert!(site.world.entries().await.iter().any(|entry| entry.digest.as_ref() == Some(&digest)), "{document}");
    }
    site.end().await;
}

#[tokio::test]
async fn a_page_whose_entry_the_database_refuses_shows_nothing() {
    let site = site(Limits::default()).await;
    let mut browser = site.signed_in("officer").await;
    let address = first_client(&browser.get("/caseload").await);
    let mut database = site.world.db.superuser().await;
    let refuse = "CREATE FUNCTION public.refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no entry is taken'; END $$";
    database.execute(refuse).await.unwrap();
    for when in ["NOT DEFERRABLE", "DEFERRABLE INITIALLY DEFERRED"] {
        let trigger = format!(
            "CREATE CONSTRAINT TRIGGER refuse AFTER INSERT ON ledger.entry {when} FOR EACH ROW EXECUTE FUNCTION public.refuse()"
        );
        database.execute(sqlx::AssertSqlSafe(trigger)).await.unwrap();
        for page in ["", "/summary.pdf", "/one-page.pdf"] {
            let answer = browser.get(&format!("{address}{page}")).await;
            assert!(answer.status >= 500, "{when} {page}: {}", answer.status);
            let text = String::from_utf8_lossy(&answer.body).into_owned();
            assert!(!text.contains("Quince") && !text.contains("Ambrosia") && !text.contains("%PDF-"), "{when} {page}");
        }
        assert!(site.world.entries().await.is_empty(), "{when}");
        assert_eq!(site.world.count("SELECT count(*) FROM portal.look").await, 0, "{when}");
        database.execute("DROP TRIGGER refuse ON ledger.entry").await.unwrap();
    }
    assert_eq!(browser.get(&address).await.status, 200, "nothing but the entry was in the way");
    site.end().await;
}

#[tokio::test]
async fn a_worker_sees_the_children_of_one_office() {
    let site = site(Limits::default()).await;
    let elsewhere = in_care("D11", "2026-10-01", "2026-12-01")
        .replace("Ambrosia", "Elsewhere")
        .replace(",Hartford,1,", ",Norwich,3,");
    let rows = [in_care("D10", "2026-10-01", "2026-12-01"), elsewhere];
    site.world.roster("dcf", "2026-11-20", &rows, moment()).await;
    let mut browser = site.signed_in("worker").await;
    let list = browser.get("/caseload").await.text();
    assert!(list.contains("D10") && !list.contains("D11") && !list.contains("Elsewhere"), "{list}");
    assert!(list.contains("12/1/2026"), "the last day: {list}");
    let address = first_client(&browser.get("/caseload").await);
    let record = browser.get(&address).await;
    assert_eq!(record.status, 200, "{}", record.text());
    site.end().await;
}

#[tokio::test]
async fn another_officers_client_and_a_made_up_address_are_refused_alike() {
    let site = site(Limits::default()).await;
    let mut browser = site.signed_in("officer").await;
    let address = first_client(&browser.get("/caseload").await);
    // The client goes to another officer while the page is open.
    let row = supervised("C10", "juvenile_justice", "pre_adjudication").replace(",P1,", ",P2,");
    site.world.roster("cssd", "2026-11-20", &[row], moment()).await;
    let refused = browser.get(&address).await;
    let made_up = browser.get(&format!("/student/{}", "A".repeat(address.len() - 9))).await;
    let mut other = site.signed_in("other").await;
    let of_another_session = other.get(&address).await;
    assert_eq!((refused.status, made_up.status, of_another_session.status), (403, 403, 403));
    assert_eq!(refused.body, made_up.body);
    assert_eq!(refused.headers, made_up.headers);
    assert!(refused.text().contains("No records of this person are available to you"), "{}", refused.text());
    let entries = site.world.entries().await;
    assert_eq!(entries.len(), 3);
    assert!(entries.iter().all(|entry| entry.kind == "refusal" && entry.digest.is_none()), "{entries:?}");
    let list = browser.get("/caseload").await.text();
    assert!(!list.contains("C10") && list.contains("Nobody is on your caseload"), "{list}");
    assert!(other.get("/caseload").await.text().contains("C10"));
    site.end().await;
}

#[tokio::test]
async fn whoever_is_not_trained_is_told_so_and_sees_nobody() {
    let site = site(Limits::default()).await;
    let mut browser = site.browser();
    let landed = browser.sign_in("untrained").await;
    assert_eq!(landed.status, 403);
    assert!(landed.text().contains("Your training is missing") && !landed.text().contains("C10"));
    site.end().await;
}

#[tokio::test]
async fn every_answer_says_what_a_browser_may_do_with_it() {
    let site = site(Limits::default()).await;
    let mut browser = site.signed_in("officer").await;
    let list = browser.get("/caseload").await;
    let record = first_client(&list);
    let style = list.text().split("href=\"/style").nth(1).unwrap().split('"').next().unwrap().to_owned();
    for (address, may_keep) in [
        ("/", false),
        ("/caseload", false),
        ("/sign-in", false),
        ("/nothing", false),
        ("/student/x", false),
        (&*record, false),
        (&*format!("{record}/summary.pdf"), false),
        (&*format!("/style{style}"), true),
    ] {
        let answer = browser.get_only(address).await;
        let header = |name: &str| answer.header(name).unwrap_or_else(|| panic!("{address}: no {name}"));
        let policy = header("content-security-policy");
        assert!(policy.contains("frame-ancestors 'none'") && !policy.contains("unsafe"), "{address}: {policy}");
        assert!(address.ends_with("/summary.pdf") || policy.contains("default-src 'none'"), "{address}: {policy}");
        assert_eq!(header("cache-control") == "no-store", !may_keep, "{address}");
        assert_eq!(header("referrer-policy"), "same-origin", "{address}");
        assert_eq!(header("x-content-type-options"), "nosniff", "{address}");
        assert!(header("strict-transport-security").contains("max-age="), "{address}");
    }
    assert_eq!(browser.get("/nothing").await.status, 404);
    site.end().await;
}

#[tokio::test]
async fn a_search_is_in_the_form_and_hostile_names_stay_text() {
    let world = World::new(&["cssd"]).await;
    let hostile = ["<script>alert(1)</script>", "\"><img src=x>", "O'Brien & Söhne", "{{ 7 * 7 }}", "\u{202e}evil"];
    let row = |n: usize, name: &str| {
        let name = format!("\"{}\"", name.replace('"', "\"\""));
        supervised(&format!("H{n}"), "juvenile_justice", "pre_adjudication")
            .replace("Quince", &name)
            .replace(",JUV,", &format!(",JUV{n},"))
    };
    let mut rows: Vec<String> = hostile.iter().enumerate().map(|(n, name)| row(n, name)).collect();
    rows.extend((hostile.len()..130).map(|n| row(n, "Quince")));
    world.roster("cssd", "2026-11-19", &rows, loaded_at()).await;
    let site = Site::start(world, Limits::default()).await;
    let mut browser = site.signed_in("officer").await;
    let list = browser.get("/caseload").await;
    let text = list.text();
    assert!(text.contains("130 clients") && text.contains("Page 1 of 3"), "{text}");
    assert!(!text.contains("<script") && !text.contains("<img"));
    let found = browser.post("/caseload", &[("search", "o'bri"), ("form_token", &list.form_token())]).await;
    let text = found.text();
    assert!(text.contains("1 of 130 clients") && text.contains("Söhne") && !text.contains("Page 1"), "{text}");
    let found = browser.post("/caseload", &[("search", "<script"), ("form_token", &list.form_token())]).await.text();
    assert!(found.contains("1 of 130 clients") && !found.contains("<script"), "{found}");
    let third = browser.post("/caseload", &[("page", "3"), ("form_token", &list.form_token())]).await.text();
    assert!(third.contains("Page 3 of 3") && third.matches("/student/").count() == 30, "{third}");
    let beyond = browser.post("/caseload", &[("page", "99999999999"), ("form_token", &list.form_token())]).await;
    assert_eq!(beyond.status, 200);
    site.end().await;
}

#[tokio::test]
async fn a_page_speaks_the_language_that_was_chosen() {
    let site = site(Limits::default()).await;
    let mut browser = site.signed_in("officer").await;
    browser.post("/language", &[("language", "es")]).await;
    let list = browser.get("/caseload").await;
    assert!(list.text().contains("<html lang=\"es\">") && list.text().contains("Cerrar sesión"), "{}", list.text());
    assert!(browser.get(&first_client(&list)).await.text().contains("<html lang=\"es\">"));
    site.end().await;
}
