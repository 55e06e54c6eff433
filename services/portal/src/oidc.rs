//! Signing in: OpenID Connect, the code flow with PKCE, state and nonce.
//!
//! What the issuer says is checked by the library: signature, issuer, audience, nonce, times. Nothing of a token is logged.

pub(crate) mod http;
pub(crate) mod sandbox;

use std::{collections::BTreeMap, sync::Arc};

use chrono::{DateTime, TimeDelta, Utc};
use model::{Clock, Masked};
use openidconnect::{
    AccessToken, AccessTokenHash, AdditionalClaims, AuthenticationFlow, AuthorizationCode, Client, ClientId,
    ClientSecret, CsrfToken, EmptyExtraTokenFields, EndpointMaybeSet, EndpointNotSet, EndpointSet, IdTokenFields,
    IssuerUrl, Nonce, OAuth2TokenResponse as _, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, Scope,
    StandardErrorResponse, StandardTokenResponse, SubjectIdentifier, TokenResponse as _, UserInfoClaims, UserInfoError,
    core::{
        CoreAuthDisplay, CoreAuthPrompt, CoreErrorResponseType, CoreGenderClaim, CoreJsonWebKey,
        CoreJweContentEncryptionAlgorithm, CoreJwsSigningAlgorithm, CoreProviderMetadata, CoreResponseType,
        CoreRevocableToken, CoreRevocationErrorResponse, CoreTokenIntrospectionResponse, CoreTokenType,
    },
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tokio::sync::Mutex;

use crate::{config::Issuer, error::Failure, seal::Secret};

use self::http::{HttpError, Transport};

/// What an issuer may sign with. Nothing that a client's secret signs, and nothing unsigned.
const ALGORITHMS: [CoreJwsSigningAlgorithm; 6] = [
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256,
    CoreJwsSigningAlgorithm::RsaSsaPssSha256,
    CoreJwsSigningAlgorithm::EcdsaP256Sha256,
    CoreJwsSigningAlgorithm::EcdsaP384Sha384,
    CoreJwsSigningAlgorithm::EdDsa,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha384,
];
/// What the issuer says of itself, its keys among it, is asked anew after this.
const METADATA_AGE: TimeDelta = TimeDelta::hours(1);
/// An unknown key makes it be asked sooner, but not more often than this.
const METADATA_AGE_MIN: TimeDelta = TimeDelta::minutes(1);
/// How far the issuer's clock may be ahead.
const AHEAD_MAX: TimeDelta = TimeDelta::minutes(2);

/// All that a token says beyond the standard's claims.
#[derive(Clone, Default, Deserialize, Serialize)]
pub(crate) struct Extra {
    #[serde(flatten)]
    all: BTreeMap<String, Value>,
}

impl std::fmt::Debug for Extra {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Extra(***)")
    }
}

impl AdditionalClaims for Extra {}

impl Extra {
    pub(crate) const fn new(all: BTreeMap<String, Value>) -> Self {
        Self { all }
    }

    fn into_map(self) -> Map<String, Value> {
        self.all.into_iter().collect()
    }
}

pub(crate) type Fields = IdTokenFields<
    Extra,
    EmptyExtraTokenFields,
    CoreGenderClaim,
    CoreJweContentEncryptionAlgorithm,
    CoreJwsSigningAlgorithm,
>;
pub(crate) type Tokens = StandardTokenResponse<Fields, CoreTokenType>;
type OidcClient = Client<
    Extra,
    CoreAuthDisplay,
    CoreGenderClaim,
    CoreJweContentEncryptionAlgorithm,
    CoreJsonWebKey,
    CoreAuthPrompt,
    StandardErrorResponse<CoreErrorResponseType>,
    Tokens,
    CoreTokenIntrospectionResponse,
    CoreRevocableToken,
    CoreRevocationErrorResponse,
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointMaybeSet,
    EndpointMaybeSet,
>;

/// The portal as a client of its issuer.
pub(crate) struct Oidc {
    issuer: Issuer,
    secret: Option<Masked<String>>,
    redirect: String,
    transport: Arc<dyn Transport>,
    known: Mutex<Option<(Arc<CoreProviderMetadata>, DateTime<Utc>)>>,
}

/// A sign-in under way: what the browser keeps, sealed, until it comes back.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Begun {
    pub(crate) state: String,
    pub(crate) nonce: String,
    pub(crate) verifier: String,
    pub(crate) at: DateTime<Utc>,
}

/// Who came back, by the issuer's word.
pub(crate) struct Identified {
    pub(crate) issuer: String,
    pub(crate) subject: String,
    pub(crate) name: Masked<String>,
    pub(crate) claims: Map<String, Value>,
    pub(crate) access_token: String,
}

/// Why somebody who came back is not signed in. It says nothing of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// The issuer does not take the code: used, too old, or never given.
    Code,
    /// The token is not one of the issuer's for us, now, in answer to this sign-in.
    Token,
}

impl Oidc {
    pub(crate) fn new(
        issuer: Issuer,
        secret: Option<Masked<String>>,
        redirect: String,
        transport: Arc<dyn Transport>,
    ) -> Self {
        Self { issuer, secret, redirect, transport, known: Mutex::default() }
    }

    pub(crate) const fn issuer(&self) -> &Issuer {
        &self.issuer
    }

    /// Begins a sign-in: where the browser goes, and what it keeps meanwhile.
    pub(crate) async fn begin(&self, drawn: &Secret, clock: &dyn Clock) -> Result<(String, Begun), Failure> {
        let at = clock.now();
        let client = self.client(at, METADATA_AGE).await?;
        let [state, nonce, verifier] = ["state", "nonce", "verifier"].map(|label| drawn.derive(label).to_text());
        let kept = PkceCodeVerifier::new(verifier.clone());
        let challenge = PkceCodeChallenge::from_code_verifier_sha256(&kept);
        let (state_kept, nonce_kept) = (state.clone(), nonce.clone());
        let mut request = client
            .authorize_url(
                AuthenticationFlow::<CoreResponseType>::AuthorizationCode,
                move || CsrfToken::new(state_kept),
                move || Nonce::new(nonce_kept),
            )
            .set_pkce_challenge(challenge);
        for scope in &self.issuer.scopes {
            request = request.add_scope(Scope::new(scope.clone()));
        }
        let (url, ..) = request.url();
        Ok((url.to_string(), Begun { state, nonce, verifier, at }))
    }

    /// Ends a sign-in: the code for a token, and the token checked.
    pub(crate) async fn finish(
        &self,
        code: String,
        begun: &Begun,
        clock: &dyn Clock,
    ) -> Result<Result<Identified, Refused>, Failure> {
        let at = clock.now();
        let client = self.client(at, METADATA_AGE).await?;
        let exchanged = client
            .exchange_code(AuthorizationCode::new(code))
            .map_err(|_| Failure::unavailable("the issuer names no token endpoint"))?
            .set_pkce_verifier(PkceCodeVerifier::new(begun.verifier.clone()))
            .request_async(&Sender(&*self.transport))
            .await;
        let tokens = match exchanged {
            Ok(tokens) => tokens,
            Err(openidconnect::RequestTokenError::Request(error)) => return Err(Failure::Unavailable(Box::new(error))),
            Err(openidconnect::RequestTokenError::ServerResponse(_)) => return Ok(Err(Refused::Code)),
            Err(_) => return Ok(Err(Refused::Token)),
        };
        if let Ok(identified) = identified(&client, &tokens, begun, at) {
            return Ok(Ok(identified));
        }
        // A key that is not known may be newer than what is.
        let client = self.client(at, METADATA_AGE_MIN).await?;
        Ok(identified(&client, &tokens, begun, at).map_err(|()| Refused::Token))
    }

    /// What the issuer says of somebody now; `None`: it does not know the token any longer.
    pub(crate) async fn ask_again(
        &self,
        access_token: String,
        subject: &str,
        at: DateTime<Utc>,
    ) -> Result<Option<Map<String, Value>>, Failure> {
        let client = self.client(at, METADATA_AGE).await?;
        let request = client
            .user_info(AccessToken::new(access_token), Some(SubjectIdentifier::new(subject.to_owned())))
            .map_err(|_| Failure::unavailable("the issuer names no userinfo endpoint"))?;
        let answer: Result<UserInfoClaims<Extra, CoreGenderClaim>, _> =
            request.request_async(&Sender(&*self.transport)).await;
        match answer {
            Ok(claims) => Ok(Some(claims.additional_claims().clone().into_map())),
            Err(UserInfoError::Request(error)) => Err(Failure::Unavailable(Box::new(error))),
            Err(UserInfoError::Response(status, ..)) if status.is_server_error() => {
                Err(Failure::unavailable("the issuer could not say who somebody is"))
            }
            Err(_) => Ok(None),
        }
    }

    async fn client(&self, at: DateTime<Utc>, age_max: TimeDelta) -> Result<OidcClient, Failure> {
        let mut known = self.known.lock().await;
        let metadata = match &*known {
            Some((metadata, asked_at)) if at - asked_at < age_max => Arc::clone(metadata),
            _ => {
                let url = IssuerUrl::new(self.issuer.url.clone())
                    .map_err(|_| Failure::unavailable("the issuer's address is none"))?;
                // The library holds the issuer that it names against the one that was asked.
                let found = CoreProviderMetadata::discover_async(url, &Sender(&*self.transport)).await;
                let found =
                    Arc::new(found.map_err(|_| Failure::unavailable("the issuer does not say how to sign in"))?);
                *known = Some((Arc::clone(&found), at));
                found
            }
        };
        drop(known);
        let redirect = RedirectUrl::new(self.redirect.clone())
            .map_err(|_| Failure::unavailable("the portal's own address is none"))?;
        let secret = self.secret.as_ref().map(|secret| ClientSecret::new(secret.expose().clone()));
        let id = ClientId::new(self.issuer.client_id.clone());
        Ok(OidcClient::from_provider_metadata((*metadata).clone(), id, secret).set_redirect_uri(redirect))
    }
}

/// Who the tokens say it is, if they are what they must be.
fn identified(client: &OidcClient, tokens: &Tokens, begun: &Begun, at: DateTime<Utc>) -> Result<Identified, ()> {
    let token = tokens.id_token().ok_or(())?;
    let verifier =
        client.id_token_verifier().set_allowed_algs(ALGORITHMS).set_time_fn(move || at).set_issue_time_verifier_fn(
            move |issued_at| {
                if issued_at <= at + AHEAD_MAX { Ok(()) } else { Err("issued in the future".to_owned()) }
            },
        );
    let claims = token.claims(&verifier, &Nonce::new(begun.nonce.clone())).map_err(|_| ())?;
    if let Some(expected) = claims.access_token_hash() {
        let key = token.signing_key(&verifier).map_err(|_| ())?;
        let algorithm = token.signing_alg().map_err(|_| ())?;
        let actual = AccessTokenHash::from_token(tokens.access_token(), algorithm, key).map_err(|_| ())?;
        if actual != *expected {
            return Err(());
        }
    }
    let subject = claims.subject().as_str().to_owned();
    let name = claims.name().and_then(|name| name.get(None)).map_or_else(|| subject.clone(), |name| name.to_string());
    Ok(Identified {
        issuer: claims.issuer().as_str().to_owned(),
        subject,
        name: Masked::new(name),
        claims: claims.additional_claims().clone().into_map(),
        access_token: tokens.access_token().secret().clone(),
    })
}

/// The transport as the library takes it.
struct Sender<'t>(&'t dyn Transport);

impl<'c> openidconnect::AsyncHttpClient<'c> for Sender<'_> {
    type Error = HttpError;
    type Future = futures::future::BoxFuture<'c, Result<openidconnect::HttpResponse, HttpError>>;

    fn call(&'c self, request: openidconnect::HttpRequest) -> Self::Future {
        self.0.send(request)
    }
}

#[cfg(test)]
mod tests;
