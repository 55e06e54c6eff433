//! The portal as people see it: in a real browser. Where there is none this is said, and passed over.

use std::path::Path;

use serde_json::Value;

use super::{
    chromium::{Chromium, ENTER, Scripts, TAB, Theme, axe, pass_over, pictures},
    *,
};

/// What must never stand in an address or a title: names, ids and days of the people in this world.
const OF_A_STUDENT: [&str; 7] = ["Quince", "Ambrosia", STUDENT, "C10", "D10", "2010", "3/4/2010"];
/// Widths that pages are looked at in: a phone, a tablet, a desk.
const WIDTHS: [u32; 3] = [400, 900, 1400];
/// Steps by the tabulator before a test gives up.
const STEPS_MAX: usize = 60;

/// A portal, and somebody's browser in front of it.
struct Desk {
    site: Site,
    browser: Chromium,
}

impl Desk {
    async fn new(scripts: Scripts) -> Option<Self> {
        let browser = Chromium::open(scripts).await?;
        let site = Site::speaking(world().await, Limits::default(), Spoken::Https).await;
        super::officials::doubt(&site).await;
        Some(Self { site, browser })
    }

    fn url(&self, path: &str) -> String {
        format!("https://localhost:{}{path}", self.site.at.port())
    }

    async fn go(&self, path: &str) {
        self.browser.go(&self.url(path)).await;
    }

    /// Signs in by what is on the pages.
    async fn sign_in(&self, who: &str) {
        self.go("/").await;
        self.browser.click("main a.button").await;
        self.browser.click(&format!("button[value='{who}']")).await;
        self.says_nothing_of_a_student().await;
    }

    /// Nothing that a browser keeps in its history says whose page it is.
    async fn says_nothing_of_a_student(&self) {
        let (address, title) = (self.browser.address().await, self.browser.title().await);
        for word in OF_A_STUDENT {
            assert!(!address.contains(word) && !title.contains(word), "{word}: {address} {title}");
        }
    }

    /// Goes on by the tabulator until this has the focus, and looks on the way whether one sees where it is.
    async fn tab_to(&self, selector: &str) {
        const SEEN: &str = "const at = document.activeElement, s = getComputedStyle(at);
            return [at.matches(arguments[0] || '*'), s.outlineStyle !== 'none' && parseFloat(s.outlineWidth) >= 2, at.outerHTML.slice(0, 200)]";
        let seen = SEEN.replace("arguments[0] || '*'", &Value::from(selector).to_string());
        for _ in 0..STEPS_MAX {
            self.browser.press(TAB).await;
            let found = self.browser.learn(&seen).await;
            if found[2].as_str().is_some_and(|html| !html.starts_with("<body")) {
                assert_eq!(found[1], true, "one does not see that {} has the focus", found[2]);
            }
            if found[0] == true {
                return;
            }
        }
        panic!("the tabulator never comes to {selector} on {}", self.browser.address().await);
    }

    async fn end(self) {
        drop(self.browser);
        self.site.end().await;
    }
}

#[tokio::test]
async fn who_has_clients_reads_a_record_in_two_clicks_and_leaves_nothing_behind() {
    for (who, key) in [("officer", "C10"), ("worker", "D10")] {
        let Some(desk) = Desk::new(Scripts::Run).await else { return };
        let browser = &desk.browser;
        desk.sign_in(who).await;
        assert!(browser.text().await.contains(key), "{who}");
        browser.click(".clients tbody a").await;
        desk.says_nothing_of_a_student().await;
        let record = browser.address().await;
        let text = browser.text().await;
        assert!(text.contains("Quince") && text.contains("Weaver High School"), "{who}: {text}");
        assert!(browser.print().await.starts_with(b"%PDF-"));
        for document in ["summary.pdf", "one-page.pdf"] {
            browser.click(&format!("a[href$='{document}']")).await;
            desk.says_nothing_of_a_student().await;
            assert_eq!(browser.learn("return document.contentType").await, "application/pdf", "{who}: {document}");
            browser.back().await;
        }
        let digests = desk.site.world.entries().await;
        assert!(digests.len() >= 3 && digests.iter().all(|entry| entry.digest.is_some()), "{who}: {digests:?}");
        browser.go(&record).await;
        browser.click("form[action='/sign-out'] button").await;
        assert!(browser.text().await.contains("You are signed out"), "{who}");
        // Back, and back again, and by the address itself.
        for _ in 0..3 {
            browser.back().await;
            let left = browser.source().await;
            assert!(OF_A_STUDENT.iter().all(|word| !left.contains(word)), "{who}: {left}");
        }
        browser.go(&record).await;
        assert!(browser.address().await.contains("/sign-in"), "{who}");
        assert_eq!(browser.learn("return document.cookie").await, "", "no cookie is a script's");
        desk.end().await;
    }
}

#[tokio::test]
async fn everything_works_where_scripts_are_blocked() {
    let Some(desk) = Desk::new(Scripts::Blocked).await else { return };
    let browser = &desk.browser;
    desk.sign_in("officer").await;
    browser.write("#search", "quin").await;
    browser.click(".search button").await;
    assert!(browser.text().await.contains("1 of 1 clients"));
    desk.says_nothing_of_a_student().await;
    browser.click("button[lang='es']").await;
    assert!(browser.text().await.contains("Cerrar sesión"));
    browser.click(".clients tbody a").await;
    assert!(browser.text().await.contains("Quince"));
    browser.write("#note", "esto no").await;
    browser.click(".wrong button").await;
    assert!(browser.text_in(".wrong table").await.contains("espera a un administrador"));
    desk.says_nothing_of_a_student().await;
    browser.click("form[action='/sign-out'] button").await;
    assert!(browser.address().await.contains("/sign-in"));
    desk.end().await;
}

#[tokio::test]
async fn the_keyboard_alone_is_enough() {
    let Some(desk) = Desk::new(Scripts::Run).await else { return };
    let browser = &desk.browser;
    desk.go("/").await;
    desk.tab_to("main a.button").await;
    browser.enter().await;
    desk.tab_to("button[value='officer']").await;
    browser.enter().await;
    // The first step leads past what every page has.
    browser.press(TAB).await;
    assert_eq!(browser.learn("return document.activeElement.className").await, "skip");
    browser.press(ENTER).await;
    desk.tab_to(".clients tbody a").await;
    browser.enter().await;
    assert!(browser.text().await.contains("Quince"));
    desk.tab_to("a[href$='summary.pdf']").await;
    desk.tab_to("#note").await;
    for key in ["n", "o"] {
        browser.press(key).await;
    }
    desk.tab_to(".wrong button").await;
    browser.enter().await;
    assert!(browser.text_in(".wrong table").await.contains("waits for a steward"));
    desk.tab_to("form[action='/sign-out'] button").await;
    browser.enter().await;
    assert!(browser.text().await.contains("You are signed out"));
    desk.end().await;
}

#[tokio::test]
async fn anothers_student_looks_like_nobody_in_the_browser_too() {
    let Some(desk) = Desk::new(Scripts::Run).await else { return };
    let browser = &desk.browser;
    desk.sign_in("officer").await;
    browser.click(".clients tbody a").await;
    let record = browser.address().await;
    browser.click("form[action='/sign-out'] button").await;
    desk.sign_in("other").await;
    let mut told = Vec::new();
    let nobody = "A".repeat(record.rsplit('/').next().unwrap().len());
    for address in [record, desk.url(&format!("/student/{nobody}")), desk.url("/student/x")] {
        browser.go(&address).await;
        told.push((browser.title().await, browser.source().await));
    }
    assert!(told[0].1.contains("No records of this person are available to you"), "{}", told[0].1);
    assert!(told.iter().all(|one| *one == told[0]), "{told:?}");
    desk.end().await;
}

/// What somebody does on the way to a page.
#[derive(Clone, Copy)]
enum Step {
    Click(&'static str),
    Choose(&'static str),
    /// Writes into a field, which takes days as their year, month and day too.
    Write(&'static str, &'static str),
}
use Step::{Choose, Click, Write};

/// What stands for the number of the student in what is written.
const NUMBER: &str = "(the student's number)";
/// The first row of a list.
const FIRST: Step = Click(".clients tbody a");
/// A form's own button.
const SEND: Step = Click("main .filter button");

/// Every page that somebody can come to: a name, who, where they begin, and what they do from there. What only somebody of another role is shown too is
/// here for each role.
const PAGES: [(&str, &str, &str, &[Step]); 36] = [
    ("sign-in", "", "/sign-in", &[]),
    ("personas", "", "/sign-in/begin", &[]),
    ("caseload", "officer", "/caseload", &[]),
    ("caseload-searched", "officer", "/caseload", &[Write("#search", "nobody"), Click(".search button")]),
    ("record", "officer", "/caseload", &[FIRST]),
    (
        "record-reported",
        "officer",
        "/caseload",
        &[FIRST, Write("#note", "This is not the school."), Click(".wrong button")],
    ),
    ("not-available", "officer", "/student/x", &[]),
    ("not-found", "officer", "/nothing", &[]),
    ("not-yours", "officer", "/desk", &[]),
    ("caseload-office", "worker", "/caseload", &[]),
    ("record-office", "worker", "/caseload", &[FIRST]),
    ("notices", "coordinator", "/notices", &[]),
    ("no-work", "clerk", "/", &[]),
    ("desk", "steward", "/desk", &[]),
    ("review", "steward", "/review", &[]),
    ("case", "steward", "/review", &[FIRST]),
    ("reports", "steward", "/reports", &[]),
    ("report", "steward", "/reports", &[FIRST]),
    ("report-answered", "steward", "/reports", &[FIRST, Choose("#outcome option[value='passed_on']"), SEND]),
    ("batches", "steward", "/batches", &[]),
    ("batch", "steward", "/batches", &[Click(".clients tbody tr:last-child a")]),
    ("batch-findings", "steward", "/batches", &[FIRST]),
    ("nights", "steward", "/nights", &[]),
    ("explain", "steward", "/explain", &[]),
    ("explained", "steward", "/explain", &[Write("#client", "C10"), Choose("#agency option[value='cssd']"), SEND]),
    ("agreements", "steward", "/agreements", &[]),
    ("agreement", "steward", "/agreements", &[FIRST]),
    ("ledger", "auditor", "/ledger", &[]),
    ("ledger-searched", "auditor", "/ledger", &[Choose("#kind option[value='disclosure']"), SEND]),
    ("record-asked", "auditor", "/record", &[]),
    ("record-of-disclosures", "auditor", "/record", &[Write("#student", NUMBER), SEND]),
    ("checkpoint", "auditor", "/log", &[]),
    ("checkpoint-held", "auditor", "/log", &[Write("#checkpoint", "not a checkpoint"), SEND]),
    ("destruction", "auditor", "/destruction", &[]),
    ("agreements-audited", "auditor", "/agreements", &[FIRST]),
    ("agreement-lawyer", "lawyer", "/agreements", &[FIRST]),
];

#[test]
fn every_page_of_every_role_is_looked_at() {
    for (address, whose) in officials::PAGES {
        // A file is no page; the rest is told by what its address begins with.
        let kind = address.split('/').nth(1).unwrap();
        let list = match kind {
            "case" => "review",
            "batch" => "batches",
            "report" => "reports",
            "agreement" => "agreements",
            kind => kind,
        };
        for who in whose {
            let begins = |begin: &str| begin.strip_prefix('/') == Some(list);
            let is_deep = list != kind;
            let is_seen = PAGES.iter().any(|(_, of, begin, steps)| {
                of == who
                    && begins(begin)
                    && (!is_deep || matches!(steps, [Click(selector), ..] if selector.ends_with('a')))
            });
            assert!(is_seen || address.contains(".csv"), "nobody looks at {address} as {who}");
        }
    }
}

#[tokio::test]
async fn every_page_is_for_everybody_to_read() {
    let (checker, folder) = (axe(), pictures());
    if checker.is_none() {
        pass_over("axe-core is not installed (deploy/examples/install axe, THROUGHLINE_AXE)");
    }
    let Some(desk) = Desk::new(Scripts::Run).await else { return };
    officials::fault(&desk.site).await;
    let student = officials::student_number(&desk.site).await;
    let browser = &desk.browser;
    let mut signed_in = "";
    for (name, who, begin, steps) in PAGES {
        if who != signed_in && !who.is_empty() {
            if !signed_in.is_empty() {
                browser.click("form[action='/sign-out'] button").await;
            }
            desk.sign_in(who).await;
            signed_in = who;
        }
        for language in ["en", "es"] {
            desk.go(begin).await;
            if browser.has(&format!("form[action='/language'] button[value='{language}']")).await {
                browser.click(&format!("form[action='/language'] button[value='{language}']")).await;
                desk.go(begin).await;
            }
            for step in steps {
                match *step {
                    Click(selector) => browser.click(selector).await,
                    Choose(selector) => browser.choose(selector).await,
                    Write(selector, text) => browser.write(selector, &text.replace(NUMBER, &student)).await,
                }
            }
            desk.says_nothing_of_a_student().await;
            for theme in Theme::ALL {
                look(browser, (name, language, theme), checker.as_deref(), folder.as_deref()).await;
            }
        }
        browser.click("form[action='/language'] button[value='en']").await;
    }
    desk.end().await;
}

/// Looks at the page in every width: nothing is cut off, nothing scrolls sideways, and axe has nothing to say.
async fn look(
    browser: &Chromium,
    (name, language, theme): (&str, &str, Theme),
    checker: Option<&str>,
    folder: Option<&Path>,
) {
    // Colours move nothing: one theme tells of widths.
    let widths = if theme == Theme::ALL[0] || folder.is_some() { &WIDTHS[..] } else { &[] };
    for &width in widths {
        browser.view(width, theme).await;
        let overflow = "return document.documentElement.scrollWidth - document.documentElement.clientWidth";
        assert_eq!(browser.learn(overflow).await, 0, "{name} in {language} is wider than {width}");
        if let Some(folder) = folder.filter(|_| language == "en") {
            browser.picture(&folder.join(format!("{name}-{width}-{}.png", theme.as_str()))).await;
        }
    }
    let Some(source) = checker else { return };
    for width in [WIDTHS[0], WIDTHS[2]] {
        browser.view(width, theme).await;
        let found = browser.check(source).await;
        assert_eq!(found, Vec::<String>::new(), "{name} in {language}, {width} wide, {}", theme.as_str());
    }
}
