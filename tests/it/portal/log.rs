//! The log as an auditor is shown it: its head, and what a witness saw of it.

use ::ledger::{Hash, KeyUse, SignedCheckpoint};

use super::*;

impl Site {
    /// Gives all entries their place, and signs the head.
    async fn sign(&self) -> SignedCheckpoint {
        self.world.sequence().await;
        let mut conn = self.world.db.superuser().await;
        let signed = ::ledger::checkpoint(&mut conn, &signer(KeyUse::Log), &*self.clock).await;
        signed.unwrap().expect("the log has grown")
    }

    /// What the witness sends after it has seen this.
    fn cosign(&self, head: &SignedCheckpoint) -> String {
        let mut note = head.note().clone();
        let seconds = u64::try_from(self.clock.now().timestamp()).unwrap();
        let signature = signer(KeyUse::Witness).cosign(&note, seconds);
        note.add(signature);
        self.send(&note.to_string());
        note.to_string()
    }

    fn send(&self, text: &str) {
        std::fs::write(self.seen.path().join("checkpoint"), text).unwrap();
    }
}

/// The cells of the one row of a page's one table.
fn row(page: &Answer) -> Vec<String> {
    let text = page.text();
    let body = text.split("<tbody").nth(1).unwrap_or_else(|| panic!("{text}")).split("</tbody>").next().unwrap();
    let cells = body.split("</t").map(|cell| {
        let mut inside = true;
        let kept = cell.chars().filter(|letter| {
            let is_tag = matches!(letter, '<' | '>');
            inside = if is_tag { *letter == '<' } else { inside };
            !inside && !is_tag
        });
        kept.collect::<String>().trim().to_owned()
    });
    cells.take(5).collect()
}

#[tokio::test]
async fn an_auditor_sees_who_watches_the_log_and_how_far_behind_they_are() {
    let site = site(Limits::default()).await;
    let mut officer = site.signed_in("officer").await;
    let address = first_client(&officer.get("/caseload").await);
    assert_eq!(officer.get(&address).await.status, 200);
    let mut browser = site.signed_in("auditor").await;
    let page = browser.get("/log").await;
    let never = "has cosigned nothing yet, or what it cosigned is not here any more";
    assert_eq!(row(&page), ["witness.example/dcf", "", "", "", never], "{}", page.text());
    let head = site.sign().await;
    site.cosign(&head);
    let page = browser.get("/log").await;
    let (at, size) = ("2026-11-20 15:00:00", head.size().to_string());
    let holds = "the stored tree holds all that was seen";
    assert_eq!(row(&page), ["witness.example/dcf", at, &size, "0", holds], "{}", page.text());
    assert!(page.text().contains(&head.root().to_string()) && !page.text().contains("somebody has to look"));
    assert_eq!(officer.get(&address).await.status, 200);
    site.world.sequence().await;
    assert_eq!(row(&browser.get("/log").await), ["witness.example/dcf", at, &size, "1", holds]);
    site.clock.by(TimeDelta::hours(49));
    let mut browser = site.signed_in("auditor").await;
    let late = "the stored tree holds all that it saw, but it has cosigned nothing for too long: it has not looked, or it REFUSED";
    assert_eq!(row(&browser.get("/log").await), ["witness.example/dcf", at, &size, "1", late]);
    site.end().await;
}

#[tokio::test]
async fn a_log_that_is_not_the_one_a_witness_saw_is_an_alarm() {
    let site = site(Limits::default()).await;
    let mut officer = site.signed_in("officer").await;
    let address = first_client(&officer.get("/caseload").await);
    assert_eq!(officer.get(&address).await.status, 200);
    let head = site.sign().await;
    let other = Hash::try_from(&Sha256::digest("another entry")[..]).unwrap();
    let mut browser = site.signed_in("auditor").await;
    // Whoever has the log's own key can sign whatever they like; what the witness saw stays.
    let log = signer(KeyUse::Log);
    for (size, root, expect) in
        [(head.size(), other, "saw OTHER ENTRIES"), (head.size() + 1, other, "saw MORE ENTRIES")]
    {
        site.cosign(&SignedCheckpoint::sign(&log, size, root));
        let page = browser.get("/log").await;
        let said = row(&page);
        assert!(said[4].starts_with(expect) && said[2] == size.to_string() && said[3].is_empty(), "{said:?}");
        assert!(page.text().contains("Somebody has to look now"), "{}", page.text());
    }
    let elsewhere = ::ledger::Signer::from_seed("exchange.example/other", KeyUse::Log, &[7; 32]).unwrap();
    let unsigned = head.note().to_string();
    for what in ["", "nonsense", &*unsigned, &*site.cosign(&SignedCheckpoint::sign(&elsewhere, 1, other))] {
        site.send(what);
        let page = browser.get("/log").await;
        assert!(row(&page)[4].contains("NOT signed by this log and this witness"), "{what}: {}", page.text());
        assert!(page.text().contains("Somebody has to look now"), "{what}");
    }
    site.end().await;
}

#[tokio::test]
async fn the_log_is_held_against_a_checkpoint_that_somebody_kept() {
    let site = site(Limits::default()).await;
    let mut officer = site.signed_in("officer").await;
    let address = first_client(&officer.get("/caseload").await);
    assert_eq!(officer.get(&address).await.status, 200);
    let head = site.sign().await;
    let kept = site.cosign(&head);
    let mut browser = site.signed_in("auditor").await;
    let token = browser.get("/log").await.form_token();
    let forged = SignedCheckpoint::sign(&signer(KeyUse::Log), head.size() + 9, head.root()).note().to_string();
    for (text, expect) in [
        (kept.replace('\n', "\r\n"), "witness.example/dcf (2026-11-20 15:00:00)"),
        (head.note().to_string(), "by no witness known here"),
        (forged, "saw MORE ENTRIES"),
        (kept.replacen(&format!("\n{}\n", head.size()), "\n7000\n", 1), "This log did not sign that."),
        ("a checkpoint".to_owned(), "This log did not sign that."),
    ] {
        let page = browser.post("/log", &[("checkpoint", &*text), ("form_token", &*token)]).await;
        assert!(page.status == 200 && page.text().contains(expect), "{text}: {}", page.text());
    }
    let long = "x".repeat(9_000);
    assert_eq!(browser.post("/log", &[("checkpoint", &*long), ("form_token", &*token)]).await.status, 400);
    assert_eq!(browser.post("/log", &[("checkpoint", &*kept), ("form_token", "x")]).await.status, 403);
    site.end().await;
}
