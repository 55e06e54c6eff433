use std::sync::Mutex as StdMutex;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ed25519_dalek::{Signer as _, SigningKey};
use futures::future::BoxFuture;
use hyper::{
    StatusCode,
    header::{CONTENT_TYPE, HeaderValue},
};
use model::FixedClock;
use openidconnect::{HttpRequest, HttpResponse};
use serde_json::json;

use super::*;
use crate::config::ClaimNames;

const URL: &str = "https://id.example.test";

fn now() -> DateTime<Utc> {
    "2026-11-20T15:00:00Z".parse().unwrap()
}

fn key(seed: u8) -> SigningKey {
    SigningKey::from_bytes(&[seed; 32])
}

fn part(value: &Value) -> String {
    URL_SAFE_NO_PAD.encode(value.to_string())
}

/// A token as JSON has it, signed by a key.
fn signed(header: &Value, claims: &Value, by: &SigningKey) -> String {
    let body = format!("{}.{}", part(header), part(claims));
    let signature = URL_SAFE_NO_PAD.encode(by.sign(body.as_bytes()).to_bytes());
    format!("{body}.{signature}")
}

/// An issuer that says what a test wants.
struct Says {
    issuer: String,
    token: StdMutex<Value>,
    userinfo: StdMutex<(StatusCode, Value)>,
}

impl Transport for Says {
    fn send(&self, request: HttpRequest) -> BoxFuture<'_, Result<HttpResponse, HttpError>> {
        Box::pin(async move {
            let path = request.uri().path().to_owned();
            let (status, body) = match path.as_str() {
                "/.well-known/openid-configuration" => (StatusCode::OK, configuration(&self.issuer)),
                "/keys" => {
                    let x = URL_SAFE_NO_PAD.encode(key(1).verifying_key().to_bytes());
                    (
                        StatusCode::OK,
                        json!({"keys": [{"kty": "OKP", "crv": "Ed25519", "kid": "1", "use": "sig", "x": x}]}),
                    )
                }
                "/token" => (StatusCode::OK, self.token.lock().unwrap().clone()),
                "/userinfo" => self.userinfo.lock().unwrap().clone(),
                other => panic!("{other}"),
            };
            let mut response = HttpResponse::new(body.to_string().into_bytes());
            *response.status_mut() = status;
            response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            Ok(response)
        })
    }
}

fn configuration(issuer: &str) -> Value {
    json!({
        "issuer": issuer,
        "authorization_endpoint": format!("{URL}/authorize"),
        "token_endpoint": format!("{URL}/token"),
        "userinfo_endpoint": format!("{URL}/userinfo"),
        "jwks_uri": format!("{URL}/keys"),
        "response_types_supported": ["code"],
        "subject_types_supported": ["public"],
        // What an issuer says of itself does not widen what is believed.
        "id_token_signing_alg_values_supported": ["EdDSA", "HS256", "none"],
    })
}

fn client(says: &Arc<Says>) -> Oidc {
    let issuer = Issuer {
        url: URL.to_owned(),
        client_id: "portal".to_owned(),
        client_secret_file: None,
        authorities_file: None,
        scopes: vec!["profile".to_owned()],
        claims: ClaimNames::default(),
    };
    let transport: Arc<dyn Transport> = Arc::clone(says) as _;
    let secret = Some(Masked::new("a-client-secret".to_owned()));
    Oidc::new(issuer, secret, "https://portal.example.test/signed-in".to_owned(), transport)
}

fn says(issuer: &str) -> Arc<Says> {
    let nothing = StdMutex::new((StatusCode::UNAUTHORIZED, json!({})));
    Arc::new(Says { issuer: issuer.to_owned(), token: StdMutex::default(), userinfo: nothing })
}

fn claims() -> Value {
    json!({
        "iss": URL, "aud": "portal", "sub": "u-17", "name": "Test Person", "nonce": "n",
        "iat": now().timestamp(), "exp": now().timestamp() + 60, "roles": ["po"],
    })
}

fn with(name: &str, value: Value) -> Value {
    let mut claims = claims();
    claims[name] = value;
    claims
}

async fn answer(token: String) -> Result<Identified, Refused> {
    let says = says(URL);
    *says.token.lock().unwrap() = json!({"access_token": "a", "token_type": "bearer", "id_token": token});
    let begun = Begun { state: "s".to_owned(), nonce: "n".to_owned(), verifier: "v".repeat(43), at: now() };
    client(&says).finish("code".to_owned(), &begun, &FixedClock(now())).await.unwrap()
}

#[tokio::test]
async fn a_token_of_the_issuer_for_this_sign_in_says_who_it_is() {
    let header = json!({"alg": "EdDSA", "kid": "1"});
    let who = answer(signed(&header, &claims(), &key(1))).await.unwrap_or_else(|_| panic!("believed"));
    assert_eq!((who.issuer.as_str(), who.subject.as_str(), who.name.expose().as_str()), (URL, "u-17", "Test Person"));
    assert_eq!(who.claims["roles"], json!(["po"]));
    let elsewhere = with("at_hash", json!("AAAAAAAAAAAAAAAAAAAAAA"));
    assert!(answer(signed(&header, &elsewhere, &key(1))).await.is_err(), "another access token");
}

#[tokio::test]
async fn expired_forged_and_foreign_tokens_sign_nobody_in() {
    let header = json!({"alg": "EdDSA", "kid": "1"});
    let soon = now().timestamp();
    let cases = [
        ("expired", signed(&header, &with("exp", json!(soon - 1)), &key(1))),
        ("from the future", signed(&header, &with("iat", json!(soon + 3600)), &key(1))),
        ("another issuer", signed(&header, &with("iss", json!("https://other.example.test")), &key(1))),
        ("another client", signed(&header, &with("aud", json!("another")), &key(1))),
        ("several clients", signed(&header, &with("aud", json!(["portal", "another"])), &key(1))),
        ("another sign-in", signed(&header, &with("nonce", json!("other")), &key(1))),
        ("no nonce", signed(&header, &with("nonce", Value::Null), &key(1))),
        ("another key", signed(&header, &claims(), &key(2))),
        ("an unknown key", signed(&json!({"alg": "EdDSA", "kid": "2"}), &claims(), &key(2))),
        ("unsigned", format!("{}.{}.", part(&json!({"alg": "none"})), part(&claims()))),
        ("no token at all", String::new()),
    ];
    for (what, token) in cases {
        assert!(answer(token).await.is_err(), "{what}");
    }
    // Signed by the secret that the client shares with its issuer: not by the issuer's key.
    let body = format!("{}.{}", part(&json!({"alg": "HS256"})), part(&claims()));
    let tag = aws_lc_rs::hmac::sign(
        &aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, b"a-client-secret"),
        body.as_bytes(),
    );
    assert!(answer(format!("{body}.{}", URL_SAFE_NO_PAD.encode(tag.as_ref()))).await.is_err());
    let good = signed(&header, &claims(), &key(1));
    let forged = good.replace(&part(&claims()), &part(&with("roles", json!(["auditor"]))));
    assert!(answer(forged).await.is_err(), "changed afterwards");
}

#[tokio::test]
async fn an_issuer_that_calls_itself_otherwise_is_not_asked() {
    let says = says("https://other.example.test");
    let drawn = Secret::new([1; 32]);
    let begun = client(&says).begin(&drawn, &FixedClock(now())).await;
    assert!(matches!(begun, Err(Failure::Unavailable(_))));
}

#[tokio::test]
async fn the_browser_is_sent_with_state_nonce_and_challenge_and_keeps_the_rest() {
    let (url, begun) = client(&says(URL)).begin(&Secret::new([1; 32]), &FixedClock(now())).await.unwrap();
    for part in [
        "response_type=code",
        "code_challenge_method=S256",
        "code_challenge=",
        &format!("state={}", begun.state),
        &format!("nonce={}", begun.nonce),
        "scope=openid+profile",
        "redirect_uri=https%3A%2F%2Fportal.example.test%2Fsigned-in",
    ] {
        assert!(url.contains(part), "{part} in {url}");
    }
    assert!(!url.contains(&begun.verifier));
}

#[tokio::test]
async fn what_the_issuer_says_later_counts_if_it_is_about_the_same_person() {
    let says = says(URL);
    let client = client(&says);
    let ask = || client.ask_again("a".to_owned(), "u-17", now());
    assert!(matches!(ask().await, Ok(None)), "the token is not taken any longer");
    let same = json!({"sub": "u-17", "roles": ["po"]});
    *says.userinfo.lock().unwrap() = (StatusCode::OK, same);
    assert_eq!(ask().await.unwrap().unwrap()["roles"], json!(["po"]));
    *says.userinfo.lock().unwrap() = (StatusCode::OK, json!({"sub": "u-18", "roles": ["po"]}));
    assert!(matches!(ask().await, Ok(None)), "somebody else");
    *says.userinfo.lock().unwrap() = (StatusCode::BAD_GATEWAY, json!({}));
    assert!(matches!(ask().await, Err(Failure::Unavailable(_))));
}
