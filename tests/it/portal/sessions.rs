//! Sessions: how they end, and what counts in them.

use super::*;

#[tokio::test]
async fn a_role_that_is_taken_away_ends_the_session_with_the_next_request() {
    let site = site(Limits { recheck_ms: 0, ..Limits::default() }).await;
    for changed in [
        Persona { role: None, ..officer() },
        Persona { officer: Some("P9".to_owned()), ..officer() },
        Persona { office: None, ..officer() },
    ] {
        site.sandbox.replace(officer());
        let mut browser = site.signed_in("officer").await;
        let address = first_client(&browser.get("/caseload").await);
        site.sandbox.replace(changed);
        let answer = browser.get_only(&address).await;
        assert_eq!((answer.status, answer.header("location")), (303, Some("/sign-in?why=changed")));
        assert!(answer.body.is_empty() && browser.cookies.is_empty());
        assert_eq!(site.sessions().await, 0);
    }
    assert!(site.world.entries().await.is_empty());
    site.end().await;
}

#[tokio::test]
async fn between_two_looks_at_the_issuer_a_session_goes_on() {
    let site = site(Limits::default()).await;
    let mut browser = site.signed_in("officer").await;
    site.sandbox.replace(Persona { role: None, ..officer() });
    assert_eq!(browser.get_only("/caseload").await.status, 200);
    site.clock.by(TimeDelta::seconds(61));
    assert_eq!(browser.get_only("/caseload").await.status, 303);
    site.end().await;
}

#[tokio::test]
async fn a_session_ends_when_nobody_uses_it_and_after_a_working_day() {
    let site = site(Limits::default()).await;
    let mut browser = site.signed_in("officer").await;
    site.clock.by(TimeDelta::minutes(29));
    assert_eq!(browser.get_only("/caseload").await.status, 200);
    site.clock.by(TimeDelta::minutes(31));
    let answer = browser.clone().get_only("/caseload").await;
    assert_eq!(answer.header("location"), Some("/sign-in?why=ended"));
    let mut browser = site.signed_in("officer").await;
    for _ in 0..16 {
        site.clock.by(TimeDelta::minutes(29));
        assert_eq!(browser.get_only("/caseload").await.status, 200);
    }
    site.clock.by(TimeDelta::minutes(29));
    assert_eq!(browser.get_only("/caseload").await.status, 303);
    site.end().await;
}

#[tokio::test]
async fn signing_out_ends_the_session_here_or_everywhere() {
    let site = site(Limits::default()).await;
    let (mut one, mut two) = (site.signed_in("officer").await, site.signed_in("officer").await);
    let mut other = site.signed_in("worker").await;
    let kept = one.clone();
    let token = one.get("/caseload").await.form_token();
    let answer = one.post_only("/sign-out", &[("form_token", &token)]).await;
    assert_eq!(answer.header("location"), Some("/sign-in?why=signed-out"));
    assert!(answer.header("clear-site-data").is_some() && one.cookies.is_empty());
    // The browser's back button, or whoever has copied the cookie.
    assert_eq!(kept.clone().get_only("/caseload").await.status, 303);
    assert_eq!(site.sessions().await, 2);
    let third = site.signed_in("officer").await;
    let token = two.get("/caseload").await.form_token();
    two.post("/sign-out-everywhere", &[("form_token", &token)]).await;
    assert_eq!(third.clone().get_only("/caseload").await.status, 303);
    assert_eq!(other.get_only("/caseload").await.status, 200);
    site.end().await;
}

#[tokio::test]
async fn a_form_from_elsewhere_does_nothing() {
    let site = site(Limits::default()).await;
    let mut browser = site.signed_in("officer").await;
    let token = browser.get("/caseload").await.form_token();
    let of_another = site.signed_in("officer").await.get("/caseload").await.form_token();
    for fields in [&[][..], &[("form_token", "")], &[("form_token", "x")], &[("form_token", &*of_another)]] {
        assert_eq!(browser.post_only("/sign-out", fields).await.status, 403, "{fields:?}");
        assert_eq!(browser.post_only("/caseload", fields).await.status, 403, "{fields:?}");
    }
    let mut abroad = Browser { origin: "https://attacker.example.test".to_owned(), ..browser.clone() };
    assert_eq!(abroad.post_only("/sign-out", &[("form_token", &token)]).await.status, 403);
    let mut abroad = Browser { site: "cross-site", ..browser.clone() };
    assert_eq!(abroad.post_only("/sign-out", &[("form_token", &token)]).await.status, 403);
    assert_eq!(abroad.post_only("/language", &[("language", "es")]).await.status, 403);
    assert_eq!(browser.get_only("/caseload").await.status, 200, "nobody was signed out");
    let long = "x".repeat(20_000);
    assert_eq!(browser.post_only("/caseload", &[("search", &long), ("form_token", &token)]).await.status, 400);
    site.end().await;
}

#[tokio::test]
async fn a_session_is_its_secret_and_nothing_else() {
    let site = site(Limits::default()).await;
    let mut browser = site.signed_in("officer").await;
    let name = "__Host-session".to_owned();
    let own = browser.cookies[&name].clone();
    for forged in ["", "x", &"A".repeat(43), &own[1..], &format!("{own}A")] {
        browser.cookies.insert(name.clone(), (*forged).to_owned());
        assert_eq!(browser.clone().get_only("/caseload").await.status, 303, "{forged}");
    }
    let row = site
        .world
        .db
        .superuser()
        .await
        .fetch_one("SELECT session_hash, access_token FROM portal.session")
        .await
        .unwrap();
    let stored: (Vec<u8>, Vec<u8>) = (row.get(0), row.get(1));
    assert!(stored.0.len() == 32 && !stored.1.is_empty());
    // A new sign-in takes the place of what the browser held, which counts no longer.
    browser.cookies.insert(name.clone(), own.clone());
    browser.sign_in("officer").await;
    assert_ne!(browser.cookies[&name], own);
    assert_eq!(site.sessions().await, 1);
    site.end().await;
}
