//! One request, as pages need it: language, cookies, session, form; and the answers they give.

use std::collections::BTreeMap;

use axum::{body::Body, extract::Request, response::Response};
use chrono_tz::Tz;
use http_body_util::{BodyExt as _, Limited};
use hyper::{
    HeaderMap, StatusCode,
    header::{ACCEPT_LANGUAGE, CONTENT_TYPE, COOKIE, HeaderValue, LOCATION, ORIGIN, SET_COOKIE},
};
use openidconnect::url::form_urlencoded;

use crate::{
    error::{Failure, Why},
    person::Work,
    seal::are_equal,
    server::Portal,
    session::{self, Session},
    words::{Language, Words},
};

/// The cookie of a session. The prefix makes browsers hold it to this host, this path and TLS.
const SESSION: &str = "__Host-session";
/// The cookie of a chosen language.
const LANGUAGE: &str = "__Host-language";
/// Cookies of sign-ins under way begin so.
pub(crate) const SIGN_IN: &str = "__Host-sign-in-";
/// Fields of a form that are read at most.
const FIELDS_MAX: usize = 32;

/// A request on a page.
pub(crate) struct Visit<'p> {
    pub(crate) portal: &'p Portal,
    pub(crate) language: Language,
    pub(crate) cookies: BTreeMap<String, String>,
    /// The parameters of the address, or the fields of a form.
    pub(crate) query: BTreeMap<String, String>,
    pub(crate) form: BTreeMap<String, String>,
    headers: HeaderMap,
    pub(crate) session: Option<Session>,
    /// What the pages of whoever is signed in are about; none: they have no work here.
    pub(crate) work: Option<Work>,
}

impl<'p> Visit<'p> {
    /// Reads what every page needs of a request.
    pub(crate) fn read(portal: &'p Portal, request: &Request) -> Self {
        let headers = request.headers().clone();
        let cookies = cookies(&headers);
        let preferred = || {
            let header = headers.get(ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
            header.map_or_else(Language::default, Language::preferred)
        };
        let chosen = cookies.get(LANGUAGE).and_then(|code| Language::of_code(code));
        let query = fields(request.uri().query().unwrap_or_default().as_bytes());
        let language = chosen.unwrap_or_else(preferred);
        Self { portal, language, cookies, query, form: BTreeMap::new(), headers, session: None, work: None }
    }

    pub(crate) fn words(&self) -> &'static Words {
        self.language.words()
    }

    /// Reads the form that was sent.
    pub(crate) async fn read_form(&mut self, body: Body) -> Result<(), Failure> {
        let kind = self.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        if !kind.starts_with("application/x-www-form-urlencoded") {
            return Err(Failure::Invalid);
        }
        let body = Limited::new(body, self.portal.config.limits.body_bytes_max).collect().await;
        self.form = fields(&body.map_err(|_| Failure::Invalid)?.to_bytes());
        Ok(())
    }

    /// Finds out who is signed in.
    pub(crate) async fn find_session(&mut self) -> Result<(), Failure> {
        if let Some(cookie) = self.cookies.get(SESSION) {
            self.session = session::find(self.portal, cookie).await?;
        }
        if let Some(session) = &self.session {
            self.work = session::work(self.portal, session).await?;
        }
        Ok(())
    }

    fn with_work(&self, allowed: &[Work]) -> Result<&Session, Failure> {
        let session = self.session()?;
        if self.work.is_some_and(|work| allowed.contains(&work)) { Ok(session) } else { Err(Failure::NotYours) }
    }

    /// Somebody who has clients.
    pub(crate) fn officer(&self) -> Result<&Session, Failure> {
        self.with_work(&[Work::Clients])
    }

    /// Somebody who is told of placements.
    pub(crate) fn coordinator(&self) -> Result<&Session, Failure> {
        self.with_work(&[Work::Notices])
    }

    /// One of the SEA's stewards.
    pub(crate) fn steward(&self) -> Result<&Session, Failure> {
        self.with_work(&[Work::Stewardship])
    }

    /// One of the SEA's auditors.
    pub(crate) fn auditor(&self) -> Result<&Session, Failure> {
        self.with_work(&[Work::Audit])
    }

    /// One of the SEA's stewards, auditors or lawyers: for what is about no student.
    pub(crate) fn official(&self) -> Result<&Session, Failure> {
        self.with_work(&[Work::Stewardship, Work::Audit, Work::Law])
    }

    /// All agencies with clients to choose from, behind the choice of none.
    pub(crate) fn agencies(&self) -> Vec<(String, String)> {
        let all = self.portal.deps.consumers.iter().filter(|one| one.has_roster);
        let named = all.map(|one| (one.id.to_string(), format!("{} ({})", one.id.as_str().to_uppercase(), one.name)));
        std::iter::once((String::new(), self.words().all_agencies.clone())).chain(named).collect()
    }

    /// The SEA's own time zone.
    pub(crate) fn own_zone(&self) -> Tz {
        self.portal.deps.consumers.iter().find(|one| one.is_own).map_or(Tz::UTC, |one| one.zone)
    }

    /// Who is signed in.
    pub(crate) fn session(&self) -> Result<&Session, Failure> {
        self.session.as_ref().ok_or(Failure::SignedOut(Why::Never))
    }

    /// Whether the form was sent from a page of this session, on this site.
    pub(crate) fn check_form(&self) -> Result<(), Failure> {
        self.check_site()?;
        let sent = self.form.get("form_token").ok_or(Failure::Forged)?;
        if are_equal(sent, &self.session()?.form_token) { Ok(()) } else { Err(Failure::Forged) }
    }

    /// Whether the browser says that a page of ours sent this, as far as it says anything.
    pub(crate) fn check_site(&self) -> Result<(), Failure> {
        let site = self.headers.get("sec-fetch-site").map(HeaderValue::as_bytes);
        let origin = self.headers.get(ORIGIN).map(HeaderValue::as_bytes);
        let is_ours = site.is_none_or(|site| matches!(site, b"same-origin" | b"none"))
            && origin.is_none_or(|origin| origin == self.portal.url.as_bytes());
        if is_ours { Ok(()) } else { Err(Failure::Forged) }
    }

    pub(crate) fn session_cookie(&self) -> Option<&str> {
        self.cookies.get(SESSION).map(String::as_str)
    }
}

fn cookies(headers: &HeaderMap) -> BTreeMap<String, String> {
    let all = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    let pairs = all.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

fn fields(text: &[u8]) -> BTreeMap<String, String> {
    form_urlencoded::parse(text).into_owned().take(FIELDS_MAX).collect()
}

/// A page.
pub(crate) fn page(status: StatusCode, html: impl Into<Body>) -> Response {
    let mut response = Response::new(html.into());
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    response
}

/// To another page of ours, or to the issuer.
pub(crate) fn redirect(to: &str) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SEE_OTHER;
    // Cannot fail: addresses are made of what a header may hold.
    if let Ok(to) = HeaderValue::from_str(to) {
        response.headers_mut().insert(LOCATION, to);
    }
    response
}

/// Gives the browser something to keep; an empty value takes it away.
fn set_cookie(response: &mut Response, name: &str, value: &str, seconds: u64) {
    let seconds = if value.is_empty() { 0 } else { seconds };
    let cookie = format!("{name}={value}; Path=/; Secure; SameSite=Lax; Max-Age={seconds}; HttpOnly");
    if let Ok(cookie) = HeaderValue::from_str(&cookie) {
        response.headers_mut().append(SET_COOKIE, cookie);
    }
}

pub(crate) fn keep_session(response: &mut Response, secret: &str, seconds: u64) {
    set_cookie(response, SESSION, secret, seconds);
}

pub(crate) fn drop_session(response: &mut Response) {
    set_cookie(response, SESSION, "", 0);
}

pub(crate) fn keep_sign_in(response: &mut Response, name: &str, sealed: &str, seconds: u64) {
    set_cookie(response, name, sealed, seconds);
}

pub(crate) fn keep_language(response: &mut Response, language: Language) {
    set_cookie(response, LANGUAGE, language.code(), 365 * 24 * 60 * 60);
}
