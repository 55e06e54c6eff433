//! An issuer within the program, for trying the portal out: whoever opens it chooses who they are. It exists only where whoever starts the
//! server makes one, which a configuration that is no sandbox cannot.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, TimeDelta, Utc};
use ed25519_dalek::{SigningKey, pkcs8::EncodePrivateKey as _};
use futures::future::BoxFuture;
use hyper::{
    StatusCode,
    header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue},
};
use model::{Clock, Entropy};
use openidconnect::{
    AccessToken, Audience, AuthUrl, EmptyAdditionalProviderMetadata, EndUserName, HttpRequest, HttpResponse, IdToken,
    IdTokenClaims, IssuerUrl, JsonWebKeyId, JsonWebKeySetUrl, LocalizedClaim, Nonce, PrivateSigningKey as _,
    ResponseTypes, StandardClaims, SubjectIdentifier, TokenUrl, UserInfoUrl,
    core::{
        CoreEdDsaPrivateSigningKey, CoreJsonWebKeySet, CoreJwsSigningAlgorithm, CoreProviderMetadata, CoreResponseType,
        CoreSubjectIdentifierType,
    },
    url::form_urlencoded,
};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::{
    Extra, Fields,
    http::{HttpError, Transport},
};
use crate::{config::RoleMapping, error::Error};

/// For a code to be used.
const CODE_AGE: TimeDelta = TimeDelta::minutes(1);
/// For a token to be taken.
const TOKEN_AGE: TimeDelta = TimeDelta::hours(12);
/// The portal's id at the sandbox's issuer.
pub(crate) const CLIENT_ID: &str = "portal";
/// Codes and tokens remembered at most.
const REMEMBERED_MAX: usize = 1_000;

/// Somebody whom a visitor of the sandbox can be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Persona {
    /// Short and unique.
    pub id: String,
    /// Their name: an invented one.
    pub name: String,
    /// Who they are, in a few words.
    pub about: String,
    /// The party.
    pub consumer: String,
    /// The role, as the party's agreement names it; none: nobody here, as happens to people who change posts.
    pub role: Option<String>,
    /// The office, as rosters name it.
    pub office: Option<String>,
    /// Their id, as rosters name the officer.
    pub officer: Option<String>,
    /// The day of their last training, YYYY-MM-DD.
    pub trained_on: Option<String>,
}

impl Persona {
    fn claim(&self) -> Option<String> {
        self.role.as_ref().map(|role| format!("{}:{role}", self.consumer))
    }

    fn claims(&self) -> BTreeMap<String, Value> {
        let mut claims = BTreeMap::from([("roles".to_owned(), json!(self.claim().into_iter().collect::<Vec<_>>()))]);
        for (name, value) in [("office", &self.office), ("officer", &self.officer), ("trained_on", &self.trained_on)] {
            claims.extend(value.as_ref().map(|value| (name.to_owned(), json!(value))));
        }
        claims
    }
}

/// The issuer of a sandbox.
pub struct Sandbox {
    key: CoreEdDsaPrivateSigningKey,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    /// The address, once the portal has one.
    url: String,
    personas: Vec<Persona>,
    codes: BTreeMap<String, Given>,
    tokens: BTreeMap<String, (String, DateTime<Utc>)>,
}

/// A code that was given, and for what.
struct Given {
    persona: String,
    nonce: String,
    challenge: String,
    redirect: String,
    at: DateTime<Utc>,
}

/// What a browser asks of the issuer.
pub(crate) struct AuthorizationRequest {
    pub(crate) redirect: String,
    pub(crate) state: String,
    pub(crate) nonce: String,
    pub(crate) challenge: String,
}

impl AuthorizationRequest {
    /// From the parameters of the code flow; `None`: something of it is missing or not what this issuer does.
    pub(crate) fn of(parameters: &BTreeMap<String, String>) -> Option<Self> {
        let one = |name: &str| parameters.get(name).filter(|value| !value.is_empty()).cloned();
        let is_ours = one("client_id")? == CLIENT_ID
            && one("response_type")? == "code"
            && one("code_challenge_method")? == "S256";
        is_ours.then_some(())?;
        Some(Self {
            redirect: one("redirect_uri")?,
            state: one("state")?,
            nonce: one("nonce")?,
            challenge: one("code_challenge")?,
        })
    }
}

impl std::fmt::Debug for Sandbox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sandbox")
    }
}

impl Sandbox {
    /// With these personas, and a key of its own.
    pub fn new(personas: Vec<Persona>, clock: Arc<dyn Clock>, entropy: Arc<dyn Entropy>) -> Result<Self, Error> {
        let mut seed = [0; 32];
        entropy.fill(&mut seed);
        let pem = SigningKey::from_bytes(&seed)
            .to_pkcs8_pem(ed25519_dalek::pkcs8::spki::der::pem::LineEnding::LF)
            .map_err(|_| Error::Invalid("the sandbox's key cannot be written".to_owned()))?;
        let id = Some(JsonWebKeyId::new("sandbox".to_owned()));
        let key = CoreEdDsaPrivateSigningKey::from_ed25519_pem(&pem, id)
            .map_err(|_| Error::Invalid("the sandbox's key cannot be read".to_owned()))?;
        Ok(Self { key, clock, entropy, inner: Mutex::new(Inner { personas, ..Inner::default() }) })
    }

    /// Puts somebody else in a persona's place: a role that was taken away, another office.
    pub fn replace(&self, persona: Persona) {
        let mut inner = self.lock();
        inner.personas.retain(|one| one.id != persona.id);
        inner.personas.push(persona);
    }

    /// What the personas' roles stand for.
    pub(crate) fn roles(&self) -> Vec<RoleMapping> {
        let mapping = |persona: &Persona| {
            let (claim, role) = (persona.claim()?, persona.role.clone()?);
            Some(RoleMapping { claim, consumer: persona.consumer.clone(), role })
        };
        self.lock().personas.iter().filter_map(mapping).collect()
    }

    pub(crate) fn settle(&self, url: &str) {
        url.clone_into(&mut self.lock().url);
    }

    pub(crate) fn personas(&self) -> Vec<Persona> {
        self.lock().personas.clone()
    }

    /// Gives a code for a persona; where the browser goes with it.
    pub(crate) fn authorize(&self, request: &AuthorizationRequest, persona: &str) -> Option<String> {
        let at = self.clock.now();
        let code = self.draw();
        let mut inner = self.lock();
        inner.personas.iter().find(|one| one.id == persona)?;
        inner.codes.retain(|_, given| at - given.at < CODE_AGE);
        if inner.codes.len() >= REMEMBERED_MAX {
            return None;
        }
        let given = Given {
            persona: persona.to_owned(),
            nonce: request.nonce.clone(),
            challenge: request.challenge.clone(),
            redirect: request.redirect.clone(),
            at,
        };
        inner.codes.insert(code.clone(), given);
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.append_pair("code", &code).append_pair("state", &request.state).append_pair("iss", &inner.url);
        Some(format!("{}?{}", request.redirect, query.finish()))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn draw(&self) -> String {
        let mut bytes = [0; 32];
        self.entropy.fill(&mut bytes);
        URL_SAFE_NO_PAD.encode(bytes)
    }

    fn answer(&self, request: &HttpRequest) -> Option<Value> {
        let url = self.lock().url.clone();
        let asked = request.uri().to_string();
        match asked.strip_prefix(&url)? {
            "/.well-known/openid-configuration" => configuration(&url),
            "/keys" => serde_json::to_value(CoreJsonWebKeySet::new(vec![self.key.as_verification_key()])).ok(),
            "/token" => self.token(&url, request.body()),
            "/userinfo" => {
                let token = request.headers().get(AUTHORIZATION)?.to_str().ok()?.strip_prefix("Bearer ")?;
                let at = self.clock.now();
                let inner = self.lock();
                let (id, _) = inner.tokens.get(token).filter(|(_, given_at)| at - given_at < TOKEN_AGE)?;
                let persona = inner.personas.iter().find(|one| one.id == *id)?;
                let mut claims = persona.claims();
                claims.insert("sub".to_owned(), json!(persona.id));
                serde_json::to_value(claims).ok()
            }
            _ => None,
        }
    }

    /// A token for a code: once, soon, and for whoever has what the challenge was made of.
    fn token(&self, url: &str, body: &[u8]) -> Option<Value> {
        let fields: BTreeMap<String, String> = form_urlencoded::parse(body).into_owned().collect();
        let at = self.clock.now();
        let access = self.draw();
        let mut inner = self.lock();
        let given = inner.codes.remove(fields.get("code")?)?;
        let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(fields.get("code_verifier")?));
        let is_due = at - given.at < CODE_AGE
            && given.challenge == challenge
            && fields.get("redirect_uri") == Some(&given.redirect);
        is_due.then_some(())?;
        let persona = inner.personas.iter().find(|one| one.id == given.persona)?.clone();
        inner.tokens.retain(|_, (_, given_at)| at - *given_at < TOKEN_AGE);
        if inner.tokens.len() >= REMEMBERED_MAX {
            return None;
        }
        inner.tokens.insert(access.clone(), (persona.id.clone(), at));
        drop(inner);
        let mut name = LocalizedClaim::new();
        name.insert(None, EndUserName::new(persona.name.clone()));
        let claims = IdTokenClaims::new(
            IssuerUrl::new(url.to_owned()).ok()?,
            vec![Audience::new(CLIENT_ID.to_owned())],
            at + CODE_AGE,
            at,
            StandardClaims::new(SubjectIdentifier::new(persona.id.clone())).set_name(Some(name)),
            Extra::new(persona.claims()),
        )
        .set_nonce(Some(Nonce::new(given.nonce)));
        let token = AccessToken::new(access.clone());
        let id_token = IdToken::new(claims, &self.key, CoreJwsSigningAlgorithm::EdDsa, Some(&token), None).ok()?;
        let fields: Fields = Fields::new(Some(id_token), openidconnect::EmptyExtraTokenFields {});
        let mut answer = serde_json::to_value(fields).ok()?;
        let object = answer.as_object_mut()?;
        object.insert("access_token".to_owned(), json!(access));
        object.insert("token_type".to_owned(), json!("bearer"));
        Some(answer)
    }
}

/// What the issuer says of itself.
fn configuration(url: &str) -> Option<Value> {
    let metadata = CoreProviderMetadata::new(
        IssuerUrl::new(url.to_owned()).ok()?,
        AuthUrl::new(format!("{url}/authorize")).ok()?,
        JsonWebKeySetUrl::new(format!("{url}/keys")).ok()?,
        vec![ResponseTypes::new(vec![CoreResponseType::Code])],
        vec![CoreSubjectIdentifierType::Public],
        vec![CoreJwsSigningAlgorithm::EdDsa],
        EmptyAdditionalProviderMetadata {},
    )
    .set_token_endpoint(Some(TokenUrl::new(format!("{url}/token")).ok()?))
    .set_userinfo_endpoint(Some(UserInfoUrl::new(format!("{url}/userinfo")).ok()?));
    serde_json::to_value(metadata).ok()
}

impl Transport for Arc<Sandbox> {
    fn send(&self, request: HttpRequest) -> BoxFuture<'_, Result<HttpResponse, HttpError>> {
        Box::pin(async move {
            let (status, body) = match self.answer(&request) {
                Some(body) => (StatusCode::OK, body),
                None => (StatusCode::BAD_REQUEST, json!({"error": "invalid_grant"})),
            };
            let mut response = HttpResponse::new(body.to_string().into_bytes());
            *response.status_mut() = status;
            response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            Ok(response)
        })
    }
}
