//! Signing in, and answers that are not the issuer's to this browser, now, for the first time.

use super::*;

/// What a browser is told that comes back with this.
async fn told(mut browser: Browser, back: &str) -> (u16, bool) {
    let answer = browser.get_only(back).await;
    (answer.status, browser.cookies.contains_key("__Host-session"))
}

#[tokio::test]
async fn an_answer_counts_once_in_its_own_browser_and_in_time() {
    let site = site(Limits::default()).await;
    let mut browser = site.browser();
    let back = browser.choose("officer").await;
    assert_eq!(told(site.browser(), &back).await, (401, false), "another browser");
    let swapped = back.replace("state=", "state=x");
    assert_eq!(told(browser.clone(), &swapped).await, (401, false), "another state");
    let before = browser.clone();
    assert_eq!(told(browser.clone(), &back).await, (303, true));
    assert_eq!(told(before, &back).await, (401, false), "the same answer again");
    let mut late = site.browser();
    let back = late.choose("officer").await;
    site.clock.by(TimeDelta::minutes(11));
    assert_eq!(told(late, &back).await, (401, false), "too late");
    assert_eq!(site.sessions().await, 1);
    site.end().await;
}

#[tokio::test]
async fn codes_that_are_made_up_used_or_anothers_sign_nobody_in() {
    let site = site(Limits::default()).await;
    let mut one = site.browser();
    let mut two = site.browser();
    let (back_one, back_two) = (one.choose("officer").await, two.choose("worker").await);
    let part = |back: &str, name: &str| {
        back.split(['?', '&']).find_map(|pair| pair.strip_prefix(&format!("{name}="))).unwrap().to_owned()
    };
    let with_code = |code: &str| back_one.replace(&part(&back_one, "code"), code);
    assert_eq!(told(one.clone(), &with_code("made-up")).await, (401, false));
    // A code injected from another sign-in fails by its challenge.
    let mut three = site.browser();
    let back_three = three.choose("officer").await;
    let injected = back_three.replace(&part(&back_three, "code"), &part(&back_two, "code"));
    assert_eq!(told(three, &injected).await, (401, false));
    let mut four = site.browser();
    let back_four = four.choose("officer").await;
    let elsewhere = back_four.replace(&part(&back_four, "iss"), "https%3A%2F%2Fother.example.test");
    assert_eq!(told(four, &elsewhere).await, (401, false), "another issuer");
    let mut five = site.browser();
    let back_five = five.choose("officer").await;
    let denied = back_five.replace("code=", "error=access_denied&x=");
    assert_eq!(told(five, &denied).await, (401, false), "the issuer refused");
    assert_eq!(site.sessions().await, 0);
    site.end().await;
}

#[tokio::test]
async fn two_tabs_can_sign_in_at_once() {
    let site = site(Limits::default()).await;
    let mut browser = site.browser();
    let first = browser.choose("officer").await;
    let second = browser.choose("officer").await;
    assert_eq!(browser.get(&first).await.status, 200);
    assert_eq!(browser.get(&second).await.status, 200);
    assert_eq!(site.sessions().await, 1, "one browser holds one session");
    assert_eq!(browser.cookies.len(), 1, "{:?}", browser.cookies.keys());
    site.end().await;
}

#[tokio::test]
async fn whoever_has_no_role_here_is_told_so() {
    let site = site(Limits::default()).await;
    let mut browser = site.browser();
    let landed = browser.sign_in("nobody").await;
    assert_eq!(landed.status, 401);
    assert!(landed.text().contains("no role here is yours"), "{}", landed.text());
    assert_eq!(site.sessions().await, 0);
    site.end().await;
}

#[tokio::test]
async fn the_sandboxs_issuer_gives_codes_to_this_portal_only() {
    let site = site(Limits::default()).await;
    let mut browser = site.browser();
    let base = [
        ("client_id", "portal"),
        ("response_type", "code"),
        ("code_challenge_method", "S256"),
        ("code_challenge", "x"),
        ("state", "s"),
        ("nonce", "n"),
        ("persona", "officer"),
    ];
    for redirect in ["https://attacker.example.test/signed-in", "/signed-in", ""] {
        let mut fields = base.to_vec();
        fields.push(("redirect_uri", redirect));
        assert_eq!(browser.post_only("/sandbox/authorize", &fields).await.status, 400, "{redirect}");
    }
    site.end().await;
}

#[tokio::test]
async fn without_a_session_every_page_leads_to_the_sign_in() {
    let site = site(Limits::default()).await;
    for address in ["/", "/caseload", "/student/x", "/student/x/summary.pdf", "/student/x/one-page.pdf"] {
        let answer = site.browser().get_only(address).await;
        assert_eq!((answer.status, answer.header("location")), (303, Some("/sign-in")), "{address}");
    }
    let answer = site.browser().get("/").await;
    assert!(answer.status == 200 && answer.text().contains("/sign-in/begin"), "{}", answer.text());
    assert!(site.world.entries().await.is_empty());
    site.end().await;
}
