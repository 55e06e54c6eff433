//! The sandbox's own issuer, as a browser sees it: whoever comes chooses who they are.

use askama::Template;
use axum::response::Response;
use hyper::StatusCode;

use super::Shell;
use crate::{
    Persona, SignIn,
    error::Failure,
    oidc::sandbox::{AuthorizationRequest, Sandbox},
    visit::{Visit, page, redirect},
    words::fill,
};

#[derive(Template)]
#[template(path = "personas.html")]
struct Choice<'v> {
    shell: Shell<'v>,
    personas: Vec<(Persona, String)>,
    fields: Vec<(&'v str, &'v str)>,
}

fn sandbox<'p>(visit: &Visit<'p>) -> Result<&'p Sandbox, Failure> {
    match &visit.portal.deps.sign_in {
        SignIn::Sandbox(sandbox) => Ok(sandbox),
        SignIn::Issuer { .. } => Err(Failure::NotFound),
    }
}

/// Everybody one can be.
pub(super) fn offer(visit: &Visit<'_>) -> Result<Response, Failure> {
    AuthorizationRequest::of(&visit.query).ok_or(Failure::Invalid)?;
    let words = visit.words();
    let named = |persona: Persona| {
        let choose = fill(&words.choose, &[("name", &persona.name)]);
        (persona, choose)
    };
    let choice = Choice {
        shell: Shell::new(visit, &words.choose_persona),
        personas: sandbox(visit)?.personas().into_iter().map(named).collect(),
        fields: visit.query.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect(),
    };
    Ok(page(StatusCode::OK, choice.render()?))
}

/// Sends the browser back as whoever was chosen.
pub(super) fn choose(visit: &Visit<'_>) -> Result<Response, Failure> {
    visit.check_site()?;
    let request = AuthorizationRequest::of(&visit.form).ok_or(Failure::Invalid)?;
    // A code goes to this portal and nowhere else.
    if request.redirect != format!("{}{}", visit.portal.url, super::SIGNED_IN) {
        return Err(Failure::Invalid);
    }
    let persona = visit.form.get("persona").ok_or(Failure::Invalid)?;
    sandbox(visit)?.authorize(&request, persona).map(|to| redirect(&to)).ok_or(Failure::Invalid)
}
