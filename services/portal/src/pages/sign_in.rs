//! Signing in and out.

use askama::Template;
use axum::response::Response;
use hyper::{
    StatusCode,
    header::{HeaderName, HeaderValue},
};

use super::{SIGN_IN, Shell};
use crate::{
    error::{Failure, Why},
    oidc::Begun,
    person::Standing,
    seal::{Secret, are_equal},
    session,
    visit::{self, Visit, drop_session, keep_session, keep_sign_in, page, redirect},
};

/// Letters of a sign-in's state that its cookie's name has: two tabs do not disturb each other.
const NAME_LETTERS: usize = 12;

#[derive(Template)]
#[template(path = "sign_in.html")]
struct Offer<'v> {
    shell: Shell<'v>,
    why: Option<&'v str>,
}

/// The page where one can sign in, and why one has to.
pub(super) fn offer(visit: &Visit<'_>) -> Result<Response, Failure> {
    if visit.session.is_some() {
        return Ok(redirect("/"));
    }
    let words = visit.words();
    let why = match visit.query.get("why").map(String::as_str) {
        Some("signed-out") => Some(&*words.signed_out),
        Some(code) => Why::of_code(code).map(|why| why.text(words)),
        None => None,
    };
    Ok(page(StatusCode::OK, Offer { shell: Shell::new(visit, &words.sign_in), why }.render()?))
}

fn cookie_name(state: &str) -> String {
    let letters: String = state.chars().filter(char::is_ascii_alphanumeric).take(NAME_LETTERS).collect();
    [visit::SIGN_IN, &letters].concat()
}

/// Sends the browser to the issuer.
pub(super) async fn begin(visit: &mut Visit<'_>) -> Result<Response, Failure> {
    let portal = visit.portal;
    let drawn = Secret::draw(&*portal.deps.entropy);
    let (to, begun) = portal.oidc.begin(&drawn, &*portal.deps.clock).await?;
    let kept = serde_json::to_string(&begun).map_err(|error| Failure::Internal(Box::new(error)))?;
    let mut response = redirect(&to);
    let seconds = portal.config.limits.sign_in_ms / 1000;
    keep_sign_in(&mut response, &cookie_name(&begun.state), &portal.secret.derive("sign-in").seal(&kept), seconds);
    Ok(response)
}

/// Takes the issuer's answer. It counts in the browser that asked, in time, and once.
pub(super) async fn finish(visit: &mut Visit<'_>) -> Result<Response, Failure> {
    const STALE: Failure = Failure::NotSignedIn(Why::Stale);
    let portal = visit.portal;
    let state = visit.query.get("state").ok_or(STALE)?;
    let name = cookie_name(state);
    let begun = visit.cookies.get(&name).and_then(|sealed| portal.secret.derive("sign-in").open(sealed));
    let begun: Begun = begun.and_then(|kept| serde_json::from_str(&kept).ok()).ok_or(STALE)?;
    let age = portal.deps.clock.now() - begun.at;
    let is_due = age.num_milliseconds() <= i64::try_from(portal.config.limits.sign_in_ms).unwrap_or(i64::MAX);
    if !are_equal(&begun.state, state) || !is_due || !session::use_sign_in(portal, state).await? {
        return Err(STALE);
    }
    // Another issuer's answer, where somebody mixes them up (RFC 9207).
    if visit.query.get("iss").is_some_and(|issuer| *issuer != portal.oidc.issuer().url) {
        return Err(Failure::NotSignedIn(Why::Refused));
    }
    let code = visit.query.get("code").ok_or(Failure::NotSignedIn(Why::Refused))?;
    let who = portal.oidc.finish(code.clone(), &begun, &*portal.deps.clock).await?.map_err(|refused| {
        tracing::warn!(?refused, "a sign-in was refused");
        Failure::NotSignedIn(Why::Refused)
    })?;
    let standing = Standing::of(&who.claims, &portal.oidc.issuer().claims, &portal.roles());
    let standing = standing.filter(|standing| portal.consumer(&standing.consumer).is_some());
    let standing = standing.ok_or(Failure::NotSignedIn(Why::NoRole))?;
    // What the browser held before means nothing any longer.
    if let Some(before) = visit.session_cookie() {
        session::end(portal, before).await?;
    }
    let secret = session::begin(portal, &who, &standing).await?;
    let mut response = redirect("/");
    keep_session(&mut response, &secret, portal.config.limits.session_ms / 1000);
    keep_sign_in(&mut response, &name, "", 0);
    Ok(response)
}

/// Signs out here.
pub(super) async fn end(visit: &mut Visit<'_>) -> Result<Response, Failure> {
    visit.check_form()?;
    if let Some(cookie) = visit.session_cookie() {
        session::end(visit.portal, cookie).await?;
    }
    Ok(signed_out())
}

/// Signs out here and wherever else.
pub(super) async fn end_all(visit: &mut Visit<'_>) -> Result<Response, Failure> {
    visit.check_form()?;
    session::end_all(visit.portal, &visit.session()?.person).await?;
    Ok(signed_out())
}

fn signed_out() -> Response {
    let mut response = redirect(&format!("{SIGN_IN}?why=signed-out"));
    drop_session(&mut response);
    // Whatever a browser kept in spite of everything, it is told to forget.
    let what = HeaderValue::from_static("\"cache\", \"storage\"");
    response.headers_mut().insert(HeaderName::from_static("clear-site-data"), what);
    response
}
